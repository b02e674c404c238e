#!/bin/sh
# SPDX-License-Identifier: MIT
# Compares three lists of names: what the shared library exports, what the version script lists, and what the headers
# declare with DEVMAP_API. usage: exports.sh NM LIBRARY VERSION_SCRIPT INCLUDE_DIR [NAME THAT THIS CONFIG LEAVES OUT]...
set -eu
export LC_ALL=C

nm=$1
library=$2
script=$3
include=$4
shift 4

lists=$(mktemp -d)
trap 'rm -rf "$lists"' EXIT

"$nm" -D --defined-only --format=posix "$library" |
	awk '$2 != "A" { sub(/@.*/, "", $1); print $1 }' | sort >"$lists/exported"

awk '/local:/ { exit } /^\t\t[a-z0-9_]+;$/ { gsub(/[\t;]/, ""); print }' "$script" | sort >"$lists/scripted"

# A declaration runs from DEVMAP_API to the first parenthesis or semicolon; its name is the last word before that.
cat "$include"/devmap/*.h |
	awk '
		/^[ \t]*#/ { next }
		{
			line = $0
			if (!open && !match(line, /(^|[^A-Za-z0-9_])DEVMAP_API([^A-Za-z0-9_]|$)/))
				next
			text = open ? text " " line : substr(line, RSTART + RLENGTH)
			open = 1
			if (match(text, /[(;]/)) {
				text = substr(text, 1, RSTART - 1)
				gsub(/[^A-Za-z0-9_]+$/, "", text)
				sub(/.*[^A-Za-z0-9_]/, "", text)
				print text
				open = 0
			}
		}' | sort -u >"$lists/declared"

for name in "$@"; do
	for list in scripted declared; do
		grep -v -x -F "$name" "$lists/$list" >"$lists/rest" || true
		mv "$lists/rest" "$lists/$list"
	done
done

status=0
for pair in "exported scripted" "scripted exported" "declared scripted" "scripted declared"; do
	# shellcheck disable=SC2086 # two words on purpose
	set -- $pair
	missing=$(comm -23 "$lists/$1" "$lists/$2")
	if [ -n "$missing" ]; then
		printf '%s, but not %s:\n%s\n' "$1" "$2" "$missing"
		status=1
	fi
done
[ -s "$lists/exported" ] || { echo "nothing is exported"; status=1; }
[ "$status" -ne 0 ] || echo "$(wc -l <"$lists/exported") names: exported, scripted and declared alike"
exit "$status"
