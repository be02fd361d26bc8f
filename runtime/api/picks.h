/* picks.h - the places where a tensor is not 0, asked for at once */
#ifndef RT_PICKS_H
#define RT_PICKS_H

#include "runtime/record/record.h"

typedef struct rt_picks {
    bz_context *c;
    unsigned rank;
    int64_t shape[IR_MAX_RANK];
    int64_t n, *at; /* row-major numbers of the elements, ascending */
} rt_picks;

/* Computes x; false with an error of bz_`op`: in a function that is traced there is no value. */
bool rt_picks_of(bz_tensor *x, const char *op, const char *site, rt_picks *p);
void rt_picks_free(rt_picks *p);
/* Along one axis, [n]; of all axes, [n, rank]; as numbers of elements, [n]. */
bz_tensor *rt_picks_axis(const rt_picks *p, unsigned axis, const char *site);
bz_tensor *rt_picks_rows(const rt_picks *p, const char *site);
bz_tensor *rt_picks_flat(const rt_picks *p, const char *site);

#endif
