/* context.c - contexts: one primary a device, created ones, each thread's stack, limits, peers.
 *
 *      thread: [ ctx A | ctx B* ]     the last is current; a destroyed context stays on the stacks
 * of other threads and answers CUDA_ERROR_CONTEXT_IS_DESTROYED there
 *
 * The stack keeps handles. The primary context keeps one object and one handle for the process's
 * life, so that what held it before a reset finds it inactive rather than gone. */
#include "fake.h"

#include <stdlib.h>

enum { STACK_BYTES = 1024, PRINTF_BYTES = 1 << 20, HEAP_BYTES = 8 << 20, LOCAL_MAX = 512 << 10 };

fk_context *fk_context_of(CUcontext handle) {
    return fk_get(handle, FK_CONTEXT);
}

fk_context *fk_current(void) {
    const fk_list *stack = &fk_self.stack;
    return stack->n > 0 ? fk_get(stack->at[stack->n - 1], FK_CONTEXT) : NULL;
}

static pthread_key_t at_thread_end;

static void free_stack(void *self) {
    fk_list_free(&((fk_thread *)self)->stack);
}

static void make_key(void) {
    pthread_key_create(&at_thread_end, free_stack);
}

uint64_t fk_thread_id(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    static uint64_t threads;
    if (fk_self.id == 0) {
        pthread_once(&once, make_key);
        pthread_setspecific(at_thread_end, &fk_self);
        fk_self.id = ++threads;
    }
    return fk_self.id;
}

static void push(CUcontext handle) {
    fk_thread_id();
    fk_push(&fk_self.stack, handle);
}

/* Gives a context its streams and limits: the primary one each time that it becomes active. */
static void context_open(fk_context *ctx) {
    ctx->alive = true;
    ctx->error = CUDA_SUCCESS;
    ctx->id = ++fk.next_id;
    ctx->limits[CU_LIMIT_STACK_SIZE] = STACK_BYTES;
    ctx->limits[CU_LIMIT_PRINTF_FIFO_SIZE] = PRINTF_BYTES;
    ctx->limits[CU_LIMIT_MALLOC_HEAP_SIZE] = HEAP_BYTES;
    ctx->legacy = fk_stream_new(ctx, 0, 0);
    ctx->legacy->legacy = true;
}

/* Waits for its work and frees what belongs to it; handles of its objects end. */
void fk_context_close(fk_context *ctx) {
    fk_finish_context(ctx);
    while (ctx->modules.n > 0) fk_module_close(ctx->modules.at[ctx->modules.n - 1]);
    while (ctx->streams.n > 0) fk_stream_close(ctx->streams.at[ctx->streams.n - 1]);
    ctx->legacy = NULL;
    fk_memory_reset(ctx->device->ordinal, ctx);
    ptx_heap_free(ctx->heap);
    ctx->heap = NULL;
    fk_list_free(&ctx->streams);
    fk_list_free(&ctx->modules);
    fk_list_free(&ctx->peers);
    ctx->alive = false;
    ctx->error = CUDA_SUCCESS;
}

CUresult fk_cuDevicePrimaryCtxRetain(CUcontext *out, CUdevice dev) {
    FK_VALID(out);
    FK_DEVICE_OF(d, dev);
    if (!d->primary) {
        d->primary = fk_new(FK_CONTEXT, sizeof *d->primary);
        d->primary->device = d;
        d->primary->primary = true;
    }
    if (!d->primary->alive) {
        context_open(d->primary);
        d->primary->flags = d->primary_flags;
    }
    d->primary_refs++;
    *out = fk_handle(d->primary);
    return CUDA_SUCCESS;
}

CUresult fk_cuDevicePrimaryCtxRelease_v2(CUdevice dev) {
    FK_DEVICE_OF(d, dev);
    FK_NEED(d->primary_refs > 0, CUDA_ERROR_INVALID_CONTEXT);
    if (--d->primary_refs == 0) fk_context_close(d->primary);
    return CUDA_SUCCESS;
}

/* Destroys what the context holds; those who retained it keep their count and must not use it. */
CUresult fk_cuDevicePrimaryCtxReset_v2(CUdevice dev) {
    FK_DEVICE_OF(d, dev);
    if (d->primary && d->primary->alive) {
        d->primary->resetting = true;
        fk_context_close(d->primary);
        d->primary->resetting = false;
        if (d->primary_refs > 0) context_open(d->primary);
    }
    return CUDA_SUCCESS;
}

CUresult fk_cuDevicePrimaryCtxSetFlags_v2(CUdevice dev, unsigned flags) {
    FK_DEVICE_OF(d, dev);
    FK_VALID(!(flags & ~(unsigned)CTX_FLAGS_ALL));
    d->primary_flags = flags;
    if (d->primary && d->primary->alive) d->primary->flags = flags;
    return CUDA_SUCCESS;
}

CUresult fk_cuDevicePrimaryCtxGetState(CUdevice dev, unsigned *flags, int *active) {
    FK_DEVICE_OF(d, dev);
    FK_VALID(flags && active);
    *flags = d->primary_flags;
    *active = d->primary && d->primary->alive;
    return CUDA_SUCCESS;
}

CUresult fk_cuCtxCreate_v2(CUcontext *out, unsigned flags, CUdevice dev) {
    FK_VALID(out && !(flags & ~(unsigned)CTX_FLAGS_ALL));
    FK_DEVICE_OF(d, dev);
    fk_context *ctx = fk_new(FK_CONTEXT, sizeof *ctx);
    ctx->device = d;
    ctx->flags = flags;
    context_open(ctx);
    push(*out = fk_handle(ctx));
    return CUDA_SUCCESS;
}

CUresult fk_cuCtxDestroy_v2(CUcontext handle) {
    fk_context *ctx = fk_context_of(handle);
    FK_NEED(ctx && !ctx->primary, CUDA_ERROR_INVALID_CONTEXT);
    if (fk_current() == ctx) fk_self.stack.n--;
    fk_unhandle(ctx);
    fk_context_close(ctx);
    static fk_list ended; /* other threads and graphs may still point there */
    fk_push(&ended, ctx);
    return CUDA_SUCCESS;
}

/* The counting of old: a context ends when everybody has detached. */
CUresult fk_cuCtxAttach(CUcontext *out, unsigned flags) {
    FK_VALID(out && flags == 0);
    fk_context *ctx = fk_current();
    ctx->attached++;
    *out = fk_handle(ctx);
    return CUDA_SUCCESS;
}

CUresult fk_cuCtxDetach(CUcontext handle) {
    fk_context *ctx = fk_context_of(handle);
    FK_NEED(ctx && ctx == fk_current(), CUDA_ERROR_INVALID_CONTEXT);
    if (ctx->attached > 0) {
        ctx->attached--;
        return CUDA_SUCCESS;
    }
    return fk_cuCtxDestroy_v2(handle);
}

CUresult fk_cuCtxPushCurrent_v2(CUcontext handle) {
    FK_NEED(fk_context_of(handle), CUDA_ERROR_INVALID_CONTEXT);
    push(handle);
    return CUDA_SUCCESS;
}

CUresult fk_cuCtxPopCurrent_v2(CUcontext *out) {
    FK_NEED(fk_self.stack.n > 0, CUDA_ERROR_INVALID_CONTEXT);
    const CUcontext popped = fk_self.stack.at[--fk_self.stack.n];
    if (out) *out = popped;
    return CUDA_SUCCESS;
}

/* Replaces the top of the stack; NULL takes it away. */
CUresult fk_cuCtxSetCurrent(CUcontext handle) {
    FK_NEED(!handle || fk_context_of(handle), CUDA_ERROR_INVALID_CONTEXT);
    if (fk_self.stack.n > 0) fk_self.stack.n--;
    if (handle) push(handle);
    return CUDA_SUCCESS;
}

FK_GETTER(cuCtxGetCurrent, (CUcontext * out), (void)0,
          fk_self.stack.n > 0 ? fk_self.stack.at[fk_self.stack.n - 1] : NULL)
FK_GETTER(cuCtxGetDevice, (CUdevice * out), (void)0, fk_current()->device->ordinal)

/* The context that a function takes as a parameter: NULL is the current one. */
static fk_context *named_or_current(CUcontext handle) {
    return handle ? fk_context_of(handle) : fk_current();
}

FK_GETTER(cuCtxGetDevice_v2, (CUdevice * out, CUcontext handle),
          FK_NEED(named_or_current(handle), CUDA_ERROR_INVALID_CONTEXT),
          named_or_current(handle)->device->ordinal)
FK_GETTER(cuCtxGetFlags, (unsigned *out), (void)0, fk_current()->flags)

CUresult fk_cuCtxSetFlags(unsigned flags) {
    FK_VALID(!(flags & ~(unsigned)CTX_FLAGS_ALL));
    fk_current()->flags = flags;
    return CUDA_SUCCESS;
}

FK_GETTER(cuCtxGetId, (CUcontext handle, unsigned long long *out),
          FK_NEED(named_or_current(handle), CUDA_ERROR_INVALID_CONTEXT),
          named_or_current(handle)->id)

CUresult fk_cuCtxSynchronize(void) {
    fk_context *ctx = fk_current();
    for (size_t i = 0; i < ctx->streams.n; i++) {
        fk_stream *stream = ctx->streams.at[i];
        if (stream->capture) return fk_capture_forbid(stream);
    }
    fk_finish_context(ctx);
    return ctx->error;
}

CUresult fk_cuCtxSynchronize_v2(CUcontext handle) {
    fk_context *ctx = named_or_current(handle);
    FK_NEED(ctx && ctx->alive, CUDA_ERROR_INVALID_CONTEXT);
    FK_TRY(ctx->error);
    fk_finish_context(ctx);
    return ctx->error;
}

FK_GETTER(cuCtxGetLimit, (size_t * out, CUlimit limit),
          FK_NEED((unsigned)limit < CU_LIMIT_MAX, CUDA_ERROR_UNSUPPORTED_LIMIT),
          fk_current()->limits[limit])

CUresult fk_cuCtxSetLimit(CUlimit limit, size_t value) {
    FK_NEED((unsigned)limit < CU_LIMIT_MAX, CUDA_ERROR_UNSUPPORTED_LIMIT);
    FK_VALID(limit != CU_LIMIT_STACK_SIZE || value <= LOCAL_MAX);
    fk_current()->limits[limit] = value;
    return CUDA_SUCCESS;
}

FK_GETTER(cuCtxGetCacheConfig, (CUfunc_cache * out), (void)0, fk_current()->cache)

CUresult fk_cuCtxSetCacheConfig(CUfunc_cache config) {
    enum { CONFIGS = 4 };
    FK_VALID(config < CONFIGS);
    fk_current()->cache = config;
    return CUDA_SUCCESS;
}

/* Banks are four bytes wide on every device here; setting says nothing, as documented. */
FK_GETTER(cuCtxGetSharedMemConfig, (CUsharedconfig * out), (void)0, 1)

FK_GETTER(cuCtxGetApiVersion, (CUcontext handle, unsigned *out),
          FK_NEED(named_or_current(handle), CUDA_ERROR_INVALID_CONTEXT), 3020)

CUresult fk_cuCtxGetStreamPriorityRange(int *least, int *greatest) {
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return CUDA_SUCCESS;
}

bool fk_can_reach(const fk_context *ctx, int device) {
    if (ctx->device->ordinal == device) return true;
    for (size_t i = 0; i < ctx->peers.n; i++) {
        const fk_context *peer = fk_get(ctx->peers.at[i], FK_CONTEXT);
        if (peer && peer->alive && peer->device->ordinal == device) return true;
    }
    return false;
}

CUresult fk_cuCtxEnablePeerAccess(CUcontext handle, unsigned flags) {
    FK_VALID(flags == 0);
    fk_context *peer = fk_context_of(handle), *ctx = fk_current();
    FK_NEED(peer && peer->alive && peer != ctx, CUDA_ERROR_INVALID_CONTEXT);
    FK_NEED(peer->device != ctx->device, CUDA_ERROR_INVALID_DEVICE);
    FK_NEED(!fk_has(&ctx->peers, handle), CUDA_ERROR_PEER_ACCESS_ALREADY_ENABLED);
    fk_push(&ctx->peers, handle);
    return CUDA_SUCCESS;
}

CUresult fk_cuCtxDisablePeerAccess(CUcontext handle) {
    FK_NEED(fk_context_of(handle), CUDA_ERROR_INVALID_CONTEXT);
    FK_NEED(fk_remove(&fk_current()->peers, handle), CUDA_ERROR_PEER_ACCESS_NOT_ENABLED);
    return CUDA_SUCCESS;
}
