#!/bin/sh
# test_headers.sh - each public header compiles alone, as C11 and as C++17, without a warning.
set -u
cd "${BRAZE_SRC:-.}" || exit 1
passed=0 failed=0
flags='-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror -Iinclude -fsyntax-only'

compiles() { # COMPILER STANDARD LANGUAGE HEADER
    # shellcheck disable=SC2086  # a list of flags
    if printf "#include \"%s\"\nextern int not_empty;\n" "$4" | $1 "-std=$2" -x "$3" $flags -; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $4 as $2"
    fi
}

for header in include/braze/*.h; do
    compiles "${CC:-cc}" c11 c "${header#include/}"
    compiles g++ c++17 c++ "${header#include/}"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
