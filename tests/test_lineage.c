/* test_lineage.c - a gradient is complete or BZ_EGRAD: each story is told in every mode, with and without a debugging print, and
 * with every way in which a recording ends; the status and the gradient may depend on the way alone, never on mode or print. */
#include "runtime/value/tensor.h"
#include "tests/support/rt_support.h"

#include <stdio.h>

enum { STAYS, EVAL, SEED, FLUSH, SCOPE, WAYS };
static const char *const way_names[] = {"recording goes on", "bz_eval", "bz_seed", "bz_flush",
                                        "end of scope"};
typedef struct world {
    bz_context *c;
    int way;
    bool print;
    bz_tensor *x, *y, *unit; /* 1 2; 3 4; 1 */
} world;

typedef struct asked {
    bz_tensor *loss, *wrt[2];
} asked;

static bz_tensor *total(bz_tensor *x) {
    return bz_sum(x, NULL, 0, false);
}

/* The recording ends here, as the world wants it. `h` lives on, and was looked at. */
static void end(const world *w, bz_tensor *h) {
    float v[2];
    bz_tensor *other = bz_neg(w->unit);
    if (w->print && h) cr_assert_eq(bz_to_host(h, v, sizeof v), BZ_OK, "%s", bz_message(w->c));
    if (w->way == EVAL) bz_eval(&other, 1);
    if (w->way == SEED) bz_seed(w->c, 3);
    if (w->way == FLUSH) bz_flush(w->unit);
    if (h) bz_keep(h);
    if (w->way == SCOPE) bz_scope_end(w->c), bz_scope_begin(w->c);
}

/* ---- stories */

static asked intermediate(const world *w) {
    bz_tensor *h = bz_square(w->x);
    end(w, h);
    return (asked){total(bz_square(h)), {w->x}};
}
static asked two_recordings_ago(const world *w) {
    bz_tensor *h = bz_square(w->x);
    end(w, h);
    bz_tensor *k = bz_add(h, w->y);
    end(w, k);
    return (asked){total(bz_square(k)), {w->x}};
}
static asked variable_of_the_recording(const world *w) {
    bz_tensor *v = bz_keep(bz_exp(w->x)), *h = bz_mul(v, w->y);
    end(w, h);
    return (asked){total(bz_mul(h, v)), {v}};
}
static asked part_of_it(const world *w) {
    bz_tensor *h = bz_square(w->x);
    end(w, h);
    return (asked){total(bz_mul(h, w->x)), {w->x}};
}
static asked the_loss(const world *w) {
    bz_tensor *loss = total(bz_square(w->x));
    bz_keep(loss);
    end(w, NULL);
    return (asked){loss, {w->x}};
}
static asked changed_once(const world *w) {
    bz_tensor *h = bz_square(w->x);
    bz_add_(w->x, w->unit);
    end(w, h);
    return (asked){total(h), {w->x}};
}
static asked changed_twice(const world *w) {
    bz_tensor *h = bz_square(w->x);
    bz_add_(w->x, w->unit);
    bz_mul_(w->x, w->y);
    end(w, h);
    return (asked){total(bz_square(h)), {w->x}};
}
static asked changed_afterwards(const world *w) {
    bz_tensor *h = bz_square(w->x);
    end(w, h);
    bz_add_(w->x, w->unit);
    bz_add_(w->x, w->unit);
    end(w, w->x);
    return (asked){total(bz_square(h)), {w->x}};
}
static asked changed_through_a_view(const world *w) {
    bz_tensor *h = bz_square(w->x);
    end(w, h);
    bz_fill_(bz_select(w->x, 0, 1), 5);
    return (asked){total(h), {w->x}};
}
/* a is updated by what b was, and b too; the next loss needs a alone. */
static asked updates(const world *w) {
    bz_tensor *loss = total(bz_mul(w->x, bz_square(w->y))), *v[2] = {w->x, w->y}, *g[2];
    cr_assert_eq(bz_grad(loss, v, 2, g), BZ_OK, "%s", bz_message(w->c));
    bz_sub_(w->x, g[0]);
    bz_sub_(w->y, g[1]);
    end(w, w->x);
    return (asked){total(bz_square(w->x)), {w->x, w->y}};
}
static asked data_of_the_same_recording(const world *w) {
    bz_tensor *mean = bz_mean(w->y, NULL, 0, false), *h = bz_sub(w->y, mean);
    end(w, h);
    return (asked){total(bz_mul(h, w->x)), {w->x}};
}
static asked no_way_for_gradients(const world *w) {
    bz_tensor *h = bz_mul(bz_sign(w->x), bz_cast(bz_cast(w->x, BZ_I32), BZ_F32));
    end(w, h);
    return (asked){total(bz_mul(h, w->x)), {w->x}};
}
static asked made_anew(const world *w) {
    bz_tensor *p = bz_keep(bz_sub(w->x, w->unit));
    end(w, p);
    return (asked){total(bz_square(p)), {p}};
}
static asked view_of_before(const world *w) {
    bz_tensor *h = bz_square(bz_select(w->x, 0, 1));
    end(w, NULL);
    bz_tensor *k = bz_square(bz_select(w->x, 0, 1));
    (void)h;
    return (asked){total(k), {w->x}};
}
static asked late_view(const world *w) {
    bz_tensor *loss = total(bz_mul(w->x, bz_square(w->x)));
    return (asked){loss,
                   {bz_flip(w->x, BZ_AXES(0)), bz_slice(w->x, (int64_t[]){BZ_OPEN},
                                                        (int64_t[]){BZ_OPEN}, (int64_t[]){-1}, 1)}};
}
static asked view_of_another_part(const world *w) {
    bz_tensor *a = bz_select(w->x, 0, 0), *b = bz_select(w->x, 0, 1);
    return (asked){bz_square(a), {a, b}};
}

/* The gradients where there is one: `stays` while the recording goes on, `ended` else; NULL: BZ_EGRAD. */
static const struct story {
    const char *name;
    asked (*tell)(const world *w);
    const float *stays, *ended;
} stories[] = {
#define G(...)                                                                                     \
    (const float[4]) {                                                                             \
        __VA_ARGS__                                                                                \
    }
    {"through an intermediate", intermediate, G(4, 32), NULL},
    {"two recordings ago", two_recordings_ago, G(16, 64), NULL},
    {"a variable made in the recording", variable_of_the_recording, G(16.30969f, 59.11245f), NULL},
    {"a part of the ways", part_of_it, G(3, 12), NULL},
    {"the loss", the_loss, G(2, 4), NULL},
    {"changed once", changed_once, NULL, NULL},
    {"changed twice", changed_twice, NULL, NULL},
    {"changed afterwards", changed_afterwards, NULL, NULL},
    {"changed through a view", changed_through_a_view, NULL, NULL},
    {"updates of two, loss of one", updates, G(-16, -28, 0, 0), G(-16, -28, 0, 0)},
    {"data", data_of_the_same_recording, G(-0.5f, 0.5f), G(-0.5f, 0.5f)},
    {"integers and signs", no_way_for_gradients, G(1, 2), G(1, 2)},
    {"a parameter made anew", made_anew, G(0, 2), G(0, 2)},
    {"the other part of a storage", view_of_before, G(0, 4), G(0, 4)},
    {"a view made after the loss", late_view, G(0, 0, 12, 3), G(0, 0, 12, 3)},
    {"views of different parts", view_of_another_part, G(2, 0), G(2, 0)},
};

static void tell(const struct story *s, bz_mode mode, int way, bool print) {
    world w = {.way = way, .print = print};
    cr_assert_eq(bz_open(&(bz_options){.mode = mode}, &w.c), BZ_OK);
    w.x = bz_from_data(w.c, BZ_F32, ((float[]){1, 2}), BZ_SHAPE(2));
    w.y = bz_from_data(w.c, BZ_F32, ((float[]){3, 4}), BZ_SHAPE(2));
    w.unit = bz_from_data(w.c, BZ_F32, ((float[]){1}), NULL, 0);
    bz_scope_begin(w.c);
    asked a = s->tell(&w);
    const float *want = way == STAYS ? s->stays : s->ended;
    bz_tensor *g[2];
    int n = a.wrt[1] ? 2 : 1;
    bz_status status = bz_grad(a.loss, a.wrt, n, g);
    char what[120];
    snprintf(what, sizeof what, "%s, mode %d, %s%s", s->name, (int)mode, way_names[way],
             print ? ", printed" : "");
    cr_expect_eq(status, want ? BZ_OK : BZ_EGRAD, "%s: status %d %s", what, (int)status,
                 bz_message(w.c));
    bz_clear(w.c);
    float got[4] = {0};
    for (int i = 0, at = 0; i < n && !status && want; at += (int)bz_numel(g[i++])) {
        bz_status read = bz_to_host(g[i], got + at, (size_t)bz_numel(g[i]) * sizeof *got);
        cr_assert_eq(read, BZ_OK, "%s: %s", what, bz_message(w.c));
    }
    for (int i = 0; i < 4 && !status && want; i++)
        cr_expect_float_eq(got[i], want[i], 1e-4, "%s: [%d] is %g, not %g", what, i, (double)got[i],
                           (double)want[i]);
    bz_close(w.c);
}

Test(lineage, stories) {
    for (size_t s = 0; s < sizeof stories / sizeof *stories; s++)
        for (int mode = BZ_LAZY; mode <= BZ_EAGER; mode++)
            for (int way = 0; way < WAYS; way++)
                for (int print = 0; print < 2; print++)
                    tell(&stories[s], (bz_mode)mode, way, print);
}

/* A recording that braze cuts because it is too long: the value that lost its history says so. */
Test(lineage, a_recording_that_was_cut) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3}), BZ_SHAPE(3)), *g;
    bz_tensor *a = bz_square(x), *n = bz_zeros(c, NULL, 0, BZ_F32),
              *one = bz_ones(c, NULL, 0, BZ_F32);
    for (int i = 0; i < (1 << 18) + 2; i++) {
        bz_tensor *next = bz_add(n, one);
        bz_release(n);
        n = next;
        if (i % 1000 == 0) bz_item(n);
    }
    bz_eval(&a, 0);
    bz_item(n);
    EXPECT(a, 1, 4, 9);
    cr_expect_eq(bz_grad(total(bz_mul(a, x)), &x, 1, &g), BZ_EGRAD);
    cr_expect(strstr(bz_message(c), "2^18"), "%s", bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_grad(total(bz_square(x)), &x, 1, &g), BZ_OK, "%s", bz_message(c));
    EXPECT(g, 2, 4, 6);
    bz_close(c);
}

/* Pasts name what lives: a thousand steps with a momentum, an average and a print do not grow. */
Test(lineage, a_training_loop_goes_on) {
    for (int mode = BZ_LAZY; mode <= BZ_EAGER; mode++) {
        bz_context *c;
        cr_assert_eq(bz_open(&(bz_options){.device = BZ_REF, .mode = (bz_mode)mode}, &c), BZ_OK);
        bz_tensor *p = bz_full(c, BZ_SHAPE(2), 1, BZ_F32), *m = bz_zeros(c, BZ_SHAPE(2), BZ_F32),
                  *data = bz_exp(bz_full(c, BZ_SHAPE(2), 0, BZ_F32)),
                  *hidden = bz_zeros(c, BZ_SHAPE(2), BZ_F32), *g;
        for (int i = 0; i < 300; i++) {
            bz_scope_begin(c);
            bz_tensor *h = bz_tanh(bz_add(bz_mul(p, data), hidden)); /* over the border of steps */
            bz_tensor *loss = total(bz_square(h));
            if (i % 3 == 0) bz_item(loss);
            cr_assert_eq(bz_grad(loss, &p, 1, &g), BZ_OK, "step %d: %s", i, bz_message(c));
            bz_copy_(m, bz_add(bz_mul(m, bz_scalar(c, 0.5)), g));
            bz_copy_(hidden, h);
            bz_sub_(p, bz_mul(m, bz_scalar(c, 0.01)));
            if (i % 2) bz_eval(((bz_tensor *[]){p, m}), 2);
            bz_scope_end(c);
        }
        cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
        bz_close(c);
    }
}

/* When a recording begins does not hang on what was still to be computed from the one before (`left`), as nothing is in eager mode. */
Test(lineage, values_from_before_begin_no_recording) {
    bz_status want[2];
    for (int left = 0; left < 2; left++)
        for (int mode = BZ_LAZY; mode <= BZ_EAGER; mode++) {
            bz_context *c;
            cr_assert_eq(bz_open(&(bz_options){.device = BZ_REF, .mode = (bz_mode)mode}, &c),
                         BZ_OK);
            bz_tensor *x = bz_exp(bz_ones(c, BZ_SHAPE(2), BZ_F32)), *y = bz_neg(x), *g;
            bz_eval(((bz_tensor *[]){x, y}), left ? 1 : 2);
            float value[2];
            bz_to_host(y, value, sizeof value);
            bz_scope_begin(c);
            bz_tensor *z = bz_keep(bz_square(x));
            bz_scope_end(c);
            bz_status got = bz_grad(total(z), &x, 1, &g);
            if (!left && mode == BZ_LAZY) want[0] = want[1] = got;
            cr_expect_eq(got, want[0], "mode %d, left %d: %d, not %d", mode, left, got, want[0]);
            bz_clear(c);
            bz_close(c);
        }
}

/* Nodes of sets that something needs. */
static double nodes_left(bz_context *c) {
    bz_tensor *x = bz_ones(c, NULL, 0, BZ_F32), *g;
    c->lineage->sets.sweep_at = 1;
    cr_assert_eq(bz_grad(bz_square(x), &x, 1, &g), BZ_OK, "%s", bz_message(c));
    return (double)c->lineage->sets.nodes.n;
}

/* What a recording of n adds costs that all live: nodes of the pasts and steps of work, an add. */
static void live_adds(int n, double *nodes, double *work) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1}), BZ_SHAPE(1)), *y = x, *g, *middle = NULL;
    for (int i = 0; i < n; i++) {
        y = bz_add(y, x);
        if (i == n / 2) middle = y;
    }
    cr_assert_eq(bz_eval(&y, 1), BZ_OK, "%s", bz_message(c));
    *work = (double)c->lineage->sets.work / n;
    bz_tensor *loss = total(bz_mul(middle, x)), *after = total(bz_mul(y, middle));
    cr_expect_eq(bz_grad(loss, &x, 1, &g), BZ_EGRAD);
    *nodes = nodes_left(c) / n;
    cr_expect_eq(bz_grad(after, &middle, 1, &g), BZ_EGRAD);
    bz_clear(c);
    cr_expect_eq(bz_grad(loss, &y, 1, &g), BZ_OK, "%s", bz_message(c)); /* middle was before it */
    cr_expect_eq(bz_grad(loss, &middle, 1, &g), BZ_OK, "%s", bz_message(c));
    EXPECT(g, 1);
    bz_close(c);
}

Test(lineage, many_live_values_cost_what_few_do) {
    double nodes, work;
    for (int n = 1000; n <= 64000; n *= 8) {
        live_adds(n, &nodes, &work);
        cr_expect(nodes < 16 && work < 32, "%d adds: %g nodes, %g steps each", n, nodes, work);
    }
}

static bz_status product_and_sum(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                                 int nout, void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_add(bz_mul(in[0], in[1]), in[1]);
    return BZ_OK;
}

/* n totals that all live, each made of the one before, in a scope that stays open; what ends the recordings: an evaluation, or there
 * is one recording and a call in each turn, of what was just recorded. */
static void totals(bz_mode mode, bool calls, int n, double *nodes, double *work) {
    bz_context *c;
    bz_options o = {.device = BZ_REF, .mode = mode, .quiet = true};
    cr_assert_eq(bz_open(&o, &c), BZ_OK);
    bz_tensor *w = bz_full(c, NULL, 0, 0.5, BZ_F32), *t = bz_ones(c, NULL, 0, BZ_F32), *young, *g;
    bz_program *p =
        bz_compile(c, product_and_sum, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
    cr_assert_eq(bz_eval((bz_tensor *[]){w, t}, 2), BZ_OK);
    *work = 0;
    for (int i = 0; i < n; i++) {
        if (!calls) bz_scope_begin(c);
        t = bz_keep(bz_mul(t, w));
        if (calls)
            cr_assert_eq(bz_call(p, (bz_tensor *[]){t, w}, &t), BZ_OK, "%s", bz_message(c));
        else
            cr_assert_eq(bz_eval(&t, 1), BZ_OK, "%s", bz_message(c));
        if (!calls) bz_scope_end(c);
        *work += (double)c->lineage->sets.work / n;
    }
    *nodes = nodes_left(c) / n;
    young = bz_ones(c, NULL, 0, BZ_F32);
    cr_expect_eq(bz_grad(bz_mul(t, young), &young, 1, &g), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_grad(t, &w, 1, &g), calls ? BZ_OK : BZ_EGRAD, "%s", bz_message(c));
    bz_clear(c);
    bz_close(c);
}

Test(lineage, a_turn_costs_what_it_records) {
    for (int k = 0; k < 4; k++)
        for (int n = 250; n <= 4000; n *= 16) {
            double nodes, work;
            totals(k & 1 ? BZ_EAGER : BZ_LAZY, k & 2, n, &nodes, &work);
            cr_expect(nodes < 24 && work < 64, "way %d, %d turns: %g nodes, %g steps each", k, n,
                      nodes, work);
        }
}

/* h moves into the recording with the nodes that read x there, and a call asks for it; x itself comes later, at the same nodes. */
static void variable_that_comes_late(bz_context *c) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2}), BZ_SHAPE(2)), *g, *out,
              *one = bz_ones(c, NULL, 0, BZ_F32);
    bz_program *p =
        bz_compile(c, product_and_sum, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
    cr_assert_eq(bz_eval((bz_tensor *[]){x, one}, 2), BZ_OK);
    bz_tensor *h = bz_square(bz_select(x, 0, 1)), *other = bz_exp(one);
    cr_assert_eq(bz_eval(&other, 1), BZ_OK);
    cr_assert_eq(bz_call(p, (bz_tensor *[]){h, one}, &out), BZ_OK, "%s", bz_message(c));
    bz_tensor *k = bz_exp(bz_select(x, 0, 1));
    cr_assert_eq(bz_eval(&k, 1), BZ_OK);
    cr_expect_eq(bz_grad(bz_mul(k, one), &x, 1, &g), BZ_EGRAD);
    bz_clear(c);
}
Test(lineage, variable_that_comes_late) {
    on_all(variable_that_comes_late);
}

/* Sets that have little in common: there is an end of the work, and then no gradient rather than a part of one. */
Test(lineage, too_many_ways_lead_from_anything) {
    enum { N = 30000 };
    bz_context *c = open_one(BZ_REF), *of;
    static bz_tensor *v[N];
    uint64_t random = 1;
    for (int i = 0; i < N; i++) {
        unsigned from[2];
        for (int k = 0; k < 2; k++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            from[k] = (unsigned)(i < 4096 ? 0 : i - 1) - (unsigned)(random >> 33) % 4000;
        }
        v[i] = i < 4096 ? bz_full(c, BZ_SHAPE(1), i, BZ_F32) : bz_minimum(v[from[0]], v[from[1]]);
    }
    cr_assert_eq(bz_eval(&v[N - 1], 1), BZ_OK, "%s", bz_message(c));
    bz_tensor *tangled = NULL, *young = bz_full(c, BZ_SHAPE(1), 1, BZ_F32), *g;
    for (int i = 4096; i < N && !tangled; i++) {
        const rt_storage *s = rt_find_quietly(v[i], &of)->st;
        if (s->past->roots[s->row] == RT_SET_ALL) tangled = v[i];
    }
    cr_assert_not_null(tangled, "%llu steps were too few",
                       (unsigned long long)c->lineage->sets.work);
    for (int recording = 0; recording < 3; recording++) {
        cr_expect_eq(bz_grad(total(bz_mul(tangled, v[7])), &v[7], 1, &g), BZ_EGRAD);
        cr_expect(strstr(bz_message(c), "history is forgotten"), "%s", bz_message(c));
        bz_clear(c);
        cr_expect_eq(bz_grad(total(bz_mul(v[8], v[7])), &v[7], 1, &g), BZ_OK);
        EXPECT(g, 8);
        bz_status of_young = bz_grad(total(bz_mul(tangled, young)), &young, 1, &g);
        cr_expect_eq(of_young, recording ? BZ_EGRAD : BZ_OK, "%s", bz_message(c));
        bz_clear(c);
        tangled = bz_neg(tangled);
        cr_assert_eq(bz_eval(&tangled, 1), BZ_OK, "%s", bz_message(c));
    }
    bz_close(c);
}

/* A past tells the storages apart by their births: a slot that another tensor has now is no variable of it. */
Test(lineage, a_freed_variable_is_none) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){3}), BZ_SHAPE(1)), *h = bz_square(x), *g;
    cr_assert_eq(bz_eval(&h, 1), BZ_OK);
    bz_release(x);
    bz_tensor *same = bz_from_data(c, BZ_F32, ((float[]){5}), BZ_SHAPE(1));
    for (int recording = 0; recording < 2; recording++) {
        cr_expect_eq(bz_grad(total(bz_mul(h, same)), &same, 1, &g), BZ_OK, "%s", bz_message(c));
        EXPECT(g, 9);
        h = bz_mul(h, bz_ones(c, BZ_SHAPE(1), BZ_F32));
        cr_assert_eq(bz_eval(&h, 1), BZ_OK);
    }
    bz_close(c);
}

/* The error names two ways out; the second is one. */
Test(lineage, a_value_that_is_meant_as_a_constant) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){3}), BZ_SHAPE(1)), *h = bz_square(x), *g;
    cr_assert_eq(bz_eval(&h, 1), BZ_OK);
    cr_expect_eq(bz_grad(total(bz_mul(h, x)), &x, 1, &g), BZ_EGRAD);
    cr_expect(strstr(bz_message(c), "bz_stop_gradient"), "%s", bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_grad(total(bz_mul(bz_stop_gradient(h), x)), &x, 1, &g), BZ_OK);
    EXPECT(g, 9);
    bz_close(c);
}

/* Losses that have nothing to do with each other, n in one recording: the nodes that a gradient looks at. */
static double many_losses(unsigned n) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *w = bz_full(c, BZ_SHAPE(1), 2, BZ_F32), *g = NULL;
    cr_assert_eq(bz_eval(&w, 1), BZ_OK);
    for (unsigned i = 0; i < n; i++)
        cr_assert_eq(bz_grad(total(bz_mul(bz_square(w), i)), &w, 1, &g), BZ_OK, "%s",
                     bz_message(c));
    EXPECT(g, (float)(4 * (n - 1)));
    uint64_t work = c->lineage->reach.work + c->lineage->backward.work;
    bz_close(c);
    return (double)work / n;
}

Test(lineage, a_gradient_costs_what_its_loss_is_made_of) {
    double few = many_losses(10), many = many_losses(2000);
    cr_expect_leq(many, 1.1 * few, "nodes a gradient: %g of 10, %g of 2000", few, many);
}

/* A scope a step, nothing read: what a step looks at when its scope ends. A row of x and h change in each. */
static uint32_t unread_steps(int n) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(8, 2), BZ_F32), *w = bz_ones(c, BZ_SHAPE(1), BZ_F32),
              *v = bz_full(c, BZ_SHAPE(1), 3, BZ_F32), *h = w, *g;
    cr_assert_eq(bz_eval((bz_tensor *[]){x, w, v}, 3), BZ_OK);
    for (int i = 0; i < n; i++) {
        bz_tensor *before = h;
        bz_scope_begin(c);
        bz_add_(bz_select(x, 0, i % 8), 1);
        h = bz_keep(bz_mul(h, w));
        if (i) bz_release(before);
        bz_scope_end(c);
    }
    cr_expect_eq(c->epochs->closed.n, 1);
    const ir_graph *recorded = c->epochs->closed.p[0]->g;
    uint32_t nodes = recorded->n.n - recorded->fresh;
    cr_expect_eq(bz_grad(total(bz_mul(h, v)), &v, 1, &g), BZ_OK, "%s", bz_message(c));
    EXPECT(g, 1);
    cr_expect_eq(bz_grad(total(bz_mul(h, v)), &w, 1, &g), BZ_EGRAD);
    cr_expect(strstr(bz_message(c), "the end of the scope"), "%s", bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_item(total(x)), 16 + 2 * n);
    EXPECT(h, 1);
    bz_close(c);
    return nodes;
}

Test(lineage, a_scope_costs_what_was_recorded_in_it) {
    uint32_t few = unread_steps(10), many = unread_steps(1000);
    cr_expect_eq(few, many, "nodes a step: %u of 10, %u of 1000", few, many);
}

/* What waits in an outer scope is as if it had moved into the recording that reads it: with its value, with its past, and once. */
Test(lineage, what_waits_stays_where_it_is) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_full(c, BZ_SHAPE(2), 2, BZ_F32), *a, *b, *y, *g;
    cr_assert_eq(bz_eval(&x, 1), BZ_OK);
    bz_scope_begin(c);
    a = bz_keep(bz_square(x));
    bz_scope_end(c);
    bz_scope_begin(c);
    b = bz_keep(bz_square(x)); /* not the node of a: that one is from before */
    y = bz_mul(b, a);
    cr_expect_eq(bz_grad(total(y), &a, 1, &g), BZ_OK, "%s", bz_message(c));
    EXPECT(g, 4, 4);
    cr_expect_eq(bz_grad(total(b), &x, 1, &g), BZ_OK, "%s", bz_message(c));
    EXPECT(g, 4, 4);
    cr_expect_eq(bz_grad(total(y), &x, 1, &g), BZ_EGRAD); /* by way of a */
    bz_clear(c);
    bz_scope_end(c);
    cr_assert_eq(bz_eval(&b, 1), BZ_OK);
    cr_expect_eq(bz_grad(total(bz_mul(b, x)), &x, 1, &g), BZ_EGRAD);
    bz_clear(c);
    cr_expect_eq(bz_grad(total(bz_mul(a, x)), &x, 1, &g), BZ_EGRAD);
    bz_clear(c);
    EXPECT(a, 4, 4);
    EXPECT(b, 4, 4);
    bz_close(c);
}
