/* map.h - elementwise loops over tiles, where an input is transposed. Internal to the schedules for them. */
#ifndef BRAZE_MAP_H
#define BRAZE_MAP_H

#include "src/passes/forms/forms.h"

typedef struct map_space {
    int64_t outer, inner;
    ir_ex o, c;
} map_space;

/* Tiles of rows r x columns c; r0, c0: of the tile at hand. What is read transposed waits in m->staged[0 .. m->nstaged], but for its array. */
typedef struct map_tiles {
    map_space s; /* o: the axes but r and c */
    int64_t rows;
    ir_ex r, r0, c0;
} map_tiles;

/* Makes the last `n` axes of the space the inner index, the others the outer one. */
void map_cut(lower *l, map_space *s, unsigned n);
/* As many inner axes as every access allows to be linear; all, if rows would be shorter than a vector. */
void map_choose_space(lower *l, map_space *s, unsigned lanes);
/* Looks for an axis among those outside `s` along which an input is transposed; without one `s` is as it was, of other symbols. */
bool map_choose_tiles(lower *l, map_space *s, unsigned lanes, map_tiles *t);

#endif
