#include "host/json.h"

#include <string.h>

#define DEPTH_MAX 32
/* With its terminating zero. */
#define KEY_SIZE_MAX 64
/* 18 digits are below 2^63. */
#define DIGITS_MAX 18

struct reader {
	const char *at;
	const char *end;
	unsigned depth;
};

/* Every reading function gives NULL or false for what is not plain. */
static json_t *value(struct reader *reader);

/* The next byte after white space, 0 at the end. */
static char peek(struct reader *reader)
{
	for (; reader->at < reader->end; reader->at++) {
		char c = *reader->at;
		if (c != ' ' && c != '\n' && c != '\r' && c != '\t')
			return c;
	}
	return 0;
}

static bool take(struct reader *reader, char c)
{
	if (peek(reader) != c)
		return false;
	reader->at++;
	return true;
}

static bool string(struct reader *reader, const char **text, size_t *n)
{
	if (!take(reader, '"'))
		return false;
	const char *begin = reader->at;
	for (; reader->at < reader->end; reader->at++) {
		unsigned char c = (unsigned char)*reader->at;
		if (c == '"') {
			*text = begin;
			*n = (size_t)(reader->at++ - begin);
			return true;
		}
		if (c < 0x20 || c >= 0x80 || c == '\\')
			return false;
	}
	return false;
}

static json_t *number(struct reader *reader)
{
	const char *begin = reader->at;
	json_int_t number = 0;
	for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
		if (reader->at - begin == DIGITS_MAX)
			return NULL;
		number = number * 10 + (*reader->at - '0');
	}
	size_t n = (size_t)(reader->at - begin);
	if (n == 0 || (n > 1 && *begin == '0') || reader->at == reader->end)
		return NULL;
	switch (*reader->at) {
	case ',':
	case ']':
	case '}':
	case ' ':
	case '\n':
	case '\r':
	case '\t':
		return json_integer(number);
	default: /* a fraction, an exponent */
		return NULL;
	}
}

static json_t *word(struct reader *reader, const char *text, json_t *json)
{
	size_t n = strlen(text);
	if ((size_t)(reader->end - reader->at) < n || memcmp(reader->at, text, n) != 0)
		return NULL;
	reader->at += n;
	return json;
}

static bool member(struct reader *reader, json_t *object)
{
	const char *text;
	char key[KEY_SIZE_MAX];
	size_t n;
	if (!string(reader, &text, &n) || n >= sizeof(key) || !take(reader, ':'))
		return false;
	memcpy(key, text, n);
	key[n] = 0;
	size_t before = json_object_size(object);
	json_t *json = value(reader);
	/* A key that is there twice does not make it larger. */
	return json && json_object_set_new_nocheck(object, key, json) == 0 &&
	       json_object_size(object) == before + 1;
}

static bool element(struct reader *reader, json_t *array)
{
	json_t *json = value(reader);
	return json && json_array_append_new(array, json) == 0;
}

static json_t *list(struct reader *reader, json_t *json, char end,
		    bool (*one)(struct reader *, json_t *))
{
	bool ended = take(reader, end);
	bool plain = ended || reader->depth < DEPTH_MAX;
	reader->depth++;
	while (plain && !ended) {
		plain = one(reader, json);
		ended = plain && take(reader, end);
		plain = plain && (ended || take(reader, ','));
	}
	reader->depth--;
	if (plain)
		return json;
	json_decref(json);
	return NULL;
}

static json_t *value(struct reader *reader)
{
	const char *text;
	size_t n;
	switch (peek(reader)) {
	case '"':
		return string(reader, &text, &n) ? json_stringn_nocheck(text, n) : NULL;
	case '{':
		reader->at++;
		return list(reader, json_object(), '}', member);
	case '[':
		reader->at++;
		return list(reader, json_array(), ']', element);
	case 't':
		return word(reader, "true", json_true());
	case 'f':
		return word(reader, "false", json_false());
	case 'n':
		return word(reader, "null", json_null());
	default:
		return number(reader);
	}
}

json_t *host_json_read(struct cs_bytes text, size_t flags, json_error_t *error)
{
	struct reader reader = {(const char *)text.p, (const char *)text.p + text.n, 0};
	char first = peek(&reader);
	json_t *json = first == '{' || first == '[' ? value(&reader) : NULL;
	if (json && peek(&reader) == 0 && reader.at == reader.end)
		return json;
	json_decref(json);
	return json_loadb((const char *)text.p, text.n, flags, error);
}
