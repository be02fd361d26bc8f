/* ulp.h - how far the mathematics is from the truth (MPFR), for tests and for docs/numerics.md. */
#ifndef BRAZE_TESTS_ULP_H
#define BRAZE_TESTS_ULP_H

#include "src/ir/value.h"

#include <mpfr.h>

/* A function with its truth, where to look and what it promises. */
typedef struct ulp_fn {
    ir_op op;
    int (*one)(mpfr_t, const mpfr_t, mpfr_rnd_t); /* or */
    int (*two)(mpfr_t, const mpfr_t, const mpfr_t, mpfr_rnd_t);
    double (*libm)(double),
        (*libm2)(double,
                 double); /* a quick truth for f32, good to 2^-50; NULL where libm has none */
    double bound32, bound64;
} ulp_fn;

extern const ulp_fn ulp_fns[];
extern const unsigned ulp_fn_count;

typedef struct ulp_worst {
    double error, x, y; /* in units of the last place of the result; operands where it was found */
    double got;
    uint64_t tried;
} ulp_worst;

/* |got - exact| in units of the last place that dtype t (f32 or f64) has at `exact`. Both NaN,
 * or equal infinities: 0; a zero of the wrong sign or one NaN: infinity. What rounds to infinity
 * may be infinity; a result past it counts as 2^emax. */
double ulp_error(bz_dtype t, double got, const mpfr_t exact);

/* Every `stride`-th f32 bit pattern from `first` on (one operand). */
ulp_worst ulp_scan_f32(const ulp_fn *f, uint32_t first, uint32_t stride);
/* n random operands of dtype t (f32 or f64): all magnitudes, then those where something happens
 * (near 0, 1, multiples of pi). */
ulp_worst ulp_random(const ulp_fn *f, bz_dtype t, uint64_t seed, unsigned n);
/* All pairs (or single ones) of the special values: zeros, infinities, NaN, denormals, 1,
 * halves, integers, limits. */
ulp_worst ulp_special(const ulp_fn *f, bz_dtype t);

#endif
