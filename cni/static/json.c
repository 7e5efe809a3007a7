/* Reads JSON (RFC 8259) where it stands: a value is a piece of its text. */
#include "json.h"

#include <stdint.h>
#include <string.h>

/* What is left to be read. `open` holds the closing bracket of each value around it. */
struct reader {
  const char *at, *end;
  struct text open;
};

static bool is_next(const struct reader *reader, char octet) { return reader->at < reader->end && *reader->at == octet; }

static bool take(struct reader *reader, char octet) {
  if (!is_next(reader, octet)) return false;
  reader->at++;
  return true;
}

static void skip_blanks(struct reader *reader) {
  while (is_next(reader, ' ') || is_next(reader, '\t') || is_next(reader, '\n') || is_next(reader, '\r')) reader->at++;
}

static bool take_digits(struct reader *reader) {
  const char *first = reader->at;
  while (reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9') reader->at++;
  return reader->at > first;
}

static bool take_number(struct reader *reader) {
  (void)take(reader, '-');
  if (!take(reader, '0') && !take_digits(reader)) return false;
  if (take(reader, '.') && !take_digits(reader)) return false;
  if (!take(reader, 'e') && !take(reader, 'E')) return true;
  if (!take(reader, '+')) (void)take(reader, '-');
  return take_digits(reader);
}

static bool take_word(struct reader *reader, const char *word) {
  const size_t length = strlen(word);
  if ((size_t)(reader->end - reader->at) < length || memcmp(reader->at, word, length) != 0) return false;
  reader->at += length;
  return true;
}

/* The value of four hexadecimal digits; -1 where they are none. */
static int32_t hex4(const char *at, const char *end) {
  int32_t value = 0;
  if (end - at < 4) return -1;
  for (const char *digit = at; digit < at + 4; digit++) {
    const char *known = "0123456789abcdefABCDEF";
    const char *found = *digit == '\0' ? NULL : strchr(known, *digit);
    if (found == NULL) return -1;
    value = value * 16 + (int32_t)(found - known >= 16 ? found - known - 6 : found - known);
  }
  return value;
}

static bool take_escape(struct reader *reader) {
  if (reader->at >= reader->end || *reader->at == '\0' || strchr("\"\\/bfnrtu", *reader->at) == NULL) return false;
  if (*reader->at++ != 'u') return true;
  if (hex4(reader->at, reader->end) < 0) return false;
  reader->at += 4;
  return true;
}

static bool take_string(struct reader *reader) {
  if (!take(reader, '"')) return false;
  while (reader->at < reader->end && (unsigned char)*reader->at >= 0x20) {
    if (take(reader, '"')) return true;
    if (take(reader, '\\')) {
      if (!take_escape(reader)) return false;
    } else reader->at++;
  }
  return false;
}

static bool take_scalar(struct reader *reader) {
  if (is_next(reader, '"')) return take_string(reader);
  return take_word(reader, "true") || take_word(reader, "false") || take_word(reader, "null") || take_number(reader);
}

/* A member's name and the colon behind it. */
static bool take_name(struct reader *reader) {
  skip_blanks(reader);
  if (!take_string(reader)) return false;
  skip_blanks(reader);
  return take(reader, ':');
}

static char innermost(const struct reader *reader) { return reader->open.at[reader->open.length - 1]; }

enum step { FAILED, VALUE_FOLLOWS, VALUE_ENDED };

/* An opening bracket, or a whole value that has none. */
static enum step begin_value(struct reader *reader) {
  skip_blanks(reader);
  if (!is_next(reader, '{') && !is_next(reader, '[')) return take_scalar(reader) ? VALUE_ENDED : FAILED;
  const char *closing = *reader->at++ == '{' ? "}" : "]";
  skip_blanks(reader);
  if (take(reader, *closing)) return VALUE_ENDED;
  text_say(&reader->open, closing);
  return *closing == ']' || take_name(reader) ? VALUE_FOLLOWS : FAILED;
}

/* What stands behind a value inside others: a comma, or closing brackets. */
static enum step end_value(struct reader *reader, size_t outermost) {
  while (reader->open.length > outermost) {
    skip_blanks(reader);
    if (take(reader, ',')) return innermost(reader) == ']' || take_name(reader) ? VALUE_FOLLOWS : FAILED;
    if (!take(reader, innermost(reader))) return FAILED;
    reader->open.length--;
  }
  return VALUE_ENDED;
}

/* However deep it is nested: a stack of our own does not overflow. */
static bool take_value(struct reader *reader) {
  const size_t outermost = reader->open.length;
  for (;;) {
    enum step step = begin_value(reader);
    if (step == VALUE_ENDED) step = end_value(reader, outermost);
    if (step != VALUE_FOLLOWS) return step == VALUE_ENDED;
  }
}

bool json_read(struct span text, struct span *value, size_t *wrong_at) {
  struct reader reader = {text.at, text.at + text.length, {0}};
  skip_blanks(&reader);
  const char *first = reader.at;
  const bool read = take_value(&reader);
  *value = (struct span){first, (size_t)(reader.at - first)};
  if (read) skip_blanks(&reader);
  *wrong_at = (size_t)(reader.at - text.at);
  return read && reader.at == reader.end;
}

static bool is_name(struct span quoted, const char *name) {
  struct text decoded = {0};
  return json_string(quoted, &decoded) && decoded.length == strlen(name) && memcmp(decoded.at, name, decoded.length) == 0;
}

bool json_member(struct span object, const char *name, struct span *value) {
  if (object.length == 0 || *object.at != '{') return false;
  struct reader reader = {object.at + 1, object.at + object.length, {0}};
  bool found = false;
  for (skip_blanks(&reader); !is_next(&reader, '}'); skip_blanks(&reader)) {
    (void)take(&reader, ',');
    skip_blanks(&reader);
    const char *quoted = reader.at;
    if (!take_string(&reader)) return false;
    const bool is_it = is_name((struct span){quoted, (size_t)(reader.at - quoted)}, name);
    skip_blanks(&reader);
    if (!take(&reader, ':')) return false;
    skip_blanks(&reader);
    const char *first = reader.at;
    if (!take_value(&reader)) return false;
    if (is_it) *value = (struct span){first, (size_t)(reader.at - first)};
    found = found || is_it;
  }
  return found;
}

static void add_utf8(struct text *text, uint32_t code) {
  const int more = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
  static const unsigned char marks[] = {0x00, 0xc0, 0xe0, 0xf0};
  char octet = (char)(marks[more] | (code >> (6 * more)));
  text_add(text, &octet, 1);
  for (int left = more - 1; left >= 0; left--) {
    octet = (char)(0x80 | ((code >> (6 * left)) & 0x3f));
    text_add(text, &octet, 1);
  }
}

/* The character of an escape `\u`, of two where they are one pair; half a pair becomes U+FFFD. Returns how many octets it took behind `\u`. */
static size_t add_unicode(struct text *text, const char *at, const char *end) {
  const uint32_t high = (uint32_t)hex4(at, end);
  const bool pair = high >= 0xd800 && high < 0xdc00 && end - at >= 10 && at[4] == '\\' && at[5] == 'u';
  const uint32_t low = pair ? (uint32_t)hex4(at + 6, end) : 0;
  if (low >= 0xdc00 && low < 0xe000) {
    add_utf8(text, 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00));
    return 10;
  }
  add_utf8(text, high >= 0xd800 && high < 0xe000 ? 0xfffd : high);
  return 4;
}

bool json_string(struct span value, struct text *decoded) {
  if (value.length < 2 || *value.at != '"') return false;
  const char *end = value.at + value.length - 1;
  for (const char *at = value.at + 1; at < end;) {
    if (*at != '\\') {
      text_add(decoded, at++, 1);
      continue;
    }
    const char named = at[1];
    at += 2;
    static const char names[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    if (named == 'u') at += add_unicode(decoded, at, end);
    else text_add(decoded, &meanings[strchr(names, named) - names], 1);
  }
  return true;
}
