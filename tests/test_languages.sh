#!/bin/sh
# test_languages.sh - one program with numbers beside tensors means the same in C11 and C++17, for gcc and clang (where it is
# installed), without a warning; what is no operand does not compile, and the compiler says why.
set -u
src=${BRAZE_SRC:-.}
# shellcheck source=tests/support/expect.sh
. "$src/tests/support/expect.sh"
flags="-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wdouble-promotion -Werror -I$src/include"

# ---- a program of both: COMPILER...
# shellcheck disable=SC2086  # lists of flags
compiles() { "$@" $flags -c -o "$dir/program.o" -x "$language" "$src/tests/languages/operands.c"; }
# shellcheck disable=SC2086
links() { ${CC:-cc} ${BRAZE_SANITIZE:-} "$dir/program.o" "$BRAZE_BUILD/libbraze.a" -lm -ldl -pthread -o "$dir/program"; }
says() { "$dir/program" >"$dir/got" && diff "$src/tests/languages/operands.txt" "$dir/got"; }

program() {
    expect "$* compiles the program" compiles "$@"
    expect "$* links it" links
    expect "what it says, by $*" says
}

# ---- what does not compile: TEXT STATEMENT
fails() { # TEXT COMPILER...
    text=$1
    shift
    # shellcheck disable=SC2086
    if "$@" $flags -fsyntax-only -x "$language" "$dir/mistake.c"; then return 1; fi 2>"$dir/said"
    cat "$dir/said"
    grep -Eq "$text" "$dir/said"
}

mistake() {
    cat >"$dir/mistake.c" <<C
#include <braze/braze.h>
void f(bz_tensor *x, const char *s, long double l);
void f(bz_tensor *x, const char *s, long double l) {
    (void)x, (void)s, (void)l;
    $2;
}
C
    for compiler in $c_compilers; do
        language=c
        expect "$compiler refuses $2" fails "$1" "$compiler" -std=c11
    done
    for compiler in $cxx_compilers; do
        language=c++
        expect "$compiler refuses $2" fails "$1" "$compiler" -std=c++17
    done
}

c_compilers=gcc cxx_compilers=g++
if command -v clang++ >/dev/null; then
    c_compilers="gcc clang" cxx_compilers="g++ clang++"
fi
for c in $c_compilers; do
    language=c
    program "$c" -std=c11
done
for cxx in $cxx_compilers; do
    language=c++
    program "$cxx" -std=c++17
done
mistake 'one of the operands must be a tensor' 'bz_add(1, 2)'
mistake 'one of the operands must be a tensor' 'bz_where(true, 1, 0)'
mistake 'as many strides as sizes' 'bz_as_strided(x, BZ_STRIDED((2, 2), (1)), 0)'
for wrong in 'BZ_SHAPE(2, 2), BZ_SHAPE(2, 1)' '(2, 2), s' 's, (2, 1)'; do
    mistake 'each list in parentheses' "bz_as_strided(x, BZ_STRIDED($wrong), 0)"
done
mistake 'char *(const)? *\*|operand is a bz_tensor \*|const T' 'bz_mul(x, s)'
mistake 'long double' 'bz_mul(x, l)'
mistake '' 'bz_add_(1, x)'
report
