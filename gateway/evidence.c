/* Evidence that a chain's validators signed two blocks of one height, handed to its nodes: by them the validators are known, and
 * punished where the chain does that. It is in the journal first; then every endpoint gets what is against the other branch, or, where it
 * refuses that, what is against ours, for it may be of the other branch. Rounds with growing pauses go on until all have taken it or
 * there were enough: one node's word is not believed, so one that says yes does not spare the others. Nothing waits for any of it. */
#include "adapters/cometbft/cometbft.h"
#include "gateway/gateway.h"
#include "gateway/journal_evidence.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MS 1000u
/* Between two rounds, twice as long each time: some 50 hours in all, which is how long evidence is young by default
 * (docs/ledger.md, evidence_age_s). */
#define PAUSE_MIN_MS 2000u
#define PAUSE_MAX_MS 3600000u
#define ROUNDS_MAX 64u
/* Scheme, host and port. */
#define URL_SIZE 300u

struct said {
	char url[URL_SIZE];
	bool taken;
	struct cs_hash against;
	char why[GATEWAY_WHY_MAX + 1];
};

struct handing {
	struct gateway_chain *chain;
	struct cs_arena *arena;
	struct gateway_evidence row;
	size_t endpoint; /* that is asked */
	bool second;     /* with what is against ours */
	struct said said[ADAPTER_ENDPOINTS_MAX];
	size_t said_count;
	size_t taken; /* nodes that took it before this round */
	size_t left;  /* that it did not convince */
};

enum cs_err gateway_evidence_note(struct gateway_chain *chain,
				  const struct adapter_evidence *evidence)
{
	bool added = false;
	enum cs_err err = gateway_journal_evidence_add(chain->gateway->journal, &chain->identity,
						       evidence, host_wall_ms(), &added);
	if (err == CS_ERR_FULL)
		log_warn("evidence.not_kept", LOG_TEXT("chain", chain->config->id),
			 LOG_U64("height", evidence->other.height),
			 LOG_HASH("other", &evidence->other.hash));
	if (err == CS_OK && added)
		log_info("evidence.kept", LOG_TEXT("chain", chain->config->id),
			 LOG_U64("height", evidence->other.height),
			 LOG_HASH("other", &evidence->other.hash),
			 LOG_HASH("ours", &evidence->ours));
	return err == CS_ERR_FULL ? CS_OK : err;
}

/* ---- the end of a round ---- */

static void end(struct handing *handing, uint64_t again_ms)
{
	handing->chain->evidence_busy = false;
	handing->chain->evidence_after_ms = host_now_ms() + again_ms;
	gateway_arena_free(handing->arena);
	free(handing);
}

static uint64_t next_ms(const struct handing *handing)
{
	const uint32_t tries = handing->row.tries + 1;
	uint64_t pause = PAUSE_MAX_MS;
	if (handing->left == 0 || tries >= ROUNDS_MAX)
		return 0;
	if (tries <= 11)
		pause = (uint64_t)PAUSE_MIN_MS << (tries - 1);
	return host_wall_ms() + (pause < PAUSE_MAX_MS ? pause : PAUSE_MAX_MS);
}

static enum cs_err write_said(const struct handing *handing, const struct said *said)
{
	struct gateway_journal *journal = handing->chain->gateway->journal;
	const struct gateway_evidence_node node = {.url = said->url,
						   .taken = said->taken,
						   .against = said->against,
						   .why = said->why,
						   .time_ms = host_wall_ms()};
	bool news = false;
	CS_TRY(gateway_journal_evidence_told(journal, handing->row.n, &node, &news));
	if (news && said->taken)
		log_info("evidence.taken", LOG_TEXT("chain", handing->chain->config->id),
			 LOG_TEXT("url", said->url), LOG_U64("height", handing->row.height),
			 LOG_HASH("against", &said->against));
	else if (news)
		log_warn("evidence.not_taken", LOG_TEXT("chain", handing->chain->config->id),
			 LOG_TEXT("url", said->url), LOG_U64("height", handing->row.height),
			 LOG_TEXT("why", said->why));
	return CS_OK;
}

/* Once when the first node takes it, once when none did in all the rounds. */
static enum cs_err write_event(const struct handing *handing, const struct said *first,
			       bool is_over)
{
	char detail[GATEWAY_WHY_MAX + URL_SIZE + 200];
	char hash[65];
	if (handing->taken == 0 && first) {
		cs_hex(hash, CS_BYTES_OF(first->against.b));
		snprintf(detail, sizeof(detail),
			 "%s: evidence against block 0x%s of height %llu was taken by %s",
			 handing->chain->config->id, hash, (unsigned long long)handing->row.height,
			 first->url);
	} else if (handing->taken == 0 && is_over) {
		snprintf(detail, sizeof(detail), "%s: no node took the evidence of height %llu",
			 handing->chain->config->id, (unsigned long long)handing->row.height);
	} else {
		return CS_OK;
	}
	return gateway_journal_event(handing->chain->gateway->journal, "chain.evidence", NULL,
				     detail);
}

static enum cs_err write_round(void *context)
{
	const struct handing *handing = context;
	const struct said *first = NULL;
	const uint64_t next = next_ms(handing);
	for (size_t i = 0; i < handing->said_count; i++) {
		CS_TRY(write_said(handing, &handing->said[i]));
		if (!first && handing->said[i].taken)
			first = &handing->said[i];
	}
	CS_TRY(write_event(handing, first, next == 0));
	return gateway_journal_evidence_tried(handing->chain->gateway->journal, handing->row.n,
					      handing->row.tries + 1, next);
}

/* ---- one endpoint after the other ---- */

static void hand_next(struct handing *handing);

/* What a node says behind the words that all refusals begin with. */
static const char *reason(const char *why)
{
	static const char begin[] = "failed to add evidence: ";
	const char *found = strstr(why, begin);
	return found ? found + sizeof(begin) - 1 : why;
}

static void keep_why(struct said *said, const char *why)
{
	char text[2 * GATEWAY_WHY_MAX];
	snprintf(text, sizeof(text), "%s%s%s", said->why, said->why[0] ? "; against ours: " : "",
		 reason(why));
	host_plain_text(said->why, sizeof(said->why), text, sizeof(text));
}

static bool hand_one(struct handing *handing);

static void handed(void *context, enum cs_err err, const char *why)
{
	struct handing *handing = context;
	struct said *said = &handing->said[handing->said_count - 1];
	if (err == CS_ERR_CLOSED || handing->chain->gateway->stopping) {
		end(handing, LOOK_MS); /* as if this round had not been */
		return;
	}
	said->taken = err == CS_OK;
	if (said->taken) {
		said->against = handing->second ? handing->row.ours : handing->row.other;
		said->why[0] = 0;
		handing->left--;
	} else {
		keep_why(said, why);
	}
	if (err == CS_ERR_INVALID && !handing->second) {
		handing->second = true;
		if (hand_one(handing))
			return;
	}
	handing->endpoint++;
	hand_next(handing);
}

/* True: it is under way. */
static bool hand_one(struct handing *handing)
{
	struct said *said = &handing->said[handing->said_count - 1];
	enum cs_err err = adapter_hand_evidence(handing->chain->adapter, handing->endpoint,
						handing->second ? handing->row.against_ours
								: handing->row.against_other,
						handed, handing);
	if (err != CS_OK)
		keep_why(said, cs_err_sentence(err));
	return err == CS_OK;
}

struct looked {
	const char *url;
	bool taken;
	size_t taken_count;
};

static void look(void *context, const struct gateway_evidence_node *node)
{
	struct looked *looked = context;
	looked->taken_count += node->taken;
	if (looked->url && strcmp(node->url, looked->url) == 0)
		looked->taken = node->taken;
}

/* Errors are the journal's: then it is handed over once more, which a node knows. */
static bool is_done_with(const struct handing *handing, const char *url)
{
	struct looked looked = {.url = url};
	for (size_t i = 0; i < handing->said_count; i++)
		if (strcmp(handing->said[i].url, url) == 0)
			return true; /* of one place under another name: in this round it was asked */
	return gateway_journal_evidence_nodes(handing->chain->gateway->journal, handing->row.n,
					      look, &looked) == CS_OK &&
	       looked.taken;
}

static void hand_next(struct handing *handing)
{
	struct adapter_endpoint endpoints[ADAPTER_ENDPOINTS_MAX];
	struct gateway_chain *chain = handing->chain;
	size_t count = adapter_endpoints(chain->adapter, endpoints, CS_LEN(endpoints));
	for (; handing->endpoint < count && handing->endpoint < CS_LEN(endpoints);
	     handing->endpoint++) {
		const struct adapter_endpoint *endpoint = &endpoints[handing->endpoint];
		if (endpoint->websocket || is_done_with(handing, endpoint->url))
			continue;
		struct said *said = &handing->said[handing->said_count++];
		snprintf(said->url, sizeof(said->url), "%s", endpoint->url);
		handing->left++;
		handing->second = false;
		if (hand_one(handing))
			return;
	}
	if (gateway_write(chain->gateway, write_round, handing) != CS_OK)
		log_warn("evidence.not_written", LOG_TEXT("chain", chain->config->id));
	end(handing, LOOK_MS);
}

/* ---- beginning ---- */

static enum cs_err begin(struct handing *handing, uint64_t n)
{
	struct gateway_chain *chain = handing->chain;
	struct gateway_journal *journal = chain->gateway->journal;
	struct gateway_evidence rows[GATEWAY_EVIDENCE_MAX];
	struct looked looked = {.url = NULL};
	size_t count = 0;
	size_t i = 0;
	CS_TRY(gateway_journal_evidence(journal, &chain->identity, handing->arena, rows, &count));
	while (i < count && rows[i].n != n)
		i++;
	if (i == count)
		return CS_ERR_NOT_FOUND;
	handing->row = rows[i];
	CS_TRY(gateway_journal_evidence_nodes(journal, n, look, &looked));
	handing->taken = looked.taken_count;
	return CS_OK;
}

void gateway_evidence_hand(struct gateway_chain *chain)
{
	uint64_t n = 0;
	if (!chain->adapter || chain->evidence_busy || host_now_ms() < chain->evidence_after_ms)
		return;
	chain->evidence_after_ms = host_now_ms() + LOOK_MS;
	if (gateway_journal_evidence_due(chain->gateway->journal, &chain->identity, host_wall_ms(),
					 &n) != CS_OK ||
	    n == 0)
		return;
	struct handing *handing = host_alloc(sizeof(*handing));
	handing->chain = chain;
	handing->arena = gateway_arena_new();
	chain->evidence_busy = true;
	if (begin(handing, n) == CS_OK)
		hand_next(handing);
	else
		end(handing, PAUSE_MIN_MS);
}

/* ---- for people ---- */

static void add_node(void *context, const struct gateway_evidence_node *node)
{
	json_t *json = json_object();
	json_object_set_new(json, "url", json_string(node->url));
	json_object_set_new(json, "taken", json_boolean(node->taken));
	json_object_set_new(json, "against",
			    node->taken ? host_json_hash(&node->against) : json_null());
	json_object_set_new(json, "why", json_string(node->why));
	json_object_set_new(json, "time_ms", host_json_u64(node->time_ms));
	json_array_append_new(context, json);
}

static json_t *row_json(const struct gateway_chain *chain, const struct gateway_evidence *row)
{
	json_t *json = json_object();
	json_t *nodes = json_array();
	json_object_set_new(json, "height", host_json_u64(row->height));
	json_object_set_new(json, "ours", host_json_hash(&row->ours));
	json_object_set_new(json, "other", host_json_hash(&row->other));
	json_object_set_new(json, "found_ms", host_json_u64(row->found_ms));
	json_object_set_new(json, "rounds", json_integer(row->tries));
	json_object_set_new(json, "next_ms",
			    row->next_ms ? host_json_u64(row->next_ms) : json_null());
	if (gateway_journal_evidence_nodes(chain->gateway->journal, row->n, add_node, nodes) !=
	    CS_OK)
		json_array_clear(nodes);
	json_object_set_new(json, "nodes", nodes);
	return json;
}

static void add_piece(json_t *pieces, struct cs_bytes bytes)
{
	json_t *piece = adapter_cometbft_evidence_json(bytes);
	if (piece)
		json_array_append_new(pieces, piece);
}

json_t *gateway_evidence_json(const struct gateway_chain *chain, bool with_pieces)
{
	struct gateway_evidence rows[GATEWAY_EVIDENCE_MAX];
	struct cs_arena *scratch = &chain->gateway->scratch;
	size_t mark = cs_arena_mark(scratch);
	size_t count = 0;
	json_t *list = json_array();
	if (gateway_journal_evidence(chain->gateway->journal, &chain->identity, scratch, rows,
				     &count) != CS_OK)
		count = 0;
	for (size_t i = 0; i < count; i++) {
		json_t *json = row_json(chain, &rows[i]);
		json_t *pieces = json_array();
		if (with_pieces) {
			add_piece(pieces, rows[i].against_other);
			add_piece(pieces, rows[i].against_ours);
			json_object_set_new(json, "pieces", pieces);
		} else {
			json_decref(pieces);
		}
		json_array_append_new(list, json);
	}
	cs_arena_rewind(scratch, mark);
	return list;
}
