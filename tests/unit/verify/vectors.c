#include "vectors.h"

#include "core/rlp.h"

void vectors_open(struct vectors *v, const char *name)
{
	char path[512];
	json_error_t error;
	snprintf(path, sizeof path, "%s/evm/%s", CS_VECTORS, name);
	v->root = json_load_file(path, 0, &error);
	if (!v->root)
		fail_msg("%s: %s", path, error.text);
	v->kept = NULL;
	v->kept_count = 0;
}

void vectors_close(struct vectors *v)
{
	for (size_t i = 0; i < v->kept_count; i++)
		free(v->kept[i]);
	free(v->kept);
	json_decref(v->root);
}

void *vectors_keep(struct vectors *v, size_t size)
{
	void *p = malloc(size ? size : 1);
	v->kept = realloc(v->kept, (v->kept_count + 1) * sizeof *v->kept);
	assert_non_null(p);
	assert_non_null(v->kept);
	return v->kept[v->kept_count++] = p;
}

json_t *vectors_at(const json_t *object, const char *key)
{
	json_t *found = json_object_get(object, key);
	if (!found)
		fail_msg("no %s in the vector", key);
	return found;
}

static void put_hex(struct cs_buf *buf, const char *digits, size_t n)
{
	uint8_t byte;
	assert_int_equal(n % 2, 0);
	for (size_t i = 0; i < n; i += 2) {
		assert_ok(cs_unhex(&byte, 1, cs_bytes(digits + i, 2)));
		cs_put_u8(buf, byte);
	}
}

static void expand(struct vectors *v, struct cs_buf *buf, const char *text)
{
	if (strncmp(text, "0x", 2) == 0)
		text += 2;
	while (*text) {
		size_t n = strcspn(text, "{");
		put_hex(buf, text, n);
		text += n;
		if (*text == '{') {
			char name[2] = {text[1], 0};
			assert_int_equal(text[2], '}');
			expand(v, buf,
			       json_string_value(vectors_at(vectors_at(v->root, "parts"), name)));
			text += 3;
		}
	}
}

struct cs_bytes vectors_bytes(struct vectors *v, const json_t *text)
{
	static uint8_t memory[1 << 18];
	struct cs_buf buf;
	assert_true(json_is_string(text));
	cs_buf_init(&buf, memory, sizeof memory);
	expand(v, &buf, json_string_value(text));
	assert_ok(cs_buf_end(&buf));
	return vectors_copy(v, cs_buf_view(&buf));
}

struct cs_bytes vectors_copy(struct vectors *v, struct cs_bytes bytes)
{
	uint8_t *p = vectors_keep(v, bytes.n);
	if (bytes.n)
		memcpy(p, bytes.p, bytes.n);
	return cs_bytes(p, bytes.n);
}

struct cs_bytes vectors_header(struct vectors *v, const struct cs_hash *parent, uint64_t number,
			       uint64_t difficulty, struct cs_bytes extra)
{
	static const struct cs_hash no_uncles = {{0x1d, 0xcc, 0x4d, 0xe8, 0xde, 0xc7, 0x5d, 0x7a,
						  0xab, 0x85, 0xb5, 0x67, 0xb6, 0xcc, 0xd4, 0x1a,
						  0xd3, 0x12, 0x45, 0x1b, 0x94, 0x8a, 0x74, 0x13,
						  0xf0, 0xa1, 0x42, 0xfd, 0x40, 0xd4, 0x93, 0x47}};
	static const uint8_t zeros[256];
	uint8_t memory[CS_HEADER_SIZE_MAX];
	struct cs_buf buf;
	size_t begin;
	cs_buf_init(&buf, memory, sizeof memory);
	begin = cs_rlp_list_begin(&buf);
	cs_rlp_put_bytes(&buf, CS_BYTES_OF(parent->b));
	cs_rlp_put_bytes(&buf, CS_BYTES_OF(no_uncles.b));
	cs_rlp_put_bytes(&buf, cs_bytes(zeros, 20));
	for (size_t i = 0; i < 3; i++)
		cs_rlp_put_bytes(&buf, cs_bytes(zeros, 32));
	cs_rlp_put_bytes(&buf, cs_bytes(zeros, 256));
	cs_rlp_put_u64(&buf, difficulty);
	cs_rlp_put_u64(&buf, number);
	cs_rlp_put_u64(&buf, 30000000);
	cs_rlp_put_u64(&buf, 0);
	cs_rlp_put_u64(&buf, VECTORS_GENESIS_TIME + number);
	cs_rlp_put_bytes(&buf, extra);
	cs_rlp_put_bytes(&buf, cs_bytes(zeros, 32));
	cs_rlp_put_bytes(&buf, cs_bytes(zeros, 8));
	cs_rlp_list_end(&buf, begin);
	assert_ok(cs_buf_end(&buf));
	return vectors_copy(v, cs_buf_view(&buf));
}

struct cs_hash vectors_hash(struct vectors *v, const json_t *text)
{
	struct cs_bytes bytes = vectors_bytes(v, text);
	struct cs_hash hash;
	assert_int_equal(bytes.n, sizeof hash.b);
	memcpy(hash.b, bytes.p, sizeof hash.b);
	return hash;
}

struct cs_address vectors_address(struct vectors *v, const json_t *text)
{
	struct cs_bytes bytes = vectors_bytes(v, text);
	struct cs_address address;
	assert_int_equal(bytes.n, sizeof address.b);
	memcpy(address.b, bytes.p, sizeof address.b);
	return address;
}

struct verify_nodes vectors_nodes(struct vectors *v, const json_t *array)
{
	size_t n = json_array_size(array);
	struct cs_bytes *nodes = vectors_keep(v, n * sizeof *nodes);
	assert_true(json_is_array(array));
	for (size_t i = 0; i < n; i++)
		nodes[i] = vectors_bytes(v, json_array_get(array, i));
	return (struct verify_nodes){nodes, n};
}

uint64_t vectors_u64(const json_t *number)
{
	if (json_is_string(number))
		return strtoull(json_string_value(number), NULL, 0);
	assert_true(json_is_integer(number));
	return (uint64_t)json_integer_value(number);
}

struct verify_time vectors_now(uint64_t t)
{
	return (struct verify_time){.low_s = t > 10 ? t - 10 : 0, .high_s = t};
}

void test_client_open(struct test_client *t, const struct verify_evm_config *config)
{
	struct cs_why why = {{0}};
	t->sig = cs_sig_new(NULL);
	t->state = aligned_alloc(16, (verify_evm_client_size() + 15) / 16 * 16);
	assert_non_null(t->sig);
	assert_non_null(t->state);
	assert_ok(verify_evm_open(&t->client, t->state, config, t->sig, &why));
}

void test_client_close(struct test_client *t)
{
	cs_sig_free(t->sig);
	free(t->state);
}

enum cs_err test_client_take(struct test_client *t, struct cs_bytes header, uint64_t now)
{
	struct verify_time time = vectors_now(now);
	struct cs_why why = {{0}};
	size_t accepted;
	return verify_client_update(&t->client, &header, 1, &time, &accepted, &why);
}
