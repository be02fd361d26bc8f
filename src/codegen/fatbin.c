/* fatbin.c - machine code and PTX of one text in one image: a driver takes the code when it is of its device's kind, else the PTX.
 *
 *      header 16   magic, version 1, bytes of it, bytes behind it
 *      entry 64    kind 2: cubin ; then its bytes, to a multiple of 8 ; as many as there are kinds of GPUs
 *      entry 80    kind 1: PTX, with an empty list of options ; then its text, to a multiple of 8
 *
 * As NVIDIA's `fatbinary --compress=false` writes it; tests/test_nvrtc.c compares byte by byte where that tool is. */
#include "src/codegen/nvrtc.h"

#include <stdlib.h>
#include <string.h>

enum {
    HEADER = 16,
    ENTRY = 64,
    OPTIONS = 16,
    PTX = 1,
    CUBIN = 2,
    FLAGS = 0x11 /* 64 bits, Linux */
};

static size_t padded(size_t n) {
    return (n + 7) & ~(size_t)7;
}

static void put(unsigned char *at, uint64_t v, unsigned bytes) {
    for (unsigned i = 0; i < bytes; i++) at[i] = (unsigned char)(v >> 8 * i);
}

/* An entry's header, `options` bytes longer than it must be. */
static unsigned char *put_entry(unsigned char *at, unsigned kind, size_t options, const void *bytes,
                                size_t n, unsigned major, unsigned minor, unsigned arch) {
    put(at, kind, 2);
    put(at + 2, 0x101, 2);
    put(at + 4, ENTRY + options, 4);
    put(at + 8, padded(n), 8);
    put(at + 20, options ? ENTRY : 0, 4);
    put(at + 24, minor, 2);
    put(at + 26, major, 2);
    put(at + 28, arch, 4);
    put(at + 40, FLAGS, 8);
    if (options) put(at + ENTRY, ENTRY + 8, 4);
    memcpy(at + ENTRY + options, bytes, n);
    return at + ENTRY + options + padded(n);
}

/* The number behind `word` in the PTX's head: ".version 9.0". */
static const char *behind(const char *ptx, const char *word) {
    const char *at = strstr(ptx, word);
    return at ? at + strlen(word) : "";
}

void *fatbin_of(const nvrtc_image *i, const unsigned *cc, unsigned n, size_t *bytes) {
    size_t code = 0;
    for (unsigned k = 0; k < n; k++)
        if (i[k].cubin) code += ENTRY + padded(i[k].cubin_bytes);
    *bytes = HEADER + code + ENTRY + OPTIONS + padded(i->ptx_bytes);
    unsigned char *all = bz_mem_zero(*bytes, 1), *at = all;
    if (!all) return NULL;
    put(at, 0xBA55ED50u, 4);
    put(at + 4, 1, 2);
    put(at + 6, HEADER, 2);
    put(at + 8, *bytes - HEADER, 8);
    at += HEADER;
    for (unsigned k = 0; k < n; k++)
        if (i[k].cubin)
            at = put_entry(at, CUBIN, 0, i[k].cubin, i[k].cubin_bytes, 1,
                           ((const unsigned char *)i[k].cubin)[8], cc[k]);
    char *end;
    const long major = strtol(behind(i->ptx, ".version "), &end, 10);
    const long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    put_entry(at, PTX, OPTIONS, i->ptx, i->ptx_bytes, (unsigned)major, (unsigned)minor, *cc);
    return all;
}
