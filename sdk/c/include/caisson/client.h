/* Sends messages and tokens through a Caisson gateway, watches them, and verifies what the enclaves
 * signed without asking anybody. Believes no gateway where it verifies, logs nothing, and keeps no
 * state outside its handles.
 *
 * Every answer is the gateway's own JSON, by the names of docs/rest.md. Texts are UTF-8 and end with
 * a zero. A handle is used by one thread at a time; different handles by different threads. */
#ifndef CAISSON_CLIENT_H
#define CAISSON_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CAISSON_NODISCARD __attribute__((warn_unused_result))

/* ---- errors ---- */

/* What a caller would do differently about. Every function that can fail returns one of these, and
 * leaves its outputs as they were unless it is CAISSON_OK. */
enum caisson_err {
	CAISSON_OK = 0,
	CAISSON_INVALID,     /* an argument that is never right; nothing was asked */
	CAISSON_REFUSED,     /* the gateway refused, with a problem of RFC 9457 */
	CAISSON_UNREACHABLE, /* no answer: whether the request was taken is not known */
	CAISSON_BAD_REPLY,   /* something answered that is no gateway, or not one of this version */
	CAISSON_TIMED_OUT,   /* what was waited for may still come */
	CAISSON_NOT_PROVEN,  /* the envelope or the evidence does not prove what it says */
	CAISSON_BAD_WEBHOOK, /* no webhook of yours, or not of now: answer 400 and do nothing */
	CAISSON_NO_MEMORY,
};

/* Static, for programs: "refused". "unknown" for a number that is none of them. */
const char *caisson_err_name(enum caisson_err err);

#define CAISSON_CODE_SIZE 40u
#define CAISSON_TEXT_SIZE 320u

/* The caller's memory; written on failure alone. NULL is taken wherever a function asks for one. The
 * API key and secrets of webhooks are in none of its texts. */
struct caisson_error {
	enum caisson_err err;
	int status; /* HTTP, of REFUSED; 0 otherwise */
	bool retry; /* of REFUSED: the same request may succeed later */
	char code
		[CAISSON_CODE_SIZE]; /* of REFUSED: stable, "not-found" (core/err.def); "" otherwise */
	char text[CAISSON_TEXT_SIZE]; /* for people; cut when too long */
};

/* ---- answers ---- */

/* A JSON document of a gateway. Whoever gets one frees it; views into it live as long as it does. */
struct caisson_answer;

/* NULL is allowed. */
void caisson_answer_free(struct caisson_answer *answer);
/* The whole document as text on one line, for free(). NULL: no memory. */
CAISSON_NODISCARD char *caisson_answer_json(const struct caisson_answer *answer);
/* path: names of members and indices of arrays with slashes between, "steps/4/tx"; "" is the whole
 * document. NULL where there is no such thing or it is no text. */
const char *caisson_answer_text(const struct caisson_answer *answer, const char *path);
/* False where there is no such thing or it is no number from 0 to 2^63 - 1; *value stays then. */
CAISSON_NODISCARD bool caisson_answer_number(const struct caisson_answer *answer, const char *path,
					     uint64_t *value);
/* Whether the value is there and is `true`. */
bool caisson_answer_is_true(const struct caisson_answer *answer, const char *path);
/* Whether there is something that is not null. */
bool caisson_answer_has(const struct caisson_answer *answer, const char *path);
/* Elements of an array; 0 for anything else. */
size_t caisson_answer_count(const struct caisson_answer *answer, const char *path);

/* ---- a gateway ---- */

struct caisson_gateway;

/* Zeros mean the default in brackets. */
struct caisson_options {
	const char *url;     /* http or https, without user, password, query */
	const char *api_key; /* copied; wiped by caisson_gateway_free */
	const char *ca_file; /* PEM of the certificates to trust; [the system's] */
	uint32_t timeout_ms; /* for each answer [30,000] */
	/* For so long a request that may be repeated is repeated, while the gateway is away or says
	 * that it is busy; UINT32_MAX: not at all [10,000]. Creating is repeated under one
	 * Idempotency-Key, so that nothing is sent twice. */
	uint32_t patience_ms;
};

/* Asks nobody yet. INVALID: the address or the key cannot be one. */
CAISSON_NODISCARD enum caisson_err caisson_gateway_new(struct caisson_gateway **gateway,
						       const struct caisson_options *options,
						       struct caisson_error *error);
/* By CAISSON_URL and the file that CAISSON_API_KEY_FILE names, as the command line does. INVALID too
 * when one of them is not set, or the file cannot be read or holds no API key: the text says which. */
CAISSON_NODISCARD enum caisson_err
caisson_gateway_from_environment(struct caisson_gateway **gateway, struct caisson_error *error);
/* NULL is allowed. */
void caisson_gateway_free(struct caisson_gateway *gateway);

/* ---- creating ---- */

enum caisson_mode {
	CAISSON_PREPARE = 1, /* the answer has the transactions, for the application to sign */
	CAISSON_SUBMIT,      /* the gateway sends what the application signed: `transaction` */
	CAISSON_SPONSORED,   /* the operator's account sends and pays, if the key may */
};

/* Zeros and NULLs are left out of the request, and the gateway's defaults apply. Amounts are decimal
 * texts in the token's smallest unit, addresses and bytes 0x and hex digits. */
struct caisson_send {
	enum caisson_mode mode;
	const char *to;          /* CAIP-10: "eip155:31338:0x…" */
	const char *from_chain;  /* CAIP-2; needed where the gateway serves several chains */
	const char *from;        /* of PREPARE: the address that will sign */
	const char *transaction; /* of SUBMIT: as eth_sendRawTransaction takes it */
	/* of caisson_send_message: at most 16,384 bytes */
	const void *payload;
	size_t payload_size;
	/* of caisson_transfer; token: default, the chain's of the configuration */
	const char *amount;
	const char *token;
	/* attributes */
	uint64_t deadline; /* Unix seconds on the destination's clock */
	uint64_t min_gas_limit;
	uint8_t finality;      /* confirmations beyond the manifest's rule */
	const char *closer;    /* an account of the destination */
	const char *refund_to; /* an account of the source */
	/* Of your own (1 to 128 characters), where a request must survive even the death of this
	 * process. NULL: 16 random bytes in hex. */
	const char *idempotency_key;
	/* Of W3C Trace Context, as your tracer gives them; the message and its webhooks carry them. A
	 * gateway ignores what is not right. */
	const char *traceparent;
	const char *tracestate;
};

/* POST /v1/messages and POST /v1/transfers. The answer has `request_id`, by which the message is
 * watched, and in mode PREPARE `transactions`. INVALID: no recipient or mode, a member of the other
 * function, a number of attributes above 2^63 - 1, or what no header has; REFUSED: what the gateway says to it. */
CAISSON_NODISCARD enum caisson_err caisson_send_message(struct caisson_gateway *gateway,
							struct caisson_answer **answer,
							const struct caisson_send *send,
							struct caisson_error *error);
CAISSON_NODISCARD enum caisson_err caisson_transfer(struct caisson_gateway *gateway,
						    struct caisson_answer **answer,
						    const struct caisson_send *send,
						    struct caisson_error *error);

/* ---- looking ---- */

/* GET of a route that only looks, with its query: "/v1/chains", "/v1/messages?state=finalized". What
 * comes from elsewhere and goes into the target is the caller's to encode (RFC 3986). INVALID: it
 * does not begin with a slash, or has blanks or characters beyond ASCII. */
CAISSON_NODISCARD enum caisson_err caisson_get(struct caisson_gateway *gateway,
					       struct caisson_answer **answer, const char *target,
					       struct caisson_error *error);
/* GET /v1/messages/{id}, with its eighteen steps. id: the message's, or a request's. side: "source"
 * or "destination", where a gateway has both; NULL otherwise. */
CAISSON_NODISCARD enum caisson_err caisson_message(struct caisson_gateway *gateway,
						   struct caisson_answer **answer, const char *id,
						   const char *side, struct caisson_error *error);
/* GET /v1/messages/{id}/envelope, for caisson_verify_envelope. REFUSED `not-final` before the message
 * is signed. */
CAISSON_NODISCARD enum caisson_err caisson_envelope(struct caisson_gateway *gateway,
						    struct caisson_answer **answer, const char *id,
						    const char *side, struct caisson_error *error);

/* ---- watching ---- */

/* message: as it is now. steps: bit n - 1 is step n, where it happened and was not told before (after
 * a retry some happen again), or, of a message that has ended, was skipped. */
typedef void caisson_on_change(void *context, const struct caisson_answer *message, uint32_t steps);

/* Until the message has ended: look at its state then (finalized, refunded, abandoned,
 * request_failed, request_unknown). on_change (NULL: nobody) is told whenever something changed, and
 * the state as it is at first. Once the message was found, a gateway that goes away is waited for.
 * TIMED_OUT after timeout_ms. */
CAISSON_NODISCARD enum caisson_err caisson_wait(struct caisson_gateway *gateway,
						struct caisson_answer **message, const char *id,
						const char *side, uint64_t timeout_ms,
						caisson_on_change *on_change, void *context,
						struct caisson_error *error);

/* The cursor of now. */
#define CAISSON_CURSOR_NOW UINT64_MAX

/* Called with each event, and with NULL about once a second while there is none; false ends the
 * stream. It may use the gateway's other functions. */
typedef bool caisson_on_event(void *context, const struct caisson_answer *event);

/* GET /v1/events (server-sent events, WHATWG HTML section 9.2): every change of every message after
 * *cursor, in order and without a gap, over gateways that go away and connections that end. *cursor
 * is that of the newest event that was told, on every way out: what to go on from. Ends with OK when
 * on_event says so, REFUSED `conflict` when the journal does not keep the cursor, and with the errors
 * of any request. */
CAISSON_NODISCARD enum caisson_err caisson_events(struct caisson_gateway *gateway, uint64_t *cursor,
						  caisson_on_event *on_event, void *context,
						  struct caisson_error *error);

/* ---- verifying an envelope, offline ---- */

/* The keys are what the proof rests on: take them from the contracts that judge by them, through nodes
 * that you trust (keyOf(signer, epoch)), or pin them. x of a BIP-340 key, 64 hex digits with or
 * without 0x. */
struct caisson_keys {
	const char *key; /* signs for the source's gateway; the destination's contract has it */
	const char *outcome_key; /* signs for the destination's; needed where there is an outcome */
	bool insecure_domain;    /* take what simulated or insecure enclaves signed, too */
	/* A key that is not given is the document's own word, which proves nothing about whose it
	 * is. */
	bool insecure_file_keys;
};

enum caisson_outcome {
	CAISSON_NO_OUTCOME = 0, /* not signed yet */
	CAISSON_DELIVERED = 2,
	CAISSON_DEAD = 3, /* never was, never will be delivered */
};

/* One statement whose signature verified by `key`. */
struct caisson_signed {
	uint8_t key[32];
	uint64_t epoch;
	uint64_t manifest;
	bool insecure; /* under the domain of simulated or insecure enclaves */
};

/* What an envelope proves: the enclave of the source's gateway signed this message as final; and, with
 * an outcome, the enclave of the destination's that it was delivered or is dead for ever.
 * docs/protocol/envelope.md sections 1 to 3. */
struct caisson_verified {
	uint8_t id[32];
	uint8_t source[32]; /* identities of the gateways */
	uint8_t destination[32];
	uint64_t sequence;
	uint64_t deadline; /* Unix seconds */
	uint64_t min_gas_limit;
	uint8_t finality;
	uint8_t closer[32]; /* words; zeros: none */
	uint8_t refund_to[32];
	char sender
		[200]; /* CAIP-10; 0x and hex of its ERC-7930 bytes for another kind of account */
	char recipient[200];
	const uint8_t *payload; /* part of this object */
	size_t payload_size;
	struct caisson_signed signature;
	enum caisson_outcome outcome;
	struct caisson_signed outcome_signature; /* zeros without an outcome */
};

#define CAISSON_ENVELOPE_SIZE_MAX (1u << 20)

/* Each hash is computed again, each signature checked (BIP-340), and a document in which a member was
 * changed, added, left out or is there twice is NOT_PROVEN; above CAISSON_ENVELOPE_SIZE_MAX bytes
 * too. INVALID: a key that is none. *verified is for caisson_verified_free. */
CAISSON_NODISCARD enum caisson_err caisson_verify_envelope(struct caisson_verified **verified,
							   const char *document, size_t size,
							   const struct caisson_keys *keys,
							   struct caisson_error *error);
/* NULL is allowed. */
void caisson_verified_free(struct caisson_verified *verified);

/* ---- verifying evidence of hardware, offline ---- */

/* A file's bytes; zeros where there is none. */
struct caisson_file {
	const void *bytes;
	size_t size;
};

/* As the options of `caisson attest verify`, whose page is docs/attestation.md. Zeros and NULLs: not given. */
struct caisson_evidence {
	/* Of SGX, TDX, SEV-SNP, a TPM, an RA-TLS certificate or the simulated backend: raw, hex, base64 or PEM.
	 * Or what GET /v1/enclave/evidence answered: then the evidence must be bound to all that it says. */
	struct caisson_file evidence;
	/* Unix seconds: the moment at which it is judged. Evidence and collateral end, so it is needed. */
	uint64_t at_s;
	/* The vendor's responses, bundles, certificates and lists as they came; each at most 1 MiB. None is
	 * fetched, and none is believed. */
	const struct caisson_file *collateral;
	size_t collateral_count;
	/* JSON: builds that are accepted, TCB levels, ages. Without one genuine hardware is enough, whatever
	 * program runs there. */
	struct caisson_file policy;
	/* Of GET /v1/enclave/evidence: the nonce that you asked with, so that it is of now. */
	const void *nonce;
	size_t nonce_size;
	/* Of bare evidence: what it must be bound to, at most 64 bytes, then zeros. */
	const void *report_data;
	size_t report_data_size;
	/* Certificates, PEM or DER: under which keys of TPMs are believed; in place of Intel's and AMD's own. */
	const struct caisson_file *roots;
	size_t root_count;
	const struct caisson_file *insecure_roots;
	size_t insecure_root_count;
	bool no_revocation; /* lists of revoked keys are not looked at: a warning at best */
	/* A warning is enough, too: a weakness that the vendor knows, a whole machine, or what an
	 * insecure_accept_… of the policy lets pass. The verdict's members say which. */
	bool warning;
};

#define CAISSON_EVIDENCE_SIZE_MAX (3u * 128u * 1024)

/* By the code that enclaves, the ledger and the command line run: the vendor's rules, then the policy. OK: the
 * evidence is affirmed (or, with `warning`, a warning); the verdict is the JSON of `caisson attest verify --json`,
 * "status", "kind", "tcb_status", "measurements/mr_td", and of a document "report", whose role, lineage and keys
 * are the caller's to compare. NOT_PROVEN: everything else, with the first check that failed. INVALID: collateral,
 * policy or roots that cannot be read, a policy that nothing can match, no moment. NO_MEMORY: also where the
 * library of cryptography failed. Takes 28 MiB while it runs. */
CAISSON_NODISCARD enum caisson_err caisson_verify_evidence(struct caisson_answer **verdict,
							   const struct caisson_evidence *evidence,
							   struct caisson_error *error);

/* ---- verifying a webhook ---- */

/* A POST as it came: the headers' values, NULL where one is missing, and the body's bytes, not as some
 * framework wrote them again. */
struct caisson_webhook {
	const char *id;        /* webhook-id */
	const char *timestamp; /* webhook-timestamp */
	const char *signature; /* webhook-signature */
	const void *body;
	size_t body_size;
};

#define CAISSON_WEBHOOK_TOLERANCE_S 300u
#define CAISSON_WEBHOOK_SECRET_SIZE_MAX 256u /* bytes, of one secret */

/* Standard Webhooks 1.0 ("Signature scheme"): the event, once one of the signatures is by one of the
 * secrets ("whsec_…"; both of them while a rotation overlaps) and its time is within
 * CAISSON_WEBHOOK_TOLERANCE_S of now_s (Unix seconds). BAD_WEBHOOK otherwise; INVALID: a secret that
 * is none. An event may come twice under one webhook-id: whoever must not act twice remembers it. */
CAISSON_NODISCARD enum caisson_err caisson_verify_webhook(struct caisson_answer **event,
							  const struct caisson_webhook *webhook,
							  const char *const *secrets,
							  size_t secrets_count, uint64_t now_s,
							  struct caisson_error *error);

/* ---- this library ---- */

/* "0.1.0" */
const char *caisson_version(void);

#ifdef __cplusplus
}
#endif

#endif
