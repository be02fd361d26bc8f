/* cuda_run.h - the run of a program image on a GPU, by the driver alone: what compiling fills in memory (runtime/cuda/program.c) and an
 * export holds as constants.
 *
 *     image (image.h) --> segments --> codes: a function of the module each, how it is launched, whose end it waits for
 *
 *     a run:   table[i] = address of places[i]  ->  early copies
 *              ->  stretch: launches ...  | the host looks at what they reported |  stretch ...
 *                     1st run: one by one        from the 2nd on: one graph of the driver's (cuda_graph.c)
 *              ->  the other copies
 *
 * A stretch ends where inputs are about to change and something may have been reported. Everything is asked of one stream; nothing waits
 * but for reports. The fields of a run that are addresses, and its table's entries, are the device's. */
#ifndef BZ_RT_CUDA_RUN_H
#define BZ_RT_CUDA_RUN_H

#include "runtime/aot/cuda_driver.h"
#include "runtime/aot/image.h"

/* The code of a segment. Its parameters: buffers, extents and scalars of the segment, then scratch, error slot, tasks; or bz_rt_cuda_rows,
 * scratch, error slot. */
typedef struct bz_rt_cuda_code {
    const char *name;     /* of the kernel */
    const char *function; /* its name in the module; NULL: whoever has the program finds it */
    uint64_t scratch;     /* bytes for each thread of the grid */
    uint32_t threads;     /* of a block, for one task; 0: a task is one thread */
    uint32_t buffers, extents, scalars;
    uint32_t reports;       /* it may report an index outside */
    uint32_t after, nafter; /* launches that it waits for */
    uint32_t rows; /* how many segments its launch runs, if it is handed rows of arguments; 0: one, as they are */
    uint32_t next; /* of a launch's segments the one behind it; 0: none */
    uint32_t led;  /* it runs in the launch of an earlier one */
    uint32_t shared; /* bytes of shared memory that a launch asks for; 0: what a block has anyway is enough */
} bz_rt_cuda_code;

/* What rows of arguments are handed over in: n of them. A word is an address, an extent, or begins with a scalar's bytes; the last of a row
 * is the number of its first task among those of all. */
enum { BZ_RT_CUDA_WORDS = 508 };
typedef struct bz_rt_cuda_rows {
    uint64_t n;
    int64_t tasks; /* of all */
    uint64_t word[BZ_RT_CUDA_WORDS];
} bz_rt_cuda_rows;

typedef struct bz_rt_cuda {
    const bz_rt_cuda_code *codes; /* of each segment, in order */
    const uint32_t *after; /* numbers of launches; NULL: not known, and there are no graphs */
    uint64_t ncodes;
} bz_rt_cuda;

typedef struct bz_rt_cuda_grid {
    unsigned blocks, threads; /* of each block */
} bz_rt_cuda_grid;

/* A segment, or all that run with it, as it is launched. */
typedef struct bz_rt_cuda_launch {
    cu_function f;
    int64_t tasks; /* 0: nothing is launched */
    bz_rt_cuda_rows *rows; /* NULL: it is handed none */
    bz_rt_cuda_grid grid;
    void **args;    /* addresses of what the function is called with, for all runs */
    cu_node node;   /* in its stretch's graph */
    uint32_t first; /* of its places */
} bz_rt_cuda_launch;

/* Addresses that launches take beside those of the call. */
typedef struct bz_rt_cuda_memory {
    cu_address arena, scratch, error; /* error: 16 bytes, if the program reports */
} bz_rt_cuda_memory;

/* Launches between which the host looks at nothing. */
typedef struct bz_rt_cuda_stretch {
    uint32_t first, end;
    bool reports; /* one may: then the host looks */
    bool plain;   /* it is no graph: too short, or the driver refused it */
    cu_graph graph;
    cu_exec exec; /* NULL: not yet */
    char *bound;  /* args that it was last launched with, and addresses */
    bz_rt_cuda_memory bound_memory;
} bz_rt_cuda_stretch;

typedef struct bz_rt_cuda_run {
    /* Set before it is laid out: */
    const cu_driver *d;
    cu_context context;
    bz_rt_image image; /* whose consts and baked are addresses of the device */
    const bz_rt_cuda *cuda;
    size_t args_bytes;
    unsigned processors; /* of the device */
    bool graphs;         /* they are wanted, and the driver knows them */
    /* Set before a run, the table being filled: */
    bz_rt_cuda_memory memory;
    char *args; /* the caller's struct: args_bytes, and 8 more that may be read */
    /* Made by laying out: */
    bz_rt_workspace work; /* the table */
    bz_rt_cuda_launch *launches;
    bz_rt_cuda_stretch *stretches;
    uint32_t nstretches;
    bool reports;           /* some launch may */
    uint64_t scratch_bytes; /* wanted */
    /* Its own: */
    bool stale; /* the error slot may hold anything */
    uint64_t runs;
    cu_node *nodes; /* room for what a node waits for */
    /* Told of the last run: */
    uint32_t launched;  /* launches that were made */
    const char *failed; /* the driver's function; of: what it was for, "" if nothing */
    char of[160];
} bz_rt_cuda_run;

/* Symbols end in the version of this layout. */
#define bz_rt_cuda_grid_of    bz_rt_cuda_grid_of_v1
#define bz_rt_cuda_room       bz_rt_cuda_room_v1
#define bz_rt_cuda_lay_out    bz_rt_cuda_lay_out_v1
#define bz_rt_cuda_allow      bz_rt_cuda_allow_v1
#define bz_rt_cuda_go         bz_rt_cuda_go_v1
#define bz_rt_cuda_fill       bz_rt_cuda_fill_v1
#define bz_rt_cuda_drop       bz_rt_cuda_drop_v1
#define bz_rt_cuda_graph_make bz_rt_cuda_graph_make_v1
#define bz_rt_cuda_graph_bind bz_rt_cuda_graph_bind_v1
#define bz_rt_cuda_graph_drop bz_rt_cuda_graph_drop_v1

/* ---- cuda_run.c */

/* For so many tasks of a phase on a device with so many processors. threads: of a block for one task, or 0. */
BZ_RT_INNER bz_rt_cuda_grid bz_rt_cuda_grid_of(unsigned processors, unsigned threads,
                                               uint64_t scratch, int64_t tasks);
/* Bytes of the host that a run needs, at a multiple of 8; lays them out. The functions of the launches are found afterwards. */
BZ_RT_INNER size_t bz_rt_cuda_room(const bz_rt_cuda_run *r);
BZ_RT_INNER void bz_rt_cuda_lay_out(bz_rt_cuda_run *r, void *room);
/* Once the functions are found: those that ask for shared memory may have it. An error: r->failed has it. */
BZ_RT_INNER cu_result bz_rt_cuda_allow(bz_rt_cuda_run *r);

/* Runs it in the stream, its context being the thread's. reported: the lowest element that a launch reported, or INT64_MAX, and its code;
 * it ended the run. An error: r->failed has it. */
BZ_RT_INNER cu_result bz_rt_cuda_go(bz_rt_cuda_run *r, cu_stream stream, int64_t reported[2]);
/* Before launch i is made, or bound: its rows are what the table and the caller's struct say. */
BZ_RT_INNER void bz_rt_cuda_fill(const bz_rt_cuda_run *r, uint32_t i);
/* Gives back what the driver keeps of it. */
BZ_RT_INNER void bz_rt_cuda_drop(bz_rt_cuda_run *r);

/* ---- cuda_graph.c */
/* Makes the stretch a graph for the words at hand, or plain. */
BZ_RT_INNER void bz_rt_cuda_graph_make(bz_rt_cuda_run *r, bz_rt_cuda_stretch *s);
/* Its launches get the words at hand, where these are others than before. Where the driver refuses that it is no graph any more. */
BZ_RT_INNER void bz_rt_cuda_graph_bind(bz_rt_cuda_run *r, bz_rt_cuda_stretch *s);
BZ_RT_INNER void bz_rt_cuda_graph_drop(bz_rt_cuda_run *r, bz_rt_cuda_stretch *s);

#endif
