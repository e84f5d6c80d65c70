/* What the enclave holds between requests, and the words that its files share. Private to enclave/. */
#ifndef ENCLAVE_STATE_H
#define ENCLAVE_STATE_H

#include "core/sig.h"
#include "enclave/enclave.h"
#include "enclave/tee.h"
#include "verify/evm/gateway.h"
#include "verify/evm/light_client.h"
#include "wire/convert.h"
#include "wire/envelope.h"

/* Statement keys of one chain that are held at a time: the one in use, its successor, and two that
 * still overlap. 16 chains of 4 are the 64 keys of the schema. */
#define ENCLAVE_EPOCHS_MAX 4u
/* Keys of one remote that are remembered; a contract has rarely more than two in force. */
#define ENCLAVE_REMOTE_EPOCHS_MAX 4u
/* The bound of the schema for sealed state: seven chains of the largest, usually. */
#define ENCLAVE_SEALED_SIZE_MAX (1024u * 1024)
/* A request of 2 MiB decoded, a transaction of 1 MiB in three copies, ancestors, and the reply's
 * copies. */
#define ENCLAVE_ARENA_SIZE (16u * 1024 * 1024)
#define ENCLAVE_BUILD_SIZE_MAX 64u
/* Bodies of requests that one nonce covers: more than a gateway has under way. */
#define ENCLAVE_CLOCK_INPUTS_MAX 64u
/* Keys that secrets are sealed to: the newest, and the one before it for what was on its way. */
#define ENCLAVE_BOXES_MAX 2u

struct enclave_key {
	uint64_t epoch;
	struct cs_hash x;
	bool insecure; /* made under an insecure flag: signs under the insecure domain for ever */
};

struct enclave_remote_key {
	uint64_t epoch;
	uint64_t height; /* of the own chain, where it was read: an older view never replaces it */
	struct wire_key key;
};

/* Of manifest_chain.remotes at the same index. */
struct enclave_remote {
	size_t key_count;
	struct enclave_remote_key keys[ENCLAVE_REMOTE_EPOCHS_MAX]; /* ascending epochs */
};

struct enclave_chain {
	const struct manifest_chain *manifest;
	struct verify_client client;
	const char *held;                            /* why the manifest does not lift the freeze
							that was sealed; NULL: none was */
	size_t key_count;                            /* 0: Init has not been asked for */
	struct enclave_key keys[ENCLAVE_EPOCHS_MAX]; /* ascending epochs */
	struct enclave_key evicted;                  /* by the key just made; epoch 0: none */
	uint64_t epoch_current;                      /* signs when a request names none */
	struct cs_address gas_address;
	struct enclave_remote remotes[CS_MANIFEST_REMOTES_MAX];
};

/* X25519 (docs/protocol/oracle.md section 7). */
struct enclave_box {
	uint64_t epoch;
	struct cs_hash x;
};

struct enclave_chain_secrets {
	struct cs_secret
		statement[ENCLAVE_EPOCHS_MAX]; /* of enclave_chain.keys at the same index */
	struct cs_secret evicted;              /* of enclave_chain.evicted */
	struct cs_secret gas;
	/* The last key that signed, made ready; of the public key `signer_x`. Never sealed. */
	struct cs_hash signer_x;
	struct cs_signer signer;
};

struct enclave_secrets {
	struct cs_secret seal_root;
	struct enclave_chain_secrets chains[CS_MANIFEST_CHAINS_MAX];
	struct cs_secret boxes[ENCLAVE_BOXES_MAX]; /* of enclave.boxes at the same index */
	uint8_t scratch[ENCLAVE_SEALED_SIZE_MAX];  /* the state in the clear, while it is sealed or
						     opened */
};

/* Fresh time by nonce (docs/protocol/time.md), of this process alone. */
struct enclave_inputs {
	size_t count;
	struct cs_hash hashes[ENCLAVE_CLOCK_INPUTS_MAX];
};
struct enclave_clock {
	struct verify_clock nonces;
	struct enclave_inputs inputs;  /* that were there when the newest nonce was made */
	struct enclave_inputs covered; /* … the one that was answered last */
};

/* How far the sealed state is, and how far the ledger knows it to be. */
struct enclave_anchor {
	/* Sealed. */
	struct cs_hash
		identity; /* under which chain's identity it is anchored; zero: before Init */
	uint64_t epoch;
	uint64_t keys_counter; /* of the sealed state that first held the newest key */
	/* Of this process. */
	bool fresh;       /* keys and state were made by it */
	bool checked;     /* a proof said that no newer anchor is there */
	bool rolled_back; /* a proof said that one is: nothing is signed or sealed any more */
	uint64_t proven_epoch;
	uint64_t proven_counter;
	uint64_t proof_height;
	uint64_t proof_time_s;
	struct {
		uint64_t counter; /* 0: none */
		struct cs_hash digest;
	} sealed[MANIFEST_ANCHOR_LAG_MAX]; /* states, by counter */
};

struct enclave {
	enum enclave_role role;
	struct manifest manifest;
	struct cs_hash measurement;
	uint64_t insecure_flags;
	const struct tee *tee;
	char build[ENCLAVE_BUILD_SIZE_MAX + 1];
	bool (*random)(void *p, size_t n);
	int (*probe)(uint32_t what);
	enum cs_err (*box_make)(struct cs_secret *secret, struct cs_hash *x);
	struct enclave_door door;
	struct cs_sig *sig;
	struct enclave_secrets *secrets;
	size_t chain_count;
	struct enclave_chain chains[CS_MANIFEST_CHAINS_MAX]; /* those that are served */
	/* What the first of an oracle's chains is: the oracle itself, which signs and has no light
	 * client. The others are those of its contracts, which have no keys. */
	struct manifest_chain self;
	/* The last of them where the manifest takes its time from a ledger, else NULL. It has a light
	 * client, no keys and no remotes. */
	struct enclave_chain *ledger;
	struct enclave_clock clock;
	struct enclave_anchor anchor;
	size_t box_count;
	struct enclave_box boxes[ENCLAVE_BOXES_MAX]; /* ascending epochs */
	bool greeted;                                /* hello was answered on this connection */
	bool started;          /* Init or Import was done: no Import any more */
	uint64_t counter;      /* of sealed states, rises with each */
	uint64_t time_low_s;   /* of what was verified: sealed */
	uint64_t clock_low_s;  /* of what the shell said: of this process alone */
	struct cs_arena arena; /* of one request */
};

/* Who asks over a connection of the attested port: anybody. */
struct enclave_visitor {
	bool greeted; /* hello was answered on the connection */
	/* The connection's binding under a nonce, for evidence: where this end is who speaks. */
	enum cs_err (*bind)(void *context, const struct cs_hash *nonce,
			    struct wire_report_tls *tls);
	void *context;
};

/* One request on its way. */
struct enclave_call {
	struct enclave *e;
	struct enclave_visitor *visitor; /* NULL: the host asks */
	struct verify_time now;
	const ProtobufCMessage *request;
	struct cs_buf *reply;
	struct cs_why why;
};

/* ---- shared ---- */

/* One with a light client; NOT_IN_MANIFEST. */
CS_NODISCARD enum cs_err enclave_chain_find(struct enclave_call *call, struct enclave_chain **chain,
					    ProtobufCBinaryData identity);
/* Has it a light client? All but the oracle itself. */
static inline bool enclave_chain_is_real(const struct enclave_chain *chain)
{
	return chain->manifest->finality.mode != 0;
}
/* Has it keys? Every chain of a bridge, of an oracle the oracle itself. */
static inline bool enclave_chain_signs(const struct enclave *e, const struct enclave_chain *chain)
{
	return e->role == ENCLAVE_BRIDGE ? chain != e->ledger : !enclave_chain_is_real(chain);
}
/* Does it prove its state by ICS-23, and no events? */
static inline bool enclave_chain_is_ledger(const struct enclave_chain *chain)
{
	return chain->manifest->finality.mode == MANIFEST_COMETBFT;
}
/* Index among the chain's remotes; NOT_IN_MANIFEST. */
CS_NODISCARD enum cs_err enclave_remote_find(struct enclave_call *call, size_t *index,
					     const struct enclave_chain *chain,
					     ProtobufCBinaryData identity);
struct enclave_chain_secrets *enclave_secrets_of(struct enclave *e,
						 const struct enclave_chain *chain);
/* NO_TIME: nothing bounds the time from above, so nothing may be signed. */
CS_NODISCARD enum cs_err enclave_time_check(struct enclave_call *call);
/* NO_TIME, and where the time is a ledger's: ROLLED_BACK (the ledger knows a newer state),
 * NOT_ANCHORED (it has not shown lately how far the state is, or keys are newer than that). */
CS_NODISCARD enum cs_err enclave_may_sign(struct enclave_call *call);
/* A state may be given out that is newer than all before. ROLLED_BACK, NOT_ANCHORED. */
CS_NODISCARD enum cs_err enclave_may_seal(struct enclave_call *call);
/* Under which identity the state of a new enclave is anchored. */
static inline struct cs_hash enclave_own_identity(const struct enclave *e)
{
	return e->chains[0].manifest->identity;
}
/* That state was sealed, or opened. */
void enclave_anchor_keep(struct enclave *e, uint64_t counter, struct cs_bytes sealed);
/* NULL where there is no ledger; in the arena. */
CS_NODISCARD enum cs_err enclave_anchor_to_pb(struct enclave_call *call,
					      Caisson__Wire__AnchorStatus **pb);
/* CRYPTO when there is no randomness. */
CS_NODISCARD enum cs_err enclave_random(const struct enclave *e, void *p, size_t n);
/* Views of the nodes and the large last one, in the arena. INVALID for an ICS-23 proof. */
CS_NODISCARD enum cs_err enclave_nodes(struct enclave_call *call, struct verify_nodes *nodes,
				       const Caisson__Wire__ProofNodes *pb);
/* What the chain's light client says, in the arena. */
CS_NODISCARD enum cs_err enclave_client_to_pb(struct enclave_call *call,
					      Caisson__Wire__ClientStatus *pb,
					      const struct enclave_chain *chain);
/* Fills an array of pointers for a repeated field, all in the arena. */
CS_NODISCARD enum cs_err enclave_clients_to_pb(struct enclave_call *call, size_t *count,
					       Caisson__Wire__ClientStatus ***pb);
CS_NODISCARD enum cs_err enclave_reply(struct enclave_call *call, const ProtobufCMessage *message);
/* Answers a visitor's request in the middle of the host's `outer`, as enclave_step does: what memory it
 * takes is outer's, reply has room for PORT_REPLY_SIZE_MAX. */
enum wire_type enclave_step_visitor(const struct enclave_call *outer,
				    struct enclave_visitor *visitor, enum wire_type type,
				    struct cs_bytes request, struct cs_buf *reply);
/* What report data of this enclave says beside the key that it speaks for and why it is fresh. */
struct wire_report enclave_report(const struct enclave *e);
/* What statements of remotes must be signed under, as the own ones are: never both. */
enum wire_domain enclave_domain(const struct enclave *e);

/* ---- blocks ---- */

struct enclave_blocks {
	const struct verify_client *client;
	const struct verify_block *ancestors;
	size_t ancestor_count;
};
/* Checks the ancestors that came with the request, if any. */
CS_NODISCARD enum cs_err enclave_blocks_open(struct enclave_call *call,
					     struct enclave_blocks *blocks,
					     const struct enclave_chain *chain,
					     const ProtobufCBinaryData *headers, size_t count);
CS_NODISCARD enum cs_err enclave_blocks_find(struct enclave_call *call, struct verify_block *block,
					     const struct enclave_blocks *blocks, uint64_t height);

/* ---- the gateway in a block ---- */

struct enclave_gateway {
	bool is_ledger;
	struct cs_hash root; /* of its storage; of a ledger the application hash */
};
/* The chain's gateway, with its code (account: of EVM chains alone, else empty or NULL) and its
 * sentinel. */
CS_NODISCARD enum cs_err enclave_gateway_at(struct enclave_call *call,
					    struct enclave_gateway *gateway,
					    const struct enclave_chain *chain,
					    const struct verify_block *block,
					    const Caisson__Wire__ProofNodes *account,
					    const Caisson__Wire__ProofNodes *sentinel);
/* As verify_evm_gateway_status and verify_evm_gateway_key, or their twins of a ledger; INVALID and
 * MISSING_FIELD for the other kind's proof. */
CS_NODISCARD enum cs_err enclave_gateway_status(struct enclave_call *call, enum wire_status *status,
						const struct enclave_gateway *gateway,
						const struct cs_hash *source, uint64_t sequence,
						const Caisson__Wire__ProofNodes *pb);
CS_NODISCARD enum cs_err enclave_gateway_key(struct enclave_call *call, struct wire_key *key,
					     const struct enclave_gateway *gateway,
					     const struct cs_hash *remote, uint64_t epoch,
					     const Caisson__Wire__ProofNodes *x_pb,
					     const Caisson__Wire__ProofNodes *window_pb);
/* Of a ledger: the message was sent. NOT_FOUND: it is proven that it was not. */
CS_NODISCARD enum cs_err enclave_gateway_sent(struct enclave_call *call,
					      const struct enclave_gateway *gateway,
					      const struct cs_hash *message_id,
					      const Caisson__Wire__ProofNodes *pb);

/* ---- keys ---- */

/* A fresh key of the epoch at the end of the list; where that was full the oldest goes, and is kept
 * aside until enclave_key_settle. Nothing has changed on failure. */
CS_NODISCARD enum cs_err enclave_key_make(struct enclave *e, struct enclave_chain *chain,
					  uint64_t epoch, struct cs_why *why);
/* Takes the newest key away again, and puts back the one that made room for it. */
void enclave_key_drop(struct enclave *e, struct enclave_chain *chain);
/* The newest key stays: what made room for it is wiped. */
void enclave_key_settle(struct enclave *e, struct enclave_chain *chain);
CS_NODISCARD enum cs_err enclave_gas_key_make(struct enclave *e, struct enclave_chain *chain);
/* Accounts of a chain's pool. */
#define ENCLAVE_GAS_ACCOUNTS_MAX 16u
/* One of the pool (docs/protocol/boundary.md, Gas accounts): 0 is the gas key itself, what follows is
 * derived from it and nowhere kept. The key is the caller's to wipe, in locked memory. INVALID: an index
 * out of range; CRYPTO. The chain has keys. */
CS_NODISCARD enum cs_err enclave_gas_account(struct enclave *e, struct cs_secret *key,
					     struct cs_address *address,
					     const struct enclave_chain *chain, uint32_t index);
/* The first `count` of every chain that has gas keys, in the arena. */
CS_NODISCARD enum cs_err enclave_gas_pools_to_pb(struct enclave_call *call, uint32_t count,
						 Caisson__Wire__PublicKeysReply *pb);
void enclave_keys_wipe(struct enclave *e, struct enclave_chain *chain);
CS_NODISCARD enum cs_err enclave_keys_to_pb(struct enclave_call *call, size_t *count,
					    Caisson__Wire__KeyInfo ***pb);
/* H of all keys: what the report data binds. */
struct cs_hash enclave_keys_hash(const struct enclave *e);
/* Signs with the epoch (0: the current one); naming a newer one makes it current. NO_KEY,
 * WRONG_EPOCH. */
CS_NODISCARD enum cs_err enclave_sign_statement(struct enclave_call *call, struct wire_signed *out,
						struct enclave_chain *chain, enum wire_kind kind,
						const struct cs_hash *receiver, uint64_t epoch,
						const struct cs_hash *leaves, size_t count);
/* With a key of the chain, over any digest of a tag of its own: where it may sign. */
CS_NODISCARD enum cs_err enclave_sign_digest(struct enclave_call *call, struct cs_schnorr *out,
					     const struct enclave_chain *chain,
					     const struct enclave_key *key,
					     const struct cs_hash *digest);
/* The same without asking whether it may. */
CS_NODISCARD enum cs_err enclave_sign_raw(struct enclave_call *call, struct cs_schnorr *out,
					  const struct enclave_chain *chain,
					  const struct enclave_key *key,
					  const struct cs_hash *digest);
/* NULL: no such epoch. */
const struct enclave_key *enclave_key_of(const struct enclave_chain *chain, uint64_t epoch);

/* Under which name the keys for secrets are listed: H( TAG("caisson/identity/oracle/secrets/v1") ‖
 * lineage ). */
struct cs_hash enclave_box_identity(const struct enclave *e);
/* A key of the next epoch; the oldest goes when there are too many. */
CS_NODISCARD enum cs_err enclave_box_make(struct enclave *e);
void enclave_boxes_wipe(struct enclave *e);

/* ---- sealed state ---- */

/* What the state of all served chains can need at most: enclave_init refuses to serve so many that
 * this is above ENCLAVE_SEALED_SIZE_MAX, because a state that cannot be sealed is lost. */
size_t enclave_sealed_size_max(const struct enclave *e);
/* The whole state, sealed, in the arena; the counter has risen. */
CS_NODISCARD enum cs_err enclave_seal(struct enclave_call *call, struct cs_bytes *sealed);
/* WRONG_LINEAGE, UNLISTED_BUILD, SEAL_BROKEN, ROLLED_BACK, CONFLICT. Nothing has changed on
 * failure. */
CS_NODISCARD enum cs_err enclave_unseal(struct enclave_call *call, struct cs_bytes sealed);
/* An empty client for the chain at the place that belongs to it. */
CS_NODISCARD enum cs_err enclave_client_open(struct enclave *e, struct enclave_chain *chain,
					     struct cs_why *why);

/* The time of a request whose input does not expire: `now` is the host's clock, and counts where the
 * manifest says so. */
struct verify_time enclave_time_of(struct enclave *e, const struct verify_time *now);
/* The time of a request that brings what may have expired: bounded from above only where its body was
 * there before the newest nonce that was answered. */
struct verify_time enclave_time_of_input(struct enclave *e, const struct verify_time *now,
					 struct cs_bytes body);
/* Which nonce, counted from 1, is the first that is made after what is there now; and whether it, or
 * a later one, was answered: then the newest answer says how late that came. Where the time is the
 * host's nothing has to be waited for. */
static inline uint64_t enclave_clock_next(const struct enclave *e)
{
	return e->clock.nonces.made + 1;
}
static inline bool enclave_clock_covers(const struct enclave *e, uint64_t nonce)
{
	return e->ledger == NULL || e->clock.nonces.answered >= nonce;
}
/* How long what was fetched waits for such an answer. */
#define ENCLAVE_CLOCK_WAIT_MS 5000u
/* Nonces of before, and what was answered to them, do not count any more. */
void enclave_clock_reset(struct enclave *e);
/* What is not printable ASCII becomes '?', at most size - 1 bytes of it: a reason may quote what came
 * from outside. */
void enclave_printable(char *out, size_t size, const char *text);
/* A refusal's reply, in the place of whatever the buffer holds. */
enum wire_type enclave_refuse(struct cs_buf *reply, enum cs_err err, const struct cs_why *why);

/* ---- requests: one function each, called by dispatch.c ---- */

CS_NODISCARD enum cs_err enclave_hello(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_init_keys(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_export(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_import(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_client_create(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_client_update(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_conflict(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_sign_messages(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_sign_outcomes(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_learn_key(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_sign_transaction(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_rotate(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_public_keys(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_status(struct enclave_call *call);
/* What a host brings of the register about a remote's key. */
struct enclave_registration {
	struct cs_hash x;
	struct cs_hash identity; /* the remote's */
	uint64_t epoch;
	uint64_t height; /* of the ledger's block */
	const struct cs_bytes *proofs;
	size_t proof_count;
};
/* OK where the manifest asks for none. MISSING_FIELD: no proofs; STALE_HEADER: older than what was shown of
 * the own anchor; WRONG_KEY: another remote's or epoch's; the errors of verify_client_block,
 * cmt_registration_prove and cmt_registration_check; NO_TIME. */
CS_NODISCARD enum cs_err enclave_registration_check(struct enclave_call *call,
						    const struct enclave_registration *given);
CS_NODISCARD enum cs_err enclave_clock_ask(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_clock_answers(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_anchor_prove(struct enclave_call *call);
CS_NODISCARD enum cs_err enclave_anchor_sign(struct enclave_call *call);

#endif
