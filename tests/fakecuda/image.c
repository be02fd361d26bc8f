/* image.c - what may stand behind the pointer of a module load: PTX text, a cubin, a fatbin.
 *
 *      fatbin   [header 16: magic ba55ed50, version, size] ( [entry header: kind, size, arch,
 * flags] bytes )* cubin    an ELF file: code nobody can run here, but it says how many registers
 * each kernel has
 *
 * The PTX that runs is the one of the highest architecture the device can run; a cubin of the same
 * major architecture beside it gives the resource numbers. Compressed entries are LZ4 or zstd. */
#include "fake.h"

#include <dlfcn.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

static const uint32_t fatbin_magic = 0xBA55ED50u, wrapper_magic = 0x466243B1u;
enum { FATBIN_HEADER = 16, ENTRY_HEADER = 64 };
enum { KIND_PTX = 1, KIND_ELF = 2, FLAG_LZ4 = 0x2000, FLAG_ZSTD = 0x8000 };

static uint64_t get(const uint8_t *at, unsigned bytes) {
    uint64_t v = 0;
    memcpy(&v, at, bytes); /* files and machine are little-endian */
    return v;
}

/* ---- unpacking ------------------------------------------------------------------------------- */

/* An LZ4 block: runs of literals and copies of what was already written. Returns bytes written or
 * 0. */
static size_t lz4_unpack(const uint8_t *in, size_t n, uint8_t *out, size_t room) {
    size_t i = 0, o = 0;
    while (i < n) {
        const unsigned token = in[i++];
        size_t run = token >> 4;
        for (unsigned more = 255; run >= 15 && more == 255;) {
            if (i >= n) return 0;
            run += more = in[i++];
        }
        if (run > n - i || run > room - o) return 0;
        memcpy(out + o, in + i, run);
        i += run;
        o += run;
        if (i == n) return o;
        if (n - i < 2) return 0;
        const size_t back = (size_t)get(in + i, 2);
        i += 2;
        size_t match = (token & 15) + 4;
        for (unsigned more = 255; match >= 19 && more == 255;) {
            if (i >= n) return 0;
            match += more = in[i++];
        }
        if (back == 0 || back > o || match > room - o) return 0;
        for (size_t k = 0; k < match; k++, o++) out[o] = out[o - back];
    }
    return o;
}

static size_t zstd_unpack(const uint8_t *in, size_t n, uint8_t *out, size_t room) {
    size_t (*decompress)(void *, size_t, const void *, size_t) = NULL;
    void *lib = dlopen("libzstd.so.1", RTLD_NOW);
    void *symbol = lib ? dlsym(lib, "ZSTD_decompress") : NULL;
    memcpy(&decompress, &symbol, sizeof decompress);
    const size_t got = decompress ? decompress(out, room, in, n) : 0;
    return got <= room ? got : 0;
}

/* ---- fatbins --------------------------------------------------------------------------------- */

typedef struct {
    unsigned kind, arch;
    const uint8_t *bytes;
    size_t size, packed, unpacked;
    uint64_t flags;
} entry;

/* Reads the entry at *at of `end`; false at the end or when it is damaged. */
static bool next_entry(const uint8_t **at, const uint8_t *end, entry *e) {
    if ((size_t)(end - *at) < ENTRY_HEADER) return false;
    const uint64_t header = get(*at + 4, 4), size = get(*at + 8, 8);
    if (header < ENTRY_HEADER || header > (size_t)(end - *at) ||
        size > (size_t)(end - *at) - header)
        return false;
    *e = (entry){.kind = (unsigned)get(*at, 2),
                 .arch = (unsigned)get(*at + 28, 4),
                 .bytes = *at + header,
                 .size = (size_t)size,
                 .packed = (size_t)get(*at + 16, 4),
                 .unpacked = (size_t)get(*at + 56, 8),
                 .flags = get(*at + 40, 8)};
    *at += header + size;
    return true;
}

static const char *unpack(const entry *e, fk_image *image, size_t *len) {
    if (!(e->flags & (FLAG_LZ4 | FLAG_ZSTD))) {
        *len = e->size;
        return (const char *)e->bytes;
    }
    enum { LARGEST = 1 << 28 };
    if (e->packed > e->size || e->unpacked > LARGEST ||
        !(image->unpacked = malloc(e->unpacked + 1)))
        return NULL;
    uint8_t *out = (uint8_t *)image->unpacked;
    *len = e->flags & FLAG_LZ4 ? lz4_unpack(e->bytes, e->packed, out, e->unpacked)
                               : zstd_unpack(e->bytes, e->packed, out, e->unpacked);
    image->unpacked[*len] = 0;
    return *len > 0 ? image->unpacked : NULL;
}

static CUresult open_fatbin(const uint8_t *data, unsigned sm, fk_image *image, const char **why) {
    const uint64_t header = get(data + 6, 2), size = get(data + 8, 8);
    const uint8_t *at = data + (header >= FATBIN_HEADER ? header : FATBIN_HEADER), *end = at + size;
    entry e, ptx = {0}, cubin = {0};
    while (next_entry(&at, end, &e)) {
        const bool packed = e.flags & (FLAG_LZ4 | FLAG_ZSTD);
        if (e.kind == KIND_PTX && e.arch <= sm && e.arch >= ptx.arch) ptx = e;
        if (e.kind == KIND_ELF && !packed && e.arch / 10 == sm / 10 && e.arch <= sm &&
            e.arch >= cubin.arch)
            cubin = e;
    }
    if (!ptx.bytes) {
        *why = cubin.bytes
                   ? "the fatbin has a cubin for this device but no PTX: only PTX can run here"
                   : "the fatbin has no PTX that this device can run";
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    }
    image->ptx = unpack(&ptx, image, &image->ptx_len);
    image->cubin = cubin.bytes;
    image->cubin_len = cubin.size;
    *why = "the PTX in the fatbin cannot be unpacked";
    return image->ptx ? CUDA_SUCCESS : CUDA_ERROR_INVALID_IMAGE;
}

/* Text, as opposed to bytes of something else, by its first characters. */
static bool looks_like_text(const char *text) {
    for (size_t i = 0; i < 16 && text[i]; i++) {
        const unsigned char c = (unsigned char)text[i];
        if (c >= 127 || (c < 32 && c != '\n' && c != '\t' && c != '\r')) return false;
    }
    return text[0] != 0;
}

CUresult fk_image_open(const void *data, unsigned sm, fk_image *image, const char **why) {
    *image = (fk_image){0};
    *why = "";
    FK_VALID(data);
    if (looks_like_text(data)) {
        image->ptx = data;
        image->ptx_len = strlen(data);
        return CUDA_SUCCESS;
    }
    uint32_t magic;
    memcpy(&magic, data, sizeof magic);
    if (magic == wrapper_magic) {
        memcpy(&data, (const uint8_t *)data + 8, sizeof data);
        FK_NEED(data, CUDA_ERROR_INVALID_IMAGE);
        memcpy(&magic, data, sizeof magic);
    }
    if (magic == fatbin_magic) return open_fatbin(data, sm, image, why);
    if (memcmp(&magic, ELFMAG, SELFMAG) == 0) {
        *why =
            "the image is a cubin without PTX: only PTX can run here; load a fatbin that has both";
        return CUDA_ERROR_NO_BINARY_FOR_GPU;
    }
    *why = "the image is neither PTX nor a cubin nor a fatbin";
    return CUDA_ERROR_INVALID_IMAGE;
}

void fk_image_close(fk_image *image) {
    free(image->unpacked);
    *image = (fk_image){0};
}

/* ---- registers from a cubin ------------------------------------------------------------------ */

typedef struct {
    const uint8_t *bytes;
    size_t len;
    const Elf64_Ehdr *head;
} elf;

static const Elf64_Shdr *section(const elf *f, size_t i) {
    const uint64_t at = f->head->e_shoff + i * sizeof(Elf64_Shdr);
    return at + sizeof(Elf64_Shdr) <= f->len ? (const Elf64_Shdr *)(const void *)(f->bytes + at)
                                             : NULL;
}

static bool inside(const elf *f, const Elf64_Shdr *s) {
    return s && s->sh_offset <= f->len && s->sh_size <= f->len - s->sh_offset;
}

static const char *text_at(const elf *f, const Elf64_Shdr *strings, uint64_t i) {
    if (!inside(f, strings) || i >= strings->sh_size) return "";
    const char *text = (const char *)f->bytes + strings->sh_offset + i;
    return memchr(text, 0, strings->sh_size - i) ? text : "";
}

/* The index of `name` in the symbol table, 0 when it is not there. */
static uint32_t find_symbol(const elf *f, const char *name) {
    for (size_t i = 0; i < f->head->e_shnum; i++) {
        const Elf64_Shdr *s = section(f, i);
        if (!inside(f, s) || s->sh_type != SHT_SYMTAB) continue;
        for (uint32_t k = 0; k < s->sh_size / sizeof(Elf64_Sym); k++) {
            Elf64_Sym symbol;
            memcpy(&symbol, f->bytes + s->sh_offset + k * sizeof symbol, sizeof symbol);
            if (strcmp(text_at(f, section(f, s->sh_link), symbol.st_name), name) == 0) return k;
        }
    }
    return 0;
}

/* .nv.info is a list of [format, attribute, size or value] records; 0x2f holds (symbol, registers).
 */
static unsigned registers_of(const uint8_t *at, size_t n, uint32_t symbol) {
    enum { HAS_BYTES = 4, REGCOUNT = 0x2f };
    size_t i = 0;
    while (i + 4 <= n) {
        const size_t size = at[i] == HAS_BYTES ? (size_t)get(at + i + 2, 2) : 0;
        if (size > n - i - 4) return 0;
        if (at[i] == HAS_BYTES && at[i + 1] == REGCOUNT && size >= 8 &&
            get(at + i + 4, 4) == symbol)
            return (unsigned)get(at + i + 8, 4);
        i += 4 + size;
    }
    return 0;
}

unsigned fk_cubin_registers(const uint8_t *cubin, size_t len, const char *kernel) {
    const elf f = {cubin, len, (const Elf64_Ehdr *)(const void *)cubin};
    if (!cubin || len < sizeof *f.head || (uintptr_t)cubin % _Alignof(Elf64_Ehdr) != 0) return 0;
    const uint32_t symbol = find_symbol(&f, kernel);
    const Elf64_Shdr *names = section(&f, f.head->e_shstrndx);
    for (size_t i = 0; symbol != 0 && i < f.head->e_shnum; i++) {
        const Elf64_Shdr *s = section(&f, i);
        if (inside(&f, s) && strcmp(text_at(&f, names, s->sh_name), ".nv.info") == 0)
            return registers_of(f.bytes + s->sh_offset, s->sh_size, symbol);
    }
    return 0;
}

char *fk_read_file(const char *path, size_t *len) {
    FILE *file = fopen(path, "rb");
    char *text = NULL;
    long size = -1;
    if (file && fseek(file, 0, SEEK_END) == 0 && (size = ftell(file)) >= 0) {
        rewind(file);
        text = calloc(1, (size_t)size + 1);
    }
    if (text && fread(text, 1, (size_t)size, file) != (size_t)size) {
        free(text);
        text = NULL;
    }
    if (file) fclose(file);
    *len = text ? (size_t)size : 0;
    return text;
}
