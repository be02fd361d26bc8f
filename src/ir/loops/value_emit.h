/* value_emit.h - elementwise ops as kernel loop instructions. */
#ifndef BRAZE_LOOPS_VALUE_EMIT_H
#define BRAZE_LOOPS_VALUE_EMIT_H

#include "src/ir/loops/loop.h"
#include "src/ir/value.h"

enum { LP_VALUE_MAX_WIDTH = 16 };

/* out[w] = op(x[0][w], x[1][w], ...) for w < width: the op's value program, each step for all
 * `width` vectors before the next one, so that independent work hides latency. x[k] for k < n
 * are `width` values of the operand's dtype; all vectors have the same number of lanes, scalars
 * stand for every lane. `result` matters for cast and bitcast; else the rule gives it. Steps
 * that few elements need stand behind an `if any`. Out of memory: false, out[] is 0. */
bool lp_value(lp_builder *b, ir_op op, bz_dtype result, const lp_val *const x[3], unsigned n,
              unsigned width, lp_val *out);

#endif
