/* table.c - where the pointers of an image lead: to memory of the host, or of a device. */
#include "runtime/aot/image.h"

/* The pointer of what is empty may be anything: nothing is added to NULL. */
static void *behind(void *p, uint64_t bytes) {
    return p ? (char *)p + bytes : p;
}

BZ_RT_WEAK void *bz_rt_resolve(const bz_rt_image *v, const bz_rt_place *p, const char *args,
                               const bz_rt_workspace *w) {
    switch (p->where) {
    case BZ_RT_ARG: return behind(*(void *const *)(const void *)(args + p->field), p->at);
    case BZ_RT_VALUE: return (void *)(uintptr_t)(args + p->field);
    case BZ_RT_ARENA: return w->arena + p->at;
    case BZ_RT_BAKED: return behind((void *)(uintptr_t)v->baked[p->field], p->at);
    default: return behind((void *)(uintptr_t)v->consts, p->at);
    }
}

BZ_RT_WEAK void bz_rt_fill_table(const bz_rt_image *v, const void *args, const bz_rt_workspace *w,
                                 uint32_t most) {
    for (uint32_t i = 0; i < v->nplaces; i++)
        if (v->places[i].where <= most) w->table[i] = bz_rt_resolve(v, &v->places[i], args, w);
}
