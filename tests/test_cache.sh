#!/bin/sh
# test_cache.sh - `braze cache`, and what `braze run` finds on disk; test_store.c looks at the files.
set -u
src=${BRAZE_SRC:-.} tool=${BRAZE_TOOL:-build/braze}
. "$src/tests/support/expect.sh"
export BRAZE_CACHE_DIR="$dir/cache"
unset BRAZE_DEBUG BRAZE_CACHE_MIB

cat >"$dir/p.bz" <<'EOT'
graph main(x: f32[3,40] = iota(start=-7, step=0.25)) {
    %1 = softmax %x
    %2 = argmax %1 {axes=[1]}
    return %1, %2 as where
}
EOT

says() { # STATUS PATTERN COMMAND...
    want=$1 pattern=$2
    shift 2
    "$@" >"$dir/said" 2>&1
    status=$?
    cat "$dir/said"
    [ "$status" = "$want" ] && grep -qE -e "$pattern" "$dir/said"
}
warm() { BRAZE_LLVM=/nonexistent "$tool" run "$dir/p.bz" 2>"$dir/why" | cmp - "$dir/plain"; }
cold() { says 3 'no usable libbraze-llvm' env BRAZE_LLVM=/nonexistent "$tool" run "$dir/p.bz"; }
damage() { for f in "$dir"/cache/*.k; do printf '\377' | dd of="$f" bs=1 seek=100 conv=notrunc 2>/dev/null; done; }

# ---- nothing there yet
expect "an empty cache" says 0 '/cache: 0 files, 0 kernels, 0 bytes of 256 MiB$' "$tool" cache
expect "... is whole" says 0 ': 0 files' "$tool" cache verify
expect "... and may be cleared" says 0 ': 0 names removed' "$tool" cache clear
expect "looking makes no directory" [ ! -e "$dir/cache" ]
expect "without a compiler nothing runs" cold

# ---- a warm process
BRAZE_CACHE_DIR=off "$tool" run "$dir/p.bz" >"$dir/plain"
expect "a cold run" sh -c '"$1" run "$2/p.bz" | cmp - "$2/plain"' - "$tool" "$dir"
expect "a warm run needs no compiler" warm
expect "... another context's neither" sh -c 'cd / && BRAZE_LLVM=/nonexistent "$1" run --threads 2 "$2/p.bz" | cmp - "$2/plain"' - "$(realpath "$tool")" "$dir"
expect "list" says 0 ' [KM]iB +[0-9]+ kernels? +x86-64.* [|] llvm [0-9.]+, build [0-9a-f]{16}$' "$tool" cache list
expect "... says the sum" says 0 '/cache: [1-9][0-9]* files?, [1-9][0-9]* kernels?, .* of 1 MiB$' env BRAZE_CACHE_MIB=1 "$tool" cache
expect "verify" says 0 ': [1-9][0-9]* files?, ' "$tool" cache verify

# ---- damage
damage
expect "verify tells of damage" says 1 '^damaged [0-9a-f]{32}[.]k: its checksum is wrong$' "$tool" cache verify
expect "damage is a miss" cold
damage
expect "... with a reason" says 0 '^braze: cache: no use of .*/cache/[0-9a-f]{32}[.]k: its checksum is wrong$' env BRAZE_DEBUG=1 "$tool" run "$dir/p.bz"
expect "... and mended" warm
expect "... as verify sees" says 0 ': [1-9]' "$tool" cache verify

# ---- a directory that others may write to
chmod 777 "$dir/cache"
expect "nobody trusts it" cold
expect "... with a reason" says 0 'cache: no use of .*: others may write to it' env BRAZE_DEBUG=1 "$tool" run "$dir/p.bz"
expect "... nor lists it" says 3 'no use of .*/cache: others may write to it' "$tool" cache list
chmod 700 "$dir/cache"
expect "until it is one's own again" warm

# ---- clear, switches, usage
expect "clear" says 0 ': [1-9][0-9]* names? removed$' "$tool" cache clear
expect "nothing is left" sh -c '[ -z "$(ls -A "$1")" ]' - "$dir/cache"
expect "off" says 3 'no code is kept on disk: BRAZE_CACHE_DIR is off' env BRAZE_CACHE_DIR=off "$tool" cache
expect "empty is off" says 3 'BRAZE_CACHE_DIR is off' env BRAZE_CACHE_DIR= "$tool" cache
expect "the default" says 0 "^$dir/xdg/braze: 0 files" env -u BRAZE_CACHE_DIR XDG_CACHE_HOME="$dir/xdg" "$tool" cache
expect "the home's" says 0 "^$dir/home/.cache/braze: 0 files" env -u BRAZE_CACHE_DIR -u XDG_CACHE_HOME HOME="$dir/home" "$tool" cache
expect "no home" says 3 'no XDG_CACHE_HOME nor HOME' env -u BRAZE_CACHE_DIR -u XDG_CACHE_HOME -u HOME "$tool" cache
expect "another word" says 2 "'wipe' is none of list, verify, clear" "$tool" cache wipe
expect "a word too much" says 2 "'all' is too much" "$tool" cache clear all
expect "a limit of nothing keeps nothing" sh -c 'BRAZE_CACHE_MIB=0 "$1" run "$2/p.bz" >"$2/out" && [ -z "$(ls -A "$2/cache")" ]' - "$tool" "$dir"

# ---- two at once, cold
BRAZE_CACHE_DIR=off "$tool" run "$dir/p.bz" >"$dir/plain"
both() {
    "$tool" run "$dir/p.bz" >"$dir/one" &
    one=$!
    "$tool" run "$dir/p.bz" >"$dir/two" && wait $one && cmp "$dir/one" "$dir/plain" && cmp "$dir/two" "$dir/plain"
}
expect "two cold processes" both
expect "... leave what a third can use" warm
report
