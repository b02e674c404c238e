/* SPDX-License-Identifier: MIT */
/* The caller's own memory, the removal of ranges, what faults are served of system calls, and events. */
#include "hmm_fixture.h"

#ifdef DEVMAP_CONFIG_HMM

#include <fcntl.h>

#define MILLISECOND INT64_C(1000000)

/* ---- the caller's memory ---------------------------------------------------------------------------------------- */

static void the_callers_data_are_adopted_and_given_back(void **state)
{
	const uint64_t length = 64 * PAGE_BYTES;
	uint32_t i, j, flags;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++)
		for (flags = 0; flags < 2; flags++) {
			char *memory = map_anonymous(length);
			struct hmm hmm;

			for (j = 0; j < 64; j += 2)
				fill_page(memory + j * PAGE_BYTES, PAGE_BYTES, j, 1);
			hmm = hmm_open((struct hmm_wish){
				.faults = both_modes[i],
				.nr_pages = 64,
				.address = memory,
				.flags = flags,
			});
			assert_ptr_equal(hmm.bytes, memory);
			for (j = 0; j < 64; j++)
				assert_int_equal(state_of(&hmm, j), j % 2 ? STATE_HOLE : STATE_RESIDENT);
			assert_int_equal(range_stats(hmm.range).resident, 32);
			assert_true(page_is(memory + 2 * PAGE_BYTES, PAGE_BYTES, 2, 1));
			send_out(&hmm, 0, 40);
			bring_in(&hmm, 30, 6);
			write_pages(&hmm, 11, 1, 2);
			assert_int_equal(range_stats(hmm.range).on_device, 17);
			range_end(hmm.range);
			assert_int_equal(pages_used(hmm.memory), 0);
			/* It is ordinary memory again. */
			for (j = 0; j < 64; j++)
				if (j == 11)
					assert_true(page_is(memory + j * PAGE_BYTES, PAGE_BYTES, j, 2));
				else if (j % 2)
					assert_true(page_is_zero(memory + j * PAGE_BYTES, PAGE_BYTES));
				else
					assert_true(page_is(memory + j * PAGE_BYTES, PAGE_BYTES, j, 1));
			memset(memory, 3, length);
			assert_ok(mprotect(memory, length, PROT_READ));
			assert_ok(munmap(memory, length));
			hmm_close_rest(&hmm);
		}
}

static void a_large_page_with_anything_in_it_is_resident(void **state)
{
	const uint64_t size = 64 * KIB;
	uint32_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		char *memory = map_aligned(4 * size, size);
		struct hmm hmm;

		/* All of the first, one system page of the second, the last byte of the fourth. */
		fill_page(memory, size, 0, 1);
		fill_page(memory + size + 3 * PAGE_BYTES, PAGE_BYTES, 1, 2);
		memory[4 * size - 1] = 9;
		hmm = hmm_open((struct hmm_wish){
			.faults = both_modes[i],
			.nr_pages = 4,
			.page_size = size,
			.address = memory,
		});
		assert_int_equal(state_of(&hmm, 0), STATE_RESIDENT);
		assert_int_equal(state_of(&hmm, 1), STATE_RESIDENT);
		assert_int_equal(state_of(&hmm, 2), STATE_HOLE);
		assert_int_equal(state_of(&hmm, 3), STATE_RESIDENT);
		/* What such a page has not got is zeros without a fault. */
		assert_int_equal(memory[size], 0);
		assert_int_equal(nr_faults(&hmm), 0);
		memory[size + 8 * PAGE_BYTES] = 5;
		send_out(&hmm, 0, 4);
		assert_int_equal(range_stats(hmm.range).on_device, 3);
		assert_ok(devmap_hmm_range_remove(hmm.range, 0, NULL, NULL));
		assert_ok(devmap_hmm_range_free(hmm.range));
		assert_true(page_is(memory, size, 0, 1));
		for (j = 0; j < 16; j++)
			if (j == 3)
				assert_true(page_is(memory + size + 3 * PAGE_BYTES, PAGE_BYTES, 1, 2));
			else
				assert_int_equal(memory[size + j * PAGE_BYTES], j == 8 ? 5 : 0);
		assert_true(page_is_zero(memory + 2 * size, size));
		assert_int_equal(memory[4 * size - 1], 9);
		hmm_close_rest(&hmm);
	}
}

static void more_than_the_limit_is_adopted_and_sent_out(void **state)
{
	const uint64_t length = 40 * PAGE_BYTES;
	char *memory = map_anonymous(length);
	struct hmm hmm;
	uint32_t j;

	(void)state;
	for (j = 0; j < 40; j++)
		fill_page(memory + j * PAGE_BYTES, PAGE_BYTES, j, 1);
	hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = 40,
		.address = memory,
		.limit = 10,
	});
	assert_true(range_stats(hmm.range).resident <= 10);
	assert_true(pages_are(&hmm, 0, 40, 1));
	range_end(hmm.range);
	for (j = 0; j < 40; j++)
		assert_true(page_is(memory + j * PAGE_BYTES, PAGE_BYTES, j, 1));
	assert_ok(munmap(memory, length));
	hmm_close_rest(&hmm);
}

static void a_removal_that_cannot_bring_data_back_changes_nothing(void **state)
{
	const uint64_t length = 40 * PAGE_BYTES;
	uint32_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		char *memory = map_anonymous(length);
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = both_modes[i],
			.nr_pages = 40,
			.address = memory,
			.limit = 20,
		});
		devmap_page *page = NULL;

		write_pages(&hmm, 0, 40, 1);
		send_out(&hmm, 0, 40);
		hmm.memory->failing_reads = UINT64_C(1) << 25;
		assert_error(devmap_hmm_range_remove(hmm.range, 0, NULL, NULL), EIO);
		/* It takes no leases, and serves faults. */
		assert_error(devmap_hmm_range_free(hmm.range), EBUSY);
		assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 1, false, &page), ENODEV);
		assert_null(devmap_hmm_range_get_page_fast(hmm.range, 0, false));
		assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 1, NULL, NULL), ENODEV);
		if (both_modes[i] == DEVMAP_HMM_FAULTS_ALL)
			assert_true(page_is(bytes_of(&hmm, 39), PAGE_BYTES, 39, 1));
		assert_error(devmap_hmm_range_remove(hmm.range, MILLISECOND, NULL, NULL), EIO);
		assert_ok(devmap_hmm_range_resume(hmm.range));
		assert_int_equal(range_stats(hmm.range).limit, 20);
		assert_true(pages_are(&hmm, 0, 25, 1));
		assert_error(devmap_hmm_range_get_pages(hmm.range, 25, 1, false, &page), EIO);
		assert_true(pages_are(&hmm, 26, 14, 1));
		send_out(&hmm, 0, 40);
		hmm.memory->failing_reads = 0;
		range_end(hmm.range);
		for (j = 0; j < 40; j++)
			assert_true(page_is(memory + j * PAGE_BYTES, PAGE_BYTES, j, 1));
		assert_ok(munmap(memory, length));
		hmm_close_rest(&hmm);
	}
}

/* ---- memory that the system keeps in parts, locks, or may take back ---------------------------------------------- */

#define LARGE (64 * KIB)

static const uint64_t both_page_sizes[] = {PAGE_BYTES, LARGE};

/* Advice on part of the memory makes that a mapping of its own, which no request of the system's goes beyond. */
static void memory_of_several_mappings_moves_as_one(void **state)
{
	uint32_t i, j, k, flags;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_page_sizes); i++)
		for (j = 0; j < ARRAY_LENGTH(both_modes); j++)
			for (flags = 0; flags < 2; flags++) {
				struct hmm hmm = hmm_open((struct hmm_wish){
					.faults = both_modes[j],
					.nr_pages = 8,
					.page_size = both_page_sizes[i],
					.flags = flags,
				});
				uint32_t expected = both_modes[j] == DEVMAP_HMM_FAULTS_ALL ? SIGBUS : SIGSEGV;

				for (k = 3; k < 6; k += 2)
					assert_ok(madvise(bytes_of(&hmm, k) + (i ? k * PAGE_BYTES : 0), PAGE_BYTES,
						MADV_DONTDUMP));
				write_pages(&hmm, 0, 8, 1);
				send_out(&hmm, 0, 8);
				bring_in(&hmm, 0, 8);
				assert_int_equal(range_stats(hmm.range).resident, 8);
				for (k = 0; k < 8; k++)
					fill_page(bytes_of(&hmm, k), both_page_sizes[i], k, 2);
				send_out(&hmm, 0, 8);
				hmm.memory->failing_reads = ALL_PAGES;
				assert_int_equal(touch(bytes_of(&hmm, 3), false), expected);
				assert_int_equal(touch(bytes_of(&hmm, 3) + both_page_sizes[i] - 1, false), expected);
				hmm.memory->failing_reads = 0;
				assert_true(pages_are(&hmm, 0, 8, 2));
				if (both_modes[j] == DEVMAP_HMM_FAULTS_ALL) {
					send_out(&hmm, 0, 8);
					for (k = 0; k < 8; k++)
						assert_true(page_is(bytes_of(&hmm, k), both_page_sizes[i], k, 2));
				}
				hmm_close(&hmm);
			}
}

/* The system calls themselves, as sanitizers make nothing of these functions. */
static bool lock_memory(void *address)
{
	return syscall(SYS_mlock, address, PAGE_BYTES) == 0;
}

static void unlock_memory(void *address)
{
	assert_ok(syscall(SYS_munlock, address, PAGE_BYTES));
}

static void a_page_that_is_locked_in_part_loses_nothing(void **state)
{
	uint32_t i, j, k, flags;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_page_sizes); i++)
		for (j = 0; j < ARRAY_LENGTH(both_modes); j++)
			for (flags = 0; flags < 2; flags++) {
				struct hmm hmm = hmm_open((struct hmm_wish){
					.faults = both_modes[j],
					.nr_pages = 4,
					.page_size = both_page_sizes[i],
					.flags = flags,
				});
				char *locked = bytes_of(&hmm, 1) + both_page_sizes[i] / 2 / PAGE_BYTES * PAGE_BYTES;
				int32_t results[4];

				write_pages(&hmm, 0, 4, 1);
				if (!lock_memory(locked))
					skip();
				for (k = 0; k < 3; k++) {
					/* The system may refuse it for the one page; then it is as it was. */
					(void)!devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 4, results, NULL);
					assert_int_equal(results[0], 1);
					assert_int_equal(results[2], 1);
					assert_int_equal(results[3], 1);
					assert_true(results[1] == 1 || results[1] == -EINVAL);
					assert_true(!(state_of(&hmm, 1) & STATE_RESIDENT) == (results[1] == 1));
					assert_true(pages_are(&hmm, 0, 4, 1 + k));
					write_pages(&hmm, 0, 4, 2 + k);
				}
				unlock_memory(locked);
				send_out(&hmm, 0, 4);
				assert_true(pages_are(&hmm, 0, 4, 4));
				/* Locked while its data are on the device: the system wants to see it. */
				send_out(&hmm, 0, 4);
				if (lock_memory(locked))
					unlock_memory(locked);
				assert_true(pages_are(&hmm, 0, 4, 4));
				hmm_close(&hmm);
			}
}

/** When a process locks all its memory, and which. */
static struct {
	uint32_t when;
	int which;
	uint64_t page_size;
} locking;

#define NOT_PERMITTED 77

static int lock_all(uint32_t when)
{
	return when == locking.when && mlockall(locking.which) != 0 ? NOT_PERMITTED : 0;
}

static bool is_served(const struct hmm *hmm, uint32_t salt)
{
	uint32_t i;

	for (i = 0; i < 4; i++) {
		if (!page_is(bytes_of(hmm, i), hmm->page_size, i, salt))
			return false;
		fill_page(bytes_of(hmm, i), hmm->page_size, i, salt + 1);
	}
	return true;
}

static int locks_all_its_memory(void)
{
	struct hmm hmm = {.nr_pages = 8, .page_size = locking.page_size};
	devmap_hmm_range_config config;
	bool fine;

	if (lock_all(0) != 0)
		return NOT_PERMITTED;
	hmm.device = device_new(DEVMAP_HMM_FAULTS_ALL, 0);
	hmm.memory = device_memory_new(hmm.device, 8, hmm.page_size);
	if (lock_all(1) != 0)
		return NOT_PERMITTED;
	config = config_of(&hmm, (struct hmm_wish){0});
	hmm.range = range_new(&config);
	hmm.bytes = devmap_hmm_range_address(hmm.range);
	if (lock_all(2) != 0)
		return NOT_PERMITTED;
	write_pages(&hmm, 0, 4, 1);
	(void)!devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 8, NULL, NULL);
	if (lock_all(3) != 0)
		return NOT_PERMITTED;
	fine = is_served(&hmm, 1);
	(void)!devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 8, NULL, NULL);
	fine &= is_served(&hmm, 2) && page_is_zero(bytes_of(&hmm, 6), hmm.page_size);
	assert_ok(munlockall());
	send_out(&hmm, 0, 8);
	fine &= is_served(&hmm, 3) && page_is_zero(bytes_of(&hmm, 7), hmm.page_size);
	fine &= pages_are(&hmm, 0, 4, 4);
	/* It ends. */
	hmm_close(&hmm);
	return fine ? 0 : 1;
}

static void who_locks_all_its_memory_is_served_before_and_after(void **state)
{
	static const int all[] = {MCL_CURRENT, MCL_FUTURE, MCL_CURRENT | MCL_FUTURE};
	uint32_t i, j;

	(void)state;
	/* A sanitizer's memory is more than anybody can lock. And a child skips nothing. */
	if (runs_slowly())
		skip();
	devmap_hmm_device_put(device_new(DEVMAP_HMM_FAULTS_ALL, 0));
	for (i = 0; i < ARRAY_LENGTH(all); i++)
		for (j = 0; j < ARRAY_LENGTH(both_page_sizes); j++)
			for (locking.when = 0; locking.when < 4; locking.when++) {
				int ended;

				locking.which = all[i];
				locking.page_size = both_page_sizes[j];
				ended = signal_of_child(locks_all_its_memory);
				if (ended == -NOT_PERMITTED)
					skip();
				assert_int_equal(ended, 0);
			}
}

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT 21
#endif

/* What the caller freed (MADV_FREE) is either there or zeros, and stays what it is. */
static void freed_memory_is_data_or_zeros(void **state)
{
	uint32_t i, j, k;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_page_sizes); i++)
		for (j = 0; j < ARRAY_LENGTH(both_modes); j++) {
			const uint64_t length = 8 * both_page_sizes[i];
			char *memory = map_aligned(length, both_page_sizes[i]);
			bool there[8 * LARGE / PAGE_BYTES];
			struct hmm hmm;

			assert_ok(madvise(memory, length, MADV_NOHUGEPAGE));
			for (k = 0; k < length / PAGE_BYTES; k++)
				fill_page(memory + k * PAGE_BYTES, PAGE_BYTES, k, 1);
			if (madvise(memory, length, MADV_FREE) != 0)
				skip();
			hmm = hmm_open((struct hmm_wish){
				.faults = both_modes[j],
				.nr_pages = 8,
				.page_size = both_page_sizes[i],
				.address = memory,
			});
			/* As when memory is short; systems before Linux 5.4 cannot be asked for it. */
			(void)madvise(memory, length, MADV_PAGEOUT);
			for (k = 0; k < length / PAGE_BYTES; k++) {
				there[k] = page_is(memory + k * PAGE_BYTES, PAGE_BYTES, k, 1);
				assert_true(there[k] || page_is_zero(memory + k * PAGE_BYTES, PAGE_BYTES));
			}
			(void)madvise(memory, length, MADV_PAGEOUT);
			send_out(&hmm, 0, 8);
			bring_in(&hmm, 0, 4);
			range_end(hmm.range);
			for (k = 0; k < length / PAGE_BYTES; k++)
				if (there[k])
					assert_true(page_is(memory + k * PAGE_BYTES, PAGE_BYTES, k, 1));
				else
					assert_true(page_is_zero(memory + k * PAGE_BYTES, PAGE_BYTES));
			hmm_close_rest(&hmm);
		}
}

/* ---- removal ---------------------------------------------------------------------------------------------------- */

static devmap_snapshot snapshot_of(const struct hmm *hmm, devmap_map_info *info)
{
	devmap_map_info maps[8];
	devmap_snapshot snapshot;

	assert_ok(devmap_snapshot_read(&snapshot, sizeof(snapshot), maps, ARRAY_LENGTH(maps)));
	assert_true(snapshot.nr_maps <= ARRAY_LENGTH(maps));
	for (uint64_t i = 0; i < snapshot.nr_maps; i++)
		if (maps[i].pgmap == devmap_hmm_range_pagemap(hmm->range))
			*info = maps[i];
	return snapshot;
}

static void the_snapshot_has_ranges_and_what_became_of_those_that_are_gone(void **state)
{
	devmap_snapshot before, after;
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 10});
		devmap_map_info info = {.id = 0};

		before = snapshot_of(&hmm, &info);
		assert_int_equal(info.is_range, 1);
		assert_int_equal(info.resident + info.on_device, 0);
		write_pages(&hmm, 0, 8, 1);
		send_out(&hmm, 0, 5);
		bring_in(&hmm, 0, 2);
		after = snapshot_of(&hmm, &info);
		assert_int_equal(info.resident, 5);
		assert_int_equal(info.on_device, 3);
		assert_int_equal(after.migration.resident, 5);
		assert_int_equal(after.migration.on_device, 3);
		assert_int_equal(after.migration.to_device, before.migration.to_device + 5);
		assert_int_equal(after.migration.to_ram, before.migration.to_ram + 2);
		hmm_close(&hmm);
		before = after;
		assert_ok(devmap_snapshot_read(&after, sizeof(after), NULL, 0));
		assert_int_equal(after.migration.to_device, before.migration.to_device);
		assert_true(after.migration.to_ram >= before.migration.to_ram);
		assert_int_equal(after.migration.failed, before.migration.failed);
		assert_int_equal(after.migration.faults_failed, before.migration.faults_failed);
		assert_int_equal(after.migration.resident + after.migration.on_device, 0);
	}
}

static void a_removal_waits_for_leases_and_names_them(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 10});
		devmap_busy_page named[4];
		devmap_busy_report busy = {.pages = named, .capacity = 4};
		devmap_cancel cancel = {0};
		devmap_page *page, *none = NULL;

		write_pages(&hmm, 0, 10, 1);
		send_out(&hmm, 0, 5);
		page = lease(&hmm, 4, 3, true);
		assert_error(devmap_hmm_range_remove(hmm.range, 0, NULL, &busy), EBUSY);
		assert_int_equal(busy.nr_pages, 3);
		assert_int_equal(busy.nr_references, 0);
		assert_int_equal(named[0].index, 4);
		assert_int_equal(named[2].index, 6);
		assert_int_equal(named[2].count, 2);
		assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 1, false, &none), ENODEV);
		/* The lease is as good as ever. */
		fill_page(bytes_of(&hmm, 4), PAGE_BYTES, 4, 1);
		assert_error(devmap_hmm_range_remove(hmm.range, MILLISECOND, NULL, &busy), EBUSY);
		assert_int_equal(take_faults(DEVMAP_FAULT_LEAK_TEARDOWN), 1);
		devmap_cancel_waits(&cancel);
		assert_error(devmap_hmm_range_remove(hmm.range, DEVMAP_WAIT_FOREVER, &cancel, &busy), ECANCELED);
		assert_int_equal(busy.nr_pages, 3);
		assert_ok(devmap_hmm_range_resume(hmm.range));
		assert_true(pages_are(&hmm, 0, 10, 1));
		devmap_put_pages(page, 3);
		hmm_close(&hmm);
	}
}

static int remove_range(void *range)
{
	return devmap_hmm_range_remove(range, DEVMAP_WAIT_FOREVER, NULL, NULL);
}

static void a_waiting_removal_ends_with_the_last_lease(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.faults = DEVMAP_HMM_FAULTS_ALL, .nr_pages = 4});
	devmap_page *page = lease(&hmm, 1, 2, true);
	struct blocking_call call;

	(void)state;
	blocking_call_start(&call, remove_range, hmm.range);
	assert_true(blocking_call_waits(&call));
	devmap_put_page(&page[1]);
	assert_true(blocking_call_waits(&call));
	devmap_put_page(page);
	assert_ok(blocking_call_join(&call));
	assert_ok(devmap_hmm_range_free(hmm.range));
	hmm_close_rest(&hmm);
}

static void the_librarys_memory_goes_with_its_range(void **state)
{
	uint32_t i, flags;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++)
		for (flags = 0; flags < 2; flags++) {
			struct hmm hmm = hmm_open((struct hmm_wish){
				.faults = both_modes[i],
				.nr_pages = 10,
				.flags = flags,
			});
			unsigned char resident;

			write_pages(&hmm, 0, 8, 1);
			send_out(&hmm, 0, 8);
			bring_in(&hmm, 0, 4);
			range_end(hmm.range);
			/* Copies, too, were given back, and nothing was copied for nobody. */
			assert_int_equal(hmm.memory->read, 4);
			assert_int_equal(mincore(hmm.bytes, PAGE_BYTES, &resident), -1);
			assert_int_equal(errno, ENOMEM);
			hmm_close_rest(&hmm);
		}
}

/* ---- which faults are served ------------------------------------------------------------------------------------- */

static int touches_an_away_page_of_a_range_without_faults(void)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 2});

	let_signals_kill();
	write_pages(&hmm, 0, 1, 1);
	/* Resident memory is just memory. */
	if (touch(bytes_of(&hmm, 0), false) != 0 || touch(bytes_of(&hmm, 1), true) != 0)
		return 1;
	send_out(&hmm, 0, 1);
	return bytes_of(&hmm, 0)[0];
}

static void without_faults_an_away_page_is_sigsegv_until_it_is_leased(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 2});
	devmap_page *page;

	(void)state;
	write_pages(&hmm, 0, 1, 1);
	send_out(&hmm, 0, 1);
	assert_int_equal(touch(bytes_of(&hmm, 0), false), SIGSEGV);
	assert_int_equal(touch(bytes_of(&hmm, 0), true), SIGSEGV);
	hmm.memory->failing_reads = ALL_PAGES;
	page = NULL;
	assert_error(devmap_hmm_range_get_pages(hmm.range, 0, 1, false, &page), EIO);
	assert_int_equal(touch(bytes_of(&hmm, 0), false), SIGSEGV);
	hmm.memory->failing_reads = 0;
	page = lease(&hmm, 0, 1, false);
	assert_true(page_is(bytes_of(&hmm, 0), PAGE_BYTES, 0, 1));
	devmap_put_page(page);
	hmm_close(&hmm);
	assert_int_equal(signal_of_child(touches_an_away_page_of_a_range_without_faults), SIGSEGV);
}

/** Gives the page to write(2) and to read(2). @return 0, or the errno of both, which are the same. */
static int give_to_system_calls(void *bytes)
{
	int ends[2], results[2];
	char byte = 'x';

	assert_ok(pipe(ends));
	errno = 0;
	results[0] = write(ends[1], bytes, 1) == 1 ? 0 : errno;
	assert_int_equal(write(ends[1], &byte, 1), 1);
	errno = 0;
	results[1] = read(ends[0], bytes, 1) == 1 ? 0 : errno;
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(results[0], results[1]);
	return results[0];
}

static void system_calls_need_a_lease_where_only_user_mode_is_served(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.faults = DEVMAP_HMM_FAULTS_USER, .nr_pages = 2});
	devmap_page *page;

	(void)state;
	fill_page(bytes_of(&hmm, 0), PAGE_BYTES, 0, 1);
	send_out(&hmm, 0, 1);
	assert_int_equal(give_to_system_calls(bytes_of(&hmm, 0)), EFAULT);
	/* A hole is none for a lease either. */
	assert_int_equal(give_to_system_calls(bytes_of(&hmm, 1)), EFAULT);
	assert_int_equal(state_of(&hmm, 0), STATE_DEVICE);
	page = lease(&hmm, 0, 2, true);
	assert_int_equal(give_to_system_calls(bytes_of(&hmm, 0)), 0);
	assert_int_equal(give_to_system_calls(bytes_of(&hmm, 1)), 0);
	devmap_put_pages(page, 2);
	send_out(&hmm, 0, 2);
	/* User mode is served. */
	bytes_of(&hmm, 0)[0] = 1;
	assert_int_equal(bytes_of(&hmm, 0)[0], 1);
	assert_int_equal(range_stats(hmm.range).faults_device, 1);
	hmm_close(&hmm);
}

static void system_calls_work_on_away_pages_where_all_is_served(void **state)
{
	uint32_t flags;

	(void)state;
	for (flags = 0; flags < 2; flags++) {
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.nr_pages = 4,
			.flags = flags,
		});
		int ends[2];

		write_pages(&hmm, 0, 3, 1);
		send_out(&hmm, 0, 3);
		assert_int_equal(give_to_system_calls(bytes_of(&hmm, 0)), 0);
		assert_int_equal(give_to_system_calls(bytes_of(&hmm, 3)), 0);
		/* Both ends in away pages. */
		assert_ok(pipe(ends));
		send_out(&hmm, 0, 3);
		assert_int_equal(write(ends[1], bytes_of(&hmm, 1), PAGE_BYTES), PAGE_BYTES);
		assert_int_equal(read(ends[0], bytes_of(&hmm, 2), PAGE_BYTES), PAGE_BYTES);
		assert_true(page_is(bytes_of(&hmm, 2), PAGE_BYTES, 1, 1));
		close(ends[0]);
		close(ends[1]);
		assert_true(range_stats(hmm.range).faults_device >= 3);
		hmm_close(&hmm);
	}
}

/* ---- events ----------------------------------------------------------------------------------------------------- */

static void assert_event(const devmap_hmm_event *event, int32_t kind, int32_t error, uint64_t first, uint64_t n)
{
	assert_int_equal(event->kind, kind);
	assert_int_equal(event->error, error);
	assert_int_equal(event->first_page, first);
	assert_int_equal(event->nr_pages, n);
	assert_true(event->time_ns > 0);
	assert_true(event->duration_ns >= 0);
}

/* Takes the events of what was just done, no more and no less; those of faults come when the thread has gone on. */
static void take_events(const struct hmm *hmm, devmap_hmm_event *events, uint32_t n)
{
	uint64_t lost = 77;
	uint32_t i;

	for (i = 0; i < n; i++) {
		assert_int_equal(
			devmap_hmm_range_wait_events(hmm->range, &events[i], 1, DEVMAP_WAIT_FOREVER, NULL, &lost), 1);
		assert_int_equal(lost, 0);
		assert_true(i == 0 || events[i].time_ns >= events[i - 1].time_ns);
	}
	assert_error(devmap_hmm_range_wait_events(hmm->range, &events[n], 1, 0, NULL, &lost), ETIMEDOUT);
}

static void events_come_in_order(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = 40,
		.event_capacity = 100,
		.flags = DEVMAP_HMM_RANGE_KEEP_COPIES,
	});
	devmap_hmm_event events[16];

	(void)state;
	bytes_of(&hmm, 0)[0] = 1;
	take_events(&hmm, events, 1);
	assert_event(&events[0], DEVMAP_HMM_EVENT_FAULT, 0, 0, 1);
	assert_int_equal(events[0].flags, DEVMAP_HMM_FAULT_WRITE);
	write_pages(&hmm, 1, 2, 1);
	hmm.memory->failing_writes = UINT64_C(1) << 1;
	assert_error(devmap_hmm_migrate_to_device(hmm.range, NULL, 0, 3, NULL, NULL), EIO);
	hmm.memory->failing_writes = 0;
	send_out(&hmm, 0, 3);
	take_events(&hmm, events, 4);
	assert_event(&events[0], DEVMAP_HMM_EVENT_TO_DEVICE, 0, 0, 1);
	assert_event(&events[1], DEVMAP_HMM_EVENT_TO_DEVICE, -EIO, 1, 1);
	assert_event(&events[2], DEVMAP_HMM_EVENT_TO_DEVICE, 0, 2, 1);
	assert_event(&events[3], DEVMAP_HMM_EVENT_TO_DEVICE, 0, 1, 1);
	assert_int_equal(bytes_of(&hmm, 0)[0], 1);
	take_events(&hmm, events, 2);
	assert_event(&events[0], DEVMAP_HMM_EVENT_TO_RAM, 0, 0, 1);
	assert_event(&events[1], DEVMAP_HMM_EVENT_FAULT, 0, 0, 1);
	assert_int_equal(events[1].flags, 0);
	bytes_of(&hmm, 0)[0] = 2;
	take_events(&hmm, events, 1);
	assert_event(&events[0], DEVMAP_HMM_EVENT_FAULT, 0, 0, 1);
	assert_int_equal(events[0].flags, DEVMAP_HMM_FAULT_WRITE);
	/* Adjacent pages are one event. */
	bring_in(&hmm, 0, 3);
	take_events(&hmm, events, 1);
	assert_event(&events[0], DEVMAP_HMM_EVENT_TO_RAM, 0, 1, 2);
	hmm_close(&hmm);
}

static void lost_events_are_counted(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 20, .event_capacity = 3});
	devmap_hmm_event events[16];
	uint64_t lost = 77;
	uint32_t i;

	(void)state;
	write_pages(&hmm, 0, 20, 1);
	for (i = 0; i < 10; i++)
		send_out(&hmm, i, 1);
	assert_int_equal(devmap_hmm_range_wait_events(hmm.range, events, 2, 0, NULL, &lost), 2);
	assert_int_equal(lost, 7);
	assert_event(&events[0], DEVMAP_HMM_EVENT_TO_DEVICE, 0, 7, 1);
	assert_event(&events[1], DEVMAP_HMM_EVENT_TO_DEVICE, 0, 8, 1);
	send_out(&hmm, 10, 1);
	assert_int_equal(devmap_hmm_range_wait_events(hmm.range, events, 16, 0, NULL, &lost), 2);
	assert_int_equal(lost, 0);
	assert_event(&events[1], DEVMAP_HMM_EVENT_TO_DEVICE, 0, 10, 1);
	hmm_close(&hmm);
}

struct event_wait {
	devmap_hmm_range *range;
	devmap_cancel cancel;
	devmap_hmm_event event;
	uint64_t lost;
};

static int wait_for_event(void *argument)
{
	struct event_wait *wait = argument;

	return devmap_hmm_range_wait_events(
		wait->range, &wait->event, 1, DEVMAP_WAIT_FOREVER, &wait->cancel, &wait->lost);
}

static void a_wait_for_events_ends(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4, .event_capacity = 8});
	struct event_wait wait = {.range = hmm.range};
	struct blocking_call call;
	devmap_hmm_range *deaf;
	devmap_hmm_range_config config = config_of(&hmm, (struct hmm_wish){0});

	(void)state;
	assert_error(devmap_hmm_range_wait_events(hmm.range, &wait.event, 1, 0, NULL, &wait.lost), ETIMEDOUT);
	assert_error(devmap_hmm_range_wait_events(hmm.range, &wait.event, 1, MILLISECOND, NULL, &wait.lost), ETIMEDOUT);
	assert_error(devmap_hmm_range_wait_events(NULL, &wait.event, 1, 0, NULL, &wait.lost), EINVAL);
	assert_error(devmap_hmm_range_wait_events(hmm.range, NULL, 1, 0, NULL, &wait.lost), EINVAL);
	assert_error(devmap_hmm_range_wait_events(hmm.range, &wait.event, 0, 0, NULL, &wait.lost), EINVAL);
	assert_error(devmap_hmm_range_wait_events(hmm.range, &wait.event, 1, 0, NULL, NULL), EINVAL);
	deaf = range_new(&config);
	assert_error(devmap_hmm_range_wait_events(deaf, &wait.event, 1, 0, NULL, &wait.lost), EINVAL);
	range_end(deaf);
	/* By an event, by its cancellation, by the removal. */
	write_pages(&hmm, 0, 1, 1);
	blocking_call_start(&call, wait_for_event, &wait);
	assert_true(blocking_call_waits(&call));
	send_out(&hmm, 0, 1);
	assert_int_equal(blocking_call_join(&call), 1);
	assert_event(&wait.event, DEVMAP_HMM_EVENT_TO_DEVICE, 0, 0, 1);
	blocking_call_start(&call, wait_for_event, &wait);
	assert_true(blocking_call_waits(&call));
	devmap_cancel_waits(&wait.cancel);
	assert_error(blocking_call_join(&call), ECANCELED);
	atomic_store(&wait.cancel.cancelled, 0);
	blocking_call_start(&call, wait_for_event, &wait);
	assert_true(blocking_call_waits(&call));
	assert_ok(devmap_hmm_range_remove(hmm.range, 0, NULL, NULL));
	assert_error(blocking_call_join(&call), ENODEV);
	assert_error(wait_for_event(&wait), ENODEV);
	assert_ok(devmap_hmm_range_free(hmm.range));
	hmm_close_rest(&hmm);
}

static void a_removal_can_be_told_from_its_events(void **state)
{
	char *memory = map_anonymous(4 * PAGE_BYTES);
	struct hmm hmm = hmm_open((struct hmm_wish){.nr_pages = 4, .event_capacity = 8, .address = memory});
	struct event_wait wait = {.range = hmm.range};

	(void)state;
	write_pages(&hmm, 1, 1, 1);
	send_out(&hmm, 1, 1);
	assert_ok(devmap_hmm_range_remove(hmm.range, 0, NULL, NULL));
	assert_int_equal(wait_for_event(&wait), 1);
	assert_event(&wait.event, DEVMAP_HMM_EVENT_TO_DEVICE, 0, 1, 1);
	assert_int_equal(wait_for_event(&wait), 1);
	assert_event(&wait.event, DEVMAP_HMM_EVENT_TO_RAM, 0, 1, 1);
	assert_error(wait_for_event(&wait), ENODEV);
	assert_ok(devmap_hmm_range_free(hmm.range));
	assert_ok(munmap(memory, 4 * PAGE_BYTES));
	hmm_close_rest(&hmm);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_HMM
		contract(the_callers_data_are_adopted_and_given_back),
		contract(a_large_page_with_anything_in_it_is_resident),
		contract(more_than_the_limit_is_adopted_and_sent_out),
		contract(a_removal_that_cannot_bring_data_back_changes_nothing),
		contract(memory_of_several_mappings_moves_as_one),
		contract(a_page_that_is_locked_in_part_loses_nothing),
		contract(who_locks_all_its_memory_is_served_before_and_after),
		contract(freed_memory_is_data_or_zeros),
		contract(a_removal_waits_for_leases_and_names_them),
		contract(a_waiting_removal_ends_with_the_last_lease),
		contract(the_librarys_memory_goes_with_its_range),
		contract(without_faults_an_away_page_is_sigsegv_until_it_is_leased),
		contract(system_calls_need_a_lease_where_only_user_mode_is_served),
		contract(system_calls_work_on_away_pages_where_all_is_served),
		contract(the_snapshot_has_ranges_and_what_became_of_those_that_are_gone),
		contract(events_come_in_order),
		contract(lost_events_are_counted),
		contract(a_wait_for_events_ends),
		contract(a_removal_can_be_told_from_its_events),
#else
		contract(hmm_is_absent),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
