#include "relay_state/ledger/enclaves_policy.h"

#include <string.h>

/* ---- founding ---- */

enum cs_err ledger_enclaves_construct(struct ledger_call *call, struct cs_bytes chain_id,
				      const struct ledger_enclaves_terms *terms)
{
	struct ledger_self self = {.rotation_delay_s = terms->rotation_delay_s,
				   .overlap_s = terms->overlap_s,
				   .insecure = terms->insecure};
	struct enclaves_administrators admins = {
		terms->threshold, terms->administrator_count, {{{0}}}};
	const struct enclaves_terms kept = {terms->bond_min, terms->bond_delay_s,
					    terms->lifetime_max_s};
	if (terms->rotation_delay_s <= terms->delay_s)
		return cs_fail(call->why, CS_ERR_INVALID,
			       "enclaves: the rotation's delay is not above the delay");
	if (terms->rotation_delay_s > LEDGER_DELAY_MAX_S || terms->overlap_s > LEDGER_DELAY_MAX_S ||
	    terms->bond_delay_s > LEDGER_DELAY_MAX_S || terms->lifetime_max_s > LEDGER_DELAY_MAX_S)
		return cs_fail(call->why, CS_ERR_INVALID, "enclaves: a delay above %u s",
			       LEDGER_DELAY_MAX_S);
	if (terms->lifetime_max_s == 0)
		return cs_fail(call->why, CS_ERR_INVALID, "enclaves: no lifetime");
	memcpy(admins.x, terms->administrators, sizeof admins.x);
	if (enclaves_administrators_put(call, &admins) != CS_OK)
		return cs_fail(call->why, CS_ERR_INVALID,
			       "enclaves: administrators are k of up to %u distinct keys",
			       LEDGER_ADMINISTRATORS_MAX);
	cs_caip2_write_cosmos(self.caip2, chain_id);
	CS_TRY(ledger_timelock_construct(call, &terms->owner, &terms->guardian, terms->delay_s));
	CS_TRY(enclaves_terms_put(call, &kept));
	return ledger_self_put(call, &self);
}

enum cs_err ledger_enclaves_name(struct ledger_call *call, const struct cs_hash *chain_tag)
{
	struct ledger_self self;
	const struct cs_address address = ledger_contract_address(LEDGER_ENCLAVES_NUMBER);
	CS_TRY(ledger_self_get(call, &self));
	self.identity = wire_identity(cs_bytes_str(self.caip2), chain_tag, CS_BYTES_OF(address.b));
	CS_TRY(ledger_self_put(call, &self));
	return ledger_sentinel_put(call, &self.identity);
}

/* ---- for other contracts ---- */

/* The same call within the register: of its state, with the caller's gas. */
static struct ledger_call within(const struct ledger_call *call)
{
	struct ledger_call inner = *call;
	inner.number = LEDGER_ENCLAVES_NUMBER;
	inner.address = ledger_contract_address(LEDGER_ENCLAVES_NUMBER);
	return inner;
}

/* What it reverts with is what the caller reverts with. */
static enum cs_err leave(struct ledger_call *call, const struct ledger_call *inner, enum cs_err err)
{
	if (err == CS_ERR_REVERTED)
		call->output = inner->output;
	return err;
}

static bool is_in_time(const struct ledger_call *call, const struct wire_key *key,
		       const struct enclaves_row *row)
{
	const uint64_t now_s = call->block->time_s;
	return key->state == WIRE_KEY_ACTIVE && now_s >= key->not_before_s &&
	       (key->not_after_s == 0 || now_s < key->not_after_s) &&
	       row->state == LEDGER_ENCLAVE_ACTIVE && now_s < row->expires_s;
}

enum cs_err enclaves_find(struct ledger_call *call, struct ledger_key_holder *holder,
			  const struct cs_hash *x)
{
	struct enclaves_key place;
	struct enclaves_row row;
	struct wire_key key;
	struct enclaves_conflict conflict;
	struct enclaves_manifest manifest;
	*holder = (struct ledger_key_holder){.known = false};
	CS_TRY(enclaves_key_get(call, &place, x));
	if (cs_hash_is_zero(&place.enclave))
		return CS_OK;
	CS_TRY(enclaves_get(call, &row, &place.enclave));
	CS_TRY(ledger_key_get(call, &key, &place.identity, place.epoch));
	CS_TRY(enclaves_conflict_get(call, &conflict, &row.lineage));
	CS_TRY(enclaves_manifest_get(call, &manifest, &row.lineage, row.manifest_number));
	*holder = (struct ledger_key_holder){
		.known = true,
		.active = is_in_time(call, &key, &row) && conflict.since_s == 0 &&
			  cs_hash_eq(&manifest.hash, &row.manifest_hash),
		.enclave = place.enclave,
		.identity = place.identity,
		.epoch = place.epoch,
		.role = (enum ledger_role)row.role,
		.lineage = row.lineage,
		.gas = place.gas,
	};
	return CS_OK;
}

static enum cs_err require(struct ledger_call *call, struct ledger_key_holder *holder,
			   const struct cs_hash *x, enum ledger_role role)
{
	CS_TRY(enclaves_find(call, holder, x));
	if (!holder->active)
		return ledger_revert_plain(call, "KeyNotActive()");
	return holder->role == role ? CS_OK : ledger_revert_plain(call, "WrongRole()");
}

enum cs_err ledger_enclaves_find(struct ledger_call *call, struct ledger_key_holder *holder,
				 const struct cs_hash *x)
{
	struct ledger_call inner = within(call);
	return leave(call, &inner, enclaves_find(&inner, holder, x));
}

enum cs_err ledger_enclaves_require(struct ledger_call *call, struct ledger_key_holder *holder,
				    const struct cs_hash *x, enum ledger_role role)
{
	struct ledger_call inner = within(call);
	return leave(call, &inner, require(&inner, holder, x, role));
}

static enum cs_err check(struct ledger_call *call, enum ledger_role role, enum wire_kind kind,
			 const struct cs_hash *signer, const struct cs_hash *receiver,
			 const struct ledger_statement *statement, const struct cs_hash *subtree)
{
	struct wire_key key;
	struct ledger_key_holder holder;
	CS_TRY(ledger_key_get(call, &key, signer, statement->epoch));
	CS_TRY(require(call, &holder, &key.x, role));
	return ledger_statement_check_for(call, kind, signer, receiver, statement, subtree);
}

enum cs_err ledger_enclaves_check(struct ledger_call *call, enum ledger_role role,
				  enum wire_kind kind, const struct cs_hash *signer,
				  const struct cs_hash *receiver,
				  const struct ledger_statement *statement,
				  const struct cs_hash *subtree)
{
	struct ledger_call inner = within(call);
	return leave(call, &inner, check(&inner, role, kind, signer, receiver, statement, subtree));
}

enum cs_err ledger_enclaves_identity(struct ledger_call *call, struct cs_hash *identity)
{
	struct ledger_call inner = within(call);
	struct ledger_self self;
	const enum cs_err err = ledger_self_get(&inner, &self);
	if (err != CS_OK)
		return leave(call, &inner, err);
	*identity = self.identity;
	return CS_OK;
}

/* ---- who may stop an enclave ---- */

enum cs_err enclaves_emit_state(struct ledger_call *call, const struct cs_hash *enclave,
				const struct enclaves_row *row)
{
	return ledger_emit_words(call, "EnclaveChanged(bytes32,uint8,uint64,uint256)", enclave, 1,
				 LEDGER_WORDS(ledger_word_u64(row->state),
					      ledger_word_u64(row->expires_s),
					      cs_u256_word(&row->bond)));
}

static enum cs_err change(struct ledger_call *call, const struct cs_hash *enclave,
			  struct enclaves_row *row, enum ledger_enclave_state state)
{
	row->state = state;
	CS_TRY(enclaves_put(call, enclave, row));
	return enclaves_emit_state(call, enclave, row);
}

/* Every key of it at once, until the owner enables it again. */
static enum cs_err suspend(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash enclave;
	struct enclaves_row row;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &enclave));
	CS_TRY(ledger_only_owner_or_guardian(call));
	CS_TRY(enclaves_get(call, &row, &enclave));
	if (row.state != LEDGER_ENCLAVE_ACTIVE)
		return ledger_revert_plain(call, "EnclaveNotActive()");
	return change(call, &enclave, &row, LEDGER_ENCLAVE_SUSPENDED);
}

static enum cs_err enable(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash enclave;
	struct enclaves_row row;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &enclave));
	CS_TRY(ledger_after_delay(call));
	CS_TRY(enclaves_get(call, &row, &enclave));
	if (row.state != LEDGER_ENCLAVE_SUSPENDED)
		return ledger_revert_plain(call, "EnclaveNotSuspended()");
	return change(call, &enclave, &row, LEDGER_ENCLAVE_ACTIVE);
}

/* For ever; its bond goes back after the delay. */
static enum cs_err revoke(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash enclave;
	struct enclaves_row row;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &enclave));
	CS_TRY(ledger_only_owner_or_guardian(call));
	CS_TRY(enclaves_get(call, &row, &enclave));
	if (row.state == LEDGER_ENCLAVE_ABSENT)
		return ledger_revert_plain(call, "EnclaveUnknown()");
	if (row.state == LEDGER_ENCLAVE_REVOKED)
		return ledger_revert_plain(call, "EnclaveRevoked()");
	row.revoked_s = call->block->time_s;
	return change(call, &enclave, &row, LEDGER_ENCLAVE_REVOKED);
}

/* ---- bonds ---- */

/* Pays the bond back to who gave it. */
static enum cs_err withdraw_bond(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	struct cs_hash enclave;
	struct enclaves_row row;
	struct enclaves_terms terms;
	bool moved = false;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &enclave));
	CS_TRY(enclaves_get(call, &row, &enclave));
	CS_TRY(enclaves_terms_get(call, &terms));
	if (cs_u256_is_zero(&row.bond))
		return ledger_revert_plain(call, "BondMissing()");
	if (!cs_address_eq(&call->sender, &row.bonder))
		return ledger_revert_plain(call, "NotBonder()");
	if (row.state == LEDGER_ENCLAVE_SUSPENDED)
		return ledger_revert_plain(call, "EnclaveNotActive()");
	const uint64_t end_s = row.state == LEDGER_ENCLAVE_REVOKED && row.revoked_s < row.expires_s
				       ? row.revoked_s
				       : row.expires_s;
	const struct cs_hash free = ledger_word_u64(end_s + terms.bond_delay_s);
	if (call->block->time_s < end_s + terms.bond_delay_s)
		return ledger_revert(call, "BondLocked(uint64)", &free, 1);
	CS_TRY(ledger_move(call, &moved, &call->address, &row.bonder, &row.bond));
	if (!moved)
		return cs_fail(call->why, CS_ERR_DAMAGED, "enclaves: a bond is not there");
	const struct cs_hash amount = cs_u256_word(&row.bond);
	row.bond = cs_u256_u64(0);
	CS_TRY(enclaves_put(call, &enclave, &row));
	return ledger_emit_words(call, "BondWithdrawn(bytes32,address,uint256)", &enclave, 1,
				 LEDGER_WORDS(ledger_word_address(&row.bonder), amount));
}

/* ---- by the owner, after the delay ---- */

static enum cs_err set_administrators(struct ledger_call *call, struct cs_abi_reader *in,
				      struct cs_abi *out)
{
	struct enclaves_administrators admins;
	struct cs_abi_reader list;
	(void)out;
	CS_TRY(cs_abi_get_u8(in, &admins.threshold));
	CS_TRY(cs_abi_open_array(in, &list, 1, LEDGER_ADMINISTRATORS_MAX, &admins.count));
	for (size_t i = 0; i < admins.count; i++)
		CS_TRY(cs_abi_get_word(&list, &admins.x[i]));
	CS_TRY(cs_abi_close(in, &list));
	CS_TRY(ledger_after_delay(call));
	CS_TRY(ledger_use_gas(call, admins.count * LEDGER_GAS_SCHNORR));
	const enum cs_err err = enclaves_administrators_put(call, &admins);
	if (err == CS_ERR_INVALID)
		return ledger_revert_plain(call, "AdministratorsInvalid()");
	if (err != CS_OK)
		return err;
	return ledger_emit_words(
		call, "AdministratorsChanged(uint8,uint256)", LEDGER_NO_WORDS,
		LEDGER_WORDS(ledger_word_u64(admins.threshold), ledger_word_u64(admins.count)));
}

/* Says which of the two hashes of a conflict is the manifest's; the lineage goes on with it. */
static enum cs_err settle(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash lineage;
	struct enclaves_manifest manifest = {.settled = true};
	struct enclaves_conflict conflict;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &lineage));
	CS_TRY(cs_abi_get_word(in, &manifest.hash));
	CS_TRY(ledger_after_delay(call));
	CS_TRY(enclaves_conflict_get(call, &conflict, &lineage));
	if (conflict.since_s == 0)
		return ledger_revert_plain(call, "NoConflict()");
	if (!cs_hash_eq(&manifest.hash, &conflict.known) &&
	    !cs_hash_eq(&manifest.hash, &conflict.other))
		return ledger_revert_plain(call, "ManifestUnknown()");
	CS_TRY(enclaves_manifest_put(call, &lineage, conflict.number, &manifest));
	CS_TRY(enclaves_conflict_end(call, &lineage));
	return ledger_emit_words(call, "ManifestSettledAs(bytes32,uint64,bytes32)", &lineage, 1,
				 LEDGER_WORDS(ledger_word_u64(conflict.number), manifest.hash));
}

/* ---- views ---- */

static enum cs_err enclave_of(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct cs_hash enclave;
	struct enclaves_row row;
	CS_TRY(cs_abi_get_word(in, &enclave));
	CS_TRY(enclaves_get(call, &row, &enclave));
	cs_abi_put_u64(out, row.state);
	cs_abi_put_u64(out, row.role);
	cs_abi_put_word(out, &row.measurement);
	cs_abi_put_word(out, &row.lineage);
	cs_abi_put_u64(out, row.manifest_number);
	cs_abi_put_word(out, &row.manifest_hash);
	cs_abi_put_u64(out, row.evidence_kind);
	cs_abi_put_word(out, &row.evidence_digest);
	cs_abi_put_u64(out, row.registered_s);
	cs_abi_put_u64(out, row.expires_s);
	cs_abi_put_u64(out, row.revoked_s);
	cs_abi_put_u256(out, &row.bond);
	cs_abi_put_address(out, &row.bonder);
	return CS_OK;
}

static enum cs_err holder_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash x;
	struct ledger_key_holder holder;
	CS_TRY(cs_abi_get_word(in, &x));
	CS_TRY(enclaves_find(call, &holder, &x));
	cs_abi_put_word(out, &holder.enclave);
	cs_abi_put_word(out, &holder.identity);
	cs_abi_put_u64(out, holder.epoch);
	cs_abi_put_u64(out, holder.role);
	cs_abi_put_address(out, &holder.gas);
	cs_abi_put_u64(out, holder.active);
	return CS_OK;
}

/* Is it a key in this role that counts now? */
static enum cs_err is_active(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash x;
	struct ledger_key_holder holder;
	uint8_t role;
	CS_TRY(cs_abi_get_word(in, &x));
	CS_TRY(cs_abi_get_u8(in, &role));
	CS_TRY(enclaves_find(call, &holder, &x));
	cs_abi_put_u64(out, holder.active && holder.role == role);
	return CS_OK;
}

static enum cs_err epoch_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash identity;
	uint64_t epoch;
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(enclaves_epoch_get(call, &epoch, &identity));
	cs_abi_put_u64(out, epoch);
	return CS_OK;
}

static enum cs_err manifest_of(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_hash lineage;
	struct enclaves_manifest manifest;
	uint64_t number;
	CS_TRY(cs_abi_get_word(in, &lineage));
	CS_TRY(cs_abi_get_u64(in, &number));
	CS_TRY(enclaves_manifest_get(call, &manifest, &lineage, number));
	cs_abi_put_word(out, &manifest.hash);
	cs_abi_put_u64(out, manifest.settled);
	return CS_OK;
}

static enum cs_err conflict_of(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_hash lineage;
	struct enclaves_conflict conflict;
	CS_TRY(cs_abi_get_word(in, &lineage));
	CS_TRY(enclaves_conflict_get(call, &conflict, &lineage));
	cs_abi_put_u64(out, conflict.number);
	cs_abi_put_word(out, &conflict.known);
	cs_abi_put_word(out, &conflict.other);
	cs_abi_put_u64(out, conflict.since_s);
	return CS_OK;
}

static enum cs_err administrators(struct ledger_call *call, struct cs_abi_reader *in,
				  struct cs_abi *out)
{
	struct enclaves_administrators admins;
	(void)in;
	CS_TRY(enclaves_administrators_get(call, &admins));
	cs_abi_put_u64(out, admins.threshold);
	const size_t slot = cs_abi_slot(out);
	cs_abi_enter_array(out, slot, admins.count);
	for (size_t i = 0; i < admins.count; i++)
		cs_abi_put_word(out, &admins.x[i]);
	cs_abi_leave(out);
	return CS_OK;
}

static enum cs_err terms(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct enclaves_terms kept;
	(void)in;
	CS_TRY(enclaves_terms_get(call, &kept));
	cs_abi_put_u256(out, &kept.bond_min);
	cs_abi_put_u64(out, kept.bond_delay_s);
	cs_abi_put_u64(out, kept.lifetime_max_s);
	return CS_OK;
}

/* ---- the table ---- */

#define REGISTRATION                                                                          \
	"(bytes32,uint8,bytes32,bytes32,uint64,bytes32,uint8,bytes32,uint64,uint256,address," \
	"(bytes32,uint64,bytes32,address)[],bytes)"
#define APPROVALS "(uint8,bytes32,bytes32)[]"
#define STATEMENT "(uint64,uint64,uint256,uint256,uint256,bytes32[])"
#define ANSWER "(bytes32,bytes32,uint8,uint64,bytes32,bytes)"

static const struct ledger_function functions[] = {
	LEDGER_OWNER_FUNCTIONS,
	{"identity()", 0x2c159a1a, 0, false, 0, ledger_keys_identity},
	{"domain()", 0xc2fb26a6, 0, false, 0, ledger_keys_domain},
	{"insecure()", 0x783075c6, 0, false, 0, ledger_keys_insecure},
	{"rotationDelay()", 0xc647f844, 0, false, 0, ledger_keys_rotation_delay},
	{"overlap()", 0xea9e4070, 0, false, 0, ledger_keys_overlap},
	{"raiseManifest(bytes32,uint64)", 0x52929df8, 2, false, 0, ledger_keys_raise_manifest},
	{"suspendKey(bytes32,uint64)", 0x98aeb5d5, 2, false, 0, ledger_keys_suspend},
	{"revokeKey(bytes32,uint64)", 0xa675c9a9, 2, false, 0, ledger_keys_revoke},
	{"enableKey(bytes32,uint64)", 0xa7b96b86, 2, false, 0, ledger_keys_enable},
	{"retireKey(bytes32,uint64,uint64)", 0x4b5846ac, 3, false, 0, ledger_keys_retire},
	{"keyOf(bytes32,uint64)", 0xa7eb8241, 2, false, 0, ledger_keys_of},
	{"announceRotation(bytes32," STATEMENT ",uint64,bytes32)", 0x3ad7a664, 4, false, 0,
	 enclaves_announce},
	{"sentinel()", 0xf58c251c, 0, false, 0, ledger_remotes_sentinel},
	{"register(" REGISTRATION "," APPROVALS ")", 0x0193754c, 2, true, 0, enclaves_register},
	{"setPolicy(uint64,uint8,bytes,bytes[],bytes[]," APPROVALS ")", 0x7143f859, 6, false, 0,
	 enclaves_set_policy},
	{"approveManifest(bytes32,uint64,bytes32," APPROVALS ")", 0x813da57b, 4, false, 0,
	 enclaves_approve_manifest},
	{"policy()", 0x0505c8c9, 0, false, 0, enclaves_policy_of},
	{"verdictOf(bytes32)", 0x7b96882b, 1, false, 0, enclaves_verdict_of},
	{"collateralOf(uint8)", 0x7cdbac54, 1, false, 0, enclaves_collateral_of},
	{"suspendEnclave(bytes32)", 0x39cd58fd, 1, false, 0, suspend},
	{"enableEnclave(bytes32)", 0xfa99c38c, 1, false, 0, enable},
	{"revokeEnclave(bytes32)", 0xb32c3df4, 1, false, 0, revoke},
	{"withdrawBond(bytes32)", 0x7285e1ac, 1, false, 0, withdraw_bond},
	{"setAdministrators(uint8,bytes32[])", 0x3bfaecc4, 2, false, 0, set_administrators},
	{"settleManifest(bytes32,bytes32)", 0x4385cdbd, 2, false, 0, settle},
	{"registerTimeKey(bytes32,bytes32,bytes32)", 0x22a93898, 3, false, 0,
	 enclaves_register_time_key},
	{"removeTimeKey()", 0x4d66b8b3, 0, false, 0, enclaves_remove_time_key},
	{"timeKeyOf(address)", 0xc8fd52c1, 1, false, 0, enclaves_time_key_of},
	{"enclaveOf(bytes32)", 0xe4547129, 1, false, 0, enclave_of},
	{"holderOf(bytes32)", 0xfe6a9a8c, 1, false, 0, holder_of},
	{"isActive(bytes32,uint8)", 0x224c6632, 2, false, 0, is_active},
	{"epochOf(bytes32)", 0xd3b8fe9b, 1, false, 0, epoch_of},
	{"manifestOf(bytes32,uint64)", 0x27d0c43c, 2, false, 0, manifest_of},
	{"conflictOf(bytes32)", 0xe6ef5237, 1, false, 0, conflict_of},
	{"reportOutcomes(bytes32,bytes32,bytes32," STATEMENT "," STATEMENT ")", 0x6c638c0f, 5,
	 false, 0, enclaves_report_outcomes},
	{"reportAnchors(bytes32,uint64,uint64,(bytes32,bytes32,bytes32),(bytes32,bytes32,bytes32))",
	 0x7cf1e9e8, 9, false, 0, enclaves_report_anchors},
	{"reportAnswers(bytes32,bytes32," STATEMENT "," ANSWER "," STATEMENT "," ANSWER ")",
	 0x717c8b20, 6, false, 0, enclaves_report_answers},
	{"tombstoneOf(bytes32)", 0xa6da4ac5, 1, false, 0, enclaves_tombstone_of},
	{"administrators()", 0xe0b35266, 0, false, 0, administrators},
	{"terms()", 0xd5025625, 0, false, 0, terms},
};

const struct ledger_contract ledger_enclaves = {
	.name = "enclaves",
	.number = LEDGER_ENCLAVES_NUMBER,
	.functions = functions,
	.function_count = CS_LEN(functions),
};
