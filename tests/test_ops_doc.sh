#!/bin/sh
# test_ops_doc.sh - docs/ops.md is what the tables give now, and every page is linked to things that exist.
cd "${BRAZE_SRC:-.}" || exit 1
passed=0 failed=0
if tools/ops_doc.sh | diff - docs/ops.md; then
    passed=$((passed + 1))
else
    echo "run tools/ops_doc.sh > docs/ops.md"
    failed=$((failed + 1))
fi
if tools/docs.sh; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
