#!/bin/sh
# run.sh - run test programs, several at a time, and add up what they report.
#   tests/run.sh BUILD_DIR PROGRAM...
# A program is a Criterion binary, or prints a line `N passed, N failed`; without either it is one test
# whose status is the result. A failing status or a sanitizer's finding counts as one failure when the
# report itself is clean.
# BRAZE_TEST_JOBS programs (as many as there are processors) run at once; what each one says stays together, in the order of
# the arguments. The last line is the sum; the exit status is 0 only when nothing failed.
#
#   programs --> xargs -P --> run.sh BUILD --one PROGRAM --> tell_all: the sum
#                                          \-- logs/NAME.log, NAME.result --/
set -u

# BUILD/tests/test_x -> test_x, BUILD/gpu/test_x -> gpu/test_x, tests/test_x.sh -> test_x.sh
name_of() {
    name=${1#"$build"/}
    name=${name#tests/}
}

log_of() {
    name_of "$1"
    log=$logs/$(echo "$name" | tr / -)
    result=$log.result log=$log.log
}

# Prints "passed failed" as the log $1 tells, nothing when it tells none.
counts() {
    sed 's/\x1b\[[0-9;]*m//g' "$1" | awk '
        /Synthesis: Tested: / {
            for (i = 1; i < NF; i++) {
                if ($i == "Tested:") tested = $(i + 1) + 0
                if ($i == "Passing:") passing = $(i + 1) + 0
            }
            result = passing " " (tested - passing)
        }
        /^[0-9]+ passed, [0-9]+ failed$/ {result = $1 " " $3}
        END {if (result != "") print result}'
}

run() {
    limit=${BRAZE_TEST_TIMEOUT:-900}
    case $1 in
    *.py) timeout "$limit" "${PYTHON:-python3}" "$1" ;;
    *.sh) timeout "$limit" sh "$1" ;;
    *) timeout "$limit" "$1" ${BRAZE_TEST_FLAGS:-} ;;
    esac
}

# Runs a program; leaves "passed failed status seconds processor" in its result, and says that it ended.
run_one() {
    log_of "$1"
    start=$(date +%s.%N)
    run "$1" >"$log" 2>&1 </dev/null
    status=$?
    # The last line of `times`: user and system time of what this shell (a subshell would not) has waited for, as 1m2.3s.
    times >"$log.times"
    spent=$(tail -n 1 "$log.times" | awk -F '[ms ]+' '{printf "%.1f", $1 * 60 + $2 + $3 * 60 + $4}')
    sum=$(counts "$log")
    good=${sum% *} bad=${sum#* }
    if [ -z "$sum" ]; then
        good=$((status == 0)) bad=$((status != 0))
    fi
    # Criterion passes over leaks that a test's process reports at its end.
    if [ "$bad" = 0 ] && { [ "$status" != 0 ] || grep -q '^SUMMARY: .*Sanitizer' "$log"; }; then
        bad=1
    fi
    took=$(echo "$start $(date +%s.%N)" | awk '{printf "%.1f", $2 - $1}')
    echo "$good $bad $status $took $spent" >"$result"
    echo "$1"
}

tell() {
    log_of "$1"
    read -r good bad status took spent <"$result"
    printf '%-28s %5d passed %3d failed  %6s s, %6s of a processor\n' "$name" "$good" "$bad" "$took" "$spent"
    if [ "$bad" != 0 ]; then
        sed 's/^/    /' "$log" | tail -n 60
        echo "    (exit status $status, log in $log)"
    fi
    passed=$((passed + good)) failed=$((failed + bad))
}

# The order of beginning: what BRAZE_TEST_FIRST names (the longest, lest the others wait for them at the end), then the scripts,
# which do one thing after another, then the rest.
by_length() {
    for program in "$@"; do
        rank=3
        case $program in *.sh | *.py) rank=2 ;; esac
        case " ${BRAZE_TEST_FIRST:-} " in *" $program "*) rank=1 ;; esac
        echo "$rank $program"
    done | sort -s -n -k 1,1 | cut -d ' ' -f 2-
}

# Tells of the programs in their order, as far as they have ended, whenever one ends. One that left no result (its runner was
# killed) is a failure.
tell_all() {
    passed=0 failed=0
    while read -r _; do
        while [ $# -gt 0 ] && log_of "$1" && [ -s "$result" ]; do
            tell "$1"
            shift
        done
    done
    for program in "$@"; do
        log_of "$program"
        [ -s "$result" ] || echo "0 1 - 0 0" >"$result"
        tell "$program"
    done
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}

build=$1 logs=$1/tests/logs
shift
if [ "$1" = --one ]; then
    run_one "$2"
    exit
fi
# The switches of whoever runs the tests are not the tests' (BRAZE_LLVM is: mk/test.mk sets it). Nothing is kept from test to test.
for switch in $(sed -n 's/^| `\(BRAZE_[A-Z_]*\)` .*/\1/p' "${BRAZE_SRC:-.}/docs/switches.md"); do
    [ "$switch" = BRAZE_LLVM ] || unset "$switch"
done
export BRAZE_CACHE_DIR=off
mkdir -p "$logs"
rm -f "$logs"/*
jobs=${BRAZE_TEST_JOBS:-$(nproc)}
# A Criterion program has processes of its own: a few each, so that there are not jobs times jobs.
export CRITERION_JOBS="${CRITERION_JOBS:-$((jobs < 4 ? jobs : 4))}"
by_length "$@" | xargs -P "$jobs" -n 1 sh "$0" "$build" --one | tell_all "$@"
