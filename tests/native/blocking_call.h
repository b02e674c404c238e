/* SPDX-License-Identifier: MIT */
/**
 * @file blocking_call.h
 * A library call that is expected to block, on a thread of its own, and a driver whose callback stays until it is told
 * to leave. Nothing here sleeps for a time: a test says what must have happened, and waits for just that.
 */
#ifndef DEVMAP_TESTS_BLOCKING_CALL_H
#define DEVMAP_TESTS_BLOCKING_CALL_H

#include "support.h"

#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <unistd.h>

struct blocking_call {
	int (*run)(void *argument);
	void *argument;
	pthread_t thread;
	atomic_int tid;
	atomic_bool returned;
	int result;
};

static inline void *blocking_call_thread(void *argument)
{
	struct blocking_call *call = argument;

	atomic_store(&call->tid, (int)syscall(SYS_gettid));
	call->result = call->run(call->argument);
	atomic_store(&call->returned, true);
	return NULL;
}

/** Calls run(argument) on a thread of its own. */
static inline void blocking_call_start(struct blocking_call *call, int (*run)(void *argument), void *argument)
{
	memset(call, 0, sizeof(*call));
	call->run = run;
	call->argument = argument;
	assert_ok(pthread_create(&call->thread, NULL, blocking_call_thread, call));
}

static inline bool thread_is_asleep(int tid)
{
	char path[64], text[256];
	const char *state;
	FILE *file;
	size_t length;

	(void)snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	length = fread(text, 1, sizeof(text) - 1, file);
	(void)fclose(file);
	text[length] = '\0';
	state = strrchr(text, ')');
	return state != NULL && strncmp(state, ") S", 3) == 0;
}

/**
 * @return whether the call waits: decided once the kernel says that its thread sleeps, or once the call has returned. A
 * thread that sleeps for another reason makes the answer weaker, never wrong.
 */
static inline bool blocking_call_waits(struct blocking_call *call)
{
	while (!atomic_load(&call->returned)) {
		int tid = atomic_load(&call->tid);

		if (tid != 0 && thread_is_asleep(tid))
			break;
		(void)sched_yield();
	}
	return !atomic_load(&call->returned);
}

/** @return what the call answered, once it has. */
static inline int blocking_call_join(struct blocking_call *call)
{
	assert_ok(pthread_join(call->thread, NULL));
	return call->result;
}

/** A driver whose callback says that it was entered, and returns when it is told to. */
struct staying_driver {
	sem_t entered;
	sem_t leave;
	/** Plain on purpose: the library must order the callback's end before what waits for it. */
	uint32_t left;
};

static inline void staying_driver_init(struct staying_driver *driver)
{
	memset(driver, 0, sizeof(*driver));
	assert_ok(sem_init(&driver->entered, 0, 0));
	assert_ok(sem_init(&driver->leave, 0, 0));
}

static inline void stay(devmap_page *page, void *data)
{
	struct staying_driver *driver = data;

	(void)page;
	(void)sem_post(&driver->entered);
	while (sem_wait(&driver->leave) != 0)
		;
	driver->left++;
}

static inline void await_callback(struct staying_driver *driver)
{
	while (sem_wait(&driver->entered) != 0)
		;
}

static inline void let_callback_leave(struct staying_driver *driver)
{
	(void)sem_post(&driver->leave);
}

static inline int put_page_call(void *page)
{
	devmap_put_page(page);
	return 0;
}

#endif
