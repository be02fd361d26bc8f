/* marks.h - what an evaluation says of the nodes of a recording: choose.c, eval.c, overwrite.c. */
#ifndef RT_MARKS_H
#define RT_MARKS_H

#include "runtime/rt.h"

/* NEED: it, or what leads to it, is computed or read. LATER: what is not computed now needs it. OUTPUT: its value is kept. */
enum { NEED = 1, LATER = 2, OUTPUT = 4, MARK_BITS = 3 };

static inline unsigned rt_marks(const bz_context *c, ir_ref r) {
    uint32_t m = c->stamps.p[r];
    return m >> MARK_BITS == c->evaluation ? m & ((1 << MARK_BITS) - 1) : 0;
}

/* ---- choose.c */
/* c->outs, c->need (ascending): for the values of s and what later evaluations read. false: no memory. */
bool rt_choose_outputs(bz_context *c, const rt_epoch *e, rt_storage *const *s, unsigned n);
/* The value of r is an output of the evaluation at hand, too. */
bool rt_add_output(bz_context *c, const rt_epoch *e, ir_ref r);

static inline rt_buffer *rt_kept(const rt_epoch *e, ir_ref r) {
    return r < e->kept.n ? e->kept.p[r] : NULL;
}

#endif
