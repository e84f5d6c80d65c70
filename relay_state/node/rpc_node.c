#include "relay_state/bft/votes.h"
#include "relay_state/node/rpc_methods.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- peers ---- */

/* libs/flowrate of CometBFT: what is not measured here is 0. */
static json_t *json_monitor(const struct node_peer_info *p, uint64_t bytes)
{
	uint64_t ms = host_now_ms() - p->since_ms;
	uint64_t began_ms = host_wall_ms() - ms;
	const struct cs_pb_time began = {(int64_t)(began_ms / 1000),
					 (int32_t)(began_ms % 1000) * 1000000};
	json_t *m =
		json_pack("{sososo}", "Start", cometbft_json_time(began), "Bytes",
			  cometbft_json_number((int64_t)bytes), "Samples", cometbft_json_number(0));
	const struct {
		const char *name;
		int64_t value;
	} rest[] = {{"InstRate", 0},
		    {"CurRate", 0},
		    {"AvgRate", ms > 0 ? (int64_t)(bytes * 1000 / ms) : 0},
		    {"PeakRate", 0},
		    {"BytesRem", 0},
		    {"Duration", (int64_t)ms * 1000000},
		    {"Idle", 0},
		    {"TimeRem", 0}};
	for (size_t i = 0; i < CS_LEN(rest); i++)
		(void)json_object_set_new(m, rest[i].name, cometbft_json_number(rest[i].value));
	(void)json_object_set_new(m, "Progress", json_integer(0));
	(void)json_object_set_new(m, "Active", json_true());
	return m;
}

/* CometBFT's numbers of the channels whose messages these are; what waits is not told apart. */
static json_t *json_channels(void)
{
	static const struct {
		int id;
		int64_t capacity;
	} channels[] = {{0x22, NODE_QUEUE_CONSENSUS_MAX}, {0x30, NODE_QUEUE_TXS_MAX}};
	json_t *list = json_array();
	for (size_t i = 0; i < CS_LEN(channels); i++)
		(void)json_array_append_new(
			list,
			json_pack("{sisosososo}", "ID", channels[i].id, "SendQueueCapacity",
				  cometbft_json_number(channels[i].capacity), "SendQueueSize",
				  cometbft_json_number(0), "Priority", cometbft_json_number(1),
				  "RecentlySent", cometbft_json_number(0)));
	return list;
}

/* HELLO has told that the chain is the same one; of versions, channels and the RPC's address a peer
 * says nothing. */
static json_t *json_peer(const struct node_rpc *rpc, const struct node_peer_info *p)
{
	const struct node_genesis *genesis = node_genesis(rpc->node);
	char id[NODE_ID_SIZE], listen[HOST_ADDRESS_SIZE_MAX + HOST_NAME_SIZE_MAX] = "";
	node_id_text(id, &p->id);
	if (p->dialed != NULL)
		(void)snprintf(listen, sizeof listen, "%s%s",
			       strncmp(p->dialed, "tcp://", 6) == 0 ? "" : "tcp://", p->dialed);
	json_t *info = json_pack(
		"{sosssssosssssss{ssss}}", "protocol_version", rpc_json_protocols(rpc), "id", id,
		"listen_addr", listen, "network",
		cometbft_json_text(cmt_chain_id_bytes(&genesis->chain_id)), "version", "",
		"channels", "", "moniker", p->moniker, "other", "tx_index", "", "rpc_address", "");
	json_t *status =
		json_pack("{sosososo}", "Duration",
			  cometbft_json_number((int64_t)(host_now_ms() - p->since_ms) * 1000000),
			  "SendMonitor", json_monitor(p, p->sent), "RecvMonitor",
			  json_monitor(p, p->received), "Channels", json_channels());
	return json_pack("{sosbsoss}", "node_info", info, "is_outbound", (int)p->is_outbound,
			 "connection_status", status, "remote_ip", p->remote);
}

void rpc_run_net_info(struct rpc_call *call)
{
	const struct node_peers *peers = node_peers_of(call->rpc->node);
	json_t *list = json_array();
	for (uint32_t i = 0; i < BFT_PEERS_MAX; i++) {
		const struct node_peer_info *p = node_peers_info(peers, i);
		if (p != NULL)
			(void)json_array_append_new(list, json_peer(call->rpc, p));
	}
	rpc_result(call,
		   json_pack("{sbs[s]soso}", "listening", 1, "listeners", "Listener(@)", "n_peers",
			     cometbft_json_number(node_peers_count(peers)), "peers", list));
}

/* ---- consensus ---- */

#define FINGERPRINT_SIZE 6u
#define VOTE_TEXT_SIZE 192u

/* The first six bytes, zeros where there are fewer (libs/bytes). */
static void fingerprint(char text[2 * FINGERPRINT_SIZE + 1], struct cs_bytes bytes)
{
	uint8_t head[FINGERPRINT_SIZE] = {0};
	if (bytes.n > 0)
		memcpy(head, bytes.p, bytes.n < sizeof head ? bytes.n : sizeof head);
	cometbft_hex(text, CS_BYTES_OF(head));
}

/* types.Vote.String. */
static json_t *json_vote_text(const struct bft_vote *v)
{
	char text[VOTE_TEXT_SIZE], address[13], hash[13], signature[13], extension[13];
	char time[COMETBFT_TIME_SIZE];
	bool prevote = v->vote.type == CMT_PREVOTE;
	if (!v->have)
		return json_string("nil-Vote");
	fingerprint(address, CS_BYTES_OF(v->vote.validator.b));
	fingerprint(hash, cmt_hash_bytes(&v->vote.block_id.hash));
	fingerprint(signature, cmt_signature_bytes(&v->vote.signature));
	fingerprint(extension, v->vote.extension);
	cometbft_time(time, v->vote.time);
	(void)snprintf(text, sizeof text,
		       "Vote{%" PRId32 ":%s %" PRId64 "/%02" PRId32
		       "/SIGNED_MSG_TYPE_%s(%s) %s %s %s @ %s}",
		       v->vote.index, address, v->vote.height, v->vote.round,
		       prevote ? "PREVOTE" : "PRECOMMIT", prevote ? "Prevote" : "Precommit", hash,
		       signature, extension, time);
	return json_string(text);
}

/* "BA{4:xx_x} 3/4 = 0.75", by power. */
static json_t *json_bits(const struct bft_votes *votes, const struct cmt_validator_set *set)
{
	char bits[BFT_VALIDATORS_MAX + 1] = "", text[VOTE_TEXT_SIZE];
	int64_t power = 0;
	for (size_t i = 0; i < set->count; i++) {
		bool have = votes != NULL && votes->by[0][i].have;
		bits[i] = have ? 'x' : '_';
		bits[i + 1] = 0;
		power += have ? set->list[i].power : 0;
	}
	(void)snprintf(text, sizeof text, "BA{%zu:%s} %" PRId64 "/%" PRId64 " = %.2f", set->count,
		       bits, power, set->power, (double)power / (double)set->power);
	return json_string(text);
}

static void put_votes(json_t *round, const char *const names[2], const struct bft_votes *votes,
		      const struct cmt_validator_set *set)
{
	static const struct bft_vote none;
	json_t *list = json_array();
	for (size_t i = 0; i < set->count; i++)
		(void)json_array_append_new(
			list, json_vote_text(votes != NULL ? &votes->by[0][i] : &none));
	(void)json_object_set_new(round, names[0], list);
	(void)json_object_set_new(round, names[1], json_bits(votes, set));
}

/* Rounds that are not kept any more have no votes. */
static json_t *json_rounds(const struct bft *engine, const struct bft_view *v)
{
	static const char *const prevotes[2] = {"prevotes", "prevotes_bit_array"};
	static const char *const precommits[2] = {"precommits", "precommits_bit_array"};
	const struct cmt_validator_set *set = bft_look_set(engine);
	json_t *list = json_array();
	int32_t first = v->round >= (int32_t)BFT_ROUNDS_KEPT_MAX
				? v->round - (int32_t)BFT_ROUNDS_KEPT_MAX + 1
				: 0;
	for (int32_t r = first; r <= v->round; r++) {
		json_t *round = json_pack("{si}", "round", (int)r);
		put_votes(round, prevotes, bft_look_votes(engine, r, CMT_PREVOTE), set);
		put_votes(round, precommits, bft_look_votes(engine, r, CMT_PRECOMMIT), set);
		(void)json_array_append_new(list, round);
	}
	return list;
}

void rpc_run_consensus_state(struct rpc_call *call)
{
	struct node *node = call->rpc->node;
	struct bft *engine = node_engine(node);
	struct bft_view v = node_view(node);
	struct cmt_block_id proposal;
	size_t at = bft_look_proposer(engine);
	const struct cmt_validator *proposer = &bft_look_set(engine)->list[at];
	char hrs[64];
	memset(&proposal, 0, sizeof proposal);
	(void)bft_look_proposal(engine, &proposal);
	(void)snprintf(hrs, sizeof hrs, "%" PRId64 "/%d/%d", v.height, v.round,
		       rpc_step_number(v.step));
	json_t *state = json_pack(
		"{sssosososososo}", "height/round/step", hrs, "start_time",
		cometbft_json_time(node_state(node)->last_time), "proposal_block_hash",
		cometbft_json_hex(cmt_hash_bytes(&proposal.hash)), "locked_block_hash",
		cometbft_json_hex(cmt_hash_bytes(&v.locked_id.hash)), "valid_block_hash",
		cometbft_json_hex(cmt_hash_bytes(&v.valid_id.hash)), "height_vote_set",
		json_rounds(engine, &v), "proposer",
		json_pack("{sosi}", "address", cometbft_json_hex(CS_BYTES_OF(proposer->address.b)),
			  "index", (int)at));
	rpc_result(call, json_pack("{so}", "round_state", state));
}
