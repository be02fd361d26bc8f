/* operand.h - numbers beside tensors: bz_mul(x, 2), bz_where(m, x, 0), bz_add_(x, 0.5).
 *
 *     bz_mul(x, 2) --_Generic, or overloads--> bz_operand {x}, {2} --bz_numbers_begin--> bz_mul_at(x, 2 as bz_scalar, site)
 *
 * Any C number but a long double: integers keep their value (one above INT64_MAX: BZ_EARG but beside u64 and floats), a float or double its own. A number
 * takes the dtype of the operands beside it, as bz_scalar does (tensor.h): it is handed to kernels with each run, and is a
 * constant while bz_compile traces. C11's true is the int 1: beside bool tensors, and as a condition, write (bool)1; a bit-field is
 * +b. One of the operands is a tensor: else it does not compile. Language bindings call the functions NAME_at, with bz_scalar for
 * numbers. */
#ifndef BRAZE_OPERAND_H
#define BRAZE_OPERAND_H

#include "braze/api.h"

typedef enum bz_operand_kind { /* a tensor, or a number of this kind */
                               BZ_TENSOR_OPERAND,
                               BZ_BOOL_OPERAND,
                               BZ_INT_OPERAND,
                               BZ_UINT_OPERAND,
                               BZ_FLOAT_OPERAND
} bz_operand_kind;

typedef struct bz_operand {
    bz_operand_kind kind;
    union {
        bz_tensor *tensor; /* after bz_numbers_begin: the number's too */
        int64_t i;         /* BOOL, INT */
        uint64_t u;
        double f;
    } v;
} bz_operand;

/* Makes tensors of the numbers among x[0 .. n-1], in the context of the tensors beside them; NULL where no tensor leads to one, an
 * integer that i64 does not hold is one beside u64 and floats alone. bz_numbers_end frees them: call it after the builder. */
BZ_API void bz_numbers_begin(bz_operand *x, int n, const char *site);
BZ_API void bz_numbers_end(bz_operand *x, int n);

static inline bz_operand bz_of_tensor_(bz_tensor *x) {
    bz_operand o;
    o.kind = BZ_TENSOR_OPERAND;
    o.v.tensor = x;
    return o;
}

static inline bz_operand bz_of_int_(int64_t v) {
    bz_operand o;
    o.kind = BZ_INT_OPERAND;
    o.v.i = v;
    return o;
}

static inline bz_operand bz_of_bool_(bool v) {
    bz_operand o = bz_of_int_(v);
    o.kind = BZ_BOOL_OPERAND;
    return o;
}

static inline bz_operand bz_of_uint_(uint64_t v) {
    bz_operand o;
    o.kind = BZ_UINT_OPERAND;
    o.v.u = v;
    return o;
}

static inline bz_operand bz_of_double_(double v) {
    bz_operand o;
    o.kind = BZ_FLOAT_OPERAND;
    o.v.f = v;
    return o;
}

static inline bz_operand bz_of_float_(float v) {
    return bz_of_double_((double)v);
}

/* f of two, of three operands. Where all are tensors the compiler leaves the call of f. */
static inline bz_tensor *bz_with_2_(bz_tensor *(*f)(bz_tensor *, bz_tensor *, const char *),
                                    bz_operand x, bz_operand y, const char *site) {
    if (x.kind == BZ_TENSOR_OPERAND && y.kind == BZ_TENSOR_OPERAND)
        return f(x.v.tensor, y.v.tensor, site);
    bz_operand o[] = {x, y};
    bz_numbers_begin(o, 2, site);
    bz_tensor *made = f(o[0].v.tensor, o[1].v.tensor, site);
    bz_numbers_end(o, 2);
    return made;
}

static inline bz_tensor *bz_with_3_(bz_tensor *(*f)(bz_tensor *, bz_tensor *, bz_tensor *,
                                                    const char *),
                                    bz_operand x, bz_operand y, bz_operand z, const char *site) {
    if (x.kind == BZ_TENSOR_OPERAND && y.kind == BZ_TENSOR_OPERAND && z.kind == BZ_TENSOR_OPERAND)
        return f(x.v.tensor, y.v.tensor, z.v.tensor, site);
    bz_operand o[] = {x, y, z};
    bz_numbers_begin(o, 3, site);
    bz_tensor *made = f(o[0].v.tensor, o[1].v.tensor, o[2].v.tensor, site);
    bz_numbers_end(o, 3);
    return made;
}

/* BZ_OPERAND(x): the bz_operand of a tensor or a number.
 * BZ_WITH_2_(f, x, y), BZ_WITH_3_: f of operands of which one is a tensor. BZ_INTO_(f, x, y): of a tensor and an operand. */
#ifdef __cplusplus
extern "C++" {

inline bz_operand bz_operand_of_(bz_tensor *x) {
    return bz_of_tensor_(x);
}

template <class T> inline bz_operand bz_operand_of_(T v) {
    constexpr bool enumerated = std::is_enum<T>::value;
    static_assert(enumerated || std::is_arithmetic<T>::value || std::is_null_pointer<T>::value,
                  "an operand is a bz_tensor * or a number");
    static_assert(!std::is_same<T, long double>::value, "no operand is a long double");
    if constexpr (std::is_null_pointer<T>::value)
        return bz_of_tensor_(v);
    else if constexpr (enumerated)
        return bz_operand_of_(static_cast<std::underlying_type_t<T>>(v));
    else if constexpr (std::is_same<T, bool>::value)
        return bz_of_bool_(v);
    else if constexpr (std::is_floating_point<T>::value)
        return bz_of_double_(static_cast<double>(v));
    else if constexpr (std::is_signed<T>::value)
        return bz_of_int_(v);
    else
        return bz_of_uint_(v);
}

template <class... T> inline void bz_need_tensor_(const T &...) {
    static_assert(((std::is_pointer<T>::value || std::is_null_pointer<T>::value) || ...),
                  "one of the operands must be a tensor");
}

template <class F, class X, class Y> inline bz_tensor *bz_with_(F *f, const char *site, X x, Y y) {
    bz_need_tensor_(x, y);
    return bz_with_2_(f, bz_operand_of_(x), bz_operand_of_(y), site);
}

template <class F, class X, class Y, class Z>
inline bz_tensor *bz_with_(F *f, const char *site, X x, Y y, Z z) {
    bz_need_tensor_(x, y, z);
    return bz_with_3_(f, bz_operand_of_(x), bz_operand_of_(y), bz_operand_of_(z), site);
}

template <class Y>
inline bz_tensor *bz_into_(bz_tensor *(*f)(bz_tensor *, bz_tensor *, const char *),
                           const char *site, bz_tensor *x, Y y) {
    return bz_with_2_(f, bz_of_tensor_(x), bz_operand_of_(y), site);
}
}
#define BZ_OPERAND(x)          bz_operand_of_(x)
#define BZ_WITH_2_(f, x, y)    bz_with_(f, BZ_SITE, (x), (y))
#define BZ_WITH_3_(f, x, y, z) bz_with_(f, BZ_SITE, (x), (y), (z))
#define BZ_INTO_(f, x, y)      bz_into_(f, BZ_SITE, (x), (y))

#else
#define BZ_BY_TYPE_(x, tensor, boolean, sint, uint, f32, f64)                                      \
    _Generic((x), bz_tensor *: tensor, void *: tensor, _Bool: boolean, char: sint,                 \
        signed char: sint, short: sint, int: sint, long: sint, long long: sint,                    \
        unsigned char: uint, unsigned short: uint, unsigned: uint, unsigned long: uint,            \
        unsigned long long: uint, float: f32, double: f64)
#define BZ_IS_TENSOR_(x) BZ_BY_TYPE_(x, 1, 0, 0, 0, 0, 0)
#define BZ_OPERAND_(x)                                                                             \
    BZ_BY_TYPE_(x, bz_of_tensor_, bz_of_bool_, bz_of_int_, bz_of_uint_, bz_of_float_,              \
                bz_of_double_)                                                                     \
    (x)

/* Each argument is written once in the expansion, else nested calls would grow as 2^depth; the variable that holds it has a number
 * of its own, for -Wshadow. */
#define BZ_VARIABLE_        BZ_NUMBERED_(__COUNTER__)
#define BZ_NUMBERED_(n)     BZ_NUMBERED_NOW_(n)
#define BZ_NUMBERED_NOW_(n) bz_operand_##n
#define BZ_OPERAND(x)       BZ_OPERAND_V_(BZ_VARIABLE_, x)
#define BZ_OPERAND_V_(X, x)                                                                        \
    __extension__({                                                                                \
        __auto_type X = (x);                                                                       \
        BZ_OPERAND_(X);                                                                            \
    })

#define BZ_WITH_2_(f, x, y) BZ_WITH_2V_(f, BZ_VARIABLE_, BZ_VARIABLE_, x, y)
#define BZ_WITH_2V_(f, X, Y, x, y)                                                                 \
    __extension__({                                                                                \
        __auto_type X = (x);                                                                       \
        __auto_type Y = (y);                                                                       \
        _Static_assert(BZ_IS_TENSOR_(X) || BZ_IS_TENSOR_(Y),                                       \
                       "one of the operands must be a tensor");                                    \
        bz_with_2_(f, BZ_OPERAND_(X), BZ_OPERAND_(Y), BZ_SITE);                                    \
    })

#define BZ_WITH_3_(f, x, y, z) BZ_WITH_3V_(f, BZ_VARIABLE_, BZ_VARIABLE_, BZ_VARIABLE_, x, y, z)
#define BZ_WITH_3V_(f, X, Y, Z, x, y, z)                                                           \
    __extension__({                                                                                \
        __auto_type X = (x);                                                                       \
        __auto_type Y = (y);                                                                       \
        __auto_type Z = (z);                                                                       \
        _Static_assert(BZ_IS_TENSOR_(X) || BZ_IS_TENSOR_(Y) || BZ_IS_TENSOR_(Z),                   \
                       "one of the operands must be a tensor");                                    \
        bz_with_3_(f, BZ_OPERAND_(X), BZ_OPERAND_(Y), BZ_OPERAND_(Z), BZ_SITE);                    \
    })

#define BZ_INTO_(f, x, y) BZ_INTO_V_(f, BZ_VARIABLE_, BZ_VARIABLE_, x, y)
#define BZ_INTO_V_(f, X, Y, x, y)                                                                  \
    __extension__({                                                                                \
        bz_tensor *X = (x);                                                                        \
        __auto_type Y = (y);                                                                       \
        bz_with_2_(f, bz_of_tensor_(X), BZ_OPERAND_(Y), BZ_SITE);                                  \
    })
#endif

#endif
