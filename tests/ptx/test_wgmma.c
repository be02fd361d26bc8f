/* test_wgmma.c - products of a warpgroup: every kind of operand and layout against plain C, and each rule
 * about fences, waits and registers with the program that breaks it. */
#include "test_assembler.h"
#include "test_kit.h"

enum { NO_FINDING = 99, M = 64, THREADS = 128, MOST_TEXT = 1 << 15 };

/* ---- shapes and layouts, in the words of the ISA ---- */

typedef enum { F16, BF16, TF32, E4M3, E5M2, S8, U8 } kind;

/* The numbers -2 to 2 (of u8: 0 to 4) in each type. */
static const struct {
    const char *name;
    unsigned bytes, k;
    uint32_t code[5];
} kinds[] = {[F16] = {"f16", 2, 16, {0xc000, 0xbc00, 0, 0x3c00, 0x4000}},
             [BF16] = {"bf16", 2, 16, {0xc000, 0xbf80, 0, 0x3f80, 0x4000}},
             [TF32] = {"tf32", 4, 8, {0xc0000000, 0xbf800000, 0, 0x3f800000, 0x40000000}},
             [E4M3] = {"e4m3", 1, 32, {0xc0, 0xb8, 0, 0x38, 0x40}},
             [E5M2] = {"e5m2", 1, 32, {0xc0, 0xbc, 0, 0x3c, 0x40}},
             [S8] = {"s8", 1, 32, {0xfe, 0xff, 0, 1, 2}},
             [U8] = {"u8", 1, 32, {0, 1, 2, 3, 4}}};

typedef struct {
    const char *d;
    kind a, b;
    unsigned n;
    unsigned span_a, span_b, step; /* step: which 32 bytes of a wider span hold K */
    bool registers, turn_a, turn_b, minus_a, minus_b, fresh;
} product;

typedef struct {
    int a[M][32], b[32][256], d[M][256];
} numbers;

enum { HEAD = 1024, FRAGMENT = HEAD + 48 * 1024, SUMS = FRAGMENT + THREADS * 16, ROOM = 1 << 18 };

/* Where element (row, k) lies: tiles of 8 rows and a span of bytes, whose chunks are numbered anew in each
 * row; without a swizzle 8 rows of 16 bytes. `turned`: rows are columns in memory. */
static uint32_t place(const product *x, bool of_b, unsigned row, unsigned k, unsigned rows) {
    unsigned span = of_b ? x->span_b : x->span_a, bytes = kinds[of_b ? x->b : x->a].bytes;
    bool turned = of_b ? x->turn_b : x->turn_a;
    unsigned outer = turned ? k : row, in = (turned ? row : k) * bytes;
    if (!turned) in += x->step * 32 % (span ? span : 32);
    if (!span) {
        unsigned chunk = in / 16, down = outer / 8;
        unsigned at = turned ? down * (rows / 8) + chunk : chunk * (rows / 8) + down;
        return at * 128 + outer % 8 * 16 + in % 16;
    }
    unsigned tile = outer / 8 + in / span * 2; /* turned: two tiles of eight columns each */
    unsigned chunk = in % span / 16, line = outer % 8;
    chunk ^= span == 128 ? line : span == 64 ? line / 2 % 4 : line / 4 % 2;
    return tile * 8 * span + line * span + chunk * 16 + in % 16;
}

static uint64_t descriptor(const product *x, bool of_b, uint32_t start, unsigned rows) {
    static const uint8_t modes[] = {[0] = 0, [4] = 1, [2] = 2, [1] = 3};
    unsigned span = of_b ? x->span_b : x->span_a, lead, stride;
    bool turned = of_b ? x->turn_b : x->turn_a;
    if (turned)
        lead = span ? 16 * span : rows / 8 * 128, stride = span ? 8 * span : 128;
    else
        lead = span ? 16 : rows / 8 * 128, stride = span ? 8 * span : 128;
    if (!turned && span) start += x->step * 32 % span;
    return start >> 4 | (uint64_t)(lead >> 4) << 16 | (uint64_t)(stride >> 4) << 32 |
           (uint64_t)modes[span / 32] << 62;
}

static size_t add(char *to, size_t len, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static size_t add(char *to, size_t len, const char *format, ...) {
    va_list args;
    va_start(args, format);
    int n = vsnprintf(to + len, MOST_TEXT - len, format, args);
    va_end(args);
    cr_assert(n >= 0 && len + (size_t)n < MOST_TEXT);
    return len + (size_t)n;
}

static unsigned sums_of(const product *x) {
    return x->n / (x->d[1] == '1' ? 4 : 2);
}

static size_t list(char *to, size_t len, const char *name, unsigned n) {
    for (unsigned k = 0; k < n; k++) len = add(to, len, "%s%%%s%u", k ? "," : "{", name, k);
    return add(to, len, "}");
}

static void instruction(char *to, size_t *len, const product *x) {
    bool halves = kinds[x->a].bytes == 2, whole = x->a >= S8;
    *len = add(to, *len, "wgmma.mma_async.sync.aligned.m64n%uk%u.%s.%s.%s ", x->n, kinds[x->a].k,
               x->d, kinds[x->a].name, kinds[x->b].name);
    *len = list(to, *len, "s", sums_of(x));
    *len = add(to, *len, ", ");
    if (x->registers)
        *len = list(to, *len, "a", 4);
    else
        *len = add(to, *len, "%%d1");
    *len = add(to, *len, ", %%d2, %%q2");
    if (!whole) *len = add(to, *len, ", %d, %d", x->minus_a ? -1 : 1, x->minus_b ? -1 : 1);
    if (halves && !x->registers) *len = add(to, *len, ", %d", x->turn_a);
    if (halves) *len = add(to, *len, ", %d", x->turn_b);
    *len = add(to, *len, ";\n");
}

static void write_text(char *to, const product *x) {
    size_t len = 0;
    unsigned n = sums_of(x);
    len = add(to, len,
              ".version 8.0\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 a, "
              ".param .u32 c) {\n.reg .pred %%q<4>;\n.reg .b32 %%r<8>, %%a<4>, %%s<%u>;\n.reg .b64 "
              "%%d<8>, %%p;\n.shared .align 1024 .b8 s[49152];\nld.param.u64 %%p, [a];\n"
              "ld.param.u32 %%r1, [c];\nsetp.ne.u32 %%q2, %%r1, 0;\nmov.u32 %%r0, %%tid.x;\n"
              "mov.u32 %%r2, %%r0;\nCOPY:\nmul.wide.u32 %%d3, %%r2, 16;\nadd.u64 %%d4, %%p, %%d3;\n"
              "mov.u64 %%d5, s;\nadd.u64 %%d5, %%d5, %%d3;\n"
              "ld.global.v4.b32 {%%r3,%%r4,%%r5,%%r6}, [%%d4+%d];\n"
              "st.shared.v4.b32 [%%d5], {%%r3,%%r4,%%r5,%%r6};\nadd.u32 %%r2, %%r2, 128;\n"
              "setp.lt.u32 %%q1, %%r2, 3072;\n@%%q1 bra COPY;\nfence.proxy.async;\nbar.sync 0;\n",
              n ? n : 1, HEAD);
    len = add(to, len, "mul.wide.u32 %%d3, %%r0, 16;\nadd.u64 %%d4, %%p, %%d3;\n");
    for (unsigned k = 0; k < 4; k++)
        len = add(to, len, "ld.global.b32 %%a%u, [%%d4+%u];\n", k, FRAGMENT + 4 * k);
    len = add(to, len, "mul.wide.u32 %%d3, %%r0, %u;\nadd.u64 %%d4, %%p, %%d3;\n", 4 * n);
    for (unsigned k = 0; k < n; k++)
        len = add(to, len, "ld.global.b32 %%s%u, [%%d4+%u];\n", k, SUMS + 4 * k);
    len = add(to, len, "ld.global.v2.u64 {%%d1,%%d2}, [%%p];\nwgmma.fence.sync.aligned;\n");
    instruction(to, &len, x);
    len = add(to, len, "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n");
    for (unsigned k = 0; k < n; k++)
        len = add(to, len, "st.global.b32 [%%d4+%u], %%s%u;\n", SUMS + 4 * k, k);
    add(to, len, "ret;\n}\n");
}

static int number(kind t, unsigned code) {
    return t == U8 ? (int)code : (int)code - 2;
}

static void put(uint8_t *at, kind t, unsigned code) {
    memcpy(at, &kinds[t].code[code], kinds[t].bytes);
}

static uint32_t half_of(int v) { /* |v| <= 2048 */
    if (!v) return 0;
    unsigned m = (unsigned)(v < 0 ? -v : v), e = 31 - (unsigned)__builtin_clz(m);
    return (v < 0 ? 0x8000u : 0) | (e + 15) << 10 | (m << (10 - e) & 0x3ff);
}

/* Element i of thread t's part of D: its row, its column. */
static int *cell(numbers *x, unsigned t, unsigned i) {
    return &x->d[t / 32 * 16 + t % 32 / 4 + 8 * (i / 2 % 2)][8 * (i / 4) + t % 4 * 2 + i % 2];
}

static void put_sum(const product *x, uint8_t *sums, unsigned t, unsigned i, int v) {
    float f = (float)v;
    uint8_t *at = sums + 4 * (size_t)(t * sums_of(x));
    uint32_t h = half_of(v);
    if (x->d[1] == '1')
        memcpy(at + 2 * i, &h, 2);
    else
        memcpy(at + 4 * i, x->d[0] == 's' ? (void *)&v : (void *)&f, 4);
}

static void fill(const product *x, numbers *v, uint8_t *host) {
    uint64_t rng = x->n * 7919u + x->a * 31u + x->b + x->span_a + x->step;
    const unsigned k_end = kinds[x->a].k, e = 4 / kinds[x->a].bytes;
    uint8_t *image = host + HEAD, *image_b = image + 8192;
    for (unsigned m = 0; m < M; m++)
        for (unsigned k = 0; k < k_end; k++) {
            unsigned code =
                (unsigned)((rng = rng * 6364136223846793005u + 1442695040888963407u) >> 60) % 5;
            v->a[m][k] = number(x->a, code);
            unsigned reg = m % 16 / 8 + k / (4 * e) * 2,
                     t = m / 16 * 32 + m % 8 * 4 + k % (4 * e) / e;
            if (x->registers)
                put(host + FRAGMENT + t * 16 + reg * 4 + k % e * kinds[x->a].bytes, x->a, code);
            else
                put(image + place(x, false, m, k, M), x->a, code);
        }
    for (unsigned n = 0; n < x->n; n++)
        for (unsigned k = 0; k < k_end; k++) {
            unsigned code =
                (unsigned)((rng = rng * 6364136223846793005u + 1442695040888963407u) >> 60) % 5;
            v->b[k][n] = number(x->b, code);
            put(image_b + place(x, true, n, k, x->n), x->b, code);
        }
    for (unsigned t = 0; t < THREADS; t++)
        for (unsigned i = 0; i < x->n / 2; i++) {
            rng = rng * 6364136223846793005u + 1442695040888963407u;
            *cell(v, t, i) = (int)(rng >> 58) - 32;
            put_sum(x, host + SUMS, t, i, *cell(v, t, i));
        }
    uint64_t d[2] = {descriptor(x, false, 0, M), descriptor(x, true, 8192, x->n)};
    memcpy(host, d, sizeof d);
}

static void multiply(const product *x, numbers *v) {
    int sign = x->minus_a == x->minus_b ? 1 : -1;
    for (unsigned m = 0; m < M; m++)
        for (unsigned n = 0; n < x->n; n++) {
            int sum = x->fresh ? 0 : v->d[m][n];
            for (unsigned k = 0; k < kinds[x->a].k; k++) sum += sign * v->a[m][k] * v->b[k][n];
            v->d[m][n] = sum;
        }
}

static void check(const product *x) {
    static numbers v;
    char text[MOST_TEXT];
    write_text(text, x);
    kit *run = kit_new(text, ROOM / 4, !x->fresh, false);
    uint8_t *want = calloc(1, ROOM);
    fill(x, &v, run->buffer->host);
    multiply(x, &v);
    for (unsigned t = 0; t < THREADS; t++)
        for (unsigned i = 0; i < x->n / 2; i++) put_sum(x, want + SUMS, t, i, *cell(&v, t, i));
    kit_run(run, 1, THREADS);
    cr_expect(!run->reports &&
                  !memcmp(run->buffer->host + SUMS, want + SUMS, 4 * (size_t)THREADS * sums_of(x)),
              "%s %s %s n %u, spans %u %u step %u%s%s%s: %s", x->d, kinds[x->a].name,
              kinds[x->b].name, x->n, x->span_a, x->span_b, x->step,
              x->registers ? ", A in registers" : "", x->turn_a ? ", A turned" : "",
              x->turn_b ? ", B turned" : "", run->reports ? run->text : "other sums");
    free(want);
    kit_free(run);
}

static const unsigned spans[] = {0, 32, 64, 128};

/* Every type, every span and place within it, both orders of halves, A in registers. */
Test(wgmma, types_and_layouts) {
    static const struct {
        const char *d;
        kind a, b;
    } types[] = {{"f32", F16, F16},   {"f16", F16, F16},   {"f32", BF16, BF16}, {"f32", TF32, TF32},
                 {"f32", E4M3, E4M3}, {"f16", E4M3, E5M2}, {"f32", E5M2, E4M3}, {"f16", E5M2, E5M2},
                 {"s32", S8, S8},     {"s32", S8, U8},     {"s32", U8, S8},     {"s32", U8, U8}};
    for (size_t k = 0; k < sizeof types / sizeof *types; k++)
        for (unsigned s = 0; s < 4; s++)
            for (unsigned turn = 0; turn < (kinds[types[k].a].bytes == 2 ? 4 : 1); turn++) {
                product x = {.d = types[k].d,
                             .a = types[k].a,
                             .b = types[k].b,
                             .n = 64,
                             .span_a = spans[s],
                             .span_b = spans[3 - s],
                             .step = (unsigned)k % 4,
                             .turn_a = turn & 1,
                             .turn_b = turn & 2};
                check(&x);
                x.registers = true;
                x.span_b = spans[s];
                x.fresh = s == 2;
                if (!x.turn_a) check(&x);
            }
}

Test(wgmma, widths_and_signs) {
    for (unsigned n = 8; n <= 256; n += 8) {
        check(&(product){.d = "f32", .n = n, .span_a = 128, .span_b = 128, .minus_a = n % 16});
        if (n <= 32 || n % 16 == 0)
            check(
                &(product){.d = "s32", .a = S8, .b = U8, .n = n, .span_b = 64, .registers = true});
    }
    check(&(product){.d = "f16", .n = 8, .minus_a = true, .minus_b = true});
    check(
        &(product){.d = "f32", .a = TF32, .b = TF32, .n = 16, .minus_b = true, .registers = true});
}

/* ---- rules ---- */

#define GROUP(body)                                                                                \
    ".version 8.0\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 a, .param "     \
    ".u32 "                                                                                        \
    "c) {\n.reg .pred %q<8>;\n.reg .b32 %r<16>, %t;\n.reg .b64 %d<16>, %p;\n.reg .f32 %f<16>;\n"   \
    ".shared .align 1024 .b8 s[4096];\nld.param.u64 %p, [a];\nmov.u32 %t, %tid.x;\n"               \
    "mov.f32 %f0, 0f00000000;\nmov.f32 %f1, %f0;\nmov.f32 %f2, %f0;\nmov.f32 %f3, %f0;\n"          \
    "mov.f32 %f4, %f0;\nmov.f32 %f5, %f0;\nmov.f32 %f6, %f0;\nmov.f32 %f7, %f0;\n"                 \
    "mov.b32 %r4, 0x3c003c00;\nmov.b32 %r5, %r4;\nmov.b32 %r6, %r4;\nmov.b32 %r7, %r4;\n"          \
    "mul.lo.u32 %r1, %t, 32;\nst.shared.v4.b32 [%r1], {%r4,%r5,%r6,%r7};\n"                        \
    "st.shared.v4.b32 [%r1+16], {%r4,%r5,%r6,%r7};\nsetp.ne.u32 %q1, %t, 0;\n"                     \
    "setp.ge.u32 %q2, %t, 96;\nmov.u64 %d1, 0x0000000800400000;\nmov.u64 %d2, "                    \
    "0x0000000800400080;\n" body "\nret;\n}\n"
#define READY    "fence.proxy.async.shared::cta;\nbar.sync 0;\n"
#define FENCE    "wgmma.fence.sync.aligned;\n"
#define OF(d)    "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 " d ", %d1, %d2, 1, 1, 1, 0, 0;\n"
#define FIRST    "{%f0,%f1,%f2,%f3}"
#define SECOND   "{%f4,%f5,%f6,%f7}"
#define COMMIT   "wgmma.commit_group.sync.aligned;\n"
#define UNTIL(n) "wgmma.wait_group.sync.aligned " n ";\n"
#define STORE(f) "mad.wide.u32 %d5, %t, 4, %p;\nst.global.f32 [%d5], " f ";\n"
#define INPUT                                                                                      \
    "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 " FIRST                                     \
    ", {%r4,%r5,%r6,%r7}, %d2, 1, 1, 1, 0;\n"
#define OVER                                                                                       \
    "@%q1 bra OVER;\nmbarrier.init.shared::cta.b64 [s+4032], 1;\n"                                 \
    "mbarrier.arrive.expect_tx.shared::cta.b64 _, [s+4032], 64;\n"                                 \
    "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [s], [%p], 64, [s+4032];\n" \
    "AGAIN:\nmbarrier.try_wait.parity.shared::cta.b64 %q4, [s+4032], 0;\n@!%q4 bra "               \
    "AGAIN;\nOVER:\n"
#define POOL(first, second)                                                                        \
    ".version 8.0\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 a, .param "     \
    ".u32 "                                                                                        \
    "c) .maxntid 256 .minnctapersm 1 {\n.reg .pred %q<4>;\n.reg .b32 %t;\nmov.u32 %t, "            \
    "%tid.x;\nsetp.lt.u32 %q1, %t, 128;\n@%q1 bra LOW;\n" first "\nret;\nLOW:\n" second            \
    "\nret;\n}\n"

static const struct {
    const char *name, *text;
    unsigned threads;
    int kind; /* NO_FINDING: none */
    int sum;  /* of the first 128 words as floats, -1: anything */
} rows[] = {
    {"as it should be", GROUP(READY FENCE OF(FIRST) COMMIT UNTIL("0") STORE("%f0")), 128,
     NO_FINDING, 128 * 16},
    {"two in a row to the same sums",
     GROUP(READY FENCE OF(FIRST) OF(FIRST) COMMIT UNTIL("0") STORE("%f3")), 128, NO_FINDING,
     128 * 32},
    {"the older group is done, the newer one not",
     GROUP(READY FENCE OF(FIRST) COMMIT OF(SECOND) COMMIT UNTIL("1") STORE("%f0") UNTIL("0")), 128,
     NO_FINDING, 128 * 16},
    {"sums of the newer group",
     GROUP(READY FENCE OF(FIRST) COMMIT OF(SECOND) COMMIT UNTIL("1") STORE("%f4") UNTIL("0")), 128,
     PTX_REPORT_ASYNC, -1},
    {"set up behind the fence, as compilers place it",
     GROUP(READY FENCE "mov.f32 %f0, 0f00000000;\n" OF(FIRST) COMMIT UNTIL("0") STORE("%f0")), 128,
     NO_FINDING, 128 * 16},
    {"sums that nothing has set",
     GROUP(READY FENCE OF("{%f8,%f9,%f10,%f11}") COMMIT UNTIL("0") STORE("%f8")), 128,
     PTX_REPORT_UNINIT, -1},
    {"no fence at all", GROUP(READY OF(FIRST) COMMIT UNTIL("0") STORE("%f0")), 128,
     PTX_REPORT_ASYNC, -1},
    {"no fence after a register was set",
     GROUP(READY FENCE OF(FIRST) COMMIT UNTIL("0") "add.f32 %f0, %f0, %f0;\n" OF(FIRST)
               COMMIT UNTIL("0")),
     128, PTX_REPORT_ASYNC, -1},
    {"a fence after a register was set",
     GROUP(READY FENCE OF(FIRST) COMMIT UNTIL("0") "add.f32 %f0, %f0, %f0;\n" FENCE OF(FIRST)
               COMMIT UNTIL("0") STORE("%f0")),
     128, NO_FINDING, 128 * 48},
    {"sums are read before the wait", GROUP(READY FENCE OF(FIRST) COMMIT STORE("%f0") UNTIL("0")),
     128, PTX_REPORT_ASYNC, -1},
    {"a group that was not closed",
     GROUP(READY FENCE OF(FIRST) UNTIL("0") STORE("%f0") COMMIT UNTIL("0")), 128, PTX_REPORT_ASYNC,
     -1},
    {"sums are set before the wait",
     GROUP(READY FENCE OF(FIRST) COMMIT "mov.f32 %f1, 0f3f800000;\n" UNTIL("0")), 128,
     PTX_REPORT_ASYNC, -1},
    {"A's registers are set before the wait",
     GROUP(READY FENCE INPUT COMMIT "mov.b32 %r5, 0;\n" UNTIL("0") STORE("%f0")), 128,
     PTX_REPORT_ASYNC, 128 * 16},
    {"A's registers are set after the wait",
     GROUP(READY FENCE INPUT COMMIT UNTIL("0") "mov.b32 %r5, 0;\n" STORE("%f0")), 128, NO_FINDING,
     128 * 16},
    {"shared memory is written before the wait",
     GROUP(READY FENCE OF(FIRST) COMMIT "@!%q1 st.shared.b32 [s], 0;\n" UNTIL("0")), 128,
     PTX_REPORT_ASYNC, -1},
    {"the same bytes are written before the wait",
     GROUP(READY FENCE OF(FIRST) COMMIT "@!%q1 st.shared.b32 [s], %r4;\n" UNTIL("0")), 128,
     PTX_REPORT_ASYNC, -1},
    {"a copy into shared memory is asked for before the wait",
     GROUP(READY FENCE OF(FIRST) COMMIT OVER UNTIL("0")), 128, PTX_REPORT_ASYNC, -1},
    {"a copy into shared memory is asked for after the wait",
     GROUP(READY FENCE OF(FIRST) COMMIT UNTIL("0") "bar.sync 0;\n" OVER), 128, NO_FINDING, -1},
    {"shared memory is written after the wait",
     GROUP(READY FENCE OF(FIRST) COMMIT UNTIL("0") "bar.sync 0;\n@!%q1 st.shared.b32 [s], 0;\n"),
     128, NO_FINDING, -1},
    {"nobody waits", GROUP(READY FENCE OF(FIRST) COMMIT), 128, PTX_REPORT_ASYNC, -1},
    {"no fence between the proxies", GROUP("bar.sync 0;\n" FENCE OF(FIRST) COMMIT UNTIL("0")), 128,
     PTX_REPORT_ASYNC, -1},
    {"only one warp's fence between the proxies",
     GROUP("@!%q2 fence.proxy.async;\nbar.sync 0;\n" FENCE OF(FIRST) COMMIT UNTIL("0")), 128,
     PTX_REPORT_ASYNC, -1},
    {"a fence of global memory only",
     GROUP("fence.proxy.async.global;\nbar.sync 0;\n" FENCE OF(FIRST) COMMIT UNTIL("0")), 128,
     PTX_REPORT_ASYNC, -1},
    {"the fence between the proxies behind the barrier",
     GROUP("bar.sync 0;\nfence.proxy.async;\n" FENCE OF(FIRST) COMMIT UNTIL("0")), 128, NO_FINDING,
     -1},
    {"no barrier", GROUP("fence.proxy.async;\n" FENCE OF(FIRST) COMMIT UNTIL("0")), 128,
     PTX_REPORT_RACE_SHARED, -1},
    {"a warp stays away", GROUP(READY "@%q2 bra OUT;\n" FENCE OF(FIRST) COMMIT UNTIL("0") "OUT:\n"),
     128, PTX_REPORT_BARRIER, -1},
    {"a warp takes another way",
     GROUP(READY FENCE "@%q2 bra OTHER;\n" OF(FIRST) "bra BOTH;\nOTHER:\n" OF(
         FIRST) "BOTH:\n" COMMIT UNTIL("0")),
     128, PTX_REPORT_BARRIER, -1},
    {"half a warp",
     GROUP(READY FENCE
           "setp.lt.u32 %q3, %t, 16;\n@!%q3 bra OUT;\n" OF(FIRST) "OUT:\n" COMMIT UNTIL("0")),
     128, PTX_REPORT_DEADLOCK, -1},
    {"three warps", GROUP(READY FENCE OF(FIRST) COMMIT UNTIL("0")), 96, PTX_REPORT_BARRIER, -1},
    {"descriptors of one's own",
     GROUP(READY FENCE "cvt.u64.u32 %d3, %t;\nadd.u64 %d2, %d2, %d3;\n" OF(FIRST)
               COMMIT UNTIL("0")),
     128, PTX_REPORT_BARRIER, -1},
    {"outside of shared memory",
     GROUP(READY FENCE "mov.u64 %d1, 0x00003fff00400000;\n" OF(FIRST) COMMIT UNTIL("0")), 128,
     PTX_REPORT_OUT_OF_BOUNDS, -1},
    {"registers handed over",
     POOL("setmaxnreg.inc.sync.aligned.u32 256;", "setmaxnreg.dec.sync.aligned.u32 240;"), 256,
     NO_FINDING, -1},
    {"more registers than there are",
     POOL("setmaxnreg.inc.sync.aligned.u32 256;", "setmaxnreg.inc.sync.aligned.u32 256;"), 256,
     PTX_REPORT_DEADLOCK, -1},
    {"kept are more than one has",
     POOL("setmaxnreg.dec.sync.aligned.u32 24;\nsetmaxnreg.dec.sync.aligned.u32 40;", ""), 256,
     PTX_REPORT_BARRIER, -1},
    {"asked for by three warps of four",
     POOL("setp.ge.u32 %q2, %t, 224;\n@%q2 ret;\nsetmaxnreg.dec.sync.aligned.u32 24;", ""), 256,
     PTX_REPORT_BARRIER, -1},
};

Test(wgmma, the_assembler_takes_these_texts) {
    assembler a;
    char text[MOST_TEXT];
    if (!open_assembler(&a)) cr_skip_test("no toolkit with libnvJitLink");
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        cr_expect(assembles(&a, rows[k].text, 90, true), "%s", rows[k].name);
    for (unsigned t = F16; t <= U8; t++)
        for (unsigned registers = 0; registers < 2; registers++) {
            write_text(text, &(product){.d = t >= S8 ? "s32" : "f32",
                                        .a = (kind)t,
                                        .b = (kind)t,
                                        .n = 24,
                                        .registers = registers});
            cr_expect(assembles(&a, text, 90, true), "%s", kinds[t].name);
            cr_expect(!assembles(&a, text, 100, true), "%s for sm_100a", kinds[t].name);
        }
}

/* Which widths and types there are: the interpreter and the assembler agree. */
Test(wgmma, the_assembler_agrees_on_shapes) {
    static const char *const sums[] = {"f16", "f32", "s32"};
    assembler a;
    char text[MOST_TEXT], log[512];
    if (!open_assembler(&a)) cr_skip_test("no toolkit with libnvJitLink");
    for (unsigned t = F16; t <= U8; t++)
        for (unsigned d = 0; d < 3; d++)
            for (unsigned n = 8; n <= 264; n += t == S8 && d == 2 ? 8 : 64) {
                write_text(text, &(product){.d = sums[d], .a = (kind)t, .b = (kind)t, .n = n});
                ptx_module *m = kit_load(text, log, sizeof log);
                cr_expect_eq(m != NULL, assembles(&a, text, 90, true), "%s %s n %u: %s", sums[d],
                             kinds[t].name, n, m ? "accepted" : log);
                ptx_unload(m);
            }
}

Test(wgmma, each_rule_and_its_breach) {
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        for (uint64_t seed = 0; seed < 4; seed++) {
            kit *run = kit_new(rows[k].text, 128, 0, false);
            run->p.seed = seed;
            run->p.instruction_limit = 100000;
            kit_run(run, 1, rows[k].threads);
            float sum = 0;
            for (unsigned n = 0; n < 128; n++) {
                uint32_t u = kit_word(run, n);
                float f;
                memcpy(&f, &u, 4);
                sum += f;
            }
            if (rows[k].kind == NO_FINDING)
                cr_expect_eq(run->reports, 0, "%s, seed %u: %s", rows[k].name, (unsigned)seed,
                             run->text);
            else
                cr_expect(kit_found(run, (ptx_report_kind)rows[k].kind),
                          "%s, seed %u: no '%s' but %s", rows[k].name, (unsigned)seed,
                          ptx_report_name((ptx_report_kind)rows[k].kind),
                          run->reports ? run->text : "nothing");
            if (rows[k].sum >= 0)
                cr_expect_eq(sum, (float)rows[k].sum, "%s, seed %u: %g", rows[k].name,
                             (unsigned)seed, (double)sum);
            kit_free(run);
        }
}
