/* test_moves.c - views under PyTorch's and NumPy's names: whose memory they share, at which strides, what is seen through them, and
 * what is no view. Values beside NumPy: tests/test_numpy_moves.py. */
#include "tests/support/rt_support.h"

#include <stdio.h>

/* Do x and y look at one memory? What is written through y shows in x. x is f32. */
static bool shares(bz_context *c, bz_tensor *x, bz_tensor *y) {
    (void)c;
    double before = bz_item(bz_sum(x, BZ_ALL));
    bz_add_(y, 1000);
    return bz_item(bz_sum(x, BZ_ALL)) >= before + 1000;
}

static void expect_shape(int line, bz_tensor *x, const char *want) {
    char got[200] = "";
    for (int i = 0, n = 0; i < bz_ndim(x); i++)
        n += snprintf(got + n, sizeof got - (size_t)n, "%s%lld:%lld", i ? " " : "",
                      (long long)bz_shape(x)[i], (long long)bz_strides(x)[i]);
    cr_expect_str_eq(got, want, "line %d: %s, not %s; %s", line, got, want,
                     bz_message(bz_context_of(x)));
}
/* Sizes and strides, "4:1 6:4". */
#define EXPECT_SHAPE(x, want) expect_shape(__LINE__, (x), (want))

static bz_tensor *cube(bz_context *c) {
    return bz_reshape(bz_arange(c, 0, 24, 1, BZ_F32), BZ_SHAPE(2, 3, 4));
}

static void are_views(bz_context *c) {
    bz_tensor *x = cube(c), *p = bz_permute(x, (int[]){2, 0, 1}, 3), *m = bz_at(x, "0"), *y[16];
    int n = 0;
    EXPECT_SHAPE(y[n++] = bz_view(x, BZ_SHAPE(6, -1)), "6:4 4:1");
    EXPECT_SHAPE(y[n++] = bz_view_as(x, bz_zeros(c, BZ_SHAPE(24), BZ_F32)), "24:1");
    EXPECT_SHAPE(y[n++] = bz_view(p, BZ_SHAPE(2, 2, 6)), "2:2 2:1 6:4");
    EXPECT_SHAPE(y[n++] = bz_reshape_as(p, bz_zeros(c, BZ_SHAPE(4, 6), BZ_F32)), "4:1 6:4");
    EXPECT_SHAPE(y[n++] = bz_unflatten(p, 0, BZ_SHAPE(2, -1)), "2:2 2:1 2:12 3:4");
    EXPECT_SHAPE(y[n++] = bz_movedim(x, (int[]){0, -1}, (int[]){1, 0}, 2), "4:1 2:12 3:4");
    EXPECT_SHAPE(y[n++] = bz_moveaxis(x, (int[]){2}, (int[]){0}, 1), "4:1 2:12 3:4");
    EXPECT_SHAPE(y[n++] = bz_swapaxes(p, 0, 2), "3:4 2:12 4:1");
    EXPECT_SHAPE(y[n++] = bz_swapdims(x, 0, -1), "4:1 3:4 2:12");
    EXPECT_SHAPE(y[n++] = bz_t(m), "4:1 3:4");
    EXPECT_SHAPE(y[n++] = bz_mT(x), "2:12 4:1 3:4");
    EXPECT_SHAPE(y[n++] = bz_adjoint(p), "4:1 3:4 2:12");
    EXPECT_SHAPE(y[n++] = bz_ravel(x), "24:1");
    EXPECT_SHAPE(bz_sliding_window_view(p, 2, 0, 1), "3:1 2:12 3:4 2:1");
    EXPECT_SHAPE(bz_sliding_window_view(x, 2, 2, 2), "2:12 3:4 2:2 2:1");
    EXPECT_SHAPE(y[n++] = bz_contiguous(x), "2:12 3:4 4:1");
    for (int i = 0; i < n; i++) cr_expect(shares(c, x, y[i]), "view %d", i);
    /* of elements repeated, nothing may be written */
    bz_tensor *row = bz_at(x, "0, 0");
    EXPECT_SHAPE(bz_broadcast_to(row, BZ_SHAPE(5, 4)), "5:0 4:1");
    EXPECT_SHAPE(bz_expand_as(bz_at(x, ":, :, :1"), x), "2:12 3:4 4:0");
}
Test(moves, are_views) {
    on_all(are_views);
}

static void fill_up(bz_context *c) {
    bz_tensor *x = bz_zeros(c, BZ_SHAPE(3), BZ_F32), *z = bz_full(c, NULL, 0, 2, BZ_F32);
    bz_tensor *m = bz_zeros(c, BZ_SHAPE(2, 3), BZ_F32);
    EXPECT_SHAPE(bz_atleast_1d(z), "1:1");
    EXPECT_SHAPE(bz_atleast_2d(x), "1:3 3:1");
    EXPECT_SHAPE(bz_atleast_3d(x), "1:3 3:1 1:1");
    cr_expect(shares(c, x, bz_atleast_2d(x)) && shares(c, x, bz_atleast_3d(x)));
    cr_expect(shares(c, m, bz_atleast_3d(m)) && shares(c, m, bz_atleast_1d(m)));
    cr_expect(shares(c, z, bz_atleast_1d(z)));
}
Test(moves, fill_up_axes) {
    on_all(fill_up);
}

static void are_copies(bz_context *c) {
    bz_tensor *x = cube(c), *p = bz_permute(x, (int[]){2, 0, 1}, 3), *m = bz_at(x, "0");
    EXPECT_SHAPE(bz_contiguous(p), "4:6 2:3 3:1");
    bz_tensor *copies[] = {bz_contiguous(p),
                           bz_ravel(p),
                           bz_fliplr(m),
                           bz_flipud(m),
                           bz_roll(x, (int64_t[]){1}, (int[]){0}, 1),
                           bz_rot90(m, 1, 0, 1),
                           bz_tile(m, BZ_SHAPE(1, 1)),
                           bz_repeat_interleave(m, BZ_SHAPE(1), 0),
                           bz_cat(&m, 1, 0),
                           bz_hstack(&m, 1)};
    for (unsigned i = 0; i < sizeof copies / sizeof *copies; i++)
        cr_expect(!shares(c, x, copies[i]), "copy %u", i);
}
Test(moves, are_copies) {
    on_all(are_copies);
}

/* Parts: their number, their places, and that what is written to one shows in x. */
static void parts(bz_context *c) {
    bz_tensor *x = cube(c), *y[8];
    cr_expect_eq(bz_split(x, 2, NULL, 0, 1, y, 8), 2);
    EXPECT_SHAPE(y[0], "2:12 2:4 4:1");
    EXPECT_SHAPE(y[1], "2:12 1:4 4:1");
    cr_expect_null(y[2]);
    cr_expect_eq(bz_split(x, 0, BZ_SHAPE(1, 0, 3), -1, y, 8), 3);
    cr_expect_eq(bz_numel(y[1]), 0);
    cr_expect(shares(c, x, y[2]));
    cr_expect_eq(bz_chunk(x, 3, 2, y, 8), 2, "of 4 elements in threes: two of two");
    cr_expect_eq(bz_tensor_split(x, 3, NULL, 0, 2, y, 3), 3);
    EXPECT_SHAPE(y[0], "2:12 3:4 2:1");
    EXPECT_SHAPE(y[2], "2:12 3:4 1:1");
    cr_expect_eq(bz_tensor_split(x, 0, BZ_SHAPE(2, 1, 9), 2, y, 8), 4);
    cr_expect_eq(bz_numel(y[1]) + bz_numel(y[3]), 0);
    cr_expect_eq(bz_hsplit(x, 3, NULL, 0, y, 8), 3);
    cr_expect_eq(bz_vsplit(x, 2, NULL, 0, y, 8), 2);
    cr_expect_eq(bz_dsplit(x, 0, BZ_SHAPE(-1), y, 8), 2);
    EXPECT_SHAPE(y[1], "2:12 3:4 1:1");
    cr_expect(shares(c, x, y[1]));
    bz_tensor *t = bz_transpose(cube(c), 0, 2);
    cr_expect_eq(bz_unbind(t, 0, y, 4), 4);
    EXPECT_SHAPE(y[3], "3:4 2:12");
    EXPECT(bz_ravel(y[3]), 3, 15, 7, 19, 11, 23);
    bz_fill_(y[1], 0);
    EXPECT(bz_at(t, "1, 1"), 0, 0);
    bz_tensor *pair[] = {bz_zeros(c, BZ_SHAPE(3, 1), BZ_F32), bz_ones(c, BZ_SHAPE(4), BZ_I32)};
    cr_expect_eq(bz_broadcast_tensors(pair, 2, y, 2), 2);
    EXPECT_SHAPE(y[0], "3:1 4:0");
    EXPECT_SHAPE(y[1], "3:0 4:1");
    cr_expect_eq(bz_dtype_of(y[1]), BZ_I32);
}
Test(moves, parts) {
    on_all(parts);
}

static void gradients(bz_context *c) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3, 4, 5, 6}), BZ_SHAPE(2, 3)), *y[3],
              *g;
    bz_unbind(x, 1, y, 3);
    bz_grad(bz_sum(bz_mul(y[0], y[2]), BZ_ALL), &x, 1, &g);
    EXPECT(bz_ravel(g), 3, 0, 1, 6, 0, 4);
    bz_grad(bz_sum(bz_square(bz_tile(x, BZ_SHAPE(2, 1, 2))), BZ_ALL), &x, 1, &g);
    EXPECT(bz_ravel(g), 8, 16, 24, 32, 40, 48);
    bz_tensor *v = bz_reshape(bz_arange(c, 0, 12, 1, BZ_F32), BZ_SHAPE(4, 3));
    int64_t lo[] = {1, 0}, hi[] = {1, 0};
    bz_grad(bz_sum(bz_mul(bz_pad_replicate(x, lo, hi, 2), v), BZ_ALL), &x, 1, &g);
    EXPECT(bz_ravel(g), 3, 5, 7, 15, 17, 19);
    bz_grad(bz_sum(bz_mul(bz_roll(x, (int64_t[]){1}, NULL, 1), bz_at(v, ":2")), BZ_ALL), &x, 1, &g);
    EXPECT(bz_ravel(g), 1, 2, 3, 4, 5, 0);
    bz_grad(bz_sum(bz_square(bz_sliding_window_view(x, 2, 1, 1)), BZ_ALL), &x, 1, &g);
    EXPECT(bz_ravel(g), 2, 8, 6, 8, 20, 12);
    bz_tensor *z = bz_ones(c, BZ_SHAPE(2), BZ_F32), *both[] = {x, z}, *gs[2];
    bz_grad(bz_sum(bz_mul(bz_select_scatter(x, z, 1, -2), bz_at(v, "1:3")), BZ_ALL), both, 2, gs);
    EXPECT(bz_ravel(gs[0]), 3, 0, 5, 6, 0, 8);
    EXPECT(gs[1], 4, 7);
    bz_grad(bz_sum(bz_mul(bz_diag_embed(z, 1, 0, 1), bz_at(v, ":3")), BZ_ALL), &z, 1, &g);
    EXPECT(g, 1, 5);
}
Test(moves, gradients) {
    on_all(gradients);
}

static uint64_t launches(bz_context *c) {
    bz_counters n;
    bz_get_counters(c, &n);
    return n.launches;
}

/* One kernel reads what is repeated, bordered and turned where it lies. */
Test(moves, fuse_with_their_reader) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = bz_randn(c, BZ_SHAPE(64, 64), BZ_F32);
    int64_t lo[] = {2, 2}, hi[] = {2, 2};
    bz_eval(&x, 1);
    bz_tensor *moved[] = {bz_tile(x, BZ_SHAPE(4, 4)),
                          bz_repeat_interleave(x, BZ_SHAPE(3), 1),
                          bz_roll(x, (int64_t[]){3, 5}, (int[]){0, 1}, 2),
                          bz_rot90(x, 1, 0, 1),
                          bz_pad_reflect(x, lo, hi, 2),
                          bz_diag_embed(bz_at(x, "0"), 0, 0, 1)};
    for (unsigned i = 0; i < sizeof moved / sizeof *moved; i++) {
        bz_tensor *y = bz_tanh(moved[i]);
        uint64_t before = launches(c);
        cr_assert_eq(bz_eval(&y, 1), BZ_OK, "%s", bz_message(c));
        cr_expect_eq(launches(c) - before, 1, "%u: %d kernels", i, (int)(launches(c) - before));
    }
    bz_close(c);
}

Test(moves, mistakes) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = cube(c), *p = bz_transpose(x, 0, 2), *y[2];
    int64_t lo[] = {0, 3, 0}, hi[] = {0, 0, 0};
    EXPECT_ERROR(c, bz_view(p, BZ_SHAPE(24)), BZ_ESHAPE,
                 "[view] no strides show f32[4,3,2], which has the strides (1,4,12), as f32[24]");
    EXPECT_ERROR(c, bz_view(x, BZ_SHAPE(5, 5)), BZ_ESHAPE, "[view] f32[2,3,4]");
    EXPECT_ERROR(c, bz_unflatten(x, 1, BZ_SHAPE(2, 2)), BZ_ESHAPE, "[unflatten]");
    EXPECT_ERROR(c, bz_movedim(x, (int[]){0, 0}, (int[]){1, 2}, 2), BZ_EAXIS, "[movedim] axis 0");
    EXPECT_ERROR(c, bz_moveaxis(x, (int[]){3}, (int[]){0}, 1), BZ_EAXIS, "[moveaxis] axis 3");
    EXPECT_ERROR(c, bz_sliding_window_view(x, 4, 1, 1), BZ_EARG,
                 "[sliding_window_view] windows of 4, 1 apart, of axis 1");
    EXPECT_ERROR(c, bz_t(x), BZ_ESHAPE, "[t] f32[2,3,4]");
    EXPECT_ERROR(c, bz_mT(bz_ravel(x)), BZ_ESHAPE, "[mT] f32[24]");
    EXPECT_ERROR(c, bz_repeat(x, BZ_SHAPE(2)), BZ_ESHAPE, "[repeat] 1 numbers");
    EXPECT_ERROR(c, bz_tile(x, BZ_SHAPE(-1)), BZ_EARG, "[tile]");
    EXPECT_ERROR(c, bz_repeat_interleave(x, BZ_SHAPE(1, 2), 1), BZ_ESHAPE, "[repeat_interleave] 2");
    EXPECT_ERROR(c, bz_roll(x, (int64_t[]){1, 2}, NULL, 2), BZ_EARG, "[roll] 2 shifts");
    EXPECT_ERROR(c, bz_rot90(x, 1, 2, -1), BZ_EAXIS, "[rot90] axes 2 and -1");
    EXPECT_ERROR(c, bz_pad_reflect(x, lo, hi, 3), BZ_ESHAPE, "[pad_reflect] 3 elements before");
    EXPECT_ERROR(c, bz_pad_circular(x, lo, hi, 2), BZ_EAXIS, "[pad_circular] borders for 2 axes");
    EXPECT_ERROR(c, bz_vstack(((bz_tensor *[]){x, p}), 2), BZ_ESHAPE, "[vstack] f32[4,3,2]");
    EXPECT_ERROR(c, bz_block_diag(&x, 1), BZ_ESHAPE, "[block_diag] f32[2,3,4]");
    EXPECT_ERROR(c, bz_select_scatter(x, x, 0, 0), BZ_ESHAPE,
                 "[select_scatter] f32[2,3,4] does not fit the part [3,4] of f32[2,3,4]");
    EXPECT_ERROR(c, bz_select_scatter(x, x, 0, 2), BZ_EINDEX, "index 2 of axis 0 of f32[2,3,4]");
    EXPECT_ERROR(c, bz_diagonal_scatter(x, x, 0, 1, -2), BZ_EAXIS, "[diagonal_scatter] axes 1");
    EXPECT_ERROR(c, bz_diag_embed(x, 0, 1, 1), BZ_EAXIS, "[diag_embed]");
    cr_expect_eq(bz_unbind(x, 1, y, 2), -1, "room for two of three");
    EXPECT_ERROR(c, y[1], BZ_EARG, "[unbind] 3 results, and room for 2");
    cr_expect_eq(bz_split(x, 0, BZ_SHAPE(1, 1), 1, y, 2), -1);
    EXPECT_ERROR(c, y[0], BZ_ESHAPE, "[split] 2 sizes do not add up to axis 1 of f32[2,3,4]");
    cr_expect_eq(bz_hsplit(x, 2, NULL, 0, y, 2), -1);
    EXPECT_ERROR(c, y[0], BZ_ESHAPE, "[hsplit] axis 1");
    bz_close(c);
}
