/* SPDX-License-Identifier: MIT */
#include "internal.h"

#include <unwind.h>

/*
 * The depot of stacks, after the kernel's stackdepot: each is kept once, for good, in memory that never moves. So a reader
 * needs no lock, and a record of 4 bytes names a stack.
 */
#define NR_STACKS (1u << 15)
#define NR_BUCKETS (1u << 12)

struct stack {
	uint64_t hash;
	/* Of the bucket; constant once the stack can be found. */
	uint32_t next;
	uint32_t n;
	const void *frames[DEVMAP_STACK_FRAMES];
};

/* Number 0 names none. */
static struct stack *stacks;
static _Atomic(uint32_t) nr_stacks;
static _Atomic(uint32_t) buckets[NR_BUCKETS];
/* Taken by who adds one. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* This thread's stack: its lowest address, and one past its highest; 1 and 1 where that is not known. */
static _Thread_local uintptr_t stack_start __attribute__((tls_model("initial-exec")));
static _Thread_local uintptr_t stack_end __attribute__((tls_model("initial-exec")));

int stack_init(void)
{
	void *memory;
	int result = 0;

	pthread_mutex_lock(&lock);
	if (!stacks) {
		result = os_reserve((uint64_t)(NR_STACKS + 1) * sizeof(*stacks), os_page_size(), OS_READ_WRITE, &memory);
		if (result == 0)
			stacks = memory;
	}
	pthread_mutex_unlock(&lock);
	return result;
}

void stack_after_fork(void)
{
	pthread_mutex_init(&lock, NULL);
}

uint64_t stack_count(void)
{
	return atomic_load_explicit(&nr_stacks, memory_order_relaxed);
}

/*
 * Follows frame pointers: at each is its caller's, and above that the address to which it returns. Code that was compiled
 * without them has anything in that register, so a frame is only believed where it lies on this thread's stack, above the
 * one before it. What is read is therefore memory, and the walk ends; a wrong frame is possible, and harms nobody. On a stack
 * that the thread was not given, a signal handler's or a coroutine's, there is nothing to hold the frames against, so none is
 * noted. Not for the sanitizers, as it reads words of frames that are no variables.
 */
__attribute__((no_sanitize("address", "thread"))) static uint32_t walk(const void *frame, const void **frames)
{
	uintptr_t at = (uintptr_t)frame;
	uint32_t n = 0;

	if (stack_end == 0 && !os_stack(&stack_start, &stack_end))
		stack_start = stack_end = 1;
	if (at < stack_start)
		return 0;
	while (n < DEVMAP_STACK_FRAMES && at % sizeof(uintptr_t) == 0 && at < stack_end &&
	       stack_end - at >= 2 * sizeof(uintptr_t)) {
		const uintptr_t *words = (const uintptr_t *)at;

		if (words[1] < 4096)
			break;
		frames[n++] = (const void *)words[1];
		if (words[0] <= at)
			break;
		at = words[0];
	}
	return n;
}

struct unwound {
	const void **frames;
	uint32_t n;
	/* Frames of the library's own to leave out: those below the one that is to be the first. */
	uintptr_t above;
};

static _Unwind_Reason_Code unwind_frame(struct _Unwind_Context *context, void *argument)
{
	struct unwound *unwound = argument;
	uintptr_t address = _Unwind_GetIP(context);

	if (!address || unwound->n == DEVMAP_STACK_FRAMES)
		return _URC_END_OF_STACK;
	/* The canonical frame address of a caller lies above its callee's frame. */
	if (_Unwind_GetCFA(context) > unwound->above)
		unwound->frames[unwound->n++] = (const void *)address;
	return _URC_NO_REASON;
}

/* Every other frame into one of two products, so that neither waits for the other. */
static uint64_t hash_of(const void *const *frames, uint32_t n)
{
	const uint64_t factor = UINT64_C(0x9E3779B97F4A7C15);
	uint64_t even = n, odd = factor;

	for (uint32_t i = 0; i + 1 < n; i += 2) {
		even = (even ^ (uintptr_t)frames[i]) * factor;
		odd = (odd ^ (uintptr_t)frames[i + 1]) * factor;
	}
	if (n % 2)
		even = (even ^ (uintptr_t)frames[n - 1]) * factor;
	even ^= odd >> 32 | odd << 32;
	return even ^ even >> 32;
}

static uint32_t find(uint64_t hash, const void *const *frames, uint32_t n)
{
	/* Acquire, with the release of whoever added it: the stack is there, and those it goes on to. */
	uint32_t number = atomic_load_explicit(&buckets[hash % NR_BUCKETS], memory_order_acquire);

	for (; number; number = stacks[number].next) {
		const struct stack *stack = &stacks[number];

		if (stack->hash == hash && stack->n == n && memcmp(stack->frames, frames, n * sizeof(*frames)) == 0)
			break;
	}
	return number;
}

static uint32_t add(uint64_t hash, const void *const *frames, uint32_t n)
{
	uint32_t number;

	pthread_mutex_lock(&lock);
	number = find(hash, frames, n);
	if (!number && nr_stacks < NR_STACKS) {
		number = nr_stacks + 1;
		stacks[number].hash = hash;
		stacks[number].next = buckets[hash % NR_BUCKETS];
		stacks[number].n = n;
		memcpy(stacks[number].frames, frames, n * sizeof(*frames));
		atomic_store_explicit(&buckets[hash % NR_BUCKETS], number, memory_order_release);
		/* Release: a reader that goes by the number finds the stack. */
		atomic_store_explicit(&nr_stacks, number, memory_order_release);
	}
	pthread_mutex_unlock(&lock);
	return number;
}

uint32_t stack_note(const void *frame, bool unwind)
{
	const void *frames[DEVMAP_STACK_FRAMES];
	struct unwound unwound = {.frames = frames, .above = (uintptr_t)frame};
	uint32_t n, number;
	uint64_t hash;

	if (unwind) {
		(void)_Unwind_Backtrace(unwind_frame, &unwound);
		n = unwound.n;
	} else {
		n = walk(frame, frames);
	}
	if (n == 0)
		return 0;
	hash = hash_of(frames, n);
	number = find(hash, frames, n);
	return devmap_likely(number != 0) ? number : add(hash, frames, n);
}

uint32_t devmap_stack_read(uint32_t number, const void **frames, uint32_t capacity)
{
	const struct stack *stack;
	uint32_t n;

	if (number == 0 || number > atomic_load_explicit(&nr_stacks, memory_order_acquire))
		return 0;
	stack = &stacks[number];
	n = stack->n < capacity ? stack->n : capacity;
	if (frames)
		memcpy(frames, stack->frames, n * sizeof(*frames));
	return frames ? n : stack->n;
}

int devmap_symbolize(const void *address, char *text, uint32_t size)
{
	if (!text || size == 0)
		return -EINVAL;
	return os_symbol(address, text, size);
}
