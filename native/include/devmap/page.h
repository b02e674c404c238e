/* SPDX-License-Identifier: MIT */
/**
 * @file page.h
 * Pages and their references. After the kernel's <linux/mm.h>.
 *
 * The count is stored biased: `refcount` holds the references beyond the driver's own, so that zero-filled metadata is
 * a valid idle page.
 *
 *     refcount    device page                       ordinary page
 *     n > 0       n users (the kernel's n + 1)      n + 1 references
 *     0           idle (the kernel's 1)             1 reference
 *     -1          frozen: of a range (migrate.h)    freed
 *     T + n       tracked: n users, whose gets and puts are followed (track.h); T is DEVMAP_REFCOUNT_TRACKED
 *     far below   saturated: never idle, never freed, never handed out again
 *
 * A drop looks at its own result. Only 0 and below leave the inline path, so a put that leaves a reference behind reads
 * neither gate nor type nor map: it costs the same with the gate on.
 */
#ifndef DEVMAP_PAGE_H
#define DEVMAP_PAGE_H

#include <devmap/pagemap.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The count of a tracked page without users. It has less than 2^27 of them; more, and it is tracked no more. */
#define DEVMAP_REFCOUNT_TRACKED (-268435456)

/** Metadata of one page: 64 bytes, a cache line, so that neighbours never share one. Read with the functions below. */
struct devmap_page {
	/** References beyond the driver's own; see the table above. */
	DEVMAP_ATOMIC(int32_t) refcount;
	/** Activations whose idle callback has not returned yet. Kept for maps that can be claimed; else 0. */
	DEVMAP_ATOMIC(uint32_t) busy;
	/** Of a tail page: its head's address with bit 0 set. Else 0. */
	uintptr_t compound_head;
	/** The map, filled in when the page is first looked up; NULL for an ordinary page. */
	DEVMAP_ATOMIC(devmap_pagemap *) pgmap;
	/**
	 * The driver's own word; no function here reads or writes it, but that a new map's pages start with 0. The driver of
	 * a range's pages (migrate.h) is the library.
	 */
	uint64_t zone_device_data;
	/** Of an ordinary head page: its memory. */
	void *address;
	/** Of an ordinary head page: logarithm to base 2 of its number of 4 KiB pages. */
	uint32_t order;
	/** The library's. */
	DEVMAP_ATOMIC(uint32_t) flags;
	/** The library's. */
	uint64_t reserved[2];
};

/**
 * One idle edge on its way to the driver, for language layers that call their own drivers without crossing back through
 * C; see devmap_page_idle_begin(). The caller owns it, on its stack.
 */
typedef struct devmap_idle_frame {
	/** The callback to run, or NULL for none. */
	void (*page_free)(devmap_page *page, void *data);
	/** Its data. */
	void *data;
	/** The library's. */
	devmap_pagemap *pgmap;
	/** The library's. */
	devmap_page *page;
	/** The library's. */
	struct devmap_idle_frame *outer;
	/** The library's. */
	uint32_t shard;
	/** The library's. */
	uint32_t counted;
	/** The library's. */
	uint64_t started_ns;
	/** The library's. */
	uint64_t index;
} devmap_idle_frame;

/*
 * The out-of-line halves of the inlines below. They are exported on the same terms as the rest, so that the inlines
 * are usable by everybody; nothing else calls them.
 */
DEVMAP_API void devmap_get_page_slow(devmap_page *page, int32_t old_refcount, uint32_t nr_refs);
DEVMAP_API void devmap_put_page_slow(devmap_page *page, int32_t old_refcount, uint32_t nr_refs);

/* The inlines below, as the binding generator sees them. */
inline DEVMAP_API devmap_page *devmap_compound_head(devmap_page *page);
inline DEVMAP_API int32_t devmap_page_count(devmap_page *page);
inline DEVMAP_API devmap_pagemap *devmap_page_pagemap(const devmap_page *page);
inline DEVMAP_API bool devmap_is_zone_device_page(const devmap_page *page);
inline DEVMAP_API int32_t devmap_page_type(const devmap_page *page);
inline DEVMAP_API void devmap_get_page_refs(devmap_page *page, uint32_t nr_refs);
inline DEVMAP_API void devmap_get_page(devmap_page *page);
inline DEVMAP_API void devmap_put_page_refs(devmap_page *page, uint32_t nr_refs);
inline DEVMAP_API void devmap_put_page(devmap_page *page);
inline DEVMAP_API bool devmap_put_managed_page(devmap_page *page);
inline DEVMAP_API bool devmap_is_device_private_page(const devmap_page *page);
inline DEVMAP_API bool devmap_is_device_public_page(const devmap_page *page);

#ifndef DEVMAP_BINDGEN

/** @return the head of the compound page that @p page belongs to, or @p page itself. */
inline DEVMAP_API devmap_page *devmap_compound_head(devmap_page *page)
{
	uintptr_t head = page->compound_head;

	if (devmap_unlikely(head & 1))
		return (devmap_page *)(head - 1);
	return page;
}

/** @return the count as the kernel tells it: 1 = an idle device page. A moment's answer; any thread. */
inline DEVMAP_API int32_t devmap_page_count(devmap_page *page)
{
	uint32_t refs = (uint32_t)DEVMAP_STD atomic_load_explicit(
		&devmap_compound_head(page)->refcount, DEVMAP_STD memory_order_relaxed);
	uint32_t tracked = refs - (uint32_t)DEVMAP_REFCOUNT_TRACKED;

	/* From T - 2^27 to T + 2^27 - 1 it is tracked. */
	return (int32_t)((tracked + (UINT32_C(1) << 27) < UINT32_C(1) << 28 ? tracked : refs) + 1u);
}

/** @return the map that @p page was looked up in, or NULL for an ordinary page. */
inline DEVMAP_API devmap_pagemap *devmap_page_pagemap(const devmap_page *page)
{
	/* Relaxed: whoever holds the page got it through a look-up that stored this, or from somebody who did. */
	return DEVMAP_STD atomic_load_explicit(&page->pgmap, DEVMAP_STD memory_order_relaxed);
}

/** @return whether @p page belongs to a pagemap. */
inline DEVMAP_API bool devmap_is_zone_device_page(const devmap_page *page)
{
	return devmap_page_pagemap(page) != NULL;
}

/** @return the devmap_memory_type of a page for which devmap_is_zone_device_page() holds. */
inline DEVMAP_API int32_t devmap_page_type(const devmap_page *page)
{
	/* Acquire: who sees a managed type sees the callback that was published before it. */
	return DEVMAP_STD atomic_load_explicit(&devmap_page_pagemap(page)->type, DEVMAP_STD memory_order_acquire);
}

/**
 * Takes another reference on a page that the caller holds one on; saturates instead of wrapping. On an idle device page
 * this activates it, as in the kernel: only the driver may do that, in the page's own callback, where it always
 * succeeds, or for a page that it alone can hand out (its free list) while no teardown or layout break can begin; where
 * that is broken, the page is saturated and a fault reported. Everyone else goes through the map.
 * @param nr_refs from 0 to INT32_MAX.
 */
inline DEVMAP_API void devmap_get_page_refs(devmap_page *page, uint32_t nr_refs)
{
	int32_t old;

	page = devmap_compound_head(page);
	/* Relaxed: a reference is taken from one already held, which orders everything that matters. */
	old = DEVMAP_STD atomic_fetch_add_explicit(&page->refcount, (int32_t)nr_refs, DEVMAP_STD memory_order_relaxed);
	/* One comparison finds the idle page (0 + n = n), the freed one and the wrapped count. */
	if (devmap_unlikely((int32_t)((uint32_t)old + nr_refs) <= (int32_t)nr_refs))
		devmap_get_page_slow(page, old, nr_refs);
}

/** Takes one reference; see devmap_get_page_refs(). */
inline DEVMAP_API void devmap_get_page(devmap_page *page)
{
	devmap_get_page_refs(page, 1);
}

/**
 * Drops @p nr_refs references that the caller holds. The last one of a managed page runs the driver's callback, once
 * and on this thread; the last one of an ordinary page frees it. Dropping what nobody holds is reported as a fault, and
 * calls no driver. The value that the drop returned tells the edge: no test for "one less" can miss it.
 * @param nr_refs from 0 to INT32_MAX.
 */
inline DEVMAP_API void devmap_put_page_refs(devmap_page *page, uint32_t nr_refs)
{
	int32_t old;

	page = devmap_compound_head(page);
	/* Release: what was done to the page under this reference happens before the edge, whose half acquires. */
	old = DEVMAP_STD atomic_fetch_sub_explicit(&page->refcount, (int32_t)nr_refs, DEVMAP_STD memory_order_release);
	if (devmap_unlikely(old <= (int32_t)nr_refs))
		devmap_put_page_slow(page, old, nr_refs);
}

/** Drops one reference; see devmap_put_page_refs(). */
inline DEVMAP_API void devmap_put_page(devmap_page *page)
{
	devmap_put_page_refs(page, 1);
}

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

/**
 * The patch's own shape of the put, for callers that want it: gate, zone, type, then the put.
 * @return true when the page is managed and its reference was dropped here, else false with nothing done.
 */
inline DEVMAP_API bool devmap_put_managed_page(devmap_page *page)
{
	if (!devmap_static_branch_unlikely(&devmap_managed_key))
		return false;
	page = devmap_compound_head(page);
	if (!devmap_is_zone_device_page(page))
		return false;
	switch (devmap_page_type(page)) {
	case DEVMAP_MEMORY_DEVICE_PRIVATE:
	case DEVMAP_MEMORY_DEVICE_PUBLIC:
	case DEVMAP_MEMORY_DEVICE_FS_DAX:
		devmap_put_page_refs(page, 1);
		return true;
	default:
		return false;
	}
}

/** @return whether @p page is of a DEVICE_PRIVATE map. */
inline DEVMAP_API bool devmap_is_device_private_page(const devmap_page *page)
{
	return devmap_is_zone_device_page(page) && devmap_page_type(page) == DEVMAP_MEMORY_DEVICE_PRIVATE;
}

/** @return whether @p page is of a DEVICE_PUBLIC map. */
inline DEVMAP_API bool devmap_is_device_public_page(const devmap_page *page)
{
	return devmap_is_zone_device_page(page) && devmap_page_type(page) == DEVMAP_MEMORY_DEVICE_PUBLIC;
}

#else /* !DEVMAP_CONFIG_DEV_PAGEMAP_OPS: no key, no branch */

inline DEVMAP_API bool devmap_put_managed_page(devmap_page *page)
{
	(void)page;
	return false;
}

inline DEVMAP_API bool devmap_is_device_private_page(const devmap_page *page)
{
	(void)page;
	return false;
}

inline DEVMAP_API bool devmap_is_device_public_page(const devmap_page *page)
{
	(void)page;
	return false;
}

#endif

#endif /* !DEVMAP_BINDGEN */

/**
 * Takes a reference on a page that the caller may hold none on, activating an idle device page. The caller keeps the
 * page's metadata alive: by a reference on its map, or as the only one who can tear the map down.
 * @return 0; -EINVAL for NULL; -ENODEV when the map is being torn down or is, when it never looked the page up, or when
 *         an ordinary page was freed; -EAGAIN when the page's layout is being broken (fs_dax.h), or its data are on
 *         a device (migrate.h); -EOVERFLOW for a saturated page.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_try_get_page(devmap_page *page);

/**
 * Takes a reference on each of @p nr_pages pages of @p map from @p first_page: on all of them or on none.
 * The handle must be valid: before devmap_pagemap_free(). Where one of them is refused, those before it were in use for a
 * moment: a driver may hear, in this call, of idle pages that nobody was given. Any thread.
 * @param page receives the first page; the others follow it in memory. Left alone on failure.
 * @return 0; -EINVAL for NULL or no pages; -ERANGE for pages outside the map; -ENODEV, -EAGAIN and -EOVERFLOW as
 *         devmap_try_get_page().
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_pagemap_get_pages(devmap_pagemap *map, uint64_t first_page, uint64_t nr_pages,
	devmap_page **page);

/**
 * devmap_pagemap_get_pages() of one page as far as that neither blocks, calls anything back nor reports, for language
 * layers to which each of these would cost a transition. Any thread.
 * @return the page, or NULL with nothing taken: devmap_pagemap_get_pages() then takes it or says why not. So for maps of
 *         DEVMAP_MEMORY_DEVICE_HOST, always.
 */
DEVMAP_API DEVMAP_MUST_CHECK devmap_page *devmap_pagemap_get_page_fast(devmap_pagemap *map, uint64_t index);

/**
 * Drops a reference on each of @p nr_pages adjacent pages from @p page, as devmap_release_pages() does: the counterpart
 * of devmap_pagemap_get_pages(). Any thread.
 */
DEVMAP_API void devmap_put_pages(devmap_page *page, uint64_t nr_pages);

/**
 * Looks a page of @p map up without taking a reference on it. The caller keeps the map alive.
 * @return the page, or NULL for an index outside the map.
 */
DEVMAP_API DEVMAP_MUST_CHECK devmap_page *devmap_pagemap_page(devmap_pagemap *map, uint64_t index);

/**
 * Finds the page that covers @p address in any map, without taking a reference on it. The caller keeps the map alive,
 * as by a reference of devmap_get_pagemap().
 * @return the page, or NULL where no live map covers the address.
 */
DEVMAP_API DEVMAP_MUST_CHECK devmap_page *devmap_virt_to_page(const void *address);

/** @return the first byte of @p page's memory. For DEVICE_PRIVATE an address that nobody may touch. */
DEVMAP_API void *devmap_page_address(devmap_page *page);

/** @return the index of @p page in its map; 0 for an ordinary page. */
DEVMAP_API uint64_t devmap_page_index(const devmap_page *page);

/**
 * Drops one reference on each of @p nr_pages pages: any mix of device and ordinary pages, types and maps; the same page
 * may be there more than once. Pages that become idle go to their driver in batches where it has a pages_free.
 * NULL entries are passed over. Any thread.
 */
DEVMAP_API void devmap_release_pages(devmap_page **pages, uint64_t nr_pages);

/** The largest order of devmap_alloc_pages(): 1 GiB. */
#define DEVMAP_MAX_ORDER 18

/**
 * Allocates 2^order adjacent ordinary pages of 4 KiB as one compound page with one reference, zero-filled, freed on its
 * last put. Any thread.
 * @param page receives the head; the tails follow it in memory. Left alone on failure.
 * @return 0, -EINVAL for NULL or an order above DEVMAP_MAX_ORDER, -ENOMEM.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_alloc_pages(uint32_t order, devmap_page **page);

/**
 * Opens an idle edge that the caller brought about by its own decrement of `refcount` to 0, and says which callback to
 * run. The caller runs it (or what it stands for) and then calls devmap_page_idle_end() with the same frame on the same
 * thread, in any case. Does not block and calls nothing back.
 * @return whether there is anything to end: false for an ordinary page.
 */
DEVMAP_API bool devmap_page_idle_begin(devmap_page *page, devmap_idle_frame *frame);

/** @return whether a callback that was given @p page runs on this thread. Does not block. */
DEVMAP_API bool devmap_page_in_callback(const devmap_page *page);

/**
 * @return whether a callback of any of the map's pages runs on this thread, which must not wait for the map then (-EDEADLK);
 * false for NULL. Does not block.
 */
DEVMAP_API bool devmap_pagemap_in_callback(const devmap_pagemap *pgmap);

/** Closes what devmap_page_idle_begin() opened. May wake waiters; the page and the map may be gone on return. */
DEVMAP_API void devmap_page_idle_end(devmap_idle_frame *frame);

/**
 * devmap_page_idle_end() without the waking, which asks the system, and without the report of a callback that took too long:
 * does not block, and calls nothing back.
 * @return whether the caller has to call devmap_page_idle_wake() with the same frame.
 */
DEVMAP_API DEVMAP_MUST_CHECK bool devmap_page_idle_end_fast(devmap_idle_frame *frame);

/** Wakes whoever may have waited for what devmap_page_idle_end_fast() ended, and reports a callback that took too long. */
DEVMAP_API void devmap_page_idle_wake(const devmap_idle_frame *frame);

#ifdef __cplusplus
}
#endif

#endif
