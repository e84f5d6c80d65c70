#include "relay_state/node/application.h"

#include "host/alloc.h"
#include "host/log.h"
#include "relay_state/node/kvstore_db.h"
#include "relay_state/node/kvstore_files.h"
#include "relay_state/node/ledger_app.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* CometBFT's name of its example with the data on disk. */
#define PERSISTENT "persistent_kvstore"
#define LEDGER "ledger"

/* An open question whose answer is timed. */
struct timed {
	struct timed *next, **at;
	struct node_application *application;
	abci_client_done *done;
	void *context;
	enum abci_method method;
	uint64_t began_us;
};

struct node_application {
	struct abci_link *link;
	node_application_observer *observer;
	void *observer_context;
	struct timed *open;
	struct abci_kvstore *kvstore; /* NULL: another one, behind a socket */
	struct abci_kvstore_snapshots snapshots;
	struct node_kvstore_files files;
	struct node_kvstore_db *db; /* of persistent_kvstore */
	struct node_ledger *ledger;
	void *memory, *snapshot_memory;
};

static void make_store(struct node_application *a, const struct abci_kvstore_hooks *hooks)
{
	struct abci_kvstore_options kvstore = {.memory_size = NODE_KVSTORE_MEMORY_DEFAULT};
	if (hooks != NULL)
		kvstore.hooks = *hooks;
	a->kvstore = host_alloc(sizeof *a->kvstore);
	a->memory = kvstore.memory = host_alloc(kvstore.memory_size);
	cs_assert(getrandom(kvstore.seed, sizeof kvstore.seed, 0) == (ssize_t)sizeof kvstore.seed);
	enum cs_err err = abci_kvstore_init(a->kvstore, &kvstore);
	cs_assert(err == CS_OK);
}

/* Every commit is in the database: no snapshots, which would not tell it what they restore. */
static enum cs_err make_persistent(struct node_application *a, struct abci_app *app,
				   const struct node_application_options *options,
				   struct cs_why *why)
{
	if (options->database == NULL)
		return cs_fail(why, CS_ERR_INVALID, "persistent_kvstore needs a folder");
	CS_TRY(node_kvstore_db_open(&a->db, options->database, why));
	const struct abci_kvstore_hooks hooks = node_kvstore_db_hooks(a->db);
	make_store(a, &hooks);
	*app = abci_kvstore_app(a->kvstore);
	return node_kvstore_db_load(a->db, a->kvstore, why);
}

static enum cs_err make_kvstore(struct node_application *a, struct abci_app *app,
				const struct node_application_options *options, struct cs_why *why)
{
	struct abci_kvstore_snapshots_options snapshots = {.memory_size =
								   NODE_KVSTORE_SNAPSHOTS_MEMORY,
							   .interval = options->snapshot_interval,
							   .taken = node_kvstore_files_put,
							   .context = &a->files};
	make_store(a, NULL);
	a->snapshot_memory = snapshots.memory = host_alloc(snapshots.memory_size);
	enum cs_err err = abci_kvstore_snapshots_init(&a->snapshots, app, a->kvstore, &snapshots);
	if (err != CS_OK)
		return cs_fail(why, err, "the kvstore's snapshots");
	a->files.folder = options->folder;
	if (options->folder == NULL)
		return CS_OK;
	return node_kvstore_files_load(&a->files, &a->snapshots, options->height_max, why);
}

static enum cs_err make_ledger(struct node_application *a, struct abci_app *app,
			       const struct node_application_options *options, struct cs_why *why)
{
	if (options->ledger == NULL)
		return cs_fail(why, CS_ERR_INVALID, LEDGER " needs a folder");
	CS_TRY(node_ledger_open(&a->ledger, options->ledger, (uint64_t)options->height_max,
				(uint64_t)options->ledger_interval, why));
	*app = node_ledger_table(a->ledger);
	return CS_OK;
}

/* In this process. */
static enum cs_err make_local(struct node_application *a, struct host_loop *loop,
			      const struct node_application_options *options,
			      const struct abci_client_events *events, void *context,
			      struct cs_why *why)
{
	const struct abci_local_options local = {0};
	struct abci_app app;
	if (options->app != NULL)
		app = *options->app;
	else if (strcmp(options->address, PERSISTENT) == 0)
		CS_TRY(make_persistent(a, &app, options, why));
	else if (strcmp(options->address, LEDGER) == 0)
		CS_TRY(make_ledger(a, &app, options, why));
	else
		CS_TRY(make_kvstore(a, &app, options, why));
	a->link = abci_link_local(loop, &app, &local, events, context);
	return CS_OK;
}

/* Connects in the background: whoever started the node first sees what it waits for. */
static enum cs_err make_remote(struct node_application *a, struct host_loop *loop,
			       const struct node_application_options *options,
			       const struct abci_client_events *events, void *context,
			       struct cs_why *why)
{
	struct cs_why inner = {{0}};
	const struct abci_client_options client = {.address = options->address,
						   .insecure_remote = options->insecure_remote,
						   .timeout_ms = options->timeout_ms};
	enum cs_err err = abci_link_socket(&a->link, loop, &client, events, context, &inner);
	if (err == CS_ERR_INVALID)
		return cs_fail(why, err,
			       "proxy_app is " LEDGER ", kvstore, " PERSISTENT
			       ", unix://PATH or tcp://ADDRESS:PORT: %s",
			       inner.text);
	if (err != CS_OK)
		return cs_fail(why, err, "%s", inner.text);
	log_info("node.waits_for_application", LOG_TEXT("address", options->address));
	return CS_OK;
}

static bool is_built_in(const char *address)
{
	return strcmp(address, "kvstore") == 0 || strcmp(address, PERSISTENT) == 0 ||
	       strcmp(address, LEDGER) == 0;
}

enum cs_err node_application_new(struct node_application **out, struct host_loop *loop,
				 const struct node_application_options *options,
				 const struct abci_client_events *events, void *context,
				 struct cs_why *why)
{
	struct node_application *a = host_alloc(sizeof *a);
	enum cs_err err;
	if (options->app != NULL || is_built_in(options->address))
		err = make_local(a, loop, options, events, context, why);
	else
		err = make_remote(a, loop, options, events, context, why);
	if (err != CS_OK) {
		node_application_free(a);
		return err;
	}
	*out = a;
	return CS_OK;
}

static void drop_timed(struct timed *t)
{
	*t->at = t->next;
	if (t->next != NULL)
		t->next->at = t->at;
	free(t);
}

static void on_timed(void *context, enum cs_err err, const char *why,
		     const struct abci_response *response)
{
	const struct timed t = *(struct timed *)context;
	drop_timed(context);
	t.application->observer(t.application->observer_context, t.method,
				host_now_us() - t.began_us);
	t.done(t.context, err, why, response);
}

void node_application_observe(struct node_application *a, node_application_observer *observer,
			      void *context)
{
	a->observer = observer;
	a->observer_context = context;
}

void node_application_call(struct node_application *a, const struct abci_request *request,
			   abci_client_done *done, void *context)
{
	struct timed *t = NULL;
	if (a->observer != NULL) {
		t = host_alloc(sizeof *t);
		*t = (struct timed){a->open,         &a->open,     a, done, context,
				    request->method, host_now_us()};
		if (t->next != NULL)
			t->next->at = &t->next;
		a->open = t;
	}
	enum cs_err err = abci_link_call(a->link, request, t != NULL ? on_timed : done,
					 t != NULL ? t : context);
	if (err == CS_OK)
		return;
	if (t != NULL)
		drop_timed(t);
	done(context, err, cs_err_sentence(err), NULL);
}

void node_application_free(struct node_application *a)
{
	if (a == NULL)
		return;
	abci_link_free(a->link);
	for (struct timed *t = a->open, *next; t != NULL; t = next) {
		next = t->next;
		free(t);
	}
	node_kvstore_db_close(a->db);
	node_ledger_close(a->ledger);
	free(a->kvstore);
	free(a->memory);
	free(a->snapshot_memory);
	free(a);
}
