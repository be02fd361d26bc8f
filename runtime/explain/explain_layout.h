/* explain_layout.h - the boxes and arrows of a picture of a plan, with their places. */
#ifndef RT_EXPLAIN_LAYOUT_H
#define RT_EXPLAIN_LAYOUT_H

#include "braze/explain.h"
#include "src/ir/base/base.h"

enum {
    RT_MARGIN = 24,
    RT_TOP = 76,
    RT_BOX_W = 340,
    RT_BOX_H = 122,
    RT_GAP_X = 22,
    RT_GAP_Y = 44,
    RT_COLUMN_GAP = 56,
    RT_LANE = 18 /* room of an arrow that passes a layer */
};

typedef struct rt_box { /* a kernel, or one of a part that repeats */
    int kernel;         /* the first that it stands for */
    int times, period;  /* kernel, kernel + period ... times of them */
    int part;           /* first kernel of the repeated part */
    double ns;          /* of all of them together */
    int64_t carried;    /* bytes that go to the next turn */
    int layer, slot, column, place;
} rt_box;

typedef struct rt_link { /* buffers from one box to another */
    int from, to;
    int64_t bytes;
    bool tagged;         /* it goes to another column: a tag at each end instead of a line */
    int points, npoints; /* places that it passes through */
} rt_link;

typedef struct rt_place { /* of a box, or of an arrow that passes a layer */
    int layer, wide, near;
    double x, y, wish, sum;
} rt_place;

typedef struct rt_picture {
    const bz_explanation *x;
    int *node_of; /* kernel -> box */
    BZ_VEC(rt_box) boxes;
    BZ_VEC(rt_link) links;
    BZ_VEC(rt_place) places;
    int layers, rows, ncolumns; /* rows: layers of a column */
    int width, height;
} rt_picture;

/* Lays out x, which must live as long as p. False when out of memory; rt_picture_free in either case. */
bool rt_picture_make(rt_picture *p, const bz_explanation *x);
void rt_picture_free(rt_picture *p);

#endif
