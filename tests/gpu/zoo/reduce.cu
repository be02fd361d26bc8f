// reduce.cu - rows folded by shuffles, columns folded by a tree in shared memory.

// The warp's sum, in lane 0 only.
__device__ float warp_sum(float s) {
    for (int d = 16; d > 0; d >>= 1) s += __shfl_down_sync(0xffffffffu, s, d);
    return s;
}

// y[row] = sum of x[row, 0..n): one block of 128 threads a row
extern "C" __global__ void row_sum(const float *__restrict__ x, float *__restrict__ y, int n) {
    __shared__ float part[4];
    int row = blockIdx.x, lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    float s = 0.0f;
    for (int i = threadIdx.x; i < n; i += 128) s += x[row * n + i];
    s = warp_sum(s);
    if (lane == 0) part[warp] = s;
    __syncthreads();
    if (warp == 0) {
        s = warp_sum(lane < 4 ? part[lane] : 0.0f);
        if (lane == 0) y[row] = s;
    }
}

// y[c] = max of x[0..rows, c], at[c] = the first row that has it: 16 columns by 16 rows of threads
extern "C" __global__ void col_max(const float *__restrict__ x, float *__restrict__ y,
                                   int *__restrict__ at, int rows, int cols) {
    __shared__ float best[16][16];
    __shared__ int where[16][16];
    int c = blockIdx.x * 16 + threadIdx.x, ty = threadIdx.y;
    float m = -3.4e38f;
    int w = 0;
    if (c < cols) {
        for (int r = ty; r < rows; r += 16) {
            float v = x[r * cols + c];
            if (v > m) {
                m = v;
                w = r;
            }
        }
    }
    best[ty][threadIdx.x] = m;
    where[ty][threadIdx.x] = w;
    __syncthreads();
    for (int d = 8; d > 0; d >>= 1) {
        if (ty < d) {
            float o = best[ty + d][threadIdx.x];
            int p = where[ty + d][threadIdx.x];
            m = best[ty][threadIdx.x];
            w = where[ty][threadIdx.x];
            if (o > m || (o == m && p < w)) {
                best[ty][threadIdx.x] = o;
                where[ty][threadIdx.x] = p;
            }
        }
        __syncthreads();
    }
    if (ty == 0 && c < cols) {
        y[c] = best[ty][threadIdx.x];
        at[c] = where[ty][threadIdx.x];
    }
}
