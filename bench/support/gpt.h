/* gpt.h - the training step of a small transformer, as examples/gpt.c has it, at any size. */
#ifndef BENCH_GPT_H
#define BENCH_GPT_H

#include <braze/braze.h>

enum { GPT_LAYERS_MOST = 12, GPT_PARAMS_MOST = 2 + 4 * GPT_LAYERS_MOST };

typedef struct gpt_size {
    int batch, length, width, heads, layers, letters;
} gpt_size;

int gpt_inputs(const gpt_size *s);  /* letters, those after them, the step's number, parameters and two moments of each */
int gpt_outputs(const gpt_size *s); /* loss, parameters and moments: they take the inputs' places */
double gpt_flops(const gpt_size *s); /* of its products */
void gpt_start(bz_context *c, const gpt_size *s, bz_tensor **in);
void gpt_donate(const gpt_size *s, int *donate);
/* out of in; bz_grad's status. */
bz_status gpt_step(const gpt_size *s, bz_tensor *const *in, bz_tensor **out);

#endif
