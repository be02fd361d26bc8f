/* chart.h - curves as an SVG file: axes, ticks, labels, a legend. */
#ifndef EXAMPLES_CHART_H
#define EXAMPLES_CHART_H

#include <stdbool.h>

typedef struct chart_curve {
    const char *name, *colour;
    const double *x, *y; /* n points; y above 0 */
    int n;
} chart_curve;

/* Writes the curves to `path`; x from 0, y logarithmic. false and a line on stderr if the file
 * cannot be written. */
bool chart_write(const char *path, const char *title, const char *x_label, const char *y_label,
                 const chart_curve *curve, int n);

#endif
