/* fuzz_ptx.c - mutated PTX texts: loading must end with a module or a message, and what loads must
 * run to some end. Built with the sanitizers (make gpu-fuzz); crashes are findings, anything else
 * is fine.
 *
 *   fuzz_ptx SECONDS SEED FILE...
 */
#include "ptxrun.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAX_FILES = 128, MAX_TEXT = 1 << 16, RUN_LIMIT = 3000 };

typedef struct {
    char *text;
    size_t len;
} seed_text;

static seed_text seeds[MAX_FILES];
static unsigned n_seeds;
static uint64_t state;

static uint64_t random_below(uint64_t n) {
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return n ? (z ^ (z >> 31)) % n : 0;
}

/* ---- seeds: whole small files, and single kernels cut out of large ones ---- */

static void add_seed(const char *head, size_t head_len, const char *body, size_t len) {
    if (n_seeds == MAX_FILES || head_len + len > MAX_TEXT / 4) return;
    seed_text *s = &seeds[n_seeds];
    s->text = malloc(head_len + len + 1);
    if (!s->text) return;
    n_seeds++;
    s->len = head_len + len;
    memcpy(s->text, head, head_len);
    memcpy(s->text + head_len, body, len);
    s->text[s->len] = 0;
}

static void read_seed(const char *path) {
    static char text[1 << 20];
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f) fclose(f);
    text[n] = 0;
    const char *first = strstr(text, ".visible .entry");
    if (!first) {
        add_seed("", 0, text, n);
        return;
    }
    for (const char *k = first; k;) {
        const char *next = strstr(k + 1, ".visible .entry");
        add_seed(text, (size_t)(first - text), k, next ? (size_t)(next - k) : strlen(k));
        k = next;
    }
}

/* ---- mutation ---- */

/* clang-format off */
static const char *const words[] = {
    "%r1", "%rd1", "%f1", "%p1", "%rs1", "%fd1", "0", "-1", "4294967296", "0x7fffffffffffffff",
    "0f3F800000", "{", "}", "[", "]", ";", ",", "@%p1 ", "!", "|", ".u32", ".b64", ".pred",
    ".f16x2", ".v4", ".shared", ".param", ".global", "bra ", "call ",
    "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 ", "ld.u32 ", "st.v2.b64 ", "atom.add.u32 ",
    "bar.sync ", "$L1:", "ret;", ".reg .b32 %r<99999>;", ".local .align 16 .b8 z[64];", "%tid.x",
    "%warpid", "/*", "//", "\"", "<", ">", "(", ")", "+", "-", ".visible .entry k() {",
    ".func (.param .b32 r) f(.param .b32 x)", ".branchtargets a, b;", "cvt.rni.s8.f64 ",
    "shfl.sync.bfly.b32 ", "wgmma.mma_async.sync.aligned.m64n8k16.f32.f16.f16 ",
    "wgmma.wait_group.sync.aligned 0;", "barrier.cluster.arrive;", "barrier.cluster.wait;",
    "mapa.shared::cluster.u32 ", "st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.u32 ",
    "cp.async.bulk.tensor.2d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes ",
    ".reqnctapercluster 2, 1, 1 ", "setmaxnreg.inc.sync.aligned.u32 64;", ".shared::cluster",
};
/* clang-format on */

static size_t insert(char *text, size_t len, size_t at, const char *what, size_t n) {
    if (len + n >= MAX_TEXT) return len;
    memmove(text + at + n, text + at, len - at);
    memcpy(text + at, what, n);
    return len + n;
}

static size_t cut(char *text, size_t len, size_t at, size_t n) {
    n = n > len - at ? len - at : n;
    memmove(text + at, text + at + n, len - at - n);
    return len - n;
}

static size_t line_start(const char *text, size_t at) {
    while (at && text[at - 1] != '\n') at--;
    return at;
}

static size_t line_length(const char *text, size_t len, size_t at) {
    const char *end = memchr(text + at, '\n', len - at);
    return end ? (size_t)(end - text) + 1 - at : len - at;
}

/* The word (letters, digits, a few signs) round a place. */
static size_t word_at(const char *text, size_t len, size_t *at) {
    static const char inside[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_$%.:";
    while (*at && strchr(inside, text[*at - 1])) --*at;
    size_t n = 0;
    while (*at + n < len && text[*at + n] && strchr(inside, text[*at + n])) n++;
    return n;
}

static size_t mutate(char *text, size_t len) {
    char part[512];
    size_t at = random_below(len), from = random_below(len), n;
    const char *word = words[random_below(sizeof words / sizeof words[0])];
    switch (random_below(9)) {
    case 0: text[at] = (char)random_below(256); return len;
    case 1: text[at] ^= (char)(1 << random_below(7)); return len;
    case 2: return cut(text, len, at, 1 + random_below(8));
    case 3: return insert(text, len, at, word, strlen(word));
    case 4: at = line_start(text, at); return cut(text, len, at, line_length(text, len, at));
    case 5: /* a line elsewhere */
        from = line_start(text, from);
        n = line_length(text, len, from);
        n = n < sizeof part ? n : sizeof part;
        memcpy(part, text + from, n);
        return insert(text, len, line_start(text, at), part, n);
    case 6: /* a word in another's place */
        n = word_at(text, len, &from);
        n = n < sizeof part ? n : sizeof part;
        memcpy(part, text + from, n);
        len = cut(text, len, at, word_at(text, len, &at));
        return insert(text, len, at < len ? at : len, part, n);
    case 7:
        n = word_at(text, len, &at);
        len = cut(text, len, at, n);
        return insert(text, len, at, word, strlen(word));
    default: return random_below(20) ? len : at + 1;
    }
}

/* ---- one text ---- */

static void run_module(ptx_module *m) {
    static run_memory memory;
    static uint8_t params[32764];
    const ptx_kernel *k = ptx_kernel_at(m, 0);
    ptx_extent *e = memory_new(&memory, 65536, 256, "a");
    if (k && e && memory_place(&memory, m)) {
        memset(e->host, 0, 65536);
        for (unsigned i = 0; i < k->n_params; i++)
            if (k->params[i].size == 8)
                memcpy(params + k->params[i].offset, &e->base, 8);
            else
                memset(params + k->params[i].offset, 3, k->params[i].size);
        ptx_memory find = {&memory, memory_find, NULL};
        ptx_sink sink = {0};
        ptx_launch_params p = {.module = m,
                               .kernel = k,
                               .grid = {2, 1, 1},
                               .block = {random_below(2) ? 48 : 160, 1, 1},
                               .params = params,
                               .param_bytes = sizeof params,
                               .seed = random_below(3),
                               .host_threads = 1,
                               .checks = PTX_CHECK_ALL,
                               .count = random_below(2),
                               .instruction_limit = RUN_LIMIT,
                               .memory = &find,
                               .sink = &sink};
        ptx_counters c = {0};
        ptx_result r;
        ptx_launch(&p, &c, &r);
        ptx_result_free(&r);
    }
    memory_drop(&memory);
}

static bool one(void) {
    static char text[MAX_TEXT + 64];
    char log[256];
    const seed_text *s = &seeds[random_below(n_seeds)];
    size_t len = s->len;
    memcpy(text, s->text, len);
    for (uint64_t n = 1 + random_below(4); n && len > 1; n--) len = mutate(text, len);
    char *exact = malloc(len ? len : 1); /* so that a read behind the end shows */
    if (!exact) return false;
    memcpy(exact, text, len);
    ptx_log l = {log, sizeof log, 0, 0};
    ptx_target target = {.sm = memmem(text, len, "sm_90a", 6) ? 90 : 120};
    ptx_module *m = ptx_load(exact, len, &target, &l);
    free(exact);
    if (m)
        run_module(m);
    else if (!l.errors || !log[0])
        abort(); /* refused without a word */
    bool loaded = m != NULL;
    ptx_unload(m);
    return loaded;
}

int main(int argc, char **argv) {
    if (argc < 4) {
        fprintf(stderr, "Usage: fuzz_ptx SECONDS SEED FILE...\n");
        return 2;
    }
    for (int k = 3; k < argc; k++) read_seed(argv[k]);
    if (!n_seeds) return 2;
    freopen("/dev/null", "w", stdout); /* kernels may print */
    time_t end = time(NULL) + atoi(argv[1]);
    state = strtoull(argv[2], NULL, 0) * 0x632be59bd9b4e019u;
    uint64_t n = 0, loaded = 0;
    for (; time(NULL) < end; n++) loaded += one();
    fprintf(stderr, "fuzz_ptx: %llu texts from %u seeds, %llu loaded and ran, no crash\n",
            (unsigned long long)n, n_seeds, (unsigned long long)loaded);
    for (unsigned k = 0; k < n_seeds; k++) free(seeds[k].text);
    return 0;
}
