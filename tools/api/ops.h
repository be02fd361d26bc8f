/* ops.h - one builder per elementwise op. Made by tools/api.py from src/ir/ops.def: do not edit.
 *
 * Operands broadcast (NumPy's rule) and are promoted as PyTorch does; 0-d operands do not promote within a category (bool, integer,
 * float). Ops that need floats cast integers and bool to f32 first. Of two or three operands all but one may be numbers: bz_mul(x, 2),
 * operand.h. The result belongs to the innermost scope; on an error (BZ_ESHAPE, BZ_EDTYPE) it is poisoned. */
#ifndef BRAZE_OPS_H
#define BRAZE_OPS_H

#include "braze/operand.h"

@section elementwise

/* ---- arithmetic that is more than one op. Arguments at the end for which docs/ops.md has a default may be left out */
@words rounding

@section arithmetic

/* ---- complex numbers: c64, two f32, and c128, two f64 */

@section complex_numbers

#endif
