/* exec_local.c - local memory: the stack of each lane, frame upon frame, with a bit a byte that says
 * whether it was written since its function was entered. */
#include "exec.h"

#include "run.h"

#include <string.h>

static uint8_t *map_at(const warp *w, unsigned lane) {
    return w->written + (size_t)lane * (w->b->ln->stack_bytes / 8);
}

void local_mark(warp *w, uint32_t mask, uint64_t at, uint64_t n, bool written) {
    EACH_LANE(l, mask) {
        uint8_t *map = map_at(w, l);
        for (uint64_t k = at; k < at + n; k++)
            if (k % 8 == 0 && at + n - k >= 8) {
                map[k / 8] = written ? 0xff : 0;
                k += 7;
            } else
                map[k / 8] = (uint8_t)((map[k / 8] & ~(1u << k % 8)) | (unsigned)written << k % 8);
    }
}

/* None of the bytes that count was ever written. Structures have gaps, so one is enough. */
static bool is_fresh(const warp *w, unsigned lane, uint64_t at, uint64_t live) {
    const uint8_t *map = map_at(w, lane);
    for (unsigned k = 0; live >> k; k++)
        if (live >> k & 1 && map[(at + k) / 8] >> (at + k) % 8 & 1) return false;
    return true;
}

/* What lies above the frames of the running function and its callers is nobody's. */
static bool reaches(warp *w, const ins *i, unsigned lane, uint64_t at, unsigned bytes,
                    unsigned span) {
    const split *s = w->cur;
    const function *fn = s->frame ? s->frame->fn : w->b->ln->fn;
    uint64_t limit = (uint64_t)s->local + fn->frame_local;
    if (at >= limit || limit - at < span)
        mem_fault(w, i, lane, PTX_REPORT_OUT_OF_BOUNDS, WIN_LOCAL + at,
                  "access outside of local memory");
    else if (at & (bytes - 1))
        mem_fault(w, i, lane, PTX_REPORT_MISALIGNED, WIN_LOCAL + at,
                  "address is not a multiple of the access size");
    else
        return true;
    return false;
}

bool mem_local(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, unsigned bytes, bool store,
               uint8_t **host) {
    uint64_t live = mem_live_bytes(i, bytes);
    unsigned span = 64 - (unsigned)__builtin_clzll(live);
    w->wk->count.local_requests++;
    w->wk->count.local_bytes += (uint64_t)__builtin_popcount(mask) * bytes;
    for (unsigned l = 0; l < LANES; l++) /* as numbers: lanes that sit out hold anything */
        host[l] = (uint8_t *)((uintptr_t)w->stack + (size_t)l * w->b->ln->stack_bytes + ad[l]);
    EACH_LANE(l, mask) {
        if (!reaches(w, i, l, ad[l], bytes, span)) return false;
        if (store)
            local_mark(w, 1u << l, ad[l], bytes, true);
        else if (w->b->ln->checks & PTX_CHECK_UNINIT && is_fresh(w, l, ad[l], live))
            find_note(w, i, l, PTX_REPORT_UNINIT, WIN_LOCAL + ad[l],
                      "read of local memory that nothing has written");
    }
    return true;
}
