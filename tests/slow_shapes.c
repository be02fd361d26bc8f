/* slow_shapes.c - a lazy loop that never sees a shape twice: plans, machine code and layouts go as others come, so that memory stays
 * flat. */
#include "tests/support/rt_support.h"

#include <stdio.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { MEASURED = 0 }; /* what is freed stays in quarantine */
#else
enum { MEASURED = 1 };
#endif

static long resident_kb(void) {
    long all = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    cr_assert(f && fscanf(f, "%ld %ld", &all, &resident) == 2);
    fclose(f);
    return resident * 4;
}

/* n shapes; memory after the first `begin` of them and at the end. */
static void shapes(bz_device d, int begin, int n, long most_kb) {
    bz_context *c;
    bz_counters k;
    long before = 0;
    cr_assert_eq(bz_open(&(bz_options){.device = d, .code_bytes = 1 << 20}, &c), BZ_OK);
    for (int i = 0; i < n; i++) {
        if (i == begin) before = resident_kb();
        bz_scope_begin(c);
        bz_tensor *x = bz_ones(c, BZ_SHAPE(i % 1000 + 1, i / 1000 + 1), BZ_F32);
        bz_tensor *y = bz_sum(bz_mul(x, 2), BZ_ALL);
        cr_assert_eq(bz_item(y), 2.0 * (i % 1000 + 1) * (i / 1000 + 1), "%s", bz_message(c));
        bz_scope_end(c);
    }
    long after = resident_kb();
    bz_get_counters(c, &k);
    cr_expect_eq(k.plan_misses, (uint64_t)n, "every shape is new");
    printf("%d shapes: %ld KB, %d: %ld KB\n", begin, before, n, after);
    if (MEASURED) cr_expect_leq(after, before + most_kb, "%ld KB, then %ld", before, after);
    bz_close(c);
}

Test(shapes, interpreted) {
    shapes(BZ_REF, 5000, 100000, 4096);
}

Test(shapes, compiled) {
    shapes(BZ_CPU, 1500, 4000, 8192);
}
