/* A key server's service, whose host and whose peers are the test: what waits for the state to be kept, what
 * the host may not do, and whom TLS and evidence keep out. The peers speak real TLS. */
#include "enclave/cluster/channel.h"
#include "host.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>

/* ---- a peer ---- */

struct peer {
	struct host *host;
	struct scene_build build;
	struct cluster_tools tools;
	struct cluster_guard guard;
	struct channel_port *port;
	struct channel *channel;
	struct cluster_session session;
	uint32_t number;
	bool ended;
	struct cs_why why;
};

static enum cs_err judge_any(void *context, struct cs_bytes der)
{
	struct cs_ed25519_key key;
	(void)context;
	return cluster_certificate_key(&key, der);
}

static struct channel_port *port_of(struct host *host, const struct cluster_pair *identity)
{
	uint8_t der[CLUSTER_CERTIFICATE_SIZE_MAX];
	struct cs_buf buf;
	struct channel_port *port = NULL;
	const struct cluster_certificate certificate = {
		.role = CLUSTER_GUARD,
		.insecure = true,
		.lineage = host->manifest->hash,
		.serial = {0x41},
		.key = identity->key,
		.issuer = identity->key,
		.not_before_s = SCENE_NOW - 60,
		.not_after_s = SCENE_NOW + 3600,
	};
	cs_buf_init(&buf, der, sizeof der);
	ok(cluster_certificate_write(&buf, &certificate, &identity->secret));
	ok(channel_port_new(&port, &identity->secret, cs_buf_view(&buf), judge_any, NULL));
	return port;
}

/* Both directions until nothing moves. */
static void pump(struct peer *peer)
{
	struct host *host = peer->host;
	uint8_t bytes[16384];
	bool moved = true;
	while (moved && !peer->ended) {
		size_t n;
		moved = false;
		while ((n = channel_take(peer->channel, bytes, sizeof bytes)) > 0) {
			ok(tell(host, WIRE_PIPE_DATA_IN, peer->number, cs_bytes(bytes, n)));
			moved = true;
		}
		const size_t count = host->told_count;
		host->told_count = 0;
		for (size_t i = 0; i < count; i++) {
			const struct told told = host->told[i];
			if (told.number == peer->number && told.type == WIRE_PIPE_END)
				peer->ended = true;
			else if (told.number == peer->number && told.type == WIRE_PIPE_DATA_OUT)
				moved = channel_put(peer->channel, told.body) == CS_OK || moved;
			else
				host->told[host->told_count++] = told;
		}
	}
}

static void dial(struct peer *peer, struct host *host)
{
	const uint8_t port = WIRE_PIPE_EVIDENCE;
	peer->host = host;
	peer->ended = false;
	peer->number = host->number_next;
	host->number_next += 2;
	peer->channel = channel_new(peer->port, true);
	assert_non_null(peer->channel);
	ok(tell(host, WIRE_PIPE_ACCEPTED, peer->number, cs_bytes(&port, 1)));
	ok(channel_put(peer->channel, CS_BYTES_NONE));
	pump(peer);
	assert_true(channel_is_ready(peer->channel));
	peer->session = (struct cluster_session){.verified = false};
	struct wire_report_tls tls;
	ok(channel_binding(peer->channel, CS_BYTES_NONE, &tls));
	peer->session.channel = (struct cluster_channel){.exporter = tls.exporter,
							 .client_spki = tls.client_spki,
							 .server_spki = tls.server_spki,
							 .client = true};
}

static void peer_init(struct peer *peer, struct host *host, char build)
{
	const struct cs_secret random = scene_random(host->scene);
	*peer = (struct peer){.host = host, .build = scene_build(build)};
	peer->tools = scene_tools(host->scene, &peer->build);
	ok(cluster_guard_init(&peer->guard, host->manifest, &random));
	peer->port = port_of(host, &peer->guard.identity);
}

static void hang_up(struct peer *peer)
{
	channel_free(peer->channel);
	peer->channel = NULL;
}

static void peer_done(struct peer *peer)
{
	hang_up(peer);
	channel_port_free(peer->port);
}

/* Sends a message and gives the type of what came back; WIRE_CLUSTER_ERROR: *err is what it says; 0:
 * nothing came. */
static unsigned exchange(struct peer *peer, enum wire_cluster_type type, struct cs_bytes body,
			 struct cs_bytes *reply, enum cs_err *err)
{
	uint8_t head[WIRE_FRAME_HEAD_SIZE];
	struct wire_cluster_frame frame = {(uint32_t)body.n, type, 77};
	ProtobufCMessage *message = NULL;
	wire_cluster_frame_encode(head, &frame);
	*err = CS_OK;
	if (channel_write(peer->channel, CS_BYTES_OF(head)) != CS_OK ||
	    channel_write(peer->channel, body) != CS_OK)
		return 0;
	pump(peer);
	const struct cs_bytes plain = channel_read(peer->channel);
	if (plain.n < WIRE_FRAME_HEAD_SIZE)
		return 0;
	ok(wire_cluster_frame_decode(&frame, plain.p));
	assert_int_equal(plain.n, WIRE_FRAME_HEAD_SIZE + frame.body_size);
	assert_int_equal(frame.request_id, 77);
	uint8_t *copy = keep(frame.body_size + 1);
	memcpy(copy, plain.p + WIRE_FRAME_HEAD_SIZE, frame.body_size);
	*reply = cs_bytes(copy, frame.body_size);
	channel_drop(peer->channel, plain.n);
	if (frame.type == WIRE_CLUSTER_ERROR) {
		ok(wire_decode(&message, &caisson__wire__error_reply__descriptor, *reply,
			       &peer->host->scene->manifests, &peer->why));
		*err = (enum cs_err)((const Caisson__Wire__ErrorReply *)message)->code;
	}
	return frame.type;
}

static struct cs_bytes hello_of(struct peer *peer, const struct cluster_session *session)
{
	struct cs_buf out = scene_buf(65536);
	ok(cluster_guard_hello(&peer->guard, session, &out, &peer->tools, &peer->why));
	return cs_buf_view(&out);
}

/* As an attacker makes it: over whatever channel, in whatever direction. */
static struct cs_bytes hello_over(struct peer *peer, const struct cluster_channel *channel,
				  bool from_client)
{
	struct cs_buf out = scene_buf(65536);
	Caisson__Wire__ClusterHello hello;
	Caisson__Wire__ClusterEvidence evidence;
	const struct wire_report_fresh fresh = cluster_fresh_session(channel, from_client);
	caisson__wire__cluster_hello__init(&hello);
	ok(cluster_evidence_make(&evidence, CLUSTER_GUARD, &peer->guard.identity.key, &fresh,
				 peer->host->manifest, &peer->tools, &peer->why));
	hello.role = CLUSTER_GUARD;
	hello.evidence = &evidence;
	ok(wire_encode(&out, &hello.base, &peer->why));
	return cs_buf_view(&out);
}

static void refuses_hello(struct peer *peer, struct cs_bytes hello, enum cs_err expected)
{
	struct cs_bytes reply;
	enum cs_err err;
	assert_int_equal(exchange(peer, WIRE_CLUSTER_HELLO, hello, &reply, &err),
			 WIRE_CLUSTER_ERROR);
	assert_string_equal(cs_err_name(err), cs_err_name(expected));
	/* And there is no second try on this connection. */
	assert_true(peer->ended);
}

/* ---- tests ---- */

static void a_guard_is_met(void **state)
{
	struct scene *scene = scene_new();
	static struct host host;
	static struct peer peer;
	struct cs_bytes reply;
	enum cs_err err;
	(void)state;
	serve(&host, scene);
	peer_init(&peer, &host, 'g');
	dial(&peer, &host);
	assert_int_equal(
		exchange(&peer, WIRE_CLUSTER_HELLO, hello_of(&peer, &peer.session), &reply, &err),
		WIRE_CLUSTER_HELLO_REPLY);
	/* The other direction: the key server's evidence is of this session, too. */
	ok(cluster_guard_meet(&peer.guard, &peer.session, reply, &peer.tools, &scene->now,
			      &peer.why));
	/* A second hello of one session is refused. */
	assert_int_equal(
		exchange(&peer, WIRE_CLUSTER_HELLO, hello_of(&peer, &peer.session), &reply, &err),
		WIRE_CLUSTER_ERROR);
	assert_int_equal(err, CS_ERR_CONFLICT);
	peer_done(&peer);
	stop(&host);
	scene_free(scene);
}

static void evidence_of_another_session(void **state)
{
	struct scene *scene = scene_new();
	static struct host host;
	static struct peer peer;
	(void)state;
	serve(&host, scene);
	peer_init(&peer, &host, 'g');
	/* Replayed, by its own owner over the same keys: the exporter is another one. */
	dial(&peer, &host);
	const struct cs_bytes recorded = hello_of(&peer, &peer.session);
	hang_up(&peer);
	dial(&peer, &host);
	refuses_hello(&peer, recorded, CS_ERR_WRONG_KEY);
	hang_up(&peer);
	/* The same session, the other direction. */
	dial(&peer, &host);
	refuses_hello(&peer, hello_over(&peer, &peer.session.channel, false), CS_ERR_WRONG_KEY);
	hang_up(&peer);
	/* The right exporter and another key of the peer: evidence of a process that is not this end. */
	dial(&peer, &host);
	struct cluster_channel other = peer.session.channel;
	other.client_spki.b[0] ^= 1;
	refuses_hello(&peer, hello_over(&peer, &other, true), CS_ERR_WRONG_KEY);
	hang_up(&peer);
	/* So made it is good where nothing was changed: what was refused above is what was changed. */
	dial(&peer, &host);
	struct cs_bytes reply;
	enum cs_err err;
	assert_int_equal(exchange(&peer, WIRE_CLUSTER_HELLO,
				  hello_over(&peer, &peer.session.channel, true), &reply, &err),
			 WIRE_CLUSTER_HELLO_REPLY);
	peer_done(&peer);
	stop(&host);
	scene_free(scene);
}

/* Somebody between a guard and the key server: both of his sessions are TLS, neither is theirs. */
static void nobody_stands_in_between(void **state)
{
	struct scene *scene = scene_new();
	static struct host host;
	static struct peer guard, thief;
	(void)state;
	serve(&host, scene);
	peer_init(&guard, &host, 'g');
	peer_init(&thief, &host, 'x');
	dial(&thief, &host);
	/* What the guard makes for the session that it has: with the thief as its server. */
	struct cluster_channel to_thief = thief.session.channel;
	to_thief.exporter.b[0] ^= 1;
	to_thief.client_spki = cluster_spki_hash(&guard.guard.identity.key);
	to_thief.server_spki = cluster_spki_hash(&thief.guard.identity.key);
	refuses_hello(&thief, hello_over(&guard, &to_thief, true), CS_ERR_WRONG_KEY);
	peer_done(&guard);
	peer_done(&thief);
	stop(&host);
	scene_free(scene);
}

static void wrong_builds_and_liars(void **state)
{
	struct scene *scene = scene_new();
	static struct host host;
	static struct peer peer;
	(void)state;
	serve(&host, scene);
	peer_init(&peer, &host, 'x');
	dial(&peer, &host);
	refuses_hello(&peer, hello_of(&peer, &peer.session), CS_ERR_UNLISTED_BUILD);
	hang_up(&peer);
	/* A worker's build is no guard's. */
	peer.build = scene_build('w');
	dial(&peer, &host);
	refuses_hello(&peer, hello_of(&peer, &peer.session), CS_ERR_UNLISTED_BUILD);
	hang_up(&peer);
	peer.build = scene_build('g');
	peer.build.tells_lies = true;
	dial(&peer, &host);
	refuses_hello(&peer, hello_of(&peer, &peer.session), CS_ERR_WRONG_KEY);
	peer_done(&peer);
	stop(&host);
	scene_free(scene);
}

/* A quote that somebody recorded verifies for ever, and cannot name a key that did not exist. */
static enum cs_err recorded(void *context, struct cs_buf *out, const uint8_t report_data[64],
			    struct cs_why *why)
{
	const struct cs_bytes *quote = context;
	(void)report_data, (void)why;
	cs_put(out, *quote);
	return cs_buf_end(out);
}

static void a_recorded_quote_binds_no_key(void **state)
{
	static const char *const quotes[] = {"attestation/dcap/dcap-qvl/sgx_quote",
					     "attestation/dcap/dcap-qvl/tdx_quote"};
	struct scene *scene = scene_new();
	static struct host host;
	static struct peer peer;
	(void)state;
	serve(&host, scene);
	peer_init(&peer, &host, 'g');
	for (size_t i = 0; i < CS_LEN(quotes); i++) {
		char path[512];
		snprintf(path, sizeof path, CS_VECTORS "/%s", quotes[i]);
		struct cs_bytes quote = read_file(path);
		peer.tools.tee.evidence = recorded;
		peer.tools.tee.context = &quote;
		dial(&peer, &host);
		refuses_hello(&peer, hello_of(&peer, &peer.session), CS_ERR_WRONG_KEY);
		hang_up(&peer);
	}
	peer_done(&peer);
	stop(&host);
	scene_free(scene);
}

static void nothing_before_hello(void **state)
{
	static const enum wire_cluster_type types[] = {
		WIRE_CLUSTER_VOUCH, WIRE_CLUSTER_COPY,  WIRE_CLUSTER_CHALLENGE,
		WIRE_CLUSTER_JOIN,  WIRE_CLUSTER_SHARE, WIRE_CLUSTER_VOUCH_REPLY};
	struct scene *scene = scene_new();
	static struct host host;
	static struct peer peer;
	struct cs_bytes reply;
	enum cs_err err;
	(void)state;
	serve(&host, scene);
	peer_init(&peer, &host, 'g');
	for (size_t i = 0; i < CS_LEN(types); i++) {
		dial(&peer, &host);
		assert_int_equal(exchange(&peer, types[i], CS_BYTES_NONE, &reply, &err), 0);
		assert_true(peer.ended);
		hang_up(&peer);
	}
	peer_done(&peer);
	stop(&host);
	scene_free(scene);
}

static void messages_without_a_form(void **state)
{
	struct scene *scene = scene_new();
	static struct host host;
	static struct peer peer;
	(void)state;
	serve(&host, scene);
	peer_init(&peer, &host, 'g');
	/* No type; a body above its bound before anybody was met; zero bytes that are not. */
	static const uint8_t heads[][WIRE_FRAME_HEAD_SIZE] = {
		{0, 0, 0, 0, 0xff, 0xff}, {0, 0x20, 0, 0, 4, 0}, {0, 0, 0, 0, 4, 0, 1}};
	for (size_t i = 0; i < CS_LEN(heads); i++) {
		dial(&peer, &host);
		ok(channel_write(peer.channel, CS_BYTES_OF(heads[i])));
		pump(&peer);
		assert_true(peer.ended);
		hang_up(&peer);
	}
	/* Half of a message, and then nothing: not for ever. */
	dial(&peer, &host);
	ok(channel_write(peer.channel, cs_bytes(heads[0], 3)));
	pump(&peer);
	assert_false(peer.ended);
	scene->now.high_s += MEET_S + 2;
	scene->now.low_s += MEET_S + 2;
	ok(tell(&host, WIRE_PIPE_TICK, 0, CS_BYTES_NONE));
	pump(&peer);
	assert_true(peer.ended);
	peer_done(&peer);
	stop(&host);
	scene_free(scene);
}

/* ---- TLS ---- */

/* What a client of OpenSSL's own makes of the port: NULL key: without a certificate. */
static bool shakes_hands(struct host *host, EVP_PKEY *key, int version, bool *has_ticket)
{
	uint8_t bytes[16384];
	const uint8_t port = WIRE_PIPE_EVIDENCE;
	const uint32_t number = host->number_next;
	host->number_next += 2;
	SSL_CTX *context = SSL_CTX_new(TLS_client_method());
	assert_int_equal(SSL_CTX_set_max_proto_version(context, version), 1);
	if (key != NULL) {
		X509 *x = X509_new();
		assert_int_equal(X509_set_version(x, X509_VERSION_3), 1);
		X509_gmtime_adj(X509_getm_notBefore(x), 0);
		X509_gmtime_adj(X509_getm_notAfter(x), 60);
		assert_int_equal(X509_set_pubkey(x, key), 1);
		const bool pure = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
		assert_true(X509_sign(x, key, pure ? NULL : EVP_sha256()) > 0);
		assert_int_equal(SSL_CTX_use_certificate(context, x), 1);
		assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
		X509_free(x);
	}
	SSL *ssl = SSL_new(context);
	BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
	SSL_set_bio(ssl, in, out);
	SSL_set_connect_state(ssl);
	ok(tell(host, WIRE_PIPE_ACCEPTED, number, cs_bytes(&port, 1)));
	bool ended = false;
	for (int turn = 0; turn < 8 && !ended; turn++) {
		int n;
		(void)SSL_do_handshake(ssl);
		while ((n = BIO_read(out, bytes, sizeof bytes)) > 0)
			ok(tell(host, WIRE_PIPE_DATA_IN, number, cs_bytes(bytes, (size_t)n)));
		for (size_t i = 0; i < host->told_count; i++) {
			const struct told *told = &host->told[i];
			ended = ended || (told->type == WIRE_PIPE_END && told->number == number);
			if (told->type == WIRE_PIPE_DATA_OUT && told->number == number)
				(void)BIO_write(in, told->body.p, (int)told->body.n);
		}
		host->told_count = 0;
		(void)SSL_read(ssl, bytes, sizeof bytes);
	}
	*has_ticket = SSL_SESSION_has_ticket(SSL_get0_session(ssl)) != 0;
	SSL_free(ssl);
	SSL_CTX_free(context);
	return !ended;
}

static void only_tls_1_3_with_ed25519_and_no_tickets(void **state)
{
	struct scene *scene = scene_new();
	static struct host host;
	bool ticket = false;
	(void)state;
	serve(&host, scene);
	EVP_PKEY *ed25519 = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	EVP_PKEY *p256 = EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256");
	assert_true(shakes_hands(&host, ed25519, TLS1_3_VERSION, &ticket));
	assert_false(ticket);
	assert_false(shakes_hands(&host, NULL, TLS1_3_VERSION, &ticket));
	assert_false(shakes_hands(&host, p256, TLS1_3_VERSION, &ticket));
	assert_false(shakes_hands(&host, ed25519, TLS1_2_VERSION, &ticket));
	EVP_PKEY_free(ed25519);
	EVP_PKEY_free(p256);
	stop(&host);
	scene_free(scene);
}

/* ---- the host ---- */

static void nothing_leaves_before_the_state_is_kept(void **state)
{
	const struct scene_manifest text = scene_manifest();
	struct scene *scene = scene_new();
	static struct host host;
	(void)state;
	ok(start(&host, scene, &text, &seal_root));
	ok(tell(&host, WIRE_PIPE_STATE, 0, CS_BYTES_NONE));
	host.told_count = 0;
	ask(&host, 1, WIRE_CLUSTER_ASK_CREATE);
	/* The state alone; the answer waits, whatever else the host says. */
	const struct told *kept = find_told(&host, WIRE_PIPE_KEEP);
	assert_non_null(kept);
	assert_null(find_told(&host, WIRE_PIPE_ANSWER));
	ok(tell(&host, WIRE_PIPE_TICK, 0, CS_BYTES_NONE));
	ok(tell(&host, WIRE_PIPE_KEPT, kept->number + 7, CS_BYTES_NONE));
	assert_null(find_told(&host, WIRE_PIPE_ANSWER));
	keep_state(&host);
	assert_true(answered_ok(&host));
	stop(&host);
	scene_free(scene);
}

static void what_the_host_may_not(void **state)
{
	const struct scene_manifest text = scene_manifest();
	struct scene *scene = scene_new();
	static struct host host;
	const uint8_t port = WIRE_PIPE_EVIDENCE, none = 9;
	(void)state;
	ok(start(&host, scene, &text, &seal_root));
	assert_int_equal(tell(&host, WIRE_PIPE_TICK, 0, CS_BYTES_NONE), CS_ERR_CONFLICT);
	ok(tell(&host, WIRE_PIPE_STATE, 0, CS_BYTES_NONE));
	assert_int_equal(tell(&host, WIRE_PIPE_STATE, 0, CS_BYTES_NONE), CS_ERR_CONFLICT);
	assert_int_equal(tell(&host, WIRE_PIPE_ACCEPTED, 3, cs_bytes(&port, 1)), CS_ERR_MALFORMED);
	assert_int_equal(tell(&host, WIRE_PIPE_ACCEPTED, 4, cs_bytes(&none, 1)), CS_ERR_MALFORMED);
	assert_int_equal(tell(&host, WIRE_PIPE_KEEP, 1, CS_BYTES_NONE), CS_ERR_MALFORMED);
	/* Bytes of a connection that is none are nobody's. */
	ok(tell(&host, WIRE_PIPE_DATA_IN, 8, cs_bytes(&port, 1)));
	/* Without a cluster there is no port. */
	host.told_count = 0;
	ok(tell(&host, WIRE_PIPE_ACCEPTED, 4, cs_bytes(&port, 1)));
	assert_non_null(find_told(&host, WIRE_PIPE_END));
	stop(&host);
	scene_free(scene);
}

static enum cs_err open_with(struct scene *scene, const struct scene_manifest *text,
			     const struct cs_secret *root, struct cs_bytes state)
{
	static struct host host;
	ok(start(&host, scene, text, root));
	const enum cs_err err = tell(&host, WIRE_PIPE_STATE, 0, state);
	stop(&host);
	return err;
}

static void sealed_states(void **state)
{
	struct scene *scene = scene_new();
	static struct host host;
	const struct scene_manifest text = scene_manifest();
	struct scene_manifest other = scene_manifest();
	(void)state;
	ok(start(&host, scene, &text, &seal_root));
	ok(tell(&host, WIRE_PIPE_STATE, 0, CS_BYTES_NONE));
	ask(&host, 1, WIRE_CLUSTER_ASK_CREATE);
	const struct told *kept = find_told(&host, WIRE_PIPE_KEEP);
	const struct cs_bytes sealed = kept == NULL ? CS_BYTES_NONE : kept->body;
	assert_true(sealed.n > SEAL_HEAD_SIZE);
	stop(&host);
	ok(open_with(scene, &text, &seal_root, sealed));
	const struct cs_secret wrong = {{6}};
	assert_int_equal(open_with(scene, &text, &wrong, sealed), CS_ERR_SEAL_BROKEN);
	/* Each byte of the head is under the seal: the magic, the lineage, the build, … */
	for (size_t at = 0; at < sealed.n; at += at < SEAL_HEAD_SIZE ? 7 : 101) {
		uint8_t *changed = keep(sealed.n);
		memcpy(changed, sealed.p, sealed.n);
		changed[at] ^= 1;
		assert_int_equal(open_with(scene, &text, &seal_root, cs_bytes(changed, sealed.n)),
				 CS_ERR_SEAL_BROKEN);
	}
	for (size_t n = 1; n < sealed.n; n += 97)
		assert_int_equal(open_with(scene, &text, &seal_root, cs_bytes(sealed.p, n)),
				 CS_ERR_SEAL_BROKEN);
	/* Of another lineage: its key is another one, so that it does not even open. */
	other.worker_s = 1800;
	assert_int_equal(open_with(scene, &other, &seal_root, sealed), CS_ERR_WRONG_LINEAGE);
	scene_free(scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_guard_is_met),
		cmocka_unit_test(evidence_of_another_session),
		cmocka_unit_test(nobody_stands_in_between),
		cmocka_unit_test(wrong_builds_and_liars),
		cmocka_unit_test(a_recorded_quote_binds_no_key),
		cmocka_unit_test(nothing_before_hello),
		cmocka_unit_test(messages_without_a_form),
		cmocka_unit_test(only_tls_1_3_with_ed25519_and_no_tickets),
		cmocka_unit_test(nothing_leaves_before_the_state_is_kept),
		cmocka_unit_test(what_the_host_may_not),
		cmocka_unit_test(sealed_states),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
