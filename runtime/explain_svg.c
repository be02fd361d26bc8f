/* explain_svg.c - the plan as a picture: a box for each kernel, from top to bottom in the order of running.
 *
 *     +---------------------------+
 *     | 0  dot+add+relu     12 us |--.      a buffer for the next kernel: straight down
 *     | in: x, w, b    out: ...   |  |      for a later one: along a lane of its own on the right
 *     +------------|--------------+  |
 *     +------------v--------------+  |
 *     | 1  softmax                |<-'
 *     +---------------------------+
 *
 * Lanes are given out from left to right: two buffers share one only when one ends above where the other begins. */
#include "runtime/explain.h"

#include <stdio.h>
#include <string.h>

enum {
    LEFT = 24,
    TOP = 64,
    BOX_W = 620,
    BOX_H = 92,
    GAP = 34,
    LANE_W = 14,
    LINE = 17,
    TEXT_ROOM = 92
};

typedef struct lane_use {
    int from, to, lane;
    int64_t bytes;
} lane_use;
typedef struct picture {
    bz_text *t;
    const bz_explanation *x;
    BZ_VEC(lane_use) far; /* flows to a kernel that is not the next one, one for each pair */
    int lanes;
} picture;

static int box_y(int kernel) {
    return TOP + kernel * (BOX_H + GAP);
}

static void escape(bz_text *t, const char *s) {
    for (; *s; s++) {
        unsigned char c = (unsigned char)*s;
        if (c == '<')
            bz_text_str(t, "&lt;");
        else if (c == '>')
            bz_text_str(t, "&gt;");
        else if (c == '&')
            bz_text_str(t, "&amp;");
        else if (c == '"')
            bz_text_str(t, "&quot;");
        else
            bz_textf(t, "%c", c < 0x20 ? ' ' : c);
    }
}

static void label(bz_text *t, int x, int y, const char *class, const char *s) {
    bz_textf(t, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
    escape(t, s);
    bz_text_str(t, "</text>\n");
}

/* ---- lanes */

static bool lane_is_free(const picture *p, int lane, int from, int to) {
    for (uint32_t i = 0; i < p->far.n; i++) {
        const lane_use *u = &p->far.p[i];
        if (u->lane == lane && u->from < to && from < u->to) return false;
    }
    return true;
}

/* Adds a buffer that passes over kernels between; one line for all buffers of a pair. */
static bool add_far(picture *p, int from, int to, int64_t bytes) {
    for (uint32_t i = 0; i < p->far.n; i++)
        if (p->far.p[i].from == from && p->far.p[i].to == to)
            return p->far.p[i].bytes += bytes, true;
    lane_use u = {from, to, 0, bytes};
    while (!lane_is_free(p, u.lane, from, to)) u.lane++;
    if (u.lane >= p->lanes) p->lanes = u.lane + 1;
    return bz_vec_push(&p->far, u);
}

static bool find_lanes(picture *p) {
    for (int i = 0; i < p->x->nflows; i++) {
        const bz_flow_report *f = &p->x->flows[i];
        if (f->from >= 0 && f->to > f->from + 1 && !add_far(p, f->from, f->to, f->bytes))
            return false;
    }
    return true;
}

/* ---- boxes */

/* "in: x, w" or "out: loss": inputs that a kernel reads, outputs that it writes. */
static void list_ends(const bz_explanation *x, int kernel, bool inputs, char *dst, size_t room) {
    size_t n = 0;
    *dst = 0;
    for (int i = 0; i < x->nflows; i++) {
        const bz_flow_report *f = &x->flows[i];
        bool mine = inputs ? f->from < 0 && f->to == kernel : f->to < 0 && f->from == kernel;
        if (!mine) continue;
        if (n + strlen(f->name) + 10 > room) {
            snprintf(dst + n, room - n, ", ...");
            return;
        }
        n += (size_t)snprintf(dst + n, room - n, "%s%s",
                              n        ? ", "
                              : inputs ? "in: "
                                       : "out: ",
                              f->name);
    }
}

static void box_numbers(const bz_kernel_report *k, char *dst, size_t room) {
    char in[24], out[24], flops[24], limit[24], took[24];
    int n = snprintf(dst, room, "reads %s, writes %s, %s flops",
                     rt_show_bytes(in, sizeof in, (double)k->bytes_read),
                     rt_show_bytes(out, sizeof out, (double)k->bytes_written),
                     rt_show_count(flops, sizeof flops, (double)k->flops));
    if (k->limit_ns > 0)
        n += snprintf(dst + n, room - (size_t)n, "; limit %s (%s)",
                      rt_show_time(limit, sizeof limit, k->limit_ns),
                      k->memory_bound ? "memory" : "compute");
    if (k->ns > 0)
        snprintf(dst + n, room - (size_t)n, "; took %s", rt_show_time(took, sizeof took, k->ns));
}

static void box(picture *p, int i) {
    const bz_kernel_report *k = &p->x->kernels[i];
    char text[TEXT_ROOM * 2], in[TEXT_ROOM / 2], out[TEXT_ROOM / 2];
    int x = LEFT + 12, y = box_y(i);
    bz_textf(p->t, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\" class=\"%s\"/>\n",
             LEFT, y, BOX_W, BOX_H, k->limit_ns <= 0 || k->memory_bound ? "memory" : "compute");
    snprintf(text, sizeof text, "%d  %.60s%s", i, k->name, strlen(k->name) > 60 ? "..." : "");
    if (k->segments > 1)
        snprintf(text + strlen(text), sizeof text - strlen(text), "  (%d side by side)",
                 k->segments);
    label(p->t, x, y + 20, "name", text);
    rt_show_ops(text, TEXT_ROOM, k);
    label(p->t, x, y + 20 + LINE, "ops", text);
    box_numbers(k, text, sizeof text);
    label(p->t, x, y + 20 + 2 * LINE, "small", text);
    list_ends(p->x, i, true, in, sizeof in);
    list_ends(p->x, i, false, out, sizeof out);
    snprintf(text, sizeof text, "%s%s%s", in, *in && *out ? "   " : "", out);
    label(p->t, x, y + 20 + 3 * LINE, "small", text);
    rt_show_sites(text, TEXT_ROOM, k);
    label(p->t, x, y + 18 + 4 * LINE - 1, "site", text);
}

/* ---- arrows */

static void near_arrow(picture *p, int i) {
    int64_t bytes = 0;
    char text[32];
    for (int f = 0; f < p->x->nflows; f++)
        if (p->x->flows[f].from == i && p->x->flows[f].to == i + 1) bytes += p->x->flows[f].bytes;
    if (!bytes) return;
    int x = LEFT + BOX_W / 2, y = box_y(i) + BOX_H;
    bz_textf(p->t, "<path d=\"M%d %dV%d\" class=\"flow\"/>\n", x, y, y + GAP - 3);
    label(p->t, x + 8, y + GAP / 2 + 4, "small", rt_show_bytes(text, sizeof text, (double)bytes));
}

static void far_arrow(picture *p, const lane_use *u) {
    int right = LEFT + BOX_W, lane = right + 14 + u->lane * LANE_W,
        spread = 10 + u->lane * 5 % (BOX_H / 2 - 14);
    char text[32];
    bz_textf(
        p->t,
        "<path d=\"M%d %dH%dV%dH%d\" class=\"flow\"><title>kernel %d to %d: %s</title></path>\n",
        right, box_y(u->from) + BOX_H - spread, lane, box_y(u->to) + spread, right + 3, u->from,
        u->to, rt_show_bytes(text, sizeof text, (double)u->bytes));
}

/* ---- the picture */

static const char style[] =
    "<style>text{font:12px "
    "ui-monospace,monospace;fill:#222}.name{font-weight:bold;font-size:13px}.title{font-size:15px;"
    "font-weight:bold}.small,.site{font-size:11px;fill:#555}.site{font-style:italic}.memory{fill:#"
    "e8f1fb;stroke:#4a7fb5}"
    ".compute{fill:#fdf0e3;stroke:#c77d2e}.flow{fill:none;stroke:#666;stroke-width:1.4;marker-end:"
    "url(#tip)}</style>\n"
    "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"7\" "
    "markerHeight=\"7\" "
    "orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" fill=\"#666\"/></marker></defs>\n";

static void head(picture *p) {
    char text[160], arena[24];
    int width = LEFT * 2 + BOX_W + 20 + p->lanes * LANE_W, height = box_y(p->x->nkernels) + 10;
    bz_textf(p->t,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 "
             "%d %d\">\n"
             "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
             width, height, width, height, width, height);
    bz_text_str(p->t, style);
    snprintf(text, sizeof text, "%d kernel%s, temporaries %s", p->x->nkernels,
             p->x->nkernels == 1 ? "" : "s",
             rt_show_bytes(arena, sizeof arena, (double)p->x->arena_bytes));
    label(p->t, LEFT, 28, "title", text);
    label(p->t, LEFT, 47, "small",
          "blue: bound by memory; orange: bound by arithmetic; arrows: buffers");
}

void rt_explain_svg(bz_text *t, const bz_explanation *x) {
    picture p = {.t = t, .x = x};
    t->failed |= !find_lanes(&p);
    head(&p);
    for (int i = 0; i < x->nkernels; i++) {
        box(&p, i);
        near_arrow(&p, i);
    }
    for (uint32_t i = 0; i < p.far.n; i++) far_arrow(&p, &p.far.p[i]);
    bz_text_str(t, "</svg>\n");
    bz_vec_free(&p.far);
}
