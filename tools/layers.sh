#!/bin/sh
# layers.sh - check who includes whom, and who reads and writes floats.
#
#   include <- src/ir <- {src/passes, src/codegen} <- runtime <- {tools, examples, bench, tests}
#
# in src/passes nobody sees the folder of a target but the target, and gpu, which takes cpu's schedules where it has none;
# passes and codegen do not see each other; llvm-c is for src/codegen/llvm_*.c alone; runtime/aot
# stands on libc; tests/ptx, tests/fakecuda and tests/gpu have no include from or to src/ and runtime/; tests/mutants, which knows
# texts alone, serves both sides.
# Folders of runtime/, without a circle: aot, base <- memory <- {value, exec} <- record <- eval <- compile
#   <- {api, export, explain}, with io on src/ir alone; a folder more is a target, which stands where exec does.
# A locale's decimal point is src/ir/base/number.c's business alone: in src/ and runtime/ nobody else calls
# libc's strtod and its like, or its printf and scanf with the conversion of a float (bz_snprintf and others do).
# An include is resolved as the compiler does: beside the including file, from the root, from include/.
set -u
cd "${1:-$(dirname "$0")/..}" || exit 2

# One line "FILE LINE TARGET" for each include of each C file; <...> targets keep the bracket.
includes() {
    find include src runtime tools examples bench tests \
        \( -name '*.[chS]' -o -name '*.def' -o -name '*.inc' \) -print 2>/dev/null |
        sort | while read -r file; do
        awk -v file="$file" '
            /^[ \t]*#[ \t]*include[ \t]*[<"]/ {
                match($0, /[<"][^>"]+[>"]/)
                print file, FNR, substr($0, RSTART, RLENGTH)
            }' "$file"
    done
}

# "FILE LINE ROOM-RELATIVE-PATH": where the include leads; system headers keep the form <name>.
resolve() {
    while read -r file line target; do
        name=$(echo "$target" | tr -d '<>"')
        beside=$(dirname "$file")/$name
        if [ "${target#<}" = "$target" ] && [ -e "$beside" ]; then
            path=$(realpath --relative-to=. "$beside")
        elif [ -e "$name" ]; then
            path=$name
        elif [ -e "include/$name" ]; then
            path=include/$name
        else
            path="<$name>"
        fi
        echo "$file $line $path"
    done
}

# A call of libc's is looked at up to the end of its statement.
floats() {
    find src runtime -name '*.[ch]' ! -path src/ir/base/number.c -print 2>/dev/null | sort |
        while read -r file; do
            awk -v file="$file" '
                function wrong(why) { print file ":" at ": " why; bad++ }
                /(^|[^A-Za-z0-9_])(strto(d|f|ld)(_l)?|atof)[ ]*\(/ {
                    at = FNR
                    wrong("floats are read by src/ir/base/number.c")
                }
                !open && /(^|[^A-Za-z0-9_])v?[fdsa]*n?(printf|scanf)[ ]*\(/ { open = 1; text = ""; at = FNR }
                open {
                    text = text $0
                    if ($0 !~ /;[ \t]*$/) next
                    open = 0
                    gsub(/%%/, "", text)
                    if (text ~ /%[-+ #0-9.*lL]*[aAeEfFgG]/)
                        wrong("floats are written and read by src/ir/base/number.c (bz_snprintf)")
                }
                END { exit bad > 0 }' "$file" || echo "$file" >&3
        done
}

exec 4>&1
odd=$(floats 3>&1 >&4 | wc -l)

includes | resolve | awk '
    # The room of a path; what lies outside every room is "system".
    function room(path) {
        if (path ~ /^</) return "system"
        if (path ~ /^runtime\/aot\//) return "aot"
        if (match(path, /^runtime\/[a-z0-9_]+\//)) return substr(path, 1, RLENGTH - 1)
        if (path ~ /^tests\/(ptx|fakecuda|gpu)\//) return "island"
        if (path ~ /^tests\/mutants\//) return "mutants"
        if (match(path, /^(src\/(ir|passes|codegen)|include|tools|examples|bench|tests)\//))
            return substr(path, 1, RLENGTH - 1)
        return "system"
    }
    function wrong(why) {
        print $1 ":" $2 ": " $3 ": " why
        bad++
    }
    BEGIN {
        may["include"]     = " include "
        may["src/ir"]      = " include src/ir "
        may["src/passes"]  = may["src/ir"] "src/passes "
        may["src/codegen"] = may["src/ir"] "src/codegen "
        may["aot"]         = " aot "
        below = may["src/passes"] "src/codegen aot "
        may["runtime/base"]    = below = below "runtime/base "
        may["runtime/memory"]  = below = below "runtime/memory "
        may["runtime/value"]   = below "runtime/value "
        may["runtime/exec"]    = target = below "runtime/exec "
        may["runtime/record"]  = below = below "runtime/value runtime/exec runtime/record "
        may["runtime/eval"]    = below = below "runtime/eval "
        may["runtime/compile"] = below = below "runtime/compile "
        may["runtime/io"]      = may["src/ir"] "runtime/io "
        may["runtime/api"]     = below "runtime/io runtime/api "
        may["runtime/export"]  = below "runtime/io runtime/export "
        may["runtime/explain"] = below "runtime/io runtime/explain "
        may["island"]      = " include island mutants "
        may["mutants"]     = " mutants "
        may["examples"]    = " include examples "
        outer = below "tools bench tests mutants "
        may["tools"] = may["tests"] = outer
        may["bench"] = outer "examples " # they time what an example trains
    }
    {
        from = room($1)
        to = room($3)
        count++
        if ($3 ~ /^<llvm(-c)?\// && $1 !~ /^src\/codegen\/llvm_[^\/]*$/)
            wrong("llvm headers belong in src/codegen/llvm_*.c alone")
        if (to == "system") {
            if (from == "aot" && $3 ~ /^<(braze|criterion|llvm|cuda)/)
                wrong("runtime/aot stands on libc alone")
            next
        }
        own = from in may ? may[from] : from ~ /^runtime\// ? target from " " : ""
        if (to ~ /^runtime\// && from ~ /^(tools|bench|tests)$/) next
        if (from == "src/passes" && $3 ~ /^src\/passes\/(cpu|gpu)\// && $1 !~ /^src\/passes\/gpu\// &&
            $1 !~ ("^" substr($3, 1, 14)))
            wrong("a target\047s schedules are its own; what targets share is in src/passes/forms")
        if (index(own, " " to " ") == 0)
            wrong(from " may not include " to)
    }
    END {
        printf "layers: %d includes, %d wrong\n", count, bad
        exit bad > 0
    }' && [ "$odd" = 0 ]
