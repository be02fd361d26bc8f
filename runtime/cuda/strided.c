/* strided.c - runs of any strides moved within the device, by a kernel for each width that a thread may move at once.
 *
 * The kernels are PTX of ours, put together here: no compiler is needed where tensors are only moved. Thread i moves unit
 * i, i + all threads ...; a unit's place follows from its number, axis by axis from the innermost. */
#include "runtime/cuda/cuda.h"

#include <stdio.h>

enum { WIDTHS = 5, BLOCK = 256, BLOCKS = 32 }; /* blocks: for each processor of the device */

/* What a kernel gets; the axes from the innermost. */
typedef struct runs_of_units {
    uint64_t to, from, all, run; /* units in all, and of one run */
    uint64_t rank;
    struct {
        int64_t shape, to, from;
    } axis[IR_MAX_RANK];
} runs_of_units;

static const struct {
    const char *type, *value, *load, *store;
} widths[WIDTHS] = {{"b16", "%v", "u8", "u8"},
                    {"b16", "%v", "u16", "u16"},
                    {"b32", "%v", "u32", "u32"},
                    {"b64", "%v", "u64", "u64"},
                    {"b64", "{%v, %w}", "v2.u64", "v2.u64"}};

static void add_kernel(bz_text *t, unsigned w) {
    bz_textf(t,
             ".visible .entry runs%u(.param .align 8 .b8 r[%zu]) {\n"
             ".reg .pred %%q;\n.reg .b32 %%r<4>;\n.reg .b64 %%i, %%n, %%all, %%run, %%to, %%from, "
             "%%k, %%rest, %%t, %%f, %%a, %%s, %%d, %%x;\n.reg .%s %%v, %%w;\n",
             w, sizeof(runs_of_units), widths[w].type);
    bz_text_str(t, "mov.u32 %r0, %ctaid.x;\nmov.u32 %r1, %ntid.x;\nmov.u32 %r2, %tid.x;\n"
                   "mov.u32 %r3, %nctaid.x;\nmul.wide.u32 %i, %r0, %r1;\ncvt.u64.u32 %x, %r2;\n"
                   "add.u64 %i, %i, %x;\nmul.wide.u32 %n, %r3, %r1;\n"
                   "ld.param.u64 %to, [r];\nld.param.u64 %from, [r+8];\n"
                   "ld.param.u64 %all, [r+16];\nld.param.u64 %run, [r+24];\n"
                   "cvta.to.global.u64 %to, %to;\ncvta.to.global.u64 %from, %from;\n"
                   "UNIT:\nsetp.ge.u64 %q, %i, %all;\n@%q bra DONE;\n"
                   "div.u64 %rest, %i, %run;\nmul.lo.u64 %x, %rest, %run;\nsub.u64 %x, %i, %x;\n");
    bz_textf(t, "shl.b64 %%x, %%x, %u;\n", w);
    bz_text_str(t, "add.u64 %t, %to, %x;\nadd.u64 %f, %from, %x;\n"
                   "ld.param.u64 %k, [r+32];\nmov.b64 %a, r;\n"
                   "AXIS:\nsetp.eq.u64 %q, %k, 0;\n@%q bra MOVE;\n"
                   "ld.param.u64 %s, [%a+40];\ndiv.u64 %d, %rest, %s;\n"
                   "mul.lo.u64 %x, %d, %s;\nsub.u64 %x, %rest, %x;\nmov.b64 %rest, %d;\n"
                   "ld.param.u64 %d, [%a+48];\nmad.lo.u64 %t, %x, %d, %t;\n"
                   "ld.param.u64 %d, [%a+56];\nmad.lo.u64 %f, %x, %d, %f;\n"
                   "add.u64 %a, %a, 24;\nsub.u64 %k, %k, 1;\nbra AXIS;\nMOVE:\n");
    bz_textf(t, "ld.global.%s %s, [%%f];\nst.global.%s [%%t], %s;\n", widths[w].load,
             widths[w].value, widths[w].store, widths[w].value);
    bz_text_str(t, "add.u64 %i, %i, %n;\nbra UNIT;\nDONE:\nret;\n}\n");
}

static bz_status load(cuda_memory *m, bz_error *e) {
    bz_text t = {0};
    bz_text_str(&t, ".version 6.4\n.target sm_75\n.address_size 64\n");
    for (unsigned w = 0; w < WIDTHS; w++) add_kernel(&t, w);
    bz_status s = t.failed ? bz_fail(e, BZ_ENOMEM, "out of memory")
                           : cuda_load(m, t.p, "copies of runs", &m->copier, e);
    bz_text_free(&t);
    for (unsigned w = 0; w < WIDTHS && !s; w++) {
        char name[16];
        snprintf(name, sizeof name, "runs%u", w);
        s = cuda_check(m, m->d->module_function(&m->runs[w], m->copier, name),
                       "cuModuleGetFunction", name, e);
    }
    if (s && m->copier) m->d->module_free(m->copier), m->copier = NULL;
    return s;
}

/* log2 of the widest unit that all places are a multiple of. */
static unsigned width_of(rt_address to, rt_address from, const rt_runs *r) {
    uint64_t bits = to | from | r->bytes | 1u << (WIDTHS - 1);
    for (unsigned i = 0; i < r->rank; i++) bits |= (uint64_t)r->to[i] | (uint64_t)r->from[i];
    return (unsigned)__builtin_ctzll(bits);
}

bz_status cuda_copy_runs(cuda_memory *m, rt_address to, rt_address from, const rt_runs *r,
                         bz_error *e) {
    bz_status s = m->copier ? BZ_OK : load(m, e);
    if (s) return s;
    unsigned w = width_of(to, from, r);
    runs_of_units u = {.to = to, .from = from, .run = r->bytes >> w, .rank = r->rank};
    u.all = u.run;
    for (unsigned i = 0; i < r->rank; i++) {
        unsigned k = r->rank - 1 - i;
        u.all *= (uint64_t)r->shape[k];
        u.axis[i].shape = r->shape[k];
        u.axis[i].to = r->to[k];
        u.axis[i].from = r->from[k];
    }
    uint64_t blocks = (u.all + BLOCK - 1) / BLOCK, most = (uint64_t)m->processors * BLOCKS;
    void *parameters[] = {&u};
    return cuda_check(m,
                      m->d->launch(m->runs[w], (unsigned)(blocks < most ? blocks : most), 1, 1,
                                   BLOCK, 1, 1, 0, m->stream, parameters, NULL),
                      "cuLaunchKernel", "copies of runs", e);
}
