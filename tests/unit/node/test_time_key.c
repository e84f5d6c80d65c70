/* The file of the time key, and what it signs. */
#include "relay_state/node/time_key.h"
#include "tests/unit/support.h"

#include <sys/stat.h>
#include <unistd.h>

static char path[128];

static int set_up(void **state)
{
	char folder[] = "/tmp/caisson-time-XXXXXX";
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	(void)snprintf(path, sizeof path, "%s/time_key", folder);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(path);
	*strrchr(path, '/') = 0;
	return rmdir(path);
}

static void write_file(const char *text, mode_t mode)
{
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_a_key(void **state)
{
	struct node_time_key *key = NULL, *again = NULL;
	struct cs_sig *sig = cs_sig_new(NULL);
	struct cs_hash digest = {{1}};
	struct cs_why why = {""};
	struct stat found;
	uint8_t signature[64];
	(void)state;
	assert_ok(node_time_key_make(path, &why));
	assert_int_equal(stat(path, &found), 0);
	assert_int_equal(found.st_mode & 0777, 0600);
	assert_err(node_time_key_make(path, &why), CS_ERR_CONFLICT);
	assert_ok(node_time_key_load(&key, path, &why));
	assert_ok(node_time_key_load(&again, path, &why));
	assert_hash(*node_time_key_x(key), *node_time_key_x(again));
	assert_ok(node_time_key_sign(key, signature, &digest));
	assert_ok(cs_schnorr_verify64(sig, signature, node_time_key_x(key), CS_BYTES_OF(digest.b)));
	digest.b[31] ^= 1;
	assert_err(cs_schnorr_verify64(sig, signature, node_time_key_x(key), CS_BYTES_OF(digest.b)),
		   CS_ERR_BAD_SIGNATURE);
	node_time_key_free(key);
	node_time_key_free(again);
	cs_sig_free(sig);
}

static void test_known_key(void **state)
{
	/* x of the generator. */
	static const char x[] = "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798";
	struct node_time_key *key = NULL;
	struct cs_why why = {""};
	(void)state;
	write_file("0000000000000000000000000000000000000000000000000000000000000001\n", 0600);
	assert_ok(node_time_key_load(&key, path, &why));
	assert_hash(*node_time_key_x(key), hash_of_text(x));
	node_time_key_free(key);
}

static void test_refusals(void **state)
{
	static const char zero[] =
		"0000000000000000000000000000000000000000000000000000000000000000\n";
	static const char order[] =
		"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141\n";
	struct node_time_key *key = (void *)path;
	struct cs_why why = {""};
	(void)state;
	assert_ok(node_time_key_load(&key, path, &why));
	assert_null(key);
	key = (void *)path;
	write_file(zero, 0600);
	assert_err(node_time_key_load(&key, path, &why), CS_ERR_INVALID);
	write_file(order, 0600);
	assert_err(node_time_key_load(&key, path, &why), CS_ERR_INVALID);
	write_file("what", 0600);
	assert_err(node_time_key_load(&key, path, &why), CS_ERR_MALFORMED);
	write_file("0000000000000000000000000000000000000000000000000000000000000001\n", 0640);
	assert_err(node_time_key_load(&key, path, &why), CS_ERR_FORBIDDEN);
	assert_null(strstr(why.text, "0001"));
	assert_ptr_equal(key, (void *)path);
	node_time_key_free(NULL);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(test_a_key),
		TEST(test_known_key),
		TEST(test_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
