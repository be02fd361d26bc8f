/* mlp.c - see mlp.h. */
#include "tests/support/mlp.h"

#include <stdio.h>

static ir_ref input(ir_graph *g, const char *name, bz_dtype t, int64_t a, int64_t b,
                    unsigned rank) {
    ir_dim d[2] = {ir_dim_const(g, a), ir_dim_const(g, b)};
    return ir_input_new(g, name, t, d, rank);
}

static ir_ref layer(ir_graph *g, ir_ref x, ir_ref w, ir_ref b) {
    return ir_build2(g, IR_ADD, ir_matmul(g, x, w), b);
}

static void update(ir_graph *g, ir_ref p, ir_ref grad, ir_ref t, ir_ref lr, unsigned k) {
    char name[16];
    int64_t shape[IR_MAX_RANK] = {1, 1};
    ir_static_shape(g, p, shape);
    snprintf(name, sizeof name, "m%u", k);
    ir_ref m = input(g, name, BZ_F32, shape[0], shape[1], ir_at(g, p)->rank);
    int dm = (int)g->inputs.n - 1;
    snprintf(name, sizeof name, "v%u", k);
    ir_ref v = input(g, name, BZ_F32, shape[0], shape[1], ir_at(g, p)->rank);
    ir_ref next = ir_adam(g, p, grad, &m, &v, t, lr, 0.9, 0.999, 1e-8, 0, false, 0);
    ir_output_add(g, NULL, next, (int)ir_attrs(g, ir_at(g, p))[0]);
    ir_output_add(g, NULL, m, dm);
    ir_output_add(g, NULL, v, dm + 1);
}

ir_module *mlp_step(int64_t batch, int64_t in, int64_t hidden, int64_t classes) {
    ir_module *m = ir_module_new();
    ir_graph *g = ir_graph_new(m, "main");
    ir_ref wrt[6], grad[6];
    ir_module_add(m, g);
    ir_ref x = input(g, "x", BZ_F32, batch, in, 2), y = input(g, "y", BZ_I64, batch, 1, 1);
    for (unsigned i = 0; i < 3; i++) {
        char name[16];
        int64_t to = i == 2 ? classes : hidden;
        snprintf(name, sizeof name, "w%u", i + 1);
        wrt[2 * i] = input(g, name, BZ_F32, i == 0 ? in : hidden, to, 2);
        snprintf(name, sizeof name, "b%u", i + 1);
        wrt[2 * i + 1] = input(g, name, BZ_F32, to, 1, 1);
    }
    ir_ref t = input(g, "t", BZ_F32, 1, 1, 0), lr = ir_scalar_input(g, "lr", BZ_F32);
    int donated_t = (int)g->inputs.n - 2;
    ir_ref h = x;
    for (unsigned i = 0; i < 3; i++) {
        h = layer(g, h, wrt[2 * i], wrt[2 * i + 1]);
        h = i < 2 ? ir_build1(g, IR_RELU, h) : h;
    }
    ir_ref loss = ir_cross_entropy(g, h, y, 0, INT64_MIN, 1, 0);
    ir_output_add(g, "loss", loss, -1);
    pass_grad(g, loss, 0, wrt, 6, grad);
    ir_ref now = ir_build2(g, IR_ADD, t, ir_const_f(g, BZ_F32, 1));
    for (unsigned i = 0; i < 6; i++) update(g, wrt[i], grad[i], now, lr, i);
    ir_output_add(g, "t", now, donated_t);
    if (!g->err.status) return m;
    fprintf(stderr, "mlp_step: %s\n", g->err.text);
    ir_module_free(m);
    return NULL;
}
