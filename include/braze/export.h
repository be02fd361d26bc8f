/* export.h - compiled functions as PREFIX.o and PREFIX.h, for C and C++ programs that know nothing
 * of braze (docs/export.md). */
#ifndef BRAZE_EXPORT_H
#define BRAZE_EXPORT_H

#include "braze/compile.h"
#include "braze/context.h"

/* Axis `axis` of input `input`. */
typedef struct bz_export_axis {
    int input, axis;
} bz_export_axis;

/* The size of some axes, one number, that the exported function is told at each call: a member `name` (NULL: "n") of struct NAME_args,
 * from lo to hi (1 <= lo, 16384 sizes at most). The function is traced, and planned, for each size. */
typedef struct bz_export_size {
    const char *name;
    int64_t lo, hi;
    const bz_export_axis *axes;
    int naxes;
} bz_export_size;

/* The code: for processors (BZ_CPU) or for GPUs (BZ_CUDA); BZ_DEVICE_DEFAULT: as the functions' context. gpus: "sm_80,sm_90", the kinds
 * that get machine code, in rising order; NULL: 75, 80, 86, 89, 90, 100, 120, as far as NVRTC knows them. Other GPUs that are not older
 * than the first get it from PTX; of a fast context (context.h) those from 80 on have products as it has, without a list they alone get code. No
 * GPU takes part.
 * bake: the tensors that the functions capture become constants of the object, with the values that they have now; a tensor that
 * several functions capture is there once. Else they are members of struct NAME_args, after those of `in`. size: NULL = all sizes are
 * those of `in`; else that of these axes is told. */
typedef struct bz_export_options {
    bool bake;
    const bz_export_size *size;
    bz_device device;
    const char *gpus;
} bz_export_options;

/* Writes p, for the dtypes and shapes of `in`, as `prefix`.o and `prefix`.h, and beside them braze_rt.o (threads and cpuid; once for
 * any number of exports). The object defines `int name(const struct name_args *)`, described in the header, with code for x86-64-v3
 * and for AVX-512, and needs libc, libm and pthread alone. Members have the names of bz_compile_options and bz_name; 0-d inputs are
 * handed over by value. The place in the random stream is a member too: the header says by how much a call moves it on. No compiler or
 * linker takes part, and nothing is run but what bake needs. For GPUs the files have the same names but for braze_rt_cuda.o, and the
 * object needs libc alone; the driver is opened when it runs (docs/export.md). o: NULL = nothing baked. Errors: those of tracing (compile.h);
 * BZ_EARG (name is no C name; two members of one name are told apart by a number, no error; sizes out of range, an axis that is not
 * there, a function whose inputs, outputs or captured tensors are others at another size); BZ_EIO
 * names the file; BZ_EUNSUPPORTED, BZ_ECOMPILE, BZ_ENOMEM. Either all files appear, or none. */
BZ_API bz_status bz_export(bz_program *p, bz_tensor *const *in, const char *prefix,
                           const char *name, const bz_export_options *o);

/* One of several functions of one object. size: as in the options, which it goes before; NULL: theirs. */
typedef struct bz_export_function {
    bz_program *program;
    bz_tensor *const *in;
    const char *name;
    const bz_export_size *size;
} bz_export_function;

/* The same for n functions of one context: one object and one header, which share the run time and what is baked. BZ_EARG
 * for equal names. */
BZ_API bz_status bz_export_all(const bz_export_function *f, int n, const char *prefix,
                               const bz_export_options *o);

#endif
