/* SPDX-License-Identifier: MIT */
#include "internal.h"

extern inline devmap_page *devmap_compound_head(devmap_page *page);
extern inline int32_t devmap_page_count(devmap_page *page);
extern inline devmap_pagemap *devmap_page_pagemap(const devmap_page *page);
extern inline bool devmap_is_zone_device_page(const devmap_page *page);
extern inline int32_t devmap_page_type(const devmap_page *page);
extern inline void devmap_get_page_refs(devmap_page *page, uint32_t nr_refs);
extern inline void devmap_get_page(devmap_page *page);
extern inline void devmap_put_page_refs(devmap_page *page, uint32_t nr_refs);
extern inline void devmap_put_page(devmap_page *page);
extern inline bool devmap_put_managed_page(devmap_page *page);
extern inline bool devmap_is_device_private_page(const devmap_page *page);
extern inline bool devmap_is_device_public_page(const devmap_page *page);

_Static_assert(sizeof(devmap_page) == CACHE_LINE, "a page is a cache line");
_Static_assert(offsetof(devmap_page, refcount) == 0, "language layers take a page's address for its count's");

/* ---- counts that left their range ------------------------------------------------------------------------------- */

static bool is_saturated(int32_t refcount)
{
	return refcount < REFCOUNT_SATURATED / 2;
}

/*
 * From here on the page is nobody's: puts and gets come back here and leave it saturated, and no driver is called.
 * Racing drops may move the word a little before this store or after it; 2^29 of them would be needed to leave the
 * range. @old is the count that the caller found: of callers that found it whole at once each counts the page.
 */
static void saturate(devmap_page *page, int32_t old)
{
	struct map *map = map_of(devmap_page_pagemap(page));

	atomic_store_explicit(&page->refcount, REFCOUNT_SATURATED, memory_order_relaxed);
	if (!is_saturated(old))
		stat_add(STAT_saturations, 1);
	if (track_enabled() && map)
		track_event(map, page, DEVMAP_PAGE_EVENT_SATURATED);
}

static int overflow(devmap_page *page, int32_t refcount)
{
	saturate(page, refcount);
	if (refcount > 0)
		fault_report(
			DEVMAP_FAULT_OVERFLOW, page, refcount, "too many references; the page is saturated and leaks");
	return -EOVERFLOW;
}

/* ---- counts of tracked pages --------------------------------------------------------------------------------------
 *
 * A tracked page's count is T + n. It is so from an activation to the idle edge: whoever activates the page goes from 0 to
 * T + 1 in one step, so that every reference has its record, and whoever drops the last one goes from T + 0 back to 0, unless
 * the page was activated again in between, as T + 1. So T + 0 is idle, as 0 is.
 */
static int32_t users_of(int32_t refcount)
{
	return refcount - DEVMAP_REFCOUNT_TRACKED;
}

/*
 * Ends that a page is tracked, to which the caller has added @nr_refs references: the count is then far from both ends of its
 * range, so that who comes by meanwhile sees a tracked page or one that is not, and nothing else; unless one call added 2^27.
 * Of two that come here at once the second finds it done, as a tracked count is below 0.
 */
static void tracked_end(devmap_page *page, uint32_t nr_refs)
{
	int32_t refs = atomic_load_explicit(&page->refcount, memory_order_relaxed);

	while (!is_saturated(refs) && (refs < 0 || nr_refs > TRACKED_USERS_MAX))
		if (atomic_compare_exchange_weak_explicit(&page->refcount, &refs, users_of(refs), memory_order_relaxed,
							  memory_order_relaxed))
			break;
	track_forget_page(page);
}

/* Notes references that the caller has taken on a tracked page, which had @users before; @ticket is used up. */
static __attribute__((noinline)) void tracked_taken(struct map *map, devmap_page *page, uint32_t nr_refs, int32_t users,
						    struct track_ticket *ticket)
{
	int64_t now = (int64_t)users + nr_refs;

	if (devmap_likely(now <= TRACKED_USERS_MAX)) {
		track_get(map, page, nr_refs, users == 0, __builtin_frame_address(0), ticket);
		return;
	}
	if (ticket)
		track_unreserve(ticket);
	if (now > INT32_MAX)
		overflow(page, users);
	else
		tracked_end(page, nr_refs);
}

static bool is_idle(devmap_page *page)
{
	return atomic_load_explicit(&page->refcount, memory_order_relaxed) == 0;
}

/* Whether a page with this count can be had: neither frozen, nor saturated, nor about to be. */
static bool can_be_raised(int32_t refs)
{
	return is_tracked(refs) ? users_of(refs) >= 0 : refs >= 0 && refs < INT32_MAX;
}

/*
 * page_take() where activations are followed, or the page is. From idle it only goes to T + 1 where the activation is to be
 * followed, so that none is missed that comes just when the page becomes idle. Of a page that can be claimed the caller has
 * raised `busy`, and lowers it unless this is 1.
 */
static __attribute__((noinline)) int take_followed(struct map *map, devmap_page *page)
{
	int32_t to, refs = atomic_load_explicit(&page->refcount, memory_order_relaxed);
	bool asked = false, turn = false, tracked;
	struct track_ticket ticket;

	/* Orders as the activation of any page, in count_raise() and take_claimable(). */
	do {
		if (!can_be_raised(refs)) {
			if (turn)
				track_unreserve(&ticket);
			return refs == REFCOUNT_FROZEN ? -EAGAIN : overflow(page, refs);
		}
		/* One turn an activation, however often it is tried. */
		if (refs == 0 && !asked) {
			turn = track_take_turn(map) && track_reserve(&ticket);
			asked = true;
		}
		to = refs == 0 && turn ? DEVMAP_REFCOUNT_TRACKED + 1 : refs + 1;
	} while (!atomic_compare_exchange_weak_explicit(&page->refcount, &refs, to, memory_order_acq_rel,
							memory_order_relaxed));

	tracked = is_tracked(refs);
	if (tracked)
		refs = users_of(refs);
	if (tracked || to < 0)
		tracked_taken(map, page, 1, refs, turn ? &ticket : NULL);
	else if (turn)
		track_unreserve(&ticket);
	return refs == 0;
}

void page_follow(struct map *map, devmap_page *page, uint32_t nr_refs)
{
	int32_t refs = atomic_load_explicit(&page->refcount, memory_order_relaxed);
	struct track_ticket ticket;

	if (!track_enabled() || nr_refs > TRACKED_USERS_MAX || !track_take_turn(map) || !track_reserve(&ticket))
		return;
	/* The caller's references keep the count above 0, unless it was saturated since; others may have added any number. */
	do {
		if (refs <= 0 || refs > TRACKED_USERS_MAX) {
			track_unreserve(&ticket);
			return;
		}
	} while (!atomic_compare_exchange_weak_explicit(&page->refcount, &refs, refs + DEVMAP_REFCOUNT_TRACKED,
							memory_order_relaxed, memory_order_relaxed));
	tracked_taken(map, page, nr_refs, 0, &ticket);
}

/* Drops of a tracked page: @old is the count before. Whether the caller dropped the last one, and is to run the edge. */
static bool tracked_drop(devmap_page *page, int32_t old, uint32_t nr_refs, uint64_t owner)
{
	bool last = users_of(old) == (int32_t)nr_refs;
	int32_t none = DEVMAP_REFCOUNT_TRACKED;

	/* After a drop that is not the last the page may be gone; its edge, which is this thread's else, keeps it. */
	track_put(page, nr_refs, last, owner);
	if (last)
		/* Release: carries on what the drops before released, for who activates the page by this count. */
		atomic_compare_exchange_strong_explicit(&page->refcount, &none, 0, memory_order_acq_rel,
							memory_order_relaxed);
	return last;
}

/* ---- callbacks on this thread ------------------------------------------------------------------------------------ */

/* Idle pages of one map on their way to its driver. Their map references are still held. */
struct idle_batch {
	struct map *map;
	/* Whose references they were (devmap_put_owned_pages()), or 0. */
	uint64_t owner;
	uint32_t n;
	/* Whether any of them was tracked until its edge. */
	bool followed;
	devmap_page *pages[DEVMAP_IDLE_BATCH];
};

/* In devmap_idle_frame.counted. */
enum {
	/* In the map's callbacks_begun. */
	FRAME_COUNTED = 1,
	/* The callback is timed, since started_ns. */
	FRAME_TIMED = 2,
	/* It took too long: started_ns. */
	FRAME_SLOW = 4,
};

/* The callbacks that run on this thread, innermost first. A batch's frame has no page, and the batch as data. */
static _Thread_local devmap_idle_frame *innermost __attribute__((tls_model("initial-exec")));

bool devmap_pagemap_in_callback(const devmap_pagemap *pgmap)
{
	for (const devmap_idle_frame *frame = innermost; frame; frame = frame->outer)
		if (frame->pgmap == pgmap)
			return true;
	return false;
}

bool map_in_callback(const struct map *map)
{
	return devmap_pagemap_in_callback(&map->public);
}

/* ---- activation ------------------------------------------------------------------------------------------------- */

/*
 * Ends an activation, or an attempt at one, as far as layout breaks are concerned. The caller goes on to map_exit(), which
 * wakes whoever waits for this page too.
 */
static void busy_exit(devmap_page *page)
{
	atomic_fetch_sub(&page->busy, 1);
}

static bool layout_may_be_broken(struct map *map, const devmap_page *page)
{
	return devmap_unlikely(atomic_load(&map->nr_breaks) != 0) && layout_is_broken(map, map_index(map, page));
}

/* Opens the page to the caller, or tells that its layout is being broken. */
static bool busy_enter(struct map *map, devmap_page *page)
{
	/*
	 * The taker's half of the crossed check: raise `busy`, then read the mark, while a break sets the mark and then
	 * reads `busy`, all four sequentially consistent. One of the two sees the other. Before `refcount`, so that nobody
	 * gets the page by a count that has to be taken back, and no callback runs under the break. (Both raised in one
	 * operation, and the mark read after it, would save 6 ns and keep neither.)
	 */
	atomic_fetch_add(&page->busy, 1);
	if (!layout_may_be_broken(map, page))
		return true;
	busy_exit(page);
	return false;
}

static __attribute__((noinline)) int refused_by_break(struct map *map, devmap_page *page)
{
	if (track_enabled())
		track_event(map, page, DEVMAP_PAGE_EVENT_REFUSED);
	return -EAGAIN;
}

static __attribute__((noinline)) int take_claimable(struct map *map, devmap_page *page)
{
	int32_t refs = atomic_load_explicit(&page->refcount, memory_order_relaxed);
	int taken;

	/*
	 * The first look at the mark keeps newcomers from raising `busy` under a break, which waits for it to fall.
	 * A page in use: whoever activated it keeps `busy` raised until its idle edge, which cannot come while the
	 * reference taken here lasts. So a break waits for it without a second look.
	 * Acquire, with the release of the activation below: what a layout break did before is visible through either.
	 */
	if (layout_may_be_broken(map, page))
		return refused_by_break(map, page);
	while (refs > 0 && refs < INT32_MAX) {
		if (atomic_compare_exchange_weak_explicit(&page->refcount, &refs, refs + 1, memory_order_acquire,
							  memory_order_relaxed))
			return 0;
	}

	if (!busy_enter(map, page))
		return refused_by_break(map, page);
	if (track_enabled() || devmap_unlikely(is_tracked(refs))) {
		taken = take_followed(map, page);
		if (taken != 1)
			busy_exit(page);
		return taken;
	}
	refs = atomic_fetch_add_explicit(&page->refcount, 1, memory_order_acq_rel);
	if (devmap_likely(refs == 0))
		return 1;
	/* Since this moment. */
	if (devmap_unlikely(is_tracked(refs) && users_of(refs) >= 0)) {
		tracked_taken(map, page, 1, users_of(refs), NULL);
		if (users_of(refs) == 0)
			return 1;
		refs = users_of(refs);
	}
	busy_exit(page);
	return devmap_likely(refs > 0 && refs < INT32_MAX) ? 0 : overflow(page, refs);
}

/*
 * Raises the count of a page that cannot be claimed and says what it was; a count that cannot be raised (frozen, saturated,
 * or about to be), or is below @least, is left alone.
 */
static inline int32_t count_raise(devmap_page *page, int32_t least)
{
	int32_t refs = atomic_load_explicit(&page->refcount, memory_order_relaxed);

	/* Acquire, with the release of the last drop, or of the end of a freeze: what was done before is visible. */
	while (devmap_likely(refs >= least && refs < INT32_MAX))
		if (atomic_compare_exchange_weak_explicit(&page->refcount, &refs, refs + 1, memory_order_acquire,
							  memory_order_relaxed))
			break;
	return refs;
}

/*
 * Takes a reference on a device page, consuming one of the caller's map references if that activates it: 1, or 0 when it
 * was active already, or -EAGAIN, -EOVERFLOW.
 */
static inline int page_take(struct map *map, devmap_page *page)
{
	int32_t refs;

	if (map->claimable)
		return take_claimable(map, page);
	if (track_enabled())
		return take_followed(map, page);
	refs = count_raise(page, 0);
	if (devmap_likely(refs == 0))
		return 1;
	if (devmap_likely(refs > 0 && refs < INT32_MAX))
		return 0;
	/* Or tracked since it was activated; or none that can be had. */
	return refs == REFCOUNT_FROZEN ? -EAGAIN : take_followed(map, page);
}

static int count_refusal(int error)
{
	if (error == -ENODEV)
		stat_add(STAT_refused_dying, 1);
	if (error == -EAGAIN)
		stat_add(STAT_refused_marked, 1);
	return error;
}

static int try_get_ordinary(devmap_page *page)
{
	int32_t refs = atomic_load_explicit(&page->refcount, memory_order_relaxed);

	do {
		if (refs < 0)
			return refs == -1 ? -ENODEV : -EOVERFLOW;
		if (refs == INT32_MAX)
			return overflow(page, refs);
	} while (!atomic_compare_exchange_weak_explicit(&page->refcount, &refs, refs + 1, memory_order_acquire,
							memory_order_relaxed));
	return 0;
}

int devmap_try_get_page(devmap_page *page)
{
	uint32_t shard = this_shard();
	struct map *map;
	int taken;

	if (!page)
		return -EINVAL;
	page = devmap_compound_head(page);
	map = map_of(devmap_page_pagemap(page));
	if (!map)
		return page_is_ordinary(page) ? try_get_ordinary(page) : -ENODEV;
	taken = map_enter(map, shard, 1);
	if (taken != 0)
		return count_refusal(taken);
	taken = page_take(map, page);
	if (taken == 1) {
		stat_add_in(shard, STAT_activations, 1);
		return 0;
	}
	map_exit(map, shard, 1);
	return count_refusal(taken);
}

/* devmap_pagemap_get_pages() of one page, which is by far the most usual. */
static int get_one(struct map *map, uint64_t index, devmap_page **page)
{
	uint32_t shard = this_shard();
	int result = map_enter(map, shard, 1);

	if (devmap_unlikely(result != 0))
		return count_refusal(result);
	if (devmap_unlikely(!map_contains(map, index, 1))) {
		map_exit(map, shard, 1);
		return -ERANGE;
	}
	result = page_take(map, map_page(map, index));
	if (devmap_unlikely(result < 0)) {
		map_exit(map, shard, 1);
		return count_refusal(result);
	}
	*page = &map->public.pages[index];
	if (devmap_likely(result == 1))
		stat_add_in(shard, STAT_activations, 1);
	else
		map_exit(map, shard, 1);
	return 0;
}

static int get_several(struct map *map, uint64_t first_page, uint64_t nr_pages, devmap_page **page)
{
	uint32_t shard = this_shard();
	uint64_t taken = 0, activated = 0;
	devmap_page *first;
	int result;

	/* One reference a page up front, each of which becomes a page's if the page has to be activated. */
	result = map_enter(map, shard, nr_pages);
	if (result != 0)
		return count_refusal(result);
	if (!map_contains(map, first_page, nr_pages)) {
		map_exit(map, shard, nr_pages);
		return -ERANGE;
	}
	first = &map->public.pages[first_page];
	for (; taken < nr_pages; taken++) {
		result = page_take(map, map_page(map, first_page + taken));
		if (result < 0)
			break;
		activated += (uint64_t)result;
	}
	stat_add_in(shard, STAT_activations, activated);
	if (nr_pages != activated)
		map_exit(map, shard, nr_pages - activated);
	if (taken < nr_pages) {
		devmap_put_pages(first, taken);
		return count_refusal(result);
	}
	*page = first;
	return 0;
}

int devmap_pagemap_get_pages(devmap_pagemap *pgmap, uint64_t first_page, uint64_t nr_pages, devmap_page **page)
{
	if (!pgmap || !page || nr_pages == 0)
		return -EINVAL;
	if (devmap_likely(nr_pages == 1))
		return get_one(map_of(pgmap), first_page, page);
	return get_several(map_of(pgmap), first_page, nr_pages, page);
}

devmap_page *devmap_pagemap_get_page_fast(devmap_pagemap *pgmap, uint64_t index)
{
	struct map *map = map_of(pgmap);
	uint32_t shard = this_shard();
	int32_t refs, least = 0;
	devmap_page *page;

	/* A look at a claimable map's breaks takes a lock. Where somebody waits, giving the map back asks the system. */
	if (!map || map->claimable || has_waiters(map) || map_enter(map, shard, 1) != 0)
		return NULL;
	if (devmap_unlikely(!map_contains(map, index, 1)))
		goto refused;
	page = map_page(map, index);
	if (track_enabled()) {
		/* To be followed takes a lock; and whether it is to be is asked here, before it is idle by the count below. */
		least = !is_idle(page) || track_is_due(map);
		if (!least)
			(void)track_take_turn(map);
	}
	refs = count_raise(page, least);
	/* Tracked, or frozen, or saturated, or about to be, which is reported. */
	if (devmap_unlikely(refs < least || refs == INT32_MAX))
		goto refused;
	if (devmap_likely(refs == 0))
		stat_add_in(shard, STAT_activations, 1);
	else
		map_exit(map, shard, 1);
	return page;

refused:
	map_exit(map, shard, 1);
	return NULL;
}

static inline void batch_begin(struct idle_batch *batch, uint64_t owner)
{
	batch->map = NULL;
	batch->owner = owner;
	batch->n = 0;
	batch->followed = false;
}

static bool batch_holds(const struct idle_batch *batch, const devmap_page *page)
{
	for (uint32_t i = 0; i < batch->n; i++)
		if (batch->pages[i] == page)
			return true;
	return false;
}

bool devmap_page_in_callback(const devmap_page *page)
{
	for (const devmap_idle_frame *frame = innermost; frame; frame = frame->outer)
		if (frame->page == page || (!frame->page && batch_holds(frame->data, page)))
			return true;
	return false;
}

/* The driver took an idle page with get_page: the count is raised, the rest is not. */
static bool activate_taken(struct map *map, devmap_page *page, uint32_t nr_refs)
{
	uint32_t shard = this_shard();

	/*
	 * Inside the page's callback its edge holds the map and `busy` until it ends, which is after this: no teardown or
	 * break can slip in between. So this cannot fail.
	 */
	if (devmap_page_in_callback(page)) {
		map_enter_held(map, shard);
		if (map->claimable)
			atomic_fetch_add(&page->busy, 1);
		stat_add(STAT_activations, 1);
		return true;
	}
	if (map_enter(map, shard, 1) == 0) {
		if (!map->claimable || busy_enter(map, page)) {
			stat_add(STAT_activations, 1);
			return true;
		}
		map_exit(map, shard, 1);
	}
	/* The raised count may have let others take the page since, so it cannot be lowered again. */
	saturate(page, 0);
	fault_report(DEVMAP_FAULT_ACTIVATION, page, (int32_t)nr_refs + 1,
		     "get_page on an idle page whose map takes no new users; the page is saturated and leaks");
	return false;
}

void devmap_get_page_slow(devmap_page *page, int32_t old, uint32_t nr_refs)
{
	struct map *map = map_of(devmap_page_pagemap(page));

	if (nr_refs == 0)
		return;
	if (old == 0 && map) {
		if (activate_taken(map, page, nr_refs))
			page_follow(map, page, nr_refs);
		return;
	}
	if (is_tracked(old) && users_of(old) >= 0) {
		if (users_of(old) > 0 || activate_taken(map, page, nr_refs))
			tracked_taken(map, page, nr_refs, users_of(old), NULL);
		return;
	}
	/* An ordinary page at 0 has its one reference, and now more. */
	if (old == 0 && page_is_ordinary(page))
		return;
	if (old == 0 || old == -1 || is_tracked(old)) {
		saturate(page, old);
		fault_report(DEVMAP_FAULT_USE_AFTER_FREE, page, old + 1,
			"a reference taken on a page that was freed, or frozen, or whose map is torn down or never handed it "
			"out");
		return;
	}
	overflow(page, old);
}

/* ---- the idle edge ---------------------------------------------------------------------------------------------- */

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
static const struct driver *claim_enter(struct map *map, devmap_idle_frame *frame)
{
	/* So that edges under a release that waits do not keep it waiting. */
	if (!atomic_load_explicit(&map->driver, memory_order_relaxed))
		return NULL;
	/*
	 * Raise, then look, against a release, which takes the driver away and then, after a heavy fence, reads the
	 * counters: either this look finds no driver or the release waits for this callback.
	 */
	shard_add(&map_shard(map, frame->shard)->callbacks_begun, frame->shard, 1);
	fence_light();
	frame->counted = FRAME_COUNTED;
	return atomic_load(&map->driver);
}
#endif

/* The driver to call for idle pages of the map, in the patch's order: gate, (zone,) type. */
static const struct driver *driver_enter(struct map *map, devmap_idle_frame *frame)
{
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
	if (!devmap_static_branch_unlikely(&devmap_managed_key))
		return NULL;
	switch (atomic_load_explicit(&map->public.type, memory_order_acquire)) {
	case DEVMAP_MEMORY_DEVICE_PRIVATE:
	case DEVMAP_MEMORY_DEVICE_PUBLIC:
		/* Constant while the map lives, which the page's reference on it sees to. */
		return atomic_load_explicit(&map->driver, memory_order_relaxed);
	case DEVMAP_MEMORY_DEVICE_FS_DAX:
		return claim_enter(map, frame);
	default:
		return NULL;
	}
#else
	(void)map;
	(void)frame;
	return NULL;
#endif
}

static inline const struct driver *edge_begin(struct map *map, devmap_idle_frame *frame)
{
	frame->pgmap = &map->public;
	frame->outer = innermost;
	frame->shard = this_shard();
	frame->counted = 0;
	innermost = frame;
	return driver_enter(map, frame);
}

/* From here on the callback of page @index is timed. */
static __attribute__((noinline)) void callback_time(devmap_idle_frame *frame, uint64_t index)
{
	frame->counted |= FRAME_TIMED;
	frame->index = index;
	frame->started_ns = (uint64_t)os_now();
}

/* The end of a callback that was timed: in place of its start is then how long it took, if that was too long. */
static __attribute__((noinline)) void callback_end(devmap_idle_frame *frame)
{
	frame->started_ns = timing_end_callback(frame->shard, frame->started_ns);
	if (frame->started_ns != 0)
		frame->counted |= FRAME_SLOW;
	frame->counted &= ~(uint32_t)FRAME_TIMED;
}

/* Ends the edges of @n pages, to which the caller's map references belonged: whether there may be somebody to wake. */
static inline bool edge_end(devmap_idle_frame *frame, devmap_page **pages, uint32_t n)
{
	struct map *map = map_of(frame->pgmap);

	if (devmap_unlikely(frame->counted & FRAME_TIMED))
		callback_end(frame);
	innermost = frame->outer;
	if (frame->counted & FRAME_COUNTED)
		shard_add(&map_shard(map, frame->shard)->callbacks_returned, frame->shard, 1);
	for (uint32_t i = 0; map->claimable && i < n; i++)
		busy_exit(pages[i]);
	/* The last touch; who waits for any of the three waits for the map. */
	return map_exit_quietly(map, frame->shard, n);
}

/* Where it can be, after the edge: so that nobody who waits for its end waits for the handler of faults. */
static void edge_report(const devmap_idle_frame *frame)
{
	if (frame->counted & FRAME_SLOW)
		fault_report_slow_callback(frame->pgmap, frame->index, frame->started_ns);
}

static __attribute__((noinline)) void edge_end_timed(devmap_idle_frame *frame, devmap_page **pages, uint32_t n)
{
	if (edge_end(frame, pages, n))
		wake_waiters(frame->pgmap);
	edge_report(frame);
}

static inline void edge_end_and_wake(devmap_idle_frame *frame, devmap_page **pages, uint32_t n)
{
	/* Asked once, before the end: most callbacks are not timed. */
	if (devmap_unlikely(frame->counted & FRAME_TIMED))
		edge_end_timed(frame, pages, n);
	else if (edge_end(frame, pages, n))
		wake_waiters(frame->pgmap);
}

/*
 * The edge's acquire: this load reads the last drop or a later change of its chain, so it sees what came before each.
 */
static void edge_acquire(devmap_page *page)
{
	(void)atomic_load_explicit(&page->refcount, memory_order_acquire);
}

static inline bool idle_begin(devmap_page *page, devmap_idle_frame *frame)
{
	struct map *map = map_of(devmap_page_pagemap(page));
	const struct driver *driver;
	_Atomic(uint64_t) *edges;

	if (devmap_unlikely(!map))
		return false;
	edge_acquire(page);
	driver = edge_begin(map, frame);
	frame->page = page;
	if (driver && driver->ops.page_free) {
		frame->page_free = driver->ops.page_free;
		frame->data = driver->data;
		edges = &stat_shards[frame->shard].counters[STAT_idle_edges_managed];
		shard_add(edges, frame->shard, 1);
		if (devmap_unlikely(timing_is_due(edges)))
			callback_time(frame, map_index(map, page));
	} else {
		frame->page_free = NULL;
		frame->data = NULL;
		stat_add_in(frame->shard, STAT_idle_edges, 1);
	}
	return true;
}

bool devmap_page_idle_begin(devmap_page *page, devmap_idle_frame *frame)
{
	return idle_begin(page, frame);
}

void devmap_page_idle_end(devmap_idle_frame *frame)
{
	edge_end_and_wake(frame, &frame->page, 1);
}

bool devmap_page_idle_end_fast(devmap_idle_frame *frame)
{
	bool wake = edge_end(frame, &frame->page, 1);

	return wake || (frame->counted & FRAME_SLOW);
}

void devmap_page_idle_wake(const devmap_idle_frame *frame)
{
	wake_waiters(frame->pgmap);
	edge_report(frame);
}

/* @followed: the page was tracked until this edge. */
static inline void idle_edge(devmap_page *page, bool followed)
{
	devmap_idle_frame frame;

	if (!idle_begin(page, &frame))
		return;
	if (frame.page_free) {
		frame.page_free(page, frame.data);
		if (followed)
			track_event(map_of(frame.pgmap), page, DEVMAP_PAGE_EVENT_FREED);
	}
	edge_end_and_wake(&frame, &page, 1);
}

/* A drop below what a page of a map can lose: an ordinary page's last one, or one that nobody held. */
static __attribute__((noinline)) void put_below_idle(devmap_page *page, int32_t old, int32_t nr)
{
	bool ordinary = !devmap_is_zone_device_page(page);

	/* Without the flag it is what a torn-down map left of a page. */
	if (old == nr - 1 && ordinary && page_is_ordinary(page)) {
		edge_acquire(page);
		ordinary_free(page);
		return;
	}
	saturate(page, old);
	if (!is_saturated(old))
		fault_report(DEVMAP_FAULT_UNDERFLOW, page, (is_tracked(old) ? users_of(old) : old) - nr + 1,
			ordinary ? "a reference dropped that nobody held, or after the page was freed; it is saturated "
				   "and leaks"
				 : "a reference dropped that nobody held; the page is saturated and leaks");
}

static __attribute__((noinline)) void put_tracked(devmap_page *page, int32_t old, uint32_t nr_refs)
{
	if (tracked_drop(page, old, nr_refs, 0))
		idle_edge(page, true);
}

void devmap_put_page_slow(devmap_page *page, int32_t old, uint32_t nr_refs)
{
	if (nr_refs == 0)
		return;
	if (devmap_likely(old == (int32_t)nr_refs))
		idle_edge(page, false);
	else if (is_tracked(old) && users_of(old) >= (int32_t)nr_refs)
		put_tracked(page, old, nr_refs);
	else
		put_below_idle(page, old, (int32_t)nr_refs);
}

/* ---- many pages ------------------------------------------------------------------------------------------------- */

/* One callback for all of them, whose number is that of a batch. */
static void batch_call(struct idle_batch *batch, const struct driver *driver, devmap_idle_frame *frame)
{
	stat_add_in(frame->shard, STAT_idle_edges_managed, batch->n);
	stat_add_in(frame->shard, STAT_idle_batches, 1);
	if (devmap_unlikely(timing_is_due(&stat_shards[frame->shard].counters[STAT_idle_batches])))
		callback_time(frame, map_index(batch->map, batch->pages[0]));
	driver->ops.pages_free(batch->pages, batch->n, driver->data);
}

/* A callback a page. Each that took too long is reported at once, as there is one frame for all. */
static void batch_call_each(struct idle_batch *batch, const struct driver *driver, devmap_idle_frame *frame)
{
	for (uint32_t i = 0; i < batch->n; i++) {
		stat_add_in(frame->shard, STAT_idle_edges_managed, 1);
		if (devmap_likely(!timing_is_due(&stat_shards[frame->shard].counters[STAT_idle_edges_managed]))) {
			driver->ops.page_free(batch->pages[i], driver->data);
			continue;
		}
		callback_time(frame, map_index(batch->map, batch->pages[i]));
		driver->ops.page_free(batch->pages[i], driver->data);
		callback_end(frame);
		edge_report(frame);
		frame->counted &= ~(uint32_t)FRAME_SLOW;
	}
}

static void batch_flush(struct idle_batch *batch)
{
	const struct driver *driver;
	devmap_idle_frame frame;

	if (batch->n == 0)
		return;
	driver = edge_begin(batch->map, &frame);
	frame.page = NULL;
	frame.data = batch;
	if (driver && driver->ops.pages_free)
		batch_call(batch, driver, &frame);
	else if (driver && driver->ops.page_free)
		batch_call_each(batch, driver, &frame);
	else
		stat_add_in(frame.shard, STAT_idle_edges, batch->n);
	if (batch->followed && driver)
		for (uint32_t i = 0; i < batch->n; i++)
			track_event(batch->map, batch->pages[i], DEVMAP_PAGE_EVENT_FREED);
	edge_end_and_wake(&frame, batch->pages, batch->n);
	batch->n = 0;
	batch->followed = false;
}

static void batch_put(struct idle_batch *batch, devmap_page *page)
{
	bool followed = false;
	struct map *map;
	int32_t refs;

	page = devmap_compound_head(page);
	refs = atomic_fetch_sub_explicit(&page->refcount, 1, memory_order_release);
	if (refs > 1)
		return;
	if (devmap_unlikely(is_tracked(refs) && users_of(refs) >= 1)) {
		if (!tracked_drop(page, refs, 1, batch->owner))
			return;
		followed = true;
		refs = 1;
	}
	map = map_of(devmap_page_pagemap(page));
	if (refs != 1 || !map) {
		devmap_put_page_slow(page, refs, 1);
		return;
	}
	edge_acquire(page);
	if (batch->map != map || batch->n == DEVMAP_IDLE_BATCH)
		batch_flush(batch);
	batch->map = map;
	batch->pages[batch->n++] = page;
	batch->followed |= followed;
}

void devmap_release_pages(devmap_page **pages, uint64_t nr_pages)
{
	struct idle_batch batch;

	batch_begin(&batch, 0);
	for (uint64_t i = 0; pages && i < nr_pages; i++)
		if (pages[i])
			batch_put(&batch, pages[i]);
	batch_flush(&batch);
}

void devmap_put_pages(devmap_page *page, uint64_t nr_pages)
{
	struct idle_batch batch;

	if (nr_pages == 1) {
		devmap_put_page(page);
		return;
	}
	batch_begin(&batch, 0);
	for (uint64_t i = 0; i < nr_pages; i++)
		batch_put(&batch, &page[i]);
	batch_flush(&batch);
}

void devmap_put_owned_pages(devmap_page *page, uint64_t nr_pages, uint64_t owner)
{
	struct idle_batch batch;

	batch_begin(&batch, owner);
	for (uint64_t i = 0; page && i < nr_pages; i++)
		batch_put(&batch, &page[i]);
	batch_flush(&batch);
}

/* ---- address and index ------------------------------------------------------------------------------------------ */

void *devmap_page_address(devmap_page *page)
{
	const devmap_pagemap *pgmap = devmap_page_pagemap(page);
	devmap_page *head;

	if (pgmap)
		return (void *)(pgmap->start + (uintptr_t)(devmap_page_index(page) << pgmap->page_shift));
	head = devmap_compound_head(page);
	return (char *)head->address + (page - head) * DEVMAP_ALTMAP_UNIT;
}

uint64_t devmap_page_index(const devmap_page *page)
{
	const devmap_pagemap *pgmap = devmap_page_pagemap(page);

	return pgmap ? (uint64_t)(page - pgmap->pages) : 0;
}
