#include "gateway/succession.h"

#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

struct cs_hash gateway_plan_of(const struct gateway_config *config)
{
	struct cs_keccak hash;
	cs_keccak_init(&hash);
	cs_keccak_add(&hash, CS_BYTES_OF(config->manifest.hash.b));
	for (size_t i = 0; i < config->chain_count; i++)
		cs_keccak_add(&hash, CS_BYTES_OF(config->chains[i].common.manifest->identity.b));
	return cs_keccak_end(&hash);
}

/* ---- the lineage ---- */

static enum cs_err load(struct host_manifest *manifest, const char *path, struct cs_why *why)
{
	struct cs_why inner = {{0}};
	enum cs_err err = host_manifest_load(manifest, path, &inner);
	return err == CS_OK ? CS_OK : cs_fail(why, err, "%s: %.120s", path, inner.text);
}

/* at: of the manifest in force in the list. */
static enum cs_err follow(const struct gateway_config *now, const struct gateway_config *fresh,
			  size_t at, struct host_manifest pair[2], struct cs_why *why)
{
	struct cs_why inner = {{0}};
	CS_TRY(load(&pair[0], fresh->service.manifests[at], why));
	if (!cs_hash_eq(&pair[0].hash, &now->manifest.hash))
		return cs_fail(
			why, CS_ERR_WRONG_MANIFEST,
			"%s is not the manifest in force: another bridge's, or another branch",
			fresh->service.manifests[at]);
	for (size_t i = at + 1; i < fresh->service.manifest_count; i++) {
		struct host_manifest *next = &pair[(i - at) % 2];
		CS_TRY(load(next, fresh->service.manifests[i], why));
		enum cs_err err = host_manifest_follows(next, &pair[(i - at + 1) % 2], &inner);
		if (err != CS_OK)
			return cs_fail(why, err, "%s: %.150s", fresh->service.manifests[i],
				       inner.text);
	}
	return CS_OK;
}

enum cs_err gateway_lineage_check(const struct gateway_config *now,
				  const struct gateway_config *fresh, struct cs_why *why)
{
	const uint64_t in_force = now->manifest.number;
	if (fresh->manifest.number < in_force)
		return cs_fail(why, CS_ERR_WRONG_MANIFEST,
			       "the newest has the number %llu, in force is %llu",
			       (unsigned long long)fresh->manifest.number,
			       (unsigned long long)in_force);
	if (in_force == 0 || fresh->service.manifest_count != fresh->manifest.number)
		return cs_fail(
			why, CS_ERR_WRONG_MANIFEST,
			"%zu files for the number %llu: the whole lineage is named, first to "
			"newest",
			fresh->service.manifest_count, (unsigned long long)fresh->manifest.number);
	struct host_manifest *pair = host_calloc(2, sizeof(*pair)); /* too large for the stack */
	enum cs_err err = follow(now, fresh, (size_t)in_force - 1, pair, why);
	free(pair);
	return err;
}

/* ---- what goes on ---- */

static enum cs_err remotes_go_on(const struct host_manifest *now, const struct host_manifest *next,
				 const struct host_manifest_chain *before,
				 const struct host_manifest_chain *after, struct cs_why *why)
{
	for (size_t i = 0; i < before->remote_count; i++) {
		const struct host_manifest_chain *remote =
			host_manifest_chain(now, &before->remotes[i]);
		if (remote && (!host_manifest_lists(after, &before->remotes[i]) ||
			       !host_manifest_chain(next, &before->remotes[i])))
			return cs_fail(why, CS_ERR_UNSUPPORTED, "%s: its remote %s is gone",
				       before->caip2, remote->caip2);
	}
	return CS_OK;
}

enum cs_err gateway_chain_goes_on(const struct host_manifest *now, const struct host_manifest *next,
				  const struct host_manifest_chain *served, struct cs_why *why)
{
	const struct host_manifest_chain *before = host_manifest_chain(now, &served->identity);
	const struct host_manifest_chain *after = host_manifest_chain(next, &served->identity);
	if (!before || !after)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "%s: its genesis or gateway is another one",
			       served->caip2);
	if (strcmp(before->mode, after->mode) != 0 ||
	    before->anchor_height != after->anchor_height ||
	    !cs_hash_eq(&before->anchor_hash, &after->anchor_hash) ||
	    before->confirmations != after->confirmations)
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "%s: its finality (mode, anchor, confirmations) is another one",
			       served->caip2);
	if (before->abandoned_height != after->abandoned_height)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "%s: another conflict is decided",
			       served->caip2);
	return remotes_go_on(now, next, before, after, why);
}

enum cs_err gateway_time_goes_on(const struct host_manifest *now, const struct host_manifest *next,
				 struct cs_why *why)
{
	const struct host_manifest_ledger *a = &now->ledger;
	const struct host_manifest_ledger *b = &next->ledger;
	if (now->insecure_host_time != next->insecure_host_time || a->is_there != b->is_there ||
	    strcmp(a->caip2, b->caip2) != 0 || !cs_hash_eq(&a->genesis, &b->genesis) ||
	    a->anchor_height != b->anchor_height || a->quorum != b->quorum ||
	    a->proof_age_max_s != b->proof_age_max_s || a->anchor_lag_max != b->anchor_lag_max ||
	    a->registration_wanted != b->registration_wanted)
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "the source of time, or the bridge's ledger, is another one");
	return CS_OK;
}
