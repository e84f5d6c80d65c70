#include "verify/cluster/recovery.h"

#include "verify/cluster/inner.h"

#include <string.h>

#define INFO_SHARE "caisson/cluster/share/v1"
#define INFO_ANSWER "caisson/cluster/recover/v1"
/* x and y. */
#define SHARE_SIZE (1u + 32u)
#define SEALED_SHARE_SIZE (SHARE_SIZE + CS_HPKE_OVERHEAD)

static void give_back(struct cs_arena *arena, size_t mark)
{
	cs_wipe(arena->block + mark, arena->used - mark);
	cs_arena_rewind(arena, mark);
}

/* What the state is sealed for. */
static struct cs_hash head_of(const Caisson__Wire__ClusterRecovery *pb)
{
	uint8_t memory[256];
	struct cs_buf buf;
	cs_buf_init(&buf, memory, sizeof memory);
	cs_put_text(&buf, "caisson/cluster/recovery/v1");
	cs_put(&buf, wire_pb_view(pb->lineage));
	cs_put_u64(&buf, pb->manifest_number);
	cs_put_u64(&buf, pb->epoch);
	cs_put_u32(&buf, pb->threshold);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	return cs_sha256(cs_buf_view(&buf));
}

/* The key is used once: it was made for this state. */
static const uint8_t nonce_once[CS_AEAD_NONCE_SIZE] = {0};

/* ---- making ---- */

struct making {
	Caisson__Wire__ClusterRecovery pb;
	struct cs_secret key;
	ProtobufCBinaryData fields[CLUSTER_RECOVERY_MAX];
	uint8_t shares[CLUSTER_RECOVERY_MAX][SEALED_SHARE_SIZE];
};

static void random_at(struct cs_secret *out, const struct cs_secret *random, char kind, size_t i)
{
	char name[] = "recovery x 00";
	name[9] = kind;
	name[11] = (char)('0' + i / 10);
	name[12] = (char)('0' + i % 10);
	cluster_random(out, random, name);
}

static enum cs_err seal_share(uint8_t out[SEALED_SHARE_SIZE], const struct cs_share *share,
			      const struct cs_x25519_key *to, const char *text,
			      const struct cs_hash *lineage, struct cs_bytes aad,
			      const struct cs_secret *ephemeral)
{
	uint8_t info[CLUSTER_INFO_SIZE], plain[SHARE_SIZE];
	cluster_info(info, text, lineage);
	plain[0] = share->x;
	memcpy(plain + 1, share->y.b, sizeof share->y.b);
	const enum cs_err err =
		cs_hpke_seal(out, to, ephemeral, CS_BYTES_OF(info), aad, CS_BYTES_OF(plain));
	cs_wipe(plain, sizeof plain);
	return err;
}

static enum cs_err open_share(struct cs_share *share, const struct cs_secret *own, const char *text,
			      const struct cs_hash *lineage, struct cs_bytes aad,
			      ProtobufCBinaryData sealed)
{
	uint8_t info[CLUSTER_INFO_SIZE], plain[SHARE_SIZE];
	cluster_info(info, text, lineage);
	const enum cs_err err =
		cs_hpke_open(plain, own, CS_BYTES_OF(info), aad, wire_pb_view(sealed));
	if (err == CS_OK) {
		share->x = plain[0];
		memcpy(share->y.b, plain + 1, sizeof share->y.b);
	}
	cs_wipe(plain, sizeof plain);
	return err;
}

static enum cs_err make_shares(struct making *m, const struct cluster_manifest *manifest,
			       const struct cs_secret *random)
{
	struct cs_share shares[CLUSTER_RECOVERY_MAX];
	struct cs_secret coefficients[CLUSTER_RECOVERY_MAX], ephemeral;
	enum cs_err err = CS_OK;
	for (size_t i = 0; i + 1 < manifest->recovery_threshold; i++)
		random_at(&coefficients[i], random, 'c', i);
	_Static_assert(CLUSTER_RECOVERY_MAX <= CS_SHARES_MAX, "a share for each");
	cs_shamir_split(shares, manifest->recovery_count, manifest->recovery_threshold, &m->key,
			coefficients);
	for (size_t i = 0; i < manifest->recovery_count && err == CS_OK; i++) {
		random_at(&ephemeral, random, 'e', i);
		err = seal_share(m->shares[i], &shares[i], &manifest->recovery[i], INFO_SHARE,
				 cluster_manifest_lineage(manifest), CS_BYTES_NONE, &ephemeral);
		m->fields[i] = cluster_field(CS_BYTES_OF(m->shares[i]));
	}
	cs_wipe(shares, sizeof shares);
	cs_wipe(coefficients, sizeof coefficients);
	cs_wipe(&ephemeral, sizeof ephemeral);
	return err;
}

static enum cs_err make(struct making *m, const struct cluster_key_server *ks, struct cs_buf *out,
			struct cs_arena *arena, const struct cs_secret *random, struct cs_why *why)
{
	struct cs_buf state;
	CS_TRY(cs_buf_init_arena(&state, arena, CLUSTER_STATE_SIZE_MAX));
	uint8_t *sealed = cs_arena_alloc(arena, CLUSTER_STATE_SIZE_MAX + CS_AEAD_TAG_SIZE);
	if (sealed == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(cluster_key_server_encode(ks, &state, arena, why));
	caisson__wire__cluster_recovery__init(&m->pb);
	m->pb.lineage = CLUSTER_FIELD(*cluster_manifest_lineage(ks->manifest));
	m->pb.manifest_number = ks->manifest->number;
	m->pb.epoch = ks->epochs[ks->epoch_count - 1].number;
	m->pb.threshold = (uint32_t)ks->manifest->recovery_threshold;
	cluster_random(&m->key, random, "recovery");
	const enum cs_err err = make_shares(m, ks->manifest, random);
	if (err != CS_OK)
		return cs_fail(why, err, "a recovery key of the manifest is none");
	m->pb.n_shares = ks->manifest->recovery_count;
	m->pb.shares = m->fields;
	const struct cs_hash head = head_of(&m->pb);
	CS_TRY(cs_aead_seal(sealed, &m->key, nonce_once, CS_BYTES_OF(head.b), cs_buf_view(&state)));
	m->pb.sealed = cluster_field(cs_bytes(sealed, state.n + CS_AEAD_TAG_SIZE));
	return wire_encode(out, &m->pb.base, why);
}

enum cs_err cluster_recovery_make(const struct cluster_key_server *ks, struct cs_buf *out,
				  const struct cluster_tools *tools, const struct cs_secret *random,
				  struct cs_why *why)
{
	struct making m;
	if (ks->epoch_count == 0)
		return cs_fail(why, CS_ERR_NO_KEY, "there is no cluster yet");
	if (ks->manifest->recovery_threshold == 0)
		return cs_fail(why, CS_ERR_CONFLICT, "the manifest has no recovery keys");
	const size_t mark = cs_arena_mark(tools->arena);
	const enum cs_err err = make(&m, ks, out, tools->arena, random, why);
	give_back(tools->arena, mark);
	cs_wipe(&m, sizeof m);
	return err;
}

/* ---- reading ---- */

static enum cs_err read_recovery(Caisson__Wire__ClusterRecovery **pb, struct cs_bytes bytes,
				 const struct cluster_manifest *manifest, struct cs_arena *arena,
				 struct cs_why *why)
{
	struct cs_hash lineage;
	CS_TRY(CLUSTER_DECODE(pb, cluster_recovery, bytes, arena, why));
	CLUSTER_COPY(&lineage, (*pb)->lineage);
	if (!cs_hash_eq(&lineage, cluster_manifest_lineage(manifest)))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "the recovery is another cluster's");
	if ((*pb)->manifest_number > manifest->number)
		return cs_fail(why, CS_ERR_WRONG_MANIFEST,
			       "the recovery is of manifest %llu, here is %llu",
			       (unsigned long long)(*pb)->manifest_number,
			       (unsigned long long)manifest->number);
	if ((*pb)->threshold == 0 || (*pb)->threshold > (*pb)->n_shares)
		return cs_fail(why, CS_ERR_INVALID, "recovery: threshold %u of %zu shares",
			       (*pb)->threshold, (*pb)->n_shares);
	return CS_OK;
}

/* The asking server's evidence is about the very file and the key that shares go to. */
static struct wire_report_fresh ask_fresh(const struct cs_hash *lineage, struct cs_bytes recovery,
					  ProtobufCBinaryData box_key)
{
	struct wire_report_fresh fresh;
	const struct cs_hash file = cs_sha256(recovery);
	const struct cs_bytes pieces[] = {cs_bytes_str("caisson/cluster/recover/v1"),
					  CS_BYTES_OF(lineage->b), CS_BYTES_OF(file.b),
					  wire_pb_view(box_key)};
	const struct cs_hash nonce = cs_sha256_join(pieces, CS_LEN(pieces));
	const enum cs_err err = wire_report_fresh_nonce(&fresh, CS_BYTES_OF(nonce.b));
	cs_assert(err == CS_OK);
	return fresh;
}

static enum cs_err ask(const struct cluster_key_server *ks, struct cs_secret *box,
		       struct cs_buf *out, struct cs_bytes recovery,
		       const struct cluster_tools *tools, const struct cs_secret *random,
		       struct cs_why *why)
{
	Caisson__Wire__ClusterRecovery *pb = NULL;
	Caisson__Wire__ClusterRecoverRequest request = CAISSON__WIRE__CLUSTER_RECOVER_REQUEST__INIT;
	Caisson__Wire__ClusterEvidence evidence;
	struct cs_x25519_key key;
	CS_TRY(read_recovery(&pb, recovery, ks->manifest, tools->arena, why));
	cluster_random(box, random, "box");
	CS_TRY(cs_x25519_public(&key, box));
	request.key = CLUSTER_FIELD(ks->identity.key);
	request.box_key = CLUSTER_FIELD(key);
	const struct wire_report_fresh fresh =
		ask_fresh(cluster_manifest_lineage(ks->manifest), recovery, request.box_key);
	CS_TRY(cluster_evidence_make(&evidence, CLUSTER_KEY_SERVER, &ks->identity.key, &fresh,
				     ks->manifest, tools, why));
	request.evidence = &evidence;
	return wire_encode(out, &request.base, why);
}

enum cs_err cluster_recovery_ask(const struct cluster_key_server *ks, struct cs_secret *box,
				 struct cs_buf *out, struct cs_bytes recovery,
				 const struct cluster_tools *tools, const struct cs_secret *random,
				 struct cs_why *why)
{
	if (ks->epoch_count > 0)
		return cs_fail(why, CS_ERR_CONFLICT, "this key server has a cluster");
	const size_t mark = cs_arena_mark(tools->arena);
	const enum cs_err err = ask(ks, box, out, recovery, tools, random, why);
	give_back(tools->arena, mark);
	return err;
}

/* ---- a holder ---- */

static enum cs_err answer(struct cs_buf *out, struct cluster_peer *asker,
			  const struct cluster_recovery_question *question,
			  const struct cs_secret *holder, const struct cluster_manifest *manifest,
			  const struct cluster_tools *tools, const struct cs_secret *random,
			  struct cs_why *why)
{
	Caisson__Wire__ClusterRecovery *pb = NULL;
	Caisson__Wire__ClusterRecoverRequest *request = NULL;
	Caisson__Wire__ClusterRecoverShare reply = CAISSON__WIRE__CLUSTER_RECOVER_SHARE__INIT;
	const struct cs_hash *lineage = cluster_manifest_lineage(manifest);
	struct cs_ed25519_key key;
	struct cs_x25519_key box;
	struct cs_secret ephemeral;
	struct cs_share share;
	uint8_t sealed[SEALED_SHARE_SIZE];
	CS_TRY(read_recovery(&pb, question->recovery, manifest, tools->arena, why));
	CS_TRY(CLUSTER_DECODE(&request, cluster_recover_request, question->request, tools->arena,
			      why));
	CLUSTER_COPY(&key, request->key);
	CLUSTER_COPY(&box, request->box_key);
	const struct cluster_expected expected = {
		.role = CLUSTER_KEY_SERVER,
		.spki = cluster_spki_hash(&key),
		.fresh = ask_fresh(lineage, question->recovery, request->box_key),
	};
	CS_TRY(cluster_evidence_verify(asker, request->evidence, &expected, manifest, tools,
				       question->now, why));
	enum cs_err err = CS_ERR_SEAL_BROKEN;
	for (size_t i = 0; i < pb->n_shares && err == CS_ERR_SEAL_BROKEN; i++)
		err = open_share(&share, holder, INFO_SHARE, lineage, CS_BYTES_NONE, pb->shares[i]);
	if (err != CS_OK)
		return cs_fail(why, err, "the recovery has no share for this key");
	const struct cs_hash file = cs_sha256(question->recovery);
	cluster_random(&ephemeral, random, "ephemeral");
	err = seal_share(sealed, &share, &box, INFO_ANSWER, lineage, CS_BYTES_OF(file.b),
			 &ephemeral);
	cs_wipe(&share, sizeof share);
	cs_wipe(&ephemeral, sizeof ephemeral);
	CS_TRY(err);
	reply.sealed = CLUSTER_FIELD(sealed);
	return wire_encode(out, &reply.base, why);
}

enum cs_err cluster_recovery_answer(struct cs_buf *out, struct cluster_peer *asker,
				    const struct cluster_recovery_question *question,
				    const struct cs_secret *holder,
				    const struct cluster_manifest *manifest,
				    const struct cluster_tools *tools,
				    const struct cs_secret *random, struct cs_why *why)
{
	const size_t mark = cs_arena_mark(tools->arena);
	const enum cs_err err = answer(out, asker, question, holder, manifest, tools, random, why);
	give_back(tools->arena, mark);
	return err;
}

/* ---- the new Key Server takes it ---- */

static enum cs_err combine(struct cs_secret *key, const Caisson__Wire__ClusterRecovery *pb,
			   const struct cs_secret *box, const struct cs_hash *lineage,
			   const struct cluster_recovery_answers *answers, struct cs_arena *arena,
			   struct cs_why *why)
{
	struct cs_share shares[CS_SHARES_MAX];
	const struct cs_hash file = cs_sha256(answers->recovery);
	enum cs_err err = CS_OK;
	if (answers->count < pb->threshold)
		return cs_fail(why, CS_ERR_UNAUTHORIZED, "%zu of %u shares", answers->count,
			       pb->threshold);
	for (size_t i = 0; i < pb->threshold && err == CS_OK; i++) {
		Caisson__Wire__ClusterRecoverShare *share = NULL;
		err = CLUSTER_DECODE(&share, cluster_recover_share, answers->shares[i], arena, why);
		if (err == CS_OK)
			err = open_share(&shares[i], box, INFO_ANSWER, lineage, CS_BYTES_OF(file.b),
					 share->sealed);
	}
	if (err == CS_OK)
		err = cs_shamir_combine(key, shares, pb->threshold);
	cs_wipe(shares, sizeof shares);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "a share: %s", cs_err_sentence(err));
}

static enum cs_err take(struct cluster_key_server *taken, const struct cs_secret *box,
			const struct cluster_recovery_answers *answers,
			const struct cluster_tools *tools, struct cs_why *why)
{
	Caisson__Wire__ClusterRecovery *pb = NULL;
	Caisson__Wire__ClusterKeyServerState *state = NULL;
	const struct cs_hash *lineage = cluster_manifest_lineage(taken->manifest);
	struct cs_secret key;
	CS_TRY(read_recovery(&pb, answers->recovery, taken->manifest, tools->arena, why));
	CS_TRY(combine(&key, pb, box, lineage, answers, tools->arena, why));
	const struct cs_hash head = head_of(pb);
	uint8_t *plain = cs_arena_alloc(tools->arena, pb->sealed.len + 1);
	enum cs_err err = plain == NULL ? CS_ERR_NO_MEMORY
					: cs_aead_open(plain, &key, nonce_once, CS_BYTES_OF(head.b),
						       wire_pb_view(pb->sealed));
	cs_wipe(&key, sizeof key);
	if (err != CS_OK)
		return cs_fail(why, err, "the shares do not open this recovery");
	CS_TRY(CLUSTER_DECODE(&state, cluster_key_server_state,
			      cs_bytes(plain, pb->sealed.len - CS_AEAD_TAG_SIZE), tools->arena,
			      why));
	CS_TRY(cluster_key_server_take_state(taken, state, why));
	taken->counter = state->counter;
	return CS_OK;
}

enum cs_err cluster_recovery_take(struct cluster_key_server *ks, const struct cs_secret *box,
				  const struct cluster_recovery_answers *answers,
				  const struct cluster_tools *tools, const struct cs_secret *random,
				  const struct verify_time *now, struct cs_why *why)
{
	if (ks->epoch_count > 0)
		return cs_fail(why, CS_ERR_CONFLICT, "this key server has a cluster");
	CS_TRY(cluster_key_server_check_self(ks, tools, random, now, why));
	struct cluster_key_server taken = *ks;
	const size_t mark = cs_arena_mark(tools->arena);
	enum cs_err err = take(&taken, box, answers, tools, why);
	give_back(tools->arena, mark);
	/* A new epoch: whatever the lost servers gave away last is not encrypted under any more. */
	if (err == CS_OK)
		err = cluster_key_server_rotate(&taken, tools, random, now, why);
	if (err == CS_OK)
		*ks = taken;
	cs_wipe(&taken, sizeof taken);
	return err;
}
