/* map.h - elementwise loops over tiles, where an input is transposed. Internal to map.c and the schedules that take its tiles. */
#ifndef BRAZE_MAP_H
#define BRAZE_MAP_H

#include "src/passes/cpu/cpu.h"

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

/* ---- gpu/turn_block.c: the loops, by blocks of threads, through shared memory */
bool lower_tiles_block(lower *l, map_tiles *t);
/* ---- gpu/map_block.c: all elements; the inner axes of several rows are whole vectors */
/* Lanes of a thread's vectors along c: 16 bytes of the widest dtype that is read (l->c) or stored along it. */
unsigned gpu_lanes(const lower *l, ir_ex c);
bool lower_elements_block(lower *l, const map_space *s, unsigned lanes);

#endif
