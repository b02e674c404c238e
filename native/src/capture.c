/* SPDX-License-Identifier: MIT */
/* The state of the library at a moment, as structs. */
#include "internal.h"

void snapshot_fill(devmap_snapshot *snapshot)
{
	snapshot->version = DEVMAP_SNAPSHOT_VERSION;
	snapshot->time_ns = (uint64_t)os_now();
	snapshot->realtime_ns = (uint64_t)os_realtime();
	snapshot->pid = os_process_id();
	snapshot->level = devmap_get_level();
	(void)!devmap_stats_read(&snapshot->stats, sizeof(snapshot->stats));
	timing_read(TIMED_CALLBACKS, &snapshot->callbacks);
	timing_read(TIMED_LAYOUT_BREAKS, &snapshot->layout_breaks);
	migration_totals_read(&snapshot->migration);
	snapshot->references = track_references();
	snapshot->stacks = stack_count();
}

/* ---- maps ------------------------------------------------------------------------------------------------------- */

/*
 * Of the references on the map those of layout breaks are not pages. A break takes its own before it is counted and gives it
 * back after, so that what is left is never too little.
 */
static uint64_t pages_in_use(struct map *map, uint32_t nr_breaks)
{
	uint64_t first_page = atomic_load(&map->first_page), nr_pages = atomic_load(&map->nr_pages);
	uint64_t refs = map_refs_estimate(map);
	uint64_t most = first_page < nr_pages ? nr_pages - first_page : 0;

	refs -= nr_breaks < refs ? nr_breaks : refs;
	return refs < most ? refs : most;
}

/*
 * A map's number is stored after all that is read here, and taken away before any of it is stored for the next map in the
 * same memory; every store is a release and every load an acquire. So who found something of the next map finds the number
 * gone or changed.
 */
bool map_info_peek(struct map *map, devmap_map_info *info)
{
	uint32_t state;

	info->id = atomic_load(&map->id);
	if (info->id == 0)
		return false;
	state = atomic_load(&map->state);
	info->pgmap = &map->public;
	info->start = atomic_load(&map->start);
	info->length = atomic_load(&map->bytes);
	info->page_size = atomic_load(&map->page_size);
	info->nr_pages = atomic_load(&map->nr_pages);
	info->layout_breaks = atomic_load(&map->nr_breaks);
	info->pages_in_use = pages_in_use(map, info->layout_breaks);
	info->resident = atomic_load(&map->resident);
	info->on_device = atomic_load(&map->on_device);
	info->type = atomic_load(&map->public.type);
	info->state = state == MAP_DYING ? DEVMAP_MAP_DYING : DEVMAP_MAP_LIVE;
	info->level = devmap_pagemap_get_level(&map->public);
	info->claimed = atomic_load(&map->claim) != CLAIM_NONE;
	info->is_file = atomic_load(&map->is_file);
	info->is_range = atomic_load(&map->range) != NULL;
	info->has_driver = atomic_load(&map->has_driver);
	return (state == MAP_LIVE || state == MAP_DYING) && atomic_load(&map->id) == info->id;
}

/* Under the map's lock, so that it cannot go, nor its claim, breaks and state change, meanwhile. */
static bool map_info_read(struct map *map, devmap_map_info *info)
{
	bool found;

	/* Most of the memory that a walk finds may be no map's. */
	if (atomic_load(&map->id) == 0)
		return false;
	pthread_mutex_lock(&map->lock);
	found = map_info_peek(map, info);
	pthread_mutex_unlock(&map->lock);
	return found;
}

/* ---- the maps with the lowest ids, in order --------------------------------------------------------------------- */

/* A heap of the infos kept so far, the highest id on top. */
static void sift_down(devmap_map_info *maps, uint64_t n, uint64_t i)
{
	for (uint64_t child = 2 * i + 1; child < n; child = 2 * i + 1) {
		devmap_map_info info = maps[i];

		if (child + 1 < n && maps[child + 1].id > maps[child].id)
			child++;
		if (maps[child].id <= info.id)
			return;
		maps[i] = maps[child];
		maps[child] = info;
		i = child;
	}
}

static void heap_add(devmap_map_info *maps, uint64_t capacity, uint64_t n, const devmap_map_info *info)
{
	if (n < capacity) {
		maps[n] = *info;
		/* Full: from here on it is a heap. */
		for (uint64_t i = capacity / 2; n + 1 == capacity && i-- > 0;)
			sift_down(maps, capacity, i);
	} else if (capacity && info->id < maps[0].id) {
		maps[0] = *info;
		sift_down(maps, capacity, 0);
	}
}

static void heap_sort(devmap_map_info *maps, uint64_t n)
{
	for (uint64_t i = n / 2; i-- > 0;)
		sift_down(maps, n, i);
	while (n-- > 1) {
		devmap_map_info last = maps[n];

		maps[n] = maps[0];
		maps[0] = last;
		sift_down(maps, n, 0);
	}
}

/* ---- the whole -------------------------------------------------------------------------------------------------- */

int devmap_snapshot_read(devmap_snapshot *snapshot, uint32_t size, devmap_map_info *maps, uint64_t capacity)
{
	struct map_walk walk = {0};
	devmap_snapshot all;
	struct map *map;

	if (!snapshot || size < offsetof(devmap_snapshot, time_ns) || (!maps && capacity))
		return -EINVAL;
	memset(&all, 0, sizeof(all));
	all.size = size < sizeof(all) ? size : (uint32_t)sizeof(all);
	snapshot_fill(&all);
	gate_capture(&all);
	while ((map = map_walk_next(&walk)) != NULL) {
		devmap_map_info info;

		if (!map_info_read(map, &info))
			continue;
		heap_add(maps, capacity, all.nr_maps++, &info);
		all.migration.resident += info.resident;
		all.migration.on_device += info.on_device;
	}
	heap_sort(maps, all.nr_maps < capacity ? all.nr_maps : capacity);
	memcpy(snapshot, &all, all.size);
	return 0;
}

/* ---- heat ------------------------------------------------------------------------------------------------------- */

/*
 * Keeps the map's pages there: 0, -ENODEV, -EBUSY. Also that of a map which takes no new users, as long as nobody tears it
 * down: whoever begins to does so under the lock after this, and finds the reference.
 */
static int hold_pages(struct map *map, uint32_t shard)
{
	int result = 0;

	pthread_mutex_lock(&map->lock);
	if (map_is_dead(map))
		result = -ENODEV;
	else if (map->tearing_down)
		result = -EBUSY;
	else
		map_enter_held(map, shard);
	pthread_mutex_unlock(&map->lock);
	return result;
}

static void heat_count(struct map *map, uint64_t first_page, uint64_t cell_pages, uint32_t *cells, uint64_t nr_cells)
{
	uint64_t left = map->public.nr_pages - first_page;
	uint64_t n = nr_cells < (left - 1) / cell_pages + 1 ? nr_cells * cell_pages : left;
	uint64_t end = first_page + n, cell = 0, cell_end = first_page;

	for (uint64_t i = map_next_busy(map, first_page, end); i < end; i = map_next_busy(map, i + 1, end)) {
		/* A division a cell, not a page. */
		if (i >= cell_end) {
			cell = (i - first_page) / cell_pages;
			cell_end = left - cell * cell_pages > cell_pages ? first_page + (cell + 1) * cell_pages : UINT64_MAX;
		}
		cells[cell]++;
	}
}

int devmap_pagemap_heat(devmap_pagemap *pgmap, uint64_t first_page, uint64_t cell_pages, uint32_t *cells, uint64_t nr_cells)
{
	struct map *map = map_of(pgmap);
	uint32_t shard = this_shard();
	int result;

	if (!map || !cells || nr_cells == 0 || cell_pages == 0)
		return -EINVAL;
	result = hold_pages(map, shard);
	if (result != 0)
		return result;
	if (map_contains(map, first_page, 1)) {
		memset(cells, 0, nr_cells * sizeof(cells[0]));
		heat_count(map, first_page, cell_pages, cells, nr_cells);
	} else {
		result = -ERANGE;
	}
	map_exit(map, shard, 1);
	return result;
}
