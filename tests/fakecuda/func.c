/* func.c - functions: attributes, occupancy. */
#include "fake.h"

#include <limits.h>

enum {
    WARP = 32,
    MOST_THREADS = 1024,
    REGISTERS = 65536,
    REGISTER_UNIT = 256,
    RESERVED_SHARED = 1024
};

static uint32_t product(const uint32_t v[3]) {
    return v[0] * v[1] * v[2];
}

/* What registers allow, from the assembler's count only; an estimate must not refuse a launch. */
static unsigned threads_by_registers(const fk_function *f) {
    if (!f->from_cubin) return MOST_THREADS;
    const unsigned a_warp =
        (f->registers * WARP + REGISTER_UNIT - 1) / REGISTER_UNIT * REGISTER_UNIT;
    const unsigned threads = REGISTERS / a_warp * WARP;
    return threads < MOST_THREADS ? threads : MOST_THREADS;
}

unsigned fk_function_max_threads(const fk_function *f) {
    const ptx_kernel *k = f->kernel;
    unsigned most = threads_by_registers(f);
    const uint32_t declared = product(k->reqntid[0] ? k->reqntid : k->maxntid);
    return declared && declared < most ? declared : most;
}

static int smaller(int a, uint64_t b) {
    return b < (uint64_t)a ? (int)b : a;
}

/* The calculation of the occupancy tables: threads, registers by warp, shared memory by block. */
int fk_occupancy(const fk_function *f, uint32_t threads, uint64_t dynamic) {
    const fk_profile *p = f->module->ctx->device->profile;
    const uint32_t warps = (threads + WARP - 1) / WARP;
    const unsigned a_warp =
        (f->registers * WARP + REGISTER_UNIT - 1) / REGISTER_UNIT * REGISTER_UNIT;
    const uint64_t unit = p->sm >= 80 ? 128 : 256, reserved = p->sm >= 80 ? RESERVED_SHARED : 0;
    uint64_t shared = f->kernel->shared_static + dynamic;
    if (warps == 0 || threads > fk_function_max_threads(f) || shared > (uint64_t)p->shared_optin)
        return 0;
    shared = (shared + reserved + unit - 1) / unit * unit;
    int blocks = smaller(p->blocks_sm, (uint64_t)p->threads_sm / WARP / warps);
    const unsigned by_part =
        REGISTERS / 4 / a_warp * 4; /* warps: each quarter has its own registers */
    blocks = smaller(blocks, by_part / warps);
    return shared ? smaller(blocks, (uint64_t)p->shared_sm / shared) : blocks;
}

/* Constants belong to the module; which kernel uses which the text does not say. */
static int constant_bytes(const fk_module *m) {
    uint64_t n = 0;
    for (size_t i = 0; i < ptx_global_count(m->ptx); i++) {
        const ptx_global *global = ptx_global_at(m->ptx, i);
        n += global->space == PTX_CONST ? global->size : 0;
    }
    return (int)n;
}

CUresult fk_cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction handle) {
    FK_VALID(value && (unsigned)attribute < CU_FUNC_ATTRIBUTE_MAX);
    FK_FUNCTION_OF(f, handle);
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = (int)fk_function_max_threads(f); break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = (int)f->kernel->shared_static; break;
    case CU_FUNC_ATTRIBUTE_CONST_SIZE_BYTES: *value = constant_bytes(f->module); break;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: *value = (int)f->kernel->local_bytes; break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = (int)f->registers; break;
    case CU_FUNC_ATTRIBUTE_PTX_VERSION: *value = (int)ptx_sm(f->module->ptx); break;
    case CU_FUNC_ATTRIBUTE_BINARY_VERSION: *value = (int)f->module->ctx->device->profile->sm; break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = f->max_dynamic; break;
    case CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT: *value = f->carveout; break;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SIZE_MUST_BE_SET: *value = f->kernel->explicit_cluster; break;
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
        *value = (int)f->cluster[attribute - CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH];
        break;
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED: *value = f->wide_clusters; break;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE: *value = f->policy; break;
    default: *value = 0; break;
    }
    return CUDA_SUCCESS;
}

/* What the text says of clusters can't be set again; sizes are checked at the launch. */
static CUresult set_cluster_attribute(fk_function *f, CUfunction_attribute attribute, int value) {
    enum { POLICIES = 3 };
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_HEIGHT:
    case CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_DEPTH:
        FK_NEED(!f->kernel->reqcluster[0], CUDA_ERROR_NOT_PERMITTED);
        FK_VALID(value >= 0);
        f->cluster[attribute - CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH] = (uint32_t)value;
        return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_NON_PORTABLE_CLUSTER_SIZE_ALLOWED:
        FK_VALID(value == 0 || value == 1);
        f->wide_clusters = value != 0;
        return CUDA_SUCCESS;
    case CU_FUNC_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
        FK_VALID(value >= 0 && value < POLICIES);
        f->policy = value;
        return CUDA_SUCCESS;
    default: return CUDA_ERROR_INVALID_VALUE;
    }
}

CUresult fk_cuFuncSetAttribute(CUfunction handle, CUfunction_attribute attribute, int value) {
    FK_FUNCTION_OF(f, handle);
    const fk_profile *p = f->module->ctx->device->profile;
    if (attribute == CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES) {
        const int room = p->shared_optin - (int)f->kernel->shared_static;
        FK_VALID(value >= 0 && value <= room);
        f->max_dynamic = value;
        return CUDA_SUCCESS;
    }
    if (attribute == CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT) {
        FK_VALID(value >= -1 && value <= 100);
        f->carveout = value;
        return CUDA_SUCCESS;
    }
    return set_cluster_attribute(f, attribute, value);
}

CUresult fk_func_config(CUfunction handle, unsigned config, unsigned most) {
    FK_FUNCTION_OF(f, handle);
    FK_VALID(config <= most);
    return CUDA_SUCCESS;
}

/* Kept for programs that still call it; the launches of those days are absent. */
CUresult fk_cuFuncSetBlockShape(CUfunction handle, int x, int y, int z) {
    FK_FUNCTION_OF(f, handle);
    FK_VALID(x > 0 && y > 0 && z > 0 && (long long)x * y <= MOST_THREADS &&
             (long long)x * y * z <= MOST_THREADS);
    return CUDA_SUCCESS;
}

FK_GETTER(cuFuncGetModule, (CUmodule * out, CUfunction handle), FK_FUNCTION_OF(f, handle),
          fk_handle(f->module))
FK_GETTER(cuFuncGetName, (const char **out, CUfunction handle), FK_FUNCTION_OF(f, handle),
          f->kernel->name)

CUresult fk_cuFuncGetParamInfo(CUfunction handle, size_t index, size_t *offset, size_t *size) {
    FK_VALID(offset);
    FK_FUNCTION_OF(f, handle);
    FK_VALID(index < f->kernel->n_params);
    *offset = f->kernel->params[index].offset;
    if (size) *size = f->kernel->params[index].size;
    return CUDA_SUCCESS;
}

FK_GETTER(cuFuncIsLoaded, (CUfunctionLoadingState * out, CUfunction handle),
          FK_FUNCTION_OF(f, handle), f != NULL)

/* ---- occupancy ------------------------------------------------------------------------------- */

CUresult fk_cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction handle, int threads,
                                                        size_t shared) {
    FK_VALID(blocks && threads > 0 && threads <= MOST_THREADS);
    FK_FUNCTION_OF(f, handle);
    *blocks = fk_occupancy(f, (uint32_t)threads, shared);
    return CUDA_SUCCESS;
}

/* As if any multiprocessors could make a cluster. */
CUresult fk_cuOccupancyMaxActiveClusters(int *clusters, CUfunction handle,
                                         const CUlaunchConfig *config) {
    fk_launch l;
    uint32_t cluster[3];
    FK_VALID(clusters);
    FK_FUNCTION_OF(f, handle);
    FK_TRY(fk_launch_read(config, &l));
    FK_TRY(fk_launch_cluster(&l, f, cluster));
    FK_NEED(cluster[0], CUDA_ERROR_INVALID_CLUSTER_SIZE);
    *clusters = fk_occupancy(f, product(l.block), l.shared) *
                f->module->ctx->device->profile->multiprocessors / (int)product(cluster);
    return CUDA_SUCCESS;
}

CUresult fk_cuOccupancyMaxPotentialClusterSize(int *size, CUfunction handle,
                                               const CUlaunchConfig *config) {
    enum { PORTABLE = 8, MOST = 16 };
    fk_launch l;
    FK_VALID(size);
    FK_FUNCTION_OF(f, handle);
    FK_TRY(fk_launch_read(config, &l));
    const uint32_t bound = f->kernel->maxclusterrank, most = f->wide_clusters ? MOST : PORTABLE;
    const bool none = f->module->ctx->device->profile->sm < 90 ||
                      fk_occupancy(f, product(l.block), l.shared) == 0;
    *size = f->cluster[0] ? (int)product(f->cluster)
            : none        ? 1
                          : (int)(bound && bound < most ? bound : most);
    return CUDA_SUCCESS;
}

CUresult fk_cuOccupancyMaxPotentialBlockSize(int *grid, int *block, CUfunction handle,
                                             CUoccupancyB2DSize shared_of, size_t shared,
                                             int limit) {
    FK_VALID(grid && block && limit >= 0);
    FK_FUNCTION_OF(f, handle);
    int most = (int)fk_function_max_threads(f), best = 0;
    most = limit > 0 && limit < most ? limit : most;
    *block = *grid = 0;
    for (int threads = most; threads > 0; threads = (threads - 1) / WARP * WARP) {
        const int blocks =
            fk_occupancy(f, (uint32_t)threads, shared_of ? shared_of(threads) : shared);
        if (blocks * threads > best) {
            best = blocks * threads;
            *block = threads;
            *grid = blocks * f->module->ctx->device->profile->multiprocessors;
        }
    }
    return CUDA_SUCCESS;
}

CUresult fk_cuOccupancyAvailableDynamicSMemPerBlock(size_t *shared, CUfunction handle, int blocks,
                                                    int threads) {
    FK_VALID(shared && blocks > 0 && threads > 0 && threads <= MOST_THREADS);
    FK_FUNCTION_OF(f, handle);
    const fk_profile *p = f->module->ctx->device->profile;
    const int reserved = p->sm >= 80 ? RESERVED_SHARED : 0;
    FK_VALID(fk_occupancy(f, (uint32_t)threads, 0) >= blocks);
    const int each = p->shared_sm / blocks - reserved - (int)f->kernel->shared_static;
    const int most = f->max_dynamic; /* what a launch may ask for */
    *shared = each < 0 ? 0 : (size_t)(each < most ? each : most);
    return CUDA_SUCCESS;
}
