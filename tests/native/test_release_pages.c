/* SPDX-License-Identifier: MIT */
/* Releasing many pages at once: any mix of them, each edge told once, in batches to the drivers that want them. */
#include "support.h"

static void releasing_nothing_does_nothing(void **state)
{
	devmap_page *pages[3] = {NULL, NULL, NULL};

	(void)state;
	devmap_release_pages(pages, 0);
	devmap_release_pages(NULL, 0);
	devmap_release_pages(pages, 3);
}

static void host_pages_go_idle(void **state)
{
	devmap_pagemap *map = create_host_map(300);
	devmap_page *pages[300];
	const uint64_t before = stats_now().idle_edges;
	uint64_t i;

	(void)state;
	for (i = 0; i < 300; i++)
		pages[i] = take_page(map, i);
	devmap_release_pages(pages, 300);
	for (i = 0; i < 300; i++)
		assert_int_equal(devmap_page_count(pages[i]), 1);
	assert_int_equal(stats_now().idle_edges, before + 300);
	destroy_map(map);
}

static void ordinary_pages_are_freed_and_tails_drop_their_heads_reference(void **state)
{
	const uint64_t current = stats_now().ordinary_pages.current;
	devmap_page *single = NULL;
	devmap_page *compound = NULL;
	devmap_page *pages[4];

	(void)state;
	assert_ok(devmap_alloc_pages(0, &single));
	assert_ok(devmap_alloc_pages(2, &compound));
	devmap_get_page_refs(compound, 3);
	pages[0] = compound + 3;
	pages[1] = single;
	pages[2] = compound;
	pages[3] = compound + 1;
	devmap_release_pages(pages, 4);
	assert_int_equal(stats_now().ordinary_pages.current, current + 1);
	assert_int_equal(devmap_page_count(compound), 1);
	devmap_release_pages(pages, 1);
	assert_int_equal(stats_now().ordinary_pages.current, current);
}

static void a_double_release_is_caught(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);
	devmap_page *pages[2] = {page, page};

	(void)state;
	devmap_release_pages(pages, 2);
	assert_int_equal(take_faults(DEVMAP_FAULT_UNDERFLOW), 1);
	assert_ptr_equal(last_fault().page, page);
	set_refcount(page, 0);
	destroy_map(map);
}

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

enum { NR_PAGES = 1000 };

static void release_a_whole_map(int32_t type, const devmap_pagemap_ops *ops)
{
	struct counting_driver *driver = counting_driver_new(NR_PAGES);
	devmap_pagemap *map = create_map_of_type(type, NR_PAGES, ops, driver);
	devmap_page *pages[NR_PAGES];
	const devmap_stats before = stats_now();
	devmap_stats after;
	uint64_t i;

	for (i = 0; i < NR_PAGES; i++)
		pages[i] = take_page(map, NR_PAGES - 1 - i);
	devmap_release_pages(pages, NR_PAGES);
	for (i = 0; i < NR_PAGES; i++)
		assert_int_equal(atomic_load(&driver->calls[i]), 1);
	after = stats_now();
	assert_int_equal(after.idle_edges, before.idle_edges + NR_PAGES);
	assert_int_equal(after.idle_edges_managed, before.idle_edges_managed + NR_PAGES);
	assert_int_equal(after.idle_batches, before.idle_batches + atomic_load(&driver->batch_calls));
	if (ops->pages_free != NULL) {
		assert_int_equal(atomic_load(&driver->single_calls), 0);
		assert_true(atomic_load(&driver->batch_calls) >= NR_PAGES / DEVMAP_IDLE_BATCH);
		assert_true(atomic_load(&driver->batch_calls) < NR_PAGES);
	} else {
		assert_int_equal(atomic_load(&driver->single_calls), NR_PAGES);
		assert_int_equal(atomic_load(&driver->batch_calls), 0);
	}
	destroy_map(map);
	counting_driver_free(driver);
}

static void a_batch_driver_is_given_each_idle_page_once_and_never_too_many(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++)
		release_a_whole_map(managed_types[i], &counting_batch_ops);
}

static void a_driver_without_a_batch_callback_is_called_page_by_page(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++)
		release_a_whole_map(managed_types[i], &counting_ops);
}

static void a_single_released_page_goes_to_the_batch_callback(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map = create_managed_map(1, &counting_batch_ops, driver);
	devmap_page *page = take_page(map, 0);

	(void)state;
	devmap_release_pages(&page, 1);
	assert_int_equal(atomic_load(&driver->batch_calls), 1);
	assert_int_equal(atomic_load(&driver->single_calls), 0);
	destroy_map(map);
	counting_driver_free(driver);
}

static void a_put_page_goes_to_the_single_callback(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map = create_managed_map(1, &counting_batch_ops, driver);

	(void)state;
	devmap_put_page(take_page(map, 0));
	assert_int_equal(atomic_load(&driver->batch_calls), 0);
	assert_int_equal(atomic_load(&driver->single_calls), 1);
	destroy_map(map);
	counting_driver_free(driver);
}

static void a_page_that_is_there_twice_drops_two_references(void **state)
{
	struct counting_driver *driver = counting_driver_new(2);
	devmap_pagemap *map = create_managed_map(2, &counting_batch_ops, driver);
	devmap_page *first = take_page(map, 0);
	devmap_page *second = take_page(map, 1);
	devmap_page *pages[5] = {first, NULL, second, first, first};

	(void)state;
	devmap_get_page_refs(first, 2);
	devmap_get_page(second);
	devmap_release_pages(pages, 5);
	assert_int_equal(atomic_load(&driver->calls[0]), 1);
	assert_int_equal(atomic_load(&driver->calls[1]), 0);
	assert_int_equal(devmap_page_count(first), 1);
	assert_int_equal(devmap_page_count(second), 2);
	devmap_put_page(second);
	destroy_map(map);
	counting_driver_free(driver);
}

/** Each managed type with and without a batch callback, HOST, single and compound ordinary pages. */
struct mix {
	struct counting_driver *drivers[6];
	devmap_pagemap *maps[6];
	uint32_t nr_maps;
	devmap_pagemap *host;
	uint64_t released[6][16];
};

static void mix_create(struct mix *mix)
{
	uint32_t i;

	memset(mix, 0, sizeof(*mix));
	mix->nr_maps = 2 * nr_managed_types;
	assert_true(mix->nr_maps <= ARRAY_LENGTH(mix->maps));
	for (i = 0; i < mix->nr_maps; i++) {
		mix->drivers[i] = counting_driver_new(16);
		mix->maps[i] = create_map_of_type(
			managed_types[i / 2], 16, i % 2 ? &counting_batch_ops : &counting_ops, mix->drivers[i]);
	}
	mix->host = create_host_map(16);
}

static void mix_destroy(struct mix *mix)
{
	uint32_t i;

	for (i = 0; i < mix->nr_maps; i++) {
		destroy_map(mix->maps[i]);
		counting_driver_free(mix->drivers[i]);
	}
	destroy_map(mix->host);
}

static devmap_page *take_any_page(struct mix *mix, struct rng *rng)
{
	uint32_t kind = rng_below(rng, mix->nr_maps + 3);
	uint32_t index = rng_below(rng, 16);
	devmap_page *page = NULL;

	if (kind < mix->nr_maps) {
		page = take_page(mix->maps[kind], index);
		mix->released[kind][index]++;
	} else if (kind == mix->nr_maps) {
		page = take_page(mix->host, index);
	} else if (kind == mix->nr_maps + 1) {
		assert_ok(devmap_alloc_pages(rng_below(rng, 3), &page));
		page += rng_below(rng, UINT32_C(1) << page->order);
	}
	return page;
}

static void any_mix_of_pages_is_released(void **state)
{
	struct rng rng = rng_stream(0);
	devmap_page *pages[400];
	struct mix mix;
	uint32_t rounds;
	uint32_t i;
	uint32_t index;

	(void)state;
	for (rounds = scaled(200); rounds > 0; rounds--) {
		uint32_t n = rng_below(&rng, ARRAY_LENGTH(pages));

		mix_create(&mix);
		for (i = 0; i < n; i++)
			pages[i] = take_any_page(&mix, &rng);
		devmap_release_pages(pages, n);
		/* A page taken more than once is dropped as often: however it lay in the array, it has one edge. */
		for (i = 0; i < mix.nr_maps; i++)
			for (index = 0; index < 16; index++)
				assert_int_equal(
					atomic_load(&mix.drivers[i]->calls[index]), mix.released[i][index] > 0);
		mix_destroy(&mix);
	}
}

struct release_race {
	devmap_pagemap *maps[2];
	devmap_pagemap *host;
};

static void take_and_release_many(void *shared, uint32_t index, struct rng *rng)
{
	struct release_race *race = shared;
	devmap_page *pages[64];
	uint32_t rounds;
	uint32_t n;
	uint32_t i;

	(void)index;
	for (rounds = scaled(10000); rounds > 0; rounds--) {
		n = rng_below(rng, ARRAY_LENGTH(pages));
		for (i = 0; i < n; i++) {
			uint32_t kind = rng_below(rng, 4);

			pages[i] = NULL;
			if (kind < 2)
				check(devmap_pagemap_get_pages(race->maps[kind], rng_below(rng, 8), 1, &pages[i]) == 0);
			else if (kind == 2)
				check(devmap_pagemap_get_pages(race->host, rng_below(rng, 8), 1, &pages[i]) == 0);
			else if (rng_below(rng, 4) == 0)
				check(devmap_alloc_pages(0, &pages[i]) == 0);
		}
		perturb(rng);
		devmap_release_pages(pages, n);
	}
}

static void releases_of_many_threads_call_once_for_each_edge(void **state)
{
	struct counting_driver *drivers[2] = {counting_driver_new(8), counting_driver_new(8)};
	struct release_race race = {.host = create_host_map(8)};
	const devmap_stats before = stats_now();
	devmap_stats after;

	(void)state;
	race.maps[0] = create_map_of_type(managed_types[0], 8, &counting_ops, drivers[0]);
	race.maps[1] = create_map_of_type(managed_types[nr_managed_types - 1], 8, &counting_batch_ops, drivers[1]);
	run_threads(4, take_and_release_many, &race);
	after = stats_now();
	assert_int_equal(after.idle_edges_managed - before.idle_edges_managed,
		atomic_load(&drivers[0]->total) + atomic_load(&drivers[1]->total));
	assert_int_equal(after.idle_edges - before.idle_edges, after.activations - before.activations);
	assert_int_equal(after.idle_batches - before.idle_batches, atomic_load(&drivers[1]->batch_calls));
	assert_int_equal(atomic_load(&drivers[1]->single_calls), 0);
	destroy_map(race.maps[0]);
	destroy_map(race.maps[1]);
	destroy_map(race.host);
	counting_driver_free(drivers[0]);
	counting_driver_free(drivers[1]);
}

struct batch_nesting {
	devmap_pagemap *map;
	uint32_t calls;
};

static void never_called(devmap_page *page, void *data)
{
	(void)page;
	(void)data;
	check(false);
}

static void take_the_batch_again(devmap_page *const *pages, uint32_t nr_pages, void *data)
{
	struct batch_nesting *nesting = data;
	devmap_page *again[4];
	uint32_t i;

	nesting->calls++;
	check(nr_pages == 4);
	check(devmap_memunmap_pages(nesting->map, 0, NULL, NULL) == -EDEADLK);
	if (nesting->calls == 3)
		return;
	for (i = 0; i < nr_pages && i < ARRAY_LENGTH(again); i++) {
		check(devmap_page_count(pages[i]) == 1);
		check(devmap_try_get_page(pages[i]) == 0);
		again[i] = pages[i];
	}
	devmap_release_pages(again, nr_pages);
	/* The array of this call is still this call's. */
	for (i = 0; i < nr_pages && i < ARRAY_LENGTH(again); i++)
		check(pages[i] == again[i]);
}

static void a_batch_callback_may_take_its_pages_again_but_not_destroy_its_map(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = never_called, .pages_free = take_the_batch_again};
	struct batch_nesting nesting = {.calls = 0};
	devmap_page *pages[4];
	uint32_t i;

	(void)state;
	nesting.map = create_managed_map(4, &ops, &nesting);
	for (i = 0; i < 4; i++)
		pages[i] = take_page(nesting.map, i);
	devmap_release_pages(pages, 4);
	assert_int_equal(nesting.calls, 3);
	destroy_map(nesting.map);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(releasing_nothing_does_nothing),
		contract(host_pages_go_idle),
		contract(ordinary_pages_are_freed_and_tails_drop_their_heads_reference),
		contract(a_double_release_is_caught),
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
		contract(a_batch_driver_is_given_each_idle_page_once_and_never_too_many),
		contract(a_driver_without_a_batch_callback_is_called_page_by_page),
		contract(a_single_released_page_goes_to_the_batch_callback),
		contract(a_put_page_goes_to_the_single_callback),
		contract(a_page_that_is_there_twice_drops_two_references),
		contract(any_mix_of_pages_is_released),
		contract(releases_of_many_threads_call_once_for_each_edge),
		contract(a_batch_callback_may_take_its_pages_again_but_not_destroy_its_map),
#endif
	};

	return cmocka_run_group_tests_name("release_pages", tests, NULL, NULL);
}
