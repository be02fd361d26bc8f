/* scan.h - the words of the text form of kernel loops. Private to this room. */
#ifndef BRAZE_LOOP_SCAN_H
#define BRAZE_LOOP_SCAN_H

#include "src/ir/loops/facts.h"

typedef enum lp_token_kind { TOK_END, TOK_WORD, TOK_VALUE, TOK_NUMBER, TOK_PUNCT } lp_token_kind;

typedef struct lp_token {
    lp_token_kind kind;
    const char *s; /* VALUE: after the % */
    uint32_t n;
} lp_token;

/* After an error every token is TOK_END, so that callers need not look after each step. */
typedef struct lp_scan {
    const char *text, *at, *end;
    lp_token tok; /* the one that comes next */
    bz_error *e;
    bz_status status;
} lp_scan;

void lp_scan_start(lp_scan *s, const char *text, size_t n, bz_error *e);
void lp_scan_next(lp_scan *s);
/* Records an error at the token `at`. */
void lp_scan_fail(lp_scan *s, lp_token at, const char *fmt, ...) BZ_PRINTF(3, 4);
void lp_scan_no_memory(lp_scan *s);
bool lp_scan_is(const lp_scan *s, const char *text); /* the next token reads so */
bool lp_scan_accept(lp_scan *s, const char *text);   /* and is taken */
bool lp_scan_expect(lp_scan *s, const char *text);   /* or is an error */
lp_token lp_scan_word(lp_scan *s, const char *what); /* takes a word or fails */
int64_t lp_scan_number(lp_scan *s, int64_t lo,
                       int64_t hi); /* takes a whole number in range or fails */
/* `t` as a value of dtype d: whole numbers in its range, floats rounded to nearest. */
ir_bits lp_scan_literal(lp_scan *s, lp_token t, bz_dtype d);
bool lp_token_eq(lp_token t, const char *text);

#endif
