/* explain_write.c - an explanation as a file, in each of its forms. */
#include "runtime/io/array.h"
#include "runtime/explain/explain.h"

#include <stdio.h>

bz_status bz_write_explanation(const bz_explanation *x, bz_explain_format f, const char *path) {
    RT_BORDER;
    static void (*const writers[])(bz_text *, const bz_explanation *) = {
        rt_explain_text, rt_explain_json, rt_explain_svg};
    if (!x || (unsigned)f >= BZ_LEN(writers))
        return rt_stray(NULL, BZ_EARG,
                        x ? "[write_explanation] there is no such format"
                          : "[write_explanation] the explanation is NULL");
    bz_text t = {0};
    writers[f](&t, x);
    bz_status s = t.failed ? BZ_ENOMEM : BZ_OK;
    if (!s && path)
        s = rt_file_replace_text(path, &t, NULL);
    else if (!s && fwrite(bz_text_c(&t), 1, t.n, stdout) != t.n)
        s = BZ_EIO;
    bz_text_free(&t);
    return s;
}
