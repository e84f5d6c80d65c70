#include "verify/verify.h"

enum cs_err verify_time_reached(const struct verify_time *now, uint64_t not_before_s)
{
	return now->low_s >= not_before_s ? CS_OK : CS_ERR_NOT_YET_VALID;
}

enum cs_err verify_time_before(const struct verify_time *now, uint64_t end_s)
{
	if (end_s == 0)
		return CS_OK;
	if (now->high_s == 0)
		return CS_ERR_NO_TIME;
	return now->high_s < end_s ? CS_OK : CS_ERR_EXPIRED;
}

enum cs_err verify_time_fresh(const struct verify_time *now, uint64_t then_s, uint64_t age_max_s)
{
	if (now->high_s == 0)
		return CS_ERR_NO_TIME;
	if (now->high_s > then_s && now->high_s - then_s > age_max_s)
		return CS_ERR_ANCHOR_TOO_OLD;
	return CS_OK;
}

enum cs_err verify_client_create(const struct verify_client *client, struct cs_bytes anchor,
				 const struct verify_time *now, struct cs_why *why)
{
	return client->ops->create(client->state, anchor, now, why);
}

enum cs_err verify_client_update(const struct verify_client *client, const struct cs_bytes *headers,
				 size_t count, const struct verify_time *now, size_t *accepted,
				 struct cs_why *why)
{
	*accepted = 0;
	if (count > VERIFY_HEADERS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu headers in one update", count);
	return client->ops->update(client->state, headers, count, now, accepted, why);
}

enum cs_err verify_client_block(const struct verify_client *client, uint64_t height,
				const struct verify_time *now, struct verify_block *block,
				struct cs_why *why)
{
	return client->ops->block(client->state, height, now, block, why);
}

enum cs_err verify_client_ancestors(const struct verify_client *client,
				    const struct cs_bytes *headers, size_t count,
				    const struct verify_time *now, struct verify_block *blocks,
				    struct cs_why *why)
{
	if (count == 0)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "no headers");
	if (count > VERIFY_HEADERS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "%zu ancestors", count);
	return client->ops->ancestors(client->state, headers, count, now, blocks, why);
}

void verify_client_status(const struct verify_client *client, struct verify_status *status)
{
	client->ops->status(client->state, status);
}

enum cs_err verify_client_conflict(const struct verify_client *client,
				   struct verify_conflict *conflict)
{
	return client->ops->conflict(client->state, conflict);
}

void verify_client_encode(const struct verify_client *client, struct cs_buf *buf)
{
	client->ops->encode(client->state, buf);
}

enum cs_err verify_client_decode(const struct verify_client *client, struct cs_bytes bytes,
				 struct cs_why *why)
{
	return client->ops->decode(client->state, bytes, why);
}

enum cs_err verify_outcome(enum wire_status *outcome, enum wire_status status, uint64_t deadline_s,
			   const struct verify_block *block)
{
	if (deadline_s == 0)
		return CS_ERR_INVALID;
	switch (status) {
	case WIRE_STATUS_DELIVERED:
	case WIRE_STATUS_DEAD:
		*outcome = status;
		return CS_OK;
	case WIRE_STATUS_NONE:
	case WIRE_STATUS_FAILED:
		if (block->time_s < deadline_s ||
		    block->time_s - deadline_s < block->reorg_margin_s)
			return CS_ERR_BEFORE_DEADLINE;
		*outcome = WIRE_STATUS_DEAD;
		return CS_OK;
	}
	return CS_ERR_INVALID;
}
