#include "relay_state/node/signer.h"

#include <string.h>

#define NAME "sign_state"

static enum cs_err make_file(struct node_folder *folder, struct cs_why *why)
{
	uint8_t slots[2 * BFT_SIGN_SLOT_SIZE] = {0};
	struct bft_sign_state none;
	/* One slot reads from the beginning: the first write may be torn as any other. */
	bft_sign_state_init(&none);
	bft_sign_state_encode(slots + BFT_SIGN_SLOT_SIZE, &none);
	return node_folder_put(folder, NAME, CS_BYTES_OF(slots), why);
}

static enum cs_err open_file(struct node_file *file, struct node_folder *folder, bool fresh,
			     struct cs_why *why)
{
	enum cs_err err = node_file_open(file, folder, NAME, false, why);
	if (err != CS_ERR_NOT_FOUND)
		return err;
	if (!fresh)
		return cs_fail(why, CS_ERR_DAMAGED,
			       NAME " is missing: what this key has signed is not known");
	CS_TRY(make_file(folder, why));
	return node_file_open(file, folder, NAME, false, why);
}

static enum cs_err load(struct node_signer *signer, struct cs_why *why)
{
	uint8_t slots[2 * BFT_SIGN_SLOT_SIZE];
	uint64_t size;
	CS_TRY(node_file_size(&signer->file, &size, why));
	if (size != sizeof slots)
		return cs_fail(why, CS_ERR_DAMAGED, NAME " has %llu bytes in place of %zu",
			       (unsigned long long)size, sizeof slots);
	CS_TRY(node_file_read(&signer->file, 0, slots, sizeof slots, why));
	enum cs_err err =
		bft_sign_state_load(&signer->state, &signer->slot_next, &signer->is_slot_lost,
				    cs_bytes(slots, BFT_SIGN_SLOT_SIZE),
				    cs_bytes(slots + BFT_SIGN_SLOT_SIZE, BFT_SIGN_SLOT_SIZE));
	if (err != CS_OK)
		return cs_fail(why, CS_ERR_DAMAGED, NAME ": none of its two slots reads");
	/* It may be in the kernel's pages alone, left by a process that died before its sync or
	 * because of it: written again, so that this sync means it. */
	CS_TRY(node_file_write(&signer->file, 0, CS_BYTES_OF(slots), why));
	return node_file_sync(&signer->file, why);
}

enum cs_err node_signer_open(struct node_signer *signer, struct node_folder *folder, bool fresh,
			     struct cs_why *why)
{
	struct node_signer s = {0};
	CS_TRY(open_file(&s.file, folder, fresh, why));
	enum cs_err err = load(&s, why);
	if (err != CS_OK) {
		node_file_close(&s.file);
		return err;
	}
	*signer = s;
	return CS_OK;
}

void node_signer_close(struct node_signer *signer)
{
	node_file_close(&signer->file);
}

/* The state is the signer's once it is on the disk: what could not be written is not remembered
 * either, or it would be given away as a repetition. */
static enum cs_err write_state(struct node_signer *signer, struct bft_sign_state *state,
			       struct cs_why *why)
{
	uint8_t slot[BFT_SIGN_SLOT_SIZE];
	uint64_t offset = (uint64_t)signer->slot_next * BFT_SIGN_SLOT_SIZE;
	state->sequence++;
	bft_sign_state_encode(slot, state);
	CS_TRY(node_file_write(&signer->file, offset, CS_BYTES_OF(slot), why));
	CS_TRY(node_file_sync(&signer->file, why));
	signer->state = *state;
	signer->slot_next = 1 - signer->slot_next;
	return CS_OK;
}

static enum cs_err sign_new(struct node_signer *signer, const struct bft_effect *effect,
			    const struct cs_secret *key, struct cs_why *why)
{
	uint8_t signature[BFT_SIGNATURE_SIZE];
	uint8_t extension_signature[BFT_SIGNATURE_SIZE] = {0};
	CS_TRY(cs_ed25519_sign(signature, key, effect->sign_bytes));
	if (effect->sign.has_extension)
		CS_TRY(cs_ed25519_sign(extension_signature, key, effect->extension_sign_bytes));
	struct bft_sign_state next = signer->state;
	bft_sign_state_record(&next, &effect->sign, signature, extension_signature);
	return write_state(signer, &next, why);
}

enum cs_err node_signer_sign(struct node_signer *signer, struct bft_event *answer,
			     const struct bft_effect *effect, const struct cs_secret *key,
			     struct cs_why *why)
{
	const struct bft_sign_state *s = &signer->state;
	struct bft_event event = {.type = BFT_EVENT_SIGNED,
				  .height = effect->height,
				  .round = effect->round,
				  .step = effect->sign.step};
	switch (bft_sign_state_may(s, &effect->sign)) {
	case BFT_SIGN_REFUSE:
		event.type = BFT_EVENT_SIGN_REFUSED;
		*answer = event;
		return CS_OK;
	case BFT_SIGN_NEW:
		CS_TRY(sign_new(signer, effect, key, why));
		break;
	case BFT_SIGN_REPEAT:
		break;
	}
	event.time_ns = s->time_ns;
	memcpy(event.signature, s->signature, sizeof event.signature);
	memcpy(event.extension_signature, s->extension_signature, sizeof event.signature);
	event.extension = cs_bytes(s->extension, s->extension_size);
	*answer = event;
	return CS_OK;
}

enum cs_err node_signer_raise(struct node_signer *signer, const struct bft_effect *effect,
			      struct cs_why *why)
{
	bool is_changed = false;
	struct bft_sign_state next = signer->state;
	enum cs_err err = bft_sign_state_raise(&next, &is_changed, &effect->sign, effect->signature,
					       effect->extension_signature);
	if (err != CS_OK)
		return cs_fail(why, err, "the own key has signed two things at height %lld",
			       (long long)effect->sign.height);
	return is_changed ? write_state(signer, &next, why) : CS_OK;
}
