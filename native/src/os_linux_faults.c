/* SPDX-License-Identifier: MIT */
/* Page faults by userfaultfd(2), and what is done to memory whose pages come and go. */
#include "os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

/* What headers of older systems lack, as the kernel's <linux/userfaultfd.h> and <asm-generic/mman-common.h> have it. */
#ifndef USERFAULTFD_IOC_NEW
#define USERFAULTFD_IOC_NEW _IO(0xAA, 0x00)
#endif
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif
#define FEATURE_POISON (UINT64_C(1) << 14)
#define ADVICE_GUARD_INSTALL 102
#define ADVICE_GUARD_REMOVE 103

/* Of UFFDIO_ZEROPAGE and UFFDIO_POISON. */
struct filling {
	struct uffdio_range range;
	uint64_t mode;
	int64_t filled;
};

#define IOCTL_POISON _IOWR(UFFDIO, 0x08, struct filling)

/* Bits of an entry of /proc/self/pagemap. */
#define PAGEMAP_PRESENT (UINT64_C(1) << 63)
#define PAGEMAP_SWAPPED (UINT64_C(1) << 62)

static uint64_t system_page(void)
{
	return os_page_size();
}

static struct uffdio_range range_of(const void *address, uint64_t length)
{
	return (struct uffdio_range){.start = (uintptr_t)address, .len = length};
}

static int set_access(void *address, uint64_t length, int access)
{
	return mprotect(address, length, access) == 0 ? 0 : -errno;
}

/* ---- the descriptor --------------------------------------------------------------------------------------------- */

static int open_all(void)
{
	int control = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
	int file = -1;

	if (control >= 0) {
		file = ioctl(control, USERFAULTFD_IOC_NEW, O_CLOEXEC | O_NONBLOCK);
		close(control);
	}
	if (file < 0)
		file = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	return file < 0 ? -errno : file;
}

static int open_user(void)
{
	int file = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY);

	/* The flag is of Linux 5.11. */
	if (file < 0 && errno == EINVAL)
		return -EOPNOTSUPP;
	return file < 0 ? -errno : file;
}

/* Agrees on features; all that there are with @features 0, which are then told and not used. */
static int agree(int file, uint64_t *features)
{
	struct uffdio_api api = {.api = UFFD_API, .features = *features};

	if (ioctl(file, UFFDIO_API, &api) != 0)
		return errno == EINVAL ? -EOPNOTSUPP : -errno;
	*features = api.features;
	return 0;
}

static int open_with(bool kernel_mode, uint64_t *features)
{
	int file = kernel_mode ? open_all() : open_user();
	int result;

	if (file < 0)
		return file;
	result = agree(file, features);
	if (result != 0) {
		close(file);
		return result;
	}
	return file;
}

int os_faults_open(bool kernel_mode, os_faults *faults)
{
	uint64_t there = 0, wanted;
	/* Features are agreed on once for a descriptor, so that one is opened to ask. */
	int file = open_with(kernel_mode, &there), stop;

	if (file < 0)
		return file;
	close(file);
	if (!(there & UFFD_FEATURE_PAGEFAULT_FLAG_WP))
		return -EOPNOTSUPP;
	wanted = UFFD_FEATURE_PAGEFAULT_FLAG_WP | (there & FEATURE_POISON);
	file = open_with(kernel_mode, &wanted);
	if (file < 0)
		return file;
	stop = eventfd(0, EFD_CLOEXEC);
	if (stop < 0) {
		stop = -errno;
		close(file);
		return stop;
	}
	*faults = (os_faults){.file = file, .stop = stop, .can_poison = there & FEATURE_POISON};
	return 0;
}

void os_faults_close(os_faults *faults)
{
	close(faults->stop);
	close(faults->file);
	faults->file = OS_NO_FILE;
}

int os_faults_register(const os_faults *faults, void *address, uint64_t length)
{
	struct uffdio_register request = {
		.range = range_of(address, length),
		.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP,
	};

	if (ioctl(faults->file, UFFDIO_REGISTER, &request) != 0)
		return -errno;
	if (!(request.ioctls & (UINT64_C(1) << _UFFDIO_WRITEPROTECT))) {
		os_faults_unregister(faults, address, length);
		return -EOPNOTSUPP;
	}
	return 0;
}

void os_faults_unregister(const os_faults *faults, void *address, uint64_t length)
{
	struct uffdio_range range = range_of(address, length);

	ioctl(faults->file, UFFDIO_UNREGISTER, &range);
}

#define MAX_MESSAGES 16

int os_faults_take(const os_faults *faults, os_fault *found, uint32_t capacity)
{
	struct uffd_msg messages[MAX_MESSAGES];
	size_t room = sizeof(messages[0]) * (capacity < MAX_MESSAGES ? capacity : MAX_MESSAGES);
	ssize_t length = read(faults->file, messages, room);
	int n = 0;

	if (length < 0)
		return -errno;
	for (ssize_t i = 0; i < length / (ssize_t)sizeof(messages[0]); i++) {
		uint64_t flags = messages[i].arg.pagefault.flags;

		if (messages[i].event != UFFD_EVENT_PAGEFAULT)
			continue;
		found[n++] = (os_fault){
			.address = messages[i].arg.pagefault.address & ~(system_page() - 1),
			.write = flags & (UFFD_PAGEFAULT_FLAG_WRITE | UFFD_PAGEFAULT_FLAG_WP),
			.is_protected = flags & UFFD_PAGEFAULT_FLAG_WP,
		};
	}
	return n;
}

bool os_faults_wait(const os_faults *faults)
{
	struct pollfd events[2] = {
		{.fd = faults->file, .events = POLLIN},
		{.fd = faults->stop, .events = POLLIN},
	};

	(void)poll(events, 2, -1);
	return !events[1].revents;
}

void os_faults_stop(const os_faults *faults)
{
	uint64_t one = 1;

	while (write(faults->stop, &one, sizeof(one)) < 0 && errno == EINTR)
		continue;
}

/* ---- pages ------------------------------------------------------------------------------------------------------ */

/* What a request asks for, of which @from is for copying only. */
struct request {
	unsigned long code;
	const char *from;
	uint64_t mode;
};

/* One request: its result, and in @part how many bytes were done. */
static int ask(const os_faults *faults, const struct request *request, char *to, uint64_t length, int64_t *part)
{
	struct uffdio_copy copy = {
		.dst = (uintptr_t)to, .src = (uintptr_t)request->from, .len = length, .mode = request->mode};
	struct uffdio_writeprotect protection = {.range = range_of(to, length), .mode = request->mode};
	struct filling filling = {.range = range_of(to, length), .mode = request->mode};
	bool copies = request->code == UFFDIO_COPY, protects = request->code == UFFDIO_WRITEPROTECT;
	void *argument = copies ? (void *)&copy : protects ? (void *)&protection : (void *)&filling;
	int result = ioctl(faults->file, request->code, argument) == 0 ? 0 : -errno;

	if (protects)
		*part = result == 0 ? (int64_t)length : 0;
	else
		*part = copies ? copy.copy : filling.filled;
	return result;
}

/*
 * Makes a request of all of the memory, and tells in @done how far it came. The system does it in part while the process's
 * memory map changes (EAGAIN), and not at all where that has a boundary inside of the memory (ENOENT): who locks part of it
 * (mlock(2)), or advises on it, makes one.
 */
static int request_all(const os_faults *faults, struct request request, char *to, uint64_t length, uint64_t *done)
{
	const char *from = request.from;
	uint64_t most = length, at_once;
	int64_t part;
	int result;

	for (*done = 0; *done < length;) {
		at_once = length - *done < most ? length - *done : most;
		request.from = from ? from + *done : NULL;
		result = ask(faults, &request, to + *done, at_once, &part);
		if (part > 0)
			*done += (uint64_t)part;
		if (result == -ENOENT && at_once > system_page())
			most = at_once / 2 & ~(system_page() - 1);
		else if (result != 0 && result != -EAGAIN)
			return result;
		else if (result == 0)
			most = length;
	}
	return 0;
}

int os_faults_copy(const os_faults *faults, void *to, const void *from, uint64_t length, bool protect, uint64_t *done)
{
	struct request request = {UFFDIO_COPY, from, protect ? UFFDIO_COPY_MODE_WP : 0};

	return request_all(faults, request, to, length, done);
}

int os_faults_zero(const os_faults *faults, void *address, uint64_t length)
{
	uint64_t done;

	return request_all(faults, (struct request){.code = UFFDIO_ZEROPAGE}, address, length, &done);
}

static int write_protect(const os_faults *faults, void *address, uint64_t length, uint64_t mode)
{
	uint64_t done;

	return request_all(faults, (struct request){.code = UFFDIO_WRITEPROTECT, .mode = mode}, address, length, &done);
}

int os_faults_protect(const os_faults *faults, void *address, uint64_t length)
{
	return write_protect(faults, address, length, UFFDIO_WRITEPROTECT_MODE_WP);
}

int os_faults_unprotect(const os_faults *faults, void *address, uint64_t length)
{
	return write_protect(faults, address, length, 0);
}

void os_faults_wake(const os_faults *faults, void *address, uint64_t length)
{
	struct uffdio_range range = range_of(address, length);

	ioctl(faults->file, UFFDIO_WAKE, &range);
}

int os_faults_poison(const os_faults *faults, void *address, uint64_t length)
{
	uint64_t done;

	if (!faults->can_poison) {
		int result = set_access(address, length, PROT_NONE);

		if (result == 0)
			os_faults_wake(faults, address, length);
		return result;
	}
	return request_all(faults, (struct request){.code = IOCTL_POISON}, address, length, &done);
}

int os_faults_unpoison(const os_faults *faults, void *address, uint64_t length)
{
	int result = os_discard(address, length);

	if (result == 0 && !faults->can_poison)
		result = set_access(address, length, PROT_READ | PROT_WRITE);
	return result;
}

/* ---- memory whose faults nobody serves --------------------------------------------------------------------------- */

/* Whether the system has guard pages (Linux 6.13): 1 or -1, and 0 before anybody asked. */
static _Atomic(int) guards;

static bool has_guards(void)
{
	int known = atomic_load_explicit(&guards, memory_order_relaxed);
	void *page;

	if (known == 0 && os_reserve(system_page(), system_page(), OS_READ_WRITE, &page) == 0) {
		known = madvise(page, system_page(), ADVICE_GUARD_INSTALL) == 0 ? 1 : -1;
		atomic_store_explicit(&guards, known, memory_order_relaxed);
		os_unmap(page, system_page());
	}
	return known > 0;
}

int os_hide(void *address, uint64_t length)
{
	int result;

	if (has_guards())
		return madvise(address, length, ADVICE_GUARD_INSTALL) == 0 ? 0 : -errno;
	result = set_access(address, length, PROT_NONE);
	if (result != 0)
		return result;
	result = os_discard(address, length);
	if (result != 0)
		(void)set_access(address, length, PROT_READ | PROT_WRITE);
	return result;
}

int os_show(void *address, uint64_t length)
{
	if (has_guards())
		return madvise(address, length, ADVICE_GUARD_REMOVE) == 0 ? 0 : -errno;
	return set_access(address, length, PROT_READ | PROT_WRITE);
}

int os_replace_by_nothing(void *address, uint64_t length)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;

	return mmap(address, length, PROT_NONE, flags, -1, 0) == MAP_FAILED ? -errno : 0;
}

int os_check_private(void *address, uint64_t length)
{
	/* Refused for anything else, which is all it is for here; and done up to where it is refused. */
	int result = madvise(address, length, MADV_WIPEONFORK) == 0 ? 0 : -errno;

	madvise(address, length, MADV_KEEPONFORK);
	return result == -ENOMEM ? -EINVAL : result;
}

int os_make_unshared(void *address, uint64_t length)
{
	return madvise(address, length, MADV_DONTFORK) == 0 ? 0 : -errno;
}

void os_make_shared(void *address, uint64_t length)
{
	madvise(address, length, MADV_DOFORK);
}

#define ENTRIES 512

int os_populated(const void *address, uint64_t n, bool *populated)
{
	int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	off_t offset = (off_t)((uintptr_t)address / system_page() * sizeof(uint64_t));
	uint64_t entries[ENTRIES];

	if (file < 0)
		return -errno;
	for (uint64_t i = 0; i < n;) {
		uint64_t wanted = n - i < ENTRIES ? n - i : ENTRIES;
		ssize_t length = pread(file, entries, wanted * sizeof(entries[0]), offset);

		if (length <= 0) {
			close(file);
			return length < 0 ? -errno : -EIO;
		}
		offset += length;
		for (ssize_t j = 0; j < length / (ssize_t)sizeof(entries[0]); j++)
			populated[i++] = entries[j] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED);
	}
	close(file);
	return 0;
}
