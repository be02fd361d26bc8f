/* facts.h - the oracles against values that real devices gave. */
#ifndef FACTS_H
#define FACTS_H

#include "conf.h"

/* How many facts the oracles of `list` (all groups) contradict or lack; the last one in `why`. */
size_t facts_check(const conf_list *list, char *why, size_t cap);

#endif
