/* What goes over the socket pair between an enclave and its quoting process. */
#ifndef ENCLAVE_TEE_MESSAGES_H
#define ENCLAVE_TEE_MESSAGES_H

#include "enclave/tee_quoter.h"

/* Messages of the socket pair, one a packet. A question is a letter, report data after 'Q' and the record after 'W'; an
 * answer begins with the question, so that one which comes too late is known, then an enum cs_err in
 * two bytes, then what was asked for or a sentence. */
#define ASK_READY 'R' /* never sent: the quoting process answers it by itself */
#define ASK_QUOTE 'Q'
#define ASK_SEAL_ROOT 'S'
#define ASK_RECORD_READ 'A'
#define ASK_RECORD_WRITE 'W'
#define QUESTION_SIZE_MAX (1u + TEE_RECORD_SIZE)
#define ANSWER_SIZE_MAX (QUESTION_SIZE_MAX + 2u + TEE_EVIDENCE_SIZE_MAX)

#endif
