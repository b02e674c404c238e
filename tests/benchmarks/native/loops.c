/* SPDX-License-Identifier: MIT */
#include "loops.h"

#include <stdlib.h>

/* Aligned, so that where the linker puts a loop does not decide a comparison. */
#define LOOP __attribute__((aligned(64), noinline))

LOOP void loop_nothing(devmap_page *page)
{
	__asm__ volatile("" : : "r"(page) : "memory");
}

LOOP void loop_calls(void (*callee)(devmap_page *page), devmap_page *page, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		callee(page);
}

LOOP void loop_pairs(devmap_page **pages, uint64_t nr_pages, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		devmap_page *page = pages[i & (nr_pages - 1)];

		devmap_get_page(page);
		devmap_put_page(page);
	}
}

LOOP void loop_pairs_gate_first(devmap_page **pages, uint64_t nr_pages, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		devmap_page *page = pages[i & (nr_pages - 1)];

		devmap_get_page(page);
		if (!devmap_put_managed_page(page))
			devmap_put_page(page);
	}
}

LOOP void loop_bare_atomics(devmap_page **pages, uint64_t nr_pages, uint64_t n)
{
	int32_t seen = 0;

	for (uint64_t i = 0; i < n; i++) {
		devmap_page *page = pages[i & (nr_pages - 1)];

		/* Their results are used, as a pair uses them, so that they are the same instructions. */
		seen |= atomic_fetch_add_explicit(&page->refcount, 1, memory_order_relaxed);
		seen |= atomic_fetch_sub_explicit(&page->refcount, 1, memory_order_release);
	}
	__asm__ volatile("" : : "r"(seen));
}

LOOP void loop_edges(devmap_pagemap *map, uint64_t nr_pages, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		devmap_page *page;

		if (devmap_pagemap_get_pages(map, i & (nr_pages - 1), 1, &page) != 0)
			abort();
		devmap_put_page(page);
	}
}

LOOP void loop_batch_edges(devmap_pagemap *map, uint64_t batch, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++) {
		devmap_page *page;

		if (devmap_pagemap_get_pages(map, 0, batch, &page) != 0)
			abort();
		devmap_put_pages(page, batch);
	}
}

LOOP void loop_callbacks(void (*page_free)(devmap_page *page, void *data), void *data, devmap_page **pages,
	uint64_t nr_pages, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		for (uint64_t j = 0; j < nr_pages; j++)
			page_free(pages[j], data);
}

LOOP void loop_batch_callbacks(void (*pages_free)(devmap_page *const *pages, uint32_t nr_pages, void *data), void *data,
	devmap_page **pages, uint64_t nr_pages, uint64_t n)
{
	for (uint64_t i = 0; i < n; i++)
		pages_free(pages, (uint32_t)nr_pages, data);
}
