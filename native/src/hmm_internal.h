/* SPDX-License-Identifier: MIT */
/* What the sources of hmm.h and migrate.h share. */
#ifndef DEVMAP_SRC_HMM_INTERNAL_H
#define DEVMAP_SRC_HMM_INTERNAL_H

#include "internal.h"

#define MAX_FAULT_THREADS 16

struct devmap_hmm_device {
	_Atomic(uint32_t) refs;
	char name[DEVMAP_HMM_NAME_MAX + 1];
	void *data;
	/* A devmap_hmm_faults, and why it is not ALL. */
	int32_t faults;
	int32_t faults_error;

	/* Of the fault service (hmm_fault.c). */
	os_faults source;
	pthread_t threads[MAX_FAULT_THREADS];
	uint32_t nr_threads;
};

/* Starts and ends the fault service of a device. */
int device_start_faults(devmap_hmm_device *device, int32_t wanted, uint32_t nr_threads);
void device_stop_faults(devmap_hmm_device *device);

/* Whether this thread serves faults: it must not wait for anything that a thread in a fault could hold. */
extern _Thread_local bool serving_faults __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Pages of ranges that this thread has locked: it must not call what could wait for a thread in a fault. */
extern _Thread_local uint32_t nr_locked_pages __attribute__((tls_model("initial-exec"), visibility("hidden")));

struct devmap_hmm_devmem {
	/* As its map's driver sees it; what tells a page of device memory from any other is its map's page_free. */
	devmap_hmm_devmem_ops ops;
	devmap_hmm_device *device;
	void *data;
	devmap_pagemap *pgmap;
	/* Closed on removal; or NULL. */
	devmap_store *store;

	/*
	 * Guards the free pages, and the flags of all. Held while nothing else is waited for or called, and touching
	 * nothing but metadata: threads that serve faults take it.
	 */
	pthread_mutex_t lock;
	/* Pages that were never used begin here; those freed since are linked through devmap_page.reserved[0]. */
	uint64_t next_new;
	devmap_page *free_pages;
	/* Written under the lock. */
	_Atomic(uint64_t) nr_used;
};

/*
 * How many times a page of a range was sent to its device: what a fault asks for may be of before that.
 * devmap_page.reserved[1], under PAGE_LOCKED, is the page's latest time.
 */
extern _Atomic(uint64_t) nr_moves __attribute__((visibility("hidden")));

/* ---- ranges ----------------------------------------------------------------------------------------------------- */

/*
 * In devmap_page.flags of a range's page. All but ACCESSED change under LOCKED only; so does devmap_page.zone_device_data, the
 * device page that has the data or a copy of them.
 */
#define PAGE_LOCKED 4u
/* Resident: a hole has neither this nor a device page. */
#define PAGE_PRESENT 8u
/* Of a resident page: no device page has a copy. */
#define PAGE_DIRTY 16u
/* Used since the clock's hand came by. */
#define PAGE_ACCESSED 32u
/* The CPU touched it and the driver failed: there is something in the data's place. */
#define PAGE_POISONED 64u
/* Has a frame: resident, or on its way there. */
#define PAGE_FRAMED 128u

/* Pages that are moved together: at most. */
#define BATCH DEVMAP_HMM_COPY_BATCH

/*
 * Resident pages take a frame each, and the limit is how many there are. The frames are what the clock's hand goes over.
 */
struct frames {
	/* Guards all of it, and devmap_page.reserved[0] of pages that have a frame: which. */
	pthread_mutex_t lock;
	/* Indexes of pages; the first nr_used are in use. */
	uint64_t *entries;
	uint64_t hand;
	_Atomic(uint64_t) nr_used;
	_Atomic(uint64_t) limit;
	/* A resident page that the hand could not have although nobody uses it, as another thread is moving it: the last such. */
	_Atomic(devmap_page *) moving;
};

/* Memory that pages pass through on their way to a range, a batch each, so that a fault need not ask for any. */
struct staging {
	pthread_mutex_t lock;
	struct staging_buffer *free;
	uint32_t nr_free;
};

struct events {
	pthread_mutex_t lock;
	devmap_hmm_event *ring;
	uint32_t capacity;
	/* How many there were. */
	_Atomic(uint64_t) nr_put;
	uint64_t nr_taken;
};

enum range_counter {
	COUNT_faults_hole,
	COUNT_faults_device,
	COUNT_faults_write,
	COUNT_faults_served_already,
	COUNT_faults_failed,
	COUNT_to_device,
	COUNT_to_device_uncopied,
	COUNT_to_ram,
	COUNT_refused_in_use,
	COUNT_failed,
	COUNT_over_limit,
	/* These go up and down. */
	COUNT_copies,
	COUNT_on_device,
	NR_RANGE_COUNTERS,
};

struct devmap_hmm_range {
	devmap_pagemap *pgmap;
	devmap_hmm_device *device;
	devmap_hmm_devmem *devmem;
	char *address;
	uint64_t length;
	uint64_t page_size;
	uint32_t flags;
	int32_t on_error;
	int32_t (*failed)(devmap_hmm_range *range, uintptr_t address, int32_t error, void *data);
	void *data;
	/* The memory is the library's. */
	bool owns_memory;
	/* Faults are served, so that unleased threads may be at the memory while its pages move. */
	bool faults;
	/* Pages moved together: BATCH, or fewer large ones. */
	uint32_t batch;

	/* Guarded by ranges_lock: whether a fault finds the range; and faults in progress, of which a removal awaits the end. */
	bool serving;
	_Atomic(uint32_t) nr_faults;

	struct frames frames;
	struct staging staging;
	struct events events;
	_Atomic(uint64_t) counts[NR_RANGE_COUNTERS];
};

/* The same of all ranges that are or were, summed over the shards when read. */
struct range_shard {
	_Alignas(CACHE_LINE) _Atomic(uint64_t) counts[NR_RANGE_COUNTERS];
};

extern struct range_shard range_shards[NR_SHARDS] __attribute__((visibility("hidden")));

static inline void range_count(devmap_hmm_range *range, enum range_counter counter, uint64_t n)
{
	uint32_t shard = this_shard();

	atomic_fetch_add_explicit(&range->counts[counter], n, memory_order_relaxed);
	shard_add(&range_shards[shard].counts[counter], shard, n);
	if (counter == COUNT_on_device)
		atomic_fetch_add_explicit(&map_of(range->pgmap)->on_device, n, memory_order_release);
}

static inline char *range_memory(const devmap_hmm_range *range, const devmap_page *page)
{
	return range->address + map_index(map_of(range->pgmap), page) * range->page_size;
}

static inline devmap_page *device_page_of(const devmap_page *page)
{
	return (devmap_page *)(uintptr_t)page->zone_device_data;
}

static inline uint32_t page_flags(devmap_page *page)
{
	return atomic_load_explicit(&page->flags, memory_order_acquire);
}

/* ---- frames (hmm_frames.c) -------------------------------------------------------------------------------------- */

int frames_init(struct frames *frames, uint64_t nr_pages, uint64_t limit);
void frames_free(struct frames *frames, uint64_t nr_pages);
void frames_set_limit(struct frames *frames, uint64_t limit);

/* No page can go, but some are being moved by other threads: as an error of frame_take(). */
#define FRAMES_MOVING INT32_MIN

/*
 * Takes a frame for a locked page, migrating others away where the limit wants it: 0, -EBUSY, FRAMES_MOVING, or why others
 * could not. With @must it is taken beyond the limit rather than not at all.
 */
int frame_take(devmap_hmm_range *range, devmap_page *page, bool must);
void frame_give(devmap_hmm_range *range, devmap_page *page);

/* Waits, after FRAMES_MOVING, for a page that was being moved. The caller has no page locked. */
void frames_wait(devmap_hmm_range *range);

/* Migrates pages away until the limit is kept: 0, or why it can't be. The caller has no page locked. */
int frames_shrink(devmap_hmm_range *range);

/* ---- moving pages (hmm_migrate.c) ------------------------------------------------------------------------------- */

bool page_trylock(devmap_page *page);
void page_lock(devmap_page *page);
void page_unlock(devmap_page *page);

/* Moves locked pages, at most BATCH of them, and unlocks them. Results as devmap_hmm_migrate_to_device(). */
void pages_to_device(devmap_hmm_range *range, devmap_hmm_devmem *devmem, devmap_page **pages, uint32_t n,
		     int32_t *results);

/* Brings locked pages in that are on a device and have frames; they stay locked. @write: to be written to. */
void pages_to_ram(devmap_hmm_range *range, devmap_page **pages, uint32_t n, bool write, int32_t *results);

/* Makes a hole that is locked and has a frame a page of zeros. */
int page_fill_hole(devmap_hmm_range *range, devmap_page *page);

/* Makes a locked, resident page one that is written to without a fault: a kept copy goes. */
int page_make_dirty(devmap_hmm_range *range, devmap_page *page);

/*
 * So that the clock passes it by: for a page that is used again. One that has just come has the whole round before it, and
 * those that are used once are the first to go.
 */
static inline void page_set_accessed(devmap_page *page)
{
	if (!(atomic_load_explicit(&page->flags, memory_order_relaxed) & PAGE_ACCESSED))
		atomic_fetch_or_explicit(&page->flags, PAGE_ACCESSED, memory_order_relaxed);
}

/* ---- staging (hmm_range.c) -------------------------------------------------------------------------------------- */

/* Memory for a batch of pages, or NULL. */
void *staging_take(devmap_hmm_range *range);
void staging_give(devmap_hmm_range *range, void *memory);

/* ---- faults (hmm_fault.c) --------------------------------------------------------------------------------------- */

extern pthread_mutex_t ranges_lock __attribute__((visibility("hidden")));

/* ---- events (hmm_events.c) -------------------------------------------------------------------------------------- */

int events_init(struct events *events, uint32_t capacity);
void events_free(struct events *events);
/* @start: os_now() when it began, 0 where there are no events. */
void event_put(devmap_hmm_range *range, int32_t kind, devmap_page *first, uint64_t n, int32_t error, int64_t start,
	       uint32_t flags);
static inline int64_t event_start(const devmap_hmm_range *range)
{
	return range->events.capacity ? os_now() : 0;
}

#endif
