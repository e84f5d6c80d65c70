/* How far a key server is, on the ledger (docs/protocol/cluster.md): where the manifest asks for it, nothing
 * leaves that k of n nodes of the ledger have not said to stand there, at a start as after a new epoch. The
 * host brings the signed anchor to the ledger; the nodes say it with the time, under the key server's own nonce.
 * `start` is drawn by each process, so that what stands was written after this one began: an old state cannot
 * be written above a newer one, and no node that is late can hide that one. */
#include "core/reader.h"
#include "enclave/cluster/inner.h"

#include <string.h>

/* Ticks until the host is told again: 10 s. A transaction can be lost, or another one's start be later. */
#define AGAIN_TICKS 20u

static void own_anchor(const struct service *s, struct verify_anchor_owner *owner,
		       struct verify_anchor *own)
{
	const struct cluster_key_server *ks = &s->secrets->of.key_server;
	struct cluster_anchor now;
	cluster_key_server_anchor(ks, &now);
	*owner = (struct verify_anchor_owner){*cluster_manifest_lineage(service_manifest(s)),
					      ks->identity.key};
	*own = (struct verify_anchor){.manifest_number = now.manifest_number,
				      .epoch = now.epoch,
				      .start = s->anchor.start};
	memcpy(own->authority.b, now.authority.b, sizeof own->authority.b);
}

bool service_anchor_is_due(const struct service *s)
{
	struct verify_anchor_owner owner;
	struct verify_anchor own;
	const struct verify_anchor *proven = &s->anchor.proven;
	if (s->launch.role != CLUSTER_KEY_SERVER || !service_manifest(s)->ledger_anchor ||
	    s->secrets->of.key_server.epoch_count == 0)
		return false;
	own_anchor(s, &owner, &own);
	return own.epoch != proven->epoch || own.manifest_number != proven->manifest_number ||
	       !cs_hash_eq(&own.authority, &proven->authority);
}

/* It waits for nothing: of what is secret it says nothing. */
static enum cs_err tell_host(struct service *s)
{
	struct verify_anchor_owner owner;
	struct verify_anchor own;
	uint8_t body[WIRE_PIPE_ANCHOR_SIZE], signature[CS_ED25519_SIGNATURE_SIZE];
	struct cs_buf out;
	own_anchor(s, &owner, &own);
	const struct cs_hash digest = verify_anchor_digest(&owner, &own);
	CS_TRY(cs_ed25519_sign(signature, &s->secrets->of.key_server.identity.secret,
			       CS_BYTES_OF(digest.b)));
	cs_buf_init(&out, body, sizeof body);
	cs_put_word(&out, &owner.lineage);
	cs_put(&out, CS_BYTES_OF(owner.key.b));
	cs_put_u64(&out, own.manifest_number);
	cs_put_u64(&out, own.epoch);
	cs_put_word(&out, &own.authority);
	cs_put_word(&out, &own.start);
	cs_put(&out, CS_BYTES_OF(signature));
	CS_TRY(cs_buf_end(&out));
	s->anchor.patience = AGAIN_TICKS;
	s->launch.send(s->launch.send_context, WIRE_PIPE_ANCHOR, 0, cs_buf_view(&out));
	return CS_OK;
}

enum cs_err service_anchor_kept(struct service *s)
{
	s->anchor.waits = service_anchor_is_due(s);
	if (!s->anchor.waits)
		return CS_OK;
	if (cs_hash_is_zero(&s->anchor.start))
		memcpy(s->anchor.start.b, service_random(s)->b, sizeof s->anchor.start.b);
	s->holding = true;
	return tell_host(s);
}

enum cs_err service_anchor_tick(struct service *s)
{
	static const char late[] = "the ledger does not show this state's anchor yet";
	if (!s->anchor.waits || --s->anchor.patience > 0)
		return CS_OK;
	s->launch.send(s->launch.send_context, WIRE_PIPE_EVENT, WIRE_PIPE_EVENT_FAILED,
		       cs_bytes_str(late));
	return tell_host(s);
}

bool service_anchor_question(struct service *s, struct cs_buf *out)
{
	struct verify_anchor_owner owner;
	struct verify_anchor own;
	if (!s->anchor.waits)
		return false;
	own_anchor(s, &owner, &own);
	cs_put_word(out, &owner.lineage);
	cs_put(out, CS_BYTES_OF(owner.key.b));
	return true;
}

/* ---- answers ---- */

static enum cs_err read_answers(struct verify_anchor_answer *answers, size_t *count,
				struct cs_bytes body, struct cs_why *why)
{
	struct cs_reader reader;
	*count = body.n / WIRE_PIPE_TIME_ANCHOR_SIZE;
	if (body.n % WIRE_PIPE_TIME_ANCHOR_SIZE != 0 || *count > VERIFY_TIME_KEYS_MAX)
		return cs_fail(why, CS_ERR_MALFORMED, "not answers about time and anchor");
	cs_reader_init(&reader, body);
	for (size_t i = 0; i < *count; i++) {
		struct verify_anchor_answer *answer = &answers[i];
		cs_get_copy(&reader, answer->time.key.b, 32);
		answer->time.time_ms = cs_get_u64(&reader);
		cs_get_copy(&reader, answer->time.signature, 64);
		answer->anchor.manifest_number = cs_get_u64(&reader);
		answer->anchor.epoch = cs_get_u64(&reader);
		cs_get_copy(&reader, answer->anchor.authority.b, 32);
		cs_get_copy(&reader, answer->anchor.start.b, 32);
	}
	return cs_reader_end(&reader);
}

enum cs_err service_anchor_judge(struct service *s, struct verify_time_proof *proof,
				 bool *is_enough, struct cs_bytes body, struct cs_why *why)
{
	struct verify_anchor_answer answers[VERIFY_TIME_KEYS_MAX];
	struct verify_anchor_claim own;
	enum verify_anchor_verdict verdict;
	const struct verify_clock_source *source = &service_manifest(s)->time;
	const struct verify_time_question question = {&source->keys, &s->clock.nonces.nonce,
						      source->error_s * 1000};
	size_t count = 0;
	CS_TRY(read_answers(answers, &count, body, why));
	own_anchor(s, &own.owner, &own.anchor);
	*is_enough = verify_anchor_answers(proof, &verdict, s->tools.sig, &question, &own, answers,
					   count, &s->clock.why) == CS_OK;
	if (!*is_enough || !s->anchor.waits || verdict == VERIFY_ANCHOR_UNDECIDED)
		return CS_OK;
	if (verdict == VERIFY_ANCHOR_REFUTED)
		return cs_fail(why, CS_ERR_ROLLED_BACK,
			       "the ledger has another anchor than epoch %llu of this state: it "
			       "was put back, or it runs twice",
			       (unsigned long long)own.anchor.epoch);
	s->anchor.proven = own.anchor;
	s->anchor.waits = false;
	service_release(s);
	return CS_OK;
}
