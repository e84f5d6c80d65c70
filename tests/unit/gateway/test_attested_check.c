/* The child that asks a peer's enclave: shell scripts in its place say, print and do what a broken program
 * could. Nothing of that is an acceptance, and the loop never waits for one. */
#include "gateway/attested_check.h"
#include "host/alloc.h"
#include "tests/unit/support.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAIT_MS 30000u

struct fixture {
	char folder[40];
	char program[64];
	char pid[64];
	struct host_loop *loop;
	struct gateway_attested_check *check;
	struct gateway_attested_verdict verdict;
	unsigned answers;
};

static int set_up(void **state)
{
	struct fixture *f = host_alloc(sizeof *f);
	(void)snprintf(f->folder, sizeof f->folder, "/tmp/caisson-asked-XXXXXX");
	assert_non_null(mkdtemp(f->folder));
	(void)snprintf(f->program, sizeof f->program, "%s/caisson", f->folder);
	(void)snprintf(f->pid, sizeof f->pid, "%s/pid", f->folder);
	f->loop = host_loop_new();
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;
	gateway_attested_check_free(f->check);
	host_loop_free(f->loop);
	(void)unlink(f->program);
	(void)unlink(f->pid);
	assert_int_equal(rmdir(f->folder), 0);
	free(f);
	return 0;
}

static void on_answer(void *context, const struct gateway_attested_verdict *verdict)
{
	struct fixture *f = context;
	f->verdict = *verdict;
	f->answers++;
	gateway_attested_check_free(f->check);
	f->check = NULL;
}

static bool is_answered(void *context)
{
	return ((const struct fixture *)context)->answers > 0;
}

static void write_program(struct fixture *f, const char *script)
{
	FILE *file = fopen(f->program, "w");
	assert_non_null(file);
	assert_true(fprintf(file, "#!/bin/sh\necho $$ > %s\n%s\n", f->pid, script) > 0);
	assert_int_equal(fchmod(fileno(file), 0700), 0);
	assert_int_equal(fclose(file), 0);
}

static enum cs_err begin(struct fixture *f, const char *collateral, uint64_t timeout_ms)
{
	struct cs_why why;
	const struct gateway_attested_question question = {.program = f->program,
							   .place = "gateway.example:8443",
							   .lineage = "aa",
							   .policy = "policy.json",
							   .collateral = collateral,
							   .roots = collateral,
							   .timeout_ms = timeout_ms};
	return gateway_attested_ask(&f->check, f->loop, &question, on_answer, f, &why);
}

static void run(struct fixture *f, const char *script, uint64_t timeout_ms)
{
	write_program(f, script);
	f->answers = 0;
	assert_ok(begin(f, NULL, timeout_ms));
	assert_ok(host_loop_run_until(f->loop, is_answered, f, WAIT_MS));
	assert_int_equal(f->answers, 1);
	assert_null(f->check);
}

static void expect_none(struct fixture *f, const char *part)
{
	assert_int_equal(f->verdict.answer, GATEWAY_ANSWER_NONE);
	if (strstr(f->verdict.why, part) == NULL)
		fail_msg("\"%s\" does not name %s", f->verdict.why, part);
}

static void test_what_it_is_asked(void **state)
{
	struct fixture *f = *state;
	run(f, "printf '{\"error\":\"%s\"}' \"$*\"; exit 1", WAIT_MS);
	expect_none(f, "attest connect gateway.example:8443 --json --policy policy.json "
		       "--lineage aa");
	assert_null(strstr(f->verdict.why, "--collateral"));
	f->answers = 0;
	assert_ok(begin(f, "folder", WAIT_MS));
	assert_ok(host_loop_run_until(f->loop, is_answered, f, WAIT_MS));
	expect_none(f, "--lineage aa --collateral folder --root folder");
}

/* No shell of ours, no environment of ours. */
static void test_its_environment(void **state)
{
	struct fixture *f = *state;
	assert_int_equal(setenv("CAISSON_API_KEY", "a secret", 1), 0);
	run(f, "printf '{\"error\":\"%s|\"}' \"$CAISSON_API_KEY\"; exit 1", WAIT_MS);
	assert_string_equal(f->verdict.why, "|");
}

static void test_a_verdict_is_read(void **state)
{
	struct fixture *f = *state;
	run(f,
	    "echo '{\"status\":\"none\",\"kind\":\"sgx\",\"checks\":[]}'; echo noise >&2; exit 7",
	    WAIT_MS);
	assert_int_equal(f->verdict.answer, GATEWAY_ANSWER_REFUSED);
	assert_string_equal(f->verdict.kind, "sgx");
}

static void test_nonsense(void **state)
{
	struct fixture *f = *state;
	run(f, "echo all is well; exit 0", WAIT_MS);
	expect_none(f, "cannot be read");
	run(f, "exit 0", WAIT_MS);
	expect_none(f, "cannot be read");
	run(f, "printf '{\"status\":\\0\"affirming\"}'; exit 0", WAIT_MS);
	expect_none(f, "cannot be read");
}

/* More than it may print: what it is told is an error, and what came before is no JSON. */
static void test_too_much(void **state)
{
	struct fixture *f = *state;
	run(f,
	    "head -c 3000000 /dev/zero | tr '\\0' '[' 2>/dev/null; echo "
	    "'{\"status\":\"affirming\"}' "
	    "2>/dev/null; exit 0",
	    WAIT_MS);
	expect_none(f, "cannot be read");
}

static void test_it_dies(void **state)
{
	struct fixture *f = *state;
	run(f, "kill -9 $$", WAIT_MS);
	expect_none(f, "killed");
	run(f, "exit 42", WAIT_MS);
	expect_none(f, "42");
}

static int pid_of(const struct fixture *f)
{
	int pid = 0;
	FILE *file = fopen(f->pid, "r");
	if (file == NULL)
		return 0;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	(void)fclose(file);
	return pid;
}

static bool is_gone(void *context)
{
	const int pid = pid_of(context);
	return pid > 0 && kill(pid, 0) != 0;
}

static bool has_begun(void *context)
{
	return pid_of(context) > 0;
}

static void nothing(void *context)
{
	(void)context;
}

/* A process is no event: a timer makes the loop look. */
static void wait_for(struct fixture *f, bool (*done)(void *context))
{
	struct host_timer *timer = host_timer_new(f->loop, nothing, NULL);
	host_timer_start(timer, 5, 5);
	assert_ok(host_loop_run_until(f->loop, done, f, WAIT_MS));
	host_timer_free(timer);
}

/* It is killed, and what it printed until then does not count. */
static void test_it_hangs(void **state)
{
	struct fixture *f = *state;
	run(f,
	    "echo '{\"status\":\"none\",\"kind\":\"sgx\",\"checks\":[]}'; exec sleep 600 0<&- 1>&- "
	    "2>&-",
	    500);
	expect_none(f, "too long");
	if (pid_of(f) > 0)
		wait_for(f, is_gone);
}

static void test_it_is_not_wanted_any_more(void **state)
{
	struct fixture *f = *state;
	write_program(f, "exec sleep 600 0<&- 1>&- 2>&-");
	assert_ok(begin(f, NULL, WAIT_MS));
	wait_for(f, has_begun);
	gateway_attested_check_free(f->check);
	f->check = NULL;
	wait_for(f, is_gone);
	assert_int_equal(f->answers, 0);
}

static void test_no_program(void **state)
{
	struct fixture *f = *state;
	assert_err(begin(f, NULL, WAIT_MS), CS_ERR_IO);
	assert_null(f->check);
	gateway_attested_check_free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_it_is_asked, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_its_environment, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_verdict_is_read, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nonsense, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_much, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_it_dies, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_it_hangs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_it_is_not_wanted_any_more, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_program, set_up, tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
