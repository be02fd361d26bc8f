/* fakecuda.h - contexts on the emulated driver (docs/gpu-proof.md), and what it says of a program. */
#ifndef TESTS_FAKECUDA_H
#define TESTS_FAKECUDA_H

#include "tests/support/rt_support.h"

/* Sets the environment of this process up, with devices of these compute capabilities: "80", "80,90". Before the first context. */
void fakecuda_use(const char *devices);
bz_context *fakecuda_open(int number);
/* Is there an NVRTC? What computes wants one; without it says that the test is skipped. */
bool fakecuda_compiles(void);
/* Before fakecuda_use, in a process that has not opened the driver: one without that function, as older drivers are; a copy of the
 * library, until the process ends. */
void fakecuda_without(const char *function);
/* A step of training to compile: in: w, x, y; out: w (to be donated), the loss. */
bz_function fakecuda_step;
/* Functions of the driver's for tests (tests/fakecuda/fake.h). */
long fakecuda_fail_after(long n, int code);
const char *fakecuda_failed(void);
size_t fakecuda_living(void);
size_t fakecuda_objects(void);
uint64_t fakecuda_calls(const char *function);
void fakecuda_seed(uint64_t seed);
/* No context of the driver's is this thread's. */
bool fakecuda_no_context(void);
/* It has found nothing wrong. */
void fakecuda_is_clean(void);
/* Nor is any memory, event, stream, module or graph left. */
void fakecuda_left_nothing(void);

#endif
