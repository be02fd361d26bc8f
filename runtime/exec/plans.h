/* plans.h - programs of recordings, kept for the next time (plancache.c) */
#ifndef RT_PLANS_H
#define RT_PLANS_H

#include "runtime/exec/device.h"

typedef struct rt_plan {
    uint64_t hash, used, ops, sizes;
    bool any_size; /* compiled for other sizes, too */
    void *form;
    size_t bytes;
    rt_program *program;
    struct rt_plan *next;
} rt_plan;
enum { RT_PLAN_SLOTS = 256, RT_PLANS_MAX = 512 };
typedef struct rt_plans {
    rt_plan *slots[RT_PLAN_SLOTS];
    uint32_t n;
    size_t held; /* by their programs */
    uint64_t tick;
    BZ_VEC(uint8_t) form; /* of the graph at hand */
} rt_plans;
/* The program for g, good until the next one is asked for; NULL and the error in the context. */
rt_program *rt_plan_get(bz_context *c, const ir_graph *g, bool eager);
/* Forgets the plan with memory that was not used for the longest time, but the one that was asked for last; false: there is none. */
bool rt_plans_give_way(bz_context *c);
void rt_plans_free(bz_context *c); /* all; others may come */
/* Of one list of programs kept for the next time: may it have n that hold so many bytes? */
bool rt_plans_room(const bz_context *c, uint32_t n, size_t held);

#endif
