/* exec_tensor.c - cp.async.bulk.tensor: a box of a tensor, by a map that the driver has made.
 *
 *   map: address, dims, strides, box        at coordinates c:
 *     for each row of the box               global: address + sum of (c + k step) stride, zeros outside
 *     pixels: for each of them              from c on, by steps to the right within the corners, then down;
 *                                           offsets are added to what is read, not to where it goes on
 *                                           shared: row after row, 16-byte chunks swizzled:
 *     span 128: bits 4-6 ^= bits 7-9   64: bits 4-5 ^= bits 7-8   32: bit 4 ^= bit 7 of the address */
#include "exec.h"

#include "run.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 16, BOX_ALIGN = 128 };

/* The map at a generic address, in parameters, constants or global memory; false after a fault. */
static bool read_map(warp *w, const ins *i, unsigned l, uint64_t address, ptx_tensor_map *map) {
    const ptx_launch_params *p = w->b->ln->p;
    const uint8_t *from = NULL;
    uint64_t at = address - WIN_PARAM;
    const ptx_extent *e = address < PTX_WINDOWS ? mem_find(w->b->ln, address) : NULL;
    if (address >= WIN_PARAM && at + sizeof *map <= p->param_bytes)
        from = (const uint8_t *)p->params + at;
    else if (e && !(e->flags & PTX_EXTENT_FREED) && address >= e->base && e->size >= sizeof *map &&
             address - e->base <= e->size - sizeof *map)
        from = e->host + (address - e->base);
    if (from) memcpy(map, from, sizeof *map);
    if (from && map->magic == PTX_TENSOR_MAGIC && map->rank == i->bytes && map->pixels == i->sub)
        return true;
    mem_fault(w, i, l, PTX_REPORT_FAULT, address,
              from ? "no tensor map of this rank and mode lies here" : "no tensor map lies here");
    return false;
}

typedef struct {
    bulk_piece *at;
    uint32_t n, cap;
    bool load;
} piece_list;

/* address 0: outside of the tensor, where only loads have something to do. */
static void add_piece(piece_list *list, uint64_t address, uint32_t shared, uint32_t bytes) {
    if (!bytes || (!address && !list->load)) return;
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 64;
        list->at = ptx_grow(list->at, list->cap * sizeof *list->at);
    }
    list->at[list->n++] = (bulk_piece){NULL, address, shared, bytes};
}

/* A row of the box: chunks where the pattern moves them, each as far as the tensor reaches. */
static void add_row(piece_list *list, const ptx_tensor_map *m, int64_t first, bool inside,
                    uint64_t row, uint32_t shared) {
    uint32_t bytes = (uint32_t)m->box[0] * m->element, step = m->swizzle ? CHUNK : bytes;
    int64_t end = inside ? (int64_t)(m->dim[0] * m->element) : INT64_MIN;
    for (uint32_t k = 0; k < bytes; k += step) {
        uint32_t to = bulk_swizzled(shared + k, m->swizzle);
        int64_t from = first * m->element + k, low = from < 0 ? 0 : from,
                high = from + step < end ? from + step : end;
        if (high <= low) {
            add_piece(list, 0, to, step);
            continue;
        }
        uint32_t before = (uint32_t)(low - from), n = (uint32_t)(high - low);
        add_piece(list, 0, to, before);
        add_piece(list, row + (uint64_t)low, to + before, n);
        add_piece(list, 0, to + before + n, step - before - n);
    }
}

/* The row at coordinates x: is it in the tensor, and where? */
static bool row_at(const ptx_tensor_map *m, const int64_t x[PTX_TENSOR_RANK], uint64_t *at) {
    bool inside = true;
    *at = m->address;
    for (unsigned d = 1; d < m->rank; d++) {
        inside &= x[d] >= 0 && x[d] < (int64_t)m->dim[d];
        *at += (uint64_t)x[d] * m->stride[d - 1];
    }
    return inside;
}

static int64_t step_of(const ptx_tensor_map *m, unsigned d) {
    return m->step[d] ? m->step[d] : 1;
}

/* The k-th row of a box. */
static void place_of(const ptx_tensor_map *m, const int64_t *c, uint64_t k, int64_t *x) {
    for (unsigned d = 1; d < m->rank; d++) {
        uint64_t n = ((uint64_t)m->box[d] + (uint64_t)step_of(m, d) - 1) / (uint64_t)step_of(m, d);
        x[d] = c[d] + (int64_t)(k % n) * step_of(m, d);
        k /= n;
    }
}

static uint64_t rows_of(const ptx_tensor_map *m) {
    uint64_t rows = m->pixels ? m->box[1] : 1;
    for (unsigned d = 1; d < m->rank && !m->pixels; d++)
        rows *= ((uint64_t)m->box[d] + (uint64_t)step_of(m, d) - 1) / (uint64_t)step_of(m, d);
    return rows;
}

/* To the pixel after c. */
static void next_pixel(const ptx_tensor_map *m, int64_t *c) {
    unsigned d = 1;
    for (; d + 1 < m->rank; d++) {
        c[d] += step_of(m, d);
        if (c[d] < (int64_t)m->dim[d] + m->upper[d - 1]) return;
        c[d] = m->lower[d - 1];
    }
    c[d] += step_of(m, d);
}

/* `by`: offsets of pixels. */
static piece_list pieces_of(const ptx_tensor_map *m, int64_t c[PTX_TENSOR_RANK],
                            const int64_t by[PTX_TENSOR_RANK], uint32_t shared, bool load) {
    piece_list list = {.load = load};
    uint64_t rows = rows_of(m), at;
    for (uint64_t r = 0; r < rows; r++) {
        int64_t x[PTX_TENSOR_RANK];
        for (unsigned d = 1; d < m->rank; d++) x[d] = c[d] + by[d];
        if (m->pixels)
            next_pixel(m, c);
        else
            place_of(m, c, r, x);
        bool inside = row_at(m, x, &at);
        add_row(&list, m, c[0], inside, at, shared + (uint32_t)r * m->box[0] * m->element);
    }
    return list;
}

void x_cp_tensor(warp *w, const ins *i, uint32_t mask) {
    const uint64_t *map = reg_at(w, i->a), *shared = reg_at(w, i->b), *mbar = reg_at(w, i->e);
    const int32_t *regs = &w->b->ln->module->list.at[i->target];
    EACH_LANE(l, mask) {
        ptx_tensor_map m;
        bulk_target to[MAX_CLUSTER];
        int64_t c[PTX_TENSOR_RANK] = {0}, by[PTX_TENSOR_RANK] = {0};
        uint32_t at = 0;
        if (!read_map(w, i, l, map[l], &m)) return;
        for (unsigned d = 0; d < m.rank; d++) c[d] = ((const int32_t *)reg_at(w, regs[d]))[l];
        for (unsigned d = 1; m.pixels && i->n && d + 1 < m.rank; d++)
            by[d] = ((const uint32_t *)reg_at(w, regs[m.rank + d - 1]))[l] & 0xffff;
        unsigned n = bulk_targets(w, i, l, shared[l], mbar[l], i->n, bulk_mask(w, i, l), to, &at);
        if (n && (at % BOX_ALIGN || at >= w->b->shared_bytes)) {
            mem_fault(w, i, l, at % BOX_ALIGN ? PTX_REPORT_MISALIGNED : PTX_REPORT_OUT_OF_BOUNDS,
                      WIN_SHARED + at, "a box lies at a multiple of 128 bytes of shared memory");
            return;
        }
        piece_list list = pieces_of(&m, c, by, at, i->n);
        bool ok = bulk_all(w, i, l, to, n, list.at, list.n, NULL);
        free(list.at);
        if (!ok) return;
    }
}
