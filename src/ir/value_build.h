/* value_build.h - between the parser and the maker of value programs. */
#ifndef BRAZE_IR_VALUE_BUILD_H
#define BRAZE_IR_VALUE_BUILD_H

#include "src/ir/value.h"

typedef uint16_t vb_val; /* index of an instruction */

/* A program that grows. Each step is folded, looked up, then appended; `open` counts the RARE
 * regions round the next step. */
typedef struct vb {
    BZ_VEC(ir_vinst) inst;
    BZ_VEC(bool) hidden; /* stands in a region that has ended: not to be used again */
    bool failed;         /* out of memory; values are 0 from then on */
} vb;

vb_val vb_arg(vb *b, bz_dtype t);
vb_val vb_const(vb *b, bz_dtype t, ir_bits bits);
vb_val vb_base(vb *b, ir_op op, bz_dtype result,
               const vb_val *x); /* conversions and bool ops in the forms value.h allows */
vb_val vb_table(vb *b, unsigned table, vb_val index);
vb_val vb_rare(vb *b, vb_val cond);                          /* opens a region; gives its RARE */
vb_val vb_end(vb *b, vb_val rare, vb_val slow, vb_val fast); /* closes it */
static inline bz_dtype vb_dtype(const vb *b, vb_val v) {
    return (bz_dtype)b->inst.p[v].dtype;
}

/* ---- value_parse.c: the value of `text` with x, y, z bound to `arg`, as dtype `result`; T is
 * the dtype `t`. */
bool vb_parse(vb *b, const char *text, unsigned nargs, const vb_val *arg, bz_dtype t,
              bz_dtype result, vb_val *out, bz_error *e);

#endif
