/* driver.c - the driver's table (runtime/aot/cuda_driver.h) with the library's errors. */
#include "runtime/cuda/cuda.h"

bz_status cu_open(const cu_driver **d, bz_error *e) {
    char why[400];
    *d = bz_rt_cu_open(why, sizeof why);
    return *d ? BZ_OK : bz_fail(e, BZ_EDEVICE, "[cuda] %s", why);
}

bool cu_is_final(cu_result r) {
    static const short final[] = {214,                               /* ECC_UNCORRECTABLE */
                                  220,                               /* NVLINK_UNCORRECTABLE */
                                  226,                               /* CONTAINED */
                                  700,                               /* ILLEGAL_ADDRESS */
                                  702,                               /* LAUNCH_TIMEOUT */
                                  709,                               /* CONTEXT_IS_DESTROYED */
                                  710, 714, 715, 716, 717, 718, 719, /* faults of a kernel */
                                  721,                               /* TENSOR_MEMORY_LEAK */
                                  911, 999};
    for (size_t i = 0; i < BZ_LEN(final); i++)
        if (r == final[i]) return true;
    return false;
}
