/* SPDX-License-Identifier: MIT */
/**
 * @file dax_file_fixture.h
 * What the tests of mapped files share: a directory that goes with the test program, files of known bytes, leases,
 * calls that wait for readers, and child processes.
 */
#ifndef DEVMAP_TESTS_DAX_FILE_FIXTURE_H
#define DEVMAP_TESTS_DAX_FILE_FIXTURE_H

#include "blocking_call.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define SHORT_WAIT 1000000 /* nanoseconds */

/* ---- files ------------------------------------------------------------------------------------------------------ */

static char directory[256];

static inline int directory_open(void **state)
{
	const char *parent = getenv("TMPDIR");

	(void)state;
	(void)snprintf(directory, sizeof(directory), "%s/devmap-test-XXXXXX",
		parent != NULL && strlen(parent) < sizeof(directory) / 2 ? parent : "/tmp");
	return mkdtemp(directory) != NULL ? 0 : -1;
}

static inline int directory_close(void **state)
{
	DIR *entries = opendir(directory);
	struct dirent *entry;

	(void)state;
	if (entries == NULL)
		return -1;
	while ((entry = readdir(entries)) != NULL)
		(void)unlinkat(dirfd(entries), entry->d_name, entry->d_type == DT_DIR ? AT_REMOVEDIR : 0);
	(void)closedir(entries);
	return rmdir(directory);
}

/** @return the path of @p name in the test's directory, until the fourth call after this one. */
static inline const char *path_of(const char *name)
{
	static char paths[4][512];
	static uint32_t next;
	char *path = paths[next++ % 4];

	(void)snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

/** The byte at @p offset of a file of known bytes; never 0. */
static inline unsigned char known_byte(uint64_t offset)
{
	return (unsigned char)(1 + (offset * 131 + (offset >> 12) * 7) % 251);
}

/** Makes a new file of @p length known bytes. */
static inline const char *known_file(const char *name, uint64_t length)
{
	const char *path = path_of(name);
	FILE *file;
	uint64_t i;

	/* New: a test that failed may have left one that is locked. */
	(void)unlink(path);
	file = fopen(path, "w");
	assert_non_null(file);
	for (i = 0; i < length; i++)
		assert_int_not_equal(putc(known_byte(i), file), EOF);
	assert_ok(fclose(file));
	return path;
}

/** Makes a new file that is one hole. */
static inline const char *sparse_file(const char *name, uint64_t length)
{
	const char *path = known_file(name, 0);

	assert_ok(truncate(path, (off_t)length));
	return path;
}

static inline struct stat status_of(const char *path)
{
	struct stat status;

	assert_ok(stat(path, &status));
	return status;
}

static inline uint64_t size_of(const char *path)
{
	return (uint64_t)status_of(path).st_size;
}

static inline uint64_t allocated_bytes(const char *path)
{
	return (uint64_t)status_of(path).st_blocks * 512;
}

/** Reads by the file system, past the library. */
static inline void read_past(const char *path, uint64_t offset, void *bytes, uint64_t length)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, length, (off_t)offset), length);
	assert_ok(close(fd));
}

/* ---- mapped files ----------------------------------------------------------------------------------------------- */

/** Who claims the files; its address is all that matters. */
static int owner;

static inline int open_with(
	const char *path, uint32_t flags, uint64_t capacity, uint64_t page_size, devmap_dax_file **file)
{
	const devmap_dax_file_config config = {
		.size = sizeof(config), .flags = flags, .capacity = capacity, .page_size = page_size};

	return devmap_dax_file_open(path, &config, file);
}

static inline devmap_dax_file *open_file(const char *path, uint32_t flags)
{
	devmap_dax_file *file = NULL;

	assert_ok(open_with(path, flags, MIB, 0, &file));
	assert_non_null(file);
	return file;
}

static inline int claim_file(devmap_dax_file *file)
{
	return devmap_fs_dax_claim(devmap_dax_file_pagemap(file), &owner, NULL);
}

/** @return the file, open for writing and claimed by `owner`. */
static inline devmap_dax_file *claimed_file(const char *path)
{
	devmap_dax_file *file = open_file(path, DEVMAP_DAX_FILE_WRITE);

	assert_ok(claim_file(file));
	return file;
}

static inline void close_file(devmap_dax_file *file)
{
	assert_ok(devmap_dax_file_close(file, 0, NULL, NULL));
	assert_ok(devmap_dax_file_free(file));
}

struct lease {
	devmap_page *page;
	uint64_t nr_pages;
	unsigned char *bytes;
};

static inline int try_lease(devmap_dax_file *file, uint64_t offset, uint64_t length, bool write, struct lease *lease)
{
	void *address = NULL;
	int result = devmap_dax_file_get_pages(file, offset, length, write, &lease->page, &lease->nr_pages, &address);

	if (result == 0)
		lease->bytes = address;
	return result;
}

static inline struct lease take_lease(devmap_dax_file *file, uint64_t offset, uint64_t length, bool write)
{
	struct lease lease = {0};

	assert_ok(try_lease(file, offset, length, write, &lease));
	return lease;
}

static inline void give_back(struct lease *lease)
{
	devmap_put_pages(lease->page, lease->nr_pages);
	memset(lease, 0, sizeof(*lease));
}

static inline void assert_known(const unsigned char *bytes, uint64_t offset, uint64_t length)
{
	uint64_t i;

	for (i = 0; i < length; i++)
		if (bytes[i] != known_byte(offset + i))
			fail_msg("the byte at %llu is %u, not %u", (unsigned long long)(offset + i), bytes[i],
				known_byte(offset + i));
}

static inline void assert_zeros(const unsigned char *bytes, uint64_t length)
{
	uint64_t i;

	for (i = 0; i < length; i++)
		if (bytes[i] != 0)
			fail_msg("byte %llu of the range is %u, not 0", (unsigned long long)i, bytes[i]);
}

/** The file's bytes in [offset, offset + length) are known ones, as a lease and as the file system tell them. */
static inline void assert_file_is_known(devmap_dax_file *file, const char *path, uint64_t offset, uint64_t length)
{
	struct lease lease = take_lease(file, offset, length, false);
	unsigned char *bytes = malloc(length);

	assert_non_null(bytes);
	assert_known(lease.bytes, offset, length);
	give_back(&lease);
	read_past(path, offset, bytes, length);
	assert_known(bytes, offset, length);
	free(bytes);
}

static inline void assert_file_is_zero(devmap_dax_file *file, const char *path, uint64_t offset, uint64_t length)
{
	struct lease lease = take_lease(file, offset, length, false);
	unsigned char *bytes = malloc(length);

	assert_non_null(bytes);
	assert_zeros(lease.bytes, length);
	give_back(&lease);
	read_past(path, offset, bytes, length);
	assert_zeros(bytes, length);
	free(bytes);
}

/* ---- changes that wait ------------------------------------------------------------------------------------------ */

struct waiting_change {
	struct blocking_call call;
	devmap_dax_file *file;
	/** Of a hole; UINT64_MAX for a new length. */
	uint64_t offset;
	uint64_t length;
	const devmap_cancel *cancel;
};

static inline int change_call(void *argument)
{
	struct waiting_change *change = argument;

	if (change->offset != UINT64_MAX)
		return devmap_dax_file_punch_hole(
			change->file, &owner, change->offset, change->length, DEVMAP_WAIT_FOREVER, change->cancel);
	return devmap_dax_file_set_length(change->file, &owner, change->length, DEVMAP_WAIT_FOREVER, change->cancel);
}

static inline void start_set_length(struct waiting_change *change, devmap_dax_file *file, uint64_t length)
{
	change->file = file;
	change->offset = UINT64_MAX;
	change->length = length;
	blocking_call_start(&change->call, change_call, change);
}

static inline void start_punch(struct waiting_change *change, devmap_dax_file *file, uint64_t offset, uint64_t length)
{
	change->file = file;
	change->offset = offset;
	change->length = length;
	blocking_call_start(&change->call, change_call, change);
}

static inline int set_length(devmap_dax_file *file, uint64_t length, int64_t timeout_ns)
{
	return devmap_dax_file_set_length(file, &owner, length, timeout_ns, NULL);
}

static inline int punch(devmap_dax_file *file, uint64_t offset, uint64_t length, int64_t timeout_ns)
{
	return devmap_dax_file_punch_hole(file, &owner, offset, length, timeout_ns, NULL);
}

/* ---- other processes -------------------------------------------------------------------------------------------- */

/** Runs body(argument) in a child, which may not assert. @return its wait status: what it returned, or its signal. */
static inline int run_child(int (*body)(void *argument), void *argument)
{
	int status;
	pid_t child;

	(void)fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0)
		_exit(body(argument));
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

/** @return the negative errno value that the child's body returned positive, or 0. */
static inline int child_result(int (*body)(void *argument), void *argument)
{
	int status = run_child(body, argument);

	assert_true(WIFEXITED(status));
	return -WEXITSTATUS(status);
}

#endif
