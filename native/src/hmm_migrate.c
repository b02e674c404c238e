/* SPDX-License-Identifier: MIT */
/*
 * Moving pages between the memory of a range and device memory.
 *
 * A page is moved by the thread that has it locked. Its count says who else may use it: a page goes to a device only after
 * its count was frozen, which succeeds only when nobody holds a reference, and the count stays frozen until the data are
 * back. So whoever holds a reference has the data in memory, and they stay there. Threads that hold none may be at the
 * memory all the same, where faults are served: while it is copied out it is write-protected, so that nothing written
 * is lost, and what comes back is put in place in one step, so that nobody sees half of it. Such a thread stops in a fault,
 * which waits for the page's lock like everybody else.
 *
 * Nobody waits for a page's lock who has another page of a higher index locked, or serves a fault and has any; and the
 * memory of a range is touched under a lock only where it is resident. So nobody waits for himself.
 */
#include "hmm_internal.h"

#ifdef DEVMAP_CONFIG_HMM

/* ---- a page's lock ---------------------------------------------------------------------------------------------- */

bool page_trylock(devmap_page *page)
{
	if (atomic_load_explicit(&page->flags, memory_order_relaxed) & PAGE_LOCKED)
		return false;
	if (atomic_fetch_or_explicit(&page->flags, PAGE_LOCKED, memory_order_acquire) & PAGE_LOCKED)
		return false;
	nr_locked_pages++;
	return true;
}

static bool try_lock(void *page)
{
	return page_trylock(page);
}

void page_lock(devmap_page *page)
{
	if (!page_trylock(page))
		wait_until(&page->flags, try_lock, page, DEVMAP_WAIT_FOREVER, NULL);
}

void page_unlock(devmap_page *page)
{
	nr_locked_pages--;
	atomic_fetch_and_explicit(&page->flags, ~PAGE_LOCKED, memory_order_release);
	wake_waiters(&page->flags);
}

static void set_flags(devmap_page *page, uint32_t set, uint32_t clear)
{
	if (clear)
		atomic_fetch_and_explicit(&page->flags, ~clear, memory_order_release);
	if (set)
		atomic_fetch_or_explicit(&page->flags, set, memory_order_release);
}

_Atomic(uint64_t) nr_moves;

/* The page is locked, and loses PRESENT and DIRTY: whoever went on because of them needs them no more. */
static void note_move(devmap_page *page)
{
	page->reserved[1] = atomic_fetch_add_explicit(&nr_moves, 1, memory_order_relaxed) + 1;
}

/* ---- pages on their way ------------------------------------------------------------------------------------------ */

struct moving {
	devmap_page *page;
	char *memory;
	/* The device page to copy to or from. */
	devmap_page *device;
	/* Where what comes back is before it is put in place. */
	char *staged;
	/* 1: moves; 0: has nothing to move; negative: stays, or goes back. */
	int32_t result;
	bool frozen;
	bool copies;
	/* Its memory was to be discarded. */
	bool discarding;
};

typedef int step(devmap_hmm_range *range, const struct moving *first, uint64_t length);

/* As adjacent in memory, one request of the system does for both. */
static bool follows(const devmap_hmm_range *range, const struct moving *previous, const struct moving *next)
{
	return next->result == 1 && next->memory == previous->memory + range->page_size;
}

/* Does something to the memory of all pages that move, adjacent ones at once; where that fails, one by one. */
static void for_runs(devmap_hmm_range *range, struct moving *moving, uint32_t n, bool copied_only, step *action)
{
	uint64_t size = range->page_size;

	for (uint32_t i = 0, end; i < n; i = end) {
		end = i + 1;
		if (moving[i].result != 1 || (copied_only && !moving[i].copies))
			continue;
		while (end < n && follows(range, &moving[end - 1], &moving[end]) &&
		       moving[end].copies == moving[i].copies)
			end++;
		if (action(range, &moving[i], (end - i) * size) == 0)
			continue;
		for (uint32_t j = i; j < end; j++) {
			int result = action(range, &moving[j], size);

			if (result != 0)
				moving[j].result = result;
		}
	}
}

/* One event for adjacent pages that moved, and one for each that an error kept from it. */
static void put_events(devmap_hmm_range *range, int32_t kind, const struct moving *moving, uint32_t n, int64_t start)
{
	if (start == 0)
		return;
	for (uint32_t i = 0, end; i < n; i = end) {
		end = i + 1;
		if (moving[i].result == 0 || moving[i].result == -EBUSY)
			continue;
		while (moving[i].result == 1 && end < n && follows(range, &moving[end - 1], &moving[end]))
			end++;
		event_put(range, kind, moving[i].page, end - i, moving[i].result < 0 ? moving[i].result : 0, start, 0);
	}
}

/* ---- to a device ------------------------------------------------------------------------------------------------- */

/* Whether the page is there, used by nobody, and where to copy it to. */
static void out_collect(devmap_hmm_range *range, devmap_hmm_devmem *devmem, struct moving *out)
{
	uint32_t flags = page_flags(out->page);
	devmap_page *kept = device_page_of(out->page);

	out->result = 0;
	if (!(flags & PAGE_PRESENT))
		return;
	if (!page_freeze(out->page)) {
		out->result = -EBUSY;
		range_count(range, COUNT_refused_in_use, 1);
		return;
	}
	out->frozen = true;
	out->result = 1;
	if (!(flags & PAGE_DIRTY) && devmap_hmm_page_devmem(kept) == devmem)
		return;
	out->result = devmap_hmm_devmem_alloc_page(devmem, &out->device);
	if (out->result == 0) {
		out->copies = true;
		out->result = 1;
	}
}

static int out_protect(devmap_hmm_range *range, const struct moving *first, uint64_t length)
{
	return os_faults_protect(&range->device->source, first->memory, length);
}

#define MAX_ERRNO 4095

/* Of what a driver answered. -EBUSY is the library's own answer, for pages in use. */
static int32_t error_of(int32_t result)
{
	return result < 0 && result >= -MAX_ERRNO && result != -EBUSY ? result : -EIO;
}

/* What a driver's copying said, page by page. */
static void results_of(const devmap_hmm_copy *copies, struct moving *const *of, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		if (copies[i].result != 0)
			of[i]->result = error_of(copies[i].result);
}

static void out_copy(devmap_hmm_devmem *devmem, struct moving *moving, uint32_t n)
{
	devmap_hmm_copy copies[BATCH];
	struct moving *of[BATCH];
	uint32_t nr_copies = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (moving[i].result != 1 || !moving[i].copies)
			continue;
		of[nr_copies] = &moving[i];
		copies[nr_copies++] = (devmap_hmm_copy){.page = moving[i].device, .memory = moving[i].memory};
	}
	if (nr_copies == 0)
		return;
	devmem->ops.copy_to(devmem, copies, nr_copies);
	results_of(copies, of, nr_copies);
}

static int out_discard(devmap_hmm_range *range, const struct moving *first, uint64_t length)
{
	return range->faults ? os_discard(first->memory, length) : os_hide(first->memory, length);
}

static void out_finish(devmap_hmm_range *range, struct moving *out)
{
	devmap_page *page = out->page;
	devmap_page *kept = device_page_of(page);

	if (kept)
		range_count(range, COUNT_copies, UINT64_MAX);
	if (out->copies) {
		page->zone_device_data = (uintptr_t)out->device;
		if (kept)
			devmap_put_page(kept);
	} else {
		range_count(range, COUNT_to_device_uncopied, 1);
	}
	note_move(page);
	set_flags(page, 0, PAGE_PRESENT | PAGE_DIRTY | PAGE_ACCESSED);
	frame_give(range, page);
	range_count(range, COUNT_on_device, 1);
	range_count(range, COUNT_to_device, 1);
	if (track_enabled())
		track_event(map_of(range->pgmap), page, DEVMAP_PAGE_EVENT_MIGRATED_AWAY);
}

/*
 * Some of a page was discarded, and the rest refused (locked memory, mlock(2), on some systems): what is missing comes back
 * from the device.
 */
static void out_refill(devmap_hmm_range *range, struct moving *out)
{
	devmap_page *device = out->copies ? out->device : device_page_of(out->page);
	devmap_hmm_devmem *devmem = devmap_hmm_page_devmem(device);
	char *staged = range->faults ? staging_take(range) : out->memory;
	devmap_hmm_copy copy = {.page = device, .memory = staged};
	uint64_t done, one = os_page_size();

	if (!range->faults)
		(void)os_show(out->memory, range->page_size);
	copy.result = staged ? 0 : -ENOMEM;
	if (staged)
		devmem->ops.copy_from(devmem, &copy, 1);
	if (copy.result != 0)
		fault_report(DEVMAP_FAULT_DRIVER, out->page, devmap_page_count(out->page),
			     "part of a page that stays was discarded, and its device, which has it, can't give it back");
	/* Protected as the rest of it still is. What is there (-EEXIST) stays. */
	for (uint64_t i = 0; range->faults && i < range->page_size && copy.result == 0; i += one)
		(void)os_faults_copy(&range->device->source, out->memory + i, staged + i, one, true, &done);
	if (range->faults && staged)
		staging_give(range, staged);
}

static void out_restore(devmap_hmm_range *range, struct moving *out)
{
	if (out->discarding)
		out_refill(range, out);
	if (out->copies) {
		if (range->faults && (page_flags(out->page) & PAGE_DIRTY))
			(void)os_faults_unprotect(&range->device->source, out->memory, range->page_size);
		devmap_put_page(out->device);
	}
	if (out->frozen) {
		page_unfreeze(out->page);
		range_count(range, COUNT_failed, 1);
	}
}

void pages_to_device(devmap_hmm_range *range, devmap_hmm_devmem *devmem, devmap_page **pages, uint32_t n,
		     int32_t *results)
{
	int64_t start = event_start(range);
	struct moving moving[BATCH];

	for (uint32_t i = 0; i < n; i++) {
		moving[i] = (struct moving){.page = pages[i], .memory = range_memory(range, pages[i])};
		out_collect(range, devmem, &moving[i]);
	}
	if (range->faults)
		for_runs(range, moving, n, true, out_protect);
	out_copy(devmem, moving, n);
	for (uint32_t i = 0; i < n; i++)
		moving[i].discarding = moving[i].result == 1;
	for_runs(range, moving, n, false, out_discard);
	for (uint32_t i = 0; i < n; i++) {
		if (moving[i].result == 1)
			out_finish(range, &moving[i]);
		else if (moving[i].result < 0)
			out_restore(range, &moving[i]);
		results[i] = moving[i].result;
		page_unlock(pages[i]);
	}
	put_events(range, DEVMAP_HMM_EVENT_TO_DEVICE, moving, n, start);
}

/* ---- to memory --------------------------------------------------------------------------------------------------- */

static int in_show(devmap_hmm_range *range, const struct moving *first, uint64_t length)
{
	(void)range;
	return os_show(first->memory, length);
}

static void in_copy(struct moving *moving, uint32_t n)
{
	for (uint32_t i = 0, end; i < n; i = end) {
		devmap_hmm_devmem *devmem = devmap_hmm_page_devmem(moving[i].device);
		devmap_hmm_copy copies[BATCH];
		struct moving *of[BATCH];
		uint32_t nr_copies = 0;

		/* One call for those of the same device memory that follow each other. */
		for (end = i; end < n && devmap_hmm_page_devmem(moving[end].device) == devmem; end++) {
			if (moving[end].result != 1)
				continue;
			of[nr_copies] = &moving[end];
			copies[nr_copies++] = (devmap_hmm_copy){.page = moving[end].device, .memory = moving[end].staged};
		}
		if (nr_copies)
			devmem->ops.copy_from(devmem, copies, nr_copies);
		results_of(copies, of, nr_copies);
	}
}

/*
 * Puts what was fetched in its place, adjacent pages at once: each page as a whole, or not at all. The system does that for
 * its own pages; a larger one is write-protected until it is whole, so that what there is of it can be taken away again
 * with nothing written lost.
 */
static void in_place(devmap_hmm_range *range, struct moving *moving, uint32_t n, bool keep)
{
	const os_faults *source = &range->device->source;
	uint64_t size = range->page_size;
	bool large = size > os_page_size();

	for (uint32_t i = 0, end; i < n; i = end) {
		uint64_t done;
		int result;

		end = i + 1;
		if (moving[i].result != 1)
			continue;
		while (end < n && follows(range, &moving[end - 1], &moving[end]))
			end++;
		result = os_faults_copy(source, moving[i].memory, moving[i].staged, (end - i) * size, keep || large, &done);
		/* Where that fails the page stays protected, and the first write to it is a fault that tries again. */
		if (large && !keep && done >= size)
			(void)os_faults_unprotect(source, moving[i].memory, done / size * size);
		if (result == 0)
			continue;
		/* On with the page after the one that failed. */
		end = i + (uint32_t)(done / size) + 1;
		if (done % size)
			(void)os_discard(moving[end - 1].memory, size);
		moving[end - 1].result = result;
	}
}

/* Takes away what stands in the place of the data. */
static void in_unpoison(devmap_hmm_range *range, struct moving *in)
{
	int result;

	if (in->result != 1 || !(page_flags(in->page) & PAGE_POISONED))
		return;
	result = os_faults_unpoison(&range->device->source, in->memory, range->page_size);
	if (result != 0)
		in->result = result;
	else
		/* Now, as a fault on it, should nothing come in its place, would else find nothing to do. */
		set_flags(in->page, 0, PAGE_POISONED);
}

static void in_finish(devmap_hmm_range *range, struct moving *in, bool keep)
{
	devmap_page *page = in->page;

	set_flags(page, PAGE_PRESENT | (keep ? 0 : PAGE_DIRTY), 0);
	if (keep) {
		range_count(range, COUNT_copies, 1);
	} else {
		page->zone_device_data = 0;
		devmap_put_page(in->device);
	}
	if (track_enabled())
		track_event(map_of(range->pgmap), page, DEVMAP_PAGE_EVENT_MIGRATED_BACK);
	page_unfreeze(page);
	range_count(range, COUNT_on_device, UINT64_MAX);
	range_count(range, COUNT_to_ram, 1);
}

static void in_fail(devmap_hmm_range *range, struct moving *in)
{
	if (!range->faults)
		(void)os_hide(in->memory, range->page_size);
	frame_give(range, in->page);
	range_count(range, COUNT_failed, 1);
}

void pages_to_ram(devmap_hmm_range *range, devmap_page **pages, uint32_t n, bool write, int32_t *results)
{
	/* Where nothing is write-protected, nobody hears of a write that makes the copy stale. */
	bool keep = !write && range->faults && (range->flags & DEVMAP_HMM_RANGE_KEEP_COPIES);
	int64_t start = event_start(range);
	char *staged = range->faults ? staging_take(range) : NULL;
	struct moving moving[BATCH];

	for (uint32_t i = 0; i < n; i++) {
		moving[i] = (struct moving){
			.page = pages[i],
			.memory = range_memory(range, pages[i]),
			.device = device_page_of(pages[i]),
			.result = range->faults && !staged ? -ENOMEM : 1,
		};
		moving[i].staged = staged ? staged + i * range->page_size : moving[i].memory;
	}
	if (!range->faults)
		for_runs(range, moving, n, false, in_show);
	in_copy(moving, n);
	if (staged) {
		for (uint32_t i = 0; i < n; i++)
			in_unpoison(range, &moving[i]);
		in_place(range, moving, n, keep);
		staging_give(range, staged);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (moving[i].result == 1)
			in_finish(range, &moving[i], keep);
		else
			in_fail(range, &moving[i]);
		results[i] = moving[i].result;
	}
	put_events(range, DEVMAP_HMM_EVENT_TO_RAM, moving, n, start);
}

int page_fill_hole(devmap_hmm_range *range, devmap_page *page)
{
	int result = 0;

	if (range->faults)
		result = os_faults_zero(&range->device->source, range_memory(range, page), range->page_size);
	/* A process that locks all its memory (mlockall) has it there from the start. */
	if (result == -EEXIST)
		result = 0;
	if (result == 0)
		set_flags(page, PAGE_PRESENT | PAGE_DIRTY, 0);
	return result;
}

int page_make_dirty(devmap_hmm_range *range, devmap_page *page)
{
	devmap_page *kept = device_page_of(page);
	int result = 0;

	if (range->faults)
		result = os_faults_unprotect(&range->device->source, range_memory(range, page), range->page_size);
	if (result != 0)
		return result;
	page->zone_device_data = 0;
	set_flags(page, PAGE_DIRTY, 0);
	range_count(range, COUNT_copies, UINT64_MAX);
	devmap_put_page(kept);
	return 0;
}

#endif
