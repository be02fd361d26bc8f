/* dlpack.h - tensors from and to other libraries in one process, without a copy: DLPack.
 *
 *     np.ndarray, torch.Tensor --__dlpack__--> bz_dl_managed --bz_from_dlpack_legacy--> bz_tensor
 *     bz_tensor --bz_to_dlpack--> bz_dl_managed_versioned --> whoever takes DLPack
 *
 * The structs below are those of the DLPack standard, versions 1.0 to 1.x (dmlc/dlpack, dlpack.h), and the unversioned one before it,
 * declared anew under names of ours: a pointer to one is a pointer to the other. Who has taken such a struct calls its deleter once,
 * when it reads the memory no more. */
#ifndef BRAZE_DLPACK_H
#define BRAZE_DLPACK_H

#include "braze/api.h"

enum bz_dl_device_type {
    BZ_DL_CPU = 1,
    BZ_DL_CUDA = 2,
    BZ_DL_CUDA_HOST = 3,
    BZ_DL_CUDA_MANAGED = 13
};
enum bz_dl_type_code {
    BZ_DL_INT = 0,
    BZ_DL_UINT = 1,
    BZ_DL_FLOAT = 2,
    BZ_DL_BFLOAT = 4,
    BZ_DL_COMPLEX = 5,
    BZ_DL_BOOL = 6
};
enum bz_dl_flags { BZ_DL_READ_ONLY = 1, BZ_DL_IS_COPIED = 2 };
enum { BZ_DL_MAJOR = 1, BZ_DL_MINOR = 0 };

typedef struct bz_dl_tensor {
    void *data;
    struct {
        int32_t type, id;
    } device;
    int32_t ndim;
    struct {
        uint8_t code, bits;
        uint16_t lanes;
    } dtype;
    int64_t *shape, *strides; /* strides in elements; NULL: row-major */
    uint64_t byte_offset;     /* of the first element from data */
} bz_dl_tensor;

typedef struct bz_dl_managed {
    bz_dl_tensor tensor;
    void *manager;
    void (*deleter)(struct bz_dl_managed *self); /* may be NULL */
} bz_dl_managed;

typedef struct bz_dl_managed_versioned {
    struct {
        uint32_t major, minor;
    } version;
    void *manager;
    void (*deleter)(struct bz_dl_managed_versioned *self); /* may be NULL */
    uint64_t flags;
    bz_dl_tensor tensor;
} bz_dl_managed_versioned;

/* The memory that m describes as a tensor of c, any strides, negative ones too, no copy: as bz_from_buffer, which says when it is read
 * and written. m is taken: its deleter is called, in a call on c, when the tensor and all that was recorded with it are gone; on
 * an error it stays the caller's, and the result is poisoned. What is BZ_DL_READ_ONLY, and GPU memory, is not changed: in-place ops and
 * donations of it are BZ_EMODE. GPU memory goes to a context of the same GPU, row-major, with the work that makes it done. BZ_EUNSUPPORTED
 * for other dtypes and devices, and for a major version above 1. */
BZ_API bz_tensor *bz_from_dlpack_at(bz_context *c, bz_dl_managed_versioned *m, const char *site);
BZ_API bz_tensor *bz_from_dlpack_legacy_at(bz_context *c, bz_dl_managed *m, const char *site);
#define bz_from_dlpack(...)        bz_from_dlpack_at(__VA_ARGS__, BZ_SITE)
#define bz_from_dlpack_legacy(...) bz_from_dlpack_legacy_at(__VA_ARGS__, BZ_SITE)

/* x's memory, computed, as it lies: no copy. It stays as it is (BZ_DL_READ_ONLY), whatever becomes of x, until its deleter is called, in
 * any thread, also after bz_close; memory of a GPU lasts as long as the context. NULL and an error in the context: BZ_EMODE while
 * bz_compile traces, BZ_EUNSUPPORTED where it lies on a device that DLPack does not know. */
BZ_API bz_dl_managed_versioned *bz_to_dlpack(bz_tensor *x);
BZ_API bz_dl_managed *bz_to_dlpack_legacy(bz_tensor *x);

#endif
