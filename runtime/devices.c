/* devices.c - the table of devices: a target is a folder, and a row here (docs/extending.md). */
#include "runtime/rt.h"

const rt_device *const rt_devices[] = {
    [BZ_CPU] = &rt_cpu, [BZ_REF] = &rt_ref, [BZ_NULL] = &rt_null};
const unsigned rt_device_count = BZ_LEN(rt_devices);
