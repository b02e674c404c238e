/* SPDX-License-Identifier: MIT */
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/magic.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#define HUGE_PAGE (UINT64_C(2) << 20)
#define NANOSECONDS_PER_SECOND 1000000000

size_t os_page_size(void)
{
	return (size_t)sysconf(_SC_PAGESIZE);
}

static int protection(os_access access)
{
	switch (access) {
	case OS_READ:
		return PROT_READ;
	case OS_READ_WRITE:
		return PROT_READ | PROT_WRITE;
	default:
		return PROT_NONE;
	}
}

int os_reserve(uint64_t length, uint64_t alignment, os_access access, void **address)
{
	uint64_t slack = alignment > os_page_size() ? alignment : 0;
	uintptr_t start, aligned;
	void *memory;

	if (length > UINT64_MAX - slack)
		return -ENOMEM;
	memory = mmap(NULL, length + slack, protection(access), MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (memory == MAP_FAILED)
		return -ENOMEM;
	start = (uintptr_t)memory;
	aligned = slack ? (start + slack - 1) & ~(slack - 1) : start;
	if (aligned > start)
		munmap(memory, aligned - start);
	if (start + slack > aligned)
		munmap((void *)(aligned + length), start + slack - aligned);
	*address = (void *)aligned;
	/* What is used page by page is not to be taken by the huge page. */
	if (alignment < HUGE_PAGE)
		madvise(*address, length, MADV_NOHUGEPAGE);
	return 0;
}

void os_unmap(void *address, uint64_t length)
{
	munmap(address, length);
}

/* As the kernel's <asm-generic/mman-common.h> has it, since Linux 5.18. */
#define ADVICE_DONTNEED_LOCKED 24

int os_discard(void *address, uint64_t length)
{
	if (madvise(address, length, ADVICE_DONTNEED_LOCKED) == 0)
		return 0;
	return madvise(address, length, MADV_DONTNEED) == 0 ? 0 : -errno;
}

int os_membarrier_register(void)
{
	return syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0 ? 0 : -errno;
}

void os_membarrier(void)
{
	struct timespec pause = {.tv_nsec = 10000000};

	if (syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0)
		return;
	/* A process image that was restored somewhere else is not registered there. */
	if (os_membarrier_register() == 0 && syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0) == 0)
		return;
	if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0)
		return;
	/*
	 * A sandbox was entered that refuses what was there before. What is wanted is that stores of running threads get
	 * visible, which take well under a microsecond to leave a core, and that looks which came before them are over; a
	 * thread that is switched out has executed the barrier.
	 */
	while (nanosleep(&pause, &pause) != 0 && errno == EINTR)
		continue;
}

int64_t os_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * NANOSECONDS_PER_SECOND + now.tv_nsec;
}

int64_t os_realtime(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * NANOSECONDS_PER_SECOND + now.tv_nsec;
}

uint32_t os_process_id(void)
{
	return (uint32_t)getpid();
}

int os_write(int file, const void *bytes, size_t n)
{
	const char *next = bytes;

	while (n > 0) {
		ssize_t written = write(file, next, n);

		if (written < 0 && errno == EINTR)
			continue;
		/* A file that takes nothing and says no error. */
		if (written == 0)
			return -EIO;
		if (written < 0)
			return -errno;
		next += written;
		n -= (size_t)written;
	}
	return 0;
}

bool os_wait(const void *word, uint32_t value, int64_t deadline)
{
	struct timespec until = {
		.tv_sec = deadline / NANOSECONDS_PER_SECOND,
		.tv_nsec = deadline % NANOSECONDS_PER_SECOND,
	};
	long result;

	/* FUTEX_WAIT_BITSET takes an absolute time of CLOCK_MONOTONIC, so an interrupted wait needs no arithmetic. */
	result = syscall(SYS_futex, word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, value, deadline < 0 ? NULL : &until,
		NULL, FUTEX_BITSET_MATCH_ANY);
	return result == 0 || errno != ETIMEDOUT;
}

void os_wake_all(const void *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, INT32_MAX, NULL, NULL, 0);
}

static int open_regular(const char *path, int flags, mode_t mode, int *file)
{
	struct stat status;
	int fd;

	/* O_NONBLOCK: opening a pipe for reading would wait for its writer; a regular file does not notice it. */
	fd = open(path, flags | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0) {
		int error = -errno;

		close(fd);
		return error;
	}
	if (!S_ISREG(status.st_mode)) {
		close(fd);
		return S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
	}
	*file = fd;
	return 0;
}

int os_file_open(const char *path, bool write, bool create, int *file)
{
	return open_regular(path, (write ? O_RDWR : O_RDONLY) | (create ? O_CREAT : 0), 0666, file);
}

int os_file_make(const char *path, int *file, bool *created)
{
	int result;

	/* Again if the one that existed was gone by the second look; not for ever: a link to nothing is so, too. */
	for (int tries = 0; tries < 16; tries++) {
		result = open_regular(path, O_RDWR | O_CREAT | O_EXCL, 0600, file);
		*created = result == 0;
		if (result != -EEXIST)
			return result;
		result = open_regular(path, O_RDWR, 0, file);
		if (result != -ENOENT)
			return result;
	}
	return result;
}

void os_file_close(int file)
{
	close(file);
}

int os_file_info_get(int file, os_file_info *info)
{
	struct stat status;

	if (fstat(file, &status) != 0)
		return -errno;
	info->length = (uint64_t)status.st_size;
	info->device = status.st_dev;
	info->inode = status.st_ino;
	return 0;
}

int os_file_set_length(int file, uint64_t length)
{
	int result;

	if (length > INT64_MAX)
		return -EFBIG;
	do {
		result = ftruncate(file, (off_t)length);
	} while (result != 0 && errno == EINTR);
	return result == 0 ? 0 : -errno;
}

static int allocate(int file, int mode, uint64_t offset, uint64_t length)
{
	int result;

	do {
		result = fallocate(file, mode, (off_t)offset, (off_t)length);
	} while (result != 0 && errno == EINTR);
	return result == 0 ? 0 : -errno;
}

int os_file_allocate(int file, uint64_t offset, uint64_t length)
{
	return allocate(file, FALLOC_FL_KEEP_SIZE, offset, length);
}

int os_file_punch_hole(int file, uint64_t offset, uint64_t length)
{
	return allocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length);
}

int os_file_extend(int file, uint64_t length)
{
	return allocate(file, 0, 0, length);
}

bool os_file_is_at(int file, const char *path)
{
	struct stat open_status, path_status;

	return fstat(file, &open_status) == 0 && stat(path, &path_status) == 0 &&
	       open_status.st_dev == path_status.st_dev && open_status.st_ino == path_status.st_ino;
}

int os_file_remove(const char *path)
{
	return unlink(path) == 0 ? 0 : -errno;
}

int os_file_set_direct(int file, bool direct)
{
	int flags = fcntl(file, F_GETFL);
	struct statfs fs;

	if (flags < 0)
		return -errno;
	/* Since Linux 6.6 tmpfs accepts the flag, although the page cache is all that it has. */
	if (direct && fstatfs(file, &fs) == 0 && fs.f_type == TMPFS_MAGIC)
		return -EOPNOTSUPP;
	flags = direct ? flags | O_DIRECT : flags & ~O_DIRECT;
	return fcntl(file, F_SETFL, flags) == 0 ? 0 : -errno;
}

int os_file_transfer(
	int file, bool write, void *const *pieces, uint32_t n, uint64_t length, uint64_t offset, uint32_t *done)
{
	struct iovec left[OS_TRANSFER_MAX];
	uint32_t first = 0;

	for (uint32_t i = 0; i < n; i++)
		left[i] = (struct iovec){.iov_base = pieces[i], .iov_len = length};
	*done = 0;
	while (first < n) {
		ssize_t moved = write ? pwritev(file, &left[first], (int)(n - first), (off_t)offset)
				      : preadv(file, &left[first], (int)(n - first), (off_t)offset);
		size_t bytes = (size_t)moved;

		if (moved < 0 && errno == EINTR)
			continue;
		/* Without the page cache, what goes on behind the end of a file in a page's middle is not aligned. */
		if (moved == 0 || (moved < 0 && errno == EINVAL && left[first].iov_len != length))
			return -EIO;
		if (moved < 0)
			return -errno;
		offset += bytes;
		while (first < n && bytes >= left[first].iov_len)
			bytes -= left[first++].iov_len;
		*done = first;
		if (first < n) {
			left[first].iov_base = (char *)left[first].iov_base + bytes;
			left[first].iov_len -= bytes;
		}
	}
	return 0;
}

int os_file_lock(int file, bool exclusive)
{
	/* An open file description's lock: it belongs to this open, not to the process, and no other close drops it. */
	struct flock lock = {.l_type = exclusive ? F_WRLCK : F_RDLCK, .l_whence = SEEK_SET};

	if (fcntl(file, F_OFD_SETLK, &lock) == 0)
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

void os_file_unlock(int file)
{
	struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};

	fcntl(file, F_OFD_SETLK, &lock);
}

/* Whether the file can be mapped so at all. */
static int probe(int file, int access, int flags)
{
	size_t length = os_page_size();
	void *memory = mmap(NULL, length, access, flags, file, 0);

	if (memory == MAP_FAILED)
		return -errno;
	munmap(memory, length);
	return 0;
}

/* Maps the file at aligned addresses. */
static void *map_aligned(int file, uint64_t length, uint64_t alignment, int access, int flags)
{
	void *memory;
	int result = os_reserve(length, alignment, OS_NO_ACCESS, &memory);

	if (result != 0) {
		errno = -result;
		return MAP_FAILED;
	}
	/*
	 * MAP_FIXED unmaps the reservation before the file system has a say. Should it refuse, after it did not refuse the
	 * probe, the addresses may be another thread's by now, and are not unmapped.
	 */
	return mmap(memory, length, access, flags | MAP_FIXED, file, 0);
}

int os_file_map(int file, uint64_t length, uint64_t alignment, bool write, void **address, bool *dax)
{
	int access = protection(write ? OS_READ_WRITE : OS_READ);
	int flags = MAP_SHARED_VALIDATE | MAP_SYNC;
	void *memory;
	/* MAP_SYNC is refused wherever the page cache stands between the CPU and the medium. */
	bool sync = probe(file, access, flags) == 0;
	int result = 0;

	if (!sync) {
		flags = MAP_SHARED;
		result = probe(file, access, flags);
	}
	if (result != 0)
		return result;
	memory = alignment <= os_page_size() ? mmap(NULL, length, access, flags, file, 0)
					     : map_aligned(file, length, alignment, access, flags);
	if (memory == MAP_FAILED)
		return -errno;
	*address = memory;
	*dax = sync;
	return 0;
}

int os_flush(void *address, uint64_t length, bool dax)
{
	uintptr_t start = (uintptr_t)address;
	uintptr_t page;

#if defined(__x86_64__)
	/* With MAP_SYNC the file's metadata is durable at the fault; what is left are the CPU's caches. */
	if (dax) {
		for (uintptr_t line = start & ~(uintptr_t)63; line < start + length; line += 64)
			_mm_clflush((const void *)line);
		_mm_sfence();
		return 0;
	}
#endif
	(void)dax;
	page = start & ~((uintptr_t)os_page_size() - 1);
	return msync((void *)page, start - page + length, MS_SYNC) == 0 ? 0 : -errno;
}
