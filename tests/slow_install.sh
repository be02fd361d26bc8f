#!/bin/sh
# slow_install.sh - what `make install` leaves behind is what a stranger needs: headers, both libraries with the
# soname, a pkg-config file that leads to them; and `make uninstall` takes all of it away again.
set -u
src=${BRAZE_SRC:-.}
# shellcheck source=tests/support/expect.sh
. "$src/tests/support/expect.sh"

cat >"$dir/main.c" <<'EOF'
#include <braze/version.h>
#include <stdio.h>
#include <braze/braze.h>
/* compiles a kernel: the plug-in is found without $BRAZE_LLVM, from any directory */
int main(void) {
    bz_context *c;
    if (bz_open(NULL, &c)) return 1;
    double v = bz_item(bz_neg(bz_rand(c, NULL, 0, BZ_F32)));
    if (bz_context_status(c)) fprintf(stderr, "%s\n", bz_message(c));
    printf("%d.%d.%d %d\n", BZ_VERSION_MAJOR, BZ_VERSION_MINOR, BZ_VERSION_PATCH, v <= 0);
    bz_close(c);
}
EOF
unset BRAZE_LLVM
export PKG_CONFIG_PATH="$dir/p/lib/pkgconfig"
pc() { pkg-config "$@" braze; }
uses_soname() { readelf -d "$dir/p/lib/libbraze.so" | grep -q 'SONAME.*\[libbraze.so.[0-9]*\]'; }
# shellcheck disable=SC2046  # lists of flags
links_shared() { "${CC:-cc}" "$dir/main.c" $(pc --cflags --libs) -Wl,-rpath,"$dir/p/lib" -o "$dir/shared"; }
# shellcheck disable=SC2046
links_static() {
    "${CC:-cc}" "$dir/main.c" $(pc --cflags) "$dir/p/lib/libbraze.a" -lm -ldl -pthread -o "$dir/static"
}
says_version() { [ "$(cd / && "$1")" = "$(pc --modversion) 1" ]; }
nothing_left() { [ -z "$(find "$dir/p" ! -type d)" ]; }

expect "make install" make -C "$src" install PREFIX="$dir/p" BUILD=release
expect "the shared library has a soname" uses_soname
expect "a program links through pkg-config" links_shared
expect "it runs and agrees about the version" says_version "$dir/shared"
expect "a program links libbraze.a" links_static
expect "it runs too" says_version "$dir/static"
expect "make uninstall" make -C "$src" uninstall PREFIX="$dir/p"
expect "nothing is left" nothing_left
report
