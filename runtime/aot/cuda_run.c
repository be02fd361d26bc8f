/* cuda_run.c - see cuda_run.h: a launch for each segment of an image, its grid and arguments, and the run. */
#include "runtime/aot/cuda_run.h"

#include <stdio.h>
#include <string.h>

enum {
    BLOCK = 128,        /* threads of a block whose tasks are threads */
    BLOCKS_MOST = 8,    /* blocks for each processor; the rest of the tasks are taken by these */
    SCRATCH_BLOCKS = 2, /* the same where threads want memory of their own */
    MORE_ARGS = 3,      /* scratch, error, tasks */
    WORD = sizeof(uint64_t),
};

static const int64_t no_error = INT64_MAX;

BZ_RT_WEAK bz_rt_cuda_grid bz_rt_cuda_grid_of(unsigned processors, unsigned threads,
                                              uint64_t scratch, int64_t tasks) {
    const int64_t each = threads ? 1 : BLOCK;
    const int64_t wanted = (tasks + each - 1) / each;
    int64_t most = (int64_t)processors * (scratch ? SCRATCH_BLOCKS : BLOCKS_MOST);
    if (threads && !scratch) most = INT32_MAX;
    return (bz_rt_cuda_grid){.blocks = (unsigned)(wanted < most ? wanted : most),
                             .threads = threads ? threads : BLOCK};
}

/* ---- laid out */

static const bz_rt_segment *segment_of(const bz_rt_image *v, uint32_t i) {
    return v->phases[0].segments + i; /* those of all phases lie one behind the other */
}

/* Puts launches [first, end) into `to`, if that is not NULL; how many stretches it is. */
static uint32_t add_stretch(const bz_rt_cuda_run *r, bz_rt_cuda_stretch *to, uint32_t first,
                            uint32_t end) {
    bz_rt_cuda_stretch s = {.first = first, .end = end};
    uint32_t real = 0;
    if (first == end) return 0;
    for (uint32_t i = first; i < end; i++) {
        s.reports |= r->cuda->codes[i].reports != 0;
        real += segment_of(&r->image, i)->tasks > 0 && !r->cuda->codes[i].led;
    }
    s.plain = real < 2 || !r->graphs;
    if (to) *to = s;
    return 1;
}

static uint32_t find_stretches(const bz_rt_cuda_run *r, bz_rt_cuda_stretch *to) {
    const bz_rt_image *v = &r->image;
    uint32_t first = 0, i = 0, n = 0;
    bool reported = false;
    for (uint32_t ph = 0; ph < v->nphases; ph++) {
        if (reported && (v->phases[ph].flags & BZ_RT_CHANGES)) {
            n += add_stretch(r, to ? to + n : NULL, first, i);
            reported = false;
            first = i;
        }
        for (uint32_t k = v->phases[ph].nsegments; k-- > 0; i++)
            reported |= r->cuda->codes[i].reports != 0;
    }
    return n + add_stretch(r, to ? to + n : NULL, first, i);
}

static size_t words_of(const bz_rt_cuda_code *c) {
    return (size_t)c->buffers + c->extents + c->scalars;
}

static size_t args_of(const bz_rt_cuda_code *c) {
    return (c->led ? 0 : c->rows ? 1 : words_of(c)) + MORE_ARGS;
}

static bool has_rows(const bz_rt_cuda_code *c) {
    return c->rows && !c->led;
}

/* A copy of the caller's struct, and 8 bytes more. */
static size_t struct_bytes(const bz_rt_cuda_run *r) {
    return (r->args_bytes + WORD - 1) / WORD * WORD + WORD;
}

BZ_RT_WEAK size_t bz_rt_cuda_room(const bz_rt_cuda_run *r) {
    const size_t n = (size_t)r->cuda->ncodes, stretches = find_stretches(r, NULL);
    size_t args = 0, rows = 0;
    for (size_t i = 0; i < n; i++) args += args_of(&r->cuda->codes[i]);
    for (size_t i = 0; i < n; i++) rows += has_rows(&r->cuda->codes[i]);
    return n * sizeof *r->launches + stretches * (sizeof *r->stretches + struct_bytes(r)) +
           rows * sizeof(bz_rt_cuda_rows) + (r->image.nplaces + args) * sizeof(void *) +
           n * sizeof *r->nodes + struct_bytes(r);
}

BZ_RT_WEAK void bz_rt_cuda_fill(const bz_rt_cuda_run *r, uint32_t i) {
    bz_rt_cuda_rows *rows = r->launches[i].rows;
    int64_t task = 0;
    const bz_rt_cuda_code *c;
    if (!rows) return;
    uint64_t *word = rows->word;
    do {
        const bz_rt_segment *s = segment_of(&r->image, i);
        c = &r->cuda->codes[i];
        for (uint32_t b = 0; b < c->buffers; b++)
            *word++ = (uint64_t)(uintptr_t)r->work.table[s->buffers + b];
        for (uint32_t x = 0; x < c->extents; x++) *word++ = (uint64_t)s->extents[x];
        for (uint32_t x = 0; x < c->scalars; x++)
            memcpy(word++, r->args + r->image.places[s->scalars + x].field, WORD);
        *word++ = (uint64_t)task;
        task += s->tasks;
    } while ((i = c->next));
}

/* Tasks of the segments that launch i runs. */
static int64_t tasks_of(const bz_rt_cuda_run *r, uint32_t i) {
    int64_t tasks = segment_of(&r->image, i)->tasks;
    if (r->cuda->codes[i].led) return 0;
    while ((i = r->cuda->codes[i].next)) tasks += segment_of(&r->image, i)->tasks;
    return tasks;
}

/* What the function of launch i is called with; the table's entries change from run to run, not their places. */
static void make_launch(bz_rt_cuda_run *r, uint32_t i, void **args, bz_rt_cuda_rows *rows) {
    const bz_rt_segment *s = segment_of(&r->image, i);
    const bz_rt_cuda_code *c = &r->cuda->codes[i];
    bz_rt_cuda_launch *l = &r->launches[i];
    *l = (bz_rt_cuda_launch){.tasks = tasks_of(r, i), .first = s->buffers, .args = args};
    if (c->led) return;
    l->grid = bz_rt_cuda_grid_of(r->processors, c->threads, c->scratch, l->tasks);
    const uint64_t own = (uint64_t)l->grid.blocks * l->grid.threads * c->scratch;
    if (own > r->scratch_bytes) r->scratch_bytes = own;
    r->reports |= c->reports != 0;
    if (c->rows) {
        *rows = (bz_rt_cuda_rows){.n = c->rows, .tasks = l->tasks};
        *args++ = l->rows = rows;
    }
    for (uint32_t b = 0; b < c->buffers && !c->rows; b++)
        *args++ = &r->work.table[s->buffers + b];
    for (uint32_t x = 0; x < c->extents && !c->rows; x++)
        *args++ = (void *)(uintptr_t)&s->extents[x];
    for (uint32_t x = 0; x < c->scalars && !c->rows; x++)
        *args++ = r->args + r->image.places[s->scalars + x].field;
    *args++ = &r->memory.scratch;
    *args++ = &r->memory.error;
    *args++ = &l->tasks;
}

BZ_RT_WEAK void bz_rt_cuda_lay_out(bz_rt_cuda_run *r, void *room) {
    const uint32_t n = (uint32_t)r->cuda->ncodes;
    r->launches = room;
    r->stretches = (bz_rt_cuda_stretch *)(r->launches + n);
    r->nstretches = find_stretches(r, r->stretches);
    r->work.table = (void **)(r->stretches + r->nstretches);
    r->nodes = (cu_node *)(r->work.table + r->image.nplaces);
    void **args = (void **)(r->nodes + n);
    char *structs = (char *)args;
    for (uint32_t i = 0; i < n; i++) structs += args_of(&r->cuda->codes[i]) * sizeof *args;
    bz_rt_cuda_rows *rows = (bz_rt_cuda_rows *)(void *)structs;
    for (uint32_t i = 0; i < n; i++) structs += has_rows(&r->cuda->codes[i]) * sizeof *rows;
    r->args = structs;
    memset(structs, 0, struct_bytes(r) * (1 + (size_t)r->nstretches));
    for (uint32_t s = 0; s < r->nstretches; s++) r->stretches[s].bound = structs += struct_bytes(r);
    r->scratch_bytes = 0;
    r->reports = false;
    for (uint32_t i = 0; i < n; i++) {
        make_launch(r, i, args, rows);
        args += args_of(&r->cuda->codes[i]);
        rows += has_rows(&r->cuda->codes[i]);
    }
    r->stale = r->reports;
}

BZ_RT_WEAK void bz_rt_cuda_drop(bz_rt_cuda_run *r) {
    for (uint32_t i = 0; i < r->nstretches; i++) bz_rt_cuda_graph_drop(r, &r->stretches[i]);
}

/* ---- run */

static cu_result check(bz_rt_cuda_run *r, cu_result code, const char *what) {
    r->failed = code ? what : NULL;
    r->of[0] = 0;
    return code;
}

/* ... of kernel i */
static cu_result check_of(bz_rt_cuda_run *r, uint32_t i, cu_result code, const char *what) {
    check(r, code, what);
    if (code) snprintf(r->of, sizeof r->of, "%s", r->cuda->codes[i].name);
    return code;
}

BZ_RT_WEAK cu_result bz_rt_cuda_allow(bz_rt_cuda_run *r) {
    cu_result code = CU_SUCCESS;
    for (uint32_t i = 0; i < r->cuda->ncodes && !code; i++) {
        const int shared = (int)r->cuda->codes[i].shared;
        if (shared)
            code = check_of(r, i, r->d->function_set(r->launches[i].f, CU_DYNAMIC, shared),
                            "cuFuncSetAttribute");
    }
    return code;
}

static cu_result launch_one(bz_rt_cuda_run *r, uint32_t i, cu_stream stream) {
    const bz_rt_cuda_launch *l = &r->launches[i];
    const unsigned shared = r->cuda->codes[i].shared;
    if (l->tasks == 0) return CU_SUCCESS;
    bz_rt_cuda_fill(r, i);
    return check_of(r, i,
                    r->d->launch(l->f, l->grid.blocks, 1, 1, l->grid.threads, 1, 1, shared, stream,
                                 l->args, NULL),
                    "cuLaunchKernel");
}

static cu_result launch_graph(bz_rt_cuda_run *r, const bz_rt_cuda_stretch *s, cu_stream stream) {
    const bz_rt_cuda_code *c = r->cuda->codes;
    const cu_result code = check(r, r->d->exec_launch(s->exec, stream), "cuGraphLaunch");
    if (code) snprintf(r->of, sizeof r->of, "%.70s to %.70s", c[s->first].name, c[s->end - 1].name);
    return code;
}

/* The first run may be the last: a graph costs more than it saves there. */
static cu_result launch_stretch(bz_rt_cuda_run *r, bz_rt_cuda_stretch *s, cu_stream stream) {
    cu_result code = CU_SUCCESS;
    if (s->exec)
        bz_rt_cuda_graph_bind(r, s);
    else if (!s->plain && r->runs)
        bz_rt_cuda_graph_make(r, s);
    if (s->exec) {
        code = launch_graph(r, s, stream);
        if (!code) r->launched = s->end;
        return code;
    }
    for (uint32_t i = s->first; i < s->end && !code; i++) {
        code = launch_one(r, i, stream);
        if (!code) r->launched = i + 1;
    }
    return code;
}

/* Bytes of the host's to the device, without a copy that would want them to stay: the slot for errors, a number of the call. */
static cu_result write_bytes(bz_rt_cuda_run *r, cu_address to, const void *from, size_t n,
                             cu_stream stream) {
    const unsigned char *p = from;
    cu_result code = CU_SUCCESS;
    for (size_t i = 0, same; i < n && !code; i += same) {
        for (same = 1; i + same < n && p[i + same] == p[i]; same++) continue;
        code = check(r, r->d->fill(to + i, p[i], same, stream), "cuMemsetD8Async");
    }
    return code;
}

static cu_address address_of(const bz_rt_cuda_run *r, const bz_rt_place *at) {
    switch (at->where) {
    case BZ_RT_ARG: return *(const uint64_t *)(const void *)(r->args + at->field) + at->at;
    case BZ_RT_ARENA: return r->memory.arena + at->at;
    case BZ_RT_BAKED: return (cu_address)(uintptr_t)r->image.baked[at->field] + at->at;
    default: return (cu_address)(uintptr_t)r->image.consts + at->at;
    }
}

static cu_result copies(bz_rt_cuda_run *r, uint32_t first, uint32_t last, cu_stream stream) {
    cu_result code = CU_SUCCESS;
    for (uint32_t i = first; i < last && !code; i++) {
        const bz_rt_copy *c = &r->image.copies[i];
        const cu_address to = address_of(r, &c->to);
        if (c->from.where == BZ_RT_VALUE) {
            code = write_bytes(r, to, r->args + c->from.field, (size_t)c->bytes, stream);
            continue;
        }
        const cu_address from = address_of(r, &c->from);
        if (to == from || !c->bytes) continue;
        code = check(r, r->d->copy(to, from, (size_t)c->bytes, stream), "cuMemcpyDtoDAsync");
    }
    return code;
}

static cu_result look_at_errors(bz_rt_cuda_run *r, cu_stream stream, int64_t reported[2]) {
    cu_result code =
        check(r, r->d->copy_out(reported, r->memory.error, 2 * sizeof *reported, stream),
              "cuMemcpyDtoHAsync");
    if (!code) code = check(r, r->d->stream_wait(stream), "cuStreamSynchronize");
    if (code) {
        r->d->stream_wait(stream); /* `reported` may go now */
        reported[0] = no_error;
    }
    r->stale = code || reported[0] != no_error;
    return code;
}

static cu_result go(bz_rt_cuda_run *r, cu_stream stream, int64_t reported[2]) {
    const bz_rt_image *v = &r->image;
    const int64_t none[2] = {no_error, 0};
    cu_result code =
        r->stale ? write_bytes(r, r->memory.error, none, sizeof none, stream) : CU_SUCCESS;
    r->stale = code != CU_SUCCESS;
    if (!code) code = copies(r, 0, v->nearly, stream);
    for (uint32_t i = 0; i < r->nstretches && !code; i++) {
        code = launch_stretch(r, &r->stretches[i], stream);
        r->stale |= r->stretches[i].reports;
        if (!code && r->stale) code = look_at_errors(r, stream, reported);
        if (reported[0] != no_error) return code;
    }
    return code ? code : copies(r, v->nearly, v->ncopies, stream);
}

BZ_RT_WEAK cu_result bz_rt_cuda_go(bz_rt_cuda_run *r, cu_stream stream, int64_t reported[2]) {
    reported[0] = no_error;
    reported[1] = 0;
    r->launched = 0;
    const cu_result code = go(r, stream, reported);
    r->runs++;
    return code;
}
