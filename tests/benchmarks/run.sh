#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The first figures: what the gate costs a put, what C# costs over C, what a map of a terabyte costs. `./build.sh bench`
# runs it. Ratios are of medians measured in one run; leave the machine alone meanwhile. Results: artifacts/bench.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

build=artifacts/cmake/bench
out=artifacts/bench
mkdir -p "$out"

cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DDEVMAP_TESTS=OFF -DDEVMAP_BENCHMARKS=ON >"$out/build.log" 2>&1 &&
	cmake --build "$build" >>"$out/build.log" 2>&1 || { cat "$out/build.log" >&2; exit 1; }
native=$(dirname "$(find "$build" -name pair_benchmark -type f)")

echo "== native, time (Google Benchmark; medians of 31 interleaved repetitions)"
"$native/pair_benchmark" --benchmark_repetitions=31 --benchmark_enable_random_interleaving=true \
	--benchmark_report_aggregates_only=true --benchmark_min_time=0.05 --benchmark_format=csv 2>/dev/null |
	awk -F, '/_median/ {
		gsub(/"/, ""); sub(/_median/, "", $1); name[++n] = $1; time[$1] = $3; unit[$1] = $5
	}
	END {
		for (i = 1; i <= n; i++) {
			if (name[i] ~ /^pair/)
				printf "%-36s %8.3f ns a pair  %6.3f of pair/no_gate\n", name[i], time[name[i]] / 4096, time[name[i]] / time["pair/no_gate"]
			else
				printf "%-36s %8.1f %s\n", name[i], time[name[i]], unit[name[i]]
		}
	}' | tee "$out/native.txt"
echo "terabyte map, memory taken (resident and page tables): $("$native/pair_count" terabyte_map) KiB" | tee -a "$out/native.txt"

if command -v valgrind >/dev/null; then
	echo "== native, instructions (callgrind; a million pairs)"
	for what in no_gate gate_off gate_on busy_managed_page; do
		function=pairs_gated
		[[ $what != no_gate ]] || function=pairs_ungated
		count=$(valgrind --tool=callgrind --callgrind-out-file="$out/$what.callgrind" --toggle-collect="$function" \
			"$native/pair_count" "$what" 2>&1 | sed -n 's/.*Collected : //p')
		printf '%-20s %s instructions\n' "$what" "$count"
	done | tee "$out/instructions.txt"
fi

echo "== managed (BenchmarkDotNet)"
dotnet build tests/benchmarks/Devmap.Benchmarks -c Release >"$out/build-managed.log" 2>&1 || { cat "$out/build-managed.log" >&2; exit 1; }
DEVMAP_BENCHMARK_PAIRS=$PWD/$native/libdevmap_pairs.so \
	DEVMAP_LIBRARY=$PWD/$(find "$build" -name 'libdevmap.so' | head -n 1) \
	artifacts/dotnet/bin/Devmap.Benchmarks/release/Devmap.Benchmarks "$out/BenchmarkDotNet" >"$out/managed.log" 2>&1 ||
	{ cat "$out/managed.log" >&2; exit 1; }
grep '^|' "$out/managed.log" | tee "$out/managed.txt"
