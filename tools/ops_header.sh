#!/bin/sh
# ops_header.sh - writes include/braze/ops.h from the op table to standard output.
#
#   src/ir/ops.def --cc -E--> ROW(name, arity, flags, doc) --awk--> declarations and macros
set -eu
cd "$(dirname "$0")/.."

table='
#define IR_BASE(E, name, arity, rule, flags, i, f, li, lf, dx, dy, dz, doc) ROW name|arity|rule|doc
#define IR_OP(E, name, arity, rule, flags, value, dx, dy, dz, doc) ROW name|arity|rule|doc
#include "src/ir/ops.def"
'
cat <<'EOF'
/* ops.h - one builder per elementwise op. Made by tools/ops_header.sh from src/ir/ops.def: do not edit.
 *
 * Operands broadcast (NumPy's rule) and are promoted as PyTorch does; 0-d operands do not promote within a category (bool, integer,
 * float). Ops that need floats cast integers and bool to f32 first. Of two or three operands all but one may be numbers: bz_mul(x, 2),
 * operand.h. The result belongs to the innermost scope; on an error (BZ_ESHAPE, BZ_EDTYPE) it is poisoned. */
#ifndef BRAZE_OPS_H
#define BRAZE_OPS_H

#include "braze/operand.h"

EOF
echo "$table" | ${CC:-cc} -E -P -I. -x c - | grep '^ROW' | tr -d '\n' | sed 's/ROW /\n/g' | sed '1d' |
    awk -F '|' '
    { gsub(/^[ \t]+|[ \t]+$/, "", $1); gsub(/[ \t]/, "", $2); gsub(/[ \t]/, "", $3) }
    $3 == "CONV" || $1 == "philox" { next }
    {
        doc = $4
        for (i = 5; i <= NF; i++) doc = doc "|" $i
        gsub(/^[ \t]*"|"[ \t]*$/, "", doc)
        what = $3 == "BOOL" ? " -> bool" : $3 == "INT" ? " (integers, bool)" : $3 == "FLOAT" ? " (floats)" : ""
        split("x y z", names, " ")
        params = args = given = ""
        for (i = 1; i <= $2; i++) {
            params = params (i > 1 ? ", " : "") "bz_tensor *" names[i]
            args = args (i > 1 ? ", " : "") names[i]
            given = given "(" names[i] "), "
        }
        printf "/* %s%s */\n", doc, what
        printf "BZ_API bz_tensor *bz_%s_at(%s, const char *site);\n", $1, params
        if ($2 == 1)
            printf "#define bz_%s(%s) bz_%s_at(%sBZ_SITE)\n", $1, args, $1, given
        else
            printf "#define bz_%s(%s) BZ_WITH_%d_(bz_%s_at, %s)\n", $1, args, $2, $1, args
    }'
echo
echo '#endif'
