/* What gateways call of contract 5 (relay_state/ledger/records.h) as calldata, and what its views and
 * those of contract 4, the register of enclaves, answer. Bytes in, bytes out: asks nobody. */
#ifndef RELAY_STATE_CLIENT_CALLS_H
#define RELAY_STATE_CLIENT_CALLS_H

#include "core/buf.h"
#include "relay_state/ledger/enclaves.h"
#include "relay_state/ledger/records.h"

/* Every call below but those of records and answers; a view as /call wants it. */
#define LEDGER_CALLDATA_SIZE_MAX 256u
#define LEDGER_VIEW_SIZE_MAX (2u * 20u + LEDGER_CALLDATA_SIZE_MAX)
#define LEDGER_RECORD_CALLDATA_SIZE_MAX \
	(4u + 64u + 32u * LEDGER_RECORD_WORDS * LEDGER_RECORDS_BATCH_MAX)

/* ---- to contract 5; the buffer has room: cs_buf_end tells ---- */
/* 1 to LEDGER_RECORDS_BATCH_MAX. */
void ledger_call_record(struct cs_buf *buf, const struct ledger_record *records, size_t count);

struct ledger_route {
	struct cs_hash source;
	struct cs_hash destination;
	uint8_t side; /* enum relay_side */
};
void ledger_call_take_lease(struct cs_buf *buf, const struct ledger_route *route, uint64_t seconds);
void ledger_call_renew_lease(struct cs_buf *buf, const struct ledger_route *route, uint64_t fencing,
			     uint64_t seconds);
void ledger_call_release_lease(struct cs_buf *buf, const struct ledger_route *route,
			       uint64_t fencing);

/* ---- questions: data of /call to contract 5, by nobody ---- */
void ledger_view_lease(struct cs_buf *buf, const struct ledger_route *route);
void ledger_view_gateway(struct cs_buf *buf, const struct cs_address *account,
			 const struct cs_hash *identity);
void ledger_view_message(struct cs_buf *buf, const struct cs_hash *message_id, uint8_t side);
void ledger_view_record(struct cs_buf *buf, const struct cs_hash *message_id, uint8_t side,
			uint8_t index);

/* ---- their answers: TRUNCATED, TRAILING, OVERFLOW for what is none ---- */
struct ledger_lease {
	struct cs_address holder;
	uint64_t until_s;
	uint64_t fencing; /* 0: nobody ever had it */
};
CS_NODISCARD enum cs_err ledger_read_lease(struct ledger_lease *lease, struct cs_bytes answer);
CS_NODISCARD enum cs_err ledger_read_bool(bool *is, struct cs_bytes answer);

/* How far a side's history of a message is; state 0: nothing is recorded. */
struct ledger_history {
	uint8_t state; /* enum relay_state */
	uint8_t count;
	uint8_t conflicts;
	struct cs_hash source, destination; /* zeros where nothing is recorded */
};
/* INVALID: no state of a message, more records than a history can have. */
CS_NODISCARD enum cs_err ledger_read_history(struct ledger_history *history,
					     struct cs_bytes answer);
/* Does the record at a place say what this one says? The contract compares the same fields. */
CS_NODISCARD enum cs_err ledger_read_same(bool *same, struct cs_bytes answer,
					  const struct ledger_record *record);

/* ---- questions to contract 4, data of /call as above ---- */
void ledger_view_epoch(struct cs_buf *buf, const struct cs_hash *identity);
void ledger_view_key(struct cs_buf *buf, const struct cs_hash *identity, uint64_t epoch);
void ledger_view_holder(struct cs_buf *buf, const struct cs_hash *x);
void ledger_view_enclave(struct cs_buf *buf, const struct cs_hash *enclave);

/* ---- their answers; INVALID too: a state that there is none, an end that no clock reaches ---- */
/* The newest epoch of an identity; 0: it has no key. */
CS_NODISCARD enum cs_err ledger_read_epoch(uint64_t *epoch, struct cs_bytes answer);
/* Zeros where there is no such key. */
CS_NODISCARD enum cs_err ledger_read_key(struct wire_key *key, struct cs_bytes answer);
struct ledger_holder {
	struct cs_hash enclave; /* zero: nobody ever registered the key */
	bool active;            /* as ledger_key_holder has it (enclaves.h) */
};
CS_NODISCARD enum cs_err ledger_read_holder(struct ledger_holder *holder, struct cs_bytes answer);
struct ledger_enclave {
	enum ledger_enclave_state state;
	uint8_t evidence_kind; /* 0: by the administrators' word */
	uint64_t expires_s;
};
CS_NODISCARD enum cs_err ledger_read_enclave(struct ledger_enclave *enclave,
					     struct cs_bytes answer);

#endif
