/* mlp.h - a 784-HIDDEN-HIDDEN-10 perceptron, trained with Adam.
 *
 * The step is one C function that serves every mode: called at once it runs eagerly or lazily,
 * handed to bz_compile it becomes a program, and that program can be exported.
 *
 *     in   x[b, 784] y[b] t  w1 b1 w2 b2 w3 b3  m of each  v of each
 *     out  loss           t  w1 b1 w2 b2 w3 b3  m of each  v of each
 *     All but the loss replace their input. */
#ifndef EXAMPLES_MLP_H
#define EXAMPLES_MLP_H

#include <braze/braze.h>

enum {
    MLP_PARAMS = 6,                 /* w1 b1 w2 b2 w3 b3 */
    MLP_STATE = 1 + 3 * MLP_PARAMS, /* t, parameters, first and second moments */
    STEP_IN = 2 + MLP_STATE,        /* x, y, state */
    STEP_OUT = 1 + MLP_STATE,       /* loss, state */
    TEST_IN = 2 + MLP_PARAMS,       /* x, y, parameters */
};

/* Names of the operands, for the exported header. */
extern const char *const mlp_step_in[STEP_IN], *const mlp_step_out[STEP_OUT];
extern const char *const mlp_test_in[TEST_IN], *const mlp_test_out[1];

/* Elements of parameter k. */
int64_t mlp_size(int k, int hidden);

/* state[MLP_STATE]: Kaiming-normal weights from the context's random stream, all else 0. Handles of
 * the current scope. */
void mlp_init(bz_context *c, int hidden, bz_tensor **state);

/* One training step (a bz_function). */
bz_status mlp_step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                   void *user);
/* Which output replaces which input of the step. */
void mlp_donate(int donate[STEP_IN]);

/* out[0]: how many of the x are recognised as y says, i64 (a bz_function). */
bz_status mlp_test(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                   void *user);

#endif
