// SPDX-License-Identifier: MIT
#include <future>
#include <thread>

#include <benchmark/benchmark.h>

int main(int argc, char **argv)
{
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 1;

	// A thread that does nothing lives as long as the benchmarks run: std::shared_ptr does without atomics in a
	// process of one thread, which is none that shares anything.
	std::promise<void> done;
	std::thread other([&done] { done.get_future().wait(); });

	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	done.set_value();
	other.join();
	return 0;
}
