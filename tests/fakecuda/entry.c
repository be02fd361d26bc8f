/* entry.c - the exported functions: each locks, checks what it needs, and calls its fk_ twin.
 *
 *      cuX(...)            enter: lock, cuInit done?, context?, sticky error?, injected failure?
 *        -> fk_cuX(...)    the work, in the file of its subject
 *                          leave: count, log, unlock
 *
 * Everything here is generated from functions.def; absent.def adds names that answer NOT_SUPPORTED.
 */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

struct fk_state fk = {.lock = PTHREAD_MUTEX_INITIALIZER, .moved = PTHREAD_COND_INITIALIZER};
_Thread_local fk_thread fk_self;

static bool fk_happens(enum fk_fn fn);

#define RAW    FN_RAW
#define DEV    FN_DEV
#define CTX    FN_CTX
#define UNSAFE FN_UNSAFE

const fk_entry fk_table[FN_COUNT] = {
#define F(name, since, need, params, args) {#name, since, need, (fk_symbol)name, NULL},
#define FS(name, since, need, params, args)                                                        \
    {#name, since, need, (fk_symbol)name, (fk_symbol)name##_ptsz},
#define FD(name, since, need, params, args)                                                        \
    {#name, since, need, (fk_symbol)name, (fk_symbol)name##_ptds},
#include "functions.def"
};

#define BODY(symbol, name, params, call, per_thread)                                               \
    CUresult symbol params {                                                                       \
        CUresult fk_r = fk_enter(FN_##name, per_thread);                                           \
        if (fk_r == CUDA_SUCCESS || fk_happens(FN_##name)) {                                       \
            const CUresult fk_own = call;                                                          \
            fk_r = fk_r == CUDA_SUCCESS ? fk_own : fk_r;                                           \
        }                                                                                          \
        return fk_leave(FN_##name, fk_r);                                                          \
    }
#define FC(name, since, need, params, call) BODY(name, name, params, call, false)
#define FSC(name, since, need, params, call)                                                       \
    BODY(name, name, params, call, false) BODY(name##_ptsz, name, params, call, true)
#define FDC(name, since, need, params, call)                                                       \
    BODY(name, name, params, call, false) BODY(name##_ptds, name, params, call, true)
#define F(name, since, need, params, args)  FC(name, since, need, params, fk_##name args)
#define FS(name, since, need, params, args) FSC(name, since, need, params, fk_##name args)
#define FD(name, since, need, params, args) FDC(name, since, need, params, fk_##name args)
#include "functions.def"

/* ---- failures on demand ---------------------------------------------------------------------- */

typedef struct {
    enum fk_fn fn;
    uint64_t nth;
    CUresult code;
} failure;

static struct {
    uint64_t calls[FN_COUNT];
    failure *failures;
    size_t n_failures;
    bool read;
    long left; /* calls until the one that fails; below 0: none does */
    CUresult code;
    const fk_entry *failed; /* the last one that did */
    bool happens;           /* the call at hand fails, and does what it was asked for */
} book = {.left = -1};

static void add_failure(const char *name, size_t len, uint64_t nth, unsigned long code) {
    for (int fn = 0; fn < FN_COUNT; fn++) {
        if (strlen(fk_table[fn].name) == len && memcmp(fk_table[fn].name, name, len) == 0) {
            book.failures = ptx_grow(book.failures, (book.n_failures + 1) * sizeof(failure));
            book.failures[book.n_failures++] = (failure){(enum fk_fn)fn, nth, (CUresult)code};
            return;
        }
    }
    fprintf(stderr, "fakecuda: BRAZE_FAKE_FAIL: no function %.*s\n", (int)len, name);
}

/* NAME:N:CODE, separated by commas. */
static void read_failures(void) {
    const char *p = getenv("BRAZE_FAKE_FAIL");
    while (p && *p) {
        const size_t len = strcspn(p, ":,");
        char *end = NULL;
        const uint64_t nth = p[len] == ':' ? strtoull(p + len + 1, &end, 10) : 0;
        const unsigned long code = end && *end == ':' ? strtoul(end + 1, &end, 10) : 0;
        if (nth == 0 || code == 0) {
            fprintf(stderr, "fakecuda: BRAZE_FAKE_FAIL wants NAME:N:CODE, not %s\n", p);
            return;
        }
        add_failure(p, len, nth, code);
        p = *end == ',' ? end + 1 : "";
    }
}

/* What only asks for words does not count. */
static bool may_fail(enum fk_fn fn) {
    return !strstr(fk_table[fn].name, "GetError");
}

/* What gives something back may answer with the error of earlier work, and has given it back. */
static bool fk_happens(enum fk_fn fn) {
    static const char *const words[] = {"Destroy", "Free", "Release", "Unload"};
    bool gives_back = false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        gives_back |= strstr(fk_table[fn].name, words[i]) != NULL;
    return book.happens && gives_back;
}

long braze_fake_fail_after(long n, int code) {
    pthread_mutex_lock(&fk.lock);
    const long left = book.left;
    book.left = n;
    book.code = (CUresult)code;
    book.failed = n < 0 ? book.failed : NULL;
    pthread_mutex_unlock(&fk.lock);
    return left;
}

const char *braze_fake_failed(void) {
    pthread_mutex_lock(&fk.lock);
    const char *name = book.failed ? book.failed->name : NULL;
    pthread_mutex_unlock(&fk.lock);
    return name;
}

static CUresult injected(enum fk_fn fn) {
    if (book.left >= 0 && may_fail(fn) && book.left-- == 0) {
        book.failed = &fk_table[fn];
        book.happens = true;
        return book.code;
    }
    for (size_t i = 0; i < book.n_failures; i++)
        if (book.failures[i].fn == fn && book.failures[i].nth == book.calls[fn])
            return book.failures[i].code;
    return CUDA_SUCCESS;
}

/* Codes that leave a context unusable. */
static bool is_sticky(CUresult code) {
    return code == CUDA_ERROR_ILLEGAL_ADDRESS || code == CUDA_ERROR_LAUNCH_TIMEOUT ||
           code == CUDA_ERROR_ECC_UNCORRECTABLE ||
           (code >= CUDA_ERROR_ASSERT && code <= CUDA_ERROR_LAUNCH_FAILED &&
            code != CUDA_ERROR_TOO_MANY_PEERS &&
            code != CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED &&
            code != CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED);
}

/* ---- enter and leave ------------------------------------------------------------------------- */

static CUresult check_need(fk_need need) {
    if (need == FN_RAW) return CUDA_SUCCESS;
    FK_NEED(fk.started, CUDA_ERROR_NOT_INITIALIZED);
    FK_NEED(!fk_self.in_callback, CUDA_ERROR_NOT_PERMITTED);
    if (need == FN_DEV) return CUDA_SUCCESS;
    const fk_context *ctx = fk_current();
    if (!ctx) {
        return fk_self.stack.n > 0 && fk_self.stack.at[fk_self.stack.n - 1]
                   ? CUDA_ERROR_CONTEXT_IS_DESTROYED
                   : CUDA_ERROR_INVALID_CONTEXT;
    }
    FK_NEED(ctx->alive, CUDA_ERROR_CONTEXT_IS_DESTROYED);
    FK_TRY(ctx->error);
    return need == FN_CTX || fk_capture_allows_unsafe() ? CUDA_SUCCESS
                                                        : CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

CUresult fk_enter(enum fk_fn fn, bool per_thread) {
    pthread_mutex_lock(&fk.lock);
    if (!book.read) {
        book.read = true;
        fk_configure();
        read_failures();
    }
    book.calls[fn]++;
    book.happens = false;
    fk_self.per_thread = per_thread;
    fk_self.note[0] = 0;
    FK_TRY(check_need(fk_table[fn].need));
    const CUresult code = injected(fn);
    if (is_sticky(code) && fk_current()) fk_current()->error = code;
    return code;
}

static void log_call(const char *name, CUresult result) {
    const char *text = "?";
    fk_words_of(result, false, &text);
    fprintf(fk.config.log, "%s(%s) = %s\n", name, fk_self.note, text);
}

CUresult fk_leave(enum fk_fn fn, CUresult result) {
    if (fk.config.log) log_call(fk_table[fn].name, result);
    pthread_mutex_unlock(&fk.lock);
    return result;
}

uint64_t braze_fake_calls(const char *function) {
    for (int fn = 0; fn < FN_COUNT; fn++) {
        if (strcmp(fk_table[fn].name, function) == 0) {
            pthread_mutex_lock(&fk.lock);
            const uint64_t n = book.calls[fn];
            pthread_mutex_unlock(&fk.lock);
            return n;
        }
    }
    return 0;
}

/* ---- what is absent -------------------------------------------------------------------------- */

static CUresult absent(const char *name) {
    pthread_mutex_lock(&fk.lock);
    if (fk.config.log) log_call(name, CUDA_ERROR_NOT_SUPPORTED);
    pthread_mutex_unlock(&fk.lock);
    return CUDA_ERROR_NOT_SUPPORTED;
}

/* They take whatever they are given: the caller pops its own arguments. */
#define A(name, since)                                                                             \
    FK_EXPORT CUresult name(void);                                                                 \
    CUresult name(void) {                                                                          \
        return absent(#name);                                                                      \
    }
#include "absent.def"

const fk_entry fk_absent[] = {
#define A(name, since) {#name, since, FN_RAW, (fk_symbol)name, NULL},
#include "absent.def"
};
const size_t fk_n_absent = sizeof fk_absent / sizeof *fk_absent;

/* ---- finding functions by name --------------------------------------------------------------- */

/* Is it the name, or the name with a version behind it (_v2)? */
static bool is_form_of(const char *name, const char *base) {
    const size_t n = strlen(base);
    if (strncmp(name, base, n) != 0) return false;
    return !name[n] ||
           (!strncmp(name + n, "_v", 2) && !name[n + 2 + strspn(name + n + 2, "0123456789")]);
}

static const fk_entry *newest(const fk_entry *table, size_t n, const char *base, int version,
                              bool *known) {
    const fk_entry *best = NULL;
    for (size_t i = 0; i < n; i++) {
        if (is_form_of(table[i].name, base)) {
            *known = true;
            if (table[i].since <= version && (!best || table[i].since > best->since))
                best = &table[i];
        }
    }
    return best;
}

/* The manual renames one function: from 12000 cuGraphInstantiate is the form with flags. */
static const char *renamed(const char *symbol, int version) {
    return strcmp(symbol, "cuGraphInstantiate") == 0 && version >= 12000
               ? "cuGraphInstantiateWithFlags"
               : symbol;
}

CUresult fk_cuGetProcAddress_v2(const char *symbol, void **pfn, int version, cuuint64_t flags,
                                CUdriverProcAddressQueryResult *status) {
    FK_VALID(symbol && pfn && flags <= PROC_PER_THREAD_STREAM);
    *pfn = NULL;
    if (version > fk.config.driver_version) version = fk.config.driver_version;
    bool known = false;
    symbol = renamed(symbol, version);
    const fk_entry *entry = newest(fk_table, FN_COUNT, symbol, version, &known);
    const fk_entry *other = newest(fk_absent, fk_n_absent, symbol, version, &known);
    if (other && (!entry || other->since > entry->since)) entry = other;
    if (entry) {
        const fk_symbol chosen = flags == PROC_PER_THREAD_STREAM && entry->per_thread
                                     ? entry->per_thread
                                     : entry->symbol;
        memcpy(pfn, &chosen, sizeof *pfn);
        fk_note("%s", entry->name);
    } else {
        fk_note("%s: none", symbol);
    }
    if (status) {
        *status = entry   ? CU_GET_PROC_ADDRESS_SUCCESS
                  : known ? CU_GET_PROC_ADDRESS_VERSION_NOT_SUFFICIENT
                          : CU_GET_PROC_ADDRESS_SYMBOL_NOT_FOUND;
    }
    return CUDA_SUCCESS;
}

CUresult fk_cuGetProcAddress(const char *symbol, void **pfn, int version, cuuint64_t flags) {
    FK_TRY(fk_cuGetProcAddress_v2(symbol, pfn, version, flags, NULL));
    return *pfn ? CUDA_SUCCESS : CUDA_ERROR_NOT_FOUND;
}

/* Undocumented tables of the run-time library. Success with NULL would crash its callers. */
CUresult fk_cuGetExportTable(const void **table, const CUuuid *id) {
    FK_VALID(table && id);
    *table = NULL;
    return CUDA_ERROR_NOT_FOUND;
}

CUresult fk_words_of(CUresult error, bool sentence, const char **text) {
    FK_VALID(text);
    switch (error) {
#define E(code, name, says)                                                                        \
    case name:                                                                                     \
        *text = sentence ? says : #name;                                                           \
        return CUDA_SUCCESS;
#include "errors.def"
#undef E
    }
    *text = NULL;
    return CUDA_ERROR_INVALID_VALUE;
}
