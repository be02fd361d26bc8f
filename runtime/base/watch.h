/* watch.h - limits and interrupts: what ends work early */
#ifndef RT_WATCH_H
#define RT_WATCH_H

#include "runtime/base/context.h"

typedef struct rt_watch {
    bz_watch base;
    bz_context *c;
    uint64_t until; /* when the compilation must be over; 0: never */
} rt_watch;
rt_watch rt_watch_new(bz_context *c); /* for one compilation */
_Atomic(bool) *rt_interrupt_word(const bz_context *c);
/* BZ_OK: there is none. `doing`: "compiled", "ran" */
bz_status rt_take_interrupt(bz_context *c, const char *doing, bz_error *e);
void rt_forget_interrupt(bz_context *c);
/* May the context use so many more beside *in_use, for `what`? false: BZ_ELIMIT in e. */
bool rt_within_bytes(bz_context *c, const size_t *in_use, uint64_t bytes, const char *what,
                     bz_error *e);

#endif
