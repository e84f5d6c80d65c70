#include "verify/cluster/inner.h"

#include <string.h>

/* ---- certificates of authorities ---- */

static struct cluster_epoch *current(struct cluster_key_server *ks)
{
	return &ks->epochs[ks->epoch_count - 1];
}

static const struct cs_hash *lineage_of(const struct cluster_key_server *ks)
{
	return cluster_manifest_lineage(ks->manifest);
}

/* How long before its making a certificate begins: never more than a quarter of its life. */
static uint64_t skew(uint64_t life_s)
{
	return life_s / 4 < CLUSTER_CLOCK_SKEW_S ? life_s / 4 : CLUSTER_CLOCK_SKEW_S;
}

uint64_t cluster_life_begin(const struct verify_time *now, uint64_t life_s)
{
	const uint64_t before = skew(life_s);
	return now->low_s > before ? now->low_s - before : 0;
}

static enum cs_err certify_one(struct cluster_key_server *ks, size_t i,
			       const struct cs_secret *random, uint64_t begin_s, uint64_t end_s)
{
	struct cs_buf out;
	struct cs_secret serial;
	struct cluster_certificate c = {
		.role = CLUSTER_KEY_SERVER,
		.insecure = ks->manifest->insecure,
		.authority = true,
		.lineage = *lineage_of(ks),
		.epoch = ks->epochs[i].number,
		.not_before_s = begin_s,
		.not_after_s = end_s,
	};
	char name[] = "authority 0";
	name[sizeof name - 2] = (char)('0' + i);
	CS_TRY(cluster_key_authority(&ks->authorities[i], &ks->epochs[i], lineage_of(ks),
				     ks->manifest->insecure));
	c.key = c.issuer = ks->authorities[i].key;
	cluster_random(&serial, random, name);
	memcpy(c.serial, serial.b, sizeof c.serial);
	c.serial[0] = (uint8_t)(0x40 | (c.serial[0] & 0x3f));
	cs_buf_init(&out, ks->certificates[i], sizeof ks->certificates[i]);
	CS_TRY(cluster_certificate_write(&out, &c, &ks->authorities[i].secret));
	ks->certificate_sizes[i] = out.n;
	return CS_OK;
}

/* All of them anew; an old epoch's ends with the epoch. The statement speaks of them, so it goes. */
static enum cs_err certify(struct cluster_key_server *ks, const struct cs_secret *random,
			   const struct verify_time *now)
{
	const uint64_t life_s = ks->manifest->key_server_life_s;
	const uint64_t begin_s = cluster_life_begin(now, life_s);
	const uint64_t end_s = begin_s + life_s;
	for (size_t i = 0; i < ks->epoch_count; i++) {
		const uint64_t until_s = ks->epochs[i].decrypt_until_s;
		CS_TRY(certify_one(ks, i, random, begin_s,
				   until_s != 0 && until_s < end_s ? until_s : end_s));
	}
	ks->certificate_until_s = end_s;
	ks->certificate_due_s = begin_s + life_s / 2;
	ks->statement_s = 0;
	return CS_OK;
}

/* ---- epochs ---- */

static void drop_oldest(struct cluster_key_server *ks)
{
	const size_t left = ks->epoch_count - 1;
	memmove(&ks->epochs[0], &ks->epochs[1], left * sizeof ks->epochs[0]);
	cs_wipe(&ks->epochs[left], sizeof ks->epochs[0]);
	cs_wipe(ks->authorities, sizeof ks->authorities);
	ks->epoch_count = left;
}

/* The old one decrypts for a while; where there is no room the oldest ends before its time. */
static enum cs_err begin_epoch(struct cluster_key_server *ks, const struct cs_secret *random,
			       const struct verify_time *now)
{
	uint64_t number = 1;
	if (now->high_s == 0)
		return CS_ERR_NO_TIME;
	if (ks->epoch_count > 0) {
		number = current(ks)->number + 1;
		current(ks)->decrypt_until_s = now->high_s + ks->manifest->decrypt_s;
	}
	if (ks->epoch_count == CLUSTER_EPOCHS_MAX)
		drop_oldest(ks);
	struct cluster_epoch *epoch = &ks->epochs[ks->epoch_count++];
	*epoch = (struct cluster_epoch){.number = number, .begun_s = now->low_s};
	cluster_random(&epoch->root, random, "root");
	ks->epoch_manifest_number = ks->manifest->number;
	ks->counter++;
	return certify(ks, random, now);
}

/* ---- life ---- */

enum cs_err cluster_key_server_init(struct cluster_key_server *ks,
				    const struct cluster_manifest *manifest, uint8_t *memory,
				    const struct cs_secret *random)
{
	struct cs_secret identity;
	memset(ks, 0, sizeof *ks);
	ks->manifest = manifest;
	cs_buf_init(&ks->statement, memory, CLUSTER_STATEMENT_SIZE_MAX);
	cluster_random(&identity, random, "identity");
	const enum cs_err err = cluster_pair_make(&ks->identity, &identity);
	cs_wipe(&identity, sizeof identity);
	return err;
}

void cluster_key_server_done(struct cluster_key_server *ks)
{
	cs_wipe(ks, sizeof *ks);
}

enum cs_err cluster_key_server_check_self(const struct cluster_key_server *ks,
					  const struct cluster_tools *tools,
					  const struct cs_secret *random,
					  const struct verify_time *now, struct cs_why *why)
{
	struct cluster_peer self;
	struct cs_secret nonce;
	struct cluster_expected expected = {.role = CLUSTER_KEY_SERVER,
					    .spki = cluster_spki_hash(&ks->identity.key)};
	Caisson__Wire__ClusterEvidence evidence;
	const size_t mark = cs_arena_mark(tools->arena);
	cluster_random(&nonce, random, "self");
	CS_TRY(wire_report_fresh_nonce(&expected.fresh, CS_BYTES_OF(nonce.b)));
	enum cs_err err = cluster_evidence_make(&evidence, CLUSTER_KEY_SERVER, &ks->identity.key,
						&expected.fresh, ks->manifest, tools, why);
	if (err == CS_OK)
		err = cluster_evidence_verify(&self, &evidence, &expected, ks->manifest, tools, now,
					      why);
	cs_arena_rewind(tools->arena, mark);
	return err;
}

enum cs_err cluster_key_server_create(struct cluster_key_server *ks,
				      const struct cluster_tools *tools,
				      const struct cs_secret *random, const struct verify_time *now,
				      struct cs_why *why)
{
	struct cs_secret anchor;
	if (ks->epoch_count > 0)
		return cs_fail(why, CS_ERR_CONFLICT, "there is a cluster already");
	CS_TRY(cluster_key_server_check_self(ks, tools, random, now, why));
	cluster_random(&anchor, random, "anchor");
	const enum cs_err err = cluster_pair_make(&ks->anchor, &anchor);
	cs_wipe(&anchor, sizeof anchor);
	CS_TRY(err);
	return begin_epoch(ks, random, now);
}

/* ---- anchors ---- */

void cluster_key_server_anchor(const struct cluster_key_server *ks, struct cluster_anchor *out)
{
	cs_assert(ks->epoch_count > 0);
	*out = (struct cluster_anchor){
		.key_server = cluster_spki_hash(&ks->identity.key),
		.manifest_number = ks->epoch_manifest_number,
		.epoch = ks->epochs[ks->epoch_count - 1].number,
		.counter = ks->counter,
		.authority = ks->authorities[ks->epoch_count - 1].key,
	};
}

/* An epoch that both know must be the same one. */
static bool is_fork(const struct cluster_key_server *ks, const struct cluster_anchor *anchor)
{
	for (size_t i = 0; i < ks->epoch_count; i++)
		if (ks->epochs[i].number == anchor->epoch &&
		    !cs_bytes_eq(CS_BYTES_OF(ks->authorities[i].key.b),
				 CS_BYTES_OF(anchor->authority.b)))
			return true;
	return false;
}

enum cs_err cluster_key_server_check_anchor(struct cluster_key_server *ks,
					    const struct cluster_anchor *anchor, struct cs_why *why)
{
	struct cluster_anchor own;
	cluster_key_server_anchor(ks, &own);
	const bool same = cs_hash_eq(&own.key_server, &anchor->key_server);
	if (!(same && anchor->counter > own.counter) && anchor->epoch <= own.epoch &&
	    anchor->manifest_number <= own.manifest_number && !is_fork(ks, anchor))
		return CS_OK;
	ks->behind = true;
	return cs_fail(why, CS_ERR_ROLLED_BACK,
		       "an anchor says epoch %llu, counter %llu; this state has %llu, %llu",
		       (unsigned long long)anchor->epoch, (unsigned long long)anchor->counter,
		       (unsigned long long)own.epoch, (unsigned long long)own.counter);
}

/* ---- what time and operators ask ---- */

static enum cs_err state_statement(struct cluster_key_server *ks, const struct cluster_tools *tools,
				   const struct verify_time *now, struct cs_why *why)
{
	Caisson__Wire__ClusterStatement statement = CAISSON__WIRE__CLUSTER_STATEMENT__INIT;
	Caisson__Wire__ClusterEvidence evidence;
	ProtobufCBinaryData authorities[CLUSTER_EPOCHS_MAX];
	for (size_t i = 0; i < ks->epoch_count; i++)
		authorities[i] =
			cluster_field(cs_bytes(ks->certificates[i], ks->certificate_sizes[i]));
	statement.issued_s = now->low_s;
	statement.n_authorities = ks->epoch_count;
	statement.authorities = authorities;
	statement.anchor_key = CLUSTER_FIELD(ks->anchor.key);
	const struct wire_report_fresh fresh = cluster_fresh_statement(lineage_of(ks), &statement);
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err = cluster_evidence_make(&evidence, CLUSTER_KEY_SERVER,
						&ks->authorities[ks->epoch_count - 1].key, &fresh,
						ks->manifest, tools, why);
	if (err == CS_OK) {
		statement.evidence = &evidence;
		cs_buf_init(&ks->statement, ks->statement.p, ks->statement.size_max);
		err = wire_encode(&ks->statement, &statement.base, why);
	}
	cs_arena_rewind(tools->arena, mark);
	if (err == CS_OK)
		ks->statement_s = now->low_s;
	return err;
}

static void end_epochs(struct cluster_key_server *ks, bool *changed, const struct verify_time *now)
{
	while (ks->epoch_count > 1 &&
	       verify_time_before(now, ks->epochs[0].decrypt_until_s + 1) == CS_ERR_EXPIRED) {
		drop_oldest(ks);
		ks->counter++;
		ks->certificate_due_s = 0;
		*changed = true;
	}
}

static bool epoch_is_over(const struct cluster_key_server *ks, const struct verify_time *now)
{
	const struct cluster_epoch *epoch = &ks->epochs[ks->epoch_count - 1];
	if (ks->standby || ks->behind)
		return false;
	return ks->epoch_manifest_number != ks->manifest->number ||
	       (ks->manifest->epoch_s != 0 &&
		verify_time_reached(now, epoch->begun_s + ks->manifest->epoch_s) == CS_OK);
}

enum cs_err cluster_key_server_tick(struct cluster_key_server *ks, bool *changed,
				    const struct cluster_tools *tools,
				    const struct cs_secret *random, const struct verify_time *now,
				    struct cs_why *why)
{
	*changed = false;
	if (ks->epoch_count == 0)
		return CS_OK;
	if (now->high_s == 0)
		return cs_fail(why, CS_ERR_NO_TIME, "nothing bounds the time");
	end_epochs(ks, changed, now);
	if (epoch_is_over(ks, now)) {
		CS_TRY(begin_epoch(ks, random, now));
		*changed = true;
	} else if (now->high_s >= ks->certificate_due_s) {
		CS_TRY(certify(ks, random, now));
	}
	if (ks->statement_s == 0 ||
	    now->high_s >= ks->statement_s + CLUSTER_STATEMENT_AGE_MAX_S / 2)
		CS_TRY(state_statement(ks, tools, now, why));
	return CS_OK;
}

/* Who may begin an epoch. */
static enum cs_err check_primary(const struct cluster_key_server *ks, struct cs_why *why)
{
	if (ks->epoch_count == 0)
		return cs_fail(why, CS_ERR_NO_KEY, "there is no cluster yet");
	if (ks->standby)
		return cs_fail(why, CS_ERR_CONFLICT, "a standby begins no epoch: promote it first");
	if (ks->behind)
		return cs_fail(why, CS_ERR_ROLLED_BACK, "this state is behind");
	return CS_OK;
}

enum cs_err cluster_key_server_rotate(struct cluster_key_server *ks,
				      const struct cluster_tools *tools,
				      const struct cs_secret *random, const struct verify_time *now,
				      struct cs_why *why)
{
	CS_TRY(check_primary(ks, why));
	const enum cs_err err = begin_epoch(ks, random, now);
	if (err != CS_OK)
		return cs_fail(why, err, "no new epoch: %s", cs_err_sentence(err));
	/* The epoch has begun and is the caller's to seal. Where the hardware gives no evidence now, the next
	 * tick asks again, and nothing is issued before. */
	if (state_statement(ks, tools, now, why) != CS_OK)
		ks->statement_s = 0;
	return CS_OK;
}

enum cs_err cluster_key_server_revoke(struct cluster_key_server *ks, const struct cs_hash *spki,
				      const struct cluster_tools *tools,
				      const struct cs_secret *random, const struct verify_time *now,
				      struct cs_why *why)
{
	const struct cs_hash own = cluster_spki_hash(&ks->identity.key);
	size_t at = 0;
	CS_TRY(check_primary(ks, why));
	if (cs_hash_eq(&own, spki))
		return cs_fail(why, CS_ERR_CONFLICT, "the key is this server's own");
	if (cluster_revoked(ks->revoked, ks->revoked_count, spki))
		return cs_fail(why, CS_ERR_DUPLICATE, "the key was revoked before");
	if (ks->revoked_count == CLUSTER_REVOKED_MAX)
		return cs_fail(why, CS_ERR_FULL, "%u keys are revoked", CLUSTER_REVOKED_MAX);
	if (now->high_s == 0)
		return cs_fail(why, CS_ERR_NO_TIME, "nothing bounds the time");
	while (at < ks->revoked_count &&
	       cs_bytes_compare(CS_BYTES_OF(ks->revoked[at].b), CS_BYTES_OF(spki->b)) < 0)
		at++;
	memmove(&ks->revoked[at + 1], &ks->revoked[at],
		(ks->revoked_count - at) * sizeof ks->revoked[0]);
	ks->revoked[at] = *spki;
	ks->revoked_count++;
	return cluster_key_server_rotate(ks, tools, random, now, why);
}

enum cs_err cluster_key_server_manifest(struct cluster_key_server *ks,
					const struct cluster_manifest *next,
					const struct cluster_tools *tools,
					const struct cs_secret *random,
					const struct verify_time *now, struct cs_why *why)
{
	const struct cluster_manifest *before = ks->manifest;
	if (next->number != before->number + 1 ||
	    !cs_hash_eq(&next->hashes[before->number - 1], &before->hash))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "manifest %llu does not follow %llu",
			       (unsigned long long)next->number,
			       (unsigned long long)before->number);
	ks->manifest = next;
	enum cs_err err = cluster_key_server_check_self(ks, tools, random, now, why);
	if (err == CS_OK && ks->epoch_count > 0 && !ks->standby && !ks->behind)
		err = cluster_key_server_rotate(ks, tools, random, now, why);
	/* What failed before anything changed is as if it had not been asked. */
	if (err != CS_OK && ks->epoch_manifest_number != next->number)
		ks->manifest = before;
	else
		ks->statement_s = err == CS_OK && !ks->standby ? ks->statement_s : 0;
	return err;
}

enum cs_err cluster_key_server_promote(struct cluster_key_server *ks, struct cs_why *why)
{
	if (!ks->standby || ks->behind || ks->epoch_count == 0)
		return cs_fail(why, CS_ERR_CONFLICT,
			       ks->standby ? "this standby is behind" : "this is no standby");
	ks->standby = false;
	ks->counter++;
	return CS_OK;
}

/* ---- state ---- */

enum cs_err cluster_key_server_encode(const struct cluster_key_server *ks, struct cs_buf *out,
				      struct cs_arena *arena, struct cs_why *why)
{
	Caisson__Wire__ClusterKeyServerState state = CAISSON__WIRE__CLUSTER_KEY_SERVER_STATE__INIT;
	Caisson__Wire__ClusterEpoch epochs[CLUSTER_EPOCHS_MAX], *pointers[CLUSTER_EPOCHS_MAX];
	const size_t mark = cs_arena_mark(arena);
	for (size_t i = 0; i < ks->epoch_count; i++) {
		const struct cluster_epoch *epoch = &ks->epochs[i];
		caisson__wire__cluster_epoch__init(&epochs[i]);
		epochs[i].number = epoch->number;
		epochs[i].begun_s = epoch->begun_s;
		epochs[i].decrypt_until_s = epoch->decrypt_until_s;
		epochs[i].root = CLUSTER_FIELD(epoch->root);
		pointers[i] = &epochs[i];
	}
	cs_assert(ks->epoch_count > 0);
	state.manifest_number = ks->epoch_manifest_number;
	state.manifest_hash = CLUSTER_FIELD(ks->manifest->hashes[ks->epoch_manifest_number - 1]);
	state.lineage = CLUSTER_FIELD(*lineage_of(ks));
	state.counter = ks->counter;
	state.standby = ks->standby;
	state.identity = CLUSTER_FIELD(ks->identity.secret);
	state.anchor = CLUSTER_FIELD(ks->anchor.secret);
	state.n_epochs = ks->epoch_count;
	state.epochs = pointers;
	state.n_revoked = ks->revoked_count;
	state.revoked = cluster_fields(arena, ks->revoked, ks->revoked_count);
	const enum cs_err err =
		state.revoked == NULL ? CS_ERR_NO_MEMORY : wire_encode(out, &state.base, why);
	cs_arena_rewind(arena, mark);
	return err;
}

static enum cs_err take_epochs(struct cluster_key_server *ks,
			       const Caisson__Wire__ClusterKeyServerState *state)
{
	if (state->n_epochs == 0)
		return CS_ERR_MISSING_FIELD;
	for (size_t i = 0; i < state->n_epochs; i++) {
		const Caisson__Wire__ClusterEpoch *pb = state->epochs[i];
		struct cluster_epoch *epoch = &ks->epochs[i];
		epoch->number = pb->number;
		epoch->begun_s = pb->begun_s;
		epoch->decrypt_until_s = pb->decrypt_until_s;
		CLUSTER_COPY(&epoch->root, pb->root);
		if ((i > 0 && epoch->number <= ks->epochs[i - 1].number) ||
		    (epoch->decrypt_until_s == 0) != (i + 1 == state->n_epochs))
			return CS_ERR_INVALID;
		CS_TRY(cluster_key_authority(&ks->authorities[i], epoch, lineage_of(ks),
					     ks->manifest->insecure));
	}
	ks->epoch_count = state->n_epochs;
	return CS_OK;
}

enum cs_err cluster_key_server_take_state(struct cluster_key_server *ks,
					  const Caisson__Wire__ClusterKeyServerState *state,
					  struct cs_why *why)
{
	const struct cluster_manifest *manifest = ks->manifest;
	struct cs_secret secret;
	struct cs_hash hash;
	CLUSTER_COPY(&hash, state->lineage);
	if (!cs_hash_eq(&hash, lineage_of(ks)))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "the state is another cluster's");
	CLUSTER_COPY(&hash, state->manifest_hash);
	if (state->manifest_number == 0 || state->manifest_number > manifest->number ||
	    !cs_hash_eq(&hash, &manifest->hashes[state->manifest_number - 1]))
		return cs_fail(why, CS_ERR_WRONG_MANIFEST,
			       "the state is of manifest %llu, this process was given %llu",
			       (unsigned long long)state->manifest_number,
			       (unsigned long long)manifest->number);
	CLUSTER_COPY(&secret, state->anchor);
	enum cs_err err = cluster_pair_make(&ks->anchor, &secret);
	cs_wipe(&secret, sizeof secret);
	if (err == CS_OK)
		err = take_epochs(ks, state);
	if (err == CS_OK)
		err = cluster_hashes(ks->revoked, &ks->revoked_count, state->revoked,
				     state->n_revoked);
	if (err != CS_OK)
		return cs_fail(why, err, "state: %s", cs_err_sentence(err));
	ks->epoch_manifest_number = state->manifest_number;
	/* Certificates and the statement are made anew by the next tick. */
	ks->certificate_due_s = 0;
	ks->certificate_until_s = 0;
	ks->statement_s = 0;
	return CS_OK;
}

enum cs_err cluster_key_server_restore(struct cluster_key_server *ks, struct cs_bytes bytes,
				       const struct cluster_anchor *anchor,
				       const struct cluster_tools *tools, struct cs_why *why)
{
	Caisson__Wire__ClusterKeyServerState *state = NULL;
	struct cs_secret secret;
	if (ks->epoch_count > 0)
		return cs_fail(why, CS_ERR_CONFLICT, "there is state already");
	struct cluster_key_server taken = *ks;
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err =
		CLUSTER_DECODE(&state, cluster_key_server_state, bytes, tools->arena, why);
	if (err == CS_OK)
		err = cluster_key_server_take_state(&taken, state, why);
	if (err == CS_OK) {
		CLUSTER_COPY(&secret, state->identity);
		err = cluster_pair_make(&taken.identity, &secret);
		cs_wipe(&secret, sizeof secret);
		taken.counter = state->counter;
		taken.standby = state->standby;
	}
	if (err == CS_OK && anchor != NULL)
		err = cluster_key_server_check_anchor(&taken, anchor, why);
	cs_wipe(tools->arena->block + mark, tools->arena->used - mark);
	cs_arena_rewind(tools->arena, mark);
	if (err == CS_OK)
		*ks = taken;
	cs_wipe(&taken, sizeof taken);
	return err;
}
