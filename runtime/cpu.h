/* cpu.h - a program of the cpu device: what program.c makes ready once and run.c runs. */
#ifndef RT_CPU_H
#define RT_CPU_H

#include "runtime/rt.h"

typedef struct cpu_segment {
    const pass_segment *plan;
    const rt_kernel *kernel;
    void **buffers;       /* addresses of the kernel's buffers */
    const void **scalars; /* each points into the call's numbers */
    int64_t *tasks;       /* per phase */
} cpu_segment;

typedef struct cpu_launch {
    const pass_launch *plan;
    cpu_segment *segments;
    uint32_t nsegments;
    unsigned nphases; /* of the longest */
    int64_t *total;   /* tasks per phase, all segments */
    bool parallel;
    bool changes_inputs; /* a donated one: from here on the call is not interrupted */
    uint64_t runs, ns;
} cpu_launch;

/* An address that changes with each call: *where = buffer `buffer` of the plan and so many bytes. */
typedef struct cpu_patch {
    void **where;
    uint32_t buffer;
    size_t bytes;
} cpu_patch;

typedef struct cpu_thread {
    _Alignas(64) int64_t error[2]; /* lp_frame.error */
    void *scratch;
} cpu_thread;

typedef struct cpu_program {
    rt_program base;
    pass_plan *plan;
    const rt_kernel **kernels;
    cpu_launch *launches;
    BZ_VEC(cpu_patch) patches;
    BZ_VEC(uint32_t) number_inputs; /* inputs that are scalars */
    void **address;                 /* of each plan buffer */
    ir_bits *numbers;               /* of each input */
    int *input_of_output;           /* output -> input whose buffer it is, -1 */
    uint32_t *buffer_of_input;      /* input -> plan buffer, UINT32_MAX */
    uint32_t *first_output;         /* output -> first output with the same buffer */
    void *arena, *consts, *scratch;
    size_t arena_bytes, consts_bytes, scratch_bytes, scratch_each;
    bool arena_mapped, consts_mapped, scratch_mapped;
    cpu_thread *threads;
    int nthreads;
    bool parallel;          /* some launch is */
    uint64_t bytes_written; /* by all launches */
    bz_arena memory;
} cpu_program;

bz_status cpu_run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e);

/* ---- check.c: BRAZE_CHECK */
typedef struct cpu_expected cpu_expected;
/* What the interpreter makes of the call; NULL: no memory, no check. Before the program runs. */
cpu_expected *cpu_expect(bz_context *c, cpu_program *p, const rt_call *call);
/* Says on stderr where the results (s: the run's status) differ from that, which it frees. */
void cpu_compare(const cpu_program *p, const rt_call *call, cpu_expected *want, bz_status s);

#endif
