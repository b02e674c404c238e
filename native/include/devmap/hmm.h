/* SPDX-License-Identifier: MIT */
/**
 * @file hmm.h
 * Device memory whose pages data migrate to (migrate.h). After the kernel's <linux/hmm.h>. In a library built without
 * DEVMAP_CONFIG_HMM every function that returns a result answers -EOPNOTSUPP.
 */
#ifndef DEVMAP_HMM_H
#define DEVMAP_HMM_H

#include <devmap/page.h>
#include <devmap/store.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- devices ---------------------------------------------------------------------------------------------------- */

/**
 * A device, after the kernel's hmm_device: a name, a reference count, and the thread that serves CPU faults on the ranges
 * of it (migrate.h).
 */
typedef struct devmap_hmm_device devmap_hmm_device;

/** Longest name of a device in bytes, without the zero. */
#define DEVMAP_HMM_NAME_MAX 63

/** How far a device serves CPU faults. */
typedef enum devmap_hmm_faults {
	/** Not at all: data come back by leases and explicit migration; touching them else is SIGSEGV. */
	DEVMAP_HMM_FAULTS_NONE = 0,
	/**
	 * Those of user mode. A system call that is given memory that is not there, or write-protected (migrate.h), fails with
	 * EFAULT: lease it first.
	 */
	DEVMAP_HMM_FAULTS_USER = 1,
	/** Those of system calls too, as long as they copy; migrate.h says which ones need a lease. */
	DEVMAP_HMM_FAULTS_ALL = 2,
	/** In devmap_hmm_device_config: as far as the system permits. */
	DEVMAP_HMM_FAULTS_AUTO = 3,
} devmap_hmm_faults;

/** What devmap_hmm_device_new() is asked for. Zero-fill it, set `size`, then what differs. */
typedef struct devmap_hmm_device_config {
	/** sizeof(devmap_hmm_device_config) as the caller knows it. */
	uint32_t size;
	/**
	 * A devmap_hmm_faults: what is wanted. USER and ALL fail where the system does not permit them, AUTO takes what it
	 * gets. userfaultfd(2) has the rules: since Linux 5.11 everybody may serve user-mode faults, unless a sandbox
	 * (a container's seccomp profile) forbids it; for those of system calls one needs /dev/userfaultfd, CAP_SYS_PTRACE
	 * or vm.unprivileged_userfaultfd = 1.
	 */
	int32_t faults;
	/** Zero-terminated and copied; NULL for "hmm_device" and a number. */
	const char *name;
	/** The owner's own; devmap_hmm_device_data() returns it. */
	void *data;
	/** Threads that serve faults, from 1 to 16; 0 means 1. More of them overlap slow reads from the device. */
	uint32_t fault_threads;
	/** Must be 0. */
	uint32_t reserved;
} devmap_hmm_device_config;

/**
 * Makes a device with one reference. Any thread.
 * @param device receives it on success, else is left alone.
 * @return 0; -EINVAL for a bad argument or a name that is empty or too long; -EPERM, -ENOSYS, -EOPNOTSUPP where `faults`
 *         is not permitted, or not there, or lacks what is needed (write-protection: Linux 5.7), and
 *         devmap_hmm_faults_advice() says what to do; -ENOMEM, -EAGAIN, -EMFILE.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_device_new(const devmap_hmm_device_config *config,
	devmap_hmm_device **device);

/** Takes another reference on a device that the caller holds one on. */
DEVMAP_API void devmap_hmm_device_get(devmap_hmm_device *device);

/**
 * Drops a reference; NULL is fine. The last one ends the device and its threads: the caller's, and those of its device
 * memory and ranges. Not from a driver's callback.
 */
DEVMAP_API void devmap_hmm_device_put(devmap_hmm_device *device);

/** @return the device's name, zero-terminated, valid while the caller holds a reference. */
DEVMAP_API const char *devmap_hmm_device_name(const devmap_hmm_device *device);

/** @return `data` of its configuration. */
DEVMAP_API void *devmap_hmm_device_data(const devmap_hmm_device *device);

/** @return the devmap_hmm_faults it serves: NONE, USER or ALL. */
DEVMAP_API int32_t devmap_hmm_device_faults(const devmap_hmm_device *device);

/** @return 0 where every kind of fault is served, or why not: the negative errno value, for devmap_hmm_faults_advice(). */
DEVMAP_API int32_t devmap_hmm_device_faults_error(const devmap_hmm_device *device);

/** @return one English sentence, static, that says how to permit faults to be served after @p error. */
DEVMAP_API const char *devmap_hmm_faults_advice(int32_t error);

/* ---- device memory ---------------------------------------------------------------------------------------------- */

/** Device memory, after the kernel's hmm_devmem: a managed pagemap, its driver, and which of its pages are free. */
typedef struct devmap_hmm_devmem devmap_hmm_devmem;

/** One page on its way to or from device memory. */
typedef struct devmap_hmm_copy {
	/** The device page; the library holds a reference. */
	devmap_page *page;
	/** The memory to copy from or to: a page long, the device memory's page size. */
	void *memory;
	/** Out: 0, or a negative errno value; -EBUSY, which speaks of pages in use, is taken for -EIO. */
	int32_t result;
	/** Must be 0. */
	uint32_t reserved;
} devmap_hmm_copy;

/** Bits of a fault's flags. */
typedef enum devmap_hmm_fault_flag {
	/** The CPU writes. */
	DEVMAP_HMM_FAULT_WRITE = 1,
} devmap_hmm_fault_flag;

/** Most pages of one call of copy_to or copy_from. */
#define DEVMAP_HMM_COPY_BATCH 32

/**
 * What a driver of device memory provides. All of it may run while threads of the program stand still in a page fault, a
 * managed thread among them: it must be native code that takes no lock a faulting thread could hold, never calls into a
 * language runtime, and never touches the memory of a range, leases from one, or migrates.
 */
typedef struct devmap_hmm_devmem_ops {
	/**
	 * A page that was allocated is idle: called once for each devmap_hmm_devmem_alloc_page(), on a thread that dropped a
	 * last reference, and seeing all that was done to the page before. On return the page is free to be allocated again.
	 */
	void (*free)(devmap_hmm_devmem *devmem, devmap_page *page);
	/**
	 * The CPU touched @p address, the start of a page of a range, whose data are in @p page. Brings them back by
	 * devmap_hmm_fault_to_ram(), which may be this function itself.
	 * @param flags devmap_hmm_fault_flag bits.
	 * @return 0, or a negative errno value: then the fault ends as the range says (devmap_hmm_range_config.on_error).
	 */
	int (*fault)(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags);
	/**
	 * Copies up to DEVMAP_HMM_COPY_BATCH pages of memory to the device. NULL for memory that the CPU can address
	 * (devmap_hmm_devmem_add_resource()): the library copies; else NULL says that nothing migrates here.
	 */
	void (*copy_to)(devmap_hmm_devmem *devmem, devmap_hmm_copy *copies, uint32_t n);
	/** And back. NULL exactly where copy_to is. */
	void (*copy_from)(devmap_hmm_devmem *devmem, devmap_hmm_copy *copies, uint32_t n);
} devmap_hmm_devmem_ops;

/** What a resource's memory is; the kernel's values of the same names. */
typedef enum devmap_hmm_resource_desc {
	DEVMAP_HMM_IORES_DESC_NONE = 0,
	DEVMAP_HMM_IORES_DESC_DEVICE_PRIVATE_MEMORY = 6,
	DEVMAP_HMM_IORES_DESC_DEVICE_PUBLIC_MEMORY = 7,
} devmap_hmm_resource_desc;

/** A range of memory that somebody has mapped, after the kernel's struct resource. */
typedef struct devmap_hmm_resource {
	/** For people; not read. */
	const char *name;
	/** A multiple of the page size; the caller keeps it mapped, readable and writable until the removal. */
	void *start;
	/** Bytes: a positive multiple of the page size. */
	uint64_t length;
	/** A devmap_hmm_resource_desc. */
	int32_t desc;
	/** Must be 0. */
	uint32_t reserved;
} devmap_hmm_resource;

/**
 * Makes device memory that the CPU cannot address (DEVMAP_MEMORY_DEVICE_PRIVATE): address space that nobody may touch.
 * Holds the gate until its removal; on failure everything is as it was. Any thread.
 * @param ops       copied; `free` and `fault` are required.
 * @param device    whose it is; takes a reference until the removal. NULL for none.
 * @param size      bytes, a positive multiple of the page size.
 * @param page_size bytes: a power of two from 4 KiB to 1 GiB; 0 means 4 KiB. Data migrate between pages of one size.
 * @param data      the driver's own; devmap_hmm_devmem_data() returns it.
 * @param devmem    receives it on success, else is left alone.
 * @return 0, -EINVAL for a bad argument, -ENOMEM, -EOPNOTSUPP without DEVMAP_CONFIG_DEVICE_PRIVATE, -EOVERFLOW as
 *         devmap_pagemap_get_ops().
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_devmem_add(const devmap_hmm_devmem_ops *ops, devmap_hmm_device *device,
	uint64_t size, uint64_t page_size, void *data, devmap_hmm_devmem **devmem);

/**
 * Makes device memory of what the CPU can address (DEVMAP_MEMORY_DEVICE_PUBLIC). As devmap_hmm_devmem_add() else.
 * @return -EINVAL too for a resource whose desc is not DEVICE_PUBLIC_MEMORY, before anything is taken; -EEXIST where
 *         another map has part of the range; -EOPNOTSUPP without DEVMAP_CONFIG_DEVICE_PUBLIC.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_devmem_add_resource(const devmap_hmm_devmem_ops *ops,
	devmap_hmm_device *device, const devmap_hmm_resource *resource, uint64_t page_size, void *data,
	devmap_hmm_devmem **devmem);

/**
 * Makes DEVICE_PRIVATE memory of a store, a page a slot, with a driver of the library's. The store is closed on removal;
 * on failure it stays the caller's. As devmap_hmm_devmem_add() else.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_devmem_add_store(devmap_hmm_device *device, devmap_store *store,
	devmap_hmm_devmem **devmem);

/**
 * Tears device memory down as devmap_memunmap_pages() does: waits until every page is free and every callback has returned,
 * then gives everything back, the handle too. Migrate data back, or remove the ranges they belong to, before.
 * @return as devmap_memunmap_pages(), and -EDEADLK on a thread that serves faults; until it is 0 the device memory stays,
 *         without new pages (devmap_pagemap_resume() on its map opens it again), and the call may be repeated.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_devmem_remove(devmap_hmm_devmem *devmem, int64_t timeout_ns,
	const devmap_cancel *cancel, devmap_busy_report *busy);

/**
 * @return its pagemap, to look at and to take references by; only devmap_hmm_devmem_remove() tears it down. A reference
 *         taken on a free page allocates nothing: the page is not allocated while it lasts, and `free` does not hear of it.
 */
DEVMAP_API devmap_pagemap *devmap_hmm_devmem_pagemap(const devmap_hmm_devmem *devmem);

/** @return the device it was made for, or NULL. */
DEVMAP_API devmap_hmm_device *devmap_hmm_devmem_device(const devmap_hmm_devmem *devmem);

/** @return `data` as it was added with; for memory of a store, the store. */
DEVMAP_API void *devmap_hmm_devmem_data(const devmap_hmm_devmem *devmem);

/** @return the device memory that @p page is of, or NULL for another kind of page. The caller holds a reference. */
DEVMAP_API devmap_hmm_devmem *devmap_hmm_page_devmem(const devmap_page *page);

/**
 * Takes a free page: an idle one becomes one with one reference, the caller's to put. Any thread.
 * @param page receives it on success, else is left alone.
 * @return 0, -EINVAL for NULL, -ENOSPC when no page is free, -ENODEV while it is being removed.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_hmm_devmem_alloc_page(devmap_hmm_devmem *devmem, devmap_page **page);

/** @return pages that are allocated, or whose `free` has not returned, at this moment. */
DEVMAP_API uint64_t devmap_hmm_devmem_pages_used(const devmap_hmm_devmem *devmem);

/** Sets the driver's own word of a page, which the driver holds a reference on or is given. */
DEVMAP_API void devmap_hmm_devmem_page_set_drvdata(devmap_page *page, uint64_t data);

/** @return the driver's own word: 0 on a page that was never used, else as it was set last. */
DEVMAP_API uint64_t devmap_hmm_devmem_page_get_drvdata(const devmap_page *page);

#ifdef __cplusplus
}
#endif

#endif
