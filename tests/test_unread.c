/* test_unread.c - loops beside values that nobody reads: a turn costs the same however many of them wait, and they are right when they
 * are read after all. What an evaluation looks at is counted, not timed. */
#include "tests/support/rt_support.h"

#include "runtime/eval/marks.h"

enum { MOST = 100 };

typedef struct loop {
    bz_context *c;
    bz_program *p;
    bz_tensor *w, *x, *kept[MOST];
} loop;

static bz_status half(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_mul(in[0], 0.5);
    return bz_context_status(c);
}

/* ---- turns: each keeps a value that is not read, and reads another; x halves */

static bz_tensor *call(loop *l, bz_tensor *in) {
    bz_tensor *y = NULL;
    cr_assert_eq(bz_call(l->p, &in, &y), BZ_OK, "%s", bz_message(l->c));
    return y;
}

/* A call of what was recorded a moment ago. */
static void calls(loop *l, int i) {
    l->kept[i] = bz_add(l->w, i);
    bz_tensor *b = bz_mul(l->x, 1);
    b = bz_add(b, 0);
    l->x = call(l, b);
}

/* What is kept is one chain. */
static void chain(loop *l, int i) {
    l->kept[i] = bz_add(i ? bz_sub(l->kept[i - 1], i - 1) : l->w, i);
    l->x = call(l, bz_add(l->x, 0));
}

/* What is kept reads what is computed. */
static void reads(loop *l, int i) {
    bz_tensor *b = bz_add(l->x, 0);
    l->kept[i] = bz_add(bz_sub(b, l->x), bz_add(l->w, i));
    l->x = call(l, b);
}

/* No call: an element is read. */
static void items(loop *l, int i) {
    l->kept[i] = bz_add(l->w, i);
    bz_tensor *b = bz_mul(l->x, 0.5);
    bz_item(bz_select(b, 0, 0));
    l->x = b;
}

/* Gradients are kept, in whatever order their nodes stand. */
static void gradients(loop *l, int i) {
    bz_tensor *a = bz_add(l->w, i), *b = bz_mul(a, l->x), *d[2];
    bz_grad(bz_sum(bz_exp(b), BZ_ALL), (bz_tensor *[]){l->x, a}, 2, d);
    l->kept[i] = bz_add(bz_sub(d[0], d[0]), a);
    l->x = call(l, bz_add(l->x, 0));
}

/* A tensor is written window by window. */
static void writes(loop *l, int i) {
    static bz_tensor *table;
    if (i == 0) table = bz_zeros(l->c, BZ_SHAPE(MOST, 4), BZ_F32);
    bz_copy_(bz_select(table, 0, i), l->x);
    l->kept[i] = bz_add(l->w, i);
    l->x = call(l, bz_add(bz_select(table, 0, i), 0));
}

static const struct {
    const char *name;
    void (*turn)(loop *l, int i);
} turns[] = {{"calls", calls}, {"chain", chain},         {"reads", reads},
             {"items", items}, {"gradients", gradients}, {"writes", writes}};

/* What the evaluations of n turns looked at. */
static uint64_t run(unsigned kind, int n, bool last_first) {
    loop l = {.c = open_one(BZ_CPU)};
    l.w = bz_ones(l.c, BZ_SHAPE(4), BZ_F32);
    l.x = bz_full(l.c, BZ_SHAPE(4), 1, BZ_F32);
    l.p = bz_compile(l.c, half, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    bz_eval((bz_tensor *[]){l.w, l.x}, 2);
    uint64_t before = l.c->evaluation->seen;
    for (int i = 0; i < n; i++) turns[kind].turn(&l, i);
    uint64_t seen = l.c->evaluation->seen - before;
    cr_expect_eq(bz_item(bz_select(l.x, 0, 3)), ldexp(1, -n), "%s",
                 turns[kind].name);
    for (int k = 0; k < n; k++) {
        int i = last_first ? n - 1 - k : k;
        cr_expect_eq(bz_item(bz_select(l.kept[i], 0, 1)), i + 1, "%s: %d", turns[kind].name, i);
    }
    cr_expect_eq(bz_context_status(l.c), BZ_OK, "%s", bz_message(l.c));
    bz_close(l.c);
    return seen;
}

Test(unread, a_turn_costs_the_same_however_many_wait) {
    for (unsigned k = 0; k < sizeof turns / sizeof *turns; k++) {
        uint64_t few = run(k, MOST / 4, false), many = run(k, MOST, true);
        cr_expect_leq(many, 5 * few + 100, "%s: %llu looks in %d turns, %llu in %d", turns[k].name,
                      (unsigned long long)few, MOST / 4, (unsigned long long)many, MOST);
    }
}
