/* inputs.c - values for the inputs of a program: .npy files, or made up as the program says.
 *
 *     x: f32[4,3]                      --in x=FILE.npy, or an error
 *     w: f32[3,2] = randn(seed=1)      --in w=FILE.npy, or the stream of seed 1
 *
 * What is made up is itself a small program that runs on the same device: the same numbers everywhere. */
#include "tools/tool.h"

#include <stdio.h>
#include <string.h>

/* ---- from a file */

/* The type of an input that is not the file's, as an error. */
static bool fits(const ir_graph *g, const ir_input *in, const ir_value_array *v, const char *file,
                 bz_error *e) {
    const ir_node *n = ir_at(g, in->node);
    bool same = (bz_dtype)n->dtype == v->dtype && n->rank == v->rank;
    for (unsigned i = 0; same && i < n->rank; i++) {
        int64_t size;
        same = !ir_dim_value(g, ir_dims(g, n)[i], &size) || size == v->shape[i];
    }
    if (same) return true;
    bz_text want = {0}, got = {0};
    ir_print_shape(&want, g, in->node);
    bz_textf(&got, "%s[", ir_dtypes[v->dtype].name);
    for (unsigned i = 0; i < v->rank; i++)
        bz_textf(&got, i ? ",%lld" : "%lld", (long long)v->shape[i]);
    bz_fail(e, (bz_dtype)n->dtype == v->dtype ? BZ_ESHAPE : BZ_EDTYPE,
            "input %s is %s, but %s holds %s]", in->name, bz_text_c(&want), file, bz_text_c(&got));
    bz_text_free(&want);
    bz_text_free(&got);
    return false;
}

static tool_status load_given(const tool_source *s, const char *given, ir_value_array *values) {
    bz_error e = {0};
    const char *file = strchr(given, '=');
    int k = file ? tool_find_input(s->g, given, (size_t)(file - given)) : -1;
    if (!file || !*++file) {
        bz_fail(&e, BZ_EARG, "--in %s: NAME=FILE.npy is wanted", given);
    } else if (k < 0) {
        bz_fail(&e, BZ_EARG, "--in %s: the program has no such input", given);
    } else if (values[k].data) {
        bz_fail(&e, BZ_EARG, "--in %s: this input is given twice", given);
    } else if (!rt_npy_load(file, &values[k], &e)) {
        fits(s->g, &s->g->inputs.p[k], &values[k], file, &e);
    }
    if (!e.status) return TOOL_DONE;
    tool_status t = tool_error(&e);
    return e.status == BZ_EIO ? TOOL_MISTAKE : t; /* the user named the file */
}

/* ---- made up */

static ir_ref number(ir_graph *g, double v) {
    return ir_const_f(g, BZ_F64, v);
}

/* lo + hi * x, in the wider of x's dtype and f32. */
static ir_ref scaled(ir_graph *g, ir_ref x, double lo, double hi) {
    bz_dtype t = ir_dtype(g, x);
    ir_ref k = ir_cast(g, number(g, hi), t), c = ir_cast(g, number(g, lo), t);
    return ir_build2(g, IR_ADD, ir_build2(g, IR_MUL, x, k), c);
}

/* The node for a fill of type t[dims]; `number` counts inputs, so that two of them without a seed differ. */
static ir_ref fill_node(ir_graph *g, const ir_input *in, unsigned input, bz_dtype t,
                        const ir_dim *dims, unsigned rank) {
    bz_dtype wide = t == BZ_F64 ? BZ_F64 : BZ_F32;
    ir_ref key = ir_const_i(g, BZ_I64, (int64_t)(in->seed ? in->seed : input + 1));
    ir_ref zero = ir_const_i(g, BZ_I64, 0);
    int64_t n = 1, size;
    for (unsigned i = 0; i < rank; i++) n *= ir_dim_value(g, dims[i], &size) ? size : 0;
    ir_dim flat = ir_dim_const(g, n);
    switch (in->fill) {
    case IR_FILL_RANDN:
        return scaled(g, ir_randn(g, wide, dims, rank, key, zero), in->fill_lo, in->fill_hi);
    case IR_FILL_RAND:
        return scaled(g, ir_rand(g, wide, dims, rank, key, zero), in->fill_lo,
                      in->fill_hi - in->fill_lo);
    case IR_FILL_RANDINT:
        return ir_randint(g, (int64_t)in->fill_lo, (int64_t)in->fill_hi, dims, rank, key, zero);
    case IR_FILL_IOTA:
        return ir_reshape_dims(
            g, scaled(g, ir_iota(g, BZ_F64, &flat, 1, 0), in->fill_lo, in->fill_hi), dims, rank);
    default: return ir_const_bits(g, t, ir_bits_from_f64(t, in->fill_lo), dims, rank);
    }
}

static ir_graph *fill_graph(ir_module *m, const ir_graph *g, const ir_input *in, unsigned input,
                            bz_error *e) {
    int64_t shape[IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = ir_at(g, in->node)->rank;
    bz_dtype t = ir_dtype(g, in->node);
    ir_graph *f = ir_graph_new(m, in->name);
    if (!f) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    ir_static_shape(g, in->node, shape);
    for (unsigned i = 0; i < rank; i++) dims[i] = ir_dim_const(f, shape[i]);
    ir_ref r = ir_cast(f, fill_node(f, in, input, t, dims, rank), t);
    if (r) ir_output_add(f, NULL, r, -1);
    if (!f->err.status) return f;
    bz_fail(e, f->err.status, "%s", f->err.text);
    ir_graph_free(f);
    return NULL;
}

static bz_status run_fill(const tool_machine *m, const ir_graph *f, ir_value_array *v,
                          bz_error *e) {
    tool_engine x;
    uint64_t ns;
    if (tool_engine_open(&x, m, f, NULL, e)) return e->status;
    if (!tool_engine_run(&x, &ns, e)) {
        *v = x.results[0];
        size_t bytes = rt_array_bytes(v);
        v->data = bz_mem_alloc(bytes + 1);
        if (v->data && bytes) memcpy(v->data, x.results[0].data, bytes);
        if (!v->data) bz_fail(e, BZ_ENOMEM, "out of memory");
    }
    tool_engine_close(&x);
    return e->status;
}

static bz_status make_up(const ir_graph *g, unsigned input, const tool_machine *m, bool invent,
                         ir_value_array *v, bz_error *e) {
    ir_input in = g->inputs.p[input];
    int64_t n;
    bz_text type = {0};
    ir_print_shape(&type, g, in.node);
    if (!in.fill && !invent)
        bz_fail(e, BZ_EARG,
                "input %s: %s is missing: give --in %s=FILE.npy, or write it as '%s: %s = "
                "randn(seed=1)'",
                in.name, bz_text_c(&type), in.name, in.name, bz_text_c(&type));
    else if (!ir_numel(g, in.node, &n))
        bz_fail(e, BZ_EUNSUPPORTED,
                "input %s: %s cannot be made up while its size is open: give --in %s=FILE.npy",
                in.name, bz_text_c(&type), in.name);
    bz_text_free(&type);
    if (e->status) return e->status;
    if (!in.fill) {
        in.fill = ir_is_float(ir_dtype(g, in.node)) ? IR_FILL_RANDN : IR_FILL_VALUE;
        in.fill_hi = 1;
    }
    ir_module *own = ir_module_new();
    ir_graph *f = own ? fill_graph(own, g, &in, input, e) : NULL;
    if (!own) bz_fail(e, BZ_ENOMEM, "out of memory");
    if (f) run_fill(m, f, v, e);
    ir_graph_free(f);
    ir_module_free(own);
    return e->status;
}

/* ---- all inputs */

tool_status tool_inputs(const tool_source *s, const tool_files *f, const tool_machine *m,
                        ir_value_array *values) {
    tool_status t = TOOL_DONE;
    for (uint32_t i = 0; i < f->given.n && !t; i++) t = load_given(s, f->given.p[i], values);
    for (uint32_t i = 0; i < s->g->inputs.n && !t; i++) {
        bz_error e = {0};
        if (!values[i].data && make_up(s->g, i, m, f->invent, &values[i], &e))
            t = tool_input_error(s, s->g->inputs.p[i].name, &e);
    }
    return t;
}

void tool_values_free(ir_value_array *values, uint32_t n) {
    for (uint32_t i = 0; i < n && values; i++) bz_mem_free(values[i].data);
    bz_mem_free(values);
}
