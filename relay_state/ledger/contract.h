/* What a built-in contract of the ledger sees of one call, and how it answers: calldata, return
 * data, logs and reverts have the form of the Solidity contract ABI, so that enclaves, gateways and
 * apps speak to a ledger as they speak to an EVM chain (ADR 35). Holds no contract, and knows no
 * transaction.
 *
 * A call ends in one of three ways: CS_OK; CS_ERR_REVERTED, the answer "no", with what it reverts
 * with in call->output and everything that it changed taken back by the caller; or any other error,
 * which ends the application (a state that cannot be read). Errors of the group "input" of
 * core/err.def, as cs_abi_get_… has them for arguments and cs_u256_add for sums, are a revert without
 * data; NOT_FOUND of the own state is the contract's to handle. */
#ifndef LEDGER_CONTRACT_H
#define LEDGER_CONTRACT_H

#include "core/abi.h"
#include "core/sig.h"
#include "relay_state/ledger/state.h"

/* Calls within calls: an app's call, the gateway's to a recipient, that one's to the assets. */
#define LEDGER_DEPTH_MAX 8u
/* What one call may return or revert with. */
#define LEDGER_OUTPUT_SIZE_MAX 32768u
/* Logs of one transaction: a batch of deliveries emits four for each message. */
#define LEDGER_LOGS_MAX 512u
#define LEDGER_TOPICS_MAX 4u

/* The block that executes. */
struct ledger_block {
	uint64_t height;
	uint64_t time_s;
	struct cs_address proposer;
};

/* An event as an EVM chain would log it (yellow paper, section 4.3.1). */
struct ledger_log {
	struct cs_address address;
	size_t topic_count;
	struct cs_hash topics[LEDGER_TOPICS_MAX];
	struct cs_bytes data;
};

struct ledger_logs {
	struct ledger_log *items; /* room for LEDGER_LOGS_MAX */
	size_t count;
};

struct ledger_gas {
	uint64_t limit;
	uint64_t used; /* never above the limit */
};

struct ledger_machine;

/* One call on its way. Everything that must outlive it is in the arena. */
struct ledger_call {
	struct ledger_machine *machine;
	struct ledger_state *state;
	const struct ledger_block *block;
	const struct cs_sig *sig;
	struct cs_arena *arena; /* of the transaction */
	struct ledger_gas *gas;
	struct ledger_logs *logs;
	struct cs_why *why;        /* of an error that is no revert */
	struct cs_address origin;  /* who signed the transaction; zero for a question */
	struct cs_address sender;  /* who calls: the origin, or a contract */
	struct cs_address address; /* the contract's own */
	uint8_t number;            /* the contract's own: the first byte of all of its keys */
	struct cs_u256 value;      /* moved to the contract before it is called */
	struct cs_bytes input;     /* selector and arguments */
	struct cs_bytes output;    /* what is returned, or reverted with */
	unsigned depth;
	bool is_view; /* a question: whatever it changes is thrown away */
};

/* ---- a contract is a table of functions ---- */

/* Reads its arguments from `in`, which stands behind the selector with a head of `words`, and writes
 * what it returns. What it leaves unread reverts. */
typedef enum cs_err ledger_function_fn(struct ledger_call *call, struct cs_abi_reader *in,
				       struct cs_abi *out);

struct ledger_function {
	const char *signature; /* "transfer(address,address,uint256)" */
	uint32_t selector;     /* the first four bytes of its keccak-256; a test compares */
	uint8_t words;         /* of the head of its arguments */
	bool payable;          /* a value with any other reverts */
	uint64_t gas;          /* beside what its reads, writes and logs take */
	ledger_function_fn *run;
};

struct ledger_contract {
	const char *name;
	uint8_t number; /* 1 to 255 */
	const struct ledger_function *functions;
	size_t function_count;
};

/* The address of the built-in contract of a number: 17 zero bytes, 0xca, 0x15, the number. Nobody
 * has a key to it. */
struct cs_address ledger_contract_address(uint8_t number);

/* ---- what functions use ---- */

/* Takes gas; OUT_OF_GAS is a revert without data: CS_ERR_REVERTED, with all of the limit used. */
CS_NODISCARD enum cs_err ledger_use_gas(struct ledger_call *call, uint64_t gas);

/* The contract's own state: its number is put before each key (at most LEDGER_KEY_SIZE_MAX - 1
 * bytes). Gas is taken as the schedule says (gas.h). A value is a view until the block ends;
 * NOT_FOUND. */
CS_NODISCARD enum cs_err ledger_get(struct ledger_call *call, struct cs_bytes *value,
				    struct cs_bytes key);
CS_NODISCARD enum cs_err ledger_put(struct ledger_call *call, struct cs_bytes key,
				    struct cs_bytes value);
CS_NODISCARD enum cs_err ledger_remove(struct ledger_call *call, struct cs_bytes key);

/* Storage as an EVM contract has it: words by slot, zero where none was written; a zero that is
 * written removes. Key: 's', slot. What enclaves prove of a gateway lies here. */
CS_NODISCARD enum cs_err ledger_load(struct ledger_call *call, struct cs_hash *word,
				     const struct cs_hash *slot);
CS_NODISCARD enum cs_err ledger_store(struct ledger_call *call, const struct cs_hash *slot,
				      const struct cs_hash *word);
/* The slot of a mapping's value: keccak-256 of key and slot, as Solidity lays it out. */
struct cs_hash ledger_slot_of(const struct cs_hash *key, const struct cs_hash *slot);

/* An event; topics[0] is the signature's hash. FULL is a revert: CS_ERR_REVERTED. */
CS_NODISCARD enum cs_err ledger_emit(struct ledger_call *call, const struct cs_hash *topics,
				     size_t topic_count, struct cs_bytes data);

/* Is CS_ERR_REVERTED, with the error's selector and words as data: a custom error of Solidity,
 * "StatusIs(uint8)". */
CS_NODISCARD enum cs_err ledger_revert(struct ledger_call *call, const char *error,
				       const struct cs_hash *words, size_t count);
/* The same without arguments: "OnlyOwner()". */
CS_NODISCARD enum cs_err ledger_revert_plain(struct ledger_call *call, const char *error);
/* Is CS_ERR_REVERTED with these bytes, a view that stays: what an inner call reverted with, or none. */
CS_NODISCARD enum cs_err ledger_revert_with(struct ledger_call *call, struct cs_bytes output);

/* Calls another contract as this one, with a value of this one's balance. `output` is what it
 * returned or reverted with, a view in the arena. CS_OK with *success false: it reverted, and what
 * it changed is taken back. gas_max: at most so much of what is left; 0: all but one 64th (EIP-150).
 * A call to an account without a contract moves the value and succeeds with no output. */
CS_NODISCARD enum cs_err ledger_call_contract(struct ledger_call *call, bool *success,
					      struct cs_bytes *output, const struct cs_address *to,
					      const struct cs_u256 *value, struct cs_bytes input,
					      uint64_t gas_max);
/* Is there a contract at the address? */
bool ledger_is_contract(const struct ledger_call *call, const struct cs_address *address);

/* The native asset, in which fees are paid. Moving more than there is: *moved false. */
CS_NODISCARD enum cs_err ledger_balance(struct ledger_call *call, struct cs_u256 *balance,
					const struct cs_address *account);
CS_NODISCARD enum cs_err ledger_move(struct ledger_call *call, bool *moved,
				     const struct cs_address *from, const struct cs_address *to,
				     const struct cs_u256 *amount);

#endif
