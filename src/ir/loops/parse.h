/* parse.h - the parser's state, shared by parse.c (modules, kernels, regions) and parse_inst.c.
 * Private to this room. */
#ifndef BRAZE_LOOP_PARSE_H
#define BRAZE_LOOP_PARSE_H

#include "src/ir/loops/scan.h"

enum { LP_NAME_BUCKETS = 512 };

typedef struct lp_name {
    lp_token t;
    lp_val v;
    uint32_t next; /* number + 1 */
} lp_name;

/* An operand that was read: a value, or a literal whose dtype its neighbours give. */
typedef struct lp_operand {
    lp_val v;
    lp_token literal; /* NUMBER, or END: there is none */
} lp_operand;

typedef struct lp_open {
    lp_val opener;
    bool in_else;
} lp_open;

typedef struct lp_parser {
    lp_scan s;
    lp_module *m;
    lp_kernel *k; /* the one being read */
    BZ_VEC(lp_name) names;
    BZ_VEC(lp_operand) args;
    BZ_VEC(lp_val) vals;
    BZ_VEC(lp_open) open;
    uint32_t bucket[LP_NAME_BUCKETS];
} lp_parser;

/* The value called `t`, 0 when there is none. */
lp_val lp_parse_find(const lp_parser *p, lp_token t);
bool lp_parse_define(lp_parser *p, lp_token t, lp_val v);
/* Reads one instruction (not a closing brace). */
void lp_parse_inst(lp_parser *p);
bz_dtype lp_parse_dtype(lp_parser *p);
lp_val lp_parse_push(lp_parser *p, lp_inst i, const lp_val *args, unsigned n,
                     const uint32_t *extra);

#endif
