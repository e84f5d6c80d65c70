#include "host/json.h"

#include "host/alloc.h"

#include <stdio.h>
#include <stdlib.h>
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

/* ---- writing ---- */

struct writer {
	char *text;
	size_t n;
	size_t room;
};

static void put(struct writer *writer, const char *text, size_t n)
{
	if (writer->room - writer->n < n) {
		writer->room = 2 * writer->room + n + 4096;
		writer->text = host_grow(writer->text, writer->room);
	}
	memcpy(writer->text + writer->n, text, n);
	writer->n += n;
}

static bool put_string(struct writer *writer, const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c < 0x20 || c >= 0x7f || c == '"' || c == '\\')
			return false;
	}
	put(writer, "\"", 1);
	put(writer, text, n);
	put(writer, "\"", 1);
	return true;
}

static bool put_value(struct writer *writer, const json_t *json, unsigned depth);

static bool put_object(struct writer *writer, const json_t *object, unsigned depth)
{
	const char *key;
	json_t *json;
	char before = '{';
	/* jansson's iteration takes a pointer to non-const and changes nothing. */
	json_object_foreach((json_t *)(uintptr_t)object, key, json)
	{
		put(writer, &before, 1);
		if (!put_string(writer, key, strlen(key)))
			return false;
		put(writer, ":", 1);
		if (!put_value(writer, json, depth))
			return false;
		before = ',';
	}
	if (before == '{')
		put(writer, "{", 1);
	put(writer, "}", 1);
	return true;
}

static bool put_array(struct writer *writer, const json_t *array, unsigned depth)
{
	put(writer, "[", 1);
	for (size_t i = 0; i < json_array_size(array); i++) {
		if (i > 0)
			put(writer, ",", 1);
		if (!put_value(writer, json_array_get(array, i), depth))
			return false;
	}
	put(writer, "]", 1);
	return true;
}

static bool put_value(struct writer *writer, const json_t *json, unsigned depth)
{
	char number[24];
	if (depth == DEPTH_MAX)
		return false;
	switch (json_typeof(json)) {
	case JSON_OBJECT:
		return put_object(writer, json, depth + 1);
	case JSON_ARRAY:
		return put_array(writer, json, depth + 1);
	case JSON_STRING:
		return put_string(writer, json_string_value(json), json_string_length(json));
	case JSON_INTEGER:
		put(writer, number,
		    (size_t)snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
				     json_integer_value(json)));
		return true;
	case JSON_TRUE:
		put(writer, "true", 4);
		return true;
	case JSON_FALSE:
		put(writer, "false", 5);
		return true;
	case JSON_NULL:
		put(writer, "null", 4);
		return true;
	case JSON_REAL:
		return false;
	}
	return false;
}

char *host_json_write(const json_t *json, size_t *n)
{
	struct writer writer = {NULL, 0, 0};
	if ((json_is_object(json) || json_is_array(json)) && put_value(&writer, json, 0)) {
		put(&writer, "", 1);
		*n = writer.n - 1;
		return writer.text;
	}
	free(writer.text);
	char *text = json_dumps(json, JSON_COMPACT);
	*n = text ? strlen(text) : 0;
	return text;
}
