/* random_graph.h - random tensor graphs that are right by construction, and smaller versions of a graph that still shows a fault. */
#ifndef BRAZE_TEST_RANDOM_GRAPH_H
#define BRAZE_TEST_RANDOM_GRAPH_H

#include "src/ir/ir.h"

typedef struct random_choice {
    unsigned nodes;    /* builder calls, about */
    int64_t max_numel; /* no tensor is larger */
    bool floats;       /* f64 and differentiable ops alone: for gradients */
    /* that decide instead of the seed, a piece (fuzz.h) for each node; NULL: none */
    const uint8_t *bytes;
    size_t nbytes;
} random_choice;

/* A module of one graph with one to four outputs; the same seed gives the same graph. */
ir_module *random_graph(uint64_t seed, const random_choice *c);

/* Does a graph of floats and differentiable ops choose from this one too? Elementwise ops only. */
bool random_is_differentiable(ir_op op);

typedef bool fault_shown(const ir_graph *g, void *context);
/* Makes *m smaller as long as `shown` says yes: outputs left out, nodes turned into inputs or into one of their operands. */
void shrink_graph(ir_module **m, fault_shown *shown, void *context);

#endif
