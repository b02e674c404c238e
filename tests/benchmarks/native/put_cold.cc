// SPDX-License-Identifier: MIT
// What a get and a put of a held page cost where nothing is in the cache: neither the page nor, in the patch's shape of
// the put, the gate.
#include <algorithm>
#include <random>
#include <vector>

#include <unistd.h>
#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "support.h"

namespace {

constexpr std::uint64_t kColdPagesMin = std::uint64_t{1} << 20;
// Their metadata and the pointers to them stay below 2 GiB.
constexpr std::uint64_t kColdPagesMax = std::uint64_t{3} << 23;

// Pages with twice as much metadata as the last cache holds.
std::uint64_t nr_cold_pages()
{
	long cache = std::max(sysconf(_SC_LEVEL3_CACHE_SIZE), 0L);
	std::uint64_t pages = 2 * static_cast<std::uint64_t>(cache) / sizeof(devmap_page);

	pages = std::clamp(pages, kColdPagesMin, kColdPagesMax);
	return (pages + kOperations - 1) / kOperations * kOperations;
}

// Held pages in random order, for all cold benchmarks, which so use the very same lines: set up by the first of them
// and given back at exit. Of a HOST map, which leaves the gate off for the benchmarks in between; a claim makes it
// managed.
class ColdPages {
public:
	static ColdPages &instance()
	{
		static ColdPages pages;

		return pages;
	}

	const Map &map() const
	{
		return map_;
	}

	// The next kOperations pages: those that were used longest ago.
	devmap_page **next()
	{
		devmap_page **pages = &order_[position_];

		position_ = (position_ + kOperations) % order_.size();
		return pages;
	}

private:
	ColdPages()
	{
		for (std::uint64_t i = 0; i < order_.size(); i++)
			order_[i] = held_.page(i);
		std::shuffle(order_.begin(), order_.end(), std::mt19937_64(1));
	}

	Map map_{nr_cold_pages()};
	HeldPages held_{map_, nr_cold_pages()};
	std::vector<devmap_page *> order_ = std::vector<devmap_page *>(nr_cold_pages());
	std::size_t position_ = 0;
};

void cold(benchmark::State &state, void (*loop)(devmap_page **pages, std::uint64_t nr_pages, std::uint64_t n))
{
	ColdPages &pages = ColdPages::instance();
	Claim claim(pages.map());

	for (auto _ : state)
		loop(pages.next(), kOperations, kOperations);
	count_operations(state, kOperations);
}

BENCHMARK_CAPTURE(cold, no_ops, loop_pairs_ungated)->Name("put/cold/no_ops");
BENCHMARK_CAPTURE(cold, bare_atomics, loop_bare_atomics)->Name("put/cold/bare_atomics");
BENCHMARK_CAPTURE(cold, busy_managed, loop_pairs)->Name("put/cold/busy_managed");
BENCHMARK_CAPTURE(cold, gate_first, loop_pairs_gate_first)->Name("put/cold/gate_first");

void flush_gate()
{
#if defined(__x86_64__)
	_mm_clflush(&devmap_managed_key);
	_mm_mfence();
#elif defined(__aarch64__)
	asm volatile("dc civac, %0\n\tdsb ish" : : "r"(&devmap_managed_key) : "memory");
#else
#error "Say how this processor flushes a cache line."
#endif
}

LOOP void loop_cold_gate_result_first(devmap_page **pages, std::uint64_t nr_pages, std::uint64_t n)
{
	for (std::uint64_t i = 0; i < n; i++) {
		devmap_page *page = pages[i & (nr_pages - 1)];

		flush_gate();
		devmap_get_page(page);
		devmap_put_page(page);
	}
}

LOOP void loop_cold_gate_gate_first(devmap_page **pages, std::uint64_t nr_pages, std::uint64_t n)
{
	for (std::uint64_t i = 0; i < n; i++) {
		devmap_page *page = pages[i & (nr_pages - 1)];

		flush_gate();
		devmap_get_page(page);
		if (!devmap_put_managed_page(page))
			devmap_put_page(page);
	}
}

// Hot pages and a cold gate. Both sides pay for making it cold; the difference is what reading it costs.
void cold_gate(benchmark::State &state, void (*loop)(devmap_page **pages, std::uint64_t nr_pages, std::uint64_t n))
{
	Map map(kObjects, &driver_of_pages);
	HeldPages held(map, kObjects);
	std::array<devmap_page *, kObjects> pages = held.in_turn();

	for (auto _ : state)
		loop(pages.data(), pages.size(), kOperations);
	count_operations(state, kOperations);
}

BENCHMARK_CAPTURE(cold_gate, result_first, loop_cold_gate_result_first)->Name("put/cold_gate/result_first");
BENCHMARK_CAPTURE(cold_gate, gate_first, loop_cold_gate_gate_first)->Name("put/cold_gate/gate_first");

} // namespace
