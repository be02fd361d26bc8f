/* test_cluster.c - blocks of a cluster: who is who, each other's shared memory and mbarriers, copies to
 * several, barrier.cluster; and the programs that break the rules. */
#include "test_assembler.h"
#include "test_kit.h"

enum { NO_FINDING = 99, BLOCKS = 4, THREADS = 64 };

/* k(p): blocks in clusters of `size`; %r10: rank, %r11: the rank after it, %r12: index in the grid. */
#define CLUSTER(size, body)                                                                        \
    ".version 8.6\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 a, .param .u32 " \
    "c) .reqnctapercluster " size " {\n.reg .pred %q<8>;\n.reg .b32 %r<24>, %t;\n.reg .b64 "       \
    "%d<16>, %p;\n.shared .align 16 .b8 s[2048];\nld.param.u64 %p, [a];\nmov.u32 %t, %tid.x;\n"    \
    "mov.u32 %r10, %cluster_ctarank;\nadd.u32 %r11, %r10, 1;\nmov.u32 %r13, %cluster_nctarank;\n"  \
    "rem.u32 %r11, %r11, %r13;\nmov.u32 %r12, %ctaid.x;\nsetp.ne.u32 %q1, %t, 0;\n"                \
    "mad.lo.u32 %r14, %r12, 64, %t;\nmad.wide.u32 %d1, %r14, 4, %p;\nmul.lo.u32 %r15, %t, 4;\n"    \
    "mov.u32 %r20, s;\nadd.u32 %r15, %r15, %r20;\nmapa.shared::cluster.u32 %r16, %r15, %r11;\n"    \
    "mapa.shared::cluster.u32 %r17, %r20, %r11;\n" body "\nret;\n}\n"
#define ARRIVE "barrier.cluster.arrive.aligned;\n"
#define WAIT   "barrier.cluster.wait.aligned;\n"
#define SYNC   ARRIVE WAIT
#define FILL   "st.shared.u32 [%r15], %r12;\n"
#define ANSWER "st.global.u32 [%d1], %r1;\n"
#define BAR(n)                                                                                     \
    "@!%q1 mbarrier.init.shared::cta.b64 [s+1024], " n                                             \
    ";\n@!%q1 fence.mbarrier_init.release.cluster;\n"
#define UNTIL(label, parity)                                                                       \
    label ":\nmbarrier.try_wait.parity.shared::cta.b64 %q2, [s+1024], " parity                     \
          ";\n@!%q2 bra " label ";\n"
#define ALL_FROM_0(bytes, mask)                                                                    \
    BAR("1")                                                                                       \
    SYNC "@!%q1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [s+1024], " bytes ";\n"               \
         "or.b32 %r1, %r10, %t;\nsetp.ne.u32 %q3, %r1, 0;\nmov.b32 %r1, " mask                     \
         ";\ncvt.u16.u32 %h1, %r1;\n"                                                              \
         "@!%q3 cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes."                \
         "multicast::cluster [s], [%p], 256, [s+1024], %h1;\n"

static const struct {
    const char *name, *text;
    int kind;
    int64_t sum; /* of the words that all blocks wrote; -1: anything */
} rows[] = {
    {"numbers of blocks and clusters",
     CLUSTER("2, 1, 1", "mov.u32 %r1, %clusterid.x;\nmov.u32 %r2, %nclusterid.x;\nmad.lo.u32 %r1, "
                        "%r1, 10, %r2;\nmov.u32 %r2, %cluster_ctaid.x;\nmad.lo.u32 %r1, %r1, 10, "
                        "%r2;\nmov.u32 %r2, %cluster_nctaid.x;\nmad.lo.u32 %r1, %r1, 10, %r2;\n"
                        "mov.u32 %r2, %cluster_nctaid.y;\nmad.lo.u32 %r1, %r1, 10, %r2;\n" ANSWER),
     NO_FINDING, 64 * (2021 + 2121 + 12021 + 12121 + 4 * 200 - 4 * 200)},
    {"one's neighbour's memory",
     CLUSTER("2, 1, 1", FILL SYNC "ld.shared::cluster.u32 %r1, [%r16];\n" SYNC ANSWER), NO_FINDING,
     64 * 6},
    {"by generic addresses",
     CLUSTER("4, 1, 1",
             FILL SYNC "cvt.u64.u32 %d3, %r15;\ncvta.shared.u64 %d2, %d3;\nmapa.u64 %d4, %d2, "
                       "%r11;\nld.u32 %r1, [%d4];\ngetctarank.u64 %r2, %d4;\nadd.u32 %r1, "
                       "%r1, %r2;\n" SYNC ANSWER),
     NO_FINDING, 64 * 12},
    {"before anybody has written it",
     CLUSTER("2, 1, 1", SYNC "ld.shared::cluster.u32 %r1, [%r16];\n" SYNC ANSWER),
     PTX_REPORT_UNINIT, -1},
    {"without a barrier before",
     CLUSTER("2, 1, 1", FILL "bar.sync 0;\nld.shared::cluster.u32 %r1, [%r16];\n" SYNC ANSWER),
     PTX_REPORT_RACE_SHARED, -1},
    {"with a relaxed arrival",
     CLUSTER("2, 1, 1", FILL "barrier.cluster.arrive.relaxed.aligned;\n" WAIT
                             "ld.shared::cluster.u32 %r1, [%r16];\n" SYNC ANSWER),
     PTX_REPORT_RACE_SHARED, -1},
    {"without a barrier after: the block may be gone",
     CLUSTER("2, 1, 1", FILL SYNC "ld.shared::cluster.u32 %r1, [%r16];\n" ANSWER),
     PTX_REPORT_RACE_SHARED, -1},
    {"overwritten without a barrier between",
     CLUSTER("2, 1, 1", FILL SYNC
             "ld.shared::cluster.u32 %r1, [%r16];\nst.shared.u32 [%r15], 7;\n" SYNC ANSWER),
     PTX_REPORT_RACE_SHARED, -1},
    {"overwritten with a barrier between",
     CLUSTER("2, 1, 1", FILL SYNC "ld.shared::cluster.u32 %r1, [%r16];\n" SYNC
                                  "st.shared.u32 [%r15], 7;\n" ANSWER),
     NO_FINDING, 64 * 6},
    {"written there",
     CLUSTER("4, 1, 1", SYNC "st.shared::cluster.u32 [%r16], %r12;\n" SYNC
                             "ld.shared.u32 %r1, [%r15];\n" ANSWER),
     NO_FINDING, 64 * 6},
    {"written there, read without a barrier",
     CLUSTER("4, 1, 1", SYNC
             "st.shared::cluster.u32 [%r16], %r12;\nbar.sync 0;\nld.shared.u32 %r1, [%r15];\n" SYNC
                 ANSWER),
     PTX_REPORT_RACE_SHARED, -1},
    {"two write one place",
     CLUSTER("4, 1, 1", "mapa.shared::cluster.u32 %r16, %r15, 0;\n" SYNC
                        "st.shared::cluster.u32 [%r16], %r12;\n" SYNC),
     PTX_REPORT_RACE_SHARED, -1},
    {"counted together",
     CLUSTER("4, 1, 1",
             "mapa.shared::cluster.u32 %r16, %r20, 0;\n@!%q1 st.shared.u32 [s], 0;\n" SYNC
             "atom.shared::cluster.add.u32 %r1, [%r16], 1;\n"
             "red.relaxed.cluster.shared::cluster.add.u32 [%r16], 1;\n" SYNC
             "ld.shared::cluster.u32 %r1, [%r16];\n" SYNC ANSWER),
     NO_FINDING, 256 * 512},
    {"shared::cta means the own block",
     CLUSTER("2, 1, 1", FILL SYNC "ld.shared::cta.u32 %r1, [%r16];\n" SYNC ANSWER),
     PTX_REPORT_OUT_OF_BOUNDS, -1},
    {"a block that isn't there",
     CLUSTER("2, 1, 1", FILL SYNC
             "mapa.shared::cluster.u32 %r16, %r15, 2;\nld.shared::cluster.u32 %r1, [%r16];\n" SYNC),
     PTX_REPORT_OUT_OF_BOUNDS, -1},
    {"past its memory",
     CLUSTER("2, 1, 1", FILL SYNC "ld.shared::cluster.u32 %r1, [%r16+2048];\n" SYNC),
     PTX_REPORT_OUT_OF_BOUNDS, -1},
    {"waits without an arrival", CLUSTER("2, 1, 1", WAIT), PTX_REPORT_BARRIER, -1},
    {"arrives twice", CLUSTER("2, 1, 1", ARRIVE ARRIVE WAIT), PTX_REPORT_BARRIER, -1},
    {"some threads of a warp",
     CLUSTER("2, 1, 1", "setp.lt.u32 %q3, %t, 16;\n@%q3 barrier.cluster.arrive.aligned;\n@%q3 "
                        "barrier.cluster.wait.aligned;\nbar.sync 0;\n"),
     PTX_REPORT_BARRIER, -1},
    {"not aligned: some threads of a warp first",
     CLUSTER("2, 1, 1",
             FILL "setp.lt.u32 %q3, %t, 16;\n@%q3 bra ONE;\nbarrier.cluster.arrive;\nbra "
                  "BOTH;\nONE:\nbarrier.cluster.arrive;\nBOTH:\nbarrier.cluster.wait;\n"
                  "ld.shared::cluster.u32 %r1, [%r16];\n" SYNC ANSWER),
     NO_FINDING, 64 * 6},
    {"who has ended is not waited for",
     CLUSTER("2, 1, 1",
             "setp.eq.u32 %q3, %r10, 1;\n@%q3 ret;\n" SYNC SYNC "mov.u32 %r1, 1;\n" ANSWER),
     NO_FINDING, 128},
    {"one never comes",
     CLUSTER("2, 1, 1", BAR("1") SYNC "setp.eq.u32 %q3, %r10, 1;\n@%q3 bra OTHER;\n" SYNC
                                      "ret;\nOTHER:\n" UNTIL("T", "0")),
     PTX_REPORT_DEADLOCK, -1},
    {"an mbarrier of the neighbour's",
     CLUSTER("2, 1, 1", BAR("64") SYNC
             "st.shared::cluster.u32 [%r16], %r12;\nmbarrier.arrive.release.cluster.shared::"
             "cluster.b64 _, [%r17+1024];\n" UNTIL("T",
                                                   "0") "ld.shared.u32 %r1, [%r15];\n" SYNC ANSWER),
     NO_FINDING, 64 * 6},
    {"an mbarrier of the neighbour's, relaxed",
     CLUSTER("2, 1, 1", BAR("64") SYNC
             "st.shared::cluster.u32 [%r16], %r12;\nmbarrier.arrive.relaxed.cluster.shared::"
             "cluster.b64 _, [%r17+1024];\n" UNTIL("T",
                                                   "0") "ld.shared.u32 %r1, [%r15];\n" SYNC ANSWER),
     PTX_REPORT_RACE_SHARED, -1},
    {"an mbarrier that others don't know of yet",
     CLUSTER("2, 1, 1",
             BAR("64") "bar.sync 0;\nmbarrier.arrive.release.cluster.shared::cluster.b64 _, "
                       "[%r17+1024];\n" UNTIL("T", "0") SYNC),
     PTX_REPORT_RACE_SHARED, -1},
    {"values on their way",
     CLUSTER("2, 1, 1", BAR("1") SYNC
             "@!%q1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [s+1024], 256;\n"
             "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.u32 [%r16], %r12, "
             "[%r17+1024];\n" UNTIL("T", "0") "ld.shared.u32 %r1, [%r15];\n" SYNC ANSWER),
     NO_FINDING, 64 * 6},
    {"values on their way, read before they are there",
     CLUSTER("2, 1, 1", BAR("1") SYNC
             "@!%q1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [s+1024], 256;\n"
             "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.u32 [%r16], %r12, "
             "[%r17+1024];\n" SYNC "ld.shared.u32 %r1, [%r15];\n" UNTIL("T", "0") SYNC ANSWER),
     PTX_REPORT_ASYNC, -1},
    {"sums on their way",
     CLUSTER("2, 1, 1", "@!%q1 st.shared.u32 [s], 5;\n" BAR("1") SYNC
             "@!%q1 mbarrier.arrive.expect_tx.shared::cta.b64 _, [s+1024], 256;\n"
             "red.async.relaxed.cluster.shared::cluster.mbarrier::complete_tx::bytes.add.u32 "
             "[%r17], 3, "
             "[%r17+1024];\n" UNTIL("T", "0") "ld.shared.u32 %r1, [s];\n" SYNC ANSWER),
     NO_FINDING, 256 * 197},
    {"a copy from the own to the neighbour's memory",
     CLUSTER(
         "2, 1, 1",
         FILL BAR(
             "1") "fence.proxy.async;\n" SYNC "@!%q1 mbarrier.arrive.expect_tx.shared::cta.b64 _, "
                  "[s+1024], 256;\nadd.u32 %r18, %r17, 512;\n"
                  "@!%q1 cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes "
                  "[%r18], [s], "
                  "256, [%r17+1024];\n" UNTIL("T",
                                              "0") "ld.shared.u32 %r1, [%r15+512];\n" SYNC ANSWER),
     NO_FINDING, 64 * 6},
    {"a copy with the mbarrier of another block",
     CLUSTER(
         "2, 1, 1",
         FILL BAR(
             "1") "fence.proxy.async;\n" SYNC
                  "@!%q1 cp.async.bulk.shared::cluster.shared::cta.mbarrier::complete_tx::bytes "
                  "[%r17], [s+256], "
                  "256, [s+1024];\n" SYNC),
     PTX_REPORT_FAULT, -1},
    {"one copy for all",
     CLUSTER("4, 1, 1", ".reg .b16 %h1;\n" ALL_FROM_0("256", "15")
                            UNTIL("T", "0") "ld.shared.u32 %r1, [%r15];\n" SYNC ANSWER),
     NO_FINDING, 4 * 2016},
    {"one copy for all, and one does not wait",
     CLUSTER(
         "4, 1, 1",
         ".reg .b16 %h1;\n" ALL_FROM_0(
             "256",
             "15") "setp.eq.u32 %q4, %r10, 3;\n@%q4 bra OVER;\n" UNTIL("T",
                                                                       "0") "OVER:\nld.shared.u32 "
                                                                            "%r1, [%r15];\n" SYNC),
     PTX_REPORT_ASYNC, -1},
    {"a copy for some who don't count on it",
     CLUSTER("4, 1, 1", ".reg .b16 %h1;\n" ALL_FROM_0("256", "7") UNTIL("T", "0") SYNC),
     PTX_REPORT_DEADLOCK, -1},
    {"a copy for nobody",
     CLUSTER("4, 1, 1", ".reg .b16 %h1;\n" ALL_FROM_0("256", "16") UNTIL("T", "0") SYNC),
     PTX_REPORT_FAULT, -1},
    {"global memory is handed on by the barrier",
     CLUSTER("4, 1, 1",
             "st.global.u32 [%d1], %r12;\n" SYNC
             "sub.u32 %r2, %r12, %r10;\nadd.u32 %r2, %r2, %r11;\n"
             "mad.lo.u32 %r2, %r2, 64, %t;\nmad.wide.u32 %d2, %r2, 4, %p;\nld.global.u32 %r1, "
             "[%d2];\n" SYNC ANSWER),
     NO_FINDING, 64 * 6},
    {"global memory without the barrier",
     CLUSTER("4, 1, 1",
             "st.global.u32 [%d1], %r12;\nbar.sync 0;\nsub.u32 %r2, %r12, %r10;\nadd.u32 %r2, %r2, "
             "%r11;\n"
             "mad.lo.u32 %r2, %r2, 64, %t;\nmad.wide.u32 %d2, %r2, 4, %p;\nld.global.u32 %r1, "
             "[%d2];\n" SYNC),
     PTX_REPORT_RACE_GLOBAL, -1},
    {"a cluster alone has all of it",
     CLUSTER("1, 1, 1", FILL SYNC "ld.shared::cluster.u32 %r1, [%r16];\n" SYNC ANSWER), NO_FINDING,
     64 * 6},
};

Test(cluster, each_rule_and_its_breach) {
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) {
        bool found = false;
        char last[512] = "";
        for (uint64_t seed = 0; seed < 4; seed++) {
            kit *run = kit_new(rows[k].text, BLOCKS * THREADS, 0, false);
            for (uint32_t n = 0; n < THREADS; n++) memcpy(run->buffer->host + 4 * n, &n, 4);
            run->p.seed = seed;
            run->p.instruction_limit = 100000;
            kit_run(run, BLOCKS, THREADS);
            int64_t sum = 0;
            for (unsigned n = 0; n < BLOCKS * THREADS; n++) sum += kit_word(run, n);
            found |= kit_found(run, (ptx_report_kind)rows[k].kind);
            if (run->reports) memcpy(last, run->text, sizeof last);
            if (rows[k].kind == NO_FINDING)
                cr_expect_eq(run->reports, 0, "%s, seed %u: %s", rows[k].name, (unsigned)seed,
                             run->text);
            if (rows[k].sum >= 0)
                cr_expect_eq(sum, rows[k].sum, "%s, seed %u: %lld", rows[k].name, (unsigned)seed,
                             (long long)sum);
            kit_free(run);
        }
        if (rows[k].kind != NO_FINDING)
            cr_expect(found, "%s: no '%s' but %s", rows[k].name,
                      ptx_report_name((ptx_report_kind)rows[k].kind), last);
    }
}

Test(cluster, the_assembler_takes_these_texts) {
    assembler a;
    if (!open_assembler(&a)) cr_skip_test("no toolkit with libnvJitLink");
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++)
        cr_expect(assembles(&a, rows[k].text, 90, false), "%s", rows[k].name);
}

/* A grid of three dimensions in clusters of two: each block writes what it is to its own place. */
Test(cluster, three_dimensions) {
    static const char text[] =
        ".version 8.0\n.target sm_90\n.address_size 64\n.visible .entry k(.param .u64 a, .param "
        ".u32 c) "
        ".explicitcluster {\n.reg .b32 %r<16>;\n.reg .b64 %d<4>;\nld.param.u64 %d1, [a];\n"
        "mov.u32 %r1, %ctaid.x;\nmov.u32 %r2, %ctaid.y;\nmov.u32 %r3, %ctaid.z;\nmov.u32 %r4, "
        "%nctaid.x;\nmov.u32 %r5, %nctaid.y;\nmad.lo.u32 %r6, %r3, %r5, %r2;\nmad.lo.u32 %r6, %r6, "
        "%r4, "
        "%r1;\nmul.wide.u32 %d2, %r6, 4;\nadd.u64 %d1, %d1, %d2;\nmov.u32 %r7, %cluster_ctarank;\n"
        "mov.u32 %r8, %clusterid.x;\nmad.lo.u32 %r7, %r8, 10, %r7;\nmov.u32 %r8, %clusterid.y;\n"
        "mad.lo.u32 %r7, %r8, 100, %r7;\nmov.u32 %r8, %clusterid.z;\nmad.lo.u32 %r7, %r8, 1000, "
        "%r7;\n"
        "mov.u32 %r8, %cluster_nctarank;\nmad.lo.u32 %r7, %r8, 10000, %r7;\nst.global.u32 [%d1], "
        "%r7;\nret;\n}\n";
    kit *run = kit_new(text, 64, 0, false);
    kit_run(run, 4, 1);
    cr_expect_eq(run->status, PTX_INVALID, "a launch without the size: %s", run->message);
    for (uint64_t seed = 0; seed < 3; seed++) {
        const uint32_t grid[3] = {4, 6, 2}, of[3] = {2, 3, 1};
        memcpy(run->p.grid, grid, sizeof grid);
        memcpy(run->p.cluster, of, sizeof of);
        run->p.seed = seed;
        kit_run(run, 4, 1);
        cr_expect_eq(run->reports, 0, "%s", run->text);
        for (unsigned n = 0; n < 48; n++) {
            unsigned x = n % 4, y = n / 4 % 6, z = n / 24;
            cr_expect_eq(kit_word(run, n),
                         60000 + 1000 * z + 100 * (y / 3) + 10 * (x / 2) + y % 3 * 2 + x % 2,
                         "block %u: %u", n, kit_word(run, n));
        }
    }
    run->p.cluster[0] = 3;
    cr_expect_eq(kit_run(run, 4, 1), PTX_INVALID, "%s", run->message);
    run->p.cluster[0] = 4, run->p.cluster[1] = 6;
    cr_expect_eq(kit_run(run, 4, 1), PTX_INVALID, "%s", run->message);
    kit_free(run);
}
