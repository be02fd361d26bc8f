/* layout.c - shapes with strides, interned: a table per context. Those that nothing has go: layout_sweep.c. */
#include "runtime/memory/layout.h"

#include <string.h>

static uint64_t hash_of(const int64_t *shape, const int64_t *strides, unsigned rank) {
    uint64_t h = bz_mix(rank, 0x6c61796f7574u);
    for (unsigned i = 0; i < rank; i++)
        h = bz_mix(bz_mix(h, (uint64_t)shape[i]), (uint64_t)strides[i]);
    return h ^ h >> 31;
}

static bool grow(rt_layouts *t) {
    uint32_t n = t->nslots ? t->nslots * 2 : 64;
    rt_layout **slots = bz_mem_zero(n, sizeof *slots);
    if (!slots) return false;
    for (uint32_t i = 0; i < t->nslots; i++) {
        for (rt_layout *l = t->slots[i], *next; l; l = next) {
            next = l->next;
            l->next = slots[l->hash & (n - 1)];
            slots[l->hash & (n - 1)] = l;
        }
    }
    bz_mem_free(t->slots);
    t->slots = slots;
    t->nslots = n;
    return true;
}

static rt_layout *make(bz_context *c, const int64_t *shape, const int64_t *strides, unsigned rank) {
    ir_dim dims[IR_MAX_RANK];
    int64_t count = 1, step = 1;
    bool contiguous = true, empty = false;
    for (unsigned i = rank; i-- > 0;) {
        contiguous &= shape[i] == 1 || strides[i] == step;
        step *= shape[i] ? shape[i] : 1;
        empty |= shape[i] == 0;
        count = step;
        dims[i] = ir_ex_const(&c->m->ex, shape[i]);
        if (!dims[i]) return NULL;
    }
    rt_layout *l =
        bz_mem_alloc(sizeof *l + rank * (sizeof *shape + sizeof *strides + sizeof *dims));
    if (!l) return NULL;
    int64_t *own_shape = (int64_t *)(void *)(l + 1), *own_strides = own_shape + rank;
    ir_dim *own_dims = (ir_dim *)(void *)(own_strides + rank);
    memcpy(own_shape, shape, rank * sizeof *shape);
    memcpy(own_strides, strides, rank * sizeof *strides);
    if (rank) memcpy(own_dims, dims, rank * sizeof *dims);
    *l = (rt_layout){.rank = rank,
                     .contiguous = contiguous || empty,
                     .count = empty ? 0 : count,
                     .shape = own_shape,
                     .strides = own_strides,
                     .dims = own_dims};
    return l;
}

static void row_major(const int64_t *shape, unsigned rank, int64_t *strides) {
    int64_t step = 1;
    for (unsigned i = rank; i-- > 0;) {
        strides[i] = step;
        step *= shape[i] > 0 ? shape[i] : 1;
    }
}

const rt_layout *rt_layout_of(bz_context *c, const int64_t *shape, const int64_t *strides,
                              unsigned rank) {
    static const int64_t none[1];
    int64_t own[IR_MAX_RANK];
    rt_layouts *t = c->layouts;
    if (!strides) row_major(shape, rank, own);
    strides = strides ? strides : own;
    shape = rank ? shape : none;
    uint64_t h = hash_of(shape, strides, rank);
    for (rt_layout *l = t->nslots ? t->slots[h & (t->nslots - 1)] : NULL; l; l = l->next) {
        if (l->hash == h && l->rank == rank && !memcmp(l->shape, shape, rank * sizeof *shape) &&
            !memcmp(l->strides, strides, rank * sizeof *strides))
            return l;
    }
    rt_layout *l = t->n < t->nslots || grow(t) ? make(c, shape, strides, rank) : NULL;
    if (!l) return NULL;
    l->hash = h;
    l->next = t->slots[h & (t->nslots - 1)];
    t->slots[h & (t->nslots - 1)] = l;
    t->n++;
    return l;
}

const rt_layout *rt_layout_of_node(bz_context *c, const ir_graph *g, ir_ref r) {
    int64_t shape[IR_MAX_RANK];
    return ir_static_shape(g, r, shape) ? rt_layout_of(c, shape, NULL, ir_at(g, r)->rank) : NULL;
}

void rt_layouts_free(rt_layouts *l) {
    for (uint32_t i = 0; i < l->nslots; i++)
        for (rt_layout *x = l->slots[i], *next; x; x = next) {
            next = x->next;
            bz_mem_free(x);
        }
    bz_mem_free(l->slots);
    *l = (rt_layouts){0};
}

/* Axes of x are taken in runs of equal product with runs of the new shape; within a run x must be row-major. */
bool rt_reshape_strides(const rt_layout *x, const int64_t *shape, unsigned rank, int64_t *strides) {
    if (x->contiguous || x->count == 0) {
        row_major(shape, rank, strides);
        return true;
    }
    int64_t old_shape[IR_MAX_RANK], old[IR_MAX_RANK];
    unsigned n = 0, i = 0, j = 0;
    for (unsigned k = 0; k < x->rank; k++) {
        if (x->shape[k] == 1) continue;
        old_shape[n] = x->shape[k];
        old[n++] = x->strides[k];
    }
    while (i < n && j < rank) {
        unsigned i1 = i + 1, j1 = j + 1;
        int64_t a = old_shape[i], b = shape[j];
        while (a != b) {
            if (a < b)
                a *= old_shape[i1++];
            else
                b *= shape[j1++];
        }
        for (unsigned k = i; k + 1 < i1; k++)
            if (old[k] != old_shape[k + 1] * old[k + 1]) return false;
        strides[j1 - 1] = old[i1 - 1];
        for (unsigned k = j1 - 1; k > j; k--) strides[k - 1] = strides[k] * shape[k];
        i = i1;
        j = j1;
    }
    for (; j < rank; j++) strides[j] = 1; /* sizes of 1 at the end */
    return true;
}

/* ---- windows on row-major elements of what is itself strided */

/* x with neighbouring axes that are one axis of memory taken as one, those of size 1 left out; the number of axes. */
static unsigned merged_axes(const rt_layout *x, int64_t *shape, int64_t *strides) {
    unsigned n = 0;
    for (unsigned k = 0; k < x->rank; k++) {
        if (x->shape[k] == 1) continue;
        bool joins = n && strides[n - 1] == x->shape[k] * x->strides[k];
        shape[n - !!joins] = joins ? shape[n - 1] * x->shape[k] : x->shape[k];
        strides[n - !!joins] = x->strides[k];
        n += !joins;
    }
    return n;
}

/* An element's number, or a distance, as digits of the axes; what it is in memory. */
static int64_t digits_of(int64_t number, const int64_t *shape, const int64_t *strides, unsigned n,
                         int64_t *digit) {
    int64_t place = 0;
    for (unsigned k = n; k-- > 0;) {
        digit[k] = k ? number % shape[k] : number;
        number = k ? number / shape[k] : 0;
        place += digit[k] * strides[k];
    }
    return place;
}

bool rt_window_strides(const rt_layout *x, const int64_t *shape, const int64_t *given,
                       unsigned rank, int64_t *offset, int64_t *strides) {
    int64_t size[IR_MAX_RANK], step[IR_MAX_RANK], low[IR_MAX_RANK], high[IR_MAX_RANK],
        digit[IR_MAX_RANK];
    unsigned n = merged_axes(x, size, step);
    *offset = digits_of(*offset, size, step, n, low);
    memcpy(high, low, n * sizeof *low);
    for (unsigned i = 0; i < rank; i++) {
        bool back = given[i] < 0;
        strides[i] = given[i];
        if (shape[i] <= 1) continue;
        int64_t by = digits_of(back ? -given[i] : given[i], size, step, n, digit);
        strides[i] = back ? -by : by;
        for (unsigned k = 0; k < n; k++)
            *(back ? &low[k] : &high[k]) += (back ? -1 : 1) * (shape[i] - 1) * digit[k];
    }
    bool fits = true; /* no digit carries into the next, whatever the index */
    for (unsigned k = 0; k < n; k++) fits &= low[k] >= 0 && high[k] < size[k];
    return fits;
}

bool rt_layout_reach(const rt_layout *l, int64_t *lo, int64_t *hi) {
    *lo = *hi = 0;
    for (unsigned i = 0; i < l->rank; i++) {
        int64_t far;
        if (l->shape[i] == 0) return *lo = *hi = 0, true;
        if (__builtin_mul_overflow(l->shape[i] - 1, l->strides[i], &far)) return false;
        if (__builtin_add_overflow(far < 0 ? *lo : *hi, far, far < 0 ? lo : hi)) return false;
    }
    return *lo > -BZ_BYTES_MOST / 16 && *hi < BZ_BYTES_MOST / 16;
}
