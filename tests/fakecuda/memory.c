/* memory.c - blocks: where a device's memory lies, who owns which bytes, and what happens to freed
 * ones.
 *
 *      device address   |reserved, PROT_NONE: a host access faults           |
 *                            base        base + size
 *      this process     |red|  block  |red|  block  |red| ...   = device address + a constant
 *
 * All blocks, living and dead, stand in one array sorted by address. A freed block is filled with
 * 0xDB and rests in quarantine, so that later uses are recognised; then its place may be used
 * again. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { ALIGNMENT = 512, RED_ZONE = 512, FRESH = 0xCD, POISON = 0xDB, CONTEXT_MIB = 256 };
enum { PAGE = 4096, FILLED_FRESH = 64 << 10, FILLED_DEAD = 16 << 20 };
static const uint64_t span_wanted = (uint64_t)1 << 40, quarantine_max = (uint64_t)256 << 20;

typedef struct {
    uint64_t base, span, next;
    uint8_t *view; /* where the host finds device address `base` */
    uint64_t used;
} arena;

static struct {
    arena arenas[FK_MAX_DEVICES];
    fk_list sorted;     /* by base */
    fk_list quarantine; /* dead, the oldest first */
    uint64_t resting;   /* bytes in quarantine */
    fk_list idle;       /* their places may be used again */
    uint64_t ids;
} mem;

static bool arena_open(arena *a) {
    for (uint64_t span = span_wanted; span >= (uint64_t)1 << 32; span /= 2) {
        const int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
        void *seen = mmap(NULL, span, PROT_NONE, flags, -1, 0);
        void *view = mmap(NULL, span, PROT_READ | PROT_WRITE, flags, -1, 0);
        if (seen != MAP_FAILED && view != MAP_FAILED) {
            madvise(view, span, MADV_HUGEPAGE);
            madvise(view, span, MADV_DONTDUMP);
            *a = (arena){.base = (uint64_t)(uintptr_t)seen, .span = span, .view = view};
            a->next = a->base + RED_ZONE;
            return true;
        }
        if (seen != MAP_FAILED) munmap(seen, span);
        if (view != MAP_FAILED) munmap(view, span);
    }
    return false;
}

bool fk_is_device_address(uint64_t address) {
    for (int i = 0; i < fk.n_devices; i++) {
        const arena *a = &mem.arenas[i];
        if (a->view && address - a->base < a->span) return true;
    }
    return false;
}

/* ---- the sorted array ------------------------------------------------------------------------ */

/* The number of blocks whose base is at or below the address. */
static size_t rank(uint64_t address) {
    size_t low = 0, high = mem.sorted.n;
    while (low < high) {
        const size_t middle = (low + high) / 2;
        const fk_block *b = mem.sorted.at[middle];
        if (b->extent.base <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void insert(fk_block *block) {
    const size_t at = rank(block->extent.base);
    fk_push(&mem.sorted, block);
    memmove(mem.sorted.at + at + 1, mem.sorted.at + at,
            (mem.sorted.n - 1 - at) * sizeof *mem.sorted.at);
    mem.sorted.at[at] = block;
}

static void take_out(const fk_block *block) {
    const size_t at = rank(block->extent.base) - 1;
    memmove(mem.sorted.at + at, mem.sorted.at + at + 1,
            (mem.sorted.n - 1 - at) * sizeof *mem.sorted.at);
    mem.sorted.n--;
}

fk_block *fk_block_near(uint64_t address) {
    const size_t n = rank(address);
    return n > 0 ? mem.sorted.at[n - 1] : NULL;
}

fk_block *fk_block_at(uint64_t address) {
    fk_block *b = fk_block_near(address);
    return b && !b->dead && address - b->extent.base < b->extent.size ? b : NULL;
}

fk_block *fk_block_range(uint64_t address, uint64_t n) {
    fk_block *b = fk_block_at(address);
    return b && n <= b->extent.size - (address - b->extent.base) ? b : NULL;
}

fk_block *fk_block_next(size_t *cursor) {
    while (*cursor < mem.sorted.n) {
        fk_block *b = mem.sorted.at[(*cursor)++];
        if (!b->dead) return b;
    }
    return NULL;
}

/* ---- birth and death ------------------------------------------------------------------------- */

static fk_block *block_record(const char *what) {
    fk_block *b = ptx_zeroed(sizeof *b);
    b->id = ++mem.ids;
    snprintf(b->owner, sizeof b->owner, "%.32s #%llu", what, (unsigned long long)b->id);
    return b;
}

/* A resting place of exactly that size, or fresh address space: 0 when there is none. */
static uint64_t find_place(int device, uint64_t rounded) {
    for (size_t i = 0; i < mem.idle.n; i++) {
        fk_block *old = mem.idle.at[i];
        if (old->device == device && old->rounded == rounded) {
            const uint64_t base = old->extent.base;
            mem.idle.at[i] = mem.idle.at[--mem.idle.n];
            free(old);
            return base;
        }
    }
    arena *a = &mem.arenas[device];
    if (rounded + RED_ZONE > a->base + a->span - a->next) return 0;
    const uint64_t base = a->next;
    a->next += rounded + RED_ZONE;
    return base;
}

static bool lay_out(fk_block *b, uint64_t base, uint64_t bytes, uint8_t *host) {
    b->extent =
        (ptx_extent){.base = base, .size = bytes, .host = host, .owner = b->owner, .tag = b};
    if (fk.config.granule) b->extent.slack = (uint32_t)(b->rounded - bytes);
    if (fk.config.checks && !fk.config.null && b->place == FK_DEVICE) {
        b->extent.shadow = ptx_shadow_new(bytes);
        if (!b->extent.shadow) return false;
    }
    b->denied = b->extent;
    b->denied.flags |= PTX_EXTENT_DENIED;
    insert(b);
    return true;
}

fk_block *fk_block_new(int device, uint64_t bytes, const char *what) {
    arena *a = &mem.arenas[device];
    const uint64_t limit = fk.devices[device].memory, reserved = (uint64_t)CONTEXT_MIB << 20;
    const uint64_t rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (bytes > limit || rounded + reserved > limit || a->used > limit - reserved - rounded ||
        (!a->view && !arena_open(a)))
        return NULL;
    const uint64_t base = find_place(device, rounded);
    if (base == 0) return NULL;
    fk_block *b = block_record(what);
    b->device = device;
    b->rounded = rounded;
    uint8_t *host = a->view + (base - a->base);
    if (!lay_out(b, base, bytes, host)) {
        free(b);
        return NULL;
    }
    if (bytes <= FILLED_FRESH && !fk.config.null) memset(host, FRESH, bytes);
    a->used += rounded;
    return b;
}

fk_block *fk_block_host(void *memory, uint64_t bytes, fk_place place, const char *what) {
    fk_block *b = block_record(what);
    b->place = place;
    b->rounded = bytes;
    lay_out(b, (uint64_t)(uintptr_t)memory, bytes, memory);
    return b;
}

static void poison(const fk_block *b) {
    if (fk.config.null) return;
    if (b->rounded > FILLED_DEAD) {
        /* Too large to fill: give the pages back, they read as zeros. */
        const uintptr_t begin = ((uintptr_t)b->extent.host + PAGE - 1) / PAGE * PAGE;
        const uintptr_t end = ((uintptr_t)b->extent.host + b->rounded) / PAGE * PAGE;
        madvise((void *)begin, end - begin, MADV_DONTNEED);
    }
    memset(b->extent.host, POISON, b->rounded > FILLED_DEAD ? PAGE : b->rounded);
}

/* The oldest dead blocks lose their entry; their places may be used again. */
static void shorten_quarantine(void) {
    enum { RESTING_BLOCKS = 2048 };
    size_t gone = 0;
    while (gone < mem.quarantine.n &&
           (mem.resting > quarantine_max || mem.quarantine.n - gone > RESTING_BLOCKS)) {
        fk_block *b = mem.quarantine.at[gone++];
        mem.resting -= b->rounded;
        take_out(b);
        fk_push(&mem.idle, b);
    }
    if (gone > 0) {
        mem.quarantine.n -= gone;
        memmove(mem.quarantine.at, mem.quarantine.at + gone,
                mem.quarantine.n * sizeof *mem.quarantine.at);
    }
}

void fk_block_hide(fk_block *b, bool unborn) {
    b->unborn = unborn;
    b->extent.flags =
        (b->extent.flags & ~(uint32_t)PTX_EXTENT_FREED) | (unborn ? PTX_EXTENT_FREED : 0);
    b->denied.flags = b->extent.flags | PTX_EXTENT_DENIED;
}

void fk_block_free(fk_block *b) {
    ptx_shadow_free(b->extent.shadow);
    b->extent.shadow = b->denied.shadow = NULL;
    if (b->place != FK_DEVICE) {
        take_out(b);
        free(b);
        return;
    }
    mem.arenas[b->device].used -= b->rounded;
    if (b->pool) fk_pool_gave(b->pool, b->rounded);
    poison(b);
    b->dead = true;
    b->ctx = NULL;
    b->pool = NULL;
    b->extent.flags |= PTX_EXTENT_FREED;
    b->denied.flags |= PTX_EXTENT_FREED;
    mem.resting += b->rounded;
    fk_push(&mem.quarantine, b);
    shorten_quarantine();
}

static void release_host(fk_block *b);

/* Blocks of pools go, too, with a context that a fault has ended, as nobody could give them back, and with a reset, which takes "all resources
 * associated with the device". */
static bool goes_with(const fk_block *b, const fk_context *ctx) {
    return b->ctx == ctx ||
           (b->pool && b->maker == ctx->id && (ctx->error != CUDA_SUCCESS || ctx->resetting));
}

void fk_memory_reset(int device, fk_context *ctx) {
    for (size_t i = mem.sorted.n; i-- > 0;) {
        if (i >= mem.sorted.n) continue; /* quarantine dropped some */
        fk_block *b = mem.sorted.at[i];
        if (b->dead || b->device != device || !goes_with(b, ctx)) continue;
        if (b->place == FK_HOST || b->place == FK_MANAGED)
            release_host(b);
        else
            fk_block_free(b);
    }
}

/* ---- device memory --------------------------------------------------------------------------- */

CUresult fk_cuMemGetInfo_v2(size_t *free_bytes, size_t *total) {
    FK_VALID(free_bytes && total);
    const fk_device *d = fk_current()->device;
    const uint64_t used = mem.arenas[d->ordinal].used + ((uint64_t)CONTEXT_MIB << 20);
    *free_bytes = used < d->memory ? d->memory - used : 0;
    *total = d->memory;
    return CUDA_SUCCESS;
}

CUresult fk_cuMemAlloc_v2(CUdeviceptr *ptr, size_t bytes) {
    FK_VALID(ptr && bytes > 0);
    fk_context *ctx = fk_current();
    fk_block *b = fk_block_new(ctx->device->ordinal, bytes, "cuMemAlloc");
    FK_NEED(b, CUDA_ERROR_OUT_OF_MEMORY);
    b->ctx = ctx;
    *ptr = b->extent.base;
    fk_note("%zu: %s", bytes, b->owner);
    return CUDA_SUCCESS;
}

CUresult fk_cuMemAllocPitch_v2(CUdeviceptr *ptr, size_t *pitch, size_t width, size_t height,
                               unsigned element) {
    FK_VALID(ptr && pitch && width > 0 && height > 0);
    FK_VALID(element == 4 || element == 8 || element == 16);
    const size_t row = (width + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    FK_VALID(row >= width && height <= SIZE_MAX / row);
    FK_TRY(fk_cuMemAlloc_v2(ptr, row * height));
    *pitch = row;
    return CUDA_SUCCESS;
}

/* Lets all work end before memory goes. A host function may run meanwhile with the lock open, and
 * another thread free the block: then NULL. */
static fk_block *settle(const fk_block *b) {
    const uint64_t base = b->extent.base, id = b->id;
    fk_finish_context(NULL);
    fk_block *still = fk_block_at(base);
    return still && still->id == id ? still : NULL;
}

static CUresult context_error(void) {
    const fk_context *ctx = fk_current();
    return ctx ? ctx->error : CUDA_ERROR_CONTEXT_IS_DESTROYED;
}

CUresult fk_cuMemFree_v2(CUdeviceptr ptr) {
    fk_block *b = fk_block_near(ptr);
    if (b && b->dead && b->extent.base == ptr) {
        fk_report("cuMemFree: %s was freed before", b->owner);
        return CUDA_ERROR_INVALID_VALUE;
    }
    FK_VALID(b && !b->dead && b->extent.base == ptr && !b->global && !b->doomed);
    FK_VALID(b->place == FK_DEVICE || b->place == FK_MANAGED);
    fk_note("%s", b->owner);
    b = settle(b);
    FK_VALID(b);
    if (b->place == FK_MANAGED)
        release_host(b);
    else
        fk_block_free(b);
    return context_error();
}

CUresult fk_cuMemGetAddressRange_v2(CUdeviceptr *base, size_t *bytes, CUdeviceptr ptr) {
    const fk_block *b = fk_block_at(ptr);
    FK_NEED(b, CUDA_ERROR_NOT_FOUND);
    if (base) *base = b->extent.base;
    if (bytes) *bytes = b->extent.size;
    return CUDA_SUCCESS;
}

/* ---- host memory: pinned, registered, managed: the device sees the host's own addresses ------ */

/* Pages with an inaccessible one on each side. */
static void *guarded_pages(size_t bytes) {
    const size_t inner = (bytes + PAGE - 1) / PAGE * PAGE;
    if (inner < bytes || inner + 2 * PAGE < inner) return NULL;
    uint8_t *all = mmap(NULL, inner + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (all == MAP_FAILED) return NULL;
    if (mprotect(all + PAGE, inner, PROT_READ | PROT_WRITE) != 0) {
        munmap(all, inner + 2 * PAGE);
        return NULL;
    }
    return all + PAGE;
}

static void release_host(fk_block *b) {
    uint8_t *all = b->extent.host - PAGE;
    const size_t inner = (b->extent.size + PAGE - 1) / PAGE * PAGE;
    fk_block_free(b);
    munmap(all, inner + 2 * PAGE);
}

static CUresult host_block(size_t bytes, fk_place place, const char *what, unsigned flags,
                           fk_block **out) {
    fk_context *ctx = fk_current();
    void *pages = guarded_pages(bytes);
    FK_NEED(pages, CUDA_ERROR_OUT_OF_MEMORY);
    *out = fk_block_host(pages, bytes, place, what);
    (*out)->ctx = ctx;
    (*out)->device = ctx->device->ordinal;
    (*out)->flags = flags;
    fk_note("%zu: %s", bytes, (*out)->owner);
    return CUDA_SUCCESS;
}

CUresult fk_cuMemAllocManaged(CUdeviceptr *ptr, size_t bytes, unsigned flags) {
    FK_VALID(ptr && bytes > 0);
    FK_VALID(flags == MEM_ATTACH_GLOBAL || flags == MEM_ATTACH_HOST);
    fk_block *b;
    FK_TRY(host_block(bytes, FK_MANAGED, "cuMemAllocManaged", flags, &b));
    *ptr = b->extent.base;
    return CUDA_SUCCESS;
}

CUresult fk_cuMemHostAlloc(void **ptr, size_t bytes, unsigned flags) {
    const unsigned all = HOSTALLOC_PORTABLE | HOSTALLOC_DEVICEMAP | HOSTALLOC_WRITECOMBINED;
    FK_VALID(ptr && bytes > 0 && !(flags & ~all));
    fk_block *b;
    FK_TRY(host_block(bytes, FK_HOST, "cuMemHostAlloc", flags | HOSTALLOC_DEVICEMAP, &b));
    *ptr = b->extent.host;
    return CUDA_SUCCESS;
}

CUresult fk_cuMemFreeHost(void *ptr) {
    fk_block *b = fk_block_at((uint64_t)(uintptr_t)ptr);
    FK_VALID(b && b->place == FK_HOST && b->extent.host == ptr);
    fk_note("%s", b->owner);
    b = settle(b);
    FK_VALID(b);
    release_host(b);
    return context_error();
}

CUresult fk_cuMemHostRegister_v2(void *ptr, size_t bytes, unsigned flags) {
    const unsigned all = HOSTREGISTER_PORTABLE | HOSTREGISTER_DEVICEMAP | HOSTREGISTER_IOMEMORY |
                         HOSTREGISTER_READ_ONLY;
    const uint64_t begin = (uint64_t)(uintptr_t)ptr;
    FK_VALID(ptr && bytes > 0 && begin + bytes > begin && !(flags & ~all));
    FK_VALID(!fk_is_device_address(begin));
    FK_NEED(!(flags & (HOSTREGISTER_IOMEMORY | HOSTREGISTER_READ_ONLY)), CUDA_ERROR_NOT_SUPPORTED);
    const fk_block *last = fk_block_near(begin + bytes - 1);
    FK_NEED(!last || last->dead || last->extent.base + last->extent.size <= begin,
            CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED);
    fk_block *b = fk_block_host(ptr, bytes, FK_REGISTERED, "cuMemHostRegister");
    b->ctx = fk_current();
    b->device = b->ctx->device->ordinal;
    b->flags = flags | HOSTREGISTER_DEVICEMAP;
    return CUDA_SUCCESS;
}

CUresult fk_cuMemHostUnregister(void *ptr) {
    FK_VALID(ptr);
    fk_block *b = fk_block_at((uint64_t)(uintptr_t)ptr);
    FK_NEED(b && b->place == FK_REGISTERED, CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
    FK_VALID(b->extent.host == ptr);
    b = settle(b);
    FK_NEED(b, CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
    fk_block_free(b);
    return context_error();
}

static fk_block *pinned_at(const void *host) {
    fk_block *b = fk_block_at((uint64_t)(uintptr_t)host);
    return b && (b->place == FK_HOST || b->place == FK_REGISTERED) ? b : NULL;
}

CUresult fk_cuMemHostGetDevicePointer_v2(CUdeviceptr *ptr, void *host, unsigned flags) {
    FK_VALID(ptr && host && flags == 0);
    FK_VALID(pinned_at(host));
    *ptr = (CUdeviceptr)(uintptr_t)host;
    return CUDA_SUCCESS;
}

FK_GETTER(cuMemHostGetFlags, (unsigned *out, void *host), FK_VALID(pinned_at(host)),
          pinned_at(host)->flags)
