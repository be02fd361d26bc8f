/* marks.h - an evaluation at work: what it says of the nodes of a recording, what it computes, in whose memory (choose.c, eval.c,
 * overwrite.c). */
#ifndef RT_MARKS_H
#define RT_MARKS_H

#include "runtime/eval/eval.h"

typedef struct rt_evaluation {
    BZ_VEC(uint32_t) stamps; /* marks of nodes, with the number of the evaluation */
    uint32_t number;
    BZ_VEC(ir_ref) need, later, outs; /* choose.c */
    uint64_t seen;       /* storages and nodes that were looked at, ever: tests count them */
    ir_graph *scratch;   /* what is run when the epoch's graph has values already */
    BZ_VEC(ir_ref) refs; /* eval.c: nodes of the epoch's graph -> of that */
    BZ_VEC(rt_buffer *) in_bufs, out_bufs;
    BZ_VEC(ir_bits) in_bits;
    BZ_VEC(uint8_t) readers; /* of foreign memory */
} rt_evaluation;

/* NEED: it, or what leads to it, is computed or read. LATER: what is not computed now needs it. OUTPUT: its value is kept. */
enum { NEED = 1, LATER = 2, OUTPUT = 4, MARK_BITS = 3 };

static inline unsigned rt_marks(const bz_context *c, ir_ref r) {
    uint32_t m = c->evaluation->stamps.p[r];
    return m >> MARK_BITS == c->evaluation->number ? m & ((1 << MARK_BITS) - 1) : 0;
}

/* ---- choose.c */
/* c->evaluation: outs, need (ascending): for the values of s and what later evaluations read. false: no memory. */
bool rt_choose_outputs(bz_context *c, const rt_epoch *e, rt_storage *const *s, unsigned n);
/* s, or the next behind it in the list of those that are pending, with a node from `first` on; NULL: there is none. */
static inline rt_storage *rt_pending_from(bz_context *c, rt_storage *s, ir_ref first) {
    for (; s && s->highest >= first; s = s->next) {
        c->evaluation->seen++;
        if (s->node >= first) return s;
    }
    return NULL;
}
/* The value of r is an output of the evaluation at hand, too. */
bool rt_add_output(bz_context *c, const rt_epoch *e, ir_ref r);

static inline rt_buffer *rt_kept(const rt_epoch *e, ir_ref r) {
    return r < e->kept.n ? e->kept.p[r] : NULL;
}

/* ---- overwrite.c: which values of the open epoch's nodes give their memory to an update of them */
typedef struct rt_gift {
    ir_ref from, to; /* `to` is an output of the evaluation */
    rt_buffer *b;    /* borrowed */
} rt_gift;
typedef struct rt_gifts {
    BZ_VEC(rt_gift) v;
    BZ_VEC(ir_ref) stay;   /* values that gradients may want */
    BZ_VEC(uint8_t) marks; /* of nodes */
} rt_gifts;
void rt_gifts_free(rt_gifts *g);
/* c->gifts, once it is known what an evaluation computes. `last`: the recording ends with it. false: no memory. */
bool rt_choose_gifts(bz_context *c, rt_epoch *e, bool last);
const rt_gift *rt_gift_to(const bz_context *c, ir_ref r); /* NULL: none */
/* The program has run, or failed while it did. */
bool rt_gifts_are_taken(bz_context *c, rt_epoch *e, bool done);
bool rt_is_fixed(const rt_epoch *e, ir_ref r);

#endif
