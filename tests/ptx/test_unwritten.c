/* test_unwritten.c - registers and local memory that nothing has written, stacks that are overrun, copies
 * whose source changes, data that volatile accesses are to order; each beside what is right. */
#include "test_kit.h"

enum { NO_FINDING = 99 };

typedef struct {
    const char *name, *text;
    unsigned blocks, threads;
    int kind; /* NO_FINDING: none, under any seed */
} program;

static void judge(const program *list, size_t n) {
    for (size_t k = 0; k < n; k++) {
        const program *x = &list[k];
        bool found = false;
        for (uint64_t seed = 0; seed < 4; seed++) {
            kit *run = kit_new(x->text, 1024, 31, false);
            run->p.seed = seed;
            kit_run(run, x->blocks, x->threads);
            found |= kit_found(run, (ptx_report_kind)x->kind);
            if (x->kind == NO_FINDING)
                cr_expect_eq(run->reports, 0, "%s, seed %u: %s", x->name, (unsigned)seed,
                             run->text);
            kit_free(run);
        }
        if (x->kind != NO_FINDING)
            cr_expect(found, "%s: no '%s'", x->name, ptx_report_name((ptx_report_kind)x->kind));
    }
}

#define JUDGE(list) judge(list, sizeof(list) / sizeof *(list))

/* ---- registers ---- */

#define HALF  "setp.lt.u32 %q1, %t, 16;\n"
#define STORE "mad.wide.u32 %d1, %t, 4, %p;\nst.global.u32 [%d1], %r2;\n"

static const program registers[] = {
    {"a sum of one", KERNEL("add.u32 %r2, %r1, 1;\n" STORE), 1, 32, PTX_REPORT_UNINIT},
    {"an address of one", KERNEL("ld.global.u32 %r2, [%d2];\n"), 1, 32, PTX_REPORT_UNINIT},
    {"a guard of one", KERNEL("mov.u32 %r2, 1;\n@!%q2 st.global.u32 [%p], %r2;\n"), 1, 32,
     PTX_REPORT_UNINIT},
    {"a branch by what a comparison made of one",
     KERNEL("setp.eq.u32 %q2, %r1, 0;\n@%q2 bra out;\nmov.u32 %r2, 1;\n" STORE "out:\n"), 1, 32,
     PTX_REPORT_UNINIT},
    {"written on one of two paths",
     KERNEL(HALF "@%q1 bra over;\nmov.u32 %r1, 7;\nover:\nadd.u32 %r2, %r1, 1;\n" STORE), 1, 32,
     PTX_REPORT_UNINIT},
    {"written on one of two paths, used on that one only",
     KERNEL(HALF
            "@%q1 bra over;\nmov.u32 %r1, 7;\nover:\nadd.u32 %r2, %r1, 1;\n@!%q1 st.global.u32 "
            "[%p], %r2;\n"),
     1, 32, NO_FINDING},
    {"written and used under one guard",
     KERNEL(HALF
            "@%q1 mov.u32 %r1, 7;\n@%q1 add.u32 %r2, %r1, 1;\n@%q1 st.global.u32 [%p], %r2;\n"),
     1, 32, NO_FINDING},
    {"written and used under opposite guards",
     KERNEL(HALF "@%q1 mov.u32 %r1, 7;\n@!%q1 st.global.u32 [%p], %r1;\n"), 1, 32,
     PTX_REPORT_UNINIT},
    {"a test that another test makes void",
     KERNEL(HALF
            "@%q1 ld.global.u32 %r1, [%p];\nsetp.eq.u32 %q2, %r1, 0;\nand.pred %q3, %q1, %q2;\n"
            "@!%q3 bra out;\nmov.u32 %r2, 1;\n@%q1 st.global.u32 [%p+128], %r2;\nout:\n"),
     1, 32, NO_FINDING},
    {"copied and packed, never used",
     KERNEL("mov.u32 %r2, %r1;\nmov.b64 %d2, {%r2, %t};\nmov.b64 {%r3, %r4}, %d2;\n"), 1, 32,
     NO_FINDING},
    {"the first round of a loop",
     KERNEL(
         "mov.u32 %r3, 0;\nmore:\nadd.u32 %r2, %r2, %r3;\nadd.u32 %r3, %r3, 1;\nsetp.lt.u32 %q1, "
         "%r3, 4;\n@%q1 bra more;\n" STORE),
     1, 32, PTX_REPORT_UNINIT},
    {"written in the first round of a loop",
     KERNEL("mov.u32 %r3, 0;\nmore:\nsetp.eq.u32 %q2, %r3, 0;\n@%q2 mov.u32 %r2, 5;\nadd.u32 %r2, "
            "%r2, %r3;\nadd.u32 %r3, %r3, 1;\nsetp.lt.u32 %q1, %r3, 4;\n@%q1 bra more;\n" STORE),
     1, 32, NO_FINDING},
};

Test(unwritten, registers) {
    JUDGE(registers);
}

/* ---- local memory ---- */

#define LOCAL ".local .align 8 .b8 own[32];\n"
/* deep(n) calls itself n times; each activation has 32 bytes, of which it stores the word at `at`. */
#define DEEP(at)                                                                                   \
    PTX_HEAD ".func deep(.param .b32 n) {\n.reg .b32 %r<4>;\n.reg .b64 %d<4>;\n.reg .pred %q;\n"   \
             ".local .align 8 .b8 own[32];\nld.param.u32 %r1, [n];\nmov.u64 %d1, own;\n"           \
             "st.local.u32 [%d1+" at "], %r1;\nsetp.eq.u32 %q, %r1, 0;\n@%q bra out;\n"            \
             "sub.u32 %r2, %r1, 1;\n{\n.param .b32 m;\nst.param.b32 [m], %r2;\n"                   \
             "call.uni deep, (m);\n}\nout:\nret;\n}\n"                                             \
             ".visible .entry k(.param .u64 a, .param .u32 c) {\n{\n.param .b32 m;\n"              \
             "st.param.b32 [m], 5;\ncall.uni deep, (m);\n}\nret;\n}\n"

static const program stacks[] = {
    {"a word nobody wrote", KERNEL(LOCAL "ld.local.u32 %r2, [own+8];\n" STORE), 1, 32,
     PTX_REPORT_UNINIT},
    {"a word that half of the lanes wrote",
     KERNEL(LOCAL HALF "@%q1 st.local.u32 [own+8], 1;\nld.local.u32 %r2, [own+8];\n" STORE), 1, 32,
     PTX_REPORT_UNINIT},
    {"a word that was written",
     KERNEL(LOCAL "st.local.u32 [own+8], %t;\nld.local.u32 %r2, [own+8];\n" STORE), 1, 32,
     NO_FINDING},
    {"a structure with a gap",
     KERNEL(LOCAL "st.local.u8 [own], 1;\nst.local.u32 [own+4], 1;\nld.local.v2.u32 {%r1, %r2}, "
                  "[own];\n" STORE),
     1, 32, NO_FINDING},
    {"inside of each activation", DEEP("28"), 1, 32, NO_FINDING},
    {"behind the innermost activation", DEEP("48"), 1, 32, PTX_REPORT_OUT_OF_BOUNDS},
};

Test(unwritten, local_memory) {
    JUDGE(stacks);
}

/* ---- cp.async ---- */

#define COPIED(before, after)                                                                      \
    KERNEL("mul.lo.u32 %r2, %t, 16;\nmad.wide.u32 %d1, %t, 16, %p;\ncp.async.cg.shared.global "    \
           "[%r2], [%d1], 16;\ncp.async.commit_group;\n" before "cp.async.wait_group 0;\n" after)

static const program copies[] = {
    {"the source is stored to before the wait", COPIED("st.global.u32 [%d1], 7;\n", ""), 1, 32,
     PTX_REPORT_ASYNC},
    {"the source is stored to after the wait", COPIED("", "st.global.u32 [%d1], 7;\n"), 1, 32,
     NO_FINDING},
};

Test(unwritten, sources_of_copies) {
    JUDGE(copies);
}

/* ---- volatile and relaxed data ---- */

/* Each block stores a word and counts itself; the last one adds all of them. */
#define PARTIALS(store, fence, load)                                                               \
    KERNEL("mad.wide.u32 %d1, %b, 4, %p;\nst." store ".global.u32 [%d1+128], %b;\n" fence          \
           "atom.global.add.u32 %r1, [%p], 1;\nsetp.ne.u32 %q1, %r1, 3;\n@%q1 bra out;\n"          \
           "ld." load ".global.u32 %r2, [%p+128];\nld." load ".global.u32 %r3, [%p+132];\n"        \
           "add.u32 %r2, %r2, %r3;\nst.global.u32 [%p+4], %r2;\nout:\n")
/* Sums of 2, 4 ... lanes through shared memory. */
#define HALVING(between)                                                                           \
    KERNEL("mul.lo.u32 %r1, %t, 4;\nst.volatile.shared.u32 [%r1], %t;\n" between                   \
           "setp.ge.u32 %q1, %t, 16;\n@%q1 bra out;\nld.volatile.shared.u32 %r2, [%r1+64];\n"      \
           "add.u32 %r2, %r2, %t;\n" STORE "out:\n")

static const program volatiles[] = {
    {"volatile partial sums, no fence", PARTIALS("volatile", "", "volatile"), 4, 1,
     PTX_REPORT_RACE_GLOBAL},
    {"relaxed partial sums, no fence", PARTIALS("relaxed.gpu", "", "relaxed.gpu"), 4, 1,
     PTX_REPORT_RACE_GLOBAL},
    {"volatile partial sums, the writers' fence", PARTIALS("volatile", "membar.gl;\n", "volatile"),
     4, 1, NO_FINDING},
    {"lanes of a warp by volatile accesses alone", HALVING(""), 1, 32, PTX_REPORT_RACE_SHARED},
    {"lanes of a warp, a warp barrier between", HALVING("bar.warp.sync -1;\n"), 1, 32, NO_FINDING},
    {"a status with its value beside, polled",
     KERNEL("setp.ne.u32 %q1, %b, 0;\n@%q1 bra wait;\nmov.b64 %d2, {%n, %n};\n"
            "st.volatile.global.u64 [%p+8], %d2;\nbra out;\nwait:\nld.volatile.global.u64 %d3, "
            "[%p+8];\n"
            "mov.b64 {%r1, %r2}, %d3;\nsetp.eq.u32 %q2, %r1, 0;\n@%q2 bra wait;\n"
            "st.global.u32 [%p], %r2;\nout:\n"),
     2, 1, NO_FINDING},
};

Test(unwritten, volatile_data) {
    JUDGE(volatiles);
}
