#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# Builds, tests and runs devmap; `./build.sh help` lists what it does. Asks nothing, and works without a terminal.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

# A build server that outlives the build would keep the caller's output open.
export MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_NOLOGO=1

readonly artifacts=artifacts
readonly logs=$artifacts/logs
readonly results=$artifacts/test-results
readonly command=$artifacts/dotnet/bin/Devmap.Command/release/devmap
readonly benchmarks=$artifacts/dotnet/bin/Devmap.Benchmarks/release/Devmap.Benchmarks

# Every configuration, both compilers, both sanitizer builds.
readonly presets=(dev clang-dev release ops-off fs-dax-only device-private-only device-public-only asan tsan)

usage() {
	cat <<'EOF'
usage: ./build.sh COMMAND [ARGUMENT...]

  run [--file PATH] [--readers N] [--seconds S] [--report PATH]
                 build, then do the main job: `devmap run` with these arguments
  devmap ARGS    build, then run any verb of the devmap command
  test           build and test everything; the last line is `N passed, N failed`
  bench [--quick] [--rounds N] [--out DIR] [--help]
                 build optimised, then measure what Devmap costs, beside what you would use instead: half an hour, or
                 three minutes with --quick; the report is artifacts/bench/report.md
  pack           build the NuGet packages into artifacts/packages
  generate       generate the C# bindings anew from the headers
  help           this text
EOF
}

die() {
	printf 'build.sh: %s\n' "$1" >&2
	exit 1
}

# step WHAT COMMAND...: runs the command with its output in a log, which is shown when it fails.
step() {
	local what=$1 log
	shift
	mkdir -p "$logs"
	log="$logs/${what//[^A-Za-z0-9]/-}.log"
	printf '== %s\n' "$what" >&2
	if ! "$@" >"$log" 2>&1 </dev/null; then
		cat "$log" >&2
		printf 'build.sh: %s failed; the log above is %s\n' "$what" "$log" >&2
		return 1
	fi
}

has() {
	command -v "$1" >/dev/null 2>&1
}

has_clang() {
	local name
	for name in clang clang-{19..14}; do
		! has "$name" || return 0
	done
	return 1
}

has_cmocka() {
	printf '%s\n' '#include <stdarg.h>' '#include <stddef.h>' '#include <stdint.h>' '#include <setjmp.h>' \
		'#include <cmocka.h>' 'int main(void) { return 0; }' |
		cc -x c - -lcmocka -o /dev/null 2>/dev/null
}

has_header() {
	printf '#include <%s>\n' "$1" | c++ -x c++ -E - >/dev/null 2>&1
}

# What the LZ4 store loads when it is opened.
has_lz4() {
	PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null | grep '^[[:space:]]*liblz4\.so\.1 ' >/dev/null
}

has_module() {
	pkg-config --exists "$1" 2>/dev/null
}

# require build|test|bench: installs the Debian packages that are missing for it, or says which they are.
require() {
	local missing=()

	has dotnet || die "the .NET SDK is missing (version $(sed -n 's/.*"version": *"\(.*\)".*/\1/p' global.json) or later; see https://dot.net)"
	has cc && has c++ && has nm || missing+=(build-essential)
	has cmake || missing+=(cmake)
	has ninja || missing+=(ninja-build)
	has_lz4 || missing+=(liblz4-1)
	if [[ $1 == test ]]; then
		has pkg-config || missing+=(pkg-config)
		has cc && has_cmocka || missing+=(libcmocka-dev)
		has_clang || missing+=(clang)
		has chromium || missing+=(chromium)
	fi
	if [[ $1 == bench ]]; then
		has_header benchmark/benchmark.h || missing+=(libbenchmark-dev)
		has_header boost/smart_ptr/intrusive_ptr.hpp || missing+=(libboost-dev)
		has pkg-config || missing+=(pkg-config)
		has_module glib-2.0 || missing+=(libglib2.0-dev)
		has_module libdpdk || missing+=(dpdk-dev)
		has_module liburcu || missing+=(liburcu-dev)
		has valgrind || missing+=(valgrind)
		has gnuplot || missing+=(gnuplot-nox)
	fi
	((${#missing[@]} > 0)) || return 0

	local sudo=()
	if ((EUID != 0)); then
		sudo=(sudo -n)
	fi
	if ! has apt-get || { ((EUID != 0)) && ! sudo -n true 2>/dev/null; }; then
		die "these Debian packages are missing, install them first: apt-get install ${missing[*]}"
	fi
	step "apt-get update" "${sudo[@]}" apt-get update || die "these Debian packages are missing: ${missing[*]}"
	step "installing ${missing[*]}" "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
		apt-get install -y --no-install-recommends "${missing[@]}" ||
		die "these Debian packages are missing: ${missing[*]}"
}

build_command() {
	require build
	step "building the devmap command" dotnet build managed/Devmap.Command -c Release || exit 1
	[[ -x $command ]] || die "the build left no $command"
}

build_benchmarks() {
	require build
	step "building the managed benchmarks" dotnet build tests/benchmarks/Devmap.Benchmarks -c Release || exit 1
	[[ -x $benchmarks ]] || die "the build left no $benchmarks"
}

build_native_benchmarks() {
	require bench
	step "configuring the native benchmarks" cmake -S . -B "$artifacts/cmake/bench" -G Ninja \
		-DCMAKE_BUILD_TYPE=Release -DDEVMAP_TESTS=OFF -DDEVMAP_BENCHMARKS=ON || exit 1
	step "building the native benchmarks" cmake --build "$artifacts/cmake/bench" || exit 1
}

run_benchmarks() {
	# Help needs nothing but the program.
	case "${1-}" in
	-h | -\? | --help)
		[[ -x $benchmarks ]] || build_benchmarks
		;;
	*)
		build_native_benchmarks
		build_benchmarks
		;;
	esac
	exec "$benchmarks" "$@"
}

# The tests' sums.
passed=0
failed=0

# count SUITE PASSED FAILED: adds a suite; one that ran no test has failed.
count() {
	local suite=$1 good=$2 bad=$3
	if ((good + bad == 0)); then
		bad=1
		printf '%s ran no test\n' "$suite"
	fi
	printf '%s: %d passed, %d failed\n' "$suite" "$good" "$bad"
	((passed += good, failed += bad)) || true
}

# sum_ctest OUTPUT LOG: prints two sums from what CTest printed, which has each test's outcome, and its log, which has what
# each test printed. A cmocka program (test_*) counts by its cases, any other test once. A program that failed without
# naming a case, because it crashed, hung or could not start, is one failure; so is one that ran no case.
sum_ctest() {
	awk '
		FNR == NR {
			if (/^ *[0-9]+\/[0-9]+ +Test +#[0-9]+: /) {
				sub(/^[^:]*: /, "")
				outcome[$1] = /\*\*\*Skipped/ ? "skipped" : /\*\*\*/ ? "failed" : "passed"
			}
			next
		}
		/^[0-9]+\/[0-9]+ Testing: / { name = $3; running = 0 }
		/^\[=+\] Running [0-9]+ test/ { running = 1 }
		/^\[=+\] [0-9]+ test\(s\) run/ { running = 0 }
		!running { next }
		/^\[ +FAILED +\] GROUP (SETUP|TEARDOWN)$/ { running = 0; bad[name]++; next }
		/^\[ +OK \] / { good[name]++ }
		/^\[ +SKIPPED +\] / { skipped[name]++ }
		# ERROR: a case whose teardown failed as well. After it, dashes stand before a mere message.
		/^\[ +FAILED +\] / || /^\[ +ERROR +\] [^-]/ { bad[name]++ }
		END {
			for (name in outcome) {
				if (outcome[name] == "skipped")
					continue
				if (name !~ /^test_/)
					good[name] = outcome[name] == "passed"
				if (good[name] + bad[name] + skipped[name] == 0 || (outcome[name] == "failed" && !bad[name]))
					bad[name]++
				passed += good[name]
				failed += bad[name]
			}
			print passed + 0, failed + 0
		}' "$1" "$2"
}

# Reads the .trx files and prints two sums.
sum_trx() {
	awk '
		function value(name,    text) {
			if (!match($0, name "=\"[0-9]+\""))
				return 0
			text = substr($0, RSTART, RLENGTH)
			gsub(/[^0-9]/, "", text)
			return text + 0
		}
		/<Counters / {
			good = value(" passed")
			bad = value(" failed") + value(" error") + value(" timeout") + value(" aborted")
			passed += good
			failed += bad + (good + bad == 0)
		}
		END { print passed + 0, failed + 0 }' "$@"
}

test_native() {
	local preset=$1 jobs good bad status=0
	local output="$logs/testing-$preset.log"
	local log=$artifacts/cmake/$preset/Testing/Temporary/LastTest.log
	jobs=$(nproc)

	rm -f "$output" "$log"
	if ! step "configuring $preset" cmake --preset "$preset" ||
		! step "building $preset" cmake --build --preset "$preset" -j "$jobs"; then
		count "native $preset" 0 1
		return
	fi
	step "testing $preset" ctest --preset "$preset" -j "$jobs" || status=1
	read -r good bad < <(sum_ctest "$output" "$log") || { good=0 bad=0; }
	if ((status != 0 && bad == 0)); then
		bad=1
	fi
	count "native $preset" "$good" "$bad"
}

test_managed() {
	local good=0 bad=0 status=0 trx

	rm -rf "$results"
	if ! step "building InteropShim.sln" dotnet build InteropShim.sln -c Release; then
		count "managed" 0 1
		return
	fi
	step "testing InteropShim.sln" dotnet test InteropShim.sln -c Release --no-build \
		--logger "trx;LogFilePrefix=managed" --results-directory "$results" || status=1
	shopt -s nullglob
	trx=("$results"/*.trx)
	shopt -u nullglob
	if ((${#trx[@]} > 0)); then
		read -r good bad < <(sum_trx "${trx[@]}")
	fi
	if ((status != 0 && bad == 0)); then
		bad=1
	fi
	count "managed" "$good" "$bad"
}

run_tests() {
	local preset

	require test
	for preset in "${presets[@]}"; do
		test_native "$preset"
	done
	test_managed
	printf '%d passed, %d failed\n' "$passed" "$failed"
	((failed == 0))
}

verb=${1:-help}
(($# == 0)) || shift
case $verb in
run)
	build_command
	exec "$command" run "$@"
	;;
devmap)
	build_command
	exec "$command" "$@"
	;;
test)
	run_tests
	;;
bench)
	run_benchmarks "$@"
	;;
pack)
	require build
	step "packing InteropShim.sln" dotnet pack InteropShim.sln -c Release -o "$artifacts/packages" || exit 1
	printf 'the packages are in %s/packages\n' "$artifacts"
	;;
generate)
	require build
	exec bindings/generate.sh "$@"
	;;
help | -h | --help)
	usage
	;;
*)
	usage >&2
	exit 2
	;;
esac
