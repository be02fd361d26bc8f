// philox.cu - Philox 4x32-10 (Salmon et al. 2011): counter in, four random words out.
typedef unsigned int u32;

__device__ __forceinline__ uint4 philox(uint4 c, u32 k0, u32 k1) {
    for (int i = 0; i < 10; i++) {
        u32 h0 = __umulhi(0xD2511F53u, c.x), l0 = 0xD2511F53u * c.x;
        u32 h1 = __umulhi(0xCD9E8D57u, c.z), l1 = 0xCD9E8D57u * c.z;
        uint4 r = {h1 ^ c.y ^ k0, l1, h0 ^ c.w ^ k1, l0};
        c = r;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return c;
}

// bits[4i .. 4i+3] = philox((i, 0, stream, 0), seed); unit = the same as floats in [0, 1)
extern "C" __global__ void philox_fill(uint4 *__restrict__ bits, float4 *__restrict__ unit,
                                       unsigned long long seed, u32 stream, u32 n) {
    u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n) return;
    uint4 c = {i, 0u, stream, 0u};
    c = philox(c, (u32)seed, (u32)(seed >> 32));
    bits[i] = c;
    float4 f = {(float)(c.x >> 8), (float)(c.y >> 8), (float)(c.z >> 8), (float)(c.w >> 8)};
    f.x *= 0x1p-24f;
    f.y *= 0x1p-24f;
    f.z *= 0x1p-24f;
    f.w *= 0x1p-24f;
    unit[i] = f;
}
