/* handle.c - handles and growing lists.
 *
 *      handle = 2^44 + (generation mod 2^16) * 2^28 + slot * 16
 *
 * A slot is used again only after 4096 others were freed, and then with the next generation, so a
 * handle that was destroyed is recognised for a long time. Handles are never addresses of this
 * process. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS_BASE_SHIFT = 44, GENERATION_SHIFT = 28, SLOT_SHIFT = 4, SLOT_REST = 4096 };
enum { SLOT_MAX = 1 << (GENERATION_SHIFT - SLOT_SHIFT) };

static struct {
    fk_head **at;
    uint16_t *generation;
    size_t n, cap;
    uint32_t *freed; /* a queue: slots rest before they come back */
    size_t freed_head, freed_n, freed_cap;
} slots;

static void slots_grow(void) {
    slots.cap = slots.cap == SLOT_MAX ? SIZE_MAX : slots.cap ? 2 * slots.cap : 256;
    slots.at = ptx_grow(slots.at, slots.cap * sizeof *slots.at);
    slots.generation = ptx_grow(slots.generation, slots.cap * sizeof *slots.generation);
}

static void rest_slot(uint32_t slot) {
    if (slots.freed_n == slots.freed_cap) {
        const size_t cap = slots.freed_cap ? 2 * slots.freed_cap : 2 * SLOT_REST;
        uint32_t *freed = ptx_grow(NULL, cap * sizeof *freed);
        for (size_t i = 0; i < slots.freed_n; i++)
            freed[i] = slots.freed[(slots.freed_head + i) % slots.freed_cap];
        free(slots.freed);
        slots.freed = freed;
        slots.freed_cap = cap;
        slots.freed_head = 0;
    }
    slots.freed[(slots.freed_head + slots.freed_n++) % slots.freed_cap] = slot;
}

static uint32_t take_slot(void) {
    if (slots.freed_n > SLOT_REST) {
        const uint32_t slot = slots.freed[slots.freed_head];
        slots.freed_head = (slots.freed_head + 1) % slots.freed_cap;
        slots.freed_n--;
        slots.generation[slot]++;
        return slot;
    }
    if (slots.n == slots.cap) slots_grow();
    slots.generation[slots.n] = 0;
    return (uint32_t)slots.n++;
}

void *fk_new(fk_kind kind, size_t size) {
    fk_head *head = ptx_zeroed(size);
    *head = (fk_head){.kind = kind, .slot = take_slot()};
    head->generation = slots.generation[head->slot];
    slots.at[head->slot] = head;
    return head;
}

void fk_unhandle(void *object) {
    const fk_head *head = object;
    if (slots.at[head->slot] == head) {
        slots.at[head->slot] = NULL;
        rest_slot(head->slot);
    }
}

void fk_delete(void *object) {
    if (object) {
        fk_unhandle(object);
        free(object);
    }
}

void *fk_get(const void *handle, fk_kind kind) {
    const uint64_t h = (uint64_t)(uintptr_t)handle;
    const uint64_t slot = h >> SLOT_SHIFT & (SLOT_MAX - 1);
    if (h >> SLOTS_BASE_SHIFT != 1 || slot >= slots.n || (h & ((1u << SLOT_SHIFT) - 1)))
        return NULL;
    fk_head *head = slots.at[slot];
    const uint64_t generation = h >> GENERATION_SHIFT & 0xffff;
    return head && head->kind == kind && head->generation == generation ? head : NULL;
}

size_t braze_fake_objects(void) {
    size_t n = 0;
    pthread_mutex_lock(&fk.lock);
    for (size_t i = 0; i < slots.n; i++) {
        const fk_head *h = slots.at[i];
        if (!h) continue;
        const fk_stream *s = h->kind == FK_STREAM ? (const fk_stream *)(const void *)h : NULL;
        n += h->kind == FK_EVENT || h->kind == FK_GRAPH || h->kind == FK_EXEC ||
             h->kind == FK_MODULE || (s && !s->legacy && !s->owner);
    }
    pthread_mutex_unlock(&fk.lock);
    return n;
}

void *fk_handle(const void *object) {
    const fk_head *head = object;
    if (!head) return NULL;
    return (void *)(uintptr_t)((1ull << SLOTS_BASE_SHIFT) |
                               (uint64_t)head->generation << GENERATION_SHIFT |
                               (uint64_t)head->slot << SLOT_SHIFT);
}

void fk_push(fk_list *list, void *item) {
    if (list->n == list->cap) {
        list->cap = list->cap ? 2 * list->cap : 4;
        list->at = ptx_grow(list->at, list->cap * sizeof *list->at);
    }
    list->at[list->n++] = item;
}

bool fk_remove(fk_list *list, const void *item) {
    for (size_t i = 0; i < list->n; i++) {
        if (list->at[i] == item) {
            memmove(list->at + i, list->at + i + 1, (list->n - i - 1) * sizeof *list->at);
            list->n--;
            return true;
        }
    }
    return false;
}

bool fk_has(const fk_list *list, const void *item) {
    for (size_t i = 0; i < list->n; i++)
        if (list->at[i] == item) return true;
    return false;
}

void fk_list_free(fk_list *list) {
    free(list->at);
    *list = (fk_list){0};
}
