/* An application in this process and behind a socket: the same questions, the same answers, the same
 * ends. */
#include "relay_state/abci_socket/link.h"
#include "scene.h"

struct both {
	struct scene scene;
	struct abci_link *link;
	bool is_local;
};

static void open_link(struct both *both, bool is_local, const struct abci_app *app,
		      struct abci_local_options local)
{
	memset(both, 0, sizeof *both);
	make_scene(&both->scene);
	both->is_local = is_local;
	start_server(&both->scene, app, (struct abci_server_options){0});
	const struct abci_app kvstore = abci_kvstore_app(both->scene.store);
	if (is_local) {
		both->link = abci_link_local(both->scene.loop, app != NULL ? app : &kvstore, &local,
					     &client_events, &both->scene);
	} else {
		const struct abci_client_options options = {.address = both->scene.address,
							    .calls_max = local.calls_max,
							    .queued_max = local.queued_max};
		assert_ok(abci_link_socket(&both->link, both->scene.loop, &options, &client_events,
					   &both->scene, NULL));
	}
	const struct abci_request info = {.method = ABCI_INFO};
	assert_false(abci_link_is_ready(both->link));
	assert_err(abci_link_call(both->link, &info, NULL, NULL), CS_ERR_UNAVAILABLE);
	wait_for(&both->scene, is_ready, &both->scene);
	assert_true(abci_link_is_ready(both->link));
}

static void close_link(struct both *both)
{
	abci_link_free(both->link);
	end_scene(&both->scene);
}

static struct abci_response ask_link(struct both *both, const struct abci_request *request)
{
	struct asked asked = {.scene = &both->scene};
	struct abci_response response;
	assert_ok(abci_link_call(both->link, request, on_answer, &asked));
	assert_false(asked.done);
	wait_for(&both->scene, is_answered, &asked);
	assert_ok(asked.err);
	assert_ok(abci_response_decode(&response, fresh_arena(), asked.answer, NULL));
	return response;
}

static void test_a_block(void **state)
{
	(void)state;
	for (int is_local = 0; is_local < 2; is_local++) {
		struct both both;
		char text[] = "k=v";
		const struct cs_bytes tx = cs_bytes(text, 3);
		struct asked asked = {.done = false};
		open_link(&both, is_local != 0, NULL, (struct abci_local_options){0});
		struct abci_request q = {.method = ABCI_FINALIZE_BLOCK};
		q.finalize_block.txs = (struct abci_bytes_list){&tx, 1};
		q.finalize_block.height = 1;
		assert_ok(abci_link_call(both.link, &q, on_answer, &asked));
		/* The question was copied. */
		text[0] = 'x';
		wait_for(&both.scene, is_answered, &asked);
		assert_ok(asked.err);
		q = (struct abci_request){.method = ABCI_COMMIT};
		(void)ask_link(&both, &q);
		q = (struct abci_request){.method = ABCI_QUERY};
		q.query.data = cs_bytes_str("k");
		assert_bytes(ask_link(&both, &q).query.value, cs_bytes_str("v"));
		close_link(&both);
	}
}

static bool has_all(void *context)
{
	return ((struct scene *)context)->answers == 1000;
}

static void test_many_in_order(void **state)
{
	(void)state;
	for (int is_local = 0; is_local < 2; is_local++) {
		struct both both;
		open_link(&both, is_local != 0, NULL, (struct abci_local_options){0});
		for (uint32_t i = 1; i <= 1000; i++) {
			char number[16];
			struct abci_request q = {.method = ABCI_ECHO};
			snprintf(number, sizeof number, "%u", i);
			q.echo.message = cs_bytes_str(number);
			assert_ok(abci_link_call(both.link, &q, on_counted, &both.scene));
		}
		assert_int_equal(abci_link_calls_in_flight(both.link), 1000);
		assert_int_equal(both.scene.answers, 0);
		wait_for(&both.scene, has_all, &both.scene);
		assert_ok(both.scene.answer_err);
		assert_int_equal(abci_link_calls_in_flight(both.link), 0);
		close_link(&both);
	}
}

static void test_bounds(void **state)
{
	(void)state;
	for (int is_local = 0; is_local < 2; is_local++) {
		struct both both;
		static uint8_t text[8192];
		open_link(&both, is_local != 0, NULL,
			  (struct abci_local_options){.calls_max = 4, .queued_max = 4096});
		struct abci_request q = {.method = ABCI_ECHO};
		q.echo.message = CS_BYTES_OF(text);
		assert_err(abci_link_call(both.link, &q, NULL, NULL), CS_ERR_FULL);
		q.echo.message = CS_BYTES_NONE;
		for (int i = 0; i < 4; i++)
			assert_ok(abci_link_call(both.link, &q, NULL, NULL));
		assert_err(abci_link_call(both.link, &q, NULL, NULL), CS_ERR_FULL);
		q.method = ABCI_EXCEPTION;
		assert_true(abci_link_call(both.link, &q, NULL, NULL) != CS_OK);
		close_link(&both);
	}
}

static enum cs_err fail_check(void *state, const struct abci_check_tx_request *request,
			      struct abci_check_tx_response *response, const struct abci_call *call)
{
	(void)state, (void)request, (void)response;
	return cs_fail(call->why, CS_ERR_IO, "the disk is gone");
}

static void test_an_application_that_fails(void **state)
{
	(void)state;
	const struct abci_app app = {.check_tx = fail_check};
	for (int is_local = 0; is_local < 2; is_local++) {
		struct both both;
		const struct abci_request q = {.method = ABCI_CHECK_TX};
		open_link(&both, is_local != 0, &app, (struct abci_local_options){0});
		assert_ok(abci_link_call(both.link, &q, on_counted, &both.scene));
		assert_ok(abci_link_call(both.link, &q, on_counted, &both.scene));
		wait_for(&both.scene, has_client_failed, &both.scene);
		assert_int_equal(both.scene.answers, 2);
		assert_int_equal(both.scene.answer_err, CS_ERR_APPLICATION);
		assert_int_equal(both.scene.client_err, CS_ERR_APPLICATION);
		assert_non_null(strstr(both.scene.client_why, "the disk is gone"));
		assert_false(abci_link_is_ready(both.link));
		assert_err(abci_link_call(both.link, &q, on_counted, &both.scene), CS_ERR_CLOSED);
		close_link(&both);
	}
}

static void free_link(void *context, enum cs_err err, const char *why,
		      const struct abci_response *response)
{
	struct both *both = context;
	(void)err, (void)why, (void)response;
	both->scene.answers++;
	abci_link_free(both->link);
	both->link = NULL;
}

static bool has_an_answer(void *context)
{
	return ((struct both *)context)->scene.answers > 0;
}

/* By an answer, by the answer that a failure is, and with a turn that is still to come. */
static void test_links_that_are_freed(void **state)
{
	(void)state;
	const struct abci_app app = {.check_tx = fail_check};
	for (int i = 0; i < 4; i++) {
		struct both both;
		const struct abci_request q = {.method = i < 2 ? ABCI_INFO : ABCI_CHECK_TX};
		open_link(&both, i % 2 != 0, i < 2 ? NULL : &app, (struct abci_local_options){0});
		assert_ok(abci_link_call(both.link, &q, free_link, &both));
		assert_ok(abci_link_call(both.link, &q, free_link, &both));
		wait_for(&both.scene, has_an_answer, &both);
		close_link(&both);
		assert_int_equal(both.scene.answers, 1);
		assert_false(both.scene.client_failed);
		open_link(&both, i % 2 != 0, NULL, (struct abci_local_options){0});
		assert_ok(abci_link_call(both.link, &q, free_link, &both));
		close_link(&both);
		assert_int_equal(both.scene.answers, 0);
	}
}

static void test_an_address_that_is_none(void **state)
{
	(void)state;
	struct scene scene;
	struct abci_link *link;
	struct cs_why why = {""};
	const struct abci_client_options options = {.address = "nowhere"};
	make_scene(&scene);
	assert_err(abci_link_socket(&link, scene.loop, &options, &client_events, &scene, &why),
		   CS_ERR_INVALID);
	end_scene(&scene);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_block),
		cmocka_unit_test(test_many_in_order),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_an_application_that_fails),
		cmocka_unit_test(test_links_that_are_freed),
		cmocka_unit_test(test_an_address_that_is_none),
	};
	return cmocka_run_group_tests(tests, NULL, remove_folder_left);
}
