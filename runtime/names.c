/* names.c - names of inputs and outputs, made once, so that recording needs no memory for them. */
#include "runtime/rt.h"

#include <stdio.h>

const char *rt_name(bz_context *c, bool input, uint32_t number) {
    while (number >= (input ? c->in_names.n : c->out_names.n)) {
        char text[24];
        snprintf(text, sizeof text, input ? "in%u" : "out%u",
                 input ? c->in_names.n : c->out_names.n);
        const char *own = bz_arena_str(&c->names, text);
        if (!own || !(input ? bz_vec_push(&c->in_names, own) : bz_vec_push(&c->out_names, own)))
            return NULL;
    }
    return input ? c->in_names.p[number] : c->out_names.p[number];
}
