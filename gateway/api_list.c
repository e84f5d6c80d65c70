/* GET /v1/messages: a page of the journal, of what its filters name. */
#include "core/caip.h"
#include "gateway/gateway.h"

#include <string.h>

#define PAGE_MAX 200u
#define PAGE_DEFAULT 50u

struct list {
	struct gateway *gateway;
	const struct host_http_exchange *exchange;
	struct gateway_filter filter;
	struct cs_hash tx;
	uint64_t limit;
	uint64_t before;
};

static enum cs_err read_state(struct list *list, struct cs_why *why)
{
	const char *name = host_http_query(list->exchange, "state");
	const char *side = host_http_query(list->exchange, "side");
	if (name && relay_state_parse(&list->filter.state, name) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "state: no state of a message");
	if (side && strcmp(side, "source") != 0 && strcmp(side, "destination") != 0)
		return cs_fail(why, CS_ERR_INVALID, "side: neither source nor destination");
	if (side)
		list->filter.side = side[0] == 's' ? RELAY_SOURCE : RELAY_DESTINATION;
	return CS_OK;
}

static enum cs_err read_chain(const struct list *list, const char *name,
			      const struct cs_hash **identity, struct cs_why *why)
{
	const char *text = host_http_query(list->exchange, name);
	if (!text)
		return CS_OK;
	const struct host_manifest_chain *chain =
		host_manifest_named(&list->gateway->config.manifest, text);
	if (!chain)
		return cs_fail(why, CS_ERR_NOT_FOUND, "%s: no chain of the manifest", name);
	*identity = &chain->identity;
	return CS_OK;
}

/* In the scratch arena. */
static enum cs_err read_account(const struct list *list, const char *name, struct cs_bytes *out,
				struct cs_why *why)
{
	const char *text = host_http_query(list->exchange, name);
	struct cs_account account;
	struct cs_buf buf;
	if (!text)
		return CS_OK;
	if (cs_caip10_parse(&account, cs_bytes_str(text)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not a CAIP-10 account", name);
	CS_TRY(cs_buf_init_arena(&buf, &list->gateway->scratch, CS_INTEROP_SIZE_MAX));
	CS_TRY(cs_interop_encode_account(&buf, account.caip2, &account.address));
	CS_TRY(cs_buf_end(&buf));
	*out = cs_buf_view(&buf);
	return CS_OK;
}

static enum cs_err read_tx(struct list *list, struct cs_why *why)
{
	const char *text = host_http_query(list->exchange, "tx");
	if (!text)
		return CS_OK;
	if (strncmp(text, "0x", 2) != 0 || strlen(text) != 66 ||
	    cs_unhex(list->tx.b, sizeof(list->tx.b), cs_bytes_str(text)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "tx: not 0x and 64 hex digits");
	list->filter.tx = &list->tx;
	return CS_OK;
}

static enum cs_err read_query(struct list *list, struct cs_why *why)
{
	if (!gateway_read_number(host_http_query(list->exchange, "limit"), PAGE_MAX,
				 &list->limit) ||
	    list->limit == 0 ||
	    !gateway_read_number(host_http_query(list->exchange, "before"), INT64_MAX,
				 &list->before))
		return cs_fail(why, CS_ERR_INVALID, "limit: 1 to 200; before: a cursor");
	CS_TRY(read_state(list, why));
	CS_TRY(read_chain(list, "from_chain", &list->filter.from, why));
	CS_TRY(read_chain(list, "to_chain", &list->filter.to, why));
	CS_TRY(read_account(list, "sender", &list->filter.sender, why));
	CS_TRY(read_account(list, "recipient", &list->filter.recipient, why));
	return read_tx(list, why);
}

static enum cs_err page_json(struct list *list, json_t **out, struct cs_why *why)
{
	static struct gateway_message messages[PAGE_MAX];
	uint64_t next = 0;
	size_t count = 0;
	CS_TRY(read_query(list, why));
	CS_TRY(gateway_journal_list(list->gateway->journal, &list->filter, list->before, messages,
				    (size_t)list->limit, &count, &next));
	json_t *rows = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(rows, gateway_json_row(list->gateway, &messages[i], false));
	*out = json_pack("{s:o,s:o}", "messages", rows, "next",
			 next ? host_json_u64(next) : json_null());
	return CS_OK;
}

static void get_list(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct list list = {.gateway = gateway, .exchange = exchange, .limit = PAGE_DEFAULT};
	struct cs_why why = {{0}};
	json_t *json = NULL;
	size_t mark = cs_arena_mark(&gateway->scratch);
	enum cs_err err = page_json(&list, &json, &why);
	cs_arena_rewind(&gateway->scratch, mark);
	if (err != CS_OK)
		gateway_problem(exchange, err, &why);
	else
		host_http_reply_json(exchange, 200, json);
}

void gateway_api_list_route(struct gateway *gateway)
{
	host_http_server_route(gateway->server, "GET",
			       "/v1/messages?state&side&from_chain&to_chain&sender&recipient&tx"
			       "&limit&before",
			       GATEWAY_SCOPE_READ, get_list, gateway);
}
