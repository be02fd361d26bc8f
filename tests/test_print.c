/* test_print.c - arrays as text: every expected text is what NumPy 1.24 prints for the same array. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runtime/io/array.h"

/* `values` as dtype t, printed. */
static void check_print(bz_dtype t, unsigned rank, const int64_t *shape, const double *values,
                        const char *expected) {
    ir_value_array a = {.dtype = t, .rank = rank};
    if (rank) memcpy(a.shape, shape, rank * sizeof *shape);
    a.data = bz_mem_alloc(rt_array_bytes(&a) + 1);
    for (int64_t i = 0; i < rt_array_count(&a); i++)
        ir_store_bits(t, (char *)a.data + (size_t)i * ir_dtype_bytes(t),
                      ir_bits_from_f64(t, values ? values[i] : (double)i));
    bz_text text = {0};
    rt_array_print(&text, &a);
    cr_expect_str_eq(bz_text_c(&text), expected, "got:\n%s\nexpected:\n%s", bz_text_c(&text),
                     expected);
    bz_text_free(&text);
    bz_mem_free(a.data);
}

#define SHAPE(...)                                                                                 \
    (const int64_t[]) {                                                                            \
        __VA_ARGS__                                                                                \
    }
#define VALUES(...)                                                                                \
    (const double[]) {                                                                             \
        __VA_ARGS__                                                                                \
    }

Test(print, scalars) {
    check_print(BZ_F32, 0, NULL, VALUES(1.5), "1.5");
    check_print(BZ_F32, 0, NULL, VALUES(0.1), "0.1");
    check_print(BZ_F64, 0, NULL, VALUES(1.0 / 3), "0.3333333333333333");
    check_print(BZ_F64, 0, NULL, VALUES(3), "3.0");
    check_print(BZ_F64, 0, NULL, VALUES(1e16), "1e+16");
    check_print(BZ_F64, 0, NULL, VALUES(1.5e-5), "1.5e-05");
    check_print(BZ_F64, 0, NULL, VALUES((double)NAN), "nan");
    check_print(BZ_F64, 0, NULL, VALUES((double)-INFINITY), "-inf");
    check_print(BZ_BOOL, 0, NULL, VALUES(1), "True");
    check_print(BZ_I8, 0, NULL, VALUES(-128), "-128");
}

Test(print, columns) {
    check_print(BZ_F32, 1, SHAPE(3), VALUES(0, 1.0 / 3, 1), "[0.         0.33333334 1.        ]");
    check_print(BZ_F64, 2, SHAPE(2, 2), VALUES(-0.5, 2, 10, 0.25),
                "[[-0.5   2.  ]\n [10.    0.25]]");
    check_print(BZ_I32, 2, SHAPE(2, 2), VALUES(1, -20, 300, 4), "[[  1 -20]\n [300   4]]");
    check_print(BZ_BOOL, 1, SHAPE(3), VALUES(1, 0, 1), "[ True False  True]");
    check_print(BZ_F32, 3, SHAPE(2, 1, 2), NULL, "[[[0. 1.]]\n\n [[2. 3.]]]");
    check_print(BZ_F64, 1, SHAPE(2), VALUES(-0.0, 123456.789), "[    -0.    123456.789]");
}

Test(print, digits) {
    check_print(BZ_F32, 1, SHAPE(2), VALUES(99999992, 1e6), "[99999992.  1000000.]");
    check_print(BZ_F64, 1, SHAPE(2), VALUES(1.23456789123, 123.45678912345),
                "[  1.23456789 123.45678912]");
}

Test(print, numbers_that_are_none) {
    check_print(BZ_F32, 1, SHAPE(3), VALUES((double)NAN, 1, (double)-INFINITY), "[ nan   1. -inf]");
    check_print(BZ_F32, 1, SHAPE(2), VALUES((double)INFINITY, 0.5), "[inf 0.5]");
    check_print(BZ_F64, 1, SHAPE(2), VALUES((double)NAN, (double)NAN), "[nan nan]");
}

/* ---- the fewest digits: beside a power of two they are not always the nearest of their number */

static double read(bz_dtype t, bool minus, long long digits, int exponent) {
    char text[48];
    snprintf(text, sizeof text, "%s%llde%d", minus ? "-" : "", digits, exponent);
    return ir_bits_to_f64(t, ir_bits_from_f64(t, strtod(text, NULL)));
}

/* d is v; no decimal with a digit less is. */
static void check_shortest(bz_dtype t, double v) {
    ir_decimal d = ir_decimal_shortest(t, v);
    long long digits = 0;
    for (int i = 0; i < d.n; i++) digits = digits * 10 + (d.digits[i] - '0');
    int last = d.exponent - d.n + 1; /* power of ten of the last digit */
    cr_expect(read(t, d.minus, digits, last) == v, "%s %a: %llde%d", ir_dtypes[t].name, v, digits,
              last);
    for (long long less = digits / 10; d.n > 1 && less <= digits / 10 + 1; less++)
        cr_expect(read(t, d.minus, less, last + 1) != v, "%s %a: %llde%d, and %llde%d",
                  ir_dtypes[t].name, v, digits, last, less, last + 1);
}

Test(print, the_fewest_digits) {
    for (bz_dtype t = BZ_F16; t <= BZ_F64; t++)
        for (int e = -1074; e < 1024; e++)
            for (int near = -1; near < 2; near++) {
                double v = ir_bits_to_f64(t, ir_bits_from_f64(t, ldexp(1, e)) + (ir_bits)near);
                if (isfinite(v)) check_shortest(t, v), check_shortest(t, -v);
            }
    check_print(BZ_F64, 0, NULL, VALUES(0x1p-44), "5.684341886080802e-14");
    check_print(BZ_F64, 0, NULL, VALUES(-0x1.8p-44), "-8.526512829121202e-14");
    check_print(BZ_F32, 0, NULL, VALUES(0x1p87), "1.5474251e+26");
    check_print(BZ_F16, 0, NULL, VALUES(0x1p-6), "0.01563");
    check_print(BZ_F16, 1, SHAPE(2), VALUES(0x1p-6, 0x1p-7), "[0.01563  0.007812]");
}

Test(print, exponents) {
    check_print(BZ_F64, 1, SHAPE(2), VALUES(1e-5, 1), "[1.e-05 1.e+00]");
    check_print(BZ_F64, 1, SHAPE(2), VALUES(1e100, -1.25), "[ 1.00e+100 -1.25e+000]");
    check_print(BZ_F32, 1, SHAPE(2), VALUES(1e10, 1), "[1.e+10 1.e+00]");
    check_print(BZ_F64, 1, SHAPE(2), VALUES(1.0 / 3, 1000), "[3.33333333e-01 1.00000000e+03]");
}

Test(print, long_ones_are_wrapped_and_summarised) {
    check_print(BZ_I64, 1, SHAPE(30), NULL,
                "[ 0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n 24 25 "
                "26 27 28 29]");
    check_print(BZ_I64, 1, SHAPE(1001), NULL, "[   0    1    2 ...  998  999 1000]");
    check_print(BZ_F32, 2, SHAPE(8, 130), NULL,
                "[[0.000e+00 1.000e+00 2.000e+00 ... 1.270e+02 1.280e+02 1.290e+02]\n"
                " [1.300e+02 1.310e+02 1.320e+02 ... 2.570e+02 2.580e+02 2.590e+02]\n"
                " [2.600e+02 2.610e+02 2.620e+02 ... 3.870e+02 3.880e+02 3.890e+02]\n"
                " ...\n"
                " [6.500e+02 6.510e+02 6.520e+02 ... 7.770e+02 7.780e+02 7.790e+02]\n"
                " [7.800e+02 7.810e+02 7.820e+02 ... 9.070e+02 9.080e+02 9.090e+02]\n"
                " [9.100e+02 9.110e+02 9.120e+02 ... 1.037e+03 1.038e+03 1.039e+03]]");
}

Test(print, empty) {
    check_print(BZ_F32, 1, SHAPE(0), NULL, "[]");
    check_print(BZ_F32, 3, SHAPE(2, 0, 3), NULL, "[]");
}
