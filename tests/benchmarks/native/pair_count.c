/* SPDX-License-Identifier: MIT */
/*
 * Runs one loop of a million pairs, for counting its instructions, or reports what a map of a terabyte takes:
 *
 *     pair_count no_gate|gate_off|gate_on|busy_managed_page|terabyte_map
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pairs.h"

#define PAIRS 1000000
#define TERABYTE (UINT64_C(1) << 40)

static void page_free(devmap_page *page, void *data)
{
	(void)page;
	(void)data;
}

static void check(int result)
{
	if (result != 0) {
		fprintf(stderr, "pair_count: error %d\n", result);
		exit(1);
	}
}

static devmap_pagemap *managed_map(uint64_t length)
{
	devmap_pagemap_ops ops = {.page_free = page_free};
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = DEVMAP_MEMORY_DEVICE_PUBLIC,
		.backing = DEVMAP_BACKING_RESERVED,
		.length = length,
		.ops = &ops,
	};
	devmap_pagemap *map = NULL;

	check(devmap_memremap_pages(&config, &map));
	return map;
}

/* Resident memory of this process in KiB, page tables included. */
static long resident_kib(void)
{
	long resident = 0, tables = 0;
	FILE *status = fopen("/proc/self/status", "r");
	char line[256];

	if (!status)
		return -1;
	while (fgets(line, sizeof(line), status)) {
		(void)sscanf(line, "VmRSS: %ld", &resident);
		(void)sscanf(line, "VmPTE: %ld", &tables);
	}
	fclose(status);
	return resident + tables;
}

static void terabyte_map(void)
{
	long before = resident_kib();
	devmap_pagemap *map = managed_map(TERABYTE);
	long after = resident_kib();

	printf("%ld\n", after - before);
	check(devmap_memunmap_pages(map, 0, NULL, NULL));
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";
	devmap_page *page;

	if (strcmp(what, "terabyte_map") == 0) {
		terabyte_map();
		return 0;
	}
	if (strcmp(what, "busy_managed_page") == 0) {
		check(devmap_pagemap_get_pages(managed_map(1 << 20), 7, 1, &page));
	} else {
		check(devmap_alloc_pages(0, &page));
		devmap_get_page(page);
		if (strcmp(what, "gate_on") == 0)
			check(devmap_pagemap_get_ops());
	}
	if (strcmp(what, "no_gate") == 0)
		pairs_ungated(page, PAIRS);
	else
		pairs_gated(page, PAIRS);
	return 0;
}
