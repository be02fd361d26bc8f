/* cache_dir.h - a directory for kept code that is a test's own, and processes beside it. */
#ifndef TESTS_CACHE_DIR_H
#define TESTS_CACHE_DIR_H

#include "runtime/exec/store.h"

extern char cache_dir[64];
/* Makes it and sets BRAZE_CACHE_DIR, before anything reads the environment; removes it with all that is there. */
void cache_dir_use(void);
void cache_dir_remove(void);
/* Opened; its files; how many names there are. */
int cache_dir_open(void);
rt_store_files cache_dir_list(void);
uint32_t cache_dir_count(void);
/* Another process: f's result is its status; a signal: 128 and more. */
int in_child(int (*f)(void *), void *arg);

#endif
