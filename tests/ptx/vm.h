/* vm.h - what the rooms of the interpreter share: decoded instructions, warps, blocks, a launch.
 *
 *   module ── code[] (all functions in a row)      launch ── slots: queues of clusters
 *     └ functions: begin, registers, stack            └ cluster ── blocks ── warps ── splits (pc, lanes)
 *
 * A register is 32 lanes of 4, 8 or 16 bytes at a byte offset in its function's frame of the warp's
 * register file; constants lie below offset 0, so that every operand is one signed offset. Narrower
 * values are kept zero-extended in 4-byte lanes; a predicate is a 4-byte lane holding 0 or 1. */
#ifndef PTX_VM_H
#define PTX_VM_H

#include "ptx.h"

#include <stdatomic.h>

enum { LANES = 32, MAX_WARPS = 32, MAX_CLUSTER = 16, GROUP_WARPS = 4, NO_GUARD = INT32_MIN };
#define ALL_LANES 0xffffffffu

/* Windows of generic addresses. */
#define WIN_SHARED PTX_WINDOWS
#define WIN_LOCAL  (PTX_WINDOWS + ((uint64_t)1 << 40))
#define WIN_PARAM  (PTX_WINDOWS + ((uint64_t)2 << 40))
#define WIN_CODE                                                                                   \
    (PTX_WINDOWS + ((uint64_t)3 << 40)) /* function pointers: WIN_CODE + 16 * index \
                                                        */
#define WIN_SIZE ((uint64_t)1 << 40)
/* Within the shared window: an offset is the own block's, rank + 1 above it another one's of the cluster. */
#define RANK_BITS 24

typedef enum {
    T_NONE,
#define TYPE(e, text, bytes, cls) T_##e,
#include "words.def"
    T_COUNT
} ptx_type;

typedef enum {
#define SREG(e, text, wide) SR_##e,
#include "words.def"
    SR_COUNT
} ptx_sreg;

/* ---- base.c ---- */

typedef struct arena_chunk arena_chunk;
typedef struct {
    arena_chunk *top;
} arena;

void *arena_get(arena *a,
                size_t n); /* zeroed, 16-aligned; never NULL (memory out aborts the process) */
char *arena_text(arena *a, const char *text, size_t n);
void arena_drop(arena *a);

/* A growing array: VEC_PUSH(v) adds a zeroed element and points to it. */
#define VEC(T)                                                                                     \
    struct {                                                                                       \
        T *at;                                                                                     \
        size_t n, cap;                                                                             \
    }
#define VEC_PUSH(v) (vec_room(&(v).at, &(v).n, &(v).cap, sizeof *(v).at), &(v).at[(v).n - 1])
void vec_room(void *at, size_t *n, size_t *cap, size_t size);

/* ---- lanes: 32-lane loops, pure; compiled per instruction set ---- */

typedef struct {
    void *d, *d2;
    const void *a, *b, *c, *e;
    uint32_t imm;
} lane_args;
typedef void lane_fn(const lane_args *x);

/* ---- decoded code ---- */

typedef struct ins ins;
typedef struct warp warp;
typedef struct block block;
typedef struct cluster cluster;
typedef struct launch launch;
typedef struct worker worker;
typedef void exec_fn(warp *w, const ins *i, uint32_t mask);

enum {
    INS_NOT = 1u << 0,    /* the guard is negated */
    INS_FTZ = 1u << 1,    /* f32 subnormals in and out are zeros */
    INS_SAT = 1u << 2,    /* clamp the float result to [0, 1] */
    INS_MICRO = 1u << 3,  /* one step of an instruction, not its last: not counted */
    INS_STRONG = 1u << 4, /* volatile, relaxed, acquire, release: ordered between blocks */
    INS_ACQUIRE = 1u << 5,
    INS_RELEASE = 1u << 6,
    INS_SIGNED = 1u << 7,      /* a narrow load extends the sign */
    INS_ALIGNED = 1u << 8,     /* all lanes of the warp must come together */
    INS_FENCE_GPU = 1u << 9,   /* a fence that reaches other blocks */
    INS_NOT_C = 1u << 10,      /* the predicate operand c is negated */
    INS_TRANS = 1u << 11,      /* .trans of ldmatrix and stmatrix */
    INS_SATFIN = 1u << 12,     /* .satfinite of mma */
    INS_CONST_ADDR = 1u << 13, /* a plain address without a register: a is not used */
    INS_MEMBERS = 1u << 14,    /* e is each lane's mask of the lanes that take part with it */
    INS_WIDE = 1u << 15,       /* an acquire or release that reaches other blocks */
};

enum { RND_NONE, RND_N, RND_Z, RND_M, RND_P, RND_A };

struct ins {
    exec_fn *exec;
    lane_fn *lane;
    int32_t d, d2, a, b, c, e; /* byte offsets in the frame */
    int32_t guard;             /* a predicate's offset, or NO_GUARD */
    uint32_t target; /* branches: code index; else: first of `n` operands in module->list */
    int64_t imm;
    uint32_t line, loc; /* of the PTX text; index in module->locs, 0: none */
    uint16_t flags;
    uint8_t dw, dw2, aw; /* lane bytes of d, d2 (0: not written) and of a memory operation's data */
    uint8_t bytes, n;    /* of one element; elements */
    uint8_t space, type, rnd, op, cls;
    uint8_t sub;
    uint8_t surplus; /* elements of a load whose registers nobody reads: not loaded */
};

typedef struct {
    uint32_t file, line;
} src_loc;

/* A variable that lies in local memory or is passed: parameters of functions, .local arrays. */
typedef struct {
    int64_t offset;
    uint32_t size, align;
} slot;

typedef struct function {
    ptx_kernel pub; /* what the world sees, for kernels */
    const char *name;
    bool is_kernel, defined, external, recursive;
    uint32_t begin, end;             /* code */
    uint32_t const_bytes, reg_bytes; /* of the frame, below and above its base */
    uint32_t frame_base;             /* functions: offset of the frame in the register file */
    uint32_t frame_local;            /* stack bytes */
    uint8_t *consts;                 /* const_bytes, ready to copy */
    uint32_t marks;                  /* where the marks of watched registers begin, 0: none */
    uint8_t *units;                  /* of every 128 bytes of registers: lane width, part << 5 */
    slot *params, *results;          /* functions: where they lie in the callee's stack */
    unsigned n_params, n_results;
    VEC(struct function *) calls;
    bool calls_pointer, taken; /* calls by pointer; its address is taken */
    bool uses_common;          /* .shared variables that other functions use too */
    uint32_t dynamic_align;
    unsigned mark;
    uint32_t index;
} function;

typedef struct {
    ptx_global pub;
    uint8_t *init; /* NULL: zeros */
} global_var;

/* In the initial bytes of `owner` at `at`, `bytes` wide: the address of a global or a function plus
 * addend. */
typedef struct {
    uint32_t owner, at, bytes;
    int32_t target; /* index of a global, or ~index of a function */
    int64_t addend;
} fixup;

/* A statement that touches registers which may never have been written: watch.c. */
typedef struct {
    uint32_t at;               /* its last instruction */
    exec_fn *exec;             /* what that does */
    int32_t guard, guard_mark; /* guard_mark: of a watched guard, else 0 */
    uint32_t first;            /* marks in module->list: of what it reads, then of what it writes */
    uint16_t reads, writes;
    bool uses, any; /* a value must be there; one of them is enough */
} watch;

struct ptx_module {
    arena mem;
    ptx_target target;
    unsigned version, sm;
    VEC(ins) code;
    VEC(int32_t) list; /* operand lists of vectors, mma, calls */
    VEC(src_loc) locs;
    VEC(const char *) files;
    VEC(function *) functions;
    VEC(const function *) kernels;
    VEC(global_var *) globals;
    VEC(fixup) fixups;
    VEC(uint32_t)
    address_uses;            /* instructions whose imm is a global's index, to be made an address */
    uint32_t function_bytes; /* register file bytes of all functions */
    VEC(watch) watches;      /* by `at` */
    bool placed;
    bool specific; /* .target sm_90a: what only that one has may stand in it */
    bool orders;   /* it has fences or releases that reach other blocks */
    bool proxies;  /* it has operations of the async proxy on shared memory */
    VEC(watch)
    asides; /* by `at`: statements that touch registers of matrix operations on their way */
};

/* ---- a running warp ---- */

typedef struct frame frame;
struct frame {
    frame *up;
    unsigned refs;
    uint32_t ret_pc;
    uint8_t *regs;  /* the caller's frame base */
    uint32_t local; /* the caller's stack base */
    const ins *call;
    uint8_t *saved;     /* registers of an outer activation of the callee */
    const function *fn; /* the callee */
};

typedef enum { SPLIT_RUN, SPLIT_WARP, SPLIT_BARRIER, SPLIT_ROUND } split_state;

typedef struct {
    uint32_t pc, mask;
    split_state state;
    uint8_t bar; /* which barrier, in SPLIT_BARRIER */
    frame *frame;
    uint8_t *regs;
    uint32_t local;
} split;

typedef struct {
    const uint8_t *from;   /* NULL: zeros only */
    uint32_t to;           /* shared offset */
    uint8_t bytes, copied; /* of the destination; the rest is zeros */
    uint8_t lane;
    uint32_t group;
    const ins *by;
    uint64_t address; /* of the source */
    uint8_t was[16];  /* what lay there when it was asked for */
} async_copy;

typedef struct past past; /* past.c */
enum { ORDER_BLOCK, ORDER_GRID };

/* Bytes in a row on both sides; host NULL: outside of a tensor, zeros. */
typedef struct {
    uint8_t *host;
    uint64_t address; /* global */
    uint32_t shared, bytes;
} bulk_piece;

/* A copy of many bytes between global and shared memory, not yet done. */
typedef struct {
    const ins *by;
    bulk_piece *pieces;
    uint32_t n, bytes;
    uint8_t *was;     /* the source when the copy was asked for, piece after piece */
    uint32_t barrier; /* loads: shared offset of the mbarrier; stores: the group */
    block *to;        /* whose shared memory and mbarrier */
    uint8_t lane;
    bool load;
} bulk_copy;

/* A wgmma.mma_async, not yet done: exec_wgmma.c. */
typedef struct {
    const ins *by;
    uint8_t *regs;      /* the frame it was issued in */
    uint32_t group, n;  /* committed groups before it; chunks of 16 bytes */
    uint32_t *chunk;    /* where they lie in shared memory: those of A, then those of B */
    uint32_t low, high; /* all of them lie between */
    uint8_t *was;       /* what lay there; A's registers first where it is in some */
    bool accumulates, done;
    uint32_t by_warp, gen; /* of an operation that is done: who has waited, and when */
} matrix_op;

struct warp {
    uint8_t *r; /* frame base of the running split; first, for speed */
    block *b;
    worker *wk;
    split *cur;
    bool yield;    /* the running split must stop: blocked, diverged, faulted */
    bool stuck;    /* nothing else of the warp can run: an aligned barrier need not wait for it */
    bool serial;   /* runs its ordered operation at the end of a round */
    bool spun;     /* it stopped because it only waits: see warp_idles */
    uint32_t idle; /* strong accesses in a row that changed nothing */
    uint32_t live;
    unsigned index, n_splits;
    split splits[LANES];
    uint8_t *file;    /* register file */
    uint8_t *stack;   /* local memory, lane after lane */
    uint8_t *written; /* a bit a byte of it: exec_local.c */
    uint32_t tid[3][LANES];
    uint32_t sync[LANES], sync_count; /* the last warp barrier a lane passed; how many there were */
    uint32_t fenced[LANES], flagged;  /* a lane's last fence; lanes that read strongly: race.c */
    past *seen, *released[2], *pending[2]; /* order.c */
    uint64_t rng;
    VEC(async_copy) async;
    uint32_t async_groups[LANES]; /* committed groups of a lane */
    VEC(bulk_copy) bulk;
    uint32_t bulk_groups[LANES];
    unsigned number;           /* in the cluster */
    uint32_t *known, *proxied; /* of each warp of the cluster, up to which generation: race.c */
    uint32_t safe;             /* the least of `known` */
    VEC(matrix_op) matrix;
    uint32_t matrix_groups;
    uint64_t *fresh; /* registers touched since the last wgmma.fence, a bit each; NULL: none yet */
    bool arranged;   /* there was one since the last wgmma.mma_async */
    uint32_t registers;                             /* of a thread, by setmaxnreg; 0: as launched */
    uint32_t group_step;                            /* how many warpgroup instructions it has met */
    uint32_t cluster_arrived, cluster_phase[LANES]; /* lanes that have arrived and not waited */
};

/* ---- a block ---- */

typedef struct {
    uint32_t arrived, expected;   /* threads */
    bool counted;                 /* an explicit number of threads: whole warps count 32 */
    uint32_t warps;               /* which have taken part */
    uint32_t partial[MAX_WARPS];  /* lanes of warps that are not all there, when counted */
    uint32_t popc, n_true, n_all; /* of bar.red */
    uint32_t lanes[MAX_WARPS];
} barrier;

/* Who read something since it was last written, for each such thing. */
typedef struct {
    uint32_t *readers, *rgen;  /* warps, and the generation of the first */
    uint32_t *reader, *rlanes; /* the last warp: its first thread and sync count; its lanes */
} shadow_readers;

/* What the checker knows of each 4-byte word of shared memory; see race.c. */
typedef struct {
    uint32_t *writer, *wgen; /* thread and warp-sync count; barrier generation; 0: nobody */
    shadow_readers words;    /* of all four bytes */
    shadow_readers bytes;    /* of less: four to a word; valid once `narrow` is set */
    bool narrow;
    uint8_t *valid;  /* low 4 bits: bytes written; high 4: cp.async on its way */
    uint8_t *wbytes; /* bytes of the last write; bit 7: it was atomic */
} shared_shadow;

typedef struct {
    cluster *c;      /* NULL: take the next of this slot's queue */
    uint64_t next;   /* position in the order of blocks */
    VEC(char) print; /* printf output waiting for its turn */
    bool done;
} slot_queue;

/* What the four warps of a warpgroup have in common. */
typedef struct {
    VEC(uint32_t) steps; /* which warpgroup instructions, from `gone` on: all warps meet the same */
    uint32_t gone;
} warpgroup;

struct block {
    launch *ln;
    worker *wk;
    cluster *cl;
    uint32_t linear, id[3], rank; /* rank: in the cluster */
    unsigned n_warps;
    uint32_t live_threads;
    warp *warps;
    uint8_t *shared;
    uint32_t shared_bytes;
    shared_shadow sh;
    uint64_t
        lines[256]; /* which line of global memory lies where behind the shared words; 0: none */
    uint32_t first_line; /* their first word */
    barrier bars[16];
    struct far_words *far; /* what other blocks of the cluster have read here: race.c */
    uint32_t *visits;      /* of each warp of the cluster: the generation of its last access here */
    warpgroup groups[MAX_WARPS / GROUP_WARPS];
    unsigned reading; /* matrix operations on their way */
    uint32_t pool;    /* registers that setmaxnreg may hand out */
    uint64_t instructions;
    uint64_t rng;
    uint8_t *memory; /* what all of this was cut from */
    slot_queue *slot;
    bool failed; /* a fault: nothing more runs */
    unsigned warp_order[MAX_WARPS];
};

/* Blocks that run together and reach each other's shared memory; mostly one. */
struct cluster {
    unsigned n, warps; /* warps of all its blocks */
    block *block[MAX_CLUSTER];
    uint32_t gen; /* barrier completions and fences so far */
    struct places
        *places; /* where strong accesses wrote after fences: order.c; NULL: no fence yet */
    uint32_t phase, arrived; /* of barrier.cluster */
    uint32_t *
        joint[2]; /* known and proxied to those who have arrived in this phase, in the one before */
    past *past[2][5];
    uint32_t *clocks; /* all rows of the warps */
    cluster *next;
};

/* ---- a launch ---- */

typedef struct finding {
    ptx_report pub;
    uint32_t other;
    char text[400];
    char owner[96];
} finding;

struct worker {
    launch *ln;
    unsigned index;
    cluster *free_clusters;
    const ptx_extent *cache[64];
    ptx_counters count;
    VEC(finding) findings;
};

typedef struct touched touched;

struct launch {
    const ptx_launch_params *p;
    ptx_extent workspace; /* of a cooperative grid: its barrier, zero at first; size 0: none */
    const ptx_module *module;
    const function *fn;
    unsigned checks;
    bool counting;
    unsigned n_workers, wanted_workers; /* those at work now; at most */
    worker *workers;
    struct crew *crew;
    uint64_t n_blocks, n_clusters;
    uint32_t cluster[3];
    unsigned cluster_blocks;
    unsigned n_threads;
    uint32_t shared_bytes, stack_bytes, file_bytes, dynamic_offset, frame_at;
    unsigned warps;         /* a block */
    unsigned row;           /* numbers in a row of a past */
    uint32_t serial_number; /* of the launch: tags shadow lines */
    slot_queue *slots;
    unsigned n_slots;
    atomic_uint next_slot;
    atomic_bool stop; /* deadlock somewhere: the rest need not run */
    uint64_t round;
    uint32_t moment; /* counts ordered operations, which run one at a time */
    bool changed;    /* an ordered operation changed memory in this round */
    uint64_t idle_rounds;
    uint64_t perm_key;
    struct places *places; /* of the grid: order.c */
    touched *touched;
    uint32_t (*mask_fn)(const uint32_t *predicate);
    ptx_sink sink;
    uint64_t limit;
};

/* ---- tables filled once: lanes.c ---- */

/* Operations on 32 lanes, by name; which types each has is in lanes_*.def. */
typedef enum {
#define LANE_OP(name) LN_##name,
#include "lane_ops.def"
    LN_COUNT
} lane_op;

lane_fn *lanes_find(lane_op op, ptx_type type); /* NULL: no such operation */
uint32_t (*lanes_mask_fn(void))(const uint32_t *predicate);

/* ---- helpers ---- */

static inline unsigned type_lane(unsigned bytes) {
    return bytes <= 4 ? 4 : bytes;
}

extern const uint8_t vm_type_bytes[T_COUNT];
extern const char vm_type_class[T_COUNT]; /* 'P' 'B' 'U' 'S' 'F' */

static inline bool type_is_float(ptx_type t) {
    return vm_type_class[t] == 'F';
}

static inline bool type_is_half(ptx_type t) {
    return t == T_F16 || t == T_F16X2 || t == T_BF16 || t == T_BF16X2;
}
extern const char *const vm_type_names[T_COUNT];

static inline void *reg_at(const warp *w, int32_t offset) {
    return w->r + offset;
}

#define EACH_LANE(l, mask)                                                                         \
    for (uint32_t m_##l = (mask), l = 0; m_##l && (l = (uint32_t)__builtin_ctz(m_##l), 1);         \
         m_##l &= m_##l - 1)

static inline uint32_t thread_of(const warp *w, uint32_t lane) {
    return w->index * LANES + lane;
}

#endif
