/* check.h - the verifier from inside: a node, and the parts of which its op's rules are made. */
#ifndef BRAZE_IR_CHECK_H
#define BRAZE_IR_CHECK_H

#include "src/ir/ir.h"

typedef struct ck {
    const ir_graph *g;
    ir_ref r;
    const ir_node *n;
    const int64_t *attr;
    bz_error *e;
} ck;

/* The error "[op] node 7: text"; false. */
bool ck_wrong(const ck *c, bz_status s, const char *fmt, ...) BZ_PRINTF(3, 4);

static inline const ir_node *ck_in(const ck *c, unsigned k) {
    return ir_at(c->g, ir_in(c->g, c->n)[k]);
}
static inline ir_dim ck_dim(const ck *c, const ir_node *n, unsigned a) {
    return ir_dims(c->g, n)[a];
}
static inline bool ck_known(const ck *c, const ir_node *n, unsigned a, int64_t *v) {
    return ir_dim_value(c->g, ck_dim(c, n, a), v);
}

/* Each false, with an error, if the node is otherwise. */
bool ck_attrs(const ck *c, uint64_t n);
bool ck_dtype(const ck *c, bz_dtype t);
bool ck_rank(const ck *c, unsigned rank);
bool ck_size(const ck *c, unsigned a, ir_dim d);
bool ck_like(const ck *c, const ir_node *x);            /* x's shape and dtype */
bool ck_axis(const ck *c, int64_t axis, unsigned rank); /* is there such an axis? */
/* n axes of a tensor, each once; adds them to *set. */
bool ck_axes(const ck *c, const int64_t *axes, unsigned n, unsigned rank, uint64_t *set);

#endif
