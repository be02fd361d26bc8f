/* cuda_mem.c - memory: pointers, arrays, loads and stores lane by lane, or 16 bytes at once where
 * they are aligned so. */
#include "src/codegen/cuda_emit.h"
#include "src/ir/value.h"

#include <stdio.h>

/* ---- constant tables: the elements' bits */

void cuda_tables(bz_text *out, const lp_module *m) {
    for (unsigned n = 0; n < ir_vtable_count; n++) {
        bool used = false;
        for (uint32_t k = 0; k < m->k.n; k++)
            for (lp_val v = 1; v < m->k.p[k]->inst.n; v++)
                used |= m->k.p[k]->inst.p[v].op == LP_TABLE && m->k.p[k]->inst.p[v].imm == n;
        if (!used) continue;
        const ir_vtable *t = &ir_vtables[n];
        const size_t size = ir_dtype_bytes(t->dtype);
        bz_textf(out, "static __device__ const %s bz_table%u[] = { /* %s */\n",
                 size == 8 ? "i64" : "i32", n, t->name);
        for (uint32_t i = 0; i < t->n; i++) {
            const ir_bits b = ir_load_bits(t->dtype, (const char *)t->data + i * size);
            bz_textf(out, size == 8 ? "    (i64)0x%016llxull,\n" : "    (i32)0x%08llxu,\n",
                     (unsigned long long)b);
        }
        bz_text_str(out, "};\n");
    }
}

static void table(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const bz_dtype d = (bz_dtype)i->dtype;
    const char *as = d == BZ_F32 ? "__int_as_float" : d == BZ_F64 ? "__longlong_as_double" : "";
    for (unsigned l = 0; l < i->lanes; l++) {
        cuda_begin(t, v, l);
        bz_textf(t->out, "(%s)%s(bz_table%lld[%s])", cuda_types[d], as, (long long)i->imm,
                 cuda_lane(t, cuda_arg(t, i, 0), l).text);
        cuda_end(t);
    }
}

/* ---- arrays */

static void local(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const char *type = cuda_cells[i->dtype];
    const unsigned scope = i->flags & 15;
    if (scope == LP_SCRATCH) {
        cuda_line(t, "%s *p%u = (%s *)(scratch + %lldll);", type, v, type, (long long)t->scratch);
        t->scratch +=
            bz_round_up(bz_times(i->imm, (int64_t)ir_dtype_bytes((bz_dtype)i->dtype)), 64);
        return;
    }
    cuda_line(t, "%s__align__(16) %s a%u[%lld];", scope == LP_SHARED ? "__shared__ " : "", type, v,
              (long long)(i->imm > 0 ? i->imm : 1));
    cuda_line(t, "%s *p%u = a%u;", type, v, v);
}

/* Does what the pointer leads to come from a buffer that is only read? */
static bool is_const(const cuda_text *t, lp_val p) {
    while (cuda_inst(t, p)->op == LP_OFFSET) p = cuda_arg(t, cuda_inst(t, p), 0);
    const lp_inst *i = cuda_inst(t, p);
    return i->op == LP_BUFFER && t->k->buffers.p[i->imm].access == LP_IN;
}

static void offset(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    cuda_line(t, "%s%s *p%u = p%u + %s;", is_const(t, v) ? "const " : "", cuda_cells[i->dtype], v,
              cuda_arg(t, i, 0), cuda_lane(t, cuda_arg(t, i, 1), 0).text);
}

/* ---- elements */

/* The vector type of 16 bytes that `lanes` lanes are made of; NULL: lane by lane. */
static const char *vector_of(const lp_inst *i, unsigned lanes, bool masked) {
    static const char *const types[BZ_NDTYPES] = {
        [BZ_I32] = "int4", [BZ_F32] = "float4", [BZ_I64] = "longlong2", [BZ_F64] = "double2"};
    const unsigned each = 16 / (unsigned)ir_dtype_bytes((bz_dtype)i->dtype);
    return (i->flags & LP_ALIGNED) && !masked && lanes % each == 0 ? types[i->dtype] : NULL;
}

typedef struct place {
    char text[96];
} place;

static place element(const cuda_text *t, lp_val p, lp_val index, unsigned lane, bool many) {
    place n;
    if (many)
        snprintf(n.text, sizeof n.text, "p%u[%s]", p, cuda_lane(t, index, lane).text);
    else if (lane)
        snprintf(n.text, sizeof n.text, "p%u[%s + %u]", p, cuda_lane(t, index, 0).text, lane);
    else
        snprintf(n.text, sizeof n.text, "p%u[%s]", p, cuda_lane(t, index, 0).text);
    return n;
}

static void load_vectors(cuda_text *t, lp_val v, const char *type) {
    const lp_inst *i = cuda_inst(t, v);
    const unsigned each = 16 / (unsigned)ir_dtype_bytes((bz_dtype)i->dtype);
    for (unsigned l = 0; l < i->lanes; l += each) {
        cuda_line(t, "const %s w%u_%u = *(const %s *)&%s;", type, v, l, type,
                  element(t, cuda_arg(t, i, 0), cuda_arg(t, i, 1), l, false).text);
        for (unsigned n = 0; n < each; n++)
            cuda_line(t, "const %s %s = w%u_%u.%c;", cuda_types[i->dtype],
                      cuda_lane(t, v, l + n).text, v, l, "xyzw"[n]);
    }
}

static void load(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const lp_val mask = i->nargs > 2 ? cuda_arg(t, i, 2) : 0;
    const char *type = vector_of(i, i->lanes, mask);
    if (type) {
        load_vectors(t, v, type);
        return;
    }
    for (unsigned l = 0; l < i->lanes; l++) {
        place x = element(t, cuda_arg(t, i, 0), cuda_arg(t, i, 1), l, i->op == LP_GATHER);
        cuda_begin(t, v, l);
        if (mask) bz_textf(t->out, "%s ? (%s)", cuda_lane(t, mask, l).text, cuda_types[i->dtype]);
        bz_textf(t->out, i->dtype == BZ_BOOL ? "(%s != 0)" : "%s", x.text);
        if (mask) bz_textf(t->out, " : (%s)0", cuda_types[i->dtype]);
        cuda_end(t);
    }
}

static void store_vectors(cuda_text *t, lp_val v, const char *type) {
    const lp_inst *i = cuda_inst(t, v);
    const lp_val x = cuda_arg(t, i, 2);
    const unsigned each = 16 / (unsigned)ir_dtype_bytes((bz_dtype)i->dtype),
                   lanes = cuda_inst(t, x)->lanes;
    for (unsigned l = 0; l < lanes; l += each) {
        bz_text list = {0};
        for (unsigned n = 0; n < each; n++)
            bz_textf(&list, "%s%s", n ? ", " : "", cuda_lane(t, x, l + n).text);
        cuda_line(t, "*(%s *)&%s = make_%s(%s);", type,
                  element(t, cuda_arg(t, i, 0), cuda_arg(t, i, 1), l, false).text, type,
                  bz_text_c(&list));
        bz_text_free(&list);
    }
}

static void store(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const lp_val x = cuda_arg(t, i, 2), mask = i->nargs > 3 ? cuda_arg(t, i, 3) : 0;
    const unsigned lanes = cuda_inst(t, x)->lanes;
    const char *type = i->op == LP_STORE ? vector_of(i, lanes, mask) : NULL;
    if (type) {
        store_vectors(t, v, type);
        return;
    }
    if (i->op == LP_COMPRESS)
        cuda_line(t, "i64 n%u = %s;", v, cuda_lane(t, cuda_arg(t, i, 1), 0).text);
    for (unsigned l = 0; l < lanes; l++) {
        place to = element(t, cuda_arg(t, i, 0), cuda_arg(t, i, 1), l, i->op == LP_SCATTER);
        if (i->op == LP_COMPRESS)
            snprintf(to.text, sizeof to.text, "p%u[n%u++]", cuda_arg(t, i, 0), v);
        if (mask)
            cuda_line(t, "if (%s) %s = %s;", cuda_lane(t, mask, l).text, to.text,
                      cuda_lane(t, x, l).text);
        else
            cuda_line(t, "%s = %s;", to.text, cuda_lane(t, x, l).text);
    }
}

static void buffer(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    cuda_line(t, "%s%s *p%u = b%lld;", is_const(t, v) ? "const " : "", cuda_cells[i->dtype], v,
              (long long)i->imm);
}

void cuda_memory(cuda_text *t, lp_val v) {
    switch (cuda_inst(t, v)->op) {
    case LP_TABLE: table(t, v); break;
    case LP_BUFFER: buffer(t, v); break;
    case LP_LOCAL: local(t, v); break;
    case LP_OFFSET: offset(t, v); break;
    case LP_LOAD:
    case LP_GATHER: load(t, v); break;
    case LP_STORE:
    case LP_SCATTER:
    case LP_COMPRESS: store(t, v); break;
    case LP_PREFETCH: break;
    default: cuda_refuse(t, v); break;
    }
}
