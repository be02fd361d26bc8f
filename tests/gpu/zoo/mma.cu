// mma.cu - matrix products and a convolution on mma.sync, fed by cp.async into swizzled shared
// memory.
//
//     C[M, N] = A[M, K] * B[N, K]^T      tiles of 64 x 64, 4 warps of 32 x 32, 3 stages of 64
// bytes of K
//
// A row of a stage is 64 bytes = 4 chunks of 16; chunk c of row r lies at c ^ (r / 2 & 3), which
// puts the eight rows that one ldmatrix phase reads into eight different bank groups. A 32-byte
// slice of K has one register layout in all four types, so only the mma instruction and the
// accumulator's type differ.
typedef unsigned char u8;
typedef unsigned int u32;

#define STAGES      3
#define STAGE_BYTES 4096 // 64 rows of 64 bytes

struct frag {
    u32 a[2][4], b[4][2];
};

struct bf16_mma {
    typedef float acc;
    static __device__ void run(float *c, const u32 *a, const u32 *b) {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, "
                     "{%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
};

struct f16_mma {
    typedef float acc;
    static __device__ void run(float *c, const u32 *a, const u32 *b) {
        asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, "
                     "{%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
};

struct tf32_mma {
    typedef float acc;
    static __device__ void run(float *c, const u32 *a, const u32 *b) {
        asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, "
                     "{%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
};

struct i8_mma {
    typedef int acc;
    static __device__ void run(int *c, const u32 *a, const u32 *b) {
        asm volatile("mma.sync.aligned.m16n8k32.row.col.s32.s8.s8.s32 {%0,%1,%2,%3}, "
                     "{%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                     : "+r"(c[0]), "+r"(c[1]), "+r"(c[2]), "+r"(c[3])
                     : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
    }
};

__device__ __forceinline__ u32 swizzle(u32 row, u32 chunk) {
    return row * 64 + ((chunk ^ (row >> 1 & 3)) << 4);
}

// 16 bytes to shared memory behind the thread's back; zeros if the source is outside the matrix
__device__ __forceinline__ void copy16(u32 to, const void *from, bool inside) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
                 "r"(inside ? 16 : 0));
}

__device__ __forceinline__ void ldmatrix4(u32 *r, u32 from) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(from));
}

// Rows of a matrix in memory: row r, 16-byte chunk c.
struct dense {
    const u8 *base;
    int rows, bytes; // bytes of a row, a multiple of 16
    __device__ void copy(u32 to, int r, int c) const {
        copy16(to, base + r * bytes + c * 16, r < rows && c * 16 < bytes);
    }
};

// Rows of the matrix that a 3 x 3 convolution multiplies: row = pixel, column = (tap, channel).
struct im2col {
    const u8 *base;
    int images, h, w, bytes; // bytes of one pixel's channels, a multiple of 16
    __device__ void copy(u32 to, int r, int c) const {
        int tap = c * 16 / bytes, at = c * 16 - tap * bytes;
        int x = r % w + tap % 3 - 1, y = r / w % h + tap / 3 - 1, image = r / (w * h);
        bool inside = tap < 9 && image < images && x >= 0 && x < w && y >= 0 && y < h;
        copy16(to, base + ((image * h + y) * w + x) * bytes + at, inside);
    }
};

template <class Rows>
__device__ __forceinline__ void fill(u32 to, const Rows &m, int row0, int chunk0) {
#pragma unroll 1
    for (int k = 0; k < 2; k++) {
        int i = k * 128 + threadIdx.x, r = i >> 2, c = i & 3;
        m.copy(to + swizzle(r, c), row0 + r, chunk0 + c);
    }
}

// One 32-byte slice of K (slice 0 or 1) of this warp's 32 rows of A and 32 rows of B.
__device__ __forceinline__ void load_frag(frag &f, u32 a, u32 b, int slice) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    int am = (warp >> 1) * 32 + (lane & 15), ac = slice * 2 + (lane >> 4);
    int bn = (warp & 1) * 32 + (lane & 7) + (lane >> 4) * 8, bc = slice * 2 + (lane >> 3 & 1);
    ldmatrix4(f.a[0], a + swizzle(am, ac));
    ldmatrix4(f.a[1], a + swizzle(am + 16, ac));
    ldmatrix4(&f.b[0][0], b + swizzle(bn, bc));
    ldmatrix4(&f.b[2][0], b + swizzle(bn + 16, bc));
}

template <class T>
__device__ __forceinline__ void store(T *C, T acc[2][4][4], int m0, int n0, int M, int N) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    for (int i = 0; i < 2; i++) {
        for (int j = 0; j < 4; j++) {
            int r = m0 + (warp >> 1) * 32 + i * 16 + lane / 4;
            int c = n0 + (warp & 1) * 32 + j * 8 + lane % 4 * 2;
            if (c < N && r < M) {
                C[r * N + c] = acc[i][j][0];
                C[r * N + c + 1] = acc[i][j][1];
            }
            if (c < N && r + 8 < M) {
                C[(r + 8) * N + c] = acc[i][j][2];
                C[(r + 8) * N + c + 1] = acc[i][j][3];
            }
        }
    }
}

// M, N: the product's shape (N even); chunks: 16-byte chunks in K.
template <class Op, class Rows>
__device__ __forceinline__ void gemm(const Rows &A, const dense &B, typename Op::acc *C, int M,
                                     int N, int chunks) {
    __shared__ __align__(128) u8 buf[STAGES][2][STAGE_BYTES];
    int m0 = blockIdx.y * 64, n0 = blockIdx.x * 64, steps = (chunks + 3) / 4;
    u32 base = (u32)__cvta_generic_to_shared(buf);
    typename Op::acc acc[2][4][4] = {};
#pragma unroll 1
    for (int s = 0; s < STAGES - 1; s++) {
        if (s < steps) {
            fill(base + s * 2 * STAGE_BYTES, A, m0, s * 4);
            fill(base + s * 2 * STAGE_BYTES + STAGE_BYTES, B, n0, s * 4);
        }
        asm volatile("cp.async.commit_group;");
    }
#pragma unroll 1
    for (int s = 0; s < steps; s++) {
        asm volatile("cp.async.wait_group %0;" ::"n"(STAGES - 2));
        __syncthreads();
        int ahead = s + STAGES - 1;
        u32 now = base + s % STAGES * 2 * STAGE_BYTES, to = base + ahead % STAGES * 2 * STAGE_BYTES;
        if (ahead < steps) {
            fill(to, A, m0, ahead * 4);
            fill(to + STAGE_BYTES, B, n0, ahead * 4);
        }
        asm volatile("cp.async.commit_group;");
#pragma unroll
        for (int slice = 0; slice < 2; slice++) {
            frag f;
            load_frag(f, now, now + STAGE_BYTES, slice);
#pragma unroll
            for (int i = 0; i < 2; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) Op::run(acc[i][j], f.a[i], f.b[j]);
        }
    }
    store(C, acc, m0, n0, M, N);
}

#define GEMM(NAME, OP, BYTES)                                                                      \
    extern "C" __global__ void __launch_bounds__(128)                                              \
        NAME(const u8 *__restrict__ A, const u8 *__restrict__ B, OP::acc *__restrict__ C, int M,   \
             int N, int K) {                                                                       \
        dense a = {A, M, K * BYTES}, b = {B, N, K * BYTES};                                        \
        gemm<OP>(a, b, C, M, N, K * BYTES / 16);                                                   \
    }

GEMM(gemm_bf16, bf16_mma, 2)
GEMM(gemm_f16, f16_mma, 2)
GEMM(gemm_tf32, tf32_mma, 4)
GEMM(gemm_i8, i8_mma, 1)

// y[n, h, w, out] = sum over taps and channels of x[n, h + dy, w + dx, in] * k[out, tap, in],
// edges zero
extern "C" __global__ void __launch_bounds__(128)
    conv_f16(const u8 *__restrict__ x, const u8 *__restrict__ k, float *__restrict__ y, int images,
             int h, int w, int in, int out) {
    im2col a = {x, images, h, w, in * 2};
    dense b = {k, out, 9 * in * 2};
    gemm<f16_mma>(a, b, y, images * h * w, out, 9 * in * 2 / 16);
}
