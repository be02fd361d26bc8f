/* cpu.h - a program of the cpu device: what program.c makes ready once and run.c runs. */
#ifndef RT_CPU_H
#define RT_CPU_H

#include "runtime/exec/image.h"
#include "runtime/exec/device.h"
#include "runtime/exec/kernels.h"

typedef struct cpu_program {
    rt_program base;
    pass_plan *plan;
    const rt_kernel **kernels;
    rt_image image;
    bz_rt_workspace work;
    /* the image's arguments: a word for each input, then for each output; an address, or the value of a scalar */
    uint64_t *args;
    bz_rt_time *times; /* of each phase, while profiling */
    void *room, *consts;
    size_t room_bytes, consts_bytes;
    uint64_t bytes_written; /* by all launches */
    uint64_t *kept_values;  /* what image.kept points into */
} cpu_program;

/* ---- kept.c: phases that are left out while what they are made of has the value that it had */
bool cpu_kept_new(cpu_program *p); /* false: no memory */
/* Around a run: chooses them, and gives how many run; notes that those which ran are good, if all did. */
uint32_t cpu_kept_begin(cpu_program *p, const rt_call *call);
void cpu_kept_end(cpu_program *p, const rt_call *call, bool done);

bz_status cpu_run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e);

#endif
