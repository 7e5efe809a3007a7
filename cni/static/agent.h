/* Asks the agent of this node over its unix socket. */
#ifndef CALI_AGENT_H
#define CALI_AGENT_H

#include "json.h"

/*
 * Sends POST /cni and waits for the whole answer, `deadline_ms` milliseconds at most from now on. True with the octets behind the answer's
 * head; else `why` is a few words.
 */
bool agent_ask(struct span path, struct span body, long deadline_ms, struct text *answer, struct text *why);

#endif
