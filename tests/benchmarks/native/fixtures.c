/* SPDX-License-Identifier: MIT */
#include "fixtures.h"

#include <stdio.h>
#include <stdlib.h>

void check_result(int result, const char *call)
{
	if (result == 0)
		return;
	fprintf(stderr, "%s: %d\n", call, result);
	/* Not exit(), as this may be in it: what is shared among benchmarks is given back there. */
	_Exit(1);
}

static void page_free(devmap_page *page, void *data)
{
	(void)page;
	(void)data;
}

static void pages_free(devmap_page *const *pages, uint32_t nr_pages, void *data)
{
	(void)pages;
	(void)nr_pages;
	(void)data;
}

const devmap_pagemap_ops driver_of_pages = {.page_free = page_free};
const devmap_pagemap_ops driver_of_batches = {.page_free = page_free, .pages_free = pages_free};

devmap_pagemap *map_create(uint64_t nr_pages, const devmap_pagemap_ops *driver, void *data)
{
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = driver ? DEVMAP_MEMORY_DEVICE_PUBLIC : DEVMAP_MEMORY_DEVICE_HOST,
		.backing = DEVMAP_BACKING_RESERVED,
		.page_size = MAP_PAGE_SIZE,
		.length = nr_pages * MAP_PAGE_SIZE,
		.ops = driver,
		.data = data,
	};
	devmap_pagemap *map = NULL;

	CHECK(devmap_memremap_pages(&config, &map));
	return map;
}

void map_destroy(devmap_pagemap *map)
{
	CHECK(devmap_memunmap_pages(map, 0, NULL, NULL));
	CHECK(devmap_pagemap_free(map));
}

void map_touch(devmap_pagemap *map, uint64_t nr_pages)
{
	for (uint64_t i = 0; i < nr_pages; i++) {
		devmap_page *page = NULL;

		CHECK(devmap_pagemap_get_pages(map, i, 1, &page));
		devmap_put_page(page);
	}
}
