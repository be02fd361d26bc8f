/* abi.c - what the runtime asks of a kernel: its phases, how many tasks they have, how much scratch
 * a thread needs.
 *
 *     scratch of a thread:  [ caller's LOCALs, each at a multiple of 64 | its callee's | ... ]
 *
 * Functions called one after the other use the same bytes. */
#include "src/ir/loops/facts.h"
#include "src/ir/value.h"

int64_t lp_scratch_bytes(const lp_kernel *k, const lp_module *m) {
    int64_t own = 0, called = 0;
    for (lp_val v = 1; v < k->inst.n; v++) {
        const lp_inst *i = &k->inst.p[v];
        if (i->op == LP_LOCAL && (i->flags & 15) == LP_SCRATCH)
            own = bz_plus(
                own,
                bz_round_up(bz_times(i->imm, (int64_t)ir_dtype_bytes((bz_dtype)i->dtype)), 64));
        if (i->op == LP_CALL && m) {
            int64_t bytes = lp_scratch_bytes(m->k.p[i->imm], m);
            called = bytes > called ? bytes : called;
        }
    }
    return bz_plus(own, called);
}

static bool is_phase(const lp_inst *i) {
    return i->op == LP_LOOP && (i->flags & 15) == LP_PARALLEL;
}

unsigned lp_phase_count(const lp_kernel *k) {
    unsigned n = 0;
    for (lp_val v = 1; v < k->inst.n; v++) n += is_phase(&k->inst.p[v]);
    return n;
}

static lp_val find_phase(const lp_kernel *k, unsigned phase) {
    for (lp_val v = 1; v < k->inst.n; v++)
        if (is_phase(&k->inst.p[v]) && phase-- == 0) return v;
    bz_bug("kernel %s has no phase %u", k->name, phase);
}

/* The value of a scalar that stands at the top level; values[] has those before it. */
static ir_bits evaluate(const lp_kernel *k, const lp_inst *i, const ir_bits *values,
                        const int64_t *extents, const ir_bits *scalars) {
    if (i->op == LP_CONST) return (ir_bits)i->imm;
    if (i->op == LP_EXTENT) return (ir_bits)extents[i->imm];
    if (i->op == LP_SCALAR)
        return scalars ? scalars[i->imm] : 0; /* NULL: no bound depends on one */
    ir_bits x[3] = {0, 0, 0};
    const uint32_t *args = lp_args(k, i);
    for (unsigned j = 0; j < i->nargs; j++) x[j] = values[args[j]];
    bz_dtype operand = (bz_dtype)k->inst.p[args[i->op == IR_SELECT]].dtype;
    return ir_base_eval_bits((ir_op)i->op, operand, (bz_dtype)i->dtype, x);
}

int64_t lp_phase_tasks(const lp_kernel *k, unsigned phase, const int64_t *extents,
                       const ir_bits *scalars) {
    lp_val opener = find_phase(k, phase), hi = lp_args(k, &k->inst.p[opener])[1];
    const lp_inst *bound = &k->inst.p[hi];
    int64_t tasks = 0;
    if (bound->op == LP_CONST || bound->op == LP_EXTENT) {
        tasks = (int64_t)evaluate(k, bound, NULL, extents, scalars);
    } else {
        ir_bits *values = bz_mem_alloc((hi + 1) * sizeof *values);
        if (!values) return -1;
        unsigned depth = 0;
        for (lp_val v = 1; v <= hi; v++) {
            const lp_inst *i = &k->inst.p[v];
            depth -= i->op == LP_END;
            bool scalar = i->lanes == 1 && (ir_op_is_base(i->op) || i->op == LP_CONST ||
                                            i->op == LP_EXTENT || i->op == LP_SCALAR);
            values[v] = depth == 0 && scalar ? evaluate(k, i, values, extents, scalars) : 0;
            depth += lp_opens_region(i->op);
        }
        tasks = (int64_t)values[hi];
        bz_mem_free(values);
    }
    return tasks > 0 ? tasks : 0;
}
