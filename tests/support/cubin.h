/* cubin.h - what machine code of NVIDIA's says of a kernel without a disassembler: instructions by their opcodes, widths of accesses, the
 * loop that multiplies most; and registers and spills from what the assembler printed (-v). */
#ifndef BRAZE_TEST_CUBIN_H
#define BRAZE_TEST_CUBIN_H

#include <stdbool.h>
#include <stddef.h>

enum { CUBIN_OTHER, CUBIN_64, CUBIN_128, CUBIN_WIDTHS };

typedef struct cubin_kernel {
    unsigned registers, frame, spilled; /* frame, spilled: bytes */
    unsigned all;                       /* instructions */
    unsigned global[CUBIN_WIDTHS];      /* loads and stores of global memory by width */
    unsigned local, shared[CUBIN_WIDTHS];
    unsigned ffma, mufu, barriers;
    unsigned loop, loop_ffma; /* instructions of the innermost loop with the largest share of multiplications, of them these */
} cubin_kernel;

/* Of the function `name`; false: there is none, or it is no cubin. log: the assembler's. */
bool cubin_read(const void *cubin, size_t bytes, const char *log, const char *name,
                cubin_kernel *out);

#endif
