/* grad_while.c - the gradient of a while that ends after `most` turns is a while that counts down, through the turns from the last one:
 *
 *      y = while x, c {body=f}                   n, y, s = while 0, x, zeros, c {body=f_saving}    s: what each turn began with
 *                                                dx, dc  = while n, dy, 0, s, c {body=f_back}
 *      f_back(t, d, e, s, c):  d, e + g = vjp of f at s[t - 1], c;  t - 1
 *
 * A turn is computed again from what it began with, of which only that is saved which its gradient reads. The first loop does once more
 * what the while does: where both are wanted they become one (loops.c). Gradients of gradients come by themselves: all of it is
 * loops with a bound. */
#include "src/passes/grad.h"

#include <string.h>

typedef struct loop {
    ir_graph *g;
    ir_ref r;
    const ir_graph *test, *body;
    int64_t graphs[2], most;
    unsigned m, k; /* operands that go round, captured ones */
    const ir_ref *d;
    const bool *wants;
    bool always;  /* the test is always true: the turns are `most` */
    bool *active; /* m: its gradient goes round */
    bool *read;   /* m + k: the backward turn reads it */
    bool *varied, *useful, *mark;
    int64_t *numel; /* m */
} loop;

static bool is_float(const ir_graph *g, ir_ref r) {
    return ir_is_smooth(ir_dtype(g, r));
}

static bool fails(const loop *l, const ir_graph *b) {
    return grad_fails(l->g, b);
}

static bool lacks_memory(const loop *l) {
    return fails(l, NULL);
}

static bool sums(const loop *l, unsigned j) { /* of captured operand j the turns' shares add up */
    return l->wants[l->m + j];
}

/* ---- which gradients go round */

/* One turn more: what the results that have a gradient are made of. */
static bool trace_back(const loop *l) {
    const ir_graph *b = l->body;
    bool more = false;
    memset(l->mark, 0, b->n.n);
    for (unsigned j = 0; j < l->m; j++) l->mark[grad_out(b, j)] |= l->useful[j];
    for (ir_ref r = b->n.n; r-- > 1;)
        for (unsigned k = 0; l->mark[r] && k < ir_at(b, r)->nin; k++)
            l->mark[ir_operand(b, r, k)] |= pass_grad_flows(b, r, k);
    for (unsigned j = 0; j < l->m; j++) {
        const bool now = l->mark[grad_in(b, j)] && is_float(b, grad_in(b, j));
        more |= now && !l->useful[j];
        l->useful[j] |= now;
    }
    return more;
}

/* Is there any? */
static bool find_active(const loop *l) {
    bool any = false;
    for (unsigned j = 0; j < l->m; j++) {
        l->varied[j] = l->wants[j];
        l->useful[j] = l->d[j] && is_float(l->g, l->d[j]);
    }
    while (grad_spread(l->body, l->m, l->k, l->wants, l->varied, l->mark)) continue;
    while (trace_back(l)) continue;
    for (unsigned j = 0; j < l->m; j++) any |= l->active[j] = l->varied[j] && l->useful[j];
    return any;
}

/* ---- graphs */

/* Rows of all turns' values of operand j, one after the other. */
static ir_dim stack_size(const loop *l, ir_graph *g, unsigned j) {
    return ir_dim_const(g, l->most * l->numel[j]);
}

static bool saves(const loop *l, unsigned j) {
    return l->read[j] && l->numel[j] > 0;
}

/* Row-major strides of operand j. */
static ir_strided row_of(const loop *l, unsigned j, int64_t *shape, int64_t *strides) {
    const ir_ref r = grad_in(l->body, j);
    const unsigned rank = ir_at(l->body, r)->rank;
    int64_t step = 1;
    ir_static_shape(l->body, r, shape);
    for (unsigned i = rank; i-- > 0; step *= shape[i]) strides[i] = step;
    return (ir_strided){rank, shape, strides, 0};
}

static ir_ref row_start(const loop *l, ir_graph *g, ir_ref turn, unsigned j) {
    return ir_build2(g, IR_MUL, turn, ir_const_i(g, BZ_I64, l->numel[j]));
}

/* ---- a turn's gradient, of values that are inputs: inputs v, c, d of the active; outputs: the active ones' gradients, then those of
 * captured operands that are wanted */

static bool fill_vjp(const loop *l, ir_graph *p, ir_map *map, ir_ref *work) {
    const unsigned n = l->m + l->k;
    ir_ref *y = work, *seed = y + l->m, *wrt = seed + l->m, *out = wrt + n;
    unsigned ny = 0, nwrt = 0;
    pass_backward back = {0};
    for (unsigned j = 0; j < n; j++)
        if (!(map->to[grad_in(l->body, j)] = grad_input_like(p, l->body, grad_in(l->body, j))))
            return false;
    if (!grad_copy_live(p, l->body, map)) return false;
    for (unsigned j = 0; j < n; j++) {
        if (j < l->m ? !l->active[j] : !l->wants[j]) continue;
        wrt[nwrt++] = grad_in(p, j);
        if (j >= l->m) continue;
        y[ny] = map->to[grad_out(l->body, j)];
        if (!(seed[ny++] = grad_input_like(p, l->body, grad_in(l->body, j)))) return false;
    }
    bool ok = !pass_vjp(&back, p, y, seed, ny, wrt, nwrt, out);
    pass_backward_free(&back);
    for (unsigned i = 0; i < nwrt && ok; i++) ok = !ir_output_add(p, NULL, out[i], -1);
    return ok;
}

/* And what it reads. */
static ir_graph *turn_vjp(const loop *l) {
    const unsigned n = l->m + l->k;
    ir_map map;
    ir_graph *p = ir_graph_new(l->g->m, "turn");
    ir_ref *work = bz_mem_zero(2 * (size_t)l->m + 2 * (size_t)n + 1, sizeof *work);
    bool *live = NULL;
    if (p && work && grad_map_new(&map, l->body)) {
        if (fill_vjp(l, p, &map, work)) live = ir_live(p);
        bz_mem_free(map.to);
    }
    for (unsigned j = 0; j < n && live; j++) l->read[j] = live[grad_in(p, j)];
    bz_mem_free(work);
    if (!live) {
        fails(l, p);
        ir_graph_free(p);
        return NULL;
    }
    bz_mem_free(live);
    return p;
}

/* ---- the loop that saves: inputs and operands are the turn's number, v, stacks, c */

static bool saving_inputs(const loop *l, ir_graph *b, const ir_graph *of, ir_map *map,
                          ir_ref *stack) {
    bool ok = ir_input_new(b, NULL, BZ_I64, NULL, 0) != 0;
    for (unsigned j = 0; j < l->m && ok; j++)
        ok = (map->to[grad_in(of, j)] = grad_input_like(b, of, grad_in(of, j))) != 0;
    for (unsigned j = 0; j < l->m && ok; j++) {
        const ir_dim size = saves(l, j) ? stack_size(l, b, j) : 0;
        if (size)
            ok = (stack[j] = ir_input_new(b, NULL, ir_dtype(of, grad_in(of, j)), &size, 1)) != 0;
    }
    for (unsigned j = l->m; j < l->m + l->k && ok; j++)
        ok = (map->to[grad_in(of, j)] = grad_input_like(b, of, grad_in(of, j))) != 0;
    return ok && grad_copy_live(b, of, map);
}

static bool fill_saving(const loop *l, ir_graph *b, ir_map *map, ir_ref *stack) {
    if (!saving_inputs(l, b, l->body, map, stack)) return false;
    const ir_ref turn = grad_in(b, 0);
    ir_output_add(b, NULL, ir_build2(b, IR_ADD, turn, ir_const_i(b, BZ_I64, 1)), -1);
    for (unsigned j = 0; j < l->m; j++) ir_output_add(b, NULL, map->to[grad_out(l->body, j)], -1);
    for (unsigned j = 0; j < l->m; j++) {
        int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
        const ir_strided row = row_of(l, j, shape, strides);
        if (!stack[j]) continue;
        ir_output_add(
            b, NULL,
            ir_update(b, stack[j], map->to[grad_in(l->body, j)], &row, row_start(l, b, turn, j)),
            -1);
    }
    b->saves = l->body->id;
    return !b->err.status;
}

static bool fill_saving_test(const loop *l, ir_graph *b, ir_map *map, ir_ref *stack) {
    b->saves = l->test->id;
    return saving_inputs(l, b, l->test, map, stack) &&
           !ir_output_add(b, NULL, map->to[grad_out(l->test, 0)], -1);
}

/* A graph that `fill` makes of `of`, lent to the module: its number, -1: an error in l->g. */
static int64_t lend(const loop *l, const ir_graph *of, const char *suffix,
                    bool (*fill)(const loop *, ir_graph *, ir_map *, ir_ref *)) {
    ir_map map;
    ir_graph *b = ir_graph_new(l->g->m, of->name);
    ir_ref *stack = bz_mem_zero(l->m, sizeof *stack);
    int64_t number = -1;
    if (b && stack && grad_map_new(&map, of)) {
        if (fill(l, b, &map, stack)) number = grad_lend(b, of->name, suffix);
        bz_mem_free(map.to);
    }
    bz_mem_free(stack);
    if (number >= 0) return number;
    fails(l, b);
    ir_graph_free(b);
    return -1;
}

/* Its node; x: room for operands. */
static ir_ref saving_loop(const loop *l, ir_ref *x) {
    ir_graph *g = l->g;
    unsigned n = 0;
    x[n++] = ir_const_i(g, BZ_I64, 0);
    for (unsigned j = 0; j < l->m; j++) x[n++] = ir_operand(g, l->r, j);
    for (unsigned j = 0; j < l->m; j++) {
        const ir_dim size = saves(l, j) ? stack_size(l, g, j) : 0;
        if (size) x[n++] = ir_const_bits(g, ir_dtype(l->body, grad_in(l->body, j)), 0, &size, 1);
    }
    for (unsigned j = l->m; j < l->m + l->k; j++) x[n++] = ir_operand(g, l->r, j);
    const int64_t test = lend(l, l->test, "saving", fill_saving_test),
                  body = test < 0 ? -1 : lend(l, l->body, "saving", fill_saving);
    const ir_ref made = body < 0 ? 0 : ir_while(g, test, body, x, n, l->k, l->most);
    ir_module_drop(g->m, test);
    ir_module_drop(g->m, body);
    return made;
}

/* ---- the loop that counts down: the number of turns left, d of the active, e of the captured that are wanted; s, c that are read */

static bool back_inputs(const loop *l, ir_graph *b, ir_ref *d, ir_ref *e, ir_ref *stack,
                        ir_ref *c) {
    const ir_graph *of = l->body;
    bool ok = ir_input_new(b, NULL, BZ_I64, NULL, 0) != 0;
    for (unsigned j = 0; j < l->m && ok; j++)
        if (l->active[j]) ok = (d[j] = grad_input_like(b, of, grad_in(of, j))) != 0;
    for (unsigned j = 0; j < l->k && ok; j++)
        if (sums(l, j)) ok = (e[j] = grad_input_like(b, of, grad_in(of, l->m + j))) != 0;
    for (unsigned j = 0; j < l->m && ok; j++) {
        const ir_dim size = saves(l, j) ? stack_size(l, b, j) : 0;
        if (size)
            ok = (stack[j] = ir_input_new(b, NULL, ir_dtype(of, grad_in(of, j)), &size, 1)) != 0;
    }
    for (unsigned j = 0; j < l->k && ok; j++)
        if (l->read[l->m + j]) ok = (c[j] = grad_input_like(b, of, grad_in(of, l->m + j))) != 0;
    return ok;
}

/* What operand j was when turn `turn` began. */
static ir_ref saved(const loop *l, ir_graph *b, ir_ref stack, ir_ref turn, unsigned j) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
    const ir_strided row = row_of(l, j, shape, strides);
    if (stack) return ir_as_strided_at(b, stack, &row, row_start(l, b, turn, j));
    const ir_node *n = ir_at(l->body, grad_in(l->body, j)); /* without elements */
    return ir_const_bits(b, (bz_dtype)n->dtype, 0, ir_dims(l->body, n), n->rank);
}

static bool fill_back(const loop *l, const ir_graph *p, ir_graph *b, ir_map *map, ir_ref *work) {
    ir_ref *d = work, *e = d + l->m, *stack = e + l->k, *c = stack + l->m;
    if (!back_inputs(l, b, d, e, stack, c)) return false;
    const ir_ref turn = ir_build2(b, IR_SUB, grad_in(b, 0), ir_const_i(b, BZ_I64, 1));
    unsigned seed = l->m + l->k, out = 0;
    for (unsigned j = 0; j < l->m; j++) {
        if (l->read[j] && !(map->to[grad_in(p, j)] = saved(l, b, stack[j], turn, j))) return false;
        if (l->active[j]) map->to[grad_in(p, seed++)] = d[j];
    }
    for (unsigned j = 0; j < l->k; j++) map->to[grad_in(p, l->m + j)] = c[j];
    if (!grad_copy_live(b, p, map)) return false;
    ir_output_add(b, NULL, turn, -1);
    for (unsigned j = 0; j < l->m; j++)
        if (l->active[j]) ir_output_add(b, NULL, map->to[grad_out(p, out++)], -1);
    for (unsigned j = 0; j < l->k; j++)
        if (sums(l, j))
            ir_output_add(b, NULL, ir_build2(b, IR_ADD, e[j], map->to[grad_out(p, out++)]), -1);
    return !b->err.status;
}

static bool fill_back_test(const loop *l, ir_graph *b, ir_ref *work) {
    ir_ref *d = work, *e = d + l->m, *stack = e + l->k, *c = stack + l->m;
    if (!back_inputs(l, b, d, e, stack, c)) return false;
    const ir_ref more = l->always ? ir_const_i(b, BZ_BOOL, 1)
                                  : ir_build2(b, IR_LT, ir_const_i(b, BZ_I64, 0), grad_in(b, 0));
    return !ir_output_add(b, NULL, more, -1);
}

/* p NULL: the test. */
static int64_t lend_back(const loop *l, const ir_graph *p) {
    ir_map map = {NULL, 0};
    const char *name = p ? l->body->name : l->test->name;
    ir_graph *b = ir_graph_new(l->g->m, name);
    ir_ref *work = bz_mem_zero(2 * ((size_t)l->m + l->k) + 1, sizeof *work);
    int64_t number = -1;
    if (b && work && (!p || grad_map_new(&map, p)) &&
        (p ? fill_back(l, p, b, &map, work) : fill_back_test(l, b, work)))
        number = grad_lend(b, name, "back");
    bz_mem_free(map.to);
    bz_mem_free(work);
    if (number >= 0) return number;
    fails(l, b);
    ir_graph_free(b);
    return -1;
}

/* Its operands: the turns, the gradients that arrived, zeros, what `saving`, if it is there, saved. */
static unsigned back_operands(const loop *l, ir_ref saving, ir_ref *x) {
    ir_graph *g = l->g;
    unsigned n = 0, stack = 1 + l->m;
    x[n++] = l->always ? ir_const_i(g, BZ_I64, l->most) : ir_result(g, saving, 0);
    for (unsigned j = 0; j < l->m; j++)
        if (l->active[j]) x[n++] = l->d[j] ? l->d[j] : ir_const_like(g, ir_operand(g, l->r, j), 0);
    for (unsigned j = 0; j < l->k; j++)
        if (sums(l, j)) x[n++] = ir_const_like(g, ir_operand(g, l->r, l->m + j), 0);
    for (unsigned j = 0; j < l->m; j++)
        if (saves(l, j)) x[n++] = ir_result(g, saving, stack++);
    for (unsigned j = 0; j < l->k; j++)
        if (l->read[l->m + j]) x[n++] = ir_operand(g, l->r, l->m + j);
    return n;
}

static unsigned count(const bool *x, unsigned n) {
    unsigned found = 0;
    for (unsigned j = 0; j < n; j++) found += x[j];
    return found;
}

static bool count_back(const loop *l, const ir_graph *p, ir_ref *x, ir_ref *share) {
    ir_graph *g = l->g;
    bool needed = !l->always; /* the number of turns */
    for (unsigned j = 0; j < l->m; j++) needed |= saves(l, j);
    const ir_ref saving = needed ? saving_loop(l, x) : 0;
    if (needed && !saving) return lacks_memory(l);
    const unsigned n = back_operands(l, saving, x),
                   rounds = 1 + count(l->active, l->m) + count(l->wants + l->m, l->k);
    const int64_t test = lend_back(l, NULL), body = test < 0 ? -1 : lend_back(l, p);
    const ir_ref at = body < 0 ? 0 : ir_while(g, test, body, x, n, n - rounds, l->most);
    ir_module_drop(g->m, test);
    ir_module_drop(g->m, body);
    unsigned i = 1;
    for (unsigned j = 0; j < l->m && at; j++) {
        const ir_ref made = l->active[j] ? ir_result(g, at, i++) : 0;
        if (l->wants[j]) share[j] = made;
    }
    for (unsigned j = 0; j < l->k && at; j++)
        if (sums(l, j)) share[l->m + j] = ir_result(g, at, i++);
    return (at && !g->err.status) || lacks_memory(l);
}

/* ---- the rule */

static bool check(const loop *l) {
    ir_graph *g = l->g;
    if (l->most == 0)
        return ir_error(g, BZ_EGRAD, IR_WHILE,
                        "has no gradient unless the number of its turns is bounded: say most=N, "
                        "which is bz_while's `most`, or use bz_for"),
               false;
    for (unsigned j = 0; j < l->m; j++) {
        int64_t shape[IR_MAX_RANK], all;
        const ir_ref r = grad_in(l->body, j);
        if (!ir_static_shape(l->body, r, shape) || !ir_numel(l->body, r, &l->numel[j]))
            return ir_error(g, BZ_EUNSUPPORTED, IR_WHILE, "has a gradient for known sizes alone"),
                   false;
        if (__builtin_mul_overflow(l->most, l->numel[j], &all) || all > INT64_C(1) << 60)
            return ir_error(g, BZ_ESHAPE, IR_WHILE,
                            "at most %lld turns are too many for its gradient, which keeps what "
                            "each began with",
                            (long long)l->most),
                   false;
    }
    return true;
}

static bool differentiate(loop *l, ir_ref *share) {
    const size_t n = 2 * ((size_t)l->m + l->k) + l->m + 2;
    if (!find_active(l)) return true;
    if (!check(l)) return false;
    ir_ref *x = bz_mem_zero(n, sizeof *x);
    ir_graph *p = x ? turn_vjp(l) : NULL;
    const bool ok = p ? count_back(l, p, x, share) : lacks_memory(l);
    ir_graph_free(p);
    bz_mem_free(x);
    return ok;
}

bool grad_while(ir_graph *g, ir_ref r, const ir_ref *d, const bool *wants, ir_ref *share) {
    const ir_node *n = ir_at(g, r);
    const int64_t *attr = ir_attrs(g, n);
    loop l = {.g = g, .r = r, .d = d, .wants = wants, .most = attr[3]};
    ir_bits v;
    l.test = g->m->graphs.p[attr[0]];
    l.body = g->m->graphs.p[attr[1]];
    l.k = (unsigned)attr[2];
    l.m = n->nin - l.k;
    l.always = ir_const_value(l.test, grad_out(l.test, 0), &v) && v;
    bool *flags = bz_mem_zero(4 * (size_t)l.m + l.k + l.body->n.n, sizeof *flags);
    l.numel = bz_mem_zero(l.m, sizeof *l.numel);
    bool ok = flags && l.numel;
    if (ok) {
        l.active = flags;
        l.varied = l.active + l.m;
        l.useful = l.varied + l.m;
        l.read = l.useful + l.m;
        l.mark = l.read + l.m + l.k;
        ok = differentiate(&l, share);
    } else {
        lacks_memory(&l);
    }
    bz_mem_free(flags);
    bz_mem_free(l.numel);
    return ok;
}
