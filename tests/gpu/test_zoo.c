/* test_zoo.c - every kernel of the zoo on every architecture: the oracle's answer, no findings,
 * five seeds.
 *
 * The driver's way runs the same table: test_vectors. */
#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvrtc.h"
#include "zoo.h"

enum { SEEDS = 5 };

/* The last PTX made, since neighbours in the table share a file. */
static char *text_of(const char *file, unsigned sm) {
    static char *ptx;
    static char last[64];
    static unsigned last_sm;
    char why[2000];
    if (ptx && strcmp(file, last) == 0 && sm == last_sm) return ptx;
    free(ptx);
    ptx = zoo_ptx(file, sm, why, sizeof why);
    snprintf(last, sizeof last, "%s", file);
    last_sm = sm;
    cr_assert_not_null(ptx, "%s", why);
    return ptx;
}

static void run_all(unsigned sm) {
    dev *d = dev_open_ptx(sm);
    char why[1200] = "";
    cr_assert_not_null(d);
    if (!nvrtc_present())
        cr_log_info("no NVRTC: running the checked-in PTX"); /* a warning fails the program */
    for (size_t i = 0; i < zoo_count(); i++) {
        const zoo_case *c = zoo_at(i);
        for (uint64_t seed = 0; zoo_fits(c, sm) && seed < SEEDS; seed++) {
            zoo_verdict v =
                zoo_run(d, c, text_of(c->file, zoo_arch(c, sm)), seed, 0, why, sizeof why);
            cr_expect_eq(v, ZOO_CLEAN, "%s on sm_%u, seed %d: %s", c->name, sm, (int)seed, why);
        }
    }
    d->ops->close(d);
}

Test(zoo, sm_75) {
    run_all(75);
}
Test(zoo, sm_80) {
    run_all(80);
}
Test(zoo, sm_90) {
    run_all(90);
}
Test(zoo, sm_100) {
    run_all(100);
}

/* The texts that stand in for a missing compiler must run too, each on its own target and on newer
 * ones. */
static void run_kept(const zoo_case *c, unsigned text_sm, unsigned sm) {
    char path[256], why[1200] = "";
    snprintf(path, sizeof path, "tests/gpu/zoo/ptx/%s.%u%s.ptx", c->file, text_sm,
             c->only_sm ? "a" : "");
    char *ptx = zoo_read_file(path);
    dev *d = dev_open_ptx(sm);
    cr_assert(ptx && d, "%s", path);
    zoo_verdict v = zoo_run(d, c, ptx, 1, 0, why, sizeof why);
    cr_expect_eq(v, ZOO_CLEAN, "%s from %s on sm_%u: %s", c->name, path, sm, why);
    d->ops->close(d);
    free(ptx);
}

Test(zoo, kept_texts) {
    for (size_t i = 0; i < zoo_count(); i++) {
        run_kept(zoo_at(i), zoo_at(i)->min_sm, 90);
        if (zoo_fits(zoo_at(i), 120)) run_kept(zoo_at(i), 100, 120);
    }
}

/* With the compiler at hand, inline PTX must also pass the assembler on every target it claims. */
Test(zoo, assembles) {
    static const unsigned archs[] = {75, 90, 100};
    char log[2000], path[256], last[64] = "";
    if (!nvrtc_present()) cr_skip_test("no NVRTC");
    for (size_t i = 0; i < zoo_count(); i++) {
        const zoo_case *c = zoo_at(i);
        snprintf(path, sizeof path, "tests/gpu/zoo/%s.cu", c->file);
        char *source = strcmp(last, c->file) == 0 ? NULL : zoo_read_file(path);
        for (size_t k = 0; source && k < 3; k++)
            if (zoo_fits(c, archs[k]))
                cr_expect(nvrtc_assembles(source, path, zoo_arch(c, archs[k]), log, sizeof log),
                          "%s for %u: %s", path, archs[k], log);
        free(source);
        snprintf(last, sizeof last, "%s", c->file);
    }
}
