/* flow.c - branches, predicates, loops, calls: programs of a few lines whose answer C gives too. */
#include <string.h>

#include "conf.h"

static void row_collatz(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint32_t x = (uint32_t)v[0] & 0xff;
    (void)c;
    r[0] = 0;
    for (; x > 1 && r[0] < 60; r[0]++) x = x & 1 ? 3 * x + 1 : x / 2;
}

static void row_switch(const conf_case *c, const uint64_t *v, uint64_t *r) {
    (void)c;
    switch (v[0] & 3) {
    case 0: r[0] = v[1] + 5; break;
    case 1: r[0] = v[1] * 3; break;
    case 2: r[0] = v[1] ^ 0x5a5a5a5a; break;
    default: r[0] = v[1] * 3 - 1; break;
    }
}

static void row_predicated(const conf_case *c, const uint64_t *v, uint64_t *r) {
    (void)c;
    r[0] = v[2] ? v[0] : v[1];
    r[1] = v[2] ? v[1] + 1 : v[0] + 1;
}

static void row_pythagoras(const conf_case *c, const uint64_t *v, uint64_t *r) {
    (void)c;
    r[0] = v[0] * v[0] + v[1] * v[1];
}

static void row_sum_to(const conf_case *c, const uint64_t *v, uint64_t *r) {
    (void)c;
    uint64_t n = v[0] & 7;
    r[0] = n * (n + 1) / 2;
}

static void row_pointer(const conf_case *c, const uint64_t *v, uint64_t *r) {
    (void)c;
    r[0] = v[1] ? v[0] * v[0] + v[0] * v[0] : v[0] - v[0] + 9;
}

static void row_bytes(const conf_case *c, const uint64_t *v, uint64_t *r) {
    (void)c;
    r[0] = v[0] >> 32;
    r[1] = v[0] & 0xffffffff;
}

static void row_halved(const conf_case *c, const uint64_t *v, uint64_t *r) {
    double x;
    (void)c;
    memcpy(&x, v, 8);
    x = x * 0.5;
    memcpy(r, &x, 8);
}

static void row_early(const conf_case *c, const uint64_t *v, uint64_t *r) {
    (void)c;
    r[0] = v[0] & 1 ? 0 : v[0] + 1; /* odd rows left before the store */
}

static const char functions[] =
    ".func (.param .b32 r) sum_of_squares(.param .b32 a, .param .b32 b)\n{\n"
    "\t.reg .b32 %x, %y;\n\tld.param.b32 %x, [a];\n\tld.param.b32 %y, [b];\n\tmul.lo.u32 %x, %x, "
    "%x;\n"
    "\tmad.lo.u32 %x, %y, %y, %x;\n\tst.param.b32 [r], %x;\n\tret;\n}\n"
    ".func (.param .b32 r) difference(.param .b32 a, .param .b32 b)\n{\n"
    "\t.reg .b32 %x, %y;\n\tld.param.b32 %x, [a];\n\tld.param.b32 %y, [b];\n\tsub.u32 %x, %x, %y;\n"
    "\tadd.u32 %x, %x, 9;\n\tst.param.b32 [r], %x;\n\tret;\n}\n";

static const char recursion[] =
    ".func (.param .b32 r) sum_to(.param .b32 n)\n{\n"
    "\t.reg .b32 %x, %y;\n\t.reg .pred %p;\n\tld.param.b32 %x, [n];\n\tmov.u32 %y, 0;\n"
    "\tsetp.eq.u32 %p, %x, 0;\n\t@%p bra DONE;\n\tsub.u32 %y, %x, 1;\n"
    "\t{\n\t.param .b32 arg;\n\t.param .b32 got;\n\tst.param.b32 [arg], %y;\n\tcall (got), sum_to, "
    "(arg);\n"
    "\tld.param.b32 %y, [got];\n\t}\nDONE:\n\tadd.u32 %x, %x, %y;\n\tst.param.b32 [r], "
    "%x;\n\tret;\n}\n";

static const char swap_halves[] =
    ".func (.param .align 8 .b8 r[8]) swap_halves(.param .align 8 .b8 a[8])\n{\n"
    "\t.reg .b32 %x, %y;\n\tld.param.v2.b32 {%x, %y}, [a];\n\tst.param.b32 [r], %y;\n"
    "\tst.param.b32 [r+4], %x;\n\tret;\n}\n";

static const char halving[] =
    ".func (.param .f64 r) halve(.param .f64 a)\n{\n"
    "\t.reg .f64 %x;\n\tld.param.f64 %x, [a];\n\tmul.rn.f64 %x, %x, 0d3FE0000000000000;\n"
    "\tst.param.f64 [r], %x;\n\tret;\n}\n";

static const struct {
    const char *sig, *text, *decl;
    conf_row row;
} table[] = {
    /* lanes leave a loop at different times */
    {"w:w",
     "and.b32 %x, $1, 255;\nmov.u32 $0, 0;\nAGAIN:\nsetp.le.u32 %p, %x, 1;\n@%p bra.uni OUT;\n"
     "setp.ge.u32 %p, $0, 60;\n@%p bra OUT;\nand.b32 %y, %x, 1;\nsetp.eq.u32 %q, %y, 1;\n@%q bra "
     "ODD;\n"
     "shr.u32 %x, %x, 1;\nbra NEXT;\nODD:\nmad.lo.u32 %x, %x, 3, 1;\nNEXT:\nadd.u32 $0, $0, 1;\n"
     "bra AGAIN;\nOUT:",
     NULL, row_collatz},
    {"w:ww",
     "and.b32 %x, $1, 3;\nCASES: .branchtargets ZERO, ONE, TWO, THREE;\nbrx.idx %x, CASES;\n"
     "ZERO:\nadd.u32 $0, $2, 5;\nbra.uni END;\nTWO:\nxor.b32 $0, $2, 0x5a5a5a5a;\nbra END;\n"
     "THREE:\nmad.lo.u32 $0, $2, 3, -1;\nbra END;\nONE:\nmul.lo.u32 $0, $2, 3;\nEND:",
     NULL, row_switch},
    {"ww:wwp",
     "mov.b32 $0, $3;\n@$4 mov.b32 $0, $2;\n@$4 add.u32 $1, $3, 1;\n@!$4 add.u32 $1, $2, 1;", NULL,
     row_predicated},
    {"w:ww",
     "{\n.param .b32 one;\n.param .b32 two;\n.param .b32 got;\nst.param.b32 [one], $1;\n"
     "st.param.b32 [two], $2;\ncall.uni (got), sum_of_squares, (one, two);\nld.param.b32 $0, "
     "[got];\n}",
     functions, row_pythagoras},
    {"w:w",
     "and.b32 %x, $1, 7;\n{\n.param .b32 arg;\n.param .b32 got;\nst.param.b32 [arg], %x;\n"
     "call (got), sum_to, (arg);\nld.param.b32 $0, [got];\n}",
     recursion, row_sum_to},
    /* a function pointer that differs between lanes */
    {"w:wp",
     "{\n.reg .b64 %f, %g;\n.param .b32 one;\n.param .b32 two;\n.param .b32 got;\nmov.u64 %f, "
     "sum_of_squares;\n"
     "mov.u64 %g, difference;\nselp.b64 %f, %f, %g, $2;\nst.param.b32 [one], $1;\nst.param.b32 "
     "[two], $1;\n"
     "KIND: .callprototype (.param .b32 _) _ (.param .b32 _, .param .b32 _);\n"
     "call (got), %f, (one, two), KIND;\nld.param.b32 $0, [got];\n}",
     functions, row_pointer},
    {"ww:d",
     "{\n.param .align 8 .b8 arg[8];\n.param .align 8 .b8 got[8];\nst.param.b64 [arg], $2;\n"
     "call.uni (got), swap_halves, (arg);\nld.param.v2.b32 {$0, $1}, [got];\n}",
     swap_halves, row_bytes},
    {"E:E",
     "{\n.param .f64 arg;\n.param .f64 got;\nst.param.f64 [arg], $1;\ncall.uni (got), halve, "
     "(arg);\n"
     "ld.param.f64 $0, [got];\n}",
     halving, row_halved},
    {"w:w", "and.b32 %x, $1, 1;\nsetp.eq.u32 %p, %x, 1;\n@%p ret;\nadd.u32 $0, $1, 1;", NULL,
     row_early},
    {"w:w",
     "and.b32 %x, $1, 1;\nsetp.eq.u32 %p, %x, 1;\n@%p exit;\nbar.warp.sync -1;\nadd.u32 $0, $1, 1;",
     NULL, row_early},
};

void conf_flow(conf_list *list) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        conf_case *c = conf_add(list, 75, table[i].sig, "%s", table[i].text);
        c->decl = table[i].decl;
        c->row = table[i].row;
    }
}
