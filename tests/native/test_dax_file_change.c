/* SPDX-License-Identifier: MIT */
/* A file's length is set, and holes are punched, under its readers; those of the range are waited for, no others. */
#include "dax_file_fixture.h"

#ifdef DEVMAP_CONFIG_FS_DAX

#define PAGE ((uint64_t)PAGE_BYTES)
#define LENGTH (8 * PAGE)

/* The file is LENGTH known bytes, by any account. */
static void assert_file_is_as_it_was(devmap_dax_file *file, const char *path)
{
	assert_int_equal(devmap_dax_file_length(file), LENGTH);
	assert_int_equal(size_of(path), LENGTH);
	assert_file_is_known(file, path, 0, LENGTH);
	assert_ok(devmap_dax_file_check(file));
}

/* ---- growing ---------------------------------------------------------------------------------------------------- */

static void growing_is_in_place_under_leases(void **state)
{
	const char *path = known_file("data", 5000);
	devmap_dax_file *file = claimed_file(path);
	struct lease held = take_lease(file, 0, 5000, true), grown;

	(void)state;
	assert_ok(set_length(file, 20000, 0));
	assert_int_equal(devmap_dax_file_length(file), 20000);
	assert_int_equal(size_of(path), 20000);
	assert_known(held.bytes, 0, 5000);
	grown = take_lease(file, 0, 20000, false);
	assert_ptr_equal(grown.bytes, held.bytes);
	assert_ptr_equal(grown.page, held.page);
	held.bytes[4999] = 200;
	assert_int_equal(grown.bytes[4999], 200);
	assert_zeros(grown.bytes + 5000, 15000);
	give_back(&held);
	give_back(&grown);
	close_file(file);
}

static void a_file_grows_to_its_capacity_and_no_further(void **state)
{
	const char *path = known_file("data", 5000);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease;

	(void)state;
	assert_error(set_length(file, MIB + 1, 0), EFBIG);
	assert_error(set_length(file, UINT64_MAX, 0), EFBIG);
	assert_error(set_length(file, (uint64_t)INT64_MAX + 1, 0), EFBIG);
	assert_int_equal(size_of(path), 5000);
	assert_ok(set_length(file, MIB, 0));
	assert_int_equal(size_of(path), MIB);
	lease = take_lease(file, MIB - 1, 1, true);
	lease.bytes[0] = 7;
	give_back(&lease);
	assert_int_equal(devmap_dax_file_length(file), MIB);
	close_file(file);
}

static void the_length_it_has_is_set_at_once(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease = take_lease(file, 0, LENGTH, true);

	(void)state;
	assert_ok(set_length(file, LENGTH, 0));
	assert_file_is_as_it_was(file, path);
	give_back(&lease);
	close_file(file);
}

/* ---- shrinking -------------------------------------------------------------------------------------------------- */

static void what_is_cut_off_is_gone(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease = {0};

	(void)state;
	assert_ok(set_length(file, 3 * PAGE, 0));
	assert_int_equal(devmap_dax_file_length(file), 3 * PAGE);
	assert_int_equal(size_of(path), 3 * PAGE);
	assert_error(try_lease(file, 3 * PAGE, 1, false, &lease), ERANGE);
	assert_error(try_lease(file, 0, 3 * PAGE + 1, true, &lease), ERANGE);
	assert_file_is_known(file, path, 0, 3 * PAGE);
	assert_ok(set_length(file, 0, 0));
	assert_error(try_lease(file, 0, 1, false, &lease), ERANGE);
	assert_int_equal(size_of(path), 0);
	close_file(file);
}

static void what_was_cut_off_is_zero_when_the_file_grows_again(void **state)
{
	static const uint64_t lengths[] = {0, 1, 4095, 4096, 4097, 10000, 8 * 4096 - 1};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(lengths); i++) {
		const char *path = known_file("data", LENGTH);
		devmap_dax_file *file = claimed_file(path);

		assert_ok(set_length(file, lengths[i], 0));
		assert_ok(set_length(file, LENGTH, 0));
		if (lengths[i] > 0)
			assert_file_is_known(file, path, 0, lengths[i]);
		assert_file_is_zero(file, path, lengths[i], LENGTH - lengths[i]);
		close_file(file);
	}
}

static void shrinking_waits_for_readers_of_the_tail(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease tail = take_lease(file, 6 * PAGE, PAGE, false), other = {0};
	struct waiting_change change = {0};

	(void)state;
	start_set_length(&change, file, 4 * PAGE);
	assert_true(blocking_call_waits(&change.call));
	assert_int_equal(size_of(path), LENGTH);
	assert_known(tail.bytes, 6 * PAGE, PAGE);
	/* The tail is closed to newcomers, the front is open. */
	assert_error(try_lease(file, 4 * PAGE, 1, false, &other), EAGAIN);
	assert_error(try_lease(file, 7 * PAGE, 1, true, &other), EAGAIN);
	assert_error(try_lease(file, 0, LENGTH, false, &other), EAGAIN);
	assert_file_is_known(file, path, 0, 4 * PAGE);
	devmap_get_page(tail.page);
	devmap_put_page(tail.page);
	assert_true(blocking_call_waits(&change.call));
	give_back(&tail);
	assert_ok(blocking_call_join(&change.call));
	assert_int_equal(size_of(path), 4 * PAGE);
	assert_error(try_lease(file, 4 * PAGE, 1, false, &other), ERANGE);
	close_file(file);
}

static void shrinking_waits_for_nobody_else(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease front = take_lease(file, 0, 4 * PAGE, true);

	(void)state;
	assert_ok(set_length(file, 4 * PAGE, 0));
	assert_int_equal(size_of(path), 4 * PAGE);
	assert_known(front.bytes, 0, 4 * PAGE);
	assert_ok(set_length(file, LENGTH, 0));
	assert_ok(set_length(file, 4 * PAGE, 0));
	give_back(&front);
	close_file(file);
}

static void the_page_of_the_new_end_is_of_the_tail_unless_the_end_is_on_its_boundary(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease page_4 = take_lease(file, 4 * PAGE, 1, false);

	(void)state;
	assert_error(set_length(file, 4 * PAGE + 1, 0), ETIMEDOUT);
	assert_error(set_length(file, 5 * PAGE - 1, 0), ETIMEDOUT);
	assert_error(set_length(file, 4 * PAGE, 0), ETIMEDOUT);
	assert_file_is_as_it_was(file, path);
	assert_ok(set_length(file, 5 * PAGE, 0));
	/* Now the last page holds the old end as well. */
	assert_error(set_length(file, 5 * PAGE - 1, 0), ETIMEDOUT);
	assert_known(page_4.bytes, 4 * PAGE, PAGE);
	give_back(&page_4);
	assert_ok(set_length(file, 5 * PAGE - 1, 0));
	close_file(file);
}

static void the_page_of_the_old_end_is_of_the_tail(void **state)
{
	const char *path = known_file("data", 5000);
	devmap_dax_file *file = claimed_file(path);
	struct lease last = take_lease(file, 4999, 1, false);

	(void)state;
	assert_error(set_length(file, 4999, 0), ETIMEDOUT);
	assert_error(set_length(file, 4096, 0), ETIMEDOUT);
	give_back(&last);
	assert_ok(set_length(file, 4096, 0));
	close_file(file);
}

static void large_pages_shrink_by_bytes_too(void **state)
{
	const char *path = known_file("data", 300000);
	devmap_dax_file *file = NULL;
	struct lease lease;

	(void)state;
	assert_ok(open_with(path, DEVMAP_DAX_FILE_WRITE, MIB, 65536, &file));
	assert_ok(claim_file(file));
	lease = take_lease(file, 65536, 1, false);
	assert_error(set_length(file, 131071, 0), ETIMEDOUT);
	assert_ok(set_length(file, 131072, 0));
	give_back(&lease);
	assert_ok(set_length(file, 100000, 0));
	assert_ok(set_length(file, 200000, 0));
	assert_file_is_known(file, path, 0, 100000);
	assert_file_is_zero(file, path, 100000, 100000);
	close_file(file);
}

static void shrinking_waits_for_the_owner_s_callback(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = stay};
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	struct lease lease = take_lease(file, 6 * PAGE, 1, false);
	struct staying_driver driver;
	struct blocking_call put;

	(void)state;
	staying_driver_init(&driver);
	assert_ok(devmap_fs_dax_claim(devmap_dax_file_pagemap(file), &driver, &ops));
	blocking_call_start(&put, put_page_call, lease.page);
	await_callback(&driver);
	assert_error(devmap_dax_file_set_length(file, &driver, PAGE, 0, NULL), ETIMEDOUT);
	assert_int_equal(size_of(path), LENGTH);
	let_callback_leave(&driver);
	assert_ok(devmap_dax_file_set_length(file, &driver, PAGE, DEVMAP_WAIT_FOREVER, NULL));
	assert_int_equal(driver.left, 1);
	assert_ok(blocking_call_join(&put));
	close_file(file);
}

/* ---- waits that end early --------------------------------------------------------------------------------------- */

static void a_shrink_that_times_out_leaves_the_file_as_it_was(void **state)
{
	static const int64_t timeouts[] = {0, 1, SHORT_WAIT};
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease tail = take_lease(file, LENGTH - 1, 1, false);
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(timeouts); i++) {
		assert_error(set_length(file, 100, timeouts[i]), ETIMEDOUT);
		assert_file_is_as_it_was(file, path);
	}
	give_back(&tail);
	assert_ok(set_length(file, 100, 0));
	close_file(file);
}

static void a_shrink_that_is_cancelled_leaves_the_file_as_it_was(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease tail = take_lease(file, LENGTH - 1, 1, false);
	devmap_cancel cancel = {0};
	struct waiting_change change = {.cancel = &cancel};

	(void)state;
	start_set_length(&change, file, 100);
	assert_true(blocking_call_waits(&change.call));
	devmap_cancel_waits(&cancel);
	assert_error(blocking_call_join(&change.call), ECANCELED);
	assert_file_is_as_it_was(file, path);
	give_back(&tail);
	/* Nothing to wait for: a cancelled wait is no wait. */
	assert_ok(devmap_dax_file_set_length(file, &owner, 100, DEVMAP_WAIT_FOREVER, &cancel));
	close_file(file);
}

static void a_punch_that_ends_early_leaves_the_file_as_it_was(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease = take_lease(file, 2 * PAGE, 1, false);
	devmap_cancel cancel = {0};
	struct waiting_change change = {.cancel = &cancel};

	(void)state;
	assert_error(punch(file, 2 * PAGE, PAGE, 0), ETIMEDOUT);
	assert_error(punch(file, 0, LENGTH, SHORT_WAIT), ETIMEDOUT);
	start_punch(&change, file, PAGE, 2 * PAGE);
	assert_true(blocking_call_waits(&change.call));
	devmap_cancel_waits(&cancel);
	assert_error(blocking_call_join(&change.call), ECANCELED);
	assert_file_is_as_it_was(file, path);
	give_back(&lease);
	close_file(file);
}

/* ---- one change at a time --------------------------------------------------------------------------------------- */

static void changes_of_one_file_wait_for_each_other(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease tail = take_lease(file, 6 * PAGE, 1, false);
	struct waiting_change shrink = {0}, grow = {0};

	(void)state;
	start_set_length(&shrink, file, PAGE);
	assert_true(blocking_call_waits(&shrink.call));
	start_set_length(&grow, file, 2 * LENGTH);
	assert_true(blocking_call_waits(&grow.call));
	assert_int_equal(size_of(path), LENGTH);
	give_back(&tail);
	assert_ok(blocking_call_join(&shrink.call));
	assert_ok(blocking_call_join(&grow.call));
	assert_int_equal(devmap_dax_file_length(file), 2 * LENGTH);
	assert_file_is_known(file, path, 0, PAGE);
	/* The one came after the other, not instead of it. */
	assert_file_is_zero(file, path, PAGE, 2 * LENGTH - PAGE);
	close_file(file);
}

static void the_wait_for_another_change_ends_early_too(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease tail = take_lease(file, 6 * PAGE, 1, false);
	devmap_cancel cancel = {0};
	struct waiting_change shrink = {0}, grow = {.cancel = &cancel};

	(void)state;
	start_set_length(&shrink, file, 4 * PAGE);
	assert_true(blocking_call_waits(&shrink.call));
	assert_error(set_length(file, 2 * LENGTH, 0), ETIMEDOUT);
	assert_error(set_length(file, 2 * LENGTH, SHORT_WAIT), ETIMEDOUT);
	assert_error(punch(file, 0, PAGE, 0), ETIMEDOUT);
	start_set_length(&grow, file, 2 * LENGTH);
	assert_true(blocking_call_waits(&grow.call));
	devmap_cancel_waits(&cancel);
	assert_error(blocking_call_join(&grow.call), ECANCELED);
	assert_int_equal(size_of(path), LENGTH);
	give_back(&tail);
	assert_ok(blocking_call_join(&shrink.call));
	assert_int_equal(size_of(path), 4 * PAGE);
	close_file(file);
}

static void a_claim_is_not_released_during_a_change(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease tail = take_lease(file, 6 * PAGE, 1, false);
	struct waiting_change shrink = {0};

	(void)state;
	start_set_length(&shrink, file, PAGE);
	assert_true(blocking_call_waits(&shrink.call));
	assert_error(devmap_fs_dax_release(devmap_dax_file_pagemap(file), &owner), EBUSY);
	give_back(&tail);
	assert_ok(blocking_call_join(&shrink.call));
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(file), &owner));
	close_file(file);
}

static void close_waits_for_a_change(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease tail = take_lease(file, 6 * PAGE, 1, false);
	struct waiting_change shrink = {0};
	devmap_busy_report report = {0};

	(void)state;
	start_set_length(&shrink, file, PAGE);
	assert_true(blocking_call_waits(&shrink.call));
	assert_error(devmap_dax_file_close(file, 0, NULL, &report), EBUSY);
	assert_int_equal(report.nr_pages, 1);
	assert_true(report.nr_references > 0);
	assert_true(blocking_call_waits(&shrink.call));
	give_back(&tail);
	assert_ok(blocking_call_join(&shrink.call));
	assert_int_equal(size_of(path), PAGE);
	close_file(file);
}

static void change_at_random(void *shared, uint32_t index, struct rng *rng)
{
	devmap_dax_file *file = shared;
	uint32_t round;

	for (round = 0; round < scaled(1000); round++) {
		uint64_t offset = rng_below(rng, 16 * PAGE_BYTES);
		struct lease lease = {0};
		int result;

		switch (index) {
		case 0:
		case 1:
			check(set_length(file, offset, DEVMAP_WAIT_FOREVER) == 0);
			break;
		case 2:
			result = punch(file, offset, 1 + rng_below(rng, 2 * PAGE_BYTES), DEVMAP_WAIT_FOREVER);
			check(result == 0 || result == -ERANGE);
			break;
		default:
			result = try_lease(file, offset, 1, rng_below(rng, 2) != 0, &lease);
			check(result == 0 || result == -ERANGE || result == -EAGAIN);
			if (result != 0)
				break;
			check(*lease.bytes == 0 || *lease.bytes == known_byte(offset));
			give_back(&lease);
		}
		perturb(rng);
	}
}

static void changes_from_many_threads_leave_a_file_of_one_length(void **state)
{
	const char *path = known_file("data", 16 * PAGE);
	devmap_dax_file *file = claimed_file(path);

	(void)state;
	run_threads(5, change_at_random, file);
	assert_int_equal(size_of(path), devmap_dax_file_length(file));
	assert_ok(devmap_dax_file_check(file));
	close_file(file);
}

/* ---- who may change --------------------------------------------------------------------------------------------- */

static void only_the_owner_of_the_claim_changes_the_file(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	int other = 0;

	(void)state;
	assert_error(set_length(file, 2 * LENGTH, 0), EPERM);
	assert_error(set_length(file, 100, 0), EPERM);
	assert_error(set_length(file, LENGTH, 0), EPERM);
	assert_error(punch(file, 0, 100, 0), EPERM);
	assert_ok(claim_file(file));
	assert_error(devmap_dax_file_set_length(file, &other, 2 * LENGTH, 0, NULL), EPERM);
	assert_error(devmap_dax_file_set_length(file, &other, 100, 0, NULL), EPERM);
	assert_error(devmap_dax_file_punch_hole(file, &other, 0, 100, 0, NULL), EPERM);
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(file), &owner));
	assert_error(set_length(file, 100, 0), EPERM);
	assert_file_is_as_it_was(file, path);
	close_file(file);
}

struct changing_driver {
	devmap_dax_file *file;
	int shrunk;
	int grown;
	int punched;
};

static void change_from_inside(devmap_page *page, void *data)
{
	struct changing_driver *driver = data;

	(void)page;
	driver->shrunk = devmap_dax_file_set_length(driver->file, driver, 100, DEVMAP_WAIT_FOREVER, NULL);
	driver->grown = devmap_dax_file_set_length(driver->file, driver, 2 * LENGTH, DEVMAP_WAIT_FOREVER, NULL);
	driver->punched = devmap_dax_file_punch_hole(driver->file, driver, 0, 100, DEVMAP_WAIT_FOREVER, NULL);
}

static void a_callback_does_not_change_its_own_file(void **state)
{
	static const devmap_pagemap_ops ops = {.page_free = change_from_inside};
	const char *path = known_file("data", LENGTH);
	struct changing_driver driver = {.file = open_file(path, DEVMAP_DAX_FILE_WRITE)};
	struct lease lease;

	(void)state;
	assert_ok(devmap_fs_dax_claim(devmap_dax_file_pagemap(driver.file), &driver, &ops));
	lease = take_lease(driver.file, 0, 1, false);
	give_back(&lease);
	assert_error(driver.shrunk, EDEADLK);
	assert_error(driver.grown, EDEADLK);
	assert_error(driver.punched, EDEADLK);
	assert_file_is_as_it_was(driver.file, path);
	close_file(driver.file);
}

static void a_range_that_is_broken_is_not_cut_off(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	devmap_layout_break range;

	(void)state;
	assert_ok(devmap_fs_dax_break_layouts(devmap_dax_file_pagemap(file), &owner, 6, 1, 0, NULL, &range));
	assert_error(set_length(file, 100, 0), EBUSY);
	assert_error(punch(file, 0, LENGTH, 0), EBUSY);
	devmap_fs_dax_end_break(&range);
	assert_file_is_as_it_was(file, path);
	assert_ok(set_length(file, 100, 0));
	close_file(file);
}

/* ---- holes ------------------------------------------------------------------------------------------------------ */

static void a_hole_reads_as_zeros_and_the_length_stays(void **state)
{
	static const struct {
		uint64_t offset;
		uint64_t length;
	} holes[] = {{0, 1}, {0, 4096}, {100, 50}, {4000, 200}, {4096, 8192}, {5000, 20000}, {8 * 4096 - 1, 1},
		{0, 8 * 4096}};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(holes); i++) {
		const char *path = known_file("data", LENGTH);
		devmap_dax_file *file = claimed_file(path);
		uint64_t end = holes[i].offset + holes[i].length;

		assert_ok(punch(file, holes[i].offset, holes[i].length, 0));
		assert_int_equal(devmap_dax_file_length(file), LENGTH);
		assert_int_equal(size_of(path), LENGTH);
		assert_file_is_zero(file, path, holes[i].offset, holes[i].length);
		if (holes[i].offset > 0)
			assert_file_is_known(file, path, 0, holes[i].offset);
		if (end < LENGTH)
			assert_file_is_known(file, path, end, LENGTH - end);
		assert_ok(devmap_dax_file_check(file));
		close_file(file);
	}
}

static void a_hole_out_of_the_file_is_refused(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);

	(void)state;
	assert_error(punch(file, LENGTH, 1, 0), ERANGE);
	assert_error(punch(file, LENGTH - 1, 2, 0), ERANGE);
	assert_error(punch(file, 1, UINT64_MAX, 0), ERANGE);
	assert_error(punch(file, UINT64_MAX, 1, 0), ERANGE);
	assert_error(punch(file, 0, 0, 0), EINVAL);
	assert_file_is_as_it_was(file, path);
	close_file(file);
}

static void punching_waits_for_readers_of_the_range(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease inside = take_lease(file, 3 * PAGE + 100, 1, false), other = {0};
	struct waiting_change change = {0};

	(void)state;
	start_punch(&change, file, 2 * PAGE + 5, PAGE);
	assert_true(blocking_call_waits(&change.call));
	assert_known(inside.bytes, 3 * PAGE + 100, 1);
	assert_error(try_lease(file, 2 * PAGE, 1, false, &other), EAGAIN);
	assert_error(try_lease(file, 3 * PAGE, 1, true, &other), EAGAIN);
	assert_file_is_known(file, path, 0, 2 * PAGE);
	assert_file_is_known(file, path, 4 * PAGE, 4 * PAGE);
	give_back(&inside);
	assert_ok(blocking_call_join(&change.call));
	assert_file_is_zero(file, path, 2 * PAGE + 5, PAGE);
	close_file(file);
}

static void punching_waits_for_nobody_else(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease below = take_lease(file, 0, 2 * PAGE, true), above = take_lease(file, 4 * PAGE, 4 * PAGE, true);

	(void)state;
	assert_ok(punch(file, 2 * PAGE, 2 * PAGE, 0));
	assert_known(below.bytes, 0, 2 * PAGE);
	assert_known(above.bytes, 4 * PAGE, 4 * PAGE);
	assert_error(punch(file, 2 * PAGE - 1, 2 * PAGE, 0), ETIMEDOUT);
	assert_error(punch(file, 2 * PAGE, 2 * PAGE + 1, 0), ETIMEDOUT);
	give_back(&below);
	give_back(&above);
	close_file(file);
}

static void a_hole_is_allocated_again_by_the_next_write_lease(void **state)
{
	const char *path = sparse_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease = take_lease(file, 0, LENGTH, true);
	uint64_t full = allocated_bytes(path);

	(void)state;
	memset(lease.bytes, 1, LENGTH);
	give_back(&lease);
	assert_true(full >= LENGTH);
	assert_ok(punch(file, 2 * PAGE, 4 * PAGE, 0));
	assert_true(allocated_bytes(path) <= full - 4 * PAGE);
	lease = take_lease(file, 0, LENGTH, true);
	assert_true(allocated_bytes(path) >= LENGTH);
	assert_zeros(lease.bytes + 2 * PAGE, 4 * PAGE);
	memset(lease.bytes, 2, LENGTH);
	give_back(&lease);
	close_file(file);
}

static void what_was_cut_off_is_allocated_again_by_the_next_write_lease(void **state)
{
	const char *path = sparse_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease = take_lease(file, 0, LENGTH, true);

	(void)state;
	give_back(&lease);
	assert_ok(set_length(file, PAGE + 1, 0));
	assert_ok(set_length(file, LENGTH, 0));
	assert_true(allocated_bytes(path) < LENGTH);
	lease = take_lease(file, PAGE, LENGTH - PAGE, true);
	assert_true(allocated_bytes(path) >= LENGTH);
	give_back(&lease);
	close_file(file);
}

static void a_page_that_the_old_end_cut_is_allocated_whole_after_growing(void **state)
{
	const char *path = sparse_file("data", 1);
	devmap_dax_file *file = NULL;
	struct lease lease;

	(void)state;
	assert_ok(open_with(path, DEVMAP_DAX_FILE_WRITE, MIB, 65536, &file));
	assert_ok(claim_file(file));
	lease = take_lease(file, 0, 1, true);
	give_back(&lease);
	assert_ok(set_length(file, 65536, 0));
	lease = take_lease(file, 0, 65536, true);
	assert_true(allocated_bytes(path) >= 65536);
	give_back(&lease);
	close_file(file);
}

#else

static void changes_are_not_supported(void **state)
{
	(void)state;
	assert_error(devmap_dax_file_set_length(NULL, &owner, 0, 0, NULL), EOPNOTSUPP);
	assert_error(devmap_dax_file_punch_hole(NULL, &owner, 0, 1, 0, NULL), EOPNOTSUPP);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(growing_is_in_place_under_leases),
		contract(a_file_grows_to_its_capacity_and_no_further),
		contract(the_length_it_has_is_set_at_once),
		contract(what_is_cut_off_is_gone),
		contract(what_was_cut_off_is_zero_when_the_file_grows_again),
		contract(shrinking_waits_for_readers_of_the_tail),
		contract(shrinking_waits_for_nobody_else),
		contract(the_page_of_the_new_end_is_of_the_tail_unless_the_end_is_on_its_boundary),
		contract(the_page_of_the_old_end_is_of_the_tail),
		contract(large_pages_shrink_by_bytes_too),
		contract(shrinking_waits_for_the_owner_s_callback),
		contract(a_shrink_that_times_out_leaves_the_file_as_it_was),
		contract(a_shrink_that_is_cancelled_leaves_the_file_as_it_was),
		contract(a_punch_that_ends_early_leaves_the_file_as_it_was),
		contract(changes_of_one_file_wait_for_each_other),
		contract(the_wait_for_another_change_ends_early_too),
		contract(a_claim_is_not_released_during_a_change),
		contract(close_waits_for_a_change),
		contract(changes_from_many_threads_leave_a_file_of_one_length),
		contract(only_the_owner_of_the_claim_changes_the_file),
		contract(a_callback_does_not_change_its_own_file),
		contract(a_range_that_is_broken_is_not_cut_off),
		contract(a_hole_reads_as_zeros_and_the_length_stays),
		contract(a_hole_out_of_the_file_is_refused),
		contract(punching_waits_for_readers_of_the_range),
		contract(punching_waits_for_nobody_else),
		contract(a_hole_is_allocated_again_by_the_next_write_lease),
		contract(what_was_cut_off_is_allocated_again_by_the_next_write_lease),
		contract(a_page_that_the_old_end_cut_is_allocated_whole_after_growing),
#else
		contract(changes_are_not_supported),
#endif
	};

	return cmocka_run_group_tests_name("dax_file_change", tests, directory_open, directory_close);
}
