// softmax.cu - a row is read once, kept in registers, and written once.
#define PER 5 // values a thread keeps: rows of up to 128 * PER

__device__ float block_fold(float v, bool is_max, float *part) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    for (int d = 16; d > 0; d >>= 1) {
        float o = __shfl_down_sync(0xffffffffu, v, d); // lane 0 gets it all
        v = is_max ? fmaxf(v, o) : v + o;
    }
    if (lane == 0) part[warp] = v;
    __syncthreads();
    float a = is_max ? fmaxf(part[0], part[1]) : part[0] + part[1];
    float b = is_max ? fmaxf(part[2], part[3]) : part[2] + part[3];
    return is_max ? fmaxf(a, b) : a + b;
}

// y[row, :] = softmax(x[row, :]), 128 threads a row
extern "C" __global__ void softmax_row(const float *__restrict__ x, float *__restrict__ y, int n) {
    __shared__ float part_max[4], part_sum[4];
    const float *in = x + blockIdx.x * n;
    float v[PER], m = -3.0e38f, s = 0.0f;
#pragma unroll
    for (int k = 0; k < PER; k++) {
        int i = k * 128 + threadIdx.x;
        v[k] = i < n ? in[i] : -3.0e38f;
        m = fmaxf(m, v[k]);
    }
    m = block_fold(m, true, part_max);
#pragma unroll
    for (int k = 0; k < PER; k++) {
        v[k] = expf(v[k] - m);
        s += v[k];
    }
    float inv = 1.0f / block_fold(s, false, part_sum);
#pragma unroll
    for (int k = 0; k < PER; k++) {
        int i = k * 128 + threadIdx.x;
        if (i < n) y[blockIdx.x * n + i] = v[k] * inv;
    }
}
