/* SPDX-License-Identifier: MIT */
/**
 * @file track.h
 * Who holds a page: references that are followed from the get to the put. After the kernel's ref_tracker, page_owner and
 * stack depot.
 *
 * Nothing of this is in the inlines of page.h. A page whose activation is followed has DEVMAP_REFCOUNT_TRACKED added to its
 * count, so that the one comparison which finds the idle page, the freed one and the wrapped count finds it too, and its
 * gets and puts take the long way; every other page costs what it costs without. Whether an activation is followed is asked
 * where a page is activated, which is out of line, behind a key of its own: `devmap_track_key`.
 *
 * Ordinary pages are not followed. A page that was in use when its level was raised is followed from its next activation.
 */
#ifndef DEVMAP_TRACK_H
#define DEVMAP_TRACK_H

#include <devmap/page.h>

#ifdef __cplusplus
extern "C" {
#endif

/** How much the library notes. Each level notes what those below it do. */
typedef enum devmap_level {
	/** Of a map: the process's level. */
	DEVMAP_LEVEL_INHERIT = -1,
	/** Only devmap_stats, of which an edge raises one counter by one instruction. */
	DEVMAP_LEVEL_OFF = 0,
	/** The default: times one callback in DEVMAP_TIMING_PERIOD. */
	DEVMAP_LEVEL_COUNTERS = 1,
	/** Follows the references of one activation in DEVMAP_SAMPLE_PERIOD, on each thread. */
	DEVMAP_LEVEL_SAMPLED = 2,
	/** Follows all references, and times all callbacks. */
	DEVMAP_LEVEL_FULL = 3,
} devmap_level;

/** Of how many activations on a thread one is followed at DEVMAP_LEVEL_SAMPLED. */
#define DEVMAP_SAMPLE_PERIOD 128

/** On while the process's level or that of any map is SAMPLED or FULL; only the library changes it. */
DEVMAP_API extern devmap_static_key devmap_track_key;

/**
 * Sets the process's level, which maps have that have none of their own. Timing follows the process's level only. Pages
 * that are followed stay so until they are idle. Any thread.
 * @param level OFF to FULL.
 * @return 0; with nothing changed -EINVAL for no level, -ENOMEM where the tables of a level that follows have no room.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_set_level(int32_t level);

/** @return the process's level. Any thread. */
DEVMAP_API int32_t devmap_get_level(void);

/**
 * Sets a map's own level. Any thread.
 * @param level INHERIT to FULL.
 * @return 0; with nothing changed -EINVAL for NULL or no level, -ENODEV when the map is torn down, -ENOMEM as
 *         devmap_set_level().
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_pagemap_set_level(devmap_pagemap *map, int32_t level);

/** @return the map's own level, or DEVMAP_LEVEL_INHERIT. Any thread. */
DEVMAP_API int32_t devmap_pagemap_get_level(devmap_pagemap *map);

/** What happened to a page, four bits each in its history. */
typedef enum devmap_page_event {
	DEVMAP_PAGE_EVENT_NONE = 0,
	/** From idle to in use. */
	DEVMAP_PAGE_EVENT_ACTIVATED = 1,
	/** Further references were taken. */
	DEVMAP_PAGE_EVENT_SHARED = 2,
	/** References were dropped, and not the last one. */
	DEVMAP_PAGE_EVENT_DROPPED = 3,
	/** The last one was dropped. */
	DEVMAP_PAGE_EVENT_IDLE = 4,
	/** The driver's callback returned. */
	DEVMAP_PAGE_EVENT_FREED = 5,
	/** A layout break began to cover the page (fs_dax.h). */
	DEVMAP_PAGE_EVENT_MARKED = 6,
	/** The layout break ended. */
	DEVMAP_PAGE_EVENT_UNMARKED = 7,
	/** Its data went to the device (migrate.h). */
	DEVMAP_PAGE_EVENT_MIGRATED_AWAY = 8,
	/** Its data came back. */
	DEVMAP_PAGE_EVENT_MIGRATED_BACK = 9,
	/** A language layer named the owner of a reference. */
	DEVMAP_PAGE_EVENT_OWNED = 10,
	/** A reference was refused. */
	DEVMAP_PAGE_EVENT_REFUSED = 11,
	/** The count was saturated. */
	DEVMAP_PAGE_EVENT_SATURATED = 12,
} devmap_page_event;

/** Events in a history. */
#define DEVMAP_PAGE_HISTORY 16

/** Bytes of a thread's name, its zero included, as the kernel's TASK_COMM_LEN. */
#define DEVMAP_THREAD_NAME 16

/** A reference that is followed. */
typedef struct devmap_reference {
	/** A number that no other reference has. */
	uint64_t id;
	/** The map. Only to be compared: it may be torn down by now. */
	devmap_pagemap *pgmap;
	/** Index of the page in it. */
	uint64_t index;
	/** What a language layer gave to devmap_own_references(), or 0. */
	uint64_t owner;
	/** When it was taken, in nanoseconds of CLOCK_MONOTONIC. */
	uint64_t taken_ns;
	/** The page's last DEVMAP_PAGE_HISTORY events, the latest in the lowest four bits. */
	uint64_t history;
	/** Of how many references this is the record: more than 1 where one call took them. */
	uint32_t nr_refs;
	/** The thread that took it, as gettid(2) has it. */
	uint32_t thread;
	/** Where it was taken, for devmap_stack_read(); 0 where that is not known. */
	uint32_t stack;
	/** 1 for the reference that activated the page, else 0. */
	uint32_t activated;
	/** That thread's name at about that time. */
	char thread_name[DEVMAP_THREAD_NAME];
} devmap_reference;

/**
 * Reads the references that are followed, of pages in [first_page, first_page + nr_pages) of @p map, or with NULL of every
 * page of every map. A moment's answer: references that come and go meanwhile may be there or not, and one that is being put
 * may still be. A put does not say which reference it ends: it is put down to the thread's own latest one, else to the page's
 * oldest, of those that have no owner. Any thread.
 * @param older_than_ns only references that are at least so old; 0 for all.
 * @param references receives the first @p capacity of them, in no order; NULL with a capacity of 0.
 * @param nr_found  receives how many there are.
 * @return 0, or -EINVAL for NULL.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_track_read(devmap_pagemap *map, uint64_t first_page, uint64_t nr_pages,
	uint64_t older_than_ns, devmap_reference *references, uint64_t capacity, uint64_t *nr_found);

/**
 * @return the last DEVMAP_PAGE_HISTORY devmap_page_event of a page, the latest in the lowest four bits; 0 for a page that was
 *         not followed since its map was created, or so long ago that its record serves another page.
 */
DEVMAP_API uint64_t devmap_page_history(devmap_pagemap *map, uint64_t index);

/**
 * Reports references that are held for longer than @p limit_ns and were not reported before as DEVMAP_FAULT_LEAK_HELD, each
 * once. Any thread; not from a callback.
 * @return how many were reported.
 */
DEVMAP_API uint64_t devmap_report_held(uint64_t limit_ns);

/**
 * For language layers: names the owner of the references that this thread took last on each of @p nr_pages adjacent pages,
 * which it still holds, and notes the calling stack anew. From here on only devmap_put_owned_pages() ends them. The caller
 * holds the pages. Pages that are not followed are passed over. Any thread; takes a lock.
 * @param owner not 0; of this owner only.
 * @return the stack's number, or 0 where none of the pages is followed.
 */
DEVMAP_API uint32_t devmap_own_references(devmap_page *page, uint64_t nr_pages, uint64_t owner);

/** devmap_put_pages() of references that devmap_own_references() gave an owner. */
DEVMAP_API void devmap_put_owned_pages(devmap_page *page, uint64_t nr_pages, uint64_t owner);

/** The most frames of a stack. */
#define DEVMAP_STACK_FRAMES 32

/**
 * Reads a stack that the library noted. Stacks are kept until the process ends, the same one once. At SAMPLED they follow
 * frame pointers, and so end where code was compiled without, and are not noted on a stack that is not the thread's own; at
 * FULL the unwinder, which ends where code came from no file, as a runtime's. Any thread; also from a signal handler.
 * @param frames receives up to @p capacity return addresses, innermost first.
 * @return the number of frames, or 0 for a number that names no stack.
 */
DEVMAP_API uint32_t devmap_stack_read(uint32_t stack, const void **frames, uint32_t capacity);

/**
 * Names a code address, as "file(function+0x12)" where its file says so. Any thread; takes the loader's locks.
 * @param text receives the name, zero-terminated, cut to @p size bytes.
 * @return the bytes of the whole name without its zero, as snprintf(3); -EINVAL for NULL or a size of 0.
 */
DEVMAP_API int devmap_symbolize(const void *address, char *text, uint32_t size);

#ifdef __cplusplus
}
#endif

#endif
