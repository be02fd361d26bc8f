/* source.c - a program's text: read, parsed, and blamed line by line. */
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

tool_status tool_open(tool_source *s, const char *path) {
    bz_error e = {0};
    *s = (tool_source){.name = strcmp(path, "-") == 0 ? "<stdin>" : path};
    bz_status status = rt_file_read(path, &s->text, &s->n, &e);
    if (status) {
        tool_error(&e);
        return status == BZ_EIO ? TOOL_MISTAKE : TOOL_ENVIRONMENT; /* the user named the file */
    }
    s->m = ir_parse(s->text, s->n, s->name, &e);
    if (s->m) {
        s->g = s->m->graphs.p[0];
        return TOOL_DONE;
    }
    tool_status result = e.status == BZ_ENOMEM ? tool_error(&e) : report(s, &e);
    tool_close(s);
    return result;
}

void tool_close(tool_source *s) {
    ir_module_free(s->m);
    bz_mem_free(s->text);
    *s = (tool_source){0};
}

tool_status tool_with_file(tool_args *a, tool_body *body, void *job) {
    tool_source s;
    const char *file = tool_file(a);
    tool_status status = file ? tool_open(&s, file) : a->status;
    if (status) return status;
    status = body(&s, job);
    tool_close(&s);
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

tool_status tool_source_error(const tool_source *s, const bz_error *e) {
    bz_error placed = *e;
    return find_place(s, &placed) ? report(s, &placed) : tool_error(e);
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
        bz_text_str(t, "\n");
        ir_print(t, s->m->graphs.p[i]);
    }
}

tool_status tool_write(const bz_text *t) {
    if (t->failed) return tool_error(&(bz_error){.status = BZ_ENOMEM});
    fwrite(bz_text_c(t), 1, t->n, stdout);
    return TOOL_DONE;
}
