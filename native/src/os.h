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

/* Gives the memory of a reservation back and keeps the addresses, which read as zeros. */
void os_discard(void *address, uint64_t length);

/*
 * Has every thread of the process that runs now execute a full barrier before this returns; threads that don't run have.
 * os_membarrier_register() tells whether the system can do so. Should it refuse later, this takes 10 ms.
 */
void os_membarrier(void);
int os_membarrier_register(void);

/* Nanoseconds of a clock that only goes forward. */
int64_t os_now(void);

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

#endif
