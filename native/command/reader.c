/* SPDX-License-Identifier: MIT */
/*
 * The native reader of `devmap run`: a thread that the runtime never saw, which leases ranges of a mapped file, verifies
 * them and gives them back, while the managed side does the same and truncates the file under both.
 */
#include <devmap/devmap.h>

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

/* What to read. The caller keeps all of it until devmap_reader_stop() has returned. */
struct devmap_reader_config {
	devmap_dax_file *file;
	/* Checksum of each page, 0 while the page is not written. */
	const _Atomic(uint64_t) *checksums;
	uint64_t page_size;
	/* The most pages to lease at once, at least 1. */
	uint64_t max_pages;
	/* Not 0. */
	uint64_t seed;
};

/* What a reader did so far. */
struct devmap_reader_counts {
	uint64_t leases;
	/* Leases held on by references of their own, past the end of the first ones. */
	uint64_t shares;
	/* Leases refused because the range was being truncated, or gone. */
	uint64_t refused;
	uint64_t pages;
	/* Pages leased before they were written, and left alone. */
	uint64_t unwritten;
	uint64_t mismatches;
	/* The first page that did not hold what was written to it. */
	uint64_t first_mismatch;
	/* The negative errno value that ended the reader early, or 0. */
	int64_t error;
};

struct devmap_reader {
	struct devmap_reader_config config;
	pthread_t thread;
	_Atomic(bool) stop;
	uint64_t random;
	/* The thread's alone; published by each turn's end. */
	struct devmap_reader_counts counts;
	pthread_mutex_t lock;
	struct devmap_reader_counts published;
};

#define PRIME UINT64_C(0x9E3779B185EBCA87)

static uint64_t rotate_left(uint64_t value, int bits)
{
	return value << bits | value >> (64 - bits);
}

/* A bijection of either argument while the other stands, so that no single changed word goes unseen. */
static uint64_t step(uint64_t sum, uint64_t word)
{
	return rotate_left((sum ^ word) * PRIME, 31);
}

/*
 * The checksum of a page: four interleaved chains over its words, seeded with its index, so that a page in the wrong place
 * is a wrong page. Never 0. PageChecksum.cs is the same function.
 */
EXPORT uint64_t devmap_reader_checksum(const void *page, uint64_t page_size, uint64_t index)
{
	uint64_t lanes[4] = {index + PRIME, index + 2 * PRIME, index + 3 * PRIME, index + 4 * PRIME};
	const char *bytes = page;
	uint64_t words[4], sum = index;

	for (uint64_t at = 0; at < page_size; at += sizeof(words)) {
		memcpy(words, bytes + at, sizeof(words));
		for (int i = 0; i < 4; i++)
			lanes[i] = step(lanes[i], words[i]);
	}
	for (int i = 0; i < 4; i++)
		sum = step(sum, lanes[i]);
	return sum ? sum : 1;
}

/* xorshift64*: uniform enough to choose ranges with. */
static uint64_t next_random(struct devmap_reader *reader, uint64_t limit)
{
	uint64_t x = reader->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	reader->random = x;
	return (x * UINT64_C(0x2545F4914F6CDD1D) >> 32) % limit;
}

/*
 * Verifies pages that the caller holds. Their checksums are read under the lease: a checksum that stands then was published
 * after its page was written, and is withdrawn only after a truncation that waits for this lease.
 */
static void verify(struct devmap_reader *reader, const char *address, uint64_t first, uint64_t nr_pages)
{
	const struct devmap_reader_config *config = &reader->config;

	for (uint64_t i = 0; i < nr_pages; i++) {
		uint64_t index = first + i;
		uint64_t expected = atomic_load_explicit(&config->checksums[index], memory_order_acquire);

		if (!expected) {
			reader->counts.unwritten++;
			continue;
		}
		reader->counts.pages++;
		if (devmap_reader_checksum(address + i * config->page_size, config->page_size, index) == expected)
			continue;
		if (reader->counts.mismatches++ == 0)
			reader->counts.first_mismatch = index;
	}
}

/* Takes references of its own, gives the lease back, and goes on reading. */
static void share(
	struct devmap_reader *reader, devmap_page *page, const char *address, uint64_t first, uint64_t nr_pages)
{
	for (uint64_t i = 0; i < nr_pages; i++)
		devmap_get_page(page + i);
	devmap_put_pages(page, nr_pages);
	reader->counts.shares++;
	verify(reader, address, first, nr_pages);
	for (uint64_t i = 0; i < nr_pages; i++)
		devmap_put_page(page + i);
}

/* One lease of a random range. */
static int read_once(struct devmap_reader *reader)
{
	const struct devmap_reader_config *config = &reader->config;
	uint64_t whole = devmap_dax_file_length(config->file) / config->page_size;
	uint64_t first, nr_pages, held;
	devmap_page *page;
	void *address;
	int result;

	if (!whole) {
		sched_yield();
		return 0;
	}
	nr_pages = 1 + next_random(reader, whole < config->max_pages ? whole : config->max_pages);
	first = next_random(reader, whole - nr_pages + 1);
	result = devmap_dax_file_get_pages(
		config->file, first * config->page_size, nr_pages * config->page_size, false, &page, &held, &address);
	if (result == -EAGAIN || result == -ERANGE) {
		reader->counts.refused++;
		sched_yield();
		return 0;
	}
	if (result != 0)
		return result;
	reader->counts.leases++;
	verify(reader, address, first, nr_pages);
	if (next_random(reader, 4) == 0)
		share(reader, page, address, first, nr_pages);
	else
		devmap_put_pages(page, nr_pages);
	return 0;
}

static void publish(struct devmap_reader *reader)
{
	pthread_mutex_lock(&reader->lock);
	reader->published = reader->counts;
	pthread_mutex_unlock(&reader->lock);
}

static void *run(void *context)
{
	struct devmap_reader *reader = context;

	while (!atomic_load_explicit(&reader->stop, memory_order_relaxed) && reader->counts.error == 0) {
		reader->counts.error = read_once(reader);
		publish(reader);
	}
	return NULL;
}

/* Starts a reader. @return 0, -EINVAL, -ENOMEM, or what pthread_create() answers; @reader is left alone on failure. */
EXPORT int devmap_reader_start(const struct devmap_reader_config *config, struct devmap_reader **reader)
{
	struct devmap_reader *started;
	int error;

	if (!config || !reader || !config->file || !config->checksums || !config->page_size || !config->max_pages ||
		!config->seed)
		return -EINVAL;
	started = calloc(1, sizeof(*started));
	if (!started)
		return -ENOMEM;
	started->config = *config;
	started->random = config->seed;
	pthread_mutex_init(&started->lock, NULL);
	error = pthread_create(&started->thread, NULL, run, started);
	if (error != 0) {
		pthread_mutex_destroy(&started->lock);
		free(started);
		return -error;
	}
	*reader = started;
	return 0;
}

/* Tells what a running reader did so far. Any thread. */
EXPORT void devmap_reader_read(struct devmap_reader *reader, struct devmap_reader_counts *counts)
{
	pthread_mutex_lock(&reader->lock);
	*counts = reader->published;
	pthread_mutex_unlock(&reader->lock);
}

/* Ends a reader, which then holds no page, tells what it did, and frees it. */
EXPORT void devmap_reader_stop(struct devmap_reader *reader, struct devmap_reader_counts *counts)
{
	atomic_store_explicit(&reader->stop, true, memory_order_relaxed);
	pthread_join(reader->thread, NULL);
	*counts = reader->published;
	pthread_mutex_destroy(&reader->lock);
	free(reader);
}
