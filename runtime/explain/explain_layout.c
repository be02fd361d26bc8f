/* explain_layout.c - where the boxes of a picture lie: kernels folded, in layers, in columns.
 *
 *     kernels --fold--> nodes --layers--> rows --columns--> pages side by side --order, place--> x, y
 *
 * fold      a part of the program that repeats at least three times in a row is drawn once, with its count
 * layers    a node lies below all that it reads from (list scheduling with a limit of boxes a layer)
 * columns   layers are cut into columns so that the picture is about as wide as a page, not one strip
 * order     after Sugiyama, Tagawa and Toda (1981): an arrow over several layers gets a point in each, and sweeps put
 *           every box and point at the mean place of its neighbours
 *
 * A link inside a column is a path; one to another column is two tags. All sizes are pixels. */
#include "runtime/explain/explain_layout.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PERIOD = 256, MAX_WIDE = 4, MAX_COLUMNS = 24, SWEEPS = 8, MIN_REPEATS = 3 };

/* ---- fold */

static bool same_kernel(const bz_kernel_report *a, const bz_kernel_report *b) {
    return strcmp(a->name, b->name) == 0 && a->nops == b->nops && a->segments == b->segments &&
           a->bytes_read == b->bytes_read && a->bytes_written == b->bytes_written &&
           a->flops == b->flops;
}

/* How often the `period` kernels from `at` on stand there in a row, at least 1. */
static int repeats(const bz_explanation *x, int at, int period) {
    int end = at + period;
    while (end < x->nkernels && same_kernel(&x->kernels[end], &x->kernels[end - period])) end++;
    return (end - at) / period;
}

/* Nodes for all kernels: at each place the period that leaves out most boxes. */
static bool fold(rt_picture *p) {
    const bz_explanation *x = p->x;
    for (int at = 0; at < x->nkernels;) {
        int period = 1, times = 1;
        for (int q = 1; q <= MAX_PERIOD && q * MIN_REPEATS <= x->nkernels - at; q++) {
            int r = repeats(x, at, q);
            if (r >= MIN_REPEATS && (r - 1) * q > (times - 1) * period) period = q, times = r;
        }
        for (int i = 0; i < period; i++) {
            rt_box b = {.kernel = at + i, .times = times, .period = period, .part = at};
            p->node_of[at + i] = (int)p->boxes.n;
            for (int r = 1; r < times; r++) p->node_of[at + i + r * period] = (int)p->boxes.n;
            if (!bz_vec_push(&p->boxes, b)) return false;
        }
        at += period * times;
    }
    for (uint32_t i = 0; i < p->boxes.n; i++) {
        rt_box *b = &p->boxes.p[i];
        for (int r = 0; r < b->times; r++) b->ns += x->kernels[b->kernel + r * b->period].ns;
    }
    return true;
}

/* ---- links: flows between nodes, one for each pair */

static int by_ends(const void *pa, const void *pb) {
    const rt_link *a = pa, *b = pb;
    if (a->from != b->from) return a->from < b->from ? -1 : 1;
    return (a->to > b->to) - (a->to < b->to);
}

static bool make_links(rt_picture *p) {
    for (int i = 0; i < p->x->nflows; i++) {
        const bz_flow_report *f = &p->x->flows[i];
        if (f->from < 0 || f->to < 0) continue;
        rt_link l = {.from = p->node_of[f->from], .to = p->node_of[f->to], .bytes = f->bytes};
        if (l.to <= l.from)
            p->boxes.p[l.from].carried += f->bytes; /* to the next turn of a part that repeats */
        else if (!bz_vec_push(&p->links, l))
            return false;
    }
    if (p->links.n) qsort(p->links.p, p->links.n, sizeof *p->links.p, by_ends);
    uint32_t n = 0;
    for (uint32_t i = 0; i < p->links.n; i++) {
        if (n && by_ends(&p->links.p[n - 1], &p->links.p[i]) == 0)
            p->links.p[n - 1].bytes += p->links.p[i].bytes;
        else
            p->links.p[n++] = p->links.p[i];
    }
    p->links.n = n;
    return true;
}

/* ---- layers. Links are sorted by where they start, so a box is placed before the links from it are looked at. */

static int layer_boxes(rt_picture *p, int wide, int *count) {
    int layers = 0;
    uint32_t link = 0;
    memset(count, 0, p->boxes.n * sizeof *count);
    for (uint32_t i = 0; i < p->boxes.n; i++) p->boxes.p[i].layer = 0;
    for (uint32_t i = 0; i < p->boxes.n; i++) {
        rt_box *b = &p->boxes.p[i];
        while (count[b->layer] >= wide) b->layer++;
        b->slot = count[b->layer]++;
        if (b->layer >= layers) layers = b->layer + 1;
        for (; link < p->links.n && p->links.p[link].from == (int)i; link++) {
            rt_box *to = &p->boxes.p[p->links.p[link].to];
            if (to->layer <= b->layer) to->layer = b->layer + 1;
        }
    }
    return layers;
}

/* Columns of `rows` layers; sets each box's column and row, the columns' widths, and the page. */
static void cut_columns(rt_picture *p, int layers, int rows, const int *count) {
    p->ncolumns = (layers + rows - 1) / rows;
    p->width = RT_MARGIN;
    for (int c = 0; c < p->ncolumns; c++) {
        int wide = 1;
        for (int l = c * rows; l < layers && l < (c + 1) * rows; l++)
            if (count[l] > wide) wide = count[l];
        p->width += wide * (RT_BOX_W + RT_GAP_X) + RT_COLUMN_GAP;
    }
    p->rows = rows < layers ? rows : layers;
    p->height = RT_TOP + p->rows * (RT_BOX_H + RT_GAP_Y);
}

static int links_cut(const rt_picture *p, int rows) {
    int n = 0;
    for (uint32_t i = 0; i < p->links.n; i++) {
        const rt_link *l = &p->links.p[i];
        n += p->boxes.p[l->from].layer / rows != p->boxes.p[l->to].layer / rows;
    }
    return n;
}

/* The number of boxes a layer and of layers a column whose page is nearest to 3 : 2; a link that is cut costs a little. */
static bool choose_shape(rt_picture *p) {
    int *count = bz_mem_zero(p->boxes.n + 1, sizeof *count), best_wide = 1, best_rows = 1;
    double best = INFINITY;
    if (!count) return false;
    for (int wide = 1; wide <= MAX_WIDE; wide++) {
        int layers = layer_boxes(p, wide, count);
        for (int columns = 1, last = 0; columns <= layers && columns <= MAX_COLUMNS; columns++) {
            int rows = (layers + columns - 1) / columns;
            if (rows == last) continue;
            last = rows;
            cut_columns(p, layers, rows, count);
            double shape = fabs(log(p->width / (1.5 * p->height))),
                   cut = p->links.n ? (double)links_cut(p, rows) / p->links.n : 0;
            if (shape + cut < best) best = shape + cut, best_wide = wide, best_rows = rows;
        }
    }
    p->layers = layer_boxes(p, best_wide, count);
    cut_columns(p, p->layers, best_rows, count);
    for (uint32_t i = 0; i < p->boxes.n; i++)
        p->boxes.p[i].column = p->boxes.p[i].layer / best_rows;
    bz_mem_free(count);
    return true;
}

/* ---- order: places (boxes, and points of links that pass) of each layer, moved to the means of their neighbours */

static rt_place *place_of(const rt_picture *p, int box) {
    return &p->places.p[p->boxes.p[box].place];
}

/* One place for each box, then chains of points for the links inside a column. */
static bool make_places(rt_picture *p) {
    for (uint32_t i = 0; i < p->boxes.n; i++) {
        rt_box *b = &p->boxes.p[i];
        rt_place q = {.layer = b->layer, .wide = RT_BOX_W, .x = b->slot * (RT_BOX_W + RT_GAP_X)};
        b->place = (int)p->places.n;
        if (!bz_vec_push(&p->places, q)) return false;
    }
    for (uint32_t i = 0; i < p->links.n; i++) {
        rt_link *l = &p->links.p[i];
        const rt_box *from = &p->boxes.p[l->from], *to = &p->boxes.p[l->to];
        l->tagged = from->column != to->column;
        l->points = (int)p->places.n;
        for (int y = from->layer + 1; !l->tagged && y < to->layer; y++) {
            rt_place q = {.layer = y, .wide = RT_LANE, .x = place_of(p, l->from)->x};
            if (!bz_vec_push(&p->places, q)) return false;
            l->npoints++;
        }
    }
    return true;
}

/* place k of a link: 0 its start, 1 .. npoints those between, npoints + 1 its end */
static rt_place *link_place(const rt_picture *p, const rt_link *l, int k) {
    if (k == 0) return place_of(p, l->from);
    return k > l->npoints ? place_of(p, l->to) : &p->places.p[l->points + k - 1];
}

static double middle(const rt_place *q) {
    return q->x + q->wide / 2.0;
}

static int by_wish(const void *pa, const void *pb) {
    const rt_place *a = *(rt_place *const *)pa, *b = *(rt_place *const *)pb;
    if (a->wish != b->wish) return a->wish < b->wish ? -1 : 1;
    return (a > b) - (a < b);
}

/* Places of one layer as near to their wishes as their widths let them: the mean of pushing to the right from the left end
 * and to the left from the right end, both of which keep the distances. */
static void spread(rt_place **row, int n, double *right) {
    qsort(row, (size_t)n, sizeof *row, by_wish);
    for (int i = n - 1; i >= 0; i--) {
        double x = row[i]->wish - row[i]->wide / 2.0;
        if (i + 1 < n && x > right[i + 1] - row[i]->wide - RT_GAP_X)
            x = right[i + 1] - row[i]->wide - RT_GAP_X;
        right[i] = x;
    }
    double left = -INFINITY;
    for (int i = 0; i < n; i++) {
        double x = row[i]->wish - row[i]->wide / 2.0;
        if (x < left) x = left;
        left = x + row[i]->wide + RT_GAP_X;
        row[i]->x = (x + right[i]) / 2;
    }
}

/* Wishes: the mean of the neighbours above (down) or below, or where the place is. */
static void set_wishes(rt_picture *p, bool down) {
    for (uint32_t i = 0; i < p->places.n; i++) p->places.p[i].sum = p->places.p[i].near = 0;
    for (uint32_t i = 0; i < p->links.n; i++) {
        const rt_link *l = &p->links.p[i];
        for (int k = 0; !l->tagged && k <= l->npoints; k++) {
            rt_place *a = link_place(p, l, k), *b = link_place(p, l, k + 1);
            rt_place *to = down ? b : a, *from = down ? a : b;
            to->sum += middle(from);
            to->near++;
        }
    }
    for (uint32_t i = 0; i < p->places.n; i++) {
        rt_place *q = &p->places.p[i];
        q->wish = q->near ? q->sum / q->near : middle(q);
    }
}

static int by_layer(const void *pa, const void *pb) {
    const rt_place *a = *(rt_place *const *)pa, *b = *(rt_place *const *)pb;
    if (a->layer != b->layer) return a->layer < b->layer ? -1 : 1;
    return (a > b) - (a < b);
}

static bool sweep(rt_picture *p) {
    int n = (int)p->places.n;
    rt_place **rows = bz_mem_alloc((size_t)(n + 1) * sizeof *rows);
    double *scratch = bz_mem_alloc((size_t)(n + 1) * sizeof *scratch);
    for (int i = 0; rows && i < n; i++) rows[i] = &p->places.p[i];
    if (rows) qsort(rows, (size_t)n, sizeof *rows, by_layer);
    for (int s = 0; rows && scratch && s < SWEEPS; s++) {
        set_wishes(p, s % 2 == 0);
        for (int at = 0, end; at < n; at = end) {
            for (end = at; end < n && rows[end]->layer == rows[at]->layer;) end++;
            spread(rows + at, end - at, scratch);
        }
    }
    bool good = rows && scratch;
    bz_mem_free(rows);
    bz_mem_free(scratch);
    return good;
}

/* ---- place: columns moved side by side, whole pixels */

static void set_positions(rt_picture *p) {
    double x = RT_MARGIN;
    for (int c = 0; c < p->ncolumns; c++) {
        double least = INFINITY, most = -INFINITY;
        int from = c * p->rows, to = from + p->rows;
        for (uint32_t i = 0; i < p->places.n; i++) {
            const rt_place *q = &p->places.p[i];
            if (q->layer < from || q->layer >= to) continue;
            least = fmin(least, q->x);
            most = fmax(most, q->x + q->wide);
        }
        for (uint32_t i = 0; i < p->places.n; i++) {
            rt_place *q = &p->places.p[i];
            if (q->layer < from || q->layer >= to) continue;
            q->x = floor(q->x - least + x);
            q->y = RT_TOP + (q->layer - from) * (RT_BOX_H + RT_GAP_Y);
        }
        x += most - least + RT_COLUMN_GAP;
    }
    p->width = (int)(x - RT_COLUMN_GAP + RT_MARGIN);
}

bool rt_picture_make(rt_picture *p, const bz_explanation *x) {
    *p = (rt_picture){.x = x};
    p->node_of = bz_mem_zero((size_t)x->nkernels + 1, sizeof *p->node_of);
    if (!p->node_of || !fold(p) || !make_links(p)) return false;
    if (!p->boxes.n) return p->width = RT_BOX_W, p->height = RT_TOP, true;
    if (!choose_shape(p) || !make_places(p) || !sweep(p)) return false;
    set_positions(p);
    return true;
}

void rt_picture_free(rt_picture *p) {
    bz_mem_free(p->node_of);
    bz_vec_free(&p->boxes);
    bz_vec_free(&p->links);
    bz_vec_free(&p->places);
}
