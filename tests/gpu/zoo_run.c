/* zoo_run.c - one case of the zoo on one device: fill, upload, launch, run the oracle, compare. */
#include "zoo.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nvrtc.h"

#ifndef ZOO_DIR
#define ZOO_DIR "tests/gpu/zoo"
#endif

static const size_t type_size[] = {[ZOO_F32] = 4, [ZOO_F16] = 2, [ZOO_BF16] = 2, [ZOO_I32] = 4,
                                   [ZOO_U32] = 4, [ZOO_I8] = 1,  [ZOO_U8] = 1};

size_t zoo_count(void) {
    size_t n = 0;
    for (size_t i = 0; zoo_vector_cases[i]; i++) n++;
    for (size_t i = 0; zoo_matrix_cases[i]; i++) n++;
    return n;
}

const zoo_case *zoo_at(size_t i) {
    size_t k = 0;
    while (k < i && zoo_vector_cases[k]) k++;
    return zoo_vector_cases[k] ? zoo_vector_cases[k] : zoo_matrix_cases[i - k];
}

bool zoo_fits(const zoo_case *c, unsigned sm) {
    return c->only_sm ? sm == c->only_sm : sm >= c->min_sm;
}

unsigned zoo_arch(const zoo_case *c, unsigned sm) {
    return c->only_sm ? c->only_sm + NVRTC_OWN : sm;
}

/* ---- narrow floats --------------------------------------------------------------------------- */

/* Bits of `x` with `frac` bits of fraction and the exponent range that `bias` and 16 bits leave. */
static uint16_t narrow(double x, int frac, int bias) {
    uint16_t sign = signbit(x) ? 0x8000u : 0u, inf = (uint16_t)(0x7fffu >> frac << frac);
    if (isnan(x)) return 0x7fff;
    int e;
    double m = frexp(fabs(x), &e); /* |x| = m 2^e, m in [0.5, 1) */
    if (m == 0.0 || isinf(x)) return (uint16_t)(sign | (m == 0.0 ? 0u : inf));
    int least = 1 - bias - frac; /* exponent of the smallest subnormal */
    int unit = e - 1 - frac > least ? e - 1 - frac : least;
    double steps = nearbyint(ldexp(m, e - unit));
    double bits = unit == least ? steps : steps + ldexp((double)(unit - least), frac);
    return (uint16_t)(sign | (bits >= (double)inf ? inf : (uint16_t)bits));
}

static double widen(uint16_t bits, int frac, int bias) {
    int exponent = (bits & 0x7fff) >> frac, top = 0x7fff >> frac;
    double m = bits & ((1 << frac) - 1), x;
    if (exponent == top)
        x = m == 0.0 ? (double)INFINITY : (double)NAN;
    else if (exponent == 0)
        x = ldexp(m, 1 - bias - frac);
    else
        x = ldexp(m + (1 << frac), exponent - bias - frac);
    return bits & 0x8000 ? -x : x;
}

uint16_t zoo_to_f16(double x) {
    return narrow(x, 10, 15);
}
uint16_t zoo_to_bf16(double x) {
    return narrow(x, 7, 127);
}
double zoo_from_f16(uint16_t bits) {
    return widen(bits, 10, 15);
}
double zoo_from_bf16(uint16_t bits) {
    return widen(bits, 7, 127);
}

/* ---- data ------------------------------------------------------------------------------------ */

static uint64_t next_random(uint64_t *state) {
    uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static double draw(const zoo_buffer *b, uint64_t *state) {
    uint64_t r = next_random(state);
    if (b->fill == ZOO_NORMAL) {
        double u = ((double)(r >> 32) + 1.0) / 4294967297.0;
        double v = (double)(r & 0xffffffffu) / 4294967296.0;
        return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
    }
    double n = b->lo + (double)(r >> 33) / 2147483648.0 * ((double)b->hi - b->lo + 1.0);
    return b->fill == ZOO_EIGHTHS ? floor(n) / 8.0 : b->fill == ZOO_RANGE ? floor(n) : 0.0;
}

static void put(zoo_type type, void *at, size_t i, double x) {
    switch (type) {
    case ZOO_F32: ((float *)at)[i] = (float)x; break;
    case ZOO_F16: ((uint16_t *)at)[i] = zoo_to_f16(x); break;
    case ZOO_BF16: ((uint16_t *)at)[i] = zoo_to_bf16(x); break;
    case ZOO_I32: ((int32_t *)at)[i] = (int32_t)x; break;
    case ZOO_U32: ((uint32_t *)at)[i] = (uint32_t)x; break;
    case ZOO_I8: ((int8_t *)at)[i] = (int8_t)x; break;
    case ZOO_U8: ((uint8_t *)at)[i] = (uint8_t)x; break;
    }
}

static double get(zoo_type type, const void *at, size_t i) {
    switch (type) {
    case ZOO_F32: return (double)((const float *)at)[i];
    case ZOO_F16: return zoo_from_f16(((const uint16_t *)at)[i]);
    case ZOO_BF16: return zoo_from_bf16(((const uint16_t *)at)[i]);
    case ZOO_I32: return ((const int32_t *)at)[i];
    case ZOO_U32: return ((const uint32_t *)at)[i];
    case ZOO_I8: return ((const int8_t *)at)[i];
    case ZOO_U8: return ((const uint8_t *)at)[i];
    }
    return 0.0;
}

/* ---- one run --------------------------------------------------------------------------------- */

typedef struct {
    void *want[ZOO_MAX_BUFFERS], *got[ZOO_MAX_BUFFERS];
    uint64_t address[ZOO_MAX_BUFFERS];
} zoo_memory;

static unsigned n_buffers(const zoo_case *c) {
    unsigned n = 0;
    while (n < ZOO_MAX_BUFFERS && c->buffers[n].count) n++;
    return n;
}

static size_t bytes_of(const zoo_buffer *b) {
    return b->count * type_size[b->type];
}

static int upload(dev *d, const zoo_case *c, zoo_memory *m, uint64_t seed) {
    uint64_t state = seed * 0x2545f4914f6cdd1du + 1;
    for (unsigned i = 0; i < n_buffers(c); i++) {
        const zoo_buffer *b = &c->buffers[i];
        m->want[i] = malloc(bytes_of(b));
        m->got[i] = malloc(bytes_of(b));
        if (!m->want[i] || !m->got[i]) return 2;
        for (size_t k = 0; k < b->count; k++) put(b->type, m->want[i], k, draw(b, &state));
        int code = d->ops->alloc(d, bytes_of(b), &m->address[i]);
        if (code == 0 && b->fill != ZOO_FRESH)
            code = d->ops->write(d, m->address[i], m->want[i], bytes_of(b));
        if (code != 0) return code;
    }
    return 0;
}

typedef struct {
    _Alignas(64) uint8_t bytes[ZOO_MAX_MAPS][DEV_MAP_BYTES];
} map_room;

static int make_maps(dev *d, const zoo_case *c, const zoo_memory *m, map_room *room) {
    int code = 0;
    for (unsigned i = 0; i < ZOO_MAX_MAPS && c->maps[i].rows && code == 0; i++) {
        const zoo_map *z = &c->maps[i];
        const uint32_t element = (uint32_t)type_size[c->buffers[z->buffer].type];
        const dev_map map = {.address = m->address[z->buffer],
                             .dim = {z->columns, z->rows},
                             .stride = (uint64_t)z->columns * element,
                             .box = {z->box[0], z->box[1]},
                             .element = element,
                             .swizzle = z->swizzle};
        code = d->ops->map(d, &map, room->bytes[i]);
    }
    return code;
}

static int launch(dev *d, const zoo_launch *z, const zoo_memory *m, const map_room *maps,
                  uint64_t seed, uint64_t limit, bool count) {
    dev_launch l = {.kernel = z->kernel,
                    .cooperative = z->cooperative,
                    .seed = seed,
                    .limit = limit,
                    .count = count};
    memcpy(l.grid, z->grid, sizeof l.grid);
    memcpy(l.block, z->block, sizeof l.block);
    for (; l.n_args < DEV_MAX_ARGS && z->args[l.n_args].kind != ZOO_NO_ARG; l.n_args++) {
        const zoo_arg *a = &z->args[l.n_args];
        dev_arg *to = &l.args[l.n_args];
        switch (a->kind) {
        case ZOO_BUF: *to = (dev_arg){&m->address[a->i], 8}; break;
        case ZOO_INT: *to = (dev_arg){&a->i, 4}; break;
        case ZOO_FLOAT: *to = (dev_arg){&a->f, 4}; break;
        case ZOO_LONG: *to = (dev_arg){&a->u, 8}; break;
        case ZOO_MAP: *to = (dev_arg){maps->bytes[a->i], DEV_MAP_BYTES}; break;
        case ZOO_NO_ARG: break;
        }
    }
    return d->ops->launch(d, &l);
}

static bool close_enough(const zoo_buffer *b, double got, double want) {
    if (b->abs == 0.0 && b->rel == 0.0) return got == want && signbit(got) == signbit(want);
    return fabs(got - want) <= b->abs + b->rel * fabs(want);
}

static bool same(const zoo_case *c, const zoo_memory *m, char *why, size_t cap) {
    for (unsigned i = 0; i < n_buffers(c); i++) {
        const zoo_buffer *b = &c->buffers[i];
        for (size_t k = 0; k < b->count; k++) {
            double got = get(b->type, m->got[i], k), want = get(b->type, m->want[i], k);
            if (!close_enough(b, got, want)) {
                snprintf(why, cap, "buffer %u [%zu]: %.9g, not %.9g", i, k, got, want);
                return false;
            }
        }
    }
    return true;
}

static zoo_verdict judge(dev *d, const zoo_case *c, zoo_memory *m, char *why, size_t cap) {
    for (unsigned i = 0; i < n_buffers(c); i++)
        if (d->ops->read(d, m->got[i], m->address[i], bytes_of(&c->buffers[i])) != 0)
            return ZOO_FAILED;
    c->oracle(m->want);
    if (d->reports > 0) {
        snprintf(why, cap, "%s", d->why);
        return ZOO_REPORTED;
    }
    if (c->conflict_free && d->conflicts > 0) {
        snprintf(why, cap, "%llu bank conflicts", (unsigned long long)d->conflicts);
        return ZOO_REPORTED;
    }
    return same(c, m, why, cap) ? ZOO_CLEAN : ZOO_WRONG;
}

zoo_verdict zoo_run(dev *d, const zoo_case *c, const char *ptx, uint64_t seed, uint64_t limit,
                    char *why, size_t cap) {
    zoo_memory m = {{0}, {0}, {0}};
    zoo_verdict verdict = ZOO_FAILED;
    d->ops->reset(d);
    int code = d->ops->load(d, ptx, strlen(ptx));
    if (code == 0) code = upload(d, c, &m, seed);
    map_room maps;
    if (code == 0) code = make_maps(d, c, &m, &maps);
    for (unsigned i = 0; code == 0 && i < ZOO_MAX_LAUNCHES && c->launches[i].kernel; i++)
        code = launch(d, &c->launches[i], &m, &maps, seed, limit, c->conflict_free);
    if (code == 0)
        verdict = judge(d, c, &m, why, cap);
    else
        snprintf(why, cap, "error %d: %s", code, d->why);
    for (unsigned i = 0; i < ZOO_MAX_BUFFERS; i++) {
        free(m.want[i]);
        free(m.got[i]);
    }
    return verdict;
}

/* ---- the kernels' text ----------------------------------------------------------------------- */

char *zoo_read_file(const char *path) {
    FILE *f = fopen(path, "rb");
    char *text = NULL;
    if (!f) return NULL;
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    if (size >= 0 && fseek(f, 0, SEEK_SET) == 0 && (text = malloc((size_t)size + 1)) != NULL) {
        size_t n = fread(text, 1, (size_t)size, f);
        text[n] = '\0';
    }
    fclose(f);
    return text;
}

char *zoo_ptx(const char *file, unsigned sm, char *why, size_t cap) {
    static const unsigned kept[] = {100, 80, 75}; /* the two front ends, and before cp.async */
    char path[256];
    snprintf(path, sizeof path, "%s/%s.cu", ZOO_DIR, file);
    char *source = zoo_read_file(path), *ptx = NULL;
    if (source && nvrtc_present()) {
        ptx = nvrtc_compile(source, path, sm, true, why, cap);
        free(source);
        return ptx;
    }
    free(source);
    for (size_t i = 0; !ptx && i < sizeof kept / sizeof *kept; i++) {
        bool own = sm > NVRTC_OWN;
        snprintf(path, sizeof path, "%s/ptx/%s.%u%s.ptx", ZOO_DIR, file,
                 own ? sm - NVRTC_OWN : kept[i], own ? "a" : "");
        if (kept[i] <= sm) ptx = zoo_read_file(path);
    }
    if (!ptx) snprintf(why, cap, "no PTX for %s on sm_%u", file, sm);
    return ptx;
}
