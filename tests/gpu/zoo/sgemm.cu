// sgemm.cu - C[M, N] = alpha * A[M, K] * B[K, N] + beta * C: 64 x 64 tiles, 4 x 4 values a thread,
// two shared buffers so that one barrier a step is enough. K is a multiple of 8, N of 4.
#define STEP 8

struct tiles {
    float a[STEP][64 + 4]; // transposed, so that a thread's four rows are one 16-byte load
    float b[STEP][64];
};

__device__ __forceinline__ void load(tiles &s, const float *A, const float *B, int m0, int n0,
                                     int k0, int M, int N, int K) {
    int t = threadIdx.x, ar = t >> 1, ak = (t & 1) * 4, bk = t >> 4, bn = (t & 15) * 4;
    float4 zero = {};
    float4 a = m0 + ar < M ? *(const float4 *)(A + (m0 + ar) * K + k0 + ak) : zero;
    float4 b = n0 + bn < N ? *(const float4 *)(B + (k0 + bk) * N + n0 + bn) : zero;
    s.a[ak][ar] = a.x;
    s.a[ak + 1][ar] = a.y;
    s.a[ak + 2][ar] = a.z;
    s.a[ak + 3][ar] = a.w;
    *(float4 *)&s.b[bk][bn] = b;
}

// 128 threads: 16 across, 8 down, each 8 rows by 4 columns
extern "C" __global__ void __launch_bounds__(128)
    sgemm(const float *__restrict__ A, const float *__restrict__ B, float *__restrict__ C, int M,
          int N, int K, float alpha, float beta) {
    __shared__ __align__(16) tiles s[2];
    int tx = threadIdx.x & 15, ty = threadIdx.x >> 4, m0 = blockIdx.y * 64, n0 = blockIdx.x * 64;
    float acc[8][4] = {};
    load(s[0], A, B, m0, n0, 0, M, N, K);
    for (int k0 = 0; k0 < K; k0 += STEP) {
        tiles &now = s[(k0 / STEP) & 1], &next = s[~(k0 / STEP) & 1];
        __syncthreads();
        if (k0 + STEP < K) load(next, A, B, m0, n0, k0 + STEP, M, N, K);
#pragma unroll
        for (int k = 0; k < STEP; k++) {
            float4 a0 = *(float4 *)&now.a[k][ty * 8], a1 = *(float4 *)&now.a[k][ty * 8 + 4];
            float4 b4 = *(float4 *)&now.b[k][tx * 4];
            float a[8] = {a0.x, a0.y, a0.z, a0.w, a1.x, a1.y, a1.z, a1.w};
            float b[4] = {b4.x, b4.y, b4.z, b4.w};
#pragma unroll
            for (int i = 0; i < 8; i++)
#pragma unroll
                for (int j = 0; j < 4; j++) acc[i][j] += a[i] * b[j];
        }
    }
    for (int i = 0; i < 8; i++) {
        int r = m0 + ty * 8 + i, c = n0 + tx * 4;
        if (r < M && c < N) {
            float4 *to = (float4 *)(C + r * N + c), old = *to;
            old.x = alpha * acc[i][0] + beta * old.x;
            old.y = alpha * acc[i][1] + beta * old.y;
            old.z = alpha * acc[i][2] + beta * old.z;
            old.w = alpha * acc[i][3] + beta * old.w;
            *to = old;
        }
    }
}
