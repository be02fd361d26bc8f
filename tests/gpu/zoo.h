/* zoo.h - the zoo's cases: buffers, launches and a plain C oracle for each kernel of zoo/.
 *
 * A case is data: how its buffers are filled, which kernels run over them in order, and a function
 * that does the same to copies of the buffers on the host. Afterwards every buffer must agree,
 * inputs too. */
#ifndef ZOO_H
#define ZOO_H

#include "dev.h"

typedef enum { ZOO_F32, ZOO_F16, ZOO_BF16, ZOO_I32, ZOO_U32, ZOO_I8, ZOO_U8 } zoo_type;

/* What a buffer holds before the first launch. */
typedef enum {
    ZOO_ZERO,
    ZOO_FRESH,   /* never written: a read before a write is a finding */
    ZOO_NORMAL,  /* floats, normally distributed */
    ZOO_EIGHTHS, /* floats, lo/8 to hi/8 in steps of 1/8: short sums of products are exact */
    ZOO_RANGE,   /* integers, lo to hi */
} zoo_fill;

typedef struct {
    zoo_type type;
    size_t count; /* 0 ends the list */
    zoo_fill fill;
    int lo, hi;
    double abs, rel; /* |got - want| <= abs + rel |want|; both 0: the same bits */
} zoo_buffer;

enum { ZOO_MAX_BUFFERS = 12, ZOO_MAX_LAUNCHES = 3 };

typedef enum { ZOO_NO_ARG, ZOO_BUF, ZOO_INT, ZOO_FLOAT, ZOO_LONG, ZOO_MAP } zoo_arg_kind;

typedef struct {
    zoo_arg_kind kind;
    int32_t i; /* buffer number, or the value */
    float f;
    uint64_t u;
} zoo_arg;

#define BUF(n)                                                                                     \
    { .kind = ZOO_BUF, .i = (n) }
#define INT(n)                                                                                     \
    { .kind = ZOO_INT, .i = (n) }
#define FLOAT(x)                                                                                   \
    { .kind = ZOO_FLOAT, .f = (x) }
#define LONG(n)                                                                                    \
    { .kind = ZOO_LONG, .u = (n) }

#define MAP(n)                                                                                     \
    { .kind = ZOO_MAP, .i = (n) }

/* Boxes of a buffer for an argument; elements are as wide as the buffer's. */
typedef struct {
    unsigned buffer;
    uint32_t columns, rows, box[2], swizzle;
} zoo_map;

enum { ZOO_MAX_MAPS = 3 };

typedef struct {
    const char *kernel; /* NULL ends the list */
    uint32_t grid[3], block[3];
    zoo_arg args[DEV_MAX_ARGS];
    bool cooperative;
} zoo_launch;

typedef struct {
    const char *name, *file; /* zoo/FILE.cu */
    unsigned min_sm;
    unsigned only_sm; /* N: for sm_Na and no other; 0: for all from min_sm on */
    zoo_map maps[ZOO_MAX_MAPS];
    bool conflict_free; /* its shared memory is laid out so that no bank is asked twice */
    zoo_buffer buffers[ZOO_MAX_BUFFERS];
    zoo_launch launches[ZOO_MAX_LAUNCHES];
    void (*oracle)(
        void **buf); /* does to the host's buffers what the launches do to the device's */
} zoo_case;

/* zoo_vector.c, zoo_matrix.c; both end with NULL. */
extern const zoo_case *const zoo_vector_cases[];
extern const zoo_case *const zoo_matrix_cases[];

/* Can `c` run on sm_`sm`, and what its text is compiled for then. */
bool zoo_fits(const zoo_case *c, unsigned sm);
unsigned zoo_arch(const zoo_case *c, unsigned sm);

size_t zoo_count(void);
const zoo_case *zoo_at(size_t i);

/* Bits of formats that C lacks, rounding to nearest even. */
uint16_t zoo_to_f16(double x);
uint16_t zoo_to_bf16(double x);
double zoo_from_f16(uint16_t bits);
double zoo_from_bf16(uint16_t bits);

typedef enum { ZOO_CLEAN, ZOO_REPORTED, ZOO_WRONG, ZOO_FAILED } zoo_verdict;

/* Loads `ptx`, runs `c` on data and schedules of `seed`, compares. A sentence about the first
 * fault goes to `why`. `limit`: warp instructions a block may run, 0 for the device's own limit.
 * ZOO_FAILED: a call failed. */
zoo_verdict zoo_run(dev *d, const zoo_case *c, const char *ptx, uint64_t seed, uint64_t limit,
                    char *why, size_t cap);

/* The text of a file, NUL-terminated, to be freed; NULL when it cannot be read. */
char *zoo_read_file(const char *path);

/* PTX of zoo/FILE.cu for `sm`, an architecture as zoo_arch says: compiled where the compiler is, else the checked-in text of the
 * newest target that `sm` can run. NULL with a sentence in `why`. The caller frees it. */
char *zoo_ptx(const char *file, unsigned sm, char *why, size_t cap);

#endif
