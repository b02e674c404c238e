/* SPDX-License-Identifier: MIT */
/* Callbacks are timed as the level says, and told of when they take too long; so are the waits of layout breaks. */
#include "support.h"

#include <time.h>

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

#define LIMIT_NS UINT64_C(1000000)
#define NR_PAGES 8

static uint64_t now_ns(void)
{
	struct timespec now;

	assert_ok(clock_gettime(CLOCK_MONOTONIC, &now));
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/** A driver whose callback for one page ends when the clock has passed the limit. */
struct slow_driver {
	uint64_t slow_page;
	_Atomic(uint32_t) calls;
};

static void wait_for_the_clock(void)
{
	const uint64_t start = now_ns();

	while (now_ns() - start <= LIMIT_NS)
		;
}

static void free_slowly(devmap_page *page, void *data)
{
	struct slow_driver *driver = data;

	atomic_fetch_add(&driver->calls, 1);
	if (devmap_page_index(page) == driver->slow_page)
		wait_for_the_clock();
}

static void free_batch_slowly(devmap_page *const *pages, uint32_t nr_pages, void *data)
{
	for (uint32_t i = 0; i < nr_pages; i++)
		free_slowly(pages[i], data);
}

static const devmap_pagemap_ops slow_ops = {.page_free = free_slowly};
static const devmap_pagemap_ops slow_batch_ops = {.page_free = free_slowly, .pages_free = free_batch_slowly};

static devmap_snapshot snapshot_now(void)
{
	devmap_snapshot snapshot;

	assert_ok(devmap_snapshot_read(&snapshot, sizeof(snapshot), NULL, 0));
	return snapshot;
}

static uint64_t callbacks_timed(void)
{
	return snapshot_now().callbacks.count;
}

static void put_pages(devmap_pagemap *map, uint64_t first, uint64_t n)
{
	devmap_page *page = NULL;

	assert_ok(devmap_pagemap_get_pages(map, first, n, &page));
	devmap_put_pages(page, n);
}

static int open_at(int32_t level)
{
	devmap_set_callback_limit(LIMIT_NS);
	return devmap_set_level(level);
}

static void close_limit(devmap_pagemap *map)
{
	destroy_map(map);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
	devmap_set_callback_limit(DEVMAP_CALLBACK_LIMIT_NS);
}

static void a_callback_that_took_too_long_is_told_of(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < nr_managed_types; i++) {
		struct slow_driver driver = {.slow_page = 5};
		devmap_pagemap *map = create_map_of_type(managed_types[i], NR_PAGES, &slow_ops, &driver);
		const devmap_snapshot before = snapshot_now();
		devmap_snapshot after;
		devmap_fault fault;

		assert_ok(open_at(DEVMAP_LEVEL_FULL));
		put_pages(map, 5, 1);
		assert_int_equal(take_faults(DEVMAP_FAULT_SLOW_CALLBACK), 1);
		fault = last_fault();
		assert_int_equal(fault.kind, DEVMAP_FAULT_SLOW_CALLBACK);
		assert_null(fault.page);
		assert_ptr_equal(fault.pgmap, map);
		assert_int_equal(fault.index, 5);
		assert_true(fault.duration_ns > LIMIT_NS);
		after = snapshot_now();
		assert_int_equal(after.stats.faults_slow_callback, before.stats.faults_slow_callback + 1);
		assert_int_equal(after.callbacks.count, before.callbacks.count + 1);
		assert_int_equal(after.callbacks.sum_ns, before.callbacks.sum_ns + fault.duration_ns);
		assert_true(after.callbacks.max_ns >= fault.duration_ns);
		close_limit(map);
	}
}

static void each_duration_is_in_its_bucket(void **state)
{
	struct slow_driver driver = {.slow_page = 0};
	devmap_pagemap *map = create_managed_map(NR_PAGES, &slow_ops, &driver);
	const devmap_histogram before = snapshot_now().callbacks;
	devmap_histogram after;
	uint64_t duration, count = 0;

	(void)state;
	assert_ok(open_at(DEVMAP_LEVEL_FULL));
	put_pages(map, 0, 1);
	assert_int_equal(take_faults(DEVMAP_FAULT_SLOW_CALLBACK), 1);
	duration = last_fault().duration_ns;
	after = snapshot_now().callbacks;
	for (uint32_t i = 0; i < DEVMAP_HISTOGRAM_BUCKETS; i++) {
		bool in_it = (duration < UINT64_C(1) << i || i == DEVMAP_HISTOGRAM_BUCKETS - 1) &&
			     (i == 0 || duration >= UINT64_C(1) << (i - 1));

		assert_int_equal(after.buckets[i], before.buckets[i] + in_it);
		count += after.buckets[i];
	}
	assert_int_equal(count, after.count);
	close_limit(map);
}

static void without_a_limit_none_took_too_long(void **state)
{
	struct slow_driver driver = {.slow_page = 0};
	devmap_pagemap *map = create_managed_map(NR_PAGES, &slow_ops, &driver);
	const uint64_t before = callbacks_timed();

	(void)state;
	assert_ok(open_at(DEVMAP_LEVEL_FULL));
	devmap_set_callback_limit(0);
	put_pages(map, 0, 1);
	assert_int_equal(callbacks_timed(), before + 1);
	assert_int_equal(take_faults(DEVMAP_FAULT_SLOW_CALLBACK), 0);
	close_limit(map);
}

static void at_off_none_is_timed(void **state)
{
	struct slow_driver driver = {.slow_page = 0};
	devmap_pagemap *map = create_managed_map(NR_PAGES, &slow_batch_ops, &driver);
	const uint64_t before = callbacks_timed();

	(void)state;
	assert_ok(open_at(DEVMAP_LEVEL_OFF));
	put_pages(map, 0, 1);
	put_pages(map, 0, 2);
	for (uint32_t i = 0; i < 2 * DEVMAP_TIMING_PERIOD; i++)
		put_pages(map, 1, 1 + i % 2);
	assert_int_equal(callbacks_timed(), before);
	assert_int_equal(take_faults(DEVMAP_FAULT_SLOW_CALLBACK), 0);
	close_limit(map);
}

static void below_full_one_in_a_period_is_timed(void **state)
{
	static const int32_t levels[] = {DEVMAP_LEVEL_COUNTERS, DEVMAP_LEVEL_SAMPLED};

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(levels); i++) {
		struct slow_driver driver = {.slow_page = NR_PAGES};
		devmap_pagemap *map = create_managed_map(NR_PAGES, &slow_ops, &driver);
		const uint64_t before = callbacks_timed();

		assert_ok(open_at(levels[i]));
		devmap_set_callback_limit(0);
		for (uint32_t n = 0; n < 3 * DEVMAP_TIMING_PERIOD; n++)
			put_pages(map, n % NR_PAGES, 1);
		assert_int_equal(callbacks_timed(), before + 3);
		assert_int_equal(atomic_load(&driver.calls), 3 * DEVMAP_TIMING_PERIOD);
		close_limit(map);
	}
}

static void a_batch_is_one_callback(void **state)
{
	struct slow_driver driver = {.slow_page = 2};
	devmap_pagemap *map = create_managed_map(NR_PAGES, &slow_batch_ops, &driver);
	const uint64_t before = callbacks_timed();

	(void)state;
	assert_ok(open_at(DEVMAP_LEVEL_FULL));
	put_pages(map, 1, 4);
	assert_int_equal(callbacks_timed(), before + 1);
	assert_int_equal(take_faults(DEVMAP_FAULT_SLOW_CALLBACK), 1);
	/* Its first page. */
	assert_int_equal(last_fault().index, 1);
	close_limit(map);
}

static void without_a_batch_callback_each_page_is_one(void **state)
{
	struct slow_driver driver = {.slow_page = 2};
	devmap_pagemap *map = create_managed_map(NR_PAGES, &slow_ops, &driver);
	const uint64_t before = callbacks_timed();

	(void)state;
	assert_ok(open_at(DEVMAP_LEVEL_FULL));
	put_pages(map, 1, 4);
	assert_int_equal(callbacks_timed(), before + 4);
	assert_true(take_faults(DEVMAP_FAULT_SLOW_CALLBACK) >= 1);
	close_limit(map);
}

static void a_host_page_has_no_callback_to_time(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	const uint64_t before = callbacks_timed();

	(void)state;
	assert_ok(open_at(DEVMAP_LEVEL_FULL));
	put_pages(map, 0, 1);
	put_pages(map, 0, NR_PAGES);
	assert_int_equal(callbacks_timed(), before);
	close_limit(map);
}

static void a_language_layers_callback_is_told_of_where_calling_back_is_allowed(void **state)
{
	struct slow_driver driver = {.slow_page = NR_PAGES};
	devmap_pagemap *map = create_managed_map(NR_PAGES, &slow_ops, &driver);
	devmap_page *page = take_page(map, 3), *other = take_page(map, 4);
	devmap_idle_frame frame;

	(void)state;
	assert_ok(open_at(DEVMAP_LEVEL_FULL));
	assert_int_equal(atomic_fetch_sub(&page->refcount, 1), 1);
	assert_true(devmap_page_idle_begin(page, &frame));
	wait_for_the_clock();
	assert_true(devmap_page_idle_end_fast(&frame));
	assert_int_equal(take_faults(DEVMAP_FAULT_SLOW_CALLBACK), 0);
	devmap_page_idle_wake(&frame);
	assert_int_equal(take_faults(DEVMAP_FAULT_SLOW_CALLBACK), 1);
	assert_int_equal(last_fault().index, 3);

	/* The long way in one. */
	assert_int_equal(atomic_fetch_sub(&other->refcount, 1), 1);
	assert_true(devmap_page_idle_begin(other, &frame));
	wait_for_the_clock();
	devmap_page_idle_end(&frame);
	assert_int_equal(take_faults(DEVMAP_FAULT_SLOW_CALLBACK), 1);
	assert_int_equal(last_fault().index, 4);
	close_limit(map);
}

static void tear_down_on_fault(const devmap_fault *fault, void *data)
{
	int *result = data;

	*result = fault->kind == DEVMAP_FAULT_SLOW_CALLBACK ? devmap_memunmap_pages(fault->pgmap, 0, NULL, NULL) : -EINVAL;
}

static void the_edge_is_over_when_it_is_told_of(void **state)
{
	struct slow_driver driver = {.slow_page = 0};
	devmap_pagemap *map = create_managed_map(NR_PAGES, &slow_ops, &driver);
	int result = 1;

	(void)state;
	assert_ok(open_at(DEVMAP_LEVEL_FULL));
	devmap_set_fault_handler(tear_down_on_fault, &result);
	put_pages(map, 0, 1);
	assert_int_equal(result, 0);
	assert_ok(devmap_pagemap_free(map));
	assert_ok(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
	devmap_set_callback_limit(DEVMAP_CALLBACK_LIMIT_NS);
}

enum { NR_THREADS = 4, NR_PUTS = 2000 };

static void put_own_page(void *shared, uint32_t index, struct rng *rng)
{
	devmap_page *page;

	(void)rng;
	for (uint32_t i = 0; i < NR_PUTS; i++)
		if (check(devmap_pagemap_get_pages(shared, index, 1, &page) == 0))
			devmap_put_page(page);
}

static void at_full_no_callback_of_many_threads_is_missed(void **state)
{
	struct slow_driver driver = {.slow_page = NR_PAGES};
	devmap_pagemap *map = create_managed_map(NR_PAGES, &slow_ops, &driver);
	const uint64_t before = callbacks_timed();

	(void)state;
	assert_ok(open_at(DEVMAP_LEVEL_FULL));
	devmap_set_callback_limit(0);
	run_threads(NR_THREADS, put_own_page, map);
	assert_int_equal(callbacks_timed(), before + NR_THREADS * NR_PUTS);
	close_limit(map);
}

#ifdef DEVMAP_CONFIG_FS_DAX

static void the_waits_of_layout_breaks_are_timed_unless_off(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	devmap_page *page = take_page(map, 0);
	const devmap_histogram before = snapshot_now().layout_breaks;
	devmap_layout_break layout_break;
	int owner;

	(void)state;
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	assert_error(devmap_fs_dax_break_layouts(map, &owner, 0, 1, (int64_t)LIMIT_NS, NULL, &layout_break), ETIMEDOUT);
	assert_int_equal(snapshot_now().layout_breaks.count, before.count + 1);
	assert_true(snapshot_now().layout_breaks.sum_ns >= before.sum_ns + LIMIT_NS);
	assert_true(snapshot_now().layout_breaks.max_ns >= LIMIT_NS);
	assert_ok(devmap_fs_dax_break_layouts(map, &owner, 1, 1, 0, NULL, &layout_break));
	devmap_fs_dax_end_break(&layout_break);
	assert_int_equal(snapshot_now().layout_breaks.count, before.count + 2);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_OFF));
	assert_ok(devmap_fs_dax_break_layouts(map, &owner, 1, 1, 0, NULL, &layout_break));
	devmap_fs_dax_end_break(&layout_break);
	assert_int_equal(snapshot_now().layout_breaks.count, before.count + 2);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
	assert_ok(devmap_fs_dax_release(map, &owner));
	devmap_put_page(page);
	destroy_map(map);
}

#endif

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
		contract(a_callback_that_took_too_long_is_told_of),
		contract(each_duration_is_in_its_bucket),
		contract(without_a_limit_none_took_too_long),
		contract(at_off_none_is_timed),
		contract(below_full_one_in_a_period_is_timed),
		contract(a_batch_is_one_callback),
		contract(without_a_batch_callback_each_page_is_one),
		contract(a_host_page_has_no_callback_to_time),
		contract(a_language_layers_callback_is_told_of_where_calling_back_is_allowed),
		contract(the_edge_is_over_when_it_is_told_of),
		contract(at_full_no_callback_of_many_threads_is_missed),
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(the_waits_of_layout_breaks_are_timed_unless_off),
#endif
#else
		contract(managed_types_are_refused),
#endif
	};

	return cmocka_run_group_tests_name("callback_limit", tests, NULL, NULL);
}
