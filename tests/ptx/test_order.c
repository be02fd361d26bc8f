/* test_order.c - programs that look wrong and are not, each beside the wrong one next to it: masks of
 * each lane's own, loads wider than what is read, order by fences, flags and one's own atomics. */
#include "test_kit.h"

enum { NO_FINDING = 99 };

typedef struct {
    const char *name, *text;
    unsigned blocks, threads;
    int kind; /* under one of eight seeds at least; NO_FINDING: none under any */
    int word; /* what word 0 of the buffer then is, -1: anything */
} program;

/* Each row on a fresh buffer of 32 words, each 0. */
static void judge(const program *list, size_t n) {
    for (size_t k = 0; k < n; k++) {
        const program *x = &list[k];
        bool found = false;
        for (uint64_t seed = 0; seed < 8; seed++) {
            kit *run = kit_new(x->text, 32, 31, false);
            run->p.seed = seed;
            run->p.cooperative = true;
            kit_run(run, x->blocks, x->threads);
            found |= kit_found(run, (ptx_report_kind)x->kind);
            if (x->kind == NO_FINDING) {
                cr_expect_eq(run->reports, 0, "%s, seed %u: %s", x->name, (unsigned)seed,
                             run->text);
                if (x->word >= 0)
                    cr_expect_eq(kit_word(run, 0), (uint32_t)x->word, "%s, seed %u: %u", x->name,
                                 (unsigned)seed, kit_word(run, 0));
            }
            kit_free(run);
        }
        if (x->kind != NO_FINDING)
            cr_expect(found, "%s: no '%s'", x->name, ptx_report_name((ptx_report_kind)x->kind));
    }
}

#define JUDGE(list) judge(list, sizeof(list) / sizeof *(list))

/* ---- masks ---- */

/* %r1: the lanes of the same parity; a sum over lanes of what each got goes to word 0. */
#define PARITY "and.b32 %r2, %t, 1;\nmatch.any.sync.b32 %r1, %r2, -1;\n"
#define SUM    "red.global.add.u32 [%p], %r3;\n"

static const program masks[] = {
    {"redux by each lane's mask", KERNEL(PARITY "redux.sync.add.u32 %r3, %t, %r1;\n" SUM), 1, 32,
     NO_FINDING, 16 * 240 + 16 * 256},
    {"ballot by each lane's mask",
     KERNEL(PARITY "setp.lt.u32 %q1, %t, 4;\nvote.sync.ballot.b32 %r3, %q1, %r1;\n" SUM), 1, 32,
     NO_FINDING, 16 * 5 + 16 * 10},
    {"all by each lane's mask",
     KERNEL(PARITY "setp.eq.u32 %q1, %r2, 1;\nvote.sync.all.pred %q2, %q1, %r1;\n"
                   "selp.u32 %r3, 1, 0, %q2;\n" SUM),
     1, 32, NO_FINDING, 16},
    {"shuffle inside each lane's mask",
     KERNEL(PARITY "shfl.sync.bfly.b32 %r3, %t, 2, 31, %r1;\n" SUM), 1, 32, NO_FINDING, 496},
    {"shuffle out of each lane's mask",
     KERNEL(PARITY "shfl.sync.bfly.b32 %r3, %t, 1, 31, %r1;\n" SUM), 1, 32, PTX_REPORT_BARRIER, -1},
    {"match inside each lane's mask",
     KERNEL(PARITY
            "shr.u32 %r4, %t, 4;\nmatch.any.sync.b32 %r3, %r4, %r1;\npopc.b32 %r3, %r3;\n" SUM),
     1, 32, NO_FINDING, 8 * 32},
    {"half of the warp waits elsewhere, each half by its own mask",
     KERNEL("setp.lt.u32 %q1, %t, 16;\nselp.b32 %r1, 0xffff, 0xffff0000, %q1;\n@%q1 bra go;\n"
            "add.u32 %r5, %t, 1;\ngo:\nredux.sync.max.u32 %r3, %t, %r1;\n" SUM),
     1, 32, NO_FINDING, 16 * 15 + 16 * 31},
    {"members that name different masks",
     KERNEL("setp.lt.u32 %q1, %t, 8;\nselp.b32 %r1, 0xffff, -1, %q1;\nredux.sync.add.u32 %r3, %t, "
            "%r1;\n"),
     1, 32, PTX_REPORT_BARRIER, -1},
    {"warp barrier by a thread that its mask leaves out", KERNEL("bar.warp.sync 0xffff;\n"), 1, 32,
     PTX_REPORT_BARRIER, -1},
    {"warp barriers of two halves",
     KERNEL("setp.lt.u32 %q1, %t, 16;\nselp.b32 %r1, 0xffff, 0xffff0000, %q1;\nmul.lo.u32 %r2, %t, "
            "4;\nst.shared.u32 [%r2], %t;\nbar.warp.sync %r1;\nxor.b32 %r2, %r2, 4;\n"
            "ld.shared.u32 %r3, [%r2];\n" SUM),
     1, 32, NO_FINDING, 496},
};

Test(order, masks_of_each_lane) {
    JUDGE(masks);
}

/* ---- loads wider than what is read ---- */

#define PAST_THE_END(last) /* words 28 to 31 of 31 */                                              \
    ".visible .entry k(.param .u64 a, .param .u32 c) {\n.reg .b32 %r<5>;\n.reg .b64 %p;\n"         \
    "ld.param.u64 %p, [a];\nld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%p+112];\n"                    \
    "add.u32 %r1, %r1, %r2;\nadd.u32 %r1, %r1, " last ";\nst.global.u32 [%p], %r1;\nret;\n}\n"

Test(order, elements_that_nobody_reads) {
    static const struct {
        const char *text;
        ptx_status status;
    } rows[] = {{PTX_HEAD PAST_THE_END("%r3"), PTX_OK},
                {PTX_HEAD PAST_THE_END("%r4"), PTX_ILLEGAL_ADDRESS}};
    for (int k = 0; k < 2; k++) {
        kit *run = kit_new(rows[k].text, 31, 0, false);
        cr_expect_eq(kit_run(run, 1, 1), rows[k].status, "%s", run->message);
        cr_expect_eq(run->reports, (unsigned)k);
        kit_free(run);
    }
}

#define PADDED(space, at, last)                                                                    \
    "st." space ".u32 [" at "], 1;\nst." space ".u32 [" at "+4], 2;\nld." space                    \
    ".v4.u32 {%r1, %r2, %r3, %r4}, [" at "];\nadd.u32 %r1, %r1, " last ";\n"

Test(order, padding_is_not_read) {
    static const program list[] = {
        {"shared", KERNEL(PADDED("shared", "s", "%r2")), 1, 1, NO_FINDING, -1},
        {"shared, padding read", KERNEL(PADDED("shared", "s", "%r3")), 1, 1, PTX_REPORT_UNINIT, -1},
    };
    JUDGE(list);
    for (int k = 0; k < 2; k++) {
        kit *run = kit_new(k ? KERNEL(PADDED("global", "%p", "%r4"))
                             : KERNEL(PADDED("global", "%p", "%r2")),
                           32, 0, true);
        kit_run(run, 1, 1);
        cr_expect_eq(kit_found(run, PTX_REPORT_UNINIT), k, "%s", run->text);
        kit_free(run);
    }
}

Test(order, elements_of_arrays_as_operands) {
    kit *run = kit_new(KERNEL(".local .align 4 .u32 own[4];\nmov.u64 %d1, own[2];\nst.local.u32 "
                              "[%d1], 77;\nld.local.u32 %r1, [own+8];\nst.global.u32 [%p], %r1;"),
                       4, 0, false);
    cr_expect_eq(kit_run(run, 1, 1), PTX_OK, "%s", run->message);
    cr_expect_eq(kit_word(run, 0), 77);
    kit_free(run);
}

Test(order, a_granule_hides_small_overruns) {
    static const struct {
        uint32_t slack;
        ptx_status status;
    } rows[] = {{0, PTX_ILLEGAL_ADDRESS}, {4, PTX_ILLEGAL_ADDRESS}, {472, PTX_OK}};
    for (int k = 0; k < 3; k++) {
        kit *run = kit_new(KERNEL("mad.wide.u32 %d1, %t, 4, %p;\nld.global.u32 %r1, [%d1];\n"), 10,
                           0, false);
        run->buffer->slack = rows[k].slack;
        cr_expect_eq(kit_run(run, 1, 12), rows[k].status);
        cr_expect_eq(run->reports, k == 1 ? 2 : 1, "%u", run->reports); /* reported, then a fault */
        cr_expect(kit_found(run, PTX_REPORT_OUT_OF_BOUNDS));
        kit_free(run);
    }
}

Test(order, lop3_with_a_predicate) {
    static const program list[] = {
        {"or: %t & 12, or lane 0 by q",
         KERNEL("setp.eq.u32 %q1, %t, 0;\nlop3.or.b32 %r1|%q2, %t, 12, 0, 0xc0, %q1;\nselp.u32 "
                "%r3, 1, "
                "0, %q2;\nadd.u32 %r3, %r3, %r1;\nred.global.add.u32 [%p], %r3;\n"),
         1, 32, NO_FINDING, 24 + 1 + 192},
        {"and, negated, the value not wanted",
         KERNEL("setp.lt.u32 %q1, %t, 16;\nlop3.and.b32 _|%q2, %t, 12, 0, 0xc0, !%q1;\nselp.u32 "
                "%r3, 1, "
                "0, %q2;\nred.global.add.u32 [%p], %r3;\n"),
         1, 32, NO_FINDING, 12},
    };
    JUDGE(list);
}

/* ---- fences, flags, locks ---- */

#define ZERO_SHARED                                                                                \
    "setp.eq.u32 %q1, %t, 0;\n@%q1 st.shared.v4.u32 [s], {0, 0, 0, 0};\nbar.sync 0;\n"
#define HAND_OVER(before, after)                                                                   \
    KERNEL(ZERO_SHARED                                                                             \
           "setp.lt.u32 %q2, %t, 32;\nand.b32 %r5, %t, 31;\nsetp.ne.u32 %q3, %r5, 0;\n"            \
           "@%q3 bra out;\n@!%q2 bra take;\nst.shared.u32 [s+8], 5;\n" before                      \
           "st.volatile.shared.u32 [s], 1;\nbra out;\ntake:\nld.volatile.shared.u32 %r1, "         \
           "[s];\nsetp.eq.u32 %q4, %r1, 0;\n@%q4 bra take;\n" after                                \
           "ld.shared.u32 %r2, [s+8];\nst.global.u32 [%p], %r2;\nout:\n")
#define LOCKED_SUM(before, after)                                                                  \
    KERNEL(ZERO_SHARED                                                                             \
           "and.b32 %r5, %t, 31;\nsetp.gt.u32 %q3, %r5, 1;\n@%q3 bra "                             \
           "done;\nagain:\natom.shared.cas.b32 %r1, [s], 0, 1;\nsetp.ne.u32 %q2, %r1, 0;\n@%q2 "   \
           "bra again;\n" before "ld.shared.u32 %r2, [s+8];\nadd.u32 %r2, %r2, 1;\n"               \
           "st.shared.u32 [s+8], %r2;\n" after "atom.shared.exch.b32 %r3, [s], 0;\n"               \
           "done:\nbar.sync 0;\n@%q1 ld.shared.u32 %r4, [s+8];\n@%q1 st.global.u32 [%p], %r4;\n")

static const program shared_flags[] = {
    {"a flag with fences", HAND_OVER("membar.cta;\n", "membar.cta;\n"), 1, 64, NO_FINDING, 5},
    {"a flag without the writer's fence", HAND_OVER("", "membar.cta;\n"), 1, 64,
     PTX_REPORT_RACE_SHARED, -1},
    {"a flag without the reader's fence", HAND_OVER("membar.cta;\n", ""), 1, 64,
     PTX_REPORT_RACE_SHARED, -1},
    {"a lock with fences", LOCKED_SUM("membar.cta;\n", "membar.cta;\n"), 1, 64, NO_FINDING, 4},
    {"a lock without the one that gives", LOCKED_SUM("membar.cta;\n", ""), 1, 64,
     PTX_REPORT_RACE_SHARED, -1},
    {"a lock without the one that takes", LOCKED_SUM("", "membar.cta;\n"), 1, 64,
     PTX_REPORT_RACE_SHARED, -1},
    {"all of a warp read a word, one of them writes it", /* the last reader is not the only one */
     KERNEL(ZERO_SHARED
            "ld.shared.u32 %r1, [s];\nsetp.eq.u32 %q2, %t, 31;\n@%q2 st.shared.u32 [s], "
            "%r1;\n"),
     1, 32, PTX_REPORT_RACE_SHARED, -1},
};

Test(order, flags_and_locks_in_shared_memory) {
    JUDGE(shared_flags);
}

#define TICKET(before)                                                                             \
    KERNEL("setp.ne.u32 %q1, %t, 0;\n@%q1 bra out;\n" before                                       \
           "atom.global.add.u32 %r1, [%p+4], 1;\nsetp.ne.u32 %q2, %r1, 3;\n@%q2 bra out;\n"        \
           "st.global.u32 [%p+4], 0;\nout:\n")

static const program between_blocks[] = {
    {"the last block resets its ticket", TICKET(""), 4, 32, NO_FINDING, -1},
    {"a block writes what others count on before its own atomic",
     KERNEL("setp.eq.u32 %q1, %b, 0;\n@%q1 st.global.u32 [%p], 0;\natom.global.add.u32 %r1, [%p], "
            "1;\n"),
     4, 1, PTX_REPORT_RACE_GLOBAL, -1},
    {"another's plain store into the ticket",
     KERNEL("setp.eq.u32 %q1, %b, 0;\n@%q1 st.global.u32 [%p], 0;\n@!%q1 atom.global.add.u32 %r1, "
            "[%p], 1;\n"),
     4, 1, PTX_REPORT_RACE_GLOBAL, -1},
    {"a flag polled before it is written",
     KERNEL("setp.eq.u32 %q1, %b, 0;\n@%q1 bra wait;\nst.volatile.global.u32 [%p+4], 1;\nbra out;\n"
            "wait:\nld.volatile.global.u32 %r1, [%p+4];\nsetp.eq.u32 %q2, %r1, 0;\n@%q2 bra wait;\n"
            "st.global.u32 [%p], 1;\nout:\n"),
     2, 1, NO_FINDING, 1},
    {"a flag polled, and written plainly",
     KERNEL(
         "setp.eq.u32 %q1, %b, 0;\n@%q1 bra wait;\nst.global.u32 [%p+4], 1;\nbra out;\nwait:\n"
         "ld.volatile.global.u32 %r1, [%p+4];\nsetp.eq.u32 %q2, %r1, 0;\n@%q2 bra wait;\nout:\n"),
     2, 1, PTX_REPORT_RACE_GLOBAL, -1},
};

/* Both warps of each block write a word; thread 0 counts blocks, the last of which reads all words. */
#define WORDS_WRITTEN                                                                              \
    "shr.u32 %r1, %t, 5;\nmad.lo.u32 %r2, %b, 2, %r1;\nmad.wide.u32 %d1, %r2, 4, %p;\n"            \
    "st.global.u32 [%d1+32], %r1;\nsetp.ne.u32 %q1, %t, 0;\n"
#define WORDS_READ                                                                                 \
    "ld.global.v4.u32 {%r4, %r5, %r6, %r7}, [%p+32];\nadd.u32 %r4, %r4, %r5;\n"                    \
    "add.u32 %r6, %r6, %r7;\n"
#define COUNTED(before, order)                                                                     \
    KERNEL(WORDS_WRITTEN before "@%q1 bra out;\natom.add" order                                    \
                                ".gpu.global.u32 %r3, [%p+4], 1;\nsetp.ne.u32 %q2, %r3, 3;\n"      \
                                "@%q2 bra out;\n" WORDS_READ "out:\n")
#define FENCED(between)                                                                            \
    KERNEL(WORDS_WRITTEN "membar.gl;\n" between "@%q1 bra out;\natom.add.global.u32 %r3, [%p+4], " \
                         "1;\nmembar.gl;\nsetp.ne.u32 %q2, %r3, 3;\n@%q2 bra out;\n" WORDS_READ    \
                         "out:\n")
#define WAITED_FOR(after)                                                                          \
    KERNEL(WORDS_WRITTEN                                                                           \
           "bar.sync 0;\n@%q1 bra wait;\nred.add.release.gpu.global.u32 [%p+4], 1;\n"              \
           "wait:\nsetp.ne.u32 %q2, %t, 32;\n@%q2 bra skip;\nagain:\n"                             \
           "ld.relaxed.gpu.global.u32 %r3, [%p+4];\nsetp.ne.u32 %q3, %r3, 4;\n"                    \
           "@%q3 bra again;\nskip:\n" after WORDS_READ)

static const program releases[] = {
    {"a release without a barrier before it", COUNTED("", ".acq_rel"), 4, 64,
     PTX_REPORT_RACE_GLOBAL, -1},
    {"with one", COUNTED("bar.sync 0;\n", ".acq_rel"), 4, 64, NO_FINDING, -1},
    {"a fence of each thread, then a barrier", FENCED("bar.sync 0;\n"), 4, 64, NO_FINDING, -1},
    {"a fence of each thread, no barrier", FENCED(""), 4, 64, PTX_REPORT_RACE_GLOBAL, -1},
    {"a barrier, no order", COUNTED("bar.sync 0;\n", ".relaxed"), 4, 64, PTX_REPORT_RACE_GLOBAL,
     -1},
    {"one waits, all fence after a barrier", WAITED_FOR("bar.sync 0;\nmembar.gl;\n"), 4, 64,
     NO_FINDING, -1},
    {"one waits and fences, the others pass a barrier", WAITED_FOR("membar.gl;\nbar.sync 0;\n"), 4,
     64, NO_FINDING, -1},
    {"one waits and fences, the others don't wait", WAITED_FOR("membar.gl;\n"), 4, 64,
     PTX_REPORT_RACE_GLOBAL, -1},
    {"a plain store ends what was released",
     KERNEL("setp.ne.u32 %q1, %b, 0;\n@%q1 bra wait;\nst.global.u32 [%p], 1;\n"
            "st.release.gpu.global.u32 [%p+4], 1;\nbra out;\nwait:\nsetp.ne.u32 %q1, %b, 1;\n"
            "@%q1 bra third;\nst.relaxed.gpu.global.u32 [%p+4], 2;\nbra out;\nthird:\n"
            "ld.acquire.gpu.global.u32 %r1, [%p+4];\nsetp.ne.u32 %q2, %r1, 2;\n@%q2 bra out;\n"
            "ld.global.u32 %r2, [%p];\nout:\n"),
     3, 1, PTX_REPORT_RACE_GLOBAL, -1},
};

Test(order, releases_of_a_block) {
    JUDGE(releases);
}

#define READ_ALL                                                                                   \
    "add.u32 %r1, %r1, 1;\nsetp.ne.u32 %q1, %r1, %n;\n@%q1 bra out;\nmov.u32 %r2, 0;\nmore:\n"     \
    "mad.wide.u32 %d1, %r2, 4, %p;\nld.global.u32 %r3, [%d1+128];\nadd.u32 %r2, %r2, 1;\n"         \
    "setp.lt.u32 %q1, %r2, %n;\n@%q1 bra more;\nout:\n"

/* Each block writes a word and counts itself; the last one reads them all. */
Test(order, between_the_blocks_of_a_large_grid) {
    enum { BLOCKS = 20000 };
    for (int wrong = 0; wrong < 2; wrong++) {
        kit *run =
            kit_new(wrong ? KERNEL("mad.wide.u32 %d1, %b, 4, %p;\nst.global.u32 [%d1+128], %b;\n"
                                   "atom.add.relaxed.gpu.global.u32 %r1, [%p], 1;\n" READ_ALL)
                          : KERNEL("mad.wide.u32 %d1, %b, 4, %p;\nst.global.u32 [%d1+128], %b;\n"
                                   "atom.add.acq_rel.gpu.global.u32 %r1, [%p], 1;\n" READ_ALL),
                    BLOCKS + 32, BLOCKS, false);
        run->p.seed = 1;
        kit_run(run, BLOCKS, 1);
        cr_expect_eq(kit_found(run, PTX_REPORT_RACE_GLOBAL), wrong, "%s", run->text);
        kit_free(run);
    }
}

#define READ_BACK(how)                                                                             \
    KERNEL("mad.wide.u32 %d1, %t, 4, %p;\nst.global.u32 [%d1], %t;\nbar.sync 0;\nld.global" how    \
           ".u32 %r1, [%d1];\n")

static const program non_coherent[] = {
    {"a plain load of what the block has written", READ_BACK(""), 1, 32, NO_FINDING, -1},
    {"a non-coherent one", READ_BACK(".nc"), 1, 32, PTX_REPORT_RACE_GLOBAL, -1},
};

static const program in_a_block[] = {
    {"warps read what others wrote to global memory",
     KERNEL("and.b32 %r1, %t, 31;\nmad.wide.u32 %d1, %r1, 4, %p;\nsetp.lt.u32 %q1, %t, 32;\n@%q1 "
            "st.global.u32 [%d1], %t;\n@!%q1 ld.global.u32 %r2, [%d1];\n"),
     1, 64, PTX_REPORT_RACE_GLOBAL, -1},
    {"after a barrier",
     KERNEL("and.b32 %r1, %t, 31;\nmad.wide.u32 %d1, %r1, 4, %p;\nsetp.lt.u32 %q1, %t, 32;\n@%q1 "
            "st.global.u32 [%d1], %t;\nbar.sync 0;\n@!%q1 ld.global.u32 %r2, [%d1];\n"),
     1, 64, NO_FINDING, -1},
    {"after a flag with fences in global memory",
     KERNEL(
         "setp.lt.u32 %q1, %t, 32;\nand.b32 %r1, %t, 31;\nsetp.ne.u32 %q2, %r1, 0;\n@%q2 bra out;\n"
         "@!%q1 bra take;\nst.global.u32 [%p], 5;\nmembar.gl;\nst.volatile.global.u32 [%p+8], "
         "1;\nbra out;\ntake:\nld.volatile.global.u32 %r2, [%p+8];\nsetp.eq.u32 %q3, %r2, 0;\n@%q3 "
         "bra take;\nmembar.gl;\nld.global.u32 %r3, [%p];\nst.global.u32 [%p+16], %r3;\nout:\n"),
     1, 64, NO_FINDING, 5},
    {"lanes of a warp, nothing between",
     KERNEL("mad.wide.u32 %d1, %t, 4, %p;\nst.global.u32 [%d1], %t;\nxor.b32 %r1, %t, "
            "1;\nmad.wide.u32 "
            "%d1, %r1, 4, %p;\nld.global.u32 %r2, [%d1];\n"),
     1, 32, PTX_REPORT_RACE_GLOBAL, -1},
    {"atomics on one word", KERNEL("atom.global.add.u32 %r1, [%p], 1;\n"), 1, 64, NO_FINDING, 64},
};

Test(order, races_inside_a_block_through_global_memory) {
    JUDGE(in_a_block);
}

Test(order, non_coherent_loads) {
    JUDGE(non_coherent);
}

Test(order, between_blocks) {
    JUDGE(between_blocks);
}
