#!/bin/sh
# ops_doc.sh - writes docs/ops.md from the tables (ops.def, builders.def) to standard output.
#
#   table --cc -E--> ROW|field|field ... --awk--> a line of a Markdown table
set -eu
cd "$(dirname "$0")/.."

expand() { ${CC:-cc} -E -P -I. -x c - | grep '^ROW' | tr -d '\n' | sed 's/ROW /\n/g' | sed '1d'; }

cat <<'EOF'
# Ops
Made by `tools/ops_doc.sh` from `src/ir/ops.def` and `src/ir/builders.def`: do not edit.

## Elementwise
`bz_NAME(x, y, z)` in C, `NAME x, y, z` in the text form. Operands broadcast and are promoted. *floats*: integers and bool
become f32 first; *integers*: bool too, no floats. A gradient of 0 is known to be zero; "none" is an error that names the op.

| op | operands | dtypes | result | gradient | what it is |
|---|---|---|---|---|---|
EOF
printf '%s\n' '#define IR_BASE(E, name, arity, rule, flags, i, f, li, lf, dx, dy, dz, doc) ROW name~arity~rule~dx~dy~dz~doc' \
    '#define IR_OP(E, name, arity, rule, flags, value, dx, dy, dz, doc) ROW name~arity~rule~dx~dy~dz~doc' \
    '#include "src/ir/ops.def"' | expand | awk -F '~' '
    function plain(s) { gsub(/^[ \t]*"|"[ \t]*$/, "", s); gsub(/" *"/, "", s); gsub(/\|/, "\\|", s); return s }
    { for (i = 1; i <= 3; i++) gsub(/[ \t]/, "", $i) }
    $3 == "CONV" || $1 == "philox" { next }
    {
        kinds = $3 == "INT" ? "integers" : $3 == "FLOAT" ? "floats" : "all"
        result = $3 == "BOOL" ? "bool" : $3 == "SELECT" ? "as y" : $3 == "FLOAT" ? "float" : "as x"
        grad = ""
        for (i = 4; i < 4 + $2; i++) {
            d = plain($i)
            grad = grad (i > 4 ? ", " : "") (d == "-" ? "none" : d == "" ? "none" : d == "0" ? "0" : "`" d "`")
        }
        printf "| `%s` | %d | %s | %s | %s | %s |\n", $1, $2, kinds, result, grad, plain($7)
    }'
cat <<'EOF'

## Everything else
Names of the text form, with operands (`?`: may be left out, `*`: any number) and attributes with their defaults. C has most of them as
`bz_NAME`, with the attributes as arguments (`include/braze/tensor.h`, `move.h`, `nn.h`).

| builder | operands | attributes | results | what it is |
|---|---|---|---|---|
EOF
printf '%s\n' '#define IR_BUILDER(name, operands, attributes, results, doc, value) ROW name~operands~attributes~results~doc' \
    '#include "src/ir/builders.def"' | expand | awk -F '~' '
    function plain(s) { gsub(/^[ \t]*"|"[ \t]*$/, "", s); gsub(/" *"/, "", s); gsub(/\|/, "\\|", s); return s }
    function code(s) { s = plain(s); return s == "" ? "" : "`" s "`" }
    { gsub(/[ \t]/, "", $1); printf "| `%s` | %s | %s | %s | %s |\n", $1, code($2), code($3), code($4), plain($5) }'
