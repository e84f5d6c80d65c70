/*~ What happens where a header does not name the one before it: the fork is looked for downward, and the old branch
 * is withdrawn, or the endpoint is set aside, or all of it waits for an operator. */
#include "adapters/evm/watch_inner.h"

/* Headers that are compared at once when a fork is looked for. */
#define FORK_STEP 16

void evm_watch_release(struct evm_watch *watch)
{
	const struct adapter_listener *listener = &watch->evm->listener;

	if (!watch->is_held)
		return;
	watch->is_held = false;
	watch->accepted = (struct cs_hash){{0}};
	if (listener->held != NULL)
		listener->held(listener->ctx, NULL);
}

static struct adapter_reorg reorg_of(struct evm_watch *watch, const struct evm_fork *fork,
				     bool diverged)
{
	return (struct adapter_reorg){
		.from = fork->from,
		.old_tip = watch->next - 1,
		.old_hash = evm_watch_slot(watch, fork->from)->hash,
		.new_hash = fork->new_hash,
		.beyond_window = fork->beyond,
		.diverged = diverged,
	};
}

static void withdraw(struct evm_watch *watch, const struct evm_fork *fork, bool diverged)
{
	struct evm *evm = watch->evm;
	uint64_t from = fork->from;
	struct adapter_reorg reorg = reorg_of(watch, fork, diverged);

	evm_watch_release(watch);
	for (uint64_t height = from; height < watch->next; height++)
		evm_watch_slot_clear(evm_watch_slot(watch, height));
	watch->next = from;
	evm_submit_saw_reorg(evm->submit);
	evm->counters.reorgs++;
	if (reorg.old_tip - from + 1 > evm->counters.reorg_depth_max)
		evm->counters.reorg_depth_max = reorg.old_tip - from + 1;
	if (evm->listener.reorg != NULL)
		evm->listener.reorg(evm->listener.ctx, &reorg);
	evm_watch_tell_progress(watch);
	watch->again = true;
	evm_watch_finish(watch, CS_OK);
}

/* The endpoint stands alone: the walk goes on with the others, from what was reported. */
static void set_aside(struct evm_watch *watch)
{
	struct evm_header *tip = evm_watch_header(watch, watch->next - 1);

	adapter_rpc_diverged(watch->evm->rpc, watch->endpoint,
			     "a history that the other endpoints do not have");
	evm_watch_release(watch);
	evm_header_unref(watch->head);
	watch->head = tip == NULL ? NULL : evm_header_ref(tip);
	watch->again = true;
	evm_watch_finish(watch, CS_OK);
}

/*~ What is not final was not signed: to follow a fork there costs work and nothing else, and how much a node
 * can ask for has a bound. A deeper fork, or one below everything that is remembered, waits for a person,
 * or for the branch that was reported. Meanwhile nothing is withdrawn and nothing is read, so that nothing
 * is lost. A fork at or below the final block does not wait: the enclave judges it, and freezes. */
static bool is_accepted(const struct evm_watch *watch, const struct evm_fork *fork)
{
	return !cs_hash_is_zero(&watch->accepted) && cs_hash_eq(&watch->accepted, &fork->new_hash);
}

static bool must_wait(const struct evm_watch *watch, const struct evm_fork *fork)
{
	unsigned blocks_max = watch->evm->config.reorg_blocks_max; /* 0: none */

	return blocks_max != 0 && fork->from > watch->final.height && !is_accepted(watch, fork) &&
	       (fork->beyond || watch->next - fork->from > blocks_max);
}

static void hold(struct evm_watch *watch)
{
	const struct adapter_listener *listener = &watch->evm->listener;
	struct adapter_reorg reorg = reorg_of(watch, &watch->fork, false);
	bool is_known = watch->is_held && watch->held.from == reorg.from &&
			cs_hash_eq(&watch->held.new_hash, &reorg.new_hash);

	watch->is_held = true;
	watch->held = watch->fork;
	if (!is_known && listener->held != NULL)
		listener->held(listener->ctx, &reorg);
	evm_watch_finish(watch, CS_OK);
}

enum cs_err evm_watch_accept(struct evm_watch *watch, const struct cs_hash *new_hash)
{
	if (!watch->is_held)
		return CS_ERR_NOT_FOUND;
	if (!cs_hash_eq(&watch->held.new_hash, new_hash))
		return CS_ERR_CONFLICT;
	watch->accepted = *new_hash;
	evm_watch_kick(watch);
	return CS_OK;
}

/* watch->fork, which no majority of the others denies. */
static void follow_or_hold(struct evm_watch *watch, bool diverged)
{
	if (must_wait(watch, &watch->fork))
		hold(watch);
	else
		withdraw(watch, &watch->fork, diverged);
}

static void votes_done(void *ctx, const struct evm_votes *votes)
{
	struct evm_watch *watch = ctx;

	if (watch->evm->ending)
		evm_watch_finish(watch, CS_ERR_CLOSED);
	else if (votes->dissent > votes->agree)
		set_aside(watch);
	else
		follow_or_hold(watch, votes->agree == 0);
}

/* What was reported is not the chain that the enclave follows. */
static bool is_astray(const struct evm_watch *watch)
{
	struct cs_hash reported;

	return !cs_hash_is_zero(&watch->final.hash) &&
	       evm_watch_hash(watch, watch->final.height, &reported) &&
	       !cs_hash_eq(&reported, &watch->final.hash);
}

/*~ A short fork is followed at once, as the endpoint at hand tells it: the enclave believes no block
 * before it is final. One that takes away a final block, or everything that is remembered, or more than the
 * bound, breaks the chain's own promise, or is one node's mistake or lie: the other endpoints decide. */
void evm_watch_forked(struct evm_watch *watch, const struct evm_fork *fork)
{
	struct adapter_block_id id = {.height = fork->from, .hash = fork->new_hash};
	bool deep = (fork->beyond || fork->from <= watch->final.height) && !is_astray(watch);

	bool asks = (deep || must_wait(watch, fork)) && !is_accepted(watch, fork);

	watch->fork = *fork;
	if (!asks || !evm_ask_others(watch->evm, watch->endpoint, &id, votes_done, watch))
		follow_or_hold(watch, deep);
}

static void fork_done(void *ctx, enum cs_err err, const char *why,
		      struct evm_header *const *headers, size_t count, size_t endpoint)
{
	struct evm_watch *watch = ctx;
	struct cs_hash zero = {{0}};

	(void)why;
	(void)endpoint;
	if (err != CS_OK || count == 0) {
		evm_watch_finish(watch, err == CS_OK ? CS_ERR_REORGED : err);
		return;
	}
	uint64_t from = headers[0]->public.id.height;
	for (size_t i = count; i-- > 0;) {
		uint64_t height = from + i;

		if (!cs_hash_eq(&evm_watch_slot(watch, height)->hash, &headers[i]->public.id.hash))
			continue;
		if (height + 1 >= watch->next) {
			evm_watch_finish(watch,
					 CS_ERR_REORGED); /* no fork after all: it was in motion */
			return;
		}
		evm_watch_forked(
			watch, &(struct evm_fork){
				       .from = height + 1,
				       .new_hash = i + 1 < count ? headers[i + 1]->public.id.hash
						   : height == watch->fork_to ? watch->fork_new_hash
									      : zero});
		return;
	}
	if (from == watch->low)
		evm_watch_forked(watch, &(struct evm_fork){from, true, headers[0]->public.id.hash});
	else
		evm_watch_find_fork(watch, from - 1, &headers[0]->public.id.hash);
}

void evm_watch_find_fork(struct evm_watch *watch, uint64_t to, const struct cs_hash *new_hash)
{
	struct adapter_rpc_options options = {.pin = watch->endpoint, .only_pin = true};
	uint64_t from = to - watch->low < FORK_STEP ? watch->low : to - FORK_STEP + 1;

	watch->fork_to = to;
	watch->fork_new_hash = *new_hash;
	enum cs_err err = evm_fetch_headers(watch->evm->rpc, &options, from,
					    (size_t)(to - from + 1), fork_done, watch);
	if (err != CS_OK)
		evm_watch_finish(watch, err);
}
