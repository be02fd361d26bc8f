/* artefact.h - exported graphs in a test: a directory to write to, the object loaded into this
 * process, a call with the values of a graph. */
#ifndef BRAZE_TEST_ARTEFACT_H
#define BRAZE_TEST_ARTEFACT_H

#include "runtime/export/export.h"
#include "runtime/exec/objload.h"

typedef struct artefact {
    char dir[64], prefix[96]; /* files: prefix.o, prefix.h */
    const ir_graph *g; /* of a function that is told a size: that of size n */
    int64_t n;
    ex_fields fields;
    rt_code *code;
    rt_object *object;
    int (*call)(const void *args);
    size_t (*workspace)(int64_t n); /* n: of a function that is told a size */
    const char *(*error)(int status);
} artefact;

/* A fresh directory's name in `dir`; the test fails when there is none. */
void temp_dir(char dir[64]);
void remove_dir(const char *dir); /* with the files in it */
/* Names in a directory, sorted, with a blank behind each (free). */
char *list_dir(const char *dir);
/* A file's bytes, 0-terminated (free); NULL: not there. */
char *read_file(const char *path, size_t *n);

/* With BRAZE_TEST_FAR=cuda exports are for GPUs, whatever ISAs are asked for, and run on the host's arrays. */
bool artefact_far(void);
/* Exports `g` as function "step" for n ISAs and loads it. The test fails when that fails. */
artefact artefact_new(const ir_graph *g, const cg_isa *isas, unsigned n);
artefact artefact_of(const ex_function *f, const cg_isa *isas, unsigned n); /* called "step" too */
/* The object at a->prefix, exported as "step". */
void artefact_load(artefact *a);
void artefact_free(artefact *a);

/* Memory for a call: a copy of `in` (donated inputs change in it), outputs. workspace: NULL, or so
 * many bytes of the caller's. Gives the status; outputs in out[] with data to free (bz_mem_free). */
int artefact_run(const artefact *a, const ir_value_array *in, void *workspace, size_t bytes,
                 ir_value_array *out);

#endif
