/* abi_theirs.c - the toolkit's header against functions.def and abi.def.
 *
 * Every function is declared a second time from our table: a wrong parameter does not compile.
 * Layouts and numbers are laid down for test_abi.c to compare. Without a toolkit the table is
 * empty. */
#include "abi_theirs.h"

#include <stddef.h>

#if defined(__has_include)
#if __has_include(<cuda.h>)
#define HAVE_TOOLKIT 1
#endif
#endif

#ifdef HAVE_TOOLKIT
#define __CUDA_API_VERSION_INTERNAL /* old forms of names too, and no macros over them */
#include <cuda.h>
#include <cudaProfiler.h>

#define F(name, since, need, params, args) CUresult name params;
#define FS(name, since, need, params, args)                                                        \
    CUresult name params;                                                                          \
    CUresult name##_ptsz params;
#define FD(name, since, need, params, args)                                                        \
    CUresult name params;                                                                          \
    CUresult name##_ptds params;
#include "functions.def"

const abi_fact abi_theirs[] = {
#define S(type)         {"sizeof " #type, sizeof(type)},
#define M(type, member) {#type "." #member, offsetof(type, member)},
#define K(ours, theirs) {#theirs, (size_t)theirs},
#include "abi.def"
#define E(code, name, text) {#name, (size_t)name},
#include "errors.def"
};
const size_t abi_n_theirs = sizeof abi_theirs / sizeof *abi_theirs;
#else
const abi_fact abi_theirs[] = {{"", 0}};
const size_t abi_n_theirs = 0;
#endif
