// radix.cu - one stable 4-bit pass of a radix sort: count, scan the counts, scatter.
//
//     keys --count--> counts[digit][block] --scan--> first place of each (digit, block)
// --scatter-->
#define ROUNDS 3 // keys a thread
#define TILE   (128 * ROUNDS)
typedef unsigned int u32;

extern "C" __global__ void radix_count(const u32 *__restrict__ key, u32 *__restrict__ counts, int n,
                                       int shift) {
    __shared__ u32 bin[16];
    if (threadIdx.x < 16) bin[threadIdx.x] = 0;
    __syncthreads();
    for (int k = 0; k < ROUNDS; k++) {
        int i = blockIdx.x * TILE + k * 128 + threadIdx.x;
        if (i < n) atomicAdd(&bin[(key[i] >> shift) & 15], 1u);
    }
    __syncthreads();
    if (threadIdx.x < 16) counts[threadIdx.x * gridDim.x + blockIdx.x] = bin[threadIdx.x];
}

extern "C" __global__ void radix_scan(u32 *counts, int n) {
    __shared__ u32 buf[2][128];
    int t = threadIdx.x, at = 0;
    buf[0][t] = t > 0 && t - 1 < n ? counts[t - 1] : 0;
    __syncthreads();
    for (int d = 1; d < 128; d <<= 1) {
        buf[at ^ 1][t] = t >= d ? buf[at][t] + buf[at][t - d] : buf[at][t];
        at ^= 1;
        __syncthreads();
    }
    if (t < n) counts[t] = buf[at][t];
}

extern "C" __global__ void radix_scatter(const u32 *__restrict__ key, const u32 *__restrict__ first,
                                         u32 *__restrict__ out, int n, int shift) {
    __shared__ u32 place[16], count[4][17];
    u32 t = threadIdx.x, lane = t & 31, warp = t >> 5;
    if (t < 16) place[t] = first[t * gridDim.x + blockIdx.x];
    for (int k = 0; k < ROUNDS; k++) {
        int i = blockIdx.x * TILE + k * 128 + t;
        u32 v = i < n ? key[i] : 0u, digit = i < n ? (v >> shift) & 15 : 16u;
        if (lane < 17) count[warp][lane] = 0;
        __syncwarp();
        u32 same = __match_any_sync(0xffffffffu, digit);
        u32 rank = __popc(same & ((1u << lane) - 1u));
        if (rank == 0) count[warp][digit] = __popc(same);
        __syncthreads();
        if (i < n) {
            u32 to = place[digit] + rank;
            for (u32 w = 0; w < warp; w++) to += count[w][digit];
            out[to] = v;
        }
        __syncthreads();
        if (t < 16) place[t] += count[0][t] + count[1][t] + count[2][t] + count[3][t];
        __syncthreads();
    }
}
