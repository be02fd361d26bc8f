/* loops.h - kernels of the tests: reading them, comparing them, running them in every way that must agree. */
#ifndef BRAZE_TEST_LOOPS_H
#define BRAZE_TEST_LOOPS_H

#include "src/ir/loops/loop.h"

/* The file as a NUL-terminated text (free it with free); the test fails when it is not there. */
char *loops_read(const char *path);
lp_module *loops_parse(const char *text); /* the test fails when it does not parse or verify */
lp_module *loops_load(const char *name);  /* tests/kernels/NAME.loop */
bool loops_same(const lp_kernel *a, const lp_kernel *b); /* instruction by instruction */

/* As written, with tasks in another order, cleaned, printed and parsed again. */
enum { LOOPS_PLAIN, LOOPS_SHUFFLED, LOOPS_CLEANED, LOOPS_REPARSED, LOOPS_WAYS };
/* Runs the last kernel of tests/kernels/NAME.loop; its status. */
bz_status loops_run(const char *name, int way, lp_run_args a, bz_error *e);

#endif
