#include "linkwords.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* Takes the next word, or NULL at the end; one in double quotes may have spaces. */
static const char *next_word(char **rest) {
  char *start = *rest + strspn(*rest, " ");
  if (*start == '\0') return NULL;
  bool quoted = *start == '"';
  if (quoted) start++;
  char *end = start + strcspn(start, quoted ? "\"" : " ");
  *rest = *end == '\0' ? end : end + 1;
  *end = '\0';
  return start;
}

static bool read_number(const char *word, uint32_t *number) {
  char *end;
  errno = 0;
  unsigned long value = strtoul(word, &end, 10);
  if (errno != 0 || *end != '\0' || *word < '0' || *word > '9' || value > UINT32_MAX) return false;
  *number = (uint32_t)value;
  return true;
}

static bool is_on(const char *word) {
  return strcmp(word, "on") == 0;
}

/* A word that has a value behind it, of the link or of its peer. */
static bool take_of_end(struct link_end *end, const char *word, const char *value) {
  if (strcmp(word, "name") == 0 || strcmp(word, "dev") == 0) end->name = value;
  else if (strcmp(word, "address") == 0) end->mac = value;
  else if (strcmp(word, "mtu") == 0) return read_number(value, &end->mtu);
  else if (strcmp(word, "netns") == 0) return read_number(value, &end->netns);
  else return false;
  return true;
}

static bool take_of_link(struct link_change *change, const char *word, const char *value) {
  if (strcmp(word, "master") == 0) change->master = value;
  else if (strcmp(word, "alias") == 0) change->alias = value;
  else if (strcmp(word, "type") == 0) change->kind = value;
  else if (strcmp(word, "addrgenmode") == 0) change->no_generated_address = strcmp(value, "none") == 0;
  else if (strcmp(word, "hairpin") == 0) change->hairpin = is_on(value);
  else if (strcmp(word, "isolated") == 0) change->isolated = is_on(value);
  else return false;
  return true;
}

static bool read_link(char *rest, struct link_change *change) {
  struct link_end *end = &change->link;
  for (const char *word; (word = next_word(&rest)) != NULL;) {
    if (strcmp(word, "up") == 0) {
      change->up = true;
    } else if (strcmp(word, "peer") == 0) {
      end = &change->peer;
    } else {
      const char *value = next_word(&rest);
      if (value == NULL || !(take_of_end(end, word, value) || take_of_link(change, word, value))) return false;
    }
  }
  return change->link.name != NULL;
}

static bool read_address(char *rest, struct link_change *change) {
  change->address = next_word(&rest);
  for (const char *word; (word = next_word(&rest)) != NULL;) {
    if (strcmp(word, "nodad") == 0) {
      change->no_duplicate_check = true;
      continue;
    }
    const char *value = next_word(&rest);
    if (value == NULL) return false;
    if (strcmp(word, "dev") == 0) change->link.name = value;
    else if (strcmp(word, "broadcast") == 0) change->broadcast = value;
    else return false;
  }
  return change->address != NULL && change->link.name != NULL;
}

static bool read_route(char *rest, struct link_change *change) {
  const char *target = next_word(&rest);
  if (target == NULL) return false;
  bool any = strcmp(target, "default") == 0;
  change->by_link6 = strcmp(target, "::/0") == 0;
  if (!any && !change->by_link6 && strcmp(target, "0.0.0.0/0") != 0) return false;
  for (const char *word; (word = next_word(&rest)) != NULL;) {
    const char *value = next_word(&rest);
    if (value == NULL) return false;
    if (strcmp(word, "via") == 0) change->gateway = value;
    else if (strcmp(word, "dev") == 0) change->link.name = value;
    else return false;
  }
  return (change->gateway != NULL) == any && change->link.name != NULL;
}

bool link_words_read(char *line, struct link_change *change) {
  static const struct {
    const char *object, *verb;
    enum link_verb means;
    bool (*read)(char *rest, struct link_change *change);
  } all[] = {
      {"link", "add", LINK_ADD, read_link},
      {"link", "set", LINK_SET, read_link},
      {"link", "delete", LINK_DELETE, read_link},
      {"address", "add", ADDRESS_ADD, read_address},
      {"address", "replace", ADDRESS_REPLACE, read_address},
      {"route", "replace", ROUTE_REPLACE, read_route},
  };
  *change = (struct link_change){0};
  const char *object = next_word(&line);
  const char *verb = next_word(&line);
  if (object == NULL || verb == NULL) return false;
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    if (strcmp(all[i].object, object) != 0 || strcmp(all[i].verb, verb) != 0) continue;
    change->verb = all[i].means;
    return all[i].read(line, change);
  }
  return false;
}
