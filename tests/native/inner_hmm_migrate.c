/* SPDX-License-Identifier: MIT */
/*
 * Ranges from inside: a system that has no memory left in the middle of a request, or discards nothing that is locked, and
 * an eviction that is overtaken by a removal. Linked with the static library and its header, and with --wrap=ioctl,
 * --wrap=madvise and --wrap=pthread_mutex_lock.
 */
#include "hmm_fixture.h"

#include "hmm_internal.h"

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>

#define LARGE (64 * KIB)
#define NO_FAILURE UINT64_MAX

/* ---- a system without memory ------------------------------------------------------------------------------------- */

/** Bytes that are still copied before there is no memory for the next ones; once, or for as long as @c no_memory. */
static _Atomic(uint64_t) copied_before_failure = NO_FAILURE;
static _Atomic(bool) no_memory;

int __real_ioctl(int file, unsigned long request, void *argument);
int __wrap_ioctl(int file, unsigned long request, void *argument);

static int fail_copy(struct uffdio_copy *copy, int64_t done, int error)
{
	copy->copy = done;
	errno = error;
	return -1;
}

/** What the kernel does: a request that was done in part answers EAGAIN, and the next one why. */
static int copy_as_far_as_there_is_memory(int file, struct uffdio_copy *copy)
{
	uint64_t left = atomic_load(&copied_before_failure);
	struct uffdio_copy part = *copy;

	if (atomic_load(&no_memory))
		return fail_copy(copy, -ENOMEM, ENOMEM);
	if (left == NO_FAILURE)
		return __real_ioctl(file, UFFDIO_COPY, copy);
	if (left == 0) {
		atomic_store(&copied_before_failure, NO_FAILURE);
		return fail_copy(copy, -ENOMEM, ENOMEM);
	}
	part.len = left < copy->len ? left : copy->len;
	if (__real_ioctl(file, UFFDIO_COPY, &part) != 0)
		return fail_copy(copy, part.copy, errno);
	atomic_fetch_sub(&copied_before_failure, part.len);
	if (part.len < copy->len)
		return fail_copy(copy, (int64_t)part.len, EAGAIN);
	copy->copy = part.copy;
	return 0;
}

int __wrap_ioctl(int file, unsigned long request, void *argument)
{
	return request == UFFDIO_COPY ? copy_as_far_as_there_is_memory(file, argument)
				      : __real_ioctl(file, request, argument);
}

static void assert_counted(const struct hmm *hmm)
{
	const devmap_hmm_range_stats stats = range_stats(hmm->range);

	assert_int_equal(stats.on_device + stats.copies, pages_used(hmm->memory));
	assert_int_equal(stats.resident + stats.on_device, hmm->nr_pages);
}

static void a_page_without_memory_stays_and_those_before_it_are_good(void **state)
{
	static const uint64_t nr_before[] = {0, 2, 7};
	uint32_t i, j, flags;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(nr_before); i++)
		for (flags = 0; flags < 2; flags++) {
			struct hmm hmm = hmm_open((struct hmm_wish){
				.faults = DEVMAP_HMM_FAULTS_ALL,
				.nr_pages = 8,
				.flags = flags,
			});
			devmap_hmm_migration summary;
			int32_t results[8];

			write_pages(&hmm, 0, 8, 1);
			send_out(&hmm, 0, 8);
			copied_before_failure = nr_before[i] * PAGE_BYTES;
			assert_error(devmap_hmm_migrate_to_ram(hmm.range, 0, 8, results, &summary), ENOMEM);
			assert_int_equal(summary.migrated, 7);
			assert_int_equal(summary.failed, 1);
			assert_int_equal(summary.first_failed, nr_before[i]);
			for (j = 0; j < 8; j++) {
				bool fails = j == nr_before[i];

				assert_int_equal(results[j], fails ? -ENOMEM : 1);
				assert_int_equal(
					state_of(&hmm, j), fails ? STATE_DEVICE : flags ? STATE_KEPT : STATE_RESIDENT);
			}
			assert_counted(&hmm);
			/* What came is as it was, to read and to write; and no fault that is not one. */
			for (j = 0; j < 8; j++)
				if (j != nr_before[i]) {
					assert_true(page_is(bytes_of(&hmm, j), PAGE_BYTES, j, 1));
					fill_page(bytes_of(&hmm, j), PAGE_BYTES, j, 2);
				}
			await_faults(&hmm);
			assert_int_equal(nr_faults(&hmm), flags ? 7 : 0);
			assert_true(pages_are(&hmm, nr_before[i], 1, 1));
			write_pages(&hmm, nr_before[i], 1, 2);
			assert_counted(&hmm);
			send_out(&hmm, 0, 8);
			assert_true(pages_are(&hmm, 0, 8, 2));
			hmm_close(&hmm);
		}
}

static bool is_in_memory(const struct hmm *hmm, uint64_t page)
{
	unsigned char resident[LARGE / PAGE_BYTES];
	uint32_t i, n = 0;

	assert_ok(mincore(bytes_of(hmm, page), hmm->page_size, resident));
	for (i = 0; i < hmm->page_size / PAGE_BYTES; i++)
		n += resident[i] & 1;
	assert_true(n == 0 || n == hmm->page_size / PAGE_BYTES);
	return n != 0;
}

static void a_large_page_comes_whole_or_not_at_all(void **state)
{
	static const uint64_t copied[] = {0, 5 * PAGE_BYTES, LARGE, LARGE + PAGE_BYTES, 3 * LARGE - PAGE_BYTES};
	uint32_t i, j, flags;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(copied); i++)
		for (flags = 0; flags < 2; flags++) {
			struct hmm hmm = hmm_open((struct hmm_wish){
				.faults = DEVMAP_HMM_FAULTS_ALL,
				.nr_pages = 3,
				.page_size = LARGE,
				.flags = flags,
			});
			int32_t results[3];

			write_pages(&hmm, 0, 3, 1);
			send_out(&hmm, 0, 3);
			copied_before_failure = copied[i];
			assert_error(devmap_hmm_migrate_to_ram(hmm.range, 0, 3, results, NULL), ENOMEM);
			for (j = 0; j < 3; j++) {
				bool fails = j == copied[i] / LARGE;

				assert_int_equal(results[j], fails ? -ENOMEM : 1);
				assert_int_equal(
					state_of(&hmm, j), fails ? STATE_DEVICE : flags ? STATE_KEPT : STATE_RESIDENT);
				assert_int_equal(is_in_memory(&hmm, j), !fails);
			}
			assert_counted(&hmm);
			assert_true(pages_are(&hmm, 0, 3, 1));
			assert_counted(&hmm);
			write_pages(&hmm, 0, 3, 2);
			send_out(&hmm, 0, 3);
			/* And by a fault, of which one brings all of it. */
			assert_true(page_is(bytes_of(&hmm, 1), LARGE, 1, 2));
			assert_int_equal(range_stats(hmm.range).faults_device, 1);
			hmm_close(&hmm);
		}
}

/* ---- writers, meanwhile ------------------------------------------------------------------------------------------ */

struct writing {
	struct hmm hmm;
	_Atomic(bool) ends;
	_Atomic(uint32_t) nr_rounds;
};

static int32_t ask_again(devmap_hmm_range *range, uintptr_t address, int32_t error, void *data)
{
	(void)range;
	(void)address;
	(void)data;
	check(error == -ENOMEM);
	return DEVMAP_HMM_RETRY;
}

/** Counts words up at both ends of a page, where nobody else writes. */
static int count_up(void *argument)
{
	struct writing *writing = argument;
	_Atomic(uint64_t) *first = (_Atomic(uint64_t) *)(void *)writing->hmm.bytes;
	_Atomic(uint64_t) *last = first + writing->hmm.page_size / sizeof(*first) - 1;
	uint64_t n = 0;

	while (!atomic_load(&writing->ends)) {
		if (!check(atomic_load(first) == n) || !check(atomic_load(last) == n))
			return 1;
		n++;
		atomic_store(first, n);
		atomic_store(last, n);
		atomic_fetch_add(&writing->nr_rounds, 1);
	}
	return 0;
}

static void nothing_is_written_to_a_page_that_goes_again(void **state)
{
	static const uint64_t page_sizes[] = {PAGE_BYTES, LARGE};
	uint32_t i, round, flags;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(page_sizes); i++)
		for (flags = 0; flags < 2; flags++) {
			struct writing writing = {.hmm = hmm_open((struct hmm_wish){
				.faults = DEVMAP_HMM_FAULTS_ALL,
				.nr_pages = 1,
				.page_size = page_sizes[i],
				.flags = flags,
				.on_error = DEVMAP_HMM_ON_ERROR_HANDLER,
				.failed = ask_again,
			})};
			struct blocking_call call;

			blocking_call_start(&call, count_up, &writing);
			for (round = 0; round < scaled(400); round++) {
				uint32_t before = writing.nr_rounds;
				int result;

				send_out(&writing.hmm, 0, 1);
				/* The fault may be the one that meets it. */
				copied_before_failure = round % 16 * PAGE_BYTES % page_sizes[i];
				result = devmap_hmm_migrate_to_ram(writing.hmm.range, 0, 1, NULL, NULL);
				assert_true(result == 0 || result == -ENOMEM);
				while (writing.nr_rounds == before && !call.returned)
					(void)sched_yield();
			}
			copied_before_failure = NO_FAILURE;
			writing.ends = true;
			assert_ok(blocking_call_join(&call));
			hmm_close(&writing.hmm);
		}
}

/* ---- what stood in for data -------------------------------------------------------------------------------------- */

static void data_come_back_once_there_is_memory_for_them(void **state)
{
	int32_t on_error;

	(void)state;
	for (on_error = DEVMAP_HMM_ON_ERROR_SIGBUS; on_error <= DEVMAP_HMM_ON_ERROR_ZERO_PAGE; on_error++) {
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.nr_pages = 2,
			.on_error = on_error,
		});
		int expected = on_error == DEVMAP_HMM_ON_ERROR_SIGBUS ? SIGBUS : 0;

		write_pages(&hmm, 0, 2, 1);
		send_out(&hmm, 0, 2);
		hmm.memory->failing_reads = ALL_PAGES;
		assert_int_equal(touch(bytes_of(&hmm, 0), false), expected);
		assert_int_equal(state_of(&hmm, 0), STATE_DEVICE | STATE_POISONED);
		hmm.memory->failing_reads = 0;
		no_memory = true;
		/* What stood in for the data is gone, and nothing came: the next fault is one on device data again. */
		assert_error(devmap_hmm_migrate_to_ram(hmm.range, 0, 1, NULL, NULL), ENOMEM);
		assert_int_equal(state_of(&hmm, 0), STATE_DEVICE);
		assert_int_equal(touch(bytes_of(&hmm, 0), false), expected);
		assert_int_equal(state_of(&hmm, 0), STATE_DEVICE | STATE_POISONED);
		assert_error(devmap_hmm_migrate_to_ram(hmm.range, 0, 1, NULL, NULL), ENOMEM);
		no_memory = false;
		assert_true(page_is(bytes_of(&hmm, 0), PAGE_BYTES, 0, 1));
		await_faults(&hmm);
		assert_int_equal(range_stats(hmm.range).faults_device, 3);
		assert_int_equal(range_stats(hmm.range).faults_failed, 2);
		assert_true(pages_are(&hmm, 0, 2, 1));
		hmm_close(&hmm);
	}
}

/* ---- a system that discards nothing that is locked --------------------------------------------------------------- */

#define ADVICE_DONTNEED_LOCKED 24
#define ADVICE_GUARD_INSTALL 102

/** A page of the system's that is as if it were locked, on a system before Linux 5.18; or NULL. */
static char *locked;

int __real_madvise(void *address, size_t length, int advice);
int __wrap_madvise(void *address, size_t length, int advice);

int __wrap_madvise(void *address, size_t length, int advice)
{
	char *start = address;

	if (!locked || (advice != ADVICE_DONTNEED_LOCKED && advice != MADV_DONTNEED && advice != ADVICE_GUARD_INSTALL))
		return __real_madvise(address, length, advice);
	if (advice != ADVICE_DONTNEED_LOCKED) {
		if (start > locked || start + length <= locked)
			return __real_madvise(address, length, advice);
		/* Done up to where it is refused. */
		if (start < locked)
			(void)__real_madvise(address, (size_t)(locked - start), advice);
	}
	errno = EINVAL;
	return -1;
}

static void what_is_locked_stays_and_nothing_is_lost(void **state)
{
	static const uint64_t page_sizes[] = {PAGE_BYTES, LARGE};
	uint32_t i, j, k, flags;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(page_sizes); i++)
		for (j = 0; j < ARRAY_LENGTH(both_modes); j++)
			for (flags = 0; flags < 2; flags++) {
				struct hmm hmm = hmm_open((struct hmm_wish){
					.faults = both_modes[j],
					.nr_pages = 4,
					.page_size = page_sizes[i],
					.flags = flags,
				});
				bool kept = flags && both_modes[j] == DEVMAP_HMM_FAULTS_ALL;
				int32_t results[4];

				write_pages(&hmm, 0, 4, 1);
				/* Of pages without a copy, and then of pages with one. */
				for (k = 0; k < 2; k++) {
					uint32_t p;

					locked = bytes_of(&hmm, 2) + (page_sizes[i] > PAGE_BYTES ? 8 * PAGE_BYTES : 0);
					assert_error(devmap_hmm_migrate_to_device(
							     hmm.range, NULL, 0, 4, results, NULL),
						EINVAL);
					locked = NULL;
					for (p = 0; p < 4; p++)
						assert_int_equal(results[p], p == 2 ? -EINVAL : 1);
					assert_int_equal(state_of(&hmm, 2), k && kept ? STATE_KEPT : STATE_RESIDENT);
					assert_true(page_is(bytes_of(&hmm, 2), page_sizes[i], 2, 1));
					assert_counted(&hmm);
					assert_true(pages_are(&hmm, 0, 4, 1));
					send_out(&hmm, 2, 1);
					bring_in(&hmm, 2, 1);
				}
				fill_page(bytes_of(&hmm, 2), page_sizes[i], 2, 1);
				assert_true(pages_are(&hmm, 0, 4, 1));
				write_pages(&hmm, 0, 4, 2);
				send_out(&hmm, 0, 4);
				assert_true(pages_are(&hmm, 0, 4, 2));
				hmm_close(&hmm);
			}
}

/* ---- an eviction that a removal overtakes ------------------------------------------------------------------------ */

/** The lock of the range's frames: a thread that serves faults stops before it takes it for the second time. */
static _Atomic(pthread_mutex_t *) stopping_at;
static _Atomic(uint32_t) nr_taken;
static sem_t stopped, goes_on;

int __real_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
	if (mutex == atomic_load(&stopping_at) && serving_faults && atomic_fetch_add(&nr_taken, 1) == 1) {
		(void)sem_post(&stopped);
		while (sem_wait(&goes_on) != 0)
			;
	}
	return __real_pthread_mutex_lock(mutex);
}

static int remove_range(void *range)
{
	return devmap_hmm_range_remove(range, DEVMAP_WAIT_FOREVER, NULL, NULL);
}

static int read_a_byte(void *address)
{
	return *(volatile char *)address;
}

static void evicted_memory_is_home_after_removal(bool chosen)
{
	const uint64_t length = 64 * PAGE_BYTES;
	char *memory = map_anonymous(length);
	struct hmm hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = 64,
		.nr_device_pages = 128,
		.limit = 32,
		.address = memory,
	});
	struct blocking_call removal, reader;
	uint32_t i;

	write_pages(&hmm, 0, 64, 1);
	send_out(&hmm, 0, 64);
	bring_in(&hmm, 0, 32);
	/* The fault finds the limit reached. It has chosen who is to go, or is about to. */
	if (chosen) {
		hmm.memory->stay_in_write = true;
	} else {
		nr_taken = 0;
		stopping_at = &hmm.range->frames.lock;
	}
	blocking_call_start(&reader, read_a_byte, bytes_of(&hmm, 60));
	while (sem_wait(chosen ? &hmm.memory->copied : &stopped) != 0)
		;
	blocking_call_start(&removal, remove_range, hmm.range);
	assert_true(blocking_call_waits(&removal));
	if (chosen)
		let_copy_end(hmm.memory);
	else
		(void)sem_post(&goes_on);
	assert_ok(blocking_call_join(&removal));
	(void)blocking_call_join(&reader);
	stopping_at = NULL;
	assert_int_equal(pages_used(hmm.memory), 0);
	for (i = 0; i < 64; i++)
		assert_true(page_is(memory + i * PAGE_BYTES, PAGE_BYTES, i, 1));
	assert_ok(devmap_hmm_range_free(hmm.range));
	hmm_close_rest(&hmm);
	assert_ok(munmap(memory, length));
}

static void an_eviction_that_a_removal_overtakes_takes_nothing_away(void **state)
{
	(void)state;
	assert_ok(sem_init(&stopped, 0, 0));
	assert_ok(sem_init(&goes_on, 0, 0));
	evicted_memory_is_home_after_removal(false);
	evicted_memory_is_home_after_removal(true);
	(void)sem_destroy(&stopped);
	(void)sem_destroy(&goes_on);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(a_page_without_memory_stays_and_those_before_it_are_good),
		contract(a_large_page_comes_whole_or_not_at_all),
		contract(nothing_is_written_to_a_page_that_goes_again),
		contract(data_come_back_once_there_is_memory_for_them),
		contract(what_is_locked_stays_and_nothing_is_lost),
		contract(an_eviction_that_a_removal_overtakes_takes_nothing_away),
	};

	return cmocka_run_group_tests_name("inner_hmm_migrate", tests, NULL, NULL);
}
