/* api.h - how the functions of braze are declared, and how they learn the caller's source line. */
#ifndef BRAZE_API_H
#define BRAZE_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "braze/dtype.h"
#include "braze/status.h"

#ifdef __cplusplus
#define BZ_API extern "C" __attribute__((visibility("default")))
#else
#define BZ_API extern __attribute__((visibility("default")))
#endif

/* The caller's line as "file.c:31", kept by braze as a pointer: it must live as long as the program does.
 * Functions that take a site are called NAME_at; the macro NAME passes it. Language bindings call NAME_at. */
#define BZ_SITE                   BZ_SITE_OF_(__FILE__, __LINE__)
#define BZ_SITE_OF_(file, line)   BZ_SITE_TEXT_(file, line)
#define BZ_SITE_TEXT_(file, line) file ":" #line

/* A list and its length, for arguments like (const int *axes, int n): bz_sum(x, BZ_AXES(0, 2), false). C only. */
#define BZ_AXES(...)  BZ_LIST_(int, __VA_ARGS__)
#define BZ_SHAPE(...) BZ_LIST_(int64_t, __VA_ARGS__)
#define BZ_LIST_(T, ...)                                                                           \
    (const T[]){__VA_ARGS__}, (int)(sizeof((const T[]){__VA_ARGS__}) / sizeof(T))

typedef struct bz_context bz_context;

/* A handle of a tensor. It is a number, never an address: one that is stale or made up gives BZ_ESCOPE, no crash. Handles
 * belong to a scope (context.h, docs/memory.md). Builders that fail give a poisoned handle; builders pass it on, bz_eval and
 * the readers report the error. */
typedef struct bz_tensor bz_tensor;

#endif
