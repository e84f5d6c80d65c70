/* The quoting process: holds the right to the hardware's interface, so that the enclave that signs keeps
 * a filter which opens no file. It is forked before the enclave reads a secret, answers one question at
 * a time over a socket pair, and never learns a key but the sealing root that it hands over once
 * (docs/adr/0047-the-quoting-process.md). */
#ifndef ENCLAVE_TEE_QUOTER_H
#define ENCLAVE_TEE_QUOTER_H

#include "core/ct.h"
#include "enclave/sandbox.h"
#include "enclave/tee.h"

#define TEE_RECORD_SIZE 80u

/* What a backend holds open. */
struct tee_device {
	int folder;      /* of the interface */
	int entry;       /* tsm: the report's own folder */
	bool is_snp;     /* tsm */
	struct tpm *tpm; /* enclave/tpm/quoter.h */
};

struct tee_place {
	const char *root; /* of the interface */
	const char *
		state; /* a folder for what the hardware keeps outside of itself; NULL: none is given */
};

/* One kind of hardware. Its functions run in the quoting process alone. */
struct tee_hardware {
	const char *name;
	/* Where its interface is, unless somebody says otherwise. */
	const char *root;
	/* Beside the enclave's, with the functions in it: what they link is in no enclave. NULL: the
	 * enclave's own program has them. */
	const char *program;
	/* tee_place.state. */
	bool needs_state;
	/* That only this hardware and this program, or its maker's, can have. */
	bool has_seal_root;
	/* Keeps a record that only whoever has this sealing root can write, and nobody can put back. */
	bool has_record;
	/* That stay allowed after open. */
	enum sandbox_calls calls;
	/* UNAVAILABLE: the hardware is not there, and why says what was looked for; UNSUPPORTED. */
	enum cs_err (*open)(struct tee_device *device, const struct tee_place *place,
			    struct cs_why *why);
	/* Appends evidence that carries exactly this report data, else NOT_BOUND. CONFLICT: others
	 * kept writing to the interface. */
	enum cs_err (*quote)(struct tee_device *device, struct cs_buf *evidence,
			     const uint8_t *report_data, struct cs_why *why);
	/* Where has_seal_root. */
	enum cs_err (*seal_root)(struct tee_device *device, struct cs_secret *root,
				 struct cs_why *why);
	/* Where has_record. NOT_FOUND: there is none; UNAVAILABLE: it cannot be said. Writing makes it. */
	enum cs_err (*record_read)(struct tee_device *device, uint8_t out[TEE_RECORD_SIZE],
				   struct cs_why *why);
	enum cs_err (*record_write)(struct tee_device *device, const uint8_t in[TEE_RECORD_SIZE],
				    struct cs_why *why);
};

extern const struct tee_hardware tee_gramine; /* SGX: /dev/attestation */
extern const struct tee_hardware tee_tsm;     /* TDX, SEV-SNP: configfs-tsm */

/* NULL: no such backend ("simulated" is none of hardware). */
const struct tee_hardware *tee_hardware_find(const char *name);

/* Forks the quoting process, waits until it has opened the hardware and is in its sandbox, and fills
 * *tee. place->root NULL: the hardware's own; another is tee_root of insecure.def, in
 * tee->insecure_flags.
 * `tolerated` as of sandbox_enter. Errors of open; SANDBOX; IO. Before any secret is in memory. */
CS_NODISCARD enum cs_err tee_start(struct tee *tee, const struct tee_hardware *hardware,
				   const struct tee_place *place, uint64_t tolerated,
				   struct cs_why *why);
/* The backend of a process whose host connects to listen_fd; hardware NULL: simulated. First the errors of
 * boundary_check (INVALID: no listening socket), then those of tee_start. What the boundary costs is in
 * tee->insecure_flags. */
CS_NODISCARD enum cs_err tee_begin(struct tee *tee, const struct tee_hardware *hardware,
				   const struct tee_place *place, int listen_fd, uint64_t tolerated,
				   struct cs_why *why);
/* Once: the quoting process forgets it. Only where has_seal_root. */
CS_NODISCARD enum cs_err tee_seal_root(const struct tee *tee, uint8_t root[32], struct cs_why *why);
/* Only where has_record; as of record_read and record_write. */
CS_NODISCARD enum cs_err tee_record_read(const struct tee *tee, uint8_t out[TEE_RECORD_SIZE],
					 struct cs_why *why);
CS_NODISCARD enum cs_err tee_record_write(const struct tee *tee, const uint8_t in[TEE_RECORD_SIZE],
					  struct cs_why *why);

/* ---- in the quoting process, whose end of the socket pair is TEE_FD ---- */

#define TEE_FD 3

/* Opens, enters the sandbox, answers until the enclave is gone. */
_Noreturn void tee_serve(const struct tee_hardware *hardware, const struct tee_place *place,
			 uint64_t tolerated);
/* In its place: the start is refused with a sentence. */
_Noreturn void tee_serve_not(enum cs_err err, const char *sentence);

#endif
