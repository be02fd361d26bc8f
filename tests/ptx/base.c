/* base.c - memory for the interpreter: an arena freed whole and growing arrays. */
#include "vm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct arena_chunk {
    arena_chunk *below;
    size_t used, size;
    max_align_t data[];
};

static void *must(void *p) {
    if (!p) {
        fputs("ptx: out of memory\n", stderr);
        abort();
    }
    return p;
}

void *arena_get(arena *a, size_t n) {
    n = (n + 15) & ~(size_t)15;
    if (!a->top || a->top->size - a->top->used < n) {
        size_t size = n > 65536 ? n : 65536;
        arena_chunk *c = ptx_zeroed(sizeof *c + size);
        c->size = size;
        c->below = a->top;
        a->top = c;
    }
    void *p = (char *)a->top->data + a->top->used;
    a->top->used += n;
    return p;
}

char *arena_text(arena *a, const char *text, size_t n) {
    char *copy = arena_get(a, n + 1);
    memcpy(copy, text, n);
    return copy;
}

void arena_drop(arena *a) {
    while (a->top) {
        arena_chunk *below = a->top->below;
        free(a->top);
        a->top = below;
    }
}

void *ptx_grow(void *p, size_t n) {
    return must(realloc(p, n ? n : 1));
}

void *ptx_zeroed(size_t n) {
    return must(calloc(1, n ? n : 1));
}

/* `at` is the address of the vector's pointer, whatever it points to. */
void vec_room(void *at, size_t *n, size_t *cap, size_t size) {
    char *p;
    memcpy(&p, at, sizeof p);
    if (*n == *cap) {
        *cap = *cap ? *cap * 2 : 16;
        p = ptx_grow(p, *cap * size);
        memcpy(at, &p, sizeof p);
    }
    memset(p + *n * size, 0, size);
    ++*n;
}
