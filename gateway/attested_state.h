/* What one gateway knows of the enclave behind another: four states, moved by what `caisson attest
 * connect` says and by time, and the reading of what it says. Asks nobody; never keeps a peer accepted
 * for more than an hour after the question, and never takes silence for an answer. */
#ifndef GATEWAY_ATTESTED_STATE_H
#define GATEWAY_ATTESTED_STATE_H

#include "core/hash.h"

/* Of a hello (wire/enclave.proto). */
#define GATEWAY_ATTESTED_KEYS_MAX 64u
#define GATEWAY_ATTESTED_WHY_MAX 200u
/* An answer is good for so long after its question was begun: as a certificate of the attested port. */
#define GATEWAY_ATTESTED_KEEP_MS (60u * 60 * 1000)
/* Until the next question after one without an answer, or with a refusal. */
#define GATEWAY_ATTESTED_RETRY_MS (60u * 1000)

enum gateway_attested {
	GATEWAY_ATTESTED_OFF, /* not configured: nothing is asked, everything is taken */
	GATEWAY_ATTESTED_UNKNOWN,
	GATEWAY_ATTESTED_ACCEPTED,
	GATEWAY_ATTESTED_REFUSED,
	GATEWAY_ATTESTED_COUNT
};
/* As status, events and metrics call it. */
const char *gateway_attested_name(enum gateway_attested state);

/* A key that signs: for the gateway contract of this identity, in this epoch. */
struct gateway_attested_key {
	struct cs_hash identity;
	uint64_t epoch;
	struct cs_hash x;
};

/* ---- what a question came to ---- */

enum gateway_attested_answer {
	GATEWAY_ANSWER_NONE, /* nobody there, nonsense, no time: it says nothing of the peer */
	GATEWAY_ANSWER_ACCEPTED,
	GATEWAY_ANSWER_REFUSED,
	GATEWAY_ANSWER_COUNT
};
const char *gateway_attested_answer_name(enum gateway_attested_answer answer);

struct gateway_attested_verdict {
	enum gateway_attested_answer answer;
	char why[GATEWAY_ATTESTED_WHY_MAX + 1]; /* unless accepted */
	char kind[24];                          /* of the evidence; "" without any */
	bool insecure;                          /* accepted by an insecure_accept_… alone */
	/* The first end of what an acceptance rests on, certificates, lists, documents; Unix seconds; 0: nothing ends. */
	uint64_t evidence_until_s;
	struct gateway_attested_key keys[GATEWAY_ATTESTED_KEYS_MAX]; /* of what was accepted */
	size_t key_count;
};

/* Of `caisson attest connect --json --lineage …` (docs/attestation.md): its exit status and what it
 * printed. ACCEPTED takes more than the command's own verdict: every check that binds hello to the
 * connection passed, the lineage was asked for, the policy lists builds, and the role is a bridge's. */
void gateway_attested_read(struct gateway_attested_verdict *verdict, int status,
			   struct cs_bytes output);
/* No answer, for this reason. */
void gateway_attested_fail(struct gateway_attested_verdict *verdict, const char *why);

/* ---- the states ---- */

struct gateway_attested_time {
	uint64_t now_ms;  /* monotonic: decides */
	uint64_t wall_ms; /* since 1970: is told */
};

struct gateway_attested_peer {
	enum gateway_attested state;
	uint64_t since_ms; /* wall clock */
	uint64_t until_ms; /* monotonic; while ACCEPTED */
	bool asking;
	uint64_t asked_ms; /* monotonic: when the newest question was begun */
	uint64_t next_ms;  /* monotonic: no question before */
	/* Of the state; while ACCEPTED why the newest question had no answer, "" when it had. */
	char why[GATEWAY_ATTESTED_WHY_MAX + 1];
	char kind[24];
	bool insecure;
	uint64_t evidence_until_s; /* as of the verdict; while ACCEPTED */
	struct gateway_attested_key keys[GATEWAY_ATTESTED_KEYS_MAX];
	size_t key_count;
	/* A statement was signed by this key, which was not among them. */
	bool misses;
	struct gateway_attested_key missed;
	uint64_t missed_ms;                     /* monotonic */
	uint64_t answers[GATEWAY_ANSWER_COUNT]; /* since the start */
};

/* UNKNOWN, to be asked at once. What was known before is forgotten. */
void gateway_attested_begin(struct gateway_attested_peer *peer, struct gateway_attested_time now);
/* OFF. */
void gateway_attested_end(struct gateway_attested_peer *peer, struct gateway_attested_time now);
/* To be asked at once, whatever it is. */
void gateway_attested_hurry(struct gateway_attested_peer *peer, struct gateway_attested_time now);
/* A question is to be begun. Time passes here: what was accepted for its hour is UNKNOWN. */
bool gateway_attested_step(struct gateway_attested_peer *peer, struct gateway_attested_time now);
/* A question was begun. */
void gateway_attested_asked(struct gateway_attested_peer *peer, struct gateway_attested_time now);
/* It was answered, or not. every_ms: until the next one after an acceptance. */
void gateway_attested_told(struct gateway_attested_peer *peer,
			   const struct gateway_attested_verdict *verdict, uint64_t every_ms,
			   struct gateway_attested_time now);
/* What comes from the peer may be taken. */
bool gateway_attested_allows(const struct gateway_attested_peer *peer,
			     struct gateway_attested_time now);
/* A statement that the contract's key signed. False: nothing of the peer may be taken any more; it is
 * asked again at once, and its answer must show this key. Always true while OFF. */
bool gateway_attested_signs(struct gateway_attested_peer *peer,
			    const struct gateway_attested_key *key,
			    struct gateway_attested_time now);

#endif
