#include "core/caip.h"
#include "core/sig.h"
#include "enclave/manifest_parts.h"
#include "verify/cometbft/anchor.h"
#include "verify/evm/light_client.h"
#include "wire/envelope.h"

#include <string.h>

enum cs_err manifest_read_hashes(struct cs_hash *out, size_t *count, size_t count_max,
				 const struct cs_json *object, const char *key, struct cs_why *why)
{
	CS_TRY(cs_json_member_hashes(out, count, count_max, object, key, why));
	return *count > 0 ? CS_OK : cs_fail(why, CS_ERR_INVALID, "%s is empty", key);
}

/* The same in strictly ascending order, so that one set has one form; there may be none. */
static enum cs_err read_ascending(struct cs_hash *out, size_t *count, size_t count_max,
				  const struct cs_json *object, const char *key, struct cs_why *why)
{
	CS_TRY(cs_json_member_hashes(out, count, count_max, object, key, why));
	for (size_t i = 1; i < *count; i++)
		if (memcmp(out[i - 1].b, out[i].b, sizeof out[i].b) > 0)
			return cs_fail(why, CS_ERR_NON_CANONICAL, "%s[%zu] is out of order", key,
				       i);
	return CS_OK;
}

static enum cs_err read_mode(enum manifest_mode *mode, const struct cs_json *json,
			     struct cs_why *why)
{
	static const struct {
		const char *name;
		enum manifest_mode mode;
	} modes[] = {
		{"clique", MANIFEST_CLIQUE},
		{"qbft", MANIFEST_QBFT},
		{"insecure_dev_head", MANIFEST_INSECURE_DEV_HEAD},
		{"rpc_quorum", MANIFEST_RPC_QUORUM},
		{"cometbft", MANIFEST_COMETBFT},
	};
	struct cs_bytes text;
	CS_TRY(cs_json_member_string(&text, json, "mode", 32, why));
	for (size_t i = 0; i < CS_LEN(modes); i++) {
		if (cs_bytes_eq(text, cs_bytes_str(modes[i].name))) {
			*mode = modes[i].mode;
			return CS_OK;
		}
	}
	return cs_fail(why, CS_ERR_UNSUPPORTED,
		       "finality.mode is none of clique, qbft, insecure_dev_head, rpc_quorum, "
		       "cometbft");
}

/* Of what is only the newest block others must follow, and both it and "safe" can be taken back. */
static enum cs_err check_rpc_quorum(const struct manifest_finality *f, struct cs_why *why)
{
	const bool latest = f->rpc.tag == VERIFY_EVM_LATEST;
	if (f->rpc.quorum > f->rpc.count || 2 * f->rpc.quorum <= f->rpc.count)
		return cs_fail(why, CS_ERR_INVALID,
			       "quorum is not above half of the providers, or above all");
	if (f->rpc.age_max_s == 0)
		return cs_fail(why, CS_ERR_INVALID, "age_max_s is above 0");
	if (f->seals_min != 0 || f->epoch != 0 || latest != (f->confirmations != 0))
		return cs_fail(why, CS_ERR_INVALID,
			       "rpc_quorum has no seals and epoch, and confirmations for the tag "
			       "latest alone");
	if (f->reorg_margin_s == 0 && f->rpc.tag != VERIFY_EVM_FINALIZED)
		return cs_fail(why, CS_ERR_INVALID,
			       "rpc_quorum needs reorg_margin_s but for the tag finalized");
	return CS_OK;
}

/* Every header of the chain is final, and says itself when the next may come. */
static enum cs_err check_cometbft(const struct manifest_finality *f, struct cs_why *why)
{
	if (f->seals_min != 0 || f->epoch != 0 || f->period_s != 0 || f->confirmations != 0 ||
	    f->reorg_margin_s != 0)
		return cs_fail(why, CS_ERR_INVALID,
			       "cometbft has no seals, epoch, period, confirmations and margin");
	if (f->anchor_height == 0)
		return cs_fail(why, CS_ERR_INVALID, "a CometBFT chain has no block 0");
	return cmt_light_options_check(
		&(struct cmt_light_options){f->trust_level, f->trusting_period_s,
					    CMT_BLOCK_PROTOCOL, f->drift_max_s},
		why);
}

/* What a mode needs above 0, and what it does not use and must leave 0, so that nobody believes in
 * a setting without effect. */
static enum cs_err check_mode(const struct manifest_finality *f, struct cs_why *why)
{
	switch (f->mode) {
	case MANIFEST_CLIQUE:
		if (f->epoch == 0 || f->reorg_margin_s == 0 || f->confirmations != 0)
			return cs_fail(
				why, CS_ERR_INVALID,
				"clique needs epoch and reorg_margin_s, and no confirmations");
		if (f->anchor_height % f->epoch != 0)
			return cs_fail(why, CS_ERR_INVALID,
				       "anchor_height is not a multiple of the epoch: it lists no "
				       "signers");
		return CS_OK;
	case MANIFEST_QBFT:
		if (f->epoch == 0 || f->confirmations != 0 || f->seals_min != 0)
			return cs_fail(why, CS_ERR_INVALID,
				       "qbft needs epoch, and has no confirmations and seals_min");
		if (f->anchor_height % f->epoch != 0)
			return cs_fail(why, CS_ERR_INVALID,
				       "anchor_height is not a multiple of the epoch: votes may be "
				       "open there");
		return CS_OK;
	case MANIFEST_INSECURE_DEV_HEAD:
		if (f->confirmations == 0 || f->reorg_margin_s == 0 || f->seals_min != 0 ||
		    f->epoch != 0)
			return cs_fail(why, CS_ERR_INVALID,
				       "insecure_dev_head needs confirmations and reorg_margin_s, "
				       "and no seals");
		return CS_OK;
	case MANIFEST_RPC_QUORUM:
		return check_rpc_quorum(f, why);
	case MANIFEST_COMETBFT:
		return check_cometbft(f, why);
	}
	return cs_fail(why, CS_ERR_UNSUPPORTED, "finality.mode");
}

/* ---- providers ---- */

static enum cs_err read_tag(enum verify_evm_tag *tag, const struct cs_json *json,
			    struct cs_why *why)
{
	static const enum verify_evm_tag tags[] = {VERIFY_EVM_FINALIZED, VERIFY_EVM_SAFE,
						   VERIFY_EVM_LATEST};
	struct cs_bytes text;
	CS_TRY(cs_json_member_string(&text, json, "tag", 16, why));
	for (size_t i = 0; i < CS_LEN(tags); i++) {
		if (cs_bytes_eq(text, cs_bytes_str(verify_evm_tag_name(tags[i])))) {
			*tag = tags[i];
			return CS_OK;
		}
	}
	return cs_fail(why, CS_ERR_UNSUPPORTED, "tag is none of finalized, safe, latest");
}

static enum cs_err copy_provider(struct manifest_provider *provider,
				 const struct wire_source *source, struct cs_why *why)
{
	struct cs_buf target;
	cs_buf_init(&target, provider->target, MANIFEST_TARGET_SIZE_MAX);
	cs_put(&target, source->path);
	if (source->has_query) {
		cs_put_u8(&target, '?');
		cs_put(&target, source->query);
	}
	if (cs_buf_end(&target) != CS_OK)
		return cs_fail(why, CS_ERR_TOO_LARGE, "url: path and query have more than %d bytes",
			       MANIFEST_TARGET_SIZE_MAX);
	memcpy(provider->host, source->host.p, source->host.n);
	provider->port = source->port;
	provider->tls = source->tls;
	return CS_OK;
}

/* Two votes of one host would be one operator's twice, whatever its ports and paths. */
static enum cs_err read_provider(struct manifest *m, const struct manifest_rpc *rpc,
				 const struct cs_json *json, struct cs_why *why)
{
	struct manifest_provider provider = {.port = 0};
	struct wire_source source;
	CS_TRY(wire_endpoint_parse(&source, json, why));
	if (source.address_literal && !m->rpc.address_literals)
		return cs_fail(why, CS_ERR_INVALID, "providers[%zu]: an address, not a name",
			       rpc->count);
	CS_TRY(copy_provider(&provider, &source, why));
	for (size_t i = 0; i < rpc->count; i++)
		if (strcmp(m->providers[rpc->first + i].host, provider.host) == 0)
			return cs_fail(why, CS_ERR_DUPLICATE,
				       "providers[%zu]: the host is there twice", rpc->count);
	if (m->provider_count == MANIFEST_PROVIDERS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "more than %d providers of all chains",
			       MANIFEST_PROVIDERS_MAX);
	m->providers[m->provider_count++] = provider;
	return CS_OK;
}

static enum cs_err read_rpc(struct manifest *m, struct manifest_finality *f,
			    const struct cs_json *finality, struct cs_why *why)
{
	const struct cs_json *json = NULL;
	const struct cs_json *array = NULL;
	struct manifest_rpc *rpc = &f->rpc;
	if (f->mode != MANIFEST_RPC_QUORUM)
		return cs_json_find(finality, "rpc") == NULL
			       ? CS_OK
			       : cs_fail(why, CS_ERR_INVALID,
					 "finality.rpc is of rpc_quorum alone");
	if (!m->has_rpc)
		return cs_fail(why, CS_ERR_MISSING_FIELD, "rpc: rpc_quorum needs a trust store");
	CS_TRY(cs_json_member(&json, finality, "rpc", CS_JSON_OBJECT, why));
	CS_TRY(MANIFEST_ONLY(json, why, "age_max_s", "providers", "quorum", "tag"));
	CS_TRY(read_tag(&rpc->tag, json, why));
	CS_TRY(cs_json_member_u64(&rpc->age_max_s, json, "age_max_s", MANIFEST_NUMBER_MAX, why));
	CS_TRY(cs_json_member_u64(&rpc->quorum, json, "quorum", VERIFY_EVM_PROVIDERS_MAX, why));
	CS_TRY(cs_json_member(&array, json, "providers", CS_JSON_ARRAY, why));
	if (array->count > VERIFY_EVM_PROVIDERS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "providers has more than %u",
			       VERIFY_EVM_PROVIDERS_MAX);
	rpc->first = m->provider_count;
	for (const struct cs_json *at = array->child; at != NULL; at = at->next) {
		CS_TRY(read_provider(m, rpc, at, why));
		rpc->count++;
	}
	return CS_OK;
}

static enum cs_err read_trust_level(struct manifest_finality *f, const struct cs_json *finality,
				    struct cs_why *why)
{
	const struct cs_json *json = NULL;
	if (f->mode != MANIFEST_COMETBFT)
		return cs_json_find(finality, "trust_level") == NULL
			       ? CS_OK
			       : cs_fail(why, CS_ERR_INVALID,
					 "finality.trust_level is of cometbft alone");
	CS_TRY(cs_json_member(&json, finality, "trust_level", CS_JSON_OBJECT, why));
	CS_TRY(MANIFEST_ONLY(json, why, "denominator", "numerator"));
	CS_TRY(cs_json_member_u64(&f->trust_level.denominator, json, "denominator",
				  MANIFEST_NUMBER_MAX, why));
	return cs_json_member_u64(&f->trust_level.numerator, json, "numerator", MANIFEST_NUMBER_MAX,
				  why);
}

static enum cs_err read_finality(struct manifest *m, struct manifest_finality *f,
				 const struct cs_json *chain, struct cs_why *why)
{
	const struct {
		const char *name;
		uint64_t *value;
		uint64_t max;
	} numbers[] = {
		{"anchor_height", &f->anchor_height, MANIFEST_NUMBER_MAX},
		{"anchor_age_max_s", &f->anchor_age_max_s, MANIFEST_NUMBER_MAX},
		{"trusting_period_s", &f->trusting_period_s, MANIFEST_NUMBER_MAX},
		{"seals_min", &f->seals_min, VERIFY_EVM_SIGNERS_MAX},
		{"epoch", &f->epoch, MANIFEST_NUMBER_MAX},
		{"period_s", &f->period_s, MANIFEST_NUMBER_MAX},
		{"drift_max_s", &f->drift_max_s, MANIFEST_NUMBER_MAX},
		{"confirmations", &f->confirmations, VERIFY_EVM_CONFIRMATIONS_MAX},
		{"reorg_margin_s", &f->reorg_margin_s, MANIFEST_NUMBER_MAX},
	};
	const struct cs_json *json = NULL;
	CS_TRY(cs_json_member(&json, chain, "finality", CS_JSON_OBJECT, why));
	CS_TRY(MANIFEST_ONLY(json, why, "mode", "anchor_hash", "anchor_height", "anchor_age_max_s",
			     "trusting_period_s", "seals_min", "epoch", "period_s", "drift_max_s",
			     "confirmations", "reorg_margin_s", "rpc", "trust_level"));
	CS_TRY(read_mode(&f->mode, json, why));
	CS_TRY(cs_json_member_hex(f->anchor_hash.b, sizeof f->anchor_hash.b, json, "anchor_hash",
				  why));
	for (size_t i = 0; i < CS_LEN(numbers); i++)
		CS_TRY(cs_json_member_u64(numbers[i].value, json, numbers[i].name, numbers[i].max,
					  why));
	CS_TRY(read_rpc(m, f, json, why));
	CS_TRY(read_trust_level(f, json, why));
	if (f->anchor_age_max_s == 0 || f->trusting_period_s == 0)
		return cs_fail(why, CS_ERR_INVALID,
			       "anchor_age_max_s and trusting_period_s are above 0");
	return check_mode(f, why);
}

static enum cs_err read_policy(struct manifest_policy *p, const struct cs_json *chain,
			       struct cs_why *why)
{
	const struct cs_json *json = NULL;
	CS_TRY(cs_json_member(&json, chain, "policy", CS_JSON_OBJECT, why));
	CS_TRY(MANIFEST_ONLY(json, why, "fee_cap_wei", "gas_limit_max", "total_cap_wei",
			     "sweep_to"));
	CS_TRY(cs_json_member_u64(&p->fee_cap_wei, json, "fee_cap_wei", UINT64_MAX, why));
	CS_TRY(cs_json_member_u64(&p->gas_limit_max, json, "gas_limit_max", UINT64_MAX, why));
	CS_TRY(cs_json_member_u64(&p->total_cap_wei, json, "total_cap_wei", UINT64_MAX, why));
	return cs_json_member_hex(p->sweep_to.b, sizeof p->sweep_to.b, json, "sweep_to", why);
}

/* A client that begins at the conflict or above it cannot be led to the other branch again. */
static enum cs_err read_abandoned(struct manifest *m, struct manifest_chain *chain,
				  const struct cs_json *json, struct cs_why *why)
{
	struct manifest_abandoned *a = &chain->abandoned;
	const struct cs_json *object = cs_json_find(json, "abandoned");
	size_t headers = 0;
	if (object == NULL)
		return CS_OK;
	CS_TRY(MANIFEST_ONLY(object, why, "headers", "height", "messages", "since"));
	CS_TRY(read_ascending(a->headers, &headers, CS_LEN(a->headers), object, "headers", why));
	CS_TRY(cs_json_member_u64(&a->height, object, "height", MANIFEST_NUMBER_MAX, why));
	CS_TRY(cs_json_member_u64(&a->since, object, "since", MANIFEST_NUMBER_MAX, why));
	if (headers != CS_LEN(a->headers))
		return cs_fail(why, CS_ERR_INVALID, "abandoned.headers are not two");
	if (a->height == 0 || a->height > chain->finality.anchor_height)
		return cs_fail(why, CS_ERR_INVALID,
			       "abandoned.height is not between 1 and anchor_height");
	if (a->since < 2 || a->since > m->number)
		return cs_fail(why, CS_ERR_INVALID, "abandoned.since is not between 2 and number");
	a->first = m->abandoned_count;
	CS_TRY(read_ascending(&m->abandoned[a->first], &a->count, MANIFEST_ABANDONED_MAX - a->first,
			      object, "messages", why));
	m->abandoned_count += a->count;
	return CS_OK;
}

/* A ledger's gateway is part of it: there is no code to name. Headers say the chain id itself, which
 * a hashed one is not. */
static enum cs_err read_caip2(struct manifest_chain *chain, struct cs_bytes caip2,
			      struct cs_why *why)
{
	const struct cs_bytes hashed = cs_bytes_str("hashed-");
	struct cs_caip2 parts;
	enum cs_err err = cs_caip2_parse(&parts, caip2);
	if (chain->finality.mode != MANIFEST_COMETBFT) {
		err = cs_caip2_eip155(&chain->chain_id, caip2);
		return err == CS_OK ? CS_OK : cs_fail(why, err, "caip2 is not eip155:<chain id>");
	}
	if (err != CS_OK)
		return cs_fail(why, err, "caip2 is not cosmos:<chain id>");
	if (!cs_bytes_eq(parts.namespace, cs_bytes_str("cosmos")))
		return cs_fail(why, CS_ERR_UNSUPPORTED, "caip2 is not cosmos:<chain id>");
	if (parts.reference.n >= hashed.n &&
	    cs_bytes_eq(cs_bytes(parts.reference.p, hashed.n), hashed))
		return cs_fail(why, CS_ERR_UNSUPPORTED, "caip2 is a hashed chain id");
	if (!cs_hash_is_zero(&chain->code_hash))
		return cs_fail(why, CS_ERR_INVALID, "code_hash is zero for the mode cometbft");
	return cmt_chain_id_set(&chain->cometbft_id, parts.reference);
}

static enum cs_err read_chain(struct manifest *m, struct manifest_chain *chain,
			      const struct cs_json *json, struct cs_why *why)
{
	struct cs_bytes caip2;
	CS_TRY(MANIFEST_ONLY(json, why, "abandoned", "caip2", "code_hash", "finality", "gateway",
			     "genesis", "policy", "remotes"));
	CS_TRY(cs_json_member_string(&caip2, json, "caip2", CS_CAIP2_SIZE_MAX, why));
	memcpy(chain->caip2, caip2.p, caip2.n);
	chain->caip2[caip2.n] = '\0';
	CS_TRY(cs_json_member_hex(chain->code_hash.b, sizeof chain->code_hash.b, json, "code_hash",
				  why));
	CS_TRY(cs_json_member_hex(chain->gateway.b, sizeof chain->gateway.b, json, "gateway", why));
	CS_TRY(cs_json_member_hex(chain->genesis.b, sizeof chain->genesis.b, json, "genesis", why));
	CS_TRY(read_finality(m, &chain->finality, json, why));
	CS_TRY(read_caip2(chain, caip2, why));
	CS_TRY(read_abandoned(m, chain, json, why));
	CS_TRY(read_policy(&chain->policy, json, why));
	CS_TRY(manifest_read_hashes(chain->remotes, &chain->remote_count, CS_MANIFEST_REMOTES_MAX,
				    json, "remotes", why));
	chain->identity = wire_identity(caip2, &chain->genesis, CS_BYTES_OF(chain->gateway.b));
	if (manifest_lists_remote(chain, &chain->identity))
		return cs_fail(why, CS_ERR_INVALID, "%s: a gateway is not a remote of itself",
			       chain->caip2);
	return CS_OK;
}

static enum cs_err read_chains(struct manifest *m, const struct cs_json *json, struct cs_why *why)
{
	const struct cs_json *array = NULL;
	CS_TRY(cs_json_member(&array, json, "chains", CS_JSON_ARRAY, why));
	if (array->count == 0)
		return cs_fail(why, CS_ERR_INVALID, "chains is empty");
	if (array->count > CS_MANIFEST_CHAINS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "chains has more than %u",
			       CS_MANIFEST_CHAINS_MAX);
	for (const struct cs_json *at = array->child; at != NULL; at = at->next) {
		struct manifest_chain *chain = &m->chains[m->chain_count];
		CS_TRY(read_chain(m, chain, at, why));
		if (manifest_chain_of(m, &chain->identity) != NULL)
			return cs_fail(why, CS_ERR_DUPLICATE, "%s: the gateway is there twice",
				       chain->caip2);
		m->chain_count++;
	}
	return CS_OK;
}

/* ---- what TLS connections trust ---- */

enum cs_err manifest_read_trust(struct manifest_trust *trust, const struct cs_json *json,
				struct cs_why *why)
{
	const struct cs_json *private_cas = NULL;
	CS_TRY(cs_json_member_bool(&trust->address_literals, json, "address_literals", why));
	CS_TRY(cs_json_member_bool(&trust->private_networks, json, "private_networks", why));
	CS_TRY(cs_json_member_hex(trust->logs.b, sizeof trust->logs.b, json, "logs", why));
	CS_TRY(cs_json_member_hex(trust->trust_store.b, sizeof trust->trust_store.b, json,
				  "trust_store", why));
	CS_TRY(cs_json_member(&private_cas, json, "private_cas", CS_JSON_ARRAY, why));
	if (private_cas->count == 0)
		return CS_OK;
	return manifest_read_hashes(trust->private_cas, &trust->private_ca_count,
				    MANIFEST_PRIVATE_CAS_MAX, json, "private_cas", why);
}

static enum cs_err read_rpc_trust(struct manifest *m, const struct cs_json *body,
				  struct cs_why *why)
{
	const struct cs_json *json = NULL;
	if (cs_json_find(body, "rpc") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member(&json, body, "rpc", CS_JSON_OBJECT, why));
	CS_TRY(MANIFEST_ONLY(json, why, "address_literals", "logs", "private_cas",
			     "private_networks", "trust_store"));
	CS_TRY(manifest_read_trust(&m->rpc, json, why));
	m->has_rpc = true;
	return CS_OK;
}

/* ---- the whole ---- */

static enum cs_err read_name(struct manifest *m, const struct cs_json *json, struct cs_why *why)
{
	struct cs_bytes name;
	CS_TRY(cs_json_member_string(&name, json, "name", CS_MANIFEST_NAME_SIZE_MAX, why));
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] < 0x20 || name.p[i] > 0x7e || name.p[i] == '"' || name.p[i] == '\\')
			return cs_fail(why, CS_ERR_INVALID, "name is not plain printable ASCII");
	if (name.n == 0)
		return cs_fail(why, CS_ERR_INVALID, "name is empty");
	memcpy(m->name, name.p, name.n);
	m->name[name.n] = '\0';
	return CS_OK;
}

static enum cs_err read_administrators(struct manifest *m, const struct cs_json *json,
				       struct cs_why *why)
{
	const struct cs_json *object = NULL;
	uint64_t threshold = 0;
	CS_TRY(cs_json_member(&object, json, "administrators", CS_JSON_OBJECT, why));
	CS_TRY(MANIFEST_ONLY(object, why, "keys", "threshold"));
	CS_TRY(manifest_read_hashes(m->administrators, &m->administrator_count,
				    MANIFEST_ADMINISTRATORS_MAX, object, "keys", why));
	CS_TRY(cs_json_member_u64(&threshold, object, "threshold", MANIFEST_ADMINISTRATORS_MAX,
				  why));
	if (threshold == 0 || threshold > m->administrator_count)
		return cs_fail(why, CS_ERR_INVALID,
			       "threshold is not between 1 and the number of keys");
	m->threshold = (size_t)threshold;
	return CS_OK;
}

static enum cs_err read_time(struct manifest *m, const struct cs_json *json, struct cs_why *why)
{
	const struct cs_json *array = NULL;
	CS_TRY(cs_json_member(&array, json, "time", CS_JSON_ARRAY, why));
	const struct cs_bytes source = array->count == 1 && array->child->type == CS_JSON_STRING
					       ? array->child->text
					       : CS_BYTES_NONE;
	m->insecure_host_time = cs_bytes_eq(source, cs_bytes_str("insecure_host_time"));
	if (!m->insecure_host_time && !cs_bytes_eq(source, cs_bytes_str("ledger")))
		return cs_fail(why, CS_ERR_UNSUPPORTED,
			       "time is neither [\"insecure_host_time\"] nor [\"ledger\"]");
	return CS_OK;
}

/* ---- the bridge's ledger ---- */

static enum cs_err read_registration(struct manifest_ledger *ledger, const struct cs_json *json,
				     struct cs_why *why)
{
	const struct cs_json *object = NULL;
	if (cs_json_find(json, "registration") == NULL)
		return CS_OK;
	CS_TRY(cs_json_member(&object, json, "registration", CS_JSON_OBJECT, why));
	CS_TRY(MANIFEST_ONLY(object, why, "bond_min", "evidence"));
	CS_TRY(cs_json_member_u256(&ledger->registration.bond_min, object, "bond_min", why));
	CS_TRY(cs_json_member_bool(&ledger->registration.evidence, object, "evidence", why));
	ledger->registration.wanted = true;
	return CS_OK;
}

static enum cs_err read_ledger(struct manifest *m, const struct cs_json *body, struct cs_why *why)
{
	struct manifest_ledger *ledger = &m->ledger;
	struct manifest_chain *chain = &ledger->chain;
	const struct cs_json *json = NULL;
	struct cs_bytes caip2;
	/* Without the source it would be a setting without effect. */
	if (m->insecure_host_time)
		return cs_json_find(body, "ledger") == NULL
			       ? CS_OK
			       : cs_fail(why, CS_ERR_INVALID,
					 "ledger is of time [\"ledger\"] alone");
	CS_TRY(cs_json_member(&json, body, "ledger", CS_JSON_OBJECT, why));
	CS_TRY(MANIFEST_ONLY(json, why, "anchor_lag_max", "caip2", "clock_error_s", "finality",
			     "genesis", "proof_age_max_s", "quorum", "registration", "time_keys"));
	CS_TRY(cs_json_member_string(&caip2, json, "caip2", CS_CAIP2_SIZE_MAX, why));
	memcpy(chain->caip2, caip2.p, caip2.n);
	CS_TRY(cs_json_member_hex(chain->genesis.b, sizeof chain->genesis.b, json, "genesis", why));
	CS_TRY(read_finality(m, &chain->finality, json, why));
	if (chain->finality.mode != MANIFEST_COMETBFT)
		return cs_fail(why, CS_ERR_INVALID, "ledger.finality is of the mode cometbft");
	CS_TRY(read_caip2(chain, caip2, why));
	CS_TRY(verify_clock_source_read(&ledger->time, json, why));
	CS_TRY(cs_json_member_u64(&ledger->proof_age_max_s, json, "proof_age_max_s",
				  MANIFEST_NUMBER_MAX, why));
	CS_TRY(cs_json_member_u64(&ledger->anchor_lag_max, json, "anchor_lag_max",
				  MANIFEST_ANCHOR_LAG_MAX, why));
	if (ledger->proof_age_max_s == 0 || ledger->anchor_lag_max == 0)
		return cs_fail(why, CS_ERR_INVALID,
			       "proof_age_max_s and anchor_lag_max are above 0");
	CS_TRY(read_registration(ledger, json, why));
	chain->gateway = cmt_register_address;
	chain->identity = wire_identity(caip2, &chain->genesis, CS_BYTES_OF(chain->gateway.b));
	return CS_OK;
}

/* ---- the whole body ---- */

static enum cs_err read_body(struct manifest *m, const struct cs_json *json, struct cs_why *why)
{
	uint64_t version = 0;
	CS_TRY(MANIFEST_ONLY(json, why, "administrators", "batch_max", "builds", "chains", "name",
			     "number", "ledger", "oracle", "previous", "rpc",
			     "statement_manifest_min", "time", "version"));
	CS_TRY(cs_json_member_u64(&version, json, "version", UINT64_MAX, why));
	if (version != 1)
		return cs_fail(why, CS_ERR_UNSUPPORTED, "version is not 1");
	CS_TRY(read_name(m, json, why));
	CS_TRY(cs_json_member_u64(&m->number, json, "number", MANIFEST_NUMBER_MAX, why));
	CS_TRY(cs_json_member_hex(m->previous.b, sizeof m->previous.b, json, "previous", why));
	CS_TRY(cs_json_member_u64(&m->batch_max, json, "batch_max", CS_BATCH_MAX, why));
	if (m->batch_max == 0)
		return cs_fail(why, CS_ERR_INVALID, "batch_max is 0");
	CS_TRY(cs_json_member_u64(&m->statement_manifest_min, json, "statement_manifest_min",
				  MANIFEST_NUMBER_MAX, why));
	if (m->statement_manifest_min == 0 || m->statement_manifest_min > m->number)
		return cs_fail(why, CS_ERR_INVALID,
			       "statement_manifest_min is not between 1 and number");
	CS_TRY(read_time(m, json, why));
	CS_TRY(read_administrators(m, json, why));
	CS_TRY(manifest_read_hashes(m->builds, &m->build_count, MANIFEST_BUILDS_MAX, json, "builds",
				    why));
	CS_TRY(read_rpc_trust(m, json, why));
	CS_TRY(read_chains(m, json, why));
	CS_TRY(read_ledger(m, json, why));
	if (m->has_rpc && m->provider_count == 0)
		return cs_fail(why, CS_ERR_INVALID, "rpc: no chain is of rpc_quorum");
	return manifest_read_oracle(m, json, why);
}

/* Every signature that is there must be good and of another administrator: a signed file has no
 * room for noise. */
static enum cs_err check_signatures(const struct manifest *m, const struct manifest *judge,
				    const struct cs_json *array, struct cs_why *why)
{
	struct cs_sig *sig = cs_sig_new(NULL);
	if (sig == NULL)
		return CS_ERR_NO_MEMORY;
	bool signed_by[MANIFEST_ADMINISTRATORS_MAX] = {false};
	size_t count = 0;
	enum cs_err err = CS_OK;
	for (const struct cs_json *at = array->child; at != NULL && err == CS_OK; at = at->next) {
		struct cs_hash key;
		uint8_t signature[64];
		size_t who = 0;
		if ((err = MANIFEST_ONLY(at, why, "key", "signature")) != CS_OK ||
		    (err = cs_json_member_hex(key.b, sizeof key.b, at, "key", why)) != CS_OK ||
		    (err = cs_json_member_hex(signature, sizeof signature, at, "signature", why)) !=
			    CS_OK)
			break;
		while (who < judge->administrator_count &&
		       !cs_hash_eq(&judge->administrators[who], &key))
			who++;
		if (who == judge->administrator_count)
			err = cs_fail(why, CS_ERR_WRONG_KEY,
				      "signatures[%zu]: not an administrator", count);
		else if (signed_by[who])
			err = cs_fail(why, CS_ERR_DUPLICATE, "signatures[%zu]: signed already",
				      count);
		else if (cs_schnorr_verify64(sig, signature, &key, CS_BYTES_OF(m->hash.b)) != CS_OK)
			err = cs_fail(why, CS_ERR_BAD_SIGNATURE, "signatures[%zu] does not verify",
				      count);
		else
			signed_by[who] = true;
		count++;
	}
	cs_sig_free(sig);
	CS_TRY(err);
	if (count < judge->threshold)
		return cs_fail(why, CS_ERR_UNAUTHORIZED, "%zu of %zu signatures", count,
			       judge->threshold);
	return CS_OK;
}

static enum cs_err check_lineage(struct manifest *m, const struct manifest *before,
				 struct cs_why *why)
{
	if (before == NULL) {
		if (m->number != 1 || !cs_hash_is_zero(&m->previous))
			return cs_fail(why, CS_ERR_WRONG_LINEAGE,
				       "the first manifest has number 1 and no previous");
		m->lineage = m->hash;
		return CS_OK;
	}
	if (m->number != before->number + 1)
		return cs_fail(why, CS_ERR_WRONG_LINEAGE, "number %llu does not follow %llu",
			       (unsigned long long)m->number, (unsigned long long)before->number);
	if (!cs_hash_eq(&m->previous, &before->hash))
		return cs_fail(why, CS_ERR_WRONG_LINEAGE,
			       "previous is not the hash of manifest %llu",
			       (unsigned long long)before->number);
	m->lineage = before->lineage;
	return CS_OK;
}

/* docs/protocol/manifest.md. The whole file is canonical, so what is written again here are the
 * bytes that were read. */
static enum cs_err hash_body(struct cs_hash *hash, const struct cs_json *body,
			     struct cs_arena *arena)
{
	struct cs_buf text;
	CS_TRY(cs_buf_init_arena(&text, arena, CS_MANIFEST_SIZE_MAX));
	CS_TRY(cs_json_write(&text, body, arena));
	CS_TRY(cs_buf_end(&text));
	*hash = wire_manifest_hash(cs_buf_view(&text));
	return CS_OK;
}

enum cs_err manifest_read(struct manifest *manifest, struct cs_arena *arena, struct cs_bytes file,
			  const struct manifest *before, struct cs_why *why)
{
	const struct cs_json *json = NULL;
	const struct cs_json *body = NULL;
	const struct cs_json *signatures = NULL;
	if (file.n > CS_MANIFEST_SIZE_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "more than %u bytes", CS_MANIFEST_SIZE_MAX);
	CS_TRY(cs_json_parse_canonical(&json, file, arena, why));
	CS_TRY(MANIFEST_ONLY(json, why, "manifest", "signatures"));
	CS_TRY(cs_json_member(&body, json, "manifest", CS_JSON_OBJECT, why));
	CS_TRY(cs_json_member(&signatures, json, "signatures", CS_JSON_ARRAY, why));
	if (signatures->count > MANIFEST_ADMINISTRATORS_MAX)
		return cs_fail(why, CS_ERR_TOO_LARGE, "more than %d signatures",
			       MANIFEST_ADMINISTRATORS_MAX);
	struct manifest *m = cs_arena_calloc(arena, 1, sizeof *m);
	if (m == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(read_body(m, body, why));
	CS_TRY(hash_body(&m->hash, body, arena));
	CS_TRY(check_lineage(m, before, why));
	CS_TRY(check_signatures(m, before != NULL ? before : m, signatures, why));
	*manifest = *m;
	return CS_OK;
}

const struct manifest_chain *manifest_chain_of(const struct manifest *manifest,
					       const struct cs_hash *identity)
{
	for (size_t i = 0; i < manifest->chain_count; i++)
		if (cs_hash_eq(&manifest->chains[i].identity, identity))
			return &manifest->chains[i];
	return NULL;
}

static bool lists(const struct cs_hash *list, size_t count, const struct cs_hash *wanted)
{
	for (size_t i = 0; i < count; i++)
		if (cs_hash_eq(&list[i], wanted))
			return true;
	return false;
}

bool manifest_lists_build(const struct manifest *manifest, const struct cs_hash *measurement)
{
	return lists(manifest->builds, manifest->build_count, measurement);
}

bool manifest_lists_remote(const struct manifest_chain *chain, const struct cs_hash *identity)
{
	return lists(chain->remotes, chain->remote_count, identity);
}

bool manifest_lists_abandoned(const struct manifest *manifest, const struct manifest_chain *chain,
			      const struct cs_hash *message_id)
{
	return lists(&manifest->abandoned[chain->abandoned.first], chain->abandoned.count,
		     message_id);
}
