/* SPDX-License-Identifier: MIT */
/* Breaking layouts keeps new users out of a range, and succeeds when the last old one has gone. */
#include "blocking_call.h"

#ifdef DEVMAP_CONFIG_FS_DAX

#define NR_PAGES 64
#define SHORT_WAIT 1000000 /* nanoseconds */

/* A claimed map of NR_PAGES pages. */
struct world {
	devmap_pagemap *map;
	struct counting_driver *owner;
};

static struct world world_new(void)
{
	struct world world = {.map = create_host_map(NR_PAGES), .owner = counting_driver_new(NR_PAGES)};

	assert_ok(devmap_fs_dax_claim(world.map, world.owner, &counting_ops));
	return world;
}

static void world_end(struct world *world)
{
	assert_ok(devmap_fs_dax_release(world->map, world->owner));
	destroy_map(world->map);
	counting_driver_free(world->owner);
}

static int break_range(
	struct world *world, uint64_t first_page, uint64_t nr_pages, int64_t timeout_ns, devmap_layout_break *range)
{
	return devmap_fs_dax_break_layouts(world->map, world->owner, first_page, nr_pages, timeout_ns, NULL, range);
}

/* Whether a taker gets a page, which it gives back at once. */
static int try_page(devmap_pagemap *map, uint64_t index)
{
	devmap_page *page = NULL;
	int result = devmap_pagemap_get_pages(map, index, 1, &page);

	if (result == 0)
		devmap_put_page(page);
	return result;
}

/* The marked pages are those in [first, first + n), and no others. */
static void assert_marked(devmap_pagemap *map, uint64_t first, uint64_t n)
{
	uint64_t i;

	for (i = 0; i < NR_PAGES; i++)
		assert_int_equal(try_page(map, i), i >= first && i < first + n ? -EAGAIN : 0);
}

struct waiting_break {
	struct blocking_call call;
	devmap_pagemap *map;
	void *owner;
	uint64_t first_page;
	uint64_t nr_pages;
	const devmap_cancel *cancel;
	devmap_layout_break range;
	/* Whose callbacks the break has to wait for, and how many had returned when it did. */
	struct staying_driver *driver;
	uint32_t left_at_return;
};

static int break_call(void *argument)
{
	struct waiting_break *waiting = argument;
	int result = devmap_fs_dax_break_layouts(waiting->map, waiting->owner, waiting->first_page, waiting->nr_pages,
		DEVMAP_WAIT_FOREVER, waiting->cancel, &waiting->range);

	if (waiting->driver != NULL)
		waiting->left_at_return = waiting->driver->left;
	return result;
}

static void start_break(struct waiting_break *waiting, struct world *world, uint64_t first_page, uint64_t nr_pages)
{
	waiting->map = world->map;
	waiting->owner = world->owner;
	waiting->first_page = first_page;
	waiting->nr_pages = nr_pages;
	blocking_call_start(&waiting->call, break_call, waiting);
}

/* ---- busy pages ------------------------------------------------------------------------------------------------- */

static void the_busy_page_is_the_first_in_use_in_the_range(void **state)
{
	struct world world = world_new();
	devmap_page *at_3, *at_9;

	(void)state;
	assert_null(devmap_fs_dax_busy_page(world.map, 0, NR_PAGES));
	at_3 = take_page(world.map, 3);
	at_9 = take_page(world.map, 9);
	assert_ptr_equal(devmap_fs_dax_busy_page(world.map, 0, NR_PAGES), at_3);
	assert_ptr_equal(devmap_fs_dax_busy_page(world.map, 3, 1), at_3);
	assert_ptr_equal(devmap_fs_dax_busy_page(world.map, 4, NR_PAGES - 4), at_9);
	assert_null(devmap_fs_dax_busy_page(world.map, 4, 5));
	assert_null(devmap_fs_dax_busy_page(world.map, 10, NR_PAGES - 10));
	devmap_put_page(at_3);
	assert_ptr_equal(devmap_fs_dax_busy_page(world.map, 0, NR_PAGES), at_9);
	devmap_put_page(at_9);
	assert_null(devmap_fs_dax_busy_page(world.map, 0, NR_PAGES));
	world_end(&world);
}

static void a_range_outside_the_map_has_no_busy_page(void **state)
{
	struct world world = world_new();
	devmap_page *first = take_page(world.map, 0), *last = take_page(world.map, NR_PAGES - 1);

	(void)state;
	assert_null(devmap_fs_dax_busy_page(world.map, NR_PAGES, 1));
	assert_null(devmap_fs_dax_busy_page(world.map, NR_PAGES - 1, 2));
	assert_null(devmap_fs_dax_busy_page(world.map, UINT64_MAX, 2));
	assert_null(devmap_fs_dax_busy_page(world.map, 1, UINT64_MAX));
	assert_null(devmap_fs_dax_busy_page(world.map, 0, 0));
	devmap_put_page(first);
	devmap_put_page(last);
	world_end(&world);
}

static void a_map_that_nobody_claims_has_busy_pages_too(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	devmap_page *page = take_page(map, 5);

	(void)state;
	assert_ptr_equal(devmap_fs_dax_busy_page(map, 0, NR_PAGES), page);
	devmap_put_page(page);
	destroy_map(map);
}

static void a_page_is_busy_until_its_callback_has_returned(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = stay};
	devmap_pagemap *map = create_host_map(NR_PAGES);
	struct staying_driver driver;
	struct blocking_call put;
	devmap_page *page = take_page(map, 5);

	(void)state;
	staying_driver_init(&driver);
	assert_ok(devmap_fs_dax_claim(map, &driver, &ops));
	blocking_call_start(&put, put_page_call, page);
	await_callback(&driver);
	assert_ptr_equal(devmap_fs_dax_busy_page(map, 0, NR_PAGES), page);
	let_callback_leave(&driver);
	assert_ok(blocking_call_join(&put));
	assert_null(devmap_fs_dax_busy_page(map, 0, NR_PAGES));
	destroy_map(map);
}

/* ---- the mark --------------------------------------------------------------------------------------------------- */

static void the_break_of_an_idle_range_succeeds_at_once(void **state)
{
	struct world world = world_new();
	devmap_layout_break range;

	(void)state;
	assert_ok(break_range(&world, 0, NR_PAGES, 0, &range));
	devmap_fs_dax_end_break(&range);
	assert_ok(break_range(&world, 0, NR_PAGES, DEVMAP_WAIT_FOREVER, &range));
	devmap_fs_dax_end_break(&range);
	assert_int_equal(world.owner->total, 0);
	world_end(&world);
}

static void pages_that_were_used_before_break_as_well(void **state)
{
	struct world world = world_new();
	devmap_layout_break range;
	uint64_t i;

	(void)state;
	for (i = 0; i < NR_PAGES; i++)
		assert_ok(try_page(world.map, i));
	assert_ok(break_range(&world, 0, NR_PAGES, 0, &range));
	devmap_fs_dax_end_break(&range);
	world_end(&world);
}

static void takers_are_turned_away_from_the_marked_range_only(void **state)
{
	struct world world = world_new();
	devmap_layout_break range;

	(void)state;
	assert_ok(break_range(&world, 10, 20, 0, &range));
	assert_marked(world.map, 10, 20);
	assert_error(devmap_try_get_page(devmap_pagemap_page(world.map, 10)), EAGAIN);
	assert_ok(devmap_try_get_page(devmap_pagemap_page(world.map, 9)));
	devmap_put_page(devmap_pagemap_page(world.map, 9));
	devmap_fs_dax_end_break(&range);
	assert_marked(world.map, 0, 0);
	world_end(&world);
}

static void a_lease_that_meets_the_marked_range_takes_no_page(void **state)
{
	struct world world = world_new();
	devmap_layout_break range;
	devmap_page *page = NULL;

	(void)state;
	assert_ok(break_range(&world, 10, 20, 0, &range));
	assert_error(devmap_pagemap_get_pages(world.map, 0, NR_PAGES, &page), EAGAIN);
	assert_error(devmap_pagemap_get_pages(world.map, 8, 3, &page), EAGAIN);
	assert_error(devmap_pagemap_get_pages(world.map, 29, 3, &page), EAGAIN);
	assert_error(devmap_pagemap_get_pages(world.map, 12, 3, &page), EAGAIN);
	assert_null(page);
	assert_null(devmap_fs_dax_busy_page(world.map, 0, NR_PAGES));
	assert_ok(devmap_pagemap_get_pages(world.map, 0, 10, &page));
	devmap_put_pages(page, 10);
	assert_ok(devmap_pagemap_get_pages(world.map, 30, NR_PAGES - 30, &page));
	devmap_put_pages(page, NR_PAGES - 30);
	devmap_fs_dax_end_break(&range);
	world_end(&world);
}

static void refusals_are_counted(void **state)
{
	struct world world = world_new();
	devmap_stats before = stats_now();
	devmap_layout_break range;

	(void)state;
	assert_ok(break_range(&world, 0, 1, 0, &range));
	assert_int_equal(stats_now().layout_breaks.current, before.layout_breaks.current + 1);
	assert_error(try_page(world.map, 0), EAGAIN);
	assert_error(devmap_try_get_page(devmap_pagemap_page(world.map, 0)), EAGAIN);
	assert_int_equal(stats_now().refused_marked, before.refused_marked + 2);
	devmap_fs_dax_end_break(&range);
	assert_int_equal(stats_now().layout_breaks.current, before.layout_breaks.current);
	assert_int_equal(stats_now().layout_breaks.total, before.layout_breaks.total + 1);
	world_end(&world);
}

static void pages_outside_the_range_are_not_waited_for(void **state)
{
	struct world world = world_new();
	devmap_layout_break range;
	devmap_page *below = take_page(world.map, 9), *above = take_page(world.map, 30);

	(void)state;
	assert_ok(break_range(&world, 10, 20, 0, &range));
	devmap_get_page(below);
	devmap_put_page(below);
	devmap_put_page(below);
	devmap_put_page(above);
	assert_int_equal(world.owner->total, 2);
	devmap_fs_dax_end_break(&range);
	world_end(&world);
}

static int end_break_call(void *range)
{
	devmap_fs_dax_end_break(range);
	return 0;
}

static void any_thread_ends_a_break(void **state)
{
	struct world world = world_new();
	struct blocking_call end;
	devmap_layout_break range;

	(void)state;
	assert_ok(break_range(&world, 3, 1, 0, &range));
	blocking_call_start(&end, end_break_call, &range);
	assert_ok(blocking_call_join(&end));
	assert_marked(world.map, 0, 0);
	world_end(&world);
}

static void a_break_that_was_ended_is_not_ended_again(void **state)
{
	struct world world = world_new();
	devmap_layout_break range, other;

	(void)state;
	assert_ok(break_range(&world, 3, 1, 0, &range));
	devmap_fs_dax_end_break(&range);
	assert_ok(break_range(&world, 3, 1, 0, &other));
	devmap_fs_dax_end_break(&range);
	assert_marked(world.map, 3, 1);
	devmap_fs_dax_end_break(&other);
	assert_marked(world.map, 0, 0);
	world_end(&world);
}

static void a_break_that_failed_needs_no_end(void **state)
{
	struct world world = world_new();
	devmap_page *page = take_page(world.map, 3);
	devmap_layout_break range = {0}, other = {0};
	int nobody = 0;

	(void)state;
	devmap_fs_dax_end_break(NULL);
	assert_error(break_range(&world, 3, 1, 0, &range), ETIMEDOUT);
	devmap_fs_dax_end_break(&range);
	assert_ok(break_range(&world, 5, 1, 0, &range));
	assert_error(break_range(&world, 5, 1, 0, &other), EBUSY);
	assert_error(break_range(&world, NR_PAGES, 1, 0, &other), ERANGE);
	assert_error(break_range(&world, 0, 0, 0, &other), EINVAL);
	assert_error(devmap_fs_dax_break_layouts(world.map, &nobody, 0, 1, 0, NULL, &other), EPERM);
	devmap_fs_dax_end_break(&other);
	assert_marked(world.map, 5, 1);
	devmap_fs_dax_end_break(&range);
	devmap_put_page(page);
	world_end(&world);
}

static void random_ranges_mark_exactly_their_pages(void **state)
{
	struct rng rng = rng_stream(1);
	struct world world = world_new();
	uint32_t round;

	(void)state;
	for (round = 0; round < scaled(400); round++) {
		uint32_t first = rng_below(&rng, NR_PAGES), n = 1 + rng_below(&rng, NR_PAGES - first);
		devmap_layout_break range;

		assert_ok(break_range(&world, first, n, 0, &range));
		assert_marked(world.map, first, n);
		devmap_fs_dax_end_break(&range);
	}
	world_end(&world);
}

static void a_terabyte_is_broken_at_the_cost_of_its_used_pages(void **state)
{
	const uint64_t nr_pages = 1024 * GIB / PAGE_BYTES;
	struct world world = {.owner = counting_driver_new(1)};
	devmap_layout_break range;
	devmap_page *page;

	(void)state;
	if (address_space_is_small()) {
		counting_driver_free(world.owner);
		skip();
	}
	world.map = create_host_map(nr_pages);
	assert_ok(devmap_fs_dax_claim(world.map, world.owner, NULL));
	page = take_page(world.map, nr_pages - 7);
	assert_ptr_equal(devmap_fs_dax_busy_page(world.map, 0, nr_pages), page);
	assert_error(break_range(&world, 0, nr_pages, 0, &range), ETIMEDOUT);
	devmap_put_page(page);
	assert_ok(break_range(&world, 0, nr_pages, 0, &range));
	assert_error(try_page(world.map, nr_pages / 2), EAGAIN);
	devmap_fs_dax_end_break(&range);
	world_end(&world);
}

/* ---- holders ---------------------------------------------------------------------------------------------------- */

static void holders_share_and_put_while_the_break_waits(void **state)
{
	struct world world = world_new();
	struct waiting_break waiting = {0};
	devmap_page *page = take_page(world.map, 12);

	(void)state;
	start_break(&waiting, &world, 10, 20);
	assert_true(blocking_call_waits(&waiting.call));
	assert_marked(world.map, 10, 20);
	devmap_get_page(page);
	devmap_get_page_refs(page, 3);
	assert_int_equal(devmap_page_count(page), 6);
	assert_error(devmap_try_get_page(page), EAGAIN);
	devmap_put_page_refs(page, 3);
	devmap_put_page(page);
	assert_int_equal(world.owner->calls[12], 0);
	assert_true(blocking_call_waits(&waiting.call));
	devmap_put_page(page);
	assert_ok(blocking_call_join(&waiting.call));
	assert_int_equal(world.owner->calls[12], 1);
	assert_marked(world.map, 10, 20);
	devmap_fs_dax_end_break(&waiting.range);
	world_end(&world);
}

static void the_break_waits_for_the_last_put_of_every_page(void **state)
{
	struct world world = world_new();
	struct waiting_break waiting = {0};
	devmap_page *pages = NULL;
	uint64_t i;

	(void)state;
	assert_ok(devmap_pagemap_get_pages(world.map, 10, 5, &pages));
	start_break(&waiting, &world, 8, 20);
	/* In an order of its own: every page of the range is waited for, not only the first or the last. */
	for (i = 0; i < 5; i++) {
		assert_true(blocking_call_waits(&waiting.call));
		devmap_put_page(pages + i * 2 % 5);
	}
	assert_ok(blocking_call_join(&waiting.call));
	assert_int_equal(world.owner->total, 5);
	devmap_fs_dax_end_break(&waiting.range);
	world_end(&world);
}

static void a_batch_release_lets_the_break_go_on(void **state)
{
	struct world world = world_new();
	struct waiting_break waiting = {0};
	devmap_page *pages[NR_PAGES];
	uint64_t i;

	(void)state;
	for (i = 0; i < NR_PAGES; i++)
		pages[i] = take_page(world.map, i);
	start_break(&waiting, &world, 0, NR_PAGES);
	assert_true(blocking_call_waits(&waiting.call));
	devmap_release_pages(pages, NR_PAGES);
	assert_ok(blocking_call_join(&waiting.call));
	assert_int_equal(world.owner->total, NR_PAGES);
	devmap_fs_dax_end_break(&waiting.range);
	world_end(&world);
}

static void a_page_taken_before_the_claim_is_waited_for(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	struct world world = {.map = map, .owner = counting_driver_new(NR_PAGES)};
	devmap_page *page = take_page(map, 1);
	devmap_layout_break range;

	(void)state;
	assert_ok(devmap_fs_dax_claim(map, world.owner, &counting_ops));
	assert_error(break_range(&world, 0, 2, 0, &range), ETIMEDOUT);
	devmap_put_page(page);
	assert_ok(break_range(&world, 0, 2, 0, &range));
	devmap_fs_dax_end_break(&range);
	world_end(&world);
}

static void the_break_waits_for_the_callback_to_return(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = stay};
	devmap_pagemap *map = create_host_map(NR_PAGES);
	struct staying_driver driver;
	struct waiting_break waiting = {
		.map = map, .owner = &driver, .first_page = 0, .nr_pages = NR_PAGES, .driver = &driver};
	struct blocking_call put;
	devmap_layout_break range;

	(void)state;
	staying_driver_init(&driver);
	assert_ok(devmap_fs_dax_claim(map, &driver, &ops));
	blocking_call_start(&put, put_page_call, take_page(map, 7));
	await_callback(&driver);
	assert_error(devmap_fs_dax_break_layouts(map, &driver, 7, 1, 0, NULL, &range), ETIMEDOUT);
	assert_error(devmap_fs_dax_break_layouts(map, &driver, 7, 1, SHORT_WAIT, NULL, &range), ETIMEDOUT);
	blocking_call_start(&waiting.call, break_call, &waiting);
	assert_true(blocking_call_waits(&waiting.call));
	let_callback_leave(&driver);
	assert_ok(blocking_call_join(&waiting.call));
	assert_int_equal(waiting.left_at_return, 1);
	assert_ok(blocking_call_join(&put));
	devmap_fs_dax_end_break(&waiting.range);
	destroy_map(map);
}

struct retaking_driver {
	uint32_t calls;
	sem_t retaken;
};

static void take_again_once(devmap_page *page, void *data)
{
	struct retaking_driver *driver = data;

	if (driver->calls++ > 0)
		return;
	devmap_get_page(page);
	(void)sem_post(&driver->retaken);
}

static void a_page_that_its_callback_takes_again_is_waited_for(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = take_again_once};
	devmap_pagemap *map = create_host_map(NR_PAGES);
	struct retaking_driver driver = {0};
	struct waiting_break waiting = {.map = map, .owner = &driver, .first_page = 0, .nr_pages = NR_PAGES};
	devmap_page *page = take_page(map, 7);

	(void)state;
	assert_ok(sem_init(&driver.retaken, 0, 0));
	assert_ok(devmap_fs_dax_claim(map, &driver, &ops));
	blocking_call_start(&waiting.call, break_call, &waiting);
	assert_true(blocking_call_waits(&waiting.call));
	devmap_put_page(page);
	while (sem_wait(&driver.retaken) != 0)
		;
	assert_true(blocking_call_waits(&waiting.call));
	assert_int_equal(devmap_page_count(page), 2);
	devmap_put_page(page);
	assert_ok(blocking_call_join(&waiting.call));
	assert_int_equal(driver.calls, 2);
	devmap_fs_dax_end_break(&waiting.range);
	assert_ok(sem_destroy(&driver.retaken));
	destroy_map(map);
}

/* ---- waits that end early --------------------------------------------------------------------------------------- */

static void a_break_that_times_out_leaves_the_range_open(void **state)
{
	static const int64_t timeouts[] = {0, 1, SHORT_WAIT};
	struct world world = world_new();
	devmap_page *page = take_page(world.map, 15);
	uint64_t timed_out = stats_now().layout_break_timeouts;
	devmap_layout_break range;
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(timeouts); i++) {
		assert_error(break_range(&world, 10, 20, timeouts[i], &range), ETIMEDOUT);
		assert_marked(world.map, 0, 0);
		assert_ok(devmap_try_get_page(page));
		devmap_put_page(page);
		assert_int_equal(stats_now().layout_breaks.current, 0);
	}
	assert_int_equal(stats_now().layout_break_timeouts, timed_out + ARRAY_LENGTH(timeouts));
	assert_int_equal(world.owner->calls[15], 0);
	devmap_put_page(page);
	assert_ok(break_range(&world, 10, 20, 0, &range));
	devmap_fs_dax_end_break(&range);
	world_end(&world);
}

static void a_break_that_is_cancelled_leaves_the_range_open(void **state)
{
	struct world world = world_new();
	devmap_cancel cancel = {0};
	struct waiting_break waiting = {.cancel = &cancel};
	devmap_page *page = take_page(world.map, 15);
	uint64_t cancelled = stats_now().layout_break_cancels;
	devmap_layout_break range;

	(void)state;
	start_break(&waiting, &world, 10, 20);
	assert_true(blocking_call_waits(&waiting.call));
	devmap_cancel_waits(&cancel);
	assert_error(blocking_call_join(&waiting.call), ECANCELED);
	assert_marked(world.map, 0, 0);
	/* And every later wait, but none whose condition holds. */
	assert_error(devmap_fs_dax_break_layouts(world.map, world.owner, 10, 20, DEVMAP_WAIT_FOREVER, &cancel, &range),
		ECANCELED);
	assert_marked(world.map, 0, 0);
	assert_int_equal(stats_now().layout_break_cancels, cancelled + 2);
	devmap_put_page(page);
	assert_ok(devmap_fs_dax_break_layouts(world.map, world.owner, 10, 20, DEVMAP_WAIT_FOREVER, &cancel, &range));
	devmap_fs_dax_end_break(&range);
	world_end(&world);
}

static void one_cancel_ends_every_wait_that_was_given_it_and_no_other(void **state)
{
	struct world world = world_new();
	devmap_cancel cancel = {0}, other = {0};
	struct waiting_break waiting[3] = {{.cancel = &cancel}, {.cancel = &cancel}, {.cancel = &other}};
	devmap_page *pages = NULL;
	uint64_t i;

	(void)state;
	assert_ok(devmap_pagemap_get_pages(world.map, 0, 3, &pages));
	for (i = 0; i < 3; i++) {
		start_break(&waiting[i], &world, i, 1);
		assert_true(blocking_call_waits(&waiting[i].call));
	}
	devmap_cancel_waits(&cancel);
	assert_error(blocking_call_join(&waiting[0].call), ECANCELED);
	assert_error(blocking_call_join(&waiting[1].call), ECANCELED);
	assert_true(blocking_call_waits(&waiting[2].call));
	devmap_put_pages(pages, 3);
	assert_ok(blocking_call_join(&waiting[2].call));
	devmap_fs_dax_end_break(&waiting[2].range);
	world_end(&world);
}

/* ---- more than one break ---------------------------------------------------------------------------------------- */

static void disjoint_ranges_are_broken_at_once(void **state)
{
	struct world world = world_new();
	devmap_layout_break low, middle, high;

	(void)state;
	assert_ok(break_range(&world, 0, 10, 0, &low));
	assert_ok(break_range(&world, 20, 10, 0, &high));
	assert_ok(break_range(&world, 10, 10, 0, &middle));
	assert_marked(world.map, 0, 30);
	devmap_fs_dax_end_break(&low);
	assert_marked(world.map, 10, 20);
	devmap_fs_dax_end_break(&high);
	assert_marked(world.map, 10, 10);
	devmap_fs_dax_end_break(&middle);
	assert_marked(world.map, 0, 0);
	world_end(&world);
}

static void disjoint_breaks_wait_each_for_its_own_pages(void **state)
{
	struct world world = world_new();
	struct waiting_break low = {0}, high = {0};
	devmap_page *low_page = take_page(world.map, 3), *high_page = take_page(world.map, 40);

	(void)state;
	start_break(&low, &world, 0, 10);
	assert_true(blocking_call_waits(&low.call));
	start_break(&high, &world, 30, 20);
	assert_true(blocking_call_waits(&high.call));
	devmap_put_page(high_page);
	assert_ok(blocking_call_join(&high.call));
	assert_true(blocking_call_waits(&low.call));
	devmap_fs_dax_end_break(&high.range);
	assert_marked(world.map, 0, 10);
	devmap_put_page(low_page);
	assert_ok(blocking_call_join(&low.call));
	devmap_fs_dax_end_break(&low.range);
	world_end(&world);
}

static void overlapping_ranges_are_refused(void **state)
{
	static const struct {
		uint64_t first_page;
		uint64_t nr_pages;
		int result;
	} others[] = {
		{10, 20, -EBUSY},
		{12, 4, -EBUSY},
		{0, NR_PAGES, -EBUSY},
		{5, 6, -EBUSY},
		{29, 5, -EBUSY},
		{10, 1, -EBUSY},
		{29, 1, -EBUSY},
		{0, 10, 0},
		{30, NR_PAGES - 30, 0},
	};
	struct world world = world_new();
	devmap_layout_break range, other;
	uint32_t i;

	(void)state;
	assert_ok(break_range(&world, 10, 20, 0, &range));
	for (i = 0; i < ARRAY_LENGTH(others); i++) {
		assert_int_equal(
			break_range(&world, others[i].first_page, others[i].nr_pages, 0, &other), others[i].result);
		if (others[i].result == 0)
			devmap_fs_dax_end_break(&other);
		assert_marked(world.map, 10, 20);
	}
	devmap_fs_dax_end_break(&range);
	assert_ok(break_range(&world, 0, NR_PAGES, 0, &range));
	devmap_fs_dax_end_break(&range);
	world_end(&world);
}

static void a_range_that_waits_is_broken_already(void **state)
{
	struct world world = world_new();
	struct waiting_break waiting = {0};
	devmap_page *page = take_page(world.map, 10);
	devmap_layout_break range;

	(void)state;
	start_break(&waiting, &world, 10, 20);
	assert_true(blocking_call_waits(&waiting.call));
	assert_error(break_range(&world, 29, 1, DEVMAP_WAIT_FOREVER, &range), EBUSY);
	devmap_put_page(page);
	assert_ok(blocking_call_join(&waiting.call));
	devmap_fs_dax_end_break(&waiting.range);
	world_end(&world);
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

static void only_the_owner_breaks_layouts(void **state)
{
	struct world world = world_new();
	devmap_pagemap *unclaimed = create_host_map(NR_PAGES);
	devmap_layout_break range;
	int other = 0;

	(void)state;
	assert_error(devmap_fs_dax_break_layouts(world.map, &other, 0, 1, 0, NULL, &range), EPERM);
	assert_error(devmap_fs_dax_break_layouts(unclaimed, &other, 0, 1, 0, NULL, &range), EPERM);
	assert_ok(devmap_fs_dax_claim(unclaimed, &other, NULL));
	assert_ok(devmap_fs_dax_release(unclaimed, &other));
	assert_error(devmap_fs_dax_break_layouts(unclaimed, &other, 0, 1, 0, NULL, &range), EPERM);
	assert_marked(world.map, 0, 0);
	destroy_map(unclaimed);
	world_end(&world);
}

static void ranges_outside_the_map_are_refused(void **state)
{
	struct world world = world_new();
	devmap_layout_break range;

	(void)state;
	assert_error(break_range(&world, NR_PAGES, 1, 0, &range), ERANGE);
	assert_error(break_range(&world, NR_PAGES - 1, 2, 0, &range), ERANGE);
	assert_error(break_range(&world, 0, NR_PAGES + 1, 0, &range), ERANGE);
	assert_error(break_range(&world, 1, UINT64_MAX, 0, &range), ERANGE);
	assert_error(break_range(&world, UINT64_MAX, 1, 0, &range), ERANGE);
	assert_error(break_range(&world, UINT64_MAX, UINT64_MAX, 0, &range), ERANGE);
	assert_marked(world.map, 0, 0);
	world_end(&world);
}

static void null_and_no_pages_are_refused(void **state)
{
	struct world world = world_new();
	devmap_layout_break range;

	(void)state;
	assert_error(break_range(&world, 0, 0, 0, &range), EINVAL);
	assert_error(devmap_fs_dax_break_layouts(NULL, world.owner, 0, 1, 0, NULL, &range), EINVAL);
	assert_error(devmap_fs_dax_break_layouts(world.map, NULL, 0, 1, 0, NULL, &range), EINVAL);
	assert_error(devmap_fs_dax_break_layouts(world.map, world.owner, 0, 1, 0, NULL, NULL), EINVAL);
	world_end(&world);
}

struct breaking_driver {
	devmap_pagemap *own;
	devmap_pagemap *others;
	int result_own;
	int result_others;
};

static void break_from_inside(devmap_page *page, void *data)
{
	struct breaking_driver *driver = data;
	devmap_layout_break range;

	(void)page;
	driver->result_own = devmap_fs_dax_break_layouts(driver->own, driver, 1, 1, DEVMAP_WAIT_FOREVER, NULL, &range);
	driver->result_others =
		devmap_fs_dax_break_layouts(driver->others, driver, 1, 1, DEVMAP_WAIT_FOREVER, NULL, &range);
	if (driver->result_others == 0)
		devmap_fs_dax_end_break(&range);
}

static void a_callback_cannot_break_its_own_map_but_any_other(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = break_from_inside};
	struct breaking_driver driver = {.own = create_host_map(NR_PAGES), .others = create_host_map(NR_PAGES)};

	(void)state;
	assert_ok(devmap_fs_dax_claim(driver.own, &driver, &ops));
	assert_ok(devmap_fs_dax_claim(driver.others, &driver, NULL));
	assert_ok(try_page(driver.own, 0));
	assert_error(driver.result_own, EDEADLK);
	assert_ok(driver.result_others);
	destroy_map(driver.own);
	destroy_map(driver.others);
}

static void a_claim_is_not_released_while_layouts_are_broken(void **state)
{
	struct world world = world_new();
	struct waiting_break waiting = {0};
	devmap_layout_break range;
	devmap_page *page;

	(void)state;
	assert_ok(break_range(&world, 0, 4, 0, &range));
	assert_error(devmap_fs_dax_release(world.map, world.owner), EBUSY);
	devmap_fs_dax_end_break(&range);
	page = take_page(world.map, 0);
	start_break(&waiting, &world, 0, 4);
	assert_true(blocking_call_waits(&waiting.call));
	assert_error(devmap_fs_dax_release(world.map, world.owner), EBUSY);
	devmap_put_page(page);
	assert_ok(blocking_call_join(&waiting.call));
	assert_error(devmap_fs_dax_release(world.map, world.owner), EBUSY);
	devmap_fs_dax_end_break(&waiting.range);
	assert_int_equal(world.owner->total, 1);
	world_end(&world);
}

static void a_map_that_is_being_torn_down_is_not_broken(void **state)
{
	struct world world = world_new();
	devmap_page *page = take_page(world.map, 0);
	devmap_layout_break range;

	(void)state;
	assert_error(devmap_memunmap_pages(world.map, 0, NULL, NULL), EBUSY);
	assert_error(break_range(&world, 10, 1, DEVMAP_WAIT_FOREVER, &range), ENODEV);
	devmap_put_page(page);
	assert_ok(devmap_memunmap_pages(world.map, 0, NULL, NULL));
	assert_error(break_range(&world, 10, 1, DEVMAP_WAIT_FOREVER, &range), ENODEV);
	assert_ok(devmap_pagemap_free(world.map));
	counting_driver_free(world.owner);
}

static void a_broken_range_keeps_the_map_from_being_torn_down(void **state)
{
	struct world world = world_new();
	devmap_layout_break range;

	(void)state;
	assert_ok(break_range(&world, 0, 4, 0, &range));
	assert_error(devmap_memunmap_pages(world.map, 0, NULL, NULL), EBUSY);
	devmap_fs_dax_end_break(&range);
	assert_ok(devmap_memunmap_pages(world.map, 0, NULL, NULL));
	assert_ok(devmap_pagemap_free(world.map));
	counting_driver_free(world.owner);
}

/* ---- races ------------------------------------------------------------------------------------------------------ */

#define WORDS 16

/* Pages whose memory is rewritten while they are broken and read while they are held, all without atomics. */
struct rewriting {
	devmap_pagemap *map;
	struct counting_driver *owner;
	uint32_t nr_breakers;
	uint32_t nr_breaks;
	_Atomic(uint32_t) breakers_left;
	_Atomic(uint32_t) inside[NR_PAGES];
	_Atomic(uint64_t) nr_reads;
};

static uint64_t *words_of(devmap_pagemap *map, uint64_t index)
{
	return (uint64_t *)(map->start + index * PAGE_BYTES);
}

static void break_and_rewrite(struct rewriting *race, uint32_t breaker, struct rng *rng)
{
	uint32_t done = 0;

	while (done < race->nr_breaks) {
		uint32_t first = rng_below(rng, NR_PAGES), n = 1 + rng_below(rng, NR_PAGES - first), i, word;
		int64_t timeout_ns = rng_below(rng, 4) == 0 ? 0 : DEVMAP_WAIT_FOREVER;
		uint64_t stamp = ((uint64_t)(breaker + 1) << 32) | done;
		devmap_layout_break range;
		int result = devmap_fs_dax_break_layouts(race->map, race->owner, first, n, timeout_ns, NULL, &range);

		done++;
		check(result == 0 || (result == -EBUSY && race->nr_breakers > 1) ||
			(result == -ETIMEDOUT && timeout_ns == 0));
		if (result != 0)
			continue;
		for (i = first; i < first + n; i++)
			check(atomic_load_explicit(&race->inside[i], memory_order_relaxed) == 0);
		for (i = first; i < first + n; i++)
			for (word = 0; word < WORDS; word++)
				words_of(race->map, i)[word] = stamp;
		perturb(rng);
		for (i = first; i < first + n; i++)
			check(atomic_load_explicit(&race->inside[i], memory_order_relaxed) == 0);
		devmap_fs_dax_end_break(&range);
	}
}

static void read_under_references(struct rewriting *race, struct rng *rng)
{
	uint64_t nr_reads = 0;

	while (atomic_load_explicit(&race->breakers_left, memory_order_relaxed) != 0) {
		uint32_t first = rng_below(rng, NR_PAGES), left = NR_PAGES - first;
		uint32_t n = 1 + rng_below(rng, left < 4 ? left : 4), i, word;
		bool share = rng_below(rng, 4) == 0;
		devmap_page *page = NULL;
		int result = devmap_pagemap_get_pages(race->map, first, n, &page);

		check(result == 0 || result == -EAGAIN);
		if (result != 0) {
			perturb(rng);
			continue;
		}
		for (i = first; i < first + n; i++)
			atomic_fetch_add_explicit(&race->inside[i], 1, memory_order_relaxed);
		if (share) {
			/* The first page is held by a second reference alone from here on. */
			devmap_get_page(page);
			devmap_put_page(page);
		}
		for (i = first; i < first + n; i++)
			for (word = 1; word < WORDS; word++)
				check(words_of(race->map, i)[word] == words_of(race->map, i)[0]);
		nr_reads++;
		for (i = first; i < first + n; i++)
			atomic_fetch_sub_explicit(&race->inside[i], 1, memory_order_relaxed);
		devmap_put_pages(page, n);
	}
	race->nr_reads += nr_reads;
}

static void rewrite_or_read(void *shared, uint32_t index, struct rng *rng)
{
	struct rewriting *race = shared;

	if (index < race->nr_breakers) {
		break_and_rewrite(race, index, rng);
		atomic_fetch_sub(&race->breakers_left, 1);
	} else {
		read_under_references(race, rng);
	}
}

static void rewrite_against_readers(uint32_t nr_breakers)
{
	struct world world = world_new();
	struct rewriting *race = calloc(1, sizeof(*race));
	devmap_stats before = stats_now(), after;

	assert_non_null(race);
	race->map = world.map;
	race->owner = world.owner;
	race->nr_breakers = nr_breakers;
	race->nr_breaks = scaled(4000);
	race->breakers_left = nr_breakers;
	run_threads(nr_breakers + 3, rewrite_or_read, race);
	after = stats_now();
	assert_int_equal(world.owner->total, after.idle_edges_managed - before.idle_edges_managed);
	assert_int_equal(after.activations - before.activations, after.idle_edges - before.idle_edges);
	free(race);
	world_end(&world);
}

static void nobody_is_inside_a_broken_range(void **state)
{
	(void)state;
	rewrite_against_readers(1);
}

static void nobody_is_inside_the_ranges_of_two_breakers(void **state)
{
	(void)state;
	rewrite_against_readers(2);
}

/* Two holders, of whom only the order of their puts is known, and without any synchronisation of its own. */
struct handover {
	devmap_pagemap *map;
	devmap_page *page;
	_Atomic(bool) first_has_put;
	/* Written by the first holder, read by the callback, rewritten by the breaker. */
	uint64_t payload;
};

static void read_payload(devmap_page *page, void *data)
{
	struct handover *handover = data;

	(void)page;
	check(handover->payload == 1);
}

static void write_put_or_break(void *shared, uint32_t index, struct rng *rng)
{
	struct handover *handover = shared;
	devmap_layout_break range;

	(void)rng;
	switch (index) {
	case 0:
		handover->payload = 1;
		devmap_put_page(handover->page);
		atomic_store_explicit(&handover->first_has_put, true, memory_order_relaxed);
		return;
	case 1:
		while (!atomic_load_explicit(&handover->first_has_put, memory_order_relaxed))
			(void)sched_yield();
		devmap_put_page(handover->page);
		return;
	default:
		check(devmap_fs_dax_break_layouts(handover->map, handover, 0, 1, DEVMAP_WAIT_FOREVER, NULL, &range) ==
			0);
		check(handover->payload == 1);
		handover->payload = 2;
		devmap_fs_dax_end_break(&range);
	}
}

static void what_was_done_under_any_reference_is_seen_by_callback_and_breaker(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = read_payload};
	struct handover handover = {.map = create_host_map(1)};
	uint32_t round;

	(void)state;
	assert_ok(devmap_fs_dax_claim(handover.map, &handover, &ops));
	for (round = 0; round < scaled(400); round++) {
		handover.page = take_page(handover.map, 0);
		devmap_get_page(handover.page);
		atomic_store(&handover.first_has_put, false);
		run_threads(3, write_put_or_break, &handover);
		assert_int_equal(handover.payload, 2);
	}
	destroy_map(handover.map);
}

struct last_put {
	struct world world;
	/* Of the round. */
	devmap_page *page;
	pthread_barrier_t turn;
	uint32_t nr_rounds;
	uint32_t nr_holders;
};

static void put_or_break(void *shared, uint32_t index, struct rng *rng)
{
	struct last_put *race = shared;
	uint32_t round;

	for (round = 0; round < race->nr_rounds; round++) {
		if (index == 0) {
			devmap_page *page = NULL;

			check(devmap_pagemap_get_pages(race->world.map, round % NR_PAGES, 1, &page) == 0);
			devmap_get_page_refs(page, race->nr_holders - 1);
			race->page = page;
		}
		(void)pthread_barrier_wait(&race->turn);
		perturb(rng);
		if (index < race->nr_holders) {
			devmap_put_page(race->page);
		} else {
			devmap_layout_break range;

			check(break_range(&race->world, round % NR_PAGES, 1, DEVMAP_WAIT_FOREVER, &range) == 0);
			check(race->world.owner->total == round + 1);
			devmap_fs_dax_end_break(&range);
		}
		(void)pthread_barrier_wait(&race->turn);
	}
}

static void the_last_put_is_never_missed_by_a_break(void **state)
{
	struct last_put race = {.world = world_new(), .nr_rounds = scaled(8000), .nr_holders = 2};

	(void)state;
	assert_ok(pthread_barrier_init(&race.turn, NULL, race.nr_holders + 1));
	run_threads(race.nr_holders + 1, put_or_break, &race);
	assert_ok(pthread_barrier_destroy(&race.turn));
	world_end(&race.world);
}

static void break_use_or_tear_down(void *shared, uint32_t index, struct rng *rng)
{
	struct world *world = shared;
	devmap_layout_break range;
	devmap_page *page = NULL;
	int result;

	perturb(rng);
	switch (index) {
	case 0:
		/* Again where it failed: the others go on until it is done. */
		while (!check(devmap_memunmap_pages(world->map, DEVMAP_WAIT_FOREVER, NULL, NULL) == 0))
			(void)sched_yield();
		return;
	case 1:
		while ((result = break_range(world, rng_below(rng, 4), 2, DEVMAP_WAIT_FOREVER, &range)) == 0) {
			perturb(rng);
			devmap_fs_dax_end_break(&range);
		}
		check(result == -ENODEV);
		return;
	default:
		while ((result = devmap_pagemap_get_pages(world->map, rng_below(rng, 4), 2, &page)) != -ENODEV) {
			check(result == 0 || result == -EAGAIN);
			perturb(rng);
			if (result == 0)
				devmap_put_pages(page, 2);
		}
	}
}

static void a_break_against_teardown_succeeds_or_is_told(void **state)
{
	uint32_t round;

	(void)state;
	for (round = 0; round < scaled(800); round++) {
		struct world world = world_new();

		run_threads(3, break_use_or_tear_down, &world);
		assert_ok(devmap_pagemap_free(world.map));
		counting_driver_free(world.owner);
	}
}

#else

static void breaking_layouts_is_not_supported(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);
	devmap_layout_break range = {0};
	int owner = 0;

	(void)state;
	assert_error(devmap_fs_dax_break_layouts(map, &owner, 0, 1, 0, NULL, &range), EOPNOTSUPP);
	assert_error(devmap_fs_dax_break_layouts(NULL, NULL, 0, 0, 0, NULL, NULL), EOPNOTSUPP);
	assert_null(devmap_fs_dax_busy_page(map, 0, 1));
	devmap_fs_dax_end_break(&range);
	devmap_put_page(page);
	destroy_map(map);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(the_busy_page_is_the_first_in_use_in_the_range),
		contract(a_range_outside_the_map_has_no_busy_page),
		contract(a_map_that_nobody_claims_has_busy_pages_too),
		contract(a_page_is_busy_until_its_callback_has_returned),
		contract(the_break_of_an_idle_range_succeeds_at_once),
		contract(pages_that_were_used_before_break_as_well),
		contract(takers_are_turned_away_from_the_marked_range_only),
		contract(a_lease_that_meets_the_marked_range_takes_no_page),
		contract(refusals_are_counted),
		contract(pages_outside_the_range_are_not_waited_for),
		contract(any_thread_ends_a_break),
		contract(a_break_that_was_ended_is_not_ended_again),
		contract(a_break_that_failed_needs_no_end),
		contract(random_ranges_mark_exactly_their_pages),
		contract(a_terabyte_is_broken_at_the_cost_of_its_used_pages),
		contract(holders_share_and_put_while_the_break_waits),
		contract(the_break_waits_for_the_last_put_of_every_page),
		contract(a_batch_release_lets_the_break_go_on),
		contract(a_page_taken_before_the_claim_is_waited_for),
		contract(the_break_waits_for_the_callback_to_return),
		contract(a_page_that_its_callback_takes_again_is_waited_for),
		contract(a_break_that_times_out_leaves_the_range_open),
		contract(a_break_that_is_cancelled_leaves_the_range_open),
		contract(one_cancel_ends_every_wait_that_was_given_it_and_no_other),
		contract(disjoint_ranges_are_broken_at_once),
		contract(disjoint_breaks_wait_each_for_its_own_pages),
		contract(overlapping_ranges_are_refused),
		contract(a_range_that_waits_is_broken_already),
		contract(only_the_owner_breaks_layouts),
		contract(ranges_outside_the_map_are_refused),
		contract(null_and_no_pages_are_refused),
		contract(a_callback_cannot_break_its_own_map_but_any_other),
		contract(a_claim_is_not_released_while_layouts_are_broken),
		contract(a_map_that_is_being_torn_down_is_not_broken),
		contract(a_broken_range_keeps_the_map_from_being_torn_down),
		contract(nobody_is_inside_a_broken_range),
		contract(nobody_is_inside_the_ranges_of_two_breakers),
		contract(what_was_done_under_any_reference_is_seen_by_callback_and_breaker),
		contract(the_last_put_is_never_missed_by_a_break),
		contract(a_break_against_teardown_succeeds_or_is_told),
#else
		contract(breaking_layouts_is_not_supported),
#endif
	};

	return cmocka_run_group_tests_name("break_layouts", tests, NULL, NULL);
}
