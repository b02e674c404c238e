/* SPDX-License-Identifier: MIT */
/*
 * Faults of the CPU: each page comes in once, nobody sees half of it, nothing that is written meanwhile is lost, and where
 * its data cannot be had, what happens is what the range says.
 */
#include "hmm_fixture.h"

#ifdef DEVMAP_CONFIG_HMM

#include <dirent.h>

/*
 * Words of a page that threads share. Relaxed: for any other order, ThreadSanitizer has a lock of its own, which it would
 * hold while the access waits in a fault.
 */
#define WORD(hmm, page) ((_Atomic(uint64_t) *)(void *)bytes_of(hmm, page))

static uint64_t load_word(const struct hmm *hmm, uint64_t page, uint64_t index)
{
	return atomic_load_explicit(WORD(hmm, page) + index, memory_order_relaxed);
}

/* ---- one page, many threads ------------------------------------------------------------------------------------- */

static void read_page_0(void *shared, uint32_t index, struct rng *rng)
{
	struct hmm *hmm = shared;

	(void)rng;
	check(load_word(hmm, 0, index) == known_word(0, 1, index));
}

static void concurrent_faults_on_a_page_are_served_once(void **state)
{
	const uint32_t thread_counts[] = {1, 4};
	uint32_t i, rounds;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(thread_counts); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.fault_threads = thread_counts[i],
			.nr_pages = 2,
		});

		write_pages(&hmm, 0, 1, 1);
		for (rounds = 1; rounds <= scaled(100); rounds++) {
			send_out(&hmm, 0, 1);
			run_threads(8, read_page_0, &hmm);
			assert_int_equal(hmm.memory->read, rounds);
			assert_int_equal(hmm.memory->faults, rounds);
			assert_int_equal(range_stats(hmm.range).faults_device, rounds);
		}
		hmm_close(&hmm);
	}
}

static void write_page_0(void *shared, uint32_t index, struct rng *rng)
{
	struct hmm *hmm = shared;

	(void)rng;
	atomic_fetch_add_explicit(WORD(hmm, 0) + index, 1, memory_order_relaxed);
}

static void concurrent_writes_to_a_kept_copy_end_it_once(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = 2,
		.flags = DEVMAP_HMM_RANGE_KEEP_COPIES,
	});
	uint32_t rounds, i;

	(void)state;
	write_pages(&hmm, 0, 1, 0);
	for (rounds = 1; rounds <= scaled(100); rounds++) {
		send_out(&hmm, 0, 1);
		bring_in(&hmm, 0, 1);
		assert_int_equal(state_of(&hmm, 0), STATE_KEPT);
		run_threads(8, write_page_0, &hmm);
		assert_int_equal(state_of(&hmm, 0), STATE_RESIDENT);
		assert_int_equal(range_stats(hmm.range).faults_write, rounds);
		for (i = 0; i < 8; i++)
			assert_int_equal(load_word(&hmm, 0, i), known_word(0, 0, i) + rounds);
	}
	hmm_close(&hmm);
}

/* ---- faults while a page moves ----------------------------------------------------------------------------------- */

static int send_page_0_out(void *shared)
{
	return devmap_hmm_migrate_to_device(((struct hmm *)shared)->range, NULL, 0, 1, NULL, NULL);
}

static int write_word(void *shared)
{
	atomic_store_explicit(WORD((struct hmm *)shared, 0) + 3, 77, memory_order_relaxed);
	return 0;
}

static int read_word(void *shared)
{
	return (int)(load_word(shared, 0, 3) & 0xffff);
}

static int lease_page_0_for_reading(void *shared)
{
	devmap_page *page = NULL;

	return devmap_hmm_range_get_pages(((struct hmm *)shared)->range, 0, 1, false, &page);
}

static void a_write_waits_for_a_page_that_is_copied_out_and_is_not_lost(void **state)
{
	uint32_t fails, flags;

	(void)state;
	for (flags = 0; flags < 2; flags++)
		for (fails = 0; fails < 2; fails++) {
			struct hmm hmm = hmm_open((struct hmm_wish){
				.faults = DEVMAP_HMM_FAULTS_ALL,
				.nr_pages = 2,
				.flags = flags,
			});
			struct blocking_call out, writer;

			write_pages(&hmm, 0, 1, 1);
			hmm.memory->stay_in_write = true;
			hmm.memory->failing_writes = fails;
			blocking_call_start(&out, send_page_0_out, &hmm);
			await_copy(hmm.memory);
			/* It is copied. Who reads it need not wait. */
			assert_int_equal(read_word(&hmm), known_word(0, 1, 3) & 0xffff);
			blocking_call_start(&writer, write_word, &hmm);
			assert_true(blocking_call_waits(&writer));
			assert_int_equal(read_word(&hmm), known_word(0, 1, 3) & 0xffff);
			let_copy_end(hmm.memory);
			assert_int_equal(blocking_call_join(&out), fails ? -EIO : 0);
			assert_ok(blocking_call_join(&writer));
			assert_int_equal(load_word(&hmm, 0, 3), 77);
			assert_int_equal(load_word(&hmm, 0, 4), known_word(0, 1, 4));
			assert_int_equal(state_of(&hmm, 0), STATE_RESIDENT);
			/* It went and came back, or stayed. */
			assert_int_equal(hmm.memory->read, !fails);
			hmm_close(&hmm);
		}
}

static void a_lease_waits_for_a_page_that_is_copied_out(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){.faults = both_modes[i], .nr_pages = 2});
		struct blocking_call out, taker;

		write_pages(&hmm, 0, 1, 1);
		hmm.memory->stay_in_write = true;
		blocking_call_start(&out, send_page_0_out, &hmm);
		await_copy(hmm.memory);
		assert_null(devmap_hmm_range_get_page_fast(hmm.range, 0, false));
		blocking_call_start(&taker, lease_page_0_for_reading, &hmm);
		assert_true(blocking_call_waits(&taker));
		/* Its neighbour is not concerned. */
		write_pages(&hmm, 1, 1, 1);
		let_copy_end(hmm.memory);
		assert_ok(blocking_call_join(&out));
		assert_ok(blocking_call_join(&taker));
		assert_true(page_is(bytes_of(&hmm, 0), PAGE_BYTES, 0, 1));
		devmap_put_page(devmap_hmm_range_pagemap(hmm.range)->pages);
		hmm_close(&hmm);
	}
}

static void a_fault_waits_for_a_page_that_is_copied_back(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.faults = DEVMAP_HMM_FAULTS_ALL, .nr_pages = 2});
	struct blocking_call taker, reader, writer;

	(void)state;
	write_pages(&hmm, 0, 1, 1);
	send_out(&hmm, 0, 1);
	hmm.memory->stay_in_read = true;
	blocking_call_start(&taker, lease_page_0_for_reading, &hmm);
	await_copy(hmm.memory);
	blocking_call_start(&reader, read_word, &hmm);
	assert_true(blocking_call_waits(&reader));
	blocking_call_start(&writer, write_word, &hmm);
	assert_true(blocking_call_waits(&writer));
	let_copy_end(hmm.memory);
	assert_ok(blocking_call_join(&taker));
	assert_ok(blocking_call_join(&writer));
	(void)blocking_call_join(&reader);
	assert_true(reader.result == 77 || reader.result == (int)(known_word(0, 1, 3) & 0xffff));
	assert_int_equal(load_word(&hmm, 0, 3), 77);
	assert_int_equal(hmm.memory->read, 1);
	assert_int_equal(hmm.memory->faults, 0);
	devmap_put_page(devmap_hmm_range_pagemap(hmm.range)->pages);
	hmm_close(&hmm);
}

static int touch_page_1(void *shared)
{
	return (int)(load_word(shared, 1, 0) >> 48);
}

static int touch_page_2(void *shared)
{
	return (int)(load_word(shared, 2, 0) >> 48);
}

static void several_threads_serve_several_faults(void **state)
{
	const uint32_t thread_counts[] = {1, 2};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(thread_counts); i++) {
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.fault_threads = thread_counts[i],
			.nr_pages = 2,
		});
		struct blocking_call slow, quick;

		write_pages(&hmm, 0, 2, 1);
		send_out(&hmm, 0, 2);
		hmm.memory->stay_in_read = true;
		blocking_call_start(&slow, read_word, &hmm);
		await_copy(hmm.memory);
		blocking_call_start(&quick, touch_page_1, &hmm);
		if (thread_counts[i] == 1) {
			assert_true(blocking_call_waits(&quick));
			let_copy_end(hmm.memory);
			assert_int_equal(blocking_call_join(&quick), 2);
		} else {
			assert_int_equal(blocking_call_join(&quick), 2);
			assert_true(blocking_call_waits(&slow));
			let_copy_end(hmm.memory);
		}
		(void)blocking_call_join(&slow);
		hmm_close(&hmm);
	}
}

/* Fault messages come in the order of the faults, and one thread takes several at a time. */
static void a_fault_that_nobody_waits_for_any_more_moves_nothing(void **state)
{
	uint32_t kept;

	(void)state;
	for (kept = 0; kept < 2; kept++) {
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.fault_threads = 1,
			.nr_pages = 4,
			.flags = DEVMAP_HMM_RANGE_KEEP_COPIES,
		});
		struct blocking_call first, second, writer;
		uint32_t before = kept ? STATE_KEPT : STATE_DEVICE;

		write_pages(&hmm, 0, 4, 1);
		send_out(&hmm, 0, 4);
		bring_in(&hmm, 0, 1);
		hmm.memory->stay_in_read = true;
		blocking_call_start(&first, touch_page_2, &hmm);
		await_copy(hmm.memory);
		blocking_call_start(&second, touch_page_1, &hmm);
		assert_true(blocking_call_waits(&second));
		blocking_call_start(&writer, write_word, &hmm);
		assert_true(blocking_call_waits(&writer));
		/* Taken together: the thread stays with the second. */
		hmm.memory->stay_in_read = true;
		let_copy_end(hmm.memory);
		await_copy(hmm.memory);
		/* The writer goes on without it, and then the page goes. */
		devmap_put_page(lease(&hmm, 0, 1, true));
		assert_ok(blocking_call_join(&writer));
		send_out(&hmm, 0, 1);
		if (kept)
			bring_in(&hmm, 0, 1);
		assert_int_equal(state_of(&hmm, 0), before);
		let_copy_end(hmm.memory);
		assert_int_equal(blocking_call_join(&first), 3);
		assert_int_equal(blocking_call_join(&second), 2);
		/* The fault after it is served, so it was looked at. */
		assert_int_equal(load_word(&hmm, 3, 0), known_word(3, 1, 0));
		assert_int_equal(state_of(&hmm, 0), before);
		assert_int_equal(range_stats(hmm.range).faults_write, 0);
		assert_true(range_stats(hmm.range).faults_served_already >= 1);
		assert_int_equal(hmm.memory->faults, 3);
		assert_int_equal(load_word(&hmm, 0, 3), 77);
		hmm_close(&hmm);
	}
}

/* ---- drivers that fail -------------------------------------------------------------------------------------------- */

static void a_page_that_cannot_be_had_raises_sigbus_until_a_lease_brings_it_back(void **state)
{
	uint32_t by_lease, large;

	(void)state;
	for (by_lease = 0; by_lease < 2; by_lease++)
		for (large = 0; large < 2; large++) {
			struct hmm hmm = hmm_open((struct hmm_wish){
				.faults = DEVMAP_HMM_FAULTS_ALL,
				.nr_pages = 3,
				.page_size = large ? 64 * KIB : 4 * KIB,
			});
			devmap_page *page = NULL;
			int ends[2];

			write_pages(&hmm, 0, 3, 1);
			send_out(&hmm, 0, 3);
			hmm.memory->failing_reads = 2;
			assert_int_equal(touch(bytes_of(&hmm, 1), false), SIGBUS);
			assert_int_equal(state_of(&hmm, 1), STATE_DEVICE | STATE_POISONED);
			/* For ever, without asking again, and not for its neighbours. */
			assert_int_equal(touch(bytes_of(&hmm, 1) + 100, true), SIGBUS);
			assert_int_equal(touch(bytes_of(&hmm, 1) + hmm.page_size - 1, false), SIGBUS);
			assert_int_equal(hmm.memory->faults, 1);
			assert_int_equal(range_stats(hmm.range).faults_failed, 1);
			assert_int_equal(touch(bytes_of(&hmm, 0), false), 0);
			assert_int_equal(touch(bytes_of(&hmm, 2), false), 0);
			assert_ok(pipe(ends));
			assert_int_equal(write(ends[1], bytes_of(&hmm, 1), 1), -1);
			assert_true(errno == EFAULT || errno == EHWPOISON);
			close(ends[0]);
			close(ends[1]);
			assert_error(devmap_hmm_range_get_pages(hmm.range, 1, 1, false, &page), EIO);
			assert_error(devmap_hmm_migrate_to_ram(hmm.range, 0, 3, NULL, NULL), EIO);
			assert_int_equal(touch(bytes_of(&hmm, 1), false), SIGBUS);
			hmm.memory->failing_reads = 0;
			assert_int_equal(touch(bytes_of(&hmm, 1), false), SIGBUS);
			if (by_lease)
				devmap_put_page(lease(&hmm, 1, 1, false));
			else
				bring_in(&hmm, 0, 3);
			assert_true(page_is(bytes_of(&hmm, 1), hmm.page_size, 1, 1));
			assert_int_equal(touch(bytes_of(&hmm, 1), true), 0);
			assert_int_equal(state_of(&hmm, 1), STATE_RESIDENT);
			assert_int_equal(range_stats(hmm.range).on_device, 0);
			/* And again, to the end. */
			send_out(&hmm, 0, 3);
			hmm.memory->failing_reads = ALL_PAGES;
			assert_int_equal(touch(bytes_of(&hmm, 2), true), SIGBUS);
			hmm_close(&hmm);
		}
}

static int dies_of_sigbus(void)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.faults = DEVMAP_HMM_FAULTS_ALL, .nr_pages = 1});

	let_signals_kill();
	write_pages(&hmm, 0, 1, 1);
	send_out(&hmm, 0, 1);
	hmm.memory->failing_reads = ALL_PAGES;
	return *(volatile char *)hmm.bytes;
}

static void who_does_not_catch_it_dies_of_sigbus(void **state)
{
	(void)state;
	devmap_hmm_device_put(device_new(DEVMAP_HMM_FAULTS_ALL, 1));
	assert_int_equal(signal_of_child(dies_of_sigbus), SIGBUS);
}

static void poisoned_memory_of_the_callers_is_whole_after_removal(void **state)
{
	static const int32_t choices[] = {DEVMAP_HMM_ON_ERROR_SIGBUS, DEVMAP_HMM_ON_ERROR_ZERO_PAGE};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(choices); i++) {
		char *memory = map_anonymous(4 * PAGE_BYTES);
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.nr_pages = 4,
			.address = memory,
			.on_error = choices[i],
		});
		int signal_number = choices[i] == DEVMAP_HMM_ON_ERROR_SIGBUS ? SIGBUS : 0;

		write_pages(&hmm, 0, 4, 1);
		send_out(&hmm, 0, 4);
		hmm.memory->failing_reads = ALL_PAGES;
		assert_int_equal(touch(memory + 2 * PAGE_BYTES, false), signal_number);
		assert_error(devmap_hmm_range_remove(hmm.range, 0, NULL, NULL), EIO);
		assert_int_equal(touch(memory + 2 * PAGE_BYTES, false), signal_number);
		hmm.memory->failing_reads = 0;
		range_end(hmm.range);
		assert_true(page_is(memory + 2 * PAGE_BYTES, PAGE_BYTES, 2, 1));
		assert_true(page_is(memory + 3 * PAGE_BYTES, PAGE_BYTES, 3, 1));
		assert_ok(munmap(memory, 4 * PAGE_BYTES));
		hmm_close_rest(&hmm);
	}
}

static void a_zero_page_stands_in_for_data(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = 2,
		.on_error = DEVMAP_HMM_ON_ERROR_ZERO_PAGE,
		.event_capacity = 8,
	});
	devmap_hmm_event event;
	uint64_t lost;

	(void)state;
	write_pages(&hmm, 0, 2, 1);
	send_out(&hmm, 0, 2);
	while (devmap_hmm_range_wait_events(hmm.range, &event, 1, 0, NULL, &lost) > 0)
		;
	hmm.memory->failing_reads = ALL_PAGES;
	assert_true(page_is_zero(bytes_of(&hmm, 1), PAGE_BYTES));
	assert_int_equal(range_stats(hmm.range).faults_failed, 1);
	assert_int_equal(state_of(&hmm, 1), STATE_DEVICE | STATE_POISONED);
	/* That of the driver's failure to copy, and that of the fault. */
	assert_int_equal(devmap_hmm_range_wait_events(hmm.range, &event, 1, -1, NULL, &lost), 1);
	assert_int_equal(event.kind, DEVMAP_HMM_EVENT_TO_RAM);
	assert_int_equal(event.error, -EIO);
	assert_int_equal(devmap_hmm_range_wait_events(hmm.range, &event, 1, -1, NULL, &lost), 1);
	assert_int_equal(event.kind, DEVMAP_HMM_EVENT_FAULT);
	assert_int_equal(event.error, -EIO);
	assert_int_equal(event.first_page, 1);
	/* It stays even when the device could again; what is written to it is not the page's. */
	fill_page(bytes_of(&hmm, 1), PAGE_BYTES, 1, 9);
	hmm.memory->failing_reads = 0;
	assert_true(page_is(bytes_of(&hmm, 1), PAGE_BYTES, 1, 9));
	send_out(&hmm, 1, 1);
	devmap_put_page(lease(&hmm, 1, 1, false));
	assert_true(page_is(bytes_of(&hmm, 1), PAGE_BYTES, 1, 1));
	assert_int_equal(state_of(&hmm, 1), STATE_RESIDENT);
	assert_int_equal(range_stats(hmm.range).resident, 1);
	hmm_close(&hmm);
}

struct asked {
	struct hmm *hmm;
	_Atomic(uint32_t) times;
	_Atomic(uint32_t) recovers_after;
	_Atomic(int32_t) answer;
	_Atomic(int32_t) last_error;
};

static int32_t answer(devmap_hmm_range *range, uintptr_t address, int32_t error, void *data)
{
	struct asked *asked = data;

	check(range == asked->hmm->range);
	check(address == (uintptr_t)bytes_of(asked->hmm, 1));
	atomic_store(&asked->last_error, error);
	if (atomic_fetch_add(&asked->times, 1) + 1 < atomic_load(&asked->recovers_after))
		return DEVMAP_HMM_RETRY;
	if (atomic_load(&asked->recovers_after) != 0) {
		atomic_store(&asked->hmm->memory->failing_reads, 0);
		return DEVMAP_HMM_RETRY;
	}
	return atomic_load(&asked->answer);
}

static void a_handler_is_asked_what_to_do(void **state)
{
	static const struct {
		int32_t answer;
		int signal_number;
	} answers[] = {
		{DEVMAP_HMM_ON_ERROR_SIGBUS, SIGBUS},
		{DEVMAP_HMM_ON_ERROR_ZERO_PAGE, 0},
		{DEVMAP_HMM_ON_ERROR_HANDLER, SIGBUS},
		{DEVMAP_HMM_RETRY + 1, SIGBUS},
		{-1, SIGBUS},
	};
	struct asked asked = {.times = 0};
	struct hmm hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = 2,
		.on_error = DEVMAP_HMM_ON_ERROR_HANDLER,
		.failed = answer,
		.data = &asked,
	});
	uint32_t i;

	(void)state;
	asked.hmm = &hmm;
	write_pages(&hmm, 1, 1, 1);
	for (i = 0; i < ARRAY_LENGTH(answers); i++) {
		send_out(&hmm, 1, 1);
		hmm.memory->failing_reads = ALL_PAGES;
		asked.answer = answers[i].answer;
		assert_int_equal(touch(bytes_of(&hmm, 1), false), answers[i].signal_number);
		assert_int_equal(asked.times, i + 1);
		assert_int_equal(asked.last_error, -EIO);
		assert_int_equal(state_of(&hmm, 1), STATE_DEVICE | STATE_POISONED);
		hmm.memory->failing_reads = 0;
		assert_true(pages_are(&hmm, 1, 1, 1));
	}
	/* Asked again, until it can. */
	send_out(&hmm, 1, 1);
	hmm.memory->failing_reads = ALL_PAGES;
	hmm.memory->faults = 0;
	asked.times = 0;
	asked.recovers_after = 5;
	assert_true(page_is(bytes_of(&hmm, 1), PAGE_BYTES, 1, 1));
	assert_int_equal(asked.times, 5);
	assert_int_equal(hmm.memory->faults, 6);
	assert_int_equal(state_of(&hmm, 1), STATE_RESIDENT);
	assert_int_equal(range_stats(hmm.range).resident, 1);
	hmm_close(&hmm);
}

/* ---- drivers' own ways --------------------------------------------------------------------------------------------- */

static int brings_nothing_back(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags)
{
	(void)devmem;
	(void)address;
	(void)page;
	(void)flags;
	return 0;
}

static int says_no(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags)
{
	(void)devmem;
	(void)address;
	(void)page;
	(void)flags;
	return -EREMOTEIO;
}

static void a_driver_that_brings_nothing_back_has_failed(void **state)
{
	struct asked asked = {.answer = DEVMAP_HMM_ON_ERROR_SIGBUS};
	struct hmm hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = 2,
		.limit = 1,
		.on_error = DEVMAP_HMM_ON_ERROR_HANDLER,
		.failed = answer,
		.data = &asked,
	});

	(void)state;
	asked.hmm = &hmm;
	write_pages(&hmm, 1, 1, 1);
	send_out(&hmm, 1, 1);
	hmm.memory->on_fault = brings_nothing_back;
	assert_int_equal(touch(bytes_of(&hmm, 1), false), SIGBUS);
	assert_int_equal(asked.last_error, -EIO);
	assert_int_equal(range_stats(hmm.range).resident, 0);
	/* A lease does without its `fault`. */
	assert_true(pages_are(&hmm, 1, 1, 1));
	send_out(&hmm, 1, 1);
	hmm.memory->on_fault = says_no;
	assert_int_equal(touch(bytes_of(&hmm, 1), true), SIGBUS);
	assert_int_equal(asked.last_error, -EREMOTEIO);
	assert_true(pages_are(&hmm, 1, 1, 1));
	assert_int_equal(range_stats(hmm.range).resident, 1);
	hmm_close(&hmm);
}

/* Tries all that is wrong before and after what is right. */
static int makes_mistakes(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags)
{
	struct device_memory *memory = devmap_hmm_devmem_data(devmem);
	struct hmm *hmm = memory->data;
	devmap_page *other = devmap_pagemap_page(devmap_hmm_devmem_pagemap(devmem), (devmap_page_index(page) + 1) % 8);
	int result;

	check(address == (uintptr_t)bytes_of(hmm, 1));
	check(flags == 0);
	check(devmap_hmm_page_devmem(page) == devmem);
	check(devmap_page_count(page) > 1);
	check(devmap_hmm_fault_to_ram(NULL, address, page, flags) == -EINVAL);
	check(devmap_hmm_fault_to_ram(devmem, address, NULL, flags) == -EINVAL);
	check(devmap_hmm_fault_to_ram(devmem, address, other, flags) == -EINVAL);
	check(devmap_hmm_fault_to_ram(devmem, address + PAGE_BYTES, page, flags) == -EINVAL);
	atomic_store(&memory->failing_reads, ALL_PAGES);
	check(devmap_hmm_fault_to_ram(devmem, address, page, flags) == -EIO);
	check(devmap_hmm_fault_to_ram(devmem, address, page, flags) == -EIO);
	atomic_store(&memory->failing_reads, 0);
	result = devmap_hmm_fault_to_ram(devmem, address, page, flags);
	check(devmap_hmm_fault_to_ram(devmem, address, page, flags) == -EINVAL);
	return result;
}

static void a_fault_brings_back_one_page_and_none_without_it(void **state)
{
	uint32_t flags;

	(void)state;
	for (flags = 0; flags < 2; flags++) {
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.nr_pages = 8,
			.limit = 4,
			.flags = flags,
		});
		devmap_page *page;

		hmm.memory->data = &hmm;
		hmm.memory->on_fault = makes_mistakes;
		write_pages(&hmm, 0, 3, 1);
		send_out(&hmm, 0, 3);
		page = devmap_pagemap_page(devmap_hmm_devmem_pagemap(hmm.memory->devmem), 1);
		assert_error(devmap_hmm_fault_to_ram(hmm.memory->devmem, (uintptr_t)bytes_of(&hmm, 1), page, 0), EINVAL);
		assert_true(page_is(bytes_of(&hmm, 1), PAGE_BYTES, 1, 1));
		assert_int_equal(state_of(&hmm, 1), flags ? STATE_KEPT : STATE_RESIDENT);
		assert_int_equal(range_stats(hmm.range).resident, 1);
		assert_true(pages_are(&hmm, 0, 3, 1));
		hmm_close(&hmm);
	}
}

static int tries_to_wait_for_itself(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags)
{
	struct hmm *hmm = ((struct device_memory *)devmap_hmm_devmem_data(devmem))->data;
	devmap_page *taken = NULL;

	check(devmap_hmm_migrate_to_device(hmm->range, NULL, 0, 1, NULL, NULL) == -EDEADLK);
	check(devmap_hmm_migrate_to_ram(hmm->range, 0, 1, NULL, NULL) == -EDEADLK);
	check(devmap_hmm_range_get_pages(hmm->range, 0, 1, false, &taken) == -EDEADLK);
	check(devmap_hmm_range_set_limit(hmm->range, 0) == -EDEADLK);
	check(devmap_hmm_range_remove(hmm->range, 0, NULL, NULL) == -EDEADLK);
	check(devmap_hmm_devmem_remove(devmem, 0, NULL, NULL) == -EDEADLK);
	return devmap_hmm_fault_to_ram(devmem, address, page, flags);
}

static void a_thread_that_serves_faults_waits_for_none(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.faults = DEVMAP_HMM_FAULTS_ALL, .nr_pages = 4});

	(void)state;
	hmm.memory->data = &hmm;
	hmm.memory->on_fault = tries_to_wait_for_itself;
	write_pages(&hmm, 0, 4, 1);
	send_out(&hmm, 1, 1);
	assert_true(page_is(bytes_of(&hmm, 1), PAGE_BYTES, 1, 1));
	hmm_close(&hmm);
}

/* ---- threads, removal, fork ----------------------------------------------------------------------------------------- */

static uint32_t nr_tasks(void)
{
	DIR *tasks = opendir("/proc/self/task");
	uint32_t n = 0;

	assert_non_null(tasks);
	while (readdir(tasks) != NULL)
		n++;
	(void)closedir(tasks);
	return n;
}

static void the_last_reference_on_a_device_ends_its_threads(void **state)
{
	static const uint32_t thread_counts[] = {0, 1, 3, 16};
	uint32_t before = nr_tasks(), i, rounds;

	(void)state;
	for (rounds = 0; rounds < scaled(20); rounds++)
		for (i = 0; i < ARRAY_LENGTH(thread_counts); i++) {
			devmap_hmm_device *device = device_new(DEVMAP_HMM_FAULTS_USER, thread_counts[i]);

			assert_int_equal(nr_tasks(), before + (thread_counts[i] ? thread_counts[i] : 1));
			devmap_hmm_device_get(device);
			devmap_hmm_device_put(device);
			assert_true(nr_tasks() > before);
			devmap_hmm_device_put(device);
			/* A thread that was joined may be seen for a moment more. */
			while (nr_tasks() != before)
				(void)sched_yield();
		}
}

static void a_range_keeps_its_device(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){.faults = DEVMAP_HMM_FAULTS_ALL, .nr_pages = 2});

	(void)state;
	devmap_hmm_device_put(hmm.device);
	write_pages(&hmm, 0, 1, 1);
	send_out(&hmm, 0, 1);
	assert_true(page_is(bytes_of(&hmm, 0), PAGE_BYTES, 0, 1));
	range_end(hmm.range);
	device_memory_end(hmm.memory);
}

enum { NR_TOUCHED = 32 };

struct touchers {
	struct hmm *hmm;
	_Atomic(bool) stop;
	_Atomic(bool) saw_zero;
	/** What each thread has written to its word of each page. */
	uint64_t written[4][NR_TOUCHED];
	_Atomic(uint32_t) next;
};

static void *read_for_ever(void *argument)
{
	struct touchers *touchers = argument;
	uint32_t i;

	for (i = 0;; i = (i * 13 + 7) % NR_TOUCHED)
		if (atomic_load_explicit(WORD(touchers->hmm, i), memory_order_relaxed) != known_word(i, 1, 0))
			_exit(3);
	return NULL;
}

static int removes_memory_that_is_read(void)
{
	struct hmm hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = NR_TOUCHED,
		.limit = 4,
	});
	struct touchers touchers = {.hmm = &hmm};
	pthread_t threads[3];
	uint32_t i;

	let_signals_kill();
	write_pages(&hmm, 0, NR_TOUCHED, 1);
	for (i = 0; i < ARRAY_LENGTH(threads); i++)
		if (pthread_create(&threads[i], NULL, read_for_ever, &touchers) != 0)
			return 4;
	while (nr_faults(&hmm) < 50)
		(void)sched_yield();
	if (devmap_hmm_range_remove(hmm.range, DEVMAP_WAIT_FOREVER, NULL, NULL) != 0)
		return 5;
	(void)pthread_join(threads[0], NULL);
	return 6;
}

static void who_reads_memory_that_goes_meets_sigsegv_and_never_zeros(void **state)
{
	uint32_t rounds;

	(void)state;
	devmap_hmm_device_put(device_new(DEVMAP_HMM_FAULTS_ALL, 1));
	for (rounds = 0; rounds < scaled(40); rounds++)
		assert_int_equal(signal_of_child(removes_memory_that_is_read), SIGSEGV);
}

static void *count_up(void *argument)
{
	struct touchers *touchers = argument;
	uint32_t index = atomic_fetch_add(&touchers->next, 1), i;

	for (i = index; !atomic_load(&touchers->stop); i = (i * 13 + 7) % NR_TOUCHED) {
		_Atomic(uint64_t) *word = WORD(touchers->hmm, i) + 1 + index;

		if (!check(atomic_load_explicit(word, memory_order_relaxed) == touchers->written[index][i]))
			break;
		atomic_store_explicit(word, ++touchers->written[index][i], memory_order_relaxed);
	}
	return NULL;
}

static void the_callers_memory_loses_nothing_when_it_is_given_back_under_its_users(void **state)
{
	uint32_t rounds, i, j, before;

	(void)state;
	for (rounds = 0; rounds < scaled(100); rounds++) {
		char *memory = map_anonymous(NR_TOUCHED * PAGE_BYTES);
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = DEVMAP_HMM_FAULTS_ALL,
			.fault_threads = 1 + rounds % 3,
			.nr_pages = NR_TOUCHED,
			.limit = 3,
			.address = memory,
			.flags = rounds % 2,
		});
		struct touchers touchers = {.hmm = &hmm};
		pthread_t threads[4];

		for (i = 0; i < ARRAY_LENGTH(threads); i++)
			assert_ok(pthread_create(&threads[i], NULL, count_up, &touchers));
		while (nr_faults(&hmm) < 40)
			(void)sched_yield();
		assert_ok(devmap_hmm_range_remove(hmm.range, 0, NULL, NULL));
		assert_int_equal(pages_used(hmm.memory), 0);
		for (before = 0; before < 3; before++)
			(void)sched_yield();
		atomic_store(&touchers.stop, true);
		for (i = 0; i < ARRAY_LENGTH(threads); i++)
			assert_ok(pthread_join(threads[i], NULL));
		for (i = 0; i < ARRAY_LENGTH(threads); i++)
			for (j = 0; j < NR_TOUCHED; j++)
				assert_int_equal(load_word(&hmm, j, 1 + i), touchers.written[i][j]);
		assert_ok(devmap_hmm_range_free(hmm.range));
		assert_ok(munmap(memory, NR_TOUCHED * PAGE_BYTES));
		hmm_close_rest(&hmm);
	}
}

static char *childs_memory;

static int touches_what_it_has_not(void)
{
	let_signals_kill();
	return *(volatile char *)childs_memory;
}

static void a_child_of_fork_has_no_memory_of_ranges(void **state)
{
	struct hmm hmm = hmm_open((struct hmm_wish){
		.faults = DEVMAP_HMM_FAULTS_ALL,
		.nr_pages = 4,
		.flags = DEVMAP_HMM_RANGE_KEEP_COPIES,
	});
	uint32_t i;

	(void)state;
	write_pages(&hmm, 0, 3, 1);
	send_out(&hmm, 0, 2);
	bring_in(&hmm, 1, 1);
	/* Away, kept, resident, a hole. */
	for (i = 0; i < 4; i++) {
		childs_memory = bytes_of(&hmm, i);
		assert_int_equal(signal_of_child(touches_what_it_has_not), SIGSEGV);
	}
	assert_int_equal(nr_faults(&hmm), 0);
	for (i = 0; i < 3; i++)
		assert_true(page_is(bytes_of(&hmm, i), PAGE_BYTES, i, 1));
	assert_true(page_is_zero(bytes_of(&hmm, 3), PAGE_BYTES));
	hmm_close(&hmm);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_HMM
		contract(concurrent_faults_on_a_page_are_served_once),
		contract(concurrent_writes_to_a_kept_copy_end_it_once),
		contract(a_write_waits_for_a_page_that_is_copied_out_and_is_not_lost),
		contract(a_lease_waits_for_a_page_that_is_copied_out),
		contract(a_fault_waits_for_a_page_that_is_copied_back),
		contract(several_threads_serve_several_faults),
		contract(a_fault_that_nobody_waits_for_any_more_moves_nothing),
		contract(a_page_that_cannot_be_had_raises_sigbus_until_a_lease_brings_it_back),
		contract(who_does_not_catch_it_dies_of_sigbus),
		contract(poisoned_memory_of_the_callers_is_whole_after_removal),
		contract(a_zero_page_stands_in_for_data),
		contract(a_handler_is_asked_what_to_do),
		contract(a_driver_that_brings_nothing_back_has_failed),
		contract(a_fault_brings_back_one_page_and_none_without_it),
		contract(a_thread_that_serves_faults_waits_for_none),
		contract(the_last_reference_on_a_device_ends_its_threads),
		contract(a_range_keeps_its_device),
		contract(who_reads_memory_that_goes_meets_sigsegv_and_never_zeros),
		contract(the_callers_memory_loses_nothing_when_it_is_given_back_under_its_users),
		contract(a_child_of_fork_has_no_memory_of_ranges),
#else
		contract(hmm_is_absent),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
