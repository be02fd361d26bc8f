/* test_conformance.c - every spelling against its oracle, a test a group. */
#include <criterion/criterion.h>
#include <stdio.h>

#include "conf.h"

static void judge(void (*group)(conf_list *))
{
    conf_list list = {0};
    dev *d = dev_open_ptx(120);
    char why[1200];
    cr_assert_not_null(d);
    group(&list);
    for (size_t i = 0; i < list.n; i++)
        cr_expect(conf_run(d, &list.at[i], why, sizeof why, NULL), "%s", why);
    d->ops->close(d);
    conf_free(&list);
}

Test(conformance, integers) { judge(conf_integers); }
Test(conformance, floats) { judge(conf_floats); }
Test(conformance, converts) { judge(conf_converts); }
Test(conformance, memory) { judge(conf_memory); }
Test(conformance, warps) { judge(conf_warps); }
Test(conformance, matrices) { judge(conf_matrices); }
Test(conformance, flow) { judge(conf_flow); }
