/* test_run.c - programs whose result depends on scheduling: divergence, barriers, calls, blocks
 * together. */
#include "test_kit.h"

/* Each thread adds its row of a nested loop with breaks; every lane goes another way. */
Test(run, lanes_go_different_ways_and_meet_again) {
    kit *k = kit_new(
        KERNEL("mov.u32 %r1, 0;\nmov.u32 %r2, 0;\n"
               "outer:\nsetp.ge.u32 %q1, %r1, %t;\n@%q1 bra done;\n"
               "and.b32 %r3, %r1, 3;\nsetp.eq.u32 %q2, %r3, 2;\n@%q2 bra skip;\nadd.u32 %r2, %r2, "
               "%r1;\n"
               "skip:\nadd.u32 %r1, %r1, 1;\nbra outer;\ndone:\n"
               "activemask.b32 %r5;\nmad.wide.u32 %d1, %t, 8, %p;\nst.global.u32 [%d1], %r2;\n"
               "bar.warp.sync -1;\nactivemask.b32 %r4;\nst.global.u32 [%d1+4], %r4;"),
        64, 0, false);
    kit_run(k, 1, 32);
    cr_expect_eq(k->reports, 0, "%s", k->text);
    for (uint32_t t = 0, sum = 0; t < 32; sum += t % 4 == 2 ? 0 : t, t++) {
        cr_expect_eq(kit_word(k, 2 * t), sum);
        cr_expect_eq(kit_word(k, 2 * t + 1), 0xffffffff, "lane %u met 0x%08x only", t,
                     kit_word(k, 2 * t + 1));
    }
    cr_expect_gt(k->count.divergent_branches, 0);
    kit_free(k);
}

/* The upper half of a warp waits for a flag that the lower half sets later: needs independent
 * progress. */
Test(run, lanes_that_spin_on_each_other_get_on) {
    kit *k = kit_new(KERNEL("mov.u64 %d1, s;\nsetp.eq.u32 %q1, %t, 0;\n@%q1 st.volatile.shared.u32 "
                            "[s], 0;\nbar.sync 0;\n"
                            "setp.lt.u32 %q2, %t, 16;\n@%q2 bra setter;\n"
                            "spin:\nld.volatile.shared.u32 %r1, [s];\nsetp.eq.u32 %q3, %r1, "
                            "0;\n@%q3 bra spin;\nbra out;\n"
                            "setter:\n@%q1 st.volatile.shared.u32 [s], 7;\nmov.u32 %r1, 7;\n"
                            "out:\nmad.wide.u32 %d2, %t, 4, %p;\nst.global.u32 [%d2], %r1;"),
                     32, 0, false);
    for (uint64_t seed = 0; seed < 5; seed++) {
        k->p.seed = seed;
        cr_expect_eq(kit_run(k, 1, 32), PTX_OK, "%s", k->message);
        cr_expect_eq(kit_word(k, 31), 7);
    }
    kit_free(k);
}

/* A producer warp arrives at barrier 1, consumer warps wait there; barrier 2 goes the other way. */
Test(run, named_barriers_join_some_warps) {
    kit *k = kit_new(
        KERNEL("shr.u32 %r1, %t, 5;\nsetp.ne.u32 %q1, %r1, 0;\n@%q1 bra consumer;\n"
               "mad.lo.u32 %r2, %t, 4, 0;\nst.shared.u32 [%r2], %t;\nbar.arrive 1, 96;\nbra out;\n"
               "consumer:\nbar.sync 1, 96;\nand.b32 %r3, %t, 31;\nxor.b32 %r3, %r3, "
               "31;\nmul.lo.u32 %r3, %r3, 4;\n"
               "ld.shared.u32 %r4, [%r3];\nmad.wide.u32 %d1, %t, 4, %p;\nst.global.u32 [%d1], "
               "%r4;\nout:"),
        96, 0, false);
    kit_clean(k, 1, 96);
    cr_expect_eq(kit_word(k, 32), 31);
    cr_expect_eq(kit_word(k, 95), 0);
    kit_free(k);
}

Test(run, barriers_reduce_predicates_and_forget_the_dead) {
    kit *k = kit_new(KERNEL("setp.ge.u32 %q1, %t, 70;\n@%q1 ret;\nsetp.lt.u32 %q2, %t, 5;\n"
                            "bar.red.popc.u32 %r1, 0, %q2;\nbar.red.and.pred %q3, 0, "
                            "!%q2;\nselp.u32 %r2, 1, 0, %q3;\n"
                            "bar.red.or.pred %q4, 0, %q2;\nselp.u32 %r3, 100, 0, %q4;\n"
                            "add.u32 %r1, %r1, %r2;\nadd.u32 %r1, %r1, %r3;\n"
                            "mad.wide.u32 %d1, %t, 4, %p;\nst.global.u32 [%d1], %r1;"),
                     96, 0, false);
    kit_clean(k, 1, 96);
    cr_expect_eq(kit_word(k, 0), 105);
    cr_expect_eq(kit_word(k, 69), 105);
    cr_expect_eq(kit_word(k, 70), 0);
    kit_free(k);
}

/* fib(n) by recursion, each lane to another depth: registers and stack of every activation survive.
 */
Test(run, functions_call_themselves) {
    kit *k = kit_new(
        PTX_HEAD
        ".func (.param .b32 r) fib(.param .b32 n);\n"
        ".func (.param .b32 r) fib(.param .b32 n) {\n.reg .b32 %r<8>;\n.reg .b64 %w<3>;\n.reg "
        ".pred %q;\n"
        "ld.param.b32 %r1, [n];\nmov.u32 %r5, %r1;\ncvt.u64.u32 %w1, %r1;\nsetp.lt.u32 %q, %r1, "
        "2;\n@%q bra leaf;\n"
        "{ .param .b32 x; .param .b32 y; sub.u32 %r2, %r1, 1; st.param.b32 [x], %r2; call.uni (y), "
        "fib, (x);\n"
        "ld.param.b32 %r3, [y]; }\n"
        "{ .param .b32 x; .param .b32 y; cvt.u32.u64 %r2, %w1; sub.u32 %r2, %r2, 2; st.param.b32 "
        "[x], %r2;\n"
        "call.uni (y), fib, (x); ld.param.b32 %r4, [y]; }\n"
        "add.u32 %r5, %r3, %r4;\nleaf:\nst.param.b32 [r], %r5;\nret;\n}\n"
        ".visible .entry k(.param .u64 a, .param .u32 c) {\n.reg .b32 %r<8>;\n.reg .b64 %d<4>;\n"
        "mov.u32 %r1, %tid.x;\n{ .param .b32 x; .param .b32 y; st.param.b32 [x], %r1; call.uni "
        "(y), fib, (x);\n"
        "ld.param.b32 %r2, [y]; }\nld.param.u64 %d1, [a];\nmad.wide.u32 %d1, %r1, 4, %d1;\n"
        "st.global.u32 [%d1], %r2;\nret;\n}\n",
        12, 0, false);
    kit_clean(k, 1, 12);
    static const uint32_t fib[] = {0, 1, 1, 2, 3, 5, 8, 13, 21, 34, 55, 89};
    for (unsigned i = 0; i < 12; i++)
        cr_expect_eq(kit_word(k, i), fib[i], "fib(%u) = %u", i, kit_word(k, i));
    k->p.stack_bytes = 64;
    cr_expect_eq(kit_run(k, 1, 12), PTX_STACK_OVERFLOW);
    kit_free(k);
}

#define TABLE                                                                                      \
    PTX_HEAD ".func (.param .b32 r) one(.param .b32 x) { .reg .b32 %r<3>; ld.param.b32 %r1, [x]; " \
             "add.u32 %r1, %r1, 1;\n"                                                              \
             "st.param.b32 [r], %r1; ret; }\n.func (.param .b32 r) two(.param .b32 x) { .reg "     \
             ".b32 %r<3>; ld.param.b32 %r1, [x];\n"                                                \
             "mul.lo.u32 %r1, %r1, 2; st.param.b32 [r], %r1; ret; }\n.global .u64 table[2] = "     \
             "{one, two};\n"                                                                       \
             ".visible .entry k(.param .u64 a, .param .u32 c) {\n.reg .b32 %r<8>;\n.reg .b64 "     \
             "%d<8>;\nmov.u32 %r1, %tid.x;\n"                                                      \
             "ld.param.u32 %r3, [c];\nand.b32 %r2, %r1, 1;\nmov.u64 %d1, table;\nmad.wide.u32 "    \
             "%d1, %r2, 8, %d1;\n"                                                                 \
             "ld.global.u64 %d2, [%d1];\ncvt.u64.u32 %d4, %r3;\nadd.u64 %d2, %d2, %d4;\n"          \
             "{ .param .b32 x; .param .b32 y; st.param.b32 [x], %r1;\n"                            \
             "proto: .callprototype (.param .b32 _) _ (.param .b32 _);\ncall (y), %d2, (x), "      \
             "proto; ld.param.b32 %r4, [y]; }\n"                                                   \
             "ld.param.u64 %d3, [a];\nmad.wide.u32 %d3, %r1, 4, %d3;\nst.global.u32 [%d3], "       \
             "%r4;\nret;\n}\n"

Test(run, lanes_call_through_different_pointers) {
    kit *k = kit_new(TABLE, 32, 0, false);
    kit_clean(k, 1, 32);
    for (unsigned i = 0; i < 32; i++) cr_expect_eq(kit_word(k, i), i % 2 ? 2 * i : i + 1);
    kit_free(k);
    k = kit_new(TABLE, 32, 8, false);
    cr_expect_eq(kit_run(k, 1, 32), PTX_INVALID_PC);
    kit_free(k);
}

Test(run, printf_speaks_in_order) {
    kit *k = kit_new(
        PTX_HEAD
        ".extern .func (.param .b32 r) vprintf(.param .b64 f, .param .b64 v);\n"
        ".global .align 1 .b8 fmt[20] = {37, 100, 32, 37, 46, 50, 102, 32, 37, 115, 33, 10, 0};\n"
        ".global .align 1 .b8 word[3] = {111, 107, 0};\n"
        ".visible .entry k(.param .u64 a, .param .u32 c) {\n.local .align 8 .b8 args[24];\n.reg "
        ".b64 %d<8>;\n"
        ".reg .b32 %r<4>;\nmov.u32 %r1, %ctaid.x;\nmov.u64 %d1, args;\ncvta.local.u64 %d2, %d1;\n"
        "st.local.u32 [%d1], %r1;\nst.local.f64 [%d1+8], 0d3FF8000000000000;\nmov.u64 %d3, word;\n"
        "cvta.global.u64 %d3, %d3;\nst.local.u64 [%d1+16], %d3;\nmov.u64 %d4, "
        "fmt;\ncvta.global.u64 %d4, %d4;\n"
        "{ .param .b64 x; .param .b64 y; .param .b32 z; st.param.b64 [x], %d4; st.param.b64 [y], "
        "%d2;\n"
        "call.uni (z), vprintf, (x, y); }\nret;\n}\n",
        1, 0, false);
    cr_expect_eq(kit_run(k, 3, 1), PTX_OK, "%s", k->message);
    cr_expect_str_eq(k->printed, "0 1.50 ok!\n1 1.50 ok!\n2 1.50 ok!\n");
    kit_free(k);
}

/* A sum finished by the last block: write, fence, atomic; the last one fences and reads all. */
#define LAST_BLOCK(fence_before, fence_after)                                                      \
    KERNEL(                                                                                        \
        "setp.ne.u32 %q1, %t, 0;\n@%q1 ret;\nadd.u32 %r1, %b, 1;\nmad.wide.u32 %d1, %b, 4, %p;\n"  \
        "st.global.u32 [%d1+8], %r1;\n" fence_before "\natom.global.inc.u32 %r2, [%p], 1000000;\n" \
        "mov.u32 %r3, %nctaid.x;\nsub.u32 %r3, %r3, 1;\nsetp.ne.u32 %q2, %r2, %r3;\n@%q2 "         \
        "ret;\n" fence_after "\n"                                                                  \
        "mov.u32 %r4, 0;\nmov.u32 %r5, 0;\nadd.u64 %d2, %p, 8;\n"                                  \
        "more:\nld.global.u32 %r6, [%d2];\nadd.u32 %r5, %r5, %r6;\nadd.u64 %d2, %d2, 4;\nadd.u32 " \
        "%r4, %r4, 1;\n"                                                                           \
        "setp.le.u32 %q3, %r4, %r3;\n@%q3 bra more;\nst.global.u32 [%p+4], %r5;")

Test(run, last_block_sees_all_by_fence_and_atomic) {
    kit *k = kit_new(LAST_BLOCK("membar.gl;", "membar.gl;"), 302, 0, false);
    for (uint64_t seed = 0; seed < 5; seed++) {
        memset(k->buffer->host, 0, 4);
        k->p.seed = seed;
        cr_expect_eq(kit_run(k, 300, 32), PTX_OK);
        cr_expect_eq(k->reports, 0, "%s", k->text);
        cr_expect_eq(kit_word(k, 1), 300 * 301 / 2);
    }
    kit_free(k);
    k = kit_new(LAST_BLOCK("", "membar.gl;"), 302, 0, false);
    kit_expect(k, 300, 32, PTX_REPORT_RACE_GLOBAL);
    kit_free(k);
    k = kit_new(LAST_BLOCK("fence.acq_rel.gpu;", ""), 302, 0, false);
    kit_expect(k, 300, 32, PTX_REPORT_RACE_GLOBAL);
    kit_free(k);
}

/* Float sums by atomics depend on the order of blocks: the seed fixes it, the number of threads
 * doesn't. */
Test(run, same_seed_same_bits_for_any_number_of_host_threads) {
    kit *k = kit_new(
        KERNEL(
            "mad.lo.u32 %r1, %b, 64, %t;\ncvt.rn.f32.u32 %f1, %r1;\nadd.f32 %f1, %f1, 0f3DCCCCCD;\n"
            "rcp.rn.f32 %f1, %f1;\natom.global.add.f32 %f2, [%p], %f1;\n"
            "red.global.add.u32 [%p+4], 1;\nmov.b32 %r2, %f2;\nred.global.max.u32 [%p+8], %r2;"),
        3, 0, false);
    uint32_t first[5], others = 0;
    for (uint64_t seed = 0; seed < 5; seed++)
        for (unsigned threads = 1; threads <= 4; threads++) {
            memset(k->buffer->host, 0, 12);
            k->p.seed = seed;
            k->p.host_threads = threads;
            cr_assert_eq(kit_run(k, 200, 64), PTX_OK);
            cr_expect_eq(kit_word(k, 1), 200 * 64);
            if (threads == 1) first[seed] = kit_word(k, 0);
            cr_expect_eq(kit_word(k, 0), first[seed]);
            others += kit_word(k, 0) != first[0];
        }
    cr_expect_gt(others, 0, "no seed gave another order of blocks");
    kit_free(k);
}

/* All blocks wait for each other: only a cooperative launch promises that they are there. */
Test(run, cooperative_grids_wait_for_each_other) {
    kit *k = kit_new(KERNEL("atom.global.add.u32 %r1, [%p], 1;\nmov.u32 %r2, %nctaid.x;\n"
                            "wait:\nld.relaxed.gpu.global.u32 %r3, [%p];\nsetp.lt.u32 %q1, %r3, "
                            "%r2;\n@%q1 bra wait;\n"
                            "mad.wide.u32 %d1, %b, 4, %p;\nst.global.u32 [%d1+4], %r3;"),
                     301, 0, false);
    k->p.cooperative = true;
    cr_expect_eq(kit_run(k, 300, 1), PTX_OK, "%s", k->message);
    cr_expect_eq(kit_word(k, 300), 300);
    memset(k->buffer->host, 0, 4);
    k->p.cooperative = false;
    cr_expect_eq(kit_run(k, 300, 1), PTX_TIMEOUT);
    kit_free(k);
}

Test(run, counts_sectors_and_bank_conflicts) {
    kit *k = kit_new(
        KERNEL("mad.wide.u32 %d1, %t, 4, %p;\nld.global.u32 %r1, [%d1];\nmad.wide.u32 %d2, %t, 32, "
               "%p;\n"
               "ld.global.u32 %r2, [%d2];\nmul.lo.u32 %r3, %t, 128;\nst.shared.u32 [%r3], %r1;\n"
               "mul.lo.u32 %r4, %t, 4;\nst.shared.u32 [%r4+4], %r2;"),
        256, 0, false);
    k->p.count = true;
    kit_run(k, 1, 32);
    cr_expect_eq(k->count.global_load_requests, 2);
    cr_expect_eq(k->count.global_load_sectors, 4 + 32);
    cr_expect_eq(k->count.global_load_sectors_ideal, 8);
    cr_expect_eq(k->count.shared_wavefronts, 32 + 1, "%u", (unsigned)k->count.shared_wavefronts);
    cr_expect_eq(k->count.shared_wavefronts_ideal, 2);
    cr_expect_eq(k->count.distinct_load_bytes, 128 + 31 * 4 - 3 * 4);
    cr_expect_eq(k->count.by_class[PTX_CLASS_LOAD], 2 + 2);
    kit_free(k);
}

static void ranges_of(kit *k, ptx_result *r) {
    ptx_memory memory = {&k->memory, memory_find, NULL};
    k->p.memory = &memory;
    ptx_launch(&k->p, NULL, r);
}

Test(run, says_what_was_read_and_written) {
    kit *k = kit_new(KERNEL("mad.wide.u32 %d1, %t, 4, %p;\nld.global.u32 %r1, "
                            "[%d1+64];\nst.global.u32 [%d1+1024], %r1;\n"
                            "red.global.add.u32 [%p+512], 1;"),
                     512, 0, false);
    ptx_result r;
    ranges_of(k, &r);
    cr_assert_eq(r.n_ranges, 3);
    cr_expect(r.ranges[0].access == PTX_READ && r.ranges[0].begin == 64 && r.ranges[0].end == 192);
    cr_expect(r.ranges[1].access == PTX_WRITE && r.ranges[1].begin == 1024 &&
              r.ranges[1].end == 1152);
    cr_expect(r.ranges[2].access == PTX_ATOMIC && r.ranges[2].begin == 512 &&
              r.ranges[2].end == 516);
    ptx_result_free(&r);
    kit_free(k);
}
