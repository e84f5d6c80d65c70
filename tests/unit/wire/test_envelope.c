#include "core/abi.h"
#include "tests/unit/support.h"
#include "wire/envelope.h"

#define FILE_OF(name) CS_VECTORS "/envelope/" name ".json"

static void test_tags(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("tags")), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "tags"), i, one) assert_hash(
		cs_keccak256(cs_bytes_str(text_of(one, "ascii"))), hash_of(one, "hash"));
	assert_true(i >= 10);
	json_decref(file);
}

static void test_the_table_of_tags(void **state)
{
	static const char *const texts[] = {
#define WIRE_TAG(name, text, hash) [WIRE_TAG_##name] = text,
#include "wire/tags.def"
#undef WIRE_TAG
	};
	(void)state;
	for (size_t i = 0; i < CS_LEN(texts); i++)
		assert_hash(*wire_tag((enum wire_tag)i), cs_keccak256(cs_bytes_str(texts[i])));
}

static void test_identities(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("identities")), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "identities"), i, one)
	{
		struct cs_hash genesis = hash_of(one, "genesis");
		struct cs_bytes address = bytes_of(one, "address");
		assert_hash(wire_word(address), hash_of(one, "address_word"));
		assert_hash(wire_identity(cs_bytes_str(text_of(one, "caip2")), &genesis, address),
			    hash_of(one, "identity"));
	}
	assert_true(i >= 8);
	json_decref(file);
}

static struct wire_message message_of(const json_t *one)
{
	struct wire_message message = {
		.head = {hash_of(one, "source"), hash_of(one, "destination"),
			 u64_of(one, "sequence"), u64_of(one, "deadline"),
			 hash_of(one, "sender_hash"), hash_of(one, "recipient_hash"),
			 hash_of(one, "payload_hash"), u64_of(one, "min_gas_limit"),
			 hash_of(one, "closer"), hash_of(one, "refund_to"),
			 (uint8_t)u64_of(one, "finality")},
		.sender = bytes_of(one, "sender"),
		.recipient = bytes_of(one, "recipient"),
		.payload = bytes_of(one, "payload"),
	};
	return message;
}

static void test_messages(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("messages")), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "messages"), i, one)
	{
		struct wire_message message = message_of(one);
		assert_ok(wire_message_check(&message));
		assert_hash(wire_attributes_hash(&message.head), hash_of(one, "attributes_hash"));
		struct cs_hash id = wire_message_id(&message.head);
		assert_hash(id, hash_of(one, "message_id"));
		assert_hash(wire_leaf_message(&id), hash_of(one, "leaf"));
		assert_hash(wire_leaf_outcome(&id, WIRE_STATUS_DELIVERED),
			    hash_of(one, "leaf_delivered"));
		assert_hash(wire_leaf_outcome(&id, WIRE_STATUS_DEAD), hash_of(one, "leaf_dead"));
		struct wire_message sealed = message;
		memset(&sealed.head.sender_hash, 0, 32);
		memset(&sealed.head.recipient_hash, 0, 32);
		memset(&sealed.head.payload_hash, 0, 32);
		wire_message_seal(&sealed);
		assert_memory_equal(&sealed.head, &message.head, sizeof sealed.head);
	}
	assert_true(i >= 15);
	json_decref(file);
}

static void test_message_refusals(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("messages"));
	const json_t *one = json_array_get(json_object_get(file, "messages"), 0);
	const struct wire_message good = message_of(one);
	struct wire_message bad = good;
	bad.head.sender_hash.b[0] ^= 1;
	assert_err(wire_message_check(&bad), CS_ERR_INVALID);
	bad = good;
	bad.recipient.n--;
	assert_err(wire_message_check(&bad), CS_ERR_INVALID);
	bad = good;
	bad.head.payload_hash.b[31] ^= 1;
	assert_err(wire_message_check(&bad), CS_ERR_INVALID);
	static const uint8_t large[CS_PAYLOAD_SIZE_MAX + 1] = {0};
	bad = good;
	bad.payload = CS_BYTES_OF(large);
	wire_message_seal(&bad);
	assert_err(wire_message_check(&bad), CS_ERR_TOO_LARGE);
	bad.payload.n--;
	wire_message_seal(&bad);
	assert_ok(wire_message_check(&bad));
	bad.sender = cs_bytes(large, CS_INTEROP_SIZE_MAX + 1);
	wire_message_seal(&bad);
	assert_err(wire_message_check(&bad), CS_ERR_TOO_LARGE);
	json_decref(file);
}

/* Every field of the head changes the identifier. */
static void test_id_commits(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("messages"));
	const struct wire_message good =
		message_of(json_array_get(json_object_get(file, "messages"), 0));
	struct wire_message_head heads[12];
	for (size_t i = 0; i < CS_LEN(heads); i++)
		heads[i] = good.head;
	heads[1].source.b[5] ^= 1;
	heads[2].destination.b[5] ^= 1;
	heads[3].sequence++;
	heads[4].deadline++;
	heads[5].sender_hash.b[5] ^= 1;
	heads[6].recipient_hash.b[5] ^= 1;
	heads[7].payload_hash.b[5] ^= 1;
	heads[8].min_gas_limit++;
	heads[9].closer.b[5] ^= 1;
	heads[10].refund_to.b[5] ^= 1;
	heads[11].finality++;
	for (size_t i = 0; i < CS_LEN(heads); i++) {
		for (size_t j = 0; j < i; j++) {
			struct cs_hash a = wire_message_id(&heads[i]),
				       b = wire_message_id(&heads[j]);
			assert_false(cs_hash_eq(&a, &b));
		}
	}
	json_decref(file);
}

static size_t hashes_of(struct cs_hash *out, size_t max, const json_t *array)
{
	size_t n = json_array_size(array);
	assert_true(n <= max);
	for (size_t i = 0; i < n; i++)
		out[i] = hash_of_text(json_string_value(json_array_get(array, i)));
	return n;
}

static void check_tree(const json_t *tree)
{
	static struct cs_hash leaves[256];
	struct cs_hash path[CS_PATH_MAX], wanted[CS_PATH_MAX], root = hash_of(tree, "root");
	size_t count = hashes_of(leaves, CS_LEN(leaves), json_object_get(tree, "leaves")), i;
	const json_t *paths = json_object_get(tree, "paths"), *one;
	/* A batch of ours is smaller than the largest tree, whose paths fold all the same. */
	if (count <= CS_BATCH_MAX)
		assert_hash(wire_root(leaves, count), root);
	json_array_foreach(paths, i, one)
	{
		/* Of the large trees only some paths are written down. */
		if (json_is_null(one))
			continue;
		size_t n = hashes_of(wanted, CS_PATH_MAX, one);
		assert_hash(wire_fold(&leaves[i], wanted, n), root);
		if (count > CS_BATCH_MAX)
			continue;
		assert_int_equal(wire_path(path, leaves, count, i), n);
		if (n > 0)
			assert_memory_equal(path, wanted, n * sizeof *path);
	}
	json_array_foreach(json_object_get(tree, "subtrees"), i, one)
	{
		size_t start = u64_of(one, "start"), size = u64_of(one, "count");
		size_t n = hashes_of(wanted, CS_PATH_MAX, json_object_get(one, "path"));
		struct cs_hash part = wire_root(leaves + start, size);
		assert_hash(part, hash_of(one, "root"));
		assert_hash(wire_fold(&part, wanted, n), root);
	}
}

static void test_trees(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("trees")), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "trees"), i, one) check_tree(one);
	assert_true(i >= 10);
	json_array_foreach(json_object_get(file, "nodes"), i, one)
	{
		struct cs_hash a = hash_of(one, "a"), b = hash_of(one, "b");
		assert_hash(wire_node(&a, &b), hash_of(one, "node"));
		assert_hash(wire_node(&b, &a), hash_of(one, "node"));
	}
	json_array_foreach(json_object_get(file, "rotation_leaves"), i, one)
	{
		struct cs_hash key = hash_of(one, "new_key");
		assert_hash(wire_leaf_rotation(u64_of(one, "new_epoch"), &key),
			    hash_of(one, "leaf"));
	}
	json_array_foreach(json_object_get(file, "outcome_leaves"), i, one)
	{
		struct cs_hash id = hash_of(one, "message_id");
		assert_hash(wire_leaf_outcome(&id, (enum wire_status)u64_of(one, "status")),
			    hash_of(one, "leaf"));
	}
	json_decref(file);
}

/* The largest batch there is. */
static void test_full_tree(void **state)
{
	(void)state;
	struct cs_hash leaves[CS_BATCH_MAX], path[CS_PATH_MAX];
	for (size_t i = 0; i < CS_BATCH_MAX; i++)
		leaves[i] = cs_keccak256(cs_bytes(&i, sizeof i));
	for (size_t count = 1; count <= CS_BATCH_MAX; count++) {
		struct cs_hash root = wire_root(leaves, count);
		for (size_t i = 0; i < count; i++) {
			size_t n = wire_path(path, leaves, count, i);
			assert_true(n <= 6);
			assert_hash(wire_fold(&leaves[i], path, n), root);
			struct cs_hash other = wire_fold(&leaves[(i + 1) % CS_BATCH_MAX], path, n);
			/* A sibling folds to the same root only beside its leaf. */
			if (n > 1)
				assert_int_equal(cs_hash_eq(&other, &root), false);
		}
	}
}

static void test_digests(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("digests")), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "digests"), i, one)
	{
		struct wire_statement statement = {(enum wire_kind)u64_of(one, "kind"),
						   hash_of(one, "signer"),
						   hash_of(one, "receiver"),
						   u64_of(one, "epoch"),
						   u64_of(one, "manifest"),
						   hash_of(one, "root")};
		bool insecure = json_is_true(json_object_get(one, "insecure"));
		assert_hash(wire_digest(&statement,
					insecure ? WIRE_DOMAIN_INSECURE : WIRE_DOMAIN_SECURE),
			    hash_of(one, "digest"));
	}
	assert_true(i >= 10);
	json_decref(file);
}

static void test_storage(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("storage")), *one;
	size_t i;
	json_array_foreach(json_object_get(file, "sentinel"), i, one)
	{
		struct cs_hash identity = hash_of(one, "identity");
		assert_hash(wire_evm_sentinel_slot(), hash_of(one, "slot"));
		assert_hash(wire_evm_sentinel_value(&identity), hash_of(one, "value"));
	}
	json_array_foreach(json_object_get(file, "status"), i, one)
	{
		struct cs_hash source = hash_of(one, "source");
		assert_hash(wire_evm_status_slot(&source, u64_of(one, "sequence")),
			    hash_of(one, "slot"));
	}
	assert_true(i >= 10);
	json_array_foreach(json_object_get(file, "status_field"), i, one)
	{
		struct cs_hash word = hash_of(one, "value");
		assert_int_equal(wire_evm_status(&word, u64_of(one, "sequence")),
				 u64_of(one, "status"));
	}
	assert_true(i >= 8);
	json_array_foreach(json_object_get(file, "key"), i, one)
	{
		struct cs_hash remote = hash_of(one, "remote");
		assert_hash(wire_evm_key_slot(&remote, u64_of(one, "epoch"), 0),
			    hash_of(one, "slot_x"));
		assert_hash(wire_evm_key_slot(&remote, u64_of(one, "epoch"), 1),
			    hash_of(one, "slot_meta"));
	}
	json_array_foreach(json_object_get(file, "sent"), i, one)
	{
		struct cs_hash id = hash_of(one, "message_id");
		assert_hash(wire_evm_sent_slot(&id), hash_of(one, "slot"));
	}
	assert_true(i >= 3);
	json_array_foreach(json_object_get(file, "key_meta"), i, one)
	{
		struct cs_hash words[WIRE_EVM_KEY_WORDS] = {{{1, 2, 3}}, hash_of(one, "value")};
		struct wire_key key;
		assert_ok(wire_evm_key(&key, words));
		assert_hash(key.x, words[0]);
		assert_int_equal(key.state, u64_of(one, "state"));
		assert_int_equal(key.not_before_s, u64_of(one, "not_before"));
		assert_int_equal(key.not_after_s, u64_of(one, "not_after"));
		words[1].b[14] = 1;
		assert_err(wire_evm_key(&key, words), CS_ERR_MALFORMED);
		words[1].b[14] = 0;
		words[1].b[31] = 4;
		assert_err(wire_evm_key(&key, words), CS_ERR_MALFORMED);
	}
	json_decref(file);
}

/* The second word of a Key is one above the first, with the carry that one epoch of 256 meets. */
static void test_the_second_word_of_a_key(void **state)
{
	const struct cs_hash remote = {{7}};
	struct cs_hash first = {{0}}, second;
	uint64_t epoch = 0;
	(void)state;
	while (first.b[31] != 0xff && epoch < 10000)
		first = wire_evm_key_slot(&remote, ++epoch, 0);
	assert_int_equal(first.b[31], 0xff);
	assert_int_not_equal(first.b[30], 0xff);
	second = wire_evm_key_slot(&remote, epoch, 1);
	first.b[31] = 0;
	first.b[30]++;
	assert_hash(second, first);
}

/* ---- calls ---- */

static const char *const functions[WIRE_CALL_COUNT] = {"deliver", "retry",    "close",
						       "expire",  "finalize", "announceRotation"};

static const json_t *message_named(const json_t *messages, const char *name)
{
	const json_t *one;
	size_t i;
	json_array_foreach(messages, i, one)
	{
		if (strcmp(text_of(one, "name"), name) == 0)
			return one;
	}
	fail_msg("no message %s", name);
	return NULL;
}

static struct wire_signed statement_of(const json_t *call, const char *signer, enum wire_kind kind)
{
	const json_t *given = json_object_get(call, "statement");
	struct wire_signed statement = {
		.statement = {.kind = kind,
			      .signer = hash_of(call, signer),
			      .receiver = hash_of(call, "receiver"),
			      .epoch = u64_of(given, "epoch"),
			      .manifest_number = u64_of(given, "manifest")},
		.signature = {hash_of(given, "rx"), hash_of(given, "ry"), hash_of(given, "s")},
	};
	statement.path_count =
		hashes_of(statement.path, CS_PATH_MAX, json_object_get(given, "path"));
	return statement;
}

/* The statement's root follows from what the call carries; its digest is the vector's. */
static void check_digest(struct wire_signed *statement, const struct cs_hash *leaves, size_t count,
			 const json_t *call)
{
	struct cs_hash part = wire_root(leaves, count);
	statement->statement.root = wire_fold(&part, statement->path, statement->path_count);
	bool insecure = strcmp(text_of(call, "domain"), "caisson/statement/v1") != 0;
	assert_hash(wire_digest(&statement->statement,
				insecure ? WIRE_DOMAIN_INSECURE : WIRE_DOMAIN_SECURE),
		    hash_of(call, "digest"));
}

static uint8_t memory[128 * 1024];

static void check_messages(const json_t *call, enum wire_call function, const json_t *all)
{
	struct wire_message messages[CS_BATCH_MAX];
	struct cs_hash leaves[CS_BATCH_MAX];
	const json_t *names = json_object_get(call, "messages");
	size_t count = json_array_size(names);
	for (size_t i = 0; i < count; i++) {
		messages[i] =
			message_of(message_named(all, json_string_value(json_array_get(names, i))));
		struct cs_hash id = wire_message_id(&messages[i].head);
		leaves[i] = wire_leaf_message(&id);
	}
	struct wire_signed statement = statement_of(call, "source", WIRE_KIND_MESSAGE);
	check_digest(&statement, leaves, count, call);
	struct cs_buf buf;
	struct cs_bytes want = bytes_of(call, "calldata");
	size_t size = wire_evm_call_messages_size(&statement, messages, count);
	assert_true(size >= want.n && size < want.n + 128 && size <= sizeof memory);
	cs_buf_init(&buf, memory, size);
	assert_ok(wire_evm_call_messages(&buf, function, &statement, messages, count));
	assert_bytes(cs_buf_view(&buf), want);
	/* One byte less is a refusal, not a shorter call. */
	cs_buf_init(&buf, memory, want.n - 1);
	assert_err(wire_evm_call_messages(&buf, function, &statement, messages, count),
		   CS_ERR_TOO_LARGE);
}

static void check_finalize(const json_t *call)
{
	struct wire_outcome outcomes[CS_BATCH_MAX];
	struct cs_hash leaves[CS_BATCH_MAX];
	struct cs_buf buf;
	const json_t *given = json_object_get(call, "outcomes"), *one;
	size_t i;
	json_array_foreach(given, i, one)
	{
		outcomes[i] = (struct wire_outcome){hash_of(one, "message_id"),
						    (enum wire_status)u64_of(one, "status")};
		leaves[i] = wire_leaf_outcome(&outcomes[i].message_id, outcomes[i].status);
	}
	struct wire_signed statement = statement_of(call, "destination", WIRE_KIND_OUTCOME);
	check_digest(&statement, leaves, i, call);
	cs_buf_init(&buf, memory, WIRE_EVM_CALL_FINALIZE_SIZE_MAX);
	assert_ok(wire_evm_call_finalize(&buf, &statement, outcomes, i));
	assert_bytes(cs_buf_view(&buf), bytes_of(call, "calldata"));
}

static void check_rotation(const json_t *call)
{
	struct cs_buf buf;
	struct wire_signed statement = statement_of(call, "remote", WIRE_KIND_ROTATION);
	struct cs_hash key = hash_of(call, "new_key");
	uint64_t epoch = u64_of(call, "new_epoch");
	struct cs_hash leaf = wire_leaf_rotation(epoch, &key);
	check_digest(&statement, &leaf, 1, call);
	cs_buf_init(&buf, memory, WIRE_EVM_CALL_ROTATION_SIZE_MAX);
	assert_ok(wire_evm_call_announce_rotation(&buf, &statement, epoch, &key));
	assert_bytes(cs_buf_view(&buf), bytes_of(call, "calldata"));
}

static void test_calls(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("calldata")), *messages = read_json(FILE_OF("messages")),
	       *one;
	size_t i, seen[WIRE_CALL_COUNT] = {0};
	json_array_foreach(json_object_get(file, "calls"), i, one)
	{
		size_t j = 0;
		while (j < WIRE_CALL_COUNT && strcmp(functions[j], text_of(one, "function")) != 0)
			j++;
		if (j == WIRE_CALL_COUNT)
			continue; /* a call that applications make */
		seen[j]++;
		if (j == WIRE_CALL_FINALIZE)
			check_finalize(one);
		else if (j == WIRE_CALL_ANNOUNCE_ROTATION)
			check_rotation(one);
		else
			check_messages(one, (enum wire_call)j,
				       json_object_get(messages, "messages"));
	}
	for (size_t j = 0; j < WIRE_CALL_COUNT; j++)
		assert_true(seen[j] > 0);
	json_decref(file);
	json_decref(messages);
}

static void test_call_refusals(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("messages"));
	struct wire_message messages[2];
	struct wire_signed statement = {.path_count = 0};
	struct cs_buf buf;
	messages[0] = messages[1] =
		message_of(json_array_get(json_object_get(file, "messages"), 0));
	statement.statement.signer = messages[0].head.source;
	cs_buf_init(&buf, memory, sizeof memory);
	assert_err(wire_evm_call_messages(&buf, WIRE_CALL_DELIVER, &statement, messages, 0),
		   CS_ERR_INVALID);
	assert_err(wire_evm_call_messages(&buf, WIRE_CALL_RETRY, &statement, messages, 2),
		   CS_ERR_INVALID);
	assert_err(wire_evm_call_messages(&buf, WIRE_CALL_DELIVER, &statement, messages,
					  CS_BATCH_MAX + 1),
		   CS_ERR_INVALID);
	/* A message of another source. */
	messages[1].head.source.b[0] ^= 1;
	assert_err(wire_evm_call_messages(&buf, WIRE_CALL_DELIVER, &statement, messages, 2),
		   CS_ERR_INVALID);
	/* A recipient that is no account of 20 bytes of a chain in the table. */
	messages[1] = messages[0];
	messages[1].recipient = unhex("000100000203090000");
	assert_err(wire_evm_call_messages(&buf, WIRE_CALL_DELIVER, &statement, messages, 2),
		   CS_ERR_TRAILING);
	messages[1].recipient = unhex("00010000020309"
				      "00");
	assert_err(wire_evm_call_messages(&buf, WIRE_CALL_DELIVER, &statement, messages, 2),
		   CS_ERR_INVALID);
	messages[1].recipient = unhex("0001fff000020309"
				      "140102030405060708090a0b0c0d0e0f1011121314");
	assert_err(wire_evm_call_messages(&buf, WIRE_CALL_DELIVER, &statement, messages, 2),
		   CS_ERR_TRAILING);
	messages[1].recipient = unhex("0001fff0020309"
				      "140102030405060708090a0b0c0d0e0f1011121314");
	assert_err(wire_evm_call_messages(&buf, WIRE_CALL_DELIVER, &statement, messages, 2),
		   CS_ERR_UNSUPPORTED);
	assert_int_equal(buf.n, 0);
	struct wire_outcome outcome = {messages[0].head.source, WIRE_STATUS_DEAD};
	assert_err(wire_evm_call_finalize(&buf, &statement, &outcome, 0), CS_ERR_INVALID);
	assert_err(wire_evm_call_finalize(&buf, &statement, &outcome, CS_BATCH_MAX + 1),
		   CS_ERR_INVALID);
	json_decref(file);
}

/* The calldata for a ledger's account is that for an EVM account of the same address. */
static void test_call_to_a_ledger(void **state)
{
	(void)state;
	static uint8_t second[sizeof memory];
	struct cs_bytes recipients[] = {
		unhex("000100000101140102030405060708090a0b0c0d0e0f1011121314"),
		unhex("0001ff01016c140102030405060708090a0b0c0d0e0f1011121314")};
	json_t *file = read_json(FILE_OF("messages"));
	struct wire_message message =
		message_of(json_array_get(json_object_get(file, "messages"), 0));
	struct wire_signed statement = {.statement.signer = message.head.source};
	struct cs_buf bufs[2];
	cs_buf_init(&bufs[0], memory, sizeof memory);
	cs_buf_init(&bufs[1], second, sizeof second);
	for (size_t i = 0; i < CS_LEN(bufs); i++) {
		message.recipient = recipients[i];
		assert_ok(
			wire_evm_call_messages(&bufs[i], WIRE_CALL_RETRY, &statement, &message, 1));
	}
	assert_bytes(cs_buf_view(&bufs[0]), cs_buf_view(&bufs[1]));
	json_decref(file);
}

static void test_events(void **state)
{
	(void)state;
	json_t *file = read_json(FILE_OF("calldata"));
	const json_t *events = json_object_get(file, "events");
	const char *names[] = {"MessageSent", "MessageCommitted", "MessageStatus",
			       "MessageFinalized"};
	struct cs_hash topics[] = {
		wire_evm_topic_message_sent(), wire_evm_topic_message_committed(),
		wire_evm_topic_message_status(), wire_evm_topic_message_finalized()};
	for (size_t i = 0; i < CS_LEN(names); i++)
		assert_hash(topics[i], hash_of(json_object_get(events, names[i]), "topic"));
	json_decref(file);
}

/* ---- a signed batch as the other side checks it ---- */

static void test_signed(void **state)
{
	(void)state;
	struct cs_sig *sig = cs_sig_new(NULL);
	struct cs_secret secret = {{[31] = 9}};
	struct cs_hash leaves[5], key, aux = {{1}};
	struct wire_signed good = {.statement = {WIRE_KIND_MESSAGE, {{1}}, {{2}}, 3, 4, {{0}}}};
	assert_non_null(sig);
	assert_ok(cs_key_x(sig, &key, &secret));
	for (size_t i = 0; i < CS_LEN(leaves); i++)
		leaves[i] = cs_keccak256(cs_bytes(&i, sizeof i));
	good.statement.root = wire_root(leaves, CS_LEN(leaves));
	struct cs_hash digest = wire_digest(&good.statement, WIRE_DOMAIN_SECURE);
	assert_ok(cs_schnorr_sign(sig, &good.signature, &secret, &digest, &aux));
	assert_ok(wire_signed_verify(sig, &good, &good.statement.root, &key, WIRE_DOMAIN_SECURE));
	good.path_count = wire_path(good.path, leaves, CS_LEN(leaves), 2);
	assert_ok(wire_signed_verify(sig, &good, &leaves[2], &key, WIRE_DOMAIN_SECURE));

	assert_err(wire_signed_verify(sig, &good, &leaves[2], &key, WIRE_DOMAIN_INSECURE),
		   CS_ERR_BAD_SIGNATURE);
	assert_err(wire_signed_verify(sig, &good, &leaves[1], &key, WIRE_DOMAIN_SECURE),
		   CS_ERR_BAD_SIGNATURE);
	struct wire_signed bad[6] = {good, good, good, good, good, good};
	bad[0].statement.kind = WIRE_KIND_OUTCOME;
	bad[1].statement.signer.b[0] ^= 1;
	bad[2].statement.receiver.b[0] ^= 1;
	bad[3].statement.epoch++;
	bad[4].statement.manifest_number++;
	bad[5].path_count--;
	for (size_t i = 0; i < CS_LEN(bad); i++)
		assert_err(wire_signed_verify(sig, &bad[i], &leaves[2], &key, WIRE_DOMAIN_SECURE),
			   CS_ERR_BAD_SIGNATURE);
	good.path_count = CS_PATH_MAX + 1;
	assert_err(wire_signed_verify(sig, &good, &leaves[2], &key, WIRE_DOMAIN_SECURE),
		   CS_ERR_BAD_SIGNATURE);
	cs_sig_free(sig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_the_table_of_tags),
		cmocka_unit_test(test_identities),
		cmocka_unit_test(test_messages),
		cmocka_unit_test(test_message_refusals),
		cmocka_unit_test(test_id_commits),
		cmocka_unit_test(test_trees),
		cmocka_unit_test(test_full_tree),
		cmocka_unit_test(test_digests),
		cmocka_unit_test(test_storage),
		cmocka_unit_test(test_the_second_word_of_a_key),
		cmocka_unit_test(test_calls),
		cmocka_unit_test(test_call_refusals),
		cmocka_unit_test(test_call_to_a_ledger),
		cmocka_unit_test(test_events),
		cmocka_unit_test(test_signed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
