// split.cu - a reduction split over blocks; the last block to arrive folds the partial sums.
extern "C" __global__ void split_sum(const float *__restrict__ x, float *part, float *y,
                                     unsigned *ticket, int n) {
    __shared__ float buf[128];
    __shared__ bool last;
    int t = threadIdx.x;
    float s = 0.0f;
    for (int i = blockIdx.x * 128 + t; i < n; i += gridDim.x * 128) s += x[i];
    buf[t] = s;
    for (int d = 64; d > 0; d >>= 1) {
        __syncthreads();
        if (t < d) buf[t] += buf[t + d];
    }
    if (t == 0) {
        part[blockIdx.x] = buf[0];
        __threadfence();
        last = atomicInc(ticket, gridDim.x - 1) == gridDim.x - 1;
    }
    __syncthreads();
    if (!last) return;
    __threadfence();
    if (t < 32) {
        float p = t < gridDim.x ? ((volatile float *)part)[t] : 0.0f;
        for (int d = 16; d > 0; d >>= 1) p += __shfl_down_sync(0xffffffffu, p, d);
        if (t == 0) y[0] = p;
    }
}
