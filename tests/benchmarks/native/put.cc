// SPDX-License-Identifier: MIT
// What a get and a put of a held page cost, hot: without ops, with the gate off and on, on each kind of page, and on
// two threads. put_cold.cc has the cold ones.
#include <chrono>
#include <memory>

#include <sched.h>

#include "support.h"

namespace {

using PairLoop = void (*)(devmap_page **pages, std::uint64_t nr_pages, std::uint64_t n);

void run_pairs(benchmark::State &state, PairLoop loop, std::array<devmap_page *, kObjects> pages)
{
	for (auto _ : state)
		loop(pages.data(), pages.size(), kOperations);
	count_operations(state, kOperations);
}

// Ends the program where the gate is not as the benchmark says.
void check_gate(bool on)
{
	CHECK((devmap_pagemap_ops_count() > 0) != on);
}

// Ordinary pages, with a reference besides the one that a pair takes and drops.
void ordinary(benchmark::State &state, PairLoop loop, bool gate)
{
	std::array<devmap_page *, kObjects> pages{};

	for (devmap_page *&page : pages) {
		CHECK(devmap_alloc_pages(0, &page));
		devmap_get_page(page);
	}
	if (gate)
		CHECK(devmap_pagemap_get_ops());
	check_gate(gate);
	run_pairs(state, loop, pages);
	if (gate)
		CHECK(devmap_pagemap_put_ops());
	for (devmap_page *page : pages)
		devmap_put_page_refs(page, 2);
}

void managed(benchmark::State &state, PairLoop loop)
{
	Map map(kObjects, &driver_of_pages);
	HeldPages pages(map, kObjects);

	check_gate(true);
	run_pairs(state, loop, pages.in_turn());
}

// Pages without a callback, while somebody else has one.
void host(benchmark::State &state)
{
	Map map(kObjects);
	HeldPages pages(map, kObjects);

	CHECK(devmap_pagemap_get_ops());
	run_pairs(state, loop_pairs, pages.in_turn());
	CHECK(devmap_pagemap_put_ops());
}

BENCHMARK_CAPTURE(ordinary, no_ops, loop_pairs_ungated, false)->Name("put/no_ops");
BENCHMARK_CAPTURE(ordinary, gate_off, loop_pairs, false)->Name("put/gate_off");
BENCHMARK_CAPTURE(ordinary, gate_on_ordinary, loop_pairs, true)->Name("put/gate_on_ordinary");
BENCHMARK_CAPTURE(managed, busy_managed, loop_pairs)->Name("put/busy_managed");
BENCHMARK_CAPTURE(managed, busy_managed_gate_first, loop_pairs_gate_first)->Name("put/busy_managed_gate_first");
BENCHMARK(host)->Name("put/host");
BENCHMARK_CAPTURE(ordinary, bare_atomics, loop_bare_atomics, false)->Name("put/bare_atomics");

// ---- threads --------------------------------------------------------------------------------------------------------

// Pages whose metadata is this many pages apart lies 4 KiB apart.
constexpr std::uint64_t kPagesApart = 64;

struct SharedPages {
	Map map{2 * kPagesApart, &driver_of_pages};
	HeldPages held{map, 2 * kPagesApart};
};

// Of the benchmark that runs: its threads' pages.
std::unique_ptr<SharedPages> shared_pages;

void share_pages(const benchmark::State &)
{
	shared_pages = std::make_unique<SharedPages>();
}

void unshare_pages(const benchmark::State &)
{
	shared_pages.reset();
}

// Keeps the calling thread on the @index-th of the CPUs that it may use, so that two threads have two.
class OnCpu {
public:
	explicit OnCpu(int index)
	{
		cpu_set_t one;
		int left;

		CHECK(sched_getaffinity(0, sizeof(allowed_), &allowed_));
		left = index % CPU_COUNT(&allowed_);
		CPU_ZERO(&one);
		for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
			if (CPU_ISSET(cpu, &allowed_) && left-- == 0)
				CPU_SET(cpu, &one);
		CHECK(sched_setaffinity(0, sizeof(one), &one));
	}

	~OnCpu()
	{
		CHECK(sched_setaffinity(0, sizeof(allowed_), &allowed_));
	}

	OnCpu(const OnCpu &) = delete;
	OnCpu &operator=(const OnCpu &) = delete;

private:
	cpu_set_t allowed_;
};

// Each thread has one page, @distance pages after that of the thread before it. Operations are counted by the clock, as
// by UseRealTime(), which would put itself into the name: a thread's time on its CPU would hide that the two were not
// running at the same time.
void threads(benchmark::State &state, std::uint64_t distance)
{
	using Clock = std::chrono::steady_clock;
	OnCpu pinned(state.thread_index());
	std::array<devmap_page *, kObjects> pages{};
	std::chrono::duration<double> seconds{};

	pages.fill(shared_pages->held.page(distance * static_cast<std::uint64_t>(state.thread_index())));
	for (auto _ : state) {
		Clock::time_point start = Clock::now();

		loop_pairs(pages.data(), pages.size(), kOperations);
		seconds += Clock::now() - start;
	}
	// The threads' are added up.
	state.counters["items_per_second"] = static_cast<double>(state.iterations()) * kOperations / seconds.count();
}

void on_threads(benchmark::internal::Benchmark *benchmark)
{
	benchmark->Setup(share_pages)->Teardown(unshare_pages)->Threads(1)->Threads(2);
}

BENCHMARK_CAPTURE(threads, same_page, 0)->Name("put/threads_same_page")->Apply(on_threads);
BENCHMARK_CAPTURE(threads, neighbour_pages, 1)->Name("put/threads_neighbour_pages")->Apply(on_threads);
BENCHMARK_CAPTURE(threads, own_pages, kPagesApart)->Name("put/threads_own_pages")->Apply(on_threads);

} // namespace
