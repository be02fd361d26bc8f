/* adam.h - what compiled training steps share: a state of n parameters, n first and n second moments, that Adam moves on. */
#ifndef EXAMPLES_ADAM_H
#define EXAMPLES_ADAM_H

#include <braze/braze.h>

/* The moments, state[n] .. state[3 n - 1]: zeros of the parameters' shapes. */
void adam_start(bz_tensor **state, int n);

/* A program whose inputs are `before` others, then the state, and whose outputs are the loss, then the state: every output of the
 * state takes the place of its input. NULL and an error in c, as bz_compile. */
bz_program *adam_compile(bz_context *c, bz_function *fn, int before, int n);

/* out[0 .. 3 n - 1]: the state after step number t (0-d) down the gradient of loss, at this rate. bz_grad's status. */
bz_status adam_step(bz_tensor *loss, bz_tensor *const *state, int n, bz_tensor *t, double rate,
                    bz_tensor **out);

#endif
