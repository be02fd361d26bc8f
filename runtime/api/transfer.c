/* transfer.c - pinned memory, and copies that nobody waits for: tickets for what a device has begun.
 *
 *     ticket --list of those under way--> rt_transfer of the memory (runtime/memory/memory.h)      not in the list: it is over */
#include "runtime/api/host.h"

#include <string.h>

/* ---- pinned memory */

static bool is_pinned(const bz_context *c, const void *p, size_t bytes) {
    for (uint32_t i = 0; i < c->transfers->pins.n; i++) {
        const rt_pin *k = &c->transfers->pins.p[i];
        const size_t before = (size_t)((uintptr_t)p - (uintptr_t)k->p);
        if ((uintptr_t)p >= (uintptr_t)k->p && before < k->bytes && bytes <= k->bytes - before)
            return true;
    }
    return false;
}

static void *pin(rt_memory *m, size_t bytes, bz_error *e) {
    return m->f->pin ? m->f->pin(m, bytes, e) : rt_pages_new(bytes);
}

static void unpin(rt_memory *m, const rt_pin *k) {
    if (m->f->pin)
        m->f->unpin(m, k->p);
    else
        rt_pages_free(k->p, k->bytes);
}

void *bz_pin(bz_context *c, size_t bytes) {
    RT_VISIT(c, NULL);
    if (bytes == 0) return rt_fail(c, BZ_EARG, NULL, "pin", "no bytes"), NULL;
    rt_does(c, "pin", NULL);
    if (!bz_vec_reserve(&c->transfers->pins, 1)) return rt_no_memory(c), NULL;
    const rt_pin k = {pin(c->memory, bytes, &c->err), bytes};
    if (!k.p) return rt_no_memory(c), NULL;
    (void)bz_vec_push(&c->transfers->pins, k);
    return k.p;
}

/* ---- tickets */

/* Transfer i is asked, or waited for. What it met. */
static bz_status finish(bz_context *c, uint32_t i, bool wait, bool *done, bz_error *e) {
    rt_transfers *all = c->transfers;
    bz_status s = c->memory->f->finish(c->memory, all->running.p[i].of, wait, done, e);
    if (!*done) return s;
    all->running.n--;
    memmove(&all->running.p[i], &all->running.p[i + 1],
            (all->running.n - i) * sizeof *all->running.p);
    return s;
}

static bz_status finish_all(bz_context *c, bz_error *e) {
    bz_status first = BZ_OK;
    bool done;
    while (c->transfers->running.n) {
        const bz_status s = finish(c, 0, true, &done, e);
        first = first ? first : s;
    }
    return first;
}

bz_status bz_unpin(bz_context *c, void *p) {
    RT_BORDER;
    RT_VISIT(c, RT_STRAY_STATUS);
    rt_transfers *all = c->transfers;
    uint32_t i = 0;
    if (!p) return BZ_OK;
    while (i < all->pins.n && all->pins.p[i].p != p) i++;
    if (i == all->pins.n)
        return rt_fail(c, BZ_EARG, NULL, "unpin", "the memory is none that bz_pin gave");
    const bz_status s = finish_all(c, &c->err);
    unpin(c->memory, &all->pins.p[i]);
    all->pins.p[i] = all->pins.p[--all->pins.n];
    return s;
}

void rt_transfers_wait(bz_context *c) {
    finish_all(c, NULL);
}

void rt_transfers_lose_pins(bz_context *c) {
    c->transfers->pins.n = 0;
}

void rt_transfers_free(bz_context *c) {
    rt_transfers *all = c->transfers;
    if (c->memory) rt_transfers_wait(c);
    for (uint32_t i = 0; i < all->pins.n; i++) unpin(c->memory, &all->pins.p[i]);
    bz_vec_free(&all->pins);
    bz_vec_free(&all->running);
}

/* The ticket for what a device has begun; NULL: it is over. There is room in the list. */
static bz_ticket ticket_for(bz_context *c, rt_transfer *of) {
    const bz_ticket t = ++c->transfers->last;
    if (of) (void)bz_vec_push(&c->transfers->running, ((rt_running){t, of}));
    return t;
}

static bool room(bz_context *c) {
    return bz_vec_reserve(&c->transfers->running, 1) || (rt_no_memory(c), false);
}

/* Its place in the list; PAST: it is over; NONE: there was none. */
#define PAST (UINT32_MAX - 1)
#define NONE UINT32_MAX
static uint32_t place_of(bz_context *c, bz_ticket t, const char *op) {
    const rt_transfers *all = c->transfers;
    if (t == 0 || t > all->last) {
        rt_fail(c, BZ_EARG, NULL, op, "the context gave no ticket %llu", (unsigned long long)t);
        return NONE;
    }
    for (uint32_t i = 0; i < all->running.n; i++)
        if (all->running.p[i].ticket == t) return i;
    return PAST;
}

bool bz_ready(bz_context *c, bz_ticket t) {
    RT_BORDER;
    RT_VISIT(c, false);
    const uint32_t i = place_of(c, t, "ready");
    if (i == NONE) return false;
    if (i == PAST) return true;
    bool done;
    bz_error e = {0};
    const bz_status s = finish(c, i, false, &done, &e);
    return done || s;
}

bz_status bz_wait(bz_context *c, bz_ticket t) {
    RT_BORDER;
    RT_VISIT(c, RT_STRAY_STATUS);
    const uint32_t i = place_of(c, t, "wait");
    bool done;
    return i == NONE ? BZ_EARG : i == PAST ? BZ_OK : finish(c, i, true, &done, &c->err);
}

/* ---- begun */

bz_ticket bz_to_host_async(bz_tensor *x, void *dst, size_t bytes) {
    RT_BORDER;
    RT_VISIT_OF(x, "to_host_async", 0);
    bz_context *c;
    bz_status s;
    const rt_tensor *t = rt_value_for(x, "to_host_async", dst, bytes, &c, &s);
    if (!t || !room(c)) return 0;
    const size_t element = ir_dtype_bytes((bz_dtype)t->st->dtype);
    const rt_spot from = rt_element(t->st->buf, (bz_dtype)t->st->dtype, t->offset);
    rt_transfer *begun = NULL;
    rt_runs runs;
    rt_runs_of(&runs, t->layout, element, RT_PACKED_TO);
    if (bytes && from.memory == c->memory && c->memory->f->start_out)
        s = c->memory->f->start_out(c->memory, dst, from.at, &runs, is_pinned(c, dst, bytes),
                                    &begun, &c->err);
    else
        s = rt_move(rt_host_spot(dst), from, &runs, &c->err);
    return s ? 0 : ticket_for(c, begun);
}

bz_tensor *bz_from_data_async_at(bz_context *c, bz_dtype t, const void *data, const int64_t *shape,
                                 int rank, bz_ticket *ticket, const char *site) {
    RT_BORDER;
    RT_VISIT(c, NULL);
    rt_transfer *begun = NULL;
    if (ticket) *ticket = 0;
    rt_buffer *b = rt_buffer_for(c, "from_data_async", t, data, shape, rank, site);
    if (!b) return rt_poison(c);
    bz_status s = room(c) ? BZ_OK : BZ_ENOMEM;
    const bool late = b->bytes && c->memory->f->start_in && is_pinned(c, data, b->bytes);
    if (!s && late && !ticket)
        s = rt_fail(c, BZ_EARG, site, "from_data_async", "pinned data, and ticket is NULL");
    if (!s)
        s = late ? c->memory->f->start_in(c->memory, b->at, data, b->bytes, &begun, &c->err)
                 : rt_move_bytes(rt_start(b), rt_host_spot(data), b->bytes, &c->err);
    if (!s) {
        const bz_ticket own = ticket_for(c, begun);
        if (ticket) *ticket = own;
        return rt_tensor_in(c, t, shape, rank, b);
    }
    rt_buffer_unref(c, b);
    return rt_poison(c);
}
