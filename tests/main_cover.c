/* main_cover.c - a fuzzer's inputs come from libFuzzer. */
#include "tests/support/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) {
    fuzz_bytes(p, n);
    return 0;
}
