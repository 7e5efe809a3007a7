/* Octets that grow, and JSON text made of them. */
#include "text.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_ROOM = 4096, OUT_OF_MEMORY = 1 };

static void make_room(struct text *text, size_t more) {
  if (text->room - text->length >= more) return;
  size_t room = text->room == 0 ? FIRST_ROOM : text->room;
  while (room <= SIZE_MAX / 2 && room - text->length < more) room *= 2;
  char *grown = room - text->length < more ? NULL : realloc(text->at, room);
  if (grown == NULL) {
    fputs("{\"cniVersion\":\"1.1.0\",\"code\":5,\"msg\":\"there is no memory left\",\"details\":\"\"}\n", stdout);
    exit(OUT_OF_MEMORY);
  }
  text->at = grown;
  text->room = room;
}

void text_add(struct text *text, const char *octets, size_t length) {
  if (length == 0) return;
  make_room(text, length);
  memcpy(text->at + text->length, octets, length);
  text->length += length;
}

void text_say(struct text *text, const char *words) { text_add(text, words, strlen(words)); }

/* How many octets the character at `octets` has; 0 where there is none (RFC 3629, section 4). */
static size_t utf8_length(const unsigned char *octets, size_t left) {
  const unsigned char first = octets[0];
  if (first < 0x80) return 1;
  const size_t length = first >= 0xc2 && first <= 0xdf ? 2 : (first & 0xf0) == 0xe0 ? 3 : first >= 0xf0 && first <= 0xf4 ? 4 : 0;
  if (length == 0 || length > left) return 0;
  for (size_t next = 1; next < length; next++)
    if ((octets[next] & 0xc0) != 0x80) return 0;
  const bool overlong = (first == 0xe0 && octets[1] < 0xa0) || (first == 0xf0 && octets[1] < 0x90);
  const bool beyond = (first == 0xed && octets[1] > 0x9f) || (first == 0xf4 && octets[1] > 0x8f);
  return overlong || beyond ? 0 : length;
}

static void add_escaped(struct text *text, unsigned char octet) {
  char escape[8];
  snprintf(escape, sizeof escape, octet == '"' || octet == '\\' ? "\\%c" : "\\u%04x", octet);
  text_say(text, escape);
}

void text_quote(struct text *text, const char *octets, size_t length) {
  text_say(text, "\"");
  for (size_t at = 0; at < length;) {
    const unsigned char octet = (unsigned char)octets[at];
    const size_t size = utf8_length((const unsigned char *)octets + at, length - at);
    if (size == 0) text_say(text, "\xef\xbf\xbd");
    else if (octet < 0x20 || octet == '"' || octet == '\\') add_escaped(text, octet);
    else text_add(text, octets + at, size);
    at += size == 0 ? 1 : size;
  }
  text_say(text, "\"");
}

bool text_read_all(struct text *text, int file) {
  for (;;) {
    make_room(text, FIRST_ROOM);
    const ssize_t got = read(file, text->at + text->length, text->room - text->length);
    if (got == 0) return true;
    if (got > 0) text->length += (size_t)got;
    else if (errno != EINTR) return false;
  }
}
