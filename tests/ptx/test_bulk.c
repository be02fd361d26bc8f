/* test_bulk.c - mbarriers and bulk copies: phases and counts, and what happens when a wait is missing. */
#include "test_kit.h"

enum { NO_FINDING = 99 };

#undef PTX_HEAD
#define PTX_HEAD ".version 8.0\n.target sm_90\n.address_size 64\n"

#define FIRST      "setp.ne.u32 %q1, %t, 0;\n"
#define SET(at, n) "@!%q1 mbarrier.init.shared.b64 [" at "], " n ";\n"
#define WAIT(label, at, parity)                                                                    \
    label ":\nmbarrier.try_wait.parity.shared.b64 %q2, [" at "], " parity ";\n@!%q2 bra " label    \
          ";\n"
#define STORE "mad.wide.u32 %d1, %t, 4, %p;\nst.global.u32 [%d1], %r1;\n"
/* A kilobyte at p, whose word k is k, comes to s + 1024; 32 threads double it and put it back. */
#define LOAD                                                                                       \
    FIRST SET("s", "1") "bar.sync 0;\n@!%q1 mbarrier.arrive.expect_tx.shared.b64 _, [s], 128;\n"   \
                        "@!%q1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes " \
                        "[s+1024], [%p], 128, [s];\n"
#define TAKE                                                                                       \
    "mov.u32 %r2, %laneid;\nmul.lo.u32 %r2, %r2, 4;\nld.shared.u32 %r1, [%r2+1024];\nadd.u32 "     \
    "%r1, %r1, %r1;\n"
#define PROXY "fence.proxy.async.shared::cta;\n"
#define GIVE(before, after)                                                                        \
    "st.shared.u32 [%r2+2048], %r1;\n" before                                                      \
    "@!%q1 cp.async.bulk.global.shared::cta.bulk_group [%p], [s+2048], 128;\n"                     \
    "@!%q1 cp.async.bulk.commit_group;\n" after                                                    \
    "@!%q1 cp.async.bulk.wait_group.read 0;\nbar.sync 0;\n"

static const struct {
    const char *name, *text;
    unsigned threads;
    int kind;    /* under one of four seeds at least; NO_FINDING: none under any */
    int64_t sum; /* of the first 32 words afterwards, -1: anything */
} rows[] = {
    {"a phase is over when all have come",
     KERNEL(FIRST SET(
         "s",
         "32") "bar.sync 0;\nmov.u32 %r1, 1;\nmbarrier.arrive.shared.b64 %d2, [s];\n"
               "again:\nmbarrier.test_wait.shared.b64 %q2, [s], %d2;\n@!%q2 bra again;\n" STORE),
     32, NO_FINDING, 32},
    {"what was written before an arrival is there after the wait",
     KERNEL(
         FIRST SET("s", "64") "bar.sync 0;\nmul.lo.u32 %r2, %t, 4;\nst.shared.u32 [%r2+1024], %t;\n"
                              "mbarrier.arrive.shared.b64 _, [s];\n" WAIT(
                                  "again", "s", "0") "xor.b32 %r2, %r2, 128;\nld.shared.u32 %r1, "
                                                     "[%r2+1024];\nsetp.ge.u32 %q3, %t, 32;\n"
                                                     "@%q3 bra out;\n" STORE "out:\n"),
     64, NO_FINDING, 32 * 47 + 16},
    {"without the wait",
     KERNEL(
         FIRST SET("s", "64") "bar.sync 0;\nmul.lo.u32 %r2, %t, 4;\nst.shared.u32 [%r2+1024], %t;\n"
                              "mbarrier.arrive.shared.b64 _, [s];\nxor.b32 %r2, %r2, "
                              "128;\nld.shared.u32 %r1, [%r2+1024];\n"),
     64, PTX_REPORT_RACE_SHARED, -1},
    {"a relaxed arrival orders nothing",
     KERNEL(
         FIRST SET("s", "64") "bar.sync 0;\nmul.lo.u32 %r2, %t, 4;\nst.shared.u32 [%r2+1024], %t;\n"
                              "mbarrier.arrive.relaxed.cta.shared.b64 _, [s];\n" WAIT(
                                  "again", "s",
                                  "0") "xor.b32 %r2, %r2, 128;\nld.shared.u32 %r1, [%r2+1024];\n"),
     64, PTX_REPORT_RACE_SHARED, -1},
    {"used before it is set up", KERNEL(FIRST "mbarrier.arrive.shared.b64 _, [s];\n"), 32,
     PTX_REPORT_FAULT, -1},
    {"used after it is undone",
     KERNEL(FIRST SET(
         "s", "1") "@!%q1 mbarrier.inval.shared.b64 [s];\n@!%q1 mbarrier.arrive.shared.b64 _, "
                   "[s];\n"),
     32, PTX_REPORT_FAULT, -1},
    {"set up by one, used by another without a barrier",
     KERNEL(FIRST SET("s", "33") "@%q1 mbarrier.arrive.shared.b64 _, [s];\n"), 32,
     PTX_REPORT_RACE_SHARED, -1},
    {"more arrivals than were announced",
     KERNEL(FIRST SET("s", "4") "bar.sync 0;\n@!%q1 mbarrier.arrive.shared.b64 _, [s], 5;\n"), 32,
     PTX_REPORT_BARRIER, -1},
    {"who waits for too many waits for ever",
     KERNEL(FIRST SET("s", "33") "bar.sync 0;\nmbarrier.arrive.shared.b64 _, [s];\n" WAIT(
         "again", "s", "0")),
     32, PTX_REPORT_DEADLOCK, -1},
    {"who leaves for good is not expected again",
     KERNEL(FIRST SET("s", "32") "bar.sync 0;\nsetp.lt.u32 %q3, %t, 8;\n@%q3 "
                                 "mbarrier.arrive_drop.shared.b64 _, "
                                 "[s];\n@!%q3 mbarrier.arrive.shared.b64 _, [s];\n" WAIT(
                                     "one", "s",
                                     "0") "@%q3 bra out;\nmbarrier.arrive.shared.b64 _, "
                                          "[s];\n" WAIT("two", "s", "1") "mov.u32 %r1, 1;\n" STORE
                                                                         "out:\n"),
     32, NO_FINDING, 24 + 28},
    {"arrivals still to come",
     KERNEL(
         FIRST SET("s", "5") "bar.sync 0;\n@%q1 bra out;\nmbarrier.arrive.shared.b64 %d2, [s], 2;\n"
                             "mbarrier.arrive.noComplete.shared.b64 %d2, [s], "
                             "1;\nmbarrier.pending_count.b64 %r1, %d2;\n" STORE "out:\n"),
     32, NO_FINDING, 3 + 496},
    {"a copy by bytes", KERNEL(LOAD WAIT("again", "s", "0") TAKE "bar.sync 0;\n" STORE), 32,
     NO_FINDING, 2 * 496},
    {"read before anybody waited", KERNEL(LOAD TAKE), 32, PTX_REPORT_ASYNC, -1},
    {"one waits, another reads",
     KERNEL(LOAD "@%q1 bra over;\n" WAIT("again", "s", "0") "over:\n" TAKE), 64,
     PTX_REPORT_RACE_SHARED, -1},
    {"written over before the wait",
     KERNEL(LOAD "@!%q1 st.shared.u32 [s+1024], 1;\n" WAIT("again", "s", "0")), 32,
     PTX_REPORT_ASYNC, -1},
    {"its source changes before the wait",
     KERNEL(LOAD "@!%q1 st.global.u32 [%p], 7;\n" WAIT("again", "s", "0")), 32, PTX_REPORT_ASYNC,
     -1},
    {"nobody waits at all", KERNEL(LOAD), 32, PTX_REPORT_ASYNC, -1},
    {"bytes that never come",
     KERNEL(FIRST SET(
         "s",
         "1") "bar.sync 0;\n@!%q1 mbarrier.arrive.expect_tx.shared.b64 _, [s], 64;\n" WAIT("again",
                                                                                           "s",
                                                                                           "0")),
     32, PTX_REPORT_DEADLOCK, -1},
    {"a size that is no multiple of 16",
     KERNEL(FIRST SET(
         "s", "1") "bar.sync 0;\n@!%q1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx"
                   "::bytes [s+1024], [%p], 40, [s];\n"),
     32, PTX_REPORT_MISALIGNED, -1},
    {"more than the buffer has",
     KERNEL(FIRST SET(
         "s", "1") "bar.sync 0;\n@!%q1 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx"
                   "::bytes [s+64], [%p], 3968, [s];\n"),
     32, PTX_REPORT_OUT_OF_BOUNDS, -1},
    {"there and back", KERNEL(LOAD WAIT("again", "s", "0") TAKE GIVE(PROXY "bar.sync 0;\n", "")),
     32, NO_FINDING, 2 * 496},
    {"back, and who copies has fenced behind the barrier",
     KERNEL(LOAD WAIT("again", "s", "0") TAKE GIVE("bar.sync 0;\n@!%q1 " PROXY, "")), 32,
     NO_FINDING, 2 * 496},
    {"back without a fence between the proxies",
     KERNEL(LOAD WAIT("again", "s", "0") TAKE GIVE("bar.sync 0;\n", "")), 32, PTX_REPORT_ASYNC, -1},
    {"back, and only who copies has fenced before the barrier",
     KERNEL(LOAD WAIT("again", "s", "0") TAKE GIVE("@!%q1 " PROXY "bar.sync 0;\n", "")), 64,
     PTX_REPORT_ASYNC, -1},
    {"back without a barrier before", KERNEL(LOAD WAIT("again", "s", "0") TAKE GIVE("", "")), 32,
     PTX_REPORT_RACE_SHARED, -1},
    {"back, the source changes before the wait",
     KERNEL(LOAD WAIT("again", "s", "0")
                TAKE GIVE("bar.sync 0;\n", "@!%q1 st.shared.u32 [%r2+2048], 99;\n")),
     32, PTX_REPORT_ASYNC, -1},
    {"copies of 16 bytes tell an mbarrier",
     KERNEL(
         FIRST SET("s", "32") "bar.sync 0;\nmul.lo.u32 %r2, %t, 4;\nmad.wide.u32 %d1, %t, 4, %p;\n"
                              "cp.async.ca.shared.global [%r2+1024], [%d1], "
                              "4;\ncp.async.mbarrier.arrive.noinc.shared.b64 [s];\n" WAIT(
                                  "again", "s", "0") "xor.b32 %r2, %r2, 4;\nld.shared.u32 %r1, "
                                                     "[%r2+1024];\nbar.sync 0;\n" STORE),
     32, NO_FINDING, 496},
    {"registers are handed over",
     ".version 8.0\n.target sm_90a\n.address_size 64\n.visible .entry k(.param .u64 a, .param .u32 "
     "c) "
     "{\nsetmaxnreg.dec.sync.aligned.u32 40;\nsetmaxnreg.inc.sync.aligned.u32 232;\nret;\n}\n",
     128, NO_FINDING, -1},
};

Test(bulk, copies_and_their_barriers) {
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        bool found = false;
        for (uint64_t seed = 0; seed < 4; seed++) {
            kit *run = kit_new(rows[k].text, 64, 0, false);
            for (uint32_t n = 0; n < 32; n++) memcpy(run->buffer->host + 4 * n, &n, 4);
            run->p.seed = seed;
            run->p.instruction_limit = 100000;
            kit_run(run, 1, rows[k].threads);
            uint32_t sum = 0;
            for (unsigned n = 0; n < 32; n++) sum += kit_word(run, n);
            found |= kit_found(run, (ptx_report_kind)rows[k].kind);
            if (rows[k].kind == NO_FINDING)
                cr_expect_eq(run->reports, 0, "%s, seed %u: %s", rows[k].name, (unsigned)seed,
                             run->text);
            if (rows[k].sum >= 0)
                cr_expect_eq(sum, rows[k].sum, "%s, seed %u: %u", rows[k].name, (unsigned)seed,
                             sum);
            kit_free(run);
        }
        if (rows[k].kind != NO_FINDING)
            cr_expect(found, "%s: no '%s'", rows[k].name,
                      ptx_report_name((ptx_report_kind)rows[k].kind));
    }
}
