/* source.c - a program's text: read, parsed, and blamed line by line. */
#include "runtime/api/custom.h"
#include "tools/tool.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static tool_status report(const tool_source *s, const bz_error *e) {
    bz_text t = {0};
    ir_error_report(&t, e, s->text, s->name);
    fputs(bz_text_c(&t), stderr);
    if (t.n && t.p[t.n - 1] != '\n') fputc('\n', stderr);
    bz_text_free(&t);
    return TOOL_MISTAKE;
}

bool tool_autocast_option(tool_args *a) {
    static const char *const words[] = {"bf16", "f16", NULL};
    int v;
    if (!tool_choice(a, "autocast", words, &v)) return false;
    a->autocast = v ? BZ_F16 : BZ_BF16;
    return true;
}

bool tool_load_option(tool_args *a) {
    if (bz_vec_push(&a->loads, a->value)) return true;
    return a->status = TOOL_ENVIRONMENT, false;
}

static bz_status load(ir_module *m, const void *source, bz_error *e) {
    const tool_source *s = source;
    for (unsigned i = 0; i < s->nloads; i++)
        if (rt_op_load(m, s->loads[i], e)) return e->status;
    return BZ_OK;
}

ir_module *tool_parse(const tool_source *s, const ir_size *sizes, unsigned n, bz_error *e) {
    return ir_parse_as(s->text, s->n, s->name,
                       &(ir_reading){sizes, n, s->autocast, s->nloads ? load : NULL, s}, e);
}

tool_status tool_open(tool_source *s, const char *path, const tool_args *a) {
    bz_error e = {0};
    *s = (tool_source){.name = strcmp(path, "-") == 0 ? "<stdin>" : path,
                       .autocast = a->autocast,
                       .loads = a->loads.p,
                       .nloads = a->loads.n};
    bz_status status = rt_file_read(path, &s->text, &s->n, &e);
    if (status) {
        tool_error(&e);
        return status == BZ_EIO ? TOOL_MISTAKE : TOOL_ENVIRONMENT; /* the user named the file */
    }
    s->m = tool_parse(s, NULL, 0, &e);
    if (s->m) {
        s->g = s->m->graphs.p[0];
        return TOOL_DONE;
    }
    tool_status result = e.status == BZ_ENOMEM ? tool_error(&e) : report(s, &e);
    tool_close(s);
    return result;
}

tool_status tool_resize(tool_source *s, const ir_size *sizes, unsigned n) {
    bz_error e = {0};
    ir_module *m = tool_parse(s, sizes, n, &e);
    if (!m) return e.status == BZ_ENOMEM ? tool_error(&e) : report(s, &e);
    ir_module_free(s->m);
    s->m = m;
    s->g = m->graphs.p[0];
    s->sizes.n = 0;
    for (unsigned i = 0; i < n; i++) {
        const ir_size own = {bz_arena_str(&s->names, sizes[i].name), sizes[i].value};
        if (!own.name || !bz_vec_push(&s->sizes, own))
            return tool_error(&(bz_error){.status = BZ_ENOMEM, .text = "out of memory"});
    }
    return TOOL_DONE;
}

void tool_close(tool_source *s) {
    ir_module_free(s->m);
    bz_mem_free(s->text);
    bz_vec_free(&s->sizes);
    bz_arena_free(&s->names);
    *s = (tool_source){0};
}

tool_status tool_with_file(tool_args *a, tool_body *body, void *job) {
    tool_source s;
    const char *file = tool_file(a);
    tool_status status = file ? tool_open(&s, file, a) : a->status;
    if (!status) {
        status = body(&s, job);
        tool_close(&s);
    }
    bz_vec_free(&a->loads);
    return status;
}

/* Where line `line` begins, NULL when there is none. */
static const char *line_at(const char *text, int line) {
    for (; line > 1 && text; line--) {
        text = strchr(text, '\n');
        text = text ? text + 1 : NULL;
    }
    return text;
}

/* "... at FILE:12" about this file: takes that off the message and makes it a place. */
static bool find_place(const tool_source *s, bz_error *e) {
    char mark[320];
    snprintf(mark, sizeof mark, " at %.300s:", s->name);
    char *at = NULL;
    for (char *next = e->text; (next = strstr(next, mark)); next++) at = next;
    char *end = at;
    long line = at ? strtol(at + strlen(mark), &end, 10) : 0;
    const char *p = line > 0 && !*end ? line_at(s->text, (int)line) : NULL;
    if (!p) return false;
    *at = 0;
    e->line = (int)line;
    for (e->column = 1; *p == ' ' || *p == '\t'; p++) e->column++;
    return true;
}

static bool name_char(char c) {
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '%';
}

/* Does `name:` begin here? In quotes it may be, and blanks before the colon. */
static bool declares(const char *text, const char *p, const char *name) {
    size_t n = strlen(name);
    bool quoted = p > text && p[-1] == '"';
    if (strncmp(p, name, n) != 0 || (p > text && name_char(p[-1]))) return false;
    p += n + (quoted && p[n] == '"');
    while (*p == ' ' || *p == '\t') p++;
    return *p == ':';
}

static tool_status report_at_input(const tool_source *s, const char *name, const bz_error *e) {
    bz_error placed = *e;
    const char *p = s->text;
    while (*p && !declares(s->text, p, name)) p += *p == '#' ? strcspn(p, "\n") : 1;
    if (!*p) p = s->text; /* a name with escapes: the program as a whole */
    placed.line = placed.column = 1;
    for (const char *at = s->text; at < p; at++) {
        placed.line += *at == '\n';
        placed.column = *at == '\n' ? 1 : placed.column + 1;
    }
    return report(s, &placed);
}

/* The input that a message "[op] x is ..." or "[op] x has ..." is about, or NULL. */
static const char *blamed_input(const tool_source *s, const bz_error *e) {
    const char *close = *e->text == '[' ? strstr(e->text, "] ") : NULL;
    for (uint32_t i = 0; close && i < s->g->inputs.n; i++) {
        const char *name = s->g->inputs.p[i].name, *verb = close + 2 + strlen(name);
        if (strncmp(close + 2, name, strlen(name)) != 0) continue;
        if (!strncmp(verb, " is ", 4) || !strncmp(verb, " has ", 5)) return name;
    }
    return NULL;
}

tool_status tool_source_error(const tool_source *s, const bz_error *e) {
    bz_error placed = *e;
    if (tool_is_environment(e->status)) return tool_error(e);
    if (find_place(s, &placed)) return report(s, &placed);
    const char *input = blamed_input(s, e);
    return input ? report_at_input(s, input, e) : tool_error(e);
}

tool_status tool_input_error(const tool_source *s, const char *name, const bz_error *e) {
    bz_error placed = *e;
    if (tool_is_environment(e->status) || find_place(s, &placed)) return tool_source_error(s, e);
    return report_at_input(s, name, e);
}

int tool_find_input(const ir_graph *g, const char *name, size_t n) {
    for (uint32_t i = 0; i < g->inputs.n; i++)
        if (strlen(g->inputs.p[i].name) == n && memcmp(g->inputs.p[i].name, name, n) == 0)
            return (int)i;
    return -1;
}

void tool_print_program(bz_text *t, const tool_source *s, const ir_graph *g) {
    ir_print(t, g);
    for (uint32_t i = 1; i < s->m->graphs.n; i++) {
        if (!s->m->graphs.p[i]) continue;
        bz_text_str(t, "\n");
        ir_print(t, s->m->graphs.p[i]);
    }
}

tool_status tool_write(const bz_text *t) {
    if (t->failed) return tool_error(&(bz_error){.status = BZ_ENOMEM});
    fwrite(bz_text_c(t), 1, t->n, stdout);
    return TOOL_DONE;
}
