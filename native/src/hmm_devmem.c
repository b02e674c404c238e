/* SPDX-License-Identifier: MIT */
#include "hmm_internal.h"

#ifdef DEVMAP_CONFIG_HMM

#include <stdlib.h>

/* ---- free pages ------------------------------------------------------------------------------------------------- */

/*
 * Whose a page is, by its flags:
 *
 *     0                         free: on the list, or never used; or on its way there, while the driver's `free` runs
 *     PAGE_DEVICE_ALLOCATED     somebody's
 *     PAGE_DEVICE_PASSED_OVER   free, but held when it was to be allocated; goes back to the list when it is idle
 *
 * Anybody may take a page through its map, a free one too. So an idle edge's callback may meet a page that was free all
 * the time, or one that was allocated after the edge. What counts is what it finds under the lock: a page that was
 * allocated and is idle has come to its end, and the first callback to see that tells the driver; where the page is in
 * use, another edge is yet to come. Allocating activates the page under the same lock, so that no late callback finds it
 * idle, and only pages that nobody holds, so that it has one reference.
 */

static void free_push(devmap_hmm_devmem *devmem, devmap_page *page)
{
	page->reserved[0] = (uintptr_t)devmem->free_pages;
	devmem->free_pages = page;
}

/* The first free page, left where it is, or NULL. The map is live. */
static devmap_page *free_first(devmap_hmm_devmem *devmem)
{
	struct map *map = map_of(devmem->pgmap);

	if (devmem->free_pages)
		return devmem->free_pages;
	return devmem->next_new < map->public.nr_pages ? map_page(map, devmem->next_new) : NULL;
}

static void free_remove_first(devmap_hmm_devmem *devmem)
{
	if (devmem->free_pages)
		devmem->free_pages = (devmap_page *)(uintptr_t)devmem->free_pages->reserved[0];
	else
		devmem->next_new++;
}

/* Allocates and activates the first free page that nobody holds. Those that are held are passed over. */
static devmap_page *free_take(devmap_hmm_devmem *devmem)
{
	devmap_page *page;

	while ((page = free_first(devmem))) {
		int32_t idle = 0;

		free_remove_first(devmem);
		/* Acquire, with the release of the last drop, as page_take(). */
		if (atomic_compare_exchange_strong_explicit(&page->refcount, &idle, 1, memory_order_acquire,
							    memory_order_relaxed)) {
			atomic_store_explicit(&page->flags, PAGE_DEVICE_ALLOCATED, memory_order_relaxed);
			atomic_fetch_add_explicit(&devmem->nr_used, 1, memory_order_relaxed);
			return page;
		}
		atomic_store_explicit(&page->flags, PAGE_DEVICE_PASSED_OVER, memory_order_relaxed);
	}
	return NULL;
}

int devmap_hmm_devmem_alloc_page(devmap_hmm_devmem *devmem, devmap_page **result)
{
	uint32_t shard = this_shard();
	devmap_page *page;
	struct map *map;

	if (!devmem || !result)
		return -EINVAL;
	map = map_of(devmem->pgmap);
	if (map_enter(map, shard, 1) != 0) {
		stat_add_in(shard, STAT_refused_dying, 1);
		return -ENODEV;
	}
	pthread_mutex_lock(&devmem->lock);
	page = free_take(devmem);
	pthread_mutex_unlock(&devmem->lock);
	if (!page) {
		map_exit(map, shard, 1);
		return -ENOSPC;
	}
	/* The reference on the map is the page's now. */
	stat_add_in(shard, STAT_activations, 1);
	page_follow(map, page, 1);
	*result = page;
	return 0;
}

uint64_t devmap_hmm_devmem_pages_used(const devmap_hmm_devmem *devmem)
{
	return devmem ? atomic_load_explicit(&devmem->nr_used, memory_order_relaxed) : 0;
}

/* Whether an allocation has come to its end. */
static bool page_ends(devmap_hmm_devmem *devmem, devmap_page *page)
{
	uint32_t flags = atomic_load_explicit(&page->flags, memory_order_relaxed);

	/* Acquire: the edge that is seen here may not be the one whose callback this is. */
	if (!flags || atomic_load_explicit(&page->refcount, memory_order_acquire) != 0)
		return false;
	atomic_store_explicit(&page->flags, 0, memory_order_relaxed);
	if (flags & PAGE_DEVICE_ALLOCATED)
		return true;
	free_push(devmem, page);
	return false;
}

/* The map's pages_free. The driver is called without the lock, and the pages are free when it has returned. */
static void devmem_pages_free(devmap_page *const *pages, uint32_t n, void *data)
{
	devmap_hmm_devmem *devmem = data;
	devmap_page *ended[DEVMAP_IDLE_BATCH];
	uint32_t nr_ended = 0;

	pthread_mutex_lock(&devmem->lock);
	for (uint32_t i = 0; i < n; i++)
		if (page_ends(devmem, pages[i]))
			ended[nr_ended++] = pages[i];
	pthread_mutex_unlock(&devmem->lock);
	if (nr_ended == 0)
		return;

	for (uint32_t i = 0; i < nr_ended; i++)
		devmem->ops.free(devmem, ended[i]);

	pthread_mutex_lock(&devmem->lock);
	/* The first on top. */
	for (uint32_t i = nr_ended; i > 0; i--)
		free_push(devmem, ended[i - 1]);
	atomic_fetch_sub_explicit(&devmem->nr_used, nr_ended, memory_order_relaxed);
	pthread_mutex_unlock(&devmem->lock);
}

/* The map's page_free; its address tells the maps of device memory from others. */
static void devmem_page_free(devmap_page *page, void *data)
{
	devmem_pages_free(&page, 1, data);
}

static const devmap_pagemap_ops devmem_map_ops = {.page_free = devmem_page_free, .pages_free = devmem_pages_free};

/* ---- memory that the CPU can address ---------------------------------------------------------------------------- */

static uint64_t page_length(const devmap_page *page)
{
	return UINT64_C(1) << devmap_page_pagemap(page)->page_shift;
}

static void public_copy_to(devmap_hmm_devmem *devmem, devmap_hmm_copy *copies, uint32_t n)
{
	(void)devmem;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(devmap_page_address(copies[i].page), copies[i].memory, page_length(copies[i].page));
		copies[i].result = 0;
	}
}

static void public_copy_from(devmap_hmm_devmem *devmem, devmap_hmm_copy *copies, uint32_t n)
{
	(void)devmem;
	for (uint32_t i = 0; i < n; i++) {
		memcpy(copies[i].memory, devmap_page_address(copies[i].page), page_length(copies[i].page));
		copies[i].result = 0;
	}
}

/* ---- adding and removing ---------------------------------------------------------------------------------------- */

static bool ops_are_good(const devmap_hmm_devmem_ops *ops)
{
	return ops && ops->free && ops->fault && !ops->copy_to == !ops->copy_from;
}

/* Makes it of a map of which the type, the backing, the range and the page size are given. */
static int devmem_create(devmap_pagemap_config *config, const devmap_hmm_devmem_ops *ops, devmap_hmm_device *device,
			 void *data, devmap_hmm_devmem **result)
{
	devmap_hmm_devmem *devmem = calloc(1, sizeof(*devmem));
	int error;

	if (!devmem)
		return -ENOMEM;
	pthread_mutex_init(&devmem->lock, NULL);
	devmem->ops = *ops;
	devmem->device = device;
	devmem->data = data;
	if (config->type == DEVMAP_MEMORY_DEVICE_PUBLIC && !ops->copy_to) {
		devmem->ops.copy_to = public_copy_to;
		devmem->ops.copy_from = public_copy_from;
	}
	config->size = sizeof(*config);
	config->ops = &devmem_map_ops;
	config->data = devmem;
	error = devmap_memremap_pages(config, &devmem->pgmap);
	if (error != 0) {
		pthread_mutex_destroy(&devmem->lock);
		free(devmem);
		return error;
	}
	if (device)
		devmap_hmm_device_get(device);
	*result = devmem;
	return 0;
}

int devmap_hmm_devmem_add(const devmap_hmm_devmem_ops *ops, devmap_hmm_device *device, uint64_t size,
			  uint64_t page_size, void *data, devmap_hmm_devmem **devmem)
{
	devmap_pagemap_config config = {
		.type = DEVMAP_MEMORY_DEVICE_PRIVATE,
		.backing = DEVMAP_BACKING_INACCESSIBLE,
		.page_size = page_size,
		.length = size,
	};

	if (!ops_are_good(ops) || !devmem)
		return -EINVAL;
	return devmem_create(&config, ops, device, data, devmem);
}

int devmap_hmm_devmem_add_resource(const devmap_hmm_devmem_ops *ops, devmap_hmm_device *device,
				   const devmap_hmm_resource *resource, uint64_t page_size, void *data,
				   devmap_hmm_devmem **devmem)
{
	devmap_pagemap_config config = {
		.type = DEVMAP_MEMORY_DEVICE_PUBLIC,
		.backing = DEVMAP_BACKING_CALLER,
		.page_size = page_size,
	};

	if (!ops_are_good(ops) || !devmem || !resource || resource->reserved != 0 ||
	    resource->desc != DEVMAP_HMM_IORES_DESC_DEVICE_PUBLIC_MEMORY)
		return -EINVAL;
	config.address = resource->start;
	config.length = resource->length;
	return devmem_create(&config, ops, device, data, devmem);
}

int devmap_hmm_devmem_remove(devmap_hmm_devmem *devmem, int64_t timeout_ns, const devmap_cancel *cancel,
			     devmap_busy_report *busy)
{
	int result;

	if (!devmem)
		return -EINVAL;
	/* The page that it serves is in use; and the last reference on the device would end this thread. */
	if (serving_faults)
		return -EDEADLK;
	result = devmap_memunmap_pages(devmem->pgmap, timeout_ns, cancel, busy);
	if (result != 0)
		return result;
	/* A map that was just torn down, and that nobody else may free. */
	(void)!devmap_pagemap_free(devmem->pgmap);
	if (devmem->store)
		devmem->store->ops->close(devmem->store);
	devmap_hmm_device_put(devmem->device);
	pthread_mutex_destroy(&devmem->lock);
	free(devmem);
	return 0;
}

/* ---- what there is to know -------------------------------------------------------------------------------------- */

devmap_pagemap *devmap_hmm_devmem_pagemap(const devmap_hmm_devmem *devmem)
{
	return devmem ? devmem->pgmap : NULL;
}

devmap_hmm_device *devmap_hmm_devmem_device(const devmap_hmm_devmem *devmem)
{
	return devmem ? devmem->device : NULL;
}

void *devmap_hmm_devmem_data(const devmap_hmm_devmem *devmem)
{
	return devmem ? devmem->data : NULL;
}

devmap_hmm_devmem *devmap_hmm_page_devmem(const devmap_page *page)
{
	const struct driver *driver;

	/* A managed type's driver is constant while the map lives; a claim's is not. */
	if (!page || !(devmap_is_device_private_page(page) || devmap_is_device_public_page(page)))
		return NULL;
	driver = atomic_load_explicit(&map_of(devmap_page_pagemap(page))->driver, memory_order_relaxed);
	return driver->ops.page_free == devmem_page_free ? driver->data : NULL;
}

#else

int devmap_hmm_devmem_add(const devmap_hmm_devmem_ops *ops, devmap_hmm_device *device, uint64_t size,
			  uint64_t page_size, void *data, devmap_hmm_devmem **devmem)
{
	(void)ops;
	(void)device;
	(void)size;
	(void)page_size;
	(void)data;
	(void)devmem;
	return -EOPNOTSUPP;
}

int devmap_hmm_devmem_add_resource(const devmap_hmm_devmem_ops *ops, devmap_hmm_device *device,
				   const devmap_hmm_resource *resource, uint64_t page_size, void *data,
				   devmap_hmm_devmem **devmem)
{
	(void)ops;
	(void)device;
	(void)resource;
	(void)page_size;
	(void)data;
	(void)devmem;
	return -EOPNOTSUPP;
}

int devmap_hmm_devmem_remove(devmap_hmm_devmem *devmem, int64_t timeout_ns, const devmap_cancel *cancel,
			     devmap_busy_report *busy)
{
	(void)devmem;
	(void)timeout_ns;
	(void)cancel;
	(void)busy;
	return -EOPNOTSUPP;
}

int devmap_hmm_devmem_alloc_page(devmap_hmm_devmem *devmem, devmap_page **page)
{
	(void)devmem;
	(void)page;
	return -EOPNOTSUPP;
}

uint64_t devmap_hmm_devmem_pages_used(const devmap_hmm_devmem *devmem)
{
	(void)devmem;
	return 0;
}

devmap_pagemap *devmap_hmm_devmem_pagemap(const devmap_hmm_devmem *devmem)
{
	(void)devmem;
	return NULL;
}

devmap_hmm_device *devmap_hmm_devmem_device(const devmap_hmm_devmem *devmem)
{
	(void)devmem;
	return NULL;
}

void *devmap_hmm_devmem_data(const devmap_hmm_devmem *devmem)
{
	(void)devmem;
	return NULL;
}

devmap_hmm_devmem *devmap_hmm_page_devmem(const devmap_page *page)
{
	(void)page;
	return NULL;
}

#endif

/* The driver's word is there in every configuration. */

void devmap_hmm_devmem_page_set_drvdata(devmap_page *page, uint64_t data)
{
	page->zone_device_data = data;
}

uint64_t devmap_hmm_devmem_page_get_drvdata(const devmap_page *page)
{
	return page->zone_device_data;
}
