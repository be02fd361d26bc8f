/* device_names.c - what devices are called: apart from them, for those whom they are built on. */
#include "runtime/env.h"

const char *const rt_device_names[] = {
#define DEVICE(id, name) [id] = #name,
#include "runtime/devices.def"
#undef DEVICE
};
const unsigned rt_device_count = BZ_LEN(rt_device_names);
