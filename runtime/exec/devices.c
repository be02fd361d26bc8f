/* devices.c - the table of devices. */
#include "runtime/exec/device.h"

const rt_device *const rt_devices[] = {
#define DEVICE(id, name) [id] = &rt_##name,
#include "runtime/base/devices.def"
#undef DEVICE
};
