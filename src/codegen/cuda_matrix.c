/* cuda_matrix.c - what feeds matrix units, and they: copies that are under way, ldmatrix, mma. PTX, since CUDA C has no word for them
 * without an include; for sm_80 and above.
 *
 *     f16x8 in C: v12_0 .. v12_7, halves; in PTX: four registers of two, the lower half first. The compiler sees through both. */
#include "src/codegen/cuda_emit.h"

/* The processor rounds as bz_to_bf16 does, but for which NaN comes. */
const char cuda_matrix_prelude[] =
    "BZ_FN u32 bz_tf32(float x) { u32 r; asm(\"cvt.rna.tf32.f32 %0, %1;\" : \"=r\"(r) : "
    "\"f\"(x)); return r; }\n"
    "BZ_FN u16 bz_cvt_bf16(float x) { u16 r; asm(\"cvt.rn.bf16.f32 %0, %1;\" : \"=h\"(r) : "
    "\"f\"(x)); return r; }\n";

bool cuda_has_matrix(const lp_kernel *k) {
    for (lp_val v = 1; v < k->inst.n; v++)
        if (k->inst.p[v].op == LP_MMA) return true;
    return false;
}

/* ---- copies */

static void async_copy(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const lp_val to = cuda_arg(t, i, 0), from = cuda_arg(t, i, 2);
    const bz_dtype d = (bz_dtype)cuda_inst(t, to)->dtype;
    const int64_t bytes = bz_times(i->imm, (int64_t)ir_dtype_bytes(d));
    if (bytes != 4 && bytes != 8 && bytes != 16) {
        cuda_refuse(t, v);
        return;
    }
    cuda_indent(t);
    bz_textf(t->out,
             "asm volatile(\"cp.async.%s.shared.global [%%0], [%%1], %d, %%2;\" :: "
             "\"r\"((u32)__cvta_generic_to_shared(&%s)), \"l\"(__cvta_generic_to_global(&%s)), "
             "\"r\"(",
             bytes == 16 ? "cg" : "ca", (int)bytes,
             cuda_element(t, to, cuda_arg(t, i, 1), 0, false).text,
             cuda_element(t, from, cuda_arg(t, i, 3), 0, false).text);
    if (i->nargs > 4)
        bz_textf(t->out, "%s ? %d : 0", cuda_lane(t, cuda_arg(t, i, 4), 0).text, (int)bytes);
    else
        bz_textf(t->out, "%d", (int)bytes);
    bz_text_str(t->out, ") : \"memory\");\n");
}

/* ---- matrices */

static unsigned each_register(bz_dtype d) {
    return 4 / (unsigned)ir_dtype_bytes(d);
}

static void ldmatrix(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const bz_dtype d = (bz_dtype)i->dtype;
    const unsigned each = each_register(d), n = i->lanes / each;
    for (unsigned r = 0; r < n; r++) cuda_line(t, "u32 m%u_%u;", v, r);
    cuda_indent(t);
    bz_textf(t->out, "asm volatile(\"ldmatrix.sync.aligned.m8n8.x%u%s.shared.b16 {", n,
             i->imm ? ".trans" : "");
    for (unsigned r = 0; r < n; r++) bz_textf(t->out, "%s%%%u", r ? ", " : "", r);
    bz_textf(t->out, "}, [%%%u];\" : ", n);
    for (unsigned r = 0; r < n; r++) bz_textf(t->out, "%s\"=r\"(m%u_%u)", r ? ", " : "", v, r);
    bz_textf(t->out, " : \"r\"((u32)__cvta_generic_to_shared(&%s)) : \"memory\");\n",
             cuda_element(t, cuda_arg(t, i, 0), cuda_arg(t, i, 1), 0, false).text);
    for (unsigned l = 0; l < i->lanes; l++) {
        cuda_begin(t, v, l);
        if (each == 1)
            bz_textf(t->out, d == BZ_F32 ? "__uint_as_float(m%u_%u)" : "(i32)m%u_%u", v, l);
        else
            bz_textf(t->out, "(%s)(m%u_%u >> %u)", cuda_types[d], v, l / 2, l % 2 * 16);
        cuda_end(t);
    }
}

/* The registers of a fragment of a factor, as inputs. */
static void factor(cuda_text *t, lp_val x) {
    const lp_inst *i = cuda_inst(t, x);
    const bool halves = each_register((bz_dtype)i->dtype) == 2;
    for (unsigned l = 0; l < i->lanes; l += 1 + halves)
        if (halves)
            bz_textf(t->out, "\"r\"((u32)%s | (u32)%s << 16), ", cuda_lane(t, x, l).text,
                     cuda_lane(t, x, l + 1).text);
        else
            bz_textf(t->out, "\"r\"(bz_tf32(%s)), ", cuda_lane(t, x, l).text);
}

static void mma(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    const lp_val a = cuda_arg(t, i, 0), b = cuda_arg(t, i, 1), c = cuda_arg(t, i, 2);
    const bz_dtype d = (bz_dtype)cuda_inst(t, a)->dtype;
    const char *type = d == BZ_F32 ? "tf32" : ir_dtypes[d].name;
    cuda_line(t, "float v%u_0, v%u_1, v%u_2, v%u_3;", v, v, v, v);
    cuda_indent(t);
    bz_textf(t->out,
             "asm volatile(\"mma.sync.aligned.m16n8k%u.row.col.f32.%s.%s.f32 {%%0, %%1, %%2, %%3}, "
             "{%%4, %%5, %%6, %%7}, {%%8, %%9}, {%%10, %%11, %%12, %%13};\" : ",
             8 * each_register(d), type, type);
    for (unsigned l = 0; l < 4; l++) bz_textf(t->out, "%s\"=f\"(v%u_%u)", l ? ", " : "", v, l);
    bz_text_str(t->out, " : ");
    factor(t, a);
    factor(t, b);
    for (unsigned l = 0; l < 4; l++)
        bz_textf(t->out, "%s\"f\"(%s)", l ? ", " : "", cuda_lane(t, c, l).text);
    bz_text_str(t->out, ");\n");
}

void cuda_matrix(cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    if ((i->op == LP_MMA || i->op == LP_LDMATRIX) && (!t->block || t->block % 32)) {
        cuda_refuse(t, v);
        return;
    }
    switch (i->op) {
    case LP_ASYNC_COPY: async_copy(t, v); break;
    case LP_ASYNC_GROUP:
        cuda_line(t, "asm volatile(\"cp.async.commit_group;\" ::: \"memory\");");
        break;
    case LP_ASYNC_WAIT:
        cuda_line(t, "asm volatile(\"cp.async.wait_group %lld;\" ::: \"memory\");",
                  (long long)i->imm);
        break;
    case LP_LDMATRIX: ldmatrix(t, v); break;
    default: mma(t, v); break;
    }
}
