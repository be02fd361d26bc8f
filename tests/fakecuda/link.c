/* link.c - the driver's linker: PTX texts joined into one, which is what can run here.
 *
 *      .version 7.0 .target sm_75 .address_size 64   <- of the first text; the others lose theirs
 *      [body of the first text] [body of the second] ...
 *
 * A declaration in one text meets its definition in another when the joined text is loaded. Cubins
 * and objects hold machine code: CUDA_ERROR_NO_BINARY_FOR_GPU. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    fk_head head;
    char *text;
    size_t n;
    bool complete;
    unsigned n_jit;
    CUjit_option *options; /* the caller's; they must live as long as the state, says the manual */
    void **values;
} link_state;

static void complain(const link_state *s, const char *why) {
    fk_jit_logs(&(fk_jit){s->n_jit, s->options, s->values}, why, 0);
}

CUresult fk_cuLinkCreate_v2(unsigned n, CUjit_option *options, void **values, CUlinkState *out) {
    FK_VALID(out);
    FK_TRY(fk_jit_check(&(fk_jit){n, options, values}));
    link_state *s = fk_new(FK_LINK, sizeof *s);
    /* Programs' own arrays may be gone by the time that the logs are written into their buffers. */
    s->options = ptx_grow(NULL, n * sizeof *options);
    s->values = ptx_grow(NULL, n * sizeof *values);
    if (n) memcpy(s->options, options, n * sizeof *options);
    if (n) memcpy(s->values, values, n * sizeof *values);
    s->n_jit = n;
    *out = fk_handle(s);
    return CUDA_SUCCESS;
}

/* Blanks the three directives that stand at the head of every module. */
static void behead(char *text) {
    static const char *const words[] = {".version", ".target", ".address_size"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char *at = strstr(text, words[i]);
        while (at && *at && *at != '\n') *at++ = ' ';
    }
}

CUresult fk_cuLinkAddData_v2(CUlinkState handle, CUjitInputType type, void *data, size_t size,
                             const char *name, unsigned n, CUjit_option *options, void **values) {
    link_state *s = fk_get(handle, FK_LINK);
    FK_NEED(s && !s->complete, CUDA_ERROR_INVALID_HANDLE);
    FK_VALID(data && size > 0 && (unsigned)type < CU_JIT_NUM_INPUT_TYPES);
    FK_TRY(fk_jit_check(&(fk_jit){n, options, values}));
    fk_note("%s", name ? name : "");
    fk_image image = {.ptx = data, .ptx_len = strnlen(data, size)};
    const char *why = "only PTX can be linked here";
    CUresult status = CUDA_SUCCESS;
    if (type != CU_JIT_INPUT_PTX) {
        status = type == CU_JIT_INPUT_FATBINARY
                     ? fk_image_open(data, fk_current()->device->profile->sm, &image, &why)
                     : CUDA_ERROR_NO_BINARY_FOR_GPU;
    }
    if (status != CUDA_SUCCESS) {
        complain(s, why);
        return status;
    }
    char *text = s->text = ptx_grow(s->text, s->n + image.ptx_len + 2);
    memcpy(text + s->n, image.ptx, image.ptx_len);
    memcpy(text + s->n + image.ptx_len, "\n", 2);
    if (s->n > 0) behead(text + s->n);
    s->n += image.ptx_len + 1;
    fk_image_close(&image);
    return CUDA_SUCCESS;
}

CUresult fk_cuLinkAddFile_v2(CUlinkState state, CUjitInputType type, const char *path, unsigned n,
                             CUjit_option *options, void **values) {
    FK_VALID(path);
    size_t len;
    char *data = fk_read_file(path, &len);
    FK_NEED(data, CUDA_ERROR_FILE_NOT_FOUND);
    const CUresult status =
        fk_cuLinkAddData_v2(state, type, data, len + 1, path, n, options, values);
    free(data);
    return status;
}

/* The image belongs to the state. It is loaded once here, so that errors come from the linker. */
CUresult fk_cuLinkComplete(CUlinkState handle, void **image, size_t *size) {
    FK_OBJECT(link_state, s, FK_LINK, handle, CUDA_ERROR_INVALID_HANDLE);
    FK_VALID(image && s->text);
    fk_module *m;
    FK_TRY(fk_module_load(fk_current(), s->text, &(fk_jit){s->n_jit, s->options, s->values}, &m));
    fk_module_close(m);
    s->complete = true;
    *image = s->text;
    if (size) *size = s->n + 1;
    return CUDA_SUCCESS;
}

CUresult fk_cuLinkDestroy(CUlinkState handle) {
    FK_OBJECT(link_state, s, FK_LINK, handle, CUDA_ERROR_INVALID_HANDLE);
    free(s->text);
    free(s->options);
    free(s->values);
    fk_delete(s);
    return CUDA_SUCCESS;
}
