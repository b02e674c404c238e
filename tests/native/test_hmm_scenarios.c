/* SPDX-License-Identifier: MIT */
/*
 * The scenarios by which the Linux kernel tests its HMM, where they mean something to a process that serves its own faults:
 * native/hmm-scenarios.md says which is which. A device that reads or writes the memory is one that leases it.
 */
#include "hmm_fixture.h"

#ifdef DEVMAP_CONFIG_HMM

#include <fcntl.h>
#include <sys/uio.h>

enum { NR_PAGES = 1024, NR_TIMES = 10 };

static const bool kinds[] = {
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
	false,
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
	true,
#endif
};

#define FOR_EACH_KIND(kind) for (size_t kind = 0; kind < ARRAY_LENGTH(kinds); kind++)

static struct hmm open_kind(size_t kind, uint64_t nr_pages)
{
	return hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.is_public = kinds[kind],
		.nr_pages = nr_pages,
	});
}

static struct hmm open_huge(size_t kind, uint64_t nr_pages)
{
	return hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.is_public = kinds[kind],
		.nr_pages = nr_pages,
		.page_size = 2 * MIB,
	});
}

static uint32_t place_of(const struct hmm *hmm, uint64_t page)
{
	return state_of(hmm, page) & ~(uint32_t)DEVMAP_HMM_PAGE_PUBLIC;
}

/** The CPU writes known words. */
static void cpu_writes(const struct hmm *hmm, uint32_t salt)
{
	uint64_t i;

	for (i = 0; i < hmm->nr_pages; i++)
		fill_page(bytes_of(hmm, i), hmm->page_size, i, salt);
	await_faults(hmm);
}

static void cpu_sees(const struct hmm *hmm, uint64_t first, uint64_t n, uint32_t salt)
{
	uint64_t i;

	for (i = first; i < first + n; i++)
		assert_true(page_is(bytes_of(hmm, i), hmm->page_size, i, salt));
	await_faults(hmm);
}

/** A device reads pages through one lease. */
static char *device_reads(const struct hmm *hmm, uint64_t first, uint64_t n)
{
	devmap_page *page = lease(hmm, first, n, false);
	char *mirror = malloc(n * hmm->page_size);

	assert_non_null(mirror);
	memcpy(mirror, bytes_of(hmm, first), n * hmm->page_size);
	devmap_put_pages(page, n);
	return mirror;
}

static void device_sees(const struct hmm *hmm, uint64_t first, uint64_t n, uint32_t salt)
{
	char *mirror = device_reads(hmm, first, n);
	uint64_t i;

	for (i = 0; i < n; i++)
		assert_true(page_is(mirror + i * hmm->page_size, hmm->page_size, first + i, salt));
	free(mirror);
}

static void device_writes(const struct hmm *hmm, uint64_t first, uint64_t n, uint32_t salt)
{
	devmap_page *page = lease(hmm, first, n, true);
	uint64_t i;

	for (i = first; i < first + n; i++)
		fill_page(bytes_of(hmm, i), hmm->page_size, i, salt);
	devmap_put_pages(page, n);
}

/**
 * Whether the device has the page, by what lies in its slots. No page is on its way; but ThreadSanitizer does not see that
 * a thread that stands in a fault comes before the one that serves it.
 */
__attribute__((no_sanitize("thread"))) static bool device_holds(const struct hmm *hmm, uint64_t page, uint32_t salt)
{
	uint64_t i;

	for (i = 0; i < hmm->memory->nr_pages; i++)
		if (hmm->memory->used[i] &&
			page_is(hmm->memory->slots + i * hmm->page_size, hmm->page_size, page, salt))
			return true;
	return false;
}

/* ---- reading and writing ------------------------------------------------------------------------------------------- */

static void open_close(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, 1);

		hmm_close(&hmm);
	}
}

static void anon_read(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, NR_PAGES);
		char *mirror;
		uint64_t i, faults;

		/* The first is a hole, the second a page of zeros. */
		for (i = 2; i < NR_PAGES; i++)
			fill_page(bytes_of(&hmm, i), PAGE_BYTES, i, 1);
		assert_int_equal(*(volatile char *)bytes_of(&hmm, 1), 0);
		faults = nr_faults(&hmm);
		mirror = device_reads(&hmm, 0, NR_PAGES);
		assert_true(page_is_zero(mirror, 2 * PAGE_BYTES));
		for (i = 2; i < NR_PAGES; i++)
			assert_true(page_is(mirror + i * PAGE_BYTES, PAGE_BYTES, i, 1));
		free(mirror);
		assert_int_equal(nr_faults(&hmm), faults);
		hmm_close(&hmm);
	}
}

static void anon_write(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, NR_PAGES);

		device_writes(&hmm, 0, NR_PAGES, 1);
		cpu_sees(&hmm, 0, NR_PAGES, 1);
		assert_int_equal(nr_faults(&hmm), 0);
		hmm_close(&hmm);
	}
}

/* What there is of anon_write_prot: pages of zeros that were read are replaced when they are written. */
static void anon_write_zero_page(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, 16);
		char *mirror = device_reads(&hmm, 0, 16);

		assert_true(page_is_zero(mirror, 16 * PAGE_BYTES));
		free(mirror);
		device_writes(&hmm, 0, 8, 1);
		cpu_sees(&hmm, 0, 8, 1);
		assert_true(page_is_zero(bytes_of(&hmm, 8), 8 * PAGE_BYTES));
		hmm_close(&hmm);
	}
}

static struct hmm parents;

static int child_reads_the_parents_memory(void)
{
	let_signals_kill();
	return *(volatile char *)parents.bytes;
}

/* A child does not get a copy: it has no memory of ranges. */
static void anon_write_child(void **state)
{
	uint32_t migrate, huge;

	(void)state;
	FOR_EACH_KIND (kind)
		for (migrate = 0; migrate < 2; migrate++)
			for (huge = 0; huge < 2; huge++) {
				parents = huge ? open_huge(kind, 2) : open_kind(kind, 64);
				cpu_writes(&parents, 1);
				if (migrate)
					send_out(&parents, 0, parents.nr_pages);
				assert_int_equal(signal_of_child(child_reads_the_parents_memory), SIGSEGV);
				cpu_sees(&parents, 0, parents.nr_pages, 1);
				hmm_close(&parents);
			}
}

static void anon_write_huge(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		char *memory = map_aligned(2 * MIB, 2 * MIB);
		struct hmm hmm = open_huge(kind, 2);

		device_writes(&hmm, 0, 2, 1);
		cpu_sees(&hmm, 0, 2, 1);
		hmm_close(&hmm);
		/* The system's huge page, in pages of ours. */
		(void)madvise(memory, 2 * MIB, MADV_HUGEPAGE);
		memset(memory, 7, 2 * MIB);
		hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.is_public = kinds[kind],
			.nr_pages = 512,
			.address = memory,
		});
		assert_int_equal(range_stats(hmm.range).resident, 512);
		device_writes(&hmm, 100, 50, 1);
		send_out(&hmm, 90, 20);
		cpu_sees(&hmm, 100, 50, 1);
		assert_int_equal(memory[90 * PAGE_BYTES], 7);
		range_end(hmm.range);
		assert_int_equal(memory[91 * PAGE_BYTES], 7);
		assert_int_equal(memory[2 * MIB - 1], 7);
		hmm_close_rest(&hmm);
		assert_ok(munmap(memory, 2 * MIB));
	}
}

static void anon_write_hugetlbfs(void **state)
{
	struct hmm hmm = open_kind(0, 512);
	devmap_hmm_range_config config;
	devmap_hmm_range *range = NULL;
	void *memory = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_NORESERVE, -1, 0);

	(void)state;
	if (memory != MAP_FAILED) {
		config = config_of(&hmm, (struct hmm_wish){.address = memory});
		assert_error(devmap_hmm_range_add(&config, &range), EINVAL);
		assert_ok(munmap(memory, 2 * MIB));
	}
	hmm_close(&hmm);
	if (memory == MAP_FAILED)
		skip();
}

static void anon_read_multiple(void **state)
{
	uint32_t i;

	(void)state;
	FOR_EACH_KIND (kind)
		for (i = 0; i < NR_TIMES; i++) {
			struct hmm hmm = open_kind(kind, 128);

			cpu_writes(&hmm, i);
			device_sees(&hmm, 0, 128, i);
			hmm_close(&hmm);
		}
}

struct reader {
	const struct hmm *hmm;
	_Atomic(bool) goes;
};

static void *read_until_removed(void *argument)
{
	struct reader *reader = argument;
	uint64_t i;

	for (i = 0;; i = (i + 1) % 64) {
		devmap_page *page = NULL;
		int result = devmap_hmm_range_get_pages(reader->hmm->range, i, 64 - i, false, &page);

		if (result != 0) {
			check(result == -ENODEV);
			return NULL;
		}
		check(page_is(bytes_of(reader->hmm, i), PAGE_BYTES, i, 1));
		check(page_is(bytes_of(reader->hmm, 63), PAGE_BYTES, 63, 1));
		devmap_put_pages(page, 64 - i);
		atomic_store(&reader->goes, true);
	}
}

static void anon_teardown(void **state)
{
	uint32_t i;

	(void)state;
	FOR_EACH_KIND (kind)
		for (i = 0; i < NR_TIMES; i++) {
			struct hmm hmm = open_kind(kind, 64);
			struct reader reader = {.hmm = &hmm};
			pthread_t thread;

			cpu_writes(&hmm, 1);
			send_out(&hmm, 0, 64);
			assert_ok(pthread_create(&thread, NULL, read_until_removed, &reader));
			while (i % 2 && !atomic_load(&reader.goes))
				(void)sched_yield();
			assert_ok(devmap_hmm_range_remove(hmm.range, DEVMAP_WAIT_FOREVER, NULL, NULL));
			assert_ok(pthread_join(thread, NULL));
			assert_ok(devmap_hmm_range_free(hmm.range));
			hmm_close_rest(&hmm);
		}
}

/* ---- migration ------------------------------------------------------------------------------------------------------ */

static void migrate(void **state)
{
	uint64_t i;

	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, 128);
		devmap_hmm_migration sum;

		cpu_writes(&hmm, 1);
		assert_ok(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 128, NULL, &sum));
		assert_int_equal(sum.migrated, 128);
		assert_int_equal(pages_used(hmm.memory), 128);
		for (i = 0; i < 128; i++)
			assert_true(device_holds(&hmm, i, 1));
		hmm_close(&hmm);
	}
}

static void migrate_fault(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, NR_PAGES);
		devmap_hmm_migration sum;

		cpu_writes(&hmm, 1);
		send_out(&hmm, 0, NR_PAGES);
		cpu_sees(&hmm, 0, NR_PAGES / 2, 1);
		assert_int_equal(range_stats(hmm.range).faults_device, NR_PAGES / 2);
		assert_int_equal(pages_used(hmm.memory), NR_PAGES / 2);
		assert_ok(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, NR_PAGES, NULL, &sum));
		assert_int_equal(sum.migrated, NR_PAGES / 2);
		assert_int_equal(sum.absent, NR_PAGES / 2);
		assert_int_equal(pages_used(hmm.memory), NR_PAGES);
		cpu_sees(&hmm, 0, NR_PAGES, 1);
		hmm_close(&hmm);
	}
}

static void migrate_release(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, NR_PAGES);
		struct device_memory *gone = device_memory_new_of(hmm.device, NR_PAGES, PAGE_BYTES, kinds[kind]);

		/* Device memory that is not the range's own can go while the range stays. */
		cpu_writes(&hmm, 1);
		assert_ok(devmap_hmm_migrate_to_device(hmm.range, gone->devmem, 0, NR_PAGES, NULL, NULL));
		assert_error(devmap_hmm_devmem_remove(gone->devmem, 0, NULL, NULL), EBUSY);
		bring_in(&hmm, 0, NR_PAGES);
		device_memory_end(gone);
		cpu_sees(&hmm, 0, NR_PAGES, 1);
		assert_int_equal(range_stats(hmm.range).faults_device, 0);
		hmm_close(&hmm);
	}
}

static void migrate_multiple(void **state)
{
	uint32_t i;

	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, 256);

		for (i = 0; i < NR_TIMES; i++) {
			cpu_writes(&hmm, i);
			send_out(&hmm, 0, 256);
			assert_int_equal(pages_used(hmm.memory), 256);
			if (i % 2)
				bring_in(&hmm, 0, 256);
			cpu_sees(&hmm, 0, 256, i);
			assert_int_equal(pages_used(hmm.memory), 0);
		}
		hmm_close(&hmm);
	}
}

/* Holes, zeros, pages of others; and what the kernel leaves where it is, on another device, moves through memory here. */
static void migrate_mixed(void **state)
{
	static const int32_t expected[6] = {0, 0, 1, 1, 1, 1};
	uint32_t i;

	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, 6);
		struct device_memory *other = device_memory_new_of(hmm.device, 6, PAGE_BYTES, kinds[kind]);
		int32_t results[6];

		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 5, 2, NULL, NULL), ERANGE);
		assert_int_equal(*(volatile char *)bytes_of(&hmm, 2), 0);
		device_writes(&hmm, 3, 3, 1);
		assert_ok(devmap_hmm_migrate_to_device(hmm.range, other->devmem, 0, 6, results, NULL));
		for (i = 0; i < 6; i++)
			assert_int_equal(results[i], expected[i]);
		assert_int_equal(pages_used(other), 4);
		assert_ok(devmap_hmm_migrate_to_device(hmm.range, NULL, 5, 1, results, NULL));
		assert_int_equal(results[0], 1);
		assert_int_equal(pages_used(other), 3);
		assert_int_equal(pages_used(hmm.memory), 1);
		cpu_sees(&hmm, 3, 3, 1);
		assert_true(page_is_zero(bytes_of(&hmm, 0), 3 * PAGE_BYTES));
		range_end(hmm.range);
		device_memory_end(other);
		hmm_close_rest(&hmm);
	}
}

/* ---- what is seen of it ---------------------------------------------------------------------------------------------- */

static void snapshot(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, 7);
		/* Of the other kind, where there are two. */
		const bool is_public[2] = {kinds[kind], kinds[ARRAY_LENGTH(kinds) - 1 - kind]};
		struct device_memory *other = device_memory_new_of(hmm.device, 7, PAGE_BYTES, is_public[1]);
		devmap_page *page;
		uint8_t states[7];

		assert_int_equal(*(volatile char *)bytes_of(&hmm, 2), 0);
		device_writes(&hmm, 3, 4, 1);
		page = lease(&hmm, 4, 1, true);
		send_out(&hmm, 5, 1);
		assert_ok(devmap_hmm_migrate_to_device(hmm.range, other->devmem, 6, 1, NULL, NULL));
		assert_ok(devmap_hmm_range_snapshot(hmm.range, 0, 7, states));
		assert_int_equal(states[0], STATE_HOLE);
		assert_int_equal(states[1], STATE_HOLE);
		assert_int_equal(states[2], STATE_RESIDENT);
		assert_int_equal(states[3], STATE_RESIDENT);
		assert_int_equal(states[4], STATE_RESIDENT | STATE_PINNED);
		assert_int_equal(states[5], DEVMAP_HMM_PAGE_DEVICE | (is_public[0] ? DEVMAP_HMM_PAGE_PUBLIC : 0));
		assert_int_equal(states[6], DEVMAP_HMM_PAGE_DEVICE | (is_public[1] ? DEVMAP_HMM_PAGE_PUBLIC : 0));
		/* To look brings nothing in. */
		assert_int_equal(pages_used(hmm.memory), 1);
		devmap_put_page(page);
		range_end(hmm.range);
		device_memory_end(other);
		hmm_close_rest(&hmm);
	}
}

static void compound(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_huge(kind, 3);
		devmap_hmm_migration sum;

		/* A byte is a page. */
		hmm.bytes[2 * MIB + 5] = 1;
		assert_int_equal(place_of(&hmm, 0), STATE_HOLE);
		assert_int_equal(place_of(&hmm, 1), STATE_RESIDENT);
		assert_int_equal(place_of(&hmm, 2), STATE_HOLE);
		assert_ok(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 3, NULL, &sum));
		assert_int_equal(sum.migrated, 1);
		assert_int_equal(place_of(&hmm, 1), DEVMAP_HMM_PAGE_DEVICE);
		assert_int_equal(hmm.bytes[4 * MIB - 1], 0);
		assert_int_equal(hmm.bytes[2 * MIB + 5], 1);
		assert_int_equal(range_stats(hmm.range).faults_device, 1);
		hmm_close(&hmm);
	}
}

static void double_map(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, 6);
		devmap_page *first, *second;

		cpu_writes(&hmm, 1);
		/* Two devices have it at the same time. */
		first = lease(&hmm, 0, 6, false);
		second = lease(&hmm, 0, 6, false);
		assert_ptr_equal(first, second);
		devmap_put_pages(first, 6);
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 6, NULL, NULL), EBUSY);
		devmap_put_pages(second, 6);
		device_sees(&hmm, 0, 6, 1);
		send_out(&hmm, 0, 6);
		device_sees(&hmm, 0, 6, 1);
		hmm_close(&hmm);
	}
}

/* What comes nearest to a device's exclusive access: a copy of its own, which the CPU's first write ends. */
static void exclusive(void **state)
{
	uint64_t i;

	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.is_public = kinds[kind],
			.nr_pages = 64,
			.flags = DEVMAP_HMM_RANGE_KEEP_COPIES,
		});

		cpu_writes(&hmm, 1);
		send_out(&hmm, 0, 64);
		cpu_sees(&hmm, 0, 64, 1);
		for (i = 0; i < 64; i++)
			assert_true(device_holds(&hmm, i, 1));
		cpu_writes(&hmm, 2);
		cpu_sees(&hmm, 0, 64, 2);
		for (i = 0; i < 64; i++)
			assert_int_equal(place_of(&hmm, i), STATE_RESIDENT);
		assert_int_equal(pages_used(hmm.memory), 0);
		assert_int_equal(range_stats(hmm.range).faults_write, 64);
		hmm_close(&hmm);
	}
}

/* ---- pins and forks -------------------------------------------------------------------------------------------------- */

static void hmm_gup_test(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, 4);
		char *copy = malloc(PAGE_BYTES);
		const struct iovec to = {copy, PAGE_BYTES}, from = {bytes_of(&hmm, 1), PAGE_BYTES};
		devmap_page *page;
		uint32_t i;
		int ends[2];

		assert_non_null(copy);
		cpu_writes(&hmm, 1);
		send_out(&hmm, 0, 4);
		/* System calls that get at the memory in different ways, and leases. */
		assert_ok(pipe(ends));
		assert_int_equal(write(ends[1], bytes_of(&hmm, 0), PAGE_BYTES), PAGE_BYTES);
		assert_int_equal(read(ends[0], copy, PAGE_BYTES), PAGE_BYTES);
		assert_true(page_is(copy, PAGE_BYTES, 0, 1));
		assert_int_equal(process_vm_readv(getpid(), &to, 1, &from, 1, 0), PAGE_BYTES);
		assert_true(page_is(copy, PAGE_BYTES, 1, 1));
		page = lease(&hmm, 2, 2, true);
		for (i = 0; i < 4; i++)
			assert_int_equal(place_of(&hmm, i) & ~(uint32_t)STATE_PINNED, STATE_RESIDENT);
		/* What is pinned for long stays. */
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 4, NULL, NULL), EBUSY);
		assert_int_equal(pages_used(hmm.memory), 2);
		cpu_sees(&hmm, 0, 4, 1);
		devmap_put_pages(page, 2);
		close(ends[0]);
		close(ends[1]);
		free(copy);
		hmm_close(&hmm);
	}
}

static void hmm_cow_in_device(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_kind(kind, 4);
		int status = 0;
		pid_t child;
		uint32_t i;

		cpu_writes(&hmm, 1);
		send_out(&hmm, 0, 4);
		(void)fflush(NULL);
		child = fork();
		assert_true(child >= 0);
		if (child == 0)
			for (;;)
				(void)pause();
		cpu_writes(&hmm, 2);
		for (i = 0; i < 4; i++)
			assert_int_equal(place_of(&hmm, i), STATE_RESIDENT);
		send_out(&hmm, 0, 2);
		cpu_sees(&hmm, 0, 4, 2);
		assert_ok(kill(child, SIGKILL));
		assert_int_equal(waitpid(child, &status, 0), child);
		cpu_sees(&hmm, 0, 4, 2);
		hmm_close(&hmm);
	}
}

/* ---- huge pages ------------------------------------------------------------------------------------------------------- */

static void migrate_anon_huge_empty(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_huge(kind, 1);
		devmap_hmm_migration sum;
		char *mirror;

		/* The kernel gives the device a page of zeros; here a hole stays one. */
		assert_ok(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 1, NULL, &sum));
		assert_int_equal(sum.absent, 1);
		assert_int_equal(pages_used(hmm.memory), 0);
		mirror = device_reads(&hmm, 0, 1);
		assert_true(page_is_zero(mirror, 2 * MIB));
		free(mirror);
		hmm_close(&hmm);
	}
}

static void migrate_anon_huge_zero(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_huge(kind, 1);

		assert_int_equal(*(volatile char *)hmm.bytes, 0);
		send_out(&hmm, 0, 1);
		assert_int_equal(pages_used(hmm.memory), 1);
		assert_true(page_is_zero(hmm.bytes, 2 * MIB));
		hmm_close(&hmm);
	}
}

static void migrate_anon_huge_free(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_huge(kind, 2);

		cpu_writes(&hmm, 1);
		send_out(&hmm, 0, 2);
		/* hmm_close() sees that both slots were given back. */
		range_end(hmm.range);
		assert_int_equal(hmm.memory->read, 0);
		assert_int_equal(hmm.memory->freed, 2);
		hmm_close_rest(&hmm);
	}
}

/** @return how many of the system's pages the range has in memory or swapped out, by what the system says. */
static uint64_t nr_populated(const struct hmm *hmm)
{
	int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t i, entry, populated = 0;

	assert_true(file >= 0);
	for (i = 0; i < hmm->nr_pages * hmm->page_size / PAGE_BYTES; i++) {
		assert_int_equal(pread(file, &entry, sizeof(entry),
					 (off_t)(((uintptr_t)hmm->bytes / PAGE_BYTES + i) * sizeof(entry))),
			sizeof(entry));
		populated += entry >> 62 != 0;
	}
	close(file);
	return populated;
}

static void migrate_anon_huge_fault(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = open_huge(kind, 2);

		cpu_writes(&hmm, 1);
		assert_int_equal(nr_populated(&hmm), 1024);
		send_out(&hmm, 0, 2);
		assert_int_equal(place_of(&hmm, 0), DEVMAP_HMM_PAGE_DEVICE);
		assert_int_equal(nr_populated(&hmm), 0);
		cpu_sees(&hmm, 0, 1, 1);
		assert_int_equal(range_stats(hmm.range).faults_device, 1);
		assert_int_equal(nr_populated(&hmm), 512);
		cpu_sees(&hmm, 1, 1, 1);
		hmm_close(&hmm);
	}
}

/* No room on the device; and, coming back, none in memory. */
static void migrate_anon_huge_err(void **state)
{
	(void)state;
	FOR_EACH_KIND (kind) {
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.is_public = kinds[kind],
			.nr_pages = 3,
			.nr_device_pages = 2,
			.page_size = 2 * MIB,
		});
		devmap_hmm_migration sum;
		devmap_page *page;

		cpu_writes(&hmm, 1);
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 3, NULL, &sum), ENOSPC);
		assert_int_equal(sum.migrated, 2);
		assert_int_equal(sum.first_failed, 2);
		page = lease(&hmm, 2, 1, false);
		assert_ok(devmap_hmm_range_set_limit(hmm.range, 2 * MIB));
		assert_error(devmap_hmm_migrate_to_ram(hmm.range, 0, 2, NULL, NULL), EBUSY);
		/* A fault is served all the same. */
		cpu_sees(&hmm, 0, 1, 1);
		assert_int_equal(range_stats(hmm.range).over_limit, 1);
		devmap_put_page(page);
		cpu_sees(&hmm, 0, 3, 1);
		hmm_close(&hmm);
	}
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_HMM
		contract(open_close),
		contract(anon_read),
		contract(anon_write),
		contract(anon_write_zero_page),
		contract(anon_write_child),
		contract(anon_write_huge),
		contract(anon_write_hugetlbfs),
		contract(anon_read_multiple),
		contract(anon_teardown),
		contract(migrate),
		contract(migrate_fault),
		contract(migrate_release),
		contract(migrate_multiple),
		contract(migrate_mixed),
		contract(snapshot),
		contract(compound),
		contract(double_map),
		contract(exclusive),
		contract(hmm_gup_test),
		contract(hmm_cow_in_device),
		contract(migrate_anon_huge_empty),
		contract(migrate_anon_huge_zero),
		contract(migrate_anon_huge_free),
		contract(migrate_anon_huge_fault),
		contract(migrate_anon_huge_err),
#else
		contract(hmm_is_absent),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
