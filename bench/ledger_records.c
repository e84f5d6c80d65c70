#include "bench/ledger_records.h"

#include "bench/bench.h"
#include "core/abi.h"
#include "core/hash.h"
#include "relay_state/ledger/records.h"
#include "relay_state/ledger/tx.h"
#include "relay_state/relay/relay.h"

#include <string.h>

#define ACCOUNTS_MAX 64u
#define RECORD "(bytes32,bytes32,bytes32,uint8,uint8,uint8,uint8,uint64,bytes32,bytes32,bytes32)"
/* A batch of 64 takes a million, and its bytes. */
#define GAS_FIXED 100000u
#define GAS_RECORD 20000u

static struct {
	struct cs_sig *sig;
	struct cs_hash chain;
	size_t batch, first;
	uint64_t sequences[ACCOUNTS_MAX]; /* transactions that the account has sent */
} bench;

/* What a delivered message goes through at its source. */
static const uint8_t moves[] = {
	RELAY_ON_OBSERVE,       RELAY_ON_REACH_FINALITY, RELAY_ON_VERIFY,
	RELAY_ON_SIGN,          RELAY_ON_SUBMIT,         RELAY_ON_INCLUDE,
	RELAY_ON_REACH_OUTCOME, RELAY_ON_VERIFY_OUTCOME, RELAY_ON_FINALIZE,
};

void bench_records_init(const char *tag, size_t batch, size_t first)
{
	bench.sig = cs_sig_new(NULL);
	bench.batch = batch;
	bench.first = first;
	if (bench.sig == NULL || batch == 0 || batch % BENCH_RECORDS_TOGETHER != 0 ||
	    batch > BENCH_RECORDS_MAX || strlen(tag) < 64 ||
	    cs_unhex(bench.chain.b, sizeof bench.chain.b, cs_bytes(tag, 64)) != CS_OK)
		bench_die("no such chain or batch");
}

static void put_record(struct cs_abi *abi, uint64_t number, uint8_t index)
{
	struct cs_hash source, destination, zero = {{0}};
	enum relay_state from = RELAY_STATE_NONE;
	uint8_t bytes[8];
	cs_put_be64(bytes, number);
	const struct cs_hash message = cs_sha256(CS_BYTES_OF(bytes));
	memset(source.b, 0x41, sizeof source.b);
	memset(destination.b, 0x42, sizeof destination.b);
	for (uint8_t i = 0; i < index; i++) {
		if (i == 0)
			from = relay_first(RELAY_SOURCE);
		else if (relay_move(&from, (enum relay_event)moves[i]) != CS_OK)
			bench_die("no such move");
	}
	cs_abi_put_word(abi, &message);
	cs_abi_put_word(abi, &source);
	cs_abi_put_word(abi, &destination);
	cs_abi_put_u64(abi, RELAY_SOURCE);
	cs_abi_put_u64(abi, index);
	cs_abi_put_u64(abi, from);
	cs_abi_put_u64(abi, moves[index]);
	cs_abi_put_u64(abi, number);
	cs_abi_put_word(abi, &message);
	cs_abi_put_word(abi, &message);
	cs_abi_put_word(abi, &zero);
}

/* The account's messages are in groups of as many as a batch has; three batches carry a group to its end. */
static void put_batch(struct cs_abi *abi, size_t account)
{
	const uint64_t batches = sizeof moves / BENCH_RECORDS_TOGETHER;
	const size_t group = bench.batch / BENCH_RECORDS_TOGETHER;
	const uint64_t first = ((uint64_t)(bench.first + account) << 32) +
			       bench.sequences[account] / batches * group;
	const uint8_t index =
		(uint8_t)(bench.sequences[account] % batches * BENCH_RECORDS_TOGETHER);
	for (size_t i = 0; i < group; i++)
		for (uint8_t j = 0; j < BENCH_RECORDS_TOGETHER; j++)
			put_record(abi, first + i, (uint8_t)(index + j));
}

size_t bench_records_tx(uint8_t *out, size_t account)
{
	static uint8_t input[BENCH_RECORDS_SIZE_MAX];
	static struct ledger_tx tx;
	struct cs_secret secret = {{0}};
	struct cs_ecdsa signature;
	struct cs_buf buf;
	struct cs_abi abi;
	if (account >= ACCOUNTS_MAX)
		bench_die("more accounts than there are");
	cs_put_be64(secret.b + 24, BENCH_RECORDS_SECRET + bench.first + account);
	cs_buf_init(&buf, input, sizeof input);
	cs_abi_call(&abi, &buf, "record(" RECORD "[])");
	cs_abi_enter_array(&abi, cs_abi_slot(&abi), bench.batch);
	put_batch(&abi, account);
	cs_abi_leave(&abi);
	memset(&tx, 0, sizeof tx);
	tx.chain = bench.chain;
	tx.sequence = bench.sequences[account]++;
	tx.gas_limit = GAS_FIXED + GAS_RECORD * bench.batch;
	tx.gas_price_low = 1;
	tx.call_count = 1;
	tx.calls[0].to = ledger_contract_address(LEDGER_RECORDS_NUMBER);
	tx.calls[0].input = cs_buf_view(&buf);
	if (cs_buf_end(&buf) != CS_OK || cs_key_address(bench.sig, &tx.sender, &secret) != CS_OK)
		bench_die("a transaction is too large");
	cs_buf_init(&buf, out, BENCH_RECORDS_SIZE_MAX);
	ledger_tx_encode_body(&buf, &tx);
	const struct cs_hash digest = ledger_tx_digest(cs_buf_view(&buf));
	if (cs_ecdsa_sign(bench.sig, &signature, &secret, &digest) != CS_OK)
		bench_die("a transaction is not signed");
	cs_put_u8(&buf, LEDGER_SECP256K1);
	cs_put(&buf, CS_BYTES_OF(signature.r.b));
	cs_put(&buf, CS_BYTES_OF(signature.s.b));
	cs_put_u8(&buf, signature.parity);
	if (cs_buf_end(&buf) != CS_OK)
		bench_die("a transaction is too large");
	return buf.n;
}
