/* artefact.h - what an exported object says about its program, and the functions that run it.
 *
 *     step.o:  artefact --> variants (one per ISA) --> image (image.h)
 *                   |            |--> sites: where an index may be outside
 *                   |            \--> sizes, in place of both: of a function that is told a size; a call makes its variant (sizes.c)
 *                   \--> args: fields of struct step_args that must point somewhere
 *
 * All of it is constant data with relocations (runtime/export/export_image.c writes it); a call writes to
 * the workspace and to the caller's tensors alone. The names end in the version of this layout. */
#ifndef BZ_RT_ARTEFACT_H
#define BZ_RT_ARTEFACT_H

#include "runtime/aot/image.h"

/* A place that may meet an index outside. Which index it was is found out afterwards: `find` computes them all once more. */
typedef struct bz_rt_site {
    int64_t element;             /* what the error slot holds */
    const char *message;         /* without the number */
    const char *before, *behind; /* what stands around it */
    const bz_rt_image *find;     /* NULL: nothing finds it */
    uint64_t at;                 /* byte of its arena where it leaves them, int64_t */
    int64_t count, size;         /* of them; those from -size to size - 1 are fine */
} bz_rt_site;

/* Or one that calls a function of C, whose status is the number. */
enum { BZ_RT_CALLS = 1 }; /* `at`, where nothing is to find */
static inline int bz_rt_is_call(const bz_rt_site *s) {
    return !s->find && s->at == BZ_RT_CALLS;
}

typedef struct bz_rt_variant {
    bz_rt_image image;
    const bz_rt_site *sites;
    const struct bz_rt_sizes *sizes; /* NULL: image and sites are all */
    uint32_t isa;                    /* bz_rt_isa */
    uint32_t nsites;
} bz_rt_variant;

/* A word of a template for size n: bases[base + n % period] + step * (n / period). Rounded-up quotients of n and their sums are such
 * numbers. */
typedef struct bz_rt_number {
    uint64_t step;
    uint32_t word, base, period;
    uint32_t unused; /* 0 */
} bz_rt_number;

/* Variants that differ in numbers alone. */
typedef struct bz_rt_template {
    const uint64_t *words;       /* a bz_rt_variant and what it leads to */
    const uint32_t *inner;       /* words that are pointers into these */
    const bz_rt_number *numbers; /* ascending by word */
    const uint64_t *bases;
    uint32_t nwords, ninner, nnumbers;
    uint32_t unused; /* 0 */
} bz_rt_template;

/* Of a function whose struct begins with the size, an int64_t. */
typedef struct bz_rt_sizes {
    const bz_rt_template *templates;
    const uint16_t *which; /* of each size: its template; NULL: there is one */
    const char *outside;   /* what to say of a size that is none */
    int64_t lo, hi;        /* sizes */
} bz_rt_sizes;

/* A pointer of the caller's struct. */
typedef struct bz_rt_arg {
    const char *missing, *misaligned; /* what to say of it */
    uint32_t at, align;
} bz_rt_arg;

/* The workspace that is used when the caller gives none; made at first use, kept. */
typedef struct bz_rt_own {
    void *p;
    size_t bytes;
    _Atomic uint32_t taken; /* by a call */
} bz_rt_own;

typedef struct bz_rt_artefact {
    const bz_rt_variant *variants; /* ascending by isa */
    const bz_rt_arg *args;
    bz_rt_own *own;
    uint32_t nvariants, nargs;
    uint64_t workspace; /* byte of the struct with {void *workspace; size_t workspace_bytes;} */
} bz_rt_artefact;

/* Low 8 bits of a status; the bits above say which argument or which place. Part of what a
 * generated header promises: append only. */
enum bz_rt_status {
    BZ_RT_OK,
    BZ_RT_EMACHINE,   /* the processor (or $BRAZE_ISA) is below every variant */
    BZ_RT_EMEMORY,    /* no memory for the workspace */
    BZ_RT_EWORKSPACE, /* the caller's workspace is too small for one thread */
    BZ_RT_EARGUMENT,  /* a pointer is NULL */
    BZ_RT_EALIGNMENT, /* a pointer is not aligned as the header says */
    BZ_RT_EINDEX,     /* an index was out of range: the results are not usable */
    BZ_RT_ESIZE,      /* the size is none that the program was made for */
    BZ_RT_EDEVICE,    /* the driver of the GPU refused something */
    BZ_RT_EFUNCTION,  /* a function that the program calls gave a status: the results are not usable */
};
enum { BZ_RT_WHICH_SHIFT = 8, BZ_RT_KIND_MASK = 255 };
static inline int bz_rt_status_of(int kind, uint32_t which) {
    return kind | (int)(which << BZ_RT_WHICH_SHIFT);
}

/* ---- sizes.c */

/* The template of size n; NULL: n is no size. */
BZ_RT_INNER const bz_rt_template *bz_rt_template_of_v5(const bz_rt_sizes *s, int64_t n);
/* The variant of size n, at `room` with room for all words; head: the struct alone, whose pointers lead nowhere. */
BZ_RT_INNER const bz_rt_variant *bz_rt_cut_v5(const bz_rt_template *t, int64_t n, uint64_t *room);
BZ_RT_INNER void bz_rt_cut_head_v5(const bz_rt_template *t, int64_t n, bz_rt_variant *head);

/* ---- told.c */
#define bz_rt_check_args bz_rt_check_args_v5
#define bz_rt_tell       bz_rt_tell_v5
#define bz_rt_forget     bz_rt_forget_v5
#define bz_rt_text       bz_rt_text_v5

/* BZ_RT_OK, or which pointer is not as it must be. */
BZ_RT_INNER int bz_rt_check_args(const bz_rt_artefact *a, const char *args);
/* Keeps three pieces of text as what `status` of v's function means in this thread; or nothing, from now on. */
BZ_RT_INNER void bz_rt_tell(const bz_rt_variant *v, int status, const char *x, const char *y,
                            const char *z);
BZ_RT_INNER void bz_rt_forget(void);
/* What a status of v means, never NULL: what was kept for it, else what is known without. */
BZ_RT_INNER const char *bz_rt_text(const bz_rt_artefact *a, const bz_rt_variant *v, int status);

/* ---- call.c */

/* Runs the program on the caller's struct. May be called from several threads at once when their
 * structs name different workspaces (or none) and different results. */
BZ_RT_API int bz_rt_call_v5(const bz_rt_artefact *a, const void *args);

/* Bytes of a workspace for as many threads as bz_rt_threads() says now; 0 on a machine that cannot
 * run the program. */
BZ_RT_API size_t bz_rt_workspace_v5(const bz_rt_artefact *a);
/* The same of a function that is told a size; 0 for what is no size of it, too. */
BZ_RT_API size_t bz_rt_workspace_of_v5(const bz_rt_artefact *a, int64_t n);

/* What a status of this artefact means; never NULL. Of the thread's last call with the index itself; that text lives until the
 * thread's next call, the others as long as the artefact. */
BZ_RT_API const char *bz_rt_error_v5(const bz_rt_artefact *a, int status);

#endif
