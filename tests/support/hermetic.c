/* hermetic.c - what a test compiles is kept nowhere and found nowhere, unless the test itself says where. */
#include <stdlib.h>

__attribute__((constructor)) static void keep_nothing(void) {
    setenv("BRAZE_CACHE_DIR", "off", 0);
}
