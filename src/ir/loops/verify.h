/* verify.h - between verify.c and verify_types.c. Private to this room. */
#ifndef BRAZE_LOOP_VERIFY_H
#define BRAZE_LOOP_VERIFY_H

#include "src/ir/loops/facts.h"

/* What is wrong with the operands and the type of an instruction, or NULL. Operands are numbers of
 * earlier instructions. */
const char *lp_type_problem(const lp_kernel *k, const lp_module *m, const lp_inst *i);

#endif
