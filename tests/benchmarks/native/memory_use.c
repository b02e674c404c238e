/* SPDX-License-Identifier: MIT */
/*
 * Prints, as a JSON object, the memory that maps and their touched pages take:
 *
 *     bytes_per_map                  an untouched map of 1 MiB
 *     bytes_per_touched_page         a page, where all pages of a map are touched
 *     bytes_per_touched_page_sparse  a page, where one of 64 is: each by itself on a page of metadata
 *     terabyte_map_kib               an untouched map of 1 TiB, in KiB: the mean of several, as bytes_per_map
 *
 * Memory is what the process has resident (Rss in /proc/self/smaps_rollup, which is counted there and then, while VmRSS
 * in /proc/self/status lags behind) and its page tables (VmPTE). The kernel's own record of a mapping is not in it.
 */
#include <stdio.h>
#include <string.h>

#include "fixtures.h"

#define KIB 1024
#define NR_MAPS 1000
#define NR_TERABYTE_MAPS 16
#define MAP_PAGES (UINT64_C(1) << 8)
#define MANY_PAGES (UINT64_C(1) << 18)
#define SPARSE_STEP 64
#define TERABYTE_PAGES ((UINT64_C(1) << 40) / MAP_PAGE_SIZE)

/* Bytes on the line of @path that starts with @key, in KiB there. */
static double read_bytes(const char *path, const char *key)
{
	FILE *file = fopen(path, "r");
	char line[256], name[32];
	long kib = -1, value;

	CHECK(file == NULL);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%31[^:]: %ld kB", name, &value) == 2 && strcmp(name, key) == 0)
			kib = value;
	fclose(file);
	CHECK(kib < 0);
	return (double)kib * KIB;
}

static double memory(void)
{
	return read_bytes("/proc/self/smaps_rollup", "Rss") + read_bytes("/proc/self/status", "VmPTE");
}

/* Of @nr_maps new maps, which are left to the caller in @maps. */
static double bytes_per_map(uint64_t nr_pages, devmap_pagemap **maps, int nr_maps)
{
	double before;

	/* The array's own memory first. */
	memset(maps, 1, (size_t)nr_maps * sizeof(maps[0]));
	before = memory();
	for (int i = 0; i < nr_maps; i++)
		maps[i] = map_create(nr_pages, &driver_of_pages, NULL);
	return (memory() - before) / nr_maps;
}

static void destroy_maps(devmap_pagemap **maps, int nr_maps)
{
	for (int i = nr_maps; i > 0; i--)
		map_destroy(maps[i - 1]);
}

/* Every @step-th page of a map is touched. */
static double bytes_per_touched_page(uint64_t step)
{
	devmap_pagemap *map = map_create(MANY_PAGES, &driver_of_pages, NULL);
	double before = memory(), after;

	for (uint64_t i = 0; i < MANY_PAGES; i += step) {
		devmap_page *page;

		CHECK(devmap_pagemap_get_pages(map, i, 1, &page));
		devmap_put_page(page);
	}
	after = memory();
	map_destroy(map);
	return (after - before) / (double)(MANY_PAGES / step);
}

int main(void)
{
	static devmap_pagemap *maps[NR_MAPS], *terabyte_maps[NR_TERABYTE_MAPS];
	devmap_pagemap *first = map_create(MAP_PAGES, &driver_of_pages, NULL);

	/* What the first map and page make the libraries take is not theirs. */
	map_touch(first, MAP_PAGES);
	(void)memory();

	/* All maps stay until the end, as a new one takes the memory of one that was destroyed. */
	printf("{\"bytes_per_map\": %.1f, ", bytes_per_map(MAP_PAGES, maps, NR_MAPS));
	printf("\"bytes_per_touched_page\": %.2f, ", bytes_per_touched_page(1));
	printf("\"bytes_per_touched_page_sparse\": %.1f, ", bytes_per_touched_page(SPARSE_STEP));
	printf("\"terabyte_map_kib\": %.1f}\n", bytes_per_map(TERABYTE_PAGES, terabyte_maps, NR_TERABYTE_MAPS) / KIB);
	destroy_maps(terabyte_maps, NR_TERABYTE_MAPS);
	destroy_maps(maps, NR_MAPS);
	map_destroy(first);
	return 0;
}
