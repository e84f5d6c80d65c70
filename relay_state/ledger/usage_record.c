#include "relay_state/ledger/signers.h"
#include "relay_state/ledger/timelock.h"
#include "relay_state/ledger/usage_parts.h"

#include <string.h>

#define RECORD_WORDS 12u

static enum cs_err read_record(struct cs_abi_reader *in, struct ledger_usage_record *record)
{
	struct cs_hash r, s;
	CS_TRY(cs_abi_get_word(in, &record->data_hash));
	CS_TRY(cs_abi_get_address(in, &record->provider));
	CS_TRY(cs_abi_get_address(in, &record->consumer));
	CS_TRY(cs_abi_get_bytes(in, LEDGER_USAGE_PURPOSE_SIZE_MAX, &record->purpose));
	CS_TRY(cs_abi_get_word(in, &record->enclave));
	CS_TRY(cs_abi_get_word(in, &record->metric));
	CS_TRY(cs_abi_get_u256(in, &record->quantity));
	CS_TRY(cs_abi_get_u256(in, &record->price));
	CS_TRY(cs_abi_get_u64(in, &record->observed_s));
	CS_TRY(cs_abi_get_u64(in, &record->nonce));
	CS_TRY(cs_abi_get_word(in, &r));
	CS_TRY(cs_abi_get_word(in, &s));
	memcpy(record->signature, r.b, sizeof r.b);
	memcpy(record->signature + sizeof r.b, s.b, sizeof s.b);
	return CS_OK;
}

static bool is_nobody(const struct cs_address *address)
{
	static const struct cs_address nobody;
	return cs_address_eq(address, &nobody);
}

static enum cs_err check_parties(struct ledger_call *call, const struct ledger_usage_record *record)
{
	if (is_nobody(&record->provider) || is_nobody(&record->consumer))
		return ledger_revert_plain(call, "PartyInvalid()");
	if (cs_address_eq(&record->provider, &record->consumer))
		return ledger_revert_plain(call, "ProviderIsConsumer()");
	return cs_u256_is_zero(&record->quantity) ? ledger_revert_plain(call, "QuantityZero()")
						  : CS_OK;
}

static enum cs_err check_time(struct ledger_call *call, const struct ledger_usage_record *record,
			      const struct usage_terms *terms)
{
	const uint64_t now = call->block->time_s;
	if (record->observed_s > now)
		return ledger_revert(
			call, "ObservedInFuture(uint64,uint64)",
			LEDGER_WORDS(ledger_word_u64(record->observed_s), ledger_word_u64(now)));
	if (now - record->observed_s > terms->age_max_s)
		return ledger_revert(
			call, "ObservedTooOld(uint64,uint64)",
			LEDGER_WORDS(ledger_word_u64(record->observed_s), ledger_word_u64(now)));
	return CS_OK;
}

static enum cs_err check_new(struct ledger_call *call, const struct usage_id *id)
{
	struct usage_body body;
	bool known;
	CS_TRY(usage_body_get(call, &known, &body, LEDGER_USAGE_CHARGE, id));
	return known ? ledger_revert(call, "RecordKnown(bytes32,uint64)",
				     LEDGER_WORDS(id->enclave, ledger_word_u64(id->nonce)))
		     : CS_OK;
}

struct recording {
	struct usage_terms terms;
	struct cs_hash chain;
};

/* From the cheapest check to the dearest. */
static enum cs_err take_record(struct ledger_call *call, const struct recording *recording,
			       const struct ledger_usage_record *record)
{
	struct usage_metric metric;
	const struct usage_id id = {record->enclave, record->nonce};
	CS_TRY(check_parties(call, record));
	CS_TRY(check_time(call, record, &recording->terms));
	CS_TRY(usage_metric_get(call, &metric, &record->metric));
	if (!metric.known)
		return ledger_revert(call, "MetricUnknown(bytes32)", LEDGER_WORDS(record->metric));
	struct ledger_usage_line line = {
		.kind = LEDGER_USAGE_CHARGE,
		.height = call->block->height,
		.time_s = call->block->time_s,
		.record = *record,
		.decimals = metric.decimals,
	};
	if (ledger_usage_amount(&line.amount, &record->quantity, &record->price, metric.decimals) !=
	    CS_OK)
		return ledger_revert_plain(call, "AmountOverflow()");
	CS_TRY(check_new(call, &id));
	const struct cs_hash digest =
		ledger_usage_digest(record, &recording->chain, recording->terms.insecure);
	CS_TRY(ledger_signers_check(call, &record->enclave, LEDGER_SIGNER_ROLE_COMPUTE,
				    record->signature, &digest));
	return usage_append(call, &line, line.time_s);
}

enum cs_err usage_record(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct ledger_usage_record *records;
	struct cs_abi_reader rows, row;
	struct recording recording;
	size_t count;
	(void)out;
	CS_TRY(cs_abi_open_array(in, &rows, 1, LEDGER_USAGE_RECORDS_MAX, &count));
	if (count == 0)
		return ledger_revert_plain(call, "NoRecords()");
	records = cs_arena_calloc(call->arena, count, sizeof *records);
	if (records == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < count; i++) {
		CS_TRY(cs_abi_open(&rows, &row, RECORD_WORDS));
		CS_TRY(read_record(&row, &records[i]));
		CS_TRY(cs_abi_close(&rows, &row));
	}
	CS_TRY(cs_abi_close(in, &rows));
	CS_TRY(ledger_not_paused(call));
	CS_TRY(usage_terms_get(call, &recording.terms));
	CS_TRY(ledger_signers_chain(call, &recording.chain));
	for (size_t i = 0; i < count; i++)
		CS_TRY(take_record(call, &recording, &records[i]));
	return CS_OK;
}

enum cs_err usage_record_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct usage_body body;
	struct usage_id id;
	bool known;
	CS_TRY(usage_id_read(in, &id));
	CS_TRY(usage_body_get(call, &known, &body, LEDGER_USAGE_CHARGE, &id));
	if (!known)
		return ledger_revert_plain(call, "RecordUnknown()");
	cs_abi_put_bytes(out, cs_abi_slot(out), body.bytes);
	return CS_OK;
}
