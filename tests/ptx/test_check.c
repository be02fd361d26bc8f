/* test_check.c - each checker finds its bug, says where, and is silent on the repaired program. */
#include "test_kit.h"

#define STORE_ALL "mad.wide.u32 %d1, %t, 4, %p;\nst.global.u32 [%d1], %r1;\n"

static void finds(const char *text, unsigned blocks, unsigned threads, ptx_report_kind kind) {
    kit *k = kit_new(text, 4096, 100, false);
    kit_expect(k, blocks, threads, kind);
    kit_free(k);
}

static void clean(const char *text, unsigned blocks, unsigned threads) {
    kit *k = kit_new(text, 4096, 100, false);
    kit_clean(k, blocks, threads);
    kit_free(k);
}

Test(check, out_of_bounds_says_where) {
    kit *k = kit_new(KERNEL("mov.u32 %r1, 1;\n" STORE_ALL), 40, 0, false);
    cr_expect_eq(kit_run(k, 1, 64), PTX_ILLEGAL_ADDRESS);
    cr_assert_eq(k->reports, 1);
    cr_expect_eq(k->first.kind, PTX_REPORT_OUT_OF_BOUNDS);
    cr_expect_eq(k->first.thread[0], 40);
    cr_expect_eq(k->first.address, k->buffer->base + 160);
    cr_expect(strstr(k->text, "160 past the start of 160 bytes") && strstr(k->text, "the buffer") &&
                  strstr(k->text, "kernel k"),
              "%s", k->text);
    cr_expect_eq(k->first.ptx_line, 16);
    kit_free(k);
}

Test(check, freed_readonly_and_denied_memory) {
    static const uint32_t flags[] = {PTX_EXTENT_FREED, PTX_EXTENT_READONLY, PTX_EXTENT_DENIED};
    for (int i = 0; i < 3; i++) {
        kit *k = kit_new(KERNEL("mov.u32 %r1, 1;\n" STORE_ALL), 32, 0, false);
        k->buffer->flags = flags[i];
        cr_expect_eq(kit_run(k, 1, 32), PTX_ILLEGAL_ADDRESS);
        cr_expect_eq(k->first.kind, i ? PTX_REPORT_OUT_OF_BOUNDS : PTX_REPORT_USE_AFTER_FREE);
        kit_free(k);
    }
}

Test(check, misaligned_and_wild_addresses) {
    finds(KERNEL("ld.global.v4.u32 {%r1, %r2, %r3, %r4}, [%p+8];"), 1, 32, PTX_REPORT_MISALIGNED);
    finds(KERNEL("mov.u32 %r1, 2;\nld.shared.u32 %r2, [%r1];"), 1, 32, PTX_REPORT_MISALIGNED);
    finds(KERNEL("mov.u64 %d1, 0;\nld.u32 %r1, [%d1];"), 1, 32, PTX_REPORT_OUT_OF_BOUNDS);
    finds(KERNEL("mov.u32 %r1, 5000;\nst.shared.u32 [%r1], %r1;"), 1, 32, PTX_REPORT_OUT_OF_BOUNDS);
    finds(KERNEL("mov.u64 %d1, 0x7000000000000000;\nld.u32 %r1, [%d1];"), 1, 32,
          PTX_REPORT_OUT_OF_BOUNDS);
}

Test(check, line_numbers_of_the_source) {
    kit *k =
        kit_new(PTX_HEAD ".visible .entry k(.param .u64 a, .param .u32 c) {\n.reg .b32 %r<3>;\n"
                         ".loc 1 77 5\ntrap;\nret;\n}\n.file 1 \"dir/source.cu\"\n",
                1, 0, false);
    cr_expect_eq(kit_run(k, 1, 1), PTX_TRAP);
    cr_expect_eq(k->first.cuda_line, 77);
    cr_expect(strstr(k->text, "source.cu:77"), "%s", k->text);
    kit_free(k);
}

Test(check, global_memory_nobody_wrote) {
    const char *text = KERNEL(
        "mad.wide.u32 %d1, %t, 4, %p;\nld.global.u32 %r1, [%d1];\nst.global.u32 [%d1], %r1;");
    kit *k = kit_new(text, 64, 0, true);
    ptx_shadow_mark(k->buffer->shadow, 0, 31 * 4);
    kit_expect(k, 1, 32, PTX_REPORT_UNINIT);
    cr_expect_eq(k->first.address, k->buffer->base + 31 * 4);
    kit_run(k, 1, 32);
    cr_expect_eq(k->reports, 0, "the first launch wrote it: %s", k->text);
    cr_expect_eq(ptx_shadow_hole(k->buffer->shadow, 0, 256), 128);
    kit_free(k);
}

Test(check, shared_memory_nobody_wrote) {
    finds(KERNEL("mul.lo.u32 %r2, %t, 4;\nld.shared.u32 %r1, [%r2];"), 1, 32, PTX_REPORT_UNINIT);
    finds(KERNEL("st.shared.u16 [s], 1;\nbar.sync 0;\nld.shared.u32 %r1, [s];"), 1, 32,
          PTX_REPORT_UNINIT);
    clean(KERNEL("setp.eq.u32 %q1, %t, 0;\n@%q1 st.shared.u32 [s], 1;\nbar.sync 0;\nld.shared.u32 "
                 "%r1, [s];"),
          1, 64);
}

#define NEIGHBOUR(barrier)                                                                         \
    KERNEL("mul.lo.u32 %r2, %t, 4;\nst.shared.u32 [%r2], %t;\n" barrier                            \
           "xor.b32 %r3, %r2, 128;\nld.shared.u32 %r1, [%r3];\n" STORE_ALL)

Test(check, race_between_warps) {
    kit *k = kit_new(NEIGHBOUR(""), 64, 0, false);
    kit_run(k, 1, 64); /* the second warp reads what the first wrote; the first reads nothing yet */
    cr_expect(kit_found(k, PTX_REPORT_RACE_SHARED), "%u reports", k->reports);
    kit_free(k);
    clean(NEIGHBOUR("bar.sync 0;\n"), 1, 64);
    finds(NEIGHBOUR("bar.warp.sync -1;\n"), 1, 64, PTX_REPORT_RACE_SHARED);
}

#define TWICE(barrier)                                                                             \
    KERNEL("mul.lo.u32 %r2, %t, 4;\nst.shared.u32 [%r2], %t;\nbar.sync 0;\nxor.b32 %r3, %r2, "     \
           "128;\nld.shared.u32 %r1, [%r3];\n" barrier "st.shared.u32 [%r2], %r1;")

Test(check, write_over_what_another_warp_still_reads) {
    finds(TWICE(""), 1, 64, PTX_REPORT_RACE_SHARED);
    clean(TWICE("bar.sync 0;\n"), 1, 64);
}

#define IN_WARP(barrier)                                                                           \
    KERNEL("mul.lo.u32 %r2, %t, 4;\nst.shared.u32 [%r2], %t;\n" barrier                            \
           "xor.b32 %r3, %r2, 4;\nld.shared.u32 %r1, [%r3];\n")

Test(check, race_between_lanes_of_a_warp) {
    finds(IN_WARP(""), 1, 32, PTX_REPORT_RACE_SHARED);
    clean(IN_WARP("bar.warp.sync 0xffffffff;\n"), 1, 32);
}

/* Each thread writes its byte, reads another one's and writes its own again, as loops over a thread's bytes do. */
#define READ_WRITE(far)                                                                            \
    KERNEL("{ .reg .b16 %h; cvt.u16.u32 %h, %t;\nst.shared.u8 [%t], %h;\nbar.sync 0;\n"            \
           "xor.b32 %r3, %t, " far ";\nld.shared.u8 %h, [%r3];\nst.shared.u8 [%t], %h; }\n")

Test(check, neighbours_in_a_word_do_not_race) {
    clean(KERNEL("mul.lo.u32 %r2, %t, 2;\n{ .reg .b16 %h; cvt.u16.u32 %h, %t;\nst.shared.u16 "
                 "[%r2], %h; }\n"
                 "{ .reg .b16 %x; ld.shared.u16 %x, [%r2]; }\n"),
          1, 64);
    clean(READ_WRITE("0"), 1, 64);
    finds(READ_WRITE("1"), 1, 64, PTX_REPORT_RACE_SHARED);
}

Test(check, race_between_blocks) {
    finds(KERNEL("st.global.u32 [%p], %b;"), 8, 1, PTX_REPORT_RACE_GLOBAL);
    finds(
        KERNEL("ld.global.u32 %r1, [%p];\nsetp.eq.u32 %q1, %b, 3;\n@%q1 st.global.u32 [%p], %r1;"),
        8, 1, PTX_REPORT_RACE_GLOBAL);
    clean(KERNEL("red.global.add.u32 [%p], 1;"), 8, 32);
    clean(KERNEL("ld.global.u32 %r1, [%p];"), 80, 32);
    clean(KERNEL("add.u64 %d1, %p, 0;\ncvt.u64.u32 %d2, %b;\nadd.u64 %d1, %d1, %d2;\nst.global.u8 "
                 "[%d1], %b;"),
          300, 1);
}

#define COPY(wait)                                                                                 \
    KERNEL("mul.lo.u32 %r2, %t, 16;\nmad.wide.u32 %d1, %t, 16, %p;\ncp.async.cg.shared.global "    \
           "[%r2], [%d1], 16;\n"                                                                   \
           "cp.async.commit_group;\n" wait "ld.shared.u32 %r1, [%r2];\n" STORE_ALL)

Test(check, cp_async_without_its_wait) {
    finds(COPY(""), 1, 32, PTX_REPORT_ASYNC);
    finds(COPY("cp.async.wait_group 1;\n"), 1, 32, PTX_REPORT_ASYNC);
    clean(COPY("cp.async.wait_group 0;\n"), 1, 32);
    clean(COPY("cp.async.wait_all;\n"), 1, 32);
    finds(KERNEL("mul.lo.u32 %r2, %t, 16;\nmad.wide.u32 %d1, %t, 16, "
                 "%p;\ncp.async.cg.shared.global [%r2], [%d1], 16;\n"
                 "cp.async.wait_all;\nxor.b32 %r2, %r2, 512;\nld.shared.u32 %r1, [%r2];"),
          1, 64, PTX_REPORT_RACE_SHARED);
}

Test(check, barrier_in_divergent_code) {
    finds(KERNEL("setp.lt.u32 %q1, %t, 7;\n@%q1 bra some;\nbra out;\nsome:\nbar.sync "
                 "0;\nout:\nbar.sync 0;"),
          1, 32, PTX_REPORT_BARRIER);
    clean(
        KERNEL("setp.lt.u32 %q1, %t, 7;\n@%q1 bra some;\nadd.u32 %r1, %t, 1;\nsome:\nbar.sync 0;"),
        1, 64);
    finds(KERNEL("mov.u32 %r1, %t;\nshfl.sync.bfly.b32 %r2, %r1, 1, 31, 0x0000ffff;"), 1, 32,
          PTX_REPORT_BARRIER);
}

Test(check, waiting_forever) {
    finds(KERNEL("setp.lt.u32 %q1, %t, 32;\n@%q1 bra out;\nbar.sync 1, 64;\nout:"), 1, 64,
          PTX_REPORT_DEADLOCK);
    finds(KERNEL("setp.lt.u32 %q1, %t, 7;\n@%q1 bra out;\nmov.u32 %r1, 1;\nshfl.sync.idx.b32 %r2, "
                 "%r1, 0, 31, -1;\nbra end;\n"
                 "out:\nbar.sync 1, 64;\nend:"),
          1, 32, PTX_REPORT_DEADLOCK);
    kit *k = kit_new(KERNEL("more:\nbra more;"), 1, 0, false);
    k->p.instruction_limit = 100000;
    cr_expect_eq(kit_run(k, 4, 32), PTX_TIMEOUT);
    kit_free(k);
}

Test(check, assertions_speak) {
    kit *k = kit_new(
        PTX_HEAD
        ".extern .func __assertfail(.param .b64 m, .param .b64 f, .param .b32 l, .param .b64 n, "
        ".param .b64 s);\n"
        ".global .align 1 .b8 text[6] = {120, 32, 62, 32, 48, 0};\n"
        ".visible .entry k(.param .u64 a, .param .u32 c) {\n.reg .b64 %d<4>;\nmov.u64 %d1, text;\n"
        "cvta.global.u64 %d1, %d1;\n{ .param .b64 m; .param .b64 f; .param .b32 l; .param .b64 n; "
        ".param .b64 s;\n"
        "st.param.b64 [m], %d1; st.param.b64 [f], %d1; st.param.b32 [l], 12; st.param.b64 [n], "
        "%d1;\n"
        "st.param.b64 [s], 1; call.uni __assertfail, (m, f, l, n, s); }\nret;\n}\n",
        1, 0, false);
    cr_expect_eq(kit_run(k, 1, 1), PTX_ASSERT);
    cr_expect(strstr(k->message, "assertion `x > 0' failed") && strstr(k->message, ":12)"), "%s",
              k->message);
    kit_free(k);
}
