/* cubin.h - what NVIDIA's machine code says of a kernel without a disassembler: instructions by their opcodes, widths of accesses, the loop
 * that multiplies most; and registers and spills from what the assembler printed (-v). */
#ifndef BRAZE_CUBIN_H
#define BRAZE_CUBIN_H

#include "src/codegen/nvrtc.h"

/* X(NAME, name): what instructions do. local: memory of a thread, also its spills; exchange: between threads, barriers among it. */
#define CUBIN_CLASSES(X)                                                                           \
    X(GLOBAL, global)                                                                              \
    X(SHARED, shared)                                                                              \
    X(LOCAL, local)                                                                                \
    X(CONSTANT, constant)                                                                          \
    X(ATOMIC, atomic)                                                                              \
    X(ASYNC, async)                                                                                \
    X(FMA, fma)                                                                                    \
    X(FLOAT, float)                                                                                \
    X(HALF, half)                                                                                  \
    X(DOUBLE, double)                                                                              \
    X(MATRIX, matrix)                                                                              \
    X(SPECIAL, special)                                                                            \
    X(CONVERT, convert)                                                                            \
    X(INTEGER, integer)                                                                            \
    X(MOVE, move)                                                                                  \
    X(EXCHANGE, exchange)                                                                          \
    X(CONTROL, control)

typedef enum cubin_class {
    CUBIN_OTHER, /* an opcode that the table lacks */
#define CUBIN_ENUM(NAME, name) CUBIN_##NAME,
    CUBIN_CLASSES(CUBIN_ENUM)
#undef CUBIN_ENUM
        CUBIN_NCLASSES
} cubin_class;
extern const char *const cubin_classes[CUBIN_NCLASSES];

enum { CUBIN_32, CUBIN_64, CUBIN_128, CUBIN_WIDTHS }; /* the first: or less */

typedef struct cubin_kernel {
    unsigned registers, frame, spilled; /* of a thread, the last two in bytes */
    unsigned shared;                    /* bytes of a block */
    unsigned all;                       /* instructions, without padding */
    unsigned mix[CUBIN_NCLASSES];       /* of them */
    unsigned global[CUBIN_WIDTHS];      /* loads and stores of global memory by width */
    unsigned barriers;
    /* instructions of the innermost loop with the largest share of multiplications; of them these, on matrices too; what loads those */
    unsigned loop, loop_fma, loop_matrix, loop_ldmatrix;
} cubin_kernel;

/* Of a function of an image for compute capability cc; false: there is none, or it is no cubin with the assembler's log. */
bool cubin_read(const nvrtc_image *i, unsigned cc, const char *function, cubin_kernel *out);

#endif
