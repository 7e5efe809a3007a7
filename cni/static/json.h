/* Reads JSON (RFC 8259) where it stands: a value is a piece of its text. */
#ifndef CALI_JSON_H
#define CALI_JSON_H

#include "text.h"

/* Octets that somebody else owns. */
struct span {
  const char *at;
  size_t length;
};

/* True where `text` is one value, which is then in `value` without the blanks around it. Else `wrong_at` is where it goes wrong. */
bool json_read(struct span text, struct span *value, size_t *wrong_at);

/* The member of that name of an object that was read; of several the last, as elsewhere. False where there is none. */
bool json_member(struct span object, const char *name, struct span *value);

/* Adds what a string that was read stands for, in UTF-8. False where `value` is no string. */
bool json_string(struct span value, struct text *decoded);

#endif
