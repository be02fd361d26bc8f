/* tool.h - what the subcommands of `braze` share.
 *
 *     braze.c   main: picks the subcommand        args.c     options by table, help
 *     source.c  FILE.bz and errors in it          inputs.c   values for inputs: files, or made up
 *     engine.c  a graph on a device, run          outputs.c  where outputs go
 *     cmd_*.c   one subcommand each */
#ifndef BRAZE_TOOL_H
#define BRAZE_TOOL_H

#include "runtime/io/array.h"
#include "runtime/exec/device.h"

typedef enum tool_status {
    TOOL_DONE = 0,
    TOOL_MISTAKE = 1,     /* the user's: a file's content, a name, a shape */
    TOOL_USAGE = 2,       /* wrong options */
    TOOL_ENVIRONMENT = 3, /* memory, disk, compiler, device */
} tool_status;

/* ---- args.c */

typedef struct tool_option {
    const char *name, *arg, *help; /* arg: what its argument is called, NULL = none */
} tool_option;

typedef struct tool_args tool_args;

typedef struct tool_command {
    const char *name, *usage, *summary, *help;
    const tool_option *options; /* beside --help */
    unsigned noptions;
    tool_status (*run)(tool_args *a);
} tool_command;

struct tool_args {
    const tool_command *cmd;
    int argc;
    char **argv;
    const char *value;  /* of the option at hand */
    bz_dtype autocast;  /* of the source */
    BZ_VEC(const char *) loads; /* shared objects with ops that the source calls */
    tool_status status; /* when tool_next gives TOOL_STOP */
};

enum { TOOL_END = -1, TOOL_STOP = -2 };

/* The number of the next option in cmd->options (its argument in a->value), TOOL_END behind the last, TOOL_STOP after --help or
 * a mistake: the command returns a->status then. */
int tool_next(tool_args *a);
/* The next argument that is no option, NULL behind the last. After TOOL_END. */
const char *tool_operand(tool_args *a);
/* The one FILE operand; NULL with a usage error in a->status when it is missing or followed by others. */
const char *tool_file(tool_args *a);
/* "braze run: text" and a hint at --help on stderr; gives TOOL_USAGE. */
tool_status tool_usage(tool_args *a, const char *fmt, ...) BZ_PRINTF(2, 3);
/* a->value as a number in lo .. hi; false with a usage error in a->status. */
bool tool_number(tool_args *a, const char *option, int64_t lo, int64_t hi, int64_t *out);
/* a->value as a list of some of `words` (NULL-terminated), each once, with commas between; false with a usage error in a->status. */
bool tool_list(tool_args *a, const char *option, const char *const *words, unsigned *out,
               unsigned *n);
/* a->value as one of `words` (NULL-terminated); false with a usage error in a->status. */
bool tool_choice(tool_args *a, const char *option, const char *const *words, int *out);
bool tool_is_environment(bz_status s); /* what the machine lacks, not what the user wrote */
/* "braze: error: text" on stderr; the status that fits: the environment's failures, or the user's mistake. */
tool_status tool_error(const bz_error *e);

/* ---- source.c */

typedef struct tool_source {
    const char *name; /* for messages */
    char *text;
    size_t n;
    bz_dtype autocast; /* as in ir_reading */
    const char *const *loads; /* the command line's */
    unsigned nloads;
    ir_module *m;
    ir_graph *g; /* graph 0 */
    BZ_VEC(ir_size) sizes; /* of symbols, as tool_resize was told */
    bz_arena names;
} tool_source;

/* The source's text with these sizes for symbols. NULL and an error. */
ir_module *tool_parse(const tool_source *s, const ir_size *sizes, unsigned n, bz_error *e);
/* Parses once more with these sizes for symbols; reports what is wrong with them. */
tool_status tool_resize(tool_source *s, const ir_size *sizes, unsigned n);
#define TOOL_AUTOCAST_OPTION                                                                       \
    { "autocast", "bf16|f16", "mixed precision: calls run as in a region of bz_autocast_begin" }
#define TOOL_LOAD_OPTION                                                                           \
    { "load", "FILE.so", "ops of C functions that the program calls (docs/custom.md; once for each)" }
bool tool_load_option(tool_args *a); /* as tool_autocast_option */
bool tool_autocast_option(tool_args *a); /* sets a->autocast; false with a->status set */
/* Reads and parses; on failure reports it and leaves nothing to close. "-" is standard input. */
tool_status tool_open(tool_source *s, const char *path, const tool_args *a);
void tool_close(tool_source *s);
/* What most commands do: opens the one FILE operand, does `body` with it, closes it. After TOOL_END. */
typedef tool_status tool_body(tool_source *s, void *job);
tool_status tool_with_file(tool_args *a, tool_body *body, void *job);
/* Reports an error about the graph; with its line and a caret when the message ends in a line of this source. */
tool_status tool_source_error(const tool_source *s, const bz_error *e);
/* The same for an error about an input; without a line in its message, where the input is declared. */
tool_status tool_input_error(const tool_source *s, const char *name, const bz_error *e);
/* Number of the input called name[0..n), -1 = none. */
int tool_find_input(const ir_graph *g, const char *name, size_t n);
/* g as text, with the other graphs of the file, which it may call. */
void tool_print_program(bz_text *t, const tool_source *s, const ir_graph *g);
/* Writes t to standard output. */
tool_status tool_write(const bz_text *t);

/* ---- engine.c */

/* Options that all commands with a machine share. */
typedef struct tool_machine {
    bz_options options;
    bool eager;
} tool_machine;

#define TOOL_MACHINE_OPTIONS                                                                       \
    {"device", "cpu|ref|null|cuda",                                                                \
     "where to run: machine code, the reference interpreter, nowhere (results are zeros), a GPU"}, \
        {"mode", "compiled|eager", "eager: one kernel for each op"},                               \
        {"threads", "N", "threads to use"}, TOOL_NUMERICS_OPTION, {                                \
        "isa", "avx512|avx2|base", "instruction set to use"                                        \
    }
#define TOOL_NUMERICS_OPTION                                                                       \
    { "numerics", "strict|fast", "fast: on a GPU the liberties of docs/fast.md" }
enum { TOOL_DEVICE, TOOL_MODE, TOOL_THREADS, TOOL_NUMERICS, TOOL_ISA, TOOL_MACHINE_END };
/* Reads option `number` (TOOL_DEVICE ...); false with a usage error in a->status. */
bool tool_machine_option(tool_args *a, int number, tool_machine *m);
bool tool_numerics_option(tool_args *a, bz_numerics *out); /* the same for this one alone */

typedef struct tool_engine {
    bz_context *c; /* NULL for the interpreter */
    const ir_graph *g;
    rt_program *program;
    const ir_value_array *inputs; /* the interpreter's: the caller's */
    rt_buffer **in, **out;
    ir_bits *bits;
    ir_value_array *results; /* one per output after a run */
    rt_bytes *bytes;         /* of a device: where their data is */
    uint64_t compile_ns;
} tool_engine;

/* What the passes are told about the machine. */
bz_status tool_target(const tool_machine *m, pass_target *t, bz_error *e);

/* Compiles g and copies the inputs (one per input of g; the interpreter works on the caller's). On failure nothing is left to close. */
bz_status tool_engine_open(tool_engine *x, const tool_machine *m, const ir_graph *g,
                           const ir_value_array *inputs, bz_error *e);
/* Runs once; *ns: how long it took. Results of the run before are gone. Donated inputs hold the new values then. */
bz_status tool_engine_run(tool_engine *x, uint64_t *ns, bz_error *e);
void tool_engine_close(tool_engine *x);
/* Sorts n times and gives the middle one, 0 of none. */
double tool_median(uint64_t *ns, size_t n);

/* ---- inputs.c */

typedef struct tool_files {
    BZ_VEC(const char *) given; /* "NAME=FILE.npy", "NAME=FILE.npz:ARRAY", "NAME=NUMBER" */
    BZ_VEC(const char *) dims;  /* "NAME=SIZE" */
    bool invent;                /* make up what neither a file nor the program gives */
} tool_files;

/* One value per input of the source's graph, in values[] (data: bz_mem_free). Symbols get the sizes of f->dims and of the files: the
 * program is parsed again with them. Reports what is wrong. */
tool_status tool_inputs(tool_source *s, const tool_files *f, const tool_machine *m,
                        ir_value_array *values);
/* Gives the symbols of the source's graph the sizes that f->dims and the files say; no values are kept. Reports what is wrong. */
tool_status tool_sizes(tool_source *s, const tool_files *f);
#define TOOL_DIM_OPTION                                                                            \
    { "dim", "NAME=SIZE", "the size of a symbol (once for each)" }
/* a->value as one of these; false with a->status set. */
bool tool_dim_option(tool_args *a, tool_files *f);
void tool_values_free(ir_value_array *values, uint32_t n);
bool tool_is_npz(const char *path); /* by its name */

/* ---- dirs.c */
typedef struct tool_dirs {
    BZ_VEC(char *) made; /* that were not there before, outer ones first */
    bz_arena names;
} tool_dirs;

/* Makes the directories on the way to what follows the last slash, as far as they are not there. */
void tool_dirs_for(tool_dirs *d, const char *path, bz_error *e);
void tool_dirs_done(tool_dirs *d, bool keep); /* or those that were made go again */

/* ---- outputs.c */

typedef struct tool_outs {
    const char *all;           /* a directory, or FILE.npz; NULL: none */
    BZ_VEC(const char *) each; /* "NAME=FILE.npy" */
} tool_outs;

/* a->value as one of these; false with a->status set. */
bool tool_out_option(tool_args *a, tool_outs *o);
/* Before the run: each --out NAME=FILE names an output and a file, once; in a directory names are files' names. */
bz_status tool_outs_check(const tool_outs *o, const ir_graph *g, bz_error *e);
/* Adds where output `name` goes to an empty text; false: nowhere, it is to be printed. */
bool tool_out_path(const tool_outs *o, const char *name, bz_text *path);
/* All or none: where one cannot be written there are no new files nor directories, and old ones are as they were. */
bz_status tool_outs_write(const tool_outs *o, const ir_graph *g, const ir_value_array *results,
                          bz_error *e);
void tool_outs_free(tool_outs *o);

/* ---- cmd_*.c */
extern const tool_command tool_run, tool_opt, tool_grad, tool_explain, tool_export, tool_bench,
    tool_ops, tool_cache, tool_kreport;

#endif
