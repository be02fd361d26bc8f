/* test_system.c - what a kernel asks of the device: memory by malloc, a barrier of the whole grid. */
#include "test_kit.h"

#define HEAP_HEAD                                                                                  \
    PTX_HEAD ".extern .func (.param .b64 r) malloc(.param .b64 n);\n.extern .func free(.param "    \
             ".b64 p);\n"                                                                          \
             ".visible .entry k(.param .u64 a, .param .u32 c) {\n.reg .b64 %p, %d<8>;\n"           \
             ".reg .b32 %r<8>, %t;\n.reg .pred %q<4>;\nld.param.u64 %p, [a];\nmov.u32 %t, "        \
             "%tid.x;\n"
#define MALLOC(to, n)                                                                              \
    "{\n.param .b64 n; .param .b64 r;\nst.param.b64 [n], " n ";\ncall.uni (r), malloc, (n);\n"     \
    "ld.param.b64 " to ", [r];\n}\n"
#define FREE(p)    "{\n.param .b64 p;\nst.param.b64 [p], " p ";\ncall.uni free, (p);\n}\n"
#define HEAP(body) HEAP_HEAD body "ret;\n}\n"

static const struct {
    const char *name, *text;
    ptx_status status;
    int kind; /* -1: no report */
} heaps[] = {
    {"a word for each thread",
     HEAP(MALLOC(
         "%d1",
         "4") "st.u32 [%d1], %t;\nld.u32 %r1, [%d1];\nred.global.add.u32 [%p], %r1;\n" FREE("%d1")),
     PTX_OK, -1},
    {"what nobody wrote",
     HEAP(MALLOC("%d1", "8") "ld.u32 %r1, [%d1+4];\nst.u32 [%d1], %r1;\n" FREE("%d1")), PTX_OK,
     PTX_REPORT_UNINIT},
    {"behind its end", HEAP(MALLOC("%d1", "4") "st.u32 [%d1+4], %t;\n"), PTX_ILLEGAL_ADDRESS,
     PTX_REPORT_OUT_OF_BOUNDS},
    {"after it was freed", HEAP(MALLOC("%d1", "4") FREE("%d1") "st.u32 [%d1], %t;\n"),
     PTX_ILLEGAL_ADDRESS, PTX_REPORT_USE_AFTER_FREE},
    {"freed twice", HEAP(MALLOC("%d1", "4") FREE("%d1") FREE("%d1")), PTX_ILLEGAL_ADDRESS,
     PTX_REPORT_FAULT},
    {"freed in the middle", HEAP(MALLOC("%d1", "8") "add.u64 %d1, %d1, 4;\n" FREE("%d1")),
     PTX_ILLEGAL_ADDRESS, PTX_REPORT_FAULT},
    {"nothing to free", HEAP("mov.u64 %d1, 0;\n" FREE("%d1")), PTX_OK, -1},
    {"more than there is", HEAP(MALLOC("%d1", "2000") "setp.ne.u64 %q1, %d1, 0;\n@%q1 trap;\n"),
     PTX_OK, -1},
};

Test(system, heap) {
    for (size_t k = 0; k < sizeof heaps / sizeof *heaps; k++)
        for (unsigned blocks = 1; blocks <= 2; blocks++) {
            kit *run = kit_new(heaps[k].text, 4, 0, false);
            run->p.seed = 3;
            cr_expect_eq(kit_run(run, blocks, 8), heaps[k].status, "%s: %s", heaps[k].name,
                         run->message);
            cr_expect_eq(run->reports > 0, heaps[k].kind >= 0, "%s: %s", heaps[k].name, run->text);
            if (heaps[k].kind >= 0)
                cr_expect(kit_found(run, (ptx_report_kind)heaps[k].kind), "%s", heaps[k].name);
            if (k == 0) cr_expect_eq(kit_word(run, 0), 28 * blocks);
            kit_free(run);
        }
}

Test(system, heap_lives_on) {
    kit *k = kit_new(
        HEAP("ld.global.u64 %d1, [%p];\nsetp.ne.u64 %q1, %d1, 0;\n@%q1 bra have;\n" MALLOC(
            "%d1", "8") "st.u32 [%d1], 77;\nst.global.u64 [%p], %d1;\nbra out;\nhave:\n"
                        "ld.u32 %r1, [%d1];\nst.global.u32 [%p+8], %r1;\n" FREE("%d1") "out:\n"),
        4, 0, false);
    for (int n = 0; n < 2; n++) cr_expect_eq(kit_run(k, 1, 1), PTX_OK, "%s", k->message);
    cr_expect_eq(kit_word(k, 2), 77);
    kit_free(k);
}

/* As cooperative groups do it: the address of the grid's barrier stands in two environment registers. */
#define GRID(sync)                                                                                 \
    KERNEL("mov.u32 %r1, %envreg2;\nmov.u32 %r2, %envreg1;\nmov.b64 %d1, {%r1, %r2};\n"            \
           "setp.eq.u64 %q1, %d1, 0;\n@%q1 trap;\nmad.wide.u32 %d2, %b, 4, %p;\n"                  \
           "setp.eq.u32 %q5, %t, 0;\n@%q5 st.global.u32 [%d2], %b;\n" sync                         \
           "xor.b32 %r7, %b, 3;\nmad.wide.u32 %d2, %r7, 4, %p;\nld.global.u32 %r7, [%d2];\n")
#define GRID_SYNC                                                                                  \
    "bar.sync 0;\nsetp.ne.u32 %q2, %t, 0;\n@%q2 bra behind;\nsetp.eq.u32 %q3, %b, 0;\n"            \
    "selp.b32 %r3, 0x7ffffffd, 1, %q3;\n"                                                          \
    "atom.add.release.gpu.u32 %r4, [%d1+4], %r3;\nwait:\nld.acquire.gpu.u32 %r5, [%d1+4];\n"       \
    "xor.b32 %r6, %r5, %r4;\nsetp.gt.s32 %q4, %r6, -1;\n@%q4 bra wait;\nbehind:\nbar.sync 0;\n"

Test(system, barrier_of_a_cooperative_grid) {
    static const struct {
        const char *text;
        bool cooperative;
        ptx_status status;
        bool race;
    } rows[] = {{GRID(GRID_SYNC), true, PTX_OK, false},
                {GRID(""), true, PTX_OK, true},
                {GRID(GRID_SYNC), false, PTX_TRAP, false}};
    for (int n = 0; n < 3; n++)
        for (uint64_t seed = 0; seed < 5; seed++) {
            kit *k = kit_new(rows[n].text, 4, 0, false);
            k->p.cooperative = rows[n].cooperative;
            k->p.seed = seed;
            cr_expect_eq(kit_run(k, 4, 64), rows[n].status, "%d: %s", n, k->message);
            cr_expect_eq(kit_found(k, PTX_REPORT_RACE_GLOBAL), rows[n].race, "%d: %s", n, k->text);
            kit_free(k);
        }
}

/* Lanes of one warp and of others spin on a lock that one of them holds: all get on, and soon. */
Test(system, a_lock_that_all_threads_want) {
    kit *k =
        kit_new(KERNEL("again:\natom.global.cas.b32 %r1, [%p], 0, 1;\nsetp.ne.u32 %q1, %r1, 0;\n"
                       "@%q1 bra again;\nmembar.gl;\nld.global.u32 %r2, [%p+4];\n"
                       "add.u32 %r2, %r2, 1;\nst.global.u32 [%p+4], %r2;\nmembar.gl;\n"
                       "atom.global.exch.b32 %r1, [%p], 0;\n"),
                4, 0, false);
    k->p.instruction_limit = 1 << 20;
    for (uint64_t seed = 0; seed < 3; seed++) {
        k->p.seed = seed;
        cr_expect_eq(kit_run(k, 1, 128), PTX_OK, "%s", k->message);
        cr_expect_eq(kit_word(k, 1), 128 * (seed + 1));
        cr_expect_eq(k->reports, 0, "%s", k->text);
    }
    kit_free(k);
}
