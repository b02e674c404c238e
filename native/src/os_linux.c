/* SPDX-License-Identifier: MIT */
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
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

void os_discard(void *address, uint64_t length)
{
	madvise(address, length, MADV_DONTNEED);
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

int os_file_open(const char *path, bool write, bool create, int *file)
{
	int flags = (write ? O_RDWR : O_RDONLY) | (create ? O_CREAT : 0) | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	struct stat status;
	int fd;

	/* O_NONBLOCK: opening a pipe for reading would wait for its writer; a regular file does not notice it. */
	fd = open(path, flags, 0666);
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
