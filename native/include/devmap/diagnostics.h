/* SPDX-License-Identifier: MIT */
/**
 * @file diagnostics.h
 * What the library counts, and the faults it reports: broken contracts that no return value can carry.
 */
#ifndef DEVMAP_DIAGNOSTICS_H
#define DEVMAP_DIAGNOSTICS_H

#include <devmap/page.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * The counters, each X(name, what it counts). All count from the start of the process and never go down.
 * New ones go to the end, with a new DEVMAP_STATS_VERSION.
 */
#define DEVMAP_STATS_COUNTERS(X)                                                                                  \
	X(activations, "device pages that went from idle to in use")                                              \
	X(idle_edges, "device pages that went from in use to idle")                                               \
	X(idle_edges_managed, "of these, those whose driver was called")                                          \
	X(idle_batches, "calls of a driver's pages_free")                                                         \
	X(refused_dying, "page references refused because the map is being torn down")                            \
	X(refused_marked, "page references refused because the layout is being broken")                           \
	X(teardown_timeouts, "teardowns that ended busy")                                                         \
	X(layout_break_timeouts, "layout breaks that ended in a timeout")                                         \
	X(layout_break_cancels, "layout breaks that were cancelled")                                              \
	X(faults_overflow, "counts that saturated")                                                               \
	X(faults_underflow, "references dropped that nobody held")                                                \
	X(faults_use_after_free, "references taken on a freed page")                                     \
	X(faults_activation, "idle pages taken by devmap_get_page() on a map that refused it")                    \
	X(faults_driver, "callbacks that failed, as a language layer reported them")

/** The gauges, each X(name, what it counts): total since the start, current, and the highest current. */
#define DEVMAP_STATS_GAUGES(X)                                                                                    \
	X(pagemaps, "pagemaps that are not torn down")                                                            \
	X(ordinary_pages, "compound or single ordinary pages that are not freed")                                 \
	X(claims, "maps claimed")                                                                                 \
	X(layout_breaks, "layout breaks in progress")                                                             \
	X(dax_files, "files mapped")

/** A gauge's three values. */
typedef struct devmap_stats_gauge {
	uint64_t total;
	uint64_t current;
	uint64_t peak;
} devmap_stats_gauge;

/** Version of devmap_stats. */
#define DEVMAP_STATS_VERSION 1

#define DEVMAP_STATS_DECLARE_COUNTER(name, text) uint64_t name;
#define DEVMAP_STATS_DECLARE_GAUGE(name, text) devmap_stats_gauge name;

/** One reading of every counter. */
typedef struct devmap_stats {
	/** DEVMAP_STATS_VERSION of the library that filled it. */
	uint32_t version;
	/** Bytes that were filled. */
	uint32_t size;
	/** Holders of the gate now. */
	int64_t gate_holders;
	DEVMAP_STATS_COUNTERS(DEVMAP_STATS_DECLARE_COUNTER)
	DEVMAP_STATS_GAUGES(DEVMAP_STATS_DECLARE_GAUGE)
} devmap_stats;

/**
 * Reads every counter. Each is exact once the threads that change it are quiet; while they run, the values are not of
 * one instant. Any thread.
 * @param stats filled with at most @p size bytes, so that an older caller gets the part it knows.
 * @param size  sizeof(devmap_stats) as the caller knows it.
 * @return 0, or -EINVAL for NULL or a size that does not hold the first two fields.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_stats_read(devmap_stats *stats, uint32_t size);

/** Kinds of fault. */
typedef enum devmap_fault_kind {
	/** More than 2^31 - 1 references: the page is saturated, and leaks. */
	DEVMAP_FAULT_OVERFLOW = 0,
	/** A reference dropped that nobody held: the page is saturated, and leaks. */
	DEVMAP_FAULT_UNDERFLOW = 1,
	/** A reference taken on an ordinary page after its last put, or on a page that no map handed out. */
	DEVMAP_FAULT_USE_AFTER_FREE = 2,
	/** devmap_get_page() on an idle page of a map that is being torn down, or whose layout is being broken. */
	DEVMAP_FAULT_ACTIVATION = 3,
	/** A driver's callback failed; reported by a language layer with devmap_report_driver_fault(). */
	DEVMAP_FAULT_DRIVER = 4,
} devmap_fault_kind;

/** Number of kinds. */
#define DEVMAP_FAULT_KINDS 5

/** A fault, as the handler is given it; valid during the call. */
typedef struct devmap_fault {
	/** A devmap_fault_kind. */
	int32_t kind;
	/** The page's count when it was seen, as the kernel tells it. */
	int32_t count;
	/** The page, or NULL. */
	devmap_page *page;
	/** The page's map, or NULL for an ordinary page. */
	devmap_pagemap *pgmap;
	/** Index of the page in its map. */
	uint64_t index;
	/** What happened, in English, zero-terminated. */
	const char *message;
} devmap_fault;

/**
 * Hears of faults, on the thread that met them, possibly inside a put. Must return and must not wait for pages. Not called
 * on threads that serve page faults (hmm.h), or have a page locked that these may wait for: those faults are counted, and
 * the first of each kind is printed.
 */
typedef void (*devmap_fault_handler)(const devmap_fault *fault, void *data);

/**
 * Sets who hears of faults; NULL for nobody. They are counted in any case, and the first of each kind is printed to
 * stderr when there is no handler. Any thread; the handler before may still be running on return.
 */
DEVMAP_API void devmap_set_fault_handler(devmap_fault_handler handler, void *data);

/**
 * Reports that a driver's callback for @p page failed, for language layers whose exceptions end there.
 * @param message zero-terminated, read during the call; NULL for a general one.
 */
DEVMAP_API void devmap_report_driver_fault(devmap_page *page, const char *message);

#ifdef __cplusplus
}
#endif

#endif
