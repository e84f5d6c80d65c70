/* Any bytes as questions, transactions, blocks and calls to an application whose contracts are all
 * founded: it answers, and never fails; a question twice has one answer. The first byte says which:
 * the paths in order, CheckTx, a block (each transaction behind two bytes of size), calls (number,
 * function, two bytes of size, arguments) that /simulate makes. */
#include "relay_state/ledger/app.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/ledger/memory_db.h"

#include <stdlib.h>

#define CALLS_MAX 8u

#define OWNERS                                                         \
	"\"owner\":\"0x1111111111111111111111111111111111111111\","    \
	"\"guardian\":\"0x2222222222222222222222222222222222222222\"," \
	"\"delay_s\":0"

static const char genesis[] =
	"{\"accounts\":[{\"address\":\"0x1111111111111111111111111111111111111111\",\"balance\":"
	"\"100000000000000000000\"}],\"contracts\":{"
	"\"gateway\":{" OWNERS ",\"rotation_delay_s\":120,\"overlap_s\":60},"
	"\"bridge\":{" OWNERS ",\"window_s\":3600},"
	"\"enclaves\":{" OWNERS ",\"rotation_delay_s\":120,\"overlap_s\":60,\"threshold\":1,"
	"\"administrators\":["
	"\"0x79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798\"],"
	"\"bond_min\":\"1\",\"bond_delay_s\":60,\"lifetime_max_s\":86400},"
	"\"records\":{" OWNERS "},"
	"\"usage\":{" OWNERS ",\"age_max_s\":3600,\"window_s\":3600,\"retention_s\":864000,"
	"\"metrics\":[{\"name\":\"rows\",\"decimals\":0,\"unit\":\"row\"}]},"
	"\"tasks\":{\"insecure\":true}}}";

struct subject {
	struct abci_app app;
	struct cs_hash chain;
	struct ledger_modules modules;
	struct cs_why why;
};

static struct abci_call call_of(struct subject *s)
{
	s->why.text[0] = 0;
	return (struct abci_call){fuzz_arena(), &s->why};
}

static struct abci_query_response ask(struct subject *s, const char *path, struct cs_bytes data)
{
	const struct abci_query_request request = {data, cs_bytes_str(path), 0, true};
	struct abci_query_response response = {0};
	const struct abci_call call = call_of(s);
	cs_assert(s->app.query(s->app.state, &request, &response, &call) == CS_OK);
	return response;
}

static struct subject *subject(void)
{
	static struct subject s;
	static struct ledger_app *app;
	const struct abci_init_chain_request request = {.time = {1767225600, 0},
							.chain_id = cs_bytes_str("fuzz-1"),
							.app_state_bytes = cs_bytes_str(genesis),
							.initial_height = 1};
	struct abci_init_chain_response response = {0};
	if (app != NULL)
		return &s;
	s.modules = ledger_modules();
	const struct ledger_app_options options = {.db = memory_db_table(memory_db_new()),
						   .sig = cs_sig_new(NULL),
						   .modules = s.modules,
						   .seed = {1}};
	void *memory = malloc(ledger_app_size());
	cs_assert(memory != NULL && options.sig != NULL);
	cs_assert(ledger_app_init(&app, memory, &options, &s.why) == CS_OK);
	s.app = ledger_app_table(app);
	const struct abci_call call = call_of(&s);
	cs_assert(s.app.init_chain(s.app.state, &request, &response, &call) == CS_OK);
	memcpy(s.chain.b, ask(&s, "/chain", CS_BYTES_NONE).value.p, sizeof s.chain.b);
	return &s;
}

/* ---- questions ---- */

static void query(struct subject *s, const char *path, struct cs_bytes data)
{
	static uint8_t first[LEDGER_OUTPUT_SIZE_MAX + 8];
	struct abci_query_response response = ask(s, path, data);
	const uint32_t code = response.code;
	const size_t n = response.value.n;
	cs_assert(n <= sizeof first);
	if (n > 0)
		memcpy(first, response.value.p, n);
	response = ask(s, path, data);
	cs_assert(response.code == code && cs_bytes_eq(response.value, cs_bytes(first, n)));
}

/* ---- transactions ---- */

static void check_tx(struct subject *s, struct cs_bytes tx)
{
	const struct abci_check_tx_request request = {tx, ABCI_CHECK_TX_NEW};
	struct abci_check_tx_response response = {0};
	const struct abci_call call = call_of(s);
	cs_assert(s->app.check_tx(s->app.state, &request, &response, &call) == CS_OK);
}

static struct cs_bytes take(struct cs_bytes *rest, size_t n)
{
	struct cs_bytes taken = cs_bytes(rest->p, n < rest->n ? n : rest->n);
	*rest = cs_bytes(rest->p + taken.n, rest->n - taken.n);
	return taken;
}

static struct cs_bytes take_sized(struct cs_bytes *rest)
{
	struct cs_bytes size = take(rest, 2);
	return size.n < 2 ? CS_BYTES_NONE : take(rest, cs_be16(size.p));
}

static void block(struct subject *s, struct cs_bytes data)
{
	struct cs_bytes txs[CALLS_MAX];
	size_t count = 0;
	while (data.n > 0 && count < CALLS_MAX)
		txs[count++] = take_sized(&data);
	const struct abci_process_proposal_request process = {
		.txs = {txs, count}, .height = 1, .time = {1767225610, 0}};
	const struct abci_finalize_block_request finalize = {
		.txs = {txs, count}, .height = 1, .time = {1767225610, 0}};
	struct abci_process_proposal_response processed = {0};
	struct abci_finalize_block_response finalized = {0};
	const struct abci_call call = call_of(s);
	cs_assert(s->app.process_proposal(s->app.state, &process, &processed, &call) == CS_OK);
	cs_assert(s->app.finalize_block(s->app.state, &finalize, &finalized, &call) == CS_OK);
	cs_assert(finalized.tx_results.count == count);
	/* Nobody here has signed anything. */
	for (size_t i = 0; i < count; i++)
		cs_assert(finalized.tx_results.items[i].code != 0);
}

/* ---- calls ---- */

static size_t read_calls(const struct subject *s, struct ledger_tx_call *calls, uint8_t *memory,
			 struct cs_bytes data)
{
	size_t count = 0;
	while (data.n >= 4 && count < CALLS_MAX) {
		const struct cs_bytes head = take(&data, 2), arguments = take_sized(&data);
		const struct ledger_contract *contract =
			s->modules.items[head.p[0] % s->modules.count].contract;
		const struct ledger_function *function =
			&contract->functions[head.p[1] % contract->function_count];
		cs_put_be32(memory, function->selector);
		if (arguments.n > 0)
			memcpy(memory + 4, arguments.p, arguments.n);
		calls[count++] =
			(struct ledger_tx_call){.to = ledger_contract_address(contract->number),
						.value = cs_u256_u64(function->payable ? 1000 : 0),
						.input = cs_bytes(memory, 4 + arguments.n)};
		memory += 4 + arguments.n;
	}
	return count;
}

static void calls(struct subject *s, struct cs_bytes data)
{
	static struct ledger_tx tx;
	static uint8_t memory[1024 * 1024], body[1024 * 1024 + 8192];
	struct cs_buf buf;
	if (data.n > sizeof memory - 4 * CALLS_MAX)
		return;
	tx = (struct ledger_tx){.chain = s->chain};
	memset(tx.sender.b, 0x11, sizeof tx.sender.b);
	tx.call_count = read_calls(s, tx.calls, memory, data);
	if (tx.call_count == 0)
		return;
	cs_buf_init(&buf, body, sizeof body);
	ledger_tx_encode_body(&buf, &tx);
	cs_assert(cs_buf_end(&buf) == CS_OK);
	query(s, "/simulate", cs_buf_view(&buf));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const paths[] = {"/store", "/account", "/call", "/chain", "/simulate"};
	struct subject *s = subject();
	if (size == 0)
		return 0;
	const struct cs_bytes rest = cs_bytes(data + 1, size - 1);
	const uint8_t kind = data[0] % 8;
	if (kind < CS_LEN(paths))
		query(s, paths[kind], rest);
	else if (kind == 5)
		check_tx(s, rest);
	else if (kind == 6)
		block(s, rest);
	else
		calls(s, rest);
	return 0;
}
