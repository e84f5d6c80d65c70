#include "wire/report.h"

#include "wire/envelope.h"

#include <string.h>

struct role {
	const char *name;
	enum wire_tag tag;
};

static const struct role roles[WIRE_REPORT_ROLE_COUNT] = {
	[WIRE_REPORT_BRIDGE_ENCLAVE] = {"bridge-enclave", WIRE_TAG_ROLE_BRIDGE_ENCLAVE},
	[WIRE_REPORT_ORACLE_ENCLAVE] = {"oracle-enclave", WIRE_TAG_ROLE_ORACLE_ENCLAVE},
	[WIRE_REPORT_KEY_SERVER] = {"key-server", WIRE_TAG_ROLE_KEY_SERVER},
	[WIRE_REPORT_GUARD] = {"guard", WIRE_TAG_ROLE_GUARD},
	[WIRE_REPORT_WORKER] = {"worker", WIRE_TAG_ROLE_WORKER},
	[WIRE_REPORT_LEDGER_NODE] = {"ledger-node", WIRE_TAG_ROLE_LEDGER_NODE},
};

const char *wire_report_role_name(enum wire_report_role role)
{
	return roles[role].name;
}

static struct cs_hash word_u64(uint64_t value)
{
	struct cs_hash word = {{0}};
	cs_put_be64(word.b + 24, value);
	return word;
}

/* ---- freshness ---- */

struct wire_report_fresh wire_report_fresh_nonce_hash(const struct cs_hash *nonce_hash)
{
	return (struct wire_report_fresh){*wire_tag(WIRE_TAG_FRESH_NONCE), *nonce_hash};
}

enum cs_err wire_report_fresh_nonce(struct wire_report_fresh *fresh, struct cs_bytes nonce)
{
	if (nonce.n < WIRE_REPORT_NONCE_SIZE_MIN || nonce.n > WIRE_REPORT_NONCE_SIZE_MAX)
		return CS_ERR_INVALID;
	const struct cs_hash hash = cs_keccak256(nonce);
	*fresh = wire_report_fresh_nonce_hash(&hash);
	return CS_OK;
}

struct wire_report_fresh wire_report_fresh_tls(const struct wire_report_tls *tls)
{
	const struct cs_hash words[] = {tls->exporter, word_u64(tls->from_server ? 2 : 1),
					tls->client_spki, tls->server_spki};
	return (struct wire_report_fresh){*wire_tag(WIRE_TAG_FRESH_TLS),
					  cs_keccak256(cs_bytes(words, sizeof words))};
}

struct wire_report_fresh wire_report_fresh_issued(uint64_t issued_s)
{
	return (struct wire_report_fresh){*wire_tag(WIRE_TAG_FRESH_ISSUED), word_u64(issued_s)};
}

/* ---- the preimage ---- */

void wire_report_preimage(uint8_t preimage[WIRE_REPORT_PREIMAGE_SIZE],
			  const struct wire_report *report)
{
	const struct cs_hash words[] = {
		*wire_tag(WIRE_TAG_REPORT),
		*wire_tag(roles[report->role].tag),
		report->key,
		report->fresh.tag,
		report->fresh.value,
		report->manifest_hash,
		word_u64(report->manifest_number),
		report->lineage,
		report->schema_digest,
		word_u64(report->insecure_flags),
	};
	_Static_assert(sizeof words == WIRE_REPORT_PREIMAGE_SIZE, "ten words");
	memcpy(preimage, words, sizeof words);
}

struct cs_hash wire_report_hash(const struct wire_report *report)
{
	uint8_t preimage[WIRE_REPORT_PREIMAGE_SIZE];
	wire_report_preimage(preimage, report);
	return cs_keccak256(CS_BYTES_OF(preimage));
}

void wire_report_data(uint8_t report_data[WIRE_REPORT_DATA_SIZE], const struct wire_report *report)
{
	const struct cs_hash hash = wire_report_hash(report);
	memset(report_data, 0, WIRE_REPORT_DATA_SIZE);
	memcpy(report_data, hash.b, sizeof hash.b);
}

/* ---- keys ---- */

void wire_report_keys_begin(struct cs_keccak *keys)
{
	cs_keccak_init(keys);
	cs_keccak_add(keys, CS_BYTES_OF(wire_tag(WIRE_TAG_KEYS)->b));
}

void wire_report_keys_add(struct cs_keccak *keys, const struct wire_report_key *key)
{
	const struct cs_hash words[] = {key->chain, word_u64(key->epoch), key->x,
					wire_word(CS_BYTES_OF(key->gas_address.b))};
	cs_keccak_add(keys, cs_bytes(words, sizeof words));
}
