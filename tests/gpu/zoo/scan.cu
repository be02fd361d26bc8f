// scan.cu - inclusive sum of a long array: tiles, then the tiles' totals, then the offsets.
__device__ int warp_scan(int v) {
    int lane = threadIdx.x & 31;
    for (int d = 1; d < 32; d <<= 1) {
        int o = __shfl_up_sync(0xffffffffu, v, d);
        if (lane >= d) v += o;
    }
    return v;
}

__device__ int block_scan(int v, int *sums) {
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5;
    v = warp_scan(v);
    if (lane == 31) sums[warp] = v;
    __syncthreads();
    if (warp == 0) {
        int s = lane < blockDim.x / 32 ? sums[lane] : 0;
        s = warp_scan(s);
        if (lane < blockDim.x / 32) sums[lane] = s;
    }
    __syncthreads();
    return warp > 0 ? v + sums[warp - 1] : v;
}

extern "C" __global__ void scan_tiles(const int *__restrict__ x, int *__restrict__ y,
                                      int *__restrict__ total, int n) {
    __shared__ int sums[8];
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    int v = block_scan(i < n ? x[i] : 0, sums);
    if (i < n) y[i] = v;
    if (threadIdx.x == blockDim.x - 1) total[blockIdx.x] = v;
}

extern "C" __global__ void scan_totals(int *total, int tiles) {
    __shared__ int sums[4];
    int v = block_scan(threadIdx.x < tiles ? total[threadIdx.x] : 0, sums);
    if (threadIdx.x < tiles) total[threadIdx.x] = v;
}

extern "C" __global__ void scan_add(int *__restrict__ y, const int *__restrict__ total, int n) {
    int i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i < n && blockIdx.x > 0) y[i] += total[blockIdx.x - 1];
}
