/* Brings a key server's signed anchor to the ledger (docs/protocol/cluster.md). Believed by nobody: without it
 * nothing leaves the enclave. A transaction is not written down before it is sent: what it carries changes
 * nothing when it comes twice, and the enclave says it again until the ledger has it. */
#include "cluster/host.h"
#include "core/abi.h"
#include "core/reader.h"
#include "host/alloc.h"
#include "host/keyfile.h"
#include "relay_state/ledger/contract.h"
#include "relay_state/ledger/records.h"

#include <stdlib.h>
#include <sys/random.h>

#define POLL_MS 500u

static enum cs_err on_keep(void *context, const struct ledger_sent *sent)
{
	struct cluster_host *cluster = context;
	(void)sent;
	ledger_writer_kept(cluster->anchor.writer);
	return CS_OK;
}

static void on_ended(void *context, const struct ledger_report *report)
{
	(void)context;
	if (report->end == LEDGER_END_DONE)
		log_info("cluster.anchored", LOG_U64("height", report->height));
	else
		log_warn("cluster.not_anchored",
			 LOG_TEXT("why", report->why != NULL ? report->why
							     : cs_err_sentence(report->err)));
}

/* ANCHOR's body as calldata of anchorCluster. MALFORMED. */
static enum cs_err calldata(struct cs_buf *out, struct cs_bytes body)
{
	struct cs_reader reader;
	struct cs_abi abi;
	struct cs_hash word;
	cs_reader_init(&reader, body);
	cs_abi_call(&abi, out,
		    "anchorCluster(bytes32,bytes32,uint64,uint64,bytes32,bytes32,bytes32,bytes32)");
	for (size_t i = 0; i < 8; i++) {
		if (i == 2 || i == 3) {
			cs_abi_put_u64(&abi, cs_get_u64(&reader));
			continue;
		}
		cs_get_copy(&reader, word.b, sizeof word.b);
		cs_abi_put_word(&abi, &word);
	}
	CS_TRY(cs_reader_end(&reader));
	return cs_buf_end(out);
}

void cluster_host_anchor_write(struct cluster_host *cluster, struct cs_bytes body)
{
	uint8_t memory[4 + 8 * 32];
	struct cs_buf input;
	if (cluster->anchor.writer == NULL) {
		log_error("cluster.not_anchored",
			  LOG_TEXT("why", "the manifest asks for an anchor on the ledger, and "
					  "there is no ledger.key_file"));
		return;
	}
	cs_buf_init(&input, memory, sizeof memory);
	if (calldata(&input, body) != CS_OK)
		return;
	const struct ledger_tx_call call = {.to = ledger_contract_address(LEDGER_RECORDS_NUMBER),
					    .input = cs_buf_view(&input)};
	/* One is in flight, or no node is there: the enclave says it again. */
	const enum cs_err err = ledger_writer_send(cluster->anchor.writer, 0, &call, 1, 0);
	if (err != CS_OK)
		log_warn("cluster.not_anchored", LOG_TEXT("why", cs_err_sentence(err)));
}

static enum cs_err make_writer(struct cluster_host *cluster, struct cs_why *why)
{
	static const struct ledger_writer_ops ops = {.keep = on_keep, .ended = on_ended};
	const struct ledger_writer_config writer = {.client = cluster->clock.client,
						    .sig = cluster->anchor.sig,
						    .key = cluster->anchor.key,
						    .chain_tag = cluster->config.ledger.tag,
						    .gas_price_max =
							    cluster->config.ledger.gas_price_max,
						    .poll_ms = POLL_MS,
						    .ops = &ops,
						    .ctx = cluster};
	if (ledger_writer_new(&cluster->anchor.writer, cluster->loop, &writer) != CS_OK)
		return cs_fail(why, CS_ERR_INVALID, "ledger.key_file holds no private key");
	return CS_OK;
}

enum cs_err cluster_host_anchor_open(struct cluster_host *cluster, struct cs_why *why)
{
	struct cs_secret seed;
	if (cluster->config.ledger.key_file == NULL || cluster->clock.client == NULL)
		return CS_OK;
	cluster->anchor.key = host_alloc(sizeof *cluster->anchor.key);
	CS_TRY(host_keyfile_load(cluster->anchor.key, cluster->config.ledger.key_file, why));
	if (getrandom(seed.b, sizeof seed.b, 0) != (ssize_t)sizeof seed.b)
		return cs_fail(why, CS_ERR_IO, "no randomness");
	cluster->anchor.sig = cs_sig_new(&seed);
	cs_wipe(&seed, sizeof seed);
	return cluster->anchor.sig == NULL ? CS_ERR_NO_MEMORY : make_writer(cluster, why);
}

void cluster_host_anchor_close(struct cluster_host *cluster)
{
	struct cluster_anchor_writer *anchor = &cluster->anchor;
	ledger_writer_free(anchor->writer);
	cs_sig_free((struct cs_sig *)(uintptr_t)anchor->sig);
	if (anchor->key != NULL)
		cs_wipe(anchor->key, sizeof *anchor->key);
	free(anchor->key);
}
