#include "relay_state/node/application.h"

#include "host/alloc.h"
#include "relay_state/abci/kvstore.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

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
	void *memory;
};

static struct abci_app make_kvstore(struct node_application *a)
{
	struct abci_kvstore_options options = {.memory_size = NODE_KVSTORE_MEMORY_DEFAULT};
	a->kvstore = host_alloc(sizeof *a->kvstore);
	a->memory = options.memory = host_alloc(options.memory_size);
	cs_assert(getrandom(options.seed, sizeof options.seed, 0) == (ssize_t)sizeof options.seed);
	enum cs_err err = abci_kvstore_init(a->kvstore, &options);
	cs_assert(err == CS_OK);
	return abci_kvstore_app(a->kvstore);
}

enum cs_err node_application_new(struct node_application **out, struct host_loop *loop,
				 const struct node_application_options *options,
				 const struct abci_client_events *events, void *context,
				 struct cs_why *why)
{
	struct node_application *a = host_alloc(sizeof *a);
	if (options->app != NULL || strcmp(options->address, "kvstore") == 0) {
		const struct abci_local_options local = {0};
		const struct abci_app app = options->app != NULL ? *options->app : make_kvstore(a);
		a->link = abci_link_local(loop, &app, &local, events, context);
	} else {
		const struct abci_client_options client = {.address = options->address,
							   .insecure_remote =
								   options->insecure_remote,
							   .timeout_ms = options->timeout_ms};
		enum cs_err err = abci_link_socket(&a->link, loop, &client, events, context, why);
		if (err != CS_OK) {
			free(a);
			return err;
		}
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
	free(a->kvstore);
	free(a->memory);
	free(a);
}
