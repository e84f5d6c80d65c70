/* What the own key has signed last, in a file, and the one way to sign: judged by bft/sign_state.h,
 * written, synced, and only then given away. Holds no key.
 *
 * The file sign_state has two slots, written in turn and in place. It is made once; a folder that
 * has blocks and lacks it has lost it, and does not open. */
#ifndef NODE_SIGNER_H
#define NODE_SIGNER_H

#include "core/ed25519.h"
#include "relay_state/bft/bft.h"
#include "relay_state/node/file.h"

struct node_signer {
	struct node_file file;
	struct bft_sign_state state;
	unsigned slot_next;
	/* One slot does not read. If it was the newer one, its signature has left only if the log
	 * has it too: the log is synced before a send. */
	bool is_slot_lost;
};

/* `fresh`: nothing was promised in this folder yet, the file may be made. DAMAGED: it is missing
 * otherwise, of another size, or none of its slots reads; FULL, IO. */
CS_NODISCARD enum cs_err node_signer_open(struct node_signer *signer, struct node_folder *folder,
					  bool fresh, struct cs_why *why);
void node_signer_close(struct node_signer *signer);

/* Executes SIGN: the answer is SIGNED, or SIGN_REFUSED; its extension is the signer's memory until
 * the next call. CRYPTO; FULL, IO: nothing was signed for anybody, and the process has to end. */
CS_NODISCARD enum cs_err node_signer_sign(struct node_signer *signer, struct bft_event *answer,
					  const struct bft_effect *effect,
					  const struct cs_secret *key, struct cs_why *why);
/* Executes RAISE. CONFLICT: the key has signed two things in one place, here or elsewhere. */
CS_NODISCARD enum cs_err node_signer_raise(struct node_signer *signer,
					   const struct bft_effect *effect, struct cs_why *why);

#endif
