#!/bin/sh
# slow_install.sh - what `make install` leaves behind is what a stranger needs, at a PREFIX that has blanks: headers, both libraries
# with the soname, a pkg-config file that leads to them, a plug-in that is found; and `make uninstall` takes all of it away again.
# The program is the one in README.md.
set -u
src=${BRAZE_SRC:-.} cc=${CC:-cc}
# shellcheck source=tests/support/expect.sh
. "$src/tests/support/expect.sh"
unset BRAZE_LLVM MAKEFLAGS MFLAGS MAKELEVEL
prefix="$dir/a prefix & more"
export PKG_CONFIG_PATH="$prefix/lib/pkgconfig"

awk '/^```c$/ {on = 1; next} /^```$/ {if (on) exit} on' "$src/README.md" >"$dir/program.c"
printf '#include <braze/version.h>\nBZ_VERSION_MAJOR.BZ_VERSION_MINOR.BZ_VERSION_PATCH\n' >"$dir/version.c"

tree() { make -C "$src" "$@" PREFIX="$prefix" BUILD=release; }
uses_soname() { readelf -d "$prefix/lib/libbraze.so" | grep -q 'SONAME.*\[libbraze.so.[0-9]*\]'; }
# pkg-config quotes blanks for a shell, which has to look at them once more.
links() { # NAME LIBRARIES...
    eval "$cc \"\$dir/program.c\" $(pkg-config --cflags braze) $2 -o \"\$dir/$1\""
}
says_version() {
    said=$(eval "$cc -E -P $(pkg-config --cflags braze) \"\$dir/version.c\"" | tail -n 1 | tr -d ' ')
    [ "$said" = "$(pkg-config --modversion braze)" ]
}
runs() { (cd / && "$dir/$1") >"$dir/said" 2>&1 && grep -q '^\[\[' "$dir/said"; }
# Without the plug-in: no value, a status, and words that name it and the way out.
says() { ! (cd / && "$dir/$1") >"$dir/said" 2>&1 && grep -q 'no usable libbraze-llvm.so (set BRAZE_LLVM' "$dir/said"; }
is_staged() { [ -e "$dir/stage$prefix/lib/libbraze.so" ] && grep -q "^prefix=$dir/a.* prefix" "$dir/stage$prefix/lib/pkgconfig/braze.pc"; }
nothing_left() { [ -z "$(find "$prefix" "$dir/stage" ! -type d)" ]; }
fails() { ! "$@"; }

expect "make install" tree install
expect "the shared library has a soname" uses_soname
expect "a program links through pkg-config" links shared "$(pkg-config --libs braze)"
expect "it finds the library and the plug-in" runs shared
expect "pkg-config and the headers agree about the version" says_version
expect "a program links libbraze.a alone" links static "\"\$prefix/lib/libbraze.a\" -lm -ldl -pthread"
expect "it finds the plug-in" runs static
expect "so does the tool" sh -c "cd / && printf 'graph main(x: f32[2] = 1.5) {\n    %%y = neg %%x\n    return %%y as y\n}\n' | '$prefix/bin/braze' run -"
mkdir "$dir/away" && mv "$prefix/lib/libbraze-llvm.so" "$dir/away"
expect "without the plug-in the shared program says so" says shared
expect "and the static one" says static
expect "BRAZE_LLVM leads to it" env BRAZE_LLVM="$dir/away/libbraze-llvm.so" "$dir/static"
sed '/bz_message/d; s/ != BZ_OK//; s/return s;/return 0;/' "$dir/program.c" >"$dir/careless.c" && mv "$dir/careless.c" "$dir/program.c"
expect "a program that looks at no status" links careless "\"\$prefix/lib/libbraze.a\" -lm -ldl -pthread"
expect "ends with the words" sh -c "cd / && '$dir/careless' 2>&1 | grep 'braze: error: .*no usable libbraze-llvm.so'"
expect "make install with DESTDIR" tree install DESTDIR="$dir/stage"
expect "lies there and knows its prefix" is_staged
expect "a relative PREFIX is refused" fails make -C "$src" install PREFIX=somewhere BUILD=release
expect "make uninstall" tree uninstall
expect "with DESTDIR" tree uninstall DESTDIR="$dir/stage"
expect "nothing is left" nothing_left
report
