/* SPDX-License-Identifier: MIT */
/**
 * @file hmm_fixture.h
 * What the tests of ranges share: device memory that counts, fails for chosen pages and stays in the middle of a copy until
 * it is told to go on; ranges over it; pages of known words; and what becomes of a thread that touches a page.
 */
#ifndef DEVMAP_TESTS_HMM_FIXTURE_H
#define DEVMAP_TESTS_HMM_FIXTURE_H

#include "blocking_call.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

/** The one test of a file in a library without DEVMAP_CONFIG_HMM. */
static inline void hmm_is_absent(void **state)
{
	const devmap_hmm_device_config device_config = {.size = sizeof(device_config)};
	const devmap_hmm_range_config range_config = {.size = sizeof(range_config), .length = PAGE_BYTES};
	devmap_hmm_range_stats stats;
	devmap_hmm_device *device = NULL;
	devmap_hmm_range *range = NULL;
	devmap_page *page = NULL;
	devmap_hmm_event event;
	uint64_t lost = 0;
	uint8_t states[1];

	(void)state;
	assert_error(devmap_hmm_device_new(&device_config, &device), EOPNOTSUPP);
	assert_error(devmap_hmm_range_add(&range_config, &range), EOPNOTSUPP);
	assert_null(device);
	assert_null(range);
	assert_error(devmap_hmm_range_remove(range, 0, NULL, NULL), EOPNOTSUPP);
	assert_error(devmap_hmm_range_resume(range), EOPNOTSUPP);
	assert_error(devmap_hmm_range_free(range), EOPNOTSUPP);
	assert_null(devmap_hmm_range_pagemap(range));
	assert_null(devmap_hmm_range_address(range));
	assert_error(devmap_hmm_range_get_pages(range, 0, 1, false, &page), EOPNOTSUPP);
	assert_null(devmap_hmm_range_get_page_fast(range, 0, false));
	assert_error(devmap_hmm_migrate_to_device(range, NULL, 0, 1, NULL, NULL), EOPNOTSUPP);
	assert_error(devmap_hmm_migrate_to_ram(range, 0, 1, NULL, NULL), EOPNOTSUPP);
	assert_error(devmap_hmm_fault_to_ram(NULL, 0, NULL, 0), EOPNOTSUPP);
	assert_error(devmap_hmm_range_set_limit(range, 0), EOPNOTSUPP);
	assert_error(devmap_hmm_range_snapshot(range, 0, 1, states), EOPNOTSUPP);
	assert_error(devmap_hmm_range_stats_read(range, &stats, sizeof(stats)), EOPNOTSUPP);
	assert_error(devmap_hmm_range_wait_events(range, &event, 1, 0, NULL, &lost), EOPNOTSUPP);
}

#ifdef DEVMAP_CONFIG_HMM

/* ---- pages of known words --------------------------------------------------------------------------------------- */

/** The word at @p index of page @p page: its top 16 bits tell the page. */
static inline uint64_t known_word(uint64_t page, uint32_t salt, uint64_t index)
{
	return (page + 1) << 48 | (uint64_t)(salt & 0xffff) << 32 | (uint32_t)(index * 2654435761u);
}

static inline void fill_page(void *memory, uint64_t page_size, uint64_t page, uint32_t salt)
{
	volatile uint64_t *words = memory;
	uint64_t i;

	for (i = 0; i < page_size / sizeof(*words); i++)
		words[i] = known_word(page, salt, i);
}

static inline bool page_is(const void *memory, uint64_t page_size, uint64_t page, uint32_t salt)
{
	const volatile uint64_t *words = memory;
	uint64_t i;

	for (i = 0; i < page_size / sizeof(*words); i++)
		if (words[i] != known_word(page, salt, i))
			return false;
	return true;
}

static inline bool page_is_zero(const void *memory, uint64_t page_size)
{
	const volatile uint64_t *words = memory;
	uint64_t i;

	for (i = 0; i < page_size / sizeof(*words); i++)
		if (words[i] != 0)
			return false;
	return true;
}

/* ---- device memory ---------------------------------------------------------------------------------------------- */

typedef int fault_function(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags);

/** Device memory whose data are kept in `slots`, whatever its type. */
struct device_memory {
	devmap_hmm_devmem *devmem;
	uint64_t nr_pages;
	uint64_t page_size;
	char *slots;
	/** Which slots hold data. Plain on purpose: the library must order the calls for a slot. */
	char *used;
	/** Of CPU-addressable memory. */
	void *resource;

	/** Pages that each callback was given, and `fault`'s calls. */
	_Atomic(uint64_t) written;
	_Atomic(uint64_t) read;
	_Atomic(uint64_t) freed;
	_Atomic(uint64_t) faults;

	/** Pages, by their known words, whose copying to and from fails with `error`; bits, so only the first 64. */
	_Atomic(uint64_t) failing_writes;
	_Atomic(uint64_t) failing_reads;
	_Atomic(int32_t) error;
	/** The next call says that it has copied, and returns when it is told to. */
	_Atomic(bool) stay_in_write;
	_Atomic(bool) stay_in_read;
	sem_t copied;
	sem_t leave;

	/** NULL for devmap_hmm_fault_to_ram(). */
	_Atomic(fault_function *) on_fault;
	/** The test's own. */
	void *data;
};

#define ALL_PAGES UINT64_MAX

/* Out of sight of ThreadSanitizer, which knows nothing of protected pages. */
__attribute__((no_sanitize("thread"))) static inline void copy_page(void *to, const void *from, uint64_t length)
{
	const volatile uint64_t *source = from;
	volatile uint64_t *target = to;
	uint64_t i;

	for (i = 0; i < length / sizeof(*target); i++)
		target[i] = source[i];
}

static inline bool is_failing(uint64_t failing, const void *memory)
{
	uint64_t page = (*(const volatile uint64_t *)memory >> 48) - 1;

	return failing == ALL_PAGES || (page < 64 && (failing >> page & 1));
}

static inline void stay_if(struct device_memory *memory, _Atomic(bool) *wanted)
{
	if (!atomic_exchange(wanted, false))
		return;
	(void)sem_post(&memory->copied);
	while (sem_wait(&memory->leave) != 0)
		;
}

static inline void await_copy(struct device_memory *memory)
{
	while (sem_wait(&memory->copied) != 0)
		;
}

static inline void let_copy_end(struct device_memory *memory)
{
	(void)sem_post(&memory->leave);
}

static inline char *slot_of(struct device_memory *memory, const devmap_page *page)
{
	return memory->slots + devmap_page_index(page) * memory->page_size;
}

static inline void test_copy_to(devmap_hmm_devmem *devmem, devmap_hmm_copy *copies, uint32_t n)
{
	struct device_memory *memory = devmap_hmm_devmem_data(devmem);
	uint32_t i;

	check(n > 0 && n <= DEVMAP_HMM_COPY_BATCH);
	for (i = 0; i < n; i++) {
		char *slot = slot_of(memory, copies[i].page);

		check(copies[i].result == 0 && copies[i].reserved == 0);
		check(!memory->used[devmap_page_index(copies[i].page)]);
		copy_page(slot, copies[i].memory, memory->page_size);
		if (is_failing(atomic_load(&memory->failing_writes), slot))
			copies[i].result = atomic_load(&memory->error);
		else
			memory->used[devmap_page_index(copies[i].page)] = 1;
	}
	atomic_fetch_add(&memory->written, n);
	stay_if(memory, &memory->stay_in_write);
}

static inline void test_copy_from(devmap_hmm_devmem *devmem, devmap_hmm_copy *copies, uint32_t n)
{
	struct device_memory *memory = devmap_hmm_devmem_data(devmem);
	uint32_t i;

	check(n > 0 && n <= DEVMAP_HMM_COPY_BATCH);
	for (i = 0; i < n; i++) {
		char *slot = slot_of(memory, copies[i].page);

		check(copies[i].result == 0 && copies[i].reserved == 0);
		check(memory->used[devmap_page_index(copies[i].page)]);
		if (is_failing(atomic_load(&memory->failing_reads), slot))
			copies[i].result = atomic_load(&memory->error);
		else
			copy_page(copies[i].memory, slot, memory->page_size);
	}
	atomic_fetch_add(&memory->read, n);
	stay_if(memory, &memory->stay_in_read);
}

static inline void test_page_free(devmap_hmm_devmem *devmem, devmap_page *page)
{
	struct device_memory *memory = devmap_hmm_devmem_data(devmem);

	memory->used[devmap_page_index(page)] = 0;
	atomic_fetch_add(&memory->freed, 1);
}

static inline int test_fault(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags)
{
	struct device_memory *memory = devmap_hmm_devmem_data(devmem);
	fault_function *on_fault = atomic_load(&memory->on_fault);

	atomic_fetch_add(&memory->faults, 1);
	return on_fault ? on_fault(devmem, address, page, flags) : devmap_hmm_fault_to_ram(devmem, address, page, flags);
}

static const devmap_hmm_devmem_ops test_devmem_ops = {
	.free = test_page_free,
	.fault = test_fault,
	.copy_to = test_copy_to,
	.copy_from = test_copy_from,
};

static inline void *map_anonymous(uint64_t length)
{
	void *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_ptr_not_equal(memory, MAP_FAILED);
	return memory;
}

/** Anonymous memory aligned to a page size beyond the system's; never unmapped as a whole, so for tests only. */
static inline char *map_aligned(uint64_t length, uint64_t alignment)
{
	char *memory = map_anonymous(length + alignment);

	return memory + (alignment - (uintptr_t)memory % alignment) % alignment;
}

static inline void add_resource(struct device_memory *memory, devmap_hmm_device *device)
{
	const uint64_t size = memory->page_size;
	devmap_hmm_resource resource = {
		.name = "test",
		.length = memory->nr_pages * size,
		.desc = DEVMAP_HMM_IORES_DESC_DEVICE_PUBLIC_MEMORY,
	};

	memory->resource = map_anonymous(resource.length + size);
	resource.start = (char *)memory->resource + (size - (uintptr_t)memory->resource % size) % size;
	assert_ok(devmap_hmm_devmem_add_resource(&test_devmem_ops, device, &resource, size, memory, &memory->devmem));
}

#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
#define FIRST_IS_PUBLIC false
#else
#define FIRST_IS_PUBLIC true
#endif

static inline struct device_memory *device_memory_new_of(
	devmap_hmm_device *device, uint64_t nr_pages, uint64_t page_size, bool is_public)
{
	struct device_memory *memory = calloc(1, sizeof(*memory));

	assert_non_null(memory);
	memory->nr_pages = nr_pages;
	memory->page_size = page_size;
	memory->error = -EIO;
	memory->slots = map_anonymous(nr_pages * page_size);
	memory->used = calloc(nr_pages, 1);
	assert_non_null(memory->used);
	assert_ok(sem_init(&memory->copied, 0, 0));
	assert_ok(sem_init(&memory->leave, 0, 0));
	if (is_public)
		add_resource(memory, device);
	else
		assert_ok(devmap_hmm_devmem_add(
			&test_devmem_ops, device, nr_pages * page_size, page_size, memory, &memory->devmem));
	return memory;
}

/** Device memory that the CPU cannot address, where this configuration has it. */
static inline struct device_memory *device_memory_new(devmap_hmm_device *device, uint64_t nr_pages, uint64_t page_size)
{
	return device_memory_new_of(device, nr_pages, page_size, FIRST_IS_PUBLIC);
}

#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
#define STATE_DEVICE DEVMAP_HMM_PAGE_DEVICE
#else
#define STATE_DEVICE (DEVMAP_HMM_PAGE_DEVICE | DEVMAP_HMM_PAGE_PUBLIC)
#endif
#define STATE_HOLE 0
#define STATE_RESIDENT (DEVMAP_HMM_PAGE_RESIDENT | DEVMAP_HMM_PAGE_DIRTY)
#define STATE_KEPT (DEVMAP_HMM_PAGE_RESIDENT | STATE_DEVICE)
#define STATE_PINNED DEVMAP_HMM_PAGE_PINNED
#define STATE_POISONED DEVMAP_HMM_PAGE_POISONED

static inline uint64_t pages_used(const struct device_memory *memory)
{
	return devmap_hmm_devmem_pages_used(memory->devmem);
}

static inline void device_memory_end(struct device_memory *memory)
{
	uint64_t i;

	assert_int_equal(pages_used(memory), 0);
	assert_ok(devmap_hmm_devmem_remove(memory->devmem, 0, NULL, NULL));
	for (i = 0; i < memory->nr_pages; i++)
		assert_false(memory->used[i]);
	if (memory->resource)
		assert_ok(munmap(memory->resource, (memory->nr_pages + 1) * memory->page_size));
	assert_ok(munmap(memory->slots, memory->nr_pages * memory->page_size));
	(void)sem_destroy(&memory->copied);
	(void)sem_destroy(&memory->leave);
	free(memory->used);
	free(memory);
}

/* ---- a device, device memory, and a range ----------------------------------------------------------------------- */

/** @return a device, or skips the test where the system does not permit it. */
static inline devmap_hmm_device *device_new(int32_t faults, uint32_t fault_threads)
{
	const devmap_hmm_device_config config = {
		.size = sizeof(config),
		.faults = faults,
		.fault_threads = fault_threads,
	};
	devmap_hmm_device *device = NULL;
	int result = devmap_hmm_device_new(&config, &device);

	if (faults != DEVMAP_HMM_FAULTS_NONE && (result == -EPERM || result == -ENOSYS || result == -EOPNOTSUPP)) {
		print_message("%s\n", devmap_hmm_faults_advice(result));
		skip();
	}
	assert_ok(result);
	assert_int_equal(devmap_hmm_device_faults(device), faults);
	return device;
}

/** What differs from a range of the library's memory, 4 KiB a page, without a limit, over a device as large. */
struct hmm_wish {
	int32_t faults;
	uint32_t fault_threads;
	uint64_t nr_pages;
	uint64_t page_size;
	uint64_t nr_device_pages;
	/** CPU-addressable device memory, where there is a choice. */
	bool is_public;
	/** Pages. */
	uint64_t limit;
	uint32_t flags;
	int32_t on_error;
	uint32_t event_capacity;
	void *address;
	int32_t (*failed)(devmap_hmm_range *range, uintptr_t address, int32_t error, void *data);
	void *data;
};

struct hmm {
	devmap_hmm_device *device;
	struct device_memory *memory;
	devmap_hmm_range *range;
	char *bytes;
	uint64_t nr_pages;
	uint64_t page_size;
};

static inline devmap_hmm_range_config config_of(const struct hmm *hmm, struct hmm_wish wish)
{
	devmap_hmm_range_config config = {
		.size = sizeof(config),
		.flags = wish.flags,
		.on_error = wish.on_error,
		.event_capacity = wish.event_capacity,
		.device = hmm->device,
		.devmem = hmm->memory->devmem,
		.address = wish.address,
		.length = hmm->nr_pages * hmm->page_size,
		.page_size = wish.page_size,
		.resident_limit = wish.limit * hmm->page_size,
		.failed = wish.failed,
		.data = wish.data,
	};

	return config;
}

static inline devmap_hmm_range *range_new(const devmap_hmm_range_config *config)
{
	devmap_hmm_range *range = NULL;

	assert_ok(devmap_hmm_range_add(config, &range));
	assert_non_null(range);
	return range;
}

static inline struct hmm hmm_open(struct hmm_wish wish)
{
	struct hmm hmm = {.nr_pages = wish.nr_pages, .page_size = wish.page_size ? wish.page_size : PAGE_BYTES};
	devmap_hmm_range_config config;

	hmm.device = device_new(wish.faults, wish.fault_threads);
	hmm.memory = device_memory_new_of(hmm.device, wish.nr_device_pages ? wish.nr_device_pages : wish.nr_pages,
		hmm.page_size, wish.is_public || FIRST_IS_PUBLIC);
	config = config_of(&hmm, wish);
	hmm.range = range_new(&config);
	hmm.bytes = devmap_hmm_range_address(hmm.range);
	return hmm;
}

static inline void range_end(devmap_hmm_range *range)
{
	assert_ok(devmap_hmm_range_remove(range, 0, NULL, NULL));
	assert_ok(devmap_hmm_range_free(range));
}

/** Without the range. */
static inline void hmm_close_rest(struct hmm *hmm)
{
	device_memory_end(hmm->memory);
	devmap_hmm_device_put(hmm->device);
}

static inline void hmm_close(struct hmm *hmm)
{
	range_end(hmm->range);
	hmm_close_rest(hmm);
}

/** Both ways to serve faults that every contract but those about faults holds for. */
static const int32_t both_modes[] = {DEVMAP_HMM_FAULTS_NONE, DEVMAP_HMM_FAULTS_ALL};

/* ---- what the tests do with pages ------------------------------------------------------------------------------- */

static inline char *bytes_of(const struct hmm *hmm, uint64_t page)
{
	return hmm->bytes + page * hmm->page_size;
}

static inline devmap_page *lease(const struct hmm *hmm, uint64_t first, uint64_t n, bool write)
{
	devmap_page *page = NULL;

	assert_ok(devmap_hmm_range_get_pages(hmm->range, first, n, write, &page));
	assert_ptr_equal(page, &devmap_hmm_range_pagemap(hmm->range)->pages[first]);
	return page;
}

/** Writes known words through leases, page by page. */
static inline void write_pages(const struct hmm *hmm, uint64_t first, uint64_t n, uint32_t salt)
{
	uint64_t i;

	for (i = first; i < first + n; i++) {
		devmap_page *page = lease(hmm, i, 1, true);

		fill_page(bytes_of(hmm, i), hmm->page_size, i, salt);
		devmap_put_page(page);
	}
}

static inline bool pages_are(const struct hmm *hmm, uint64_t first, uint64_t n, uint32_t salt)
{
	uint64_t i;

	for (i = first; i < first + n; i++) {
		devmap_page *page = lease(hmm, i, 1, false);
		bool is = page_is(bytes_of(hmm, i), hmm->page_size, i, salt);

		devmap_put_page(page);
		if (!is)
			return false;
	}
	return true;
}

static inline void send_out(const struct hmm *hmm, uint64_t first, uint64_t n)
{
	assert_ok(devmap_hmm_migrate_to_device(hmm->range, NULL, first, n, NULL, NULL));
}

static inline void bring_in(const struct hmm *hmm, uint64_t first, uint64_t n)
{
	assert_ok(devmap_hmm_migrate_to_ram(hmm->range, first, n, NULL, NULL));
}

static inline uint32_t state_of(const struct hmm *hmm, uint64_t page)
{
	uint8_t state = 0xff;

	assert_ok(devmap_hmm_range_snapshot(hmm->range, page, 1, &state));
	return state;
}

/** Waits until no page is on its way: a thread goes on as soon as its page is there, and what is left to do follows. */
static inline void await_faults(const struct hmm *hmm)
{
	uint8_t *states = malloc(hmm->nr_pages);

	assert_non_null(states);
	assert_ok(devmap_hmm_range_snapshot(hmm->range, 0, hmm->nr_pages, states));
	free(states);
}

static inline devmap_hmm_range_stats range_stats(devmap_hmm_range *range)
{
	devmap_hmm_range_stats stats;

	memset(&stats, 0xee, sizeof(stats));
	assert_ok(devmap_hmm_range_stats_read(range, &stats, sizeof(stats)));
	return stats;
}

static inline uint64_t nr_faults(const struct hmm *hmm)
{
	const devmap_hmm_range_stats stats = range_stats(hmm->range);

	return stats.faults_hole + stats.faults_device + stats.faults_write + stats.faults_served_already;
}

/* ---- what becomes of a thread that touches a page --------------------------------------------------------------- */

static _Thread_local sigjmp_buf touch_failed;

static inline void on_touch_signal(int number)
{
	siglongjmp(touch_failed, number);
}

/** Touches a byte, writing where @p write. @return 0, or the signal that it met. */
static inline int touch(void *address, bool write)
{
	struct sigaction action = {.sa_handler = on_touch_signal}, bus, segv;
	volatile char *byte = address;
	int number;

	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGBUS, &action, &bus);
	(void)sigaction(SIGSEGV, &action, &segv);
	number = sigsetjmp(touch_failed, 1);
	if (number == 0) {
		if (write)
			*byte = 0x5a;
		else
			(void)*byte;
	}
	(void)sigaction(SIGBUS, &bus, NULL);
	(void)sigaction(SIGSEGV, &segv, NULL);
	return number;
}

/** In a child: has SIGSEGV and SIGBUS kill it, whatever a sanitizer thinks of them, and leave no core. */
static inline void let_signals_kill(void)
{
	const struct rlimit none = {0, 0};

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)signal(SIGSEGV, SIG_DFL);
	(void)signal(SIGBUS, SIG_DFL);
}

/** @return the signal that @p body ended by in a child, or minus what it returned. */
static inline int signal_of_child(int (*body)(void))
{
	int status = status_of_child(body);

	return WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status);
}

#endif

#endif
