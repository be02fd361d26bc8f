/* eval.h - values of what was recorded; scopes, whose end frees */
#ifndef RT_EVAL_H
#define RT_EVAL_H

#include "runtime/record/record.h"

/* ---- eval.c */
bz_status rt_eval(bz_context *c, rt_storage *const *s, unsigned n);
extern const rt_evaluator rt_lazy_evaluator;
/* For the reader bz_`op`: value in t->st->buf. */
bz_status rt_eval_handle(rt_tensor *t, bz_context *c, const char *op);
/* Everything recorded gets its value, foreign memory its changes, and the recording ends; below the traces, if the context traces.
 * Where something fails that s has no part in, s alone and what reads its memory; status: of s. */
bz_status rt_flush(bz_context *c, rt_storage *s);
/* s never has a value: it failed, and what it reads is about to change, or it is nothing by itself. */
bz_status rt_lose(bz_context *c, rt_storage *s, const bz_error *why);

void rt_evaluation_free(struct rt_evaluation *v);

/* ---- scope.c */
void rt_scope_end(bz_context *c);                   /* the innermost one, which is there */
void rt_scope_clear(bz_context *c, uint32_t depth); /* frees its handles */
/* ---- layout_sweep.c: forgets layouts that nothing has, when they have become many. The caller holds none. */
void rt_layouts_sweep(bz_context *c);

#endif
