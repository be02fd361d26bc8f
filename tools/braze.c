/* braze.c - the `braze` command: braze SUBCOMMAND [OPTION]... [FILE.bz] */
#include "runtime/base/env.h"
#include "src/ir/text.h"
#include "tools/tool.h"

#include <stdio.h>
#include <string.h>

static const tool_command *const commands[] = {&tool_run,     &tool_opt,     &tool_grad,
                                               &tool_explain, &tool_kreport, &tool_export,
                                               &tool_bench,   &tool_ops,     &tool_cache};

static void print_help(FILE *f) {
    fputs("usage: braze COMMAND [OPTION]... [FILE.bz]\n\n"
          "Runs, transforms and explains tensor programs in braze's text form (docs/ir.md).\n\n",
          f);
    for (size_t i = 0; i < BZ_LEN(commands); i++)
        fprintf(f, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n`braze COMMAND --help` tells more. FILE.bz may be - for standard input.\n"
          "Exit status: 0 done, 1 a mistake in a file or an argument's value, 2 wrong usage, 3 the "
          "environment.\n",
          f);
}

static int leave(tool_status status) {
    if ((fflush(stdout) || ferror(stdout)) && status == TOOL_DONE) {
        fputs("braze: error: cannot write to standard output\n", stderr);
        status = TOOL_ENVIRONMENT;
    }
    return (int)status;
}

/* braze help run is braze run --help. */
static void turn_help(int argc, char **argv) {
    static char help[] = "--help";
    if (argc != 3 || strcmp(argv[1], "help") != 0 || argv[2][0] == '-') return;
    argv[1] = argv[2];
    argv[2] = help;
}

int main(int argc, char **argv) {
    turn_help(argc, argv);
    const char *name = argc > 1 ? argv[1] : "";
    for (size_t i = 0; i < BZ_LEN(commands); i++) {
        if (strcmp(name, commands[i]->name) != 0) continue;
        const bz_error *mistake = &rt_env_get()->mistake; /* even where no context opens */
        if (mistake->status) {
            fprintf(stderr, "braze: error: %s\n", mistake->text);
            return TOOL_ENVIRONMENT;
        }
        tool_args a = {.cmd = commands[i], .argc = argc - 1, .argv = argv + 1};
        return leave(commands[i]->run(&a));
    }
    if (strcmp(name, "--version") == 0) {
        printf("braze %d.%d.%d\n", BZ_VERSION_MAJOR, BZ_VERSION_MINOR, BZ_VERSION_PATCH);
        return leave(TOOL_DONE);
    }
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        print_help(stdout);
        return leave(TOOL_DONE);
    }
    if (*name) {
        const char *near = NULL;
        unsigned least = 0;
        for (size_t i = 0; i < BZ_LEN(commands); i++)
            near = ir_nearer(name, commands[i]->name, near, &least);
        size_t n = strlen(name);
        if (!near && n > 3 && strcmp(name + n - 3, ".bz") == 0)
            return fprintf(stderr, "braze: '%s' is no command; is `braze run %s` meant?\n", name,
                           name),
                   TOOL_USAGE;
        fprintf(stderr, "braze: there is no command '%s'%s%s%s\n", name, near ? "; is it " : "",
                near ? near : "", near ? "?" : "");
        if (near) return TOOL_USAGE;
    }
    print_help(stderr);
    return TOOL_USAGE;
}
