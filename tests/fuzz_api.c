/* fuzz_api.c - random programs of the public interface: views of views, in-place ops on them, scopes, evaluation at any time, both
 * modes, foreign memory, compiled functions that donate; against a model that knows no strides (api_model.h). A gradient is what a tape of
 * elements (api_tape.h) says or BZ_EGRAD, with the same status in every way to run; a mistake has the same status and words. Each step is
 * drawn from the seed and its own number, so a fault is made small by leaving steps out.
 *
 *     of 16 programs   15    3-16 steps                   1    60 steps
 *     of 64            1     as machine code (FUZZ_CODE=N: of N); the others' kernels run on the interpreter of loops, behind the
 *                            same recording, passes, plans, caches and threads: code takes a hundred times as long as the rest
 *
 * usage: fuzz_api SECONDS [SEED [COUNT]] */
#include "tests/support/fuzz.h"
#include "tests/support/loops_code.h"
#include "tests/support/play.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONG_IN = 16, CODE_IN = 64 };

/* ---- time and life */

static void evaluate(player *p) {
    bz_tensor *h[3];
    int n = 1 + (int)play_draw(p, 3);
    for (int i = 0; i < n; i++) h[i] = play_any(p)->h;
    play_note(p, "eval of %d", n);
    if (bz_eval(h, n)) play_fault(p, "step %u: eval: %s", p->step, bz_message(p->c));
}

static void look(player *p) {
    api_view *x = play_any(p);
    play_note(p, "to_host v%u", play_number(p, x));
    play_check(p, x);
}

static void switch_mode(player *p) {
    bz_mode m = bz_get_mode(p->c) == BZ_LAZY ? BZ_EAGER : BZ_LAZY;
    play_note(p, "mode %d", (int)m);
    if (bz_set_mode(p->c, m)) play_fault(p, "step %u: mode: %s", p->step, bz_message(p->c));
}

static void open_scope(player *p) {
    if (p->depth > 2) return;
    play_note(p, "scope_begin");
    if (bz_scope_begin(p->c)) play_fault(p, "step %u: %s", p->step, bz_message(p->c));
    p->depth++;
}

static void close_scope(player *p) {
    if (!p->depth) return;
    api_view *x = play_any(p);
    if (x->scope == p->depth) {
        play_note(p, "keep v%u", play_number(p, x));
        bz_keep(x->h);
        x->scope--;
    }
    play_note(p, "scope_end");
    if (bz_scope_end(p->c)) play_fault(p, "step %u: %s", p->step, bz_message(p->c));
    for (unsigned k = p->n; k-- > 0;)
        if (p->pool[k].scope == p->depth) play_drop(p, k);
    p->depth--;
}

static void release(player *p) {
    api_view *x = play_any(p);
    play_note(p, "release v%u", play_number(p, x));
    if (bz_release(x->h)) play_fault(p, "step %u: release: %s", p->step, bz_message(p->c));
    play_drop(p, play_number(p, x));
}

/* What foreign memory holds after a flush is the whole storage, gaps included. */
static void look_at_foreign(player *p) {
    for (unsigned k = 0; k < p->nforeign; k++) {
        const api_store *s = p->foreign[k].store;
        if (bz_flush(p->foreign[k].h))
            play_fault(p, "step %u: flush: %s", p->step, bz_message(p->c));
        for (int64_t i = 0; i < s->n; i++)
            if (api_load(p->foreign[k].t, s->raw, i) != s->v[i])
                play_fault(p, "step %u: foreign memory %u holds %g at %lld, not %g", p->step, k,
                           api_load(p->foreign[k].t, s->raw, i), (long long)i, s->v[i]);
    }
}

/* ---- a program */

static const struct {
    play_action *run;
    unsigned weight;
} actions[] = {
    {play_make, 10},
    {play_borrow, 3},
    {play_slice, 10},
    {play_permute, 6},
    {play_expand, 5},
    {play_pick_row, 6},
    {play_reshape, 6},
    {play_diagonal, 3},
    {play_split, 5},
    {play_movedim, 3},
    {play_unflatten, 2},
    {play_roll, 2},
    {play_get_rows, 4},
    {play_put_rows, 5},
    {play_compute, 14},
    {play_change, 16},
    {play_fill, 4},
    {play_convert, 4},
    {play_reduce, 6},
    {play_product, 5},
    {play_join, 5},
    {play_stop, 3},
    {play_mistake, 3},
    {play_custom, 5},
    {play_call_own_slope, 3},
    {play_call_pull, 3},
    {play_gradient, 3},
    {play_slope, 14},
    {play_call_update, 5},
    {play_call_swap, 4},
    {play_call_captured, 3},
    {evaluate, 5},
    {look, 5},
    {switch_mode, 1},
    {open_scope, 3},
    {close_scope, 3},
    {release, 4},
    {look_at_foreign, 2},
};

static void one_step(player *p) {
    unsigned total = 0, k;
    p->state = p->bytes ? fuzz_piece(p->bytes, p->nbytes, p->step)
                        : bz_mix(p->seed, p->step * 2654435761u + 1);
    for (unsigned i = 0; i < BZ_LEN(actions); i++) total += actions[i].weight;
    k = play_draw(p, total);
    unsigned i = 0;
    for (; k >= actions[i].weight; i++) k -= actions[i].weight;
    if (p->n == 0) play_make(p);
    actions[i].run(p);
    if (bz_context_status(p->c)) play_fault(p, "step %u: %s", p->step, bz_message(p->c));
}

static void begin(player *p, const bz_options *o) {
    if (bz_open(o, &p->c)) bz_bug("bz_open fails");
    p->bias = bz_full(p->c, NULL, 0, 3, BZ_I32);
    play_compile(p);
}

/* Plays what `script` says (seed, left out steps) in a new context; true when a fault was found. */
static bool play(player *script, const bz_options *o) {
    player p = {.seed = script->seed,
                .trace = script->trace,
                .bytes = script->bytes,
                .nbytes = script->nbytes};
    memcpy(p.skip, script->skip, sizeof p.skip);
    begin(&p, o);
    for (p.step = 0; p.step < script->steps && !p.fault[0]; p.step++)
        if (!p.skip[p.step]) one_step(&p);
    for (unsigned k = 0; k < p.n && !p.fault[0]; k++) {
        play_note(&p, "to_host v%u", k);
        play_check(&p, &p.pool[k]);
    }
    if (!p.fault[0]) look_at_foreign(&p);
    while (p.n) play_drop(&p, 0);
    for (unsigned k = 0; k < p.nforeign; k++) api_free_view(&p.foreign[k]);
    bz_close(p.c);
    api_free_stores();
    memcpy(script->fault, p.fault, sizeof p.fault);
    memcpy(script->answers, p.answers, sizeof p.answers);
    script->nanswers = p.nanswers;
    for (unsigned i = 0; i < 2; i++) script->complete[i] += p.complete[i];
    return p.fault[0];
}

static const struct {
    const char *name;
    bz_options o;
} ways[] = {
    {"reference", {.device = BZ_REF}},
    {"lazy", {.device = BZ_CPU, .threads = 2}},
    {"eager", {.device = BZ_CPU, .mode = BZ_EAGER, .threads = 1}},
};

/* true, and words: the library does not answer in this way as in the first. */
static bool answers_differ(player *one, const player *first) {
    for (unsigned i = 0; i < one->nanswers; i++) {
        const play_answer *a = &one->answers[i], *b = &first->answers[i];
        if (a->status == b->status && !strcmp(a->words, b->words)) continue;
        snprintf(one->fault, sizeof one->fault, "answer %u is %d '%s', in the first way %d '%s'", i,
                 (int)a->status, a->words, (int)b->status, b->words);
        return true;
    }
    return false;
}

/* Plays it in all ways; true: a fault, with its text, in one of them, or an answer that only some give. */
static bool play_all(player *script) {
    player first = {0};
    for (unsigned w = 0; w < BZ_LEN(ways); w++) {
        player one = *script;
        bool bad = play(&one, &ways[w].o);
        if (!w) first = one;
        memcpy(script->complete, one.complete, sizeof one.complete);
        if (!bad && !answers_differ(&one, &first)) continue;
        snprintf(script->fault, sizeof script->fault, "%s: %.500s", ways[w].name, one.fault);
        return true;
    }
    return false;
}

static unsigned steps_of(uint64_t seed) {
    uint64_t h = bz_mix(seed, 0x57e);
    return h % LONG_IN ? 3 + (unsigned)(h >> 8) % 14 : PLAY_STEPS;
}

static void report(player *script) {
    printf("fuzz_api: seed %llu, %s\n", (unsigned long long)script->seed, script->fault);
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < script->steps; i++) {
            if (script->skip[i]) continue;
            script->skip[i] = true;
            if (play_all(script))
                again = true;
            else
                script->skip[i] = false;
        }
    }
    script->trace = true;
    play_all(script);
    printf("    %s\n", script->fault);
    fflush(stdout);
}

void fuzz_bytes(const uint8_t *p, size_t n) {
    size_t steps = fuzz_pieces(n);
    player script = {
        .bytes = p, .nbytes = n, .steps = steps < PLAY_STEPS ? (unsigned)steps : PLAY_STEPS};
    loops_code(true);
    if (!n || !play_all(&script)) return;
    report(&script);
    abort();
}

int fuzz_main(int argc, char **argv) {
    long complete[2] = {0}, coded = 0;
    fuzz_span f = fuzz_begin("fuzz_api", argc, argv);
    while (fuzz_next(&f)) {
        player script = {.seed = f.seed, .trace = getenv("FUZZ_TRACE"), .steps = steps_of(f.seed)};
        bool code = fuzz_gets_code(f.seed, CODE_IN);
        loops_code(!code);
        coded += code;
        if (play_all(&script)) {
            report(&script);
            f.faults++;
        }
        for (unsigned i = 0; i < 2; i++) complete[i] += script.complete[i];
    }
    printf(
        "fuzz_api: %ld programs (%ld as machine code), %ld faults; %ld gradients other than zero, "
        "%ld BZ_EGRAD\n",
        f.runs, coded, f.faults, complete[1], complete[0]);
    return f.faults > 0;
}
