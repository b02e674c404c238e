/* SPDX-License-Identifier: MIT */
/* What language layers call in place of the whole: the same contracts, without blocking, reporting or calling back. */
#include "support.h"

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

#define NR_PAGES 16

static void fast_takes_what_the_long_way_takes(void **state)
{
	(void)state;
	for (uint32_t t = 0; t < nr_managed_types; t++) {
		struct counting_driver *driver = counting_driver_new(NR_PAGES);
		devmap_pagemap *map = create_map_of_type(managed_types[t], NR_PAGES, &counting_ops, driver);
		devmap_stats before = stats_now();
		devmap_page *page = devmap_pagemap_get_page_fast(map, 3), *again;

		/* A map that can be claimed is asked the long way. */
		if (managed_types[t] == DEVMAP_MEMORY_DEVICE_FS_DAX) {
			assert_null(page);
			assert_int_equal(stats_now().activations, before.activations);
		} else {
			assert_non_null(page);
			assert_int_equal(devmap_page_index(page), 3);
			assert_int_equal(devmap_page_count(page), 2);
			again = devmap_pagemap_get_page_fast(map, 3);
			assert_ptr_equal(again, page);
			assert_int_equal(devmap_page_count(page), 3);
			assert_int_equal(stats_now().activations, before.activations + 1);
			assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
			assert_ok(devmap_pagemap_resume(map));
			devmap_put_page_refs(page, 2);
			assert_int_equal(atomic_load(&driver->calls[3]), 1);
		}
		destroy_map(map);
		counting_driver_free(driver);
	}
}

static void fast_refuses_without_a_trace_what_the_long_way_explains(void **state)
{
	struct counting_driver *driver = counting_driver_new(NR_PAGES);
	devmap_pagemap *map = create_managed_map(NR_PAGES, &counting_ops, driver);
	devmap_pagemap *device = create_map_of_type(managed_types[0], NR_PAGES, &counting_ops, driver);
	devmap_page *page = take_page(map, 5);

	(void)state;
	assert_null(devmap_pagemap_get_page_fast(NULL, 0));
	assert_null(devmap_pagemap_get_page_fast(device, NR_PAGES));
	assert_null(devmap_pagemap_get_page_fast(device, UINT64_MAX));
	/* A count about to wrap: the long way saturates it and reports. */
	set_refcount(page, INT32_MAX);
	assert_null(devmap_pagemap_get_page_fast(map, 5));
	assert_int_equal(refcount_of(page), INT32_MAX);
	set_refcount(page, 1);
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_null(devmap_pagemap_get_page_fast(map, 5));
	assert_ok(devmap_pagemap_resume(map));
	devmap_put_page(page);
	/* Every refusal gave the map back. */
	assert_ok(devmap_memunmap_pages(map, 0, NULL, NULL));
	assert_null(devmap_pagemap_get_page_fast(map, 5));
	assert_ok(devmap_pagemap_free(map));
	destroy_map(device);
	counting_driver_free(driver);
}

static void page_free_that_looks(devmap_page *page, void *data)
{
	_Atomic(uint32_t) *calls = data;

	check(devmap_page_in_callback(page));
	check(!devmap_page_in_callback(page + 1));
	check(devmap_pagemap_in_callback(devmap_page_pagemap(page)));
	atomic_fetch_add(calls, 1);
}

static void pages_free_that_looks(devmap_page *const *pages, uint32_t nr_pages, void *data)
{
	_Atomic(uint32_t) *calls = data;

	for (uint32_t i = 0; i < nr_pages; i++)
		check(devmap_page_in_callback(pages[i]));
	check(!devmap_page_in_callback(pages[nr_pages - 1] + 1));
	check(devmap_pagemap_in_callback(devmap_page_pagemap(pages[0])));
	check(!devmap_pagemap_in_callback(NULL));
	atomic_fetch_add(calls, nr_pages);
}

static void a_callback_is_known_by_its_pages(void **state)
{
	const devmap_pagemap_ops ops = {.page_free = page_free_that_looks, .pages_free = pages_free_that_looks};
	_Atomic(uint32_t) calls = 0;
	devmap_pagemap *map = create_managed_map(NR_PAGES, &ops, &calls);
	devmap_page *pages;

	(void)state;
	assert_ok(devmap_pagemap_get_pages(map, 2, 4, &pages));
	assert_false(devmap_page_in_callback(pages));
	devmap_put_page(pages);
	devmap_put_pages(pages + 1, 3);
	assert_int_equal(atomic_load(&calls), 4);
	assert_false(devmap_page_in_callback(pages));
	assert_false(devmap_pagemap_in_callback(map));
	assert_false(devmap_pagemap_in_callback(NULL));
	destroy_map(map);
}

struct handover {
	devmap_pagemap *map;
	devmap_page *page;
};

/* Thread 0 tears the map down; thread 1 drops the last reference as a language layer does, and wakes if told to. */
static void drop_under_a_teardown(void *shared, uint32_t index, struct rng *rng)
{
	struct handover *h = shared;
	devmap_idle_frame frame;

	perturb(rng);
	if (index == 0) {
		check(devmap_memunmap_pages(h->map, DEVMAP_WAIT_FOREVER, NULL, NULL) == 0);
		return;
	}
	perturb(rng);
	/* The caller's own decrement, as page.h says. */
	if (atomic_fetch_sub_explicit(&h->page->refcount, 1, memory_order_release) != 1) {
		check(false);
		return;
	}
	check(devmap_page_idle_begin(h->page, &frame));
	check(frame.page_free != NULL);
	frame.page_free(h->page, frame.data);
	if (devmap_page_idle_end_fast(&frame))
		devmap_page_idle_wake(&frame);
}

static void a_fast_end_says_whom_to_wake(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);

	(void)state;
	for (uint32_t i = 0; i < scaled(2000); i++) {
		struct handover h = {.map = create_map_of_type(managed_types[i % nr_managed_types], 1, &counting_ops, driver)};

		h.page = take_page(h.map, 0);
		run_threads(2, drop_under_a_teardown, &h);
		assert_ok(devmap_pagemap_free(h.map));
	}
	assert_int_equal(atomic_load(&driver->total), scaled(2000));
	counting_driver_free(driver);
}

static const struct CMUnitTest contracts[] = {
	contract_of_counts(fast_takes_what_the_long_way_takes),
	contract_of_counts(fast_refuses_without_a_trace_what_the_long_way_explains),
	contract_of_counts(a_callback_is_known_by_its_pages),
	contract_of_counts(a_fast_end_says_whom_to_wake),
};

int main(void)
{
	return cmocka_run_group_tests(contracts, NULL, NULL);
}

#else

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(managed_types_are_refused)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
