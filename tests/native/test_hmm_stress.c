/* SPDX-License-Identifier: MIT */
/*
 * Threads that write by plain pointers and by leases to pages that others send to the device and back: each word has one
 * writer, who knows what must be there. Nothing is lost, nobody sees zeros or another page's data.
 */
#include "hmm_fixture.h"

#ifdef DEVMAP_CONFIG_HMM

enum { NR_STRESSED = 64, NR_WRITERS = 4, NR_MOVERS = 2 };

struct stress {
	struct hmm hmm;
	struct hmm_wish wish;
	uint32_t nr_steps;
	/** What each writer wrote last to its word of each page, and saw last in the others'. */
	uint64_t written[NR_WRITERS][NR_STRESSED];
	uint64_t seen[NR_WRITERS][NR_STRESSED][NR_WRITERS];
	/** Whether errors are made, of which each ends by itself. */
	bool flaky;
	_Atomic(uint64_t) refused;
};

static _Atomic(uint64_t) *word_of(struct stress *stress, uint32_t page, uint32_t writer)
{
	/* At both ends of the page, where a page is more than one of the system's. */
	uint64_t at = writer % 2 ? stress->hmm.page_size / sizeof(uint64_t) - 1 - writer : 8 + writer;

	return (_Atomic(uint64_t) *)(void *)bytes_of(&stress->hmm, page) + at;
}

/** Looks at all words of the page, and writes the writer's own where @p write. */
static void visit_page(struct stress *stress, uint32_t page, uint32_t writer, bool write)
{
	uint64_t *written = &stress->written[writer][page], *seen = stress->seen[writer][page];
	uint32_t i;

	for (i = 0; i < NR_WRITERS; i++) {
		uint64_t value = atomic_load_explicit(word_of(stress, page, i), memory_order_relaxed);

		check(i != writer || value == *written);
		check(value == 0 || value >> 32 == page + 1);
		check(value >= seen[i]);
		seen[i] = value;
	}
	if (!write)
		return;
	*written = (*written ? *written : (uint64_t)(page + 1) << 32) + 1;
	atomic_store_explicit(word_of(stress, page, writer), *written, memory_order_relaxed);
	seen[writer] = *written;
}

static bool is_a_refusal(int result)
{
	return result == -EBUSY || result == -ENOSPC || result == -EIO;
}

static void visit_leased(struct stress *stress, uint32_t writer, struct rng *rng)
{
	uint32_t n = 1 + rng_below(rng, 3), first = rng_below(rng, NR_STRESSED - n + 1), i;
	bool write = rng_below(rng, 2);
	devmap_page *page = n == 1 ? devmap_hmm_range_get_page_fast(stress->hmm.range, first, write) : NULL;

	if (page == NULL) {
		int result = devmap_hmm_range_get_pages(stress->hmm.range, first, n, write, &page);

		if (result != 0) {
			check(is_a_refusal(result));
			atomic_fetch_add(&stress->refused, 1);
			return;
		}
	}
	for (i = 0; i < n; i++)
		visit_page(stress, first + i, writer, write);
	if (stress->wish.faults == DEVMAP_HMM_FAULTS_NONE && stress->wish.limit != 0)
		check(range_stats(stress->hmm.range).resident <= stress->wish.limit);
	devmap_put_pages(page, n);
}

static void move_pages(struct stress *stress, struct rng *rng)
{
	uint32_t first = rng_below(rng, NR_STRESSED), n = 1 + rng_below(rng, NR_STRESSED - first), i;
	struct device_memory *memory = stress->hmm.memory;
	int32_t results[NR_STRESSED];
	devmap_busy_page busy[NR_STRESSED];
	uint8_t states[NR_STRESSED];
	devmap_hmm_migration sum;
	uint64_t nr_busy = 0;
	int result;

	if (stress->flaky && rng_below(rng, 4) == 0)
		atomic_store(rng_below(rng, 2) ? &memory->failing_reads : &memory->failing_writes, ALL_PAGES);
	if (rng_below(rng, 2))
		result = devmap_hmm_migrate_to_device(stress->hmm.range, NULL, first, n, results, &sum);
	else
		result = devmap_hmm_migrate_to_ram(stress->hmm.range, first, n, results, &sum);
	check(result == 0 || is_a_refusal(result));
	check(result == sum.error);
	check(sum.migrated + sum.absent + sum.in_use + sum.failed == n);
	for (i = 0; i < n; i++)
		check(results[i] == 0 || results[i] == 1 || is_a_refusal(results[i]));
	if (stress->flaky) {
		atomic_store(&memory->failing_reads, 0);
		atomic_store(&memory->failing_writes, 0);
	}
	if (rng_below(rng, 8) == 0)
		check(devmap_hmm_range_snapshot(stress->hmm.range, 0, NR_STRESSED, states) == 0);
	/* In use is a page that somebody holds, not one that is on its way. */
	check(devmap_pagemap_busy_pages(devmap_hmm_range_pagemap(stress->hmm.range), 0, NR_STRESSED, busy, NR_STRESSED, &nr_busy) == 0);
	for (i = 0; i < nr_busy; i++)
		check(busy[i].count >= 1);
	perturb(rng);
}

static void stress_thread(void *shared, uint32_t index, struct rng *rng)
{
	struct stress *stress = shared;
	uint32_t step;

	for (step = 0; step < stress->nr_steps; step++)
		if (index >= NR_WRITERS)
			move_pages(stress, rng);
		else if (index % 2 || stress->wish.faults == DEVMAP_HMM_FAULTS_NONE)
			visit_leased(stress, index, rng);
		else
			visit_page(stress, rng_below(rng, NR_STRESSED), index, rng_below(rng, 2));
}

static int32_t ask_again(devmap_hmm_range *range, uintptr_t address, int32_t error, void *data)
{
	struct stress *stress = data;

	(void)range;
	(void)address;
	check(error == -EIO);
	/* Who made the error may be waiting for this very page. */
	atomic_store(&stress->hmm.memory->failing_reads, 0);
	return DEVMAP_HMM_RETRY;
}

static void run_stress(struct hmm_wish wish, bool flaky)
{
	struct stress *stress = calloc(1, sizeof(*stress));
	devmap_hmm_range_stats stats;
	uint32_t page, writer;

	assert_non_null(stress);
	wish.nr_pages = NR_STRESSED;
	if (flaky) {
		wish.on_error = DEVMAP_HMM_ON_ERROR_HANDLER;
		wish.failed = ask_again;
		wish.data = stress;
	}
	stress->wish = wish;
	stress->flaky = flaky;
	stress->nr_steps = scaled(wish.page_size > PAGE_BYTES ? 500 : 2000);
	stress->hmm = hmm_open(wish);
	run_threads(NR_WRITERS + NR_MOVERS, stress_thread, stress);
	await_faults(&stress->hmm);
	stats = range_stats(stress->hmm.range);
	assert_int_equal(stats.on_device + stats.copies, pages_used(stress->hmm.memory));
	assert_true(stats.resident + stats.on_device <= NR_STRESSED);
	assert_true(stats.to_ram + stats.on_device == stats.to_device);
	(void)!devmap_hmm_range_set_limit(stress->hmm.range, 0);
	for (page = 0; page < NR_STRESSED; page++) {
		devmap_page *held = lease(&stress->hmm, page, 1, false);

		for (writer = 0; writer < NR_WRITERS; writer++)
			assert_int_equal(atomic_load(word_of(stress, page, writer)), stress->written[writer][page]);
		devmap_put_page(held);
		assert_false(state_of(&stress->hmm, page) & STATE_PINNED);
	}
	hmm_close(&stress->hmm);
	free(stress);
}

static void run_all_ways(struct hmm_wish wish, bool flaky)
{
	static const uint32_t fault_threads[] = {1, 4};
	uint32_t i, flags;

	for (flags = 0; flags < 2; flags++) {
		wish.flags = flags;
		wish.faults = DEVMAP_HMM_FAULTS_NONE;
		wish.fault_threads = 0;
		run_stress(wish, flaky);
		wish.faults = DEVMAP_HMM_FAULTS_ALL;
		for (i = 0; i < ARRAY_LENGTH(fault_threads); i++) {
			wish.fault_threads = fault_threads[i];
			run_stress(wish, flaky);
		}
	}
}

static void no_write_is_lost(void **state)
{
	(void)state;
	run_all_ways((struct hmm_wish){.limit = 6}, false);
}

static void no_write_is_lost_without_a_limit(void **state)
{
	(void)state;
	run_all_ways((struct hmm_wish){.event_capacity = 16}, false);
}

static void no_write_is_lost_to_large_pages(void **state)
{
	(void)state;
	run_all_ways((struct hmm_wish){.limit = 6, .page_size = 64 * KIB}, false);
}

static void no_write_is_lost_to_a_device_that_fails_at_times(void **state)
{
	(void)state;
	run_all_ways((struct hmm_wish){.limit = 6}, true);
}

static void no_write_is_lost_to_a_device_that_is_too_small(void **state)
{
	(void)state;
	run_all_ways((struct hmm_wish){.limit = 6, .nr_device_pages = 40}, false);
}

/* ---- as many leases as there is room for ------------------------------------------------------------------------- */

enum { NR_LEASED = 4 };

static void lease_one_at_a_time(void *shared, uint32_t index, struct rng *rng)
{
	struct hmm *hmm = shared;
	uint32_t step;

	for (step = 0; step < scaled(3000); step++) {
		uint32_t i = rng_below(rng, NR_STRESSED);
		devmap_page *page = NULL;

		if (!check(devmap_hmm_range_get_pages(hmm->range, i, 1, index % 2, &page) == 0))
			return;
		check(range_stats(hmm->range).resident <= NR_LEASED + 1);
		devmap_put_page(page);
	}
}

static void whoever_leases_within_the_limit_finds_room(void **state)
{
	uint32_t i, flags;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_modes); i++)
		for (flags = 0; flags < 2; flags++) {
			struct hmm hmm = hmm_open((struct hmm_wish){
				.faults = both_modes[i],
				.nr_pages = NR_STRESSED,
				.nr_device_pages = 2 * NR_STRESSED,
				.limit = NR_LEASED + 1,
				.flags = flags,
			});

			run_threads(NR_LEASED, lease_one_at_a_time, &hmm);
			assert_int_equal(range_stats(hmm.range).over_limit, 0);
			hmm_close(&hmm);
		}
}

/* ---- removal under its users ------------------------------------------------------------------------------------- */

struct doomed {
	devmap_hmm_range *range;
	_Atomic(bool) go;
	uint32_t seed;
};

static int use_one_way(devmap_hmm_range *range, struct rng *rng)
{
	uint32_t first = rng_below(rng, 16);
	devmap_page *page = NULL;
	uint8_t states[16];
	int result;

	switch (rng_below(rng, 6)) {
	case 0:
		return devmap_hmm_migrate_to_device(range, NULL, first, 16 - first, NULL, NULL);
	case 1:
		return devmap_hmm_migrate_to_ram(range, first, 16 - first, NULL, NULL);
	case 2:
		return devmap_hmm_range_snapshot(range, 0, 16, states);
	case 3:
		return devmap_hmm_range_set_limit(range, (4 + rng_below(rng, 4)) * PAGE_BYTES);
	case 4:
		page = devmap_hmm_range_get_page_fast(range, first, true);
		if (page)
			devmap_put_page(page);
		return 0;
	default:
		result = devmap_hmm_range_get_pages(range, first, 1, rng_below(rng, 2), &page);
		if (result == 0)
			devmap_put_page(page);
		return result;
	}
}

static void *use_until_it_is_gone(void *argument)
{
	struct doomed *doomed = argument;
	struct rng rng = rng_stream(doomed->seed);
	int result;

	atomic_store(&doomed->go, true);
	do
		result = use_one_way(doomed->range, &rng);
	while (result != -ENODEV);
	return NULL;
}

static void who_races_with_a_removal_is_told(void **state)
{
	uint32_t round, i;

	(void)state;
	for (round = 0; round < scaled(200); round++) {
		void *memory = round & 1 ? map_anonymous(16 * PAGE_BYTES) : NULL;
		struct hmm hmm = hmm_open((struct hmm_wish){
			.faults = both_modes[round / 2 % 2],
			.nr_pages = 16,
			.limit = 5,
			.address = memory,
			.flags = round / 4 % 2,
		});
		struct doomed doomed[3];
		pthread_t threads[3];

		for (i = 0; i < ARRAY_LENGTH(threads); i++) {
			doomed[i] = (struct doomed){.range = hmm.range, .seed = round * 3 + i};
			assert_ok(pthread_create(&threads[i], NULL, use_until_it_is_gone, &doomed[i]));
		}
		for (i = 0; i < ARRAY_LENGTH(threads); i++)
			while (!atomic_load(&doomed[i].go))
				(void)sched_yield();
		assert_ok(devmap_hmm_range_remove(hmm.range, DEVMAP_WAIT_FOREVER, NULL, NULL));
		assert_int_equal(pages_used(hmm.memory), 0);
		for (i = 0; i < ARRAY_LENGTH(threads); i++)
			assert_ok(pthread_join(threads[i], NULL));
		assert_ok(devmap_hmm_range_free(hmm.range));
		if (memory)
			assert_ok(munmap(memory, 16 * PAGE_BYTES));
		hmm_close_rest(&hmm);
	}
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_HMM
		contract(no_write_is_lost),
		contract(no_write_is_lost_without_a_limit),
		contract(no_write_is_lost_to_large_pages),
		contract(no_write_is_lost_to_a_device_that_fails_at_times),
		contract(no_write_is_lost_to_a_device_that_is_too_small),
		contract(whoever_leases_within_the_limit_finds_room),
		contract(who_races_with_a_removal_is_told),
#else
		contract(hmm_is_absent),
#endif
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
