/* export.h - a compiled function as PREFIX.o and PREFIX.h, for C and C++ programs that know nothing of braze. */
#ifndef BRAZE_EXPORT_H
#define BRAZE_EXPORT_H

#include "braze/compile.h"

/* Names of the members of struct NAME_args; NULL: in0, in1 ..., out0, out1 .... Donated outputs have none: they are their input. */
typedef struct bz_export_options {
    const char *const *in_names, *const *out_names;
} bz_export_options;

/* Writes p, for the dtypes and shapes of `in`, as `prefix`.o and `prefix`.h, and beside them braze_rt.o (threads and cpuid; once for
 * any number of exports). The object defines `int name(const struct name_args *)`, described in the header, with code for x86-64-v3
 * and for AVX-512, and needs libc, libm and pthread alone. No compiler or linker takes part, and nothing is run. Tensors that the
 * function captures, and the state of the random stream, become further members after those of `in`. o: NULL = the names above.
 * Errors: those of tracing (compile.h); BZ_EARG (name is no C name; two members of one name are told apart by a number, no error);
 * BZ_EIO names the file; BZ_EUNSUPPORTED, BZ_ECOMPILE, BZ_ENOMEM. Either all files appear, or none. */
BZ_API bz_status bz_export(bz_program *p, bz_tensor *const *in, const char *prefix, const char *name, const bz_export_options *o);

#endif
