/* cuda_image.h - a plan for GPUs as what a run needs of its kernels (runtime/aot/cuda_run.h), for programs that run here and for exports. */
#ifndef RT_CUDA_IMAGE_H
#define RT_CUDA_IMAGE_H

#include "runtime/aot/cuda_run.h"
#include "runtime/exec/image.h"

typedef struct cuda_image {
    bz_rt_cuda base;
    BZ_VEC(bz_rt_cuda_code) codes; /* names are the plan's; function NULL */
    BZ_VEC(uint32_t) after;
} cuda_image;

/* Codes of the image of a plan. false: no memory; cuda_image_free is due either way. */
bool cuda_image_make(cuda_image *m, const rt_image *v, const pass_plan *p);
/* What each launch waits for, the shortest way: graphs may be made then. false: no memory, and they may not. */
bool cuda_image_find_edges(cuda_image *m, const rt_image *v, const pass_plan *p);
void cuda_image_free(cuda_image *m);

#endif
