/* test_picture.c - pictures of plans: where boxes and arrows lie, what is folded, what is marked. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "runtime/explain/explain.h"
#include "runtime/explain/explain_layout.h"

enum { MOST = 600 };

/* A made-up explanation: kernel i is named names[i % period] when period > 0, else k<i>. */
typedef struct made {
    bz_kernel_report k[MOST];
    bz_flow_report f[4 * MOST];
    char names[MOST][12];
    bz_explanation x;
} made;

static made *make(int n, int period) {
    made *m = bz_mem_zero(1, sizeof *m);
    for (int i = 0; i < n; i++) {
        snprintf(m->names[i], sizeof m->names[i], "k%d", period ? i % period : i);
        m->k[i] = (bz_kernel_report){.name = m->names[i],
                                     .segments = 1,
                                     .bytes_read = 1024,
                                     .bytes_written = 1024,
                                     .limit_ns = 100,
                                     .memory_bound = true,
                                     .runs = 1,
                                     .ns = 1000};
    }
    m->x = (bz_explanation){.kernels = m->k, .flows = m->f, .nkernels = n};
    return m;
}

static void flow(made *m, int from, int to, int64_t bytes) {
    m->f[m->x.nflows++] = (bz_flow_report){from, to, "", BZ_F32, bytes};
}

static int count(const char *text, const char *part) {
    int n = 0;
    while ((text = strstr(text, part))) n++, text += strlen(part);
    return n;
}

static const rt_place *at(const rt_picture *p, uint32_t box) {
    return &p->places.p[p->boxes.p[box].place];
}

/* What holds for every picture. */
static void check(const rt_picture *p) {
    for (uint32_t i = 0; i < p->boxes.n; i++) {
        const rt_place *a = at(p, i);
        cr_assert(a->x >= RT_MARGIN && a->x + RT_BOX_W + RT_MARGIN <= p->width, "box %u", i);
        cr_assert(a->y >= RT_TOP && a->y + RT_BOX_H < p->height, "box %u", i);
        for (uint32_t k = i + 1; k < p->boxes.n; k++) {
            const rt_place *b = at(p, k);
            bool apart = a->x + RT_BOX_W + 10 <= b->x || b->x + RT_BOX_W + 10 <= a->x ||
                         a->y + RT_BOX_H + 10 <= b->y || b->y + RT_BOX_H + 10 <= a->y;
            cr_assert(apart, "boxes %u and %u", i, k);
        }
    }
    for (uint32_t i = 0; i < p->links.n; i++) {
        const rt_link *l = &p->links.p[i];
        const rt_box *from = &p->boxes.p[l->from], *to = &p->boxes.p[l->to];
        cr_assert_lt(from->layer, to->layer);
        if (l->tagged) continue;
        cr_assert_eq(l->npoints, to->layer - from->layer - 1);
        for (int k = 0; k < l->npoints; k++) /* an arrow passes no box */
            for (uint32_t b = 0; b < p->boxes.n; b++) {
                const rt_place *q = &p->places.p[l->points + k], *box = at(p, b);
                cr_assert(q->y != box->y || q->x + RT_LANE <= box->x || box->x + RT_BOX_W <= q->x);
            }
    }
}

static uint32_t rnd(uint32_t *s, uint32_t n) {
    *s = *s * 1664525u + 1013904223u;
    return (*s >> 8) % n;
}

Test(picture, boxes_never_meet) {
    for (uint32_t seed = 1; seed <= 60; seed++) {
        uint32_t s = seed;
        int n = 1 + (int)rnd(&s, seed % 10 ? 40 : 300);
        made *m = make(n, 0);
        rt_picture p;
        for (int i = 1; i < n; i++)
            for (uint32_t e = rnd(&s, 4); e > 0; e--)
                flow(m, i - 1 - (int)rnd(&s, i < 9 ? (uint32_t)i : 9), i, 1 + rnd(&s, 1 << 20));
        cr_assert(rt_picture_make(&p, &m->x));
        cr_assert_eq(p.boxes.n, (uint32_t)n);
        check(&p);
        rt_picture_free(&p);
        bz_mem_free(m);
    }
}

/* A chain is no strip, long or short. */
Test(picture, pages_are_used) {
    static const int sizes[] = {4, 13, 60, 300};
    for (size_t i = 0; i < BZ_LEN(sizes); i++) {
        made *m = make(sizes[i], 0);
        rt_picture p;
        for (int k = 1; k < sizes[i]; k++) flow(m, k - 1, k, 4096);
        cr_assert(rt_picture_make(&p, &m->x));
        check(&p);
        double shape = (double)p.width / p.height;
        cr_expect(shape > 0.7 && shape < 3, "%d kernels: %d x %d", sizes[i], p.width, p.height);
        rt_picture_free(&p);
        bz_mem_free(m);
    }
}

/* 0, then three kernels twenty times, then 61. */
Test(picture, repeated_parts_are_one) {
    made *m = make(62, 0);
    bz_text t = {0};
    rt_picture p;
    for (int i = 1; i <= 60; i++) {
        snprintf(m->names[i], sizeof m->names[i], "part%d", i % 3);
        flow(m, i - 1, i, 100);
    }
    flow(m, 60, 61, 100);
    m->k[2].ns = 500000; /* its twenty turns are the most */
    cr_assert(rt_picture_make(&p, &m->x));
    check(&p);
    cr_assert_eq(p.boxes.n, 5);
    cr_expect_eq(p.boxes.p[1].times, 20);
    cr_expect_eq(p.boxes.p[1].period, 3);
    cr_expect_eq(p.boxes.p[3].carried, 19 * 100, "what a turn hands to the next");
    cr_expect_eq(p.boxes.p[2].ns, 500000 + 19 * 1000);
    cr_expect_eq(p.node_of[59], 2);
    rt_picture_free(&p);
    rt_explain_svg(&t, &m->x);
    cr_expect_eq(count(t.p, "×20</text>"), 3, "%s", t.p);
    cr_expect_eq(count(t.p, "bottleneck ×20</text>"), 1);
    cr_expect_eq(count(t.p, "class=\"kernel "), 5);
    cr_expect(strstr(t.p, "kernel 1 and 19 more, every 3: 4 to 58"));
    bz_text_free(&t);
    bz_mem_free(m);
}

Test(picture, every_buffer_is_drawn) {
    made *m = make(40, 0);
    bz_text t = {0};
    rt_picture p;
    int lines = 0;
    for (int i = 1; i < 40; i++) {
        flow(m, i - 1, i, 2048);
        if (i > 7) flow(m, i - 7, i, 1 << 20);
    }
    snprintf(m->names[3], sizeof m->names[3], "<a&\"b>\xff");
    m->k[5].ns = 50; /* faster than memory */
    cr_assert(rt_picture_make(&p, &m->x));
    check(&p);
    for (uint32_t i = 0; i < p.links.n; i++) lines += p.links.p[i].tagged ? 2 : 1;
    cr_expect_eq(p.links.n, 39 + 32);
    rt_explain_svg(&t, &m->x);
    cr_expect_eq(count(t.p, "class=\"flow\""), lines);
    cr_expect_geq(count(t.p, "1 MiB"), 32);
    cr_expect_eq(count(t.p, "bottleneck"), 1);
    cr_expect_eq(count(t.p, "from cache"), 1);
    cr_expect_eq(count(t.p, "<text"), count(t.p, "</text>"));
    cr_expect_eq(count(t.p, "<g>"), count(t.p, "</g>"));
    cr_expect(strstr(t.p, "3  &lt;a&amp;&quot;b&gt;\uFFFD</text>"));
    rt_picture_free(&p);
    bz_text_free(&t);
    bz_mem_free(m);
}

Test(picture, without_times_and_without_kernels) {
    made *m = make(3, 0);
    bz_text t = {0};
    for (int i = 0; i < 3; i++) m->k[i].ns = 0;
    rt_explain_svg(&t, &m->x);
    cr_expect(strstr(t.p, "300 ns at best"), "%s", t.p);
    cr_expect(strstr(t.p, "share of the time that the machine allows"));
    m->x.nkernels = 0;
    rt_explain_svg(&t, &m->x);
    cr_expect(strstr(t.p, "0 kernels"));
    bz_text_free(&t);
    bz_mem_free(m);
}
