/* largest.c - what takes the most memory, for whoever is told that there is none left. */
#include "runtime/value/tensor.h"

#include <inttypes.h>
#include <stdio.h>

enum { LARGEST = 5 };

typedef struct top {
    const rt_storage *of[LARGEST]; /* the largest first */
    unsigned n;
} top;

static const rt_buffer *memory_of(const rt_storage *s) {
    return s->buf->owner ? s->buf->owner : s->buf;
}

static void add(top *t, const rt_storage *s) {
    for (unsigned i = 0; i < t->n; i++)
        if (memory_of(t->of[i]) == memory_of(s)) return;
    unsigned at = t->n < LARGEST ? t->n++ : LARGEST - 1;
    if (t->of[at] && memory_of(t->of[at])->room >= memory_of(s)->room) return;
    for (; at > 0 && memory_of(t->of[at - 1])->room < memory_of(s)->room; at--)
        t->of[at] = t->of[at - 1];
    t->of[at] = s;
}

/* ", weights f32[512,512] 1 MiB" */
static int say(char *text, size_t room, const rt_storage *s) {
    char size[32];
    bz_size_text(size, (double)memory_of(s)->room);
    int n = snprintf(text, room, "%.40s%s%s[", s->name ? s->name : "", s->name ? " " : "",
                     ir_dtypes[s->dtype].name);
    for (unsigned i = 0; i < s->base->rank && n < (int)room; i++)
        n += snprintf(text + n, room - (size_t)n, "%s%" PRId64, i ? "," : "", s->base->shape[i]);
    if (n < (int)room) n += snprintf(text + n, room - (size_t)n, "] %s", size);
    return n;
}

void rt_say_largest(const bz_context *c, char *text, size_t room) {
    top t = {.n = 0};
    const rt_slab *slab = c->slab;
    char used[32];
    for (uint32_t i = 0; i < slab->storage_chunks.n; i++)
        for (uint32_t k = 0; k < RT_STORAGES; k++) {
            const rt_storage *s = &slab->storage_chunks.p[i][k];
            if (s->refs && s->buf && !memory_of(s)->foreign) add(&t, s);
        }
    *text = 0;
    if (t.n == 0) return;
    bz_size_text(used, (double)c->pool->bytes);
    int n = snprintf(text, room, "; of %s in use the largest: ", used);
    for (unsigned i = 0; i < t.n && n < (int)room; i++) {
        if (i) n += snprintf(text + n, room - (size_t)n, ", ");
        if (n < (int)room) n += say(text + n, room - (size_t)n, t.of[i]);
    }
}
