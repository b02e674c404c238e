/* SPDX-License-Identifier: MIT */
/* A file is opened, mapped, leased by ranges of bytes, flushed and closed. */
#include "dax_file_fixture.h"

#ifdef DEVMAP_CONFIG_FS_DAX

#include <sys/mman.h>
#include <sys/resource.h>

#ifndef MAP_SHARED_VALIDATE
#define MAP_SHARED_VALIDATE 3
#endif
#ifndef MAP_SYNC
#define MAP_SYNC 0x80000
#endif

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static void an_open_file_tells_its_length_and_capacity(void **state)
{
	const char *path = known_file("data", 10000);
	devmap_dax_file *file = NULL;

	(void)state;
	assert_ok(open_with(path, 0, 100000, 0, &file));
	assert_int_equal(devmap_dax_file_length(file), 10000);
	assert_int_equal(devmap_dax_file_capacity(file), 102400);
	assert_int_equal(devmap_dax_file_pagemap(file)->nr_pages, 25);
	assert_int_equal(devmap_dax_file_pagemap(file)->page_shift, 12);
	assert_int_equal(atomic_load(&devmap_dax_file_pagemap(file)->type), DEVMAP_MEMORY_DEVICE_HOST);
	close_file(file);
	assert_ok(unlink(path));
}

static void the_default_capacity_is_a_gibibyte_or_four_times_the_length(void **state)
{
	static const struct {
		uint64_t length;
		uint64_t capacity;
	} files[] = {{0, GIB}, {4097, GIB}, {256 * MIB, GIB}, {300 * MIB, 1200 * MIB}};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(files); i++) {
		const char *path = sparse_file("data", files[i].length);
		devmap_dax_file *file = NULL;

		assert_ok(open_with(path, 0, 0, 0, &file));
		assert_int_equal(devmap_dax_file_length(file), files[i].length);
		assert_int_equal(devmap_dax_file_capacity(file), files[i].capacity);
		close_file(file);
	}
}

static void the_capacity_is_rounded_up_to_the_page_size(void **state)
{
	static const uint64_t page_sizes[] = {4096, 65536, 2 * MIB};
	const char *path = known_file("data", 5000);
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(page_sizes); i++) {
		uint64_t nr_pages = (5000 + page_sizes[i] - 1) / page_sizes[i];
		devmap_dax_file *file = NULL;
		struct lease lease;

		assert_ok(open_with(path, 0, 5000, page_sizes[i], &file));
		assert_int_equal(devmap_dax_file_capacity(file), nr_pages * page_sizes[i]);
		assert_int_equal(devmap_dax_file_pagemap(file)->start % page_sizes[i], 0);
		lease = take_lease(file, 0, 5000, false);
		assert_int_equal(lease.nr_pages, nr_pages);
		assert_known(lease.bytes, 0, 5000);
		give_back(&lease);
		close_file(file);
	}
}

static void a_file_is_created_when_asked(void **state)
{
	const char *path = path_of("created");
	devmap_dax_file *file = NULL;
	mode_t mask = umask(027);

	(void)state;
	assert_error(open_with(path, DEVMAP_DAX_FILE_WRITE, MIB, 0, &file), ENOENT);
	assert_ok(open_with(path, DEVMAP_DAX_FILE_WRITE | DEVMAP_DAX_FILE_CREATE, MIB, 0, &file));
	assert_int_equal(status_of(path).st_mode & 0777, 0640);
	assert_int_equal(devmap_dax_file_length(file), 0);
	close_file(file);
	(void)umask(mask);
	assert_ok(unlink(path));
}

static void creating_leaves_a_file_that_exists(void **state)
{
	const char *path = known_file("data", 5000);
	devmap_dax_file *file = NULL;

	(void)state;
	assert_ok(open_with(path, DEVMAP_DAX_FILE_WRITE | DEVMAP_DAX_FILE_CREATE, MIB, 0, &file));
	assert_file_is_known(file, path, 0, 5000);
	close_file(file);
}

static void open_tells_what_is_no_file(void **state)
{
	const char *missing = path_of("missing"), *inside = path_of("data/inside"), *fifo = path_of("fifo");
	devmap_dax_file *file = NULL;

	(void)state;
	(void)known_file("data", 1);
	assert_ok(mkfifo(fifo, 0600));
	assert_error(open_with(missing, 0, MIB, 0, &file), ENOENT);
	assert_error(open_with(missing, DEVMAP_DAX_FILE_WRITE, MIB, 0, &file), ENOENT);
	assert_error(open_with("", 0, MIB, 0, &file), ENOENT);
	assert_error(open_with(inside, 0, MIB, 0, &file), ENOTDIR);
	assert_error(open_with(directory, 0, MIB, 0, &file), EISDIR);
	assert_error(open_with(directory, DEVMAP_DAX_FILE_WRITE, MIB, 0, &file), EISDIR);
	assert_error(open_with(fifo, 0, MIB, 0, &file), EINVAL);
	assert_error(open_with(fifo, DEVMAP_DAX_FILE_WRITE, MIB, 0, &file), EINVAL);
	assert_error(open_with("/dev/zero", 0, MIB, 0, &file), EINVAL);
	assert_error(open_with("/dev/null", DEVMAP_DAX_FILE_WRITE, MIB, 0, &file), EINVAL);
	assert_null(file);
	assert_ok(unlink(fifo));
}

static void open_refuses_bad_arguments(void **state)
{
	const char *path = known_file("data", 5000), *missing = path_of("missing");
	const devmap_dax_file_config good = {.size = sizeof(good), .capacity = MIB};
	static const uint64_t page_sizes[] = {1, 2048, 4095, 6000, 12288, 2 * GIB, UINT64_MAX};
	devmap_dax_file_config config = good;
	devmap_dax_file *file = NULL;
	uint32_t i;

	(void)state;
	assert_error(devmap_dax_file_open(NULL, &good, &file), EINVAL);
	assert_error(devmap_dax_file_open(path, NULL, &file), EINVAL);
	assert_error(devmap_dax_file_open(path, &good, NULL), EINVAL);
	config.size = 0;
	assert_error(devmap_dax_file_open(path, &config, &file), EINVAL);
	config = good;
	config.flags = 1u << 31;
	assert_error(devmap_dax_file_open(path, &config, &file), EINVAL);
	for (i = 0; i < ARRAY_LENGTH(page_sizes); i++)
		assert_error(open_with(path, 0, MIB, page_sizes[i], &file), EINVAL);
	assert_error(open_with(missing, DEVMAP_DAX_FILE_CREATE, MIB, 0, &file), EINVAL);
	assert_int_equal(access(missing, F_OK), -1);
	assert_null(file);
}

static void a_file_longer_than_the_capacity_is_refused(void **state)
{
	const char *path = known_file("data", 8193);
	devmap_dax_file *file = NULL;

	(void)state;
	assert_error(open_with(path, 0, 4096, 0, &file), EFBIG);
	assert_error(open_with(path, 0, 8192, 0, &file), EFBIG);
	assert_null(file);
	/* Rounded up to whole pages, the capacity holds it. */
	assert_ok(open_with(path, 0, 8193, 0, &file));
	close_file(file);
}

static int open_as_nobody(void *path)
{
	devmap_dax_file *file = NULL;
	int readable, result;

	if (geteuid() == 0 && (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
		return ENOTRECOVERABLE;
	readable = open(path, O_RDONLY | O_CLOEXEC) >= 0 ? 0 : -errno;
	result = open_with(path, 0, MIB, 0, &file);
	if (result != readable)
		return ENOTRECOVERABLE;
	return -open_with(path, DEVMAP_DAX_FILE_WRITE, MIB, 0, &file);
}

static void open_without_permission_is_refused(void **state)
{
	char path[512];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", known_file("data", 5000));
	assert_ok(chmod(directory, 0755));
	assert_ok(chmod(path, 0));
	assert_error(child_result(open_as_nobody, path), EACCES);
	/* Readable, so opened for reading; for writing still refused. */
	assert_ok(chmod(path, 0444));
	assert_error(child_result(open_as_nobody, path), EACCES);
	assert_ok(unlink(path));
}

static int open_with_little_address_space(void *path)
{
	struct rlimit limit = {0};
	unsigned long pages = 0;
	devmap_dax_file *file = NULL;
	FILE *statm = fopen("/proc/self/statm", "r");
	int result;

	if (statm == NULL || fscanf(statm, "%lu", &pages) != 1)
		return ENOTRECOVERABLE;
	limit.rlim_cur = limit.rlim_max = (rlim_t)pages * 4096 + 128 * MIB;
	if (setrlimit(RLIMIT_AS, &limit) != 0)
		return ENOTRECOVERABLE;
	result = open_with(path, 0, GIB, 0, &file);
	/* What was refused took nothing: a smaller file still fits. */
	return result == -ENOMEM && file == NULL ? -open_with(path, 0, MIB, 0, &file) : ENOTRECOVERABLE;
}

static void open_without_address_space_is_refused(void **state)
{
	char path[512];
	devmap_dax_file *file = NULL;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", known_file("data", 5000));
	assert_error(open_with(path, 0, UINT64_C(1) << 60, 0, &file), ENOMEM);
	assert_error(open_with(path, 0, UINT64_MAX, 0, &file), ENOMEM);
	assert_error(open_with(path, 0, UINT64_MAX - 4096, GIB, &file), ENOMEM);
	assert_null(file);
	assert_ok(child_result(open_with_little_address_space, path));
}

static bool accepts_map_sync(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);

	(void)close(fd);
	if (memory == MAP_FAILED)
		return false;
	(void)munmap(memory, 4096);
	return true;
}

static void a_file_is_dax_where_map_sync_is_accepted(void **state)
{
	const char *path = known_file("data", 5000);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);

	(void)state;
	assert_int_equal(devmap_dax_file_is_dax(file), accepts_map_sync(path));
	close_file(file);
}

static uint32_t nr_open_files(void)
{
	DIR *entries = opendir("/proc/self/fd");
	uint32_t n = 0;

	assert_non_null(entries);
	while (readdir(entries) != NULL)
		n++;
	assert_ok(closedir(entries));
	return n;
}

static void nothing_stays_open_after_a_refusal_or_a_close(void **state)
{
	const char *path = known_file("data", 8193);
	uint32_t before = nr_open_files();
	devmap_dax_file *file = NULL;

	(void)state;
	assert_error(open_with(path, 0, 4096, 0, &file), EFBIG);
	assert_error(open_with(path, 0, UINT64_C(1) << 60, 0, &file), ENOMEM);
	assert_error(open_with(path, 0, 4 * GIB, 2 * GIB, &file), EINVAL);
	assert_error(open_with("/dev/zero", 0, MIB, 0, &file), EINVAL);
	assert_int_equal(nr_open_files(), before);
	assert_int_equal(stats_now().dax_files.current, 0);
	file = open_file(path, 0);
	assert_int_equal(stats_now().dax_files.current, 1);
	close_file(file);
	assert_int_equal(nr_open_files(), before);
	assert_int_equal(stats_now().dax_files.current, 0);
}

/* ---- leases ----------------------------------------------------------------------------------------------------- */

static void a_lease_shows_the_file_at_any_offset(void **state)
{
	static const struct {
		uint64_t offset;
		uint64_t length;
		uint64_t first_page;
		uint64_t nr_pages;
	} ranges[] = {
		{0, 1, 0, 1},
		{0, 4096, 0, 1},
		{0, 4097, 0, 2},
		{4095, 1, 0, 1},
		{4095, 2, 0, 2},
		{4096, 1, 1, 1},
		{5000, 10000, 1, 3},
		{19999, 1, 4, 1},
		{0, 20000, 0, 5},
		{8192, 8192, 2, 2},
	};
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = open_file(path, 0);
	devmap_pagemap *map = devmap_dax_file_pagemap(file);
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(ranges); i++) {
		struct lease lease = take_lease(file, ranges[i].offset, ranges[i].length, false);

		assert_int_equal(lease.nr_pages, ranges[i].nr_pages);
		assert_int_equal(devmap_page_index(lease.page), ranges[i].first_page);
		assert_ptr_equal(lease.page, devmap_pagemap_page(map, ranges[i].first_page));
		assert_ptr_equal(lease.bytes, map->start + ranges[i].offset);
		assert_ptr_equal(devmap_virt_to_page(lease.bytes), lease.page);
		assert_known(lease.bytes, ranges[i].offset, ranges[i].length);
		give_back(&lease);
	}
	assert_null(devmap_fs_dax_busy_page(map, 0, map->nr_pages));
	close_file(file);
}

static void random_leases_show_the_file(void **state)
{
	const uint64_t length = 200001;
	const char *path = known_file("data", length);
	struct rng rng = rng_stream(1);
	uint32_t round;

	(void)state;
	for (round = 0; round < 200; round++) {
		static const uint64_t page_sizes[] = {4096, 16384, 65536};
		uint64_t page_size = page_sizes[round % ARRAY_LENGTH(page_sizes)];
		uint64_t offset = rng_below(&rng, (uint32_t)length);
		uint64_t n = 1 + rng_below(&rng, (uint32_t)(length - offset));
		devmap_dax_file *file = NULL;
		struct lease lease;

		assert_ok(open_with(path, 0, MIB, page_size, &file));
		lease = take_lease(file, offset, n, false);
		assert_int_equal(lease.nr_pages, (offset + n - 1) / page_size - offset / page_size + 1);
		assert_known(lease.bytes, offset, n);
		give_back(&lease);
		close_file(file);
	}
}

static void a_lease_out_of_the_file_is_refused(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	struct lease lease = {.page = NULL, .nr_pages = 77, .bytes = NULL};
	void *address = NULL;
	bool write;

	(void)state;
	for (write = false;; write = true) {
		assert_error(try_lease(file, 20000, 1, write, &lease), ERANGE);
		assert_error(try_lease(file, 19999, 2, write, &lease), ERANGE);
		assert_error(try_lease(file, 0, 20001, write, &lease), ERANGE);
		assert_error(try_lease(file, MIB, 1, write, &lease), ERANGE);
		assert_error(try_lease(file, UINT64_MAX, 1, write, &lease), ERANGE);
		assert_error(try_lease(file, UINT64_MAX, UINT64_MAX, write, &lease), ERANGE);
		assert_error(try_lease(file, 1, UINT64_MAX, write, &lease), ERANGE);
		assert_error(try_lease(file, 19999, UINT64_MAX - 19998, write, &lease), ERANGE);
		assert_error(try_lease(file, 0, 0, write, &lease), EINVAL);
		assert_error(
			devmap_dax_file_get_pages(file, 0, 0, write, &lease.page, &lease.nr_pages, &address), EINVAL);
		if (write)
			break;
	}
	assert_null(lease.page);
	assert_int_equal(lease.nr_pages, 77);
	assert_null(lease.bytes);
	assert_null(address);
	assert_null(devmap_fs_dax_busy_page(devmap_dax_file_pagemap(file), 0, MIB / 4096));
	close_file(file);
}

static void an_empty_file_has_nothing_to_lease(void **state)
{
	const char *path = known_file("data", 0);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	struct lease lease = {0};

	(void)state;
	assert_error(try_lease(file, 0, 1, false, &lease), ERANGE);
	assert_error(try_lease(file, 0, 1, true, &lease), ERANGE);
	close_file(file);
}

static void a_file_open_for_reading_is_not_written(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = open_file(path, 0);
	struct lease lease = {0};

	(void)state;
	assert_error(try_lease(file, 0, 1, true, &lease), EACCES);
	assert_null(lease.page);
	assert_ok(claim_file(file));
	assert_error(set_length(file, 30000, 0), EACCES);
	assert_error(set_length(file, 10000, 0), EACCES);
	assert_error(punch(file, 0, 4096, 0), EACCES);
	assert_file_is_known(file, path, 0, 20000);
	close_file(file);
}

static void null_is_refused(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = claimed_file(path);
	devmap_page *page = NULL;
	uint64_t nr_pages = 0;
	void *address = NULL;

	(void)state;
	assert_error(devmap_dax_file_get_pages(NULL, 0, 1, false, &page, &nr_pages, &address), EINVAL);
	assert_error(devmap_dax_file_get_pages(file, 0, 1, false, NULL, &nr_pages, &address), EINVAL);
	assert_error(devmap_dax_file_get_pages(file, 0, 1, false, &page, NULL, &address), EINVAL);
	assert_error(devmap_dax_file_get_pages(file, 0, 1, false, &page, &nr_pages, NULL), EINVAL);
	assert_error(devmap_dax_file_set_length(NULL, &owner, 0, 0, NULL), EINVAL);
	assert_error(devmap_dax_file_set_length(file, NULL, 0, 0, NULL), EINVAL);
	assert_error(devmap_dax_file_punch_hole(NULL, &owner, 0, 1, 0, NULL), EINVAL);
	assert_error(devmap_dax_file_punch_hole(file, NULL, 0, 1, 0, NULL), EINVAL);
	assert_error(devmap_dax_file_flush(NULL, 0, 1), EINVAL);
	assert_error(devmap_dax_file_check(NULL), EINVAL);
	assert_error(devmap_dax_file_close(NULL, 0, NULL, NULL), EINVAL);
	assert_ok(devmap_dax_file_free(NULL));
	assert_null(devmap_dax_file_pagemap(NULL));
	assert_int_equal(devmap_dax_file_length(NULL), 0);
	assert_int_equal(devmap_dax_file_capacity(NULL), 0);
	assert_false(devmap_dax_file_is_dax(NULL));
	assert_null(page);
	assert_file_is_known(file, path, 0, 20000);
	close_file(file);
}

static void leases_are_counted_and_shared(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = open_file(path, 0);
	struct lease one = take_lease(file, 0, 20000, false), other = take_lease(file, 4096, 1, false);

	(void)state;
	assert_int_equal(devmap_page_count(one.page), 2);
	assert_int_equal(devmap_page_count(other.page), 3);
	devmap_get_page(other.page);
	give_back(&one);
	assert_int_equal(devmap_page_count(other.page), 3);
	devmap_put_page(other.page);
	assert_known(other.bytes, 4096, 1);
	give_back(&other);
	close_file(file);
}

static void leases_go_idle_to_the_owner_of_the_claim(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = open_file(path, 0);
	struct counting_driver *driver = counting_driver_new(MIB / PAGE_BYTES);
	struct lease lease;

	(void)state;
	assert_ok(devmap_fs_dax_claim(devmap_dax_file_pagemap(file), driver, &counting_ops));
	lease = take_lease(file, 4096, 8192, false);
	give_back(&lease);
	assert_int_equal(driver->total, 2);
	assert_int_equal(driver->calls[1], 1);
	assert_int_equal(driver->calls[2], 1);
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(file), driver));
	close_file(file);
	counting_driver_free(driver);
}

/* ---- writing ---------------------------------------------------------------------------------------------------- */

static void what_is_written_under_a_lease_is_in_the_file(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	struct lease lease = take_lease(file, 5000, 6000, true);
	unsigned char bytes[6000];
	uint32_t i;

	(void)state;
	for (i = 0; i < sizeof(bytes); i++)
		lease.bytes[i] = (unsigned char)~known_byte(5000 + i);
	assert_ok(devmap_dax_file_flush(file, 5000, 6000));
	read_past(path, 5000, bytes, sizeof(bytes));
	assert_memory_equal(bytes, lease.bytes, sizeof(bytes));
	give_back(&lease);
	assert_file_is_known(file, path, 0, 5000);
	assert_file_is_known(file, path, 11000, 9000);
	close_file(file);
}

static void what_was_written_survives_closing(void **state)
{
	const char *path = known_file("data", 0);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease;
	uint32_t i;

	(void)state;
	assert_ok(set_length(file, 10000, 0));
	lease = take_lease(file, 0, 10000, true);
	for (i = 0; i < 10000; i++)
		lease.bytes[i] = known_byte(i);
	give_back(&lease);
	close_file(file);
	assert_int_equal(size_of(path), 10000);
	file = open_file(path, 0);
	assert_file_is_known(file, path, 0, 10000);
	close_file(file);
}

static void what_others_write_is_seen_through_a_lease(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = open_file(path, 0);
	struct lease lease = take_lease(file, 0, 20000, false);
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_int_equal(pwrite(fd, "other", 5, 12345), 5);
	assert_ok(close(fd));
	assert_memory_equal(lease.bytes + 12345, "other", 5);
	give_back(&lease);
	close_file(file);
}

static void a_write_lease_allocates_a_hole_before_anything_is_written(void **state)
{
	const char *path = sparse_file("data", 16 * 4096);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	struct lease lease;

	(void)state;
	if (allocated_bytes(path) != 0) {
		close_file(file);
		skip();
	}
	lease = take_lease(file, 0, 16 * 4096, false);
	assert_zeros(lease.bytes, 16 * 4096);
	give_back(&lease);
	lease = take_lease(file, 4 * 4096 + 100, 4096, true);
	assert_true(allocated_bytes(path) >= 2 * 4096);
	assert_zeros(lease.bytes, 4096);
	give_back(&lease);
	lease = take_lease(file, 0, 16 * 4096, true);
	assert_true(allocated_bytes(path) >= 16 * 4096);
	give_back(&lease);
	assert_int_equal(size_of(path), 16 * 4096);
	assert_file_is_zero(file, path, 0, 16 * 4096);
	close_file(file);
}

static void allocating_does_not_lengthen_the_file(void **state)
{
	const char *path = sparse_file("data", 4097);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	struct lease lease = take_lease(file, 4096, 1, true);

	(void)state;
	lease.bytes[0] = 1;
	give_back(&lease);
	assert_int_equal(size_of(path), 4097);
	assert_ok(devmap_dax_file_check(file));
	close_file(file);
	assert_int_equal(size_of(path), 4097);
}

static void flush_takes_any_range_of_the_file(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	struct lease lease = take_lease(file, 0, 20000, true);

	(void)state;
	assert_ok(devmap_dax_file_flush(file, 0, 20000));
	assert_ok(devmap_dax_file_flush(file, 19999, 1));
	assert_ok(devmap_dax_file_flush(file, 4095, 2));
	assert_error(devmap_dax_file_flush(file, 20000, 1), ERANGE);
	assert_error(devmap_dax_file_flush(file, 0, 20001), ERANGE);
	assert_error(devmap_dax_file_flush(file, UINT64_MAX, 2), ERANGE);
	assert_error(devmap_dax_file_flush(file, 2, UINT64_MAX), ERANGE);
	give_back(&lease);
	close_file(file);
}

/* ---- closing ---------------------------------------------------------------------------------------------------- */

static void close_with_a_lease_is_busy_and_names_the_pages(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = claimed_file(path);
	devmap_busy_page pages[8] = {0};
	devmap_busy_report report = {.pages = pages, .capacity = ARRAY_LENGTH(pages)};
	devmap_cancel cancel = {0};
	struct lease lease = take_lease(file, 4096, 8192, false), other = {0};

	(void)state;
	assert_error(devmap_dax_file_close(file, 0, NULL, &report), EBUSY);
	assert_int_equal(report.nr_pages, 2);
	assert_int_equal(pages[0].index, 1);
	assert_int_equal(pages[0].count, 2);
	assert_int_equal(pages[1].index, 2);
	assert_error(devmap_dax_file_free(file), EBUSY);
	devmap_cancel_waits(&cancel);
	assert_error(devmap_dax_file_close(file, DEVMAP_WAIT_FOREVER, &cancel, NULL), ECANCELED);
	assert_error(devmap_dax_file_close(file, SHORT_WAIT, NULL, NULL), EBUSY);
	assert_int_equal(take_faults(DEVMAP_FAULT_LEAK_TEARDOWN), 1);
	assert_error(try_lease(file, 0, 1, false, &other), ENODEV);
	assert_known(lease.bytes, 4096, 8192);
	give_back(&lease);
	close_file(file);
}

static void a_file_whose_close_ended_busy_is_resumed(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = claimed_file(path);
	struct lease lease = take_lease(file, 0, 1, false), other = {0};

	(void)state;
	assert_error(devmap_dax_file_close(file, 0, NULL, NULL), EBUSY);
	assert_error(set_length(file, 30000, 0), ENODEV);
	assert_ok(devmap_pagemap_resume(devmap_dax_file_pagemap(file)));
	other = take_lease(file, 0, 20000, true);
	give_back(&other);
	give_back(&lease);
	assert_ok(set_length(file, 10000, 0));
	assert_ok(devmap_fs_dax_release(devmap_dax_file_pagemap(file), &owner));
	assert_file_is_known(file, path, 0, 10000);
	close_file(file);
}

static void a_lease_is_flushed_although_its_file_is_closing(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);
	struct lease lease = take_lease(file, 0, 20000, true);

	(void)state;
	assert_error(devmap_dax_file_close(file, 0, NULL, NULL), EBUSY);
	lease.bytes[0] = 0;
	assert_ok(devmap_dax_file_flush(file, 0, 20000));
	give_back(&lease);
	close_file(file);
}

static int close_call(void *file)
{
	return devmap_dax_file_close(file, DEVMAP_WAIT_FOREVER, NULL, NULL);
}

static void close_waits_for_the_last_lease(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = open_file(path, 0);
	struct lease lease = take_lease(file, 0, 20000, false);
	struct blocking_call closing;

	(void)state;
	blocking_call_start(&closing, close_call, file);
	assert_true(blocking_call_waits(&closing));
	assert_known(lease.bytes, 0, 20000);
	give_back(&lease);
	assert_ok(blocking_call_join(&closing));
	assert_ok(devmap_dax_file_free(file));
}

static void a_closed_file_answers_that_it_is_gone(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = claimed_file(path);
	devmap_pagemap *map = devmap_dax_file_pagemap(file);
	struct lease lease = {0};

	(void)state;
	assert_ok(devmap_dax_file_close(file, 0, NULL, NULL));
	assert_int_equal(devmap_pagemap_ops_count(), 0);
	assert_error(try_lease(file, 0, 1, false, &lease), ENODEV);
	assert_error(try_lease(file, 0, 1, true, &lease), ENODEV);
	assert_error(set_length(file, 1, 0), ENODEV);
	assert_error(punch(file, 0, 1, 0), ENODEV);
	assert_error(devmap_dax_file_flush(file, 0, 1), ENODEV);
	assert_error(devmap_dax_file_check(file), ENODEV);
	assert_error(devmap_dax_file_close(file, 0, NULL, NULL), ENODEV);
	assert_ptr_equal(devmap_dax_file_pagemap(file), map);
	assert_error(devmap_fs_dax_claim(map, &owner, NULL), ENODEV);
	assert_error(devmap_pagemap_free(map), EBUSY);
	assert_null(lease.page);
	assert_ok(devmap_dax_file_free(file));
}

static void an_open_file_is_not_freed(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = open_file(path, 0);

	(void)state;
	assert_error(devmap_dax_file_free(file), EBUSY);
	assert_file_is_known(file, path, 0, 20000);
	close_file(file);
}

static void one_file_may_be_open_twice(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *one = open_file(path, DEVMAP_DAX_FILE_WRITE), *other = open_file(path, 0);
	struct lease written = take_lease(one, 100, 5, true), read = take_lease(other, 100, 5, false);

	(void)state;
	assert_ptr_not_equal(written.bytes, read.bytes);
	memcpy(written.bytes, "hello", 5);
	assert_memory_equal(read.bytes, "hello", 5);
	give_back(&written);
	close_file(one);
	assert_memory_equal(read.bytes, "hello", 5);
	give_back(&read);
	close_file(other);
}

struct closing_race {
	devmap_dax_file *file;
	_Atomic(uint32_t) nr_closed;
};

static void lease_or_close(void *shared, uint32_t index, struct rng *rng)
{
	struct closing_race *race = shared;
	struct lease lease = {0};
	int result;

	perturb(rng);
	if (index < 2) {
		result = devmap_dax_file_close(race->file, DEVMAP_WAIT_FOREVER, NULL, NULL);
		/* The other one is at it, or was. */
		check(result == 0 || result == -EALREADY || result == -ENODEV);
		race->nr_closed += result == 0;
		return;
	}
	while ((result = try_lease(race->file, rng_below(rng, 20000), 1, rng_below(rng, 2) != 0, &lease)) == 0) {
		check(*lease.bytes != 0);
		perturb(rng);
		give_back(&lease);
	}
	check(result == -ENODEV);
}

static void leases_against_close_see_the_file_or_are_told(void **state)
{
	const char *path = known_file("data", 20000);
	uint32_t round;

	(void)state;
	for (round = 0; round < scaled(400); round++) {
		struct closing_race race = {.file = open_file(path, DEVMAP_DAX_FILE_WRITE)};

		run_threads(4, lease_or_close, &race);
		assert_int_equal(race.nr_closed, 1);
		assert_ok(devmap_dax_file_free(race.file));
	}
}

#else

static void mapped_files_are_not_supported(void **state)
{
	const char *path = known_file("data", 20000);
	devmap_dax_file *file = NULL;
	devmap_page *page = NULL;
	uint64_t nr_pages = 0;
	void *address = NULL;

	(void)state;
	assert_error(open_with(path, 0, MIB, 0, &file), EOPNOTSUPP);
	assert_error(open_with(path, DEVMAP_DAX_FILE_WRITE, MIB, 0, &file), EOPNOTSUPP);
	assert_error(devmap_dax_file_open(NULL, NULL, NULL), EOPNOTSUPP);
	assert_error(devmap_dax_file_get_pages(NULL, 0, 1, false, &page, &nr_pages, &address), EOPNOTSUPP);
	assert_error(devmap_dax_file_flush(NULL, 0, 1), EOPNOTSUPP);
	assert_error(devmap_dax_file_check(NULL), EOPNOTSUPP);
	assert_error(devmap_dax_file_close(NULL, 0, NULL, NULL), EOPNOTSUPP);
	assert_null(file);
	assert_null(page);
}

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(an_open_file_tells_its_length_and_capacity),
		contract(the_default_capacity_is_a_gibibyte_or_four_times_the_length),
		contract(the_capacity_is_rounded_up_to_the_page_size),
		contract(a_file_is_created_when_asked),
		contract(creating_leaves_a_file_that_exists),
		contract(open_tells_what_is_no_file),
		contract(open_refuses_bad_arguments),
		contract(a_file_longer_than_the_capacity_is_refused),
		contract(open_without_permission_is_refused),
		contract(open_without_address_space_is_refused),
		contract(a_file_is_dax_where_map_sync_is_accepted),
		contract(nothing_stays_open_after_a_refusal_or_a_close),
		contract(a_lease_shows_the_file_at_any_offset),
		contract(random_leases_show_the_file),
		contract(a_lease_out_of_the_file_is_refused),
		contract(an_empty_file_has_nothing_to_lease),
		contract(a_file_open_for_reading_is_not_written),
		contract(null_is_refused),
		contract(leases_are_counted_and_shared),
		contract(leases_go_idle_to_the_owner_of_the_claim),
		contract(what_is_written_under_a_lease_is_in_the_file),
		contract(what_was_written_survives_closing),
		contract(what_others_write_is_seen_through_a_lease),
		contract(a_write_lease_allocates_a_hole_before_anything_is_written),
		contract(allocating_does_not_lengthen_the_file),
		contract(flush_takes_any_range_of_the_file),
		contract(close_with_a_lease_is_busy_and_names_the_pages),
		contract(a_file_whose_close_ended_busy_is_resumed),
		contract(a_lease_is_flushed_although_its_file_is_closing),
		contract(close_waits_for_the_last_lease),
		contract(a_closed_file_answers_that_it_is_gone),
		contract(an_open_file_is_not_freed),
		contract(one_file_may_be_open_twice),
		contract(leases_against_close_see_the_file_or_are_told),
#else
		contract(mapped_files_are_not_supported),
#endif
	};

	return cmocka_run_group_tests_name("dax_file", tests, directory_open, directory_close);
}
