#!/bin/sh
# test_api_made.sh - what tools/api.py makes of the tables is what is checked in, and every page is linked to things that exist.
cd "${BRAZE_SRC:-.}" || exit 1
passed=0 failed=0
if "${PYTHON:-python3}" tools/api.py --check; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
if tools/docs.sh; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
