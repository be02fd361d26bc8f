/* targets.h - the targets that plans are tested for. */
#ifndef BRAZE_TEST_TARGETS_H
#define BRAZE_TEST_TARGETS_H

#include "src/codegen/codegen.h"
#include "src/passes/pass.h"

typedef struct plan_target {
    const char *name;
    pass_target t;
    cg_isa isa; /* what its plans are compiled for */
} plan_target;
extern const plan_target targets[];
extern const unsigned target_count;

/* The newest ISA that this machine and $BRAZE_ISA allow. */
cg_isa target_host(void);

#endif
