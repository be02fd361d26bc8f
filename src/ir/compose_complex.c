/* compose_complex.c - complex numbers by their parts: conjugates, angles, polar form, the last axis of two that shows them as real numbers. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

ir_ref ir_conj(ir_graph *g, ir_ref x) {
    const ir_pair p = ir_parts_of(g, x);
    return p.im ? ir_complex(g, p.re, ir_build1(g, IR_NEG, p.im)) : p.re;
}

/* Of real numbers 0, or pi below 0; NaN of NaN. */
ir_ref ir_angle(ir_graph *g, ir_ref x) {
    if (!x) return 0;
    const ir_pair p = ir_parts_of(g, x);
    if (p.im) return ir_build2(g, IR_ATAN2, p.im, p.re);
    const bz_dtype t = ir_dtype(g, x);
    const ir_ref y = ir_math_in(g, x), zero = ir_const_like(g, y, 0), pi = ir_num(g, y, 3.14159265358979323846);
    const ir_ref a = ir_build3(g, IR_SELECT, ir_build2(g, IR_LT, y, zero), pi, zero);
    return ir_math_out(g, ir_build3(g, IR_SELECT, ir_build1(g, IR_ISNAN, y), y, a), t);
}

ir_ref ir_polar(ir_graph *g, ir_ref abs, ir_ref angle) {
    const ir_ref re = ir_times(g, abs, ir_build1(g, IR_COS, angle));
    return ir_complex(g, re, ir_times(g, abs, ir_build1(g, IR_SIN, angle)));
}

/* x / |x|; 0 at 0, where its gradient is 0, too. */
ir_ref ir_complex_sgn(ir_graph *g, ir_ref x) {
    const ir_ref size = ir_build1(g, IR_ABS, x), one = ir_num(g, x, 1);
    const ir_ref none = ir_build2(g, IR_EQ, size, ir_num(g, x, 0));
    return ir_over(g, x, ir_build3(g, IR_SELECT, none, one, size));
}

ir_ref ir_view_as_real(ir_graph *g, ir_ref x) {
    const ir_pair p = ir_parts_of(g, x);
    if (!x || p.im) return ir_stack(g, (ir_ref[]){p.re, p.im}, 2, -1);
    return ir_error_as(g, BZ_EDTYPE, "view_as_real", "%s is real already", ir_shape_text(g, x));
}

ir_ref ir_view_as_complex(ir_graph *g, ir_ref x) {
    int64_t n = 0;
    if (!x) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    if (ir_dtype(g, x) != BZ_F32 && ir_dtype(g, x) != BZ_F64)
        return ir_error_as(g, BZ_EDTYPE, "view_as_complex", "f32 or f64 are needed, not %s", ir_shape_text(g, x));
    if (!rank || !ir_dim_value(g, ir_dims(g, ir_at(g, x))[rank - 1], &n) || n != 2)
        return ir_error_as(g, BZ_ESHAPE, "view_as_complex", "the last axis must have 2 elements: %s", ir_shape_text(g, x));
    const ir_ref re = ir_select(g, x, -1, 0);
    return ir_complex(g, re, ir_select(g, x, -1, 1));
}
