/* braze.h - all of braze: a JIT-compiling tensor graph compiler.
 *
 *     bz_context *c;
 *     bz_open(NULL, &c);
 *     bz_tensor *x = bz_randn(c, BZ_SHAPE(4, 3), BZ_F32);
 *     bz_print(bz_softmax(x, -1));
 *     bz_close(c); */
#ifndef BRAZE_H
#define BRAZE_H

#include "braze/compile.h"
#include "braze/context.h"
#include "braze/custom.h"
#include "braze/dlpack.h"
#include "braze/explain.h"
#include "braze/export.h"
#include "braze/move.h"
#include "braze/nn.h"
#include "braze/operand.h"
#include "braze/ops.h"
#include "braze/tensor.h"
#include "braze/transfer.h"
#include "braze/version.h"

#endif
