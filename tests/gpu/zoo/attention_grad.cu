// attention_grad.cu - gradients of causal attention, f32, [heads, S, 32].
//
//     P = exp(scale Q K^T - lse)    dV = P^T dO    dS = P * (dO V^T - delta)    dQ = scale dS K
// dK = scale dS^T Q
//
// A block owns 32 keys of one head, walks over the queries, keeps dK and dV in registers and adds
// its part of dQ atomically. 128 threads: thread t has row t / 4 and the 8 columns from t % 4 * 8
// of a 32 x 32 tile.
#define D 32

struct tile {
    float v[32][D + 1];
};

__device__ __forceinline__ void fill(tile &t, const float *x, int row0, int rows) {
    for (int i = threadIdx.x; i < 32 * D; i += 128) {
        int r = i / D, c = i % D;
        t.v[r][c] = row0 + r < rows ? x[(row0 + r) * D + c] : 0.0f;
    }
}

// delta[row] = sum of O * dO: a warp a row
extern "C" __global__ void attention_delta(const float *__restrict__ O,
                                           const float *__restrict__ dO, float *__restrict__ delta,
                                           int rows) {
    int row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    float s = O[row * D + threadIdx.x] * dO[row * D + threadIdx.x];
    for (int d = 16; d > 0; d >>= 1) s += __shfl_down_sync(0xffffffffu, s, d);
    if (threadIdx.x == 0) delta[row] = s;
}

extern "C" __global__ void __launch_bounds__(128)
    attention_grad(const float *__restrict__ Q, const float *__restrict__ K,
                   const float *__restrict__ V, const float *__restrict__ dO,
                   const float *__restrict__ lse, const float *__restrict__ delta, float *dQ,
                   float *__restrict__ dK, float *__restrict__ dV, int S, float scale) {
    __shared__ tile q, k, v, g, p, ds;
    int head = blockIdx.y, k0 = blockIdx.x * 32, r = threadIdx.x / 4, c0 = threadIdx.x % 4 * 8;
    int at = head * S * D;
    float dk[8] = {}, dv[8] = {};
    fill(k, K + at, k0, S);
    fill(v, V + at, k0, S);
    for (int q0 = k0; q0 < S; q0 += 32) {
        fill(q, Q + at, q0, S);
        fill(g, dO + at, q0, S);
        __syncthreads();
        float l = q0 + r < S ? lse[head * S + q0 + r] : 0.0f;
        float del = q0 + r < S ? delta[head * S + q0 + r] : 0.0f;
        for (int c = c0; c < c0 + 8; c++) {
            float s = 0.0f, dp = 0.0f;
            for (int d = 0; d < D; d++) {
                s += q.v[r][d] * k.v[c][d];
                dp += g.v[r][d] * v.v[c][d];
            }
            bool live = k0 + c <= q0 + r && q0 + r < S;
            float e = live ? __expf(s * scale - l) : 0.0f;
            p.v[r][c] = e;
            ds.v[r][c] = e * (dp - del) * scale;
        }
        __syncthreads();
        for (int i = 0; i < 32; i++)
            for (int j = 0; j < 8; j++) {
                dv[j] += p.v[i][r] * g.v[i][c0 + j];
                dk[j] += ds.v[i][r] * q.v[i][c0 + j];
            }
        for (int j = 0; j < 8; j++) {
            float s = 0.0f;
            for (int c = 0; c < 32; c++) s += ds.v[r][c] * k.v[c][c0 + j];
            if (q0 + r < S) atomicAdd(&dQ[at + (q0 + r) * D + c0 + j], s);
        }
        __syncthreads();
    }
    if (k0 + r < S)
        for (int j = 0; j < 8; j++) {
            dK[at + (k0 + r) * D + c0 + j] = dk[j];
            dV[at + (k0 + r) * D + c0 + j] = dv[j];
        }
}
