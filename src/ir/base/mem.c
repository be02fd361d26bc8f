/* mem.c - the one place where memory comes from, arenas, and the growth of vectors. */
#include "src/ir/base/base.h"

#include <stdlib.h>
#include <string.h>

static _Thread_local long fail_after = -1;

void bz_mem_fail_after(long n) {
    fail_after = n;
}

/* True when the test hook says that this allocation fails; from then on every one does. */
static bool told_to_fail(void) {
    if (fail_after < 0) return false;
    if (fail_after == 0) return true;
    fail_after--;
    return false;
}

void *bz_mem_alloc(size_t size) {
    return told_to_fail() ? NULL : malloc(size ? size : 1);
}

void *bz_mem_zero(size_t count, size_t size) {
    return told_to_fail() ? NULL : calloc(count ? count : 1, size ? size : 1);
}

void *bz_mem_grow(void *p, size_t size) {
    return told_to_fail() ? NULL : realloc(p, size ? size : 1);
}

void bz_mem_free(void *p) {
    free(p);
}

bool bz_vec_grow_(void **p, uint32_t *cap, uint32_t need, size_t elem) {
    uint32_t want = *cap < 8 ? 16 : *cap * 2;
    if (want < need) want = need;
    void *q = bz_mem_grow(*p, (size_t)want * elem);
    if (!q) return false;
    *p = q;
    *cap = want;
    return true;
}

/* ---- arenas: a chain of blocks, newest first; a request larger than a block gets a block of its own */

enum { BLOCK_BYTES = 16 << 10, BLOCK_MAX = 1 << 20, ALIGN = 16 };

struct bz_arena_block {
    bz_arena_block *next;
    size_t size; /* of the payload */
};

static bool add_block(bz_arena *a, size_t need) {
    size_t size = a->head ? a->head->size * 2 : BLOCK_BYTES;
    if (size > BLOCK_MAX) size = BLOCK_MAX;
    if (size < need) size = need;
    bz_arena_block *b = bz_mem_alloc(sizeof *b + size);
    if (!b) return false;
    *b = (bz_arena_block){a->head, size};
    a->head = b;
    a->at = (char *)(b + 1);
    a->end = a->at + size;
    return true;
}

void *bz_arena_alloc(bz_arena *a, size_t size) {
    _Static_assert(sizeof(bz_arena_block) % ALIGN == 0, "payload must start aligned");
    if (size > SIZE_MAX / 2) return NULL;
    size = ((size ? size : 1) + ALIGN - 1) & ~(size_t)(ALIGN - 1); /* no bytes are not NULL */
    if ((size_t)(a->end - a->at) < size && !add_block(a, size)) return NULL;
    void *p = a->at;
    a->at += size;
    return p;
}

void *bz_arena_copy(bz_arena *a, const void *src, size_t size) {
    void *p = bz_arena_alloc(a, size);
    if (p && size) memcpy(p, src, size);
    return p;
}

char *bz_arena_str(bz_arena *a, const char *s) {
    return bz_arena_copy(a, s, strlen(s) + 1);
}

static void free_blocks(bz_arena_block *b) {
    while (b) {
        bz_arena_block *next = b->next;
        bz_mem_free(b);
        b = next;
    }
}

void bz_arena_free(bz_arena *a) {
    free_blocks(a->head);
    *a = (bz_arena){0};
}

void bz_arena_reset(bz_arena *a) {
    if (!a->head) return;
    free_blocks(a->head->next);
    a->head->next = NULL;
    a->at = (char *)(a->head + 1);
    a->end = a->at + a->head->size;
}
