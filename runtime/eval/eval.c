/* eval.c - values of storages: one program for the nodes that are needed (choose.c), its results, foreign memory. */
#include "runtime/eval/marks.h"
#include "runtime/exec/plans.h"

#include <string.h>

static const char foreign_read[] = "bz_flush, or a change of foreign memory that was read";
enum { LONG_EPOCH = 1 << 18 };
/* bytes of values that only the recording holds */
static const size_t keep_most = (size_t)256 << 20;

/* ---- what to run */

/* Node r of g; `donor`: the input whose memory it may have, 0 = none. */
static bool add_result(bz_context *c, ir_graph *g, ir_ref r, ir_ref donor) {
    const char *name = rt_name(c, false, g->outputs.n);
    int donated = donor ? (int)ir_attrs(g, ir_at(g, donor))[0] : -1;
    return name && bz_vec_push(&g->outputs, ((ir_output){name, r, donated}));
}

static bool add_argument(bz_context *c, rt_buffer *b, ir_bits bits) {
    return bz_vec_push(&c->evaluation->in_bufs, b) && bz_vec_push(&c->evaluation->in_bits, bits);
}

/* The epoch's graph itself, when nothing in it was computed before. */
static ir_graph *whole_graph(bz_context *c, rt_epoch *e) {
    for (uint32_t i = 0; i < e->args.n; i++)
        if (!add_argument(c, e->args.p[i].buf, e->args.p[i].bits)) return NULL;
    for (uint32_t i = 0; i < c->evaluation->outs.n; i++)
        if (!add_result(c, e->g, c->evaluation->outs.p[i], 0)) return NULL;
    return e->g;
}

static ir_ref scratch_input(bz_context *c, const rt_epoch *e, ir_ref r, const rt_arg *a) {
    ir_graph *g = c->evaluation->scratch;
    const ir_node *n = ir_at(e->g, r);
    int64_t number = g->inputs.n;
    const char *name = rt_name(c, true, g->inputs.n);
    ir_ref made = name ? ir_append(g, IR_INPUT, (bz_dtype)n->dtype, ir_dims(e->g, n), n->rank, NULL,
                                   0, &number, 1)
                       : 0;
    bool done = made &&
                bz_vec_push(&g->inputs,
                            ((ir_input){.name = name, .node = made, .scalar = a->buf == NULL})) &&
                add_argument(c, a->buf, a->bits);
    return done ? made : 0;
}

/* The needed nodes that have no value yet, in the scratch graph. */
static ir_graph *cut_graph(bz_context *c, rt_epoch *e) {
    ir_graph *g = c->evaluation->scratch;
    rt_graph_reset(g);
    c->evaluation->refs.n = 0; /* set for what is needed, before it is read */
    if (!bz_vec_reserve(&c->evaluation->refs, e->g->n.n)) return NULL;
    for (uint32_t i = 0; i < c->evaluation->need.n; i++) {
        ir_ref r = c->evaluation->need.p[i];
        const ir_node *n = ir_at(e->g, r);
        rt_buffer *b = rt_kept(e, r);
        if (b)
            c->evaluation->refs.p[r] = scratch_input(c, e, r, &(rt_arg){.buf = b});
        else if (n->op == IR_INPUT)
            c->evaluation->refs.p[r] = scratch_input(c, e, r, &e->args.p[ir_attrs(e->g, n)[0]]);
        else
            c->evaluation->refs.p[r] =
                ir_rebuild_node(g, e->g, &(ir_map){c->evaluation->refs.p, e->g->n.n}, r);
        if (!c->evaluation->refs.p[r]) return NULL;
    }
    for (uint32_t i = 0; i < c->evaluation->outs.n; i++) {
        const rt_gift *gift = rt_gift_to(c, c->evaluation->outs.p[i]);
        if (!add_result(c, g, c->evaluation->refs.p[c->evaluation->outs.p[i]],
                        gift ? c->evaluation->refs.p[gift->from] : 0))
            return NULL;
    }
    return g;
}

/* ---- results */

static bool keep_results(bz_context *c, rt_epoch *e) {
    if (!bz_vec_reserve(&e->kept, e->g->n.n)) return false;
    while (e->kept.n < e->g->n.n) e->kept.p[e->kept.n++] = NULL;
    for (uint32_t i = 0; i < c->evaluation->outs.n; i++) {
        rt_buffer **k = &e->kept.p[c->evaluation->outs.p[i]];
        rt_buffer_unref(c, *k);
        *k = c->evaluation->out_bufs.p[i]; /* takes the run's reference */
        e->kept_bytes += (*k)->bytes;
        e->nkept++;
    }
    return true;
}

/* Values that no tensor has any more may serve a gradient, or not; when they become many they are let go and, should the gradient
 * come, computed again. */
static void sweep(bz_context *c, rt_epoch *e) {
    if (e->kept_bytes < keep_most || e->kept_bytes < e->sweep_at) return;
    e->kept_bytes = 0;
    for (ir_ref r = 0; r < e->kept.n; r++) {
        rt_buffer *b = e->kept.p[r];
        bool stays = b && (b->refs > 1 || rt_is_fixed(e, r));
        if (stays) e->kept_bytes += b->bytes;
        if (!b || stays) continue;
        rt_buffer_unref(c, b);
        e->kept.p[r] = NULL;
    }
    e->sweep_at = 2 * e->kept_bytes;
}

/* s waits for its value, which is kept. An in-place change reaches the memory of the owner, which the tensor looks at again. */
static bz_status give_value(bz_context *c, rt_epoch *e, rt_storage *s) {
    s->buf = rt_buffer_ref(rt_kept(e, s->node));
    rt_storage_settle(s);
    if (!s->dirty) return BZ_OK;
    bz_status status = rt_buffer_write_home(s->u.home, s->buf, &c->err);
    rt_storage_set(c, s, rt_buffer_ref(s->u.home));
    s->dirty = false;
    return status;
}

/* Values to the storages that wait for them, with nodes from `first` on. Those of foreign memory wait on unless `all` was computed:
 * what is still to be computed may read what lies in that memory now. */
static bz_status hand_out(bz_context *c, rt_epoch *e, bool all, ir_ref first) {
    bz_status status = BZ_OK;
    for (rt_storage *s = e->pending, *next; (s = rt_pending_from(c, s, first)) != NULL; s = next) {
        next = s->next;
        if (!rt_kept(e, s->node) || (!all && s->dirty)) continue;
        bz_status own = give_value(c, e, s);
        if (!status) status = own;
    }
    return status;
}

/* The first node that has a value now and had none before, or that somebody asks for. */
static ir_ref first_given(const bz_context *c, const rt_epoch *e, rt_storage *const *s,
                          unsigned n) {
    ir_ref first = e->g->n.n;
    for (uint32_t i = 0; i < c->evaluation->outs.n; i++)
        if (c->evaluation->outs.p[i] < first) first = c->evaluation->outs.p[i];
    for (unsigned i = 0; i < n; i++)
        if (s[i]->epoch == e && s[i]->node < first) first = s[i]->node;
    return first;
}

static bz_status run(bz_context *c, rt_epoch *e) {
    c->evaluation->in_bufs.n = c->evaluation->in_bits.n = c->evaluation->out_bufs.n = 0;
    /* what is not needed has places of windows in it, which differ from turn to turn; after a reset it may have lost its arguments */
    const bool cut = e->nkept || e->writes || c->memory->before;
    ir_graph *g = cut ? cut_graph(c, e) : whole_graph(c, e);
    bool room = g && bz_vec_reserve(&c->evaluation->out_bufs, c->evaluation->outs.n);
    rt_program *p = room ? rt_plan_get(c, g, c->mode == BZ_EAGER) : NULL;
    e->g->outputs.n = 0;
    if (!p) return c->err.status ? c->err.status : rt_no_memory(c);
    for (uint32_t i = 0; i < c->evaluation->outs.n; i++) {
        const rt_gift *gift = rt_gift_to(c, c->evaluation->outs.p[i]);
        c->evaluation->out_bufs.p[i] = gift ? rt_buffer_ref(gift->b) : NULL;
    }
    bz_status s = rt_program_run(c, p,
                                 &(rt_call){c->evaluation->in_bufs.p, c->evaluation->in_bits.p,
                                            c->evaluation->out_bufs.p, NULL});
    bool room_for_gifts = rt_gifts_are_taken(c, e, !s);
    if (s || (room_for_gifts && keep_results(c, e))) return s;
    for (uint32_t i = 0; i < c->evaluation->outs.n; i++)
        rt_buffer_unref(c, c->evaluation->out_bufs.p[i]);
    return rt_no_memory(c);
}

/* Everything recorded so far comes into the open epoch. */
static bz_status gather(bz_context *c) {
    if (!rt_recording(c)) return BZ_ENOMEM;
    while (c->epochs->closed.n)
        if (!rt_storage_node(c, c->epochs->closed.p[0]->pending))
            return c->err.status ? c->err.status : rt_no_memory(c);
    return BZ_OK;
}

/* It has to run: the owner of some memory will look at it. */
static bz_status everything(bz_context *c, rt_storage ***all, unsigned *n) {
    bz_status status = gather(c);
    if (status) return status;
    unsigned count = 0;
    for (rt_storage *s = c->epoch->pending; s; s = s->next) count++;
    *all = bz_mem_alloc(count * sizeof **all);
    if (!*all) return rt_no_memory(c);
    *n = 0;
    for (rt_storage *s = c->epoch->pending; s; s = s->next) (*all)[(*n)++] = s;
    return BZ_OK;
}

/* What an evaluation is for. */
typedef enum purpose {
    SOME,       /* these storages */
    SOME_LAST,  /* these, and the recording ends */
    EVERYTHING, /* all that was recorded */
} purpose;

static bz_status eval_here(bz_context *c, rt_storage *const *s, unsigned n, purpose why) {
    rt_epoch *e = c->epoch;
    bool all = why == EVERYTHING;
    c->unread = 0;
    c->gifts->v.n = 0;
    if (!rt_choose_outputs(c, e, s, n) || (!all && !rt_choose_gifts(c, e, why == SOME_LAST)))
        return rt_no_memory(c);
    bz_status status = c->evaluation->outs.n ? run(c, e) : BZ_OK;
    if (status) return status;
    status = hand_out(c, e, all, all || e->behind ? 0 : first_given(c, e, s, n));
    e->behind = false;
    sweep(c, e);
    return status;
}

static bool is_long(const rt_epoch *e) {
    return e && e->g->n.n > LONG_EPOCH && e->g->n.n > e->cut_at;
}

static const char let_go[] = "a recording of more than 2^18 ops, whose start was let go";

/* ---- foreign memory beside a mistake: somebody else's must not keep a change from its owner */

/* c->evaluation->readers: which nodes are made from what lies in b, by ops that have not run. */
static bool mark_readers(bz_context *c, const rt_epoch *e, const rt_buffer *b) {
    const ir_graph *g = e->g;
    if (!bz_vec_reserve(&c->evaluation->readers, g->n.n)) return false;
    for (ir_ref r = 1; r < g->n.n; r++) {
        const ir_node *n = ir_at(g, r);
        bool reads = n->op == IR_INPUT && e->args.p[ir_attrs(g, n)[0]].buf == b;
        for (unsigned k = 0; k < n->nin && !reads; k++)
            reads = c->evaluation->readers.p[ir_in(g, n)[k]];
        c->evaluation->readers.p[r] = reads && !rt_kept(e, r);
    }
    return true;
}

bz_status rt_lose(bz_context *c, rt_storage *s, const bz_error *why) {
    size_t n = strlen(why->text) + 1;
    s->lost = bz_mem_alloc(n);
    if (!s->lost) return rt_no_memory(c);
    memcpy(s->lost, why->text, n);
    s->failed = (uint8_t)why->status;
    s->dirty = false;
    rt_storage_leave(c, s);
    return BZ_OK;
}

/* The next storage that waits for a value, read from memory as mark_readers has it; NULL: none. */
static rt_storage *next_reader(bz_context *c, const rt_epoch *e, const rt_storage *but) {
    rt_storage *s = e->pending;
    while (s && (s == but || !c->evaluation->readers.p[s->node] || rt_kept(e, s->node)))
        s = s->next;
    return s;
}

/* What reads the memory of s's owner is computed, each for itself, or is lost. */
static bz_status eval_readers(bz_context *c, const rt_storage *s) {
    rt_epoch *e = c->epoch;
    bz_error before = c->err;
    bz_status status = mark_readers(c, e, s->u.home) ? BZ_OK : rt_no_memory(c);
    for (rt_storage *k; !status && (k = next_reader(c, e, s)) != NULL;) {
        c->err = (bz_error){0};
        bz_status own = eval_here(c, &k, 1, SOME);
        bz_error why = c->err;
        c->err = before;
        if (own) status = rt_lose(c, k, &why);
    }
    return status;
}

/* s gets its value, and its owner the change, whatever else is wrong. What one before it has lost is refused. */
static bz_status eval_alone(bz_context *c, rt_storage *s) {
    if (s->failed) return bz_fail(&c->err, (bz_status)s->failed, "%s", s->lost);
    if (rt_is_number(s)) return BZ_OK;
    bz_status status = gather(c);
    if (!status && s->kind == RT_FOREIGN) status = eval_readers(c, s);
    if (!status && !s->buf) status = eval_here(c, &s, 1, SOME);
    if (status) return status;
    if (s->dirty) status = give_value(c, c->epoch, s);
    if (s->kind == RT_FOREIGN) rt_epoch_end(c, foreign_read);
    return status;
}

/* Each of them for itself, whatever is wrong with another; the first error of all. */
static bz_status eval_each(bz_context *c, rt_storage *const *s, unsigned n) {
    bz_error first = c->err;
    bz_status status = BZ_OK;
    for (unsigned i = 0; i < n && status != BZ_EINTERRUPTED; i++) {
        c->err = (bz_error){0};
        bz_status own = eval_alone(c, s[i]);
        if (!status) status = own;
        if (!first.status) first = c->err;
    }
    c->err = first;
    return status;
}

/* All that was recorded gets its value, and goes. */
static bz_status settle(bz_context *c, const char *why) {
    rt_storage **all = NULL;
    unsigned count = 0;
    bz_status status = everything(c, &all, &count);
    if (!status) status = eval_here(c, all, count, EVERYTHING);
    bz_mem_free(all);
    if (!status) rt_epoch_end(c, why);
    return status;
}

/* What fails fails again when it is read, and says so then. */
static void cut_recording(bz_context *c, const char *site) {
    if (!is_long(c->epoch) || rt_in_function(c)) return;
    bz_error before = c->err;
    rt_does(c, "eval", site);
    c->err = (bz_error){0};
    bz_status status = settle(c, let_go);
    if (status && c->epoch) c->epoch->cut_at = 2 * c->epoch->g->n.n;
    if (before.status || status != BZ_EINTERRUPTED) c->err = before;
}

/* The same; memory that is not braze's may be another from now on. Where that fails, what these n need. */
static bz_status eval_everything(bz_context *c, rt_storage *const *s, unsigned n) {
    bool clean = !c->err.status;
    bz_status status = settle(c, foreign_read);
    if (!status || status == BZ_EINTERRUPTED) return status;
    if (clean) c->err = (bz_error){0};
    return eval_each(c, s, n);
}

/* Where the first of them that has a line was made. */
static const char *site_of(rt_storage *const *s, unsigned n) {
    const char *site = NULL;
    for (unsigned i = 0; i < n && !site; i++)
        if (s[i]->epoch) site = s[i]->epoch->g->sites.p[s[i]->node];
    return site;
}

static bz_status eval_these(bz_context *c, rt_storage *const *s, unsigned n, purpose why) {
    bz_status status = rt_ready(c, c->op, "no values", "return the tensor instead");
    bool dirty = false, work = false;
    for (unsigned i = 0; i < n && !status; i++) {
        if (s[i]->buf || rt_is_number(s[i])) continue;
        if (!rt_storage_node(c, s[i])) return c->err.status ? c->err.status : rt_no_memory(c);
        work = true;
        dirty |= s[i]->dirty;
    }
    if (status || !work) return status;
    if (!c->site) c->site = site_of(s, n);
    if (dirty) return eval_everything(c, s, n);
    status = eval_here(c, s, n, why);
    if (!status && is_long(c->epoch)) rt_epoch_end(c, let_go);
    return status;
}

bz_status rt_eval(bz_context *c, rt_storage *const *s, unsigned n) {
    return eval_these(c, s, n, SOME);
}

/* The number of a bz_scalar becomes a buffer when it is read. */
static bz_status give_number_value(bz_context *c, rt_storage *s) {
    bz_dtype t = (bz_dtype)s->dtype;
    rt_buffer *b = rt_buffer_new(c, t, c->scalar_layout);
    if (!b) return rt_no_memory(c);
    bz_status status = rt_store(rt_start(b), t, rt_number_bits(s), &c->err);
    if (status)
        rt_buffer_unref(c, b);
    else
        s->buf = b;
    return status;
}

bz_status rt_eval_handle(rt_tensor *t, bz_context *c, const char *op) {
    rt_storage *s = t->st;
    bz_status status = rt_ready_to_read(c, op);
    if (status || s->buf) return status;
    if (rt_is_number(s)) return give_number_value(c, s);
    return rt_eval(c, &s, 1);
}

bz_status rt_flush(bz_context *c, rt_storage *s) {
    c->flushes++;
    rt_epoch *top = rt_sink(c);
    bz_status status = BZ_OK;
    if (c->epoch || c->epochs->closed.n) status = eval_everything(c, &s, 1);
    rt_rise(c, top);
    if (!status && s->failed) status = bz_fail(&c->err, (bz_status)s->failed, "%s", s->lost);
    return status;
}

bz_status bz_flush(bz_tensor *x) {
    RT_BORDER;
    RT_VISIT_OF(x, "flush", RT_STRAY_STATUS);
    bz_context *c;
    rt_tensor *t = rt_find(x, &c, "flush");
    if (!t) return rt_no_tensor(c, "flush");
    bz_status status = rt_ready(c, "flush", "nothing is computed", "call it outside");
    if (!status) rt_does(c, "flush", NULL);
    return status ? status : rt_flush(c, t->st);
}

bz_status bz_eval(bz_tensor *const *x, int n) {
    RT_BORDER;
    if (n < 0) return rt_stray(NULL, BZ_EARG, "[eval] the number of tensors is negative");
    if (n == 0) return BZ_OK;
    if (!x) return rt_stray(NULL, BZ_EARG, "[eval] no array of tensors: it is NULL");
    RT_VISIT_OF(x[0], "eval", RT_STRAY_STATUS);
    bz_context *c = rt_context_of(x[0]), *of;
    rt_storage *few[32], **s = n <= 32 ? few : bz_mem_alloc((size_t)n * sizeof(rt_storage *));
    bz_status status = s ? BZ_OK : rt_no_memory(c);
    unsigned count = 0;
    for (int i = 0; i < n && !status; i++) {
        of = rt_context_of(x[i]);
        if (of && of != c)
            status = rt_fail(c, BZ_EARG, NULL, "eval", "tensor %d belongs to another context", i);
        const rt_tensor *t = status ? NULL : rt_find(x[i], &of, "eval");
        if (!t && !status) status = rt_no_tensor(of, "eval");
        if (t) s[count++] = t->st;
    }
    if (!status) status = rt_ready_to_read(c, "eval");
    if (!status) status = eval_these(c, s, count, SOME_LAST);
    if (!status) rt_epoch_end(c, "bz_eval"), rt_layouts_sweep(c);
    if (s != few) bz_mem_free(s);
    return status;
}

void rt_evaluation_free(rt_evaluation *v) {
    bz_vec_free(&v->stamps);
    bz_vec_free(&v->need);
    bz_vec_free(&v->later);
    bz_vec_free(&v->outs);
    ir_graph_free(v->scratch);
    bz_vec_free(&v->refs);
    bz_vec_free(&v->in_bufs);
    bz_vec_free(&v->out_bufs);
    bz_vec_free(&v->in_bits);
    bz_vec_free(&v->readers);
}

const rt_evaluator rt_lazy_evaluator = {rt_eval, cut_recording};
