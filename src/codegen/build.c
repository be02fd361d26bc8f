/* build.c - which build this is: a number of all sources that code of kernels depends on (the Makefile computes it), and LLVM's version.
 * What an earlier build compiled has another. */
#include "src/codegen/codegen.h"

#ifndef CG_BUILD
#error "CG_BUILD comes from the Makefile"
#endif

const char cg_build[] = CG_BUILD;
