#include "relay_state/node/ledger_app.h"

#include "host/alloc.h"
#include "host/log.h"
#include "relay_state/ledger/genesis.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

struct node_ledger {
	struct node_ledger_db *db;
	struct cs_sig *sig;
	void *memory;
	struct ledger_app *app;
};

/* ---- the application ---- */

static enum cs_err take_back(struct node_ledger_db *db, uint64_t height_max, struct cs_why *why)
{
	const uint64_t version = node_ledger_db_version(db);
	if (height_max == 0 || version <= height_max)
		return CS_OK;
	log_warn("ledger.taken_back", LOG_U64("from", version), LOG_U64("to", height_max));
	return node_ledger_db_rollback(db, height_max, why);
}

static enum cs_err make_app(struct node_ledger *ledger, uint64_t snapshot_interval,
			    struct cs_why *why)
{
	struct ledger_app_options options = {.db = node_ledger_db_table(ledger->db),
					     .version = node_ledger_db_version(ledger->db),
					     .modules = ledger_modules(),
					     .snapshot_interval = snapshot_interval};
	cs_assert(getrandom(options.seed, sizeof options.seed, 0) == (ssize_t)sizeof options.seed);
	/* Verifies alone: nothing to blind. */
	ledger->sig = cs_sig_new(NULL);
	cs_assert(ledger->sig != NULL);
	options.sig = ledger->sig;
	ledger->memory = host_alloc(ledger_app_size());
	return ledger_app_init(&ledger->app, ledger->memory, &options, why);
}

enum cs_err node_ledger_open(struct node_ledger **out, const char *path, uint64_t height_max,
			     uint64_t snapshot_interval, struct cs_why *why)
{
	struct node_ledger *ledger = host_alloc(sizeof *ledger);
	struct cs_why inner = {""};
	enum cs_err err = node_ledger_db_open(&ledger->db, path, &inner);
	if (err != CS_OK)
		cs_why_write(why, "the ledger's state %s: %s", path, inner.text);
	if (err == CS_OK)
		err = take_back(ledger->db, height_max, why);
	if (err == CS_OK)
		err = make_app(ledger, snapshot_interval, why);
	if (err != CS_OK) {
		node_ledger_close(ledger);
		return err;
	}
	*out = ledger;
	return CS_OK;
}

struct abci_app node_ledger_table(struct node_ledger *ledger)
{
	return ledger_app_table(ledger->app);
}

uint64_t node_ledger_height(const struct node_ledger *ledger)
{
	return node_ledger_db_version(ledger->db);
}

void node_ledger_close(struct node_ledger *ledger)
{
	if (ledger == NULL)
		return;
	node_ledger_db_close(ledger->db);
	cs_sig_free(ledger->sig);
	free(ledger->memory);
	free(ledger);
}

/* ---- export ---- */

struct exporting {
	char *text;
	size_t size, room, size_max;
	size_t chunk; /* bytes of pairs in the string that is open */
};

static void append(struct exporting *e, const char *text)
{
	e->text = host_append(e->text, &e->size, &e->room, text, strlen(text));
}

static enum cs_err on_pair(void *context, struct cs_bytes key, struct cs_bytes value)
{
	struct exporting *e = context;
	const size_t size = 5 + key.n + value.n;
	struct cs_buf buf;
	if (!ledger_is_exported(key))
		return CS_OK;
	if (e->size + 2 * size > e->size_max)
		return CS_ERR_TOO_LARGE;
	if (e->chunk + size > LEDGER_GENESIS_PAIRS_SIZE_MAX) {
		append(e, "\",\"0x");
		e->chunk = 0;
	}
	char *hex = host_alloc(2 * size);
	cs_buf_init(&buf, hex, 2 * size);
	ledger_export_pair(&buf, key, value);
	e->text = host_append(e->text, &e->size, &e->room, buf.p, buf.n);
	e->chunk += size;
	free(hex);
	return cs_buf_end(&buf);
}

static enum cs_err export_all(struct exporting *e, struct node_ledger_db *db, uint64_t height,
			      struct cs_why *why)
{
	const struct ledger_db table = node_ledger_db_table(db);
	const uint64_t version = node_ledger_db_version(db);
	if (version != height)
		return cs_fail(why, CS_ERR_UNAVAILABLE,
			       "the ledger's state is that of height %" PRIu64 ", not %" PRIu64,
			       version, height);
	append(e, "{\"pairs\":[\"0x");
	enum cs_err err =
		table.scan(table.context, LEDGER_VALUES, CS_BYTES_NONE, CS_BYTES_NONE, on_pair, e);
	append(e, "\"]}");
	if (err == CS_ERR_TOO_LARGE)
		return cs_fail(why, err, "the state is too large for a genesis: take a snapshot");
	return err == CS_OK ? CS_OK : cs_fail(why, err, "%s", node_ledger_db_why(db));
}

enum cs_err node_ledger_export(char **app_state, const char *path, uint64_t height, size_t size_max,
			       struct cs_why *why)
{
	struct exporting e = {.size_max = size_max};
	struct node_ledger_db *db;
	CS_TRY(node_ledger_db_open(&db, path, why));
	enum cs_err err = export_all(&e, db, height, why);
	node_ledger_db_close(db);
	if (err != CS_OK) {
		free(e.text);
		return err;
	}
	*app_state = e.text;
	return CS_OK;
}
