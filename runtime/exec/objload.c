/* objload.c - an ELF64 x86-64 relocatable object becomes callable code, in tens of microseconds and
 * without LLVM.
 *
 *      chunk (2 MiB, one huge page where the system has them; more chunks as needed)
 *      +--------------------------------+----------------+--------------------------------+-----
 *      | .text .rodata stubs, to a page | .data .bss     | the next object ...            | free
 *      |          read, execute         |  read, write   |                                |
 *      +--------------------------------+----------------+--------------------------------+-----
 *
 * Invariant: no page is writable and executable at once. A page belongs to one object, so that
 * loading one never takes the execute right from another that runs. A chunk starts afresh when its
 * last object is freed.
 *
 * A stub (`jmp *slot; slot: address`) carries calls to functions that lie too far away; its slot
 * serves as the symbol's entry in the global offset table. Unwind tables and notes are left out;
 * kernels never unwind. */
#include "runtime/exec/objload.h"

#include <elf.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAGE = 4096, CHUNK = 2 << 20, OBJECT_MAX = 256 << 20, STUB = 16, STUB_SLOT = 8 };

/* ---- code memory ---- */

typedef struct chunk {
    struct chunk *next;
    unsigned char *base;
    size_t size, used;
    int objects; /* that lie in it */
} chunk;

struct rt_code {
    pthread_mutex_t lock;
    chunk *chunks;
};

rt_code *rt_code_new(void) {
    rt_code *code = calloc(1, sizeof *code);
    if (code) pthread_mutex_init(&code->lock, NULL);
    return code;
}

void rt_code_free(rt_code *code) {
    if (!code) return;
    for (chunk *c = code->chunks, *next; c; c = next) {
        next = c->next;
        munmap(c->base, c->size);
        free(c);
    }
    pthread_mutex_destroy(&code->lock);
    free(code);
}

/* `size` bytes at a multiple of CHUNK, so that the kernel can back them with huge pages; NULL if it
 * refuses. */
static void *map_aligned(size_t size) {
    unsigned char *p = mmap(NULL, size + CHUNK, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) return NULL;
    size_t before = (CHUNK - (uintptr_t)p % CHUNK) % CHUNK;
    if (before) munmap(p, before);
    munmap(p + before + size, CHUNK - before);
    madvise(p + before, size, MADV_HUGEPAGE);
    return p + before;
}

static chunk *add_chunk(rt_code *code, size_t need) {
    chunk *c = calloc(1, sizeof *c);
    if (!c) return NULL;
    c->size = (need + CHUNK - 1) / CHUNK * CHUNK;
    c->base = map_aligned(c->size);
    if (!c->base) {
        free(c);
        return NULL;
    }
    c->next = code->chunks;
    return code->chunks = c;
}

/* Room for an object of `need` bytes (whole pages), readable and writable; NULL when there is
 * none. */
static chunk *take_pages(rt_code *code, size_t need, unsigned char **at) {
    pthread_mutex_lock(&code->lock);
    chunk *c = code->chunks;
    while (c && c->size - c->used < need) c = c->next;
    if (!c) c = add_chunk(code, need);
    if (c) {
        *at = c->base + c->used;
        c->used += need;
        c->objects++;
    }
    pthread_mutex_unlock(&code->lock);
    return c;
}

/* Their memory goes at once; their addresses when the chunk starts afresh. */
static void give_pages_back(rt_code *code, chunk *c, unsigned char *base, size_t bytes) {
    madvise(base, bytes, MADV_DONTNEED);
    pthread_mutex_lock(&code->lock);
    /* Without the right to write again the chunk is of no more use; it stays full until the end. */
    if (--c->objects == 0 && mprotect(c->base, c->size, PROT_READ | PROT_WRITE) == 0) c->used = 0;
    pthread_mutex_unlock(&code->lock);
}

/* ---- the file ---- */

typedef struct section {
    Elf64_Shdr h;
    const char *name;
    unsigned char *at; /* where it lies in memory; NULL = not loaded */
} section;

typedef struct exported {
    const char *name;
    uint64_t address;
} exported;

struct rt_object {
    rt_code *code;
    chunk *chunk;
    unsigned char *base;
    size_t bytes;
    char *names;
    size_t count;
    exported exports[];
};

typedef struct loader {
    rt_code *code;
    const unsigned char *bytes;
    size_t size;
    const rt_import *imports;
    rt_load_status status;
    char *message;

    section *sections;
    size_t section_count;
    const section *symtab, *strtab;
    size_t symbol_count, globals;
    uint64_t *addresses; /* of symbols */
    uint64_t *stubs;     /* of their stubs; 0 = has none yet */

    chunk *chunk;
    unsigned char *base; /* read-only part, then the writable part */
    size_t fixed_size, total_size;
    size_t stub_at;
} loader;

__attribute__((format(printf, 3, 4))) static bool fail(loader *l, rt_load_status status,
                                                       const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(l->message, RT_LOAD_MESSAGE, format, args);
    va_end(args);
    l->status = status;
    return false;
}

static bool in_file(const loader *l, uint64_t offset, uint64_t size) {
    return offset <= l->size && size <= l->size - offset;
}

static size_t round_up(size_t value, size_t to) {
    return (value + to - 1) / to * to;
}

/* A string table's text at `offset`; NULL when it lies outside. Tables end with a 0, see
 * check_section. */
static const char *text_at(const loader *l, const section *table, uint64_t offset) {
    if (table->h.sh_type != SHT_STRTAB || offset >= table->h.sh_size) return NULL;
    return (const char *)l->bytes + table->h.sh_offset + offset;
}

static bool read_header(loader *l, Elf64_Ehdr *e) {
    static const unsigned char ident[] = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT};
    if (l->size < sizeof *e)
        return fail(l, RT_LOAD_DAMAGED, "%zu bytes are no object file", l->size);
    memcpy(e, l->bytes, sizeof *e);
    if (memcmp(e->e_ident, ident, 4) != 0) return fail(l, RT_LOAD_DAMAGED, "not an ELF file");
    if (memcmp(e->e_ident, ident, sizeof ident) != 0 || e->e_machine != EM_X86_64 ||
        e->e_type != ET_REL)
        return fail(l, RT_LOAD_FOREIGN, "not a relocatable object for 64-bit x86");
    if (e->e_shentsize != sizeof(Elf64_Shdr) || e->e_shnum == 0 || e->e_shstrndx >= e->e_shnum ||
        !in_file(l, e->e_shoff, (uint64_t)e->e_shnum * sizeof(Elf64_Shdr)))
        return fail(l, RT_LOAD_DAMAGED, "the section table lies outside the file");
    return true;
}

static bool check_section(loader *l, const section *s, size_t index) {
    const Elf64_Shdr *h = &s->h;
    if (h->sh_type != SHT_NOBITS && !in_file(l, h->sh_offset, h->sh_size))
        return fail(l, RT_LOAD_DAMAGED, "section %zu lies outside the file", index);
    if (h->sh_addralign > PAGE || (h->sh_addralign & (h->sh_addralign - 1)) != 0)
        return fail(l, RT_LOAD_DAMAGED, "section %zu has alignment %#llx", index,
                    (unsigned long long)h->sh_addralign);
    if (h->sh_type == SHT_STRTAB &&
        (h->sh_size == 0 || l->bytes[h->sh_offset + h->sh_size - 1] != 0))
        return fail(l, RT_LOAD_DAMAGED, "string table %zu has no end", index);
    return true;
}

static bool read_sections(loader *l) {
    Elf64_Ehdr e = {0};
    if (!read_header(l, &e)) return false;
    l->section_count = e.e_shnum;
    l->sections = calloc(l->section_count, sizeof *l->sections);
    if (!l->sections) return fail(l, RT_LOAD_SYSTEM, "out of memory");
    for (size_t i = 0; i < l->section_count; i++) {
        section *s = &l->sections[i];
        memcpy(&s->h, l->bytes + e.e_shoff + i * sizeof s->h, sizeof s->h);
        if (!check_section(l, s, i)) return false;
    }
    for (size_t i = 0; i < l->section_count; i++) {
        section *s = &l->sections[i];
        s->name = text_at(l, &l->sections[e.e_shstrndx], s->h.sh_name);
        if (!s->name) return fail(l, RT_LOAD_DAMAGED, "section %zu has no name", i);
    }
    return true;
}

/* ---- layout ---- */

static bool is_loaded(const section *s) {
    return (s->h.sh_flags & SHF_ALLOC) && s->h.sh_size > 0 && s->h.sh_type != SHT_NOTE &&
           strcmp(s->name, ".eh_frame") != 0;
}

static bool check_loadable(loader *l, const section *s) {
    bool plain = s->h.sh_type == SHT_PROGBITS || s->h.sh_type == SHT_NOBITS;
    bool both = (s->h.sh_flags & SHF_WRITE) && (s->h.sh_flags & SHF_EXECINSTR);
    if (!plain || both || (s->h.sh_flags & SHF_TLS))
        return fail(l, RT_LOAD_FOREIGN, "kernels have no section like %.40s", s->name);
    return true;
}

/* Gives each section of one kind its offset (kept in sh_addr) from `end` on; the new end, 0 after a
 * failure. */
static size_t lay_out(loader *l, bool writable, size_t end) {
    for (size_t i = 0; i < l->section_count; i++) {
        section *s = &l->sections[i];
        if (!is_loaded(s) || ((s->h.sh_flags & SHF_WRITE) != 0) != writable) continue;
        if (!check_loadable(l, s)) return 0;
        end = round_up(end, s->h.sh_addralign ? s->h.sh_addralign : 1);
        if (s->h.sh_size > OBJECT_MAX || end + s->h.sh_size > OBJECT_MAX) {
            fail(l, RT_LOAD_FOREIGN, "section %.40s is too large", s->name);
            return 0;
        }
        s->h.sh_addr = end;
        end += s->h.sh_size;
    }
    return end;
}

static void copy_sections(loader *l) {
    memset(l->base, 0xcc, l->fixed_size); /* int3 between the functions */
    memset(l->base + l->fixed_size, 0, l->total_size - l->fixed_size);
    for (size_t i = 0; i < l->section_count; i++) {
        section *s = &l->sections[i];
        if (!is_loaded(s)) continue;
        s->at = l->base + s->h.sh_addr;
        if (s->h.sh_type == SHT_NOBITS)
            memset(s->at, 0, s->h.sh_size);
        else
            memcpy(s->at, l->bytes + s->h.sh_offset, s->h.sh_size);
    }
}

static bool place_sections(loader *l) {
    enum { LEAST = STUB }; /* so that the size 0 means failure */
    size_t fixed = lay_out(l, false, LEAST);
    if (fixed == 0) return false;
    l->stub_at = round_up(fixed, STUB);
    l->fixed_size = round_up(l->stub_at + l->globals * STUB, PAGE);
    size_t total = lay_out(l, true, l->fixed_size);
    if (total == 0) return false;
    l->total_size = round_up(total, PAGE);
    l->chunk = take_pages(l->code, l->total_size, &l->base);
    if (!l->chunk) return fail(l, RT_LOAD_SYSTEM, "no memory for %zu bytes of code", l->total_size);
    copy_sections(l);
    return true;
}

/* ---- symbols ---- */

static Elf64_Sym symbol(const loader *l, size_t index) {
    Elf64_Sym s;
    memcpy(&s, l->bytes + l->symtab->h.sh_offset + index * sizeof s, sizeof s);
    return s;
}

static bool is_global(const loader *l, size_t index) {
    return ELF64_ST_BIND(symbol(l, index).st_info) != STB_LOCAL;
}

static bool find_symtab(loader *l) {
    for (size_t i = 0; i < l->section_count; i++) {
        const section *s = &l->sections[i];
        if (s->h.sh_type != SHT_SYMTAB) continue;
        if (l->symtab || s->h.sh_entsize != sizeof(Elf64_Sym) || s->h.sh_link >= l->section_count)
            return fail(l, RT_LOAD_DAMAGED, "the symbol table %zu is not well formed", i);
        l->symtab = s;
        l->strtab = &l->sections[s->h.sh_link];
        l->symbol_count = s->h.sh_size / sizeof(Elf64_Sym);
    }
    if (!l->symtab) return fail(l, RT_LOAD_DAMAGED, "no symbol table");
    for (size_t i = 1; i < l->symbol_count; i++) l->globals += is_global(l, i);
    l->addresses = calloc(2 * l->symbol_count + 1, sizeof *l->addresses);
    if (!l->addresses) return fail(l, RT_LOAD_SYSTEM, "out of memory");
    l->stubs = l->addresses + l->symbol_count;
    return true;
}

/* The address of a symbol that only an import can give. Asked for when something refers to it:
 * compilers leave undefined symbols behind that nothing uses. */
static bool resolve_import(loader *l, size_t index) {
    const char *name = text_at(l, l->strtab, symbol(l, index).st_name);
    const rt_import *i = l->imports;
    while (i && i->name && strcmp(i->name, name) != 0) i++;
    if (!i || !i->name) return fail(l, RT_LOAD_UNRESOLVED, "undefined symbol %.80s", name);
    l->addresses[index] = (uint64_t)(uintptr_t)i->address;
    return true;
}

/* The symbol's stub, made at its first use; its address must be known. 0 for local symbols, which
 * need none. */
static uint64_t stub_of(loader *l, size_t index) {
    static const unsigned char jump[STUB_SLOT] = {0xff, 0x25, 2, 0, 0, 0, 0xcc, 0xcc};
    if (l->stubs[index] || !is_global(l, index)) return l->stubs[index];
    unsigned char *stub = l->base + l->stub_at;
    memcpy(stub, jump, sizeof jump);
    memcpy(stub + STUB_SLOT, &l->addresses[index], sizeof l->addresses[index]);
    l->stub_at += STUB;
    return l->stubs[index] = (uint64_t)(uintptr_t)stub;
}

static bool resolve_symbol(loader *l, size_t index) {
    Elf64_Sym s = symbol(l, index);
    const char *name = text_at(l, l->strtab, s.st_name);
    unsigned type = ELF64_ST_TYPE(s.st_info);
    if (!name) return fail(l, RT_LOAD_DAMAGED, "symbol %zu has no name", index);
    if (type == STT_TLS || type == STT_GNU_IFUNC || s.st_shndx == SHN_COMMON ||
        s.st_shndx == SHN_XINDEX)
        return fail(l, RT_LOAD_FOREIGN, "kernels have no symbol like %.80s", name);
    if (s.st_shndx == SHN_UNDEF) return true;
    if (s.st_shndx == SHN_ABS) {
        l->addresses[index] = s.st_value;
        return true;
    }
    if (s.st_shndx >= l->section_count)
        return fail(l, RT_LOAD_DAMAGED, "symbol %.80s lies nowhere", name);
    const section *home = &l->sections[s.st_shndx];
    if (s.st_value > home->h.sh_size)
        return fail(l, RT_LOAD_DAMAGED, "symbol %.80s lies outside its section", name);
    if (home->at) l->addresses[index] = (uint64_t)(uintptr_t)home->at + s.st_value;
    return true;
}

/* ---- relocations ---- */

static bool fits_i32(uint64_t v) {
    return (uint64_t)(int64_t)(int32_t)v == v;
}

/* Writes the low `width` bytes of `value`, if they hold all of it. */
static bool patch(loader *l, unsigned char *at, uint64_t value, size_t width, bool fits) {
    if (!fits) return fail(l, RT_LOAD_FOREIGN, "a reference is out of range");
    memcpy(at, &value, width);
    return true;
}

static bool resolve_reference(loader *l, const section *target, size_t index) {
    if (l->addresses[index] != 0) return true;
    switch (symbol(l, index).st_shndx) {
    case SHN_UNDEF: return resolve_import(l, index);
    case SHN_ABS: return true;
    default:
        return fail(l, RT_LOAD_FOREIGN, "%.40s refers to a section that is not loaded",
                    target->name);
    }
}

static bool relocate(loader *l, const section *target, const Elf64_Rela *r) {
    uint32_t type = (uint32_t)ELF64_R_TYPE(r->r_info), index = (uint32_t)ELF64_R_SYM(r->r_info);
    size_t width = type == R_X86_64_64 ? 8 : 4;
    if (index == 0 || index >= l->symbol_count || target->h.sh_size < width ||
        r->r_offset > target->h.sh_size - width)
        return fail(l, RT_LOAD_DAMAGED, "a relocation of %.40s lies outside it", target->name);
    if (!resolve_reference(l, target, index)) return false;
    unsigned char *at = target->at + r->r_offset;
    uint64_t addend = (uint64_t)r->r_addend, here = (uint64_t)(uintptr_t)at;
    uint64_t value = l->addresses[index] + addend;
    switch (type) {
    case R_X86_64_64: return patch(l, at, value, 8, true);
    case R_X86_64_32: return patch(l, at, value, 4, value <= UINT32_MAX);
    case R_X86_64_32S: return patch(l, at, value, 4, fits_i32(value));
    case R_X86_64_PLT32:
        if (!fits_i32(value - here)) value = stub_of(l, index) + addend;
        return patch(l, at, value - here, 4, fits_i32(value - here));
    case R_X86_64_PC32: return patch(l, at, value - here, 4, fits_i32(value - here));
    case R_X86_64_GOTPCREL:
    case R_X86_64_GOTPCRELX:
    case R_X86_64_REX_GOTPCRELX:
        value = stub_of(l, index) + STUB_SLOT + addend;
        return patch(l, at, value - here, 4, l->stubs[index] && fits_i32(value - here));
    default: return fail(l, RT_LOAD_FOREIGN, "relocation type %u is not supported", type);
    }
}

static bool relocate_section(loader *l, const section *s) {
    if (s->h.sh_type != SHT_RELA && s->h.sh_type != SHT_REL) return true;
    if (s->h.sh_info >= l->section_count || s->h.sh_link >= l->section_count ||
        &l->sections[s->h.sh_link] != l->symtab)
        return fail(l, RT_LOAD_DAMAGED, "relocations %.40s belong to nothing", s->name);
    const section *target = &l->sections[s->h.sh_info];
    if (!target->at) return true;
    if (s->h.sh_type == SHT_REL || s->h.sh_entsize != sizeof(Elf64_Rela))
        return fail(l, RT_LOAD_FOREIGN, "relocations %.40s have another form", s->name);
    for (size_t i = 0; i < s->h.sh_size / sizeof(Elf64_Rela); i++) {
        Elf64_Rela r;
        memcpy(&r, l->bytes + s->h.sh_offset + i * sizeof r, sizeof r);
        if (!relocate(l, target, &r)) return false;
    }
    return true;
}

static bool link_object(loader *l) {
    for (size_t i = 1; i < l->symbol_count; i++)
        if (!resolve_symbol(l, i)) return false;
    for (size_t i = 0; i < l->section_count; i++)
        if (!relocate_section(l, &l->sections[i])) return false;
    if (mprotect(l->base, l->fixed_size, PROT_READ | PROT_EXEC) != 0)
        return fail(l, RT_LOAD_SYSTEM, "the system refuses executable pages");
    return true;
}

/* ---- the result ---- */

static bool is_export(const loader *l, size_t index) {
    Elf64_Sym s = symbol(l, index);
    return l->addresses[index] != 0 && s.st_shndx != SHN_UNDEF && s.st_shndx != SHN_ABS &&
           ELF64_ST_BIND(s.st_info) != STB_LOCAL;
}

static rt_object *make_object(loader *l) {
    size_t count = 0, text = l->strtab->h.sh_size;
    for (size_t i = 1; i < l->symbol_count; i++) count += is_export(l, i);
    rt_object *o = malloc(sizeof *o + count * sizeof *o->exports + text);
    if (!o) {
        fail(l, RT_LOAD_SYSTEM, "out of memory");
        return NULL;
    }
    *o = (rt_object){.code = l->code,
                     .chunk = l->chunk,
                     .base = l->base,
                     .bytes = l->total_size,
                     .names = (char *)(o->exports + count)};
    memcpy(o->names, l->bytes + l->strtab->h.sh_offset, text);
    for (size_t i = 1; i < l->symbol_count; i++)
        if (is_export(l, i))
            o->exports[o->count++] = (exported){o->names + symbol(l, i).st_name, l->addresses[i]};
    return o;
}

rt_load_status rt_object_load(rt_code *code, const void *bytes, size_t size,
                              const rt_import *imports, rt_object **out,
                              char message[RT_LOAD_MESSAGE]) {
    loader l = {.code = code, .bytes = bytes, .size = size, .imports = imports, .message = message};
    message[0] = 0;
    bool good = read_sections(&l) && find_symtab(&l) && place_sections(&l) && link_object(&l);
    *out = good ? make_object(&l) : NULL;
    if (!*out && l.chunk) give_pages_back(code, l.chunk, l.base, l.total_size);
    free(l.sections);
    free(l.addresses);
    return l.status;
}

rt_function *rt_object_find(const rt_object *object, const char *name) {
    for (size_t i = 0; i < object->count; i++)
        if (strcmp(object->exports[i].name, name) == 0)
            return (rt_function *)(uintptr_t)object->exports[i].address;
    return NULL;
}

size_t rt_object_bytes(const rt_object *object) {
    return object->bytes;
}

void rt_object_free(rt_object *object) {
    if (!object) return;
    give_pages_back(object->code, object->chunk, object->base, object->bytes);
    free(object);
}
