/* compiled.h - what compile.c, trace.c and callgrad.c know of compiled functions. */
#ifndef RT_COMPILED_H
#define RT_COMPILED_H

#include "runtime/rt.h"

/* A function for one signature. */
typedef struct rt_signature {
    struct rt_signature *next;
    bz_dtype *dtypes;          /* nin each */
    const rt_layout **layouts; /* row-major */
    rt_program *program;
    uint32_t nargs;      /* inputs of the graph: nin, then hidden ones and numbers */
    rt_storage **hidden; /* per input; NULL where it is none */
    ir_bits *bits;
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
    int *donate;                        /* input -> output, -1 */
    const char **in_names, **out_names; /* the user's; NULL: none, "": none for this one */
    const char *site;
    rt_signature *signatures;
    bool tracing;         /* fn runs right now: it may not call itself */
    rt_storage **pending; /* room for nin */
    struct bz_program *prev, *next;
};

/* The input that is donated to an output, -1 = none. */
int rt_donor_of(const bz_program *p, int output);

/* ---- callgrad.c */
/* Of a traced graph; key, base: inputs that are the random stream's. NULL: no memory. */
rt_recipe *rt_recipe_new(const ir_graph *g, int key, int base, bz_error *e);
void rt_recipe_unref(rt_recipe *f); /* NULL is fine */
/* Around a call whose inputs have their values: its outputs remember what they were computed from. */
void rt_call_before(bz_program *p, rt_signature *t, bz_tensor *const *in);
void rt_call_after(bz_program *p, rt_signature *t, bz_tensor *const *out);

/* ---- trace.c */
/* Runs the function on inputs without values: a program for t, or, if `graph` is given, that. */
bz_status rt_trace_function(bz_program *p, rt_signature *t, ir_graph **graph);
/* A call within a trace: what a call outside does, as nodes of the epoch that traces. The inputs are checked. */
bz_status rt_call_inline(bz_program *p, bz_tensor *const *in, bz_tensor **out);

#endif
