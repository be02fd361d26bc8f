/* memory.c - copies between the memories of devices and the host's, and looks into them. */
#include "runtime/memory/layout.h"
#include "runtime/memory/memory.h"

#include <string.h>

/* ---- runs */

/* One axis more around the runs. */
static void wrap(rt_runs *b, int64_t n, int64_t to, int64_t from) {
    int64_t run = (int64_t)b->bytes;
    unsigned k = b->rank;
    if (k == 0 && to == run && from == run) {
        b->bytes *= (size_t)n;
    } else if (k && to == b->shape[k - 1] * b->to[k - 1] &&
               from == b->shape[k - 1] * b->from[k - 1]) {
        b->shape[k - 1] *= n;
    } else {
        b->shape[k] = n;
        b->to[k] = to;
        b->from[k] = from;
        b->rank++;
    }
}

static void swap(int64_t *a, unsigned n) {
    for (unsigned i = 0; i < n / 2; i++) {
        int64_t first = a[i];
        a[i] = a[n - 1 - i];
        a[n - 1 - i] = first;
    }
}

void rt_runs_of(rt_runs *b, const rt_layout *l, size_t element, rt_sides sides) {
    rt_runs_one(b, l->count ? element : 0);
    if (l->contiguous || l->count == 0) {
        b->bytes *= (size_t)l->count;
        return;
    }
    int64_t packed = (int64_t)element;
    for (unsigned i = l->rank; i-- > 0;) { /* from the innermost */
        int64_t by = l->strides[i] * (int64_t)element;
        if (l->shape[i] > 1)
            wrap(b, l->shape[i], sides == RT_PACKED_TO ? packed : by,
                 sides == RT_PACKED_FROM ? packed : by);
        packed *= l->shape[i];
    }
    swap(b->shape, b->rank);
    swap(b->to, b->rank);
    swap(b->from, b->rank);
}

/* ---- copies */

/* Devices that have no way to each other. */
static bz_status through_host(rt_spot to, rt_spot from, size_t bytes, bz_error *e) {
    rt_runs run;
    rt_bytes copy;
    bz_status s = rt_look(from, bytes, &copy, e);
    if (s) return s;
    rt_runs_one(&run, bytes);
    s = to.memory->f->copy_in(to.memory, to.at, copy.p, &run, e);
    rt_look_away(&copy);
    return s;
}

bz_status rt_move(rt_spot to, rt_spot from, const rt_runs *r, bz_error *e) {
    rt_memory *m = to.memory, *other = from.memory;
    if (r->bytes == 0) return BZ_OK;
    if (m == other) return m->f->copy(m, to.at, from.at, r, e);
    if (other == &rt_host) return m->f->copy_in(m, to.at, rt_pointer(from.at), r, e);
    if (m == &rt_host) return other->f->copy_out(other, rt_pointer(to.at), from.at, r, e);
    if (m->f == other->f && m->f->copy_peer)
        return m->f->copy_peer(m, to.at, other, from.at, r->bytes, e);
    return through_host(to, from, r->bytes, e);
}

bz_status rt_move_run(rt_spot to, rt_spot from, size_t bytes, bz_error *e) {
    rt_runs run;
    rt_runs_one(&run, bytes);
    return rt_move(to, from, &run, e);
}

bz_status rt_pack(rt_spot to, rt_spot from, const rt_layout *l, size_t element, bz_error *e) {
    rt_runs r;
    if (l->contiguous) return rt_move_bytes(to, from, (size_t)l->count * element, e);
    rt_runs_of(&r, l, element, RT_PACKED_TO);
    return rt_move(to, from, &r, e);
}

/* ---- looks */

bz_status rt_look(rt_spot at, size_t bytes, rt_bytes *out, bz_error *e) {
    *out = (rt_bytes){.p = rt_pointer(at.at)};
    if (at.memory == &rt_host) return BZ_OK;
    *out = (rt_bytes){.own = bz_mem_alloc(bytes + 1)};
    if (!out->own) return bz_fail(e, BZ_ENOMEM, "out of memory");
    out->p = out->own;
    bz_status s = rt_move_bytes(rt_host_spot(out->own), at, bytes, e);
    if (s) rt_look_away(out);
    return s;
}

bz_status rt_load_far(rt_spot at, bz_dtype t, ir_bits *bits, bz_error *e) {
    char copy[sizeof(ir_bits)];
    bz_status s = rt_move_bytes(rt_host_spot(copy), at, ir_dtype_bytes(t), e);
    if (!s) *bits = ir_load_bits(t, copy);
    return s;
}

bz_status rt_store(rt_spot at, bz_dtype t, ir_bits bits, bz_error *e) {
    char copy[sizeof(ir_bits)];
    ir_store_bits(t, copy, bits);
    return rt_move_bytes(at, rt_host_spot(copy), ir_dtype_bytes(t), e);
}
