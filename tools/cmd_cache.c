/* cmd_cache.c - braze cache: what code is kept on disk (docs/cache.md), whether it is whole, and an end to it. */
#include "runtime/base/env.h"
#include "runtime/exec/store.h"
#include "src/codegen/codegen.h"
#include "tools/tool.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct job {
    bz_text out;
    int dir; /* -1: there is none yet */
    rt_store_files files;
    uint64_t kernels, damaged;
    uint32_t whole; /* files */
} job;

/* ---- one file */

/* "x86-64-v4 | llvm 19.1.7, build ...": the first line of a key. */
static void add_target(bz_text *t, const rt_binary *b) {
    const char *key = b->nkernels ? b->kernels[0].key : "";
    const size_t most = b->nkernels ? b->kernels[0].key_bytes : 0;
    const char *end = memchr(key, '\n', most);
    bz_text_add(t, key, end ? (size_t)(end - key) : 0);
    if (!memmem(key, end ? (size_t)(end - key) : 0, cg_build, strlen(cg_build)))
        bz_text_str(t, " (another build)");
}

static void list_file(job *j, const rt_store_file *f, const rt_binary *b) {
    char size[32], when[32];
    const time_t used = (time_t)(f->used / 1000000000);
    struct tm tm;
    bz_size_text(size, (double)f->bytes);
    strftime(when, sizeof when, "%Y-%m-%d %H:%M", localtime_r(&used, &tm));
    bz_textf(&j->out, "%s %10s %4u kernel%s  ", when, size, b->nkernels,
             b->nkernels == 1 ? " " : "s");
    add_target(&j->out, b);
    bz_text_str(&j->out, "\n");
}

/* Has it the kernel that it is named after? */
static bool is_named_so(const rt_binary *b, const char *name) {
    char own[RT_STORE_NAME];
    for (uint32_t i = 0; i < b->nkernels; i++) {
        rt_store_name(b->kernels[i].key, b->kernels[i].key_bytes, own);
        if (strcmp(own, name) == 0) return true;
    }
    return false;
}

/* first: of the names of one file. */
static void look_at(job *j, const rt_store_file *f, bool first, bool list) {
    char why[RT_STORE_WHY], *block;
    const char *wrong = why;
    if (f->temporary) return;
    const size_t n = rt_store_read(j->dir, f->name, false, &block, why);
    rt_binary *b = n ? rt_binary_read(block, n, &wrong) : NULL;
    if (!b && (!wrong || !*wrong)) return; /* no memory for it, or it has gone meanwhile */
    if (b && !is_named_so(b, f->name))
        wrong = "it is another kernel's";
    else if (b)
        wrong = NULL;
    if (wrong) {
        bz_textf(&j->out, "damaged %s: %s\n", f->name, wrong);
        j->damaged++;
    } else if (first) {
        j->whole++;
        j->kernels += b->nkernels;
        if (list) list_file(j, f, b);
    }
    rt_binary_drop(b);
}

/* ---- the commands */

static void look_at_all(job *j, bool list) {
    const rt_store_file *f = j->files.v.p;
    for (uint32_t i = 0; i < j->files.v.n; i++)
        look_at(j, &f[i], i == 0 || f[i].inode != f[i - 1].inode, list);
}

static void sum(job *j, const char *path) {
    char bytes[32], most[32];
    bz_size_text(bytes, (double)j->files.bytes);
    bz_size_text(most, (double)rt_env_get()->cache_bytes);
    bz_textf(&j->out, "%s: %u file%s, %llu kernel%s, %s of %s\n", path, j->whole,
             j->whole == 1 ? "" : "s", (unsigned long long)j->kernels, j->kernels == 1 ? "" : "s",
             bytes, most);
}

static void clear(job *j, const char *path) {
    uint32_t gone = 0;
    for (uint32_t i = 0; i < j->files.v.n; i++)
        gone += unlinkat(j->dir, j->files.v.p[i].name, 0) == 0;
    if (j->dir >= 0) unlinkat(j->dir, RT_STORE_NVRTC, 0);
    bz_textf(&j->out, "%s: %u name%s removed\n", path, gone, gone == 1 ? "" : "s");
}

enum { LIST, VERIFY, CLEAR };

static tool_status with_directory(job *j, int what, const char *path) {
    char why[RT_STORE_WHY];
    bz_error e = {0};
    j->dir = rt_store_open(false, why);
    if (j->dir < 0 && *why) {
        bz_fail(&e, BZ_EIO, "no use of %s: %s", path, why);
        return tool_error(&e);
    }
    if (j->dir >= 0 && !rt_store_list(j->dir, &j->files)) {
        bz_fail(&e, BZ_EIO, "cannot read %s", path);
        return tool_error(&e);
    }
    if (what == CLEAR)
        clear(j, path);
    else
        look_at_all(j, what == LIST), sum(j, path);
    const tool_status s = tool_write(&j->out);
    return s ? s : what == VERIFY && j->damaged ? TOOL_MISTAKE : TOOL_DONE;
}

static tool_status run(tool_args *a) {
    static const char *const words[] = {"list", "verify", "clear"};
    if (tool_next(a) == TOOL_STOP) return a->status;
    const char *word = tool_operand(a), *more = tool_operand(a), *none;
    int what = LIST;
    while (word && what <= CLEAR && strcmp(word, words[what]) != 0) what++;
    if (what > CLEAR) return tool_usage(a, "'%s' is none of list, verify, clear", word);
    if (more) return tool_usage(a, "one word at a time; '%s' is too much", more);
    const char *path = rt_store_path(&none);
    if (!path) {
        bz_error e = {0};
        bz_fail(&e, BZ_EIO, "no code is kept on disk: %s", none);
        return tool_error(&e);
    }
    job j = {.dir = -1};
    const tool_status s = with_directory(&j, what, path);
    if (j.dir >= 0) close(j.dir);
    bz_vec_free(&j.files.v);
    bz_text_free(&j.out);
    return s;
}

const tool_command tool_cache = {
    .name = "cache",
    .usage = "[list|verify|clear]",
    .summary = "show, check or remove the code that is kept on disk",
    .help =
        "Code of kernels is kept in $BRAZE_CACHE_DIR (~/.cache/braze), so that the next process "
        "compiles nothing: docs/cache.md.\n\n"
        "list    what was compiled together, the longest unused first: when it was used, its "
        "size, kernels, what for and by which build\n"
        "verify  reads all of it; exit status 1 and the reasons if something is damaged. It "
        "would be compiled anew\n"
        "clear   removes it",
    .run = run,
};
