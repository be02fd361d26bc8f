/* rule_text.h - expressions over tensor ops in tables (derivatives, algebraic rules), evaluated by building nodes. */
#ifndef BRAZE_RULE_TEXT_H
#define BRAZE_RULE_TEXT_H

#include "src/ir/ir.h"

/* The names an expression may use: one letter each; names[k] stands for value[k]. Literals take the dtype of `like`. */
typedef struct rule_scope {
    const char *names;
    ir_ref value[8];
    ir_ref like;
} rule_scope;

/* Builds the expression in g: infix + - * / < > <= >= ==, unary -, calls of elementwise ops by name, cast_like(a, b). A text that does not
 * parse is our bug. 0 when building failed (the graph has the error). */
ir_ref rule_build(ir_graph *g, const char *text, const rule_scope *s);

#endif
