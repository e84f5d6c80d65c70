/* The files of a node under CometBFT's names and in CometBFT's formats: genesis.json,
 * priv_validator_key.json, node_key.json. Read strictly, written whole or not at all; keys are
 * readable by their owner alone. */
#ifndef NODE_CHAIN_FILES_H
#define NODE_CHAIN_FILES_H

#include "host/cometbft_values.h"
#include "relay_state/bft/state.h"

/* A genesis with an application's state of some size. */
#define NODE_GENESIS_SIZE_MAX (16u * 1024 * 1024)
#define NODE_KEY_FILE_SIZE_MAX 4096u
#define NODE_NAME_SIZE_MAX 70u
#define NODE_PATH_SIZE_MAX 1024u

struct node_genesis {
	struct cmt_chain_id chain_id;
	struct cs_pb_time time;
	int64_t initial_height;
	struct cmt_params params;
	size_t count; /* 0: the application names them in InitChain */
	struct cmt_validator validators[BFT_VALIDATORS_MAX];
	char names[BFT_VALIDATORS_MAX][NODE_NAME_SIZE_MAX + 1];
	size_t app_hash_size;
	uint8_t app_hash[CMT_APP_HASH_SIZE_MAX];
	char *app_state; /* JSON on one line, owned; NULL: none */
	/* SHA-256 of the JSON below on one line: of one chain at every node, and kept with its data. */
	struct cs_hash hash;
};

/* The first sentence that is wrong is in `why`, with the file's name: IO, TOO_LARGE, MALFORMED,
 * MISSING_FIELD, INVALID, UNSUPPORTED (keys that are not Ed25519). Freed by node_genesis_done. */
CS_NODISCARD enum cs_err node_genesis_load(struct node_genesis *genesis, const char *path,
					   struct cs_why *why);
/* From text in memory; nothing is allocated on failure. */
CS_NODISCARD enum cs_err node_genesis_parse(struct node_genesis *genesis, struct cs_bytes text,
					    struct cs_why *why);
void node_genesis_done(struct node_genesis *genesis);
/* As the RPC shows it and the file holds it. */
json_t *node_genesis_json(const struct node_genesis *genesis);
json_t *node_params_json(const struct cmt_params *params);

struct node_key {
	struct cs_secret secret;
	struct cs_ed25519_key key;
	struct cs_address address; /* the validator's, or of a node key its id */
};

/* CRYPTO, IO (no randomness). */
CS_NODISCARD enum cs_err node_key_make(struct node_key *key, struct cs_why *why);
/* Both forms: node_key.json has the private key alone. FORBIDDEN: others may read the file; INVALID:
 * parts that do not belong together. */
CS_NODISCARD enum cs_err node_key_load(struct node_key *key, const char *path, struct cs_why *why);
/* From text in memory, whose owner wipes it. */
CS_NODISCARD enum cs_err node_key_parse(struct node_key *key, struct cs_bytes text,
					struct cs_why *why);
/* Mode 0600; CONFLICT when the file is there. is_validator: CometBFT's file of a validator. */
CS_NODISCARD enum cs_err node_key_save(const struct node_key *key, const char *path,
				       bool is_validator, struct cs_why *why);
/* Lower-case hex of the address, as CometBFT writes a node's id. */
#define NODE_ID_SIZE 41u
void node_id_text(char text[NODE_ID_SIZE], const struct cs_address *id);

/* Written beside, synced, and linked under the name: CONFLICT when it is there, IO. */
CS_NODISCARD enum cs_err node_file_make(const char *path, struct cs_bytes bytes, unsigned mode,
					struct cs_why *why);
/* "folder/name"; longer than NODE_PATH_SIZE_MAX: TOO_LARGE. */
CS_NODISCARD enum cs_err node_path(char path[NODE_PATH_SIZE_MAX], const char *folder,
				   const char *name, struct cs_why *why);

#endif
