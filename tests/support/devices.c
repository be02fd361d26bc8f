/* devices.c - devices of test programs: two more (tests/far), by tables that stand for those of runtime/base/devices.def.
 *
 * BRAZE_TEST_FAR=1: the contexts of a test are on the far twins of the devices that it asks for (tests/slow_far.sh).
 * BRAZE_TEST_FAR=cuda: those that ask for the CPU are on a GPU (tests/slow_cuda_api.sh). One more stays open there to the end: a GPU's code
 * goes with its last context, and would be compiled for each of a test's anew. */
#include "tests/far/far.h"
#include "tests/support/rt_support.h"

#include <stdlib.h>

const rt_device *const rt_devices[] = {
#define DEVICE(id, name) [id] = &rt_##name,
#include "runtime/base/devices.def"
#undef DEVICE
    [FAR_DEVICE] = &rt_far, [FAR_KERNELS] = &rt_far_kernels};
const char *const rt_device_names[] = {
#define DEVICE(id, name) [id] = #name,
#include "runtime/base/devices.def"
#undef DEVICE
    [FAR_DEVICE] = "far", [FAR_KERNELS] = "far kernels"};
const unsigned rt_device_count = BZ_LEN(rt_devices);

bz_status __real_bz_open(const bz_options *options, bz_context **out);
bz_status __wrap_bz_open(const bz_options *options, bz_context **out);

static bz_context *kept;

static void close_kept(void) {
    bz_close(kept);
}

static void keep_one(void) {
    if (kept || __real_bz_open(&(bz_options){.device = BZ_CUDA}, &kept)) return;
    atexit(close_kept);
}

bz_status __wrap_bz_open(const bz_options *options, bz_context **out) {
    bz_options o = options ? *options : (bz_options){0};
    const char *far = getenv("BRAZE_TEST_FAR");
    if (!far) return __real_bz_open(options, out);
    bool cuda = strcmp(far, "cuda") == 0;
    if (cuda) keep_one();
    if (o.device == BZ_DEVICE_DEFAULT || o.device == BZ_CPU)
        o.device = cuda ? BZ_CUDA : (bz_device)FAR_KERNELS;
    if (o.device == BZ_REF && !cuda) o.device = (bz_device)FAR_DEVICE;
    return __real_bz_open(&o, out);
}
