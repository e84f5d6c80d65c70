/* The application behind the node: a table of functions in this process, or anybody's behind an
 * ABCI socket; whoever asks does not see which. Judges no answer beyond its form; a failure of the
 * application is the node's end, because what it had done is not known. */
#ifndef NODE_APPLICATION_H
#define NODE_APPLICATION_H

#include "relay_state/abci_socket/link.h"
#include "relay_state/node/file.h"

/* Of the built-in kvstore, as it is used. */
#define NODE_KVSTORE_MEMORY_DEFAULT (512u * 1024 * 1024)
/* A snapshot may take a quarter of it. */
#define NODE_KVSTORE_SNAPSHOTS_MEMORY (1024u * 1024 * 1024)

struct node_application;

struct node_application_options {
	const struct abci_app *app; /* in this process, the caller's; NULL: by its address */
	const char *address;        /* "kvstore", "persistent_kvstore": the built-in example;
				       "ledger": the ledger; else host_address_parse */
	bool insecure_remote;
	uint64_t timeout_ms; /* of one answer by socket; 0: abci_client's default */
	/* Of the built-in kvstore: a snapshot at every so many heights; 0: none. The two newest are
	 * kept in the folder, and it begins with the newer one that is not above height_max. */
	int64_t snapshot_interval;
	struct node_folder *folder; /* NULL: nothing is kept */
	int64_t height_max;
	const char *database;    /* of persistent_kvstore: its file */
	const char *ledger;      /* of the ledger: its file */
	int64_t ledger_interval; /* and heights between two of its snapshots; 0: none */
};

/* The errors of abci_client_new; INVALID, IO: the kvstore's snapshots; node_kvstore_db_load's;
 * node_ledger_open's. */
CS_NODISCARD enum cs_err node_application_new(struct node_application **application,
					      struct host_loop *loop,
					      const struct node_application_options *options,
					      const struct abci_client_events *events,
					      void *context, struct cs_why *why);
/* abci_link_call; what cannot be asked is told to done at once. */
void node_application_call(struct node_application *application, const struct abci_request *request,
			   abci_client_done *done, void *context);
/* Told of every answer, how long it took; before `done`. */
typedef void node_application_observer(void *context, enum abci_method method, uint64_t took_us);
void node_application_observe(struct node_application *application,
			      node_application_observer *observer, void *context);
/* Open questions end without a word. NULL is allowed. */
void node_application_free(struct node_application *application);

#endif
