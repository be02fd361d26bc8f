#!/bin/sh
# slow_extending.sh - does what docs/extending.md says, on a copy of the tree.
#
#   ```LANG FILE   a file that is not there is made; to one that is there the text is added before its last lines that are
#                  an #undef or #endif. All of them first: a line in a table is read by nearly every file, and so they are built once
#   ```sh          is run, with `set -e`
set -u
export BRAZE_CACHE_DIR=off
cd "$BRAZE_SRC" || exit 2
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cp -R Makefile mk include src runtime tools examples docs README.md CHANGELOG.md "$work" && mkdir -p "$work/bench" "$work/tests" && cp -R tests/far tests/ir "$work/tests" || exit 2
page=$BRAZE_SRC/docs/extending.md
cd "$work" || exit 2

# Splits the page into block-NN (its text) and block-NN.kind ("sh" or the file's name).
awk '
    /^```/ && on { on = 0; close(out); next }
    /^```/ { on = 1; out = sprintf("block-%02d", ++n); print (NF > 1 ? $2 : substr($1, 4)) > (out ".kind"); close(out ".kind"); next }
    on { print > out }' "$page"

add_to() { # FILE TEXT: before the closing lines
    if [ -e "$1" ]; then
        awk -v text="$2" '
            { line[NR] = $0 }
            END {
                end = NR
                while (end > 0 && line[end] ~ /^(#undef|#endif|$)/) end--
                for (i = 1; i <= end; i++) print line[i]
                while ((getline new < text) > 0) print new
                for (; i <= NR; i++) print line[i]
            }' "$1" >"$1.new" && mv "$1.new" "$1"
    else
        cp "$2" "$1"
    fi
}

# The library is built, not measured: without optimisation.
unset MAKEFLAGS MAKELEVEL MFLAGS
export CFLAGS='-O0 -g0'
passed=0 failed=0
for block in block-??; do
    kind=$(cat "$block.kind")
    [ "$kind" = sh ] || add_to "$kind" "$block"
done
for block in block-??; do
    [ "$(cat "$block.kind")" = sh ] || continue
    if MAKEFLAGS=-j2 BRAZE_LLVM=$work/build/libbraze-llvm.so sh -e -x "$block" >log 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED $block of docs/extending.md"
        tail -n 15 log
    fi
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" -ge 4 ]
