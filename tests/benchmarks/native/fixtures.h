/* SPDX-License-Identifier: MIT */
/*
 * What the benchmark programs set up and take down, in C for all of them. An error where none can be is printed and
 * ends the program: figures of something else than was asked for are worse than none.
 */
#ifndef DEVMAP_BENCHMARK_FIXTURES_H
#define DEVMAP_BENCHMARK_FIXTURES_H

#include <stdint.h>

#include <devmap/fs_dax.h>
#include <devmap/page.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CHECK(call) check_result((call), #call)

/* Ends the program unless @result is 0. */
void check_result(int result, const char *call);

/* Bytes of each page of the maps below. */
#define MAP_PAGE_SIZE UINT64_C(4096)

/* A driver that does nothing, page by page; and one that takes batches, too. */
extern const devmap_pagemap_ops driver_of_pages;
extern const devmap_pagemap_ops driver_of_batches;

/*
 * A map of @nr_pages pages of reserved memory: of the managed type DEVICE_PUBLIC with a driver, of HOST where @driver
 * is NULL.
 */
devmap_pagemap *map_create(uint64_t nr_pages, const devmap_pagemap_ops *driver, void *data);

/* Tears down a map that nobody uses, ends its claim, and frees it. */
void map_destroy(devmap_pagemap *map);

/* Takes each of the first @nr_pages pages once and puts it, so that none of them is new to the map afterwards. */
void map_touch(devmap_pagemap *map, uint64_t nr_pages);

#ifdef __cplusplus
}
#endif

#endif
