/* SPDX-License-Identifier: MIT */
/**
 * @file pagemap.h
 * Pagemaps: ranges of memory with one type, one driver and one lifetime; and the gate, which is on while anybody
 * wants idle callbacks. After the kernel's <linux/memremap.h>; like it, this header does not include the page's.
 */
#ifndef DEVMAP_PAGEMAP_H
#define DEVMAP_PAGEMAP_H

#include <devmap/static_key.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct devmap_page devmap_page;
typedef struct devmap_pagemap devmap_pagemap;

/** What a pagemap's memory is. The values are those of the kernel's enum memory_type. */
typedef enum devmap_memory_type {
	/** Device memory without a callback: nobody hears of its idle pages. May be claimed (fs_dax.h). */
	DEVMAP_MEMORY_DEVICE_HOST = 0,
	/** Device memory that the CPU cannot address. Managed. */
	DEVMAP_MEMORY_DEVICE_PRIVATE = 1,
	/** Device memory that the CPU can address. Managed. */
	DEVMAP_MEMORY_DEVICE_PUBLIC = 2,
	/** A HOST map while somebody claims it (fs_dax.h). Managed. Never a type to create with. */
	DEVMAP_MEMORY_DEVICE_FS_DAX = 3,
} devmap_memory_type;

/** Where a pagemap's memory comes from. */
typedef enum devmap_backing {
	/** The caller's: mapped before, and kept mapped until devmap_memunmap_pages() has returned 0. */
	DEVMAP_BACKING_CALLER = 0,
	/**
	 * Anonymous memory that the library maps, zero-filled, readable and writable, taken page by page as it is used.
	 */
	DEVMAP_BACKING_RESERVED = 1,
	/** Address space that the library reserves and nobody may touch: any access is SIGSEGV. */
	DEVMAP_BACKING_INACCESSIBLE = 2,
} devmap_backing;

/**
 * What a driver provides. The callbacks run on whatever thread dropped the last reference, for different pages at the
 * same time, and for one page at the same time when it is taken again through its map while its callback still runs.
 * They may take the page again, put others, and take or give back the ops. They must return: no longjmp, no exception.
 */
typedef struct devmap_pagemap_ops {
	/**
	 * Called once for each idle edge: each time @p page's count goes from 2 to 1. Everything done to the page
	 * before any of its references was dropped is visible here. @p data is the driver's own.
	 */
	void (*page_free)(devmap_page *page, void *data);
	/**
	 * Optional. Called by devmap_release_pages() and devmap_put_pages() in place of page_free for up to
	 * DEVMAP_IDLE_BATCH pages of this map that became idle in one call; the same event, once a page. The array is
	 * the library's, valid during the call.
	 */
	void (*pages_free)(devmap_page *const *pages, uint32_t nr_pages, void *data);
} devmap_pagemap_ops;

/** The most pages one call of pages_free is given. */
#define DEVMAP_IDLE_BATCH 256

/** Bytes of the unit in which a devmap_altmap counts, the kernel's smallest page. */
#define DEVMAP_ALTMAP_UNIT 4096

/**
 * Memory that the caller supplies for the page metadata (64 bytes a page, and one bit for 64 pages), as the kernel's
 * vmem_altmap. It may be the head of the mapped range itself: then pages start devmap_altmap_offset() units after
 * `base`, and those below are no pages. The part in use is zero-filled when the map is created. One altmap serves one
 * map at a time. All lengths are in DEVMAP_ALTMAP_UNIT.
 */
typedef struct devmap_altmap {
	/**
	 * Start; a multiple of DEVMAP_ALTMAP_UNIT, readable and writable, kept until devmap_memunmap_pages() returned
	 * 0.
	 */
	void *base;
	/** Units at the start that the driver keeps for itself. */
	uint64_t reserve;
	/** Units after those, for the metadata. */
	uint64_t free;
	/** Units of `free` spent on alignment. Written by the library: 0, as a unit aligns any metadata. */
	uint64_t align;
	/** Units of `free` in use: 0 for a new map, then written by the library. */
	uint64_t alloc;
} devmap_altmap;

/** @return units from the altmap's base to the first page: reserve + free. */
DEVMAP_API uint64_t devmap_altmap_offset(const devmap_altmap *altmap);

/** Gives @p nr_units back to @p altmap, at most those in use. The library calls it when the map is torn down. */
DEVMAP_API void devmap_altmap_free(devmap_altmap *altmap, uint64_t nr_units);

/** What devmap_memremap_pages() is asked for. Zero-fill it, set `size`, then what differs. */
typedef struct devmap_pagemap_config {
	/** sizeof(devmap_pagemap_config) as the caller knows it. */
	uint32_t size;
	/**
	 * A devmap_memory_type other than FS_DAX. DEVICE_PRIVATE wants DEVMAP_BACKING_INACCESSIBLE or _CALLER, DEVICE_PUBLIC
	 * DEVMAP_BACKING_RESERVED or _CALLER.
	 */
	int32_t type;
	/** A devmap_backing. */
	int32_t backing;
	/** Must be 0. */
	uint32_t reserved;
	/** Bytes a page: a power of two from 4 KiB to 1 GiB; 0 means 4 KiB. */
	uint64_t page_size;
	/** Start of the range, a multiple of the page size, for DEVMAP_BACKING_CALLER; else NULL. */
	void *address;
	/** Bytes of the range: a positive multiple of the page size. */
	uint64_t length;
	/**
	 * The driver, copied: page_free is required for a managed type, and refused for HOST, which has no callback.
	 */
	const devmap_pagemap_ops *ops;
	/** Given to the callbacks. The caller keeps it until devmap_memunmap_pages() has returned 0. */
	void *data;
	/** Memory for the page metadata, or NULL for the library's. The caller keeps it as it keeps `data`. */
	devmap_altmap *altmap;
} devmap_pagemap_config;

/**
 * A pagemap. The fields are for reading, and constant while the map lives, `type` apart; only the library writes them
 * and only the library creates one.
 */
struct devmap_pagemap {
	/** devmap_memory_type; published after the driver's callback and data. */
	DEVMAP_ATOMIC(int32_t) type;
	/** Logarithm to base 2 of the page size. */
	uint32_t page_shift;
	/**
	 * Metadata of page 0. Untouched pages are zero-filled: idle, and without their pgmap; so are all of them
	 * between devmap_memunmap_pages() and devmap_pagemap_free(), but for an altmap's, which are gone by then.
	 */
	devmap_page *pages;
	/** Address of page 0. */
	uintptr_t start;
	/** Index of the first page: 0, or what an altmap at the head of the range takes. */
	uint64_t first_page;
	/** Pages in the range, counted from page 0. */
	uint64_t nr_pages;
};

/** A page that is in use, as devmap_memunmap_pages() and devmap_pagemap_busy_pages() name it. */
typedef struct devmap_busy_page {
	/** Index of the page in its map. */
	uint64_t index;
	/**
	 * The count as the kernel tells it (1 = idle): at least 2, negative for a saturated page; or 1 while the callback of
	 * its last put runs, which maps that can be claimed tell by page, and others among the references.
	 */
	int32_t count;
	uint32_t reserved;
} devmap_busy_page;

/** What kept a teardown from finishing. The caller owns the array. */
typedef struct devmap_busy_report {
	/** In: room for the first busy pages, or NULL. */
	devmap_busy_page *pages;
	/** In: how many fit there. */
	uint64_t capacity;
	/** Out: how many pages are busy; the first min(nr_pages, capacity) of them are in `pages`. */
	uint64_t nr_pages;
	/**
	 * Out: references on the map itself: of devmap_get_pagemap(), of layout breaks, of callbacks that still run.
	 */
	uint64_t nr_references;
} devmap_busy_report;

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
/** The gate: on while anyone holds the ops. Read it; change it with devmap_pagemap_get_ops() and _put_ops(). */
extern DEVMAP_API devmap_static_key devmap_managed_key;
#endif

/**
 * Holds the gate on: every page published after the return is seen as managed by every thread. Maps of a managed type
 * and claims hold it by themselves. Any thread, callbacks included.
 * @return 0, -EOVERFLOW at INT32_MAX holders, -EOPNOTSUPP in a library built without DEVMAP_CONFIG_DEV_PAGEMAP_OPS.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_pagemap_get_ops(void);

/**
 * Ends one hold of devmap_pagemap_get_ops(). Any thread, callbacks included.
 * @return 0, -EINVAL with nothing changed when there is none (maps' and claims' own are not counted), -EOPNOTSUPP as
 *          devmap_pagemap_get_ops().
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_pagemap_put_ops(void);

/** @return how many hold the gate on; 0 in a library built without it. Any thread. */
DEVMAP_API int32_t devmap_pagemap_ops_count(void);

/**
 * Splits a range of memory into pages. The metadata is reserved, not touched, so a terabyte costs as little as a page.
 * The map is alive until devmap_memunmap_pages(), and its handle valid until devmap_pagemap_free(). Any thread.
 * @param config what to create; read during the call only, but for the memory it points to (see there).
 * @param map    receives the handle on success, else is left alone.
 * @return 0; -EINVAL for a bad argument (null, zero or misaligned length or address, one beyond 2^57, unknown type or
 *         backing, a managed type without page_free, a HOST map with one); -EEXIST where the range overlaps another
 *         map; -ENOMEM without memory or address space, or with an altmap too small; -EBUSY for an altmap in use;
 *         -EOPNOTSUPP for a type that the library was built without; -EOVERFLOW as devmap_pagemap_get_ops().
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_memremap_pages(const devmap_pagemap_config *config, devmap_pagemap **map);

/**
 * Tears a map down: stops new activations and references, waits until every page is idle, every callback has returned
 * and every reference on the map is given back, ends a claim, then gives the memory back. After it returned 0 the
 * driver is never called again. On any error nothing is torn down. Any thread; blocks.
 * @param timeout_ns nanoseconds to wait, 0 to ask once, DEVMAP_WAIT_FOREVER.
 * @param cancel     ends the wait early, or NULL.
 * @param busy       on -EBUSY and -ECANCELED receives what is in use, or NULL.
 * @return 0; -EBUSY on expiry and -ECANCELED, after both of which the map takes no new users until it is torn down by
 *         another call or reopened by devmap_pagemap_resume(); -EDEADLK from a callback of this map; -EALREADY while
 *         another thread tears it down; -ENODEV when it is torn down; -EINVAL for NULL.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_memunmap_pages(devmap_pagemap *map, int64_t timeout_ns,
	const devmap_cancel *cancel, devmap_busy_report *busy);

/**
 * Reopens a map whose teardown ended in -EBUSY or -ECANCELED. Any thread.
 * @return 0 (a live map too), -EALREADY during a teardown, -ENODEV after one, -EINVAL for NULL.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_pagemap_resume(devmap_pagemap *map);

/**
 * Gives the handle of a torn-down map back; NULL is fine. Between devmap_memunmap_pages() and this call every function
 * on the handle answers -ENODEV, so that threads that race with the teardown are told, not hurt.
 * @return 0; with nothing done -EBUSY when the map is not torn down, or is a file's (dax_file.h) or a range's
 *          (migrate.h), -EINVAL when its handle was given back already.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_pagemap_free(devmap_pagemap *map);

/**
 * Finds the map that covers @p address and takes a reference on it, which keeps it from being torn down. Lock-free.
 * @param cached a map that the caller holds a reference on, or NULL: returned as it is where it covers the address,
 *               else its reference is given back.
 * @return the map, or NULL where no live map covers the address.
 */
DEVMAP_API DEVMAP_MUST_CHECK devmap_pagemap *devmap_get_pagemap(const void *address, devmap_pagemap *cached);

/**
 * Gives a reference of devmap_get_pagemap() back; NULL is fine. One too many is reported as a fault when the map is to be
 * torn down, which it then cannot be, or at once after that. Any thread.
 */
DEVMAP_API void devmap_put_pagemap(devmap_pagemap *map);

/**
 * Counts the pages in use among @p nr_pages pages from @p first_page, and names the first of them. A moment's answer,
 * unless the map takes no new users. Touches only metadata of pages that were used. The caller keeps the map alive.
 * @param busy   room for the first ones, or NULL with @p capacity 0.
 * @param nr_busy receives how many are in use in all.
 * @return 0, -EINVAL for NULL, -ERANGE for a range outside the map, -ENODEV for a map torn down.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_pagemap_busy_pages(devmap_pagemap *map, uint64_t first_page, uint64_t nr_pages,
	devmap_busy_page *busy, uint64_t capacity, uint64_t *nr_busy);

#ifdef __cplusplus
}
#endif

#endif
