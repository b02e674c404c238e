// SPDX-License-Identifier: MIT
// From a fault to the thread that goes on: a thread touches page after page of memory whose data are in a store, each of
// which another thread brings back. What the library does is held against bare loops over userfaultfd(2) that do nothing
// but copy the page, one that waits in read(2) alone and one that polls before, as the manual page's example.
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fcntl.h>
#include <poll.h>
#include <thread>
#include <unistd.h>

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include <devmap/migrate.h>

#include "support.h"

namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::uint64_t kPages = 4096;

// Touches one byte of each page, in order, and says how long that took in seconds.
double touch_all(const char *memory)
{
	auto start = std::chrono::steady_clock::now();

	for (std::uint64_t i = 0; i < kPages; i++)
		benchmark::DoNotOptimize(*static_cast<const volatile char *>(memory + i * kPage));
	return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

char *map_memory()
{
	void *memory = mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(memory == MAP_FAILED ? -errno : 0);
	CHECK(madvise(memory, kPages * kPage, MADV_NOHUGEPAGE) == 0 ? 0 : -errno);
	return static_cast<char *>(memory);
}

// ---- bare -----------------------------------------------------------------------------------------------------------

class Bare {
public:
	explicit Bare(bool polls) : polls_(polls), source_(map_memory()), memory_(map_memory())
	{
		uffdio_api api{};
		uffdio_register range{};

		std::memset(source_, 1, kPages * kPage);
		file_ = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | (polls_ ? O_NONBLOCK : 0)));
		CHECK(file_ < 0 ? -errno : 0);
		api.api = UFFD_API;
		CHECK(ioctl(file_, UFFDIO_API, &api) == 0 ? 0 : -errno);
		range.range = {reinterpret_cast<std::uintptr_t>(memory_), kPages * kPage};
		range.mode = UFFDIO_REGISTER_MODE_MISSING;
		CHECK(ioctl(file_, UFFDIO_REGISTER, &range) == 0 ? 0 : -errno);
		thread_ = std::thread([this] { serve(); });
	}

	~Bare()
	{
		// A fault on the first page ends the thread that serves it.
		send_away();
		stop_ = true;
		benchmark::DoNotOptimize(*static_cast<volatile char *>(memory_));
		thread_.join();
		close(file_);
		munmap(memory_, kPages * kPage);
		munmap(source_, kPages * kPage);
	}

	Bare(const Bare &) = delete;
	Bare &operator=(const Bare &) = delete;

	void send_away()
	{
		CHECK(madvise(memory_, kPages * kPage, MADV_DONTNEED) == 0 ? 0 : -errno);
	}

	const char *memory() const
	{
		return memory_;
	}

private:
	void serve()
	{
		uffd_msg message{};
		pollfd polled{file_, POLLIN, 0};

		for (;;) {
			if (polls_)
				CHECK(poll(&polled, 1, -1) == 1 ? 0 : -errno);
			CHECK(read(file_, &message, sizeof(message)) == sizeof(message) ? 0 : -errno);

			std::uint64_t offset = (message.arg.pagefault.address & ~(kPage - 1)) -
				reinterpret_cast<std::uintptr_t>(memory_);
			uffdio_copy copy{};

			copy.dst = reinterpret_cast<std::uintptr_t>(memory_) + offset;
			copy.src = reinterpret_cast<std::uintptr_t>(source_) + offset;
			copy.len = kPage;
			CHECK(ioctl(file_, UFFDIO_COPY, &copy) == 0 ? 0 : -errno);
			if (offset == 0 && stop_)
				return;
		}
	}

	bool polls_;
	char *source_;
	char *memory_;
	int file_ = -1;
	std::atomic<bool> stop_{false};
	std::thread thread_;
};

void fault_bare(benchmark::State &state, bool polls)
{
	Bare bare(polls);

	for (auto _ : state) {
		bare.send_away();
		state.SetIterationTime(touch_all(bare.memory()));
	}
	count_operations(state, kPages);
}

BENCHMARK_CAPTURE(fault_bare, bare, false)->Name("far/fault_bare")->UseManualTime();
BENCHMARK_CAPTURE(fault_bare, bare_poll, true)->Name("far/fault_bare_poll")->UseManualTime();

// ---- the library's --------------------------------------------------------------------------------------------------

enum class Kind { memory, lz4 };

class Far {
public:
	Far(Kind kind, std::uint32_t flags)
	{
		devmap_hmm_device_config device{};
		devmap_hmm_range_config range{};
		devmap_store *store = nullptr;

		device.size = sizeof(device);
		device.faults = DEVMAP_HMM_FAULTS_AUTO;
		CHECK(devmap_hmm_device_new(&device, &device_));
		CHECK(kind == Kind::memory ? devmap_store_memory_open(kPages, kPage, &store)
					   : devmap_store_lz4_open(kPages, kPage, &store));
		CHECK(devmap_hmm_devmem_add_store(device_, store, &devmem_));
		range.size = sizeof(range);
		range.flags = flags;
		range.device = device_;
		range.devmem = devmem_;
		range.length = kPages * kPage;
		CHECK(devmap_hmm_range_add(&range, &range_));
		fill();
	}

	~Far()
	{
		CHECK(devmap_hmm_range_remove(range_, DEVMAP_WAIT_FOREVER, nullptr, nullptr));
		CHECK(devmap_hmm_range_free(range_));
		CHECK(devmap_hmm_devmem_remove(devmem_, DEVMAP_WAIT_FOREVER, nullptr, nullptr));
		devmap_hmm_device_put(device_);
	}

	Far(const Far &) = delete;
	Far &operator=(const Far &) = delete;

	void send_away()
	{
		CHECK(devmap_hmm_migrate_to_device(range_, nullptr, 0, kPages, nullptr, nullptr));
	}

	const char *memory() const
	{
		return static_cast<const char *>(devmap_hmm_range_address(range_));
	}

	devmap_hmm_range *get() const
	{
		return range_;
	}

private:
	// Words that compress to about half.
	void fill()
	{
		devmap_page *pages = nullptr;
		std::uint64_t random = 1;

		CHECK(devmap_hmm_range_get_pages(range_, 0, kPages, true, &pages));
		for (std::uint64_t i = 0; i < kPages * kPage / sizeof(random); i++) {
			random = random * UINT64_C(6364136223846793005) + 1;
			std::memcpy(static_cast<char *>(devmap_hmm_range_address(range_)) + i * sizeof(random), &random,
				sizeof(random) / 2);
		}
		devmap_put_pages(pages, kPages);
	}

	devmap_hmm_device *device_ = nullptr;
	devmap_hmm_devmem *devmem_ = nullptr;
	devmap_hmm_range *range_ = nullptr;
};

void fault(benchmark::State &state, Kind kind, std::uint32_t flags)
{
	Far far(kind, flags);

	for (auto _ : state) {
		far.send_away();
		state.SetIterationTime(touch_all(far.memory()));
	}
	count_operations(state, kPages);
}

BENCHMARK_CAPTURE(fault, kept, Kind::memory, DEVMAP_HMM_RANGE_KEEP_COPIES)->Name("far/fault")->UseManualTime();
BENCHMARK_CAPTURE(fault, moved, Kind::memory, 0)->Name("far/fault_moved")->UseManualTime();
BENCHMARK_CAPTURE(fault, lz4, Kind::lz4, DEVMAP_HMM_RANGE_KEEP_COPIES)->Name("far/fault_lz4")->UseManualTime();

// A lease of a page that is away brings it in on its own thread.
void lease_away(benchmark::State &state)
{
	Far far(Kind::memory, DEVMAP_HMM_RANGE_KEEP_COPIES);

	for (auto _ : state) {
		far.send_away();
		auto start = std::chrono::steady_clock::now();

		for (std::uint64_t i = 0; i < kPages; i++) {
			devmap_page *page = nullptr;

			CHECK(devmap_hmm_range_get_pages(far.get(), i, 1, false, &page));
			benchmark::DoNotOptimize(*static_cast<const volatile char *>(far.memory() + i * kPage));
			devmap_put_page(page);
		}
		state.SetIterationTime(
			std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
	}
	count_operations(state, kPages);
}

void lease_resident(benchmark::State &state)
{
	Far far(Kind::memory, 0);

	for (auto _ : state) {
		for (std::uint64_t i = 0; i < kPages; i++) {
			devmap_page *page = devmap_hmm_range_get_page_fast(far.get(), i, true);

			CHECK(page ? 0 : -ENOENT);
			devmap_put_page(page);
		}
	}
	count_operations(state, kPages);
}

BENCHMARK(lease_away)->Name("far/lease_away")->UseManualTime();
BENCHMARK(lease_resident)->Name("far/lease_resident");

} // namespace
