/* test_findings.c - small kernels that must, or must not, be reported: holes that the mutation proof
 * found, each beside the sound program next to it. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "dev.h"

enum { SEEDS = 8 };

static const struct {
    const char *name, *body;
    bool reported; /* under one of the seeds at least; else under none */
} table[] = {
    {"lanes store different values to one shared word", "st.shared.u32 [word], %t;", true},
    {"lanes store one value to one shared word", "st.shared.u32 [word], 7;", false},
    {"lanes store to words of their own, backwards",
     "sub.u32 %x, 31, %t;\nmad.lo.u32 %x, %x, 4, %s;\nst.shared.u32 [%x], %t;", false},
    {"lanes store different values to one global word",
     "setp.eq.u32 %p, %block, 0;\n@%p st.global.u32 [%ga], %t;", true},
    {"lanes store one value to one global word",
     "setp.eq.u32 %p, %block, 0;\n@%p st.global.u32 [%ga], 7;", false},
    {"cp.async reads more than it copies",
     "mov.u32 %x, 17;\nsetp.eq.u32 %p, %t, 0;\n"
     "@%p cp.async.cg.shared.global [word], [%ga], 16, %x;\ncp.async.wait_all;",
     true},
    {"cp.async reads less than it copies",
     "mov.u32 %x, 15;\nsetp.eq.u32 %p, %t, 0;\n"
     "@%p cp.async.cg.shared.global [word], [%ga], 16, %x;\ncp.async.wait_all;",
     false},
    {"a block reads another's word without waiting for it",
     "setp.ne.u32 %p, %t, 0;\n@%p ret;\nsetp.ne.u32 %p, %block, 0;\n@%p bra READER;\n"
     "st.global.u32 [%ga], 5;\nmembar.gl;\natom.global.add.u32 %x, [%ga+8], 1;\nret;\n"
     "READER:\natom.global.add.u32 %x, [%ga+8], 1;\nmembar.gl;\nld.global.u32 %x, [%ga];",
     true},
    {"a block waits for another's word",
     "setp.ne.u32 %p, %t, 0;\n@%p ret;\nsetp.ne.u32 %p, %block, 0;\n@%p bra READER;\n"
     "st.global.u32 [%ga], 5;\nmembar.gl;\natom.global.add.u32 %x, [%ga+8], 1;\nret;\n"
     "READER:\nld.volatile.global.u32 %x, [%ga+8];\nsetp.eq.u32 %p, %x, 0;\n@%p bra READER;\n"
     "membar.gl;\nld.global.u32 %x, [%ga];",
     false},
};

static void say_kernel(char *text, size_t cap, const char *body) {
    snprintf(text, cap,
             ".version 7.0\n.target sm_80\n.address_size 64\n.visible .entry k(.param .u64 p)\n{\n"
             "\t.reg .b32 %%x, %%t, %%block, %%s;\n\t.reg .b64 %%ga;\n\t.reg .pred %%p;\n"
             "\t.shared .align 16 .b8 word[128];\n\tld.param.u64 %%ga, [p];\n"
             "\tmov.u32 %%t, %%tid.x;\n\tmov.u32 %%block, %%ctaid.x;\n\tmov.u32 %%s, word;\n"
             "%s\n\tret;\n}\n",
             body);
}

/* Findings of one run of two blocks, 32 threads each. */
static uint64_t findings(dev *d, const char *text, uint64_t seed) {
    const uint8_t zeros[32] = {0};
    uint64_t buffer = 0;
    d->ops->reset(d);
    cr_assert_eq(d->ops->load(d, text, strlen(text)), 0, "%s", d->why);
    cr_assert_eq(d->ops->alloc(d, sizeof zeros, &buffer), 0);
    cr_assert_eq(d->ops->write(d, buffer, zeros, sizeof zeros), 0);
    dev_launch l = {.kernel = "k",
                    .grid = {2, 1, 1},
                    .block = {32, 1, 1},
                    .args = {{&buffer, 8}},
                    .n_args = 1,
                    .seed = seed,
                    .cooperative = true};
    cr_assert_eq(d->ops->launch(d, &l), 0, "%s", d->why);
    return d->reports;
}

Test(findings, all) {
    char text[2000];
    dev *d = dev_open_ptx(80);
    cr_assert_not_null(d);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        uint64_t found = 0;
        say_kernel(text, sizeof text, table[i].body);
        for (uint64_t seed = 1; seed <= SEEDS; seed++) found += findings(d, text, seed);
        cr_expect_eq(found > 0, table[i].reported, "%s: %d findings (%s)", table[i].name,
                     (int)found, d->why);
    }
    d->ops->close(d);
}
