/* device_names.c - what devices are called: apart from them, for those whom they are built on. */
#include "runtime/base/env.h"

const char *const rt_device_names[] = {
#define DEVICE(id, name) [id] = #name,
#include "runtime/base/devices.def"
#undef DEVICE
};
const unsigned rt_device_count = BZ_LEN(rt_device_names);
