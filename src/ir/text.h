/* text.h - the text form from inside: tokens, parsed lines, the table of builders.
 * docs/ir.md has the grammar.
 *
 *     text --lex.c--> tokens --parse*.c--> tx_line --> text_node.c   with a type: the node as it is
 *                                                  \-> builders.c    without: a call, expanded
 *     graph --print.c, text_node.c--> text                           every node with its type */
#ifndef BRAZE_IR_TEXT_H
#define BRAZE_IR_TEXT_H

#include "src/ir/ir.h"

/* ---- lex.c */
typedef enum tx_kind { TX_END, TX_WORD, TX_VALUE, TX_NUMBER, TX_STRING, TX_PUNCT } tx_kind;

typedef struct tx_token {
    uint8_t kind;
    char punct;
    bool newline; /* first on its line */
    uint32_t at, n;
} tx_token;
typedef BZ_VEC(tx_token) tx_tokens;

enum {
    TX_MAX_TEXT = 1 << 28,
    TX_MAX_GRAPHS = 1 << 12,
    TX_MAX_DEPTH = 32 /* of lists, sums in dimensions, graphs in graphs */
};

/* The whole text as tokens, TX_END last. false and an error with its place when a byte or a string
 * is wrong. */
bool tx_lex(const char *text, size_t n, tx_tokens *out, bz_error *e);
/* Line and column (from 1) of a place in the text, into *e. */
void tx_place(bz_error *e, const char *text, size_t at);
bool tx_is_word(const char *s); /* may it be written without quotes? */

/* ---- parse.c */
typedef enum tx_val_kind {
    TX_V_FLAG,
    TX_V_INT,
    TX_V_FLOAT,
    TX_V_HUGE, /* an integer that i64 does not hold */
    TX_V_BOOL,
    TX_V_BITS,
    TX_V_WORD,
    TX_V_STRING,
    TX_V_LIST,
    TX_V_DIM
} tx_val_kind;

typedef struct tx_val {
    uint8_t kind;
    bool wrapped; /* INT: written in hexadecimal, and above INT64_MAX */
    uint32_t tok; /* where it stands */
    union {
        int64_t i;     /* INT, BOOL, BITS */
        double f;      /* FLOAT */
        struct {
            double f;
            uint64_t whole; /* 0: u64 does not hold it either */
        } huge;             /* HUGE; f as above */
        const char *s; /* WORD, STRING */
        ir_dim dim;    /* DIM: a sum over symbols */
        struct {
            const struct tx_val *p;
            uint32_t n;
        } list;
    } u;
} tx_val;

typedef struct tx_attr {
    const char *name;
    uint32_t tok;
    bool used;
    tx_val v;
} tx_attr;

typedef struct tx_name {
    const char *name;
    uint32_t tok;
} tx_name;

/* A number among the operands of a line: which one it is. */
typedef struct tx_operand_number {
    uint32_t operand;
    tx_val v;
} tx_operand_number;

/* One line `%a, %b = op operands {attributes} : type @ "site"`. */
typedef struct tx_line {
    BZ_VEC(tx_name) results;
    const char *op;
    uint32_t op_tok;
    BZ_VEC(ir_ref) operands; /* 0 where a number stands, until it has its dtype */
    BZ_VEC(tx_operand_number) numbers;
    BZ_VEC(tx_attr) attrs;
    bool typed, tuple;
    bz_dtype dtype;
    unsigned rank;
    uint32_t type_tok;
    ir_dim dims[IR_MAX_RANK];
} tx_line;

typedef struct tx_parser tx_parser;

/* Records an error at a token; always false. */
bool tx_fail(tx_parser *p, uint32_t tok, bz_status s, const char *fmt, ...) BZ_PRINTF(4, 5);
void *tx_alloc(tx_parser *p,
               size_t n); /* lives as long as the line; NULL and an error when out of memory */
bool tx_failed(const tx_parser *p);
tx_attr *tx_find(tx_line *l, const char *name); /* and marks it used; NULL if it is not given */
/* Values as what the reader of an attribute wants; false and an error for anything else. */
bool tx_int(tx_parser *p, const tx_val *v, int64_t *out);
bool tx_float(tx_parser *p, const tx_val *v, double *out);
bool tx_bits(tx_parser *p, const tx_val *v, bz_dtype t, ir_bits *out);
bool tx_number(tx_parser *p, const tx_val *v, ir_number *out); /* as it is written */
/* The bits of a number in dtype t: integers wrap as a cast does; one that i64 does not hold is an error unless t is a float. */
bool tx_number_bits(tx_parser *p, const tx_val *v, bz_dtype t, ir_bits *out);
/* Makes the numbers among the operands of a line of `op` 0-d constants, all, or operand k alone beside `beside`. */
bool tx_numbers(tx_parser *p, ir_graph *g, tx_line *l, ir_op op);
bool tx_number_beside(tx_parser *p, ir_graph *g, tx_line *l, ir_op op, tx_operand_number *n,
                      bz_dtype beside);
bool tx_dim(tx_parser *p, const tx_val *v, ir_dim *out);
bool tx_dtype(tx_parser *p, const tx_val *v, bz_dtype *out);
int64_t tx_external(tx_parser *p, const char *name); /* number of the op of a C function; -1: none */
bool tx_graph(tx_parser *p, const tx_val *v,
              int64_t *number); /* parses that graph first if need be */
/* A list, or a single value as a list of one. */
const tx_val *tx_list(const tx_val *v, uint32_t *n);
/* A number of dtype t, so that reading it gives the same bits. */
void tx_print_bits(bz_text *t, bz_dtype type, ir_bits v);
void tx_print_double(bz_text *t, double v);
void tx_print_fill(bz_text *t, const ir_input *in); /* " = randn(seed=1)" */

/* ---- text_node.c: attributes of primitives */
void tx_print_attrs(bz_text *t, const ir_graph *g, ir_ref r);
/* Appends the node as the line says, without inference or folding, and verifies it. */
ir_ref tx_node(tx_parser *p, ir_graph *g, ir_op op, tx_line *l);

/* ---- builders.c */
typedef struct tx_args tx_args;

/* What of a builder is in C: see builders.def. */
typedef enum ir_api {
    IR_API_TEXT, /* nothing */
    IR_API_MADE,
    IR_API_NUMBERS,
    IR_API_VIEW,
    IR_API_DECLARED,
    IR_API_NEW,
    IR_API_DRAWN,
    IR_API_DRAWN_BLOCKS,
    IR_API_OWN
} ir_api;

/* A row of builders.def. In `operands`, `results`: names with blanks between, "w?" may be left out,
 * "x*" any number; "i:i64": a number there stands beside an i64 (none: beside nothing), else beside
 * the other operands. In `attrs`: name:type, or name:type=default; types int (natural: not negative),
 * int64, float, number (a float or an integer), flag, dtype, ints, int64s, counts (int64s, more than axes), dims, graph, text, and those of
 * words.def. */
typedef struct ir_builder {
    const char *name;
    ir_api api;
    const char *operands, *attrs, *results, *doc, *notes;
    ir_ref (*call)(ir_graph *g, tx_args *a);
} ir_builder;
extern const ir_builder ir_builders[];
extern const unsigned ir_builder_count;
const ir_builder *ir_builder_find(const char *name); /* NULL: none */
/* Word k of a type of words.def, whose name has n characters; NULL: there are no more, or it is no such type. */
const char *ir_word(const char *type, size_t n, unsigned k);
/* The next word of *s, its length in *n; NULL at the end. */
const char *tx_next_word(const char **s, size_t *n);
/* "a, b"; "{axis: int = -1, ...}"; "values, indices = sort x {axis: int = -1, ...}" of the columns of a row. */
void tx_print_words(bz_text *t, const char *words);
void tx_print_attributes(bz_text *t, const char *attrs);
void tx_print_signature(bz_text *t, const char *name, const char *operands, const char *attrs,
                        const char *results);

enum { TX_MAX_RESULTS = 4 };
/* Calls a builder or an elementwise op by name; results in *out, of the graph's arena, their number or 0 when it failed.
 * A cond or while gives its tuple in (*out)[0] and *tuple = true. */
unsigned tx_call(tx_parser *p, ir_graph *g, tx_line *l, const ir_ref **out, bool *tuple);
/* The op or builder whose name is nearest to `name`, or NULL. */
const char *ir_nearest_name(const char *name);
/* Of these words: the one that may be meant, or NULL. `best` is what was found before, *least its distance (0: nothing yet). */
const char *ir_nearer(const char *name, const char *word, const char *best, unsigned *least);

#endif
