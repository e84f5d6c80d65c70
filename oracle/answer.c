#include "oracle/answer.h"

#include "oracle/evidence.h"

#include <string.h>

struct cs_hash oracle_result_leaf(const Caisson__Wire__OracleResult *result)
{
	const struct wire_answer answer = {.request_id = wire_pb_hash(result->request_id),
					   .spec_hash = wire_pb_hash(result->spec_hash),
					   .code = result->code,
					   .observed_at = result->observed_at,
					   .evidence_hash = wire_pb_hash(result->evidence_hash),
					   .value = wire_pb_view(result->value)};
	return wire_leaf_answer(&answer);
}

void oracle_head_take(struct wire_request *request, const Caisson__Wire__OracleHead *head)
{
	struct cs_hash fee = wire_pb_hash(head->fee);
	request->counter = head->counter;
	request->asker = wire_pb_hash(head->asker);
	request->callback = wire_pb_hash(head->callback);
	request->callback_gas = head->callback_gas;
	request->fee = cs_u256_from_word(&fee);
	request->max_age = head->max_age;
	request->time = head->time;
	request->deadline = head->deadline;
}

static enum cs_err fill_sources(struct oracle_answer *out,
				const Caisson__Wire__OracleResult *result)
{
	if (result->n_sources > WIRE_SOURCES_MAX)
		return CS_ERR_INVALID;
	out->source_count = result->n_sources;
	for (size_t i = 0; i < result->n_sources; i++) {
		const Caisson__Wire__OracleSource *row = result->sources[i];
		struct wire_evidence_source *source = &out->sources[i];
		if (row->index > UINT8_MAX || row->cipher > UINT16_MAX)
			return CS_ERR_INVALID;
		*source =
			(struct wire_evidence_source){.index = (uint8_t)row->index,
						      .code = row->code,
						      .host_port = cs_bytes_str(row->host_port),
						      .leaf_spki = wire_pb_hash(row->leaf_spki),
						      .issuer_spki = wire_pb_hash(row->issuer_spki),
						      .cipher = (uint16_t)row->cipher,
						      .response = wire_pb_hash(row->response),
						      .completed = row->completed};
		CS_TRY(oracle_evidence_protocol(source, row->protocol));
	}
	return CS_OK;
}

/* The key of the statement's epoch, where hello lists it; the domain is the one in which it
 * signed. */
static void fill_key(struct oracle_answer *out, struct oracle *oracle)
{
	size_t mark = cs_arena_mark(&oracle->scratch);
	ProtobufCMessage *message = NULL;
	bool found = false;
	out->insecure = oracle->insecure_flags != 0;
	if (oracle_enclave_hello(oracle).n > 0 &&
	    oracle_enclave_reply(&oracle->scratch, oracle_enclave_hello(oracle),
				 &caisson__wire__hello_reply__descriptor, &message) == CS_OK) {
		const Caisson__Wire__HelloReply *hello = (const Caisson__Wire__HelloReply *)message;
		for (size_t i = 0; i < hello->n_keys && !found; i++) {
			struct cs_hash identity = wire_pb_hash(hello->keys[i]->chain);
			found = hello->keys[i]->epoch == out->statement.statement.epoch &&
				cs_hash_eq(&identity, &oracle->config.manifest.identity);
			if (found)
				out->key = wire_pb_hash(hello->keys[i]->public_key);
		}
	}
	cs_arena_rewind(&oracle->scratch, mark);
	for (unsigned i = 0; found && i < 2; i++) {
		out->insecure = i == 1;
		if (oracle_answer_verify(out, oracle->sig, &out->key) == CS_OK)
			break;
	}
}

static void fill_result(struct oracle_answer *out, const Caisson__Wire__OracleResult *result)
{
	out->time_flags = result->time_flags;
	out->answer = (struct wire_answer){.request_id = wire_pb_hash(result->request_id),
					   .spec_hash = wire_pb_hash(result->spec_hash),
					   .code = result->code,
					   .observed_at = result->observed_at,
					   .evidence_hash = wire_pb_hash(result->evidence_hash),
					   .value = wire_pb_view(result->value)};
}

static void fill_contract(struct oracle_answer *out, const struct oracle_contract *contract)
{
	out->request.receiver = contract->identity;
	snprintf(out->contract.caip2, sizeof(out->contract.caip2), "%s",
		 contract->chain->manifest->caip2);
	out->contract.genesis = contract->chain->manifest->genesis;
	out->contract.address = contract->address;
}

/* What was signed, and by whom. */
static enum cs_err fill_signed(struct oracle_answer *out, struct oracle *oracle,
			       const Caisson__Wire__OracleResult *result,
			       const struct oracle_statement *statement, uint32_t leaf)
{
	if (leaf >= statement->count)
		return CS_ERR_INVALID;
	CS_TRY(fill_sources(out, result));
	out->lineage = oracle->config.manifest.lineage;
	out->statement = statement->st;
	out->statement.path_count =
		wire_path(out->statement.path, statement->leaves, statement->count, leaf);
	out->has_enclave_evidence = oracle_evidence_of(oracle, statement->st.statement.epoch,
						       statement->st.statement.manifest_number,
						       &out->enclave_evidence) == CS_OK;
	fill_key(out, oracle);
	return CS_OK;
}

enum cs_err oracle_answer_fill(struct oracle_answer *out, struct oracle *oracle,
			       const struct oracle_request *request,
			       const struct oracle_query *query,
			       const Caisson__Wire__OracleResult *result,
			       const struct oracle_statement *statement, uint32_t leaf)
{
	struct oracle_answer answer = {.app = request->kind == ORACLE_APP,
				       .audience = query->audience,
				       .request = request->head,
				       .spec = query->spec,
				       .argument_count = query->argument_count};
	memcpy(answer.arguments, query->arguments, sizeof(answer.arguments));
	fill_result(&answer, result);
	if (answer.app) {
		if (!result->head)
			return CS_ERR_INVALID;
		oracle_head_take(&answer.request, result->head);
		answer.request.receiver = wire_app_identity(query->audience);
	} else {
		const struct oracle_contract *contract =
			oracle_contract_of(oracle, &request->contract);
		if (!contract || !cs_hash_eq(&answer.answer.request_id, &request->id))
			return CS_ERR_INVALID;
		fill_contract(&answer, contract);
	}
	CS_TRY(fill_signed(&answer, oracle, result, statement, leaf));
	*out = answer;
	return CS_OK;
}

enum cs_err oracle_answer_fill_round(struct oracle_answer *out, struct oracle *oracle,
				     const struct oracle_contract *contract, uint64_t index,
				     struct cs_bytes spec,
				     const Caisson__Wire__OracleResult *result,
				     const struct oracle_statement *statement, uint32_t leaf)
{
	struct oracle_answer answer = {.round = true, .feed_index = index, .spec = spec};
	fill_result(&answer, result);
	fill_contract(&answer, contract);
	CS_TRY(fill_signed(&answer, oracle, result, statement, leaf));
	*out = answer;
	return CS_OK;
}

enum cs_err oracle_answer_load(struct oracle_answer *out, struct oracle *oracle,
			       const struct oracle_request *request, struct cs_arena *arena)
{
	struct oracle_query query;
	struct oracle_statement statement;
	struct cs_bytes bytes;
	ProtobufCMessage *message = NULL;
	if (request->statement == 0)
		return CS_ERR_NOT_FOUND;
	CS_TRY(oracle_journal_result(oracle->journal, request, arena, &bytes));
	CS_TRY(oracle_journal_query(oracle->journal, request, arena, &query));
	CS_TRY(oracle_journal_statement(oracle->journal, request->statement, &statement));
	CS_TRY(oracle_enclave_reply(arena, bytes, &caisson__wire__oracle_result__descriptor,
				    &message));
	return oracle_answer_fill(out, oracle, request, &query,
				  (const Caisson__Wire__OracleResult *)message, &statement,
				  request->leaf);
}
