#include "oracle/rotation.h"

#include "core/abi.h"
#include "host/alloc.h"
#include "host/json_values.h"
#include "oracle/evidence.h"
#include "relay_state/client/clock.h"

#include <stdlib.h>
#include <string.h>

#define NAME_SIZE 80u
#define STATE_SIZE 64u
#define APPS_NAME "rotation:apps"
/* keyOf: x, state, notBefore, notAfter, namers. */
#define KEY_WORDS 5u
#define LOOK_PAUSE_MS 1000u
/* What no gas of ours can change: the owner suspended the key, named another, or registered
 * none. */
#define BLOCKED_PAUSE_MS 60000u

/* ---- what the journal keeps of a contract ---- */

static void name_of(char name[NAME_SIZE], const struct oracle_contract *contract)
{
	char identity[65];
	cs_hex(identity, CS_BYTES_OF(contract->identity.b));
	snprintf(name, NAME_SIZE, "rotation:%s", identity);
}

/* Inside a writer. */
static enum cs_err save(const struct oracle_contract *contract)
{
	const struct oracle_rotation *rotation = &contract->rotation;
	uint8_t b[STATE_SIZE];
	char name[NAME_SIZE];
	name_of(name, contract);
	cs_put_be64(b, rotation->epoch);
	cs_put_be64(b + 8, rotation->next_epoch);
	memcpy(b + 16, rotation->next_key.b, 32);
	cs_put_be64(b + 48, rotation->statement);
	cs_put_be64(b + 56, rotation->submission);
	return oracle_journal_put(contract->chain->oracle->journal, name, CS_BYTES_OF(b));
}

static enum cs_err load(struct oracle_contract *contract)
{
	struct oracle *oracle = contract->chain->oracle;
	struct oracle_rotation *rotation = &contract->rotation;
	char name[NAME_SIZE];
	struct cs_bytes b;
	size_t mark = cs_arena_mark(&oracle->scratch);
	name_of(name, contract);
	enum cs_err err = oracle_journal_get(oracle->journal, name, &oracle->scratch, &b);
	if (err == CS_OK && b.n != STATE_SIZE)
		err = CS_ERR_INVALID;
	if (err == CS_OK) {
		rotation->epoch = cs_be64(b.p);
		rotation->next_epoch = cs_be64(b.p + 8);
		memcpy(rotation->next_key.b, b.p + 16, 32);
		rotation->statement = cs_be64(b.p + 48);
		rotation->submission = cs_be64(b.p + 56);
	}
	cs_arena_rewind(&oracle->scratch, mark);
	return err == CS_ERR_NOT_FOUND ? CS_OK : err;
}

/* Apps have no contract that must know the key: theirs follows the newest that is in use. Inside a
 * writer. */
static enum cs_err save_apps(struct oracle *oracle, uint64_t epoch)
{
	uint8_t b[8];
	if (epoch <= oracle->app_epoch)
		return CS_OK;
	oracle->app_epoch = epoch;
	cs_put_be64(b, epoch);
	return oracle_journal_put(oracle->journal, APPS_NAME, CS_BYTES_OF(b));
}

static enum cs_err load_apps(struct oracle *oracle)
{
	struct cs_bytes b;
	size_t mark = cs_arena_mark(&oracle->scratch);
	enum cs_err err = oracle_journal_get(oracle->journal, APPS_NAME, &oracle->scratch, &b);
	if (err == CS_OK && b.n != 8)
		err = CS_ERR_INVALID;
	if (err == CS_OK)
		oracle->app_epoch = cs_be64(b.p);
	cs_arena_rewind(&oracle->scratch, mark);
	return err == CS_ERR_NOT_FOUND ? CS_OK : err;
}

enum cs_err oracle_rotation_load(struct oracle *oracle)
{
	CS_TRY(load_apps(oracle));
	for (size_t i = 0; i < oracle->chain_count; i++) {
		for (size_t k = 0; k < oracle->chains[i].contract_count; k++)
			CS_TRY(load(&oracle->chains[i].contracts[k]));
	}
	return CS_OK;
}

static bool is_under_way(const struct oracle_contract *contract)
{
	return contract->rotation.next_epoch > contract->rotation.epoch;
}

/* One rotation at a time: another key is made when every contract has this one. NULL: none. */
static const struct oracle_contract *waiting(const struct oracle *oracle)
{
	for (size_t i = 0; i < oracle->chain_count; i++) {
		const struct oracle_chain *chain = &oracle->chains[i];
		for (size_t k = 0; k < chain->contract_count; k++) {
			if (is_under_way(&chain->contracts[k]))
				return &chain->contracts[k];
		}
	}
	return NULL;
}

/* ---- making a key ---- */

struct rotate {
	struct oracle *oracle;
	struct host_http_exchange *exchange;
	bool secrets; /* the key that secrets are sealed to; else the one that signs answers */
	uint64_t epoch;
	struct cs_hash key;
	const Caisson__Wire__RotateReply *reply; /* during the writer */
};

static json_t *rotation_json(struct oracle *oracle, bool secrets, uint64_t epoch,
			     const struct cs_hash *key)
{
	json_t *contracts = json_array();
	for (size_t i = 0; !secrets && i < oracle->chain_count; i++) {
		const struct oracle_chain *chain = &oracle->chains[i];
		for (size_t k = 0; k < chain->contract_count; k++) {
			const struct oracle_contract *contract = &chain->contracts[k];
			json_array_append_new(
				contracts,
				json_pack("{s:s,s:o,s:b}", "chain", chain->config->id, "address",
					  host_json_hex(CS_BYTES_OF(contract->address.b)),
					  "in_force", contract->rotation.epoch >= epoch));
		}
	}
	return json_pack("{s:s,s:o,s:o,s:o}", "use", secrets ? "secrets" : "answers", "epoch",
			 host_json_u64(epoch), "public_key", host_json_hash(key), "contracts",
			 contracts);
}

static enum cs_err take_statement(const struct rotate *rotate, struct oracle_statement *statement,
				  const Caisson__Wire__Statement *pb)
{
	struct cs_hash leaf = wire_leaf_rotation(rotate->epoch, &rotate->key);
	CS_TRY(oracle_statement_take(statement, pb, &leaf, 1));
	if (statement->st.statement.kind != WIRE_KIND_ROTATION ||
	    rotate->epoch != statement->st.statement.epoch + 1)
		return CS_ERR_INVALID;
	return CS_OK;
}

static enum cs_err write_statement(struct rotate *rotate, struct oracle_statement *statement)
{
	struct oracle_contract *contract =
		oracle_contract_of(rotate->oracle, &statement->st.statement.receiver);
	if (!contract)
		return CS_OK; /* on a chain that another process serves, or nobody */
	CS_TRY(oracle_journal_add_statement(rotate->oracle->journal, statement));
	contract->rotation = (struct oracle_rotation){.epoch = statement->st.statement.epoch,
						      .next_epoch = rotate->epoch,
						      .next_key = rotate->key,
						      .statement = statement->n};
	return save(contract);
}

/* The key is sealed in the journal, in the same commit as what announces it. */
static enum cs_err write_rotation(void *context)
{
	struct rotate *rotate = context;
	const Caisson__Wire__RotateReply *reply = rotate->reply;
	/* One more is for the register of the ledger where the enclave has its time from. */
	struct oracle_statement statements[ORACLE_CONTRACTS_MAX + 1];
	if (reply->n_statements > CS_LEN(statements))
		return CS_ERR_TOO_LARGE;
	for (size_t i = 0; i < reply->n_statements; i++)
		CS_TRY(take_statement(rotate, &statements[i], reply->statements[i]));
	CS_TRY(oracle_journal_put(rotate->oracle->journal, ORACLE_SEALED_NAME,
				  wire_pb_view(reply->sealed)));
	for (size_t i = 0; i < reply->n_statements; i++)
		CS_TRY(write_statement(rotate, &statements[i]));
	CS_TRY(ledger_clock_announce(rotate->oracle->clock, reply));
	/* Nobody to wait for. */
	return rotate->secrets || waiting(rotate->oracle)
		       ? CS_OK
		       : save_apps(rotate->oracle, rotate->epoch);
}

static void rotate_committed(void *context, enum cs_err err)
{
	struct rotate *rotate = context;
	struct oracle *oracle = rotate->oracle;
	if (err != CS_OK) {
		oracle_fail(oracle, err, "commit of a rotation");
		host_http_reply_problem(rotate->exchange, err, NULL);
	} else {
		host_http_reply_json(
			rotate->exchange, 202,
			rotation_json(oracle, rotate->secrets, rotate->epoch, &rotate->key));
		oracle_enclave_stored(oracle);
		oracle_enclave_ask_hello(oracle);
		if (!rotate->secrets)
			oracle_evidence_ask(oracle);
		oracle_wake(oracle);
	}
	free(rotate);
}

static void rotate_done(void *context, enum cs_err err, const char *why, struct cs_bytes body)
{
	struct rotate *rotate = context;
	struct oracle *oracle = rotate->oracle;
	size_t mark = cs_arena_mark(&oracle->scratch);
	ProtobufCMessage *message = NULL;
	if (err == CS_OK)
		err = oracle_enclave_reply(&oracle->scratch, body,
					   &caisson__wire__rotate_reply__descriptor, &message);
	if (err == CS_OK) {
		rotate->reply = (const Caisson__Wire__RotateReply *)message;
		rotate->epoch = rotate->reply->new_epoch;
		rotate->key = wire_pb_hash(rotate->reply->new_key);
		/* The enclave announces a key again until it signed with it. */
		if (!rotate->secrets && rotate->epoch <= oracle->app_epoch) {
			err = CS_ERR_CONFLICT;
			why = "the newest key is in force and has signed nothing yet";
		}
	}
	if (err == CS_OK) {
		log_info("rotation.made", LOG_TEXT("use", rotate->secrets ? "secrets" : "answers"),
			 LOG_U64("epoch", rotate->epoch),
			 LOG_U64("contracts", rotate->reply->n_statements));
		err = oracle_write_then(oracle, write_rotation, rotate, rotate_committed, rotate);
	}
	cs_arena_rewind(&oracle->scratch, mark);
	if (err != CS_OK) {
		host_http_reply_problem(rotate->exchange, err, why);
		free(rotate);
	}
}

/* docs/protocol/boundary-oracle.md, Keys. */
static struct cs_hash secrets_identity(const struct cs_hash *lineage)
{
	struct cs_keccak hash;
	cs_keccak_init(&hash);
	cs_keccak_add(&hash, CS_BYTES_OF(wire_tag(WIRE_TAG_IDENTITY_ORACLE_SECRETS)->b));
	cs_keccak_add(&hash, CS_BYTES_OF(lineage->b));
	return cs_keccak_end(&hash);
}

static enum cs_err ask_rotate(struct rotate *rotate)
{
	struct oracle *oracle = rotate->oracle;
	Caisson__Wire__RotateRequest request = CAISSON__WIRE__ROTATE_REQUEST__INIT;
	struct cs_hash identity = oracle->config.manifest.identity;
	size_t mark = cs_arena_mark(&oracle->scratch);
	if (rotate->secrets)
		identity = secrets_identity(&oracle->config.manifest.lineage);
	request.chain = wire_pb_bytes(&oracle->scratch, CS_BYTES_OF(identity.b));
	enum cs_err err = oracle_enclave_call(oracle, WIRE_ROTATE, &request.base,
					      ORACLE_ENCLAVE_TIMEOUT_MS, rotate_done, rotate);
	cs_arena_rewind(&oracle->scratch, mark);
	return err;
}

static enum cs_err read_use(const struct host_http_exchange *exchange, bool *secrets,
			    struct cs_why *why)
{
	static const char *const names[] = {"use", NULL};
	json_t *body = NULL;
	CS_TRY(host_http_body_json(exchange, &body, why));
	enum cs_err err = host_json_known(body, names, "body", why);
	const char *use = json_string_value(json_object_get(body, "use"));
	if (err == CS_OK && use && strcmp(use, "secrets") == 0)
		*secrets = true;
	else if (err == CS_OK && (!use || strcmp(use, "answers") != 0))
		err = cs_fail(why, CS_ERR_INVALID, "use: neither answers nor secrets");
	json_decref(body);
	return err;
}

static void post_rotate(void *context, struct host_http_exchange *exchange)
{
	struct oracle *oracle = context;
	struct cs_why why = {{0}};
	bool secrets = false;
	enum cs_err err = read_use(exchange, &secrets, &why);
	if (err == CS_OK && !oracle->enclave_ready)
		err = cs_fail(&why, CS_ERR_UNAVAILABLE, "the enclave is not ready");
	if (err != CS_OK) {
		oracle_problem(exchange, err, &why);
		return;
	}
	const struct oracle_contract *late = secrets ? NULL : waiting(oracle);
	if (late) {
		host_http_reply_json(exchange, 202,
				     rotation_json(oracle, false, late->rotation.next_epoch,
						   &late->rotation.next_key));
		return;
	}
	struct rotate *rotate = host_alloc(sizeof(*rotate));
	*rotate = (struct rotate){.oracle = oracle, .exchange = exchange, .secrets = secrets};
	err = ask_rotate(rotate);
	if (err != CS_OK)
		rotate_done(rotate, err, NULL, CS_BYTES_NONE);
}

void oracle_api_rotation_routes(struct oracle *oracle)
{
	host_http_server_route(oracle->server, "POST", "/v1/oracle/keys:rotate?",
			       ORACLE_SCOPE_OPERATE, post_rotate, oracle);
}

/* ---- bringing it to the contracts ---- */

static enum cs_err write_submission(void *context)
{
	struct oracle_contract *contract = context;
	struct oracle *oracle = contract->chain->oracle;
	struct oracle_rotation *rotation = &contract->rotation;
	struct oracle_statement statement;
	struct cs_buf data;
	uint8_t bytes[WIRE_EVM_CALL_ROTATION_SIZE_MAX];
	CS_TRY(oracle_journal_statement(oracle->journal, rotation->statement, &statement));
	cs_buf_init(&data, bytes, sizeof(bytes));
	CS_TRY(wire_evm_call_announce_rotation(&data, &statement.st, rotation->next_epoch,
					       &rotation->next_key));
	const struct oracle_call_wish wish = {.contract = contract,
					      .call = ORACLE_CALL_ANNOUNCE,
					      .statement = rotation->statement,
					      .data = cs_buf_view(&data)};
	CS_TRY(oracle_submit(oracle, &wish, &rotation->submission));
	return save(contract);
}

static enum cs_err write_in_force(void *context)
{
	struct oracle_contract *contract = context;
	contract->rotation.epoch = contract->rotation.next_epoch;
	contract->rotation.submission = 0;
	CS_TRY(save_apps(contract->chain->oracle, contract->rotation.epoch));
	return save(contract);
}

static bool is_on_its_way(const struct oracle_contract *contract)
{
	struct oracle_submission submission;
	return contract->rotation.submission != 0 &&
	       oracle_journal_submission(contract->chain->oracle->journal,
					 contract->rotation.submission, &submission, NULL,
					 NULL) == CS_OK &&
	       (submission.state == ORACLE_SUBMISSION_OPEN ||
		submission.state == ORACLE_SUBMISSION_INCLUDED);
}

static void announce(struct oracle_contract *contract)
{
	struct oracle_rotation before = contract->rotation;
	if (is_on_its_way(contract) || !oracle_may_submit(contract->chain))
		return;
	if (before.submission != 0) /* one was refused: not at once again */
		contract->rotation.after_ms = host_now_ms() + BLOCKED_PAUSE_MS;
	if (oracle_write(contract->chain->oracle, write_submission, contract) == CS_OK)
		return;
	contract->rotation.submission = before.submission;
	log_error("rotation.not_announced", LOG_TEXT("chain", contract->chain->config->id));
}

struct key_words {
	struct cs_hash x;
	uint8_t state;
	uint64_t not_before;
};

static enum cs_err read_key(struct key_words *key, struct cs_bytes data)
{
	struct cs_abi_reader reader;
	CS_TRY(cs_abi_read(&reader, data, KEY_WORDS));
	CS_TRY(cs_abi_get_word(&reader, &key->x));
	CS_TRY(cs_abi_get_u8(&reader, &key->state));
	return cs_abi_get_u64(&reader, &key->not_before);
}

/* In force by final time: the delay of the contract lies between, so the announcement is final. */
static void look_at_key(struct oracle_contract *contract, const struct key_words *key)
{
	struct oracle_chain *chain = contract->chain;
	struct oracle_rotation *rotation = &contract->rotation;
	if (cs_hash_is_zero(&key->x)) {
		announce(contract);
		return;
	}
	if (!cs_hash_eq(&key->x, &rotation->next_key) || key->state != WIRE_KEY_ACTIVE) {
		rotation->after_ms = host_now_ms() + BLOCKED_PAUSE_MS;
		log_warn("rotation.blocked", LOG_TEXT("chain", chain->config->id),
			 LOG_HASH("contract", &contract->identity),
			 LOG_U64("epoch", rotation->next_epoch), LOG_U64("state", key->state));
		return;
	}
	if (key->not_before > chain->follow.final_time_s)
		return;
	uint64_t before = rotation->epoch;
	if (oracle_write(chain->oracle, write_in_force, contract) != CS_OK) {
		rotation->epoch = before;
		log_error("rotation.not_written", LOG_TEXT("chain", chain->config->id));
		return;
	}
	log_info("rotation.in_force", LOG_TEXT("chain", chain->config->id),
		 LOG_HASH("contract", &contract->identity), LOG_U64("epoch", rotation->epoch));
}

/* What the chain says decides: somebody else may have announced it, or we before a crash. */
static void looked(void *ctx, enum cs_err err, const char *why, struct cs_bytes data)
{
	struct oracle_contract *contract = ctx;
	struct key_words key = {0};
	contract->rotation.looking = false;
	contract->rotation.after_ms = host_now_ms() + LOOK_PAUSE_MS;
	if (contract->chain->oracle->stopping || !is_under_way(contract))
		return;
	if (err == CS_OK)
		err = read_key(&key, data);
	if (err != CS_OK)
		log_warn("rotation.not_looked", LOG_TEXT("chain", contract->chain->config->id),
			 LOG_ERR(err), LOG_TEXT("why", why));
	else
		look_at_key(contract, &key);
}

static void look(struct oracle_contract *contract)
{
	struct oracle *oracle = contract->chain->oracle;
	struct cs_arena *arena = &oracle->scratch;
	struct cs_buf buf;
	struct cs_abi abi;
	if (!is_under_way(contract) || contract->rotation.looking ||
	    host_now_ms() < contract->rotation.after_ms)
		return;
	size_t mark = cs_arena_mark(arena);
	enum cs_err err = cs_buf_init_arena(&buf, arena, 128);
	if (err == CS_OK) {
		cs_abi_call(&abi, &buf, "keyOf(bytes32,uint64)");
		cs_abi_put_word(&abi, &oracle->config.manifest.identity);
		cs_abi_put_u64(&abi, contract->rotation.next_epoch);
		err = cs_buf_end(&buf);
	}
	contract->rotation.looking = true;
	if (err == CS_OK)
		err = adapter_call(contract->chain->adapter, NULL, &contract->address,
				   cs_buf_view(&buf), looked, contract);
	cs_arena_rewind(arena, mark);
	if (err != CS_OK)
		looked(contract, err, NULL, CS_BYTES_NONE);
}

void oracle_rotation_pump(struct oracle_chain *chain)
{
	for (size_t i = 0; i < chain->contract_count; i++)
		look(&chain->contracts[i]);
}
