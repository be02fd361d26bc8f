/* test_loops_build.c - the builder, the cleaner and the ABI's questions; memory that runs out at
 * every allocation. */
#include "tests/support/loops.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

typedef struct setup {
    lp_kernel *k;
    lp_builder *b;
    lp_val x, y, n, s;
} setup;

static setup start(void) {
    setup t = {.k = lp_kernel_new("k")};
    t.b = lp_builder_new(t.k);
    t.x = lp_add_buffer(t.b, "x", BZ_F32, LP_IN);
    t.y = lp_add_buffer(t.b, "y", BZ_F32, LP_OUT);
    t.n = lp_add_extent(t.b, "n");
    t.s = lp_add_scalar(t.b, "s", BZ_F32);
    return t;
}

static void stop(setup *t) {
    lp_builder_free(t->b);
    lp_kernel_free(t->k);
}

static lp_val base2(lp_builder *b, ir_op op, lp_val x, lp_val y) {
    return lp_base(b, op, (bz_dtype)lp_at(b, x)->dtype, (lp_val[]){x, y}, 2);
}

static void expect_index(const setup *t, lp_val v, int64_t want) {
    cr_assert_eq(lp_at(t->b, v)->op, LP_CONST);
    cr_assert_eq(lp_at(t->b, v)->imm, want);
}

/* ---- simplification and numbering */

Test(loops_build, integer_constants_fold) {
    setup t = start();
    static const struct {
        ir_op op;
        int64_t x, y, want;
    } folds[] = {
        {IR_ADD, 3, 4, 7},
        {IR_ADD, INT64_MAX, 1, INT64_MIN},
        {IR_SUB, 3, 4, -1},
        {IR_MUL, -3, 4, -12},
        {IR_IDIV, 7, 2, 3},
        {IR_IDIV, -7, 2, -4},
        {IR_IDIV, 7, -2, -4},
        {IR_IDIV, 7, 0, 0},
        {IR_IDIV, INT64_MIN, -1, INT64_MIN},
        {IR_IMOD, 7, 3, 1},
        {IR_IMOD, -7, 3, 2},
        {IR_IMOD, 7, -3, -2},
        {IR_IMOD, INT64_MIN, -1, 0},
        {IR_IMOD, 7, 0, 0},
        {IR_MIN, 3, -4, -4},
        {IR_MAX, 3, -4, 3},
    };
    for (size_t i = 0; i < BZ_LEN(folds); i++)
        expect_index(&t,
                     base2(t.b, folds[i].op, lp_index(t.b, folds[i].x), lp_index(t.b, folds[i].y)),
                     folds[i].want);
    lp_val v = lp_laneid(t.b, BZ_I64, 4);
    lp_val twice = base2(t.b, IR_ADD, lp_const(t.b, BZ_I64, 1, 4), lp_index(t.b, 2));
    expect_index(&t, twice, 3);
    cr_assert_eq(lp_at(t.b, twice)->lanes, 4);
    cr_assert_eq(base2(t.b, IR_MUL, v, lp_index(t.b, 1)), v);
    stop(&t);
}

Test(loops_build, neutral_elements_go) {
    setup t = start();
    lp_val zero = lp_index(t.b, 0), one = lp_index(t.b, 1);
    cr_assert_eq(lp_iadd(t.b, t.n, zero), t.n);
    cr_assert_eq(lp_iadd(t.b, zero, t.n), t.n);
    cr_assert_eq(base2(t.b, IR_SUB, t.n, zero), t.n);
    cr_assert_neq(base2(t.b, IR_SUB, zero, t.n), t.n);
    cr_assert_eq(lp_imul(t.b, t.n, one), t.n);
    cr_assert_eq(lp_imul(t.b, one, t.n), t.n);
    cr_assert_eq(lp_imul(t.b, t.n, zero), zero);
    cr_assert_eq(base2(t.b, IR_IDIV, t.n, one), t.n);
    cr_assert_eq(base2(t.b, IR_IMOD, t.n, one), zero);
    cr_assert_neq(base2(t.b, IR_IDIV, one, t.n), t.n);
    cr_assert_eq(base2(t.b, IR_MIN, t.n, t.n), t.n);
    cr_assert_eq(lp_iadd(t.b, t.n, lp_index(t.b, 5)), lp_iadd(t.b, lp_index(t.b, 5), t.n));
    cr_assert_eq(lp_offset(t.b, t.x, zero), t.x);
    lp_val f = lp_const(t.b, BZ_F32, 0, 1);
    cr_assert_neq(base2(t.b, IR_ADD, t.s, f), t.s, "-0 + 0 is not -0");
    stop(&t);
}

/* What begins at multiples of 64, in an axis of 49 * 64. */
Test(loops_build, vectors_of_a_block_share_a_division) {
    setup t = start();
    lp_val zero = lp_index(t.b, 0), by = lp_index(t.b, 3136);
    lp_val i = lp_loop(t.b, LP_SERIAL, zero, t.n, 128, NULL, 0, NULL);
    lp_val q = lp_idiv(t.b, i, by), r = lp_imod(t.b, i, by);
    for (int64_t c = 1; c < 64; c++) {
        lp_val at = lp_iadd(t.b, i, lp_index(t.b, c));
        cr_expect_eq(lp_idiv(t.b, at, by), q, "%lld", (long long)c);
        cr_expect_eq(lp_imod(t.b, at, by), lp_iadd(t.b, r, lp_index(t.b, c)), "%lld", (long long)c);
    }
    lp_val next = lp_iadd(t.b, i, lp_index(t.b, 64));
    cr_expect_neq(lp_idiv(t.b, next, by), q);
    cr_expect_eq(lp_idiv(t.b, lp_iadd(t.b, i, lp_index(t.b, 80)), by), lp_idiv(t.b, next, by));
    cr_expect_eq(lp_idiv(t.b, lp_iadd(t.b, i, lp_index(t.b, -1)), by),
                 lp_idiv(t.b, lp_iadd(t.b, i, lp_index(t.b, -64)), by));
    lp_val odd = lp_idiv(t.b, lp_iadd(t.b, t.n, lp_index(t.b, 1)), by); /* n may be any number */
    cr_expect_neq(odd, lp_idiv(t.b, t.n, by));
    lp_end(t.b, NULL, 0, NULL);
    stop(&t);
}

Test(loops_build, equal_values_only_where_visible) {
    setup t = start();
    lp_val top = base2(t.b, IR_MUL, t.s, t.s);
    lp_val i = lp_loop(t.b, LP_PARALLEL, lp_index(t.b, 0), t.n, 1, NULL, 0, NULL);
    cr_assert_eq(base2(t.b, IR_MUL, t.s, t.s), top);
    lp_if(t.b, lp_base(t.b, IR_LT, BZ_BOOL, (lp_val[]){i, t.n}, 2));
    lp_val then = lp_iadd(t.b, i, i);
    lp_val load = lp_load(t.b, t.x, i, 1, 0, 0);
    cr_assert_neq(lp_load(t.b, t.x, i, 1, 0, 0), load, "loads are not numbered");
    lp_else(t.b, NULL, 0);
    lp_val other = lp_iadd(t.b, i, i);
    cr_assert_neq(other, then);
    lp_end(t.b, NULL, 0, NULL);
    lp_val after = lp_iadd(t.b, i, i);
    cr_assert(after != then && after != other);
    cr_assert_eq(lp_iadd(t.b, i, i), after);
    lp_end(t.b, NULL, 0, NULL);
    bz_error e = {0};
    cr_assert_eq(lp_verify(t.k, NULL, &e), BZ_OK, "%s", e.text);
    stop(&t);
}

/* ---- running out of memory: builds, prints, parses, cleans with the n-th allocation failing until
 * all succeed */

static lp_kernel *build(void) {
    lp_kernel *k = lp_kernel_new("k");
    lp_builder *b = lp_builder_new(k);
    if (b) {
        lp_val x = lp_add_buffer(b, "x", BZ_F32, LP_IN), y = lp_add_buffer(b, "y", BZ_F32, LP_OUT);
        lp_val n = lp_add_extent(b, "n"), sums[20], next[20], carried[20];
        lp_val i = lp_loop(b, LP_PARALLEL, lp_index(b, 0), n, 1, NULL, 0, NULL);
        for (unsigned j = 0; j < 20; j++) sums[j] = lp_const(b, BZ_F32, j, 8);
        lp_val l = lp_loop(b, LP_SERIAL, lp_index(b, 0), n, 1, sums, 20, carried);
        for (unsigned j = 0; j < 20; j++) {
            lp_val at = lp_iadd(b, lp_imul(b, i, lp_index(b, j + 2)), l);
            next[j] =
                lp_base(b, IR_ADD, BZ_F32, (lp_val[]){carried[j], lp_load(b, x, at, 8, 0, 0)}, 2);
        }
        lp_end(b, next, 20, sums);
        for (unsigned j = 0; j < 20; j++)
            lp_store(b, y, lp_iadd(b, i, lp_index(b, j)), sums[j], 0, 0);
        lp_end(b, NULL, 0, NULL);
    }
    if (k && (!b || k->failed)) {
        lp_kernel_free(k);
        k = NULL;
    }
    lp_builder_free(b);
    return k;
}

Test(loops_build, memory_runs_out_while_building) {
    lp_kernel *k = NULL;
    long n = 0;
    while (!k) {
        bz_mem_fail_after(n++);
        k = build();
        bz_mem_fail_after(-1);
    }
    cr_assert_gt(n, 8);
    bz_error e = {0};
    cr_assert_eq(lp_verify(k, NULL, &e), BZ_OK, "%s", e.text);
    lp_kernel_free(k);
}

Test(loops_build, memory_runs_out_while_parsing_and_cleaning) {
    char *text = loops_read("tests/kernels/gemm.loop");
    lp_module *m = NULL;
    long n = 0;
    while (!m) {
        bz_error e = {0};
        bz_mem_fail_after(n++);
        m = lp_parse(text, strlen(text), &e);
        bz_mem_fail_after(-1);
        cr_assert(m || e.status == BZ_ENOMEM, "%s", e.text);
    }
    cr_assert_gt(n, 10);
    lp_kernel *clean = NULL;
    for (n = 0; !clean; n++) {
        bz_mem_fail_after(n);
        clean = lp_clean(m->k.p[1]);
        bz_mem_fail_after(-1);
    }
    cr_assert_gt(n, 4);
    bz_status s = BZ_ENOMEM;
    for (n = 0; s != BZ_OK; n++) {
        bz_error e = {0};
        bz_mem_fail_after(n);
        s = lp_verify(clean, m, &e);
        bz_mem_fail_after(-1);
        cr_assert(s == BZ_OK || s == BZ_ENOMEM, "%s", e.text);
    }
    lp_kernel_free(clean);
    lp_module_free(m);
    free(text);
}

Test(loops_build, memory_runs_out_while_running) {
    lp_module *m = loops_load("scan");
    int32_t x[20] = {1, 2, 3};
    int64_t y[20], sums[2];
    lp_arg buffers[] = {{x, 20}, {y, 20}, {sums, 2}};
    bz_status s = BZ_ENOMEM;
    long n = 0;
    for (; s != BZ_OK; n++) {
        bz_error e = {0};
        lp_run_args a = {.buffers = buffers, .extents = (int64_t[]){20}};
        bz_mem_fail_after(n);
        s = lp_run(m->k.p[0], m, &a, &e);
        bz_mem_fail_after(-1);
        cr_assert(s == BZ_OK || s == BZ_ENOMEM, "%s", e.text);
    }
    cr_assert_gt(n, 6);
    cr_assert_eq(y[19], 6);
    lp_module_free(m);
}

/* ---- the ABI's questions */

Test(loops_build, phases_and_tasks) {
    lp_module *m = loops_load("gemm");
    const lp_kernel *k = m->k.p[1];
    cr_assert_eq(lp_phase_count(k), 2);
    int64_t extents[] = {9, 17, 5};
    cr_assert_eq(lp_phase_tasks(k, 0, extents, NULL), 3);
    cr_assert_eq(lp_phase_tasks(k, 1, extents, NULL), 3);
    extents[0] = 13, extents[1] = -5;
    cr_assert_eq(lp_phase_tasks(k, 0, extents, NULL), 0);
    cr_assert_eq(lp_phase_tasks(k, 1, extents, NULL), 4);
    lp_module_free(m);
    m = loops_parse("kernel k(; ; s: i32, f: bool) { %s = scalar s %f = scalar f %w: i64 = cast %s "
                    "%t = where %f, %w, 3\n"
                    "%l = loop parallel 0, %t { } %m = loop parallel 0, 7 { } }");
    cr_assert_eq(lp_phase_tasks(m->k.p[0], 0, NULL, (ir_bits[]){12, 1}), 12);
    cr_assert_eq(lp_phase_tasks(m->k.p[0], 0, NULL, (ir_bits[]){12, 0}), 3);
    cr_assert_eq(lp_phase_tasks(m->k.p[0], 1, NULL, NULL), 7);
    lp_module_free(m);
}

Test(loops_build, scratch_of_a_kernel_and_its_functions) {
    lp_module *m = loops_parse(
        "function f() { %a: *f32 = local [17] scratch }\n"
        "function g() { %a: *i8 = local [65] scratch call f() }\n"
        "kernel k() { %a: *f64 = local [1] scratch %b: *f64 = local [9] stack\n"
        "  %l = loop parallel 0, 1 { %c: *u8 = local [64] scratch call f() call g() } }");
    cr_assert_eq(lp_scratch_bytes(m->k.p[0], m), 128);
    cr_assert_eq(lp_scratch_bytes(m->k.p[1], m), 256);
    cr_assert_eq(lp_scratch_bytes(m->k.p[2], m), 128 + 256);
    cr_assert_eq(lp_scratch_bytes(m->k.p[2], NULL), 128);
    lp_module_free(m);
}

/* ---- the instructions that the kernels do not use */

Test(loops_build, other_instructions) {
    for (int way = 0; way < LOOPS_WAYS; way++) {
        bz_error e = {0};
        int32_t x[8] = {4, 7, 10, 3, 8, 8, 1, 2}, y[19], bins[5] = {0, 0, 0, 0, 9};
        const int32_t want[] = {4, 10, 8, 8, 2, -1, -1, -1, 0, 1, 77, -3, 7, 3, 8, 2, -3};
        memset(y, 0xff, sizeof y);
        lp_arg buffers[] = {{x, 8}, {y, 19}, {bins, 5}};
        ir_bits s = ir_bits_from_f64(BZ_F64, -3.7);
        lp_run_args a = {.buffers = buffers, .extents = (int64_t[]){8}, .scalars = &s};
        cr_assert_eq(loops_run("ops", way, a, &e), BZ_OK, "%s", e.text);
        for (size_t i = 0; i < BZ_LEN(want); i++)
            cr_assert_eq(y[i], want[i], "y[%zu] is %d", i, y[i]);
        cr_assert(y[17] == 0 && y[18] == 0);
        const int32_t counts[] = {3, 1, 2, 2, 10};
        cr_assert_arr_eq(bins, counts, sizeof counts);
    }
}

Test(loops_build, no_tasks_and_null_module) {
    lp_module *m = loops_parse("kernel k(y: f32 out; n) { %y = buffer y %n = extent n %l = loop "
                               "parallel 0, %n { store %y[%l], 2.0 } }");
    float y[3] = {0};
    bz_error e = {0};
    lp_run_args a = {.buffers = (lp_arg[]){{y, 3}}, .extents = (int64_t[]){-1}};
    cr_assert_eq(lp_run(m->k.p[0], NULL, &a, &e), BZ_OK);
    cr_assert_eq(y[0], 0);
    a.extents = (int64_t[]){3};
    for (a.shuffle = 0; a.shuffle < 50; a.shuffle++) {
        memset(y, 0, sizeof y);
        cr_assert_eq(lp_run(m->k.p[0], NULL, &a, &e), BZ_OK);
        cr_assert(y[0] == 2 && y[1] == 2 && y[2] == 2);
    }
    lp_module_free(m);
}

/* A pointer that leads into its buffer reaches all of it, and no more. */
Test(loops_build, pointers_that_begin_inside_a_buffer) {
    lp_module *m = loops_parse("kernel k(x: i32 in, y: i32 out; n) { %x = buffer x %y = buffer y "
                               "%n = extent n %l = loop parallel 0, 1 { %v: i32 = load %x[%n] "
                               "store %y[0], %v } }");
    int32_t x[5] = {10, 11, 12, 13, 14}, y[4] = {0};
    for (int64_t n = -4; n <= 3; n++) {
        bz_error e = {0};
        lp_run_args a = {
            .buffers = (lp_arg[]){{x, 5}, {y, 4}}, .extents = &n, .at = (int64_t[]){3, 2}};
        bool inside = n >= -3 && n < 2;
        cr_expect_eq(!lp_run(m->k.p[0], NULL, &a, &e), inside, "%d: %s", (int)n, e.text);
        if (inside) cr_expect_eq(y[2], 13 + n);
    }
    lp_module_free(m);
}

/* The order of tasks really changes: each task stores how many came before it. */
Test(loops_build, shuffled_tasks_come_in_another_order) {
    lp_module *m = loops_parse(
        "kernel k(y: i64 inout; n) { %y = buffer y %n = extent n %l = loop parallel 0, %n {\n"
        "  %c = load %y[%n] store %y[%l], %c %d = add %c, 1 store %y[%n], %d } }");
    int64_t y[65] = {0};
    bz_error e = {0};
    lp_run_args a = {.buffers = (lp_arg[]){{y, 65}}, .extents = (int64_t[]){64}, .shuffle = 7};
    cr_assert_eq(lp_run(m->k.p[0], NULL, &a, &e), BZ_OK);
    bool moved = false;
    for (int i = 0; i < 64; i++) moved |= y[i] != i;
    cr_assert(moved);
    lp_module_free(m);
}
