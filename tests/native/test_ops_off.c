/* SPDX-License-Identifier: MIT */
/* What the library was built without is refused by name, and everything else works. */
#include "support.h"

static void the_features_are_those_of_the_configuration(void **state)
{
	uint32_t expected = 0;

	(void)state;
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
	expected |= DEVMAP_FEATURE_DEV_PAGEMAP_OPS;
#endif
#ifdef DEVMAP_CONFIG_FS_DAX
	expected |= DEVMAP_FEATURE_FS_DAX;
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
	expected |= DEVMAP_FEATURE_DEVICE_PRIVATE;
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
	expected |= DEVMAP_FEATURE_DEVICE_PUBLIC;
#endif
	assert_int_equal(devmap_features(), expected);
}

static void the_library_is_the_headers(void **state)
{
	char version[32];

	(void)state;
	(void)snprintf(
		version, sizeof(version), "%d.%d.%d", DEVMAP_VERSION_MAJOR, DEVMAP_VERSION_MINOR, DEVMAP_VERSION_PATCH);
	assert_string_equal(devmap_version(), version);
	assert_int_equal(devmap_abi_version(), DEVMAP_ABI_VERSION);
}

static void ordinary_pages_and_host_maps_work_in_every_configuration(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_page *pages[2] = {take_page(map, 0), NULL};

	(void)state;
	assert_ok(devmap_alloc_pages(2, &pages[1]));
	assert_ptr_equal(devmap_virt_to_page((void *)map->start), pages[0]);
	assert_false(devmap_put_managed_page(pages[0]));
	assert_false(devmap_put_managed_page(pages[1]));
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	devmap_release_pages(pages, 2);
	destroy_map(map);
}

#if !defined(DEVMAP_CONFIG_DEVICE_PRIVATE) || !defined(DEVMAP_CONFIG_DEVICE_PUBLIC)

static void assert_type_is_missing(int32_t type)
{
	devmap_pagemap *untouched = (devmap_pagemap *)&untouched;
	devmap_pagemap *map = untouched;
	const devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = type,
		.backing = DEVMAP_BACKING_CALLER,
		.address = (void *)(uintptr_t)(64 * GIB),
		.length = PAGE_BYTES,
		.ops = &counting_ops,
	};

	assert_error(devmap_memremap_pages(&config, &map), EOPNOTSUPP);
	assert_ptr_equal(map, untouched);
	assert_int_equal(devmap_pagemap_ops_count(), 0);
}

static void a_type_that_is_not_built_is_refused(void **state)
{
	(void)state;
#ifndef DEVMAP_CONFIG_DEVICE_PRIVATE
	assert_type_is_missing(DEVMAP_MEMORY_DEVICE_PRIVATE);
#endif
#ifndef DEVMAP_CONFIG_DEVICE_PUBLIC
	assert_type_is_missing(DEVMAP_MEMORY_DEVICE_PUBLIC);
#endif
}

#endif

#ifndef DEVMAP_CONFIG_FS_DAX

static void claims_and_files_are_refused_where_they_are_not_built(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_dax_file *file = NULL;
	devmap_layout_break layout_break;
	int owner;

	(void)state;
	assert_error(devmap_fs_dax_claim(map, &owner, NULL), EOPNOTSUPP);
	assert_error(devmap_fs_dax_release(map, &owner), EOPNOTSUPP);
	assert_error(devmap_fs_dax_break_layouts(map, &owner, 0, 1, 0, NULL, &layout_break), EOPNOTSUPP);
	assert_null(devmap_fs_dax_busy_page(map, 0, 1));
	assert_error(devmap_dax_file_open("/nowhere", NULL, &file), EOPNOTSUPP);
	assert_null(file);
	assert_int_equal(atomic_load(&map->type), DEVMAP_MEMORY_DEVICE_HOST);
	destroy_map(map);
}

#endif

#ifndef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

static void the_gate_is_not_there(void **state)
{
	(void)state;
	assert_error(devmap_pagemap_get_ops(), EOPNOTSUPP);
	assert_error(devmap_pagemap_put_ops(), EOPNOTSUPP);
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	assert_int_equal(stats_now().gate_holders, 0);
}

static void the_inlines_say_no_without_a_look_at_the_page(void **state)
{
	(void)state;
	assert_false(devmap_put_managed_page(NULL));
	assert_false(devmap_is_device_private_page(NULL));
	assert_false(devmap_is_device_public_page(NULL));
}

static void edges_are_counted_and_nobody_is_called(void **state)
{
	devmap_pagemap *map = create_host_map(300);
	const devmap_stats before = stats_now();
	devmap_page *page = NULL;
	devmap_idle_frame frame;
	devmap_stats after;

	(void)state;
	assert_ok(devmap_pagemap_get_pages(map, 0, 300, &page));
	assert_int_equal(atomic_fetch_sub(&page->refcount, 1), 1);
	assert_true(devmap_page_idle_begin(page, &frame));
	assert_true(frame.page_free == NULL);
	devmap_page_idle_end(&frame);
	devmap_put_pages(page + 1, 299);
	after = stats_now();
	assert_int_equal(after.idle_edges, before.idle_edges + 300);
	assert_int_equal(after.idle_edges_managed, before.idle_edges_managed);
	destroy_map(map);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(the_features_are_those_of_the_configuration),
		contract(the_library_is_the_headers),
		contract(ordinary_pages_and_host_maps_work_in_every_configuration),
#if !defined(DEVMAP_CONFIG_DEVICE_PRIVATE) || !defined(DEVMAP_CONFIG_DEVICE_PUBLIC)
		contract(a_type_that_is_not_built_is_refused),
#endif
#ifndef DEVMAP_CONFIG_FS_DAX
		contract(claims_and_files_are_refused_where_they_are_not_built),
#endif
#ifndef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
		contract(the_gate_is_not_there),
		contract(the_inlines_say_no_without_a_look_at_the_page),
		contract(edges_are_counted_and_nobody_is_called),
#endif
	};

	return cmocka_run_group_tests_name("ops_off", tests, NULL, NULL);
}
