/* SPDX-License-Identifier: MIT */
/* A page's count: who raises and lowers it, what a drop reports, and what becomes of a count that left its range. */
#include "support.h"

_Static_assert(sizeof(devmap_page) == 64, "the metadata of a page is a cache line");

static void assert_fault(devmap_fault_kind kind, const devmap_page *page)
{
	devmap_fault fault;

	assert_int_equal(take_faults(kind), 1);
	fault = last_fault();
	assert_int_equal(fault.kind, kind);
	assert_ptr_equal(fault.page, page);
	assert_ptr_equal(fault.pgmap, devmap_page_pagemap(page));
	assert_int_equal(fault.index, devmap_page_index(page));
}

static void assert_saturated(devmap_page *page)
{
	assert_true(refcount_of(page) < -1000000);
	assert_true(devmap_page_count(page) < 0);
	assert_error(devmap_try_get_page(page), EOVERFLOW);
}

static void zero_filled_metadata_is_an_idle_page(void **state)
{
	devmap_page page;

	(void)state;
	memset(&page, 0, sizeof(page));
	assert_int_equal(devmap_page_count(&page), 1);
	assert_ptr_equal(devmap_compound_head(&page), &page);
	assert_false(devmap_is_zone_device_page(&page));
	assert_null(devmap_page_pagemap(&page));
}

static void a_fresh_maps_pages_are_idle(void **state)
{
	devmap_pagemap *map = create_host_map(8);
	devmap_page *page;
	uint64_t i;

	(void)state;
	for (i = 0; i < 8; i++) {
		page = devmap_pagemap_page(map, i);
		assert_non_null(page);
		assert_int_equal(devmap_page_count(page), 1);
		assert_int_equal(page->zone_device_data, 0);
		assert_true(devmap_is_zone_device_page(page));
		assert_ptr_equal(devmap_page_pagemap(page), map);
		assert_int_equal(devmap_page_index(page), i);
	}
	destroy_map(map);
}

static void gets_and_puts_are_counted(void **state)
{
	devmap_pagemap *map = create_host_map(2);
	devmap_page *page = take_page(map, 1);

	(void)state;
	assert_int_equal(devmap_page_count(page), 2);
	devmap_get_page(page);
	assert_int_equal(devmap_page_count(page), 3);
	devmap_get_page_refs(page, 5);
	assert_int_equal(devmap_page_count(page), 8);
	assert_ok(devmap_try_get_page(page));
	assert_int_equal(devmap_page_count(page), 9);
	devmap_put_page_refs(page, 6);
	assert_int_equal(devmap_page_count(page), 3);
	devmap_put_page(page);
	assert_int_equal(devmap_page_count(page), 2);
	devmap_put_page(page);
	assert_int_equal(devmap_page_count(page), 1);
	assert_int_equal(devmap_page_count(devmap_pagemap_page(map, 0)), 1);
	destroy_map(map);
}

static void no_reference_changes_nothing(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *device = devmap_pagemap_page(map, 0);
	devmap_page *ordinary = NULL;
	const devmap_stats before = stats_now();

	(void)state;
	assert_ok(devmap_alloc_pages(0, &ordinary));
	devmap_get_page_refs(device, 0);
	devmap_put_page_refs(device, 0);
	devmap_get_page_refs(ordinary, 0);
	devmap_put_page_refs(ordinary, 0);
	assert_int_equal(devmap_page_count(device), 1);
	assert_int_equal(devmap_page_count(ordinary), 1);
	assert_int_equal(stats_now().activations, before.activations);
	assert_int_equal(stats_now().idle_edges, before.idle_edges);
	assert_ok(devmap_try_get_page(device));
	devmap_get_page_refs(device, 0);
	devmap_put_page_refs(device, 0);
	assert_int_equal(devmap_page_count(device), 2);
	devmap_put_page(device);
	devmap_put_page(ordinary);
	destroy_map(map);
}

static void a_range_is_taken_and_put_page_by_page(void **state)
{
	devmap_pagemap *map = create_host_map(8);
	devmap_page *page = NULL;
	uint64_t i;

	(void)state;
	assert_ok(devmap_pagemap_get_pages(map, 2, 4, &page));
	assert_ptr_equal(page, devmap_pagemap_page(map, 2));
	for (i = 0; i < 8; i++)
		assert_int_equal(devmap_page_count(devmap_pagemap_page(map, i)), i >= 2 && i < 6 ? 2 : 1);
	devmap_put_pages(page, 4);
	for (i = 0; i < 8; i++)
		assert_int_equal(devmap_page_count(devmap_pagemap_page(map, i)), 1);
	destroy_map(map);
}

static void a_page_of_a_torn_down_map_cannot_be_taken(void **state)
{
	devmap_pagemap *map = create_host_map(2);
	devmap_page *page = take_page(map, 0);

	(void)state;
	devmap_put_page(page);
	assert_ok(devmap_memunmap_pages(map, 0, NULL, NULL));
	assert_error(devmap_try_get_page(page), ENODEV);
	assert_error(devmap_try_get_page(page + 1), ENODEV);
	assert_ok(devmap_pagemap_free(map));
}

static void a_page_that_its_map_never_handed_out_cannot_be_taken(void **state)
{
	devmap_pagemap *map = create_host_map(200);
	devmap_page *unknown = &map->pages[199];

	(void)state;
	assert_error(devmap_try_get_page(unknown), ENODEV);
	devmap_get_page(unknown);
	assert_int_equal(take_faults(DEVMAP_FAULT_USE_AFTER_FREE), 1);
	destroy_map(map);
}

static void a_bad_range_is_refused_and_takes_nothing(void **state)
{
	devmap_pagemap *map = create_host_map(8);
	devmap_page *untouched = (devmap_page *)&map;
	devmap_page *page = untouched;
	uint64_t i;

	(void)state;
	assert_error(devmap_try_get_page(NULL), EINVAL);
	assert_error(devmap_pagemap_get_pages(NULL, 0, 1, &page), EINVAL);
	assert_error(devmap_pagemap_get_pages(map, 0, 1, NULL), EINVAL);
	assert_error(devmap_pagemap_get_pages(map, 0, 0, &page), EINVAL);
	assert_error(devmap_pagemap_get_pages(map, 8, 1, &page), ERANGE);
	assert_error(devmap_pagemap_get_pages(map, 7, 2, &page), ERANGE);
	assert_error(devmap_pagemap_get_pages(map, 1, UINT64_MAX, &page), ERANGE);
	assert_error(devmap_pagemap_get_pages(map, UINT64_MAX, 2, &page), ERANGE);
	assert_ptr_equal(page, untouched);
	for (i = 0; i < 8; i++)
		assert_int_equal(devmap_page_count(devmap_pagemap_page(map, i)), 1);
	destroy_map(map);
}

static void a_page_outside_the_map_is_not_found(void **state)
{
	devmap_pagemap *map = create_host_map(8);

	(void)state;
	assert_null(devmap_pagemap_page(map, 8));
	assert_null(devmap_pagemap_page(map, UINT64_MAX));
	destroy_map(map);
}

static void references_on_a_tail_belong_to_its_head(void **state)
{
	devmap_page *head = NULL;

	(void)state;
	assert_ok(devmap_alloc_pages(2, &head));
	assert_ptr_equal(devmap_compound_head(head), head);
	assert_ptr_equal(devmap_compound_head(head + 3), head);
	devmap_get_page(head + 3);
	assert_int_equal(devmap_page_count(head), 2);
	assert_int_equal(devmap_page_count(head + 1), 2);
	assert_ok(devmap_try_get_page(head + 1));
	assert_int_equal(devmap_page_count(head), 3);
	devmap_get_page_refs(head + 2, 2);
	assert_int_equal(devmap_page_count(head), 5);
	devmap_put_page_refs(head + 1, 3);
	devmap_put_page(head + 2);
	assert_int_equal(devmap_page_count(head), 1);
	devmap_put_page(head + 3);
}

static void a_freed_ordinary_page_cannot_be_taken(void **state)
{
	devmap_page *page = NULL;

	(void)state;
	assert_ok(devmap_alloc_pages(0, &page));
	assert_ok(devmap_try_get_page(page));
	devmap_put_page_refs(page, 2);
	assert_error(devmap_try_get_page(page), ENODEV);
}

static void putting_a_managed_page_tells_whether_it_was_one(void **state)
{
	devmap_pagemap *host = create_host_map(1);
	devmap_page *device = take_page(host, 0);
	devmap_page *ordinary = NULL;

	(void)state;
	assert_ok(devmap_alloc_pages(1, &ordinary));
	assert_false(devmap_put_managed_page(device));
	assert_false(devmap_put_managed_page(ordinary + 1));
	assert_int_equal(devmap_page_count(device), 2);
	assert_int_equal(devmap_page_count(ordinary), 1);
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
	assert_ok(devmap_pagemap_get_ops());
	assert_false(devmap_put_managed_page(device));
	assert_false(devmap_put_managed_page(ordinary + 1));
	assert_int_equal(devmap_page_count(device), 2);
	assert_int_equal(devmap_page_count(ordinary), 1);
	assert_ok(devmap_pagemap_put_ops());
#endif
	devmap_put_page(device);
	devmap_put_page(ordinary);
	destroy_map(host);
}

static void the_predicates_tell_host_and_ordinary_pages(void **state)
{
	devmap_pagemap *host = create_host_map(1);
	devmap_page *device = devmap_pagemap_page(host, 0);
	devmap_page *ordinary = NULL;

	(void)state;
	assert_ok(devmap_alloc_pages(0, &ordinary));
	assert_true(devmap_is_zone_device_page(device));
	assert_int_equal(devmap_page_type(device), DEVMAP_MEMORY_DEVICE_HOST);
	assert_false(devmap_is_device_private_page(device));
	assert_false(devmap_is_device_public_page(device));
	assert_false(devmap_is_zone_device_page(ordinary));
	assert_null(devmap_page_pagemap(ordinary));
	assert_false(devmap_is_device_private_page(ordinary));
	assert_false(devmap_is_device_public_page(ordinary));
	devmap_put_page(ordinary);
	destroy_map(host);
}

static void a_double_put_of_a_host_page_is_caught(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);
	const uint64_t before = stats_now().faults_underflow;

	(void)state;
	devmap_put_page(page);
	devmap_put_page(page);
	assert_fault(DEVMAP_FAULT_UNDERFLOW, page);
	assert_int_equal(stats_now().faults_underflow, before + 1);
	assert_saturated(page);
	set_refcount(page, 0);
	destroy_map(map);
}

static void a_put_of_more_than_is_held_of_a_host_page_is_caught(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);

	(void)state;
	devmap_get_page(page);
	devmap_put_page_refs(page, 5);
	assert_fault(DEVMAP_FAULT_UNDERFLOW, page);
	assert_saturated(page);
	set_refcount(page, 1);
	devmap_put_page(page);
	destroy_map(map);
}

static void a_put_of_the_most_references_of_a_host_page_is_caught(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);

	(void)state;
	devmap_put_page_refs(page, INT32_MAX);
	assert_fault(DEVMAP_FAULT_UNDERFLOW, page);
	assert_saturated(page);
	set_refcount(page, 1);
	devmap_put_page(page);
	destroy_map(map);
}

static void a_double_put_of_an_ordinary_page_is_caught_and_the_page_not_handed_out_again(void **state)
{
	devmap_page *others[64];
	devmap_page *page = NULL;
	size_t i;

	(void)state;
	assert_ok(devmap_alloc_pages(3, &page));
	devmap_put_page(page);
	devmap_put_page(page);
	assert_fault(DEVMAP_FAULT_UNDERFLOW, page);
	assert_saturated(page);
	for (i = 0; i < ARRAY_LENGTH(others); i++) {
		assert_ok(devmap_alloc_pages(3, &others[i]));
		assert_ptr_not_equal(others[i], page);
	}
	for (i = 0; i < ARRAY_LENGTH(others); i++)
		devmap_put_page(others[i]);
	assert_saturated(page);
}

static void a_put_of_more_than_is_held_of_an_ordinary_page_is_caught_and_frees_nothing(void **state)
{
	devmap_page *page = NULL;
	const uint64_t current = stats_now().ordinary_pages.current;

	(void)state;
	assert_ok(devmap_alloc_pages(0, &page));
	devmap_get_page(page);
	devmap_put_page_refs(page, 3);
	assert_fault(DEVMAP_FAULT_UNDERFLOW, page);
	assert_saturated(page);
	assert_int_equal(stats_now().ordinary_pages.current, current + 1);
	set_refcount(page, 0);
	devmap_put_page(page);
}

static void taking_a_freed_ordinary_page_is_caught(void **state)
{
	devmap_page *page = NULL;
	const uint64_t before = stats_now().faults_use_after_free;

	(void)state;
	assert_ok(devmap_alloc_pages(1, &page));
	devmap_put_page(page);
	devmap_get_page(page);
	assert_fault(DEVMAP_FAULT_USE_AFTER_FREE, page);
	assert_int_equal(stats_now().faults_use_after_free, before + 1);
}

/** Saturates @page, which one user holds, and checks that nothing touches it from then on. */
static void assert_overflow_is_caught(devmap_page *page, int32_t from, uint32_t nr_refs)
{
	const uint64_t before = stats_now().faults_overflow;

	set_refcount(page, from);
	devmap_get_page_refs(page, nr_refs);
	assert_fault(DEVMAP_FAULT_OVERFLOW, page);
	assert_int_equal(stats_now().faults_overflow, before + 1);
	assert_saturated(page);
	devmap_get_page(page);
	devmap_put_page(page);
	devmap_put_page(page);
	devmap_put_page_refs(page, nr_refs);
	assert_saturated(page);
	(void)take_faults(DEVMAP_FAULT_OVERFLOW);
	(void)take_faults(DEVMAP_FAULT_UNDERFLOW);
	set_refcount(page, 1);
}

static void a_count_that_overflows_saturates(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);

	(void)state;
	assert_overflow_is_caught(page, INT32_MAX, 1);
	assert_overflow_is_caught(page, INT32_MAX - 9, 10);
	assert_overflow_is_caught(page, 1, INT32_MAX);
	assert_overflow_is_caught(page, INT32_MAX, INT32_MAX);
	devmap_put_page(page);
	destroy_map(map);
}

static void the_highest_count_is_a_count_still(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);

	(void)state;
	devmap_get_page_refs(page, INT32_MAX - 1);
	assert_int_equal(refcount_of(page), INT32_MAX);
	devmap_put_page_refs(page, INT32_MAX - 1);
	assert_int_equal(devmap_page_count(page), 2);
	devmap_put_page(page);
	destroy_map(map);
}

static void taking_a_page_at_the_highest_count_through_its_map_is_refused(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_page *page = take_page(map, 2);
	devmap_page *range = NULL;
	uint64_t i;

	(void)state;
	set_refcount(page, INT32_MAX);
	assert_error(devmap_try_get_page(page), EOVERFLOW);
	assert_saturated(page);
	assert_error(devmap_pagemap_get_pages(map, 0, 4, &range), EOVERFLOW);
	assert_null(range);
	for (i = 0; i < 4; i++)
		if (i != 2)
			assert_int_equal(devmap_page_count(devmap_pagemap_page(map, i)), 1);
	assert_true(take_faults(DEVMAP_FAULT_OVERFLOW) >= 1);
	set_refcount(page, 1);
	devmap_put_page(page);
	destroy_map(map);
}

static void a_saturated_ordinary_page_is_never_freed(void **state)
{
	devmap_page *page = NULL;
	const uint64_t current = stats_now().ordinary_pages.current;

	(void)state;
	assert_ok(devmap_alloc_pages(0, &page));
	assert_overflow_is_caught(page, INT32_MAX, 1);
	assert_int_equal(stats_now().ordinary_pages.current, current + 1);
	devmap_put_page(page);
	assert_int_equal(devmap_page_count(page), 1);
	devmap_put_page(page);
	assert_int_equal(stats_now().ordinary_pages.current, current);
}

static void a_saturated_page_keeps_its_map_from_being_torn_down(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_page *page = take_page(map, 3);

	(void)state;
	set_refcount(page, INT32_MAX);
	devmap_get_page(page);
	assert_fault(DEVMAP_FAULT_OVERFLOW, page);
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	set_refcount(page, 1);
	devmap_put_page(page);
	destroy_map(map);
}

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

static void the_predicates_tell_managed_pages(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map;
	devmap_page *page;
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++) {
		map = create_map_of_type(managed_types[i], 1, &counting_ops, driver);
		page = devmap_pagemap_page(map, 0);
		assert_true(devmap_is_zone_device_page(page));
		assert_int_equal(devmap_page_type(page), managed_types[i]);
		assert_int_equal(devmap_is_device_private_page(page), managed_types[i] == DEVMAP_MEMORY_DEVICE_PRIVATE);
		assert_int_equal(devmap_is_device_public_page(page), managed_types[i] == DEVMAP_MEMORY_DEVICE_PUBLIC);
		destroy_map(map);
	}
	counting_driver_free(driver);
}

static void a_managed_page_is_put_by_the_patchs_put(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map;
	devmap_page *page;
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++) {
		map = create_map_of_type(managed_types[i], 1, &counting_ops, driver);
		page = take_page(map, 0);
		devmap_get_page(page);
		assert_true(devmap_put_managed_page(page));
		assert_int_equal(devmap_page_count(page), 2);
		assert_int_equal(atomic_load(&driver->total), i);
		assert_true(devmap_put_managed_page(page));
		assert_int_equal(devmap_page_count(page), 1);
		assert_int_equal(atomic_load(&driver->total), i + 1);
		destroy_map(map);
	}
	counting_driver_free(driver);
}

static void a_double_put_of_a_managed_page_is_caught_and_calls_no_driver(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map;
	devmap_page *page;
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++) {
		map = create_map_of_type(managed_types[i], 1, &counting_ops, driver);
		page = take_page(map, 0);
		devmap_put_page(page);
		assert_int_equal(atomic_load(&driver->total), 3 * i + 1);
		devmap_put_page(page);
		assert_fault(DEVMAP_FAULT_UNDERFLOW, page);
		assert_int_equal(atomic_load(&driver->total), 3 * i + 1);
		set_refcount(page, 0);

		/* The patch's put and the batch release catch it too. */
		devmap_put_page(take_page(map, 0));
		assert_true(devmap_put_managed_page(page));
		assert_fault(DEVMAP_FAULT_UNDERFLOW, page);
		set_refcount(page, 0);
		devmap_put_page(take_page(map, 0));
		devmap_release_pages(&page, 1);
		assert_fault(DEVMAP_FAULT_UNDERFLOW, page);
		assert_int_equal(atomic_load(&driver->total), 3 * i + 3);
		set_refcount(page, 0);
		destroy_map(map);
	}
	counting_driver_free(driver);
}

static void a_put_of_more_than_is_held_of_a_managed_page_is_caught_and_calls_no_driver(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map;
	devmap_page *page;
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++) {
		map = create_map_of_type(managed_types[i], 1, &counting_ops, driver);
		page = take_page(map, 0);
		devmap_get_page(page);
		devmap_put_page_refs(page, 3);
		assert_fault(DEVMAP_FAULT_UNDERFLOW, page);
		assert_saturated(page);
		assert_int_equal(atomic_load(&driver->total), i);
		assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
		set_refcount(page, 1);
		devmap_put_page(page);
		assert_int_equal(atomic_load(&driver->total), i + 1);
		destroy_map(map);
	}
	counting_driver_free(driver);
}

static void a_saturated_managed_page_never_reaches_its_driver(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map;
	devmap_page *page;
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++) {
		map = create_map_of_type(managed_types[i], 1, &counting_ops, driver);
		page = take_page(map, 0);
		assert_overflow_is_caught(page, INT32_MAX, 1);
		assert_int_equal(atomic_load(&driver->total), i);
		devmap_put_page(page);
		assert_int_equal(atomic_load(&driver->total), i + 1);
		destroy_map(map);
	}
	counting_driver_free(driver);
}

/** Keeps the order in which the pages became idle. */
struct idle_log {
	uint32_t n;
	uint32_t indexes[512];
};

static void log_page(devmap_page *page, void *data)
{
	struct idle_log *log = data;

	if (check(log->n < ARRAY_LENGTH(log->indexes)))
		log->indexes[log->n++] = (uint32_t)devmap_page_index(page);
}

static void put_in_the_patchs_shape(devmap_page *page)
{
	if (!devmap_put_managed_page(page))
		devmap_put_page(page);
}

/** The same random gets and puts on two maps, one of which is put in the patch's shape. */
static void run_both_puts(int32_t type, struct rng *rng)
{
	static const devmap_pagemap_ops ops = {.page_free = log_page};
	struct idle_log logs[2] = {{.n = 0}, {.n = 0}};
	devmap_pagemap *maps[2];
	uint32_t held[4] = {0};
	uint32_t i;
	uint32_t index;

	for (i = 0; i < 2; i++)
		maps[i] = create_map_of_type(type, 4, &ops, &logs[i]);
	for (i = 0; i < 500; i++) {
		index = rng_below(rng, 4);
		if (held[index] < 3 && rng_below(rng, 2) == 0) {
			(void)take_page(maps[0], index);
			(void)take_page(maps[1], index);
			held[index]++;
		} else if (held[index] > 0) {
			devmap_put_page(devmap_pagemap_page(maps[0], index));
			put_in_the_patchs_shape(devmap_pagemap_page(maps[1], index));
			held[index]--;
		}
		assert_int_equal(devmap_page_count(devmap_pagemap_page(maps[0], index)), held[index] + 1);
		assert_int_equal(devmap_page_count(devmap_pagemap_page(maps[1], index)), held[index] + 1);
	}
	for (index = 0; index < 4; index++)
		for (; held[index] > 0; held[index]--) {
			devmap_put_page(devmap_pagemap_page(maps[0], index));
			put_in_the_patchs_shape(devmap_pagemap_page(maps[1], index));
		}
	assert_int_equal(logs[0].n, logs[1].n);
	assert_memory_equal(logs[0].indexes, logs[1].indexes, logs[0].n * sizeof(logs[0].indexes[0]));
	destroy_map(maps[0]);
	destroy_map(maps[1]);
}

static void both_puts_lead_to_the_same_callbacks(void **state)
{
	struct rng rng = rng_stream(0);
	uint32_t rounds;
	uint32_t i;

	(void)state;
	for (rounds = scaled(100); rounds > 0; rounds--)
		for (i = 0; i < nr_managed_types; i++)
			run_both_puts(managed_types[i], &rng);
}

#endif

struct page_and_driver {
	devmap_page *page;
	_Atomic(int64_t) held;
};

static void get_and_put(void *shared, uint32_t index, struct rng *rng)
{
	struct page_and_driver *both = shared;
	uint32_t rounds;
	uint32_t n;

	(void)index;
	for (rounds = scaled(50000); rounds > 0; rounds--) {
		n = 1 + rng_below(rng, 4);
		devmap_get_page_refs(both->page, n);
		check(devmap_page_count(both->page) >= (int32_t)n + 2);
		devmap_put_page_refs(both->page, n);
	}
}

static void counts_are_exact_after_many_threads(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	struct page_and_driver both = {.page = take_page(map, 0)};

	(void)state;
	run_threads(4, get_and_put, &both);
	assert_int_equal(devmap_page_count(both.page), 2);
	devmap_put_page(both.page);
	destroy_map(map);
}

static void put_what_others_hold(void *shared, uint32_t index, struct rng *rng)
{
	struct page_and_driver *both = shared;
	uint32_t i;

	(void)index;
	for (i = 0; i < 1000; i++) {
		devmap_put_page(both->page);
		if (rng_below(rng, 16) == 0)
			(void)!devmap_try_get_page(both->page);
	}
}

static void unbalanced_puts_from_many_threads_leave_the_page_saturated(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	struct page_and_driver both = {.page = devmap_pagemap_page(map, 0)};

	(void)state;
	devmap_put_page(both.page);
	assert_fault(DEVMAP_FAULT_UNDERFLOW, both.page);
	run_threads(4, put_what_others_hold, &both);
	assert_saturated(both.page);
	assert_int_equal(take_faults(DEVMAP_FAULT_OVERFLOW), 0);
	assert_int_equal(take_faults(DEVMAP_FAULT_UNDERFLOW), 0);
	set_refcount(both.page, 0);
	destroy_map(map);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(zero_filled_metadata_is_an_idle_page),
		contract(a_fresh_maps_pages_are_idle),
		contract(gets_and_puts_are_counted),
		contract(no_reference_changes_nothing),
		contract(a_range_is_taken_and_put_page_by_page),
		contract(a_page_of_a_torn_down_map_cannot_be_taken),
		contract(a_page_that_its_map_never_handed_out_cannot_be_taken),
		contract(a_bad_range_is_refused_and_takes_nothing),
		contract(a_page_outside_the_map_is_not_found),
		contract(references_on_a_tail_belong_to_its_head),
		contract(a_freed_ordinary_page_cannot_be_taken),
		contract(putting_a_managed_page_tells_whether_it_was_one),
		contract(the_predicates_tell_host_and_ordinary_pages),
		contract(a_double_put_of_a_host_page_is_caught),
		contract(a_put_of_more_than_is_held_of_a_host_page_is_caught),
		contract(a_put_of_the_most_references_of_a_host_page_is_caught),
		contract(a_double_put_of_an_ordinary_page_is_caught_and_the_page_not_handed_out_again),
		contract(a_put_of_more_than_is_held_of_an_ordinary_page_is_caught_and_frees_nothing),
		contract(taking_a_freed_ordinary_page_is_caught),
		contract(a_count_that_overflows_saturates),
		contract_of_counts(the_highest_count_is_a_count_still),
		contract(taking_a_page_at_the_highest_count_through_its_map_is_refused),
		contract(a_saturated_ordinary_page_is_never_freed),
		contract(a_saturated_page_keeps_its_map_from_being_torn_down),
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
		contract(the_predicates_tell_managed_pages),
		contract(a_managed_page_is_put_by_the_patchs_put),
		contract(a_double_put_of_a_managed_page_is_caught_and_calls_no_driver),
		contract(a_put_of_more_than_is_held_of_a_managed_page_is_caught_and_calls_no_driver),
		contract(a_saturated_managed_page_never_reaches_its_driver),
		contract(both_puts_lead_to_the_same_callbacks),
#endif
		contract(counts_are_exact_after_many_threads),
		contract(unbalanced_puts_from_many_threads_leave_the_page_saturated),
	};

	return cmocka_run_group_tests_name("page", tests, NULL, NULL);
}
