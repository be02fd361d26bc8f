/* band.h - the parts of a band, and what they hand to one another: what the targets' schedules for bands share. Internal to src/passes.
 *
 * Each part is lowered as if it were alone: what it reads of the parts before it, it finds at the index it asks for, in a buffer of which
 * only the band's rows are there. */
#ifndef BRAZE_BAND_H
#define BRAZE_BAND_H

#include "src/passes/lower.h"

typedef struct band_parts {
    lower *l;
    const fuse_group *all;
    fuse_space space[FUSE_MAX_PARTS];
    BZ_VEC(ir_ref) outputs; /* what the kernel stores */
    BZ_VEC(lp_val) pointers;
    lp_val held[FUSE_MAX_PARTS]; /* memory for what is handed on: less than a value a part */
    int64_t columns;             /* of what is handed on */
} band_parts;

/* Of l's group. False: out of memory; band_close it either way. */
bool band_open(band_parts *w, lower *l);
void band_close(band_parts *w);
bool band_makes(const band_parts *w, unsigned k, ir_ref r); /* part k */
/* From now on part k is the group at hand, and stores what others read: in the band's memory, if that is there (first: the row with which the
 * band begins, of all rows counted as one axis), and where the kernel stores it. */
void band_enter(band_parts *w, unsigned k, lp_val first);
/* What part k hands on is read, from now on, where it lies. */
void band_bind(band_parts *w, unsigned k, lp_val first);
/* A pointer to the i-th handed value as if all its rows were there. */
lp_val band_whole(const band_parts *w, uint32_t i, lp_val first);

#endif
