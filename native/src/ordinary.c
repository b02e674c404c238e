/* SPDX-License-Identifier: MIT */
#include "internal.h"

/*
 * Ordinary pages. Their metadata is type-stable: kept for pages of the same order and never returned, so that a
 * reference dropped or taken after the last put meets a page that stands at -1 and is caught.
 */

#define ORDINARY_PAGE_SHIFT 12

/* Metadata is carved from chunks of this many pages' worth, or one compound page's if that is more. */
#define CHUNK_PAGES UINT64_C(1024)

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
/* Heads of freed compound pages by order, linked through reserved[0]. */
static devmap_page *free_heads[DEVMAP_MAX_ORDER + 1];

static int refill_locked(uint32_t order)
{
	uint64_t pages = UINT64_C(1) << order;
	uint64_t chunk = pages > CHUNK_PAGES ? pages : CHUNK_PAGES;
	devmap_page *page;
	void *memory;
	int result;

	result = os_reserve(chunk * sizeof(devmap_page), CACHE_LINE, OS_READ_WRITE, &memory);
	if (result != 0)
		return result;
	page = memory;
	for (uint64_t i = 0; i < chunk; i += pages) {
		atomic_init(&page[i].refcount, -1);
		atomic_init(&page[i].flags, PAGE_ORDINARY);
		page[i].order = order;
		page[i].reserved[0] = (uintptr_t)free_heads[order];
		for (uint64_t tail = 1; tail < pages; tail++)
			page[i + tail].compound_head = (uintptr_t)&page[i] | 1;
		free_heads[order] = &page[i];
	}
	return 0;
}

static devmap_page *head_unlink_locked(uint32_t order)
{
	devmap_page *page = free_heads[order];

	if (page)
		free_heads[order] = (devmap_page *)(uintptr_t)page->reserved[0];
	return page;
}

static int head_pop(uint32_t order, devmap_page **page)
{
	devmap_page *head;
	int result = 0;

	pthread_mutex_lock(&lock);
	do {
		head = head_unlink_locked(order);
		if (!head)
			result = refill_locked(order);
		/* One that was misused after its last put is saturated, and left out for good. */
	} while (result == 0 && (!head || atomic_load_explicit(&head->refcount, memory_order_relaxed) != -1));
	pthread_mutex_unlock(&lock);
	if (result == 0)
		*page = head;
	return result;
}

/* Gives a page its one reference; false where it was misused since it was freed, and stays saturated. */
static bool head_arm(devmap_page *head)
{
	int32_t freed = -1;

	/* Release: who finds the page by a stale pointer and takes it anew sees its memory. */
	return atomic_compare_exchange_strong_explicit(&head->refcount, &freed, 0, memory_order_release,
						       memory_order_relaxed);
}

static void head_push(devmap_page *page)
{
	pthread_mutex_lock(&lock);
	page->reserved[0] = (uintptr_t)free_heads[page->order];
	free_heads[page->order] = page;
	pthread_mutex_unlock(&lock);
}

int devmap_alloc_pages(uint32_t order, devmap_page **page)
{
	devmap_page *head;
	uint64_t bytes;
	int result;

	if (!page || order > DEVMAP_MAX_ORDER)
		return -EINVAL;
	bytes = UINT64_C(1) << (order + ORDINARY_PAGE_SHIFT);
	result = head_pop(order, &head);
	if (result != 0)
		return result;
	result = os_reserve(bytes, os_page_size(), OS_READ_WRITE, &head->address);
	if (result != 0) {
		head_push(head);
		return result;
	}
	head->zone_device_data = 0;
	if (!head_arm(head)) {
		os_unmap(head->address, bytes);
		head->address = NULL;
		return devmap_alloc_pages(order, page);
	}
	stat_gauge_raise(STAT_GAUGE_ordinary_pages);
	*page = head;
	return 0;
}

void ordinary_free(devmap_page *page)
{
	os_unmap(page->address, UINT64_C(1) << (page->order + ORDINARY_PAGE_SHIFT));
	page->address = NULL;
	stat_gauge_lower(STAT_GAUGE_ordinary_pages);
	head_push(page);
}
