/* What a chain tells, into the journal of a host process: every callback of the adapter is one writer
 * and nothing else, and the cursor is written behind the blocks that it stands for. What a block's
 * events and a reorganisation mean is the owner's. */
#ifndef ADAPTERS_LISTEN_H
#define ADAPTERS_LISTEN_H

#include "adapters/follow.h"
#include "adapters/owner.h"
#include "host/manifest.h"
#include "host/service_config.h"

/* context: the owner's chain. */
struct adapter_listen_ops {
	/* Inside a writer: the block's events. */
	enum cs_err (*block)(void *context, const struct adapter_block *block);
	/* Inside a writer: what was written of blocks at and above this height, as if they had not
	 * been. */
	enum cs_err (*undo)(void *context, uint64_t from);
	/* Inside a writer: what the chain's nodes are to be handed. NULL: it is not wanted. */
	enum cs_err (*evidence)(void *context, const struct adapter_evidence *evidence);
	/* Small things by name. NOT_FOUND; the bytes in the arena of `follow`. */
	enum cs_err (*get)(void *context, const char *name, struct cs_bytes *value);
	/* Inside a writer. */
	enum cs_err (*put)(void *context, const char *name, struct cs_bytes value);
};

/* All the owner's to fill in. */
struct adapter_listen {
	const struct adapter_listen_ops *ops;
	const struct adapter_owner *owner;
	void *context;
	struct adapter_follow *follow;
	const struct host_chain_config *config;
	const struct host_manifest_chain *manifest;
	const char *identity_hex;
};

/* Of one kind: what a manifest may name. */
#define ADAPTER_CONTRACTS_MAX 16

/* Whose events are wanted. */
struct adapter_contracts {
	struct cs_address gateway; /* zero: none */
	struct cs_address oracles[ADAPTER_CONTRACTS_MAX];
	size_t oracle_count;
	struct cs_address feeds[ADAPTER_CONTRACTS_MAX];
	size_t feed_count;
};

/* Makes and starts the adapter of the chain's kind where the journal's cursor is; blocks above a
 * conflict that the manifest has decided are read again, once. *adapter is set as soon as there is one
 * (one that is there already, of adapter_listen_make, is taken),
 * with the follow's. UNSUPPORTED: oracles and feeds on a chain without. */
CS_NODISCARD enum cs_err adapter_listen_start(struct adapter_listen *listen,
					      struct adapter **adapter, struct host_loop *loop,
					      const struct adapter_contracts *contracts,
					      struct cs_why *why);

/* Another adapter of the same chain by another configuration, which nobody has begun: for
 * adapter_listen_exchange, or adapter_free. */
CS_NODISCARD enum cs_err adapter_listen_make(struct adapter_listen *listen,
					     const struct host_chain_config *config,
					     struct host_loop *loop,
					     const struct adapter_contracts *contracts,
					     struct adapter **adapter, struct cs_why *why);
/* Ends *adapter (what is open is answered with CLOSED), and begins with `next` where the journal's
 * cursor is. Not inside a callback of the adapter. An error is the journal's: nothing is watched. */
CS_NODISCARD enum cs_err adapter_listen_exchange(struct adapter_listen *listen,
						 struct adapter **adapter, struct adapter *next);

#endif
