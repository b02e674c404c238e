// SPDX-License-Identifier: MIT
// What the benchmarks in C++ share: fixtures that give back what they took, and the shape of a measured loop.
//
// Eight objects, each on a cache line of its own, are used in turn by a loop that is a function of its own: so no
// object is a constant to the compiler, an operation need not wait for the one before it to reach the same count, and
// where the linker puts a loop does not decide a comparison.
#ifndef DEVMAP_BENCHMARK_SUPPORT_H
#define DEVMAP_BENCHMARK_SUPPORT_H

#include <array>
#include <cstdint>

#include <benchmark/benchmark.h>

#include "fixtures.h"
#include "loops.h"

#if __has_attribute(noipa)
// Not a copy of the function either that was made for the arguments it is called with.
#define LOOP __attribute__((aligned(64), noipa))
#else
#define LOOP __attribute__((aligned(64), noinline))
#endif

// Objects used in turn: a power of two.
constexpr std::uint64_t kObjects = 8;
// Operations of one timed iteration, so that Google Benchmark's own work between two does not show.
constexpr std::uint64_t kOperations = 4096;
constexpr std::size_t kCacheLine = 64;

// Tells how many operations were timed, so that 1e9 / items_per_second is nanoseconds an operation.
inline void count_operations(benchmark::State &state, std::uint64_t an_iteration)
{
	state.SetItemsProcessed(
		static_cast<std::int64_t>(static_cast<std::uint64_t>(state.iterations()) * an_iteration));
}

// The argument of a benchmark that has one.
inline std::uint64_t argument(const benchmark::State &state)
{
	return static_cast<std::uint64_t>(state.range(0));
}

// A map: managed with a driver, HOST without.
class Map {
public:
	explicit Map(std::uint64_t nr_pages, const devmap_pagemap_ops *driver = nullptr, void *data = nullptr)
		: map_(map_create(nr_pages, driver, data))
	{
	}

	~Map()
	{
		map_destroy(map_);
	}

	Map(const Map &) = delete;
	Map &operator=(const Map &) = delete;

	devmap_pagemap *get() const
	{
		return map_;
	}

private:
	devmap_pagemap *map_;
};

// A claim on a HOST map, with a driver that does nothing.
class Claim {
public:
	explicit Claim(const Map &map) : map_(map)
	{
		CHECK(devmap_fs_dax_claim(map_.get(), this, &driver_of_pages));
	}

	~Claim()
	{
		CHECK(devmap_fs_dax_release(map_.get(), this));
	}

	Claim(const Claim &) = delete;
	Claim &operator=(const Claim &) = delete;

	const void *owner() const
	{
		return this;
	}

private:
	const Map &map_;
};

// A reference on each of the first pages of a map.
class HeldPages {
public:
	HeldPages(const Map &map, std::uint64_t nr_pages) : nr_pages_(nr_pages)
	{
		CHECK(devmap_pagemap_get_pages(map.get(), 0, nr_pages_, &first_));
	}

	~HeldPages()
	{
		devmap_put_pages(first_, nr_pages_);
	}

	HeldPages(const HeldPages &) = delete;
	HeldPages &operator=(const HeldPages &) = delete;

	devmap_page *page(std::uint64_t index) const
	{
		return first_ + index;
	}

	std::array<devmap_page *, kObjects> in_turn() const
	{
		std::array<devmap_page *, kObjects> pages{};

		for (std::uint64_t i = 0; i < kObjects; i++)
			pages[i] = page(i);
		return pages;
	}

private:
	std::uint64_t nr_pages_;
	devmap_page *first_ = nullptr;
};

#endif
