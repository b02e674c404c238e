/* SPDX-License-Identifier: MIT */
/**
 * @file store_fixture.h
 * What the tests of stores share: pages of known words, stores of every kind, and transfers of one page.
 */
#ifndef DEVMAP_TESTS_STORE_FIXTURE_H
#define DEVMAP_TESTS_STORE_FIXTURE_H

#include "dax_file_fixture.h"

/* ---- pages ------------------------------------------------------------------------------------------------------ */

/** @return memory of @p n pages; end it with free(). */
static inline char *pages_new(uint64_t n, uint64_t page_size)
{
	void *pages = NULL;

	assert_ok(posix_memalign(&pages, PAGE_BYTES, n * page_size));
	return pages;
}

/** The word at @p index of a page of known words. A page of an odd @p tag does not compress. */
static inline uint64_t known_word(uint64_t tag, uint64_t index)
{
	uint64_t word = (tag + 1) * 0x9e3779b97f4a7c15u + (tag % 2 != 0 ? index + 1 : index / 64) * 0xbf58476d1ce4e5b9u;

	word = (word ^ (word >> 30)) * 0xbf58476d1ce4e5b9u;
	word = (word ^ (word >> 27)) * 0x94d049bb133111ebu;
	return word ^ (word >> 31);
}

static inline void fill_page(void *page, uint64_t page_size, uint64_t tag)
{
	uint64_t *words = page, i;

	for (i = 0; i < page_size / sizeof(*words); i++)
		words[i] = known_word(tag, i);
}

static inline bool page_is(const void *page, uint64_t page_size, uint64_t tag)
{
	const uint64_t *words = page;
	uint64_t i;

	for (i = 0; i < page_size / sizeof(*words); i++)
		if (words[i] != known_word(tag, i))
			return false;
	return true;
}

/* ---- stores ----------------------------------------------------------------------------------------------------- */

/** A store, and a page to transfer. */
struct subject {
	devmap_store *store;
	uint64_t page_size;
	char *page;
};

static inline struct subject subject_of(devmap_store *store)
{
	assert_non_null(store);
	return (struct subject){.store = store, .page_size = store->page_size, .page = pages_new(1, store->page_size)};
}

static inline void subject_close(struct subject *subject)
{
	devmap_store_close(subject->store);
	free(subject->page);
}

static inline int write_memory(devmap_store *store, uint64_t slot, void *memory)
{
	devmap_store_io io = {.slot = slot, .memory = memory, .result = 77};

	store->ops->write(store, &io, 1);
	return io.result;
}

static inline int read_memory(devmap_store *store, uint64_t slot, void *memory)
{
	devmap_store_io io = {.slot = slot, .memory = memory, .result = 77};

	store->ops->read(store, &io, 1);
	return io.result;
}

static inline int try_write(struct subject *subject, uint64_t slot, uint64_t tag)
{
	fill_page(subject->page, subject->page_size, tag);
	return write_memory(subject->store, slot, subject->page);
}

static inline void write_slot(struct subject *subject, uint64_t slot, uint64_t tag)
{
	assert_ok(try_write(subject, slot, tag));
}

static inline int try_read(struct subject *subject, uint64_t slot)
{
	memset(subject->page, 0xa5, subject->page_size);
	return read_memory(subject->store, slot, subject->page);
}

static inline void assert_slot(struct subject *subject, uint64_t slot, uint64_t tag)
{
	assert_ok(try_read(subject, slot));
	assert_true(page_is(subject->page, subject->page_size, tag));
}

static inline void discard_slot(struct subject *subject, uint64_t slot)
{
	subject->store->ops->discard(subject->store, slot);
}

#endif
