/* cuda_names.c - how values are called in the text: numbers, parameters and what vectors are put together from stand for themselves. */
#include "src/codegen/cuda_emit.h"

#include <inttypes.h>
#include <stdio.h>

/* Integers are called as their dtypes are; 16-bit floats are kept as their bits. */
#define OF_BOOL(name, bits)  "bool"
#define OF_UINT(name, bits)  #name
#define OF_SINT(name, bits)  #name
#define OF_FLOAT(name, bits) FLOAT_##bits
#define OF_COMPLEX(name, bits) NULL /* kernels know their parts */
#define FLOAT_16             "u16"
#define FLOAT_32             "float"
#define FLOAT_64             "double"
#define TYPE(e, name, bytes, kind, bits) [e] = OF_##kind(name, bits),
const char *const cuda_types[BZ_NDTYPES] = {BZ_DTYPES(TYPE)};
#undef OF_BOOL
#define OF_BOOL(name, bits) "u8"
const char *const cuda_cells[BZ_NDTYPES] = {BZ_DTYPES(TYPE)};

void cuda_indent(cuda_text *t) {
    for (unsigned i = 0; i < t->depth; i++) bz_text_str(t->out, "    ");
}

void cuda_line(cuda_text *t, const char *fmt, ...) {
    va_list ap;
    cuda_indent(t);
    va_start(ap, fmt);
    bz_textfv(t->out, fmt, ap);
    va_end(ap);
    bz_text_str(t->out, "\n");
}

static bool is_number(const lp_inst *i) {
    return i->op == LP_CONST && !ir_is_float((bz_dtype)i->dtype);
}

lp_val cuda_behind(const cuda_text *t, lp_val v, unsigned *lane) {
    for (;;) {
        const lp_inst *i = cuda_inst(t, v);
        const unsigned l = *lane;
        const uint32_t *pick = lp_args(t->k, i) + i->nargs;
        if (i->op == LP_SPLAT) {
            *lane = 0;
            v = cuda_arg(t, i, 0);
        } else if (i->op == LP_EXTRACT) {
            *lane = (unsigned)i->imm;
            v = cuda_arg(t, i, 0);
        } else if (i->op == LP_INSERT) {
            *lane = l == (unsigned)i->imm ? 0 : l;
            v = cuda_arg(t, i, l == (unsigned)i->imm);
        } else if (i->op == LP_SHUFFLE) {
            const unsigned n = cuda_inst(t, cuda_arg(t, i, 0))->lanes;
            *lane = pick[l] < n ? pick[l] : pick[l] - n;
            v = cuda_arg(t, i, pick[l] >= n);
        } else {
            return v;
        }
    }
}

/* An integer or a truth value. */
static cuda_name number(bz_dtype t, ir_bits b) {
    cuda_name n;
    const int64_t x = ir_bits_to_i64(t, b);
    const bool is_short = x > -(1 << 30) && x < 1 << 30; /* with a lane's number it is an int */
    if (t == BZ_BOOL)
        snprintf(n.text, sizeof n.text, "%s", b ? "true" : "false");
    else if (t == BZ_U64)
        snprintf(n.text, sizeof n.text, "%" PRIu64 "ull", b);
    else if (x == INT64_MIN)
        snprintf(n.text, sizeof n.text, "(-9223372036854775807ll - 1)");
    else if (t == BZ_I64 || (t == BZ_I32 && is_short))
        snprintf(n.text, sizeof n.text, is_short ? "%" PRId64 : "%" PRId64 "ll", x);
    else
        snprintf(n.text, sizeof n.text, "(%s)%" PRId64 "ll", cuda_types[t], x);
    return n;
}

cuda_name cuda_lane(const cuda_text *t, lp_val v, unsigned lane) {
    cuda_name n;
    v = cuda_behind(t, v, &lane);
    const lp_inst *i = cuda_inst(t, v);
    if (i->op == LP_LANEID) return number((bz_dtype)i->dtype, lane);
    if (is_number(i)) return number((bz_dtype)i->dtype, (ir_bits)i->imm);
    if (cuda_is_handed(i)) {
        snprintf(n.text, sizeof n.text, "c%u_%u_%u", cuda_arg(t, i, 0), (unsigned)i->imm, lane);
    } else if (i->op == LP_EXTENT) {
        snprintf(n.text, sizeof n.text, "e%lld", (long long)i->imm);
    } else if (i->op == LP_SCALAR) {
        snprintf(n.text, sizeof n.text, i->dtype == BZ_BOOL ? "(s%lld != 0)" : "s%lld",
                 (long long)i->imm);
    } else if (i->lanes > 1 && i->op != LP_CONST) {
        snprintf(n.text, sizeof n.text, "v%u_%u", v, lane);
    } else {
        snprintf(n.text, sizeof n.text, "v%u", v);
    }
    return n;
}

const char *cuda_type(const cuda_text *t, lp_val v) {
    return cuda_types[cuda_narrow(t, v) ? BZ_I32 : cuda_inst(t, v)->dtype];
}

void cuda_begin(cuda_text *t, lp_val v, unsigned lane) {
    cuda_indent(t);
    bz_textf(t->out, "const %s %s = ", cuda_type(t, v), cuda_lane(t, v, lane).text);
}

void cuda_end(cuda_text *t) {
    bz_text_str(t->out, ";\n");
}
