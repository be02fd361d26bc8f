/* nvrtc.h - CUDA C to PTX by the run-time compiler, where the machine has it. */
#ifndef GPU_NVRTC_H
#define GPU_NVRTC_H

#include <stdbool.h>
#include <stddef.h>

/* True once the compiler could be opened: $BRAZE_NVRTC, else libnvrtc in the usual places. */
bool nvrtc_present(void);

/* Every later compilation gets -Ivalue or -Dvalue; false: too many or too long. */
bool nvrtc_flag(char letter, const char *value);

/* Beside a target: the one of its own, sm_90a for 90. */
enum { NVRTC_OWN = 1000 };

/* PTX of `source` for compute_`sm`, with the line numbers of `name` if `lines`; the caller frees
 * it.
 * NULL when it does not compile; the compiler's words are then in `log`. */
char *nvrtc_compile(const char *source, const char *name, unsigned sm, bool lines, char *log,
                    size_t cap);

/* As nvrtc_compile, but through the assembler, which checks what the front end does not (inline
 * PTX).
 * True when an image for sm_`sm` could be made. */
bool nvrtc_assembles(const char *source, const char *name, unsigned sm, char *log, size_t cap);

#endif
