/* SPDX-License-Identifier: MIT */
/* What a range's users ask for: leases, and migration of what they name. */
#include "hmm_internal.h"

#ifdef DEVMAP_CONFIG_HMM

static struct map *map_of_range(const devmap_hmm_range *range)
{
	return map_of(range->pgmap);
}

/* Whether the call makes sense, and then holds the map: no teardown ends before the range_exit() that follows. */
static int range_enter(devmap_hmm_range *range, uint64_t first, uint64_t n)
{
	int result;

	if (!range)
		return -EINVAL;
	if (serving_faults)
		return -EDEADLK;
	result = map_enter(map_of_range(range), this_shard(), 1);
	if (result == 0 && !map_contains(map_of_range(range), first, n)) {
		map_exit(map_of_range(range), this_shard(), 1);
		result = -ERANGE;
	}
	return result;
}

static void range_exit(devmap_hmm_range *range)
{
	map_exit(map_of_range(range), this_shard(), 1);
}

static bool is_on_device(devmap_page *page)
{
	return !(page_flags(page) & PAGE_PRESENT) && page->zone_device_data;
}

/* ---- bringing pages in -------------------------------------------------------------------------------------------- */

struct wanted {
	bool write;
	/* Take a reference; then a hole is filled too. */
	bool lease;
};

static int take_locked(devmap_hmm_range *range, devmap_page *page)
{
	devmap_page *taken;

	return devmap_pagemap_get_pages(range->pgmap, map_index(map_of_range(range), page), 1, &taken);
}

/* A locked page that is resident or a hole: as results of a migration. */
static int settle(devmap_hmm_range *range, devmap_page *page, struct wanted wanted)
{
	uint32_t flags = page_flags(page);
	int result = 0;

	if (!(flags & PAGE_PRESENT) && wanted.lease) {
		result = frame_take(range, page, false);
		if (result == 0) {
			result = page_fill_hole(range, page);
			if (result != 0)
				frame_give(range, page);
		}
	} else if ((flags & (PAGE_PRESENT | PAGE_DIRTY)) == PAGE_PRESENT && wanted.write) {
		result = page_make_dirty(range, page);
	}
	if (flags & PAGE_PRESENT)
		page_set_accessed(page);
	if (result == 0 && wanted.lease)
		result = take_locked(range, page);
	return result;
}

/* From a locked page that is on a device, locks those after it that are too and not on their way, and how many that makes. */
static uint32_t lock_more(devmap_page *page, uint32_t most)
{
	uint32_t n = 1;

	while (n < most && page_trylock(&page[n])) {
		if (!is_on_device(&page[n])) {
			page_unlock(&page[n]);
			break;
		}
		n++;
	}
	return n;
}

/* Frames for locked pages, as far as there are; the rest is unlocked. How many, or why not even one. */
static int frames_take(devmap_hmm_range *range, devmap_page *page, uint32_t n)
{
	uint32_t taken = 0;
	int result = 0;

	while (taken < n && result == 0) {
		result = frame_take(range, &page[taken], false);
		taken += result == 0;
	}
	for (uint32_t i = taken; i < n && taken > 0; i++)
		page_unlock(&page[i]);
	return taken ? (int)taken : result;
}

/* 1 unless the result is that others are making room; then 0, once they are further. No page is locked. */
static uint32_t has_room(devmap_hmm_range *range, int32_t result)
{
	if (result != FRAMES_MOVING)
		return 1;
	frames_wait(range);
	return 0;
}

/*
 * Does what is wanted with the page at @first, and with those after it, up to @most, that are on their device too. How many
 * have a result; 0 after waiting for other threads that make room, to try again.
 */
static uint32_t bring_in(devmap_hmm_range *range, uint64_t first, uint64_t most, struct wanted wanted, int32_t *results)
{
	devmap_page *pages[BATCH], *page;
	uint32_t nr_locked, n = 1;
	int taken;

	if (most > range->batch)
		most = range->batch;
	for (uint64_t i = 0; i < most; i++)
		pages[i] = map_page(map_of_range(range), first + i);
	page = pages[0];
	page_lock(page);
	if (!is_on_device(page)) {
		results[0] = settle(range, page, wanted);
		page_unlock(page);
		return has_room(range, results[0]);
	}
	nr_locked = lock_more(page, (uint32_t)most);
	taken = frames_take(range, page, nr_locked);
	if (taken < 0) {
		results[0] = taken;
		for (uint32_t i = 0; i < nr_locked; i++)
			page_unlock(&page[i]);
		return has_room(range, taken);
	}
	n = (uint32_t)taken;
	pages_to_ram(range, pages, n, wanted.write, results);
	for (uint32_t i = 0; i < n; i++) {
		int result = results[i] == 1 && wanted.lease ? take_locked(range, &page[i]) : 0;

		if (result < 0)
			results[i] = result;
		page_unlock(&page[i]);
	}
	return n;
}

/* ---- leases ----------------------------------------------------------------------------------------------------- */

/* Whether the page is in memory, and may be written without a fault where @write. */
static bool is_there(devmap_page *page, bool write)
{
	uint32_t needed = PAGE_PRESENT | (write ? PAGE_DIRTY : 0);

	return devmap_likely((page_flags(page) & needed) == needed);
}

devmap_page *devmap_hmm_range_get_page_fast(devmap_hmm_range *range, uint64_t index, bool write)
{
	devmap_page *page;

	/* A look first, so that only a race takes what has to be put again. */
	if (!range || index >= range->pgmap->nr_pages || !is_there(&range->pgmap->pages[index], write))
		return NULL;
	page = devmap_pagemap_get_page_fast(range->pgmap, index);
	if (!page)
		return NULL;
	/*
	 * The reference keeps the page from being frozen, without which nobody takes either flag away; so what is seen now
	 * stays. Acquire, with the release of who brought the page in: its data are there.
	 */
	if (devmap_likely(is_there(page, write))) {
		page_set_accessed(page);
		return page;
	}
	devmap_put_page(page);
	return NULL;
}

/* Takes pages from @first on; how many, the rest having met @error. */
static uint64_t get_pages(devmap_hmm_range *range, uint64_t first, uint64_t n, bool write, int *error)
{
	struct wanted wanted = {.write = write, .lease = true};
	uint64_t done = 0;

	while (done < n) {
		uint64_t next = first + done;
		int32_t results[BATCH];
		uint32_t tried;

		if (devmap_hmm_range_get_page_fast(range, next, write)) {
			done++;
			continue;
		}
		tried = bring_in(range, next, n - done, wanted, results);
		for (uint32_t i = 0; i < tried; i++) {
			if (results[i] >= 0 && *error == 0)
				done++;
			else if (results[i] >= 0)
				/* Taken, behind one that was not. */
				devmap_put_page(&range->pgmap->pages[next + i]);
			else if (*error == 0)
				*error = results[i];
		}
		if (*error != 0)
			break;
	}
	return done;
}

int devmap_hmm_range_get_pages(devmap_hmm_range *range, uint64_t first_page, uint64_t nr_pages, bool write,
			       devmap_page **page)
{
	devmap_page *first;
	uint64_t taken;
	int result;

	if (!page || nr_pages == 0)
		return -EINVAL;
	result = range_enter(range, first_page, nr_pages);
	if (result != 0)
		return result;
	first = &range->pgmap->pages[first_page];
	taken = get_pages(range, first_page, nr_pages, write, &result);
	if (result == 0)
		*page = first;
	else
		devmap_put_pages(first, taken);
	range_exit(range);
	return result;
}

/* ---- migration -------------------------------------------------------------------------------------------------- */

static void sum_up(devmap_hmm_migration *sum, uint64_t first, uint32_t n, const int32_t *results, int32_t *all)
{
	for (uint32_t i = 0; i < n; i++) {
		if (all)
			all[i] = results[i];
		if (results[i] >= 0) {
			sum->migrated += results[i] == 1;
			sum->absent += results[i] == 0;
			continue;
		}
		sum->in_use += results[i] == -EBUSY;
		sum->failed += results[i] != -EBUSY;
		if (sum->error == 0) {
			sum->error = results[i];
			sum->first_failed = first + i;
		}
	}
}

int devmap_hmm_migrate_to_ram(devmap_hmm_range *range, uint64_t first_page, uint64_t nr_pages, int32_t *results,
			      devmap_hmm_migration *summary)
{
	devmap_hmm_migration sum = {0};
	int32_t some[BATCH];
	int result = range_enter(range, first_page, nr_pages);

	if (result != 0)
		return result;
	for (uint64_t done = 0; done < nr_pages;) {
		uint32_t n = bring_in(range, first_page + done, nr_pages - done, (struct wanted){0}, some);

		sum_up(&sum, first_page + done, n, some, results ? results + done : NULL);
		done += n;
	}
	range_exit(range);
	if (summary)
		*summary = sum;
	return sum.error;
}

/* Makes a locked page that is on another device resident, so that it can go where it is to go. 0, or why not. */
static int leave_other_device(devmap_hmm_range *range, devmap_hmm_devmem *devmem, devmap_page *page)
{
	int32_t result;

	if (!is_on_device(page) || devmap_hmm_page_devmem(device_page_of(page)) == devmem)
		return 0;
	(void)frame_take(range, page, true);
	pages_to_ram(range, &page, 1, true, &result);
	return result < 0 ? result : 0;
}

/* Migrates up to a batch of pages. Those that cannot even be tried have their result. */
static void send_out(devmap_hmm_range *range, devmap_hmm_devmem *devmem, uint64_t first, uint32_t n, int32_t *results)
{
	devmap_page *pages[BATCH];
	int32_t moved[BATCH];
	uint32_t of[BATCH], nr_moving = 0;

	for (uint32_t i = 0; i < n; i++) {
		devmap_page *page = map_page(map_of_range(range), first + i);

		page_lock(page);
		results[i] = leave_other_device(range, devmem, page);
		if (results[i] < 0) {
			page_unlock(page);
			continue;
		}
		pages[nr_moving] = page;
		of[nr_moving++] = i;
	}
	pages_to_device(range, devmem, pages, nr_moving, moved);
	for (uint32_t i = 0; i < nr_moving; i++)
		results[of[i]] = moved[i];
}

int devmap_hmm_migrate_to_device(devmap_hmm_range *range, devmap_hmm_devmem *devmem, uint64_t first_page,
				 uint64_t nr_pages, int32_t *results, devmap_hmm_migration *summary)
{
	devmap_hmm_migration sum = {0};
	int32_t some[BATCH];
	int result;

	/* First, as the device memory of a range that is gone may be gone too. */
	result = range_enter(range, first_page, nr_pages);
	if (result != 0)
		return result;
	if (!devmem)
		devmem = range->devmem;
	if (!devmem || UINT64_C(1) << devmem->pgmap->page_shift != range->page_size)
		result = -EINVAL;
	else if (!devmem->ops.copy_to)
		result = -EOPNOTSUPP;
	if (result != 0) {
		range_exit(range);
		return result;
	}
	for (uint64_t done = 0, n; done < nr_pages; done += n) {
		n = nr_pages - done < range->batch ? nr_pages - done : range->batch;
		send_out(range, devmem, first_page + done, (uint32_t)n, some);
		sum_up(&sum, first_page + done, (uint32_t)n, some, results ? results + done : NULL);
	}
	range_exit(range);
	if (summary)
		*summary = sum;
	return sum.error;
}

int devmap_hmm_range_set_limit(devmap_hmm_range *range, uint64_t resident_limit)
{
	int result = range_enter(range, 0, 0);

	if (result != 0)
		return result;
	if (resident_limit % range->page_size || (resident_limit != 0 && !range->devmem)) {
		range_exit(range);
		return -EINVAL;
	}
	frames_set_limit(&range->frames, resident_limit ? resident_limit / range->page_size : UINT64_MAX);
	result = frames_shrink(range);
	range_exit(range);
	return result;
}

#endif
