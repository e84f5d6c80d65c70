/* Any text as a genesis and as a key file. A genesis that is taken is written again to one that is
 * the same, by the same hash; a key that is taken is the one of its secret. */
#include "relay_state/node/chain_files.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void as_genesis(struct cs_bytes text)
{
	struct node_genesis genesis, again;
	struct cs_why why = {{0}};
	fuzz_fill(&genesis, sizeof genesis);
	if (node_genesis_parse(&genesis, text, &why) != CS_OK) {
		fuzz_untouched(&genesis, sizeof genesis);
		cs_assert(why.text[0] != 0);
		return;
	}
	json_t *root = node_genesis_json(&genesis);
	char *line = cometbft_json_dump(root, 0);
	cs_assert(node_genesis_parse(&again, cs_bytes_str(line), &why) == CS_OK);
	cs_assert(cs_hash_eq(&genesis.hash, &again.hash));
	cs_assert(genesis.count <= BFT_VALIDATORS_MAX && genesis.initial_height >= 1);
	free(line);
	json_decref(root);
	node_genesis_done(&genesis);
	node_genesis_done(&again);
}

static void as_key(struct cs_bytes text)
{
	struct node_key key;
	struct cs_ed25519_key is;
	struct cs_why why = {{0}};
	fuzz_fill(&key, sizeof key);
	if (node_key_parse(&key, text, &why) != CS_OK) {
		fuzz_untouched(&key, sizeof key);
		cs_assert(why.text[0] != 0);
		return;
	}
	cs_assert(cs_ed25519_public(&is, &key.secret) == CS_OK);
	cs_assert(memcmp(is.b, key.key.b, sizeof is.b) == 0);
	struct cs_address address = cmt_address(&is);
	cs_assert(cs_address_eq(&address, &key.address));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	as_genesis(cs_bytes(data, size));
	if (size <= NODE_KEY_FILE_SIZE_MAX)
		as_key(cs_bytes(data, size));
	return 0;
}
