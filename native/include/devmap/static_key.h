/* SPDX-License-Identifier: MIT */
/**
 * @file static_key.h
 * Keys: conditions that are read everywhere and change rarely, after the kernel's static keys. A key is one atomic
 * that is both its count and its truth, so the two cannot disagree under any interleaving. (The patch this library
 * follows kept a counter beside the key: a put could decide to disable, a get enable, and the put's disable land
 * last, leaving the key off with a holder present.)
 */
#ifndef DEVMAP_STATIC_KEY_H
#define DEVMAP_STATIC_KEY_H

#include <devmap/base.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A key. Zero-filled it is born false; DEVMAP_DEFINE_STATIC_KEY_TRUE defines one born true, with count 1. */
typedef struct devmap_static_key {
	/** How many hold the key on; true while above 0. */
	DEVMAP_ATOMIC(int32_t) enabled;
} devmap_static_key;

#ifdef __cplusplus
#define DEVMAP_DEFINE_STATIC_KEY_TRUE(name) devmap_static_key name = {{1}}
#define DEVMAP_DEFINE_STATIC_KEY_FALSE(name) devmap_static_key name = {{0}}
#else
#define DEVMAP_DEFINE_STATIC_KEY_TRUE(name) devmap_static_key name = {1}
#define DEVMAP_DEFINE_STATIC_KEY_FALSE(name) devmap_static_key name = {0}
#endif
#define DEVMAP_DECLARE_STATIC_KEY(name) extern devmap_static_key name

/* The inlines below, as the binding generator sees them. */
inline DEVMAP_API int32_t devmap_static_key_count(const devmap_static_key *key);
inline DEVMAP_API bool devmap_static_key_enabled(const devmap_static_key *key);

#ifndef DEVMAP_BINDGEN

/** @return how many hold @p key on. Any thread. */
inline DEVMAP_API int32_t devmap_static_key_count(const devmap_static_key *key)
{
	/*
	 * Relaxed suffices. A reader must see the key on when it reads on behalf of something published after the inc
	 * returned. Then the inc happens before the publication, which happens before this load (the publication is a
	 * release, its reader an acquire), and a load never returns a value older than one that happens before it. Any
	 * newer value counts the same holder, until that holder's own dec.
	 */
	return DEVMAP_STD atomic_load_explicit(&key->enabled, DEVMAP_STD memory_order_relaxed);
}

/** @return whether anyone holds @p key on. Any thread. */
inline DEVMAP_API bool devmap_static_key_enabled(const devmap_static_key *key)
{
	return devmap_static_key_count(key) > 0;
}

/** The key's truth, for a branch that is rarely taken. */
#define devmap_static_branch_unlikely(key) devmap_unlikely(devmap_static_key_enabled(key))
/** The key's truth, for a branch that is mostly taken. */
#define devmap_static_branch_likely(key) devmap_likely(devmap_static_key_enabled(key))

#endif

/** Holds @p key, not NULL, on. Any thread. @return 0, or -EOVERFLOW with the key unchanged at INT32_MAX holders. */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_static_branch_inc(devmap_static_key *key);

/** Ends one hold. Any thread. @return 0, or -EINVAL with the key unchanged when nobody holds it. */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_static_branch_dec(devmap_static_key *key);

/** Turns @p key on with count 1 if it is off, else leaves it. Any thread. @return 0. */
DEVMAP_API int devmap_static_branch_enable(devmap_static_key *key);

/**
 * Turns @p key off if its count is 1, leaves it if it is off. Any thread.
 * @return 0, or -EBUSY with the key unchanged when more than one hold it: enable/disable and inc/dec do not mix.
 */
DEVMAP_API DEVMAP_MUST_CHECK int devmap_static_branch_disable(devmap_static_key *key);

#ifdef __cplusplus
}
#endif

#endif
