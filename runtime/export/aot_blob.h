/* aot_blob.h - the run time of exported artefacts (runtime/aot as one object file for processors, one for GPUs), as bytes to write out. */
#ifndef RT_AOT_BLOB_H
#define RT_AOT_BLOB_H

extern const unsigned char rt_aot_blob[];     /* first byte of the ELF object */
extern const unsigned char rt_aot_blob_end[]; /* one past its last byte */
extern const unsigned char rt_aot_cuda_blob[], rt_aot_cuda_blob_end[];

#endif
