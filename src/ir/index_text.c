/* index_text.c - reading what stands between the brackets of x[...]. */
#include "src/ir/index.h"

#include <ctype.h>
#include <string.h>

typedef struct reader {
    const char *p;
    ir_items *out;
    bz_error *e;
} reader;

static bool fail(reader *r, bz_status s, const char *at, const char *what) {
    bz_fail(r->e, s, "\"%.80s\": %s at character %d", r->out->text, what,
            (int)(at - r->out->text) + 1);
    return false;
}

static void skip_blanks(reader *r) {
    while (*r->p == ' ' || *r->p == '\t') r->p++;
}

static bool take(reader *r, const char *word) {
    skip_blanks(r);
    size_t n = strlen(word);
    if (strncmp(r->p, word, n) != 0) return false;
    r->p += n;
    return true;
}

/* A whole number; beyond 2^61, where no tensor has elements, as good as that. false: there is none. */
static bool take_int(reader *r, int64_t *v) {
    const int64_t most = INT64_C(1) << 61;
    skip_blanks(r);
    const char *p = r->p;
    bool minus = *p == '-';
    if (*p == '-' || *p == '+') p++;
    if (!isdigit((unsigned char)*p)) return false;
    for (*v = 0; isdigit((unsigned char)*p); p++) *v = *v < most / 10 ? *v * 10 + (*p - '0') : most;
    if (minus) *v = -*v;
    r->p = p;
    return true;
}

static bool take_slice(reader *r, ir_item *it) {
    it->kind = IR_ITEM_SLICE;
    if (!take_int(r, &it->stop)) it->stop = INT64_MIN;
    if (!take(r, ":")) return true;
    skip_blanks(r);
    const char *at = r->p;
    if (!take_int(r, &it->step)) it->step = 1;
    return it->step != 0 || fail(r, BZ_EARG, at, "a step of 0");
}

static bool take_item(reader *r, ir_item *it) {
    skip_blanks(r);
    *it = (ir_item){
        .kind = IR_ITEM_INT, .at = (int)(r->p - r->out->text), .start = INT64_MIN, .step = 1};
    if (take(r, "...")) return it->kind = IR_ITEM_DOTS, true;
    if (take(r, "None") || take(r, "newaxis")) return it->kind = IR_ITEM_NEW, true;
    if (take(r, "@")) return it->kind = IR_ITEM_TENSOR, true;
    bool number = take_int(r, &it->start);
    if (take(r, ":")) return take_slice(r, it);
    return number || fail(r, BZ_EARG, r->p, "an integer, a slice, ..., None or @ should stand");
}

/* No item at all is NumPy's x[()]. */
bool ir_items_read(const char *text, ir_items *out, bz_error *e) {
    reader r = {text, out, e};
    const char *dots = NULL;
    *out = (ir_items){.text = text};
    if (skip_blanks(&r), !*r.p) return true;
    do {
        ir_item it;
        if (out->n && (skip_blanks(&r), !*r.p)) break; /* a comma may end the text */
        if (!take_item(&r, &it)) return false;
        const char *at = text + it.at;
        if (it.kind == IR_ITEM_DOTS && dots) return fail(&r, BZ_EARG, at, "a second ...");
        if (it.kind == IR_ITEM_DOTS) dots = at;
        if (out->n == IR_MAX_ITEMS) return fail(&r, BZ_ESHAPE, at, "too many items");
        out->axes +=
            it.kind == IR_ITEM_INT || it.kind == IR_ITEM_SLICE || it.kind == IR_ITEM_TENSOR;
        out->tensors += it.kind == IR_ITEM_TENSOR;
        out->item[out->n++] = it;
    } while (take(&r, ","));
    skip_blanks(&r);
    return !*r.p || fail(&r, BZ_EARG, r.p, "a comma or the end should stand");
}
