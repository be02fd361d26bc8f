/* kmeans.c - Lloyd's algorithm: points go to their nearest centre, centres to the mean of their points, until none moves. */
#include <braze/braze.h>

enum { POINTS = 600, CLUSTERS = 4, MOST = 50 };

/* [POINTS]: the nearest centre of each point. */
static bz_tensor *nearest(bz_tensor *x, bz_tensor *centres) {
    bz_tensor *apart = bz_sub(bz_unsqueeze(x, 1), bz_unsqueeze(centres, 0));
    return bz_argmin(bz_sum(bz_square(apart), BZ_AXES(2), false), BZ_AXES(1), false);
}

/* The means of the points of each cluster; a centre without points stays. */
static bz_tensor *means(bz_tensor *x, bz_tensor *cluster, bz_tensor *centres) {
    bz_tensor *member = bz_one_hot(cluster, CLUSTERS, BZ_F32);
    bz_tensor *count = bz_unsqueeze(bz_sum(member, BZ_AXES(0), false), 1);
    bz_tensor *sum = bz_matmul(bz_transpose(member, 0, 1), x);
    return bz_where(bz_gt(count, 0), bz_div(sum, bz_maximum(count, 1)), centres);
}

int main(void) {
    static const float corners[CLUSTERS][2] = {{-3, -3}, {-3, 3}, {3, -3}, {3, 3}};
    bz_context *c;
    if (bz_open(&(bz_options){.seed = 11}, &c)) return 1;
    bz_tensor *home = bz_randint(c, 0, CLUSTERS, BZ_SHAPE(POINTS));
    bz_tensor *x = bz_matmul(bz_one_hot(home, CLUSTERS, BZ_F32),
                             bz_from_data(c, BZ_F32, corners, BZ_SHAPE(CLUSTERS, 2)));
    x = bz_add(x, bz_randn(c, BZ_SHAPE(POINTS, 2), BZ_F32));
    /* start from far apart: one centre to each side, a little off the axes */
    static const float start[CLUSTERS][2] = {{-1, 0}, {0, 1}, {0, -1}, {1, 0}};
    bz_tensor *centres = bz_from_data(c, BZ_F32, start, BZ_SHAPE(CLUSTERS, 2));
    double moved = 1, spread = 0;
    int turns = 0;
    for (; turns < MOST && moved > 0; turns++) {
        bz_scope_begin(c);
        bz_tensor *next = means(x, nearest(x, centres), centres);
        moved = bz_item(bz_max(bz_abs(bz_sub(next, centres)), BZ_ALL));
        bz_copy_(centres, next);
        bz_scope_end(c);
    }
    bz_tensor *own = bz_gather(centres, nearest(x, centres), 0);
    spread = bz_item(bz_mean(bz_sum(bz_square(bz_sub(x, own)), BZ_AXES(1), false), BZ_ALL));
    printf("%d turns, mean squared distance %.3f, centres\n", turns, spread);
    bz_print(centres);
    bool bad = bz_context_status(c) || turns == MOST || !(spread > 0.5 && spread < 2.5);
    if (bad) fprintf(stderr, "kmeans: %s\n", bz_message(c));
    bz_close(c);
    return bad;
}
