/* gpus.c - see gpus.h. What fits follows NVIDIA's rules of occupancy; tests/test_gpus.c asks its own calculator where a toolkit lies. */
#include "src/codegen/gpus.h"

enum {
    WARP = 32,
    THREADS_MOST = 1024, /* of a block */
    REGISTERS = 65536,   /* of a processor, in four parts: a warp's lie in one of them */
    PARTS = 4,
    REGISTERS_UNIT = 256, /* that a warp gets a multiple of */
    REGISTERS_MOST = 255, /* of a thread */
};
#define LAUNCH_NS 1000.0 /* between two launches of a graph of the driver's */
#define KIB       << 10

const gpu_kind gpu_kinds[GPU_KINDS] = {
    {75, "sm_75", 32, 16, 64 KIB, 0, 256, "T4", 40, 1.59e9, 320e9, 64, 2, 16, 512, 0},
    {80, "sm_80", 64, 32, 164 KIB, 1 KIB, 128, "A100 40 GB", 108, 1.41e9, 1555e9, 64, 32, 16, 1024,
     512},
    {86, "sm_86", 48, 16, 100 KIB, 1 KIB, 128, "A10", 72, 1.695e9, 600e9, 128, 2, 16, 512, 256},
    {89, "sm_89", 48, 24, 100 KIB, 1 KIB, 128, "L40S", 142, 2.52e9, 864e9, 128, 2, 16, 512, 256},
    {90, "sm_90", 64, 32, 228 KIB, 1 KIB, 128, "H100 SXM", 132, 1.98e9, 3350e9, 128, 64, 16, 2048,
     1024},
    {100, "sm_100", 64, 32, 228 KIB, 1 KIB, 128, "B200", 148, 1.965e9, 8000e9, 128, 64, 16, 4096,
     2048},
    {120, "sm_120", 48, 24, 100 KIB, 1 KIB, 128, "RTX 5090", 170, 2.41e9, 1792e9, 128, 2, 16, 256,
     128},
};

/* ---- occupancy */

static unsigned round_up(unsigned n, unsigned to) {
    return (n + to - 1) / to * to;
}

static unsigned by_registers(unsigned registers, unsigned warps) {
    const unsigned each = round_up(registers * WARP, REGISTERS_UNIT);
    if (registers > REGISTERS_MOST || each * round_up(warps, PARTS) > REGISTERS) return 0;
    return each ? REGISTERS / PARTS / each * PARTS / warps : UINT32_MAX;
}

static unsigned by_shared(const gpu_kind *g, unsigned shared) {
    if (shared > gpu_shared_most(g)) return 0;
    const unsigned each = round_up(shared + g->reserved, g->unit);
    return each ? g->shared / each : UINT32_MAX;
}

gpu_occupancy gpu_occupy(const gpu_kind *g, unsigned registers, unsigned shared, unsigned threads) {
    const unsigned warps = (threads + WARP - 1) / WARP;
    if (!threads || threads > THREADS_MOST) return (gpu_occupancy){.limit = "warps"};
    const struct {
        unsigned blocks;
        const char *name;
    } limits[] = {{g->warps / warps, "warps"},
                  {by_registers(registers, warps), "registers"},
                  {by_shared(g, shared), "shared"},
                  {g->blocks, "blocks"}};
    gpu_occupancy o = {UINT32_MAX, 0, NULL};
    for (size_t i = 0; i < BZ_LEN(limits); i++) {
        if (limits[i].blocks >= o.blocks) continue;
        o.blocks = limits[i].blocks;
        o.limit = limits[i].name;
    }
    o.share = (double)(o.blocks * warps) / g->warps;
    return o;
}

/* ---- the roofline */

gpu_roof gpu_roofline(const gpu_kind *g, const gpu_work *w) {
    const unsigned busy = w->blocks < g->processors ? w->blocks : g->processors;
    const double clocks = g->hz * (busy ? busy : 1) / 1e9;
    const double lanes = w->matrix == 16 ? g->halves
                         : w->matrix     ? g->tf32
                         : w->f64        ? g->f64
                                         : g->f32;
    gpu_roof r = {.memory = w->bytes / g->bytes_per_s * 1e9,
                  .math = w->flops / (2 * lanes * clocks),
                  .special = w->specials / (g->special * clocks),
                  .launch = LAUNCH_NS};
    const struct {
        double ns;
        const char *name;
    } all[] = {
        {r.launch, "launch"}, {r.memory, "memory"}, {r.math, "math"}, {r.special, "special"}};
    for (size_t i = 0; i < BZ_LEN(all); i++) {
        if (all[i].ns <= r.ns) continue;
        r.ns = all[i].ns;
        r.bound = all[i].name;
    }
    return r;
}
