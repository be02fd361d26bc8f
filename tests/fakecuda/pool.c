/* pool.c - stream-ordered memory: pools, and allocation and release as commands of a stream.
 *
 * An address is chosen when the allocation is asked for; the bytes may be used from the moment the
 * stream comes to it until the stream comes to the release. Uses outside are faults and races. */
#include "fake.h"

#include <stdlib.h>

enum { GRANULARITY = 2 << 20 };

fk_pool *fk_pool_new(fk_device *device, uint64_t max_size, bool is_default) {
    fk_pool *pool = fk_new(FK_POOL, sizeof *pool);
    pool->device = device;
    pool->max_size = max_size;
    pool->is_default = is_default;
    pool->reuse[0] = pool->reuse[1] = pool->reuse[2] = 1;
    return pool;
}

void fk_pool_took(fk_pool *pool, uint64_t bytes) {
    pool->used += bytes;
    pool->used_high = pool->used > pool->used_high ? pool->used : pool->used_high;
    if (pool->used > pool->reserved)
        pool->reserved = (pool->used + GRANULARITY - 1) / GRANULARITY * GRANULARITY;
    if (pool->reserved > pool->reserved_high) pool->reserved_high = pool->reserved;
}

void fk_pool_gave(fk_pool *pool, uint64_t bytes) {
    pool->used -= bytes;
}

CUresult fk_cuMemAllocFromPoolAsync(CUdeviceptr *ptr, size_t bytes, CUmemoryPool handle,
                                    CUstream stream) {
    FK_VALID(ptr && bytes > 0);
    FK_OBJECT(fk_pool, pool, FK_POOL, handle, CUDA_ERROR_INVALID_VALUE);
    FK_STREAM_OF(s, stream);
    FK_NEED(!pool->max_size || bytes <= pool->max_size - pool->used, CUDA_ERROR_OUT_OF_MEMORY);
    fk_block *b = fk_block_new(pool->device->ordinal, bytes, "cuMemAllocAsync");
    FK_NEED(b, CUDA_ERROR_OUT_OF_MEMORY);
    b->maker = s->ctx->id;
    fk_block_hide(b, true);
    if (s->capture) { /* a node of a graph, whose memory comes and goes with each launch */
        b->recurring = b->global = true;
    } else {
        b->pool = pool;
        fk_pool_took(pool, b->rounded);
    }
    fk_note("%zu: %s", bytes, b->owner);
    *ptr = b->extent.base;
    const CUresult status = fk_submit(
        s, &(fk_work){.kind = WORK_ALLOC, .ctx = s->ctx, .memory = {b->extent.base, b->id}});
    if (status != CUDA_SUCCESS) fk_block_free(b);
    return status;
}

CUresult fk_cuMemAllocAsync(CUdeviceptr *ptr, size_t bytes, CUstream stream) {
    FK_STREAM_OF(s, stream);
    return fk_cuMemAllocFromPoolAsync(ptr, bytes, fk_handle(s->ctx->device->pool), stream);
}

CUresult fk_cuMemFreeAsync(CUdeviceptr ptr, CUstream stream) {
    FK_STREAM_OF(s, stream);
    fk_block *b = fk_block_near(ptr);
    if (b && b->extent.base == ptr && (b->dead || b->doomed)) {
        fk_report("cuMemFreeAsync: %s was freed before", b->owner);
        return CUDA_ERROR_INVALID_VALUE;
    }
    FK_VALID(b && !b->dead && b->extent.base == ptr && b->place == FK_DEVICE &&
             (!b->global || b->recurring));
    fk_note("%s", b->owner);
    if (!s->capture && !b->recurring) b->doomed = true;
    return fk_submit(
        s, &(fk_work){.kind = WORK_FREE, .ctx = s->ctx, .memory = {b->extent.base, b->id}});
}

FK_GETTER(cuDeviceGetDefaultMemPool, (CUmemoryPool * out, CUdevice dev), FK_DEVICE_OF(d, dev),
          fk_handle(d->default_pool))
FK_GETTER(cuDeviceGetMemPool, (CUmemoryPool * out, CUdevice dev), FK_DEVICE_OF(d, dev),
          fk_handle(d->pool))

CUresult fk_cuDeviceSetMemPool(CUdevice dev, CUmemoryPool handle) {
    FK_NEED(fk_device_of(dev), CUDA_ERROR_INVALID_DEVICE);
    fk_pool *pool = fk_get(handle, FK_POOL);
    FK_VALID(pool && pool->device == fk_device_of(dev));
    pool->device->pool = pool;
    return CUDA_SUCCESS;
}

/* The same by place: a device's pinned memory is all that has pools here. */
static CUresult at_place(const CUmemLocation *place, CUmemAllocationType type) {
    FK_VALID(place);
    FK_NEED(place->type == CU_MEM_LOCATION_TYPE_DEVICE && type == CU_MEM_ALLOCATION_TYPE_PINNED,
            CUDA_ERROR_NOT_SUPPORTED);
    return CUDA_SUCCESS;
}

CUresult fk_cuMemGetDefaultMemPool(CUmemoryPool *out, CUmemLocation *place,
                                   CUmemAllocationType type) {
    FK_TRY(at_place(place, type));
    return fk_cuDeviceGetDefaultMemPool(out, place->id);
}

CUresult fk_cuMemGetMemPool(CUmemoryPool *out, CUmemLocation *place, CUmemAllocationType type) {
    FK_TRY(at_place(place, type));
    return fk_cuDeviceGetMemPool(out, place->id);
}

CUresult fk_cuMemSetMemPool(CUmemLocation *place, CUmemAllocationType type, CUmemoryPool pool) {
    FK_TRY(at_place(place, type));
    return fk_cuDeviceSetMemPool(place->id, pool);
}

CUresult fk_cuMemPoolCreate(CUmemoryPool *out, const CUmemPoolProps *props) {
    FK_VALID(out && props && props->allocType == CU_MEM_ALLOCATION_TYPE_PINNED);
    FK_NEED(props->location.type == CU_MEM_LOCATION_TYPE_DEVICE, CUDA_ERROR_NOT_SUPPORTED);
    FK_NEED(props->handleTypes == 0, CUDA_ERROR_NOT_SUPPORTED);
    fk_device *device = fk_device_of(props->location.id);
    FK_VALID(device);
    *out = fk_handle(fk_pool_new(device, props->maxSize, false));
    return CUDA_SUCCESS;
}

/* Blocks that live on keep their memory; they belong to the device's default pool from then on. */
CUresult fk_cuMemPoolDestroy(CUmemoryPool handle) {
    fk_pool *pool = fk_get(handle, FK_POOL);
    FK_VALID(pool && !pool->is_default);
    fk_pool *heir = pool->device->default_pool;
    size_t cursor = 0;
    for (fk_block *b; (b = fk_block_next(&cursor));)
        if (b->pool == pool) b->pool = heir;
    fk_pool_took(heir, pool->used);
    if (pool->device->pool == pool) pool->device->pool = heir;
    fk_list_free(&pool->peers);
    fk_delete(pool);
    return CUDA_SUCCESS;
}

CUresult fk_cuMemPoolTrimTo(CUmemoryPool handle, size_t keep) {
    FK_OBJECT(fk_pool, pool, FK_POOL, handle, CUDA_ERROR_INVALID_VALUE);
    const uint64_t least = (pool->used + GRANULARITY - 1) / GRANULARITY * GRANULARITY;
    if (pool->reserved > keep) pool->reserved = least > keep ? least : keep;
    return CUDA_SUCCESS;
}

static int *switch_of(fk_pool *pool, CUmemPool_attribute attribute) {
    const int k = (int)attribute - CU_MEMPOOL_ATTR_REUSE_FOLLOW_EVENT_DEPENDENCIES;
    return k >= 0 && k < 3 ? &pool->reuse[k] : NULL;
}

static uint64_t *amount_of(fk_pool *pool, CUmemPool_attribute attribute) {
    switch (attribute) {
    case CU_MEMPOOL_ATTR_RELEASE_THRESHOLD: return &pool->threshold;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT: return &pool->reserved;
    case CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH: return &pool->reserved_high;
    case CU_MEMPOOL_ATTR_USED_MEM_CURRENT: return &pool->used;
    case CU_MEMPOOL_ATTR_USED_MEM_HIGH: return &pool->used_high;
    default: return NULL;
    }
}

CUresult fk_cuMemPoolGetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void *value) {
    FK_OBJECT(fk_pool, pool, FK_POOL, handle, CUDA_ERROR_INVALID_VALUE);
    const int *flag = switch_of(pool, attribute);
    const uint64_t *amount = amount_of(pool, attribute);
    FK_VALID(value && (flag || amount));
    if (flag)
        *(int *)value = *flag;
    else
        *(cuuint64_t *)value = *amount;
    return CUDA_SUCCESS;
}

/* The high marks can only be reset to zero; the current amounts not be set at all. */
CUresult fk_cuMemPoolSetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void *value) {
    FK_OBJECT(fk_pool, pool, FK_POOL, handle, CUDA_ERROR_INVALID_VALUE);
    FK_VALID(value);
    const bool reserved = attribute == CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH;
    int *flag = switch_of(pool, attribute);
    if (flag) {
        *flag = *(int *)value;
    } else if (attribute == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD) {
        pool->threshold = *(cuuint64_t *)value;
    } else {
        FK_VALID(reserved || attribute == CU_MEMPOOL_ATTR_USED_MEM_HIGH);
        FK_VALID(*(cuuint64_t *)value == 0);
        *amount_of(pool, attribute) = reserved ? pool->reserved : pool->used;
    }
    return CUDA_SUCCESS;
}

CUresult fk_cuMemPoolSetAccess(CUmemoryPool handle, const CUmemAccessDesc *map, size_t n) {
    fk_pool *pool = fk_get(handle, FK_POOL);
    FK_VALID(pool && (map || n == 0));
    for (size_t i = 0; i < n; i++) {
        fk_device *peer = map[i].location.type == CU_MEM_LOCATION_TYPE_DEVICE
                              ? fk_device_of(map[i].location.id)
                              : NULL;
        FK_NEED(peer, CUDA_ERROR_INVALID_DEVICE);
        const bool open = map[i].flags == CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        FK_VALID(open || peer != pool->device);
        fk_remove(&pool->peers, peer);
        if (open && peer != pool->device) fk_push(&pool->peers, peer);
    }
    return CUDA_SUCCESS;
}

CUresult fk_cuMemPoolGetAccess(CUmemAccess_flags *flags, CUmemoryPool handle,
                               CUmemLocation *location) {
    const fk_pool *pool = fk_get(handle, FK_POOL);
    FK_VALID(pool && flags && location && location->type == CU_MEM_LOCATION_TYPE_DEVICE);
    FK_DEVICE_OF(peer, location->id);
    *flags = peer == pool->device || fk_has(&pool->peers, peer) ? CU_MEM_ACCESS_FLAGS_PROT_READWRITE
                                                                : CU_MEM_ACCESS_FLAGS_PROT_NONE;
    return CUDA_SUCCESS;
}

/* ---- what graphs have allocated: asked for as if it were a pool ------------------------------ */

static const CUmemPool_attribute graph_attributes[] = {
    [CU_GRAPH_MEM_ATTR_USED_MEM_CURRENT] = CU_MEMPOOL_ATTR_USED_MEM_CURRENT,
    [CU_GRAPH_MEM_ATTR_USED_MEM_HIGH] = CU_MEMPOOL_ATTR_USED_MEM_HIGH,
    [CU_GRAPH_MEM_ATTR_RESERVED_MEM_CURRENT] = CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT,
    [CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH] = CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH};

CUresult fk_cuDeviceGetGraphMemAttribute(CUdevice dev, CUgraphMem_attribute attribute,
                                         void *value) {
    FK_DEVICE_OF(d, dev);
    FK_VALID(attribute <= CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH);
    return fk_cuMemPoolGetAttribute(fk_handle(d->graphs), graph_attributes[attribute], value);
}

CUresult fk_cuDeviceSetGraphMemAttribute(CUdevice dev, CUgraphMem_attribute attribute,
                                         void *value) {
    FK_DEVICE_OF(d, dev);
    FK_VALID(attribute <= CU_GRAPH_MEM_ATTR_RESERVED_MEM_HIGH);
    return fk_cuMemPoolSetAttribute(fk_handle(d->graphs), graph_attributes[attribute], value);
}

CUresult fk_cuDeviceGraphMemTrim(CUdevice dev) {
    FK_DEVICE_OF(d, dev);
    return fk_cuMemPoolTrimTo(fk_handle(d->graphs), 0);
}
