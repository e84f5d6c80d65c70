/* /v1/webhooks: each API key of scope webhook has its own, one of scope operate too sees all. */
#include "gateway/webhooks.h"

#include <string.h>

#define PAGE_MAX 200u
#define PAGE_DEFAULT 50u
#define TYPES_MAX 32u

/* ---- as JSON ---- */

static json_t *types_json(const char *types)
{
	json_t *list = json_array();
	for (const char *at = types; *at; at += strcspn(at, ","), at += *at == ',')
		json_array_append_new(list, json_stringn(at, strcspn(at, ",")));
	return list;
}

static json_t *chain_json(const struct gateway *gateway, const struct cs_hash *identity)
{
	return cs_hash_is_zero(identity) ? json_null()
					 : json_string(gateway_caip2(gateway, identity));
}

static json_t *text_or_null(const char *text)
{
	return text[0] ? json_string(text) : json_null();
}

static json_t *ms_or_null(uint64_t ms)
{
	return ms ? host_json_u64(ms) : json_null();
}

static json_t *webhook_json(const struct gateway *gateway, const struct gateway_webhook *w)
{
	json_t *json = json_object();
	const bool overlaps = w->secret > 1 && w->old_until_ms > host_wall_ms();
	json_object_set_new(json, "id", json_string(w->id));
	json_object_set_new(json, "url", json_string(w->url));
	json_object_set_new(json, "owner", json_string(w->owner));
	json_object_set_new(json, "types", types_json(w->filter.types));
	json_object_set_new(json, "from_chain", chain_json(gateway, &w->filter.from));
	json_object_set_new(json, "to_chain", chain_json(gateway, &w->filter.to));
	json_object_set_new(json, "message", text_or_null(w->filter.message));
	json_object_set_new(json, "state",
			    json_string(w->disabled                             ? "disabled"
					: gateway_webhook_has_owner(gateway, w) ? "active"
										: "orphaned"));
	json_object_set_new(json, "why", text_or_null(w->why));
	json_object_set_new(json, "cursor", host_json_u64(w->cursor));
	json_object_set_new(json, "failures", host_json_u64(w->failures));
	json_object_set_new(json, "next_ms", ms_or_null(w->disabled ? 0 : w->next_ms));
	json_object_set_new(json, "secret_number", host_json_u64(w->secret));
	json_object_set_new(json, "old_secret_until_ms",
			    ms_or_null(overlaps ? w->old_until_ms : 0));
	json_object_set_new(json, "created_ms", host_json_u64(w->created_ms));
	return json;
}

/* With the secret, for the one time that it is shown. Wipes it. */
static void reply_secret(struct gateway *gateway, struct host_http_exchange *exchange, int status,
			 const struct gateway_webhook *webhook,
			 char secret[HOST_WEBHOOK_SECRET_TEXT_SIZE])
{
	json_t *json = webhook_json(gateway, webhook);
	json_object_set_new(json, "secret", json_string(secret));
	cs_wipe(secret, HOST_WEBHOOK_SECRET_TEXT_SIZE);
	host_http_reply_header(exchange, "Cache-Control", "no-store");
	host_http_reply_json(exchange, status, json);
}

/* ---- whose ---- */

static bool may_see(const struct host_http_exchange *exchange,
		    const struct gateway_webhook *webhook)
{
	const struct host_api_key *key = host_http_key(exchange);
	return (key->scopes & GATEWAY_SCOPE_OPERATE) != 0 || strcmp(key->name, webhook->owner) == 0;
}

/* NULL: answered. One of somebody else is not there. */
static const struct gateway_webhook *find(struct gateway *gateway,
					  struct host_http_exchange *exchange)
{
	const char *id = host_http_param(exchange, "id");
	const struct gateway_webhook *webhook;
	for (size_t i = 0; (webhook = gateway_webhook_at(gateway, i)) != NULL; i++)
		if (strcmp(webhook->id, id) == 0 && may_see(exchange, webhook))
			return webhook;
	host_http_reply_problem(exchange, CS_ERR_NOT_FOUND, "no webhook of this API key");
	return NULL;
}

/* ---- what is asked ---- */

static enum cs_err read_types(const json_t *body, struct gateway_webhook_filter *filter,
			      struct cs_why *why)
{
	const json_t *list = json_object_get(body, "types");
	size_t n = 0;
	if (list && (!json_is_array(list) || json_array_size(list) > TYPES_MAX))
		return cs_fail(why, CS_ERR_MALFORMED, "types: not a list of %u at most", TYPES_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *type = json_string_value(json_array_get(list, i));
		if (!type || !gateway_event_type_is_known(type))
			return cs_fail(why, CS_ERR_INVALID, "types[%zu]: no type of an event", i);
		n += (size_t)snprintf(filter->types + n, sizeof(filter->types) - n, "%s%s",
				      n ? "," : "", type);
		if (n >= sizeof(filter->types))
			return cs_fail(why, CS_ERR_INVALID, "types: too many");
	}
	return CS_OK;
}

static enum cs_err read_chain(const struct gateway *gateway, const json_t *body, const char *name,
			      struct cs_hash *identity, struct cs_why *why)
{
	const json_t *value = json_object_get(body, name);
	if (!value)
		return CS_OK;
	if (!json_is_string(value))
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not a text", name);
	const struct host_manifest_chain *chain =
		host_manifest_named(&gateway->config.manifest, json_string_value(value));
	if (!chain)
		return cs_fail(why, CS_ERR_NOT_FOUND, "%s: no chain of the manifest", name);
	*identity = chain->identity;
	return CS_OK;
}

static enum cs_err read_message(const json_t *body, char message[67], struct cs_why *why)
{
	const json_t *value = json_object_get(body, "message");
	const char *text = json_string_value(value);
	struct cs_hash id;
	if (!value)
		return CS_OK;
	const size_t n = text ? strlen(text) : 0;
	const bool request =
		n == 25 && text[0] == 'r' && strspn(text + 1, "0123456789abcdef") == 24;
	if (!request &&
	    (n != 66 || strncmp(text, "0x", 2) != 0 || strspn(text + 2, "0123456789abcdef") != 64 ||
	     cs_unhex(id.b, sizeof(id.b), cs_bytes_str(text)) != CS_OK))
		return cs_fail(why, CS_ERR_MALFORMED,
			       "message: neither a message's id, 0x and 64 hex digits, nor a "
			       "request's");
	memcpy(message, text, n + 1);
	return CS_OK;
}

/* has_cursor false: untouched. */
static enum cs_err read_cursor(struct gateway *gateway, const json_t *body, bool *has_cursor,
			       uint64_t *cursor, struct cs_why *why)
{
	uint64_t number = 0;
	*has_cursor = json_object_get(body, "cursor") != NULL;
	if (!*has_cursor)
		return CS_OK;
	CS_TRY(host_json_read_u64(body, "cursor", &number, why));
	CS_TRY(gateway_events_keep(gateway, number, why));
	*cursor = number;
	return CS_OK;
}

static enum cs_err read_webhook(struct gateway *gateway, const json_t *body,
				struct gateway_webhook *out, struct cs_why *why)
{
	static const char *const names[] = {"url",     "types",  "from_chain", "to_chain",
					    "message", "cursor", NULL};
	uint64_t first = 0;
	bool has_cursor = false;
	CS_TRY(host_json_known(body, names, "body", why));
	const json_t *url = json_object_get(body, "url");
	if (!url)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "url: is missing");
	if (!json_is_string(url) || strlen(json_string_value(url)) != json_string_length(url))
		return cs_fail(why, CS_ERR_MALFORMED, "url: not a text");
	CS_TRY(gateway_webhook_url_check(gateway, json_string_value(url), why));
	snprintf(out->url, sizeof(out->url), "%s", json_string_value(url));
	CS_TRY(read_types(body, &out->filter, why));
	CS_TRY(read_chain(gateway, body, "from_chain", &out->filter.from, why));
	CS_TRY(read_chain(gateway, body, "to_chain", &out->filter.to, why));
	CS_TRY(read_message(body, out->filter.message, why));
	CS_TRY(gateway_journal_events_span(gateway->journal, &first, &out->cursor));
	return read_cursor(gateway, body, &has_cursor, &out->cursor, why);
}

/* Of a body that may be empty. The caller lets go of it. */
static enum cs_err read_body(const struct host_http_exchange *exchange, json_t **body,
			     struct cs_why *why)
{
	if (host_http_body(exchange).n == 0) {
		*body = json_object();
		return CS_OK;
	}
	return host_http_body_json(exchange, body, why);
}

/* ---- routes ---- */

static void post_webhook(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct cs_why why = {{0}};
	json_t *body = NULL;
	char secret[HOST_WEBHOOK_SECRET_TEXT_SIZE];
	struct gateway_webhook wanted = {.n = 0};
	const struct gateway_webhook *made = NULL;
	snprintf(wanted.owner, sizeof(wanted.owner), "%s", host_http_key(exchange)->name);
	enum cs_err err = host_http_body_json(exchange, &body, &why);
	if (err == CS_OK)
		err = read_webhook(gateway, body, &wanted, &why);
	if (err == CS_OK)
		err = gateway_webhook_add(gateway, &wanted, &made, secret, &why);
	json_decref(body);
	if (err != CS_OK) {
		gateway_problem(exchange, err, &why);
		return;
	}
	reply_secret(gateway, exchange, 201, made, secret);
}

static void get_webhooks(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	const struct gateway_webhook *webhook;
	json_t *list = json_array();
	for (size_t i = 0; (webhook = gateway_webhook_at(gateway, i)) != NULL; i++)
		if (may_see(exchange, webhook))
			json_array_append_new(list, webhook_json(gateway, webhook));
	host_http_reply_json(exchange, 200, json_pack("{s:o}", "webhooks", list));
}

static void get_webhook(void *context, struct host_http_exchange *exchange)
{
	const struct gateway_webhook *webhook = find(context, exchange);
	if (webhook)
		host_http_reply_json(exchange, 200, webhook_json(context, webhook));
}

static void delete_webhook(void *context, struct host_http_exchange *exchange)
{
	const struct gateway_webhook *webhook = find(context, exchange);
	if (!webhook)
		return;
	const enum cs_err err = gateway_webhook_remove(context, webhook);
	if (err != CS_OK)
		gateway_problem(exchange, err, NULL);
	else
		host_http_reply(exchange, 204, NULL, CS_BYTES_NONE);
}

static void post_enable(void *context, struct host_http_exchange *exchange)
{
	static const char *const names[] = {"cursor", NULL};
	struct gateway *gateway = context;
	struct cs_why why = {{0}};
	json_t *body = NULL;
	uint64_t cursor = 0;
	bool has_cursor = false;
	const struct gateway_webhook *webhook = find(gateway, exchange);
	if (!webhook)
		return;
	enum cs_err err = read_body(exchange, &body, &why);
	if (err == CS_OK)
		err = host_json_known(body, names, "body", &why);
	if (err == CS_OK)
		err = read_cursor(gateway, body, &has_cursor, &cursor, &why);
	json_decref(body);
	if (err == CS_OK)
		err = gateway_webhook_enable(gateway, webhook, has_cursor ? &cursor : NULL);
	if (err != CS_OK)
		gateway_problem(exchange, err, &why);
	else
		host_http_reply_json(exchange, 200, webhook_json(gateway, webhook));
}

static enum cs_err no_members(const struct host_http_exchange *exchange, struct cs_why *why)
{
	static const char *const none[] = {NULL};
	json_t *body = NULL;
	CS_TRY(read_body(exchange, &body, why));
	const enum cs_err err = host_json_known(body, none, "body", why);
	json_decref(body);
	return err;
}

static void post_rotate(void *context, struct host_http_exchange *exchange)
{
	struct gateway *gateway = context;
	struct cs_why why = {{0}};
	char secret[HOST_WEBHOOK_SECRET_TEXT_SIZE];
	const struct gateway_webhook *webhook = find(gateway, exchange);
	if (!webhook)
		return;
	enum cs_err err = no_members(exchange, &why);
	if (err == CS_OK)
		err = gateway_webhook_rotate(gateway, webhook, secret);
	if (err != CS_OK)
		gateway_problem(exchange, err, &why);
	else
		reply_secret(gateway, exchange, 200, webhook, secret);
}

static json_t *delivery_json(const struct gateway_delivery *d)
{
	json_t *json = json_object();
	json_object_set_new(json, "event", host_json_u64(d->event));
	json_object_set_new(json, "type", json_string(d->type));
	json_object_set_new(json, "delivered", json_boolean(d->delivered));
	json_object_set_new(json, "wanted_again", json_boolean(d->again));
	json_object_set_new(json, "attempts", host_json_u64(d->attempts));
	json_object_set_new(json, "status", d->status ? json_integer(d->status) : json_null());
	json_object_set_new(json, "why", text_or_null(d->why));
	json_object_set_new(json, "first_ms", host_json_u64(d->first_ms));
	json_object_set_new(json, "last_ms", host_json_u64(d->last_ms));
	return json;
}

static void get_deliveries(void *context, struct host_http_exchange *exchange)
{
	static struct gateway_delivery deliveries[PAGE_MAX];
	struct gateway *gateway = context;
	uint64_t limit = PAGE_DEFAULT;
	uint64_t before = 0;
	size_t count = 0;
	const struct gateway_webhook *webhook = find(gateway, exchange);
	if (!webhook)
		return;
	if (!gateway_read_number(host_http_query(exchange, "limit"), PAGE_MAX, &limit) ||
	    limit == 0 ||
	    !gateway_read_number(host_http_query(exchange, "before"), INT64_MAX, &before)) {
		host_http_reply_problem(exchange, CS_ERR_INVALID,
					"limit: 1 to 200; before: a cursor");
		return;
	}
	const enum cs_err err = gateway_journal_deliveries(gateway->journal, webhook->n, before,
							   deliveries, (size_t)limit, &count);
	if (err != CS_OK) {
		gateway_problem(exchange, err, NULL);
		return;
	}
	json_t *list = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, delivery_json(&deliveries[i]));
	host_http_reply_json(exchange, 200,
			     json_pack("{s:o,s:o}", "deliveries", list, "next",
				       count == limit ? host_json_u64(deliveries[count - 1].event)
						      : json_null()));
}

static void post_again(void *context, struct host_http_exchange *exchange)
{
	struct cs_why why = {{0}};
	const char *text = host_http_param(exchange, "event");
	uint64_t event = 0;
	const struct gateway_webhook *webhook = find(context, exchange);
	if (!webhook)
		return;
	enum cs_err err = no_members(exchange, &why);
	if (err == CS_OK && !gateway_read_number(text, INT64_MAX, &event))
		err = cs_fail(&why, CS_ERR_MALFORMED, "event: not a number");
	if (err == CS_OK)
		err = gateway_webhook_again(context, webhook, event, &why);
	if (err != CS_OK)
		gateway_problem(exchange, err, &why);
	else
		host_http_reply_json(exchange, 202, json_pack("{s:I}", "event", (json_int_t)event));
}

void gateway_api_webhook_routes(struct gateway *gateway)
{
	static const struct {
		const char *method;
		const char *pattern;
		host_http_handler *handler;
	} routes[] = {
		{"POST", "/v1/webhooks?", post_webhook},
		{"GET", "/v1/webhooks?", get_webhooks},
		{"GET", "/v1/webhooks/{id}?", get_webhook},
		{"DELETE", "/v1/webhooks/{id}?", delete_webhook},
		{"POST", "/v1/webhooks/{id}/enable?", post_enable},
		{"POST", "/v1/webhooks/{id}/rotate?", post_rotate},
		{"GET", "/v1/webhooks/{id}/deliveries?limit&before", get_deliveries},
		{"POST", "/v1/webhooks/{id}/deliveries/{event}/redeliver?", post_again},
	};
	for (size_t i = 0; i < CS_LEN(routes); i++)
		host_http_server_route(gateway->server, routes[i].method, routes[i].pattern,
				       GATEWAY_SCOPE_WEBHOOK, routes[i].handler, gateway);
}
