#!/bin/sh
# test_ops_header.sh - include/braze/ops.h is what the op table gives now.
cd "${BRAZE_SRC:-.}" || exit 1
if tools/ops_header.sh | diff - include/braze/ops.h; then
    echo "1 passed, 0 failed"
else
    echo "run tools/ops_header.sh > include/braze/ops.h"
    echo "0 passed, 1 failed"
    exit 1
fi
