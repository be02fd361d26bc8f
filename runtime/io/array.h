/* array.h - whole arrays in host memory: .npy and .npz files, and how they look as text. No context is needed.
 *
 *     file.npy --npy.c--> ir_value_array --print.c--> "[[1. 2.]\n [3. 4.]]"
 *              <---------
 *     file.npz --npz.c--> many of them, through zip.c
 *              <--------- */
#ifndef BRAZE_ARRAY_H
#define BRAZE_ARRAY_H

#include "src/ir/ir.h"

/* ---- file.c: files that are either the old one or the new one, never half of it */

typedef struct rt_piece {
    const void *p;
    size_t n;
} rt_piece;

/* A file to write: its pieces one after the other, or what `fill` writes to an empty file that can seek (0, or errno). */
typedef struct rt_file {
    const char *path;
    const rt_piece *pieces;
    unsigned npieces;
    int (*fill)(int fd, void *content);
    void *content;
    /* while it is written: the new file, then the old one; NULL before and after */
    char *temporary;
    int fd; /* of the new one, locked */
    bool placed;
} rt_file;

/* Writes the files under temporary names beside their own (with ".tmp." in them), makes them safe on disk and renames them: all or
 * none. A killed process can leave temporary files. BZ_EIO names the file and the system's reason, BZ_ENOMEM. */
bz_status rt_files_replace(rt_file *f, unsigned n, bz_error *e);
bz_status rt_file_replace_text(const char *path, const bz_text *t, bz_error *e);
/* Reads a regular file, or any stream when path is "-" (standard input), NUL-terminated; *out: bz_mem_free.
 * BZ_EIO (cannot be read), BZ_ENOMEM. */
bz_status rt_file_read(const char *path, char **out, size_t *n, bz_error *e);
/* A kind of file: its name for messages, and how many bytes a reader needs who has the first n of one; no more than n: it has all, or
 * it is none. */
typedef struct rt_file_kind {
    const char *name;
    size_t (*wanted)(const void *p, size_t n);
} rt_file_kind;
/* The bytes of a file, or the next ones of a stream (a pipe, a device), as a private mapping (munmap). BZ_EIO, BZ_ENOMEM, BZ_EFORMAT
 * when it is empty. */
bz_status rt_file_map(const char *path, const rt_file_kind *kind, void **out, size_t *n,
                      bz_error *e);

/* ---- npy.c: NumPy's format, versions 1.0 to 3.0.
 * Loading: either byte order, C and Fortran order (the result is row-major). Dtypes: bool, u8, i8..i64, f16, f32, f64; a
 * two-byte void (V2) is bf16, as other programs write it, for NumPy has none. Errors: BZ_EIO (cannot be read),
 * BZ_EFORMAT (no .npy file, damaged, cut off, bytes behind the array), BZ_EUNSUPPORTED (dtypes that braze lacks, more than
 * 32 axes), BZ_ENOMEM. Nothing is allocated before the file is known to be long enough. */
bz_status rt_npy_load(const char *path, ir_value_array *out,
                      bz_error *e); /* out->data: bz_mem_free */
/* The same from bytes in memory; `name` is for messages. */
bz_status rt_npy_decode(const void *bytes, size_t n, const char *name, ir_value_array *out,
                        bz_error *e);
/* Version 1.0, C order, little endian. */
bz_status rt_npy_save(const char *path, const ir_value_array *a, bz_error *e);
/* Array i to paths[i]: all of them, or none. */
bz_status rt_npy_save_all(const char *const *paths, const ir_value_array *arrays, uint32_t n,
                          bz_error *e);
/* What such a file has before its elements. */
void rt_npy_head(bz_text *t, const ir_value_array *a);

/* ---- npz.c: many arrays in one zip archive, as numpy.savez and savez_compressed write them: NAME is the member NAME.npy, or a
 * member that is named just so. Reading: members stored or deflated, zip64. Errors: those of .npy (the text says file:member) and
 * of zip.h; BZ_EARG (no such name, with those that there are), BZ_EFORMAT (two members of the name). */
typedef struct rt_npz rt_npz;
bz_status rt_npz_open(const char *path, rt_npz **out, bz_error *e);
void rt_npz_close(rt_npz *z); /* NULL is fine */
bz_status rt_npz_read(rt_npz *z, const char *name, ir_value_array *out,
                      bz_error *e);             /* out->data: bz_mem_free */
void rt_npz_names(const rt_npz *z, bz_text *t); /* without .npy, each with a newline */
/* names[i] is arrays[i]. BZ_EARG: a name that is empty, there twice, or no path inside an archive; BZ_EUNSUPPORTED, BZ_EIO, BZ_ENOMEM. */
bz_status rt_npz_save(const char *path, const char *const *names, const ir_value_array *arrays,
                      uint32_t n, bool deflate, bz_error *e);

/* ---- print.c: as NumPy's print(x): 8 digits, lines of 75 characters, "..." above 1000 elements. No newline at the end. */
void rt_array_print(bz_text *t, const ir_value_array *a);

static inline int64_t rt_array_count(const ir_value_array *a) {
    int64_t n = 1;
    for (unsigned i = 0; i < a->rank; i++) n *= a->shape[i];
    return n;
}

static inline size_t rt_array_bytes(const ir_value_array *a) {
    return (size_t)rt_array_count(a) * ir_dtype_bytes(a->dtype);
}

#endif
