#!/bin/sh
# SPDX-License-Identifier: MIT
#
# What native/native.proj runs: msbuild.sh CONFIGURATION BUILD-DIRECTORY [CMAKE-ARGUMENT...]
#
# Configures once and whenever this file or the arguments change, builds, and lays the files that managed projects run
# with in BUILD-DIRECTORY/stage: real files under their plain names, written only when they differ.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
configuration=$1
build=$2
shift 2

need() { # PROGRAM, WHAT IT IS
	command -v "$1" >/dev/null && return
	echo "$2 ($1) is not on the PATH. On Debian: apt-get install cmake ninja-build gcc libc6-dev" >&2
	exit 1
}
case $configuration in
Release) build_type=RelWithDebInfo ;;
*) build_type=Debug ;;
esac
need cmake "CMake"
need "${CC:-cc}" "A C compiler"
if command -v ninja >/dev/null; then generator=Ninja; else generator="Unix Makefiles"; fi

mkdir -p "$build"
build=$(cd "$build" && pwd)
# Two builds of one tree take turns.
if command -v flock >/dev/null; then
	exec 9>"$build/lock"
	flock 9
fi

wanted="$(cksum <"$0") $generator $build_type ${CC:-} $*"
if [ "$wanted" != "$(cat "$build/configured" 2>/dev/null)" ]; then
	rm -rf "$build/configured" "$build/CMakeCache.txt" "$build/CMakeFiles"
	cmake -S "$root" -B "$build" -G "$generator" -DCMAKE_BUILD_TYPE="$build_type" \
		-DCMAKE_LIBRARY_OUTPUT_DIRECTORY="$build/out" -DCMAKE_RUNTIME_OUTPUT_DIRECTORY="$build/out" \
		-DDEVMAP_TESTS=OFF -DDEVMAP_MANAGED=ON "$@"
	echo "$wanted" >"$build/configured"
fi
cmake --build "$build"

mkdir -p "$build/stage"
for file in "$build"/out/*.so "$build"/out/devmap_layout; do
	cmake -E copy_if_different "$file" "$build/stage/${file##*/}"
done
