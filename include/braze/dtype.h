/* dtype.h - the element types of a tensor. */
#ifndef BRAZE_DTYPE_H
#define BRAZE_DTYPE_H

/* X(enum, name, bytes, kind, bits): kind is BOOL, UINT, SINT, FLOAT or COMPLEX (two floats of half the size, the real one first, as C, NumPy and
 * PyTorch have it). The numbers stay as they are: new dtypes come last. */
#define BZ_DTYPES(X)                                                                               \
    X(BZ_BOOL, bool, 1, BOOL, 1)                                                                   \
    X(BZ_U8, u8, 1, UINT, 8)                                                                       \
    X(BZ_I8, i8, 1, SINT, 8)                                                                       \
    X(BZ_I16, i16, 2, SINT, 16)                                                                    \
    X(BZ_I32, i32, 4, SINT, 32)                                                                    \
    X(BZ_I64, i64, 8, SINT, 64)                                                                    \
    X(BZ_F16, f16, 2, FLOAT, 16)                                                                   \
    X(BZ_BF16, bf16, 2, FLOAT, 16)                                                                 \
    X(BZ_F32, f32, 4, FLOAT, 32)                                                                   \
    X(BZ_F64, f64, 8, FLOAT, 64)                                                                   \
    X(BZ_U16, u16, 2, UINT, 16)                                                                    \
    X(BZ_U32, u32, 4, UINT, 32)                                                                    \
    X(BZ_U64, u64, 8, UINT, 64)                                                                    \
    X(BZ_C64, c64, 8, COMPLEX, 64)                                                                 \
    X(BZ_C128, c128, 16, COMPLEX, 128)

typedef enum bz_dtype {
#define BZ_DTYPE_ENUM(e, name, bytes, kind, bits) e,
    BZ_DTYPES(BZ_DTYPE_ENUM)
#undef BZ_DTYPE_ENUM
        BZ_NDTYPES
} bz_dtype;

#endif
