/* export_traced.h - compiled functions as graphs for an export that is told a size. */
#ifndef RT_EXPORT_TRACED_H
#define RT_EXPORT_TRACED_H

#include "runtime/compile/trace.h"
#include "runtime/export/export.h"

#include <braze/export.h>

/* A function that is told a size. */
typedef struct ex_traced_size {
    ex_size size; /* its user is this */
    const bz_export_function *f;
    const bz_export_size *q;
    const rt_traced *base; /* at the largest size */
    rt_traced last;
} ex_traced_size;

/* Whether the axes are there: BZ_EARG in the context. */
bz_status ex_check_axes(const bz_export_function *f, const bz_export_size *q);
/* The function traced with inputs whose axes have size n. Errors: those of rt_trace. */
bz_status ex_trace_at(const bz_export_function *f, const bz_export_size *q, int64_t n,
                      rt_traced *out);
void ex_traced_size_make(ex_traced_size *z, const bz_export_function *f, const bz_export_size *q,
                         const rt_traced *base);
void ex_traced_size_free(ex_traced_size *z); /* all zeros is fine */

#endif
