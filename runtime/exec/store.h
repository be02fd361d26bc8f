/* store.h - code of kernels kept on disk, for the next process (docs/cache.md). What cannot be read or written is no failure: it is
 * compiled, or not kept; BRAZE_DEBUG=1 says why. */
#ifndef RT_STORE_H
#define RT_STORE_H

#include "runtime/exec/binary.h"

/* ---- store.c */

/* What lies there for the kernel of this key, with all that was compiled with it; NULL: nothing that is of use. */
rt_binary *rt_store_get(const char *key, size_t n);
/* Keeps b, for each of its kernels. */
void rt_store_put(const rt_binary *b);
#define RT_STORE_NVRTC "nvrtc.note" /* runtime/cuda/compiler.c */
/* A note of few words, on what code depends on. Read: bz_mem_free; NULL: there is none. */
char *rt_store_note(const char *name);
void rt_store_write_note(const char *name, const char *text);
/* It was of no use after all. */
void rt_store_reject(const char *key, size_t n, const char *why);

/* ---- store_dir.c: the directory and the files in it */

enum {
    RT_STORE_NAME = 35,
    RT_STORE_WHY = 200
}; /* "0123456789abcdef0123456789abcdef.k"; bytes of a reason */

/* Its path; NULL and why there is none. */
const char *rt_store_path(const char **why);
/* Opened, and made if `make`; -1 and why it is of no use: "" where it just is not there. */
int rt_store_open(bool make, char why[RT_STORE_WHY]);
/* The name of the key's file. */
void rt_store_name(const char *key, size_t n, char name[RT_STORE_NAME]);
/* A whole file in *out (bz_mem_free) and its bytes; 0 and why: "" where it is not there. touch: it is used now. */
size_t rt_store_read(int dir, const char *name, bool touch, char **out, char why[RT_STORE_WHY]);

typedef struct rt_store_file {
    char name[64];
    uint64_t inode, bytes;
    int64_t used;   /* when, in ns since 1970 */
    bool temporary; /* somebody writes it, or was killed */
} rt_store_file;
typedef struct rt_store_files {
    BZ_VEC(rt_store_file) v;
    uint64_t bytes; /* of all; one with several names counts once */
} rt_store_files;
/* Our files, the longest unused first, names of one file together. false: out of memory, or the directory cannot be read. */
bool rt_store_list(int dir, rt_store_files *f);
/* Removes what was not used for the longest time until no more than `most` bytes are left, and what killed processes left. Gives the
 * bytes that stay. */
uint64_t rt_store_trim(int dir, uint64_t most);

#endif
