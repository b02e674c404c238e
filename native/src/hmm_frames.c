/* SPDX-License-Identifier: MIT */
/* How many pages of a range are resident, and which one goes when another one comes: the clock. */
#include "hmm_internal.h"

#ifdef DEVMAP_CONFIG_HMM

int frames_init(struct frames *frames, uint64_t nr_pages, uint64_t limit)
{
	void *entries;
	int result = os_reserve(nr_pages * sizeof(frames->entries[0]), os_page_size(), OS_READ_WRITE, &entries);

	if (result != 0)
		return result;
	frames->entries = entries;
	frames->limit = limit;
	pthread_mutex_init(&frames->lock, NULL);
	return 0;
}

void frames_free(struct frames *frames, uint64_t nr_pages)
{
	os_unmap(frames->entries, nr_pages * sizeof(frames->entries[0]));
	pthread_mutex_destroy(&frames->lock);
}

void frames_set_limit(struct frames *frames, uint64_t limit)
{
	pthread_mutex_lock(&frames->lock);
	frames->limit = limit;
	pthread_mutex_unlock(&frames->lock);
}

/* Takes a frame if there is one below the limit, or at all events. */
static bool try_take(devmap_hmm_range *range, devmap_page *page, bool must)
{
	struct frames *frames = &range->frames;
	bool within;

	pthread_mutex_lock(&frames->lock);
	within = frames->nr_used < frames->limit;
	if (within || must) {
		frames->entries[frames->nr_used] = map_index(map_of(range->pgmap), page);
		page->reserved[0] = frames->nr_used++;
		atomic_store(&map_of(range->pgmap)->resident, frames->nr_used);
	}
	pthread_mutex_unlock(&frames->lock);
	if (!within && !must)
		return false;
	atomic_fetch_or(&page->flags, PAGE_FRAMED);
	if (!within)
		range_count(range, COUNT_over_limit, 1);
	return true;
}

/* The last frame takes the place of the one that goes, so that the hand goes over used ones only. */
void frame_give(devmap_hmm_range *range, devmap_page *page)
{
	struct frames *frames = &range->frames;
	uint64_t last;

	atomic_fetch_and(&page->flags, ~PAGE_FRAMED);
	pthread_mutex_lock(&frames->lock);
	last = frames->entries[--frames->nr_used];
	atomic_store(&map_of(range->pgmap)->resident, frames->nr_used);
	frames->entries[page->reserved[0]] = last;
	range->pgmap->pages[last].reserved[0] = page->reserved[0];
	pthread_mutex_unlock(&frames->lock);
}

/* What the hand looks for, and what it met besides. */
struct search {
	/* Pages with a copy alone. */
	bool kept_only;
	/* Out: nobody has to go. That may be over as soon as it is told. */
	bool has_room;
	/* Out: a page that could not be had although nobody uses it. */
	devmap_page *moving;
};

/* Whether the hand stops at the page: not used since it came by last, nor in use. Then it is locked. */
static bool is_victim(devmap_page *page, bool kept_only)
{
	if (kept_only && (atomic_load_explicit(&page->flags, memory_order_relaxed) & PAGE_DIRTY))
		return false;
	if (atomic_load_explicit(&page->flags, memory_order_relaxed) & PAGE_ACCESSED) {
		atomic_fetch_and_explicit(&page->flags, ~PAGE_ACCESSED, memory_order_relaxed);
		return false;
	}
	return atomic_load_explicit(&page->refcount, memory_order_relaxed) == 0 && page_trylock(page);
}

/* Whether the page, which is no victim, is not in use either: another thread has it locked, or had. */
static bool is_moving(devmap_page *page)
{
	int32_t refs = atomic_load_explicit(&page->refcount, memory_order_relaxed);

	return refs == 0 || refs == REFCOUNT_FROZEN;
}

/*
 * Locks up to @capacity resident pages that were not used for long, and tells how many: none where there is room by now. So
 * who raises the limit and then looks at every page finds those locked that go by the old one.
 */
static uint32_t find_victims(devmap_hmm_range *range, devmap_page **pages, uint32_t capacity, struct search *search)
{
	struct frames *frames = &range->frames;
	uint32_t n = 0;

	pthread_mutex_lock(&frames->lock);
	search->has_room = frames->nr_used < frames->limit;
	if (search->has_room)
		capacity = 0;
	/* Twice around: the second time nobody is spared for having been used before. */
	for (uint64_t steps = 2 * frames->nr_used; steps > 0 && n < capacity; steps--) {
		devmap_page *page;

		if (frames->hand >= frames->nr_used)
			frames->hand = 0;
		page = &range->pgmap->pages[frames->entries[frames->hand++]];
		if (is_victim(page, search->kept_only))
			pages[n++] = page;
		else if (!search->kept_only && is_moving(page))
			search->moving = page;
	}
	pthread_mutex_unlock(&frames->lock);
	return n;
}

/* So many go at once that they share the work, and so few that most of a small range stays. */
static uint32_t nr_victims(const devmap_hmm_range *range)
{
	uint64_t some = range->frames.nr_used / 8 + 1;

	return some < range->batch ? (uint32_t)some : range->batch;
}

static int evict_some(devmap_hmm_range *range, bool kept_only)
{
	devmap_page *pages[BATCH];
	int32_t results[BATCH];
	struct search search = {.kept_only = kept_only};
	int gone = 0, error = -EBUSY;
	uint32_t n;

	n = find_victims(range, pages, nr_victims(range), &search);
	if (search.has_room)
		return 0;
	if (n == 0 && search.moving) {
		range->frames.moving = search.moving;
		return FRAMES_MOVING;
	}
	pages_to_device(range, range->devmem, pages, n, results);
	for (uint32_t i = 0; i < n; i++) {
		if (results[i] > 0)
			gone++;
		else if (results[i] < 0 && results[i] != -EBUSY)
			error = results[i];
		else
			search.moving = pages[i];
	}
	if (gone == 0 && error == -EBUSY && search.moving) {
		/* Somebody was quicker, and took one that nobody had; another one may have none now. */
		range->frames.moving = search.moving;
		return FRAMES_MOVING;
	}
	return gone ? gone : error;
}

/* Migrates some pages away. How many went (0: others made room), or why none did. */
static int evict(devmap_hmm_range *range)
{
	int gone, kept;

	if (!range->devmem)
		return -EBUSY;
	gone = evict_some(range, false);
	if (gone != -ENOSPC || atomic_load_explicit(&range->counts[COUNT_copies], memory_order_relaxed) == 0)
		return gone;
	/* A full device still takes what it has a copy of. */
	kept = evict_some(range, true);
	return kept >= 0 ? kept : gone;
}

int frame_take(devmap_hmm_range *range, devmap_page *page, bool must)
{
	while (!try_take(range, page, false)) {
		int gone = evict(range);

		if (gone >= 0)
			continue;
		if (!must)
			return gone;
		(void)try_take(range, page, true);
		return 0;
	}
	return 0;
}

void frames_wait(devmap_hmm_range *range)
{
	devmap_page *page = range->frames.moving;

	page_lock(page);
	page_unlock(page);
}

int frames_shrink(devmap_hmm_range *range)
{
	struct frames *frames = &range->frames;

	while (frames->nr_used > frames->limit) {
		int gone = evict(range);

		if (gone == FRAMES_MOVING)
			frames_wait(range);
		else if (gone < 0)
			return gone;
	}
	return 0;
}

#endif
