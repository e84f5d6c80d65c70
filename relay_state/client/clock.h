/* The untrusted half of an enclave's fresh time and of its anchor (docs/protocol/time.md): it carries
 * nonces to the nodes of the bridge's ledger and their answers back, follows the ledger with the
 * enclave's light client, shows it what the ledger says of its anchor, and has new anchors written.
 * Nothing that it does is believed: without it the enclave has no time, and signs nothing. */
#ifndef RELAY_STATE_CLIENT_CLOCK_H
#define RELAY_STATE_CLIENT_CLOCK_H

#include "core/arena.h"
#include "host/enclave_session.h"
#include "host/manifest.h"
#include "host/service_config.h"
#include "relay_state/client/writer.h"

struct ledger_clock;

/* As AnchorStatus.state of wire/enclave.proto. */
enum ledger_anchor_state {
	LEDGER_ANCHOR_NOT_PROVEN = 0,
	LEDGER_ANCHOR_PROVEN = 1,
	LEDGER_ANCHOR_KEYS = 2, /* the state that holds the newest key is not anchored yet */
	LEDGER_ANCHOR_ROLLED_BACK = 3,
};

/* Every function gets ctx. */
struct ledger_clock_ops {
	/* The enclave answers. */
	bool (*ready)(void *ctx);
	/* To the enclave, of a body that is encoded: as host_enclave_session_send. */
	enum cs_err (*send)(void *ctx, enum wire_type type, struct cs_bytes body,
			    host_enclave_done *done, void *done_ctx);
	/* The enclave's state is to be sealed and stored: then ledger_clock_stored. */
	void (*seal)(void *ctx);
	/* There is an anchor to be written: ledger_clock_send in the account's turn. */
	void (*kick)(void *ctx);
	/* Whether the enclave signs, or why not, has changed. */
	void (*changed)(void *ctx);
	/* The first proof since the state came back: keys that are missing may be made. */
	void (*proven)(void *ctx);
	/* In the writer that ledger_clock_announce was called in: the next start's config.announcement. */
	enum cs_err (*keep)(void *ctx, struct cs_bytes announcement);
	/* The register was told, or refused: what was kept goes. */
	void (*told)(void *ctx);
};

struct ledger_clock_config {
	struct ledger_client *client; /* NULL: none is configured */
	const struct host_manifest_ledger *manifest;
	const struct host_ledger_config *ledger; /* they live longer */
	struct cs_bytes announcement;            /* that was kept; copied. NONE: there is none */
	uint64_t anchor_kind, rotation_kind;     /* of transactions */
	struct cs_arena *scratch; /* the caller's; rewound before each callback ends */
	const struct ledger_clock_ops *ops;
	void *ctx;
};

/* *clock is NULL where the manifest's time is the host's: every function below that says so takes it.
 * MISSING_FIELD, INVALID: it is a ledger's, and none or another one is configured. */
CS_NODISCARD enum cs_err ledger_clock_new(struct ledger_clock **clock, struct host_loop *loop,
					  const struct ledger_clock_config *config,
					  struct cs_why *why);
/* After the client is freed. What waits ends without its callback. NULL is allowed. */
void ledger_clock_free(struct ledger_clock *clock);

/* ---- what the session tells; NULL is allowed ---- */
void ledger_clock_hello(struct ledger_clock *clock, const Caisson__Wire__HelloReply *hello);
void ledger_clock_up(struct ledger_clock *clock);
void ledger_clock_down(struct ledger_clock *clock);
/* The sealed state that is on disk now: what came back at the start, and each that was stored. */
void ledger_clock_stored(struct ledger_clock *clock, struct cs_bytes sealed);
/* The register of enclaves is told of the successor that this rotation announces, after a crash too: in the writer that
 * writes the rotation down. Fails as `keep`. */
CS_NODISCARD enum cs_err ledger_clock_announce(struct ledger_clock *clock,
					       const Caisson__Wire__RotateReply *reply);

/* The block of the ledger under which the enclave took its last proof of the anchor; 0: none yet. */
uint64_t ledger_clock_proof_height(const struct ledger_clock *clock);

/* ---- the account that writes; NULL: nothing is to be written ---- */
/* Sends the anchor, or an announcement. NOT_FOUND: there is none to send; else as ledger_writer_send. */
CS_NODISCARD enum cs_err ledger_clock_send(struct ledger_clock *clock,
					   struct ledger_writer *writer);
/* What became of a transaction of these kinds, of an earlier process too. */
void ledger_clock_ended(struct ledger_clock *clock, const struct ledger_report *report);

/* ---- what others ask ---- */
/* A request that brings what may have expired: sent to the enclave once a nonce that covers it was
 * answered. NO_TIME: no quorum of the nodes answered. On failure done is not called. */
CS_NODISCARD enum cs_err ledger_clock_call(struct ledger_clock *clock, enum wire_type type,
					   const ProtobufCMessage *message, host_enclave_done *done,
					   void *ctx);
/* The enclave signs, as far as it is known. NULL: true, the time is the host's. */
bool ledger_clock_signs(const struct ledger_clock *clock);
/* Why not, for people; NULL: it signs. */
const char *ledger_clock_trouble(const struct ledger_clock *clock);
/* The enclave gives out its sealed state. NULL: true. */
bool ledger_clock_seals(const struct ledger_clock *clock);
/* Does the enclave want to know of such a request how late it came? NULL: false. */
bool ledger_clock_wants(const struct ledger_clock *clock, enum wire_type type);

#endif
