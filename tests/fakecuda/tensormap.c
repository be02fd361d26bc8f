/* tensormap.c - maps of tensors for cp.async.bulk.tensor: checked, and written in the interpreter's form.
 *
 * What is allowed and not emulated is CUDA_ERROR_NOT_SUPPORTED: interleaved layouts, packed types of 4
 * and 6 bits, flushing types, steps over elements, NaN outside, a swizzle wider than the box, im2col. */
#include "fake.h"

#include <string.h>

static const uint8_t element_bytes[] = {
    [CU_TENSOR_MAP_DATA_TYPE_UINT8] = 1,   [CU_TENSOR_MAP_DATA_TYPE_UINT16] = 2,
    [CU_TENSOR_MAP_DATA_TYPE_UINT32] = 4,  [CU_TENSOR_MAP_DATA_TYPE_INT32] = 4,
    [CU_TENSOR_MAP_DATA_TYPE_UINT64] = 8,  [CU_TENSOR_MAP_DATA_TYPE_INT64] = 8,
    [CU_TENSOR_MAP_DATA_TYPE_FLOAT16] = 2, [CU_TENSOR_MAP_DATA_TYPE_FLOAT32] = 4,
    [CU_TENSOR_MAP_DATA_TYPE_FLOAT64] = 8, [CU_TENSOR_MAP_DATA_TYPE_BFLOAT16] = 2};

enum { TYPES = 16, SWIZZLES = 7, BOX_MAX = 256, STEP_MAX = 8, ROW = 16 };

static CUresult check_shape(const ptx_tensor_map *m, const cuuint64_t *dims,
                            const cuuint64_t *strides, const cuuint32_t *box,
                            const cuuint32_t *steps) {
    for (unsigned d = 0; d < m->rank; d++) {
        FK_NEED(dims[d] > 0 && dims[d] <= (cuuint64_t)1 << 32, CUDA_ERROR_INVALID_VALUE);
        FK_NEED(box[d] > 0 && box[d] <= BOX_MAX, CUDA_ERROR_INVALID_VALUE);
        FK_NEED(steps[d] > 0 && steps[d] <= STEP_MAX, CUDA_ERROR_INVALID_VALUE);
        FK_NEED(d == 0 || (strides[d - 1] % ROW == 0 && strides[d - 1] < (cuuint64_t)1 << 40),
                CUDA_ERROR_INVALID_VALUE);
        FK_NEED(d == 0 || steps[d] == 1, CUDA_ERROR_NOT_SUPPORTED);
    }
    FK_NEED(box[0] * m->element % ROW == 0, CUDA_ERROR_INVALID_VALUE);
    FK_NEED(!m->swizzle || box[0] * m->element <= m->swizzle, CUDA_ERROR_INVALID_VALUE);
    FK_NEED(!m->swizzle || box[0] * m->element == m->swizzle, CUDA_ERROR_NOT_SUPPORTED);
    return CUDA_SUCCESS;
}

CUresult fk_cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank,
                                   void *address, const cuuint64_t *dims, const cuuint64_t *strides,
                                   const cuuint32_t *box, const cuuint32_t *steps,
                                   CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                   CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill) {
    FK_NEED(map && (uintptr_t)map % 64 == 0, CUDA_ERROR_INVALID_VALUE);
    FK_NEED(rank > 0 && rank <= PTX_TENSOR_RANK, CUDA_ERROR_INVALID_VALUE);
    FK_NEED(dims && (strides || rank == 1) && box && steps, CUDA_ERROR_INVALID_VALUE);
    FK_NEED((uintptr_t)address % ROW == 0, CUDA_ERROR_INVALID_VALUE);
    FK_NEED((unsigned)type < TYPES && (unsigned)swizzle < SWIZZLES && (unsigned)promotion < 4,
            CUDA_ERROR_INVALID_VALUE);
    FK_NEED((unsigned)type < sizeof element_bytes && swizzle <= CU_TENSOR_MAP_SWIZZLE_128B &&
                interleave == CU_TENSOR_MAP_INTERLEAVE_NONE &&
                fill == CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
            CUDA_ERROR_NOT_SUPPORTED);
    ptx_tensor_map m = {.magic = PTX_TENSOR_MAGIC,
                        .rank = (uint8_t)rank,
                        .element = element_bytes[type],
                        .swizzle = (uint8_t)(swizzle ? 16u << swizzle : 0),
                        .address = (uintptr_t)address};
    FK_TRY(check_shape(&m, dims, strides, box, steps));
    for (unsigned d = 0; d < rank; d++) {
        m.dim[d] = dims[d];
        m.box[d] = (uint16_t)box[d];
        if (d > 0) m.stride[d - 1] = strides[d - 1];
    }
    memset(map, 0, sizeof *map);
    memcpy(map, &m, sizeof m);
    return CUDA_SUCCESS;
}
