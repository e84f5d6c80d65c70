/* A key server's orders for the day on which none is left (verify/cluster/recovery.h): one that runs gives what
 * is kept for it; a new one asks the holders for their shares, and takes them. */
#include "verify/cluster/recovery.h"

#include "enclave/cluster/inner.h"

static struct cluster_key_server *mine(struct service *s)
{
	return &s->secrets->of.key_server;
}

enum cs_err recovery_export(struct service *s, struct cs_buf *out, struct cs_why *why)
{
	return cluster_recovery_make(mine(s), out, &s->tools, service_random(s), why);
}

/* A question that is asked again has another box: shares for the one before open nothing. */
enum cs_err recovery_request(struct service *s, struct cs_bytes recovery, struct cs_buf *out,
			     struct cs_why *why)
{
	struct cs_secret *box = &s->secrets->recovery_box;
	s->recovering = false;
	CS_TRY(cluster_recovery_ask(mine(s), box, out, recovery, &s->tools, service_random(s),
				    why));
	s->recovering = true;
	return CS_OK;
}

static enum cs_err take_piece(struct cs_bytes *piece, struct cs_bytes *rest, struct cs_why *why)
{
	const size_t size = rest->n < 4 ? 0 : cs_be32(rest->p);
	if (size == 0 || size > rest->n - 4)
		return cs_fail(why, CS_ERR_MALFORMED, "not a recovery and its shares");
	*piece = cs_bytes(rest->p + 4, size);
	*rest = cs_bytes(rest->p + 4 + size, rest->n - 4 - size);
	return CS_OK;
}

enum cs_err recovery_restore(struct service *s, struct cs_bytes argument, struct cs_why *why)
{
	struct cs_bytes shares[CLUSTER_RECOVERY_MAX];
	struct cluster_recovery_answers answers = {.shares = shares};
	CS_TRY(take_piece(&answers.recovery, &argument, why));
	while (argument.n > 0) {
		if (answers.count == CS_LEN(shares))
			return cs_fail(why, CS_ERR_TOO_LARGE, "more than %zu shares",
				       CS_LEN(shares));
		CS_TRY(take_piece(&shares[answers.count++], &argument, why));
	}
	if (!s->recovering)
		return cs_fail(why, CS_ERR_UNKNOWN_NONCE,
			       "this process has not asked for shares since its start");
	CS_TRY(cluster_recovery_take(mine(s), &s->secrets->recovery_box, &answers, &s->tools,
				     service_random(s), &s->now, why));
	cs_wipe(&s->secrets->recovery_box, sizeof s->secrets->recovery_box);
	s->recovering = false;
	return CS_OK;
}
