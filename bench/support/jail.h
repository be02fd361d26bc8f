/* jail.h - proof by the system that a piece of work starts no process and makes no file. */
#ifndef BENCH_JAIL_H
#define BENCH_JAIL_H

#include <stdbool.h>

/* From now on this process dies (SIGSYS) when it starts a process or a program, or makes a file or directory. Threads are allowed.
 * False where the system does not grant that. */
bool jail_enter(void);

#endif
