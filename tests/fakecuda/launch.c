/* launch.c - launches: limits, parameters in their three forms, and the call.
 *
 *      kernelParams[i] -> bytes of parameter i       \
 *      extra: buffer and size                         >- one block, laid out as the kernel says
 *      neither, for a kernel without parameters      /
 */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

static CUresult check_shape(const fk_launch *l, const fk_function *f) {
    static const uint32_t most_grid[3] = {0x7fffffff, 65535, 65535},
                          most_block[3] = {1024, 1024, 64};
    uint64_t threads = 1;
    for (int i = 0; i < 3; i++) {
        FK_VALID((l->grid[i] > 0 || l->node) && l->grid[i] <= most_grid[i]);
        FK_VALID(l->block[i] > 0 && l->block[i] <= most_block[i]);
        threads *= l->block[i];
    }
    FK_VALID(threads <= 1024);
    const ptx_kernel *k = f->kernel;
    if (k->reqntid[0]) {
        FK_VALID(memcmp(k->reqntid, l->block, sizeof k->reqntid) == 0);
    } else if (k->maxntid[0]) {
        FK_VALID(threads <= (uint64_t)k->maxntid[0] * k->maxntid[1] * k->maxntid[2]);
    }
    FK_NEED(threads <= fk_function_max_threads(f), CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
    return CUDA_SUCCESS;
}

static CUresult check_resources(const fk_launch *l, const fk_function *f) {
    const fk_profile *p = f->module->ctx->device->profile;
    FK_VALID(l->shared <= (unsigned)f->max_dynamic);
    FK_NEED((uint64_t)l->shared + f->kernel->shared_static <= (uint64_t)p->shared_optin,
            CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
    if (l->cooperative) {
        const uint64_t blocks = (uint64_t)l->grid[0] * l->grid[1] * l->grid[2];
        const int resident = fk_occupancy(f, l->block[0] * l->block[1] * l->block[2], l->shared);
        FK_NEED(blocks <= (uint64_t)resident * (uint64_t)p->multiprocessors,
                CUDA_ERROR_COOPERATIVE_LAUNCH_TOO_LARGE);
    }
    return CUDA_SUCCESS;
}

static uint64_t blocks_of(const uint32_t v[3]) {
    return (uint64_t)v[0] * v[1] * v[2];
}

CUresult fk_launch_cluster(const fk_launch *l, const fk_function *f, uint32_t cluster[3]) {
    enum { PORTABLE = 8, MOST = 16 };
    const bool given = l->cluster[0] || l->cluster[1] || l->cluster[2];
    memcpy(cluster, given ? l->cluster : f->cluster, sizeof f->cluster);
    FK_NEED(given || f->cluster[0] || !f->kernel->explicit_cluster,
            CUDA_ERROR_INVALID_CLUSTER_SIZE);
    FK_NEED(!given || !f->cluster[0] || memcmp(l->cluster, f->cluster, sizeof f->cluster) == 0,
            CUDA_ERROR_INVALID_CLUSTER_SIZE);
    if (!given && !f->cluster[0]) return CUDA_SUCCESS;
    const uint64_t blocks = blocks_of(cluster), bound = f->kernel->maxclusterrank;
    FK_VALID(blocks > 0);
    FK_NEED(blocks == 1 || f->module->ctx->device->profile->sm >= 90, CUDA_ERROR_NOT_SUPPORTED);
    FK_NEED(blocks <= (f->wide_clusters ? MOST : PORTABLE) && (!bound || blocks <= bound),
            CUDA_ERROR_INVALID_CLUSTER_SIZE);
    return CUDA_SUCCESS;
}

static CUresult check_cluster(const fk_launch *l, const fk_function *f, uint32_t cluster[3]) {
    FK_TRY(fk_launch_cluster(l, f, cluster));
    for (int i = 0; i < 3 && cluster[0]; i++) FK_VALID(l->grid[i] % cluster[i] == 0);
    return CUDA_SUCCESS;
}

/* The list of names and values that ends with CU_LAUNCH_PARAM_END. */
static CUresult read_extra(void **extra, const ptx_kernel *k, uint8_t *params) {
    const void *buffer = NULL;
    size_t size = 0;
    for (; *extra != CU_LAUNCH_PARAM_END; extra += 2) {
        if (*extra == CU_LAUNCH_PARAM_BUFFER_POINTER) {
            buffer = extra[1];
        } else if (*extra == CU_LAUNCH_PARAM_BUFFER_SIZE) {
            FK_VALID(extra[1]);
            memcpy(&size, extra[1], sizeof size);
        } else {
            return CUDA_ERROR_INVALID_VALUE;
        }
    }
    FK_VALID(buffer || size == 0);
    /* Trailing padding of the last parameter may be left out. */
    const ptx_param *last = k->n_params ? &k->params[k->n_params - 1] : NULL;
    FK_VALID(size >= (last ? last->offset + last->size : 0));
    if (size > 0) memcpy(params, buffer, size < k->param_bytes ? size : k->param_bytes);
    return CUDA_SUCCESS;
}

static CUresult read_params(const fk_launch *l, const ptx_kernel *k, uint8_t *params) {
    FK_VALID(!l->params || !l->extra);
    if (l->extra) return read_extra(l->extra, k, params);
    FK_VALID(l->params || k->n_params == 0);
    for (unsigned i = 0; i < k->n_params; i++) {
        FK_VALID(l->params[i]);
        memcpy(params + k->params[i].offset, l->params[i], k->params[i].size);
    }
    return CUDA_SUCCESS;
}

CUresult fk_launch_work(fk_context *ctx, const fk_launch *l, fk_work *work) {
    fk_function *f;
    FK_TRY(fk_function_of(l->func, ctx, &f));
    FK_VALID(!l->cooperative || !l->extra);
    FK_TRY(check_shape(l, f));
    FK_TRY(check_resources(l, f));
    uint32_t cluster[3];
    FK_TRY(check_cluster(l, f, cluster));
    const ptx_kernel *k = f->kernel;
    uint8_t *params = ptx_zeroed(k->param_bytes);
    const CUresult status = read_params(l, k, params);
    if (status != CUDA_SUCCESS) {
        free(params);
        return status;
    }
    *work = (fk_work){.kind = WORK_KERNEL, .ctx = f->module->ctx};
    work->kernel.function = f;
    work->kernel.handle = fk_handle(f);
    memcpy(work->kernel.grid, l->grid, sizeof work->kernel.grid);
    memcpy(work->kernel.block, l->block, sizeof work->kernel.block);
    memcpy(work->kernel.cluster, cluster, sizeof cluster);
    work->kernel.shared = l->shared;
    work->kernel.cooperative = l->cooperative;
    work->kernel.params = params;
    work->kernel.bytes = k->param_bytes;
    return CUDA_SUCCESS;
}

static CUresult launch_on(CUstream stream, const fk_launch *l) {
    FK_STREAM_OF(s, stream);
    FK_NEED(l->func, CUDA_ERROR_INVALID_HANDLE);
    fk_work work;
    FK_TRY(fk_launch_work(s->ctx, l, &work));
    if (work.ctx != s->ctx) {
        fk_work_free(&work);
        return CUDA_ERROR_INVALID_HANDLE;
    }
    fk_note("%s, grid %u,%u,%u, block %u,%u,%u, shared %u, stream %llu",
            work.kernel.function->kernel->name, l->grid[0], l->grid[1], l->grid[2], l->block[0],
            l->block[1], l->block[2], l->shared, (unsigned long long)s->id);
    return fk_submit(s, &work);
}

CUresult fk_cuLaunchKernel(CUfunction func, unsigned gx, unsigned gy, unsigned gz, unsigned bx,
                           unsigned by, unsigned bz, unsigned shared, CUstream stream,
                           void **params, void **extra) {
    return launch_on(stream, &(fk_launch){.func = func,
                                          .grid = {gx, gy, gz},
                                          .block = {bx, by, bz},
                                          .shared = shared,
                                          .params = params,
                                          .extra = extra});
}

CUresult fk_cuLaunchCooperativeKernel(CUfunction func, unsigned gx, unsigned gy, unsigned gz,
                                      unsigned bx, unsigned by, unsigned bz, unsigned shared,
                                      CUstream stream, void **params) {
    return launch_on(stream, &(fk_launch){.func = func,
                                          .grid = {gx, gy, gz},
                                          .block = {bx, by, bz},
                                          .shared = shared,
                                          .params = params,
                                          .cooperative = true});
}

/* Attributes that only advise are accepted; those that change what a kernel sees must be emulated.
 */
static CUresult read_attributes(const CUlaunchConfig *config, fk_launch *l) {
    FK_VALID(config->numAttrs == 0 || config->attrs);
    for (unsigned i = 0; i < config->numAttrs; i++) {
        const CUlaunchAttribute *a = &config->attrs[i];
        switch ((unsigned)a->id) {
        case CU_LAUNCH_ATTRIBUTE_COOPERATIVE: l->cooperative = a->value.cooperative != 0; break;
        case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
            l->cluster[0] = a->value.clusterDim.x;
            l->cluster[1] = a->value.clusterDim.y;
            l->cluster[2] = a->value.clusterDim.z;
            FK_VALID(l->cluster[0] && l->cluster[1] && l->cluster[2]);
            break;
        case CU_LAUNCH_ATTRIBUTE_CLUSTER_SCHEDULING_POLICY_PREFERENCE:
        case CU_LAUNCH_ATTRIBUTE_IGNORE:
        case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
        case CU_LAUNCH_ATTRIBUTE_PRIORITY: break;
        default: fk_note("launch attribute %u", (unsigned)a->id); return CUDA_ERROR_NOT_SUPPORTED;
        }
    }
    return CUDA_SUCCESS;
}

CUresult fk_launch_read(const CUlaunchConfig *c, fk_launch *l) {
    FK_VALID(c);
    *l = (fk_launch){.grid = {c->gridDimX, c->gridDimY, c->gridDimZ},
                     .block = {c->blockDimX, c->blockDimY, c->blockDimZ},
                     .shared = c->sharedMemBytes};
    return read_attributes(c, l);
}

CUresult fk_cuLaunchKernelEx(const CUlaunchConfig *c, CUfunction func, void **params,
                             void **extra) {
    fk_launch l;
    FK_TRY(fk_launch_read(c, &l));
    l.func = func;
    l.params = params;
    l.extra = extra;
    return launch_on(c->hStream, &l);
}
