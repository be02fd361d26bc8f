/* export_header.c - PREFIX.h: the struct of arguments, the three functions, what statuses mean.
 * C11 and C++11, no warnings under -Wall -Wextra -Wpedantic. */
#include "braze/version.h"
#include "runtime/export/export.h"
#include "src/ir/external.h"

#include <string.h>

#define VERSION_TEXT_(a, b, c) #a "." #b "." #c
#define VERSION_TEXT(a, b, c)  VERSION_TEXT_(a, b, c)

static const char top[] = "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n"
                          "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";

static void say_machines(bz_text *t, const ex_machines *m) {
    const unsigned n = m->gpus ? m->ngpus : m->nisas;
    for (unsigned i = 0; i < n; i++) {
        bz_text_str(t, i == 0 ? "" : i + 1 == n ? " and " : ", ");
        if (m->gpus)
            bz_textf(t, "sm_%u", m->gpus[i]);
        else
            bz_text_str(t, cg_isa_name(m->isas[i]));
    }
    if (m->gpus) bz_textf(t, ", and PTX for other GPUs from sm_%u on", m->gpus[0]);
}

void ex_header_head(bz_text *t, const char *fn, const char *object, const ex_machines *m) {
    const char *const rt = m->gpus ? "braze_rt_cuda" : "braze_rt";
    const char *const libs = m->gpus ? "-ldl -lpthread" : "-lm -lpthread";
    bz_textf(t, "/* %s.o, for ", object);
    say_machines(t, m);
    bz_textf(t, ". Written by braze %s; do not edit.\n *\n",
             VERSION_TEXT(BZ_VERSION_MAJOR, BZ_VERSION_MINOR, BZ_VERSION_PATCH));
    bz_textf(t,
             " *     cc main.c %s.o %s.o %s\n *\n"
             " * or, in a makefile,\n *\n"
             " *     main: main.c %s.h %s.o %s.o\n"
             " *     \t$(CC) $(CFLAGS) main.c %s.o %s.o %s -o $@\n *\n"
             " *     struct %s_args a = {0};\n"
             " *     a.NAME = ...;\n"
             " *     int status = %s(&a);\n"
             " *     if (status) puts(%s_error(status));\n *\n"
             " * Tensors are row-major without gaps. Memory that is written overlaps no other "
             "argument. */\n",
             object, rt, libs, object, object, rt, object, rt, libs, fn, fn, fn);
    bz_textf(t, "#ifndef BRAZE_EXPORT_%s\n#define BRAZE_EXPORT_%s\n\n%s", fn, fn, top);
}

static void comment(bz_text *t, const ir_graph *g, const ex_field *x) {
    bz_text_str(t, " /* ");
    if (x->shape)
        bz_text_str(t, x->shape);
    else
        ir_print_shape(t, g, x->node);
    bz_text_str(t, x->updated ? ", updated in place" : x->written ? ", written" : "");
    if (x->align > ir_dtype_bytes(ir_dtype(g, x->node))) bz_textf(t, ", %u-byte aligned", x->align);
    if (x->note) bz_textf(t, "; %s", x->note);
    bz_text_str(t, " */\n");
}

static void member(bz_text *t, const ir_graph *g, const ex_field *x) {
    if (x->align)
        bz_textf(t, "    %s%s *%s;", x->written || x->updated ? "" : "const ", x->type, x->name);
    else
        bz_textf(t, "    %s %s;", x->type, x->name);
    comment(t, g, x);
}

static const char room_of_host[] =
    "    /* Room for what happens in between: %s_workspace(%s) bytes, or NULL, then the\n"
    "     * program has its own, made at the first call and kept. */\n";
static const char room_of_device[] =
    "    /* Room for what happens in between, for %s_device alone: %s_workspace(%s)\n"
    "     * bytes of the GPU, or NULL, then the program has its own, made at the first\n"
    "     * call and kept. */\n";

static void arguments(bz_text *t, const ex_function *function, const ex_fields *f, bool cuda) {
    const ir_graph *g = function->g;
    const char *fn = function->name;
    bz_textf(t, "struct %s_args {\n", fn);
    if (f->size_name)
        bz_textf(t, "    int64_t %s; /* the size, from %lld to %lld */\n", f->size_name,
                 (long long)function->size->lo, (long long)function->size->hi);
    for (uint32_t i = 0; i < f->ninputs; i++)
        if (!f->input[i].baked) member(t, g, &f->input[i]);
    for (uint32_t i = 0; i < f->noutputs; i++)
        if (f->output[i].name) member(t, g, &f->output[i]);
    const char *const size = f->size_name ? f->size_name : "";
    if (cuda)
        bz_textf(t, room_of_device, fn, fn, size);
    else
        bz_textf(t, room_of_host, fn, size);
    bz_text_str(t, "    void *workspace;\n    size_t workspace_bytes;\n};\n\n");
}

static const char *const words[][2] = {
    {"OK", "done"},
    {"EMACHINE", "the processor lacks the instructions, or BRAZE_ISA forbids them"},
    {"EMEMORY", "no memory for the workspace"},
    {"EWORKSPACE", "the workspace given is too small"},
    {"EARGUMENT", "a pointer is NULL"},
    {"EALIGNMENT", "a pointer is less aligned than its comment says"},
    {"EINDEX", "an index was out of range: the results are of no use"},
    {"ESIZE", "the size is none that the function was made for"},
    {"EDEVICE", "the driver refused something: results are of no use"},
    {"EFUNCTION", "a function that the program calls gave a status: results are of no use"},
};
_Static_assert(BZ_LEN(words) == BZ_RT_EFUNCTION + 1, "a word for each status");
static const char no_gpu[] = "there is no driver, or no GPU";

bool ex_header_declares(const char *fn, const char *name, bool cuda) {
    static const char *const others[] = {"args", "error", "workspace"};
    const size_t n = strlen(fn);
    bool found = false;
    if (strncmp(name, fn, n) != 0 || name[n] != '_') return false;
    for (unsigned i = 0; i < BZ_LEN(words); i++) found |= !strcmp(name + n + 1, words[i][0]);
    for (unsigned i = 0; i < BZ_LEN(others); i++) found |= !strcmp(name + n + 1, others[i]);
    return found || (cuda && !strcmp(name + n + 1, "device"));
}

static void statuses(bz_text *t, const char *fn, bool sized, bool cuda, bool calls) {
    const unsigned n = cuda ? BZ_RT_EDEVICE + 1 : sized ? BZ_RT_EDEVICE : BZ_RT_ESIZE;
    bz_textf(t, "/* The low 8 bits of a status; %s_error tells the rest. */\nenum {\n", fn);
    for (unsigned i = 0; i < n; i++)
        bz_textf(t, "    %s_%s%s /* %s */\n", fn, words[i][0], i + 1 < n || calls ? "," : "",
                 cuda && i == BZ_RT_EMACHINE ? no_gpu : words[i][1]);
    if (calls)
        bz_textf(t, "    %s_%s = %d /* %s */\n", fn, words[BZ_RT_EFUNCTION][0], BZ_RT_EFUNCTION,
                 words[BZ_RT_EFUNCTION][1]);
    bz_text_str(t, "};\n\n");
}

/* The function's symbol carries the stamp: a header beside the object of another export is an error of the linker, which says so. */
static void stamped(bz_text *t, const char *fn, const char *suffix, const char *more,
                    uint64_t stamp) {
    bz_textf(t,
             "int %s%s(const struct %s_args *args%s)\n#ifdef __GNUC__\n    __asm__(\"%s%s" EX_STAMP
             "\")\n#endif\n    ;\n",
             fn, suffix, fn, more, fn, suffix, (unsigned long long)stamp);
}

static void calls(bz_text *t, const char *fn, uint64_t stamp) {
    bz_text_str(
        t, "/* Runs the program: 0, or a status. Several threads may call it at once, each with "
           "memory of its\n * own to write to. Header and object must be of one export. */\n");
    stamped(t, fn, "", "", stamp);
}

static void cuda_calls(bz_text *t, const char *fn, uint64_t stamp) {
    bz_text_str(t, "/* Runs the program on arrays of the host: they are copied to the GPU, and what\n"
                   " * is written comes back. 0, or a status. Several threads may call it at once,\n"
                   " * each with memory of its own to write to. Header and object must be of one\n"
                   " * export. */\n");
    stamped(t, fn, "", "", stamp);
    bz_text_str(t, "/* The same on memory of the GPU, to which all pointers of the struct lead, in a\n"
                   " * CUstream (NULL: the default one): nothing is copied, and it has begun when\n"
                   " * this returns. */\n");
    stamped(t, fn, "_device", ", void *stream", stamp);
}

static void functions(bz_text *t, const char *fn, const ex_fields *f, bool cuda, uint64_t stamp) {
    (cuda ? cuda_calls : calls)(t, fn, stamp);
    bz_textf(t,
             cuda ? "/* Bytes of a workspace of %s_device%s; 0 without a GPU. */\n"
                  : "/* Bytes of a workspace for the number of threads that is set now%s%s. */\n",
             cuda ? fn : "", f->size_name ? "; 0 for what is no size" : "");
    bz_textf(t,
             "size_t %s_workspace(%s%s);\n"
             "/* What a status of %s means, in this thread until its next call. Never NULL. */\n"
             "const char *%s_error(int status);\n\n",
             fn, f->size_name ? "int64_t " : "void", f->size_name ? f->size_name : "", fn, fn);
}

static const char end_of_host[] =
    "/* Threads of all exported programs in the process, together; 0: "
    "$BRAZE_THREADS, else one per\n * processor. */\n"
    "void bz_rt_set_threads(int threads);\nint bz_rt_threads(void);\n\n";
static const char end_of_device[] =
    "#define BRAZE_EXPORT_CUDA 1\n\n"
    "/* Memory of the GPU, for programs that have nothing of NVIDIA's; NULL, or a status\n"
    " * that is not 0: bz_rt_cuda_error() says why. Copies come behind what the default\n"
    " * stream was asked for, and are done when they return. All of it, as the functions\n"
    " * above, is in the CUDA context of the thread, if it has one, else in the primary one\n"
    " * of device 0. */\n"
    "void *bz_rt_cuda_alloc(size_t bytes);\nvoid bz_rt_cuda_free(void *at);\n"
    "int bz_rt_cuda_copy_in(void *to, const void *from, size_t bytes);\n"
    "int bz_rt_cuda_copy_out(void *to, const void *from, size_t bytes);\n"
    "const char *bz_rt_cuda_error(void);\n"
    "/* Gives back what exported programs keep on GPUs: code, constants, workspaces. None\n"
    " * may be running. Due before a CUDA context is destroyed in which they ran. */\n"
    "void bz_rt_cuda_stop(void);\n\n";

void ex_header_end(bz_text *t, bool cuda) {
    bz_text_str(t, cuda ? end_of_device : end_of_host);
    bz_text_str(t, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

/* The functions of C that the program calls, each once; are there any? */
static bool declare_calls(bz_text *t, const ir_graph *g) {
    bool any = false;
    for (ir_ref r = 1; r < g->n.n; r++) {
        const ir_external *x = ir_at(g, r)->op == IR_EXTERNAL ? ir_external_of(g, r) : NULL;
        bool seen = !x || !x->symbol;
        for (ir_ref q = 1; q < r && !seen; q++)
            seen = ir_at(g, q)->op == IR_EXTERNAL && ir_external_of(g, q) == x;
        if (seen) continue;
        any = true;
        bz_textf(t,
                 "/* The program calls it, and whoever links the program defines it. 0, or a status. "
                 "user is %s%s. */\n",
                 x->user_symbol ? "the address of " : "NULL", x->user_symbol ? x->user_symbol : "");
        ir_external_prototype(t, x, x->symbol);
        bz_text_str(t, ";\n\n");
    }
    return any;
}

void ex_header_function(bz_text *t, const ex_function *fn, const ex_fields *f, bool cuda,
                        uint64_t stamp) {
    const bool calls = declare_calls(t, fn->g);
    arguments(t, fn, f, cuda);
    statuses(t, fn->name, f->size_name != NULL, cuda, calls);
    functions(t, fn->name, f, cuda, stamp);
}
