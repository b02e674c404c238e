/* SPDX-License-Identifier: MIT */
/* Random use of a mapped file: one thread against a model in plain bytes, and readers against truncation. */
#include "dax_file_fixture.h"

#ifdef DEVMAP_CONFIG_FS_DAX

#define PAGE ((uint64_t)PAGE_BYTES)
#define NR_PAGES 24
#define CAPACITY (NR_PAGES * PAGE)

/* ---- one thread against a model --------------------------------------------------------------------------------- */

#define MAX_LEASES 4

struct held_lease {
	struct lease lease;
	uint64_t offset;
	uint64_t length;
	bool write;
};

struct model {
	const char *path;
	devmap_dax_file *file;
	struct rng rng;
	/* What the file must hold. Bytes from `length` on are 0. */
	unsigned char bytes[CAPACITY];
	uint64_t length;
	struct held_lease held[MAX_LEASES];
	uint32_t nr_held;
};

/* Mostly inside the capacity, sometimes on a page's boundary or beside it. */
static uint64_t random_offset(struct model *model)
{
	uint64_t page = rng_below(&model->rng, NR_PAGES + 1) * PAGE;

	switch (rng_below(&model->rng, 4)) {
	case 0:
		return page;
	case 1:
		return page + 1; /* Beyond the capacity at the last one. */
	case 2:
		return page > 0 ? page - 1 : 0;
	default:
		return rng_below(&model->rng, (uint32_t)CAPACITY + 1);
	}
}

static bool is_in_file(const struct model *model, uint64_t offset, uint64_t length)
{
	return offset <= model->length && length <= model->length - offset;
}

/* Whether a lease is held on a page of [first_page, end_page). */
static bool is_held(const struct model *model, uint64_t first_page, uint64_t end_page)
{
	uint32_t i;

	for (i = 0; i < model->nr_held; i++) {
		uint64_t first = model->held[i].offset / PAGE;

		if (first < end_page && first_page < first + model->held[i].lease.nr_pages)
			return true;
	}
	return false;
}

static uint64_t nr_pages_held(const struct model *model)
{
	uint64_t page, n = 0;

	for (page = 0; page < NR_PAGES; page++)
		n += is_held(model, page, page + 1);
	return n;
}

static void model_open(struct model *model)
{
	assert_ok(open_with(model->path, DEVMAP_DAX_FILE_WRITE, CAPACITY, 0, &model->file));
	assert_ok(claim_file(model->file));
	assert_int_equal(devmap_dax_file_length(model->file), model->length);
}

static void model_lease(struct model *model)
{
	uint64_t offset = random_offset(model), length = rng_below(&model->rng, 5 * PAGE_BYTES);
	bool write = rng_below(&model->rng, 2) != 0;
	struct held_lease *held = &model->held[model->nr_held];
	int result;

	if (model->nr_held == MAX_LEASES)
		return;
	result = try_lease(model->file, offset, length, write, &held->lease);
	if (length == 0) {
		assert_error(result, EINVAL);
	} else if (!is_in_file(model, offset, length)) {
		assert_error(result, ERANGE);
	} else {
		assert_ok(result);
		assert_memory_equal(held->lease.bytes, model->bytes + offset, length);
		assert_int_equal(held->lease.nr_pages, (offset + length - 1) / PAGE - offset / PAGE + 1);
		held->offset = offset;
		held->length = length;
		held->write = write;
		model->nr_held++;
	}
}

static struct held_lease *random_held(struct model *model)
{
	return model->nr_held > 0 ? &model->held[rng_below(&model->rng, model->nr_held)] : NULL;
}

static void model_give_back(struct model *model)
{
	struct held_lease *held = random_held(model);

	if (held == NULL)
		return;
	give_back(&held->lease);
	*held = model->held[--model->nr_held];
}

static void model_write(struct model *model)
{
	struct held_lease *held = random_held(model);
	uint64_t from, to, i;

	if (held == NULL || !held->write)
		return;
	from = rng_below(&model->rng, (uint32_t)held->length);
	to = from + 1 + rng_below(&model->rng, (uint32_t)(held->length - from));
	for (i = from; i < to; i++)
		model->bytes[held->offset + i] = held->lease.bytes[i] = (unsigned char)rng_next(&model->rng);
	if (rng_below(&model->rng, 64) == 0)
		assert_ok(devmap_dax_file_flush(model->file, held->offset + from, to - from));
}

static void model_set_length(struct model *model)
{
	uint64_t length = random_offset(model), end_page = (model->length + PAGE - 1) / PAGE;
	int result = set_length(model->file, length, 0);

	if (length > CAPACITY) {
		assert_error(result, EFBIG);
	} else if (length < model->length && is_held(model, length / PAGE, end_page)) {
		assert_error(result, ETIMEDOUT);
	} else {
		assert_ok(result);
		if (length < model->length)
			memset(model->bytes + length, 0, model->length - length);
		model->length = length;
	}
}

static void model_punch(struct model *model)
{
	uint64_t offset = random_offset(model), length = rng_below(&model->rng, 4 * PAGE_BYTES);
	int result = punch(model->file, offset, length, 0);

	if (length == 0) {
		assert_error(result, EINVAL);
	} else if (!is_in_file(model, offset, length)) {
		assert_error(result, ERANGE);
	} else if (is_held(model, offset / PAGE, (offset + length + PAGE - 1) / PAGE)) {
		assert_error(result, ETIMEDOUT);
	} else {
		assert_ok(result);
		memset(model->bytes + offset, 0, length);
	}
}

static void model_close(struct model *model)
{
	devmap_busy_page first = {0};
	devmap_busy_report report = {.pages = &first, .capacity = 1};
	int result = devmap_dax_file_close(model->file, 0, NULL, &report);
	uint64_t nr_pages = nr_pages_held(model);

	if (nr_pages == 0) {
		assert_ok(result);
		assert_ok(devmap_dax_file_free(model->file));
		model_open(model);
		return;
	}
	assert_error(result, EBUSY);
	assert_int_equal(report.nr_pages, nr_pages);
	assert_true(is_held(model, first.index, first.index + 1));
	assert_ok(devmap_pagemap_resume(devmap_dax_file_pagemap(model->file)));
}

static void model_compare(struct model *model)
{
	static unsigned char bytes[CAPACITY];
	uint32_t i;

	assert_int_equal(devmap_dax_file_length(model->file), model->length);
	assert_int_equal(size_of(model->path), model->length);
	assert_ok(devmap_dax_file_check(model->file));
	read_past(model->path, 0, bytes, model->length);
	assert_memory_equal(bytes, model->bytes, model->length);
	for (i = 0; i < model->nr_held; i++)
		assert_memory_equal(
			model->held[i].lease.bytes, model->bytes + model->held[i].offset, model->held[i].length);
}

typedef void model_operation(struct model *model);

static void model_step(struct model *model)
{
	static model_operation *const steps[] = {
		model_lease,
		model_lease,
		model_lease,
		model_give_back,
		model_give_back,
		model_give_back,
		model_write,
		model_write,
		model_set_length,
		model_set_length,
		model_punch,
		model_close,
	};

	steps[rng_below(&model->rng, ARRAY_LENGTH(steps))](model);
}

static void random_use_agrees_with_plain_bytes(void **state)
{
	struct model *model = calloc(1, sizeof(*model));
	uint32_t i;

	(void)state;
	assert_non_null(model);
	model->path = known_file("model", 0);
	model->rng = rng_stream(1);
	model_open(model);
	for (i = 0; i < scaled(12000); i++) {
		model_step(model);
		if (i % 64 == 0)
			model_compare(model);
	}
	while (model->nr_held > 0)
		model_give_back(model);
	model_compare(model);
	close_file(model->file);
	free(model);
}

/* ---- readers against truncation --------------------------------------------------------------------------------- */

/*
 * Every page starts with words of one stamp, which names the page, and goes on with zeros: all stamp when it was
 * written, none when it is a hole, and both when a truncation cut it. Nothing here is atomic, so whoever reads a page
 * that is being written is a data race, and whoever reads one that was cut off dies of SIGBUS.
 */
#define WORDS (PAGE_BYTES / sizeof(uint64_t))

struct shared_file {
	devmap_dax_file *file;
	uint32_t nr_changes;
	_Atomic(bool) done;
	_Atomic(uint64_t) nr_reads;
	_Atomic(uint64_t) nr_refusals;
};

static uint64_t stamp_of(uint64_t page, uint32_t generation)
{
	return (page + 1) << 32 | generation;
}

static void check_words(const uint64_t *words, uint64_t n, uint64_t page)
{
	uint64_t i = 0;

	check(words[0] == 0 || words[0] >> 32 == page + 1);
	while (i < n && words[i] == words[0])
		i++;
	while (i < n && words[i] == 0)
		i++;
	check(i == n);
}

static void read_at_random(struct shared_file *shared, struct rng *rng)
{
	uint64_t page = rng_below(rng, NR_PAGES), length = (1 + rng_below(rng, 3 * WORDS)) * sizeof(uint64_t), done;
	bool write = rng_below(rng, 4) == 0;
	struct lease lease = {0}, share = {0};
	int result;

	if (length > CAPACITY - page * PAGE)
		length = CAPACITY - page * PAGE;
	result = try_lease(shared->file, page * PAGE, length, write, &lease);
	/* Beyond the end now, or about to be: a reader comes back later, or reads something else. */
	if (result == -ERANGE || result == -EAGAIN) {
		atomic_fetch_add_explicit(&shared->nr_refusals, 1, memory_order_relaxed);
		perturb(rng);
		return;
	}
	if (!check(result == 0))
		return;
	check(devmap_dax_file_length(shared->file) >= page * PAGE + length);
	if (rng_below(rng, 4) == 0) {
		share = lease;
		for (done = 0; done < lease.nr_pages; done++)
			devmap_get_page(lease.page + done);
		give_back(&lease);
		lease = share;
	}
	for (done = 0; done < length; done += PAGE)
		check_words((const uint64_t *)(const void *)&lease.bytes[done],
			(length - done < PAGE ? length - done : PAGE) / sizeof(uint64_t), page + done / PAGE);
	check(devmap_dax_file_length(shared->file) >= page * PAGE + length);
	give_back(&lease);
	atomic_fetch_add_explicit(&shared->nr_reads, 1, memory_order_relaxed);
}

/* Writes the pages that lie in the file, while nobody reads them. */
static void stamp_pages(devmap_dax_file *file, uint64_t first_page, uint64_t nr_pages, uint32_t generation)
{
	devmap_pagemap *map = devmap_dax_file_pagemap(file);
	devmap_layout_break range;
	uint64_t page, word;

	check(devmap_fs_dax_break_layouts(map, &owner, first_page, nr_pages, DEVMAP_WAIT_FOREVER, NULL, &range) == 0);
	for (page = first_page; page < first_page + nr_pages; page++) {
		uint64_t *words = (uint64_t *)(map->start + page * PAGE);

		for (word = 0; word < WORDS; word++)
			words[word] = stamp_of(page, generation);
	}
	devmap_fs_dax_end_break(&range);
}

static void change_again_and_again(struct shared_file *shared, struct rng *rng)
{
	uint32_t i;

	for (i = 0; i < shared->nr_changes; i++) {
		uint64_t length = rng_below(rng, NR_PAGES * WORDS) * sizeof(uint64_t), page = rng_below(rng, NR_PAGES);
		int64_t timeout_ns = rng_below(rng, 8) == 0 ? 0 : DEVMAP_WAIT_FOREVER;
		int result;

		if (rng_below(rng, 4) == 0) {
			result = punch(shared->file, page * PAGE, PAGE, timeout_ns);
			check(result == 0 || (result == -ETIMEDOUT && timeout_ns == 0));
			continue;
		}
		result = set_length(shared->file, length, timeout_ns);
		check(result == 0 || (result == -ETIMEDOUT && timeout_ns == 0));
		perturb(rng);
		check(set_length(shared->file, CAPACITY, DEVMAP_WAIT_FOREVER) == 0);
		perturb(rng);
		page = length / PAGE;
		stamp_pages(shared->file, page, 1 + rng_below(rng, (uint32_t)(NR_PAGES - page)), i + 1);
	}
}

static void change_or_read(void *argument, uint32_t index, struct rng *rng)
{
	struct shared_file *shared = argument;

	if (index == 0) {
		change_again_and_again(shared, rng);
		atomic_store(&shared->done, true);
		return;
	}
	while (!atomic_load_explicit(&shared->done, memory_order_relaxed))
		read_at_random(shared, rng);
}

static void readers_never_see_a_truncation(void **state)
{
	const char *path = sparse_file("data", CAPACITY);
	struct shared_file shared = {.file = claimed_file(path), .nr_changes = scaled(2000)};
	devmap_stats before = stats_now(), after;

	(void)state;
	stamp_pages(shared.file, 0, NR_PAGES, 0);
	run_threads(4, change_or_read, &shared);
	after = stats_now();
	assert_true(atomic_load(&shared.nr_reads) > 0);
	assert_int_equal(after.activations - before.activations, after.idle_edges - before.idle_edges);
	assert_int_equal(size_of(path), CAPACITY);
	assert_ok(devmap_dax_file_check(shared.file));
	close_file(shared.file);
}

#else

static void there_is_no_file_to_use(void **state)
{
	const char *path = known_file("data", 1);
	devmap_dax_file *file = NULL;

	(void)state;
	assert_error(open_with(path, DEVMAP_DAX_FILE_WRITE, MIB, 0, &file), EOPNOTSUPP);
	assert_null(file);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(random_use_agrees_with_plain_bytes),
		contract(readers_never_see_a_truncation),
#else
		contract(there_is_no_file_to_use),
#endif
	};

	return cmocka_run_group_tests_name("dax_file_model", tests, directory_open, directory_close);
}
