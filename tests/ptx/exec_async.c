/* exec_async.c - cp.async: copied as late as allowed, when its group is waited for. */
#include "exec.h"

#include "run.h"

#include <string.h>

void x_cp_async(warp *w, const ins *i, uint32_t mask) {
    const uint64_t *from = reg_at(w, i->a), *to = reg_at(w, i->b);
    const uint32_t *size = reg_at(w, i->e), *ignore = reg_at(w, i->c);
    uint8_t *host[LANES];
    if (!mem_shared_ok(w, i, mask, w->b, to, i->bytes)) return;
    EACH_LANE(l, mask) {
        bool skip = i->n && (ignore[l] != 0) != ((i->flags & INS_NOT_C) != 0);
        unsigned bytes = skip ? 0 : size[l] < i->bytes ? size[l] : i->bytes;
        if (!skip && size[l] > i->bytes)
            find_note(w, i, l, PTX_REPORT_ASYNC, from[l],
                      "cp.async is to read %u bytes for a copy of %u", size[l], (unsigned)i->bytes);
        if (bytes && (from[l] & (i->bytes - 1u))) {
            mem_fault(w, i, l, PTX_REPORT_MISALIGNED, from[l],
                      "source is not a multiple of the copy size");
            return;
        }
        uint64_t ad[LANES];
        ad[l] = from[l];
        for (unsigned k = 0; k < bytes; k += bytes == i->bytes ? bytes : 1) {
            ad[l] = from[l] + k;
            if (!mem_global(w, i, 1u << l, ad, bytes == i->bytes ? bytes : 1, ACC_READ, host))
                return;
        }
        race_async_issue(w, i, l, w->b, (uint32_t)to[l], i->bytes);
        const ptx_extent *e = bytes ? mem_extent(w, i, from[l]) : NULL;
        async_copy *c = VEC_PUSH(w->async);
        *c = (async_copy){e ? e->host + (from[l] - e->base) : NULL,
                          (uint32_t)to[l],
                          i->bytes,
                          (uint8_t)bytes,
                          (uint8_t)l,
                          w->async_groups[l],
                          i,
                          from[l],
                          {0}};
        if (bytes) memcpy(c->was, c->from, bytes);
    }
}

void x_cp_commit(warp *w, const ins *i, uint32_t mask) {
    (void)i;
    EACH_LANE(l, mask)
    w->async_groups[l]++;
}

/* Completes the copies of `lanes` whose group is older than the last `keep` committed ones. */
void mem_copy_groups(warp *w, uint32_t lanes, unsigned keep) {
    size_t kept = 0;
    for (size_t k = 0; k < w->async.n; k++) {
        async_copy c = w->async.at[k];
        bool all = keep == UINT32_MAX;
        bool due =
            lanes >> c.lane & 1 && (all || (uint64_t)c.group + keep < w->async_groups[c.lane]);
        if (!due) {
            w->async.at[kept++] = c;
            continue;
        }
        uint8_t *to = w->b->shared + c.to;
        if (c.copied && memcmp(c.was, c.from, c.copied) != 0)
            find_note(w, c.by, c.lane, PTX_REPORT_ASYNC, c.address, COPY_OVERWRITTEN);
        if (c.copied) memcpy(to, c.from, c.copied);
        memset(to + c.copied, 0, (size_t)c.bytes - c.copied);
        race_async_done(w, c.lane, w->b, c.to, c.bytes, false);
    }
    w->async.n = kept;
}

void x_cp_wait(warp *w, const ins *i, uint32_t mask) {
    mem_copy_groups(w, mask, i->imm < 0 ? UINT32_MAX : (unsigned)i->imm);
}

/* The copies so far are done before it arrives: as late as allowed would be when somebody looks. */
void x_cp_mbarrier(warp *w, const ins *i, uint32_t mask) {
    const uint64_t *a = reg_at(w, i->a);
    mem_copy_groups(w, mask, UINT32_MAX);
    EACH_LANE(l, mask)
    mbarrier_arrive(w, i, l, a[l] & (WIN_SIZE - 1), i->n);
}
