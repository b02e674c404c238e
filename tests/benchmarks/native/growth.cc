// SPDX-License-Identifier: MIT
// How cost grows with the number of maps, of pages and of drivers. growth_break.cc has the layout breaks.
#include <cstdlib>
#include <deque>
#include <random>
#include <vector>

#include <sys/mman.h>

#include "support.h"

namespace {

// ---- look-up --------------------------------------------------------------------------------------------------------

constexpr std::uint64_t kMapLength = 16 * MAP_PAGE_SIZE;
// From a map's start to the next one's: between them is memory of none.
constexpr std::uint64_t kMapDistance = 2 * kMapLength;
constexpr std::size_t kAddresses = 65536;

// Small maps in a region of address space that nobody touches.
class ManyMaps {
public:
	explicit ManyMaps(std::uint64_t nr_maps) : length_(nr_maps * kMapDistance), maps_(nr_maps)
	{
		void *region = mmap(nullptr, length_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

		CHECK(region == MAP_FAILED);
		region_ = static_cast<char *>(region);
		for (std::uint64_t i = 0; i < nr_maps; i++) {
			devmap_pagemap_config config{};

			config.size = sizeof(config);
			config.type = DEVMAP_MEMORY_DEVICE_HOST;
			config.backing = DEVMAP_BACKING_CALLER;
			config.page_size = MAP_PAGE_SIZE;
			config.address = region_ + i * kMapDistance;
			config.length = kMapLength;
			CHECK(devmap_memremap_pages(&config, &maps_[i]));
		}
	}

	~ManyMaps()
	{
		for (; !maps_.empty(); maps_.pop_back())
			map_destroy(maps_.back());
		munmap(region_, length_);
	}

	ManyMaps(const ManyMaps &) = delete;
	ManyMaps &operator=(const ManyMaps &) = delete;

	// Random addresses within the maps from @first to @last.
	std::vector<const void *> addresses(std::uint64_t first, std::uint64_t last) const
	{
		std::vector<const void *> addresses(kAddresses);
		std::mt19937_64 random(1);
		std::uniform_int_distribution<std::uint64_t> index(first, last), offset(0, kMapLength - 1);

		for (const void *&address : addresses)
			address = region_ + index(random) * kMapDistance + offset(random);
		return addresses;
	}

private:
	std::uint64_t length_;
	std::vector<devmap_pagemap *> maps_;
	char *region_ = nullptr;
};

// One after the other, kOperations at a time.
class Turn {
public:
	explicit Turn(std::vector<const void *> addresses) : addresses_(std::move(addresses))
	{
	}

	const void *const *next()
	{
		const void *const *next = &addresses_[position_];

		position_ = (position_ + kOperations) % addresses_.size();
		return next;
	}

private:
	std::vector<const void *> addresses_;
	std::size_t position_ = 0;
};

LOOP void loop_lookups(const void *const *addresses, std::uint64_t n)
{
	for (std::uint64_t i = 0; i < n; i++) {
		devmap_pagemap *map = devmap_get_pagemap(addresses[i], nullptr);

		if (!map)
			std::abort();
		devmap_put_pagemap(map);
	}
}

// The reference is handed on from look-up to look-up.
LOOP devmap_pagemap *loop_cached_lookups(const void *const *addresses, devmap_pagemap *cached, std::uint64_t n)
{
	for (std::uint64_t i = 0; i < n; i++) {
		cached = devmap_get_pagemap(addresses[i], cached);
		if (!cached)
			std::abort();
	}
	return cached;
}

void lookup(benchmark::State &state)
{
	ManyMaps maps(argument(state));
	Turn turn(maps.addresses(0, argument(state) - 1));

	for (auto _ : state)
		loop_lookups(turn.next(), kOperations);
	count_operations(state, kOperations);
}

void lookup_cached(benchmark::State &state)
{
	ManyMaps maps(argument(state));
	std::uint64_t middle = argument(state) / 2;
	Turn turn(maps.addresses(middle, middle));
	devmap_pagemap *cached = devmap_get_pagemap(*turn.next(), nullptr);

	for (auto _ : state)
		cached = loop_cached_lookups(turn.next(), cached, kOperations);
	count_operations(state, kOperations);
	devmap_put_pagemap(cached);
}

BENCHMARK(lookup)->Name("growth/lookup")->ArgName("maps")->RangeMultiplier(10)->Range(1, 10000);
BENCHMARK(lookup_cached)->Name("growth/lookup_cached")->ArgName("maps")->Arg(10000);

// ---- pages ----------------------------------------------------------------------------------------------------------

void create(benchmark::State &state)
{
	for (auto _ : state)
		Map map(argument(state), &driver_of_pages);
	count_operations(state, 1);
}

// A page's whole life in a map that is used once: it is found and taken, goes idle and is torn down.
void touch_teardown(benchmark::State &state)
{
	for (auto _ : state) {
		Map map(argument(state), &driver_of_pages);

		map_touch(map.get(), argument(state));
	}
	count_operations(state, argument(state));
}

BENCHMARK(create)->Name("growth/create")->ArgName("pages")->RangeMultiplier(16)->Range(1 << 8, 1 << 28);
BENCHMARK(touch_teardown)->Name("growth/touch_teardown")->ArgName("pages")->RangeMultiplier(16)->Range(1 << 8, 1 << 20);

void terabyte(benchmark::State &state)
{
	constexpr std::uint64_t kTerabyte = std::uint64_t{1} << 40;

	for (auto _ : state)
		Map map(kTerabyte / MAP_PAGE_SIZE, &driver_of_pages);
	count_operations(state, 1);
}

BENCHMARK(terabyte)->Name("terabyte/create_destroy");

// ---- drivers --------------------------------------------------------------------------------------------------------

// A driver's own data: how many of its pages went idle.
struct alignas(kCacheLine) Driver {
	std::uint64_t idle = 0;
};

void count_idle(devmap_page *, void *data)
{
	static_cast<Driver *>(data)->idle++;
}

const devmap_pagemap_ops kCountingDriver = {count_idle, nullptr};

struct DrivenMap {
	Driver driver;
	Map map{1, &kCountingDriver, &driver};
};

LOOP void loop_driver_edges(const std::vector<devmap_pagemap *> &maps)
{
	for (devmap_pagemap *map : maps) {
		devmap_page *page = nullptr;

		CHECK(devmap_pagemap_get_pages(map, 0, 1, &page));
		devmap_put_page(page);
	}
}

void drivers(benchmark::State &state)
{
	std::deque<DrivenMap> driven(argument(state));
	std::uint64_t rounds = kOperations / argument(state);
	std::vector<devmap_pagemap *> maps;

	for (const DrivenMap &one : driven)
		maps.push_back(one.map.get());
	for (auto _ : state)
		for (std::uint64_t i = 0; i < rounds; i++)
			loop_driver_edges(maps);
	count_operations(state, rounds * argument(state));
	for (const DrivenMap &one : driven)
		CHECK(one.driver.idle == 0);
}

BENCHMARK(drivers)->Name("growth/drivers")->ArgName("maps")->RangeMultiplier(10)->Range(1, 1000);

} // namespace
