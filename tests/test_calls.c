/* test_calls.c - a call inside a trace does what a call outside does: each function is called directly, in a function that is
 * compiled, and in one that such a function calls. Values of outputs and inputs, statuses and messages are the same. */
#include "tests/support/rt_support.h"

#include <stdio.h>

enum { MOST = 8, N = 3 };

typedef struct call_case {
    const char *name;
    bz_function *fn;
    bz_compile_options o;
    bz_status status;
    const char *text;
} call_case;

typedef struct caller {
    const call_case *k;
    bz_context *c;
    bz_program *inner; /* of the case, or of the caller below */
    bool calls_case;   /* inner is the case's program */
} caller;

static bz_tensor *captured; /* from outside */

#define FUNCTION(name)                                                                             \
    static bz_status name(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, \
                          void *user)
#define UNUSED (void)c, (void)in, (void)nin, (void)out, (void)nout, (void)user

/* ---- functions to call */

FUNCTION(swap) {
    UNUSED;
    out[0] = in[1], out[1] = in[0];
    return BZ_OK;
}
FUNCTION(rotate_and_sum) {
    UNUSED;
    out[0] = in[1], out[1] = in[2], out[2] = in[0];
    out[3] = bz_add(bz_mul(in[0], in[1]), in[2]);
    return BZ_OK;
}
FUNCTION(one_result_three_times) {
    UNUSED;
    out[0] = out[1] = out[2] = bz_neg(in[0]);
    return BZ_OK;
}
FUNCTION(changes_what_is_donated) {
    UNUSED;
    bz_tensor *before = bz_copy(in[0]);
    bz_add_(bz_select(in[0], 0, 1), bz_select(in[1], 0, 0));
    out[0] = in[0], out[1] = before;
    return BZ_OK;
}
FUNCTION(changes_what_it_made) {
    UNUSED;
    bz_tensor *t = bz_copy(in[0]);
    bz_fill_(bz_select(t, 0, 0), 9);
    out[0] = t, out[1] = bz_select(in[0], 0, 0);
    return BZ_OK;
}
FUNCTION(changes_its_input) {
    UNUSED;
    out[0] = bz_copy(in[0]);
    bz_add_(in[0], in[0]);
    return BZ_OK;
}
FUNCTION(changes_a_view_of_its_input) {
    UNUSED;
    out[0] = bz_copy(in[0]);
    bz_fill_(bz_reshape(in[0], BZ_SHAPE(N, 1)), 1);
    return BZ_OK;
}
FUNCTION(changes_what_is_captured) {
    UNUSED;
    out[0] = bz_copy(in[0]);
    bz_fill_(captured, 1);
    return BZ_OK;
}
FUNCTION(captures) {
    UNUSED;
    out[0] = bz_add(in[0], captured);
    return BZ_OK;
}
FUNCTION(draws) {
    UNUSED;
    out[0] = bz_add(in[0], bz_rand(c, BZ_SHAPE(N), BZ_F32));
    out[1] = bz_randn(c, BZ_SHAPE(2), BZ_F32);
    return BZ_OK;
}
FUNCTION(gives_up) {
    UNUSED;
    return BZ_EUNSUPPORTED;
}
FUNCTION(goes_on_after_a_mistake) {
    UNUSED;
    bz_matmul(in[0], in[0]);
    bz_add(in[0], bz_zeros(c, BZ_SHAPE(5), BZ_F32));
    out[0] = in[0];
    return BZ_OK;
}
FUNCTION(sets_nothing) {
    UNUSED;
    return BZ_OK;
}
FUNCTION(sets_a_stale_one) {
    UNUSED;
    out[0] = bz_neg(in[0]);
    bz_release(out[0]);
    return BZ_OK;
}
FUNCTION(does_not_fit) {
    UNUSED;
    out[0] = bz_sum(in[0], NULL, 0, false);
    return BZ_OK;
}
FUNCTION(ends_a_scope) {
    UNUSED;
    out[0] = bz_neg(in[0]);
    return bz_scope_end(c);
}
FUNCTION(leaves_scopes_open) {
    UNUSED;
    bz_scope_begin(c);
    out[0] = bz_neg(in[0]);
    bz_scope_begin(c);
    return BZ_OK;
}
FUNCTION(reads) {
    UNUSED;
    out[0] = in[0];
    return isnan(bz_item(bz_select(in[0], 0, 0))) ? bz_context_status(c) : BZ_OK;
}
FUNCTION(differentiates) {
    UNUSED;
    bz_tensor *loss = bz_sum(bz_mul(bz_square(in[0]), in[1]), NULL, 0, false);
    return bz_grad(loss, in, 2, out);
}
FUNCTION(releases_and_keeps) {
    UNUSED;
    bz_scope_begin(c);
    out[0] = bz_keep(bz_exp(in[0]));
    bz_scope_end(c);
    bz_release(in[1]);
    return BZ_OK;
}

#define D(...)                                                                                     \
    (const int[]) {                                                                                \
        __VA_ARGS__                                                                                \
    }
static const call_case cases[] = {
    {"swap", swap, {.nin = 2, .nout = 2, .donate = D(0, 1)}, 0, NULL},
    {"swap, not donated", swap, {.nin = 2, .nout = 2}, 0, NULL},
    {"swap, crosswise", swap, {.nin = 2, .nout = 2, .donate = D(1, 0)}, 0, NULL},
    {"rotate", rotate_and_sum, {.nin = 3, .nout = 4, .donate = D(0, 1, 2)}, 0, NULL},
    {"rotate, in part", rotate_and_sum, {.nin = 3, .nout = 4, .donate = D(3, -1, 0)}, 0, NULL},
    {"one result", one_result_three_times, {.nin = 2, .nout = 3, .donate = D(2, 0)}, 0, NULL},
    {"donated and changed",
     changes_what_is_donated,
     {.nin = 2, .nout = 2, .donate = D(0, -1)},
     0,
     NULL},
    {"made and changed", changes_what_it_made, {.nin = 1, .nout = 2}, 0, NULL},
    {"changed input", changes_its_input, {.nin = 1, .nout = 1}, BZ_EMODE, "donate it"},
    {"changed view of an input",
     changes_a_view_of_its_input,
     {.nin = 1, .nout = 1},
     BZ_EMODE,
     "donate it"},
    {"changed captured tensor",
     changes_what_is_captured,
     {.nin = 1, .nout = 1},
     BZ_EMODE,
     "from outside"},
    {"captured", captures, {.nin = 1, .nout = 1}, 0, NULL},
    {"captured, donated", captures, {.nin = 1, .nout = 1, .donate = D(0)}, 0, NULL},
    {"random", draws, {.nin = 1, .nout = 2}, 0, NULL},
    {"gives up", gives_up, {.nin = 1, .nout = 1}, BZ_EUNSUPPORTED, "gave up"},
    {"goes on", goes_on_after_a_mistake, {.nin = 1, .nout = 1, .donate = D(0)}, BZ_ESHAPE, NULL},
    {"sets nothing", sets_nothing, {.nin = 1, .nout = 1}, BZ_ESCOPE, "did not set output 0"},
    {"stale", sets_a_stale_one, {.nin = 1, .nout = 1}, BZ_ESCOPE, "stale"},
    {"does not fit",
     does_not_fit,
     {.nin = 1, .nout = 1, .donate = D(0)},
     BZ_ESHAPE,
     "donated to output 0"},
    {"ends a scope", ends_a_scope, {.nin = 1, .nout = 1}, BZ_ESCOPE, "not the function's"},
    {"leaves scopes open", leaves_scopes_open, {.nin = 1, .nout = 1, .donate = D(0)}, 0, NULL},
    {"reads", reads, {.nin = 1, .nout = 1}, BZ_EMODE, "traces"},
    {"differentiates", differentiates, {.nin = 2, .nout = 2, .donate = D(1, 0)}, 0, NULL},
    {"releases and keeps", releases_and_keeps, {.nin = 2, .nout = 1}, 0, NULL},
};

/* ---- what has no sense in a trace */

enum {
    ITEM,
    ITEM_INT,
    TO_HOST,
    PRINT,
    FORMAT,
    SAVE_NPY,
    SAVE_NPZ,
    EVAL,
    FLUSH,
    SEED,
    PREPARE,
    NREADERS
};
typedef struct reader_case {
    int which;
    bz_program *other;
} reader_case;

FUNCTION(uses_a_value) {
    UNUSED;
    const reader_case *r = user;
    float v[N];
    char text[16];
    out[0] = bz_neg(in[0]);
    switch (r->which) {
    case ITEM:
        return isnan(bz_item(out[0])) ? BZ_OK : BZ_EARG; /* it goes on, and fails all the same */
    case ITEM_INT: return bz_item_int(out[0]) ? BZ_EARG : BZ_OK;
    case TO_HOST: return bz_to_host(out[0], v, sizeof v);
    case PRINT: return bz_print(out[0]);
    case FORMAT: return bz_format(out[0], text, sizeof text) ? BZ_EARG : BZ_OK;
    case SAVE_NPY: return bz_save_npy(out[0], "/nowhere/x.npy");
    case SAVE_NPZ: return bz_save_npz(c, "/nowhere/x.npz", (const char *[]){"x"}, out, 1, false);
    case EVAL: return bz_eval(out, 1);
    case FLUSH: return bz_flush(out[0]);
    case SEED: return bz_seed(c, 3);
    default: return bz_prepare(r->other, in);
    }
}

Test(calls, what_has_no_sense_in_a_trace_names_itself) {
    static const char *const says[NREADERS] = {
        "[item] no values while bz_compile traces a function: return the tensor instead",
        "[item_int] no values while",
        "[to_host] no values while",
        "[print] no values while",
        "[format] no values while",
        "[save_npy] no values while",
        "[save_npz] no values while",
        "[eval] no values while",
        "[flush] nothing is computed while bz_compile traces a function: call it outside",
        "[seed] the random stream stays while bz_compile traces a function: call it before",
        "[prepare] nothing is compiled while bz_compile traces a function: call it outside",
    };
    for (int k = 0; k < NREADERS; k++) {
        bz_context *c = open_one(BZ_REF);
        bz_tensor *x = bz_ones(c, NULL, 0, BZ_F32), *y;
        const bz_compile_options o = {.nin = 1, .nout = 1};
        reader_case r = {k, bz_compile(c, draws, NULL, &o)};
        cr_expect_eq(bz_call(bz_compile(c, uses_a_value, &r, &o), &x, &y), BZ_EMODE, "%s", says[k]);
        cr_expect(strstr(bz_message(c), says[k]) == bz_message(c) &&
                      strstr(bz_message(c), " at tests/test_calls.c:"),
                  "'%s' is not: %s", says[k], bz_message(c));
        bz_close(c);
    }
}

FUNCTION(sets_the_mode) {
    UNUSED;
    out[0] = bz_neg(in[0]);
    return bz_set_mode(c, BZ_EAGER);
}

/* A traced function runs once for many calls: the mode that it sets ends with it. */
Test(calls, a_mode_set_in_a_trace_ends_with_it) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_ones(c, NULL, 0, BZ_F32), *y;
    bz_program *p = bz_compile(c, sets_the_mode, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(bz_call(p, &x, &y), BZ_OK, "%s", bz_message(c));
        cr_expect_eq(bz_get_mode(c), BZ_LAZY);
    }
    bz_close(c);
}

/* ---- the three ways */

/* Calls the case on x; all = its outputs, then the inputs as they are afterwards, then the views of them. */
static bz_status call_case_on(const call_case *k, bz_program *p, bz_tensor **x, bz_tensor **all) {
    bz_tensor *view[MOST];
    for (int i = 0; i < k->o.nin; i++) view[i] = bz_select(x[i], 0, 1);
    bz_status s = bz_call(p, x, all);
    for (int i = 0; i < k->o.nin; i++) {
        all[k->o.nout + 2 * i] = x[i];
        all[k->o.nout + 2 * i + 1] = view[i];
    }
    return s;
}

static bz_status outer(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    const caller *w = user;
    (void)c, (void)nout;
    if (!w->calls_case) return bz_call(w->inner, in, out);
    bz_tensor *x[MOST];
    for (int i = 0; i < nin; i++) x[i] = bz_copy(in[i]);
    return call_case_on(w->k, w->inner, x, out);
}

/* Rows of results, or the status. way: 0 direct, 1 in a trace, 2 in a trace in a trace. */
static bz_status play(const call_case *k, bz_mode mode, bz_device d, int way,
                      float got[3 * MOST][N], char *message) {
    bz_context *c;
    cr_assert_eq(bz_open(&(bz_options){.mode = mode, .device = d, .seed = 5}, &c), BZ_OK);
    bz_tensor *x[MOST], *all[3 * MOST];
    captured = bz_full(c, NULL, 0, 100, BZ_F32);
    for (int i = 0; i < k->o.nin; i++) {
        float v[N] = {(float)i + 1, 2 * (float)i + 5, -3};
        x[i] = bz_from_data(c, BZ_F32, v, BZ_SHAPE(N));
    }
    int n = k->o.nout + 2 * k->o.nin;
    bz_program *p = bz_compile(c, k->fn, NULL, &k->o);
    caller w[2] = {{k, c, p, true}, {k, c, NULL, false}};
    bz_status s = BZ_OK;
    w[1].inner = bz_compile(c, outer, &w[0], &(bz_compile_options){.nin = k->o.nin, .nout = n});
    bz_program *deep =
        bz_compile(c, outer, &w[1], &(bz_compile_options){.nin = k->o.nin, .nout = n});
    for (int again = 0; again < 2 && !s; again++) {
        if (way == 0) {
            bz_tensor *copy[MOST];
            for (int i = 0; i < k->o.nin; i++) copy[i] = bz_copy(x[i]);
            s = call_case_on(k, p, copy, all);
        } else {
            s = bz_call(way == 1 ? w[1].inner : deep, x, all);
        }
    }
    snprintf(message, 600, "%s", bz_message(c));
    bz_clear(c);
    memset(got, 0, 3 * MOST * sizeof *got);
    for (int i = 0; i < n && !s; i++)
        cr_expect_eq(bz_to_host(all[i], got[i], (size_t)bz_numel(all[i]) * sizeof(float)), BZ_OK,
                     "%s, way %d, %d: %s", k->name, way, i, bz_message(c));
    bz_tensor *more = bz_rand(c, BZ_SHAPE(N), BZ_F32); /* the stream went on alike */
    bz_to_host(more, got[3 * MOST - 1], sizeof *got);
    bz_tensor *sum = bz_add(captured, captured);
    cr_expect_eq(bz_item(sum), 200, "%s, way %d", k->name, way);
    bz_close(c);
    return s;
}

Test(calls, inside_traces) {
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int mode = BZ_LAZY; mode <= BZ_EAGER; mode++)
            for (int device = BZ_CPU; device <= BZ_REF; device++)
                for (int way = 0; way < 3; way++) {
                    const call_case *k = &cases[i];
                    float want[3 * MOST][N], got[3 * MOST][N];
                    char message[600], direct[600];
                    play(k, BZ_LAZY, BZ_REF, 0, want, direct);
                    bz_status s = play(k, (bz_mode)mode, (bz_device)device, way, got, message);
                    cr_expect_eq(s, k->status, "%s, way %d: status %d %s", k->name, way, (int)s,
                                 message);
                    cr_expect(!k->text || strstr(message, k->text), "%s, way %d: '%s'", k->name,
                              way, message);
                    for (int r = 0; r < 3 * MOST && !s; r++)
                        cr_expect(memcmp(want[r], got[r], sizeof want[r]) == 0,
                                  "%s, mode %d, device %d, way %d, row %d: %g %g %g, not %g %g %g",
                                  k->name, mode, device, way, r, (double)got[r][0],
                                  (double)got[r][1], (double)got[r][2], (double)want[r][0],
                                  (double)want[r][1], (double)want[r][2]);
                }
}

/* ---- what a caller may not hand in, outside and inside */

static const call_case swap_both = {
    "swap", swap, {.nin = 2, .nout = 2, .donate = D(0, 1)}, 0, NULL};

static bz_status twice(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout;
    bz_tensor *x = bz_copy(in[0]), *same = bz_reshape(x, BZ_SHAPE(N));
    return bz_call(user, (bz_tensor *[]){x, same}, out);
}
static bz_status hands_on_its_input(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                                    int nout, void *user) {
    (void)c, (void)nin, (void)nout;
    return bz_call(user, (bz_tensor *[]){in[0], bz_copy(in[0])}, out);
}
static bz_status hands_on_what_is_captured(bz_context *c, bz_tensor *const *in, int nin,
                                           bz_tensor **out, int nout, void *user) {
    (void)c, (void)nin, (void)nout;
    return bz_call(user, (bz_tensor *[]){bz_copy(in[0]), captured}, out);
}
static bz_status hands_on_a_view(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                                 int nout, void *user) {
    (void)c, (void)nin, (void)nout;
    bz_tensor *x = bz_copy(in[0]), *y = bz_stack((bz_tensor *[]){x, x}, 2, 0);
    return bz_call(user, (bz_tensor *[]){x, bz_select(y, 0, 1)}, out);
}

Test(calls, that_are_refused) {
    static const struct {
        bz_function *fn;
        bz_status status;
        const char *text;
    } bad[] = {
        {twice, BZ_EARG, "was donated before"},
        {hands_on_its_input, BZ_EMODE, "donate it"},
        {hands_on_what_is_captured, BZ_EMODE, "from outside"},
        {hands_on_a_view, BZ_EARG, "only whole tensors"},
    };
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3}), BZ_SHAPE(N)), *out[2];
    captured = bz_ones(c, BZ_SHAPE(N), BZ_F32);
    bz_program *p = bz_compile(c, swap_both.fn, NULL, &swap_both.o);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bz_program *q = bz_compile(c, bad[i].fn, p, &(bz_compile_options){.nin = 1, .nout = 2});
        cr_expect_eq(bz_call(q, &x, out), bad[i].status, "%zu: %s", i, bz_message(c));
        cr_expect(strstr(bz_message(c), bad[i].text), "%zu: %s", i, bz_message(c));
        bz_clear(c);
    }
    cr_expect_eq(twice(c, &x, 1, out, 2, p), BZ_EARG);
    bz_clear(c);
    cr_expect_eq(hands_on_a_view(c, &x, 1, out, 2, p), BZ_EARG);
    bz_clear(c);
    EXPECT(x, 1, 2, 3);
    EXPECT(captured, 1, 1, 1);
    cr_expect_eq(hands_on_what_is_captured(c, &x, 1, out, 2, p), BZ_OK, "%s", bz_message(c));
    EXPECT(captured, 1, 2, 3);
    bz_close(c);
}
