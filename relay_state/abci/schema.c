#include "relay_state/abci/schema.h"

/* NOLINTBEGIN(bugprone-macro-parentheses): types and members cannot stand in parentheses. */

/* A member whose type is not the one that the kind stands for does not compile. */
#define TYPED(type, member, is)                                                               \
	(offsetof(struct type, member) +                                                      \
	 0 * sizeof(struct {                                                                  \
		 _Static_assert(_Generic(&((struct type *)0)->member, is * : 1, default : 0), \
				#type "." #member);                                           \
		 char unused;                                                                 \
	 }))
#define SCALAR(kind_, n, type, member, is)                                                  \
	{                                                                                   \
		.kind = ABCI_KIND_##kind_, .number = (n), .offset = TYPED(type, member, is) \
	}
#define U64(n, type, member) SCALAR(U64, n, type, member, uint64_t)
#define I64(n, type, member) SCALAR(I64, n, type, member, int64_t)
#define U32(n, type, member) SCALAR(U32, n, type, member, uint32_t)
#define I32(n, type, member) SCALAR(I32, n, type, member, int32_t)
#define BOOL(n, type, member) SCALAR(BOOL, n, type, member, bool)
#define BYTES(n, type, member) SCALAR(BYTES, n, type, member, struct cs_bytes)
#define TIME(n, type, member) SCALAR(TIME, n, type, member, struct cs_pb_time)
#define DURATION(n, type, member) SCALAR(DURATION, n, type, member, int64_t)
#define BYTES_LIST(n, type, member) SCALAR(BYTES_LIST, n, type, member, struct abci_bytes_list)
#define U32_LIST(n, type, member) SCALAR(U32_LIST, n, type, member, struct abci_u32_list)
#define ENUM(n, type, member, is, last)                                                        \
	{                                                                                      \
		.kind = ABCI_KIND_ENUM, .number = (n), .offset = TYPED(type, member, enum is), \
		.max = (last)                                                                  \
	}
#define MESSAGE(n, type, member, is)                                             \
	{                                                                        \
		.kind = ABCI_KIND_MESSAGE, .number = (n),                        \
		.offset = TYPED(type, member, struct is), .schema = &schema_##is \
	}
#define POINTER(n, type, member, is)                                                     \
	{                                                                                \
		.kind = ABCI_KIND_POINTER, .number = (n),                                \
		.offset = TYPED(type, member, const struct is *), .schema = &schema_##is \
	}
#define LIST(n, type, member, is)                                                              \
	{                                                                                      \
		.kind = ABCI_KIND_MESSAGE_LIST, .number = (n),                                 \
		.offset = TYPED(type, member.items, const struct is *), .schema = &schema_##is \
	}

/* NOLINTEND(bugprone-macro-parentheses) */

#define SCHEMA(type)                                      \
	static const struct abci_schema schema_##type = { \
		.name = #type,                            \
		.size = sizeof(struct type),              \
		.field_count = CS_LEN(fields_##type),     \
		.fields = fields_##type,                  \
	};                                                \
	_Static_assert(CS_LEN(fields_##type) <= ABCI_FIELDS_MAX, #type)

/* ---- parts ---- */

static const struct abci_field fields_abci_public_key[] = {{.kind = ABCI_KIND_KEY}};
SCHEMA(abci_public_key);

static const struct abci_field fields_abci_validator_update[] = {
	MESSAGE(1, abci_validator_update, pub_key, abci_public_key),
	I64(2, abci_validator_update, power),
};
SCHEMA(abci_validator_update);

static const struct abci_field fields_abci_validator[] = {
	BYTES(1, abci_validator, address),
	I64(3, abci_validator, power),
};
SCHEMA(abci_validator);

static const struct abci_field fields_abci_vote[] = {
	MESSAGE(1, abci_vote, validator, abci_validator),
	ENUM(3, abci_vote, block_id_flag, abci_block_id_flag, ABCI_BLOCK_ID_NIL),
};
SCHEMA(abci_vote);

static const struct abci_field fields_abci_commit_info[] = {
	I32(1, abci_commit_info, round),
	LIST(2, abci_commit_info, votes, abci_vote),
};
SCHEMA(abci_commit_info);

static const struct abci_field fields_abci_extended_vote[] = {
	MESSAGE(1, abci_extended_vote, validator, abci_validator),
	BYTES(3, abci_extended_vote, vote_extension),
	BYTES(4, abci_extended_vote, extension_signature),
	ENUM(5, abci_extended_vote, block_id_flag, abci_block_id_flag, ABCI_BLOCK_ID_NIL),
};
SCHEMA(abci_extended_vote);

static const struct abci_field fields_abci_extended_commit_info[] = {
	I32(1, abci_extended_commit_info, round),
	LIST(2, abci_extended_commit_info, votes, abci_extended_vote),
};
SCHEMA(abci_extended_commit_info);

static const struct abci_field fields_abci_misbehavior[] = {
	ENUM(1, abci_misbehavior, type, abci_misbehavior_type, ABCI_LIGHT_CLIENT_ATTACK),
	MESSAGE(2, abci_misbehavior, validator, abci_validator),
	I64(3, abci_misbehavior, height),
	TIME(4, abci_misbehavior, time),
	I64(5, abci_misbehavior, total_voting_power),
};
SCHEMA(abci_misbehavior);

static const struct abci_field fields_abci_block_params[] = {
	I64(1, abci_block_params, max_bytes),
	I64(2, abci_block_params, max_gas),
};
SCHEMA(abci_block_params);

static const struct abci_field fields_abci_evidence_params[] = {
	I64(1, abci_evidence_params, max_age_num_blocks),
	DURATION(2, abci_evidence_params, max_age_duration_ns),
	I64(3, abci_evidence_params, max_bytes),
};
SCHEMA(abci_evidence_params);

static const struct abci_field fields_abci_validator_params[] = {
	BYTES_LIST(1, abci_validator_params, pub_key_types),
};
SCHEMA(abci_validator_params);

static const struct abci_field fields_abci_version_params[] = {
	U64(1, abci_version_params, app),
};
SCHEMA(abci_version_params);

static const struct abci_field fields_abci_abci_params[] = {
	I64(1, abci_abci_params, vote_extensions_enable_height),
};
SCHEMA(abci_abci_params);

static const struct abci_field fields_abci_authority_params[] = {
	BYTES(1, abci_authority_params, authority),
};
SCHEMA(abci_authority_params);

static const struct abci_field fields_abci_consensus_params[] = {
	POINTER(1, abci_consensus_params, block, abci_block_params),
	POINTER(2, abci_consensus_params, evidence, abci_evidence_params),
	POINTER(3, abci_consensus_params, validator, abci_validator_params),
	POINTER(4, abci_consensus_params, version, abci_version_params),
	POINTER(5, abci_consensus_params, abci, abci_abci_params),
	POINTER(6, abci_consensus_params, authority, abci_authority_params),
};
SCHEMA(abci_consensus_params);

static const struct abci_field fields_abci_event_attribute[] = {
	BYTES(1, abci_event_attribute, key),
	BYTES(2, abci_event_attribute, value),
	BOOL(3, abci_event_attribute, index),
};
SCHEMA(abci_event_attribute);

static const struct abci_field fields_abci_event[] = {
	BYTES(1, abci_event, type),
	LIST(2, abci_event, attributes, abci_event_attribute),
};
SCHEMA(abci_event);

static const struct abci_field fields_abci_tx_result[] = {
	U32(1, abci_tx_result, code),
	BYTES(2, abci_tx_result, data),
	BYTES(3, abci_tx_result, log),
	BYTES(4, abci_tx_result, info),
	I64(5, abci_tx_result, gas_wanted),
	I64(6, abci_tx_result, gas_used),
	LIST(7, abci_tx_result, events, abci_event),
	BYTES(8, abci_tx_result, codespace),
};
SCHEMA(abci_tx_result);

static const struct abci_field fields_abci_snapshot[] = {
	U64(1, abci_snapshot, height),     U32(2, abci_snapshot, format),
	U32(3, abci_snapshot, chunks),     BYTES(4, abci_snapshot, hash),
	BYTES(5, abci_snapshot, metadata),
};
SCHEMA(abci_snapshot);

static const struct abci_field fields_abci_proof_op[] = {
	BYTES(1, abci_proof_op, type),
	BYTES(2, abci_proof_op, key),
	BYTES(3, abci_proof_op, data),
};
SCHEMA(abci_proof_op);

static const struct abci_field fields_abci_proof_ops[] = {
	LIST(1, abci_proof_ops, ops, abci_proof_op),
};
SCHEMA(abci_proof_ops);

/* ---- questions ---- */

static const struct abci_schema no_content = {.name = "no content"};

static const struct abci_field fields_abci_echo_request[] = {
	BYTES(1, abci_echo_request, message),
};
SCHEMA(abci_echo_request);

static const struct abci_field fields_abci_info_request[] = {
	BYTES(1, abci_info_request, version),
	U64(2, abci_info_request, block_version),
	U64(3, abci_info_request, p2p_version),
	BYTES(4, abci_info_request, abci_version),
};
SCHEMA(abci_info_request);

static const struct abci_field fields_abci_init_chain_request[] = {
	TIME(1, abci_init_chain_request, time),
	BYTES(2, abci_init_chain_request, chain_id),
	POINTER(3, abci_init_chain_request, consensus_params, abci_consensus_params),
	LIST(4, abci_init_chain_request, validators, abci_validator_update),
	BYTES(5, abci_init_chain_request, app_state_bytes),
	I64(6, abci_init_chain_request, initial_height),
};
SCHEMA(abci_init_chain_request);

static const struct abci_field fields_abci_query_request[] = {
	BYTES(1, abci_query_request, data),
	BYTES(2, abci_query_request, path),
	I64(3, abci_query_request, height),
	BOOL(4, abci_query_request, prove),
};
SCHEMA(abci_query_request);

static const struct abci_field fields_abci_check_tx_request[] = {
	BYTES(1, abci_check_tx_request, tx),
	ENUM(2, abci_check_tx_request, type, abci_check_tx_type, ABCI_CHECK_TX_RECHECK),
};
SCHEMA(abci_check_tx_request);

static const struct abci_field fields_abci_offer_snapshot_request[] = {
	POINTER(1, abci_offer_snapshot_request, snapshot, abci_snapshot),
	BYTES(2, abci_offer_snapshot_request, app_hash),
};
SCHEMA(abci_offer_snapshot_request);

static const struct abci_field fields_abci_load_snapshot_chunk_request[] = {
	U64(1, abci_load_snapshot_chunk_request, height),
	U32(2, abci_load_snapshot_chunk_request, format),
	U32(3, abci_load_snapshot_chunk_request, chunk),
};
SCHEMA(abci_load_snapshot_chunk_request);

static const struct abci_field fields_abci_apply_snapshot_chunk_request[] = {
	U32(1, abci_apply_snapshot_chunk_request, index),
	BYTES(2, abci_apply_snapshot_chunk_request, chunk),
	BYTES(3, abci_apply_snapshot_chunk_request, sender),
};
SCHEMA(abci_apply_snapshot_chunk_request);

static const struct abci_field fields_abci_prepare_proposal_request[] = {
	I64(1, abci_prepare_proposal_request, max_tx_bytes),
	BYTES_LIST(2, abci_prepare_proposal_request, txs),
	MESSAGE(3, abci_prepare_proposal_request, local_last_commit, abci_extended_commit_info),
	LIST(4, abci_prepare_proposal_request, misbehavior, abci_misbehavior),
	I64(5, abci_prepare_proposal_request, height),
	TIME(6, abci_prepare_proposal_request, time),
	BYTES(7, abci_prepare_proposal_request, next_validators_hash),
	BYTES(8, abci_prepare_proposal_request, proposer_address),
};
SCHEMA(abci_prepare_proposal_request);

static const struct abci_field fields_abci_process_proposal_request[] = {
	BYTES_LIST(1, abci_process_proposal_request, txs),
	MESSAGE(2, abci_process_proposal_request, proposed_last_commit, abci_commit_info),
	LIST(3, abci_process_proposal_request, misbehavior, abci_misbehavior),
	BYTES(4, abci_process_proposal_request, hash),
	I64(5, abci_process_proposal_request, height),
	TIME(6, abci_process_proposal_request, time),
	BYTES(7, abci_process_proposal_request, next_validators_hash),
	BYTES(8, abci_process_proposal_request, proposer_address),
};
SCHEMA(abci_process_proposal_request);

static const struct abci_field fields_abci_extend_vote_request[] = {
	BYTES(1, abci_extend_vote_request, hash),
	I64(2, abci_extend_vote_request, height),
	TIME(3, abci_extend_vote_request, time),
	BYTES_LIST(4, abci_extend_vote_request, txs),
	MESSAGE(5, abci_extend_vote_request, proposed_last_commit, abci_commit_info),
	LIST(6, abci_extend_vote_request, misbehavior, abci_misbehavior),
	BYTES(7, abci_extend_vote_request, next_validators_hash),
	BYTES(8, abci_extend_vote_request, proposer_address),
};
SCHEMA(abci_extend_vote_request);

static const struct abci_field fields_abci_verify_vote_extension_request[] = {
	BYTES(1, abci_verify_vote_extension_request, hash),
	BYTES(2, abci_verify_vote_extension_request, validator_address),
	I64(3, abci_verify_vote_extension_request, height),
	BYTES(4, abci_verify_vote_extension_request, vote_extension),
};
SCHEMA(abci_verify_vote_extension_request);

static const struct abci_field fields_abci_finalize_block_request[] = {
	BYTES_LIST(1, abci_finalize_block_request, txs),
	MESSAGE(2, abci_finalize_block_request, decided_last_commit, abci_commit_info),
	LIST(3, abci_finalize_block_request, misbehavior, abci_misbehavior),
	BYTES(4, abci_finalize_block_request, hash),
	I64(5, abci_finalize_block_request, height),
	TIME(6, abci_finalize_block_request, time),
	BYTES(7, abci_finalize_block_request, next_validators_hash),
	BYTES(8, abci_finalize_block_request, proposer_address),
};
SCHEMA(abci_finalize_block_request);

static const struct abci_field fields_abci_insert_tx_request[] = {
	BYTES(1, abci_insert_tx_request, tx),
};
SCHEMA(abci_insert_tx_request);

static const struct abci_field fields_abci_reap_txs_request[] = {
	U64(1, abci_reap_txs_request, max_bytes),
	U64(2, abci_reap_txs_request, max_gas),
};
SCHEMA(abci_reap_txs_request);

/* ---- answers ---- */

static const struct abci_field fields_abci_exception_response[] = {
	BYTES(1, abci_exception_response, error),
};
SCHEMA(abci_exception_response);

static const struct abci_field fields_abci_echo_response[] = {
	BYTES(1, abci_echo_response, message),
};
SCHEMA(abci_echo_response);

static const struct abci_field fields_abci_info_response[] = {
	BYTES(1, abci_info_response, data),
	BYTES(2, abci_info_response, version),
	U64(3, abci_info_response, app_version),
	I64(4, abci_info_response, last_block_height),
	BYTES(5, abci_info_response, last_block_app_hash),
};
SCHEMA(abci_info_response);

static const struct abci_field fields_abci_init_chain_response[] = {
	POINTER(1, abci_init_chain_response, consensus_params, abci_consensus_params),
	LIST(2, abci_init_chain_response, validators, abci_validator_update),
	BYTES(3, abci_init_chain_response, app_hash),
};
SCHEMA(abci_init_chain_response);

static const struct abci_field fields_abci_query_response[] = {
	U32(1, abci_query_response, code),
	BYTES(3, abci_query_response, log),
	BYTES(4, abci_query_response, info),
	I64(5, abci_query_response, index),
	BYTES(6, abci_query_response, key),
	BYTES(7, abci_query_response, value),
	POINTER(8, abci_query_response, proof_ops, abci_proof_ops),
	I64(9, abci_query_response, height),
	BYTES(10, abci_query_response, codespace),
};
SCHEMA(abci_query_response);

static const struct abci_field fields_abci_check_tx_response[] = {
	U32(1, abci_check_tx_response, code),
	BYTES(2, abci_check_tx_response, data),
	BYTES(3, abci_check_tx_response, log),
	BYTES(4, abci_check_tx_response, info),
	I64(5, abci_check_tx_response, gas_wanted),
	I64(6, abci_check_tx_response, gas_used),
	LIST(7, abci_check_tx_response, events, abci_event),
	BYTES(8, abci_check_tx_response, codespace),
};
SCHEMA(abci_check_tx_response);

static const struct abci_field fields_abci_commit_response[] = {
	I64(3, abci_commit_response, retain_height),
};
SCHEMA(abci_commit_response);

static const struct abci_field fields_abci_list_snapshots_response[] = {
	LIST(1, abci_list_snapshots_response, snapshots, abci_snapshot),
};
SCHEMA(abci_list_snapshots_response);

static const struct abci_field fields_abci_offer_snapshot_response[] = {
	ENUM(1, abci_offer_snapshot_response, result, abci_offer_snapshot_result,
	     ABCI_OFFER_REJECT_SENDER),
};
SCHEMA(abci_offer_snapshot_response);

static const struct abci_field fields_abci_load_snapshot_chunk_response[] = {
	BYTES(1, abci_load_snapshot_chunk_response, chunk),
};
SCHEMA(abci_load_snapshot_chunk_response);

static const struct abci_field fields_abci_apply_snapshot_chunk_response[] = {
	ENUM(1, abci_apply_snapshot_chunk_response, result, abci_apply_chunk_result,
	     ABCI_APPLY_REJECT_SNAPSHOT),
	U32_LIST(2, abci_apply_snapshot_chunk_response, refetch_chunks),
	BYTES_LIST(3, abci_apply_snapshot_chunk_response, reject_senders),
};
SCHEMA(abci_apply_snapshot_chunk_response);

static const struct abci_field fields_abci_prepare_proposal_response[] = {
	BYTES_LIST(1, abci_prepare_proposal_response, txs),
};
SCHEMA(abci_prepare_proposal_response);

static const struct abci_field fields_abci_process_proposal_response[] = {
	ENUM(1, abci_process_proposal_response, status, abci_verdict, ABCI_REJECT),
};
SCHEMA(abci_process_proposal_response);

static const struct abci_field fields_abci_extend_vote_response[] = {
	BYTES(1, abci_extend_vote_response, vote_extension),
};
SCHEMA(abci_extend_vote_response);

static const struct abci_field fields_abci_verify_vote_extension_response[] = {
	ENUM(1, abci_verify_vote_extension_response, status, abci_verdict, ABCI_REJECT),
};
SCHEMA(abci_verify_vote_extension_response);

static const struct abci_field fields_abci_finalize_block_response[] = {
	LIST(1, abci_finalize_block_response, events, abci_event),
	LIST(2, abci_finalize_block_response, tx_results, abci_tx_result),
	LIST(3, abci_finalize_block_response, validator_updates, abci_validator_update),
	POINTER(4, abci_finalize_block_response, consensus_param_updates, abci_consensus_params),
	BYTES(5, abci_finalize_block_response, app_hash),
};
SCHEMA(abci_finalize_block_response);

static const struct abci_field fields_abci_insert_tx_response[] = {
	U32(1, abci_insert_tx_response, code),
};
SCHEMA(abci_insert_tx_response);

static const struct abci_field fields_abci_reap_txs_response[] = {
	BYTES_LIST(1, abci_reap_txs_response, txs),
};
SCHEMA(abci_reap_txs_response);

/* ---- methods ---- */

#define schema_abci_flush_request no_content
#define schema_abci_flush_response no_content
#define schema_abci_commit_request no_content
#define schema_abci_list_snapshots_request no_content

static const struct {
	enum abci_method method;
	enum abci_connection connection;
	const char *name;
	const struct abci_schema *request;
	const struct abci_schema *response;
} methods[] = {
	{ABCI_EXCEPTION, ABCI_QUERY_CONNECTION, "exception", NULL, &schema_abci_exception_response},
#define ABCI_METHOD(CODE, name, field, connection)                                          \
	{ABCI_##CODE, ABCI_##connection##_CONNECTION, #name, &schema_abci_##name##_request, \
	 &schema_abci_##name##_response},
#include "relay_state/abci/methods.def"
#undef ABCI_METHOD
};

/* 0 stands for no method. */
static size_t index_of(uint32_t method)
{
	for (size_t i = 1; i < CS_LEN(methods); i++) {
		if ((uint32_t)methods[i].method == method)
			return i;
	}
	return 0;
}

const struct abci_schema *abci_request_schema(uint32_t method)
{
	return methods[index_of(method)].request;
}

const struct abci_schema *abci_response_schema(uint32_t method)
{
	size_t i = index_of(method);
	return i > 0 || method == ABCI_EXCEPTION ? methods[i].response : NULL;
}

const struct abci_schema *abci_validator_update_schema(void)
{
	return &schema_abci_validator_update;
}

const char *abci_method_name(enum abci_method method)
{
	return methods[index_of(method)].name;
}

enum abci_connection abci_method_connection(enum abci_method method)
{
	return methods[index_of(method)].connection;
}

const char *abci_connection_name(enum abci_connection connection)
{
	static const char *const names[] = {"query", "snapshot", "mempool", "consensus"};
	return names[connection];
}
