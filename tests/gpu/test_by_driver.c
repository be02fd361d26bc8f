/* test_by_driver.c - the zoo, conformance and faults again through the Driver API of the emulated
 * driver: the same tables, cuX calls instead of ptx.h. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "conformance/conf.h"
#include "conformance/faults.h"
#include "zoo.h"

static dev *open_emulated(void) {
    const char *path = getenv("BRAZE_LIBCUDA");
    char why[400] = "";
    dev *d = dev_open_driver(path ? path : "build/libbraze-fakecuda.so", why, sizeof why);
    cr_assert_not_null(d, "%s", why);
    return d;
}

Test(by_driver, zoo) {
    dev *d = open_emulated();
    char why[1200] = "";
    for (size_t i = 0; i < zoo_count(); i++) {
        const zoo_case *c = zoo_at(i);
        char *ptx =
            zoo_fits(c, d->sm) ? zoo_ptx(c->file, zoo_arch(c, d->sm), why, sizeof why) : NULL;
        if (c->min_sm > d->sm) continue;
        cr_assert_not_null(ptx, "%s", why);
        cr_expect_eq(zoo_run(d, c, ptx, 1, 0, why, sizeof why), ZOO_CLEAN, "%s: %s", c->name, why);
        free(ptx);
    }
    d->ops->close(d);
}

/* The interpreter has judged every case already: what can differ here is how parameters, memory and
 * modules travel, so a part of each group is enough. */
Test(by_driver, conformance) {
    void (*const groups[])(conf_list *) = {conf_integers, conf_floats,   conf_converts, conf_memory,
                                           conf_warps,    conf_matrices, conf_flow};
    conf_list list = {0};
    dev *d = open_emulated();
    char why[1200];
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++) groups[i](&list);
    for (size_t i = 0; i < list.n; i += 7)
        if (list.at[i].sm <= d->sm)
            cr_expect(conf_run(d, &list.at[i], why, sizeof why, NULL), "%s", why);
    d->ops->close(d);
    conf_free(&list);
}

Test(by_driver, faults) {
    dev *d = open_emulated();
    char why[1200];
    int code[2];
    for (size_t i = 0; i < fault_count(); i++)
        cr_expect(fault_run(d, &fault_table[i], code, why, sizeof why), "%s", why);
    d->ops->close(d);
}
