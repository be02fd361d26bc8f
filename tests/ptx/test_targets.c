/* test_targets.c - which target has which form: the table of targets.c against a list that the assembler
 * has answered, and against the assembler itself where a toolkit's linker library is. */
#include "test_assembler.h"
#include "test_kit.h"

typedef struct {
    const char *form;
    unsigned first;
} target_row;

static const target_row rows[] = {
    {"redux.sync.add.s32 r1,r2,-1;", 80},
    {"redux.sync.and.b32 r1,r2,-1;", 80},
    {"match.any.sync.b32 r1,r2,-1;", 75},
    {"elect.sync r1|p1,-1;", 90},
    {"cp.async.ca.shared.global [s],[p],16;", 80},
    {"cp.async.commit_group;", 80},
    {"cp.async.wait_all;", 80},
    {"cp.async.wait_group 1;", 80},
    {"cp.async.mbarrier.arrive.shared.b64 [s];", 80},
    {"cp.async.mbarrier.arrive.noinc.shared.b64 [s];", 80},
    {"cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [s],[p],64,[s];", 90},
    {"cp.async.bulk.global.shared::cta.bulk_group [p],[s],64;", 90},
    {"cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
     "[s],[p,{r1,r2}],"
     "[s];",
     90},
    {"cp.async.bulk.tensor.3d.global.shared::cta.bulk_group [p,{r1,r2,r3}],[s];", 90},
    {"prefetch.tensormap [p];", 90},
    {"cp.async.bulk.commit_group;", 90},
    {"cp.async.bulk.wait_group.read 0;", 90},
    {"mbarrier.init.shared.b64 [s],1;", 80},
    {"mbarrier.inval.shared.b64 [s];", 80},
    {"mbarrier.arrive.shared.b64 d1,[s];", 80},
    {"mbarrier.arrive.shared.b64 d1,[s],2;", 90},
    {"mbarrier.arrive.release.cta.shared::cta.b64 d1,[s];", 80},
    {"mbarrier.arrive.release.cluster.shared::cluster.b64 _,[s];", 90},
    {"mbarrier.arrive.noComplete.shared.b64 d1,[s],2;", 80},
    {"mbarrier.arrive.expect_tx.shared.b64 d1,[s],64;", 90},
    {"mbarrier.arrive_drop.shared.b64 d1,[s];", 80},
    {"mbarrier.expect_tx.relaxed.cta.shared.b64 [s],64;", 90},
    {"mbarrier.complete_tx.relaxed.cta.shared.b64 [s],64;", 90},
    {"mbarrier.test_wait.shared.b64 p1,[s],d1;", 80},
    {"mbarrier.test_wait.parity.shared.b64 p1,[s],0;", 80},
    {"mbarrier.try_wait.shared.b64 p1,[s],d1;", 90},
    {"mbarrier.try_wait.parity.shared.b64 p1,[s],1,r1;", 90},
    {"mbarrier.pending_count.b64 r1,d1;", 80},
    {"ldmatrix.sync.aligned.m8n8.x4.shared.b16 {r1,r2,r3,r4},[s];", 75},
    {"stmatrix.sync.aligned.m8n8.x4.shared.b16 [s],{r1,r2,r3,r4};", 90},
    {"movmatrix.sync.aligned.m8n8.trans.b16 r1,r2;", 75},
    {"ld.global.v8.f32 {f1,f2,f3,f4,f5,f6,f7,f8},[p];", 100},
    {"ld.global.v4.f64 {g1,g2,g3,g4},[p];", 100},
    {"st.global.v8.f32 [p],{f1,f2,f3,f4,f5,f6,f7,f8};", 100},
    {"st.global.v4.b64 [p],{d1,d2,d3,d4};", 100},
    {"ld.global.b128 w1,[p];", 75},
    {"ld.global.L2::cache_hint.f32 f1,[p],d1;", 80},
    {"ld.global.L1::evict_last.f32 f1,[p];", 75},
    {"ld.global.L1::no_allocate.f32 f1,[p];", 75},
    {"ld.global.L2::64B.f32 f1,[p];", 75},
    {"ld.global.L2::128B.f32 f1,[p];", 75},
    {"ld.global.L2::256B.f32 f1,[p];", 80},
    {"ld.relaxed.cluster.global.f32 f1,[p];", 90},
    {"ld.acquire.gpu.global.f32 f1,[p];", 75},
    {"ld.mmio.relaxed.sys.global.f32 f1,[p];", 75},
    {"ld.shared::cta.f32 f1,[s];", 75},
    {"st.release.cluster.global.f32 [p],f1;", 90},
    {"fence.acq_rel.gpu;", 75},
    {"fence.acq_rel.cluster;", 90},
    {"fence.acquire.gpu;", 75},
    {"atom.global.add.noftz.f16 h1,[p],h2;", 75},
    {"atom.global.add.noftz.f16x2 r1,[p],r2;", 75},
    {"atom.global.add.noftz.bf16 h1,[p],h2;", 90},
    {"atom.global.add.noftz.bf16x2 r1,[p],r2;", 90},
    {"red.global.add.noftz.f16 [p],h1;", 75},
    {"red.global.add.noftz.bf16x2 [p],r1;", 90},
    {"red.global.add.noftz.v2.f16x2 [p],{r1,r2};", 90},
    {"red.global.add.v4.f32 [p],{f1,f2,f3,f4};", 90},
    {"red.global.add.v2.f32 [p],{f1,f2};", 90},
    {"atom.global.add.v2.f32 {f1,f2},[p],{f3,f4};", 90},
    {"atom.global.cas.b128 w1,[p],w2,w3;", 90},
    {"atom.global.exch.b128 w1,[p],w2;", 90},
    {"atom.global.cas.b16 h1,[p],h2,h3;", 75},
    {"atom.global.add.f64 g1,[p],g2;", 75},
    {"atom.cluster.global.add.u32 r1,[p],r2;", 90},
    {"mma.sync.aligned.m16n8k8.row.col.f32.f16.f16.f32 {f1,f2,f3,f4},{r1,r2},{r3},{f5,f6,f7,f8};",
     75},
    {"mma.sync.aligned.m16n8k8.row.col.f16.f16.f16.f16 {r5,r6},{r1,r2},{r3},{r7,r8};", 75},
    {"mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
     "{f1,f2,f3,f4},{r1,r2,r3,r4},{r5,r6},{f5,f6,f7,f8};",
     80},
    {"mma.sync.aligned.m16n8k8.row.col.f32.bf16.bf16.f32 {f1,f2,f3,f4},{r1,r2},{r3},{f5,f6,f7,f8};",
     80},
    {"mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
     "{f1,f2,f3,f4},{r1,r2,r3,r4},{r5,r6},{f5,f6,f7,f8};",
     80},
    {"mma.sync.aligned.m16n8k4.row.col.f32.tf32.tf32.f32 {f1,f2,f3,f4},{r1,r2},{r3},{f5,f6,f7,f8};",
     80},
    {"mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
     "{f1,f2,f3,f4},{r1,r2,r3,r4},{r5,r6},{f5,f6,f7,f8};",
     80},
    {"mma.sync.aligned.m8n8k16.row.col.s32.s8.s8.s32 {r1,r2},{r3},{r4},{r5,r6};", 75},
    {"mma.sync.aligned.m16n8k16.row.col.s32.s8.s8.s32 {r1,r2,r3,r4},{r5,r6},{r7},{r8,r9,r10,r11};",
     80},
    {"mma.sync.aligned.m16n8k32.row.col.s32.u8.s8.s32 "
     "{r1,r2,r3,r4},{r5,r6,r7,r8},{r9,r10},{r11,r12,r13,r14};",
     80},
    {"mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {g1,g2},{g3},{g4},{g5,g6};", 80},
    {"mma.sync.aligned.m16n8k4.row.col.f64.f64.f64.f64 {g1,g2,g3,g4},{g5,g6},{g7},{g8,g9,g10,g11};",
     90},
    {"mma.sync.aligned.m16n8k8.row.col.f64.f64.f64.f64 "
     "{g1,g2,g3,g4},{g5,g6,g7,g8},{g9,g10},{g11,g12,g13,g14};",
     90},
    {"mma.sync.aligned.m16n8k32.row.col.f32.e4m3.e5m2.f32 "
     "{f1,f2,f3,f4},{r1,r2,r3,r4},{r5,r6},{f5,f6,f7,f8};",
     89},
    {"mma.sync.aligned.m16n8k32.row.col.f16.e5m2.e5m2.f16 "
     "{r7,r8},{r1,r2,r3,r4},{r5,r6},{r9,r10};",
     89},
    {"mma.sync.aligned.m16n8k16.row.col.f32.e4m3.e4m3.f32 "
     "{f1,f2,f3,f4},{r1,r2},{r5},{f5,f6,f7,f8};",
     89},
    {"mma.sync.aligned.m8n8k32.row.col.s32.s4.u4.s32 {r1,r2},{r3},{r4},{r5,r6};", 75},
    {"mma.sync.aligned.m16n8k32.row.col.s32.u4.u4.s32 {r1,r2,r3,r4},{r5,r6},{r7},{r8,r9,r10,r11};",
     80},
    {"mma.sync.aligned.m16n8k64.row.col.satfinite.s32.s4.s4.s32 "
     "{r1,r2,r3,r4},{r5,r6,r7,r8},{r9,r10},{r11,r12,r13,r14};",
     80},
    {"add.rn.f32x2 d1,d2,d3;", 100},
    {"add.rz.ftz.f32x2 d1,d2,d3;", 100},
    {"sub.rm.f32x2 d1,d2,d3;", 100},
    {"mul.ftz.f32x2 d1,d2,d3;", 100},
    {"fma.rn.f32x2 d1,d2,d3,d4;", 100},
    {"fma.rp.ftz.f32x2 d1,d2,d3,d4;", 100},
    {"add.f16 h1,h2,h3;", 75},
    {"add.sat.f16 h1,h2,h3;", 75},
    {"add.bf16 h1,h2,h3;", 90},
    {"add.bf16x2 r1,r2,r3;", 90},
    {"sub.bf16 h1,h2,h3;", 90},
    {"mul.bf16 h1,h2,h3;", 90},
    {"mul.bf16x2 r1,r2,r3;", 90},
    {"fma.rn.bf16 h1,h2,h3,h4;", 80},
    {"fma.rn.bf16x2 r1,r2,r3,r4;", 80},
    {"fma.rn.relu.f16 h1,h2,h3,h4;", 80},
    {"fma.rn.relu.bf16x2 r1,r2,r3,r4;", 80},
    {"fma.rn.f16 h1,h2,h3,h4;", 75},
    {"neg.f16 h1,h2;", 75},
    {"neg.bf16 h1,h2;", 80},
    {"neg.bf16x2 r1,r2;", 80},
    {"abs.f16 h1,h2;", 75},
    {"abs.bf16 h1,h2;", 80},
    {"abs.bf16x2 r1,r2;", 80},
    {"min.f16 h1,h2,h3;", 80},
    {"min.NaN.f16 h1,h2,h3;", 80},
    {"max.f16x2 r1,r2,r3;", 80},
    {"min.bf16 h1,h2,h3;", 80},
    {"max.bf16x2 r1,r2,r3;", 80},
    {"min.NaN.f32 f1,f2,f3;", 80},
    {"min.xorsign.abs.f32 f1,f2,f3;", 86},
    {"min.f32 f1,f2,f3,f4;", 100},
    {"max.xorsign.abs.f16 h1,h2,h3;", 86},
    {"min.u16x2 r1,r2,r3;", 90},
    {"max.relu.s16x2 r1,r2,r3;", 90},
    {"min.relu.s32 r1,r2,r3;", 90},
    {"add.u16x2 r1,r2,r3;", 90},
    {"ex2.approx.f16 h1,h2;", 75},
    {"ex2.approx.f16x2 r1,r2;", 75},
    {"ex2.approx.ftz.bf16 h1,h2;", 90},
    {"ex2.approx.ftz.bf16x2 r1,r2;", 90},
    {"tanh.approx.f32 f1,f2;", 75},
    {"tanh.approx.f16 h1,h2;", 75},
    {"tanh.approx.bf16 h1,h2;", 90},
    {"tanh.approx.bf16x2 r1,r2;", 90},
    {"setp.lt.f16 p1,h1,h2;", 75},
    {"setp.lt.bf16 p1,h1,h2;", 90},
    {"setp.lt.f16x2 p1|p2,r1,r2;", 75},
    {"setp.lt.bf16x2 p1|p2,r1,r2;", 90},
    {"set.lt.u32.f16 r1,h1,h2;", 75},
    {"set.lt.u32.bf16 r1,h1,h2;", 90},
    {"set.lt.f16x2.f16x2 r1,r2,r3;", 75},
    {"set.lt.bf16x2.bf16x2 r1,r2,r3;", 90},
    {"cvt.rn.bf16.f32 h1,f1;", 80},
    {"cvt.rn.relu.bf16.f32 h1,f1;", 80},
    {"cvt.rn.bf16x2.f32 r1,f1,f2;", 80},
    {"cvt.rn.f16x2.f32 r1,f1,f2;", 80},
    {"cvt.rz.f16x2.f32 r1,f1,f2;", 80},
    {"cvt.rn.satfinite.f16.f32 h1,f1;", 75},
    {"cvt.rna.tf32.f32 r1,f1;", 80},
    {"cvt.rn.tf32.f32 r1,f1;", 90},
    {"cvt.rn.relu.tf32.f32 r1,f1;", 90},
    {"cvt.rna.satfinite.tf32.f32 r1,f1;", 80},
    {"cvt.rn.satfinite.tf32.f32 r1,f1;", 100},
    {"cvt.rn.satfinite.e4m3x2.f32 h1,f1,f2;", 89},
    {"cvt.rn.satfinite.e5m2x2.f32 h1,f1,f2;", 89},
    {"cvt.rn.satfinite.e4m3x2.f16x2 h1,r1;", 89},
    {"cvt.rn.f16x2.e4m3x2 r1,h1;", 89},
    {"cvt.rn.relu.f16.f32 h1,f1;", 80},
    {"cvt.f32.bf16 f1,h1;", 80},
    {"cvt.f32.f16 f1,h1;", 75},
    {"cvt.rn.bf16.u32 h1,r1;", 90},
    {"cvt.rni.s32.bf16 r1,h1;", 90},
    {"cvt.rzi.s32.bf16 r1,h1;", 90},
    {"cvt.rn.bf16.f16 h1,h2;", 90},
    {"cvt.f16.bf16 h1,h2;", 90},
    {"cvt.rn.f16.bf16 h1,h2;", 90},
    {"cvt.rn.bf16.f64 h1,g1;", 90},
    {"cvt.f64.bf16 g1,h1;", 90},
    {"cvt.rni.bf16.bf16 h1,h2;", 90},
    {"cvt.pack.sat.u8.s32.b32 r1,r2,r3,r4;", 75},
    {"cvt.pack.sat.u16.s32 r1,r2,r3;", 75},
    {"copysign.f32 f1,f2,f3;", 75},
    {"dp4a.s32.s32 r1,r2,r3,r4;", 75},
    {"bmsk.clamp.b32 r1,r2,r3;", 75},
    {"szext.clamp.u32 r1,r2,r3;", 75},
    {"lop3.b32 r1,r2,r3,r4,0x11;", 75},
    {"lop3.or.b32 r1|p1,r2,r3,r4,0x11,p2;", 75},
    {"fns.b32 r1,r2,r3,r4;", 75},
    {"nanosleep.u32 r1;", 75},
    {"createpolicy.fractional.L2::evict_last.b64 d1,1.0;", 80},
    {"prefetch.global.L2 [p];", 75},
    {"prefetch.global.L2::evict_last [p];", 80},
    {"applypriority.global.L2::evict_normal [p],128;", 80},
    {"discard.global.L2 [p],128;", 80},
    {"griddepcontrol.wait;", 90},
    {"griddepcontrol.launch_dependents;", 90},
    {"mov.u32 r1,%clock_hi;", 75},
    {"mov.u32 r1,%aggr_smem_size;", 90},
    {"mov.pred p1,%is_explicit_cluster;", 90},
    {"mov.u32 r1,%dynamic_smem_size;", 75},
    {"isspacep.shared::cluster p1,d1;", 90},
    {"cvta.param.u64 d1,d2;", 75},
    {"isspacep.param p1,d1;", 75},
    {"barrier.sync 0;", 75},
    {"barrier.cta.sync 0;", 75},
    {"bar.cta.sync 0;", 75},
    {"vabsdiff4.u32.u32.u32 r1,r2,r3,r4;", 75},
    {"mov.b128 w1,{d1,d2};", 75},
    {"shfl.sync.idx.b32 r1,r2,r3,31,-1;", 75},
    {"rcp.approx.ftz.f64 g1,g2;", 75},
    {"testp.finite.f32 p1,f1;", 75},
    {"min.NaN.xorsign.abs.f32 f1,f2,f3;", 86},
    {"mul.rn.f16 h1,h2,h3;", 75},
    {"fma.rn.sat.f16 h1,h2,h3,h4;", 75},
    {"sub.rn.bf16x2 r1,r2,r3;", 90},
};
static const unsigned targets[] = {75, 80, 86, 89, 90, 100, 120};

#define EACH_TARGET(sm)                                                                            \
    for (unsigned at_ = 0, sm; at_ < sizeof targets / sizeof *targets && (sm = targets[at_], 1);   \
         at_++)

static void say(char *text, size_t cap, const char *form, unsigned sm) {
    snprintf(text, cap,
             ".version 9.0\n.target sm_%u\n.address_size 64\n.visible .entry k(.param .u64 a)\n{\n"
             ".reg .b64 p, d<16>;\n.reg .b32 r<40>;\n.reg .b16 h<9>;\n.reg .f32 f<40>;\n"
             ".reg .f64 g<20>;\n.reg .pred p<9>;\n.reg .b128 w<4>;\n"
             ".shared .align 128 .b8 s[4096];\nld.param.u64 p, [a];\n%s\nret;\n}\n",
             sm, form);
}

Test(targets, each_form_from_its_first_target_on) {
    char text[2048], log[512];
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) EACH_TARGET(sm) {
            ptx_log l = {log, sizeof log, 0, 0};
            ptx_target target = {.sm = 120, .multiprocessors = 1};
            say(text, sizeof text, rows[k].form, sm);
            ptx_module *m = ptx_load(text, strlen(text), &target, &l);
            cr_expect_eq(m != NULL, sm >= rows[k].first, "%s for sm_%u: %s", rows[k].form, sm,
                         m ? "accepted" : log);
            if (!m)
                cr_expect(strstr(log, "15:1: error: ") && strstr(log, "needs .target sm_"), "%s",
                          log);
            ptx_unload(m);
        }
}

Test(targets, the_assembler_agrees) {
    assembler a;
    char text[2048];
    if (!open_assembler(&a)) cr_skip_test("no toolkit with libnvJitLink");
    for (size_t k = 0; k < sizeof rows / sizeof *rows; k++) EACH_TARGET(sm) {
            say(text, sizeof text, rows[k].form, sm);
            cr_expect_eq(assembles(&a, text, sm, false), sm >= rows[k].first, "%s for sm_%u",
                         rows[k].form, sm);
        }
}
