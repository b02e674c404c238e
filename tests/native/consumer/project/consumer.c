/* SPDX-License-Identifier: MIT */
/* The smallest whole use of the library: valid C and valid C++. argv[1] is the version that must be loaded. */
#include <stdio.h>
#include <string.h>

#include <devmap/devmap.h>

static int use_pages(void)
{
	devmap_page *page = NULL;

	if (devmap_alloc_pages(0, &page) != 0)
		return 1;
	devmap_get_page(page);
	devmap_put_page(page);
	if (devmap_page_count(page) != 1)
		return 1;
	memset(devmap_page_address(page), 1, 4096);
	devmap_put_page(page);
	return 0;
}

int main(int argc, char **argv)
{
	static devmap_static_key key;

	if (argc != 2 || strcmp(devmap_version(), argv[1]) != 0 || devmap_abi_version() != DEVMAP_ABI_VERSION) {
		fprintf(stderr, "version %s, ABI %u\n", devmap_version(), (unsigned)devmap_abi_version());
		return 1;
	}
	if (devmap_static_branch_inc(&key) != 0 || !devmap_static_branch_unlikely(&key))
		return 1;
	return use_pages();
}
