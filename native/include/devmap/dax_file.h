/* SPDX-License-Identifier: MIT */
/**
 * @file dax_file.h
 * Mapped files whose pages are counted, so that they can be truncated and punched under readers. A file on a DAX file
 * system is mapped with MAP_SYNC, past the page cache; any other file works the same through it. In a library built
 * without DEVMAP_CONFIG_FS_DAX every function answers -EOPNOTSUPP.
 *
 * What is promised: while a lease (references from devmap_dax_file_get_pages()) is held and the file stays claimed
 * through the handle that it came from, nobody who uses this library removes the memory under it. What cannot be:
 * somebody else may truncate the file by other means; then touching what is gone raises SIGBUS, as for any mapping.
 * devmap_dax_file_check() tells. A file that is unlinked stays whole until it is closed. On a copy-on-write file system
 * an allocation made before a write may not last until it.
 */
#ifndef DEVMAP_DAX_FILE_H
#define DEVMAP_DAX_FILE_H

#include <devmap/fs_dax.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A mapped file; opaque. */
typedef struct devmap_dax_file devmap_dax_file;

/** How to open a file, as bits of devmap_dax_file_config.flags. */
typedef enum devmap_dax_file_flag {
	/** Open for reading and writing; else for reading only. */
	DEVMAP_DAX_FILE_WRITE = 1,
	/** Create the file if it does not exist (mode 0666 less the umask); wants DEVMAP_DAX_FILE_WRITE. */
	DEVMAP_DAX_FILE_CREATE = 2,
} devmap_dax_file_flag;

/** What devmap_dax_file_open() is asked for. Zero-fill it, set `size`, then what differs. */
typedef struct devmap_dax_file_config {
	/** sizeof(devmap_dax_file_config) as the caller knows it. */
	uint32_t size;
	/** devmap_dax_file_flag bits. */
	uint32_t flags;
	/**
	 * Bytes of address space to reserve, the most the file can grow to; 0 means the more of 1 GiB and four lengths.
	 */
	uint64_t capacity;
	/** Bytes a page: a power of two from 4 KiB to 1 GiB; 0 means 4 KiB. The capacity is rounded up to it. */
	uint64_t page_size;
} devmap_dax_file_config;

/**
 * Opens and maps a regular file. Nothing is locked until devmap_fs_dax_claim() on its map. Any thread.
 * @param path UTF-8 as the file system has it, zero-terminated.
 * @param file receives the handle on success, else is left alone.
 * @return 0; -EINVAL for a bad argument or a file that is not regular (-EISDIR for a directory); -EFBIG for a file
 *         longer than the capacity; -ENOMEM without address space for the capacity; what open(2) and mmap(2) answer
 *         (-ENOENT, -EACCES, -EROFS, ...; -ENODEV for a file that cannot be mapped).
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_dax_file_open(const char *path, const devmap_dax_file_config *config,
	devmap_dax_file **file);

/**
 * Tears the file's map down as devmap_memunmap_pages() does, ends a claim, unlocks and closes. Unflushed data stays the
 * kernel's to write, as with any mapping. Same arguments, results and retries.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_dax_file_close(devmap_dax_file *file, int64_t timeout_ns,
	const devmap_cancel *cancel, devmap_busy_report *busy);

/**
 * Gives the handle of a closed file back; NULL is fine. @return 0, or -EBUSY with nothing done when it is not closed.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_dax_file_free(devmap_dax_file *file);

/** @return the file's pagemap, for claims and look-ups, valid until devmap_dax_file_free(); NULL for NULL. */
DEVMAP_API devmap_pagemap *devmap_dax_file_pagemap(devmap_dax_file *file);

/** @return bytes in the file, as this handle knows it since the last claim or change; 0 for NULL. Any thread. */
DEVMAP_API uint64_t devmap_dax_file_length(const devmap_dax_file *file);

/** @return bytes of address space reserved: the most the file can grow to; 0 for NULL. */
DEVMAP_API uint64_t devmap_dax_file_capacity(const devmap_dax_file *file);

/** @return whether the file is mapped with MAP_SYNC: persistent memory, no page cache; false for NULL. */
DEVMAP_API bool devmap_dax_file_is_dax(const devmap_dax_file *file);

/**
 * Takes a reference on every page that covers @p length bytes from @p offset. Give them back with devmap_put_pages().
 * @param write     allocate the range's blocks first, so that no write to it meets a full disk.
 * @param page      receives the first page.
 * @param nr_pages  receives the number of pages.
 * @param address   receives the address of the byte at @p offset. All three are left alone on failure.
 * @return 0; -EINVAL for NULL or no bytes; -ERANGE for bytes beyond the file's end; -EACCES for writing a file open for
 *         reading; -ENOSPC, -EDQUOT, -EIO, -EOPNOTSUPP from allocating; -ESTALE for writing a file that somebody else
 *         shortened; -ENODEV, -EAGAIN, -EOVERFLOW as devmap_try_get_page().
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_dax_file_get_pages(devmap_dax_file *file, uint64_t offset, uint64_t length,
	bool write, devmap_page **page, uint64_t *nr_pages, void **address);

/**
 * Sets the file's length. Growing is in place and waits for nobody; the new bytes are a hole that reads as zeros.
 * Shrinking breaks the layouts of every page from the one that holds the new end, if it is not on a page boundary, to
 * the old end. Calls on one file wait for each other. On any failure the file is as it was.
 * @param owner      who claimed the map.
 * @param timeout_ns and
 * @param cancel     bound the wait for readers and for other calls, as devmap_fs_dax_break_layouts().
 * @return 0; -EINVAL for NULL; -EPERM when @p owner has no claim; -EACCES when open for reading; -EFBIG beyond the
 *         capacity; -ESTALE when somebody else changed the file's length; -EBUSY when the caller broke layouts there
 *         itself; -ETIMEDOUT; -ECANCELED; -EDEADLK; -ENODEV; what ftruncate(2) answers.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_dax_file_set_length(devmap_dax_file *file, const void *owner, uint64_t length,
	int64_t timeout_ns, const devmap_cancel *cancel);

/**
 * Gives the blocks of @p length bytes from @p offset back; the range reads as zeros afterwards, the length stays.
 * Breaks the layouts of every page that the range touches. Arguments and results as devmap_dax_file_set_length(), and
 * -EINVAL for no bytes, -ERANGE for bytes beyond the file's end, -EOPNOTSUPP where the file system cannot punch holes.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_dax_file_punch_hole(devmap_dax_file *file, const void *owner, uint64_t offset,
	uint64_t length, int64_t timeout_ns, const devmap_cancel *cancel);

/**
 * Makes what was written to @p length bytes from @p offset durable: cache lines written back on a DAX file, msync(2)
 * else. The caller holds the range, as by a lease. Any thread; blocks.
 * @return 0; -EINVAL for NULL; -ERANGE for bytes beyond the file's end; -ENODEV when closed; what msync(2) answers.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_dax_file_flush(devmap_dax_file *file, uint64_t offset, uint64_t length);

/**
 * Asks the file system whether the file is still as long as this handle knows it.
 * @return 0; -ESTALE when somebody else changed its length; -ENODEV when closed or closing; -EINVAL for NULL; what
 *         fstat(2) answers.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_dax_file_check(devmap_dax_file *file);

#ifdef __cplusplus
}
#endif

#endif
