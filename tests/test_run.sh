#!/bin/sh
# test_run.sh - tests/run.sh: what programs say stays whole and in the order of the arguments however they end, and no kind of
# failure is lost.
set -u
src=${BRAZE_SRC:-.}
# shellcheck source=tests/support/expect.sh
. "$src/tests/support/expect.sh"

mkdir -p "$dir/tests" "$dir/gpu"
program() { # NAME TEXT
    printf '#!/bin/sh\n%s\n' "$2" >"$dir/$1"
    chmod +x "$dir/$1"
}
synthesis() { # TESTED PASSING
    echo "echo '[====] Synthesis: Tested: $1 | Passing: $2 | Failing: 0 | Crashing: 0'"
}
program tests/late "sleep 1; $(synthesis 3 3)"
program tests/fails "$(synthesis 5 3); exit 1"
program tests/status "$(synthesis 2 2); exit 1"
program tests/leaks "$(synthesis 1 1); echo 'SUMMARY: AddressSanitizer: 8 byte(s) leaked'"
program tests/silent.sh 'exit 0'
program tests/counts.sh 'echo "4 passed, 1 failed"; exit 1'
program tests/switches.sh 'echo "$(env | grep -c "^BRAZE_\(WARN\|DEVICE\|ISA\|CODE\|LLVM\)=") passed, 0 failed"'
program gpu/late 'exit 3'
program tests/killed 'kill -9 $$'
program tests/own_end 'kill -9 $PPID; sleep 1' # the timeout above it

run() { # PROGRAM...
    cd "$dir" && env -u BRAZE_TEST_FIRST BRAZE_TEST_JOBS=3 sh "$src/tests/run.sh" . "$@" >said 2>&1
}
said() { grep -v '^    ' "$dir/said" | sed 's/  *[0-9.]* s,  *[0-9.]* of a processor$//; s/   *passed/ passed/; s/  */ /g'; }
says() { # TEXT: the report without its details and times
    [ "$(said)" = "$1" ] || { said; false; }
}
fails() { ! "$@"; }

expect "a program that fails makes the run fail" fails run ./tests/late ./tests/silent.sh ./tests/own_end ./gpu/late ./tests/counts.sh
expect "the report is in order" says "late 3 passed 0 failed
silent.sh 1 passed 0 failed
own_end 0 passed 1 failed
gpu/late 0 passed 1 failed
counts.sh 4 passed 1 failed
8 passed, 3 failed"
expect "statuses, leaks and signals count" fails run ./tests/fails ./tests/status ./tests/leaks ./tests/killed
expect "as failures" says "fails 3 passed 2 failed
status 2 passed 1 failed
leaks 1 passed 1 failed
killed 0 passed 1 failed
6 passed, 5 failed"
expect "nothing failed" run ./tests/late ./tests/silent.sh
expect "the sum" says "late 3 passed 0 failed
silent.sh 1 passed 0 failed
4 passed, 0 failed"
run_switched() {
    export BRAZE_WARN=0 BRAZE_DEVICE=ref BRAZE_ISA=base BRAZE_CODE=1 BRAZE_LLVM=/nowhere
    run ./tests/switches.sh
}
expect "switches of the user's environment are not the tests'" run_switched
expect "but for the plug-in" says "switches.sh 1 passed 0 failed
1 passed, 0 failed"
report
