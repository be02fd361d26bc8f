/* body.h - functions of bz_cond, bz_while and bz_for as graphs */
#ifndef RT_BODY_H
#define RT_BODY_H

#include "runtime/compile/trace.h"

/* A function that was recorded. */
typedef struct rt_body {
    rt_host_function f;
    ir_ref *operand, *out; /* f.nin, f.nout nodes */
} rt_body;

/* Those of one call, which the same operands go to: the functions' own, then what they captured. */
typedef struct rt_bodies {
    rt_rec *rec;
    ir_ref line; /* nodes before it are not the functions' */
    BZ_VEC(ir_ref) captured;
    ir_ref
        random; /* the node of the place in the random stream, where it moves from turn to turn by `words`; 0: it does not */
    int64_t lo; /* the first turn's number */
    uint64_t words;
} rt_bodies;

/* Output k is a tensor. */
bz_status rt_check_result(bz_context *c, const rt_host_function *f, int k, bz_tensor *out);
/* Runs f on operands of the types of the nodes `like`, without values; fills b's lists, which have room. */
bz_status rt_body_record(rt_bodies *q, rt_body *b, const ir_ref *like);
/* Of each node of the recording now: 0, or b's results are made of it, RT_BODY_OWN where the function made it itself. NULL: no memory. */
enum { RT_BODY_READ = 1, RT_BODY_OWN };
uint8_t *rt_body_needed(const rt_bodies *q, const rt_body *b);
/* What the functions read beside their operands. false: no memory. */
bool rt_bodies_capture(rt_bodies *q, const rt_body *b, unsigned n);
/* The number of the graph of a function, in the context's module; counts: the first operand is the turn's number, and the first
 * result the next one's. -1: an error in q->rec->g. */
int64_t rt_body_graph(const rt_bodies *q, const rt_body *b, bool counts);
/* A graph with the same operands as b's that gives true. */
int64_t rt_true_graph(const rt_bodies *q, const rt_body *b);

#endif
