/* external.h - ops whose values a C function computes (docs/custom.md).
 *
 *     "f32[n,m], f32[m] -> f32[n*2]"     int f(void *user, const float *x, const float *y, float *r, int64_t n, int64_t m)
 *
 * A module knows them by number, which is the attribute of `external` nodes. An operand without axes is handed over by value, other
 * operands and all results as row-major arrays; behind them come the symbols, in the order of their first use. The function gives 0,
 * or a status. */
#ifndef BRAZE_IR_EXTERNAL_H
#define BRAZE_IR_EXTERNAL_H

#include "src/ir/ir.h"

enum { IR_EXTERNAL_MOST = 32 /* operands and results; symbols */ };

typedef void ir_external_fn(void);
/* Share of operand k of node r under the gradients d of its results, 0 = none arrived, as grad_NAME of src/passes. */
typedef ir_ref ir_external_grad(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d);

/* One step of a size in postfix order: 'c' a number, 's' a symbol, + - * /, 'm' min, 'M' max. */
typedef struct ir_size_step {
    char op;
    int64_t value;
} ir_size_step;

typedef struct ir_size_of {
    ir_size_step *steps;
    unsigned n;
} ir_size_of;

typedef struct ir_slot {
    bz_dtype dtype;
    unsigned rank;
    ir_size_of *size; /* of each axis */
    ir_dim *now;      /* room for the sizes of one node */
} ir_slot;

typedef struct ir_external {
    const char *name, *signature;
    ir_external_fn *fn;
    void *user;
    ir_external_grad *grad; /* NULL: none */
    uint32_t vjp;           /* number of the op that computes the gradients, plus 1; 0: none */
    /* a composition of the user's, known to who registered it; NULL: none */
    ir_external_fn *vjp_function;
    const char *symbol;     /* of the function in exports; NULL: it can't be exported */
    const char *user_symbol; /* of what `user` points to there; NULL: NULL is handed over */
    unsigned nin, nout, nsyms;
    ir_slot *slot; /* operands, then results */
    const char **sym;
    unsigned *sym_slot, *sym_axis; /* the operand and its axis that say what each symbol is */
} ir_external;

typedef struct ir_externals {
    bz_arena memory;
    BZ_VEC(ir_external) op;
} ir_externals;
void ir_externals_free(ir_externals *x);

/* Adds an op: its name and signature, and what is said beside them. Its number, or -1 and an error: a signature that does not parse, a
 * name that is taken or none, memory. */
int64_t ir_external_add(ir_module *m, const ir_external *what, bz_error *e);
/* The number of an op that was added, or that the library has and is added now; -1: there is none. */
int64_t ir_external_find(ir_module *m, const char *name);
void ir_external_drop_last(ir_module *m);
const ir_external *ir_external_at(const ir_module *m, int64_t number);
/* The op of an external node. */
const ir_external *ir_external_of(const ir_graph *g, ir_ref r);
/* Have the operands the dtypes and sizes of the signature? false: no, and why not. */
bool ir_external_fits(const ir_graph *g, const ir_external *x, const ir_ref *in, bz_error *e);
/* The tuple of its results. x: n operands, exactly of the dtypes and sizes that the signature wants, but that numbers without axes are
 * cast. 0 and an error that names the op and the operand. */
ir_ref ir_external_call(ir_graph *g, int64_t number, const ir_ref *x, unsigned n);
/* What the symbols are at a node whose operands have shapes shape[k][axis]. */
void ir_external_sizes(const ir_external *x, const int64_t *const *shape, int64_t *sizes);
/* "int f(void *user, const float *x0, float *r0, int64_t n)" */
void ir_external_prototype(bz_text *t, const ir_external *x, const char *name);
/* What a message calls node r: its op, of an external its own name. */
const char *ir_name_of(const ir_graph *g, ir_ref r);

/* ---- what a function said beside its status: kept for whoever reports it. A status with the number of such a text in its upper bits. */
int ir_external_said(bz_status s, const char *text);
/* A function's result as an error "[name] ... at site"; site NULL: not known. */
bz_status ir_external_failed(const char *name, const char *site, int64_t status, bz_error *e);

/* ---- ffi.c: calls by libffi, which is opened when it is first wanted */
/* Calls the function; in: the operands' arrays, out: those of the results. *status: what it gave. BZ_EUNSUPPORTED: no libffi. */
bz_status ir_external_run(const ir_external *x, const void *const *in, void *const *out,
                          const int64_t *sizes, int *status, bz_error *e);
/* Calls f on n pointers and `lengths` words that are 1, as Fortran's routines take them; what it gives is not looked at. */
bz_status ir_ffi_fortran(ir_external_fn *f, void *const *arg, unsigned n, unsigned lengths,
                         bz_error *e);
bool ir_ffi_there(bz_error *e);

#endif
