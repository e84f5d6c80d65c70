#include "gateway/attested_state.h"

#include "core/utc.h"
#include "host/json_values.h"
#include "host/log.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

/* Exit statuses of the command; docs/attestation.md. */
enum exit_status {
	EXIT_AFFIRMING = 0,
	EXIT_INSECURE = 3,
	EXIT_WHOLE_MACHINE = 4,
	EXIT_WARNING = 5,
	EXIT_CONTRAINDICATED = 6,
	EXIT_NONE = 7,
};

const char *gateway_attested_name(enum gateway_attested state)
{
	static const char *const names[] = {"off", "unknown", "accepted", "refused"};
	cs_assert(state < GATEWAY_ATTESTED_COUNT);
	return names[state];
}

const char *gateway_attested_answer_name(enum gateway_attested_answer answer)
{
	static const char *const names[] = {"none", "accepted", "refused"};
	cs_assert(answer < GATEWAY_ANSWER_COUNT);
	return names[answer];
}

/* ---- what a question came to ---- */

CS_PRINTF(2, 3)
static void say(struct gateway_attested_verdict *verdict, const char *format, ...)
{
	char text[4 * GATEWAY_ATTESTED_WHY_MAX];
	va_list args;
	va_start(args, format);
	(void)vsnprintf(text, sizeof text, format, args);
	va_end(args);
	host_plain_text(verdict->why, sizeof verdict->why, text, strlen(text));
}

void gateway_attested_fail(struct gateway_attested_verdict *verdict, const char *why)
{
	*verdict = (struct gateway_attested_verdict){.answer = GATEWAY_ANSWER_NONE};
	say(verdict, "%s", why);
}

static const char *text_of(const json_t *json, const char *name)
{
	const char *text = json_string_value(json_object_get(json, name));
	return text != NULL ? text : "";
}

static const json_t *check_named(const json_t *checks, const char *name)
{
	for (size_t i = 0; i < json_array_size(checks); i++)
		if (strcmp(text_of(json_array_get(checks, i), "name"), name) == 0)
			return json_array_get(checks, i);
	return NULL;
}

static void refuse(struct gateway_attested_verdict *verdict)
{
	verdict->answer = GATEWAY_ANSWER_REFUSED;
	verdict->key_count = 0;
}

/* The first that failed is what a person begins with. */
static void refuse_by_checks(struct gateway_attested_verdict *verdict, const json_t *checks)
{
	refuse(verdict);
	say(verdict, "the evidence is refused");
	for (size_t i = 0; i < json_array_size(checks); i++) {
		const json_t *check = json_array_get(checks, i);
		if (!json_is_false(json_object_get(check, "ok")))
			continue;
		say(verdict, "%s: %s", text_of(check, "name"), text_of(check, "detail"));
		return;
	}
}

/* The command's verdict is of evidence; that the evidence is this connection's, of our bridge and of a
 * build that somebody named is asked for here, each by its name: a check that was not made has not
 * passed. */
static bool is_complete(struct gateway_attested_verdict *verdict, const json_t *json)
{
	static const char *const wanted[] = {
		"tls",         "channel-binding", "certificate", "certificate-report",
		"one-enclave", "nonce",           "lineage",     "policy-measurements"};
	const json_t *checks = json_object_get(json, "checks");
	const char *role = text_of(json_object_get(json, "report"), "role");
	for (size_t i = 0; i < CS_LEN(wanted); i++) {
		const json_t *check = check_named(checks, wanted[i]);
		if (json_is_true(json_object_get(check, "ok")))
			continue;
		refuse(verdict);
		if (check == NULL && strcmp(wanted[i], "policy-measurements") == 0)
			say(verdict, "the policy lists no measurements: it would admit every "
				     "machine of the vendor's");
		else
			say(verdict, "%s: the check was not passed", wanted[i]);
		return false;
	}
	if (strcmp(role, "bridge-enclave") == 0)
		return true;
	refuse(verdict);
	say(verdict, "its role is \"%s\": not the enclave of a gateway", role);
	return false;
}

static bool read_keys(struct gateway_attested_verdict *verdict, const json_t *list)
{
	if (!json_is_array(list) || json_array_size(list) > GATEWAY_ATTESTED_KEYS_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *row = json_array_get(list, i);
		struct gateway_attested_key *key = &verdict->keys[i];
		struct cs_why why = {{0}};
		if (host_json_read_hash(row, "identity", &key->identity, &why) != CS_OK ||
		    host_json_read_u64(row, "epoch", &key->epoch, &why) != CS_OK ||
		    host_json_read_hash(row, "public_key", &key->x, &why) != CS_OK)
			return false;
	}
	verdict->key_count = json_array_size(list);
	return true;
}

/* Evidence that rests on nothing with an end has null. */
static bool read_until(struct gateway_attested_verdict *verdict, const json_t *until)
{
	return !json_is_string(until)
		       ? until == NULL || json_is_null(until)
		       : cs_utc_parse(&verdict->evidence_until_s,
				      cs_bytes_str(json_string_value(until))) == CS_OK;
}

static void judge(struct gateway_attested_verdict *verdict, int status, const json_t *json)
{
	static const char *const tiers[] = {[EXIT_AFFIRMING] = "affirming",
					    [EXIT_INSECURE] = "warning",
					    [EXIT_WHOLE_MACHINE] = "warning",
					    [EXIT_WARNING] = "warning",
					    [EXIT_CONTRAINDICATED] = "contraindicated",
					    [EXIT_NONE] = "none"};
	const json_t *checks = json_object_get(json, "checks");
	if (strcmp(text_of(json, "status"), tiers[status]) != 0 || !json_is_array(checks)) {
		gateway_attested_fail(verdict, "what was printed contradicts the exit status");
		return;
	}
	const char *kind = text_of(json, "kind");
	host_plain_text(verdict->kind, sizeof verdict->kind, kind, strlen(kind));
	if (status == EXIT_CONTRAINDICATED) {
		refuse_by_checks(verdict, checks);
		return;
	}
	if (status == EXIT_NONE) {
		refuse(verdict);
		say(verdict, "nothing can be said of the hardware: collateral is missing");
		return;
	}
	if (!is_complete(verdict, json))
		return;
	if (!read_keys(verdict, json_object_get(json_object_get(json, "report"), "keys"))) {
		gateway_attested_fail(verdict, "the keys that were printed are none");
		return;
	}
	if (!read_until(verdict, json_object_get(json, "until"))) {
		gateway_attested_fail(verdict, "the end that was printed is none");
		return;
	}
	verdict->insecure = status == EXIT_INSECURE;
	verdict->answer = GATEWAY_ANSWER_ACCEPTED;
}

static bool is_verdict(int status)
{
	return status == EXIT_AFFIRMING || (status >= EXIT_INSECURE && status <= EXIT_NONE);
}

void gateway_attested_read(struct gateway_attested_verdict *verdict, int status,
			   struct cs_bytes output)
{
	json_t *json = output.n == 0 ? NULL
				     : json_loadb((const char *)output.p, output.n,
						  JSON_REJECT_DUPLICATES, NULL);
	*verdict = (struct gateway_attested_verdict){.answer = GATEWAY_ANSWER_NONE};
	if (is_verdict(status) && json_is_object(json))
		judge(verdict, status, json);
	else if (is_verdict(status))
		gateway_attested_fail(verdict, "what was printed cannot be read");
	else if (text_of(json, "error")[0] != '\0')
		gateway_attested_fail(verdict, text_of(json, "error"));
	else
		say(verdict, "`caisson attest connect` ended with status %d", status);
	json_decref(json);
}

/* ---- the states ---- */

static void set_why(struct gateway_attested_peer *peer, const char *why)
{
	(void)snprintf(peer->why, sizeof peer->why, "%s", why);
}

static void move(struct gateway_attested_peer *peer, enum gateway_attested state,
		 struct gateway_attested_time now)
{
	if (peer->state != state)
		peer->since_ms = now.wall_ms;
	peer->state = state;
	if (state != GATEWAY_ATTESTED_ACCEPTED) {
		peer->until_ms = 0;
		peer->insecure = false;
		peer->evidence_until_s = 0;
		peer->key_count = 0;
	}
}

static void forget(struct gateway_attested_peer *peer)
{
	peer->misses = false;
	peer->kind[0] = '\0';
	set_why(peer, "");
}

void gateway_attested_begin(struct gateway_attested_peer *peer, struct gateway_attested_time now)
{
	move(peer, GATEWAY_ATTESTED_UNKNOWN, now);
	forget(peer);
	set_why(peer, "it was not asked yet");
	peer->since_ms = now.wall_ms;
	peer->asking = false;
	peer->next_ms = now.now_ms;
}

void gateway_attested_end(struct gateway_attested_peer *peer, struct gateway_attested_time now)
{
	move(peer, GATEWAY_ATTESTED_OFF, now);
	forget(peer);
	peer->asking = false;
}

void gateway_attested_hurry(struct gateway_attested_peer *peer, struct gateway_attested_time now)
{
	peer->next_ms = now.now_ms;
}

bool gateway_attested_step(struct gateway_attested_peer *peer, struct gateway_attested_time now)
{
	if (peer->state == GATEWAY_ATTESTED_OFF)
		return false;
	if (peer->state == GATEWAY_ATTESTED_ACCEPTED && now.now_ms >= peer->until_ms) {
		char before[sizeof peer->why];
		memcpy(before, peer->why, sizeof before);
		move(peer, GATEWAY_ATTESTED_UNKNOWN, now);
		set_why(peer, before[0] != '\0' ? before : "its hour is over");
	}
	return !peer->asking && now.now_ms >= peer->next_ms;
}

void gateway_attested_asked(struct gateway_attested_peer *peer, struct gateway_attested_time now)
{
	peer->asking = true;
	peer->asked_ms = now.now_ms;
}

static bool has(const struct gateway_attested_key *keys, size_t count,
		const struct gateway_attested_key *key)
{
	for (size_t i = 0; i < count; i++)
		if (cs_hash_eq(&keys[i].identity, &key->identity) && keys[i].epoch == key->epoch &&
		    cs_hash_eq(&keys[i].x, &key->x))
			return true;
	return false;
}

static void accept(struct gateway_attested_peer *peer,
		   const struct gateway_attested_verdict *verdict, struct gateway_attested_time now)
{
	move(peer, GATEWAY_ATTESTED_ACCEPTED, now);
	peer->until_ms = peer->asked_ms + GATEWAY_ATTESTED_KEEP_MS;
	peer->misses = false;
	peer->insecure = verdict->insecure;
	peer->evidence_until_s = verdict->evidence_until_s;
	memcpy(peer->keys, verdict->keys, sizeof peer->keys);
	peer->key_count = verdict->key_count;
	set_why(peer, "");
}

void gateway_attested_told(struct gateway_attested_peer *peer,
			   const struct gateway_attested_verdict *verdict, uint64_t every_ms,
			   struct gateway_attested_time now)
{
	const uint64_t retry_ms =
		every_ms < GATEWAY_ATTESTED_RETRY_MS ? every_ms : GATEWAY_ATTESTED_RETRY_MS;
	if (!peer->asking || peer->state == GATEWAY_ATTESTED_OFF)
		return;
	peer->asking = false;
	peer->answers[verdict->answer]++;
	peer->next_ms = now.now_ms + retry_ms;
	if (verdict->kind[0] != '\0')
		memcpy(peer->kind, verdict->kind, sizeof peer->kind);
	switch (verdict->answer) {
	case GATEWAY_ANSWER_NONE:
		/* A refusal was said of the enclave, this was not: it stands, with its reason. */
		if (peer->state != GATEWAY_ATTESTED_REFUSED)
			set_why(peer, verdict->why);
		return;
	case GATEWAY_ANSWER_REFUSED:
		move(peer, GATEWAY_ATTESTED_REFUSED, now);
		set_why(peer, verdict->why);
		return;
	case GATEWAY_ANSWER_ACCEPTED:
		break;
	case GATEWAY_ANSWER_COUNT:
		cs_assert(false);
	}
	if (peer->misses && !has(verdict->keys, verdict->key_count, &peer->missed)) {
		/* Asked before the statement came: the key may be younger than the answer. */
		if (peer->asked_ms < peer->missed_ms) {
			peer->next_ms = now.now_ms;
			return;
		}
		move(peer, GATEWAY_ATTESTED_REFUSED, now);
		(void)snprintf(peer->why, sizeof peer->why,
			       "it sends what a key of epoch %llu signed, which its attested "
			       "enclave does not have",
			       (unsigned long long)peer->missed.epoch);
		return;
	}
	accept(peer, verdict, now);
	peer->next_ms = now.now_ms + every_ms;
}

bool gateway_attested_allows(const struct gateway_attested_peer *peer,
			     struct gateway_attested_time now)
{
	return peer->state == GATEWAY_ATTESTED_OFF ||
	       (peer->state == GATEWAY_ATTESTED_ACCEPTED && now.now_ms < peer->until_ms);
}

bool gateway_attested_signs(struct gateway_attested_peer *peer,
			    const struct gateway_attested_key *key,
			    struct gateway_attested_time now)
{
	if (peer->state == GATEWAY_ATTESTED_OFF || has(peer->keys, peer->key_count, key))
		return true;
	move(peer, GATEWAY_ATTESTED_UNKNOWN, now);
	(void)snprintf(peer->why, sizeof peer->why,
		       "a statement is signed by a key of epoch %llu that its enclave has not "
		       "shown: it is asked again",
		       (unsigned long long)key->epoch);
	peer->misses = true;
	peer->missed = *key;
	peer->missed_ms = now.now_ms;
	peer->next_ms = now.now_ms;
	return false;
}
