/* SPDX-License-Identifier: MIT */
/* Every inline of the headers, instantiated by a C++ compiler and used on the library's own pages. */
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <devmap/devmap.h>

namespace {

DEVMAP_DEFINE_STATIC_KEY_TRUE(born_true);
DEVMAP_DEFINE_STATIC_KEY_FALSE(born_false);

int failures;

void check_at(bool condition, const char *text, int line)
{
	if (!condition) {
		std::fprintf(stderr, "line %d: %s\n", line, text);
		failures++;
	}
}

#define check(condition) check_at(condition, #condition, __LINE__)

void test_static_keys()
{
	check(devmap_static_key_count(&born_true) == 1);
	check(devmap_static_key_enabled(&born_true));
	check(devmap_static_branch_likely(&born_true));
	check(!devmap_static_branch_unlikely(&born_false));
	check(devmap_static_branch_inc(&born_false) == 0);
	check(devmap_static_branch_unlikely(&born_false));
	check(devmap_static_branch_dec(&born_false) == 0);
}

void test_ordinary_pages()
{
	devmap_page *head = nullptr;

	check(devmap_alloc_pages(2, &head) == 0);
	if (head == nullptr)
		return;
	check(devmap_compound_head(head + 3) == head);
	check(devmap_page_count(head) == 1);
	check(devmap_page_pagemap(head) == nullptr);
	check(!devmap_is_zone_device_page(head));
	check(!devmap_is_device_private_page(head));
	check(!devmap_is_device_public_page(head));
	check(!devmap_put_managed_page(head));
	devmap_get_page(head + 1);
	devmap_get_page_refs(head, 2);
	check(devmap_page_count(head) == 4);
	devmap_put_page_refs(head, 3);
	devmap_put_page(head);
}

#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC

extern "C" void count_idle(devmap_page *, void *data)
{
	++*static_cast<int *>(data);
}

void test_device_pages()
{
	int idle = 0;
	devmap_pagemap_ops ops;
	devmap_pagemap_config config;
	devmap_pagemap *map = nullptr;
	devmap_page *page = nullptr;

	std::memset(&ops, 0, sizeof(ops));
	std::memset(&config, 0, sizeof(config));
	ops.page_free = count_idle;
	config.size = sizeof(config);
	config.type = DEVMAP_MEMORY_DEVICE_PUBLIC;
	config.backing = DEVMAP_BACKING_RESERVED;
	config.length = 4 * 4096;
	config.ops = &ops;
	config.data = &idle;
	check(devmap_memremap_pages(&config, &map) == 0);
	check(map != nullptr && devmap_pagemap_get_pages(map, 1, 1, &page) == 0);
	if (page == nullptr)
		return;
	check(devmap_page_pagemap(page) == map);
	check(devmap_page_type(page) == DEVMAP_MEMORY_DEVICE_PUBLIC);
	check(devmap_is_zone_device_page(page));
	check(devmap_is_device_public_page(page));
	check(!devmap_is_device_private_page(page));
	check(devmap_static_key_enabled(&devmap_managed_key));
	devmap_get_page(page);
	check(devmap_put_managed_page(page));
	check(idle == 0);
	devmap_put_page(page);
	check(idle == 1);
	check(devmap_page_count(page) == 1);
	check(devmap_memunmap_pages(map, 0, nullptr, nullptr) == 0);
	check(devmap_pagemap_free(map) == 0);
}

#else

void test_device_pages()
{
}

#endif

} // namespace

int main()
{
	test_static_keys();
	test_ordinary_pages();
	test_device_pages();
	return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
