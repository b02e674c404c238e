/* SPDX-License-Identifier: MIT */
/*
 * As instruction_loops.c, for a library that was built without idle callbacks:
 *
 *     instruction_loops_ops_off list|edge_no_ops
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loops.h"

#define NR_PAGES 8
#define EDGES UINT64_C(100000)

static void check(int result)
{
	if (result != 0) {
		fprintf(stderr, "instruction_loops_ops_off: error %d\n", result);
		exit(1);
	}
}

static void edge_no_ops(void)
{
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = DEVMAP_MEMORY_DEVICE_HOST,
		.backing = DEVMAP_BACKING_RESERVED,
		.length = NR_PAGES * 4096,
	};
	devmap_pagemap *map = NULL;
	devmap_page *page;

	check(devmap_memremap_pages(&config, &map));
	/* Each page was used before, and every function is bound. */
	for (uint64_t i = 0; i < NR_PAGES; i++) {
		check(devmap_pagemap_get_pages(map, i, 1, &page));
		devmap_put_page(page);
	}
	loop_edges(map, NR_PAGES, EDGES);
	check(devmap_memunmap_pages(map, 0, NULL, NULL));
	check(devmap_pagemap_free(map));
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (strcmp(what, "list") == 0)
		printf("edge_no_ops loop_edges %llu\n", (unsigned long long)EDGES);
	else if (strcmp(what, "edge_no_ops") == 0)
		edge_no_ops();
	else
		fprintf(stderr, "usage: instruction_loops_ops_off list|edge_no_ops\n");
	return strcmp(what, "list") != 0 && strcmp(what, "edge_no_ops") != 0 ? 2 : 0;
}
