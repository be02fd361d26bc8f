/* ptxrun.h - what the parts of ptxrun share: its arguments, its memory, its output. */
#ifndef PTXRUN_H
#define PTXRUN_H

#include "ptx.h"

#include <stdio.h>

enum {
    EXIT_CLEAN,
    EXIT_REPORTS,
    EXIT_USAGE,
    EXIT_ENVIRONMENT,
    MAX_ARGS = 64,
    MAX_EXTENTS = 4096,
    HEAP_BYTES = 8 << 20
};

/* ---- run_input.c ---- */

/* PTX text of a .cu (by NVRTC), .ptx or fatbin file for sm; malloc'd. NULL: *status is the exit
 * status and the reason has been printed. */
char *input_read(const char *path, unsigned sm, size_t *len, int *status);

/* ---- run_args.c ---- */

typedef enum { K_INT, K_UINT, K_FLOAT, K_F16, K_BF16 } arg_kind;

/* "f32[1024]=randn" or "i32=7". */
typedef struct {
    const char *text, *init;
    arg_kind kind;
    unsigned bytes;
    bool buffer;
    uint64_t count;
} run_arg;

/* False after printing what is wrong. */
bool arg_parse(const char *text, run_arg *a);
/* Writes the initial elements; false (with a message): the file it names can't be used. *written:
 * how many bytes have a value. */
bool arg_fill(const run_arg *a, unsigned index, uint8_t *to, uint64_t *written);
bool npy_write(const char *path, const run_arg *a, const uint8_t *data);
double arg_element(const run_arg *a, const uint8_t *data, uint64_t i);

/* ---- run_memory.c ---- */

typedef struct {
    ptx_extent extents[MAX_EXTENTS];
    char owners[MAX_EXTENTS][64];
    unsigned n;
    uint64_t next;
} run_memory;

/* `n` bytes of device memory, red zones around; NULL when memory is out. */
ptx_extent *memory_new(run_memory *m, uint64_t n, uint64_t align, const char *owner);
void memory_drop(run_memory *m);
const ptx_extent *memory_find(void *ctx, uint64_t address);
bool memory_place(run_memory *m, ptx_module *module);

#endif
