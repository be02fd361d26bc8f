/* random_maker.h - what the parts of the random graph maker share: the pool of nodes and the dice. */
#ifndef BRAZE_TEST_RANDOM_MAKER_H
#define BRAZE_TEST_RANDOM_MAKER_H

#include "tests/support/random_graph.h"

enum { POOL = 256, RANK = 5 };

typedef struct maker {
    ir_graph *g;
    const random_choice *c;
    uint64_t state;
    ir_ref pool[POOL];
    unsigned n;
} maker;

static inline uint32_t draw(maker *m, uint32_t below) {
    m->state = bz_mix(m->state, 0x9e3779b97f4a7c15u);
    return (uint32_t)(m->state >> 24) % below;
}

static inline bool chance(maker *m, unsigned percent) {
    return draw(m, 100) < percent;
}

static inline int64_t numel(const ir_graph *g, ir_ref r) {
    int64_t n = 0;
    ir_numel(g, r, &n);
    return n;
}

/* A node of the pool; half of the time one of the newest four, so that chains grow. */
ir_ref random_node(maker *m);
bz_dtype random_dtype(maker *m);
unsigned random_shape(maker *m, int64_t *shape); /* the rank */
ir_ref random_input(maker *m, bz_dtype t, const int64_t *shape, unsigned rank);
ir_ref random_partner(maker *m, ir_ref x); /* something that broadcasts with x */

/* An elementwise op with a float result of floats, on x and partners of it: for gradients. */
ir_ref random_smooth(maker *m, ir_ref x);

/* One call of a builder that is neither an elementwise op nor one of the moves of random_graph.c;
 * the result may be larger than the maker wants. Never an error in the graph. */
ir_ref random_builder(maker *m, ir_ref x);

#endif
