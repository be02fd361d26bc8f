/* explain_svg.c - the plan as a picture: boxes in layers, a bar of the time in each, arrows for buffers.
 *
 *     +--------------------------+     +--------------------------+
 *     | 0  dot+add+relu      x12 |     | 4  softmax    bottleneck |
 *     | #####..................  |     | ###############........  |
 *     | 12 us, 31 % ...          |     | ...                      |
 *     +------|-------------|-----+     +--------------------------+
 *            v 2 MiB       `-> 9 1 KiB: to a box in another column
 *
 * Where the boxes lie is explain_layout.c's. */
#include "runtime/explain/explain.h"
#include "runtime/explain/explain_layout.h"

#include <stdio.h>
#include <string.h>

enum { PAD = 12, LINE = 17, TEXT_ROOM = 49, NAME_ROOM = 30, MANY_ENDS = 6, SHEETS = 2, SHEET = 4 };

typedef struct picture {
    bz_text *t;
    const bz_explanation *x;
    rt_picture lay;
    double total;   /* of what the bars show */
    bool estimated; /* nothing was timed: limits instead */
    int bottleneck; /* box, -1: none */
} picture;

static void escape(bz_text *t, const char *s) {
    while (*s) {
        unsigned char c = (unsigned char)*s;
        if (c >= 0x20 && !strchr("<>&\"", c)) {
            bz_text_utf8(t, &s);
            continue;
        }
        s++;
        if (c == '<')
            bz_text_str(t, "&lt;");
        else if (c == '>')
            bz_text_str(t, "&gt;");
        else if (c == '&')
            bz_text_str(t, "&amp;");
        else if (c == '"')
            bz_text_str(t, "&quot;");
        else
            bz_text_str(t, " ");
    }
}

static void label(bz_text *t, int x, int y, const char *class, const char *s) {
    bz_textf(t, "<text x=\"%d\" y=\"%d\" class=\"%s\">", x, y, class);
    escape(t, s);
    bz_text_str(t, "</text>\n");
}

/* ---- shares */

static double weight(const picture *p, const rt_box *b) {
    return p->estimated ? p->x->kernels[b->kernel].limit_ns * b->times : b->ns;
}

static void find_shares(picture *p) {
    double most = 0;
    p->estimated = true;
    p->bottleneck = -1;
    for (uint32_t i = 0; i < p->lay.boxes.n; i++)
        if (p->lay.boxes.p[i].ns > 0) p->estimated = false;
    for (uint32_t i = 0; i < p->lay.boxes.n; i++) {
        double w = weight(p, &p->lay.boxes.p[i]);
        p->total += w;
        if (w > most && p->lay.boxes.n > 1) most = w, p->bottleneck = (int)i;
    }
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

/* "240 us, 31 % of the time, 87 % of memory's limit" */
static void box_times(const picture *p, const rt_box *b, char *dst, size_t room) {
    const bz_kernel_report *k = &p->x->kernels[b->kernel];
    char took[24], limit[24];
    size_t n = 0;
    *dst = 0;
    if (!p->estimated)
        n = (size_t)bz_snprintf(dst, room, "%s, %.0f %%", rt_show_time(took, sizeof took, b->ns),
                                p->total > 0 ? b->ns / p->total * 100 : 0);
    if (k->limit_ns <= 0) return;
    const char *what = k->memory_bound ? "memory" : "arithmetic";
    if (k->ns <= 0)
        snprintf(dst + n, room - n, "%slimit %s (%s)", n ? "; " : "",
                 rt_show_time(limit, sizeof limit, k->limit_ns * b->times), what);
    else if (rt_from_cache(k))
        snprintf(dst + n, room - n, "; from cache");
    else
        bz_snprintf(dst + n, room - n, "; %.0f %% of the limit (%s)", k->limit_ns / k->ns * 100,
                    what);
}

static void box_bytes(const bz_kernel_report *k, char *dst, size_t room) {
    char in[24], out[24], flops[24];
    snprintf(dst, room, "reads %s, writes %s, %sflop",
             rt_show_bytes(in, sizeof in, (double)k->bytes_read),
             rt_show_bytes(out, sizeof out, (double)k->bytes_written),
             rt_show_count(flops, sizeof flops, (double)k->flops));
}

/* "in: x, w  out: y", and what a part that repeats hands to its next turn. */
static void box_ends(const picture *p, const rt_box *b, char *dst, size_t room) {
    char in[TEXT_ROOM / 2], out[TEXT_ROOM / 2], carried[24];
    list_ends(p->x, b->kernel, true, in, sizeof in);
    list_ends(p->x, b->kernel, false, out, sizeof out);
    int n = snprintf(dst, room, "%s%s%s", in, *in && *out ? "  " : "", out);
    if (b->carried && n < (int)room)
        snprintf(dst + n, room - (size_t)n, "%snext turn: %s", n ? "  " : "",
                 rt_show_bytes(carried, sizeof carried, (double)b->carried));
}

/* Frame, with sheets behind it for the other turns of a part that repeats. */
static void box_frame(picture *p, const rt_box *b, int x, int y, const char *class, bool slowest) {
    for (int sheet = b->times > 1 ? SHEETS : 0; sheet >= 0; sheet--)
        bz_textf(p->t,
                 "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" rx=\"6\" class=\"%s%s%s\"/>\n",
                 x + SHEET * sheet, y + SHEET * sheet, RT_BOX_W, RT_BOX_H,
                 sheet ? "sheet " : "kernel ", class, slowest && !sheet ? " slowest" : "");
}

static void box_bar(picture *p, const rt_box *b, int x, int y, const char *class, bool slowest) {
    int wide = RT_BOX_W - 2 * PAD;
    if (p->total <= 0) return;
    bz_textf(p->t,
             "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"7\" class=\"track\"/>"
             "<rect x=\"%d\" y=\"%d\" width=\"%d.%d\" height=\"7\" class=\"bar-%s\"/>\n",
             x, y, wide, x, y, (int)(wide * weight(p, b) / p->total),
             (int)(wide * 10 * weight(p, b) / p->total) % 10, slowest ? "slowest" : class);
}

static void box_title(picture *p, const rt_box *b, int x, int y, bool slowest) {
    const bz_kernel_report *k = &p->x->kernels[b->kernel];
    char text[80], times[24] = "";
    snprintf(text, sizeof text, "%d  %.*s%s", b->kernel, NAME_ROOM, k->name,
             strlen(k->name) > NAME_ROOM ? "..." : "");
    label(p->t, x + PAD, y + 20, "name", text);
    if (b->times > 1) snprintf(times, sizeof times, "×%d", b->times);
    snprintf(text, sizeof text, "%s%s%s", slowest ? "bottleneck" : "", slowest && *times ? " " : "",
             times);
    if (*text) label(p->t, x + RT_BOX_W - PAD, y + 20, slowest ? "mark slow" : "mark", text);
}

/* What a pointer that rests on the box sees: everything that the box has no room for. */
static void box_hint(picture *p, const rt_box *b) {
    const bz_kernel_report *k = &p->x->kernels[b->kernel];
    char text[600];
    bz_textf(p->t, "<title>kernel %d", b->kernel);
    if (b->times > 1)
        bz_textf(p->t, " and %d more, every %d: %d to %d", b->times - 1, b->period,
                 b->kernel + b->period, b->kernel + (b->times - 1) * b->period);
    bz_text_str(p->t, "\n");
    escape(p->t, k->name);
    bz_text_str(p->t, "\n");
    rt_show_ops(text, sizeof text, k);
    escape(p->t, text);
    bz_text_str(p->t, "\n");
    rt_show_sites(text, sizeof text, k);
    escape(p->t, text);
    bz_text_str(p->t, "</title>\n");
}

static void box(picture *p, int i) {
    const rt_box *b = &p->lay.boxes.p[i];
    const rt_place *at = &p->lay.places.p[b->place];
    const bz_kernel_report *k = &p->x->kernels[b->kernel];
    const char *class = k->limit_ns <= 0 || k->memory_bound ? "memory" : "compute";
    char text[TEXT_ROOM + 16];
    int x = (int)at->x, y = (int)at->y;
    bool slowest = i == p->bottleneck;
    bz_text_str(p->t, "<g>");
    box_hint(p, b);
    box_frame(p, b, x, y, class, slowest);
    box_title(p, b, x, y, slowest);
    x += PAD;
    box_bar(p, b, x, y + 28, class, slowest);
    box_times(p, b, text, TEXT_ROOM);
    label(p->t, x, y + 50, "time", text);
    rt_show_ops(text, k->segments > 1 ? TEXT_ROOM - 11 : TEXT_ROOM, k);
    if (k->segments > 1)
        snprintf(text + strlen(text), sizeof text - strlen(text), " (%d parts)", k->segments);
    label(p->t, x, y + 50 + LINE, "ops", text);
    box_bytes(k, text, TEXT_ROOM);
    label(p->t, x, y + 50 + 2 * LINE, "small", text);
    box_ends(p, b, text, TEXT_ROOM);
    label(p->t, x, y + 50 + 3 * LINE, "small", text);
    rt_show_sites(text, TEXT_ROOM, k);
    label(p->t, x, y + 49 + 4 * LINE, "site", text);
    bz_text_str(p->t, "</g>\n");
}

/* ---- arrows */

static double next_x(const picture *p, const rt_link *l, bool out) {
    const rt_box *other = &p->lay.boxes.p[out ? l->to : l->from];
    if (l->npoints) return p->lay.places.p[out ? l->points : l->points + l->npoints - 1].x;
    return p->lay.places.p[other->place].x;
}

/* Where on its box a link starts or ends: the box's ends in the order in which their other ends lie. *n: how many. */
static int end_x(const picture *p, const rt_link *l, bool out, int *n) {
    int box = out ? l->from : l->to, rank = 0;
    double mine = next_x(p, l, out);
    *n = 0;
    for (uint32_t i = 0; i < p->lay.links.n; i++) {
        const rt_link *k = &p->lay.links.p[i];
        if ((out ? k->from : k->to) != box) continue;
        double its = next_x(p, k, out);
        rank += its < mine || (its == mine && k < l);
        ++*n;
    }
    return (int)p->lay.places.p[p->lay.boxes.p[box].place].x + RT_BOX_W * (rank + 1) / (*n + 1);
}

static int box_y(const picture *p, int box) {
    return (int)p->lay.places.p[p->lay.boxes.p[box].place].y;
}

/* Below the sheets of a box that stands for several. */
static int box_end(const picture *p, int box) {
    return box_y(p, box) + RT_BOX_H + (p->lay.boxes.p[box].times > 1 ? SHEETS * SHEET : 0);
}

static void curve(bz_text *t, int x, int y, int to_x, int to_y) {
    int middle = (y + to_y) / 2;
    bz_textf(t, "C%d %d %d %d %d %d", x, middle, to_x, middle, to_x, to_y);
}

/* A line from below the one box to above the other, through its places. */
static void line(picture *p, const rt_link *l, int x, int to_x, const char *bytes) {
    int y = box_end(p, l->from);
    bz_textf(p->t, "<path d=\"M%d %d", x, y);
    for (int k = 0; k < l->npoints; k++) {
        const rt_place *q = &p->lay.places.p[l->points + k];
        int px = (int)q->x + q->wide / 2;
        curve(p->t, x, y, px, (int)q->y);
        x = px, y = (int)q->y + RT_BOX_H;
        bz_textf(p->t, "V%d", y);
    }
    curve(p->t, x, y, to_x, box_y(p, l->to) - 3);
    bz_textf(p->t, "\" class=\"flow\"><title>kernel %d to %d: %s</title></path>\n",
             p->lay.boxes.p[l->from].kernel, p->lay.boxes.p[l->to].kernel, bytes);
}

static void arrow(picture *p, const rt_link *l) {
    char bytes[32];
    int n, x = end_x(p, l, true, &n), to_x = end_x(p, l, false, &n);
    rt_show_bytes(bytes, sizeof bytes, (double)l->bytes);
    if (!l->tagged)
        line(p, l, x, to_x, bytes);
    else
        bz_textf(p->t,
                 "<path d=\"M%d %dv14\" class=\"flow\"/><path d=\"M%d %dv14\" class=\"flow\"/>\n",
                 x, box_end(p, l->from), to_x, box_y(p, l->to) - 17);
}

/* Below the one box the size, unless there are too many beside it; to another column: the numbers of the boxes. */
static void arrow_label(picture *p, const rt_link *l) {
    char bytes[32], text[64];
    int n, m, x = end_x(p, l, true, &n) + 5, to_x = end_x(p, l, false, &m) + 5,
              y = box_end(p, l->from) + 14;
    rt_show_bytes(bytes, sizeof bytes, (double)l->bytes);
    if (!l->tagged) {
        if (n < MANY_ENDS) label(p->t, x, y, "size", bytes);
        return;
    }
    snprintf(text, sizeof text, "to %d%s%s", p->lay.boxes.p[l->to].kernel,
             n < MANY_ENDS ? ": " : "", n < MANY_ENDS ? bytes : "");
    label(p->t, x, y, "tag", text);
    snprintf(text, sizeof text, "%d", p->lay.boxes.p[l->from].kernel);
    label(p->t, to_x, box_y(p, l->to) - 9, "tag", text);
}

/* ---- the picture */

static const char style[] =
    "<style>text{font:11px ui-monospace,monospace;fill:#222}.name,.mark{font-weight:bold;font-size:"
    "13px}.mark{text-anchor:end}.title{font-size:15px;font-weight:bold}"
    ".small,.site,.tag{fill:#555}.size,.tag{paint-order:stroke;stroke:#fff;stroke-width:3px;fill:#"
    "555}.site{font-style:italic}.tag{font-weight:bold}.slow{fill:#b3261e}"
    ".memory{fill:#e8f1fb;stroke:#4a7fb5}.compute{fill:#fdf0e3;stroke:#c77d2e}"
    ".slowest{stroke:#b3261e;stroke-width:2.5}.track{fill:#fff;stroke:#ccc;stroke-width:.5}"
    ".bar-memory{fill:#4a7fb5}.bar-compute{fill:#c77d2e}.bar-slowest{fill:#b3261e}"
    ".flow{fill:none;stroke:#666;stroke-width:1.4;marker-end:url(#tip)}</style>\n"
    "<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"6\" refY=\"4\" markerWidth=\"7\" "
    "markerHeight=\"7\" orient=\"auto\"><path d=\"M0 0L8 4L0 8z\" "
    "fill=\"#666\"/></marker></defs>\n";

static void head(picture *p) {
    char text[200], arena[24], took[24];
    bool folded = (int)p->lay.boxes.n < p->x->nkernels;
    int width = p->lay.width < 640 ? 640 : p->lay.width, height = p->lay.height;
    bz_textf(p->t,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 "
             "%d %d\">\n<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
             width, height, width, height, width, height);
    bz_text_str(p->t, style);
    int n = snprintf(text, sizeof text, "%d kernel%s, temporaries %s", p->x->nkernels,
                     p->x->nkernels == 1 ? "" : "s",
                     rt_show_bytes(arena, sizeof arena, (double)p->x->arena_bytes));
    if (p->total > 0)
        snprintf(text + n, sizeof text - (size_t)n, p->estimated ? ", %s at best" : ", %s",
                 rt_show_time(took, sizeof took, p->total));
    label(p->t, RT_MARGIN, 28, "title", text);
    snprintf(
        text, sizeof text,
        "bars: share of the time%s; blue: bound by memory, orange: by arithmetic; arrows: buffers",
        p->estimated ? " that the machine allows" : "");
    label(p->t, RT_MARGIN, 47, "small", text);
    if (folded)
        label(p->t, RT_MARGIN, 62, "small",
              "×n: stands for n equal kernels of a part that repeats; its times are their sum");
}

void rt_explain_svg(bz_text *t, const bz_explanation *x) {
    picture p = {.t = t, .x = x};
    if (rt_picture_make(&p.lay, x)) {
        find_shares(&p);
        head(&p);
        for (uint32_t i = 0; i < p.lay.links.n; i++) arrow(&p, &p.lay.links.p[i]);
        for (uint32_t i = 0; i < p.lay.links.n; i++) arrow_label(&p, &p.lay.links.p[i]);
        for (uint32_t i = 0; i < p.lay.boxes.n; i++) box(&p, (int)i);
        bz_text_str(t, "</svg>\n");
    } else {
        t->failed = true;
    }
    rt_picture_free(&p.lay);
}
