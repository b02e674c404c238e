/* SPDX-License-Identifier: MIT */
/*
 * A disk that is full or fails is an error before anything is written, and leaves the file as it was. fallocate() and
 * ftruncate() are defined here, in front of the C library's, so that they fail when a test wants them to.
 */
#include "dax_file_fixture.h"

#include <linux/magic.h>
#include <sys/vfs.h>

/* The error to answer, or 0 to ask the system. */
static _Atomic(int) allocation_error;
static _Atomic(int) truncation_error;
static _Atomic(uint32_t) nr_allocations;

static int fail_with(int error)
{
	errno = error;
	return -1;
}

static int allocate_or_fail(int fd, int mode, off_t offset, off_t length)
{
	int error = atomic_load(&allocation_error);

	atomic_fetch_add(&nr_allocations, 1);
	return error != 0 ? fail_with(error) : (int)syscall(SYS_fallocate, fd, mode, offset, length);
}

static int truncate_or_fail(int fd, off_t length)
{
	int error = atomic_load(&truncation_error);

	return error != 0 ? fail_with(error) : (int)syscall(SYS_ftruncate, fd, length);
}

#define INTERPOSED __attribute__((visibility("default")))

INTERPOSED int fallocate(int fd, int mode, off_t offset, off_t length)
{
	return allocate_or_fail(fd, mode, offset, length);
}

INTERPOSED int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
	return allocate_or_fail(fd, mode, offset, length);
}

INTERPOSED int ftruncate(int fd, off_t length)
{
	return truncate_or_fail(fd, length);
}

INTERPOSED int ftruncate64(int fd, off64_t length)
{
	return truncate_or_fail(fd, length);
}

#ifdef DEVMAP_CONFIG_FS_DAX

#define LENGTH UINT64_C(32768)

static void a_write_lease_that_cannot_be_allocated_is_not_given(void **state)
{
	static const int errors[] = {ENOSPC, EDQUOT, EIO, EOPNOTSUPP};
	const char *path = sparse_file("data", LENGTH);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	devmap_pagemap *map = devmap_dax_file_pagemap(file);
	struct lease lease = {.nr_pages = 77};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(errors); i++) {
		atomic_store(&allocation_error, errors[i]);
		assert_error(try_lease(file, 4096, 8192, true, &lease), errors[i]);
		assert_null(lease.page);
		assert_int_equal(lease.nr_pages, 77);
		assert_null(lease.bytes);
		assert_null(devmap_fs_dax_busy_page(map, 0, map->nr_pages));
		atomic_store(&allocation_error, 0);
	}
	assert_int_equal(size_of(path), LENGTH);
	lease = take_lease(file, 4096, 8192, true);
	memset(lease.bytes, 1, 8192);
	give_back(&lease);
	close_file(file);
}

static void reading_needs_no_room(void **state)
{
	const char *path = sparse_file("data", LENGTH);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	uint32_t before = atomic_load(&nr_allocations);

	(void)state;
	atomic_store(&allocation_error, ENOSPC);
	assert_file_is_zero(file, path, 0, LENGTH);
	atomic_store(&allocation_error, 0);
	assert_int_equal(atomic_load(&nr_allocations), before);
	close_file(file);
}

static void a_failed_allocation_is_not_remembered_as_done(void **state)
{
	const char *path = sparse_file("data", LENGTH);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	struct lease lease = {0};

	(void)state;
	atomic_store(&allocation_error, ENOSPC);
	assert_error(try_lease(file, 0, LENGTH, true, &lease), ENOSPC);
	assert_error(try_lease(file, 0, LENGTH, true, &lease), ENOSPC);
	atomic_store(&allocation_error, 0);
	lease = take_lease(file, 0, LENGTH, true);
	assert_true(allocated_bytes(path) >= LENGTH);
	give_back(&lease);
	close_file(file);
}

static void a_hole_that_cannot_be_punched_leaves_the_file_as_it_was(void **state)
{
	static const int errors[] = {EOPNOTSUPP, EIO};
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(errors); i++) {
		atomic_store(&allocation_error, errors[i]);
		assert_error(punch(file, 100, 10000, 0), errors[i]);
		atomic_store(&allocation_error, 0);
		assert_file_is_known(file, path, 0, LENGTH);
	}
	assert_ok(punch(file, 0, LENGTH, 0));
	close_file(file);
}

static void a_length_that_cannot_be_set_leaves_the_file_as_it_was(void **state)
{
	static const uint64_t lengths[] = {0, 5000, 4096, 2 * LENGTH};
	static const int errors[] = {EIO, EPERM, ETXTBSY};
	const char *path = known_file("data", LENGTH);
	devmap_dax_file *file = claimed_file(path);
	uint32_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(errors); i++) {
		for (j = 0; j < ARRAY_LENGTH(lengths); j++) {
			atomic_store(&truncation_error, errors[i]);
			assert_error(set_length(file, lengths[j], 0), errors[i]);
			atomic_store(&truncation_error, 0);
			assert_int_equal(devmap_dax_file_length(file), LENGTH);
			/* The range is open again, too. */
			assert_file_is_known(file, path, 0, LENGTH);
			assert_ok(devmap_dax_file_check(file));
		}
	}
	assert_ok(set_length(file, 5000, 0));
	assert_int_equal(size_of(path), 5000);
	close_file(file);
}

#define SHM "/dev/shm"

/* The length of a sparse file that tmpfs cannot hold, a multiple of a gibibyte; 0 where no tmpfs is to be had. */
static uint64_t more_than_fits(void)
{
	struct statfs fs;
	uint64_t size;

	if (statfs(SHM, &fs) != 0 || fs.f_type != TMPFS_MAGIC || fs.f_blocks == 0 || access(SHM, W_OK) != 0)
		return 0;
	size = (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize;
	if (!address_space_is_small() && size < 1023 * GIB)
		return 1024 * GIB;
	return size < 256 * GIB ? (size / GIB + 2) * GIB : 0;
}

static void a_lease_larger_than_the_file_system_is_refused_at_once(void **state)
{
	uint64_t length = more_than_fits();
	char path[64] = SHM "/devmap-test-XXXXXX";
	devmap_dax_file *file = NULL;
	struct lease lease = {0};
	int fd;

	(void)state;
	if (length == 0)
		skip();
	fd = mkstemp(path);
	assert_true(fd >= 0);
	/* Without a name from here on, so that it goes with this process in any case. */
	assert_ok(unlink(path));
	assert_ok(ftruncate(fd, (off_t)length));
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_ok(open_with(path, DEVMAP_DAX_FILE_WRITE, length, GIB, &file));
	assert_ok(close(fd));
	assert_error(try_lease(file, 0, length, true, &lease), ENOSPC);
	assert_null(lease.page);
	/* What does fit is still given. */
	lease = take_lease(file, 0, 4096, true);
	lease.bytes[4095] = 1;
	give_back(&lease);
	lease = take_lease(file, 0, length, false);
	assert_int_equal(lease.bytes[length - 1], 0);
	give_back(&lease);
	close_file(file);
}

#else

static void nothing_is_allocated_without_mapped_files(void **state)
{
	devmap_page *page = NULL;
	uint64_t nr_pages = 0;
	void *address = NULL;

	(void)state;
	assert_error(devmap_dax_file_get_pages(NULL, 0, 4096, true, &page, &nr_pages, &address), EOPNOTSUPP);
	assert_error(devmap_dax_file_set_length(NULL, &owner, 4096, 0, NULL), EOPNOTSUPP);
	assert_int_equal(atomic_load(&nr_allocations), 0);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(a_write_lease_that_cannot_be_allocated_is_not_given),
		contract(reading_needs_no_room),
		contract(a_failed_allocation_is_not_remembered_as_done),
		contract(a_hole_that_cannot_be_punched_leaves_the_file_as_it_was),
		contract(a_length_that_cannot_be_set_leaves_the_file_as_it_was),
		contract(a_lease_larger_than_the_file_system_is_refused_at_once),
#else
		contract(nothing_is_allocated_without_mapped_files),
#endif
	};

	return cmocka_run_group_tests_name("dax_file_full_disk", tests, directory_open, directory_close);
}
