// hopper.cu - a matrix product as the chips of compute capability 9.0 want it, for sm_90a alone.
//
//     C[M, N] = A[M, K] * B[N, K]^T      blocks of 64 x 64, two above each other are a cluster
//
//     warpgroup 0, one thread:   waits until a stage is empty, asks for 64 columns of its rows of A and of half of
//                                the rows of B, which go to both blocks
//     warpgroup 1:               waits until a stage is full, multiplies, tells both blocks that it is empty
//
// A stage holds rows of 128 bytes whose 16-byte chunks the copies swizzle; sums leave through shared memory.
typedef unsigned int u32;
typedef unsigned long long u64;
typedef unsigned short u16;

struct __align__(64) tensor_map {
    u64 opaque[16];
};

#define STAGES 2
#define TILE   8192 // 64 rows of 128 bytes
#define HALF   4096

static __device__ u32 address(const void *p) {
    u64 at;
    asm("cvta.to.shared.u64 %0, %1;" : "=l"(at) : "l"(p));
    return (u32)at;
}

static __device__ void wait(u32 bar, u32 parity) {
    asm volatile("{\n.reg .pred p;\nAGAIN:\n"
                 "mbarrier.try_wait.parity.shared::cta.b64 p, [%0], %1;\n@!p bra AGAIN;\n}"
                 :
                 : "r"(bar), "r"(parity)
                 : "memory");
}

static __device__ void arrive_at(u32 bar, u32 rank) {
    asm volatile("{\n.reg .b32 r;\nmapa.shared::cluster.u32 r, %0, %1;\n"
                 "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [r];\n}"
                 :
                 : "r"(bar), "r"(rank)
                 : "memory");
}

static __device__ void sync_cluster() {
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;"
                 :
                 :
                 : "memory");
}

static __device__ void load(u32 to, const tensor_map *map, int x, int y, u32 bar) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
                 "[%0], [%1, {%2, %3}], [%4];"
                 :
                 : "r"(to), "l"(map), "r"(x), "r"(y), "r"(bar)
                 : "memory");
}

static __device__ void load_for_both(u32 to, const tensor_map *map, int x, int y, u32 bar) {
    asm volatile("cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes."
                 "multicast::cluster [%0], [%1, {%2, %3}], [%4], %5;"
                 :
                 : "r"(to), "l"(map), "r"(x), "r"(y), "r"(bar), "h"((u16)3)
                 : "memory");
}

// Rows of 128 bytes, eight to a tile of the swizzle; `at`: where the 32 bytes of K begin.
static __device__ u64 describe(u32 at) {
    return (u64)(at >> 4) | (u64)(1024 >> 4) << 32 | (u64)1 << 62;
}

static __device__ void multiply(float *d, u64 a, u64 b) {
    asm volatile(
        "wgmma.mma_async.sync.aligned.m64n64k16.f32.f16.f16 "
        "{%0,%1,%2,%3,%4,%5,%6,%7,%8,%9,%10,%11,%12,%13,%14,%15,"
        "%16,%17,%18,%19,%20,%21,%22,%23,%24,%25,%26,%27,%28,%29,%30,%31}, "
        "%32, %33, 1, 1, 1, 0, 0;"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3]), "+f"(d[4]), "+f"(d[5]), "+f"(d[6]),
          "+f"(d[7]), "+f"(d[8]), "+f"(d[9]), "+f"(d[10]), "+f"(d[11]), "+f"(d[12]), "+f"(d[13]),
          "+f"(d[14]), "+f"(d[15]), "+f"(d[16]), "+f"(d[17]), "+f"(d[18]), "+f"(d[19]),
          "+f"(d[20]), "+f"(d[21]), "+f"(d[22]), "+f"(d[23]), "+f"(d[24]), "+f"(d[25]),
          "+f"(d[26]), "+f"(d[27]), "+f"(d[28]), "+f"(d[29]), "+f"(d[30]), "+f"(d[31])
        : "l"(a), "l"(b));
}

static __device__ void produce(const tensor_map *a, const tensor_map *b, u32 stages, u32 full,
                               u32 empty, int rank, int steps) {
    int row = blockIdx.x * 64, column = blockIdx.y * 64 + rank * 32;
    for (int k = 0; k < steps; k++) {
        u32 s = k % STAGES, at = stages + s * 2 * TILE, bar = full + 8 * s;
        if (k >= STAGES) wait(empty + 8 * s, (k / STAGES - 1) & 1);
        asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;"
                     :
                     : "r"(bar), "r"(2 * TILE)
                     : "memory");
        load(at, a, k * 64, row, bar);
        load_for_both(at + TILE + rank * HALF, b, k * 64, column, bar);
    }
}

static __device__ void consume(const tensor_map *c, float *tile, u32 stages, u32 full, u32 empty,
                               int steps) {
    float d[32];
    int t = threadIdx.x - 128, row = t / 32 * 16 + t % 32 / 4, column = t % 4 * 2;
    for (int i = 0; i < 32; i++) d[i] = 0.0f;
    for (int k = 0; k < steps; k++) {
        u32 s = k % STAGES, at = stages + s * 2 * TILE;
        wait(full + 8 * s, k / STAGES & 1);
        asm volatile("wgmma.fence.sync.aligned;" : : : "memory");
        for (int n = 0; n < 4; n++) multiply(d, describe(at + 32 * n), describe(at + TILE + 32 * n));
        asm volatile("wgmma.commit_group.sync.aligned;" : : : "memory");
        asm volatile("wgmma.wait_group.sync.aligned 0;" : : : "memory");
        if (t < 2) arrive_at(empty + 8 * s, t);
    }
    asm volatile("bar.sync 1, 128;" : : : "memory");
    for (int i = 0; i < 32; i++)
        tile[(row + i / 2 % 2 * 8) * 64 + column + i / 4 * 8 + i % 2] = d[i];
    asm volatile("fence.proxy.async.shared::cta;\nbar.sync 1, 128;" : : : "memory");
    if (t != 0) return;
    asm volatile("cp.async.bulk.tensor.2d.global.shared::cta.tile.bulk_group [%0, {%1, %2}], [%3];\n"
                 "cp.async.bulk.commit_group;\ncp.async.bulk.wait_group.read 0;"
                 :
                 : "l"(c), "r"(blockIdx.y * 64), "r"(blockIdx.x * 64), "r"(stages)
                 : "memory");
}

extern "C" __global__ void __cluster_dims__(2, 1, 1) __launch_bounds__(256, 2)
    gemm_hopper(const __grid_constant__ tensor_map a, const __grid_constant__ tensor_map b,
                const __grid_constant__ tensor_map c, int steps) {
    __shared__ __align__(1024) unsigned char stages[STAGES * 2 * TILE];
    __shared__ __align__(8) u64 full[STAGES], empty[STAGES];
    u32 rank;
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
    if (threadIdx.x == 0) {
        for (int s = 0; s < STAGES; s++)
            asm volatile("mbarrier.init.shared::cta.b64 [%0], 1;\nmbarrier.init.shared::cta.b64 "
                         "[%1], 2;"
                         :
                         : "r"(address(&full[s])), "r"(address(&empty[s]))
                         : "memory");
        asm volatile("fence.mbarrier_init.release.cluster;" : : : "memory");
    }
    sync_cluster();
    if (threadIdx.x < 128) {
        asm volatile("setmaxnreg.dec.sync.aligned.u32 40;");
        if (threadIdx.x == 0)
            produce(&a, &b, address(stages), address(full), address(empty), rank, steps);
    } else {
        asm volatile("setmaxnreg.inc.sync.aligned.u32 216;");
        consume(&c, (float *)stages, address(stages), address(full), address(empty), steps);
    }
    sync_cluster();
}
