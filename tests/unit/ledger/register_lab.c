#include "tests/unit/ledger/register_lab.h"

#define FUNDS 1000000u
#define DELAY_S 3600u
/* Of a step of a story: the longest evidence, and its call. */
#define STORY_CALLDATA_MAX (80u * 1024)

static const struct ledger_contract *const contracts[] = {&ledger_enclaves, &ledger_records,
							  &ledger_answers};

struct ledger_enclaves_terms register_lab_terms(const struct lab *lab)
{
	struct ledger_enclaves_terms terms = {
		.owner = lab_address(REGISTER_OWNER),
		.guardian = lab_address(REGISTER_GUARDIAN),
		.delay_s = DELAY_S,
		.rotation_delay_s = 2 * DELAY_S,
		.overlap_s = 600,
		.threshold = 2,
		.administrator_count = 3,
		.bond_min = cs_u256_u64(1000),
		.bond_delay_s = REGISTER_DAY_S,
		.lifetime_max_s = 90 * REGISTER_DAY_S,
	};
	for (size_t i = 0; i < terms.administrator_count; i++)
		terms.administrators[i] = register_lab_x(lab, 101 + i);
	return terms;
}

struct ledger_call register_lab_call(struct lab *lab, uint8_t number)
{
	static struct cs_why why;
	const struct cs_address nobody = {{0}};
	cs_arena_rewind(&lab->arena, 0);
	assert_ok(ledger_run_init(&lab->run, &lab->block, &lab->arena, &why, &nobody, LAB_GAS));
	return (struct ledger_call){
		.machine = &lab->machine,
		.state = lab->state,
		.block = &lab->block,
		.sig = lab->sig,
		.arena = &lab->arena,
		.gas = &lab->run.gas,
		.logs = &lab->run.logs,
		.why = &why,
		.address = ledger_contract_address(number),
		.number = number,
	};
}

static struct cs_hash chain_tag(void)
{
	return lab_byte_word(7);
}

struct cs_hash register_lab_identity(void)
{
	const struct cs_hash tag = chain_tag();
	const struct cs_address address = ledger_contract_address(LEDGER_ENCLAVES_NUMBER);
	return wire_identity(cs_bytes_str("cosmos:lab-1"), &tag, CS_BYTES_OF(address.b));
}

static struct lab *found(bool insecure)
{
	struct lab *lab = lab_new(contracts, CS_LEN(contracts));
	struct ledger_enclaves_terms terms = register_lab_terms(lab);
	const struct cs_hash tag = chain_tag();
	const struct cs_address bonder = lab_address(REGISTER_BONDER);
	const struct cs_address other = lab_address(REGISTER_OTHER);
	struct ledger_call call = register_lab_call(lab, LEDGER_ENCLAVES_NUMBER);
	terms.insecure = insecure;
	assert_ok(ledger_enclaves_construct(&call, cs_bytes_str("lab-1"), &terms));
	assert_ok(ledger_enclaves_name(&call, &tag));
	call = register_lab_call(lab, LEDGER_RECORDS_NUMBER);
	assert_ok(ledger_records_construct(&call, &terms.owner, &terms.guardian, terms.delay_s));
	lab_fund(lab, &bonder, FUNDS);
	lab_fund(lab, &other, FUNDS);
	return lab;
}

struct lab *register_lab_new(void)
{
	return found(false);
}

struct lab *register_lab_new_insecure(void)
{
	return found(true);
}

/* ---- stories ---- */

/* Hex, or a list of hex and of @names of the file's objects. */
static struct cs_bytes calldata_of(const json_t *file, const json_t *step)
{
	const json_t *parts = json_object_get(step, "calldata"), *part;
	struct cs_buf buf;
	size_t i;
	if (json_is_string(parts))
		return bytes_of(step, "calldata");
	cs_buf_init(&buf, keep(STORY_CALLDATA_MAX), STORY_CALLDATA_MAX);
	json_array_foreach(parts, i, part)
	{
		const char *text = json_string_value(part);
		cs_put(&buf,
		       unhex(text[0] == '@' ? text_of(json_object_get(file, "objects"), text + 1)
					    : text));
	}
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

/* No name of an error: it reverts without data. */
static void refuse_step(struct lab *lab, const json_t *step, struct cs_bytes input)
{
	const json_t *words = json_object_get(step, "words");
	const char *error = text_of(step, "error");
	struct cs_hash list[4];
	const size_t count = json_array_size(words);
	assert_in_range(count, 0, CS_LEN(list));
	for (size_t i = 0; i < count; i++)
		list[i] = hash_of_text(json_string_value(json_array_get(words, i)));
	lab_refuse_input(lab, (uint8_t)u64_of(step, "contract"), input,
			 error[0] == 0 ? NULL : error, list, count);
}

static void make_step(struct lab *lab, const json_t *file, const json_t *step)
{
	const struct cs_bytes from = bytes_of(step, "from"), input = calldata_of(file, step);
	struct cs_bytes output;
	memcpy(lab->from.b, from.p, sizeof lab->from.b);
	lab->value = cs_u256_u64(u64_of(step, "value"));
	if (json_object_get(step, "error") != NULL) {
		refuse_step(lab, step, input);
		return;
	}
	if (!lab_try(lab, &output, (uint8_t)u64_of(step, "contract"), input))
		fail_msg("it reverts with %zu bytes: %.32s", output.n,
			 output.n > 4 ? (const char *)output.p + 4 : "");
	if (!json_is_null(json_object_get(step, "output")))
		assert_bytes(output, bytes_of(step, "output"));
}

void register_lab_story(struct lab *lab, const json_t *file)
{
	const json_t *steps = json_object_get(file, "story"), *step;
	size_t i;
	assert_true(json_array_size(steps) > 15);
	json_array_foreach(steps, i, step)
	{
		if (json_object_get(step, "seconds") != NULL) {
			lab_next_block(lab, u64_of(step, "seconds"));
			continue;
		}
		print_message("%s\n", text_of(step, "name"));
		make_step(lab, file, step);
	}
}

/* ---- keys ---- */

struct cs_secret register_lab_secret(uint64_t number)
{
	struct cs_secret secret = {{0}};
	cs_put_be64(secret.b + sizeof secret.b - 8, number);
	return secret;
}

struct cs_hash register_lab_x(const struct lab *lab, uint64_t number)
{
	const struct cs_secret secret = register_lab_secret(number);
	struct cs_hash x;
	assert_ok(cs_key_x(lab->sig, &x, &secret));
	return x;
}

void register_lab_sign(const struct lab *lab, struct cs_hash words[2], uint64_t number,
		       const struct cs_hash *digest)
{
	const struct cs_secret secret = register_lab_secret(number);
	const struct cs_hash aux = {{0}};
	struct cs_schnorr signature;
	assert_ok(cs_schnorr_sign(lab->sig, &signature, &secret, digest, &aux));
	words[0] = signature.rx;
	words[1] = signature.s;
}

/* ---- registrations ---- */

struct ledger_registration register_lab_registration(const struct lab *lab, enum ledger_role role,
						     const struct cs_hash *identity,
						     uint64_t secret)
{
	return (struct ledger_registration){
		.role = (uint8_t)role,
		.measurement = lab_byte_word(0x22),
		.lineage = lab_byte_word(0x21),
		.manifest_number = 1,
		.manifest_hash = lab_byte_word(0x31),
		.evidence_digest = lab_byte_word(0x23),
		.expires_s = lab->block.time_s + 30 * REGISTER_DAY_S,
		.bond = cs_u256_u64(1000),
		.bonder = lab_address(REGISTER_BONDER),
		.key_count = 1,
		.keys = {{.identity = *identity, .epoch = 1, .x = register_lab_x(lab, secret)}},
	};
}

static void put_tuple(struct cs_abi *abi, const struct ledger_registration *r)
{
	cs_abi_put_word(abi, &r->enclave);
	cs_abi_put_u64(abi, r->role);
	cs_abi_put_word(abi, &r->measurement);
	cs_abi_put_word(abi, &r->lineage);
	cs_abi_put_u64(abi, r->manifest_number);
	cs_abi_put_word(abi, &r->manifest_hash);
	cs_abi_put_u64(abi, r->evidence_kind);
	cs_abi_put_word(abi, &r->evidence_digest);
	cs_abi_put_u64(abi, r->expires_s);
	cs_abi_put_u256(abi, &r->bond);
	cs_abi_put_address(abi, &r->bonder);
	const size_t keys = cs_abi_slot(abi), evidence = cs_abi_slot(abi);
	cs_abi_enter_array(abi, keys, r->key_count);
	for (size_t i = 0; i < r->key_count; i++) {
		cs_abi_put_word(abi, &r->keys[i].identity);
		cs_abi_put_u64(abi, r->keys[i].epoch);
		cs_abi_put_word(abi, &r->keys[i].x);
		cs_abi_put_address(abi, &r->keys[i].gas);
	}
	cs_abi_leave(abi);
	cs_abi_put_bytes(abi, evidence, r->evidence);
}

struct cs_bytes register_lab_calldata(const struct lab *lab, const struct ledger_registration *r)
{
	const struct cs_hash own = register_lab_identity();
	const struct cs_hash digest = ledger_registration_digest(&own, r);
	const size_t size = 8192 + r->evidence.n;
	struct cs_hash words[2];
	struct cs_buf buf;
	struct cs_abi abi;
	cs_buf_init(&buf, keep(size), size);
	cs_abi_call(&abi, &buf,
		    "register((bytes32,uint8,bytes32,bytes32,uint64,bytes32,uint8,bytes32,uint64,"
		    "uint256,address,(bytes32,uint64,bytes32,address)[],bytes),"
		    "(uint8,bytes32,bytes32)[])");
	const size_t tuple = cs_abi_slot(&abi), approvals = cs_abi_slot(&abi);
	cs_abi_enter(&abi, tuple);
	put_tuple(&abi, r);
	cs_abi_leave(&abi);
	cs_abi_enter_array(&abi, approvals, 2);
	for (uint8_t i = 0; i < 2; i++) {
		register_lab_sign(lab, words, 101u + i, &digest);
		cs_abi_put_u64(&abi, i);
		cs_abi_put_word(&abi, &words[0]);
		cs_abi_put_word(&abi, &words[1]);
	}
	cs_abi_leave(&abi);
	assert_ok(cs_buf_end(&buf));
	return cs_buf_view(&buf);
}

struct cs_hash register_lab_register(struct lab *lab, const struct ledger_registration *r)
{
	struct cs_bytes output;
	struct cs_hash enclave;
	const struct cs_bytes input = register_lab_calldata(lab, r);
	register_lab_from(lab, REGISTER_BONDER);
	lab->value = r->bond;
	assert_true(lab_try(lab, &output, LEDGER_ENCLAVES_NUMBER, input));
	assert_int_equal(output.n, sizeof enclave.b);
	memcpy(enclave.b, output.p, sizeof enclave.b);
	return enclave;
}

/* ---- accounts ---- */

void register_lab_from(struct lab *lab, uint8_t byte)
{
	lab->from = lab_address(byte);
}

void register_lab_by_owner(struct lab *lab, uint8_t number, const char *signature,
			   const struct cs_hash *words, size_t count)
{
	struct cs_bytes output;
	struct cs_buf inner, outer;
	struct cs_abi abi;
	const size_t size = 4 + count * sizeof *words;
	cs_buf_init(&inner, keep(size), size);
	cs_abi_call(&abi, &inner, signature);
	for (size_t i = 0; i < count; i++)
		cs_abi_put_word(&abi, &words[i]);
	cs_buf_init(&outer, keep(size + 128), size + 128);
	cs_abi_call(&abi, &outer, "schedule(bytes)");
	cs_abi_put_bytes(&abi, cs_abi_slot(&abi), cs_buf_view(&inner));
	register_lab_from(lab, REGISTER_OWNER);
	assert_true(lab_try(lab, &output, number, cs_buf_view(&outer)));
	lab_next_block(lab, DELAY_S);
	assert_true(lab_try(lab, &output, number, cs_buf_view(&inner)));
}
