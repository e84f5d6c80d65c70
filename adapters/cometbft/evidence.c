/*~ Evidence of two branches, for the nodes of the chain (light/detector.go). What a light client saw is made so that a node
 * that never saw the other branch can judge it: the other block with who signed it, the last height on which both agree, and
 * who of that height's validators is guilty. Both ways, because which branch is the chain's nobody can say here: against the
 * other one for the nodes of ours, against ours for the nodes of the other one. A node compares with the commit that its next
 * block carries, so it is made once there is a next block. What does not verify here is told to nobody. */
#include "adapters/cometbft/inner.h"
#include "host/alloc.h"
#include "host/cometbft_values.h"
#include "host/json_values.h"
#include "host/log.h"

#include <stdlib.h>

/* Between two tries to get the parts, and how many there are: a conflict that is still there is told again by then. */
#define PAUSE_MS 5000u
#define TRIES_MAX 12u
/* For decoding one piece, or making two and checking them: the guilty are looked for twice, by lists of validators and their
 * order. */
#define GUILTY_SIZE (2 * sizeof(struct cmt_validator) + sizeof(uint16_t))
#define WORK_SIZE                                                                                \
	(CMT_LIGHT_BLOCK_ARENA_SIZE(CMT_VALIDATORS_MAX) + 3 * CMT_VALIDATORS_MAX * GUILTY_SIZE + \
	 4096u)

struct comet_evidence {
	struct comet *comet;
	size_t endpoint;             /* shows the other branch */
	struct comet_header *other;  /* its lowest block; NULL: nothing is wanted */
	struct comet_header *common; /* the one below, of both */
	struct comet_header *ours;
	bool busy;
	unsigned tries;
	uint64_t after_ms;
	struct cs_hash told; /* the other that was told last */
};

static void set_header(struct comet_header **place, struct comet_header *header)
{
	struct comet_header *taken = comet_header_ref(header);

	comet_header_unref(*place);
	*place = taken;
}

static void drop(struct comet_evidence *evidence)
{
	comet_header_unref(evidence->other);
	comet_header_unref(evidence->common);
	comet_header_unref(evidence->ours);
	evidence->other = evidence->common = evidence->ours = NULL;
	evidence->busy = false;
}

static void put_off(struct comet_evidence *evidence, const char *why)
{
	struct comet *comet = evidence->comet;

	evidence->busy = false;
	evidence->after_ms = host_now_ms() + PAUSE_MS;
	if (comet->ending || ++evidence->tries < TRIES_MAX)
		return;
	log_warn("chain.no_evidence", LOG_TEXT("chain", comet->config.caip2),
		 LOG_U64("height", evidence->other->public.id.height), LOG_TEXT("why", why));
	drop(evidence);
}

/* ---- making ---- */

static struct cmt_light_block light_block(const struct comet_header *header,
					  const struct cmt_validator_set *set)
{
	return (struct cmt_light_block){header->header, header->commit, *set};
}

/* As a node of the trusted branch sees it; bytes are malloc'd. */
static enum cs_err make(struct cs_bytes *bytes, const struct cmt_light_block *conflicting,
			const struct cmt_light_block *trusted, const struct cmt_light_block *common,
			struct cs_arena *arena, struct cs_why *why)
{
	struct cmt_evidence evidence = {.kind = CMT_LIGHT_ATTACK};
	const struct cmt_light_attack *attack = &evidence.light_attack;

	CS_TRY(cmt_light_attack_make(&evidence.light_attack, conflicting, trusted, common, arena));
	const struct cmt_light_block *from =
		attack->common_height == common->header.height ? common : trusted;
	CS_TRY(cmt_evidence_check(&evidence, why));
	CS_TRY(cmt_light_attack_verify(attack, &from->header, &from->validators, &trusted->header,
				       &trusted->commit, arena, why));
	size_t size = cmt_evidence_size_max(&evidence);
	uint8_t *memory = host_alloc(size);
	struct cs_buf buf;
	cs_buf_init(&buf, memory, size);
	cmt_evidence_encode(&buf, &evidence);
	enum cs_err err = cs_buf_end(&buf);
	if (err != CS_OK)
		free(memory);
	else
		*bytes = cs_buf_view(&buf);
	return err;
}

static void tell(struct comet_evidence *evidence, const struct cmt_light_block *other,
		 const struct cmt_light_block *ours, const struct cmt_light_block *common)
{
	const struct adapter_listener *listener = &evidence->comet->listener;
	struct adapter_evidence told = {.other = evidence->other->public.id,
					.ours = evidence->ours->public.id.hash};
	struct cs_why why = {""};
	void *memory = host_alloc(WORK_SIZE);
	struct cs_arena arena;

	cs_arena_init(&arena, memory, WORK_SIZE);
	enum cs_err err = make(&told.against_other, other, ours, common, &arena, &why);
	if (err == CS_OK)
		err = make(&told.against_ours, ours, other, common, &arena, &why);
	if (err == CS_OK) {
		evidence->told = told.other.hash;
		if (listener->evidence != NULL)
			listener->evidence(listener->ctx, &told);
		drop(evidence);
	} else {
		put_off(evidence, why.text[0] != '\0' ? why.text : cs_err_sentence(err));
	}
	free((void *)(uintptr_t)told.against_other.p);
	free((void *)(uintptr_t)told.against_ours.p);
	free(memory);
}

/* ---- the parts ---- */

static void next_set(struct comet_evidence *evidence);

static struct adapter_rpc_options of_endpoint(size_t endpoint)
{
	return (struct adapter_rpc_options){.pin = endpoint, .only_pin = true};
}

static void set_done(void *ctx, enum cs_err err, const char *why)
{
	struct comet_evidence *evidence = ctx;

	if (err != CS_OK || evidence->comet->ending)
		put_off(evidence, why);
	else
		next_set(evidence);
}

/* Of the height below, and of both blocks: those were announced by the one below. */
static void next_set(struct comet_evidence *evidence)
{
	struct comet_nodes *nodes = &evidence->comet->nodes;
	const struct comet_header *of[] = {evidence->common, evidence->ours};
	const struct cmt_validator_set *sets[CS_LEN(of)];

	for (size_t i = 0; i < CS_LEN(of); i++) {
		const struct cs_hash *hash = &of[i]->header.validators_hash.hash;
		const struct adapter_rpc_options options =
			of_endpoint(comet_watch_endpoint(evidence->comet->watch));

		sets[i] = comet_set_find(nodes, hash);
		if (sets[i] != NULL)
			continue;
		if (comet_set_fetch(nodes, &options, of[i]->public.id.height, hash, set_done,
				    evidence) != CS_OK)
			put_off(evidence, "validators cannot be asked for");
		return;
	}
	const struct cmt_light_block common = light_block(evidence->common, sets[0]);
	const struct cmt_light_block ours = light_block(evidence->ours, sets[1]);
	const struct cmt_light_block other = light_block(evidence->other, sets[1]);
	tell(evidence, &other, &ours, &common);
}

/* Where it is gone, what was seen first serves. */
static void other_done(void *ctx, enum cs_err err, const char *why,
		       struct comet_header *const *headers, size_t count, size_t endpoint)
{
	struct comet_evidence *evidence = ctx;

	(void)count;
	(void)endpoint;
	if (evidence->comet->ending) {
		put_off(evidence, why);
		return;
	}
	if (err == CS_OK &&
	    cs_hash_eq(&headers[0]->public.id.hash, &evidence->other->public.id.hash))
		set_header(&evidence->other, headers[0]);
	next_set(evidence);
}

/* One header below that both have as their parent, and validators that it announced. */
static bool parts_here(const struct comet_evidence *evidence, struct comet_header *const *ours)
{
	const struct comet_header *other = evidence->other;
	struct cs_hash known;

	return comet_watch_hash(evidence->comet->watch, other->public.id.height, &known) &&
	       cs_hash_eq(&known, &ours[1]->public.id.hash) &&
	       !cs_hash_eq(&known, &other->public.id.hash) &&
	       cs_hash_eq(&ours[0]->public.id.hash, &other->public.parent) &&
	       cmt_hash_eq(&ours[0]->header.next_validators_hash,
			   &ours[1]->header.validators_hash) &&
	       cmt_hash_eq(&other->header.validators_hash, &ours[1]->header.validators_hash);
}

static void ours_done(void *ctx, enum cs_err err, const char *why,
		      struct comet_header *const *headers, size_t count, size_t endpoint)
{
	struct comet_evidence *evidence = ctx;
	const struct adapter_rpc_options options = of_endpoint(evidence->endpoint);

	(void)endpoint;
	if (err != CS_OK || evidence->comet->ending) {
		put_off(evidence, why);
		return;
	}
	if (count < 2 || !parts_here(evidence, headers)) {
		put_off(evidence,
			"the branches do not part here by the word of the node that is followed");
		return;
	}
	set_header(&evidence->common, headers[0]);
	set_header(&evidence->ours, headers[1]);
	if (comet_headers_fetch(&evidence->comet->nodes, &options,
				evidence->other->public.id.height, 1, other_done,
				evidence) != CS_OK)
		next_set(evidence);
}

void comet_evidence_want(struct comet_evidence *evidence, size_t endpoint,
			 struct comet_header *other)
{
	/* Nobody can judge a first block by the one below it. */
	if (other->public.id.height < 2 || cs_hash_eq(&evidence->told, &other->public.id.hash))
		return;
	if (evidence->other == NULL) {
		evidence->endpoint = endpoint;
		evidence->tries = 0;
		evidence->after_ms = 0;
		set_header(&evidence->other, other);
	}
	comet_evidence_look(evidence);
}

void comet_evidence_look(struct comet_evidence *evidence)
{
	struct comet *comet = evidence->comet;
	const struct comet_header *head = comet_watch_head(comet->watch);
	const struct adapter_rpc_options options = of_endpoint(comet_watch_endpoint(comet->watch));

	if (evidence->other == NULL || evidence->busy || host_now_ms() < evidence->after_ms ||
	    head == NULL || head->public.id.height <= evidence->other->public.id.height)
		return;
	evidence->busy = true;
	if (comet_headers_fetch(&comet->nodes, &options, evidence->other->public.id.height - 1, 2,
				ours_done, evidence) != CS_OK)
		put_off(evidence, "headers cannot be asked for");
}

/* ---- handing it over ---- */

/* *memory is malloc'd, and holds what the views of evidence do not. */
static enum cs_err read(struct cmt_evidence *evidence, void **memory, struct cs_bytes bytes)
{
	struct cs_arena arena;
	struct cs_why why;

	*memory = host_alloc(WORK_SIZE);
	cs_arena_init(&arena, *memory, WORK_SIZE);
	enum cs_err err = cmt_evidence_decode(evidence, bytes, &arena, &why);
	if (err == CS_OK && evidence->kind != CMT_LIGHT_ATTACK)
		err = CS_ERR_UNSUPPORTED;
	if (err != CS_OK)
		free(*memory);
	return err;
}

json_t *adapter_cometbft_evidence_json(struct cs_bytes bytes)
{
	struct cmt_evidence evidence;
	void *memory;

	if (read(&evidence, &memory, bytes) != CS_OK)
		return NULL;
	const struct cmt_light_attack *attack = &evidence.light_attack;
	struct cs_hash hash = cmt_header_hash(&attack->conflicting.header);
	json_t *guilty = json_array();
	for (size_t i = 0; i < attack->byzantine_count; i++)
		(void)json_array_append_new(
			guilty, cometbft_json_hex(CS_BYTES_OF(attack->byzantine[i].address.b)));
	json_t *json =
		json_pack("{s:o,s:o,s:o,s:o}", "against", host_json_hash(&hash), "common_height",
			  host_json_u64((uint64_t)attack->common_height), "validators", guilty,
			  "evidence", cometbft_json_evidence(&evidence));
	free(memory);
	return json;
}

struct hand {
	const struct comet *comet;
	adapter_done_fn *done;
	void *ctx;
};

static void hand_done(void *ctx, const struct adapter_rpc_reply *replies, size_t count)
{
	struct hand *hand = ctx;
	const struct adapter_rpc_reply *reply = &replies[0];
	enum cs_err err = reply->class == ADAPTER_RPC_KNOWN ? CS_OK : reply->err;
	const char *why = err == CS_OK ? "" : reply->why;

	(void)count;
	if (reply->class == ADAPTER_RPC_FINE &&
	    !json_is_string(json_object_get(reply->result, "hash"))) {
		err = CS_ERR_RPC_LIE;
		why = "an answer without the evidence's hash";
	}
	/* A connection that broke is not the adapter's end. */
	if (err == CS_ERR_CLOSED && !hand->comet->ending)
		err = CS_ERR_UNAVAILABLE;
	hand->done(hand->ctx, err, why);
	free(hand);
}

enum cs_err comet_hand_evidence(struct adapter *adapter, size_t endpoint, struct cs_bytes bytes,
				adapter_done_fn *done, void *ctx)
{
	struct comet_nodes *nodes = &comet_of(adapter)->nodes;
	const struct adapter_rpc_options options = of_endpoint(endpoint);
	struct cmt_evidence evidence;
	void *memory;

	if (endpoint >= adapter_rpc_endpoint_count(nodes->rpc))
		return CS_ERR_NOT_FOUND;
	CS_TRY(read(&evidence, &memory, bytes));
	json_t *params = json_pack("{s:o}", "evidence", cometbft_json_evidence(&evidence));
	free(memory);
	struct hand *hand = host_alloc(sizeof(*hand));
	*hand = (struct hand){comet_of(adapter), done, ctx};
	enum cs_err err = adapter_rpc_call(nodes->rpc, &options, "broadcast_evidence", params,
					   hand_done, hand);
	if (err != CS_OK)
		free(hand);
	return err;
}

/* ---- life ---- */

struct comet_evidence *comet_evidence_new(struct comet *comet)
{
	struct comet_evidence *evidence = host_alloc(sizeof(*evidence));

	evidence->comet = comet;
	return evidence;
}

void comet_evidence_free(struct comet_evidence *evidence)
{
	if (evidence == NULL)
		return;
	drop(evidence);
	free(evidence);
}
