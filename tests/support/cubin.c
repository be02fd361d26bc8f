/* cubin.c - see cubin.h. Opcodes and fields are those of sm_75 to sm_120: an instruction has 16 bytes, its opcode is the low 12 bits, of which
 * the upper three say where the operands are; a relative branch counts from the next instruction. */
#include "tests/support/cubin.h"

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIZE = 16 };

typedef struct code {
    const unsigned char *p;
    size_t n; /* instructions */
} code;

typedef struct inst {
    uint64_t low, high;
} inst;

static inst at(const code *c, size_t i) {
    inst x;
    memcpy(&x, c->p + i * SIZE, sizeof x);
    return x;
}

static bool find_text(const void *cubin, size_t bytes, const char *name, code *out) {
    const unsigned char *b = cubin;
    Elf64_Ehdr h;
    if (bytes < sizeof h || memcmp(b, ELFMAG, SELFMAG) != 0) return false;
    memcpy(&h, b, sizeof h);
    const Elf64_Shdr *s = (const Elf64_Shdr *)(const void *)(b + h.e_shoff);
    const char *names = (const char *)b + s[h.e_shstrndx].sh_offset;
    for (unsigned i = 0; i < h.e_shnum; i++) {
        const char *own = names + s[i].sh_name;
        if (strncmp(own, ".text.", 6) != 0 || strcmp(own + 6, name) != 0) continue;
        *out = (code){b + s[i].sh_offset, s[i].sh_size / SIZE};
        return true;
    }
    return false;
}

/* FFMA in any of its forms: with registers, constants, uniform registers. */
static bool is_ffma(inst x) {
    return (x.low & 0x1ff) == 0x023;
}

static unsigned width_of(inst x) {
    const unsigned w = x.high >> 9 & 7;
    return w == 6 ? CUBIN_128 : w == 5 ? CUBIN_64 : CUBIN_OTHER;
}

/* Where branch i goes; n: it is none, or leaves. */
static size_t target_of(const code *c, size_t i, bool old) {
    const inst x = at(c, i);
    const unsigned op = x.low & 0xfff;
    if (op != 0x947 && op != 0x547) return c->n;
    int64_t far;
    if (old) /* sm_75 and sm_80: a number of bytes from bit 32 on */
        far = (int64_t)((x.low >> 32 | x.high << 32) << 14) >> 14;
    else /* from bit 34 on, and below that eight bits at bit 16: in fours */
        far = ((int64_t)((x.low >> 34 | x.high << 30) << 16) >> 16) * 1024 +
              (int64_t)(x.low >> 16 & 0xff) * 4;
    const int64_t to = (int64_t)i + 1 + far / SIZE;
    return to < 0 || to > (int64_t)c->n ? c->n : (size_t)to;
}

/* The loops of a kernel begin behind and end with a branch back; the last instructions are a branch to itself. */
static void find_loop(const code *c, bool old, cubin_kernel *k) {
    for (size_t i = 0; i < c->n; i++) {
        const size_t from = target_of(c, i, old);
        unsigned ffma = 0;
        if (from >= i) continue;
        for (size_t j = from; j <= i; j++) ffma += is_ffma(at(c, j));
        const unsigned all = (unsigned)(i + 1 - from);
        if ((uint64_t)ffma * k->loop <= (uint64_t)k->loop_ffma * all && k->loop) continue;
        k->loop = all;
        k->loop_ffma = ffma;
    }
}

static void count(const code *c, cubin_kernel *k) {
    for (size_t i = 0; i < c->n; i++) {
        const inst x = at(c, i);
        switch (x.low & 0xfff) {
        case 0x981:
        case 0x381: /* LDG */
        case 0x986:
        case 0x386: k->global[width_of(x)]++; break; /* STG */
        case 0x984:
        case 0x388:
        case 0x988: k->shared[width_of(x)]++; break; /* LDS, STS */
        case 0x983:
        case 0x387:
        case 0x987: k->local++; break; /* LDL, STL */
        case 0x308: k->mufu++; break;
        case 0xb1d: k->barriers++; break;
        default: k->ffma += is_ffma(x);
        }
        k->all++;
    }
}

/* "Compiling entry function 'NAME' for 'sm_80'", then lines about it. */
static bool read_log(const char *log, const char *name, bool *old, cubin_kernel *k) {
    char quoted[200];
    snprintf(quoted, sizeof quoted, "entry function '%s' for 'sm_", name);
    const char *s = log ? strstr(log, quoted) : NULL, *next, *frame, *used;
    unsigned stored = 0, loaded = 0;
    if (!s) return false;
    s += strlen(quoted);
    *old = atoi(s) < 90;
    next = strstr(s, "entry function");
    frame = strstr(s, "bytes stack frame");
    used = strstr(s, "Used ");
    if (!frame || !used || (next && next < used)) return false;
    while (frame > s && frame[-1] != '\n') frame--;
    frame += strcspn(frame, "0123456789");
    if (sscanf(frame, "%u bytes stack frame, %u bytes spill stores, %u bytes spill loads",
               &k->frame, &stored, &loaded) != 3)
        return false;
    k->spilled = stored + loaded;
    return sscanf(used, "Used %u registers", &k->registers) == 1;
}

bool cubin_read(const void *cubin, size_t bytes, const char *log, const char *name,
                cubin_kernel *out) {
    code c;
    bool old = false;
    *out = (cubin_kernel){0};
    if (!find_text(cubin, bytes, name, &c) || !read_log(log, name, &old, out)) return false;
    count(&c, out);
    find_loop(&c, old, out);
    return true;
}
