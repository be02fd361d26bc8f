/* host_env.h - environments that a host program may have set up: a locale whose point is a comma, rounding, flushing, traps. */
#ifndef TESTS_HOST_ENV_H
#define TESTS_HOST_ENV_H

#include <stdbool.h>
#include <stdint.h>

typedef struct host_env {
    const char *name;
    bool comma;     /* locale: 1,5 and 1.000 */
    uint32_t mxcsr; /* 0: the default */
    uint16_t x87;
} host_env;

extern const host_env host_envs[]; /* the first is the default; ends with a NULL name */

/* Puts this process, this thread, into it; false when the locale cannot be made. */
bool host_env_set(const host_env *e);
/* Is this thread's floating-point control still the one that was set? */
bool host_env_is(const host_env *e);

#endif
