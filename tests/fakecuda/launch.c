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
        FK_NEED((l->grid[i] > 0 || l->node) && l->grid[i] <= most_grid[i],
                CUDA_ERROR_INVALID_VALUE);
        FK_NEED(l->block[i] > 0 && l->block[i] <= most_block[i], CUDA_ERROR_INVALID_VALUE);
        threads *= l->block[i];
    }
    FK_NEED(threads <= 1024, CUDA_ERROR_INVALID_VALUE);
    const ptx_kernel *k = f->kernel;
    if (k->reqntid[0]) {
        FK_NEED(memcmp(k->reqntid, l->block, sizeof k->reqntid) == 0, CUDA_ERROR_INVALID_VALUE);
    } else if (k->maxntid[0]) {
        FK_NEED(threads <= (uint64_t)k->maxntid[0] * k->maxntid[1] * k->maxntid[2],
                CUDA_ERROR_INVALID_VALUE);
    }
    FK_NEED(threads <= fk_function_max_threads(f), CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES);
    return CUDA_SUCCESS;
}

static CUresult check_resources(const fk_launch *l, const fk_function *f) {
    const fk_profile *p = f->module->ctx->device->profile;
    FK_NEED(l->shared <= (unsigned)f->max_dynamic, CUDA_ERROR_INVALID_VALUE);
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

/* The list of names and values that ends with CU_LAUNCH_PARAM_END. */
static CUresult read_extra(void **extra, const ptx_kernel *k, uint8_t *params) {
    const void *buffer = NULL;
    size_t size = 0;
    for (; *extra != CU_LAUNCH_PARAM_END; extra += 2) {
        if (*extra == CU_LAUNCH_PARAM_BUFFER_POINTER) {
            buffer = extra[1];
        } else if (*extra == CU_LAUNCH_PARAM_BUFFER_SIZE) {
            FK_NEED(extra[1], CUDA_ERROR_INVALID_VALUE);
            memcpy(&size, extra[1], sizeof size);
        } else {
            return CUDA_ERROR_INVALID_VALUE;
        }
    }
    FK_NEED(buffer || size == 0, CUDA_ERROR_INVALID_VALUE);
    /* Trailing padding of the last parameter may be left out. */
    const ptx_param *last = k->n_params ? &k->params[k->n_params - 1] : NULL;
    FK_NEED(size >= (last ? last->offset + last->size : 0), CUDA_ERROR_INVALID_VALUE);
    if (size > 0) {
        memcpy(params, buffer, size < k->param_bytes ? size : k->param_bytes);
    }
    return CUDA_SUCCESS;
}

static CUresult read_params(const fk_launch *l, const ptx_kernel *k, uint8_t *params) {
    FK_NEED(!l->params || !l->extra, CUDA_ERROR_INVALID_VALUE);
    if (l->extra) {
        return read_extra(l->extra, k, params);
    }
    FK_NEED(l->params || k->n_params == 0, CUDA_ERROR_INVALID_VALUE);
    for (unsigned i = 0; i < k->n_params; i++) {
        FK_NEED(l->params[i], CUDA_ERROR_INVALID_VALUE);
        memcpy(params + k->params[i].offset, l->params[i], k->params[i].size);
    }
    return CUDA_SUCCESS;
}

CUresult fk_launch_work(fk_context *ctx, const fk_launch *l, fk_work *work) {
    fk_function *f;
    FK_TRY(fk_function_of(l->func, ctx, &f));
    FK_NEED(!l->cooperative || !l->extra, CUDA_ERROR_INVALID_VALUE);
    FK_TRY(check_shape(l, f));
    FK_TRY(check_resources(l, f));
    const ptx_kernel *k = f->kernel;
    uint8_t *params = calloc(1, k->param_bytes + 1);
    FK_NEED(params, CUDA_ERROR_OUT_OF_MEMORY);
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
    work->kernel.shared = l->shared;
    work->kernel.cooperative = l->cooperative;
    work->kernel.params = params;
    work->kernel.bytes = k->param_bytes;
    return CUDA_SUCCESS;
}

static CUresult launch_on(CUstream stream, const fk_launch *l) {
    CUresult status;
    fk_stream *s = fk_stream_of(stream, &status);
    FK_NEED(s, status);
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
    FK_NEED(config->numAttrs == 0 || config->attrs, CUDA_ERROR_INVALID_VALUE);
    for (unsigned i = 0; i < config->numAttrs; i++) {
        const CUlaunchAttribute *a = &config->attrs[i];
        switch ((unsigned)a->id) {
        case CU_LAUNCH_ATTRIBUTE_COOPERATIVE: l->cooperative = a->value.cooperative != 0; break;
        case CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION:
            FK_NEED(a->value.clusterDim.x == 1 && a->value.clusterDim.y == 1 &&
                        a->value.clusterDim.z == 1,
                    CUDA_ERROR_NOT_SUPPORTED);
            break;
        case CU_LAUNCH_ATTRIBUTE_IGNORE:
        case CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION:
        case CU_LAUNCH_ATTRIBUTE_PRIORITY: break;
        default: fk_note("launch attribute %u", (unsigned)a->id); return CUDA_ERROR_NOT_SUPPORTED;
        }
    }
    return CUDA_SUCCESS;
}

CUresult fk_cuLaunchKernelEx(const CUlaunchConfig *c, CUfunction func, void **params,
                             void **extra) {
    FK_NEED(c, CUDA_ERROR_INVALID_VALUE);
    fk_launch l = {.func = func,
                   .grid = {c->gridDimX, c->gridDimY, c->gridDimZ},
                   .block = {c->blockDimX, c->blockDimY, c->blockDimZ},
                   .shared = c->sharedMemBytes,
                   .params = params,
                   .extra = extra};
    FK_TRY(read_attributes(c, &l));
    return launch_on(c->hStream, &l);
}
