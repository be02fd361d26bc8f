/* zip.h - zip archives, by minizip and zlib, which zip.c alone includes. A build without them has the same functions: they give
 * BZ_EUNSUPPORTED and say which package is missing.
 *
 *     bytes --rt_zip_open--> names --rt_zip_read--> a member's bytes
 *     names, pieces --rt_zip_write--> a file */
#ifndef BRAZE_ZIP_H
#define BRAZE_ZIP_H

#include "runtime/io/array.h"

typedef struct rt_zip rt_zip;

/* Reads the directory of an archive; the bytes must stay. `path` is for messages. BZ_EFORMAT (no archive, damaged, a name that
 * is no text), BZ_EUNSUPPORTED, BZ_ENOMEM. */
bz_status rt_zip_open(const void *bytes, size_t n, const char *path, rt_zip **out, bz_error *e);
void rt_zip_close(rt_zip *z); /* NULL is fine */
uint32_t rt_zip_count(const rt_zip *z);
const char *rt_zip_name(const rt_zip *z, uint32_t i);
/* The bytes of member i (bz_mem_free), stored or deflated, its checksum verified. A size that so many bytes cannot hold is refused
 * before memory is asked for. BZ_EFORMAT (damaged), BZ_EUNSUPPORTED (encrypted, another method), BZ_ENOMEM. */
bz_status rt_zip_read(rt_zip *z, uint32_t i, void **p, size_t *n, bz_error *e);

enum { RT_ZIP_PIECES = 2 };
typedef struct rt_zip_member {
    const char *name; /* UTF-8 */
    rt_piece pieces[RT_ZIP_PIECES];
} rt_zip_member;
typedef struct rt_zip_plan {
    const rt_zip_member *members;
    uint32_t n;
    bool deflate;
} rt_zip_plan;

/* Writes an rt_zip_plan to an empty file that can seek: an rt_file's `fill`. The same members give the same bytes. 0 or errno. */
int rt_zip_write(int fd, void *plan);
/* Can this build do it? Else BZ_EUNSUPPORTED. */
bz_status rt_zip_usable(bz_error *e);

#endif
