/* loops_code.c - see loops_code.h.
 *
 *     program --rt_kernels_get--> a phase: mov rcx, number ; jmp run_phase  --> lp_run of that phase, for the tasks begin .. end - 1
 *
 * A phase is called as machine code is, on whatever thread, with its frame. The frame does not say how long buffers are: whoever wants to
 * see accesses outside of them builds with AddressSanitizer, which sees the interpreter's. */
#include "tests/support/loops_code.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "runtime/exec/kernels.h"

/* What a phase's number stands for; free ones are a list. */
typedef struct entry {
    const lp_module *m;
    const lp_kernel *k;
    unsigned phase;
    uint32_t next_free;
} entry;

enum { ENTRIES = 1 << 14, THUNK = 32 };
static entry entries[ENTRIES];
static uint32_t first_free; /* + 1 */
static unsigned char *thunks;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool interpreted;

/* The linker's names for the library's own; nobody's where it does not wrap them. */
__attribute__((weak)) bz_status __real_rt_kernels_get(const lp_module *m, const rt_codegen *g,
                                                      const rt_kernel **out, rt_kernels_count *n,
                                                      const bz_watch *w, bz_error *e);
__attribute__((weak)) void __real_rt_kernels_release(const rt_kernel *const *k, uint32_t n);
bz_status __wrap_rt_kernels_get(const lp_module *m, const rt_codegen *g, const rt_kernel **out,
                                rt_kernels_count *n, const bz_watch *w, bz_error *e);
void __wrap_rt_kernels_release(const rt_kernel *const *k, uint32_t n);

void loops_code(bool on) {
    interpreted = on;
}

/* ---- running a phase */

/* A buffer without ends: the middle of one that is larger than any. */
static lp_arg around(void *p, bz_dtype t, int64_t *at) {
    const int64_t half = INT64_C(1) << 38;
    *at = half;
    return (lp_arg){(char *)((uintptr_t)p - (uintptr_t)half * ir_dtype_bytes(t)), 2 * half};
}

static int32_t run_phase(const lp_frame *f, int64_t begin, int64_t end, uint64_t number) {
    const entry *n = &entries[number];
    const lp_kernel *k = n->k;
    lp_arg *buffers = calloc(k->buffers.n + 1, sizeof *buffers);
    int64_t *at = calloc(k->buffers.n + 1, sizeof *at), bad = INT64_MAX;
    ir_bits *scalars = calloc(k->scalars.n + 1, sizeof *scalars);
    int code = 0;
    bz_error e = {0};
    for (uint32_t i = 0; i < k->buffers.n; i++)
        buffers[i] = around(f->buffers[i], k->buffers.p[i].dtype, &at[i]);
    for (uint32_t i = 0; i < k->scalars.n; i++)
        scalars[i] = ir_load_bits(k->scalars.p[i].dtype, f->scalars[i]);
    lp_run_args a = {.buffers = buffers,
                     .at = at,
                     .extents = f->extents,
                     .scalars = scalars,
                     .error_element = &bad,
                     .error_code = &code,
                     .part = &(lp_part){n->phase, begin, end}};
    if (lp_run(k, n->m, &a, &e)) bz_bug("%s", e.text);
    if (bad < f->error[0]) f->error[0] = bad, f->error[1] = code;
    free(buffers);
    free(at);
    free(scalars);
    return 0;
}

/* ---- phases as functions */

static void write_thunk(unsigned char *p, uint32_t number) {
    static const unsigned char code[] = {0xb9, 0,    0, 0, 0, /* mov ecx, number */
                                         0x48, 0xb8, 0, 0, 0,
                                         0,    0,    0, 0, 0, /* mov rax, run_phase */
                                         0xff, 0xe0};         /* jmp rax */
    int32_t (*to)(const lp_frame *, int64_t, int64_t, uint64_t) = run_phase;
    memcpy(p, code, sizeof code);
    memcpy(p + 1, &number, sizeof number);
    memcpy(p + 7, &to, sizeof to);
}

static void make_thunks(void) {
    size_t size = (size_t)ENTRIES * THUNK;
    thunks = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    bz_assert(thunks != MAP_FAILED);
    for (uint32_t i = 0; i < ENTRIES; i++) {
        write_thunk(thunks + (size_t)i * THUNK, i);
        entries[i].next_free = i + 1 < ENTRIES ? i + 2 : 0;
    }
    bz_assert(!mprotect(thunks, size, PROT_READ | PROT_EXEC));
    first_free = 1;
}

static rt_phase *take(const lp_module *m, const lp_kernel *k, unsigned phase) {
    pthread_mutex_lock(&lock);
    if (!thunks) make_thunks();
    uint32_t number = first_free - 1;
    bz_assert(first_free);
    first_free = entries[number].next_free;
    entries[number] = (entry){m, k, phase, 0};
    pthread_mutex_unlock(&lock);
    rt_phase *f;
    void *at = thunks + (size_t)number * THUNK;
    memcpy(&f, &at, sizeof f);
    return f;
}

static void give_back(rt_phase *f) {
    unsigned char *at;
    memcpy(&at, &f, sizeof at);
    uint32_t number = (uint32_t)((size_t)(at - thunks) / THUNK);
    pthread_mutex_lock(&lock);
    entries[number] = (entry){.next_free = first_free};
    first_free = number + 1;
    pthread_mutex_unlock(&lock);
}

/* ---- in place of runtime/exec/kernels.c; a kernel from here is part of nothing that was loaded */

static rt_kernel *interpret(const lp_module *m, const lp_kernel *k) {
    const unsigned n = lp_phase_count(k);
    rt_kernel *made = calloc(1, sizeof *made + n * sizeof *made->phases);
    made->nphases = n;
    for (unsigned i = 0; i < n; i++) made->phases[i] = (uintptr_t)take(m, k, i);
    return made;
}

bz_status __wrap_rt_kernels_get(const lp_module *m, const rt_codegen *g, const rt_kernel **out,
                                rt_kernels_count *n, const bz_watch *w, bz_error *e) {
    if (!interpreted) return __real_rt_kernels_get(m, g, out, n, w, e);
    *n = (rt_kernels_count){0};
    for (uint32_t i = 0; i < m->k.n; i++) {
        const lp_kernel *k = m->k.p[i];
        if (lp_verify(k, m, e)) bz_bug("%s", e->text);
        out[i] = k->function ? NULL : interpret(m, k);
        n->built += !k->function;
    }
    return BZ_OK;
}

void __wrap_rt_kernels_release(const rt_kernel *const *k, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        if (k[i] && k[i]->of) {
            __real_rt_kernels_release(&k[i], 1);
        } else if (k[i]) {
            for (unsigned j = 0; j < k[i]->nphases; j++) give_back((rt_phase *)k[i]->phases[j]);
            free((rt_kernel *)k[i]);
        }
    }
}
