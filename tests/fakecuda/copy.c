/* copy.c - copies and fills: every form of the interface becomes one description, checked once.
 *
 *      cuMemcpyHtoDAsync \                                        pageable destination, host to
 * host, cuMemcpy2D         >- CUDA_MEMCPY3D -> fk_work -> stream   or a synchronous form: waited
 * for cuMemsetD2D32     /   (sides, rows)
 *
 * A pageable source of an asynchronous copy is read when the copy runs, as late as chance has it:
 * the manual says "may". BRAZE_FAKE_PAGEABLE=staged reads it at the call. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

/* How the call names a side: a host pointer, a device pointer, or whichever the address is. */
static CUresult make_side(CUmemorytype type, const void *host, CUdeviceptr device, uint64_t bytes,
                          fk_side *side) {
    const uint64_t address = type == CU_MEMORYTYPE_HOST ? (uint64_t)(uintptr_t)host : device;
    FK_VALID(type >= CU_MEMORYTYPE_HOST && type <= CU_MEMORYTYPE_UNIFIED);
    FK_NEED(type != CU_MEMORYTYPE_ARRAY, CUDA_ERROR_NOT_SUPPORTED);
    FK_VALID(bytes == 0 || address);
    side->address = address;
    const fk_block *b = fk_block_at(address);
    if (bytes == 0) return CUDA_SUCCESS;
    if (!b) {
        FK_VALID(!fk_is_device_address(address) && type != CU_MEMORYTYPE_DEVICE);
        side->pageable = true;
        return CUDA_SUCCESS;
    }
    FK_VALID(type != CU_MEMORYTYPE_HOST || b->place != FK_DEVICE);
    FK_VALID(fk_block_range(address, bytes));
    FK_VALID(!b->doomed);
    return CUDA_SUCCESS;
}

/* Offset of the first byte, and how far the last one lies behind it; false on overflow. */
static bool extent_of(uint64_t x, uint64_t y, uint64_t z, uint64_t pitch, uint64_t height,
                      uint64_t width, uint64_t rows, uint64_t planes, uint64_t *offset,
                      uint64_t *bytes) {
    uint64_t first_row, last_row, a, b;
    return !(__builtin_mul_overflow(z, height, &first_row) ||
             __builtin_add_overflow(first_row, y, &first_row) ||
             __builtin_mul_overflow(first_row, pitch, &a) || __builtin_add_overflow(a, x, offset) ||
             __builtin_mul_overflow(planes - 1, height, &last_row) ||
             __builtin_add_overflow(last_row, rows - 1, &last_row) ||
             __builtin_mul_overflow(last_row, pitch, &b) ||
             __builtin_add_overflow(b, width, bytes));
}

CUresult fk_copy_work(fk_context *ctx, const CUDA_MEMCPY3D *d, fk_work *work) {
    const uint64_t width = d->WidthInBytes, rows = d->Height, planes = d->Depth;
    *work = (fk_work){.kind = WORK_COPY, .ctx = ctx};
    FK_VALID(!d->srcLOD && !d->dstLOD);
    if (width == 0 || rows == 0 || planes == 0) {
        work->kind = WORK_EMPTY;
        return CUDA_SUCCESS;
    }
    const uint64_t from_pitch = d->srcPitch ? d->srcPitch : width,
                   to_pitch = d->dstPitch ? d->dstPitch : width;
    const uint64_t from_height = d->srcHeight ? d->srcHeight : rows;
    const uint64_t to_height = d->dstHeight ? d->dstHeight : rows;
    FK_VALID(rows * planes == 1 ||
             (from_pitch >= d->srcXInBytes + width && to_pitch >= d->dstXInBytes + width));
    FK_VALID(planes == 1 || (from_height >= d->srcY + rows && to_height >= d->dstY + rows));
    uint64_t from_at, from_bytes, to_at, to_bytes;
    FK_VALID(extent_of(d->srcXInBytes, d->srcY, d->srcZ, from_pitch, from_height, width, rows,
                       planes, &from_at, &from_bytes) &&
             extent_of(d->dstXInBytes, d->dstY, d->dstZ, to_pitch, to_height, width, rows, planes,
                       &to_at, &to_bytes));
    fk_side *from = &work->copy.from, *to = &work->copy.to;
    const bool from_host = d->srcMemoryType == CU_MEMORYTYPE_HOST;
    const bool to_host = d->dstMemoryType == CU_MEMORYTYPE_HOST;
    FK_VALID(!from_host || d->srcHost);
    FK_VALID(!to_host || d->dstHost);
    FK_TRY(make_side(d->srcMemoryType, from_host ? (const char *)d->srcHost + from_at : NULL,
                     d->srcDevice + from_at, from_bytes, from));
    FK_TRY(make_side(d->dstMemoryType, to_host ? (char *)d->dstHost + to_at : NULL,
                     d->dstDevice + to_at, to_bytes, to));
    from->pitch = from_pitch;
    from->height = from_height;
    to->pitch = to_pitch;
    to->height = to_height;
    work->copy.width = width;
    work->copy.rows = rows;
    work->copy.planes = planes;
    return CUDA_SUCCESS;
}

/* The description that makes this work, with offsets folded into the addresses. */
void fk_copy_describe(const fk_work *work, CUDA_MEMCPY3D *copy) {
    *copy = (CUDA_MEMCPY3D){.srcMemoryType = CU_MEMORYTYPE_UNIFIED,
                            .dstMemoryType = CU_MEMORYTYPE_UNIFIED};
    if (work->kind != WORK_COPY) return;
    copy->srcDevice = work->copy.from.address;
    copy->srcPitch = work->copy.from.pitch;
    copy->srcHeight = work->copy.from.height;
    copy->dstDevice = work->copy.to.address;
    copy->dstPitch = work->copy.to.pitch;
    copy->dstHeight = work->copy.to.height;
    copy->WidthInBytes = work->copy.width;
    copy->Height = work->copy.rows;
    copy->Depth = work->copy.planes;
}

static bool is_host_side(const fk_side *side) {
    const fk_block *b = side->pageable ? NULL : fk_block_at(side->address);
    return side->pageable || (b && (b->place == FK_HOST || b->place == FK_REGISTERED));
}

/* Reads the source now. */
static CUresult stage(fk_work *w) {
    const uint64_t width = w->copy.width, rows = w->copy.rows, planes = w->copy.planes;
    uint8_t *staged = ptx_grow(NULL, width * rows * planes);
    w->copy.staged = staged;
    for (uint64_t p = 0; p < planes; p++) {
        for (uint64_t r = 0; r < rows; r++) {
            const uint64_t row = (p * w->copy.from.height + r) * w->copy.from.pitch;
            if (!fk_pageable(staged + (p * rows + r) * width, w->copy.from.address + row, width,
                             false)) {
                fk_work_free(w);
                return CUDA_ERROR_INVALID_VALUE;
            }
        }
    }
    return CUDA_SUCCESS;
}

/* Queues `work`, and is done with it if it `waits`. */
static CUresult submit(fk_stream *s, fk_work *work, bool waits) {
    fk_context *ctx = s->ctx;
    FK_TRY(fk_submit(s, work));
    if (waits) fk_finish(s->tail);
    return waits ? ctx->error : CUDA_SUCCESS;
}

/* Queues a copy and waits where the interface promises it. */
CUresult fk_copy(const CUDA_MEMCPY3D *description, CUstream stream, fk_manner m) {
    FK_VALID(description);
    FK_STREAM_OF(s, stream);
    FK_NEED(m == ASYNCHRONOUS || !s->capture, fk_capture_forbid(s));
    fk_work work;
    FK_TRY(fk_copy_work(s->ctx, description, &work));
    FK_NEED(work.kind == WORK_COPY, CUDA_SUCCESS);
    fk_note("0x%llx <- 0x%llx, %llu", (unsigned long long)work.copy.to.address,
            (unsigned long long)work.copy.from.address,
            (unsigned long long)(work.copy.width * work.copy.rows * work.copy.planes));
    const bool from_host = is_host_side(&work.copy.from), to_host = is_host_side(&work.copy.to);
    const bool to_pageable = work.copy.to.pageable;
    if (m == ASYNCHRONOUS && s->capture) return fk_submit(s, &work);
    if (work.copy.from.pageable && m == ASYNCHRONOUS && fk.config.staged && !to_host)
        FK_TRY(stage(&work));
    /* Device to device is not waited for even by the synchronous form; host to host always is. */
    return submit(s, &work,
                  (m == SYNCHRONOUS && (from_host || to_host)) || to_pageable ||
                      (from_host && to_host));
}

/* A copy of bytes in a row; each side named as its memory type has it. */
static CUresult flat(CUmemorytype to_type, uint64_t to, CUmemorytype from_type, uint64_t from,
                     size_t n, CUstream stream, fk_manner m) {
    const CUDA_MEMCPY3D d = {.srcMemoryType = from_type,
                             .srcHost = (const void *)(uintptr_t)from,
                             .srcDevice = from,
                             .dstMemoryType = to_type,
                             .dstHost = (void *)(uintptr_t)to,
                             .dstDevice = to,
                             .WidthInBytes = n,
                             .Height = 1,
                             .Depth = 1};
    return n ? fk_copy(&d, stream, m) : CUDA_SUCCESS;
}

/* cuMemcpy...(to, from, n) and its asynchronous form. */
#define FLAT(form, version, to_type, to_kind, from_type, from_kind)                                \
    CUresult fk_cuMemcpy##form##version(to_type to, from_type from, size_t n) {                    \
        return flat(CU_MEMORYTYPE_##to_kind, (uint64_t)to, CU_MEMORYTYPE_##from_kind,              \
                    (uint64_t)from, n, NULL, SYNCHRONOUS);                                         \
    }                                                                                              \
    CUresult fk_cuMemcpy##form##Async##version(to_type to, from_type from, size_t n,               \
                                               CUstream stream) {                                  \
        return flat(CU_MEMORYTYPE_##to_kind, (uint64_t)to, CU_MEMORYTYPE_##from_kind,              \
                    (uint64_t)from, n, stream, ASYNCHRONOUS);                                      \
    }
FLAT(, , CUdeviceptr, UNIFIED, CUdeviceptr, UNIFIED)
FLAT(HtoD, _v2, CUdeviceptr, DEVICE, const void *, HOST)
FLAT(DtoH, _v2, void *, HOST, CUdeviceptr, DEVICE)
FLAT(DtoD, _v2, CUdeviceptr, DEVICE, CUdeviceptr, DEVICE)

CUresult fk_copy_2d(const CUDA_MEMCPY2D *c, CUstream stream, fk_manner m) {
    FK_VALID(c);
#define SAME(field) .field = c->field
    const CUDA_MEMCPY3D d = {SAME(srcXInBytes),   SAME(srcY),        SAME(srcMemoryType),
                             SAME(srcHost),       SAME(srcDevice),   SAME(srcArray),
                             SAME(srcPitch),      SAME(dstXInBytes), SAME(dstY),
                             SAME(dstMemoryType), SAME(dstHost),     SAME(dstDevice),
                             SAME(dstArray),      SAME(dstPitch),    SAME(WidthInBytes),
                             SAME(Height),        .Depth = 1};
#undef SAME
    return fk_copy(&d, stream, m);
}

/* ---- fills ----------------------------------------------------------------------------------- */

CUresult fk_fill_work(fk_context *ctx, const CUDA_MEMSET_NODE_PARAMS *f, fk_work *work) {
    *work = (fk_work){.kind = WORK_EMPTY, .ctx = ctx};
    const unsigned e = f->elementSize;
    FK_VALID(e == 1 || e == 2 || e == 4);
    if (f->width == 0 || f->height == 0) return CUDA_SUCCESS;
    const uint64_t pitch = f->height > 1 ? f->pitch : 0;
    uint64_t row, rest, bytes;
    FK_VALID(!__builtin_mul_overflow(f->width, e, &row) &&
             !__builtin_mul_overflow(f->height - 1, pitch, &rest) &&
             !__builtin_add_overflow(rest, row, &bytes));
    FK_VALID(f->height == 1 || (pitch >= row && pitch % e == 0));
    FK_VALID(f->dst && f->dst % e == 0);
    const fk_block *b = fk_block_range(f->dst, bytes);
    FK_VALID(b && !b->doomed);
    work->kind = WORK_FILL;
    work->fill.to = f->dst;
    work->fill.pitch = pitch;
    work->fill.width = f->width;
    work->fill.rows = f->height;
    work->fill.value = f->value;
    work->fill.element = e;
    return CUDA_SUCCESS;
}

/* The synchronous forms do not wait either, except for memory that the host can see. */
static CUresult fill_on(CUdeviceptr to, size_t pitch, unsigned value, unsigned element,
                        size_t width, size_t height, CUstream stream, fk_manner m) {
    FK_STREAM_OF(s, stream);
    FK_NEED(m == ASYNCHRONOUS || !s->capture, fk_capture_forbid(s));
    const CUDA_MEMSET_NODE_PARAMS fill = {to, pitch, value, element, width, height};
    fk_work work;
    FK_TRY(fk_fill_work(s->ctx, &fill, &work));
    FK_NEED(work.kind == WORK_FILL, CUDA_SUCCESS);
    const fk_block *b = fk_block_at(to);
    return submit(s, &work, m == SYNCHRONOUS && b && b->place != FK_DEVICE);
}

#define FILLS(bits, type)                                                                          \
    CUresult fk_cuMemsetD##bits##_v2(CUdeviceptr to, type v, size_t n) {                           \
        return fill_on(to, 0, v, bits / 8, n, 1, NULL, SYNCHRONOUS);                               \
    }                                                                                              \
    CUresult fk_cuMemsetD##bits##Async(CUdeviceptr to, type v, size_t n, CUstream stream) {        \
        return fill_on(to, 0, v, bits / 8, n, 1, stream, ASYNCHRONOUS);                            \
    }                                                                                              \
    CUresult fk_cuMemsetD2D##bits##_v2(CUdeviceptr to, size_t pitch, type v, size_t w, size_t h) { \
        return fill_on(to, pitch, v, bits / 8, w, h, NULL, SYNCHRONOUS);                           \
    }                                                                                              \
    CUresult fk_cuMemsetD2D##bits##Async(CUdeviceptr to, size_t pitch, type v, size_t w, size_t h, \
                                         CUstream stream) {                                        \
        return fill_on(to, pitch, v, bits / 8, w, h, stream, ASYNCHRONOUS);                        \
    }
FILLS(8, unsigned char)
FILLS(16, unsigned short)
FILLS(32, unsigned)

/* Managed memory lies where both sides see it: there is nothing to move. */
CUresult fk_cuMemPrefetchAsync(CUdeviceptr ptr, size_t n, CUdevice dev, CUstream stream) {
    CUresult status;
    FK_NEED(fk_stream_of(stream, &status), status);
    FK_NEED(dev == -1 || fk_device_of(dev), CUDA_ERROR_INVALID_DEVICE);
    const fk_block *b = fk_block_range(ptr, n);
    FK_VALID(n > 0 && b && b->place == FK_MANAGED);
    return CUDA_SUCCESS;
}

CUresult fk_cuMemAdvise(CUdeviceptr ptr, size_t n, CUmem_advise advice, CUdevice dev) {
    enum { ADVICES = 8 };
    FK_VALID(advice >= 1 && advice < ADVICES && (dev == -1 || fk_device_of(dev)));
    const fk_block *b = fk_block_range(ptr, n);
    FK_VALID(n > 0 && b && b->place == FK_MANAGED);
    return CUDA_SUCCESS;
}
