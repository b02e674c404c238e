/* SPDX-License-Identifier: MIT */
/**
 * @file store.h
 * Stores: what holds the data of device pages. A store is an array of slots of one page each; another kind of device is one
 * more source file that fills in a devmap_store. hmm.h makes device memory of one.
 */
#ifndef DEVMAP_STORE_H
#define DEVMAP_STORE_H

#include <devmap/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct devmap_store devmap_store;

/** One page on its way to or from a store. */
typedef struct devmap_store_io {
	/** The slot, below the store's nr_slots. */
	uint64_t slot;
	/** The page's memory, a multiple of 4 KiB, the store's page size long. */
	void *memory;
	/** Out: 0, or a negative errno value; -EINVAL where another field is not as it says here. */
	int32_t result;
	/** Must be 0. */
	uint32_t reserved;
} devmap_store_io;

/**
 * What a store does. The functions are called from any threads at once, but for one slot from one thread at a time. They
 * run while threads of the program stand still in a page fault, a managed thread among them: they call nothing that could
 * wait for such a thread, and never into a language runtime. One page's failure is its own `result` and nobody else's.
 */
typedef struct devmap_store_ops {
	/** Stores @p n pages. What a slot held is kept where the write of it fails before anything was written. */
	void (*write)(devmap_store *store, devmap_store_io *ios, uint32_t n);
	/**
	 * Fetches @p n pages from slots that were written. On failure a page's memory holds nothing of use: -EIO where the
	 * data are damaged or gone, -EINVAL for a slot that holds nothing where the store knows that; a file does not.
	 */
	void (*read)(devmap_store *store, devmap_store_io *ios, uint32_t n);
	/** What the slot holds is not needed any more. One that holds nothing, or is none, may be given. */
	void (*discard)(devmap_store *store, uint64_t slot);
	/** @return bytes that the store takes, for people to read. */
	uint64_t (*bytes_used)(devmap_store *store);
	/** Gives the store and all it holds back. No other call is in progress or follows. */
	void (*close)(devmap_store *store);
} devmap_store_ops;

/** A store, the first member of what each kind makes of it. The fields are constant while it lives. */
struct devmap_store {
	const devmap_store_ops *ops;
	/** Bytes of a slot: a power of two from 4 KiB to 1 GiB. */
	uint64_t page_size;
	/** Slots, at least 1. */
	uint64_t nr_slots;
};

/** How to open a file as a store, as bits. */
typedef enum devmap_store_file_flag {
	/** Go through the page cache even where the file could do without (O_DIRECT). */
	DEVMAP_STORE_FILE_CACHED = 1,
	/** Remove the file's name once it is open: its blocks are given back when the store is closed, or the process ends. */
	DEVMAP_STORE_FILE_UNLINK = 2,
} devmap_store_file_flag;

/**
 * Opens a store in plain memory: what is written to it is copied, and takes as much as it is long. For tests, and as the
 * yardstick for others.
 * @param store receives it on success, else is left alone; end it with devmap_store_close().
 * @return 0, -EINVAL for NULL, a page size that is none or no slots, -ENOMEM.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_store_memory_open(uint64_t nr_slots, uint64_t page_size, devmap_store **store);

/**
 * Opens a store that compresses pages into memory with LZ4 (liblz4.so.1, loaded when the first such store is opened). A
 * page that does not get smaller is kept as it is. What is told as used are the pages, compressed.
 * @return as devmap_store_memory_open(), and -EINVAL for pages beyond 64 MiB, -ELIBACC where liblz4 cannot be loaded (on
 *         Debian: apt-get install liblz4-1). Writing answers -ENOMEM where memory is out.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_store_lz4_open(uint64_t nr_slots, uint64_t page_size, devmap_store **store);

/**
 * Opens a store in a file, which it makes (mode 0600) or takes over: all of its blocks are allocated now, so that writing
 * never meets a full disk, and what it held is lost, also where opening fails later. One store at a time has the file: an
 * advisory lock says so, which excludes claims of a devmap_dax_file's map too. The data are of use to this store only, and
 * not flushed to the medium. Where opening fails, a file that it made is removed again. Neighbouring slots of a batch are
 * written and read in one go, in whatever order they come.
 * @param path  UTF-8 as the file system has it, zero-terminated.
 * @param flags devmap_store_file_flag bits.
 * @return as devmap_store_memory_open(), and -EINVAL for other flags or a file that is not regular, -EISDIR, -EBUSY where
 *         another store has the file, -ENOSPC, -EFBIG; what open(2) and fallocate(2) answer.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_store_file_open(const char *path, uint32_t flags, uint64_t nr_slots,
	uint64_t page_size, devmap_store **store);

/**
 * @return whether the store file is read and written past the page cache. False where the file system does not let it, for
 *         one in tmpfs, which is the page cache, for another kind of store, and for NULL.
 */
DEVMAP_API bool devmap_store_file_is_direct(const devmap_store *store);

/** @return bytes that the store takes now: of memory, or of its file; 0 for NULL. Any thread. */
DEVMAP_API uint64_t devmap_store_bytes_used(devmap_store *store);

/** Closes a store that no device memory has taken over; NULL is fine. */
DEVMAP_API void devmap_store_close(devmap_store *store);

#ifdef __cplusplus
}
#endif

#endif
