/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <dlfcn.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(DEVMAP_THREAD_NAME == 16, "what prctl() writes");

uint32_t os_thread_id(void)
{
	return (uint32_t)syscall(SYS_gettid);
}

void os_thread_name(char *name)
{
	if (prctl(PR_GET_NAME, name) != 0)
		name[0] = '\0';
}

bool os_stack(uintptr_t *start, uintptr_t *end)
{
	pthread_attr_t attributes;
	void *address = NULL;
	size_t size = 0;

	if (pthread_getattr_np(pthread_self(), &attributes) != 0)
		return false;
	if (pthread_attr_getstack(&attributes, &address, &size) != 0)
		size = 0;
	pthread_attr_destroy(&attributes);
	*start = (uintptr_t)address;
	*end = (uintptr_t)address + size;
	return size != 0;
}

int os_symbol(const void *address, char *text, size_t size)
{
	const char *file;
	Dl_info info;

	/* A return address is one past its call, which may be its function's last instruction. */
	if (!address || dladdr((const char *)address - 1, &info) == 0 || !info.dli_fname)
		return snprintf(text, size, "%p", address);
	file = strrchr(info.dli_fname, '/');
	file = file ? file + 1 : info.dli_fname;
	if (info.dli_sname)
		return snprintf(text, size, "%s(%s+0x%zx)", file, info.dli_sname,
				(size_t)((const char *)address - (const char *)info.dli_saddr));
	return snprintf(text, size, "%s(+0x%zx)", file, (size_t)((const char *)address - (const char *)info.dli_fbase));
}
