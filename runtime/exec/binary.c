/* binary.c - see binary.h. The block, in the machine's own order of bytes:
 *
 *      0   magic, with the version of this layout
 *      8   checksum of all that follows
 *     16   bytes in all | where the code begins | bytes of code | kernels | bytes of notes
 *     56   of each kernel: bytes of its name, phases, bytes of its key; name, 0, key
 *          notes, 0
 *          code, aligned to 16 */
#include "runtime/exec/binary.h"

#include <string.h>

enum { ALIGN = 16, CHECKED = 16 };
static const char magic[8] = "brazekc1";

typedef struct head {
    char magic[8];
    uint64_t checksum, size, code_at, code_bytes, nkernels, notes_bytes;
} head;

typedef struct kernel_head {
    uint64_t name_bytes, nphases, key_bytes;
} kernel_head;

static uint64_t checksum(const char *block, size_t size) {
    return bz_hash(0, block + CHECKED, size - CHECKED);
}

/* ---- reading */

typedef struct reader {
    const char *at, *end;
} reader;

/* The next n bytes; NULL: there are not so many. */
static const char *take(reader *r, uint64_t n) {
    const char *at = r->at;
    if (n > (uint64_t)(r->end - at)) return NULL;
    r->at += n;
    return at;
}

/* The next n bytes and the 0 behind them. */
static const char *take_text(reader *r, uint64_t n) {
    const char *at = n < UINT64_MAX ? take(r, n + 1) : NULL;
    return at && !at[n] ? at : NULL;
}

static bool take_kernel(reader *r, rt_binary_kernel *k) {
    kernel_head h;
    const char *at = take(r, sizeof h);
    if (!at) return false;
    memcpy(&h, at, sizeof h);
    k->name = take_text(r, h.name_bytes);
    k->key = take(r, h.key_bytes);
    k->key_bytes = (size_t)h.key_bytes;
    k->nphases = (unsigned)h.nphases;
    return k->name && k->key && h.nphases < 1 << 16;
}

/* All but the block itself is set. */
static bool fill(rt_binary *b, const head *h) {
    reader r = {b->block + sizeof *h, b->block + b->size};
    for (uint32_t i = 0; i < b->nkernels; i++)
        if (!take_kernel(&r, &b->kernels[i])) return false;
    if (!(b->notes = take_text(&r, h->notes_bytes))) return false;
    if (h->code_at % ALIGN || h->code_at > b->size || h->code_bytes > b->size - h->code_at)
        return false;
    b->bytes = b->block + h->code_at;
    b->n = (size_t)h->code_bytes;
    return true;
}

/* NULL, or why the block is none of ours. */
static const char *check(const char *block, size_t size, head *h) {
    if (size < sizeof *h) return "it is too short";
    memcpy(h, block, sizeof *h);
    if (memcmp(h->magic, magic, sizeof magic) != 0) return "it is of another kind, or version";
    if (h->size != size) return "it is not whole";
    if (h->checksum != checksum(block, size)) return "its checksum is wrong";
    if (h->nkernels > size / sizeof(kernel_head)) return "it has no such kernels";
    return NULL;
}

rt_binary *rt_binary_read(char *block, size_t size, const char **why) {
    head h;
    *why = check(block, size, &h);
    rt_binary *b =
        *why ? NULL : bz_mem_zero(1, sizeof *b + (size_t)h.nkernels * sizeof *b->kernels);
    if (b) {
        b->block = block;
        b->size = size;
        b->holders = 1;
        b->nkernels = (uint32_t)h.nkernels;
        if (fill(b, &h)) return b;
        *why = "its parts do not fit";
    }
    bz_mem_free(b);
    bz_mem_free(block);
    return NULL;
}

/* ---- writing */

static size_t size_of_kernels(const rt_binary_kernel *k, uint32_t n) {
    size_t size = 0;
    for (uint32_t i = 0; i < n; i++)
        size += sizeof(kernel_head) + strlen(k[i].name) + 1 + k[i].key_bytes;
    return size;
}

static char *put(char *at, const void *p, size_t n) {
    memcpy(at, p, n);
    return at + n;
}

static char *put_kernel(char *at, const rt_binary_kernel *k) {
    const kernel_head h = {strlen(k->name), k->nphases, k->key_bytes};
    at = put(at, &h, sizeof h);
    at = put(at, k->name, (size_t)h.name_bytes + 1);
    return put(at, k->key, k->key_bytes);
}

rt_binary *rt_binary_new(const rt_binary_kernel *k, uint32_t nkernels, const void *bytes, size_t n,
                         const char *notes) {
    const char *why;
    if (!notes) notes = "";
    head h = {.nkernels = nkernels, .notes_bytes = strlen(notes), .code_bytes = n};
    const size_t before = sizeof h + size_of_kernels(k, nkernels) + (size_t)h.notes_bytes + 1;
    memcpy(h.magic, magic, sizeof magic);
    h.code_at = (before + ALIGN - 1) / ALIGN * ALIGN;
    h.size = h.code_at + n;
    char *block = bz_mem_zero((size_t)h.size, 1), *at = block;
    if (!block) return NULL;
    at = put(at, &h, sizeof h);
    for (uint32_t i = 0; i < nkernels; i++) at = put_kernel(at, &k[i]);
    put(at, notes, (size_t)h.notes_bytes);
    put(block + h.code_at, bytes, n);
    h.checksum = checksum(block, (size_t)h.size);
    put(block, &h, sizeof h);
    return rt_binary_read(block, (size_t)h.size, &why);
}

/* ---- holders */

rt_binary *rt_binary_hold(rt_binary *b) {
    atomic_fetch_add_explicit(&b->holders, 1, memory_order_relaxed);
    return b;
}

void rt_binary_drop(rt_binary *b) {
    if (!b || atomic_fetch_sub_explicit(&b->holders, 1, memory_order_acq_rel) != 1) return;
    bz_mem_free(b->block);
    bz_mem_free(b);
}

bool rt_binary_has(const rt_binary *b, const char *key, size_t n) {
    for (uint32_t i = 0; i < b->nkernels; i++)
        if (b->kernels[i].key_bytes == n && !memcmp(b->kernels[i].key, key, n)) return true;
    return false;
}
