/* targets.c - see targets.h. */
#include "tests/support/targets.h"
#include "tests/support/jit.h"

/* For the second one and the GPU whatever can be handed on row by row is, however small. */
const plan_target targets[] = {
    {"avx512",
     {.vector_bytes = 64,
      .registers = 32,
      .masks = true,
      .threads = 2,
      .machine = &pass_cpu,
      .cached = PASS_CACHED},
     CG_V4},
    {"avx2",
     {.vector_bytes = 32, .registers = 16, .masks = true, .threads = 2, .machine = &pass_cpu},
     CG_V3},
    {"base",
     {.vector_bytes = 16,
      .registers = 16,
      .masks = false,
      .threads = 2,
      .machine = &pass_cpu,
      .cached = PASS_CACHED},
     CG_BASE},
    {"eager",
     {.vector_bytes = 64,
      .registers = 32,
      .masks = true,
      .eager = true,
      .threads = 2,
      .machine = &pass_cpu},
     CG_V4},
    {"gpu",
     {.vector_bytes = 16,
      .registers = 32,
      .masks = true,
      .threads = 1 << 10,
      .shared = 48 << 10,
      .machine = &pass_gpu},
     CG_NISAS}, /* on the interpreter of loops alone */
};
const unsigned target_count = BZ_LEN(targets);

cg_isa target_host(void) {
    return jit_host();
}
