/* program.h - a program of a GPU, and its launches: one by one, or as a graph that the driver keeps. */
#ifndef RT_CUDA_PROGRAM_H
#define RT_CUDA_PROGRAM_H

#include "runtime/cuda/cuda.h"
#include "runtime/exec/device.h"
#include "runtime/exec/image.h"
#include "src/codegen/cuda.h"

typedef struct cuda_grid {
    unsigned blocks, threads; /* of each block */
} cuda_grid;

/* One phase of one kernel. */
typedef struct cuda_launch {
    cu_function f;
    cuda_phase of;
    int64_t tasks; /* 0: nothing is launched */
    cuda_grid grid;
    uint32_t stage; /* the phase of the image: what has one in common may run at once */
    const pass_segment *of_plan; /* whose buffers these are */
    void **args;                 /* addresses of what the function is called with, for all runs */
    cu_node node;                /* in its stretch's graph */
} cuda_launch;

/* Launches between which the host looks at nothing. */
typedef struct cuda_stretch {
    uint32_t first, end; /* of the program's launches */
    bool reports;        /* one may: then the host looks */
    bool plain;          /* it is no graph: too short, or the driver refused it */
    cu_graph graph;
    cu_exec exec;    /* NULL: not yet */
    uint64_t *bound; /* the words that it was last launched with */
} cuda_stretch;

typedef struct cuda_program {
    rt_program base;
    cuda_memory *m; /* where it is: the context's, until a reset */
    pass_plan *plan;
    rt_image image;
    bz_rt_workspace work; /* table and arena, of the device */
    uint64_t *args;       /* a word for each input and output: an address, or a scalar's value */
    const rt_kernel **kernels; /* of the plan */
    cuda_launch *launches;     /* of each segment of the image */
    BZ_VEC(cuda_stretch) stretches;
    rt_address arena, consts, scratch, error;
    uint64_t scratch_bytes, bytes_written;
    bool reports, counted; /* counted: its arena is among the memory in use */
    bool stale;            /* the slot for errors may hold one of an earlier run */
} cuda_program;

/* ---- launch.c */
/* For so many tasks of a phase on a device with so many processors. */
cuda_grid cuda_grid_of(unsigned processors, const cuda_phase *of, int64_t tasks);
/* But for the first within cuda_enter, once memory is there. */
bz_status cuda_launches_make(const cuda_memory *m, cuda_program *p, bz_error *e);
bz_status cuda_launches_run(cuda_memory *m, cuda_program *p, cuda_stretch *s, bz_error *e);
void cuda_launches_drop(cuda_memory *m, cuda_program *p); /* what the driver keeps of them */
void cuda_launches_free(cuda_program *p);

/* ---- graph.c */
/* Makes the stretch a graph for the words at hand, or plain. */
void cuda_graph_make(cuda_memory *m, cuda_program *p, cuda_stretch *s);
/* Its launches get the words at hand, where these are others than before. Where the driver refuses that it is no graph any more. */
void cuda_graph_bind(cuda_memory *m, cuda_program *p, cuda_stretch *s);
void cuda_graph_drop(cuda_memory *m, cuda_stretch *s);

#endif
