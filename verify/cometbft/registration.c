#include "verify/cometbft/registration.h"

#include "core/reader.h"

#include <string.h>

/* Contract 4, and the kinds of its pairs (relay_state/ledger/enclaves.h). */
#define CONTRACT 4u
#define KIND_HOLDER 'x'
#define KIND_ENCLAVE 'e'
#define KIND_STORAGE 's'
#define KIND_MANIFEST 'm'
#define KIND_CONFLICT 'o'
#define KIND_VERDICT 'q'

#define ACTIVE 1u
#define SUSPENDED 2u
#define REVOKED 3u

void cmt_registration_begin(struct cmt_registration *registration, const struct cs_hash *x)
{
	*registration = (struct cmt_registration){.x = *x};
}

/* ---- where it lies ---- */

static struct cmt_registration_key key_of(char kind, const struct cs_hash *of)
{
	struct cmt_registration_key key = {.b = {CONTRACT, (uint8_t)kind}, .n = 2 + sizeof of->b};
	memcpy(key.b + 2, of->b, sizeof of->b);
	return key;
}

static struct cmt_registration_key word_key(const struct cmt_registration *r, unsigned word)
{
	const struct cs_hash slot = wire_evm_key_slot(&r->identity, r->epoch, word);
	return key_of(KIND_STORAGE, &slot);
}

struct cmt_registration_key cmt_registration_key(const struct cmt_registration *r,
						 enum cmt_registration_part part)
{
	struct cmt_registration_key key;
	switch (part) {
	case CMT_REGISTRATION_HOLDER:
		return key_of(KIND_HOLDER, &r->x);
	case CMT_REGISTRATION_ENCLAVE:
		return key_of(KIND_ENCLAVE, &r->enclave);
	case CMT_REGISTRATION_X:
		return word_key(r, 0);
	case CMT_REGISTRATION_WINDOW:
		return word_key(r, 1);
	case CMT_REGISTRATION_MANIFEST:
		key = key_of(KIND_MANIFEST, &r->lineage);
		cs_put_be64(key.b + key.n, r->manifest_number);
		key.n += 8;
		return key;
	case CMT_REGISTRATION_CONFLICT:
		return key_of(KIND_CONFLICT, &r->lineage);
	case CMT_REGISTRATION_VERDICT:
		return key_of(KIND_VERDICT, &r->enclave);
	}
	cs_assert(false);
	return (struct cmt_registration_key){.n = 0};
}

/* ---- what lies there ---- */

static void take_hash(struct cs_reader *in, struct cs_hash *hash)
{
	cs_get_copy(in, hash->b, sizeof hash->b);
}

static void take_holder(struct cs_reader *in, struct cmt_registration *r)
{
	take_hash(in, &r->enclave);
	take_hash(in, &r->identity);
	r->epoch = cs_get_u64(in);
	cs_get_copy(in, r->gas.b, sizeof r->gas.b);
	r->known = true;
}

static void take_enclave(struct cs_reader *in, struct cmt_registration *r)
{
	struct cs_hash bond;
	r->state = cs_get_u8(in);
	r->role = cs_get_u8(in);
	r->evidence_kind = cs_get_u8(in);
	take_hash(in, &r->measurement);
	take_hash(in, &r->lineage);
	r->manifest_number = cs_get_u64(in);
	take_hash(in, &r->manifest_hash);
	take_hash(in, &r->evidence_digest);
	r->registered_s = cs_get_u64(in);
	r->expires_s = cs_get_u64(in);
	r->revoked_s = cs_get_u64(in);
	take_hash(in, &bond);
	r->bond = cs_u256_from_word(&bond);
	cs_get_copy(in, r->bonder.b, sizeof r->bonder.b);
}

static enum cs_err take_word(struct cs_reader *in, struct cmt_registration *r, unsigned word)
{
	struct cs_hash words[WIRE_EVM_KEY_WORDS] = {r->key.x};
	take_hash(in, &words[word]);
	CS_TRY(cs_reader_end(in));
	return wire_evm_key(&r->key, words);
}

static void take_manifest(struct cs_reader *in, struct cmt_registration *r)
{
	take_hash(in, &r->manifest_counts);
	(void)cs_get_u8(in); /* settled or not, it counts */
}

static void take_verdict(struct cs_reader *in, struct cmt_registration *r)
{
	r->tier = cs_get_u8(in);
	r->tcb_status = cs_get_u8(in);
	r->policy = cs_get_u64(in);
	(void)cs_get(in, 8 + 4); /* until when, collateral's number: the expiry is before it */
}

static enum cs_err take(struct cmt_registration *r, enum cmt_registration_part part,
			struct cs_bytes value)
{
	struct cs_reader in;
	cs_reader_init(&in, value);
	switch (part) {
	case CMT_REGISTRATION_HOLDER:
		take_holder(&in, r);
		break;
	case CMT_REGISTRATION_ENCLAVE:
		take_enclave(&in, r);
		break;
	case CMT_REGISTRATION_X:
		return take_word(&in, r, 0);
	case CMT_REGISTRATION_WINDOW:
		return take_word(&in, r, 1);
	case CMT_REGISTRATION_MANIFEST:
		take_manifest(&in, r);
		break;
	case CMT_REGISTRATION_CONFLICT:
		r->in_conflict = true;
		return CS_OK;
	case CMT_REGISTRATION_VERDICT:
		take_verdict(&in, r);
		break;
	}
	return cs_reader_end(&in);
}

/* What an enclave's key must have. A row without a verdict is of before there were any. */
static bool may_miss(enum cmt_registration_part part)
{
	return part == CMT_REGISTRATION_HOLDER || part == CMT_REGISTRATION_CONFLICT ||
	       part == CMT_REGISTRATION_VERDICT;
}

enum cs_err cmt_registration_take(struct cmt_registration *r, enum cmt_registration_part part,
				  bool found, struct cs_bytes value, bool *more)
{
	if (!found && !may_miss(part))
		return CS_ERR_MALFORMED;
	if (found && take(r, part, value) != CS_OK)
		return CS_ERR_MALFORMED;
	*more = part != CMT_REGISTRATION_VERDICT && r->known;
	return CS_OK;
}

enum cs_err cmt_registration_prove(struct cmt_registration *out, const struct cs_hash *x,
				   const struct cs_hash *app_hash, const struct cs_bytes *proofs,
				   size_t count)
{
	struct cmt_registration r;
	size_t i = 0;
	bool more = true;
	cmt_registration_begin(&r, x);
	while (more && i < count && i < CMT_REGISTRATION_PARTS) {
		const enum cmt_registration_part part = (enum cmt_registration_part)i;
		const struct cmt_registration_key key = cmt_registration_key(&r, part);
		struct cs_bytes value = CS_BYTES_NONE;
		bool found;
		CS_TRY(cmt_ics23_lookup(&found, &value, &cmt_ics23_smt, app_hash, proofs[i],
					cs_bytes(key.b, key.n)));
		CS_TRY(cmt_registration_take(&r, part, found, value, &more));
		i++;
	}
	if (more || i != count)
		return CS_ERR_INVALID;
	*out = r;
	return CS_OK;
}

/* ---- what it is worth ---- */

static enum cs_err check_state(const struct cmt_registration *r, struct cs_why *why)
{
	if (!r->known)
		return cs_fail(why, CS_ERR_NOT_FOUND, "no enclave has registered the key");
	if (r->state == REVOKED || r->key.state == WIRE_KEY_REVOKED)
		return cs_fail(why, CS_ERR_REVOKED, "the %s is revoked",
			       r->state == REVOKED ? "enclave" : "key");
	if (r->state != ACTIVE || r->key.state != WIRE_KEY_ACTIVE)
		return cs_fail(why, CS_ERR_FORBIDDEN, "the %s is suspended",
			       r->state == SUSPENDED ? "enclave" : "key");
	if (!cs_hash_eq(&r->key.x, &r->x))
		return cs_fail(why, CS_ERR_WRONG_KEY, "another key has its place");
	return CS_OK;
}

static enum cs_err check_manifest(const struct cmt_registration *r, const struct cs_hash *lineage,
				  struct cs_why *why)
{
	if (!cs_hash_eq(&r->lineage, lineage))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "its enclave is of another lineage");
	if (r->in_conflict)
		return cs_fail(why, CS_ERR_FORBIDDEN, "two manifests contradict each other");
	return cs_hash_eq(&r->manifest_hash, &r->manifest_counts)
		       ? CS_OK
		       : cs_fail(why, CS_ERR_WRONG_MANIFEST, "another manifest counts");
}

static enum cs_err check_time(const struct cmt_registration *r,
			      const struct cmt_registration_rule *rule,
			      const struct verify_block *block, const struct verify_time *now,
			      struct cs_why *why)
{
	enum cs_err err = verify_time_fresh(now, block->time_s, rule->age_max_s);
	if (err != CS_OK)
		return cs_fail(why, err, "the block is older than %llu s",
			       (unsigned long long)rule->age_max_s);
	err = verify_time_reached(now, r->key.not_before_s);
	if (err == CS_OK)
		err = verify_time_before(now, r->key.not_after_s);
	if (err != CS_OK)
		return cs_fail(why, err, "the key");
	err = r->expires_s == 0 ? CS_ERR_EXPIRED : verify_time_before(now, r->expires_s);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "the registration");
}

enum cs_err cmt_registration_check(const struct cmt_registration *r,
				   const struct cmt_registration_rule *rule,
				   const struct verify_block *block, const struct verify_time *now,
				   struct cs_why *why)
{
	CS_TRY(check_state(r, why));
	CS_TRY(check_manifest(r, &rule->lineage, why));
	if (r->role != rule->role)
		return cs_fail(why, CS_ERR_FORBIDDEN, "it is registered in the role %u, not %u",
			       r->role, rule->role);
	if (rule->evidence_wanted && r->tier == 0)
		return cs_fail(why, CS_ERR_FORBIDDEN, "no evidence, administrators' word alone");
	if (cs_u256_cmp(&r->bond, &rule->bond_min) < 0)
		return cs_fail(why, CS_ERR_FORBIDDEN, "its bond is too small");
	return check_time(r, rule, block, now, why);
}
