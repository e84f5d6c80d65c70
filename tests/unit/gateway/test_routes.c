/* The REST API of a gateway whose chain and enclave do not answer: what is asked wrongly is refused
 * as problem+json before anything is asked of them; what a peer pushes is taken, or passed over;
 * nothing is lost by bad input. */
#include "gateway/gateway.h"
#include "gateway/journal_held.h"
#include "tests/unit/support.h"

#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 10000
#define ID "0x0000000000000000000000000000000000000000000000000000000000000001"

static char folder[] = "/tmp/caisson-routes-XXXXXX";
static struct gateway gateway;
static struct cs_secret remote_key;
static struct host_loop *loop;
static struct host_http_client *client;
static char base[64];

static const char all_key[] = "all-scopes-key-000000000000000000";
static const char app_key[] = "sends-but-does-not-pay-0000000000";
static const char read_key[] = "read-only-key-0000000000000000000";
static const char peer_key[] = "peer-key-00000000000000000000000";

static void write_file(const char *name, const char *text)
{
	char path[96];
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_int_equal(fclose(file), 0);
}

static void key_line(char *text, size_t size, const char *name, const char *scopes, const char *key)
{
	char hex[65];
	struct cs_hash hash = cs_sha256(cs_bytes_str(key));
	cs_hex(hex, CS_BYTES_OF(hash.b));
	size_t n = strlen(text);
	snprintf(text + n, size - n, "%s %s %s\n", name, scopes, hex);
}

static enum cs_err write_key(void *context);

static int start(void **state)
{
	char text[1024] = "";
	char path[96];
	(void)state;
	assert_non_null(mkdtemp(folder));
	key_line(text, sizeof(text), "all", "read,send,sponsor,operate", all_key);
	key_line(text, sizeof(text), "app", "read,send", app_key);
	key_line(text, sizeof(text), "reader", "read", read_key);
	key_line(text, sizeof(text), "b", "peer", peer_key);
	key_line(text, sizeof(text), "stranger", "peer", "stranger-key-000000000000000000000");
	write_file("api.keys", text);
	write_file("b.key", "some-other-key-of-our-peer-000000\n");
	/* Port 9 answers nobody. */
	write_file(
		"c.toml",
		"name = \"a\"\n[log]\nlevel = \"error\"\n[api]\nport = 0\nevents_port = 0\n"
		"[enclave]\nmanifests = [\"" CS_VECTORS "/manifest/first.json\"]\n"
		"[[chains]]\nid = \"eip155:31337\"\nrpc = [\"http://127.0.0.1:9\"]\n"
		"bridge = \"0x1111111111111111111111111111111111111111\"\n"
		"[[peers]]\nname = \"b\"\nurl = \"http://127.0.0.1:9\"\napi_key_file = \"b.key\"\n"
		"chains = [\"eip155:1903\"]\n");
	snprintf(path, sizeof(path), "%s/c.toml", folder);
	loop = host_loop_new();
	assert_int_equal(gateway_start(&gateway, loop, path, -1), CS_OK);
	memset(remote_key.b, 7, sizeof(remote_key.b));
	assert_int_equal(gateway_write(&gateway, write_key, NULL), CS_OK);
	client = host_http_client_new(loop, &(struct host_http_client_options){0});
	snprintf(base, sizeof(base), "http://127.0.0.1:%u", host_http_server_port(gateway.server));
	struct cs_why why;
	assert_int_equal(host_http_client_allow(client, base, &why), CS_OK);
	return 0;
}

static int stop(void **state)
{
	static const char *const names[] = {"api.keys",        "b.key",          "c.toml",
					    "journal.db",      "journal.db-wal", "journal.db-shm",
					    "journal.db.lock", "journal.db-lock"};
	(void)state;
	host_http_client_free(client);
	gateway_stop(&gateway);
	host_loop_free(loop);
	for (size_t i = 0; i < CS_LEN(names); i++) {
		char path[96];
		snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
		unlink(path);
	}
	return rmdir(folder);
}

struct answer {
	bool done;
	int status;
	json_t *body;
	char type[64];
};

static void on_done(void *context, const struct host_http_response *response)
{
	struct answer *answer = context;
	const char *type = host_http_response_header(response, "content-type");
	answer->done = true;
	answer->status = response->status;
	snprintf(answer->type, sizeof(answer->type), "%s", type ? type : "");
	answer->body = json_loadb((const char *)response->body.p, response->body.n, 0, NULL);
}

static bool is_done(void *context)
{
	return ((struct answer *)context)->done;
}

static struct answer call(const char *method, const char *path, const char *key, const char *body)
{
	struct answer answer = {0};
	char url[256];
	char authorization[128];
	snprintf(url, sizeof(url), "%s%s", base, path);
	snprintf(authorization, sizeof(authorization), "Bearer %s", key ? key : "");
	struct host_http_request request = {
		.method = method, .url = url, .body = body ? cs_bytes_str(body) : CS_BYTES_NONE};
	if (key)
		request.headers[0] = (struct host_http_header){"Authorization", authorization};
	assert_int_equal(host_http_send(client, NULL, &request, on_done, &answer), CS_OK);
	assert_int_equal(host_loop_run_until(loop, is_done, &answer, WAIT_MS), CS_OK);
	return answer;
}

/* The answer is the problem of this code, and its detail names the part. */
static void refused(struct answer answer, int status, const char *code, const char *part)
{
	const char *detail = json_string_value(json_object_get(answer.body, "detail"));
	const char *said = json_string_value(json_object_get(answer.body, "code"));
	if (answer.status != status || !said || strcmp(said, code) != 0)
		fail_msg("%d %s (%s) instead of %d %s", answer.status, said ? said : "?",
			 detail ? detail : "", status, code);
	assert_string_equal(answer.type, "application/problem+json");
	if (part && (!detail || !strstr(detail, part)))
		fail_msg("\"%s\" does not name %s", detail ? detail : "", part);
	json_decref(answer.body);
}

static void keys_and_scopes_are_asked_for(void **state)
{
	(void)state;
	refused(call("GET", "/v1/messages", NULL, NULL), 401, "unauthorized", NULL);
	refused(call("GET", "/v1/messages", "no-such-key-000000000000000000000", NULL), 401,
		"unauthorized", NULL);
	refused(call("POST", "/v1/messages", read_key, "{}"), 403, "forbidden",
		"lacks the scope send");
	refused(call("POST", "/v1/messages", app_key,
		     "{\"mode\":\"sponsored\",\"to\":\"eip155:1903:"
		     "0x2222222222222222222222222222222222222222\","
		     "\"payload\":\"0x\"}"),
		403, "forbidden", "sponsor");
	refused(call("POST", "/v1/messages/" ID "/retry", read_key, NULL), 403, "forbidden",
		"lacks the scope operate");
	refused(call("POST", "/v1/messages/" ID "/abandon", app_key, NULL), 403, "forbidden", NULL);
	refused(call("POST", "/v1/peer/envelopes", all_key, "{}"), 403, "forbidden",
		"lacks the scope peer");
	refused(call("POST", "/v1/peer/envelopes", "stranger-key-000000000000000000000", "{}"), 403,
		"forbidden", "peer");
	refused(call("GET", "/v1/messages", peer_key, NULL), 403, "forbidden", NULL);
	refused(call("GET", "/v1/nothing", all_key, NULL), 404, "not-found", NULL);
}

static void health_says_what_is_missing(void **state)
{
	(void)state;
	refused(call("GET", "/healthz", NULL, NULL), 503, "unavailable", "enclave");
	struct answer answer = call("GET", "/metrics", NULL, NULL);
	assert_int_equal(answer.status, 200);
	json_decref(answer.body);
	answer = call("GET", "/v1/status", read_key, NULL);
	assert_int_equal(answer.status, 200);
	assert_true(json_is_false(json_object_get(answer.body, "ready")));
	json_decref(answer.body);
	answer = call("GET", "/v1/chains", read_key, NULL);
	assert_int_equal(json_array_size(json_object_get(answer.body, "chains")), 1);
	json_decref(answer.body);
	answer = call("GET", "/v1/enclave", read_key, NULL);
	assert_true(json_is_false(json_object_get(answer.body, "ready")));
	json_decref(answer.body);
}

static void messages_are_looked_up_strictly(void **state)
{
	(void)state;
	refused(call("GET", "/v1/messages/" ID, read_key, NULL), 404, "not-found", NULL);
	refused(call("GET", "/v1/messages/0x12", read_key, NULL), 400, "malformed", "id");
	refused(call("GET", "/v1/messages/rnothing", read_key, NULL), 404, "not-found", NULL);
	refused(call("GET", "/v1/messages?state=delivering", read_key, NULL), 400, "invalid",
		"state");
	refused(call("GET", "/v1/messages?limit=0", read_key, NULL), 400, "invalid", "limit");
	refused(call("GET", "/v1/messages?limit=9999", read_key, NULL), 400, "invalid", "limit");
	refused(call("GET", "/v1/quote", read_key, NULL), 400, "missing-field", "to");
	refused(call("GET", "/v1/messages?before=-3", read_key, NULL), 400, "invalid", "before");
	refused(call("POST", "/v1/messages/" ID "/retry", all_key, NULL), 404, "not-found", NULL);
	refused(call("POST", "/v1/messages/" ID "/close", all_key, NULL), 404, "not-found", NULL);
	refused(call("POST", "/v1/messages/" ID "/abandon", all_key, NULL), 404, "not-found", NULL);
	refused(call("POST", "/v1/messages/" ID "/abandon", all_key, "{\"now\":true}"), 400,
		"unknown-field", "now");
	refused(call("GET", "/v1/messages/" ID "/envelope", all_key, NULL), 404, "not-found", NULL);
}

struct bad {
	const char *body;
	int status;
	const char *code;
	const char *part;
};

#define TO "\"to\":\"eip155:1903:0x2222222222222222222222222222222222222222\""

static void bad_messages_are_refused(void **state)
{
	static const struct bad table[] = {
		{"", 400, "malformed", NULL},
		{"{", 400, "malformed", NULL},
		{"[]", 400, "malformed", "body"},
		{"{} {}", 400, "malformed", NULL},
		{"{\"mode\":\"prepare\",\"mode\":\"prepare\"}", 400, "malformed", NULL},
		{"{}", 400, "missing-field", "mode"},
		{"{\"mode\":\"free\"," TO "}", 400, "invalid", "mode"},
		{"{\"mode\":\"sponsored\"," TO ",\"payload\":\"0x\"}", 501, "unsupported",
		 "operator"},
		{"{\"mode\":\"prepare\",\"payload\":\"0x\"}", 400, "missing-field", "to"},
		{"{" TO ",\"payload\":\"0x\"}", 400, "missing-field", "mode"},
		{"{\"mode\":\"prepare\",\"to\":5,\"payload\":\"0x\"}", 400, "malformed",
		 "to: not a CAIP-10 account such as eip155:1903:0x"},
		{"{\"mode\":\"prepare\",\"to\":\"eip155:1903:0x22\",\"payload\":\"0x\"}", 400,
		 "malformed", "to"},
		{"{\"mode\":\"prepare\",\"to\":\"eip155:5:"
		 "0x2222222222222222222222222222222222222222\",\"payload\":\"0x\"}",
		 403, "not-in-manifest", "to"},
		{"{\"mode\":\"prepare\"," TO "}", 400, "missing-field", "payload"},
		{"{\"mode\":\"prepare\"," TO ",\"payload\":\"0x1\"}", 400, "malformed", "payload"},
		{"{\"mode\":\"prepare\"," TO ",\"payload\":\"0x\",\"surprise\":1}", 400,
		 "unknown-field", "surprise"},
		{"{\"mode\":\"prepare\"," TO ",\"payload\":\"0x\",\"from\":\"me\"}", 400,
		 "malformed", "from"},
		{"{\"mode\":\"prepare\"," TO ",\"payload\":\"0x\",\"from_chain\":\"eip155:1903\"}",
		 404, "not-found", "from_chain"},
		{"{\"mode\":\"prepare\"," TO ",\"payload\":\"0x\",\"attributes\":[]}", 400,
		 "malformed", "attributes"},
		{"{\"mode\":\"prepare\"," TO ",\"payload\":\"0x\",\"attributes\":{\"colour\":1}}",
		 400, "unknown-field", "colour"},
		{"{\"mode\":\"prepare\"," TO
		 ",\"payload\":\"0x\",\"attributes\":{\"deadline\":\"soon\"}}",
		 400, "malformed", "deadline"},
		{"{\"mode\":\"prepare\"," TO
		 ",\"payload\":\"0x\",\"attributes\":{\"finality\":255}}",
		 400, "overflow", "finality"},
		{"{\"mode\":\"prepare\"," TO
		 ",\"payload\":\"0x\",\"attributes\":{\"closer\":\"0x12\"}}",
		 400, "malformed", "closer"},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(table); i++)
		refused(call("POST", "/v1/messages", all_key, table[i].body), table[i].status,
			table[i].code, table[i].part);
}

#define AMOUNT(text)                \
	"{\"mode\":\"prepare\"," TO \
	",\"token\":\"0x3333333333333333333333333333333333333333\",\"amount\":\"" text "\"}"
#define NINES "999999999999999999999999999999999999999999999"

static void bad_transfers_are_refused(void **state)
{
	static const struct bad table[] = {
		{"{\"mode\":\"prepare\"," TO "}", 400, "missing-field", "token"},
		{"{\"mode\":\"prepare\"," TO
		 ",\"token\":\"0x3333333333333333333333333333333333333333\"}",
		 400, "missing-field", "amount"},
		{"{\"mode\":\"prepare\"," TO
		 ",\"token\":\"0x3333333333333333333333333333333333333333\",\"amount\":5}",
		 400, "malformed", "amount"},
		{"{\"mode\":\"prepare\"," TO
		 ",\"token\":\"0x3333333333333333333333333333333333333333\",\"amount\":\"-5\"}",
		 400, "malformed", "amount"},
		{AMOUNT("01"), 400, "malformed", "amount: begins with a zero"},
		{AMOUNT("0"), 400, "invalid", "amount: zero"},
		{AMOUNT("340282366920938463463374607431768211456"), 400, "invalid",
		 "amount: too large"},
		{AMOUNT(NINES NINES), 400, "invalid", "amount: too large"},
		{AMOUNT(NINES NINES "x"), 400, "malformed", "decimal digits"},
		{"{\"mode\":\"prepare\"," TO ",\"token\":\"gold\",\"amount\":\"5\"}", 400,
		 "malformed", "token"},
		{"{\"mode\":\"prepare\"," TO ",\"payload\":\"0x\"}", 400, "unknown-field",
		 "payload"},
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(table); i++)
		refused(call("POST", "/v1/transfers", all_key, table[i].body), table[i].status,
			table[i].code, table[i].part);
}

/* The server answers before it has read everything: a client that goes on writing may only see the
 * connection end. */
static void an_oversized_body_is_refused(void **state)
{
	static char body[7u * 1024 * 1024];
	(void)state;
	memset(body, ' ', sizeof(body) - 1);
	struct answer answer = call("POST", "/v1/messages", all_key, body);
	assert_true(answer.status == 413 || answer.status == 0);
	json_decref(answer.body);
	answer = call("GET", "/v1/messages", read_key, NULL);
	assert_int_equal(answer.status, 200);
	json_decref(answer.body);
}

/* ---- what peers push ---- */

static json_t *statement_json(const struct gateway_statement *st)
{
	return gateway_json_statement(st, NULL);
}

#define EPOCH 3

/* As if the enclave had learned the key of the remote's epoch from the contract. */
static enum cs_err write_key(void *context)
{
	const struct gateway_chain *chain = &gateway.chains[0];
	struct cs_hash key;
	char remote[65];
	char name[160];
	(void)context;
	assert_int_equal(cs_key_x(gateway.sig, &key, &remote_key), CS_OK);
	cs_hex(remote, CS_BYTES_OF(chain->routes[0].remote.b));
	snprintf(name, sizeof(name), "key:%s:%s:%d", chain->identity_hex, remote, EPOCH);
	return gateway_journal_put(gateway.journal, name, CS_BYTES_OF(key.b));
}

enum flaw { FLAW_NONE, FLAW_ROOT, FLAW_KEY, FLAW_EPOCH, FLAW_OLD_EPOCH };

static void sign(struct gateway_statement *st, enum flaw flaw)
{
	struct cs_hash leaves[CS_BATCH_MAX];
	struct cs_hash aux = {{0}};
	struct cs_secret key = remote_key;
	st->statement.epoch = flaw == FLAW_EPOCH       ? EPOCH + 7
			      : flaw == FLAW_OLD_EPOCH ? EPOCH - 1
						       : EPOCH;
	st->statement.manifest_number = 1;
	gateway_leaves(leaves, st);
	st->statement.root = wire_root(leaves, st->count);
	struct cs_hash digest = wire_digest(&st->statement, WIRE_DOMAIN_INSECURE);
	key.b[31] ^= flaw == FLAW_KEY;
	assert_int_equal(cs_schnorr_sign(gateway.sig, &st->signature, &key, &digest, &aux), CS_OK);
	st->statement.root.b[0] ^= flaw == FLAW_ROOT;
}

static struct wire_message message_of(uint64_t sequence, unsigned from, unsigned to)
{
	const struct host_manifest *manifest = &gateway.config.manifest;
	struct wire_message message = {.sender = cs_bytes_str("s"),
				       .recipient = cs_bytes_str("r"),
				       .payload = CS_BYTES_NONE};
	message.head.source = manifest->chains[from].identity;
	message.head.destination = manifest->chains[to].identity;
	message.head.sequence = sequence;
	message.head.deadline = 2000000000;
	wire_message_seal(&message);
	return message;
}

static json_t *batch_item(uint64_t n, uint64_t sequence, unsigned count, enum flaw flaw)
{
	struct gateway_statement st = {.count = count, .statement = {.kind = WIRE_KIND_MESSAGE}};
	json_t *list = json_array();
	for (unsigned i = 0; i < count; i++) {
		struct wire_message message = message_of(sequence + i, 1, 0);
		st.statement.signer = message.head.source;
		st.statement.receiver = message.head.destination;
		st.ids[i] = wire_message_id(&message.head);
		json_array_append_new(list, gateway_json_message(&message, &st.ids[i]));
	}
	sign(&st, flaw);
	return json_pack("{s:I,s:s,s:o,s:o}", "n", (json_int_t)n, "kind", "messages", "statement",
			 statement_json(&st), "messages", list);
}

static json_t *envelope_item(uint64_t n, uint64_t sequence, bool wrong_root)
{
	return batch_item(n, sequence, 1, wrong_root ? FLAW_ROOT : FLAW_NONE);
}

static json_t *outcome_item(uint64_t n, const struct cs_hash *id, uint8_t status, enum flaw flaw)
{
	const struct host_manifest *manifest = &gateway.config.manifest;
	struct gateway_statement st = {.count = 1,
				       .ids = {*id},
				       .statuses = {status},
				       .statement = {.kind = WIRE_KIND_OUTCOME,
						     .signer = manifest->chains[1].identity,
						     .receiver = manifest->chains[0].identity}};
	sign(&st, flaw);
	return json_pack("{s:I,s:s,s:o,s:[{s:o,s:i,s:[]}]}", "n", (json_int_t)n, "kind", "outcomes",
			 "statement", statement_json(&st), "outcomes", "id", host_json_hash(id),
			 "status", status, "steps");
}

static struct answer pushed_as(const char *instance, json_t *items, uint64_t after)
{
	json_t *body = json_pack("{s:s,s:I,s:o}", "instance", instance, "after", (json_int_t)after,
				 "items", items);
	char *text = json_dumps(body, 0);
	struct answer answer = call("POST", "/v1/peer/envelopes", peer_key, text);
	json_decref(body);
	free(text);
	return answer;
}

static struct answer pushed(json_t *items, uint64_t after)
{
	return pushed_as("0123456789abcdef0123456789abcdef", items, after);
}

static uint64_t held(void)
{
	uint64_t count = UINT64_MAX;
	assert_int_equal(gateway_journal_held_count(gateway.journal, "b", &count), CS_OK);
	return count;
}

static json_int_t push(json_t *items, uint64_t after)
{
	struct answer answer = pushed(items, after);
	assert_int_equal(answer.status, 200);
	json_int_t cursor = json_integer_value(json_object_get(answer.body, "cursor"));
	json_decref(answer.body);
	return cursor;
}

static size_t rows(void)
{
	struct gateway_message list[32];
	size_t count = 0;
	uint64_t next = 0;
	assert_int_equal(gateway_journal_list(gateway.journal, &(struct gateway_filter){0}, 0, list,
					      32, &count, &next),
			 CS_OK);
	return count;
}

static void a_peer_is_taken_once_and_in_order(void **state)
{
	(void)state;
	assert_int_equal(
		push(json_pack("[o,o]", envelope_item(3, 1, false), envelope_item(4, 2, false)), 0),
		4);
	assert_int_equal(rows(), 2);
	/* The same push again, as after a lost answer. */
	assert_int_equal(
		push(json_pack("[o,o]", envelope_item(3, 1, false), envelope_item(4, 2, false)), 0),
		4);
	assert_int_equal(rows(), 2);
	/* What is wrong is passed over and holds up nothing behind it. */
	json_t *items = json_pack("[o,{s:i,s:s},{s:i,s:s,s:s},o]", envelope_item(5, 3, true), "n",
				  6, "kind", "surprise", "n", 7, "kind", "note", "id", "0x12",
				  envelope_item(8, 4, false));
	assert_int_equal(push(items, 4), 8);
	assert_int_equal(rows(), 3);
	refused(call("POST", "/v1/peer/envelopes", peer_key,
		     "{\"instance\":\"x\",\"after\":0,\"items\":[]}"),
		400, "malformed", NULL);
	refused(call("POST", "/v1/peer/envelopes", peer_key, "not json"), 400, "malformed", NULL);
	refused(call("GET", "/v1/peer/envelopes?after=x", peer_key, NULL), 400, "malformed",
		"after");
	struct answer answer = call("GET", "/v1/peer/envelopes?after=0&instance=", peer_key, NULL);
	assert_int_equal(answer.status, 200);
	json_decref(answer.body);
}

static struct gateway_message row_of(const struct cs_hash *id, enum relay_side side)
{
	struct gateway_message row;
	assert_int_equal(gateway_journal_find(gateway.journal, id, side, &row), CS_OK);
	return row;
}

static enum cs_err write_source(void *context)
{
	const struct wire_message *message = context;
	struct gateway_message row = {.side = RELAY_SOURCE,
				      .state = RELAY_SIGNED,
				      .chain = message->head.source,
				      .remote = message->head.destination,
				      .sequence = message->head.sequence,
				      .deadline = message->head.deadline,
				      .height = 5,
				      .id = wire_message_id(&message->head)};
	return gateway_journal_add(gateway.journal, &row, message);
}

static void an_outcome_is_the_remote_key_s_word_alone(void **state)
{
	struct wire_message message = message_of(77, 0, 1);
	struct cs_hash id = wire_message_id(&message.head);
	(void)state;
	assert_int_equal(gateway_write(&gateway, write_source, &message), CS_OK);
	assert_int_equal(push(json_pack("[o]", outcome_item(30, &id, 2, FLAW_KEY)), 20), 30);
	assert_int_equal(row_of(&id, RELAY_SOURCE).state, RELAY_SIGNED);
	assert_int_equal(push(json_pack("[o]", outcome_item(31, &id, 3, FLAW_NONE)), 30), 31);
	assert_int_equal(row_of(&id, RELAY_SOURCE).outcome, WIRE_STATUS_DEAD);
	uint64_t statement = row_of(&id, RELAY_SOURCE).outcome_statement;
	assert_int_equal(push(json_pack("[o]", outcome_item(32, &id, 3, FLAW_KEY)), 31), 32);
	assert_int_equal(row_of(&id, RELAY_SOURCE).outcome_statement, statement);
}

static enum cs_err write_failed(void *context)
{
	return gateway_journal_move(gateway.journal, context, RELAY_ON_FAIL);
}

static void a_statement_is_replaced_by_a_signed_one_alone(void **state)
{
	struct wire_message message = message_of(500, 1, 0);
	struct cs_hash id = wire_message_id(&message.head);
	(void)state;
	assert_int_equal(push(json_pack("[o]", batch_item(40, 500, 1, FLAW_NONE)), 32), 40);
	struct gateway_message row = row_of(&id, RELAY_DESTINATION);
	assert_int_equal(gateway_write(&gateway, write_failed, &row), CS_OK);
	assert_int_equal(push(json_pack("[o]", batch_item(41, 500, 2, FLAW_KEY)), 40), 41);
	assert_int_equal(row_of(&id, RELAY_DESTINATION).statement, row.statement);
	assert_int_equal(push(json_pack("[o]", batch_item(42, 500, 2, FLAW_NONE)), 41), 42);
	assert_int_not_equal(row_of(&id, RELAY_DESTINATION).statement, row.statement);
}

static enum cs_err drop_held(void *context)
{
	struct gateway_held_route route;
	uint64_t n = 0;
	(void)context;
	while (gateway_journal_held_next(gateway.journal, "b", &n, &route) == CS_OK)
		CS_TRY(gateway_journal_held_done(gateway.journal, n));
	return CS_OK;
}

static void what_a_key_signed_that_is_not_learned_yet_waits(void **state)
{
	(void)state;
	size_t before = rows();
	/* An epoch that was passed over when a later one was registered is nobody's, and holds up nothing. */
	json_t *items = json_pack("[o,o]", batch_item(43, 604, 1, FLAW_OLD_EPOCH),
				  batch_item(44, 601, 1, FLAW_NONE));
	assert_int_equal(push(items, 42), 44);
	assert_int_equal(rows(), before + 1);
	assert_int_equal(held(), 0);
	/* A journal that is not the peer's: what it sends waits for ever, and nothing of the peer's does. */
	struct answer answer = pushed_as("fedcba9876543210fedcba9876543210",
					 json_pack("[o]", batch_item(1, 605, 1, FLAW_EPOCH)), 0);
	assert_int_equal(answer.status, 200);
	json_decref(answer.body);
	assert_int_equal(held(), 1);
	assert_int_equal(push(json_pack("[o]", batch_item(45, 606, 1, FLAW_NONE)), 44), 45);
	assert_int_equal(rows(), before + 2);
	/* What is before it is taken; it, and what is behind it of its route, is written down and waits. */
	items = json_pack("[o,o,o]", batch_item(46, 607, 1, FLAW_NONE),
			  batch_item(47, 602, 1, FLAW_EPOCH), batch_item(48, 603, 1, FLAW_NONE));
	assert_int_equal(push(items, 45), 48);
	assert_int_equal(rows(), before + 3);
	assert_int_equal(held(), 3);
	/* And the same again, as after a lost answer, is no more. */
	items = json_pack("[o,o]", batch_item(47, 602, 1, FLAW_EPOCH),
			  batch_item(48, 603, 1, FLAW_NONE));
	assert_int_equal(push(items, 46), 48);
	assert_int_equal(held(), 3);
	/* Another group's begin without them. */
	assert_int_equal(gateway_write(&gateway, drop_held, NULL), CS_OK);
	assert_int_equal(held(), 0);
}

/* ---- a peer whose enclave is to be seen ---- */

static struct gateway_attested_time now(void)
{
	return (struct gateway_attested_time){host_now_ms(), host_wall_ms()};
}

/* As the child of attested_check says it, of an enclave with the key that signs here, or another. */
static void look(struct gateway_peer *peer, enum gateway_attested_answer answer, bool has_key)
{
	struct gateway_attested_verdict verdict = {.answer = answer, .key_count = 1};
	verdict.keys[0].identity = gateway.config.manifest.chains[1].identity;
	verdict.keys[0].epoch = EPOCH;
	assert_int_equal(cs_key_x(gateway.sig, &verdict.keys[0].x, &remote_key), CS_OK);
	verdict.keys[0].x.b[0] ^= !has_key;
	gateway_attested_asked(&peer->attested, now());
	gateway_attested_told(&peer->attested, &verdict, 1800000, now());
	/* Nobody else asks: there is no such program. */
	gateway_attested_asked(&peer->attested, now());
}

static const char *attested_state(void)
{
	static char text[16];
	struct answer answer = call("GET", "/v1/status", read_key, NULL);
	const json_t *peer = json_array_get(json_object_get(answer.body, "peers"), 0);
	snprintf(text, sizeof(text), "%s",
		 json_string_value(json_object_get(json_object_get(peer, "attested"), "state")));
	json_decref(answer.body);
	return text;
}

static void nothing_of_a_peer_that_is_not_attested(void **state)
{
	struct gateway_peer *peer = gateway_peer_named(&gateway, "b");
	const size_t before = rows();
	(void)state;
	assert_string_equal(attested_state(), "off");
	gateway_attested_begin(&peer->attested, now());
	gateway_attested_asked(&peer->attested, now());
	assert_string_equal(attested_state(), "unknown");
	refused(pushed(json_pack("[o]", batch_item(101, 701, 1, FLAW_NONE)), 100), 503,
		"not-attested", "b is unknown");
	look(peer, GATEWAY_ANSWER_REFUSED, true);
	assert_string_equal(attested_state(), "refused");
	refused(pushed(json_pack("[o]", batch_item(101, 701, 1, FLAW_NONE)), 100), 503,
		"not-attested", "b is refused");
	/* Before it is read: of whoever is not seen nothing is looked at. */
	refused(call("POST", "/v1/peer/envelopes", peer_key, "{}"), 503, "not-attested", NULL);
	assert_int_equal(rows(), before);
	look(peer, GATEWAY_ANSWER_ACCEPTED, true);
	assert_string_equal(attested_state(), "accepted");
	assert_int_equal(push(json_pack("[o]", batch_item(101, 701, 1, FLAW_NONE)), 100), 101);
	assert_int_equal(rows(), before + 1);
	/* What we have for it, it gets meanwhile, too. */
	gateway_attested_begin(&peer->attested, now());
	gateway_attested_asked(&peer->attested, now());
	struct answer answer = call("GET", "/v1/peer/envelopes?after=0&instance=", peer_key, NULL);
	assert_int_equal(answer.status, 200);
	json_decref(answer.body);
	gateway_attested_end(&peer->attested, now());
}

/* The contract's key signed it, and the enclave that was seen has another: it waits, and what is behind
 * it, until an enclave has shown it. */
static void a_key_that_the_enclave_has_not_shown(void **state)
{
	struct gateway_peer *peer = gateway_peer_named(&gateway, "b");
	const size_t before = rows();
	(void)state;
	gateway_attested_begin(&peer->attested, now());
	look(peer, GATEWAY_ANSWER_ACCEPTED, false);
	json_t *items = json_pack("[{s:i,s:s},o,{s:i,s:s}]", "n", 110, "kind", "surprise",
				  batch_item(111, 711, 1, FLAW_NONE), "n", 112, "kind", "surprise");
	assert_int_equal(push(items, 101), 110);
	assert_int_equal(rows(), before);
	assert_string_equal(attested_state(), "unknown");
	refused(pushed(json_pack("[o]", batch_item(111, 711, 1, FLAW_NONE)), 110), 503,
		"not-attested", "has not shown");
	look(peer, GATEWAY_ANSWER_ACCEPTED, false);
	refused(pushed(json_pack("[o]", batch_item(111, 711, 1, FLAW_NONE)), 110), 503,
		"not-attested", "does not have");
	look(peer, GATEWAY_ANSWER_ACCEPTED, true);
	assert_int_equal(push(json_pack("[o]", batch_item(111, 711, 1, FLAW_NONE)), 110), 111);
	assert_int_equal(rows(), before + 1);
	gateway_attested_end(&peer->attested, now());
}

static void a_cursor_that_nothing_has_is_refused(void **state)
{
	char path[160];
	uint64_t acked = 1;
	(void)state;
	snprintf(path, sizeof(path), "/v1/peer/envelopes?after=9223372036854775807&instance=%s",
		 gateway_journal_instance(gateway.journal));
	refused(call("GET", path, peer_key, NULL), 409, "conflict", "after");
	assert_int_equal(gateway_journal_ack(gateway.journal, "b", &acked), CS_OK);
	assert_int_equal(acked, 0);
}

static void what_came_is_shown_with_its_steps(void **state)
{
	struct gateway_message list[4];
	size_t count = 0;
	char path[128];
	char hex[65];
	(void)state;
	assert_int_equal(push(json_pack("[o]", envelope_item(20, 9, false)), 8), 20);
	const struct gateway_filter filter = {.state = RELAY_SIGNED};
	uint64_t next = 0;
	assert_int_equal(gateway_journal_list(gateway.journal, &filter, 0, list, 1, &count, &next),
			 CS_OK);
	assert_int_equal(count, 1);
	cs_hex(hex, CS_BYTES_OF(list[0].id.b));
	snprintf(path, sizeof(path), "/v1/messages/0x%s", hex);
	struct answer answer = call("GET", path, read_key, NULL);
	assert_int_equal(answer.status, 200);
	assert_int_equal(json_array_size(json_object_get(answer.body, "steps")), RELAY_STEP_COUNT);
	assert_string_equal(json_string_value(json_object_get(answer.body, "state")), "signed");
	assert_string_equal(json_string_value(json_object_get(answer.body, "side")), "destination");
	json_decref(answer.body);
	snprintf(path, sizeof(path), "/v1/messages/0x%s/retry", hex);
	refused(call("POST", path, all_key, NULL), 409, "conflict", "failed");
	snprintf(path, sizeof(path), "/v1/messages/0x%s/abandon", hex);
	refused(call("POST", path, all_key, NULL), 409, "conflict", "until its deadline");
	snprintf(path, sizeof(path), "/v1/messages/0x%s/envelope", hex);
	answer = call("GET", path, read_key, NULL);
	assert_int_equal(answer.status, 200);
	assert_non_null(json_object_get(answer.body, "statement"));
	json_decref(answer.body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys_and_scopes_are_asked_for),
		cmocka_unit_test(health_says_what_is_missing),
		cmocka_unit_test(messages_are_looked_up_strictly),
		cmocka_unit_test(bad_messages_are_refused),
		cmocka_unit_test(bad_transfers_are_refused),
		cmocka_unit_test(an_oversized_body_is_refused),
		cmocka_unit_test(a_peer_is_taken_once_and_in_order),
		cmocka_unit_test(what_came_is_shown_with_its_steps),
		cmocka_unit_test(an_outcome_is_the_remote_key_s_word_alone),
		cmocka_unit_test(a_statement_is_replaced_by_a_signed_one_alone),
		cmocka_unit_test(what_a_key_signed_that_is_not_learned_yet_waits),
		cmocka_unit_test(nothing_of_a_peer_that_is_not_attested),
		cmocka_unit_test(a_key_that_the_enclave_has_not_shown),
		cmocka_unit_test(a_cursor_that_nothing_has_is_refused),
	};
	return cmocka_run_group_tests(tests, start, stop);
}
