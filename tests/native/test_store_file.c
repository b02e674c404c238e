/* SPDX-License-Identifier: MIT */
/*
 * A store's file: how it is made, taken over, locked and left, and what a disk that fails does to its pages. The calls
 * that allocate, lock, write and read are defined here, in front of the C library's, so that they fail when a test
 * wants them to.
 */
#include "store_fixture.h"

#include <linux/magic.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>

/* ---- a disk that fails ------------------------------------------------------------------------------------------ */

/* The error to answer, or 0 to ask the system. */
static _Atomic(int) allocation_error;

/* Called once, before the next lock is taken. @return the error to answer, or 0 to ask the system. */
static int (*before_lock)(void);

/* What becomes of transfers. All zero: what the system makes of them. */
static struct disk {
	/** To answer to one that meets the byte at bad_offset. */
	int bad_error;
	int64_t bad_offset;
	/** To answer to one that goes past the page cache. */
	int direct_error;
	/** Transfers at most so many bytes at once. */
	size_t longest;
	/** Interrupts every second one. */
	bool interrupts;
	/** Transfers nothing, and says so. */
	bool stalls;
	_Atomic(uint32_t) nr_transfers;
} disk;

static int disk_open(void **state)
{
	memset(&disk, 0, sizeof(disk));
	atomic_store(&allocation_error, 0);
	before_lock = NULL;
	return world_open(state);
}

static ssize_t fail_with(int error)
{
	errno = error;
	return -1;
}

static ssize_t transfer(long call, int fd, const struct iovec *pieces, int n, off_t offset)
{
	struct iovec some[32];
	size_t length = 0;
	int i;

	if ((atomic_fetch_add(&disk.nr_transfers, 1) % 2 != 0) && disk.interrupts)
		return fail_with(EINTR);
	if (disk.stalls)
		return 0;
	if (disk.direct_error != 0 && (fcntl(fd, F_GETFL) & O_DIRECT) != 0)
		return fail_with(disk.direct_error);
	for (i = 0; i < n && i < (int)ARRAY_LENGTH(some); i++) {
		some[i] = pieces[i];
		if (disk.longest != 0 && length + some[i].iov_len > disk.longest)
			some[i].iov_len = disk.longest - length;
		length += some[i].iov_len;
	}
	if (disk.bad_error != 0 && offset <= disk.bad_offset && disk.bad_offset < offset + (int64_t)length)
		return fail_with(disk.bad_error);
	return syscall(call, fd, some, i, offset, 0);
}

#define INTERPOSED __attribute__((visibility("default")))

INTERPOSED ssize_t pwritev(int fd, const struct iovec *pieces, int n, off_t offset)
{
	return transfer(SYS_pwritev, fd, pieces, n, offset);
}

INTERPOSED ssize_t pwritev64(int fd, const struct iovec *pieces, int n, off64_t offset)
{
	return transfer(SYS_pwritev, fd, pieces, n, offset);
}

INTERPOSED ssize_t preadv(int fd, const struct iovec *pieces, int n, off_t offset)
{
	return transfer(SYS_preadv, fd, pieces, n, offset);
}

INTERPOSED ssize_t preadv64(int fd, const struct iovec *pieces, int n, off64_t offset)
{
	return transfer(SYS_preadv, fd, pieces, n, offset);
}

static int allocate_or_fail(int fd, int mode, off_t offset, off_t length)
{
	int error = atomic_load(&allocation_error);

	if (error == 0)
		return (int)syscall(SYS_fallocate, fd, mode, offset, length);
	/* As one that fails half-way does. */
	(void)syscall(SYS_fallocate, fd, mode, offset, length / 2);
	return (int)fail_with(error);
}

INTERPOSED int fallocate(int fd, int mode, off_t offset, off_t length)
{
	return allocate_or_fail(fd, mode, offset, length);
}

INTERPOSED int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
	return allocate_or_fail(fd, mode, offset, length);
}

static int control_or_fail(int fd, int command, void *argument)
{
	int (*hook)(void) = command == F_OFD_SETLK ? before_lock : NULL;
	int error;

	if (hook != NULL) {
		before_lock = NULL;
		error = hook();
		if (error != 0)
			return (int)fail_with(error);
	}
	return (int)syscall(SYS_fcntl, fd, command, argument);
}

INTERPOSED int fcntl(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return control_or_fail(fd, command, argument);
}

INTERPOSED int fcntl64(int fd, int command, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, command);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return control_or_fail(fd, command, argument);
}

/* ---- stores ----------------------------------------------------------------------------------------------------- */

#define SLOTS 40
#define PAGE_SIZE (8 * KIB)
#define LENGTH (SLOTS * PAGE_SIZE)

static const uint32_t both_ways[] = {0, DEVMAP_STORE_FILE_CACHED};

static int try_open(const char *path, uint32_t flags, devmap_store **store)
{
	return devmap_store_file_open(path, flags, SLOTS, PAGE_SIZE, store);
}

/* A store of a new file. */
static struct subject open_new(const char *path, uint32_t flags)
{
	devmap_store *store = NULL;

	(void)unlink(path);
	assert_ok(try_open(path, flags, &store));
	return subject_of(store);
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

static bool exists(const char *path)
{
	struct stat status;

	return lstat(path, &status) == 0;
}

static void assert_usable(struct subject *subject)
{
	uint64_t slot;

	for (slot = 0; slot < subject->store->nr_slots; slot++)
		write_slot(subject, slot, slot);
	for (slot = 0; slot < subject->store->nr_slots; slot++)
		assert_slot(subject, slot, slot);
}

/* ---- opening ---------------------------------------------------------------------------------------------------- */

static void a_file_is_made_and_allocated(void **state)
{
	const char *path = path_of("store");
	mode_t mask = umask(0);
	struct subject subject = open_new(path, 0);

	(void)state;
	(void)umask(mask);
	assert_int_equal(status_of(path).st_mode, S_IFREG | 0600);
	assert_int_equal(size_of(path), LENGTH);
	assert_true(allocated_bytes(path) >= LENGTH);
	assert_int_equal(devmap_store_bytes_used(subject.store), LENGTH);
	assert_usable(&subject);
	assert_int_equal(size_of(path), LENGTH);
	discard_slot(&subject, 3);
	assert_int_equal(devmap_store_bytes_used(subject.store), LENGTH);
	assert_true(allocated_bytes(path) >= LENGTH);
	subject_close(&subject);
	assert_true(exists(path));
}

static void a_file_that_exists_is_taken_over(void **state)
{
	static const uint64_t lengths[] = {0, 10000, 3 * LENGTH};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(lengths); i++) {
		const char *path = known_file("store", lengths[i]);
		devmap_store *store = NULL;
		struct subject subject;

		assert_ok(chmod(path, 0640));
		assert_ok(try_open(path, 0, &store));
		subject = subject_of(store);
		assert_int_equal(status_of(path).st_mode & 0777, 0640);
		assert_int_equal(size_of(path), LENGTH);
		assert_true(allocated_bytes(path) >= LENGTH);
		assert_ok(try_read(&subject, 0));
		assert_zeros((unsigned char *)subject.page, PAGE_SIZE);
		assert_usable(&subject);
		subject_close(&subject);
	}
}

static void pages_lie_in_the_file_by_slot(void **state)
{
	const char *path = path_of("store");
	struct subject subject = open_new(path, DEVMAP_STORE_FILE_CACHED);

	(void)state;
	write_slot(&subject, 5, 7);
	read_past(path, 5 * PAGE_SIZE, subject.page, PAGE_SIZE);
	assert_true(page_is(subject.page, PAGE_SIZE, 7));
	subject_close(&subject);
}

static void one_store_at_a_time_has_a_file(void **state)
{
	const char *path = path_of("store");
	struct subject subject = open_new(path, 0);
	devmap_store *store = NULL;
	uint32_t before = nr_open_files();

	(void)state;
	write_slot(&subject, 1, 1);
	assert_error(try_open(path, 0, &store), EBUSY);
	assert_error(try_open(path, DEVMAP_STORE_FILE_UNLINK, &store), EBUSY);
	assert_error(devmap_store_file_open(path, 0, 1, PAGE_SIZE, &store), EBUSY);
	assert_null(store);
	assert_int_equal(nr_open_files(), before);
	/* Nothing came of it. */
	assert_int_equal(size_of(path), LENGTH);
	assert_slot(&subject, 1, 1);
	subject_close(&subject);
	assert_ok(try_open(path, 0, &store));
	devmap_store_close(store);
}

#ifdef DEVMAP_CONFIG_FS_DAX

static void a_claimed_file_is_no_store(void **state)
{
	const char *path = known_file("store", 5000);
	devmap_dax_file *file = claimed_file(path);
	devmap_store *store = NULL;

	(void)state;
	assert_error(try_open(path, 0, &store), EBUSY);
	assert_null(store);
	assert_file_is_known(file, path, 0, 5000);
	close_file(file);
	assert_ok(try_open(path, 0, &store));
	devmap_store_close(store);
}

#endif

static void a_child_does_not_keep_the_file(void **state)
{
	const char *path = path_of("store");
	struct subject subject = open_new(path, 0);
	devmap_store *store = NULL;
	int ends[2], status;
	char byte;
	pid_t child;

	(void)state;
	assert_ok(pipe(ends));
	(void)fflush(NULL);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)close(ends[1]);
		_exit(read(ends[0], &byte, 1) == 0 ? 0 : 1);
	}
	subject_close(&subject);
	assert_ok(try_open(path, 0, &store));
	devmap_store_close(store);
	assert_ok(close(ends[1]));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	assert_ok(close(ends[0]));
}

static void an_unlinked_file_has_no_name(void **state)
{
	const char *path = path_of("store");
	struct subject one, two;
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_ways); i++) {
		one = open_new(path, DEVMAP_STORE_FILE_UNLINK | both_ways[i]);
		assert_false(exists(path));
		/* The name is free for another. */
		two = open_new(path, DEVMAP_STORE_FILE_UNLINK | both_ways[i]);
		assert_usable(&one);
		write_slot(&two, 1, 1000);
		assert_slot(&one, 1, 1);
		subject_close(&one);
		assert_slot(&two, 1, 1000);
		subject_close(&two);
		assert_false(exists(path));
	}
}

static void a_file_taken_over_is_unlinked_as_well(void **state)
{
	const char *path = known_file("store", 5000);
	devmap_store *store = NULL;

	(void)state;
	assert_ok(try_open(path, DEVMAP_STORE_FILE_UNLINK, &store));
	assert_false(exists(path));
	devmap_store_close(store);
}

/* Whether the file system lets files be written past the page cache; tmpfs says so, but it is the page cache. */
static bool can_do_without_the_cache(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_DIRECT);
	char *page = pages_new(1, PAGE_BYTES);
	struct statfs fs;
	bool can;

	memset(page, 0, PAGE_BYTES);
	can = fd >= 0 && pwrite(fd, page, PAGE_BYTES, 0) == PAGE_BYTES && fstatfs(fd, &fs) == 0 &&
	      fs.f_type != TMPFS_MAGIC;
	if (fd >= 0)
		(void)close(fd);
	free(page);
	return can;
}

static void a_store_tells_whether_it_is_direct(void **state)
{
	const char *path = path_of("store");
	struct subject subject = open_new(path, 0);
	devmap_store *memory = NULL;

	(void)state;
	assert_int_equal(devmap_store_file_is_direct(subject.store), can_do_without_the_cache(path));
	assert_usable(&subject);
	subject_close(&subject);
	subject = open_new(path, DEVMAP_STORE_FILE_CACHED);
	assert_false(devmap_store_file_is_direct(subject.store));
	assert_usable(&subject);
	subject_close(&subject);
	assert_ok(devmap_store_memory_open(1, PAGE_SIZE, &memory));
	assert_false(devmap_store_file_is_direct(memory));
	devmap_store_close(memory);
}

static void what_refuses_direct_transfers_is_cached(void **state)
{
	const char *path = path_of("store");
	static const int errors[] = {EINVAL, EOPNOTSUPP};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(errors); i++) {
		struct subject subject;

		disk.direct_error = errors[i];
		subject = open_new(path, 0);
		assert_false(devmap_store_file_is_direct(subject.store));
		assert_usable(&subject);
		subject_close(&subject);
	}
}

#define SHM "/dev/shm"

static bool has_tmpfs(struct statfs *fs)
{
	return statfs(SHM, fs) == 0 && fs->f_type == TMPFS_MAGIC && fs->f_blocks != 0 && access(SHM, W_OK) == 0;
}

static void tmpfs_is_no_way_past_the_cache(void **state)
{
	char path[64];
	struct statfs fs;
	struct subject subject;

	(void)state;
	if (!has_tmpfs(&fs))
		skip();
	(void)snprintf(path, sizeof(path), SHM "/devmap-test-%ld", (long)getpid());
	subject = open_new(path, DEVMAP_STORE_FILE_UNLINK);
	assert_false(devmap_store_file_is_direct(subject.store));
	assert_usable(&subject);
	subject_close(&subject);
}

/* ---- others in between ------------------------------------------------------------------------------------------ */

static devmap_store *first;

static int another_store_opens_it(void)
{
	return try_open(path_of("store"), 0, &first) == 0 ? 0 : ENOTRECOVERABLE;
}

static int somebody_removes_it(void)
{
	return unlink(path_of("store")) == 0 ? 0 : ENOTRECOVERABLE;
}

static int somebody_replaces_it(void)
{
	return rename(path_of("other"), path_of("store")) == 0 ? 0 : ENOTRECOVERABLE;
}

static int locks_are_not_to_be_had(void)
{
	return ENOLCK;
}

static void a_store_that_was_faster_keeps_the_file(void **state)
{
	const char *path = path_of("store");
	devmap_store *store = NULL;
	struct subject subject;

	(void)state;
	/* Made by the one that comes too late. */
	(void)unlink(path);
	before_lock = another_store_opens_it;
	assert_error(try_open(path, 0, &store), EBUSY);
	assert_null(store);
	assert_int_equal(size_of(path), LENGTH);
	subject = subject_of(first);
	assert_usable(&subject);
	subject_close(&subject);
}

static void a_name_that_goes_before_the_lock_is_no_store(void **state)
{
	char path[512];
	uint32_t before = nr_open_files();
	devmap_store *store = NULL;

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", path_of("store"));
	(void)unlink(path);
	before_lock = somebody_removes_it;
	assert_error(try_open(path, 0, &store), EBUSY);
	assert_false(exists(path));
	/* Neither is what has the name instead touched. */
	(void)known_file("other", 5000);
	before_lock = somebody_replaces_it;
	assert_error(try_open(path, 0, &store), EBUSY);
	assert_int_equal(size_of(path), 5000);
	assert_null(store);
	assert_int_equal(nr_open_files(), before);
}

static void without_locks_there_is_no_store(void **state)
{
	const char *path = path_of("store");
	uint32_t before = nr_open_files();
	devmap_store *store = NULL;

	(void)state;
	(void)unlink(path);
	before_lock = locks_are_not_to_be_had;
	assert_error(try_open(path, 0, &store), ENOLCK);
	assert_false(exists(path));
	(void)known_file("store", 5000);
	before_lock = locks_are_not_to_be_had;
	assert_error(try_open(path, 0, &store), ENOLCK);
	assert_int_equal(size_of(path), 5000);
	assert_null(store);
	assert_int_equal(nr_open_files(), before);
}

/* ---- what cannot be opened -------------------------------------------------------------------------------------- */

static void open_refuses_bad_arguments(void **state)
{
	const char *path = path_of("refused");
	devmap_store *store = NULL;

	(void)state;
	assert_error(try_open(NULL, 0, &store), EINVAL);
	assert_error(try_open(path, 4, &store), EINVAL);
	assert_error(try_open(path, UINT32_MAX, &store), EINVAL);
	assert_error(try_open(path, 0, NULL), EINVAL);
	assert_error(devmap_store_file_open(path, 0, 0, PAGE_SIZE, &store), EINVAL);
	assert_error(devmap_store_file_open(path, 0, SLOTS, PAGE_SIZE + 1, &store), EINVAL);
	assert_error(devmap_store_file_open(path, 0, UINT64_MAX, PAGE_SIZE, &store), EFBIG);
	assert_error(devmap_store_file_open(path, 0, UINT64_C(1) << 50, PAGE_SIZE, &store), EFBIG);
	assert_null(store);
	assert_false(exists(path));
}

static void open_tells_what_is_no_file(void **state)
{
	const char *fifo = path_of("fifo"), *link = path_of("link"), *missing = path_of("missing/store");
	uint32_t before = nr_open_files();
	devmap_store *store = NULL;

	(void)state;
	assert_ok(mkfifo(fifo, 0600));
	assert_ok(symlink("nowhere", link));
	assert_error(try_open(directory, 0, &store), EISDIR);
	assert_error(try_open(fifo, 0, &store), EINVAL);
	assert_error(try_open("/dev/null", 0, &store), EINVAL);
	assert_error(try_open("/dev/zero", DEVMAP_STORE_FILE_UNLINK, &store), EINVAL);
	assert_error(try_open(missing, 0, &store), ENOENT);
	assert_error(try_open("", 0, &store), ENOENT);
	assert_error(try_open(link, 0, &store), ENOENT);
	assert_null(store);
	assert_int_equal(nr_open_files(), before);
	assert_true(exists(fifo));
	assert_true(exists(link));
	assert_ok(unlink(fifo));
	assert_ok(unlink(link));
	/* A link to a file is as good as the file. */
	assert_ok(symlink(known_file("store", 1), link));
	assert_ok(try_open(link, 0, &store));
	devmap_store_close(store);
	assert_int_equal(size_of(path_of("store")), LENGTH);
	assert_ok(unlink(link));
}

static void a_full_disk_leaves_no_file_that_was_made(void **state)
{
	static const int errors[] = {ENOSPC, EDQUOT, EFBIG, EIO, EOPNOTSUPP};
	const char *path = path_of("store");
	uint32_t before = nr_open_files(), i;
	devmap_store *store = NULL;

	(void)state;
	(void)unlink(path);
	for (i = 0; i < ARRAY_LENGTH(errors); i++) {
		atomic_store(&allocation_error, errors[i]);
		assert_error(try_open(path, 0, &store), errors[i]);
		assert_error(try_open(path, DEVMAP_STORE_FILE_UNLINK, &store), errors[i]);
		assert_false(exists(path));
		/* One that was there stays, with nothing in it. */
		(void)known_file("store", 5000);
		assert_error(try_open(path, 0, &store), errors[i]);
		assert_error(try_open(path, DEVMAP_STORE_FILE_UNLINK, &store), errors[i]);
		assert_int_equal(size_of(path), 0);
		assert_int_equal(allocated_bytes(path), 0);
		assert_ok(unlink(path));
	}
	assert_null(store);
	assert_int_equal(nr_open_files(), before);
	/* Neither is it locked by then. */
	(void)known_file("store", 5000);
	assert_error(try_open(path, 0, &store), EOPNOTSUPP);
	atomic_store(&allocation_error, 0);
	assert_ok(try_open(path, 0, &store));
	devmap_store_close(store);
}

static void a_disk_that_fails_the_first_transfer_leaves_no_file(void **state)
{
	const char *path = path_of("store");
	uint32_t before = nr_open_files();
	devmap_store *store = NULL;
	struct subject subject = open_new(path, 0);
	bool direct = devmap_store_file_is_direct(subject.store);

	(void)state;
	subject_close(&subject);
	assert_ok(unlink(path));
	if (!direct)
		skip();
	disk.direct_error = EIO;
	assert_error(try_open(path, 0, &store), EIO);
	assert_null(store);
	assert_false(exists(path));
	assert_int_equal(nr_open_files(), before);
}

static void a_file_larger_than_the_file_system_is_refused(void **state)
{
	char path[64];
	devmap_store *store = NULL;
	struct statfs fs;
	uint32_t before = nr_open_files();

	(void)state;
	if (!has_tmpfs(&fs))
		skip();
	(void)snprintf(path, sizeof(path), SHM "/devmap-test-%ld", (long)getpid());
	/* More than all of its blocks, which it refuses without allocating any. */
	assert_error(devmap_store_file_open(
			     path, 0, (uint64_t)fs.f_blocks * (uint64_t)fs.f_bsize / PAGE_SIZE + 2, PAGE_SIZE, &store),
		ENOSPC);
	assert_null(store);
	assert_false(exists(path));
	assert_int_equal(nr_open_files(), before);
}

static int open_as_nobody(void *path)
{
	devmap_store *store = NULL;

	if (geteuid() == 0 && (setresgid(65534, 65534, 65534) != 0 || setresuid(65534, 65534, 65534) != 0))
		return ENOTRECOVERABLE;
	return -try_open(path, 0, &store);
}

static void open_without_permission_is_refused(void **state)
{
	char path[512];

	(void)state;
	(void)snprintf(path, sizeof(path), "%s", known_file("store", 5000));
	assert_ok(chmod(directory, 0755));
	assert_ok(chmod(path, 0444));
	assert_error(child_result(open_as_nobody, path), EACCES);
	assert_int_equal(size_of(path), 5000);
	assert_ok(unlink(path));
	assert_error(child_result(open_as_nobody, path), EACCES);
}

static void nothing_stays_open_after_a_close(void **state)
{
	const char *path = path_of("store");
	uint32_t before = nr_open_files();
	struct subject subject = open_new(path, 0);

	(void)state;
	assert_int_equal(nr_open_files(), before + 1);
	subject_close(&subject);
	assert_int_equal(nr_open_files(), before);
}

/* ---- transfers -------------------------------------------------------------------------------------------------- */

struct batch {
	devmap_store_io ios[SLOTS];
	char *pages;
	uint32_t n;
};

static struct batch batch_of(const uint64_t *slots, uint32_t n)
{
	struct batch batch = {.pages = pages_new(n, PAGE_SIZE), .n = n};
	uint32_t i;

	for (i = 0; i < n; i++)
		batch.ios[i] = (devmap_store_io){.slot = slots[i], .memory = batch.pages + i * PAGE_SIZE, .result = 77};
	return batch;
}

/* All slots, first to last. */
static struct batch whole_batch(void)
{
	uint64_t slots[SLOTS];
	uint32_t i;

	for (i = 0; i < SLOTS; i++)
		slots[i] = i;
	return batch_of(slots, SLOTS);
}

/* Each page's tag is its slot and @p tag. */
static void write_batch(struct subject *subject, struct batch *batch, uint64_t tag)
{
	uint32_t i;

	for (i = 0; i < batch->n; i++)
		fill_page(batch->ios[i].memory, PAGE_SIZE, batch->ios[i].slot + tag);
	subject->store->ops->write(subject->store, batch->ios, batch->n);
}

static void read_batch(struct subject *subject, struct batch *batch)
{
	memset(batch->pages, 0xa5, batch->n * PAGE_SIZE);
	subject->store->ops->read(subject->store, batch->ios, batch->n);
}

static void assert_batch(const struct batch *batch, uint64_t tag)
{
	uint32_t i;

	for (i = 0; i < batch->n; i++) {
		assert_ok(batch->ios[i].result);
		assert_true(page_is(batch->ios[i].memory, PAGE_SIZE, batch->ios[i].slot + tag));
	}
}

static uint32_t take_transfers(void)
{
	return atomic_exchange(&disk.nr_transfers, 0);
}

static void neighbours_are_transferred_in_one_go(void **state)
{
	static const uint64_t slots[] = {9, 3, 1, 2, 30, 8, 7, 31, 20};
	uint32_t i;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_ways); i++) {
		struct subject subject = open_new(path_of("store"), both_ways[i]);
		struct batch batch = batch_of(slots, ARRAY_LENGTH(slots)), whole = whole_batch();

		(void)take_transfers();
		write_batch(&subject, &batch, 50);
		/* 1 to 3, 7 to 9, 20, 30 and 31. */
		assert_int_equal(take_transfers(), 4);
		read_batch(&subject, &batch);
		assert_int_equal(take_transfers(), 4);
		assert_batch(&batch, 50);
		write_batch(&subject, &whole, 60);
		assert_int_equal(take_transfers(), 2);
		read_batch(&subject, &whole);
		assert_int_equal(take_transfers(), 2);
		assert_batch(&whole, 60);
		free(batch.pages);
		free(whole.pages);
		subject_close(&subject);
	}
}

static void interrupted_and_short_transfers_go_on(void **state)
{
	static const size_t longest[] = {0, 4096, 12288, 5 * 8192, 511, 10000};
	uint32_t i, j;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_ways); i++) {
		struct subject subject = open_new(path_of("store"), both_ways[i]);
		struct batch batch = whole_batch();

		for (j = 0; j < ARRAY_LENGTH(longest); j++) {
			/* Past the page cache, a transfer does not end in a block's middle but at the file's end. */
			if (longest[j] % 4096 != 0 && devmap_store_file_is_direct(subject.store))
				continue;
			disk.longest = longest[j];
			disk.interrupts = true;
			write_batch(&subject, &batch, 100 * j);
			assert_batch(&batch, 100 * j);
			read_batch(&subject, &batch);
			assert_batch(&batch, 100 * j);
			disk.longest = 0;
			disk.interrupts = false;
			read_batch(&subject, &batch);
			assert_batch(&batch, 100 * j);
		}
		free(batch.pages);
		subject_close(&subject);
	}
}

static void a_bad_block_fails_its_page_only(void **state)
{
	static const uint64_t bad_slots[] = {0, 1, 17, 31, 32, SLOTS - 1};
	uint32_t i, j, slot;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_ways); i++) {
		struct subject subject = open_new(path_of("store"), both_ways[i]);
		struct batch batch = whole_batch();

		for (j = 0; j < 2 * ARRAY_LENGTH(bad_slots); j++) {
			uint64_t bad = bad_slots[j / 2];

			write_batch(&subject, &batch, 0);
			assert_batch(&batch, 0);
			disk.bad_offset = (int64_t)(bad * PAGE_SIZE + 5000);
			/* After a transfer that stopped short of it, too. */
			disk.longest = j % 2 != 0 ? 12288 : 0;
			disk.bad_error = EIO;
			write_batch(&subject, &batch, 1000);
			for (slot = 0; slot < SLOTS; slot++)
				assert_int_equal(batch.ios[slot].result, slot == bad ? -EIO : 0);
			disk.bad_error = ENOSPC;
			read_batch(&subject, &batch);
			for (slot = 0; slot < SLOTS; slot++) {
				assert_int_equal(batch.ios[slot].result, slot == bad ? -ENOSPC : 0);
				if (slot != bad)
					assert_true(page_is(batch.ios[slot].memory, PAGE_SIZE, slot + 1000));
			}
			disk.bad_error = 0;
			disk.longest = 0;
			/* Its failure was no transfer at all, or one of the page's first half. */
			if (j % 2 == 0)
				assert_slot(&subject, bad, bad);
			write_slot(&subject, bad, 5);
			assert_slot(&subject, bad, 5);
		}
		free(batch.pages);
		subject_close(&subject);
	}
}

static void a_transfer_of_nothing_is_a_failure(void **state)
{
	struct subject subject = open_new(path_of("store"), 0);
	struct batch batch = whole_batch();
	uint32_t slot;

	(void)state;
	write_batch(&subject, &batch, 0);
	disk.stalls = true;
	write_batch(&subject, &batch, 1000);
	for (slot = 0; slot < SLOTS; slot++)
		assert_error(batch.ios[slot].result, EIO);
	read_batch(&subject, &batch);
	for (slot = 0; slot < SLOTS; slot++)
		assert_error(batch.ios[slot].result, EIO);
	disk.stalls = false;
	read_batch(&subject, &batch);
	assert_batch(&batch, 0);
	free(batch.pages);
	subject_close(&subject);
}

static void what_somebody_cut_off_the_file_is_not_read(void **state)
{
	/* At a page's end, in its middle, and in a block's middle. */
	static const uint64_t cuts[] = {0, 0, 4096, 100};
	const char *path = path_of("store");
	uint32_t i, j, slot;

	(void)state;
	for (i = 0; i < ARRAY_LENGTH(both_ways); i++) {
		struct subject subject = open_new(path, both_ways[i]);
		struct batch batch = whole_batch();

		for (j = 0; j < ARRAY_LENGTH(cuts); j++) {
			uint32_t left = 10 * j;

			write_batch(&subject, &batch, 0);
			assert_batch(&batch, 0);
			assert_ok(truncate(path, (off_t)(left * PAGE_SIZE + cuts[j])));
			read_batch(&subject, &batch);
			for (slot = 0; slot < SLOTS; slot++) {
				assert_int_equal(batch.ios[slot].result, slot < left ? 0 : -EIO);
				if (slot < left)
					assert_true(page_is(batch.ios[slot].memory, PAGE_SIZE, slot));
			}
			assert_error(try_read(&subject, SLOTS - 1), EIO);
			assert_error(try_read(&subject, left), EIO);
		}
		/* What is written then is there again. */
		write_batch(&subject, &batch, 1000);
		read_batch(&subject, &batch);
		assert_batch(&batch, 1000);
		free(batch.pages);
		subject_close(&subject);
	}
}

#define disk_test(function) cmocka_unit_test_setup_teardown(function, disk_open, world_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		disk_test(a_file_is_made_and_allocated),
		disk_test(a_file_that_exists_is_taken_over),
		disk_test(pages_lie_in_the_file_by_slot),
		disk_test(one_store_at_a_time_has_a_file),
#ifdef DEVMAP_CONFIG_FS_DAX
		disk_test(a_claimed_file_is_no_store),
#endif
		disk_test(a_child_does_not_keep_the_file),
		disk_test(an_unlinked_file_has_no_name),
		disk_test(a_file_taken_over_is_unlinked_as_well),
		disk_test(a_store_tells_whether_it_is_direct),
		disk_test(what_refuses_direct_transfers_is_cached),
		disk_test(tmpfs_is_no_way_past_the_cache),
		disk_test(a_store_that_was_faster_keeps_the_file),
		disk_test(a_name_that_goes_before_the_lock_is_no_store),
		disk_test(without_locks_there_is_no_store),
		disk_test(open_refuses_bad_arguments),
		disk_test(open_tells_what_is_no_file),
		disk_test(a_full_disk_leaves_no_file_that_was_made),
		disk_test(a_disk_that_fails_the_first_transfer_leaves_no_file),
		disk_test(a_file_larger_than_the_file_system_is_refused),
		disk_test(open_without_permission_is_refused),
		disk_test(nothing_stays_open_after_a_close),
		disk_test(neighbours_are_transferred_in_one_go),
		disk_test(interrupted_and_short_transfers_go_on),
		disk_test(a_bad_block_fails_its_page_only),
		disk_test(a_transfer_of_nothing_is_a_failure),
		disk_test(what_somebody_cut_off_the_file_is_not_read),
	};

	return cmocka_run_group_tests_name("store_file", tests, directory_open, directory_close);
}
