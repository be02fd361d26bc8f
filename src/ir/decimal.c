/* decimal.c - floats as decimals: rounded to some digits, and the fewest that are read as the same value.
 *
 *     2^-44 = 5.684341886080801486...e-14      16 digits: ...801e-14 is nearest and reads as the value below,
 *                                                         ...802e-14 reads as 2^-44
 *
 * Above a power of two its neighbour is twice as far away as below: there a decimal that is not the nearest of its length may be
 * the shortest. Everywhere else the nearest is tried in vain before the next one is. */
#include "src/ir/dtype.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST = 17 }; /* digits that tell all f64 apart */

/* d.ddde+xx as printf writes it. */
static ir_decimal take_apart(const char *s) {
    ir_decimal d = {.minus = *s == '-'};
    for (s += d.minus; *s && *s != 'e'; s++)
        if (*s >= '0' && *s <= '9' && d.n < IR_DECIMAL_DIGITS) d.digits[d.n++] = *s;
    d.exponent = (int)strtol(s + 1, NULL, 10);
    return d;
}

static ir_decimal nearest(double v, int n) {
    char text[48];
    bz_snprintf(text, sizeof text, "%.*e", n - 1, v);
    return take_apart(text);
}

static ir_decimal without_zeros(ir_decimal d) {
    while (d.n > 1 && d.digits[d.n - 1] == '0') d.n--;
    return d;
}

ir_decimal ir_decimal_rounded(double v, int n) {
    return without_zeros(nearest(v, n));
}

static bool reads_as(const ir_decimal *d, bz_dtype t, double v) {
    char text[48];
    bz_snprintf(text, sizeof text, "%s%c.%.*se%d", d->minus ? "-" : "", d->digits[0], d->n - 1,
                d->digits + 1, d->exponent);
    return ir_bits_from_f64(t, bz_read_number(text, NULL)) == ir_bits_from_f64(t, v);
}

/* The next decimal of the same length, away from zero. false: it is a power of ten, which has fewer digits. */
static bool next(ir_decimal *d) {
    int i = d->n - 1;
    while (i >= 0 && d->digits[i] == '9') d->digits[i--] = '0';
    if (i >= 0) d->digits[i]++;
    return i >= 0;
}

ir_decimal ir_decimal_shortest(bz_dtype t, double v) {
    ir_decimal d = {0};
    for (int n = 1; n <= MOST; n++) {
        d = nearest(v, n);
        if (reads_as(&d, t, v)) break;
        ir_decimal up = d;
        if (next(&up) && reads_as(&up, t, v)) return without_zeros(up);
    }
    return without_zeros(d);
}
