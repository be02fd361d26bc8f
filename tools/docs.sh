#!/bin/sh
# docs.sh - check that every relative link in README.md, CHANGELOG.md and docs/*.md leads to a file.
set -u
cd "$(dirname "$0")/.." || exit 2
bad=0
for page in README.md CHANGELOG.md docs/*.md; do
    [ -e "$page" ] || continue
    for link in $(grep -oE '\]\([^)#: ]+[)#]' "$page" | sed -e 's/^](//' -e 's/.$//'); do
        [ -e "$(dirname "$page")/$link" ] || { echo "$page: broken link: $link"; bad=1; }
    done
done
[ "$bad" = 0 ] && echo "docs: links are good"
exit "$bad"
