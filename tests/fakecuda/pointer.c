/* pointer.c - what is known about an address. */
#include "fake.h"

/* Attributes that say something only about memory of the driver. */
static CUresult of_block(const fk_block *b, CUpointer_attribute attribute, CUdeviceptr ptr,
                         void *data) {
    const bool device = b->place == FK_DEVICE;
    switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
        *(CUcontext *)data = fk_handle(b->ctx ? b->ctx : NULL);
        return b->ctx ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        *(unsigned *)data = b->place == FK_HOST || b->place == FK_REGISTERED ? CU_MEMORYTYPE_HOST
                                                                             : CU_MEMORYTYPE_DEVICE;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: *(CUdeviceptr *)data = ptr; return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        *(void **)data = device ? NULL : (void *)(uintptr_t)ptr;
        return device ? CUDA_ERROR_INVALID_VALUE : CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS: *(unsigned *)data = 0; return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_BUFFER_ID: *(unsigned long long *)data = b->id; return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
        *(unsigned *)data = b->place == FK_MANAGED;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)data = b->device; return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
        *(unsigned *)data = 0;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
        *(CUdeviceptr *)data = b->extent.base;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE: *(size_t *)data = b->extent.size; return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MAPPED: *(unsigned *)data = 1; return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES: *(cuuint64_t *)data = 0; return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS:
        *(unsigned *)data = CU_MEM_ACCESS_FLAGS_PROT_READWRITE;
        return CUDA_SUCCESS;
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
        *(CUmemoryPool *)data = fk_handle(b->pool);
        return b->pool ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
    }
    return CUDA_ERROR_INVALID_VALUE;
}

CUresult fk_cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr ptr) {
    FK_NEED(data && ptr, CUDA_ERROR_INVALID_VALUE);
    const fk_block *b = fk_block_at(ptr);
    FK_NEED(b, CUDA_ERROR_INVALID_VALUE);
    return of_block(b, attribute, ptr, data);
}

/* What an attribute says where it does not apply, in a list of questions. */
static void unknown(CUpointer_attribute attribute, void *data) {
    switch (attribute) {
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: *(int *)data = -2; break;
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
    case CU_POINTER_ATTRIBUTE_SYNC_MEMOPS:
    case CU_POINTER_ATTRIBUTE_IS_MANAGED:
    case CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE:
    case CU_POINTER_ATTRIBUTE_MAPPED:
    case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS: *(unsigned *)data = 0; break;
    case CU_POINTER_ATTRIBUTE_CONTEXT:
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER:
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
    case CU_POINTER_ATTRIBUTE_BUFFER_ID:
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR:
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE:
    case CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES:
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE: *(cuuint64_t *)data = 0; break;
    }
}

CUresult fk_cuPointerGetAttributes(unsigned n, CUpointer_attribute *attributes, void **data,
                                   CUdeviceptr ptr) {
    FK_NEED(n > 0 && attributes && data && ptr, CUDA_ERROR_INVALID_VALUE);
    const fk_block *b = fk_block_at(ptr);
    for (unsigned i = 0; i < n; i++) {
        FK_NEED(data[i], CUDA_ERROR_INVALID_VALUE);
        if (!b || of_block(b, attributes[i], ptr, data[i]) != CUDA_SUCCESS)
            unknown(attributes[i], data[i]);
    }
    return CUDA_SUCCESS;
}

/* Copies here are always ordered as the attribute would have them be. */
CUresult fk_cuPointerSetAttribute(const void *value, CUpointer_attribute attribute,
                                  CUdeviceptr ptr) {
    FK_NEED(value && attribute == CU_POINTER_ATTRIBUTE_SYNC_MEMOPS && fk_block_at(ptr),
            CUDA_ERROR_INVALID_VALUE);
    return CUDA_SUCCESS;
}
