#include "verify/cometbft/anchor.h"

#include "core/reader.h"
#include "wire/envelope.h"

#include <string.h>

/* Contract 5, its anchors. */
static const uint8_t key_prefix[2] = {5, 'a'};
/* Epoch, counter, digest, and the time of the block that took it. */
#define VALUE_SIZE (8u + 8u + 32u + 8u)

const struct cs_address cmt_register_address = {{[17] = 0xca, [18] = 0x15, [19] = 0x04}};

struct cs_hash cmt_anchor_digest(const struct cs_hash *own, const struct cmt_anchor *anchor)
{
	uint8_t memory[7 * 32];
	struct cs_buf preimage;
	cs_buf_init(&preimage, memory, sizeof memory);
	cs_put_word(&preimage, wire_tag(WIRE_TAG_ANCHOR));
	cs_put_word(&preimage, own);
	cs_put_word(&preimage, &anchor->lineage);
	cs_put_word(&preimage, &anchor->identity);
	cs_put_word_u64(&preimage, anchor->epoch);
	cs_put_word_u64(&preimage, anchor->counter);
	cs_put_word(&preimage, &anchor->digest);
	return cs_keccak256(cs_buf_view(&preimage));
}

void cmt_anchor_key(uint8_t key[CMT_ANCHOR_KEY_SIZE], const struct cmt_anchor *anchor)
{
	memcpy(key, key_prefix, sizeof key_prefix);
	memcpy(key + sizeof key_prefix, anchor->lineage.b, 32);
	memcpy(key + sizeof key_prefix + 32, anchor->identity.b, 32);
}

static enum cs_err read_value(struct cmt_anchor *anchor, struct cs_bytes value)
{
	struct cs_reader reader;
	struct cmt_anchor read = *anchor;
	if (value.n != VALUE_SIZE)
		return CS_ERR_MALFORMED;
	cs_reader_init(&reader, value);
	read.epoch = cs_get_u64(&reader);
	read.counter = cs_get_u64(&reader);
	cs_get_copy(&reader, read.digest.b, sizeof read.digest.b);
	*anchor = read;
	return CS_OK;
}

enum cs_err cmt_anchor_lookup(bool *found, struct cmt_anchor *anchor,
			      const struct cs_hash *app_hash, struct cs_bytes proof)
{
	uint8_t key[CMT_ANCHOR_KEY_SIZE];
	struct cs_bytes value;
	bool exists;
	cmt_anchor_key(key, anchor);
	CS_TRY(cmt_ics23_lookup(&exists, &value, &cmt_ics23_smt, app_hash, proof,
				CS_BYTES_OF(key)));
	if (exists)
		CS_TRY(read_value(anchor, value));
	*found = exists;
	return CS_OK;
}
