/* SPDX-License-Identifier: MIT */
#include "store_internal.h"

#include <stdlib.h>

/* ---- liblz4 ----------------------------------------------------------------------------------------------------- */

/* Its ABI, which it has kept since its version 1.0. */
struct lz4 {
	/* The length of what it made, 0 where that is beyond the capacity. */
	int (*compress)(const char *from, char *to, int length, int capacity);
	/* The length of what it made, negative where @from is not what compress() made. */
	int (*decompress)(const char *from, char *to, int length, int capacity);
};

/* Written once, by the first load that succeeds; the library stays loaded. */
static struct lz4 lz4;
static bool lz4_is_loaded;
static pthread_mutex_t lz4_lock = PTHREAD_MUTEX_INITIALIZER;

static int lz4_load_locked(void)
{
	os_function compress, decompress;
	os_library *library;
	int result;

	if (lz4_is_loaded)
		return 0;
	result = os_library_open("liblz4.so.1", &library);
	if (result != 0)
		return result;
	compress = os_library_function(library, "LZ4_compress_default");
	decompress = os_library_function(library, "LZ4_decompress_safe");
	if (!compress || !decompress) {
		os_library_close(library);
		return -ELIBACC;
	}
	lz4.compress = (int (*)(const char *, char *, int, int))compress;
	lz4.decompress = (int (*)(const char *, char *, int, int))decompress;
	lz4_is_loaded = true;
	return 0;
}

static int lz4_load(void)
{
	int result;

	pthread_mutex_lock(&lz4_lock);
	result = lz4_load_locked();
	pthread_mutex_unlock(&lz4_lock);
	return result;
}

/* ---- the store -------------------------------------------------------------------------------------------------- */

#define MAX_LZ4_PAGE_SIZE (UINT64_C(64) << 20)
#define CHUNK_BLOBS 255
#define NR_SCRATCHES 16

/* What a slot holds; of the page size it is the page itself. No bytes: nothing. */
struct blob {
	char *bytes;
	uint32_t length;
};

/* A piece of the slot table. Those that were ever written to are in a list, so that closing need not look at all. */
struct chunk {
	_Atomic(bool) listed;
	struct chunk *next;
	struct blob blobs[CHUNK_BLOBS];
};

struct lz4_store {
	devmap_store public;
	struct chunk *chunks;
	uint64_t chunks_length;
	_Atomic(struct chunk *) listed;
	_Atomic(uint64_t) bytes;
	/* Memory of a page each to compress into, NULL where it is in use or was never needed. */
	_Atomic(char *) scratches[NR_SCRATCHES];
};

static struct lz4_store *lz4_store_of(devmap_store *store)
{
	return (struct lz4_store *)store;
}

static struct chunk *chunk_of(const struct lz4_store *store, uint64_t slot)
{
	return &store->chunks[slot / CHUNK_BLOBS];
}

static struct blob *blob_of(const struct lz4_store *store, uint64_t slot)
{
	return &chunk_of(store, slot)->blobs[slot % CHUNK_BLOBS];
}

static void list_chunk(struct lz4_store *store, struct chunk *chunk)
{
	if (atomic_load_explicit(&chunk->listed, memory_order_relaxed) || atomic_exchange(&chunk->listed, true))
		return;
	chunk->next = atomic_load(&store->listed);
	while (!atomic_compare_exchange_weak(&store->listed, &chunk->next, chunk))
		continue;
}

static char *scratch_take(struct lz4_store *store)
{
	uint32_t shard = this_shard();

	for (uint32_t i = 0; i < NR_SCRATCHES; i++) {
		char *scratch = atomic_exchange(&store->scratches[(shard + i) % NR_SCRATCHES], NULL);

		if (scratch)
			return scratch;
	}
	return malloc(store->public.page_size);
}

static void scratch_give(struct lz4_store *store, char *scratch)
{
	uint32_t shard = this_shard();

	for (uint32_t i = 0; i < NR_SCRATCHES; i++) {
		char *none = NULL;

		if (atomic_compare_exchange_strong(&store->scratches[(shard + i) % NR_SCRATCHES], &none, scratch))
			return;
	}
	free(scratch);
}

/* Makes @length bytes what the slot holds. */
static int blob_set(struct lz4_store *store, uint64_t slot, const void *bytes, uint32_t length)
{
	struct blob *blob = blob_of(store, slot);
	char *copy = malloc(length);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, bytes, length);
	list_chunk(store, chunk_of(store, slot));
	free(blob->bytes);
	/* Modulo 2^64, so this lowers it as well. */
	atomic_fetch_add_explicit(&store->bytes, (uint64_t)length - blob->length, memory_order_relaxed);
	*blob = (struct blob){.bytes = copy, .length = length};
	return 0;
}

static int write_page(struct lz4_store *store, const devmap_store_io *io, char *scratch)
{
	int page_size = (int)store->public.page_size;
	int length = lz4.compress(io->memory, scratch, page_size, page_size - 1);

	return length > 0 ? blob_set(store, io->slot, scratch, (uint32_t)length)
			  : blob_set(store, io->slot, io->memory, (uint32_t)page_size);
}

static void lz4_write(devmap_store *public, devmap_store_io *ios, uint32_t n)
{
	struct lz4_store *store = lz4_store_of(public);
	char *scratch = n > 0 ? scratch_take(store) : NULL;

	for (devmap_store_io *io = ios; io < ios + n; io++)
		if (store_io_begin(public, io))
			io->result = scratch ? write_page(store, io, scratch) : -ENOMEM;
	if (scratch)
		scratch_give(store, scratch);
}

static int read_page(struct lz4_store *store, const devmap_store_io *io)
{
	const struct blob *blob = blob_of(store, io->slot);
	int page_size = (int)store->public.page_size;

	if (!blob->bytes)
		return -EINVAL;
	if (blob->length == store->public.page_size) {
		memcpy(io->memory, blob->bytes, blob->length);
		return 0;
	}
	return lz4.decompress(blob->bytes, io->memory, (int)blob->length, page_size) == page_size ? 0 : -EIO;
}

static void lz4_read(devmap_store *public, devmap_store_io *ios, uint32_t n)
{
	for (devmap_store_io *io = ios; io < ios + n; io++)
		if (store_io_begin(public, io))
			io->result = read_page(lz4_store_of(public), io);
}

static void lz4_discard(devmap_store *public, uint64_t slot)
{
	struct lz4_store *store = lz4_store_of(public);
	struct blob *blob;

	if (slot >= public->nr_slots)
		return;
	blob = blob_of(store, slot);
	if (!blob->bytes)
		return;
	free(blob->bytes);
	atomic_fetch_sub_explicit(&store->bytes, blob->length, memory_order_relaxed);
	*blob = (struct blob){0};
}

static uint64_t lz4_bytes_used(devmap_store *public)
{
	return atomic_load_explicit(&lz4_store_of(public)->bytes, memory_order_relaxed);
}

static void lz4_close(devmap_store *public)
{
	struct lz4_store *store = lz4_store_of(public);

	for (struct chunk *chunk = atomic_load(&store->listed); chunk; chunk = chunk->next)
		for (uint32_t i = 0; i < CHUNK_BLOBS; i++)
			free(chunk->blobs[i].bytes);
	for (uint32_t i = 0; i < NR_SCRATCHES; i++)
		free(atomic_load(&store->scratches[i]));
	os_unmap(store->chunks, store->chunks_length);
	free(store);
}

static const devmap_store_ops lz4_ops = {
	.write = lz4_write,
	.read = lz4_read,
	.discard = lz4_discard,
	.bytes_used = lz4_bytes_used,
	.close = lz4_close,
};

int devmap_store_lz4_open(uint64_t nr_slots, uint64_t page_size, devmap_store **store)
{
	struct lz4_store *opened;
	void *chunks;
	int result = store_check(nr_slots, page_size, store);

	if (result != 0 || page_size > MAX_LZ4_PAGE_SIZE)
		return -EINVAL;
	result = lz4_load();
	if (result != 0)
		return result;
	opened = calloc(1, sizeof(*opened));
	if (!opened)
		return -ENOMEM;
	opened->public = (devmap_store){.ops = &lz4_ops, .page_size = page_size, .nr_slots = nr_slots};
	result = store_reserve(nr_slots / CHUNK_BLOBS + 1, sizeof(struct chunk), 1, &chunks, &opened->chunks_length);
	if (result != 0) {
		free(opened);
		return result;
	}
	opened->chunks = chunks;
	*store = &opened->public;
	return 0;
}
