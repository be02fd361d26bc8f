/* play.h - a random program of the public interface, step by step, beside the model of api_model.h.
 *
 *     player: a context, what the program holds (views with their model), dice; each action is one step
 *
 *     play.c          dice, pool, what the library says beside what the model says
 *     play_views.c    making tensors, foreign memory, views
 *     play_moves.c    parts of an axis, axes moved, rolled, rows at indices
 *     play_values.c   arithmetic, in-place ops, folds
 *     play_calls.c    compiled functions that donate, capture, differentiate
 *     play_mistakes.c calls that are refused
 *     play_grads.c    gradients, products with seeds, gradients of one's own, stopped ones
 *
 * The first difference stays in `fault`; an action whose operands do not fit does nothing. */
#ifndef BRAZE_TEST_PLAY_H
#define BRAZE_TEST_PLAY_H

#include "src/ir/base/base.h"
#include "tests/support/api_model.h"

enum { PLAY_STEPS = 60, PLAY_LIMIT = 1000, PLAY_FOREIGN = 4 };

/* Compiled functions of a player. */
typedef enum play_program {
    PLAY_SWAP,
    PLAY_UPDATE,
    PLAY_CAPTURED,
    PLAY_OWN_SLOPE,
    PLAY_PULL,
    PLAY_PROGRAMS
} play_program;

/* What the library says, the same in every way to run. */
typedef struct play_answer {
    bz_status status;
    char words[200]; /* of a mistake */
} play_answer;

typedef struct player {
    bz_context *c;
    uint64_t seed, state;
    const uint8_t *bytes; /* decide instead of the seed, a piece for each step; NULL: none */
    size_t nbytes;
    bool skip[PLAY_STEPS], trace;
    unsigned step, steps;
    int depth;
    api_view pool[API_VIEWS];
    unsigned n;
    api_view foreign[PLAY_FOREIGN]; /* the whole of each buffer, 1-d */
    unsigned nforeign;
    bz_program *program[PLAY_PROGRAMS];
    bz_tensor *bias; /* what PLAY_CAPTURED reads: i32[], its value 3 */
    char fault[600];
    /* Of each mistake, and of each gradient until there is foreign memory: a change of that ends the recording when it is read. */
    play_answer answers[PLAY_STEPS];
    unsigned nanswers;
    long complete[2]; /* gradients other than zero: BZ_EGRAD, BZ_OK */
} player;

/* ---- play.c */
uint32_t play_draw(player *p, uint32_t below);
bool play_chance(player *p, unsigned percent);
void play_note(const player *p, const char *fmt, ...) BZ_PRINTF(2, 3);
void play_fault(player *p, const char *fmt, ...) BZ_PRINTF(2, 3);
/* x's elements on the host against the model. */
void play_check(player *p, const api_view *x);
void play_drop(player *p, unsigned k); /* view k leaves the pool; its handle is not released */
/* Takes a new view into the pool; its handle's facts must be the model's. */
void play_keep(player *p, api_view x);
/* Is what the model says of r small enough for exact arithmetic? false: r is freed, the step does nothing. */
bool play_holds(api_view *r);
api_view *play_any(player *p);
unsigned play_number(const player *p, const api_view *x);
/* A view that may be broadcast to x's shape; NULL: none was found. */
api_view *play_partner(player *p, const api_view *x, bool same_dtype);
/* One of x's shape and dtype, both floats with elements. */
api_view *play_twin(player *p, const api_view *x);
/* Element i of r is element k of x. */
void play_set_to(api_view *r, int64_t i, const api_view *x, int64_t k);

/* ---- play_values.c */
double play_apply(unsigned op, double x, double y); /* number `op` of the binary ops: 1 is x - y */
/* x = v, which is play_apply(op, x, y), in place. */
void play_write_in_place(api_view *x, const api_view *y, unsigned op, const double *v);

/* ---- play_grads.c: x y - x, for floats of one shape, with slopes 2 and x instead of its own */
typedef struct play_own {
    bool none;         /* backward gives no gradient for y: 0 instead of x */
    bz_tensor *beside; /* added by forward, of the same shape and dtype; NULL: nothing is */
} play_own;
/* user: a play_own, NULL: an empty one. */
bz_status play_own_slope(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user);
/* beside NULL: nothing is added. */
api_view play_own_slope_model(const api_view *x, const api_view *y, bool none,
                              const api_view *beside);

/* ---- play_calls.c */
void play_compile(player *p); /* its programs */

/* ---- the actions */
typedef void play_action(player *p);
play_action play_make, play_borrow; /* play_views.c */
play_action play_slice, play_permute, play_expand, play_pick_row, play_reshape, play_diagonal;
play_action play_split, play_movedim, play_unflatten, play_roll; /* play_moves.c */
play_action play_get_rows, play_put_rows;
play_action play_compute, play_change, play_fill, play_convert; /* play_values.c */
play_action play_reduce, play_product, play_join;
play_action play_call_update, play_call_swap, play_call_captured; /* play_calls.c */
play_action play_call_own_slope, play_call_pull;
play_action play_gradient, play_slope, play_stop, play_custom; /* play_grads.c */
play_action play_mistake;                                      /* play_mistakes.c */

#endif
