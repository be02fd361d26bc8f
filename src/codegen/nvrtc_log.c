/* nvrtc_log.c - what the assembler says of each function in NVRTC's log (--ptxas-options=-v):
 *
 *     ptxas info    : Compiling entry function 'k_softmax_0' for 'sm_80'
 *     ptxas         .     0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
 *     ptxas info    : Used 32 registers, used 1 barriers, 128 bytes smem, 360 bytes cmem[0] */
#include "src/codegen/nvrtc.h"

#include <stdlib.h>
#include <string.h>

#define ENTRY "Compiling entry function '"

/* The number before `word` in text[0..n); 0: it is not there. */
static unsigned before(const char *text, size_t n, const char *word) {
    const char *at = memmem(text, n, word, strlen(word));
    while (at && at > text && at[-1] >= '0' && at[-1] <= '9') at--;
    return at ? (unsigned)strtoul(at, NULL, 10) : 0;
}

bool nvrtc_next_use(const char **log, nvrtc_use *u) {
    const char *at = *log ? strstr(*log, ENTRY) : NULL;
    if (!at) return false;
    at += strlen(ENTRY);
    const char *next = strstr(at, ENTRY);
    const size_t n = next ? (size_t)(next - at) : strlen(at);
    *u = (nvrtc_use){.name = at,
                     .name_bytes = strcspn(at, "'"),
                     .registers = before(at, n, " registers"),
                     .stack = before(at, n, " bytes stack frame"),
                     .spilled = before(at, n, " bytes spill stores"),
                     .shared = before(at, n, " bytes smem")};
    *log = next;
    return true;
}
