// mma75.cu - the f16 product for the first tensor cores that have ldmatrix: no cp.async, m16n8k8.
//
//     C[M, N] = A[M, K] * B[K, N], a warp a 16 x 16 tile; B's rows are turned by ldmatrix.trans.
// M and N are multiples of 16, K of 8.
typedef unsigned int u32;

__device__ __forceinline__ u32 shared_at(const void *p) {
    return (u32)__cvta_generic_to_shared(p);
}

extern "C" __global__ void gemm_f16_k8(const uint4 *__restrict__ A, const uint4 *__restrict__ B,
                                       float *__restrict__ C, int M, int N, int K) {
    __shared__ uint4 a[16], b[16]; // 16 rows of 8 of A; 8 rows of 16 of B as (column half, row)
    int lane = threadIdx.x, m0 = blockIdx.y * 16, n0 = blockIdx.x * 16;
    float acc[2][4] = {};
    for (int k0 = 0; k0 < K; k0 += 8) {
        if (lane < 16)
            a[lane] = A[((m0 + lane) * K + k0) / 8];
        else
            b[lane - 16] = B[((k0 + lane % 8) * N + n0) / 8 + (lane >> 3 & 1)];
        __syncwarp();
        u32 fa[2], fb[2];
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0,%1}, [%2];"
                     : "=r"(fa[0]), "=r"(fa[1])
                     : "r"(shared_at(a + (lane & 15))));
        asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];"
                     : "=r"(fb[0]), "=r"(fb[1])
                     : "r"(shared_at(b + (lane & 15))));
        for (int j = 0; j < 2; j++)
            asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, "
                         "{%4,%5}, {%6}, {%0,%1,%2,%3};"
                         : "+f"(acc[j][0]), "+f"(acc[j][1]), "+f"(acc[j][2]), "+f"(acc[j][3])
                         : "r"(fa[0]), "r"(fa[1]), "r"(fb[j]));
        __syncwarp();
    }
    for (int j = 0; j < 2; j++) {
        int r = m0 + lane / 4, c = n0 + j * 8 + lane % 4 * 2;
        C[r * N + c] = acc[j][0];
        C[r * N + c + 1] = acc[j][1];
        C[(r + 8) * N + c] = acc[j][2];
        C[(r + 8) * N + c + 1] = acc[j][3];
    }
}
