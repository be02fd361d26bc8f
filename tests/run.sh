#!/bin/sh
# run.sh - run test programs one after another and add up what they report.
#   tests/run.sh BUILD_DIR PROGRAM...
# A program is a Criterion binary, or prints a line `N passed, N failed`; without either it is one test
# whose status is the result. A failing status or a sanitizer's finding counts as one failure when the
# report itself is clean.
# The last line is the sum; the exit status is 0 only when nothing failed.
set -u
build=$1
shift
logs=$build/tests/logs
mkdir -p "$logs"
limit=${BRAZE_TEST_TIMEOUT:-900}
passed=0 failed=0

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
    case $1 in
    *.py) timeout "$limit" "${PYTHON:-python3}" "$1" ;;
    *.sh) timeout "$limit" sh "$1" ;;
    *) timeout "$limit" "$1" ${BRAZE_TEST_FLAGS:-} ;;
    esac
}

for program in "$@"; do
    name=$(basename "$program")
    log=$logs/$name.log
    start=$(date +%s.%N)
    run "$program" >"$log" 2>&1
    status=$?
    result=$(counts "$log")
    good=${result% *} bad=${result#* }
    if [ -z "$result" ]; then
        good=$((status == 0)) bad=$((status != 0))
    fi
    # Criterion passes over leaks that a test's process reports at its end.
    if [ "$bad" = 0 ] && { [ "$status" != 0 ] || grep -q '^SUMMARY: .*Sanitizer' "$log"; }; then
        bad=1
    fi
    took=$(echo "$start $(date +%s.%N)" | awk '{printf "%.1f", $2 - $1}')
    printf '%-28s %5d passed %3d failed  %6s s\n' "$name" "$good" "$bad" "$took"
    if [ "$bad" != 0 ]; then
        sed 's/^/    /' "$log" | tail -n 60
        echo "    (exit status $status, log in $log)"
    fi
    passed=$((passed + good)) failed=$((failed + bad))
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
