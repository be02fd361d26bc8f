/* cmd_grad.c - braze grad: the program with its gradients, or its tangents, as further outputs. */
#include "tools/tool.h"

#include <stdio.h>
#include <string.h>

enum { GRAD_WRT, GRAD_OF, GRAD_ORDER, GRAD_FORWARD, GRAD_DIM, GRAD_AUTOCAST, GRAD_LOAD };

static const tool_option options[] = {
    {"wrt", "NAME,...", "inputs to differentiate by"},
    {"of", "NAME",
     "output to differentiate, 0-d (default: the first; forward: any shape, all floats)"},
    {"order", "N", "N > 1: also gradients of the sum of the gradients before (default 1)"},
    {"forward", NULL, "forward mode: further inputs t_NAME, and outputs t_OUTPUT, the tangents"},
    TOOL_DIM_OPTION,
    TOOL_AUTOCAST_OPTION,
    TOOL_LOAD_OPTION,
};

typedef struct grad_job {
    tool_files files;
    const char *wrt, *of;
    int64_t order;
    bool forward;
} grad_job;

static bool read_options(tool_args *a, grad_job *j) {
    for (int o; (o = tool_next(a)) != TOOL_END;) {
        if (o == TOOL_STOP) return false;
        if (o == GRAD_WRT) j->wrt = a->value;
        if (o == GRAD_OF) j->of = a->value;
        if (o == GRAD_FORWARD) j->forward = true;
        if (o == GRAD_AUTOCAST && !tool_autocast_option(a)) return false;
        if (o == GRAD_LOAD && !tool_load_option(a)) return false;
        if (o == GRAD_DIM && !tool_dim_option(a, &j->files)) return false;
        if (o == GRAD_ORDER && !tool_number(a, "order", 1, 8, &j->order)) return false;
    }
    if (!j->wrt) tool_usage(a, "--wrt is missing");
    if (j->forward && j->order > 1) tool_usage(a, "--forward has no --order");
    return j->wrt && !(j->forward && j->order > 1);
}

typedef struct wrt_list {
    BZ_VEC(ir_ref) nodes;
    BZ_VEC(const char *) names;
} wrt_list;

static bz_status find_wrt(const ir_graph *g, const char *list, wrt_list *w, bz_error *e) {
    for (const char *at = list; *at;) {
        size_t n = strcspn(at, ",");
        int k = tool_find_input(g, at, n);
        if (k < 0) return bz_fail(e, BZ_EARG, "--wrt: the program has no input '%.*s'", (int)n, at);
        ir_ref r = g->inputs.p[k].node;
        if (!ir_is_smooth(ir_dtype(g, r)))
            return bz_fail(e, BZ_EDTYPE, "[grad] %s is %s: only floats have a gradient",
                           g->inputs.p[k].name, ir_dtypes[ir_dtype(g, r)].name);
        if (!bz_vec_push(&w->nodes, r) || !bz_vec_push(&w->names, g->inputs.p[k].name))
            return bz_fail(e, BZ_ENOMEM, "out of memory");
        at += n + (at[n] == ',');
    }
    return w->nodes.n ? BZ_OK : bz_fail(e, BZ_EARG, "--wrt names no input");
}

static ir_ref find_loss(const ir_graph *g, const char *of, bz_error *e) {
    for (uint32_t i = 0; i < g->outputs.n; i++)
        if (!of || strcmp(of, g->outputs.p[i].name) == 0) return g->outputs.p[i].node;
    bz_fail(e, BZ_EARG, of ? "--of: the program has no output '%s'" : "the program has no output",
            of);
    return 0;
}

/* The sum of all elements of the gradients: what the next order differentiates. */
static ir_ref sum_all(ir_graph *g, const ir_ref *x, uint32_t n) {
    ir_ref total = 0;
    for (uint32_t i = 0; i < n; i++) {
        ir_ref s = ir_at(g, x[i])->rank ? ir_reduce(g, IR_SUM, x[i], NULL, 0, false) : x[i];
        total = total ? ir_build2(g, IR_ADD, total, s) : s;
    }
    return total;
}

static bool is_output(const ir_graph *g, const char *name) {
    for (uint32_t i = 0; i < g->outputs.n; i++)
        if (!strcmp(g->outputs.p[i].name, name)) return true;
    return false;
}

/* "d_x", "d2_x"; with an underscore more where the program has an output of that name. */
static void add_outputs(ir_graph *g, const wrt_list *w, const ir_ref *grads, int64_t order) {
    for (uint32_t i = 0; i < w->nodes.n; i++) {
        char name[256];
        if (order == 1)
            snprintf(name, sizeof name, "d_%.240s", w->names.p[i]);
        else
            snprintf(name, sizeof name, "d%d_%.240s", (int)order, w->names.p[i]);
        while (is_output(g, name) && strlen(name) + 1 < sizeof name) strcat(name, "_");
        ir_output_add(g, name, grads[i], -1);
    }
}

/* The loss has dimensions: an error with the line that makes it, or with the input that it is. */
static void has_dimensions(ir_graph *g, ir_ref loss, bz_error *e) {
    const char *site = g->sites.p[loss], *input = NULL;
    for (uint32_t i = 0; i < g->inputs.n; i++)
        if (g->inputs.p[i].node == loss) input = g->inputs.p[i].name;
    if (input)
        bz_fail(e, BZ_EGRAD, "[grad] %s is %s: what is differentiated must have no dimensions",
                input, ir_shape_text(g, loss));
    else
        bz_fail(e, BZ_EGRAD, "[grad] the output is %s: it must have no dimensions%s%s",
                ir_shape_text(g, loss), site ? " at " : "", site ? site : "");
}

static bz_status differentiate(ir_graph *g, const grad_job *j, const wrt_list *w, bz_error *e) {
    ir_ref loss = find_loss(g, j->of, e);
    ir_ref *grads = bz_mem_zero(w->nodes.n, sizeof *grads);
    if (!grads) bz_fail(e, BZ_ENOMEM, "out of memory");
    if (loss && ir_at(g, loss)->rank) has_dimensions(g, loss, e);
    for (int64_t k = 1; k <= j->order && !e->status; k++) {
        if (pass_grad(g, loss, 0, w->nodes.p, w->nodes.n, grads)) break;
        add_outputs(g, w, grads, k);
        loss = sum_all(g, grads, w->nodes.n);
    }
    if (g->err.status) bz_fail(e, g->err.status, "%s", g->err.text);
    bz_mem_free(grads);
    return e->status;
}

/* ---- forward mode */

static bool is_input(const ir_graph *g, const char *name) {
    for (uint32_t i = 0; i < g->inputs.n; i++)
        if (!strcmp(g->inputs.p[i].name, name)) return true;
    return false;
}

/* "t_x", with an underscore more where one has that name. */
static void tangent_name(const ir_graph *g, const char *of,
                         bool (*taken)(const ir_graph *, const char *), char name[256]) {
    snprintf(name, 256, "t_%.240s", of);
    while (taken(g, name) && strlen(name) + 1 < 256) strcat(name, "_");
}

/* An input for the tangent of r. */
static ir_ref tangent_input(ir_graph *g, ir_ref r, const char *of) {
    char name[256];
    const ir_node *n = ir_at(g, r);
    tangent_name(g, of, is_input, name);
    return ir_input_new(g, name, (bz_dtype)n->dtype, ir_dims(g, n), n->rank);
}

/* The outputs that are asked for, and have tangents: their number. */
static unsigned find_results(const ir_graph *g, const grad_job *j, ir_ref *y, uint32_t *which) {
    unsigned n = 0;
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        const ir_ref r = g->outputs.p[i].node;
        if (j->of ? strcmp(j->of, g->outputs.p[i].name) != 0 : !ir_is_smooth(ir_dtype(g, r)))
            continue;
        y[n] = r;
        which[n++] = i;
    }
    return n;
}

static void move_forward(ir_graph *g, const grad_job *j, const wrt_list *w, ir_ref *work,
                         bz_error *e) {
    const uint32_t outputs = g->outputs.n;
    ir_ref *y = work, *out = y + outputs, *t = out + outputs;
    uint32_t *which = t + w->nodes.n;
    pass_backward b = {0};
    const unsigned n = find_results(g, j, y, which);
    if (n == 0) {
        bz_fail(e, BZ_EARG,
                j->of ? "--of: the program has no output '%s'"
                      : "the program has no output that is a float",
                j->of);
        return;
    }
    for (uint32_t i = 0; i < w->nodes.n; i++) t[i] = tangent_input(g, w->nodes.p[i], w->names.p[i]);
    if (!pass_jvp(&b, g, y, n, w->nodes.p, t, w->nodes.n, out))
        for (unsigned k = 0; k < n; k++) {
            char name[256];
            tangent_name(g, g->outputs.p[which[k]].name, is_output, name);
            ir_output_add(g, name, out[k], -1);
        }
    pass_backward_free(&b);
    if (g->err.status) bz_fail(e, g->err.status, "%s", g->err.text);
}

static void forward(ir_graph *g, const grad_job *j, const wrt_list *w, bz_error *e) {
    ir_ref *work = bz_mem_zero(3 * (size_t)g->outputs.n + w->nodes.n + 1, sizeof *work);
    if (work)
        move_forward(g, j, w, work, e);
    else
        bz_fail(e, BZ_ENOMEM, "out of memory");
    bz_mem_free(work);
}

static tool_status grad(tool_source *s, void *job) {
    const grad_job *j = job;
    wrt_list w = {{0}, {0}};
    bz_error e = {0};
    bz_text t = {0};
    tool_status sized = tool_sizes(s, &j->files);
    if (sized) return sized;
    if (!find_wrt(s->g, j->wrt, &w, &e)) {
        if (j->forward)
            forward(s->g, j, &w, &e);
        else
            differentiate(s->g, j, &w, &e);
    }
    ir_graph *clean = e.status ? NULL : ir_copy_live(s->g, &e); /* without what no output needs */
    if (clean) tool_print_program(&t, s, clean);
    tool_status status = e.status ? tool_source_error(s, &e) : tool_write(&t);
    ir_graph_free(clean);
    bz_vec_free(&w.nodes);
    bz_vec_free(&w.names);
    bz_text_free(&t);
    return status;
}

static tool_status run(tool_args *a) {
    grad_job j = {.order = 1};
    tool_status status = read_options(a, &j) ? tool_with_file(a, grad, &j) : a->status;
    bz_vec_free(&j.files.dims);
    return status;
}

const tool_command tool_grad = {
    .name = "grad",
    .usage = "FILE.bz --wrt NAME,... [--dim NAME=SIZE]... [--of OUTPUT] [--order N | --forward]",
    .summary = "add gradients or tangents to a program and print it",
    .help = "Prints the program with further outputs d_NAME (order 2: d2_NAME ...), one for each "
            "input in --wrt; with --forward, with a further input t_NAME for each, and outputs "
            "t_OUTPUT: how they move when the inputs move so.",
    .options = options,
    .noptions = BZ_LEN(options),
    .run = run,
};
