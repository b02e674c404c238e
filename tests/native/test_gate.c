/* SPDX-License-Identifier: MIT */
/* The gate is exact: on while anybody holds the ops, off else, under any interleaving; what holds it gives it back. */
#include "support.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

static void assert_gate(int32_t holders)
{
	assert_int_equal(devmap_pagemap_ops_count(), holders);
	assert_int_equal(devmap_static_key_count(&devmap_managed_key), holders);
	assert_int_equal(devmap_static_key_enabled(&devmap_managed_key), holders > 0);
	assert_int_equal(stats_now().gate_holders, holders);
}

static void holding_the_ops_turns_the_gate_on(void **state)
{
	(void)state;
	assert_gate(0);
	assert_ok(devmap_pagemap_get_ops());
	assert_gate(1);
	assert_ok(devmap_pagemap_get_ops());
	assert_gate(2);
	assert_ok(devmap_pagemap_put_ops());
	assert_gate(1);
	assert_ok(devmap_pagemap_put_ops());
	assert_gate(0);
}

static void an_unbalanced_put_is_an_error_and_changes_nothing(void **state)
{
	(void)state;
	assert_error(devmap_pagemap_put_ops(), EINVAL);
	assert_gate(0);
	assert_ok(devmap_pagemap_get_ops());
	assert_gate(1);
	assert_ok(devmap_pagemap_put_ops());
}

static void a_put_cannot_end_a_maps_hold(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map = create_managed_map(1, &counting_ops, driver);

	(void)state;
	assert_error(devmap_pagemap_put_ops(), EINVAL);
	assert_gate(1);
	assert_ok(devmap_pagemap_get_ops());
	assert_ok(devmap_pagemap_put_ops());
	assert_error(devmap_pagemap_put_ops(), EINVAL);
	assert_gate(1);
	destroy_map(map);
	assert_gate(0);
	counting_driver_free(driver);
}

static void a_holder_beyond_the_most_is_refused_and_changes_nothing(void **state)
{
	(void)state;
	atomic_store(&devmap_managed_key.enabled, INT32_MAX);
	assert_error(devmap_pagemap_get_ops(), EOVERFLOW);
	assert_gate(INT32_MAX);
	atomic_store(&devmap_managed_key.enabled, 0);
}

static void a_managed_map_holds_the_gate_from_creation_until_teardown(void **state)
{
	struct counting_driver *driver = counting_driver_new(4);
	devmap_pagemap *first;
	devmap_pagemap *second;
	uint32_t i;

	(void)state;
	for (i = 0; i < nr_managed_types; i++) {
		first = create_map_of_type(managed_types[i], 4, &counting_ops, driver);
		assert_gate(1);
		second = create_managed_map(4, &counting_ops, driver);
		assert_gate(2);
		assert_ok(devmap_memunmap_pages(first, 0, NULL, NULL));
		assert_gate(1);
		assert_ok(devmap_pagemap_free(first));
		assert_gate(1);
		destroy_map(second);
		assert_gate(0);
	}
	counting_driver_free(driver);
}

static void a_host_map_does_not_hold_the_gate(void **state)
{
	devmap_pagemap *map = create_host_map(4);

	(void)state;
	assert_gate(0);
	destroy_map(map);
	assert_gate(0);
}

static void a_map_whose_teardown_failed_holds_the_gate_still(void **state)
{
	struct counting_driver *driver = counting_driver_new(4);
	devmap_pagemap *map = create_managed_map(4, &counting_ops, driver);
	devmap_page *page = take_page(map, 0);

	(void)state;
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_gate(1);
	assert_ok(devmap_pagemap_resume(map));
	assert_gate(1);
	devmap_put_page(page);
	assert_gate(1);
	destroy_map(map);
	assert_gate(0);
	counting_driver_free(driver);
}

#if defined(DEVMAP_CONFIG_DEVICE_PUBLIC) || defined(DEVMAP_CONFIG_DEVICE_PRIVATE)

static devmap_pagemap_config managed_config(struct counting_driver *driver)
{
	return (devmap_pagemap_config){
		.size = sizeof(devmap_pagemap_config),
		.type = managed_types[0],
		.backing = DEVMAP_BACKING_CALLER,
		.address = (void *)(uintptr_t)(64 * GIB),
		.length = 4 * PAGE_BYTES,
		.ops = &counting_ops,
		.data = driver,
	};
}

static void a_failed_creation_gives_the_gate_back(void **state)
{
	struct counting_driver *driver = counting_driver_new(4);
	devmap_pagemap_config config = managed_config(driver);
	devmap_altmap too_small = {.base = (void *)(uintptr_t)(64 * GIB)};
	devmap_pagemap *map = NULL;
	devmap_pagemap *other = NULL;

	(void)state;
	config.ops = NULL;
	assert_error(devmap_memremap_pages(&config, &map), EINVAL);
	assert_gate(0);

	config = managed_config(driver);
	config.length = 0;
	assert_error(devmap_memremap_pages(&config, &map), EINVAL);
	assert_gate(0);

	config = managed_config(driver);
	config.altmap = &too_small;
	assert_error(devmap_memremap_pages(&config, &map), ENOMEM);
	assert_gate(0);

	config = managed_config(driver);
	assert_ok(devmap_memremap_pages(&config, &map));
	assert_gate(1);
	assert_error(devmap_memremap_pages(&config, &other), EEXIST);
	assert_gate(1);
	destroy_map(map);
	counting_driver_free(driver);
}

static void a_managed_map_is_refused_at_the_most_holders(void **state)
{
	struct counting_driver *driver = counting_driver_new(4);
	const devmap_pagemap_config config = managed_config(driver);
	devmap_pagemap *map = NULL;

	(void)state;
	atomic_store(&devmap_managed_key.enabled, INT32_MAX);
	assert_error(devmap_memremap_pages(&config, &map), EOVERFLOW);
	assert_null(map);
	assert_gate(INT32_MAX);
	atomic_store(&devmap_managed_key.enabled, 0);
	assert_ok(devmap_memremap_pages(&config, &map));
	destroy_map(map);
	counting_driver_free(driver);
}

#endif

#ifdef DEVMAP_CONFIG_FS_DAX

static void a_claim_holds_the_gate_until_its_release(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	int owner;
	int stranger;

	(void)state;
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	assert_gate(1);
	assert_error(devmap_fs_dax_claim(map, &stranger, NULL), EBUSY);
	assert_gate(1);
	assert_error(devmap_fs_dax_release(map, &stranger), EPERM);
	assert_gate(1);
	assert_ok(devmap_fs_dax_release(map, &owner));
	assert_gate(0);
	assert_error(devmap_fs_dax_release(map, &owner), EINVAL);
	assert_gate(0);
	destroy_map(map);
}

static void a_claim_is_refused_at_the_most_holders(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	int owner;

	(void)state;
	atomic_store(&devmap_managed_key.enabled, INT32_MAX);
	assert_error(devmap_fs_dax_claim(map, &owner, NULL), EOVERFLOW);
	assert_gate(INT32_MAX);
	atomic_store(&devmap_managed_key.enabled, 0);
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	assert_ok(devmap_fs_dax_release(map, &owner));
	destroy_map(map);
}

static void tearing_a_claimed_map_down_ends_the_claims_hold(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	int owner;

	(void)state;
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	assert_gate(1);
	destroy_map(map);
	assert_gate(0);
}

#endif

static void hold_and_drop_the_ops(devmap_page *page, void *data)
{
	(void)page;
	(void)data;
	check(devmap_pagemap_get_ops() == 0);
	check(devmap_static_key_enabled(&devmap_managed_key));
	check(devmap_pagemap_put_ops() == 0);
}

static void a_callback_may_take_and_give_back_the_ops(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = hold_and_drop_the_ops};
	int data;
	devmap_pagemap *map = create_managed_map(1, &ops, &data);

	(void)state;
	devmap_put_page(take_page(map, 0));
	assert_gate(1);
	destroy_map(map);
}

/*
 * One harness for every gate: a holder must see it on. Two-variable gates, as the patch had one, can be stopped between
 * their steps; the harness lets another caller run there.
 */
struct gate {
	int (*get)(struct gate *gate);
	int (*put)(struct gate *gate);
	bool (*is_on)(struct gate *gate);
	/** Called between the steps of a call that has more than one. */
	void (*between_steps)(struct gate *gate);
	_Atomic(int32_t) count;
	_Atomic(bool) key;
	bool interrupted;
	_Atomic(bool) caught;
	/** Of a random schedule: its choices, the callers stopped in the middle, and those that hold the gate. */
	struct rng rng;
	uint32_t depth;
	uint32_t holders;
};

static void pass_through(struct gate *gate)
{
	(void)gate;
}

static int devmap_gate_get(struct gate *gate)
{
	(void)gate;
	return devmap_pagemap_get_ops();
}

static int devmap_gate_put(struct gate *gate)
{
	(void)gate;
	return devmap_pagemap_put_ops();
}

static bool devmap_gate_is_on(struct gate *gate)
{
	(void)gate;
	return devmap_static_key_enabled(&devmap_managed_key);
}

static int patch_gate_get(struct gate *gate)
{
	if (atomic_fetch_add(&gate->count, 1) == 0) {
		gate->between_steps(gate);
		atomic_store(&gate->key, true);
	}
	return 0;
}

static int patch_gate_put(struct gate *gate)
{
	if (atomic_fetch_sub(&gate->count, 1) == 1) {
		gate->between_steps(gate);
		atomic_store(&gate->key, false);
	}
	return 0;
}

static bool patch_gate_is_on(struct gate *gate)
{
	return atomic_load(&gate->key);
}

static const struct gate devmap_gate = {
	.get = devmap_gate_get,
	.put = devmap_gate_put,
	.is_on = devmap_gate_is_on,
	.between_steps = pass_through,
};
static const struct gate patch_gate = {
	.get = patch_gate_get,
	.put = patch_gate_put,
	.is_on = patch_gate_is_on,
	.between_steps = pass_through,
};

/** Another caller, running where it interrupts the first: it takes the gate and keeps it. */
static void another_gets(struct gate *gate)
{
	gate->interrupted = true;
	gate->between_steps = pass_through;
	assert_ok(gate->get(gate));
}

/** @return whether a holder finds the gate on after "put decides to disable, get enables, put disables". */
static bool survives_a_get_inside_a_put(struct gate gate)
{
	bool on;

	assert_ok(gate.get(&gate));
	gate.between_steps = another_gets;
	assert_ok(gate.put(&gate));
	if (!gate.interrupted)
		another_gets(&gate);
	on = gate.is_on(&gate);
	assert_ok(gate.put(&gate));
	return on;
}

static void another_gets_and_looks(struct gate *gate)
{
	another_gets(gate);
	if (!gate->is_on(gate))
		atomic_store(&gate->caught, true);
	assert_ok(gate->put(gate));
}

/** @return whether a second holder finds the gate on after "get counts itself, another gets and looks, get enables". */
static bool survives_a_get_inside_a_get(struct gate gate)
{
	gate.between_steps = another_gets_and_looks;
	assert_ok(gate.get(&gate));
	if (!gate.interrupted)
		another_gets_and_looks(&gate);
	assert_ok(gate.put(&gate));
	return !atomic_load(&gate.caught);
}

static void look(struct gate *gate)
{
	if (gate->holders > 0 && !gate->is_on(gate))
		atomic_store(&gate->caught, true);
}

/** Any caller, at any moment: it takes the gate, or gives a hold back that is no longer wanted. */
static void any_caller(struct gate *gate)
{
	if (gate->depth == 4)
		return;
	gate->depth++;
	if (gate->holders == 0 || rng_below(&gate->rng, 2) == 0) {
		assert_ok(gate->get(gate));
		gate->holders++;
	} else {
		gate->holders--;
		assert_ok(gate->put(gate));
	}
	look(gate);
	gate->depth--;
}

static void perhaps_another_caller(struct gate *gate)
{
	if (rng_below(&gate->rng, 2) == 0)
		any_caller(gate);
}

/** @return whether every holder finds the gate on in each of many random schedules, callers stopped anywhere. */
static bool survives_random_schedules(struct gate gate)
{
	uint32_t schedule;
	uint32_t calls;

	for (schedule = 0; schedule < 1000; schedule++) {
		gate.rng = rng_stream(schedule);
		gate.between_steps = perhaps_another_caller;
		for (calls = 0; calls < 20; calls++)
			any_caller(&gate);
		gate.between_steps = pass_through;
		for (; gate.holders > 0; gate.holders--)
			assert_ok(gate.put(&gate));
	}
	return !atomic_load(&gate.caught);
}

static void hold_the_gate_and_look(void *shared, uint32_t index, struct rng *rng)
{
	uint32_t rounds;

	(void)shared;
	(void)index;
	for (rounds = scaled(100000); rounds > 0; rounds--) {
		check(devmap_pagemap_get_ops() == 0);
		perturb(rng);
		check(devmap_static_key_enabled(&devmap_managed_key));
		check(devmap_pagemap_put_ops() == 0);
	}
}

static void a_get_that_lands_inside_a_put_finds_the_gate_on(void **state)
{
	(void)state;
	assert_true(survives_a_get_inside_a_put(devmap_gate));
	assert_true(survives_a_get_inside_a_get(devmap_gate));
	assert_gate(0);
}

static void a_gate_of_two_variables_is_off_with_a_holder_present(void **state)
{
	(void)state;
	assert_false(survives_a_get_inside_a_put(patch_gate));
	assert_false(survives_a_get_inside_a_get(patch_gate));
}

static void every_holder_finds_the_gate_on_in_random_schedules(void **state)
{
	(void)state;
	assert_true(survives_random_schedules(devmap_gate));
	assert_gate(0);
}

static void random_schedules_catch_a_gate_of_two_variables(void **state)
{
	(void)state;
	assert_false(survives_random_schedules(patch_gate));
}

static void every_holder_among_many_threads_finds_the_gate_on(void **state)
{
	(void)state;
	run_threads(4, hold_the_gate_and_look, NULL);
	assert_gate(0);
}

static devmap_snapshot snapshot_now(void)
{
	devmap_snapshot snapshot;

	assert_ok(devmap_snapshot_read(&snapshot, sizeof(snapshot), NULL, 0));
	return snapshot;
}

static void users_holds_are_told_from_the_others(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map = create_managed_map(1, &counting_ops, driver);

	(void)state;
	assert_ok(devmap_pagemap_get_ops());
	assert_ok(devmap_pagemap_get_ops());
	assert_int_equal(snapshot_now().gate_holders, 3);
	assert_int_equal(snapshot_now().gate_user_holders, 2);
	assert_ok(devmap_pagemap_put_ops());
	assert_ok(devmap_pagemap_put_ops());
	assert_int_equal(snapshot_now().gate_holders, 1);
	assert_int_equal(snapshot_now().gate_user_holders, 0);
	destroy_map(map);
	counting_driver_free(driver);
}

static void the_history_has_the_last_changes_oldest_first(void **state)
{
	const uint64_t before = snapshot_now().gate_changes;
	devmap_snapshot snapshot;

	(void)state;
	assert_error(devmap_pagemap_put_ops(), EINVAL);
	/* Refused, and so no change. */
	assert_int_equal(snapshot_now().gate_changes, before);
	for (uint32_t i = 0; i < DEVMAP_GATE_HISTORY; i++)
		assert_ok(devmap_pagemap_get_ops());
	for (uint32_t i = 0; i < DEVMAP_GATE_HISTORY / 2; i++)
		assert_ok(devmap_pagemap_put_ops());
	snapshot = snapshot_now();
	assert_int_equal(snapshot.gate_changes, before + DEVMAP_GATE_HISTORY + DEVMAP_GATE_HISTORY / 2);
	for (int32_t i = 0; i < DEVMAP_GATE_HISTORY; i++) {
		const devmap_gate_change *change = &snapshot.gate_history[i];
		int32_t up = DEVMAP_GATE_HISTORY / 2 + 1 + i;

		assert_int_equal(change->holders, i < DEVMAP_GATE_HISTORY / 2 ? up : 2 * DEVMAP_GATE_HISTORY - up);
		assert_int_equal(change->thread, syscall(SYS_gettid));
		assert_true(change->time_ns > 0 && change->time_ns <= snapshot.time_ns + 1000000000);
		assert_true(i == 0 || change[-1].time_ns <= change->time_ns);
	}
	for (uint32_t i = 0; i < DEVMAP_GATE_HISTORY / 2; i++)
		assert_ok(devmap_pagemap_put_ops());
	assert_gate(0);
}

enum { NR_GATE_THREADS = 4 };

struct gate_changes {
	/* Changes before the test's own. */
	uint64_t before;
	_Atomic(uint32_t) nr_done;
};

static bool is_whole_history(const devmap_snapshot *snapshot, uint64_t before)
{
	uint64_t n = snapshot->gate_changes < DEVMAP_GATE_HISTORY ? snapshot->gate_changes : DEVMAP_GATE_HISTORY;
	uint64_t own = snapshot->gate_changes - before;

	for (uint64_t i = own < n ? n - own : 0; i < n; i++) {
		const devmap_gate_change *change = &snapshot->gate_history[i];

		if (change->time_ns == 0 || change->thread == 0 || change->holders < 0 || change->holders > NR_GATE_THREADS)
			return false;
		/* Each change is of one holder, and after the one before. */
		if (i > 0 && (abs(change->holders - change[-1].holders) != 1 || change->time_ns < change[-1].time_ns))
			return false;
	}
	return n == 0 || snapshot->gate_history[n - 1].holders == snapshot->gate_holders;
}

static void change_or_read(void *shared, uint32_t index, struct rng *rng)
{
	struct gate_changes *changes = shared;
	devmap_snapshot snapshot;

	(void)rng;
	if (index == NR_GATE_THREADS) {
		do {
			check(devmap_snapshot_read(&snapshot, sizeof(snapshot), NULL, 0) == 0);
			check(is_whole_history(&snapshot, changes->before));
		} while (atomic_load(&changes->nr_done) < NR_GATE_THREADS);
		return;
	}
	for (uint32_t i = scaled(10000); i > 0; i--) {
		check(devmap_pagemap_get_ops() == 0);
		check(devmap_pagemap_put_ops() == 0);
	}
	atomic_fetch_add(&changes->nr_done, 1);
}

static void the_history_misses_no_change_of_many_threads(void **state)
{
	const uint64_t before = snapshot_now().gate_changes;
	struct gate_changes changes = {.before = before, .nr_done = 0};

	(void)state;
	run_threads(NR_GATE_THREADS + 1, change_or_read, &changes);
	assert_int_equal(snapshot_now().gate_changes, before + UINT64_C(2) * NR_GATE_THREADS * scaled(10000));
	assert_gate(0);
}

struct puts_and_holds {
	devmap_pagemap *map;
	uint32_t nr_pages;
};

static void put_pages_while_others_hold_the_gate(void *shared, uint32_t index, struct rng *rng)
{
	struct puts_and_holds *both = shared;
	devmap_page *page;
	uint32_t rounds;

	for (rounds = scaled(50000); rounds > 0; rounds--) {
		if (index < 2) {
			check(devmap_pagemap_get_ops() == 0);
			perturb(rng);
			check(devmap_static_key_enabled(&devmap_managed_key));
			check(devmap_pagemap_put_ops() == 0);
			continue;
		}
		if (!check(devmap_pagemap_get_pages(both->map, rng_below(rng, both->nr_pages), 1, &page) == 0))
			return;
		perturb(rng);
		/* The map holds the gate: whatever the others do, this page is managed. */
		check(devmap_put_managed_page(page));
	}
}

static void page_puts_find_the_gate_on_while_others_take_and_drop_it(void **state)
{
	struct counting_driver *driver = counting_driver_new(4);
	struct puts_and_holds both = {.map = create_managed_map(4, &counting_ops, driver), .nr_pages = 4};
	const uint64_t edges_before = stats_now().idle_edges_managed;

	(void)state;
	run_threads(4, put_pages_while_others_hold_the_gate, &both);
	assert_int_equal(atomic_load(&driver->total), stats_now().idle_edges_managed - edges_before);
	assert_gate(1);
	destroy_map(both.map);
	assert_gate(0);
	counting_driver_free(driver);
}

/** A page on its way from the thread that created its map to the one that puts it. */
struct publication {
	_Atomic(devmap_page *) page;
	_Atomic(bool) over;
	_Atomic(uint32_t) published;
	_Atomic(uint32_t) callbacks;
};

static void count_callback(devmap_page *page, void *data)
{
	struct publication *publication = data;

	(void)page;
	atomic_fetch_add(&publication->callbacks, 1);
}

static void publish_pages(struct publication *publication, struct rng *rng)
{
	static const devmap_pagemap_ops ops = {.page_free = count_callback};
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = DEVMAP_MEMORY_DEVICE_HOST,
		.backing = DEVMAP_BACKING_RESERVED,
		.length = PAGE_BYTES,
	};
	devmap_pagemap *map;
	devmap_page *page;
	uint32_t rounds;

	if (managed_types[0] != DEVMAP_MEMORY_DEVICE_FS_DAX) {
		config.type = managed_types[0];
		if (config.type == DEVMAP_MEMORY_DEVICE_PRIVATE)
			config.backing = DEVMAP_BACKING_INACCESSIBLE;
		config.ops = &ops;
		config.data = publication;
	}
	for (rounds = scaled(2000); rounds > 0; rounds--) {
		if (!check(devmap_memremap_pages(&config, &map) == 0))
			break;
		if (config.ops == NULL)
			check(devmap_fs_dax_claim(map, publication, &ops) == 0);
		check(devmap_pagemap_get_pages(map, 0, 1, &page) == 0);
		atomic_fetch_add(&publication->published, 1);
		atomic_store_explicit(&publication->page, page, memory_order_release);
		perturb(rng);
		check(devmap_memunmap_pages(map, DEVMAP_WAIT_FOREVER, NULL, NULL) == 0);
		check(devmap_pagemap_free(map) == 0);
	}
	atomic_store(&publication->over, true);
}

static void publish_or_put(void *shared, uint32_t index, struct rng *rng)
{
	struct publication *publication = shared;
	devmap_page *page;

	if (index == 0) {
		publish_pages(publication, rng);
		return;
	}
	while (!atomic_load(&publication->over)) {
		if (index == 1) {
			page = atomic_exchange_explicit(&publication->page, NULL, memory_order_acquire);
			if (page != NULL)
				check(devmap_put_managed_page(page));
			else
				(void)sched_yield();
			continue;
		}
		check(devmap_pagemap_get_ops() == 0);
		perturb(rng);
		check(devmap_pagemap_put_ops() == 0);
	}
}

static void a_page_published_after_the_gate_was_taken_is_seen_as_managed(void **state)
{
	struct publication publication = {.over = false};

	(void)state;
	run_threads(3, publish_or_put, &publication);
	assert_int_equal(atomic_load(&publication.callbacks), atomic_load(&publication.published));
	assert_gate(0);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
		contract(holding_the_ops_turns_the_gate_on),
		contract(an_unbalanced_put_is_an_error_and_changes_nothing),
		contract(a_put_cannot_end_a_maps_hold),
		contract(a_holder_beyond_the_most_is_refused_and_changes_nothing),
		contract(a_managed_map_holds_the_gate_from_creation_until_teardown),
		contract(a_host_map_does_not_hold_the_gate),
		contract(a_map_whose_teardown_failed_holds_the_gate_still),
#if defined(DEVMAP_CONFIG_DEVICE_PUBLIC) || defined(DEVMAP_CONFIG_DEVICE_PRIVATE)
		contract(a_failed_creation_gives_the_gate_back),
		contract(a_managed_map_is_refused_at_the_most_holders),
#endif
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(a_claim_holds_the_gate_until_its_release),
		contract(a_claim_is_refused_at_the_most_holders),
		contract(tearing_a_claimed_map_down_ends_the_claims_hold),
#endif
		contract(a_callback_may_take_and_give_back_the_ops),
		contract(a_get_that_lands_inside_a_put_finds_the_gate_on),
		contract(a_gate_of_two_variables_is_off_with_a_holder_present),
		contract(every_holder_finds_the_gate_on_in_random_schedules),
		contract(random_schedules_catch_a_gate_of_two_variables),
		contract(every_holder_among_many_threads_finds_the_gate_on),
		contract(users_holds_are_told_from_the_others),
		contract(the_history_has_the_last_changes_oldest_first),
		contract(the_history_misses_no_change_of_many_threads),
		contract(page_puts_find_the_gate_on_while_others_take_and_drop_it),
		contract(a_page_published_after_the_gate_was_taken_is_seen_as_managed),
#else
		contract(managed_types_are_refused),
#endif
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
