/* test_memory.c - the memory plan alone, on made-up lives: nothing overlaps, the peak is what it can be, many buffers take little time. */
#include "src/passes/lower.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <time.h>

static pass_plan plan;

static void add(uint32_t first, uint32_t last, int64_t floats) {
    pass_buffer b = {
        .dtype = BZ_F32, .count = floats, .place = PASS_ARENA, .first = first, .last = last};
    cr_assert(bz_vec_push(&plan.buffers, b));
    while (plan.launches.n <= last) cr_assert(bz_vec_push(&plan.launches, (pass_launch){0}));
}

static void clear(void) {
    bz_vec_free(&plan.buffers);
    bz_vec_free(&plan.launches);
    plan = (pass_plan){0};
}

static int64_t end_of(const pass_buffer *b) {
    return b->offset + b->count * 4;
}

static void no_two_overlap(const char *what) {
    for (uint32_t i = 0; i < plan.buffers.n; i++) {
        const pass_buffer *a = &plan.buffers.p[i];
        cr_assert_eq(a->offset % 64, 0, "%s: buffer %u at %lld", what, i, (long long)a->offset);
        cr_assert(a->offset >= 0 && end_of(a) <= plan.arena_bytes, "%s: buffer %u", what, i);
        for (uint32_t k = 0; k < i; k++) {
            const pass_buffer *b = &plan.buffers.p[k];
            bool meet = a->first <= b->last && b->first <= a->last;
            cr_assert(!meet || end_of(a) <= b->offset || end_of(b) <= a->offset,
                      "%s: buffers %u and %u overlap", what, k, i);
        }
    }
    cr_assert_geq(plan.arena_bytes, plan.arena_bound, "%s", what);
}

static uint32_t draw(uint32_t *seed, uint32_t below) {
    *seed = *seed * 1664525u + 1013904223u;
    return (*seed >> 8) % below;
}

/* Lives of any length, begun in order, with sizes that make holes. */
static void random_lives(uint32_t seed, unsigned n, uint32_t longest, uint32_t largest) {
    for (unsigned i = 0; i < n; i++) {
        uint32_t first = i / 2;
        add(first, first + draw(&seed, longest), 1 + draw(&seed, largest));
    }
}

/* Layers forward and backward: what layer i gives lives until its gradient; beside it, sums of `odd` floats that differ. */
static void layers(uint32_t n, int64_t odd) {
    for (uint32_t i = 0; i < n; i++) add(i, 2 * n - i, 1000 + (i % 7) * odd);
    for (uint32_t i = 0; i < n; i++) add(n + i, n + i + 1, 1000);
}

Test(memory, nothing_overlaps) {
    for (uint32_t seed = 1; seed <= 200; seed++) {
        char what[40];
        snprintf(what, sizeof what, "seed %u", seed);
        random_lives(seed, 1 + seed % 61, 1 + seed % 17, seed % 3 ? 5000 : 20);
        cr_assert(memory_plan(&plan, NULL));
        no_two_overlap(what);
        clear();
    }
}

/* More that live at once than the planner looks between. */
Test(memory, many_that_live_at_once) {
    random_lives(3, 1500, 700, 4000);
    cr_assert(memory_plan(&plan, NULL));
    no_two_overlap("random");
    cr_expect_leq((double)plan.arena_bytes, 1.10 * (double)plan.arena_bound);
    clear();
    layers(700, 0);
    cr_assert(memory_plan(&plan, NULL));
    no_two_overlap("layers");
    cr_expect_leq((double)plan.arena_bytes, 1.01 * (double)plan.arena_bound);
    clear();
}

/* First-born first leaves a hole here that largest first does not. */
Test(memory, the_better_of_two_orders) {
    add(0, 1, 16);
    add(0, 3, 16);
    add(2, 4, 32);
    add(4, 5, 48);
    cr_assert(memory_plan(&plan, NULL));
    no_two_overlap("holes");
    cr_expect_eq(plan.arena_bytes, plan.arena_bound);
    clear();
}

static void long_lives(uint32_t n) {
    random_lives(7, n, n / 2, 4000);
}

static void many_layers(uint32_t n) {
    layers(n / 2, 100);
}

static double seconds_of_plan(void (*lives)(uint32_t), uint32_t n) {
    struct timespec a, b;
    lives(n);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &a);
    cr_assert(memory_plan(&plan, NULL));
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &b);
    clear();
    return (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec);
}

/* Eight times the buffers may not take much more than eight times the time: loose, as the machine may be busy, but n * n is 64. */
Test(memory, time_grows_with_the_buffers) {
    void (*const lives[])(uint32_t) = {long_lives, many_layers};
    for (unsigned i = 0; i < BZ_LEN(lives); i++) {
        double a = seconds_of_plan(lives[i], 2000), b = seconds_of_plan(lives[i], 16000);
        fprintf(stderr, "2000 buffers take %.1f ms, 16000 take %.1f ms\n", 1e3 * a, 1e3 * b);
        cr_expect_lt(b, 24 * a + 0.05, "2000 take %.1f ms, 16000 take %.1f ms", 1e3 * a, 1e3 * b);
    }
}

Test(memory, runs_out) {
    for (long n = 0;; n++) {
        random_lives(5, 40, 9, 5000);
        bz_mem_fail_after(n);
        bool ok = memory_plan(&plan, NULL);
        bz_mem_fail_after(-1);
        clear();
        if (ok) break;
        cr_assert_lt(n, 1000);
    }
}
