/* binary.h - what was compiled together, as one block of bytes: in memory, in files (binary.c). */
#ifndef RT_BINARY_H
#define RT_BINARY_H

#include "src/ir/base/base.h"

#include <stdatomic.h>

typedef struct rt_binary_kernel {
    const char *name; /* of its symbols, in this binary alone */
    const char *key;  /* target | compiler | what it does: names left out */
    size_t key_bytes;
    unsigned nphases;
} rt_binary_kernel;

typedef struct rt_binary {
    char *block;
    size_t size;
    _Atomic(uint32_t) holders;
    const void *bytes; /* n of them, aligned to 16: an object file, a fatbin */
    size_t n;
    const char *notes; /* what the compiler said */
    uint32_t nkernels;
    rt_binary_kernel kernels[]; /* all point into the block */
} rt_binary;

/* Of copies; notes may be NULL. NULL: out of memory. One holder. */
rt_binary *rt_binary_new(const rt_binary_kernel *k, uint32_t nkernels, const void *bytes, size_t n,
                         const char *notes);
/* Of a block of bz_mem_alloc, which it takes: any bytes are safe. NULL and what is wrong with them, NULL: out of memory. */
rt_binary *rt_binary_read(char *block, size_t size, const char **why);
rt_binary *rt_binary_hold(rt_binary *b);
void rt_binary_drop(rt_binary *b); /* NULL is fine */
bool rt_binary_has(const rt_binary *b, const char *key, size_t n);

#endif
