/* What a gateway and `caisson up` tell each other arrives whole; what is not theirs is passed over. */
#include "host/supervisor.h"
#include "tests/unit/support.h"

#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 10000

struct heard {
	unsigned count;
	enum host_supervisor_kind kind;
	struct cs_hash plan;
	char text[HOST_SUPERVISOR_TEXT_MAX + 1];
};

static void hear(void *context, enum host_supervisor_kind kind, const struct cs_hash *plan,
		 const char *text)
{
	struct heard *heard = context;
	heard->count++;
	heard->kind = kind;
	heard->plan = *plan;
	snprintf(heard->text, sizeof(heard->text), "%s", text);
}

static bool heard_one(void *context)
{
	return ((struct heard *)context)->count > 0;
}

static struct cs_hash plan_of(uint8_t byte)
{
	struct cs_hash plan = {{0}};
	plan.b[31] = byte;
	return plan;
}

static void test_messages(void **state)
{
	(void)state;
	int fds[2];
	struct host_loop *loop = host_loop_new();
	struct host_supervisor *here = NULL, *there = NULL;
	struct heard up = {0}, down = {0};
	assert_int_equal(host_supervisor_pair(fds), CS_OK);
	assert_int_equal(host_supervisor_new(&here, loop, fds[0], hear, &up), CS_OK);
	assert_int_equal(host_supervisor_new(&there, loop, fds[1], hear, &down), CS_OK);
	(void)close(fds[0]);
	struct cs_hash plan = plan_of(7);
	assert_int_equal(host_supervisor_send(there, HOST_SUPERVISOR_TRY, &plan, ""), CS_OK);
	assert_int_equal(host_loop_run_until(loop, heard_one, &up, WAIT_MS), CS_OK);
	assert_int_equal(up.kind, HOST_SUPERVISOR_TRY);
	assert_true(cs_hash_eq(&up.plan, &plan));
	assert_string_equal(up.text, "");
	/* A sentence is cut, and made fit for a line. */
	char text[300];
	memset(text, 'x', sizeof(text));
	text[299] = 0;
	text[0] = '\n';
	assert_int_equal(host_supervisor_send(here, HOST_SUPERVISOR_REFUSED, &plan, text), CS_OK);
	assert_int_equal(host_loop_run_until(loop, heard_one, &down, WAIT_MS), CS_OK);
	assert_int_equal(down.kind, HOST_SUPERVISOR_REFUSED);
	assert_int_equal(strlen(down.text), HOST_SUPERVISOR_TEXT_MAX);
	assert_int_equal(down.text[0], '?');
	/* Of another size or kind, then one that is whole: it alone is heard. */
	uint8_t raw[400] = {HOST_SUPERVISOR_KEEP};
	up.count = 0;
	assert_int_equal(send(fds[1], raw, 1, 0), 1);
	assert_int_equal(send(fds[1], raw, sizeof(raw), 0), sizeof(raw));
	raw[0] = 0;
	assert_int_equal(send(fds[1], raw, 33, 0), 33);
	raw[0] = HOST_SUPERVISOR_REFUSED + 1;
	assert_int_equal(send(fds[1], raw, 33, 0), 33);
	raw[0] = HOST_SUPERVISOR_BACK;
	assert_int_equal(send(fds[1], raw, 33, 0), 33);
	assert_int_equal(host_loop_run_until(loop, heard_one, &up, WAIT_MS), CS_OK);
	assert_int_equal(up.count, 1);
	assert_int_equal(up.kind, HOST_SUPERVISOR_BACK);
	(void)close(fds[1]);
	host_supervisor_free(there);
	assert_int_equal(host_supervisor_send(here, HOST_SUPERVISOR_REFUSED, &plan, ""),
			 CS_ERR_UNAVAILABLE);
	host_supervisor_free(here);
	host_supervisor_free(NULL);
	host_loop_free(loop);
}

static void test_what_is_no_such_descriptor(void **state)
{
	(void)state;
	int fds[2];
	struct host_loop *loop = host_loop_new();
	struct host_supervisor *supervisor = NULL;
	assert_int_equal(host_supervisor_new(&supervisor, loop, 900, hear, NULL), CS_ERR_INVALID);
	assert_int_equal(pipe(fds), 0);
	assert_int_equal(host_supervisor_new(&supervisor, loop, fds[0], hear, NULL),
			 CS_ERR_INVALID);
	assert_null(supervisor);
	(void)close(fds[0]);
	(void)close(fds[1]);
	host_loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_what_is_no_such_descriptor),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
