/* slow_gpu_bands.c - attention and what is like it as one kernel of a GPU: emitted kernels on the emulated driver against the interpreter of
 * graphs, bit for bit, wherever the band's rows lie; launches, and memory that is not taken. */
#include "src/codegen/cuda.h"
#include "src/passes/pass.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/plan_run.h"

#include <stdlib.h>
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

/* q: [b, 2, m, d], k: [b, 2, n, d], v: [b, 2, n, e] */
static const char head[] =
    "graph main(q: $[@b,2,@m,@d], k: $[@b,2,@n,@d], v: $[@b,2,@n,@e], mask: $[@m,@n], dy: "
    "$[@b,2,@m,@e]) {\n %kt = permute %k {perm=[0,1,3,2]}\n";
static const char plain[] =
    " %s = matmul %q %kt\n %t = mul %s 0.125\n %p = softmax %t\n %y = matmul %p %v\n return %y\n}";
static const char causal[] =
    " %s = matmul %q %kt\n %t = mul %s 0.125\n %row = iota {shape=[@m]}\n %col = iota "
    "{shape=[@n]}\n"
    " %r = reshape %row {shape=[@m,1]}\n %later = gt %col %r\n %u = where %later -inf %t\n"
    " %p = softmax %u\n %y = matmul %p %v\n return %y\n}";
static const char masked[] =
    " %s = matmul %q %kt\n %t = add %s %mask\n %p = softmax %t\n %y = matmul %p %v\n %z = tanh %y\n"
    " %w = add %z %dy\n return %w, %p\n}";
static const char normed[] =
    " %s = matmul %q %kt\n %p = layer_norm %s\n %y = matmul %p %v\n return %y\n}";
/* the weights' gradients from the weights, which are read from memory */
static const char backward[] =
    " %s = matmul %q %kt\n %p = softmax %s\n %vt = permute %v {perm=[0,1,3,2]}\n"
    " %dp = matmul %dy %vt\n %a = mul %dp %p\n %c = sum %a {axes=[-1], keepdim=true}\n"
    " %f = sub %dp %c\n %ds = mul %f %p\n %dq = matmul %ds %k\n return %dq, %ds\n}";
/* v is no number where a mask hides it, or so small that a sum of nothing else is -0 */
static const char hidden[] =
    " %s = matmul %q %kt\n %row = iota {shape=[@m,1]}\n %col = iota {shape=[@n]}\n"
    " %later = gt %col %row\n %u = where %later -inf %s\n %p = softmax %u\n"
    " %key = iota {shape=[@n,1]}\n %here = eq %key 70\n %w = where %here inf %v\n"
    " %y = matmul %p %w\n return %y\n}";
static const char smallest[] =
    " %s = matmul %q %kt\n %row = iota {shape=[@m,1]}\n %col = iota {shape=[@n]}\n"
    " %later = gt %col %row\n %u = where %later -inf %s\n %p = softmax %u\n"
    " %w = mul %v 1e-45\n %y = matmul %p %w\n return %y\n}";
static ir_module *parse(const char *body, const char *dtype, const int *s) {
    bz_text t = {0}, own = {0};
    irt_fill(&t, head, "bmnde", s);
    irt_fill(&t, body, "bmnde", s);
    for (const char *p = bz_text_c(&t); *p; p++)
        *p == '$' ? bz_text_str(&own, dtype) : bz_text_add(&own, p, 1);
    ir_module *m = irt_parse(bz_text_c(&own));
    bz_text_free(&t);
    bz_text_free(&own);
    return m;
}

enum { STATIC = 48 << 10, LITTLE = 24 << 10, MUCH = 163 << 10 };

/* Everything that may be is a band; so much shared memory. */
static pass_target target_with(int64_t shared) {
    pass_target t = pass_gpu_target;
    t.cached = 0;
    t.shared = shared;
    return t;
}

static void expect_equal(const ir_graph *g, const ir_value_array *want, const ir_value_array *got,
                         const char *what) {
    for (uint32_t i = 0; i < g->outputs.n; i++)
        cr_expect_eq(first_difference(&want[i], &got[i]), -1, "%s: output %u at %lld", what, i,
                     (long long)first_difference(&want[i], &got[i]));
}

/* No kernel takes more shared memory than there is; targets have this much at the least. */
static void expect_shared(const pass_plan *p, int64_t most, const char *what) {
    for (uint32_t i = 0; i < p->code->k.n; i++)
        for (unsigned ph = 0; ph < lp_phase_count(p->code->k.p[i]); ph++) {
            const cuda_phase of = cuda_phase_of(p->code->k.p[i], p->code, ph);
            cr_expect_leq(of.shared, most < STATIC ? STATIC : most, "%s: %lld bytes", what,
                          (long long)of.shared);
        }
}

/* launches: of the plan, at most. */
static void check(const char *body, const char *dtype, const int *s, int64_t shared, uint64_t seed,
                  unsigned launches) {
    bz_error e = {0};
    ir_value_array in[8] = {{0}}, want[4] = {{0}}, got[4] = {{0}};
    char what[100];
    ir_module *m = parse(body, dtype, s);
    const ir_graph *g = m->graphs.p[0];
    const bool is_here = plan_cuda_ready();
    if (is_here && shared > plan_cuda_shared()) shared = plan_cuda_shared();
    const pass_target t = target_with(shared);
    snprintf(what, sizeof what, "%.40s %s %dx%dx%dx%dx%d in %lld", body, dtype, s[0], s[1], s[2],
             s[3], s[4], (long long)shared);
    random_inputs(g, in, seed);
    for (uint32_t i = 0; i < g->inputs.n && seed % 3 == 2; i++)
        sprinkle_specials(&in[i], &(uint64_t){seed + i});
    cr_assert_eq(ir_interpret(g, in, want, &e), BZ_OK, "%s: %s", what, e.text);
    pass_plan *p = pass_compile(g, &t, &e);
    cr_assert(p, "%s: %s", what, e.text);
    cr_expect_leq(p->launches.n, launches, "%s: %u launches", what, p->launches.n);
    expect_shared(p, shared, what);
    cr_assert_eq(plan_run(p, in, got, &e), BZ_OK, "%s: %s", what, e.text);
    expect_equal(g, want, got, what);
    free_values(got, g->outputs.n);
    if (is_here) {
        cr_assert_eq(plan_cuda(p, in, got, &e), BZ_OK, "%s: as CUDA C: %s", what, e.text);
        expect_equal(g, want, got, what);
        free_values(got, g->outputs.n);
    }
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
    pass_plan_free(p);
    ir_module_free(m);
}

/* One row; tails of bands, of vectors and of tiles; several tiles of columns; a warp's registers and beyond; blocks of 512 and of 4096. */
Test(gpu_bands, borders) {
    static const int sizes[][5] = {{1, 1, 2, 3, 2},     {2, 7, 9, 4, 5},     {1, 16, 64, 16, 64},
                                   {1, 17, 129, 9, 33}, {1, 65, 128, 8, 16}, {1, 33, 300, 64, 72},
                                   {1, 20, 1024, 4, 8}, {1, 19, 1032, 4, 4}, {1, 3, 4230, 2, 2},
                                   {1, 16, 513, 520, 4}};
    for (size_t i = 0; i < BZ_LEN(sizes); i += getenv("BRAZE_QUICK") ? 3 : 1) {
        check(causal, "f32", sizes[i], i % 2 ? STATIC : MUCH, i, 1);
        if (i % 2) check(plain, "f32", sizes[i], LITTLE, i + 1, 1);
    }
}

/* The product with v goes through keys that somebody sees, and through the others where they may change something. */
Test(gpu_bands, hidden_keys) {
    static const int sizes[][5] = {
        {1, 65, 128, 8, 16}, {1, 100, 1024, 4, 8}, {1, 3, 80, 4, 72}, {1, 600, 640, 4, 4}};
    for (size_t i = 0; i < BZ_LEN(sizes); i++)
        for (int small = 0; small < 2; small++)
            if (!getenv("BRAZE_QUICK") || (int)(i % 2) == small)
                check(small ? smallest : hidden, i == 2 ? "f64" : "f32", sizes[i],
                      i % 2 ? STATIC : MUCH, 3 * i, 1);
}

Test(gpu_bands, forms) {
    static const int sizes[][5] = {{1, 18, 40, 8, 12}, {2, 5, 1100, 4, 8}};
    for (size_t i = 0; i < BZ_LEN(sizes); i++)
        for (int much = 0; much < 2; much++) {
            const int64_t shared = much ? MUCH : LITTLE;
            check(masked, "f32", sizes[i], shared, 2, 1);
            check(normed, "f32", sizes[i], shared, 3, 1);
            check(backward, "f32", sizes[i], shared, 4, 2);
        }
}

Test(gpu_bands, dtypes) {
    static const char *const dtypes[] = {"f64", "f16", "bf16"};
    static const int sizes[][5] = {
        {1, 18, 40, 8, 12}, {1, 5, 1100, 4, 8}, {1, 1, 1100, 4, 8}, {1, 2, 1100, 12, 200}};
    for (size_t i = 0; i < BZ_LEN(dtypes); i++)
        for (size_t k = 0; k < BZ_LEN(sizes); k++)
            if (!getenv("BRAZE_QUICK") || i == k) check(causal, dtypes[i], sizes[k], STATIC, i, 1);
}

/* What is not in memory: the scores. What asks for more than any block may have: no more than it is told. */
Test(gpu_bands, memory) {
    static const struct {
        int s[5];
        int64_t shared, arena, dynamic;
    } cases[] = {{{1, 2048, 2048, 64, 64}, 163 << 10, 0, 163 << 10},
                 {{1, 2048, 2048, 64, 64}, 227 << 10, 0, 227 << 10},
                 {{1, 2048, 2048, 64, 64}, 64 << 10, 64 << 20, 0},
                 {{4, 512, 512, 64, 64}, 48 << 10, 0, 0},
                 {{4, 512, 512, 128, 128}, 99 << 10, 0, 99 << 10},
                 {{4, 512, 512, 128, 128}, 227 << 10, 0, 113 << 10}};
    for (size_t i = 0; i < BZ_LEN(cases); i++) {
        bz_error e = {0};
        ir_module *m = parse(causal, "f32", cases[i].s);
        pass_target t = pass_gpu_target;
        t.shared = cases[i].shared;
        pass_plan *p = pass_compile(m->graphs.p[0], &t, &e);
        cr_assert(p, "%s", e.text);
        cr_expect_eq(p->launches.n, 1u, "%zu: %u launches", i, p->launches.n);
        cr_expect_leq(p->arena_bytes, cases[i].arena, "%zu: %lld bytes", i,
                      (long long)p->arena_bytes);
        const lp_kernel *k = p->code->k.p[p->launches.p[0].segments[0].kernel];
        cr_expect_eq(lp_phase_count(k), 1u);
        const cuda_phase of = cuda_phase_of(k, p->code, 0);
        cr_expect_leq(of.shared, t.shared);
        cr_expect_leq(of.dynamic, cases[i].dynamic, "%zu: %lld", i, (long long)of.dynamic);
        pass_plan_free(p);
        ir_module_free(m);
    }
}

/* Matrix units are for products alone. */
Test(gpu_bands, none_in_fast_mode) {
    bz_error e = {0};
    ir_module *m = parse(causal, "f32", (int[]){1, 512, 512, 64, 64});
    const pass_target t = pass_gpu_of(80, true);
    pass_plan *p = pass_compile(m->graphs.p[0], &t, &e);
    cr_assert(p, "%s", e.text);
    cr_expect_eq(p->launches.n, 3u);
    pass_plan_free(p);
    ir_module_free(m);
}

/* Turns of loops that the code decides at run time, and its branches. */
static void count_decisions(const char *body, unsigned *turns, unsigned *branches) {
    bz_error e = {0};
    ir_module *m = parse(body, "f32", (int[]){1, 64, 2048, 64, 64});
    const pass_target t = target_with(MUCH);
    pass_plan *p = pass_compile(m->graphs.p[0], &t, &e);
    cr_assert(p, "%s", e.text);
    const lp_kernel *k = p->code->k.p[0];
    *turns = *branches = 0;
    for (uint32_t i = 0; i < k->inst.n; i++) {
        const lp_inst *in = &k->inst.p[i];
        *branches += in->op == LP_IF;
        *turns += in->op == LP_LOOP && (in->flags & 15) == LP_SERIAL &&
                  k->inst.p[lp_args(k, in)[1]].op != LP_CONST;
    }
    pass_plan_free(p);
    ir_module_free(m);
}

Test(gpu_bands, what_nobody_sees_is_left_out) {
    unsigned all, seen, branches, more;
    count_decisions(plain, &all, &branches);
    count_decisions(causal, &seen, &more);
    cr_expect_geq(seen, all + 3, "the passes of a row: %u, %u", all, seen);
    cr_expect_gt(more, branches, "tiles: %u, %u", branches, more);
}
