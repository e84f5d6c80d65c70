/* What of fetch needs no connection: places, heads, options. The rest is tests/oracle_fetch. */
#include "enclave/fetch/head.h"
#include "enclave/fetch/place.h"
#include "tests/unit/support.h"

static void test_hosts(void **state)
{
	(void)state;
	static const char *const good[] = {
		"a.test",        "api.example.org", "xn--bcher-kva.example",
		"_dmarc.a.test", "1.2.3.4",         "3com.example",
		"localhost",     "a.b.c.d.e.f"};
	static const char *const bad[] = {
		"",      ".",      "a.",          ".a",        "a..b", "-a.b",
		"a-.b",  "A.b",    "a b",         "a/b",       "a:1",  "a@b",
		"127.1", "0x7f.1", "1.2.3.4.5",   "256.1.1.1", "a.1",  "2130706433",
		"[::1]", "::1",    "a\xc3\xa4.b", "1.2.3.04"};
	for (size_t i = 0; i < CS_LEN(good); i++)
		if (!place_host_is_well_formed(cs_bytes_str(good[i])))
			fail_msg("%s", good[i]);
	for (size_t i = 0; i < CS_LEN(bad); i++)
		if (place_host_is_well_formed(cs_bytes_str(bad[i])))
			fail_msg("%s", bad[i]);
}

static void test_redirects(void **state)
{
	(void)state;
	static const struct {
		const char *location, *host, *target; /* host NULL: refused */
		uint16_t port;
	} cases[] = {
		{"/x", "api.example.org", "/x", 8443},
		{"x", "api.example.org", "/v1/x", 8443},
		{"../x?y=z", "api.example.org", "/x?y=z", 8443},
		{"?q", "api.example.org", "/v1/a?q", 8443},
		{"//Other.Example.org", "other.example.org", "/", 443},
		{"https://other.example.org:444/y#f", "other.example.org", "/y", 444},
		{"HTTPS://other.example.org/a b", "other.example.org", "/a%20b", 443},
		{"http://api.example.org/", NULL, NULL, 0},
		{"file:///etc/passwd", NULL, NULL, 0},
		{"file://localhost/etc/passwd", NULL, NULL, 0},
		{"ftp://api.example.org/", NULL, NULL, 0},
		{"data:text/plain,x", NULL, NULL, 0},
		{"https://user@api.example.org/", NULL, NULL, 0},
		{"https://user:pw@api.example.org/", NULL, NULL, 0},
		{"https://:pw@api.example.org/", NULL, NULL, 0},
		{"https://[::1]/", NULL, NULL, 0},
		/* Well formed, and a host that nobody named. */
		{"https://127.1/", "127.0.0.1", "/", 443},
		{"https://2130706433/", "127.0.0.1", "/", 443},
		{"https://api.example.org:0/", NULL, NULL, 0},
		{"https://api.example.org:65536/", NULL, NULL, 0},
		{"https://api.example.org./", NULL, NULL, 0},
		{"https://", NULL, NULL, 0},
		{"https:///", NULL, NULL, 0},
	};
	const struct place from = {"api.example.org", 8443, "/v1/a?b=c"};
	for (size_t i = 0; i < CS_LEN(cases); i++) {
		struct place to = {"", 0, ""};
		const bool good = place_redirect(&to, &from, cases[i].location);
		if (good != (cases[i].host != NULL))
			fail_msg("%s: %s %s", cases[i].location, to.host, to.target);
		if (!good)
			continue;
		assert_string_equal(to.host, cases[i].host);
		assert_string_equal(to.target, cases[i].target);
		assert_int_equal(to.port, cases[i].port);
	}
}

static enum wire_oracle_code feed(struct head *head, const char *const *lines)
{
	memset(head, 0, sizeof *head);
	for (; *lines != NULL; lines++) {
		const enum wire_oracle_code code = head_line(head, cs_bytes_str(*lines), 1000);
		if (code != WIRE_ORACLE_OK)
			return code;
	}
	return WIRE_ORACLE_OK;
}

static void test_head(void **state)
{
	(void)state;
	struct head head;
	assert_int_equal(
		feed(&head, (const char *const[]){"HTTP/1.1 103 Early\r\n", "Link: x\r\n", "\r\n",
						  "HTTP/1.1 200\r\n", "Content-Length:  12 \t\r\n",
						  "\r\n", NULL}),
		WIRE_ORACLE_OK);
	assert_true(head.ended && head.has_length && !head.chunked);
	assert_int_equal(head.length, 12);
	assert_int_equal(head.interim, 1);
	assert_int_equal(feed(&head, (const char *const[]){"HTTP/2 200 \r\n", "\r\n", NULL}),
			 WIRE_ORACLE_OK);
	assert_int_equal(head.version, 20);
	/* A trailer that speaks of framing changes nothing. */
	assert_int_equal(feed(&head, (const char *const[]){"HTTP/1.1 200 OK\r\n",
							   "Transfer-Encoding: CHUNKED\r\n", "\r\n",
							   "Content-Length: 5\r\n", NULL}),
			 WIRE_ORACLE_OK);
	assert_true(head.chunked && !head.has_length);
	/* A length of an interim response is not the next one's. */
	assert_int_equal(
		feed(&head, (const char *const[]){"HTTP/1.1 100 \r\n", "Content-Length: 5\r\n",
						  "\r\n", "HTTP/1.1 200 OK\r\n", "\r\n", NULL}),
		WIRE_ORACLE_OK);
	assert_false(head.has_length);
}

static void test_head_refused(void **state)
{
	(void)state;
	struct head head;
	static const char *const cases[][6] = {
		{"X: y\r\n"},
		{"\r\n"},
		{"HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\n"},
		{"HTTP/1.1 99 x\r\n"},
		{"HTTP/1.1  200 x\r\n"},
		{"HTTP/2.0 200 x\r\n"},
		{"http/1.1 200 OK\r\n"},
		{"HTTP/1.1 200 OK\r\n", "Content-Length: 99999999999999999999\r\n"},
		{"HTTP/1.1 200 OK\r\n", "Content-Length: 1\r\n", "content-length: 1\r\n"},
		{"HTTP/1.1 200 OK\r\n", "\tx: y\r\n"},
		{"HTTP/1.1 200 OK\r\n", "x\ty: z\r\n"},
		{"HTTP/2 200 \r\n", "transfer-encoding: chunked\r\n"},
		{"HTTP/1.1 200 OK\r\n", "Transfer-Encoding: chunked\r\n", "Content-Length: 1\r\n",
		 "\r\n"},
		{"HTTP/1.1 200 OK\r\n", "Content-Encoding: br\r\n"},
		{"HTTP/1.1 302 x\r\n", "Location: a\r\n", "Location: a\r\n"},
		{"HTTP/1.1 200 OK\r\n", "\r\n", "not a trailer\r\n"},
	};
	for (size_t i = 0; i < CS_LEN(cases); i++)
		if (feed(&head, cases[i]) != WIRE_ORACLE_MALFORMED_RESPONSE)
			fail_msg("case %zu", i);
	assert_int_equal(feed(&head, (const char *const[]){"HTTP/1.1 200 OK\r\n",
							   "Content-Length: 1001\r\n", NULL}),
			 WIRE_ORACLE_TOO_LARGE);
	static char line[FETCH_HEAD_SIZE_MAX + 1];
	memset(line, 'x', FETCH_HEAD_SIZE_MAX);
	assert_int_equal(feed(&head, (const char *const[]){"HTTP/1.1 200 OK\r\n", line, NULL}),
			 WIRE_ORACLE_TOO_LARGE);
}

static void test_options(void **state)
{
	(void)state;
	struct fetch *fetch = NULL;
	struct cs_why why;
	static const uint8_t junk[] = {0x30, 0x03, 0x02, 0x01, 0x00};
	const struct fetch_anchor anchor = {CS_BYTES_OF(junk), true};
	const struct fetch_log log = {CS_BYTES_OF(junk), 1, 0};
	struct fetch_options options = {.anchors = &anchor, .anchor_count = 1, .egress_fd = -1};
	assert_int_equal(fetch_new(&fetch, &options, &why), CS_ERR_INVALID);
	options = (struct fetch_options){.logs = &log, .log_count = 1, .egress_fd = -1};
	assert_int_equal(fetch_new(&fetch, &options, &why), CS_ERR_INVALID);
	options.log_count = FETCH_LOGS_MAX + 1;
	assert_int_equal(fetch_new(&fetch, &options, &why), CS_ERR_TOO_LARGE);
	options = (struct fetch_options){.anchor_count = FETCH_ANCHORS_MAX + 1, .egress_fd = -1};
	assert_int_equal(fetch_new(&fetch, &options, &why), CS_ERR_TOO_LARGE);
	assert_null(fetch);
}

/* Every place in the table, and the same again after they were released. */
static void test_table(void **state)
{
	(void)state;
	struct fetch *fetch;
	struct cs_why why;
	const struct fetch_options options = {.egress_fd = -1};
	const struct verify_time now = {1000, 1000};
	const struct fetch_request request = {.host = {cs_bytes_str("a.test"), 443},
					      .target = cs_bytes_str("/")};
	assert_int_equal(fetch_new(&fetch, &options, &why), CS_OK);
	for (size_t round = 0; round < 2; round++) {
		uint64_t ids[FETCH_TRANSFERS_MAX], more;
		for (size_t i = 0; i < FETCH_TRANSFERS_MAX; i++)
			assert_int_equal(fetch_start(fetch, &ids[i], &request), CS_OK);
		assert_int_equal(fetch_start(fetch, &more, &request), CS_ERR_FULL);
		assert_true(fetch_cancel(fetch, ids[3]));
		assert_false(fetch_cancel(fetch, ids[3]));
		const struct fetch_reply *reply;
		size_t count = 0;
		while (fetch_in_flight(fetch) > 0) {
			fetch_step(fetch, &now, NULL, 0);
			while (fetch_take(fetch, &reply)) {
				assert_int_equal(reply->code, WIRE_ORACLE_UNREACHABLE);
				assert_int_equal(reply->evidence.completed, 1000);
				fetch_release(fetch, reply);
				count++;
			}
		}
		assert_int_equal(count, FETCH_TRANSFERS_MAX - 1);
		assert_int_equal(fetch_wait_ms(fetch), -1);
	}
	/* One that waits to be taken can be called off too. */
	uint64_t first, last;
	const struct fetch_request bad = {.host = {cs_bytes_str("127.0.0.1"), 443},
					  .target = cs_bytes_str("/")};
	assert_int_equal(fetch_start(fetch, &first, &bad), CS_OK);
	assert_int_equal(fetch_start(fetch, &last, &bad), CS_OK);
	assert_int_equal(fetch_wait_ms(fetch), 0);
	assert_true(fetch_cancel(fetch, last));
	const struct fetch_reply *reply;
	assert_true(fetch_take(fetch, &reply));
	assert_int_equal(reply->code, WIRE_ORACLE_NOT_ALLOWED);
	assert_false(fetch_cancel(fetch, first));
	fetch_release(fetch, reply);
	assert_false(fetch_take(fetch, &reply));
	assert_int_equal(fetch_start(fetch, &last, &request), CS_OK);
	fetch_free(fetch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hosts),   cmocka_unit_test(test_redirects),
		cmocka_unit_test(test_head),    cmocka_unit_test(test_head_refused),
		cmocka_unit_test(test_options), cmocka_unit_test(test_table),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
