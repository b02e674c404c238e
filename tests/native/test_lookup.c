/* SPDX-License-Identifier: MIT */
/* Address -> map, for ranges of every length and alignment, held against a list of ranges; and readers under changes. */
#include "support.h"

#include <sys/mman.h>

#define NR_RANGES 40

struct range {
	devmap_pagemap *map;
	uintptr_t start;
	uint64_t length;
};

struct world {
	uintptr_t base;
	uint64_t length;
	struct range ranges[NR_RANGES];
	struct rng rng;
};

static void world_reserve(struct world *world)
{
	void *memory;

	*world = (struct world){.length = address_space_is_small() ? 4 * GIB : 512 * GIB, .rng = rng_stream(1)};
	memory = mmap(NULL, world->length, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	assert_true(memory != MAP_FAILED);
	world->base = (uintptr_t)memory;
}

static void world_release(struct world *world)
{
	for (uint32_t i = 0; i < NR_RANGES; i++)
		if (world->ranges[i].map)
			destroy_map(world->ranges[i].map);
	assert_int_equal(munmap((void *)world->base, world->length), 0);
}

static devmap_pagemap *map_at(const struct world *world, uintptr_t address)
{
	for (uint32_t i = 0; i < NR_RANGES; i++)
		if (world->ranges[i].map && address - world->ranges[i].start < world->ranges[i].length)
			return world->ranges[i].map;
	return NULL;
}

static bool meets_another(const struct world *world, uintptr_t start, uint64_t length)
{
	for (uint32_t i = 0; i < NR_RANGES; i++) {
		const struct range *range = &world->ranges[i];

		if (range->map && start < range->start + range->length && range->start < start + length)
			return true;
	}
	return false;
}

static void assert_found(const struct world *world, uintptr_t address)
{
	devmap_pagemap *map = devmap_get_pagemap((void *)address, NULL);

	assert_ptr_equal(map, map_at(world, address));
	devmap_put_pagemap(map);
}

/* A length of every order of magnitude, and a start as aligned as it is, or not. */
static void random_range(struct world *world, uintptr_t *start, uint64_t *length)
{
	uint32_t order = rng_below(&world->rng, address_space_is_small() ? 19 : 24);
	uint64_t pages = UINT64_C(1) << order, all = world->length / PAGE_BYTES, first;

	if (rng_below(&world->rng, 2))
		pages += rng_below(&world->rng, (uint32_t)pages);
	first = ((uint64_t)rng_next(&world->rng) << 8 ^ rng_next(&world->rng)) % (all - pages);
	if (rng_below(&world->rng, 2))
		first &= ~((UINT64_C(1) << order) - 1);
	*start = world->base + first * PAGE_BYTES;
	*length = pages * PAGE_BYTES;
}

static void create(struct world *world, struct range *range)
{
	devmap_pagemap_config config = {
		.size = sizeof(config), .type = DEVMAP_MEMORY_DEVICE_HOST, .backing = DEVMAP_BACKING_CALLER};
	uintptr_t start;
	uint64_t length;
	bool meets;
	int result;

	random_range(world, &start, &length);
	meets = meets_another(world, start, length);
	config.address = (void *)start;
	config.length = length;
	result = devmap_memremap_pages(&config, &range->map);
	if (meets) {
		assert_int_equal(result, -EEXIST);
		return;
	}
	assert_ok(result);
	range->start = start;
	range->length = length;
}

/* After every change, at the ends of every range and at random. */
static void every_address_is_found_in_its_map_and_in_no_other(void **state)
{
	struct world world;

	(void)state;
	world_reserve(&world);
	for (uint32_t step = 0; step < scaled(4000); step++) {
		struct range *range = &world.ranges[rng_below(&world.rng, NR_RANGES)];

		if (range->map) {
			devmap_pagemap *map = range->map;

			range->map = NULL;
			destroy_map(map);
		} else {
			create(&world, range);
		}
		for (uint32_t i = 0; i < NR_RANGES; i++) {
			if (!world.ranges[i].map)
				continue;
			assert_found(&world, world.ranges[i].start);
			assert_found(&world, world.ranges[i].start - 1);
			assert_found(&world, world.ranges[i].start + world.ranges[i].length - 1);
			assert_found(&world, world.ranges[i].start + world.ranges[i].length);
		}
		for (uint32_t i = 0; i < 20; i++)
			assert_found(&world, world.base + rng_next(&world.rng) % world.length);
	}
	world_release(&world);
}

static void addresses_that_no_process_has_are_refused(void **state)
{
	devmap_pagemap_config config = {
		.size = sizeof(config), .type = DEVMAP_MEMORY_DEVICE_HOST, .backing = DEVMAP_BACKING_CALLER};
	devmap_pagemap *map = NULL;

	(void)state;
	config.address = (void *)(UINT64_C(1) << 57);
	config.length = PAGE_BYTES;
	assert_error(devmap_memremap_pages(&config, &map), EINVAL);
	config.address = (void *)((UINT64_C(1) << 57) - PAGE_BYTES);
	config.length = 2 * PAGE_BYTES;
	assert_error(devmap_memremap_pages(&config, &map), EINVAL);
	config.address = (void *)(0 - (uintptr_t)PAGE_BYTES);
	config.length = PAGE_BYTES;
	assert_error(devmap_memremap_pages(&config, &map), EINVAL);
	assert_null(map);
	assert_null(devmap_get_pagemap((void *)(UINT64_C(1) << 57), NULL));
	assert_null(devmap_get_pagemap((void *)UINTPTR_MAX, NULL));
	assert_null(devmap_get_pagemap(NULL, NULL));
}

struct churn {
	struct world world;
	struct range stable[2];
	_Atomic(bool) done;
	uint32_t rounds;
};

static devmap_pagemap *create_at(uintptr_t start, uint64_t length)
{
	devmap_pagemap_config config = {.size = sizeof(config),
		.type = DEVMAP_MEMORY_DEVICE_HOST,
		.backing = DEVMAP_BACKING_CALLER,
		.address = (void *)start,
		.length = length};
	devmap_pagemap *map = NULL;

	check(devmap_memremap_pages(&config, &map) == 0);
	return map;
}

/*
 * Thread 0 lets maps come and go, so that nodes are emptied and used elsewhere; the others look up maps that stay, which
 * they must find, and addresses that never had one, where they must find none.
 */
static void change_or_look_up(void *shared, uint32_t index, struct rng *rng)
{
	struct churn *churn = shared;
	uintptr_t base = churn->world.base;

	for (uint32_t i = 0; index == 0 && i < churn->rounds; i++) {
		/* Beside the first that stays, in nodes of their own, and far away. */
		uintptr_t at = base + (2 + 3 * rng_below(rng, 200)) * 16 * PAGE_BYTES;
		uint64_t length = (1 + rng_below(rng, 20)) * PAGE_BYTES;
		devmap_pagemap *near = create_at(at, length), *far = create_at(at + GIB, length);

		destroy_map(near);
		destroy_map(far);
	}
	if (index == 0)
		atomic_store(&churn->done, true);
	while (index != 0 && !atomic_load(&churn->done)) {
		const struct range *range = &churn->stable[rng_below(rng, 2)];
		devmap_pagemap *map = devmap_get_pagemap((void *)(range->start + rng_next(rng) % range->length), NULL);

		check(map == range->map);
		devmap_put_pagemap(map);
		/* The 16 pages before each place where maps come. */
		check(!devmap_get_pagemap((void *)(base + (1 + 3 * rng_below(rng, 200)) * 16 * PAGE_BYTES), NULL));
	}
}

static void maps_that_stay_are_found_while_others_come_and_go(void **state)
{
	struct churn churn = {.rounds = scaled(20000)};

	(void)state;
	world_reserve(&churn.world);
	churn.stable[0] = (struct range){.start = churn.world.base, .length = 5 * PAGE_BYTES};
	churn.stable[1] = (struct range){.start = churn.world.base + 3 * GIB + PAGE_BYTES, .length = 700 * MIB};
	for (uint32_t i = 0; i < 2; i++)
		churn.stable[i].map = create_at(churn.stable[i].start, churn.stable[i].length);
	run_threads(3, change_or_look_up, &churn);
	for (uint32_t i = 0; i < 2; i++)
		destroy_map(churn.stable[i].map);
	world_release(&churn.world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(every_address_is_found_in_its_map_and_in_no_other),
		contract(addresses_that_no_process_has_are_refused),
		contract(maps_that_stay_are_found_while_others_come_and_go),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
