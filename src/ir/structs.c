/* structs.c - the table of structural ops, made from structs.def. */
#include "src/ir/structs.h"

#define F(kind, name)                                                                              \
    { IR_F_##kind, name }
#define NO_FIELDS                                                                                  \
    { IR_F_END, NULL }
#define RESULTS_ONE(name)  NULL
#define RESULTS_MANY(name) ir_##name##_results

/* clang-format off */
const ir_struct ir_structs[IR_NOPS] = {
#define IR_STRUCT(E, name, arity, many, flags, reads, gradient, doc, ...) \
    [IR_##E] = {{__VA_ARGS__}, ck_##name, it_##name, RESULTS_##many(name)},
#include "src/ir/structs.def"
};
