/* npy.c - a tensor saved for NumPy, loaded again, normalised.   usage: npy [FILE.npy] */
#include <braze/braze.h>
#include <math.h>

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "example.npy";
    bz_context *c;
    if (bz_open(&(bz_options){.seed = 1}, &c)) return 1;
    bz_save_npy(bz_rand(c, BZ_SHAPE(3, 4), BZ_F32), path);
    bz_tensor *x = bz_load_npy(c, path), *rows = bz_softmax(x, -1);
    bz_print(x);
    bz_print(rows);
    double sum = bz_item(bz_sum(rows, BZ_ALL));
    bool bad = bz_context_status(c) || !(fabs(sum - 3) < 1e-5);
    if (bad) fprintf(stderr, "npy: %s\n", bz_message(c));
    bz_close(c);
    return bad;
}
