/*~ That a block emitted nothing more no header proves, so that a node may leave events out, for want or by ill will:
 * the reconciler asks another endpoint for the blocks with transactions of the last while. Rescans do
 * the same for any range when somebody asks. Both are slow by intention. */
#include "adapters/cometbft/inner.h"
#include "host/alloc.h"

#include <stdlib.h>

/* Heights of one request. */
#define STEP 32
/* Blocks below the newest one that the watcher has just read itself. */
#define DISTANCE 2
#define PAUSE_MS 50
#define RESCANS_MAX 8

struct rescan {
	uint64_t from;
	uint64_t to;
	adapter_done_fn *done; /* NULL: the reconciler's */
	void *ctx;
};

struct comet_rescan {
	struct comet *comet;
	struct host_timer *timer;
	struct host_timer *pause;
	struct rescan queue[RESCANS_MAX + 1];
	size_t count;
	bool busy;
	size_t endpoint; /* that was asked last */
	/* the stretch at hand */
	struct comet_header *full[STEP];
	struct comet_header *above[STEP]; /* of the next height */
	size_t full_count;
	uint64_t asked_to;
};

static void drop(struct comet_rescan *rescan)
{
	for (size_t i = 0; i < rescan->full_count; i++) {
		comet_header_unref(rescan->full[i]);
		comet_header_unref(rescan->above[i]);
	}
	rescan->full_count = 0;
}

static void pop(struct comet_rescan *rescan, enum cs_err err, const char *why)
{
	struct rescan first = rescan->queue[0];

	drop(rescan);
	rescan->busy = false;
	rescan->count--;
	for (size_t i = 0; i < rescan->count; i++)
		rescan->queue[i] = rescan->queue[i + 1];
	if (rescan->count > 0 && !rescan->comet->ending)
		host_timer_start(rescan->pause, PAUSE_MS, 0);
	if (first.done != NULL)
		first.done(first.ctx, err, why);
}

static void next(struct comet_rescan *rescan)
{
	struct rescan *first = &rescan->queue[0];

	drop(rescan);
	if (rescan->asked_to >= first->to) {
		pop(rescan, CS_OK, "");
		return;
	}
	first->from = rescan->asked_to + 1;
	rescan->busy = false;
	host_timer_start(rescan->pause, PAUSE_MS, 0);
}

static bool is_asked_for(const struct comet_rescan *rescan)
{
	return rescan->queue[0].done != NULL;
}

static void contents_done(void *ctx, enum cs_err err, const char *why,
			  struct comet_content *contents, size_t endpoint)
{
	struct comet_rescan *rescan = ctx;
	struct comet *comet = rescan->comet;

	if (err != CS_OK || comet->ending) {
		pop(rescan, err, why);
		return;
	}
	rescan->endpoint = endpoint;
	for (size_t i = 0; i < rescan->full_count; i++) {
		const struct comet_header *header = rescan->full[i];
		size_t known = comet_watch_events(comet->watch, header->public.id.height);

		if (!is_asked_for(rescan) && contents[i].event_count <= known)
			continue;
		size_t found = comet_report_block(comet, header, &contents[i], true);
		comet->counters.late += is_asked_for(rescan) || found <= known ? 0 : found - known;
	}
	next(rescan);
}

static void read_full(struct comet_rescan *rescan)
{
	struct adapter_rpc_options options = {.pin = ADAPTER_RPC_ANY};

	if (rescan->full_count == 0) {
		next(rescan);
		return;
	}
	if (!is_asked_for(rescan) && adapter_rpc_endpoint_count(rescan->comet->nodes.rpc) > 1)
		options.pin = adapter_rpc_other(rescan->comet->nodes.rpc, rescan->endpoint);
	enum cs_err err = comet_contents_fetch(rescan->comet, &options, rescan->full, rescan->above,
					       rescan->full_count, contents_done, rescan);
	if (err != CS_OK)
		pop(rescan, err, cs_err_sentence(err));
}

static void headers_done(void *ctx, enum cs_err err, const char *why,
			 struct comet_header *const *headers, size_t count, size_t endpoint)
{
	struct comet_rescan *rescan = ctx;

	(void)endpoint;
	if (err != CS_OK || rescan->comet->ending) {
		pop(rescan, err, why);
		return;
	}
	/* The last one of the stretch is there for the one below it. */
	for (size_t i = 0; i + 1 < count; i++) {
		struct cs_hash known;
		const struct adapter_block_id *id = &headers[i]->public.id;

		/* What was reported must be what it is. */
		if (comet_watch_hash(rescan->comet->watch, id->height, &known) &&
		    !cs_hash_eq(&known, &id->hash))
			continue;
		if (!comet_header_has_txs(headers[i]))
			continue;
		rescan->full[rescan->full_count] = comet_header_ref(headers[i]);
		rescan->above[rescan->full_count++] = comet_header_ref(headers[i + 1]);
	}
	read_full(rescan);
}

static void on_pause(void *ctx)
{
	struct comet_rescan *rescan = ctx;
	const struct rescan *first = &rescan->queue[0];

	if (rescan->busy || rescan->count == 0)
		return;
	uint64_t left = first->to - first->from + 1;
	size_t count = left < STEP ? (size_t)left : STEP;
	rescan->busy = true;
	rescan->asked_to = first->from + count - 1;
	enum cs_err err = comet_headers_fetch(&rescan->comet->nodes, ADAPTER_RPC_DEFAULT,
					      first->from, count + 1, headers_done, rescan);
	if (err != CS_OK)
		pop(rescan, err, cs_err_sentence(err));
}

/* Above the blocks that can be proven: those below the newest header, as far as they were reported. */
static uint64_t end_of(const struct comet_watch *watch)
{
	const struct comet_header *head = comet_watch_head(watch);
	uint64_t next = comet_watch_next(watch);

	if (head == NULL)
		return 0;
	return next < head->public.id.height ? next : head->public.id.height;
}

static void on_round(void *ctx)
{
	struct comet_rescan *rescan = ctx;
	const struct comet_watch *watch = rescan->comet->watch;
	uint64_t low = comet_watch_low(watch);
	uint64_t end = end_of(watch);
	uint64_t back = rescan->comet->config.reconcile_blocks;

	if (rescan->count > 0 || end < low + DISTANCE + 1)
		return;
	end -= DISTANCE;
	rescan->queue[rescan->count++] =
		(struct rescan){.from = end - low > back ? end - back : low, .to = end - 1};
	on_pause(rescan);
}

enum cs_err comet_rescan_add(struct adapter *adapter, uint64_t from, uint64_t to,
			     adapter_done_fn *done, void *ctx)
{
	struct comet_rescan *rescan = comet_of(adapter)->rescan;
	uint64_t end = end_of(rescan->comet->watch);

	cs_assert(done != NULL);
	if (from == 0)
		from = 1;
	if (from > to || from >= end)
		return CS_ERR_INVALID;
	if (rescan->count >= RESCANS_MAX)
		return CS_ERR_FULL;
	rescan->queue[rescan->count++] = (struct rescan){from, to < end ? to : end - 1, done, ctx};
	if (!rescan->busy)
		host_timer_start(rescan->pause, 0, 0);
	return CS_OK;
}

struct comet_rescan *comet_rescan_new(struct comet *comet)
{
	struct comet_rescan *rescan = host_alloc(sizeof(*rescan));

	rescan->comet = comet;
	rescan->endpoint = ADAPTER_RPC_ANY;
	rescan->timer = host_timer_new(comet->loop, on_round, rescan);
	rescan->pause = host_timer_new(comet->loop, on_pause, rescan);
	return rescan;
}

void comet_rescan_start(struct comet_rescan *rescan)
{
	host_timer_start(rescan->timer, rescan->comet->config.reconcile_ms,
			 rescan->comet->config.reconcile_ms);
}

void comet_rescan_free(struct comet_rescan *rescan)
{
	if (rescan == NULL)
		return;
	while (rescan->count > 0)
		pop(rescan, CS_ERR_CLOSED, "the adapter ends");
	host_timer_free(rescan->timer);
	host_timer_free(rescan->pause);
	free(rescan);
}
