/* api_tape.c - see api_tape.h. */
#include "tests/support/api_tape.h"

#include "src/ir/base/base.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    uint32_t first; /* edge; those of the last entry end with the edges */
    bool kink;
} entry;
typedef struct edge {
    api_entry from;
    double slope;
} edge;

static BZ_VEC(entry) entries;
static BZ_VEC(edge) edges;
static double *all;

void api_tape_reset(void) {
    bz_vec_free(&entries);
    bz_vec_free(&edges);
    free(all);
    all = NULL;
}

api_entry api_tape_new(void) {
    if (!entries.n) bz_vec_push(&entries, ((entry){0}));
    bz_assert(bz_vec_push(&entries, ((entry){.first = edges.n})));
    return entries.n - 1;
}

void api_tape_from(api_entry x, double slope) {
    if (x) bz_assert(x < entries.n - 1 && bz_vec_push(&edges, ((edge){x, slope})));
}

void api_tape_kink(void) {
    entries.p[entries.n - 1].kink = true;
}

bool api_tape_slopes(const api_entry *of, const double *w, int64_t n, const double **slopes) {
    bool smooth = true;
    const double most = 1000;
    free(all);
    all = calloc(entries.n + 1, sizeof *all);
    for (int64_t i = 0; i < n; i++) all[of[i]] += w[i];
    for (api_entry e = entries.n; e-- > 1;) {
        uint32_t end = e + 1 < entries.n ? entries.p[e + 1].first : edges.n;
        if ((all[e] != 0 && entries.p[e].kink) || all[e] > most || all[e] < -most) smooth = false;
        for (uint32_t k = entries.p[e].first; k < end && all[e] != 0; k++)
            all[edges.p[k].from] += all[e] * edges.p[k].slope;
    }
    *slopes = all;
    return smooth;
}
