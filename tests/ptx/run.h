/* run.h - what the executing rooms share: memory checks, findings, splits, barriers, order between
 * blocks. */
#ifndef PTX_RUN_H
#define PTX_RUN_H

#include "vm.h"

static inline ptx_space generic_space(uint64_t address) {
    static const ptx_space spaces[] = {PTX_SHARED, PTX_LOCAL, PTX_PARAM};
    if (address < PTX_WINDOWS) return PTX_GLOBAL;
    uint64_t k = (address - PTX_WINDOWS) / WIN_SIZE;
    return k < 3 ? spaces[k] : PTX_SPACE_NONE;
}

/* ---- findings.c ---- */

/* Notes a finding of a lane at instruction `i`, if it is looked for. Its generic address, 0 if it has none,
 * says of which space and whose memory it is. */
void find_note(warp *w, const ins *i, unsigned lane, ptx_report_kind kind, uint64_t address,
               const char *format, ...) __attribute__((format(printf, 6, 7)));
/* One that ends the block. */
void find_fault(warp *w, const ins *i, unsigned lane, ptx_report_kind kind, ptx_status status,
                uint64_t address, const char *format, ...) __attribute__((format(printf, 7, 8)));
/* How threads come together: not as they should. */
static inline void find_misuse(warp *w, const ins *i, uint32_t lanes, const char *text) {
    find_note(w, i, (unsigned)__builtin_ctz(lanes), PTX_REPORT_BARRIER, 0, "%s", text);
}
/* Joins the workers' findings, fills the result and calls the sink. */
void find_finish(launch *ln, ptx_result *result);
void find_print(warp *w, const char *text, size_t n);

/* ---- shadow.c: global memory ---- */

/* ACC_RMW: an atomic reads as well; ACC_ASKED: and returns what it read; ACC_NC: a load that may see
 * what lay there before the launch. */
enum {
    ACC_READ = 1,
    ACC_WRITE = 2,
    ACC_ATOMIC = 4,
    ACC_STRONG_READ = 8,
    ACC_RMW = 16,
    ACC_ASKED = 32,
    ACC_NC = 64,
    ACC_DATA = 128, /* with ACC_STRONG_READ: its value is no flag (flow.c) */
    ACC_PEEK = 256  /* a read that goes on: noted when it is done */
};

/* Bytes m0 (0-63) and m1 (64-127) of a 128-byte line of `e` are accessed by `lane`. */
void shadow_touch(warp *w, const ins *i, unsigned lane, const ptx_extent *e, uint64_t line,
                  uint64_t m0, uint64_t m1, unsigned how);
void shadow_begin(launch *ln);
/* The ranges touched, and their byte counts into the counters. */
void shadow_finish(launch *ln, ptx_result *result, ptx_counters *count);

/* ---- race.c: shared memory ---- */

size_t race_bytes(uint32_t shared_bytes);
void race_attach(block *b, uint8_t *memory);
void race_detach(block *b);
void race_clear(block *b);
/* The last thread of its block has exited: who has reached its memory must have been waited for. */
void race_leave(warp *w);
/* Shared memory of `b`, of the same cluster. `live`: which of the bytes count. */
void race_read(warp *w, const ins *i, uint32_t mask, block *b, const uint64_t *ad, unsigned bytes,
               uint64_t live, unsigned how);
void race_write(warp *w, const ins *i, uint32_t mask, block *b, const uint64_t *ad, unsigned bytes,
                bool strong);
/* Global memory that this block has written. */
void race_global(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, unsigned bytes,
                 uint64_t live, unsigned how);
void race_async_issue(warp *w, const ins *i, unsigned lane, block *b, uint32_t offset,
                      unsigned bytes);
/* `proxy`: it was the async proxy that has written. */
void race_async_done(warp *w, unsigned lane, block *b, uint32_t offset, unsigned bytes, bool proxy);
/* The warps of `set` have passed a barrier together. */
void race_barrier(block *b, uint32_t set);
void race_sync_warp(warp *w, uint32_t mask);
/* Lanes of `w` pass a fence; one of them makes a strong access; what it knows has changed. */
void race_fence(warp *w, uint32_t mask);
void race_flag(warp *w, unsigned lane, bool reads, bool writes);
void race_know(warp *w);
void race_raise(uint32_t *to, const uint32_t *from, unsigned n); /* to what is more */
/* Lanes of `w` pass a fence between the generic and the async proxy. */
void race_proxy_fence(warp *w, uint32_t mask);
/* The async proxy reads shared memory of the block. */
void race_proxy_read(warp *w, const ins *i, unsigned lane, uint32_t offset, unsigned bytes);

/* ---- past.c: what is known of other blocks, and of one's own ---- */

past *past_keep(past *x);
void past_drop(past **at); /* leaves NULL */
void past_set(past **at, past *x);
void past_join(const launch *ln, past **to, past *from);
/* Adds that block `of` is known as far as `row` says, a number a warp. */
void past_know(const launch *ln, past **to, uint32_t of, const uint32_t *row);
const uint32_t *past_row(const past *x, uint32_t of); /* NULL: nothing is known of it */

/* ---- order.c: fences and strong accesses ---- */

void order_begin(launch *ln);
void order_end(launch *ln);
void order_forget(cluster *c);
/* Lanes of `w` pass a fence, `wide`: one that reaches other blocks. */
void order_fence(warp *w, uint32_t mask, bool wide);
/* A strong access to a generic address; `how`: ACC_ASKED it reads, ACC_WRITE or ACC_RMW it writes. */
void order_access(warp *w, unsigned lane, uint64_t address, unsigned how);
void order_barrier(block *b, uint32_t set);
/* The same in two steps: what `w` brings to a barrier, and what it takes from it. */
void order_arrive(warp *w, past *joint[5]);
void order_wait(warp *w, past *joint[5]);
/* What a copy asked for by `w` has written is released at a place of the block. */
void order_deliver(warp *w, uint64_t address);
/* Is what block `owner` did at `stamp` ordered before what `w` does now? `heard`: a strong read of what
 * was released is enough, without a fence after it. */
bool order_before(const warp *w, uint32_t owner, uint32_t stamp, bool heard);

/* ---- split.c: the parts of a warp ---- */

split *split_new(warp *w, const split *like, uint32_t mask, uint32_t pc);
void split_remove(warp *w, split *s);
void frame_keep(frame *f);
void frame_drop(frame *f);
/* The running split stops before its instruction (which it will meet again) in the given state. */
void split_block(warp *w, const ins *i, uint32_t mask, split_state state);
void split_exit(warp *w, uint32_t mask);
/* The lanes whose whole group has come to `i` (of those that wait at any bar.warp.sync, if it is one):
 * they go on behind it, the others wait. group[l]: the lanes that l names, itself included, of all
 * that are there; every lane of the warp where `i` has no INS_MEMBERS. */
uint32_t split_gather(warp *w, const ins *i, uint32_t mask, uint32_t group[LANES]);
uint32_t ins_index(const warp *w, const ins *i);

/* ---- sched.c ---- */

void cluster_run(cluster *c);
/* A strong access of the running split has changed memory, or not: one that only waits for others must
 * not keep them from running. */
void warp_idles(warp *w, bool changed);
void cluster_serial(cluster *c); /* the ordered operations of its waiting warps */
bool cluster_done(const cluster *c);
bool cluster_failed(const cluster *c);
void cluster_deadlock(cluster *c);
void barrier_check(block *b, unsigned id);
void barrier_arrive(warp *w, barrier *x, uint32_t mask);
void barrier_leave(warp *w, uint32_t threads); /* that many exited */

/* ---- exec_mem.c ---- */

void mem_addresses(const warp *w, const ins *i, uint64_t ad[LANES]);
/* Host pointers of global accesses by `mask`; false after a fault. */
bool mem_global(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, unsigned bytes,
                unsigned how, uint8_t **host);
/* Strong accesses by `mask`, of which the lanes `wrote` write: what fences before or after them order. */
void mem_order(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, uint64_t window,
               unsigned how, uint32_t wrote);
/* A bit for each of the `bytes` of an access that counts. */
uint64_t mem_live_bytes(const ins *i, unsigned bytes);
void mem_fault(warp *w, const ins *i, unsigned lane, ptx_report_kind kind, uint64_t address,
               const char *text);
/* The extent that holds a global address or the one to name in a message; the cached form. */
const ptx_extent *mem_find(const launch *ln, uint64_t address);
const ptx_extent *mem_extent(warp *w, const ins *i, uint64_t address);
bool mem_shared_ok(warp *w, const ins *i, uint32_t mask, const block *b, const uint64_t *ad,
                   unsigned bytes);
/* A place in shared memory, by one name for the whole cluster. */
uint64_t mem_shared_name(const block *b, uint64_t offset);
/* The block in whose shared memory a generic address lies; NULL after a fault. */
block *mem_shared_block(warp *w, const ins *i, unsigned lane, uint64_t address);
/* The lanes whose generic addresses lie in the same block as the first one's, their offsets there, and
 * the block; 0 after a fault. */
uint32_t mem_shared_of(warp *w, const ins *i, uint32_t mask, const uint64_t *ad,
                       uint64_t own[LANES], block **b);

/* ---- heap.c ---- */

uint64_t heap_get(ptx_heap *h, uint64_t bytes);       /* 0: no room */
const char *heap_drop(ptx_heap *h, uint64_t address); /* what is wrong, or NULL */
const ptx_extent *heap_find(const ptx_heap *h, uint64_t address);

/* ---- exec_flow.c ---- */

void flow_fault(warp *w, const ins *i, uint32_t mask, ptx_status status, const char *text);

/* ---- exec_local.c ---- */

static inline uint8_t *local_at(const warp *w, unsigned lane, uint64_t at) {
    return w->stack + (size_t)lane * w->b->ln->stack_bytes + at;
}

bool mem_local(warp *w, const ins *i, uint32_t mask, const uint64_t *ad, unsigned bytes, bool store,
               uint8_t **host);
/* Bytes of the lanes' stacks have been written, or begin anew. */
void local_mark(warp *w, uint32_t mask, uint64_t at, uint64_t n, bool written);

/* ---- exec_bulk.c ---- */

/* An arrival at the mbarrier at a shared offset, by copies that are done. */
void mbarrier_arrive(warp *w, const ins *i, unsigned lane, uint64_t at, bool expected);
/* Where a copy goes, or comes from: a block's shared memory; loads tell an mbarrier at an offset of it. */
typedef struct {
    block *b;
    uint32_t barrier;
    bool load;
} bulk_target;

/* `address` of a piece whose bytes are values, not memory. */
#define BULK_DATA UINT64_MAX

/* The blocks of a copy, as many as the answer says, and the offset there; 0 after a fault. `mask`: of a
 * multicast, or NULL. */
unsigned bulk_targets(warp *w, const ins *i, unsigned lane, uint64_t shared, uint64_t mbar,
                      bool load, const uint16_t *mask, bulk_target to[MAX_CLUSTER], uint32_t *at);
const uint16_t *bulk_mask(const warp *w, const ins *i, unsigned lane); /* of a multicast, or NULL */
/* Begins a copy to each target; false after a fault. */
bool bulk_all(warp *w, const ins *i, unsigned lane, const bulk_target *to, unsigned n,
              const bulk_piece *pieces, uint32_t count, const uint8_t *data);
/* Chunks of 16 bytes change places within `span` bytes (0: none do), by the row of 128 bytes. */
static inline uint32_t bulk_swizzled(uint32_t at, uint32_t span) {
    return span ? at ^ (at >> 3 & (span - 16)) : at;
}
void bulk_finish(warp *w, uint32_t lanes); /* stores of lanes that exit */
void bulk_forget(warp *w);                 /* at the block's end */

/* ---- exec_wgmma.c ---- */

void matrix_forget(warp *w); /* at the cluster's end */
void group_clear(block *b);
void group_leave(warp *w); /* all its lanes have exited */
void matrix_beside(warp *w, const ins *i, int32_t reg);
/* Byte `at` of shared memory is written: no matrix operation on its way may read it. */
void matrix_touched(warp *w, const ins *i, unsigned lane, const block *b, uint32_t at);

/* ---- exec_cluster.c ---- */

void cluster_check(cluster *c); /* has barrier.cluster come to an end? */

/* ---- exec_mma.c ---- */

/* Element `k` of a register, or the whole 64-bit one, as a number; how many there are in 32 bits. */
double matrix_element(ptx_type t, const uint8_t *reg, unsigned k);
unsigned matrix_elements(ptx_type t);
/* Element r of a lane in a register of sums, of which two halves share one. */
double matrix_sum(ptx_type t, const uint8_t *reg, unsigned r);
void matrix_put(ptx_type t, uint8_t *reg, unsigned r, double x, bool saturate);
bool matrix_warp(warp *w, const ins *i, uint32_t mask); /* all lanes are there */

/* ---- exec_atom.c ---- */

void atom_store(const ins *i, uint8_t *at, const uint8_t *value);

/* ---- exec_async.c ---- */

#define COPY_OVERWRITTEN "the source was overwritten before the copy was waited for"

void mem_copy_groups(warp *w, uint32_t lanes,
                     unsigned keep); /* cp.async up to `keep` pending groups */

#endif
