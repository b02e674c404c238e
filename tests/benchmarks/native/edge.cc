// SPDX-License-Identifier: MIT
// What an idle edge costs: a page taken through its map and put, with each kind of driver, one by one and in batches.
#include <algorithm>

#include "support.h"

namespace {

void run_edges(benchmark::State &state, const Map &map)
{
	for (auto _ : state)
		loop_edges(map.get(), kObjects, kOperations);
	count_operations(state, kOperations);
}

void native_driver(benchmark::State &state)
{
	run_edges(state, Map(kObjects, &driver_of_pages));
}

void host(benchmark::State &state)
{
	run_edges(state, Map(kObjects));
}

void fs_dax(benchmark::State &state)
{
	Map map(kObjects);
	Claim claim(map);

	run_edges(state, map);
}

LOOP void loop_try_get(devmap_page **pages, std::uint64_t nr_pages, std::uint64_t n)
{
	for (std::uint64_t i = 0; i < n; i++) {
		devmap_page *page = pages[i & (nr_pages - 1)];

		CHECK(devmap_try_get_page(page));
		devmap_put_page(page);
	}
}

void try_get(benchmark::State &state)
{
	Map map(kObjects, &driver_of_pages);
	std::array<devmap_page *, kObjects> pages{};

	for (std::uint64_t i = 0; i < kObjects; i++)
		pages[i] = devmap_pagemap_page(map.get(), i);
	for (auto _ : state)
		loop_try_get(pages.data(), pages.size(), kOperations);
	count_operations(state, kOperations);
}

void batch(benchmark::State &state, const devmap_pagemap_ops *driver)
{
	std::uint64_t nr_pages = argument(state);
	std::uint64_t batches = std::max(kOperations / nr_pages, std::uint64_t{1});
	Map map(nr_pages, driver);

	for (auto _ : state)
		loop_batch_edges(map.get(), nr_pages, batches);
	count_operations(state, batches * nr_pages);
}

BENCHMARK(native_driver)->Name("edge/native_driver");
BENCHMARK(host)->Name("edge/host");
BENCHMARK(fs_dax)->Name("edge/fs_dax");
BENCHMARK(try_get)->Name("edge/try_get");
BENCHMARK_CAPTURE(batch, native_driver, &driver_of_batches)
	->Name("batch/native_driver")
	->ArgName("pages")
	->RangeMultiplier(4)
	->Range(1, 4096);
BENCHMARK_CAPTURE(batch, one_at_a_time, &driver_of_pages)->Name("batch/one_at_a_time")->ArgName("pages")->Arg(256);

} // namespace
