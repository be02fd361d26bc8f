/* test_cubin.c - what is read of machine code: kernels of one instruction or two for each machine, and damaged files. */
#include "src/codegen/cubin.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static const unsigned machines[] = {75, 80, 86, 89, 90, 100, 120};

/* A statement after which n is at least so many of a class; x: float4, d: double, i: int, s: shared floats. */
static const struct {
    const char *statement;
    cubin_class of;
    unsigned least, most, from; /* from: a compute capability */
} statements[] = {
    {"x.x = fmaf(x.x, x.y, x.z); x.x = fmaf(x.x, x.y, x.w);", CUBIN_FMA, 2, 2, 0},
    {"x.x = fmaxf(x.x * x.y + x.z, x.w);", CUBIN_FLOAT, 3, 4, 0},
    {"x.x = (float)(d * d + x.y);", CUBIN_DOUBLE, 2, 2, 0},
    {"asm(\"ex2.approx.ftz.f32 %0, %0;\" : \"+f\"(x.x)); asm(\"sin.approx.f32 %0, %0;\" : "
     "\"+f\"(x.y));",
     CUBIN_SPECIAL, 2, 2, 0},
    {"x.x = (float)(i * 3); i = (int)x.y; x.z = (float)(long long)d;", CUBIN_CONVERT, 4, 5, 0},
    {"s[i & 31] = x.x; __syncthreads(); x.x = s[i >> 27 & 31];", CUBIN_SHARED, 2, 2, 0},
    {"s[i & 31] = x.x; __syncthreads(); x.x = s[i >> 27 & 31];", CUBIN_EXCHANGE, 1, 1, 0},
    {"x.x += __shfl_xor_sync(~0u, x.y, 1); x.x += __shfl_sync(~0u, x.z, i);", CUBIN_EXCHANGE, 2, 2,
     0},
    {"i = __any_sync(~0u, x.x > 0) + __match_any_sync(~0u, i);", CUBIN_EXCHANGE, 2, 3, 0},
    {"i = atomicAdd((int *)p + 64, i); atomicMax((int *)p + 65, i);", CUBIN_ATOMIC, 2, 3, 0},
    {"i = atomicCAS((int *)p + 64, i, 3);", CUBIN_ATOMIC, 1, 1, 0},
    {"atomicAdd((int *)s, i); __syncthreads(); i = (int)s[1];", CUBIN_ATOMIC, 1, 1, 0},
    {"asm(\"fma.rn.f16x2 %0, %0, %0, %0;\" : \"+r\"(i)); asm(\"add.f16x2 %0, %0, %1;\" : \"+r\"(i) "
     ": \"r\"(j));",
     CUBIN_HALF, 2, 2, 0},
    {"asm(\"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%4,%4,%4}, "
     "{%4,%4}, {%0,%1,%2,%3};\" : \"+f\"(x.x), \"+f\"(x.y), \"+f\"(x.z), \"+f\"(x.w) : \"r\"(i));",
     CUBIN_MATRIX, 1, 1, 80},
    {"asm(\"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {%0,%1,%2,%3}, {%4,%4}, "
     "{%4}, {%0,%1,%2,%3};\" : \"+f\"(x.x), \"+f\"(x.y), \"+f\"(x.z), \"+f\"(x.w) : \"r\"(i));",
     CUBIN_MATRIX, 1, 1, 75},
    {"asm volatile(\"cp.async.ca.shared.global [%0], [%1], 16; cp.async.wait_all;\" :: "
     "\"r\"((unsigned)__cvta_generic_to_shared(s)), \"l\"(p) : \"memory\"); x.x = s[i & 31];",
     CUBIN_ASYNC, 2, 3, 80},
    {"float a[64]; for (int k = 0; k < 64; k++) a[k * i & 63] = x.x + k; x.x = a[j & 63] + a[i & "
     "63];",
     CUBIN_LOCAL, 2, 99, 0},
    {"i = __popc(i) + __clz(j) + __brev(i); j = __byte_perm(i, j, 0x3214); x.x = i > 7 ? x.y : "
     "x.z;",
     CUBIN_INTEGER, 3, 20, 0},
    {"if (i < 77) for (int k = 0; k < i; k++) x.x = x.x * x.y + 1.5f;", CUBIN_CONTROL, 3, 20, 0},
    {"x.x = p[i].x / p[j].y; x.y = sqrtf(x.z); x.z = rintf(x.w);", CUBIN_SPECIAL, 2, 9, 0},
    {"d = sqrt(d) / x.x; x.x = (float)d;", CUBIN_DOUBLE, 9, 999, 0},
    {"long long k = (long long)i * j / 7; x.x = (float)k; i = (int)(k % 1000);", CUBIN_INTEGER, 4,
     99, 0},
    {"x.x *= fmaf(f, f + 1, f * 3) + (f > 2 ? f : rintf(f)); i = (int)(f + 1);", CUBIN_FMA, 1, 2,
     0},
    {"x.x = p[(long long)d + j].x; i = max(min(i + 16, j), 0) + max(max(i, j), (int)x.y);",
     CUBIN_INTEGER, 4, 30, 0},
    {"x.x = fmaxf(fmaxf(x.x, x.y), x.z) + erff(x.w);", CUBIN_FLOAT, 3, 999, 0},
    {"asm(\"fma.rn.bf16x2 %0, %0, %1, %0;\" : \"+r\"(i) : \"r\"(j));", CUBIN_HALF, 1, 2, 80},
    {"unsigned long long a = (unsigned long long)p, b = a + j; asm(\"fma.rn.f32x2 %0, %0, %1, %0; "
     "mul.rn.f32x2 %0, %0, %1; add.rn.f32x2 %0, %0, %1;\" : \"+l\"(a) : \"l\"(b)); i = (int)(a ^ a "
     ">> 32);",
     CUBIN_FMA, 1, 4, 100},
    {"__threadfence(); x.x += __reduce_add_sync(~0u, i);", CUBIN_EXCHANGE, 2, 2, 80},
};

static void add_kernel(bz_text *t, size_t n) {
    bz_textf(t,
             "extern \"C\" __global__ void k_%zu(float4 *p, double d, float f, int i, int j) {\n"
             "    __shared__ float s[32];\n    float4 x = p[threadIdx.x];\n    %s\n"
             "    x.x += i + j;\n    p[threadIdx.x] = x;\n}\n",
             n, statements[n].statement);
}

static bool compiled(unsigned machine, nvrtc_image *i) {
    bz_error e = {0};
    bz_text t = {0};
    if (nvrtc_open(&e)) return fprintf(stderr, "skipped: no NVRTC\n"), false;
    for (size_t n = 0; n < BZ_LEN(statements); n++)
        if (machine >= statements[n].from) add_kernel(&t, n);
    const bz_status s = nvrtc_compile(bz_text_c(&t), machine, true, i, &e);
    bz_text_free(&t);
    if (s) fprintf(stderr, "skipped: sm_%u: %s\n", machine, e.text);
    return !s;
}

static void check_kernel(const nvrtc_image *i, unsigned machine, size_t n) {
    char name[16];
    cubin_kernel k;
    unsigned sum = 0;
    snprintf(name, sizeof name, "k_%zu", n);
    cr_assert(cubin_read(i, machine, name, &k), "%s", name);
    const unsigned is = k.mix[statements[n].of];
    cr_expect(is >= statements[n].least && is <= statements[n].most, "sm_%u: %u %s in %s", machine,
              is, cubin_classes[statements[n].of], statements[n].statement);
    for (unsigned c = 0; c < CUBIN_NCLASSES; c++) sum += k.mix[c];
    cr_expect_eq(sum, k.all);
    cr_expect_eq(k.mix[CUBIN_OTHER], 0, "sm_%u: %u unknown in %s", machine, k.mix[CUBIN_OTHER],
                 statements[n].statement);
    cr_expect_eq(k.frame > 0, statements[n].of == CUBIN_LOCAL, "sm_%u: %s", machine,
                 statements[n].statement);
    cr_expect_eq(k.shared > 0,
                 strstr(statements[n].statement, "s[") || strstr(statements[n].statement, "(s)"));
    cr_expect_eq(k.barriers, strstr(statements[n].statement, "__syncthreads") ? 1u : 0u);
    cr_expect(k.registers >= 8 && !k.spilled);
}

Test(cubin, classes_of_instructions) {
    for (size_t m = 0; m < BZ_LEN(machines); m++) {
        nvrtc_image i;
        if (!compiled(machines[m], &i)) continue;
        for (size_t n = 0; n < BZ_LEN(statements); n++)
            if (machines[m] >= statements[n].from) check_kernel(&i, machines[m], n);
        nvrtc_image_free(&i);
    }
}

Test(cubin, loops_and_widths) {
    const char *text = "extern \"C\" __global__ void k_0(float4 *p, float2 *q, float *r, int n) {\n"
                       "    float a = r[threadIdx.x];\n    float2 b = q[threadIdx.x];\n"
                       "    #pragma unroll 1\n"
                       "    for (int i = 0; i < n; i++) {\n"
                       "        #pragma unroll\n"
                       "        for (int j = 0; j < 40; j++) a = fmaf(a, b.x, b.y);\n    }\n"
                       "    p[threadIdx.x] = make_float4(a, b.x, b.y, a);\n}\n";
    bz_error e = {0};
    for (size_t m = 0; m < BZ_LEN(machines) && !nvrtc_open(&e); m++) {
        nvrtc_image i;
        cubin_kernel k;
        if (nvrtc_compile(text, machines[m], true, &i, &e)) continue;
        cr_assert(cubin_read(&i, machines[m], "k_0", &k));
        cr_expect(k.global[CUBIN_32] == 1 && k.global[CUBIN_64] == 1 && k.global[CUBIN_128] == 1);
        cr_expect(k.loop_fma == 40 && k.loop >= 42 && k.loop <= 60, "sm_%u: %u of %u", machines[m],
                  k.loop_fma, k.loop);
        nvrtc_image_free(&i);
    }
}

/* Cut anywhere, and with any byte of its headers another, a file is refused or read within its bounds. */
Test(cubin, damaged_files) {
    nvrtc_image i;
    cubin_kernel k;
    if (!compiled(80, &i)) return;
    cr_expect(!cubin_read(&i, 80, "k_none", &k) && !cubin_read(&i, 80, "", &k));
    const nvrtc_image whole = i;
    for (size_t n = 0; n < whole.cubin_bytes; n += n < 128 ? 1 : 97) {
        i.cubin = bz_mem_alloc(n + 1); /* a sanitizer sees where it ends */
        i.cubin_bytes = n;
        memcpy(i.cubin, whole.cubin, n);
        cubin_read(&i, 80, "k_3", &k);
        bz_mem_free(i.cubin);
    }
    i = whole;
    uint64_t headers;
    memcpy(&headers, (char *)i.cubin + 40, sizeof headers);
    for (size_t n = 0; n < i.cubin_bytes; n += n == 63 ? headers - 63 : 1)
        for (unsigned bit = 0; bit < 8; bit += 7) {
            ((unsigned char *)i.cubin)[n] ^= (unsigned char)(1u << bit);
            cubin_read(&i, 80, "k_3", &k);
            ((unsigned char *)i.cubin)[n] ^= (unsigned char)(1u << bit);
        }
    cr_expect(cubin_read(&i, 80, "k_3", &k));
    i.log[0] = 0;
    cr_expect(!cubin_read(&i, 80, "k_3", &k));
    nvrtc_image_free(&i);
}
