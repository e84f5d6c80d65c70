#include "relay_state/node/indexer.h"

#include "host/alloc.h"
#include "host/loop.h"
#include "relay_state/bft/state.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Reading one block and its answer; an answer that needs more is kept but its events are not
 * searched. */
#define ARENA_SIZE BFT_SCRATCH_SIZE(BFT_BLOCK_SIZE_MAX)
#define ARENA_SIZE_MAX (1024u * 1024 * 1024)
/* Behind whatever has a deadline. */
#define NICE_MORE 5

struct node_indexer {
	struct node_index *index;
	bool is_running; /* the thread: begins with the first height */
	pthread_t thread;
	pthread_mutex_t mutex; /* guards what follows, up to the batch */
	pthread_cond_t work, done;
	struct node_indexer_job jobs[NODE_INDEXER_WAITING_MAX]; /* a ring */
	size_t first, count, bytes;
	uint64_t since_ms; /* the first one waits */
	bool is_wanted;    /* somebody settles */
	bool is_over;
	enum cs_err err; /* of the commit at which it ended */
	struct cs_why why;
	/* The thread's: jobs [batch_next, batch_end) are left of this commit. */
	size_t batch_next, batch_end;
	struct cmt_block block;
	struct abci_response answer;
	struct cs_arena arena;
	uint8_t *arena_memory;
};

/* ---- one height ---- */

static void arena_grow(struct node_indexer *i, size_t size)
{
	free(i->arena_memory);
	i->arena_memory = host_alloc(size);
	cs_arena_init(&i->arena, i->arena_memory, size);
}

static enum cs_err read_job(struct node_indexer *i, struct node_indexed *indexed,
			    const struct node_indexer_job *job, struct cs_why *why)
{
	struct cs_arena *arena = &i->arena;
	arena->used = 0;
	CS_TRY(cmt_block_decode(&i->block, job->block, arena, why));
	indexed->block = &i->block;
	if (i->block.evidence_count > 0) {
		struct cs_hash *hashes =
			cs_arena_calloc(arena, i->block.evidence_count, sizeof *hashes);
		if (hashes == NULL)
			return CS_ERR_NO_MEMORY;
		for (size_t k = 0; k < i->block.evidence_count; k++)
			CS_TRY(cmt_evidence_hash(&hashes[k], &i->block.evidence[k], arena));
		indexed->evidence = hashes;
	}
	if (job->results.n == 0)
		return CS_OK;
	CS_TRY(abci_response_decode(&i->answer, arena, job->results, why));
	if (i->answer.method != ABCI_FINALIZE_BLOCK)
		return cs_fail(why, CS_ERR_INVALID, "an answer to another question");
	indexed->results = &i->answer.finalize_block;
	return CS_OK;
}

static enum cs_err next(void *context, struct node_indexed *indexed, struct cs_why *why)
{
	struct node_indexer *i = context;
	if (i->batch_next == i->batch_end)
		return CS_ERR_NOT_FOUND;
	const struct node_indexer_job *job = &i->jobs[i->batch_next++ % NODE_INDEXER_WAITING_MAX];
	if (i->arena_memory == NULL)
		arena_grow(i, ARENA_SIZE);
	indexed->place = job->place;
	indexed->base = job->base;
	for (;;) {
		enum cs_err err = read_job(i, indexed, job, why);
		if (err != CS_ERR_NO_MEMORY)
			return err;
		if (2 * i->arena.size > ARENA_SIZE_MAX) {
			indexed->results = NULL;
			return CS_OK;
		}
		arena_grow(i, 2 * i->arena.size);
	}
}

/* ---- the thread ---- */

static size_t size_of(const struct node_indexer_job *job)
{
	return job->block.n + job->results.n;
}

static void job_done(struct node_indexer_job *job)
{
	free((void *)(uintptr_t)job->block.p);
	free((void *)(uintptr_t)job->results.p);
}

static void wait_for_work(struct node_indexer *i)
{
	while (!i->is_over && !i->is_wanted && i->count < NODE_INDEXER_BATCH &&
	       i->bytes < NODE_INDEXER_BATCH_BYTES) {
		uint64_t until_ms = i->since_ms + NODE_INDEXER_PATIENCE_MS;
		const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
					       .tv_nsec = (long)(until_ms % 1000) * 1000000};
		if (i->count == 0)
			pthread_cond_wait(&i->work, &i->mutex);
		else if (pthread_cond_timedwait(&i->work, &i->mutex, &until) == ETIMEDOUT)
			return;
	}
}

/* Without the mutex: the others only add behind these. */
static enum cs_err write_batch(struct node_indexer *i, size_t first, size_t count,
			       struct cs_why *why)
{
	i->batch_next = first;
	i->batch_end = first + count;
	return node_index_put(i->index, next, i, why);
}

static void take_batch(struct node_indexer *i)
{
	size_t first = i->first, count = i->count;
	enum cs_err err = i->err;
	struct cs_why why = {{0}};
	pthread_mutex_unlock(&i->mutex);
	if (err == CS_OK)
		err = write_batch(i, first, count, &why);
	pthread_mutex_lock(&i->mutex);
	if (err != CS_OK && i->err == CS_OK) {
		i->err = err;
		i->why = why;
	}
	for (size_t k = 0; k < count; k++) {
		struct node_indexer_job *job = &i->jobs[(first + k) % NODE_INDEXER_WAITING_MAX];
		i->bytes -= size_of(job);
		job_done(job);
	}
	i->first = (first + count) % NODE_INDEXER_WAITING_MAX;
	i->count -= count;
	i->since_ms = host_now_ms();
	i->is_wanted = i->is_wanted && i->count > 0;
	pthread_cond_signal(&i->done);
}

static void *run(void *context)
{
	struct node_indexer *i = context;
	(void)setpriority(PRIO_PROCESS, (id_t)gettid(), getpriority(PRIO_PROCESS, 0) + NICE_MORE);
	pthread_mutex_lock(&i->mutex);
	for (;;) {
		wait_for_work(i);
		if (i->count == 0 && i->is_over)
			break;
		if (i->count > 0)
			take_batch(i);
		else
			i->is_wanted = false;
	}
	pthread_mutex_unlock(&i->mutex);
	return NULL;
}

/* Signals are the loop's. */
static void begin(struct node_indexer *i)
{
	sigset_t all, before;
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &before);
	cs_assert(pthread_create(&i->thread, NULL, run, i) == 0);
	(void)pthread_sigmask(SIG_SETMASK, &before, NULL);
	i->is_running = true;
}

/* ---- the loop's side ---- */

struct node_indexer *node_indexer_new(struct node_index *index)
{
	struct node_indexer *i = host_alloc(sizeof *i);
	pthread_condattr_t attr;
	i->index = index;
	cs_assert(pthread_mutex_init(&i->mutex, NULL) == 0);
	cs_assert(pthread_condattr_init(&attr) == 0);
	cs_assert(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
	cs_assert(pthread_cond_init(&i->work, &attr) == 0);
	cs_assert(pthread_cond_init(&i->done, NULL) == 0);
	(void)pthread_condattr_destroy(&attr);
	return i;
}

void node_indexer_free(struct node_indexer *i)
{
	if (i == NULL)
		return;
	pthread_mutex_lock(&i->mutex);
	i->is_over = true;
	pthread_cond_signal(&i->work);
	pthread_mutex_unlock(&i->mutex);
	if (i->is_running)
		cs_assert(pthread_join(i->thread, NULL) == 0);
	pthread_cond_destroy(&i->done);
	pthread_cond_destroy(&i->work);
	pthread_mutex_destroy(&i->mutex);
	free(i->arena_memory);
	free(i);
}

static enum cs_err told(const struct node_indexer *i, struct cs_why *why)
{
	return i->err == CS_OK ? CS_OK : cs_fail(why, i->err, "%s", i->why.text);
}

static bool has_room(const struct node_indexer *i, size_t size)
{
	return i->count == 0 ||
	       (i->count < NODE_INDEXER_WAITING_MAX && i->bytes + size <= NODE_INDEXER_BYTES_MAX);
}

enum cs_err node_indexer_put(struct node_indexer *i, const struct node_indexer_job *job,
			     struct cs_why *why)
{
	struct node_indexer_job copy = *job;
	copy.block.p = host_copy(job->block);
	copy.results.p = host_copy(job->results);
	if (!i->is_running)
		begin(i);
	pthread_mutex_lock(&i->mutex);
	while (!has_room(i, size_of(job)))
		pthread_cond_wait(&i->done, &i->mutex);
	enum cs_err err = told(i, why);
	if (err == CS_OK) {
		if (i->count == 0)
			i->since_ms = host_now_ms();
		i->jobs[(i->first + i->count++) % NODE_INDEXER_WAITING_MAX] = copy;
		i->bytes += size_of(job);
		pthread_cond_signal(&i->work);
	}
	pthread_mutex_unlock(&i->mutex);
	if (err != CS_OK)
		job_done(&copy);
	return err;
}

enum cs_err node_indexer_settle(struct node_indexer *i, struct cs_why *why)
{
	pthread_mutex_lock(&i->mutex);
	while (i->count > 0) {
		i->is_wanted = true;
		pthread_cond_signal(&i->work);
		pthread_cond_wait(&i->done, &i->mutex);
	}
	enum cs_err err = told(i, why);
	pthread_mutex_unlock(&i->mutex);
	return err;
}

size_t node_indexer_waiting(struct node_indexer *i)
{
	pthread_mutex_lock(&i->mutex);
	size_t count = i->count;
	pthread_mutex_unlock(&i->mutex);
	return count;
}
