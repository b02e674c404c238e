/* SPDX-License-Identifier: MIT */
/* What the library's sources share. */
#ifndef DEVMAP_SRC_INTERNAL_H
#define DEVMAP_SRC_INTERNAL_H

#include <devmap/devmap.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "os.h"

#define CACHE_LINE 64

/* Logarithms to base 2 of the page sizes. */
#define PAGE_SHIFT_MIN 12
#define PAGE_SHIFT_MAX 30

/* Pages one bit of a map's touched bitmap stands for: those of one 4 KiB page of metadata. */
#define TOUCHED_SHIFT 6

/* The count of a saturated page: as far from idle as from the wrap, so that puts and gets on their way miss both. */
#define REFCOUNT_SATURATED (INT32_MIN / 2)

/* The count of a frozen page of a range (hmm_migrate.c), the kernel's 0: nobody can take it. */
#define REFCOUNT_FROZEN (-1)

/* ---- shards (shard.c) ------------------------------------------------------------------------------------------- */

/*
 * Counters that every thread raises are split by thread into shards, so that cores don't meet. An owned shard
 * has one thread at a time that writes to it, which therefore needs no locked instruction: shards of a map and of the
 * counters together are what a per-CPU reference count is in the kernel (percpu_ref).
 *
 * Raising a counter and then looking at something (a state, a driver, whether anybody waits), against another thread that
 * writes that and then reads the counters, needs a full barrier between the two on both sides. The threads that count do
 * so millions of times for once that somebody tears down, releases or waits. So theirs is fence_light(), which only keeps
 * the compiler from reordering, and the other side's is fence_heavy(), which makes every running thread of the process
 * execute a full barrier (membarrier(2)); what was raised before that is visible after it, and what is looked at after
 * it finds what was written before it. P1202R5 (asymmetric fences) has the proof. Where the system has no membarrier,
 * no shard is owned, the common ones are raised by a read-modify-write that is the barrier, and the heavy fence is an
 * ordinary one.
 */
#if defined(__has_feature)
#define DEVMAP_HAS_THREAD_SANITIZER __has_feature(thread_sanitizer)
#else
#define DEVMAP_HAS_THREAD_SANITIZER 0
#endif

#define NR_OWNED_SHARDS 32
#define NR_COMMON_SHARDS 16
#define NR_SHARDS (NR_OWNED_SHARDS + NR_COMMON_SHARDS)

extern _Thread_local uint32_t this_shard_plus_one __attribute__((tls_model("initial-exec"), visibility("hidden")));
uint32_t this_shard_slow(void);

/* This thread's shard, below NR_SHARDS. The same from call to call, but for a thread that ends. */
static inline uint32_t this_shard(void)
{
	return devmap_likely(this_shard_plus_one != 0) ? this_shard_plus_one - 1 : this_shard_slow();
}

/*
 * Adds to a counter that only this thread writes. Release: whoever reads it sees what came before. On x86-64 one
 * instruction, as the kernel's this_cpu_add().
 */
static inline void owned_add(_Atomic(uint64_t) *counter, uint64_t n)
{
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__) && !DEVMAP_HAS_THREAD_SANITIZER
	__asm__ volatile("addq %1, %0" : "+m"(*(uint64_t *)counter) : "er"(n) : "memory", "cc");
#else
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n, memory_order_release);
#endif
}

/* Adds to a counter of this thread's shard. */
static inline void shard_add(_Atomic(uint64_t) *counter, uint32_t shard, uint64_t n)
{
	if (devmap_likely(shard < NR_OWNED_SHARDS))
		owned_add(counter, n);
	else
		atomic_fetch_add(counter, n);
}

static inline void fence_light(void)
{
	atomic_signal_fence(memory_order_seq_cst);
}

/* Whether any shard may be owned. */
extern bool shards_are_owned __attribute__((visibility("hidden")));

static inline void fence_heavy(void)
{
	atomic_thread_fence(memory_order_seq_cst);
	if (shards_are_owned)
		os_membarrier();
}

/* ---- waiting (wait.c) ------------------------------------------------------------------------------------------- */

/*
 * Waits until done(context) holds, which some other thread makes true and then tells by wake_waiters(key): 0,
 * -ETIMEDOUT, or -ECANCELED. @key is an address that is only compared. Before anything hangs on what @done says, the
 * caller has put a fence_heavy() between what it wrote and this call, if the two are to be ordered.
 */
int wait_until(const void *key, bool (*done)(void *context), void *context, int64_t timeout_ns,
	       const devmap_cancel *cancel);

struct wait_queue {
	_Alignas(CACHE_LINE) _Atomic(uint32_t) waiters;
	_Atomic(uint32_t) sequence;
};

/* As a power of two. */
#define NR_WAIT_QUEUES_SHIFT 6

extern struct wait_queue wait_queues[1 << NR_WAIT_QUEUES_SHIFT] __attribute__((visibility("hidden")));

static inline struct wait_queue *wait_queue_of(const void *key)
{
	/* Fibonacci hashing: the top bits of the product mix all bits of the address. */
	return &wait_queues[((uintptr_t)key * UINT64_C(0x9E3779B97F4A7C15)) >> (64 - NR_WAIT_QUEUES_SHIFT)];
}

void wait_queue_wake(struct wait_queue *queue);

/*
 * After the change that a waiter waits for: whether there may be one to wake. Touches nothing of @key, which may be gone:
 * after the change that lets a waiter go on, the memory may be.
 */
static inline bool has_waiters(const void *key)
{
	fence_light();
	return devmap_unlikely(atomic_load(&wait_queue_of(key)->waiters) != 0);
}

static inline void wake_waiters(const void *key)
{
	if (has_waiters(key))
		wait_queue_wake(wait_queue_of(key));
}

/* ---- counters (stats.c) ----------------------------------------------------------------------------------------- */

#define STAT_NAME(name, text) STAT_##name,
enum stat_counter { DEVMAP_STATS_COUNTERS(STAT_NAME) NR_STAT_COUNTERS };
#undef STAT_NAME
#define STAT_NAME(name, text) STAT_GAUGE_##name,
enum stat_gauge { DEVMAP_STATS_GAUGES(STAT_NAME) NR_STAT_GAUGES };
#undef STAT_NAME

/* Counters are summed over the shards when read. */
struct stat_shard {
	_Alignas(CACHE_LINE) _Atomic(uint64_t) counters[NR_STAT_COUNTERS];
};

/* STAT_idle_edges has those without a callback only, so that an edge raises one counter. */
extern struct stat_shard stat_shards[NR_SHARDS] __attribute__((visibility("hidden")));

/* @shard: this_shard(). */
static inline void stat_add_in(uint32_t shard, enum stat_counter counter, uint64_t n)
{
	shard_add(&stat_shards[shard].counters[counter], shard, n);
}

static inline void stat_add(enum stat_counter counter, uint64_t n)
{
	stat_add_in(this_shard(), counter, n);
}

void stat_gauge_raise(enum stat_gauge gauge);
void stat_gauge_lower(enum stat_gauge gauge);

/* ---- the gate (gate.c) ------------------------------------------------------------------------------------------ */

/* Holds of the library's own, which no unbalanced devmap_pagemap_put_ops() can end. */
int gate_hold(void);
void gate_end_hold(void);

/* ---- faults (fault.c) ------------------------------------------------------------------------------------------- */

/* @count as the kernel tells it. */
void fault_report(devmap_fault_kind kind, devmap_page *page, int32_t count, const char *message);

/* ---- pagemaps (pagemap.c) --------------------------------------------------------------------------------------- */

enum map_state {
	/* The handle is not in use. */
	MAP_FREE = 0,
	/* Torn down; the handle answers late callers. */
	MAP_DEAD,
	MAP_LIVE,
	/* Takes no new users: being torn down, or after a teardown that ended early. */
	MAP_DYING,
};

enum map_claim {
	CLAIM_NONE = 0,
	CLAIM_HELD,
	CLAIM_RELEASING,
};

/* What a driver gave, published as one pointer, so that nobody sees a callback without its data. */
struct driver {
	devmap_pagemap_ops ops;
	void *data;
};

/* The file under a map. */
struct map_file {
	/* OS_NO_FILE: there is none. */
	int file;
	/* Whether its lock must be exclusive. */
	bool exclusive;
	/* Bytes in the file as its owner knows it; read anew when the lock is taken. */
	_Atomic(uint64_t) *length;
	uint64_t capacity;
};

struct map_shard {
	/* References on the map, taken and given back, in whatever shards; see map_enter(). They only rise. */
	_Alignas(4 * sizeof(uint64_t)) _Atomic(uint64_t) taken;
	_Atomic(uint64_t) given;
	/* Callbacks under a claim, begun and returned: their difference is 0 or more in each shard. */
	_Atomic(uint64_t) callbacks_begun;
	_Atomic(uint64_t) callbacks_returned;
};

/*
 * A pagemap as the library has it. The memory is type-stable: a freed one is used for another map, but never returned,
 * so that a look-up that lost a race still raises real counters (see map_enter()).
 *
 * Maps come from chunks. In a chunk, first all maps, then for each shard the counters of all maps, so that a thread that
 * works on many maps works on counters side by side, which are its own: as the kernel lays out what is per CPU.
 */
struct map {
	/* What a look-up reads: one cache line. */
	_Alignas(CACHE_LINE) devmap_pagemap public;
	_Atomic(uint32_t) state;
	/* Layout breaks in progress. Takers look at the list only while there are any. */
	_Atomic(uint32_t) nr_breaks;
	uint64_t length;
	/* Those of shard 0; map_shard() has the others. */
	struct map_shard *shards;

	_Atomic(const struct driver *) driver;
	_Atomic(uint64_t) *touched;
	/* Created as HOST, and no range's: may be claimed, so its pages keep `busy`. */
	bool claimable;

	int backing;
	devmap_altmap *altmap;
	uint64_t altmap_units;
	void *metadata;
	uint64_t metadata_length;
	struct map_file file;
	/* The range whose memory it is, from its creation until the handle is given back. */
	_Atomic(devmap_hmm_range *) range;

	/* Guards what follows. Never held while waiting or calling a driver. */
	pthread_mutex_t lock;
	bool tearing_down;
	/* An enum map_claim; changed under the lock. */
	_Atomic(uint32_t) claim;
	/* Claims so far; numbers the one that is held. */
	_Atomic(uint32_t) nr_claims;
	const void *owner;
	/* Changes of the file under way, which need the claim. */
	uint32_t nr_changes;
	/* References on the map were put that nobody held, and that was reported. */
	bool underflown;
	struct driver driver_storage;
	devmap_layout_break *breaks;

	struct map *next_free;
};

/* Maps of one chunk. */
#define CHUNK_MAPS 4096

static inline struct map_shard *map_shard(const struct map *map, uint32_t shard)
{
	return &map->shards[(size_t)shard * CHUNK_MAPS];
}

static inline struct map *map_of(devmap_pagemap *pgmap)
{
	return (struct map *)pgmap;
}

/* Gives @n references back: whether there may be somebody to wake. The last touch: the map may be gone on return. */
static inline bool map_exit_quietly(struct map *map, uint32_t shard, uint64_t n)
{
	shard_add(&map_shard(map, shard)->given, shard, n);
	return has_waiters(map);
}

static inline void map_exit(struct map *map, uint32_t shard, uint64_t n)
{
	if (map_exit_quietly(map, shard, n))
		wake_waiters(map);
}

/*
 * Takes @n references on the map, counted in @shard: 0, or -ENODEV when it takes no new ones.
 *
 * Raise, then look: `taken` is raised first and the state read after it, with a light fence between, while a teardown
 * writes the state first and reads the counters after it, with a heavy one between. So either this look sees the mark and
 * gives back, or the teardown sees the raise.
 *
 * The teardown reads what was given back first, in all shards, and what was taken after that. Between the two, no less
 * had been given than it read, and no more taken: the difference is at least what was out at that moment. So zero says
 * that nothing was out, and nothing comes out again, as new references are refused and the others are made from one that
 * is held.
 */
static inline int map_enter(struct map *map, uint32_t shard, uint64_t n)
{
	/* A first look, so that those who try in vain do not keep a teardown from seeing the counters at rest. */
	if (devmap_unlikely(atomic_load_explicit(&map->state, memory_order_relaxed) != MAP_LIVE))
		return -ENODEV;
	shard_add(&map_shard(map, shard)->taken, shard, n);
	fence_light();
	if (devmap_likely(atomic_load(&map->state) == MAP_LIVE))
		return 0;
	map_exit(map, shard, n);
	return -ENODEV;
}

/* Takes another reference for somebody who holds one: whatever the map's state. */
static inline void map_enter_held(struct map *map, uint32_t shard)
{
	shard_add(&map_shard(map, shard)->taken, shard, 1);
}

/* What a map is made for, if not for itself. */
struct map_purpose {
	struct map_file file;
	devmap_hmm_range *range;
};

/* Creates a map for something; as devmap_memremap_pages() else. */
int map_create(const devmap_pagemap_config *config, const struct map_purpose *purpose, devmap_pagemap **pgmap);

/*
 * The two halves of devmap_memunmap_pages(), between which nobody uses the map or can begin to, and its pages' metadata are
 * still there: after the first returned 0 comes the second, or map_unmap_abandon(), which leaves the map dying.
 */
int map_unmap_begin(struct map *map, int64_t timeout_ns, const devmap_cancel *cancel, devmap_busy_report *busy);
void map_unmap_finish(struct map *map);
void map_unmap_abandon(struct map *map);

/* devmap_pagemap_free() for any map, a file's too. */
int map_free(struct map *map);

/* Whether a driver's callback of this map runs on this thread. */
bool map_in_callback(const struct map *map);

/* Notes the first use of page @index. */
void map_touch(struct map *map, devmap_page *page, uint64_t index);

/* Page @index of a live map, with its pgmap filled in. */
static inline devmap_page *map_page(struct map *map, uint64_t index)
{
	devmap_page *page = &map->public.pages[index];

	if (devmap_unlikely(!atomic_load_explicit(&page->pgmap, memory_order_acquire)))
		map_touch(map, page, index);
	return page;
}

/* The first page in [first, end) whose metadata may have been used, or @end: skips what was never touched. */
uint64_t map_next_touched(struct map *map, uint64_t first, uint64_t end);

/* The first page in use in [first, end), or @end. */
uint64_t map_next_busy(struct map *map, uint64_t first, uint64_t end);

static inline uint64_t map_index(const struct map *map, const devmap_page *page)
{
	return (uint64_t)(page - map->public.pages);
}

static inline bool map_is_dead(struct map *map)
{
	return atomic_load(&map->state) <= MAP_DEAD;
}

/* Whether [first, first + n) lies among the map's pages. */
static inline bool map_contains(const struct map *map, uint64_t first, uint64_t n)
{
	return first >= map->public.first_page && first <= map->public.nr_pages && n <= map->public.nr_pages - first;
}

/* ---- pages (page.c) --------------------------------------------------------------------------------------------- */

/* In devmap_page.flags: a page of ordinary.c. What has neither this nor a pgmap is no page to take. */
#define PAGE_ORDINARY 2u
/* Of a page of hmm_devmem.c: it was allocated, and its driver was not told of its end. */
#define PAGE_DEVICE_ALLOCATED 4u
/* Free, but on no list: somebody held it when it was its turn. */
#define PAGE_DEVICE_PASSED_OVER 8u

static inline bool page_is_ordinary(devmap_page *page)
{
	return atomic_load_explicit(&page->flags, memory_order_relaxed) & PAGE_ORDINARY;
}

/*
 * Takes an idle page of a range away from everybody: false when it is in use. Only compare-and-swap takes pages of a map
 * that cannot be claimed, so none finds a frozen count raised for a moment. Acquire: what was done to the page under its
 * references, the last of which a drop released, is visible.
 */
static inline bool page_freeze(devmap_page *page)
{
	int32_t idle = 0;

	return atomic_compare_exchange_strong_explicit(&page->refcount, &idle, REFCOUNT_FROZEN, memory_order_acquire,
						       memory_order_relaxed);
}

/* Release: who takes the page next sees what was done to it meanwhile. A page saturated by mistake stays so. */
static inline void page_unfreeze(devmap_page *page)
{
	int32_t frozen = REFCOUNT_FROZEN;

	atomic_compare_exchange_strong_explicit(&page->refcount, &frozen, 0, memory_order_release, memory_order_relaxed);
}

/* Frees an ordinary page (ordinary.c). */
void ordinary_free(devmap_page *page);

/* ---- address look-up (lookup.c) --------------------------------------------------------------------------------- */

/*
 * Enters [start, start + length), in units of 4 KiB: -EEXIST where it meets another map's range, -EINVAL where no process
 * has the addresses, -ENOMEM.
 */
int lookup_insert(struct map *map, uintptr_t start, uint64_t length);
void lookup_remove(struct map *map);

/* The map that covers @address, or NULL; it may be dead by now, or another's. */
struct map *lookup_find(uintptr_t address);

/* ---- claims (fs_dax.c) ------------------------------------------------------------------------------------------ */

/* Whether a layout break covers the page. */
bool layout_is_broken(struct map *map, uint64_t index);

/* Ends the claim of a map that no page, callback or break uses; the lock is held. */
void claim_end_locked(struct map *map);

#endif
