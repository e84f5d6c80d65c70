#include "relay_state/node/mempool.h"

#include "core/hash.h"
#include "host/alloc.h"

#include <stdlib.h>
#include <string.h>

#define COUNT_DEFAULT 5000u
#define BYTES_DEFAULT (64u * 1024 * 1024)
#define TX_SIZE_DEFAULT (1024u * 1024)
/* Validators are a full mesh: what one of them has told, the others have from itself. What is still
 * here after so long may be what they lack. */
#define MESH_PATIENCE_MS 1000u

struct entry {
	uint8_t *tx; /* owned; NULL: gone, its place goes when it is the first */
	size_t size;
	struct cs_hash hash;
	uint64_t sequence; /* of all, rising */
	int64_t priority;
	int64_t gas;           /* that it wants */
	struct cs_hash sender; /* of its bytes; zero: none */
	uint32_t from;
	bool is_meshed; /* a validator told it, and tells the others itself */
	uint64_t since_ms;
};

/* A ring of hashes and a table to find them by; a slot holds a ring position + 1. */
struct cache {
	struct cs_hash *ring;
	uint64_t *sequences; /* beside the ring: of the entry of this hash; 0: none is here */
	uint32_t *slots;
	uint32_t size, next, slot_count;
};

struct question {
	struct question *next, **at; /* of the mempool's open ones */
	struct question *later;      /* of those that wait for the next update */
	struct node_mempool *mempool;
	uint8_t *tx;
	size_t size;
	struct cs_hash hash;
	uint32_t from;
	uint64_t sequence; /* of a recheck; 0: a new one */
	node_mempool_done *done;
	void *context;
};

struct node_mempool {
	struct node_mempool_options options;
	struct node_application *application;
	struct node_peers **peers;
	host_call *available;
	void *context;
	void (*added)(void *context, size_t size);
	void *added_context;
	struct node_mempool_counts counts;
	size_t data_size_max;  /* of a block */
	int64_t gas_max;       /* of a block; -1: any */
	struct entry *entries; /* by sequence */
	size_t entry_count, entry_room;
	uint32_t count;
	uint64_t bytes;
	uint64_t sequence_next;
	bool told;
	struct cache cache;
	uint32_t checks;
	struct question *asked;
	bool is_held;
	struct question *held, **held_end;
	bool is_up[BFT_PEERS_MAX];
	uint64_t sent[BFT_PEERS_MAX]; /* the peer has had everything below */
};

size_t node_tx_size(struct cs_bytes tx)
{
	return 1 + cs_pb_varint_size(tx.n) + tx.n;
}

/* ---- hashes seen lately ---- */

static void cache_init(struct cache *c, uint32_t size)
{
	c->size = size;
	c->slot_count = 1;
	while (c->slot_count < 4 * size)
		c->slot_count *= 2;
	c->ring = host_calloc(size, sizeof *c->ring);
	c->sequences = host_calloc(size, sizeof *c->sequences);
	c->slots = host_calloc(c->slot_count, sizeof *c->slots);
}

static uint32_t *cache_find(const struct cache *c, const struct cs_hash *hash)
{
	uint32_t at = cs_be32(hash->b) & (c->slot_count - 1);
	while (c->slots[at] != 0 && !cs_hash_eq(&c->ring[c->slots[at] - 1], hash))
		at = (at + 1) & (c->slot_count - 1);
	return &c->slots[at];
}

/* Linear probing: what stands behind the hole moves up when its way leads over it. */
static void cache_remove(struct cache *c, const struct cs_hash *hash)
{
	uint32_t *slot = cache_find(c, hash);
	uint32_t mask = c->slot_count - 1, hole = (uint32_t)(slot - c->slots);
	if (*slot == 0)
		return;
	memset(&c->ring[*slot - 1], 0, sizeof *c->ring);
	c->sequences[*slot - 1] = 0;
	c->slots[hole] = 0;
	for (uint32_t at = (hole + 1) & mask; c->slots[at] != 0; at = (at + 1) & mask) {
		uint32_t home = cs_be32(c->ring[c->slots[at] - 1].b) & mask;
		if (((at - home) & mask) >= ((at - hole) & mask)) {
			c->slots[hole] = c->slots[at];
			c->slots[at] = 0;
			hole = at;
		}
	}
}

/* False: it is there. */
static bool cache_add(struct cache *c, const struct cs_hash *hash)
{
	if (*cache_find(c, hash) != 0)
		return false;
	if (!cs_hash_is_zero(&c->ring[c->next]))
		cache_remove(c, &c->ring[c->next]);
	uint32_t *slot = cache_find(c, hash);
	c->ring[c->next] = *hash;
	*slot = c->next + 1;
	c->next = (c->next + 1) % c->size;
	return true;
}

/* ---- entries ---- */

struct node_mempool *node_mempool_new(const struct node_mempool_options *options,
				      struct node_application *application,
				      struct node_peers **peers, host_call *available,
				      void *context)
{
	struct node_mempool *m = host_alloc(sizeof *m);
	struct node_mempool_options *o = &m->options;
	*o = *options;
	o->count_max = o->count_max != 0 ? o->count_max : COUNT_DEFAULT;
	o->bytes_max = o->bytes_max != 0 ? o->bytes_max : BYTES_DEFAULT;
	o->tx_size_max = o->tx_size_max != 0 ? o->tx_size_max : TX_SIZE_DEFAULT;
	o->per_sender_max = o->per_sender_max != 0 ? o->per_sender_max : o->count_max;
	m->application = application;
	m->peers = peers;
	m->available = available;
	m->context = context;
	m->data_size_max = SIZE_MAX;
	m->gas_max = -1;
	m->sequence_next = 1;
	cache_init(&m->cache, o->count_max > NODE_MEMPOOL_CACHE_DEFAULT / 2
				      ? 2 * o->count_max
				      : NODE_MEMPOOL_CACHE_DEFAULT);
	return m;
}

static void forget(struct node_mempool *m, struct entry *e)
{
	free(e->tx);
	e->tx = NULL;
	m->count--;
	m->bytes -= e->size;
}

static void compact(struct node_mempool *m)
{
	size_t n = 0;
	for (size_t i = 0; i < m->entry_count; i++) {
		if (m->entries[i].tx != NULL)
			m->entries[n++] = m->entries[i];
	}
	m->entry_count = n;
}

/* The first entry of at least this sequence. */
static size_t find_sequence(const struct node_mempool *m, uint64_t sequence)
{
	size_t low = 0, high = m->entry_count;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (m->entries[middle].sequence < sequence)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool fits_block(const struct node_mempool *m, struct cs_bytes tx)
{
	return node_tx_size(tx) <= m->data_size_max;
}

static bool fits_gas(const struct node_mempool *m, int64_t gas)
{
	return m->gas_max < 0 || (gas >= 0 && gas <= m->gas_max);
}

void node_mempool_bound(struct node_mempool *m, size_t data_size_max, int64_t gas_max)
{
	m->data_size_max = data_size_max;
	m->gas_max = gas_max;
	for (size_t i = 0; i < m->entry_count; i++) {
		struct entry *e = &m->entries[i];
		if (e->tx == NULL ||
		    (fits_block(m, cs_bytes(e->tx, e->size)) && fits_gas(m, e->gas)))
			continue;
		cache_remove(&m->cache, &e->hash);
		forget(m, e);
		m->counts.evicted++;
	}
}

static bool has_room(const struct node_mempool *m, size_t size)
{
	return m->count < m->options.count_max && m->bytes + size <= m->options.bytes_max;
}

/* ---- gossip ---- */

static bool is_validator(const struct node_mempool *m, uint32_t peer)
{
	const struct node_peer_info *info =
		*m->peers != NULL ? node_peers_info(*m->peers, peer) : NULL;
	return info != NULL && info->is_validator;
}

static bool tell(const struct node_mempool *m, uint32_t peer, const struct entry *e)
{
	return e->tx == NULL || e->from == peer ||
	       node_peers_send_tx(*m->peers, peer, cs_bytes(e->tx, e->size)) == CS_OK;
}

void node_mempool_push(struct node_mempool *m, uint32_t peer)
{
	if (!m->options.broadcast || peer >= BFT_PEERS_MAX || !m->is_up[peer] || *m->peers == NULL)
		return;
	bool is_of_mesh = is_validator(m, peer);
	for (size_t i = find_sequence(m, m->sent[peer]); i < m->entry_count; i++) {
		const struct entry *e = &m->entries[i];
		if (!(e->is_meshed && is_of_mesh) && !tell(m, peer, e))
			return;
		m->sent[peer] = e->sequence + 1;
	}
}

/* A validator that is connected to some of the others only must not keep a transaction from them. */
static void mend_mesh(struct node_mempool *m)
{
	uint64_t now_ms = host_now_ms();
	if (!m->options.broadcast || *m->peers == NULL)
		return;
	for (size_t i = 0; i < m->entry_count; i++) {
		struct entry *e = &m->entries[i];
		bool is_told = true;
		if (!e->is_meshed || now_ms - e->since_ms < MESH_PATIENCE_MS)
			continue;
		for (uint32_t p = 0; p < BFT_PEERS_MAX && is_told; p++)
			is_told = !m->is_up[p] || !is_validator(m, p) || tell(m, p, e);
		/* Whoever's queue is full gets it, and the others again, after the next block. */
		e->is_meshed = !is_told;
	}
}

void node_mempool_peer_up(struct node_mempool *m, uint32_t peer)
{
	m->is_up[peer] = true;
	m->sent[peer] = 0;
	node_mempool_push(m, peer);
}

void node_mempool_peer_down(struct node_mempool *m, uint32_t peer)
{
	m->is_up[peer] = false;
	/* Its place may be another's next: what came from it was not had by that one. */
	for (size_t i = 0; i < m->entry_count; i++) {
		if (m->entries[i].from == peer)
			m->entries[i].from = BFT_PEER_NONE;
	}
}

/* ---- questions ---- */

static struct question *question_new(struct node_mempool *m)
{
	struct question *q = host_alloc(sizeof *q);
	q->mempool = m;
	q->later = NULL;
	q->next = m->asked;
	q->at = &m->asked;
	if (q->next != NULL)
		q->next->at = &q->next;
	m->asked = q;
	return q;
}

static void question_free(struct question *q)
{
	*q->at = q->next;
	if (q->next != NULL)
		q->next->at = q->at;
	free(q->tx);
	free(q);
}

/* ---- admission ---- */

static bool read_number(int64_t *number, struct cs_bytes text)
{
	char copy[24];
	if (text.n == 0 || text.n >= sizeof copy)
		return false;
	memcpy(copy, text.p, text.n);
	copy[text.n] = 0;
	return cometbft_unnumber(number, copy) == CS_OK;
}

static bool is_named(struct cs_bytes bytes, const char *name)
{
	return cs_bytes_eq(bytes, cs_bytes_str(name));
}

static void read_hints(struct entry *e, const struct abci_check_tx_response *response)
{
	for (size_t i = 0; i < response->events.count; i++) {
		const struct abci_event *event = &response->events.items[i];
		if (!is_named(event->type, "mempool"))
			continue;
		for (size_t k = 0; k < event->attributes.count; k++) {
			const struct abci_event_attribute *a = &event->attributes.items[k];
			if (is_named(a->key, "priority"))
				(void)read_number(&e->priority, a->value);
			if (is_named(a->key, "sender"))
				e->sender = cs_sha256(a->value);
		}
	}
}

static bool sender_is_full(const struct node_mempool *m, const struct cs_hash *sender)
{
	uint32_t count = 0;
	if (cs_hash_is_zero(sender))
		return false;
	for (size_t i = 0; i < m->entry_count; i++)
		count += m->entries[i].tx != NULL && cs_hash_eq(&m->entries[i].sender, sender);
	return count >= m->options.per_sender_max;
}

static void keep(struct node_mempool *m, const struct entry *e)
{
	if (m->entry_count == m->entry_room) {
		m->entry_room = m->entry_room == 0 ? 64 : 2 * m->entry_room;
		m->entries = host_grow(m->entries, m->entry_room * sizeof *m->entries);
	}
	m->entries[m->entry_count++] = *e;
	uint32_t slot = *cache_find(&m->cache, &e->hash);
	if (slot != 0)
		m->cache.sequences[slot - 1] = e->sequence;
	m->count++;
	m->bytes += e->size;
	if (m->added != NULL)
		m->added(m->added_context, e->size);
	for (uint32_t i = 0; i < BFT_PEERS_MAX; i++)
		node_mempool_push(m, i);
	if (!m->told) {
		m->told = true;
		m->available(m->context);
	}
}

static enum cs_err admit(struct node_mempool *m, struct question *q,
			 const struct abci_check_tx_response *response, const char **why)
{
	struct entry e = {.size = q->size,
			  .gas = response->gas_wanted,
			  .hash = q->hash,
			  .from = q->from,
			  .is_meshed = is_validator(m, q->from),
			  .since_ms = host_now_ms()};
	if (response->code != 0) {
		m->counts.failed++;
		return CS_OK;
	}
	/* The size once more: a block may have come since it was asked about. */
	if (!fits_gas(m, e.gas) || !fits_block(m, cs_bytes(q->tx, q->size))) {
		m->counts.failed++;
		*why = "it wants more gas or bytes than a block has";
		return CS_ERR_TOO_LARGE;
	}
	read_hints(&e, response);
	if (!has_room(m, q->size) || sender_is_full(m, &e.sender)) {
		m->counts.rejected++;
		*why = has_room(m, q->size) ? "the sender has too many transactions here"
					    : "mempool is full";
		return CS_ERR_FULL;
	}
	e.tx = q->tx;
	q->tx = NULL;
	e.sequence = m->sequence_next++;
	keep(m, &e);
	return CS_OK;
}

static void on_checked(void *context, enum cs_err err, const char *why,
		       const struct abci_response *response)
{
	struct question *q = context;
	struct node_mempool *m = q->mempool;
	const struct abci_check_tx_response *checked = err == CS_OK ? &response->check_tx : NULL;
	m->checks--;
	if (err == CS_OK)
		err = admit(m, q, checked, &why);
	/* What was refused may be good later. */
	if (err != CS_OK || checked->code != 0)
		cache_remove(&m->cache, &q->hash);
	if (q->done != NULL)
		q->done(q->context, err, why, err == CS_OK ? checked : NULL);
	question_free(q);
}

static void ask_new(struct question *q)
{
	const struct abci_request request = {
		.method = ABCI_CHECK_TX, .check_tx = {cs_bytes(q->tx, q->size), ABCI_CHECK_TX_NEW}};
	node_application_call(q->mempool->application, &request, on_checked, q);
}

void node_mempool_add(struct node_mempool *m, struct cs_bytes tx, uint32_t peer,
		      node_mempool_done *done, void *context)
{
	const char *why = NULL;
	enum cs_err err = CS_OK;
	struct cs_hash hash = cs_sha256(tx);
	if (tx.n > m->options.tx_size_max) {
		err = CS_ERR_TOO_LARGE;
		why = "Tx too large";
	} else if (!fits_block(m, tx)) {
		err = CS_ERR_TOO_LARGE;
		why = "Tx larger than a block's data";
	} else if (!has_room(m, tx.n) || m->checks >= NODE_MEMPOOL_CHECKS_MAX) {
		err = CS_ERR_FULL;
		why = "mempool is full";
	} else if (!cache_add(&m->cache, &hash)) {
		err = CS_ERR_DUPLICATE;
		why = "tx already exists in cache";
	}
	if (err != CS_OK) {
		m->counts.rejected += err == CS_ERR_FULL;
		if (done != NULL)
			done(context, err, why, NULL);
		return;
	}
	struct question *q = question_new(m);
	q->tx = host_copy(tx);
	q->size = tx.n;
	q->hash = hash;
	q->from = peer;
	q->done = done;
	q->context = context;
	m->checks++;
	if (!m->is_held) {
		ask_new(q);
		return;
	}
	*m->held_end = q;
	m->held_end = &q->later;
}

void node_mempool_hold(struct node_mempool *m)
{
	if (m->is_held)
		return;
	m->is_held = true;
	m->held = NULL;
	m->held_end = &m->held;
}

static void let_go(struct node_mempool *m)
{
	struct question *q = m->is_held ? m->held : NULL;
	m->is_held = false;
	m->held = NULL;
	while (q != NULL) {
		struct question *later = q->later;
		ask_new(q);
		q = later;
	}
}

/* ---- proposals ---- */

static int by_priority(const void *a, const void *b)
{
	const struct entry *x = *(const struct entry *const *)a;
	const struct entry *y = *(const struct entry *const *)b;
	if (x->priority != y->priority)
		return x->priority > y->priority ? -1 : 1;
	return x->sequence < y->sequence ? -1 : x->sequence > y->sequence;
}

enum cs_err node_mempool_pick(const struct node_mempool *m, struct abci_bytes_list *txs,
			      size_t size_max, struct cs_arena *arena)
{
	size_t n = 0, used = 0, count = 0;
	int64_t gas = 0;
	struct cs_bytes *list = cs_arena_calloc(arena, m->count + 1, sizeof *list);
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): of a pointer it is */
	const struct entry **order = cs_arena_calloc(arena, m->count + 1, sizeof *order);
	if (list == NULL || order == NULL)
		return CS_ERR_NO_MEMORY;
	for (size_t i = 0; i < m->entry_count; i++) {
		if (m->entries[i].tx != NULL)
			order[n++] = &m->entries[i];
	}
	/* NOLINTNEXTLINE(bugprone-sizeof-expression): as above */
	qsort(order, n, sizeof *order, by_priority);
	for (size_t i = 0; i < n && count < CMT_TXS_MAX; i++) {
		struct cs_bytes tx = cs_bytes(order[i]->tx, order[i]->size);
		if (used + node_tx_size(tx) > size_max ||
		    (m->gas_max >= 0 && order[i]->gas > m->gas_max - gas))
			break;
		used += node_tx_size(tx);
		gas += m->gas_max >= 0 ? order[i]->gas : 0;
		list[count++] = tx;
	}
	*txs = (struct abci_bytes_list){list, count};
	return CS_OK;
}

/* ---- after a block ---- */

static void on_rechecked(void *context, enum cs_err err, const char *why,
			 const struct abci_response *response)
{
	struct question *q = context;
	struct node_mempool *m = q->mempool;
	(void)why;
	if (err == CS_OK && response->check_tx.code != 0) {
		size_t at = find_sequence(m, q->sequence);
		if (at < m->entry_count && m->entries[at].sequence == q->sequence &&
		    m->entries[at].tx != NULL) {
			cache_remove(&m->cache, &m->entries[at].hash);
			forget(m, &m->entries[at]);
			m->counts.evicted++;
		}
	}
	question_free(q);
}

/* An answer may come at once and take its entry away; the array itself stays meanwhile. */
static void recheck(struct node_mempool *m)
{
	for (size_t i = 0; i < m->entry_count; i++) {
		struct entry *e = &m->entries[i];
		if (e->tx == NULL)
			continue;
		struct question *q = question_new(m);
		q->sequence = e->sequence;
		m->counts.rechecked++;
		struct abci_request request = {
			.method = ABCI_CHECK_TX,
			.check_tx = {cs_bytes(e->tx, e->size), ABCI_CHECK_TX_RECHECK}};
		node_application_call(m->application, &request, on_rechecked, q);
	}
}

/* Most are found by the cache; one whose hash the cache has let go is looked for. */
static void remove_hash(struct node_mempool *m, const struct cs_hash *hash)
{
	uint32_t slot = *cache_find(&m->cache, hash);
	size_t at = 0, end = m->entry_count;
	if (slot != 0) {
		at = find_sequence(m, m->cache.sequences[slot - 1]);
		end = at < end ? at + 1 : end;
	}
	for (; at < end; at++) {
		if (m->entries[at].tx != NULL && cs_hash_eq(&m->entries[at].hash, hash)) {
			forget(m, &m->entries[at]);
			return;
		}
	}
}

void node_mempool_update(struct node_mempool *m, int64_t height, const struct cs_bytes *txs,
			 size_t count, const struct abci_finalize_block_response *results)
{
	(void)height;
	for (size_t i = 0; i < count; i++) {
		struct cs_hash hash = cs_sha256(txs[i]);
		remove_hash(m, &hash);
		if (i < results->tx_results.count && results->tx_results.items[i].code == 0)
			(void)cache_add(&m->cache, &hash);
		else
			cache_remove(&m->cache, &hash);
	}
	compact(m);
	mend_mesh(m);
	if (m->options.recheck)
		recheck(m);
	let_go(m);
	m->told = m->count > 0;
	if (m->told)
		m->available(m->context);
}

/* ---- looking ---- */

struct node_mempool_counts node_mempool_counts(const struct node_mempool *m)
{
	return m->counts;
}

void node_mempool_on_added(struct node_mempool *m, void (*added)(void *context, size_t size),
			   void *context)
{
	m->added = added;
	m->added_context = context;
}

uint32_t node_mempool_count(const struct node_mempool *m)
{
	return m->count;
}

uint64_t node_mempool_bytes(const struct node_mempool *m)
{
	return m->bytes;
}

size_t node_mempool_list(const struct node_mempool *m, struct cs_bytes *list, size_t count)
{
	size_t n = 0;
	for (size_t i = 0; i < m->entry_count && n < count; i++) {
		if (m->entries[i].tx != NULL)
			list[n++] = cs_bytes(m->entries[i].tx, m->entries[i].size);
	}
	return n;
}

void node_mempool_flush(struct node_mempool *m)
{
	for (size_t i = 0; i < m->entry_count; i++) {
		if (m->entries[i].tx == NULL)
			continue;
		cache_remove(&m->cache, &m->entries[i].hash);
		forget(m, &m->entries[i]);
	}
	compact(m);
}

void node_mempool_free(struct node_mempool *m)
{
	if (m == NULL)
		return;
	node_mempool_flush(m);
	/* The application is gone: nobody answers these. */
	for (struct question *q = m->asked, *next; q != NULL; q = next) {
		next = q->next;
		free(q->tx);
		free(q);
	}
	free(m->entries);
	free(m->cache.ring);
	free(m->cache.sequences);
	free(m->cache.slots);
	free(m);
}
