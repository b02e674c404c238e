#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Generates bindings/Devmap.Interop/Generated from the public headers, and notes in bindings/generated.sha256 what it
# read and wrote. Called by `./build.sh generate`.
#
# The generator is the one in dotnet-tools.json, or the command that DEVMAP_CLANGSHARP names. It needs libclang;
# `cc` tells it where the compiler's own headers are.
set -euo pipefail
export LC_ALL=C
cd "$(dirname "${BASH_SOURCE[0]}")/.."

read -ra generator <<<"${DEVMAP_CLANGSHARP:-dotnet tool run ClangSharpPInvokeGenerator --}"
if [[ -z ${DEVMAP_CLANGSHARP:-} ]]; then
	dotnet tool restore
fi

# The interface with every option on: a library built with less answers -EOPNOTSUPP from the same entry points.
mkdir -p artifacts/bindings/include/devmap
sed 's/^#cmakedefine \([A-Z_]*\) 1$/#define \1 1/' native/include/devmap/config.h.in >artifacts/bindings/include/devmap/config.h

# Expanded here, so that any generator gets the same words.
mapfile -t arguments < <(grep -v -e '^#' -e '^$' bindings/devmap.rsp)
arguments+=(--include-directory "$("${CC:-cc}" -print-file-name=include)")

# The exit status counts warnings, and the file is written either way.
status=0
"${generator[@]}" "${arguments[@]}" || status=$?
if ((status != 0)); then
	echo "bindings/generate.sh: the generator met $status warnings or errors; see above. Nothing was noted." >&2
	exit 1
fi

{
	echo '# What the bindings were generated from, and what came out: lines as sha256sum writes them, paths from the root,'
	echo '# sorted. Written by bindings/generate.sh; compare with: sha256sum --check bindings/generated.sha256'
	sha256sum -- bindings/devmap.rsp bindings/header.txt bindings/Devmap.Interop/Generated/*.cs native/include/devmap/*
} >bindings/generated.sha256
