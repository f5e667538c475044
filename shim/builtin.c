#include "builtin.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fail.h"

builtin_program builtin_find(const char *name) {
  static const struct {
    const char *name;
    builtin_program program;
  } all[] = {{"look", builtin_look},
             {"read", builtin_read},
             {"apply", builtin_apply},
             {"copy", builtin_copy},
             {"files", builtin_files}};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (strcmp(all[i].name, name) == 0) return all[i].program;
  return NULL;
}

/* ---- rights (linux/capability.h, which musl does not bring) ---- */

#define VERSION_3 0x20080522u
#define LAST_RIGHT 63
#define RIGHT(number) ((uint64_t)1 << (number))

/* chown, dac_override, dac_read_search, fowner, fsetid, mknod, setfcap */
static const uint64_t file_rights = RIGHT(0) | RIGHT(1) | RIGHT(2) | RIGHT(3) | RIGHT(4) | RIGHT(27) | RIGHT(31);

struct rights_head {
  uint32_t version;
  int pid;
};

struct rights {
  uint32_t effective, permitted, inheritable;
};

int builtin_drop_rights(struct failure *failure) {
  for (unsigned long number = 0; number <= LAST_RIGHT; number++)
    if ((file_rights & RIGHT(number)) == 0 && prctl(PR_CAPBSET_DROP, number) != 0 && errno != EINVAL)
      return fail(failure, "spawn", errno, "cannot give up rights");
  struct rights_head head = {.version = VERSION_3};
  struct rights had[2];
  if (syscall(SYS_capget, &head, had) != 0) return fail(failure, "spawn", errno, "capget");
  for (int half = 0; half < 2; half++) {
    uint32_t kept = had[half].permitted & (uint32_t)(file_rights >> (32 * half));
    had[half] = (struct rights){.effective = kept, .permitted = kept};
  }
  return syscall(SYS_capset, &head, had) == 0 ? 0 : fail(failure, "spawn", errno, "capset");
}
