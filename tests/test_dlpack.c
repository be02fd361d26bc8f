/* test_dlpack.c - DLPack both ways: whose memory is read and written, when deleters are called, what is refused. */
#include "tests/support/rt_support.h"

#include <pthread.h>

/* A consumer and a producer as another library would have them, by the standard's structs alone. */
typedef struct produced {
    bz_dl_managed_versioned m;
    int64_t shape[3], strides[3];
    int deleted;
} produced;

static void delete_produced(bz_dl_managed_versioned *m) {
    ((produced *)m->manager)->deleted++;
}

static produced *matrix(produced *p, void *data, int64_t rows, int64_t columns, int64_t down,
                        int64_t right) {
    *p = (produced){.shape = {rows, columns}, .strides = {down, right}};
    p->m.version.major = BZ_DL_MAJOR;
    p->m.manager = p;
    p->m.deleter = delete_produced;
    p->m.tensor = (bz_dl_tensor){.data = data, .ndim = 2, .shape = p->shape, .strides = p->strides};
    p->m.tensor.device.type = BZ_DL_CPU;
    p->m.tensor.dtype.code = BZ_DL_FLOAT;
    p->m.tensor.dtype.bits = 32;
    p->m.tensor.dtype.lanes = 1;
    return p;
}

static void taken(bz_context *c) {
    static float home[12]; /* until the context is closed */
    static produced p;
    for (int i = 0; i < 12; i++) home[i] = (float)i;
    matrix(&p, home, 3, 2, -4, 2)->m.tensor.byte_offset = 8 * sizeof(float);
    bz_tensor *x = bz_from_dlpack(c, &p.m), *y = bz_mul(x, 2);
    EXPECT(bz_ravel(y), 16, 20, 8, 12, 0, 4);
    bz_release(bz_add_(bz_at(x, "0"), 100)); /* reaches home when it is flushed */
    cr_assert_eq(bz_flush(x), BZ_OK);
    cr_expect_float_eq(home[8], 108, 0);
    cr_expect_float_eq(home[10], 110, 0);
    cr_expect_float_eq(home[9], 9, 0);
    y = bz_add(x, 1);
    cr_expect_eq(p.deleted, 0);
    bz_release(x); /* recorded, not yet read */
    EXPECT(bz_ravel(y), 109, 111, 5, 7, 1, 3);
    bz_eval(&y, 1); /* the recording is over */
    cr_expect_eq(p.deleted, 1);
}

Test(dlpack, memory_of_others) {
    on_all(taken);
}

/* Once, and not before all that reads it is gone: at the latest with the context. */
Test(dlpack, deleters_are_called_once) {
    float home[6] = {1, 2, 3, 4, 5, 6};
    produced p, q;
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = bz_from_dlpack(c, &matrix(&p, home, 2, 3, 3, 1)->m);
    bz_tensor *y = bz_from_dlpack(c, &matrix(&q, home, 2, 3, 3, 1)->m), *v = bz_t(y);
    bz_release(x);
    cr_expect_eq(p.deleted, 1);
    bz_release(y);
    cr_expect_eq(q.deleted, 0);
    EXPECT(bz_ravel(v), 1, 4, 2, 5, 3, 6);
    bz_close(c);
    cr_expect_eq(p.deleted, 1);
    cr_expect_eq(q.deleted, 1);
}

Test(dlpack, read_only) {
    float home[6] = {1, 2, 3, 4, 5, 6};
    produced p;
    bz_context *c = open_one(BZ_CPU);
    matrix(&p, home, 2, 3, 3, 1)->m.flags = BZ_DL_READ_ONLY;
    bz_tensor *x = bz_from_dlpack(c, &p.m);
    EXPECT_ERROR(c, bz_add_(bz_at(x, "1"), 1), BZ_EMODE, "[add_] memory that is read only");
    EXPECT(bz_ravel(bz_add_(bz_copy(x), 1)), 2, 3, 4, 5, 6, 7);
    cr_expect_float_eq(home[0], 1, 0);
    bz_close(c);
    cr_expect_eq(p.deleted, 1);
}

Test(dlpack, legacy_and_refused) {
    float home[6] = {1, 2, 3, 4, 5, 6};
    produced p;
    bz_context *c = open_one(BZ_CPU);
    bz_dl_managed old = {.tensor = matrix(&p, home, 3, 2, 2, 1)->m.tensor};
    old.tensor.strides = NULL;
    EXPECT(bz_ravel(bz_from_dlpack_legacy(c, &old)), 1, 2, 3, 4, 5, 6);
    p.m.version.major = 2;
    EXPECT_ERROR(c, bz_from_dlpack(c, &p.m), BZ_EUNSUPPORTED,
                 "[from_dlpack] a struct of DLPack's major version 2");
    matrix(&p, home, 3, 2, 2, 1)->m.tensor.dtype.code = BZ_DL_COMPLEX;
    EXPECT_ERROR(c, bz_from_dlpack(c, &p.m), BZ_EUNSUPPORTED, "code 5 with 32 bits");
    matrix(&p, home, 3, 2, 2, 1)->m.tensor.dtype.lanes = 4;
    EXPECT_ERROR(c, bz_from_dlpack(c, &p.m), BZ_EUNSUPPORTED, "4 lanes");
    matrix(&p, home, 3, 2, 2, 1)->m.tensor.device.type = BZ_DL_CUDA;
    EXPECT_ERROR(c, bz_from_dlpack(c, &p.m), BZ_EUNSUPPORTED, "memory of a device of type 2");
    matrix(&p, home, 3, 2, 2, 1)->m.tensor.ndim = 99;
    EXPECT_ERROR(c, bz_from_dlpack(c, &p.m), BZ_ESHAPE, "99");
    matrix(&p, home, 3, -2, 2, 1);
    EXPECT_ERROR(c, bz_from_dlpack(c, &p.m), BZ_ESHAPE, "[from_dlpack]");
    matrix(&p, home, 3, 2, 2, 1)->m.tensor.byte_offset = 2;
    EXPECT_ERROR(c, bz_from_dlpack(c, &p.m), BZ_EARG, "not aligned");
    EXPECT_ERROR(c, bz_from_dlpack(c, NULL), BZ_EARG, "[from_dlpack] NULL");
    bz_close(c);
    cr_expect_eq(p.deleted, 0);
}

/* ---- lent out */

static void *delete_elsewhere(void *p) {
    bz_dl_managed_versioned *m = p;
    m->deleter(m);
    return NULL;
}

Test(dlpack, memory_for_others) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = bz_reshape(bz_arange(c, 0, 6, 1, BZ_F32), BZ_SHAPE(2, 3));
    bz_dl_managed_versioned *m = bz_to_dlpack(bz_at(bz_t(x), "1:")), *n = bz_to_dlpack(x);
    bz_dl_managed *old = bz_to_dlpack_legacy(x);
    cr_assert(m && n && old, "%s", bz_message(c));
    cr_expect_eq(m->version.major, 1);
    cr_expect_eq(m->flags, BZ_DL_READ_ONLY);
    const bz_dl_tensor *t = &m->tensor;
    const float *p = t->data, *all = n->tensor.data;
    cr_expect(t->ndim == 2 && t->shape[0] == 2 && t->shape[1] == 2 && t->strides[0] == 1 &&
              t->strides[1] == 3 && t->device.type == BZ_DL_CPU && t->dtype.code == BZ_DL_FLOAT &&
              t->dtype.bits == 32 && t->dtype.lanes == 1 && t->byte_offset == 0);
    cr_expect(p == all + 1 && old->tensor.data == (const void *)all, "one memory");
    cr_expect_float_eq(p[3], 4, 0);
    bz_fill_(x, 7); /* what is lent stays as it is */
    EXPECT(bz_ravel(x), 7, 7, 7, 7, 7, 7);
    cr_expect_float_eq(all[5], 5, 0);
    old->deleter(old);
    bz_close(c);
    cr_expect_float_eq(all[5], 5, 0);
    pthread_t other;
    cr_assert_eq(pthread_create(&other, NULL, delete_elsewhere, n), 0);
    pthread_join(other, NULL);
    cr_expect_float_eq(p[3], 4, 0, "of two of one buffer the other still has it");
    m->deleter(m);
}

/* What is given back comes back to the context: memory does not grow. */
Test(dlpack, given_back) {
    bz_context *c = open_one(BZ_CPU);
    bz_counters n, first;
    for (int i = 0; i < 20; i++) {
        bz_tensor *x = bz_full(c, BZ_SHAPE(100, 100), i, BZ_F32);
        bz_eval(&x, 1);
        bz_dl_managed_versioned *m = bz_to_dlpack(x);
        cr_expect_float_eq(((float *)m->tensor.data)[9999], (float)i, 0);
        bz_release(x);
        m->deleter(m);
        bz_get_counters(c, &n);
        if (i == 2) first = n;
        if (i > 2) cr_expect_leq(n.bytes, first.bytes);
    }
    bz_close(c);
}

/* From one context to another, the same memory; nothing is computed meanwhile that changes it. */
Test(dlpack, between_contexts) {
    bz_context *a = open_one(BZ_CPU), *b = open_one(BZ_REF);
    bz_tensor *x = bz_tanh(bz_arange(a, 0, 4, 1, BZ_F32));
    bz_tensor *y = bz_from_dlpack(b, bz_to_dlpack(x));
    bz_tensor *want = bz_from_tensor(b, x);
    cr_expect_eq(bz_item(bz_all(bz_eq(y, want), BZ_ALL)), 1);
    bz_close(a);
    cr_expect_eq(bz_item(bz_all(bz_eq(y, want), BZ_ALL)), 1);
    EXPECT_ERROR(b, bz_mul_(y, 2), BZ_EMODE, "read only");
    bz_close(b);
}

static bz_status asks(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout, (void)user;
    cr_expect_null(bz_to_dlpack(in[0]));
    out[0] = in[0];
    return bz_context_status(c);
}

Test(dlpack, not_while_tracing_and_not_donated) {
    float home[6] = {1, 2, 3, 4, 5, 6};
    produced p;
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(2, 3), BZ_F32), *out;
    bz_program *f = bz_compile(c, asks, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    cr_expect_eq(bz_call(f, &x, &out), BZ_EMODE);
    cr_expect(strstr(bz_message(c), "[to_dlpack]"), "%s", bz_message(c));
    bz_clear(c);
    matrix(&p, home, 2, 3, 3, 1)->m.flags = BZ_DL_READ_ONLY;
    x = bz_from_dlpack(c, &p.m);
    f = bz_compile(c, asks, NULL, &(bz_compile_options){.nin = 1, .nout = 1, .donate = (int[]){0}});
    cr_expect_eq(bz_call(f, &x, &out), BZ_EARG);
    cr_expect(strstr(bz_message(c), "donated input 0 is read only"), "%s", bz_message(c));
    bz_clear(c);
    cr_expect_null(bz_to_dlpack(NULL));
    bz_close(c);
}
