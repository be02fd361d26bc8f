/* borrow.c - modules of kernels that are another one's: copies with instructions of their own, since calls name kernels by number. */
#include "src/ir/loops/loop.h"

#include <string.h>

bool lp_borrow(lp_module *m, const lp_kernel *k, const uint32_t *place) {
    lp_kernel *copy = bz_mem_alloc(sizeof *copy);
    lp_inst *inst = bz_mem_alloc(k->inst.n * sizeof *inst);
    if (!copy || !inst || !bz_vec_reserve(&m->k, 1)) {
        bz_mem_free(copy);
        bz_mem_free(inst);
        return false;
    }
    memcpy(inst, k->inst.p, k->inst.n * sizeof *inst);
    for (lp_val v = 1; v < k->inst.n; v++)
        if (inst[v].op == LP_CALL) inst[v].imm = place[inst[v].imm];
    *copy = *k;
    copy->inst.p = inst;
    m->k.p[m->k.n++] = copy;
    return true;
}

void lp_give_back(lp_module *m) {
    for (uint32_t i = 0; i < m->k.n; i++) {
        bz_mem_free(m->k.p[i]->inst.p);
        bz_mem_free(m->k.p[i]);
    }
    bz_vec_free(&m->k);
}
