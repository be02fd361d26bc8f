/* chart.c - see chart.h.
 *
 *      y = log10 | \__
 *                |    \___
 *                +--------- x from 0 */
#include "examples/support/chart.h"

#include <math.h>
#include <stdio.h>

enum { WIDTH = 760, HEIGHT = 420, LEFT = 70, RIGHT = 24, TOP = 44, BOTTOM = 56 };

typedef struct scale {
    double x_max, y_min, y_max; /* y as log10 */
} scale;

static double place_x(const scale *s, double x) {
    return LEFT + x / s->x_max * (WIDTH - LEFT - RIGHT);
}

static double place_y(const scale *s, double y) {
    return TOP + (s->y_max - log10(y)) / (s->y_max - s->y_min) * (HEIGHT - TOP - BOTTOM);
}

static scale fit(const chart_curve *c, int n) {
    scale s = {1e-9, HUGE_VAL, -HUGE_VAL};
    for (int k = 0; k < n; k++)
        for (int i = 0; i < c[k].n; i++) {
            s.x_max = fmax(s.x_max, c[k].x[i]);
            s.y_min = fmin(s.y_min, log10(c[k].y[i]));
            s.y_max = fmax(s.y_max, log10(c[k].y[i]));
        }
    if (!(s.y_min <= s.y_max)) s.y_min = s.y_max = 0;
    double margin = fmax(0.05, (0.8 - (s.y_max - s.y_min)) / 2); /* two ticks at least */
    s.y_min -= margin;
    s.y_max += margin;
    return s;
}

/* 1, 2 or 5 times a power of ten, so that 4 to 10 of it make `range`. */
static double step_for(double range) {
    double power = pow(10, floor(log10(range / 4))), rest = range / 4 / power;
    return power * (rest >= 5 ? 5 : rest >= 2 ? 2 : 1);
}

static void x_ticks(FILE *f, const scale *s) {
    double step = step_for(s->x_max);
    for (int i = 0; i * step <= s->x_max * 1.0001; i++) {
        double x = place_x(s, i * step);
        fprintf(f,
                "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" "
                "text-anchor=\"middle\">%g</text>\n",
                x, TOP, HEIGHT - BOTTOM, x, HEIGHT - BOTTOM + 18, i * step);
    }
}

static void y_ticks(FILE *f, const scale *s) {
    static const double digit[] = {1, 2, 5};
    for (int e = (int)floor(s->y_min); e <= (int)ceil(s->y_max); e++)
        for (int i = 0; i < 3; i++) {
            double v = digit[i] * pow(10, e), y = place_y(s, v);
            if (y < TOP || y > HEIGHT - BOTTOM) continue;
            fprintf(f,
                    "<path class=\"grid\" d=\"M%d %.1fH%d\"/><text x=\"%d\" y=\"%.1f\" "
                    "text-anchor=\"end\">%g</text>\n",
                    LEFT, y, WIDTH - RIGHT, LEFT - 8, y + 4, v);
        }
}

static void curves(FILE *f, const scale *s, const chart_curve *c, int n) {
    for (int k = 0; k < n; k++) {
        fprintf(f,
                "<polyline fill=\"none\" stroke=\"%s\" stroke-width=\"2\" "
                "stroke-linecap=\"round\" points=\"",
                c[k].colour);
        if (c[k].n == 1) /* a line of no length is a dot */
            fprintf(f, "%.1f,%.1f ", place_x(s, c[k].x[0]), place_y(s, c[k].y[0]));
        for (int i = 0; i < c[k].n; i++)
            fprintf(f, "%.1f,%.1f ", place_x(s, c[k].x[i]), place_y(s, c[k].y[i]));
        int y = TOP + 20 + 20 * k;
        fprintf(f,
                "\"/>\n<path stroke=\"%s\" stroke-width=\"3\" d=\"M%d %dh24\"/><text x=\"%d\" "
                "y=\"%d\">%s</text>\n",
                c[k].colour, WIDTH - 150, y, WIDTH - 118, y + 4, c[k].name);
    }
}

bool chart_write(const char *path, const char *title, const char *x_label, const char *y_label,
                 const chart_curve *curve, int n) {
    FILE *f = fopen(path, "w");
    if (!f) return perror(path), false;
    scale s = fit(curve, n);
    fprintf(f,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d "
            "%d\" font-family=\"sans-serif\" "
            "font-size=\"13\">\n<style>.grid{stroke:#ddd}.axis{stroke:#333;fill:none}</style>\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<text x=\"%d\" y=\"26\" "
            "font-size=\"16\">%s</text>\n",
            WIDTH, HEIGHT, WIDTH, HEIGHT, LEFT, title);
    x_ticks(f, &s);
    y_ticks(f, &s);
    curves(f, &s, curve, n);
    fprintf(f,
            "<path class=\"axis\" d=\"M%d %dV%dH%d\"/>\n<text x=\"%d\" y=\"%d\" "
            "text-anchor=\"middle\">%s</text>\n",
            LEFT, TOP, HEIGHT - BOTTOM, WIDTH - RIGHT, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 14,
            x_label);
    fprintf(f,
            "<text transform=\"translate(18 %d) rotate(-90)\" "
            "text-anchor=\"middle\">%s</text>\n</svg>\n",
            HEIGHT / 2, y_label);
    bool ok = !ferror(f);
    ok = !fclose(f) && ok;
    if (!ok) perror(path);
    return ok;
}
