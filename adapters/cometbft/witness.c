/*~ Witnesses, as CometBFT's light client has them (light/detector.go): what the watcher reported out of
 * one node the others are asked for too, at the newest height that both have. A node that shows
 * another header there is asked for headers below, by halves, until the lowest one that differs is
 * found. Is that one of the validators that the header below it announced, and signed by more than 2/3
 * of them, then a third of the power signed both: it is kept as a light block, with the newest of that
 * branch, for the enclave to judge. Is it not, the node lies. Which branch is the chain's nobody can
 * say here; the one that was reported first stays. */
#include "adapters/cometbft/inner.h"
#include "host/alloc.h"

#include <stdlib.h>

/* After a lie, and after a conflict that was told: it is told again as long as it is there. */
#define LIE_PAUSE_MS 10000
#define CONFLICT_PAUSE_MS 60000

/* One endpoint's. */
struct look {
	struct comet_witness *witness;
	size_t endpoint;
	bool busy;
	uint64_t compared; /* height at which it said the same */
	uint64_t pause_until_ms;
	/* an examination */
	uint64_t low;                /* all heights from it to lowest's are open */
	struct comet_header *agreed; /* of both, the highest known; NULL: none was seen whole */
	struct comet_header *lowest; /* the other's */
	struct comet_header *newest; /* the other's, with which it began */
};

struct comet_witness {
	struct comet *comet;
	struct look looks[ADAPTER_COMETBFT_ENDPOINTS_MAX];
	struct adapter_header others[ADAPTER_OTHERS_MAX]; /* rlp is malloc'd */
	size_t other_count;
};

static void search(struct look *look);

static void drop(struct look *look)
{
	comet_header_unref(look->agreed);
	comet_header_unref(look->lowest);
	comet_header_unref(look->newest);
	look->agreed = look->lowest = look->newest = NULL;
}

static void end(struct look *look)
{
	drop(look);
	look->busy = false;
}

static void exchange(struct comet_header **place, struct comet_header *header)
{
	comet_header_unref(*place);
	*place = comet_header_ref(header);
}

static void lies(struct look *look, const char *why)
{
	adapter_rpc_lied(look->witness->comet->nodes.rpc, look->endpoint, why);
	look->pause_until_ms = host_now_ms() + LIE_PAUSE_MS;
	end(look);
}

static struct adapter_rpc_options alone(const struct look *look)
{
	return (struct adapter_rpc_options){.pin = look->endpoint, .only_pin = true};
}

/* ---- a conflict ---- */

static void clear_others(struct comet_witness *witness)
{
	for (size_t i = 0; i < witness->other_count; i++)
		free((void *)(uintptr_t)witness->others[i].rlp.p);
	witness->other_count = 0;
}

static void keep_other(struct comet_witness *witness, const struct comet_header *header)
{
	const struct cmt_validator_set *set =
		comet_set_find(&witness->comet->nodes, &header->header.validators_hash.hash);
	struct adapter_header other = header->public;

	if (set != NULL && comet_light_block(&other.rlp, header, set) == CS_OK)
		witness->others[witness->other_count++] = other;
}

static void tell(struct look *look)
{
	struct comet_witness *witness = look->witness;
	struct comet *comet = witness->comet;
	const struct adapter_block_id id = look->lowest->public.id;

	clear_others(witness);
	keep_other(witness, look->lowest);
	if (look->newest != look->lowest)
		keep_other(witness, look->newest);
	look->pause_until_ms = host_now_ms() + CONFLICT_PAUSE_MS;
	adapter_rpc_diverged(comet->nodes.rpc, look->endpoint,
			     "another signed block at a height that was reported");
	if (comet->listener.conflict != NULL)
		comet->listener.conflict(comet->listener.ctx, &id);
	comet_evidence_want(comet->evidence, look->endpoint, look->lowest);
	end(look);
}

/* Without it the lowest block alone is shown. */
static void newest_set_done(void *ctx, enum cs_err err, const char *why)
{
	struct look *look = ctx;

	(void)err;
	(void)why;
	if (look->witness->comet->ending)
		end(look);
	else
		tell(look);
}

static void conflicts(struct look *look)
{
	struct comet *comet = look->witness->comet;
	const struct cs_hash *hash = &look->newest->header.validators_hash.hash;
	struct adapter_rpc_options options = alone(look);

	if (comet_set_find(&comet->nodes, hash) != NULL ||
	    comet_set_fetch(&comet->nodes, &options, look->newest->public.id.height, hash,
			    newest_set_done, look) != CS_OK)
		tell(look);
}

/* ---- judging the lowest header that differs ---- */

static void check_signatures(struct look *look, const struct cmt_validator_set *set)
{
	const struct comet_header *lowest = look->lowest;
	struct cs_why why;

	if (cmt_commit_verify_light(&lowest->commit, set, &look->witness->comet->nodes.chain_id,
				    &lowest->commit.block_id, lowest->header.height, false,
				    &why) == CS_OK)
		conflicts(look);
	else
		lies(look, "a header that its validators did not sign");
}

static void set_done(void *ctx, enum cs_err err, const char *why)
{
	struct look *look = ctx;
	const struct cmt_validator_set *set = comet_set_find(
		&look->witness->comet->nodes, &look->lowest->header.validators_hash.hash);

	(void)why;
	if (err != CS_OK || set == NULL || look->witness->comet->ending)
		end(look);
	else
		check_signatures(look, set);
}

/* Who may sign at the lowest height, by what was reported; NULL: not known. */
static const struct cmt_hash *signers(const struct look *look)
{
	const struct comet_header *ours =
		comet_watch_header(look->witness->comet->watch, look->lowest->public.id.height);

	if (look->agreed != NULL)
		return &look->agreed->header.next_validators_hash;
	return ours == NULL ? NULL : &ours->header.validators_hash;
}

static void judge(struct look *look)
{
	struct comet *comet = look->witness->comet;
	const struct comet_header *lowest = look->lowest;
	const struct cmt_hash *wanted = signers(look);
	struct cs_hash parent;

	if (wanted == NULL) {
		/* Parted below all that is known whole: another chain's, or ours is. */
		adapter_rpc_diverged(comet->nodes.rpc, look->endpoint,
				     "another block than the cursor has at its height");
		look->pause_until_ms = host_now_ms() + LIE_PAUSE_MS;
		end(look);
		return;
	}
	if (comet_watch_hash(comet->watch, lowest->public.id.height - 1, &parent) &&
	    !cs_hash_eq(&parent, &lowest->public.parent)) {
		lies(look, "a header that does not link");
		return;
	}
	if (!cmt_hash_eq(wanted, &lowest->header.validators_hash)) {
		lies(look, "a header that is not of the validators that were announced");
		return;
	}
	const struct cmt_validator_set *set = comet_set_find(&comet->nodes, &wanted->hash);
	if (set != NULL)
		check_signatures(look, set);
	else if (comet_set_fetch(&comet->nodes, ADAPTER_RPC_DEFAULT, lowest->public.id.height,
				 &wanted->hash, set_done, look) != CS_OK)
		end(look);
}

/* ---- looking for it ---- */

static void probed(void *ctx, enum cs_err err, const char *why, struct comet_header *const *headers,
		   size_t count, size_t endpoint)
{
	struct look *look = ctx;
	struct cs_hash known;

	(void)why;
	(void)count;
	(void)endpoint;
	if (err != CS_OK || look->witness->comet->ending ||
	    !comet_watch_hash(look->witness->comet->watch, headers[0]->public.id.height, &known)) {
		end(look);
		return;
	}
	if (cs_hash_eq(&known, &headers[0]->public.id.hash)) {
		exchange(&look->agreed, headers[0]);
		look->low = headers[0]->public.id.height + 1;
	} else {
		exchange(&look->lowest, headers[0]);
	}
	search(look);
}

static void search(struct look *look)
{
	uint64_t height = look->lowest->public.id.height;
	struct adapter_rpc_options options = alone(look);

	if (look->low >= height) {
		judge(look);
		return;
	}
	if (comet_headers_fetch(&look->witness->comet->nodes, &options,
				look->low + (height - look->low) / 2, 1, probed, look) != CS_OK)
		end(look);
}

static void examine(struct look *look, struct comet_header *other)
{
	look->busy = true;
	look->low = comet_watch_low(look->witness->comet->watch);
	look->lowest = comet_header_ref(other);
	look->newest = comet_header_ref(other);
	search(look);
}

void comet_witness_examine(struct comet_witness *witness, size_t endpoint,
			   struct comet_header *other)
{
	cs_assert(endpoint < CS_LEN(witness->looks));
	struct look *look = &witness->looks[endpoint];
	if (!look->busy && host_now_ms() >= look->pause_until_ms)
		examine(look, other);
}

/* ---- comparing ---- */

static void compared(void *ctx, enum cs_err err, const char *why,
		     struct comet_header *const *headers, size_t count, size_t endpoint)
{
	struct look *look = ctx;
	struct cs_hash known;

	(void)why;
	(void)count;
	(void)endpoint;
	look->busy = false;
	if (err != CS_OK || look->witness->comet->ending ||
	    !comet_watch_hash(look->witness->comet->watch, headers[0]->public.id.height, &known))
		return;
	if (cs_hash_eq(&known, &headers[0]->public.id.hash))
		look->compared = headers[0]->public.id.height;
	else
		examine(look, headers[0]);
}

static void compare(struct look *look, uint64_t height)
{
	struct adapter_rpc_options options = alone(look);

	look->busy = comet_headers_fetch(&look->witness->comet->nodes, &options, height, 1,
					 compared, look) == CS_OK;
}

void comet_witness_look(struct comet_witness *witness)
{
	const struct comet *comet = witness->comet;
	const struct comet_header *newest = comet_watch_head(comet->watch);
	uint64_t head = newest == NULL ? 0 : newest->public.id.height;

	for (size_t i = 0; i < adapter_rpc_endpoint_count(comet->nodes.rpc); i++) {
		struct look *look = &witness->looks[i];
		uint64_t theirs = adapter_rpc_endpoint(comet->nodes.rpc, i)->height;
		uint64_t height = theirs < head ? theirs : head;

		if (i == comet_watch_endpoint(comet->watch) || look->busy ||
		    height <= look->compared || height < comet_watch_low(comet->watch) ||
		    host_now_ms() < look->pause_until_ms)
			continue;
		compare(look, height);
	}
}

/* ---- life ---- */

size_t comet_others(struct adapter *adapter, struct adapter_header others[ADAPTER_OTHERS_MAX])
{
	const struct comet_witness *witness = comet_of(adapter)->witness;

	for (size_t i = 0; i < witness->other_count; i++)
		others[i] = witness->others[i];
	return witness->other_count;
}

struct comet_witness *comet_witness_new(struct comet *comet)
{
	struct comet_witness *witness = host_alloc(sizeof(*witness));

	witness->comet = comet;
	for (size_t i = 0; i < CS_LEN(witness->looks); i++) {
		witness->looks[i].witness = witness;
		witness->looks[i].endpoint = i;
	}
	return witness;
}

void comet_witness_free(struct comet_witness *witness)
{
	if (witness == NULL)
		return;
	for (size_t i = 0; i < CS_LEN(witness->looks); i++)
		drop(&witness->looks[i]);
	clear_others(witness);
	free(witness);
}
