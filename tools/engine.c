/* engine.c - a graph on a device: compiled once, run any number of times; donated inputs go on with their new values.
 *
 *     ref   ir_interpret, which knows symbolic dimensions too
 *     cpu   a program of a context of its own; inputs and outputs are its buffers */
#include "runtime/base/env.h"
#include "tools/tool.h"

#include <stdlib.h>
#include <string.h>

#define DEVICE(id, name) id,
static const bz_device devices[] = {
#include "runtime/base/devices.def"
};
#undef DEVICE
#define DEVICE(id, name) #name,
static const char *const device_names[] = {
#include "runtime/base/devices.def"
    NULL};
#undef DEVICE

bool tool_numerics_option(tool_args *a, bz_numerics *out) {
    static const char *const words[] = {"strict", "fast", NULL};
    int v;
    if (!tool_choice(a, "numerics", words, &v)) return false;
    *out = (bz_numerics)(BZ_STRICT + v);
    return true;
}

bool tool_machine_option(tool_args *a, int number, tool_machine *m) {
    static const char *const modes[] = {"compiled", "eager", NULL},
                             *const isas[] = {"base", "avx2", "avx512", NULL};
    int v;
    int64_t n;
    switch (number) {
    case TOOL_DEVICE:
        if (!tool_choice(a, "device", device_names, &v)) return false;
        m->options.device = devices[v];
        return true;
    case TOOL_MODE:
        if (!tool_choice(a, "mode", modes, &v)) return false;
        m->eager = v == 1;
        return true;
    case TOOL_THREADS:
        if (!tool_number(a, "threads", 1, BZ_RT_MAX_THREADS, &n)) return false;
        m->options.threads = (int)n;
        return true;
    case TOOL_NUMERICS: return tool_numerics_option(a, &m->options.numerics);
    default:
        if (!tool_choice(a, "isa", isas, &v)) return false;
        m->options.isa = (bz_isa)(BZ_ISA_BASE + v);
        return true;
    }
}

static bz_status open_machine(const tool_machine *m, bz_context **c, bz_error *e) {
    bz_status s = bz_open(&m->options, c);
    return s ? bz_fail(e, s, "%s", bz_message(NULL)) : BZ_OK;
}

bz_status tool_target(const tool_machine *m, pass_target *t, bz_error *e) {
    if (m->options.device == BZ_CUDA) {
        *t = pass_gpu_of(0, rt_is_fast(&m->options)); /* none needs to be there */
    } else {
        bz_context *c;
        bz_status s = open_machine(m, &c, e);
        if (s) return s;
        *t = c->target;
        bz_close(c);
        t->keeps = true; /* of inputs that are said to last */
    }
    t->eager = m->eager;
    return BZ_OK;
}

/* ---- opening */

/* A buffer for such an array; NULL: the context has the error. */
static rt_buffer *buffer_for(tool_engine *x, const ir_value_array *a) {
    const rt_layout *l = rt_layout_of(x->c, a->shape, NULL, a->rank);
    return l ? rt_buffer_new(x->c, a->dtype, l) : NULL;
}

static bz_status take_inputs(tool_engine *x, const ir_value_array *inputs) {
    for (uint32_t i = 0; i < x->g->inputs.n; i++) {
        size_t bytes = rt_array_bytes(&inputs[i]);
        if (x->g->inputs.p[i].scalar) {
            x->bits[i] = ir_load_bits(inputs[i].dtype, inputs[i].data);
            continue;
        }
        x->in[i] = buffer_for(x, &inputs[i]);
        if (!x->in[i]) return BZ_ENOMEM;
        bz_error *e = &x->c->err;
        if (rt_move_bytes(rt_start(x->in[i]), rt_host_spot(inputs[i].data), bytes, e))
            return e->status;
    }
    return BZ_OK;
}

static bz_status open_context(tool_engine *x, const tool_machine *m, bz_error *e) {
    bz_status s = open_machine(m, &x->c, e);
    if (s) return s;
    uint64_t start = bz_now();
    x->program = rt_program_new(x->c, x->g, m->eager, e);
    x->compile_ns = bz_now() - start;
    return x->program ? BZ_OK : e->status;
}

/* Does this run in the interpreter, by an option or by the environment? */
static bool interprets(const tool_machine *m) {
    bz_device d = m->options.device;
    return (d == BZ_DEVICE_DEFAULT ? rt_env_get()->device : d) == BZ_REF;
}

bz_status tool_engine_open(tool_engine *x, const tool_machine *m, const ir_graph *g,
                           const ir_value_array *inputs, bz_error *e) {
    *x = (tool_engine){.g = g, .inputs = inputs};
    x->results = bz_mem_zero(g->outputs.n + 1, sizeof *x->results);
    x->bytes = bz_mem_zero(g->outputs.n + 1, sizeof *x->bytes);
    x->in = bz_mem_zero(g->inputs.n + 1, sizeof *x->in);
    x->out = bz_mem_zero(g->outputs.n + 1, sizeof *x->out);
    x->bits = bz_mem_zero(g->inputs.n + 1, sizeof *x->bits);
    bz_status s = x->results && x->bytes && x->in && x->out && x->bits ? BZ_OK : BZ_ENOMEM;
    if (!s && interprets(m)) {
        s = rt_check_room(&rt_host, ir_interpret_bytes(g), RT_RESULTS_TAKE, e);
    } else if (!s) {
        s = open_context(x, m, e);
        if (!s) s = take_inputs(x, inputs);
    }
    if (s) {
        bz_fail(e, s, "%s", x->c && *bz_message(x->c) ? bz_message(x->c) : bz_status_text(s));
        tool_engine_close(x);
    }
    return s;
}

/* ---- running */

static void drop_results(tool_engine *x) {
    for (uint32_t i = 0; i < x->g->outputs.n; i++) {
        if (!x->c) bz_mem_free(x->results[i].data);
        x->results[i].data = NULL;
        rt_look_away(&x->bytes[i]);
        if (x->out[i]) rt_buffer_unref(x->c, x->out[i]);
        x->out[i] = NULL;
    }
}

/* The donated inputs have the buffers of their outputs from now on; no two have the same. */
static bz_status take_donated(tool_engine *x) {
    for (uint32_t i = 0; i < x->g->outputs.n; i++) {
        int in = x->g->outputs.p[i].donated;
        rt_buffer *b = x->out[i], *own = b;
        if (in < 0 || b == x->in[in]) continue;
        if (b->refs > 1 || b->owner) {
            own = buffer_for(x, &x->results[i]);
            if (!own) return BZ_ENOMEM;
            if (rt_move_bytes(rt_start(own), rt_start(b), b->bytes, &x->c->err)) {
                rt_buffer_unref(x->c, own);
                return x->c->err.status;
            }
        } else {
            rt_buffer_ref(b);
        }
        rt_buffer_unref(x->c, x->in[in]);
        x->in[in] = own;
    }
    return BZ_OK;
}

static bz_status run_program(tool_engine *x, uint64_t *ns, bz_error *e) {
    for (uint32_t i = 0; i < x->g->outputs.n; i++) {
        int in = x->g->outputs.p[i].donated;
        if (in >= 0) x->out[i] = rt_buffer_ref(x->in[in]);
    }
    uint64_t start = bz_now();
    bz_status s = rt_program_run(x->c, x->program, &(rt_call){x->in, x->bits, x->out, NULL});
    *ns = bz_now() - start;
    if (s) return bz_fail(e, s, "%s", bz_message(x->c));
    for (uint32_t i = 0; i < x->g->outputs.n; i++) {
        ir_ref r = x->g->outputs.p[i].node;
        x->results[i] = (ir_value_array){.dtype = ir_dtype(x->g, r), .rank = ir_at(x->g, r)->rank};
        ir_static_shape(x->g, r, x->results[i].shape);
        s = rt_look(rt_start(x->out[i]), rt_array_bytes(&x->results[i]), &x->bytes[i], e);
        if (s) return s;
        x->results[i].data = (void *)(uintptr_t)x->bytes[i].p; /* it is read alone */
    }
    s = take_donated(x);
    return s ? bz_fail(e, s, "%s", bz_message(x->c)) : BZ_OK;
}

static bz_status interpret(tool_engine *x, uint64_t *ns, bz_error *e) {
    uint64_t start = bz_now();
    const ir_onlooker bound = {.most = rt_memory_most()};
    bz_status s = ir_interpret_seen(x->g, x->inputs, x->results, &bound, e);
    *ns = bz_now() - start;
    for (uint32_t i = 0; i < x->g->outputs.n && !s; i++) {
        int in = x->g->outputs.p[i].donated;
        const ir_value_array *v = &x->results[i];
        if (in >= 0) memcpy(x->inputs[in].data, v->data, rt_array_bytes(v));
    }
    return s;
}

bz_status tool_engine_run(tool_engine *x, uint64_t *ns, bz_error *e) {
    drop_results(x);
    return x->c ? run_program(x, ns, e) : interpret(x, ns, e);
}

/* ---- times */

static int by_size(const void *a, const void *b) {
    uint64_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return x < y ? -1 : x > y;
}

double tool_median(uint64_t *ns, size_t n) {
    qsort(ns, n, sizeof *ns, by_size);
    return n ? (double)ns[n / 2] : 0;
}

void tool_engine_close(tool_engine *x) {
    if (x->results && x->bytes && x->out) drop_results(x);
    for (uint32_t i = 0; x->c && x->in && i < x->g->inputs.n; i++)
        if (x->in[i]) rt_buffer_unref(x->c, x->in[i]);
    if (x->program) rt_program_free(x->c, x->program);
    bz_close(x->c);
    bz_mem_free(x->results);
    bz_mem_free(x->bytes);
    bz_mem_free(x->in);
    bz_mem_free(x->out);
    bz_mem_free(x->bits);
    *x = (tool_engine){0};
}
