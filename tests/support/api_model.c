/* api_model.c - see api_model.h. */
#include "tests/support/api_model.h"

#include "src/ir/dtype.h"
#include "src/ir/ops.h"

#include <stdlib.h>

static api_store *stores[API_STORES];
static unsigned nstores;

int64_t api_numel(const int64_t *shape, int rank) {
    int64_t n = 1;
    for (int i = 0; i < rank; i++) n *= shape[i];
    return n;
}

double api_get(const api_view *x, int64_t i) {
    return x->store->v[x->at[i]];
}

bool api_is_float(bz_dtype t) {
    return t == BZ_F16 || t == BZ_F32 || t == BZ_F64;
}

api_entry api_entry_of(const api_view *x, int64_t i) {
    return x->store->entry[x->at[i]];
}

bool api_compute(api_view *x, int64_t i) {
    if (!api_is_float(x->t)) return false;
    x->store->entry[x->at[i]] = api_tape_new();
    return true;
}

void api_renew(api_view *x) {
    api_store *s = x->store;
    for (int64_t k = 0; k < s->n && api_is_float(x->t); k++) {
        api_entry old = s->entry[k];
        s->entry[k] = api_tape_new();
        api_tape_from(old, 1);
    }
}

static api_view shaped(bz_dtype t, int rank, const int64_t *shape) {
    api_view r = {.t = t, .rank = rank, .n = api_numel(shape, rank)};
    for (int i = 0; i < rank; i++) r.shape[i] = shape[i];
    r.at = calloc((size_t)r.n + 1, sizeof *r.at);
    return r;
}

api_view api_new(bz_dtype t, int rank, const int64_t *shape) {
    api_view r = shaped(t, rank, shape);
    bz_assert(nstores < API_STORES);
    r.store = stores[nstores++] = calloc(1, sizeof *r.store);
    r.store->n = r.n;
    r.store->v = calloc((size_t)r.n + 1, sizeof(double));
    r.store->entry = calloc((size_t)r.n + 1, sizeof *r.store->entry);
    for (int64_t i = 0; i < r.n; i++) {
        r.at[i] = i;
        api_compute(&r, i);
    }
    r.whole = true;
    return r;
}

api_view api_window(const api_view *x, int rank, const int64_t *shape) {
    api_view r = shaped(x->t, rank, shape);
    r.store = x->store;
    return r;
}

void api_free_view(api_view *x) {
    free(x->at);
    x->at = NULL;
}

void api_free_stores(void) {
    api_tape_reset();
    while (nstores) {
        api_store *s = stores[--nstores];
        free(s->v);
        free(s->entry);
        free(s->raw);
        free(s);
    }
}

bool api_overlaps(const api_view *x) {
    for (int64_t i = 0; i < x->n; i++)
        for (int64_t k = 0; k < i; k++)
            if (x->at[i] == x->at[k]) return true;
    return false;
}

bool api_shares(const api_view *x, const api_view *y) {
    return x->store == y->store;
}

void api_unravel(int64_t i, int rank, const int64_t *shape, int64_t *index) {
    for (int a = rank - 1; a >= 0; a--) {
        index[a] = i % shape[a];
        i /= shape[a];
    }
}

int64_t api_ravel(int rank, const int64_t *shape, const int64_t *index) {
    int64_t i = 0;
    for (int a = 0; a < rank; a++) i = i * shape[a] + index[a];
    return i;
}

int64_t api_broadcast(const api_view *x, int rank, const int64_t *shape, int64_t i) {
    int64_t index[API_RANK], own[API_RANK];
    api_unravel(i, rank, shape, index);
    for (int a = 0; a < x->rank; a++) own[a] = x->shape[a] == 1 ? 0 : index[a + rank - x->rank];
    return api_ravel(x->rank, x->shape, own);
}

double api_load(bz_dtype t, const void *p, int64_t i) {
    return ir_bits_to_f64(t, ir_load_bits(t, (const char *)p + (size_t)i * ir_dtype_bytes(t)));
}

void api_save(bz_dtype t, void *p, int64_t i, double v) {
    ir_store_bits(t, (char *)p + (size_t)i * ir_dtype_bytes(t), ir_bits_from_f64(t, v));
}
