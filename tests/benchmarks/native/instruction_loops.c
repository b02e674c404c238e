/* SPDX-License-Identifier: MIT */
/*
 * Runs one loop, for counting its instructions:
 *
 *     instruction_loops list
 *     valgrind --tool=callgrind --toggle-collect=FUNCTION instruction_loops WHAT
 *
 * `list` prints each WHAT, its FUNCTION and how many operations that does. What is done once, as a first look-up of a
 * page, is done before and outside of that function, so that the counts of two loops can be compared exactly.
 */
#include <stdio.h>
#include <string.h>

#include <devmap/track.h>

#include "fixtures.h"
#include "loops.h"

#define NR_PAGES 8
#define PAIRS UINT64_C(1000000)
#define EDGES UINT64_C(100000)

typedef void pair_loop(devmap_page **pages, uint64_t nr_pages, uint64_t n);

static void run_ordinary(pair_loop *loop, bool gate)
{
	devmap_page *pages[NR_PAGES];

	for (int i = 0; i < NR_PAGES; i++) {
		CHECK(devmap_alloc_pages(0, &pages[i]));
		devmap_get_page(pages[i]);
	}
	if (gate)
		CHECK(devmap_pagemap_get_ops());
	loop(pages, NR_PAGES, PAIRS);
	if (gate)
		CHECK(devmap_pagemap_put_ops());
	for (int i = 0; i < NR_PAGES; i++)
		devmap_put_page_refs(pages[i], 2);
}

static void no_ops(void)
{
	run_ordinary(loop_pairs_ungated, false);
}

static void gate_off(void)
{
	run_ordinary(loop_pairs, false);
}

static void gate_on_ordinary(void)
{
	run_ordinary(loop_pairs, true);
}

static void bare_atomics(void)
{
	run_ordinary(loop_bare_atomics, false);
}

static void busy_managed(void)
{
	devmap_pagemap *map = map_create(NR_PAGES, &driver_of_pages, NULL);
	devmap_page *pages[NR_PAGES];

	for (uint64_t i = 0; i < NR_PAGES; i++)
		CHECK(devmap_pagemap_get_pages(map, i, 1, &pages[i]));
	loop_pairs(pages, NR_PAGES, PAIRS);
	for (int i = 0; i < NR_PAGES; i++)
		devmap_put_page(pages[i]);
	map_destroy(map);
}

static void edge_native_driver(void)
{
	devmap_pagemap *map = map_create(NR_PAGES, &driver_of_pages, NULL);

	map_touch(map, NR_PAGES);
	loop_edges(map, NR_PAGES, EDGES);
	map_destroy(map);
}

static void edge_fs_dax(void)
{
	devmap_pagemap *map = map_create(NR_PAGES, NULL, NULL);

	CHECK(devmap_fs_dax_claim(map, map, &driver_of_pages));
	map_touch(map, NR_PAGES);
	loop_edges(map, NR_PAGES, EDGES);
	map_destroy(map);
}

/* Pages that nobody hears of: the gate is read at the edge, and is off. instruction_loops_ops_off.c has the like of it. */
static void edge_gate_off(void)
{
	devmap_pagemap *map = map_create(NR_PAGES, NULL, NULL);

	map_touch(map, NR_PAGES);
	loop_edges(map, NR_PAGES, EDGES);
	map_destroy(map);
}

/* At a level of diagnostics; the others run at COUNTERS. */
static void at_level(int32_t level, void (*run)(void))
{
	CHECK(devmap_set_level(level));
	run();
	CHECK(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
}

static void pair_off(void)
{
	at_level(DEVMAP_LEVEL_OFF, busy_managed);
}

static void edge_off(void)
{
	at_level(DEVMAP_LEVEL_OFF, edge_native_driver);
}

static void edge_sampled(void)
{
	at_level(DEVMAP_LEVEL_SAMPLED, edge_native_driver);
}

static const struct {
	const char *what;
	const char *function;
	uint64_t operations;
	void (*run)(void);
} loops[] = {
	{"no_ops", "loop_pairs_ungated", PAIRS, no_ops},
	{"gate_off", "loop_pairs", PAIRS, gate_off},
	{"gate_on_ordinary", "loop_pairs", PAIRS, gate_on_ordinary},
	{"busy_managed", "loop_pairs", PAIRS, busy_managed},
	{"bare_atomics", "loop_bare_atomics", PAIRS, bare_atomics},
	{"edge_native_driver", "loop_edges", EDGES, edge_native_driver},
	{"edge_fs_dax", "loop_edges", EDGES, edge_fs_dax},
	{"edge_gate_off", "loop_edges", EDGES, edge_gate_off},
	{"pair_off", "loop_pairs", PAIRS, pair_off},
	{"edge_off", "loop_edges", EDGES, edge_off},
	{"edge_sampled", "loop_edges", EDGES, edge_sampled},
};

#define NR_LOOPS (sizeof(loops) / sizeof(loops[0]))

static int list(void)
{
	for (size_t i = 0; i < NR_LOOPS; i++)
		printf("%s %s %llu\n", loops[i].what, loops[i].function, (unsigned long long)loops[i].operations);
	return 0;
}

int main(int argc, char **argv)
{
	const char *what = argc == 2 ? argv[1] : "";

	if (strcmp(what, "list") == 0)
		return list();
	for (size_t i = 0; i < NR_LOOPS; i++) {
		if (strcmp(what, loops[i].what) == 0) {
			loops[i].run();
			return 0;
		}
	}
	fprintf(stderr, "usage: instruction_loops list|WHAT\n");
	return 2;
}
