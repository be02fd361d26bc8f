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

int64_t cuda_shared_bytes(const lp_inst *i) {
    return bz_round_up(bz_times(i->imm, (int64_t)ir_dtype_bytes((bz_dtype)i->dtype)), 16);
}

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
    if (scope == LP_SHARED && t->shared >= 0) {
        cuda_line(t, "%s *p%u = (%s *)(shared + %lldll);", type, v, type, (long long)t->shared);
        t->shared += cuda_shared_bytes(i);
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

/* Bytes of an access that moves several lanes at once; 0: lane by lane. */
static unsigned chunk_of(const lp_inst *i, unsigned lanes, bool masked) {
    const unsigned all = lanes * (unsigned)ir_dtype_bytes((bz_dtype)i->dtype);
    if (!(i->flags & LP_ALIGNED) || masked || lanes == 1 || (all & (all - 1))) return 0;
    return all < 16 ? all : 16;
}

/* Its type: elements of 4 or 8 bytes are members of a vector, smaller ones parts of words. */
static const char *chunk_type(bz_dtype d, unsigned bytes) {
    static const char *const words[] = {"u16", "u32", "uint2", "uint4"};
    static const char *const pairs[BZ_NDTYPES] = {
        [BZ_I32] = "int2", [BZ_U32] = "uint2", [BZ_F32] = "float2"};
    static const char *const types[BZ_NDTYPES] = {
        [BZ_I32] = "int4",      [BZ_U32] = "uint4",      [BZ_F32] = "float4",
        [BZ_I64] = "longlong2", [BZ_U64] = "ulonglong2", [BZ_F64] = "double2"};
    if (ir_dtype_bytes(d) < 4) return words[__builtin_ctz(bytes) - 1];
    return bytes == 8 ? pairs[d] : types[d];
}

cuda_place cuda_element(const cuda_text *t, lp_val p, lp_val index, unsigned lane, bool many) {
    cuda_place n;
    if (many)
        snprintf(n.text, sizeof n.text, "p%u[%s]", p, cuda_lane(t, index, lane).text);
    else if (lane)
        snprintf(n.text, sizeof n.text, "p%u[%s + %u]", p, cuda_lane(t, index, 0).text, lane);
    else
        snprintf(n.text, sizeof n.text, "p%u[%s]", p, cuda_lane(t, index, 0).text);
    return n;
}

/* Which word of a chunk holds element n; "" where there is one word. */
static const char *word_of(bz_dtype d, unsigned bytes, unsigned n) {
    static const char *const members[] = {".x", ".y", ".z", ".w"};
    const unsigned size = (unsigned)ir_dtype_bytes(d);
    return bytes <= 4 ? "" : members[size < 4 ? n * size / 4 : n];
}

static void load_chunks(cuda_text *t, lp_val v, unsigned bytes) {
    const lp_inst *i = cuda_inst(t, v);
    const bz_dtype d = (bz_dtype)i->dtype;
    const unsigned size = (unsigned)ir_dtype_bytes(d), each = bytes / size;
    const char *type = chunk_type(d, bytes);
    for (unsigned l = 0; l < i->lanes; l += each) {
        cuda_line(t, "const %s w%u_%u = *(const %s *)&%s;", type, v, l, type,
                  cuda_element(t, cuda_arg(t, i, 0), cuda_arg(t, i, 1), l, false).text);
        for (unsigned n = 0; n < each; n++) {
            cuda_begin(t, v, l + n);
            bz_textf(t->out, size < 4 ? "(%s)(w%u_%u%s >> %u)" : "(%s)w%u_%u%s", cuda_cells[d], v,
                     l, word_of(d, bytes, n), n * size % 4 * 8);
            if (d == BZ_BOOL) bz_text_str(t->out, " != 0");
            cuda_end(t);
        }
    }
}

static void load(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const lp_val mask = i->nargs > 2 ? cuda_arg(t, i, 2) : 0;
    const unsigned chunk = i->op == LP_LOAD ? chunk_of(i, i->lanes, mask) : 0;
    if (chunk) {
        load_chunks(t, v, chunk);
        return;
    }
    for (unsigned l = 0; l < i->lanes; l++) {
        cuda_place x = cuda_element(t, cuda_arg(t, i, 0), cuda_arg(t, i, 1), l, i->op == LP_GATHER);
        cuda_begin(t, v, l);
        if (mask) bz_textf(t->out, "%s ? (%s)", cuda_lane(t, mask, l).text, cuda_types[i->dtype]);
        bz_textf(t->out, i->dtype == BZ_BOOL ? "(%s != 0)" : "%s", x.text);
        if (mask) bz_textf(t->out, " : (%s)0", cuda_types[i->dtype]);
        cuda_end(t);
    }
}

/* The members of the chunk from lane l on. */
static void chunk_members(cuda_text *t, lp_val x, unsigned l, unsigned bytes) {
    const bz_dtype d = (bz_dtype)cuda_inst(t, x)->dtype;
    const unsigned size = (unsigned)ir_dtype_bytes(d);
    for (unsigned n = 0; n < bytes / size; n++) {
        const unsigned shift = size < 4 ? n * size % 4 * 8 : 0;
        const char *lead = n == 0 ? "" : shift ? " | " : ", ";
        if (size >= 4)
            bz_textf(t->out, "%s%s", lead, cuda_lane(t, x, l + n).text);
        else
            bz_textf(t->out, "%s(u32)(%s)%s << %u", lead, size == 1 ? "u8" : "u16",
                     cuda_lane(t, x, l + n).text, shift);
    }
}

static void store_chunks(cuda_text *t, lp_val v, unsigned bytes) {
    const lp_inst *i = cuda_inst(t, v);
    const lp_val x = cuda_arg(t, i, 2);
    const bz_dtype d = (bz_dtype)i->dtype;
    const unsigned each = bytes / (unsigned)ir_dtype_bytes(d), lanes = cuda_inst(t, x)->lanes;
    const char *type = chunk_type(d, bytes);
    for (unsigned l = 0; l < lanes; l += each) {
        cuda_indent(t);
        bz_textf(t->out, "*(%s *)&%s = %s%s(", type,
                 cuda_element(t, cuda_arg(t, i, 0), cuda_arg(t, i, 1), l, false).text,
                 bytes <= 4 ? "" : "make_", bytes <= 4 ? "" : type);
        chunk_members(t, x, l, bytes);
        bz_text_str(t->out, ");\n");
    }
}

static void store(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const lp_val x = cuda_arg(t, i, 2), mask = i->nargs > 3 ? cuda_arg(t, i, 3) : 0;
    const unsigned lanes = cuda_inst(t, x)->lanes;
    const unsigned chunk = i->op == LP_STORE ? chunk_of(i, lanes, mask) : 0;
    if (chunk) {
        store_chunks(t, v, chunk);
        return;
    }
    if (i->op == LP_COMPRESS)
        cuda_line(t, "i64 n%u = %s;", v, cuda_lane(t, cuda_arg(t, i, 1), 0).text);
    for (unsigned l = 0; l < lanes; l++) {
        cuda_place to =
            cuda_element(t, cuda_arg(t, i, 0), cuda_arg(t, i, 1), l, i->op == LP_SCATTER);
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

static void is_aligned(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    cuda_begin(t, v, 0);
    bz_textf(t->out, "((u64)&%s & %lldu) == 0",
             cuda_element(t, cuda_arg(t, i, 0), cuda_arg(t, i, 1), 0, false).text,
             (long long)i->imm - 1);
    cuda_end(t);
}

void cuda_memory(cuda_text *t, lp_val v) {
    switch (cuda_inst(t, v)->op) {
    case LP_TABLE: table(t, v); break;
    case LP_BUFFER: buffer(t, v); break;
    case LP_LOCAL: local(t, v); break;
    case LP_OFFSET: offset(t, v); break;
    case LP_IS_ALIGNED: is_aligned(t, v); break;
    case LP_LOAD:
    case LP_GATHER: load(t, v); break;
    case LP_STORE:
    case LP_SCATTER:
    case LP_COMPRESS: store(t, v); break;
    case LP_PREFETCH: break;
    case LP_ASYNC_COPY:
    case LP_ASYNC_WAIT: cuda_matrix(t, v); break;
    default: cuda_refuse(t, v); break;
    }
}
