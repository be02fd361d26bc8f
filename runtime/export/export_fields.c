/* export_fields.c - the members of struct NAME_args: inputs in order, then the outputs that have
 * memory of their own. */
#include "runtime/export/export.h"

#include <stdio.h>
#include <string.h>

/* ---- names */

static bool is_taken(const ex_fields *f, const char *name) {
    if (f->size_name && !strcmp(f->size_name, name)) return true;
    for (uint32_t i = 0; i < f->ninputs; i++)
        if (f->input[i].name && !strcmp(f->input[i].name, name)) return true;
    for (uint32_t i = 0; i < f->noutputs; i++)
        if (f->output[i].name && !strcmp(f->output[i].name, name)) return true;
    return false;
}

static const char *choose_name(ex_fields *f, const char *s, bool output) {
    char word[64], name[96];
    ex_member_name(word, s);
    snprintf(name, sizeof name, "%s", word);
    if (output && is_taken(f, name)) /* x and x_out say more than x and x_2 */
        snprintf(name, sizeof name, "%s%s", word, word[strlen(word) - 1] == '_' ? "out" : "_out");
    for (unsigned k = 2; is_taken(f, name); k++)
        snprintf(name, sizeof name, "%s%s%u", word, word[strlen(word) - 1] == '_' ? "" : "_", k);
    return bz_arena_str(&f->memory, name);
}

/* ---- places */

static bz_status make_field(ex_fields *f, ex_field *x, const ir_graph *g, const char *name,
                            bz_error *e) {
    bz_dtype t = ir_dtype(g, x->node);
    if (!ir_numel(g, x->node, &x->count))
        return bz_fail(e, BZ_EUNSUPPORTED,
                       "[export] %s has a symbolic dimension: give it a size before the export",
                       name);
    uint32_t size = x->align ? (uint32_t)sizeof(void *) : (uint32_t)ir_dtype_bytes(t);
    x->at = (f->workspace + size - 1) / size * size;
    f->workspace = x->at + size;
    x->type = ir_dtypes[t].c;
    x->name = choose_name(f, name, x->written);
    return x->name ? BZ_OK : bz_fail(e, BZ_ENOMEM, "out of memory for the export");
}

static bool is_donated(const ir_graph *g, uint32_t input) {
    for (uint32_t i = 0; i < g->outputs.n; i++)
        if (g->outputs.p[i].donated == (int)input) return true;
    return false;
}

/* What the header says of the random stream's inputs. */
static const char *random_note(ex_fields *f, const ex_function *fn, uint32_t i) {
    char text[120];
    if ((int)i == fn->key) return "the seed of the random stream";
    if ((int)i != fn->base) return NULL;
    snprintf(text, sizeof text, "place in the random stream: add %llu before the next call",
             (unsigned long long)fn->words);
    return bz_arena_str(&f->memory, text);
}

/* Numbers are handed over by value: scalars, and 0-d tensors that nothing is written over. */
static bz_status make_inputs(ex_fields *f, const ex_function *fn, bz_error *e) {
    const ir_graph *g = fn->g;
    bz_status s = BZ_OK;
    int baked = 0;
    for (uint32_t i = 0; i < g->inputs.n && !s; i++) {
        const ir_input *in = &g->inputs.p[i];
        ex_field *x = &f->input[i];
        bool value = in->scalar || (ir_at(g, in->node)->rank == 0 && !is_donated(g, i));
        x->node = in->node;
        x->align = value ? 0 : (uint32_t)ir_dtype_bytes(ir_dtype(g, in->node));
        x->note = random_note(f, fn, i);
        if (fn->baked && fn->baked[i])
            x->baked = ++baked;
        else
            s = make_field(f, x, g, in->name, e);
    }
    return s;
}

static bz_status make_outputs(ex_fields *f, const ir_graph *g, bz_error *e) {
    bz_status s = BZ_OK;
    for (uint32_t i = 0; i < g->outputs.n && !s; i++) {
        const ir_output *out = &g->outputs.p[i];
        ex_field *x = &f->output[i];
        x->node = out->node;
        x->written = true;
        x->align = (uint32_t)ir_dtype_bytes(ir_dtype(g, out->node));
        if (out->donated < 0)
            s = make_field(f, x, g, out->name, e);
        else if (g->inputs.p[out->donated].scalar)
            s = bz_fail(e, BZ_EARG, "[export] output %s cannot be written over the scalar %s",
                        out->name, g->inputs.p[out->donated].name);
        else
            f->input[out->donated].updated = true;
    }
    return s;
}

bz_status ex_fields_make(ex_fields *f, const ex_function *fn, bz_error *e) {
    const ir_graph *g = fn->g;
    *f = (ex_fields){.ninputs = g->inputs.n, .noutputs = g->outputs.n};
    f->input = bz_mem_zero(g->inputs.n + 1, sizeof *f->input);
    f->output = bz_mem_zero(g->outputs.n + 1, sizeof *f->output);
    if (!f->input || !f->output) return bz_fail(e, BZ_ENOMEM, "out of memory for the export");
    if (fn->size) {
        f->size_name = choose_name(f, fn->size->name, false);
        f->workspace = sizeof(int64_t);
        if (!f->size_name) return bz_fail(e, BZ_ENOMEM, "out of memory for the export");
    }
    bz_status s = make_inputs(f, fn, e);
    s = s ? s : make_outputs(f, g, e);
    f->workspace = (f->workspace + 7) / 8 * 8;
    return s;
}

void ex_fields_free(ex_fields *f) {
    bz_mem_free(f->input);
    bz_mem_free(f->output);
    bz_arena_free(&f->memory);
}
