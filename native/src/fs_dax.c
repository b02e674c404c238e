/* SPDX-License-Identifier: MIT */
#include "internal.h"

#ifdef DEVMAP_CONFIG_FS_DAX

/* ---- claims ----------------------------------------------------------------------------------------------------- */

/* Takes the lock of the file under the map, if there is one, and learns how long the file is by now. */
static int file_lock(struct map *map)
{
	os_file_info info;
	int result;

	if (map->file.file == OS_NO_FILE)
		return 0;
	result = os_file_lock(map->file.file, map->file.exclusive);
	if (result != 0)
		return result;
	result = os_file_info_get(map->file.file, &info);
	if (result == 0 && info.length > map->file.capacity)
		result = -EFBIG;
	if (result != 0) {
		os_file_unlock(map->file.file);
		return result;
	}
	atomic_store(map->file.length, info.length);
	return 0;
}

static int claim_begin_locked(struct map *map, void *owner, const devmap_pagemap_ops *ops)
{
	int result;

	if (atomic_load(&map->state) != MAP_LIVE)
		return -ENODEV;
	if (map->claim != CLAIM_NONE)
		return -EBUSY;
	/* The gate first, as the patch: what follows cannot fail half-way, with the type published. */
	result = gate_hold();
	if (result != 0)
		return result;
	result = file_lock(map);
	if (result != 0) {
		gate_end_hold();
		return result;
	}
	/* The callback and its data as one pointer, then the type: whoever sees the type (acquire) sees the callback. */
	map->driver_storage = (struct driver){.ops = ops ? *ops : (devmap_pagemap_ops){0}, .data = owner};
	atomic_store(&map->has_driver, ops != NULL);
	atomic_store(&map->driver, &map->driver_storage);
	atomic_store(&map->public.type, DEVMAP_MEMORY_DEVICE_FS_DAX);
	map->owner = owner;
	atomic_fetch_add(&map->nr_claims, 1);
	map->claim = CLAIM_HELD;
	stat_gauge_raise(STAT_GAUGE_claims);
	return 0;
}

int devmap_fs_dax_claim(devmap_pagemap *pgmap, void *owner, const devmap_pagemap_ops *ops)
{
	struct map *map = map_of(pgmap);
	int result;

	if (!map || !owner || (ops && !ops->page_free))
		return -EINVAL;
	pthread_mutex_lock(&map->lock);
	if (atomic_load(&map->state) == MAP_LIVE && !map->claimable)
		result = -EINVAL;
	else
		result = claim_begin_locked(map, owner, ops);
	pthread_mutex_unlock(&map->lock);
	return result;
}

void claim_end_locked(struct map *map)
{
	atomic_store(&map->has_driver, 0);
	atomic_store(&map->driver, NULL);
	atomic_store(&map->public.type, DEVMAP_MEMORY_DEVICE_HOST);
	map->claim = CLAIM_NONE;
	map->owner = NULL;
	if (map->file.file != OS_NO_FILE)
		os_file_unlock(map->file.file);
	gate_end_hold();
	stat_gauge_lower(STAT_GAUGE_claims);
}

/* Takes the driver away, so that no new callback starts. */
static int release_begin_locked(struct map *map, const void *owner)
{
	if (map_is_dead(map))
		return -ENODEV;
	if (map->claim == CLAIM_RELEASING || map->tearing_down)
		return -EALREADY;
	if (map->claim == CLAIM_NONE)
		return -EINVAL;
	if (map->owner != owner)
		return -EPERM;
	if (map->breaks || map->nr_changes)
		return -EBUSY;
	map->claim = CLAIM_RELEASING;
	atomic_store(&map->has_driver, 0);
	atomic_store(&map->driver, NULL);
	return 0;
}

struct callback_scan {
	struct map *map;
	uint32_t shard;
};

/*
 * Whether the callbacks that found the driver have returned. Each is counted in one shard from before it looked for the
 * driver until after it returned, so a shard once seen with none holds none of them any more, and need not be seen again.
 * What returned is read first: what is then found begun and not returned had not returned at that moment, or begins and
 * finds no driver.
 */
static bool callbacks_have_returned(void *context)
{
	struct callback_scan *scan = context;

	for (; scan->shard < NR_SHARDS; scan->shard++) {
		struct map_shard *shard = map_shard(scan->map, scan->shard);
		uint64_t returned = atomic_load(&shard->callbacks_returned);

		if (atomic_load(&shard->callbacks_begun) != returned)
			return false;
	}
	return true;
}

int devmap_fs_dax_release(devmap_pagemap *pgmap, const void *owner)
{
	struct map *map = map_of(pgmap);
	int result;

	if (!map || !owner)
		return -EINVAL;
	if (map_in_callback(map))
		return -EDEADLK;
	pthread_mutex_lock(&map->lock);
	result = release_begin_locked(map, owner);
	pthread_mutex_unlock(&map->lock);
	if (result != 0)
		return result;
	/* The heavy half of claim_enter()'s check: between taking the driver away and the counters. */
	fence_heavy();
	wait_until(map, callbacks_have_returned, &(struct callback_scan){.map = map}, DEVMAP_WAIT_FOREVER, NULL);
	pthread_mutex_lock(&map->lock);
	claim_end_locked(map);
	pthread_mutex_unlock(&map->lock);
	/* A teardown waits for the end of a release; the map may be gone. */
	wake_waiters(map);
	return 0;
}

/* ---- layouts ---------------------------------------------------------------------------------------------------- */

static bool ranges_meet(const devmap_layout_break *b, uint64_t first, uint64_t n)
{
	return first < b->first_page + b->nr_pages && b->first_page < first + n;
}

static bool is_broken_locked(const struct map *map, uint64_t first, uint64_t n)
{
	for (const devmap_layout_break *b = map->breaks; b; b = b->next)
		if (ranges_meet(b, first, n))
			return true;
	return false;
}

bool layout_is_broken(struct map *map, uint64_t index)
{
	bool broken;

	pthread_mutex_lock(&map->lock);
	broken = is_broken_locked(map, index, 1);
	pthread_mutex_unlock(&map->lock);
	return broken;
}

devmap_page *devmap_fs_dax_busy_page(devmap_pagemap *pgmap, uint64_t first_page, uint64_t nr_pages)
{
	struct map *map = map_of(pgmap);
	uint64_t index;

	if (!map || map_is_dead(map) || !map_contains(map, first_page, nr_pages))
		return NULL;
	index = map_next_busy(map, first_page, first_page + nr_pages);
	return index == first_page + nr_pages ? NULL : &pgmap->pages[index];
}

/* Marks the range. From here on takers through the map see it. */
static int break_begin_locked(struct map *map, const void *owner, uint64_t first_page, uint64_t nr_pages,
			      devmap_layout_break *layout_break)
{
	if (map->claim != CLAIM_HELD || map->owner != owner)
		return -EPERM;
	if (is_broken_locked(map, first_page, nr_pages))
		return -EBUSY;
	*layout_break = (devmap_layout_break){
		.pgmap = &map->public,
		.next = map->breaks,
		.first_page = first_page,
		.nr_pages = nr_pages,
	};
	map->breaks = layout_break;
	/*
	 * The break's half of the crossed check with takers: the mark, then, in range_is_idle(), `busy`. See
	 * busy_enter().
	 */
	atomic_fetch_add(&map->nr_breaks, 1);
	stat_gauge_raise(STAT_GAUGE_layout_breaks);
	return 0;
}

struct idle_scan {
	struct map *map;
	uint64_t next;
	uint64_t end;
};

/* Pages before `next` were seen idle under the mark, and nobody has activated them since. */
static bool range_is_idle(void *context)
{
	struct idle_scan *scan = context;

	scan->next = map_next_busy(scan->map, scan->next, scan->end);
	return scan->next == scan->end;
}

int devmap_fs_dax_break_layouts(devmap_pagemap *pgmap, const void *owner, uint64_t first_page, uint64_t nr_pages,
				int64_t timeout_ns, const devmap_cancel *cancel, devmap_layout_break *layout_break)
{
	struct map *map = map_of(pgmap);
	uint32_t shard = this_shard();
	struct idle_scan scan;
	int64_t start;
	int result;

	if (!map || !owner || !layout_break || nr_pages == 0)
		return -EINVAL;
	if (map_in_callback(map))
		return -EDEADLK;
	/* The reference lasts as long as the break: a teardown waits for its end. */
	result = map_enter(map, shard, 1);
	if (result != 0)
		return result;
	if (!map_contains(map, first_page, nr_pages)) {
		map_exit(map, shard, 1);
		return -ERANGE;
	}
	pthread_mutex_lock(&map->lock);
	result = break_begin_locked(map, owner, first_page, nr_pages, layout_break);
	pthread_mutex_unlock(&map->lock);
	if (result != 0) {
		map_exit(map, shard, 1);
		return result;
	}
	if (track_enabled())
		track_range_event(map, first_page, nr_pages, DEVMAP_PAGE_EVENT_MARKED);
	scan = (struct idle_scan){.map = map, .next = first_page, .end = first_page + nr_pages};
	start = timing_is_on() ? os_now() : -1;
	result = wait_until(map, range_is_idle, &scan, timeout_ns, cancel);
	if (start >= 0)
		timing_add(TIMED_LAYOUT_BREAKS, shard, (uint64_t)(os_now() - start));
	if (result != 0) {
		stat_add(result == -ECANCELED ? STAT_layout_break_cancels : STAT_layout_break_timeouts, 1);
		devmap_fs_dax_end_break(layout_break);
	}
	return result;
}

void devmap_fs_dax_end_break(devmap_layout_break *layout_break)
{
	struct map *map = layout_break ? map_of(layout_break->pgmap) : NULL;
	devmap_layout_break **link;

	if (!map)
		return;
	layout_break->pgmap = NULL;
	pthread_mutex_lock(&map->lock);
	for (link = &map->breaks; *link != layout_break; link = &(*link)->next)
		continue;
	*link = layout_break->next;
	/*
	 * What was done to the range is visible to who takes a page of it: through this counter, or through the lock.
	 */
	atomic_fetch_sub(&map->nr_breaks, 1);
	pthread_mutex_unlock(&map->lock);
	stat_gauge_lower(STAT_GAUGE_layout_breaks);
	if (track_enabled())
		track_range_event(map, layout_break->first_page, layout_break->nr_pages, DEVMAP_PAGE_EVENT_UNMARKED);
	map_exit(map, this_shard(), 1);
}

#else /* !DEVMAP_CONFIG_FS_DAX */

int devmap_fs_dax_claim(devmap_pagemap *pgmap, void *owner, const devmap_pagemap_ops *ops)
{
	(void)pgmap;
	(void)owner;
	(void)ops;
	return -EOPNOTSUPP;
}

int devmap_fs_dax_release(devmap_pagemap *pgmap, const void *owner)
{
	(void)pgmap;
	(void)owner;
	return -EOPNOTSUPP;
}

devmap_page *devmap_fs_dax_busy_page(devmap_pagemap *pgmap, uint64_t first_page, uint64_t nr_pages)
{
	(void)pgmap;
	(void)first_page;
	(void)nr_pages;
	return NULL;
}

int devmap_fs_dax_break_layouts(devmap_pagemap *pgmap, const void *owner, uint64_t first_page, uint64_t nr_pages,
				int64_t timeout_ns, const devmap_cancel *cancel, devmap_layout_break *layout_break)
{
	(void)pgmap;
	(void)owner;
	(void)first_page;
	(void)nr_pages;
	(void)timeout_ns;
	(void)cancel;
	(void)layout_break;
	return -EOPNOTSUPP;
}

void devmap_fs_dax_end_break(devmap_layout_break *layout_break)
{
	(void)layout_break;
}

bool layout_is_broken(struct map *map, uint64_t index)
{
	(void)map;
	(void)index;
	return false;
}

void claim_end_locked(struct map *map)
{
	(void)map;
}

#endif
