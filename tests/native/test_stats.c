/* SPDX-License-Identifier: MIT */
/* The counters: each moves with what it counts, with nothing else, and is exact once the threads are quiet. */
#include "support.h"

/** Counters of @stats by name, so that a test can say "this one and no other". */
struct named_counter {
	const char *name;
	size_t offset;
};

#define NAMED_COUNTER(name, text) {#name, offsetof(devmap_stats, name)},
static const struct named_counter counters[] = {DEVMAP_STATS_COUNTERS(NAMED_COUNTER)};

static uint64_t counter_at(const devmap_stats *stats, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)stats + offset, sizeof(value));
	return value;
}

/** A counter that is expected to have moved, and by how much. */
struct movement {
	size_t offset;
	uint64_t by;
};

#define MOVED(counter, n)                          \
	{                                          \
		offsetof(devmap_stats, counter), n \
	}

static void assert_moved(const devmap_stats *before, const struct movement *movements, size_t nr_movements)
{
	const devmap_stats after = stats_now();
	size_t i;
	size_t j;

	for (i = 0; i < ARRAY_LENGTH(counters); i++) {
		uint64_t expected = counter_at(before, counters[i].offset);

		for (j = 0; j < nr_movements; j++)
			if (movements[j].offset == counters[i].offset)
				expected += movements[j].by;
		if (counter_at(&after, counters[i].offset) != expected)
			print_error("counter %s\n", counters[i].name);
		assert_int_equal(counter_at(&after, counters[i].offset), expected);
	}
}

#define assert_only_moved(before, ...)                                    \
	do {                                                              \
		const struct movement movements[] = {__VA_ARGS__};        \
		assert_moved(before, movements, ARRAY_LENGTH(movements)); \
	} while (0)

static void null_and_sizes_without_the_first_fields_are_refused(void **state)
{
	devmap_stats stats;
	uint32_t size;

	(void)state;
	memset(&stats, 0x5a, sizeof(stats));
	assert_error(devmap_stats_read(NULL, sizeof(stats)), EINVAL);
	for (size = 0; size < 2 * sizeof(uint32_t); size++)
		assert_error(devmap_stats_read(&stats, size), EINVAL);
	assert_int_equal(stats.version, 0x5a5a5a5a);
}

static void a_smaller_struct_gets_the_part_it_knows(void **state)
{
	union {
		devmap_stats stats;
		unsigned char bytes[sizeof(devmap_stats)];
	} reading;
	uint32_t size;

	(void)state;
	for (size = 2 * sizeof(uint32_t); size <= sizeof(devmap_stats); size += 4) {
		uint32_t i;

		memset(&reading, 0x5a, sizeof(reading));
		assert_ok(devmap_stats_read(&reading.stats, size));
		assert_int_equal(reading.stats.version, DEVMAP_STATS_VERSION);
		assert_int_equal(reading.stats.size, size);
		for (i = size; i < sizeof(reading); i++)
			assert_int_equal(reading.bytes[i], 0x5a);
	}
}

static void a_larger_struct_is_told_how_much_was_filled(void **state)
{
	struct {
		devmap_stats stats;
		uint64_t more[4];
	} reading;

	(void)state;
	memset(&reading, 0x5a, sizeof(reading));
	assert_ok(devmap_stats_read(&reading.stats, sizeof(reading)));
	assert_int_equal(reading.stats.size, sizeof(devmap_stats));
	assert_int_equal(reading.more[0], UINT64_C(0x5a5a5a5a5a5a5a5a));
}

static void a_host_pages_use_counts_an_activation_and_an_edge(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_stats before = stats_now();
	devmap_page *page;

	(void)state;
	page = take_page(map, 0);
	assert_only_moved(&before, MOVED(activations, 1));
	devmap_get_page(page);
	assert_ok(devmap_try_get_page(page));
	devmap_put_page_refs(page, 2);
	assert_only_moved(&before, MOVED(activations, 1));
	devmap_put_page(page);
	assert_only_moved(&before, MOVED(activations, 1), MOVED(idle_edges, 1));
	before = stats_now();
	assert_ok(devmap_pagemap_get_pages(map, 0, 4, &page));
	assert_only_moved(&before, MOVED(activations, 4));
	devmap_put_pages(page, 4);
	assert_only_moved(&before, MOVED(activations, 4), MOVED(idle_edges, 4));
	destroy_map(map);
}

static void a_drivers_get_of_an_idle_page_counts_as_an_activation(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = devmap_pagemap_page(map, 0);
	const devmap_stats before = stats_now();

	(void)state;
	devmap_get_page_refs(page, 3);
	assert_only_moved(&before, MOVED(activations, 1));
	devmap_put_page_refs(page, 3);
	assert_only_moved(&before, MOVED(activations, 1), MOVED(idle_edges, 1));
	destroy_map(map);
}

static void an_ordinary_page_is_no_activation(void **state)
{
	const devmap_stats before = stats_now();
	devmap_page *page = NULL;
	devmap_stats now;

	(void)state;
	assert_ok(devmap_alloc_pages(3, &page));
	now = stats_now();
	assert_int_equal(now.ordinary_pages.current, before.ordinary_pages.current + 1);
	assert_int_equal(now.ordinary_pages.total, before.ordinary_pages.total + 1);
	devmap_get_page(page);
	devmap_put_page_refs(page, 2);
	now = stats_now();
	assert_int_equal(now.ordinary_pages.current, before.ordinary_pages.current);
	assert_int_equal(now.ordinary_pages.total, before.ordinary_pages.total + 1);
	assert_moved(&before, NULL, 0);
}

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

static void a_managed_edge_is_counted_as_both(void **state)
{
	struct counting_driver *driver = counting_driver_new(2);
	devmap_pagemap *map = create_managed_map(2, &counting_batch_ops, driver);
	devmap_stats before = stats_now();
	devmap_page *page;

	(void)state;
	devmap_put_page(take_page(map, 0));
	assert_only_moved(&before, MOVED(activations, 1), MOVED(idle_edges, 1), MOVED(idle_edges_managed, 1));
	before = stats_now();
	assert_ok(devmap_pagemap_get_pages(map, 0, 2, &page));
	devmap_put_pages(page, 2);
	assert_only_moved(&before, MOVED(activations, 2), MOVED(idle_edges, 2), MOVED(idle_edges_managed, 2),
		MOVED(idle_batches, 1));
	destroy_map(map);
	counting_driver_free(driver);
}

static void the_gates_holders_are_read(void **state)
{
	const int64_t before = stats_now().gate_holders;

	(void)state;
	assert_ok(devmap_pagemap_get_ops());
	assert_int_equal(stats_now().gate_holders, before + 1);
	assert_ok(devmap_pagemap_put_ops());
	assert_int_equal(stats_now().gate_holders, before);
}

#endif

static void refusals_and_teardown_timeouts_are_counted(void **state)
{
	devmap_pagemap *map = create_host_map(2);
	devmap_page *held = take_page(map, 0);
	const devmap_stats before = stats_now();
	devmap_page *page;

	(void)state;
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_only_moved(&before, MOVED(teardown_timeouts, 1));
	assert_error(devmap_try_get_page(held), ENODEV);
	assert_error(devmap_pagemap_get_pages(map, 1, 1, &page), ENODEV);
	assert_only_moved(&before, MOVED(teardown_timeouts, 1), MOVED(refused_dying, 2));
	devmap_put_page(held);
	destroy_map(map);
}

#ifdef DEVMAP_CONFIG_FS_DAX

static void layout_breaks_and_what_they_refuse_are_counted(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_cancel cancelled = {1};
	devmap_layout_break layout_break;
	devmap_stats before;
	devmap_stats now;
	devmap_page *page;
	int owner;

	(void)state;
	before = stats_now();
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	now = stats_now();
	assert_int_equal(now.claims.current, before.claims.current + 1);
	assert_int_equal(now.claims.total, before.claims.total + 1);
	assert_true(now.claims.peak >= now.claims.current);

	before = stats_now();
	assert_ok(devmap_fs_dax_break_layouts(map, &owner, 0, 2, 0, NULL, &layout_break));
	now = stats_now();
	assert_int_equal(now.layout_breaks.current, before.layout_breaks.current + 1);
	assert_int_equal(now.layout_breaks.total, before.layout_breaks.total + 1);
	assert_error(devmap_pagemap_get_pages(map, 1, 1, &page), EAGAIN);
	assert_only_moved(&before, MOVED(refused_marked, 1));
	devmap_fs_dax_end_break(&layout_break);
	assert_int_equal(stats_now().layout_breaks.current, before.layout_breaks.current);

	page = take_page(map, 0);
	before = stats_now();
	assert_error(devmap_fs_dax_break_layouts(map, &owner, 0, 2, 0, NULL, &layout_break), ETIMEDOUT);
	assert_only_moved(&before, MOVED(layout_break_timeouts, 1));
	before = stats_now();
	assert_error(devmap_fs_dax_break_layouts(map, &owner, 0, 2, DEVMAP_WAIT_FOREVER, &cancelled, &layout_break),
		ECANCELED);
	assert_only_moved(&before, MOVED(layout_break_cancels, 1));
	devmap_put_page(page);
	assert_ok(devmap_fs_dax_release(map, &owner));
	assert_int_equal(stats_now().claims.current, before.claims.current - 1);
	destroy_map(map);
}

#endif

static void faults_are_counted_by_kind(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);
	devmap_page *freed = NULL;
	devmap_stats before;

	(void)state;
	assert_ok(devmap_alloc_pages(0, &freed));
	devmap_put_page(freed);

	before = stats_now();
	set_refcount(page, INT32_MAX);
	devmap_get_page(page);
	assert_only_moved(&before, MOVED(faults_overflow, 1), MOVED(saturations, 1));
	before = stats_now();
	set_refcount(page, 1);
	devmap_put_page_refs(page, 2);
	assert_only_moved(&before, MOVED(faults_underflow, 1), MOVED(saturations, 1));
	before = stats_now();
	devmap_get_page(freed);
	assert_only_moved(&before, MOVED(faults_use_after_free, 1), MOVED(saturations, 1));
	before = stats_now();
	(void)devmap_report_fault(DEVMAP_FAULT_DRIVER, page, NULL);
	assert_only_moved(&before, MOVED(faults_driver, 1));

	/* A page that is saturated already is one still. */
	before = stats_now();
	devmap_put_page_refs(page, 2);
	devmap_get_page(freed);
	assert_int_equal(stats_now().saturations, before.saturations);

	set_refcount(page, 1);
	assert_int_equal(take_faults(DEVMAP_FAULT_OVERFLOW), 1);
	assert_int_equal(take_faults(DEVMAP_FAULT_UNDERFLOW), 1);
	assert_int_equal(take_faults(DEVMAP_FAULT_USE_AFTER_FREE), 1);
	assert_int_equal(take_faults(DEVMAP_FAULT_DRIVER), 1);
	devmap_put_page(page);
	destroy_map(map);
}

static void a_gauge_keeps_its_total_and_its_peak(void **state)
{
	const devmap_stats before = stats_now();
	devmap_pagemap *maps[8];
	devmap_stats now;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(maps); i++)
		maps[i] = create_host_map(1);
	now = stats_now();
	assert_int_equal(now.pagemaps.total, before.pagemaps.total + 8);
	assert_int_equal(now.pagemaps.current, before.pagemaps.current + 8);
	assert_true(now.pagemaps.peak >= now.pagemaps.current);
	for (i = 0; i < ARRAY_LENGTH(maps); i++)
		assert_ok(devmap_memunmap_pages(maps[i], 0, NULL, NULL));
	/* Torn down is what counts, not the handle. */
	assert_int_equal(stats_now().pagemaps.current, before.pagemaps.current);
	for (i = 0; i < ARRAY_LENGTH(maps); i++)
		assert_ok(devmap_pagemap_free(maps[i]));
	assert_int_equal(stats_now().pagemaps.total, before.pagemaps.total + 8);
	assert_int_equal(stats_now().pagemaps.peak, now.pagemaps.peak);
}

static void a_refused_map_is_not_counted(void **state)
{
	const devmap_stats before = stats_now();
	const devmap_pagemap_config config = {.size = sizeof(config)};
	devmap_pagemap *map = NULL;

	(void)state;
	assert_error(devmap_memremap_pages(&config, &map), EINVAL);
	assert_int_equal(stats_now().pagemaps.total, before.pagemaps.total);
	assert_int_equal(stats_now().pagemaps.current, before.pagemaps.current);
}

static void claims_breaks_and_files_are_not_counted_without_one(void **state)
{
	const devmap_stats before = stats_now();
	devmap_stats now;

	(void)state;
	destroy_map(create_host_map(1));
	now = stats_now();
	assert_int_equal(now.claims.total, before.claims.total);
	assert_int_equal(now.layout_breaks.total, before.layout_breaks.total);
	assert_int_equal(now.dax_files.total, before.dax_files.total);
}

enum { NR_THREADS = 24, NR_TAKES = 500 };

struct counted_uses {
	devmap_pagemap *map;
	_Atomic(uint64_t) allocations;
};

static void use_own_page(void *shared, uint32_t index, struct rng *rng)
{
	struct counted_uses *uses = shared;
	devmap_page *page;
	uint32_t i;

	for (i = 0; i < NR_TAKES; i++) {
		check(devmap_pagemap_get_pages(uses->map, index, 1, &page) == 0);
		perturb(rng);
		devmap_put_page(page);
		if (rng_below(rng, 8) == 0 && check(devmap_alloc_pages(0, &page) == 0)) {
			atomic_fetch_add(&uses->allocations, 1);
			devmap_put_page(page);
		}
	}
}

static void the_counters_are_exact_after_many_threads(void **state)
{
	struct counted_uses uses = {.map = create_host_map(NR_THREADS)};
	const devmap_stats before = stats_now();
	devmap_stats after;

	(void)state;
	/* No thread meets another's page, so every take is an activation. */
	run_threads(NR_THREADS, use_own_page, &uses);
	assert_only_moved(&before, MOVED(activations, NR_THREADS * NR_TAKES), MOVED(idle_edges, NR_THREADS * NR_TAKES));
	after = stats_now();
	assert_int_equal(after.ordinary_pages.total - before.ordinary_pages.total, atomic_load(&uses.allocations));
	assert_int_equal(after.ordinary_pages.current, before.ordinary_pages.current);
	assert_true(after.ordinary_pages.peak <= after.ordinary_pages.total);
	destroy_map(uses.map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(null_and_sizes_without_the_first_fields_are_refused),
		contract(a_smaller_struct_gets_the_part_it_knows),
		contract(a_larger_struct_is_told_how_much_was_filled),
		contract(a_host_pages_use_counts_an_activation_and_an_edge),
		contract(a_drivers_get_of_an_idle_page_counts_as_an_activation),
		contract(an_ordinary_page_is_no_activation),
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
		contract(a_managed_edge_is_counted_as_both),
		contract(the_gates_holders_are_read),
#endif
		contract(refusals_and_teardown_timeouts_are_counted),
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(layout_breaks_and_what_they_refuse_are_counted),
#endif
		contract(faults_are_counted_by_kind),
		contract(a_gauge_keeps_its_total_and_its_peak),
		contract(a_refused_map_is_not_counted),
		contract(claims_breaks_and_files_are_not_counted_without_one),
		contract(the_counters_are_exact_after_many_threads),
	};

	return cmocka_run_group_tests_name("stats", tests, NULL, NULL);
}
