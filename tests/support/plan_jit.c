/* plan_jit.c - see plan_jit.h. Every piece of tasks gets its own scratch, filled with rubbish first, and its own error slot. */
#include "tests/support/plan_jit.h"
#include "tests/support/jit.h"
#include "tests/support/plan_memory.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PIECES = 16, MAX_ARGS = 64 };

typedef struct piece {
    jit_phase *run;
    lp_frame frame;
    int64_t begin, end, error[2];
} piece;

static void *run_piece(void *arg) {
    piece *p = arg;
    p->run(&p->frame, p->begin, p->end);
    return NULL;
}

static uint64_t draw(uint64_t *s) {
    *s = bz_mix(*s, 0x5eed);
    return *s >> 16;
}

/* Cuts [0, tasks) into pieces; gives their number. */
static unsigned cut(piece *p, int64_t tasks, unsigned n, uint64_t *seed) {
    int64_t border[MAX_PIECES + 1];
    for (unsigned i = 0; i <= n; i++)
        border[i] = *seed ? (int64_t)(draw(seed) % (uint64_t)(tasks + 1)) : tasks * i / n;
    border[0] = 0;
    border[n] = tasks;
    for (unsigned i = 1; i < n; i++)
        for (unsigned k = i; k > 0 && border[k] < border[k - 1]; k--) {
            int64_t b = border[k];
            border[k] = border[k - 1];
            border[k - 1] = b;
        }
    unsigned made = 0;
    for (unsigned i = 0; i < n; i++)
        if (border[i] < border[i + 1])
            p[made++] = (piece){.begin = border[i], .end = border[i + 1]};
    return made;
}

static void shuffle(piece *p, unsigned n, uint64_t *seed) {
    for (unsigned i = n; *seed && i > 1; i--) {
        unsigned k = (unsigned)(draw(seed) % i);
        piece t = p[i - 1];
        p[i - 1] = p[k];
        p[k] = t;
    }
}

static void run_pieces(piece *p, unsigned n, bool threads) {
    pthread_t id[MAX_PIECES];
    for (unsigned i = 0; i < n; i++)
        if (!threads || pthread_create(&id[i], NULL, run_piece, &p[i]))
            bz_assert(!threads), run_piece(&p[i]);
    for (unsigned i = 0; threads && i < n; i++) pthread_join(id[i], NULL);
}

static bz_status run_phase(const lp_module *m, const lp_kernel *k, const lp_frame *f,
                           unsigned phase, jit_phase *run, int64_t tasks, plan_jit_how how,
                           uint64_t *seed, bz_error *e) {
    piece pieces[MAX_PIECES];
    unsigned want = how.threads > 1 ? how.threads : *seed ? 1 + (unsigned)(draw(seed) % 5) : 1;
    unsigned n = cut(pieces, tasks, want, seed);
    size_t size = ((size_t)lp_scratch_bytes(k, m) + 127) / 64 * 64;
    bz_status st = BZ_OK;
    (void)phase;
    shuffle(pieces, n, seed);
    for (unsigned i = 0; i < n; i++) {
        pieces[i].run = run;
        pieces[i].frame = *f;
        pieces[i].frame.scratch = memset(aligned_alloc(64, size), 0x5a, size);
        pieces[i].error[0] = INT64_MAX;
    }
    for (unsigned i = 0; i < n; i++) {
        pieces[i].frame.error = pieces[i].error;
        pieces[i].frame.thread = i;
    }
    run_pieces(pieces, n, how.threads > 1);
    for (unsigned i = 0; i < n; i++) {
        if (pieces[i].error[0] != INT64_MAX)
            st = bz_fail(e, (bz_status)pieces[i].error[1], "index out of range");
        free(pieces[i].frame.scratch);
    }
    return st;
}

static bz_status run_segment_phase(const pass_plan *p, const jit *j, const pass_segment *s,
                                   unsigned phase, const plan_memory *m,
                                   const ir_value_array *inputs, plan_jit_how how, uint64_t *seed,
                                   bz_error *e) {
    const lp_kernel *k = p->code->k.p[s->kernel];
    if (phase >= lp_phase_count(k)) return BZ_OK;
    void **buffers = calloc(k->buffers.n + 1, sizeof *buffers);
    const void *scalars[MAX_ARGS];
    ir_bits bits[MAX_ARGS];
    bz_assert(k->scalars.n <= MAX_ARGS);
    for (uint32_t i = 0; i < k->buffers.n; i++)
        buffers[i] = (char *)m->at[s->buffers[i]] + pass_bytes_before(p, s, i);
    for (uint32_t i = 0; i < k->scalars.n; i++) {
        scalars[i] = inputs[s->scalars[i]].data;
        bits[i] = ir_load_bits(k->scalars.p[i].dtype, scalars[i]);
    }
    lp_frame f = {.buffers = buffers, .extents = s->extents, .scalars = scalars};
    bz_status st = run_phase(p->code, k, &f, phase, jit_find(j, k->name, phase),
                             lp_phase_tasks(k, phase, s->extents, bits), how, seed, e);
    free(buffers);
    return st;
}

static bz_status run_launch(const pass_plan *p, const jit *j, const pass_launch *l,
                            const plan_memory *m, const ir_value_array *inputs, plan_jit_how how,
                            uint64_t *seed, bz_error *e) {
    unsigned phases = 0;
    bz_status st = BZ_OK;
    for (uint32_t s = 0; s < l->nsegments; s++) {
        unsigned n = lp_phase_count(p->code->k.p[l->segments[s].kernel]);
        phases = n > phases ? n : phases;
    }
    for (unsigned phase = 0; phase < phases; phase++)
        for (uint32_t s = 0; s < l->nsegments && !st; s++)
            st = run_segment_phase(p, j, &l->segments[s], phase, m, inputs, how, seed, e);
    return st;
}

bz_status plan_jit(const pass_plan *p, plan_jit_how how, const ir_value_array *inputs,
                   ir_value_array *outputs, bz_error *e) {
    jit j = {0};
    bz_status st = BZ_OK;
    bz_assert(how.threads <= MAX_PIECES);
    if (p->launches.n) j = jit_open(p->code, how.isa);
    plan_memory m = plan_memory_new(p, inputs);
    for (uint32_t i = 0; i < p->launches.n && !st; i++)
        st = run_launch(p, &j, &p->launches.p[i], &m, inputs, how, &how.split, e);
    if (!st) plan_memory_outputs(p, &m, outputs);
    plan_memory_free(&m, p);
    if (p->launches.n) jit_close(&j);
    return st;
}
