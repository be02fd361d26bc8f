/* tensormap.c - maps of tensors for cp.async.bulk.tensor: checked, and written in the interpreter's form.
 *
 * What is allowed and not emulated is CUDA_ERROR_NOT_SUPPORTED: interleaved layouts, packed types of 4
 * and 6 bits, flushing types, NaN outside, a swizzle wider than the box, im2col of one row of pixels. */
#include "fake.h"

#include <string.h>

static const uint8_t element_bytes[] = {
    [CU_TENSOR_MAP_DATA_TYPE_UINT8] = 1,   [CU_TENSOR_MAP_DATA_TYPE_UINT16] = 2,
    [CU_TENSOR_MAP_DATA_TYPE_UINT32] = 4,  [CU_TENSOR_MAP_DATA_TYPE_INT32] = 4,
    [CU_TENSOR_MAP_DATA_TYPE_UINT64] = 8,  [CU_TENSOR_MAP_DATA_TYPE_INT64] = 8,
    [CU_TENSOR_MAP_DATA_TYPE_FLOAT16] = 2, [CU_TENSOR_MAP_DATA_TYPE_FLOAT32] = 4,
    [CU_TENSOR_MAP_DATA_TYPE_FLOAT64] = 8, [CU_TENSOR_MAP_DATA_TYPE_BFLOAT16] = 2};

enum { TYPES = 16, SWIZZLES = 7, BOX_MAX = 256, STEP_MAX = 8, ROW = 16, PIXELS_MAX = 1024 };

/* What both kinds of maps have in common. */
typedef struct {
    CUtensorMapDataType type;
    cuuint32_t rank;
    void *address;
    const cuuint64_t *dims, *strides;
    const cuuint32_t *steps;
    CUtensorMapInterleave interleave;
    CUtensorMapSwizzle swizzle;
    CUtensorMapL2promotion promotion;
    CUtensorMapFloatOOBfill fill;
} tensor;

static CUresult begin_map(const CUtensorMap *map, const tensor *t, ptx_tensor_map *m) {
    FK_VALID(map && (uintptr_t)map % 64 == 0);
    FK_VALID(t->rank > 0 && t->rank <= PTX_TENSOR_RANK);
    FK_VALID(t->dims && (t->strides || t->rank == 1) && t->steps);
    FK_VALID((uintptr_t)t->address % ROW == 0);
    FK_VALID((unsigned)t->type < TYPES && (unsigned)t->swizzle < SWIZZLES &&
             (unsigned)t->promotion < 4);
    for (unsigned d = 0; d < t->rank; d++) {
        FK_VALID(t->dims[d] > 0 && t->dims[d] <= (cuuint64_t)1 << 32);
        FK_VALID(t->steps[d] > 0 && t->steps[d] <= STEP_MAX);
        FK_VALID(d == 0 ||
                 (t->strides[d - 1] % ROW == 0 && t->strides[d - 1] < (cuuint64_t)1 << 40));
    }
    FK_NEED((unsigned)t->type < sizeof element_bytes && t->swizzle <= CU_TENSOR_MAP_SWIZZLE_128B &&
                t->interleave == CU_TENSOR_MAP_INTERLEAVE_NONE &&
                t->fill == CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE,
            CUDA_ERROR_NOT_SUPPORTED);
    *m = (ptx_tensor_map){.magic = PTX_TENSOR_MAGIC,
                          .rank = (uint8_t)t->rank,
                          .element = element_bytes[t->type],
                          .swizzle = (uint8_t)(t->swizzle ? 16u << t->swizzle : 0),
                          .address = (uintptr_t)t->address};
    for (unsigned d = 0; d < t->rank; d++) {
        m->dim[d] = t->dims[d];
        m->step[d] = (uint8_t)(d > 0 ? t->steps[d] : 1);
        if (d > 0) m->stride[d - 1] = t->strides[d - 1];
    }
    return CUDA_SUCCESS;
}

static CUresult end_map(CUtensorMap *map, const ptx_tensor_map *m) {
    const unsigned bytes = m->box[0] * m->element;
    FK_VALID(bytes % ROW == 0);
    FK_VALID(!m->swizzle || bytes <= m->swizzle);
    FK_NEED(!m->swizzle || bytes == m->swizzle, CUDA_ERROR_NOT_SUPPORTED);
    memset(map, 0, sizeof *map);
    memcpy(map, m, sizeof *m);
    return CUDA_SUCCESS;
}

CUresult fk_cuTensorMapEncodeTiled(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank,
                                   void *address, const cuuint64_t *dims, const cuuint64_t *strides,
                                   const cuuint32_t *box, const cuuint32_t *steps,
                                   CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                   CUtensorMapL2promotion promotion, CUtensorMapFloatOOBfill fill) {
    const tensor t = {type,  rank,       address, dims,      strides,
                      steps, interleave, swizzle, promotion, fill};
    ptx_tensor_map m;
    FK_VALID(box);
    FK_TRY(begin_map(map, &t, &m));
    for (unsigned d = 0; d < rank; d++) {
        FK_VALID(box[d] > 0 && box[d] <= BOX_MAX);
        m.box[d] = (uint16_t)box[d];
    }
    return end_map(map, &m);
}

/* Corners are offsets of as many bits as 16 leave to each of the dimensions between channels and images. */
CUresult fk_cuTensorMapEncodeIm2col(CUtensorMap *map, CUtensorMapDataType type, cuuint32_t rank,
                                    void *address, const cuuint64_t *dims,
                                    const cuuint64_t *strides, const int *lower, const int *upper,
                                    cuuint32_t channels, cuuint32_t pixels, const cuuint32_t *steps,
                                    CUtensorMapInterleave interleave, CUtensorMapSwizzle swizzle,
                                    CUtensorMapL2promotion promotion,
                                    CUtensorMapFloatOOBfill fill) {
    static const int most[] = {[3] = 32767, [4] = 127, [5] = 15};
    const tensor t = {type,  rank,       address, dims,      strides,
                      steps, interleave, swizzle, promotion, fill};
    ptx_tensor_map m;
    FK_VALID(lower && upper && rank >= 3);
    FK_TRY(begin_map(map, &t, &m));
    FK_VALID(channels > 0 && channels <= BOX_MAX && pixels > 0 && pixels <= PIXELS_MAX);
    for (unsigned d = 0; d + 2 < rank; d++) {
        FK_VALID(lower[d] <= most[rank] && lower[d] >= -most[rank] - 1);
        FK_VALID(upper[d] <= most[rank] && upper[d] >= -most[rank] - 1);
        FK_VALID((long long)dims[d + 1] - 1 + upper[d] >= lower[d]);
        m.lower[d] = (int16_t)lower[d];
        m.upper[d] = (int16_t)upper[d];
    }
    m.pixels = true;
    m.box[0] = (uint16_t)channels;
    m.box[1] = (uint16_t)pixels;
    return end_map(map, &m);
}
