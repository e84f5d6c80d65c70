/* Attributes of the kernel's attestation interfaces: small files that are written or read as a whole, and
 * opened anew each time, because the kernel makes their content when they are opened. */
#ifndef ENCLAVE_TEE_FILES_H
#define ENCLAVE_TEE_FILES_H

#include "core/buf.h"

/* A folder; -1 with errno. */
int tee_folder(int at, const char *name);
/* All of it. IO with the name and errno's word; CONFLICT when the kernel says that somebody else wrote
 * meanwhile; TOO_LARGE. */
CS_NODISCARD enum cs_err tee_file_read(struct cs_buf *out, int folder, const char *name,
				       struct cs_why *why);
/* In one write; what the kernel refuses at the end shows as IO, too. */
CS_NODISCARD enum cs_err tee_file_write(int folder, const char *name, struct cs_bytes bytes,
					struct cs_why *why);
/* A word without its line end, terminated; longer ones are MALFORMED. */
CS_NODISCARD enum cs_err tee_file_word(char *word, size_t size, int folder, const char *name,
				       struct cs_why *why);

/* DCAP quotes of the versions 3 to 5 have report data at a known place; empty: it is none of them. */
struct cs_bytes tee_quote_report_data(struct cs_bytes quote);

#endif
