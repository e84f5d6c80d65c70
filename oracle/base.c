/* What every part of an oracle uses: memory, lookups, the next try, and the one way to write. */
#include "host/alloc.h"
#include "oracle/oracle.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct cs_arena *oracle_arena_new(void)
{
	struct cs_arena *arena = host_alloc(sizeof(*arena));
	/* Not cleared: an arena clears what it is asked to. */
	void *block = malloc(ORACLE_ARENA_SIZE);
	cs_assert(block != NULL);
	cs_arena_init(arena, block, ORACLE_ARENA_SIZE);
	return arena;
}

void oracle_arena_free(struct cs_arena *arena)
{
	if (!arena)
		return;
	free(arena->block);
	free(arena);
}

struct oracle_chain *oracle_chain_of(struct oracle *oracle, const struct cs_hash *identity)
{
	for (size_t i = 0; i < oracle->chain_count; i++) {
		if (cs_hash_eq(&oracle->chains[i].identity, identity))
			return &oracle->chains[i];
	}
	return NULL;
}

struct oracle_chain *oracle_chain_named(struct oracle *oracle, const char *caip2)
{
	for (size_t i = 0; i < oracle->chain_count; i++) {
		if (strcmp(oracle->chains[i].config->id, caip2) == 0)
			return &oracle->chains[i];
	}
	return NULL;
}

struct oracle_contract *oracle_contract_of(struct oracle *oracle, const struct cs_hash *identity)
{
	for (size_t i = 0; i < oracle->chain_count; i++) {
		struct oracle_chain *chain = &oracle->chains[i];
		for (size_t k = 0; k < chain->contract_count; k++) {
			if (cs_hash_eq(&chain->contracts[k].identity, identity))
				return &chain->contracts[k];
		}
	}
	return NULL;
}

struct oracle_contract *oracle_contract_at(struct oracle_chain *chain,
					   const struct cs_address *address)
{
	for (size_t i = 0; i < chain->contract_count; i++) {
		if (memcmp(chain->contracts[i].address.b, address->b, sizeof(address->b)) == 0)
			return &chain->contracts[i];
	}
	return NULL;
}

uint64_t oracle_backoff(const struct oracle *oracle, uint32_t tries)
{
	return host_service_next_try_ms(&oracle->config.service, tries);
}

bool oracle_asks_again(const struct oracle *oracle, uint32_t code, uint32_t tries,
		       uint64_t until_ms)
{
	return wire_oracle_code_is_refunded(code) && tries + 1 < ORACLE_SOURCE_TRIES &&
	       oracle_backoff(oracle, tries + 1) + ORACLE_SOURCE_MS <= until_ms;
}

void oracle_why(char why[ORACLE_WHY_MAX + 1], enum cs_err err, const char *text)
{
	snprintf(why, ORACLE_WHY_MAX + 1, "%s: %s", cs_err_name(err),
		 text && text[0] ? text : cs_err_sentence(err));
	for (char *p = why; *p; p++) {
		if ((unsigned char)*p < 0x20 || (unsigned char)*p > 0x7e)
			*p = '?';
	}
}

enum cs_err oracle_statement_take(struct oracle_statement *out, const Caisson__Wire__Statement *pb,
				  const struct cs_hash *leaves, size_t count)
{
	struct oracle_statement statement = {.count = (uint32_t)count};
	if (count == 0 || count > ORACLE_BATCH_MAX || pb->n_path != 0)
		return CS_ERR_INVALID;
	CS_TRY(wire_signed_from_pb(&statement.st, pb));
	struct cs_hash root = wire_root(leaves, count);
	if (!cs_hash_eq(&root, &statement.st.statement.root))
		return CS_ERR_INVALID;
	memcpy(statement.leaves, leaves, count * sizeof(*leaves));
	*out = statement;
	return CS_OK;
}

/* ---- writing ---- */

void oracle_fail(struct oracle *oracle, enum cs_err err, const char *what)
{
	log_error("oracle.failed", LOG_TEXT("what", what), LOG_ERR(err),
		  LOG_TEXT("journal", host_store_why(oracle_journal_store(oracle->journal))));
	oracle->failed = true;
	host_loop_stop(oracle->loop);
}

static void wake_after_commit(void *context, enum cs_err err)
{
	struct oracle *oracle = context;
	if (err != CS_OK)
		oracle_fail(oracle, err, "commit");
	else
		oracle_wake(oracle);
}

enum cs_err oracle_write_then(struct oracle *oracle, host_store_writer *write, void *context,
			      host_store_committed *committed, void *committed_context)
{
	enum cs_err err = host_store_write(oracle_journal_store(oracle->journal), write, context,
					   committed, committed_context);
	if (err == CS_ERR_IO || err == CS_ERR_FULL)
		oracle_fail(oracle, err, "write");
	return err;
}

enum cs_err oracle_write(struct oracle *oracle, host_store_writer *write, void *context)
{
	return oracle_write_then(oracle, write, context, wake_after_commit, oracle);
}

/* ---- for adapters/sender and adapters/listen ---- */

static enum cs_err owner_write(void *context, host_store_writer *write, void *write_context,
			       host_store_committed *then)
{
	const struct oracle_chain *chain = context;
	return then ? oracle_write_then(chain->oracle, write, write_context, then, write_context)
		    : oracle_write(chain->oracle, write, write_context);
}

static void owner_fail(void *context, enum cs_err err, const char *what)
{
	const struct oracle_chain *chain = context;
	oracle_fail(chain->oracle, err, what);
}

static void owner_wake(void *context)
{
	const struct oracle_chain *chain = context;
	oracle_wake(chain->oracle);
}

const struct adapter_owner oracle_owner = {
	.write = owner_write, .fail = owner_fail, .wake = owner_wake};
