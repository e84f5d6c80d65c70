/* Usage records and the lines of statements as bytes (docs/protocol/usage.md): what an enclave signs,
 * what a line is, what the state holds of a statement, and what a usage costs. Knows no contract and no
 * state: whoever verifies a statement offline reads here as the ledger does. Numbers are big-endian.
 *
 *     line   = kind (1) ‖ height (8) ‖ time (8) ‖ amount (32) ‖ enclave (32) ‖ nonce (8)
 *              ‖ provider (20) ‖ consumer (20) ‖ the kind's
 *     charge = metric's decimals (1) ‖ data hash (32) ‖ metric (32) ‖ quantity (32) ‖ price (32)
 *              ‖ observed (8) ‖ signature (64) ‖ size of the purpose (1) ‖ purpose
 *     credit = decided by (20) ‖ reason (32)
 *
 *     statement = charged (32) ‖ credited (32) ‖ log (merkle_log.h)
 *
 * A charge is a record as it was taken, at the height and time of its block. A credit takes back from
 * a charge, named by enclave and nonce, what a dispute decided. */
#ifndef LEDGER_USAGE_LINE_H
#define LEDGER_USAGE_LINE_H

#include "core/u256.h"
#include "relay_state/ledger/merkle_log.h"

#define LEDGER_USAGE_NUMBER 6u

/* A line of text that people read, or a code of theirs. */
#define LEDGER_USAGE_PURPOSE_SIZE_MAX 64u
/* Of quantities, by metric; of prices, always. 10 to the power of both is below 2^128. */
#define LEDGER_USAGE_DECIMALS_MAX 18u
#define LEDGER_USAGE_PRICE_DECIMALS 18u
#define LEDGER_USAGE_SIGNATURE_SIZE 64u

#define LEDGER_USAGE_LINE_HEAD_SIZE 129u
#define LEDGER_USAGE_CHARGE_SIZE_MIN (LEDGER_USAGE_LINE_HEAD_SIZE + 202u)
#define LEDGER_USAGE_LINE_SIZE_MAX (LEDGER_USAGE_CHARGE_SIZE_MIN + LEDGER_USAGE_PURPOSE_SIZE_MAX)
#define LEDGER_USAGE_STATEMENT_SIZE_MAX (64u + LEDGER_MERKLE_SIZE_MAX)

enum ledger_usage_kind {
	LEDGER_USAGE_CHARGE = 1,
	LEDGER_USAGE_CREDIT = 2,
};

enum ledger_usage_role {
	LEDGER_USAGE_PROVIDER = 1,
	LEDGER_USAGE_CONSUMER = 2,
};

/* What an enclave says of one use of data. Enclave and nonce name it for ever. */
struct ledger_usage_record {
	struct cs_hash data_hash;
	struct cs_address provider;
	struct cs_address consumer;
	struct cs_bytes purpose; /* a view, at most LEDGER_USAGE_PURPOSE_SIZE_MAX */
	struct cs_hash enclave;  /* x of its key */
	struct cs_hash metric;
	struct cs_u256 quantity; /* with the metric's decimals */
	struct cs_u256 price;    /* of one whole unit, with LEDGER_USAGE_PRICE_DECIMALS */
	uint64_t observed_s;
	uint64_t nonce;
	uint8_t signature[LEDGER_USAGE_SIGNATURE_SIZE]; /* BIP-340: R.x, s */
};

/* What the enclave signs: keccak-256 of the words of docs/protocol/usage.md section 1. chain:
 * ledger_chain_tag. insecure: of a ledger that takes insecure enclaves alone. */
struct cs_hash ledger_usage_digest(const struct ledger_usage_record *record,
				   const struct cs_hash *chain, bool insecure);

/* What the record costs in the smallest unit of the asset: quantity × price, rounded down here and
 * nowhere else. OVERFLOW: the product is above 2^256 - 1. decimals: at most
 * LEDGER_USAGE_DECIMALS_MAX. */
CS_NODISCARD enum cs_err ledger_usage_amount(struct cs_u256 *amount, const struct cs_u256 *quantity,
					     const struct cs_u256 *price, unsigned decimals);

struct ledger_usage_line {
	enum ledger_usage_kind kind;
	uint64_t height;
	uint64_t time_s;
	struct cs_u256 amount;
	struct ledger_usage_record
		record;               /* of a credit: enclave, nonce, provider, consumer alone */
	uint8_t decimals;             /* of a charge: its metric's */
	struct cs_address decided_by; /* of a credit: the provider or the arbiter */
	struct cs_hash reason;        /* of a credit */
};

void ledger_usage_line_encode(struct cs_buf *buf, const struct ledger_usage_line *line);
/* The purpose is a view. UNSUPPORTED: another kind. TRUNCATED, TRAILING. TOO_LARGE: the purpose, the
 * decimals. INVALID: a charge whose amount is not what quantity and price give. OVERFLOW: those of a
 * charge give none. */
CS_NODISCARD enum cs_err ledger_usage_line_decode(struct ledger_usage_line *line,
						  struct cs_bytes bytes);

/* All lines of a party in a role and a period. */
struct ledger_usage_statement {
	struct cs_u256 charged;
	struct cs_u256 credited; /* of charges of this period or earlier ones */
	struct cmt_merkle log;
};

void ledger_usage_statement_init(struct ledger_usage_statement *statement);
/* OVERFLOW: the sums; FULL: the log. */
CS_NODISCARD enum cs_err ledger_usage_statement_add(struct ledger_usage_statement *statement,
						    enum ledger_usage_kind kind,
						    const struct cs_u256 *amount,
						    struct cs_bytes line);
void ledger_usage_statement_encode(struct cs_buf *buf,
				   const struct ledger_usage_statement *statement);
/* TRUNCATED, TRAILING, TOO_LARGE. */
CS_NODISCARD enum cs_err ledger_usage_statement_decode(struct ledger_usage_statement *statement,
						       struct cs_bytes bytes);

/* Year × 100 + month of the UTC calendar: 202611. OVERFLOW: after the year 9999. */
CS_NODISCARD enum cs_err ledger_usage_period(uint32_t *period, uint64_t time_s);
/* Is it such a number? */
bool ledger_usage_is_period(uint32_t period);

/* Whose and which statement. */
struct ledger_usage_account {
	struct cs_address party;
	enum ledger_usage_role role;
	uint32_t period;
};
/* The whole key in the state: what is proven. 'a': the statement; 'q': of its first lines, whose
 * bodies are pruned, in the same form. */
#define LEDGER_USAGE_STATEMENT_KEY_SIZE 27u
void ledger_usage_statement_key(uint8_t key[LEDGER_USAGE_STATEMENT_KEY_SIZE],
				const struct ledger_usage_account *account, bool pruned);

#endif
