/* status.h - what every braze call that can fail returns.
 *
 * Two kinds of failure reach a caller: a mistake of theirs (shape, dtype, axis, syntax ...) and the environment (memory,
 * device, file, compiler). Both are statuses; the text that goes with one is kept in the context (bz_message). */
#ifndef BRAZE_STATUS_H
#define BRAZE_STATUS_H

/* X(name, text): the status and what `bz_status_text` says of it. */
#define BZ_STATUSES(X)                                                                             \
    X(BZ_OK, "done")                                                                               \
    X(BZ_EARG, "bad argument")                                                                     \
    X(BZ_ESHAPE, "shapes do not fit")                                                              \
    X(BZ_EDTYPE, "dtype does not fit")                                                             \
    X(BZ_EAXIS, "axis out of range or repeated")                                                   \
    X(BZ_EINDEX, "index out of range")                                                             \
    X(BZ_EPARSE, "text does not parse")                                                            \
    X(BZ_EGRAD, "no gradient")                                                                     \
    X(BZ_EMODE, "not possible in this mode")                                                       \
    X(BZ_ESCOPE, "tensor or scope no longer alive")                                                \
    X(BZ_EUNSUPPORTED, "not supported by this pass or target")                                     \
    X(BZ_EFORMAT, "file damaged or of another format")                                             \
    X(BZ_EIO, "input or output failed")                                                            \
    X(BZ_ENOMEM, "out of memory")                                                                  \
    X(BZ_EDEVICE, "device not usable")                                                             \
    X(BZ_ECOMPILE, "compiler not usable or failed")                                                \
    X(BZ_EBUSY, "used by two threads at once")                                                     \
    X(BZ_EINTERRUPTED, "interrupted")                                                              \
    X(BZ_ELIMIT, "a limit of the context is reached")                                              \
    X(BZ_ENAN, "a NaN or an infinity came about")

typedef enum bz_status {
#define BZ_STATUS_ENUM(name, text) name,
    BZ_STATUSES(BZ_STATUS_ENUM)
#undef BZ_STATUS_ENUM
} bz_status;

#endif
