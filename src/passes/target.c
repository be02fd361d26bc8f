/* target.c - the sizes of machines: what schedules ask of them beside their vectors. A kernel hangs on these and on nothing else of the
 * machine, so that one compiled elsewhere is the same. */
#include "src/passes/pass.h"

/* Processors of today, whichever they are. */
const pass_sizes pass_cpu = {
    .line = 64,
    .first = 32 << 10,
    .second = 1 << 20,
    .last = 24 << 20,
    .ahead = 16 << 10,
    .streams = 8,
    .stride = 4,
    .task = 8192,
    .tasks = 16,
    .alone = 1 << 20,
    .wake_ns = 2500,
    .busy = 12,
    .turn = 64,
};
