/* SPDX-License-Identifier: MIT */
/* Snapshots, the dump and heat: they tell what there is, whatever comes and goes meanwhile, wherever they are called. */
#include "support.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <unistd.h>

#define MAX_MAPS 2048

/* ---- snapshots -------------------------------------------------------------------------------------------------- */

struct reading {
	devmap_snapshot snapshot;
	devmap_map_info maps[MAX_MAPS];
};

static struct reading *read_all(void)
{
	struct reading *reading = calloc(1, sizeof(*reading));

	assert_non_null(reading);
	assert_ok(devmap_snapshot_read(&reading->snapshot, sizeof(reading->snapshot), reading->maps, MAX_MAPS));
	assert_true(reading->snapshot.nr_maps <= MAX_MAPS);
	return reading;
}

/** @return what a snapshot tells of @map, with an id of 0 where it does not. */
static devmap_map_info info_of(const devmap_pagemap *map)
{
	struct reading *reading = read_all();
	devmap_map_info info = {.id = 0};

	for (uint64_t i = 0; i < reading->snapshot.nr_maps; i++)
		if (reading->maps[i].pgmap == map)
			info = reading->maps[i];
	free(reading);
	return info;
}

static void null_and_sizes_without_the_first_fields_are_refused(void **state)
{
	devmap_snapshot snapshot;
	devmap_map_info info;

	(void)state;
	memset(&snapshot, 0x5a, sizeof(snapshot));
	assert_error(devmap_snapshot_read(NULL, sizeof(snapshot), NULL, 0), EINVAL);
	assert_error(devmap_snapshot_read(&snapshot, sizeof(snapshot), NULL, 1), EINVAL);
	for (uint32_t size = 0; size < 2 * sizeof(uint32_t); size++)
		assert_error(devmap_snapshot_read(&snapshot, size, &info, 1), EINVAL);
	assert_int_equal(snapshot.version, 0x5a5a5a5a);
}

static void a_smaller_struct_gets_the_part_it_knows(void **state)
{
	unsigned char *bytes = malloc(sizeof(devmap_snapshot));
	devmap_snapshot *snapshot = (void *)bytes;

	(void)state;
	assert_non_null(bytes);
	for (uint32_t size = 2 * sizeof(uint32_t); size < sizeof(*snapshot); size += 8) {
		memset(bytes, 0x5a, sizeof(*snapshot));
		assert_ok(devmap_snapshot_read(snapshot, size, NULL, 0));
		assert_int_equal(snapshot->version, DEVMAP_SNAPSHOT_VERSION);
		assert_int_equal(snapshot->size, size);
		for (uint32_t i = size; i < sizeof(*snapshot); i++)
			assert_int_equal(bytes[i], 0x5a);
	}
	free(bytes);
}

static void a_larger_struct_is_told_how_much_was_filled(void **state)
{
	struct {
		devmap_snapshot snapshot;
		uint64_t more[4];
	} reading;

	(void)state;
	memset(&reading, 0x5a, sizeof(reading));
	assert_ok(devmap_snapshot_read(&reading.snapshot, sizeof(reading), NULL, 0));
	assert_int_equal(reading.snapshot.size, sizeof(devmap_snapshot));
	assert_int_equal(reading.more[0], UINT64_C(0x5a5a5a5a5a5a5a5a));
}

static void the_process_and_the_moment_are_told(void **state)
{
	struct reading *first = read_all(), *second = read_all();

	(void)state;
	assert_int_equal(first->snapshot.pid, getpid());
	assert_int_equal(first->snapshot.level, devmap_get_level());
	assert_true(first->snapshot.time_ns > 0 && first->snapshot.time_ns <= second->snapshot.time_ns);
	/* After 2020. */
	assert_true(first->snapshot.realtime_ns > UINT64_C(1577836800000000000));
	assert_int_equal(first->snapshot.stats.version, DEVMAP_STATS_VERSION);
	assert_int_equal(first->snapshot.stats.size, sizeof(devmap_stats));
	free(first);
	free(second);
}

static void a_map_is_told_from_its_creation_to_its_teardown(void **state)
{
	devmap_pagemap *map = create_host_map(7);
	const devmap_map_info info = info_of(map);
	struct reading *reading = read_all();
	const uint64_t nr_maps = reading->snapshot.nr_maps;

	(void)state;
	free(reading);
	assert_true(info.id > 0);
	assert_int_equal(info.start, map->start);
	assert_int_equal(info.length, 7 * PAGE_BYTES);
	assert_int_equal(info.page_size, PAGE_BYTES);
	assert_int_equal(info.nr_pages, 7);
	assert_int_equal(info.pages_in_use, 0);
	assert_int_equal(info.type, DEVMAP_MEMORY_DEVICE_HOST);
	assert_int_equal(info.state, DEVMAP_MAP_LIVE);
	assert_int_equal(info.level, DEVMAP_LEVEL_INHERIT);
	assert_int_equal(info.layout_breaks + info.claimed + info.is_file + info.is_range + info.has_driver, 0);
	assert_int_equal(info.resident + info.on_device, 0);
	assert_int_equal(stats_now().pagemaps.current, nr_maps);
	assert_ok(devmap_memunmap_pages(map, 0, NULL, NULL));
	/* Torn down is what counts, not the handle. */
	assert_int_equal(info_of(map).id, 0);
	assert_ok(devmap_pagemap_free(map));
	reading = read_all();
	assert_int_equal(reading->snapshot.nr_maps, nr_maps - 1);
	free(reading);
}

static void the_pages_in_use_are_exact_when_nobody_is_at_them(void **state)
{
	devmap_pagemap *map = create_host_map(1000);
	devmap_page *page, *other;

	(void)state;
	assert_ok(devmap_pagemap_get_pages(map, 100, 300, &page));
	assert_int_equal(info_of(map).pages_in_use, 300);
	/* Further references are no further pages. */
	assert_ok(devmap_pagemap_get_pages(map, 100, 1, &other));
	assert_int_equal(info_of(map).pages_in_use, 300);
	devmap_put_page(other);
	devmap_put_pages(page, 100);
	assert_int_equal(info_of(map).pages_in_use, 200);
	devmap_put_pages(page + 100, 200);
	assert_int_equal(info_of(map).pages_in_use, 0);
	destroy_map(map);
}

static void there_are_never_more_pages_in_use_than_pages(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	devmap_page *page = take_page(map, 0);
	devmap_pagemap *found = devmap_get_pagemap((void *)map->start, NULL);

	(void)state;
	assert_ptr_equal(found, map);
	assert_int_equal(info_of(map).pages_in_use, 1);
	devmap_put_pagemap(found);
	devmap_put_page(page);
	destroy_map(map);
}

static void a_dying_map_is_told_as_such(void **state)
{
	devmap_pagemap *map = create_host_map(2);
	devmap_page *page = take_page(map, 1);
	const uint64_t id = info_of(map).id;

	(void)state;
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_int_equal(info_of(map).state, DEVMAP_MAP_DYING);
	assert_int_equal(info_of(map).id, id);
	assert_ok(devmap_pagemap_resume(map));
	assert_int_equal(info_of(map).state, DEVMAP_MAP_LIVE);
	devmap_put_page(page);
	destroy_map(map);
}

#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS

static void a_drivers_map_is_told_as_such(void **state)
{
	(void)state;
	for (uint32_t i = 0; i < nr_managed_types; i++) {
		struct counting_driver *driver = counting_driver_new(2);
		devmap_pagemap *map = create_map_of_type(managed_types[i], 2, &counting_ops, driver);

		assert_int_equal(info_of(map).type, managed_types[i]);
		assert_int_equal(info_of(map).has_driver, 1);
		assert_int_equal(info_of(map).claimed, managed_types[i] == DEVMAP_MEMORY_DEVICE_FS_DAX);
		destroy_map(map);
		counting_driver_free(driver);
	}
}

#endif

#ifdef DEVMAP_CONFIG_FS_DAX

static void a_layout_break_is_told_and_is_no_page_in_use(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_page *page = take_page(map, 3);
	devmap_layout_break layout_break;
	int owner;

	(void)state;
	assert_ok(devmap_fs_dax_claim(map, &owner, NULL));
	assert_int_equal(info_of(map).claimed, 1);
	/* A claim without callbacks. */
	assert_int_equal(info_of(map).has_driver, 0);
	assert_ok(devmap_fs_dax_break_layouts(map, &owner, 0, 2, 0, NULL, &layout_break));
	assert_int_equal(info_of(map).layout_breaks, 1);
	assert_int_equal(info_of(map).pages_in_use, 1);
	devmap_fs_dax_end_break(&layout_break);
	assert_int_equal(info_of(map).layout_breaks, 0);
	assert_int_equal(info_of(map).pages_in_use, 1);
	assert_ok(devmap_fs_dax_release(map, &owner));
	assert_int_equal(info_of(map).claimed, 0);
	devmap_put_page(page);
	destroy_map(map);
}

#endif

static void maps_are_told_in_the_order_of_ids_that_nobody_else_had(void **state)
{
	devmap_pagemap *maps[9];
	devmap_map_info few[3];
	devmap_snapshot snapshot;
	struct reading *reading;
	uint64_t highest = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LENGTH(maps); i++)
		maps[i] = create_host_map(1);
	/* Others in the memory of the first ones, so that the order of memory is not that of ids. */
	for (size_t i = 0; i < 4; i++) {
		highest = info_of(maps[8]).id;
		destroy_map(maps[i]);
	}
	for (size_t i = 0; i < 4; i++) {
		maps[i] = create_host_map(1);
		assert_true(info_of(maps[i]).id > highest);
		highest = info_of(maps[i]).id;
	}
	reading = read_all();
	assert_true(reading->snapshot.nr_maps >= ARRAY_LENGTH(maps));
	for (uint64_t i = 1; i < reading->snapshot.nr_maps; i++)
		assert_true(reading->maps[i - 1].id < reading->maps[i].id);
	for (uint64_t capacity = 0; capacity <= ARRAY_LENGTH(few); capacity++) {
		memset(few, 0, sizeof(few));
		assert_ok(devmap_snapshot_read(&snapshot, sizeof(snapshot), few, capacity));
		assert_int_equal(snapshot.nr_maps, reading->snapshot.nr_maps);
		for (uint64_t i = 0; i < ARRAY_LENGTH(few); i++)
			assert_int_equal(few[i].id, i < capacity ? reading->maps[i].id : 0);
	}
	free(reading);
	for (size_t i = 0; i < ARRAY_LENGTH(maps); i++)
		destroy_map(maps[i]);
}

/* ---- the dump --------------------------------------------------------------------------------------------------- */

static const char *const line_heads[] = {
	"devmap ", "gate ", "gate_change ", "counter ", "gauge ", "histogram ", "map ", "migration ", "reference "};

/** A map whose pages are 4 KiB has an odd number of them here, and one whose pages are 8 KiB an even one. */
static bool is_one_map(uint64_t length, uint64_t page_size, uint64_t nr_pages, uint64_t in_use)
{
	return (page_size == 4096 || page_size == 8192) && length == nr_pages * page_size &&
	       (nr_pages & 1) == (page_size == 4096) && in_use <= nr_pages;
}

static bool is_map_line(const char *line)
{
	unsigned long long id, handle, start, length, page_size, nr_pages, in_use;
	int end = 0;

	return sscanf(line,
		       "map id=%llu handle=%llx start=%llx length=%llu page_size=%llu nr_pages=%llu pages_in_use=%llu%n",
		       &id, &handle, &start, &length, &page_size, &nr_pages, &in_use, &end) == 7 &&
	       id > 0 && is_one_map(length, page_size, nr_pages, in_use) &&
	       strncmp(line + end, " type=host state=", 17) == 0;
}

/** Checks each line of @text, and counts those that begin with @head. */
static uint64_t check_lines(char *text, const char *head)
{
	uint64_t n = 0;

	for (char *line = text, *end; *line; line = end + 1) {
		bool known = false;

		end = strchr(line, '\n');
		if (!check(end != NULL))
			return n;
		*end = '\0';
		for (size_t i = 0; i < ARRAY_LENGTH(line_heads); i++)
			known = known || strncmp(line, line_heads[i], strlen(line_heads[i])) == 0;
		if (!check(known) || !check(strncmp(line, "map ", 4) != 0 || is_map_line(line)))
			(void)fprintf(stderr, "line: %s\n", line);
		n += strncmp(line, head, strlen(head)) == 0;
		*end = '\n';
	}
	return n;
}

static char *text_of(FILE *file)
{
	long length;
	char *text;

	assert_ok(fseek(file, 0, SEEK_END));
	length = ftell(file);
	assert_true(length >= 0);
	text = malloc((size_t)length + 1);
	assert_non_null(text);
	rewind(file);
	assert_int_equal(fread(text, 1, (size_t)length, file), length);
	text[length] = '\0';
	return text;
}

static char *dump_text(void)
{
	FILE *file = tmpfile();
	char *text;

	assert_non_null(file);
	assert_ok(devmap_dump(fileno(file)));
	text = text_of(file);
	assert_ok(fclose(file));
	return text;
}

static void assert_has_line(const char *text, const char *line)
{
	const char *found = strstr(text, line);

	if (found == NULL)
		print_error("no line: %s", line);
	assert_non_null(found);
	assert_true(found == text || found[-1] == '\n');
}

static void a_dump_tells_what_the_snapshot_does(void **state)
{
	devmap_pagemap *map = create_host_map(9), *other = create_host_map(3);
	devmap_page *page = take_page(map, 4);
	struct reading *reading = read_all();
	char *text = dump_text(), line[1024];
	uint64_t length;

	(void)state;
	assert_int_equal(check_lines(text, "map "), reading->snapshot.nr_maps);
	assert_int_equal(check_lines(text, "devmap "), 1);
	for (uint64_t i = 0; i < reading->snapshot.nr_maps; i++) {
		const devmap_map_info *info = &reading->maps[i];

		(void)snprintf(line, sizeof(line),
			"map id=%llu handle=0x%llx start=0x%llx length=%llu page_size=%llu nr_pages=%llu pages_in_use=%llu "
			"type=host state=live level=inherit layout_breaks=%u claimed=%u is_file=%u is_range=%u "
			"has_driver=%u resident=%llu on_device=%llu\n",
			(unsigned long long)info->id, (unsigned long long)(uintptr_t)info->pgmap,
			(unsigned long long)info->start, (unsigned long long)info->length,
			(unsigned long long)info->page_size, (unsigned long long)info->nr_pages,
			(unsigned long long)info->pages_in_use, info->layout_breaks, info->claimed, info->is_file,
			info->is_range, info->has_driver, (unsigned long long)info->resident,
			(unsigned long long)info->on_device);
		assert_has_line(text, line);
	}
#define ASSERT_COUNTER(name, meaning)                                             \
	(void)snprintf(line, sizeof(line), "counter " #name "=%llu\n",            \
		(unsigned long long)reading->snapshot.stats.name);                \
	assert_has_line(text, line);
	DEVMAP_STATS_COUNTERS(ASSERT_COUNTER)
#define ASSERT_GAUGE(name, meaning)                                                                            \
	(void)snprintf(line, sizeof(line), "gauge " #name " current=%llu peak=%llu total=%llu\n",              \
		(unsigned long long)reading->snapshot.stats.name.current,                                      \
		(unsigned long long)reading->snapshot.stats.name.peak,                                         \
		(unsigned long long)reading->snapshot.stats.name.total);                                       \
	assert_has_line(text, line);
	DEVMAP_STATS_GAUGES(ASSERT_GAUGE)
	(void)snprintf(line, sizeof(line), "gate holders=%d user_holders=%d changes=%llu\n",
		reading->snapshot.gate_holders, reading->snapshot.gate_user_holders,
		(unsigned long long)reading->snapshot.gate_changes);
	assert_has_line(text, line);
	length = reading->snapshot.gate_changes < DEVMAP_GATE_HISTORY ? reading->snapshot.gate_changes : DEVMAP_GATE_HISTORY;
	assert_int_equal(check_lines(text, "gate_change "), length);
	free(text);
	free(reading);
	devmap_put_page(page);
	destroy_map(map);
	destroy_map(other);
}

static void a_dump_names_who_holds_a_page_that_is_followed(void **state)
{
	devmap_pagemap *map = create_host_map(9);
	devmap_page *page;
	devmap_reference reference;
	const void *frames[DEVMAP_STACK_FRAMES];
	uint64_t found = 0;
	char *text, line[256];

	(void)state;
	assert_ok(devmap_set_level(DEVMAP_LEVEL_FULL));
	page = take_page(map, 4);
	assert_ok(devmap_track_read(map, 0, 9, 0, &reference, 1, &found));
	assert_int_equal(found, 1);
	text = dump_text();
	assert_int_equal(check_lines(text, "reference "), 1);
	(void)snprintf(line, sizeof(line), "reference id=%llu map=0x%llx page=4 refs=1 taken_ns=%llu thread=%u thread_name=",
		(unsigned long long)reference.id, (unsigned long long)(uintptr_t)map,
		(unsigned long long)reference.taken_ns, reference.thread);
	assert_has_line(text, line);
	assert_true(devmap_stack_read(reference.stack, frames, DEVMAP_STACK_FRAMES) > 0);
	(void)snprintf(line, sizeof(line), " activated=1 stack=%u 0x%llx", reference.stack,
		(unsigned long long)(uintptr_t)frames[0]);
	assert_non_null(strstr(text, line));
	free(text);
	devmap_put_page(page);
	text = dump_text();
	assert_int_equal(check_lines(text, "reference "), 0);
	free(text);
	assert_ok(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
	destroy_map(map);
}

static void what_cannot_be_written_is_an_error_and_errno_is_kept(void **state)
{
	char filling[4096] = {0};
	int ends[2], full;

	(void)state;
	errno = EXDEV;
	assert_error(devmap_dump(-1), EBADF);
	assert_int_equal(errno, EXDEV);
	full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	assert_true(full >= 0);
	assert_error(devmap_dump(full), ENOSPC);
	assert_ok(close(full));
	assert_ok(pipe2(ends, O_NONBLOCK | O_CLOEXEC));
	while (write(ends[1], filling, sizeof(filling)) > 0)
		;
	assert_error(devmap_dump(ends[1]), EAGAIN);
	assert_ok(close(ends[1]));
	assert_error(devmap_dump(ends[1]), EBADF);
	assert_ok(close(ends[0]));
}

struct pipe_reader {
	int end;
	char *text;
	size_t length;
	size_t capacity;
};

/** Reads little at a time, so that the pipe is full and takes parts of what is written. */
static void *read_slowly(void *argument)
{
	struct pipe_reader *reader = argument;
	ssize_t n;

	while ((n = read(reader->end, reader->text + reader->length,
			reader->capacity - reader->length < 500 ? reader->capacity - reader->length : 500)) > 0)
		reader->length += (size_t)n;
	return NULL;
}

static void a_dump_longer_than_its_pipe_arrives_whole(void **state)
{
	enum { NR_MAPS = 1000 };
	static devmap_pagemap *maps[NR_MAPS];
	struct pipe_reader reader = {.capacity = MIB, .text = calloc(1, MIB)};
	pthread_t thread;
	int ends[2];

	(void)state;
	assert_non_null(reader.text);
	for (size_t i = 0; i < NR_MAPS; i++)
		maps[i] = create_host_map(1);
	assert_ok(pipe(ends));
	reader.end = ends[0];
	assert_ok(pthread_create(&thread, NULL, read_slowly, &reader));
	assert_ok(devmap_dump(ends[1]));
	assert_ok(close(ends[1]));
	assert_ok(pthread_join(thread, NULL));
	assert_ok(close(ends[0]));
	/* More than a pipe takes. */
	assert_true(reader.length > 65536 && reader.length < reader.capacity);
	assert_int_equal(check_lines(reader.text, "map "), stats_now().pagemaps.current);
	free(reader.text);
	for (size_t i = 0; i < NR_MAPS; i++)
		destroy_map(maps[i]);
}

/* ---- while maps come and go ------------------------------------------------------------------------------------- */

static devmap_pagemap *create_some_map(struct rng *rng)
{
	devmap_pagemap_config config = {
		.size = sizeof(config),
		.type = DEVMAP_MEMORY_DEVICE_HOST,
		.backing = DEVMAP_BACKING_RESERVED,
		.page_size = rng_below(rng, 2) ? 4096 : 8192,
	};
	devmap_pagemap *map = NULL;

	config.length = (2 * rng_below(rng, 50) + (config.page_size == 4096 ? 1 : 2)) * config.page_size;
	check(devmap_memremap_pages(&config, &map) == 0);
	return map;
}

/** A map's whole life. */
static void live_once(struct rng *rng)
{
	devmap_pagemap *map = create_some_map(rng);
	devmap_page *page = NULL;

	if (map == NULL)
		return;
	for (uint32_t i = rng_below(rng, 8); i > 0; i--) {
		check(devmap_pagemap_get_pages(map, rng_below(rng, (uint32_t)map->nr_pages), 1, &page) == 0);
		devmap_get_page(page);
		devmap_put_page_refs(page, 2);
	}
	check(devmap_memunmap_pages(map, DEVMAP_WAIT_FOREVER, NULL, NULL) == 0);
	check(devmap_pagemap_free(map) == 0);
}

enum { NR_LIVES = 3 };

struct churn {
	_Atomic(uint32_t) nr_done;
	FILE *file;
};

static void check_snapshot(struct reading *reading)
{
	devmap_snapshot *snapshot = &reading->snapshot;

	check(devmap_snapshot_read(snapshot, sizeof(*snapshot), reading->maps, MAX_MAPS) == 0);
	check(snapshot->nr_maps <= NR_LIVES + 1);
	for (uint64_t i = 0; i < snapshot->nr_maps; i++) {
		const devmap_map_info *info = &reading->maps[i];

		check(i == 0 || reading->maps[i - 1].id < info->id);
		check(is_one_map(info->length, info->page_size, info->nr_pages, info->pages_in_use));
	}
}

static void live_or_look(void *shared, uint32_t index, struct rng *rng)
{
	struct churn *churn = shared;

	if (index < NR_LIVES) {
		for (uint32_t rounds = scaled(3000); rounds > 0; rounds--)
			live_once(rng);
		atomic_fetch_add(&churn->nr_done, 1);
		return;
	}
	struct reading *reading = calloc(1, sizeof(*reading));

	if (!check(reading != NULL))
		return;
	do {
		check_snapshot(reading);
		if (index == NR_LIVES)
			check(devmap_dump(fileno(churn->file)) == 0);
	} while (atomic_load(&churn->nr_done) < NR_LIVES);
	free(reading);
}

static void what_is_told_under_load_is_of_one_map_each(void **state)
{
	devmap_pagemap *map = create_host_map(1);
	struct churn churn = {.file = tmpfile()};
	char *text;

	(void)state;
	assert_non_null(churn.file);
	run_threads(NR_LIVES + 2, live_or_look, &churn);
	text = text_of(churn.file);
	/* The map that was there throughout is in each of them. */
	assert_true(check_lines(text, "map ") >= check_lines(text, "devmap "));
	assert_true(check_lines(text, "devmap ") > 0);
	free(text);
	assert_ok(fclose(churn.file));
	destroy_map(map);
}

/* ---- from a signal handler -------------------------------------------------------------------------------------- */

static int handlers_file;
static sem_t handler_returned;

static void dump_on_signal(int signal)
{
	(void)signal;
	check(devmap_dump(handlers_file) == 0);
	(void)sem_post(&handler_returned);
}

struct interrupted {
	_Atomic(bool) over;
	uint64_t stream;
};

static void *live_until_told(void *argument)
{
	struct interrupted *interrupted = argument;
	struct rng rng = rng_stream(interrupted->stream);

	while (!atomic_load(&interrupted->over))
		live_once(&rng);
	return NULL;
}

static void wait_for_handler(void)
{
	while (sem_wait(&handler_returned) != 0)
		assert_int_equal(errno, EINTR);
}

static void dump_from_handlers_at(int32_t level)
{
	const struct sigaction dumps = {.sa_handler = dump_on_signal, .sa_flags = SA_RESTART};
	struct interrupted interrupted[2] = {{.stream = 1}, {.stream = 2}};
	const uint32_t nr_signals = scaled(400);
	struct sigaction before;
	pthread_t threads[2];
	FILE *file = tmpfile();
	char *text;

	assert_non_null(file);
	assert_ok(devmap_set_level(level));
	handlers_file = fileno(file);
	assert_ok(sem_init(&handler_returned, 0, 0));
	assert_ok(sigaction(SIGUSR1, &dumps, &before));
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++)
		assert_ok(pthread_create(&threads[i], NULL, live_until_told, &interrupted[i]));
	for (uint32_t i = 0; i < nr_signals; i++) {
		assert_ok(pthread_kill(threads[i % ARRAY_LENGTH(threads)], SIGUSR1));
		wait_for_handler();
	}
	for (size_t i = 0; i < ARRAY_LENGTH(threads); i++) {
		atomic_store(&interrupted[i].over, true);
		assert_ok(pthread_join(threads[i], NULL));
	}
	assert_ok(sigaction(SIGUSR1, &before, NULL));
	assert_ok(sem_destroy(&handler_returned));
	text = text_of(file);
	assert_int_equal(check_lines(text, "devmap "), nr_signals);
	assert_int_equal(check_lines(text, "migration "), nr_signals);
	free(text);
	assert_ok(fclose(file));
	assert_ok(devmap_set_level(DEVMAP_LEVEL_COUNTERS));
}

static void a_signal_handler_may_dump_whatever_it_interrupts(void **state)
{
	(void)state;
	dump_from_handlers_at(DEVMAP_LEVEL_COUNTERS);
	dump_from_handlers_at(DEVMAP_LEVEL_FULL);
}

/* ---- heat ------------------------------------------------------------------------------------------------------- */

static void heat_counts_the_pages_in_use_by_cells(void **state)
{
	devmap_pagemap *map = create_host_map(1000);
	devmap_page *first, *second;
	uint32_t cells[12];

	(void)state;
	assert_ok(devmap_pagemap_get_pages(map, 95, 10, &first));
	assert_ok(devmap_pagemap_get_pages(map, 999, 1, &second));
	memset(cells, 0x5a, sizeof(cells));
	assert_ok(devmap_pagemap_heat(map, 0, 100, cells, ARRAY_LENGTH(cells)));
	for (size_t i = 0; i < ARRAY_LENGTH(cells); i++)
		assert_int_equal(cells[i], i == 0 || i == 1 ? 5 : i == 9 ? 1 : 0);
	/* From the middle; a part; one cell for all, however large. */
	assert_ok(devmap_pagemap_heat(map, 100, 3, cells, 2));
	assert_int_equal(cells[0], 3);
	assert_int_equal(cells[1], 2);
	assert_ok(devmap_pagemap_heat(map, 0, UINT64_MAX, cells, 2));
	assert_int_equal(cells[0], 11);
	assert_int_equal(cells[1], 0);
	assert_ok(devmap_pagemap_heat(map, 999, 1, cells, ARRAY_LENGTH(cells)));
	assert_int_equal(cells[0], 1);
	assert_int_equal(cells[1], 0);
	devmap_put_pages(first, 10);
	devmap_put_page(second);
	assert_ok(devmap_pagemap_heat(map, 0, 1000, cells, 1));
	assert_int_equal(cells[0], 0);
	destroy_map(map);
}

static void heat_of_what_is_not_there_is_refused(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	uint32_t cell = 77;

	(void)state;
	assert_error(devmap_pagemap_heat(NULL, 0, 1, &cell, 1), EINVAL);
	assert_error(devmap_pagemap_heat(map, 0, 1, NULL, 1), EINVAL);
	assert_error(devmap_pagemap_heat(map, 0, 0, &cell, 1), EINVAL);
	assert_error(devmap_pagemap_heat(map, 0, 1, &cell, 0), EINVAL);
	assert_error(devmap_pagemap_heat(map, 4, 1, &cell, 1), ERANGE);
	assert_error(devmap_pagemap_heat(map, UINT64_MAX, 1, &cell, 1), ERANGE);
	assert_ok(devmap_memunmap_pages(map, 0, NULL, NULL));
	assert_error(devmap_pagemap_heat(map, 0, 1, &cell, 1), ENODEV);
	assert_int_equal(cell, 77);
	assert_ok(devmap_pagemap_free(map));
}

static void a_map_that_a_teardown_left_dying_has_heat(void **state)
{
	devmap_pagemap *map = create_host_map(4);
	devmap_page *page = take_page(map, 2);
	uint32_t cells[4];

	(void)state;
	assert_error(devmap_memunmap_pages(map, 0, NULL, NULL), EBUSY);
	assert_ok(devmap_pagemap_heat(map, 0, 1, cells, 4));
	assert_int_equal(cells[2], 1);
	devmap_put_page(page);
	destroy_map(map);
}

struct heated {
	_Atomic(devmap_pagemap *) map;
	_Atomic(bool) over;
};

static void look_or_tear_down(void *shared, uint32_t index, struct rng *rng)
{
	struct heated *heated = shared;
	devmap_pagemap *map = atomic_load(&heated->map);
	uint32_t cells[8];

	if (index == 0) {
		perturb(rng);
		check(devmap_memunmap_pages(map, DEVMAP_WAIT_FOREVER, NULL, NULL) == 0);
		atomic_store(&heated->over, true);
		return;
	}
	do {
		int result = devmap_pagemap_heat(map, 0, 64, cells, ARRAY_LENGTH(cells));

		check(result == 0 || result == -EBUSY || result == -ENODEV);
		check(result != 0 || cells[0] + cells[7] == 0);
	} while (!atomic_load(&heated->over));
	check(devmap_pagemap_heat(map, 0, 64, cells, ARRAY_LENGTH(cells)) == -ENODEV);
}

static void heat_may_race_with_the_teardown(void **state)
{
	(void)state;
	for (uint32_t round = 0; round < scaled(200); round++) {
		struct heated heated = {.over = false};
		devmap_page *page;

		atomic_store(&heated.map, create_host_map(512));
		assert_ok(devmap_pagemap_get_pages(heated.map, 0, 512, &page));
		devmap_put_pages(page, 512);
		run_threads(3, look_or_tear_down, &heated);
		assert_ok(devmap_pagemap_free(heated.map));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(null_and_sizes_without_the_first_fields_are_refused),
		contract(a_smaller_struct_gets_the_part_it_knows),
		contract(a_larger_struct_is_told_how_much_was_filled),
		contract(the_process_and_the_moment_are_told),
		contract(a_map_is_told_from_its_creation_to_its_teardown),
		contract(the_pages_in_use_are_exact_when_nobody_is_at_them),
		contract(there_are_never_more_pages_in_use_than_pages),
		contract(a_dying_map_is_told_as_such),
#ifdef DEVMAP_CONFIG_DEV_PAGEMAP_OPS
		contract(a_drivers_map_is_told_as_such),
#endif
#ifdef DEVMAP_CONFIG_FS_DAX
		contract(a_layout_break_is_told_and_is_no_page_in_use),
#endif
		contract(maps_are_told_in_the_order_of_ids_that_nobody_else_had),
		contract(a_dump_tells_what_the_snapshot_does),
		contract(a_dump_names_who_holds_a_page_that_is_followed),
		contract(what_cannot_be_written_is_an_error_and_errno_is_kept),
		contract(a_dump_longer_than_its_pipe_arrives_whole),
		contract(what_is_told_under_load_is_of_one_map_each),
		contract(a_signal_handler_may_dump_whatever_it_interrupts),
		contract(heat_counts_the_pages_in_use_by_cells),
		contract(heat_of_what_is_not_there_is_refused),
		contract(a_map_that_a_teardown_left_dying_has_heat),
		contract(heat_may_race_with_the_teardown),
	};

	return cmocka_run_group_tests_name("capture", tests, NULL, NULL);
}
