/* exec_system.c - functions that the device has without a body: printf, assert, malloc, free. */
#include "exec.h"

#include "run.h"

#include <stdio.h>
#include <string.h>

/* n bytes at a generic address as a lane sees them, or NULL. */
static const uint8_t *bytes_at(warp *w, unsigned lane, uint64_t address, uint64_t n) {
    const launch *ln = w->b->ln;
    uint64_t at;
    switch (generic_space(address)) {
    case PTX_GLOBAL: {
        const ptx_extent *e = mem_find(ln, address);
        bool inside = e && !(e->flags & PTX_EXTENT_FREED) && address >= e->base &&
                      address - e->base < e->size && e->size - (address - e->base) >= n;
        return inside ? e->host + (address - e->base) : NULL;
    }
    case PTX_LOCAL:
        at = address - WIN_LOCAL;
        return at < ln->stack_bytes && ln->stack_bytes - at >= n ? local_at(w, lane, at) : NULL;
    case PTX_SHARED:
        at = address - WIN_SHARED;
        return at < w->b->shared_bytes && w->b->shared_bytes - at >= n ? w->b->shared + at : NULL;
    default: return NULL;
    }
}

static size_t text_at(warp *w, unsigned lane, uint64_t address, char *out, size_t cap) {
    size_t n = 0;
    for (const uint8_t *c; n + 1 < cap && (c = bytes_at(w, lane, address + n, 1)) && *c; n++)
        out[n] = (char)*c;
    out[n] = 0;
    return n;
}

typedef struct {
    warp *w;
    unsigned lane;
    uint64_t args, used; /* where the argument buffer is, and how far it is read */
    char out[2048];
    size_t n;
} printer;

static uint64_t next_argument(printer *p, unsigned bytes) {
    p->used = (p->used + bytes - 1) & ~(uint64_t)(bytes - 1);
    const uint8_t *at = bytes_at(p->w, p->lane, p->args + p->used, bytes);
    uint64_t v = 0;
    if (at) memcpy(&v, at, bytes);
    p->used += bytes;
    return v;
}

static void put_text(printer *p, const char *text, size_t n) {
    for (size_t k = 0; k < n && p->n + 1 < sizeof p->out; k++) p->out[p->n++] = text[k];
}

/* One conversion, its flags, width and precision already in `spec`; `wide`: 64-bit integers. */
static void put_conversion(printer *p, char *spec, size_t n, char c, bool wide) {
    char text[512];
    int got = 0;
    double d;
    uint64_t v;
    if (strchr("eEfFgGaA", c)) {
        v = next_argument(p, 8);
        memcpy(&d, &v, 8);
        spec[n] = c, spec[n + 1] = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        got = snprintf(text, sizeof text, spec, d);
    } else if (c == 's') {
        char s[400];
        text_at(p->w, p->lane, next_argument(p, 8), s, sizeof s);
        spec[n] = 's', spec[n + 1] = 0;
        got = snprintf(text, sizeof text, spec, s);
    } else if (c == 'p')
        got = snprintf(text, sizeof text, "0x%llx", (unsigned long long)next_argument(p, 8));
    else if (c == 'c') {
        spec[n] = 'c', spec[n + 1] = 0;
        got = snprintf(text, sizeof text, spec, (int)next_argument(p, 4));
    } else {
        v = next_argument(p, wide ? 8 : 4);
        bool is_signed = c == 'd' || c == 'i';
        memcpy(spec + n, (char[]){'l', 'l', c, 0}, 4);
        long long s = wide ? (long long)v : (int32_t)v;
        got = is_signed ? snprintf(text, sizeof text, spec, s)
                        : snprintf(text, sizeof text, spec, (unsigned long long)v);
#pragma GCC diagnostic pop
    }
    if (got > 0) put_text(p, text, (size_t)got < sizeof text ? (size_t)got : sizeof text - 1);
}

/* Formats as the device's printf: arguments lie in a buffer, each aligned to its size. */
static void print_lane(printer *p, const char *format) {
    for (const char *c = format; *c; c++) {
        char spec[64] = "%";
        size_t n = 1;
        bool wide = false;
        if (*c != '%' || c[1] == '%') {
            put_text(p, c, 1);
            c += *c == '%';
            continue;
        }
        for (c++; *c && strchr("-+ #0123456789.*lhzjt", *c); c++) {
            if (strchr("lzjt", *c))
                wide = true;
            else if (*c == '*')
                n += (size_t)snprintf(spec + n, sizeof spec - n, "%d", (int)next_argument(p, 4));
            else if (*c != 'h')
                spec[n++] = *c;
            if (n > 40) n = 40;
        }
        if (!*c || !strchr("diouxXeEfFgGaAcsp", *c)) break;
        put_conversion(p, spec, n, *c, wide);
    }
}

/* The result of one lane. */
static void give(warp *w, unsigned lane, const int32_t *results, uint64_t v, unsigned bytes) {
    uint64_t at = w->cur->local + (uint32_t)results[1];
    memcpy(local_at(w, lane, at), &v, bytes);
    local_mark(w, 1u << lane, at, bytes, true);
}

static uint64_t argument(const warp *w, unsigned lane, const int32_t *args, int k) {
    uint64_t v;
    memcpy(&v, local_at(w, lane, w->cur->local + (uint32_t)args[1 + 2 * k]), 8);
    return v;
}

static void print(warp *w, const ins *i, const int32_t *args, const int32_t *results,
                  uint32_t mask) {
    (void)i;
    EACH_LANE(l, mask) {
        char format[1024];
        printer p = {.w = w, .lane = l};
        p.args = argument(w, l, args, 1);
        text_at(w, l, argument(w, l, args, 0), format, sizeof format);
        print_lane(&p, format);
        find_print(w, p.out, p.n);
        if (results[0]) give(w, l, results, (uint32_t)p.n, 4);
    }
}

/* __assertfail(message, file, line, function, char size) */
static void assertion(warp *w, const ins *i, const int32_t *args, const int32_t *results,
                      uint32_t mask) {
    unsigned l = (unsigned)__builtin_ctz(mask);
    char part[4][100] = {{0}};
    (void)results;
    for (int k = 0; k < 4; k++)
        if (k != 2) text_at(w, l, argument(w, l, args, k), part[k], sizeof part[k]);
    uint32_t line;
    memcpy(&line, local_at(w, l, w->cur->local + (uint32_t)args[5]), 4);
    char text[400];
    snprintf(text, sizeof text, "assertion `%s' failed in %s (%s:%u)", part[0], part[3], part[1],
             line);
    flow_fault(w, i, mask, PTX_ASSERT, text);
}

/* The heap is one for all blocks: its calls come one at a time, at the end of a round. */
static bool must_wait(warp *w, const ins *i, uint32_t mask) {
    if (w->serial || w->b->ln->n_blocks == 1) return false;
    split_block(w, i, mask, SPLIT_ROUND);
    return true;
}

static void allocate(warp *w, const ins *i, const int32_t *args, const int32_t *results,
                     uint32_t mask) {
    if (must_wait(w, i, mask)) return;
    const ptx_memory *m = w->b->ln->p->memory;
    EACH_LANE(l, mask)
    give(w, l, results, m && m->heap ? heap_get(m->heap, argument(w, l, args, 0)) : 0, 8);
    w->b->ln->changed = true;
}

static void release(warp *w, const ins *i, const int32_t *args, const int32_t *results,
                    uint32_t mask) {
    if (must_wait(w, i, mask)) return;
    const ptx_memory *m = w->b->ln->p->memory;
    (void)results;
    EACH_LANE(l, mask) {
        uint64_t at = argument(w, l, args, 0);
        const char *wrong = !at ? NULL : m && m->heap ? heap_drop(m->heap, at) : "no heap";
        if (wrong) flow_fault(w, i, 1u << l, PTX_ILLEGAL_ADDRESS, wrong);
    }
    w->b->ln->changed = true;
}

/* Functions that the device has without a body, with the bytes of their arguments. */
static const struct {
    const char *name;
    void (*run)(warp *w, const ins *i, const int32_t *args, const int32_t *results, uint32_t mask);
    int32_t n, bytes[5], result;
} calls[] = {{"vprintf", print, 2, {8, 8}, 0},
             {"__assertfail", assertion, 5, {8, 8, 4, 8, 8}, 0},
             {"malloc", allocate, 1, {8}, 8},
             {"free", release, 1, {8}, 0}};

int system_call(const char *name) {
    for (int k = 0; k < (int)(sizeof calls / sizeof *calls); k++)
        if (!strcmp(calls[k].name, name)) return k;
    return -1;
}

void x_system(warp *w, const ins *i, uint32_t mask) {
    const int32_t *results = &w->b->ln->module->list.at[i->e], *args = results + 1 + 2 * results[0];
    bool fits = args[0] == calls[i->sub].n;
    for (int32_t k = 0; fits && k < args[0]; k++) fits = args[2 + 2 * k] >= calls[i->sub].bytes[k];
    if (calls[i->sub].result) fits &= results[0] == 1 && results[2] >= calls[i->sub].result;
    if (fits)
        calls[i->sub].run(w, i, args, results, mask);
    else
        flow_fault(w, i, mask, PTX_ILLEGAL_INSTRUCTION, "a system call has wrong arguments");
}
