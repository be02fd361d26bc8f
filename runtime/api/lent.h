/* lent.h - memory that others read: exports by DLPack */
#ifndef RT_LENT_H
#define RT_LENT_H

#include "runtime/base/context.h"

/* Takes back what was returned; at the end of the context leaves the rest to their deleters. */
void rt_lent_sweep(bz_context *c);
void rt_lent_close(bz_context *c);

#endif
