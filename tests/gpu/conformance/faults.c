/* faults.c - what a driver answers to programs that break the rules. */
#include "faults.h"

#include <stdio.h>
#include <string.h>

enum {
    OK = 0,
    INVALID_VALUE = 1,
    INVALID_PTX = 218,
    NOT_FOUND = 500,
    ILLEGAL_ADDRESS = 700,
    TIMEOUT = 702,
    ASSERT = 710,
    MISALIGNED = 716,
    LAUNCH_FAILED = 719
};

const fault fault_table[] = {
    {"a clean launch", "st.global.u32 [%ga], 7;", 1, 32, 0, "k", OK, OK},
    {"store far behind the buffer", "st.global.u32 [%ga+1073741824], 7;", 1, 32, 0, "k", OK,
     ILLEGAL_ADDRESS},
    {"load from address 0", "mov.u64 %ga, 0;\nld.global.u32 %x, [%ga];\nst.global.u32 [%ga], %x;",
     1, 32, 0, "k", OK, ILLEGAL_ADDRESS},
    {"generic load from a wild address",
     "mov.u64 %ga, 0x123456789000;\nld.u32 %x, [%ga];\nst.u32 [%ga], %x;", 1, 32, 0, "k", OK,
     ILLEGAL_ADDRESS},
    {"misaligned word", "st.global.u32 [%ga+2], 7;", 1, 32, 0, "k", OK, MISALIGNED},
    {"misaligned vector", "st.global.v2.u32 [%ga+4], {%x, %x};", 1, 32, 0, "k", OK, MISALIGNED},
    {"misaligned atomic", "red.global.add.u32 [%ga+1], 7;", 1, 32, 0, "k", OK, MISALIGNED},
    {"trap", "trap;", 1, 32, 0, "k", OK, LAUNCH_FAILED},
    {"a block of 1025 threads", "", 1, 1025, 0, "k", OK, INVALID_VALUE},
    {"an empty grid", "", 0, 32, 0, "k", OK, INVALID_VALUE},
    {"an empty block", "", 1, 0, 0, "k", OK, INVALID_VALUE},
    {"a kernel that is not there", "", 1, 32, 0, "nobody", OK, NOT_FOUND},
    {"an unknown instruction", "frobnicate.u32 %x, %x;", 1, 32, 0, "k", INVALID_PTX, OK},
    {"an unknown modifier", "add.rn.u32 %x, %x, 1;", 1, 32, 0, "k", INVALID_PTX, OK},
    {"an undeclared register", "mov.u32 %x, %nobody;", 1, 32, 0, "k", INVALID_PTX, OK},
    {"an undeclared label", "bra NOWHERE;", 1, 32, 0, "k", INVALID_PTX, OK},
    {"a missing semicolon", "mov.u32 %x, 1", 1, 32, 0, "k", INVALID_PTX, OK},
    {"operands of the wrong width", "add.u64 %ga, %ga, %x;", 1, 32, 0, "k", INVALID_PTX, OK},
    {"too few operands", "add.u32 %x, %x;", 1, 32, 0, "k", INVALID_PTX, OK},
    {"a label twice", "A:\nA:\n", 1, 32, 0, "k", INVALID_PTX, OK},
    {"a register twice", ".reg .b32 %x;", 1, 32, 0, "k", INVALID_PTX, OK},
};

size_t fault_count(void) {
    return sizeof fault_table / sizeof *fault_table;
}

bool fault_run(dev *d, const fault *f, int code[2], char *why, size_t cap) {
    char text[1200];
    uint64_t buffer = 0;
    const uint8_t zeros[16] = {0};
    snprintf(text, sizeof text,
             ".version 7.0\n.target sm_75\n.address_size 64\n.visible .entry k(.param .u64 "
             "p)\n{\n\t.reg .b32 %%x;\n"
             "\t.reg .b64 %%ga;\n\tld.param.u64 %%ga, [p];\n\tmov.u32 %%x, 0;\n%s\n\tret;\n}\n",
             f->body);
    d->ops->reset(d);
    code[0] = d->ops->load(d, text, strlen(text));
    code[1] = 0;
    if (code[0] == 0) {
        dev_launch l = {.kernel = f->kernel,
                        .grid = {f->grid, 1, 1},
                        .block = {f->block, 1, 1},
                        .shared = f->shared,
                        .args = {{&buffer, 8}},
                        .n_args = 1};
        if (d->ops->alloc(d, sizeof zeros, &buffer) == 0 &&
            d->ops->write(d, buffer, zeros, sizeof zeros) == 0)
            code[1] = d->ops->launch(d, &l);
    }
    if (code[0] == f->at_load && code[1] == f->at_launch) return true;
    snprintf(why, cap, "%s: load gives %d and launch %d, not %d and %d (%s)", f->name, code[0],
             code[1], f->at_load, f->at_launch, d->why);
    return false;
}
