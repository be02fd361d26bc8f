/* trace.h - functions of the host's recorded and compiled */
#ifndef RT_TRACE_H
#define RT_TRACE_H

#include "runtime/record/compiled.h"
#include "runtime/eval/eval.h"

/* ---- trace.c */
/* Calls it; a status of its own, or the first error in the context since, is the result. */
bz_status rt_run_function(bz_context *c, const rt_host_function *f, bz_tensor *const *x,
                          bz_tensor **out);
/* The tensor that is output k. */
bz_status rt_output_tensor(bz_context *c, const rt_host_function *f, int k, bz_tensor *out,
                           const rt_tensor **t);
/* Its node. */
bz_status rt_output_node(bz_context *c, const rt_host_function *f, int k, bz_tensor *out,
                         ir_ref *node);
/* A handle on node r of the open epoch, of layout l, as an operand; mine: the function may change it. NULL: no memory. */
bz_tensor *rt_operand_new(bz_context *c, ir_ref r, const rt_layout *l, bool mine);
/* Around a function that records into the open epoch: it has a scope, no values, and changes nothing of the others'. */
typedef struct rt_inside {
    uint64_t epoch, outside;
    uint32_t scopes, depth;
    const char *site;
} rt_inside;
bz_status rt_inside_begin(bz_context *c, rt_inside *i);
bool rt_inside_end(bz_context *c, const rt_inside *i); /* false: the recording is over, an error */
/* What a function kept of tensors that hang on stand-ins is nothing by itself: storages that were born and have joined since. */
bz_status rt_lose_kept(bz_context *c, uint64_t births, uint64_t joins, const char *op,
                       const char *site);
/* Runs the function on inputs without values: a program for t, or, if `graph` is given, that. */
bz_status rt_trace_function(bz_program *p, rt_signature *t, ir_graph **graph);
/* A call within a trace: what a call outside does, as nodes of the epoch that traces. The inputs are checked. */
bz_status rt_call_inline(bz_program *p, bz_tensor *const *in, bz_tensor **out);

/* ---- compile.c: a compiled function's graph for the signature of `in`, for an export */
typedef struct rt_traced { /* all zeros: nothing */
    bz_context *context;
    ir_graph *graph;
    rt_storage *const *hidden; /* per input: the captured tensor that it stands for, or NULL */
    int key, base;             /* inputs that are the random stream's, -1 = none */
    uint64_t words;            /* of the stream that a call draws */
    struct rt_signature *own;
} rt_traced;
bz_status rt_trace(bz_program *p, bz_tensor *const *in, rt_traced *out);
void rt_traced_free(rt_traced *t); /* in either case */

void rt_programs_free(bz_context *c);   /* compile.c */
void rt_programs_forget(bz_context *c); /* what they were compiled to: the next call traces again */
bz_context *
rt_context_of_program(const bz_program *p); /* NULL, and a stray error, for what is none */
/* The program of the signature that was called last, NULL before the first call; *c: its context. */
const rt_program *rt_compiled(const bz_program *p, bz_context **c);

#endif
