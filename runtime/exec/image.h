/* image.h - a plan as a program image (runtime/aot/image.h), for programs that run here (program.c) and for exports (export_plan.c). */
#ifndef RT_IMAGE_H
#define RT_IMAGE_H

#include "runtime/aot/image.h"
#include "src/codegen/codegen.h"
#include "src/passes/pass.h"

/* Where the caller's struct has each input and each output of the graph. An output in the place of the input that is donated to it is
 * written over that at the end of the run, if it is not computed there; one in the arena stays there (rt_image.staged). */
typedef struct rt_ends {
    const bz_rt_place *input, *output;
} rt_ends;

/* Which code a segment runs: phase `phase` of kernel `kernel` of the plan. */
typedef struct rt_code_of {
    uint32_t kernel, phase;
} rt_code_of;

/* A phase of the image that need not run again (pass_kept). Its memory is in the arena, behind what is staged. */
typedef struct rt_kept_phase {
    uint32_t phase;
    int64_t tasks;
    const pass_kept *of;
    uint64_t *values; /* of the inputs when it ran; 0: not known */
    bool filled;      /* it ran, and these are true */
} rt_kept_phase;

typedef struct rt_image {
    bz_rt_image base; /* consts, baked NULL */
    BZ_VEC(bz_rt_phase) phases;
    BZ_VEC(bz_rt_segment)
    segments; /* of all phases, in order; code NULL, extents borrowed from the plan */
    BZ_VEC(rt_code_of) codes; /* of each segment */
    BZ_VEC(bz_rt_place) places;
    BZ_VEC(bz_rt_copy) copies;
    BZ_VEC(uint32_t) first; /* phase of each launch; of the end */
    /* of each output: byte of the arena where it waits, or stays; -1 = it does not */
    int64_t *staged;
    BZ_VEC(rt_kept_phase) kept;
} rt_image;

/* Makes the image of a plan, which stays as long. false: no memory, or more than can be counted. rt_image_free is due either way. */
bool rt_image_make(rt_image *m, const pass_plan *p, const rt_ends *ends);
void rt_image_free(rt_image *m);
/* The image of a plan of g for a caller's struct that has a word for each input, then for each output: an address, or a scalar's value. */
bool rt_image_of_words(rt_image *m, const pass_plan *p, const ir_graph *g);

/* The plan's constants, one behind the other; `to` has room for rt_consts_bytes, zero. */
size_t rt_consts_bytes(const pass_plan *p);
void rt_consts_write(const pass_plan *p, void *to);

/* What the passes are told of code for an instruction set. */
pass_target rt_target(cg_isa isa, int threads);
/* Bytes of scratch that a plan wants for each thread. */
int64_t rt_scratch_bytes(const pass_plan *p);

#endif
