/* Names of hosts: their form, and that they become addresses in a later turn. */
#include "host/resolve.h"
#include "tests/unit/support.h"

#include <netdb.h>

#define WAIT_MS 60000

static void forms(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		const char *name;
		uint16_t port;
	} good[] = {{"node1.example.org:26656", "node1.example.org", 26656},
		    {"tcp://validator-2:1", "validator-2", 1},
		    {"a_b.c:65535", "a_b.c", 65535},
		    {"1and1.com:80", "1and1.com", 80}};
	static const char *const wrong[] = {"",
					    ":80",
					    "name",
					    "name:",
					    "name:0",
					    "name:65536",
					    "name:8o",
					    "name:-1",
					    "name:000080",
					    "-name:80",
					    "a..b:80",
					    ".a:80",
					    "a.:80",
					    "na me:80",
					    "a/b:80",
					    "a:b:80",
					    "[::1]:80",
					    "1.2.3:80",
					    "1.2.3.400:80",
					    "unix://a:80",
					    "n\xc3\xa4me:80"};
	char text[HOST_NAME_SIZE_MAX + 8];
	for (size_t i = 0; i < CS_LEN(good); i++) {
		struct host_name name;
		assert_ok(host_name_parse(&name, good[i].text, NULL));
		assert_string_equal(name.name, good[i].name);
		assert_int_equal(name.port, good[i].port);
	}
	for (size_t i = 0; i < CS_LEN(wrong); i++) {
		struct host_name name = {.port = 7};
		struct cs_why why = {""};
		if (host_name_parse(&name, wrong[i], &why) != CS_ERR_INVALID)
			fail_msg("%s", wrong[i]);
		assert_int_equal(name.port, 7);
		assert_true(why.text[0] != 0);
	}
	/* As long as there may be, and one more. */
	struct host_name name;
	memset(text, 'a', HOST_NAME_SIZE_MAX + 1);
	memcpy(text + HOST_NAME_SIZE_MAX, ":80", 4);
	assert_ok(host_name_parse(&name, text, NULL));
	memset(text, 'a', HOST_NAME_SIZE_MAX + 1);
	memcpy(text + HOST_NAME_SIZE_MAX + 1, ":80", 4);
	assert_err(host_name_parse(&name, text, NULL), CS_ERR_INVALID);
}

struct answer {
	bool is_there;
	enum cs_err err;
	size_t count;
	struct host_address addresses[HOST_RESOLVE_MAX];
};

static void on_resolved(void *context, enum cs_err err, const struct host_address *addresses,
			size_t count)
{
	struct answer *answer = context;
	assert_false(answer->is_there);
	*answer = (struct answer){.is_there = true, .err = err, .count = count};
	if (count > 0)
		memcpy(answer->addresses, addresses, count * sizeof *addresses);
}

static bool is_there(void *context)
{
	return ((const struct answer *)context)->is_there;
}

/* A root without /etc/hosts does not know its own name. */
static bool knows_itself(void)
{
	struct addrinfo *found = NULL;
	const bool known = getaddrinfo("localhost", NULL, NULL, &found) == 0;
	if (known)
		freeaddrinfo(found);
	return known;
}

static void this_machine(void **state)
{
	(void)state;
	if (!knows_itself())
		skip();
	struct host_loop *loop = host_loop_new();
	struct answer answer = {0};
	struct host_name name;
	assert_ok(host_name_parse(&name, "LOCALHOST:26656", NULL));
	(void)host_name_resolve(loop, &name, on_resolved, &answer);
	assert_false(answer.is_there);
	assert_ok(host_loop_run_until(loop, is_there, &answer, WAIT_MS));
	assert_ok(answer.err);
	assert_in_range(answer.count, 1, HOST_RESOLVE_MAX);
	for (size_t i = 0; i < answer.count; i++) {
		assert_true(answer.addresses[i].is_loopback);
		assert_int_equal(answer.addresses[i].port, 26656);
	}
	host_loop_free(loop);
}

/* RFC 2606: nobody ever has this name. */
static void nobody(void **state)
{
	struct host_loop *loop = host_loop_new();
	struct answer answer = {0};
	struct host_name name;
	(void)state;
	assert_ok(host_name_parse(&name, "nobody.invalid:1", NULL));
	(void)host_name_resolve(loop, &name, on_resolved, &answer);
	assert_ok(host_loop_run_until(loop, is_there, &answer, WAIT_MS));
	assert_err(answer.err, CS_ERR_UNAVAILABLE);
	assert_int_equal(answer.count, 0);
	host_loop_free(loop);
}

static void a_cancelled_one_is_silent(void **state)
{
	struct host_loop *loop = host_loop_new();
	struct answer answer = {0}, other = {0};
	struct host_name name;
	(void)state;
	assert_ok(host_name_parse(&name, "LOCALHOST:1", NULL));
	host_resolve_cancel(host_name_resolve(loop, &name, on_resolved, &answer));
	host_resolve_cancel(NULL);
	(void)host_name_resolve(loop, &name, on_resolved, &other);
	assert_ok(host_loop_run_until(loop, is_there, &other, WAIT_MS));
	host_loop_free(loop);
	assert_false(answer.is_there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms),
		cmocka_unit_test(this_machine),
		cmocka_unit_test(nobody),
		cmocka_unit_test(a_cancelled_one_is_silent),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
