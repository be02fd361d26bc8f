/* compiled.h - compiled functions as data; what they leave for gradients (callgrad.c). */
#ifndef RT_COMPILED_H
#define RT_COMPILED_H

#include "runtime/exec/plans.h"
#include "runtime/record/record.h"

/* A function for one signature. */
typedef struct rt_signature {
    struct rt_signature *next;
    bz_dtype *dtypes;          /* nin each */
    const rt_layout **layouts; /* row-major */
    /* how the inputs lie that are large and not row-major; NULL: otherwise */
    const rt_layout **views;
    /* the same where the program reads them so; NULL: it wants them row-major */
    const rt_layout **reads;
    bz_dtype autocast; /* of the region in which it is called */
    unsigned nviews;
    rt_program *program;
    uint32_t nargs;      /* inputs of the graph: nin, then hidden ones and numbers */
    rt_storage **hidden; /* per input; NULL where it is none */
    ir_bits *bits;
    uint64_t *values; /* per input: which value it has in the call at hand; 0: not known */
    int key, base; /* inputs that are the random stream's, -1 = none */
    uint64_t words;
    rt_buffer **in, **out;
    rt_buffer *windows; /* for inputs that are a part of their storage */
    rt_recipe *recipe;
    rt_source *sources; /* nargs; past, made: of the call that runs */
    rt_past *past;
    rt_made *made;
} rt_signature;

struct bz_program {
    bz_context *c;
    bz_function *fn;
    void *user;
    int nin, nout;
    int *donate;                  /* input -> output, -1 */
    char **in_names, **out_names; /* the user's; NULL: none, "": none for this one */
    const char *site;
    rt_signature *signatures; /* the one that was called last, the one before ... */
    uint32_t nsignatures;
    size_t held;          /* by their programs */
    bool lean;            /* bz_compile_options; or what it captured changes before every call */
    bool tracing;         /* fn runs right now: it may not call itself */
    rt_storage **pending; /* room for nin */
    struct bz_program *prev, *next;
};

/* The input that is donated to an output, -1 = none. */
static inline int rt_donor_of(const bz_program *p, int output) {
    for (int i = 0; i < p->nin; i++)
        if (p->donate[i] == output) return i;
    return -1;
}

/* ---- views.c: inputs of a call that are read where they lie */
/* What of x's layout belongs to a signature; NULL: nothing, x is row-major or copied cheaply. */
const rt_layout *rt_view_of(const rt_tensor *x);
/* The graph g that a signature's function recorded, with windows on what the inputs t->reads reach in place of row-major inputs;
 * sets t->reads. Where there is none: a copy of g. NULL and the error. */
ir_graph *rt_graph_of_views(bz_context *c, rt_signature *t, unsigned nin, const ir_graph *g,
                            bz_error *e);

/* ---- callgrad.c */
/* Of a traced graph; key, base: inputs that are the random stream's. NULL: no memory. */
rt_recipe *rt_recipe_new(const ir_graph *g, int key, int base, bz_error *e);
/* Around a call whose inputs have their values: its outputs remember what they were computed from. */
void rt_call_before(bz_program *p, rt_signature *t, bz_tensor *const *in);
void rt_call_after(bz_program *p, rt_signature *t, bz_tensor *const *out);

typedef struct rt_host_function { /* of the host's */
    bz_function *fn;
    void *user;
    int nin, nout;
    const char *op, *which, *site; /* for messages; which: "forward ", or nothing */
} rt_host_function;

#endif
