/* test_overwrite.c - a write into a part of a tensor touches the part: bytes, kernels and compilations of loops over places that move;
 * and whoever has the old value, or asks for a gradient through it, has it still. */
#include "tests/support/rt_support.h"

#include <stdlib.h>

enum { SIDE = 32, TURNS = 20 };
static const bz_mode modes[] = {BZ_LAZY, BZ_EAGER};

static bz_context *open_mode(bz_mode m) {
    bz_context *c = NULL;
    cr_assert_eq(bz_open(&(bz_options){.mode = m, .threads = 1, .device = BZ_CPU}, &c), BZ_OK);
    return c;
}

static bz_tensor *numbers(bz_context *c, bz_dtype t) {
    bz_tensor *x =
        bz_cast(bz_reshape(bz_arange(c, 0, SIDE * SIDE, 1, BZ_I64), BZ_SHAPE(SIDE, SIDE)), t);
    bz_eval(&x, 1);
    return x;
}

/* ---- what it costs */

static bz_tensor *row(bz_tensor *x, int t) {
    return bz_select(x, 0, t);
}

static bz_tensor *column(bz_tensor *x, int t) {
    return bz_narrow(bz_select(x, 1, t), 0, t % 7, 16);
}

static bz_tensor *block(bz_tensor *x, int t) {
    return bz_narrow(bz_narrow(x, 0, t % 5, 8), 1, t, 8);
}

static bz_tensor *backwards(bz_tensor *x, int t) {
    return bz_at(bz_select(x, 0, t), "::-2");
}

static bz_tensor *turned(bz_tensor *x, int t) {
    return bz_transpose(block(x, t), 0, 1);
}

static bz_tensor *diagonal(bz_tensor *x, int t) {
    return bz_diagonal(bz_narrow(x, 0, t % 5, 16), t % 9, 0, 1);
}

static bz_tensor *write_copy(bz_tensor *v, bz_tensor *y) {
    return bz_copy_(v, y);
}

static bz_tensor *write_add(bz_tensor *v, bz_tensor *y) {
    return bz_add_(v, y);
}

static bz_tensor *write_mul(bz_tensor *v, bz_tensor *y) {
    return bz_mul_(v, y);
}

static bz_tensor *write_fill(bz_tensor *v, bz_tensor *y) {
    (void)y;
    return bz_fill_(v, bz_scalar(bz_context_of(v), 3));
}

static const struct window {
    const char *name;
    bz_tensor *(*of)(bz_tensor *x, int t);
} windows[] = {{"row", row},       {"column", column},
               {"block", block},   {"backwards", backwards},
               {"turned", turned}, {"diagonal", diagonal}};
static const struct write {
    const char *name;
    bz_tensor *(*in)(bz_tensor *v, bz_tensor *y);
} writes[] = {{"copy", write_copy}, {"add", write_add}, {"mul", write_mul}, {"fill", write_fill}};

/* One write at place t; `scoped`: the turn of a loop. The window's bytes. */
static uint64_t turn(bz_context *c, bz_tensor *x, const struct window *w, const struct write *op,
                     int t, bool scoped, bz_mode mode) {
    if (scoped) bz_scope_begin(c);
    bz_tensor *v = w->of(x, t);
    uint64_t bytes = (uint64_t)bz_numel(v) * bz_dtype_size(bz_dtype_of(x));
    op->in(v, bz_scalar(c, 1 + t % 2));
    if (mode == BZ_LAZY) cr_assert_eq(bz_eval(&x, 1), BZ_OK, "%s", bz_message(c));
    if (scoped) bz_scope_end(c);
    return bytes;
}

static void check_cost(bz_mode mode, bz_dtype t, const struct window *w, const struct write *op,
                       bool scoped) {
    bz_context *c = open_mode(mode);
    bz_tensor *x = numbers(c, t);
    bz_counters before, after;
    uint64_t window = 0;
    for (int k = 0; k < 4; k++) turn(c, x, w, op, k, scoped, mode);
    bz_get_counters(c, &before);
    for (int k = 0; k < TURNS; k++) window += turn(c, x, w, op, k, scoped, mode);
    bz_get_counters(c, &after);
    uint64_t wrote = after.bytes_written - before.bytes_written;
    /* eager: the value to be written, and the old elements that a product's gradient wants, are written too; casts of others */
    unsigned most = op->in == write_mul ? 3 : op->in == write_add ? 2 : 1, kernels = most;
    if (t != BZ_F32) most = 10, kernels = 6;
    if (mode == BZ_LAZY) most = kernels = 1;
    cr_expect_leq(wrote, most * window + (kernels - 1) * 8 * (uint64_t)TURNS,
                  "%s %s, mode %d, %s: %llu bytes, the windows have %llu", op->name, w->name,
                  (int)mode, bz_dtype_name(t), (unsigned long long)wrote,
                  (unsigned long long)window);
    cr_expect_leq(after.launches - before.launches, kernels * (unsigned)TURNS);
    cr_expect_eq(after.plan_misses, before.plan_misses, "%s %s, mode %d: planned again", op->name,
                 w->name, (int)mode);
    cr_expect_eq(after.kernels_built, before.kernels_built, "%s %s: compiled again", op->name,
                 w->name);
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    bz_close(c);
}

Test(overwrite, a_write_costs_its_window_wherever_it_is) {
    static const bz_dtype types[] = {BZ_F32, BZ_I8, BZ_F16};
    for (size_t m = 0; m < 2; m++)
        for (size_t w = 0; w < sizeof windows / sizeof *windows; w++)
            for (size_t o = 0; o < sizeof writes / sizeof *writes; o++)
                for (size_t t = 0; t < (w ? 1 : 3); t++)
                    for (int scoped = 0; scoped < 2; scoped++)
                        check_cost(modes[m], types[t], &windows[w], &writes[o], scoped);
}

/* u[1:-1, 1:-1] from its neighbours: the new elements, then they are put in place. */
static void heat(bz_tensor *u) {
    bz_tensor *up = bz_at(u, "0:-2, 1:-1"), *down = bz_at(u, "2:, 1:-1"),
              *left = bz_at(u, "1:-1, 0:-2"), *right = bz_at(u, "1:-1, 2:");
    bz_tensor *sum = bz_add(bz_add(up, down), bz_add(left, right));
    bz_copy_(bz_at(u, "1:-1, 1:-1"), bz_mul(sum, 0.25));
}

static void heat_by_hand(float *u) {
    static float old[SIDE][SIDE];
    memcpy(old, u, sizeof old);
    for (int i = 1; i < SIDE - 1; i++)
        for (int j = 1; j < SIDE - 1; j++)
            u[i * SIDE + j] =
                ((old[i - 1][j] + old[i + 1][j]) + (old[i][j - 1] + old[i][j + 1])) * 0.25f;
}

static bz_status heat_step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                           void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    heat(in[0]);
    out[0] = in[0];
    return BZ_OK;
}

static void step_on(bz_context *c, bz_program *p, bz_tensor *u) {
    bz_tensor *out;
    bz_scope_begin(c);
    if (p)
        cr_assert_eq(bz_call(p, &u, &out), BZ_OK, "%s", bz_message(c));
    else
        heat(u);
    bz_scope_end(c);
    bz_eval(&u, 1);
}

Test(overwrite, a_heat_step_costs_its_inner_points) {
    static float want[SIDE * SIDE], got[SIDE * SIDE];
    const uint64_t inner = (SIDE - 2) * (SIDE - 2) * sizeof(float);
    for (int compiled = 0; compiled < 2; compiled++) {
        bz_context *c = open_mode(BZ_LAZY);
        bz_counters before, after;
        bz_tensor *u = numbers(c, BZ_F32);
        bz_program *p =
            compiled ? bz_compile(c, heat_step, NULL,
                                  &(bz_compile_options){.nin = 1, .nout = 1, .donate = (int[]){0}})
                     : NULL;
        for (int i = 0; i < SIDE * SIDE; i++) want[i] = (float)i * (i % 3 ? 1.f : -2.f);
        bz_copy_(u, bz_from_data(c, BZ_F32, want, BZ_SHAPE(SIDE, SIDE)));
        for (int k = 0; k < 2; k++) step_on(c, p, u), heat_by_hand(want);
        bz_get_counters(c, &before);
        for (int k = 0; k < TURNS; k++) step_on(c, p, u), heat_by_hand(want);
        bz_get_counters(c, &after);
        cr_expect_eq(after.bytes_written - before.bytes_written, 2 * inner * TURNS, "%llu",
                     (unsigned long long)(after.bytes_written - before.bytes_written));
        cr_expect_eq(after.launches - before.launches, 2 * TURNS);
        cr_expect_eq(after.kernels_built + after.plan_misses,
                     before.kernels_built + before.plan_misses);
        cr_assert_eq(bz_to_host(u, got, sizeof got), BZ_OK);
        cr_expect_eq(memcmp(got, want, sizeof want), 0);
        bz_close(c);
    }
}

/* A cache of keys: what a step computes goes to row t of a large tensor, by one kernel. */
Test(overwrite, a_cache_costs_a_row) {
    enum { ROWS = 64, WIDE = 24 };
    for (size_t m = 0; m < 2; m++) {
        bz_context *c = open_mode(modes[m]);
        bz_counters before = {0}, after;
        static float got[ROWS][WIDE];
        bz_tensor *cache = bz_zeros(c, BZ_SHAPE(ROWS, WIDE), BZ_F32),
                  *x = bz_ones(c, BZ_SHAPE(WIDE), BZ_F32);
        bz_eval((bz_tensor *[]){cache, x}, 2);
        for (int t = 0; t < 3 * ROWS / 2; t++) { /* a ring */
            if (t == 2) bz_get_counters(c, &before);
            bz_scope_begin(c);
            bz_tensor *key = bz_square(bz_add(x, bz_scalar(c, t)));
            bz_copy_(bz_select(cache, 0, t % ROWS), key);
            bz_release(key);
            bz_eval(&cache, 1);
            bz_scope_end(c);
        }
        bz_get_counters(c, &after);
        uint64_t steps = 3 * ROWS / 2 - 2, bytes = WIDE * sizeof(float);
        unsigned kernels = modes[m] == BZ_LAZY ? 1 : 3;
        cr_expect_eq(after.launches - before.launches, kernels * steps, "mode %d: %d kernels",
                     (int)modes[m], (int)(after.launches - before.launches));
        cr_expect_eq(after.bytes_written - before.bytes_written, kernels * steps * bytes);
        cr_expect_eq(after.kernels_built + after.plan_misses,
                     before.kernels_built + before.plan_misses);
        cr_assert_eq(bz_to_host(cache, got, sizeof got), BZ_OK);
        for (int r = 0; r < ROWS; r++) {
            float t = (float)(r < ROWS / 2 ? r + ROWS : r);
            cr_expect_eq(got[r][r % WIDE], (1 + t) * (1 + t), "row %d is %g", r,
                         (double)got[r][r % WIDE]);
        }
        bz_close(c);
    }
}

/* What is looked up may be outside: that is known before anything is overwritten. */
Test(overwrite, a_lookup_that_fails_overwrites_nothing) {
    bz_context *c = open_mode(BZ_LAZY);
    bz_counters before, after;
    bz_tensor *cache = numbers(c, BZ_F32), *table = bz_neg(numbers(c, BZ_F32));
    bz_eval(&table, 1);
    for (int t = 0; t < 6; t++) {
        if (t == 2) bz_get_counters(c, &before);
        bz_scope_begin(c);
        bz_tensor *i = bz_from_data(c, BZ_I64, (int64_t[]){t == 5 ? SIDE : t + 3}, NULL, 0);
        bz_copy_(bz_select(cache, 0, t), bz_mul(bz_gather(table, i, 0), 2));
        bz_status s = bz_eval(&cache, 1);
        cr_assert_eq(s, t == 5 ? BZ_EINDEX : BZ_OK, "%s", bz_message(c));
        bz_scope_end(c);
        if (t == 4) bz_get_counters(c, &after);
    }
    cr_expect_leq(after.bytes_written - before.bytes_written, 3 * 3 * SIDE * sizeof(float));
    bz_close(c);
}

/* Writes of one recording are all in one memory. */
Test(overwrite, many_writes_are_one_program) {
    bz_context *c = open_mode(BZ_LAZY);
    bz_tensor *x = numbers(c, BZ_F32);
    bz_counters before, after;
    bz_get_counters(c, &before);
    for (int k = 0; k < SIDE; k++) bz_fill_(bz_select(x, 1, k), bz_scalar(c, k));
    cr_assert_eq(bz_eval(&x, 1), BZ_OK);
    bz_get_counters(c, &after);
    cr_expect_eq(after.bytes_written - before.bytes_written, SIDE * SIDE * sizeof(float));
    float got[SIDE * SIDE];
    cr_assert_eq(bz_to_host(x, got, sizeof got), BZ_OK);
    for (int i = 0; i < SIDE * SIDE; i++) cr_assert_eq(got[i], (float)(i % SIDE));
    bz_close(c);
}

/* A function that writes row after row of what is donated to it: what tells the writes apart is where their pointers lead. */
static bz_status rows_of(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    for (int t = 1; t < SIDE; t++)
        bz_copy_(bz_select(in[0], 0, t), bz_tanh(bz_select(in[1], 1, t)));
    out[0] = in[0];
    return BZ_OK;
}

Test(overwrite, rows_of_a_function_are_one_kernel) {
    static float got[SIDE][SIDE];
    bz_context *c = open_mode(BZ_LAZY);
    bz_tensor *in[] = {numbers(c, BZ_F32), bz_neg(numbers(c, BZ_F32))}, *out;
    bz_eval(in, 2);
    bz_counters before, after;
    bz_program *p = bz_compile(
        c, rows_of, NULL, &(bz_compile_options){.nin = 2, .nout = 1, .donate = (int[]){0, -1}});
    cr_assert_eq(bz_prepare(p, in), BZ_OK, "%s", bz_message(c));
    bz_get_counters(c, &before);
    cr_assert_eq(bz_call(p, in, &out), BZ_OK, "%s", bz_message(c));
    bz_get_counters(c, &after);
    cr_expect_eq(after.bytes_written - before.bytes_written, (SIDE - 1) * SIDE * sizeof(float));
    cr_expect_leq(after.kernels_built + after.kernels_shared, 5);
    cr_assert_eq(bz_to_host(in[0], got, sizeof got), BZ_OK);
    cr_expect_eq(got[0][5], 5);
    cr_expect_eq(got[7][0], (float)tanh(-7));
    cr_expect_eq(got[SIDE - 1][3], -1);
    bz_close(c);
}

/* ---- what it leaves alone */

static void old_values(bz_context *c) {
    static const float six[] = {1, 2, 3, 4, 5, 6};
    bz_tensor *x = bz_from_data(c, BZ_F32, six, BZ_SHAPE(2, 3));
    bz_tensor *y = bz_add(x, 1), *z = bz_add(x, 1), *flat = bz_reshape(x, BZ_SHAPE(6)),
              *copy = bz_copy(x);
    bz_eval((bz_tensor *[]){y, z}, 2); /* equal values: one memory */
    bz_tensor *pending = bz_mul(y, 10);
    bz_fill_(bz_select(y, 0, 0), bz_scalar(c, 0));
    bz_eval(&y, 1);
    bz_fill_(bz_select(y, 1, 2), bz_scalar(c, -1));
    EXPECT(y, 0, 0, -1, 5, 6, -1);
    EXPECT(z, 2, 3, 4, 5, 6, 7);
    EXPECT(pending, 20, 30, 40, 50, 60, 70);
    /* a value of the inner scope that is computed on the way, and asked for after */
    bz_scope_begin(c);
    bz_tensor *twice = bz_mul(x, 2);
    bz_copy_(bz_select(x, 0, 1), bz_select(twice, 0, 0));
    bz_eval(&x, 1);
    EXPECT(x, 1, 2, 3, 2, 4, 6);
    EXPECT(twice, 2, 4, 6, 8, 10, 12);
    bz_scope_end(c);
    bz_mul_(bz_narrow(flat, 0, 4, 2), bz_scalar(c, 3));
    EXPECT(x, 1, 2, 3, 2, 12, 18);
    EXPECT(copy, 1, 2, 3, 4, 5, 6);
    /* overlapping shifts, both ways */
    bz_copy_(bz_narrow(flat, 0, 1, 5), bz_narrow(flat, 0, 0, 5));
    EXPECT(flat, 1, 1, 2, 3, 2, 12);
    bz_copy_(bz_narrow(flat, 0, 0, 5), bz_narrow(flat, 0, 1, 5));
    bz_copy_(flat, bz_flip(flat, BZ_AXES(0)));
    EXPECT(flat, 12, 12, 2, 3, 2, 1);
    bz_copy_(bz_narrow(flat, 0, 0, 4), bz_add(bz_flip(bz_narrow(flat, 0, 0, 4), BZ_AXES(0)), 1));
    EXPECT(flat, 4, 3, 13, 13, 2, 1);
}

Test(overwrite, who_has_the_old_value_keeps_it) {
    on_all(old_values);
}

/* loss = sum x^2 after x[1] *= w, x[2] = w^2, x[3] += w, all of one recording, some of it evaluated in between. */
static void gradients(bz_context *c) {
    static const float start[] = {1, 2, 3, 4, 5, 6, 7, 8}, weights[] = {3, -1};
    for (int between = 0; between < 3; between++) {
        float got[2];
        bz_tensor *x = bz_from_data(c, BZ_F32, start, BZ_SHAPE(4, 2)),
                  *w = bz_from_data(c, BZ_F32, weights, BZ_SHAPE(2)), *g;
        bz_mul_(bz_select(x, 0, 1), w);
        if (between) bz_item(bz_sum(x, NULL, 0, false));
        bz_copy_(bz_select(x, 0, 2), bz_square(w));
        if (between > 1) bz_item(bz_sum(x, NULL, 0, false));
        bz_add_(bz_select(x, 0, 3), w);
        if (between > 1) bz_item(bz_select(bz_select(x, 0, 3), 0, 1));
        bz_tensor *loss = bz_sum(bz_square(x), NULL, 0, false);
        cr_assert_eq(bz_grad(loss, &w, 1, &g), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_to_host(g, got, sizeof got), BZ_OK, "%s", bz_message(c));
        for (int i = 0; i < 2; i++) {
            float v = weights[i], a = start[2 + i], b = start[6 + i];
            float want = 2 * a * a * v + 4 * v * v * v + 2 * (b + v);
            cr_expect_eq(got[i], want, "%d reads between: %g, not %g", between, (double)got[i],
                         (double)want);
        }
        bz_eval((bz_tensor *[]){x, w}, 2);
    }
}

Test(overwrite, gradients_through_writes_are_complete) {
    on_all(gradients);
}

/* ---- any order of writes, reads and evaluations, against arrays of the host */

enum { TENSORS = 3, ROWS = 4, COLUMNS = 6, ALL = ROWS * COLUMNS, KEPT = 24 };
typedef struct host {
    bz_context *c;
    uint32_t state;
    bz_tensor *x[TENSORS], *kept[KEPT];
    float value[TENSORS][ALL], old[KEPT][ALL];
    int nkept;
} host;

static int draw(host *h, int below) {
    h->state = h->state * 1664525u + 1013904223u;
    return (int)((h->state >> 8) % (uint32_t)below);
}

typedef struct part {
    int row, column, rows, columns, step;
} part;

static part draw_part(host *h) {
    part p = {.rows = 1 + draw(h, ROWS), .step = 1 + draw(h, 2)};
    p.columns = 1 + draw(h, (COLUMNS - 1) / p.step + 1);
    p.row = draw(h, ROWS - p.rows + 1);
    p.column = draw(h, COLUMNS - (p.columns - 1) * p.step);
    return p;
}

static bz_tensor *view(bz_tensor *x, part p) {
    char text[80];
    snprintf(text, sizeof text, "%d:%d, %d:%d:%d", p.row, p.row + p.rows, p.column,
             p.column + (p.columns - 1) * p.step + 1, p.step);
    return bz_at(x, text);
}

static float *at(float *v, part p, int i, int j) {
    return v + (p.row + i) * COLUMNS + p.column + j * p.step;
}

/* x's part p becomes, or has added to it, times by, the part of y that is as large (beginning elsewhere). */
static void write_part(host *h) {
    int x = draw(h, TENSORS), y = draw(h, TENSORS), op = draw(h, 3);
    part p = draw_part(h), q = p;
    float from[ALL];
    q.row = draw(h, ROWS - p.rows + 1);
    q.column = draw(h, COLUMNS - (p.columns - 1) * p.step);
    int by = draw(h, 3) - 1;
    bz_tensor *v = view(h->x[x], p), *z = bz_add(view(h->x[y], q), by);
    for (int i = 0; i < p.rows * p.columns; i++)
        from[i] = *at(h->value[y], q, i / p.columns, i % p.columns) + (float)by;
    op == 0 ? bz_copy_(v, z) : op == 1 ? bz_add_(v, z) : bz_mul_(v, bz_scalar(h->c, -1));
    for (int i = 0; i < p.rows * p.columns; i++) {
        float *to = at(h->value[x], p, i / p.columns, i % p.columns);
        *to = op == 0 ? from[i] : op == 1 ? *to + from[i] : -*to;
    }
}

static void compare(const host *h, bz_tensor *x, const float *want, const char *what) {
    float got[ALL];
    cr_assert_eq(bz_to_host(x, got, sizeof got), BZ_OK, "%s", bz_message(h->c));
    for (int i = 0; i < ALL; i++)
        cr_assert(got[i] == want[i], "seed %u, %s: element %d is %g, not %g", h->state, what, i,
                  (double)got[i], (double)want[i]);
}

static void keep_old(host *h) {
    int x = draw(h, TENSORS), op = draw(h, 3);
    if (h->nkept == KEPT) return;
    h->kept[h->nkept] = op == 0   ? bz_add(h->x[x], 0)
                        : op == 1 ? bz_copy(h->x[x])
                                  : bz_mul(bz_neg(h->x[x]), -1);
    memcpy(h->old[h->nkept++], h->value[x], sizeof *h->old);
}

static void random_turn(host *h) {
    int k = draw(h, 20), x = draw(h, TENSORS);
    bool scoped = draw(h, 3) == 0;
    if (k < 12) {
        if (scoped) bz_scope_begin(h->c);
        write_part(h);
        if (scoped) bz_scope_end(h->c);
    } else if (k < 15)
        keep_old(h);
    else if (k < 17)
        bz_eval(&h->x[x], 1);
    else if (k == 17)
        compare(h, h->x[x], h->value[x], "a tensor");
    else if (k == 18 && h->nkept)
        compare(h, h->kept[x % h->nkept], h->old[x % h->nkept], "a kept value");
    else
        bz_eval(h->x, TENSORS);
}

Test(overwrite, any_order_of_writes_and_reads) {
    for (uint32_t seed = 1; seed <= 120; seed++) {
        host h = {.state = seed, .c = open_mode(modes[seed % 2])};
        for (int i = 0; i < TENSORS; i++) {
            for (int k = 0; k < ALL; k++) h.value[i][k] = (float)(draw(&h, 9) - 4);
            h.x[i] = bz_from_data(h.c, BZ_F32, h.value[i], BZ_SHAPE(ROWS, COLUMNS));
        }
        for (int n = 0; n < 40; n++) random_turn(&h);
        for (int i = 0; i < TENSORS; i++) compare(&h, h.x[i], h.value[i], "at the end");
        for (int i = 0; i < h.nkept; i++) compare(&h, h.kept[i], h.old[i], "kept to the end");
        bz_close(h.c);
    }
}
