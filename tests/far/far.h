/* far.h - the devices of far.c. */
#ifndef BRAZE_FAR_H
#define BRAZE_FAR_H

#include "runtime/exec/device.h"

extern const rt_device rt_far, rt_far_kernels;
/* After so many calls of its memory's functions the device is lost, and each of them fails; below 0: it works. */
extern int far_calls;

#endif
