/*
 * The CNI plugin as a program that starts in a millisecond: the twin of ../plugin.ts, which is the reference. Call in environment and standard
 * input, answer on standard output. It judges alone what needs no agent, and hands all else to the agent of this node. Memory is never given
 * back: the process ends soon.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent.h"

/* Longer than the agent's own deadline for a pod, shorter than the two minutes of the kubelet. */
#ifndef DEADLINE_MS
#define DEADLINE_MS 90000
#endif
#define DEFAULT_AGENT "/run/cali/agent.sock"
#define LATEST "1.1.0"

/* CNI spec, "Error". */
enum code { INCOMPATIBLE_VERSION = 1, INVALID_ENVIRONMENT = 4, UNDECODABLE = 6, INVALID_CONFIG = 7, TRY_AGAIN_LATER = 11, NOT_AVAILABLE = 50 };

static const char *const VERSIONS[] = {"0.4.0", "1.0.0", LATEST};

extern char **environ;

static int print(const struct text *text, int exit_code) {
  const bool printed = fwrite(text->at, 1, text->length, stdout) == text->length && fputc('\n', stdout) != EOF && fflush(stdout) == 0;
  return printed ? exit_code : 1;
}

static int fail(const char *version, enum code code, struct span msg, struct span details) {
  struct text body = {0};
  char number[16];
  snprintf(number, sizeof number, "%d", (int)code);
  text_say(&body, "{\"cniVersion\":\"");
  text_say(&body, version);
  text_say(&body, "\",\"code\":");
  text_say(&body, number);
  text_say(&body, ",\"msg\":");
  text_quote(&body, msg.at, msg.length);
  text_say(&body, ",\"details\":");
  text_quote(&body, details.at, details.length);
  text_say(&body, "}");
  return print(&body, 1);
}

static struct span words(const char *text) { return (struct span){text, strlen(text)}; }

static struct span all_of(const struct text *text) { return (struct span){text->at == NULL ? "" : text->at, text->length}; }

/* The version of a configuration, as we spell it; NULL where it is none of ours. */
static const char *version_in(struct span config) {
  struct span value;
  struct text said = {0};
  if (!json_member(config, "cniVersion", &value) || !json_string(value, &said)) return NULL;
  for (size_t at = 0; at < sizeof VERSIONS / sizeof *VERSIONS; at++)
    if (said.length == strlen(VERSIONS[at]) && memcmp(said.at, VERSIONS[at], said.length) == 0) return VERSIONS[at];
  return NULL;
}

static int refuse_version(struct span config) {
  struct span value;
  struct text msg = {0};
  text_say(&msg, "cniVersion is ");
  if (!json_member(config, "cniVersion", &value)) text_say(&msg, "missing");
  else if (strchr("{[n", *value.at) != NULL) text_say(&msg, "not text");
  else text_add(&msg, value.at, value.length);
  return fail(LATEST, INCOMPATIBLE_VERSION, all_of(&msg), words("it must be one of 0.4.0, 1.0.0, 1.1.0"));
}

/* What the agent reads: the variables that begin with CNI_, and standard input as it came. */
static struct text request_for(struct span config) {
  struct text body = {0};
  text_say(&body, "{\"environment\":{");
  const char *comma = "";
  for (char **variable = environ; *variable != NULL; variable++) {
    const char *equals = strchr(*variable, '=');
    if (strncmp(*variable, "CNI_", 4) != 0 || equals == NULL) continue;
    text_say(&body, comma);
    text_quote(&body, *variable, (size_t)(equals - *variable));
    text_say(&body, ":");
    text_quote(&body, equals + 1, strlen(equals + 1));
    comma = ",";
  }
  text_say(&body, "},\"config\":");
  text_quote(&body, config.at, config.length);
  text_say(&body, "}");
  return body;
}

/* Prints what an agent answered. -1 where it is not what an agent says. */
static int relay(struct span answer) {
  struct span reply, exit_code, body;
  size_t wrong_at;
  if (!json_read(answer, &reply, &wrong_at)) return -1;
  if (!json_member(reply, "exitCode", &exit_code) || !json_member(reply, "body", &body)) return -1;
  if (exit_code.length != 1 || (*exit_code.at != '0' && *exit_code.at != '1')) return -1;
  const int code = *exit_code.at - '0';
  if (body.length == 4 && memcmp(body.at, "null", 4) == 0) return code;
  if (*body.at != '{' && *body.at != '[') return -1;
  struct text text = {0};
  text_add(&text, body.at, body.length);
  return print(&text, code);
}

/* A runtime that asks whether pods can be added gets its answer; all others come again. */
static int no_agent(const char *version, const char *command, struct span agent, struct span why) {
  struct text msg = {0}, details = {0};
  text_say(&msg, "the agent of this node does not answer on ");
  text_add(&msg, agent.at, agent.length);
  text_add(&details, why.at, why.length);
  text_say(&details, "; see that cali-agent runs, and that \"agent\" in the network configuration names its socket");
  return fail(version, strcmp(command, "STATUS") == 0 ? NOT_AVAILABLE : TRY_AGAIN_LATER, all_of(&msg), all_of(&details));
}

static int serve(const char *command, struct span input) {
  struct span config, value;
  size_t wrong_at;
  if (!json_read(input, &config, &wrong_at)) {
    char details[64];
    snprintf(details, sizeof details, "it goes wrong at octet %zu of %zu", wrong_at, input.length);
    return fail(LATEST, UNDECODABLE, words("the network configuration is not JSON"), words(details));
  }
  if (*config.at != '{')
    return fail(LATEST, INVALID_CONFIG, words("the network configuration is not an object"), words("it looks like {\"cniVersion\":\"1.0.0\",…}"));
  const char *version = version_in(config);
  if (version == NULL) return refuse_version(config);
  struct text agent = {0}, answer = {0}, why = {0};
  if (!json_member(config, "agent", &value)) text_say(&agent, DEFAULT_AGENT);
  else if (!json_string(value, &agent) || agent.length == 0)
    return fail(version, INVALID_CONFIG, words("\"agent\" is not text"), words("it is a path, such as " DEFAULT_AGENT));
  const struct text body = request_for(input);
  if (!agent_ask(all_of(&agent), all_of(&body), DEADLINE_MS, &answer, &why)) return no_agent(version, command, all_of(&agent), all_of(&why));
  const int relayed = relay(all_of(&answer));
  if (relayed >= 0) return relayed;
  return no_agent(version, command, all_of(&agent), words("what answers there is no agent of this release"));
}

int main(void) {
  const char *command = getenv("CNI_COMMAND");
  if (command == NULL)
    return fail("1.0.0", INVALID_ENVIRONMENT, words("CNI_COMMAND is not set"), words("this is a CNI plugin: a container runtime calls it"));
  /* Needs no agent: a runtime asks for versions before anything runs. */
  if (strcmp(command, "VERSION") == 0) {
    puts("{\"cniVersion\":\"" LATEST "\",\"supportedVersions\":[\"0.4.0\",\"1.0.0\",\"1.1.0\"]}");
    return 0;
  }
  struct text input = {0};
  (void)text_read_all(&input, STDIN_FILENO);
  return serve(command, all_of(&input));
}
