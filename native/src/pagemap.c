/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <stdio.h>

/* ---- handles ---------------------------------------------------------------------------------------------------- */

static pthread_mutex_t free_lock = PTHREAD_MUTEX_INITIALIZER;
static struct map *free_maps;

struct chunk {
	struct map maps[CHUNK_MAPS];
	struct map_shard shards[NR_SHARDS][CHUNK_MAPS];
	/* Maps that are set up; the others were never used. Raised after they are, so that who walks them finds them so. */
	_Atomic(uint32_t) nr_used;
	struct chunk *next;
};

/* The chunk made last; of all of them the only one with maps that were never used. None ever goes. */
static _Atomic(struct chunk *) newest_chunk;

_Static_assert(offsetof(struct map, driver) == CACHE_LINE, "what a look-up reads is a cache line");

/* The next map that was never used. Only what is used of a chunk takes memory. */
static struct map *map_alloc_new(void)
{
	struct chunk *chunk = atomic_load(&newest_chunk);
	struct map *map;
	uint32_t used;
	void *memory;

	if (!chunk || atomic_load(&chunk->nr_used) == CHUNK_MAPS) {
		if (os_reserve(sizeof(*chunk), os_page_size(), OS_READ_WRITE, &memory) != 0)
			return NULL;
		((struct chunk *)memory)->next = chunk;
		chunk = memory;
		atomic_store(&newest_chunk, chunk);
	}
	used = atomic_load(&chunk->nr_used);
	map = &chunk->maps[used];
	map->shards = &chunk->shards[0][used];
	pthread_mutex_init(&map->lock, NULL);
	atomic_store(&chunk->nr_used, used + 1);
	return map;
}

struct map *map_walk_next(struct map_walk *walk)
{
	if (!walk->begun)
		walk->chunk = atomic_load(&newest_chunk);
	walk->begun = true;
	while (walk->chunk && walk->next == atomic_load(&walk->chunk->nr_used)) {
		walk->chunk = walk->chunk->next;
		walk->next = 0;
	}
	return walk->chunk ? &walk->chunk->maps[walk->next++] : NULL;
}

/* A map's memory: a freed one's, else new. Its shards keep their counts, of which as many are given as taken. */
static struct map *map_alloc(void)
{
	struct map *map;

	pthread_mutex_lock(&free_lock);
	map = free_maps;
	if (map)
		free_maps = map->next_free;
	else
		map = map_alloc_new();
	pthread_mutex_unlock(&free_lock);
	return map;
}

static void map_recycle(struct map *map)
{
	pthread_mutex_lock(&free_lock);
	map->next_free = free_maps;
	free_maps = map;
	pthread_mutex_unlock(&free_lock);
}

/* ---- references on a map ---------------------------------------------------------------------------------------- */

/* References that are out, or a few more; exact when it is zero and the map takes no new users. See map_enter(). */
static int64_t map_refs(struct map *map)
{
	uint64_t given = 0, taken = 0;

	for (uint32_t i = 0; i < NR_SHARDS; i++)
		given += atomic_load(&map_shard(map, i)->given);
	for (uint32_t i = 0; i < NR_SHARDS; i++)
		taken += atomic_load(&map_shard(map, i)->taken);
	return (int64_t)(taken - given);
}

uint64_t map_refs_estimate(struct map *map)
{
	int64_t least = INT64_MAX;

	/* What comes and goes between the two sums counts as out: of a few tries the least is the nearest. */
	for (int tries = 0; tries < 3 && least > 0; tries++) {
		int64_t refs = map_refs(map);

		if (refs == least)
			break;
		if (refs < least)
			least = refs;
	}
	return least > 0 ? (uint64_t)least : 0;
}

static bool covers(const struct map *map, uintptr_t address)
{
	return address >= map->public.start && address - map->public.start < map->length;
}

devmap_pagemap *devmap_get_pagemap(const void *address, devmap_pagemap *cached)
{
	uint32_t shard = this_shard();
	struct map *map;

	if (cached) {
		if (covers(map_of(cached), (uintptr_t)address))
			return cached;
		devmap_put_pagemap(cached);
	}
	map = lookup_find((uintptr_t)address);
	if (!map || map_enter(map, shard, 1) != 0)
		return NULL;
	/* The map found may have been freed and used for another range before the reference held it. */
	if (!covers(map, (uintptr_t)address)) {
		map_exit(map, shard, 1);
		return NULL;
	}
	return &map->public;
}

void devmap_put_pagemap(devmap_pagemap *pgmap)
{
	if (!pgmap)
		return;
	if (map_is_dead(map_of(pgmap)))
		fault_report(DEVMAP_FAULT_UNDERFLOW, NULL, 0, "a reference put on a map that is torn down");
	else
		map_exit(map_of(pgmap), this_shard(), 1);
}

/* ---- pages of a map --------------------------------------------------------------------------------------------- */

/* First use of a page: noted in the bitmap before the page is known by its map, so that no scan misses one in use. */
void map_touch(struct map *map, devmap_page *page, uint64_t index)
{
	uint64_t chunk = index >> TOUCHED_SHIFT;
	uint64_t bit = UINT64_C(1) << (chunk & 63);

	if (!(atomic_load(&map->touched[chunk >> 6]) & bit))
		atomic_fetch_or(&map->touched[chunk >> 6], bit);
	atomic_store_explicit(&page->pgmap, &map->public, memory_order_release);
}

devmap_page *devmap_pagemap_page(devmap_pagemap *pgmap, uint64_t index)
{
	struct map *map = map_of(pgmap);

	if (!map || map_is_dead(map) || !map_contains(map, index, 1))
		return NULL;
	return map_page(map, index);
}

devmap_page *devmap_virt_to_page(const void *address)
{
	devmap_pagemap *pgmap = devmap_get_pagemap(address, NULL);
	devmap_page *page;

	if (!pgmap)
		return NULL;
	page = devmap_pagemap_page(pgmap, ((uintptr_t)address - pgmap->start) >> pgmap->page_shift);
	devmap_put_pagemap(pgmap);
	return page;
}

static bool in_use(const struct map *map, devmap_page *page)
{
	int32_t refs;

	if (map->claimable)
		return atomic_load(&page->busy) != 0;
	refs = atomic_load(&page->refcount);
	return refs != 0 && refs != REFCOUNT_FROZEN;
}

uint64_t map_next_touched(struct map *map, uint64_t first, uint64_t end)
{
	while (first < end) {
		uint64_t chunk = first >> TOUCHED_SHIFT;
		uint64_t touched = atomic_load(&map->touched[chunk >> 6]) >> (chunk & 63);

		if (touched & 1)
			return first;
		/* To the next touched chunk of this word, or to the next word. */
		chunk += touched ? (uint64_t)__builtin_ctzll(touched) : 64 - (chunk & 63);
		first = chunk << TOUCHED_SHIFT;
	}
	return end;
}

uint64_t map_next_busy(struct map *map, uint64_t first, uint64_t end)
{
	for (first = map_next_touched(map, first, end); first < end; first = map_next_touched(map, first, end)) {
		uint64_t chunk_end = ((first >> TOUCHED_SHIFT) + 1) << TOUCHED_SHIFT;

		for (; first < end && first < chunk_end; first++)
			if (in_use(map, &map->public.pages[first]))
				return first;
	}
	return end;
}

static uint64_t busy_collect(struct map *map, uint64_t first, uint64_t n, devmap_busy_page *busy, uint64_t capacity)
{
	uint64_t end = first + n, found = 0;

	for (uint64_t i = map_next_busy(map, first, end); i < end; i = map_next_busy(map, i + 1, end)) {
		int32_t count = devmap_page_count(&map->public.pages[i]);

		/* Frozen since it was seen in use. */
		if (count == 0)
			continue;
		if (found < capacity)
			busy[found] = (devmap_busy_page){.index = i, .count = count};
		found++;
	}
	return found;
}

int devmap_pagemap_busy_pages(devmap_pagemap *pgmap, uint64_t first_page, uint64_t nr_pages, devmap_busy_page *busy,
			      uint64_t capacity, uint64_t *nr_busy)
{
	struct map *map = map_of(pgmap);

	if (!map || !nr_busy || (!busy && capacity))
		return -EINVAL;
	if (map_is_dead(map))
		return -ENODEV;
	if (!map_contains(map, first_page, nr_pages))
		return -ERANGE;
	*nr_busy = busy_collect(map, first_page, nr_pages, busy, capacity);
	return 0;
}

/* ---- altmap ----------------------------------------------------------------------------------------------------- */

uint64_t devmap_altmap_offset(const devmap_altmap *altmap)
{
	return altmap ? altmap->reserve + altmap->free : 0;
}

void devmap_altmap_free(devmap_altmap *altmap, uint64_t nr_units)
{
	if (altmap)
		altmap->alloc -= nr_units < altmap->alloc ? nr_units : altmap->alloc;
}

/* Whether the altmap's lengths make sense, and no other map uses it. */
static int check_altmap(const devmap_altmap *altmap)
{
	uint64_t limit = UINT64_MAX / DEVMAP_ALTMAP_UNIT;

	if (!altmap->base || (uintptr_t)altmap->base % DEVMAP_ALTMAP_UNIT || altmap->reserve > limit ||
	    altmap->free > limit - altmap->reserve ||
	    devmap_altmap_offset(altmap) * DEVMAP_ALTMAP_UNIT > UINTPTR_MAX - (uintptr_t)altmap->base)
		return -EINVAL;
	return altmap->alloc ? -EBUSY : 0;
}

/* Takes metadata from the altmap, whose units the caller has validated. */
static int altmap_alloc(struct map *map, devmap_altmap *altmap)
{
	uint64_t units = (map->metadata_length + DEVMAP_ALTMAP_UNIT - 1) / DEVMAP_ALTMAP_UNIT;

	if (units > altmap->free)
		return -ENOMEM;
	map->metadata = (char *)altmap->base + altmap->reserve * DEVMAP_ALTMAP_UNIT;
	memset(map->metadata, 0, map->metadata_length);
	altmap->align = 0;
	altmap->alloc = units;
	map->altmap = altmap;
	map->altmap_units = units;
	return 0;
}

/* First page after an altmap at the head of the range: 0 where it lies elsewhere, -EINVAL where it lies in between. */
static int altmap_first_page(const devmap_pagemap_config *config, uint64_t page_size, uint64_t *first_page)
{
	uintptr_t base = (uintptr_t)config->altmap->base, start = (uintptr_t)config->address;
	uint64_t bytes = devmap_altmap_offset(config->altmap) * DEVMAP_ALTMAP_UNIT;

	*first_page = 0;
	if (config->backing != DEVMAP_BACKING_CALLER || base + bytes <= start ||
	    (base >= start && base - start >= config->length))
		return 0;
	if (base != start || bytes >= config->length)
		return -EINVAL;
	*first_page = (bytes + page_size - 1) / page_size;
	return *first_page < config->length / page_size ? 0 : -EINVAL;
}

/* ---- creation --------------------------------------------------------------------------------------------------- */

static bool is_managed(int32_t type)
{
	return type == DEVMAP_MEMORY_DEVICE_PRIVATE || type == DEVMAP_MEMORY_DEVICE_PUBLIC;
}

static int check_type(const devmap_pagemap_config *config)
{
	bool has_callback = config->ops && (config->ops->page_free || config->ops->pages_free);

	switch (config->type) {
	case DEVMAP_MEMORY_DEVICE_HOST:
		return has_callback ? -EINVAL : 0;
	case DEVMAP_MEMORY_DEVICE_PRIVATE:
		if (!config->ops || !config->ops->page_free || config->backing == DEVMAP_BACKING_RESERVED)
			return -EINVAL;
#ifndef DEVMAP_CONFIG_DEVICE_PRIVATE
		return -EOPNOTSUPP;
#else
		return 0;
#endif
	case DEVMAP_MEMORY_DEVICE_PUBLIC:
		if (!config->ops || !config->ops->page_free || config->backing == DEVMAP_BACKING_INACCESSIBLE)
			return -EINVAL;
#ifndef DEVMAP_CONFIG_DEVICE_PUBLIC
		return -EOPNOTSUPP;
#else
		return 0;
#endif
	default:
		return -EINVAL;
	}
}

static int check_range(const devmap_pagemap_config *config, uint64_t page_size)
{
	uintptr_t start = (uintptr_t)config->address;

	if ((page_size & (page_size - 1)) || page_size < UINT64_C(1) << PAGE_SHIFT_MIN ||
	    page_size > UINT64_C(1) << PAGE_SHIFT_MAX)
		return -EINVAL;
	if (config->length == 0 || config->length % page_size)
		return -EINVAL;
	switch (config->backing) {
	case DEVMAP_BACKING_CALLER:
		return start && start % page_size == 0 && config->length - 1 <= UINTPTR_MAX - start ? 0 : -EINVAL;
	case DEVMAP_BACKING_RESERVED:
	case DEVMAP_BACKING_INACCESSIBLE:
		return start ? -EINVAL : 0;
	default:
		return -EINVAL;
	}
}

/* Memory for the pages' metadata, and after it the touched bitmap. */
static int metadata_alloc(struct map *map, devmap_altmap *altmap)
{
	uint64_t chunks = ((map->public.nr_pages - 1) >> TOUCHED_SHIFT) + 1;
	uint64_t words = (chunks - 1) / 64 + 1;
	int result;

	map->metadata_length = map->public.nr_pages * sizeof(devmap_page) + words * sizeof(map->touched[0]);
	map->altmap = NULL;
	if (altmap)
		result = altmap_alloc(map, altmap);
	else
		result = os_reserve(map->metadata_length, CACHE_LINE, OS_READ_WRITE, &map->metadata);
	if (result != 0)
		return result;
	map->public.pages = map->metadata;
	map->touched = (void *)(map->public.pages + map->public.nr_pages);
	return 0;
}

/*
 * Gives the metadata's memory back, and keeps its addresses until the handle is freed: what still points to a page
 * finds it zero-filled, idle and of no map.
 */
static void metadata_discard(struct map *map)
{
	if (map->altmap)
		devmap_altmap_free(map->altmap, map->altmap_units);
	else
		os_discard(map->metadata, map->metadata_length);
}

static void metadata_free(struct map *map)
{
	if (!map->altmap)
		os_unmap(map->metadata, map->metadata_length);
}

static int backing_alloc(struct map *map, const devmap_pagemap_config *config, uint64_t page_size)
{
	os_access access = config->backing == DEVMAP_BACKING_RESERVED ? OS_READ_WRITE : OS_NO_ACCESS;
	void *address = config->address;
	int result = 0;

	if (config->backing != DEVMAP_BACKING_CALLER)
		result = os_reserve(config->length, page_size, access, &address);
	map->public.start = (uintptr_t)address;
	return result;
}

static void backing_free(struct map *map)
{
	if (map->backing != DEVMAP_BACKING_CALLER)
		os_unmap((void *)map->public.start, map->length);
}

/* The map's own fields; no other thread sees them before it is live. */
static void map_init(struct map *map, const devmap_pagemap_config *config, uint64_t page_size)
{
	bool managed = is_managed(config->type);

	map->public.page_shift = (uint32_t)__builtin_ctzll(page_size);
	map->public.nr_pages = config->length / page_size;
	map->length = config->length;
	map->backing = config->backing;
	map->claimable = config->type == DEVMAP_MEMORY_DEVICE_HOST && !atomic_load(&map->range);
	map->claim = CLAIM_NONE;
	map->owner = NULL;
	map->breaks = NULL;
	map->nr_changes = 0;
	map->underflown = false;
	atomic_store(&map->level, DEVMAP_LEVEL_INHERIT);
	if (managed)
		map->driver_storage = (struct driver){.ops = *config->ops, .data = config->data};
	/* The callback and its data before the type, the type before the map is live. */
	atomic_store(&map->has_driver, managed);
	atomic_store(&map->resident, 0);
	atomic_store(&map->on_device, 0);
	atomic_store(&map->driver, managed ? &map->driver_storage : NULL);
	atomic_store(&map->public.type, config->type);
}

/* From here on the map is told of, once it is live; its number comes last. See map_info_peek(). */
static void map_show(struct map *map, uint64_t page_size)
{
	static _Atomic(uint64_t) last_id;

	atomic_store(&map->start, map->public.start);
	atomic_store(&map->bytes, map->length);
	atomic_store(&map->page_size, page_size);
	atomic_store(&map->first_page, map->public.first_page);
	atomic_store(&map->nr_pages, map->public.nr_pages);
	atomic_store(&map->is_file, map->file.file != OS_NO_FILE);
	atomic_store(&map->id, atomic_fetch_add(&last_id, 1) + 1);
}

/*
 * The gate is held before the map is live, so that no page of a managed map is ever in use without it; and the range is
 * this map's before its altmap is written to, which may be part of it.
 */
static int map_build(struct map *map, const devmap_pagemap_config *config, uint64_t page_size)
{
	bool managed = is_managed(config->type);
	int result;

	map_init(map, config, page_size);
	result = managed ? gate_hold() : 0;
	if (result != 0)
		return result;
	result = backing_alloc(map, config, page_size);
	if (result != 0)
		goto put_ops;
	result = lookup_insert(map, map->public.start, map->length);
	if (result != 0)
		goto free_backing;
	result = metadata_alloc(map, config->altmap);
	if (result != 0)
		goto remove;
	stat_gauge_raise(STAT_GAUGE_pagemaps);
	map_show(map, page_size);
	atomic_store(&map->state, MAP_LIVE);
	return 0;

remove:
	lookup_remove(map);
free_backing:
	backing_free(map);
put_ops:
	if (managed)
		gate_end_hold();
	return result;
}

int map_create(const devmap_pagemap_config *config, const struct map_purpose *purpose, devmap_pagemap **pgmap)
{
	uint64_t page_size, first_page = 0;
	struct map *map;
	int result;

	if (!config || !pgmap || config->size != sizeof(*config) || config->reserved != 0)
		return -EINVAL;
	page_size = config->page_size ? config->page_size : UINT64_C(1) << PAGE_SHIFT_MIN;
	result = check_range(config, page_size);
	if (result == 0)
		result = check_type(config);
	if (result == 0 && config->altmap)
		result = check_altmap(config->altmap);
	if (result == 0 && config->altmap)
		result = altmap_first_page(config, page_size, &first_page);
	if (result != 0)
		return result;

	/* Sets shards up before there is a page, so that nothing that takes or drops one has to. */
	(void)this_shard();
	map = map_alloc();
	if (!map)
		return -ENOMEM;
	map->file = purpose->file;
	atomic_store(&map->range, purpose->range);
	map->public.first_page = first_page;
	result = map_build(map, config, page_size);
	if (result != 0) {
		map_recycle(map);
		return result;
	}
	*pgmap = &map->public;
	return 0;
}

int devmap_memremap_pages(const devmap_pagemap_config *config, devmap_pagemap **map)
{
	return map_create(config, &(struct map_purpose){.file = {.file = OS_NO_FILE}}, map);
}

/* ---- teardown --------------------------------------------------------------------------------------------------- */

/* Stops new users and makes this thread the one that tears down. */
static int teardown_begin(struct map *map)
{
	int result = 0;

	pthread_mutex_lock(&map->lock);
	if (map_is_dead(map))
		result = -ENODEV;
	else if (map->tearing_down)
		result = -EALREADY;
	else {
		map->tearing_down = true;
		atomic_store(&map->state, MAP_DYING);
	}
	pthread_mutex_unlock(&map->lock);
	return result;
}

static bool is_unused(void *context)
{
	struct map *map = context;

	int64_t refs = map_refs(map);

	/* Never below the references that are out, so below zero some were put that nobody held. */
	if (refs < 0 && !map->underflown) {
		map->underflown = true;
		fault_report(DEVMAP_FAULT_UNDERFLOW, NULL, 0,
			     "references on a map put that nobody held; the map can't be torn down and leaks");
	}
	/* A release that began before ends first; it wakes this one. */
	return refs == 0 && atomic_load(&map->claim) != CLAIM_RELEASING;
}

/* The map stays closed to new users, for a retry or a resume. */
void map_unmap_abandon(struct map *map)
{
	pthread_mutex_lock(&map->lock);
	map->tearing_down = false;
	pthread_mutex_unlock(&map->lock);
}

/* What to do to learn who holds the pages of the map. */
static const char *level_advice(struct map *map)
{
	int32_t level = devmap_pagemap_get_level(&map->public);

	if (level == DEVMAP_LEVEL_INHERIT)
		level = devmap_get_level();
	switch (level) {
	case DEVMAP_LEVEL_FULL:
		return "devmap_track_read() names who holds them";
	case DEVMAP_LEVEL_SAMPLED:
		return "devmap_track_read() names who holds some of them, and with the level raised to DEVMAP_LEVEL_FULL all";
	default:
		return "raise the level to DEVMAP_LEVEL_SAMPLED or DEVMAP_LEVEL_FULL to learn who holds them";
	}
}

static void report_leak(struct map *map, uint64_t nr_busy, uint64_t first_busy)
{
	char message[192];
	devmap_fault fault = {
		.kind = DEVMAP_FAULT_LEAK_TEARDOWN,
		.count = devmap_page_count(&map->public.pages[first_busy]),
		.page = &map->public.pages[first_busy],
		.pgmap = &map->public,
		.index = first_busy,
		.message = message,
	};

	(void)snprintf(message, sizeof(message), "the map's teardown ended with %llu of its pages in use; %s",
		       (unsigned long long)nr_busy, level_advice(map));
	fault_tell(&fault);
}

/* @in_callback: a page whose callback has not returned, or NULL where that is not known. */
static void report_blocked(struct map *map, int64_t refs, devmap_page *in_callback)
{
	char message[160];
	devmap_fault fault = {.kind = DEVMAP_FAULT_BLOCKED_TEARDOWN, .pgmap = &map->public, .message = message};

	if (in_callback) {
		fault.page = in_callback;
		fault.index = map_index(map, in_callback);
		fault.count = devmap_page_count(in_callback);
		(void)snprintf(message, sizeof(message),
			       "the map's teardown ended busy as the callback of this page, which is idle, has not returned");
	} else {
		(void)snprintf(message, sizeof(message),
			       "the map's teardown ended busy with no page in use, but %lld references: callbacks that did not "
			       "return, or references on the map itself", (long long)refs);
	}
	fault_tell(&fault);
}

/* A teardown that was given time has expired, and is still this thread's, so that the map stays while it is told of. */
static void report_expiry(struct map *map, int64_t refs)
{
	uint64_t end = map->public.nr_pages, nr_held = 0, first_held = end, in_callback = end;

	for (uint64_t i = map_next_busy(map, map->public.first_page, end); i < end; i = map_next_busy(map, i + 1, end)) {
		int32_t count = devmap_page_count(&map->public.pages[i]);

		/* A page that can be claimed is busy until its callback has returned, when nobody has it any more. */
		if (count == 1 && in_callback == end)
			in_callback = i;
		if (count != 0 && count != 1 && nr_held++ == 0)
			first_held = i;
	}
	if (nr_held > 0)
		report_leak(map, nr_held, first_held);
	else if (in_callback < end)
		report_blocked(map, refs, &map->public.pages[in_callback]);
	else if (refs > 0 || atomic_load(&map->claim) == CLAIM_RELEASING)
		report_blocked(map, refs, NULL);
}

/* The wait ended early. */
static int teardown_abandon(struct map *map, int error, bool waited, devmap_busy_report *busy)
{
	int64_t refs = map_refs(map);
	uint64_t nr_pages = map->public.nr_pages - map->public.first_page;

	if (busy) {
		busy->nr_pages = busy_collect(map, map->public.first_page, nr_pages, busy->pages,
					      busy->pages ? busy->capacity : 0);
		busy->nr_references = refs > (int64_t)busy->nr_pages ? (uint64_t)refs - busy->nr_pages : 0;
	}
	if (error == -ETIMEDOUT && waited)
		report_expiry(map, refs);
	map_unmap_abandon(map);
	if (error == -ECANCELED)
		return error;
	stat_add(STAT_teardown_timeouts, 1);
	return -EBUSY;
}

/* Nobody is left: no page in use, no callback running, no reference held, none to come. */
void map_unmap_finish(struct map *map)
{
	lookup_remove(map);
	pthread_mutex_lock(&map->lock);
	if (map->claim == CLAIM_HELD)
		claim_end_locked(map);
	if (is_managed(atomic_load(&map->public.type)))
		gate_end_hold();
	track_forget_map(map);
	metadata_discard(map);
	backing_free(map);
	map->tearing_down = false;
	stat_gauge_lower(STAT_GAUGE_pagemaps);
	atomic_store(&map->id, 0);
	/* Before the map is dead, as from then on the handle may be freed, and the memory be another map's. */
	track_forget_level(map);
	atomic_store(&map->state, MAP_DEAD);
	pthread_mutex_unlock(&map->lock);
}

int map_unmap_begin(struct map *map, int64_t timeout_ns, const devmap_cancel *cancel, devmap_busy_report *busy)
{
	int result;

	if (map_in_callback(map))
		return -EDEADLK;
	result = teardown_begin(map);
	if (result != 0)
		return result;
	/* The heavy half of map_enter()'s check: between the mark and the counters. */
	fence_heavy();
	result = wait_until(map, is_unused, map, timeout_ns, cancel);
	return result == 0 ? 0 : teardown_abandon(map, result, timeout_ns != 0, busy);
}

int devmap_memunmap_pages(devmap_pagemap *pgmap, int64_t timeout_ns, const devmap_cancel *cancel,
			  devmap_busy_report *busy)
{
	struct map *map = map_of(pgmap);
	int result;

	/* A range's pages are torn down with the range. */
	if (!map || atomic_load(&map->range))
		return -EINVAL;
	result = map_unmap_begin(map, timeout_ns, cancel, busy);
	if (result == 0)
		map_unmap_finish(map);
	return result;
}

int devmap_pagemap_resume(devmap_pagemap *pgmap)
{
	struct map *map = map_of(pgmap);
	int result = 0;

	if (!map)
		return -EINVAL;
	pthread_mutex_lock(&map->lock);
	if (map_is_dead(map))
		result = -ENODEV;
	else if (map->tearing_down)
		result = -EALREADY;
	else
		atomic_store(&map->state, MAP_LIVE);
	pthread_mutex_unlock(&map->lock);
	return result;
}

int map_free(struct map *map)
{
	uint32_t dead = MAP_DEAD;

	if (!atomic_compare_exchange_strong(&map->state, &dead, MAP_FREE))
		return dead == MAP_FREE ? -EINVAL : -EBUSY;
	metadata_free(map);
	map_recycle(map);
	return 0;
}

int devmap_pagemap_free(devmap_pagemap *pgmap)
{
	struct map *map = map_of(pgmap);

	if (!map)
		return 0;
	/* A file's map is its file's to free, and a range's the range's. */
	return map->file.file == OS_NO_FILE && !atomic_load(&map->range) ? map_free(map) : -EBUSY;
}
