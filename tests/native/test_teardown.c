/* SPDX-License-Identifier: MIT */
/*
 * Tearing a map down: it keeps new users out, waits for pages, callbacks and references, says what it waits for, loses
 * nothing when it gives up, and leaves the driver alone for good once it has returned 0.
 */
#include "blocking_call.h"

#include <sys/mman.h>

#define MILLISECOND INT64_C(1000000)

/** A range that no memory is behind: a CALLER map never touches it. */
static char *const nowhere = (char *)(uintptr_t)(64 * GIB);

static void assert_takes_no_users(devmap_pagemap *map, devmap_page *held)
{
	const uint64_t before = stats_now().refused_dying;
	devmap_page *page = NULL;

	assert_error(devmap_pagemap_get_pages(map, 0, 1, &page), ENODEV);
	assert_null(page);
	assert_error(devmap_try_get_page(held), ENODEV);
	assert_null(devmap_get_pagemap((void *)map->start, NULL));
	assert_null(devmap_virt_to_page((void *)map->start));
	assert_true(stats_now().refused_dying >= before + 2);
}

static void an_idle_map_is_torn_down_at_once(void **state)
{
	devmap_pagemap *map = create_host_map(4);

	(void)state;
	devmap_put_page(take_page(map, 3));
	assert_ok(devmap_memunmap_pages(map, 0, NULL, NULL));
	assert_ok(devmap_pagemap_free(map));
}

static void a_teardown_names_the_busy_pages(void **state)
{
	devmap_pagemap *map = create_host_map(100);
	devmap_busy_page named[2] = {{.index = 0}};
	devmap_busy_report busy = {.pages = named, .capacity = 2};
	devmap_page *pages[3] = {take_page(map, 7), take_page(map, 8), take_page(map, 99)};

	(void)state;
	devmap_get_page_refs(pages[1], 4);
	assert_error(devmap_memunmap_pages(map, 0, NULL, &busy), EBUSY);
	assert_int_equal(busy.nr_pages, 3);
	assert_int_equal(busy.nr_references, 0);
	assert_int_equal(named[0].index, 7);
	assert_int_equal(named[0].count, 2);
	assert_int_equal(named[1].index, 8);
	assert_int_equal(named[1].count, 6);
	assert_ptr_equal(busy.pages, named);
	assert_int_equal(busy.capacity, 2);
	devmap_put_page_refs(pages[1], 5);
	assert_error(devmap_memunmap_pages(map, 0, NULL, &busy), EBUSY);
	assert_int_equal(busy.nr_pages, 2);
	assert_int_equal(named[1].index, 99);
	devmap_put_page(pages[0]);
	devmap_put_page(pages[2]);
	destroy_map(map);
}

static void a_report_without_room_counts_only(void **state)
{
	devmap_pagemap *map = create_host_map(100);
	devmap_busy_report busy = {.pages = NULL, .capacity = 0};
	devmap_page *page = NULL;

	(void)state;
	assert_ok(devmap_pagemap_get_pages(map, 50, 10, &page));
	assert_error(devmap_memunmap_pages(map, 0, NULL, &busy), EBUSY);
	assert_int_equal(busy.nr_pages, 10);
	devmap_put_pages(page, 10);
	destroy_map(map);
}

static void a_teardown_counts_the_references_on_the_map(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_busy_report busy = {.pages = NULL};
	devmap_pagemap *found = devmap_get_pagemap((void *)map->start, NULL);
	devmap_page *page = take_page(map, 1);

	(void)state;
	assert_ptr_equal(found, map);
	found = devmap_get_pagemap((void *)map->start, NULL);
	assert_error(devmap_memunmap_pages(map, 0, NULL, &busy), EBUSY);
	assert_int_equal(busy.nr_pages, 1);
	assert_int_equal(busy.nr_references, 2);
	devmap_put_page(page);
	devmap_put_pagemap(map);
	assert_error(devmap_memunmap_pages(map, 0, NULL, &busy), EBUSY);
	assert_int_equal(busy.nr_pages, 0);
	assert_int_equal(busy.nr_references, 1);
	devmap_put_pagemap(found);
	destroy_map(map);
}

static void the_report_is_left_alone_on_success(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_busy_report busy = {.nr_pages = 77, .nr_references = 78};

	(void)state;
	assert_ok(devmap_memunmap_pages(map, 0, NULL, &busy));
	assert_int_equal(busy.nr_pages, 77);
	assert_int_equal(busy.nr_references, 78);
	assert_ok(devmap_pagemap_free(map));
}

static void an_expired_teardown_loses_nothing_and_a_retry_succeeds(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_page *page = take_page(map, 2);
	const uint64_t before = stats_now().teardown_timeouts;

	(void)state;
	memset(devmap_page_address(page), 0x42, PAGE_BYTES);
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_int_equal(take_faults(DEVMAP_FAULT_LEAK_TEARDOWN), 0);
	assert_error(devmap_memunmap_pages(map, MILLISECOND, NULL, NULL), EBUSY);
	assert_int_equal(take_faults(DEVMAP_FAULT_LEAK_TEARDOWN), 1);
	assert_int_equal(stats_now().teardown_timeouts, before + 2);
	assert_takes_no_users(map, page);
	/* The holder goes on: it shares, reads, and puts. */
	devmap_get_page(page);
	assert_int_equal(devmap_page_count(page), 3);
	assert_int_equal(*(unsigned char *)devmap_page_address(page), 0x42);
	devmap_put_page_refs(page, 2);
	destroy_map(map);
}

static devmap_fault heard;
static char heard_message[256];

/* The message is there during the call only. */
static void hear(const devmap_fault *fault, void *data)
{
	(void)data;
	heard = *fault;
	(void)snprintf(heard_message, sizeof(heard_message), "%s", fault->message);
}

static void a_teardown_that_waited_in_vain_tells_of_the_pages_and_how_to_learn_more(void **state)
{
	static const struct {
		int32_t level;
		const char *advice;
	} advices[] = {
		{DEVMAP_LEVEL_OFF, "raise the level to DEVMAP_LEVEL_SAMPLED"},
		{DEVMAP_LEVEL_COUNTERS, "raise the level to DEVMAP_LEVEL_SAMPLED"},
		{DEVMAP_LEVEL_SAMPLED, "raised to DEVMAP_LEVEL_FULL"},
		{DEVMAP_LEVEL_FULL, "devmap_track_read()"},
	};
	devmap_pagemap *map = create_host_map(8);
	const uint64_t before = stats_now().leaks_teardown;
	devmap_page *page;

	(void)state;
	assert_ok(devmap_pagemap_get_pages(map, 3, 2, &page));
	devmap_set_fault_handler(hear, NULL);
	for (size_t i = 0; i < ARRAY_LENGTH(advices); i++) {
		heard = (devmap_fault){0};
		assert_ok(devmap_set_level(advices[i].level));
		assert_error(devmap_memunmap_pages(map, MILLISECOND, NULL, NULL), EBUSY);
		assert_int_equal(heard.kind, DEVMAP_FAULT_LEAK_TEARDOWN);
		assert_ptr_equal(heard.page, page);
		assert_ptr_equal(heard.pgmap, map);
		assert_int_equal(heard.index, 3);
		assert_int_equal(heard.count, 2);
		assert_non_null(strstr(heard_message, "2 of its pages"));
		assert_non_null(strstr(heard_message, advices[i].advice));
	}
	assert_ok(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
	assert_int_equal(stats_now().leaks_teardown, before + ARRAY_LENGTH(advices));
	devmap_put_pages(page, 2);
	destroy_map(map);
}

static void a_teardown_that_waited_for_references_alone_is_blocked(void **state)
{
	devmap_pagemap *map = create_host_map(2);
	devmap_pagemap *found = devmap_get_pagemap((void *)map->start, NULL);

	(void)state;
	devmap_set_fault_handler(hear, NULL);
	heard = (devmap_fault){0};
	assert_error(devmap_memunmap_pages(map, MILLISECOND, NULL, NULL), EBUSY);
	assert_int_equal(heard.kind, DEVMAP_FAULT_BLOCKED_TEARDOWN);
	assert_null(heard.page);
	assert_ptr_equal(heard.pgmap, map);
	assert_non_null(strstr(heard_message, "1 references"));
	devmap_put_pagemap(found);
	destroy_map(map);
}

static void a_teardown_that_asked_once_or_was_cancelled_leaks_nothing(void **state)
{
	devmap_pagemap *map = create_host_map(2);
	devmap_page *page = take_page(map, 0);
	devmap_cancel cancelled = {1};
	const devmap_stats before = stats_now();

	(void)state;
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_error(devmap_memunmap_pages(map, DEVMAP_WAIT_FOREVER, &cancelled, NULL), ECANCELED);
	assert_int_equal(stats_now().leaks_teardown, before.leaks_teardown);
	assert_int_equal(stats_now().faults_blocked_teardown, before.faults_blocked_teardown);
	devmap_put_page(page);
	destroy_map(map);
}

static void a_resumed_map_takes_users_again(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_page *page = take_page(map, 2);

	(void)state;
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_takes_no_users(map, page);
	assert_ok(devmap_pagemap_resume(map));
	assert_ok(devmap_try_get_page(page));
	devmap_put_page(take_page(map, 0));
	assert_ptr_equal(devmap_get_pagemap((void *)map->start, NULL), map);
	devmap_put_pagemap(map);
	devmap_put_page_refs(page, 2);
	destroy_map(map);
}

static void resuming_a_live_map_changes_nothing(void **state)
{
	devmap_pagemap *map = create_host_map(4);

	(void)state;
	assert_ok(devmap_pagemap_resume(map));
	devmap_put_page(take_page(map, 0));
	destroy_map(map);
}

static void the_driver_is_called_during_a_teardown(void **state)
{
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
	struct counting_driver *driver = counting_driver_new(4);
	devmap_pagemap *map;
	devmap_page *page;
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++) {
		map = create_map_of_type(managed_types[i], 4, &counting_ops, driver);
		page = take_page(map, 1);
		assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
		assert_int_equal(atomic_load(&driver->total), i);
		devmap_put_page(page);
		assert_int_equal(atomic_load(&driver->total), i + 1);
		destroy_map(map);
		assert_int_equal(atomic_load(&driver->total), i + 1);
	}
	counting_driver_free(driver);
#else
	(void)state;
#endif
}

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

struct keeper {
	devmap_page *kept;
	uint32_t calls;
};

static void keep_the_page_once(devmap_page *page, void *data)
{
	struct keeper *keeper = data;

	if (keeper->calls++ > 0)
		return;
	devmap_get_page(page);
	keeper->kept = page;
}

static void keep_during_a_teardown(int32_t type)
{
	static const devmap_pagemap_ops ops = {.page_free = keep_the_page_once};
	struct keeper keeper = {.calls = 0};
	devmap_pagemap *map = create_map_of_type(type, 2, &ops, &keeper);
	devmap_page *page = take_page(map, 1);

	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	devmap_put_page(page);
	assert_ptr_equal(keeper.kept, page);
	assert_int_equal(devmap_page_count(page), 2);
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	devmap_put_page(page);
	assert_int_equal(keeper.calls, 2);
	destroy_map(map);
}

static void a_driver_may_keep_its_page_in_the_callback_even_during_a_teardown(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++)
		keep_during_a_teardown(managed_types[i]);
}

/* A callback that takes its page again, and hands it on to another thread before it returns. */
struct relay {
	devmap_pagemap *map;
	devmap_page *page;
	_Atomic(devmap_page *) handed_on;
	_Atomic(bool) is_running;
	_Atomic(uint32_t) calls;
};

static void hand_on(devmap_page *page, void *data)
{
	struct relay *relay = data;

	if (atomic_fetch_add(&relay->calls, 1) != 0)
		return;
	atomic_store(&relay->is_running, true);
	devmap_get_page(page);
	atomic_store(&relay->handed_on, page);
	while (atomic_load(&relay->calls) < 2)
		(void)sched_yield();
	atomic_store(&relay->is_running, false);
}

static void put_or_take_over_or_tear_down(void *shared, uint32_t index, struct rng *rng)
{
	struct relay *relay = shared;

	perturb(rng);
	if (index == 0) {
		devmap_put_page(relay->page);
	} else if (index == 1) {
		while (!atomic_load(&relay->handed_on))
			(void)sched_yield();
		devmap_put_page(atomic_load(&relay->handed_on));
	} else {
		check(devmap_memunmap_pages(relay->map, DEVMAP_WAIT_FOREVER, NULL, NULL) == 0);
		check(!atomic_load(&relay->is_running));
	}
}

static void teardown_waits_for_a_callback_whose_page_went_idle_again_meanwhile(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = hand_on};
	uint32_t round;

	(void)state;
	for (round = 0; round < scaled(2000); round++) {
		struct relay relay = {.calls = 0};

		relay.map = create_map_of_type(managed_types[round % nr_managed_types], 1, &ops, &relay);
		relay.page = take_page(relay.map, 0);
		run_threads(3, put_or_take_over_or_tear_down, &relay);
		assert_int_equal(relay.calls, 2);
		assert_ok(devmap_pagemap_free(relay.map));
	}
}

#endif

static void giving_a_reference_back_that_nobody_holds_is_a_fault(void **state)
{
	devmap_pagemap *map = create_host_map(1);

	(void)state;
	assert_ptr_equal(devmap_get_pagemap((void *)map->start, NULL), map);
	devmap_put_pagemap(map);
	devmap_put_pagemap(map);
	/* Nobody knows whose it was: the map is not torn down under them. */
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_int_equal(take_faults(DEVMAP_FAULT_UNDERFLOW), 1);
	assert_ok(devmap_pagemap_resume(map));
	assert_ptr_equal(devmap_get_pagemap((void *)map->start, NULL), map);
	assert_ok(devmap_memunmap_pages(map, 0, NULL, NULL));
	devmap_put_pagemap(map);
	assert_int_equal(take_faults(DEVMAP_FAULT_UNDERFLOW), 1);
	assert_ok(devmap_pagemap_free(map));
}

static void taking_an_idle_page_of_a_dying_map_as_its_driver_is_a_fault(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_page *idle = devmap_pagemap_page(map, 0);
	devmap_page *page = take_page(map, 1);
	const uint64_t before = stats_now().faults_activation;

	(void)state;
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	devmap_get_page(idle);
	assert_int_equal(take_faults(DEVMAP_FAULT_ACTIVATION), 1);
	assert_int_equal(stats_now().faults_activation, before + 1);
	assert_ptr_equal(last_fault().page, idle);
	assert_ptr_equal(last_fault().pgmap, map);
	assert_true(devmap_page_count(idle) < 0);
	/* Whoever believes to hold it puts it, and nothing comes of it. */
	devmap_put_page(idle);
	assert_true(devmap_page_count(idle) < 0);
	assert_int_equal(take_faults(DEVMAP_FAULT_UNDERFLOW), 0);
	devmap_put_page(page);
	destroy_map(map);
}

/* ---- waiting ---- */

static int tear_down_call(void *map)
{
	return devmap_memunmap_pages(map, DEVMAP_WAIT_FOREVER, NULL, NULL);
}

static void a_teardown_waits_for_the_last_put(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_page *page = take_page(map, 0);
	struct blocking_call teardown;

	(void)state;
	devmap_get_page(page);
	blocking_call_start(&teardown, tear_down_call, map);
	assert_true(blocking_call_waits(&teardown));
	devmap_put_page(page);
	assert_true(blocking_call_waits(&teardown));
	devmap_put_page(page);
	assert_ok(blocking_call_join(&teardown));
	assert_ok(devmap_pagemap_free(map));
}

static void a_teardown_waits_for_references_on_the_map(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	struct blocking_call teardown;

	(void)state;
	assert_ptr_equal(devmap_get_pagemap((void *)map->start, NULL), map);
	blocking_call_start(&teardown, tear_down_call, map);
	assert_true(blocking_call_waits(&teardown));
	devmap_put_pagemap(map);
	assert_ok(blocking_call_join(&teardown));
	assert_ok(devmap_pagemap_free(map));
}

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

static const devmap_pagemap_ops staying_ops = {.page_free = stay};

static void wait_for_a_callback(int32_t type)
{
	struct staying_driver driver;
	devmap_busy_report busy = {.pages = NULL};
	struct blocking_call put;
	struct blocking_call teardown;
	devmap_pagemap *map;

	staying_driver_init(&driver);
	map = create_map_of_type(type, 4, &staying_ops, &driver);
	blocking_call_start(&put, put_page_call, take_page(map, 2));
	await_callback(&driver);
	/* The page is idle; its callback is what runs still. */
	assert_error(devmap_memunmap_pages(map, 0, NULL, &busy), EBUSY);
	assert_int_equal(busy.nr_pages + busy.nr_references, 1);
	blocking_call_start(&teardown, tear_down_call, map);
	assert_true(blocking_call_waits(&teardown));
	let_callback_leave(&driver);
	assert_ok(blocking_call_join(&teardown));
	assert_int_equal(driver.left, 1);
	assert_ok(blocking_call_join(&put));
	assert_ok(devmap_pagemap_free(map));
}

static void a_teardown_waits_for_callbacks(void **state)
{
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++)
		wait_for_a_callback(managed_types[i]);
}

#ifdef DEVMAP_CONFIG_FS_DAX

static void a_page_is_busy_while_its_callback_runs_under_a_claim(void **state)
{
	devmap_busy_page named = {.index = 77};
	devmap_busy_report busy = {.pages = &named, .capacity = 1};
	struct staying_driver driver;
	struct blocking_call put;
	devmap_pagemap *map;

	(void)state;
	staying_driver_init(&driver);
	map = create_map_of_type(DEVMAP_MEMORY_DEVICE_FS_DAX, 4, &staying_ops, &driver);
	blocking_call_start(&put, put_page_call, take_page(map, 2));
	await_callback(&driver);
	assert_error(devmap_memunmap_pages(map, 0, NULL, &busy), EBUSY);
	assert_int_equal(busy.nr_pages, 1);
	assert_int_equal(busy.nr_references, 0);
	assert_int_equal(named.index, 2);
	assert_int_equal(named.count, 1);
	/* Not pages that somebody holds. */
	devmap_set_fault_handler(hear, NULL);
	heard = (devmap_fault){0};
	assert_error(devmap_memunmap_pages(map, MILLISECOND, NULL, NULL), EBUSY);
	assert_int_equal(heard.kind, DEVMAP_FAULT_BLOCKED_TEARDOWN);
	assert_ptr_equal(heard.pgmap, map);
	assert_ptr_equal(heard.page, &map->pages[2]);
	assert_int_equal(heard.index, 2);
	assert_int_equal(heard.count, 1);
	assert_non_null(strstr(heard_message, "callback of this page"));
	let_callback_leave(&driver);
	assert_ok(blocking_call_join(&put));
	destroy_map(map);
}

#endif

#endif

struct cancellable {
	devmap_pagemap *map;
	devmap_cancel cancel;
	devmap_busy_report busy;
};

static int cancellable_teardown_call(void *argument)
{
	struct cancellable *cancellable = argument;

	return devmap_memunmap_pages(cancellable->map, DEVMAP_WAIT_FOREVER, &cancellable->cancel, &cancellable->busy);
}

static void a_cancelled_teardown_loses_nothing(void **state)
{
	devmap_busy_page named = {.index = 77};
	struct cancellable cancellable = {.busy = {.pages = &named, .capacity = 1}};
	const uint64_t timeouts = stats_now().teardown_timeouts;
	struct blocking_call teardown;
	devmap_page *page;

	(void)state;
	cancellable.map = create_host_map(4);
	page = take_page(cancellable.map, 3);
	blocking_call_start(&teardown, cancellable_teardown_call, &cancellable);
	assert_true(blocking_call_waits(&teardown));
	devmap_cancel_waits(&cancellable.cancel);
	assert_error(blocking_call_join(&teardown), ECANCELED);
	assert_int_equal(cancellable.busy.nr_pages, 1);
	assert_int_equal(named.index, 3);
	assert_int_equal(named.count, 2);
	assert_int_equal(stats_now().teardown_timeouts, timeouts);
	assert_takes_no_users(cancellable.map, page);
	/* Cancelled once, it cancels every later wait; a condition that holds succeeds still. */
	assert_error(devmap_memunmap_pages(cancellable.map, DEVMAP_WAIT_FOREVER, &cancellable.cancel, NULL), ECANCELED);
	assert_ok(devmap_pagemap_resume(cancellable.map));
	devmap_put_page(take_page(cancellable.map, 0));
	devmap_put_page(page);
	assert_ok(devmap_memunmap_pages(cancellable.map, DEVMAP_WAIT_FOREVER, &cancellable.cancel, NULL));
	assert_ok(devmap_pagemap_free(cancellable.map));
}

static void one_cancel_ends_several_teardowns(void **state)
{
	struct cancellable cancellables[3];
	struct blocking_call teardowns[3];
	devmap_page *pages[3];
	devmap_cancel *cancel = &cancellables[0].cancel;
	size_t i;

	(void)state;
	memset(cancellables, 0, sizeof(cancellables));
	for (i = 0; i < 3; i++) {
		cancellables[i].map = create_host_map(1);
		pages[i] = take_page(cancellables[i].map, 0);
	}
	for (i = 0; i < 3; i++)
		blocking_call_start(&teardowns[i], cancellable_teardown_call, &cancellables[i]);
	for (i = 0; i < 3; i++)
		assert_true(blocking_call_waits(&teardowns[i]));
	devmap_cancel_waits(cancel);
	assert_error(blocking_call_join(&teardowns[0]), ECANCELED);
	/* The other two were given objects of their own. */
	assert_true(blocking_call_waits(&teardowns[1]));
	assert_true(blocking_call_waits(&teardowns[2]));
	for (i = 0; i < 3; i++)
		devmap_put_page(pages[i]);
	assert_ok(blocking_call_join(&teardowns[1]));
	assert_ok(blocking_call_join(&teardowns[2]));
	assert_ok(devmap_memunmap_pages(cancellables[0].map, 0, NULL, NULL));
	for (i = 0; i < 3; i++)
		assert_ok(devmap_pagemap_free(cancellables[i].map));
}

static void a_second_teardown_and_a_resume_are_told_of_the_first(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_page *page = take_page(map, 0);
	struct blocking_call teardown;

	(void)state;
	blocking_call_start(&teardown, tear_down_call, map);
	/* Before the teardown has begun, the map is live, and resuming it changes nothing. */
	while (devmap_pagemap_resume(map) != -EALREADY)
		(void)sched_yield();
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EALREADY);
	assert_error(devmap_memunmap_pages(map, DEVMAP_WAIT_FOREVER, NULL, NULL), EALREADY);
	assert_error(devmap_pagemap_resume(map), EALREADY);
	assert_error(devmap_pagemap_free(map), EBUSY);
	devmap_put_page(page);
	assert_ok(blocking_call_join(&teardown));
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), ENODEV);
	assert_ok(devmap_pagemap_free(map));
}

/* ---- races ---- */

enum { NR_PUTTERS = 3, NR_RACE_PAGES = 4 };

/**
 * Rounds of one race, each on a new map: thread 0 creates it, the others work on it, thread 0 tears it down meanwhile.
 * The barriers separate the rounds; within one only the library orders the threads.
 */
struct teardown_race {
	pthread_barrier_t open;
	pthread_barrier_t closed;
	uint32_t rounds;
	int32_t type;
	devmap_pagemap *map;
	devmap_page *pages[NR_RACE_PAGES];
	_Atomic(uint64_t) calls;
	_Atomic(uint64_t) expected;
};

/** Freed right after the teardown, so that a later callback is a use after free. */
struct driver_data {
	struct teardown_race *race;
	uint32_t alive;
};

static void use_driver_data(devmap_page *page, void *data)
{
	struct driver_data *driver_data = data;

	check(driver_data->alive == 0x600d);
	check(devmap_page_index(page) < NR_RACE_PAGES);
	atomic_fetch_add(&driver_data->race->calls, 1);
}

static devmap_pagemap *create_race_map(int32_t type, struct driver_data *data)
{
	static const devmap_pagemap_ops ops = {.page_free = use_driver_data};
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = type,
		.backing = DEVMAP_BACKING_CALLER,
		.address = nowhere,
		.length = NR_RACE_PAGES * PAGE_BYTES,
	};
	devmap_pagemap *map = NULL;

	if (type == DEVMAP_MEMORY_DEVICE_PRIVATE || type == DEVMAP_MEMORY_DEVICE_PUBLIC) {
		config.ops = &ops;
		config.data = data;
	} else {
		config.type = DEVMAP_MEMORY_DEVICE_HOST;
	}
	check(devmap_memremap_pages(&config, &map) == 0);
	if (type == DEVMAP_MEMORY_DEVICE_FS_DAX)
		check(devmap_fs_dax_claim(map, data, &ops) == 0);
	return map;
}

static void destroy_race_map(struct teardown_race *race, struct driver_data *data)
{
	check(devmap_memunmap_pages(race->map, DEVMAP_WAIT_FOREVER, NULL, NULL) == 0);
	data->alive = 0;
	free(data);
}

static void put_pages_in_random_order(struct teardown_race *race, struct rng *rng)
{
	uint32_t held[NR_RACE_PAGES] = {0, 1, 2, 3};
	uint32_t n = NR_RACE_PAGES;
	uint32_t i;

	for (; n > 0; n--) {
		i = rng_below(rng, n);
		perturb(rng);
		switch (rng_below(rng, 4)) {
		case 0:
			devmap_get_page(race->pages[held[i]]);
			devmap_put_page_refs(race->pages[held[i]], 2);
			break;
		case 1:
			devmap_release_pages(&race->pages[held[i]], 1);
			break;
		case 2:
			if (devmap_put_managed_page(race->pages[held[i]]))
				break;
			/* fall through */
		default:
			devmap_put_page(race->pages[held[i]]);
			break;
		}
		held[i] = held[n - 1];
	}
}

static void race_last_puts(void *shared, uint32_t index, struct rng *rng)
{
	struct teardown_race *race = shared;
	struct driver_data *data = NULL;
	uint32_t round;
	uint32_t i;

	for (round = 0; round < race->rounds; round++) {
		if (index == 0) {
			data = malloc(sizeof(*data));
			if (!check(data != NULL))
				abort();
			*data = (struct driver_data){.race = race, .alive = 0x600d};
			race->map = create_race_map(race->type, data);
			for (i = 0; i < NR_RACE_PAGES; i++) {
				check(devmap_pagemap_get_pages(race->map, i, 1, &race->pages[i]) == 0);
				devmap_get_page_refs(race->pages[i], NR_PUTTERS - 1);
			}
		}
		(void)pthread_barrier_wait(&race->open);
		if (index == 0) {
			perturb(rng);
			destroy_race_map(race, data);
			check(devmap_pagemap_free(race->map) == 0);
		} else {
			put_pages_in_random_order(race, rng);
		}
		(void)pthread_barrier_wait(&race->closed);
	}
}

static void run_race(struct teardown_race *race, thread_body *body, uint32_t nr_threads)
{
	assert_ok(pthread_barrier_init(&race->open, NULL, nr_threads));
	assert_ok(pthread_barrier_init(&race->closed, NULL, nr_threads));
	run_threads(nr_threads, body, race);
	assert_ok(pthread_barrier_destroy(&race->open));
	assert_ok(pthread_barrier_destroy(&race->closed));
}

/** The types to race with: HOST, and every managed one. */
static uint32_t race_types(int32_t *types)
{
	uint32_t n = 0;
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
	uint32_t i;

	for (i = 0; i < nr_managed_types; i++)
		types[n++] = managed_types[i];
#endif
	types[n++] = DEVMAP_MEMORY_DEVICE_HOST;
	return n;
}

static void the_last_put_may_race_with_the_teardown(void **state)
{
	int32_t types[4];
	uint32_t n = race_types(types);
	uint32_t i;

	(void)state;
	for (i = 0; i < n; i++) {
		struct teardown_race race = {.type = types[i], .rounds = scaled(4000)};

		run_race(&race, race_last_puts, NR_PUTTERS + 1);
		assert_int_equal(atomic_load(&race.calls),
			types[i] == DEVMAP_MEMORY_DEVICE_HOST ? 0 : race.rounds * NR_RACE_PAGES);
	}
}

/** Takes and puts by any way through the map. @return whether the map is open still. */
static bool take_one(struct teardown_race *race, struct rng *rng)
{
	char *address = nowhere + (uint64_t)rng_below(rng, NR_RACE_PAGES) * PAGE_BYTES;
	devmap_pagemap *found;
	devmap_page *page;
	int result;

	if (rng_below(rng, 2) == 0) {
		result = devmap_pagemap_get_pages(race->map, rng_below(rng, NR_RACE_PAGES - 1), 2, &page);
		check(result == 0 || result == -ENODEV);
		if (result != 0)
			return false;
		perturb(rng);
		devmap_put_pages(page, 2);
		return true;
	}
	found = devmap_get_pagemap(address, NULL);
	if (found == NULL)
		return false;
	check(found == race->map);
	page = devmap_virt_to_page(address);
	if (page == NULL) {
		devmap_put_pagemap(found);
		return false;
	}
	result = devmap_try_get_page(page);
	check(result == 0 || result == -ENODEV);
	devmap_put_pagemap(found);
	perturb(rng);
	if (result == 0)
		devmap_put_page(page);
	return result == 0;
}

static void race_activations(void *shared, uint32_t index, struct rng *rng)
{
	struct teardown_race *race = shared;
	struct driver_data *data = NULL;
	uint32_t round;

	for (round = 0; round < race->rounds; round++) {
		if (index == 0) {
			data = malloc(sizeof(*data));
			if (!check(data != NULL))
				abort();
			*data = (struct driver_data){.race = race, .alive = 0x600d};
			race->map = create_race_map(race->type, data);
		}
		(void)pthread_barrier_wait(&race->open);
		if (index == 0) {
			perturb(rng);
			if (rng_below(rng, 2) == 0 && devmap_memunmap_pages(race->map, 0, NULL, NULL) == 0) {
				data->alive = 0;
				free(data);
			} else {
				destroy_race_map(race, data);
			}
		} else {
			while (take_one(race, rng))
				;
		}
		(void)pthread_barrier_wait(&race->closed);
		if (index == 0)
			check(devmap_pagemap_free(race->map) == 0);
	}
}

static void activations_may_race_with_the_teardown(void **state)
{
	int32_t types[4];
	uint32_t n = race_types(types);
	uint32_t i;

	(void)state;
	for (i = 0; i < n; i++) {
		struct teardown_race race = {.type = types[i], .rounds = scaled(4000)};
		const devmap_stats before = stats_now();
		devmap_stats after;

		run_race(&race, race_activations, NR_PUTTERS + 1);
		after = stats_now();
		assert_int_equal(after.activations - before.activations, after.idle_edges - before.idle_edges);
		assert_int_equal(after.idle_edges_managed - before.idle_edges_managed, atomic_load(&race.calls));
	}
}

static void race_resumes(void *shared, uint32_t index, struct rng *rng)
{
	struct teardown_race *race = shared;
	uint32_t round;
	devmap_page *page;
	int result;

	for (round = 0; round < race->rounds; round++) {
		if (index > 1) {
			result = devmap_pagemap_get_pages(race->map, rng_below(rng, NR_RACE_PAGES), 1, &page);
			check(result == 0 || result == -ENODEV);
			perturb(rng);
			if (result == 0)
				devmap_put_page(page);
			continue;
		}
		/* Page 0 is held throughout: no teardown succeeds. */
		result = devmap_memunmap_pages(race->map, 0, NULL, NULL);
		check(result == -EBUSY || result == -EALREADY);
		perturb(rng);
		result = devmap_pagemap_resume(race->map);
		check(result == 0 || result == -EALREADY);
	}
}

static void teardowns_that_give_up_and_resumes_may_race_with_takers(void **state)
{
	struct teardown_race race = {.type = DEVMAP_MEMORY_DEVICE_HOST, .rounds = scaled(20000)};
	devmap_page *held;

	(void)state;
	race.map = create_race_map(race.type, NULL);
	held = take_page(race.map, 0);
	run_race(&race, race_resumes, 4);
	assert_ok(devmap_pagemap_resume(race.map));
	assert_int_equal(devmap_page_count(held), 2);
	devmap_put_page(held);
	destroy_map(race.map);
}

struct look_ups {
	_Atomic(bool) over;
};

/** Creates and destroys maps of changing shapes over the same pages, and frees their handles at once. */
static void churn_maps(struct look_ups *look_ups, struct rng *rng)
{
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = DEVMAP_MEMORY_DEVICE_HOST,
		.backing = DEVMAP_BACKING_CALLER,
	};
	devmap_pagemap *maps[4];
	uint32_t rounds;
	uint32_t i;
	uint32_t n;

	for (rounds = scaled(2000); rounds > 0; rounds--) {
		/* The eight pages as one, two or four maps. */
		n = UINT32_C(1) << rng_below(rng, 3);
		for (i = 0; i < n; i++) {
			config.length = 8 / n * PAGE_BYTES;
			config.address = nowhere + i * config.length;
			if (!check(devmap_memremap_pages(&config, &maps[i]) == 0))
				abort();
		}
		perturb(rng);
		for (i = 0; i < n; i++) {
			check(devmap_memunmap_pages(maps[i], DEVMAP_WAIT_FOREVER, NULL, NULL) == 0);
			check(devmap_pagemap_free(maps[i]) == 0);
		}
	}
	atomic_store(&look_ups->over, true);
}

static void look_addresses_up(void *shared, uint32_t index, struct rng *rng)
{
	struct look_ups *look_ups = shared;
	devmap_pagemap *map = NULL;
	devmap_page *page;
	char *address;

	if (index == 0) {
		churn_maps(look_ups, rng);
		return;
	}
	while (!atomic_load(&look_ups->over)) {
		address = nowhere + rng_below(rng, 8 * PAGE_BYTES);
		map = devmap_get_pagemap(address, map);
		if (map == NULL) {
			(void)sched_yield();
			continue;
		}
		/* The reference keeps the map as it is. */
		check((uintptr_t)address >= map->start);
		check((uintptr_t)address - map->start < map->nr_pages << map->page_shift);
		page = devmap_pagemap_page(map, ((uintptr_t)address - map->start) >> map->page_shift);
		if (check(page != NULL)) {
			check(devmap_page_pagemap(page) == map);
			if (devmap_try_get_page(page) == 0)
				devmap_put_page(page);
		}
		if (rng_below(rng, 2) == 0) {
			devmap_put_pagemap(map);
			map = NULL;
		}
	}
	devmap_put_pagemap(map);
}

static void address_look_ups_may_race_with_maps_that_come_and_go(void **state)
{
	struct look_ups look_ups = {.over = false};

	(void)state;
	run_threads(3, look_addresses_up, &look_ups);
}

enum { NR_STABLE_MAPS = 1000 };

struct stable_maps {
	devmap_pagemap *maps[NR_STABLE_MAPS];
	_Atomic(bool) over;
};

/** Map i of the stable ones lies at page 2i + 1, so that others can come and go around it. */
static char *stable_address(uint32_t i)
{
	return nowhere + (2 * (uint64_t)i + 1) * PAGE_BYTES;
}

static void find_stable_maps(void *shared, uint32_t index, struct rng *rng)
{
	struct stable_maps *stable = shared;
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = DEVMAP_MEMORY_DEVICE_HOST,
		.backing = DEVMAP_BACKING_CALLER,
		.length = PAGE_BYTES,
	};
	devmap_pagemap *map;
	uint32_t rounds;
	uint32_t i;

	if (index == 0) {
		for (rounds = scaled(10000); rounds > 0; rounds--) {
			/* Mostly below the others, so that all of them move in the table. */
			config.address = nowhere + 2 * (uint64_t)rng_below(rng, rounds % 4 == 0 ? NR_STABLE_MAPS : 4) *
							   PAGE_BYTES;
			if (!check(devmap_memremap_pages(&config, &map) == 0))
				break;
			check(devmap_memunmap_pages(map, DEVMAP_WAIT_FOREVER, NULL, NULL) == 0);
			check(devmap_pagemap_free(map) == 0);
		}
		atomic_store(&stable->over, true);
		return;
	}
	while (!atomic_load(&stable->over)) {
		i = rng_below(rng, NR_STABLE_MAPS);
		map = devmap_get_pagemap(stable_address(i), NULL);
		check(map == stable->maps[i]);
		devmap_put_pagemap(map);
	}
}

static void a_live_map_is_found_while_others_come_and_go(void **state)
{
	struct stable_maps stable = {.over = false};
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = DEVMAP_MEMORY_DEVICE_HOST,
		.backing = DEVMAP_BACKING_CALLER,
		.length = PAGE_BYTES,
	};
	uint32_t i;

	(void)state;
	for (i = 0; i < NR_STABLE_MAPS; i++) {
		config.address = stable_address(i);
		assert_ok(devmap_memremap_pages(&config, &stable.maps[i]));
	}
	run_threads(2, find_stable_maps, &stable);
	for (i = 0; i < NR_STABLE_MAPS; i++)
		destroy_map(stable.maps[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(an_idle_map_is_torn_down_at_once),
		contract(a_teardown_names_the_busy_pages),
		contract(a_report_without_room_counts_only),
		contract(a_teardown_counts_the_references_on_the_map),
		contract(the_report_is_left_alone_on_success),
		contract(an_expired_teardown_loses_nothing_and_a_retry_succeeds),
		contract(a_teardown_that_waited_in_vain_tells_of_the_pages_and_how_to_learn_more),
		contract(a_teardown_that_waited_for_references_alone_is_blocked),
		contract(a_teardown_that_asked_once_or_was_cancelled_leaks_nothing),
		contract(a_resumed_map_takes_users_again),
		contract(resuming_a_live_map_changes_nothing),
		contract(the_driver_is_called_during_a_teardown),
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
		contract(a_driver_may_keep_its_page_in_the_callback_even_during_a_teardown),
		contract(teardown_waits_for_a_callback_whose_page_went_idle_again_meanwhile),
#endif
		contract(giving_a_reference_back_that_nobody_holds_is_a_fault),
		contract(taking_an_idle_page_of_a_dying_map_as_its_driver_is_a_fault),
		contract(a_teardown_waits_for_the_last_put),
		contract(a_teardown_waits_for_references_on_the_map),
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
		contract(a_teardown_waits_for_callbacks),
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(a_page_is_busy_while_its_callback_runs_under_a_claim),
#endif
#endif
		contract(a_cancelled_teardown_loses_nothing),
		contract(one_cancel_ends_several_teardowns),
		contract(a_second_teardown_and_a_resume_are_told_of_the_first),
		contract(the_last_put_may_race_with_the_teardown),
		contract(activations_may_race_with_the_teardown),
		contract(teardowns_that_give_up_and_resumes_may_race_with_takers),
		contract(address_look_ups_may_race_with_maps_that_come_and_go),
		contract(a_live_map_is_found_while_others_come_and_go),
	};

	return cmocka_run_group_tests_name("teardown", tests, NULL, NULL);
}
