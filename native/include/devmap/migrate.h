/* SPDX-License-Identifier: MIT */
/**
 * @file migrate.h
 * Ranges: ordinary memory whose pages migrate to device memory (hmm.h) and come back when they are leased, asked for, or
 * touched by the CPU. After the kernel's <linux/migrate.h> and its hmm_range.
 *
 * A page of a range is in one of these places, and one thread at a time moves it:
 *
 *     hole        never used: reads as zeros
 *     resident    in memory; with or without a copy on the device that is still good
 *     device      on the device only; not in memory
 *
 * The pages of a range are those of a pagemap of type HOST, and their counts are what forbids migration: a page with a count
 * of 1, the owner's, may migrate, and one in use does not. While its data are on the device, or on their way, the count
 * is 0 (frozen, as the kernel's page_ref_freeze()) and the page cannot be taken through its map: -EAGAIN.
 *
 * What nobody may do to the memory of a range: unmap, remap, protect or discard it (munmap, mremap, mprotect, madvise); a
 * page that was discarded and then migrates may stop its device's threads for good. A child of fork(2) does not have it:
 * touching it there is SIGSEGV; the parent is not concerned. (What the caller had said of a fork itself, by MADV_DONTFORK
 * or MADV_WIPEONFORK, is lost.) Locking memory (mlock(2)) keeps no page from migrating, a lease does; where no fault is
 * served, and before Linux 5.18, locked pages answer -EINVAL.
 *
 * Who works on unleased memory by other means than the CPU's own loads and stores has no promise: direct I/O (O_DIRECT),
 * registered buffers of io_uring, vmsplice and RDMA hold a page that migrates meanwhile, and what they write to it is lost.
 * Lease first. An instruction that touches more pages at once than the resident limit has never completes: leave it 16.
 */
#ifndef DEVMAP_MIGRATE_H
#define DEVMAP_MIGRATE_H

#include <devmap/hmm.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A range; opaque. */
typedef struct devmap_hmm_range devmap_hmm_range;

/**
 * What happens to the thread that touched a page whose data cannot be brought back. In every case it is counted and the
 * data stay on the device: a lease or a migration tries again, and succeeds once the device does. (An access by plain
 * pointer does not try again while the page is a zero page.)
 */
typedef enum devmap_hmm_on_error {
	/**
	 * SIGBUS, as in the kernel, for this and every later access until a lease or a migration has brought the data back.
	 * (SIGSEGV on systems without UFFDIO_POISON, before Linux 6.6.) A system call answers EFAULT or EHWPOISON.
	 */
	DEVMAP_HMM_ON_ERROR_SIGBUS = 0,
	/**
	 * The page reads as zeros; an event and the counter faults_failed tell. What is written to it meanwhile is lost when
	 * the data come back.
	 */
	DEVMAP_HMM_ON_ERROR_ZERO_PAGE = 1,
	/** The range's `failed` is asked. */
	DEVMAP_HMM_ON_ERROR_HANDLER = 2,
} devmap_hmm_on_error;

/** What a range's `failed` answers besides a devmap_hmm_on_error of SIGBUS or ZERO_PAGE: ask the driver again. */
#define DEVMAP_HMM_RETRY 3

/** How a range is kept, as bits of devmap_hmm_range_config.flags. */
typedef enum devmap_hmm_range_flag {
	/**
	 * Keep the copy on the device when data come back to be read, until they are written: migrating the page again then
	 * copies nothing. Such a page is write-protected, and the first write to it is a fault; a lease for writing
	 * ends the protection before. On a device that serves no faults no copy is kept.
	 */
	DEVMAP_HMM_RANGE_KEEP_COPIES = 1,
} devmap_hmm_range_flag;

/** What devmap_hmm_range_add() is asked for. Zero-fill it, set `size`, then what differs. */
typedef struct devmap_hmm_range_config {
	/** sizeof(devmap_hmm_range_config) as the caller knows it. */
	uint32_t size;
	/** devmap_hmm_range_flag bits. */
	uint32_t flags;
	/** A devmap_hmm_on_error. */
	int32_t on_error;
	/** Events to keep for devmap_hmm_range_wait_events(), up to 2^20; older ones are lost, and counted. 0: no events. */
	uint32_t event_capacity;
	/** The device whose threads serve the CPU's faults; takes a reference. */
	devmap_hmm_device *device;
	/**
	 * Where pages migrate to when the resident limit wants it, and where devmap_hmm_migrate_to_device() is not told. NULL
	 * for no such place, which needs a limit of 0. Its page size is the range's. It outlives the range.
	 */
	devmap_hmm_devmem *devmem;
	/**
	 * The memory: private and anonymous, readable and writable, a multiple of the page size; or NULL for memory that the
	 * library maps. What it holds is resident. The caller keeps it mapped until the removal.
	 */
	void *address;
	/** Bytes: a positive multiple of the page size. */
	uint64_t length;
	/** Bytes a page: a power of two from 4 KiB to 1 GiB; 0 means that of `devmem`, or 4 KiB. */
	uint64_t page_size;
	/**
	 * Most bytes that are resident, a multiple of the page size; 0 for no limit. It is exceeded only where all that is
	 * resident is in use, or on its way, or cannot be copied out, and a fault has to be served none the less (counted:
	 * over_limit).
	 */
	uint64_t resident_limit;
	/**
	 * For DEVMAP_HMM_ON_ERROR_HANDLER: says what to do about a page that cannot be brought back; on a thread that serves
	 * faults, as devmap_hmm_devmem_ops.fault.
	 * @return a devmap_hmm_on_error of SIGBUS or ZERO_PAGE, or DEVMAP_HMM_RETRY; anything else means SIGBUS.
	 */
	int32_t (*failed)(devmap_hmm_range *range, uintptr_t address, int32_t error, void *data);
	/** Given to `failed`. */
	void *data;
} devmap_hmm_range_config;

/**
 * Makes a range. Any thread, but no other thread uses the memory before it returns.
 * @param range receives it on success, else is left alone.
 * @return 0; -EINVAL for a bad argument, a page size below the system's, or memory that is not private and anonymous (a file's or shared memory has other
 *         users, who would not see that a page went); -EEXIST where another map has part of it; -EBUSY where somebody else serves
 *         faults on it; -ENOMEM; what opening /proc/self/pagemap answers, for memory of the caller's.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_range_add(const devmap_hmm_range_config *config, devmap_hmm_range **range);

/**
 * Tears a range down: stops new leases and waits for those that are out, as devmap_memunmap_pages(). The caller's own memory then
 * gets its data back and is ordinary memory again; the library's goes, with its data, and a thread that touches it meets
 * SIGSEGV. Faults are served until then.
 * @return 0; as devmap_memunmap_pages(); or what bringing a page back answered (-EIO, ...): the range stays then, without
 *         new leases (devmap_hmm_range_resume()), and the call may be repeated.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_range_remove(devmap_hmm_range *range, int64_t timeout_ns,
	const devmap_cancel *cancel, devmap_busy_report *busy);

/**
 * Lets a range take leases again after a removal that failed. @return as devmap_pagemap_resume().
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_range_resume(devmap_hmm_range *range);

/**
 * Gives the handle of a removed range back; NULL is fine. Between devmap_hmm_range_remove() and this call every function on
 * the handle answers -ENODEV, so that threads that race with the removal are told, not hurt.
 * @return 0, or -EBUSY with nothing done when it is not removed.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_range_free(devmap_hmm_range *range);

/** @return the range's pages, to look at; only devmap_hmm_range_remove() tears them down. */
DEVMAP_API devmap_pagemap *devmap_hmm_range_pagemap(const devmap_hmm_range *range);

/** @return the range's first byte. */
DEVMAP_API void *devmap_hmm_range_address(const devmap_hmm_range *range);

/* ---- leases ----------------------------------------------------------------------------------------------------- */

/**
 * Brings pages in and takes a reference on each: on all of them or on none. Until devmap_put_pages() they stay resident, and
 * touching them is no fault; writing is none where @p write was asked for. Blocks while a page is on its way.
 * @param page receives the first page; the others follow it in memory.
 * @return 0; -EINVAL for NULL or no pages; -ERANGE for pages outside the range; -ENODEV while it is being removed; -EBUSY
 *         when the resident limit does not allow it, because of what else is in use; what the device answered (-EIO, ...),
 *         with the data still there; -ENOSPC when the device is full and nothing can make room.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_range_get_pages(devmap_hmm_range *range, uint64_t first_page,
	uint64_t nr_pages, bool write, devmap_page **page);

/**
 * devmap_hmm_range_get_pages() of one page as far as that neither blocks nor calls anything back, for language layers to
 * which each of these would cost a transition. Any thread.
 * @return the page, or NULL with nothing taken: devmap_hmm_range_get_pages() then takes it or says why not.
 */
DEVMAP_API DEVMAP_MUST_CHECK devmap_page *devmap_hmm_range_get_page_fast(devmap_hmm_range *range, uint64_t index,
	bool write);

/* ---- migration -------------------------------------------------------------------------------------------------- */

/** What a migration did, by page. */
typedef struct devmap_hmm_migration {
	/** Moved. */
	uint64_t migrated;
	/** Had nothing to move: holes, and pages that were there already. */
	uint64_t absent;
	/** Stayed because their count was above the owner's. */
	uint64_t in_use;
	/** Stayed because of an error. */
	uint64_t failed;
	/** The first page that stayed, when there is one. */
	uint64_t first_failed;
	/** Why it did: 0 when none did, else as the function's result. */
	int32_t error;
	uint32_t reserved;
} devmap_hmm_migration;

/**
 * Migrates pages to device memory. Each page by itself: collected (its count frozen, writes held off), given a device page,
 * copied, switched, finished; or restored as it was where one of these failed. Blocks. Not from a driver's callback.
 * @param devmem  where to, or NULL for the range's.
 * @param results NULL, or @p nr_pages results: 1 moved, 0 nothing to move, negative as the function's result.
 * @param summary NULL, or receives the sums; it is filled whenever the arguments were good.
 * @return 0 when every page moved or had nothing to move, else why the first that stayed did: -EBUSY in use, -ENOSPC the
 *         device is full, -EIO and others what the device answered; -EINVAL for a bad argument, -EOPNOTSUPP for device
 *         memory that cannot be copied to, -ERANGE for pages outside the range, -ENODEV during a removal, -EDEADLK on a
 *         thread that serves faults.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_migrate_to_device(devmap_hmm_range *range, devmap_hmm_devmem *devmem,
	uint64_t first_page, uint64_t nr_pages, int32_t *results, devmap_hmm_migration *summary);

/** Brings pages back to memory, within the resident limit: -EBUSY as devmap_hmm_range_get_pages(). As its counterpart else. */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_migrate_to_ram(devmap_hmm_range *range, uint64_t first_page,
	uint64_t nr_pages, int32_t *results, devmap_hmm_migration *summary);

/**
 * Brings the one page back that a driver's `fault` was called for: from inside it, with its arguments.
 * @return 0, or what the copy answered; -EINVAL outside of a fault.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_fault_to_ram(devmap_hmm_devmem *devmem, uintptr_t address,
	devmap_page *page, uint32_t flags);

/** Changes the resident limit, in bytes as in the configuration, and migrates what is above it as far as that can go. */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_range_set_limit(devmap_hmm_range *range, uint64_t resident_limit);

/* ---- what there is to see --------------------------------------------------------------------------------------- */

/** Where a page is, and how, as bits of a snapshot. 0 is a hole. */
typedef enum devmap_hmm_page_state {
	/** In memory. */
	DEVMAP_HMM_PAGE_RESIDENT = 1,
	/** Differs from what the device has, or the device has nothing: a resident page that may be written without a fault. */
	DEVMAP_HMM_PAGE_DIRTY = 2,
	/** On a device: the only place, or a copy when RESIDENT too. */
	DEVMAP_HMM_PAGE_DEVICE = 4,
	/** That device memory is CPU-addressable (DEVICE_PUBLIC). */
	DEVMAP_HMM_PAGE_PUBLIC = 8,
	/** In use: its count is above the owner's. */
	DEVMAP_HMM_PAGE_PINNED = 16,
	/** Its data could not be brought back when the CPU touched it: touching it is SIGBUS, or reads zeros. */
	DEVMAP_HMM_PAGE_POISONED = 32,
} devmap_hmm_page_state;

/**
 * Tells where each of @p nr_pages pages is: one byte a page of devmap_hmm_page_state bits, each that of one moment.
 * @return 0, -EINVAL for NULL, -ERANGE for pages outside the range, -ENODEV.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_range_snapshot(devmap_hmm_range *range, uint64_t first_page,
	uint64_t nr_pages, uint8_t *states);

/** What a range counts; pages and faults, from its start. New ones go to the end. */
typedef struct devmap_hmm_range_stats {
	/** CPU faults served, of each kind: on a hole; on data on the device; a write to a page with a kept copy. */
	uint64_t faults_hole;
	uint64_t faults_device;
	uint64_t faults_write;
	/**
	 * Faults that another one, or a lease, had served by the time they were looked at, or whose page had been sent away since;
	 * then who still wants it meets a new fault, which is counted too.
	 */
	uint64_t faults_served_already;
	/** Faults whose driver failed. */
	uint64_t faults_failed;
	/** Pages migrated to a device, and of these, those that a kept copy spared the copying. */
	uint64_t to_device;
	uint64_t to_device_uncopied;
	/** Pages migrated to memory, by faults, leases and requests. */
	uint64_t to_ram;
	/** Pages that did not migrate: in use; by an error. */
	uint64_t refused_in_use;
	uint64_t failed;
	/** Pages made resident beyond the limit. */
	uint64_t over_limit;
	/** Pages now: resident; of these, with a kept copy; on a device only. */
	uint64_t resident;
	uint64_t copies;
	uint64_t on_device;
	/** Pages that may be resident. */
	uint64_t limit;
} devmap_hmm_range_stats;

/** Reads them, not of one instant. @p size as in devmap_stats_read(). @return 0, -EINVAL for NULL. */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_range_stats_read(devmap_hmm_range *range, devmap_hmm_range_stats *stats,
	uint32_t size);

/** Kinds of event. */
typedef enum devmap_hmm_event_kind {
	/** A CPU fault was served, or failed. */
	DEVMAP_HMM_EVENT_FAULT = 0,
	/** Adjacent pages migrated to a device; or one did not, for an error. */
	DEVMAP_HMM_EVENT_TO_DEVICE = 1,
	/** And to memory. */
	DEVMAP_HMM_EVENT_TO_RAM = 2,
} devmap_hmm_event_kind;

/** Something that has happened. */
typedef struct devmap_hmm_event {
	/** A devmap_hmm_event_kind. */
	int32_t kind;
	/** 0, or the negative errno value it failed with. */
	int32_t error;
	/** The pages. */
	uint64_t first_page;
	uint64_t nr_pages;
	/** When it was over: nanoseconds of CLOCK_MONOTONIC. */
	int64_t time_ns;
	/** How long it took. */
	int64_t duration_ns;
	/** Of a fault, devmap_hmm_fault_flag bits. */
	uint32_t flags;
	uint32_t reserved;
} devmap_hmm_event;

/**
 * Waits until there are events, and takes the oldest of them. One thread at a time.
 * @param lost receives how many were lost since the last call because nobody took them in time.
 * @return how many were taken, at least 1; -ETIMEDOUT; -ECANCELED; -ENODEV for a removed range whose events are all taken;
 *         -EINVAL for NULL, no room, or a range without events.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_range_wait_events(devmap_hmm_range *range, devmap_hmm_event *events,
	uint32_t capacity, int64_t timeout_ns, const devmap_cancel *cancel, uint64_t *lost);

#ifdef __cplusplus
}
#endif

#endif
