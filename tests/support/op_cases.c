/* op_cases.c - see op_cases.h. */
#include "tests/support/op_cases.h"
#include "tests/support/plan_run.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYOUTS = 7, QUICK_STEP = 13 };

op_sample op_cases_sample(unsigned every) {
    const bool quick = getenv("BRAZE_QUICK") != NULL;
    const char *seed = getenv("BRAZE_FUZZ_SEED");
    op_sample s = {.quick = quick};
    s.step = getenv("BRAZE_FULL") ? 1 : quick ? QUICK_STEP : every;
    s.first = seed ? (unsigned)(strtoul(seed, NULL, 10) % s.step) : 0;
    return s;
}

bool op_sampled(op_sample s, unsigned number) {
    return number % s.step == s.first;
}

unsigned op_sample_size(op_sample s, unsigned count) {
    return (count + s.step - 1 - s.first) / s.step;
}

/* ---- operands: a new input of dtype t, seen through a layout */

static ir_ref input(ir_graph *g, bz_dtype t, const int64_t *shape, unsigned rank) {
    ir_dim dims[4] = {0};
    for (unsigned i = 0; i < rank; i++) dims[i] = ir_dim_const(g, shape[i]);
    return ir_input_new(g, NULL, t, dims, rank);
}

static ir_ref operand(ir_graph *g, bz_dtype t, unsigned layout) {
    static const int64_t start[2] = {0, -1}, stop[2] = {INT64_MAX, INT64_MIN}, step[2] = {2, -2},
                         wide[2] = {5, 37};
    switch (layout) {
    case 0: return input(g, t, (int64_t[]){5, 37}, 2);
    case 1: return ir_permute(g, input(g, t, (int64_t[]){37, 5}, 2), (int[]){1, 0}, 2);
    case 2: return ir_expand(g, input(g, t, (int64_t[]){1, 37}, 2), wide, 2);
    case 3: return ir_slice(g, input(g, t, (int64_t[]){9, 74}, 2), start, stop, step);
    case 4: return input(g, t, (int64_t[]){0, 5}, 2);
    case 5: return input(g, t, (int64_t[]){1, 1}, 2);
    default: return input(g, t, NULL, 0);
    }
}

static void add_specials(ir_value_array *v) {
    static const double special[] = {NAN,     INFINITY, -INFINITY, 0.0,   -0.0, 1e-45,
                                     -1e-310, 1.0,      -1.0,      65504, 3.5};
    const bz_dtype t = v->dtype;
    const ir_bits top = ir_highest(t), all = UINT64_MAX >> (64 - ir_dtypes[t].bits), half = all / 2;
    /* the ends, what is an end with a sign and none without, what a float does not hold */
    const ir_bits whole[] = {ir_lowest(t), top, all, half, half + 1, half + 2, top - 1, top / 3 | 1};
    const unsigned count = ir_is_float(t) ? BZ_LEN(special) : t == BZ_BOOL ? 0 : BZ_LEN(whole);
    int64_t n = 1;
    for (unsigned i = 0; i < v->rank; i++) n *= v->shape[i];
    for (unsigned i = 0; n > 40 && i < count; i++)
        ir_store_bits(t, (char *)v->data + i * ir_dtype_bytes(t),
                      ir_is_float(t) ? ir_bits_from_f64(t, special[i]) : whole[i]);
}

void op_case_inputs(const ir_graph *g, ir_value_array *in) {
    random_inputs(g, in, 11);
    for (uint32_t i = 0; i < g->inputs.n; i++) add_specials(&in[i]);
}

/* ---- elementwise */

/* Contiguous, and every third of the others, which ones depends on the op and the dtype. */
static bool has_turn(unsigned layout, unsigned what, bz_dtype t) {
    return layout == 0 || (layout + what + (unsigned)t) % 3 == 0;
}

static ir_ref make_elementwise(ir_graph *g, unsigned op, bz_dtype t, unsigned layout) {
    ir_ref x[3];
    if (!has_turn(layout, op, t)) return 0;
    for (unsigned i = 0; i < ir_ops[op].arity; i++)
        x[i] = operand(g, op == IR_SELECT && i == 0 ? BZ_BOOL : t, layout);
    return ir_build(g, (ir_op)op, x, ir_ops[op].arity);
}

static ir_ref make_cast(ir_graph *g, unsigned to, bz_dtype t, unsigned layout) {
    return has_turn(layout, to, t) ? ir_cast(g, operand(g, t, layout), (bz_dtype)to) : 0;
}

/* ---- reductions: kind and which axes in one number */

static ir_ref make_reduction(ir_graph *g, unsigned what, bz_dtype t, unsigned layout) {
    static const int axes[] = {1, 0};
    unsigned kind = what / 3, which = what % 3;
    if (layout >= 4 && (layout != 5 || which == 2)) /* empty: has no maximum; 0-d: has no axes */
        return 0;
    return ir_reduce(g, (ir_reduce_kind)kind, operand(g, t, layout),
                     which == 2 ? NULL : &axes[which], which == 2 ? 0 : 1, false);
}

/* ---- products: which operands are transposed */

static ir_ref make_product(ir_graph *g, unsigned which, bz_dtype t, unsigned layout) {
    if (layout > 3) return 0;
    ir_ref x = operand(g, t, layout), y = operand(g, t, (layout + which) % 4); /* [5, 37] each */
    return ir_dot(g, x, y, NULL, NULL, 0, (int[]){which & 1 ? 0 : 1}, (int[]){which & 1 ? 0 : 1},
                  1);
}

/* ---- what moves, orders and draws elements: texts, # stands for the dtype */

static const struct text {
    const char *dtypes; /* NULL: all */
    const char *text;
} texts[] = {
    {NULL, "graph main(x: #[9,40], k: i64[7]) { %i = remainder %k 9\n %a = gather %x %i\n %j = "
           "remainder %k 40\n "
           "%b = gather %x %j {axis=1}\n %t = transpose %x\n %c = gather %t %i {axis=1}\n return "
           "%a, %b, %c }"},
    {"u8 u16 u32 u64 i8 i16 i32 i64 f16 bf16 f32 f64", "graph main(x: #[70,5], k: i64[70]) { %i = remainder %k "
                                           "6\n %a = scatter_rows %x %i {size=6}\n return %a }"},
    {NULL, "graph main(x: #[9,40], y: #[9,40], k: i64[9,20], j: i64[5,40]) { %i = remainder %k 40\n %l = remainder %j 9\n "
           "%a = take_along_dim %x %i {axis=1}\n %b = take_along_dim %x %l\n %c = scatter %x %i %y {axis=1}\n %d = "
           "scatter %x %l %y\n %e = scatter_amax %x %l %y\n %f = scatter_amin %x %i %y {axis=1, exclude_self}\n return %a, "
           "%b, %c, %d, %e, %f }"},
    {NULL, "graph main(x: #[9,40], y: #[30,40], k: i64[30], z: #[700], j: i64[20000], v: #[20000]) { %i = remainder %k 9\n %n = neg "
           "%x\n %a = index_add %n %i %y\n %b = index_copy %n %i %y\n %l = remainder %j 700\n %c = scatter_prod %z %l %v\n %d = "
           "scatter_add %z %l %v\n return %a, %b, %c, %d }"},
    {NULL, "graph main(x: #[6,50], y: #[300]) { %v, %i = sort %x {axis=1}\n %w, %j = sort %x "
           "{axis=0, descending}\n "
           "%z, %k = sort %y {axis=0}\n return %v, %i, %w, %j, %z, %k }"},
    {NULL, "graph main(x: #[3,1000], y: #[700,3], z: #[70000]) { %v, %i = sort %x {axis=1, descending}\n %w = sort %y {axis=0}\n %a, %j "
           "= sort %z {axis=0}\n %k = argsort %y {axis=0, descending}\n %b = sort %z {axis=0, descending}\n return %v, %i, %w, %a, %j, %k, %b }"},
    {NULL, "graph main(x: #[6,50], y: #[300], z: #[6,9]) { %v, %i = topk %x {k=7}\n %w, %j = topk %x {k=2, axis=0, smallest}\n %a, %k = "
           "kthvalue %x {k=20}\n %s = sort %y {axis=0}\n %b = searchsorted %s %x\n %c = sort %x {axis=1}\n %d = searchsorted %c %z {right}\n "
           "%e = isin %x %y\n return %v, %i, %w, %j, %a, %k, %b, %d, %e }"},
    {NULL, "graph main(x: #[3,2000], y: #[900,3], z: #[1500,2]) { %v, %i = topk %x {k=7}\n %w, %j = topk %x {k=125, smallest}\n %m = floor_div %y "
           "%y\n %a, %k = topk %m {k=20, axis=0}\n %b, %l = kthvalue %z {k=700, axis=0}\n %c, %n = kthvalue %x {k=1999}\n %d, %o = kthvalue %m "
           "{k=450, axis=0}\n %t = topk %x {k=150}\n return %v, %i, %w, %j, %a, %k, %b, %l, %c, %n, %d, %o, %t }"},
    {NULL,
     "graph main(x: #[6,200]) { %a = cumsum %x {axis=1}\n %b = cumsum %x {axis=0}\n %c = cumprod "
     "%x {axis=1, reverse}\n return %a, %b, %c }"},
    {NULL, "graph main(x: #[9,100], y: #[1100]) { %a, %i = cummax %x {axis=1}\n %b, %j = cummin %x "
           "{axis=0, "
           "reverse}\n %c, %k = cummin %y {axis=0}\n return %a, %i, %b, %j, %c, %k }"},
    {NULL,
     "graph main(x: #[6,200]) { %a = logcumsumexp %x {axis=1, exclusive}\n %b = logcumsumexp %x "
     "{axis=0}\n return %a, %b }"},
    {"i32 f16 f32 f64",
     "graph main(x: #[3,2000], y: #[3,2000]) { %a = mul %x %y\n %b = cumsum %a {axis=1, reverse}\n "
     "%c = sub %b %x\n return %b, %c }"},
    {NULL, "graph main(x: #[5,7], y: #[5,40]) { %a = concat %x %y %x {axis=1}\n %b = concat %a "
           "%a\n %c = pad %x {lo=[1,2], "
           "hi=[3,30], value=1}\n %d = flip %y {axes=[0,1]}\n return %a, %b, %c, %d }"},
    {NULL, "graph main(x: #[9,40], y: #[3,8]) { %a = update %x %y {start=[2,5]}\n %b = diagonal %x "
           "{offset=1}\n %c = as_strided %x "
           "{shape=[30,9], strides=[1,40], offset=3}\n %d = stack %y %y %y {axis=-1}\n return %a, "
           "%b, %c, %d }"},
    {"f16 bf16 f32 f64", "graph main(k: i64[], o: i64[]) { %a = rand %k %o {shape=[300], "
                         "dtype=#}\n %b = randn %k %o {shape=[7,9], dtype=#}\n "
                         "%c = randint %k %o {lo=-3, hi=1000, shape=[50]}\n return %a, %b, %c }"},
    {"u8 i8", "graph main(x: #[50]) { %a = bitcast %x {dtype=u8}\n %b = bitcast %x {dtype=i8}\n "
              "return %a, %b }"},
    {"i16 u16 f16 bf16", "graph main(x: #[50]) { %a = bitcast %x {dtype=i16}\n %b = bitcast %x "
                         "{dtype=f16}\n %c = bitcast %x {dtype=bf16}\n %d = bitcast %x {dtype=u16}\n "
                         "return %a, %b, %c, %d }"},
    {"i32 u32 f32", "graph main(x: #[50]) { %a = bitcast %x {dtype=i32}\n %b = bitcast %x "
                    "{dtype=f32}\n %c = bitcast %x {dtype=u32}\n return %a, %b, %c }"},
    {"i64 u64 f64", "graph main(x: #[50]) { %a = bitcast %x {dtype=i64}\n %b = bitcast %x "
                    "{dtype=f64}\n %c = bitcast %x {dtype=u64}\n return %a, %b, %c }"},
    {"u8 u16 u32 u64", "graph main(x: f32[9,40], k: #[7], j: #[9,20], y: f32[7,40]) { %i = remainder %k 9\n %l = remainder %j 40\n %a = "
                       "gather %x %i\n %b = take_along_dim %x %l {axis=1}\n %c = index_add %x %i %y\n %d = bincount %i {minlength=9}\n "
                       "%e = one_hot %i {classes=9}\n return %a, %b, %c, %d, %e }"},
};

static bool has_word(const char *words, const char *word) {
    const size_t n = strlen(word);
    for (const char *at = words; (at = strstr(at, word)); at += n)
        if ((at == words || at[-1] == ' ') && (at[n] == ' ' || !at[n])) return true;
    return false;
}

static ir_module *text_case(unsigned what, bz_dtype t, char name[96]) {
    bz_text s = {0};
    bz_error e = {0};
    for (const char *c = texts[what].text; *c; c++)
        bz_text_add(&s, *c == '#' ? ir_dtypes[t].name : c,
                    *c == '#' ? strlen(ir_dtypes[t].name) : 1);
    ir_module *m = ir_parse(bz_text_c(&s), s.n, "case", &e);
    snprintf(name, 96, "%.94s", bz_text_c(&s));
    if (!m) fprintf(stderr, "%s\n%s\n", e.text, bz_text_c(&s));
    bz_text_free(&s);
    return m;
}

/* ---- cases */

const op_family op_families[OPS_FAMILIES] = {
    {"elementwise", IR_ELEM_END, false, make_elementwise},
    {"cast to", BZ_NDTYPES, true, make_cast},
    {"reduction", 3 * IR_NREDUCE, true, make_reduction},
    {"dot", 4, true, make_product},
    {"text", BZ_LEN(texts), true, NULL},
};

unsigned op_cases_of(op_family_id family) {
    return op_families[family].count * BZ_NDTYPES;
}

/* Is there such a case? */
static bool exists(op_family_id family, unsigned what, bz_dtype t) {
    if (ir_is_complex(t) || (family == OPS_CASTS && ir_is_complex((bz_dtype)what))) return false; /* tests/slow_complex.py */
    switch (family) {
    case OPS_ELEMENTWISE:
        return what > IR_NIL && ir_op_is_elementwise(what) && ir_ops[what].rule != IR_RULE_CONV;
    case OPS_CASTS: return what != (unsigned)t;
    case OPS_PRODUCTS: return t != BZ_BOOL;
    case OPS_TEXTS: return !texts[what].dtypes || has_word(texts[what].dtypes, ir_dtypes[t].name);
    default: return true;
    }
}

static const char *word(op_family_id family, unsigned what) {
    switch (family) {
    case OPS_ELEMENTWISE: return ir_ops[what].name;
    case OPS_CASTS: return ir_dtypes[what].name;
    case OPS_REDUCTIONS: return ir_reduce_name((ir_reduce_kind)(what / 3));
    default: return what & 1 ? "transposed" : "";
    }
}

ir_module *op_case(op_family_id family, unsigned number, char name[96], bool *refused) {
    const unsigned what = number / BZ_NDTYPES;
    const bz_dtype t = (bz_dtype)(number % BZ_NDTYPES);
    *refused = false;
    if (!exists(family, what, t)) return NULL;
    if (family == OPS_TEXTS) {
        ir_module *read = text_case(what, t, name);
        *refused = !read;
        return read;
    }
    snprintf(name, 96, "%s %s of %s", op_families[family].name, word(family, what),
             ir_dtypes[t].name);
    ir_module *m = ir_module_new();
    ir_graph *g = ir_graph_new(m, "main");
    bool ok = !ir_module_add(m, g);
    for (unsigned l = 0; l < LAYOUTS && ok && !g->err.status; l++) {
        ir_ref r = op_families[family].make(g, what, t, l);
        if (r) ir_output_add(g, NULL, r, -1);
    }
    if (ok && !g->err.status && g->outputs.n > 0) return m;
    *refused = true;
    ir_module_free(m);
    return NULL;
}
