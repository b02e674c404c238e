// SPDX-License-Identifier: MIT
// How the cost of breaking layouts grows with the range, and what reading the same metadata costs in comparison: a
// break has to look at every page in its range that was ever touched.
#include <algorithm>
#include <cerrno>

#include "support.h"

namespace {

constexpr std::int64_t kManyPages = 1 << 18;

// Breaks and ends breaks of all pages of the map, @n times.
LOOP void loop_breaks(const Map &map, const void *owner, std::uint64_t nr_pages, std::uint64_t n)
{
	for (std::uint64_t i = 0; i < n; i++) {
		devmap_layout_break layout_break;

		CHECK(devmap_fs_dax_break_layouts(map.get(), owner, 0, nr_pages, 0, nullptr, &layout_break));
		devmap_fs_dax_end_break(&layout_break);
	}
}

void run_breaks(benchmark::State &state, const Map &map)
{
	std::uint64_t breaks = std::max(kOperations / argument(state), std::uint64_t{1});
	Claim claim(map);

	for (auto _ : state)
		loop_breaks(map, claim.owner(), argument(state), breaks);
	count_operations(state, breaks * argument(state));
}

void break_idle(benchmark::State &state)
{
	Map map(argument(state));

	map_touch(map.get(), argument(state));
	run_breaks(state, map);
}

void break_untouched(benchmark::State &state)
{
	run_breaks(state, Map(argument(state)));
}

// The break looks at every page before it finds the one in use.
void break_busy(benchmark::State &state)
{
	Map map(argument(state));
	Claim claim(map);
	devmap_page *last = nullptr;

	map_touch(map.get(), argument(state));
	CHECK(devmap_pagemap_get_pages(map.get(), argument(state) - 1, 1, &last));
	for (auto _ : state) {
		devmap_layout_break layout_break;
		int result = devmap_fs_dax_break_layouts(
			map.get(), claim.owner(), 0, argument(state), 0, nullptr, &layout_break);

		CHECK(result != -ETIMEDOUT);
	}
	count_operations(state, argument(state));
	devmap_put_page(last);
}

BENCHMARK(break_idle)->Name("growth/break_idle")->ArgName("pages")->RangeMultiplier(4)->Range(1 << 6, kManyPages);
BENCHMARK(break_untouched)->Name("growth/break_untouched")->ArgName("pages")->Arg(kManyPages);
BENCHMARK(break_busy)->Name("growth/break_busy")->ArgName("pages")->Arg(kManyPages);

// ---- the yardstick --------------------------------------------------------------------------------------------------

LOOP std::uint64_t loop_scan(const devmap_page *pages, std::uint64_t nr_pages)
{
	std::uint64_t sum = 0;

	for (std::uint64_t i = 0; i < nr_pages; i++)
		sum += pages[i].zone_device_data;
	return sum;
}

// A page's metadata as words, whatever they are.
using Word [[gnu::may_alias]] = std::uint64_t;

LOOP std::uint64_t loop_scan_all(const devmap_page *pages, std::uint64_t nr_pages)
{
	const Word *words = reinterpret_cast<const Word *>(pages);
	std::uint64_t sum = 0;

	for (std::uint64_t i = 0; i < nr_pages * sizeof(devmap_page) / sizeof(Word); i++)
		sum += words[i];
	return sum;
}

void scan(benchmark::State &state, std::uint64_t (*loop)(const devmap_page *pages, std::uint64_t nr_pages))
{
	Map map(argument(state));

	map_touch(map.get(), argument(state));
	for (auto _ : state) {
		std::uint64_t sum = loop(map.get()->pages, argument(state));

		benchmark::DoNotOptimize(sum);
	}
	count_operations(state, argument(state));
}

BENCHMARK_CAPTURE(scan, scan, loop_scan)->Name("growth/scan")->ArgName("pages")->Arg(kManyPages);
BENCHMARK_CAPTURE(scan, scan_all, loop_scan_all)->Name("growth/scan_all")->ArgName("pages")->Arg(kManyPages);

} // namespace
