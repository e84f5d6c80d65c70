#include "gateway/send_body.h"

#include "core/abi.h"
#include "host/json_values.h"
#include "wire/envelope.h"

#include <string.h>

/* The bridge counts in 128 bits. */
#define AMOUNT_ZEROS 16u

struct reading {
	const struct gateway_send_terms *terms;
	struct cs_arena *arena;
	struct gateway_send_body out;
};

static enum cs_err read_address(const json_t *object, const char *name, struct cs_address *address,
				struct cs_why *why)
{
	const char *text = json_string_value(json_object_get(object, name));
	if (!text || strncmp(text, "0x", 2) != 0 ||
	    cs_unhex(address->b, sizeof(address->b), cs_bytes_str(text)) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "%s: not an address: 0x and 40 hex digits",
			       name);
	return CS_OK;
}

static bool has_route(const struct reading *reading, const char *caip2)
{
	const struct host_manifest_chain *from = reading->out.chain->common.manifest;
	for (size_t i = 0; i < from->remote_count; i++) {
		const struct host_manifest_chain *remote =
			host_manifest_chain(&reading->terms->config->manifest, &from->remotes[i]);
		if (remote && strcmp(remote->caip2, caip2) == 0)
			return true;
	}
	return false;
}

/* Of a chain that a route leads to. */
static enum cs_err no_account(const struct reading *reading, struct cs_why *why)
{
	const struct host_manifest_chain *from = reading->out.chain->common.manifest;
	const struct host_manifest_chain *to =
		from->remote_count > 0
			? host_manifest_chain(&reading->terms->config->manifest, &from->remotes[0])
			: NULL;
	return cs_fail(why, CS_ERR_MALFORMED,
		       "to: not a CAIP-10 account such as %s:0x and 40 hex digits",
		       to ? to->caip2 : from->caip2);
}

/* CAIP-10: "eip155:31337:0x…", "cosmos:ledger-1:0x…". */
static enum cs_err read_account(struct reading *reading, const json_t *body, struct cs_why *why)
{
	const json_t *field = json_object_get(body, "to");
	const char *text = json_string_value(field);
	struct cs_account account;
	struct cs_buf buf;
	if (!field)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "to: is missing");
	if (!text || cs_caip10_parse(&account, cs_bytes_str(text)) != CS_OK)
		return no_account(reading, why);
	CS_TRY(cs_buf_init_arena(&buf, reading->arena, CS_INTEROP_SIZE_MAX));
	CS_TRY(cs_interop_encode_account(&buf, account.caip2, &account.address));
	CS_TRY(cs_buf_end(&buf));
	reading->out.recipient = cs_buf_view(&buf);
	if (has_route(reading, account.caip2))
		return CS_OK;
	return cs_fail(why, CS_ERR_NOT_IN_MANIFEST, "to: no route from %s to that chain",
		       reading->out.chain->common.id);
}

static enum cs_err put_attribute(struct reading *reading, const char *signature,
				 const struct cs_hash *word, struct cs_bytes bytes)
{
	struct cs_buf buf;
	struct cs_abi abi;
	CS_TRY(cs_buf_init_arena(&buf, reading->arena, 256));
	cs_abi_call(&abi, &buf, signature);
	if (word)
		cs_abi_put_word(&abi, word);
	else
		cs_abi_put_bytes(&abi, cs_abi_slot(&abi), bytes);
	CS_TRY(cs_buf_end(&buf));
	reading->out.attributes[reading->out.attribute_count++] = cs_buf_view(&buf);
	return CS_OK;
}

static enum cs_err put_number(struct reading *reading, const json_t *object, const char *name,
			      const char *signature, uint64_t max, struct cs_why *why)
{
	uint64_t value = 0;
	if (!json_object_get(object, name))
		return CS_OK;
	CS_TRY(host_json_read_u64(object, name, &value, why));
	if (value > max)
		return cs_fail(why, CS_ERR_OVERFLOW, "attributes.%s: above %llu", name,
			       (unsigned long long)max);
	struct cs_u256 number = cs_u256_u64(value);
	struct cs_hash word = cs_u256_word(&number);
	return put_attribute(reading, signature, &word, CS_BYTES_NONE);
}

static enum cs_err read_each_attribute(struct reading *reading, const json_t *object,
				       struct cs_why *why)
{
	static const char *const names[] = {"deadline",  "min_gas_limit", "closer",
					    "refund_to", "finality",      NULL};
	if (!object)
		return CS_OK;
	CS_TRY(host_json_known(object, names, "attributes", why));
	CS_TRY(put_number(reading, object, "deadline", "deadline(uint64)", INT64_MAX, why));
	CS_TRY(put_number(reading, object, "min_gas_limit", "minGasLimit(uint256)", INT64_MAX,
			  why));
	CS_TRY(put_number(reading, object, "finality", "finality(uint8)", 254, why));
	if (json_object_get(object, "closer")) {
		struct cs_address closer;
		CS_TRY(read_address(object, "closer", &closer, why));
		CS_TRY(put_attribute(reading, "closer(bytes)", NULL, CS_BYTES_OF(closer.b)));
	}
	if (json_object_get(object, "refund_to")) {
		CS_TRY(read_address(object, "refund_to", &reading->out.refund_to, why));
		struct cs_hash word = wire_word(CS_BYTES_OF(reading->out.refund_to.b));
		/* The bridge puts its own argument in place of it. */
		if (!reading->terms->transfer)
			CS_TRY(put_attribute(reading, "refundTo(address)", &word, CS_BYTES_NONE));
	}
	return CS_OK;
}

/* Errors name "attributes.closer", as those of the contract do. */
static enum cs_err read_attributes(struct reading *reading, const json_t *object,
				   struct cs_why *why)
{
	enum cs_err err = read_each_attribute(reading, object, why);
	struct cs_why inner = *why;
	return err == CS_OK || strncmp(inner.text, "attributes", strlen("attributes")) == 0
		       ? err
		       : cs_fail(why, err, "attributes.%.180s", inner.text);
}

static enum cs_err read_mode(struct reading *reading, const json_t *body, struct cs_why *why)
{
	const json_t *field = json_object_get(body, "mode");
	const char *mode = json_string_value(field);
	if (!field)
		return cs_fail(why, CS_ERR_MISSING_FIELD,
			       "mode: is missing: \"prepare\", \"submit\" or \"sponsored\"");
	if (!mode || (strcmp(mode, "prepare") != 0 && strcmp(mode, "submit") != 0 &&
		      strcmp(mode, "sponsored") != 0))
		return cs_fail(why, CS_ERR_INVALID,
			       "mode: not \"prepare\", \"submit\" or \"sponsored\"");
	reading->out.sponsored = strcmp(mode, "sponsored") == 0;
	reading->out.submitted = strcmp(mode, "submit") == 0;
	if (reading->out.submitted)
		CS_TRY(host_json_read_hex(body, "transaction", GATEWAY_TRANSACTION_SIZE_MAX,
					  reading->arena, &reading->out.transaction, why));
	else if (json_object_get(body, "transaction"))
		return cs_fail(why, CS_ERR_INVALID, "transaction: of the mode submit alone");
	if (reading->out.sponsored && !reading->terms->may_sponsor)
		return cs_fail(why, CS_ERR_FORBIDDEN, "mode: the key lacks the scope sponsor");
	if (reading->out.sponsored && !reading->out.chain->common.operator_key_file)
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "mode: this gateway has no operator account on %s",
			       reading->out.chain->common.id);
	if (json_object_get(body, "from")) {
		if (reading->out.sponsored)
			return cs_fail(why, CS_ERR_INVALID,
				       "from: the operator's account sends what is sponsored");
		if (reading->out.submitted)
			return cs_fail(why, CS_ERR_INVALID, "from: the transaction says who it is");
		CS_TRY(read_address(body, "from", &reading->out.from, why));
		reading->out.has_from = true;
	}
	return CS_OK;
}

static const struct gateway_chain_config *chain_named(const struct gateway_config *config,
						      const char *caip2)
{
	for (size_t i = 0; i < config->chain_count; i++) {
		if (strcmp(config->chains[i].common.id, caip2) == 0)
			return &config->chains[i];
	}
	return NULL;
}

static enum cs_err read_chain(struct reading *reading, const json_t *body, struct cs_why *why)
{
	const struct gateway_config *config = reading->terms->config;
	const json_t *field = json_object_get(body, "from_chain");
	if (field && !json_is_string(field))
		return cs_fail(why, CS_ERR_MALFORMED, "from_chain: not a text");
	if (!field && config->chain_count == 1)
		reading->out.chain = &config->chains[0];
	else if (field)
		reading->out.chain = chain_named(config, json_string_value(field));
	else
		return cs_fail(why, CS_ERR_MISSING_FIELD,
			       "from_chain: this gateway serves several");
	if (!reading->out.chain)
		return cs_fail(why, CS_ERR_NOT_FOUND, "from_chain: not served here");
	return CS_OK;
}

static enum cs_err read_message_body(struct reading *reading, const json_t *body,
				     struct cs_why *why)
{
	static const char *const names[] = {"from_chain", "to",         "payload",     "mode",
					    "from",       "attributes", "transaction", NULL};
	CS_TRY(host_json_known(body, names, "body", why));
	CS_TRY(read_chain(reading, body, why));
	CS_TRY(read_mode(reading, body, why));
	CS_TRY(read_account(reading, body, why));
	CS_TRY(host_json_read_hex(body, "payload", CS_PAYLOAD_SIZE_MAX, reading->arena,
				  &reading->out.payload, why));
	return read_attributes(reading, json_object_get(body, "attributes"), why);
}

static enum cs_err read_amount(struct reading *reading, const json_t *body, struct cs_why *why)
{
	static const uint8_t zeros[AMOUNT_ZEROS];
	const json_t *field = json_object_get(body, "amount");
	const char *text = json_string_value(field);
	if (!field)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "amount: is missing");
	enum cs_err err = text ? cs_u256_from_decimal(&reading->out.amount, cs_bytes_str(text))
			       : CS_ERR_MALFORMED;
	if (err == CS_ERR_NON_CANONICAL)
		return cs_fail(why, CS_ERR_MALFORMED, "amount: begins with a zero");
	if (err != CS_OK && err != CS_ERR_OVERFLOW)
		return cs_fail(why, CS_ERR_MALFORMED, "amount: not a text of decimal digits");
	const struct cs_hash word = cs_u256_word(&reading->out.amount);
	if (err == CS_ERR_OVERFLOW || memcmp(word.b, zeros, AMOUNT_ZEROS) != 0)
		return cs_fail(why, CS_ERR_INVALID, "amount: too large: above 2^128 - 1");
	return cs_hash_is_zero(&word) ? cs_fail(why, CS_ERR_INVALID, "amount: zero") : CS_OK;
}

static enum cs_err read_transfer_body(struct reading *reading, const json_t *body,
				      struct cs_why *why)
{
	static const char *const names[] = {"from_chain", "to",          "token",
					    "amount",     "mode",        "from",
					    "attributes", "transaction", NULL};
	CS_TRY(host_json_known(body, names, "body", why));
	CS_TRY(read_chain(reading, body, why));
	CS_TRY(read_mode(reading, body, why));
	CS_TRY(read_account(reading, body, why));
	if (!reading->out.chain->has_bridge)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "no bridge is configured on %s",
			       reading->out.chain->common.id);
	if (json_object_get(body, "token"))
		CS_TRY(read_address(body, "token", &reading->out.token, why));
	else if (reading->out.chain->has_token)
		reading->out.token = reading->out.chain->token;
	else
		return cs_fail(why, CS_ERR_MISSING_FIELD, "token: none is configured");
	CS_TRY(read_amount(reading, body, why));
	return read_attributes(reading, json_object_get(body, "attributes"), why);
}

enum cs_err gateway_send_body_read(struct gateway_send_body *body,
				   const struct gateway_send_terms *terms, const json_t *json,
				   struct cs_arena *arena, struct cs_why *why)
{
	struct reading reading = {.terms = terms, .arena = arena, .out.transfer = terms->transfer};
	CS_TRY(terms->transfer ? read_transfer_body(&reading, json, why)
			       : read_message_body(&reading, json, why));
	*body = reading.out;
	return CS_OK;
}
