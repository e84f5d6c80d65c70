/* What the files of usage records share: terms, metrics, bodies of lines, statements. Not for other
 * contracts. */
#ifndef LEDGER_USAGE_PARTS_H
#define LEDGER_USAGE_PARTS_H

#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/pairs.h"
#include "relay_state/ledger/usage.h"

/* Appending to a log: a leaf and, in the long run, one node; a root has at most 32. */
#define USAGE_APPEND_GAS (3u * LEDGER_GAS_HASH)
#define USAGE_ROOT_GAS (33u * LEDGER_GAS_HASH)

struct usage_terms {
	struct cs_address arbiter;
	struct cs_address asset;
	uint64_t age_max_s;
	uint64_t window_s;
	uint64_t retention_s;
	bool insecure;
};
CS_NODISCARD enum cs_err usage_terms_get(struct ledger_call *call, struct usage_terms *terms);

struct usage_metric {
	bool known;
	uint8_t decimals;
	struct cs_hash unit;
};
CS_NODISCARD enum cs_err usage_metric_get(struct ledger_call *call, struct usage_metric *metric,
					  const struct cs_hash *name);

/* ---- lines ---- */

/* Names a record. */
struct usage_id {
	struct cs_hash enclave;
	uint64_t nonce;
};
CS_NODISCARD enum cs_err usage_id_read(struct cs_abi_reader *in, struct usage_id *id);
struct ledger_key usage_id_key(char kind, const struct usage_id *id);

/* Statements that still hold a line. */
#define USAGE_HELD_BY_PROVIDER 1u
#define USAGE_HELD_BY_CONSUMER 2u

struct usage_body {
	uint8_t held;
	struct ledger_usage_line line; /* a view */
	struct cs_bytes bytes;
};
/* *known false: there is none, or it is pruned. */
CS_NODISCARD enum cs_err usage_body_get(struct ledger_call *call, bool *known,
					struct usage_body *body, enum ledger_usage_kind kind,
					const struct usage_id *id);
/* held 0: removed. */
CS_NODISCARD enum cs_err usage_body_put(struct ledger_call *call, uint8_t held,
					const struct ledger_usage_line *line);

/* Writes a new line: its body, at the ends of the two statements of the block's month, and into the
 * balance of the month of `charged_s`, that of the charge. Reverts with TotalOverflow(), LogFull(). */
CS_NODISCARD enum cs_err usage_append(struct ledger_call *call,
				      const struct ledger_usage_line *line, uint64_t charged_s);

/* ---- statements and balances ---- */

CS_NODISCARD enum cs_err usage_account_read(struct cs_abi_reader *in,
					    struct ledger_usage_account *account);
/* An empty one where there is none. */
CS_NODISCARD enum cs_err usage_statement_get(struct ledger_call *call,
					     struct ledger_usage_statement *statement,
					     const struct ledger_usage_account *account,
					     bool pruned);
CS_NODISCARD enum cs_err usage_statement_put(struct ledger_call *call,
					     const struct ledger_usage_statement *statement,
					     const struct ledger_usage_account *account,
					     bool pruned);
/* At an index of a statement. */
struct ledger_key usage_entry_key(const struct ledger_usage_account *account, uint64_t index);
struct usage_entry {
	enum ledger_usage_kind kind;
	struct usage_id id;
};
CS_NODISCARD enum cs_err usage_entry_get(struct ledger_call *call, struct usage_entry *entry,
					 const struct ledger_usage_account *account,
					 uint64_t index);

struct usage_balance {
	struct cs_u256 charged;
	struct cs_u256 credited; /* of charges of this month, whenever it was decided */
	struct cs_u256 paid;
};
struct usage_pair {
	struct cs_address provider;
	struct cs_address consumer;
	uint32_t period;
};
CS_NODISCARD enum cs_err usage_balance_get(struct ledger_call *call, struct usage_balance *balance,
					   const struct usage_pair *pair);
CS_NODISCARD enum cs_err usage_balance_put(struct ledger_call *call,
					   const struct usage_balance *balance,
					   const struct usage_pair *pair);

/* ---- disputes ---- */

/* Does somebody's answer to a dispute of this record have to come, or may an appeal? A provider who
 * rejects late must not take the consumer's appeal with the line. */
CS_NODISCARD enum cs_err usage_dispute_waits(struct ledger_call *call, bool *waits,
					     const struct usage_id *id, uint64_t window_s);
CS_NODISCARD enum cs_err usage_dispute_forget(struct ledger_call *call, const struct usage_id *id);

ledger_function_fn usage_record, usage_record_of;
ledger_function_fn usage_statement_of, usage_lines, usage_prune;
ledger_function_fn usage_dispute, usage_withdraw, usage_accept, usage_reject, usage_appeal,
	usage_decide, usage_dispute_of;
ledger_function_fn usage_settle, usage_balance_of;

#endif
