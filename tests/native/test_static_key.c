/* SPDX-License-Identifier: MIT */
/* A static key is one atomic that is both its count and its truth. */
#include "support.h"

static DEVMAP_DEFINE_STATIC_KEY_FALSE(born_false);
static DEVMAP_DEFINE_STATIC_KEY_TRUE(born_true);

static void assert_key(const devmap_static_key *key, int32_t count)
{
	assert_int_equal(devmap_static_key_count(key), count);
	assert_int_equal(devmap_static_key_enabled(key), count > 0);
	assert_int_equal(devmap_static_branch_unlikely(key) ? 1 : 0, count > 0);
	assert_int_equal(devmap_static_branch_likely(key) ? 1 : 0, count > 0);
}

static void a_key_is_born_false_or_true(void **state)
{
	const devmap_static_key zero_filled = {0};

	(void)state;
	assert_key(&born_false, 0);
	assert_key(&born_true, 1);
	assert_key(&zero_filled, 0);
}

static void holds_are_counted(void **state)
{
	devmap_static_key key = {0};

	(void)state;
	assert_ok(devmap_static_branch_inc(&key));
	assert_key(&key, 1);
	assert_ok(devmap_static_branch_inc(&key));
	assert_key(&key, 2);
	assert_ok(devmap_static_branch_dec(&key));
	assert_key(&key, 1);
	assert_ok(devmap_static_branch_dec(&key));
	assert_key(&key, 0);
}

static void a_key_born_true_is_turned_off_by_one_dec(void **state)
{
	DEVMAP_DEFINE_STATIC_KEY_TRUE(key);

	(void)state;
	assert_ok(devmap_static_branch_dec(&key));
	assert_key(&key, 0);
}

static void a_dec_that_nobody_holds_is_an_error_and_changes_nothing(void **state)
{
	devmap_static_key key = {0};

	(void)state;
	assert_error(devmap_static_branch_dec(&key), EINVAL);
	assert_key(&key, 0);
	assert_ok(devmap_static_branch_inc(&key));
	assert_key(&key, 1);
}

static void an_inc_beyond_the_most_holders_is_an_error_and_changes_nothing(void **state)
{
	devmap_static_key key = {INT32_MAX - 1};

	(void)state;
	assert_ok(devmap_static_branch_inc(&key));
	assert_key(&key, INT32_MAX);
	assert_error(devmap_static_branch_inc(&key), EOVERFLOW);
	assert_key(&key, INT32_MAX);
	assert_ok(devmap_static_branch_dec(&key));
	assert_key(&key, INT32_MAX - 1);
}

static void enabling_turns_an_off_key_on_once(void **state)
{
	devmap_static_key key = {0};

	(void)state;
	assert_ok(devmap_static_branch_enable(&key));
	assert_key(&key, 1);
	assert_ok(devmap_static_branch_enable(&key));
	assert_key(&key, 1);
}

static void enabling_leaves_a_held_key(void **state)
{
	devmap_static_key key = {7};

	(void)state;
	assert_ok(devmap_static_branch_enable(&key));
	assert_key(&key, 7);
}

static void disabling_turns_a_key_of_one_hold_off_and_leaves_an_off_one(void **state)
{
	devmap_static_key key = {1};

	(void)state;
	assert_ok(devmap_static_branch_disable(&key));
	assert_key(&key, 0);
	assert_ok(devmap_static_branch_disable(&key));
	assert_key(&key, 0);
}

static void disabling_a_key_of_more_holds_is_refused_and_changes_nothing(void **state)
{
	devmap_static_key key = {2};

	(void)state;
	assert_error(devmap_static_branch_disable(&key), EBUSY);
	assert_key(&key, 2);
}

static void hold_and_look(void *shared, uint32_t index, struct rng *rng)
{
	devmap_static_key *key = shared;
	uint32_t rounds;

	(void)index;
	for (rounds = scaled(100000); rounds > 0; rounds--) {
		check(devmap_static_branch_inc(key) == 0);
		perturb(rng);
		check(devmap_static_key_enabled(key));
		check(devmap_static_branch_dec(key) == 0);
	}
}

static void a_key_is_on_for_each_of_many_holders_and_off_after_the_last(void **state)
{
	devmap_static_key key = {0};

	(void)state;
	run_threads(4, hold_and_look, &key);
	assert_key(&key, 0);
}

static void turn_on_and_off(void *shared, uint32_t index, struct rng *rng)
{
	devmap_static_key *key = shared;
	uint32_t rounds;
	int32_t count;

	(void)index;
	for (rounds = scaled(100000); rounds > 0; rounds--) {
		if (rng_below(rng, 2) == 0)
			check(devmap_static_branch_enable(key) == 0);
		else
			check(devmap_static_branch_disable(key) == 0);
		count = devmap_static_key_count(key);
		check(count == 0 || count == 1);
	}
}

static void enabling_and_disabling_from_many_threads_never_counts_beyond_one(void **state)
{
	devmap_static_key key = {0};

	(void)state;
	run_threads(4, turn_on_and_off, &key);
	assert_ok(devmap_static_branch_disable(&key));
	assert_key(&key, 0);
}

struct key_and_balance {
	devmap_static_key key;
	_Atomic(int32_t) balance;
};

static void drop_more_than_is_held(void *shared, uint32_t index, struct rng *rng)
{
	struct key_and_balance *both = shared;
	uint32_t rounds;
	int32_t balance = 0;
	int result;

	(void)index;
	for (rounds = scaled(100000); rounds > 0; rounds--) {
		if (rng_below(rng, 3) == 0) {
			check(devmap_static_branch_inc(&both->key) == 0);
			balance++;
		} else {
			result = devmap_static_branch_dec(&both->key);
			check(result == 0 || result == -EINVAL);
			balance -= result == 0;
		}
		check(devmap_static_key_count(&both->key) >= 0);
	}
	atomic_fetch_add(&both->balance, balance);
}

static void unbalanced_decs_from_many_threads_never_take_a_key_below_zero(void **state)
{
	struct key_and_balance both = {.balance = 0};

	(void)state;
	run_threads(4, drop_more_than_is_held, &both);
	assert_key(&both.key, atomic_load(&both.balance));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		contract(a_key_is_born_false_or_true),
		contract(holds_are_counted),
		contract(a_key_born_true_is_turned_off_by_one_dec),
		contract(a_dec_that_nobody_holds_is_an_error_and_changes_nothing),
		contract(an_inc_beyond_the_most_holders_is_an_error_and_changes_nothing),
		contract(enabling_turns_an_off_key_on_once),
		contract(enabling_leaves_a_held_key),
		contract(disabling_turns_a_key_of_one_hold_off_and_leaves_an_off_one),
		contract(disabling_a_key_of_more_holds_is_refused_and_changes_nothing),
		contract(a_key_is_on_for_each_of_many_holders_and_off_after_the_last),
		contract(enabling_and_disabling_from_many_threads_never_counts_beyond_one),
		contract(unbalanced_decs_from_many_threads_never_take_a_key_below_zero),
	};

	return cmocka_run_group_tests_name("static_key", tests, NULL, NULL);
}
