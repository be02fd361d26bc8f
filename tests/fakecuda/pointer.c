/* pointer.c - what is known about an address. */
#include "fake.h"

#include <string.h>

/* How many bytes each attribute says; 0: it is none. */
static const uint8_t sizes[] = {[CU_POINTER_ATTRIBUTE_CONTEXT] = 8,
                                [CU_POINTER_ATTRIBUTE_MEMORY_TYPE] = 4,
                                [CU_POINTER_ATTRIBUTE_DEVICE_POINTER] = 8,
                                [CU_POINTER_ATTRIBUTE_HOST_POINTER] = 8,
                                [CU_POINTER_ATTRIBUTE_SYNC_MEMOPS] = 4,
                                [CU_POINTER_ATTRIBUTE_BUFFER_ID] = 8,
                                [CU_POINTER_ATTRIBUTE_IS_MANAGED] = 4,
                                [CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL] = 4,
                                [CU_POINTER_ATTRIBUTE_IS_LEGACY_CUDA_IPC_CAPABLE] = 4,
                                [CU_POINTER_ATTRIBUTE_RANGE_START_ADDR] = 8,
                                [CU_POINTER_ATTRIBUTE_RANGE_SIZE] = 8,
                                [CU_POINTER_ATTRIBUTE_MAPPED] = 4,
                                [CU_POINTER_ATTRIBUTE_ALLOWED_HANDLE_TYPES] = 8,
                                [CU_POINTER_ATTRIBUTE_ACCESS_FLAGS] = 4,
                                [CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE] = 8};

static unsigned size_of(CUpointer_attribute attribute) {
    return (unsigned)attribute < sizeof sizes ? sizes[attribute] : 0;
}

/* What is known of memory of the driver; an error where it does not apply. Others say 0. */
static CUresult of_block(const fk_block *b, CUpointer_attribute attribute, CUdeviceptr ptr,
                         void *data) {
    const bool device = b->place == FK_DEVICE;
    bool applies = size_of(attribute) > 0;
    uint64_t value = 0;
    switch (attribute) {
    case CU_POINTER_ATTRIBUTE_CONTEXT:
        value = (uintptr_t)fk_handle(b->ctx);
        applies = b->ctx != NULL;
        break;
    case CU_POINTER_ATTRIBUTE_MEMORY_TYPE:
        value = b->place == FK_HOST || b->place == FK_REGISTERED ? CU_MEMORYTYPE_HOST
                                                                 : CU_MEMORYTYPE_DEVICE;
        break;
    case CU_POINTER_ATTRIBUTE_DEVICE_POINTER: value = ptr; break;
    case CU_POINTER_ATTRIBUTE_HOST_POINTER:
        value = device ? 0 : ptr;
        applies = !device;
        break;
    case CU_POINTER_ATTRIBUTE_BUFFER_ID: value = b->id; break;
    case CU_POINTER_ATTRIBUTE_IS_MANAGED: value = b->place == FK_MANAGED; break;
    case CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL: value = (uint64_t)b->device; break;
    case CU_POINTER_ATTRIBUTE_RANGE_START_ADDR: value = b->extent.base; break;
    case CU_POINTER_ATTRIBUTE_RANGE_SIZE: value = b->extent.size; break;
    case CU_POINTER_ATTRIBUTE_MAPPED: value = 1; break;
    case CU_POINTER_ATTRIBUTE_ACCESS_FLAGS: value = CU_MEM_ACCESS_FLAGS_PROT_READWRITE; break;
    case CU_POINTER_ATTRIBUTE_MEMPOOL_HANDLE:
        value = (uintptr_t)fk_handle(b->pool);
        applies = b->pool != NULL;
        break;
    default: break;
    }
    memcpy(data, &value, size_of(attribute));
    return applies ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult fk_cuPointerGetAttribute(void *data, CUpointer_attribute attribute, CUdeviceptr ptr) {
    FK_VALID(data && ptr);
    const fk_block *b = fk_block_at(ptr);
    FK_VALID(b);
    return of_block(b, attribute, ptr, data);
}

/* What an attribute says where it does not apply, in a list of questions. */
static void unknown(CUpointer_attribute attribute, void *data) {
    const uint64_t value = attribute == CU_POINTER_ATTRIBUTE_DEVICE_ORDINAL ? (uint64_t)-2 : 0;
    memcpy(data, &value, size_of(attribute));
}

CUresult fk_cuPointerGetAttributes(unsigned n, CUpointer_attribute *attributes, void **data,
                                   CUdeviceptr ptr) {
    FK_VALID(n > 0 && attributes && data && ptr);
    const fk_block *b = fk_block_at(ptr);
    for (unsigned i = 0; i < n; i++) {
        FK_VALID(data[i]);
        if (!b || of_block(b, attributes[i], ptr, data[i]) != CUDA_SUCCESS)
            unknown(attributes[i], data[i]);
    }
    return CUDA_SUCCESS;
}

/* Copies here are always ordered as the attribute would have them be. */
CUresult fk_cuPointerSetAttribute(const void *value, CUpointer_attribute attribute,
                                  CUdeviceptr ptr) {
    FK_VALID(value && attribute == CU_POINTER_ATTRIBUTE_SYNC_MEMOPS && fk_block_at(ptr));
    return CUDA_SUCCESS;
}
