/* export_header.c - PREFIX.h: the struct of arguments, the three functions, what statuses mean.
 * C11 and C++11, no warnings under -Wall -Wextra -Wpedantic. */
#include "braze/version.h"
#include "runtime/export/export.h"

#include <string.h>

#define VERSION_TEXT_(a, b, c) #a "." #b "." #c
#define VERSION_TEXT(a, b, c)  VERSION_TEXT_(a, b, c)

static const char top[] = "#include <stdbool.h>\n#include <stddef.h>\n#include <stdint.h>\n\n"
                          "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n";

void ex_header_head(bz_text *t, const char *fn, const char *object, const cg_isa *isas,
                    unsigned n) {
    bz_textf(t, "/* %s.o, for", object);
    for (unsigned i = 0; i < n; i++)
        bz_textf(t, "%s %s", i == 0 ? "" : i + 1 == n ? " and" : ",", cg_isa_name(isas[i]));
    bz_textf(t, ". Written by braze %s; do not edit.\n *\n",
             VERSION_TEXT(BZ_VERSION_MAJOR, BZ_VERSION_MINOR, BZ_VERSION_PATCH));
    bz_textf(t,
             " *     cc main.c %s.o braze_rt.o -lm -lpthread\n *\n"
             " * or, in a makefile,\n *\n"
             " *     main: main.c %s.h %s.o braze_rt.o\n"
             " *     \t$(CC) $(CFLAGS) main.c %s.o braze_rt.o -lm -lpthread -o $@\n *\n"
             " *     struct %s_args a = {0};\n"
             " *     a.NAME = ...;\n"
             " *     int status = %s(&a);\n"
             " *     if (status) puts(%s_error(status));\n *\n"
             " * Tensors are row-major without gaps. Memory that is written overlaps no other "
             "argument. */\n",
             object, object, object, object, fn, fn, fn);
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

static void arguments(bz_text *t, const ex_function *function, const ex_fields *f) {
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
    bz_textf(t,
             "    /* Room for what happens in between: %s_workspace(%s) bytes, or NULL, then the\n"
             "     * program has its own, made at the first call and kept. */\n"
             "    void *workspace;\n    size_t workspace_bytes;\n};\n\n",
             fn, f->size_name ? f->size_name : "");
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
};
_Static_assert(BZ_LEN(words) == BZ_RT_ESIZE + 1, "a word for each status");

bool ex_header_declares(const char *fn, const char *name) {
    static const char *const others[] = {"args", "error", "workspace"};
    const size_t n = strlen(fn);
    bool found = false;
    if (strncmp(name, fn, n) != 0 || name[n] != '_') return false;
    for (unsigned i = 0; i < BZ_LEN(words); i++) found |= !strcmp(name + n + 1, words[i][0]);
    for (unsigned i = 0; i < BZ_LEN(others); i++) found |= !strcmp(name + n + 1, others[i]);
    return found;
}

static void statuses(bz_text *t, const char *fn, bool sized) {
    const unsigned n = sized ? BZ_LEN(words) : BZ_RT_ESIZE;
    bz_textf(t, "/* The low 8 bits of a status; %s_error tells the rest. */\nenum {\n", fn);
    for (unsigned i = 0; i < n; i++)
        bz_textf(t, "    %s_%s%s /* %s */\n", fn, words[i][0], i + 1 < n ? "," : "",
                 words[i][1]);
    bz_text_str(t, "};\n\n");
}

/* The function's symbol carries the stamp: a header beside the object of another export is an error of the linker, which says so. */
static void functions(bz_text *t, const char *fn, const ex_fields *f, uint64_t stamp) {
    bz_textf(t,
             "/* Runs the program: 0, or a status. Several threads may call it at once, each with "
             "memory of its\n * own to write to. Header and object must be of one export. */\n"
             "int %s(const struct %s_args *args)\n#ifdef __GNUC__\n    __asm__(\"%s" EX_STAMP
             "\")\n"
             "#endif\n    ;\n",
             fn, fn, fn, (unsigned long long)stamp);
    bz_textf(t,
             "/* Bytes of a workspace for the number of threads that is set now%s. */\n"
             "size_t %s_workspace(%s%s);\n"
             "/* What a status of %s means, in this thread until its next call. Never NULL. */\n"
             "const char *%s_error(int status);\n\n",
             f->size_name ? "; 0 for what is no size" : "", fn, f->size_name ? "int64_t " : "void",
             f->size_name ? f->size_name : "", fn, fn);
}

void ex_header_end(bz_text *t) {
    bz_text_str(t, "/* Threads of all exported programs in the process, together; 0: "
                   "$BRAZE_THREADS, else one per\n * processor. */\n"
                   "void bz_rt_set_threads(int threads);\nint bz_rt_threads(void);\n\n");
    bz_text_str(t, "#ifdef __cplusplus\n}\n#endif\n\n#endif\n");
}

void ex_header_function(bz_text *t, const ex_function *fn, const ex_fields *f, uint64_t stamp) {
    arguments(t, fn, f);
    statuses(t, fn->name, f->size_name != NULL);
    functions(t, fn->name, f, stamp);
}
