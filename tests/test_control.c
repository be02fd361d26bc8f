/* test_control.c - cond and while: the interpreter's bits on every device and in every mode, nested, with results that are inputs, that nobody
 * wants or that are given twice; mistakes in bodies, interrupts, and memory that runs out. */
#include "runtime/base/context.h"
#include "runtime/exec/device.h"
#include "runtime/io/array.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_run.h"
#include "tests/support/rt_support.h"

#include <pthread.h>
#include <unistd.h>

enum { MOST = 8 };

static const char *const programs[] = {
    /* a branch by a value, a loop with something captured, results of both, one twice, an input */
    "graph main(x: f32[4], n: i32) {\n"
    " %h = mul %x, 2.0\n %s = sum %h\n %p = gt %s, 0.0\n"
    " %a, %b = cond %p, %h, %x {then=f, else=g}\n"
    " %m = remainder %n, 5\n %i, %t = while 0, %a, %m {cond=c, body=b, captured=1}\n"
    " %r = add %t, %h\n return %r, %i, %a, %b, %x, %r\n}\n"
    "graph f(x: f32[4], y: f32[4]) {\n %z = add %x, %y\n return %z, %x\n}\n"
    "graph g(x: f32[4], y: f32[4]) {\n %z = sub %x, %y\n return %z, %y\n}\n"
    "graph c(i: i64, t: f32[4], n: i32) {\n %p = lt %i, %n\n return %p\n}\n"
    "graph b(i: i64, t: f32[4], n: i32) {\n %j = add %i, 1\n %u = mul %t, 1.5\n return %j, %u\n}\n",
    /* Newton's square roots: the test reads a tensor; a loop in a branch, a branch in the loop */
    "graph main(x: f32[3,50]) {\n %a = abs %x\n %p = le 0, 1\n"
    " %r = cond %p, %a {then=roots, else=same}\n %q = sub %r, %a\n return %q, %a\n}\n"
    "graph same(a: f32[3,50]) {\n return %a\n}\n"
    "graph roots(a: f32[3,50]) {\n %one = div %a, %a\n"
    " %k, %y = while 0, %one, %a {cond=more, body=step, captured=1}\n return %y\n}\n"
    "graph more(k: i64, y: f32[3,50], a: f32[3,50]) {\n %q = mul %y, %y\n %d = sub %q, %a\n"
    " %e = abs %d\n %m = max %e\n %far = gt %m, 0.001\n %few = lt %k, 20\n %p = logical_and %far, "
    "%few\n return %p\n}\n"
    "graph step(k: i64, y: f32[3,50], a: f32[3,50]) {\n %d = div %a, %y\n %s = add %y, %d\n %h = "
    "mul %s, 0.5\n"
    " %o = remainder %k, 2\n %odd = eq %o, 1\n %z = cond %odd, %h {then=keep, else=nudge}\n"
    " %j = add %k, 1\n return %j, %z\n}\n"
    "graph keep(y: f32[3,50]) {\n return %y\n}\n"
    "graph nudge(y: f32[3,50]) {\n %z = mul %y, 1.0000001\n return %z\n}\n",
    /* ends after as many turns as it may take; a row of what goes round is written in each, of another one only in a branch */
    "graph main(x: f32[6,5], y: f32[5]) {\n"
    " %i, %a, %r, %q = while 1, %x, %y, %x {cond=ever, body=row, most=4}\n"
    " %j, %b = while 3, %x, %y {cond=some, body=less, captured=1, most=100}\n"
    " %s = add %a, %q\n return %s, %b, %r, %i, %a\n}\n"
    "graph ever(i: i64, x: f32[6,5], y: f32[5], z: f32[6,5]) {\n %p = lt 0, 1\n return %p\n}\n"
    "graph row(i: i64, x: f32[6,5], y: f32[5], z: f32[6,5]) {\n %k = mul %i, 5\n %u = mul %y, 1.5\n"
    " %w = update %x %u %k {offset=0, strides=[1]} : f32[6,5]\n %o = remainder %i, 2\n %p = eq %o, 0\n"
    " %v = cond %p, %z, %u {then=first, else=same}\n %j = add %i, 1\n return %j, %w, %u, %v\n}\n"
    "graph first(z: f32[6,5], u: f32[5]) {\n %w = update %z %u {offset=0, strides=[1]} : f32[6,5]\n return %w\n}\n"
    "graph same(z: f32[6,5], u: f32[5]) {\n return %z\n}\n"
    "graph some(i: i64, x: f32[6,5], y: f32[5]) {\n %p = gt %i, 0\n return %p\n}\n"
    "graph less(i: i64, x: f32[6,5], y: f32[5]) {\n %j = sub %i, 1\n %k = mul %j, 5\n %a = while %x, %y {cond=once, body=add, captured=1, most=2}\n"
    " %w = update %a %y %k {offset=0, strides=[1]} : f32[6,5]\n return %j, %w\n}\n"
    "graph once(x: f32[6,5], y: f32[5]) {\n %p = lt 0, 1\n return %p\n}\n"
    "graph add(x: f32[6,5], y: f32[5]) {\n %a = mul %x, %y\n return %a\n}\n",
    /* never goes round; a result that nobody wants; sorts before and after share their parts */
    "graph main(x: f32[20]) {\n %v, %i = sort %x {axis=0}\n %t = neg %v\n"
    " %a, %b = while %v, %x {cond=never, body=swap}\n %w, %j = sort %b {axis=0}\n %d = sub %w, %v\n"
    " return %d, %i, %a\n}\n"
    "graph never(a: f32[20], b: f32[20]) {\n %p = lt 1, 0\n return %p\n}\n"
    "graph swap(a: f32[20], b: f32[20]) {\n return %b, %a\n}\n",
};

/* ---- one run on a device, beside the interpreter's */

typedef struct job {
    ir_module *m;
    const ir_graph *g;
    ir_value_array in[MOST], want[MOST], got[MOST];
} job;

static void job_open(job *j, const char *text, uint64_t seed) {
    bz_error e = {0};
    *j = (job){.m = irt_parse(text)};
    j->g = j->m->graphs.p[0];
    random_inputs(j->g, j->in, seed);
    cr_assert_eq(ir_interpret(j->g, j->in, j->want, &e), BZ_OK, "%s", e.text);
}

static void job_close(job *j) {
    free_values(j->in, j->g->inputs.n);
    free_values(j->want, j->g->outputs.n);
    ir_module_free(j->m);
}

static rt_buffer *buffer_of(bz_context *c, const ir_value_array *x, bz_error *e) {
    const rt_layout *l = rt_layout_of(c, x->shape, NULL, x->rank);
    rt_buffer *b = l ? rt_buffer_new(c, x->dtype, l) : NULL;
    if (!b) return NULL;
    if (!rt_move_bytes(rt_start(b), rt_host_spot(x->data), b->bytes, e)) return b;
    rt_buffer_unref(c, b);
    return NULL;
}

/* How many outputs differ; -1 and the status: it failed. */
static int run(bz_context *c, const job *j, bz_status *s, bz_error *e) {
    rt_buffer *in[MOST] = {0}, *out[MOST] = {0};
    ir_bits bits[MOST] = {0};
    int wrong = 0;
    rt_program *p = rt_program_new(c, j->g, c->mode == BZ_EAGER ? RT_EAGER : 0, e);
    *s = p ? BZ_OK : e->status;
    for (uint32_t i = 0; i < j->g->inputs.n && !*s; i++)
        *s = (in[i] = buffer_of(c, &j->in[i], e)) ? BZ_OK : BZ_ENOMEM;
    if (!*s) *s = rt_program_run(c, p, &(rt_call){in, bits, out, NULL});
    for (uint32_t i = 0; i < j->g->outputs.n && !*s; i++) {
        rt_bytes at;
        *s = rt_look(rt_start(out[i]), rt_array_bytes(&j->want[i]), &at, e);
        if (*s) break;
        wrong += memcmp(at.p, j->want[i].data, rt_array_bytes(&j->want[i])) != 0;
        rt_look_away(&at);
    }
    for (unsigned i = 0; i < MOST; i++) {
        rt_buffer_unref(c, in[i]);
        rt_buffer_unref(c, out[i]);
    }
    rt_program_free(c, p);
    return *s ? -1 : wrong;
}

static unsigned at_hand;

static void same_bits(bz_context *c) {
    bz_error e = {0};
    bz_status s;
    job j;
    for (uint64_t seed = 1; seed < 4; seed++) {
        job_open(&j, programs[at_hand], seed);
        cr_expect_eq(run(c, &j, &s, &e), 0, "program %u: %s %s", at_hand, e.text, bz_message(c));
        job_close(&j);
    }
}

Test(control, bits) {
    for (at_hand = 0; at_hand < BZ_LEN(programs); at_hand++) on_all(same_bits);
}

/* ---- mistakes and interrupts */

static const char outside[] =
    "graph main(x: f32[4,3]) {\n %k = iota {shape=[1], axis=0}\n"
    " %i, %s = while 2, %x {cond=c, body=b}\n return %s\n}\n"
    "graph c(i: i64, x: f32[4,3]) {\n %p = lt %i, 9\n return %p\n}\n"
    "graph b(i: i64, x: f32[4,3]) {\n %j = add %i, 1\n %at = reshape %j {shape=[1]}\n"
    " %r = gather %x, %at {axis=0}\n %y = add %x, %r\n return %j, %y\n}\n";

static const char endless[] =
    "graph main(x: f32[4]) {\n %y = while %x {cond=c, body=b}\n return %y\n}\n"
    "graph c(x: f32[4]) {\n %p = lt 0, 1\n return %p\n}\n"
    "graph b(x: f32[4]) {\n %y = add %x, 1.0\n return %y\n}\n";

Test(control, mistakes_in_a_body) {
    bz_context *c = open_one(BZ_CPU);
    bz_error e = {0};
    bz_status s;
    job j = {.m = irt_parse(outside)};
    j.g = j.m->graphs.p[0];
    random_inputs(j.g, j.in, 1);
    run(c, &j, &s, &e);
    cr_expect_eq(s, BZ_EINDEX);
    cr_expect(strstr(bz_message(c), "[gather] index 4 is outside axis 0 of 4"), "%s",
              bz_message(c));
    bz_clear(c);
    free_values(j.in, 1);
    ir_module_free(j.m);
    bz_close(c);
}

static void *interrupt_soon(void *c) {
    usleep(20000);
    bz_interrupt(c);
    return NULL;
}

Test(control, an_endless_loop_is_interrupted, .timeout = 60) {
    bz_context *c = open_one(BZ_CPU);
    bz_error e = {0};
    bz_status s;
    pthread_t t;
    job j = {.m = irt_parse(endless)};
    j.g = j.m->graphs.p[0];
    random_inputs(j.g, j.in, 1);
    cr_assert_eq(pthread_create(&t, NULL, interrupt_soon, c), 0);
    run(c, &j, &s, &e);
    pthread_join(t, NULL);
    cr_expect_eq(s, BZ_EINTERRUPTED);
    bz_clear(c);
    free_values(j.in, 1);
    ir_module_free(j.m);
    bz_close(c);
}

Test(control, memory_that_runs_out) {
    for (unsigned i = 0; i < BZ_LEN(programs); i++) {
        bz_context *c = open_one(BZ_CPU);
        bz_status s = BZ_ENOMEM;
        job j;
        job_open(&j, programs[i], 1);
        bz_error warm = {0};
        cr_assert_eq(run(c, &j, &s, &warm), 0); /* its code is there */
        s = BZ_ENOMEM;
        for (long n = 0; s; n++) {
            bz_error e = {0};
            bz_mem_fail_after(n);
            const int wrong = run(c, &j, &s, &e);
            bz_mem_fail_after(-1);
            cr_assert(s == BZ_ENOMEM || wrong == 0, "allocation %ld: status %d, %d wrong", n,
                      (int)s, wrong);
            bz_clear(c);
        }
        job_close(&j);
        bz_close(c);
    }
}
