#include "relay_state/ledger/usage_genesis.h"

#include "relay_state/ledger/tasks.h"
#include "relay_state/ledger/usage.h"

#include <string.h>

static enum cs_err read_account(struct ledger_call *call, struct cs_address *account,
				const struct cs_json *section, const char *key)
{
	return cs_json_member_hex(account->b, sizeof account->b, section, key, call->why);
}

static enum cs_err read_terms(struct ledger_call *call, struct ledger_usage_terms *terms,
			      const struct cs_json *section)
{
	CS_TRY(read_account(call, &terms->owner, section, "owner"));
	CS_TRY(read_account(call, &terms->guardian, section, "guardian"));
	CS_TRY(cs_json_member_u64(&terms->delay_s, section, "delay_s", UINT32_MAX, call->why));
	CS_TRY(cs_json_member_u64(&terms->age_max_s, section, "age_max_s", UINT32_MAX, call->why));
	CS_TRY(cs_json_member_u64(&terms->window_s, section, "window_s", UINT32_MAX, call->why));
	CS_TRY(cs_json_member_u64(&terms->retention_s, section, "retention_s", UINT32_MAX,
				  call->why));
	if (cs_json_find(section, "arbiter") != NULL)
		CS_TRY(read_account(call, &terms->arbiter, section, "arbiter"));
	if (cs_json_find(section, "asset") != NULL)
		CS_TRY(read_account(call, &terms->asset, section, "asset"));
	if (cs_json_find(section, "insecure") != NULL)
		CS_TRY(cs_json_member_bool(&terms->insecure, section, "insecure", call->why));
	return CS_OK;
}

static enum cs_err read_label(struct ledger_call *call, struct cs_hash *label,
			      const struct cs_json *metric, const char *key)
{
	struct cs_bytes text;
	CS_TRY(cs_json_member_string(&text, metric, key, sizeof label->b, call->why));
	memset(label->b, 0, sizeof label->b);
	memcpy(label->b, text.p, text.n);
	return CS_OK;
}

static enum cs_err add_metric(struct ledger_call *call, const struct cs_json *metric)
{
	static const char *const keys[] = {"name", "decimals", "unit"};
	struct cs_hash name, unit;
	uint64_t decimals;
	CS_TRY(cs_json_only(metric, keys, CS_LEN(keys), call->why));
	CS_TRY(read_label(call, &name, metric, "name"));
	CS_TRY(read_label(call, &unit, metric, "unit"));
	CS_TRY(cs_json_member_u64(&decimals, metric, "decimals", LEDGER_USAGE_DECIMALS_MAX,
				  call->why));
	enum cs_err err = ledger_usage_add_metric(call, &name, (uint8_t)decimals, &unit);
	if (err == CS_ERR_REVERTED)
		return cs_fail(call->why, CS_ERR_INVALID,
			       "usage: a metric is there twice, or its name or unit is none");
	return err;
}

static enum cs_err add_metrics(struct ledger_call *call, const struct cs_json *section)
{
	const struct cs_json *list;
	if (cs_json_find(section, "metrics") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member(&list, section, "metrics", CS_JSON_ARRAY, call->why));
	if (list->count > LEDGER_GENESIS_METRICS_MAX)
		return cs_fail(call->why, CS_ERR_TOO_LARGE, "usage: more than %u metrics",
			       LEDGER_GENESIS_METRICS_MAX);
	for (const struct cs_json *metric = list->child; metric != NULL; metric = metric->next)
		CS_TRY(add_metric(call, metric));
	return CS_OK;
}

enum cs_err ledger_usage_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				 const struct cs_json *section)
{
	static const char *const keys[] = {"owner",    "guardian",  "delay_s",  "arbiter",
					   "asset",    "age_max_s", "window_s", "retention_s",
					   "insecure", "metrics"};
	struct ledger_usage_terms terms = {.insecure = false};
	(void)genesis;
	if (section == NULL)
		return CS_OK;
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), call->why));
	CS_TRY(read_terms(call, &terms, section));
	CS_TRY(ledger_usage_construct(call, &terms));
	return add_metrics(call, section);
}

enum cs_err ledger_tasks_genesis(struct ledger_call *call, const struct ledger_genesis *genesis,
				 const struct cs_json *section)
{
	static const char *const keys[] = {"insecure"};
	bool insecure;
	(void)genesis;
	if (section == NULL)
		return CS_OK;
	CS_TRY(cs_json_only(section, keys, CS_LEN(keys), call->why));
	CS_TRY(cs_json_member_bool(&insecure, section, "insecure", call->why));
	return ledger_tasks_construct(call, insecure);
}
