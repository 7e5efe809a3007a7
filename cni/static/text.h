/* Octets that grow, and JSON text made of them. */
#ifndef CALI_TEXT_H
#define CALI_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Owned by its maker. `at` is NULL while it is empty and never written to. */
struct text {
  char *at;
  size_t length, room;
};

/* Adds octets. Ends the process where there is no memory. */
void text_add(struct text *text, const char *octets, size_t length);

/* Adds words that end with a zero. */
void text_say(struct text *text, const char *words);

/* Adds octets as one JSON string with its quotation marks; what is no UTF-8 becomes U+FFFD, as a decoder would make it. */
void text_quote(struct text *text, const char *octets, size_t length);

/* Adds all that can be read from a file. False where reading failed: errno says why. */
bool text_read_all(struct text *text, int file);

#endif
