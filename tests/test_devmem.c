/* test_devmem.c - the memory of devices: copies of every layout, the caller's memory on a device that cannot read it, devices that
 * are full or lost, two devices side by side. tests/slow_far.sh runs the tests of the API on such a device. */
#include <sys/mman.h>
#include <unistd.h>

#include "tests/far/far.h"
#include "tests/support/rt_support.h"

static bz_context *open_far(void) {
    return open_one((bz_device)FAR_DEVICE);
}

/* ---- runs */

enum { MOST = 4096 };

/* Steps of a layout of that shape, axes in another order, with gaps, backwards or repeated, and the lowest element. */
static int64_t strides_of(const int64_t *shape, unsigned rank, unsigned how, int64_t *strides) {
    int64_t step = how & 1 ? 2 : 1, lowest = 0;
    for (unsigned i = rank; i-- > 0;) {
        unsigned axis = how & 2 ? rank - 1 - i : i;
        strides[axis] = how & 4 && axis % 2 ? -step : step;
        if (how & 8 && axis == rank / 2) strides[axis] = 0;
        if (strides[axis] < 0) lowest += (shape[axis] - 1) * -strides[axis];
        step *= shape[axis] + (how & 16 ? 1 : 0);
    }
    return lowest;
}

/* The k-th element's place. */
static int64_t place_of(const rt_layout *l, int64_t k) {
    int64_t at = 0;
    for (unsigned i = l->rank; i-- > 0; k /= l->shape[i]) at += k % l->shape[i] * l->strides[i];
    return at;
}

/* Elements of `size` bytes of l, packed, spread again and copied in place, between these memories. */
static void move_one(rt_memory *m, const rt_layout *l, int64_t first, size_t size) {
    static uint8_t from[MOST * 8], packed[MOST * 8], back[MOST * 8], place[MOST * 8];
    bz_error e = {0};
    rt_address a, b;
    rt_runs pack, spread, both;
    for (size_t i = 0; i < sizeof from; i++) from[i] = (uint8_t)(i * 7 + i / 251);
    memset(back, 0, sizeof back);
    memset(place, 0, sizeof place);
    cr_assert(!m->f->alloc(m, sizeof from, &a, &e) && !m->f->alloc(m, sizeof from, &b, &e));
    rt_runs_of(&pack, l, size, RT_PACKED_TO);
    rt_runs_of(&spread, l, size, RT_PACKED_FROM);
    rt_runs_of(&both, l, size, RT_BOTH_STRIDED);
    rt_address offset = (rt_address)first * size;
    rt_spot x = {m, a}, y = {m, b}, x0 = {m, a + offset}, place0 = rt_host_spot(place);
    place0.at += offset;
    cr_assert(!rt_move_bytes(x, rt_host_spot(from), sizeof from, &e) && !rt_move(y, x0, &pack, &e));
    cr_assert(!rt_move(rt_host_spot(packed), x0, &pack, &e));
    cr_assert(!rt_move(place0, x0, &both, &e));
    cr_assert(!m->f->zero(m, a, sizeof from, &e) && !rt_move(x0, y, &spread, &e));
    cr_assert(!rt_move_bytes(rt_host_spot(back), x, sizeof back, &e));
    for (int64_t k = 0; k < l->count; k++) {
        size_t at = (size_t)(place_of(l, k) + first) * size;
        cr_assert(memcmp(packed + (size_t)k * size, from + at, size) == 0, "element %d", (int)k);
        cr_assert(memcmp(back + at, from + at, size) == 0, "element %d came back", (int)k);
        cr_assert(memcmp(place + at, from + at, size) == 0, "element %d in its place", (int)k);
    }
    for (int64_t k = 0; k < l->count; k++) { /* some are the same element */
        size_t at = (size_t)(place_of(l, k) + first) * size;
        memset(back + at, 0, size);
        memset(place + at, 0, size);
    }
    for (size_t i = 0; i < sizeof back; i++) cr_assert(!back[i] && !place[i], "byte %zu", i);
    m->f->free(m, a, sizeof from);
    m->f->free(m, b, sizeof from);
}

Test(devmem, every_layout_is_copied) {
    static const struct {
        unsigned rank;
        int64_t shape[4];
    } shapes[] = {{0, {0}},          {1, {1}},       {1, {17}},      {2, {3, 5}},
                  {2, {1, 9}},       {3, {4, 1, 3}}, {3, {2, 3, 4}}, {4, {2, 1, 3, 2}},
                  {4, {1, 1, 1, 1}}, {2, {0, 3}},    {3, {2, 0, 5}}, {4, {3, 2, 2, 3}}};
    static const size_t sizes[] = {1, 2, 4, 8};
    bz_context *c = open_far();
    for (unsigned i = 0; i < BZ_LEN(shapes); i++)
        for (unsigned how = 0; how < 32; how++) {
            int64_t strides[4];
            int64_t first = strides_of(shapes[i].shape, shapes[i].rank, how, strides);
            const rt_layout *l = rt_layout_of(c, shapes[i].shape, strides, shapes[i].rank);
            for (unsigned k = 0; k < BZ_LEN(sizes); k++) {
                move_one(&rt_host, l, first, sizes[k]);
                move_one(c->memory, l, first, sizes[k]);
            }
        }
    bz_close(c);
}

Test(devmem, neighbours_that_are_one_axis_are_one) {
    static const struct {
        int64_t shape[3], strides[3];
        unsigned rank;
        size_t bytes;
    } cases[] = {
        {{4, 5, 6}, {30, 6, 1}, 0, 480},  {{4, 5, 6}, {60, 6, 1}, 1, 120},
        {{4, 5, 6}, {35, 7, 1}, 1, 24},   {{4, 5, 6}, {60, 12, 2}, 1, 4},
        {{4, 5, 6}, {1, 4, 20}, 3, 4},    {{1, 5, 6}, {99, 6, 1}, 0, 120},
        {{4, 1, 6}, {12, 99, 2}, 1, 4},   {{4, 5, 1}, {5, 1, 77}, 0, 80},
        {{4, 5, 6}, {-30, -6, -1}, 1, 4},
    };
    bz_context *c = open_far();
    for (unsigned i = 0; i < BZ_LEN(cases); i++) {
        rt_runs r;
        rt_runs_of(&r, rt_layout_of(c, cases[i].shape, cases[i].strides, 3), 4, RT_PACKED_TO);
        cr_expect(r.rank == cases[i].rank && r.bytes == cases[i].bytes,
                  "case %u: rank %u, %zu bytes", i, r.rank, r.bytes);
    }
    bz_close(c);
}

/* ---- the caller's memory */

/* Rows in pages of their own; what is between them cannot be touched. */
Test(devmem, what_is_between_the_callers_elements_is_not_read) {
    int64_t page = sysconf(_SC_PAGESIZE), row = page / 4;
    char *p =
        mmap(NULL, (size_t)page * 3, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_neq(p, MAP_FAILED);
    float *x = (float *)(void *)p;
    for (int i = 0; i < 8; i++) x[i] = (float)i, x[2 * row + i] = (float)(10 + i);
    mprotect(p + page, (size_t)page, PROT_NONE);
    bz_context *c = open_far();
    bz_tensor *t = bz_from_buffer(c, BZ_F32, x, BZ_STRIDED((2, 4), (2 * row, 2)));
    EXPECT(bz_mul(t, bz_scalar(c, 2)), 0, 4, 8, 12, 20, 24, 28, 32);
    bz_add_(bz_select(t, 1, 1), bz_scalar(c, 100));
    cr_expect_eq(bz_flush(t), BZ_OK, "%s", bz_message(c));
    float want[2][8] = {{0, 1, 102, 3, 4, 5, 6, 7}, {10, 11, 112, 13, 14, 15, 16, 17}};
    cr_expect(!memcmp(x, want[0], sizeof want[0]) && !memcmp(x + 2 * row, want[1], sizeof want[1]));
    bz_close(c);
    munmap(p, (size_t)page * 3);
}

/* ---- a device that is full, or lost */

Test(devmem, a_full_device_says_what_is_too_large) {
    bz_context *c = open_far();
    c->memory->most = 1 << 20;
    EXPECT_ERROR(
        c, bz_add(bz_zeros(c, BZ_SHAPE(1024, 1024), BZ_F32), bz_ones(c, BZ_SHAPE(1024), BZ_F32)),
        BZ_ENOMEM, "f32[1024,1024] takes 4 MiB, the device has 1 MiB");
    EXPECT(bz_add(bz_ones(c, BZ_SHAPE(2), BZ_F32), bz_scalar(c, 1)), 2, 2);
    bz_close(c);
}

static bz_status twice(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_add(in[0], in[1]);
    return bz_context_status(c);
}

/* Something of everything that reaches a device: views, the caller's memory, donation, numbers, reads. */
static bz_status work(bz_context *c, float *home) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3, 4, 5, 6}), BZ_SHAPE(2, 3)), *out[1];
    bz_tensor *f = bz_from_buffer(c, BZ_F32, home, BZ_DENSE(3, 2));
    bz_program *p = bz_compile(
        c, twice, NULL, &(bz_compile_options){.nin = 2, .nout = 1, .donate = (int[]){0, -1}});
    bz_add_(bz_select(x, 1, 2), bz_scalar(c, 0.5));
    bz_status s = bz_call(p, (bz_tensor *[]){f, bz_transpose(x, 0, 1)}, out);
    if (!s) bz_mul_(f, bz_scalar(c, 2));
    if (!s) s = bz_flush(f);
    if (!s) bz_item(bz_sum(out[0], NULL, 0, false));
    if (!s) s = bz_context_status(c);
    return s;
}

/* Each call of the device's functions in turn is the first that fails: a status with its words, nothing leaks (far.c looks), and the
 * caller's memory has all of a change or nothing. */
Test(devmem, a_lost_device_is_a_status) {
    static const float before[] = {1, 2, 3, 4, 5, 6}, after[] = {4, 12, 10, 18, 17, 25};
    int calls = 1000;
    for (int n = calls; n >= 0; n = n > calls ? calls - 1 : n - 1) {
        float home[6];
        memcpy(home, before, sizeof home);
        bz_context *c = open_far();
        far_calls = n;
        bz_status s = work(c, home);
        if (n >= calls) {
            calls = n - far_calls;
            cr_expect(s == BZ_OK && calls > 15, "%d calls: %s", calls, bz_message(c));
            cr_expect(memcmp(home, after, sizeof after) == 0);
        } else {
            cr_expect_eq(s, BZ_EDEVICE, "call %d: %s %s", n, bz_status_text(s), bz_message(c));
            cr_expect(strstr(bz_message(c), "far: the device is lost"), "%s", bz_message(c));
        }
        bz_clear(c);
        far_calls = -1;
        bz_close(c);
    }
}

/* ---- from one context to another */

enum { DEVICES = 4 };
static const int kinds[DEVICES] = {BZ_CPU, BZ_REF, FAR_DEVICE, FAR_KERNELS};

static void take(bz_context *c, bz_context *of) {
    static float memory[] = {1, 2, 3, 4, 5, 6, 7, 8};
    bz_tensor *x = bz_from_data(of, BZ_F32, ((float[]){1, 2, 3, 4, 5, 6}), BZ_SHAPE(2, 3));
    bz_tensor *f = bz_from_buffer(of, BZ_F32, memory + 2, BZ_STRIDED((2, 2), (4, -2))), *y;
    EXPECT(bz_from_tensor(c, x), 1, 2, 3, 4, 5, 6);
    EXPECT(bz_from_tensor(c, bz_transpose(x, 0, 1)), 1, 4, 2, 5, 3, 6);
    EXPECT(bz_from_tensor(c, bz_at(x, "1, ::-2")), 6, 4);
    EXPECT(bz_from_tensor(c, bz_expand(bz_select(x, 1, 1), BZ_SHAPE(2, 2))), 2, 5, 2, 5);
    EXPECT(bz_from_tensor(c, bz_mul(x, x)), 1, 4, 9, 16, 25, 36);
    EXPECT(bz_from_tensor(c, bz_scalar(of, 0.5)), 0.5);
    EXPECT(bz_from_tensor(c, f), 3, 1, 7, 5);
    cr_expect_eq(bz_numel(bz_from_tensor(c, bz_zeros(of, BZ_SHAPE(0, 3), BZ_F32))), 0);
    y = bz_from_tensor(c, x); /* a value of its own */
    bz_add_(x, bz_scalar(of, 10));
    EXPECT(x, 11, 12, 13, 14, 15, 16);
    EXPECT(bz_add_(y, bz_scalar(c, 1)), 2, 3, 4, 5, 6, 7);
    EXPECT(x, 11, 12, 13, 14, 15, 16);
}

Test(devmem, tensors_go_to_other_devices) {
    for (unsigned i = 0; i < DEVICES; i++)
        for (unsigned k = 0; k < DEVICES; k++) {
            bz_context *c = open_one((bz_device)kinds[i]), *of = open_one((bz_device)kinds[k]);
            take(c, of);
            take(c, c);
            cr_expect(!bz_context_status(c) && !bz_context_status(of), "%u from %u: %s %s", i, k,
                      bz_message(c), bz_message(of));
            bz_close(c);
            bz_close(of);
        }
}

static bz_status takes_inside(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                              int nout, void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_from_tensor(c, in[0]);
    return bz_context_status(c);
}

Test(devmem, what_cannot_be_taken_is_a_status) {
    bz_context *c = open_far(), *of = open_one((bz_device)FAR_KERNELS);
    bz_tensor *x = bz_arange(of, 0, 6, 1, BZ_F32), *gone = bz_copy(x), *bad, *out;
    bz_program *p = bz_compile(of, takes_inside, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    bz_release(gone);
    EXPECT_ERROR(c, bz_from_tensor(c, NULL), BZ_ESCOPE, "[from_tensor] the tensor is NULL");
    EXPECT_ERROR(c, bz_from_tensor(c, gone), BZ_ESCOPE, "[from_tensor] the handle is stale");
    bz_clear(of);
    bad = bz_add(x, bz_ones(of, BZ_SHAPE(5), BZ_F32));
    EXPECT_ERROR(c, bz_from_tensor(c, bad), BZ_ESHAPE, "[add]");
    bz_clear(of);
    bad = bz_gather(x, bz_from_data(of, BZ_I64, ((int64_t[]){9}), BZ_SHAPE(1)), 0);
    EXPECT_ERROR(c, bz_from_tensor(c, bad), BZ_EINDEX, "index 9 is outside axis 0 of 6");
    bz_clear(of);
    cr_expect_eq(bz_call(p, &x, &out), BZ_EMODE);
    bz_clear(of);
    x = bz_transpose(bz_reshape(x, BZ_SHAPE(2, 3)), 0, 1);
    bz_eval(&x, 1);
    for (int n = 0; n < 3; n++) { /* a row there, its copy, the copy to here */
        far_calls = n;
        EXPECT_ERROR(c, bz_from_tensor(c, x), BZ_EDEVICE, "far: the device is lost");
        far_calls = -1;
        bz_clear(of);
    }
    EXPECT(bz_from_tensor(c, x), 0, 3, 1, 4, 2, 5);
    bz_close(of);
    EXPECT_ERROR(c, bz_from_tensor(c, x), BZ_ESCOPE, "[from_tensor] the handle is stale");
    bz_close(c);
}
