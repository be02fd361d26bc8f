/* facts.h - what builder, printer, parser, verifier and interpreter all know of an instruction.
 * Private to this room. */
#ifndef BRAZE_LOOP_FACTS_H
#define BRAZE_LOOP_FACTS_H

#include "src/ir/loops/loop.h"

enum { LP_MAX_LANES = 128 };

/* How the operands of an op stand in the text, one letter each (docs/loops.md):
 *     a operand                      p pointer and index, p[i]      n any number of operands
 *     m, M mask, optional or not     i number in brackets           o base op in brackets
 *     l list of numbers in brackets  b, e, s buffer, extent, scalar by name
 * Ops whose form is "" and that take operands have their own code. */
typedef struct lp_fact {
    const char *name;
    char result; /* 'V' value, 'P' pointer, 'N' none */
    bool pure;   /* equal operands give equal results, at any time */
    const char *form;
} lp_fact;

/* The facts of any op number below LP_NOPS; base ops have the form "a" per operand. */
lp_fact lp_fact_of(unsigned op);
/* Operands that the form asks for, without an optional mask; -1: any number. */
int lp_form_args(const char *form);
/* Words after the operands of i that belong to it (SHUFFLE, MMA). */
unsigned lp_extra_count(const lp_inst *i);
bool lp_opens_region(unsigned op);
extern const char *const lp_loop_names[LP_LANE + 1];
extern const char *const lp_scope_names[LP_SHARED + 1];
extern const char *const lp_access_names[LP_WORK + 1];

/* What is wrong with a base op on these operands, or NULL. */
const char *lp_base_problem(unsigned op, const lp_inst *const *x, unsigned n, bz_dtype result,
                            unsigned lanes);

/* Appends an instruction as it is. 0 and k->failed when out of memory. */
lp_val lp_push(lp_kernel *k, lp_inst i, const lp_val *args, unsigned n, const uint32_t *extra);
/* Declares a parameter; false and k->failed when out of memory. */
bool lp_push_buffer(lp_kernel *k, const char *name, bz_dtype t, lp_access access);
bool lp_push_extent(lp_kernel *k, const char *name);
bool lp_push_scalar(lp_kernel *k, const char *name, bz_dtype t);

/* One instruction as the printer writes it, without indentation and newline. */
void lp_print_inst(bz_text *t, const lp_kernel *k, const lp_module *m, lp_val v);

#endif
