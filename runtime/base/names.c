/* names.c - names of inputs and outputs, made once, so that recording needs no memory for them. */
#include "runtime/base/context.h"

#include <stdio.h>

const char *rt_name(bz_context *c, bool input, uint32_t number) {
    while (number >= (input ? c->names->inputs.n : c->names->outputs.n)) {
        char text[24];
        snprintf(text, sizeof text, input ? "in%u" : "out%u",
                 input ? c->names->inputs.n : c->names->outputs.n);
        const char *own = bz_arena_str(&c->names->memory, text);
        if (!own ||
            !(input ? bz_vec_push(&c->names->inputs, own) : bz_vec_push(&c->names->outputs, own)))
            return NULL;
    }
    return input ? c->names->inputs.p[number] : c->names->outputs.p[number];
}

void rt_names_free(rt_names *n) {
    bz_vec_free(&n->inputs);
    bz_vec_free(&n->outputs);
    bz_arena_free(&n->memory);
}
