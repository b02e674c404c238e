// SPDX-License-Identifier: MIT
/*
 * Random reads of a file's data that are four times as much as the memory for them: through a far range with a resident limit,
 * by leases and by plain pointers, and through mmap(2) of a file. Each way runs in a process of its own, in a memory cgroup
 * of the same limit, one after the other, round by round; what is printed are medians and their ratios.
 *
 *     far_reads FOLDER [RESIDENT_MIB [READS [THREADS [ROUNDS]]]]
 *
 * FOLDER is on the disk to read from. It needs to be root, with cgroup v1's or v2's memory controller.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <devmap/devmap.h>

#define PAGE UINT64_C(4096)
#define MIB (UINT64_C(1) << 20)
/* Times the resident memory. */
#define DATA_FACTOR 4
/* What a process takes besides the data: page tables, the library's own. */
#define ALLOWANCE (48 * MIB)
#define MAX_THREADS 64
#define MAX_ROUNDS 99

static uint64_t resident, data, nr_reads;
static unsigned nr_threads, nr_rounds;
static const char *folder;

#define NEED(condition, what)                                                                                          \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "far_reads: %s: %s\n", what, strerror(errno));                                 \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

/* ---- the memory limit ------------------------------------------------------------------------------------------- */

static bool write_text(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");
	bool good;

	if (!file)
		return false;
	good = fputs(text, file) >= 0;
	return fclose(file) == 0 && good;
}

/* The memory cgroup of this process: its folder and which file has the limit. */
static bool find_cgroup(char *path, size_t length, const char **limit_file)
{
	char line[4096];
	FILE *file = fopen("/proc/self/cgroup", "r");
	bool found = false;

	NEED(file, "/proc/self/cgroup");
	while (fgets(line, sizeof(line), file)) {
		char *where = strstr(line, ":memory:");
		bool v1 = where != NULL;

		line[strcspn(line, "\n")] = 0;
		if (!v1 && (found || strncmp(line, "0::", 3) != 0))
			continue;
		if (v1)
			snprintf(path, length, "/sys/fs/cgroup/memory%.3000s", where + 8);
		else
			snprintf(path, length, "/sys/fs/cgroup%.3000s", line + 3);
		*limit_file = v1 ? "memory.limit_in_bytes" : "memory.max";
		found = true;
		if (v1)
			break;
	}
	fclose(file);
	return found;
}

static char cgroup[4096];

static void make_cgroup(void)
{
	char parent[3072], path[4200], text[32];
	const char *limit_file;

	NEED(find_cgroup(parent, sizeof(parent), &limit_file), "no memory cgroup");
	snprintf(cgroup, sizeof(cgroup), "%s/far_reads-%d", parent, (int)getpid());
	NEED(mkdir(cgroup, 0755) == 0, cgroup);
	snprintf(path, sizeof(path), "%s/%s", cgroup, limit_file);
	snprintf(text, sizeof(text), "%llu", (unsigned long long)(resident + ALLOWANCE));
	if (!write_text(path, text)) {
		int error = errno;

		rmdir(cgroup);
		errno = error;
		NEED(false, path);
	}
}

static void enter_cgroup(void)
{
	char path[4200], text[32];

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	snprintf(text, sizeof(text), "%d", (int)getpid());
	NEED(write_text(path, text), path);
}

/* ---- readers ---------------------------------------------------------------------------------------------------- */

enum way { WAY_LEASE, WAY_POINTER, WAY_MMAP, WAY_MMAP_RANDOM, NR_WAYS };

static const char *const names[NR_WAYS] = {
	[WAY_LEASE] = "far memory, leases",
	[WAY_POINTER] = "far memory, plain pointers",
	[WAY_MMAP] = "mmap",
	[WAY_MMAP_RANDOM] = "mmap, MADV_RANDOM",
};

static devmap_hmm_range *range;
static const char *memory;
static enum way way;

/* Any word of page @index, which has the index in it. */
static void read_page(uint64_t index)
{
	const volatile uint64_t *word = (const volatile uint64_t *)(memory + index * PAGE);
	devmap_page *page = NULL;

	if (way == WAY_LEASE) {
		page = devmap_hmm_range_get_page_fast(range, index, false);
		if (!page)
			NEED((errno = -devmap_hmm_range_get_pages(range, index, 1, false, &page)) == 0, "lease");
	}
	NEED(*word == index + 1, "wrong data");
	if (page)
		devmap_put_page(page);
}

static void *reader(void *seed)
{
	uint64_t random = (uintptr_t)seed;

	for (uint64_t i = 0; i < nr_reads / nr_threads; i++) {
		random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
		read_page((random >> 33) % (data / PAGE));
	}
	return NULL;
}

static double read_all(uint64_t seed)
{
	pthread_t threads[MAX_THREADS];
	struct timespec start, end;

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (unsigned i = 0; i < nr_threads; i++)
		NEED(pthread_create(&threads[i], NULL, reader, (void *)(uintptr_t)(seed + i)) == 0, "thread");
	for (unsigned i = 0; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
}

static void open_range(void)
{
	devmap_hmm_device_config device = {
		.size = sizeof(device), .faults = DEVMAP_HMM_FAULTS_AUTO, .fault_threads = nr_threads < 16 ? nr_threads : 16};
	devmap_hmm_range_config config = {
		.size = sizeof(config), .flags = DEVMAP_HMM_RANGE_KEEP_COPIES, .length = data, .resident_limit = resident};
	devmap_store *store = NULL;
	char path[4200];

	snprintf(path, sizeof(path), "%s/far_reads-%d.store", folder, (int)getpid());
	NEED((errno = -devmap_hmm_device_new(&device, &config.device)) == 0, "device");
	NEED((errno = -devmap_store_file_open(path, DEVMAP_STORE_FILE_UNLINK, data / PAGE, PAGE, &store)) == 0, path);
	NEED((errno = -devmap_hmm_devmem_add_store(config.device, store, &config.devmem)) == 0, "device memory");
	NEED((errno = -devmap_hmm_range_add(&config, &range)) == 0, "range");
	memory = devmap_hmm_range_address(range);
	for (uint64_t i = 0; i < data / PAGE; i++) {
		devmap_page *page = NULL;

		NEED((errno = -devmap_hmm_range_get_pages(range, i, 1, true, &page)) == 0, "lease");
		*(uint64_t *)(uintptr_t)(memory + i * PAGE) = i + 1;
		devmap_put_page(page);
	}
}

static void open_mapping(void)
{
	static char page[4096];
	char path[4200];
	void *mapping;
	int file;

	snprintf(path, sizeof(path), "%s/far_reads-%d.mapped", folder, (int)getpid());
	file = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	NEED(file >= 0, path);
	unlink(path);
	for (uint64_t i = 0; i < data / PAGE; i++) {
		uint64_t word = i + 1;

		memcpy(page, &word, sizeof(word));
		NEED(pwrite(file, page, PAGE, (off_t)(i * PAGE)) == (ssize_t)PAGE, path);
	}
	NEED(fsync(file) == 0, path);
	mapping = mmap(NULL, data, PROT_READ, MAP_SHARED, file, 0);
	NEED(mapping != MAP_FAILED, "mmap");
	if (way == WAY_MMAP_RANDOM)
		NEED(madvise(mapping, data, MADV_RANDOM) == 0, "madvise");
	memory = mapping;
}

/* In a child: microseconds a read. */
static void run(enum way which, int result)
{
	double seconds;

	way = which;
	/* Reading ahead what nobody will read, it is slow enough to be measured by fewer reads. */
	if (way == WAY_MMAP && nr_reads / 20 >= nr_threads)
		nr_reads /= 20;
	enter_cgroup();
	if (way == WAY_LEASE || way == WAY_POINTER)
		open_range();
	else
		open_mapping();
	(void)read_all(1);
	seconds = read_all(1000);
	seconds = seconds * 1e6 / (double)nr_reads;
	NEED(write(result, &seconds, sizeof(seconds)) == sizeof(seconds), "pipe");
	_exit(0);
}

static double measure(enum way which)
{
	double result = -1;
	int ends[2], status;
	pid_t child;

	NEED(pipe(ends) == 0, "pipe");
	child = fork();
	NEED(child >= 0, "fork");
	if (child == 0)
		run(which, ends[1]);
	close(ends[1]);
	if (read(ends[0], &result, sizeof(result)) != sizeof(result))
		result = -1;
	close(ends[0]);
	waitpid(child, &status, 0);
	return status == 0 ? result : -1;
}

/* ---- rounds ----------------------------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static uint64_t number(int argc, char **argv, int i, uint64_t otherwise)
{
	return i < argc ? strtoull(argv[i], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
	static double times[NR_WAYS][MAX_ROUNDS];
	bool failed = false;

	folder = argc > 1 ? argv[1] : NULL;
	resident = number(argc, argv, 2, 256) * MIB;
	data = resident * DATA_FACTOR;
	nr_reads = number(argc, argv, 3, 200000);
	nr_threads = (unsigned)number(argc, argv, 4, 4);
	nr_rounds = (unsigned)number(argc, argv, 5, 5);
	if (!folder || !resident || !nr_threads || nr_threads > MAX_THREADS || nr_reads < nr_threads || !nr_rounds ||
	    nr_rounds > MAX_ROUNDS) {
		fprintf(stderr, "usage: far_reads FOLDER [RESIDENT_MIB [READS [THREADS [ROUNDS]]]]\n");
		return 2;
	}
	make_cgroup();
	for (unsigned round = 0; round < nr_rounds && !failed; round++)
		for (unsigned i = 0; i < NR_WAYS && !failed; i++) {
			times[i][round] = measure((enum way)i);
			failed = times[i][round] < 0;
		}
	rmdir(cgroup);
	if (failed) {
		fprintf(stderr, "far_reads: a run failed; was it out of memory?\n");
		return 1;
	}
	printf("%llu MiB of data, %llu MiB resident, cgroup limit %llu MiB; %llu random reads, %u threads, %u rounds\n",
		(unsigned long long)(data / MIB), (unsigned long long)(resident / MIB),
		(unsigned long long)((resident + ALLOWANCE) / MIB), (unsigned long long)nr_reads, nr_threads, nr_rounds);
	for (unsigned i = 0; i < NR_WAYS; i++)
		qsort(times[i], nr_rounds, sizeof(double), compare);
	for (unsigned i = 0; i < NR_WAYS; i++)
		printf("%-28s median %8.2f us a read (%.2f to %.2f), %.2f of mmap, %.2f of mmap with MADV_RANDOM\n", names[i],
			times[i][nr_rounds / 2], times[i][0], times[i][nr_rounds - 1],
			times[i][nr_rounds / 2] / times[WAY_MMAP][nr_rounds / 2],
			times[i][nr_rounds / 2] / times[WAY_MMAP_RANDOM][nr_rounds / 2]);
	return 0;
}
