/* irtest.h - what tests of the tensor graph share: texts run in the reference interpreter, files of
 * the source tree. */
#ifndef BRAZE_TESTS_IRTEST_H
#define BRAZE_TESTS_IRTEST_H

#include "src/ir/ir.h"

/* A module from its text; the test fails with the parser's message when it does not parse. */
ir_module *irt_parse(const char *text);
ir_module *irt_parse_as(const char *text, const ir_reading *as);
/* Output k of the text's first graph as f64 values (bz_mem_free), *n of them. Inputs: NULL when the
 * graph has none. */
double *irt_run(const char *text, const ir_value_array *inputs, unsigned k, int64_t *n);
/* Appends text, with values[i] for each @ and the i-th letter of names. */
void irt_fill(bz_text *t, const char *text, const char *names, const int *values);
/* The one number that "graph main() { <lines> return %r }" gives. */
double irt_eval(const char *lines);
/* Runs the first graph; the test fails when the interpreter does. Outputs: irt_free. */
void irt_run_module(const ir_module *m, const ir_value_array *inputs, ir_value_array *out);
double irt_get(const ir_value_array *a, int64_t i);
void irt_free(ir_value_array *a, unsigned n);
ir_value_array irt_array(bz_dtype t, unsigned rank,
                         const int64_t *shape); /* zeroed data (bz_mem_free) */
void irt_set(ir_value_array *a, int64_t i, double v);
int64_t irt_numel(const ir_value_array *a);
/* Deterministic numbers: uniform in [-1, 1). */
double irt_random(uint64_t *state);
char *irt_read(const char *path,
               size_t *n); /* of the source tree; NULL when it is not there; NUL-terminated */

#endif
