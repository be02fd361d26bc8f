/* lineage.h - what a value was computed from, once its history was forgotten */
#ifndef RT_LINEAGE_H
#define RT_LINEAGE_H

#include "runtime/memory/layout.h"
#include "src/passes/pass.h"

struct rt_epoch;
struct rt_storage;
struct rt_tensor;

typedef struct rt_var { /* a variable: the value that a storage had from `birth` on */
    struct rt_storage *s;
    uint64_t birth;
} rt_var;
/* Of the values that outlived one recording: for each row the root of a set of variables in the context's workspace. */
typedef struct rt_past {
    uint32_t refs, n;
    uint64_t written;            /* births until then */
    const char *why;             /* the recording ended */
    struct rt_past *prev, *next; /* of the workspace */
    uint32_t roots[];
} rt_past;
enum {
    RT_SET_LEAF = 32, /* variables of a leaf */
    RT_SET_HEIGHTS = 32
};
#define RT_SET_ALL UINT32_MAX /* any variable */
typedef struct rt_sets {      /* varset.c: all sets of a context */
    BZ_VEC(uint64_t) nodes;
    BZ_VEC(uint32_t) map;
    uint32_t *table, room; /* node -> its number */
    unsigned height;
    uint32_t sweep_at;   /* nodes: then those that nobody needs go */
    uint64_t work, most; /* steps */
    rt_past *pasts;
    BZ_VEC(uint64_t) changed[RT_SET_HEIGHTS]; /* of each node's variables: when one changed last */
    uint64_t all_changed;                     /* nothing is known of changes until then */
} rt_sets;
typedef struct rt_recipe { /* callgrad.c: the graph of a compiled function */
    uint32_t refs, nargs, nout;
    int key, base; /* inputs that are the random stream's, -1 = none */
    bool useful;   /* an output can be computed again after a call */
    ir_graph *g;
    uint64_t *deps; /* per output: bits of the inputs that its gradient reaches */
} rt_recipe;
typedef struct rt_made_input {
    rt_var of; /* s NULL: a number */
    const rt_layout *layout;
    int64_t offset;
    ir_bits bits;
} rt_made_input;
typedef struct rt_made { /* a call of a compiled function that gave a value */
    uint32_t refs;
    uint64_t number, flushes; /* calls and flushes before it */
    rt_recipe *recipe;
    uint64_t seed, stream;
    rt_made_input *in;
} rt_made;
/* a node that stands for a value from before its epoch, or changed since */
typedef struct rt_source {
    ir_ref node;
    rt_var of;
    rt_past *past; /* one reference; NULL: computed from no variable */
    uint32_t row;
    bool former; /* the value that the storage had at that node before it was changed */
    /* the call that gave the value, and its output: one reference; NULL: not known */
    rt_made *made;
    uint32_t output;
    ir_ref twin;     /* the same value with the call's history; 0: not made */
    uint32_t before; /* number + 1 of the source before it that has the same node; 0: none */
} rt_source;
typedef struct rt_own { /* a value of the epoch: a variable for what comes behind it */
    rt_var of;
    ir_ref node;
} rt_own;
/* reach.c: marks of a node: the results depend on it as far as gradients flow, on a way that leads through no wrt; it is a wrt; it
 * depends on a variable, by way of twins too, or is one; whether it does was looked at. */
enum { RT_REACHED = 1, RT_AROUND = 2, RT_WRT = 4, RT_LEADS = 8, RT_LOOKED = 16 };
typedef struct rt_reached { /* of the gradient that is taken; between two all marks are zero */
    uint8_t *marks;         /* of `room` nodes */
    uint32_t room;
    BZ_VEC(ir_ref) touched, todo; /* nodes with marks; whose operands are still to get theirs */
    BZ_VEC(uint32_t) sources;     /* of the epoch, that are reached: as they were recorded */
    uint32_t known;               /* sources of the epoch that were looked at */
    uint64_t work;                /* nodes that were looked at so far: tests count them */
} rt_reached;
typedef struct rt_lineage { /* workspace of a context */
    rt_sets sets;
    rt_reached reach;
    pass_backward backward;
    BZ_VEC(uint32_t) values, rows; /* sets of a call's inputs, of what lives on */
    BZ_VEC(uint32_t) flows;        /* sets of the nodes of the open epoch */
    BZ_VEC(uint64_t) flowed_at;    /* births when they were found */
    struct rt_now *now;            /* lineage.c */
    uint64_t births, ended;        /* ended: births when a set was found last */
    uint64_t pass, begun;          /* questions; sets that were found */
} rt_lineage;

/* ---- varset.c: sets of variables. A set is its root, good until the next begin unless a past or a flow has it */
bool rt_set_is_leaf(uint64_t node);
uint32_t rt_set_left(uint64_t node);  /* of one that is no leaf; its right one: the low half */
uint32_t rt_set_first(uint64_t leaf); /* its first variable; the low half: a bit for each */
/* For variables below that number, with so many steps of work; `flows` are kept. Without memory false. */
bool rt_sets_begin(rt_sets *w, uint64_t variables, uint64_t most, uint32_t *flows, uint32_t nflows);
void rt_sets_free(rt_sets *w);
uint32_t rt_set_leaf(rt_sets *w, uint32_t first, uint32_t bits);
uint32_t rt_set_node(rt_sets *w, uint32_t left, uint32_t right);
uint32_t rt_set_one(rt_sets *w, uint32_t i);
uint32_t rt_set_join(rt_sets *w, uint32_t a, uint32_t b);
uint32_t rt_set_without(rt_sets *w, uint32_t a, uint32_t i);
/* Variable i is another since the sets that were found until `ended`. */
void rt_set_changes(rt_sets *w, uint32_t i, uint64_t ended);
/* May a variable below node `at` of height h have changed since? */
bool rt_set_changed(const rt_sets *w, unsigned h, uint32_t at, uint64_t since);
/* A past with these n roots; NULL: no memory. */
rt_past *rt_sets_keep(rt_sets *w, const uint32_t *roots, uint32_t n);

/* ---- lineage.c */
/* The value of s stands as `node` in the open epoch and comes from before it. false: no memory. */
bool rt_lineage_source(bz_context *c, struct rt_storage *s, ir_ref node);
/* s is freed: it is no variable any more. */
void rt_lineage_gone(bz_context *c, const struct rt_storage *s);
/* s gets another value now: `node` of the open epoch was the old one, 0 = it is not there. */
void rt_lineage_change(bz_context *c, struct rt_storage *s, ir_ref node);
/* e ends: what its storages were computed from is written down. Never fails: without memory they may come from anything. */
void rt_lineage_end(bz_context *c, struct rt_epoch *e, const char *why);
/* How a loss depends on its variables through what is not recorded: asked of the sources that are reached, from *from on. */
typedef enum rt_loss { RT_KNOWN, RT_FORGOTTEN, RT_CHANGED } rt_loss;
typedef struct rt_asked { /* a variable of a gradient */
    struct rt_storage *s;
    ir_ref node;                  /* what to differentiate with respect to */
    const struct rt_tensor *view; /* the gradient is to be seen through it; NULL: as it is */
    bool seen;                    /* the loss was computed from it */
} rt_asked;
/* The first variable of n whose gradient would not be complete, *which; RT_FORGOTTEN: because of that source of the epoch. *from: the
 * place of the one that said so. */
rt_loss rt_lineage_ask(bz_context *c, const rt_asked *wrt, unsigned n, uint32_t *from,
                       unsigned *which, uint32_t *source);
/* Number + 1 of the last source that stands at the node, 0: none. */
uint32_t rt_source_at(const struct rt_epoch *e, ir_ref node);
/* Pasts of the nout outputs of a call, a row each: in: its n inputs, of.s NULL where one is no variable; deps: per output, bits of
 * the inputs that it depends on. NULL: no variables. Takes time for what was recorded since the call before. */
rt_past *rt_lineage_call(bz_context *c, const rt_source *in, uint32_t n, const uint64_t *deps,
                         uint32_t nout, const char *why);
/* s is output k of a call that has these pasts; m: NULL or how to compute it again. */
void rt_lineage_made(bz_context *c, struct rt_storage *s, rt_past *p, rt_made *m, uint32_t k);
void rt_past_unref(bz_context *c, rt_past *p); /* NULL is fine */
void rt_recipe_unref(rt_recipe *f);
void rt_made_unref(rt_made *m);

void rt_lineage_free(rt_lineage *w);

/* ---- reach.c */
/* Marks what the open epoch's nodes y depend on. false: no memory. rt_reach_end takes the marks away, whatever was given. */
bool rt_reach(bz_context *c, const ir_ref *y, unsigned ny, const ir_ref *wrt, unsigned n);
/* The source, which is reached, has a twin now: what it leads to comes behind the sources that are there. false: no memory. */
bool rt_reach_twin(bz_context *c, uint32_t source);
/* the same for sources that came since, at nodes that are reached */
bool rt_reach_news(bz_context *c);
void rt_reach_sort(bz_context *c); /* all sources as they were recorded */
/* RT_LEADS at the variables and wherever sources with twins lead to one. false: no memory. */
bool rt_reach_leads(bz_context *c, const rt_asked *asked, unsigned n);
unsigned rt_reach_marks(const rt_reached *w, ir_ref r);
void rt_reach_end(bz_context *c);
void rt_reach_free(rt_reached *w);

#endif
