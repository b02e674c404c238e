/* SPDX-License-Identifier: MIT */
/* What every kind of store does alike. */
#include "store_fixture.h"

/* ---- kinds ------------------------------------------------------------------------------------------------------ */

static int open_file_store(uint64_t nr_slots, uint64_t page_size, devmap_store **store)
{
	return devmap_store_file_open(path_of("store"), 0, nr_slots, page_size, store);
}

static int open_cached_file_store(uint64_t nr_slots, uint64_t page_size, devmap_store **store)
{
	return devmap_store_file_open(path_of("store"), DEVMAP_STORE_FILE_CACHED, nr_slots, page_size, store);
}

struct kind {
	int (*open)(uint64_t nr_slots, uint64_t page_size, devmap_store **store);
	uint64_t page_size;
	/** A slot that holds nothing is told from one that does, and takes nothing. */
	bool knows_what_is_held;
};

static struct kind kinds[] = {
	{devmap_store_memory_open, 4 * KIB, true},
	{devmap_store_memory_open, 64 * KIB, true},
	{devmap_store_lz4_open, 4 * KIB, true},
	{devmap_store_lz4_open, 64 * KIB, true},
	{open_file_store, 4 * KIB, false},
	{open_file_store, 64 * KIB, false},
	{open_cached_file_store, 4 * KIB, false},
	{open_cached_file_store, 64 * KIB, false},
};

/** A test of a store of the kind in its state. */
#define on_kind(function, text, number)                                                             \
	{                                                                                           \
		.name = #function " (" text ")", .test_func = (function), .setup_func = world_open, \
		.teardown_func = world_close, .initial_state = &kinds[number],                      \
	}
#define on_each_kind(function)                                                             \
	on_kind(function, "memory, 4 KiB", 0), on_kind(function, "memory, 64 KiB", 1),     \
		on_kind(function, "lz4, 4 KiB", 2), on_kind(function, "lz4, 64 KiB", 3),   \
		on_kind(function, "file, 4 KiB", 4), on_kind(function, "file, 64 KiB", 5), \
		on_kind(function, "cached file, 4 KiB", 6), on_kind(function, "cached file, 64 KiB", 7)

#define SLOTS 300

static struct subject open_kind(const struct kind *kind)
{
	devmap_store *store = NULL;

	assert_ok(kind->open(SLOTS, kind->page_size, &store));
	assert_non_null(store);
	assert_int_equal(store->nr_slots, SLOTS);
	assert_int_equal(store->page_size, kind->page_size);
	return subject_of(store);
}

/* ---- single pages ----------------------------------------------------------------------------------------------- */

static void what_is_written_is_read_back(void **state)
{
	struct subject subject = open_kind(*state);
	uint64_t slot;

	for (slot = 0; slot < SLOTS; slot++)
		write_slot(&subject, slot, slot);
	for (slot = SLOTS; slot-- > 0;)
		assert_slot(&subject, slot, slot);
	/* Reading takes nothing away. */
	assert_slot(&subject, 7, 7);
	subject_close(&subject);
}

static void what_is_written_again_replaces(void **state)
{
	struct subject subject = open_kind(*state);
	uint64_t tag;

	write_slot(&subject, 4, 1000);
	write_slot(&subject, 6, 1001);
	for (tag = 0; tag < 10; tag++) {
		write_slot(&subject, 5, tag);
		assert_slot(&subject, 5, tag);
	}
	assert_slot(&subject, 4, 1000);
	assert_slot(&subject, 6, 1001);
	subject_close(&subject);
}

static void a_discarded_slot_is_used_again(void **state)
{
	const struct kind *kind = *state;
	struct subject subject = open_kind(kind);
	uint64_t slot;

	for (slot = 0; slot < SLOTS; slot++)
		write_slot(&subject, slot, slot);
	for (slot = 0; slot < SLOTS; slot += 2)
		discard_slot(&subject, slot);
	for (slot = 1; slot < SLOTS; slot += 2)
		assert_slot(&subject, slot, slot);
	for (slot = 0; slot < SLOTS; slot += 2) {
		if (kind->knows_what_is_held)
			assert_error(try_read(&subject, slot), EINVAL);
		write_slot(&subject, slot, slot + 500);
	}
	for (slot = 0; slot < SLOTS; slot++)
		assert_slot(&subject, slot, slot % 2 != 0 ? slot : slot + 500);
	subject_close(&subject);
}

static void discarding_nothing_does_nothing(void **state)
{
	const struct kind *kind = *state;
	struct subject subject = open_kind(kind);
	uint64_t used;

	write_slot(&subject, 1, 1);
	used = devmap_store_bytes_used(subject.store);
	discard_slot(&subject, 0);
	discard_slot(&subject, SLOTS);
	discard_slot(&subject, UINT64_MAX);
	assert_int_equal(devmap_store_bytes_used(subject.store), used);
	assert_slot(&subject, 1, 1);
	discard_slot(&subject, 1);
	discard_slot(&subject, 1);
	if (kind->knows_what_is_held)
		assert_int_equal(devmap_store_bytes_used(subject.store), 0);
	subject_close(&subject);
}

static void a_slot_never_written_holds_nothing(void **state)
{
	const struct kind *kind = *state;
	struct subject subject = open_kind(kind);

	write_slot(&subject, 1, 1);
	if (kind->knows_what_is_held) {
		assert_error(try_read(&subject, 0), EINVAL);
		assert_error(try_read(&subject, 2), EINVAL);
	} else {
		assert_ok(try_read(&subject, 2));
	}
	subject_close(&subject);
}

/* ---- batches ---------------------------------------------------------------------------------------------------- */

/** Slots in a random order, the first @p n of which are a batch with gaps. */
static void shuffle(struct rng *rng, uint64_t *slots)
{
	uint32_t i;

	for (i = 0; i < SLOTS; i++) {
		uint32_t j = rng_below(rng, i + 1);

		slots[i] = slots[j];
		slots[j] = i;
	}
}

static void batches_come_in_any_order(void **state)
{
	static const uint32_t lengths[] = {1, 2, 31, 32, 33, 64, 100, 257, SLOTS};
	const struct kind *kind = *state;
	struct subject subject = open_kind(kind);
	char *pages = pages_new(SLOTS, kind->page_size);
	devmap_store_io *ios = calloc(SLOTS, sizeof(*ios));
	uint64_t *slots = calloc(SLOTS, sizeof(*slots));
	struct rng rng = rng_stream(1);
	uint32_t round, i;

	assert_non_null(ios);
	assert_non_null(slots);
	for (round = 0; round < ARRAY_LENGTH(lengths); round++) {
		uint32_t n = lengths[round];

		shuffle(&rng, slots);
		for (i = 0; i < n; i++) {
			ios[i] = (devmap_store_io){
				.slot = slots[i], .memory = pages + i * kind->page_size, .result = 77};
			fill_page(ios[i].memory, kind->page_size, round * SLOTS + slots[i]);
		}
		subject.store->ops->write(subject.store, ios, n);
		for (i = 0; i < n; i++)
			assert_ok(ios[i].result);
		/* Fetched in an order of their own, to other memory. */
		memset(pages, 0, SLOTS * kind->page_size);
		for (i = n; i > 1; i--) {
			uint32_t j = rng_below(&rng, i);
			uint64_t slot = ios[i - 1].slot;

			ios[i - 1].slot = ios[j].slot;
			ios[j].slot = slot;
		}
		for (i = 0; i < n; i++)
			ios[i].result = 77;
		subject.store->ops->read(subject.store, ios, n);
		for (i = 0; i < n; i++) {
			assert_ok(ios[i].result);
			assert_true(page_is(ios[i].memory, kind->page_size, round * SLOTS + ios[i].slot));
		}
	}
	free(slots);
	free(ios);
	free(pages);
	subject_close(&subject);
}

static void a_batch_may_be_empty(void **state)
{
	struct subject subject = open_kind(*state);

	subject.store->ops->write(subject.store, NULL, 0);
	subject.store->ops->read(subject.store, NULL, 0);
	subject_close(&subject);
}

static void a_batch_reads_a_slot_twice(void **state)
{
	const struct kind *kind = *state;
	struct subject subject = open_kind(kind);
	char *pages = pages_new(3, kind->page_size);
	devmap_store_io ios[3] = {{.slot = 5, .memory = pages}, {.slot = 6, .memory = pages + kind->page_size},
		{.slot = 5, .memory = pages + 2 * kind->page_size}};
	uint32_t i;

	write_slot(&subject, 5, 15);
	write_slot(&subject, 6, 16);
	subject.store->ops->read(subject.store, ios, 3);
	for (i = 0; i < 3; i++) {
		assert_ok(ios[i].result);
		assert_true(page_is(ios[i].memory, kind->page_size, ios[i].slot + 10));
	}
	free(pages);
	subject_close(&subject);
}

#define BATCH 9

/** A batch of which every second page is no page of the store's. */
static void half_bad_batch(devmap_store_io *ios, char *pages, uint64_t page_size)
{
	uint32_t i;

	for (i = 0; i < BATCH; i++)
		ios[i] = (devmap_store_io){.slot = i, .memory = pages + i * page_size, .result = 77};
	ios[1].slot = SLOTS;
	ios[3].memory = NULL;
	ios[5].memory = pages + 5 * page_size + 8;
	ios[7].reserved = 1;
}

static void a_bad_page_is_its_own_failure(void **state)
{
	const struct kind *kind = *state;
	struct subject subject = open_kind(kind);
	char *pages = pages_new(BATCH, kind->page_size);
	devmap_store_io ios[BATCH];
	uint64_t i;

	for (i = 0; i < BATCH; i++)
		write_slot(&subject, i, i);
	for (i = 0; i < BATCH; i++)
		fill_page(pages + i * kind->page_size, kind->page_size, 100 + i);
	half_bad_batch(ios, pages, kind->page_size);
	subject.store->ops->write(subject.store, ios, BATCH);
	for (i = 0; i < BATCH; i++)
		assert_int_equal(ios[i].result, i % 2 != 0 ? -EINVAL : 0);
	/* What was not written is as it was. */
	for (i = 0; i < BATCH; i++)
		assert_slot(&subject, i, i % 2 != 0 ? i : 100 + i);

	memset(pages, 0, BATCH * kind->page_size);
	half_bad_batch(ios, pages, kind->page_size);
	subject.store->ops->read(subject.store, ios, BATCH);
	for (i = 0; i < BATCH; i++) {
		assert_int_equal(ios[i].result, i % 2 != 0 ? -EINVAL : 0);
		if (i % 2 == 0)
			assert_true(page_is(pages + i * kind->page_size, kind->page_size, 100 + i));
	}
	free(pages);
	subject_close(&subject);
}

/* ---- threads ---------------------------------------------------------------------------------------------------- */

#define THREADS 4
#define THREAD_SLOTS (SLOTS / THREADS)
#define THREAD_BATCH 8
#define NOTHING UINT64_MAX

/** Slots index, index + THREADS, ... are the thread's, and what they hold. */
static void use_own_slots(void *shared, uint32_t index, struct rng *rng)
{
	devmap_store *store = shared;
	uint64_t page_size = store->page_size;
	uint64_t held[THREAD_SLOTS];
	devmap_store_io ios[THREAD_BATCH];
	void *memory = NULL;
	char *pages;
	uint32_t round, i;

	if (!check(posix_memalign(&memory, PAGE_BYTES, THREAD_BATCH * page_size) == 0))
		return;
	pages = memory;
	for (i = 0; i < THREAD_SLOTS; i++)
		held[i] = NOTHING;
	for (round = 0; round < scaled(200); round++) {
		uint32_t first = rng_below(rng, THREAD_SLOTS), n = 0;
		uint32_t what = rng_below(rng, 5);

		for (i = 0; i < THREAD_BATCH; i++) {
			uint32_t own = (first + i) % THREAD_SLOTS;
			uint64_t slot = (uint64_t)own * THREADS + index;

			if (what == 0) {
				store->ops->discard(store, slot);
				held[own] = NOTHING;
			} else if (what < 3 || held[own] != NOTHING) {
				ios[n] = (devmap_store_io){.slot = slot, .memory = pages + n * page_size};
				if (what < 3) {
					held[own] = rng_next(rng);
					fill_page(ios[n].memory, page_size, held[own]);
				}
				n++;
			}
		}
		if (what == 0)
			continue;
		if (what < 3)
			store->ops->write(store, ios, n);
		else
			store->ops->read(store, ios, n);
		for (i = 0; i < n; i++)
			check(ios[i].result == 0 &&
				page_is(ios[i].memory, page_size, held[(ios[i].slot - index) / THREADS]));
	}
	for (i = 0; i < THREAD_SLOTS; i++)
		store->ops->discard(store, (uint64_t)i * THREADS + index);
	free(memory);
}

static void threads_use_slots_of_their_own(void **state)
{
	const struct kind *kind = *state;
	struct subject subject = open_kind(kind);

	run_threads(THREADS, use_own_slots, subject.store);
	if (kind->knows_what_is_held)
		assert_int_equal(devmap_store_bytes_used(subject.store), 0);
	subject_close(&subject);
}

/** More threads at once than scratch memory is kept for. */
static void write_one_slot(void *shared, uint32_t index, struct rng *rng)
{
	devmap_store *store = shared;
	uint32_t round;
	void *page = NULL;

	(void)rng;
	if (!check(posix_memalign(&page, PAGE_BYTES, store->page_size) == 0))
		return;
	for (round = 0; round < 20; round++) {
		fill_page(page, store->page_size, index + round);
		check(write_memory(store, index, page) == 0);
		memset(page, 0, store->page_size);
		check(read_memory(store, index, page) == 0);
		check(page_is(page, store->page_size, index + round));
	}
	free(page);
}

static void many_threads_write_at_once(void **state)
{
	struct subject subject = open_kind(*state);

	run_threads(40, write_one_slot, subject.store);
	subject_close(&subject);
}

/* ---- what it takes ---------------------------------------------------------------------------------------------- */

static void open_refuses_bad_arguments(void **state)
{
	static const uint64_t page_sizes[] = {0, 1, 2048, 4095, 6000, 12288, 2 * GIB, UINT64_MAX};
	const struct kind *kind = *state;
	devmap_store *store = NULL;
	uint32_t i;

	assert_error(kind->open(0, kind->page_size, &store), EINVAL);
	assert_error(kind->open(SLOTS, kind->page_size, NULL), EINVAL);
	for (i = 0; i < ARRAY_LENGTH(page_sizes); i++)
		assert_error(kind->open(SLOTS, page_sizes[i], &store), EINVAL);
	assert_null(store);
}

static void open_refuses_what_has_no_room_anywhere(void **state)
{
	const struct kind *kind = *state;
	int error = kind->knows_what_is_held ? ENOMEM : EFBIG;
	devmap_store *store = NULL;

	assert_error(kind->open(UINT64_MAX, kind->page_size, &store), error);
	assert_error(kind->open(UINT64_MAX / kind->page_size, kind->page_size, &store), error);
	assert_error(kind->open(UINT64_C(1) << 60, kind->page_size, &store), error);
	assert_null(store);
}

static void one_slot_is_a_store(void **state)
{
	const struct kind *kind = *state;
	devmap_store *store = NULL;
	struct subject subject;

	assert_ok(kind->open(1, kind->page_size, &store));
	subject = subject_of(store);
	write_slot(&subject, 0, 3);
	assert_slot(&subject, 0, 3);
	assert_error(try_write(&subject, 1, 3), EINVAL);
	assert_error(try_read(&subject, 1), EINVAL);
	subject_close(&subject);
}

static void a_store_of_many_slots_takes_what_is_written(void **state)
{
	const struct kind *kind = *state;
	const uint64_t nr_slots = address_space_is_small() ? UINT64_C(1) << 20 : UINT64_C(1) << 30;
	devmap_store *store = NULL;
	struct subject subject;

	assert_ok(kind->open(nr_slots, kind->page_size, &store));
	subject = subject_of(store);
	assert_int_equal(devmap_store_bytes_used(store), 0);
	write_slot(&subject, 0, 1);
	write_slot(&subject, nr_slots / 2, 3);
	write_slot(&subject, nr_slots - 1, 5);
	assert_slot(&subject, 0, 1);
	assert_slot(&subject, nr_slots / 2, 3);
	assert_slot(&subject, nr_slots - 1, 5);
	assert_error(try_read(&subject, nr_slots - 2), EINVAL);
	assert_int_equal(devmap_store_bytes_used(store), 3 * kind->page_size);
	subject_close(&subject);
}

static void a_memory_store_takes_what_it_holds(void **state)
{
	devmap_store *store = NULL;
	struct subject subject;

	(void)state;
	assert_ok(devmap_store_memory_open(SLOTS, 64 * KIB, &store));
	subject = subject_of(store);
	assert_int_equal(devmap_store_bytes_used(store), 0);
	write_slot(&subject, 0, 0);
	write_slot(&subject, 9, 1);
	write_slot(&subject, 9, 2);
	assert_int_equal(devmap_store_bytes_used(store), 128 * KIB);
	discard_slot(&subject, 0);
	assert_int_equal(devmap_store_bytes_used(store), 64 * KIB);
	subject_close(&subject);
}

static void a_huge_page_is_a_slot(void **state)
{
	devmap_store *store = NULL;
	struct subject subject;

	(void)state;
	assert_ok(devmap_store_memory_open(4, 2 * MIB, &store));
	subject = subject_of(store);
	write_slot(&subject, 3, 1);
	assert_slot(&subject, 3, 1);
	discard_slot(&subject, 3);
	assert_int_equal(devmap_store_bytes_used(store), 0);
	subject_close(&subject);
}

static void no_store_takes_nothing(void **state)
{
	(void)state;
	assert_int_equal(devmap_store_bytes_used(NULL), 0);
	assert_false(devmap_store_file_is_direct(NULL));
	devmap_store_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		on_each_kind(what_is_written_is_read_back),
		on_each_kind(what_is_written_again_replaces),
		on_each_kind(a_discarded_slot_is_used_again),
		on_each_kind(discarding_nothing_does_nothing),
		on_each_kind(a_slot_never_written_holds_nothing),
		on_each_kind(batches_come_in_any_order),
		on_each_kind(a_batch_may_be_empty),
		on_each_kind(a_batch_reads_a_slot_twice),
		on_each_kind(a_bad_page_is_its_own_failure),
		on_each_kind(threads_use_slots_of_their_own),
		on_each_kind(many_threads_write_at_once),
		on_each_kind(open_refuses_bad_arguments),
		on_each_kind(open_refuses_what_has_no_room_anywhere),
		on_each_kind(one_slot_is_a_store),
		on_kind(a_store_of_many_slots_takes_what_is_written, "memory, 4 KiB", 0),
		on_kind(a_store_of_many_slots_takes_what_is_written, "lz4, 64 KiB", 3),
		contract(a_memory_store_takes_what_it_holds),
		contract(a_huge_page_is_a_slot),
		contract(no_store_takes_nothing),
	};

	return cmocka_run_group_tests_name("store", tests, directory_open, directory_close);
}
