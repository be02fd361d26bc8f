/* grad_complex.c - the gradient of a complex number is that by its real part, and i times that by its imaginary part: PyTorch's. */
#include "src/ir/complex.h"
#include "src/passes/grad.h"

ir_ref grad_complex(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    (void)r;
    return k ? ir_imag(g, *d) : ir_real(g, *d);
}

ir_ref grad_real(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    (void)r, (void)k;
    return ir_complex(g, *d, ir_const_like(g, *d, 0));
}

ir_ref grad_imag(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    (void)r, (void)k;
    return ir_complex(g, ir_const_like(g, *d, 0), *d);
}
