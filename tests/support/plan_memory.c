/* plan_memory.c - see plan_memory.h. */
#include "tests/support/plan_memory.h"

#include <stdlib.h>
#include <string.h>

enum { GUARD = 64, RUBBISH = 0x5a }; /* bytes behind each block that stay as they are */

static size_t bytes(bz_dtype t, int64_t count) {
    return (size_t)count * ir_dtype_bytes(t);
}

static char *block(size_t size) {
    size_t whole = (size + GUARD + 63) / 64 * 64;
    return memset(aligned_alloc(64, whole), RUBBISH, whole);
}

plan_memory plan_memory_new(const pass_plan *p, const ir_value_array *inputs) {
    plan_memory m = {.arena = block((size_t)p->arena_bytes)};
    m.at = calloc(p->buffers.n + 1, sizeof *m.at);
    m.own = calloc(p->buffers.n + 1, sizeof *m.own);
    for (uint32_t i = 0; i < p->buffers.n; i++) {
        const pass_buffer *b = &p->buffers.p[i];
        size_t size = bytes(b->dtype, b->count);
        if (b->place == PASS_ARENA) {
            m.at[i] = m.arena + b->offset;
            continue;
        }
        m.at[i] = m.own[i] = block(size);
        if (b->place == PASS_INPUT) memcpy(m.at[i], inputs[b->number].data, size);
        for (int64_t k = 0; b->place == PASS_CONST && k < b->count; k++)
            ir_store_bits(b->dtype, (char *)m.at[i] + bytes(b->dtype, k),
                          (ir_bits)ir_attrs(p->graph, ir_at(p->graph, b->number))[k]);
    }
    return m;
}

void plan_memory_outputs(const pass_plan *p, const plan_memory *m, ir_value_array *outputs) {
    for (uint32_t i = 0; i < p->noutputs; i++) {
        ir_ref r = p->graph->outputs.p[i].node;
        ir_value_array *o = &outputs[i];
        *o = (ir_value_array){.dtype = ir_dtype(p->graph, r), .rank = ir_at(p->graph, r)->rank};
        ir_static_shape(p->graph, r, o->shape);
        int64_t n = 1;
        for (unsigned k = 0; k < o->rank; k++) n *= o->shape[k];
        o->data = bz_mem_alloc(bytes(o->dtype, n) + 1);
        memcpy(o->data, m->at[p->output[i]], bytes(o->dtype, n));
    }
}

static void check_guard(const char *p, size_t size, const char *what, uint32_t number) {
    for (size_t i = size; i < size + GUARD; i++)
        if (p[i] != RUBBISH)
            bz_bug("%s %u: a kernel wrote %zu bytes behind its end", what, number, i - size);
}

void plan_memory_free(plan_memory *m, const pass_plan *p) {
    check_guard(m->arena, (size_t)p->arena_bytes, "arena", 0);
    for (uint32_t i = 0; i < p->buffers.n; i++) {
        if (m->own[i])
            check_guard(m->own[i], bytes(p->buffers.p[i].dtype, p->buffers.p[i].count), "buffer",
                        i);
        free(m->own[i]);
    }
    free(m->own);
    free(m->at);
    free(m->arena);
    *m = (plan_memory){0};
}
