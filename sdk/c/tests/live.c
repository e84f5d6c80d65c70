/* Against two running gateways, as an application: sdk_c_live, with CAISSON_SDK_WORLD naming a file that
 * describes them (tests/e2e/test_sdk.py makes it). */
#include "tests/unit/support.h"

#include <caisson/client.h>
#include <inttypes.h>
#include <signal.h>
#include <time.h>

#define END_TIMEOUT_MS 90000
#define STEPS 18u

static struct {
	json_t *json;
	struct caisson_gateway *gateway; /* of the source */
	char id[80];                     /* of a message that is finalized */
	uint32_t steps;                  /* that were told of it */
	unsigned twice;
} world;

static const char *of(size_t side, const char *name)
{
	json_t *sides = json_object_get(world.json, "sides");
	return json_string_value(json_object_get(json_array_get(sides, side), name));
}

static struct caisson_gateway *gateway_at(const char *url, size_t side, const char *api_key,
					  uint32_t patience_ms)
{
	char key[256];
	struct caisson_gateway *gateway = NULL;
	struct cs_bytes file = read_file(of(side, "key_file"));
	(void)snprintf(key, sizeof(key), "%.*s", (int)file.n, (const char *)file.p);
	key[strcspn(key, " \r\n")] = 0;
	struct caisson_options options = {
		.url = url, .api_key = api_key ? api_key : key, .patience_ms = patience_ms};
	assert_int_equal(caisson_gateway_new(&gateway, &options, NULL), CAISSON_OK);
	return gateway;
}

static struct caisson_gateway *gateway_of(size_t side, const char *api_key, uint32_t patience_ms)
{
	return gateway_at(of(side, "url"), side, api_key, patience_ms);
}

/* An account of the destination. */
static const char *abroad(const char *name)
{
	static char text[128];
	(void)snprintf(text, sizeof(text), "%s:%s", of(1, "chain"), of(1, name));
	return text;
}

static void check(enum caisson_err err, const struct caisson_error *error)
{
	if (err != CAISSON_OK)
		fail_msg("%s: %s", caisson_err_name(err), error->text);
}

static void refused(enum caisson_err err, const struct caisson_error *error, int status,
		    const char *code, const char *text)
{
	if (err != CAISSON_REFUSED || error->status != status || strcmp(error->code, code) != 0 ||
	    !strstr(error->text, text))
		fail_msg("%s: %s, not %d %s %s", caisson_err_name(err), error->text, status, code,
			 text);
}

/* Its supervisor starts it again. */
static void kill_gateway(void)
{
	char path[96];
	char name[32];
	json_t *side = json_array_get(json_object_get(world.json, "sides"), 0);
	json_int_t supervisor = json_integer_value(json_object_get(side, "supervisor"));
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)supervisor,
		       (int)supervisor);
	FILE *children = fopen(path, "r");
	int pid = 0;
	assert_non_null(children);
	while (fscanf(children, "%d", &pid) == 1) {
		(void)snprintf(path, sizeof(path), "/proc/%d/comm", pid);
		FILE *comm = fopen(path, "r");
		if (comm && fscanf(comm, "%31s", name) == 1 && strcmp(name, "caisson-gateway") == 0)
			kill(pid, SIGKILL);
		if (comm)
			fclose(comm);
	}
	fclose(children);
}

static void send_text(struct caisson_answer **request, const char *text)
{
	struct caisson_error error;
	struct caisson_send send = {.mode = CAISSON_SPONSORED,
				    .to = abroad("app"),
				    .payload = text,
				    .payload_size = strlen(text)};
	check(caisson_send_message(world.gateway, request, &send, &error), &error);
}

static void wait_for(struct caisson_answer **message, const struct caisson_answer *request,
		     caisson_on_change *on_change, void *context)
{
	struct caisson_error error;
	check(caisson_wait(world.gateway, message, caisson_answer_text(request, "request_id"), NULL,
			   END_TIMEOUT_MS, on_change, context, &error),
	      &error);
}

/* ---- one sponsored transfer, watched to its end ---- */

static void on_change(void *context, const struct caisson_answer *message, uint32_t steps)
{
	(void)context;
	assert_true(caisson_answer_has(message, "state"));
	world.twice += (world.steps & steps) != 0;
	world.steps |= steps;
}

static int start(void **state)
{
	(void)state;
	struct caisson_error error;
	struct caisson_answer *request = NULL;
	struct caisson_answer *message = NULL;
	world.json = json_load_file(getenv("CAISSON_SDK_WORLD"), 0, NULL);
	assert_non_null(world.json);
	world.gateway = gateway_of(0, NULL, 0);
	struct caisson_send send = {
		.mode = CAISSON_SPONSORED, .to = abroad("friend"), .amount = "2000000000000000000"};
	check(caisson_transfer(world.gateway, &request, &send, &error), &error);
	wait_for(&message, request, on_change, NULL);
	assert_string_equal(caisson_answer_text(message, "state"), "finalized");
	assert_string_equal(caisson_answer_text(message, "outcome"), "delivered");
	(void)snprintf(world.id, sizeof(world.id), "%s", caisson_answer_text(message, "id"));
	caisson_answer_free(request);
	caisson_answer_free(message);
	return 0;
}

static int end(void **state)
{
	(void)state;
	caisson_gateway_free(world.gateway);
	json_decref(world.json);
	return 0;
}

static void the_transfer_arrived(void **state)
{
	(void)state;
	struct caisson_error error;
	struct caisson_answer *message = NULL;
	assert_int_equal(world.steps, (UINT32_C(1) << STEPS) - 1); /* each once */
	assert_int_equal(world.twice, 0);
	check(caisson_message(world.gateway, &message, world.id, "source", &error), &error);
	assert_int_equal(caisson_answer_count(message, "steps"), STEPS);
	assert_true(caisson_answer_is_true(message, "ended"));
	caisson_answer_free(message);
}

/* ---- watching ---- */

static void kill_at_first(void *context, const struct caisson_answer *message, uint32_t steps)
{
	unsigned *changes = context;
	(void)message;
	(void)steps;
	if (++*changes == 1)
		kill_gateway();
}

static void waiting_outlives_the_gateway(void **state)
{
	(void)state;
	struct caisson_answer *request = NULL;
	struct caisson_answer *message = NULL;
	unsigned changes = 0;
	send_text(&request, "the gateway dies");
	wait_for(&message, request, kill_at_first, &changes);
	assert_string_equal(caisson_answer_text(message, "state"), "finalized");
	assert_true(changes > 1);
	caisson_answer_free(request);
	caisson_answer_free(message);
}

static void it_may_last_too_long(void **state)
{
	(void)state;
	struct caisson_error error;
	struct caisson_answer *request = NULL;
	struct caisson_answer *message = NULL;
	send_text(&request, "too long");
	assert_int_equal(caisson_wait(world.gateway, &message,
				      caisson_answer_text(request, "request_id"), NULL, 0, NULL,
				      NULL, &error),
			 CAISSON_TIMED_OUT);
	assert_null(message);
	wait_for(&message, request, NULL, NULL);
	caisson_answer_free(request);
	caisson_answer_free(message);
}

#define EVENTS_MAX 4096u

struct heard {
	uint64_t cursors[EVENTS_MAX];
	size_t count;
	size_t enough; /* 0: until `id` is finalized */
	bool kills;
	char id[80];
	time_t end;
	struct caisson_answer *request;
};

static bool on_event(void *context, const struct caisson_answer *event)
{
	struct heard *heard = context;
	struct caisson_error error;
	struct caisson_answer *message = NULL;
	if (!event && heard->kills && !heard->request)
		send_text(&heard->request, "events");
	if (!event)
		return time(NULL) < heard->end;
	assert_true(heard->count < EVENTS_MAX);
	assert_true(caisson_answer_number(event, "cursor", heard->cursors + heard->count++));
	if (heard->enough)
		return heard->count < heard->enough;
	if (heard->count == 2)
		kill_gateway();
	const char *state = caisson_answer_text(event, "state");
	const char *id = caisson_answer_text(event, "id");
	if (!heard->request || !id || !state || strcmp(state, "finalized") != 0)
		return true;
	/* The other functions are there meanwhile. */
	check(caisson_message(world.gateway, &message,
			      caisson_answer_text(heard->request, "request_id"), NULL, &error),
	      &error);
	const char *ours = caisson_answer_text(message, "id");
	bool done = ours && strcmp(ours, id) == 0;
	caisson_answer_free(message);
	return !done;
}

/* Each once, in order; another reader, from a cursor in the middle, gets the rest of the same. */
static void events_outlive_the_gateway(void **state)
{
	(void)state;
	static struct heard heard;
	static struct heard again;
	struct caisson_error error;
	uint64_t cursor = CAISSON_CURSOR_NOW;
	heard = (struct heard){.kills = true, .end = time(NULL) + END_TIMEOUT_MS / 1000};
	check(caisson_events(world.gateway, &cursor, on_event, &heard, &error), &error);
	assert_true(time(NULL) < heard.end && heard.count > 2);
	for (size_t i = 1; i < heard.count; i++)
		assert_int_equal(heard.cursors[i], heard.cursors[0] + i);
	assert_int_equal(cursor, heard.cursors[heard.count - 1]);
	cursor = heard.cursors[1];
	again = (struct heard){.enough = heard.count - 2, .end = heard.end};
	check(caisson_events(world.gateway, &cursor, on_event, &again, &error), &error);
	assert_int_equal(again.count, heard.count - 2);
	assert_memory_equal(again.cursors, heard.cursors + 2, again.count * sizeof(uint64_t));
	cursor = 1000000000000;
	refused(caisson_events(world.gateway, &cursor, on_event, &again, &error), &error, 409,
		"conflict", "cursor");
	caisson_answer_free(heard.request);
}

/* ---- creating ---- */

static void what_the_application_signs(void **state)
{
	(void)state;
	struct caisson_error error;
	struct caisson_answer *request = NULL;
	struct caisson_answer *message = NULL;
	struct caisson_send send = {.mode = CAISSON_PREPARE,
				    .to = abroad("app"),
				    .payload = "prepared",
				    .payload_size = 8,
				    .from = of(0, "user"),
				    .min_gas_limit = 150000,
				    .refund_to = of(0, "user")};
	check(caisson_send_message(world.gateway, &request, &send, &error), &error);
	assert_int_equal(caisson_answer_count(request, "transactions"), 1);
	assert_string_equal(caisson_answer_text(request, "transactions/0/from"), of(0, "user"));
	assert_string_equal(caisson_answer_text(request, "transactions/0/to"), of(0, "gateway"));
	check(caisson_message(world.gateway, &message, caisson_answer_text(request, "request_id"),
			      NULL, &error),
	      &error);
	assert_string_equal(caisson_answer_text(message, "state"), "requested");
	caisson_answer_free(message);
	caisson_answer_free(request);
}

static void an_idempotency_key_is_answered_once(void **state)
{
	(void)state;
	char key[64];
	char first[64];
	struct caisson_error error;
	struct caisson_answer *request = NULL;
	struct caisson_gateway *hasty = gateway_of(0, NULL, UINT32_MAX);
	(void)snprintf(key, sizeof(key), "of the test %lld", (long long)time(NULL));
	struct caisson_send send = {.mode = CAISSON_PREPARE,
				    .to = abroad("app"),
				    .payload = "once",
				    .payload_size = 4,
				    .idempotency_key = key};
	check(caisson_send_message(hasty, &request, &send, &error), &error);
	(void)snprintf(first, sizeof(first), "%s", caisson_answer_text(request, "request_id"));
	caisson_answer_free(request);
	check(caisson_send_message(hasty, &request, &send, &error), &error);
	assert_string_equal(caisson_answer_text(request, "request_id"), first);
	caisson_answer_free(request);
	send.payload = "othr";
	refused(caisson_send_message(hasty, &request, &send, &error), &error, 409, "conflict",
		"Idempotency-Key");
	send.idempotency_key = NULL;
	check(caisson_send_message(hasty, &request, &send, &error), &error);
	assert_string_not_equal(caisson_answer_text(request, "request_id"), first);
	caisson_answer_free(request);
	caisson_gateway_free(hasty);
}

/* Under keys of the library's own, one for each call. What the gateway got of it, whoever started this
 * program looks at. */
static void a_lost_answer_makes_no_second_message(void **state)
{
	(void)state;
	static const char text[] = "lost and sent again by C";
	struct caisson_error error;
	struct caisson_answer *requests[2] = {NULL, NULL};
	struct caisson_send send = {.mode = CAISSON_SPONSORED,
				    .to = abroad("app"),
				    .payload = text,
				    .payload_size = sizeof(text) - 1};
	const char *url = json_string_value(json_object_get(world.json, "losing"));
	struct caisson_gateway *losing = gateway_at(url, 0, NULL, 0);
	for (size_t i = 0; i < CS_LEN(requests); i++)
		check(caisson_send_message(losing, &requests[i], &send, &error), &error);
	assert_string_not_equal(caisson_answer_text(requests[0], "request_id"),
				caisson_answer_text(requests[1], "request_id"));
	for (size_t i = 0; i < CS_LEN(requests); i++) {
		struct caisson_answer *message = NULL;
		wait_for(&message, requests[i], NULL, NULL);
		assert_string_equal(caisson_answer_text(message, "state"), "finalized");
		caisson_answer_free(message);
		caisson_answer_free(requests[i]);
	}
	caisson_gateway_free(losing);
}

/* The trace is on the message at both gateways; what of it is wrong is ignored, and the message goes all the same. */
static void who_carries_it(void **state)
{
	(void)state;
	static const char parent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
	static const struct {
		const char *parent, *tracestate, *taken_parent, *taken_state;
	} rows[] = {
		{parent, "vendor=1, other@vendor=2", parent, "vendor=1,other@vendor=2"},
		{parent, "vendor=1,vendor=2", parent, NULL},
		{parent, NULL, parent, NULL},
		{"00-none", "vendor=1", NULL, NULL},
	};
	static const char *const wrong[] = {"a=1\r\nX: 1", "a=\xc3\xa9", "a=\x7f"};
	struct caisson_error error;
	struct caisson_answer *request = NULL;
	struct caisson_answer *message = NULL;
	struct caisson_gateway *other = gateway_of(1, NULL, 0);
	struct caisson_send send = {.mode = CAISSON_SPONSORED,
				    .to = abroad("app"),
				    .payload = "traced",
				    .payload_size = 6};
	for (size_t i = 0; i < CS_LEN(rows); i++) {
		struct caisson_answer *there = NULL;
		send.traceparent = rows[i].parent;
		send.tracestate = rows[i].tracestate;
		check(caisson_send_message(world.gateway, &request, &send, &error), &error);
		wait_for(&message, request, NULL, NULL);
		check(caisson_message(other, &there, caisson_answer_text(message, "id"), NULL,
				      &error),
		      &error);
		const struct caisson_answer *const both[] = {message, there};
		for (size_t k = 0; k < 2; k++) {
			const char *taken = caisson_answer_text(both[k], "traceparent");
			const char *with = caisson_answer_text(both[k], "tracestate");
			assert_string_equal(taken ? taken : "", rows[i].taken_parent ? parent : "");
			assert_string_equal(with ? with : "",
					    rows[i].taken_state ? rows[i].taken_state : "");
		}
		caisson_answer_free(request);
		caisson_answer_free(message);
		caisson_answer_free(there);
	}
	struct caisson_answer *none = NULL;
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		send.traceparent = parent;
		send.tracestate = wrong[i];
		assert_int_equal(caisson_send_message(world.gateway, &none, &send, &error),
				 CAISSON_INVALID);
		assert_non_null(strstr(error.text, "tracestate"));
		send.traceparent = wrong[i];
		assert_int_equal(caisson_send_message(world.gateway, &none, &send, &error),
				 CAISSON_INVALID);
		assert_non_null(strstr(error.text, "traceparent"));
	}
	caisson_gateway_free(other);
}

static void refusals(void **state)
{
	(void)state;
	static const char large[16385];
	struct caisson_error error;
	struct caisson_answer *none = NULL;
	const char *app = abroad("app");
	const struct {
		struct caisson_send send;
		int status;
		const char *code;
		const char *text;
	} messages[] = {
		{{.to = "somebody", .mode = CAISSON_PREPARE}, 400, "malformed", "to"},
		{{.to = "eip155:5:0x1111111111111111111111111111111111111111",
		  .mode = CAISSON_PREPARE},
		 403,
		 "not-in-manifest",
		 "to"},
		{{.to = app,
		  .mode = CAISSON_PREPARE,
		  .payload = large,
		  .payload_size = sizeof(large)},
		 413,
		 "too-large",
		 "payload"},
		{{.to = app, .mode = CAISSON_PREPARE, .from_chain = "eip155:5"},
		 404,
		 "not-found",
		 "from_chain"},
		{{.to = app, .mode = CAISSON_SPONSORED, .deadline = 1},
		 422,
		 "reverted",
		 "attributes.deadline"},
		{{.to = app, .mode = CAISSON_SUBMIT, .transaction = "0x00"},
		 501,
		 "unsupported",
		 "transaction"},
	};
	for (size_t i = 0; i < CS_LEN(messages); i++)
		refused(caisson_send_message(world.gateway, &none, &messages[i].send, &error),
			&error, messages[i].status, messages[i].code, messages[i].text);
	struct caisson_send transfer = {.to = app, .mode = CAISSON_SPONSORED, .amount = "-1"};
	refused(caisson_transfer(world.gateway, &none, &transfer, &error), &error, 400, "malformed",
		"amount");
	transfer.amount = "170141183460469231731687303715884105728";
	refused(caisson_transfer(world.gateway, &none, &transfer, &error), &error, 402, "no-funds",
		"amount");
	refused(caisson_message(world.gateway, &none, world.id, "destination", &error), &error, 404,
		"not-found", "");
	refused(caisson_message(world.gateway, &none, "../../healthz?x=#", NULL, &error), &error,
		400, "malformed", "id");
	refused(caisson_get(world.gateway, &none, "/v1/messages?limit=201", &error), &error, 400,
		"invalid", "limit");
	assert_null(none);
}

static void keys_of_others(void **state)
{
	(void)state;
	struct caisson_error error;
	struct caisson_answer *none = NULL;
	struct caisson_gateway *stranger = gateway_of(0, "not-a-key-of-this-gateway-at-all", 0);
	struct caisson_gateway *peer = gateway_of(0, of(0, "peer_key"), 0);
	uint64_t cursor = 1;
	struct heard heard = {.end = time(NULL) + 60};
	refused(caisson_get(stranger, &none, "/v1/chains", &error), &error, 401, "unauthorized",
		"");
	refused(caisson_events(stranger, &cursor, on_event, &heard, &error), &error, 401,
		"unauthorized", "");
	refused(caisson_get(peer, &none, "/v1/messages", &error), &error, 403, "forbidden",
		"scope");
	caisson_gateway_free(stranger);
	caisson_gateway_free(peer);
}

/* ---- verifying ---- */

static void what_both_gateways_give_is_proven(void **state)
{
	(void)state;
	struct caisson_error error;
	for (size_t side = 0; side < 2; side++) {
		struct caisson_gateway *gateway = gateway_of(side, NULL, 0);
		struct caisson_answer *envelope = NULL;
		struct caisson_verified *verified = NULL;
		struct caisson_keys keys = {.key = of(0, "public_key"),
					    .outcome_key = of(1, "public_key"),
					    .insecure_domain = true};
		char id[67] = "0x";
		check(caisson_envelope(gateway, &envelope, world.id, NULL, &error), &error);
		char *text = caisson_answer_json(envelope);
		check(caisson_verify_envelope(&verified, text, strlen(text), &keys, &error),
		      &error);
		cs_hex(id + 2, CS_BYTES_OF(verified->id));
		assert_string_equal(id, world.id);
		assert_int_equal(verified->outcome, CAISSON_DELIVERED);
		assert_true(verified->signature.insecure && verified->outcome_signature.insecure);
		caisson_verified_free(verified);
		verified = NULL;
		keys.insecure_domain = false;
		assert_int_equal(
			caisson_verify_envelope(&verified, text, strlen(text), &keys, &error),
			CAISSON_NOT_PROVEN);
		assert_non_null(strstr(error.text, "simulated or insecure"));
		keys = (struct caisson_keys){.key = of(1, "public_key"),
					     .outcome_key = of(0, "public_key"),
					     .insecure_domain = true};
		assert_int_equal(
			caisson_verify_envelope(&verified, text, strlen(text), &keys, &error),
			CAISSON_NOT_PROVEN);
		free(text);
		caisson_answer_free(envelope);
		caisson_gateway_free(gateway);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_transfer_arrived),
		cmocka_unit_test(waiting_outlives_the_gateway),
		cmocka_unit_test(it_may_last_too_long),
		cmocka_unit_test(events_outlive_the_gateway),
		cmocka_unit_test(what_the_application_signs),
		cmocka_unit_test(an_idempotency_key_is_answered_once),
		cmocka_unit_test(a_lost_answer_makes_no_second_message),
		cmocka_unit_test(who_carries_it),
		cmocka_unit_test(refusals),
		cmocka_unit_test(keys_of_others),
		cmocka_unit_test(what_both_gateways_give_is_proven),
	};
	return cmocka_run_group_tests(tests, start, end);
}
