/* dev.h - what the GPU tests run on: the interpreter itself, or any CUDA driver behind dlopen.
 *
 *      cases --> dev_load, dev_alloc, dev_launch, dev_read --+--> dev_ptx.c     ptx.h, its checkers
 *                                                            +--> dev_driver.c  cuX calls
 *
 * One case list thus judges the interpreter, the emulated driver and a real one. A device is used
 * by one thread. Nothing here aborts: what fails returns a CUDA error number, dev_why says more. */
#ifndef DEV_H
#define DEV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct dev dev;

enum { DEV_MAX_ARGS = 16 };

/* A kernel argument: `size` bytes at `bytes` (a device address is 8 bytes). */
typedef struct {
    const void *bytes;
    size_t size;
} dev_arg;

typedef struct {
    const char *kernel;
    uint32_t grid[3], block[3], shared;
    bool cooperative;
    dev_arg args[DEV_MAX_ARGS];
    unsigned n_args;
    uint64_t seed;  /* of the schedule, where the device has one */
    uint64_t limit; /* warp instructions a block may run, 0: the device's own limit */
    bool count;     /* fill `conflicts` */
} dev_launch;

/* Boxes of a tensor of two dimensions, the inner one first; `swizzle`: 0, or the span in bytes. */
typedef struct {
    uint64_t address, dim[2], stride; /* stride: of a row, in bytes */
    uint32_t box[2], element, swizzle;
} dev_map;

enum { DEV_MAP_BYTES = 128 };

/* What a device does. Functions return 0 or a CUDA error number (CUresult). */
typedef struct {
    int (*load)(dev *d, const char *ptx, size_t len);
    int (*alloc)(dev *d, size_t size, uint64_t *address);
    int (*write)(dev *d, uint64_t to, const void *from, size_t size);
    int (*read)(dev *d, void *to, uint64_t from, size_t size);
    int (*launch)(dev *d, const dev_launch *launch);
    int (*map)(dev *d, const dev_map *map, void *to); /* `to`: DEV_MAP_BYTES, aligned to 64 */
    void (*reset)(dev *d); /* frees all memory and the module, forgets reports and errors */
    void (*close)(dev *d);
} dev_ops;

struct dev {
    const dev_ops *ops;
    unsigned sm;
    uint64_t reports;   /* findings of the checkers since the last reset */
    uint64_t conflicts; /* shared-memory wavefronts beyond the ideal, where the device counts */
    char why[1024]; /* the first finding or the last error in words; empty when there was none */
};

/* The interpreter as an sm_`sm`. NULL when memory is out. */
dev *dev_open_ptx(unsigned sm);

/* Device 0 of the driver `path`. NULL with a sentence in `why` when there is no driver or no
 * device. */
dev *dev_open_driver(const char *path, char *why, size_t cap);

#endif
