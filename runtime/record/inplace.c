/* inplace.c - in-place ops: the storage gets a new value node; views read their window of it from now on.
 *
 *      s: n1          bz_add_(view of s, y):   v = window(n1) + y;  n2 = n1 with v in the window;  s: n2, version + 1
 *
 * Nothing is overwritten, so values that gradients need stay what they were; bz_grad says so when its `wrt` has moved on. */
#include "runtime/record/record.h"

#include <string.h>

/* The new value of x's elements, in x's dtype and shape; 0 on an error. */
static ir_ref fitted(rt_rec *r, ir_ref x, ir_ref v) {
    const ir_node *n = ir_at(r->g, x);
    bz_dtype t = (bz_dtype)n->dtype;
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = n->rank;
    memcpy(dims, ir_dims(r->g, n), rank * sizeof *dims);
    return ir_cast(r->g, ir_expand_dims_like(r->g, v, dims, rank), t);
}

bool rt_may_change(bz_context *c, const rt_storage *s, const char *op, const char *site) {
    if (rt_is_number(s))
        return rt_fail(c, BZ_EMODE, site, op, "a bz_scalar cannot be changed in place"), false;
    if (rt_is_read_only(s))
        return rt_fail(c, BZ_EMODE, site, op,
                       "memory that is read only (bz_from_dlpack) cannot be changed: change a "
                       "bz_copy of it"),
               false;
    const bool inside = rt_in_function(c);
    const uint64_t outside = inside ? c->epoch->outside : c->outside;
    if (s->first > outside && !(inside && s->input)) return true;
    const bool traces = inside && rt_traces(c);
    rt_fail(c, BZ_EMODE, site, op, "%s cannot be changed while %s: %s%s",
            s->input ? "an input" : "a tensor from outside", rt_doing(c),
            !traces    ? ""
            : s->input ? "donate it, or "
                       : "make it an input and donate it, or ",
            "change a bz_copy of it");
    return false;
}

/* Is what t sees a part of its storage? */
static bool is_part(const rt_tensor *t) {
    return !(t->layout->contiguous && t->layout->count == t->st->base->count);
}

/* Where a part that is written begins: a number of its own for each write, so that a loop over windows records the same form in
 * every turn. 0: in a trace, whose code may know it. */
static ir_ref place_of(bz_context *c, const rt_tensor *t) {
    return c->epoch->tracing ? 0 : rt_scalar_node(c, BZ_I64, ir_bits_from_i64(BZ_I64, t->offset));
}

bool rt_change(rt_rec *r, rt_tensor *t, ir_ref v, ir_ref at, const char *op) {
    rt_storage *s = t->st;
    ir_ref before = rt_storage_node(r->c, s), after = 0;
    if (before)
        after = ir_own(r->g, rt_window_write(r->g, before, v, t->layout, t->offset, at), r->before);
    if (!after) return false;
    r->c->epoch->writes |= at != 0;
    rt_lineage_change(r->c, s, before);
    s->write_op = op;
    s->write_site = r->site;
    s->version++;
    s->dirty = s->kind == RT_FOREIGN;
    rt_storage_set(r->c, s, NULL);
    rt_storage_join(s, r->c->epoch, after);
    return true;
}

/* Ends like rt_end, with x itself in place of a new handle. */
static bz_tensor *finish(rt_rec *r, bz_tensor *x, bool done) {
    bz_context *c = r->c;
    if (!done) return rt_end(r, 0);
    rt_tensor *t = rt_find_quietly(x, &c);
    bool good = rt_recorded(r, r->op, &t->st, 1);
    rt_leave(&r->border);
    rt_depart(&r->visit);
    return good ? x : rt_poison(c);
}

bz_tensor *rt_end_change(rt_rec *r, bz_tensor *x, ir_ref v) {
    bz_context *c;
    rt_tensor *t = rt_find_quietly(x, &c);
    ir_ref at = v && is_part(t) ? place_of(r->c, t) : 0;
    v = v ? fitted(r, r->x[0], v) : 0;
    return finish(r, x, v && rt_change(r, t, v, at, r->op));
}

static bz_tensor *in_place(ir_op op, const char *name, bz_tensor *x, bz_tensor *y,
                           const char *site) {
    rt_rec r;
    bz_context *c;
    bool ready = rt_begin_op(&r, op, name, site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    rt_tensor *t = rt_find_quietly(x, &c);
    if (!ready || !rt_may_change(r.c, t->st, name, site)) return rt_end(&r, 0);
    /* The op reads the part anew, in a trace too: a gradient adds up in the same order there. */
    bool part = is_part(t);
    ir_ref at = part ? place_of(r.c, t) : 0;
    if (part && op != IR_NIL)
        r.x[0] = rt_window_at(r.g, rt_storage_node(r.c, t->st), t->layout, t->offset, at);
    ir_ref v = op == IR_NIL ? r.x[1] : ir_build(r.g, op, r.x, 2);
    v = v ? fitted(&r, r.x[0], v) : 0;
    return finish(&r, x, v && rt_change(&r, t, v, at, name));
}

bz_tensor *bz_copy__at(bz_tensor *x, bz_tensor *y, const char *site) {
    return in_place(IR_NIL, "copy_", x, y, site);
}

bz_tensor *bz_add__at(bz_tensor *x, bz_tensor *y, const char *site) {
    return in_place(IR_ADD, "add_", x, y, site);
}

bz_tensor *bz_sub__at(bz_tensor *x, bz_tensor *y, const char *site) {
    return in_place(IR_SUB, "sub_", x, y, site);
}

bz_tensor *bz_mul__at(bz_tensor *x, bz_tensor *y, const char *site) {
    return in_place(IR_MUL, "mul_", x, y, site);
}

bz_tensor *bz_div__at(bz_tensor *x, bz_tensor *y, const char *site) {
    return in_place(IR_DIV, "div_", x, y, site);
}

bz_tensor *bz_fill__at(bz_tensor *x, bz_tensor *v, const char *site) {
    bz_context *c;
    const rt_tensor *t = rt_find_quietly(v, &c);
    if (t && t->layout->rank)
        return rt_fail(c, BZ_ESHAPE, site, "fill_", "wants one number, not %u axes",
                       t->layout->rank),
               rt_poison(c);
    return in_place(IR_NIL, "fill_", x, v, site);
}
