/* api_model.h - tensors as anybody would model them: a storage is a list of numbers, a handle is a
 * list of places in one.
 *
 *     storage   0 1 2 3 4 5          x = 2 x 3 of it      at = {0 1 2 3 4 5}
 *     select(transpose(x), 0, 1)     a view, shape [2]    at = {1 4}
 *
 * No strides, no offsets, nothing of the library: what in-place ops do to views follows from it.
 * Numbers are small integers, which every dtype used here holds exactly. */
#ifndef BRAZE_TEST_API_MODEL_H
#define BRAZE_TEST_API_MODEL_H

#include "braze/braze.h"
#include "tests/support/api_tape.h"

enum { API_RANK = 4, API_VIEWS = 24, API_STORES = 4096, API_NUMEL = 600 };

typedef struct api_store {
    double *v;
    api_entry *entry; /* of each element, in the tape; 0: an integer's */
    int64_t n;
    void *raw; /* memory of bz_from_buffer, or NULL */
} api_store;

typedef struct api_view {
    bz_tensor *h;
    api_store *store;
    bz_dtype t;
    int rank, scope;
    int64_t shape[API_RANK], n, *at;
    bool whole; /* the handle that came with the storage */
} api_view;

int64_t api_numel(const int64_t *shape, int rank);
double api_get(const api_view *x, int64_t i);
api_entry api_entry_of(const api_view *x, int64_t i);
/* Element i of x is computed: what from follows with api_tape_from. false: it is an integer. */
bool api_compute(api_view *x, int64_t i);
/* x is about to be changed in place: the elements of its storage are new variables, which are what they were. */
void api_renew(api_view *x);
bool api_is_float(bz_dtype t);
/* A storage of its own with rubbish in it. */
api_view api_new(bz_dtype t, int rank, const int64_t *shape);
/* A view of x's storage: shape given, at[] still to fill. */
api_view api_window(const api_view *x, int rank, const int64_t *shape);
void api_free_view(api_view *x);      /* not the storage */
void api_free_stores(void);           /* all there are */
bool api_overlaps(const api_view *x); /* two elements at one place */
bool api_shares(const api_view *x, const api_view *y);

/* The element of x for element i of x broadcast to `shape`. */
int64_t api_broadcast(const api_view *x, int rank, const int64_t *shape, int64_t i);
void api_unravel(int64_t i, int rank, const int64_t *shape, int64_t *index);
int64_t api_ravel(int rank, const int64_t *shape, const int64_t *index);
/* Reads and writes element i of an array of dtype t. */
double api_load(bz_dtype t, const void *p, int64_t i);
void api_save(bz_dtype t, void *p, int64_t i, double v);

#endif
