// attention.cu - fused causal attention forward: scores never leave the registers.
//
//     O = softmax(scale * Q K^T, keys after the query masked) V        Q, K, V: f16 [heads, S, 64]
//
// A block has 64 queries of one head, a warp 16 of them; keys and values come in tiles of 64. Rows
// are 128 bytes = 8 chunks of 16, chunk c of row r lies at c ^ (r & 7). K and V are two cp.async
// groups, so that the softmax runs while V is under way.
typedef unsigned char u8;
typedef unsigned int u32;

#define TILE_BYTES 8192

__device__ __forceinline__ u32 place(u32 row, u32 chunk) {
    return row * 128 + ((chunk ^ (row & 7)) << 4);
}

__device__ __forceinline__ void fill(u32 to, const u8 *from, int row0, int rows) {
#pragma unroll 1
    for (int k = 0; k < 4; k++) {
        int i = k * 128 + threadIdx.x, r = i >> 3, c = i & 7;
        asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(to + place(r, c)),
                     "l"(from + (row0 + r) * 128 + c * 16), "r"(row0 + r < rows ? 16 : 0));
    }
    asm volatile("cp.async.commit_group;");
}

__device__ __forceinline__ void ldmatrix4(u32 *r, u32 from) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(from));
}

__device__ __forceinline__ void ldmatrix4_trans(u32 *r, u32 from) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(from));
}

__device__ __forceinline__ void mma(float *c, const u32 *a, const u32 *b) {
    asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, "
                 "{%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
                 : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
                 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

__device__ __forceinline__ u32 pack(float lo, float hi) {
    u32 r;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(r) : "f"(hi), "f"(lo));
    return r;
}

__device__ __forceinline__ float quad_max(float v) {
    v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 1));
    return fmaxf(v, __shfl_xor_sync(0xffffffffu, v, 2));
}

__device__ __forceinline__ float quad_sum(float v) {
    v += __shfl_xor_sync(0xffffffffu, v, 1);
    return v + __shfl_xor_sync(0xffffffffu, v, 2);
}

// lse[head, query] = log of the sum of the exponentials, kept for the gradient
extern "C" __global__ void __launch_bounds__(128)
    attention(const u8 *__restrict__ Q, const u8 *__restrict__ K, const u8 *__restrict__ V,
              float *__restrict__ O, float *__restrict__ lse, int S, float scale) {
    __shared__ __align__(128) u8 q_buf[TILE_BYTES], k_buf[TILE_BYTES], v_buf[TILE_BYTES];
    u32 qs = (u32)__cvta_generic_to_shared(q_buf), ks = (u32)__cvta_generic_to_shared(k_buf);
    u32 vs = (u32)__cvta_generic_to_shared(v_buf);
    int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, q0 = blockIdx.x * 64, head = blockIdx.y;
    int row = q0 + warp * 16 + lane / 4; // this thread's queries are row and row + 8
    float acc[8][4] = {}, m[2] = {-1e30f, -1e30f}, l[2] = {0.0f, 0.0f};
    const u8 *k_head = K + head * S * 128, *v_head = V + head * S * 128;
    u32 qf[4][4];

    fill(qs, Q + head * S * 128, q0, S);
    for (int kv = 0; kv <= q0; kv += 64) {
        fill(ks, k_head, kv, S);
        fill(vs, v_head, kv, S);
        asm volatile("cp.async.wait_group 1;");
        __syncthreads();
        if (kv == 0)
            for (int k = 0; k < 4; k++)
                ldmatrix4(qf[k], qs + place(warp * 16 + (lane & 15), k * 2 + (lane >> 4)));
        float s[8][4] = {};
#pragma unroll
        for (int j = 0; j < 8; j++)
#pragma unroll
            for (int k = 0; k < 4; k += 2) {
                u32 b[4];
                ldmatrix4(b, ks + place(j * 8 + (lane & 7), k * 2 + (lane >> 3)));
                mma(s[j], qf[k], b);
                mma(s[j], qf[k + 1], b + 2);
            }
        float top[2] = {m[0], m[1]}, sum[2] = {0.0f, 0.0f};
#pragma unroll
        for (int j = 0; j < 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                int key = kv + j * 8 + lane % 4 * 2 + (e & 1);
                s[j][e] = key <= row + (e >> 1) * 8 ? s[j][e] * scale : -1e30f;
                top[e >> 1] = fmaxf(top[e >> 1], s[j][e]);
            }
        for (int h = 0; h < 2; h++) {
            top[h] = quad_max(top[h]);
            float shrink = __expf(m[h] - top[h]);
            m[h] = top[h];
            l[h] *= shrink;
            for (int j = 0; j < 8; j++) {
                acc[j][h * 2] *= shrink;
                acc[j][h * 2 + 1] *= shrink;
            }
        }
#pragma unroll
        for (int j = 0; j < 8; j++)
#pragma unroll
            for (int e = 0; e < 4; e++) {
                s[j][e] = __expf(s[j][e] - m[e >> 1]);
                sum[e >> 1] += s[j][e];
            }
        l[0] += quad_sum(sum[0]);
        l[1] += quad_sum(sum[1]);
        asm volatile("cp.async.wait_group 0;");
        __syncthreads();
#pragma unroll
        for (int k = 0; k < 4; k++) {
            u32 p[4] = {pack(s[2 * k][0], s[2 * k][1]), pack(s[2 * k][2], s[2 * k][3]),
                        pack(s[2 * k + 1][0], s[2 * k + 1][1]),
                        pack(s[2 * k + 1][2], s[2 * k + 1][3])};
#pragma unroll
            for (int j = 0; j < 8; j += 2) {
                u32 b[4];
                ldmatrix4_trans(b, vs + place(k * 16 + (lane & 15), j + (lane >> 4)));
                mma(acc[j], p, b);
                mma(acc[j + 1], p, b + 2);
            }
        }
        __syncthreads();
    }
    for (int h = 0; h < 2; h++) {
        int r = row + h * 8;
        if (r >= S) continue;
        for (int j = 0; j < 8; j++) {
            float2 o = {acc[j][h * 2] / l[h], acc[j][h * 2 + 1] / l[h]};
            *(float2 *)(O + (head * S + r) * 64 + j * 8 + lane % 4 * 2) = o;
        }
        if (lane % 4 == 0) lse[head * S + r] = m[h] + logf(l[h]);
    }
}
