/* SPDX-License-Identifier: MIT */
#include "store_internal.h"

#include <stdlib.h>

struct memory_store {
	devmap_store public;
	/* The slots, side by side. */
	char *bytes;
	uint64_t length;
	/* Whether each slot was written, and not discarded since. */
	bool *occupied;
	uint64_t occupied_length;
	_Atomic(uint64_t) nr_occupied;
};

static struct memory_store *memory_store_of(devmap_store *store)
{
	return (struct memory_store *)store;
}

static void *slot_memory(const struct memory_store *store, uint64_t slot)
{
	return store->bytes + slot * store->public.page_size;
}

static void memory_write(devmap_store *public, devmap_store_io *ios, uint32_t n)
{
	struct memory_store *store = memory_store_of(public);

	for (devmap_store_io *io = ios; io < ios + n; io++) {
		if (!store_io_begin(public, io))
			continue;
		memcpy(slot_memory(store, io->slot), io->memory, public->page_size);
		if (store->occupied[io->slot])
			continue;
		store->occupied[io->slot] = true;
		atomic_fetch_add_explicit(&store->nr_occupied, 1, memory_order_relaxed);
	}
}

static void memory_read(devmap_store *public, devmap_store_io *ios, uint32_t n)
{
	struct memory_store *store = memory_store_of(public);

	for (devmap_store_io *io = ios; io < ios + n; io++) {
		if (!store_io_begin(public, io))
			continue;
		if (store->occupied[io->slot])
			memcpy(io->memory, slot_memory(store, io->slot), public->page_size);
		else
			io->result = -EINVAL;
	}
}

static void memory_discard(devmap_store *public, uint64_t slot)
{
	struct memory_store *store = memory_store_of(public);

	if (slot >= public->nr_slots || !store->occupied[slot])
		return;
	/* Where the system's pages are larger, a slot's neighbours are in the same one. */
	if (public->page_size >= os_page_size())
		os_discard(slot_memory(store, slot), public->page_size);
	store->occupied[slot] = false;
	atomic_fetch_sub_explicit(&store->nr_occupied, 1, memory_order_relaxed);
}

static uint64_t memory_bytes_used(devmap_store *public)
{
	return atomic_load_explicit(&memory_store_of(public)->nr_occupied, memory_order_relaxed) * public->page_size;
}

static void memory_close(devmap_store *public)
{
	struct memory_store *store = memory_store_of(public);

	os_unmap(store->bytes, store->length);
	os_unmap(store->occupied, store->occupied_length);
	free(store);
}

static const devmap_store_ops memory_ops = {
	.write = memory_write,
	.read = memory_read,
	.discard = memory_discard,
	.bytes_used = memory_bytes_used,
	.close = memory_close,
};

static int reserve(struct memory_store *store)
{
	uint64_t nr_slots = store->public.nr_slots, page_size = store->public.page_size;
	void *bytes, *occupied;
	int result;

	result = store_reserve(nr_slots, page_size, page_size, &bytes, &store->length);
	if (result != 0)
		return result;
	result = store_reserve(nr_slots, sizeof(*store->occupied), 1, &occupied, &store->occupied_length);
	if (result != 0) {
		os_unmap(bytes, store->length);
		return result;
	}
	store->bytes = bytes;
	store->occupied = occupied;
	return 0;
}

int devmap_store_memory_open(uint64_t nr_slots, uint64_t page_size, devmap_store **store)
{
	struct memory_store *opened;
	int result = store_check(nr_slots, page_size, store);

	if (result != 0)
		return result;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return -ENOMEM;
	opened->public = (devmap_store){.ops = &memory_ops, .page_size = page_size, .nr_slots = nr_slots};
	result = reserve(opened);
	if (result != 0) {
		free(opened);
		return result;
	}
	*store = &opened->public;
	return 0;
}
