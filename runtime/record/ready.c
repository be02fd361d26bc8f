/* ready.c - what may be done while a function of the host's is recorded. */
#include "runtime/record/compiled.h"

#include <string.h>

bool rt_traces(const bz_context *c) {
    return !strcmp(c->function->op, "compile");
}

const char *rt_doing(const bz_context *c) {
    static const struct {
        const char *op, *records, *runs;
    } by[] = {{"compile", "bz_compile traces", "bz_compile traces"},
              {"cond", "bz_cond records", "bz_cond runs"},
              {"while", "bz_while records", "bz_while runs"},
              {"for", "bz_for records", "bz_for runs"},
              {"vmap", "bz_vmap records", "bz_vmap records"}};
    for (unsigned i = 0; i < BZ_LEN(by); i++)
        if (!strcmp(c->function->op, by[i].op))
            return rt_in_function(c) ? by[i].records : by[i].runs;
    return "bz_custom_grad records";
}

bz_status rt_ready(bz_context *c, const char *op, const char *what, const char *remedy) {
    if (!rt_in_function(c)) return BZ_OK;
    const char *site = c->epoch->g->site;
    return rt_fail(c, BZ_EMODE, site ? site : c->function->site, op, "%s while %s a function: %s",
                   what, rt_doing(c), remedy);
}

bz_status rt_ready_to_read(bz_context *c, const char *op) {
    if (!rt_in_function(c)) rt_does(c, op, NULL);
    return rt_ready(c, op, "no values", "return the tensor instead");
}
