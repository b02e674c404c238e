/* SPDX-License-Identifier: MIT */
/*
 * Everything the library asks of the operating system, so that another system is one more source file beside
 * os_linux.c. Results are 0 or a negative errno value; a memory size is in bytes and a multiple of os_page_size().
 */
#ifndef DEVMAP_SRC_OS_H
#define DEVMAP_SRC_OS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OS_NO_FILE (-1)

typedef enum os_access {
	OS_NO_ACCESS,
	OS_READ,
	OS_READ_WRITE,
} os_access;

size_t os_page_size(void);

/* Reserves zero-filled memory aligned to @alignment, a power of two; nothing is taken until it is touched. */
int os_reserve(uint64_t length, uint64_t alignment, os_access access, void **address);
void os_unmap(void *address, uint64_t length);

/*
 * Gives the memory of a reservation back and keeps the addresses, which read as zeros. Before Linux 5.18 locked memory is
 * refused (-EINVAL), after what lies before it is gone.
 */
int os_discard(void *address, uint64_t length);

/*
 * Has every thread of the process that runs now execute a full barrier before this returns; threads that don't run have.
 * os_membarrier_register() tells whether the system can do so. Should it refuse later, this takes 10 ms.
 */
void os_membarrier(void);
int os_membarrier_register(void);

/* Nanoseconds of a clock that only goes forward. Also from a signal handler, as what follows up to os_write(). */
int64_t os_now(void);

/* Nanoseconds since 1970. */
int64_t os_realtime(void);

uint32_t os_process_id(void);

/* Writes all of it to whatever is open there. */
int os_write(int file, const void *bytes, size_t n);

/* Sleeps while *word is @value, at most until @deadline (os_now(), negative for ever). False on expiry. */
bool os_wait(const void *word, uint32_t value, int64_t deadline);
void os_wake_all(const void *word);

typedef struct os_file_info {
	uint64_t length;
	/* Identify the file among all files. */
	uint64_t device;
	uint64_t inode;
} os_file_info;

/* Opens a regular file. */
int os_file_open(const char *path, bool write, bool create, int *file);
void os_file_close(int file);
int os_file_info_get(int file, os_file_info *info);
int os_file_set_length(int file, uint64_t length);
int os_file_allocate(int file, uint64_t offset, uint64_t length);
int os_file_punch_hole(int file, uint64_t offset, uint64_t length);

/* Opens a regular file for writing, or makes one that nobody else may open (mode 0600); @created tells which. */
int os_file_make(const char *path, int *file, bool *created);
/* Makes the file @length long, and allocates all of its blocks. */
int os_file_extend(int file, uint64_t length);
/* Whether the path names the file. */
bool os_file_is_at(int file, const char *path);
int os_file_remove(const char *path);

/* Has transfers go past the page cache, or no more. That this works is not sure before a transfer does. */
int os_file_set_direct(int file, bool direct);

/*
 * Transfers @n pieces of memory, @length bytes each, at most OS_TRANSFER_MAX, to or from the file at @offset, side by
 * side. @done receives how many pieces were transferred whole, from the first on: @n unless it fails. -EIO where the
 * file ends.
 */
#define OS_TRANSFER_MAX 32
int os_file_transfer(
	int file, bool write, void *const *pieces, uint32_t n, uint64_t length, uint64_t offset, uint32_t *done);

/* Takes the advisory lock of this open, without waiting: -EBUSY where another open holds one that excludes it. */
int os_file_lock(int file, bool exclusive);
void os_file_unlock(int file);

/*
 * Maps the file from its start at an address aligned to @alignment, a power of two, for os_unmap(). @length may reach
 * beyond its end. @dax receives whether it was mapped with MAP_SYNC.
 */
int os_file_map(int file, uint64_t length, uint64_t alignment, bool write, void **address, bool *dax);

/* Makes a mapped range durable; @dax as os_file_map() told. */
int os_flush(void *address, uint64_t length, bool dax);

/* ---- threads and code (os_linux_thread.c) ----------------------------------------------------------------------- */

/* The calling thread's number, as other tools show it; and its name, zero-terminated, of DEVMAP_THREAD_NAME bytes. */
uint32_t os_thread_id(void);
void os_thread_name(char *name);

/* The stack that the calling thread was given, from its lowest address; false where that is not known. May allocate. */
bool os_stack(uintptr_t *start, uintptr_t *end);

/* Names the code at a return address; as snprintf(3). */
int os_symbol(const void *address, char *text, size_t size);

/* ---- libraries (os_linux_library.c) ----------------------------------------------------------------------------- */

typedef struct os_library os_library;
typedef void (*os_function)(void);

/* Loads a library of that name from where the system has them: -ELIBACC. */
int os_library_open(const char *name, os_library **library);
/* The function of that name, for the caller to cast to its type; NULL: there is none. */
os_function os_library_function(os_library *library, const char *name);
void os_library_close(os_library *library);

/* ---- page faults (os_linux_faults.c) ---------------------------------------------------------------------------- */

/* Page faults of this process, which it serves itself. */
typedef struct os_faults {
	int file;
	/* Tells those who wait to stop. */
	int stop;
	/* A page can be made one that raises SIGBUS. */
	bool can_poison;
} os_faults;

typedef struct os_fault {
	/* Start of the system's page. */
	uintptr_t address;
	bool write;
	/* The page is there, and write-protected. */
	bool is_protected;
} os_fault;

/* @kernel_mode: those of system calls too. -EPERM, -ENOSYS; -EOPNOTSUPP without missing or write-protected pages. */
int os_faults_open(bool kernel_mode, os_faults *faults);
void os_faults_close(os_faults *faults);

/* Faults in this memory, which is private and anonymous, are served from now on; or no more. */
int os_faults_register(const os_faults *faults, void *address, uint64_t length);
void os_faults_unregister(const os_faults *faults, void *address, uint64_t length);

/* Waits until there may be faults to take: false after os_faults_stop(), for every thread that waits. */
bool os_faults_wait(const os_faults *faults);
/* Takes up to @capacity faults of threads that wait for them now, without waiting: how many; or a negative errno value. */
int os_faults_take(const os_faults *faults, os_fault *found, uint32_t capacity);
void os_faults_stop(const os_faults *faults);

/*
 * What is done to memory whose faults are served. Those that make it accessible wake who waits for it. Copying puts a page
 * where none is, in one step, so that nobody sees half of it.
 */
/* @done receives how many bytes of it were copied, which on failure are the first of them. */
int os_faults_copy(const os_faults *faults, void *to, const void *from, uint64_t length, bool protect, uint64_t *done);
int os_faults_zero(const os_faults *faults, void *address, uint64_t length);
int os_faults_protect(const os_faults *faults, void *address, uint64_t length);
int os_faults_unprotect(const os_faults *faults, void *address, uint64_t length);
void os_faults_wake(const os_faults *faults, void *address, uint64_t length);
/* Touching it raises SIGBUS, SIGSEGV where can_poison is not set; until os_faults_unpoison(), which leaves it missing. */
int os_faults_poison(const os_faults *faults, void *address, uint64_t length);
int os_faults_unpoison(const os_faults *faults, void *address, uint64_t length);

/*
 * Discards the memory, touching which is SIGSEGV until os_show(), which makes it read as zeros. Without splitting the
 * mapping where the system can (Linux 6.13), else -ENOMEM when there are too many pieces (vm.max_map_count).
 */
int os_hide(void *address, uint64_t length);
int os_show(void *address, uint64_t length);

/* Replaces memory by addresses that nobody may touch. */
int os_replace_by_nothing(void *address, uint64_t length);

/* Whether the memory is mapped, private and anonymous: 0 or -EINVAL. */
int os_check_private(void *address, uint64_t length);

/* Children of fork() do not inherit it from then on. */
int os_make_unshared(void *address, uint64_t length);
/* Children of fork() get it again. */
void os_make_shared(void *address, uint64_t length);

/* Which of the @n system pages from @address hold something, in memory or swapped out. */
int os_populated(const void *address, uint64_t n, bool *populated);

#endif
