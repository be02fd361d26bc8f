/* play_views.c - making tensors, memory of the program's own, views of views. */
#include "tests/support/play.h"

#include <stdlib.h>

/* ---- making */

static int some_shape(player *p, int64_t *shape) {
    static const int64_t dims[] = {1, 1, 2, 3, 4, 5, 8, 17};
    int rank = (int)play_draw(p, API_RANK);
    for (int i = 0; i < rank; i++) {
        shape[i] = play_chance(p, 3) ? 0 : dims[play_draw(p, BZ_LEN(dims))];
        if (api_numel(shape, i + 1) > API_NUMEL) shape[i] = 1;
    }
    return rank;
}

void play_make(player *p) {
    static const bz_dtype types[] = {BZ_F32, BZ_F32, BZ_I32, BZ_F64, BZ_I64, BZ_F16};
    int64_t shape[API_RANK];
    int rank = some_shape(p, shape);
    api_view x = api_new(types[play_draw(p, BZ_LEN(types))], rank, shape);
    char *data = malloc((size_t)x.n * 8 + 8);
    for (int64_t i = 0; i < x.n; i++) {
        x.store->v[i] = (double)play_draw(p, 21) - 10;
        api_save(x.t, data, i, x.store->v[i]);
    }
    play_note(p, "from_data %s, %lld elements, rank %d", bz_dtype_name(x.t), (long long)x.n, rank);
    x.h = bz_from_data(p->c, x.t, data, shape, rank);
    free(data);
    play_keep(p, x);
}

/* Rows with gaps between them in memory of ours. */
void play_borrow(player *p) {
    if (p->depth || p->nforeign == PLAY_FOREIGN) return;
    int64_t rows = 1 + play_draw(p, 5), columns = 1 + play_draw(p, 9),
            pitch = columns + play_draw(p, 3);
    int64_t total = rows * pitch;
    bool turned = play_chance(p, 40);
    api_view all = api_new(play_chance(p, 50) ? BZ_F32 : BZ_I32, 1, &total);
    all.store->raw = malloc((size_t)total * 8);
    for (int64_t i = 0; i < total; i++) {
        all.store->v[i] = (double)play_draw(p, 9);
        api_save(all.t, all.store->raw, i, all.store->v[i]);
    }
    int64_t shape[2] = {turned ? columns : rows, turned ? rows : columns};
    int64_t strides[2] = {turned ? 1 : pitch, turned ? pitch : 1};
    api_view x = api_window(&all, 2, shape);
    for (int64_t i = 0; i < x.n; i++)
        x.at[i] = i / shape[1] * strides[0] + i % shape[1] * strides[1];
    play_note(p, "from_buffer [%lld,%lld] strides [%lld,%lld]", (long long)shape[0],
              (long long)shape[1], (long long)strides[0], (long long)strides[1]);
    all.h = bz_from_buffer(p->c, all.t, all.store->raw, shape, strides, 2);
    x.h = bz_reshape(all.h, shape, 2); /* the first handle stays ours, to flush */
    p->foreign[p->nforeign++] = all;
    play_keep(p, x);
}

/* ---- views */

void play_slice(player *p) {
    api_view *x = play_any(p);
    int64_t start[API_RANK], stop[API_RANK], step[API_RANK], shape[API_RANK], index[API_RANK];
    for (int a = 0; a < x->rank; a++) {
        int64_t n = x->shape[a];
        step[a] = 1 + play_draw(p, 3);
        start[a] = n ? play_draw(p, (uint32_t)n) : 0;
        stop[a] = start[a] + (n ? play_draw(p, (uint32_t)(n - start[a]) + 1) : 0);
        if (play_chance(p, 30)) start[a] = 0, stop[a] = n;
        shape[a] = (stop[a] - start[a] + step[a] - 1) / step[a];
        if (shape[a] && play_chance(p, 30)) { /* the same elements from behind */
            start[a] += (shape[a] - 1) * step[a];
            step[a] = -step[a];
            stop[a] = start[a] + shape[a] * step[a];
        }
    }
    api_view r = api_window(x, x->rank, shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, r.rank, shape, index);
        for (int a = 0; a < r.rank; a++) index[a] = start[a] + index[a] * step[a];
        r.at[i] = x->at[api_ravel(x->rank, x->shape, index)];
    }
    for (int a = 0; a < x->rank; a++)
        if (stop[a] < 0) stop[a] = BZ_OPEN;
    play_note(p, "slice v%u", play_number(p, x));
    r.h = bz_slice(x->h, start, stop, step, x->rank);
    play_keep(p, r);
}

void play_permute(player *p) {
    api_view *x = play_any(p);
    int perm[API_RANK];
    int64_t shape[API_RANK], index[API_RANK], own[API_RANK];
    for (int i = 0; i < x->rank; i++) {
        int k = (int)play_draw(p, (uint32_t)i + 1);
        perm[i] = perm[k];
        perm[k] = i;
    }
    for (int i = 0; i < x->rank; i++) shape[i] = x->shape[perm[i]];
    api_view r = api_window(x, x->rank, shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, r.rank, shape, index);
        for (int a = 0; a < r.rank; a++) own[perm[a]] = index[a];
        r.at[i] = x->at[api_ravel(x->rank, x->shape, own)];
    }
    play_note(p, "permute v%u", play_number(p, x));
    r.h = bz_permute(x->h, perm, x->rank);
    play_keep(p, r);
}

void play_expand(player *p) {
    api_view *x = play_any(p);
    int64_t shape[API_RANK] = {1 + play_draw(p, 3)};
    bool more = x->rank + 1 < API_RANK && play_chance(p, 50);
    int rank = x->rank + more;
    for (int a = 0; a < x->rank; a++)
        shape[a + more] = x->shape[a] == 1 ? 1 + play_draw(p, 3) : x->shape[a];
    if (api_numel(shape, rank) > API_NUMEL) return;
    api_view r = api_window(x, rank, shape);
    for (int64_t i = 0; i < r.n; i++) r.at[i] = x->at[api_broadcast(x, rank, shape, i)];
    play_note(p, "expand v%u", play_number(p, x));
    r.h = bz_expand(x->h, shape, rank);
    play_keep(p, r);
}

void play_pick_row(player *p) {
    api_view *x = play_any(p);
    int64_t shape[API_RANK], index[API_RANK], own[API_RANK];
    if (!x->rank) return;
    int axis = (int)play_draw(p, (uint32_t)x->rank), n = 0;
    if (!x->shape[axis]) return;
    int64_t at = play_draw(p, (uint32_t)x->shape[axis]);
    for (int a = 0; a < x->rank; a++)
        if (a != axis) shape[n++] = x->shape[a];
    api_view r = api_window(x, n, shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, n, shape, index);
        for (int a = 0, k = 0; a < x->rank; a++) own[a] = a == axis ? at : index[k++];
        r.at[i] = x->at[api_ravel(x->rank, x->shape, own)];
    }
    play_note(p, "select v%u axis %d index %lld", play_number(p, x), axis, (long long)at);
    r.h = bz_select(x->h, play_chance(p, 50) ? axis : axis - x->rank,
                    play_chance(p, 50) ? at : at - x->shape[axis]);
    play_keep(p, r);
}

static bool contiguous(const api_view *x) {
    for (int64_t i = 1; i < x->n; i++)
        if (x->at[i] != x->at[0] + i) return false;
    return true;
}

/* A view where the elements lie in order; whether it is one elsewhere is the library's to say, so there only its value counts. */
void play_reshape(player *p) {
    api_view *x = play_any(p);
    int64_t shape[API_RANK], n = x->n;
    int rank = 1 + (int)play_draw(p, 3);
    for (int a = 0; a + 1 < rank; a++) {
        int64_t f = 1 + play_draw(p, 6);
        while (n % f) f--;
        shape[a] = f;
        n /= f;
    }
    shape[rank - 1] = n;
    bool view = contiguous(x);
    api_view r = view ? api_window(x, rank, shape) : api_new(x->t, rank, shape);
    for (int64_t i = 0; i < r.n; i++) {
        if (view)
            r.at[i] = x->at[i];
        else
            play_set_to(&r, i, x, i);
    }
    play_note(p, "reshape v%u%s", play_number(p, x), view ? "" : ", copied");
    bz_tensor *h = bz_reshape(x->h, shape, rank);
    r.h = view ? h : bz_copy(h);
    play_keep(p, r);
}

void play_diagonal(player *p) {
    api_view *x = play_any(p);
    if (x->rank != 2) return;
    int64_t rows = x->shape[0], columns = x->shape[1], off = play_chance(p, 60) ? 0 : 1;
    if (columns <= off || rows == 0) return;
    int64_t n = rows < columns - off ? rows : columns - off;
    api_view r = api_window(x, 1, &n);
    for (int64_t i = 0; i < n; i++) r.at[i] = x->at[i * columns + i + off];
    play_note(p, "diagonal v%u offset %lld", play_number(p, x), (long long)off);
    r.h = bz_diagonal(x->h, off, 0, 1);
    play_keep(p, r);
}
