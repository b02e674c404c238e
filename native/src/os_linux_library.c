/* SPDX-License-Identifier: MIT */
/* Apart from os_linux.c, so that what is linked statically and loads no library is not warned of dlopen(). */
#include "os.h"

#include <dlfcn.h>
#include <errno.h>
#include <string.h>

int os_library_open(const char *name, os_library **library)
{
	void *handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);

	if (!handle)
		return -ELIBACC;
	*library = handle;
	return 0;
}

os_function os_library_function(os_library *library, const char *name)
{
	void *address = dlsym((void *)library, name);
	os_function function;

	/* ISO C has no conversion between the two; POSIX says that they are of one size and form. */
	_Static_assert(sizeof(function) == sizeof(address), "one size");
	memcpy(&function, &address, sizeof(function));
	return function;
}

void os_library_close(os_library *library)
{
	dlclose((void *)library);
}
