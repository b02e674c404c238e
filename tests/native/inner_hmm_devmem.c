/* SPDX-License-Identifier: MIT */
/*
 * Device memory from inside: the references on its device, an allocator that fails, what the library copies by itself, and
 * what threads that serve faults may not do. Linked with the static library and its header, and with --wrap=calloc.
 */
#include "support.h"

#include <unistd.h>

#include "hmm_internal.h"

/* ---- threads that serve faults ---- */

static void hear(const devmap_fault *fault, void *data)
{
	(void)fault;
	++*(uint32_t *)data;
}

static uint32_t heard;

/** Reports two faults of a kind as a thread that serves faults, and one as another. */
static int report_while_serving(void)
{
	const devmap_stats before = stats_now();

	devmap_set_fault_handler(hear, &heard);
	serving_faults = true;
	(void)devmap_report_fault(DEVMAP_FAULT_DRIVER, NULL, "while serving");
	(void)devmap_report_fault(DEVMAP_FAULT_DRIVER, NULL, "again");
	if (heard != 0)
		return 2;
	serving_faults = false;
	(void)devmap_report_fault(DEVMAP_FAULT_DRIVER, NULL, "as before");
	if (stats_now().faults_driver != before.faults_driver + 3)
		return 3;
	return heard == 1 ? 0 : 4;
}

static int captured;

static int report_into_the_pipe(void)
{
	return dup2(captured, STDERR_FILENO) < 0 ? 5 : report_while_serving();
}

static void the_handler_is_not_called_on_a_thread_that_serves_faults(void **state)
{
	char text[1024];
	size_t length = 0;
	const char *first;
	int ends[2], status;
	ssize_t n;

	(void)state;
	assert_ok(pipe(ends));
	captured = ends[1];
	status = status_of_child(report_into_the_pipe);
	assert_ok(close(ends[1]));
	while ((n = read(ends[0], text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	assert_ok(close(ends[0]));
	text[length] = '\0';
	assert_int_equal(status, 0);
	first = strstr(text, "while serving");
	assert_non_null(first);
	/* The first of its kind alone. */
	assert_null(strstr(text, "again"));
	assert_null(strstr(first, "as before"));
}

/* ---- an allocator that fails ---- */

static bool calloc_fails;

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void *__wrap_calloc(size_t n, size_t size)
{
	return calloc_fails ? NULL : __real_calloc(n, size);
}

#ifdef DEVMAP_CONFIG_HMM

#define NR_PAGES 40

static devmap_hmm_device *create_device(void)
{
	const devmap_hmm_device_config config = {.size = sizeof(config), .faults = DEVMAP_HMM_FAULTS_NONE};
	devmap_hmm_device *device = NULL;

	assert_ok(devmap_hmm_device_new(&config, &device));
	return device;
}

static void a_device_without_memory_for_it_is_refused(void **state)
{
	const devmap_hmm_device_config config = {.size = sizeof(config), .faults = DEVMAP_HMM_FAULTS_NONE};
	devmap_hmm_device *device = NULL;

	(void)state;
	calloc_fails = true;
	assert_error(devmap_hmm_device_new(&config, &device), ENOMEM);
	calloc_fails = false;
	assert_null(device);
}

/* ---- what adding takes ---- */

static void ignore_free(devmap_hmm_devmem *devmem, devmap_page *page)
{
	(void)devmem;
	(void)page;
}

static int refuse_fault(devmap_hmm_devmem *devmem, uintptr_t address, devmap_page *page, uint32_t flags)
{
	(void)devmem;
	(void)address;
	(void)page;
	(void)flags;
	return -EIO;
}

static const devmap_hmm_devmem_ops plain_ops = {.free = ignore_free, .fault = refuse_fault};

/** Adds device memory of @p length bytes of one kind or another. */
typedef int add_memory(devmap_hmm_device *device, uint64_t length, devmap_hmm_devmem **devmem);

#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
static int add_private(devmap_hmm_device *device, uint64_t length, devmap_hmm_devmem **devmem)
{
	return devmap_hmm_devmem_add(&plain_ops, device, length, 0, NULL, devmem);
}
#endif

#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC

static void *public_memory;

static int add_public(devmap_hmm_device *device, uint64_t length, devmap_hmm_devmem **devmem)
{
	const devmap_hmm_resource resource = {
		.start = public_memory, .length = length, .desc = DEVMAP_HMM_IORES_DESC_DEVICE_PUBLIC_MEMORY};

	return devmap_hmm_devmem_add_resource(&plain_ops, device, &resource, 0, NULL, devmem);
}

static int add_public_of_another_kind(devmap_hmm_device *device, uint64_t length, devmap_hmm_devmem **devmem)
{
	const devmap_hmm_resource resource = {
		.start = public_memory, .length = length, .desc = DEVMAP_HMM_IORES_DESC_NONE};

	return devmap_hmm_devmem_add_resource(&plain_ops, device, &resource, 0, NULL, devmem);
}

#endif

#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE

/* ---- a store ---- */

struct toy_store {
	devmap_store store;
	uint8_t *slots;
	/** By slot: whether it holds something, and how often it was discarded. */
	bool written[NR_PAGES];
	uint32_t discards[NR_PAGES];
	/** The slot whose transfers fail, or -1. */
	int64_t failing;
	uint32_t closed;
};

static struct toy_store *toy_of(devmap_store *store)
{
	return (struct toy_store *)store;
}

static void toy_transfer(struct toy_store *toy, devmap_store_io *ios, uint32_t n, bool write)
{
	const size_t size = toy->store.page_size;
	uint32_t i;

	check(n > 0 && n <= DEVMAP_HMM_COPY_BATCH);
	for (i = 0; i < n; i++) {
		if (!check(ios[i].slot < NR_PAGES) || !check(ios[i].reserved == 0))
			continue;
		if ((int64_t)ios[i].slot == toy->failing) {
			ios[i].result = -EIO;
			continue;
		}
		if (write)
			memcpy(toy->slots + ios[i].slot * size, ios[i].memory, size);
		else
			memcpy(ios[i].memory, toy->slots + ios[i].slot * size, size);
		toy->written[ios[i].slot] |= write;
		ios[i].result = 0;
	}
}

static void toy_write(devmap_store *store, devmap_store_io *ios, uint32_t n)
{
	toy_transfer(toy_of(store), ios, n, true);
}

static void toy_read(devmap_store *store, devmap_store_io *ios, uint32_t n)
{
	toy_transfer(toy_of(store), ios, n, false);
}

static void toy_discard(devmap_store *store, uint64_t slot)
{
	if (!check(slot < NR_PAGES))
		return;
	toy_of(store)->written[slot] = false;
	toy_of(store)->discards[slot]++;
}

static uint64_t toy_bytes_used(devmap_store *store)
{
	return store->nr_slots * store->page_size;
}

static void toy_close(devmap_store *store)
{
	toy_of(store)->closed++;
}

static const devmap_store_ops toy_store_ops = {
	.write = toy_write,
	.read = toy_read,
	.discard = toy_discard,
	.bytes_used = toy_bytes_used,
	.close = toy_close,
};

static void toy_store_init(struct toy_store *toy, uint64_t page_size)
{
	memset(toy, 0, sizeof(*toy));
	toy->store = (devmap_store){.ops = &toy_store_ops, .page_size = page_size, .nr_slots = NR_PAGES};
	toy->slots = calloc(NR_PAGES, page_size);
	assert_non_null(toy->slots);
	toy->failing = -1;
}

static struct toy_store added_store;

static int add_store(devmap_hmm_device *device, uint64_t length, devmap_hmm_devmem **devmem)
{
	added_store.store.nr_slots = length / PAGE_BYTES;
	/* What is no multiple of the page size can be said of a store by its page size only. */
	added_store.store.page_size = length % PAGE_BYTES == 0 ? PAGE_BYTES : PAGE_BYTES + 1;
	return devmap_hmm_devmem_add_store(device, &added_store.store, devmem);
}

#endif

/* ---- what adding takes, removing and every failure give back ---- */

struct holdings {
	int32_t gate;
	uint64_t maps;
	uint32_t device;
};

static struct holdings holdings_now(devmap_hmm_device *device)
{
	return (struct holdings){
		.gate = devmap_pagemap_ops_count(),
		.maps = stats_now().pagemaps.current,
		.device = atomic_load(&device->refs),
	};
}

static void assert_holdings(const struct holdings *before, devmap_hmm_device *device, uint32_t more)
{
	const struct holdings now = holdings_now(device);

	assert_int_equal(now.gate, before->gate + (int32_t)more);
	assert_int_equal(now.maps, before->maps + more);
	assert_int_equal(now.device, before->device + more);
}

static void assert_refused(add_memory *add, devmap_hmm_device *device, uint64_t length, int error)
{
	const struct holdings before = holdings_now(device);
	devmap_hmm_devmem *devmem = NULL;

	assert_error(add(device, length, &devmem), error);
	assert_null(devmem);
	assert_holdings(&before, device, 0);
}

static void add_step_by_step(add_memory *add)
{
	devmap_hmm_device *device = create_device();
	const struct holdings before = holdings_now(device);
	devmap_hmm_devmem *devmem = NULL;
	devmap_page *page = NULL;

	assert_int_equal(before.device, 1);
	assert_refused(add, device, 0, EINVAL);
	assert_refused(add, device, PAGE_BYTES + 1, EINVAL);
	calloc_fails = true;
	assert_refused(add, device, PAGE_BYTES, ENOMEM);
	calloc_fails = false;
	atomic_store(&devmap_managed_key.enabled, INT32_MAX);
	assert_refused(add, device, PAGE_BYTES, EOVERFLOW);
	atomic_store(&devmap_managed_key.enabled, 0);
	/* Neither such a range nor its metadata has room in a process. */
	assert_refused(add, device, UINT64_C(1) << 54, ENOMEM);

	assert_ok(add(device, 2 * PAGE_BYTES, &devmem));
	assert_holdings(&before, device, 1);
	assert_ok(devmap_hmm_devmem_alloc_page(devmem, &page));
	assert_error(devmap_hmm_devmem_remove(devmem, 0, NULL, NULL), EBUSY);
	assert_holdings(&before, device, 1);
	serving_faults = true;
	assert_error(devmap_hmm_devmem_remove(devmem, 0, NULL, NULL), EDEADLK);
	serving_faults = false;
	assert_holdings(&before, device, 1);
	devmap_put_page(page);
	assert_ok(devmap_hmm_devmem_remove(devmem, 0, NULL, NULL));
	assert_holdings(&before, device, 0);
	devmap_hmm_device_put(device);
}

#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
static void adding_private_memory_takes_all_or_nothing(void **state)
{
	(void)state;
	add_step_by_step(add_private);
}

static void adding_a_store_takes_all_or_nothing(void **state)
{
	(void)state;
	toy_store_init(&added_store, PAGE_BYTES);
	add_step_by_step(add_store);
	/* Closed by the removal alone: every failure left it to the caller. */
	assert_int_equal(added_store.closed, 1);
	free(added_store.slots);
}
#endif

#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
static void adding_public_memory_takes_all_or_nothing(void **state)
{
	devmap_hmm_device *device = create_device();
	devmap_hmm_devmem *first = NULL;

	(void)state;
	assert_ok(posix_memalign(&public_memory, PAGE_BYTES, NR_PAGES * PAGE_BYTES));
	add_step_by_step(add_public);
	assert_refused(add_public_of_another_kind, device, PAGE_BYTES, EINVAL);
	assert_ok(add_public(NULL, PAGE_BYTES, &first));
	assert_refused(add_public, device, 2 * PAGE_BYTES, EEXIST);
	assert_ok(devmap_hmm_devmem_remove(first, 0, NULL, NULL));
	devmap_hmm_device_put(device);
	free(public_memory);
}
#endif

/* ---- copying ---- */

/** Fills @p n copies with pages allocated now, and memory of their own that holds @p pattern and its place. */
static void prepare_copies(devmap_hmm_devmem *devmem, devmap_hmm_copy *copies, uint32_t n, uint8_t pattern)
{
	const size_t size = UINT64_C(1) << devmap_hmm_devmem_pagemap(devmem)->page_shift;
	uint32_t i;

	for (i = 0; i < n; i++) {
		memset(&copies[i], 0, sizeof(copies[i]));
		assert_ok(devmap_hmm_devmem_alloc_page(devmem, &copies[i].page));
		assert_ok(posix_memalign(&copies[i].memory, PAGE_BYTES, size));
		memset(copies[i].memory, pattern + (int)i, size);
		copies[i].result = 77;
	}
}

static bool is_filled(const void *memory, size_t size, uint8_t byte)
{
	const uint8_t *bytes = memory;

	return bytes[0] == byte && memcmp(bytes, bytes + 1, size - 1) == 0;
}

static void free_copies(devmap_hmm_copy *copies, uint32_t n)
{
	while (n > 0) {
		devmap_put_page(copies[--n].page);
		free(copies[n].memory);
	}
}

#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC

static void public_memory_is_copied_by_the_library(void **state)
{
	const uint64_t size = 64 * KIB;
	devmap_hmm_resource resource = {.desc = DEVMAP_HMM_IORES_DESC_DEVICE_PUBLIC_MEMORY, .length = 3 * size};
	devmap_hmm_devmem *devmem = NULL;
	devmap_hmm_copy copies[3];
	uint8_t i;

	(void)state;
	assert_ok(posix_memalign(&resource.start, size, resource.length));
	assert_ok(devmap_hmm_devmem_add_resource(&plain_ops, NULL, &resource, size, NULL, &devmem));
	assert_non_null(devmem->ops.copy_to);
	assert_non_null(devmem->ops.copy_from);
	prepare_copies(devmem, copies, 3, 0x30);
	devmem->ops.copy_to(devmem, copies, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(copies[i].result, 0);
		assert_true(is_filled(devmap_page_address(copies[i].page), size, (uint8_t)(0x30 + i)));
		memset(copies[i].memory, 0, size);
		copies[i].result = 77;
	}
	devmem->ops.copy_from(devmem, copies, 3);
	for (i = 0; i < 3; i++) {
		assert_int_equal(copies[i].result, 0);
		assert_true(is_filled(copies[i].memory, size, (uint8_t)(0x30 + i)));
	}
	free_copies(copies, 3);
	assert_ok(devmap_hmm_devmem_remove(devmem, 0, NULL, NULL));
	free(resource.start);
}

#endif

#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE

static void private_memory_without_copies_has_none(void **state)
{
	devmap_hmm_devmem *devmem = NULL;

	(void)state;
	assert_ok(add_private(NULL, PAGE_BYTES, &devmem));
	assert_null(devmem->ops.copy_to);
	assert_null(devmem->ops.copy_from);
	assert_ok(devmap_hmm_devmem_remove(devmem, 0, NULL, NULL));
}

static void pages_of_a_store_are_its_slots(void **state)
{
	const uint64_t size = 8 * KIB;
	devmap_hmm_copy copies[DEVMAP_HMM_COPY_BATCH];
	devmap_hmm_devmem *devmem = NULL;
	struct toy_store toy;
	uint64_t slot;
	uint8_t i;

	(void)state;
	toy_store_init(&toy, size);
	assert_ok(devmap_hmm_devmem_add_store(NULL, &toy.store, &devmem));
	assert_ptr_equal(devmap_hmm_devmem_data(devmem), &toy.store);
	assert_int_equal(devmap_hmm_devmem_pagemap(devmem)->nr_pages, NR_PAGES);
	assert_int_equal(UINT64_C(1) << devmap_hmm_devmem_pagemap(devmem)->page_shift, size);
	assert_int_equal(devmap_hmm_devmem_pagemap(devmem)->type, DEVMAP_MEMORY_DEVICE_PRIVATE);
	assert_ptr_equal(devmem->ops.fault, devmap_hmm_fault_to_ram);

	prepare_copies(devmem, copies, DEVMAP_HMM_COPY_BATCH, 0x40);
	/* One fails, for itself alone, both ways. */
	toy.failing = (int64_t)devmap_page_index(copies[5].page);
	devmem->ops.copy_to(devmem, copies, DEVMAP_HMM_COPY_BATCH);
	for (i = 0; i < DEVMAP_HMM_COPY_BATCH; i++) {
		slot = devmap_page_index(copies[i].page);
		assert_int_equal(copies[i].result, i == 5 ? -EIO : 0);
		assert_int_equal(toy.written[slot], i != 5);
		if (i != 5)
			assert_true(is_filled(toy.slots + slot * size, size, (uint8_t)(0x40 + i)));
		memset(copies[i].memory, 0, size);
	}
	devmem->ops.copy_from(devmem, copies, DEVMAP_HMM_COPY_BATCH);
	for (i = 0; i < DEVMAP_HMM_COPY_BATCH; i++) {
		assert_int_equal(copies[i].result, i == 5 ? -EIO : 0);
		assert_true(is_filled(copies[i].memory, size, i == 5 ? 0 : (uint8_t)(0x40 + i)));
	}

	/* What the slot held is needed until its page is free, and not longer. */
	slot = devmap_page_index(copies[7].page);
	devmap_get_page(copies[7].page);
	devmap_put_page(copies[7].page);
	assert_int_equal(toy.discards[slot], 0);
	free_copies(copies, DEVMAP_HMM_COPY_BATCH);
	for (slot = 0; slot < NR_PAGES; slot++) {
		assert_int_equal(toy.discards[slot], slot < DEVMAP_HMM_COPY_BATCH ? 1 : 0);
		assert_false(toy.written[slot]);
	}
	assert_int_equal(toy.closed, 0);
	assert_ok(devmap_hmm_devmem_remove(devmem, 0, NULL, NULL));
	assert_int_equal(toy.closed, 1);
	free(toy.slots);
}

static void a_store_is_closed_when_its_memory_is_gone(void **state)
{
	devmap_hmm_devmem *devmem = NULL;
	devmap_page *page = NULL;
	struct toy_store toy;

	(void)state;
	toy_store_init(&toy, PAGE_BYTES);
	assert_ok(devmap_hmm_devmem_add_store(NULL, &toy.store, &devmem));
	assert_ok(devmap_hmm_devmem_alloc_page(devmem, &page));
	assert_error(devmap_hmm_devmem_remove(devmem, 0, NULL, NULL), EBUSY);
	assert_int_equal(toy.closed, 0);
	devmap_put_page(page);
	assert_int_equal(toy.discards[0], 1);
	assert_ok(devmap_hmm_devmem_remove(devmem, 0, NULL, NULL));
	assert_int_equal(toy.closed, 1);
	free(toy.slots);
}

static void a_store_that_is_none_is_refused(void **state)
{
	devmap_hmm_devmem *devmem = NULL;
	struct toy_store toy;
	devmap_store_ops ops;
	uint32_t i;

	(void)state;
	toy_store_init(&toy, PAGE_BYTES);
	assert_error(devmap_hmm_devmem_add_store(NULL, NULL, &devmem), EINVAL);
	assert_error(devmap_hmm_devmem_add_store(NULL, &toy.store, NULL), EINVAL);
	toy.store.page_size = 0;
	assert_error(devmap_hmm_devmem_add_store(NULL, &toy.store, &devmem), EINVAL);
	toy.store.page_size = 3 * PAGE_BYTES;
	assert_error(devmap_hmm_devmem_add_store(NULL, &toy.store, &devmem), EINVAL);
	toy.store.page_size = PAGE_BYTES;
	toy.store.nr_slots = 0;
	assert_error(devmap_hmm_devmem_add_store(NULL, &toy.store, &devmem), EINVAL);
	/* As many as wrap to one page. */
	toy.store.nr_slots = UINT64_MAX / PAGE_BYTES + 2;
	assert_error(devmap_hmm_devmem_add_store(NULL, &toy.store, &devmem), EINVAL);
	toy.store.nr_slots = NR_PAGES;
	toy.store.ops = NULL;
	assert_error(devmap_hmm_devmem_add_store(NULL, &toy.store, &devmem), EINVAL);
	toy.store.ops = &ops;
	for (i = 0; i < 4; i++) {
		ops = toy_store_ops;
		ops.write = i == 0 ? NULL : ops.write;
		ops.read = i == 1 ? NULL : ops.read;
		ops.discard = i == 2 ? NULL : ops.discard;
		ops.close = i == 3 ? NULL : ops.close;
		assert_error(devmap_hmm_devmem_add_store(NULL, &toy.store, &devmem), EINVAL);
	}
	assert_null(devmem);
	assert_int_equal(toy.closed, 0);
	free(toy.slots);
}

#endif

#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(the_handler_is_not_called_on_a_thread_that_serves_faults),
#ifdef DEVMAP_CONFIG_HMM
		contract(a_device_without_memory_for_it_is_refused),
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PRIVATE
		contract(adding_private_memory_takes_all_or_nothing),
		contract(adding_a_store_takes_all_or_nothing),
		contract(private_memory_without_copies_has_none),
		contract(pages_of_a_store_are_its_slots),
		contract(a_store_is_closed_when_its_memory_is_gone),
		contract(a_store_that_is_none_is_refused),
#endif
#ifdef DEVMAP_CONFIG_DEVICE_PUBLIC
		contract(adding_public_memory_takes_all_or_nothing),
		contract(public_memory_is_copied_by_the_library),
#endif
	};

	return cmocka_run_group_tests_name("inner_hmm_devmem", tests, NULL, NULL);
}
