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

/* ---- what takes how long (timing.c) ----------------------------------------------------------------------------- */

enum timed {
	TIMED_CALLBACKS,
	TIMED_LAYOUT_BREAKS,
	NR_TIMED,
};

/* Which callbacks are timed: those whose number on their shard has none of these bits. All of them are for none. */
extern _Atomic(uint64_t) timing_mask __attribute__((visibility("hidden")));

/* Follows the process's level. */
void timing_set_level(int32_t level);

static inline bool timing_is_on(void)
{
	return atomic_load_explicit(&timing_mask, memory_order_relaxed) != UINT64_MAX;
}

/*
 * Whether the callback that @counter counted last, and which raised it before this call, is to be timed. A number is never
 * 0 here, so that at OFF none is.
 */
static inline bool timing_is_due(const _Atomic(uint64_t) *counter)
{
	return !(atomic_load_explicit(counter, memory_order_relaxed) &
		 atomic_load_explicit(&timing_mask, memory_order_relaxed));
}

/* @shard: this_shard(). */
void timing_add(enum timed what, uint32_t shard, uint64_t duration_ns);
/* Takes no lock; also from a signal handler. */
void timing_read(enum timed what, devmap_histogram *histogram);

/* Notes a callback that took from @started_ns until now: how long, where that is beyond the limit, else 0. */
uint64_t timing_end_callback(uint32_t shard, uint64_t started_ns);

/* ---- stacks (stack.c) ------------------------------------------------------------------------------------------- */

/* Sets the depot up; 0 or -ENOMEM. Again it does nothing. */
int stack_init(void);

/*
 * The number of the calling stack, whose innermost frame has its frame pointer at @frame (__builtin_frame_address(0)): the
 * same one for the same stack; 0 where it can't be noted. @unwind: by the unwinder, where the thread may wait.
 */
uint32_t stack_note(const void *frame, bool unwind);

/* How many there are. Signal-safe. */
uint64_t stack_count(void);

/* In a child of fork(2). */
void stack_after_fork(void);

/* ---- tracked references (track.c) ------------------------------------------------------------------------------- */

struct map;

extern _Atomic(int32_t) process_level __attribute__((visibility("hidden")));

/* Counts this thread's activations at SAMPLED; from anywhere, so that threads that live briefly are sampled too. */
extern _Thread_local uint32_t nr_turns __attribute__((tls_model("initial-exec"), visibility("hidden")));
void track_thread_begin(void);

/* Whether a count is that of a tracked page; its users are then @refcount - DEVMAP_REFCOUNT_TRACKED, less than 0 for a fault. */
static inline bool is_tracked(int32_t refcount)
{
	return (uint32_t)refcount - (uint32_t)DEVMAP_REFCOUNT_TRACKED + (UINT32_C(1) << 27) < UINT32_C(1) << 28;
}

/* With more it is tracked no more. From there to T + 2^27 is room for those who are on their way. */
#define TRACKED_USERS_MAX (1 << 26)

/* A record that is kept for a reference before it is taken, so that one that is to be followed has room. */
struct track_ticket {
	uint32_t record;
};

/* A record for an activation that is followed: false, where there is no room for one, and it is not. */
bool track_reserve(struct track_ticket *ticket);
void track_unreserve(struct track_ticket *ticket);

/*
 * Notes that the calling thread has taken references on a tracked page, which it holds; @frame as stack_note(), @ticket or
 * NULL.
 */
void track_get(struct map *map, devmap_page *page, uint32_t nr_refs, bool activated, const void *frame,
	       struct track_ticket *ticket);

/* Notes that references were dropped, the last ones or not. Touches nothing of the page, which may be gone. */
void track_put(devmap_page *page, uint32_t nr_refs, bool last, uint64_t owner);

/* Adds to the history of a page that has a record, and at FULL of any. The page is there. */
void track_event(struct map *map, devmap_page *page, devmap_page_event event);
/* The same of all pages of a range that have records. */
void track_range_event(struct map *map, uint64_t first_page, uint64_t nr_pages, devmap_page_event event);

/* Forgets a page's references, and all of a map's pages, which nobody holds any more. */
void track_forget_page(devmap_page *page);
void track_forget_map(struct map *map);
/* A map whose number is gone has no level of its own, and is given none. */
void track_forget_level(struct map *map);

/* Reads the next reference after number @from, the first one after 0: its number, or 0. Signal-safe: takes no lock. */
uint32_t track_next(uint32_t from, devmap_reference *reference);
/* How many are followed. Signal-safe. */
uint64_t track_references(void);

/* In a child of fork(2), whose other threads may have held locks and are gone. */
void track_after_fork(void);

static inline bool track_enabled(void)
{
	return devmap_unlikely(devmap_static_branch_unlikely(&devmap_track_key));
}

/* ---- the gate (gate.c) ------------------------------------------------------------------------------------------ */

/* Holds of the library's own, which no unbalanced devmap_pagemap_put_ops() can end. */
int gate_hold(void);
void gate_end_hold(void);

/* In a child of fork(2), whose other threads may have held its lock and are gone. */
void gate_after_fork(void);
void fault_after_fork(void);

/* Fills in what the snapshot has of the gate: of one moment. */
void gate_capture(devmap_snapshot *snapshot);
/* The same without a lock, from a signal handler too: the numbers may be of moments, and entries that change be left out. */
void gate_peek(devmap_snapshot *snapshot);

/* ---- faults (fault.c) ------------------------------------------------------------------------------------------- */

/* Counts and tells. Looks at neither page nor map, which may be gone where the fault's kind allows it. No lock is held. */
void fault_tell(const devmap_fault *fault);

/* @count as the kernel tells it. */
void fault_report(devmap_fault_kind kind, devmap_page *page, int32_t count, const char *message);
/* DEVMAP_FAULT_LEAK_HELD. */
void fault_report_held(const devmap_reference *reference, uint64_t duration_ns);

/* A callback of a page that may be gone, as may the map. */
void fault_report_slow_callback(devmap_pagemap *pgmap, uint64_t index, uint64_t duration_ns);

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
	/* Its own devmap_level; changed under level_lock (track.c), which also guards the hold of the key that it has. */
	_Atomic(int32_t) level;
	/* Whether any of its pages was ever tracked. */
	_Atomic(bool) tracked;
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

	/*
	 * What is told of a map without its lock; see map_info_peek(). Of these the first never is another map's, and 0 while
	 * there is no map, or one that is being built; `start` to `is_file` say again what does not change while it is not.
	 */
	_Atomic(uint64_t) id;
	_Atomic(uint64_t) start;
	_Atomic(uint64_t) bytes;
	_Atomic(uint64_t) page_size;
	_Atomic(uint64_t) first_page;
	_Atomic(uint64_t) nr_pages;
	_Atomic(uint32_t) is_file;
	/* Whether the driver that is there, if one is, has a callback. */
	_Atomic(uint32_t) has_driver;
	/* Of a range's map, and kept here as the range's own memory goes: frames in use, and pages whose data a device has. */
	_Atomic(uint64_t) resident;
	_Atomic(uint64_t) on_device;
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

/*
 * Goes over the memory of all maps, live or not, in no order; zero-fill it to begin. Maps that come meanwhile may be missed.
 * Takes no lock; also from a signal handler.
 */
struct map_walk {
	struct chunk *chunk;
	uint32_t next;
	bool begun;
};

struct map *map_walk_next(struct map_walk *walk);

/*
 * References that are out, or a few more, for people: exact when the threads are quiet. Besides pages in use they are layout
 * breaks in progress, what devmap_get_pagemap() gave out, and those that try in vain.
 */
uint64_t map_refs_estimate(struct map *map);

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

/* The level that holds for the map. */
static inline int32_t level_of(const struct map *map)
{
	int32_t level = atomic_load_explicit(&map->level, memory_order_relaxed);

	return level == DEVMAP_LEVEL_INHERIT ? atomic_load_explicit(&process_level, memory_order_relaxed) : level;
}

/* Whether the next activation on this thread is to be followed; the second one says so and goes on to the next. */
static inline bool track_is_due(const struct map *map)
{
	int32_t level = level_of(map);

	return level == DEVMAP_LEVEL_FULL || (level == DEVMAP_LEVEL_SAMPLED && (nr_turns + 1) % DEVMAP_SAMPLE_PERIOD == 0);
}

static inline bool track_take_turn(const struct map *map)
{
	int32_t level = level_of(map);

	return level == DEVMAP_LEVEL_FULL || (level == DEVMAP_LEVEL_SAMPLED && ++nr_turns % DEVMAP_SAMPLE_PERIOD == 0);
}

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

/*
 * Begins to follow a page that the caller has just activated with @nr_refs references, if it is its turn. Somebody who took
 * the page since is not noted, and its drop may be put down to the caller.
 */
void page_follow(struct map *map, devmap_page *page, uint32_t nr_refs);

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

/* ---- capture (capture.c, dump.c) -------------------------------------------------------------------------------- */

/* Fills in all but the gate and the maps. Takes no lock; also from a signal handler. */
void snapshot_fill(devmap_snapshot *snapshot);

/*
 * Tells of a map without its lock, also from a signal handler: false where there is none, or it went meanwhile, whose numbers
 * would be two maps'.
 */
bool map_info_peek(struct map *map, devmap_map_info *info);

/* Fills in what only rises of all ranges that are or were (hmm_range.c). Takes no lock; also from a signal handler. */
void migration_totals_read(devmap_migration_totals *totals);

#endif
