/* plan_run.c - see plan_run.h. */
#include "tests/support/plan_run.h"
#include "tests/support/plan_memory.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t bytes(bz_dtype t, int64_t count) {
    return (size_t)count * ir_dtype_bytes(t);
}

static int64_t numel(const ir_value_array *v) {
    int64_t n = 1;
    for (unsigned i = 0; i < v->rank; i++) n *= v->shape[i];
    return n;
}

static bz_status run_segment(const pass_plan *p, const pass_segment *s,
                             const ir_value_array *inputs, const plan_memory *m, bz_error *e) {
    const lp_kernel *k = p->code->k.p[s->kernel];
    lp_arg *buffers = calloc(k->buffers.n + 1, sizeof *buffers);
    ir_bits *scalars = calloc(k->scalars.n + 1, sizeof *scalars);
    int64_t bad = INT64_MAX;
    int code = 0;
    for (uint32_t i = 0; i < k->buffers.n; i++)
        buffers[i] = (lp_arg){m->at[s->buffers[i]], p->buffers.p[s->buffers[i]].count};
    for (uint32_t i = 0; i < k->scalars.n; i++)
        scalars[i] = ir_load_bits(k->scalars.p[i].dtype, inputs[s->scalars[i]].data);
    lp_run_args a = {.buffers = buffers,
                     .at = s->at,
                     .extents = s->extents,
                     .scalars = scalars,
                     .error_element = &bad,
                     .error_code = &code};
    bz_status st = lp_run(k, p->code, &a, e); /* verifies it, too */
    if (!st && bad != INT64_MAX) st = bz_fail(e, (bz_status)code, "index out of range");
    free(buffers);
    free(scalars);
    return st;
}

bz_status plan_run(const pass_plan *p, const ir_value_array *inputs, ir_value_array *outputs,
                   bz_error *e) {
    plan_memory m = plan_memory_new(p, inputs);
    bz_status st = BZ_OK;
    for (uint32_t i = 0; i < p->launches.n && !st; i++)
        for (uint32_t s = 0; s < p->launches.p[i].nsegments && !st; s++)
            st = run_segment(p, &p->launches.p[i].segments[s], inputs, &m, e);
    if (!st) plan_memory_outputs(p, &m, outputs);
    plan_memory_free(&m, p);
    return st;
}

static double next_random(uint64_t *s) {
    *s = *s * 6364136223846793005u + 1442695040888963407u;
    return (double)(*s >> 40) / (double)(1 << 23) - 1.0;
}

/* The same memory as real numbers: of complex ones the parts along a last axis. */
static ir_value_array as_real(const ir_value_array *v) {
    ir_value_array r = *v;
    if (!ir_is_complex(v->dtype)) return r;
    r.dtype = ir_part_dtype(v->dtype);
    r.shape[r.rank++] = 2;
    return r;
}

void random_value(ir_value_array *given, uint64_t *seed) {
    const ir_value_array real = as_real(given), *v = &real;
    int64_t n = numel(v);
    for (int64_t i = 0; i < n; i++) {
        double x = next_random(seed) * 2;
        ir_bits b = ir_is_float(v->dtype) ? ir_bits_from_f64(v->dtype, x)
                    : v->dtype == BZ_BOOL ? (ir_bits)(x > 0)
                                          : ir_bits_from_i64(v->dtype, (int64_t)((x + 2) * 2));
        ir_store_bits(v->dtype, (char *)v->data + bytes(v->dtype, i), b);
    }
}

static ir_bits special(bz_dtype t, unsigned k) {
    static const double floats[] = {
        NAN,     INFINITY,       -INFINITY, 0.0,    -0.0,    1.0,  -1.0,   0x1p-149, -0x1p-1074,
        0x1p-24, 0x1.fffffep127, -65504.0,  0x1p63, -0x1p31, 88.8, -104.0, 0.5,      1e-40,
        0x1p64,  0x1.fffffep63,  0x1p32,    65535.5};
    static const int64_t ints[] = {
        0,   1,   -1, INT64_MIN, INT64_MAX, INT32_MIN, INT32_MAX, INT16_MIN, INT16_MAX, -128,
        127, 128, 7,  8,         15,        16,        31,        32,        63,        64,
        UINT16_MAX, UINT32_MAX, 0x4040000000000001, -0x3fbfffffffffffff};
    if (ir_is_float(t)) return ir_bits_from_f64(t, floats[k % BZ_LEN(floats)]);
    return t == BZ_BOOL ? k & 1 : ir_bits_from_i64(t, ints[k % BZ_LEN(ints)]);
}

void sprinkle_specials(ir_value_array *given, uint64_t *seed) {
    const ir_value_array real = as_real(given), *v = &real;
    int64_t n = numel(v);
    for (int64_t i = 0; i < n; i++) {
        *seed = bz_mix(*seed, 0x5bec);
        if (*seed % 6 == 0)
            ir_store_bits(v->dtype, (char *)v->data + bytes(v->dtype, i),
                          special(v->dtype, (unsigned)(*seed >> 40)));
    }
}

void random_inputs(const ir_graph *g, ir_value_array *in, uint64_t seed) {
    for (uint32_t i = 0; i < g->inputs.n; i++) {
        ir_ref r = g->inputs.p[i].node;
        in[i] = (ir_value_array){.dtype = ir_dtype(g, r), .rank = ir_at(g, r)->rank};
        ir_static_shape(g, r, in[i].shape);
        in[i].data = bz_mem_alloc(bytes(in[i].dtype, numel(&in[i])) + 1);
        random_value(&in[i], &seed);
    }
}

void free_values(ir_value_array *v, unsigned n) {
    for (unsigned i = 0; i < n; i++) bz_mem_free(v[i].data);
}

int64_t first_difference(const ir_value_array *given, const ir_value_array *other) {
    const ir_value_array real = as_real(given), as = as_real(other), *a = &real, *b = &as;
    int64_t n = numel(a);
    for (int64_t i = 0; i < n; i++) {
        ir_bits x = ir_load_bits(a->dtype, (const char *)a->data + bytes(a->dtype, i));
        ir_bits y = ir_load_bits(b->dtype, (const char *)b->data + bytes(b->dtype, i));
        bool nan = ir_is_float(a->dtype) && isnan(ir_bits_to_f64(a->dtype, x)) &&
                   isnan(ir_bits_to_f64(b->dtype, y));
        if (x != y && !nan) return i;
    }
    return -1;
}
