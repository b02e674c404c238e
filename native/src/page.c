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
 * range.
 */
static void saturate(devmap_page *page)
{
	atomic_store_explicit(&page->refcount, REFCOUNT_SATURATED, memory_order_relaxed);
}

static int overflow(devmap_page *page, int32_t refcount)
{
	saturate(page);
	if (refcount > 0)
		fault_report(
			DEVMAP_FAULT_OVERFLOW, page, refcount, "too many references; the page is saturated and leaks");
	return -EOVERFLOW;
}

/* ---- callbacks on this thread ------------------------------------------------------------------------------------ */

/* Idle pages of one map on their way to its driver. Their map references are still held. */
struct idle_batch {
	struct map *map;
	uint32_t n;
	devmap_page *pages[DEVMAP_IDLE_BATCH];
};

/* The callbacks that run on this thread, innermost first. A batch's frame has no page, and the batch as data. */
static _Thread_local devmap_idle_frame *innermost __attribute__((tls_model("initial-exec")));

bool map_in_callback(const struct map *map)
{
	for (const devmap_idle_frame *frame = innermost; frame; frame = frame->outer)
		if (frame->pgmap == &map->public)
			return true;
	return false;
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

static __attribute__((noinline)) int take_claimable(struct map *map, devmap_page *page)
{
	int32_t refs = atomic_load_explicit(&page->refcount, memory_order_relaxed);

	/*
	 * The first look at the mark keeps newcomers from raising `busy` under a break, which waits for it to fall.
	 * A page in use: whoever activated it keeps `busy` raised until its idle edge, which cannot come while the
	 * reference taken here lasts. So a break waits for it without a second look.
	 * Acquire, with the release of the activation below: what a layout break did before is visible through either.
	 */
	if (layout_may_be_broken(map, page))
		return -EAGAIN;
	while (refs > 0 && refs < INT32_MAX) {
		if (atomic_compare_exchange_weak_explicit(&page->refcount, &refs, refs + 1, memory_order_acquire,
							  memory_order_relaxed))
			return 0;
	}

	if (!busy_enter(map, page))
		return -EAGAIN;
	refs = atomic_fetch_add_explicit(&page->refcount, 1, memory_order_acq_rel);
	if (devmap_likely(refs == 0))
		return 1;
	busy_exit(page);
	return devmap_likely(refs > 0 && refs < INT32_MAX) ? 0 : overflow(page, refs);
}

/*
 * Raises the count of a page that cannot be claimed and says what it was; a count that cannot be raised (frozen, saturated,
 * or about to be) is left alone.
 */
static inline int32_t count_raise(devmap_page *page)
{
	int32_t refs = atomic_load_explicit(&page->refcount, memory_order_relaxed);

	/* Acquire, with the release of the last drop, or of the end of a freeze: what was done before is visible. */
	while (devmap_likely(refs >= 0 && refs < INT32_MAX))
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
	refs = count_raise(page);
	if (devmap_likely(refs == 0))
		return 1;
	if (devmap_likely(refs > 0 && refs < INT32_MAX))
		return 0;
	return refs == REFCOUNT_FROZEN ? -EAGAIN : overflow(page, refs);
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
	devmap_page *page;
	int32_t refs;

	/* A look at a claimable map's breaks takes a lock. Where somebody waits, giving the map back asks the system. */
	if (!map || map->claimable || has_waiters(map) || map_enter(map, shard, 1) != 0)
		return NULL;
	if (devmap_unlikely(!map_contains(map, index, 1)))
		goto refused;
	page = map_page(map, index);
	refs = count_raise(page);
	/* Frozen, or saturated, or about to be, which is reported. */
	if (devmap_unlikely(refs < 0 || refs == INT32_MAX))
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
static void activate_taken(struct map *map, devmap_page *page, uint32_t nr_refs)
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
		return;
	}
	if (map_enter(map, shard, 1) == 0) {
		if (!map->claimable || busy_enter(map, page)) {
			stat_add(STAT_activations, 1);
			return;
		}
		map_exit(map, shard, 1);
	}
	/* The raised count may have let others take the page since, so it cannot be lowered again. */
	saturate(page);
	fault_report(DEVMAP_FAULT_ACTIVATION, page, (int32_t)nr_refs + 1,
		     "get_page on an idle page whose map takes no new users; the page is saturated and leaks");
}

void devmap_get_page_slow(devmap_page *page, int32_t old, uint32_t nr_refs)
{
	struct map *map = map_of(devmap_page_pagemap(page));

	if (nr_refs == 0)
		return;
	if (old == 0 && map) {
		activate_taken(map, page, nr_refs);
		return;
	}
	/* An ordinary page at 0 has its one reference, and now more. */
	if (old == 0 && page_is_ordinary(page))
		return;
	if (old == 0 || old == -1) {
		saturate(page);
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
	frame->counted = 1;
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

/* Ends the edges of @n pages, to which the caller's map references belonged: whether there may be somebody to wake. */
static inline bool edge_end(devmap_idle_frame *frame, devmap_page **pages, uint32_t n)
{
	struct map *map = map_of(frame->pgmap);

	innermost = frame->outer;
	if (frame->counted)
		shard_add(&map_shard(map, frame->shard)->callbacks_returned, frame->shard, 1);
	for (uint32_t i = 0; map->claimable && i < n; i++)
		busy_exit(pages[i]);
	/* The last touch; who waits for any of the three waits for the map. */
	return map_exit_quietly(map, frame->shard, n);
}

static inline void edge_end_and_wake(devmap_idle_frame *frame, devmap_page **pages, uint32_t n)
{
	if (edge_end(frame, pages, n))
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

	if (devmap_unlikely(!map))
		return false;
	edge_acquire(page);
	driver = edge_begin(map, frame);
	frame->page = page;
	if (driver && driver->ops.page_free) {
		frame->page_free = driver->ops.page_free;
		frame->data = driver->data;
		stat_add_in(frame->shard, STAT_idle_edges_managed, 1);
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
	return edge_end(frame, &frame->page, 1);
}

void devmap_page_idle_wake(const devmap_idle_frame *frame)
{
	wake_waiters(frame->pgmap);
}

static void idle_edge(devmap_page *page)
{
	devmap_idle_frame frame;

	if (!idle_begin(page, &frame))
		return;
	if (frame.page_free)
		frame.page_free(page, frame.data);
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
	saturate(page);
	if (!is_saturated(old))
		fault_report(DEVMAP_FAULT_UNDERFLOW, page, old - nr + 1,
			ordinary ? "a reference dropped that nobody held, or after the page was freed; it is saturated "
				   "and leaks"
				 : "a reference dropped that nobody held; the page is saturated and leaks");
}

void devmap_put_page_slow(devmap_page *page, int32_t old, uint32_t nr_refs)
{
	if (nr_refs == 0)
		return;
	if (devmap_likely(old == (int32_t)nr_refs))
		idle_edge(page);
	else
		put_below_idle(page, old, (int32_t)nr_refs);
}

/* ---- many pages ------------------------------------------------------------------------------------------------- */

static void batch_flush(struct idle_batch *batch)
{
	const struct driver *driver;
	devmap_idle_frame frame;

	if (batch->n == 0)
		return;
	driver = edge_begin(batch->map, &frame);
	frame.page = NULL;
	frame.data = batch;
	stat_add_in(frame.shard, driver && driver->ops.page_free ? STAT_idle_edges_managed : STAT_idle_edges, batch->n);
	if (driver && driver->ops.pages_free) {
		stat_add(STAT_idle_batches, 1);
		driver->ops.pages_free(batch->pages, batch->n, driver->data);
	} else if (driver && driver->ops.page_free) {
		for (uint32_t i = 0; i < batch->n; i++)
			driver->ops.page_free(batch->pages[i], driver->data);
	}
	edge_end_and_wake(&frame, batch->pages, batch->n);
	batch->n = 0;
}

static void batch_put(struct idle_batch *batch, devmap_page *page)
{
	struct map *map;
	int32_t refs;

	page = devmap_compound_head(page);
	refs = atomic_fetch_sub_explicit(&page->refcount, 1, memory_order_release);
	if (refs > 1)
		return;
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
}

void devmap_release_pages(devmap_page **pages, uint64_t nr_pages)
{
	struct idle_batch batch;

	batch.map = NULL;
	batch.n = 0;
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
	batch.map = NULL;
	batch.n = 0;
	for (uint64_t i = 0; i < nr_pages; i++)
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
