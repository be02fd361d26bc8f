/* test_kernels.h - the PTX that the driver's tests launch. */
#ifndef TEST_KERNELS_H
#define TEST_KERNELS_H

/* scale(out, in, k, n): out[i] = in[i] * k.  poke(p): *p = 1.  crash(): trap.  ticket(p): atomic
 * add. */
static const char kernels[] =
    ".version 7.0\n.target sm_75\n.address_size 64\n"
    ".global .align 4 .u32 counter = 7;\n"
    ".const .align 4 .f32 table[2] = {0f3F800000, 0f40000000};\n"
    ".visible .entry scale(.param .u64 out, .param .u64 in, .param .f32 k, .param .u32 n)\n"
    "{\n.reg .pred %p<2>;\n.reg .b32 %r<6>;\n.reg .f32 %f<4>;\n.reg .b64 %rd<8>;\n"
    "ld.param.u64 %rd1, [out];\nld.param.u64 %rd2, [in];\nld.param.f32 %f1, [k];\n"
    "ld.param.u32 %r1, [n];\nmov.u32 %r2, %ctaid.x;\nmov.u32 %r3, %ntid.x;\nmov.u32 %r4, %tid.x;\n"
    "mad.lo.s32 %r5, %r2, %r3, %r4;\nsetp.ge.u32 %p1, %r5, %r1;\n@%p1 bra END;\n"
    "mul.wide.u32 %rd3, %r5, 4;\nadd.s64 %rd4, %rd2, %rd3;\nadd.s64 %rd5, %rd1, %rd3;\n"
    "ld.global.f32 %f2, [%rd4];\nmul.f32 %f3, %f2, %f1;\nst.global.f32 [%rd5], "
    "%f3;\nEND:\nret;\n}\n"
    ".visible .entry poke(.param .u64 p)\n{\n.reg .b32 %r<2>;\n.reg .b64 %rd<2>;\n"
    "ld.param.u64 %rd1, [p];\nmov.u32 %r1, 1;\nst.global.u32 [%rd1], %r1;\nret;\n}\n"
    ".visible .entry crash()\n{\ntrap;\nret;\n}\n"
    ".visible .entry wide(.param .u64 p)\n.maxntid 64, 1, 1\n{\n.shared .align 4 .b8 "
    "buffer[1024];\nret;\n}\n"
    ".visible .entry ticket(.param .u64 p)\n{\n.reg .b32 %r<2>;\n.reg .b64 %rd<2>;\n"
    "ld.param.u64 %rd1, [p];\natom.global.add.u32 %r1, [%rd1], 1;\nret;\n}\n";

#endif
