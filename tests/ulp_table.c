/* ulp_table.c - prints the table of measured errors of docs/ulp.md. No test:
 * build/tests/ulp_table [stride of f32 patterns] [draws]. */
#include "tests/support/ulp.h"

#include <stdio.h>
#include <stdlib.h>

static double worse(double a, double b) {
    return a > b ? a : b;
}

/* Steps that every element takes: neither operands and constants nor what stands in rare
 * regions. */
static unsigned steps(const ulp_fn *f, bz_dtype t) {
    const ir_vprog *p = ir_value(f->op, t, t);
    unsigned count = 0;
    for (unsigned i = 0; i < p->n; i++) {
        const ir_vinst *v = &p->inst[i];
        if (v->op == IR_V_RARE)
            i = (unsigned)v->imm;
        else
            count += v->op != IR_V_ARG && v->op != IR_V_CONST && v->op != IR_BITCAST;
    }
    return count;
}

static double measure(const ulp_fn *f, bz_dtype t, uint32_t stride, unsigned draws) {
    double error = worse(ulp_special(f, t).error, ulp_random(f, t, 3, draws).error);
    return t == BZ_F32 && f->one ? worse(error, ulp_scan_f32(f, 0, stride).error) : error;
}

int main(int argc, char **argv) {
    uint32_t stride = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 0) : 9973;
    unsigned draws = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 0) : 100000;
    printf("| function | f32, worst ulp | f32 steps | f64, worst ulp | f64 steps "
           "|\n|---|---|---|---|---|\n");
    for (unsigned i = 0; i < ulp_fn_count; i++) {
        const ulp_fn *f = &ulp_fns[i];
        printf("| %s | %.2f | %u | %.2f | %u |\n", ir_ops[f->op].name,
               measure(f, BZ_F32, stride, draws), steps(f, BZ_F32),
               measure(f, BZ_F64, stride, draws), steps(f, BZ_F64));
        fflush(stdout);
    }
    return 0;
}
