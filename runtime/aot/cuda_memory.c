/* cuda_memory.c - memory of the device for programs that have nothing of NVIDIA's (cuda_artefact.h). */
#define BZ_RT_DEFINES
#include "runtime/aot/cuda_artefact.h"

/* Whose words are those of these functions. */
static const bz_rt_variant memory;

static int done(const bz_rt_cuda_place *p, bool pushed, const bz_rt_cuda_fault *f) {
    if (p) bz_rt_cuda_leave(p, pushed);
    if (f->status) bz_rt_tell(&memory, BZ_RT_EDEVICE, f->text, "", "");
    return f->status;
}

void *bz_rt_cuda_alloc(size_t bytes) {
    bz_rt_cuda_fault f = {0};
    cu_address at = 0;
    bool pushed;
    const bz_rt_cuda_place *p = bz_rt_cuda_enter(&pushed, &f);
    if (p) bz_rt_cuda_fail(p->d, p->d->alloc(&at, bytes), "cuMemAlloc", "", &f);
    return done(p, pushed, &f) ? NULL : (void *)(uintptr_t)at;
}

void bz_rt_cuda_free(void *at) {
    bz_rt_cuda_fault f;
    bool pushed;
    const bz_rt_cuda_place *p = at ? bz_rt_cuda_enter(&pushed, &f) : NULL;
    if (!p) return;
    p->d->free((uintptr_t)at);
    bz_rt_cuda_leave(p, pushed);
}

static void wait(const bz_rt_cuda_place *p, bool well, bz_rt_cuda_fault *f) {
    const cu_result code = p->d->stream_wait(NULL);
    if (well) bz_rt_cuda_fail(p->d, code, "cuStreamSynchronize", "", f);
}

int bz_rt_cuda_copy_in(void *to, const void *from, size_t bytes) {
    bz_rt_cuda_fault f = {0};
    bool pushed;
    const bz_rt_cuda_place *p = bz_rt_cuda_enter(&pushed, &f);
    if (p) {
        const cu_result code = p->d->copy_in((uintptr_t)to, from, bytes, NULL);
        wait(p, bz_rt_cuda_fail(p->d, code, "cuMemcpyHtoDAsync", "", &f), &f);
    }
    return done(p, pushed, &f);
}

int bz_rt_cuda_copy_out(void *to, const void *from, size_t bytes) {
    bz_rt_cuda_fault f = {0};
    bool pushed;
    const bz_rt_cuda_place *p = bz_rt_cuda_enter(&pushed, &f);
    if (p) {
        const cu_result code = p->d->copy_out(to, (uintptr_t)from, bytes, NULL);
        wait(p, bz_rt_cuda_fail(p->d, code, "cuMemcpyDtoHAsync", "", &f), &f);
    }
    return done(p, pushed, &f);
}

const char *bz_rt_cuda_error(void) {
    return bz_rt_text(NULL, &memory, BZ_RT_EDEVICE);
}
