#include "relay_state/ledger/answers.h"
#include "relay_state/ledger/enclaves_parts.h"
#include "relay_state/ledger/parameters.h"
#include "relay_state/ledger/records.h"
#include "relay_state/ledger/staking.h"
#include "verify/cometbft/anchor.h"

#include <string.h>

#define MILLION 1000000u

/* A key of the register, and two things that it signed and that cannot both be true. */
struct report {
	enum ledger_contradiction kind;
	struct cs_hash x;
	struct enclaves_key key;
	struct enclaves_row row;
	struct cs_hash digests[2];
};

/* Of what keys of every role sign. */
#define ANY_ROLE 0u

/* Any key that was ever registered: an end, a suspension or an expiry does not undo what it signed. */
static enum cs_err begin(struct ledger_call *call, struct report *report,
			 enum ledger_contradiction kind, unsigned role)
{
	struct enclaves_tombstone tombstone;
	report->kind = kind;
	CS_TRY(enclaves_key_get(call, &report->key, &report->x));
	if (cs_hash_is_zero(&report->key.enclave))
		return ledger_revert_plain(call, "KeyUnknown()");
	CS_TRY(enclaves_get(call, &report->row, &report->key.enclave));
	CS_TRY(enclaves_tombstone_get(call, &tombstone, &report->key.enclave));
	if (tombstone.since_s != 0)
		return ledger_revert_plain(call, "EnclaveTombstoned()");
	return role == ANY_ROLE || report->row.role == role
		       ? CS_OK
		       : ledger_revert_plain(call, "WrongRole()");
}

/* ---- what follows ---- */

/* whole × ppm / 10⁶, rounded down; ppm is at most 10⁶, so that nothing overflows. */
static struct cs_u256 part_of(const struct cs_u256 *whole, uint64_t ppm)
{
	uint64_t rest = 0;
	const struct cs_u256 factor = cs_u256_u64(ppm);
	struct cs_u256 part = cs_u256_div_u64(&rest, whole, MILLION);
	const struct cs_u256 more = cs_u256_u64(rest * ppm / MILLION);
	cs_assert(ppm <= MILLION && cs_u256_mul(&part, &part, &factor) == CS_OK);
	cs_assert(cs_u256_add(&part, &part, &more) == CS_OK);
	return part;
}

static enum cs_err pay(struct ledger_call *call, const struct cs_u256 *slashed,
		       const struct cs_u256 *reward)
{
	struct cs_u256 burnt;
	bool moved = true;
	CS_TRY(cs_u256_sub(&burnt, slashed, reward));
	if (!cs_u256_is_zero(reward))
		CS_TRY(ledger_move(call, &moved, &call->address, &call->sender, reward));
	if (!moved)
		return cs_fail(call->why, CS_ERR_DAMAGED, "enclaves: a bond is not there");
	return cs_u256_is_zero(&burnt) ? CS_OK : ledger_staking_burn(call, &burnt);
}

static enum cs_err slash_bond(struct ledger_call *call, struct enclaves_tombstone *tombstone,
			      struct enclaves_row *row)
{
	struct ledger_parameters parameters;
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_READ));
	CS_TRY(ledger_parameters_get(call->state, &parameters));
	tombstone->slashed = part_of(&row->bond, parameters.values[LEDGER_PARAM_ENCLAVE_SLASH]);
	tombstone->reward =
		part_of(&tombstone->slashed, parameters.values[LEDGER_PARAM_ENCLAVE_REWARD]);
	CS_TRY(cs_u256_sub(&row->bond, &row->bond, &tombstone->slashed));
	return pay(call, &tombstone->slashed, &tombstone->reward);
}

static enum cs_err end_enclave(struct ledger_call *call, struct report *report)
{
	struct enclaves_row *row = &report->row;
	struct enclaves_tombstone tombstone = {
		.kind = (uint8_t)report->kind,
		.x = report->x,
		.since_s = call->block->time_s,
		.reporter = call->sender,
	};
	const struct cs_hash *enclave = &report->key.enclave;
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_HASH));
	tombstone.evidence = ledger_digest("caisson/ledger/contradiction/v1", report->digests,
					   CS_LEN(report->digests));
	CS_TRY(slash_bond(call, &tombstone, row));
	if (row->state != LEDGER_ENCLAVE_REVOKED)
		row->revoked_s = call->block->time_s;
	row->state = LEDGER_ENCLAVE_REVOKED;
	CS_TRY(enclaves_put(call, enclave, row));
	CS_TRY(enclaves_tombstone_put(call, enclave, &tombstone));
	CS_TRY(ledger_key_revoke(call, &report->key.identity, report->key.epoch));
	CS_TRY(ledger_emit_words(
		call, "EnclaveSlashed(bytes32,bytes32,uint8,uint256,uint256,address)",
		(const struct cs_hash[]){*enclave, report->x}, 2,
		LEDGER_WORDS(ledger_word_u64(tombstone.kind), cs_u256_word(&tombstone.slashed),
			     cs_u256_word(&tombstone.reward),
			     ledger_word_address(&tombstone.reporter))));
	return enclaves_emit_state(call, enclave, row);
}

/* ---- statements ---- */

/* One of the two, signed by the key as the identity and epoch that it was registered with. */
static enum cs_err check_statement(struct ledger_call *call, struct report *report, size_t at,
				   enum wire_kind kind, const struct cs_hash *receiver,
				   const struct ledger_statement *statement,
				   const struct cs_hash *leaf)
{
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_HASH));
	if (statement->epoch != report->key.epoch)
		return ledger_revert_plain(call, "EvidenceInvalid()");
	return ledger_statement_verify(call, &report->digests[at], &report->x, kind,
				       &report->key.identity, receiver, statement, leaf);
}

/* Delivered, and never to be delivered. */
enum cs_err enclaves_report_outcomes(struct ledger_call *call, struct cs_abi_reader *in,
				     struct cs_abi *out)
{
	struct report report;
	struct cs_hash receiver, id;
	struct ledger_statement statements[2];
	static const enum wire_status statuses[] = {WIRE_STATUS_DELIVERED, WIRE_STATUS_DEAD};
	(void)out;
	CS_TRY(cs_abi_get_word(in, &report.x));
	CS_TRY(cs_abi_get_word(in, &receiver));
	CS_TRY(cs_abi_get_word(in, &id));
	for (size_t i = 0; i < CS_LEN(statements); i++)
		CS_TRY(ledger_statement_read(in, &statements[i]));
	CS_TRY(begin(call, &report, LEDGER_CONTRADICTION_OUTCOME, LEDGER_ROLE_BRIDGE));
	for (size_t i = 0; i < CS_LEN(statements); i++) {
		const struct cs_hash leaf = wire_leaf_outcome(&id, statuses[i]);
		CS_TRY(check_statement(call, &report, i, WIRE_KIND_OUTCOME, &receiver,
				       &statements[i], &leaf));
	}
	return end_enclave(call, &report);
}

/* Rounds of a feed that failed are answers about the feed, many of them and all true; they never have
 * a value. */
static bool contradict(const struct wire_answer answers[2], const struct cs_hash leaves[2])
{
	return cs_hash_eq(&answers[0].request_id, &answers[1].request_id) &&
	       !cs_hash_eq(&leaves[0], &leaves[1]) &&
	       (answers[0].code == WIRE_ORACLE_OK || answers[1].code == WIRE_ORACLE_OK ||
		answers[0].observed_at == answers[1].observed_at);
}

enum cs_err enclaves_report_answers(struct ledger_call *call, struct cs_abi_reader *in,
				    struct cs_abi *out)
{
	struct report report;
	struct cs_hash receiver, leaves[2];
	struct wire_answer answers[2];
	struct ledger_statement statements[2];
	(void)out;
	CS_TRY(cs_abi_get_word(in, &report.x));
	CS_TRY(cs_abi_get_word(in, &receiver));
	for (size_t i = 0; i < CS_LEN(answers); i++) {
		CS_TRY(ledger_statement_read(in, &statements[i]));
		CS_TRY(ledger_answer_read(in, &answers[i]));
		leaves[i] = wire_leaf_answer(&answers[i]);
	}
	CS_TRY(begin(call, &report, LEDGER_CONTRADICTION_ANSWER, LEDGER_ROLE_ORACLE));
	CS_TRY(ledger_use_gas(call, 2 * LEDGER_GAS_HASH));
	if (!contradict(answers, leaves))
		return ledger_revert_plain(call, "EvidenceInvalid()");
	for (size_t i = 0; i < CS_LEN(answers); i++)
		CS_TRY(check_statement(call, &report, i, WIRE_KIND_ANSWER, &receiver,
				       &statements[i], &leaves[i]));
	return end_enclave(call, &report);
}

/* ---- anchors ---- */

static enum cs_err check_anchor(struct ledger_call *call, struct report *report, size_t at,
				const struct cmt_anchor *anchor, const uint8_t signature[64])
{
	struct cs_hash own;
	CS_TRY(ledger_enclaves_identity(call, &own));
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_HASH + LEDGER_GAS_SCHNORR));
	report->digests[at] = cmt_anchor_digest(&own, anchor);
	const enum cs_err err = cs_schnorr_verify64(call->sig, signature, &report->x,
						    CS_BYTES_OF(report->digests[at].b));
	return err == CS_ERR_BAD_SIGNATURE ? ledger_revert_plain(call, "SignatureInvalid()") : err;
}

/* Sealed state that was two things at one place: it ran twice. */
enum cs_err enclaves_report_anchors(struct ledger_call *call, struct cs_abi_reader *in,
				    struct cs_abi *out)
{
	struct report report;
	struct cmt_anchor anchors[2];
	uint64_t epoch, counter;
	uint8_t signatures[2][64];
	const struct cs_hash zero = {{0}};
	(void)out;
	CS_TRY(cs_abi_get_word(in, &report.x));
	CS_TRY(cs_abi_get_u64(in, &epoch));
	CS_TRY(cs_abi_get_u64(in, &counter));
	for (size_t i = 0; i < CS_LEN(anchors); i++) {
		struct cs_hash rx, s;
		anchors[i] = (struct cmt_anchor){zero, zero, epoch, counter, zero};
		CS_TRY(cs_abi_get_word(in, &anchors[i].digest));
		CS_TRY(cs_abi_get_word(in, &rx));
		CS_TRY(cs_abi_get_word(in, &s));
		memcpy(signatures[i], rx.b, sizeof rx.b);
		memcpy(signatures[i] + sizeof rx.b, s.b, sizeof s.b);
	}
	CS_TRY(begin(call, &report, LEDGER_CONTRADICTION_ANCHOR, ANY_ROLE));
	if (cs_hash_eq(&anchors[0].digest, &anchors[1].digest))
		return ledger_revert_plain(call, "EvidenceInvalid()");
	for (size_t i = 0; i < CS_LEN(anchors); i++) {
		anchors[i].lineage = report.row.lineage;
		anchors[i].identity = report.key.identity;
		CS_TRY(check_anchor(call, &report, i, &anchors[i], signatures[i]));
	}
	return end_enclave(call, &report);
}

/* ---- views ---- */

enum cs_err enclaves_tombstone_of(struct ledger_call *call, struct cs_abi_reader *in,
				  struct cs_abi *out)
{
	struct cs_hash enclave;
	struct enclaves_tombstone tombstone;
	CS_TRY(cs_abi_get_word(in, &enclave));
	CS_TRY(enclaves_tombstone_get(call, &tombstone, &enclave));
	cs_abi_put_u64(out, tombstone.kind);
	cs_abi_put_word(out, &tombstone.x);
	cs_abi_put_u64(out, tombstone.since_s);
	cs_abi_put_u256(out, &tombstone.slashed);
	cs_abi_put_u256(out, &tombstone.reward);
	cs_abi_put_address(out, &tombstone.reporter);
	cs_abi_put_word(out, &tombstone.evidence);
	return CS_OK;
}
