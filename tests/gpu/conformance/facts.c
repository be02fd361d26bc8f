/* facts.c - values that hardware gave, known from public test suites that assert them on real
 * devices: the oracles themselves must agree with these. */
#include "facts.h"

#include <stdio.h>
#include <string.h>

typedef struct {
    const char *text;
    uint64_t v[4], r;
} fact;

static const fact facts[] = {
    {"mul24.lo.u32 $0, $1, $2;", {0x755555, 0x755555}, 0x1c238e39},
    {"mul24.hi.u32 $0, $1, $2;", {0x755555, 0x755555}, 0x35c71c23},
    {"mul24.lo.s32 $0, $1, $2;", {0xff8aaaab, 0x755555}, 0xe3dc71c7},
    {"mul24.hi.s32 $0, $1, $2;", {0xff8aaaab, 0x755555}, 0xca38e3dc},
    {"cvt.pack.sat.u8.s32.b32 $0, $1, $2, $3;", {0xfffffeff, 257, 0xf839b0ed}, 2968322303},
    {"cvt.pack.sat.s8.s32.b32 $0, $1, $2, $3;", {0xfffffeff, 257, 0xf839b0ed}, 2968354943},
    {"mul.wide.s32 $0, $1, $2;", {0x1000000, 0x1000000}, 0x1000000000000},
    {"mul.rn.ftz.f32 $0, $1, $2;", {0x80400000, 0x3f000000}, 0x80000000},
    {"mul.rn.f32 $0, $1, $2;", {0x80400000, 0x3f000000}, 0x80200000},
    {"min.f16 $0, $1, $2;", {0x7e00, 0x57b0}, 0x57b0},
    {"fma.rn.bf16x2 $0, $1, $2, $3;", {0x40004040, 0x40404080, 0x40a04040}, 0x41304170},
    {"fma.rn.f16x2 $0, $1, $2, $3;", {0x40004040, 0x40404080, 0x40a04040}, 1183860456},
    {"cvt.rn.satfinite.e4m3x2.f32 $0, $1, $2;", {0x3ed00000, 0x414e6666}, 0x2d55},
    {"cvt.rn.satfinite.e5m2x2.f32 $0, $1, $2;", {0x3ec00000, 0xc5a444cd}, 0x36ed},
    {"cvt.rn.f16x2.e4m3x2 $0, $1;", {0x2d55}, 0x36804a80},
    {"cvt.rn.f16x2.e5m2x2 $0, $1;", {0x36ed}, 0x3600ed00},
    {"cvt.rn.bf16x2.f32 $0, $1, $2;", {0x3ed00000, 0x414e6666}, 0x3ed0414e},
    {"bfind.shiftamt.u32 $0, $1;", {0}, 0xffffffff},
    {"bfind.shiftamt.u32 $0, $1;", {0xffffffff}, 0},
    {"bfind.shiftamt.u32 $0, $1;", {0x2cd1a4c1}, 2},
    {"clz.b32 $0, $1;", {0x052d13ab}, 5},
    {"popc.b32 $0, $1;", {0xbc92498a}, 14},
    {"popc.b64 $0, $1;", {0x99427d688bcb5258}, 30},
    {"brev.b32 $0, $1;", {0xc75caefb}, 0xdf753ae3},
    {"bfe.u32 $0, $1, $2, $3;", {0xf8c122a0, 16, 8}, 0xc1},
    {"bfi.b32 $0, $1, $2, $3, $4;", {2, 5, 0, 2}, 6},
    {"bmsk.clamp.b32 $0, $1, $2;", {24, 12}, 0xff000000},
    {"prmt.b32 $0, $1, $2, $3;", {0x70c507d6, 0x6fbd4b5c, 30212}, 0x6fbdd65c},
    {"prmt.b32 $0, $1, $2, $3;", {0x0100fe80, 0, 0x0a08}, 0x800080ff},
    {"shf.l.clamp.b32 $0, $1, $2, $3;", {0x12345678, 0x9abcdef0, 12}, 0xcdef0123},
    {"shf.r.clamp.b32 $0, $1, $2, $3;", {0x12345678, 0x9abcdef0, 12}, 0xef012345},
    {"shf.l.clamp.b32 $0, $1, $2, $3;", {0x12345678, 0x9abcdef0, 44}, 0x12345678},
    {"shf.r.clamp.b32 $0, $1, $2, $3;", {0x12345678, 0x9abcdef0, 44}, 0x9abcdef0},
    {"shf.l.wrap.b32 $0, $1, $2, $3;", {0x12345678, 0x9abcdef0, 44}, 0xcdef0123},
    {"shf.r.wrap.b32 $0, $1, $2, $3;", {0x12345678, 0x9abcdef0, 44}, 0xef012345},
    {"dp4a.s32.s32 $0, $1, $2, $3;", {0x8e2da590, 0xedeaee14, 0x248a9f70}, 613065134},
    {"dp2a.hi.s32.s32 $0, $1, $2, $3;", {0x8e2da590, 0xedeaee14, 0x248a9f70}, 614127545},
    {"copysign.f32 $0, $1, $2;", {0x0bda2a2c, 0xe31a8fd7}, 0x631a8fd7},
    {"abs.s32 $0, $1;", {0x80000000}, 0x80000000},
    {"add.sat.s32 $0, $1, $2;", {0x80000000, 0xffffffff}, 0x80000000},
    {"cvt.sat.u32.s32 $0, $1;", {0xffffffff}, 0},
    {"cvt.rni.u16.f32 $0, $1;", {0x477fff80}, 65535},
    {"cvt.rni.f32.f32 $0, $1;", {0x41180000}, 0x41200000}, /* 9.5 goes to 10, */
    {"cvt.rni.f32.f32 $0, $1;", {0x41280000}, 0x41200000}, /* 10.5 too */
    {"cvt.rzi.f32.f32 $0, $1;", {0xc15ccccd}, 0xc1500000},
    {"cvt.s32.s8 $0, $1;", {0x31c2}, 0xffffffc2},
    {"div.rn.ftz.f32 $0, $1, $2;", {0x16a2028d, 0x5e89f6ae}, 0},
    {"div.rn.f32 $0, $1, $2;", {0x16a2028d, 0x5e89f6ae}, 0x26},
    {"sqrt.rn.ftz.f32 $0, $1;", {1}, 0},
    {"shr.s16 $0, $1, $2;", {0x8000, 70}, 0xffff},
    {"rem.s32", {21692, 13}, 8},
    {"cvt.rn.relu.f16x2.f32 $0, $1, $2;", {0xbf800000, 0x3f800000}, 0x3c00},
    {"add.rp.f32 $0, $1, $2;", {0x3f800000, 0x33800000}, 0x3f800001},
    {"add.rn.f32 $0, $1, $2;", {0x3f800000, 0x33800000}, 0x3f800000},
    {"setp.leu.f32 $0, $1, $2;", {0x3f800000, 0x7fc00000}, 1},
    {"setp.gt.f32 $0, $1, $2;", {0x7fc00000, 0x3f800000}, 0},
    {"setp.nan.f32 $0, $1, $2;", {0x3f000000, 0x7fc00000}, 1},
    {"setp.num.f32 $0, $1, $2;", {0x3f000000, 0x3f000000}, 1},
};

/* The case whose text is, or contains, the fact's. */
static const conf_case *find(const conf_list *list, const char *text) {
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->at[i].text, text) == 0 ||
            (!strchr(text, '$') && strstr(list->at[i].text, text)))
            return &list->at[i];
    return NULL;
}

size_t facts_check(const conf_list *list, char *why, size_t cap) {
    size_t wrong = 0;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        const conf_case *c = find(list, facts[i].text);
        uint64_t r[CONF_MAX_REGS] = {0};
        if (c) c->row(c, facts[i].v, r);
        uint64_t mask = !c || strchr("dD", c->sig[0]) ? ~0ull
                        : strchr("hHB", c->sig[0])    ? 0xffff
                                                      : 0xffffffff;
        if (c && (r[0] & mask) == facts[i].r) continue;
        wrong++;
        snprintf(why, cap, "%s: the oracle says %llx, hardware %llx", facts[i].text,
                 (unsigned long long)(r[0] & mask), (unsigned long long)facts[i].r);
    }
    return wrong;
}
