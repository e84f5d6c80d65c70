#include "core/caip.h"
#include "relay_state/ledger/answers.h"
#include "relay_state/ledger/assets.h"
#include "relay_state/ledger/block.h"
#include "relay_state/ledger/bridge.h"
#include "relay_state/ledger/enclaves.h"
#include "relay_state/ledger/enclaves_genesis.h"
#include "relay_state/ledger/gateway.h"
#include "relay_state/ledger/inbox.h"
#include "relay_state/ledger/parameters.h"
#include "relay_state/ledger/records.h"
#include "relay_state/ledger/remotes.h"
#include "relay_state/ledger/staking.h"
#include "relay_state/ledger/tasks.h"
#include "relay_state/ledger/usage.h"
#include "relay_state/ledger/usage_genesis.h"

/* ---- the gateway ---- */

/* Where genesis founds no gateway there is none. */
static enum cs_err is_founded(struct ledger_call *call, bool *founded, struct ledger_self *self)
{
	CS_TRY(ledger_self_get(call, self));
	*founded = self->caip2[0] != 0;
	return CS_OK;
}

/* An exported one is that of the new chain. */
static enum cs_err rename_gateway(struct ledger_call *call, const struct ledger_genesis *genesis)
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
	struct ledger_gateway_terms terms = {.insecure = false};
	if (section == NULL)
		return rename_gateway(call, genesis);
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), call->why));
	CS_TRY(cs_json_member_hex(terms.owner.b, sizeof terms.owner.b, section, "owner",
				  call->why));
	CS_TRY(cs_json_member_hex(terms.guardian.b, sizeof terms.guardian.b, section, "guardian",
				  call->why));
	CS_TRY(cs_json_member_u64(&terms.delay_s, section, "delay_s", UINT32_MAX, call->why));
	CS_TRY(cs_json_member_u64(&terms.rotation_delay_s, section, "rotation_delay_s", UINT32_MAX,
				  call->why));
	CS_TRY(cs_json_member_u64(&terms.overlap_s, section, "overlap_s", UINT32_MAX, call->why));
	if (cs_json_find(section, "insecure") != NULL)
		CS_TRY(cs_json_member_bool(&terms.insecure, section, "insecure", call->why));
	return ledger_gateway_construct(call, genesis->chain_id, &terms);
}

static enum cs_err gateway_named(struct ledger_call *call, const struct cs_hash *chain_tag)
{
	struct ledger_self self;
	bool founded;
	CS_TRY(is_founded(call, &founded, &self));
	return founded ? ledger_gateway_name(call, chain_tag) : CS_OK;
}

/* ---- the bridge ---- */

static enum cs_err bridge_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				  const struct cs_json *section)
{
	static const char *const keys[] = {"owner", "guardian", "delay_s", "window_s"};
	struct ledger_bridge_terms terms;
	(void)genesis;
	if (section == NULL)
		return CS_OK;
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), call->why));
	CS_TRY(cs_json_member_hex(terms.owner.b, sizeof terms.owner.b, section, "owner",
				  call->why));
	CS_TRY(cs_json_member_hex(terms.guardian.b, sizeof terms.guardian.b, section, "guardian",
				  call->why));
	CS_TRY(cs_json_member_u64(&terms.delay_s, section, "delay_s", UINT32_MAX, call->why));
	CS_TRY(cs_json_member_u64(&terms.window_s, section, "window_s", UINT32_MAX, call->why));
	return ledger_bridge_construct(call, &terms);
}

static const struct ledger_module modules[] = {
	{.contract = &ledger_gateway, .genesis = gateway_genesis, .named = gateway_named},
	{.contract = &ledger_bridge, .genesis = bridge_genesis},
	{.contract = &ledger_assets},
	{.contract = &ledger_enclaves,
	 .genesis = ledger_enclaves_genesis,
	 .named = ledger_enclaves_named},
	{.contract = &ledger_records, .genesis = ledger_records_genesis},
	{.contract = &ledger_usage, .genesis = ledger_usage_genesis},
	{.contract = &ledger_tasks, .genesis = ledger_tasks_genesis},
	{.contract = &ledger_answers},
	{.contract = &ledger_inbox},
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
