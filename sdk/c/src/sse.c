/* WHATWG HTML section 9.2.6, as far as a gateway uses it: lines that end with LF or CR LF. */
#include "sdk/c/src/inner.h"

#include <string.h>

static bool is_field(struct cs_bytes *value, struct cs_bytes line, const char *name)
{
	size_t n = strlen(name);
	if (line.n < n + 1 || memcmp(line.p, name, n) != 0 || line.p[n] != ':')
		return false;
	*value = cs_bytes(line.p + n + 1, line.n - n - 1);
	if (value->n > 0 && value->p[0] == ' ')
		*value = cs_bytes(value->p + 1, value->n - 1);
	return true;
}

/* False: the data do not fit. */
static bool add_data(struct sse *sse, struct cs_bytes value)
{
	size_t between = sse->has_data ? 1 : 0;
	if (value.n + between > sizeof(sse->data) - sse->data_size)
		return false;
	if (between > 0)
		sse->data[sse->data_size++] = '\n';
	memcpy(sse->data + sse->data_size, value.p, value.n);
	sse->data_size += value.n;
	sse->has_data = true;
	return true;
}

static bool end_line(struct sse *sse, sse_told *told, void *context, bool *too_large)
{
	struct cs_bytes line = cs_bytes(sse->line, sse->line_size);
	struct cs_bytes value;
	sse->line_size = 0;
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (is_field(&value, line, "id")) {
		sse->has_id = true;
	} else if (is_field(&value, line, "data")) {
		*too_large = !add_data(sse, value);
		return !*too_large;
	} else if (line.n == 0) {
		bool go_on = !sse->has_id || !sse->has_data ||
			     told(context, cs_bytes(sse->data, sse->data_size));
		sse->data_size = 0;
		sse->has_id = sse->has_data = false;
		return go_on;
	}
	return true;
}

bool sse_feed(struct sse *sse, struct cs_bytes bytes, sse_told *told, void *context,
	      bool *too_large)
{
	*too_large = false;
	for (size_t i = 0; i < bytes.n; i++) {
		if (bytes.p[i] == '\n') {
			if (!end_line(sse, told, context, too_large))
				return false;
		} else if (sse->line_size == sizeof(sse->line)) {
			*too_large = true;
			return false;
		} else {
			sse->line[sse->line_size++] = (char)bytes.p[i];
		}
	}
	return true;
}
