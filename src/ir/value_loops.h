/* value_loops.h - the loops of every base op for one dtype. Included by value_eval.c once for
 * each, with
 *     T       the C type of an element          W   the unsigned type exactly as wide
 *     U       unsigned, at least 32 bits        BITS
 *     NAME    the dtype's name                  COLUMN(i, f)  i for integers, f for floats
 *     CAST(x) a number of any type as a T     STORE(v)  what the column gives as a T */

#define JOIN_(a, b) a##_##b
#define JOIN(a, b)  JOIN_(a, b)

#define LOOP_OF(E, R, X, store, value)                                                             \
    static void JOIN(E, NAME)(void *r, const void *a, const void *b, const void *c, size_t n) {    \
        R *out = r;                                                                                \
        const X *xs = a;                                                                           \
        const T *ys = b, *zs = c;                                                                  \
        for (size_t i = 0; i < n; i++) {                                                           \
            X x = xs[i];                                                                           \
            T y = ys[i], z = zs[i];                                                                \
            (void)x, (void)y, (void)z;                                                             \
            out[i] = store(value);                                                                 \
        }                                                                                          \
    }
#define LOOP_SAME(E, value)   LOOP_OF(E, T, T, STORE, value)
#define LOOP_FLOAT(E, value)  LOOP_OF(E, T, T, STORE, value)
#define LOOP_INT(E, value)    LOOP_OF(E, T, T, STORE, value)
#define LOOP_BOOL(E, value)   LOOP_OF(E, bool, T, (bool), value)
#define LOOP_SELECT(E, value) LOOP_OF(E, T, bool, STORE, value)
#define LOOP_CONV(E, value)
#define IR_BASE(E, name, arity, rule, flags, INT, FLOAT, ...) LOOP_##rule(E, COLUMN(INT, FLOAT))
#include "src/ir/ops.def"

/* Conversion to T from each dtype that has a C type. */
#define CAST_FROM(from, S, name)                                                                         \
    static void JOIN(CAST_##from, NAME)(void *r, const void *a, size_t n) {                        \
        T *out = r;                                                                                \
        const S *xs = a;                                                                           \
        for (size_t i = 0; i < n; i++) out[i] = (T)CAST(xs[i]);                                    \
    }
C_TYPES(CAST_FROM)

static const base_loop JOIN(loops, NAME)[IR_BASE_END] = {
#define ROW_CONV(E)
#define ROW_SAME(E)                        [IR_##E] = JOIN(E, NAME),
#define ROW_FLOAT(E)                       ROW_SAME(E)
#define ROW_INT(E)                         ROW_SAME(E)
#define ROW_BOOL(E)                        ROW_SAME(E)
#define ROW_SELECT(E)                      ROW_SAME(E)
#define IR_BASE(E, name, arity, rule, ...) ROW_##rule(E)
#include "src/ir/ops.def"
};
static const cast_loop JOIN(casts, NAME)[BZ_NDTYPES] = {
#define CAST_ROW(from, S, name) [from] = JOIN(CAST_##from, NAME),
    C_TYPES(CAST_ROW)};

#undef JOIN_
#undef JOIN
#undef LOOP_OF
#undef LOOP_SAME
#undef LOOP_FLOAT
#undef LOOP_INT
#undef LOOP_BOOL
#undef LOOP_SELECT
#undef LOOP_CONV
#undef CAST_FROM
#undef ROW_CONV
#undef ROW_SAME
#undef ROW_FLOAT
#undef ROW_INT
#undef ROW_BOOL
#undef ROW_SELECT
#undef CAST_ROW
#undef T
#undef U
#undef W
#undef BITS
#undef NAME
#undef COLUMN
#undef CAST
#undef STORE
