/* SPDX-License-Identifier: MIT */
/**
 * @file diagnostics.h
 * What the library counts, and the faults it reports: broken contracts that no return value can carry.
 */
#ifndef DEVMAP_DIAGNOSTICS_H
#define DEVMAP_DIAGNOSTICS_H

#include <devmap/track.h>

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
	X(faults_overflow, "references taken beyond what a count can tell")                                       \
	X(faults_underflow, "references dropped that nobody held")                                                \
	X(faults_use_after_free, "references taken on a freed page")                                     \
	X(faults_activation, "idle pages taken by devmap_get_page() on a map that refused it")                    \
	X(faults_driver, "callbacks that failed, as a language layer reported them")                              \
	X(faults_slow_callback, "callbacks that took longer than the limit, of those that were timed")            \
	X(faults_blocked_teardown, "teardowns that ended busy with no page out, for a callback or a map reference")   \
	X(faults_use_after_dispose, "uses of a disposed owner, as a language layer reported them")                \
	X(leaks_lost, "owners of references that were lost, as a language layer reported them")                   \
	X(leaks_teardown, "teardowns that waited, and ended with pages in use")                                   \
	X(leaks_ops, "holds of the gate never given back, as a language layer reported them")                     \
	X(leaks_held, "references held for longer than the limit")                                                \
	X(references_untracked, "references that should have been tracked, but the table was full")               \
	X(saturations, "pages whose count is saturated, for one of the faults above: they are never idle again")

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
#define DEVMAP_STATS_VERSION 2

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

/** Kinds of fault: broken contracts, and from DEVMAP_FAULT_LEAK_LOST on, leaks. */
typedef enum devmap_fault_kind {
	/** More than 2^31 - 1 references: the page is saturated, and leaks. */
	DEVMAP_FAULT_OVERFLOW = 0,
	/** A reference dropped that nobody held: the page is saturated, and leaks. */
	DEVMAP_FAULT_UNDERFLOW = 1,
	/** A reference taken on an ordinary page after its last put, or on a page that no map handed out; it is saturated. */
	DEVMAP_FAULT_USE_AFTER_FREE = 2,
	/** devmap_get_page() on an idle page of a map that is being torn down, or whose layout is being broken. */
	DEVMAP_FAULT_ACTIVATION = 3,
	/** A driver's callback failed; reported by a language layer. */
	DEVMAP_FAULT_DRIVER = 4,
	/** A driver's callback took longer than devmap_set_callback_limit(); see there which are timed. */
	DEVMAP_FAULT_SLOW_CALLBACK = 5,
	/**
	 * A teardown that waited ended busy with no page out: a callback did not return, or a map reference is held. The page
	 * is the one whose callback runs, if the map can be claimed; else NULL.
	 */
	DEVMAP_FAULT_BLOCKED_TEARDOWN = 6,
	/** A disposed owner of references was used; reported by a language layer. */
	DEVMAP_FAULT_USE_AFTER_DISPOSE = 7,
	/** An owner of references was lost without giving them back; reported by a language layer. */
	DEVMAP_FAULT_LEAK_LOST = 8,
	/** A teardown that waited ended with pages in use. */
	DEVMAP_FAULT_LEAK_TEARDOWN = 9,
	/** A hold of the gate was never given back; reported by a language layer. */
	DEVMAP_FAULT_LEAK_OPS = 10,
	/** A reference was held for longer than the limit of devmap_report_held(). */
	DEVMAP_FAULT_LEAK_HELD = 11,
} devmap_fault_kind;

/** Number of kinds. */
#define DEVMAP_FAULT_KINDS 12

/** A fault, as the handler is given it; valid during the call. */
typedef struct devmap_fault {
	/** A devmap_fault_kind. */
	int32_t kind;
	/** The page's count when it was seen, as the kernel tells it. */
	int32_t count;
	/** The page, or NULL. */
	devmap_page *page;
	/**
	 * The page's map, or NULL for an ordinary page. Of SLOW_CALLBACK and LEAK_HELD, which are told without the page, only to be
	 * compared: it may be torn down by now.
	 */
	devmap_pagemap *pgmap;
	/** Index of the page in its map. */
	uint64_t index;
	/** What happened, in English, zero-terminated. */
	const char *message;
	/** Of SLOW_CALLBACK and LEAK_HELD: how long it took, in nanoseconds; else 0. */
	uint64_t duration_ns;
	/** Of LEAK_HELD: the reference's devmap_reference.id; else 0. */
	uint64_t reference;
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
 * Reports a fault that a language layer met: one of DRIVER, USE_AFTER_DISPOSE, LEAK_LOST and LEAK_OPS.
 * @param page    the page, which the caller keeps there during the call, or NULL.
 * @param message zero-terminated, read during the call; NULL for the kind's general one.
 * @return 0, or -EINVAL with nothing done for another kind.
 */
DEVMAP_API int devmap_report_fault(int32_t kind, devmap_page *page, const char *message);

/**
 * Makes faults of some kinds fatal: after the handler has heard of one, it is printed and the process ends by abort(3). No
 * kind is unless asked. Any thread.
 * @param kinds bits 1 << devmap_fault_kind; 0 for none.
 * @return 0, or -EINVAL with nothing done for a bit of no kind.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_set_fatal_faults(uint32_t kinds);

/** The limit of devmap_set_callback_limit() at the start: 100 ms, in nanoseconds. No source: a hundred disk accesses. */
#define DEVMAP_CALLBACK_LIMIT_NS 100000000

/**
 * Sets how long a driver's callback may take before it is reported as DEVMAP_FAULT_SLOW_CALLBACK, after it returned. At the
 * levels (track.h) COUNTERS and SAMPLED one callback in DEVMAP_TIMING_PERIOD is timed, on each thread; at FULL all are; at OFF
 * none. A batch is one callback. Any thread.
 * @param limit_ns nanoseconds; 0 for no limit.
 */
DEVMAP_API void devmap_set_callback_limit(uint64_t limit_ns);

/** Of how many callbacks on a thread one is timed, below DEVMAP_LEVEL_FULL. */
#define DEVMAP_TIMING_PERIOD 256

#ifdef __cplusplus
}
#endif

#endif
