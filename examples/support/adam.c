/* adam.c - see adam.h. */
#include "examples/support/adam.h"

#include <stdlib.h>

void adam_start(bz_tensor **state, int n) {
    for (int k = 0; k < n; k++) {
        bz_tensor *p = state[k];
        for (int moment = 1; moment <= 2; moment++)
            state[moment * n + k] = bz_zeros(bz_context_of(p), bz_shape(p), bz_ndim(p), BZ_F32);
    }
}

bz_program *adam_compile(bz_context *c, bz_function *fn, int before, int n) {
    int *donate = malloc((size_t)(before + 3 * n) * sizeof *donate);
    if (!donate) return NULL;
    for (int i = 0; i < before + 3 * n; i++) donate[i] = i < before ? -1 : 1 + i - before;
    bz_program *p = bz_compile(
        c, fn, NULL,
        &(bz_compile_options){.nin = before + 3 * n, .nout = 1 + 3 * n, .donate = donate});
    free(donate);
    return p;
}

bz_status adam_step(bz_tensor *loss, bz_tensor *const *state, int n, bz_tensor *t, double rate,
                    bz_tensor **out) {
    bz_status s = bz_grad(loss, state, n, out);
    for (int k = 0; k < n && !s; k++) {
        bz_tensor **m = &out[n + k], **v = &out[2 * n + k], *grad = out[k];
        *m = state[n + k], *v = state[2 * n + k];
        out[k] = bz_adam_step(state[k], grad, m, v, t, rate, NULL);
    }
    return s;
}
