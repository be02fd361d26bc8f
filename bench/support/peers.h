/* peers.h - other systems on the same problem, timed in the same rounds by bench/peers.py, which
 * $BRAZE_PEERS (a Python) runs. */
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <stdbool.h>
#include <stddef.h>

typedef struct peers peers;

/* NULL when $BRAZE_PEERS is not set or the script does not start. */
peers *peers_start(const char *name, int threads, bool tiny, bool gpu);
/* "numpy 2.1, torch 2.5"; "" when none is installed. Lives as long as p. */
const char *peers_versions(const peers *p);
/* Asks for a sample of each; then next gives one after the other, in ms, false at the end. */
void peers_ask(peers *p);
bool peers_next(peers *p, char *name, size_t room, double *median, double *best);
void peers_stop(peers *p); /* NULL is fine */

#endif
