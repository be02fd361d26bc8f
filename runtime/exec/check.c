/* check.c - BRAZE_CHECK=1: each program of a device that computes beside the reference interpreter.
 *
 *     rt_expect: the interpreter's results, before donated inputs change --> the program runs --> rt_compare: bit by bit
 *
 * Every bit is promised (docs/numerics.md), so a line that says `differs` is a bug of braze. */
#include "runtime/exec/device.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct rt_expected {
    bz_status status; /* the interpreter's */
    bz_error e;
    uint32_t n;
    ir_value_array outputs[];
};

rt_expected *rt_expect(bz_context *c, rt_program *p, const rt_call *call) {
    uint32_t n = p->noutputs;
    rt_expected *want = bz_mem_zero(1, sizeof *want + n * sizeof *want->outputs);
    if (!want) return NULL;
    want->n = n;
    want->status = rt_interpret(c, p, call, want->outputs, &want->e);
    return want;
}

/* Where a value stands among all of its dtype, in order: neighbours are 1 apart, -0 and +0 too. */
static int64_t rank_of(bz_dtype t, ir_bits bits) {
    unsigned width = 8 * (unsigned)ir_dtype_bytes(t);
    int64_t v = (int64_t)(bits << (64 - width)) >> (64 - width);
    if (!ir_is_float(t) || v >= 0) return v;
    return -1 - (v & (int64_t)(UINT64_MAX >> (65 - width)));
}

/* Distance in units of the last place; any NaN equals any NaN, and is infinitely far from the rest. */
static double distance(bz_dtype t, ir_bits a, ir_bits b) {
    if (a == b) return 0;
    bool nan_a = ir_is_float(t) && isnan(ir_bits_to_f64(t, a)),
         nan_b = ir_is_float(t) && isnan(ir_bits_to_f64(t, b));
    if (nan_a || nan_b) return nan_a && nan_b ? 0 : INFINITY;
    return fabs((double)rank_of(t, a) - (double)rank_of(t, b));
}

/* The op and source line of output i. */
static void print_origin(const ir_graph *g, uint32_t i) {
    ir_ref r = g->outputs.p[i].node;
    const char *site = g->sites.p[r];
    fprintf(stderr, "braze: check: output %u of %u, %s%s%s, differs", i, g->outputs.n,
            ir_ops[ir_at(g, r)->op].name, site ? " at " : "", site ? site : "");
}

/* Compares output i; says how it differs. */
static bool compare(const rt_program *p, uint32_t i, const void *got, const void *want) {
    const rt_spec *o = &p->outputs[i];
    const bz_dtype t = ir_part_dtype(o->dtype); /* complex numbers part by part */
    const int64_t count = o->layout->count * (t == o->dtype ? 1 : 2);
    size_t size = ir_dtype_bytes(t);
    int64_t differ = 0, at = 0;
    double worst = 0;
    for (int64_t k = 0; k < count; k++) {
        size_t byte = (size_t)k * size;
        double d = distance(t, ir_load_bits(t, (const char *)got + byte),
                            ir_load_bits(t, (const char *)want + byte));
        differ += d > 0;
        if (d > worst) worst = d, at = k;
    }
    if (!differ) return true;
    print_origin(p->graph, i);
    ir_bits a = ir_load_bits(t, (const char *)got + (size_t)at * size),
            b = ir_load_bits(t, (const char *)want + (size_t)at * size);
    bz_stderrf(" in %lld of %lld elements, worst in %lld: %.17g, not %.17g (%g ULP)\n",
               (long long)differ, (long long)count, (long long)at, ir_bits_to_f64(t, a),
               ir_bits_to_f64(t, b), worst);
    return false;
}

static bool compare_status(const rt_expected *want, bz_status s) {
    if (want->status == BZ_ENOMEM)
        fprintf(stderr, "braze: check: not compared: %s\n", want->e.text);
    else if (want->status != s)
        fprintf(stderr, "braze: check: status '%s' differs from the interpreter's '%s' (%s)\n",
                bz_status_doc(s), bz_status_doc(want->status), want->e.text);
    return want->status == s;
}

static bool compare_there(const rt_program *p, uint32_t i, const rt_buffer *got, const void *want) {
    bz_error e = {0};
    rt_bytes bytes;
    const rt_spec *o = &p->outputs[i];
    if (rt_look(rt_start(got), (size_t)rt_layout_bytes(o->layout, o->dtype), &bytes, &e)) {
        fprintf(stderr, "braze: check: not compared: %s\n", e.text);
        return false;
    }
    bool same = compare(p, i, bytes.p, want);
    rt_look_away(&bytes);
    return same;
}

void rt_compare(const rt_program *p, const rt_call *call, rt_expected *want, bz_status s) {
    bool same = compare_status(want, s);
    for (uint32_t i = 0; i < want->n; i++) {
        if (!s && !want->status) same &= compare_there(p, i, call->out[i], want->outputs[i].data);
        bz_mem_free(want->outputs[i].data);
    }
    if (same && p->runs == 0)
        fprintf(stderr, "braze: check: a program of %u nodes with %u outputs: the same bits\n",
                p->graph->n.n, want->n);
    bz_mem_free(want);
}
