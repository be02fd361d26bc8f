/* mlp.h - a training step as a graph: 3-layer perceptron, cross-entropy, Adam, everything donated. */
#ifndef BRAZE_TEST_MLP_H
#define BRAZE_TEST_MLP_H

#include "src/passes/pass.h"

/* Inputs: x [batch, in], y i64 [batch], w1 b1 w2 b2 w3 b3, their moments, t (steps so far, f32), lr. Outputs: loss, then new
 * parameters and moments and t, each donated to its input. NULL on an error (printed). */
ir_module *mlp_step(int64_t batch, int64_t in, int64_t hidden, int64_t classes);

#endif
