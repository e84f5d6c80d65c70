#include "enclave/fetch/fetch.h"

#include "enclave/fetch/heap.h"
#include "enclave/fetch/transfer.h"

#include <openssl/rand.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Of the proxy's messages in one go: it says one or two things about each transfer. */
#define MESSAGES_PER_TURN (2u * FETCH_TRANSFERS_MAX)

struct fetch {
	struct transfer_world world;
	CURLM *multi;
	struct verify_time now;
	uint64_t timer_at_ms; /* libcurl's; UINT64_MAX: none */
	uint64_t id_last;
	uint32_t in_flight;
	size_t poll_count;
	struct pollfd polls[FETCH_POLL_MAX];
	struct transfer *transfers[FETCH_TRANSFERS_MAX]; /* NULL: never used */
	struct transfer *complete_first;
	struct transfer **complete_last;
};

uint64_t fetch_now_ms(void)
{
	struct timespec now;
	cs_assert(clock_gettime(CLOCK_MONOTONIC, &now) == 0);
	return (uint64_t)now.tv_sec * 1000u + (uint64_t)now.tv_nsec / 1000000u;
}

/* ---- what libcurl wants of the loop ---- */

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *context, void *socket)
{
	struct fetch *f = context;
	(void)easy, (void)socket;
	size_t at = 0;
	while (at < f->poll_count && f->polls[at].fd != fd)
		at++;
	if (what == CURL_POLL_REMOVE) {
		if (at < f->poll_count)
			f->polls[at] = f->polls[--f->poll_count];
		return 0;
	}
	/* One entry stays free for the proxy. */
	if (at == f->poll_count && f->poll_count == FETCH_POLL_MAX - 1)
		return -1;
	if (at == f->poll_count)
		f->poll_count++;
	f->polls[at].fd = fd;
	f->polls[at].events = (short)(((what & CURL_POLL_IN) != 0 ? POLLIN : 0) |
				      ((what & CURL_POLL_OUT) != 0 ? POLLOUT : 0));
	return 0;
}

static int on_timer(CURLM *multi, long timeout_ms, void *context)
{
	struct fetch *f = context;
	(void)multi;
	f->timer_at_ms = timeout_ms < 0 ? UINT64_MAX : fetch_now_ms() + (uint64_t)timeout_ms;
	return 0;
}

/* ---- replies ---- */

static void complete(struct fetch *f, struct transfer *t)
{
	t->state = TRANSFER_COMPLETE;
	t->reply.evidence.completed = f->now.low_s;
	t->next = NULL;
	*f->complete_last = t;
	f->complete_last = &t->next;
}

static void hear_proxy(struct fetch *f)
{
	struct wire_egress_reply reply;
	for (size_t n = 0; n < MESSAGES_PER_TURN && egress_hear(&f->world.egress, &reply); n++)
		for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++)
			if (reply.id != 0 && f->transfers[i] != NULL &&
			    f->transfers[i]->egress_id == reply.id)
				f->transfers[i]->egress_status = reply.status;
}

static bool add(struct fetch *f, struct transfer *t)
{
	return curl_multi_add_handle(f->multi, t->easy) == CURLM_OK;
}

static void hop_done(struct fetch *f, CURL *easy, CURLcode result)
{
	char *private = NULL;
	(void)curl_easy_getinfo(easy, CURLINFO_PRIVATE, &private);
	struct transfer *t = (struct transfer *)(void *)private;
	const bool lives = transfer_connection_lives(t);
	(void)curl_multi_remove_handle(f->multi, easy);
	/* The proxy says why before it closes: what it said meanwhile is there now. */
	if (result != CURLE_OK)
		hear_proxy(f);
	if (!transfer_hop_done(t, result, lives, fetch_now_ms())) {
		complete(f, t);
	} else if (!add(f, t)) {
		transfer_time_out(t);
		complete(f, t);
	}
}

static void collect(struct fetch *f)
{
	int left;
	const CURLMsg *message;
	while ((message = curl_multi_info_read(f->multi, &left)) != NULL)
		if (message->msg == CURLMSG_DONE)
			hop_done(f, message->easy_handle, message->data.result);
}

static void end_the_late(struct fetch *f)
{
	const uint64_t now = fetch_now_ms();
	for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++) {
		struct transfer *t = f->transfers[i];
		if (t == NULL || t->state != TRANSFER_RUNNING || now < transfer_deadline_ms(t))
			continue;
		(void)curl_multi_remove_handle(f->multi, t->easy);
		transfer_time_out(t);
		complete(f, t);
	}
}

/* ---- the caller's loop ---- */

size_t fetch_poll_set(const struct fetch *f, struct pollfd *set, size_t max)
{
	size_t count = 0;
	for (; count < f->poll_count && count < max; count++)
		set[count] = f->polls[count];
	if (f->world.egress.fd >= 0 && count < max)
		set[count++] = (struct pollfd){.fd = f->world.egress.fd, .events = POLLIN};
	return count;
}

int fetch_wait_ms(const struct fetch *f)
{
	uint64_t at = f->timer_at_ms;
	if (f->complete_first != NULL)
		return 0;
	for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++) {
		const struct transfer *t = f->transfers[i];
		if (t != NULL && t->state == TRANSFER_RUNNING && transfer_deadline_ms(t) < at)
			at = transfer_deadline_ms(t);
	}
	if (at == UINT64_MAX)
		return -1;
	const uint64_t now = fetch_now_ms();
	return at <= now                       ? 0
	       : at - now > FETCH_TOTAL_MS_MAX ? (int)FETCH_TOTAL_MS_MAX
					       : (int)(at - now);
}

void fetch_step(struct fetch *f, const struct verify_time *now, const struct pollfd *set,
		size_t count)
{
	int running;
	f->now = *now;
	tls_set_now(f->world.tls, now);
	for (size_t i = 0; i < count; i++) {
		if (set[i].revents == 0)
			continue;
		if (set[i].fd == f->world.egress.fd) {
			hear_proxy(f);
			continue;
		}
		const int what =
			((set[i].revents & (POLLIN | POLLHUP)) != 0 ? CURL_CSELECT_IN : 0) |
			((set[i].revents & POLLOUT) != 0 ? CURL_CSELECT_OUT : 0) |
			((set[i].revents & (POLLERR | POLLNVAL)) != 0 ? CURL_CSELECT_ERR : 0);
		(void)curl_multi_socket_action(f->multi, set[i].fd, what, &running);
	}
	if (f->timer_at_ms <= fetch_now_ms()) {
		f->timer_at_ms = UINT64_MAX;
		(void)curl_multi_socket_action(f->multi, CURL_SOCKET_TIMEOUT, 0, &running);
	}
	collect(f);
	end_the_late(f);
}

/* ---- transfers ---- */

static struct transfer *unused(struct fetch *f)
{
	for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++) {
		if (f->transfers[i] == NULL)
			f->transfers[i] = transfer_new(&f->world);
		if (f->transfers[i] == NULL || f->transfers[i]->state == TRANSFER_UNUSED)
			return f->transfers[i];
	}
	return NULL;
}

enum cs_err fetch_start(struct fetch *f, uint64_t *id, const struct fetch_request *request)
{
	enum wire_oracle_code code;
	if (f->in_flight == FETCH_TRANSFERS_MAX)
		return CS_ERR_FULL;
	struct transfer *t = unused(f);
	if (t == NULL)
		return CS_ERR_NO_MEMORY;
	CS_TRY(transfer_begin(t, &code, request, fetch_now_ms()));
	t->reply.id = ++f->id_last;
	if (code != WIRE_ORACLE_OK) {
		t->reply.code = t->reply.evidence.code = code;
		t->reply.why = code == WIRE_ORACLE_NOT_ALLOWED ? "the host is not allowed"
							       : "the request is malformed";
		complete(f, t);
	} else if (!transfer_prepare(t, fetch_now_ms()) || !add(f, t)) {
		transfer_end(t);
		return CS_ERR_NO_MEMORY;
	} else {
		t->state = TRANSFER_RUNNING;
	}
	f->in_flight++;
	*id = t->reply.id;
	return CS_OK;
}

bool fetch_cancel(struct fetch *f, uint64_t id)
{
	for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++) {
		struct transfer *t = f->transfers[i];
		if (t == NULL || t->state == TRANSFER_UNUSED || t->state == TRANSFER_TAKEN ||
		    t->reply.id != id)
			continue;
		if (t->state == TRANSFER_RUNNING) {
			(void)curl_multi_remove_handle(f->multi, t->easy);
		} else {
			struct transfer **at = &f->complete_first;
			while (*at != t)
				at = &(*at)->next;
			*at = t->next;
			if (f->complete_last == &t->next)
				f->complete_last = at;
		}
		transfer_end(t);
		f->in_flight--;
		return true;
	}
	return false;
}

bool fetch_take(struct fetch *f, const struct fetch_reply **reply)
{
	struct transfer *t = f->complete_first;
	if (t == NULL)
		return false;
	f->complete_first = t->next;
	if (f->complete_first == NULL)
		f->complete_last = &f->complete_first;
	t->state = TRANSFER_TAKEN;
	*reply = &t->reply;
	return true;
}

void fetch_release(struct fetch *f, const struct fetch_reply *reply)
{
	for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++) {
		struct transfer *t = f->transfers[i];
		if (t == NULL || &t->reply != reply)
			continue;
		cs_assert(t->state == TRANSFER_TAKEN);
		transfer_end(t);
		f->in_flight--;
		return;
	}
	cs_assert(!"a reply that was taken");
}

uint32_t fetch_in_flight(const struct fetch *f)
{
	return f->in_flight;
}

/* ---- the whole ---- */

static bool set_up(struct fetch *f)
{
	int bad = 0;
	f->multi = curl_multi_init();
	f->world.share = curl_share_init();
	if (f->multi == NULL || f->world.share == NULL)
		return false;
#define SET(option, value) bad |= (int)curl_multi_setopt(f->multi, CURLMOPT_##option, value)
	SET(SOCKETFUNCTION, on_socket);
	SET(SOCKETDATA, f);
	SET(TIMERFUNCTION, on_timer);
	SET(TIMERDATA, f);
	SET(MAX_TOTAL_CONNECTIONS, (long)FETCH_CONNECTIONS_MAX);
	SET(MAX_HOST_CONNECTIONS, (long)FETCH_CONNECTIONS_HOST_MAX);
	SET(MAXCONNECTS, (long)FETCH_CONNECTIONS_MAX / 2);
#undef SET
	bad |= (int)curl_share_setopt(f->world.share, CURLSHOPT_SHARE, CURL_LOCK_DATA_SSL_SESSION);
	return bad == 0;
}

/* What is loaded when it is first used is used now: libc's time zone (for every date of a certificate),
 * OpenSSL's algorithms and random numbers. */
static bool warm_up(void)
{
	struct tm tm;
	uint8_t bytes[32];
	const time_t epoch = 0;
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL *ssl = ctx == NULL ? NULL : SSL_new(ctx);
	const bool good = gmtime_r(&epoch, &tm) != NULL && ssl != NULL &&
			  RAND_bytes(bytes, sizeof bytes) == 1 &&
			  RAND_priv_bytes(bytes, sizeof bytes) == 1;
	SSL_free(ssl);
	SSL_CTX_free(ctx);
	return good;
}

enum cs_err fetch_new(struct fetch **out, const struct fetch_options *options, struct cs_why *why)
{
	if (curl_global_init_mem(CURL_GLOBAL_SSL, heap_malloc, heap_free, heap_realloc, heap_strdup,
				 heap_calloc) != CURLE_OK ||
	    !warm_up())
		return CS_ERR_CRYPTO;
	struct fetch *f = calloc(1, sizeof *f);
	if (f == NULL)
		return CS_ERR_NO_MEMORY;
	f->world.egress.fd = options->egress_fd;
	f->world.literals_allowed = options->literals_allowed;
	f->world.private_allowed = options->private_allowed;
	f->timer_at_ms = UINT64_MAX;
	f->complete_last = &f->complete_first;
	enum cs_err err = tls_new(&f->world.tls, options, why);
	if (err == CS_OK && !set_up(f))
		err = CS_ERR_NO_MEMORY;
	if (err != CS_OK) {
		fetch_free(f);
		return err;
	}
	*out = f;
	return CS_OK;
}

void fetch_free(struct fetch *f)
{
	if (f == NULL)
		return;
	for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++) {
		if (f->transfers[i] == NULL)
			continue;
		if (f->transfers[i]->state == TRANSFER_RUNNING)
			(void)curl_multi_remove_handle(f->multi, f->transfers[i]->easy);
		transfer_free(f->transfers[i]);
	}
	(void)curl_multi_cleanup(f->multi);
	(void)curl_share_cleanup(f->world.share);
	tls_free(f->world.tls);
	free(f);
}
