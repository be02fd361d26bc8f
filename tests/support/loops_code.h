/* loops_code.h - kernels of the runtime on the interpreter of loops instead of machine code. For programs that are linked with
 * -Wl,--wrap=rt_kernels_get -Wl,--wrap=rt_kernels_release (mk/test.mk). */
#ifndef BRAZE_TEST_LOOPS_CODE_H
#define BRAZE_TEST_LOOPS_CODE_H

#include <stdbool.h>

/* From now on kernels of this process are interpreted, or compiled again; what a program already has it keeps. */
void loops_code(bool on);

#endif
