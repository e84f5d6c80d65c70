/* enclave/fetch inside its sandbox, driven by lines of JSON: for tests and benchmarks alone. Reads its
 * configuration, gives its rights away as the enclave does, then answers.
 *
 *	fetch-driver EGRESS_FD COMMAND_FD CONFIGURATION
 *
 * {"id":1,"host":"…","port":443,"target":"/",…} is answered by a line when it is complete; {"clock":
 * [low,high]} moves both ends of the time by so many seconds; {"cancel":id}; {"probe":n}. */
#include "core/json.h"
#include "enclave/fetch/fetch.h"
#include "enclave/insecure.h"
#include "enclave/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define FILE_SIZE_MAX (4u * 1024 * 1024)
#define LINE_SIZE_MAX (512u * 1024)
#define REPLY_SIZE_MAX (2 * FETCH_RESPONSE_SIZE_MAX + 4096)

static struct driver {
	struct fetch *fetch;
	struct cs_arena arena;
	int64_t low_s, high_s;
	int command_fd;
	size_t have;
	char in[LINE_SIZE_MAX];
	uint8_t out[REPLY_SIZE_MAX];
	uint8_t file[FILE_SIZE_MAX];
	uint8_t block[32u * 1024 * 1024];
	struct fetch_anchor anchors[FETCH_ANCHORS_MAX];
	struct fetch_log logs[FETCH_LOGS_MAX];
} driver;

static _Noreturn void die(const char *why, const char *detail)
{
	char line[300];
	struct cs_buf buf;
	cs_buf_init(&buf, line, sizeof line);
	cs_put_text(&buf, "fetch-driver: %s: %.200s\n", why, detail);
	(void)!write(STDERR_FILENO, line, buf.n);
	_exit(1);
}

/* ---- JSON ---- */

static uint64_t number(const struct cs_json *json, const char *key, uint64_t otherwise)
{
	const struct cs_json *found = cs_json_find(json, key);
	if (found == NULL)
		return otherwise;
	uint64_t value = 0;
	for (size_t i = 0; i < found->text.n; i++)
		value = value * 10 + (uint64_t)(found->text.p[i] - '0');
	return value;
}

static bool flag(const struct cs_json *json, const char *key)
{
	const struct cs_json *found = cs_json_find(json, key);
	return found != NULL && found->boolean;
}

static struct cs_bytes text(const struct cs_json *json, const char *key)
{
	const struct cs_json *found = cs_json_find(json, key);
	return found == NULL ? CS_BYTES_NONE : found->text;
}

static const struct cs_json *children(const struct cs_json *json, const char *key)
{
	const struct cs_json *found = cs_json_find(json, key);
	return found == NULL ? NULL : found->child;
}

static struct cs_bytes unhex(struct cs_bytes hex)
{
	uint8_t *p = malloc(hex.n / 2 + 1);
	if (p == NULL || cs_unhex(p, hex.n / 2, hex) != CS_OK)
		die("not hex", "");
	return cs_bytes(p, hex.n / 2);
}

static const struct cs_json *parse(struct cs_bytes bytes)
{
	const struct cs_json *json;
	struct cs_why why = {""};
	cs_arena_rewind(&driver.arena, 0);
	if (cs_json_parse(&json, bytes, CS_JSON_INTEGERS, &driver.arena, &why) != CS_OK)
		die("JSON", why.text);
	return json;
}

/* ---- requests and replies ---- */

static void send_line(struct cs_buf *buf)
{
	cs_put_u8(buf, '\n');
	if (cs_buf_end(buf) != CS_OK)
		die("reply", "too large");
	for (size_t at = 0; at < buf->n;) {
		const ssize_t done = write(driver.command_fd, buf->p + at, buf->n - at);
		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			_exit(0);
		at += (size_t)done;
	}
}

static void put_hex(struct cs_buf *buf, struct cs_bytes bytes)
{
	static const char digits[] = "0123456789abcdef";
	for (size_t i = 0; i < bytes.n; i++) {
		cs_put_u8(buf, (uint8_t)digits[bytes.p[i] >> 4]);
		cs_put_u8(buf, (uint8_t)digits[bytes.p[i] & 15]);
	}
}

static void put_reply(const struct fetch_reply *reply)
{
	struct cs_buf buf;
	char leaf[65], issuer[65];
	const struct wire_evidence_source *e = &reply->evidence;
	cs_hex(leaf, CS_BYTES_OF(e->leaf_spki.b));
	cs_hex(issuer, CS_BYTES_OF(e->issuer_spki.b));
	cs_buf_init(&buf, driver.out, sizeof driver.out);
	cs_put_text(&buf, "{\"id\":%llu,\"code\":%u,\"status\":%u,\"redirects\":%u,",
		    (unsigned long long)(uintptr_t)reply->context, reply->code, reply->status,
		    reply->redirects);
	cs_put_text(&buf, "\"leaf\":\"%s\",\"issuer\":\"%s\",\"version\":%u,\"cipher\":%u,", leaf,
		    issuer, e->version, e->cipher);
	cs_put_text(&buf, "\"http2\":%d,\"reused\":%d,\"stapled\":%d,\"scts\":%u,", e->http2,
		    e->reused, e->stapled_good, e->sct_count);
	cs_put_text(&buf, "\"redirected\":%d,", e->redirected);
	cs_put_text(&buf, "\"completed\":%llu,\"why\":", (unsigned long long)e->completed);
	cs_json_write_string(&buf, cs_bytes_str(reply->why));
	cs_put_text(&buf, ",\"body\":\"");
	put_hex(&buf, reply->body);
	cs_put_text(&buf, "\"}");
	send_line(&buf);
}

static void take_hosts(struct fetch_request *r, const struct cs_json *json)
{
	for (const struct cs_json *at = children(json, "hosts"); at != NULL; at = at->next) {
		if (r->host_count == FETCH_HOSTS_MAX)
			die("hosts", "too many");
		r->hosts[r->host_count++] =
			(struct fetch_host){text(at, "name"), (uint16_t)number(at, "port", 443)};
	}
}

static void start(const struct cs_json *json)
{
	uint64_t id;
	struct fetch_request r = {
		.host = {text(json, "host"), (uint16_t)number(json, "port", 443)},
		.target = text(json, "target"),
		.post = flag(json, "post"),
		.body = text(json, "body"),
		.sct_min = (uint8_t)number(json, "sct_min", 0),
		.sct_min_default = cs_json_find(json, "sct_min") == NULL,
		.lifetime_max_days = (uint16_t)number(json, "lifetime_max_days", 0),
		.stapled = flag(json, "stapled"),
		.limits = {.response_size_max = number(json, "size_max", 0),
			   .first_byte_ms = (uint32_t)number(json, "first_byte_ms", 0),
			   .total_ms = (uint32_t)number(json, "total_ms", 0)},
		.context = (void *)(uintptr_t)number(json, "id", 0),
	};
	for (const struct cs_json *at = children(json, "headers"); at != NULL; at = at->next)
		if (r.header_count < FETCH_HEADERS_MAX)
			r.headers[r.header_count++] =
				(struct fetch_header){at->child->text, at->child->next->text};
	for (const struct cs_json *at = children(json, "pins"); at != NULL; at = at->next)
		if (r.pin_count == FETCH_PINS_MAX ||
		    cs_unhex(r.pins[r.pin_count++].b, 32, at->text) != CS_OK)
			die("pins", "");
	take_hosts(&r, json);
	const enum cs_err err = fetch_start(driver.fetch, &id, &r);
	if (err != CS_OK) {
		const struct fetch_reply none = {
			.context = r.context, .code = 255, .why = cs_err_name(err)};
		put_reply(&none);
	}
}

static int64_t signed_of(const struct cs_json *json)
{
	const bool minus = json->text.p[0] == '-';
	int64_t value = 0;
	for (size_t i = minus; i < json->text.n; i++)
		value = value * 10 + (json->text.p[i] - '0');
	return minus ? -value : value;
}

static void obey(struct cs_bytes line)
{
	const struct cs_json *json = parse(line);
	const struct cs_json *clock = cs_json_find(json, "clock");
	struct cs_buf buf;
	cs_buf_init(&buf, driver.out, sizeof driver.out);
	if (clock != NULL) {
		driver.low_s = signed_of(clock->child);
		driver.high_s = signed_of(clock->child->next);
	} else if (cs_json_find(json, "cancel") != NULL) {
		cs_put_text(&buf, "{\"cancelled\":%d}",
			    fetch_cancel(driver.fetch, number(json, "cancel", 0)));
		send_line(&buf);
#ifdef CAISSON_TEST_PROBES
	} else if (cs_json_find(json, "probe") != NULL) {
		cs_put_text(&buf, "{\"errno\":%d}",
			    sandbox_probe((uint32_t)number(json, "probe", 0)));
		send_line(&buf);
#endif
	} else {
		start(json);
	}
}

/* ---- the loop ---- */

static void read_commands(void)
{
	const ssize_t got =
		read(driver.command_fd, driver.in + driver.have, sizeof driver.in - driver.have);
	if (got < 0 && errno == EINTR)
		return;
	if (got <= 0)
		_exit(0);
	driver.have += (size_t)got;
	const char *at = driver.in;
	const char *end;
	while ((end = memchr(at, '\n', driver.have - (size_t)(at - driver.in))) != NULL) {
		obey(cs_bytes(at, (size_t)(end - at)));
		at = end + 1;
	}
	driver.have -= (size_t)(at - driver.in);
	memmove(driver.in, at, driver.have);
	if (driver.have == sizeof driver.in)
		die("line", "too long");
}

static struct verify_time time_now(void)
{
	struct timespec now;
	if (clock_gettime(CLOCK_REALTIME, &now) != 0)
		die("clock", "");
	const uint64_t s = (uint64_t)now.tv_sec;
	/* A high end of -1 stands for: nothing bounds it. */
	return (struct verify_time){s + (uint64_t)driver.low_s,
				    driver.high_s == -1 ? 0 : s + (uint64_t)driver.high_s};
}

static void serve(void)
{
	struct pollfd set[FETCH_POLL_MAX + 1];
	const struct fetch_reply *reply;
	for (;;) {
		const size_t count = fetch_poll_set(driver.fetch, set, FETCH_POLL_MAX);
		set[count] = (struct pollfd){.fd = driver.command_fd, .events = POLLIN};
		if (poll(set, count + 1, fetch_wait_ms(driver.fetch)) < 0 && errno != EINTR)
			die("poll", "");
		if (set[count].revents != 0)
			read_commands();
		const struct verify_time now = time_now();
		fetch_step(driver.fetch, &now, set, count);
		while (fetch_take(driver.fetch, &reply)) {
			put_reply(reply);
			fetch_release(driver.fetch, reply);
		}
	}
}

static void configure(const char *path, int egress_fd, bool *seccomp)
{
	struct cs_why why = {""};
	const int fd = open(path, O_RDONLY | O_CLOEXEC);
	const ssize_t n = fd < 0 ? -1 : read(fd, driver.file, sizeof driver.file);
	if (n < 0 || (size_t)n == sizeof driver.file)
		die("configuration", path);
	(void)close(fd);
	const struct cs_json *json = parse(cs_bytes(driver.file, (size_t)n));
	struct fetch_options options = {.anchors = driver.anchors,
					.logs = driver.logs,
					.literals_allowed = flag(json, "literals"),
					.private_allowed = flag(json, "private"),
					.egress_fd = egress_fd};
	for (const struct cs_json *at = children(json, "anchors"); at != NULL; at = at->next)
		driver.anchors[options.anchor_count++] =
			(struct fetch_anchor){unhex(text(at, "der")), flag(at, "private")};
	for (const struct cs_json *at = children(json, "logs"); at != NULL; at = at->next)
		driver.logs[options.log_count++] = (struct fetch_log){
			unhex(text(at, "spki")), (uint32_t)number(at, "operator", 0),
			number(at, "retired", 0)};
	*seccomp = !flag(json, "no_seccomp");
	const enum cs_err err = fetch_new(&driver.fetch, &options, &why);
	if (err != CS_OK)
		die(cs_err_name(err), why.text);
}

int main(int argc, char **argv)
{
	uint64_t missing;
	bool seccomp;
	struct cs_why why = {""};
	if (argc != 4)
		die("usage", "fetch-driver EGRESS_FD COMMAND_FD CONFIGURATION");
	driver.command_fd = (int)strtol(argv[2], NULL, 10);
	cs_arena_init(&driver.arena, driver.block, sizeof driver.block);
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) != 1)
		die("OpenSSL", "");
	configure(argv[3], (int)strtol(argv[1], NULL, 10), &seccomp);
	if (sandbox_enter(seccomp ? 0 : (uint64_t)ENCLAVE_INSECURE_no_seccomp, SANDBOX_FETCH,
			  &missing, &why) != CS_OK)
		die("sandbox", why.text);
	struct cs_buf buf;
	cs_buf_init(&buf, driver.out, sizeof driver.out);
	cs_put_text(&buf, "{\"ready\":true}");
	send_line(&buf);
	serve();
}
