/* fuzz_loops.c - any bytes into the parser of kernel loops; what parses is printed, parsed again
 * and must be the same; what also verifies is cleaned, and the clean kernel must verify. usage:
 * fuzz_loops SECONDS [SEED [COUNT]] */
#include "src/ir/loops/loop.h"
#include "tests/support/fuzz.h"
#include "tests/support/irtest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX = 1 << 14 };

static uint64_t state;

static uint32_t draw(uint32_t below) {
    state = bz_mix(state + 0x9E37, 0xF5);
    return (uint32_t)(state >> 20) % below;
}

static const char *const names[] = {"gemm", "gemm_gpu", "softmax", "softmax_gpu", "attention",
                                    "scan", "sort",     "conv",    "gather",      "ops"};

/* One of the kernels; each is read once. */
static size_t seed_text(char *out) {
    static char *texts[BZ_LEN(names)];
    static size_t sizes[BZ_LEN(names)];
    unsigned i = draw(BZ_LEN(names));
    if (!texts[i]) {
        char path[64];
        snprintf(path, sizeof path, "tests/kernels/%s.loop", names[i]);
        texts[i] = irt_read(path, &sizes[i]);
        if (!texts[i]) bz_bug("%s does not open", path);
    }
    size_t n = sizes[i] < MAX / 2 ? sizes[i] : MAX / 2;
    memcpy(out, texts[i], n);
    return n;
}

static const char *const words[] = {
    "%",    "mask ",  "[",     "]",     "{",           "}",     "else {",    "yield ",  "f32x16",
    "*f16", "const ", "-1",    "0x",    "99999999999", "loop ", "parallel ", "lane ",   "while ",
    "if ",  "call ",  "bits ", "step ", "shuffle ",    "@1",    "carry ",    "result ", "1e9",
    "(",    ")",      ",",     ":",     "=",           "\n",    "\0",        "\xff"};

static size_t mutate(char *t, size_t n) {
    for (uint32_t edits = draw(6) + 1; edits; edits--) {
        size_t at = draw((uint32_t)n + 1), len = draw(24);
        switch (draw(4)) {
        case 0: /* cut */
            if (at + len > n) len = n - at;
            memmove(t + at, t + at + len, n - at - len);
            n -= len;
            break;
        case 1: /* repeat a piece elsewhere */
            if (at + len > n || n + len > MAX) break;
            memmove(t + at + len, t + at, n - at);
            memmove(t + at, t + draw((uint32_t)(n - len) + 1), len);
            n += len;
            break;
        case 2: { /* insert a word */
            const char *w = words[draw(BZ_LEN(words))];
            len = *w ? strlen(w) : 1;
            if (n + len > MAX) break;
            memmove(t + at + len, t + at, n - at);
            memcpy(t + at, w, len);
            n += len;
            break;
        }
        default:
            if (at < n) t[at] = (char)draw(256);
        }
    }
    return n;
}

static void check_kernel(const lp_kernel *k, const lp_module *m, long *verified) {
    bz_error e = {0};
    if (lp_verify(k, m, &e) != BZ_OK) return;
    ++*verified;
    lp_kernel *clean = lp_clean(k);
    if (lp_verify(clean, m, &e) != BZ_OK) bz_bug("the cleaned kernel is wrong: %s", e.text);
    lp_scratch_bytes(clean, m);
    lp_kernel_free(clean);
}

static void check(const char *text, size_t n, long *parsed, long *verified) {
    bz_error e = {0};
    lp_module *m = lp_parse(text, n, &e);
    if (!m) {
        if (e.status != BZ_EPARSE || e.line < 1 || e.column < 1)
            bz_bug("error without a place: %s", e.text);
        return;
    }
    ++*parsed;
    bz_text t = {0}, u = {0};
    lp_print_module(&t, m);
    lp_module *again = lp_parse(bz_text_c(&t), t.n, &e);
    if (!again) bz_bug("%s\n%s", e.text, bz_text_c(&t));
    lp_print_module(&u, again);
    if (strcmp(bz_text_c(&t), bz_text_c(&u)) != 0)
        bz_bug("printed:\n%s\nthen:\n%s", bz_text_c(&t), bz_text_c(&u));
    for (uint32_t i = 0; i < m->k.n; i++) check_kernel(m->k.p[i], m, verified);
    bz_text_free(&t), bz_text_free(&u);
    lp_module_free(m), lp_module_free(again);
}

void fuzz_bytes(const uint8_t *p, size_t n) {
    long parsed = 0, verified = 0;
    check((const char *)p, n, &parsed, &verified);
}

int fuzz_main(int argc, char **argv) {
    static char text[MAX + 64];
    long parsed = 0, verified = 0;
    fuzz_span f = fuzz_begin("fuzz_loops", argc, argv);
    while (fuzz_next(&f)) {
        state = bz_mix(f.seed, 0x10095);
        size_t n = mutate(text, seed_text(text));
        char *exact = malloc(n + 1); /* so that the sanitizer sees a read behind the end */
        char *last = exact + 1;
        memcpy(last, text, n);
        check(last, n, &parsed, &verified);
        free(exact);
    }
    printf("fuzz_loops: %ld texts, %ld parsed, %ld kernels verified\n", f.runs, parsed, verified);
    return 0;
}
