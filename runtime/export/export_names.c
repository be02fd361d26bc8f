/* export_names.c - names for C and C++: which ones an exported function can have, and what becomes of an input's or output's name.
 *
 * A member of a struct meets keywords and the macros and types of the headers that its own header includes. A function also meets
 * everything that its program is linked with: the C library is asked what it defines, so there is no list to grow old. */
#include "runtime/export/export.h"

#include <ctype.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

/* Keywords of C11, C23 and C++23, names that compilers make macros of, and our own members. */
static const char keywords[] =
    " alignas alignof and and_eq asm assert atomic_cancel atomic_commit atomic_noexcept auto bitand"
    " bitor bool break case catch char char16_t char32_t char8_t class co_await co_return co_yield"
    " compl complex concept const const_cast consteval constexpr constinit continue decltype "
    "default"
    " delete do double dynamic_cast else enum explicit export extern false float for friend goto if"
    " imaginary inline int linux long mutable namespace new noexcept not not_eq nullptr operator or"
    " or_eq private protected public register reinterpret_cast requires restrict return short "
    "signed"
    " sizeof static static_assert static_cast struct switch synchronized template this thread_local"
    " throw true try typedef typeid typename typeof typeof_unqual union unix unsigned using virtual"
    " void volatile wchar_t while workspace workspace_bytes xor xor_eq ";

/* What <stdbool.h>, <stddef.h> and <stdint.h> define, but for the patterns below; macros of <errno.h> and <complex.h>. */
static const char header_names[] = " I NULL errno offsetof size_t ptrdiff_t max_align_t nullptr_t ";

/* No symbols of the C library, yet no name for a function: F_OK is a macro of <unistd.h>, as are R_OK, W_OK and X_OK; the others
 * are macros of <math.h>, <errno.h>, <setjmp.h>, <stdarg.h>, <alloca.h>. */
static const char no_functions[] =
    " F R W X alloca errno fpclassify isfinite isgreater isgreaterequal isless islessequal"
    " islessgreater isnormal isunordered main setjmp signbit std va_arg va_copy va_end va_start ";

static bool is_listed(const char *list, const char *s) {
    char word[32];
    if (strlen(s) > sizeof word - 3) return false;
    snprintf(word, sizeof word, " %s ", s);
    return strstr(list, word) != NULL;
}

static bool ends_with(const char *s, const char *end) {
    size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

/* int8_t, UINT_LEAST16_MAX, SIZE_MAX, WCHAR_MIN, INTPTR_WIDTH ... */
static bool is_of_stdint(const char *s) {
    bool type = strncmp(s, "int", 3) == 0 || strncmp(s, "uint", 4) == 0;
    if (type) return ends_with(s, "_t");
    return isupper((unsigned char)*s) &&
           (ends_with(s, "_MAX") || ends_with(s, "_MIN") || ends_with(s, "_WIDTH"));
}

static bool is_reserved(const char *s) {
    return is_listed(keywords, s) || is_listed(header_names, s) || is_of_stdint(s);
}

static bool is_word_char(char c) {
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* A leading underscore belongs to the implementation, a double one to C++. */
static bool is_identifier(const char *s) {
    size_t n = strlen(s);
    if (n == 0 || n > 63 || s[0] == '_' || isdigit((unsigned char)s[0]) || is_reserved(s))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!is_word_char(s[i])) return false;
    return strstr(s, "__") == NULL;
}

void ex_member_name(char out[64], const char *s) {
    size_t n = 0;
    for (; *s && n < 48; s++) {
        char c = is_word_char(*s) ? *s : '_';
        if (n == 0 && (c == '_' || isdigit((unsigned char)c))) out[n++] = 'x';
        if (c != '_' || out[n - 1] != '_') out[n++] = c;
    }
    out[n] = 0;
    if (n == 0) strcpy(out, "x");
    if (is_reserved(out)) strcat(out, "_");
}

/* ---- functions */

/* Does a library that every C program may be linked with define it? One that is not loaded here has not been asked. */
static bool is_of_library(const char *name) {
    static const char *const libraries[] = {"libc.so.6", "libm.so.6"};
    bool found = false;
    for (unsigned i = 0; i < BZ_LEN(libraries) && !found; i++) {
        void *library = dlopen(libraries[i], RTLD_LAZY | RTLD_NOLOAD);
        found = library && dlsym(library, name);
        if (library) dlclose(library);
    }
    return found;
}

/* Its name, or one of the two that come with it. */
static const char *library_symbol(const char *fn, char room[96]) {
    static const char *const ends[] = {"", "_workspace", "_error"};
    for (unsigned i = 0; i < BZ_LEN(ends); i++) {
        snprintf(room, 96, "%s%s", fn, ends[i]);
        if (is_of_library(room)) return room;
    }
    return NULL;
}

bz_status ex_check_function_name(const char *fn, bz_error *e) {
    char room[96];
    if (!fn || !is_identifier(fn) || is_listed(no_functions, fn))
        return bz_fail(e, BZ_EARG,
                       "[export] \"%.100s\" is no function name for C and C++ (letters, digits, "
                       "single underscores, no keyword, at most 63 characters)",
                       fn ? fn : "");
    if (strncmp(fn, "bz_", 3) == 0)
        return bz_fail(e, BZ_EARG, "[export] \"%s\": names that begin with bz_ are braze's own",
                       fn);
    const char *taken = library_symbol(fn, room);
    if (taken)
        return bz_fail(e, BZ_EARG, "[export] \"%s\" cannot be defined: the C library has %s", fn,
                       taken);
    return BZ_OK;
}
