/* explain.h - why a program is as fast as it is: every kernel, its ops and source lines, its bytes and operations, its time
 * against what the machine allows, and for neighbours that did not become one kernel, the reason. */
#ifndef BRAZE_EXPLAIN_H
#define BRAZE_EXPLAIN_H

#include "braze/compile.h"

/* What a machine allows at most. */
typedef struct bz_machine {
    int threads;
    double bytes_per_s; /* copied: read plus written, from memory */
    double flops_per_s; /* f32, an fma counts as two */
} bz_machine;

/* Measures both on this machine with `threads` threads (0: all), in about a third of a second. BZ_ENOMEM; BZ_EARG: out is NULL. */
BZ_API bz_status bz_measure_machine(int threads, bz_machine *out);

typedef struct bz_kernel_report {
    const char *name;       /* "softmax", "dot+add+relu" ... */
    const char *const *ops; /* names, in order; each distinct one once, with its count */
    const int *op_counts;
    int nops;
    const char *const *sites; /* source lines, each once; "train.c:31" */
    int nsites;
    const char *sizes; /* that it is told at a launch, "rows 128, k 784": one kernel for all of them. What is not there is in its code */
    int segments; /* parts that run side by side: parameters of one optimizer step ... */
    int64_t bytes_read, bytes_written; /* of memory outside the kernel */
    int64_t flops, specials;           /* arithmetic operations; of them transcendental */
    double limit_ns;   /* the roofline: the machine cannot be faster; 0 when it is not known */
    bool memory_bound; /* the limit is memory, not arithmetic */
    uint64_t runs;     /* that were timed */
    double ns;         /* of one run, their mean; 0 when none was */
} bz_kernel_report;

/* A buffer that goes from one kernel to another. */
typedef struct bz_flow_report {
    int from, to;     /* kernels; -1: an input, an output of the program */
    const char *name; /* of the input or output; "" between kernels */
    bz_dtype dtype;
    int64_t bytes;
} bz_flow_report;

/* Two neighbours that stayed apart. */
typedef struct bz_apart_report {
    const char *producer, *consumer;           /* ops */
    const char *producer_site, *consumer_site; /* source lines, "" when not known */
    int producer_kernel, consumer_kernel;      /* -1: none of its own (folded into its users) */
    const char *reason;
} bz_apart_report;

typedef struct bz_explanation {
    bz_machine machine; /* zeros when it was not measured */
    const bz_kernel_report *kernels;
    const bz_flow_report *flows;
    const bz_apart_report *apart;
    int nkernels, nflows, napart;
    int64_t arena_bytes, arena_bound; /* temporaries: planned, and the least that is possible */
    int64_t kept_bytes; /* packed captured tensors, which stay from call to call (docs/memory.md) */
} bz_explanation;

/* The signature of p that was called, or prepared, last (bz_prepare is enough). Times are there when calls ran under bz_profile. m:
 * NULL for no roofline. Free it with bz_explanation_free; it stays valid when p is gone. BZ_EMODE before the first call, and on
 * devices without kernels; BZ_ENOMEM. */
BZ_API bz_status bz_explain(bz_program *p, const bz_machine *m, bz_explanation **out);
BZ_API void bz_explanation_free(bz_explanation *x);

typedef enum bz_explain_format {
    BZ_EXPLAIN_TEXT,
    BZ_EXPLAIN_JSON,
    BZ_EXPLAIN_SVG
} bz_explain_format;

/* Writes it to a file, whole or not at all; path NULL: to standard output. The picture has a box for each kernel, in layers: its
 * share of the time (without times: of the limits), the bottleneck marked, arrows for buffers; a part that repeats at
 * least three times is drawn once. "from cache": faster than memory allows. The JSON is one object:
 *   {"machine": {"threads", "bytes_per_s", "flops_per_s"}, "arena_bytes", "arena_bound", "kept_bytes",
 *    "kernels": [{"name", "ops": {name: count}, "sites": [], "segments", "bytes_read", "bytes_written", "flops", "specials",
 *                 "limit_ns", "bound": "memory"|"compute", "runs", "ns"}],
 *    "flows": [{"from", "to", "name", "dtype", "bytes"}],
 *    "apart": [{"producer", "consumer", "producer_site", "consumer_site", "producer_kernel", "consumer_kernel", "reason"}]}
 * BZ_EIO, BZ_ENOMEM. */
BZ_API bz_status bz_write_explanation(const bz_explanation *x, bz_explain_format f,
                                      const char *path);

#endif
