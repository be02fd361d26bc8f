/* text_parse.h - the parser from inside: its state, its tokens, the names of a graph. */
#ifndef BRAZE_IR_TEXT_PARSE_H
#define BRAZE_IR_TEXT_PARSE_H

#include "src/ir/text.h"

/* BZ_DTYPES(DTYPE_NAME): all dtypes as a message lists them */
#define DTYPE_NAME(e, name, bytes, kind, bits) " " #name

typedef enum tp_state { UNREAD, READING, READ } tp_state;

typedef struct tp_body {
    const char *name;
    uint32_t tok; /* of the name */
    tp_state state;
} tp_body;

struct tx_parser {
    const char *text, *file;
    tx_tokens tok;
    uint32_t at;
    bz_error *e;
    ir_module *m;
    BZ_VEC(tp_body) bodies; /* as m->graphs */
    bz_arena names, line;
    unsigned depth;
    ir_reading as;
    uint32_t seen; /* a place in the text up to which lines are counted, and that line */
    int seen_line;
};

typedef struct tp_named {
    const char *name;
    ir_ref r;
} tp_named;

/* Names of one graph's values: open addressing, slots hold 1 + index in names. */
typedef struct tp_scope {
    ir_graph *g;
    uint32_t *slots, nslots;
    BZ_VEC(tp_named) names;
} tp_scope;

/* ---- parse_token.c. What is not there is an error "expected ..."; all give false (NULL) then. */
bool tp_no_memory(tx_parser *p);
/* The error of a graph's constructor becomes ours, at this token. */
bool tp_graph_error(tx_parser *p, const ir_graph *g, uint32_t tok);
const tx_token *tp_peek(const tx_parser *p);
bool tp_at(const tx_parser *p, char c);
bool tp_accept(tx_parser *p, char c);
bool tp_is(const tx_parser *p, uint32_t tok, const char *word);
bool tp_accept_word(tx_parser *p, const char *s);
bool tp_expected(tx_parser *p, const char *what);
bool tp_want(tx_parser *p, char c);
int tp_hex_digit(char c); /* -1: none */
const char *tp_keep(tx_parser *p, const char *s,
                    size_t n); /* a copy that lives as long as the parser */
const char *tp_text(tx_parser *p,
                    uint32_t tok); /* of a word, string or value, without quotes and % */
const char *tp_name(tx_parser *p, const char *what); /* a word or string */
const char *tp_key(tx_parser *p, uint32_t tok);      /* the name of a value as a scope knows it */
bool tp_bind(tx_parser *p, tp_scope *s, uint32_t tok, const char *key, ir_ref r);
ir_ref tp_look_up(tx_parser *p, tp_scope *s, uint32_t tok);

/* ---- parse_value.c */
bool tp_value(tx_parser *p, tx_val *v);
bool tp_primary(tx_parser *p, tx_val *v); /* without operators */

/* ---- parse_input.c */
bool tp_type(tx_parser *p, bz_dtype *t, ir_dim dims[IR_MAX_RANK], unsigned *rank);
/* The size that is given for a symbol, NULL: none. */
const ir_size *tp_size(const tx_parser *p, const char *symbol);
bool tp_input(tx_parser *p, tp_scope *s, ir_ref *out); /* *out untouched for a symbol */
bool tp_inputs(tx_parser *p, tp_scope *s);

#endif
