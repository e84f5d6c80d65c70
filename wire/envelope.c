#include "wire/envelope.h"

#include <string.h>

/* Hashed once and for all. */
static const struct cs_hash tags[] = {
#define WIRE_TAG(name, text, hash) [WIRE_TAG_##name] = {hash},
#include "wire/tags.def"
#undef WIRE_TAG
};

const struct cs_hash *wire_tag(enum wire_tag tag)
{
	return &tags[tag];
}

/* A preimage is a row of words, hashed as it is written. */
static void begin(struct cs_keccak *row, enum wire_tag tag)
{
	cs_keccak_init(row);
	cs_keccak_add(row, CS_BYTES_OF(tags[tag].b));
}

static void add(struct cs_keccak *row, const struct cs_hash *word)
{
	cs_keccak_add(row, CS_BYTES_OF(word->b));
}

static void add_u64(struct cs_keccak *row, uint64_t value)
{
	struct cs_hash word = {{0}};
	cs_put_be64(word.b + 24, value);
	add(row, &word);
}

struct cs_hash wire_word(struct cs_bytes address)
{
	struct cs_hash word = {{0}};
	if (address.n > sizeof word.b)
		return cs_keccak256(address);
	if (address.n > 0)
		memcpy(word.b + sizeof word.b - address.n, address.p, address.n);
	return word;
}

struct cs_hash wire_identity(struct cs_bytes caip2, const struct cs_hash *genesis,
			     struct cs_bytes address)
{
	struct cs_keccak row;
	struct cs_hash chain = cs_keccak256(caip2), gateway = wire_word(address);
	begin(&row, WIRE_TAG_IDENTITY);
	add(&row, &chain);
	add(&row, genesis);
	add(&row, &gateway);
	return cs_keccak_end(&row);
}

struct cs_hash wire_manifest_hash(struct cs_bytes body)
{
	struct cs_keccak row;
	struct cs_hash content = cs_keccak256(body);
	begin(&row, WIRE_TAG_MANIFEST);
	add(&row, &content);
	return cs_keccak_end(&row);
}

struct cs_hash wire_attributes_hash(const struct wire_message_head *head)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_ATTRIBUTES);
	add_u64(&row, head->min_gas_limit);
	add(&row, &head->closer);
	add(&row, &head->refund_to);
	add_u64(&row, head->finality);
	return cs_keccak_end(&row);
}

struct cs_hash wire_message_id(const struct wire_message_head *head)
{
	struct cs_keccak row;
	struct cs_hash attributes = wire_attributes_hash(head);
	begin(&row, WIRE_TAG_MESSAGE);
	add(&row, &head->source);
	add(&row, &head->destination);
	add_u64(&row, head->sequence);
	add(&row, &head->sender_hash);
	add(&row, &head->recipient_hash);
	add(&row, &head->payload_hash);
	add(&row, &attributes);
	add_u64(&row, head->deadline);
	return cs_keccak_end(&row);
}

enum cs_err wire_message_check(const struct wire_message *message)
{
	if (message->sender.n > CS_INTEROP_SIZE_MAX || message->recipient.n > CS_INTEROP_SIZE_MAX ||
	    message->payload.n > CS_PAYLOAD_SIZE_MAX)
		return CS_ERR_TOO_LARGE;
	struct wire_message sealed = *message;
	wire_message_seal(&sealed);
	if (!cs_hash_eq(&sealed.head.sender_hash, &message->head.sender_hash) ||
	    !cs_hash_eq(&sealed.head.recipient_hash, &message->head.recipient_hash) ||
	    !cs_hash_eq(&sealed.head.payload_hash, &message->head.payload_hash))
		return CS_ERR_INVALID;
	return CS_OK;
}

void wire_message_seal(struct wire_message *message)
{
	message->head.sender_hash = cs_keccak256(message->sender);
	message->head.recipient_hash = cs_keccak256(message->recipient);
	message->head.payload_hash = cs_keccak256(message->payload);
}

struct cs_hash wire_leaf_message(const struct cs_hash *message_id)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_LEAF_MESSAGE);
	add(&row, message_id);
	return cs_keccak_end(&row);
}

struct cs_hash wire_leaf_outcome(const struct cs_hash *message_id, enum wire_status status)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_LEAF_OUTCOME);
	add(&row, message_id);
	add_u64(&row, status);
	return cs_keccak_end(&row);
}

struct cs_hash wire_leaf_rotation(uint64_t new_epoch, const struct cs_hash *new_key)
{
	struct cs_keccak row;
	begin(&row, WIRE_TAG_LEAF_ROTATION);
	add_u64(&row, new_epoch);
	add(&row, new_key);
	return cs_keccak_end(&row);
}

struct cs_hash wire_node(const struct cs_hash *a, const struct cs_hash *b)
{
	struct cs_keccak row;
	bool ordered = memcmp(a->b, b->b, sizeof a->b) <= 0;
	begin(&row, WIRE_TAG_NODE);
	add(&row, ordered ? a : b);
	add(&row, ordered ? b : a);
	return cs_keccak_end(&row);
}

/* Joins the pairs of one level in place; an odd last one moves up. */
static size_t join(struct cs_hash *level, size_t count)
{
	for (size_t i = 0; i + 1 < count; i += 2)
		level[i / 2] = wire_node(&level[i], &level[i + 1]);
	if (count % 2 != 0)
		level[count / 2] = level[count - 1];
	return (count + 1) / 2;
}

struct cs_hash wire_root(const struct cs_hash *leaves, size_t count)
{
	struct cs_hash level[CS_BATCH_MAX];
	cs_assert(count >= 1 && count <= CS_BATCH_MAX);
	memcpy(level, leaves, count * sizeof *leaves);
	while (count > 1)
		count = join(level, count);
	return level[0];
}

size_t wire_path(struct cs_hash path[CS_PATH_MAX], const struct cs_hash *leaves, size_t count,
		 size_t index)
{
	struct cs_hash level[CS_BATCH_MAX];
	size_t n = 0;
	cs_assert(count >= 1 && count <= CS_BATCH_MAX && index < count);
	memcpy(level, leaves, count * sizeof *leaves);
	while (count > 1) {
		if ((index ^ 1) < count)
			path[n++] = level[index ^ 1];
		count = join(level, count);
		index /= 2;
	}
	return n;
}

struct cs_hash wire_fold(const struct cs_hash *root, const struct cs_hash *path, size_t path_count)
{
	struct cs_hash at = *root;
	cs_assert(path_count <= CS_PATH_MAX);
	for (size_t i = 0; i < path_count; i++)
		at = wire_node(&at, &path[i]);
	return at;
}

struct cs_hash wire_digest(const struct wire_statement *statement, enum wire_domain domain)
{
	struct cs_keccak row;
	begin(&row,
	      domain == WIRE_DOMAIN_SECURE ? WIRE_TAG_STATEMENT : WIRE_TAG_STATEMENT_INSECURE);
	add_u64(&row, statement->kind);
	add(&row, &statement->signer);
	add(&row, &statement->receiver);
	add_u64(&row, statement->epoch);
	add_u64(&row, statement->manifest_number);
	add(&row, &statement->root);
	return cs_keccak_end(&row);
}

enum cs_err wire_signed_verify(const struct cs_sig *sig, const struct wire_signed *statement,
			       const struct cs_hash *part, const struct cs_hash *key,
			       enum wire_domain domain)
{
	if (statement->path_count > CS_PATH_MAX)
		return CS_ERR_BAD_SIGNATURE;
	struct cs_hash root = wire_fold(part, statement->path, statement->path_count);
	if (!cs_hash_eq(&root, &statement->statement.root))
		return CS_ERR_BAD_SIGNATURE;
	struct cs_hash digest = wire_digest(&statement->statement, domain);
	return cs_schnorr_verify(sig, &statement->signature, key, &digest);
}
