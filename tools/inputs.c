/* inputs.c - values for the inputs of a program: .npy and .npz files, or made up as the program says.
 *
 *     x: f32[n,3]                      --in x=FILE.npy, which says what n is, or an error
 *     b: f32[2]                        --in b=FILE.npz:NAME, one array of many; without :NAME the one that is named b
 *     lr: f32[]                        --in lr=0.3
 *     w: f32[3,2] = randn(seed=1)      --in w=FILE.npy, or the stream of seed 1
 *
 * What is made up is itself a small program that runs on the same device: the same numbers everywhere. */
#include "tools/tool.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- given: a file or a number */

typedef struct given {
    const char *text, *value; /* "x=FILE.npy", behind the = */
    int input;
    bool number;
} given;

static bool is_number(const char *s) {
    char *end;
    bz_read_number(s, &end);
    return end != s && !*end;
}

static bool find_given(const tool_source *s, const char *text, given *v, bz_error *e) {
    const char *eq = strchr(text, '=');
    *v = (given){.text = text, .value = eq ? eq + 1 : ""};
    if (!*v->value)
        return bz_fail(e, BZ_EARG, "--in %s: NAME=FILE.npy or NAME=NUMBER is wanted", text), false;
    v->input = tool_find_input(s->g, text, (size_t)(eq - text));
    v->number = is_number(v->value);
    if (v->input >= 0) return true;
    bz_text names = {0};
    for (uint32_t i = 0; i < s->g->inputs.n; i++)
        bz_textf(&names, i ? ", %s" : "%s", s->g->inputs.p[i].name);
    bz_fail(e, BZ_EARG, "--in %s: the program has no such input; it has %s", text,
            s->g->inputs.n ? bz_text_c(&names) : "none");
    bz_text_free(&names);
    return false;
}

static void print_type(bz_text *t, const ir_value_array *v) {
    bz_textf(t, "%s[", ir_dtypes[v->dtype].name);
    for (unsigned i = 0; i < v->rank; i++)
        bz_textf(t, i ? ",%lld" : "%lld", (long long)v->shape[i]);
    bz_text_str(t, "]");
}

/* The type of an input that is not the file's, as an error. */
static bool mismatch(const ir_graph *g, const given *v, const ir_value_array *got, bz_status s,
                     bz_error *e) {
    const ir_input *in = &g->inputs.p[v->input];
    bz_text want = {0}, type = {0};
    ir_print_shape(&want, g, in->node);
    print_type(&type, got);
    bz_fail(e, s, "input %s is %s, but %s holds %s", in->name, bz_text_c(&want), v->value,
            bz_text_c(&type));
    bz_text_free(&want);
    bz_text_free(&type);
    return false;
}

static bool shape_fits(const ir_graph *g, const given *v, const ir_value_array *a, bz_error *e) {
    const ir_node *n = ir_at(g, g->inputs.p[v->input].node);
    bool same = n->rank == a->rank;
    for (unsigned i = 0; same && i < n->rank; i++) {
        int64_t size;
        same = !ir_dim_value(g, ir_dims(g, n)[i], &size) || size == a->shape[i];
    }
    return same || mismatch(g, v, a, BZ_ESHAPE, e);
}

/* The elements as another dtype; integers must fit. */
static bool convert(const ir_graph *g, const given *v, bz_dtype to, ir_value_array *a,
                    bz_error *e) {
    ir_value_array made = *a;
    char digits[IR_DIGITS];
    const bz_dtype from = ir_part_dtype(a->dtype); /* both are complex, or neither */
    made.dtype = to;
    int64_t n = rt_array_count(a) * (from == a->dtype ? 1 : 2);
    made.data = bz_mem_alloc(rt_array_bytes(&made) + 1);
    if (!made.data) return bz_fail(e, BZ_ENOMEM, "out of memory"), false;
    to = ir_part_dtype(to);
    for (int64_t i = 0; i < n && !e->status; i++) {
        ir_bits b = ir_load_bits(from, (char *)a->data + (size_t)i * ir_dtype_bytes(from));
        ir_bits c = ir_bits_cast(to, from, b);
        const ir_number was = ir_number_of_bits(from, b);
        if (!ir_is_float(to) && !ir_is_value(to, was))
            bz_fail(e, BZ_EDTYPE, "input %s is %s: %s in %s does not fit",
                    g->inputs.p[v->input].name, ir_dtypes[to].name, ir_digits(digits, was),
                    v->value);
        ir_store_bits(to, (char *)made.data + (size_t)i * ir_dtype_bytes(to), c);
    }
    bz_mem_free(a->data);
    *a = made;
    return !e->status;
}

/* NumPy's rule "same_kind": floats to floats, integers to integers and floats; with a notice. */
static bool dtype_fits(const ir_graph *g, const given *v, ir_value_array *a, bz_error *e) {
    bz_dtype want = ir_dtype(g, g->inputs.p[v->input].node);
    if (want == a->dtype) return true;
    bool castable = want != BZ_BOOL && ir_is_complex(want) == ir_is_complex(a->dtype) &&
                    (ir_is_smooth(want) || !ir_is_float(a->dtype));
    if (!castable) return mismatch(g, v, a, BZ_EDTYPE, e);
    fprintf(stderr, "braze: note: %s holds %s; input %s takes it as %s\n", v->value,
            ir_dtypes[a->dtype].name, g->inputs.p[v->input].name, ir_dtypes[want].name);
    return convert(g, v, want, a, e);
}

/* The number everywhere in the input, exactly. */
static bool spread(const ir_graph *g, const given *v, ir_value_array *a, bz_error *e) {
    const ir_input *in = &g->inputs.p[v->input];
    bz_dtype t = ir_dtype(g, in->node);
    char *end;
    errno = 0;
    ir_number whole = ir_number_i(strtoll(v->value, &end, 10));
    if (errno && *v->value != '-') {
        errno = 0;
        whole = ir_number_u(strtoull(v->value, &end, 10));
    }
    ir_bits b = *end || errno ? ir_bits_from_f64(t, bz_read_number(v->value, &end))
                              : ir_bits_from_number(t, whole);
    bool held = !*end && (ir_is_float(t) || (!errno && ir_is_value(t, whole)));
    *a = (ir_value_array){.dtype = t, .rank = ir_at(g, in->node)->rank};
    if (ir_is_complex(t))
        return bz_fail(e, BZ_EDTYPE, "input %s is %s: give it a file", in->name, ir_dtypes[t].name), false;
    if (!held || (!ir_is_float(t) && strspn(v->value, "+-0123456789") != strlen(v->value)))
        return bz_fail(e, BZ_EDTYPE, "input %s is %s, which does not hold %s", in->name,
                       ir_dtypes[t].name, v->value),
               false;
    if (!ir_static_shape(g, in->node, a->shape))
        return bz_fail(e, BZ_ESHAPE, "input %s has an open size: give it with --dim", in->name),
               false;
    a->data = bz_mem_alloc(rt_array_bytes(a) + 1);
    if (!a->data) return bz_fail(e, BZ_ENOMEM, "out of memory"), false;
    for (int64_t i = 0; i < rt_array_count(a); i++)
        ir_store_bits(t, (char *)a->data + (size_t)i * ir_dtype_bytes(t), b);
    return true;
}

bool tool_is_npz(const char *path) {
    size_t n = strlen(path);
    return n > 4 && strcmp(path + n - 4, ".npz") == 0;
}

/* FILE.npy, FILE.npz:NAME, or FILE.npz with an array of the input's name. */
static bz_status load_file(const char *value, const char *input, ir_value_array *a, bz_error *e) {
    const char *colon = strstr(value, ".npz:");
    bool many = colon || tool_is_npz(value);
    if (!many) return rt_npy_load(value, a, e);
    bz_text path = {0};
    rt_npz *z = NULL;
    bz_textf(&path, "%.*s", (int)(colon ? colon + 4 - value : (long)strlen(value)), value);
    if (path.failed)
        bz_fail(e, BZ_ENOMEM, "out of memory");
    else if (!rt_npz_open(bz_text_c(&path), &z, e))
        rt_npz_read(z, colon ? colon + 5 : input, a, e);
    rt_npz_close(z);
    bz_text_free(&path);
    return e->status;
}

static bool load(const tool_source *s, const given *v, ir_value_array *values, bz_error *e) {
    ir_value_array *a = &values[v->input];
    if (a->data) return bz_fail(e, BZ_EARG, "--in %s: this input is given twice", v->text), false;
    if (v->number) return true; /* when its size is known */
    if (load_file(v->value, s->g->inputs.p[v->input].name, a, e)) return false;
    return ir_at(s->g, s->g->inputs.p[v->input].node)->rank == a->rank ||
           mismatch(s->g, v, a, BZ_ESHAPE, e);
}

/* ---- sizes of symbols: --dim n=32, and from the files */

typedef struct sizes {
    BZ_VEC(ir_size) all;
    BZ_VEC(const char *) from; /* who said so */
    bz_arena names;
} sizes;

static bool add_size(sizes *z, const char *name, size_t len, int64_t value, const char *from,
                     bz_error *e) {
    for (uint32_t i = 0; i < z->all.n; i++) {
        const ir_size *known = &z->all.p[i];
        if (strlen(known->name) != len || memcmp(known->name, name, len) != 0) continue;
        if (known->value == value) return true;
        return bz_fail(e, BZ_ESHAPE, "%.*s is %lld by %s, but %lld by %s", (int)len, name,
                       (long long)known->value, z->from.p[i], (long long)value, from),
               false;
    }
    char *copy = bz_arena_alloc(&z->names, len + 1);
    if (!copy) return bz_fail(e, BZ_ENOMEM, "out of memory"), false;
    memcpy(copy, name, len);
    copy[len] = 0;
    return (bz_vec_push(&z->all, ((ir_size){copy, value})) && bz_vec_push(&z->from, from)) ||
           (bz_fail(e, BZ_ENOMEM, "out of memory"), false);
}

static bool size_of_option(const tool_source *s, sizes *z, const char *text, bz_error *e) {
    const char *eq = strchr(text, '=');
    char *end = NULL, name[128];
    errno = 0;
    long long value = eq ? strtoll(eq + 1, &end, 10) : 0;
    if (!eq || end == eq + 1 || *end || errno || value < 0)
        return bz_fail(e, BZ_EARG, "--dim %s: NAME=SIZE is wanted, as n=32", text), false;
    snprintf(name, sizeof name, "%.*s", (int)(eq - text), text);
    if (!ir_ex_find_sym(&s->m->ex, name))
        return bz_fail(e, BZ_EARG, "--dim %s: the program has no symbol '%s'", text, name), false;
    return add_size(z, text, (size_t)(eq - text), value, "--dim", e);
}

static bool sizes_of_file(const tool_source *s, sizes *z, const given *v, const ir_value_array *a,
                          bz_error *e) {
    const ir_node *n = ir_at(s->g, s->g->inputs.p[v->input].node);
    for (unsigned i = 0; i < n->rank; i++) {
        ir_dim d = ir_dims(s->g, n)[i];
        const ir_ex_node *x = ir_ex_at(&s->m->ex, d);
        const char *name = x->kind == EX_SYM ? s->m->ex.names.p[x->a] : NULL;
        if (name && !add_size(z, name, strlen(name), a->shape[i], v->value, e)) return false;
    }
    return true;
}

/* ---- all that is given */

static tool_status load_given(tool_source *s, const tool_files *f, const given *v, sizes *z,
                              ir_value_array *values, bz_error *e) {
    tool_status t = TOOL_DONE;
    bool ok = true;
    for (uint32_t i = 0; i < f->dims.n && ok; i++) ok = size_of_option(s, z, f->dims.p[i], e);
    for (uint32_t i = 0; i < f->given.n && ok; i++)
        ok = load(s, &v[i], values, e) &&
             (v[i].number || sizes_of_file(s, z, &v[i], &values[v[i].input], e));
    if (ok && z->all.n) t = tool_resize(s, z->all.p, z->all.n);
    for (uint32_t i = 0; i < f->given.n && ok && !t; i++) {
        ir_value_array *a = &values[v[i].input];
        ok = v[i].number ? !a->data && spread(s->g, &v[i], a, e)
                         : shape_fits(s->g, &v[i], a, e) && dtype_fits(s->g, &v[i], a, e);
        if (!ok && !e->status) bz_fail(e, BZ_EARG, "--in %s: this input is given twice", v[i].text);
    }
    if (t || !e->status) return t;
    t = tool_error(e);
    return e->status == BZ_EIO ? TOOL_MISTAKE : t; /* the user named the file */
}

static tool_status take_given(tool_source *s, const tool_files *f, ir_value_array *values) {
    bz_error e = {0};
    sizes z = {0};
    given *v = bz_mem_zero(f->given.n + 1, sizeof *v);
    if (!v) return tool_error(&(bz_error){.status = BZ_ENOMEM});
    for (uint32_t i = 0; i < f->given.n && !e.status; i++) find_given(s, f->given.p[i], &v[i], &e);
    tool_status t = e.status ? tool_error(&e) : load_given(s, f, v, &z, values, &e);
    bz_vec_free(&z.all);
    bz_vec_free(&z.from);
    bz_arena_free(&z.names);
    bz_mem_free(v);
    return t;
}

/* ---- made up */

static ir_ref number(ir_graph *g, double v) {
    return ir_const_f(g, BZ_F64, v);
}

/* lo + by * x in x's dtype */
static ir_ref scaled(ir_graph *g, ir_ref x, ir_ref lo, ir_ref by) {
    bz_dtype t = ir_dtype(g, x);
    return ir_build2(g, IR_ADD, ir_build2(g, IR_MUL, x, ir_cast(g, by, t)), ir_cast(g, lo, t));
}

/* lo, lo + by, lo + 2 by ...: of integers in i64 where both are whole, else in f64. */
static ir_ref sequence(ir_graph *g, bz_dtype t, ir_dim n, ir_number lo, ir_number by) {
    bool whole = !ir_is_float(t) && lo.kind != IR_CAT_FLOAT && by.kind != IR_CAT_FLOAT;
    bz_dtype in = whole ? BZ_I64 : BZ_F64;
    return scaled(g, ir_iota(g, in, &n, 1, 0),
                  ir_const_bits(g, in, ir_bits_from_number(in, lo), NULL, 0),
                  ir_const_bits(g, in, ir_bits_from_number(in, by), NULL, 0));
}

/* lo .. hi - 1, as i64: what is above it wraps. */
static ir_ref integers(ir_graph *g, const ir_input *in, const ir_dim *dims, unsigned rank,
                       ir_ref key, ir_ref zero) {
    const int64_t lo = (int64_t)ir_bits_from_number(BZ_I64, in->fill_lo),
                  hi = (int64_t)ir_bits_from_number(BZ_I64, in->fill_hi);
    if (!in->fill_hi.huge) return ir_randint(g, lo, hi, dims, rank, key, zero);
    const uint64_t first = (uint64_t)INT64_MIN, range = (uint64_t)hi - (uint64_t)lo;
    ir_ref x = ir_randint(g, INT64_MIN, (int64_t)(first + range), dims, rank, key, zero);
    return ir_build2(g, IR_ADD, x, ir_const_i(g, BZ_I64, (int64_t)((uint64_t)lo - first)));
}

/* The node for a fill of type t[dims]; `number` counts inputs, so that two of them without a seed differ. */
static ir_ref fill_node(ir_graph *g, const ir_input *in, unsigned input, bz_dtype t,
                        const ir_dim *dims, unsigned rank) {
    bz_dtype wide = t == BZ_F64 ? BZ_F64 : BZ_F32;
    ir_ref key = ir_const_i(g, BZ_I64, (int64_t)(in->seed ? in->seed : input + 1));
    ir_ref zero = ir_const_i(g, BZ_I64, 0);
    int64_t n = 1, size;
    for (unsigned i = 0; i < rank; i++) n *= ir_dim_value(g, dims[i], &size) ? size : 0;
    double lo = ir_number_to_f64(in->fill_lo), hi = ir_number_to_f64(in->fill_hi);
    switch (in->fill) {
    case IR_FILL_RANDN:
        return scaled(g, ir_randn(g, wide, dims, rank, key, zero), number(g, lo), number(g, hi));
    case IR_FILL_RAND:
        return scaled(g, ir_rand(g, wide, dims, rank, key, zero), number(g, lo),
                      number(g, hi - lo));
    case IR_FILL_RANDINT: return integers(g, in, dims, rank, key, zero);
    case IR_FILL_IOTA:
        return ir_reshape_dims(g, sequence(g, t, ir_dim_const(g, n), in->fill_lo, in->fill_hi),
                               dims, rank);
    default: return ir_const_bits(g, t, ir_bits_from_number(t, in->fill_lo), dims, rank);
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
    ir_ref r = 0;
    if (ir_is_complex(t) && in->fill != IR_FILL_VALUE && rank < IR_MAX_RANK) { /* the parts one after the other */
        dims[rank] = ir_dim_const(f, 2);
        const bz_dtype part = ir_part_dtype(t);
        r = ir_view_as_complex(f, ir_cast(f, fill_node(f, in, input, part, dims, rank + 1), part));
    } else {
        r = ir_cast(f, fill_node(f, in, input, t, dims, rank), t);
    }
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
                "input %s: %s cannot be made up while its size is open: give --in %s=FILE.npy%s",
                in.name, bz_text_c(&type), in.name, invent ? "" : " or --dim SYMBOL=SIZE");
    bz_text_free(&type);
    if (e->status) return e->status;
    if (!in.fill) {
        in.fill = ir_is_smooth(ir_dtype(g, in.node)) ? IR_FILL_RANDN : IR_FILL_VALUE;
        in.fill_hi = ir_number_i(1);
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

tool_status tool_inputs(tool_source *s, const tool_files *f, const tool_machine *m,
                        ir_value_array *values) {
    tool_status t = take_given(s, f, values);
    for (uint32_t i = 0; i < s->g->inputs.n && !t; i++) {
        bz_error e = {0};
        if (!values[i].data && make_up(s->g, i, m, f->invent, &values[i], &e))
            t = tool_input_error(s, s->g->inputs.p[i].name, &e);
    }
    return t;
}

bool tool_dim_option(tool_args *a, tool_files *f) {
    return bz_vec_push(&f->dims, a->value) || (a->status = TOOL_ENVIRONMENT, false);
}

tool_status tool_sizes(tool_source *s, const tool_files *f) {
    uint32_t n = s->g->inputs.n;
    ir_value_array *values = bz_mem_zero(n + 1, sizeof *values);
    if (!values) return tool_error(&(bz_error){.status = BZ_ENOMEM});
    tool_status t = take_given(s, f, values);
    tool_values_free(values, n);
    return t;
}

void tool_values_free(ir_value_array *values, uint32_t n) {
    for (uint32_t i = 0; i < n && values; i++) bz_mem_free(values[i].data);
    bz_mem_free(values);
}
