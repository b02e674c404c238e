/* SPDX-License-Identifier: MIT */
/*
 * Serving the CPU's faults on ranges: each device has threads of its own for it, native ones. The thread that met the fault
 * stands still meanwhile, wherever it is. If it is one of a managed program, a garbage collection waits for it, and
 * every other managed thread for that. So nothing here may wait for managed code, or for a lock that such a thread may
 * hold; and drivers and stores may not either.
 */
#include "hmm_internal.h"

#ifdef DEVMAP_CONFIG_HMM

#include <signal.h>

pthread_mutex_t ranges_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- one fault -------------------------------------------------------------------------------------------------- */

/*
 * The range of this device that has the address, kept from going by its nr_faults. The map that a look-up finds may be
 * gone or another's by now; that it has a range that serves says, under the lock, that it is not.
 */
static devmap_hmm_range *range_find(const devmap_hmm_device *device, uintptr_t address)
{
	devmap_hmm_range *range = NULL;
	struct map *map;

	pthread_mutex_lock(&ranges_lock);
	map = lookup_find(address);
	if (map)
		range = atomic_load(&map->range);
	if (range && (!range->serving || range->device != device || address < (uintptr_t)range->address ||
		      address - (uintptr_t)range->address >= range->length))
		range = NULL;
	if (range)
		atomic_fetch_add(&range->nr_faults, 1);
	pthread_mutex_unlock(&ranges_lock);
	return range;
}

static void range_leave(devmap_hmm_range *range)
{
	const void *key = &range->nr_faults;

	/* The last touch. */
	atomic_fetch_sub(&range->nr_faults, 1);
	wake_waiters(key);
}

static int serve_hole(devmap_hmm_range *range, devmap_page *page)
{
	int result;

	/* Before the thread that waits goes on, as the other kinds. */
	range_count(range, COUNT_faults_hole, 1);
	(void)frame_take(range, page, true);
	result = page_fill_hole(range, page);
	if (result != 0)
		frame_give(range, page);
	return result;
}

/* The page of a range that this thread has asked a driver to bring back. */
static _Thread_local devmap_page *asked_for __attribute__((tls_model("initial-exec")));

static int ask_driver(devmap_hmm_range *range, devmap_page *page, uint32_t flags)
{
	devmap_page *device_page = device_page_of(page);
	devmap_hmm_devmem *devmem = devmap_hmm_page_devmem(device_page);
	int result;

	(void)frame_take(range, page, true);
	asked_for = page;
	result = devmem->ops.fault(devmem, (uintptr_t)range_memory(range, page), device_page, flags);
	asked_for = NULL;
	if (page_flags(page) & PAGE_PRESENT)
		return 0;
	/* Failed before it tried. */
	if (page_flags(page) & PAGE_FRAMED)
		frame_give(range, page);
	return result < 0 ? result : -EIO;
}

/* Puts what the range's owner chose in the place of data that cannot be had; then the thread goes on. */
static void give_up(devmap_hmm_range *range, devmap_page *page, int32_t choice)
{
	const os_faults *source = &range->device->source;
	char *memory = range_memory(range, page);
	int result;

	if (choice == DEVMAP_HMM_ON_ERROR_ZERO_PAGE)
		result = os_faults_zero(source, memory, range->page_size);
	else
		result = os_faults_poison(source, memory, range->page_size);
	if (result == 0)
		atomic_fetch_or(&page->flags, PAGE_POISONED);
	else
		/* It faults again, and all this is tried again. */
		os_faults_wake(source, memory, range->page_size);
}

static int serve_device(devmap_hmm_range *range, devmap_page *page, uint32_t flags)
{
	int32_t choice = range->on_error;
	int result;

	range_count(range, COUNT_faults_device, 1);
	for (;;) {
		result = ask_driver(range, page, flags);
		if (result == 0)
			return 0;
		range_count(range, COUNT_faults_failed, 1);
		if (range->on_error == DEVMAP_HMM_ON_ERROR_HANDLER)
			choice = range->failed(range, (uintptr_t)range_memory(range, page), result, range->data);
		/* A removal does not wait for a driver that may never succeed. */
		if (choice != DEVMAP_HMM_RETRY || atomic_load(&map_of(range->pgmap)->state) != MAP_LIVE)
			break;
	}
	give_up(range, page, choice);
	return result;
}

static int serve_resident(devmap_hmm_range *range, devmap_page *page, const os_fault *fault)
{
	const os_faults *source = &range->device->source;
	char *memory = range_memory(range, page);

	if (fault->write && !(page_flags(page) & PAGE_DIRTY)) {
		range_count(range, COUNT_faults_write, 1);
		page_set_accessed(page);
		return page_make_dirty(range, page);
	}
	range_count(range, COUNT_faults_served_already, 1);
	/* Served by now; or its protection could not be ended before. */
	if (fault->is_protected)
		return os_faults_unprotect(source, memory, range->page_size);
	/* Somebody may have discarded it, against the rules, and gets what madvise(2) promises: zeros. */
	if (os_faults_zero(source, (void *)fault->address, os_page_size()) != 0)
		os_faults_wake(source, memory, range->page_size);
	return 0;
}

/*
 * What the fault says of the page is of a moment that has passed: under the lock, the page says what to do. Not so if the
 * page was sent away since then. Who met the fault may have gone on long ago, by a lease or another fault: nobody waits, and
 * nothing must come back for it. Or somebody does, and meets a new fault.
 */
static void serve(devmap_hmm_range *range, const os_fault *fault, uint64_t move)
{
	uint64_t index = (fault->address - (uintptr_t)range->address) / range->page_size;
	devmap_page *page = map_page(map_of(range->pgmap), index);
	uint32_t flags = fault->write ? DEVMAP_HMM_FAULT_WRITE : 0;
	int64_t start = event_start(range);
	int result;

	page_lock(page);
	if (page->reserved[1] > move) {
		range_count(range, COUNT_faults_served_already, 1);
		os_faults_wake(&range->device->source, range_memory(range, page), range->page_size);
		page_unlock(page);
		return;
	}
	if (page_flags(page) & PAGE_PRESENT)
		result = serve_resident(range, page, fault);
	else if (page_flags(page) & PAGE_POISONED)
		/* It has what stands in for its data, or raises SIGBUS. */
		result = -EIO;
	else if (page->zone_device_data)
		result = serve_device(range, page, flags);
	else
		result = serve_hole(range, page);
	if (result != 0)
		os_faults_wake(&range->device->source, range_memory(range, page), range->page_size);
	page_unlock(page);
	event_put(range, DEVMAP_HMM_EVENT_FAULT, page, 1, result, start, flags);
}

int devmap_hmm_fault_to_ram(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags)
{
	devmap_page *of = asked_for;
	devmap_hmm_range *range;
	int32_t result;

	if (!devmem || !page || !of || (page_flags(of) & PAGE_PRESENT) || device_page_of(of) != page ||
	    devmap_hmm_page_devmem(page) != devmem)
		return -EINVAL;
	range = atomic_load(&map_of(devmap_page_pagemap(of))->range);
	if ((uintptr_t)range_memory(range, of) != address)
		return -EINVAL;
	/* Not the first try. */
	if (!(page_flags(of) & PAGE_FRAMED))
		(void)frame_take(range, of, true);
	pages_to_ram(range, &of, 1, flags & DEVMAP_HMM_FAULT_WRITE, &result);
	return result < 0 ? result : 0;
}

/* ---- the threads ------------------------------------------------------------------------------------------------ */

static void serve_or_wake(const devmap_hmm_device *device, const os_fault *fault, uint64_t move)
{
	devmap_hmm_range *range = range_find(device, fault->address);

	if (range) {
		serve(range, fault, move);
		range_leave(range);
	} else {
		/* Of a range that is gone: what is there now says what happens. */
		os_faults_wake(&device->source, (void *)fault->address, os_page_size());
	}
}

static void *serve_device_faults(void *context)
{
	devmap_hmm_device *device = context;
	/* Several threads take one fault each, so that none waits behind another. */
	os_fault faults[8];
	uint32_t capacity = device->nr_threads > 1 ? 1 : sizeof(faults) / sizeof(faults[0]);

	serving_faults = true;
	for (;;) {
		/*
		 * Before the faults are taken. The kernel takes a fault from its list, under its lock, when the page comes: so
		 * a move after that one is after this load, and has a higher number. (A thread that finds the page there as
		 * it is about to wait leaves the list by itself, maybe after the move: then a page comes for nobody.)
		 */
		uint64_t move = atomic_load_explicit(&nr_moves, memory_order_acquire);
		int n = os_faults_take(&device->source, faults, capacity);

		for (int i = 0; i < n; i++)
			serve_or_wake(device, &faults[i], move);
		/* Faults often come one after the other: then there is one without waiting. */
		if (n <= 0 && !os_faults_wait(&device->source))
			return NULL;
	}
}

static void stop_threads(devmap_hmm_device *device, uint32_t n)
{
	os_faults_stop(&device->source);
	for (uint32_t i = 0; i < n; i++)
		pthread_join(device->threads[i], NULL);
}

static int start_threads(devmap_hmm_device *device)
{
	sigset_t all, before;
	uint32_t n = 0;
	int result = 0;

	/* The process's signals are for its own threads. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (; n < device->nr_threads && result == 0; n += result == 0)
		result = -pthread_create(&device->threads[n], NULL, serve_device_faults, device);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (result != 0)
		stop_threads(device, n);
	return result;
}

/* Opens what is wanted, or the best there is, and notes why that is not all. */
static int open_source(devmap_hmm_device *device, int32_t wanted)
{
	int result;

	if (wanted != DEVMAP_HMM_FAULTS_USER) {
		result = os_faults_open(true, &device->source);
		if (result == 0) {
			device->faults = DEVMAP_HMM_FAULTS_ALL;
			return 0;
		}
		device->faults_error = result;
		if (wanted == DEVMAP_HMM_FAULTS_ALL)
			return result;
	}
	result = os_faults_open(false, &device->source);
	if (result == 0)
		device->faults = DEVMAP_HMM_FAULTS_USER;
	else
		device->faults_error = result;
	return wanted == DEVMAP_HMM_FAULTS_USER ? result : 0;
}

int device_start_faults(devmap_hmm_device *device, int32_t wanted, uint32_t nr_threads)
{
	int result;

	device->faults = DEVMAP_HMM_FAULTS_NONE;
	if (wanted == DEVMAP_HMM_FAULTS_NONE)
		return 0;
	result = open_source(device, wanted);
	if (result != 0 || device->faults == DEVMAP_HMM_FAULTS_NONE)
		return result;
	device->nr_threads = nr_threads;
	result = start_threads(device);
	if (result != 0)
		os_faults_close(&device->source);
	return result;
}

void device_stop_faults(devmap_hmm_device *device)
{
	if (device->faults == DEVMAP_HMM_FAULTS_NONE)
		return;
	stop_threads(device, device->nr_threads);
	os_faults_close(&device->source);
}

#endif
