/* outputs.c - where a run's outputs go: DIR/NAME.npy, one FILE.npz, or a file of its own for each that has one.
 *
 *     --out --> paths --> directories that are missing --> files, all or none
 *                         ^--------- gone again ----------------' */
#include "tools/tool.h"

#include <string.h>

/* ---- options */

/* "y=/a/y.npy" is one output's file; a directory of such a name is written "./y=". */
static bool names_output(const char *value) {
    size_t n = strcspn(value, "=/");
    return n && value[n] == '=';
}

bool tool_out_option(tool_args *a, tool_outs *o) {
    bool one = names_output(a->value);
    if (one && !bz_vec_push(&o->each, a->value)) return a->status = TOOL_ENVIRONMENT, false;
    if (!one && o->all)
        return tool_usage(a, "--out %s: --out %s is given already", a->value, o->all), false;
    if (!one) o->all = a->value;
    if (o->all && o->each.n)
        return tool_usage(
                   a, "--out %s and --out %s: all outputs to one place, or NAME=FILE.npy for each",
                   o->all, o->each.p[0]),
               false;
    return true;
}

/* ---- is it known before the run that they cannot be written? */

static bool safe_name(const char *s) {
    return *s && *s != '.' && !strchr(s, '/') && strlen(s) < 200;
}

static const char *output_named(const ir_graph *g, const char *text) {
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        size_t n = strlen(g->outputs.p[i].name);
        if (!strncmp(text, g->outputs.p[i].name, n) && text[n] == '=') return text + n + 1;
    }
    return NULL;
}

/* --out NAME=FILE number i names an output, and a file that no other has. */
static void check_one(const tool_outs *o, uint32_t i, const ir_graph *g, bz_error *e) {
    const char *text = o->each.p[i], *path = output_named(g, text);
    bz_text names = {0};
    for (uint32_t k = 0; k < g->outputs.n; k++)
        bz_textf(&names, k ? ", %s" : "%s", g->outputs.p[k].name);
    if (!path)
        bz_fail(e, BZ_EARG, "--out %s: the program has no such output; it has %s", text,
                bz_text_c(&names));
    else if (!*path || path[strlen(path) - 1] == '/' || tool_is_npz(path))
        bz_fail(e, BZ_EARG, "--out %s: NAME=FILE.npy is wanted, or DIR, or FILE.npz alone", text);
    bz_text_free(&names);
    for (uint32_t k = 0; k < i && path && !e->status; k++) {
        const char *other = output_named(g, o->each.p[k]);
        if (!strncmp(o->each.p[k], text, (size_t)(path - text)))
            bz_fail(e, BZ_EARG, "--out %s: this output is given twice", text);
        else if (!strcmp(other, path))
            bz_fail(e, BZ_EARG, "--out %s: the file is another output's: --out %s", text,
                    o->each.p[k]);
    }
}

bz_status tool_outs_check(const tool_outs *o, const ir_graph *g, bz_error *e) {
    bool apart = o->all && !tool_is_npz(o->all);
    for (uint32_t i = 0; i < g->outputs.n && apart && !e->status; i++)
        if (!safe_name(g->outputs.p[i].name))
            bz_fail(e, BZ_EARG, "output '%s' has no name for a file", g->outputs.p[i].name);
    for (uint32_t i = 0; i < o->each.n && !e->status; i++) check_one(o, i, g, e);
    return e->status;
}

bool tool_out_path(const tool_outs *o, const char *name, bz_text *path) {
    size_t n = strlen(name);
    if (o->all) bz_textf(path, tool_is_npz(o->all) ? "%s:%s" : "%s/%s.npy", o->all, name);
    for (uint32_t i = 0; i < o->each.n; i++)
        if (!strncmp(o->each.p[i], name, n) && o->each.p[i][n] == '=')
            bz_text_str(path, o->each.p[i] + n + 1);
    return path->n != 0;
}

/* ---- writing */

typedef struct writing { /* of the outputs that have a file */
    const char **paths;
    ir_value_array *arrays;
    uint32_t n;
    bz_arena texts;
    tool_dirs dirs;
} writing;

static void find_files(writing *w, const tool_outs *o, const ir_graph *g,
                       const ir_value_array *results, bz_error *e) {
    bz_text path = {0};
    bool good = true;
    for (uint32_t i = 0; i < g->outputs.n && good; i++, path.n = 0) {
        if (!tool_out_path(o, g->outputs.p[i].name, &path)) continue;
        w->arrays[w->n] = results[i];
        w->paths[w->n] = bz_arena_str(&w->texts, bz_text_c(&path));
        good = !path.failed && w->paths[w->n++];
    }
    if (!good) bz_fail(e, BZ_ENOMEM, "out of memory");
    bz_text_free(&path);
}

static void write_apart(writing *w, const tool_outs *o, const ir_graph *g,
                        const ir_value_array *results, bz_error *e) {
    find_files(w, o, g, results, e);
    for (uint32_t i = 0; i < w->n && !e->status; i++) tool_dirs_for(&w->dirs, w->paths[i], e);
    if (!e->status) rt_npy_save_all(w->paths, w->arrays, w->n, e);
}

static void write_together(writing *w, const tool_outs *o, const ir_graph *g,
                           const ir_value_array *results, bz_error *e) {
    for (uint32_t i = 0; i < g->outputs.n; i++) w->paths[i] = g->outputs.p[i].name;
    tool_dirs_for(&w->dirs, o->all, e);
    if (!e->status) rt_npz_save(o->all, w->paths, results, g->outputs.n, false, e);
}

bz_status tool_outs_write(const tool_outs *o, const ir_graph *g, const ir_value_array *results,
                          bz_error *e) {
    writing w = {.paths = bz_mem_zero(g->outputs.n + 1, sizeof *w.paths),
                 .arrays = bz_mem_zero(g->outputs.n + 1, sizeof *w.arrays)};
    if (!w.paths || !w.arrays)
        bz_fail(e, BZ_ENOMEM, "out of memory");
    else if (o->all && tool_is_npz(o->all))
        write_together(&w, o, g, results, e);
    else
        write_apart(&w, o, g, results, e);
    tool_dirs_done(&w.dirs, e->status == BZ_OK);
    bz_arena_free(&w.texts);
    bz_mem_free(w.paths);
    bz_mem_free(w.arrays);
    return e->status;
}

void tool_outs_free(tool_outs *o) {
    bz_vec_free(&o->each);
}
