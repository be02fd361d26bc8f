// pointwise.cu - one pass over memory, 16 bytes a thread, the ragged end element by element.
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;

__device__ __forceinline__ float gelu(float x) {
    float u = 0.7978845608f * (x + 0.044715f * x * x * x);
    return x / (1.0f + __expf(-2.0f * u));
}

// y = mask ? scale * gelu(x) + res : res
extern "C" __global__ void gelu_mask(const float *__restrict__ x, const u8 *__restrict__ mask,
                                     const float *__restrict__ res, float *__restrict__ y,
                                     float scale, u32 n) {
    u32 q = blockIdx.x * blockDim.x + threadIdx.x, full = n / 4;
    if (q < full) {
        float4 a = ((const float4 *)x)[q], r = ((const float4 *)res)[q];
        uchar4 m = ((const uchar4 *)mask)[q];
        r.x = m.x ? scale * gelu(a.x) + r.x : r.x;
        r.y = m.y ? scale * gelu(a.y) + r.y : r.y;
        r.z = m.z ? scale * gelu(a.z) + r.z : r.z;
        r.w = m.w ? scale * gelu(a.w) + r.w : r.w;
        ((float4 *)y)[q] = r;
    } else { // the last n % 4 elements, one a thread
        u32 i = full * 4 + (q - full);
        if (i < n) y[i] = mask[i] ? scale * gelu(x[i]) + res[i] : res[i];
    }
}

__device__ __forceinline__ float from_bf16(u32 bits) {
    return __uint_as_float(bits << 16);
}

__device__ __forceinline__ u32 to_bf16(float x) {
#if __CUDA_ARCH__ >= 800
    u16 r;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(r) : "f"(x));
    return r;
#else
    u32 b = __float_as_uint(x);
    return (b + 0x7fffu + ((b >> 16) & 1u)) >> 16;
#endif
}

__device__ __forceinline__ float swiglu(float g, float v) {
    return v * g / (1.0f + __expf(-g));
}

__device__ __forceinline__ u32 swiglu2(u32 g, u32 v) {
    u32 lo = to_bf16(swiglu(from_bf16(g & 0xffffu), from_bf16(v & 0xffffu)));
    u32 hi = to_bf16(swiglu(from_bf16(g >> 16), from_bf16(v >> 16)));
    return lo | hi << 16;
}

// y = v * silu(g), eight bf16 a thread
extern "C" __global__ void swiglu_bf16(const uint4 *__restrict__ g, const uint4 *__restrict__ v,
                                       uint4 *__restrict__ y, u32 n8) {
    u32 i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n8) return;
    uint4 a = g[i], b = v[i], r;
    r.x = swiglu2(a.x, b.x);
    r.y = swiglu2(a.y, b.y);
    r.z = swiglu2(a.z, b.z);
    r.w = swiglu2(a.w, b.w);
    y[i] = r;
}
