/* compile.h - gradients, evaluation, compiled functions. */
#ifndef BRAZE_COMPILE_H
#define BRAZE_COMPILE_H

#include "braze/api.h"

/* out[i] = d loss / d wrt[i], of wrt[i]'s shape; zeros where loss does not depend on it. loss: 0-d, floating. Gradients are tensors
 * like others: their gradient can be taken. wrt are variables by identity: an equal tensor is another variable, and to a view counts
 * what was made from that view (nothing: its storage's gradient, seen through it). A gradient is complete or BZ_EGRAD
 * (docs/memory.md): call it before bz_eval or whatever else ends the recording (reading a value with bz_item or bz_print does not).
 * Errors: BZ_EGRAD (an op without a rule; a wrt changed in place or donated after loss was computed from it; loss, or a value
 * through which it depends on a wrt, from before the recording; a bz_scalar), BZ_ESHAPE, BZ_EDTYPE. On an error all of out are
 * poisoned. */
BZ_API bz_status bz_grad_at(bz_tensor *loss, bz_tensor *const *wrt, int n, bz_tensor **out,
                            const char *site);
#define bz_grad(...) bz_grad_at(__VA_ARGS__, BZ_SITE)

/* The same for ny results at once, of any shape: out[i] = sum over k of (d y[k] / d wrt[i])^T seed[k], as if the loss were the sum of
 * all y[k] * seed[k] with seeds that are constants. seed[k]: y[k]'s shape and dtype; NULL, or seed NULL: 1, for a y[k] that is 0-d.
 * Seeds may be any tensors, gradients flow to them when out is differentiated again. Errors: as bz_grad; BZ_ESHAPE where a seed does
 * not fit, or a y[k] that is not 0-d has none; BZ_EARG without a y. */
BZ_API bz_status bz_vjp_at(bz_tensor *const *y, bz_tensor *const *seed, int ny,
                           bz_tensor *const *wrt, int n, bz_tensor **out, const char *site);
#define bz_vjp(...) bz_vjp_at(__VA_ARGS__, BZ_SITE)

/* Forward mode: how y moves when wrt do. out[k] = sum over i of (d y[k] / d wrt[i]) tangent[i], of y[k]'s shape and dtype; zeros where
 * y[k] depends on none. tangent[i]: wrt[i]'s shape and dtype; NULL, or tangent NULL: 1, for a wrt[i] that is 0-d. The y are there
 * already: what JAX's and torch.func's jvp give first. Costs about as much as computing y does, however many y there are, and keeps
 * nothing for a way back: of loops too, which need no bound. Tangents are tensors like others: of bz_grad's results it is the product
 * with the Hessian, their gradients are right, and flow to tangent[i] too. Ops have tangents where they have gradients; what a function
 * of bz_custom_grad or bz_custom_op says of gradients counts, and must be linear in the gradient that arrives, but for that it is BZ_EGRAD.
 * Errors: as bz_grad; BZ_ESHAPE where a tangent does not fit, or a wrt[i] that is not 0-d has none; BZ_EARG without a y. */
BZ_API bz_status bz_jvp_at(bz_tensor *const *y, int ny, bz_tensor *const *wrt,
                           bz_tensor *const *tangent, int n, bz_tensor **out, const char *site);
#define bz_jvp(...) bz_jvp_at(__VA_ARGS__, BZ_SITE)

/* Computes the values of n tensors, together. Gives the first error: of this evaluation, or the one that poisoned a handle. Ends the
 * recording so far: what is not yet computed stays valid, gradients through evaluated tensors are no longer possible. */
BZ_API bz_status bz_eval(bz_tensor *const *x, int n);

/* A function of tensors that braze compiles. in: nin operands; it sets out[0 .. nout-1] and gives BZ_OK, or a status to give up. It
 * is called once per signature (dtypes and shapes of in; again if that was forgotten, BZ_LIMIT_PLANS), with tensors that have no value:
 * reading one is BZ_EMODE, and an error that happens in it fails the call whatever it gives. Signatures that differ in sizes share
 * kernels: a new batch size costs a trace and the passes, as a rule no code. C numbers and
 * bz_scalar are constants in it; tensors of the context that it uses are read anew at each call; random numbers are new at each call. */
typedef bz_status bz_function(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                              int nout, void *user);

/* out[0 .. nout-1] = forward(in), with a gradient that backward says. Both are called once, here. backward gets nin + 2 nout operands:
 * in, then out, then the gradients that arrive at out (NULL for what is no float), and sets nin results, the gradients of in: of in[j]'s
 * shape and dtype, or NULL for zero (as for what is no float). It may do with them what it likes, so that it need not be linear. Both see
 * tensors without values, as in bz_compile, and change no tensor from outside; what they make goes, but for their results. What
 * backward records has derivatives again. Tensors from outside are constants to forward: where a gradient is asked for that leads
 * through one, it is BZ_EGRAD (bz_stop_gradient says that it is meant). out: nout >= 1 new handles, poisoned on an error. nin >= 1.
 * Errors: what forward or backward give or meet, BZ_ESHAPE, BZ_EDTYPE (a gradient that does not fit), BZ_EMODE (a value is read), BZ_EARG.
 * Nothing of user is used after the call. */
BZ_API bz_status bz_custom_grad_at(bz_context *c, bz_function *forward, bz_function *backward,
                                   void *user, bz_tensor *const *in, int nin, bz_tensor **out,
                                   int nout, const char *site);
#define bz_custom_grad(...) bz_custom_grad_at(__VA_ARGS__, BZ_SITE)

/* out[0 .. nout-1] = then(in) if pred, a bool[], is true, else otherwise(in): jax.lax.cond, torch.cond. Where values are there, in lazy and
 * eager mode, the host reads pred (a realisation point) and calls the one function, so that all it does is what it would do without
 * bz_cond. In a function that bz_compile traces or bz_custom_grad records both are recorded and the program chooses in each call; then
 * tensors from outside may be used too, and what a function keeps is lost. The functions change nothing but what they make
 * (BZ_EMODE). A gradient leads through the branch that was taken, to in and to what it read. Random numbers begin at the same place in
 * both branches of a program, which moves on by what the one that draws more takes. nin >= 0 tensors, no bz_scalar; out: nout >= 1 new
 * handles, of no other's memory, poisoned on an error. Errors: what the functions give or meet; BZ_ESHAPE, BZ_EDTYPE (recorded branches
 * whose results differ, a pred that is no bool[]), BZ_EARG. Nothing of user is used after the call. */
BZ_API bz_status bz_cond_at(bz_context *c, bz_tensor *pred, bz_function *then,
                            bz_function *otherwise, void *user, bz_tensor *const *in, int nin,
                            bz_tensor **out, int nout, const char *site);
#define bz_cond(...) bz_cond_at(__VA_ARGS__, BZ_SITE)

/* x = in; while test(x), one bool[], is true: x = body(x), nin >= 1 results of x's shapes and dtypes; out = x, nin new handles:
 * jax.lax.while_loop. most: turns after which it ends in any case; 0: none is too many. The functions run as those of bz_cond: here and
 * now, where the host reads the test in each turn, or once, to be recorded. A gradient through a recorded loop keeps what the turns
 * began with and needs a bound (else BZ_EGRAD): memory for `most` turns, by which x's dependence on x and on what body reads from
 * outside is taken. A recorded body cannot draw random numbers (BZ_EMODE; that of bz_for can). Errors: as bz_cond. */
BZ_API bz_status bz_while_at(bz_context *c, bz_function *test, bz_function *body, void *user,
                             int64_t most, bz_tensor *const *in, int nin, bz_tensor **out,
                             const char *site);
#define bz_while(...) bz_while_at(__VA_ARGS__, BZ_SITE)

/* x = in; for i = lo .. hi-1: x = body(i, x); out = x: jax.lax.fori_loop. i: i64[]; body gets nin + 1 operands and sets nin results, of
 * x's shapes and dtypes. As bz_while with most = hi - lo, but that no value is read, and gradients are there. */
BZ_API bz_status bz_for_at(bz_context *c, int64_t lo, int64_t hi, bz_function *body, void *user,
                           bz_tensor *const *in, int nin, bz_tensor **out, const char *site);
#define bz_for(...) bz_for_at(__VA_ARGS__, BZ_SITE)

/* fn of one sample, over all: out[k] is what fn makes of each sample, its results one after another along an axis; JAX's and torch.func's
 * vmap. in_axes[j]: the axis of in[j] along which its samples lie, from the end if it is negative, BZ_SHARED: in[j] goes to all samples
 * as it is; NULL: 0 for all. out_axes[k]: where they lie in out[k]; NULL: 0. fn is called once, here, with tensors without values
 * (reading one is BZ_EMODE) that lack the axis. It may use tensors from outside, and bz_grad: so come gradients of each sample. What is
 * recorded are its ops with an axis more, not a loop: they fuse, and have the bits that each sample has by itself. Of bz_cond both branches
 * are computed; random numbers are the same for all samples; bz_custom_grad says the gradient of each sample. Gradients lead through it.
 * Errors: what fn gives or meets; BZ_EUNSUPPORTED names an op that can't run over samples (bz_while and bz_for whose operands hang on the
 * sample, ops of your own); BZ_EAXIS, BZ_ESHAPE (another number of samples), BZ_EARG, on which out is poisoned. nin, nout >= 1. */
BZ_API bz_status bz_vmap_at(bz_context *c, bz_function *fn, void *user, bz_tensor *const *in,
                            const int *in_axes, int nin, bz_tensor **out, const int *out_axes,
                            int nout, const char *site);
#define bz_vmap(...) bz_vmap_at(__VA_ARGS__, BZ_SITE)
#define BZ_SHARED    INT32_MIN /* no axis: the tensor is every sample's */

typedef struct bz_program bz_program;

/* donate[i] (i < nin; NULL: none): number of the output that is written into input i, of the same dtype and shape, -1 = none. At a
 * call that is an in-place change of the input: in[i] and its views have the new value, out[donate[i]] is another handle on it. fn may
 * change a donated input in place; other inputs, and tensors from outside, it may not (BZ_EMODE). in_names, out_names (NULL, or NULL
 * in a list: none): for explanations, pictures and exports, which write "in0" and "out0" for what has none; no two of a list are equal.
 * lean: captured tensors are packed for products in every call; else they stay packed, beside the tensor, until they change. */
typedef struct bz_compile_options {
    int nin, nout;
    const int *donate;
    const char *const *in_names;
    const char *const *out_names;
    bool lean;
} bz_compile_options;

/* A program for fn. Nothing is traced until the first call. Belongs to c, freed by bz_program_free or with c. NULL and an error
 * (BZ_EARG, BZ_ENOMEM) in c on a mistake. `user` is passed to fn. */
BZ_API bz_program *bz_compile_at(bz_context *c, bz_function *fn, void *user,
                                 const bz_compile_options *o, const char *site);
#define bz_compile(...) bz_compile_at(__VA_ARGS__, BZ_SITE)
/* NULL is fine. BZ_ESCOPE if it is free already, BZ_EMODE while a function of its context is traced. */
BZ_API bz_status bz_program_free(bz_program *p);

/* Runs it; inside a function that is traced it does the same. A donated input is a whole tensor, and no other one (BZ_EARG). A
 * gradient leads through it while the inputs have their values. out: nout new handles of the current scope (poisoned on an error; an
 * entry may not be NULL). */
BZ_API bz_status bz_call(bz_program *p, bz_tensor *const *in, bz_tensor **out);

/* Traces and compiles for this signature without running. */
BZ_API bz_status bz_prepare(bz_program *p, bz_tensor *const *in);

#endif
