/* SPDX-License-Identifier: MIT */
/* Ranges: how they begin, end, and what there is to see of them. */
#include "hmm_internal.h"

#ifdef DEVMAP_CONFIG_HMM

#include <stdlib.h>

/* Most bytes of a batch of pages larger than 8 KiB, as each fault thread keeps memory for one. */
#define BATCH_BYTES (UINT64_C(256) << 10)
#define MAX_EVENTS (UINT32_C(1) << 20)

/* ---- staging ---------------------------------------------------------------------------------------------------- */

struct staging_buffer {
	struct staging_buffer *next;
};

static uint64_t staging_length(const devmap_hmm_range *range)
{
	return range->batch * range->page_size;
}

void *staging_take(devmap_hmm_range *range)
{
	struct staging_buffer *buffer;
	void *memory;

	pthread_mutex_lock(&range->staging.lock);
	buffer = range->staging.free;
	if (buffer) {
		range->staging.free = buffer->next;
		range->staging.nr_free--;
	}
	pthread_mutex_unlock(&range->staging.lock);
	if (buffer)
		return buffer;
	return os_reserve(staging_length(range), os_page_size(), OS_READ_WRITE, &memory) == 0 ? memory : NULL;
}

void staging_give(devmap_hmm_range *range, void *memory)
{
	struct staging_buffer *buffer = memory;
	bool keep;

	pthread_mutex_lock(&range->staging.lock);
	keep = range->staging.nr_free < MAX_FAULT_THREADS;
	if (keep) {
		buffer->next = range->staging.free;
		range->staging.free = buffer;
		range->staging.nr_free++;
	}
	pthread_mutex_unlock(&range->staging.lock);
	if (!keep)
		os_unmap(buffer, staging_length(range));
}

static void staging_free(devmap_hmm_range *range)
{
	while (range->staging.free) {
		struct staging_buffer *buffer = range->staging.free;

		range->staging.free = buffer->next;
		os_unmap(buffer, staging_length(range));
	}
	pthread_mutex_destroy(&range->staging.lock);
}

/* One for each thread that serves faults, so that none of them has to ask the system. */
static int staging_init(devmap_hmm_range *range)
{
	pthread_mutex_init(&range->staging.lock, NULL);
	for (uint32_t i = 0; range->faults && i < range->device->nr_threads; i++) {
		void *memory;
		int result = os_reserve(staging_length(range), os_page_size(), OS_READ_WRITE, &memory);

		if (result != 0) {
			staging_free(range);
			return result;
		}
		staging_give(range, memory);
	}
	return 0;
}

/* ---- creation --------------------------------------------------------------------------------------------------- */

static bool is_page_size(uint64_t size)
{
	return size >= os_page_size() && size <= UINT64_C(1) << PAGE_SHIFT_MAX && !(size & (size - 1));
}

static uint64_t devmem_page_size(const devmap_hmm_devmem *devmem)
{
	return UINT64_C(1) << devmem->pgmap->page_shift;
}

static int check_config(const devmap_hmm_range_config *config, uint64_t page_size)
{
	uintptr_t start = (uintptr_t)config->address;

	if (!config->device || (config->flags & ~(uint32_t)DEVMAP_HMM_RANGE_KEEP_COPIES) || !is_page_size(page_size) ||
	    config->length == 0 || config->length % page_size || config->resident_limit % page_size ||
	    start % page_size || (start && config->length - 1 > UINTPTR_MAX - start) ||
	    config->event_capacity > MAX_EVENTS)
		return -EINVAL;
	if (config->on_error < DEVMAP_HMM_ON_ERROR_SIGBUS || config->on_error > DEVMAP_HMM_ON_ERROR_HANDLER ||
	    (config->on_error == DEVMAP_HMM_ON_ERROR_HANDLER) != (config->failed != NULL))
		return -EINVAL;
	if (!config->devmem)
		return config->resident_limit ? -EINVAL : 0;
	return config->devmem->ops.copy_to && devmem_page_size(config->devmem) == page_size ? 0 : -EINVAL;
}

/* First of all, as anything mapped later could lie in a hole of the caller's memory. */
static int memory_init(devmap_hmm_range *range, void *address)
{
	void *memory = address;
	int result;

	range->owns_memory = !address;
	if (range->owns_memory)
		result = os_reserve(range->length, range->page_size, OS_READ_WRITE, &memory);
	else
		result = os_check_private(memory, range->length);
	range->address = memory;
	return result;
}

/* What is the caller's was not touched, or is as it was. */
static void memory_free(devmap_hmm_range *range)
{
	if (range->owns_memory)
		os_unmap(range->address, range->length);
}

/*
 * Memory that the caller has freed (MADV_FREE) may go at any time, unless it is written: a byte, as it was. Before faults on it
 * are served, so that this is none that waits.
 */
static int hold_page(devmap_hmm_range *range, devmap_page *page, const bool *populated, uint64_t n)
{
	char *memory = range_memory(range, page);

	for (uint64_t i = 0; i < n; i++)
		if (populated[i])
			__atomic_fetch_or(memory + i * os_page_size(), 0, __ATOMIC_RELAXED);
	return 0;
}

/* A page of the caller's that has something in it is resident; what it has not got is zeros, from now on without faults. */
static int adopt_page(devmap_hmm_range *range, devmap_page *page, const bool *populated, uint64_t n)
{
	char *memory = range_memory(range, page);
	uint64_t nr_populated = 0;
	int result = 0;

	for (uint64_t i = 0; i < n; i++)
		nr_populated += populated[i];
	if (nr_populated == 0)
		return 0;
	for (uint64_t i = 0; range->faults && i < n && result == 0; i++)
		if (!populated[i])
			result = os_faults_zero(&range->device->source, memory + i * os_page_size(), os_page_size());
	if (result != 0)
		return result;
	(void)frame_take(range, page, true);
	atomic_fetch_or(&page->flags, PAGE_PRESENT | PAGE_DIRTY);
	return 0;
}

typedef int visit_page(devmap_hmm_range *range, devmap_page *page, const bool *populated, uint64_t n);

/* System pages looked at in one go. */
#define LOOK_AT 4096

/* Does something with each page of the caller's memory, told which of its system's pages have something in them. */
static int visit_memory(devmap_hmm_range *range, visit_page *visit)
{
	uint64_t in_page = range->page_size / os_page_size();
	uint64_t at_once = in_page < LOOK_AT ? LOOK_AT / in_page : 1;
	uint64_t nr_pages = range->pgmap->nr_pages;
	bool *populated;
	int result = 0;

	if (range->owns_memory)
		return 0;
	populated = malloc(at_once * in_page * sizeof(*populated));
	if (!populated)
		return -ENOMEM;
	for (uint64_t first = 0; first < nr_pages && result == 0; first += at_once) {
		uint64_t n = nr_pages - first < at_once ? nr_pages - first : at_once;

		result = os_populated(range->address + first * range->page_size, n * in_page, populated);
		for (uint64_t i = 0; i < n && result == 0; i++)
			result = visit(range, map_page(map_of(range->pgmap), first + i), &populated[i * in_page], in_page);
	}
	free(populated);
	return result;
}

static int map_init_range(devmap_hmm_range *range)
{
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = DEVMAP_MEMORY_DEVICE_HOST,
		.backing = DEVMAP_BACKING_CALLER,
		.page_size = range->page_size,
		.address = range->address,
		.length = range->length,
	};
	struct map_purpose purpose = {.file = {.file = OS_NO_FILE}, .range = range};

	return map_create(&config, &purpose, &range->pgmap);
}

static void map_free_range(devmap_hmm_range *range)
{
	struct map *map = map_of(range->pgmap);

	pthread_mutex_lock(&ranges_lock);
	atomic_store(&map->range, NULL);
	pthread_mutex_unlock(&ranges_lock);
	(void)map_free(map);
}

/* Takes what a range needs; all of it or nothing. */
static int range_begin(devmap_hmm_range *range, const devmap_hmm_range_config *config)
{
	uint64_t limit = config->resident_limit ? config->resident_limit / range->page_size : UINT64_MAX;
	int result = memory_init(range, config->address);

	if (result != 0)
		return result;
	result = frames_init(&range->frames, range->length / range->page_size, UINT64_MAX);
	if (result != 0)
		goto free_memory;
	result = staging_init(range);
	if (result != 0)
		goto free_frames;
	result = events_init(&range->events, config->event_capacity);
	if (result != 0)
		goto free_events;
	result = map_init_range(range);
	if (result != 0)
		goto free_events;
	/* From here on a fork leaves the memory out; before, it could have been another range's. */
	result = os_make_unshared(range->address, range->length);
	if (result != 0)
		goto free_map;
	result = visit_memory(range, hold_page);
	if (result != 0)
		goto make_shared;
	if (range->faults) {
		result = os_faults_register(&range->device->source, range->address, range->length);
		if (result != 0)
			goto make_shared;
	}
	result = visit_memory(range, adopt_page);
	if (result != 0)
		goto unregister;
	frames_set_limit(&range->frames, limit);
	return 0;

unregister:
	if (range->faults)
		os_faults_unregister(&range->device->source, range->address, range->length);
make_shared:
	os_make_shared(range->address, range->length);
free_map:
	(void)map_unmap_begin(map_of(range->pgmap), DEVMAP_WAIT_FOREVER, NULL, NULL);
	map_unmap_finish(map_of(range->pgmap));
	map_free_range(range);
free_events:
	events_free(&range->events);
	staging_free(range);
free_frames:
	frames_free(&range->frames, range->length / range->page_size);
free_memory:
	memory_free(range);
	return result;
}

static void start_serving(devmap_hmm_range *range)
{
	pthread_mutex_lock(&ranges_lock);
	range->serving = true;
	pthread_mutex_unlock(&ranges_lock);
}

int devmap_hmm_range_add(const devmap_hmm_range_config *config, devmap_hmm_range **result)
{
	uint64_t page_size;
	devmap_hmm_range *range;
	int error;

	if (!config || !result || config->size != sizeof(*config))
		return -EINVAL;
	page_size = config->page_size;
	if (page_size == 0)
		page_size = config->devmem ? devmem_page_size(config->devmem) : UINT64_C(1) << PAGE_SHIFT_MIN;
	error = check_config(config, page_size);
	if (error != 0)
		return error;
	range = calloc(1, sizeof(*range));
	if (!range)
		return -ENOMEM;
	range->device = config->device;
	range->devmem = config->devmem;
	range->length = config->length;
	range->page_size = page_size;
	range->flags = config->flags;
	range->on_error = config->on_error;
	range->failed = config->failed;
	range->data = config->data;
	range->faults = config->device->faults != DEVMAP_HMM_FAULTS_NONE;
	range->batch = page_size >= BATCH_BYTES ? 1 : (uint32_t)(BATCH_BYTES / page_size);
	if (range->batch > BATCH)
		range->batch = BATCH;
	error = range_begin(range, config);
	if (error != 0) {
		free(range);
		return error;
	}
	devmap_hmm_device_get(range->device);
	start_serving(range);
	/* What was in the memory may be more than the limit; what can't go stays, and is counted. */
	(void)frames_shrink(range);
	*result = range;
	return 0;
}

/* ---- removal ---------------------------------------------------------------------------------------------------- */

static bool serves_none(void *context)
{
	return atomic_load(&((devmap_hmm_range *)context)->nr_faults) == 0;
}

/* From here on no fault finds the range: a thread in one goes on, faults again, and so on until its memory is settled. */
static void stop_serving(devmap_hmm_range *range)
{
	pthread_mutex_lock(&ranges_lock);
	range->serving = false;
	pthread_mutex_unlock(&ranges_lock);
	fence_heavy();
	wait_until(&range->nr_faults, serves_none, range, DEVMAP_WAIT_FOREVER, NULL);
}

/* Brings a page of the caller's memory back, and gives up what a device has of it. */
static int page_bring_home(devmap_hmm_range *range, devmap_page *page)
{
	int32_t result = 0;

	page_lock(page);
	if (!(page_flags(page) & PAGE_PRESENT) && page->zone_device_data) {
		(void)frame_take(range, page, true);
		pages_to_ram(range, &page, 1, true, &result);
	} else if (page->zone_device_data) {
		result = page_make_dirty(range, page);
	}
	page_unlock(page);
	return result < 0 ? result : 0;
}

static int bring_all_home(devmap_hmm_range *range)
{
	struct map *map = map_of(range->pgmap);
	uint64_t end = range->pgmap->nr_pages;
	int result = 0;

	for (uint64_t i = map_next_touched(map, 0, end); i < end && result == 0; i = map_next_touched(map, i + 1, end))
		result = page_bring_home(range, &range->pgmap->pages[i]);
	return result;
}

static void drop_device_pages(devmap_hmm_range *range)
{
	struct map *map = map_of(range->pgmap);
	uint64_t end = range->pgmap->nr_pages;

	for (uint64_t i = map_next_touched(map, 0, end); i < end; i = map_next_touched(map, i + 1, end)) {
		devmap_page *device_page = device_page_of(&range->pgmap->pages[i]);

		if (device_page)
			devmap_put_page(device_page);
	}
}

/*
 * A thread that touches the library's memory meanwhile finds no zeros there: it goes from fault to fault until the memory is
 * gone. Nobody who serves a fault may be at it then, as that may be copying another page of it.
 */
static int end_own_memory(devmap_hmm_range *range)
{
	int result;

	stop_serving(range);
	result = os_replace_by_nothing(range->address, range->length);
	if (result != 0) {
		start_serving(range);
		return result;
	}
	if (range->faults)
		os_faults_wake(&range->device->source, range->address, range->length);
	drop_device_pages(range);
	return 0;
}

static int end_callers_memory(devmap_hmm_range *range)
{
	uint64_t limit = range->frames.limit;
	int result;

	/* So that no fault sends away what comes back; see find_victims(). */
	frames_set_limit(&range->frames, UINT64_MAX);
	result = bring_all_home(range);
	if (result == 0) {
		stop_serving(range);
		/* But one that was about to, as it had found the limit reached before that, has done so by now. */
		result = bring_all_home(range);
		if (result != 0)
			start_serving(range);
	}
	if (result != 0) {
		range->frames.limit = limit;
		return result;
	}
	if (range->faults)
		os_faults_unregister(&range->device->source, range->address, range->length);
	os_make_shared(range->address, range->length);
	return 0;
}

static int end_memory(devmap_hmm_range *range)
{
	return range->owns_memory ? end_own_memory(range) : end_callers_memory(range);
}

int devmap_hmm_range_remove(devmap_hmm_range *range, int64_t timeout_ns, const devmap_cancel *cancel,
			    devmap_busy_report *busy)
{
	devmap_hmm_device *device;
	const void *events;
	struct map *map;
	int result;

	if (!range)
		return -EINVAL;
	if (serving_faults)
		return -EDEADLK;
	map = map_of(range->pgmap);
	events = &range->events.nr_put;
	result = map_unmap_begin(map, timeout_ns, cancel, busy);
	if (result != 0)
		return result;
	result = end_memory(range);
	if (result != 0) {
		map_unmap_abandon(map);
		return result;
	}
	device = range->device;
	memory_free(range);
	frames_free(&range->frames, range->length / range->page_size);
	staging_free(range);
	/* The last touch: after this the handle may be freed. */
	map_unmap_finish(map);
	wake_waiters(events);
	devmap_hmm_device_put(device);
	return 0;
}

int devmap_hmm_range_resume(devmap_hmm_range *range)
{
	return range ? devmap_pagemap_resume(range->pgmap) : -EINVAL;
}

int devmap_hmm_range_free(devmap_hmm_range *range)
{
	if (!range)
		return 0;
	if (!map_is_dead(map_of(range->pgmap)))
		return -EBUSY;
	map_free_range(range);
	events_free(&range->events);
	free(range);
	return 0;
}

/* ---- what there is to see --------------------------------------------------------------------------------------- */

devmap_pagemap *devmap_hmm_range_pagemap(const devmap_hmm_range *range)
{
	return range ? range->pgmap : NULL;
}

void *devmap_hmm_range_address(const devmap_hmm_range *range)
{
	return range ? range->address : NULL;
}

static uint8_t state_of(devmap_page *page)
{
	uint32_t flags = page_flags(page);
	devmap_page *device_page = device_page_of(page);
	uint8_t state = 0;

	if (flags & PAGE_PRESENT)
		state |= DEVMAP_HMM_PAGE_RESIDENT;
	if (flags & PAGE_DIRTY)
		state |= DEVMAP_HMM_PAGE_DIRTY;
	if (flags & PAGE_POISONED)
		state |= DEVMAP_HMM_PAGE_POISONED;
	if (device_page)
		state |= DEVMAP_HMM_PAGE_DEVICE;
	if (device_page && devmap_is_device_public_page(device_page))
		state |= DEVMAP_HMM_PAGE_PUBLIC;
	/* Frozen it is 0, idle 1. */
	if (devmap_page_count(page) > 1)
		state |= DEVMAP_HMM_PAGE_PINNED;
	return state;
}

int devmap_hmm_range_snapshot(devmap_hmm_range *range, uint64_t first_page, uint64_t nr_pages, uint8_t *states)
{
	uint32_t shard = this_shard();
	struct map *map;
	uint64_t end;

	if (!range || (!states && nr_pages))
		return -EINVAL;
	map = map_of(range->pgmap);
	if (map_enter(map, shard, 1) != 0)
		return -ENODEV;
	if (!map_contains(map, first_page, nr_pages)) {
		map_exit(map, shard, 1);
		return -ERANGE;
	}
	end = first_page + nr_pages;
	if (nr_pages)
		memset(states, 0, nr_pages);
	for (uint64_t i = map_next_touched(map, first_page, end); i < end; i = map_next_touched(map, i + 1, end)) {
		devmap_page *page = &range->pgmap->pages[i];
		uint8_t state;

		page_lock(page);
		state = state_of(page);
		page_unlock(page);
		/* Not under the lock: it may be memory of a range, this one's too. */
		states[i - first_page] = state;
	}
	map_exit(map, shard, 1);
	return 0;
}

struct range_shard range_shards[NR_SHARDS];

/* These only rise, in each shard, and a range that goes leaves them as they are: so no total ever goes down. */
static uint64_t total(enum range_counter counter)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < NR_SHARDS; i++)
		sum += atomic_load_explicit(&range_shards[i].counts[counter], memory_order_relaxed);
	return sum;
}

void migration_totals_read(devmap_migration_totals *totals)
{
	totals->to_device = total(COUNT_to_device);
	totals->to_ram = total(COUNT_to_ram);
	totals->faults = total(COUNT_faults_hole) + total(COUNT_faults_device) + total(COUNT_faults_write) +
			 total(COUNT_faults_served_already);
	totals->faults_failed = total(COUNT_faults_failed);
	totals->failed = total(COUNT_failed);
}

int devmap_hmm_range_stats_read(devmap_hmm_range *range, devmap_hmm_range_stats *stats, uint32_t size)
{
	devmap_hmm_range_stats all;
	uint64_t limit;

	if (!range || !stats)
		return -EINVAL;
	if (map_is_dead(map_of(range->pgmap)))
		return -ENODEV;
#define READ(name) all.name = atomic_load_explicit(&range->counts[COUNT_##name], memory_order_relaxed)
	READ(faults_hole);
	READ(faults_device);
	READ(faults_write);
	READ(faults_served_already);
	READ(faults_failed);
	READ(to_device);
	READ(to_device_uncopied);
	READ(to_ram);
	READ(refused_in_use);
	READ(failed);
	READ(over_limit);
	READ(copies);
	READ(on_device);
#undef READ
	limit = range->frames.limit;
	all.resident = range->frames.nr_used;
	all.limit = limit < range->pgmap->nr_pages ? limit : range->pgmap->nr_pages;
	memcpy(stats, &all, size < sizeof(all) ? size : sizeof(all));
	return 0;
}

#endif
