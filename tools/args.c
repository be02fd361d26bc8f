/* args.c - options of a subcommand from its table, by getopt_long; help text from the same table. */
#include "src/ir/text.h"
#include "tools/tool.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_OPTIONS = 24, FIRST = 256, HELP = 'h' };

static void print_help(const tool_command *c) {
    printf("usage: braze %s %s\n\n%s\n\n", c->name, c->usage, c->help);
    for (unsigned i = 0; i < c->noptions; i++) {
        const tool_option *o = &c->options[i];
        char left[64];
        snprintf(left, sizeof left, "--%s%s%s", o->name, o->arg ? " " : "", o->arg ? o->arg : "");
        printf("  %-26s %s\n", left, o->help);
    }
    printf("  %-26s %s\n", "--help", "show this text");
}

tool_status tool_usage(tool_args *a, const char *fmt, ...) {
    va_list ap;
    fprintf(stderr, "braze %s: ", a->cmd->name);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fprintf(stderr, "\nusage: braze %s %s\n", a->cmd->name, a->cmd->usage);
    return a->status = TOOL_USAGE;
}

static void unknown(tool_args *a) {
    const char *given = a->argv[optind - 1], *near = NULL;
    char name[64];
    unsigned least = 0;
    size_t n = strcspn(given, "="), dashes = strspn(given, "-");
    snprintf(name, sizeof name, "%.*s", (int)(n - (dashes < n ? dashes : n)), given + dashes);
    for (unsigned i = 0; i < a->cmd->noptions; i++)
        near = ir_nearer(name, a->cmd->options[i].name, near, &least);
    tool_usage(a, "unknown or ambiguous option '%s'%s%s%s", given, near ? "; is it --" : "",
               near ? near : "", near ? "?" : "");
}

int tool_next(tool_args *a) {
    struct option table[MAX_OPTIONS] = {{"help", no_argument, NULL, HELP}};
    for (unsigned i = 0; i < a->cmd->noptions; i++) {
        const tool_option *o = &a->cmd->options[i];
        table[i + 1] = (struct option){o->name, o->arg ? required_argument : no_argument, NULL,
                                       FIRST + (int)i};
    }
    opterr = 0;
    int o = getopt_long(a->argc, a->argv, ":h", table, NULL);
    a->value = optarg;
    a->status = TOOL_DONE;
    if (o >= FIRST) return o - FIRST;
    if (o == HELP) return print_help(a->cmd), TOOL_STOP;
    if (o == ':') return tool_usage(a, "%s needs an argument", a->argv[optind - 1]), TOOL_STOP;
    if (o == '?') return unknown(a), TOOL_STOP;
    return TOOL_END;
}

const char *tool_operand(tool_args *a) {
    return optind < a->argc ? a->argv[optind++] : NULL;
}

const char *tool_file(tool_args *a) {
    const char *file = tool_operand(a), *more = tool_operand(a);
    if (file && !more) return file;
    if (more)
        tool_usage(a, "one file at a time; '%s' is too much", more);
    else
        tool_usage(a, "FILE.bz is missing (- for standard input)");
    return NULL;
}

bool tool_number(tool_args *a, const char *option, int64_t lo, int64_t hi, int64_t *out) {
    char *end;
    errno = 0;
    long long v = strtoll(a->value, &end, 10);
    *out = v;
    if (end != a->value && !*end && !errno && v >= lo && v <= hi) return true;
    tool_usage(a, "--%s: '%s' is no number from %lld to %lld", option, a->value, (long long)lo,
               (long long)hi);
    return false;
}

bool tool_choice(tool_args *a, const char *option, const char *const *words, int *out) {
    for (*out = 0; words[*out]; ++*out)
        if (strcmp(words[*out], a->value) == 0) return true;
    bz_text t = {0};
    for (unsigned i = 0; words[i]; i++) bz_textf(&t, i ? ", %s" : "%s", words[i]);
    tool_usage(a, "--%s: '%s' is none of %s", option, a->value, bz_text_c(&t));
    bz_text_free(&t);
    return false;
}

static bool no_list(tool_args *a, const char *option, const char *const *words) {
    bz_text t = {0};
    for (unsigned i = 0; words[i]; i++) bz_textf(&t, i ? ", %s" : "%s", words[i]);
    tool_usage(a, "--%s: '%s' is no list of %s", option, a->value, bz_text_c(&t));
    bz_text_free(&t);
    return false;
}

bool tool_list(tool_args *a, const char *option, const char *const *words, unsigned *out,
               unsigned *n) {
    *n = 0;
    for (const char *at = a->value; *at;) {
        const size_t length = strcspn(at, ",");
        unsigned w = 0;
        while (words[w] && (strlen(words[w]) != length || memcmp(words[w], at, length) != 0)) w++;
        bool seen = !words[w];
        for (unsigned i = 0; i < *n; i++) seen |= out[i] == w;
        if (seen) return no_list(a, option, words);
        out[(*n)++] = w;
        at += length + (at[length] == ',');
    }
    return *n || (tool_usage(a, "--%s names nothing", option), false);
}

bool tool_is_environment(bz_status s) {
    return s == BZ_EIO || s == BZ_ENOMEM || s == BZ_EDEVICE || s == BZ_ECOMPILE;
}

tool_status tool_error(const bz_error *e) {
    fprintf(stderr, "braze: error: %s\n", *e->text ? e->text : bz_status_doc(e->status));
    return tool_is_environment(e->status) ? TOOL_ENVIRONMENT : TOOL_MISTAKE;
}
