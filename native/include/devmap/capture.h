/* SPDX-License-Identifier: MIT */
/**
 * @file capture.h
 * The state of the library at a moment: as structs, and as text.
 */
#ifndef DEVMAP_CAPTURE_H
#define DEVMAP_CAPTURE_H

#include <devmap/diagnostics.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Buckets of a devmap_histogram. */
#define DEVMAP_HISTOGRAM_BUCKETS 40

/** How long something took: bucket i counts what took less than 2^i ns and no less than half of that; the last, all above. */
typedef struct devmap_histogram {
	/** How many were timed: the sum of the buckets. */
	uint64_t count;
	/** Nanoseconds in all. */
	uint64_t sum_ns;
	/** The longest, in nanoseconds. */
	uint64_t max_ns;
	uint64_t buckets[DEVMAP_HISTOGRAM_BUCKETS];
} devmap_histogram;

/** A change of the gate. */
typedef struct devmap_gate_change {
	/** When, in nanoseconds of CLOCK_MONOTONIC. */
	uint64_t time_ns;
	/** Holders after it. */
	int32_t holders;
	/** The thread, as gettid(2) has it. */
	uint32_t thread;
} devmap_gate_change;

/** Changes of the gate that are kept, the latest ones. */
#define DEVMAP_GATE_HISTORY 64

/** What became of far memory's pages (migrate.h): of all ranges since the start, those that are gone too. */
typedef struct devmap_migration_totals {
	/** Pages whose data went to the device. */
	uint64_t to_device;
	/** Pages whose data came back. */
	uint64_t to_ram;
	/** Page faults served, of any kind. */
	uint64_t faults;
	/** Page faults that could not be served. */
	uint64_t faults_failed;
	/** Migrations that failed. */
	uint64_t failed;
	/** Pages whose data are on a device now. */
	uint64_t on_device;
	/** Pages of ranges that are in memory now. */
	uint64_t resident;
} devmap_migration_totals;

/** Version of devmap_snapshot and devmap_map_info. */
#define DEVMAP_SNAPSHOT_VERSION 1

/** The library at a moment. */
typedef struct devmap_snapshot {
	/** DEVMAP_SNAPSHOT_VERSION of the library that filled it. */
	uint32_t version;
	/** Bytes that were filled. */
	uint32_t size;
	/** When, in nanoseconds of CLOCK_MONOTONIC, and of CLOCK_REALTIME. */
	uint64_t time_ns;
	uint64_t realtime_ns;
	/** The process, as getpid(2) has it. */
	uint32_t pid;
	/** Its devmap_level. */
	int32_t level;
	/** Holders of the gate, and how many of these are users' (devmap_pagemap_get_ops()); the others are maps and claims. */
	int32_t gate_holders;
	int32_t gate_user_holders;
	/** Changes of the gate since the start; the last DEVMAP_GATE_HISTORY of them are in gate_history, oldest first. */
	uint64_t gate_changes;
	devmap_gate_change gate_history[DEVMAP_GATE_HISTORY];
	devmap_stats stats;
	/** Callbacks that were timed; see devmap_set_callback_limit(). */
	devmap_histogram callbacks;
	/** Waits of layout breaks that began after diagnostics were not OFF: how long they waited for pages. */
	devmap_histogram layout_breaks;
	devmap_migration_totals migration;
	/** References that are followed, and the stacks that were noted. */
	uint64_t references;
	uint64_t stacks;
	/** Maps that are not torn down. */
	uint64_t nr_maps;
} devmap_snapshot;

/** States of a map. */
typedef enum devmap_map_state {
	DEVMAP_MAP_LIVE = 0,
	/** Takes no new users. */
	DEVMAP_MAP_DYING = 1,
} devmap_map_state;

/** A map at a moment. */
typedef struct devmap_map_info {
	/** A number that no other map of the process has or had. */
	uint64_t id;
	/** The handle; only to be compared, as the map may be torn down by now. */
	devmap_pagemap *pgmap;
	/** The memory's first address and bytes. */
	uint64_t start;
	uint64_t length;
	uint64_t page_size;
	/**
	 * Pages, and of these the pages in use: activated, and their callback not returned. References of devmap_get_pagemap()
	 * count as pages here; never more than nr_pages.
	 */
	uint64_t nr_pages;
	uint64_t pages_in_use;
	/** Page faults and migrations, where the map is a range's; else 0. */
	uint64_t resident;
	uint64_t on_device;
	/** A devmap_memory_type, a devmap_map_state, and the map's own devmap_level. */
	int32_t type;
	int32_t state;
	int32_t level;
	/** Layout breaks in progress. */
	uint32_t layout_breaks;
	/** 1 where it is claimed (fs_dax.h), a file's (dax_file.h), a range's (migrate.h). */
	uint32_t claimed;
	uint32_t is_file;
	uint32_t is_range;
	/** Whether a driver is called for its idle pages: 1 or 0. */
	uint32_t has_driver;
} devmap_map_info;

/**
 * Takes a snapshot. Each map's numbers are of one moment of that map; counters are exact for threads that are quiet. Touches no
 * page: its time is a few hundred nanoseconds a map, however many pages are in use. Any thread; takes locks for moments only.
 * @param snapshot filled with at most @p size bytes, so that an older caller gets the part it knows.
 * @param size     sizeof(devmap_snapshot) as the caller knows it.
 * @param maps     receives the first @p capacity maps, in the order of their ids; NULL with a capacity of 0.
 * @return 0, or -EINVAL for NULL or a size that does not hold the first two fields.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_snapshot_read(devmap_snapshot *snapshot, uint32_t size, devmap_map_info *maps,
	uint64_t capacity);

/**
 * Counts the pages in use of @p map by cells of @p cell_pages pages: cell i is of the pages from first_page + i * cell_pages on.
 * Reads what was ever used of the metadata. Any thread; the map may be torn down meanwhile.
 * @param cells    receives the counts.
 * @param nr_cells how many; they may reach past the map's end, where they are 0.
 * @return 0; -EINVAL for NULL, no cells, or no pages a cell; -ERANGE for a first page outside the map; -ENODEV when the map
 *         is torn down, and -EBUSY while it is.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_pagemap_heat(devmap_pagemap *map, uint64_t first_page, uint64_t cell_pages,
	uint32_t *cells, uint64_t nr_cells);

/**
 * Writes the snapshot, its maps and the references that are followed to a file as text, for people. From any thread and any
 * signal handler, at any moment: it takes no lock, allocates nothing and calls only write(2), clock_gettime(2) and getpid(2).
 * What changes meanwhile may be told in part; a line may be missing, but none is made up of two.
 * @param fd an open file.
 * @return 0, or the negative errno of write(2).
 */
DEVMAP_API int devmap_dump(int fd);

#ifdef __cplusplus
}
#endif

#endif
