/* SPDX-License-Identifier: MIT */
/*
 * What others do to a file: whoever uses this library is kept out by the claim's lock; whoever does not may shorten it,
 * which is told, and may take it out of its directory, which harms nobody.
 */
#include "dax_file_fixture.h"

#include <signal.h>

#ifdef DEVMAP_CONFIG_FS_DAX

#define PAGE ((uint64_t)PAGE_BYTES)
#define LENGTH (8 * PAGE)

/* ---- files removed or shortened by somebody else ---------------------------------------------------------------- */

static void a_file_that_is_unlinked_stays_whole(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease;

	(void)state;
	assert_ok(unlink(path));
	lease = take_lease(file, 0, LENGTH, true);
	assert_known(lease.bytes, 0, LENGTH);
	give_back(&lease);
	assert_ok(devmap_dax_file_check(file));
	assert_ok(set_length(file, 100, 0));
	assert_ok(set_length(file, 2 * LENGTH, 0));
	lease = take_lease(file, 0, 2 * LENGTH, true);
	assert_known(lease.bytes, 0, 100);
	assert_zeros(lease.bytes + 100, 2 * LENGTH - 100);
	give_back(&lease);
	close_file(file);
}

static void a_file_that_is_replaced_stays_what_was_opened(void **state)
{
	const char *path = known_file("data", LENGTH), *other = sparse_file("other", 100);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease;

	(void)state;
	assert_ok(rename(other, path));
	assert_ok(devmap_dax_file_check(file));
	lease = take_lease(file, 0, LENGTH, false);
	assert_known(lease.bytes, 0, LENGTH);
	give_back(&lease);
	close_file(file);
	assert_int_equal(size_of(path), 100);
}

static void a_file_that_somebody_else_shortened_is_stale(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease = {0};

	(void)state;
	assert_ok(devmap_dax_file_check(file));
	assert_ok(truncate(path, 3 * PAGE));
	assert_error(devmap_dax_file_check(file), ESTALE);
	assert_error(set_length(file, 2 * PAGE, 0), ESTALE);
	assert_error(set_length(file, 2 * LENGTH, 0), ESTALE);
	assert_error(punch(file, 0, PAGE, 0), ESTALE);
	assert_error(try_lease(file, 0, LENGTH, true, &lease), ESTALE);
	assert_error(try_lease(file, 7 * PAGE, 1, true, &lease), ESTALE);
	assert_null(lease.page);
	/* Nothing was changed on top, and nobody holds a page. */
	assert_int_equal(size_of(path), 3 * PAGE);
	assert_int_equal(devmap_dax_file_length(file), LENGTH);
	assert_null(devmap_fs_dax_busy_page(devmap_dax_file_pagemap(file), 0, 8));
	/* What is left can be read. */
	assert_file_is_known(file, path, 0, 3 * PAGE);
	close_file(file);
}

static void a_write_lease_of_what_was_written_before_is_stale_too(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease = take_lease(file, 0, LENGTH, true);

	(void)state;
	give_back(&lease);
	assert_ok(truncate(path, 3 * PAGE));
	assert_error(try_lease(file, 0, LENGTH, true, &lease), ESTALE);
	assert_error(try_lease(file, 7 * PAGE, 1, true, &lease), ESTALE);
	assert_null(lease.page);
	close_file(file);
}

static void a_file_that_somebody_else_lengthened_is_stale_for_changes(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease = {0};

	(void)state;
	assert_ok(truncate(path, 2 * (off_t)LENGTH));
	assert_error(devmap_dax_file_check(file), ESTALE);
	assert_error(set_length(file, PAGE, 0), ESTALE);
	assert_error(set_length(file, 3 * LENGTH, 0), ESTALE);
	assert_int_equal(size_of(path), 2 * LENGTH);
	assert_int_equal(devmap_dax_file_length(file), LENGTH);
	/* What the handle knows of is whole. */
	lease = take_lease(file, 0, LENGTH, true);
	assert_known(lease.bytes, 0, LENGTH);
	give_back(&lease);
	assert_error(try_lease(file, LENGTH, 1, false, &lease), ERANGE);
	close_file(file);
}

static void a_file_that_has_its_length_again_is_not_stale(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);

	(void)state;
	assert_ok(truncate(path, 3 * PAGE));
	assert_error(devmap_dax_file_check(file), ESTALE);
	assert_ok(truncate(path, (off_t)LENGTH));
	assert_ok(devmap_dax_file_check(file));
	assert_ok(set_length(file, PAGE, 0));
	close_file(file);
}

static int touch(void *address)
{
	volatile unsigned char *byte = address;

	/* A sanitizer may have taken the signal. */
	(void)signal(SIGBUS, SIG_DFL);
	return *byte;
}

static void touching_what_somebody_else_cut_off_is_sigbus_as_for_any_mapping(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = open_file(path, 0);
	struct lease lease = take_lease(file, 0, LENGTH, false);
	int status;

	(void)state;
	status = run_child(touch, lease.bytes + 7 * PAGE);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), known_byte(7 * PAGE));
	assert_ok(truncate(path, 3 * PAGE));
	assert_error(devmap_dax_file_check(file), ESTALE);
	status = run_child(touch, lease.bytes + 7 * PAGE);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
	/* What is left is still there. */
	assert_known(lease.bytes, 0, 3 * PAGE);
	give_back(&lease);
	close_file(file);
}

/* ---- two opens -------------------------------------------------------------------------------------------------- */

static void a_writer_s_claim_keeps_every_other_open_out(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *writer = claimed_file(path), *other = open_file(path, DEVMAP_DAX_FILE_WRITE);
	devmap_dax_file *reader = open_file(path, 0);
	uint64_t claims = stats_now().claims.current;

	(void)state;
	assert_error(claim_file(other), EBUSY);
	assert_error(claim_file(reader), EBUSY);
	assert_int_equal(stats_now().claims.current, claims);
	/* Leases need no claim. */
	assert_file_is_known(other, path, 0, LENGTH);
	assert_file_is_known(reader, path, 0, LENGTH);
	close_file(other);
	close_file(reader);
	close_file(writer);
}

static void readers_claim_together_and_keep_writers_out(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *writer = open_file(path, DEVMAP_DAX_FILE_WRITE);
	devmap_dax_file *one = open_file(path, 0), *other = open_file(path, 0);

	(void)state;
	assert_ok(claim_file(one));
	assert_ok(claim_file(other));
	assert_error(claim_file(writer), EBUSY);
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(one), &owner));
	assert_error(claim_file(writer), EBUSY);
	close_file(other);
	assert_ok(claim_file(writer));
	assert_error(claim_file(one), EBUSY);
	close_file(writer);
	close_file(one);
}

static void the_lock_goes_with_the_claim(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *one = claimed_file(path), *other = open_file(path, DEVMAP_DAX_FILE_WRITE);

	(void)state;
	assert_error(claim_file(other), EBUSY);
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(one), &owner));
	assert_ok(claim_file(other));
	assert_error(claim_file(one), EBUSY);
	/* Closing the one that holds no lock takes none from the other. */
	close_file(one);
	one = open_file(path, DEVMAP_DAX_FILE_WRITE);
	assert_error(claim_file(one), EBUSY);
	close_file(other);
	assert_ok(claim_file(one));
	close_file(one);
}

static void a_claim_learns_the_length_that_others_left(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *one = open_file(path, DEVMAP_DAX_FILE_WRITE), *other = claimed_file(path);
	struct lease lease = {0};

	(void)state;
	assert_ok(set_length(other, 3 * PAGE, 0));
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(other), &owner));
	assert_ok(claim_file(one));
	assert_int_equal(devmap_dax_file_length(one), 3 * PAGE);
	assert_ok(devmap_dax_file_check(one));
	assert_error(try_lease(one, 3 * PAGE, 1, false, &lease), ERANGE);
	assert_ok(set_length(one, 2 * LENGTH, 0));
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(one), &owner));
	assert_ok(claim_file(other));
	assert_int_equal(devmap_dax_file_length(other), 2 * LENGTH);
	lease = take_lease(other, 0, 2 * LENGTH, true);
	assert_known(lease.bytes, 0, 3 * PAGE);
	assert_zeros(lease.bytes + 3 * PAGE, 2 * LENGTH - 3 * PAGE);
	give_back(&lease);
	close_file(one);
	close_file(other);
}

static void a_file_that_outgrew_its_capacity_is_not_claimed(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *small = NULL, *large = open_file(path, DEVMAP_DAX_FILE_WRITE);

	(void)state;
	assert_ok(open_with(path, DEVMAP_DAX_FILE_WRITE, LENGTH, 0, &small));
	assert_ok(truncate(path, (off_t)LENGTH + 1));
	assert_error(claim_file(small), EFBIG);
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	/* The refusal locked nothing, and is one of the moment. */
	assert_ok(claim_file(large));
	assert_ok(set_length(large, LENGTH, 0));
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(large), &owner));
	assert_ok(claim_file(small));
	close_file(small);
	close_file(large);
}

static void what_others_gave_back_between_two_claims_is_allocated_again(void **state)
{
	const char *path = sparse_file("data", LENGTH);
	devmap_dax_file *one = claimed_file(path), *other = open_file(path, DEVMAP_DAX_FILE_WRITE);
	struct lease lease = take_lease(one, 0, LENGTH, true);

	(void)state;
	give_back(&lease);
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(one), &owner));
	assert_ok(claim_file(other));
	assert_ok(punch(other, 0, LENGTH, 0));
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(other), &owner));
	assert_true(allocated_bytes(path) < LENGTH);
	assert_ok(claim_file(one));
	lease = take_lease(one, 0, LENGTH, true);
	assert_true(allocated_bytes(path) >= LENGTH);
	give_back(&lease);
	close_file(one);
	close_file(other);
}

static void what_others_gave_back_is_allocated_again_without_a_claim(void **state)
{
	const char *path = sparse_file("data", LENGTH);
	devmap_dax_file *one = open_file(path, DEVMAP_DAX_FILE_WRITE), *other = claimed_file(path);
	struct lease lease = take_lease(one, 0, LENGTH, true);

	(void)state;
	give_back(&lease);
	assert_ok(punch(other, 0, LENGTH, 0));
	lease = take_lease(one, 0, LENGTH, true);
	assert_true(allocated_bytes(path) >= LENGTH);
	give_back(&lease);
	close_file(one);
	close_file(other);
}

static void a_close_that_ended_busy_keeps_the_lock(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *one = claimed_file(path), *other = open_file(path, DEVMAP_DAX_FILE_WRITE);
	struct lease lease = take_lease(one, 0, 1, false);

	(void)state;
	assert_error(devmap_dax_file_close(one, 0, NULL, NULL), EBUSY);
	assert_error(claim_file(other), EBUSY);
	give_back(&lease);
	close_file(one);
	assert_ok(claim_file(other));
	close_file(other);
}

/* ---- two processes ---------------------------------------------------------------------------------------------- */

static int claim_for_writing(void *path)
{
	devmap_dax_file *file = NULL;
	int result = open_with(path, DEVMAP_DAX_FILE_WRITE, MIB, 0, &file);

	return result == 0 ? -claim_file(file) : ENOTRECOVERABLE;
}

static int claim_for_reading(void *path)
{
	devmap_dax_file *file = NULL;
	int result = open_with(path, 0, MIB, 0, &file);

	return result == 0 ? -claim_file(file) : ENOTRECOVERABLE;
}

static void a_writer_s_claim_keeps_other_processes_out(void **state)
{
	char path[512];
	devmap_dax_file *file;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", known_file("data", LENGTH));
	file = claimed_file(path);
	assert_error(child_result(claim_for_writing, path), EBUSY);
	assert_error(child_result(claim_for_reading, path), EBUSY);
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(file), &owner));
	assert_ok(child_result(claim_for_writing, path));
	assert_ok(child_result(claim_for_reading, path));
	/* And what a process that ended left locked is free. */
	assert_ok(claim_file(file));
	close_file(file);
	assert_ok(child_result(claim_for_writing, path));
}

static void a_reader_s_claim_admits_readers_of_other_processes(void **state)
{
	char path[512];
	devmap_dax_file *file;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", known_file("data", LENGTH));
	file = open_file(path, 0);
	assert_ok(claim_file(file));
	assert_ok(child_result(claim_for_reading, path));
	assert_error(child_result(claim_for_writing, path), EBUSY);
	close_file(file);
}

static void closing_unlocks_although_a_child_inherited_the_file(void **state)
{
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	int leave[2], status;
	pid_t child;
	char byte;

	(void)state;
	assert_ok(pipe(leave));
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(leave[1]);
		_exit(read(leave[0], &byte, 1) == 0 ? 0 : 1);
	}
	close_file(file);
	file = claimed_file(path);
	assert_ok(close(leave[1]));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_ok(close(leave[0]));
	close_file(file);
}

#else

static void a_shortened_file_is_not_told(void **state)
{
	(void)state;
	assert_error(devmap_dax_file_check(NULL), EOPNOTSUPP);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(a_file_that_is_unlinked_stays_whole),
		contract(a_file_that_is_replaced_stays_what_was_opened),
		contract(a_file_that_somebody_else_shortened_is_stale),
		contract(a_write_lease_of_what_was_written_before_is_stale_too),
		contract(a_file_that_somebody_else_lengthened_is_stale_for_changes),
		contract(a_file_that_has_its_length_again_is_not_stale),
		contract(touching_what_somebody_else_cut_off_is_sigbus_as_for_any_mapping),
		contract(a_writer_s_claim_keeps_every_other_open_out),
		contract(readers_claim_together_and_keep_writers_out),
		contract(the_lock_goes_with_the_claim),
		contract(a_claim_learns_the_length_that_others_left),
		contract(a_file_that_outgrew_its_capacity_is_not_claimed),
		contract(what_others_gave_back_between_two_claims_is_allocated_again),
		contract(what_others_gave_back_is_allocated_again_without_a_claim),
		contract(a_close_that_ended_busy_keeps_the_lock),
		contract(a_writer_s_claim_keeps_other_processes_out),
		contract(a_reader_s_claim_admits_readers_of_other_processes),
		contract(closing_unlocks_although_a_child_inherited_the_file),
#else
		contract(a_shortened_file_is_not_told),
#endif
	};

	return cmocka_run_group_tests_name("dax_file_others", tests, directory_open, directory_close);
}
