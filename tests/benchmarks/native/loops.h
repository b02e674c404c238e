/* SPDX-License-Identifier: MIT */
/*
 * The loops that are measured: what C compiles from the header's inlines. They are a library of their own, so that native
 * benchmarks, instruction counts and the managed benchmarks (in one process with what C# does) all run the same code.
 *
 * @pages: @nr_pages pages, a power of two, used in turn, so that no page is a constant. @n: how many operations.
 */
#ifndef DEVMAP_BENCHMARK_LOOPS_H
#define DEVMAP_BENCHMARK_LOOPS_H

#include <stdint.h>

#include <devmap/page.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Nothing, for measuring a call. Not inlined. */
DEVMAP_API void loop_nothing(devmap_page *page);

/* Calls @callee(@page) @n times: a native caller of a callback. */
DEVMAP_API void loop_calls(void (*callee)(devmap_page *page), devmap_page *page, uint64_t n);

/* get and put of pages that are held, compiled with every option on. */
DEVMAP_API void loop_pairs(devmap_page **pages, uint64_t nr_pages, uint64_t n);

/* The same, in the patch's shape of the put: gate, zone, type, and only then the drop. */
DEVMAP_API void loop_pairs_gate_first(devmap_page **pages, uint64_t nr_pages, uint64_t n);

/* The same as loop_pairs(), compiled without DEVMAP_CONFIG_DEV_PAGEMAP_OPS: no gate exists. */
DEVMAP_API void loop_pairs_ungated(devmap_page **pages, uint64_t nr_pages, uint64_t n);

/* The two atomics of a pair and nothing else. */
DEVMAP_API void loop_bare_atomics(devmap_page **pages, uint64_t nr_pages, uint64_t n);

/* Acquire a page through its map and drop it, so that it becomes idle: pages 0 to @nr_pages - 1 in turn. */
DEVMAP_API void loop_edges(devmap_pagemap *map, uint64_t nr_pages, uint64_t n);

/* The same, @batch pages from page 0 at a time: @n times. */
DEVMAP_API void loop_batch_edges(devmap_pagemap *map, uint64_t batch, uint64_t n);

/* A driver's callbacks alone: for each of the pages, @n times round, or all of them in one call, @n times. */
DEVMAP_API void loop_callbacks(void (*page_free)(devmap_page *page, void *data), void *data, devmap_page **pages,
	uint64_t nr_pages, uint64_t n);
DEVMAP_API void loop_batch_callbacks(void (*pages_free)(devmap_page *const *pages, uint32_t nr_pages, void *data), void *data,
	devmap_page **pages, uint64_t nr_pages, uint64_t n);

#ifdef __cplusplus
}
#endif

#endif
