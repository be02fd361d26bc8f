/* custom.h - ops of your own: C functions that take part in graphs (docs/custom.md).
 *
 *     static int scale(void *user, float by, const float *x, float *y, int64_t n) { ... return 0; }
 *
 *     bz_op_register(c, &(bz_op){BZ_OP("scale", "f32, f32[n] -> f32[n]", scale)});
 *     bz_tensor *y;
 *     bz_op_call(c, "scale", (bz_tensor *[]){bz_scalar(c, 2), x}, 2, &y, 1); */
#ifndef BRAZE_CUSTOM_H
#define BRAZE_CUSTOM_H

#include "braze/compile.h"

/* A function whose prototype the signature says: int f(void *user, operands ..., results ..., sizes ...). An operand without axes comes
 * by value, in C's type of its dtype (f16, bf16: uint16_t, their bits), others as `const T *`, results as `T *`: row-major without gaps.
 * Then an int64_t for each symbol of the signature, in the order of their first use. 0: done; a bz_status, or what bz_op_fail gave,
 * becomes the context's error. It reads and writes these arrays alone, gives the same for the same operands, and makes no call on the
 * context that runs it. It may be called on any thread of the context, and by several at once if calls of it do not depend on each
 * other. It is not called where all results are empty. */
typedef void bz_op_function(void);
#define BZ_OP_FUNCTION(f) ((bz_op_function *)(f))

/* name: letters, digits and _, no other op's. signature: "f32[n,m], f32[m] -> f32[n], i64[n*2]": dtypes with sizes, which are numbers or
 * symbols, for results also sums, products, quotients by a number, min(a, b), max(a, b) of these. A symbol is what the operands say;
 * where they contradict each other, the call is an error. At most 32 operands and results.
 * The gradient is one of two, or there is none (an error that says so):
 *     vjp       a composition, as the backward function of bz_custom_grad: in are operands, results and gradients of results, out the
 *               gradients of operands. Called once when bz_op_call is, with `user`
 *     vjp_op    the name of another op, registered before: operands, results, gradients of the results that are floats -> the gradient
 *               of each operand that is a float
 * symbol, user_symbol: what exports call the function and the object that `user` points to; NULL: `name`, and nothing: the function is
 * handed NULL there. */
typedef struct bz_op {
    const char *name, *signature;
    bz_op_function *fn;
    void *user;
    bz_function *vjp;
    const char *vjp_op, *symbol, *user_symbol;
} bz_op;
/* (bz_op){BZ_OP("scale", "f32, f32[n] -> f32[n]", scale), .user = &state} */
#define BZ_OP(name_, signature_, f)                                                                \
    .name = (name_), .signature = (signature_), .fn = BZ_OP_FUNCTION(f)

/* Makes an op known to c; all is copied but what `user` points to. Errors: BZ_EARG (a name that is none or taken, no function, a gradient
 * that does not fit), BZ_EPARSE (the signature), BZ_ENOMEM. */
BZ_API bz_status bz_op_register_at(bz_context *c, const bz_op *op, const char *site);
#define bz_op_register(...) bz_op_register_at(__VA_ARGS__, BZ_SITE)

/* out[0 .. nout-1] = op(in[0 .. nin-1]), new handles of the current scope, poisoned on an error. Operands have just the dtypes of the
 * signature, but numbers (bz_scalar) take them. Errors: BZ_EARG (no such op, another number of operands or results), BZ_EDTYPE,
 * BZ_ESHAPE, with operands and signature; at the evaluation what the function gives. */
BZ_API bz_status bz_op_call_at(bz_context *c, const char *name, bz_tensor *const *in, int nin,
                               bz_tensor **out, int nout, const char *site);
#define bz_op_call(...) bz_op_call_at(__VA_ARGS__, BZ_SITE)

/* A shared object with ops: it defines `bz_status bz_ops(bz_op_add *add, void *to)`, which gives each to add(to, &op) and passes on a
 * status. It needs no symbol of braze's for that. */
typedef bz_status bz_op_add(void *to, const bz_op *op);
typedef bz_status bz_op_entry(bz_op_add *add, void *to);

/* Loads one and registers its ops; it stays loaded. path: a file, or with no / in it a name that the loader looks for. Errors: BZ_EIO
 * (no such file, or the loader refuses it), BZ_EFORMAT (no bz_ops in it), those of bz_op_register and of bz_ops. */
BZ_API bz_status bz_op_load_at(bz_context *c, const char *path, const char *site);
#define bz_op_load(...) bz_op_load_at(__VA_ARGS__, BZ_SITE)

/* For functions of ops: gives a status that carries a text, as printf makes it, which the error of the context has behind the op's
 * name. */
BZ_API int bz_op_fail(bz_status s, const char *fmt, ...)
#ifdef __GNUC__
    __attribute__((format(printf, 2, 3)))
#endif
    ;

#endif
