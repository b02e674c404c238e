/* SPDX-License-Identifier: MIT */
/*
 * Pages that compress take little, others what they are long; without liblz4 there is no such store. dlopen() is
 * defined here, in front of the C library's, so that liblz4 is found only when a test wants it to be.
 */
#include "store_fixture.h"

#include <dlfcn.h>

/* What the loader finds. */
enum finding { THE_LIBRARY, NOTHING, ANOTHER_LIBRARY };
static _Atomic(int) finding;
static _Atomic(uint32_t) nr_loads;

#define INTERPOSED __attribute__((visibility("default")))

INTERPOSED void *dlopen(const char *name, int flags)
{
	static void *(*_Atomic real)(const char *, int);
	void *(*open_library)(const char *, int) = atomic_load(&real);

	if (open_library == NULL) {
		void *address = dlsym(RTLD_NEXT, "dlopen");

		memcpy(&open_library, &address, sizeof(open_library));
		atomic_store(&real, open_library);
	}
	if (name == NULL || strcmp(name, "liblz4.so.1") != 0)
		return open_library(name, flags);
	atomic_fetch_add(&nr_loads, 1);
	if (atomic_load(&finding) == NOTHING)
		return open_library("libdevmap-there-is-no-such-library.so.1", flags);
	return open_library(atomic_load(&finding) == THE_LIBRARY ? name : "libc.so.6", flags);
}

static struct subject open_lz4(uint64_t nr_slots, uint64_t page_size)
{
	devmap_store *store = NULL;

	assert_ok(devmap_store_lz4_open(nr_slots, page_size, &store));
	return subject_of(store);
}

static uint64_t used_by(const struct subject *subject)
{
	return devmap_store_bytes_used(subject->store);
}

/* The first test: what was loaded once stays. */
static void without_the_library_there_is_no_store(void **state)
{
	devmap_store *store = NULL;
	struct subject subject;

	(void)state;
	assert_int_equal(atomic_load(&nr_loads), 0);
	atomic_store(&finding, NOTHING);
	assert_error(devmap_store_lz4_open(0, 4 * KIB, &store), EINVAL);
	assert_int_equal(atomic_load(&nr_loads), 0);
	assert_error(devmap_store_lz4_open(1, 4 * KIB, &store), ELIBACC);
	assert_error(devmap_store_lz4_open(1, 4 * KIB, &store), ELIBACC);
	atomic_store(&finding, ANOTHER_LIBRARY);
	assert_error(devmap_store_lz4_open(1, 4 * KIB, &store), ELIBACC);
	assert_null(store);
	/* It is asked for anew until it is there. */
	atomic_store(&finding, THE_LIBRARY);
	subject = open_lz4(1, 4 * KIB);
	assert_int_equal(atomic_load(&nr_loads), 4);
	subject_close(&subject);
	subject = open_lz4(1, 4 * KIB);
	assert_int_equal(atomic_load(&nr_loads), 4);
	subject_close(&subject);
}

static void what_compresses_takes_little(void **state)
{
	struct subject subject = open_lz4(64, 64 * KIB);
	uint64_t slot, zeros;

	(void)state;
	memset(subject.page, 0, subject.page_size);
	for (slot = 0; slot < 64; slot++)
		assert_ok(write_memory(subject.store, slot, subject.page));
	zeros = used_by(&subject);
	assert_in_range(zeros, 1, 64 * 64 * KIB / 100);
	for (slot = 0; slot < 64; slot++) {
		assert_ok(try_read(&subject, slot));
		assert_zeros((unsigned char *)subject.page, subject.page_size);
	}
	for (slot = 0; slot < 64; slot++)
		write_slot(&subject, slot, 2 * slot);
	assert_in_range(used_by(&subject), zeros, 64 * 64 * KIB / 4);
	subject_close(&subject);
}

static void what_does_not_compress_is_kept_as_it_is(void **state)
{
	static const uint64_t page_sizes[] = {4 * KIB, 64 * KIB, 1 * MIB};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(page_sizes); i++) {
		struct subject subject = open_lz4(4, page_sizes[i]);

		write_slot(&subject, 0, 1);
		write_slot(&subject, 1, 3);
		assert_int_equal(used_by(&subject), 2 * page_sizes[i]);
		assert_slot(&subject, 0, 1);
		assert_slot(&subject, 1, 3);
		subject_close(&subject);
	}
}

static void a_slot_takes_what_it_holds_now(void **state)
{
	struct subject subject = open_lz4(4, 64 * KIB);
	uint64_t small;

	(void)state;
	write_slot(&subject, 0, 2);
	small = used_by(&subject);
	assert_in_range(small, 1, 64 * KIB - 1);
	write_slot(&subject, 0, 1);
	assert_int_equal(used_by(&subject), 64 * KIB);
	write_slot(&subject, 1, 2);
	assert_int_equal(used_by(&subject), 64 * KIB + small);
	write_slot(&subject, 0, 2);
	assert_int_equal(used_by(&subject), 2 * small);
	discard_slot(&subject, 1);
	assert_int_equal(used_by(&subject), small);
	assert_slot(&subject, 0, 2);
	discard_slot(&subject, 0);
	assert_int_equal(used_by(&subject), 0);
	subject_close(&subject);
}

/* A page whose first @length bytes are random and the rest one byte. */
static void fill_partly(struct rng *rng, char *page, uint64_t page_size, uint64_t length)
{
	uint64_t i;

	memset(page, (int)rng_below(rng, 256), page_size);
	for (i = 0; i < length; i++)
		page[i] = (char)rng_next(rng);
}

static void pages_of_any_kind_come_back(void **state)
{
	const uint64_t page_size = 4 * KIB;
	const uint32_t n = 2000;
	struct subject subject = open_lz4(n, page_size);
	char *pages = pages_new(n, page_size);
	struct rng rng = rng_stream(1);
	uint32_t i;

	(void)state;
	for (i = 0; i < n; i++) {
		fill_partly(&rng, pages + i * page_size, page_size, rng_below(&rng, (uint32_t)page_size + 1));
		assert_ok(write_memory(subject.store, i, pages + i * page_size));
	}
	assert_in_range(used_by(&subject), n, n * page_size - 1);
	for (i = 0; i < n; i++) {
		assert_ok(try_read(&subject, i));
		assert_memory_equal(subject.page, pages + i * page_size, page_size);
	}
	free(pages);
	subject_close(&subject);
}

/* Around the length at which a page does not get smaller any more. */
static void pages_that_hardly_compress_come_back(void **state)
{
	const uint64_t page_size = 4 * KIB;
	struct subject subject = open_lz4(1, page_size);
	char *page = pages_new(1, page_size);
	struct rng rng = rng_stream(2);
	uint64_t length;
	uint32_t nr_raw = 0;

	(void)state;
	for (length = page_size - 128; length <= page_size; length++) {
		fill_partly(&rng, page, page_size, length);
		assert_ok(write_memory(subject.store, 0, page));
		assert_in_range(used_by(&subject), length / 2, page_size);
		nr_raw += used_by(&subject) == page_size;
		assert_ok(try_read(&subject, 0));
		assert_memory_equal(subject.page, page, page_size);
	}
	assert_in_range(nr_raw, 1, 127);
	free(page);
	subject_close(&subject);
}

static void pages_are_64_mib_at_most(void **state)
{
	devmap_store *store = NULL;
	struct subject subject;

	(void)state;
	assert_error(devmap_store_lz4_open(1, 128 * MIB, &store), EINVAL);
	assert_error(devmap_store_lz4_open(1, GIB, &store), EINVAL);
	assert_null(store);
	subject = open_lz4(2, 64 * MIB);
	write_slot(&subject, 1, 2);
	assert_in_range(used_by(&subject), 1, 32 * MIB);
	assert_slot(&subject, 1, 2);
	subject_close(&subject);
}

/* Writes until memory is out. What was written before is there, and so is what the failed write found. */
static int write_without_memory(void)
{
	enum { SLOTS = 4096 };
	const uint64_t page_size = 64 * KIB;
	devmap_store *store = NULL;
	void *page = NULL;
	uint64_t slot, held;

	if (posix_memalign(&page, PAGE_BYTES, page_size) != 0 || devmap_store_lz4_open(SLOTS, page_size, &store) != 0)
		return 1;
	/* The scratch memory, too. */
	fill_page(page, page_size, 1);
	if (write_memory(store, 0, page) != 0 || !limit_address_space(16 * MIB))
		return 2;
	for (slot = 1; slot < SLOTS; slot++) {
		fill_page(page, page_size, 2 * slot + 1);
		if (write_memory(store, slot, page) != 0)
			break;
	}
	held = slot;
	if (held == SLOTS || write_memory(store, held, page) != -ENOMEM || read_memory(store, held, page) != -EINVAL)
		return 3;
	fill_page(page, page_size, 99999);
	if (write_memory(store, 5, page) != -ENOMEM || devmap_store_bytes_used(store) != held * page_size)
		return 4;
	for (slot = 0; slot < held; slot++)
		if (read_memory(store, slot, page) != 0 || !page_is(page, page_size, 2 * slot + 1))
			return 5;
	store->ops->discard(store, 7);
	fill_page(page, page_size, 99999);
	if (write_memory(store, 5, page) != 0 || read_memory(store, 5, page) != 0 || !page_is(page, page_size, 99999))
		return 6;
	devmap_store_close(store);
	return 0;
}

static void a_write_without_memory_leaves_what_was_there(void **state)
{
	(void)state;
	/* The sanitizers do not stand it. */
	if (runs_slowly())
		skip();
	assert_int_equal(status_of_child(write_without_memory), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(without_the_library_there_is_no_store),
		contract(what_compresses_takes_little),
		contract(what_does_not_compress_is_kept_as_it_is),
		contract(a_slot_takes_what_it_holds_now),
		contract(pages_of_any_kind_come_back),
		contract(pages_that_hardly_compress_come_back),
		contract(pages_are_64_mib_at_most),
		contract(a_write_without_memory_leaves_what_was_there),
	};

	return cmocka_run_group_tests_name("store_lz4", tests, NULL, NULL);
}
