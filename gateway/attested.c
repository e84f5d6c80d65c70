/* The enclaves behind the other gateways, where the configuration wants to see them: each is asked at the
 * start and every half hour by a child (attested_check), and what that came to decides whether anything of
 * the peer is taken (peer_in). docs/adr/0061. */
#include "gateway/gateway.h"

#include <stdio.h>
#include <string.h>

#define PROGRAM "caisson"

static struct gateway_attested_time time_now(void)
{
	return (struct gateway_attested_time){host_now_ms(), host_wall_ms()};
}

/* ---- telling it ---- */

static enum cs_err write_event(void *context)
{
	const struct gateway_peer *peer = context;
	const struct gateway_attested_peer *attested = &peer->attested;
	char detail[GATEWAY_ATTESTED_WHY_MAX + 64]; /* a name has 32 */
	(void)snprintf(detail, sizeof(detail), "%s %s%s%s", peer->name,
		       gateway_attested_name(attested->state), attested->why[0] ? ": " : "",
		       attested->why);
	return gateway_journal_event(peer->gateway->journal, GATEWAY_EVENT_PEER_ATTESTED, NULL,
				     detail);
}

/* Once for each change of the state, wherever it came from. */
static void tell(struct gateway_peer *peer)
{
	const struct gateway_attested_peer *attested = &peer->attested;
	const char *state = gateway_attested_name(attested->state);
	if (attested->state == peer->attested_told ||
	    gateway_write(peer->gateway, write_event, peer) != CS_OK)
		return;
	peer->attested_told = attested->state;
	if (attested->state == GATEWAY_ATTESTED_ACCEPTED && !attested->insecure)
		log_info("peer.attested", LOG_TEXT("peer", peer->name), LOG_TEXT("state", state),
			 LOG_TEXT("kind", attested->kind));
	else
		log_warn("peer.attested", LOG_TEXT("peer", peer->name), LOG_TEXT("state", state),
			 LOG_TEXT("kind", attested->kind), LOG_TEXT("why", attested->why),
			 LOG_TEXT("insecure",
				  attested->insecure ? "simulated, debug or test roots" : ""));
}

/* ---- asking ---- */

static void stop_asking(struct gateway_peer *peer)
{
	gateway_attested_check_free(peer->attested_check);
	peer->attested_check = NULL;
}

static void told(struct gateway_peer *peer, const struct gateway_attested_verdict *verdict)
{
	gateway_attested_told(&peer->attested, verdict,
			      (uint64_t)peer->attested_asked.every_s * 1000, time_now());
	log_debug("peer.attested_answer", LOG_TEXT("peer", peer->name),
		  LOG_TEXT("answer", gateway_attested_answer_name(verdict->answer)),
		  LOG_TEXT("why", verdict->why));
	tell(peer);
	gateway_wake(peer->gateway);
}

static void answered(void *context, const struct gateway_attested_verdict *verdict)
{
	struct gateway_peer *peer = context;
	stop_asking(peer);
	told(peer, verdict);
}

static void ask(struct gateway_peer *peer)
{
	const struct gateway_peer_attested *config = &peer->attested_asked;
	char lineage[2 * sizeof(config->lineage.b) + 1] = "";
	struct cs_why why = {{0}};
	cs_hex(lineage, CS_BYTES_OF(config->lineage.b));
	const struct gateway_attested_question question = {.program = PROGRAM,
							   .place = config->place,
							   .lineage = lineage,
							   .policy = config->policy,
							   .collateral = config->collateral,
							   .roots = config->roots,
							   .timeout_ms =
								   GATEWAY_ATTESTED_TIMEOUT_MS};
	gateway_attested_asked(&peer->attested, time_now());
	if (gateway_attested_ask(&peer->attested_check, peer->gateway->loop, &question, answered,
				 peer, &why) == CS_OK)
		return;
	struct gateway_attested_verdict verdict;
	gateway_attested_fail(&verdict, why.text);
	told(peer, &verdict);
}

void gateway_attested_tick(struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->peer_count; i++) {
		struct gateway_peer *peer = &gateway->peers[i];
		const bool due = gateway_attested_step(&peer->attested, time_now());
		tell(peer);
		if (due && !gateway->stopping)
			ask(peer);
	}
}

/* ---- who is to be asked ---- */

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

static bool same_question(const struct gateway_peer_attested *a,
			  const struct gateway_peer_attested *b)
{
	return same_text(a->place, b->place) && same_text(a->policy, b->policy) &&
	       same_text(a->collateral, b->collateral) && same_text(a->roots, b->roots) &&
	       cs_hash_eq(&a->lineage, &b->lineage);
}

void gateway_attested_configure(struct gateway_peer *peer)
{
	const struct gateway_peer_attested now =
		peer->config ? peer->config->attested : (struct gateway_peer_attested){0};
	const bool same = same_question(&peer->attested_asked, &now);
	peer->attested_asked = now;
	if (same) {
		gateway_attested_hurry(&peer->attested, time_now());
		return;
	}
	stop_asking(peer);
	if (now.place)
		gateway_attested_begin(&peer->attested, time_now());
	else
		gateway_attested_end(&peer->attested, time_now());
}

void gateway_attested_stop(struct gateway *gateway)
{
	for (size_t i = 0; i < gateway->peer_count; i++)
		stop_asking(&gateway->peers[i]);
}

/* ---- what may be taken ---- */

enum cs_err gateway_attested_gate(const struct gateway_peer *peer, struct cs_why *why)
{
	if (gateway_attested_allows(&peer->attested, time_now()))
		return CS_OK;
	return cs_fail(why, CS_ERR_NOT_ATTESTED, "%s is %s: %.150s", peer->name,
		       gateway_attested_name(peer->attested.state), peer->attested.why);
}

bool gateway_attested_has_key(struct gateway_peer *peer, const struct cs_hash *signer,
			      uint64_t epoch, const struct cs_hash *x)
{
	const struct gateway_attested_key key = {*signer, epoch, *x};
	return gateway_attested_signs(&peer->attested, &key, time_now());
}

/* ---- for people ---- */

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

json_t *gateway_attested_json(const struct gateway_peer *peer)
{
	const struct gateway_attested_peer *attested = &peer->attested;
	const struct gateway_attested_time now = time_now();
	const bool on = attested->state != GATEWAY_ATTESTED_OFF;
	const uint64_t left_ms =
		attested->until_ms > now.now_ms ? attested->until_ms - now.now_ms : 0;
	json_t *json = json_object();
	json_object_set_new(json, "state", json_string(gateway_attested_name(attested->state)));
	json_object_set_new(json, "since_ms", on ? host_json_u64(attested->since_ms) : json_null());
	json_object_set_new(json, "until_ms",
			    attested->state == GATEWAY_ATTESTED_ACCEPTED
				    ? host_json_u64(now.wall_ms + left_ms)
				    : json_null());
	json_object_set_new(json, "why", text_or_null(attested->why));
	json_object_set_new(json, "kind", text_or_null(attested->kind));
	json_object_set_new(json, "insecure", json_boolean(attested->insecure));
	json_object_set_new(json, "evidence_until_s",
			    attested->evidence_until_s > 0
				    ? host_json_u64(attested->evidence_until_s)
				    : json_null());
	return json;
}
