/* compose_window.h - windows that move along the last axes of a tensor: their numbers as torch.nn.functional takes them, and views. */
#ifndef BRAZE_IR_COMPOSE_WINDOW_H
#define BRAZE_IR_COMPOSE_WINDOW_H

#include "src/ir/compose.h"

/* Each false, with an error that names `name`. A number for each of n axes: `list` has one for each, or one for all; none: it is NULL or
 * empty. */
bool ir_window_numbers(ir_graph *g, const char *name, unsigned n, const char *what, const int *list,
                       unsigned count, int none, int least, int64_t *out);
/* The sizes of the last n axes of x: known ones, up to IR_CONV_MOST. */
bool ir_window_sizes(ir_graph *g, const char *name, unsigned n, ir_ref x, int64_t *out);

/* Along each of the last n axes, of `size` elements: window m of `made` is elements m * stride + k * dilation - lo, k of `kernel`. */
typedef struct ir_windows {
    unsigned n;
    int64_t size[IR_MAX_RANK], kernel[IR_MAX_RANK], stride[IR_MAX_RANK], dilation[IR_MAX_RANK],
        lo[IR_MAX_RANK], made[IR_MAX_RANK];
} ir_windows;
/* x [L..., S...] as [K..., L..., M...]; fill: what is beside x. x's sizes are known. */
ir_ref ir_windows_of(ir_graph *g, ir_ref x, const ir_windows *w, ir_bits fill);
/* The way back, v [K..., L..., M...] as [K..., L..., S...]: for element s of x and place k what window m has whose place k lies on it; fill:
 * there is none. */
ir_ref ir_windows_on(ir_graph *g, ir_ref v, const ir_windows *w, ir_bits fill);
/* v [L..., M...] as [J..., L..., S...]: what the windows m - j have, m being the last one that begins at s or before it; fill: there is
 * none. J is as many as may reach s: they do where the place in the window, s + lo - (m - j) stride, is below its length. */
ir_ref ir_windows_before(ir_graph *g, ir_ref v, const ir_windows *w, ir_bits fill);
int64_t ir_windows_reach(const ir_windows *w, unsigned i); /* J of an axis */

#endif
