/* Files of a real folder: what is written is there, what fails is the last change, one process has
 * it. */
#include "relay_state/node/file.h"
#include "tests/unit/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int set_up(void **state)
{
	char *path = strdup("/tmp/caisson-file-XXXXXX");
	assert_non_null(path);
	assert_non_null(mkdtemp(path));
	*state = path;
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = {"a", "b", "n-00000003", "n-00000010", "n-3"};
	char path[128];
	for (size_t i = 0; i < CS_LEN(names); i++) {
		(void)snprintf(path, sizeof path, "%s/%s", (char *)*state, names[i]);
		(void)unlink(path);
	}
	assert_int_equal(rmdir(*state), 0);
	free(*state);
	return 0;
}

static void what_is_written_is_there(void **state)
{
	struct node_folder folder;
	struct node_file file = {0};
	uint64_t size = 0;
	char text[16] = {0};
	assert_ok(node_folder_open(&folder, *state, NULL));
	assert_err(node_file_open(&file, &folder, "a", false, NULL), CS_ERR_NOT_FOUND);
	assert_ok(node_file_open(&file, &folder, "a", true, NULL));
	assert_ok(node_file_write(&file, 4, cs_bytes_str("word"), NULL));
	assert_ok(node_file_sync(&file, NULL));
	assert_ok(node_file_size(&file, &size, NULL));
	assert_int_equal(size, 8);
	assert_ok(node_file_read(&file, 2, text, 6, NULL));
	assert_memory_equal(text, "\0\0word", 6);
	assert_err(node_file_read(&file, 2, text, 7, NULL), CS_ERR_TRUNCATED);
	assert_ok(node_file_truncate(&file, 6, NULL));
	assert_err(node_file_read(&file, 4, text, 4, NULL), CS_ERR_TRUNCATED);
	node_file_close(&file);
	node_file_close(&file);
	assert_ok(node_folder_rename(&folder, "a", "b", NULL));
	assert_err(node_file_open(&file, &folder, "a", false, NULL), CS_ERR_NOT_FOUND);
	assert_ok(node_folder_remove(&folder, "b", NULL));
	assert_ok(node_folder_sync(&folder, NULL));
	node_folder_close(&folder);
}

/* What a crash left of an earlier one, longer than this one, is no part of it. */
static void a_whole_file_takes_the_place_of_another(void **state)
{
	struct node_folder folder;
	struct node_file file = {0};
	uint64_t size = 0;
	char text[8] = {0};
	assert_ok(node_folder_open(&folder, *state, NULL));
	assert_ok(node_folder_put(&folder, "a", cs_bytes_str("before"), NULL));
	assert_ok(node_file_open(&file, &folder, "a.new", true, NULL));
	assert_ok(node_file_write(&file, 0, cs_bytes_str("what was left"), NULL));
	node_file_close(&file);
	assert_ok(node_folder_put(&folder, "a", cs_bytes_str("now"), NULL));
	assert_err(node_file_open(&file, &folder, "a.new", false, NULL), CS_ERR_NOT_FOUND);
	assert_ok(node_file_open(&file, &folder, "a", false, NULL));
	assert_ok(node_file_size(&file, &size, NULL));
	assert_int_equal(size, 3);
	assert_ok(node_file_read(&file, 0, text, 3, NULL));
	assert_string_equal(text, "now");
	node_file_close(&file);
	node_folder_close(&folder);
}

static void numbers_rise_and_others_are_passed_over(void **state)
{
	static const char *const names[] = {"n-00000010", "n-00000003", "n-3", "a"};
	struct node_folder folder;
	struct node_numbers numbers;
	assert_ok(node_folder_open(&folder, *state, NULL));
	for (size_t i = 0; i < CS_LEN(names); i++) {
		struct node_file file = {0};
		assert_ok(node_file_open(&file, &folder, names[i], true, NULL));
		node_file_close(&file);
	}
	assert_ok(node_folder_numbers(&numbers, &folder, "n-", NULL));
	assert_int_equal(numbers.count, 2);
	assert_int_equal(numbers.list[0], 3);
	assert_int_equal(numbers.list[1], 10);
	free(numbers.list);
	node_folder_close(&folder);
}

static void one_process_has_it(void **state)
{
	struct node_folder folder, other;
	assert_ok(node_folder_open(&folder, *state, NULL));
	assert_err(node_folder_open(&other, *state, NULL), CS_ERR_CONFLICT);
	node_folder_close(&folder);
	assert_ok(node_folder_open(&other, *state, NULL));
	node_folder_close(&other);
}

/* The kernel's own full disk. */
static void after_a_failure_nothing_is_changed(void **state)
{
	struct node_folder folder, full;
	struct node_file file = {0}, other = {0};
	struct cs_why why = {{0}};
	(void)state;
	assert_ok(node_folder_open(&folder, *state, NULL));
	if (access("/dev/full", W_OK) != 0 || node_folder_open(&full, "/dev", NULL) != CS_OK) {
		node_folder_close(&folder);
		print_message("no /dev/full here\n");
		skip();
	}
	assert_ok(node_file_open(&file, &full, "full", false, NULL));
	assert_err(node_file_write(&file, 0, cs_bytes_str("word"), &why), CS_ERR_FULL);
	assert_non_null(strstr(why.text, "full"));
	assert_true(full.broken);
	assert_err(node_file_write(&file, 0, cs_bytes_str("word"), NULL), CS_ERR_IO);
	assert_err(node_file_sync(&file, NULL), CS_ERR_IO);
	assert_err(node_file_truncate(&file, 0, NULL), CS_ERR_IO);
	assert_err(node_file_open(&other, &full, "caisson-never", true, NULL), CS_ERR_IO);
	assert_err(node_folder_sync(&full, NULL), CS_ERR_IO);
	assert_err(node_folder_remove(&full, "caisson-never", NULL), CS_ERR_IO);
	node_file_close(&file);
	node_folder_close(&full);
	node_folder_close(&folder);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_written_is_there, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_whole_file_takes_the_place_of_another, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(numbers_rise_and_others_are_passed_over, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(one_process_has_it, set_up, tear_down),
		cmocka_unit_test_setup_teardown(after_a_failure_nothing_is_changed, set_up,
						tear_down),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
