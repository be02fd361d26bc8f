/* memory.c - loads, stores, atomics, address spaces, asynchronous copies, fences.
 *
 * Each thread has 16 bytes of its own in shared and in global memory (%sa, %ga); a value is stored
 * there one way and read back another. */
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "fp.h"

/* How a case reaches its memory: text before, the suffix of ld and st, the address. */
static const struct {
    const char *setup, *space, *address;
} spaces[] = {
    {"", ".global", "%ga"},
    {"", ".shared", "%sa"},
    {"", "", "%ga"}, /* generic */
    {"cvt.u64.u32 %a, %sa;\ncvta.shared.u64 %a, %a;\n", "", "%a"},
    {".local .align 16 .b8 mine[16];\nmov.u64 %a, mine;\n", ".local", "%a"},
    {".local .align 16 .b8 mine[16];\nmov.u64 %a, mine;\ncvta.local.u64 %a, %a;\n", "", "%a"},
    {"cvta.to.global.u64 %a, %ga;\n", ".global", "%a"},
    {"cvta.global.u64 %a, %ga;\n", ".volatile", "%a"},
    {"", ".volatile.shared", "%sa"},
    {"", ".volatile.global", "%ga"},
};

enum { SPACES = sizeof spaces / sizeof *spaces };

static const struct {
    const char *type;
    int bits;
    bool is_signed;
} loads[] = {{"u8", 8, false},   {"s8", 8, true},    {"b8", 8, false},   {"u16", 16, false},
             {"s16", 16, true},  {"b16", 16, false}, {"u32", 32, false}, {"s32", 32, true},
             {"b32", 32, false}, {"f32", 32, false}, {"u64", 64, false}, {"s64", 64, false},
             {"b64", 64, false}, {"f64", 64, false}};

enum { LOADS = sizeof loads / sizeof *loads };

/* The value of `bits` bits at byte `at`, widened by its sign. */
static uint64_t piece(uint64_t x, int at, int bits, bool is_signed) {
    int unused = 64 - bits;
    x = x >> (at * 8) << unused;
    return is_signed ? (uint64_t)((int64_t)x >> unused) : x >> unused;
}

static void row_piece(const conf_case *c, const uint64_t *v, uint64_t *r) {
    r[0] = piece(v[0], c->spec.op, c->spec.to, c->spec.from);
}

/* 8 bytes stored at once, a part loaded into a register that may be wider. */
static void add_loads(conf_list *list) {
    for (int s = 0; s < SPACES; s++)
        for (int k = 0; k < LOADS; k++) {
            int at = loads[k].bits == 64   ? 0
                     : loads[k].bits == 32 ? 4
                     : loads[k].bits == 16 ? 6
                                           : 5;
            const char *sig = loads[k].bits == 64 || k % 2 ? "d:d" : "w:d";
            if (loads[k].type[0] == 'f') /* floats must fit their register */
                sig = loads[k].bits == 64 ? "d:d" : "w:d";
            conf_case *c =
                conf_add(list, 75, sig, "{\n%sst%s.b64 [%s], $1;\nld%s.%s $0, [%s+%d];\n}",
                         spaces[s].setup, spaces[s].space, spaces[s].address, spaces[s].space,
                         loads[k].type, spaces[s].address, at);
            c->row = row_piece;
            c->spec = (conf_spec){.op = at, .to = loads[k].bits, .from = loads[k].is_signed};
        }
}

static void row_stored(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t mask = c->spec.to == 64 ? ~0ull : (1ull << c->spec.to) - 1;
    r[0] = (v[0] & ~mask) | (v[1] & mask);
}

/* A part stored over 8 bytes from a register that may be wider. */
static void add_stores(conf_list *list) {
    for (int s = 0; s < SPACES; s++)
        for (int k = 0; k < LOADS; k++) {
            conf_case *c =
                conf_add(list, 75, loads[k].type[0] == 'f' && loads[k].bits == 32 ? "d:dw" : "d:dd",
                         "{\n%sst%s.b64 [%s], $1;\nst%s.%s [%s], $2;\nld%s.b64 $0, [%s];\n}",
                         spaces[s].setup, spaces[s].space, spaces[s].address, spaces[s].space,
                         loads[k].type, spaces[s].address, spaces[s].space, spaces[s].address);
            c->row = row_stored;
            c->spec.to = loads[k].bits;
        }
}

/* ---- vectors --------------------------------------------------------------------------------- */

static void row_vector(const conf_case *c, const uint64_t *v, uint64_t *r) {
    for (int i = 0; i < c->spec.op; i++) {
        int at = i * c->spec.to / 8;
        r[i] = piece(v[at / 8], at % 8, c->spec.to, c->spec.from);
    }
}

static void add_vectors(conf_list *list) {
    for (int s = 0; s < SPACES; s++)
        for (int n = 2; n <= 4; n += 2)
            for (int k = 0; k < LOADS; k++) {
                if (n * loads[k].bits > 128) continue;
                char sig[12];
                const char *to = n == 2 ? "{$0, $1}" : "{$0, $1, $2, $3}";
                snprintf(sig, sizeof sig, "%.*s:dd", n, loads[k].bits == 64 ? "dddd" : "wwww");
                conf_case *c = conf_add(
                    list, 75, sig, "{\n%sst%s.v2.b64 [%s], {$%d, $%d};\nld%s.v%d.%s %s, [%s];\n}",
                    spaces[s].setup, spaces[s].space, spaces[s].address, n, n + 1, spaces[s].space,
                    n, loads[k].type, to, spaces[s].address);
                c->row = row_vector;
                c->spec = (conf_spec){.op = n, .to = loads[k].bits, .from = loads[k].is_signed};
            }
}

static void row_copy(const conf_case *c, const uint64_t *v, uint64_t *r) {
    for (unsigned i = 0; i < conf_results(c); i++) r[i] = v[i];
}

/* The low bits of `op` registers stored side by side. */
static void row_vector_stored(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t mask = c->spec.to == 64 ? ~0ull : (1ull << c->spec.to) - 1;
    r[0] = v[0];
    r[1] = v[1];
    for (int i = 0; i < c->spec.op; i++) {
        int at = i * c->spec.to;
        r[at / 64] &= ~(mask << at % 64);
        r[at / 64] |= (v[2 + i] & mask) << at % 64;
    }
}

static void add_vector_stores(conf_list *list) {
    for (int s = 0; s < SPACES; s++)
        for (int n = 2; n <= 4; n += 2)
            for (int k = 0; k < LOADS; k++) {
                if (n * loads[k].bits > 128) continue;
                char sig[12];
                const char *from = n == 2 ? "{$4, $5}" : "{$4, $5, $6, $7}";
                snprintf(sig, sizeof sig, "dd:dd%.*s", n, loads[k].bits == 64 ? "dddd" : "wwww");
                conf_case *c = conf_add(list, 75, sig,
                                        "{\n%sst%s.v2.b64 [%s], {$2, $3};\nst%s.v%d.%s [%s], %s;\n"
                                        "ld%s.v2.b64 {$0, $1}, [%s];\n}",
                                        spaces[s].setup, spaces[s].space, spaces[s].address,
                                        spaces[s].space, n, loads[k].type, spaces[s].address, from,
                                        spaces[s].space, spaces[s].address);
                c->row = row_vector_stored;
                c->spec = (conf_spec){.op = n, .to = loads[k].bits};
            }
}

/* Only what no thread writes may be read with .nc: the operands themselves. Kernel parameters too
 * are read in every type, from a structure passed by value. */
static void row_param(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t bytes[2];
    (void)v;
    memcpy(bytes, conf_param_bytes, sizeof bytes);
    row_vector(c, bytes, r);
}

static void add_read_only(conf_list *list) {
    for (int n = 1; n <= 4; n *= 2)
        for (int k = 0; k < LOADS; k++) {
            char sig[12], vector[8] = "";
            const char *to = n == 1 ? "$0" : n == 2 ? "{$0, $1}" : "{$0, $1, $2, $3}";
            if (n * loads[k].bits > 128) continue;
            if (n > 1) snprintf(vector, sizeof vector, ".v%d", n);
            snprintf(sig, sizeof sig, "%.*s:dd", n, loads[k].bits == 64 ? "dddd" : "wwww");
            conf_case *c =
                conf_add(list, 75, sig, "ld.global.nc%s.%s %s, [%%in];", vector, loads[k].type, to);
            c->row = row_vector;
            c->spec = (conf_spec){.op = n, .to = loads[k].bits, .from = loads[k].is_signed};
            sig[n + 1] = '\0';
            c = conf_add(list, 75, sig, "ld.param%s.%s %s, [p_bytes];", vector, loads[k].type, to);
            c->row = row_param;
            c->spec = (conf_spec){.op = n, .to = loads[k].bits, .from = loads[k].is_signed};
        }
    conf_add(list, 75, "d:d", "ldu.global.b64 $0, [%%in];")->row = row_copy;
    conf_add(list, 75, "p:p", "mov.pred $0, $1;")->row = row_copy;
    for (int k = 3; k < LOADS; k++) { /* a move names every type but those of 8 bits */
        const char *sig = loads[k].bits == 16 ? "h:h" : loads[k].bits == 32 ? "w:w" : "d:d";
        conf_add(list, 75, sig, "mov.%s $0, $1;", loads[k].type)->row = row_copy;
    }
}

/* Spellings that only hint at caches or order: the value must still arrive. */
static void add_hints(conf_list *list) {
    static const char *const pairs[][2] = {
        {"st.global.wb", "ld.global.ca"},
        {"st.global.cg", "ld.global.cg"},
        {"st.global.cs", "ld.global.cs"},
        {"st.global.wt", "ld.global.cv"},
        {"st.global", "ld.global.lu"},
        {"st.relaxed.gpu.global", "ld.relaxed.gpu.global"},
        {"st.release.gpu.global", "ld.acquire.gpu.global"},
        {"st.relaxed.sys.global", "ld.acquire.sys.global"},
        {"st.relaxed.cta.shared", "ld.relaxed.cta.shared"},
        {"st.weak.global", "ld.weak.global"},
        {"st.global.L1::no_allocate", "ld.global.L1::evict_last"},
        {"st.global", "ld.global.L2::128B"},
        {"st.mmio.relaxed.sys.global", "ld.mmio.relaxed.sys.global"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        const char *at = strstr(pairs[i][0], "shared") ? "%sa" : "%ga";
        for (int k = 0; k < 3; k++) {
            const char *type = k == 0 ? "b32" : k == 1 ? "u32" : "f32";
            conf_add(list, 80, "w:w", "%s.%s [%s], $1;\n%s.%s $0, [%s];", pairs[i][0], type, at,
                     pairs[i][1], type, at)
                ->row = row_copy;
        }
    }
    static const char *const fences[] = {
        "membar.cta;",
        "membar.gl;",
        "membar.sys;",
        "fence.acq_rel.cta;",
        "fence.acq_rel.gpu;",
        "fence.acq_rel.sys;",
        "fence.sc.cta;",
        "fence.sc.gpu;",
        "fence.sc.sys;",
        "bar.warp.sync 0xffffffff;",
        "bar.sync 0;",
        "barrier.sync 0;",
        "bar.sync 1, 128;",
        "bar.arrive 2, 256;\nbar.sync 2, 256;",
        "barrier.cta.sync.aligned 3;",
        "prefetch.global.L1 [%ga];",
        "prefetch.global.L2 [%ga];",
        "nanosleep.u32 20;",
        "mov.u32 %x, %clock;",
        "mov.u64 %a, %globaltimer;",
        "pragma \"nounroll\";",
    };
    for (size_t i = 0; i < sizeof fences / sizeof *fences; i++) {
        const char *dot = fences[i][0] == 'p' && fences[i][2] == 'a' ? "." : "";
        conf_add(list, 75, "w:w", "st.global.b32 [%%ga], $1;\n%s%s\nld.global.b32 $0, [%%ga];", dot,
                 fences[i])
            ->row = row_copy;
    }
}

/* ---- atomics --------------------------------------------------------------------------------- */

enum { ADD, MIN, MAX, AND, OR, XOR, INC, DEC, EXCH, CAS };
enum { T_U16, T_U32, T_S32, T_U64, T_S64, T_F16, T_F16X2, T_F32, T_F64, T_BF16, T_BF16X2 };

static int64_t as_signed(int type, uint64_t x) {
    return type == T_S32 ? (int64_t)(int32_t)x : (int64_t)x;
}

static uint64_t float_add(int type, uint64_t a, uint64_t b) {
    static const fp_format format[] = {[T_F16] = FP_F16, [T_F16X2] = FP_F16, [T_F32] = FP_F32,
                                       [T_F64] = FP_F64, [T_BF16] = FP_BF16, [T_BF16X2] = FP_BF16};
    fp_format f = format[type];
    if (type != T_F16X2 && type != T_BF16X2) return fp_compute(FP_ADD, f, FP_RN, a, b, 0);
    return fp_compute(FP_ADD, f, FP_RN, a & 0xffff, b & 0xffff, 0) |
           fp_compute(FP_ADD, f, FP_RN, a >> 16, b >> 16, 0) << 16;
}

static uint64_t updated(const conf_case *c, uint64_t old, uint64_t b, uint64_t d) {
    int type = c->spec.to;
    bool is_signed = type == T_S32 || type == T_S64;
    bool less = is_signed ? as_signed(type, old) < as_signed(type, b) : old < b;
    switch (c->spec.op) {
    case ADD: return type >= T_F16 ? float_add(type, old, b) : old + b;
    case MIN: return less ? old : b;
    case MAX: return less ? b : old;
    case AND: return old & b;
    case OR: return old | b;
    case XOR: return old ^ b;
    case INC: return old >= b ? 0 : old + 1;
    case DEC: return old == 0 || old > b ? b : old - 1;
    case EXCH: return b;
    default: return old == b ? d : old;
    }
}

/* Operands: the value in memory, b, and for cas what replaces it; results: the old value and the
 * new one.
 * flags 1: red, which has no old value. */
static void row_atomic(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t now = updated(c, v[0], v[1], c->spec.op == CAS ? v[2] : 0);
    r[0] = c->spec.flags ? now : v[0];
    if (!c->spec.flags) r[1] = now;
}

static const struct {
    const char *name, *op;
    int code, type, bits;
    char letter;
    unsigned sm;
} atomics[] = {
    {"add.u32", "add", ADD, T_U32, 32, 'w', 75},
    {"add.s32", "add", ADD, T_S32, 32, 'w', 75},
    {"add.u64", "add", ADD, T_U64, 64, 'd', 75},
    {"add.f32", "add", ADD, T_F32, 32, 'e', 75},
    {"add.f64", "add", ADD, T_F64, 64, 'E', 75},
    {"add.noftz.f16", "add", ADD, T_F16, 16, 'H', 75},
    {"add.noftz.f16x2", "add", ADD, T_F16X2, 32, 'X', 75},
    {"add.noftz.bf16", "add", ADD, T_BF16, 16, 'B', 90},
    {"add.noftz.bf16x2", "add", ADD, T_BF16X2, 32, 'Y', 90},
    {"min.u32", "min", MIN, T_U32, 32, 'w', 75},
    {"min.s32", "min", MIN, T_S32, 32, 'w', 75},
    {"min.u64", "min", MIN, T_U64, 64, 'd', 75},
    {"min.s64", "min", MIN, T_S64, 64, 'd', 75},
    {"max.u32", "max", MAX, T_U32, 32, 'w', 75},
    {"max.s32", "max", MAX, T_S32, 32, 'w', 75},
    {"max.u64", "max", MAX, T_U64, 64, 'd', 75},
    {"max.s64", "max", MAX, T_S64, 64, 'd', 75},
    {"and.b32", "and", AND, T_U32, 32, 'w', 75},
    {"and.b64", "and", AND, T_U64, 64, 'd', 75},
    {"or.b32", "or", OR, T_U32, 32, 'w', 75},
    {"or.b64", "or", OR, T_U64, 64, 'd', 75},
    {"xor.b32", "xor", XOR, T_U32, 32, 'w', 75},
    {"xor.b64", "xor", XOR, T_U64, 64, 'd', 75},
    {"inc.u32", "inc", INC, T_U32, 32, 'w', 75},
    {"dec.u32", "dec", DEC, T_U32, 32, 'w', 75},
    {"exch.b32", "exch", EXCH, T_U32, 32, 'w', 75},
    {"exch.b64", "exch", EXCH, T_U64, 64, 'd', 75},
    {"cas.b16", "cas", CAS, T_U16, 16, 'h', 75},
    {"cas.b32", "cas", CAS, T_U32, 32, 'w', 75},
    {"cas.b64", "cas", CAS, T_U64, 64, 'd', 75},
};

static void add_atomic(conf_list *list, size_t k, const char *setup, const char *space,
                       const char *at, const char *order) {
    int bits = atomics[k].bits;
    char l = atomics[k].letter;
    char sig[] = {l, l, ':', l, l, l, '\0'};
    if (atomics[k].code != CAS) sig[5] = '\0';
    const char *third = atomics[k].code == CAS ? ", $4" : "";
    conf_case *c =
        conf_add(list, atomics[k].sm, sig,
                 "{\n%sst%s.b%d [%s], $2;\natom%s%s.%s $0, [%s], $3%s;\nld%s.b%d $1, [%s];\n}",
                 setup, space, bits, at, order, space, atomics[k].name, at, third, space, bits, at);
    c->row = row_atomic;
    c->spec = (conf_spec){.op = atomics[k].code, .to = atomics[k].type};
    if (atomics[k].code >= EXCH || strstr(order, "acq")) /* red gives nothing to acquire */
        return;
    char red_sig[] = {l, ':', l, l, '\0'};
    c = conf_add(list, atomics[k].sm, red_sig,
                 "{\n%sst%s.b%d [%s], $1;\nred%s%s.%s [%s], $2;\nld%s.b%d $0, [%s];\n}", setup,
                 space, bits, at, order, space, atomics[k].name, at, space, bits, at);
    c->row = row_atomic;
    c->spec = (conf_spec){.op = atomics[k].code, .to = atomics[k].type, .flags = 1};
}

static void add_atomics(conf_list *list) {
    static const char *const orders[] = {
        "", ".relaxed.gpu", ".acq_rel.gpu", ".relaxed.cta", ".release.gpu", ".relaxed.sys"};
    for (size_t k = 0; k < sizeof atomics / sizeof *atomics; k++) {
        for (int s = 0; s < 4; s++) /* global, shared, and both by generic addresses */
            add_atomic(list, k, spaces[s].setup, spaces[s].space, spaces[s].address, "");
        add_atomic(list, k, "", ".global", "%ga", orders[1 + k % 5]);
        if (atomics[k].code == CAS) add_atomic(list, k, "", ".global", "%ga", ".relaxed");
    }
}

/* ---- asynchronous copies --------------------------------------------------------------------- */

/* `to` bytes of the destination are written, `op` of them from the source, the rest with zeros. */
static void row_async(const conf_case *c, const uint64_t *v, uint64_t *r) {
    const uint64_t from[2] = {v[0], v[1]}, old[2] = {v[2], v[3]};
    for (int w = 0; w < 2; w++) {
        r[w] = 0;
        for (int b = 0; b < 8; b++) {
            int at = w * 8 + b;
            const uint64_t *x = at < c->spec.op ? from : old;
            uint64_t byte = at >= c->spec.op && at < c->spec.to ? 0 : x[w] >> (b * 8) & 0xff;
            r[w] |= byte << (b * 8);
        }
    }
}

static void add_async(conf_list *list) {
    static const struct {
        const char *copy, *wait;
        int bytes, from;
    } copies[] = {
        {"cp.async.ca.shared.global [%sa], [%ga], 4;", "cp.async.wait_all;", 4, 4},
        {"cp.async.ca.shared.global [%sa], [%ga], 8;",
         "cp.async.commit_group;\ncp.async.wait_group 0;", 8, 8},
        {"cp.async.ca.shared.global [%sa], [%ga], 16;",
         "cp.async.commit_group;\ncp.async.wait_all;", 16, 16},
        {"cp.async.cg.shared.global [%sa], [%ga], 16;",
         "cp.async.commit_group;\ncp.async.wait_group 0;", 16, 16},
        {"cp.async.cg.shared.global [%sa], [%ga], 16, 0;", "cp.async.wait_all;", 16, 0},
        {"cp.async.cg.shared.global [%sa], [%ga], 16, 6;", "cp.async.wait_all;", 16, 6},
        {"mov.u32 %x, 3;\ncp.async.ca.shared.global [%sa], [%ga], 4, %x;", "cp.async.wait_all;", 4,
         3},
        {"setp.eq.u32 %p, %i, %i;\ncp.async.cg.shared.global [%sa], [%ga], 16, %p;",
         "cp.async.wait_all;", 16, 0},
        {"cp.async.cg.shared.global.L2::128B [%sa], [%ga], 16;", "cp.async.wait_all;", 16, 16},
        {"cp.async.ca.shared.global [%sa], [%ga], 8;",
         "cp.async.commit_group;\ncp.async.commit_group;\ncp.async.wait_group 1;", 8, 8},
    };
    for (size_t i = 0; i < sizeof copies / sizeof *copies; i++) {
        conf_case *c = conf_add(
            list, 80, "dd:dddd",
            "st.global.v2.b64 [%%ga], {$2, $3};\nst.shared.v2.b64 [%%sa], {$4, $5};\n%s\n%s\n"
            "ld.shared.v2.b64 {$0, $1}, [%%sa];",
            copies[i].copy, copies[i].wait);
        c->row = row_async;
        c->spec = (conf_spec){.op = copies[i].from, .to = copies[i].bytes};
    }
}

/* ---- variables and address spaces ------------------------------------------------------------ */

static void row_table(const conf_case *c, const uint64_t *v, uint64_t *r) {
    static const uint32_t table[4] = {7, 0xfffffffe, 0x3f800000, 0x00010203};
    (void)c;
    r[0] = table[v[0] & 3];
}

static void row_spaces(const conf_case *c, const uint64_t *v, uint64_t *r) {
    (void)v;
    r[0] = (uint64_t)c->spec.op;
}

static void add_variables(conf_list *list) {
    static const char constant[] =
        ".const .align 4 .b32 table[4] = {7, -2, 0f3F800000, 0x00010203};\n";
    static const char global[] =
        ".global .align 4 .b32 table[4] = {7, -2, 0f3F800000, 0x00010203};\n"
        ".global .align 8 .u64 where[2] = {generic(table), generic(table)+4};\n";
    static const char bytes[] = ".visible .global .align 16 .b8 table[16] = {7, 0, 0, 0, 254, 255, "
                                "255, 255, 0, 0, 128, 63, 3, 2, 1};\n";
    static const struct {
        const char *decl, *text;
    } reads[] = {
        {constant, "mov.u64 %%a, table;\nmad.wide.u32 %%a, %%x, 4, %%a;\nld.const.u32 $0, [%%a];"},
        {constant, "mov.u64 %%a, table;\ncvta.const.u64 %%a, %%a;\nmad.wide.u32 %%a, %%x, 4, "
                   "%%a;\nld.u32 $0, [%%a];"},
        {global, "mov.u64 %%a, table;\nmad.wide.u32 %%a, %%x, 4, %%a;\nld.global.u32 $0, [%%a];"},
        {global, "ld.global.u64 %%a, [where];\nmad.wide.u32 %%a, %%x, 4, %%a;\nld.u32 $0, [%%a];"},
        {global,
         "ld.global.u64 %%a, [where+8];\nmad.wide.u32 %%a, %%x, 4, %%a;\nld.u32 $0, [%%a+-4];"},
        {bytes, "mov.u64 %%a, table;\nmad.wide.u32 %%a, %%x, 4, %%a;\nld.global.u32 $0, [%%a];"},
    };
    for (size_t i = 0; i < sizeof reads / sizeof *reads; i++) {
        char text[300];
        size_t n = 0;
        for (const char *s = reads[i].text; *s; s++) /* %% is % */
            if (*s != '%' || s[1] != '%') text[n++] = *s;
        text[n] = '\0';
        conf_case *c = conf_add(list, 75, "w:w", "and.b32 %%x, $1, 3;\n%s", text);
        c->decl = reads[i].decl;
        c->row = row_table;
    }
    for (int s = 0; s < 3; s++) {
        static const char *const from[] = {
            "mov.u64 %a, %ga;", "cvt.u64.u32 %a, %sa;\ncvta.shared.u64 %a, %a;",
            ".local .b32 x;\nmov.u64 %a, x;\ncvta.local.u64 %a, %a;"};
        static const char *const to[] = {"global", "shared", "local"};
        conf_case *c = conf_add(
            list, 75, "w:",
            "{\n.reg .pred %%u, %%t, %%s;\n%s\nisspacep.global %%u, %%a;\nisspacep.shared %%t, "
            "%%a;\n"
            "isspacep.local %%s, %%a;\nselp.u32 %%x, 1, 0, %%u;\nselp.u32 %%y, 2, 0, %%t;\n"
            "selp.u32 %%z, 4, 0, %%s;\nadd.u32 %%x, %%x, %%y;\nadd.u32 $0, %%x, %%z;\n}",
            from[s]);
        c->row = row_spaces;
        c->spec.op = 1 << s;
        conf_add(list, 75, "w:w",
                 "{\n%s\nst.b32 [%%a], $1;\ncvta.to.%s.u64 %%a, %%a;\nld.%s.b32 $0, [%%a];\n}",
                 from[s], to[s], to[s])
            ->row = row_copy;
    }
}

void conf_memory(conf_list *list) {
    add_loads(list);
    add_stores(list);
    add_vectors(list);
    add_vector_stores(list);
    add_hints(list);
    add_read_only(list);
    add_atomics(list);
    add_async(list);
    add_variables(list);
}
