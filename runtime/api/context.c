/* context.c - contexts: opened, closed; their errors as the program asks for them, modes and counters. */
#include "runtime/api/host.h"
#include "runtime/api/lent.h"
#include "runtime/base/env.h"
#include "runtime/exec/image.h"
#include "runtime/exec/kernels.h"
#include "runtime/eval/marks.h"
#include "runtime/compile/trace.h"
#include "runtime/base/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- opening */

/* A context with what each file keeps for it. */
typedef struct whole {
    bz_context c;
    rt_names names;
    rt_layouts layouts;
    rt_pool pool;
    rt_fetched fetched;
    rt_plans plans;
    rt_slab slab;
    rt_epochs epochs;
    rt_lineage lineage;
    rt_recorder recorder;
    rt_evaluation evaluation;
    rt_gifts gifts;
    rt_transfers transfers;
} whole;
_Static_assert(sizeof(whole) <= 1 << RT_CONTEXT_SHIFT, "a context fits its slot");

/* An empty one; NULL: so many are open already. */
static bz_context *new_context(void) {
    whole *w = rt_room_take(&rt_contexts);
    if (!w) return NULL;
    memset(w, 0, sizeof *w);
    w->c = (bz_context){
        .number = rt_room_number(&rt_contexts, w),
        .give_way = rt_plans_give_way,
        .say_largest = rt_say_largest,
        .evaluator = &rt_lazy_evaluator,
        .names = &w->names,
        .layouts = &w->layouts,
        .pool = &w->pool,
        .fetched = &w->fetched,
        .plans = &w->plans,
        .slab = &w->slab,
        .epochs = &w->epochs,
        .lineage = &w->lineage,
        .recorder = &w->recorder,
        .evaluation = &w->evaluation,
        .gifts = &w->gifts,
        .transfers = &w->transfers,
    };
    return &w->c;
}

static bz_status choose_device(bz_context *c) {
    if (c->options.device == BZ_DEVICE_DEFAULT) c->options.device = rt_env_get()->device;
    if (c->options.device == BZ_DEVICE_DEFAULT) c->options.device = BZ_CPU;
    c->device = rt_devices[c->options.device];
    c->memory = c->device->open(c->options.number, &c->err);
    return c->memory ? BZ_OK : c->err.status;
}

static bz_status choose_target(bz_context *c) {
    static const cg_isa isas[] = {[BZ_RT_BASE] = CG_BASE, [BZ_RT_V3] = CG_V3, [BZ_RT_V4] = CG_V4};
    bz_rt_isa want = c->options.isa == BZ_ISA_BEST ? bz_rt_isa_selected()
                                                   : (bz_rt_isa)(c->options.isa - BZ_ISA_BASE);
    if (want > bz_rt_isa_detect())
        return bz_fail(&c->err, BZ_EDEVICE,
                       "[open] this machine lacks the instruction set that was asked for, %s",
                       cg_isa_name(isas[want]));
    c->isa = isas[want];
    c->threads = c->options.threads ? c->options.threads : bz_rt_threads();
    c->target = rt_target(c->isa, c->threads);
    return BZ_OK;
}

static bz_status check_options(const bz_options *o, bz_error *e) {
    if ((unsigned)o->device >= rt_device_count)
        return bz_fail(e, BZ_EARG, "[open] there is no device %d", (int)o->device);
    if ((unsigned)o->mode > BZ_EAGER)
        return bz_fail(e, BZ_EARG, "[open] there is no mode %d", (int)o->mode);
    if ((unsigned)o->isa > BZ_ISA_AVX512)
        return bz_fail(e, BZ_EARG, "[open] there is no instruction set %d", (int)o->isa);
    if ((unsigned)o->numerics > BZ_FAST)
        return bz_fail(e, BZ_EARG, "[open] there are no numerics %d", (int)o->numerics);
    if (o->number < 0) return bz_fail(e, BZ_EARG, "[open] devices have no number %d", o->number);
    if (o->threads < 0 || o->threads > BZ_RT_MAX_THREADS)
        return bz_fail(e, BZ_EARG, "[open] %d threads: 0 to %d are possible", o->threads,
                       BZ_RT_MAX_THREADS);
    return BZ_OK;
}

static bz_status init(bz_context *c) {
    c->m = ir_module_new();
    if (!c->m || !bz_vec_push(&c->slab->scopes, 0)) return BZ_ENOMEM;
    c->evaluation->scratch = ir_graph_new(c->m, "evaluation");
    c->scalar_layout = rt_layout_of(c, NULL, NULL, 0);
    if (!c->evaluation->scratch || !c->scalar_layout) return BZ_ENOMEM;
    bz_status s = choose_device(c);
    return s ? s : choose_target(c);
}

static void destroy(bz_context *c);

static bz_status give_up(bz_context *c, bz_status s, const bz_error *e) {
    rt_stray(NULL, s, "%s", e && e->status ? e->text : bz_status_doc(s));
    if (c) c->heard = true, destroy(c);
    return s;
}

bz_status bz_open(const bz_options *options, bz_context **out) {
    static const bz_options defaults;
    if (!out) return rt_stray(NULL, BZ_EARG, "[open] out is NULL");
    *out = NULL;
    const bz_options *o = options ? options : &defaults;
    const bz_error *mistake = &rt_env_get()->mistake;
    bz_error e = {0};
    if (mistake->status) return give_up(NULL, mistake->status, mistake);
    if (check_options(o, &e)) return give_up(NULL, e.status, &e);
    bz_context *c = new_context();
    if (!c) {
        bz_fail(&e, BZ_ENOMEM, "[open] %d contexts are open", (int)rt_contexts.n);
        return give_up(NULL, BZ_ENOMEM, &e);
    }
    c->options = *o;
    c->mode = o->mode;
    c->seed = c->random[0] = o->seed;
    c->op = "open";
    c->find_nan = o->find_nan || rt_env_get()->nan;
    rt_forget_interrupt(c);
    bz_status s = init(c);
    if (s) {
        e = c->err;
        return give_up(c, s, &e);
    }
    if (o->code_bytes) rt_kernels_limit(o->code_bytes);
    rt_room_open(&rt_contexts, c, true);
    *out = c;
    return BZ_OK;
}

/* An error that nobody asked for is said at last: a program that looks at no status would end as if all were well. */
static void say_unheard(const bz_context *c) {
    if (c->err.status && !c->heard)
        fprintf(stderr, "braze: error: %s (unread until bz_close)\n", c->err.text);
}

static void destroy(bz_context *c) {
    while (c->slab->scopes.n > 1) rt_scope_end(c);
    rt_programs_free(c);
    if (c->slab->scopes.n) rt_scope_clear(c, 0);
    rt_slab_free(c);
    rt_epochs_free(c);
    say_unheard(c);
    rt_plans_free(c);
    rt_room_open(&rt_contexts, c, false);
    rt_transfers_free(c);
    rt_lent_close(c);
    rt_pool_free(c->pool);
    for (rt_memory *m = c->memory, *before; m; m = before) {
        before = m->before;
        m->f->close(m);
    }
    rt_layouts_free(c->layouts);
    rt_evaluation_free(c->evaluation);
    rt_gifts_free(c->gifts);
    rt_recorder_free(c->recorder);
    rt_lineage_free(c->lineage);
    rt_names_free(c->names);
    bz_vec_free(&c->fetched->v);
    ir_module_free(c->m);
    rt_room_give(&rt_contexts, c);
}

bz_status bz_close(bz_context *c) {
    RT_BORDER;
    if (!c) return BZ_OK;
    if (rt_context_alive(c) && rt_is_inside(c))
        return rt_fail(c, BZ_EMODE, NULL, "close",
                       "a function that the context calls cannot close it");
    rt_visit visit;
    if (!rt_arrive(&visit, c)) return RT_STRAY_STATUS;
    destroy(c);
    return BZ_OK;
}

bz_status bz_device_reset(bz_context *c) {
    RT_BORDER;
    RT_VISIT(c, RT_STRAY_STATUS);
    rt_memory *fresh = NULL;
    bz_status s = rt_ready(c, "device_reset", "the device is not reset", "call it outside");
    if (s || !c->memory->f->reset) return s;
    rt_does(c, "device_reset", NULL);
    rt_transfers_wait(c);
    s = c->memory->f->reset(c->memory, &fresh, &c->err);
    if (s) return s;
    rt_transfers_lose_pins(c);
    rt_programs_forget(c);
    rt_plans_free(c);
    rt_pool_free(c->pool);
    fresh->before = c->memory;
    c->memory = fresh;
    return BZ_OK;
}

/* ---- errors */

/* Contexts are never const objects: only the view of the caller is. */
static void hear(const bz_context *c) {
    if (c->err.status) ((bz_context *)(uintptr_t)c)->heard = true;
}

bz_status bz_context_status(const bz_context *c) {
    const bz_error *own = rt_stray_get(c);
    if (own) return own->status || !c || rt_context_alive(c) ? own->status : BZ_ESCOPE;
    hear(c);
    return c->err.status;
}

const char *bz_message(const bz_context *c) {
    const bz_error *own = rt_stray_get(c);
    if (own) return own->text;
    hear(c);
    return c->err.text;
}

void bz_clear(bz_context *c) {
    rt_stray_clear(c);
    RT_VISIT(c, );
    c->err = (bz_error){0};
    c->heard = false;
    rt_forget_interrupt(c);
}

const char *bz_status_text(bz_status s) {
    return bz_status_doc(s);
}

/* ---- modes and counters */

bz_status bz_set_mode(bz_context *c, bz_mode mode) {
    RT_VISIT(c, RT_STRAY_STATUS);
    if ((unsigned)mode > BZ_EAGER)
        return rt_fail(c, BZ_EARG, NULL, "set_mode", "there is no mode %d", (int)mode);
    c->mode = mode;
    return BZ_OK;
}

bz_mode bz_get_mode(const bz_context *c) {
    return rt_context_alive(c) ? c->mode : BZ_LAZY;
}

bz_status bz_autocast_begin(bz_context *c, bz_dtype to) {
    RT_VISIT(c, RT_STRAY_STATUS);
    rt_autocast *a = &c->autocast;
    if ((unsigned)to >= BZ_NDTYPES)
        return rt_fail(c, BZ_EDTYPE, NULL, "autocast_begin", "there is no dtype %d", (int)to);
    if (!ir_is_half(to) && to != BZ_F32)
        return rt_fail(c, BZ_EDTYPE, NULL, "autocast_begin",
                       "casts to f16 or bf16, or to nothing for f32, not to %s",
                       ir_dtypes[to].name);
    if (a->depth == RT_AUTOCASTS)
        return rt_fail(c, BZ_ELIMIT, NULL, "autocast_begin", "%d regions are open in each other",
                       RT_AUTOCASTS);
    a->outer[a->depth++] = (uint8_t)a->to;
    a->to = ir_is_half(to) ? to : RT_NO_AUTOCAST;
    return BZ_OK;
}

bz_status bz_autocast_end(bz_context *c) {
    RT_VISIT(c, RT_STRAY_STATUS);
    rt_autocast *a = &c->autocast;
    if (!a->depth)
        return rt_fail(c, BZ_EMODE, NULL, "autocast_end", "no region of %s is open",
                       rt_in_function(c) ? "the function that is traced" : "bz_autocast_begin");
    a->to = (bz_dtype)a->outer[--a->depth];
    return BZ_OK;
}

bz_status bz_seed(bz_context *c, uint64_t seed) {
    RT_VISIT(c, RT_STRAY_STATUS);
    bz_status s = rt_ready(c, "seed", "the random stream stays",
                           "call it before; each call of the function draws new numbers");
    if (s) return s;
    rt_epoch_end(c, "bz_seed"); /* what is recorded keeps the old stream */
    c->seed = c->random[0] = seed;
    c->stream = c->random[1] = 0;
    return BZ_OK;
}

void bz_get_counters(const bz_context *c, bz_counters *out) {
    if (!out) return;
    *out = (bz_counters){0};
    if (!rt_context_alive(c)) return;
    *out = c->counters;
    out->bytes = c->pool->bytes;
    out->peak_bytes = c->pool->peak;
    out->buffers_made = c->pool->made;
}

void bz_reset_peak(bz_context *c) {
    if (rt_context_alive(c)) c->pool->peak = c->pool->bytes;
}

void bz_profile(bz_context *c, bool on) {
    if (rt_context_alive(c)) c->profile = on;
}
