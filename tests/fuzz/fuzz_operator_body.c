/* The body of every operator's verb, to a running gateway. The first byte says which verb. What is refused for its
 * form changes nothing and is not in the journal; what is taken is, and is taken back before the next input. */
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/gateway_asked.h"

#include <stdlib.h>

#define ID "0x0000000000000000000000000000000000000000000000000000000000000001"

static const struct verb {
	uint8_t letter;
	const char *path;
	bool written; /* an answer that is good has its event in the journal */
} verbs[] = {
	{'P', "/v1/operator/pause", true},
	{'R', "/v1/operator/resume", false},
	{'C', "/v1/operator/clear", true},
	{'O', "/v1/operator/observe", true},
	{'D', "/v1/operator/drain", true},
	{'S', "/v1/operator/sweep", true},
	{'K', "/v1/keys/rotate", true},
	{'G', "/v1/messages/" ID "/retry", true},
	{'A', "/v1/operator/accept-reorg", true},
	{'X', "/v1/messages/" ID "/close", true},
	{'T', "/v1/operator/transactions/7/raise", true},
};

static uint64_t events(struct gateway *gateway)
{
	uint64_t first = 0;
	uint64_t last = 0;
	cs_assert(gateway_journal_events_span(gateway->journal, &first, &last) == CS_OK);
	return last;
}

/* By the same names, and nothing is paused any more. */
static void resume(struct gateway *gateway, struct cs_bytes body)
{
	json_t *json = json_loadb((const char *)body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	cs_assert(gateway->pause_count == 1 && json_is_object(json));
	(void)json_object_del(json, "refunds");
	(void)json_object_del(json, "reason");
	char *text = host_json_text(json);
	json_decref(gateway_ask_well("POST", "/v1/operator/resume", cs_bytes_str(text)));
	cs_assert(gateway->pause_count == 0);
	free(text);
}

static void take_back(struct gateway *gateway, struct cs_bytes body)
{
	if (gateway->pause_count > 0)
		resume(gateway, body);
	if (gateway->drain.is_on)
		json_decref(gateway_ask_well("DELETE", "/v1/operator/drain", CS_BYTES_NONE));
	cs_assert(!gateway->drain.is_on);
}

/* The form is wrong, whatever is asked: nothing was begun. */
static bool is_of_form(const struct gateway_said *said)
{
	static const char *const codes[] = {"malformed", "missing-field", "unknown-field",
					    "invalid"};
	const char *code = json_string_value(json_object_get(said->body, "code"));
	for (size_t i = 0; i < CS_LEN(codes); i++)
		if (said->status >= 400 && strcmp(code, codes[i]) == 0)
			return true;
	return false;
}

static void ask(struct gateway *gateway, const struct verb *verb, struct cs_bytes body)
{
	const uint64_t before = events(gateway);
	const struct gateway_said said = gateway_ask("POST", verb->path, body);
	const uint64_t after = events(gateway);
	if (is_of_form(&said))
		cs_assert(after == before && gateway->pause_count == 0 && !gateway->drain.is_on);
	if (said.status < 300 && verb->written)
		cs_assert(after > before);
	cs_assert((verb->letter == 'P' && said.status == 200) == (gateway->pause_count == 1));
	cs_assert((verb->letter == 'D' && said.status == 202) == gateway->drain.is_on);
	json_decref(said.body);
	take_back(gateway, body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 65536)
		return 0;
	for (size_t i = 0; i < CS_LEN(verbs); i++)
		if (verbs[i].letter == data[0])
			ask(gateway_asked(), &verbs[i], cs_bytes(data + 1, size - 1));
	return 0;
}
