/* env.h - every switch of the environment */
#ifndef RT_ENV_H
#define RT_ENV_H

#include "braze/braze.h"
#include "src/ir/base/base.h"

typedef struct rt_env {
    int debug;            /* BRAZE_DEBUG */
    bool check;           /* BRAZE_CHECK */
    bool nan, quiet;      /* BRAZE_NAN; BRAZE_WARN=0 */
    bool graphs;          /* BRAZE_GRAPHS */
    size_t code_bytes;    /* BRAZE_CODE */
    uint64_t cache_bytes; /* BRAZE_CACHE_MIB */
    bz_device device;     /* BRAZE_DEVICE; BZ_DEVICE_DEFAULT when it says nothing */
    bz_numerics numerics; /* BRAZE_NUMERICS, or BZ_STRICT */
    bz_error mistake;     /* the first switch whose value makes no sense: no context opens then */
} rt_env;
const rt_env *rt_env_get(void); /* read once */
static inline bool rt_is_fast(const bz_options *o) {
    return (o->numerics ? o->numerics : rt_env_get()->numerics) == BZ_FAST;
}

/* ---- device_names.c: as a switch has them, by bz_device; BZ_DEVICE_DEFAULT is none */
extern const char *const rt_device_names[];
extern const unsigned rt_device_count;

#endif
