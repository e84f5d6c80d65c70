/* HTTPS from inside the enclave: many requests at once, TLS that ends here, and for each response the
 * evidence of the connection that carried it. The host moves ciphertext and learns host, port and
 * sizes; names are its to resolve, so that whoever answers counts only by the certificate. Never
 * follows a name or a redirect that the request does not allow, never speaks anything but HTTPS.
 *
 * libcurl and OpenSSL are used nowhere else in the enclave. Certificates are judged by the time that
 * fetch_step is given; libc's clock measures durations alone. */
#ifndef ENCLAVE_FETCH_FETCH_H
#define ENCLAVE_FETCH_FETCH_H

#include "verify/verify.h"
#include "wire/oracle.h"

#include <poll.h>

/* In flight, those included that wait to be taken. */
#define FETCH_TRANSFERS_MAX 256u
/* Open ones, idle ones included; and towards one host and port over HTTP/1.1. */
#define FETCH_CONNECTIONS_MAX 256u
#define FETCH_CONNECTIONS_HOST_MAX 64u
#define FETCH_POLL_MAX (FETCH_CONNECTIONS_MAX + 32u)
#define FETCH_REDIRECTS_MAX 3u
#define FETCH_HEADERS_MAX 16u
#define FETCH_HOSTS_MAX 4u
#define FETCH_PINS_MAX 4u
/* Of a request: path and query; one header's value; the body. */
#define FETCH_TARGET_SIZE_MAX 8192u
#define FETCH_HEADER_SIZE_MAX 4096u
#define FETCH_BODY_SIZE_MAX 65536u
/* Of a response, where the request does not say: the body; all header lines and trailers. */
#define FETCH_RESPONSE_SIZE_DEFAULT (1024u * 1024)
#define FETCH_RESPONSE_SIZE_MAX (8u * 1024 * 1024)
#define FETCH_HEAD_SIZE_MAX (32u * 1024)
#define FETCH_FIRST_BYTE_MS_DEFAULT 5000u
#define FETCH_TOTAL_MS_DEFAULT 10000u
#define FETCH_TOTAL_MS_MAX 60000u
/* After so long a certificate is asked for again: neither a connection nor a session is used longer. */
#define FETCH_EVIDENCE_AGE_MAX_S 3600u

#define FETCH_ANCHORS_MAX 512u
#define FETCH_LOGS_MAX 128u

/* ---- what the manifest says ---- */

struct fetch_anchor {
	struct cs_bytes der; /* a CA's certificate, self-signed */
	bool private_ca;     /* no public log knows what it issues: sct_min may be 0 */
};

struct fetch_log {
	struct cs_bytes spki;  /* DER of the log's public key */
	uint32_t operator_id;  /* timestamps count once for each operator */
	uint64_t retired_at_s; /* timestamps from then on do not count; 0: in service */
};

struct fetch_options {
	const struct fetch_anchor *anchors;
	size_t anchor_count;
	const struct fetch_log *logs;
	size_t log_count;
	bool literals_allowed; /* IP addresses instead of names */
	bool private_allowed;  /* names and literals of loopback, link-local and private networks */
	int egress_fd;         /* SOCK_SEQPACKET, to the proxy; stays the caller's */
};

struct fetch;

/* Before the sandbox: reads OpenSSL's tables, needs memfd_create and /proc/self/fd once. Everything is
 * copied. INVALID: a certificate that is none or no CA, a log whose key is none; TOO_LARGE; CRYPTO.
 * Each has connections, sessions and a proxy of its own. */
CS_NODISCARD enum cs_err fetch_new(struct fetch **out, const struct fetch_options *options,
				   struct cs_why *why);
/* Transfers in flight end without a reply. NULL is allowed. */
void fetch_free(struct fetch *fetch);

/* ---- requests ---- */

struct fetch_header {
	struct cs_bytes name; /* a lower-case token */
	struct cs_bytes value;
};

struct fetch_host {
	struct cs_bytes name;
	uint16_t port;
};

/* Zeros mean the default in brackets. */
struct fetch_limits {
	size_t response_size_max; /* [1 MiB] */
	uint32_t first_byte_ms;   /* from the start of each hop to its status line [5,000] */
	uint32_t total_ms;        /* redirects included [10,000] */
};

struct fetch_request {
	struct fetch_host host;
	struct cs_bytes target; /* path and query, begins with '/', visible ASCII */
	bool post;
	struct fetch_header headers[FETCH_HEADERS_MAX];
	size_t header_count;
	struct cs_bytes body;                     /* only of a POST */
	struct fetch_host hosts[FETCH_HOSTS_MAX]; /* where a redirect may lead too */
	size_t host_count;
	struct cs_hash pins[FETCH_PINS_MAX]; /* SHA-256 of SPKIs: one must be in the chain */
	size_t pin_count;
	uint8_t sct_min; /* of different operators */
	/* Nothing was asked for: sct_min is 2, and 0 where the chain ends at a private CA. */
	bool sct_min_default;
	uint16_t lifetime_max_days; /* of the leaf; 0: 398 */
	bool stapled;               /* an OCSP response must be there */
	struct fetch_limits limits;
	void *context; /* comes back with the reply */
};

/* Copies the request; what it held of secrets is wiped when the transfer ends. *id (never 0) is for
 * fetch_cancel. A refusal that needs no network is a reply too: NOT_ALLOWED (host, port, literal,
 * private name), SPEC_INVALID (form, bounds). FULL: FETCH_TRANSFERS_MAX; NO_MEMORY. */
CS_NODISCARD enum cs_err fetch_start(struct fetch *fetch, uint64_t *id,
				     const struct fetch_request *request);
/* No reply will come. False: there is no such transfer any more. */
bool fetch_cancel(struct fetch *fetch, uint64_t id);

struct fetch_reply {
	uint64_t id;
	void *context;
	enum wire_oracle_code code; /* OK, or one of 1 to 22 */
	uint32_t status;            /* of HTTP; 0: none */
	struct cs_bytes body;       /* code OK alone; lives until fetch_release */
	/* Of the connection that carried the response; zeros as far as none came about. index,
	 * host_port and response are the caller's to fill. `reused`: the handshake was an earlier
	 * request's, also where its session was resumed. */
	struct wire_evidence_source evidence;
	/* From this time on something that its connections were judged by has expired: a certificate,
	 * or what was stapled. 0: there was no handshake. */
	uint64_t ends_s;
	uint32_t redirects;
	const char *why; /* for people; static or the reply's; holds nothing of the request */
};

/* The next reply that is complete; false: none. Each one taken is released. */
bool fetch_take(struct fetch *fetch, const struct fetch_reply **reply);
void fetch_release(struct fetch *fetch, const struct fetch_reply *reply);
uint32_t fetch_in_flight(const struct fetch *fetch);

/* ---- the caller's loop ----
 *
 *	n = fetch_poll_set(fetch, set, FETCH_POLL_MAX);
 *	poll(set and the caller's own descriptors, fetch_wait_ms(fetch));
 *	fetch_step(fetch, &now, set, n);
 *	while (fetch_take(fetch, &reply)) …
 */

/* What is to be polled now; set has room for max (FETCH_POLL_MAX is enough). */
size_t fetch_poll_set(const struct fetch *fetch, struct pollfd *set, size_t max);
/* -1: no timer runs. 0 when a reply waits to be taken. */
int fetch_wait_ms(const struct fetch *fetch);
/* The clock of its deadlines: monotonic. */
uint64_t fetch_now_ms(void);
/* Moves everything on. now: certificates are judged by it, and it is what `completed` says (its low
 * end); set: as filled by fetch_poll_set and poll. NO_TIME in the high end makes every certificate
 * fail: nothing then says that it has not expired. */
void fetch_step(struct fetch *fetch, const struct verify_time *now, const struct pollfd *set,
		size_t count);

#endif
