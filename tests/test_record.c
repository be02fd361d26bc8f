/* test_record.c - lazy evaluation: what is computed once, what stays, that loops do not grow. */
#include "runtime/record/compiled.h"
#include "tests/support/rt_support.h"

static bz_counters counters(bz_context *c) {
    bz_counters k;
    bz_get_counters(c, &k);
    return k;
}

/* Printing the loss and then stepping does not compute the forward pass again: what the gradient reads was kept. */
Test(record, values_that_live_handles_read_are_kept) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2}), BZ_SHAPE(2));
    bz_scope_begin(c);
    bz_tensor *h = bz_exp(x), *loss = bz_sum(h, NULL, 0, false),
              *later = bz_mul(h, bz_scalar(c, 2));
    bz_eval(&loss, 1);
    float m[2];
    cr_assert_eq(bz_to_host(later, m, sizeof m), BZ_OK);
    rt_epoch *e = c->epoch;
    bool again = false;
    for (ir_ref r = 1; r < e->g->n.n; r++) again |= ir_at(e->g, r)->op == IR_EXP;
    cr_expect_not(again, "exp was recorded again");
    cr_expect_float_eq(m[1], 2 * expf(2), 1e-4);
    bz_close(c);
}

/* A temporary of the innermost scope is not stored: the chain fuses. It can still be computed later. */
Test(record, temporaries_are_not_stored) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3, 4}), BZ_SHAPE(4));
    bz_scope_begin(c);
    bz_tensor *t = bz_exp(x), *y = bz_log(t);
    bz_eval(&y, 1);
    cr_expect_not(bz_is_evaluated(t));
    cr_expect_float_eq(bz_item(bz_select(t, 0, 0)), exp(1), 1e-6);
    bz_scope_end(c);
    bz_tensor *outer = bz_exp(x), *z;
    bz_scope_begin(c);
    z = bz_log(outer);
    bz_eval(&z, 1);
    cr_expect(bz_is_evaluated(outer));
    bz_close(c);
}

/* Another value of a bz_scalar is the same program. */
Test(record, scalars_do_not_recompile) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1}), BZ_SHAPE(1));
    for (int i = 0; i < 5; i++) {
        bz_scope_begin(c);
        EXPECT(bz_mul(bz_add(x, bz_scalar(c, i)), bz_scalar(c, i)), (float)((1 + i) * i));
        bz_scope_end(c);
    }
    cr_expect_eq(counters(c).plan_misses, 1);
    bz_close(c);
}

/* Only the loss is read in each step: parameters stay lazy, and yet neither graphs nor memory grow. */
Test(record, a_lazy_loop_does_not_grow) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *p = bz_ones(c, BZ_SHAPE(2), BZ_F32);
    uint32_t nodes = 0;
    uint64_t bytes = 0;
    for (int i = 0; i < 30; i++) {
        bz_scope_begin(c);
        bz_copy_(p, bz_mul(p, bz_scalar(c, 0.5)));
        bz_tensor *loss = bz_sum(p, NULL, 0, false);
        bz_eval(&loss, 1);
        cr_expect_eq(bz_item(loss), 2 * pow(0.5, i + 1));
        bz_scope_end(c);
        uint32_t alive = 0;
        for (uint32_t k = 0; k < c->epochs->closed.n; k++) alive += c->epochs->closed.p[k]->g->n.n;
        if (i == 10) nodes = alive, bytes = counters(c).bytes;
        if (i > 10) cr_expect_leq(alive, nodes);
        if (i > 10) cr_expect_leq(counters(c).bytes, bytes);
    }
    bz_close(c);
}

/* A handle that outlives its epoch moves on with all that it needs. */
Test(record, old_handles_move_to_the_new_epoch) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2}), BZ_SHAPE(2));
    bz_scope_begin(c);
    bz_tensor *r = bz_rand(c, BZ_SHAPE(2), BZ_F32),
              *later = bz_add(bz_mul(x, bz_scalar(c, 3)), bz_sub(r, r)), *other = bz_neg(x);
    bz_eval(&other, 1);
    bz_fill_(x, 100); /* what was recorded keeps the old value */
    bz_eval(&x, 1);
    EXPECT(later, 3, 6);
    bz_close(c);
}

/* Draws of one recording that does not end: the place in the stream is an argument, not a part of the program. */
Test(record, drawing_in_a_loop_compiles_once) {
    bz_context *c = open_one(BZ_REF), *other = open_one(BZ_REF);
    bz_tensor *whole = bz_rand(other, BZ_SHAPE(48), BZ_F32);
    float want[48], got[4];
    cr_assert_eq(bz_to_host(whole, want, sizeof want), BZ_OK);
    for (int i = 0; i < 12; i++) {
        uint64_t before = counters(c).plan_misses;
        bz_tensor *r = bz_rand(c, BZ_SHAPE(4), BZ_F32);
        cr_assert_eq(bz_to_host(r, got, sizeof got), BZ_OK);
        cr_expect_arr_eq(got, want + 4 * i, sizeof got);
        if (i > 1) /* the first is the whole recording, the others are a part of it */
            cr_expect_eq(counters(c).plan_misses, before, "turn %d", i);
    }
    bz_close(c);
    bz_close(other);
}

static bz_status halve(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_mul(in[0], bz_scalar(c, 0.5));
    out[1] = bz_sum(bz_add(in[0], bz_rand(c, BZ_SHAPE(3), BZ_F32)), NULL, 0, false);
    return BZ_OK;
}

/* Record, change in place, differentiate, evaluate, compile, call. */
static bz_status some_work(bz_mode mode) {
    bz_context *c;
    bz_status first = bz_open(&(bz_options){.device = BZ_REF, .mode = mode}, &c);
    if (first) return first;
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3, 4, 5, 6}), BZ_SHAPE(2, 3)),
              *g = NULL, *out[2];
    bz_scope_begin(c);
    bz_tensor *v = bz_transpose(bz_softmax(bz_add(x, bz_scalar(c, 1)), -1), 0, 1);
    bz_fill_(bz_diagonal(v, 0, 0, 1), 3);
    bz_tensor *loss = bz_sum(bz_mul(v, v), NULL, 0, false);
    bz_status s[4] = {bz_grad(loss, &x, 1, &g), bz_eval(((bz_tensor *[]){loss, g, v}), 3), BZ_OK,
                      BZ_OK};
    bz_program *p = bz_compile(c, halve, NULL,
                               &(bz_compile_options){.nin = 1, .nout = 2, .donate = (int[]){0}});
    bz_tensor *a = bz_ones(c, BZ_SHAPE(3), BZ_F32);
    float h[3] = {0.5f};
    s[2] = p ? bz_call(p, &a, out) : BZ_ENOMEM;
    s[3] = bz_to_host(a, h, sizeof h);
    cr_expect(s[2] || s[3] || h[0] == 0.5f);
    bz_scope_end(c);
    first = bz_context_status(c);
    for (int i = 0; i < 4 && !first; i++) first = s[i];
    bz_close(c);
    return first;
}

/* Whichever allocation fails, and all after it: BZ_ENOMEM, no crash; the sanitizer sees that nothing leaks. */
Test(record, every_allocation_may_fail) {
    for (int mode = BZ_LAZY; mode <= BZ_EAGER; mode++) {
        cr_assert_eq(some_work((bz_mode)mode), BZ_OK);
        bz_status s = BZ_ENOMEM;
        long n = 0;
        for (; s == BZ_ENOMEM; n++) {
            bz_mem_fail_after(n);
            s = some_work((bz_mode)mode);
            bz_mem_fail_after(-1);
        }
        cr_expect_eq(s, BZ_OK, "after %ld allocations: status %d", n, (int)s);
        cr_expect_gt(n, 50);
    }
}

/* Values that only the recording holds are let go when they become many, and computed again for a gradient. */
Test(record, released_values_do_not_pile_up) {
    enum { N = 1 << 20, STEPS = 100 };
    bz_context *c;
    cr_assert_eq(bz_open(NULL, &c), BZ_OK);
    bz_set_mode(c, BZ_EAGER);
    bz_tensor *w = bz_full(c, BZ_SHAPE(N), 0.5, BZ_F32), *x = bz_square(w), *g;
    for (int i = 0; i < STEPS; i++) {
        bz_tensor *y = bz_neg(x);
        bz_release(x);
        x = y;
    }
    bz_counters k;
    bz_get_counters(c, &k);
    cr_expect_lt(k.peak_bytes, UINT64_C(300) << 20, "%llu bytes for one live tensor",
                 (unsigned long long)k.peak_bytes);
    bz_tensor *loss = bz_sum(x, NULL, 0, false);
    cr_assert_eq(bz_grad(loss, &w, 1, &g), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_item(bz_max(g, NULL, 0, false)), 1.0);
    cr_expect_eq(bz_item(loss), 0.25 * N);
    bz_close(c);
}

/* After a flush the memory is the owner's: what reads it later reads what lies there then. */
Test(record, flush_ends_the_recording) {
    bz_context *c;
    float m[2] = {1, 2}, got[2];
    cr_assert_eq(bz_open(NULL, &c), BZ_OK);
    bz_tensor *x = bz_from_buffer(c, BZ_F32, m, (int64_t[]){2}, NULL, 1);
    bz_tensor *a = bz_add(x, x);
    cr_expect_eq(bz_item(bz_sum(a, NULL, 0, false)), 6);
    cr_expect_eq(bz_flush(x), BZ_OK);
    m[0] = 10;
    cr_expect_eq(bz_to_host(bz_add(x, x), got, sizeof got), BZ_OK);
    cr_expect(got[0] == 20 && got[1] == 4, "%g %g", (double)got[0], (double)got[1]);
    bz_close(c);
}

/* The second result is read after the first: the op with both is neither stored nor run twice. */
Test(record, results_one_after_the_other) {
    bz_context *c;
    float v[3] = {3, 1, 2};
    int64_t at[3];
    cr_assert_eq(bz_open(&(bz_options){.device = BZ_REF}, &c), BZ_OK);
    bz_tensor *index, *sorted = bz_sort(bz_from_data(c, BZ_F32, v, BZ_SHAPE(3)), 0, false, &index);
    cr_expect_eq(bz_to_host(sorted, v, sizeof v), BZ_OK);
    cr_expect_eq(counters(c).evaluations, 1);
    cr_expect_eq(bz_to_host(index, at, sizeof at), BZ_OK);
    cr_expect_eq(counters(c).evaluations, 1);
    cr_expect(v[0] == 1 && v[2] == 3 && at[0] == 1 && at[2] == 0);
    bz_close(c);
}

/* A change of foreign memory that one evaluation needs is not written home before everything recorded has read the old content. */
Test(record, old_content_is_read_before_it_changes) {
    bz_context *c;
    float m[2] = {1, 2}, got[2];
    cr_assert_eq(bz_open(NULL, &c), BZ_OK);
    bz_tensor *x = bz_from_buffer(c, BZ_F32, m, (int64_t[]){2}, NULL, 1);
    bz_tensor *old = bz_add(x, bz_scalar(c, 10));
    bz_mul_(x, bz_scalar(c, 100));
    cr_expect_eq(bz_item(bz_sum(bz_neg(x), NULL, 0, false)), -300);
    cr_expect_eq(bz_to_host(old, got, sizeof got), BZ_OK);
    cr_expect(got[0] == 11 && got[1] == 12, "%g %g", (double)got[0], (double)got[1]);
    cr_expect_eq(bz_flush(x), BZ_OK);
    cr_expect(m[0] == 100 && m[1] == 200, "%g %g", (double)m[0], (double)m[1]);
    bz_close(c);
}

/* Memory of the caller, dense and with gaps, forward and backward; elements that belong to no tensor are -1. */
static const struct window {
    int64_t shape[2], strides[2], first;
    int rank;
} windows[] = {
    {{4}, {1}, 0, 1},       {{4}, {2}, 1, 1},       {{4}, {-1}, 7, 1},
    {{2, 2}, {1, 4}, 0, 2}, {{2, 2}, {2, 1}, 3, 2},
};

static float *element(const struct window *w, float *m, int i) {
    int64_t inner = w->shape[w->rank - 1];
    return m + w->first + (w->rank == 2 ? i / inner * w->strides[0] : 0) +
           i % inner * w->strides[w->rank - 1];
}

/* After each flush the memory is the caller's: what they write is what the tensor is, and the next change reaches it. */
static void flush_gives_the_memory_back(bz_context *c) {
    for (size_t k = 0; k < BZ_LEN(windows); k++) {
        const struct window *w = &windows[k];
        float m[12], got[4];
        for (int i = 0; i < 12; i++) m[i] = -1;
        for (int i = 0; i < 4; i++) *element(w, m, i) = (float)i;
        bz_tensor *x = bz_from_buffer(c, BZ_F32, m + w->first, w->shape, w->strides, w->rank);
        for (int turn = 1; turn <= 3; turn++) {
            bz_tensor *before = bz_neg(x);
            bz_add_(x, bz_scalar(c, 100));
            cr_expect_eq(bz_flush(x), BZ_OK);
            for (int i = 0; i < 4; i++)
                cr_expect_eq(*element(w, m, i), (float)(1000 * (turn - 1) + i + 100), "window %zu",
                             k);
            for (int i = 0; i < 4; i++) *element(w, m, i) = (float)(1000 * turn + i);
            cr_expect_eq(bz_to_host(x, got, sizeof got), BZ_OK);
            for (int i = 0; i < 4; i++)
                cr_expect_eq(got[i], (float)(1000 * turn + i), "window %zu turn %d", k, turn);
            cr_expect_eq(bz_to_host(before, got, sizeof got), BZ_OK);
            cr_expect_eq(got[3], (float)-(1000 * (turn - 1) + 3));
        }
        for (int i = 0; i < 4; i++) *element(w, m, i) = -1;
        for (int i = 0; i < 12; i++) cr_expect_eq(m[i], -1.0f, "window %zu: a gap changed", k);
    }
}

Test(record, flush_gives_the_memory_back) {
    on_all(flush_gives_the_memory_back);
}

/* A tensor whose value cannot be computed, for its index lies outside when it runs. */
static bz_tensor *mistake(bz_context *c, bz_tensor *table) {
    int64_t far = 99;
    return bz_gather(table, bz_from_data(c, BZ_I64, &far, BZ_SHAPE(1)), 0);
}

/* A mistake that has nothing to do with a foreign tensor keeps no change from its memory, whatever asks for it. */
Test(record, a_stranger_s_mistake_does_not_keep_a_change) {
    enum { FLUSH, EVAL, READ, RELEASE, CLOSE, WAYS };
    for (bz_device d = BZ_CPU; d <= BZ_REF; d++) {
        for (int way = 0; way < WAYS; way++) {
            bz_context *c = open_one(d);
            float m[2] = {1, 2}, other[2] = {5, 6};
            bz_tensor *x = bz_from_buffer(c, BZ_F32, m, (int64_t[]){2}, NULL, 1);
            bz_tensor *y = bz_from_buffer(c, BZ_F32, other, (int64_t[]){2}, NULL, 1);
            bz_tensor *stranger = mistake(c, bz_ones(c, BZ_SHAPE(3), BZ_F32));
            bz_tensor *before = bz_mul(x, bz_scalar(c, 10));
            bz_add_(x, bz_scalar(c, 1));
            bz_add_(y, before); /* waits, and has read x before the change */
            bz_status s = way == FLUSH     ? bz_flush(x)
                          : way == EVAL    ? bz_eval(&x, 1)
                          : way == READ    ? (bz_status)(bz_item(bz_select(x, 0, 1)) != 3)
                          : way == RELEASE ? bz_release(x)
                                           : BZ_OK;
            cr_expect_eq(s, BZ_OK, "way %d: %s", way, bz_message(c));
            cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
            if (way != CLOSE) {
                cr_expect(m[0] == 2 && m[1] == 3, "way %d: %g %g", way, (double)m[0], (double)m[1]);
                m[0] = m[1] = -1;
                EXPECT(before, 10, 20);
                EXPECT_ERROR(c, stranger, BZ_EINDEX, "gather");
                m[0] = 2, m[1] = 3;
            }
            bz_close(c);
            cr_expect(m[0] == 2 && m[1] == 3 && other[0] == 15 && other[1] == 26,
                      "way %d: %g %g, %g %g", way, (double)m[0], (double)m[1], (double)other[0],
                      (double)other[1]);
        }
    }
}

/* One evaluation of changed foreign memory and of a mistake, which reads it or does not, before or after: the memory has the change,
 * and the mistake is the evaluation's status. */
static void asked_beside_a_mistake(bz_context *c) {
    for (int k = 0; k < 8; k++) {
        float m[2] = {1, 2};
        bz_tensor *x = bz_from_buffer(c, BZ_F32, m, (int64_t[]){2}, NULL, 1);
        bz_tensor *table = k & 1 ? x : bz_ones(c, BZ_SHAPE(3), BZ_F32), *wrong = NULL;
        if (k & 2) wrong = mistake(c, table);
        bz_add_(x, 1);
        if (!wrong) wrong = mistake(c, table);
        bz_tensor *both[] = {k & 4 ? x : wrong, k & 4 ? wrong : x};
        cr_expect_eq(bz_eval(both, 2), BZ_EINDEX, "case %d: %s", k, bz_message(c));
        cr_expect(strstr(bz_message(c), "index 99"), "case %d: '%s'", k, bz_message(c));
        bz_clear(c);
        cr_expect(m[0] == 2 && m[1] == 3, "case %d: %g %g", k, (double)m[0], (double)m[1]);
        EXPECT_ERROR(c, wrong, BZ_EINDEX, "gather");
        bz_clear(c);
    }
}

Test(record, asked_beside_a_mistake) {
    for (bz_device d = BZ_CPU; d <= BZ_REF; d++) {
        bz_context *c = open_one(d);
        asked_beside_a_mistake(c);
        bz_close(c);
    }
}

/* What failed, and was to read memory that changes now, stays failed: it never reads the new content. */
Test(record, what_failed_never_reads_later_content) {
    bz_context *c = open_one(BZ_REF);
    int64_t at[1] = {9};
    bz_tensor *i = bz_from_buffer(c, BZ_I64, at, (int64_t[]){1}, NULL, 1);
    bz_tensor *picked = bz_gather(bz_ones(c, BZ_SHAPE(3), BZ_F32), i, 0),
              *view = bz_reshape(picked, NULL, 0);
    cr_expect_eq(bz_flush(i), BZ_OK, "%s", bz_message(c));
    at[0] = 1;
    for (int k = 0; k < 2; k++) EXPECT_ERROR(c, picked, BZ_EINDEX, "gather");
    EXPECT_ERROR(c, bz_neg(view), BZ_EINDEX, "gather");
    EXPECT_ERROR(c, bz_fill_(picked, 0), BZ_EINDEX, "gather");
    cr_expect_eq(bz_item_int(i), 1);
    cr_expect_eq(bz_flush(picked), BZ_EINDEX);
    bz_close(c);
}

static bz_status releases_captured(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                                   int nout, void *user) {
    (void)nin, (void)nout;
    out[0] = bz_add(in[0], *(bz_tensor **)user);
    return bz_release(*(bz_tensor **)user), bz_context_status(c);
}

/* The last handle of a foreign tensor goes while a function is traced: its change reaches its owner. */
Test(record, released_while_traced) {
    bz_context *c = open_one(BZ_REF);
    float m[1] = {1};
    bz_tensor *x = bz_from_buffer(c, BZ_F32, m, (int64_t[]){1}, NULL, 1),
              *one = bz_ones(c, BZ_SHAPE(1), BZ_F32), *out;
    bz_add_(x, bz_scalar(c, 1));
    bz_program *p =
        bz_compile(c, releases_captured, &x, &(bz_compile_options){.nin = 1, .nout = 1});
    cr_expect_eq(bz_call(p, &one, &out), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(m[0], 2);
    EXPECT(out, 3);
    bz_close(c);
}

/* ---- bz_full: another value is no other program, and the bits are those of a constant */

static bz_status fills(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    const double *v = user;
    (void)nin, (void)nout;
    for (bz_dtype t = 0; t < BZ_NDTYPES; t++)
        out[t] = bz_mul(bz_full(c, BZ_SHAPE(2, 3), *v, t), bz_cast(in[0], t));
    return BZ_OK;
}

static void full_has_the_bits_of_a_constant(bz_context *c) {
    static const double values[] = {0,     -0.0,  1,        -1,  0.1, -2.5,
                                    1e-45, 1e300, INFINITY, NAN, 255, 4e9};
    bz_tensor *two = bz_full(c, NULL, 0, 2, BZ_F64);
    for (unsigned i = 0; i < sizeof values / sizeof *values; i++) {
        double v = values[i];
        bz_tensor *direct[BZ_NDTYPES], *traced[BZ_NDTYPES];
        bz_program *p =
            bz_compile(c, fills, &v, &(bz_compile_options){.nin = 1, .nout = BZ_NDTYPES});
        cr_assert_eq(fills(c, &two, 1, direct, BZ_NDTYPES, &v), BZ_OK);
        cr_assert_eq(bz_call(p, &two, traced), BZ_OK, "%s", bz_message(c));
        for (bz_dtype t = 0; t < BZ_NDTYPES; t++) {
            char a[96], b[96];
            size_t n = 6 * bz_dtype_size(t);
            cr_assert_eq(bz_to_host(direct[t], a, n), BZ_OK, "%s", bz_message(c));
            cr_assert_eq(bz_to_host(traced[t], b, n), BZ_OK, "%s", bz_message(c));
            cr_expect(!memcmp(a, b, n), "%g in %s", v, bz_dtype_name(t));
        }
    }
}

Test(record, full_has_the_bits_of_a_constant) {
    on_all(full_has_the_bits_of_a_constant);
}

Test(record, full_of_another_value_is_no_other_program) {
    bz_context *c = open_one(BZ_CPU);
    bz_counters k;
    float want = 0;
    bz_tensor *x = bz_zeros(c, BZ_SHAPE(4), BZ_F32);
    for (int i = 0; i < 50; i++) {
        float rate = 0.3f / (float)(i + 2);
        bz_scope_begin(c);
        bz_tensor *lr = bz_full(c, NULL, 0, (double)rate, BZ_F32),
                  *by = bz_full(c, BZ_SHAPE(4), (double)rate, BZ_F32);
        x = bz_keep(bz_add(x, bz_add(by, lr)));
        want += rate + rate;
        cr_assert_eq(bz_eval(&x, 1), BZ_OK);
        bz_scope_end(c);
    }
    EXPECT(x, want, want, want, want);
    bz_get_counters(c, &k);
    cr_expect_leq(k.plan_misses, 2, "%d programs", (int)k.plan_misses);
    cr_expect_leq(k.kernels_built, 2);
    bz_close(c);
}
