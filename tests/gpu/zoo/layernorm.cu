// layernorm.cu - mean and variance in one pass (Chan's merge), a warp a row, four rows a block.
struct moments {
    float n, mean, m2;
};

__device__ __forceinline__ moments merge(moments a, moments b) {
    moments r;
    float d = b.mean - a.mean;
    r.n = a.n + b.n;
    float f = r.n > 0.0f ? b.n / r.n : 0.0f;
    r.mean = a.mean + d * f;
    r.m2 = a.m2 + b.m2 + d * d * a.n * f;
    return r;
}

// y = (x - mean) * rstd * w + b; mean and rstd are kept for the gradient
extern "C" __global__ void layernorm_row(const float *__restrict__ x, const float *__restrict__ w,
                                         const float *__restrict__ b, float *__restrict__ y,
                                         float *__restrict__ mean, float *__restrict__ rstd,
                                         int rows, int n, float eps) {
    int lane = threadIdx.x, row = blockIdx.x * blockDim.y + threadIdx.y;
    if (row >= rows) return;
    const float *in = x + row * n;
    moments m = {0.0f, 0.0f, 0.0f};
    for (int i = lane; i < n; i += 32) {
        moments one = {1.0f, in[i], 0.0f};
        m = merge(m, one);
    }
    for (int d = 1; d < 32; d <<= 1) {
        moments o;
        o.n = __shfl_xor_sync(0xffffffffu, m.n, d);
        o.mean = __shfl_xor_sync(0xffffffffu, m.mean, d);
        o.m2 = __shfl_xor_sync(0xffffffffu, m.m2, d);
        m = merge(m, o);
    }
    float r = rsqrtf(m.m2 / n + eps);
    for (int i = lane; i < n; i += 32) y[row * n + i] = (in[i] - m.mean) * r * w[i] + b[i];
    if (lane == 0) {
        mean[row] = m.mean;
        rstd[row] = r;
    }
}
