#include "enclave/attested.h"

#include "enclave/channel.h"
#include "enclave/port.h"
#include "enclave/ratls.h"

#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

/* Of AttestedReply.data. */
#define OUT_SIZE_MAX (128u * 1024)
/* A request that is not whole yet, and the next piece. */
#define PLAIN_SIZE_MAX (PORT_REQUEST_SIZE_MAX + 96u * 1024)
/* A client shows no certificate: a hello or two, a finished, and what came in one piece with it. */
#define HANDSHAKE_SIZE_MAX (80u * 1024)

struct connection {
	uint64_t number;         /* the host's; 0: the place is free */
	struct channel *channel; /* its port may be one of before */
	struct port port;
};

struct attested {
	struct channel_port *port; /* NULL: no certificate yet */
	uint64_t issued_s;         /* of its certificate */
	struct connection connections[ATTESTED_CONNECTIONS_MAX];
};

/* ---- the certificate ---- */

static enum cs_err evidence_over(struct cs_buf *out, struct enclave_call *call,
				 struct cs_bytes hashed)
{
	const struct enclave *e = call->e;
	uint8_t report_data[WIRE_REPORT_DATA_SIZE];
	ratls_report_data(report_data, hashed);
	CS_TRY(cs_buf_init_arena(out, &call->e->arena, TEE_EVIDENCE_SIZE_MAX));
	return e->tee->evidence(e->tee, out, report_data, &e->measurement, &call->why);
}

/* Gramine's clients verify quotes of SGX, and look for them in their own extension. */
static bool has_clients_of_gramine(const struct enclave *e)
{
	return strcmp(e->tee->backend, "gramine") == 0;
}

static enum cs_err make_certificate(struct cs_buf *out, struct enclave_call *call, EVP_PKEY *key,
				    struct cs_bytes spki, uint64_t issued_s)
{
	struct ratls_content content = {
		.key = key, .not_before_s = issued_s, .not_after_s = issued_s + ATTESTED_LIFE_S};
	struct wire_report report = enclave_report(call->e);
	struct cs_buf claims, evidence, legacy;
	report.key = cs_sha256(spki);
	report.fresh = wire_report_fresh_issued(issued_s);
	const struct cs_hash hash = wire_report_hash(&report);
	CS_TRY(cs_buf_init_arena(&claims, &call->e->arena, RATLS_CLAIMS_SIZE_MAX));
	CS_TRY(ratls_claims(&claims, spki, &hash));
	CS_TRY(evidence_over(&evidence, call, cs_buf_view(&claims)));
	content.claims = cs_buf_view(&claims);
	content.evidence = cs_buf_view(&evidence);
	if (has_clients_of_gramine(call->e)) {
		CS_TRY(evidence_over(&legacy, call, spki));
		content.legacy = cs_buf_view(&legacy);
	}
	CS_TRY(enclave_random(call->e, content.serial, sizeof content.serial));
	CS_TRY(cs_buf_init_arena(out, &call->e->arena, RATLS_CERTIFICATE_SIZE_MAX));
	return ratls_write(out, &content, &call->e->arena);
}

static enum cs_err open_port(struct channel_port **port, struct enclave_call *call, EVP_PKEY *key,
			     const uint8_t spki[RATLS_SPKI_SIZE], uint64_t issued_s)
{
	struct cs_buf certificate;
	CS_TRY(make_certificate(&certificate, call, key, cs_bytes(spki, RATLS_SPKI_SIZE),
				issued_s));
	const struct channel_settings settings = {
		.key = key,
		.certificate = cs_buf_view(&certificate),
		.signatures = "ecdsa_secp256r1_sha256",
		.plain_size_max = PLAIN_SIZE_MAX,
		.handshake_size_max = HANDSHAKE_SIZE_MAX,
	};
	return channel_port_open(port, &settings);
}

static bool is_young(const struct attested *a, uint64_t now_s)
{
	return a->port != NULL && now_s >= a->issued_s && now_s - a->issued_s < ATTESTED_LIFE_S / 2;
}

/* Connections that are there go on with the key of theirs. */
static enum cs_err renew(struct attested *a, struct enclave_call *call)
{
	struct channel_port *port = NULL;
	uint8_t spki[RATLS_SPKI_SIZE];
	EVP_PKEY *key = NULL;
	CS_TRY(enclave_time_check(call));
	if (is_young(a, call->now.low_s))
		return CS_OK;
	const uint64_t issued_s =
		call->now.low_s > ATTESTED_SLACK_S ? call->now.low_s - ATTESTED_SLACK_S : 0;
	CS_TRY(ratls_key_make(&key, spki));
	const enum cs_err err = open_port(&port, call, key, spki, issued_s);
	ratls_key_free(key);
	if (err != CS_OK)
		return err;
	channel_port_free(a->port);
	a->port = port;
	a->issued_s = issued_s;
	return CS_OK;
}

/* ---- connections ---- */

static void end(struct connection *c)
{
	channel_free(c->channel);
	*c = (struct connection){.number = 0};
}

static struct connection *find(struct attested *a, uint64_t number)
{
	for (size_t i = 0; i < CS_LEN(a->connections); i++)
		if (a->connections[i].number == number)
			return &a->connections[i];
	return NULL;
}

static enum cs_err bind(void *context, const struct cs_hash *nonce, struct wire_report_tls *tls)
{
	const struct connection *c = context;
	return channel_binding(c->channel, CS_BYTES_OF(nonce->b), tls);
}

static enum cs_err begin(struct connection **out, struct attested *a, struct enclave_call *call,
			 uint64_t number)
{
	struct connection *c = find(a, 0);
	if (c == NULL)
		return cs_fail(&call->why, CS_ERR_FULL, "%u connections of the attested port",
			       ATTESTED_CONNECTIONS_MAX);
	CS_TRY(renew(a, call));
	c->channel = channel_new(a->port, false);
	if (c->channel == NULL)
		return CS_ERR_NO_MEMORY;
	c->number = number;
	c->port = (struct port){.visitor = {.bind = bind, .context = c}};
	*out = c;
	return CS_OK;
}

/* One frame; the host asks again while another one is there. */
static enum cs_err serve(struct connection *c, struct enclave_call *call)
{
	struct cs_buf plain;
	size_t used = 0;
	CS_TRY(cs_buf_init_arena(&plain, &call->e->arena,
				 WIRE_FRAME_HEAD_SIZE + PORT_REPLY_SIZE_MAX));
	CS_TRY(port_take(&c->port, &used, &plain, call, channel_read(c->channel)));
	if (used == 0)
		return CS_OK;
	channel_drop(c->channel, used);
	return channel_write(c->channel, cs_buf_view(&plain));
}

static enum cs_err reply(struct connection *c, struct enclave_call *call, enum cs_err err)
{
	Caisson__Wire__AttestedReply out = CAISSON__WIRE__ATTESTED_REPLY__INIT;
	char why[32];
	uint8_t *data = cs_arena_alloc(&call->e->arena, OUT_SIZE_MAX);
	if (data == NULL)
		return CS_ERR_NO_MEMORY;
	/* What the other side is still owed: the reply before the one that went wrong, an alert. */
	if (err != CS_OK && err != CS_ERR_CLOSED)
		channel_end(c->channel);
	out.data = wire_pb_bytes(&call->e->arena,
				 cs_bytes(data, channel_take(c->channel, data, OUT_SIZE_MAX)));
	out.over = err != CS_OK;
	out.more = !out.over &&
		   (channel_has_output(c->channel) ||
		    (channel_is_ready(c->channel) && port_is_due(channel_read(c->channel))));
	enclave_printable(why, sizeof why, cs_err_name(err));
	if (err != CS_OK && err != CS_ERR_CLOSED)
		out.why = why;
	return enclave_reply(call, &out.base);
}

static enum cs_err drop(struct connection *c, struct enclave_call *call)
{
	Caisson__Wire__AttestedReply out = CAISSON__WIRE__ATTESTED_REPLY__INIT;
	if (c != NULL)
		end(c);
	out.over = true;
	return enclave_reply(call, &out.base);
}

static enum cs_err answer(void *context, struct enclave_call *call)
{
	const Caisson__Wire__AttestedRequest *in =
		(const Caisson__Wire__AttestedRequest *)call->request;
	struct attested *a = context;
	if (in->connection == 0 || (in->gone && in->data.len > 0))
		return cs_fail(&call->why, CS_ERR_INVALID,
			       "no connection, or bytes of one that is gone");
	struct connection *c = find(a, in->connection);
	if (in->gone)
		return drop(c, call);
	if (c == NULL && in->data.len == 0)
		return cs_fail(&call->why, CS_ERR_NOT_FOUND, "no such connection");
	if (c == NULL)
		CS_TRY(begin(&c, a, call, in->connection));
	enum cs_err err = channel_put(c->channel, wire_pb_view(in->data));
	/* What came before the end of the other side is answered. */
	if ((err == CS_OK || err == CS_ERR_CLOSED) && channel_is_ready(c->channel)) {
		const enum cs_err served = serve(c, call);
		err = served == CS_OK ? err : served;
		if (err == CS_ERR_CLOSED && port_is_due(channel_read(c->channel)))
			err = CS_OK;
	}
	const bool over = err != CS_OK;
	err = reply(c, call, err);
	if (over || err != CS_OK)
		end(c);
	return err;
}

static void forget(void *context)
{
	struct attested *a = context;
	for (size_t i = 0; i < CS_LEN(a->connections); i++)
		end(&a->connections[i]);
}

/* ---- the process ---- */

struct attested *attested_new(void)
{
	if (OPENSSL_init_ssl(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		return NULL;
	/* What is loaded lazily is loaded now. */
	uint8_t spki[RATLS_SPKI_SIZE];
	EVP_PKEY *key = NULL;
	SSL_CTX *context = SSL_CTX_new(TLS_method());
	const bool warm = context != NULL && ratls_key_make(&key, spki) == CS_OK;
	ratls_key_free(key);
	SSL_CTX_free(context);
	return warm ? calloc(1, sizeof(struct attested)) : NULL;
}

void attested_free(struct attested *a)
{
	if (a == NULL)
		return;
	forget(a);
	channel_port_free(a->port);
	free(a);
}

struct enclave_door attested_door(struct attested *a)
{
	return (struct enclave_door){.context = a, .answer = answer, .forget = forget};
}
