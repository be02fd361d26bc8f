/* test_tensormap.c - maps of tensors, and boxes that go through shared memory and back. */
#include "test_fake.h"

enum { COLS = 100, ROWS = 20, BOX_COLS = 32, BOX_ROWS = 8, BOX = BOX_COLS * BOX_ROWS };

/* take(map, out, x, y, span): out[t] = element t of the box at (x, y), 0 outside; give: the box at (x, y)
 * becomes 1000 + t. `span`: the swizzle's, less 16, or 0. */
#define HEAD(name)                                                                                 \
    ".visible .entry " name "(.param .align 64 .b8 map[128], .param .u64 out, .param .u32 x, "     \
    ".param .u32 y, .param .u32 span)\n{\n.reg .pred %p<3>;\n.reg .b32 %r<9>;\n.reg .b64 "         \
    "%d<5>;\n.shared .align 1024 .b8 tile[1024];\n.shared .align 8 .b8 bar[8];\n"                  \
    "mov.b64 %d1, map;\ncvta.param.u64 %d1, %d1;\nld.param.u64 %d2, [out];\n"                      \
    "ld.param.u32 %r1, [x];\nld.param.u32 %r2, [y];\nld.param.u32 %r3, [span];\n"                  \
    "mov.u32 %r4, %tid.x;\nmov.u32 %r5, tile;\nsetp.ne.u32 %p1, %r4, 0;\n"                         \
    "shl.b32 %r6, %r4, 2;\nshr.u32 %r7, %r6, 3;\nand.b32 %r7, %r7, %r3;\nxor.b32 %r6, %r6, "       \
    "%r7;\nadd.u32 %r6, %r6, %r5;\nmad.wide.u32 %d2, %r4, 4, %d2;\n"
static const char boxes[] = ".version 8.0\n.target sm_90\n.address_size 64\n" HEAD(
    "take") "@!%p1 mbarrier.init.shared.b64 [bar], 1;\nbar.sync 0;\n@%p1 bra WAIT;\n"
            "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 1024;\n"
            "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
            "[tile], [%d1, "
            "{%r1, %r2}], [bar];\nWAIT:\nmbarrier.try_wait.parity.shared.b64 %p2, [bar], 0;\n@!%p2 "
            "bra WAIT;\n"
            "ld.shared.u32 %r8, [%r6];\nst.global.u32 [%d2], %r8;\nret;\n}\n" HEAD(
                "give") "add.u32 %r8, %r4, 1000;\nst.shared.u32 [%r6], "
                        "%r8;\nfence.proxy.async;\nbar.sync 0;\n@%p1 ret;\n"
                        "cp.async.bulk.tensor.2d.global.shared::cta.bulk_group [%d1, {%r1, %r2}], "
                        "[tile];\n"
                        "cp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;\nret;\n}\n";

typedef struct {
    CUtensorMapDataType type;
    unsigned rank;
    cuuint64_t dims[5], strides[4];
    cuuint32_t box[5], steps[5];
    CUtensorMapSwizzle swizzle;
    unsigned interleave, fill;
    uintptr_t address;
} shape;

static const shape sound = {.type = CU_TENSOR_MAP_DATA_TYPE_UINT32,
                            .rank = 2,
                            .dims = {COLS, ROWS},
                            .strides = {COLS * 4},
                            .box = {BOX_COLS, BOX_ROWS},
                            .steps = {1, 1}};

static CUresult encode(CUtensorMap *map, const shape *s) {
    return cuTensorMapEncodeTiled(map, s->type, s->rank, (void *)s->address, s->dims, s->strides,
                                  s->box, s->steps, (CUtensorMapInterleave)s->interleave,
                                  s->swizzle, CU_TENSOR_MAP_L2_PROMOTION_NONE,
                                  (CUtensorMapFloatOOBfill)s->fill);
}

static void begin(void) {
    setenv("BRAZE_FAKE_DEVICES", "90", 1);
    start();
}

Test(tensormap, refuses_what_the_manual_forbids) {
    begin();
    CUtensorMap map;
    shape s = sound;
    ok(encode(&map, &s));
#define FORBIDDEN(change, code)                                                                    \
    do {                                                                                           \
        s = sound;                                                                                 \
        s.change;                                                                                  \
        is(encode(&map, &s), code);                                                                \
    } while (0)
    FORBIDDEN(rank = 6, CUDA_ERROR_INVALID_VALUE);
    FORBIDDEN(rank = 0, CUDA_ERROR_INVALID_VALUE);
    FORBIDDEN(address = 8, CUDA_ERROR_INVALID_VALUE);
    FORBIDDEN(dims[1] = 0, CUDA_ERROR_INVALID_VALUE);
    FORBIDDEN(strides[0] = 404, CUDA_ERROR_INVALID_VALUE);
    FORBIDDEN(box[1] = 257, CUDA_ERROR_INVALID_VALUE);
    FORBIDDEN(box[0] = 3, CUDA_ERROR_INVALID_VALUE);
    FORBIDDEN(steps[1] = 9, CUDA_ERROR_INVALID_VALUE);
    FORBIDDEN(swizzle = CU_TENSOR_MAP_SWIZZLE_64B, CUDA_ERROR_INVALID_VALUE);
    FORBIDDEN(type = (CUtensorMapDataType)16, CUDA_ERROR_INVALID_VALUE);
    FORBIDDEN(type = (CUtensorMapDataType)13, CUDA_ERROR_NOT_SUPPORTED);
    FORBIDDEN(interleave = 1, CUDA_ERROR_NOT_SUPPORTED);
    FORBIDDEN(fill = 1, CUDA_ERROR_NOT_SUPPORTED);
    is(encode(NULL, &sound), CUDA_ERROR_INVALID_VALUE);
}

static void fill_tensor(CUdeviceptr at) {
    unsigned host[COLS * ROWS];
    for (unsigned k = 0; k < COLS * ROWS; k++) host[k] = k + 1;
    ok(cuMemcpyHtoD_v2(at, host, sizeof host));
}

static CUfunction box_kernel(const char *name) {
    static CUmodule module;
    CUfunction f;
    if (!module) ok(cuModuleLoadData(&module, boxes));
    ok(cuModuleGetFunction(&f, module, name));
    return f;
}

static bool inside(int x, int y) {
    return x >= 0 && x < COLS && y >= 0 && y < ROWS;
}

static const struct {
    int x, y;
    CUtensorMapSwizzle swizzle;
    unsigned span;
    int step; /* between rows */
} places[] = {
    {0, 0, CU_TENSOR_MAP_SWIZZLE_NONE, 0, 1},     {5, 3, CU_TENSOR_MAP_SWIZZLE_NONE, 0, 1},
    {64, 8, CU_TENSOR_MAP_SWIZZLE_128B, 112, 1},  {81, 17, CU_TENSOR_MAP_SWIZZLE_128B, 112, 1},
    {-3, -2, CU_TENSOR_MAP_SWIZZLE_128B, 112, 1}, {-40, 0, CU_TENSOR_MAP_SWIZZLE_NONE, 0, 1},
    {99, 19, CU_TENSOR_MAP_SWIZZLE_NONE, 0, 1},   {8, 1, CU_TENSOR_MAP_SWIZZLE_128B, 112, 2},
    {8, -4, CU_TENSOR_MAP_SWIZZLE_NONE, 0, 3}};

/* There by `take`, back by `give`, at every place; what lies outside is zero and stays untouched. */
Test(tensormap, boxes_there_and_back) {
    begin();
    const CUdeviceptr tensor = device(COLS * ROWS * 4), out = device(BOX * 4);
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
        CUtensorMap map;
        shape s = sound;
        s.address = (uintptr_t)tensor;
        s.swizzle = places[k].swizzle;
        s.steps[1] = (cuuint32_t)places[k].step;
        s.box[1] = BOX_ROWS * s.steps[1] - (s.steps[1] > 1); /* the last step need not fit */
        ok(encode(&map, &s));
        fill_tensor(tensor);
        int x = places[k].x, y = places[k].y;
        unsigned span = places[k].span, got[BOX], all[COLS * ROWS];
        void *params[] = {&map, (void *)&out, &x, &y, &span};
        ok(cuLaunchKernel(box_kernel("take"), 1, 1, 1, BOX, 1, 1, 0, NULL, params, NULL));
        ok(cuMemcpyDtoH_v2(got, out, sizeof got));
        for (int t = 0; t < BOX; t++) {
            int cx = x + t % BOX_COLS, cy = y + t / BOX_COLS * places[k].step;
            unsigned want = inside(cx, cy) ? (unsigned)(cy * COLS + cx + 1) : 0;
            cr_assert(got[t] == want, "place %zu, element %d: %u, not %u", k, t, got[t], want);
        }
        ok(cuLaunchKernel(box_kernel("give"), 1, 1, 1, BOX, 1, 1, 0, NULL, params, NULL));
        ok(cuMemcpyDtoH_v2(all, tensor, sizeof all));
        for (int n = 0; n < COLS * ROWS; n++) {
            int bx = n % COLS - x, row = n / COLS - y, by = row / places[k].step;
            bool in = row >= 0 && row % places[k].step == 0 && bx >= 0 && bx < BOX_COLS &&
                      by >= 0 && by < BOX_ROWS;
            unsigned want = in ? (unsigned)(1000 + by * BOX_COLS + bx) : (unsigned)n + 1;
            cr_assert(all[n] == want, "place %zu, word %d: %u, not %u", k, n, all[n], want);
        }
        no_reports();
    }
}

Test(tensormap, faults_of_a_box) {
    begin();
    const CUdeviceptr out = device(BOX * 4);
    CUtensorMap map;
    int x = 0, y = 0;
    unsigned span = 0;
    memset(&map, 0, sizeof map);
    void *params[] = {&map, (void *)&out, &x, &y, &span};
    ok(cuLaunchKernel(box_kernel("take"), 1, 1, 1, BOX, 1, 1, 0, NULL, params, NULL));
    is(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    has_report("no tensor map");
}

/* ---- pixels, as a convolution reads them ---- */

enum { C = 16, W = 7, H = 5, N = 3, PIXELS = 64, TAPS = 3, PART = 8, WORDS = PIXELS * PART };

/* see: out[t] = word t of PIXELS pixels of PART channels from (c, w, h, n), read `dw`, `dh` further on;
 * set: those pixels become 1000 + t. */
#define PIXEL_HEAD(name)                                                                           \
    ".visible .entry " name "(.param .align 64 .b8 map[128], .param .u64 out, .param .u32 c, "     \
    ".param .u32 w, .param .u32 h, .param .u32 n, .param .u32 dw, .param .u32 dh)\n{\n.reg .pred " \
    "%p<3>;\n.reg .b32 %r<12>;\n.reg .b16 %h<3>;\n.reg .b64 %d<5>;\n.shared .align 128 .b8 "       \
    "tile[2048];\n.shared .align 8 .b8 bar[8];\nmov.b64 %d1, map;\ncvta.param.u64 %d1, %d1;\n"     \
    "ld.param.u64 %d2, [out];\nld.param.u32 %r1, [c];\nld.param.u32 %r2, [w];\nld.param.u32 %r3, " \
    "[h];\nld.param.u32 %r4, [n];\nld.param.u32 %r5, [dw];\nld.param.u32 %r6, [dh];\n"             \
    "cvt.u16.u32 %h1, %r5;\ncvt.u16.u32 %h2, %r6;\nmov.u32 %r7, %tid.x;\nsetp.ne.u32 %p1, %r7, "   \
    "0;\nshl.b32 %r8, %r7, 2;\nmov.u32 %r9, tile;\nadd.u32 %r8, %r8, %r9;\nmad.wide.u32 %d2, "     \
    "%r7, 4, %d2;\n"
static const char pixels[] = ".version 8.6\n.target sm_90\n.address_size 64\n" PIXEL_HEAD(
    "see") "@!%p1 mbarrier.init.shared.b64 [bar], 1;\nbar.sync 0;\n@%p1 bra WAIT;\n"
           "mbarrier.arrive.expect_tx.shared.b64 _, [bar], 2048;\n"
           "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes "
           "[tile], [%d1, {%r1, %r2, %r3, %r4}], [bar], {%h1, %h2};\nWAIT:\n"
           "mbarrier.try_wait.parity.shared.b64 %p2, [bar], 0;\n@!%p2 bra WAIT;\n"
           "ld.shared.u32 %r10, [%r8];\nst.global.u32 [%d2], %r10;\nret;\n}\n" PIXEL_HEAD(
               "set") "add.u32 %r10, %r7, 1000;\nst.shared.u32 [%r8], %r10;\nfence.proxy.async;\n"
                      "bar.sync 0;\n@%p1 ret;\ncp.async.bulk.tensor.4d.global.shared::cta."
                      "im2col_no_offs.bulk_group [%d1, {%r1, %r2, %r3, %r4}], [tile];\n"
                      "cp.async.bulk.commit_group;\ncp.async.bulk.wait_group 0;\nret;\n}\n";

static unsigned word_at(int c, int w, int h, int n) {
    return (unsigned)(((n * H + h) * W + w) * C + c + 1);
}

static void fill_pixels(CUdeviceptr at) {
    unsigned host[N * H * W * C];
    for (unsigned k = 0; k < N * H * W * C; k++) host[k] = k + 1;
    ok(cuMemcpyHtoD_v2(at, host, sizeof host));
}

static CUresult encode_pixels(CUtensorMap *map, CUdeviceptr at, int pad, unsigned stride) {
    const cuuint64_t dims[4] = {C, W, H, N}, strides[3] = {4 * C, 4 * C * W, 4 * C * W * H};
    const cuuint32_t steps[4] = {1, stride, stride, 1};
    const int lower[2] = {-pad, -pad}, upper[2] = {pad - TAPS + 1, pad - TAPS + 1};
    return cuTensorMapEncodeIm2col(
        map, CU_TENSOR_MAP_DATA_TYPE_UINT32, 4, (void *)(uintptr_t)at, dims, strides, lower, upper,
        PART, PIXELS, steps, CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_NONE,
        CU_TENSOR_MAP_L2_PROMOTION_NONE, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE);
}

static CUfunction pixel_kernel(const char *name) {
    CUmodule module;
    CUfunction f;
    ok(cuModuleLoadData(&module, pixels));
    ok(cuModuleGetFunction(&f, module, name));
    return f;
}

/* Rows of the matrix that a convolution by 3 x 3 multiplies, for each tap, from several places on. */
Test(tensormap, pixels_of_a_convolution) {
    begin();
    const CUdeviceptr tensor = device(4 * N * H * W * C), out = device(4 * WORDS);
    CUfunction see = pixel_kernel("see");
    fill_pixels(tensor);
    for (int pad = 0; pad <= 1; pad++)
        for (int stride = 1; stride <= 2; stride++) {
            const int ow = (W + 2 * pad - TAPS) / stride + 1,
                      oh = (H + 2 * pad - TAPS) / stride + 1;
            CUtensorMap map;
            ok(encode_pixels(&map, tensor, pad, (unsigned)stride));
            for (int first = 0; first < oh * ow; first += 4)
                for (int tap = 0; tap < TAPS * TAPS; tap++) {
                    int c = tap % 2 * PART, w = first % ow * stride - pad,
                        h = first / ow * stride - pad, n = 0, dw = tap % TAPS, dh = tap / TAPS;
                    unsigned got[WORDS];
                    void *params[] = {&map, (void *)&out, &c, &w, &h, &n, &dw, &dh};
                    ok(cuLaunchKernel(see, 1, 1, 1, WORDS, 1, 1, 0, NULL, params, NULL));
                    ok(cuMemcpyDtoH_v2(got, out, sizeof got));
                    for (int t = 0; t < WORDS; t++) {
                        const int q = first + t / PART, in = q / (oh * ow),
                                  y = q % (oh * ow) / ow * stride - pad + dh,
                                  x = q % ow * stride - pad + dw;
                        const bool there = in < N && y >= 0 && y < H && x >= 0 && x < W;
                        const unsigned want = there ? word_at(c + t % PART, x, y, in) : 0;
                        cr_assert(got[t] == want,
                                  "pad %d, stride %d, from %d, tap %d, word %d: %u, not %u", pad,
                                  stride, first, tap, t, got[t], want);
                    }
                }
        }
    no_reports();
}

Test(tensormap, pixels_are_set) {
    begin();
    const CUdeviceptr tensor = device(4 * N * H * W * C), out = device(4 * WORDS);
    CUtensorMap map;
    int c = 4, w = 1, h = 1, n = 0, none = 0;
    unsigned all[N * H * W * C];
    void *params[] = {&map, (void *)&out, &c, &w, &h, &n, &none, &none};
    fill_pixels(tensor);
    ok(encode_pixels(&map, tensor, 1, 2));
    ok(cuLaunchKernel(pixel_kernel("set"), 1, 1, 1, WORDS, 1, 1, 0, NULL, params, NULL));
    ok(cuMemcpyDtoH_v2(all, tensor, sizeof all));
    unsigned want[N * H * W * C];
    for (unsigned k = 0; k < N * H * W * C; k++) want[k] = k + 1;
    const int ow = (W + 2 - TAPS) / 2 + 1,
              oh = (H + 2 - TAPS) / 2 + 1; /* padded by 1, every other */
    const int first = (h + 1) / 2 * ow + (w + 1) / 2;
    for (int t = 0; t < WORDS; t++) {
        const int q = first + t / PART, in = q / (oh * ow), y = q % (oh * ow) / ow * 2 - 1,
                  x = q % ow * 2 - 1, channel = c + t % PART;
        if (in < N && y >= 0 && y < H && x >= 0 && x < W)
            want[word_at(channel, x, y, in) - 1] = (unsigned)t + 1000;
    }
    for (unsigned k = 0; k < N * H * W * C; k++)
        cr_assert(all[k] == want[k], "word %u: %u, not %u", k, all[k], want[k]);
    no_reports();
}

Test(tensormap, refuses_pixels_that_the_manual_forbids) {
    begin();
    const CUdeviceptr tensor = device(4 * N * H * W * C), out = device(4 * WORDS);
    CUtensorMap map;
    is(encode_pixels(&map, tensor, 129, 1), CUDA_ERROR_INVALID_VALUE);
    is(encode_pixels(&map, tensor, -3, 1),
       CUDA_ERROR_INVALID_VALUE); /* nothing between the corners */
    is(encode_pixels(&map, tensor, 0, 9), CUDA_ERROR_INVALID_VALUE);
    shape s = sound;
    s.rank = 4;
    s.address = (uintptr_t)tensor;
    s.dims[2] = s.dims[3] = s.box[2] = s.box[3] = s.steps[2] = s.steps[3] = 1;
    s.strides[1] = s.strides[2] = 8000;
    ok(encode(&map, &s)); /* a map of boxes where one of pixels is wanted */
    int zero = 0;
    void *params[] = {&map, (void *)&out, &zero, &zero, &zero, &zero, &zero, &zero};
    ok(cuLaunchKernel(pixel_kernel("see"), 1, 1, 1, WORDS, 1, 1, 0, NULL, params, NULL));
    is(cuCtxSynchronize(), CUDA_ERROR_ILLEGAL_ADDRESS);
    has_report("no tensor map of this rank and mode");
}
