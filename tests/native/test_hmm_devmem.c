/* SPDX-License-Identifier: MIT */
/*
 * Devices and device memory: what adding takes, removing gives back, and so does every failure in between; pages are
 * one owner's at a time, and the driver hears once of each that comes to its end.
 */
#include "blocking_call.h"

#include <sys/wait.h>

#define NR_PAGES 8

/* ---- devices ---- */

#ifdef DEVMAP_CONFIG_HMM

static devmap_hmm_device_config device_config(const char *name)
{
	devmap_hmm_device_config config = {.size = sizeof(config), .faults = DEVMAP_HMM_FAULTS_NONE, .name = name};

	return config;
}

static devmap_hmm_device *create_device(const char *name)
{
	const devmap_hmm_device_config config = device_config(name);
	devmap_hmm_device *device = NULL;

	assert_ok(devmap_hmm_device_new(&config, &device));
	assert_non_null(device);
	return device;
}

static void a_device_has_its_name_and_data(void **state)
{
	devmap_hmm_device_config config = device_config(NULL);
	char name[] = "toy";
	devmap_hmm_device *device = NULL;
	int data = 0;

	(void)state;
	config.name = name;
	config.data = &data;
	assert_ok(devmap_hmm_device_new(&config, &device));
	name[0] = 'b';
	assert_string_equal(devmap_hmm_device_name(device), "toy");
	assert_ptr_equal(devmap_hmm_device_data(device), &data);
	assert_int_equal(devmap_hmm_device_faults(device), DEVMAP_HMM_FAULTS_NONE);
	devmap_hmm_device_put(device);
}

static void a_device_without_a_name_is_numbered(void **state)
{
	devmap_hmm_device *first = create_device(NULL);
	devmap_hmm_device *second = create_device(NULL);
	unsigned int numbers[2];
	char rest;

	(void)state;
	assert_int_equal(sscanf(devmap_hmm_device_name(first), "hmm_device%u%c", &numbers[0], &rest), 1);
	assert_int_equal(sscanf(devmap_hmm_device_name(second), "hmm_device%u%c", &numbers[1], &rest), 1);
	assert_int_equal(numbers[1], numbers[0] + 1);
	devmap_hmm_device_put(first);
	devmap_hmm_device_put(second);
}

static void a_name_is_neither_empty_nor_too_long(void **state)
{
	char name[DEVMAP_HMM_NAME_MAX + 2];
	devmap_hmm_device_config config = device_config(NULL);
	devmap_hmm_device *device = NULL;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[DEVMAP_HMM_NAME_MAX + 1] = '\0';
	config.name = name;
	assert_error(devmap_hmm_device_new(&config, &device), EINVAL);
	config.name = "";
	assert_error(devmap_hmm_device_new(&config, &device), EINVAL);
	assert_null(device);
	name[DEVMAP_HMM_NAME_MAX] = '\0';
	config.name = name;
	assert_ok(devmap_hmm_device_new(&config, &device));
	assert_string_equal(devmap_hmm_device_name(device), name);
	devmap_hmm_device_put(device);
}

static void a_device_of_a_bad_configuration_is_refused(void **state)
{
	devmap_hmm_device_config configs[] = {
		device_config("x"), device_config("x"), device_config("x"), device_config("x"), device_config("x")};
	const devmap_hmm_device_config good = device_config("x");
	devmap_hmm_device *device = NULL;
	size_t i;

	(void)state;
	configs[0].size--;
	configs[1].reserved = 1;
	configs[2].faults = DEVMAP_HMM_FAULTS_NONE - 1;
	configs[3].faults = DEVMAP_HMM_FAULTS_AUTO + 1;
	configs[4].fault_threads = 17;
	for (i = 0; i < ARRAY_LENGTH(configs); i++)
		assert_error(devmap_hmm_device_new(&configs[i], &device), EINVAL);
	assert_error(devmap_hmm_device_new(NULL, &device), EINVAL);
	assert_error(devmap_hmm_device_new(&good, NULL), EINVAL);
	assert_null(device);
	devmap_hmm_device_put(NULL);
}

/* ---- a driver ---- */

/** One device memory and its driver, which keeps its own books of who has which page. */
struct toy {
	devmap_hmm_devmem *devmem;
	devmap_hmm_device *device;
	/** Of a public one: its memory. */
	void *memory;
	uint64_t page_size;
	/** Calls of `free`, by page and in all. */
	_Atomic(uint32_t) calls[NR_PAGES];
	_Atomic(uint32_t) total;
	/** Whether a page is allocated, and how often its `free` runs now. */
	_Atomic(uint32_t) is_allocated[NR_PAGES];
	_Atomic(uint32_t) is_freed[NR_PAGES];
	/** What `free` does besides, or NULL. */
	void (*also)(struct toy *toy, devmap_page *page);
	int also_result;
	devmap_page *also_page;
};

static void toy_free(devmap_hmm_devmem *devmem, devmap_page *page)
{
	struct toy *toy = devmap_hmm_devmem_data(devmem);
	const uint64_t index = devmap_page_index(page);

	atomic_fetch_add(&toy->is_freed[index], 1);
	check(devmap_hmm_page_devmem(page) == devmem);
	check(atomic_exchange(&toy->is_allocated[index], 0) == 1);
	atomic_fetch_add(&toy->calls[index], 1);
	atomic_fetch_add(&toy->total, 1);
	if (toy->also != NULL)
		toy->also(toy, page);
	atomic_fetch_sub(&toy->is_freed[index], 1);
}

static int toy_fault(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags)
{
	(void)devmem;
	(void)address;
	(void)page;
	(void)flags;
	return -EIO;
}

static void toy_copy(devmap_hmm_devmem *devmem, devmap_hmm_copy *copies, uint32_t n)
{
	(void)devmem;
	(void)copies;
	(void)n;
}

static const devmap_hmm_devmem_ops toy_ops = {.free = toy_free, .fault = toy_fault};

static const int32_t kinds[] = {
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
	DEVMAP_MEMORY_DEVICE_PRIVATE,
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
	DEVMAP_MEMORY_DEVICE_PUBLIC,
#endif
};

static devmap_hmm_resource resource_at(void *start, uint64_t length)
{
	const devmap_hmm_resource resource = {
		.name = "toy memory",
		.start = start,
		.length = length,
		.desc = DEVMAP_HMM_IORES_DESC_DEVICE_PUBLIC_MEMORY,
	};

	return resource;
}

static int add_kind(int32_t kind, struct toy *toy, const devmap_hmm_devmem_ops *ops, devmap_hmm_devmem **devmem)
{
	devmap_hmm_resource resource;

	if (kind == DEVMAP_MEMORY_DEVICE_PRIVATE)
		return devmap_hmm_devmem_add(
			ops, toy->device, NR_PAGES * toy->page_size, toy->page_size, toy, devmem);
	resource = resource_at(toy->memory, NR_PAGES * toy->page_size);
	return devmap_hmm_devmem_add_resource(ops, toy->device, &resource, toy->page_size, toy, devmem);
}

static void toy_prepare(struct toy *toy, int32_t kind, uint64_t page_size)
{
	memset(toy, 0, sizeof(*toy));
	toy->page_size = page_size;
	if (kind == DEVMAP_MEMORY_DEVICE_PUBLIC) {
		assert_ok(posix_memalign(&toy->memory, page_size, NR_PAGES * page_size));
		memset(toy->memory, 0, NR_PAGES * page_size);
	}
}

static void toy_open(struct toy *toy, int32_t kind)
{
	toy_prepare(toy, kind, PAGE_BYTES);
	assert_ok(add_kind(kind, toy, &toy_ops, &toy->devmem));
	assert_non_null(toy->devmem);
}

static void toy_close(struct toy *toy)
{
	assert_int_equal(devmap_hmm_devmem_pages_used(toy->devmem), 0);
	assert_ok(devmap_hmm_devmem_remove(toy->devmem, 0, NULL, NULL));
	free(toy->memory);
}

static devmap_page *allocate(struct toy *toy)
{
	devmap_page *page = NULL;

	assert_ok(devmap_hmm_devmem_alloc_page(toy->devmem, &page));
	assert_non_null(page);
	assert_int_equal(devmap_page_count(page), 2);
	assert_int_equal(atomic_exchange(&toy->is_allocated[devmap_page_index(page)], 1), 0);
	return page;
}

static void for_each_kind(void (*body)(int32_t kind))
{
	size_t i;

	for (i = 0; i < ARRAY_LENGTH(kinds); i++)
		body(kinds[i]);
}

#define EACH_KIND(name)                                                                                                \
	static void name##_kind(int32_t kind);                                                                         \
	static void name(void **state)                                                                                 \
	{                                                                                                              \
		(void)state;                                                                                           \
		for_each_kind(name##_kind);                                                                            \
	}                                                                                                              \
	static void name##_kind(int32_t kind)

/* ---- adding and removing ---- */

EACH_KIND(device_memory_is_a_managed_map_of_its_device)
{
	static const uint64_t page_sizes[] = {4 * KIB, 64 * KIB, 2 * MIB};
	const int32_t holders = devmap_pagemap_ops_count();
	const uint64_t maps = stats_now().pagemaps.current;
	const devmap_pagemap *map;
	struct toy toy;
	size_t i;

	for (i = 0; i < ARRAY_LENGTH(page_sizes); i++) {
		toy_prepare(&toy, kind, page_sizes[i]);
		toy.device = create_device("owner");
		assert_ok(add_kind(kind, &toy, &toy_ops, &toy.devmem));
		map = devmap_hmm_devmem_pagemap(toy.devmem);
		assert_int_equal(map->type, kind);
		assert_int_equal(map->nr_pages, NR_PAGES);
		assert_int_equal(UINT64_C(1) << map->page_shift, page_sizes[i]);
		if (kind == DEVMAP_MEMORY_DEVICE_PUBLIC)
			assert_ptr_equal((void *)map->start, toy.memory);
		assert_ptr_equal(devmap_hmm_devmem_device(toy.devmem), toy.device);
		assert_ptr_equal(devmap_hmm_devmem_data(toy.devmem), &toy);
		assert_int_equal(devmap_hmm_devmem_pages_used(toy.devmem), 0);
		assert_int_equal(devmap_pagemap_ops_count(), holders + 1);
		assert_int_equal(stats_now().pagemaps.current, maps + 1);
		/* The memory has its own reference. */
		devmap_hmm_device_put(toy.device);
		assert_string_equal(devmap_hmm_device_name(toy.device), "owner");
		toy_close(&toy);
		assert_int_equal(devmap_pagemap_ops_count(), holders);
		assert_int_equal(stats_now().pagemaps.current, maps);
	}
}

EACH_KIND(a_page_size_of_0_means_4_kib)
{
	struct toy toy;

	toy_prepare(&toy, kind, PAGE_BYTES);
	toy.page_size = 0;
	if (kind == DEVMAP_MEMORY_DEVICE_PRIVATE) {
		assert_ok(devmap_hmm_devmem_add(&toy_ops, NULL, NR_PAGES * PAGE_BYTES, 0, &toy, &toy.devmem));
	} else {
		const devmap_hmm_resource resource = resource_at(toy.memory, NR_PAGES * PAGE_BYTES);

		assert_ok(devmap_hmm_devmem_add_resource(&toy_ops, NULL, &resource, 0, &toy, &toy.devmem));
	}
	assert_int_equal(devmap_hmm_devmem_pagemap(toy.devmem)->nr_pages, NR_PAGES);
	assert_null(devmap_hmm_devmem_device(toy.devmem));
	toy_close(&toy);
}

EACH_KIND(ops_that_lack_something_are_refused)
{
	devmap_hmm_devmem_ops ops[4] = {toy_ops, toy_ops, toy_ops, toy_ops};
	devmap_hmm_devmem *devmem = NULL;
	struct toy toy;
	size_t i;

	toy_prepare(&toy, kind, PAGE_BYTES);
	ops[0].free = NULL;
	ops[1].fault = NULL;
	ops[2].copy_to = toy_copy;
	ops[3].copy_from = toy_copy;
	for (i = 0; i < ARRAY_LENGTH(ops); i++)
		assert_error(add_kind(kind, &toy, &ops[i], &devmem), EINVAL);
	assert_error(add_kind(kind, &toy, NULL, &devmem), EINVAL);
	assert_error(add_kind(kind, &toy, &toy_ops, NULL), EINVAL);
	assert_null(devmem);
	ops[2].copy_from = toy_copy;
	assert_ok(add_kind(kind, &toy, &ops[2], &toy.devmem));
	toy_close(&toy);
}

EACH_KIND(lengths_and_page_sizes_that_are_none_are_refused)
{
	static const struct {
		uint64_t length;
		uint64_t page_size;
	} bad[] = {
		{0, 0},
		{PAGE_BYTES + 1, 0},
		{PAGE_BYTES, 2048},
		{3 * PAGE_BYTES, 3 * PAGE_BYTES},
		{6 * PAGE_BYTES, 4 * PAGE_BYTES},
		{4 * GIB, 2 * GIB},
	};
	devmap_hmm_devmem *devmem = NULL;
	struct toy toy;
	size_t i;

	toy_prepare(&toy, kind, PAGE_BYTES);
	for (i = 0; i < ARRAY_LENGTH(bad); i++) {
		const devmap_hmm_resource resource = resource_at(toy.memory, bad[i].length);

		if (kind == DEVMAP_MEMORY_DEVICE_PRIVATE)
			assert_error(devmap_hmm_devmem_add(
					     &toy_ops, NULL, bad[i].length, bad[i].page_size, &toy, &devmem),
				EINVAL);
		else
			assert_error(devmap_hmm_devmem_add_resource(
					     &toy_ops, NULL, &resource, bad[i].page_size, &toy, &devmem),
				EINVAL);
	}
	assert_null(devmem);
	free(toy.memory);
}

EACH_KIND(memory_is_refused_at_the_most_holders_of_the_gate)
{
	const uint64_t maps = stats_now().pagemaps.current;
	struct toy toy;

	toy_prepare(&toy, kind, PAGE_BYTES);
	toy.device = create_device(NULL);
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	atomic_store(&devmap_managed_key.enabled, INT32_MAX);
	assert_error(add_kind(kind, &toy, &toy_ops, &toy.devmem), EOVERFLOW);
	assert_null(toy.devmem);
	assert_int_equal(devmap_pagemap_ops_count(), INT32_MAX);
	assert_int_equal(stats_now().pagemaps.current, maps);
	atomic_store(&devmap_managed_key.enabled, 0);
	assert_ok(add_kind(kind, &toy, &toy_ops, &toy.devmem));
	toy_close(&toy);
	devmap_hmm_device_put(toy.device);
}

#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC

static void a_resource_that_is_not_public_memory_is_refused(void **state)
{
	devmap_hmm_devmem *devmem = NULL;
	devmap_hmm_resource resource;
	struct toy toy;

	(void)state;
	toy_prepare(&toy, DEVMAP_MEMORY_DEVICE_PUBLIC, PAGE_BYTES);
	resource = resource_at(toy.memory, NR_PAGES * PAGE_BYTES);
	/* Before anything is taken: a gate that is full does not matter. */
	atomic_store(&devmap_managed_key.enabled, INT32_MAX);
	resource.desc = DEVMAP_HMM_IORES_DESC_NONE;
	assert_error(devmap_hmm_devmem_add_resource(&toy_ops, NULL, &resource, 0, &toy, &devmem), EINVAL);
	resource.desc = DEVMAP_HMM_IORES_DESC_DEVICE_PRIVATE_MEMORY;
	assert_error(devmap_hmm_devmem_add_resource(&toy_ops, NULL, &resource, 0, &toy, &devmem), EINVAL);
	resource.desc = DEVMAP_HMM_IORES_DESC_DEVICE_PUBLIC_MEMORY;
	assert_error(devmap_hmm_devmem_add_resource(&toy_ops, NULL, &resource, 0, &toy, &devmem), EOVERFLOW);
	atomic_store(&devmap_managed_key.enabled, 0);
	resource.reserved = 1;
	assert_error(devmap_hmm_devmem_add_resource(&toy_ops, NULL, &resource, 0, &toy, &devmem), EINVAL);
	assert_error(devmap_hmm_devmem_add_resource(&toy_ops, NULL, NULL, 0, &toy, &devmem), EINVAL);
	resource = resource_at(NULL, PAGE_BYTES);
	assert_error(devmap_hmm_devmem_add_resource(&toy_ops, NULL, &resource, 0, &toy, &devmem), EINVAL);
	resource = resource_at((char *)toy.memory + 1, PAGE_BYTES);
	assert_error(devmap_hmm_devmem_add_resource(&toy_ops, NULL, &resource, 0, &toy, &devmem), EINVAL);
	assert_null(devmem);
	free(toy.memory);
}

static void a_range_that_another_map_has_is_refused(void **state)
{
	const uint64_t maps = stats_now().pagemaps.current;
	devmap_hmm_devmem *devmem = NULL;
	devmap_hmm_resource resource;
	struct toy toy;

	(void)state;
	toy_open(&toy, DEVMAP_MEMORY_DEVICE_PUBLIC);
	resource = resource_at((char *)toy.memory + PAGE_BYTES, PAGE_BYTES);
	toy.device = create_device(NULL);
	assert_error(devmap_hmm_devmem_add_resource(&toy_ops, toy.device, &resource, 0, &toy, &devmem), EEXIST);
	assert_null(devmem);
	assert_int_equal(devmap_pagemap_ops_count(), 1);
	assert_int_equal(stats_now().pagemaps.current, maps + 1);
	assert_ok(devmap_hmm_devmem_remove(toy.devmem, 0, NULL, NULL));
	/* It was the range that stood in the way, and removing gave it back. */
	assert_ok(devmap_hmm_devmem_add_resource(&toy_ops, toy.device, &resource, 0, &toy, &toy.devmem));
	toy_close(&toy);
	devmap_hmm_device_put(toy.device);
}

#endif

static int add_without_address_space(void)
{
	const int32_t holders = devmap_pagemap_ops_count();
	const uint64_t maps = stats_now().pagemaps.current;
	devmap_hmm_devmem *devmem = NULL;

	if (!limit_address_space(256 * MIB))
		return 2;
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
	if (devmap_hmm_devmem_add(&toy_ops, NULL, 4 * GIB, 0, NULL, &devmem) != -ENOMEM || devmem != NULL)
		return 3;
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
	{
		/* The range is there, its metadata (64 bytes a page: a GiB) is not. */
		const devmap_hmm_resource resource = resource_at((void *)(uintptr_t)(64 * GIB), 64 * GIB);

		if (devmap_hmm_devmem_add_resource(&toy_ops, NULL, &resource, 0, NULL, &devmem) != -ENOMEM ||
			devmem != NULL)
			return 4;
	}
#endif
	if (devmap_pagemap_ops_count() != holders || stats_now().pagemaps.current != maps)
		return 5;
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
	if (devmap_hmm_devmem_add(&toy_ops, NULL, MIB, 0, NULL, &devmem) != 0)
		return 6;
	return devmap_hmm_devmem_remove(devmem, 0, NULL, NULL) == 0 ? 0 : 7;
#else
	return 0;
#endif
}

static void memory_beyond_the_address_space_limit_is_refused(void **state)
{
	int status = status_of_child(add_without_address_space);

	(void)state;
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

#if !defined(DEVMAP_CONFIG_DEVICE_PRIVATE) || !defined(DEVMAP_CONFIG_DEVICE_PUBLIC)

static void the_kind_that_the_library_lacks_is_refused(void **state)
{
	devmap_hmm_devmem *devmem = NULL;
	struct toy toy;

	(void)state;
	toy_prepare(&toy, DEVMAP_MEMORY_DEVICE_PUBLIC, PAGE_BYTES);
#ifndef DEVMAP_CONFIG_DEVICE_PRIVATE
	assert_error(add_kind(DEVMAP_MEMORY_DEVICE_PRIVATE, &toy, &toy_ops, &devmem), EOPNOTSUPP);
#endif
#ifndef DEVMAP_CONFIG_DEVICE_PUBLIC
	assert_error(add_kind(DEVMAP_MEMORY_DEVICE_PUBLIC, &toy, &toy_ops, &devmem), EOPNOTSUPP);
#endif
	assert_null(devmem);
	free(toy.memory);
}

#endif

/* ---- pages ---- */

EACH_KIND(every_page_is_allocated_once_until_none_is_free)
{
	devmap_page *pages[NR_PAGES], *none = NULL;
	bool seen[NR_PAGES] = {false};
	struct toy toy;
	uint32_t round, i;

	toy_open(&toy, kind);
	for (round = 1; round <= 3; round++) {
		memset(seen, 0, sizeof(seen));
		for (i = 0; i < NR_PAGES; i++) {
			pages[i] = allocate(&toy);
			assert_false(seen[devmap_page_index(pages[i])]);
			seen[devmap_page_index(pages[i])] = true;
			assert_int_equal(devmap_hmm_devmem_pages_used(toy.devmem), i + 1);
		}
		assert_error(devmap_hmm_devmem_alloc_page(toy.devmem, &none), ENOSPC);
		assert_null(none);
		for (i = 0; i < NR_PAGES; i++) {
			devmap_put_page(pages[i]);
			assert_int_equal(toy.calls[devmap_page_index(pages[i])], round);
			assert_int_equal(devmap_hmm_devmem_pages_used(toy.devmem), NR_PAGES - 1 - i);
		}
		assert_int_equal(toy.total, round * NR_PAGES);
	}
	assert_error(devmap_hmm_devmem_alloc_page(NULL, &none), EINVAL);
	assert_error(devmap_hmm_devmem_alloc_page(toy.devmem, NULL), EINVAL);
	toy_close(&toy);
}

EACH_KIND(a_page_freed_is_the_next_one_allocated)
{
	devmap_page *pages[2];
	struct toy toy;

	toy_open(&toy, kind);
	pages[0] = allocate(&toy);
	pages[1] = allocate(&toy);
	devmap_put_page(pages[0]);
	assert_ptr_equal(allocate(&toy), pages[0]);
	devmap_put_page(pages[0]);
	devmap_put_page(pages[1]);
	toy_close(&toy);
}

EACH_KIND(the_driver_hears_of_the_last_put_alone)
{
	devmap_page *page, *taken = NULL;
	struct toy toy;

	toy_open(&toy, kind);
	page = allocate(&toy);
	devmap_get_page(page);
	assert_ok(devmap_try_get_page(page));
	assert_ok(devmap_pagemap_get_pages(
		devmap_hmm_devmem_pagemap(toy.devmem), devmap_page_index(page), 1, &taken));
	assert_ptr_equal(taken, page);
	devmap_put_page_refs(page, 3);
	assert_int_equal(toy.total, 0);
	assert_true(devmap_put_managed_page(page));
	assert_int_equal(toy.total, 1);
	toy_close(&toy);
}

EACH_KIND(a_batch_frees_each_of_its_pages_once)
{
	devmap_page *pages[NR_PAGES];
	struct toy toy;
	uint64_t batches;
	uint32_t i;

	toy_open(&toy, kind);
	for (i = 0; i < NR_PAGES; i++)
		pages[i] = allocate(&toy);
	devmap_get_page(pages[2]);
	batches = stats_now().idle_batches;
	devmap_release_pages(pages, NR_PAGES);
	assert_int_equal(stats_now().idle_batches, batches + 1);
	for (i = 0; i < NR_PAGES; i++)
		assert_int_equal(toy.calls[i], i == devmap_page_index(pages[2]) ? 0 : 1);
	assert_int_equal(devmap_hmm_devmem_pages_used(toy.devmem), 1);
	devmap_put_page(pages[2]);
	assert_int_equal(toy.total, NR_PAGES);
	for (i = 0; i < NR_PAGES; i++)
		pages[i] = allocate(&toy);
	/* Adjacent pages, whoever got which. */
	devmap_put_pages(devmap_pagemap_page(devmap_hmm_devmem_pagemap(toy.devmem), 0), NR_PAGES);
	assert_int_equal(toy.total, 2 * NR_PAGES);
	toy_close(&toy);
}

/** Allocates until none is free. @return which pages were had, as bits. */
static uint32_t allocate_all(struct toy *toy, devmap_page **pages, uint32_t *n)
{
	uint32_t had = 0;
	int result;

	for (*n = 0; (result = devmap_hmm_devmem_alloc_page(toy->devmem, &pages[*n])) == 0; ++*n) {
		const uint64_t index = devmap_page_index(pages[*n]);

		assert_int_equal(had & (UINT32_C(1) << index), 0);
		had |= UINT32_C(1) << index;
		assert_int_equal(devmap_page_count(pages[*n]), 2);
		atomic_store(&toy->is_allocated[index], 1);
	}
	assert_error(result, ENOSPC);
	return had;
}

static void put_all(devmap_page **pages, uint32_t n)
{
	while (n > 0)
		devmap_put_page(pages[--n]);
}

#define ALL_PAGES ((UINT32_C(1) << NR_PAGES) - 1)

EACH_KIND(a_free_page_that_is_taken_and_put_stays_free)
{
	devmap_page *pages[NR_PAGES], *taken;
	devmap_pagemap *map;
	struct toy toy;
	uint32_t i, n;

	toy_open(&toy, kind);
	map = devmap_hmm_devmem_pagemap(toy.devmem);
	/* Never used ones first, then those on the list. */
	for (i = 0; i < 2; i++) {
		devmap_put_page(take_page(map, 0));
		devmap_put_page(take_page(map, NR_PAGES - 1));
		assert_ok(devmap_pagemap_get_pages(map, 0, NR_PAGES, &taken));
		devmap_put_pages(taken, NR_PAGES);
		assert_int_equal(toy.total, i * NR_PAGES);
		assert_int_equal(devmap_hmm_devmem_pages_used(toy.devmem), 0);
		assert_int_equal(allocate_all(&toy, pages, &n), ALL_PAGES);
		put_all(pages, n);
		assert_int_equal(toy.total, (i + 1) * NR_PAGES);
	}
	toy_close(&toy);
}

EACH_KIND(a_free_page_that_is_held_is_allocated_when_it_is_put)
{
	devmap_page *pages[NR_PAGES], *held[3], *again = NULL;
	devmap_pagemap *map;
	struct toy toy;
	uint32_t expected = 0, i, n;

	toy_open(&toy, kind);
	map = devmap_hmm_devmem_pagemap(toy.devmem);
	for (i = 0; i < 2; i++) {
		held[0] = take_page(map, 0);
		held[1] = take_page(map, 3);
		held[2] = take_page(map, NR_PAGES - 1);
		assert_int_equal(allocate_all(&toy, pages, &n), ALL_PAGES & ~UINT32_C(0x89));
		assert_int_equal(devmap_hmm_devmem_pages_used(toy.devmem), NR_PAGES - 3);
		/* Taking it once more changes nothing. */
		devmap_put_page(take_page(map, 3));
		assert_error(devmap_hmm_devmem_alloc_page(toy.devmem, &again), ENOSPC);
		devmap_put_page(held[1]);
		assert_int_equal(toy.total, expected);
		assert_ptr_equal(allocate(&toy), held[1]);
		devmap_release_pages(held, 3);
		assert_int_equal(toy.total, expected + 1);
		put_all(pages, n);
		assert_int_equal(allocate_all(&toy, pages, &n), ALL_PAGES);
		put_all(pages, n);
		expected += 2 * NR_PAGES - 2;
		assert_int_equal(toy.total, expected);
	}
	toy_close(&toy);
}

static void allocate_in_free(struct toy *toy, devmap_page *page)
{
	(void)page;
	if (toy->also_page == NULL)
		toy->also_result = devmap_hmm_devmem_alloc_page(toy->devmem, &toy->also_page);
}

EACH_KIND(a_page_is_not_free_before_its_free_has_returned)
{
	devmap_page *pages[NR_PAGES];
	struct toy toy;
	uint32_t i;

	toy_open(&toy, kind);
	for (i = 0; i < NR_PAGES; i++)
		pages[i] = allocate(&toy);
	toy.also = allocate_in_free;
	devmap_put_page(pages[0]);
	assert_error(toy.also_result, ENOSPC);
	assert_null(toy.also_page);
	devmap_put_page(pages[1]);
	assert_ok(toy.also_result);
	assert_ptr_equal(toy.also_page, pages[0]);
	atomic_store(&toy.is_allocated[devmap_page_index(pages[0])], 1);
	put_all(pages + 2, NR_PAGES - 2);
	devmap_put_page(pages[0]);
	toy_close(&toy);
}

static void put_another_in_free(struct toy *toy, devmap_page *page)
{
	devmap_page *other = toy->also_page;

	(void)page;
	toy->also_page = NULL;
	if (other != NULL)
		devmap_put_page(other);
}

EACH_KIND(free_may_put_another_page)
{
	devmap_page *page;
	struct toy toy;

	toy_open(&toy, kind);
	page = allocate(&toy);
	toy.also_page = allocate(&toy);
	toy.also = put_another_in_free;
	devmap_put_page(page);
	assert_int_equal(toy.total, 2);
	toy_close(&toy);
}

EACH_KIND(a_page_keeps_the_driver_s_word)
{
	devmap_page *page;
	struct toy toy;

	toy_open(&toy, kind);
	page = allocate(&toy);
	assert_int_equal(devmap_hmm_devmem_page_get_drvdata(page), 0);
	devmap_hmm_devmem_page_set_drvdata(page, UINT64_C(0xfedcba9876543210));
	assert_true(devmap_hmm_devmem_page_get_drvdata(page) == UINT64_C(0xfedcba9876543210));
	assert_true(page->zone_device_data == UINT64_C(0xfedcba9876543210));
	devmap_put_page(page);
	assert_ptr_equal(allocate(&toy), page);
	assert_true(devmap_hmm_devmem_page_get_drvdata(page) == UINT64_C(0xfedcba9876543210));
	devmap_put_page(page);
	toy_close(&toy);
}

EACH_KIND(a_page_tells_whose_device_memory_it_is)
{
	struct counting_driver *driver = counting_driver_new(1);
	devmap_page *page, *ordinary = NULL;
	struct toy first, second;
	devmap_pagemap *map;
	uint32_t i;

	toy_open(&first, kind);
	toy_open(&second, kind);
	page = allocate(&first);
	assert_ptr_equal(devmap_hmm_page_devmem(page), first.devmem);
	devmap_put_page(page);
	page = allocate(&second);
	assert_ptr_equal(devmap_hmm_page_devmem(page), second.devmem);
	devmap_put_page(page);
	toy_close(&first);
	toy_close(&second);

	assert_null(devmap_hmm_page_devmem(NULL));
	assert_ok(devmap_alloc_pages(0, &ordinary));
	assert_null(devmap_hmm_page_devmem(ordinary));
	devmap_put_page(ordinary);
	map = create_host_map(1);
	page = take_page(map, 0);
	assert_null(devmap_hmm_page_devmem(page));
	devmap_put_page(page);
	destroy_map(map);
	for (i = 0; i < nr_managed_types; i++) {
		map = create_map_of_type(managed_types[i], 1, &counting_ops, driver);
		page = take_page(map, 0);
		assert_null(devmap_hmm_page_devmem(page));
		devmap_put_page(page);
		destroy_map(map);
	}
	counting_driver_free(driver);
}

/* ---- removing ---- */

EACH_KIND(a_removal_names_the_pages_that_are_out)
{
	devmap_busy_page named[2] = {{.index = 77}};
	devmap_busy_report busy = {.pages = named, .capacity = 2};
	devmap_page *page, *none = NULL;
	devmap_pagemap *map;
	struct toy toy;

	toy_open(&toy, kind);
	map = devmap_hmm_devmem_pagemap(toy.devmem);
	devmap_put_page(allocate(&toy));
	page = allocate(&toy);
	assert_error(devmap_hmm_devmem_remove(toy.devmem, 0, NULL, &busy), EBUSY);
	assert_int_equal(busy.nr_pages, 1);
	assert_int_equal(busy.nr_references, 0);
	assert_int_equal(named[0].index, devmap_page_index(page));
	assert_int_equal(named[0].count, 2);
	/* All is there, but for new pages. */
	assert_ptr_equal(devmap_hmm_devmem_pagemap(toy.devmem), map);
	assert_ptr_equal(devmap_hmm_devmem_data(toy.devmem), &toy);
	assert_int_equal(devmap_hmm_devmem_pages_used(toy.devmem), 1);
	assert_int_equal(devmap_pagemap_ops_count(), 1);
	assert_error(devmap_hmm_devmem_alloc_page(toy.devmem, &none), ENODEV);
	assert_null(none);
	devmap_put_page(page);
	assert_int_equal(toy.total, 2);
	toy_close(&toy);
	assert_int_equal(devmap_pagemap_ops_count(), 0);
}

EACH_KIND(memory_whose_removal_ended_busy_is_reopened)
{
	devmap_page *pages[NR_PAGES], *none = NULL;
	struct toy toy;
	uint64_t refused;
	uint32_t n;

	toy_open(&toy, kind);
	pages[0] = allocate(&toy);
	assert_error(devmap_hmm_devmem_remove(toy.devmem, 1, NULL, NULL), EBUSY);
	assert_int_equal(take_faults(DEVMAP_FAULT_LEAK_TEARDOWN), 1);
	refused = stats_now().refused_dying;
	assert_error(devmap_hmm_devmem_alloc_page(toy.devmem, &none), ENODEV);
	assert_int_equal(stats_now().refused_dying, refused + 1);
	assert_ok(devmap_pagemap_resume(devmap_hmm_devmem_pagemap(toy.devmem)));
	devmap_put_page(pages[0]);
	/* None was lost on the way. */
	assert_int_equal(allocate_all(&toy, pages, &n), ALL_PAGES);
	put_all(pages, n);
	toy_close(&toy);
}

static int remove_call(void *devmem)
{
	return devmap_hmm_devmem_remove(devmem, DEVMAP_WAIT_FOREVER, NULL, NULL);
}

EACH_KIND(a_removal_waits_for_the_last_put)
{
	struct blocking_call removal;
	devmap_page *page;
	struct toy toy;

	toy_open(&toy, kind);
	page = allocate(&toy);
	devmap_get_page(page);
	blocking_call_start(&removal, remove_call, toy.devmem);
	assert_true(blocking_call_waits(&removal));
	assert_error(devmap_hmm_devmem_remove(toy.devmem, 0, NULL, NULL), EALREADY);
	devmap_put_page(page);
	assert_true(blocking_call_waits(&removal));
	devmap_put_page(page);
	assert_ok(blocking_call_join(&removal));
	assert_int_equal(toy.total, 1);
	free(toy.memory);
}

EACH_KIND(a_cancelled_removal_leaves_everything)
{
	devmap_cancel cancel;
	devmap_page *page;
	struct toy toy;

	memset(&cancel, 0, sizeof(cancel));
	devmap_cancel_waits(&cancel);
	toy_open(&toy, kind);
	page = allocate(&toy);
	assert_error(devmap_hmm_devmem_remove(toy.devmem, DEVMAP_WAIT_FOREVER, &cancel, NULL), ECANCELED);
	assert_ok(devmap_pagemap_resume(devmap_hmm_devmem_pagemap(toy.devmem)));
	devmap_put_page(page);
	toy_close(&toy);
}

static void remove_in_free(struct toy *toy, devmap_page *page)
{
	(void)page;
	toy->also_result = devmap_hmm_devmem_remove(toy->devmem, DEVMAP_WAIT_FOREVER, NULL, NULL);
}

EACH_KIND(memory_is_not_removed_from_its_own_free)
{
	struct toy toy;

	toy_open(&toy, kind);
	toy.also = remove_in_free;
	devmap_put_page(allocate(&toy));
	assert_error(toy.also_result, EDEADLK);
	toy_close(&toy);
}

static void there_is_nothing_about_null(void **state)
{
	(void)state;
	assert_error(devmap_hmm_devmem_remove(NULL, 0, NULL, NULL), EINVAL);
	assert_null(devmap_hmm_devmem_pagemap(NULL));
	assert_null(devmap_hmm_devmem_device(NULL));
	assert_null(devmap_hmm_devmem_data(NULL));
	assert_int_equal(devmap_hmm_devmem_pages_used(NULL), 0);
}

/* ---- many threads ---- */

#define NR_WORKERS 4
#define MOST_HELD 3

struct stress {
	struct toy toy;
	uint32_t rounds;
	/** By page: the thread that has it, and one. */
	_Atomic(uint32_t) owners[NR_PAGES];
	_Atomic(uint32_t) allocations;
	/** Workers that call the device memory no more. */
	_Atomic(uint32_t) nr_done;
	bool remove;
};

static bool own_a_page(struct stress *stress, uint32_t id, devmap_page **page)
{
	struct toy *toy = &stress->toy;
	uint32_t nobody = 0;
	uint64_t index;
	int result = devmap_hmm_devmem_alloc_page(toy->devmem, page);

	if (result != 0) {
		check(result == -ENOSPC || (stress->remove && result == -ENODEV));
		return false;
	}
	index = devmap_page_index(*page);
	check(atomic_load(&toy->is_freed[index]) == 0);
	check(atomic_exchange(&toy->is_allocated[index], 1) == 0);
	check(atomic_compare_exchange_strong(&stress->owners[index], &nobody, id));
	atomic_fetch_add(&stress->allocations, 1);
	devmap_hmm_devmem_page_set_drvdata(*page, id);
	return true;
}

static void disown(struct stress *stress, uint32_t id, devmap_page *page)
{
	check(devmap_hmm_devmem_page_get_drvdata(page) == id);
	check(devmap_hmm_page_devmem(page) == stress->toy.devmem);
	check(atomic_exchange(&stress->owners[devmap_page_index(page)], 0) == id);
}

/** Takes any pages through the map, free or somebody's, and puts them. */
static void interfere(struct stress *stress, struct rng *rng)
{
	devmap_pagemap *map = devmap_hmm_devmem_pagemap(stress->toy.devmem);
	const uint32_t first = rng_below(rng, NR_PAGES);
	const uint32_t n = 1 + rng_below(rng, NR_PAGES - first);
	devmap_page *pages = NULL;

	if (devmap_pagemap_get_pages(map, first, n, &pages) != 0) {
		check(stress->remove);
		return;
	}
	perturb(rng);
	devmap_put_pages(pages, n);
}

static void put_some(struct stress *stress, uint32_t id, devmap_page **held, uint32_t n, struct rng *rng)
{
	const bool at_once = rng_below(rng, 2) == 0;
	uint32_t i;

	for (i = 0; i < n; i++) {
		disown(stress, id, held[i]);
		if (!at_once)
			devmap_put_page(held[i]);
	}
	if (at_once)
		devmap_release_pages(held, n);
}

static void allocate_and_put(struct stress *stress, uint32_t id, struct rng *rng)
{
	devmap_page *held[MOST_HELD];
	uint32_t n = 0, round, some;

	for (round = 0; round < stress->rounds; round++) {
		perturb(rng);
		if (rng_below(rng, 4) == 0)
			interfere(stress, rng);
		if (n < MOST_HELD && rng_below(rng, 2) == 0) {
			n += own_a_page(stress, id, &held[n]);
		} else {
			some = rng_below(rng, n + 1);
			put_some(stress, id, held + n - some, some, rng);
			n -= some;
		}
	}
	/* What is held still is put when no more is asked for: a removal may wait for just that. */
	atomic_fetch_add(&stress->nr_done, 1);
	put_some(stress, id, held, n, rng);
}

static void work_and_interfere(void *shared, uint32_t index, struct rng *rng)
{
	allocate_and_put(shared, index + 1, rng);
}

EACH_KIND(a_page_has_one_owner_at_a_time_and_comes_to_one_end)
{
	struct stress stress;
	devmap_page *pages[NR_PAGES];
	uint32_t n;

	memset(&stress, 0, sizeof(stress));
	stress.rounds = scaled(40000);
	toy_open(&stress.toy, kind);
	run_threads(NR_WORKERS, work_and_interfere, &stress);
	assert_true(stress.allocations > 0);
	assert_int_equal(stress.toy.total, stress.allocations);
	/* None was lost. */
	assert_int_equal(devmap_hmm_devmem_pages_used(stress.toy.devmem), 0);
	assert_int_equal(allocate_all(&stress.toy, pages, &n), ALL_PAGES);
	put_all(pages, n);
	toy_close(&stress.toy);
}

static void remove_under_load(struct stress *stress, struct rng *rng)
{
	devmap_pagemap *map = devmap_hmm_devmem_pagemap(stress->toy.devmem);
	devmap_page *held = NULL;
	uint32_t leaks = 0;

	/* One page that is taken throughout, so that no attempt succeeds before its time. */
	while (devmap_pagemap_get_pages(map, rng_below(rng, NR_PAGES), 1, &held) != 0)
		;
	while (atomic_load(&stress->nr_done) < NR_WORKERS) {
		int64_t timeout_ns = rng_below(rng, 100000);

		check(devmap_hmm_devmem_remove(stress->toy.devmem, timeout_ns, NULL, NULL) == -EBUSY);
		leaks += timeout_ns != 0;
		check(devmap_pagemap_resume(map) == 0);
		perturb(rng);
	}
	/* Each attempt that waited met the held page. */
	check(take_faults(DEVMAP_FAULT_LEAK_TEARDOWN) == leaks);
	devmap_put_page(held);
	check(devmap_hmm_devmem_remove(stress->toy.devmem, DEVMAP_WAIT_FOREVER, NULL, NULL) == 0);
}

static void work_or_remove(void *shared, uint32_t index, struct rng *rng)
{
	if (index == NR_WORKERS)
		remove_under_load(shared, rng);
	else
		allocate_and_put(shared, index + 1, rng);
}

EACH_KIND(memory_is_removed_under_load_and_nothing_is_lost)
{
	struct stress stress;
	uint32_t round;

	for (round = 0; round < scaled(20); round++) {
		memset(&stress, 0, sizeof(stress));
		stress.rounds = 1000;
		stress.remove = true;
		toy_open(&stress.toy, kind);
		run_threads(NR_WORKERS + 1, work_or_remove, &stress);
		assert_int_equal(stress.toy.total, stress.allocations);
		free(stress.toy.memory);
		assert_int_equal(devmap_pagemap_ops_count(), 0);
	}
}

#else

static void toy_free(devmap_hmm_devmem *devmem, devmap_page *page)
{
	(void)devmem;
	(void)page;
}

static int toy_fault(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags)
{
	(void)devmem;
	(void)address;
	(void)page;
	(void)flags;
	return 0;
}

static void device_memory_is_not_supported(void **state)
{
	const devmap_hmm_devmem_ops ops = {.free = toy_free, .fault = toy_fault};
	const devmap_hmm_device_config config = {.size = sizeof(config)};
	const devmap_hmm_resource resource = {.start = NULL};
	devmap_hmm_device *device = NULL;
	devmap_hmm_devmem *devmem = NULL;
	devmap_page *page = NULL, *ordinary = NULL;
	devmap_store store;

	(void)state;
	memset(&store, 0, sizeof(store));
	assert_error(devmap_hmm_device_new(&config, &device), EOPNOTSUPP);
	assert_null(device);
	devmap_hmm_device_put(NULL);
	assert_error(devmap_hmm_devmem_add(&ops, NULL, PAGE_BYTES, 0, NULL, &devmem), EOPNOTSUPP);
	assert_error(devmap_hmm_devmem_add_resource(&ops, NULL, &resource, 0, NULL, &devmem), EOPNOTSUPP);
	assert_error(devmap_hmm_devmem_add_store(NULL, &store, &devmem), EOPNOTSUPP);
	assert_null(devmem);
	assert_error(devmap_hmm_devmem_alloc_page(NULL, &page), EOPNOTSUPP);
	assert_error(devmap_hmm_devmem_remove(NULL, 0, NULL, NULL), EOPNOTSUPP);
	assert_null(devmap_hmm_devmem_pagemap(NULL));
	assert_null(devmap_hmm_devmem_device(NULL));
	assert_null(devmap_hmm_devmem_data(NULL));
	assert_int_equal(devmap_hmm_devmem_pages_used(NULL), 0);
	assert_ok(devmap_alloc_pages(0, &ordinary));
	assert_null(devmap_hmm_page_devmem(ordinary));
	devmap_put_page(ordinary);
}

#endif

static void whatever_went_wrong_there_is_advice(void **state)
{
	static const int32_t errors[] = {0, -EPERM, -EACCES, -ENOSYS, -EOPNOTSUPP, -ENOMEM, -1000};
	size_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(errors); i++) {
		assert_non_null(devmap_hmm_faults_advice(errors[i]));
		assert_true(strlen(devmap_hmm_faults_advice(errors[i])) > 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(whatever_went_wrong_there_is_advice),
#ifdef DEVMAP_CONFIG_HMM
		contract(a_device_has_its_name_and_data),
		contract(a_device_without_a_name_is_numbered),
		contract(a_name_is_neither_empty_nor_too_long),
		contract(a_device_of_a_bad_configuration_is_refused),
		contract(device_memory_is_a_managed_map_of_its_device),
		contract(a_page_size_of_0_means_4_kib),
		contract(ops_that_lack_something_are_refused),
		contract(lengths_and_page_sizes_that_are_none_are_refused),
		contract(memory_is_refused_at_the_most_holders_of_the_gate),
#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
		contract(a_resource_that_is_not_public_memory_is_refused),
		contract(a_range_that_another_map_has_is_refused),
#endif
		contract(memory_beyond_the_address_space_limit_is_refused),
#if !defined(DEVMAP_CONFIG_DEVICE_PRIVATE) || !defined(DEVMAP_CONFIG_DEVICE_PUBLIC)
		contract(the_kind_that_the_library_lacks_is_refused),
#endif
		contract(every_page_is_allocated_once_until_none_is_free),
		contract(a_page_freed_is_the_next_one_allocated),
		contract(the_driver_hears_of_the_last_put_alone),
		contract(a_batch_frees_each_of_its_pages_once),
		contract(a_free_page_that_is_taken_and_put_stays_free),
		contract(a_free_page_that_is_held_is_allocated_when_it_is_put),
		contract(a_page_is_not_free_before_its_free_has_returned),
		contract(free_may_put_another_page),
		contract(a_page_keeps_the_driver_s_word),
		contract(a_page_tells_whose_device_memory_it_is),
		contract(a_removal_names_the_pages_that_are_out),
		contract(memory_whose_removal_ended_busy_is_reopened),
		contract(a_removal_waits_for_the_last_put),
		contract(a_cancelled_removal_leaves_everything),
		contract(memory_is_not_removed_from_its_own_free),
		contract(there_is_nothing_about_null),
		contract(a_page_has_one_owner_at_a_time_and_comes_to_one_end),
		contract(memory_is_removed_under_load_and_nothing_is_lost),
#else
		contract(device_memory_is_not_supported),
#endif
	};

	return cmocka_run_group_tests_name("hmm_devmem", tests, NULL, NULL);
}
