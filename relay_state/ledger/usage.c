#include "relay_state/ledger/timelock.h"
#include "relay_state/ledger/usage_parts.h"

#include <string.h>

#define KIND_TERMS 'g'
#define KIND_METRIC 'm'

/* Windows that retention covers: to dispute, to answer, to appeal, to decide. */
#define WINDOWS_OF_A_DISPUTE 4u

#define ARBITER_AT 0u
#define ASSET_AT 20u
#define AGE_AT 40u
#define WINDOW_AT 48u
#define RETENTION_AT 56u
#define INSECURE_AT 64u
#define TERMS_SIZE 65u
#define METRIC_SIZE 33u

/* ---- terms ---- */

enum cs_err usage_terms_get(struct ledger_call *call, struct usage_terms *terms)
{
	uint8_t value[TERMS_SIZE];
	const struct ledger_key key = ledger_key(KIND_TERMS);
	CS_TRY(ledger_get_fixed(call, value, sizeof value, &key));
	memcpy(terms->arbiter.b, value + ARBITER_AT, sizeof terms->arbiter.b);
	memcpy(terms->asset.b, value + ASSET_AT, sizeof terms->asset.b);
	terms->age_max_s = cs_be64(value + AGE_AT);
	terms->window_s = cs_be64(value + WINDOW_AT);
	terms->retention_s = cs_be64(value + RETENTION_AT);
	terms->insecure = value[INSECURE_AT] != 0;
	return CS_OK;
}

static enum cs_err put_terms(struct ledger_call *call, const struct usage_terms *terms)
{
	uint8_t value[TERMS_SIZE];
	const struct ledger_key key = ledger_key(KIND_TERMS);
	memcpy(value + ARBITER_AT, terms->arbiter.b, sizeof terms->arbiter.b);
	memcpy(value + ASSET_AT, terms->asset.b, sizeof terms->asset.b);
	cs_put_be64(value + AGE_AT, terms->age_max_s);
	cs_put_be64(value + WINDOW_AT, terms->window_s);
	cs_put_be64(value + RETENTION_AT, terms->retention_s);
	value[INSECURE_AT] = terms->insecure;
	return ledger_put_fixed(call, &key, value, sizeof value);
}

/* A record that is pruned is known no more: it must then be too old to be taken again. */
enum cs_err ledger_usage_construct(struct ledger_call *call, const struct ledger_usage_terms *terms)
{
	if (terms->age_max_s == 0 || terms->window_s == 0 ||
	    terms->retention_s > LEDGER_USAGE_TERM_MAX_S || terms->age_max_s > terms->retention_s ||
	    terms->window_s > terms->retention_s / WINDOWS_OF_A_DISPUTE)
		return cs_fail(call->why, CS_ERR_INVALID,
			       "usage: retention must cover the longest age and %u windows, up to "
			       "%u s",
			       WINDOWS_OF_A_DISPUTE, LEDGER_USAGE_TERM_MAX_S);
	const struct usage_terms own = {
		.arbiter = terms->arbiter,
		.asset = terms->asset,
		.age_max_s = terms->age_max_s,
		.window_s = terms->window_s,
		.retention_s = terms->retention_s,
		.insecure = terms->insecure,
	};
	CS_TRY(ledger_timelock_construct(call, &terms->owner, &terms->guardian, terms->delay_s));
	return put_terms(call, &own);
}

static enum cs_err get_terms(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct usage_terms terms;
	(void)in;
	CS_TRY(usage_terms_get(call, &terms));
	cs_abi_put_address(out, &terms.arbiter);
	cs_abi_put_address(out, &terms.asset);
	cs_abi_put_u64(out, terms.age_max_s);
	cs_abi_put_u64(out, terms.window_s);
	cs_abi_put_u64(out, terms.retention_s);
	cs_abi_put_u64(out, terms.insecure);
	return CS_OK;
}

static enum cs_err set_arbiter(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct usage_terms terms;
	struct cs_address arbiter;
	(void)out;
	CS_TRY(cs_abi_get_address(in, &arbiter));
	CS_TRY(ledger_after_delay(call));
	CS_TRY(usage_terms_get(call, &terms));
	terms.arbiter = arbiter;
	CS_TRY(put_terms(call, &terms));
	return ledger_emit_words(call, "ArbiterChanged(address)",
				 LEDGER_WORDS(ledger_word_address(&arbiter)), LEDGER_NO_WORDS);
}

/* ---- metrics ---- */

enum cs_err usage_metric_get(struct ledger_call *call, struct usage_metric *metric,
			     const struct cs_hash *name)
{
	struct cs_bytes value;
	const struct ledger_key key = ledger_key_of(KIND_METRIC, CS_BYTES_OF(name->b));
	enum cs_err err = ledger_get(call, &value, cs_bytes(key.b, key.n));
	*metric = (struct usage_metric){.known = false};
	if (err == CS_ERR_NOT_FOUND)
		return CS_OK;
	if (err != CS_OK)
		return err;
	if (value.n != METRIC_SIZE)
		return cs_fail(call->why, CS_ERR_DAMAGED, "usage: a metric of %zu bytes", value.n);
	metric->known = true;
	metric->decimals = value.p[0];
	memcpy(metric->unit.b, value.p + 1, sizeof metric->unit.b);
	return CS_OK;
}

/* Text of the given characters in the first bytes, zeros in the rest. */
static bool is_label(const struct cs_hash *word, const char *others)
{
	size_t n = 0;
	for (; n < sizeof word->b && word->b[n] != 0; n++) {
		const char c = (char)word->b[n];
		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && strchr(others, c) == NULL)
			return false;
	}
	for (size_t i = n; i < sizeof word->b; i++) {
		if (word->b[i] != 0)
			return false;
	}
	return n > 0;
}

enum cs_err ledger_usage_add_metric(struct ledger_call *call, const struct cs_hash *name,
				    uint8_t decimals, const struct cs_hash *unit)
{
	uint8_t value[METRIC_SIZE] = {decimals};
	struct usage_metric known;
	const struct ledger_key key = ledger_key_of(KIND_METRIC, CS_BYTES_OF(name->b));
	if (decimals > LEDGER_USAGE_DECIMALS_MAX || !is_label(name, "_.-") ||
	    !is_label(unit, "_.-/%ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
		return ledger_revert_plain(call, "MetricInvalid()");
	CS_TRY(usage_metric_get(call, &known, name));
	if (known.known)
		return ledger_revert_plain(call, "MetricKnown()");
	memcpy(value + 1, unit->b, sizeof unit->b);
	CS_TRY(ledger_put_fixed(call, &key, value, sizeof value));
	return ledger_emit_words(call, "MetricRegistered(bytes32,uint8,bytes32)",
				 LEDGER_WORDS(*name),
				 LEDGER_WORDS(ledger_word_u64(decimals), *unit));
}

/* A metric never changes: statements of years ago are read with it. */
static enum cs_err register_metric(struct ledger_call *call, struct cs_abi_reader *in,
				   struct cs_abi *out)
{
	struct cs_hash name, unit;
	uint8_t decimals;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &name));
	CS_TRY(cs_abi_get_u8(in, &decimals));
	CS_TRY(cs_abi_get_word(in, &unit));
	CS_TRY(ledger_only_owner(call));
	return ledger_usage_add_metric(call, &name, decimals, &unit);
}

static enum cs_err metric_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct usage_metric metric;
	struct cs_hash name;
	CS_TRY(cs_abi_get_word(in, &name));
	CS_TRY(usage_metric_get(call, &metric, &name));
	cs_abi_put_u64(out, metric.known);
	cs_abi_put_u64(out, metric.decimals);
	cs_abi_put_word(out, &metric.unit);
	return CS_OK;
}

/* ---- the table ---- */

#define RECORD                                                                                  \
	"(bytes32,address,address,bytes,bytes32,bytes32,uint256,uint256,uint64,uint64,bytes32," \
	"bytes32)"

/* clang-format off */
static const struct ledger_function functions[] = {
	LEDGER_TIMELOCK_FUNCTIONS,
	{"terms()", 0xd5025625, 0, false, 0, get_terms},
	{"setArbiter(address)", 0x1c9c088a, 1, false, 0, set_arbiter},
	{"registerMetric(bytes32,uint8,bytes32)", 0x1d234a1e, 3, false, 0, register_metric},
	{"metricOf(bytes32)", 0xf510890f, 1, false, 0, metric_of},
	{"record(" RECORD "[])", 0xf042aa4f, 1, false, 0, usage_record},
	{"recordOf(bytes32,uint64)", 0x58624d68, 2, false, 0, usage_record_of},
	{"statementOf(address,uint8,uint32)", 0x7dd69e34, 3, false, 0, usage_statement_of},
	{"lines(address,uint8,uint32,uint64,uint64)", 0xddbe349e, 5, false, 0, usage_lines},
	{"prune(address,uint8,uint32,uint64)", 0xfe4466f1, 4, false, 0, usage_prune},
	{"dispute(bytes32,uint64,uint256,bytes32)", 0xa8ecdbd2, 4, false, 0, usage_dispute},
	{"withdraw(bytes32,uint64,bytes32)", 0xa1f18dc1, 3, false, 0, usage_withdraw},
	{"accept(bytes32,uint64,bytes32)", 0x3014ee35, 3, false, 0, usage_accept},
	{"reject(bytes32,uint64,bytes32)", 0xb43c1dd4, 3, false, 0, usage_reject},
	{"appeal(bytes32,uint64,bytes32)", 0xbd44b0a0, 3, false, 0, usage_appeal},
	{"decide(bytes32,uint64,uint256,bytes32)", 0x974fe284, 4, false, 0, usage_decide},
	{"disputeOf(bytes32,uint64)", 0xcd0e9ab8, 2, false, 0, usage_dispute_of},
	{"settle(address,uint32,uint256)", 0x83df2c42, 3, true, 0, usage_settle},
	{"balanceOf(address,address,uint32)", 0xd4cb7e30, 3, false, 0, usage_balance_of},
};
/* clang-format on */

const struct ledger_contract ledger_usage = {
	.name = "usage",
	.number = LEDGER_USAGE_NUMBER,
	.functions = functions,
	.function_count = CS_LEN(functions),
};
