/* SPDX-License-Identifier: MIT */
/**
 * @file fs_dax.h
 * Claims on a pagemap, and breaking its layouts: waiting until nobody uses a range of pages, with new users kept out,
 * so that the memory behind it can be truncated or replaced. After the kernel's fs_dax_claim_bdev() and
 * dax_layout_busy_page(). In a library built without DEVMAP_CONFIG_FS_DAX every function answers -EOPNOTSUPP.
 */
#ifndef DEVMAP_FS_DAX_H
#define DEVMAP_FS_DAX_H

#include <devmap/page.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * Claims a HOST map for @p owner: its type becomes FS_DAX and idle pages go to @p ops. A map of a file (dax_file.h)
 * also takes an advisory lock on the file, exclusive if it is open for writing, shared else, so that two processes that
 * use this library do not truncate under each other. Exclusive; any thread.
 * @param owner not NULL; identifies the claim, and is the data that the callbacks are given. The caller keeps what it
 *              points to until devmap_fs_dax_release() or devmap_memunmap_pages() has returned 0.
 * @param ops   copied; or NULL for a claim without callbacks of its own.
 * @return 0; -EINVAL for NULL, a map not created as HOST, or ops without page_free; -EBUSY when the map is claimed, by
 *         this owner too, or its file locked by another open; -ENODEV when it is being torn down; -EFBIG when the file
 *         has outgrown its capacity meanwhile; -EOVERFLOW as devmap_pagemap_get_ops(); what locking answers (-ENOLCK).
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_fs_dax_claim(devmap_pagemap *map, void *owner, const devmap_pagemap_ops *ops);

/**
 * Ends the claim: waits for callbacks in flight, after which none is called again; pages in use go idle without one, or
 * with that of who claims next.
 * Any thread; blocks.
 * @return 0; -EINVAL for NULL or a map that nobody claims; -EPERM for another owner; -EBUSY while layouts are broken or
 *         the file is being changed; -ENODEV after a teardown; -EDEADLK from a callback of this map; -EALREADY while
 *         another thread releases it or tears it down.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_fs_dax_release(devmap_pagemap *map, const void *owner);

/**
 * Finds the first page in use among @p nr_pages pages from @p first_page. A moment's answer. The caller keeps the map
 * alive.
 * @return the page, or NULL where all are idle, or the range lies outside the map.
 */
DEVMAP_API DEVMAP_MUST_CHECK devmap_page *devmap_fs_dax_busy_page(devmap_pagemap *map, uint64_t first_page,
	uint64_t nr_pages);

/** A range whose layouts are broken; the caller's, but only the library looks inside. */
typedef struct devmap_layout_break {
	/** The library's. */
	devmap_pagemap *pgmap;
	/** The library's. */
	struct devmap_layout_break *next;
	/** First page of the range. */
	uint64_t first_page;
	/** Pages in the range. */
	uint64_t nr_pages;
} devmap_layout_break;

/**
 * Breaks the layouts of @p nr_pages pages from @p first_page: marks the range, so that takers through the map get
 * -EAGAIN (holders may still share), and waits until every page in it is idle and its callback has returned. On success
 * the range stays marked until devmap_fs_dax_end_break(); on failure it is not. Other pages are not waited for. Blocks.
 * @param layout_break kept by the caller, in place, until devmap_fs_dax_end_break(); what it holds is overwritten.
 * @param timeout_ns   nanoseconds to wait, 0 to ask once, DEVMAP_WAIT_FOREVER.
 * @param cancel       ends the wait early, or NULL.
 * @return 0; -ETIMEDOUT; -ECANCELED; -EINVAL for NULL or no pages; -ERANGE for pages outside the map; -EPERM when
 *         @p owner has no claim; -EBUSY when a part of the range is broken already; -EDEADLK from a callback of this
 *         map; -ENODEV when the map is being torn down.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_fs_dax_break_layouts(devmap_pagemap *map, const void *owner,
	uint64_t first_page, uint64_t nr_pages, int64_t timeout_ns, const devmap_cancel *cancel,
	devmap_layout_break *layout_break);

/** Opens the range to new users again; does nothing for NULL, or to one that is open again. Any thread. */
DEVMAP_API void devmap_fs_dax_end_break(devmap_layout_break *layout_break);

#ifdef __cplusplus
}
#endif

#endif
