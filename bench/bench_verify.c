/* How close verifying a receipt proof and signing the statement comes to the least that it can
 * cost: one secp256k1_schnorrsig_sign32 and our Keccak over the proof's bytes. Reads a proof of
 * bench/proofs.py from standard input, writes one JSON object. Both sides run in turns in one
 * process, so that they see the same machine. */
#include "bench/bench.h"
#include "core/hash.h"
#include "verify/evm/receipt.h"
#include "wire/envelope.h"

#include <secp256k1_extrakeys.h>
#include <secp256k1_schnorrsig.h>
#include <stdbool.h>
#include <string.h>

#define NODES_MAX 16u
#define NODE_SIZE_MAX 4096u
#define LINE_SIZE_MAX (2u * NODE_SIZE_MAX + 64u)
#define ROUND 500u

struct proof {
	uint32_t transactions;
	uint32_t index;
	uint32_t log_index;
	struct cs_hash root;
	struct cs_hash topic;
	struct cs_hash message_id;
	struct cs_address gateway;
	struct wire_message_head head;
	uint8_t bytes[NODES_MAX][NODE_SIZE_MAX];
	struct cs_bytes nodes[NODES_MAX];
	size_t count;
	size_t size;
};

static void read_hex(uint8_t *p, size_t n, const char *text)
{
	if (cs_unhex(p, n, cs_bytes_str(text)) != CS_OK)
		bench_die("a line is no hex of its size");
}

static bool read_number(struct proof *proof, const char *name, const char *value)
{
	uint64_t number = strtoull(value, NULL, 10);
	if (strcmp(name, "transactions") == 0)
		proof->transactions = (uint32_t)number;
	else if (strcmp(name, "index") == 0)
		proof->index = (uint32_t)number;
	else if (strcmp(name, "log_index") == 0)
		proof->log_index = (uint32_t)number;
	else if (strcmp(name, "sequence") == 0)
		proof->head.sequence = number;
	else if (strcmp(name, "deadline") == 0)
		proof->head.deadline = number;
	else if (strcmp(name, "gas") == 0)
		proof->head.min_gas_limit = number;
	else
		return false;
	return true;
}

static bool read_hash(struct proof *proof, const char *name, const char *value)
{
	const struct {
		const char *name;
		struct cs_hash *hash;
	} fields[] = {{"root", &proof->root},
		      {"topic", &proof->topic},
		      {"message_id", &proof->message_id},
		      {"source", &proof->head.source},
		      {"destination", &proof->head.destination},
		      {"sender", &proof->head.sender_hash},
		      {"recipient", &proof->head.recipient_hash},
		      {"payload", &proof->head.payload_hash}};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(name, fields[i].name) == 0) {
			read_hex(fields[i].hash->b, 32, value);
			return true;
		}
	}
	return false;
}

static void read_node(struct proof *proof, const char *value)
{
	size_t n = strlen(value) / 2;
	if (proof->count == NODES_MAX || n > NODE_SIZE_MAX)
		bench_die("the proof is too large");
	read_hex(proof->bytes[proof->count], n, value);
	proof->nodes[proof->count] = cs_bytes(proof->bytes[proof->count], n);
	proof->count++;
	proof->size += n;
}

static void read_proof(struct proof *proof)
{
	static char line[LINE_SIZE_MAX];
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = 0;
		char *value = strchr(line, ' ');
		if (!value)
			bench_die("a line without a value");
		*value++ = 0;
		if (strcmp(line, "node") == 0)
			read_node(proof, value);
		else if (strcmp(line, "gateway") == 0)
			read_hex(proof->gateway.b, 20, value);
		else if (!read_number(proof, line, value) && !read_hash(proof, line, value))
			bench_die("an unknown line");
	}
	if (proof->count == 0)
		bench_die("no proof on standard input");
}

/* The work of the enclave for one message: the event is in the block, its identifier is the head's,
 * the statement is signed. */
static enum cs_err verify_and_sign(struct cs_schnorr *signature, const struct cs_sig *sig,
				   const struct cs_signer *signer, const struct proof *proof,
				   const struct cs_hash *aux)
{
	struct verify_nodes nodes = {proof->nodes, proof->count};
	struct verify_receipt receipt;
	struct verify_log log;
	CS_TRY(verify_receipt(&receipt, &proof->root, proof->index, &nodes));
	CS_TRY(verify_receipt_log(&log, &receipt, proof->log_index));
	struct cs_hash id = wire_message_id(&proof->head);
	if (!receipt.success || log.topic_count < 3 ||
	    !cs_address_eq(&log.address, &proof->gateway) ||
	    !cs_hash_eq(&log.topics[0], &proof->topic) || !cs_hash_eq(&log.topics[1], &id))
		return CS_ERR_WRONG_LOG;
	struct cs_hash leaf = wire_leaf_message(&id);
	struct wire_statement statement = {.kind = WIRE_KIND_MESSAGE,
					   .signer = proof->head.source,
					   .receiver = proof->head.destination,
					   .epoch = 1,
					   .manifest_number = 1,
					   .root = wire_root(&leaf, 1)};
	struct cs_hash digest = wire_digest(&statement, WIRE_DOMAIN_INSECURE);
	return cs_schnorr_sign_by(sig, signature, signer, &digest, aux);
}

struct primitives {
	secp256k1_context *context;
	secp256k1_keypair pair;
};

static void sign_and_hash(const struct primitives *with, const struct proof *proof,
			  const struct cs_hash *aux)
{
	uint8_t signature[64];
	struct cs_hash last = {{0}};
	for (size_t i = 0; i < proof->count; i++)
		last = cs_keccak256(proof->nodes[i]);
	if (secp256k1_schnorrsig_sign32(with->context, signature, last.b, &with->pair, aux->b) != 1)
		bench_die("sign32 failed");
}

int main(void)
{
	static struct proof proof;
	read_proof(&proof);
	struct cs_secret key = {{[31] = 7}}, seed = {{[0] = 1}};
	struct cs_sig *sig = cs_sig_new(&seed);
	struct cs_signer signer;
	struct primitives with = {.context = secp256k1_context_create(SECP256K1_CONTEXT_NONE)};
	if (!sig || !with.context || secp256k1_context_randomize(with.context, seed.b) != 1 ||
	    secp256k1_keypair_create(with.context, &with.pair, key.b) != 1 ||
	    cs_signer_make(sig, &signer, &key) != CS_OK)
		bench_die("no context");
	double ours[BENCH_RUNS], least[BENCH_RUNS], ratio[BENCH_RUNS];
	struct cs_hash aux = {{0}};
	struct cs_schnorr signature;
	for (size_t run = 0; run < BENCH_RUNS; run++) {
		double a = 0, b = 0;
		for (size_t i = 0; i < ROUND; i++) {
			cs_put_be32(aux.b, (uint32_t)(run * ROUND + i));
			double begin = bench_cpu();
			if (verify_and_sign(&signature, sig, &signer, &proof, &aux) != CS_OK)
				bench_die("the proof does not verify");
			double middle = bench_cpu();
			sign_and_hash(&with, &proof, &aux);
			a += middle - begin;
			b += bench_cpu() - middle;
		}
		ours[run] = a / ROUND * 1e6;
		least[run] = b / ROUND * 1e6;
		ratio[run] = b / a;
	}
	double us = bench_median(ours, BENCH_RUNS);
	printf("{\"transactions\": %u, \"proof_bytes\": %zu, \"verify_and_sign_us\": %.2f, "
	       "\"primitives_us\": %.2f, "
	       "\"ratio\": %.3f, \"per_second\": %.0f}\n",
	       proof.transactions, proof.size, us, bench_median(least, BENCH_RUNS),
	       bench_median(ratio, BENCH_RUNS), 1e6 / us);
	secp256k1_context_destroy(with.context);
	cs_sig_free(sig);
	return 0;
}
