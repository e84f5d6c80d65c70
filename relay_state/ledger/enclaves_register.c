#include "core/hash.h"
#include "relay_state/ledger/enclaves_policy.h"

#include <string.h>

#define REGISTRATION_WORDS 13u
#define KEY_WORDS 4u

/* ---- preimages ---- */

struct cs_hash ledger_enclave_keys_hash(const struct ledger_enclave_key *keys, size_t count)
{
	struct cs_hash words[4u * LEDGER_ENCLAVE_KEYS_MAX];
	cs_assert(count <= LEDGER_ENCLAVE_KEYS_MAX);
	for (size_t i = 0; i < count; i++) {
		words[4 * i] = keys[i].identity;
		words[4 * i + 1] = ledger_word_u64(keys[i].epoch);
		words[4 * i + 2] = keys[i].x;
		words[4 * i + 3] = ledger_word_address(&keys[i].gas);
	}
	return ledger_digest("caisson/keys/v1", words, 4 * count);
}

struct cs_hash ledger_registration_digest(const struct cs_hash *own,
					  const struct ledger_registration *r)
{
	const struct cs_hash words[] = {
		*own,
		r->enclave,
		ledger_enclave_keys_hash(r->keys, r->key_count),
		ledger_word_u64(r->role),
		r->measurement,
		r->lineage,
		ledger_word_u64(r->manifest_number),
		r->manifest_hash,
		ledger_word_u64(r->evidence_kind),
		r->evidence_digest,
		ledger_word_u64(r->expires_s),
		cs_u256_word(&r->bond),
		ledger_word_address(&r->bonder),
	};
	return ledger_digest("caisson/ledger/registration/v1", words, CS_LEN(words));
}

/* ---- reading ---- */

static enum cs_err read_keys(struct cs_abi_reader *in, struct ledger_registration *r)
{
	struct cs_abi_reader list;
	CS_TRY(cs_abi_open_array(in, &list, KEY_WORDS, LEDGER_ENCLAVE_KEYS_MAX, &r->key_count));
	for (size_t i = 0; i < r->key_count; i++) {
		CS_TRY(cs_abi_get_word(&list, &r->keys[i].identity));
		CS_TRY(cs_abi_get_u64(&list, &r->keys[i].epoch));
		CS_TRY(cs_abi_get_word(&list, &r->keys[i].x));
		CS_TRY(cs_abi_get_address(&list, &r->keys[i].gas));
	}
	return cs_abi_close(in, &list);
}

static enum cs_err read_registration(struct cs_abi_reader *in, struct ledger_registration *r)
{
	struct cs_abi_reader tuple;
	CS_TRY(cs_abi_open(in, &tuple, REGISTRATION_WORDS));
	CS_TRY(cs_abi_get_word(&tuple, &r->enclave));
	CS_TRY(cs_abi_get_u8(&tuple, &r->role));
	CS_TRY(cs_abi_get_word(&tuple, &r->measurement));
	CS_TRY(cs_abi_get_word(&tuple, &r->lineage));
	CS_TRY(cs_abi_get_u64(&tuple, &r->manifest_number));
	CS_TRY(cs_abi_get_word(&tuple, &r->manifest_hash));
	CS_TRY(cs_abi_get_u8(&tuple, &r->evidence_kind));
	CS_TRY(cs_abi_get_word(&tuple, &r->evidence_digest));
	CS_TRY(cs_abi_get_u64(&tuple, &r->expires_s));
	CS_TRY(cs_abi_get_u256(&tuple, &r->bond));
	CS_TRY(cs_abi_get_address(&tuple, &r->bonder));
	CS_TRY(read_keys(&tuple, r));
	CS_TRY(cs_abi_get_bytes(&tuple, LEDGER_EVIDENCE_SIZE_MAX, &r->evidence));
	return cs_abi_close(in, &tuple);
}

/* ---- checks ---- */

static bool is_twice(const struct ledger_registration *r, size_t at)
{
	for (size_t i = 0; i < at; i++) {
		if (cs_hash_eq(&r->keys[i].x, &r->keys[at].x) ||
		    cs_hash_eq(&r->keys[i].identity, &r->keys[at].identity))
			return true;
	}
	return false;
}

static bool is_complete(const struct ledger_registration *r)
{
	for (size_t i = 0; i < r->key_count; i++) {
		if (cs_hash_is_zero(&r->keys[i].identity) || r->keys[i].epoch == 0 ||
		    is_twice(r, i))
			return false;
	}
	return r->key_count > 0 && r->role >= LEDGER_ROLE_BRIDGE &&
	       r->role <= LEDGER_ROLE_COMPUTE && !cs_hash_is_zero(&r->measurement) &&
	       !cs_hash_is_zero(&r->lineage) && r->manifest_number > 0 &&
	       !cs_hash_is_zero(&r->manifest_hash);
}

static enum cs_err check_form(struct ledger_call *call, const struct ledger_registration *r,
			      const struct enclaves_terms *terms)
{
	const uint64_t now_s = call->block->time_s;
	if (!is_complete(r))
		return ledger_revert_plain(call, "RegistrationInvalid()");
	if (!cs_address_eq(&r->bonder, &call->sender))
		return ledger_revert_plain(call, "NotBonder()");
	if (r->expires_s <= now_s || r->expires_s - now_s > terms->lifetime_max_s)
		return ledger_revert_plain(call, "ExpiryInvalid()");
	if (cs_u256_cmp(&r->bond, &terms->bond_min) < 0)
		return ledger_revert_plain(call, "BondTooSmall()");
	return CS_OK;
}

/* By administrators, or by evidence alone. */
static enum cs_err check_word(struct ledger_call *call, struct ledger_registration *r,
			      const struct enclaves_approvals *approvals,
			      struct enclaves_verdict *verdict, bool *contradicts)
{
	struct cs_hash own;
	const struct cs_hash kind = ledger_word_u64(r->evidence_kind);
	CS_TRY(ledger_use_gas(call, 2 * LEDGER_GAS_HASH));
	if (ledger_evidence_is_supported(r->evidence_kind)) {
		if (approvals->count > 0)
			return ledger_revert_plain(call, "RegistrationInvalid()");
		return enclaves_evidence_check(call, r, verdict);
	}
	if (r->evidence_kind != LEDGER_EVIDENCE_ADMINISTRATORS || r->evidence.n != 0)
		return ledger_revert(call, "EvidenceUnsupported(uint8)", &kind, 1);
	CS_TRY(ledger_enclaves_identity(call, &own));
	const struct cs_hash digest = ledger_registration_digest(&own, r);
	CS_TRY(enclaves_approvals_check(call, approvals, &digest));
	return enclaves_manifest_approve(call, &r->lineage, r->manifest_number, &r->manifest_hash,
					 contradicts);
}

/* ---- keys ---- */

/* The first key of an identity counts at once, a later one after the delay, in which a guardian may
 * revoke it. */
static enum cs_err name_key(struct ledger_call *call, const struct ledger_enclave_key *key,
			    const struct cs_hash *enclave, uint64_t delay_s)
{
	uint64_t newest;
	const uint64_t now_s = call->block->time_s;
	struct ledger_remote remote = {.epoch_first = key->epoch, .index = 1};
	const struct enclaves_key row = {*enclave, key->identity, key->epoch, key->gas};
	CS_TRY(ledger_key_check(call, &key->x));
	CS_TRY(enclaves_epoch_get(call, &newest, &key->identity));
	if (key->epoch <= newest)
		return ledger_revert_plain(call, "EpochNotHigher()");
	if (newest == 0)
		CS_TRY(ledger_remote_put(call, &key->identity, &remote));
	CS_TRY(enclaves_epoch_put(call, &key->identity, key->epoch));
	CS_TRY(enclaves_key_put(call, &key->x, &row));
	CS_TRY(ledger_emit_words(call, "KeyRegistered(bytes32,uint64,bytes32,bytes32,address)",
				 &key->identity, 1,
				 LEDGER_WORDS(ledger_word_u64(key->epoch), key->x, *enclave,
					      ledger_word_address(&key->gas))));
	return ledger_key_name(call, &key->identity, key->epoch, &key->x,
			       newest == 0 ? now_s : now_s + delay_s);
}

/* A key of a renewal that is there already: the same in everything. One that only its predecessor
 * named is confirmed. */
static enum cs_err keep_key(struct ledger_call *call, const struct ledger_enclave_key *key,
			    const struct enclaves_key *row, const struct cs_hash *enclave)
{
	struct wire_key state;
	if (!cs_hash_eq(&row->enclave, enclave) || !cs_hash_eq(&row->identity, &key->identity) ||
	    row->epoch != key->epoch || !cs_address_eq(&row->gas, &key->gas))
		return ledger_revert_plain(call, "KeyTaken()");
	CS_TRY(ledger_key_get(call, &state, &key->identity, key->epoch));
	if (state.state == WIRE_KEY_REVOKED)
		return ledger_revert_plain(call, "KeyRevoked()");
	return ledger_key_confirm(call, &key->identity, key->epoch);
}

static enum cs_err put_keys(struct ledger_call *call, const struct ledger_registration *r,
			    const struct cs_hash *enclave)
{
	uint64_t delay_s;
	CS_TRY(ledger_timelock_delay_get(call, &delay_s));
	for (size_t i = 0; i < r->key_count; i++) {
		struct enclaves_key row;
		CS_TRY(enclaves_key_get(call, &row, &r->keys[i].x));
		if (cs_hash_is_zero(&row.enclave))
			CS_TRY(name_key(call, &r->keys[i], enclave, delay_s));
		else
			CS_TRY(keep_key(call, &r->keys[i], &row, enclave));
	}
	return CS_OK;
}

/* ---- enclaves ---- */

static enum cs_err check_new(struct ledger_call *call, const struct ledger_registration *r,
			     struct enclaves_row *row, const struct cs_hash *enclave)
{
	CS_TRY(enclaves_get(call, row, enclave));
	if (row->state != LEDGER_ENCLAVE_ABSENT)
		return ledger_revert_plain(call, "EnclaveKnown()");
	row->state = LEDGER_ENCLAVE_ACTIVE;
	row->role = r->role;
	row->lineage = r->lineage;
	row->bonder = r->bonder;
	row->registered_s = call->block->time_s;
	return CS_OK;
}

/* What was approved once cannot be used again: the expiry rises. */
static enum cs_err check_renewal(struct ledger_call *call, const struct ledger_registration *r,
				 struct enclaves_row *row)
{
	CS_TRY(enclaves_get(call, row, &r->enclave));
	if (row->state != LEDGER_ENCLAVE_ACTIVE)
		return ledger_revert_plain(call, "EnclaveNotActive()");
	if (row->role != r->role || !cs_hash_eq(&row->lineage, &r->lineage))
		return ledger_revert_plain(call, "RegistrationInvalid()");
	if (r->manifest_number < row->manifest_number)
		return ledger_revert_plain(call, "ManifestTooOld()");
	if (r->expires_s <= row->expires_s)
		return ledger_revert_plain(call, "ExpiryNotLater()");
	if (!cs_u256_is_zero(&row->bond) && !cs_address_eq(&row->bonder, &r->bonder))
		return ledger_revert_plain(call, "NotBonder()");
	row->bonder = r->bonder;
	return CS_OK;
}

static enum cs_err put_enclave(struct ledger_call *call, const struct ledger_registration *r,
			       struct enclaves_row *row, const struct cs_hash *enclave,
			       const struct enclaves_verdict *verdict)
{
	row->measurement = r->measurement;
	row->manifest_number = r->manifest_number;
	row->manifest_hash = r->manifest_hash;
	row->evidence_kind = r->evidence_kind;
	row->evidence_digest = r->evidence_digest;
	row->expires_s = r->expires_s;
	CS_TRY(cs_u256_add(&row->bond, &row->bond, &call->value));
	if (cs_u256_cmp(&row->bond, &r->bond) < 0)
		return ledger_revert_plain(call, "BondMissing()");
	CS_TRY(put_keys(call, r, enclave));
	CS_TRY(enclaves_put(call, enclave, row));
	CS_TRY(enclaves_verdict_put(call, enclave, verdict));
	CS_TRY(ledger_emit_words(
		call,
		"EnclaveRegistered(bytes32,bytes32,uint8,bytes32,uint64,bytes32,bytes32,uint64)",
		(const struct cs_hash[]){*enclave, r->lineage}, 2,
		LEDGER_WORDS(ledger_word_u64(r->role), r->measurement,
			     ledger_word_u64(r->manifest_number), r->manifest_hash,
			     r->evidence_digest, ledger_word_u64(r->expires_s))));
	return enclaves_emit_state(call, enclave, row);
}

/* Registers an enclave, or renews it. Is the enclave's name; zero: what was approved contradicts
 * what was approved before, and was kept as a conflict. */
enum cs_err enclaves_register(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct ledger_registration r;
	struct enclaves_approvals approvals;
	struct enclaves_terms terms;
	struct enclaves_row row;
	struct enclaves_verdict verdict = {.tier = ATTEST_TIER_NONE};
	bool contradicts = false;
	CS_TRY(read_registration(in, &r));
	CS_TRY(enclaves_approvals_read(in, &approvals));
	CS_TRY(enclaves_terms_get(call, &terms));
	CS_TRY(check_form(call, &r, &terms));
	struct cs_hash enclave = r.enclave;
	if (cs_hash_is_zero(&r.enclave)) {
		enclave = ledger_enclave_keys_hash(r.keys, r.key_count);
		CS_TRY(check_new(call, &r, &row, &enclave));
	} else {
		CS_TRY(check_renewal(call, &r, &row));
	}
	CS_TRY(check_word(call, &r, &approvals, &verdict, &contradicts));
	if (contradicts)
		enclave = (struct cs_hash){{0}};
	else
		CS_TRY(put_enclave(call, &r, &row, &enclave, &verdict));
	cs_abi_put_word(out, &enclave);
	return CS_OK;
}

/* ---- rotations ---- */

struct announcement {
	struct cs_hash identity;
	struct ledger_statement statement;
	uint64_t epoch;
	struct cs_hash x;
};

static enum cs_err read_announcement(struct cs_abi_reader in, struct announcement *a)
{
	CS_TRY(cs_abi_get_word(&in, &a->identity));
	CS_TRY(ledger_statement_read(&in, &a->statement));
	CS_TRY(cs_abi_get_u64(&in, &a->epoch));
	return cs_abi_get_word(&in, &a->x);
}

/* KeyRegistry's announcement, and the new key belongs to the enclave of the one that announced it. That
 * of an enclave that is suspended, revoked or expired names nobody; a conflict is heard in any case. */
enum cs_err enclaves_announce(struct ledger_call *call, struct cs_abi_reader *in,
			      struct cs_abi *out)
{
	struct announcement a;
	struct wire_key current, named;
	struct enclaves_key taken;
	struct ledger_key_holder holder;
	uint64_t newest;
	CS_TRY(read_announcement(*in, &a));
	CS_TRY(enclaves_key_get(call, &taken, &a.x));
	if (!cs_hash_is_zero(&taken.enclave) &&
	    !(cs_hash_eq(&taken.identity, &a.identity) && taken.epoch == a.epoch))
		return ledger_revert_plain(call, "KeyTaken()");
	CS_TRY(ledger_keys_announce(call, in, out));
	CS_TRY(ledger_key_get(call, &named, &a.identity, a.epoch));
	if (!cs_hash_eq(&named.x, &a.x))
		return CS_OK; /* a conflict: nothing was named */
	CS_TRY(ledger_key_get(call, &current, &a.identity, a.statement.epoch));
	CS_TRY(enclaves_find(call, &holder, &current.x));
	if (!holder.active)
		return ledger_revert_plain(call, "EnclaveNotActive()");
	const struct enclaves_key row = {holder.enclave, a.identity, a.epoch, holder.gas};
	CS_TRY(enclaves_key_put(call, &a.x, &row));
	CS_TRY(enclaves_epoch_get(call, &newest, &a.identity));
	return a.epoch > newest ? enclaves_epoch_put(call, &a.identity, a.epoch) : CS_OK;
}
