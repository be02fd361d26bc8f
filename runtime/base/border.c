/* border.c - what changes at the border when the host's floating-point environment is not the default. */
#include "runtime/base/border.h"

/* Of the host program, while this thread is inside and something was changed. */
static _Thread_local rt_border host;

static void set(uint32_t mxcsr, uint16_t x87) {
    _mm_setcsr(mxcsr);
    __asm__ volatile("fldcw %0" : : "m"(x87));
}

void rt_enter_changed(rt_border *b) {
    set(RT_MXCSR, RT_X87);
    b->changed = true;
    host = *b;
}

void rt_leave_changed(rt_border *b) {
    set(b->mxcsr, b->x87);
    b->changed = host.changed = false;
}

rt_border rt_go_out(void) {
    rt_border h = host;
    if (h.changed) set(h.mxcsr, h.x87);
    return h;
}

void rt_come_back(rt_border h) {
    if (h.changed) set(RT_MXCSR, RT_X87);
    host = h;
}
