/* SPDX-License-Identifier: MIT */
#include "store_internal.h"

#include <stdlib.h>

struct file_store {
	devmap_store public;
	int file;
	bool direct;
};

static struct file_store *file_store_of(devmap_store *store)
{
	return (struct file_store *)store;
}

/* ---- transfers -------------------------------------------------------------------------------------------------- */

/* Transfers pages of consecutive slots in one go. */
static void transfer_run(const struct file_store *store, bool write, devmap_store_io *const *run, uint32_t n)
{
	uint64_t page_size = store->public.page_size;
	void *pages[OS_TRANSFER_MAX];
	uint32_t done;
	int result;

	for (uint32_t i = 0; i < n; i++)
		pages[i] = run[i]->memory;
	result = os_file_transfer(store->file, write, pages, n, page_size, run[0]->slot * page_size, &done);
	if (n == 1)
		run[0]->result = result;
	else /* What was not done is tried one by one: a bad page is not its neighbours' failure. */
		for (uint32_t i = done; i < n; i++)
			transfer_run(store, write, &run[i], 1);
}

/* Sorts the pages that can be transferred by slot, keeping the order of those of one slot: how many. */
static uint32_t sort(const devmap_store *store, devmap_store_io *ios, uint32_t n, devmap_store_io **sorted)
{
	uint32_t nr_sorted = 0;

	for (devmap_store_io *io = ios; io < ios + n; io++) {
		uint32_t i;

		if (!store_io_begin(store, io))
			continue;
		for (i = nr_sorted++; i > 0 && sorted[i - 1]->slot > io->slot; i--)
			sorted[i] = sorted[i - 1];
		sorted[i] = io;
	}
	return nr_sorted;
}

static void transfer(devmap_store *public, bool write, devmap_store_io *ios, uint32_t n)
{
	devmap_store_io *sorted[OS_TRANSFER_MAX];
	uint32_t batch;

	for (; n > 0; ios += batch, n -= batch) {
		uint32_t nr_sorted, first, end;

		batch = n < OS_TRANSFER_MAX ? n : OS_TRANSFER_MAX;
		nr_sorted = sort(public, ios, batch, sorted);
		for (first = 0; first < nr_sorted; first = end) {
			end = first + 1;
			while (end < nr_sorted && sorted[end]->slot == sorted[end - 1]->slot + 1)
				end++;
			transfer_run(file_store_of(public), write, &sorted[first], end - first);
		}
	}
}

static void file_write(devmap_store *public, devmap_store_io *ios, uint32_t n)
{
	transfer(public, true, ios, n);
}

static void file_read(devmap_store *public, devmap_store_io *ios, uint32_t n)
{
	transfer(public, false, ios, n);
}

/* Blocks stay allocated, for the slot's next page. */
static void file_discard(devmap_store *public, uint64_t slot)
{
	(void)public;
	(void)slot;
}

static uint64_t file_bytes_used(devmap_store *public)
{
	return public->nr_slots * public->page_size;
}

static void file_close(devmap_store *public)
{
	struct file_store *store = file_store_of(public);

	/* Not left to the close: a child of fork() may have the file open as well. */
	os_file_unlock(store->file);
	os_file_close(store->file);
	free(store);
}

static const devmap_store_ops file_ops = {
	.write = file_write,
	.read = file_read,
	.discard = file_discard,
	.bytes_used = file_bytes_used,
	.close = file_close,
};

bool devmap_store_file_is_direct(const devmap_store *store)
{
	return store && store->ops == &file_ops && ((const struct file_store *)store)->direct;
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

/*
 * Goes past the page cache if the file lets a page of the smallest size, at an address that is aligned to it and no
 * better, be written and read so. Some only tell when it is tried.
 */
static int try_direct(struct file_store *store)
{
	uint64_t length = 2 * os_page_size();
	uint32_t done;
	void *memory, *page;
	int result;

	if (os_file_set_direct(store->file, true) != 0)
		return 0;
	result = os_reserve(length, length, OS_READ_WRITE, &memory);
	if (result != 0)
		return result;
	page = (char *)memory + MIN_PAGE_SIZE;
	result = os_file_transfer(store->file, true, &page, 1, MIN_PAGE_SIZE, 0, &done);
	if (result == 0)
		result = os_file_transfer(store->file, false, &page, 1, MIN_PAGE_SIZE, 0, &done);
	os_unmap(memory, length);
	store->direct = result == 0;
	return result == -EINVAL || result == -EOPNOTSUPP ? os_file_set_direct(store->file, false) : result;
}

/* Makes the file, which is locked, that of the store. */
static int set_up(struct file_store *store, const char *path, uint32_t flags)
{
	int result;

	/* A store that had it may have removed its name between our opening it and our locking it. */
	if (!os_file_is_at(store->file, path))
		return -EBUSY;
	result = os_file_set_length(store->file, 0);
	if (result == 0)
		result = os_file_extend(store->file, file_bytes_used(&store->public));
	if (result == 0 && !(flags & DEVMAP_STORE_FILE_CACHED))
		result = try_direct(store);
	if (result == 0 && (flags & DEVMAP_STORE_FILE_UNLINK))
		result = os_file_remove(path);
	/* What did get allocated is given back; the file is empty by now in any case. */
	if (result != 0)
		(void)os_file_set_length(store->file, 0);
	return result;
}

static int file_open(struct file_store *store, const char *path, uint32_t flags)
{
	bool created, locked;
	int result;

	result = os_file_make(path, &store->file, &created);
	if (result != 0)
		return result;
	result = os_file_lock(store->file, true);
	locked = result == 0;
	if (locked)
		result = set_up(store, path, flags);
	if (result == 0)
		return 0;
	/* -EBUSY: another store came first and has the file, even where this one made it. */
	if (created && result != -EBUSY && os_file_is_at(store->file, path))
		(void)os_file_remove(path);
	if (locked)
		os_file_unlock(store->file);
	os_file_close(store->file);
	return result;
}

int devmap_store_file_open(
	const char *path, uint32_t flags, uint64_t nr_slots, uint64_t page_size, devmap_store **store)
{
	const uint32_t known = DEVMAP_STORE_FILE_CACHED | DEVMAP_STORE_FILE_UNLINK;
	struct file_store *opened;
	int result = store_check(nr_slots, page_size, store);

	if (result != 0 || !path || (flags & ~known))
		return -EINVAL;
	if (nr_slots > INT64_MAX / page_size)
		return -EFBIG;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return -ENOMEM;
	opened->public = (devmap_store){.ops = &file_ops, .page_size = page_size, .nr_slots = nr_slots};
	result = file_open(opened, path, flags);
	if (result != 0) {
		free(opened);
		return result;
	}
	*store = &opened->public;
	return 0;
}
