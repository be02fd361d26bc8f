/* order.c - what goes through elements in an order of its own, or to where indices say: running sums, sorting, the largest of many, tables
 * read and added to by indices. */
#include "bench/support/bench.h"

enum {
    ROWS = 1024,
    COLS = 8192,
    MANY = 1 << 20,
    TOP = 100,
    WORDS = 50000,
    WIDTH = 512,
    TOKENS = 8192
};

/* bench/peers.py has the same. */
static int64_t some(int64_t n) {
    enum { TINY = 20 };
    return bench_tiny && n > TINY ? TINY : n;
}

static bz_tensor *normal(bz_context *c, int64_t n, int64_t m) {
    return m ? bz_randn(c, ((int64_t[]){some(n), some(m)}), 2, BZ_F32)
             : bz_randn(c, ((int64_t[]){some(n)}), 1, BZ_F32);
}

#define FUNCTION(name, value)                                                                      \
    static bz_status name(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, \
                          void *user) {                                                            \
        (void)c, (void)nin, (void)nout, (void)user;                                                \
        out[0] = value;                                                                            \
        return BZ_OK;                                                                              \
    }

FUNCTION(cumsum, bz_cumsum(in[0], -1, false, false))
FUNCTION(cumsum_down, bz_cumsum(in[0], 0, false, false))
FUNCTION(sort, bz_sort(in[0], -1, false, NULL))
FUNCTION(embed, bz_embedding(in[1], in[0], INT64_MIN))
FUNCTION(scatter_rows, bz_index_add(in[0], in[1], in[2], 0, 1))

static bz_status argsort(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_sort(in[0], -1, false, &out[0]);
    return BZ_OK;
}

static bz_status topk(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_topk(in[0], some(TOP), -1, false, &out[1]);
    return BZ_OK;
}

/* The gradient of a table of words for what arrives at its rows. */
static bz_status embed_gradient(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                                int nout, void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *loss = bz_sum(bz_mul(bz_embedding(in[1], in[0], INT64_MIN), in[2]), BZ_ALL);
    return bz_grad(loss, in, 1, out);
}

static void rows(bz_context *c, bz_tensor **in) {
    in[0] = normal(c, ROWS, COLS);
}

static void line(bz_context *c, bz_tensor **in) {
    in[0] = normal(c, MANY, 0);
}

static void table(bz_context *c, bz_tensor **in) {
    in[0] = normal(c, WORDS, WIDTH);
    in[1] = bz_randint(c, 0, some(WORDS), ((int64_t[]){some(TOKENS)}), 1);
}

static void table_and_rows(bz_context *c, bz_tensor **in) {
    table(c, in);
    in[2] = normal(c, TOKENS, WIDTH);
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    const double all = 8.0 * (double)(some(ROWS) * some(COLS)), list = 8.0 * (double)some(MANY),
                 read = 8.0 * (double)(some(TOKENS) * some(WIDTH)),
                 words = 4.0 * (double)(some(WORDS) * some(WIDTH));
    const bench_case cases[] = {
        {.name = "order/cumsum",
         .what = "cumsum 1024 x 8192 over 1",
         .fn = cumsum,
         .setup = rows,
         .nin = 1,
         .nout = 1,
         .bytes = all,
         .beats_torch = true},
        {.name = "order/cumsum_down",
         .what = "cumsum 1024 x 8192 over 0",
         .fn = cumsum_down,
         .setup = rows,
         .nin = 1,
         .nout = 1,
         .bytes = all,
         .beats_torch = true},
        {.name = "order/sort",
         .what = "sort 1 Mi",
         .fn = sort,
         .setup = line,
         .nin = 1,
         .nout = 1,
         .bytes = list,
         .beats_torch = true},
        {.name = "order/argsort",
         .what = "argsort 1 Mi",
         .fn = argsort,
         .setup = line,
         .nin = 1,
         .nout = 1,
         .bytes = list,
         .beats_torch = true},
        {.name = "order/topk",
         .what = "topk 100 of 1 Mi",
         .fn = topk,
         .setup = line,
         .nin = 1,
         .nout = 2,
         .bytes = list / 2,
         .beats_torch = true},
        {.name = "order/embedding",
         .what = "embedding 8192 of 50000 x 512",
         .fn = embed,
         .setup = table,
         .nin = 2,
         .nout = 1,
         .bytes = read,
         .beats_torch = true},
        {.name = "order/embedding_gradient",
         .what = "its gradient",
         .fn = embed_gradient,
         .setup = table_and_rows,
         .nin = 3,
         .nout = 1,
         .bytes = words + read,
         .beats_torch = true},
        {.name = "order/scatter_add",
         .what = "8192 rows added to 50000 x 512",
         .fn = scatter_rows,
         .setup = table_and_rows,
         .nin = 3,
         .nout = 1,
         .bytes = 2 * words + read,
         .beats_torch = true},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) bench_measure(&cases[i]);
    return bench_end();
}
