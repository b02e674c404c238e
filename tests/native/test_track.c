/* SPDX-License-Identifier: MIT */
/* Levels, and who holds a page: references that are followed from the get to the put. */
#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define NR_PAGES 64

/* The events of a history, the latest first. */
#define HISTORY2(last, before) ((uint64_t)(last) | (uint64_t)(before) << 4)
#define HISTORY4(last, second, third, fourth) (HISTORY2(last, second) | HISTORY2(third, fourth) << 8)

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint32_t this_thread_id(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

/* A world at a level of its own, which world_close() finds as it was. */
static int level_before;

static int full_open(void **state)
{
	level_before = devmap_get_level();
	assert_int_equal(world_open(state), 0);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_FULL));
	return 0;
}

static int full_close(void **state)
{
	devmap_reference left[4];
	uint64_t found = 1;

	assert_ok(devmap_set_level(level_before));
	assert_ok(devmap_track_read(NULL, 0, 0, 0, left, ARRAY_LENGTH(left), &found));
	assert_int_equal(found, 0);
	return world_close(state);
}

#define at_full(function) cmocka_unit_test_setup_teardown(function, full_open, full_close)

/* Reads what is followed of a map. */
static uint64_t read_map(devmap_pagemap *map, devmap_reference *references, uint64_t capacity)
{
	uint64_t found = UINT64_MAX;

	assert_ok(devmap_track_read(map, 0, UINT64_MAX, 0, references, capacity, &found));
	return found;
}

/* ---- levels ---- */

static void levels_that_are_none_are_refused(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	int32_t level = devmap_get_level();

	(void)state;
	assert_error(devmap_set_level(DEVMAP_LEVEL_INHERIT), EINVAL);
	assert_error(devmap_set_level(DEVMAP_LEVEL_FULL + 1), EINVAL);
	assert_error(devmap_pagemap_set_level(map, DEVMAP_LEVEL_INHERIT - 1), EINVAL);
	assert_error(devmap_pagemap_set_level(map, DEVMAP_LEVEL_FULL + 1), EINVAL);
	assert_error(devmap_pagemap_set_level(NULL, DEVMAP_LEVEL_FULL), EINVAL);
	assert_int_equal(devmap_get_level(), level);
	assert_int_equal(devmap_pagemap_get_level(map), DEVMAP_LEVEL_INHERIT);
	assert_int_equal(devmap_pagemap_get_level(NULL), DEVMAP_LEVEL_INHERIT);
	destroy_map(map);
}

static void the_key_is_on_while_anybody_follows(void **state)
{
	devmap_pagemap *map = create_host_map(1), *other = create_host_map(1);

	(void)state;
	assert_int_equal(devmap_static_key_count(&devmap_track_key), 0);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_SAMPLED));
	assert_int_equal(devmap_static_key_count(&devmap_track_key), 1);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_FULL));
	assert_ok(devmap_pagemap_set_level(map, DEVMAP_LEVEL_SAMPLED));
	assert_ok(devmap_pagemap_set_level(other, DEVMAP_LEVEL_FULL));
	assert_int_equal(devmap_static_key_count(&devmap_track_key), 3);
	assert_ok(devmap_pagemap_set_level(map, DEVMAP_LEVEL_COUNTERS));
	assert_int_equal(devmap_static_key_count(&devmap_track_key), 2);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_OFF));
	assert_int_equal(devmap_static_key_count(&devmap_track_key), 1);
	/* The map takes its hold with it. */
	assert_ok(devmap_memunmap_pages(other, 0, NULL, NULL));
	assert_int_equal(devmap_static_key_count(&devmap_track_key), 0);
	assert_error(devmap_pagemap_set_level(other, DEVMAP_LEVEL_FULL), ENODEV);
	assert_int_equal(devmap_pagemap_get_level(other), DEVMAP_LEVEL_INHERIT);
	assert_ok(devmap_pagemap_free(other));
	destroy_map(map);
	assert_int_equal(devmap_static_key_count(&devmap_track_key), 0);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
}

/* One thread tears maps down that have a level; the other frees each as soon as it can, and makes another in its memory. */
struct relay {
	devmap_pagemap *map;
	/* Maps made, and maps torn down. */
	_Atomic(uint32_t) made;
	_Atomic(uint32_t) gone;
	uint32_t rounds;
};

static void tear_down_and_free(void *shared, uint32_t index, struct rng *rng)
{
	struct relay *relay = shared;

	(void)rng;
	for (uint32_t i = 1; i <= relay->rounds; i++) {
		devmap_pagemap *map;

		if (index == 0) {
			while (relay->made < i)
				sched_yield();
			check(devmap_memunmap_pages(relay->map, 0, NULL, NULL) == 0);
			relay->gone = i;
			continue;
		}
		relay->map = create_host_map(1);
		check(devmap_pagemap_set_level(relay->map, DEVMAP_LEVEL_FULL) == 0);
		relay->made = i;
		/* At once, mostly; but not for a whole time slice of the other one's processor. */
		for (uint32_t tries = 1; devmap_pagemap_free(relay->map) != 0; tries++)
			if (tries % 256 == 0)
				sched_yield();
		map = create_host_map(1);
		check(devmap_pagemap_set_level(map, DEVMAP_LEVEL_SAMPLED) == 0);
		while (relay->gone < i)
			sched_yield();
		check(devmap_pagemap_get_level(map) == DEVMAP_LEVEL_SAMPLED);
		destroy_map(map);
		check(devmap_static_key_count(&devmap_track_key) == 0);
	}
}

static void a_teardown_leaves_the_level_of_the_next_map_alone(void **state)
{
	struct relay relay = {.rounds = scaled(2000)};

	(void)state;
	run_threads(2, tear_down_and_free, &relay);
	assert_int_equal(devmap_static_key_count(&devmap_track_key), 0);
}

static void a_map_has_its_own_level_or_the_process(void **state)
{
	devmap_pagemap *loud = create_host_map(1), *quiet = create_host_map(1);

	(void)state;
	assert_ok(devmap_pagemap_set_level(loud, DEVMAP_LEVEL_FULL));
	take_page(loud, 0);
	take_page(quiet, 0);
	assert_int_equal(read_map(loud, NULL, 0), 1);
	assert_int_equal(read_map(quiet, NULL, 0), 0);
	devmap_put_page(&loud->pages[0]);
	devmap_put_page(&quiet->pages[0]);

	assert_ok(devmap_set_level(DEVMAP_LEVEL_FULL));
	assert_ok(devmap_pagemap_set_level(loud, DEVMAP_LEVEL_OFF));
	take_page(loud, 0);
	take_page(quiet, 0);
	assert_int_equal(read_map(loud, NULL, 0), 0);
	assert_int_equal(read_map(quiet, NULL, 0), 1);
	devmap_put_page(&loud->pages[0]);
	devmap_put_page(&quiet->pages[0]);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
	destroy_map(loud);
	destroy_map(quiet);
}

static void sampled_follows_one_activation_in_128(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	uint32_t followed = 0;

	(void)state;
	assert_ok(devmap_pagemap_set_level(map, DEVMAP_LEVEL_SAMPLED));
	for (uint32_t i = 0; i < 10 * DEVMAP_SAMPLE_PERIOD; i++) {
		devmap_page *page = devmap_pagemap_get_page_fast(map, i % NR_PAGES);

		/* As a language layer does; and every second one the long way. */
		if (!page || i % 2) {
			if (page)
				devmap_put_page(page);
			page = take_page(map, i % NR_PAGES);
		}
		followed += (uint32_t)read_map(map, NULL, 0);
		devmap_put_page(page);
	}
	/* The activations of those that were put at once count too. */
	assert_in_range(followed, 10, 15);
	destroy_map(map);
}

static void a_page_is_followed_from_its_activation_to_its_edge(void **state)
{
	devmap_pagemap *map = create_host_map(2);
	devmap_page *before, *since;

	(void)state;
	assert_ok(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
	before = take_page(map, 0);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_FULL));
	since = take_page(map, 1);
	devmap_get_page(before);
	assert_int_equal(read_map(map, NULL, 0), 1);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_OFF));
	devmap_get_page(since);
	assert_int_equal(read_map(map, NULL, 0), 2);
	devmap_put_page_refs(before, 2);
	devmap_put_page_refs(since, 2);
	assert_int_equal(read_map(map, NULL, 0), 0);
	take_page(map, 1);
	assert_int_equal(read_map(map, NULL, 0), 0);
	devmap_put_page(since);
	destroy_map(map);
}

/* ---- what a reference says ---- */

static __attribute__((noinline)) devmap_page *take_here(devmap_pagemap *map, uint64_t index)
{
	devmap_page *page = take_page(map, index);

	/* Not a tail call, which would leave no frame. */
	__asm__ volatile("" ::: "memory");
	return page;
}

/* Whether a stack goes through the first bytes of a function. */
static bool goes_through(uint32_t stack, const void *function, uintptr_t bytes)
{
	const void *frames[DEVMAP_STACK_FRAMES];
	uint32_t n = devmap_stack_read(stack, frames, ARRAY_LENGTH(frames));

	for (uint32_t i = 0; i < n; i++)
		if ((uintptr_t)frames[i] - (uintptr_t)function < bytes)
			return true;
	return false;
}

static void a_reference_says_who_when_and_where(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	uint64_t before = now_ns();
	char name[DEVMAP_THREAD_NAME] = "", mine[DEVMAP_THREAD_NAME] = "";
	devmap_reference reference;
	devmap_page *page;

	(void)state;
	assert_int_equal(prctl(PR_GET_NAME, mine), 0);
	page = take_here(map, 7);
	assert_int_equal(read_map(map, &reference, 1), 1);
	assert_true(reference.id != 0);
	assert_ptr_equal(reference.pgmap, map);
	assert_int_equal(reference.index, 7);
	assert_int_equal(reference.owner, 0);
	assert_in_range(reference.taken_ns, before, now_ns());
	assert_int_equal(reference.nr_refs, 1);
	assert_int_equal(reference.thread, this_thread_id());
	assert_int_equal(reference.activated, 1);
	assert_int_equal(reference.history, DEVMAP_PAGE_EVENT_ACTIVATED);
	memcpy(name, reference.thread_name, sizeof(name));
	assert_string_equal(name, mine);
	assert_true(goes_through(reference.stack, (const void *)(uintptr_t)take_here, 256));
	devmap_put_page(page);
	destroy_map(map);
}

static void frame_pointers_find_the_caller_too(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_reference reference = {.stack = 0};

	(void)state;
	assert_ok(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
	assert_ok(devmap_pagemap_set_level(map, DEVMAP_LEVEL_SAMPLED));
	while (read_map(map, &reference, 1) == 0) {
		devmap_page *page = take_here(map, 0);

		if (read_map(map, &reference, 1) == 1)
			assert_true(goes_through(reference.stack, (const void *)(uintptr_t)take_here, 256));
		devmap_put_page(page);
		if (reference.stack)
			break;
	}
	assert_true(reference.stack != 0);
	destroy_map(map);
}

#define FIBER_BYTES ((size_t)256 * 1024)

/* A stack that the thread was not given, as a coroutine's, and above it memory that nobody may read. */
struct fiber {
	devmap_pagemap *map;
	char *memory;
	ucontext_t outside, inside;
	uint32_t stack;
	bool done;
};

static struct fiber *this_fiber;

static __attribute__((noinline)) void take_in_fiber(void)
{
	struct fiber *fiber = this_fiber;
	uintptr_t *frame = __builtin_frame_address(0);
	uintptr_t outer = frame[0];
	devmap_page *page;

	/* As code leaves it that was compiled without frame pointers. */
	frame[0] = (uintptr_t)fiber->memory + FIBER_BYTES + PAGE_BYTES;
	__asm__ volatile("" ::: "memory");
	page = take_page(fiber->map, 0);
	fiber->stack = devmap_own_references(page, 1, 1);
	devmap_put_owned_pages(page, 1, 1);
	__asm__ volatile("" ::: "memory");
	frame[0] = outer;
	fiber->done = true;
}

static void another_stack_than_the_threads_is_not_walked(void **state)
{
	struct fiber fiber = {.map = create_host_map(1), .stack = 1};

	(void)state;
	fiber.memory = mmap(NULL, 2 * FIBER_BYTES, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_ptr_not_equal(fiber.memory, MAP_FAILED);
	assert_ok(mprotect(fiber.memory, FIBER_BYTES, PROT_READ | PROT_WRITE));
	this_fiber = &fiber;
	/* By the frame pointers: without the unwinder, which knows better. */
	assert_ok(devmap_set_level(DEVMAP_LEVEL_SAMPLED));
	assert_ok(getcontext(&fiber.inside));
	fiber.inside.uc_stack.ss_sp = fiber.memory;
	fiber.inside.uc_stack.ss_size = FIBER_BYTES;
	fiber.inside.uc_link = &fiber.outside;
	for (uint32_t i = 0; i < DEVMAP_SAMPLE_PERIOD; i++) {
		makecontext(&fiber.inside, take_in_fiber, 0);
		fiber.done = false;
		assert_ok(swapcontext(&fiber.outside, &fiber.inside));
		assert_true(fiber.done);
		assert_int_equal(fiber.stack, 0);
	}
	assert_ok(munmap(fiber.memory, 2 * FIBER_BYTES));
	destroy_map(fiber.map);
}

static void the_same_stack_is_kept_once(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	devmap_reference references[NR_PAGES];

	(void)state;
	for (uint64_t i = 0; i < NR_PAGES; i++)
		take_here(map, i);
	assert_int_equal(read_map(map, references, NR_PAGES), NR_PAGES);
	for (uint64_t i = 1; i < NR_PAGES; i++)
		assert_int_equal(references[i].stack, references[0].stack);
	devmap_put_pages(&map->pages[0], NR_PAGES);
	destroy_map(map);
}

static void stacks_that_are_none_are_refused(void **state)
{
	const void *frames[1];
	char text[8];

	(void)state;
	assert_int_equal(devmap_stack_read(0, frames, 1), 0);
	assert_int_equal(devmap_stack_read(UINT32_MAX, frames, 1), 0);
	assert_error(devmap_symbolize(&text, NULL, 8), EINVAL);
	assert_error(devmap_symbolize(&text, text, 0), EINVAL);
	/* Cut, and zero-terminated; the whole would be longer. */
	assert_true(devmap_symbolize((const char *)(uintptr_t)devmap_version + 1, text, sizeof(text)) >= 8);
	assert_int_equal(strlen(text), 7);
	/* Code of no file. */
	assert_true(devmap_symbolize((const void *)4097, text, sizeof(text)) > 0);
	assert_string_equal(text, "0x1001");
}

static void the_count_is_the_same_as_of_other_pages(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);

	(void)state;
	assert_int_equal(devmap_page_count(page), 2);
	devmap_get_page_refs(page, 3);
	assert_int_equal(devmap_page_count(page), 5);
	assert_ok(devmap_try_get_page(page));
	assert_int_equal(devmap_page_count(page), 6);
	devmap_put_page_refs(page, 5);
	assert_int_equal(devmap_page_count(page), 1);
	assert_int_equal(refcount_of(page), 0);
	destroy_map(map);
}

/* ---- which reference a put ends ---- */

struct handing {
	devmap_pagemap *map;
	_Atomic(uint32_t) thread;
};

static void *share_and_leave(void *argument)
{
	struct handing *handing = argument;

	devmap_get_page(&handing->map->pages[0]);
	handing->thread = this_thread_id();
	return NULL;
}

static void a_put_ends_its_threads_latest_reference_else_the_oldest(void **state)
{
	struct handing handing = {.map = create_host_map(1)};
	devmap_page *page = take_page(handing.map, 0);
	devmap_reference references[4];
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, share_and_leave, &handing), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	devmap_get_page_refs(page, 2);
	assert_int_equal(read_map(handing.map, references, 4), 3);
	/* One of the two that were taken together. */
	devmap_put_page(page);
	assert_int_equal(read_map(handing.map, references, 4), 3);
	devmap_put_page(page);
	assert_int_equal(read_map(handing.map, references, 4), 2);
	devmap_put_page(page);
	assert_int_equal(read_map(handing.map, references, 4), 1);
	assert_int_equal(references[0].thread, handing.thread);
	assert_int_equal(references[0].activated, 0);
	/* What another thread handed over. */
	devmap_put_page(page);
	assert_int_equal(read_map(handing.map, references, 4), 0);
	destroy_map(handing.map);
}

static void an_owner_ends_its_own_references(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_reference references[8];
	devmap_page *pages;
	uint32_t stack;

	(void)state;
	assert_ok(devmap_pagemap_get_pages(map, 0, 4, &pages));
	stack = devmap_own_references(pages, 4, 77);
	assert_true(stack != 0);
	assert_int_equal(devmap_own_references(pages, 0, 78), 0);
	assert_int_equal(devmap_own_references(pages, 4, 0), 0);
	assert_int_equal(devmap_own_references(NULL, 4, 78), 0);
	devmap_get_page(&pages[1]);
	assert_int_equal(read_map(map, references, 8), 5);
	/* The one without an owner, though the other is as much this thread's. */
	devmap_put_page(&pages[1]);
	assert_int_equal(read_map(map, references, 8), 4);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(references[i].owner, 77);
		assert_int_equal(references[i].stack, stack);
	}
	devmap_put_owned_pages(pages, 4, 77);
	assert_int_equal(read_map(map, references, 8), 0);
	for (uint32_t i = 0; i < 4; i++)
		assert_int_equal(devmap_page_count(&pages[i]), 1);
	destroy_map(map);
}

/* ---- histories ---- */

static void a_history_has_the_last_events(void **state)
{
	devmap_pagemap *map = create_host_map(2);
	devmap_page *page = take_page(map, 0);

	(void)state;
	devmap_get_page(page);
	devmap_put_page(page);
	devmap_put_page(page);
	assert_int_equal(devmap_page_history(map, 0), HISTORY4(DEVMAP_PAGE_EVENT_IDLE, DEVMAP_PAGE_EVENT_DROPPED,
							      DEVMAP_PAGE_EVENT_SHARED, DEVMAP_PAGE_EVENT_ACTIVATED));
	assert_int_equal(devmap_page_history(map, 1), 0);
	assert_int_equal(devmap_page_history(map, 2), 0);
	assert_int_equal(devmap_page_history(NULL, 0), 0);
	for (uint32_t i = 0; i < DEVMAP_PAGE_HISTORY; i++)
		devmap_put_page(take_page(map, 0));
	for (uint32_t i = 0; i < DEVMAP_PAGE_HISTORY; i += 2)
		assert_int_equal(devmap_page_history(map, 0) >> 4 * i & 0xff,
				 HISTORY2(DEVMAP_PAGE_EVENT_IDLE, DEVMAP_PAGE_EVENT_ACTIVATED));
	destroy_map(map);
	assert_int_equal(devmap_page_history(map, 0), 0);
}

#ifdef DEVMAP_CONFIG_FS_DAX
static void a_break_is_in_the_history_of_its_pages(void **state)
{
	struct counting_driver *driver = counting_driver_new(2);
	devmap_pagemap *map = create_host_map(2);
	devmap_layout_break layout_break;
	devmap_page *refused;

	(void)state;
	assert_ok(devmap_fs_dax_claim(map, driver, &counting_ops));
	devmap_put_page(take_page(map, 1));
	assert_ok(devmap_fs_dax_break_layouts(map, driver, 0, 2, 0, NULL, &layout_break));
	assert_error(devmap_pagemap_get_pages(map, 1, 1, &refused), EAGAIN);
	devmap_fs_dax_end_break(&layout_break);
	assert_int_equal(devmap_page_history(map, 1),
			 HISTORY4(DEVMAP_PAGE_EVENT_UNMARKED, DEVMAP_PAGE_EVENT_REFUSED, DEVMAP_PAGE_EVENT_MARKED,
				  DEVMAP_PAGE_EVENT_FREED) |
				 HISTORY2(DEVMAP_PAGE_EVENT_IDLE, DEVMAP_PAGE_EVENT_ACTIVATED) << 16);
	/* The other was never in use. */
	assert_int_equal(devmap_page_history(map, 0), 0);
	assert_ok(devmap_fs_dax_release(map, driver));
	destroy_map(map);
	counting_driver_free(driver);
}
#endif

static void a_map_takes_its_histories_with_it(void **state)
{
	static _Alignas(PAGE_BYTES) char memory[4 * PAGE_BYTES];
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = DEVMAP_MEMORY_DEVICE_HOST,
		.backing = DEVMAP_BACKING_CALLER,
		.address = memory,
		.length = sizeof(memory),
	};

	(void)state;
	for (uint32_t i = 0; i < 3; i++) {
		devmap_pagemap *map;

		assert_ok(devmap_memremap_pages(&config, &map));
		for (uint32_t index = 0; index < 4; index++) {
			assert_int_equal(devmap_page_history(map, index), 0);
			devmap_put_page(take_page(map, index));
			assert_true(devmap_page_history(map, index) != 0);
		}
		destroy_map(map);
	}
}

/* ---- held for too long ---- */

static void what_is_held_too_long_is_reported_once(void **state)
{
	devmap_pagemap *map = create_host_map(NR_PAGES);
	devmap_reference reference;
	uint64_t found;

	(void)state;
	for (uint64_t i = 0; i < NR_PAGES; i++)
		take_page(map, i);
	assert_int_equal(devmap_report_held(UINT64_MAX), 0);
	assert_ok(devmap_track_read(map, 0, NR_PAGES, UINT64_MAX / 2, NULL, 0, &found));
	assert_int_equal(found, 0);
	assert_int_equal(devmap_report_held(0), NR_PAGES);
	assert_int_equal(take_faults(DEVMAP_FAULT_LEAK_HELD), NR_PAGES);
	assert_int_equal(devmap_report_held(0), 0);
	take_page(map, 5);
	assert_int_equal(devmap_report_held(0), 1);
	assert_int_equal(take_faults(DEVMAP_FAULT_LEAK_HELD), 1);
	assert_ok(devmap_track_read(map, 5, 1, 0, &reference, 1, &found));
	assert_int_equal(found, 2);
	/* The latest first. */
	assert_int_equal(last_fault().reference, reference.id);
	assert_int_equal(last_fault().index, 5);
	assert_ptr_equal(last_fault().pgmap, map);
	devmap_put_page(&map->pages[5]);
	devmap_put_pages(&map->pages[0], NR_PAGES);
	destroy_map(map);
}

static void bad_readings_are_refused(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	uint64_t found = 7;

	(void)state;
	assert_error(devmap_track_read(map, 0, 1, 0, NULL, 1, &found), EINVAL);
	assert_error(devmap_track_read(map, 0, 1, 0, NULL, 0, NULL), EINVAL);
	assert_int_equal(found, 7);
	assert_ok(devmap_track_read(map, 1, 1, 0, NULL, 0, &found));
	assert_int_equal(found, 0);
	destroy_map(map);
}

/* ---- bounds ---- */

static void more_references_than_there_is_room_for_are_counted(void **state)
{
	const uint64_t room = 1u << 20, n = room + 100;
	devmap_pagemap *map;
	devmap_page *pages;

	(void)state;
	if (runs_slowly())
		return;
	map = create_host_map(n);
	assert_ok(devmap_pagemap_get_pages(map, 0, n, &pages));
	assert_int_equal(read_map(map, NULL, 0), room);
	assert_true(stats_now().references_untracked >= 100);
	for (uint64_t i = 0; i < n; i += 1000)
		assert_int_equal(devmap_page_count(&pages[i]), 2);
	devmap_put_pages(pages, n);
	assert_int_equal(read_map(map, NULL, 0), 0);
	/* Records of idle pages serve others. */
	devmap_put_page(take_page(map, n - 1));
	assert_int_equal(devmap_page_history(map, n - 1),
			 HISTORY2(DEVMAP_PAGE_EVENT_IDLE, DEVMAP_PAGE_EVENT_ACTIVATED));
	destroy_map(map);
}

static void a_page_with_millions_of_users_is_followed_no_more(void **state)
{
	const uint32_t many = 1u << 26;
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);

	(void)state;
	devmap_get_page_refs(page, many);
	assert_int_equal(devmap_page_count(page), many + 2);
	assert_int_equal(read_map(map, NULL, 0), 0);
	devmap_put_page_refs(page, many);
	assert_int_equal(devmap_page_count(page), 2);
	devmap_put_page(page);
	destroy_map(map);
}

static void a_put_too_many_is_a_fault_as_of_any_page(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);

	(void)state;
	devmap_put_page_refs(page, 3);
	assert_int_equal(take_faults(DEVMAP_FAULT_UNDERFLOW), 1);
	assert_int_equal(last_fault().count, -1);
	assert_true(devmap_page_history(map, 0) % 16 == DEVMAP_PAGE_EVENT_SATURATED);
	/* Mended, so that the map can go. */
	set_refcount(page, 1);
	devmap_put_page(page);
	destroy_map(map);
}

/* ---- many threads ---- */

#define STRESS_PAGES 8

struct stress {
	devmap_pagemap *map;
	_Atomic(uint64_t) taken;
};

static void share_and_drop(struct stress *stress, struct rng *rng)
{
	devmap_page *page, *pages;
	uint32_t more;

	switch (rng_below(rng, 3)) {
	case 0:
		if (devmap_pagemap_get_pages(stress->map, 0, STRESS_PAGES, &pages) != 0)
			return;
		if (rng_below(rng, 2)) {
			uint64_t owner = atomic_fetch_add(&stress->taken, 1) + 1;

			(void)devmap_own_references(pages, STRESS_PAGES, owner);
			perturb(rng);
			devmap_put_owned_pages(pages, STRESS_PAGES, owner);
		} else {
			devmap_put_pages(pages, STRESS_PAGES);
		}
		return;
	case 1:
		page = devmap_pagemap_get_page_fast(stress->map, rng_below(rng, STRESS_PAGES));
		if (page)
			devmap_put_page(page);
		return;
	default:
		if (devmap_pagemap_get_pages(stress->map, rng_below(rng, STRESS_PAGES), 1, &page) != 0)
			return;
		more = rng_below(rng, 3);
		devmap_get_page_refs(page, more);
		perturb(rng);
		check(devmap_page_count(page) >= 2 + (int32_t)more);
		devmap_put_page_refs(page, more);
		devmap_put_page(page);
	}
}

/* Thread 0 changes levels, thread 1 reads; the others share and drop. */
static void follow_under_load(void *shared, uint32_t index, struct rng *rng)
{
	struct stress *stress = shared;
	devmap_reference references[16];
	uint64_t found;

	for (uint32_t i = 0; i < scaled(20000); i++) {
		if (index == 0 && i % 16 == 0) {
			check(devmap_set_level((int32_t)rng_below(rng, 4)) == 0);
			check(devmap_pagemap_set_level(stress->map, (int32_t)rng_below(rng, 5) - 1) == 0);
		} else if (index == 1) {
			check(devmap_track_read(rng_below(rng, 2) ? stress->map : NULL, 0, STRESS_PAGES,
						rng_below(rng, 2) ? 1 : 0, references, 16, &found) == 0);
			(void)devmap_page_history(stress->map, rng_below(rng, STRESS_PAGES));
			for (uint64_t n = 0; n < found && n < 16; n++)
				check(references[n].id != 0 && references[n].index < STRESS_PAGES);
		} else {
			share_and_drop(stress, rng);
		}
	}
}

static void nothing_is_lost_while_levels_change(void **state)
{
	struct stress stress = {.map = create_host_map(STRESS_PAGES)};
	int32_t level = devmap_get_level();

	(void)state;
	run_threads(5, follow_under_load, &stress);
	assert_ok(devmap_set_level(level));
	assert_int_equal(read_map(stress.map, NULL, 0), 0);
	for (uint32_t i = 0; i < STRESS_PAGES; i++)
		assert_int_equal(refcount_of(&stress.map->pages[i]), 0);
	destroy_map(stress.map);
}

/* Takes a page in the ways there are, and looks for its own reference. */
static void hold_and_look(void *shared, uint32_t index, struct rng *rng)
{
	devmap_pagemap *map = shared;

	(void)index;
	for (uint32_t i = 0; i < scaled(100000); i++) {
		devmap_page *page = NULL;
		devmap_reference references[16];
		uint64_t found = 0, mine = 0;

		if (rng_below(rng, 2))
			page = devmap_pagemap_get_page_fast(map, 0);
		if (!page)
			check(devmap_pagemap_get_pages(map, 0, 1, &page) == 0);
		check(devmap_track_read(map, 0, 1, 0, references, ARRAY_LENGTH(references), &found) == 0);
		for (uint64_t n = 0; n < found && n < ARRAY_LENGTH(references); n++)
			mine += references[n].thread == this_thread_id();
		check(mine == 1);
		devmap_put_page(page);
	}
}

static void all_references_are_followed_while_a_page_comes_and_goes(void **state)
{
	devmap_pagemap *map = create_host_map(1);

	(void)state;
	run_threads(3, hold_and_look, map);
	destroy_map(map);
}

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
static void so_are_those_of_a_managed_page(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap *map = create_managed_map(1, &counting_ops, driver);

	(void)state;
	run_threads(3, hold_and_look, map);
	destroy_map(map);
	counting_driver_free(driver);
}
#endif

/* Maps come and go, each followed by a level of its own, while a thread reads whatever is followed. */
static void come_and_go(void *shared, uint32_t index, struct rng *rng)
{
	devmap_reference references[64];
	uint64_t found;

	(void)shared;
	for (uint32_t i = 0; i < scaled(2000); i++) {
		devmap_pagemap *map;

		if (index == 0) {
			check(devmap_track_read(NULL, 0, 0, 0, references, 64, &found) == 0);
			continue;
		}
		map = create_host_map(STRESS_PAGES);
		check(devmap_pagemap_set_level(map, DEVMAP_LEVEL_SAMPLED + (int32_t)rng_below(rng, 2)) == 0);
		for (uint32_t n = 0; n < 32; n++)
			devmap_put_page(take_page(map, rng_below(rng, STRESS_PAGES)));
		destroy_map(map);
	}
}

static void maps_come_and_go_while_others_are_read(void **state)
{
	(void)state;
	run_threads(4, come_and_go, NULL);
	assert_int_equal(devmap_static_key_count(&devmap_track_key), 0);
}

/* A child that is forked while other threads hold the table's locks goes on by itself. */
static int take_in_child(void)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_reference reference;
	uint64_t found = 0;

	for (uint32_t i = 0; i < 100; i++)
		devmap_put_page(take_page(map, 0));
	take_page(map, 0);
	if (devmap_track_read(map, 0, 1, 0, &reference, 1, &found) != 0 || found != 1)
		return 1;
	return reference.thread == this_thread_id() ? 0 : 2;
}

static void fork_under_load(void *shared, uint32_t index, struct rng *rng)
{
	struct stress *stress = shared;

	for (uint32_t i = 0; index == 0 && i < 20; i++)
		check(status_of_child(take_in_child) == 0);
	for (uint32_t i = 0; index != 0 && i < 20000; i++)
		share_and_drop(stress, rng);
}

static void a_forked_child_follows_its_own(void **state)
{
	struct stress stress = {.map = create_host_map(STRESS_PAGES)};

	(void)state;
	/* ThreadSanitizer refuses threads in a forked child, and its locks. */
	if (!runs_slowly())
		run_threads(3, fork_under_load, &stress);
	destroy_map(stress.map);
}

int main(void)
{
	const struct CMUnitTest levels[] = {
		contract_of_counts(levels_that_are_none_are_refused),
		contract_of_counts(the_key_is_on_while_anybody_follows),
		contract_of_counts(a_teardown_leaves_the_level_of_the_next_map_alone),
		contract_of_counts(a_map_has_its_own_level_or_the_process),
		contract_of_counts(sampled_follows_one_activation_in_128),
		contract_of_counts(frame_pointers_find_the_caller_too),
		contract_of_counts(maps_come_and_go_while_others_are_read),
		at_full(a_page_is_followed_from_its_activation_to_its_edge),
		at_full(a_reference_says_who_when_and_where),
		at_full(another_stack_than_the_threads_is_not_walked),
		at_full(the_same_stack_is_kept_once),
		at_full(stacks_that_are_none_are_refused),
		at_full(the_count_is_the_same_as_of_other_pages),
		at_full(a_put_ends_its_threads_latest_reference_else_the_oldest),
		at_full(an_owner_ends_its_own_references),
		at_full(a_history_has_the_last_events),
#ifdef DEVMAP_CONFIG_FS_DAX
		at_full(a_break_is_in_the_history_of_its_pages),
#endif
		at_full(a_map_takes_its_histories_with_it),
		at_full(what_is_held_too_long_is_reported_once),
		at_full(bad_readings_are_refused),
		at_full(more_references_than_there_is_room_for_are_counted),
		at_full(a_page_with_millions_of_users_is_followed_no_more),
		at_full(a_put_too_many_is_a_fault_as_of_any_page),
		at_full(nothing_is_lost_while_levels_change),
		at_full(all_references_are_followed_while_a_page_comes_and_goes),
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
		at_full(so_are_those_of_a_managed_page),
#endif
		at_full(a_forked_child_follows_its_own),
	};

	return cmocka_run_group_tests_name("tracked references", levels, NULL, NULL);
}
