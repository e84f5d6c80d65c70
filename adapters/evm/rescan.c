/*~ The reconciler finds what nobody announced: it asks again for the logs of recent blocks that may
 * hold an event, from another endpoint where there is one, and compares; again and
 * again, at pauses that double. It has its own timer, one request at a time and a bound on the logs
 * of one request: the live path never waits for it. */
#include "adapters/evm/inner.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define RESCANS_MAX 8
/* Heights of one request: a pause lies between two of them. */
#define RESCAN_STEP 2000
#define RESCAN_PAUSE_MS 20
/* One request ends before the block with which more logs than these are known. */
#define RESCAN_LOGS 500
/* The newest blocks are the watcher's. */
#define RECONCILE_DISTANCE 1

struct rescan {
	uint64_t from;
	uint64_t to;
	adapter_done_fn *done; /* NULL: the reconciler's own */
	void *ctx;
};

struct evm_rescan {
	struct evm *evm;
	struct host_timer *timer;
	struct host_timer *pause;
	uint64_t round;
	struct rescan queue[RESCANS_MAX + 1];
	size_t count;
	bool busy;
	uint64_t asked_to;
	size_t endpoint;
	struct evm_logs logs;
	size_t at; /* first log that was not looked at */
};

static void work(struct evm_rescan *rescan);

static void pop(struct evm_rescan *rescan, enum cs_err err, const char *why)
{
	struct rescan first = rescan->queue[0];

	rescan->count--;
	memmove(&rescan->queue[0], &rescan->queue[1], rescan->count * sizeof(rescan->queue[0]));
	evm_logs_clear(&rescan->logs);
	rescan->busy = false;
	if (first.done != NULL)
		first.done(first.ctx, err, why);
	if (rescan->count > 0 && !rescan->evm->ending)
		host_timer_start(rescan->pause, RESCAN_PAUSE_MS, 0);
}

/* Logs from `at` on that are of the same height. */
static size_t group(const struct evm_rescan *rescan)
{
	size_t end = rescan->at;

	while (end < rescan->logs.count && rescan->logs.logs[end].at.block.height ==
						   rescan->logs.logs[rescan->at].at.block.height)
		end++;
	return end - rescan->at;
}

static void report(struct evm_rescan *rescan, const struct evm_header *header, size_t count)
{
	struct evm *evm = rescan->evm;
	uint64_t height = header->public.id.height;
	size_t known = evm_watch_log_count(evm->watch, height);

	if (known == EVM_WATCH_COUNT_UNKNOWN || count > known) {
		evm->counters.late += known == EVM_WATCH_COUNT_UNKNOWN ? 0 : count - known;
		evm_watch_set_log_count(evm->watch, height, count);
	}
	evm_report_block(evm, header, rescan->logs.logs + rescan->at, count, true);
	rescan->at += count;
}

static void header_done(void *ctx, enum cs_err err, const char *why, struct evm_header *header)
{
	struct evm_rescan *rescan = ctx;

	if (err != CS_OK) {
		pop(rescan, err, why);
		return;
	}
	report(rescan, header, group(rescan));
	work(rescan);
}

/* For the reconciler: nothing new here, or another block than the one that was reported. */
static bool is_settled(const struct evm *evm, const struct adapter_block_id *id, size_t count)
{
	size_t known = evm_watch_log_count(evm->watch, id->height);
	struct cs_hash hash;

	if (!evm_watch_hash(evm->watch, id->height, &hash))
		return true;
	if (!cs_hash_eq(&hash, &id->hash)) {
		evm_watch_kick(evm->watch); /* the watcher finds the fork */
		return true;
	}
	return known != EVM_WATCH_COUNT_UNKNOWN && count <= known;
}

/* True: this block is done without asking. */
static bool settle_block(struct evm_rescan *rescan, size_t count)
{
	struct evm *evm = rescan->evm;
	const struct adapter_block_id *id = &rescan->logs.logs[rescan->at].at.block;
	struct evm_header *header = evm_watch_header(evm->watch, id->height);

	if (rescan->queue[0].done == NULL && is_settled(evm, id, count)) {
		rescan->at += count;
		return true;
	}
	if (header == NULL)
		return false;
	if (cs_hash_eq(&header->public.id.hash, &id->hash)) {
		report(rescan, header, count);
	} else {
		rescan->at += count;
		evm_watch_kick(evm->watch);
	}
	return true;
}

static void logs_done(void *ctx, enum cs_err err, const char *why, struct evm_logs *logs,
		      size_t endpoint)
{
	struct evm_rescan *rescan = ctx;

	if (err != CS_OK) {
		pop(rescan, err, why);
		return;
	}
	rescan->endpoint = endpoint;
	rescan->logs = *logs;
	*logs = (struct evm_logs){NULL, 0, 0};
	rescan->at = 0;
	work(rescan);
}

/* Block by block through what came, then on to the next range. */
static void work(struct evm_rescan *rescan)
{
	struct rescan *first = &rescan->queue[0];

	while (rescan->at < rescan->logs.count) {
		if (settle_block(rescan, group(rescan)))
			continue;
		enum cs_err err = evm_header_of(
			rescan->evm, &rescan->logs.logs[rescan->at].at.block, header_done, rescan);
		if (err != CS_OK)
			pop(rescan, err, cs_err_sentence(err));
		return;
	}
	for (uint64_t height = first->from; first->done == NULL && height <= rescan->asked_to;
	     height++)
		evm_watch_looked(rescan->evm->watch, height, rescan->round);
	if (rescan->asked_to >= first->to) {
		pop(rescan, CS_OK, "");
		return;
	}
	first->from = rescan->asked_to + 1;
	evm_logs_clear(&rescan->logs);
	rescan->busy = false;
	host_timer_start(rescan->pause, RESCAN_PAUSE_MS, 0);
}

/* The heights of the next request, at from and up to *to. False: there are none. */
static bool stretch(const struct evm_rescan *rescans, struct rescan *rescan, uint64_t *to)
{
	const struct evm_watch *watch = rescans->evm->watch;
	size_t logs = 0;

	if (rescan->done != NULL) {
		*to = rescan->to - rescan->from < RESCAN_STEP ? rescan->to
							      : rescan->from + RESCAN_STEP - 1;
		return true;
	}
	while (rescan->from <= rescan->to &&
	       !evm_watch_wants_look(watch, rescan->from, rescans->round))
		rescan->from++;
	for (uint64_t height = rescan->from; height <= rescan->to; height++) {
		size_t known = evm_watch_log_count(watch, height);

		logs += known == EVM_WATCH_COUNT_UNKNOWN ? 0 : known;
		if (height > rescan->from && logs > RESCAN_LOGS)
			break;
		if (evm_watch_wants_look(watch, height, rescans->round))
			*to = height;
	}
	return rescan->from <= rescan->to;
}

static void on_pause(void *ctx)
{
	struct evm_rescan *rescan = ctx;
	struct rescan *first = &rescan->queue[0];
	struct evm_rpc_options options = {.pin = EVM_RPC_ANY};

	if (rescan->busy || rescan->count == 0)
		return;
	if (!stretch(rescan, first, &rescan->asked_to)) {
		pop(rescan, CS_OK, "");
		return;
	}
	if (first->done == NULL && evm_rpc_endpoint_count(rescan->evm->rpc) > 1)
		options.pin = evm_rpc_other(rescan->evm->rpc, rescan->endpoint);
	rescan->busy = true;
	enum cs_err err = evm_logs_fetch(rescan->evm, &options, first->from, rescan->asked_to,
					 logs_done, rescan);
	if (err != CS_OK)
		pop(rescan, err, cs_err_sentence(err));
}

static void on_round(void *ctx)
{
	struct evm_rescan *rescan = ctx;
	const struct evm_watch *watch = rescan->evm->watch;
	uint64_t low = evm_watch_low(watch);
	uint64_t end = evm_watch_next(watch); /* not included */
	uint64_t back = rescan->evm->config.reconcile_blocks;

	if (rescan->count > 0 || end < low + RECONCILE_DISTANCE + 1)
		return;
	rescan->round++;
	end -= RECONCILE_DISTANCE;
	rescan->queue[rescan->count++] =
		(struct rescan){.from = end - low > back ? end - back : low, .to = end - 1};
	on_pause(rescan);
}

enum cs_err evm_rescan_add(struct evm_rescan *rescan, uint64_t from, uint64_t to,
			   adapter_done_fn *done, void *ctx)
{
	uint64_t next = evm_watch_next(rescan->evm->watch);

	cs_assert(done != NULL);
	if (from > to || from >= next)
		return CS_ERR_INVALID;
	if (rescan->count >= RESCANS_MAX)
		return CS_ERR_FULL;
	rescan->queue[rescan->count++] =
		(struct rescan){from, to < next ? to : next - 1, done, ctx};
	if (!rescan->busy)
		host_timer_start(rescan->pause, 0, 0);
	return CS_OK;
}

struct evm_rescan *evm_rescan_new(struct evm *evm)
{
	struct evm_rescan *rescan = host_alloc(sizeof(*rescan));

	rescan->evm = evm;
	rescan->endpoint = EVM_RPC_ANY;
	rescan->timer = host_timer_new(evm->loop, on_round, rescan);
	rescan->pause = host_timer_new(evm->loop, on_pause, rescan);
	return rescan;
}

void evm_rescan_start(struct evm_rescan *rescan)
{
	host_timer_start(rescan->timer, rescan->evm->config.reconcile_ms,
			 rescan->evm->config.reconcile_ms);
}

void evm_rescan_free(struct evm_rescan *rescan)
{
	if (rescan == NULL)
		return;
	while (rescan->count > 0)
		pop(rescan, CS_ERR_CLOSED, "the adapter ends");
	host_timer_free(rescan->timer);
	host_timer_free(rescan->pause);
	free(rescan);
}
