/* builder.h - the builder's inside, shared by build.c and build_act.c. */
#ifndef BRAZE_LOOP_BUILDER_H
#define BRAZE_LOOP_BUILDER_H

#include "src/ir/loops/facts.h"

typedef struct seen_inst {
    lp_val v;
    uint32_t next; /* number + 1 of the next entry of the bucket */
    uint32_t hash; /* the bucket: its low bits */
} seen_inst;

typedef struct open_region {
    lp_val opener;
    lp_val first_yield; /* IF after its ELSE: the YIELD before it */
    uint32_t seen;      /* entries when it was opened */
} open_region;

struct lp_builder {
    lp_kernel *k;
    uint32_t site;
    BZ_VEC(open_region) open;
    BZ_VEC(seen_inst) seen;
    uint32_t *bucket, nbuckets; /* number + 1 of the newest entry; as many as entries, or more */
};

/* The instruction itself: an equal pure one that is visible, or a new one. */
lp_val lp_put(lp_builder *b, lp_inst i, const lp_val *args, unsigned n);
lp_val lp_put_extra(lp_builder *b, lp_inst i, const lp_val *args, unsigned n,
                    const uint32_t *extra);
/* Forgets the newest numbered instructions until `down_to` are left. */
void lp_forget(lp_builder *b, uint32_t down_to);
lp_inst lp_value_inst(unsigned op, unsigned dtype, unsigned lanes, int64_t imm);
bool lp_const_i64(const lp_builder *b, lp_val v, int64_t *out);

#endif
