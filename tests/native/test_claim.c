/* SPDX-License-Identifier: MIT */
/* A claim makes a HOST map managed for one owner, and its end leaves the owner alone for good. */
#include "blocking_call.h"

#ifdef DEVMAP_CONFIG_FS_DAX

#define NR_PAGES 64

static int32_t type_of(devmap_pagemap *map)
{
	return atomic_load_explicit(&map->type, memory_order_acquire);
}

static void put_one_page(devmap_pagemap *map, uint64_t index)
{
	devmap_put_page(take_page(map, index));
}

struct claimed {
	devmap_pagemap *map;
	struct counting_driver *owner;
};

static struct claimed claim_new_map(void)
{
	struct claimed claimed = {.map = create_host_map(NR_PAGES), .owner = counting_driver_new(NR_PAGES)};

	assert_ok(devmap_fs_dax_claim(claimed.map, claimed.owner, &counting_ops));
	return claimed;
}

static void release_and_destroy(struct claimed *claimed)
{
	assert_ok(devmap_fs_dax_release(claimed->map, claimed->owner));
	destroy_map(claimed->map);
	counting_driver_free(claimed->owner);
}

/* ---- what a claim does ------------------------------------------------------------------------------------------ */

static void a_claim_makes_a_host_map_managed(void **state)
{
	struct claimed claimed;
	devmap_page *page;

	(void)state;
	claimed = claim_new_map();
	assert_int_equal(type_of(claimed.map), DEVMAP_MEMORY_DEVICE_FS_DAX);
	page = take_page(claimed.map, 3);
	assert_int_equal(devmap_page_type(page), DEVMAP_MEMORY_DEVICE_FS_DAX);
	assert_true(devmap_put_managed_page(page));
	assert_int_equal(claimed.owner->total, 1);
	assert_int_equal(claimed.owner->calls[3], 1);
	assert_ok(devmap_fs_dax_release(claimed.map, claimed.owner));
	assert_int_equal(type_of(claimed.map), DEVMAP_MEMORY_DEVICE_HOST);
	put_one_page(claimed.map, 3);
	assert_int_equal(claimed.owner->total, 1);
	destroy_map(claimed.map);
	counting_driver_free(claimed.owner);
}

static void the_owner_hears_of_each_idle_edge_once(void **state)
{
	struct claimed claimed;
	devmap_page *page;

	(void)state;
	claimed = claim_new_map();
	page = take_page(claimed.map, 7);
	devmap_get_page(page);
	devmap_put_page(page);
	assert_int_equal(claimed.owner->total, 0);
	devmap_put_page(page);
	assert_int_equal(claimed.owner->total, 1);
	put_one_page(claimed.map, 7);
	assert_int_equal(claimed.owner->calls[7], 2);
	release_and_destroy(&claimed);
}

static void a_page_in_use_when_the_map_is_claimed_goes_idle_to_the_owner(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	struct counting_driver *owner = counting_driver_new(NR_PAGES);
	devmap_page *page = take_page(map, 5);

	(void)state;
	assert_ok(devmap_fs_dax_claim(map, owner, &counting_ops));
	devmap_put_page(page);
	assert_int_equal(owner->calls[5], 1);
	assert_ok(devmap_fs_dax_release(map, owner));
	destroy_map(map);
	counting_driver_free(owner);
}

static void a_batch_goes_to_the_owner_s_pages_free(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	struct counting_driver *owner = counting_driver_new(NR_PAGES);
	devmap_page *pages[NR_PAGES];
	uint64_t i;

	(void)state;
	assert_ok(devmap_fs_dax_claim(map, owner, &counting_batch_ops));
	for (i = 0; i < NR_PAGES; i++)
		pages[i] = take_page(map, i);
	devmap_release_pages(pages, NR_PAGES);
	assert_int_equal(owner->total, NR_PAGES);
	assert_int_equal(owner->batch_calls, 1);
	assert_int_equal(owner->single_calls, 0);
	assert_ok(devmap_fs_dax_release(map, owner));
	destroy_map(map);
	counting_driver_free(owner);
}

static void the_ops_are_copied(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	struct counting_driver *owner = counting_driver_new(NR_PAGES);
	devmap_pagemap_ops ops = counting_ops;

	(void)state;
	assert_ok(devmap_fs_dax_claim(map, owner, &ops));
	memset(&ops, 0, sizeof(ops));
	put_one_page(map, 1);
	assert_int_equal(owner->total, 1);
	assert_ok(devmap_fs_dax_release(map, owner));
	destroy_map(map);
	counting_driver_free(owner);
}

static void a_claim_without_ops_holds_the_map_and_calls_nobody(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	uint64_t edges = stats_now().idle_edges;
	int owner = 0, other = 0;

	(void)state;
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	assert_int_equal(type_of(map), DEVMAP_MEMORY_DEVICE_FS_DAX);
	assert_int_equal(devmap_pagemap_ops_count(), 1);
	put_one_page(map, 1);
	assert_int_equal(stats_now().idle_edges, edges + 1);
	assert_error(devmap_fs_dax_claim(map, &other, NULL), EBUSY);
	assert_error(devmap_fs_dax_release(map, &other), EPERM);
	assert_ok(devmap_fs_dax_release(map, &owner));
	destroy_map(map);
}

/* ---- who may claim, who may release ----------------------------------------------------------------------------- */

static void a_claim_is_exclusive(void **state)
{
	struct claimed claimed;
	struct counting_driver *other = counting_driver_new(NR_PAGES);

	(void)state;
	claimed = claim_new_map();
	assert_error(devmap_fs_dax_claim(claimed.map, other, &counting_ops), EBUSY);
	assert_error(devmap_fs_dax_claim(claimed.map, other, NULL), EBUSY);
	put_one_page(claimed.map, 0);
	assert_int_equal(claimed.owner->total, 1);
	assert_int_equal(other->total, 0);
	release_and_destroy(&claimed);
	counting_driver_free(other);
}

static void an_owner_claims_once(void **state)
{
	struct claimed claimed;

	(void)state;
	claimed = claim_new_map();
	assert_error(devmap_fs_dax_claim(claimed.map, claimed.owner, &counting_ops), EBUSY);
	assert_int_equal(devmap_pagemap_ops_count(), 1);
	release_and_destroy(&claimed);
}

static void an_owner_may_claim_two_maps(void **state)
{
	devmap_pagemap *maps[2] = {create_host_map(NR_PAGES), create_host_map(NR_PAGES)};
	struct counting_driver *owner = counting_driver_new(NR_PAGES);
	uint32_t i;

	(void)state;
	for (i = 0; i < 2; i++)
		assert_ok(devmap_fs_dax_claim(maps[i], owner, &counting_ops));
	assert_int_equal(devmap_pagemap_ops_count(), 2);
	assert_ok(devmap_fs_dax_release(maps[0], owner));
	put_one_page(maps[0], 0);
	assert_int_equal(owner->total, 0);
	put_one_page(maps[1], 0);
	assert_int_equal(owner->total, 1);
	assert_ok(devmap_fs_dax_release(maps[1], owner));
	for (i = 0; i < 2; i++)
		destroy_map(maps[i]);
	counting_driver_free(owner);
}

static void only_the_owner_releases(void **state)
{
	struct claimed claimed;
	int other = 0;

	(void)state;
	claimed = claim_new_map();
	assert_error(devmap_fs_dax_release(claimed.map, &other), EPERM);
	assert_int_equal(type_of(claimed.map), DEVMAP_MEMORY_DEVICE_FS_DAX);
	assert_int_equal(devmap_pagemap_ops_count(), 1);
	put_one_page(claimed.map, 0);
	assert_int_equal(claimed.owner->total, 1);
	release_and_destroy(&claimed);
}

static void a_claim_is_released_once(void **state)
{
	struct claimed claimed;

	(void)state;
	claimed = claim_new_map();
	assert_ok(devmap_fs_dax_release(claimed.map, claimed.owner));
	assert_error(devmap_fs_dax_release(claimed.map, claimed.owner), EINVAL);
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	destroy_map(claimed.map);
	counting_driver_free(claimed.owner);
}

static void a_map_that_nobody_claims_is_not_released(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	int owner = 0;

	(void)state;
	assert_error(devmap_fs_dax_release(map, &owner), EINVAL);
	destroy_map(map);
}

static void a_released_map_is_free_for_the_next_owner(void **state)
{
	struct claimed claimed;
	struct counting_driver *next = counting_driver_new(NR_PAGES);

	(void)state;
	claimed = claim_new_map();
	assert_ok(devmap_fs_dax_release(claimed.map, claimed.owner));
	counting_driver_free(claimed.owner);
	assert_ok(devmap_fs_dax_claim(claimed.map, next, &counting_ops));
	put_one_page(claimed.map, 2);
	assert_int_equal(next->total, 1);
	claimed.owner = next;
	release_and_destroy(&claimed);
}

static void only_a_host_map_is_claimed(void **state)
{
	struct counting_driver *driver = counting_driver_new(NR_PAGES);
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++) {
		devmap_pagemap *map;

		if (managed_types[i] == DEVMAP_MEMORY_DEVICE_FS_DAX)
			continue;
		map = create_map_of_type(managed_types[i], NR_PAGES, &counting_ops, driver);
		assert_error(devmap_fs_dax_claim(map, driver, &counting_ops), EINVAL);
		assert_error(devmap_fs_dax_claim(map, driver, NULL), EINVAL);
		assert_error(devmap_fs_dax_release(map, driver), EINVAL);
		assert_int_equal(type_of(map), managed_types[i]);
		assert_int_equal(devmap_pagemap_ops_count(), 1);
		destroy_map(map);
	}
	counting_driver_free(driver);
}

static void null_and_ops_without_page_free_are_refused(void **state)
{
	const devmap_pagemap_ops no_page_free = {.pages_free = counting_batch_ops.pages_free};
	const devmap_pagemap_ops empty = {0};
	devmap_pagemap *map = create_host_map(NR_PAGES);
	int owner = 0;

	(void)state;
	assert_error(devmap_fs_dax_claim(NULL, &owner, &counting_ops), EINVAL);
	assert_error(devmap_fs_dax_claim(map, NULL, &counting_ops), EINVAL);
	assert_error(devmap_fs_dax_claim(map, NULL, NULL), EINVAL);
	assert_error(devmap_fs_dax_claim(map, &owner, &empty), EINVAL);
	assert_error(devmap_fs_dax_claim(map, &owner, &no_page_free), EINVAL);
	assert_error(devmap_fs_dax_release(NULL, &owner), EINVAL);
	assert_int_equal(type_of(map), DEVMAP_MEMORY_DEVICE_HOST);
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	assert_error(devmap_fs_dax_release(map, NULL), EINVAL);
	assert_ok(devmap_fs_dax_release(map, &owner));
	destroy_map(map);
}

/* ---- the gate --------------------------------------------------------------------------------------------------- */

static void a_claim_holds_the_gate_until_its_end(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	int owner = 0, other = 0;

	(void)state;
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	assert_int_equal(devmap_pagemap_ops_count(), 1);
	assert_true(devmap_static_key_enabled(&devmap_managed_key));
	assert_error(devmap_fs_dax_claim(map, &other, NULL), EBUSY);
	assert_int_equal(devmap_pagemap_ops_count(), 1);
	assert_error(devmap_fs_dax_release(map, &other), EPERM);
	assert_int_equal(devmap_pagemap_ops_count(), 1);
	assert_ok(devmap_fs_dax_release(map, &owner));
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	destroy_map(map);
	assert_error(devmap_pagemap_put_ops(), EINVAL);
}

static void nobody_else_ends_the_claim_s_hold_of_the_gate(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	int owner = 0;

	(void)state;
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	assert_error(devmap_pagemap_put_ops(), EINVAL);
	assert_int_equal(devmap_pagemap_ops_count(), 1);
	assert_ok(devmap_pagemap_get_ops());
	assert_int_equal(devmap_pagemap_ops_count(), 2);
	assert_ok(devmap_pagemap_put_ops());
	assert_error(devmap_pagemap_put_ops(), EINVAL);
	assert_ok(devmap_fs_dax_release(map, &owner));
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	destroy_map(map);
}

static void a_claim_that_the_gate_refuses_changes_nothing(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	int owner = 0;

	(void)state;
	atomic_store(&devmap_managed_key.enabled, INT32_MAX);
	assert_error(devmap_fs_dax_claim(map, &owner, NULL), EOVERFLOW);
	assert_int_equal(devmap_pagemap_ops_count(), INT32_MAX);
	atomic_store(&devmap_managed_key.enabled, 0);
	assert_int_equal(type_of(map), DEVMAP_MEMORY_DEVICE_HOST);
	assert_error(devmap_fs_dax_release(map, &owner), EINVAL);
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	assert_ok(devmap_fs_dax_release(map, &owner));
	destroy_map(map);
}

/* ---- release and callbacks -------------------------------------------------------------------------------------- */

static void pages_in_use_at_release_go_idle_without_a_callback(void **state)
{
	struct claimed claimed;
	uint64_t edges, managed;
	devmap_page *pages;

	(void)state;
	claimed = claim_new_map();
	assert_ok(devmap_pagemap_get_pages(claimed.map, 10, 3, &pages));
	devmap_put_page(pages);
	assert_int_equal(claimed.owner->total, 1);
	assert_ok(devmap_fs_dax_release(claimed.map, claimed.owner));
	edges = stats_now().idle_edges;
	managed = stats_now().idle_edges_managed;
	devmap_put_pages(pages + 1, 2);
	assert_int_equal(claimed.owner->total, 1);
	assert_int_equal(stats_now().idle_edges, edges + 2);
	assert_int_equal(stats_now().idle_edges_managed, managed);
	destroy_map(claimed.map);
	counting_driver_free(claimed.owner);
}

struct release {
	devmap_pagemap *map;
	struct staying_driver *owner;
	uint32_t left_at_return;
};

static int release_call(void *argument)
{
	struct release *release = argument;
	int result = devmap_fs_dax_release(release->map, release->owner);

	release->left_at_return = release->owner->left;
	return result;
}

static const devmap_pagemap_ops staying_ops = {.page_free = stay};

static void release_waits_for_callbacks_in_flight(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	struct staying_driver owner;
	struct release release = {.map = map, .owner = &owner};
	struct blocking_call put, releasing;

	(void)state;
	staying_driver_init(&owner);
	assert_ok(devmap_fs_dax_claim(map, &owner, &staying_ops));
	blocking_call_start(&put, put_page_call, take_page(map, 4));
	await_callback(&owner);
	blocking_call_start(&releasing, release_call, &release);
	assert_true(blocking_call_waits(&releasing));
	let_callback_leave(&owner);
	assert_ok(blocking_call_join(&releasing));
	assert_int_equal(release.left_at_return, 1);
	assert_ok(blocking_call_join(&put));
	destroy_map(map);
}

static void release_waits_for_every_callback_in_flight(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	struct staying_driver owner;
	struct release release = {.map = map, .owner = &owner};
	struct blocking_call puts[2], releasing;

	(void)state;
	staying_driver_init(&owner);
	assert_ok(devmap_fs_dax_claim(map, &owner, &staying_ops));
	blocking_call_start(&puts[0], put_page_call, take_page(map, 4));
	blocking_call_start(&puts[1], put_page_call, take_page(map, 5));
	await_callback(&owner);
	await_callback(&owner);
	blocking_call_start(&releasing, release_call, &release);
	assert_true(blocking_call_waits(&releasing));
	/* One leaves while the other stays: both write `left`, so the second must not leave before the first has. */
	let_callback_leave(&owner);
	while (!atomic_load(&puts[0].returned) && !atomic_load(&puts[1].returned))
		(void)sched_yield();
	assert_true(blocking_call_waits(&releasing));
	let_callback_leave(&owner);
	assert_ok(blocking_call_join(&releasing));
	assert_int_equal(release.left_at_return, 2);
	assert_ok(blocking_call_join(&puts[0]));
	assert_ok(blocking_call_join(&puts[1]));
	destroy_map(map);
}

static void a_map_on_its_way_out_of_a_claim_is_neither_free_nor_claimed_twice(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	struct staying_driver owner;
	struct release release = {.map = map, .owner = &owner};
	struct blocking_call put, releasing;
	int other = 0;

	(void)state;
	staying_driver_init(&owner);
	assert_ok(devmap_fs_dax_claim(map, &owner, &staying_ops));
	blocking_call_start(&put, put_page_call, take_page(map, 4));
	await_callback(&owner);
	blocking_call_start(&releasing, release_call, &release);
	assert_true(blocking_call_waits(&releasing));
	assert_error(devmap_fs_dax_release(map, &owner), EALREADY);
	assert_error(devmap_fs_dax_claim(map, &other, NULL), EBUSY);
	let_callback_leave(&owner);
	assert_ok(blocking_call_join(&releasing));
	assert_ok(blocking_call_join(&put));
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	assert_ok(devmap_fs_dax_claim(map, &other, NULL));
	assert_ok(devmap_fs_dax_release(map, &other));
	destroy_map(map);
}

struct reentrant_owner {
	devmap_pagemap *own;
	devmap_pagemap *others;
	int result_own;
	int result_own_claim;
	int result_others;
	int result_claim;
};

static void release_from_inside(devmap_page *page, void *data)
{
	struct reentrant_owner *owner = data;

	(void)page;
	owner->result_own = devmap_fs_dax_release(owner->own, owner);
	owner->result_own_claim = devmap_fs_dax_claim(owner->own, owner, NULL);
	owner->result_others = devmap_fs_dax_release(owner->others, owner);
	owner->result_claim = devmap_fs_dax_claim(owner->others, owner, NULL);
}

static void a_callback_cannot_release_its_own_map_but_any_other(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = release_from_inside};
	struct reentrant_owner owner = {.own = create_host_map(NR_PAGES), .others = create_host_map(NR_PAGES)};

	(void)state;
	assert_ok(devmap_fs_dax_claim(owner.own, &owner, &ops));
	assert_ok(devmap_fs_dax_claim(owner.others, &owner, NULL));
	put_one_page(owner.own, 0);
	assert_error(owner.result_own, EDEADLK);
	assert_error(owner.result_own_claim, EBUSY);
	assert_ok(owner.result_others);
	assert_ok(owner.result_claim);
	assert_int_equal(devmap_pagemap_ops_count(), 2);
	assert_ok(devmap_fs_dax_release(owner.own, &owner));
	assert_ok(devmap_fs_dax_release(owner.others, &owner));
	destroy_map(owner.own);
	destroy_map(owner.others);
}

/* ---- claims and teardown ---------------------------------------------------------------------------------------- */

static void teardown_ends_a_claim(void **state)
{
	struct claimed claimed;

	(void)state;
	claimed = claim_new_map();
	put_one_page(claimed.map, 0);
	assert_ok(devmap_memunmap_pages(claimed.map, 0, NULL, NULL));
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	/* The owner's memory may go now, before the handle's. */
	counting_driver_free(claimed.owner);
	assert_error(devmap_fs_dax_release(claimed.map, claimed.owner), ENODEV);
	assert_error(devmap_fs_dax_claim(claimed.map, claimed.owner, NULL), ENODEV);
	assert_ok(devmap_pagemap_free(claimed.map));
}

static void teardown_waits_for_the_owner_s_callbacks(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	struct staying_driver owner;
	struct blocking_call put;
	devmap_busy_page busy = {0};
	devmap_busy_report report = {.pages = &busy, .capacity = 1};

	(void)state;
	staying_driver_init(&owner);
	assert_ok(devmap_fs_dax_claim(map, &owner, &staying_ops));
	blocking_call_start(&put, put_page_call, take_page(map, 9));
	await_callback(&owner);
	assert_error(devmap_memunmap_pages(map, 0, NULL, &report), EBUSY);
	assert_int_equal(report.nr_pages, 1);
	assert_int_equal(busy.index, 9);
	assert_int_equal(busy.count, 1);
	let_callback_leave(&owner);
	assert_ok(devmap_memunmap_pages(map, DEVMAP_WAIT_FOREVER, NULL, NULL));
	assert_int_equal(owner.left, 1);
	assert_ok(blocking_call_join(&put));
	assert_ok(devmap_pagemap_free(map));
}

static void a_teardown_that_ends_busy_leaves_the_claim(void **state)
{
	struct claimed claimed;
	devmap_page *page;

	(void)state;
	claimed = claim_new_map();
	page = take_page(claimed.map, 6);
	assert_error(devmap_memunmap_pages(claimed.map, 0, NULL, NULL), EBUSY);
	assert_int_equal(type_of(claimed.map), DEVMAP_MEMORY_DEVICE_FS_DAX);
	assert_int_equal(devmap_pagemap_ops_count(), 1);
	devmap_put_page(page);
	assert_int_equal(claimed.owner->calls[6], 1);
	assert_ok(devmap_pagemap_resume(claimed.map));
	put_one_page(claimed.map, 6);
	assert_int_equal(claimed.owner->calls[6], 2);
	assert_error(devmap_fs_dax_claim(claimed.map, claimed.owner, &counting_ops), EBUSY);
	release_and_destroy(&claimed);
}

static void a_map_that_is_being_torn_down_is_not_claimed(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	devmap_page *page = take_page(map, 0);
	int owner = 0;

	(void)state;
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_error(devmap_fs_dax_claim(map, &owner, NULL), ENODEV);
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	assert_ok(devmap_pagemap_resume(map));
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	assert_ok(devmap_fs_dax_release(map, &owner));
	devmap_put_page(page);
	destroy_map(map);
}

/* ---- races ------------------------------------------------------------------------------------------------------ */

/* An owner whose memory lives exactly as long as its claim. */
struct mortal_owner {
	/* Plain: written before the claim and after the release, read by the callbacks. */
	uint32_t alive;
	_Atomic(uint32_t) calls;
};

static void check_alive(devmap_page *page, void *data)
{
	struct mortal_owner *owner = data;

	(void)page;
	check(owner->alive == 1);
	atomic_fetch_add_explicit(&owner->calls, 1, memory_order_relaxed);
}

static const devmap_pagemap_ops mortal_ops = {.page_free = check_alive};

static struct mortal_owner *mortal_owner_new(void)
{
	struct mortal_owner *owner = calloc(1, sizeof(*owner));

	if (owner == NULL)
		abort();
	owner->alive = 1;
	return owner;
}

/* Says how many callbacks it got. */
static uint32_t mortal_owner_free(struct mortal_owner *owner)
{
	uint32_t calls = atomic_load_explicit(&owner->calls, memory_order_relaxed);

	owner->alive = 0;
	free(owner);
	return calls;
}

struct publication {
	devmap_pagemap *map;
	pthread_barrier_t turn;
	uint32_t nr_putters;
	uint32_t nr_rounds;
};

static void claim_in_rounds(struct publication *race, struct rng *rng)
{
	uint32_t round;

	for (round = 0; round < race->nr_rounds; round++) {
		struct mortal_owner *owner = mortal_owner_new();

		(void)pthread_barrier_wait(&race->turn);
		perturb(rng);
		check(devmap_fs_dax_claim(race->map, owner, &mortal_ops) == 0);
		(void)pthread_barrier_wait(&race->turn);
		check(devmap_fs_dax_release(race->map, owner) == 0);
		check(mortal_owner_free(owner) == race->nr_putters);
	}
}

static void put_once_the_type_is_seen(void *shared, uint32_t index, struct rng *rng)
{
	struct publication *race = shared;
	uint32_t round, looks;

	if (index == race->nr_putters) {
		claim_in_rounds(race, rng);
		return;
	}
	for (round = 0; round < race->nr_rounds; round++) {
		devmap_page *page = NULL;

		check(devmap_pagemap_get_pages(race->map, index, 1, &page) == 0);
		(void)pthread_barrier_wait(&race->turn);
		/* Mostly without a yield: the put is to follow the type as closely as it can. */
		for (looks = 1; devmap_page_type(page) != DEVMAP_MEMORY_DEVICE_FS_DAX; looks++) {
			if (looks % 256 == 0)
				(void)sched_yield();
		}
		devmap_put_page(page);
		(void)pthread_barrier_wait(&race->turn);
	}
}

static void whoever_sees_the_type_sees_callback_and_owner(void **state)
{
	struct publication race = {.map = create_host_map(NR_PAGES), .nr_putters = 3, .nr_rounds = scaled(3000)};

	(void)state;
	assert_ok(pthread_barrier_init(&race.turn, NULL, race.nr_putters + 1));
	run_threads(race.nr_putters + 1, put_once_the_type_is_seen, &race);
	assert_ok(pthread_barrier_destroy(&race.turn));
	destroy_map(race.map);
}

struct refusals {
	devmap_pagemap *map;
	_Atomic(bool) watched;
};

static void be_refused_or_watch(void *shared, uint32_t index, struct rng *rng)
{
	struct refusals *race = shared;
	uint32_t looks;

	(void)rng;
	if (index == 0) {
		while (!atomic_load_explicit(&race->watched, memory_order_relaxed))
			check(devmap_fs_dax_claim(race->map, race, NULL) == -EOVERFLOW);
		atomic_store(&devmap_managed_key.enabled, 0);
		return;
	}
	for (looks = scaled(1000000); looks > 0; looks--)
		if (!check(type_of(race->map) == DEVMAP_MEMORY_DEVICE_HOST))
			break;
	atomic_store(&race->watched, true);
}

/* The gate is held before the type is published: nobody sees a claim that will not come about. */
static void nobody_sees_a_claim_that_the_gate_refuses(void **state)
{
	struct refusals race = {.map = create_host_map(NR_PAGES)};

	(void)state;
	atomic_store(&devmap_managed_key.enabled, INT32_MAX);
	run_threads(2, be_refused_or_watch, &race);
	destroy_map(race.map);
}

struct contest {
	devmap_pagemap *map;
	uint32_t nr_rounds;
	uint32_t nr_claimers;
	_Atomic(uint32_t) nr_owners;
	_Atomic(uint32_t) nr_claims;
	_Atomic(uint32_t) nr_calls;
	_Atomic(uint32_t) claimers_left;
};

static void claim_release_and_forget(struct contest *race, struct rng *rng)
{
	uint32_t round;

	for (round = 0; round < race->nr_rounds; round++) {
		struct mortal_owner *owner = mortal_owner_new();
		int result = devmap_fs_dax_claim(race->map, owner, &mortal_ops);

		check(result == 0 || result == -EBUSY);
		if (result == 0) {
			check(atomic_fetch_add(&race->nr_owners, 1) == 0);
			check(devmap_fs_dax_claim(race->map, owner, &mortal_ops) == -EBUSY);
			perturb(rng);
			atomic_fetch_sub(&race->nr_owners, 1);
			check(devmap_fs_dax_release(race->map, owner) == 0);
			race->nr_claims++;
		}
		race->nr_calls += mortal_owner_free(owner);
	}
}

static void take_and_put(struct contest *race, struct rng *rng)
{
	while (atomic_load_explicit(&race->claimers_left, memory_order_relaxed) != 0) {
		uint32_t first = rng_below(rng, NR_PAGES), nr_pages = 1 + rng_below(rng, NR_PAGES - first);
		devmap_page *page = NULL;

		check(devmap_pagemap_get_pages(race->map, first, nr_pages, &page) == 0);
		perturb(rng);
		if (rng_below(rng, 4) == 0) {
			devmap_page *pages[NR_PAGES];
			uint32_t i;

			for (i = 0; i < nr_pages; i++)
				pages[i] = page + i;
			devmap_release_pages(pages, nr_pages);
		} else {
			devmap_put_pages(page, nr_pages);
		}
	}
}

static void claim_or_put(void *shared, uint32_t index, struct rng *rng)
{
	struct contest *race = shared;

	if (index >= race->nr_claimers) {
		take_and_put(race, rng);
		return;
	}
	claim_release_and_forget(race, rng);
	atomic_fetch_sub(&race->claimers_left, 1);
}

static void claims_against_puts_call_only_the_owner_of_the_moment(void **state)
{
	struct contest race = {.map = create_host_map(NR_PAGES), .nr_rounds = scaled(4000), .nr_claimers = 2};
	uint64_t managed = stats_now().idle_edges_managed;

	(void)state;
	race.claimers_left = race.nr_claimers;
	run_threads(race.nr_claimers + 3, claim_or_put, &race);
	assert_in_range(race.nr_claims, 1, race.nr_claimers * race.nr_rounds);
	assert_int_equal(race.nr_calls, stats_now().idle_edges_managed - managed);
	destroy_map(race.map);
}

static void claim_use_or_tear_down(void *shared, uint32_t index, struct rng *rng)
{
	devmap_pagemap *map = shared;
	devmap_page *page = NULL;
	static int owner;
	int result;

	perturb(rng);
	switch (index) {
	case 0:
		/* Again where it failed: the others go on until it is done. */
		while (!check(devmap_memunmap_pages(map, DEVMAP_WAIT_FOREVER, NULL, NULL) == 0))
			(void)sched_yield();
		return;
	case 1:
		while ((result = devmap_fs_dax_claim(map, &owner, NULL)) == 0) {
			perturb(rng);
			result = devmap_fs_dax_release(map, &owner);
			if (result != 0)
				break;
		}
		/* The teardown came first, or ended the claim, or is about to. */
		check(result == -ENODEV || result == -EALREADY);
		return;
	default:
		while ((result = devmap_pagemap_get_pages(map, rng_below(rng, NR_PAGES), 1, &page)) == 0)
			devmap_put_page(page);
		check(result == -ENODEV);
	}
}

static void claims_against_teardown_leave_the_gate_as_it_was(void **state)
{
	uint32_t round;

	(void)state;
	for (round = 0; round < scaled(800); round++) {
		devmap_pagemap *map = create_host_map(NR_PAGES);

		run_threads(3, claim_use_or_tear_down, map);
		assert_int_equal(devmap_pagemap_ops_count(), 0);
		assert_int_equal(stats_now().claims.current, 0);
		assert_ok(devmap_pagemap_free(map));
	}
}

#else

static void claims_are_not_supported(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	int owner = 0;

	(void)state;
	assert_error(devmap_fs_dax_claim(map, &owner, NULL), EOPNOTSUPP);
	assert_error(devmap_fs_dax_release(map, &owner), EOPNOTSUPP);
	assert_error(devmap_fs_dax_claim(NULL, NULL, NULL), EOPNOTSUPP);
	assert_error(devmap_fs_dax_release(NULL, NULL), EOPNOTSUPP);
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	assert_int_equal(devmap_features() & DEVMAP_FEATURE_FS_DAX, 0);
	destroy_map(map);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(a_claim_makes_a_host_map_managed),
		contract(the_owner_hears_of_each_idle_edge_once),
		contract(a_page_in_use_when_the_map_is_claimed_goes_idle_to_the_owner),
		contract(a_batch_goes_to_the_owner_s_pages_free),
		contract(the_ops_are_copied),
		contract(a_claim_without_ops_holds_the_map_and_calls_nobody),
		contract(a_claim_is_exclusive),
		contract(an_owner_claims_once),
		contract(an_owner_may_claim_two_maps),
		contract(only_the_owner_releases),
		contract(a_claim_is_released_once),
		contract(a_map_that_nobody_claims_is_not_released),
		contract(a_released_map_is_free_for_the_next_owner),
		contract(only_a_host_map_is_claimed),
		contract(null_and_ops_without_page_free_are_refused),
		contract(a_claim_holds_the_gate_until_its_end),
		contract(nobody_else_ends_the_claim_s_hold_of_the_gate),
		contract(a_claim_that_the_gate_refuses_changes_nothing),
		contract(pages_in_use_at_release_go_idle_without_a_callback),
		contract(release_waits_for_callbacks_in_flight),
		contract(release_waits_for_every_callback_in_flight),
		contract(a_map_on_its_way_out_of_a_claim_is_neither_free_nor_claimed_twice),
		contract(a_callback_cannot_release_its_own_map_but_any_other),
		contract(teardown_ends_a_claim),
		contract(teardown_waits_for_the_owner_s_callbacks),
		contract(a_teardown_that_ends_busy_leaves_the_claim),
		contract(a_map_that_is_being_torn_down_is_not_claimed),
		contract(whoever_sees_the_type_sees_callback_and_owner),
		contract(nobody_sees_a_claim_that_the_gate_refuses),
		contract(claims_against_puts_call_only_the_owner_of_the_moment),
		contract(claims_against_teardown_leave_the_gate_as_it_was),
#else
		contract(claims_are_not_supported),
#endif
	};

	return cmocka_run_group_tests_name("claim", tests, NULL, NULL);
}
