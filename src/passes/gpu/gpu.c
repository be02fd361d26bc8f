/* gpu.c - graphics processors as a target: their schedules and sizes.
 *
 * A task is a thread, or a block of threads that share memory; there are as many tasks as elements allow, and each takes 16 bytes at a
 * time. Forms without a schedule of their own take the CPU's, with these sizes: every task is then one thread's. */
#include "src/passes/gpu/gpu.h"
#include "src/passes/cpu/cpu.h" /* for forms without a schedule here */

#include <limits.h>

static bool lower_whole_block(lower *l) {
    switch (ir_at(l->g, l->group->head)->op) {
    case IR_SORT: return lower_sort_block(l);
    case IR_TOPK:
    case IR_KTHVALUE: return lower_topk_block(l);
    default: return lower_whole(l);
    }
}

static bool lower_elements_block(lower *l) {
    lower_space_of(l, l->group->head);
    return lower_map_block(l);
}

static bool lower_update_block(lower *l) {
    return lower_window(l, lower_map_block);
}

static const pass_schedule schedules[] = {
    {&form_map, lower_elements_block, NULL}, {&form_row, lower_row_warp, NULL},
    {&form_col, lower_col_block, NULL},      {&form_dot, lower_dot_block, NULL},
    {&form_scan, lower_scan_block, NULL},
    {&form_scatter, lower_scatter_block, NULL},    {&form_whole, lower_whole_block, NULL},
    {&form_update, lower_update_block, NULL},
    {&form_band, lower_band_block, NULL},    {&form_strip, lower_strip_block, strip_block_pays},
};

const pass_machine pass_gpu = {
    .line = 128,
    .first = 32 << 10,
    .second = 1 << 20,
    .last = INT64_MAX,
    .ahead = 0,
    .streams = UINT_MAX,
    .stride = 1,
    .task = 4,
    .tasks = 1 << 12,
    .alone = 0,
    .wake_ns = 0,
    .busy = 64,
    .turn = GPU_WARP,
    .long_row = 2 * IR_BLOCK,
    .few_rows = 1 << 10,
    .short_indices = true,
    .columns = 4,
    .beside = 1,
    .schedules = schedules,
    .nschedules = BZ_LEN(schedules),
};

const pass_target pass_gpu_target = {.vector_bytes = 16,
                                     .registers = 32,
                                     .masks = true,
                                     .rows = true,
                                     .threads = 1 << 10,
                                     .cached = 256 << 10,
                                     .shared = 48 << 10,
                                     .machine = &pass_gpu};

enum { MATRIX_FROM = 80 }; /* copies that are under way, bf16 and tf32 came with it */

pass_target pass_gpu_of(unsigned capability, bool fast) {
    pass_target t = pass_gpu_target;
    t.matrix = fast && (!capability || capability >= MATRIX_FROM);
    return t;
}
