# expect.sh - sourced by tests in sh: counts commands that succeed; sets dir (removed at the end), passed, failed.
dir=$(mktemp -d) && trap 'rm -rf "$dir"' EXIT
passed=0 failed=0
export BRAZE_CACHE_DIR=off

expect() { # DESCRIPTION COMMAND...
    what=$1
    shift
    if "$@" >"$dir/log" 2>&1; then
        passed=$((passed + 1))
    else
        failed=$((failed + 1))
        echo "FAILED: $what"
        cat "$dir/log"
    fi
}

# The last line and the status of the test.
report() {
    echo "$passed passed, $failed failed"
    [ "$failed" = 0 ]
}
