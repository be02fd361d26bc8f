/* interp_move.c - the reference interpreter's places: arrays as rows of elements, and walks over them. */
#include "src/ir/interp.h"

#include <string.h>

int64_t it_numel(const it_array *a) {
    int64_t n = 1;
    for (unsigned i = 0; i < a->rank; i++) n *= a->shape[i];
    return n;
}

void it_strides(const it_array *a, int64_t *strides) {
    int64_t n = 1;
    for (unsigned i = a->rank; i-- > 0; n *= a->shape[i]) strides[i] = n;
}

it_walk it_begin(unsigned rank, const int64_t *shape, const int64_t *strides, int64_t offset) {
    it_walk w = {.rank = rank, .shape = shape, .strides = strides, .at = offset, .left = 1};
    for (unsigned i = 0; i < rank; i++) w.left *= shape[i];
    return w;
}

void it_next(it_walk *w) {
    w->left--;
    for (unsigned i = w->rank; i-- > 0;) {
        w->at += w->strides[i];
        if (++w->index[i] < w->shape[i]) return;
        w->at -= w->shape[i] * w->strides[i];
        w->index[i] = 0;
    }
}

bool it_pick(it_state *s, ir_ref r, const int64_t *given, int64_t offset) {
    const it_array *x = it_operand(s, r, 0), *out = &s->slot[r].a;
    int64_t strides[IR_MAX_RANK];
    for (unsigned i = 0; i < out->rank; i++) strides[i] = out->shape[i] > 1 ? given[i] : 0;
    size_t bytes = ir_dtype_bytes(x->dtype);
    char *to = out->data;
    for (it_walk w = it_begin(out->rank, out->shape, strides, offset); w.left;
         it_next(&w), to += bytes)
        memcpy(to, it_element(x, w.at), bytes);
    return true;
}

void it_place(const it_array *x, const it_array *out, const int64_t *given, int64_t offset) {
    int64_t strides[IR_MAX_RANK];
    size_t bytes = ir_dtype_bytes(x->dtype);
    const char *from = x->data;
    for (unsigned i = 0; i < x->rank; i++) strides[i] = x->shape[i] > 1 ? given[i] : 0;
    for (it_walk w = it_begin(x->rank, x->shape, strides, offset); w.left;
         it_next(&w), from += bytes)
        memcpy(it_element(out, w.at), from, bytes);
}
