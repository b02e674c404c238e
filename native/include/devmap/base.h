/* SPDX-License-Identifier: MIT */
/**
 * @file base.h
 * The words every other header is written in: symbol visibility, atomics in C and C++, branch hints, and the two
 * types that waiting functions share.
 */
#ifndef DEVMAP_BASE_H
#define DEVMAP_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <devmap/config.h>

/*
 * The binding generator reads neither attributes nor atomics nor inline bodies: under DEVMAP_BINDGEN the attributes
 * are empty and an atomic is the plain integer of the same size.
 */
#ifdef DEVMAP_BINDGEN
#define DEVMAP_API
#define DEVMAP_MUST_CHECK
#define DEVMAP_ATOMIC(type) type
#else
#define DEVMAP_API __attribute__((visibility("default")))
#define DEVMAP_MUST_CHECK __attribute__((warn_unused_result))
#ifdef __cplusplus
#include <atomic>
#define DEVMAP_ATOMIC(type) ::std::atomic<type>
#define DEVMAP_STD ::std::
#else
#include <stdatomic.h>
#define DEVMAP_ATOMIC(type) _Atomic(type)
#define DEVMAP_STD
#endif
#endif

#define devmap_likely(x) (__builtin_expect(!!(x), 1) != 0)
#define devmap_unlikely(x) (__builtin_expect(!!(x), 0) != 0)

#ifdef __cplusplus
extern "C" {
#endif

/** Version of this interface: the library's major, minor and patch number. */
#define DEVMAP_VERSION_MAJOR 0
#define DEVMAP_VERSION_MINOR 1
#define DEVMAP_VERSION_PATCH 0

/**
 * Version of the binary interface: struct layouts, enum values and entry points. Raised by every change that a caller
 * compiled against an older header would not survive, or one against this header an older library; a language binding
 * compares it before its first call.
 */
#define DEVMAP_ABI_VERSION 4

/** @return DEVMAP_ABI_VERSION of the library that is loaded. Any thread; never fails. */
DEVMAP_API uint32_t devmap_abi_version(void);

/** @return the version of the library that is loaded, as "major.minor.patch". Static storage; any thread. */
DEVMAP_API const char *devmap_version(void);

/** Parts of the library, as bits of devmap_features(). */
typedef enum devmap_feature {
	DEVMAP_FEATURE_DEV_PAGEMAP_OPS = 1,
	DEVMAP_FEATURE_FS_DAX = 2,
	DEVMAP_FEATURE_DEVICE_PRIVATE = 4,
	DEVMAP_FEATURE_DEVICE_PUBLIC = 8,
} devmap_feature;

/** @return the devmap_feature bits of the library that is loaded (its DEVMAP_CONFIG_ options). Any thread. */
DEVMAP_API uint32_t devmap_features(void);

/** A timeout that never expires. Timeouts are in nanoseconds of CLOCK_MONOTONIC; 0 asks once and does not wait. */
#define DEVMAP_WAIT_FOREVER (-1)

/**
 * Cancels waits. One object may be given to any number of waiting calls; zero-filled it is "not cancelled". The caller
 * owns it and keeps it until every call it was given to has returned.
 */
typedef struct devmap_cancel {
	DEVMAP_ATOMIC(uint32_t) cancelled;
} devmap_cancel;

/**
 * Ends every wait that was given @p cancel, and every later one, with -ECANCELED. A wait whose condition already holds
 * still succeeds. Any thread; not from a signal handler.
 */
DEVMAP_API void devmap_cancel_waits(devmap_cancel *cancel);

#ifdef __cplusplus
}
#endif

#endif
