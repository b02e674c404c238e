/* SPDX-License-Identifier: MIT */
/* Stands in front of the C library (LD_PRELOAD) in a process whose disk is to be full: nothing can be allocated. */
#include <errno.h>
#include <fcntl.h>

#define INTERPOSED __attribute__((visibility("default")))

static int refuse(void)
{
	errno = ENOSPC;
	return -1;
}

INTERPOSED int fallocate(int fd, int mode, off_t offset, off_t length)
{
	(void)fd;
	(void)mode;
	(void)offset;
	(void)length;
	return refuse();
}

INTERPOSED int fallocate64(int fd, int mode, off64_t offset, off64_t length)
{
	(void)fd;
	(void)mode;
	(void)offset;
	(void)length;
	return refuse();
}
