/* api.h - how the functions of braze are declared, and how they learn the caller's source line. */
#ifndef BRAZE_API_H
#define BRAZE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "braze/dtype.h"
#include "braze/status.h"

#ifdef __cplusplus
#define BZ_API extern "C" __attribute__((visibility("default")))
#else
#define BZ_API extern __attribute__((visibility("default")))
#endif

/* The caller's line as "file.c:31", kept by braze as a pointer: it must live as long as the program does.
 * Functions that take a site are called NAME_at; the macro NAME passes it. Language bindings call NAME_at. */
#define BZ_SITE                   BZ_SITE_OF_(__FILE__, __LINE__)
#define BZ_SITE_OF_(file, line)   BZ_SITE_TEXT_(file, line)
#define BZ_SITE_TEXT_(file, line) file ":" #line

/* bz_NAME_3_(x, y, z) for BZ_BY_COUNT_(bz_NAME, x, y, z): the arguments that a call leaves out are added there. */
#define BZ_BY_COUNT_(f, ...)         BZ_BY_COUNT_OF_(f, BZ_ARGUMENTS_(__VA_ARGS__), __VA_ARGS__)
#define BZ_BY_COUNT_OF_(f, n, ...)   BZ_BY_COUNT_NOW_(f, n)(__VA_ARGS__)
#define BZ_BY_COUNT_NOW_(f, n)       f##_##n##_
#define BZ_ARGUMENTS_(...)           BZ_TWELFTH_(__VA_ARGS__, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0)
#define BZ_TWELFTH_(a, b, c, d, e, f, g, h, i, j, k, l, ...) l

/* A list and its length, for arguments like (const int *axes, int n): bz_sum(x, BZ_AXES(0, 2), false). BZ_ALL: all axes, which
 * vanish: bz_sum(x, BZ_ALL), bz_var(x, BZ_ALL, 1). */
#define BZ_AXES(...)  BZ_ARRAY_(int, __VA_ARGS__), BZ_COUNT_(int, __VA_ARGS__)
#define BZ_SHAPE(...) BZ_ARRAY_(int64_t, __VA_ARGS__), BZ_COUNT_(int64_t, __VA_ARGS__)
#define BZ_ALL        NULL, 0, false

/* Shape, strides and rank, for bz_from_buffer and bz_as_strided: BZ_STRIDED((2, 3), (1, 2)); as many strides as sizes, or it does not
 * compile. BZ_DENSE(2, 3): row-major, strides NULL. */
#define BZ_STRIDED(shape, strides)                                                                 \
    BZ_LISTED_(BZ_ARRAY_, shape), BZ_LISTED_(BZ_ARRAY_, strides),                                  \
        BZ_SAME_COUNT_(BZ_LISTED_(BZ_COUNT_, shape), BZ_LISTED_(BZ_COUNT_, strides))
#define BZ_DENSE(...) BZ_ARRAY_(int64_t, __VA_ARGS__), NULL, BZ_COUNT_(int64_t, __VA_ARGS__)
/* of(int64_t, 2, 3) for the list (2, 3); for what is none, x or BZ_SHAPE(2, 3), an error that says how it is written. */
#define BZ_LISTED_(of, ...)                                                                        \
    BZ_FIFTH_(__VA_ARGS__, BZ_NO_LIST_, BZ_NO_LIST_, BZ_NO_LIST_, BZ_MAY_LIST_, 0)(of, __VA_ARGS__)
#define BZ_MAY_LIST_(of, list)           BZ_FIFTH_(0, 0, 0, BZ_IS_LIST_ list, BZ_NO_LIST_, 0)(of, list)
#define BZ_FIFTH_(...)                   BZ_FIFTH_OF_(__VA_ARGS__)
#define BZ_FIFTH_OF_(a, b, c, d, e, ...) e
#define BZ_IS_LIST_(...)                 0, BZ_LIST_
#define BZ_LIST_(of, list)               BZ_LIST_OF_(of, BZ_BARE_ list)
#define BZ_LIST_OF_(of, ...)             of(int64_t, __VA_ARGS__)
#define BZ_NO_LIST_(of, ...)             of##NONE_
#define BZ_BARE_(...)                    __VA_ARGS__
#ifdef __cplusplus
extern "C++" {
#include <initializer_list>
#include <type_traits>

template <class... E> std::integral_constant<int, sizeof...(E)> bz_counted_(const E &...);
template <int a, int b> constexpr int bz_same_count_() {
    static_assert(a == b, "as many strides as sizes");
    return a;
}
template <class T> constexpr T *bz_no_list_() {
    static_assert(sizeof(T) == 0, "BZ_STRIDED((2, 3), (1, 2)): each list in parentheses");
    return nullptr;
}
}
#define BZ_ARRAY_(T, ...)    std::initializer_list<T>{__VA_ARGS__}.begin()
#define BZ_COUNT_(T, ...)    decltype(bz_counted_(__VA_ARGS__))::value
#define BZ_SAME_COUNT_(a, b) bz_same_count_<a, b>()
#define BZ_ARRAY_NONE_       bz_no_list_<const int64_t>()
#define BZ_COUNT_NONE_       1
#else
#define BZ_ARRAY_(T, ...) ((const T[]){__VA_ARGS__})
#define BZ_COUNT_(T, ...) (int)(sizeof((const T[]){__VA_ARGS__}) / sizeof(T))
#define BZ_SAME_COUNT_(a, b)                                                                       \
    __extension__({                                                                                \
        _Static_assert((a) == (b), "as many strides as sizes");                                    \
        a;                                                                                         \
    })
#define BZ_ARRAY_NONE_                                                                             \
    __extension__({                                                                                \
        _Static_assert(0, "BZ_STRIDED((2, 3), (1, 2)): each list in parentheses");                 \
        (const int64_t *)NULL;                                                                     \
    })
#define BZ_COUNT_NONE_ 1
#endif

typedef struct bz_context bz_context;

/* A handle of a tensor. It is a number, never an address: one that is stale or made up gives BZ_ESCOPE, no crash. Handles
 * belong to a scope (context.h, docs/memory.md). Builders that fail give a poisoned handle; builders pass it on, bz_eval and
 * the readers report the error. */
typedef struct bz_tensor bz_tensor;

#endif
