#include "cli/statement_path.h"

#include <stdlib.h>
#include <string.h>

#define ROOM_FIRST 64u

void statement_leaves_init(struct statement_leaves *leaves, const struct cmt_merkle *pruned)
{
	*leaves = (struct statement_leaves){.pruned = *pruned, .hashes = NULL};
}

void statement_leaves_clear(struct statement_leaves *leaves)
{
	free(leaves->hashes);
	leaves->hashes = NULL;
	leaves->count = leaves->room = 0;
}

enum cs_err statement_leaves_add(struct statement_leaves *leaves, struct cs_bytes line)
{
	if (leaves->count == leaves->room) {
		const size_t room = leaves->room == 0 ? ROOM_FIRST : 2 * leaves->room;
		struct cs_hash *hashes = realloc(leaves->hashes, room * sizeof(*hashes));
		if (hashes == NULL)
			return CS_ERR_NO_MEMORY;
		leaves->hashes = hashes;
		leaves->room = room;
	}
	leaves->hashes[leaves->count++] = cmt_leaf_hash(line);
	return CS_OK;
}

/* The largest power of two below n, which is at least 2. */
static uint64_t split(uint64_t n)
{
	uint64_t half = 1;
	while (2 * half < n)
		half *= 2;
	return half;
}

/* The root of the pruned lines [first, first + n): next to a line that was not pruned stands a full
 * subtree, and it is one of those whose roots are left. */
static struct cs_hash pruned_root(const struct cmt_merkle *pruned, uint64_t first, uint64_t n)
{
	size_t bit = 0;
	while ((UINT64_C(1) << bit) < n)
		bit++;
	cs_assert(UINT64_C(1) << bit == n && (pruned->count >> bit & 1) == 1 &&
		  pruned->count >> (bit + 1) << (bit + 1) == first);
	return pruned->stack[bit];
}

static struct cs_hash root_of(const struct statement_leaves *leaves, uint64_t first, uint64_t n)
{
	if (first + n <= leaves->pruned.count)
		return pruned_root(&leaves->pruned, first, n);
	if (n == 1)
		return leaves->hashes[first - leaves->pruned.count];
	const uint64_t half = split(n);
	const struct cs_hash left = root_of(leaves, first, half);
	const struct cs_hash right = root_of(leaves, first + half, n - half);
	return cmt_node_hash(&left, &right);
}

enum cs_err statement_path(struct cmt_proof *proof, const struct statement_leaves *leaves,
			   uint64_t index)
{
	const uint64_t total = leaves->pruned.count + leaves->count;
	uint64_t first = 0, n = total;
	if (index < leaves->pruned.count || index >= total || total > INT64_MAX)
		return CS_ERR_NOT_FOUND;
	proof->total = (int64_t)total;
	proof->index = (int64_t)index;
	proof->leaf = leaves->hashes[index - leaves->pruned.count];
	proof->count = 0;
	while (n > 1) {
		const uint64_t half = split(n);
		const bool left = index < first + half;
		proof->aunts[proof->count++] = left ? root_of(leaves, first + half, n - half)
						    : root_of(leaves, first, half);
		first += left ? 0 : half;
		n = left ? half : n - half;
	}
	for (size_t i = 0; i < proof->count / 2; i++) {
		const struct cs_hash swap = proof->aunts[i];
		proof->aunts[i] = proof->aunts[proof->count - 1 - i];
		proof->aunts[proof->count - 1 - i] = swap;
	}
	return CS_OK;
}

/* ---- the document ---- */

static json_t *line_object(uint64_t index, const struct ledger_usage_line *line,
			   struct cs_bytes bytes)
{
	char text[STATEMENT_LINE_SIZE_MAX];
	const size_t n = statement_line(text, STATEMENT_JSONL, index, line, bytes);
	return json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
}

json_t *statement_line_json(json_t *head, const struct cmt_proof *proof,
			    const struct ledger_usage_line *line, struct cs_bytes bytes)
{
	json_t *path = json_array();
	for (size_t i = 0; i < proof->count; i++) {
		char hex[2 * sizeof(proof->aunts[i].b) + 3] = "0x";
		cs_hex(hex + 2, CS_BYTES_OF(proof->aunts[i].b));
		json_array_append_new(path, json_string(hex));
	}
	return json_pack("{s:O, s:o, s:o}", "statement", head, "path", path, "line",
			 line_object((uint64_t)proof->index, line, bytes));
}

static enum cs_err read_path(struct cmt_proof *proof, const json_t *json)
{
	if (!json_is_array(json) || json_array_size(json) > CMT_AUNTS_MAX)
		return CS_ERR_MALFORMED;
	proof->count = json_array_size(json);
	for (size_t i = 0; i < proof->count; i++) {
		const char *text = json_string_value(json_array_get(json, i));
		if (text == NULL || cs_unhex(proof->aunts[i].b, sizeof(proof->aunts[i].b),
					     cs_bytes_str(text)) != CS_OK)
			return CS_ERR_MALFORMED;
	}
	return CS_OK;
}

/* What it says for people must be what its bytes say. */
static enum cs_err read_line(int64_t *index, uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX],
			     size_t *size, const json_t *json)
{
	const char *hex = json_string_value(json_object_get(json, "line"));
	const char *text = json_string_value(json_object_get(json, "index"));
	struct ledger_usage_line line;
	struct cs_u256 number;
	uint64_t value;
	const size_t n = hex == NULL ? 0 : strlen(hex) / 2;
	if (n < 1 || n - 1 > LEDGER_USAGE_LINE_SIZE_MAX || text == NULL ||
	    cs_unhex(bytes, n - 1, cs_bytes_str(hex)) != CS_OK ||
	    ledger_usage_line_decode(&line, cs_bytes(bytes, n - 1)) != CS_OK ||
	    cs_u256_from_decimal(&number, cs_bytes_str(text)) != CS_OK ||
	    cs_u256_to_u64(&value, &number) != CS_OK || value > INT64_MAX)
		return CS_ERR_MALFORMED;
	json_t *again = line_object(value, &line, cs_bytes(bytes, n - 1));
	const bool same = json_equal(again, json);
	json_decref(again);
	*index = (int64_t)value;
	*size = n - 1;
	return same ? CS_OK : CS_ERR_MALFORMED;
}

enum cs_err statement_line_read(struct cmt_proof *proof, uint8_t bytes[LEDGER_USAGE_LINE_SIZE_MAX],
				size_t *size, const json_t *json, struct cs_why *why)
{
	struct cmt_proof read = {.count = 0};
	if (read_path(&read, json_object_get(json, "path")) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED, "a path is hashes, at most %u",
			       CMT_AUNTS_MAX);
	if (read_line(&read.index, bytes, size, json_object_get(json, "line")) != CS_OK)
		return cs_fail(why, CS_ERR_MALFORMED,
			       "the line does not read, or says something else than its bytes");
	read.leaf = cmt_leaf_hash(cs_bytes(bytes, *size));
	*proof = read;
	return CS_OK;
}
