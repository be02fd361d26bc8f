/* ir.h - the tensor graph: nodes in one append-only array, hash-consed.
 *
 *     bz_relu(bz_add(bz_matmul(x, w), b))          %1 = input x: f32[128,784] ...
 *                  |  record                       %4 = dot %1 %2 {...}
 *                  v                               %5 = add %4 %b
 *             ir_graph  --passes-->  ir_graph      %6 = relu %5
 *
 * A reference is a 32-bit index and operands have smaller indices: topological order is free, a pass is a `for` loop. To construct
 * a node is infer -> fold -> intern -> append. Nodes live as long as their graph. A constructor that is given a bad argument
 * records the first error in the graph and returns 0; constructors pass 0 on, so calls nest. */
#ifndef BRAZE_IR_H
#define BRAZE_IR_H

#include "src/ir/expr.h"
#include "src/ir/ops.h"

typedef uint32_t ir_ref; /* index of a node; 0 = none */
typedef ir_ex ir_dim;

enum { IR_MAX_RANK = 32, IR_MAX_CONST = 1 << 16 /* elements of a CONST that lists them */ };

typedef struct ir_node {
    uint16_t op;
    uint8_t dtype;
    uint8_t rank;
    uint16_t nin;
    uint8_t flags; /* ir_node_flags */
    uint8_t
        blamed; /* the op whose gradient it is a part of, which messages name; IR_NIL: its own */
    uint32_t shape; /* first of rank dims in ir_graph.dims */
    uint32_t in;    /* first of nin references in ir_graph.operands */
    uint32_t attr;  /* first of nattr numbers in ir_graph.attrs */
    uint32_t nattr;
} ir_node;
_Static_assert(IR_NOPS <= UINT8_MAX, "ir_node.blamed holds any op");

enum ir_node_flags {
    IR_IS_TUPLE = 1, /* several results: only RESULT nodes may use it */
    /* not shared by interning: stands for one tensor, as a variable to differentiate by */
    IR_IS_OWN = 2,
};

/* An input of a graph. `scalar`: a 0-d value handed over with each call (a literal the user passed), not a buffer. */
typedef struct ir_input {
    const char *name; /* unique, owned by the graph */
    ir_ref node;
    bool scalar;
    /* as a rule it has the value that it had at the run before: what a target packs of it may stay (docs/memory.md) */
    bool lasts;
    /* how a file says that the input may be made up: random kind and seed (0 = it must be given) */
    uint8_t fill;
    uint64_t seed;
    ir_number fill_lo, fill_hi;
} ir_input;
enum ir_fill {
    IR_FILL_NONE,
    IR_FILL_RANDN,
    IR_FILL_RAND,
    IR_FILL_RANDINT,
    IR_FILL_VALUE,
    IR_FILL_IOTA
};

typedef struct ir_output {
    const char *name;
    ir_ref node;
    int donated; /* number of the input whose buffer it overwrites, -1 = none */
} ir_output;

typedef struct ir_module ir_module;

typedef struct ir_graph {
    ir_module *m; /* its expressions and the other graphs */
    const char *name;
    BZ_VEC(ir_node) n; /* n.p[0] is IR_NIL */
    BZ_VEC(ir_dim) dims;
    BZ_VEC(ir_ref) operands;
    BZ_VEC(int64_t) attrs;
    BZ_VEC(const char *)
    sites; /* source line of each node ("train.c:31"), or NULL; outside the interning key */
    BZ_VEC(ir_input) inputs;
    BZ_VEC(ir_output) outputs;
    uint32_t *slots, nslots; /* interning: open addressing, 0 = free */
    uint32_t *names, nnames; /* of inputs, to tell whether one is taken */
    ir_ref fresh;            /* nodes before it are found by none that is appended */
    const char *site;        /* given to nodes that are appended from now on */
    const char *op; /* what the user calls, for messages; NULL: the node at fault has the name */
    bz_arena arena;
    bz_error err;
    uint64_t id;      /* no other graph of the module ever has it */
    uint64_t saves;   /* the body of a while which this one is, beside saving what a gradient reads (grad_while.c); 0: none */
    uint32_t applies; /* nodes of it that apply other graphs */
    uint32_t users;   /* nodes that apply it */
    bool passing;     /* in m->graphs for as long as one does */
} ir_graph;

struct ir_module {
    ir_exprs ex;
    BZ_VEC(ir_graph *)
    graphs; /* COND and WHILE name their bodies by index here; graph 0 is the program. NULL: it is gone */
    uint64_t made; /* graphs, ever */
    bool ending;
    struct ir_externals *externals; /* ops of EXTERNAL nodes (external.h); NULL: none yet */
};

static inline const ir_node *ir_at(const ir_graph *g, ir_ref r) {
    return &g->n.p[r];
}
static inline const ir_ref *ir_in(const ir_graph *g, const ir_node *n) {
    return g->operands.p + n->in;
}
static inline const ir_dim *ir_dims(const ir_graph *g, const ir_node *n) {
    return g->dims.p + n->shape;
}
static inline const int64_t *ir_attrs(const ir_graph *g, const ir_node *n) {
    return g->attrs.p + n->attr;
}
static inline ir_ref ir_operand(const ir_graph *g, ir_ref r, unsigned k) {
    return ir_in(g, ir_at(g, r))[k];
}
/* The op that the user called, if r is a part of a gradient. */
static inline ir_op ir_blamed(const ir_graph *g, ir_ref r) {
    return (ir_op)(ir_at(g, r)->blamed ? ir_at(g, r)->blamed : ir_at(g, r)->op);
}
static inline bz_dtype ir_dtype(const ir_graph *g, ir_ref r) {
    return (bz_dtype)ir_at(g, r)->dtype;
}

/* ---- graph.c: modules, graphs, interning */
ir_module *ir_module_new(void); /* no graph yet; NULL when out of memory */
void ir_module_free(ir_module *m);
ir_graph *ir_graph_new(
    ir_module *m,
    const char *name); /* belongs to the module but is not in m->graphs; free with ir_graph_free */
void ir_graph_free(ir_graph *g);
bz_status ir_module_add(ir_module *m, ir_graph *g); /* appends to m->graphs, which owns it then */
/* The same for a graph that COND and WHILE will apply, and that goes with the last graph that does: its number, -1 without memory.
 * ir_module_drop: unless one does already. */
int64_t ir_module_lend(ir_module *m, ir_graph *g);
void ir_module_drop(ir_module *m, int64_t number);
/* What g applies is not held by it any more: its nodes go. */
void ir_graph_let_go(ir_graph *g);

/* The general constructor behind all others: interns unless the op has an effect. Does not infer; callers give dtype and shape. Of most ops on
 * complex operands it makes a node for each part, and gives the `complex` of them (complex.h).
 * `dims`, `in`, `attr` are copied. 0 when out of memory (error recorded) or when g already has an error. */
ir_ref ir_append(ir_graph *g, ir_op op, bz_dtype t, const ir_dim *dims, unsigned rank,
                 const ir_ref *in, unsigned nin, const int64_t *attr, unsigned nattr);
/* r as the node of one tensor, which interning and folding leave alone (IR_IS_OWN), so that a gradient with respect to this tensor
 * is not one with respect to its equals. `before`: nodes when the tensor's builder was called; a node that was there already is
 * repeated, or, where it stands for another tensor, followed by a node that only passes it on. 0 where r is 0 or memory is short. */
ir_ref ir_own(ir_graph *g, ir_ref r, ir_ref before);
/* Records an error that names the op and the current source line: "[dot] text at file:line". Returns 0. */
ir_ref ir_error(ir_graph *g, bz_status s, ir_op op, const char *fmt, ...) BZ_PRINTF(4, 5);
ir_ref ir_error_as(ir_graph *g, bz_status s, const char *name, const char *fmt, ...)
    BZ_PRINTF(4, 5); /* of a composition */

/* Dimensions. A constant dim has a value; numel is false when a dim is symbolic or the product exceeds 2^60. */
ir_dim ir_dim_const(ir_graph *g, int64_t v);
bool ir_dim_value(const ir_graph *g, ir_dim d, int64_t *v);
bool ir_static_shape(const ir_graph *g, ir_ref r,
                     int64_t *shape); /* shape[IR_MAX_RANK]; false if symbolic */
bool ir_numel(const ir_graph *g, ir_ref r, int64_t *n);
bool ir_dims_numel(const ir_graph *g, const ir_dim *dims, unsigned rank, int64_t *n);
bool ir_same_shape(const ir_graph *g, ir_ref a, ir_ref b);
void ir_print_shape(bz_text *t, const ir_graph *g, ir_ref r); /* "f32[2,n*3]" */
const char *ir_shape_text(ir_graph *g, ir_ref r); /* the same, in the graph's arena, for messages */

ir_ref ir_input_new(ir_graph *g, const char *name, bz_dtype t, const ir_dim *dims,
                    unsigned rank); /* name NULL: "inN" */
ir_ref ir_scalar_input(ir_graph *g, const char *name, bz_dtype t);
int ir_input_named(const ir_graph *g, const char *name); /* its number; -1: there is none */
/* Of inputs that came in with names that nobody compared, the first in `order` (numbers of all inputs) keeps a name; the others get
 * a number behind it: x_2, x_3. false: no memory. */
bool ir_inputs_tell_apart(ir_graph *g, const uint32_t *order);
bz_status ir_output_add(ir_graph *g, const char *name, ir_ref r,
                        int donated); /* name NULL: "outN" */

/* ---- structs/: structural constructors: infer, check, fold, append. Axes count from the end when negative; a 0-d operand has the
 * axes 0 and -1, as if it were [1]. Shapes given as int64_t are constants; the _dims forms take expressions. */
int ir_axis_from_front(int axis, unsigned rank); /* 0 .. rank-1; -1 when there is no such axis */
ir_ref ir_const_bits(ir_graph *g, bz_dtype t, ir_bits v, const ir_dim *dims,
                     unsigned rank);                  /* one value everywhere */
/* All elements, row-major, as bits of t: 1 to IR_MAX_CONST of them. */
ir_ref ir_const_list(ir_graph *g, bz_dtype t, const int64_t *bits, const ir_dim *dims,
                     unsigned rank);
ir_ref ir_const_f(ir_graph *g, bz_dtype t, double v); /* 0-d */
ir_ref ir_const_i(ir_graph *g, bz_dtype t, int64_t v);
ir_ref ir_const_like(ir_graph *g, ir_ref x, double v); /* shape and dtype of x */
bool ir_const_value(const ir_graph *g, ir_ref r,
                    ir_bits *v); /* is r one constant value everywhere (through movement too)? */
ir_ref ir_iota(ir_graph *g, bz_dtype t, const ir_dim *dims, unsigned rank, int axis);
/* A complex x is an error unless t is: nothing loses its imaginary part unasked. ir_cast_real (complex.h) is the user's cast. */
ir_ref ir_cast(ir_graph *g, ir_ref x, bz_dtype t);
ir_ref ir_as_index(ir_graph *g, ir_ref x); /* integers as i64; those of u64 above it as its highest, which is in no range */
ir_ref ir_bitcast(ir_graph *g, ir_ref x, bz_dtype t);
ir_ref ir_reshape(ir_graph *g, ir_ref x, const int64_t *shape,
                  unsigned rank); /* one -1 is inferred */
ir_ref ir_reshape_dims(ir_graph *g, ir_ref x, const ir_dim *dims, unsigned rank);
ir_ref ir_permute(ir_graph *g, ir_ref x, const int *perm, unsigned n);
ir_ref ir_expand(ir_graph *g, ir_ref x, const int64_t *shape,
                 unsigned rank); /* NumPy broadcasting to shape: leading axes may be new */
ir_ref ir_expand_dims_like(ir_graph *g, ir_ref x, const ir_dim *dims, unsigned rank);
ir_ref ir_pad(ir_graph *g, ir_ref x, const int64_t *lo, const int64_t *hi,
              ir_bits value); /* lo, hi: a number per axis, >= 0; value of x's dtype */
ir_ref ir_slice(ir_graph *g, ir_ref x, const int64_t *start, const int64_t *stop,
                const int64_t *step); /* Python's, an entry per axis */
/* Elements of Python's slice(start, stop, step) of `size`, step != 0; *start: the first one's place. */
int64_t ir_clip_slice(int64_t size, int64_t *start, int64_t stop, int64_t step);
enum { IR_FLAT = INT32_MIN }; /* no axis: the elements in row-major order */
#define IR_OPEN_START(step) ((step) > 0 ? INT64_MIN : INT64_MAX) /* an end that is left out */
#define IR_OPEN_STOP(step)  ((step) > 0 ? INT64_MAX : INT64_MIN)
ir_ref ir_slice_exact(ir_graph *g, ir_ref x, const int64_t *start, const int64_t *count,
                      const int64_t *step);
ir_ref ir_as_strided(ir_graph *g, ir_ref x, const int64_t *shape, const int64_t *strides,
                     unsigned rank, int64_t offset);
/* A window on elements that lie row-major. */
typedef struct ir_strided {
    unsigned rank;
    const int64_t *shape, *strides;
    int64_t offset;
} ir_strided;
/* ---- structs/update.c: windows that may be moved, and written.
 * `at`, one i64 (0: there is none), is added to the offset of a window, as far as that stays inside: so XLA's dynamic slices. */
ir_ref ir_as_strided_at(ir_graph *g, ir_ref x, const ir_strided *w, ir_ref at);
/* x with the elements of y, of the window's shape and any dtype, in the window. No two places of w may be one: BZ_EARG. */
ir_ref ir_update(ir_graph *g, ir_ref x, ir_ref y, const ir_strided *w, ir_ref at);
/* The same where a slice with these starts and steps, one per axis, and as many elements as y has would look. */
ir_ref ir_update_slice(ir_graph *g, ir_ref x, ir_ref y, const int64_t *start, const int64_t *step,
                       ir_ref at);
/* Of an as_strided or update: what moves its window (0: nothing), from where to where. False: no way is inside. */
ir_ref ir_window_at(const ir_graph *g, ir_ref r);
bool ir_window_room(const ir_graph *g, ir_ref r, int64_t *lo, int64_t *hi);
/* The window of an as_strided or update, its shape in shape[IR_MAX_RANK], its steps along axes of one element 0 in strides[]. */
ir_strided ir_window_of(const ir_graph *g, ir_ref r, int64_t *shape, int64_t *strides);
/* Does it lie in `numel` elements, or if it `moves`: can it? */
bool ir_window_inside(const ir_strided *w, int64_t numel, bool moves);
/* May two indices lead to one place? Steps that are not longer than all that the smaller ones reach count as such. */
bool ir_window_overlaps(const ir_strided *w);
#define IR_WINDOW_OVERLAPS "several elements of the window share one place"
/* window.c: a window as slices, permutations and expansions where the strides allow, else an as_strided. */
ir_ref ir_read_strided(ir_graph *g, ir_ref x, const ir_strided *w);
/* [numel], at each place the sum of the elements of v, which has the window's shape and is not empty, that lie there; 0
 * between them. */
ir_ref ir_put_strided(ir_graph *g, ir_ref v, const ir_strided *w, int64_t numel);
ir_ref ir_concat(ir_graph *g, const ir_ref *x, unsigned n, int axis); /* promotes dtypes */
ir_ref ir_gather(ir_graph *g, ir_ref x, ir_ref index,
                 int axis); /* shape: x's with index's in place of the axis (numpy.take) */
/* Of each line of x along the axis the elements that index names, which has x's axes, none of the others longer: torch.gather. */
ir_ref ir_gather_along(ir_graph *g, ir_ref x, ir_ref index, int axis);
/* The transpose of gather: x's axes axis .. axis + rank of index - 1, which are index's, become one of `size`; row i of x is added to
 * row index[i] of the result, i ascending, from +0. Halves add up in f32 and round once. */
ir_ref ir_scatter_add(ir_graph *g, ir_ref x, ir_ref index, int axis, ir_dim size);
ir_ref ir_sort(ir_graph *g, ir_ref x, int axis, bool descending, ir_ref *indices);
ir_ref ir_copy(ir_graph *g, ir_ref x);
ir_ref ir_result(ir_graph *g, ir_ref tuple, unsigned k);

typedef enum ir_reduce_kind {
    IR_SUM,
    IR_PROD,
    IR_RMAX,
    IR_RMIN,
    IR_ANY,
    IR_ALL,
    IR_ARGMAX,
    IR_ARGMIN,
    IR_NREDUCE
} ir_reduce_kind;
/* Order of the additions (docs/numerics.md), over the reduced axes taken as one row-major index k of K elements:
 * LAST (the last axis is among them): min(128, next power of two) lanes, blocks of 4096, halving tree over the lanes, pairwise over
 * the blocks. LEAD: chains of 128, pairwise above. DOT: an fma chain in blocks of 512, block sums added in order. */
typedef enum ir_order { IR_ORDER_LAST = 1, IR_ORDER_LEAD, IR_ORDER_DOT } ir_order;
enum { IR_LANES = 128, IR_BLOCK = 4096, IR_CHAIN = 128, IR_DOT_BLOCK = 512 };

typedef struct ir_reduce_attr {
    ir_reduce_kind kind;
    bz_dtype acc; /* dtype of the accumulator */
    ir_order order;
    unsigned naxes;
    const int64_t *axes; /* ascending */
} ir_reduce_attr;
ir_reduce_attr ir_reduce_get(const ir_graph *g, const ir_node *n);
const char *ir_reduce_name(ir_reduce_kind k); /* "sum" ... */
/* axes: n of them (n = 0: all axes, as NULL). Empty max/min/argmax are an error. Result: float keeps its dtype (f16/bf16 accumulate
 * in f32), integer and bool sums and prods give i64, any/all bool, arg* i64 (exactly one axis, or all: of the flattened tensor). */
ir_ref ir_reduce(ir_graph *g, ir_reduce_kind kind, ir_ref x, const int *axes, unsigned n,
                 bool keepdim);

/* How an element is combined with what is there already. */
typedef enum ir_way {
    IR_BY_SUM,
    IR_BY_PROD,
    IR_BY_MAX,
    IR_BY_MIN,
    IR_BY_LOG,  /* log(e^x + e^y) */
    IR_BY_LAST, /* the last one stays */
    IR_NWAYS
} ir_way;
const char *ir_way_name(ir_way w); /* "sum" ... */
ir_op ir_way_op(ir_way w);         /* IR_ADD ...; LAST: IR_NIL */
/* What an element of t is not changed by: -0 for sums. */
ir_bits ir_way_start(ir_way w, bz_dtype t);
/* Each element combined with all before it along the axis (reverse: behind it), in chains of IR_CHAIN (docs/numerics.md). Sums and products of
 * integers and bool are i64, logs f32. */
ir_ref ir_scan(ir_graph *g, ir_way way, ir_ref x, int axis, bool reverse);
/* compose_scan.c: where the running maximum or minimum `best` of x was found last; indices of these, NULL: not wanted. */
ir_ref ir_scan_places(ir_graph *g, ir_ref x, ir_ref best, int axis, bool reverse);
ir_ref ir_cummax(ir_graph *g, ir_ref x, int axis, bool reverse, ir_ref *indices);
ir_ref ir_cummin(ir_graph *g, ir_ref x, int axis, bool reverse, ir_ref *indices);

/* x with y combined into it: row y[i] (its axes `axis` ... are index's) into row index[i], i ascending; along: element by element, index and y having
 * one shape and x's axes. Halves are combined as f32 and rounded once; sums of bool are or. */
ir_ref ir_scatter(ir_graph *g, ir_way way, ir_ref x, ir_ref index, ir_ref y, int axis, bool along);
/* The same along, where y may be longer than index, or one number. */
ir_ref ir_scatter_along(ir_graph *g, ir_way way, ir_ref x, ir_ref index, ir_ref y, int axis);

/* structs/topk.c; indices: NULL, nobody wants them. */
ir_ref ir_topk(ir_graph *g, ir_ref x, int64_t k, int axis, bool smallest, ir_ref *indices);
ir_ref ir_kthvalue(ir_graph *g, ir_ref x, int64_t k, int axis, bool keepdim, ir_ref *indices);
/* compose_put.c: scatter, scatter_add, index_put of n indices. */
ir_ref ir_put_along_dim(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis);
ir_ref ir_scatter_sum(ir_graph *g, ir_ref x, ir_ref index, ir_ref src, int axis, bool exclude_self);
ir_ref ir_index_put(ir_graph *g, ir_ref x, ir_ref values, const ir_ref *indices, unsigned n,
                    bool accumulate);

typedef struct ir_dot_attr {
    bz_dtype acc;
    ir_order order;
    unsigned nbatch, ncontract;
    const int64_t *lbatch, *rbatch, *lcontract, *rcontract;
} ir_dot_attr;
ir_dot_attr ir_dot_get(const ir_graph *g, const ir_node *n);
/* Product number `dot` of a graph `from` of the same module, f32, of operands that are halves: it is as if they were cast to f32. */
ir_ref ir_dot_narrowed(ir_graph *g, const ir_graph *from, ir_ref dot, ir_ref x, ir_ref y);
ir_ref ir_dot(ir_graph *g, ir_ref x, ir_ref y, const int *lbatch, const int *rbatch,
              unsigned nbatch, const int *lcontract, const int *rcontract, unsigned ncontract);

/* ---- structs/conv.c. An axis of windows: window m begins at m * stride - lo, its elements are `dilation` apart; x's elements are `spread`
 * apart, with zeros between them and on either side. */
typedef struct ir_conv_axis {
    int64_t stride, dilation, spread, lo;
} ir_conv_axis;
typedef struct ir_conv_attr {
    unsigned n;
    ir_conv_axis axis[IR_MAX_RANK];
} ir_conv_attr;
#define IR_CONV_MOST (INT64_C(1) << 30) /* sizes and steps */
ir_conv_attr ir_conv_get(const ir_graph *g, ir_ref r);
/* x: [N, G, C, S...], w: [G, O, C, K...] -> [N, G, O, size...], n axes of windows. */
ir_ref ir_conv(ir_graph *g, ir_ref x, ir_ref w, const ir_conv_attr *a, const int64_t *size);

/* ---- elem.c: numbers beside operands. The dtype that a number among the operands of op (IR_NIL: no elementwise op) stands beside:
 * what the others come together in; x[i] = 0 where a number or nothing is. BZ_NDTYPES: nothing is beside it. */
bz_dtype ir_dtype_beside(const ir_graph *g, ir_op op, const ir_ref *x, unsigned n);
/* What it stands beside as operand k where that is `beside`: a condition beside a bool. */
bz_dtype ir_dtype_beside_at(ir_op op, unsigned k, bz_dtype beside);
/* May number v, in dtype t, be operand k of op? false and an error: an integer to a negative power. */
bool ir_number_allowed(ir_graph *g, ir_op op, unsigned k, ir_number v, bz_dtype t);

/* ---- autocast.c: the operands of a call (x[i] 0: a number, or nothing) as they are in a region of dtype `low`, which changes nothing
 * unless it is f16 or bf16. op: an elementwise one, or IR_NIL; name: what is called. false, with an error: no memory. */
bool ir_autocast(ir_graph *g, bz_dtype low, ir_op op, const char *name, ir_ref *x, unsigned n);

/* Elementwise constructors. ir_elem wants operands of equal shape and fitting dtype; ir_build broadcasts and promotes
 * as PyTorch does (0-d operands don't promote within a category) and folds constants. */
ir_ref ir_elem(ir_graph *g, ir_op op, const ir_ref *x, unsigned n);
ir_ref ir_build(ir_graph *g, ir_op op, const ir_ref *x, unsigned n);
static inline ir_ref ir_build1(ir_graph *g, ir_op op, ir_ref x) {
    return ir_build(g, op, &x, 1);
}
static inline ir_ref ir_build2(ir_graph *g, ir_op op, ir_ref x, ir_ref y) {
    return ir_build(g, op, (ir_ref[]){x, y}, 2);
}
static inline ir_ref ir_build3(ir_graph *g, ir_op op, ir_ref x, ir_ref y, ir_ref z) {
    return ir_build(g, op, (ir_ref[]){x, y, z}, 3);
}
/* The rank of the shape that n operands broadcast to, which is dims[IR_MAX_RANK]; -1 and an error that names two that don't. */
int ir_common_shape(ir_graph *g, ir_op op, const ir_ref *x, unsigned n, ir_dim *dims);
bool ir_broadcasts(ir_graph *g, ir_op op, const ir_ref *x, unsigned n);

/* ---- rebuild.c: what passes share. A map gives for each node of the old graph its node in the new one. */
typedef struct ir_map {
    ir_ref *to; /* to[old] = new, 0 = not there yet */
    uint32_t n;
} ir_map;
/* A new graph with the old one's inputs, in order; map->to is allocated (old->n.n entries, bz_mem_free). NULL when out of memory. */
ir_graph *ir_rebuild_begin(const ir_graph *old, ir_map *map);
/* Node r of `old` with operands `in`, its line and who is to blame for it; old may be g. */
ir_ref ir_rebuild_of(ir_graph *g, const ir_graph *old, const ir_ref *in, ir_ref r);
/* The same with its operands mapped. */
ir_ref ir_rebuild_node(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref r);
/* Adds the outputs; frees map; gives g, or NULL with the error in *e (g is freed then). */
ir_graph *ir_rebuild_end(ir_graph *g, const ir_graph *old, ir_map *map, bz_error *e);
/* A graph of g's inputs, live nodes and outputs; NULL with the error in *e. */
ir_graph *ir_copy_live(const ir_graph *g, bz_error *e);
/* live[r]: r is an output or something an output needs. bz_mem_free it; NULL when out of memory. */
bool *ir_live(const ir_graph *g);
/* The same for values alone, where gradients that are not asked for are nothing: a result of a custom_grad needs its value's node. */
bool *ir_live_values(const ir_graph *g);
/* What the value of r is computed from, n nodes: its operands, but for results of a custom_grad. */
const ir_ref *ir_value_operands(const ir_graph *g, ir_ref r, unsigned *n);

/* Results whose number attributes or operands decide, as those of split; in the graph's arena. Of a composition that gives parts the
 * value is the first one. */
typedef struct ir_parts {
    ir_ref *p;
    unsigned n;
} ir_parts;

/* ---- compose*.c: compositions as graphs of primitives; bz_* and the text form expand them here. Halves compute in f32 inside and are
 * cast back once at the end. axis counts from the end when negative. Prototypes: compositions.h, which comes last. */
/* Elements of ir_arange; false and an error: there is no such sequence. */
bool ir_arange_count(ir_graph *g, ir_number start, ir_number stop, ir_number step, int64_t *n);
/* Words of the stream that an element of a random tensor of dtype t takes (randint: i64). Hand out offsets in multiples of four. */
unsigned ir_random_words(bz_dtype t);
/* Convolutions over the last n axes as torch.nn.functional has them; each list has a number for every one of these axes, one number for
 * all, or none (stride and dilation 1, padding 0). bias, 0: none. same: as many windows as elements. */
ir_ref ir_convolve(ir_graph *g, const char *name, unsigned n, ir_ref x, ir_ref weight, ir_ref bias,
                   const int *stride, unsigned nstride, const int *padding, unsigned npadding,
                   const int *dilation, unsigned ndilation, int groups, bool same);
ir_ref ir_convolve_back(ir_graph *g, const char *name, unsigned n, ir_ref x, ir_ref weight,
                        ir_ref bias, const int *stride, unsigned nstride, const int *padding,
                        unsigned npadding, const int *output_padding, unsigned noutput,
                        const int *dilation, unsigned ndilation, int groups);
/* Pooling over the last n axes; lists as above (stride: kernel). *indices: places in the plane. */
ir_ref ir_max_unpool(ir_graph *g, const char *name, unsigned n, ir_ref x, ir_ref indices, const int *kernel,
                     unsigned nkernel, const int *stride, unsigned nstride, const int *padding,
                     unsigned npadding, const int *size, unsigned nsize);
ir_ref ir_max_pool(ir_graph *g, const char *name, unsigned n, ir_ref x, const int *kernel,
                   unsigned nkernel, const int *stride, unsigned nstride, const int *padding,
                   unsigned npadding, const int *dilation, unsigned ndilation, bool ceil,
                   ir_ref *indices);
ir_ref ir_avg_pool(ir_graph *g, const char *name, unsigned n, ir_ref x, const int *kernel,
                   unsigned nkernel, const int *stride, unsigned nstride, const int *padding,
                   unsigned npadding, bool ceil, bool count_include_pad, int64_t divisor_override);
ir_ref ir_lp_pool(ir_graph *g, const char *name, unsigned n, ir_ref x, double norm_type,
                  const int *kernel, unsigned nkernel, const int *stride, unsigned nstride,
                  bool ceil);
ir_ref ir_adaptive_avg_pool(ir_graph *g, const char *name, unsigned n, ir_ref x, const int *size,
                            unsigned nsize);
ir_ref ir_adaptive_max_pool(ir_graph *g, const char *name, unsigned n, ir_ref x, const int *size,
                            unsigned nsize, ir_ref *indices);
/* Windows on the last two axes as columns, and the way back. */
ir_ref ir_unfold(ir_graph *g, ir_ref x, const int *kernel, unsigned nkernel, const int *dilation,
                 unsigned ndilation, const int *padding, unsigned npadding, const int *stride,
                 unsigned nstride);
ir_ref ir_fold(ir_graph *g, ir_ref x, const int *output_size, unsigned noutput, const int *kernel,
               unsigned nkernel, const int *dilation, unsigned ndilation, const int *padding,
               unsigned npadding, const int *stride, unsigned nstride);
/* One optimizer step of one parameter; new moments through the pointers. lr, t (step number, from 1): 0-d. found_inf (0: none): a 0-d
 * bool that leaves all as it was. */
ir_ref ir_sgd(ir_graph *g, ir_ref p, ir_ref grad, ir_ref lr, double momentum, double weight_decay,
              bool nesterov, ir_ref *velocity, ir_ref found_inf);
ir_ref ir_adam(ir_graph *g, ir_ref p, ir_ref grad, ir_ref *m, ir_ref *v, ir_ref t, ir_ref lr,
               double beta1, double beta2, double eps, double weight_decay, bool decoupled,
               ir_ref found_inf);
/* Loss scaling, compose_scaler.c: the norm of x[0 .. n-1], n >= 1, over scale (0: 1) as f32, and is it finite? */
ir_ref ir_grad_norm(ir_graph *g, ir_ref scale, const ir_ref *x, unsigned n, ir_ref *found_inf);
ir_ref ir_grad_scaler_update(ir_graph *g, ir_ref scale, ir_ref *growth_tracker, ir_ref found_inf,
                             double growth_factor, double backoff_factor, int64_t growth_interval);

/* ---- structs/control.c, custom.c, result.c: several results, as a tuple node. `then`, `otherwise`, `cond`, `body` are numbers in
 * m->graphs. */
/* Graph `then` applied to x if pred (bool, 0-d) is true, else graph `otherwise`: both take x and give the same shapes and dtypes. */
ir_ref ir_cond(ir_graph *g, int64_t then, int64_t otherwise, ir_ref pred, const ir_ref *x,
               unsigned n);
/* x = body(x) while cond(x), a 0-d bool, is true, but at most `most` times if that is not 0. The last `captured` operands go to both
 * graphs unchanged. Results: the others. */
ir_ref ir_while(ir_graph *g, int64_t cond, int64_t body, const ir_ref *x, unsigned n,
                unsigned captured, int64_t most);
/* What the node that ir_result(g, tuple, k) makes has, as long as its graph does not grow; false when there is no such result. */
typedef struct ir_type {
    bz_dtype dtype;
    unsigned rank;
    const ir_dim *dims;
} ir_type;
bool ir_result_type(const ir_graph *g, ir_ref tuple, unsigned k, ir_type *t);
unsigned ir_result_count(const ir_graph *g, ir_ref tuple);
ir_type ir_type_of(const ir_graph *g, ir_ref r);
bool ir_same_type(const ir_graph *g, ir_ref x, const ir_graph *h, ir_ref y);
/* A custom gradient. The tuple's results are f[k]; the gradient of x[j] is b[j], computed with stands[k] for result k and
 * stands[nout + k] for what its gradient will be. Stand-ins belong to one node and have no value: nothing else may be computed from them.
 *
 *      x --stop_gradient--> f --> custom_grad(f, stands, x, b) --> results        pass_grad: b with the stand-ins
 *      stands, x, anything --> b -----/                                             replaced is recorded once more */
typedef struct ir_custom {
    unsigned nout, nin;
    const ir_ref *f, *stands, *x,
        *b; /* nout, 2 nout, nin, nin; as long as the graph does not grow */
} ir_custom;
ir_ref ir_stand_in(ir_graph *g, ir_ref x); /* a new one, of x's type */
#define IR_STAND_IN_USED "a tensor of a backward function is used outside of it"
/* x: f, stands, x, b, as above. */
ir_ref ir_custom_grad(ir_graph *g, const ir_ref *x, unsigned nout, unsigned nin);
ir_custom ir_custom_get(const ir_graph *g, ir_ref r);

/* ---- print.c, parse.c: the text form (docs/ir.md). Every builder of builders.def may be called by its name. */
void ir_print(bz_text *t, const ir_graph *g);
void ir_print_module(bz_text *t, const ir_module *m);
ir_module *ir_parse(const char *text, size_t n, const char *file,
                    bz_error *e); /* NULL and e with line and column */
typedef struct ir_size {
    const char *name;
    int64_t value;
} ir_size;
/* What is said beside the text; all zeros: nothing. */
typedef struct ir_reading {
    const ir_size *sizes; /* of symbols: each is that constant, as if the program said so */
    unsigned nsizes;
    bz_dtype autocast; /* f16 or bf16: calls are made as in such a region */
    /* adds ops of C functions, which the text calls by name, to the module; NULL: there are none */
    bz_status (*externals)(ir_module *m, const void *user, bz_error *e);
    const void *externals_user;
} ir_reading;
ir_module *ir_parse_as(const char *text, size_t n, const char *file, const ir_reading *as,
                       bz_error *e);
/* Appends "file:line:column: error: ..." with the line and a caret, for an error of ir_parse on this text. */
void ir_error_report(bz_text *t, const bz_error *e, const char *text, const char *file);

/* ---- verify.c: every node is what its op's rules infer from its operands. */
typedef enum ir_dialect {
    IR_ANY_GRAPH,
    IR_NO_COMPOUND /* argmax etc. expanded: what lowering takes */
} ir_dialect;
bz_status ir_verify(const ir_graph *g, ir_dialect d, bz_error *e);
bz_status ir_verify_node(const ir_graph *g, ir_ref r,
                         bz_error *e); /* one node; its operands are verified already */

/* ---- interp.c: the reference interpreter, slow and obvious: the definition of every op, order of additions included. */
typedef struct ir_value_array {
    bz_dtype dtype;
    unsigned rank;
    int64_t shape[IR_MAX_RANK];
    void *data; /* row-major, contiguous */
} ir_value_array;
/* inputs: one per g->inputs, borrowed. outputs: one per g->outputs, data allocated here (bz_mem_free each). */
bz_status ir_interpret(const ir_graph *g, const ir_value_array *inputs, ir_value_array *outputs,
                       bz_error *e);
/* The most bytes that arrays take at a time, results and their copies included, without the inputs. Open sizes count nothing.
 * BZ_TOO_MANY; -1 without memory to find out. */
int64_t ir_interpret_bytes(const ir_graph *g);
/* see (NULL: nobody) sees each node of the graph that has one result when it has run, with its operands (NULL: one of several results);
 * anything but BZ_OK ends the run with the error in e. most: bytes of one array; what is larger is refused rather than tried. 0: 8 GiB. */
typedef struct ir_onlooker {
    int64_t most;
    bz_status (*see)(const struct ir_onlooker *o, const ir_graph *g, ir_ref r,
                     const ir_value_array *result, const ir_value_array *const *operands,
                     bz_error *e);
} ir_onlooker;
bz_status ir_interpret_seen(const ir_graph *g, const ir_value_array *inputs,
                            ir_value_array *outputs, const ir_onlooker *o, bz_error *e);

#include "src/ir/compositions.h"

#endif
