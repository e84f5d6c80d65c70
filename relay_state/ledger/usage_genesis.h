/* The members "usage" and "tasks" of genesis' "contracts": terms and metrics from JSON.
 *
 *     "usage": { "owner": "0x…", "guardian": "0x…", "delay_s": 86400, "arbiter": "0x…", "asset": "0x…",
 *                "age_max_s": 604800, "window_s": 1209600, "retention_s": 31536000, "insecure": false,
 *                "metrics": [ {"name": "rows", "decimals": 0, "unit": "row"}, … ] }
 *     "tasks": { "insecure": false }
 *
 * arbiter, asset, insecure and metrics may be missing. */
#ifndef LEDGER_USAGE_GENESIS_H
#define LEDGER_USAGE_GENESIS_H

#include "relay_state/ledger/block.h"

#define LEDGER_GENESIS_METRICS_MAX 256u

/* As struct ledger_module has it. INVALID and the errors of cs_json_member_…, with what is wrong in
 * call->why. */
CS_NODISCARD enum cs_err ledger_usage_genesis(struct ledger_call *call,
					      const struct ledger_genesis *genesis,
					      const struct cs_json *section);
CS_NODISCARD enum cs_err ledger_tasks_genesis(struct ledger_call *call,
					      const struct ledger_genesis *genesis,
					      const struct cs_json *section);

#endif
