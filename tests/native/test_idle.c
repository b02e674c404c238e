/* SPDX-License-Identifier: MIT */
/* The idle edge: page_free runs once for each, sees what was done to the page, and may call back into the library. */
#include "support.h"

#include <pthread.h>
#include <semaphore.h>

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

/** A test of one managed type; run_for_each_type() runs it on every one that the configuration has. */
typedef void type_test(int32_t type);

static void run_for_each_type(type_test *test)
{
	uint32_t i;

	for (i = 0; i < nr_managed_types; i++)
		test(managed_types[i]);
}

static void count_edges_of_one_thread(int32_t type)
{
	struct counting_driver *driver = counting_driver_new(2);
	devmap_pagemap *map = create_map_of_type(type, 2, &counting_ops, driver);
	devmap_page *page = take_page(map, 1);
	uint32_t i;

	assert_int_equal(atomic_load(&driver->total), 0);
	devmap_get_page(page);
	devmap_put_page(page);
	assert_int_equal(atomic_load(&driver->total), 0);
	devmap_put_page(page);
	assert_int_equal(atomic_load(&driver->calls[1]), 1);
	for (i = 2; i < 100; i++) {
		devmap_put_page(take_page(map, 1));
		assert_int_equal(atomic_load(&driver->calls[1]), i);
	}
	assert_int_equal(atomic_load(&driver->calls[0]), 0);
	destroy_map(map);
	assert_int_equal(atomic_load(&driver->total), 99);
	counting_driver_free(driver);
}

static void the_callback_runs_once_for_each_edge_and_never_otherwise(void **state)
{
	(void)state;
	run_for_each_type(count_edges_of_one_thread);
}

static void drop_many_references_at_once(int32_t type)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map = create_map_of_type(type, 1, &counting_ops, driver);
	devmap_page *page = take_page(map, 0);

	devmap_get_page_refs(page, 9);
	devmap_put_page_refs(page, 9);
	assert_int_equal(atomic_load(&driver->total), 0);
	devmap_get_page_refs(page, 9);
	devmap_put_page_refs(page, 10);
	assert_int_equal(atomic_load(&driver->total), 1);
	destroy_map(map);
	counting_driver_free(driver);
}

static void a_put_of_many_references_is_one_edge(void **state)
{
	(void)state;
	run_for_each_type(drop_many_references_at_once);
}

static void drop_a_range(int32_t type)
{
	struct counting_driver *driver = counting_driver_new(8);
	devmap_pagemap *map = create_map_of_type(type, 8, &counting_ops, driver);
	devmap_page *page = NULL;
	uint64_t i;

	assert_ok(devmap_pagemap_get_pages(map, 0, 8, &page));
	devmap_get_page(page + 5);
	devmap_put_pages(page, 8);
	for (i = 0; i < 8; i++)
		assert_int_equal(atomic_load(&driver->calls[i]), i != 5);
	devmap_put_page(page + 5);
	assert_int_equal(atomic_load(&driver->calls[5]), 1);
	destroy_map(map);
	counting_driver_free(driver);
}

static void putting_a_range_is_an_edge_for_each_page_of_which_nobody_holds_more(void **state)
{
	(void)state;
	run_for_each_type(drop_a_range);
}

static void a_host_map_has_no_callback(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	const devmap_stats before = stats_now();
	devmap_stats after;

	(void)state;
	assert_ok(devmap_pagemap_get_ops());
	devmap_put_page(take_page(map, 0));
	assert_ok(devmap_pagemap_put_ops());
	after = stats_now();
	assert_int_equal(after.idle_edges, before.idle_edges + 1);
	assert_int_equal(after.idle_edges_managed, before.idle_edges_managed);
	destroy_map(map);
}

struct expectation {
	devmap_page *page;
	uint32_t calls;
};

static void expect_an_idle_page(devmap_page *page, void *data)
{
	struct expectation *expectation = data;

	check(page == expectation->page);
	check(devmap_page_count(page) == 1);
	expectation->calls++;
}

static void the_callback_is_given_the_page_idle_and_the_drivers_data(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = expect_an_idle_page};
	struct expectation expectation = {.calls = 0};
	devmap_pagemap *map = create_managed_map(4, &ops, &expectation);

	(void)state;
	expectation.page = take_page(map, 2);
	devmap_put_page(expectation.page);
	assert_int_equal(expectation.calls, 1);
	destroy_map(map);
}

/* ---- many threads ---- */

struct race {
	devmap_pagemap *map;
	uint32_t nr_pages;
};

static void take_and_put_any_page(void *shared, uint32_t index, struct rng *rng)
{
	struct race *race = shared;
	devmap_page *page;
	uint32_t rounds;
	uint32_t extra;

	(void)index;
	for (rounds = scaled(50000); rounds > 0; rounds--) {
		if (!check(devmap_pagemap_get_pages(race->map, rng_below(rng, race->nr_pages), 1, &page) == 0))
			return;
		extra = rng_below(rng, 4);
		if (extra > 0)
			devmap_get_page_refs(page, extra);
		perturb(rng);
		switch (rng_below(rng, 3)) {
		case 0:
			devmap_put_page_refs(page, extra + 1);
			break;
		case 1:
			if (extra > 0)
				devmap_put_page_refs(page, extra);
			devmap_release_pages(&page, 1);
			break;
		default:
			for (; extra > 0; extra--)
				devmap_put_page(page);
			check(devmap_put_managed_page(page));
			break;
		}
	}
}

static void count_edges_of_many_threads(int32_t type)
{
	struct counting_driver *driver = counting_driver_new(2);
	struct race race = {.map = create_map_of_type(type, 2, &counting_ops, driver), .nr_pages = 2};
	const devmap_stats before = stats_now();
	devmap_stats after;

	run_threads(4, take_and_put_any_page, &race);
	after = stats_now();
	assert_int_equal(after.idle_edges_managed - before.idle_edges_managed, atomic_load(&driver->total));
	assert_int_equal(after.idle_edges - before.idle_edges, atomic_load(&driver->total));
	assert_int_equal(after.activations - before.activations, atomic_load(&driver->total));
	destroy_map(race.map);
	counting_driver_free(driver);
}

static void every_edge_of_many_threads_calls_once(void **state)
{
	(void)state;
	run_for_each_type(count_edges_of_many_threads);
}

enum { NR_WRITERS = 4 };

/** The payload is plain memory on purpose: only the library's ordering makes the callback's reads defined. */
struct payload {
	pthread_barrier_t armed;
	pthread_barrier_t dropped;
	devmap_pagemap *map;
	devmap_page *page;
	uint64_t written[NR_WRITERS];
	uint64_t seen;
	uint32_t calls;
};

static void read_payload(devmap_page *page, void *data)
{
	struct payload *payload = data;
	uint32_t i;

	check(page == payload->page);
	payload->seen = 0;
	for (i = 0; i < NR_WRITERS; i++)
		payload->seen += payload->written[i];
	payload->calls++;
}

static void write_then_drop(void *shared, uint32_t index, struct rng *rng)
{
	struct payload *payload = shared;
	uint32_t round;

	for (round = 1; round <= scaled(4000); round++) {
		if (index == 0) {
			check(devmap_pagemap_get_pages(payload->map, 0, 1, &payload->page) == 0);
			devmap_get_page_refs(payload->page, NR_WRITERS - 1);
		}
		(void)pthread_barrier_wait(&payload->armed);
		payload->written[index] = (uint64_t)round * (index + 1);
		perturb(rng);
		if (rng_below(rng, 2) == 0)
			devmap_put_page(payload->page);
		else
			devmap_release_pages(&payload->page, 1);
		(void)pthread_barrier_wait(&payload->dropped);
		if (index == 0) {
			check(payload->seen == (uint64_t)round * (NR_WRITERS * (NR_WRITERS + 1) / 2));
			check(payload->calls == round);
		}
	}
}

static void order_writes_before_the_callback(int32_t type)
{
	static const devmap_pagemap_ops ops = {.page_free = read_payload};
	struct payload payload = {.calls = 0};

	assert_ok(pthread_barrier_init(&payload.armed, NULL, NR_WRITERS));
	assert_ok(pthread_barrier_init(&payload.dropped, NULL, NR_WRITERS));
	payload.map = create_map_of_type(type, 1, &ops, &payload);
	run_threads(NR_WRITERS, write_then_drop, &payload);
	destroy_map(payload.map);
	assert_ok(pthread_barrier_destroy(&payload.armed));
	assert_ok(pthread_barrier_destroy(&payload.dropped));
}

static void everything_done_under_a_reference_is_visible_in_the_callback(void **state)
{
	(void)state;
	run_for_each_type(order_writes_before_the_callback);
}

/* ---- callbacks that call back ---- */

struct nesting {
	devmap_pagemap *map;
	uint32_t depth;
	uint32_t deepest;
	uint32_t calls;
};

static void take_the_page_again(devmap_page *page, void *data)
{
	struct nesting *nesting = data;

	nesting->calls++;
	nesting->depth++;
	if (nesting->depth > nesting->deepest)
		nesting->deepest = nesting->depth;
	if (nesting->calls < 4) {
		check(devmap_try_get_page(page) == 0);
		check(devmap_page_count(page) == 2);
		devmap_put_page(page);
	}
	nesting->depth--;
}

static void take_again_from_the_callback(int32_t type)
{
	static const devmap_pagemap_ops ops = {.page_free = take_the_page_again};
	struct nesting nesting = {.depth = 0};
	devmap_pagemap *map = create_map_of_type(type, 1, &ops, &nesting);

	devmap_put_page(take_page(map, 0));
	assert_int_equal(nesting.calls, 4);
	assert_int_equal(nesting.deepest, 4);
	assert_int_equal(devmap_page_count(devmap_pagemap_page(map, 0)), 1);
	destroy_map(map);
}

static void a_callback_may_take_and_put_its_page_again(void **state)
{
	(void)state;
	run_for_each_type(take_again_from_the_callback);
}

struct keeper {
	devmap_page *kept;
};

static void keep_the_page(devmap_page *page, void *data)
{
	struct keeper *keeper = data;

	if (keeper->kept != NULL)
		return;
	/* The driver alone can hand this page out: it may activate it as the kernel's drivers do. */
	devmap_get_page(page);
	keeper->kept = page;
}

static void keep_from_the_callback(int32_t type)
{
	static const devmap_pagemap_ops ops = {.page_free = keep_the_page};
	struct keeper keeper = {.kept = NULL};
	devmap_pagemap *map = create_map_of_type(type, 1, &ops, &keeper);

	devmap_put_page(take_page(map, 0));
	assert_non_null(keeper.kept);
	assert_int_equal(devmap_page_count(keeper.kept), 2);
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_ok(devmap_pagemap_resume(map));
	devmap_put_page(keeper.kept);
	destroy_map(map);
}

static void a_page_taken_again_in_its_callback_stays_in_use(void **state)
{
	(void)state;
	run_for_each_type(keep_from_the_callback);
}

struct chain {
	devmap_page *next[8];
	uint64_t nr_calls;
};

static void put_the_next_page(devmap_page *page, void *data)
{
	struct chain *chain = data;
	devmap_page *next = chain->next[devmap_page_index(page)];

	chain->nr_calls++;
	if (next != NULL)
		devmap_put_page(next);
}

static void put_others_from_the_callback(int32_t type)
{
	static const devmap_pagemap_ops ops = {.page_free = put_the_next_page};
	struct chain chain = {.nr_calls = 0};
	devmap_pagemap *map = create_map_of_type(type, 8, &ops, &chain);
	devmap_page *page = NULL;
	uint32_t i;

	assert_ok(devmap_pagemap_get_pages(map, 0, 8, &page));
	for (i = 0; i < 7; i++)
		chain.next[i] = page + i + 1;
	devmap_put_page(page);
	assert_int_equal(chain.nr_calls, 8);
	destroy_map(map);
}

static void a_callback_may_put_other_pages_whose_edges_nest(void **state)
{
	(void)state;
	run_for_each_type(put_others_from_the_callback);
}

struct release_chain {
	devmap_page *pages[16];
	uint32_t nr_calls;
	bool released;
};

static void release_the_rest(devmap_page *page, void *data)
{
	struct release_chain *chain = data;

	(void)page;
	chain->nr_calls++;
	if (chain->released)
		return;
	chain->released = true;
	devmap_release_pages(chain->pages, ARRAY_LENGTH(chain->pages));
}

static void a_callback_may_release_many_pages(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = release_the_rest};
	struct release_chain chain = {.nr_calls = 0};
	devmap_pagemap *map = create_managed_map(17, &ops, &chain);
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(chain.pages); i++)
		chain.pages[i] = take_page(map, i);
	devmap_put_page(take_page(map, 16));
	assert_int_equal(chain.nr_calls, 17);
	destroy_map(map);
}

struct self_destruction {
	devmap_pagemap *map;
	/** A page of another map, put from inside the callback, so that the attempt nests below it; or NULL. */
	devmap_page *other;
	uint32_t attempts;
};

static void try_to_destroy_the_map(devmap_page *page, void *data)
{
	struct self_destruction *self = data;

	(void)page;
	if (check(devmap_memunmap_pages(self->map, 0, NULL, NULL) == -EDEADLK))
		check(devmap_memunmap_pages(self->map, DEVMAP_WAIT_FOREVER, NULL, NULL) == -EDEADLK);
	self->attempts++;
}

static void destroy_the_map_from_its_callback(int32_t type)
{
	static const devmap_pagemap_ops ops = {.page_free = try_to_destroy_the_map};
	struct self_destruction self = {.attempts = 0};

	self.map = create_map_of_type(type, 1, &ops, &self);
	devmap_put_page(take_page(self.map, 0));
	assert_int_equal(self.attempts, 1);
	/* Refused is not begun: the map is alive. */
	devmap_put_page(take_page(self.map, 0));
	assert_int_equal(self.attempts, 2);
	destroy_map(self.map);
}

static void destroying_the_map_from_its_callback_is_a_deadlock(void **state)
{
	(void)state;
	run_for_each_type(destroy_the_map_from_its_callback);
}

static void put_the_other_page(devmap_page *page, void *data)
{
	struct self_destruction *self = data;

	(void)page;
	devmap_put_page(self->other);
}

static void destroying_the_map_from_a_callback_nested_in_its_own_is_a_deadlock(void **state)
{
	static const devmap_pagemap_ops outer_ops = {.page_free = put_the_other_page};
	static const devmap_pagemap_ops inner_ops = {.page_free = try_to_destroy_the_map};
	struct self_destruction self = {.attempts = 0};
	devmap_pagemap *inner = create_managed_map(1, &inner_ops, &self);

	(void)state;
	self.map = create_managed_map(1, &outer_ops, &self);
	self.other = take_page(inner, 0);
	devmap_put_page(take_page(self.map, 0));
	assert_int_equal(self.attempts, 1);
	destroy_map(inner);
	destroy_map(self.map);
}

static void destroy_the_other_map(devmap_page *page, void *data)
{
	struct self_destruction *self = data;

	(void)page;
	check(devmap_memunmap_pages(self->map, 0, NULL, NULL) == 0);
	check(devmap_pagemap_free(self->map) == 0);
	self->attempts++;
}

static void a_callback_may_destroy_another_map(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = destroy_the_other_map};
	struct self_destruction self = {.attempts = 0};
	devmap_pagemap *map = create_managed_map(1, &ops, &self);

	(void)state;
	self.map = create_host_map(1);
	devmap_put_page(take_page(map, 0));
	assert_int_equal(self.attempts, 1);
	destroy_map(map);
}

#ifdef DEVMAP_CONFIG_FS_DAX

static void try_to_end_the_claim(devmap_page *page, void *data)
{
	struct self_destruction *self = data;
	devmap_layout_break layout_break;

	(void)page;
	check(devmap_fs_dax_release(self->map, self) == -EDEADLK);
	/* Page 1 is the one whose callback this is: to wait for it is to wait for oneself. */
	check(devmap_fs_dax_break_layouts(self->map, self, 1, 1, 0, NULL, &layout_break) == -EDEADLK);
	check(devmap_fs_dax_break_layouts(self->map, self, 0, 1, DEVMAP_WAIT_FOREVER, NULL, &layout_break) == -EDEADLK);
	self->attempts++;
}

static void waiting_for_the_maps_callbacks_from_one_of_them_is_a_deadlock(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = try_to_end_the_claim};
	struct self_destruction self = {.attempts = 0};

	(void)state;
	self.map = create_map_of_type(DEVMAP_MEMORY_DEVICE_FS_DAX, 2, &ops, &self);
	devmap_put_page(take_page(self.map, 1));
	assert_int_equal(self.attempts, 1);
	assert_ok(devmap_fs_dax_release(self.map, &self));
	destroy_map(self.map);
}

#endif

/* ---- overlap ---- */

struct overlap {
	devmap_pagemap *map;
	sem_t entered;
	sem_t leave;
	_Atomic(uint32_t) calls;
	_Atomic(uint32_t) running;
	_Atomic(uint32_t) most_running;
};

static void stay_in_the_first_callback(devmap_page *page, void *data)
{
	struct overlap *overlap = data;
	uint32_t running = atomic_fetch_add(&overlap->running, 1) + 1;

	(void)page;
	if (running > atomic_load(&overlap->most_running))
		atomic_store(&overlap->most_running, running);
	if (atomic_fetch_add(&overlap->calls, 1) == 0) {
		check(sem_post(&overlap->entered) == 0);
		check(sem_wait(&overlap->leave) == 0);
	}
	atomic_fetch_sub(&overlap->running, 1);
}

static void put_first_or_second(void *shared, uint32_t index, struct rng *rng)
{
	struct overlap *overlap = shared;
	devmap_page *page;

	(void)rng;
	if (index == 1)
		check(sem_wait(&overlap->entered) == 0);
	if (check(devmap_pagemap_get_pages(overlap->map, 0, 1, &page) == 0))
		devmap_put_page(page);
	if (index == 1) {
		check(atomic_load(&overlap->calls) == 2);
		/* The first callback runs still. */
		check(devmap_memunmap_pages(overlap->map, 0, NULL, NULL) == -EBUSY);
		check(devmap_pagemap_resume(overlap->map) == 0);
		check(sem_post(&overlap->leave) == 0);
	}
}

static void overlap_two_callbacks_of_a_page(int32_t type)
{
	static const devmap_pagemap_ops ops = {.page_free = stay_in_the_first_callback};
	struct overlap overlap = {.calls = 0};

	assert_ok(sem_init(&overlap.entered, 0, 0));
	assert_ok(sem_init(&overlap.leave, 0, 0));
	overlap.map = create_map_of_type(type, 1, &ops, &overlap);
	run_threads(2, put_first_or_second, &overlap);
	assert_int_equal(atomic_load(&overlap.calls), 2);
	assert_int_equal(atomic_load(&overlap.most_running), 2);
	destroy_map(overlap.map);
	assert_ok(sem_destroy(&overlap.entered));
	assert_ok(sem_destroy(&overlap.leave));
}

static void a_page_taken_through_its_map_during_its_callback_may_call_again(void **state)
{
	(void)state;
	run_for_each_type(overlap_two_callbacks_of_a_page);
}

/* ---- frames: a language layer runs the callback itself ---- */

/** Drops the last reference as a language layer does, with its own decrement. */
static void decrement_to_idle(devmap_page *page)
{
	assert_int_equal(atomic_fetch_sub_explicit(&page->refcount, 1, memory_order_release), 1);
}

static void open_and_close_a_frame(int32_t type)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map = create_map_of_type(type, 1, &counting_ops, driver);
	devmap_page *page = take_page(map, 0);
	const devmap_stats before = stats_now();
	devmap_idle_frame frame;
	devmap_stats after;

	decrement_to_idle(page);
	assert_true(devmap_page_idle_begin(page, &frame));
	assert_true(frame.page_free == counting_ops.page_free);
	assert_ptr_equal(frame.data, driver);
	assert_int_equal(atomic_load(&driver->total), 0);
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EDEADLK);
	frame.page_free(page, frame.data);
	devmap_page_idle_end(&frame);
	assert_int_equal(atomic_load(&driver->total), 1);
	after = stats_now();
	assert_int_equal(after.idle_edges, before.idle_edges + 1);
	assert_int_equal(after.idle_edges_managed, before.idle_edges_managed + 1);
	destroy_map(map);
	counting_driver_free(driver);
}

static void a_frame_says_which_callback_to_run(void **state)
{
	(void)state;
	run_for_each_type(open_and_close_a_frame);
}

static void a_frame_of_a_host_page_has_no_callback(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);
	devmap_idle_frame frame;

	(void)state;
	decrement_to_idle(page);
	assert_true(devmap_page_idle_begin(page, &frame));
	assert_true(frame.page_free == NULL);
	assert_null(frame.data);
	devmap_page_idle_end(&frame);
	destroy_map(map);
}

static void an_ordinary_page_has_no_frame(void **state)
{
	devmap_page *page = NULL;
	devmap_idle_frame frame;

	(void)state;
	assert_ok(devmap_alloc_pages(0, &page));
	devmap_get_page(page);
	decrement_to_idle(page);
	assert_false(devmap_page_idle_begin(page, &frame));
	devmap_put_page(page);
}

static void nest_frames(int32_t type)
{
	struct counting_driver *driver = counting_driver_new(2);
	devmap_pagemap *outer_map = create_map_of_type(type, 2, &counting_ops, driver);
	devmap_pagemap *inner_map = create_map_of_type(type, 2, &counting_ops, driver);
	devmap_page *outer_page = take_page(outer_map, 0);
	devmap_page *inner_page = take_page(inner_map, 1);
	devmap_idle_frame outer;
	devmap_idle_frame inner;

	decrement_to_idle(outer_page);
	assert_true(devmap_page_idle_begin(outer_page, &outer));
	decrement_to_idle(inner_page);
	assert_true(devmap_page_idle_begin(inner_page, &inner));
	assert_error(devmap_memunmap_pages(outer_map, 0, NULL, NULL), EDEADLK);
	assert_error(devmap_memunmap_pages(inner_map, 0, NULL, NULL), EDEADLK);
	inner.page_free(inner_page, inner.data);
	devmap_page_idle_end(&inner);
	destroy_map(inner_map);
	assert_error(devmap_memunmap_pages(outer_map, 0, NULL, NULL), EDEADLK);
	outer.page_free(outer_page, outer.data);
	devmap_page_idle_end(&outer);
	destroy_map(outer_map);
	assert_int_equal(atomic_load(&driver->calls[0]), 1);
	assert_int_equal(atomic_load(&driver->calls[1]), 1);
	counting_driver_free(driver);
}

static void frames_nest_as_callbacks_do(void **state)
{
	(void)state;
	run_for_each_type(nest_frames);
}

struct framed_race {
	devmap_pagemap *map;
	_Atomic(uint64_t) frames;
};

static void put_as_a_language_layer(devmap_page *page, struct framed_race *race)
{
	devmap_idle_frame frame;
	int32_t refs = atomic_fetch_sub_explicit(&page->refcount, 1, memory_order_release) - 1;

	if (!check(refs >= 0) || refs > 0)
		return;
	if (!check(devmap_page_idle_begin(page, &frame)))
		return;
	if (check(frame.page_free != NULL))
		frame.page_free(page, frame.data);
	atomic_fetch_add(&race->frames, 1);
	devmap_page_idle_end(&frame);
}

static void put_in_either_language(void *shared, uint32_t index, struct rng *rng)
{
	struct framed_race *race = shared;
	devmap_page *page;
	uint32_t rounds;

	for (rounds = scaled(50000); rounds > 0; rounds--) {
		if (!check(devmap_pagemap_get_pages(race->map, 0, 1, &page) == 0))
			return;
		perturb(rng);
		if (index % 2 == 0)
			put_as_a_language_layer(page, race);
		else
			devmap_put_page(page);
	}
}

static void mix_frames_and_puts(int32_t type)
{
	struct counting_driver *driver = counting_driver_new(1);
	struct framed_race race = {.map = create_map_of_type(type, 1, &counting_ops, driver)};
	const uint64_t before = stats_now().idle_edges_managed;

	run_threads(4, put_in_either_language, &race);
	assert_int_equal(stats_now().idle_edges_managed - before, atomic_load(&driver->total));
	assert_true(atomic_load(&race.frames) <= atomic_load(&driver->total));
	destroy_map(race.map);
	counting_driver_free(driver);
}

static void frames_and_puts_of_many_threads_call_once_for_each_edge(void **state)
{
	(void)state;
	run_for_each_type(mix_frames_and_puts);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
		contract(the_callback_runs_once_for_each_edge_and_never_otherwise),
		contract(a_put_of_many_references_is_one_edge),
		contract(putting_a_range_is_an_edge_for_each_page_of_which_nobody_holds_more),
		contract(a_host_map_has_no_callback),
		contract(the_callback_is_given_the_page_idle_and_the_drivers_data),
		contract(every_edge_of_many_threads_calls_once),
		contract(everything_done_under_a_reference_is_visible_in_the_callback),
		contract(a_callback_may_take_and_put_its_page_again),
		contract(a_page_taken_again_in_its_callback_stays_in_use),
		contract(a_callback_may_put_other_pages_whose_edges_nest),
		contract(a_callback_may_release_many_pages),
		contract(destroying_the_map_from_its_callback_is_a_deadlock),
		contract(destroying_the_map_from_a_callback_nested_in_its_own_is_a_deadlock),
		contract(a_callback_may_destroy_another_map),
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(waiting_for_the_maps_callbacks_from_one_of_them_is_a_deadlock),
#endif
		contract(a_page_taken_through_its_map_during_its_callback_may_call_again),
		contract_of_counts(a_frame_says_which_callback_to_run),
		contract_of_counts(a_frame_of_a_host_page_has_no_callback),
		contract_of_counts(an_ordinary_page_has_no_frame),
		contract_of_counts(frames_nest_as_callbacks_do),
		contract_of_counts(frames_and_puts_of_many_threads_call_once_for_each_edge),
#else
		contract(managed_types_are_refused),
#endif
	};

	return cmocka_run_group_tests_name("idle", tests, NULL, NULL);
}
