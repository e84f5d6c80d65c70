/* The body of every request about a webhook, to a running gateway. The first byte says which request: W makes
 * one, and E (enable), R (rotate) and D (deliver again) are about one that stands. What is refused makes nothing;
 * what is made says what was asked, shows its secret once, and can be taken away. */
#include "gateway/webhooks.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/gateway_asked.h"

#include <stdio.h>

static const char standing_body[] =
	"{\"url\":\"http://127.0.0.1:9/hook\",\"types\":[\"chain.frozen\"]}";

static const struct gateway_webhook *standing(struct gateway *gateway)
{
	if (gateway_webhook_at(gateway, 0) == NULL)
		json_decref(gateway_ask_well("POST", "/v1/webhooks", cs_bytes_str(standing_body)));
	return gateway_webhook_at(gateway, 0);
}

/* A receiver that an input names is never asked: there is nothing to tell it. */
static void nothing_happened(struct gateway *gateway)
{
	uint64_t first = 0;
	uint64_t last = 0;
	cs_assert(gateway_journal_events_span(gateway->journal, &first, &last) == CS_OK);
	cs_assert(last == 0);
}

static void same(const json_t *made, const json_t *asked, const char *name)
{
	const json_t *wanted = json_object_get(asked, name);
	if (wanted != NULL)
		cs_assert(json_equal(json_object_get(made, name), wanted));
}

static void check_made(const json_t *made, struct cs_bytes body)
{
	static const char *const members[] = {"url", "types", "from_chain", "to_chain", "message"};
	char path[64];
	const char *id = json_string_value(json_object_get(made, "id"));
	const char *secret = json_string_value(json_object_get(made, "secret"));
	json_t *asked = json_loadb((const char *)body.p, body.n, JSON_REJECT_DUPLICATES, NULL);
	cs_assert(id != NULL && secret != NULL && strncmp(secret, "whsec_", 6) == 0);
	for (size_t i = 0; i < CS_LEN(members); i++)
		same(made, asked, members[i]);
	json_decref(asked);
	(void)snprintf(path, sizeof(path), "/v1/webhooks/%s", id);
	json_t *again = gateway_ask_well("GET", path, CS_BYTES_NONE);
	cs_assert(json_object_get(again, "secret") == NULL);
	same(again, made, "url");
	same(again, made, "types");
	json_decref(again);
	json_decref(gateway_ask_well("DELETE", path, CS_BYTES_NONE));
}

static void make(struct gateway *gateway, struct cs_bytes body)
{
	const struct gateway_said said = gateway_ask("POST", "/v1/webhooks", body);
	cs_assert((said.status == 201) == (gateway_webhook_at(gateway, 1) != NULL));
	if (said.status == 201)
		check_made(said.body, body);
	json_decref(said.body);
	cs_assert(gateway_webhook_at(gateway, 1) == NULL);
}

static void about(const struct gateway_webhook *webhook, uint8_t which, struct cs_bytes body)
{
	const char *verb = which == 'E'   ? "enable"
			   : which == 'R' ? "rotate"
					  : "deliveries/7/redeliver";
	const uint32_t secret = webhook->secret;
	char path[96];
	(void)snprintf(path, sizeof(path), "/v1/webhooks/%s/%s", webhook->id, verb);
	const struct gateway_said said = gateway_ask("POST", path, body);
	cs_assert(webhook->secret == secret + (which == 'R' && said.status == 200));
	if (which == 'D') /* it has no event of that number */
		cs_assert(said.status >= 400);
	json_decref(said.body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size == 0 || size > 65536 || memchr("WERD", data[0], 4) == NULL)
		return 0;
	struct gateway *gateway = gateway_asked();
	const struct gateway_webhook *webhook = standing(gateway);
	const struct cs_bytes body = cs_bytes(data + 1, size - 1);
	cs_assert(webhook != NULL);
	nothing_happened(gateway);
	if (data[0] == 'W')
		make(gateway, body);
	else
		about(webhook, data[0], body);
	return 0;
}
