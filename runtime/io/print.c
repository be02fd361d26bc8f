/* print.c - arrays as text, the way NumPy prints them.
 *
 *     [[0.         0.33333334 1.        ]      columns of one width; at most 8 digits behind the point, no more than
 *      [0.5               nan       -inf]]     tell the value apart; above 1000 elements only three at each end
 *
 * First pass: the widest of all elements that will be shown (layout). Second pass: the text. */
#include "runtime/io/array.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION = 8, THRESHOLD = 1000, EDGE = 3, LINE_WIDTH = 75, WORD = 64 };

typedef struct printer {
    const ir_value_array *a;
    bz_dtype dtype;         /* a's, or its parts' */
    size_t step, from;      /* bytes from one element to the next, to the first */
    struct printer *part;   /* of complex numbers: real, imaginary */
    bz_text *t;
    bool summary, scientific;
    bool always_sign; /* imaginary parts: there is room for one */
    int left, right, precision,
        exponent; /* characters before and behind the point; digits; exponent's digits */
    bool any_finite, odd, minus_inf; /* odd: a nan or inf */
    double largest, smallest;        /* |x|, of the finite ones that are not 0 */
    size_t line;                     /* where the current line begins */
} printer;

/* ---- digits */

/* The shortest digits, or v itself rounded to `keep` digits when there are more. */
static ir_decimal rounded(double v, ir_decimal d, int keep) {
    return d.n <= keep ? d : ir_decimal_rounded(v, keep);
}

static char digit(const ir_decimal *d, int i) {
    return i >= 0 && i < d->n ? d->digits[i] : '0';
}

/* Digits of v up to the point, all of them exact, where the shortest ones end before it. */
static ir_decimal whole(double v, ir_decimal d) {
    bool all = d.n > d.exponent || d.exponent > 17;
    return all ? d : ir_decimal_rounded(v, d.exponent + 1);
}

/* "-12." + "5": at most `precision` digits behind the point, no zeros at the end. */
static void positional(bz_dtype t, double v, int precision, char word[WORD]) {
    ir_decimal d = ir_decimal_shortest(t, v);
    if (precision <= PRECISION) d = whole(v, d); /* a single number shows zeros there */
    int keep = d.exponent + 1 + precision, n = 0;
    if (keep >= 1) d = rounded(v, d, keep);
    bool gone = keep < 0 || (keep == 0 && fabs(v) * pow(10, precision) <= 0.5);
    if (keep == 0 && !gone) { /* rounds up to the last digit */
        ir_decimal up = {.minus = d.minus, .digits = "1", .n = 1, .exponent = d.exponent + 1};
        d = up;
    } else if (gone) {
        ir_decimal zero = {.minus = d.minus, .digits = "0", .n = 1, .exponent = 0};
        d = zero;
    }
    if (d.minus) word[n++] = '-';
    if (d.exponent < 0) word[n++] = '0';
    for (int i = 0; i <= d.exponent; i++) word[n++] = digit(&d, i);
    word[n++] = '.';
    for (int k = 1; k <= precision && d.exponent + k < d.n; k++)
        word[n++] = digit(&d, d.exponent + k);
    word[n] = 0;
}

/* "-1.25" and the exponent: d with `digits` behind the point. */
static void scientific(ir_decimal d, int digits, int exponent, char word[WORD]) {
    int n = 0;
    if (d.minus) word[n++] = '-';
    word[n++] = digit(&d, 0);
    word[n++] = '.';
    for (int k = 1; k <= digits; k++) word[n++] = digit(&d, k);
    snprintf(word + n, (size_t)(WORD - n), "e%c%0*d", d.exponent < 0 ? '-' : '+', exponent,
             abs(d.exponent));
}

/* ---- elements */

static ir_bits bits_at(const printer *p, int64_t i) {
    return ir_load_bits(p->dtype, (const char *)p->a->data + (size_t)i * p->step + p->from);
}

static double float_at(const printer *p, int64_t i) {
    return ir_bits_to_f64(p->dtype, bits_at(p, i));
}

static int integer_text(const printer *p, int64_t i, char word[WORD]) {
    return (int)strlen(ir_digits(word, ir_number_of_bits(p->dtype, bits_at(p, i))));
}

static const char *odd_text(double v) {
    return isnan(v) ? "nan" : v < 0 ? "-inf" : "inf";
}

/* Appends spaces, then the text. */
static void right_aligned(bz_text *t, const char *word, int width) {
    bz_textf(t, "%*s", width, word);
}

static void print_positional(printer *p, double v) {
    char word[WORD];
    positional(p->dtype, v, p->precision, word);
    int before = (int)strcspn(word, "."), behind = (int)strlen(word) - before - 1;
    bz_textf(p->t, "%*s%s%*s", p->left - before, "", word, p->right - behind, "");
}

static void print_scientific(printer *p, double v) {
    char word[WORD];
    scientific(ir_decimal_rounded(v, p->precision + 1), p->precision, p->exponent, word);
    int before = (int)strcspn(word, ".");
    bz_textf(p->t, "%*s%s", p->left - before, "", word);
}

static int element_width(const printer *p) {
    if (p->part) return element_width(&p->part[0]) + element_width(&p->part[1]) + 1;
    return p->left + (ir_is_float(p->dtype) ? p->right + 1 : 0);
}

/* Appends "+1.5j" for the text of an imaginary part, blanks where they were. */
static void imaginary_text(bz_text *t, const char *word) {
    const int before = (int)strspn(word, " "), n = (int)strcspn(word + before, " ");
    const bool plus = word[before] != '-';
    bz_textf(t, "%*s%s%.*sj%s", before > plus ? before - plus : 0, "", plus ? "+" : "", n, word + before, word + before + n);
}

static void print_element(printer *p, int64_t i);

static void print_complex(printer *p, int64_t i) {
    bz_text im = {0};
    print_element(&p->part[0], i);
    p->part[1].t = &im;
    print_element(&p->part[1], i);
    imaginary_text(p->t, bz_text_c(&im));
    p->t->failed |= im.failed;
    bz_text_free(&im);
}

static void print_element(printer *p, int64_t i) {
    char word[WORD];
    bz_dtype t = p->dtype;
    if (p->part) {
        print_complex(p, i);
    } else if (t == BZ_BOOL) {
        right_aligned(p->t, bits_at(p, i) ? "True" : "False", p->left);
    } else if (!ir_is_float(t)) {
        integer_text(p, i, word);
        right_aligned(p->t, word, p->left);
    } else if (!isfinite(float_at(p, i))) {
        right_aligned(p->t, odd_text(float_at(p, i)), p->left + p->right + 1);
    } else if (p->scientific) {
        print_scientific(p, float_at(p, i));
    } else {
        print_positional(p, float_at(p, i));
    }
}

/* ---- the elements that are shown */

static bool shows_part(const printer *p, unsigned axis) {
    return p->summary && p->a->shape[axis] > 2 * EDGE;
}

typedef void visit_fn(printer *p, int64_t i);

/* Calls visit for every element that the text shows, below index `at` of the axes before `axis`. */
static void visit_shown(printer *p, unsigned axis, int64_t at, visit_fn *visit) {
    if (axis == p->a->rank) {
        visit(p, at);
        return;
    }
    int64_t n = p->a->shape[axis];
    for (int64_t i = 0; i < n; i++) {
        if (i == EDGE && shows_part(p, axis)) i = n - EDGE;
        visit_shown(p, axis + 1, at * n + i, visit);
    }
}

static void widen(int *width, int n) {
    if (*width < n) *width = n;
}

static void see_range(printer *p, int64_t i) {
    double v = float_at(p, i), m = fabs(v);
    p->odd |= !isfinite(v);
    p->minus_inf |= (isinf(v) && v < 0) || p->always_sign;
    if (!isfinite(v)) return;
    p->any_finite = true;
    if (m != 0 && (p->largest == 0 || m > p->largest)) p->largest = m;
    if (m != 0 && (p->smallest == 0 || m < p->smallest)) p->smallest = m;
}

static void see_positional(printer *p, int64_t i) {
    char word[WORD];
    if (!isfinite(float_at(p, i))) return;
    const double v = float_at(p, i);
    positional(p->dtype, p->always_sign ? -fabs(v) : v, PRECISION, word);
    int before = (int)strcspn(word, ".");
    widen(&p->left, before);
    widen(&p->right, (int)strlen(word) - before - 1);
}

static void see_scientific(printer *p, int64_t i) {
    double v = float_at(p, i);
    if (!isfinite(v)) return;
    ir_decimal d = rounded(v, ir_decimal_shortest(p->dtype, v), PRECISION + 1);
    widen(&p->left, 1 + (d.minus || p->always_sign));
    widen(&p->precision, d.n - 1);
    widen(&p->exponent, abs(d.exponent) > 99 ? 3 : 2);
}

static void see_integer(printer *p, int64_t i) {
    char word[WORD];
    widen(&p->left, integer_text(p, i, word));
}

static void float_layout(printer *p) {
    visit_shown(p, 0, 0, see_range);
    p->scientific = p->largest >= 1e8 ||
                    (p->smallest != 0 && (p->smallest < 1e-4 || p->largest / p->smallest > 1000));
    visit_shown(p, 0, 0, p->scientific ? see_scientific : see_positional);
    if (p->scientific)
        p->right = p->exponent + 2 + p->precision;
    else
        p->precision = p->right;
    if (!p->odd) return;
    widen(&p->left, 3 - (p->right + 1));
    widen(&p->left, 3 + p->minus_inf - (p->right + 1));
}

static void layout(printer *p) {
    p->summary = rt_array_count(p->a) > THRESHOLD;
    for (unsigned k = 0; p->part && k < 2; k++) layout(&p->part[k]);
    if (p->part) return;
    if (p->dtype == BZ_BOOL)
        p->left = 5;
    else if (ir_is_float(p->dtype))
        float_layout(p);
    else
        visit_shown(p, 0, 0, see_integer);
}

/* ---- rows */

/* Ends the line when a word of `width` no longer fits into `room`; rows below `depth` brackets are indented by depth. */
static void begin_word(printer *p, unsigned depth, int width, int room) {
    bz_text *t = p->t;
    size_t column = t->n - p->line;
    if (t->failed || column + (size_t)width <= (size_t)room || column <= depth) return;
    while (t->n && t->p[t->n - 1] == ' ') t->n--;
    bz_text_str(t, "\n");
    p->line = t->n;
    bz_textf(t, "%*s", (int)depth, "");
}

static void print_row(printer *p, int64_t at) {
    unsigned rank = p->a->rank;
    int64_t n = p->a->shape[rank - 1];
    int room = LINE_WIDTH - (int)(rank - 1) - 1;
    for (int64_t i = 0; i < n; i++) {
        if (i == EDGE && shows_part(p, rank - 1)) {
            begin_word(p, rank, 3, room);
            bz_text_str(p->t, "... ");
            i = n - EDGE;
        }
        begin_word(p, rank, element_width(p), room);
        print_element(p, at * n + i);
        if (i + 1 < n) bz_text_str(p->t, " ");
    }
}

static void new_line(printer *p, unsigned axis) {
    for (unsigned i = axis + 1; i < p->a->rank; i++) bz_text_str(p->t, "\n");
    p->line = p->t->n;
    bz_textf(p->t, "%*s", (int)axis + 1, "");
}

static void print_axis(printer *p, unsigned axis, int64_t at) {
    int64_t n = p->a->shape[axis];
    bz_text_str(p->t, "[");
    if (axis + 1 == p->a->rank) {
        print_row(p, at);
    } else {
        for (int64_t i = 0; i < n; i++) {
            if (i == EDGE && shows_part(p, axis)) {
                bz_text_str(p->t, "...");
                new_line(p, axis);
                i = n - EDGE;
            }
            print_axis(p, axis + 1, at * n + i);
            if (i + 1 < n) new_line(p, axis);
        }
    }
    bz_text_str(p->t, "]");
}

/* A single number: all its digits, an exponent only where it is very large or small. */
static void print_scalar(printer *p) {
    char word[WORD];
    bz_dtype t = p->dtype;
    double v = ir_is_float(t) ? float_at(p, 0) : 0;
    if (p->part) {
        bz_text im = {0};
        print_scalar(&p->part[0]);
        p->part[1].t = &im;
        print_scalar(&p->part[1]);
        imaginary_text(p->t, bz_text_c(&im));
        p->t->failed |= im.failed;
        bz_text_free(&im);
    } else if (!ir_is_float(t)) {
        layout(p);
        p->left = 0;
        print_element(p, 0);
    } else if (!isfinite(v)) {
        bz_text_str(p->t, odd_text(v));
    } else if (v == 0 || (fabs(v) >= 1e-4 && fabs(v) < 1e16)) {
        positional(t, v, 40, word);
        bz_textf(p->t, "%s%s", word, word[strlen(word) - 1] == '.' ? "0" : "");
    } else {
        ir_decimal d = ir_decimal_shortest(t, v);
        scientific(d, d.n - 1, 2, word);
        if (d.n == 1) memmove(strchr(word, '.'), strchr(word, 'e'), strlen(strchr(word, 'e')) + 1);
        bz_text_str(p->t, word);
    }
}

void rt_array_print(bz_text *t, const ir_value_array *a) {
    const size_t bytes = ir_dtype_bytes(a->dtype);
    printer part[2], p = {.a = a, .dtype = a->dtype, .step = bytes, .t = t, .line = t->n};
    for (unsigned k = 0; k < 2; k++)
        part[k] = (printer){.a = a, .dtype = ir_part_dtype(a->dtype), .step = bytes, .from = k * bytes / 2, .t = t, .always_sign = k};
    if (ir_is_complex(a->dtype)) p.part = part;
    if (rt_array_count(a) == 0) {
        bz_text_str(t, "[]");
    } else if (a->rank == 0) {
        print_scalar(&p);
    } else {
        layout(&p);
        print_axis(&p, 0, 0);
    }
}
