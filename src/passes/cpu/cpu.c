/* cpu.c - processors as a target: their schedules and sizes.
 *
 * A kernel hangs on the sizes here and on nothing else of the machine, so that one compiled elsewhere is the same. */
#include "src/passes/cpu/cpu.h"

/* The elements of the group's head. */
static bool lower_elements(lower *l) {
    lower_space_of(l, l->group->head);
    return lower_map(l);
}

static bool lower_update(lower *l) {
    return lower_window(l, lower_map);
}

bool lower_whole(lower *l) {
    static bool (*const authors[IR_NOPS])(lower *) = {
#define IR_WHOLE(E, name, ...) [IR_##E] = lower_##name,
#include "src/ir/structs.def"
    };
    return authors[ir_at(l->g, l->group->head)->op](l);
}

static const pass_schedule schedules[] = {
    {&form_map, lower_elements, NULL},  {&form_row, lower_row, NULL},
    {&form_col, lower_col, NULL},       {&form_strip, lower_strip, strip_pays},
    {&form_dot, lower_dot, NULL},       {&form_scan, lower_scan, NULL},
    {&form_scatter, lower_scatter, NULL},
    {&form_whole, lower_whole, NULL},   {&form_update, lower_update, NULL}, {&form_band, lower_band, NULL},
};

/* Processors of today, whichever they are. */
const pass_machine pass_cpu = {
    .line = 64,
    .first = 32 << 10,
    .second = 1 << 20,
    .last = 24 << 20,
    .ahead = 16 << 10,
    .streams = 8,
    .stride = 4,
    .task = 8192,
    .tasks = 16,
    .alone = 1 << 20,
    .wake_ns = 2500,
    .busy = 12,
    .turn = 64,
    .long_row = 1 << 16,
    .few_rows = 16,
    .columns = 128,
    .beside = 4,
    .schedules = schedules,
    .nschedules = BZ_LEN(schedules),
};
