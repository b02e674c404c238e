/* SPDX-License-Identifier: MIT */
/* Creating maps, refusing what cannot be one, and finding the way between addresses, maps and pages. */
#include "support.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

/** A range that no memory is behind: a CALLER map never touches it. */
static char *const nowhere = (char *)(uintptr_t)(64 * GIB);

static devmap_pagemap_config host_config(int32_t backing, void *address, uint64_t length)
{
	return (devmap_pagemap_config){
		.size = sizeof(devmap_pagemap_config),
		.type = DEVMAP_MEMORY_DEVICE_HOST,
		.backing = backing,
		.address = address,
		.length = length,
	};
}

static devmap_pagemap *create(const devmap_pagemap_config *config)
{
	devmap_pagemap *map = NULL;

	assert_ok(devmap_memremap_pages(config, &map));
	assert_non_null(map);
	return map;
}

static devmap_pagemap *create_at(void *address, uint64_t nr_pages)
{
	const devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, address, nr_pages * PAGE_BYTES);

	return create(&config);
}

static void assert_refused(const devmap_pagemap_config *config, int error)
{
	devmap_pagemap *untouched = (devmap_pagemap *)&untouched;
	devmap_pagemap *map = untouched;

	assert_error(devmap_memremap_pages(config, &map), error);
	assert_ptr_equal(map, untouched);
}

/* ---- backings ---- */

static void a_map_over_the_callers_memory_leaves_it_as_it_is(void **state)
{
	const size_t length = 4 * PAGE_BYTES;
	unsigned char *memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	devmap_pagemap *map;

	(void)state;
	assert_true(memory != MAP_FAILED);
	memset(memory, 0x77, length);
	map = create_at(memory, 4);
	assert_int_equal(map->start, (uintptr_t)memory);
	assert_int_equal(map->nr_pages, 4);
	assert_int_equal(map->first_page, 0);
	assert_int_equal(map->page_shift, 12);
	assert_int_equal(atomic_load(&map->type), DEVMAP_MEMORY_DEVICE_HOST);
	assert_ptr_equal(devmap_pagemap_page(map, 0), map->pages);
	destroy_map(map);
	assert_int_equal(memory[0], 0x77);
	assert_memory_equal(memory, memory + 1, length - 1);
	assert_ok(munmap(memory, length));
}

static void reserved_memory_is_zeros_that_can_be_written(void **state)
{
	devmap_pagemap *map = create_host_map(16);
	unsigned char *memory = (unsigned char *)map->start;

	(void)state;
	assert_int_equal(memory[0], 0);
	assert_memory_equal(memory, memory + 1, 16 * PAGE_BYTES - 1);
	memset(memory, 0x11, 16 * PAGE_BYTES);
	destroy_map(map);
}

static int touch_inaccessible_memory(void)
{
	const devmap_pagemap_config config = host_config(DEVMAP_BACKING_INACCESSIBLE, NULL, 4 * PAGE_BYTES);
	devmap_pagemap *map;

	if (devmap_memremap_pages(&config, &map) != 0)
		return 2;
	(void)signal(SIGSEGV, SIG_DFL);
	*(volatile char *)map->start = 1;
	return 3;
}

static void touching_inaccessible_memory_is_a_segmentation_fault(void **state)
{
	int status = status_of_child(touch_inaccessible_memory);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
}

static void pages_of_inaccessible_memory_are_counted_like_others(void **state)
{
	const devmap_pagemap_config config = host_config(DEVMAP_BACKING_INACCESSIBLE, NULL, 4 * PAGE_BYTES);
	devmap_pagemap *map = create(&config);
	devmap_page *page = take_page(map, 3);

	(void)state;
	assert_int_equal(devmap_page_count(page), 2);
	devmap_put_page(page);
	destroy_map(map);
}

static void every_page_size_makes_a_map(void **state)
{
	uint64_t page_size;
	devmap_pagemap_config config;
	devmap_pagemap *map;
	devmap_page *page;
	uint64_t i;

	(void)state;
	for (page_size = 4 * KIB; page_size <= GIB; page_size *= 2) {
		config = host_config(DEVMAP_BACKING_INACCESSIBLE, NULL, 3 * page_size);
		config.page_size = page_size;
		map = create(&config);
		assert_int_equal(map->nr_pages, 3);
		assert_int_equal(UINT64_C(1) << map->page_shift, page_size);
		for (i = 0; i < 3; i++) {
			page = devmap_pagemap_page(map, i);
			assert_int_equal(devmap_page_index(page), i);
			assert_int_equal((uintptr_t)devmap_page_address(page), map->start + i * page_size);
			assert_ptr_equal(devmap_virt_to_page((char *)map->start + i * page_size), page);
			assert_ptr_equal(devmap_virt_to_page((char *)map->start + (i + 1) * page_size - 1), page);
		}
		assert_null(devmap_pagemap_page(map, 3));
		destroy_map(map);
	}
}

static void a_page_size_of_zero_is_4_kib(void **state)
{
	devmap_pagemap *map = create_host_map(2);

	(void)state;
	assert_int_equal(map->page_shift, 12);
	destroy_map(map);
}

/* ---- addresses ---- */

static void addresses_and_pages_lead_to_each_other(void **state)
{
	devmap_pagemap *map = create_at(nowhere, 100);
	devmap_page *page;
	uint64_t i;

	(void)state;
	for (i = 0; i < 100; i++) {
		page = devmap_virt_to_page(nowhere + i * PAGE_BYTES + i);
		assert_non_null(page);
		assert_ptr_equal(page, devmap_pagemap_page(map, i));
		assert_ptr_equal(devmap_page_pagemap(page), map);
		assert_ptr_equal(devmap_page_address(page), nowhere + i * PAGE_BYTES);
		assert_int_equal(devmap_page_index(page), i);
	}
	destroy_map(map);
}

static void an_address_outside_every_map_is_not_found(void **state)
{
	devmap_pagemap *map = create_at(nowhere, 2);

	(void)state;
	assert_null(devmap_virt_to_page(nowhere - 1));
	assert_null(devmap_virt_to_page(nowhere + 2 * PAGE_BYTES));
	assert_null(devmap_virt_to_page(NULL));
	assert_null(devmap_virt_to_page((void *)UINTPTR_MAX));
	assert_null(devmap_get_pagemap(nowhere - 1, NULL));
	assert_null(devmap_get_pagemap(nowhere + 2 * PAGE_BYTES, NULL));
	destroy_map(map);
	assert_null(devmap_virt_to_page(nowhere));
	assert_null(devmap_get_pagemap(nowhere, NULL));
}

static uint64_t references_on(devmap_pagemap *map)
{
	devmap_busy_report busy = {.pages = NULL};

	if (devmap_memunmap_pages(map, 0, NULL, &busy) == 0)
		return 0;
	assert_ok(devmap_pagemap_resume(map));
	return busy.nr_references;
}

static void finding_a_map_takes_a_reference_on_it(void **state)
{
	devmap_pagemap *map = create_at(nowhere, 2);

	(void)state;
	assert_ptr_equal(devmap_get_pagemap(nowhere, NULL), map);
	assert_int_equal(references_on(map), 1);
	assert_ptr_equal(devmap_get_pagemap(nowhere + 2 * PAGE_BYTES - 1, NULL), map);
	assert_int_equal(references_on(map), 2);
	devmap_put_pagemap(map);
	assert_int_equal(references_on(map), 1);
	devmap_put_pagemap(map);
	devmap_put_pagemap(NULL);
	destroy_map(map);
}

static void a_cached_map_that_covers_the_address_is_returned_as_it_is(void **state)
{
	devmap_pagemap *map = create_at(nowhere, 2);
	devmap_pagemap *cached = devmap_get_pagemap(nowhere, NULL);

	(void)state;
	assert_ptr_equal(devmap_get_pagemap(nowhere + PAGE_BYTES, cached), map);
	assert_int_equal(references_on(map), 1);
	devmap_put_pagemap(cached);
	destroy_map(map);
}

static void a_cached_map_that_does_not_cover_the_address_moves_its_reference(void **state)
{
	devmap_pagemap *first = create_at(nowhere, 2);
	devmap_pagemap *second = create_at(nowhere + 2 * PAGE_BYTES, 2);
	devmap_pagemap *cached = devmap_get_pagemap(nowhere, NULL);

	(void)state;
	cached = devmap_get_pagemap(nowhere + 2 * PAGE_BYTES, cached);
	assert_ptr_equal(cached, second);
	assert_int_equal(references_on(second), 1);
	destroy_map(first);
	assert_null(devmap_get_pagemap(nowhere + 4 * PAGE_BYTES, cached));
	destroy_map(second);
}

static void a_dying_map_is_not_found(void **state)
{
	devmap_pagemap *map = create_at(nowhere, 2);
	devmap_page *page = take_page(map, 0);

	(void)state;
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_null(devmap_get_pagemap(nowhere, NULL));
	assert_null(devmap_virt_to_page(nowhere));
	assert_ok(devmap_pagemap_resume(map));
	assert_ptr_equal(devmap_virt_to_page(nowhere), page);
	devmap_put_page(page);
	destroy_map(map);
}

static void a_dying_map_keeps_its_range(void **state)
{
	const devmap_pagemap_config same = host_config(DEVMAP_BACKING_CALLER, nowhere, 2 * PAGE_BYTES);
	devmap_pagemap *map = create(&same);
	devmap_page *page = take_page(map, 0);

	(void)state;
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_refused(&same, EEXIST);
	devmap_put_page(page);
	assert_ok(devmap_memunmap_pages(map, 0, NULL, NULL));
	/* Torn down, it gave the range back, its handle notwithstanding. */
	destroy_map(create(&same));
	assert_ok(devmap_pagemap_free(map));
}

static void ten_thousand_maps_are_told_apart(void **state)
{
	const uint32_t nr_maps = runs_slowly() ? 2000 : 10000;
	devmap_pagemap **maps = calloc(nr_maps, sizeof(devmap_pagemap *));
	uint32_t *order = calloc(nr_maps, sizeof(*order));
	struct rng rng = rng_stream(0);
	devmap_pagemap *map = NULL;
	uint32_t i;

	(void)state;
	assert_non_null(maps);
	assert_non_null(order);
	for (i = 0; i < nr_maps; i++) {
		uint32_t other = rng_below(&rng, i + 1);

		order[i] = order[other];
		order[other] = i;
	}
	/* Map i covers page 2i and, if i is odd, page 2i + 1; they are created and destroyed in random orders. */
	for (i = 0; i < nr_maps; i++)
		maps[order[i]] = create_at(nowhere + (uint64_t)order[i] * 2 * PAGE_BYTES, 1 + order[i] % 2);
	for (i = 0; i < nr_maps; i++) {
		char *address = nowhere + (uint64_t)i * 2 * PAGE_BYTES;

		map = devmap_get_pagemap(address + PAGE_BYTES - 1, map);
		assert_ptr_equal(map, maps[i]);
		assert_ptr_equal(devmap_page_pagemap(devmap_virt_to_page(address)), maps[i]);
		if (i % 2 == 0)
			assert_null(devmap_virt_to_page(address + PAGE_BYTES));
		else
			assert_ptr_equal(devmap_virt_to_page(address + PAGE_BYTES), devmap_pagemap_page(maps[i], 1));
	}
	devmap_put_pagemap(map);
	for (i = 0; i < nr_maps; i += 2) {
		destroy_map(maps[order[i]]);
		maps[order[i]] = NULL;
	}
	for (i = 0; i < nr_maps; i++) {
		devmap_page *page = devmap_virt_to_page(nowhere + (uint64_t)i * 2 * PAGE_BYTES);

		assert_ptr_equal(page == NULL ? NULL : devmap_page_pagemap(page), maps[i]);
	}
	for (i = 1; i < nr_maps; i += 2)
		destroy_map(maps[order[i]]);
	free(order);
	free(maps);
}

/* ---- refusals ---- */

static void null_arguments_are_refused(void **state)
{
	const devmap_pagemap_config config = host_config(DEVMAP_BACKING_RESERVED, NULL, PAGE_BYTES);
	uint64_t nr_busy = 77;
	devmap_pagemap *map = create_host_map(1);

	(void)state;
	assert_refused(NULL, EINVAL);
	assert_error(devmap_memremap_pages(&config, NULL), EINVAL);
	assert_error(devmap_memunmap_pages(NULL, 0, NULL, NULL), EINVAL);
	assert_error(devmap_pagemap_resume(NULL), EINVAL);
	assert_ok(devmap_pagemap_free(NULL));
	assert_error(devmap_pagemap_busy_pages(NULL, 0, 1, NULL, 0, &nr_busy), EINVAL);
	assert_error(devmap_pagemap_busy_pages(map, 0, 1, NULL, 0, NULL), EINVAL);
	assert_error(devmap_pagemap_busy_pages(map, 0, 1, NULL, 1, &nr_busy), EINVAL);
	assert_int_equal(nr_busy, 77);
	assert_null(devmap_pagemap_page(NULL, 0));
	destroy_map(map);
}

static void a_config_of_another_shape_is_refused(void **state)
{
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_RESERVED, NULL, PAGE_BYTES);

	(void)state;
	config.size = 0;
	assert_refused(&config, EINVAL);
	config.size = 4;
	assert_refused(&config, EINVAL);
	config.size = sizeof(config);
	config.reserved = 1;
	assert_refused(&config, EINVAL);
}

static void zero_and_overflowing_lengths_are_refused(void **state)
{
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_RESERVED, NULL, 0);

	(void)state;
	assert_refused(&config, EINVAL);
	config = host_config(DEVMAP_BACKING_CALLER, nowhere, 0);
	assert_refused(&config, EINVAL);
	config = host_config(DEVMAP_BACKING_CALLER, nowhere, UINT64_MAX - PAGE_BYTES + 1);
	assert_refused(&config, EINVAL);
	config = host_config(DEVMAP_BACKING_CALLER, (void *)(UINTPTR_MAX - 2 * PAGE_BYTES + 1), 3 * PAGE_BYTES);
	assert_refused(&config, EINVAL);
}

static void lengths_that_no_address_space_has_are_refused(void **state)
{
	const devmap_pagemap_config huge = host_config(DEVMAP_BACKING_RESERVED, NULL, UINT64_C(1) << 62);
	const devmap_pagemap_config almost_all =
		host_config(DEVMAP_BACKING_INACCESSIBLE, NULL, UINT64_MAX - PAGE_BYTES + 1);
	devmap_pagemap_config coarse = almost_all;

	(void)state;
	assert_refused(&huge, ENOMEM);
	assert_refused(&almost_all, ENOMEM);
	coarse.page_size = GIB;
	coarse.length = UINT64_MAX - GIB + 1;
	assert_refused(&coarse, ENOMEM);
}

static void misaligned_ranges_are_refused(void **state)
{
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, nowhere + 1, PAGE_BYTES);

	(void)state;
	assert_refused(&config, EINVAL);
	config = host_config(DEVMAP_BACKING_CALLER, nowhere, PAGE_BYTES + 1);
	assert_refused(&config, EINVAL);
	config = host_config(DEVMAP_BACKING_CALLER, nowhere + PAGE_BYTES, 2 * MIB);
	config.page_size = 2 * MIB;
	assert_refused(&config, EINVAL);
	config = host_config(DEVMAP_BACKING_RESERVED, NULL, MIB);
	config.page_size = 2 * MIB;
	assert_refused(&config, EINVAL);
}

static void page_sizes_that_are_no_power_of_two_or_out_of_range_are_refused(void **state)
{
	static const uint64_t sizes[] = {
		1, 2 * KIB, 4 * KIB + 1, 12 * KIB, 3 * MIB, 2 * GIB, UINT64_C(1) << 63, UINT64_MAX};
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_RESERVED, NULL, 0);
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(sizes); i++) {
		config.page_size = sizes[i];
		config.length = sizes[i];
		assert_refused(&config, EINVAL);
	}
}

static void an_address_belongs_to_the_callers_backing_alone(void **state)
{
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, NULL, PAGE_BYTES);

	(void)state;
	assert_refused(&config, EINVAL);
	config = host_config(DEVMAP_BACKING_RESERVED, nowhere, PAGE_BYTES);
	assert_refused(&config, EINVAL);
	config = host_config(DEVMAP_BACKING_INACCESSIBLE, nowhere, PAGE_BYTES);
	assert_refused(&config, EINVAL);
}

static void unknown_types_and_backings_are_refused(void **state)
{
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_RESERVED, NULL, PAGE_BYTES);

	(void)state;
	config.type = -1;
	assert_refused(&config, EINVAL);
	config.type = 4;
	assert_refused(&config, EINVAL);
	config = host_config(-1, NULL, PAGE_BYTES);
	assert_refused(&config, EINVAL);
	config = host_config(3, NULL, PAGE_BYTES);
	assert_refused(&config, EINVAL);
}

static void fs_dax_is_no_type_to_create_with(void **state)
{
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_RESERVED, NULL, PAGE_BYTES);

	(void)state;
	config.type = DEVMAP_MEMORY_DEVICE_FS_DAX;
	assert_refused(&config, EINVAL);
	config.ops = &counting_ops;
	assert_refused(&config, EINVAL);
}

static void a_host_map_with_a_callback_is_refused(void **state)
{
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_RESERVED, NULL, PAGE_BYTES);

	(void)state;
	config.ops = &counting_ops;
	assert_refused(&config, EINVAL);
}

#if defined(DEVMAP_CONFIG_DEVICE_PUBLIC) || defined(DEVMAP_CONFIG_DEVICE_PRIVATE)

static void a_managed_map_without_its_callback_is_refused(void **state)
{
	static const devmap_pagemap_ops none = {.page_free = NULL};
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, nowhere, PAGE_BYTES);
	devmap_pagemap_ops only_batches = counting_batch_ops;

	(void)state;
	only_batches.page_free = NULL;
	config.type = managed_types[0];
	assert_refused(&config, EINVAL);
	config.ops = &none;
	assert_refused(&config, EINVAL);
	config.ops = &only_batches;
	assert_refused(&config, EINVAL);
}

static void the_ops_table_is_copied(void **state)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_pagemap_ops ops = counting_ops;
	devmap_pagemap *map = create_managed_map(1, &ops, driver);

	(void)state;
	memset(&ops, 0xff, sizeof(ops));
	devmap_put_page(take_page(map, 0));
	assert_int_equal(atomic_load(&driver->total), 1);
	destroy_map(map);
	counting_driver_free(driver);
}

#endif

#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE

static void private_memory_is_not_the_libraries_own(void **state)
{
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_RESERVED, NULL, PAGE_BYTES);

	(void)state;
	config.type = DEVMAP_MEMORY_DEVICE_PRIVATE;
	config.ops = &counting_ops;
	assert_refused(&config, EINVAL);
	config = host_config(DEVMAP_BACKING_CALLER, nowhere, PAGE_BYTES);
	config.type = DEVMAP_MEMORY_DEVICE_PRIVATE;
	config.ops = &counting_ops;
	destroy_map(create(&config));
}

#endif

static void overlapping_ranges_are_refused(void **state)
{
	devmap_pagemap *map = create_at(nowhere + 4 * PAGE_BYTES, 4);
	const struct {
		uint64_t first, nr_pages;
	} overlaps[] = {
		{4, 4},
		{4, 1},
		{5, 2},
		{7, 1},
		{3, 2},
		{7, 2},
		{0, 5},
		{3, 6},
		{0, 100},
	};
	const struct {
		uint64_t first, nr_pages;
	} neighbours[] = {{0, 4}, {3, 1}, {8, 1}, {8, 100}};
	devmap_pagemap_config config;
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(overlaps); i++) {
		config = host_config(DEVMAP_BACKING_CALLER, nowhere + overlaps[i].first * PAGE_BYTES,
			overlaps[i].nr_pages * PAGE_BYTES);
		assert_refused(&config, EEXIST);
	}
	for (i = 0; i < ARRAY_LENGTH(neighbours); i++)
		destroy_map(create_at(nowhere + neighbours[i].first * PAGE_BYTES, neighbours[i].nr_pages));
	destroy_map(map);
}

static void a_range_that_encloses_several_maps_is_refused(void **state)
{
	devmap_pagemap *first = create_at(nowhere + PAGE_BYTES, 1);
	devmap_pagemap *second = create_at(nowhere + 3 * PAGE_BYTES, 1);
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, nowhere, 5 * PAGE_BYTES);

	(void)state;
	assert_refused(&config, EEXIST);
	config = host_config(DEVMAP_BACKING_CALLER, nowhere + 2 * PAGE_BYTES, 2 * PAGE_BYTES);
	assert_refused(&config, EEXIST);
	destroy_map(create_at(nowhere + 2 * PAGE_BYTES, 1));
	destroy_map(first);
	destroy_map(second);
}

static int create_without_address_space(void)
{
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_RESERVED, NULL, 4 * GIB);
	const uint64_t maps_before = stats_now().pagemaps.current;
	devmap_pagemap *map = NULL;

	if (!limit_address_space(256 * MIB))
		return 2;
	if (devmap_memremap_pages(&config, &map) != -ENOMEM || map != NULL)
		return 3;
	/* The range is there, its metadata (64 bytes a page: a GiB) is not. */
	config = host_config(DEVMAP_BACKING_CALLER, nowhere, 64 * GIB);
	if (devmap_memremap_pages(&config, &map) != -ENOMEM || map != NULL)
		return 4;
	if (stats_now().pagemaps.current != maps_before)
		return 5;
	config = host_config(DEVMAP_BACKING_RESERVED, NULL, MIB);
	if (devmap_memremap_pages(&config, &map) != 0)
		return 6;
	return devmap_memunmap_pages(map, 0, NULL, NULL) == 0 ? 0 : 7;
}

static void a_map_beyond_the_address_space_limit_is_refused(void **state)
{
	int status = status_of_child(create_without_address_space);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* ---- after the teardown ---- */

static void a_torn_down_map_answers_enodev_until_its_handle_is_freed(void **state)
{
	devmap_pagemap *map = create_at(nowhere, 2);
	devmap_page *page = NULL;
	uint64_t nr_busy = 77;

	(void)state;
	assert_ok(devmap_memunmap_pages(map, 0, NULL, NULL));
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), ENODEV);
	assert_error(devmap_memunmap_pages(map, DEVMAP_WAIT_FOREVER, NULL, NULL), ENODEV);
	assert_error(devmap_pagemap_resume(map), ENODEV);
	assert_error(devmap_pagemap_get_pages(map, 0, 1, &page), ENODEV);
	assert_null(page);
	assert_null(devmap_pagemap_page(map, 0));
	assert_error(devmap_pagemap_busy_pages(map, 0, 2, NULL, 0, &nr_busy), ENODEV);
	assert_int_equal(nr_busy, 77);
	assert_null(devmap_get_pagemap(nowhere, NULL));
	assert_null(devmap_virt_to_page(nowhere));
#ifdef DEVMAP_CONFIG_FS_DAX
	{
		devmap_layout_break layout_break;
		int owner;

		assert_error(devmap_fs_dax_claim(map, &owner, NULL), ENODEV);
		assert_error(devmap_fs_dax_release(map, &owner), ENODEV);
		assert_error(devmap_fs_dax_break_layouts(map, &owner, 0, 1, 0, NULL, &layout_break), ENODEV);
		assert_null(devmap_fs_dax_busy_page(map, 0, 1));
	}
#endif
	assert_ok(devmap_pagemap_free(map));
	assert_error(devmap_pagemap_free(map), EINVAL);
}

static void a_live_or_dying_map_is_not_freed(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);

	(void)state;
	assert_error(devmap_pagemap_free(map), EBUSY);
	assert_int_equal(devmap_page_count(page), 2);
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_error(devmap_pagemap_free(map), EBUSY);
	devmap_put_page(page);
	destroy_map(map);
}

/* ---- metadata ---- */

static uint64_t resident_pages(void *address, uint64_t length)
{
	const uint64_t nr_pages = (length + PAGE_BYTES - 1) / PAGE_BYTES;
	unsigned char *residency = malloc(nr_pages);
	uint64_t resident = 0;
	uint64_t i;

	assert_non_null(residency);
	assert_ok(mincore(address, length, residency));
	for (i = 0; i < nr_pages; i++)
		resident += residency[i] & 1;
	free(residency);
	return resident;
}

static void the_metadata_of_a_terabyte_is_reserved_and_not_touched(void **state)
{
	const uint64_t length = address_space_is_small() ? 16 * GIB : 1024 * GIB;
	const devmap_pagemap_config config = host_config(DEVMAP_BACKING_INACCESSIBLE, NULL, length);
	devmap_pagemap *map = create(&config);
	const uint64_t metadata = map->nr_pages * sizeof(devmap_page);
	devmap_page *page;
	devmap_busy_page busy;
	uint64_t nr_busy = 0;

	(void)state;
	assert_int_equal(map->nr_pages, length / PAGE_BYTES);
	assert_int_equal(resident_pages(map->pages, metadata), 0);
	page = take_page(map, map->nr_pages - 1);
	assert_int_equal((uintptr_t)devmap_page_address(page), map->start + length - PAGE_BYTES);
	/* One page of metadata, or a huge one. */
	assert_true(resident_pages(map->pages, metadata) <= 512);
	assert_ok(devmap_pagemap_busy_pages(map, 0, map->nr_pages, &busy, 1, &nr_busy));
	assert_int_equal(nr_busy, 1);
	assert_int_equal(busy.index, map->nr_pages - 1);
	assert_int_equal(busy.count, 2);
	assert_true(resident_pages(map->pages, metadata) <= 512);
	devmap_put_page(page);
	destroy_map(map);
}

static void busy_pages_are_counted_and_the_first_named(void **state)
{
	devmap_pagemap *map = create_host_map(1000);
	static const uint64_t taken[] = {3, 64, 65, 700, 999};
	devmap_page *pages[ARRAY_LENGTH(taken)];
	devmap_busy_page busy[3] = {{.index = 0}};
	uint64_t nr_busy = 77;
	size_t i;

	(void)state;
	assert_ok(devmap_pagemap_busy_pages(map, 0, 1000, NULL, 0, &nr_busy));
	assert_int_equal(nr_busy, 0);
	for (i = 0; i < ARRAY_LENGTH(taken); i++) {
		pages[i] = take_page(map, taken[i]);
		devmap_get_page_refs(pages[i], (uint32_t)i + 1);
	}
	assert_ok(devmap_pagemap_busy_pages(map, 0, 1000, busy, 3, &nr_busy));
	assert_int_equal(nr_busy, 5);
	for (i = 0; i < 3; i++) {
		assert_int_equal(busy[i].index, taken[i]);
		assert_int_equal(busy[i].count, i + 3);
	}
	assert_ok(devmap_pagemap_busy_pages(map, 65, 636, busy, 3, &nr_busy));
	assert_int_equal(nr_busy, 2);
	assert_int_equal(busy[0].index, 65);
	assert_int_equal(busy[1].index, 700);
	assert_ok(devmap_pagemap_busy_pages(map, 4, 60, NULL, 0, &nr_busy));
	assert_int_equal(nr_busy, 0);
	nr_busy = 77;
	assert_error(devmap_pagemap_busy_pages(map, 0, 1001, NULL, 0, &nr_busy), ERANGE);
	assert_error(devmap_pagemap_busy_pages(map, 999, 2, NULL, 0, &nr_busy), ERANGE);
	assert_error(devmap_pagemap_busy_pages(map, UINT64_MAX, 2, NULL, 0, &nr_busy), ERANGE);
	assert_int_equal(nr_busy, 77);
	for (i = 0; i < ARRAY_LENGTH(taken); i++)
		devmap_put_page_refs(pages[i], (uint32_t)i + 2);
	destroy_map(map);
}

/* ---- altmaps ---- */

static void *map_memory(uint64_t units)
{
	void *memory =
		mmap(NULL, units * DEVMAP_ALTMAP_UNIT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(memory != MAP_FAILED);
	/* Whatever stood there before, the pages are idle. */
	memset(memory, 0xee, units * DEVMAP_ALTMAP_UNIT);
	return memory;
}

static void unmap_memory(void *memory, uint64_t units)
{
	assert_ok(munmap(memory, units * DEVMAP_ALTMAP_UNIT));
}

static bool lies_within(const void *address, uint64_t length, const void *base, uint64_t units)
{
	return (uintptr_t)address >= (uintptr_t)base &&
	       (uintptr_t)address + length <= (uintptr_t)base + units * DEVMAP_ALTMAP_UNIT;
}

static void a_separate_altmap_holds_the_metadata(void **state)
{
	void *memory = map_memory(16);
	devmap_altmap altmap = {.base = memory, .reserve = 2, .free = 14};
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, nowhere, 512 * PAGE_BYTES);
	devmap_pagemap *map;
	uint64_t i;

	(void)state;
	config.altmap = &altmap;
	assert_int_equal(devmap_altmap_offset(&altmap), 16);
	map = create(&config);
	assert_int_equal(map->first_page, 0);
	assert_int_equal(map->nr_pages, 512);
	assert_true(lies_within(map->pages, 512 * sizeof(devmap_page), (char *)memory + 2 * DEVMAP_ALTMAP_UNIT, 14));
	/* 512 pages of 64 bytes are eight units, and the bit for each 64 pages needs a ninth. */
	assert_int_equal(altmap.alloc, 9);
	assert_int_equal(altmap.align, 0);
	assert_int_equal(altmap.free, 14);
	assert_int_equal(altmap.reserve, 2);
	for (i = 0; i < 512; i++)
		assert_int_equal(devmap_page_count(devmap_pagemap_page(map, i)), 1);
	devmap_put_page(take_page(map, 511));
	/* The driver's own units are the driver's. */
	assert_int_equal(*(unsigned char *)memory, 0xee);
	assert_memory_equal(memory, (char *)memory + 1, 2 * DEVMAP_ALTMAP_UNIT - 1);
	destroy_map(map);
	assert_int_equal(altmap.alloc, 0);
	unmap_memory(memory, 16);
}

static void an_altmap_at_the_head_of_the_range_comes_before_the_first_page(void **state)
{
	char *memory = map_memory(256);
	devmap_altmap altmap = {.base = memory, .reserve = 1, .free = 6};
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, memory, 256 * PAGE_BYTES);
	devmap_pagemap *map;
	devmap_page *page = NULL;
	uint64_t i;
	uint64_t nr_busy = 0;

	(void)state;
	config.altmap = &altmap;
	map = create(&config);
	assert_int_equal(map->first_page, devmap_altmap_offset(&altmap));
	assert_int_equal(map->nr_pages, 256);
	assert_true(lies_within(map->pages, 256 * sizeof(devmap_page), memory + DEVMAP_ALTMAP_UNIT, 6));
	assert_in_range(altmap.alloc, 4, 6);
	for (i = 0; i < 7; i++) {
		assert_null(devmap_pagemap_page(map, i));
		assert_null(devmap_virt_to_page(memory + i * PAGE_BYTES));
	}
	assert_error(devmap_pagemap_get_pages(map, 6, 2, &page), ERANGE);
	assert_error(devmap_pagemap_get_pages(map, 0, 1, &page), ERANGE);
	assert_error(devmap_pagemap_busy_pages(map, 0, 256, NULL, 0, &nr_busy), ERANGE);
	assert_null(page);
	for (i = 7; i < 256; i++) {
		page = devmap_pagemap_page(map, i);
		assert_int_equal(devmap_page_count(page), 1);
		assert_int_equal(devmap_page_index(page), i);
		assert_ptr_equal(devmap_page_address(page), memory + i * PAGE_BYTES);
		assert_ptr_equal(devmap_virt_to_page(memory + i * PAGE_BYTES), page);
	}
	page = NULL;
	assert_ok(devmap_pagemap_get_pages(map, 7, 249, &page));
	memset(devmap_page_address(page), 0x22, 249 * PAGE_BYTES);
	assert_ok(devmap_pagemap_busy_pages(map, 7, 249, NULL, 0, &nr_busy));
	assert_int_equal(nr_busy, 249);
	devmap_put_pages(page, 249);
	destroy_map(map);
	assert_int_equal(altmap.alloc, 0);
	unmap_memory(memory, 256);
}

static void an_altmap_that_just_suffices_is_taken_and_one_unit_less_is_refused(void **state)
{
	void *memory = map_memory(64);
	devmap_altmap altmap = {.base = memory, .free = 64};
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, nowhere, 1000 * PAGE_BYTES);
	devmap_pagemap *map;
	uint64_t needed;

	(void)state;
	config.altmap = &altmap;
	map = create(&config);
	needed = altmap.alloc;
	destroy_map(map);
	altmap = (devmap_altmap){.base = memory, .free = needed};
	map = create(&config);
	devmap_put_page(take_page(map, 999));
	destroy_map(map);
	altmap = (devmap_altmap){.base = memory, .free = needed - 1};
	assert_refused(&config, ENOMEM);
	assert_int_equal(altmap.alloc, 0);
	altmap = (devmap_altmap){.base = memory, .reserve = 1, .free = 0};
	assert_refused(&config, ENOMEM);
	unmap_memory(memory, 64);
}

static void a_misaligned_or_missing_altmap_base_is_refused(void **state)
{
	char *memory = map_memory(32);
	devmap_altmap altmap = {.base = memory + 64, .free = 16};
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, nowhere, 16 * PAGE_BYTES);

	(void)state;
	config.altmap = &altmap;
	assert_refused(&config, EINVAL);
	altmap.base = NULL;
	assert_refused(&config, EINVAL);
	altmap.base = memory;
	altmap.free = UINT64_MAX;
	assert_refused(&config, EINVAL);
	altmap.reserve = UINT64_MAX;
	altmap.free = 2;
	assert_refused(&config, EINVAL);
	unmap_memory(memory, 32);
}

static void an_altmap_that_covers_the_whole_range_leaves_no_page_and_is_refused(void **state)
{
	char *memory = map_memory(16);
	devmap_altmap altmap = {.base = memory, .free = 16};
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, memory, 16 * PAGE_BYTES);

	(void)state;
	config.altmap = &altmap;
	assert_refused(&config, EINVAL);
	unmap_memory(memory, 16);
}

static void units_given_back_are_at_most_those_in_use(void **state)
{
	devmap_altmap altmap = {.free = 8, .alloc = 5};

	(void)state;
	devmap_altmap_free(&altmap, 2);
	assert_int_equal(altmap.alloc, 3);
	devmap_altmap_free(&altmap, 4);
	assert_int_equal(altmap.alloc, 0);
	devmap_altmap_free(&altmap, 1);
	assert_int_equal(altmap.alloc, 0);
	assert_int_equal(altmap.free, 8);
}

static void an_altmap_serves_one_map_at_a_time(void **state)
{
	void *memory = map_memory(16);
	devmap_altmap altmap = {.base = memory, .free = 16};
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, nowhere, 16 * PAGE_BYTES);
	devmap_pagemap *map;
	uint64_t alloc;

	(void)state;
	config.altmap = &altmap;
	map = create(&config);
	alloc = altmap.alloc;
	config.address = nowhere + 16 * PAGE_BYTES;
	assert_refused(&config, EBUSY);
	assert_int_equal(altmap.alloc, alloc);
	destroy_map(map);
	destroy_map(create(&config));
	unmap_memory(memory, 16);
}

static void a_refused_overlap_leaves_the_other_maps_altmap_alone(void **state)
{
	char *memory = map_memory(64);
	devmap_altmap altmap = {.base = memory, .free = 8};
	devmap_altmap second = {.base = memory, .free = 8};
	devmap_pagemap_config config = host_config(DEVMAP_BACKING_CALLER, memory, 64 * PAGE_BYTES);
	devmap_pagemap *map;
	devmap_page *page;

	(void)state;
	config.altmap = &altmap;
	map = create(&config);
	page = take_page(map, 8);
	config.altmap = &second;
	assert_refused(&config, EEXIST);
	assert_int_equal(second.alloc, 0);
	assert_int_equal(devmap_page_count(page), 2);
	assert_ptr_equal(devmap_page_pagemap(page), map);
	devmap_put_page(page);
	destroy_map(map);
	unmap_memory(memory, 64);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(a_map_over_the_callers_memory_leaves_it_as_it_is),
		contract(reserved_memory_is_zeros_that_can_be_written),
		contract(touching_inaccessible_memory_is_a_segmentation_fault),
		contract(pages_of_inaccessible_memory_are_counted_like_others),
		contract(every_page_size_makes_a_map),
		contract(a_page_size_of_zero_is_4_kib),
		contract(addresses_and_pages_lead_to_each_other),
		contract(an_address_outside_every_map_is_not_found),
		contract(finding_a_map_takes_a_reference_on_it),
		contract(a_cached_map_that_covers_the_address_is_returned_as_it_is),
		contract(a_cached_map_that_does_not_cover_the_address_moves_its_reference),
		contract(a_dying_map_is_not_found),
		contract(a_dying_map_keeps_its_range),
		contract(ten_thousand_maps_are_told_apart),
		contract(null_arguments_are_refused),
		contract(a_config_of_another_shape_is_refused),
		contract(zero_and_overflowing_lengths_are_refused),
		contract(lengths_that_no_address_space_has_are_refused),
		contract(misaligned_ranges_are_refused),
		contract(page_sizes_that_are_no_power_of_two_or_out_of_range_are_refused),
		contract(an_address_belongs_to_the_callers_backing_alone),
		contract(unknown_types_and_backings_are_refused),
		contract(fs_dax_is_no_type_to_create_with),
		contract(a_host_map_with_a_callback_is_refused),
#if defined(DEVMAP_CONFIG_DEVICE_PUBLIC) || defined(DEVMAP_CONFIG_DEVICE_PRIVATE)
		contract(a_managed_map_without_its_callback_is_refused),
		contract(the_ops_table_is_copied),
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
		contract(private_memory_is_not_the_libraries_own),
#endif
		contract(overlapping_ranges_are_refused),
		contract(a_range_that_encloses_several_maps_is_refused),
		contract(a_map_beyond_the_address_space_limit_is_refused),
		contract(a_torn_down_map_answers_enodev_until_its_handle_is_freed),
		contract(a_live_or_dying_map_is_not_freed),
		contract(the_metadata_of_a_terabyte_is_reserved_and_not_touched),
		contract(busy_pages_are_counted_and_the_first_named),
		contract(a_separate_altmap_holds_the_metadata),
		contract(an_altmap_at_the_head_of_the_range_comes_before_the_first_page),
		contract(an_altmap_that_just_suffices_is_taken_and_one_unit_less_is_refused),
		contract(a_misaligned_or_missing_altmap_base_is_refused),
		contract(an_altmap_that_covers_the_whole_range_leaves_no_page_and_is_refused),
		contract(units_given_back_are_at_most_those_in_use),
		contract(an_altmap_serves_one_map_at_a_time),
		contract(a_refused_overlap_leaves_the_other_maps_altmap_alone),
	};

	return cmocka_run_group_tests_name("pagemap", tests, NULL, NULL);
}
