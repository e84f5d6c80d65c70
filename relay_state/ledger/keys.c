#include "relay_state/ledger/keys.h"

#include "relay_state/ledger/gas.h"
#include "relay_state/ledger/pairs.h"
#include "relay_state/ledger/remotes.h"
#include "relay_state/ledger/timelock.h"

#include <string.h>

#define KIND_NAMERS 'n'

/* Who named a key. One that only its predecessor named falls with it. */
#define NAMED_BY_OWNER 1u
#define NAMED_BY_KEY 2u

/* The order of secp256k1's group. */
static const struct cs_hash group_order = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
					    0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe,
					    0xba, 0xae, 0xdc, 0xe6, 0xaf, 0x48, 0xa0, 0x3b,
					    0xbf, 0xd2, 0x5e, 0x8c, 0xd0, 0x36, 0x41, 0x41}};

/* ---- what is stored ---- */

/* A key and where it stands. */
struct place {
	struct cs_hash remote;
	uint64_t epoch;
	struct wire_key key;
	uint8_t namers;
};

enum cs_err ledger_key_get(struct ledger_call *call, struct wire_key *key,
			   const struct cs_hash *remote, uint64_t epoch)
{
	struct cs_hash words[WIRE_EVM_KEY_WORDS];
	for (unsigned i = 0; i < WIRE_EVM_KEY_WORDS; i++) {
		const struct cs_hash slot = wire_evm_key_slot(remote, epoch, i);
		CS_TRY(ledger_load(call, &words[i], &slot));
	}
	return wire_evm_key(key, words) == CS_OK
		       ? CS_OK
		       : cs_fail(call->why, CS_ERR_DAMAGED, "the words of a key are none");
}

static struct ledger_key namers_key(const struct cs_hash *remote, uint64_t epoch)
{
	struct ledger_key key = ledger_key_of(KIND_NAMERS, CS_BYTES_OF(remote->b));
	ledger_key_add_u64(&key, epoch);
	return key;
}

static enum cs_err get_place(struct ledger_call *call, struct place *place,
			     const struct cs_hash *remote, uint64_t epoch)
{
	const struct ledger_key key = namers_key(remote, epoch);
	*place = (struct place){.remote = *remote, .epoch = epoch};
	CS_TRY(ledger_key_get(call, &place->key, remote, epoch));
	return ledger_get_fixed(call, &place->namers, sizeof place->namers, &key);
}

static enum cs_err put_place(struct ledger_call *call, const struct place *place)
{
	const struct wire_key *key = &place->key;
	const struct ledger_key namers = namers_key(&place->remote, place->epoch);
	struct cs_hash words[WIRE_EVM_KEY_WORDS] = {key->x};
	uint8_t *window = words[1].b;
	window[31] = (uint8_t)key->state;
	cs_put_be64(window + 23, key->not_before_s);
	cs_put_be64(window + 15, key->not_after_s);
	for (unsigned i = 0; i < WIRE_EVM_KEY_WORDS; i++) {
		const struct cs_hash slot = wire_evm_key_slot(&place->remote, place->epoch, i);
		CS_TRY(ledger_store(call, &slot, &words[i]));
	}
	return ledger_put_fixed(call, &namers, &place->namers, sizeof place->namers);
}

static enum cs_err emit_key(struct ledger_call *call, const struct place *place)
{
	return ledger_emit_words(
		call, "KeyChanged(bytes32,uint64,uint8,uint64,uint64)", &place->remote, 1,
		LEDGER_WORDS(ledger_word_u64(place->epoch), ledger_word_u64(place->key.state),
			     ledger_word_u64(place->key.not_before_s),
			     ledger_word_u64(place->key.not_after_s)));
}

static enum cs_err change(struct ledger_call *call, const struct place *place)
{
	CS_TRY(put_place(call, place));
	return emit_key(call, place);
}

/* The remote; RemoteUnknown() where it is none. */
static enum cs_err known_remote(struct ledger_call *call, struct ledger_remote *remote,
				const struct cs_hash *identity)
{
	CS_TRY(ledger_remote_get(call, remote, identity));
	return remote->index == 0 ? ledger_revert_plain(call, "RemoteUnknown()") : CS_OK;
}

/* 0 < x < n, which EVM gateways need, and a point has this x. */
enum cs_err ledger_key_check(struct ledger_call *call, const struct cs_hash *x)
{
	struct cs_hash y;
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_SCHNORR));
	if (cs_hash_is_zero(x) || memcmp(x->b, group_order.b, sizeof x->b) >= 0 ||
	    cs_lift_x(call->sig, &y, x) != CS_OK)
		return ledger_revert_plain(call, "KeyInvalid()");
	return CS_OK;
}

/* ---- statements ---- */

enum cs_err ledger_statement_read(struct cs_abi_reader *in, struct ledger_statement *statement)
{
	struct cs_abi_reader tuple, path;
	CS_TRY(cs_abi_open(in, &tuple, 6));
	CS_TRY(cs_abi_get_u64(&tuple, &statement->epoch));
	CS_TRY(cs_abi_get_u64(&tuple, &statement->manifest));
	CS_TRY(cs_abi_get_word(&tuple, &statement->signature.rx));
	CS_TRY(cs_abi_get_word(&tuple, &statement->signature.ry));
	CS_TRY(cs_abi_get_word(&tuple, &statement->signature.s));
	CS_TRY(cs_abi_open_array(&tuple, &path, 1, CS_PATH_MAX, &statement->path_count));
	for (size_t i = 0; i < statement->path_count; i++)
		CS_TRY(cs_abi_get_word(&path, &statement->path[i]));
	CS_TRY(cs_abi_close(&tuple, &path));
	return cs_abi_close(in, &tuple);
}

static enum cs_err check_window(struct ledger_call *call, const struct wire_key *key)
{
	const uint64_t now_s = call->block->time_s;
	if (key->state != WIRE_KEY_ACTIVE)
		return ledger_revert_plain(call, "KeyNotActive()");
	if (now_s < key->not_before_s)
		return ledger_revert_plain(call, "KeyEarly()");
	if (key->not_after_s != 0 && now_s >= key->not_after_s)
		return ledger_revert_plain(call, "KeyExpired()");
	return CS_OK;
}

enum cs_err ledger_statement_check(struct ledger_call *call, enum wire_kind kind,
				   const struct cs_hash *signer,
				   const struct ledger_statement *statement,
				   const struct cs_hash *subtree)
{
	struct ledger_self self;
	CS_TRY(ledger_self_get(call, &self));
	return ledger_statement_check_for(call, kind, signer, &self.identity, statement, subtree);
}

enum cs_err ledger_statement_check_for(struct ledger_call *call, enum wire_kind kind,
				       const struct cs_hash *signer, const struct cs_hash *receiver,
				       const struct ledger_statement *statement,
				       const struct cs_hash *subtree)
{
	struct wire_key key;
	struct ledger_remote remote;
	struct cs_hash digest;
	CS_TRY(ledger_key_get(call, &key, signer, statement->epoch));
	CS_TRY(check_window(call, &key));
	CS_TRY(ledger_remote_get(call, &remote, signer));
	if (statement->manifest < remote.manifest_min)
		return ledger_revert_plain(call, "ManifestTooOld()");
	return ledger_statement_verify(call, &digest, &key.x, kind, signer, receiver, statement,
				       subtree);
}

enum cs_err ledger_statement_verify(struct ledger_call *call, struct cs_hash *digest,
				    const struct cs_hash *x, enum wire_kind kind,
				    const struct cs_hash *signer, const struct cs_hash *receiver,
				    const struct ledger_statement *statement,
				    const struct cs_hash *subtree)
{
	struct ledger_self self;
	CS_TRY(ledger_self_get(call, &self));
	CS_TRY(ledger_use_gas(call,
			      LEDGER_GAS_SCHNORR + (statement->path_count + 1) * LEDGER_GAS_HASH));
	const struct wire_statement signed_statement = {
		.kind = kind,
		.signer = *signer,
		.receiver = *receiver,
		.epoch = statement->epoch,
		.manifest_number = statement->manifest,
		.root = wire_fold(subtree, statement->path, statement->path_count),
	};
	*digest = wire_digest(&signed_statement,
			      self.insecure ? WIRE_DOMAIN_INSECURE : WIRE_DOMAIN_SECURE);
	const enum cs_err err = cs_schnorr_verify(call->sig, &statement->signature, x, digest);
	return err == CS_ERR_BAD_SIGNATURE ? ledger_revert_plain(call, "SignatureInvalid()") : err;
}

/* ---- by the owner ---- */

/* Statements under older manifests are refused from now on. */
enum cs_err ledger_keys_raise_manifest(struct ledger_call *call, struct cs_abi_reader *in,
				       struct cs_abi *out)
{
	struct cs_hash identity;
	struct ledger_remote remote;
	uint64_t manifest_min;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(cs_abi_get_u64(in, &manifest_min));
	CS_TRY(ledger_after_delay(call));
	CS_TRY(known_remote(call, &remote, &identity));
	if (manifest_min <= remote.manifest_min)
		return ledger_revert_plain(call, "ManifestNotHigher()");
	remote.manifest_min = manifest_min;
	CS_TRY(ledger_remote_put(call, &identity, &remote));
	return ledger_emit_words(call, "ManifestRaised(bytes32,uint64)", &identity, 1,
				 LEDGER_WORDS(ledger_word_u64(manifest_min)));
}

/* Puts the key in its place, or confirms it: one that was announced for this epoch and has the same
 * x no longer falls with its predecessor. */
static enum cs_err name_by_owner(struct ledger_call *call, struct place *place,
				 const struct cs_hash *x, uint64_t not_before_s)
{
	if (place->key.state == WIRE_KEY_ABSENT)
		place->key = (struct wire_key){*x, WIRE_KEY_ACTIVE, not_before_s, 0};
	else if (place->key.state == WIRE_KEY_REVOKED || !cs_hash_eq(&place->key.x, x) ||
		 place->namers != NAMED_BY_KEY)
		return ledger_revert_plain(call, "KeyKnown()");
	place->namers |= NAMED_BY_OWNER;
	return CS_OK;
}

enum cs_err ledger_key_name(struct ledger_call *call, const struct cs_hash *remote, uint64_t epoch,
			    const struct cs_hash *x, uint64_t not_before_s)
{
	struct place place;
	CS_TRY(get_place(call, &place, remote, epoch));
	CS_TRY(name_by_owner(call, &place, x, not_before_s));
	return change(call, &place);
}

enum cs_err ledger_key_confirm(struct ledger_call *call, const struct cs_hash *remote,
			       uint64_t epoch)
{
	struct place place;
	CS_TRY(get_place(call, &place, remote, epoch));
	if (place.key.state == WIRE_KEY_ABSENT)
		return ledger_revert_plain(call, "KeyUnknown()");
	if ((place.namers & NAMED_BY_OWNER) != 0)
		return CS_OK;
	place.namers |= NAMED_BY_OWNER;
	return change(call, &place);
}

struct naming {
	struct cs_hash remote;
	uint64_t epoch;
	struct cs_hash x;
	struct cs_hash evidence; /* with the manifest's hash: what the owner verified before */
	struct cs_hash manifest;
};

static enum cs_err read_naming(struct cs_abi_reader *in, struct naming *naming)
{
	CS_TRY(cs_abi_get_word(in, &naming->remote));
	CS_TRY(cs_abi_get_u64(in, &naming->epoch));
	CS_TRY(cs_abi_get_word(in, &naming->x));
	CS_TRY(cs_abi_get_word(in, &naming->evidence));
	return cs_abi_get_word(in, &naming->manifest);
}

static enum cs_err put_named(struct ledger_call *call, const struct naming *naming,
			     struct ledger_remote *remote)
{
	struct place place;
	CS_TRY(get_place(call, &place, &naming->remote, naming->epoch));
	CS_TRY(name_by_owner(call, &place, &naming->x, call->block->time_s));
	if (remote->epoch_first == 0) {
		remote->epoch_first = naming->epoch;
		CS_TRY(ledger_remote_put(call, &naming->remote, remote));
	}
	CS_TRY(put_place(call, &place));
	CS_TRY(ledger_emit_words(call, "KeyRegistered(bytes32,uint64,bytes32,bytes32,bytes32)",
				 &naming->remote, 1,
				 LEDGER_WORDS(ledger_word_u64(naming->epoch), naming->x,
					      naming->evidence, naming->manifest)));
	return emit_key(call, &place);
}

/* Names a key: the first of a remote at once, any other after the delay. */
enum cs_err ledger_keys_register(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	struct naming naming;
	struct ledger_remote remote;
	(void)out;
	CS_TRY(read_naming(in, &naming));
	CS_TRY(known_remote(call, &remote, &naming.remote));
	CS_TRY(remote.epoch_first == 0 ? ledger_only_owner(call) : ledger_after_delay(call));
	if (naming.epoch == 0)
		return ledger_revert_plain(call, "KeyInvalid()");
	CS_TRY(ledger_key_check(call, &naming.x));
	return put_named(call, &naming, &remote);
}

enum cs_err ledger_keys_enable(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_hash identity;
	struct place place;
	uint64_t epoch;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(cs_abi_get_u64(in, &epoch));
	CS_TRY(ledger_after_delay(call));
	CS_TRY(get_place(call, &place, &identity, epoch));
	if (place.key.state != WIRE_KEY_SUSPENDED)
		return ledger_revert_plain(call, "KeyNotSuspended()");
	place.key.state = WIRE_KEY_ACTIVE;
	return change(call, &place);
}

/* Gives a key an end, or an earlier one. It can never be moved back. */
enum cs_err ledger_keys_retire(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_hash identity;
	struct place place;
	uint64_t epoch, not_after_s;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(cs_abi_get_u64(in, &epoch));
	CS_TRY(cs_abi_get_u64(in, &not_after_s));
	CS_TRY(ledger_only_owner(call));
	CS_TRY(get_place(call, &place, &identity, epoch));
	if (place.key.state == WIRE_KEY_ABSENT)
		return ledger_revert_plain(call, "KeyUnknown()");
	if (not_after_s == 0 ||
	    (place.key.not_after_s != 0 && not_after_s >= place.key.not_after_s))
		return ledger_revert_plain(call, "KeyNotShortened()");
	place.key.not_after_s = not_after_s;
	return change(call, &place);
}

/* ---- by owner or guardian, at once ---- */

/* Is the place that of a key which only its predecessor named? Epoch 0, where the walk over the last
 * one ends, has no namers. */
static bool is_heir(const struct place *place)
{
	return place->namers == NAMED_BY_KEY;
}

/* Stops a key with the successors that only it named and that are not in effect yet; others stay:
 * they may be what the remote works with, and revoking is the answer where they are not. The gas of
 * each step bounds the walk. */
static enum cs_err suspend(struct ledger_call *call, struct place *place)
{
	do {
		place->key.state = WIRE_KEY_SUSPENDED;
		CS_TRY(change(call, place));
		const struct cs_hash remote = place->remote;
		CS_TRY(get_place(call, place, &remote, place->epoch + 1));
	} while (is_heir(place) && place->key.state == WIRE_KEY_ACTIVE &&
		 call->block->time_s < place->key.not_before_s);
	return CS_OK;
}

enum cs_err ledger_keys_suspend(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	struct cs_hash identity;
	struct place place;
	uint64_t epoch;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(cs_abi_get_u64(in, &epoch));
	CS_TRY(ledger_only_owner_or_guardian(call));
	CS_TRY(get_place(call, &place, &identity, epoch));
	if (place.key.state != WIRE_KEY_ACTIVE)
		return ledger_revert_plain(call, "KeyNotActive()");
	return suspend(call, &place);
}

/* Ends a key for ever, with all successors that lead back to it alone. The gas of each step bounds
 * the walk. */
static enum cs_err revoke(struct ledger_call *call, struct place *place)
{
	do {
		place->key.state = WIRE_KEY_REVOKED;
		CS_TRY(change(call, place));
		const struct cs_hash remote = place->remote;
		CS_TRY(get_place(call, place, &remote, place->epoch + 1));
	} while (is_heir(place) && place->key.state != WIRE_KEY_REVOKED);
	return CS_OK;
}

enum cs_err ledger_keys_revoke(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct cs_hash identity;
	struct place place;
	uint64_t epoch;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(cs_abi_get_u64(in, &epoch));
	CS_TRY(ledger_only_owner_or_guardian(call));
	CS_TRY(get_place(call, &place, &identity, epoch));
	if (place.key.state == WIRE_KEY_ABSENT)
		return ledger_revert_plain(call, "KeyUnknown()");
	if (place.key.state == WIRE_KEY_REVOKED)
		return ledger_revert_plain(call, "KeyRevoked()");
	return revoke(call, &place);
}

enum cs_err ledger_key_revoke(struct ledger_call *call, const struct cs_hash *remote,
			      uint64_t epoch)
{
	struct place place;
	CS_TRY(get_place(call, &place, remote, epoch));
	if (place.key.state == WIRE_KEY_ABSENT || place.key.state == WIRE_KEY_REVOKED)
		return CS_OK;
	return revoke(call, &place);
}

/* ---- by the key itself ---- */

/* The next key takes effect after the rotation's delay; the current one ends `overlap` later. */
static enum cs_err announce_next(struct ledger_call *call, struct place *current,
				 struct place *next, const struct cs_hash *x)
{
	struct ledger_self self;
	CS_TRY(ledger_self_get(call, &self));
	const uint64_t not_before_s = call->block->time_s + self.rotation_delay_s;
	const uint64_t end_s = not_before_s + self.overlap_s;
	next->key = (struct wire_key){*x, WIRE_KEY_ACTIVE, not_before_s, 0};
	next->namers = NAMED_BY_KEY;
	if (current->key.not_after_s == 0 || end_s < current->key.not_after_s)
		current->key.not_after_s = end_s;
	CS_TRY(put_place(call, next));
	CS_TRY(put_place(call, current));
	CS_TRY(ledger_emit_words(
		call, "KeyAnnounced(bytes32,uint64,bytes32,uint64)", &next->remote, 1,
		LEDGER_WORDS(ledger_word_u64(next->epoch), *x, ledger_word_u64(current->epoch))));
	CS_TRY(emit_key(call, next));
	return emit_key(call, current);
}

/* A second, different announcement for one epoch means that two parties hold the key: both keys are
 * suspended. */
static enum cs_err announce_again(struct ledger_call *call, struct place *current,
				  const struct place *next, const struct cs_hash *x)
{
	if (cs_hash_eq(&next->key.x, x))
		return ledger_revert_plain(call, "KeyKnown()");
	if ((next->namers & NAMED_BY_KEY) == 0)
		return ledger_revert_plain(call, "EpochReserved()");
	CS_TRY(ledger_emit_words(call, "RotationConflict(bytes32,uint64,bytes32,bytes32)",
				 &next->remote, 1,
				 LEDGER_WORDS(ledger_word_u64(next->epoch), next->key.x, *x)));
	const uint64_t epoch = next->epoch;
	const struct cs_hash remote = next->remote;
	struct place then;
	CS_TRY(suspend(call, current));
	CS_TRY(get_place(call, &then, &remote, epoch));
	return is_heir(&then) && then.key.state == WIRE_KEY_ACTIVE ? suspend(call, &then) : CS_OK;
}

enum cs_err ledger_keys_announce(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	struct cs_hash identity, x;
	struct ledger_statement statement;
	struct place current, next;
	uint64_t epoch;
	(void)out;
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(ledger_statement_read(in, &statement));
	CS_TRY(cs_abi_get_u64(in, &epoch));
	CS_TRY(cs_abi_get_word(in, &x));
	CS_TRY(ledger_use_gas(call, LEDGER_GAS_HASH));
	const struct cs_hash leaf = wire_leaf_rotation(epoch, &x);
	CS_TRY(ledger_statement_check(call, WIRE_KIND_ROTATION, &identity, &statement, &leaf));
	if (epoch == 0 || epoch - 1 != statement.epoch)
		return ledger_revert_plain(call, "EpochNotNext()");
	CS_TRY(ledger_key_check(call, &x));
	CS_TRY(get_place(call, &current, &identity, statement.epoch));
	CS_TRY(get_place(call, &next, &identity, epoch));
	return next.namers == 0 ? announce_next(call, &current, &next, &x)
				: announce_again(call, &current, &next, &x);
}

/* ---- views ---- */

enum cs_err ledger_keys_of(struct ledger_call *call, struct cs_abi_reader *in, struct cs_abi *out)
{
	struct cs_hash identity;
	struct place place;
	uint64_t epoch;
	CS_TRY(cs_abi_get_word(in, &identity));
	CS_TRY(cs_abi_get_u64(in, &epoch));
	CS_TRY(get_place(call, &place, &identity, epoch));
	cs_abi_put_word(out, &place.key.x);
	cs_abi_put_u64(out, place.key.state);
	cs_abi_put_u64(out, place.key.not_before_s);
	cs_abi_put_u64(out, place.key.not_after_s);
	cs_abi_put_u64(out, place.namers);
	return CS_OK;
}

enum cs_err ledger_keys_identity(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	struct ledger_self self;
	(void)in;
	CS_TRY(ledger_self_get(call, &self));
	cs_abi_put_word(out, &self.identity);
	return CS_OK;
}

enum cs_err ledger_keys_domain(struct ledger_call *call, struct cs_abi_reader *in,
			       struct cs_abi *out)
{
	struct ledger_self self;
	(void)in;
	CS_TRY(ledger_self_get(call, &self));
	cs_abi_put_word(out,
			wire_tag(self.insecure ? WIRE_TAG_STATEMENT_INSECURE : WIRE_TAG_STATEMENT));
	return CS_OK;
}

enum cs_err ledger_keys_insecure(struct ledger_call *call, struct cs_abi_reader *in,
				 struct cs_abi *out)
{
	struct ledger_self self;
	(void)in;
	CS_TRY(ledger_self_get(call, &self));
	cs_abi_put_u64(out, self.insecure);
	return CS_OK;
}

enum cs_err ledger_keys_rotation_delay(struct ledger_call *call, struct cs_abi_reader *in,
				       struct cs_abi *out)
{
	struct ledger_self self;
	(void)in;
	CS_TRY(ledger_self_get(call, &self));
	cs_abi_put_u64(out, self.rotation_delay_s);
	return CS_OK;
}

enum cs_err ledger_keys_overlap(struct ledger_call *call, struct cs_abi_reader *in,
				struct cs_abi *out)
{
	struct ledger_self self;
	(void)in;
	CS_TRY(ledger_self_get(call, &self));
	cs_abi_put_u64(out, self.overlap_s);
	return CS_OK;
}
