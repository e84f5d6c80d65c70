/* The questions and answers of ABCI 2.0 as plain structs: what passes between a consensus engine
 * and its application, in one process or over a socket. Holds no code but names; views and lists
 * own nothing.
 *
 * Names, numbers and meaning: CometBFT v0.38 proto/tendermint/abci/types.proto and spec/abci, with
 * insert_tx and reap_txs of v0.39 and authority of v0.40. Text is bytes: gogoproto does not check UTF-8, and CometBFT's
 * kvstore puts whatever a transaction holds into its events. */
#ifndef ABCI_MESSAGES_H
#define ABCI_MESSAGES_H

#include "core/pb.h"

/* Which of the node's four connections carries a call (CometBFT proxy/multi_app_conn.go); they are
 * made in this order. */
enum abci_connection {
	ABCI_QUERY_CONNECTION,
	ABCI_SNAPSHOT_CONNECTION,
	ABCI_MEMPOOL_CONNECTION,
	ABCI_CONSENSUS_CONNECTION,
};
#define ABCI_CONNECTION_COUNT 4u

/* The value is the field in Request. An exception is the one answer that fits every question. */
enum abci_method {
	ABCI_EXCEPTION = 0,
#define ABCI_METHOD(CODE, name, field, connection) ABCI_##CODE = (field),
#include "relay_state/abci/methods.def"
#undef ABCI_METHOD
};

/* "check_tx": static, for logs. */
const char *abci_method_name(enum abci_method method);
enum abci_connection abci_method_connection(enum abci_method method);
/* "query", "snapshot", "mempool", "consensus". */
const char *abci_connection_name(enum abci_connection connection);

/* ---- parts ---- */

struct abci_bytes_list {
	const struct cs_bytes *items;
	size_t count;
};

struct abci_u32_list {
	const uint32_t *items;
	size_t count;
};

/* tendermint.crypto.PublicKey. */
enum abci_key_type {
	ABCI_KEY_NONE = 0,
	ABCI_KEY_ED25519 = 1,
	ABCI_KEY_SECP256K1 = 2,
	ABCI_KEY_BLS12381 = 3, /* this and secp256k1eth since v0.40 */
	ABCI_KEY_MLDSA65 = 4,
	ABCI_KEY_SECP256K1ETH = 5,
};
/* Numbers above are no keys that any release knows. */
#define ABCI_KEY_TYPE_MAX 15u

struct abci_public_key {
	uint32_t type; /* enum abci_key_type, or one that is not known here */
	struct cs_bytes bytes;
};

struct abci_validator_update {
	struct abci_public_key pub_key;
	int64_t power; /* 0 takes the validator out */
};

struct abci_validator_updates {
	const struct abci_validator_update *items;
	size_t count;
};

/* 20 bytes of hash and the power in the set that is meant. */
struct abci_validator {
	struct cs_bytes address;
	int64_t power;
};

enum abci_block_id_flag {
	ABCI_BLOCK_ID_UNKNOWN = 0,
	ABCI_BLOCK_ID_ABSENT = 1,
	ABCI_BLOCK_ID_COMMIT = 2,
	ABCI_BLOCK_ID_NIL = 3,
};

struct abci_vote {
	struct abci_validator validator;
	enum abci_block_id_flag block_id_flag;
};

struct abci_commit_info {
	int32_t round;
	struct {
		const struct abci_vote *items;
		size_t count;
	} votes;
};

struct abci_extended_vote {
	struct abci_validator validator;
	struct cs_bytes vote_extension;
	struct cs_bytes extension_signature;
	enum abci_block_id_flag block_id_flag;
};

struct abci_extended_commit_info {
	int32_t round;
	struct {
		const struct abci_extended_vote *items;
		size_t count;
	} votes;
};

enum abci_misbehavior_type {
	ABCI_MISBEHAVIOR_UNKNOWN = 0,
	ABCI_DUPLICATE_VOTE = 1,
	ABCI_LIGHT_CLIENT_ATTACK = 2,
};

struct abci_misbehavior {
	enum abci_misbehavior_type type;
	struct abci_validator validator;
	int64_t height;
	struct cs_pb_time time;
	int64_t total_voting_power;
};

struct abci_misbehaviors {
	const struct abci_misbehavior *items;
	size_t count;
};

/* tendermint.types.ConsensusParams: NULL is not given, and not changed. */
struct abci_block_params {
	int64_t max_bytes;
	int64_t max_gas;
};

struct abci_evidence_params {
	int64_t max_age_num_blocks;
	int64_t max_age_duration_ns;
	int64_t max_bytes;
};

struct abci_validator_params {
	struct abci_bytes_list pub_key_types;
};

struct abci_version_params {
	uint64_t app;
};

struct abci_abci_params {
	int64_t vote_extensions_enable_height;
};

struct abci_authority_params {
	struct cs_bytes authority;
};

struct abci_consensus_params {
	const struct abci_block_params *block;
	const struct abci_evidence_params *evidence;
	const struct abci_validator_params *validator;
	const struct abci_version_params *version;
	const struct abci_abci_params *abci;
	const struct abci_authority_params *authority; /* since v0.40 */
};

struct abci_event_attribute {
	struct cs_bytes key;
	struct cs_bytes value;
	bool index;
};

struct abci_event {
	struct cs_bytes type;
	struct {
		const struct abci_event_attribute *items;
		size_t count;
	} attributes;
};

struct abci_events {
	const struct abci_event *items;
	size_t count;
};

/* ExecTxResult. Code, data, gas_wanted and gas_used are in the header's last_results_hash, the rest
 * is not. */
struct abci_tx_result {
	uint32_t code; /* 0: done */
	struct cs_bytes data;
	struct cs_bytes log;
	struct cs_bytes info;
	int64_t gas_wanted;
	int64_t gas_used;
	struct abci_events events;
	struct cs_bytes codespace;
};

struct abci_snapshot {
	uint64_t height;
	uint32_t format;
	uint32_t chunks;
	struct cs_bytes hash;
	struct cs_bytes metadata;
};

struct abci_proof_op {
	struct cs_bytes type;
	struct cs_bytes key;
	struct cs_bytes data;
};

struct abci_proof_ops {
	struct {
		const struct abci_proof_op *items;
		size_t count;
	} ops;
};

/* ---- questions; flush, commit and list_snapshots have no content ---- */

struct abci_echo_request {
	struct cs_bytes message;
};

struct abci_info_request {
	struct cs_bytes version;
	uint64_t block_version;
	uint64_t p2p_version;
	struct cs_bytes abci_version;
};

struct abci_init_chain_request {
	struct cs_pb_time time;
	struct cs_bytes chain_id;
	const struct abci_consensus_params *consensus_params;
	struct abci_validator_updates validators;
	struct cs_bytes app_state_bytes;
	int64_t initial_height;
};

struct abci_query_request {
	struct cs_bytes data;
	struct cs_bytes path;
	int64_t height; /* 0: the last committed one */
	bool prove;
};

enum abci_check_tx_type {
	ABCI_CHECK_TX_NEW = 0,
	ABCI_CHECK_TX_RECHECK = 1,
};

struct abci_check_tx_request {
	struct cs_bytes tx;
	enum abci_check_tx_type type;
};

struct abci_offer_snapshot_request {
	const struct abci_snapshot *snapshot;
	struct cs_bytes app_hash;
};

struct abci_load_snapshot_chunk_request {
	uint64_t height;
	uint32_t format;
	uint32_t chunk;
};

struct abci_apply_snapshot_chunk_request {
	uint32_t index;
	struct cs_bytes chunk;
	struct cs_bytes sender;
};

struct abci_prepare_proposal_request {
	int64_t max_tx_bytes; /* of the answer's transactions together */
	struct abci_bytes_list txs;
	struct abci_extended_commit_info local_last_commit;
	struct abci_misbehaviors misbehavior;
	int64_t height;
	struct cs_pb_time time;
	struct cs_bytes next_validators_hash;
	struct cs_bytes proposer_address;
};

struct abci_process_proposal_request {
	struct abci_bytes_list txs;
	struct abci_commit_info proposed_last_commit;
	struct abci_misbehaviors misbehavior;
	struct cs_bytes hash;
	int64_t height;
	struct cs_pb_time time;
	struct cs_bytes next_validators_hash;
	struct cs_bytes proposer_address;
};

struct abci_extend_vote_request {
	struct cs_bytes hash;
	int64_t height;
	struct cs_pb_time time;
	struct abci_bytes_list txs;
	struct abci_commit_info proposed_last_commit;
	struct abci_misbehaviors misbehavior;
	struct cs_bytes next_validators_hash;
	struct cs_bytes proposer_address;
};

struct abci_verify_vote_extension_request {
	struct cs_bytes hash;
	struct cs_bytes validator_address;
	int64_t height;
	struct cs_bytes vote_extension;
};

struct abci_finalize_block_request {
	struct abci_bytes_list txs;
	struct abci_commit_info decided_last_commit;
	struct abci_misbehaviors misbehavior;
	struct cs_bytes hash;
	int64_t height;
	struct cs_pb_time time;
	struct cs_bytes next_validators_hash;
	struct cs_bytes proposer_address;
};

struct abci_insert_tx_request {
	struct cs_bytes tx;
};

struct abci_reap_txs_request {
	uint64_t max_bytes;
	uint64_t max_gas;
};

struct abci_request {
	enum abci_method method; /* never ABCI_EXCEPTION */
	union {
		struct abci_echo_request echo;
		struct abci_info_request info;
		struct abci_init_chain_request init_chain;
		struct abci_query_request query;
		struct abci_check_tx_request check_tx;
		struct abci_offer_snapshot_request offer_snapshot;
		struct abci_load_snapshot_chunk_request load_snapshot_chunk;
		struct abci_apply_snapshot_chunk_request apply_snapshot_chunk;
		struct abci_prepare_proposal_request prepare_proposal;
		struct abci_process_proposal_request process_proposal;
		struct abci_extend_vote_request extend_vote;
		struct abci_verify_vote_extension_request verify_vote_extension;
		struct abci_finalize_block_request finalize_block;
		struct abci_insert_tx_request insert_tx;
		struct abci_reap_txs_request reap_txs;
	};
};

/* ---- answers; flush has no content ---- */

struct abci_exception_response {
	struct cs_bytes error;
};

struct abci_echo_response {
	struct cs_bytes message;
};

struct abci_info_response {
	struct cs_bytes data;
	struct cs_bytes version;
	uint64_t app_version;
	int64_t last_block_height; /* 0: nothing was committed, init_chain is to come */
	struct cs_bytes last_block_app_hash;
};

struct abci_init_chain_response {
	const struct abci_consensus_params *consensus_params;
	struct abci_validator_updates validators; /* none: those of the question */
	struct cs_bytes app_hash;
};

struct abci_query_response {
	uint32_t code;
	struct cs_bytes log;
	struct cs_bytes info;
	int64_t index;
	struct cs_bytes key;
	struct cs_bytes value;
	const struct abci_proof_ops *proof_ops;
	int64_t height;
	struct cs_bytes codespace;
};

struct abci_check_tx_response {
	uint32_t code; /* 0: may go into the mempool */
	struct cs_bytes data;
	struct cs_bytes log;
	struct cs_bytes info;
	int64_t gas_wanted;
	int64_t gas_used;
	struct abci_events events;
	struct cs_bytes codespace;
};

struct abci_commit_response {
	int64_t retain_height; /* blocks below may be forgotten; 0: none */
};

struct abci_list_snapshots_response {
	struct {
		const struct abci_snapshot *items;
		size_t count;
	} snapshots;
};

enum abci_offer_snapshot_result {
	ABCI_OFFER_UNKNOWN = 0,
	ABCI_OFFER_ACCEPT = 1,
	ABCI_OFFER_ABORT = 2,
	ABCI_OFFER_REJECT = 3,
	ABCI_OFFER_REJECT_FORMAT = 4,
	ABCI_OFFER_REJECT_SENDER = 5,
};

struct abci_offer_snapshot_response {
	enum abci_offer_snapshot_result result;
};

struct abci_load_snapshot_chunk_response {
	struct cs_bytes chunk;
};

enum abci_apply_chunk_result {
	ABCI_APPLY_UNKNOWN = 0,
	ABCI_APPLY_ACCEPT = 1,
	ABCI_APPLY_ABORT = 2,
	ABCI_APPLY_RETRY = 3,
	ABCI_APPLY_RETRY_SNAPSHOT = 4,
	ABCI_APPLY_REJECT_SNAPSHOT = 5,
};

struct abci_apply_snapshot_chunk_response {
	enum abci_apply_chunk_result result;
	struct abci_u32_list refetch_chunks;
	struct abci_bytes_list reject_senders;
};

struct abci_prepare_proposal_response {
	struct abci_bytes_list txs;
};

enum abci_verdict {
	ABCI_VERDICT_UNKNOWN = 0,
	ABCI_ACCEPT = 1,
	ABCI_REJECT = 2,
};

struct abci_process_proposal_response {
	enum abci_verdict status;
};

struct abci_extend_vote_response {
	struct cs_bytes vote_extension;
};

struct abci_verify_vote_extension_response {
	enum abci_verdict status;
};

struct abci_finalize_block_response {
	struct abci_events events;
	struct {
		const struct abci_tx_result *items; /* one for each transaction, in order */
		size_t count;
	} tx_results;
	struct abci_validator_updates validator_updates; /* in force at this height + 2 */
	const struct abci_consensus_params *consensus_param_updates;
	struct cs_bytes app_hash; /* of the state after this block: in the next header */
};

struct abci_insert_tx_response {
	uint32_t code;
};

struct abci_reap_txs_response {
	struct abci_bytes_list txs;
};

struct abci_response {
	enum abci_method method; /* that of the question, or ABCI_EXCEPTION */
	union {
		struct abci_exception_response exception;
		struct abci_echo_response echo;
		struct abci_info_response info;
		struct abci_init_chain_response init_chain;
		struct abci_query_response query;
		struct abci_check_tx_response check_tx;
		struct abci_commit_response commit;
		struct abci_list_snapshots_response list_snapshots;
		struct abci_offer_snapshot_response offer_snapshot;
		struct abci_load_snapshot_chunk_response load_snapshot_chunk;
		struct abci_apply_snapshot_chunk_response apply_snapshot_chunk;
		struct abci_prepare_proposal_response prepare_proposal;
		struct abci_process_proposal_response process_proposal;
		struct abci_extend_vote_response extend_vote;
		struct abci_verify_vote_extension_response verify_vote_extension;
		struct abci_finalize_block_response finalize_block;
		struct abci_insert_tx_response insert_tx;
		struct abci_reap_txs_response reap_txs;
	};
};

#endif
