// SPDX-License-Identifier: MIT
// What diagnostics cost: a pair on pages that were activated at each level, an edge at each level, and a snapshot.
#include <memory>
#include <vector>

#include <devmap/capture.h>

#include "support.h"

namespace {

// Of so many, eight are followed at SAMPLED.
constexpr std::uint64_t kPages = 8 * DEVMAP_SAMPLE_PERIOD;

class Level {
public:
	explicit Level(std::int32_t level) : before_(devmap_get_level())
	{
		CHECK(devmap_set_level(level));
	}

	~Level()
	{
		CHECK(devmap_set_level(before_));
	}

	Level(const Level &) = delete;
	Level &operator=(const Level &) = delete;

private:
	std::int32_t before_;
};

void pairs(benchmark::State &state, std::int32_t level)
{
	Level at(level);
	Map map(kPages, &driver_of_pages);
	std::vector<devmap_page *> pages(kPages);

	for (std::uint64_t i = 0; i < kPages; i++)
		CHECK(devmap_pagemap_get_pages(map.get(), i, 1, &pages[i]));
	for (auto _ : state)
		loop_pairs(pages.data(), kPages, kOperations);
	count_operations(state, kOperations);
	for (devmap_page *page : pages)
		devmap_put_page(page);
}

// The same number of pages, and the loop as it is compiled without ops.
void ungated_pairs(benchmark::State &state)
{
	devmap_page *pages[kPages];

	for (devmap_page *&page : pages) {
		CHECK(devmap_alloc_pages(0, &page));
		devmap_get_page(page);
	}
	for (auto _ : state)
		loop_pairs_ungated(pages, kPages, kOperations);
	count_operations(state, kOperations);
	for (devmap_page *page : pages)
		devmap_put_page_refs(page, 2);
}

void edges(benchmark::State &state, std::int32_t level)
{
	Level at(level);
	Map map(kPages, &driver_of_pages);

	for (auto _ : state)
		loop_edges(map.get(), kPages, kOperations);
	count_operations(state, kOperations);
}

// A thousand maps, and a thousand pages of each in use.
void snapshot(benchmark::State &state)
{
	constexpr std::uint64_t kMaps = 1000;
	std::vector<std::unique_ptr<Map>> maps;
	std::vector<devmap_map_info> infos(2 * kMaps);
	devmap_snapshot reading;
	devmap_page *pages;

	for (std::uint64_t i = 0; i < kMaps; i++) {
		maps.push_back(std::make_unique<Map>(1000, &driver_of_pages));
		CHECK(devmap_pagemap_get_pages(maps.back()->get(), 0, 1000, &pages));
	}
	for (auto _ : state)
		CHECK(devmap_snapshot_read(&reading, sizeof(reading), infos.data(), infos.size()));
	count_operations(state, 1);
	CHECK(reading.nr_maps < kMaps);
	for (const std::unique_ptr<Map> &map : maps)
		devmap_put_pages(map->get()->pages, 1000);
}

BENCHMARK(ungated_pairs)->Name("level/pair/ungated");
BENCHMARK_CAPTURE(pairs, off, DEVMAP_LEVEL_OFF)->Name("level/pair/off");
BENCHMARK_CAPTURE(pairs, counters, DEVMAP_LEVEL_COUNTERS)->Name("level/pair/counters");
BENCHMARK_CAPTURE(pairs, sampled, DEVMAP_LEVEL_SAMPLED)->Name("level/pair/sampled");
BENCHMARK_CAPTURE(pairs, full, DEVMAP_LEVEL_FULL)->Name("level/pair/full");
BENCHMARK_CAPTURE(edges, off, DEVMAP_LEVEL_OFF)->Name("level/edge/off");
BENCHMARK_CAPTURE(edges, counters, DEVMAP_LEVEL_COUNTERS)->Name("level/edge/counters");
BENCHMARK_CAPTURE(edges, sampled, DEVMAP_LEVEL_SAMPLED)->Name("level/edge/sampled");
BENCHMARK_CAPTURE(edges, full, DEVMAP_LEVEL_FULL)->Name("level/edge/full");
BENCHMARK(snapshot)->Name("level/snapshot");

} // namespace
