/* run_input.c - a file's PTX: CUDA C through NVRTC, fatbins unpacked, text as it is. */
#include "ptxrun.h"

#include "../fakecuda/fake.h"
#include "../gpu/nvrtc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool ends_with(const char *text, const char *end) {
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcmp(text + n - m, end);
}

static char *compile(const char *path, const char *source, unsigned sm, int *status) {
    static char log[65536];
    if (!nvrtc_present()) {
        fprintf(stderr, "ptxrun: NVRTC was not found: set BRAZE_NVRTC to libnvrtc.so's path\n");
        *status = EXIT_ENVIRONMENT;
        return NULL;
    }
    char *ptx = nvrtc_compile(source, path, sm, true, log, sizeof log);
    if (!ptx) {
        fprintf(stderr, "ptxrun: %s doesn't compile:\n%s\n", path, log);
        *status = EXIT_USAGE;
    }
    return ptx;
}

static char *unpack(const char *path, const char *data, unsigned sm, size_t *len, int *status) {
    fk_image image = {0};
    const char *why = "";
    if (fk_image_open(data, sm, &image, &why) != 0 || !image.ptx) {
        fprintf(stderr, "ptxrun: %s: %s\n", path, why);
        *status = EXIT_USAGE;
        return NULL;
    }
    char *text = malloc(image.ptx_len + 1);
    if (text) {
        memcpy(text, image.ptx, image.ptx_len);
        text[image.ptx_len] = 0;
        *len = image.ptx_len;
    }
    fk_image_close(&image);
    return text;
}

char *input_read(const char *path, unsigned sm, size_t *len, int *status) {
    char *data = fk_read_file(path, len);
    if (!data) {
        fprintf(stderr, "ptxrun: can't read %s: %s\n", path, strerror(errno));
        *status = EXIT_USAGE;
        return NULL;
    }
    char *text;
    if (ends_with(path, ".cu")) {
        text = compile(path, data, sm, status);
        *len = text ? strlen(text) : 0;
    } else if (*len > 64 && (uint8_t)data[0] >= 0x50 &&
               !memcmp(data + 2, (uint8_t[]){0x55, 0xba}, 2))
        text = unpack(path, data, sm % NVRTC_OWN, len, status);
    else if (*len > 4 && !memcmp(data, "\177ELF", 4)) {
        fprintf(stderr, "ptxrun: %s is a cubin: it holds no PTX to run\n", path);
        *status = EXIT_USAGE;
        text = NULL;
    } else
        return data;
    free(data);
    return text;
}
