#include "core/caip.h"
#include "relay_state/ledger/answers.h"
#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/block.h"
#include "relay_state/ledger/bridge.h"
#include "relay_state/ledger/enclaves.h"
#include "relay_state/ledger/gateway.h"
#include "relay_state/ledger/parameters.h"
#include "relay_state/ledger/records.h"
#include "relay_state/ledger/remotes.h"
#include "relay_state/ledger/staking.h"
#include "relay_state/ledger/tasks.h"
#include "relay_state/ledger/usage.h"

#include <string.h>

/* A contract that genesis gives no section is not founded: it has no owner, and no call of it ends in
 * anything but a revert or an empty answer. */

/* ---- members of a section ---- */

static enum cs_err get_seconds(uint64_t *seconds, const struct cs_json *json, const char *key,
			       struct cs_why *why)
{
	return cs_json_member_u64(seconds, json, key, UINT32_MAX, why);
}

static enum cs_err get_address(struct cs_address *address, const struct cs_json *json,
			       const char *key, struct cs_why *why)
{
	return cs_json_member_hex(address->b, sizeof address->b, json, key, why);
}

/* False where it is not there. */
static enum cs_err get_insecure(bool *insecure, const struct cs_json *json, struct cs_why *why)
{
	*insecure = false;
	return cs_json_find(json, "insecure") == NULL
		       ? CS_OK
		       : cs_json_member_bool(insecure, json, "insecure", why);
}

struct owners {
	struct cs_address owner;
	struct cs_address guardian;
	uint64_t delay_s;
};

static enum cs_err get_owners(struct owners *owners, const struct cs_json *json, struct cs_why *why)
{
	CS_TRY(get_address(&owners->owner, json, "owner", why));
	CS_TRY(get_address(&owners->guardian, json, "guardian", why));
	return get_seconds(&owners->delay_s, json, "delay_s", why);
}

/* ---- contracts with an identity: the gateway, the register ---- */

static enum cs_err is_founded(struct ledger_call *call, bool *founded, struct ledger_self *self)
{
	CS_TRY(ledger_self_get(call, self));
	*founded = self->caip2[0] != 0;
	return CS_OK;
}

/* An exported one is that of the new chain. */
static enum cs_err move_to_chain(struct ledger_call *call, const struct ledger_genesis *genesis)
{
	struct ledger_self self;
	bool founded;
	CS_TRY(is_founded(call, &founded, &self));
	if (!founded)
		return CS_OK;
	cs_caip2_write_cosmos(self.caip2, genesis->chain_id);
	return ledger_self_put(call, &self);
}

static enum cs_err gateway_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				   const struct cs_json *section)
{
	static const char *const keys[] = {"owner",     "guardian", "delay_s", "rotation_delay_s",
					   "overlap_s", "insecure"};
	struct ledger_gateway_terms terms;
	struct owners owners;
	if (section == NULL)
		return move_to_chain(call, genesis);
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), call->why));
	CS_TRY(get_owners(&owners, section, call->why));
	CS_TRY(get_seconds(&terms.rotation_delay_s, section, "rotation_delay_s", call->why));
	CS_TRY(get_seconds(&terms.overlap_s, section, "overlap_s", call->why));
	CS_TRY(get_insecure(&terms.insecure, section, call->why));
	terms.owner = owners.owner;
	terms.guardian = owners.guardian;
	terms.delay_s = owners.delay_s;
	return ledger_gateway_construct(call, genesis->chain_id, &terms);
}

static enum cs_err gateway_named(struct ledger_call *call, const struct cs_hash *chain_tag)
{
	struct ledger_self self;
	bool founded;
	CS_TRY(is_founded(call, &founded, &self));
	return founded ? ledger_gateway_name(call, chain_tag) : CS_OK;
}

static enum cs_err get_administrators(struct ledger_enclaves_terms *terms,
				      const struct cs_json *section, struct cs_why *why)
{
	const struct cs_json *list;
	uint64_t threshold;
	CS_TRY(cs_json_member_u64(&threshold, section, "threshold", LEDGER_ADMINISTRATORS_MAX,
				  why));
	CS_TRY(cs_json_member(&list, section, "administrators", CS_JSON_ARRAY, why));
	if (list->count > LEDGER_ADMINISTRATORS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "enclaves: more than %u administrators",
			       LEDGER_ADMINISTRATORS_MAX);
	terms->threshold = (uint8_t)threshold;
	terms->administrator_count = 0;
	for (const struct cs_json *item = list->child; item != NULL; item = item->next) {
		struct cs_hash *x = &terms->administrators[terms->administrator_count++];
		if (cs_json_hex(x->b, sizeof x->b, item) != CS_OK)
			return cs_fail(why, CS_ERR_MALFORMED,
				       "enclaves: an administrator is 0x and 64 hex digits");
	}
	return CS_OK;
}

static enum cs_err enclaves_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				    const struct cs_json *section)
{
	static const char *const keys[] = {
		"owner",     "guardian",     "delay_s",       "rotation_delay_s",
		"overlap_s", "insecure",     "threshold",     "administrators",
		"bond_min",  "bond_delay_s", "lifetime_max_s"};
	struct ledger_enclaves_terms terms;
	struct owners owners;
	if (section == NULL)
		return move_to_chain(call, genesis);
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), call->why));
	CS_TRY(get_owners(&owners, section, call->why));
	CS_TRY(get_seconds(&terms.rotation_delay_s, section, "rotation_delay_s", call->why));
	CS_TRY(get_seconds(&terms.overlap_s, section, "overlap_s", call->why));
	CS_TRY(get_insecure(&terms.insecure, section, call->why));
	CS_TRY(get_administrators(&terms, section, call->why));
	CS_TRY(cs_json_member_u256(&terms.bond_min, section, "bond_min", call->why));
	CS_TRY(get_seconds(&terms.bond_delay_s, section, "bond_delay_s", call->why));
	CS_TRY(get_seconds(&terms.lifetime_max_s, section, "lifetime_max_s", call->why));
	terms.owner = owners.owner;
	terms.guardian = owners.guardian;
	terms.delay_s = owners.delay_s;
	return ledger_enclaves_construct(call, genesis->chain_id, &terms);
}

static enum cs_err enclaves_named(struct ledger_call *call, const struct cs_hash *chain_tag)
{
	struct ledger_self self;
	bool founded;
	CS_TRY(is_founded(call, &founded, &self));
	return founded ? ledger_enclaves_name(call, chain_tag) : CS_OK;
}

/* ---- the others ---- */

static enum cs_err bridge_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				  const struct cs_json *section)
{
	static const char *const keys[] = {"owner", "guardian", "delay_s", "window_s"};
	struct ledger_bridge_terms terms;
	struct owners owners;
	(void)genesis;
	if (section == NULL)
		return CS_OK;
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), call->why));
	CS_TRY(get_owners(&owners, section, call->why));
	CS_TRY(get_seconds(&terms.window_s, section, "window_s", call->why));
	terms.owner = owners.owner;
	terms.guardian = owners.guardian;
	terms.delay_s = owners.delay_s;
	return ledger_bridge_construct(call, &terms);
}

static enum cs_err records_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				   const struct cs_json *section)
{
	static const char *const keys[] = {"owner", "guardian", "delay_s"};
	struct owners owners;
	(void)genesis;
	if (section == NULL)
		return CS_OK;
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), call->why));
	CS_TRY(get_owners(&owners, section, call->why));
	return ledger_records_construct(call, &owners.owner, &owners.guardian, owners.delay_s);
}

/* Text as a contract's bytes32 has it: zeros behind it. */
static enum cs_err get_text32(struct cs_hash *text, const struct cs_json *json, const char *key,
			      struct cs_why *why)
{
	struct cs_bytes given;
	CS_TRY(cs_json_member_string(&given, json, key, sizeof text->b, why));
	memset(text, 0, sizeof *text);
	if (given.n > 0)
		memcpy(text->b, given.p, given.n);
	return CS_OK;
}

static enum cs_err add_metrics(struct ledger_call *call, const struct cs_json *section)
{
	static const char *const keys[] = {"name", "decimals", "unit"};
	const struct cs_json *list;
	if (cs_json_find(section, "metrics") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member(&list, section, "metrics", CS_JSON_ARRAY, call->why));
	for (const struct cs_json *item = list->child; item != NULL; item = item->next) {
		struct cs_hash name, unit;
		uint64_t decimals;
		CS_TRY(cs_json_only(item, keys, CS_LEN(keys), call->why));
		CS_TRY(get_text32(&name, item, "name", call->why));
		CS_TRY(get_text32(&unit, item, "unit", call->why));
		CS_TRY(cs_json_member_u64(&decimals, item, "decimals", UINT8_MAX, call->why));
		enum cs_err err = ledger_usage_add_metric(call, &name, (uint8_t)decimals, &unit);
		if (err == CS_ERR_REVERTED)
			return cs_fail(call->why, CS_ERR_INVALID,
				       "usage: a metric is there twice, or is none");
		CS_TRY(err);
	}
	return CS_OK;
}

static enum cs_err usage_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				 const struct cs_json *section)
{
	static const char *const keys[] = {"owner",    "guardian",  "delay_s",  "arbiter",
					   "asset",    "age_max_s", "window_s", "retention_s",
					   "insecure", "metrics"};
	struct ledger_usage_terms terms;
	struct owners owners;
	(void)genesis;
	if (section == NULL)
		return CS_OK;
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), call->why));
	CS_TRY(get_owners(&owners, section, call->why));
	CS_TRY(get_address(&terms.arbiter, section, "arbiter", call->why));
	CS_TRY(get_address(&terms.asset, section, "asset", call->why));
	CS_TRY(get_seconds(&terms.age_max_s, section, "age_max_s", call->why));
	CS_TRY(get_seconds(&terms.window_s, section, "window_s", call->why));
	CS_TRY(get_seconds(&terms.retention_s, section, "retention_s", call->why));
	CS_TRY(get_insecure(&terms.insecure, section, call->why));
	terms.owner = owners.owner;
	terms.guardian = owners.guardian;
	terms.delay_s = owners.delay_s;
	CS_TRY(ledger_usage_construct(call, &terms));
	return add_metrics(call, section);
}

static enum cs_err tasks_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				 const struct cs_json *section)
{
	static const char *const keys[] = {"insecure"};
	bool insecure;
	(void)genesis;
	if (section == NULL)
		return CS_OK;
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), call->why));
	CS_TRY(get_insecure(&insecure, section, call->why));
	return ledger_tasks_construct(call, insecure);
}

static const struct ledger_module modules[] = {
	{.contract = &ledger_gateway, .genesis = gateway_genesis, .named = gateway_named},
	{.contract = &ledger_bridge, .genesis = bridge_genesis},
	{.contract = &ledger_assets},
	{.contract = &ledger_enclaves, .genesis = enclaves_genesis, .named = enclaves_named},
	{.contract = &ledger_records, .genesis = records_genesis},
	{.contract = &ledger_usage, .genesis = usage_genesis},
	{.contract = &ledger_tasks, .genesis = tasks_genesis},
	{.contract = &ledger_answers},
	/* Before those whose beginning goes by them. */
	{.contract = &ledger_parameters_contract,
	 .genesis = ledger_parameters_genesis,
	 .end = ledger_parameters_end},
	{.contract = &ledger_staking,
	 .genesis = ledger_staking_genesis,
	 .begin = ledger_staking_begin,
	 .end = ledger_staking_end},
};

struct ledger_modules ledger_modules(void)
{
	return (struct ledger_modules){modules, CS_LEN(modules)};
}
