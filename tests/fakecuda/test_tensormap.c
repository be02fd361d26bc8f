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
    FORBIDDEN(steps[1] = 2, CUDA_ERROR_NOT_SUPPORTED);
    FORBIDDEN(interleave = 1, CUDA_ERROR_NOT_SUPPORTED);
    FORBIDDEN(fill = 1, CUDA_ERROR_NOT_SUPPORTED);
    is(encode(NULL, &sound), CUDA_ERROR_INVALID_VALUE);
}

static void fill_tensor(CUdeviceptr at) {
    unsigned host[COLS * ROWS];
    for (unsigned k = 0; k < COLS * ROWS; k++) {
        host[k] = k + 1;
    }
    ok(cuMemcpyHtoD_v2(at, host, sizeof host));
}

static CUfunction box_kernel(const char *name) {
    static CUmodule module;
    CUfunction f;
    if (!module) {
        ok(cuModuleLoadData(&module, boxes));
    }
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
} places[] = {{0, 0, CU_TENSOR_MAP_SWIZZLE_NONE, 0},     {5, 3, CU_TENSOR_MAP_SWIZZLE_NONE, 0},
              {64, 8, CU_TENSOR_MAP_SWIZZLE_128B, 112},  {81, 17, CU_TENSOR_MAP_SWIZZLE_128B, 112},
              {-3, -2, CU_TENSOR_MAP_SWIZZLE_128B, 112}, {-40, 0, CU_TENSOR_MAP_SWIZZLE_NONE, 0},
              {99, 19, CU_TENSOR_MAP_SWIZZLE_NONE, 0}};

/* There by `take`, back by `give`, at every place; what lies outside is zero and stays untouched. */
Test(tensormap, boxes_there_and_back) {
    begin();
    const CUdeviceptr tensor = device(COLS * ROWS * 4), out = device(BOX * 4);
    for (size_t k = 0; k < sizeof places / sizeof *places; k++) {
        CUtensorMap map;
        shape s = sound;
        s.address = (uintptr_t)tensor;
        s.swizzle = places[k].swizzle;
        ok(encode(&map, &s));
        fill_tensor(tensor);
        int x = places[k].x, y = places[k].y;
        unsigned span = places[k].span, got[BOX], all[COLS * ROWS];
        void *params[] = {&map, (void *)&out, &x, &y, &span};
        ok(cuLaunchKernel(box_kernel("take"), 1, 1, 1, BOX, 1, 1, 0, NULL, params, NULL));
        ok(cuMemcpyDtoH_v2(got, out, sizeof got));
        for (int t = 0; t < BOX; t++) {
            int cx = x + t % BOX_COLS, cy = y + t / BOX_COLS;
            unsigned want = inside(cx, cy) ? (unsigned)(cy * COLS + cx + 1) : 0;
            cr_assert(got[t] == want, "place %zu, element %d: %u, not %u", k, t, got[t], want);
        }
        ok(cuLaunchKernel(box_kernel("give"), 1, 1, 1, BOX, 1, 1, 0, NULL, params, NULL));
        ok(cuMemcpyDtoH_v2(all, tensor, sizeof all));
        for (int n = 0; n < COLS * ROWS; n++) {
            int bx = n % COLS - x, by = n / COLS - y;
            bool in = bx >= 0 && bx < BOX_COLS && by >= 0 && by < BOX_ROWS;
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
