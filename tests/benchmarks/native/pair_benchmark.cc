// SPDX-License-Identifier: MIT
// What a get and its put cost: without a gate, with the gate off and on, and on a busy managed page; and what a map of a
// terabyte costs to create. Run it with random interleaving and repetitions (see ../run.sh): the figures are compared.
#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include <benchmark/benchmark.h>

#include "pairs.h"

namespace {

constexpr std::uint64_t kPairs = 4096;
constexpr std::uint64_t kTerabyte = std::uint64_t{1} << 40;

void check(int result)
{
	if (result != 0) {
		std::fprintf(stderr, "pair_benchmark: error %d\n", result);
		std::exit(1);
	}
}

void page_free(devmap_page *, void *)
{
}

// A map of a managed type; it holds the gate on while it lives.
class ManagedMap {
public:
	explicit ManagedMap(std::uint64_t length)
	{
		devmap_pagemap_ops ops = {};
		devmap_pagemap_config config = {};

		ops.page_free = page_free;
		config.size = sizeof(config);
		config.type = DEVMAP_MEMORY_DEVICE_PUBLIC;
		config.backing = DEVMAP_BACKING_RESERVED;
		config.length = length;
		config.ops = &ops;
		check(devmap_memremap_pages(&config, &map_));
	}

	~ManagedMap()
	{
		check(devmap_memunmap_pages(map_, 0, nullptr, nullptr));
		check(devmap_pagemap_free(map_));
	}

	devmap_pagemap *get() const
	{
		return map_;
	}

private:
	devmap_pagemap *map_ = nullptr;
};

// Every page below is busy: one reference is held, so that no put of the loop is a last one.
void run_pairs(benchmark::State &state, void (*pairs)(devmap_page *, std::uint64_t), devmap_page *page)
{
	for (auto _ : state)
		pairs(page, kPairs);
	state.SetItemsProcessed(static_cast<std::int64_t>(state.iterations() * kPairs));
}

void ordinary(benchmark::State &state, void (*pairs)(devmap_page *, std::uint64_t), bool gate)
{
	devmap_page *page = nullptr;

	check(devmap_alloc_pages(0, &page));
	devmap_get_page(page);
	if (gate)
		check(devmap_pagemap_get_ops());
	run_pairs(state, pairs, page);
	if (gate)
		check(devmap_pagemap_put_ops());
	devmap_put_page_refs(page, 2);
}

void managed(benchmark::State &state, void (*pairs)(devmap_page *, std::uint64_t))
{
	ManagedMap map(1 << 20);
	devmap_page *page = nullptr;

	check(devmap_pagemap_get_pages(map.get(), 7, 1, &page));
	run_pairs(state, pairs, page);
	devmap_put_page(page);
}

void terabyte_map(benchmark::State &state)
{
	for (auto _ : state)
		ManagedMap map(kTerabyte);
}

BENCHMARK_CAPTURE(ordinary, no_gate, pairs_ungated, false)->Name("pair/no_gate");
BENCHMARK_CAPTURE(ordinary, gate_off, pairs_gated, false)->Name("pair/gate_off");
BENCHMARK_CAPTURE(ordinary, gate_on, pairs_gated, true)->Name("pair/gate_on");
BENCHMARK_CAPTURE(managed, busy_managed, pairs_gated)->Name("pair/busy_managed_page");
BENCHMARK_CAPTURE(managed, busy_gate_first, pairs_gate_first)->Name("pair/busy_managed_page_gate_first");
BENCHMARK(terabyte_map)->Name("terabyte_map/create_and_destroy")->Unit(benchmark::kMicrosecond);

} // namespace

BENCHMARK_MAIN();
