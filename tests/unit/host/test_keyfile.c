/* Files with secrets, and API keys. */
#include "host/api_key.h"
#include "host/keyfile.h"
#include "tests/unit/support.h"

#include <sys/stat.h>
#include <unistd.h>

static char path[64];
static const char hex[] = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff";
static const char token_text[] = "a-token-of-32-characters-exactly";

static void write_file(const char *text, mode_t mode)
{
	(void)unlink(path);
	FILE *file = fopen(path, "wb");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, mode), 0);
}

static void test_key(void **state)
{
	(void)state;
	struct cs_secret secret;
	struct cs_why why;
	char text[128];
	static const char *const around[][2] = {{"", ""}, {"", "\n"}, {"0x", "\n"}};
	for (size_t i = 0; i < CS_LEN(around); i++) {
		memset(&secret, 0, sizeof secret);
		(void)snprintf(text, sizeof text, "%s%s%s", around[i][0], hex, around[i][1]);
		write_file(text, 0600);
		assert_ok(host_keyfile_load(&secret, path, &why));
		assert_int_equal(secret.b[1], 1);
		assert_int_equal(secret.b[31], 0xff);
	}
}

static void refuse_key(const char *text, mode_t mode, enum cs_err err)
{
	struct cs_secret secret = {{7}};
	struct cs_why why = {{0}};
	write_file(text, mode);
	assert_err(host_keyfile_load(&secret, path, &why), err);
	assert_int_equal(secret.b[0], 7);
	assert_true(strlen(why.text) > 0);
	assert_null(strstr(why.text, "0102"));
}

static void test_key_refused(void **state)
{
	(void)state;
	struct cs_secret secret;
	struct cs_why why;
	char text[256];
	refuse_key(hex, 0640, CS_ERR_FORBIDDEN);
	refuse_key(hex, 0604, CS_ERR_FORBIDDEN);
	refuse_key(hex, 0660, CS_ERR_FORBIDDEN);
	refuse_key("", 0600, CS_ERR_MALFORMED);
	refuse_key(hex + 1, 0600, CS_ERR_MALFORMED);
	(void)snprintf(text, sizeof text, "%s0", hex);
	refuse_key(text, 0600, CS_ERR_MALFORMED);
	(void)snprintf(text, sizeof text, "%s\n\n", hex);
	refuse_key(text, 0600, CS_ERR_MALFORMED);
	(void)snprintf(text, sizeof text, " %s", hex + 1);
	refuse_key(text, 0600, CS_ERR_MALFORMED);
	(void)snprintf(text, sizeof text, "%s%s", hex, hex);
	refuse_key(text, 0600, CS_ERR_MALFORMED);
	(void)unlink(path);
	assert_err(host_keyfile_load(&secret, path, &why), CS_ERR_NOT_FOUND);
	assert_err(host_keyfile_load(&secret, "/tmp", &why), CS_ERR_FORBIDDEN);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_err(host_keyfile_load(&secret, path, &why), CS_ERR_FORBIDDEN);
}

static void test_token(void **state)
{
	(void)state;
	char token[HOST_TOKEN_MAX + 1] = "old";
	char text[256];
	struct cs_why why;
	(void)snprintf(text, sizeof text, "%s\n", token_text);
	write_file(text, 0600);
	assert_ok(host_tokenfile_load(token, path, &why));
	assert_string_equal(token, token_text);
	memset(text, 'x', HOST_TOKEN_MAX);
	text[HOST_TOKEN_MAX] = 0;
	write_file(text, 0400);
	assert_ok(host_tokenfile_load(token, path, &why));
	assert_int_equal(strlen(token), HOST_TOKEN_MAX);
	static const char *const bad[] = {"", "short", "with a space in it, long enough",
					  "with\ta tab in it, long enough"};
	for (size_t i = 0; i < CS_LEN(bad); i++) {
		write_file(bad[i], 0600);
		assert_err(host_tokenfile_load(token, path, &why), CS_ERR_MALFORMED);
	}
	memset(text, 'x', HOST_TOKEN_MAX + 1);
	text[HOST_TOKEN_MAX + 1] = 0;
	write_file(text, 0600);
	assert_err(host_tokenfile_load(token, path, &why), CS_ERR_MALFORMED);
	write_file(token_text, 0644);
	assert_err(host_tokenfile_load(token, path, &why), CS_ERR_FORBIDDEN);
}

static void test_file(void **state)
{
	(void)state;
	uint8_t *bytes = NULL;
	size_t size = 0;
	struct cs_why why;
	write_file("12345", 0644);
	assert_ok(host_file_load(&bytes, &size, path, 5, &why));
	assert_int_equal(size, 5);
	assert_string_equal((const char *)bytes, "12345");
	free(bytes);
	bytes = NULL;
	assert_err(host_file_load(&bytes, &size, path, 4, &why), CS_ERR_TOO_LARGE);
	assert_null(bytes);
	write_file("", 0644);
	assert_ok(host_file_load(&bytes, &size, path, 4, &why));
	assert_int_equal(size, 0);
	free(bytes);
}

/* ---- API keys ---- */

static const char *const scopes[] = {"read", "write", "admin", NULL};
/* Of no key. */
#define HASH "3f6f8e0b6ae03f0e1f5e4a7d0d9a3bd5a2ae3a2ecdcfe3ba5a94f9b4d0c7a1ee"

static void hash_text(char text[65], const char *key)
{
	struct cs_hash hash = cs_sha256(cs_bytes_str(key));
	cs_hex(text, cs_bytes(hash.b, sizeof hash.b));
}

static void test_api_keys(void **state)
{
	(void)state;
	struct host_api_keys keys;
	struct cs_why why;
	const struct host_api_key *key = NULL;
	char text[1024];
	char first[65];
	char second[65];
	hash_text(first, "0123456789abcdef0123456789abcdef");
	hash_text(second, "another key of thirty-two letters");
	(void)snprintf(text, sizeof text,
		       "# who may call\n\nalice read,write %s # comment\r\n  bob\tadmin\t%s", first,
		       second);
	assert_ok(host_api_keys_parse(&keys, cs_bytes_str(text), scopes, &why));
	assert_int_equal(keys.count, 2);
	assert_ok(host_api_keys_check(&key, &keys, "Bearer 0123456789abcdef0123456789abcdef", 1));
	assert_string_equal(key->name, "alice");
	assert_ok(host_api_keys_check(&key, &keys, "bearer 0123456789abcdef0123456789abcdef", 3));
	assert_ok(host_api_keys_check(&key, &keys, "Bearer another key of thirty-two letters", 4));
	assert_string_equal(key->name, "bob");
	key = NULL;
	assert_err(host_api_keys_check(&key, &keys, "Bearer 0123456789abcdef0123456789abcdef", 4),
		   CS_ERR_FORBIDDEN);
	assert_err(host_api_keys_check(&key, &keys, "Bearer 0123456789abcdef0123456789abcdeF", 1),
		   CS_ERR_UNAUTHORIZED);
	assert_err(host_api_keys_check(&key, &keys, "0123456789abcdef0123456789abcdef", 1),
		   CS_ERR_UNAUTHORIZED);
	assert_err(host_api_keys_check(&key, &keys, "Basic 0123456789abcdef0123456789abcdef", 1),
		   CS_ERR_UNAUTHORIZED);
	assert_err(host_api_keys_check(&key, &keys, "Bearer ", 1), CS_ERR_UNAUTHORIZED);
	assert_err(host_api_keys_check(&key, &keys, "", 1), CS_ERR_UNAUTHORIZED);
	assert_err(host_api_keys_check(&key, &keys, NULL, 0), CS_ERR_UNAUTHORIZED);
	assert_null(key);
}

static void refuse_keys(const char *text, enum cs_err err, const char *line)
{
	struct host_api_keys keys = {.count = 99};
	struct cs_why why = {{0}};
	assert_err(host_api_keys_parse(&keys, cs_bytes_str(text), scopes, &why), err);
	assert_int_equal(keys.count, 99);
	assert_non_null(strstr(why.text, line));
}

static void test_api_keys_refused(void **state)
{
	(void)state;
	char many[16384] = "";
	size_t n = 0;
	refuse_keys("\nalice", CS_ERR_MALFORMED, "line 2:");
	refuse_keys("alice read", CS_ERR_MALFORMED, "line 1:");
	refuse_keys("alice read 00", CS_ERR_MALFORMED, "line 1:");
	refuse_keys("alice read " HASH "00", CS_ERR_MALFORMED, "line 1:");
	refuse_keys("alice read " HASH " more", CS_ERR_MALFORMED, "line 1:");
	refuse_keys("alice-with-a-name-that-is-longer-than-32 read " HASH, CS_ERR_MALFORMED,
		    "line 1:");
	refuse_keys("al\xc3\xa9 read " HASH, CS_ERR_MALFORMED, "line 1:");
	refuse_keys("alice root " HASH, CS_ERR_INVALID, "line 1:");
	refuse_keys("alice read, " HASH, CS_ERR_INVALID, "line 1:");
	refuse_keys("alice ,read " HASH, CS_ERR_INVALID, "line 1:");
	refuse_keys("alice read " HASH "\nbob read " HASH, CS_ERR_DUPLICATE, "line 2:");
	refuse_keys("alice read " HASH "\nalice read 00" HASH, CS_ERR_MALFORMED, "line 2:");
	for (uint32_t i = 0; i <= HOST_API_KEYS_MAX; i++)
		n += (size_t)snprintf(many + n, sizeof many - n, "k%u read %064x\n", i, i);
	refuse_keys(many, CS_ERR_FULL, "line 65:");
}

static void test_api_keys_file(void **state)
{
	(void)state;
	struct host_api_keys keys;
	struct cs_why why;
	write_file("alice read " HASH "\n", 0644);
	assert_ok(host_api_keys_load(&keys, path, scopes, &why));
	assert_int_equal(keys.count, 1);
	write_file("alice read " HASH "\n", 0666);
	assert_err(host_api_keys_load(&keys, path, scopes, &why), CS_ERR_FORBIDDEN);
	write_file("alice read " HASH "\n", 0620);
	assert_err(host_api_keys_load(&keys, path, scopes, &why), CS_ERR_FORBIDDEN);
}

int main(void)
{
	char folder[] = "/tmp/caisson-key-XXXXXX";
	if (mkdtemp(folder) == NULL)
		return 1;
	(void)snprintf(path, sizeof path, "%s/key", folder);
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_key),           cmocka_unit_test(test_key_refused),
		cmocka_unit_test(test_token),         cmocka_unit_test(test_file),
		cmocka_unit_test(test_api_keys),      cmocka_unit_test(test_api_keys_refused),
		cmocka_unit_test(test_api_keys_file),
	};
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	(void)unlink(path);
	(void)rmdir(folder);
	return failed;
}
