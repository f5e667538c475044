/* Runs the program named in SLIPWAY_TEST_PROGRAM as on a kernel that has no netfilter sockets. Only for tests. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define WORD(field) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, field))
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define ANSWER(value) BPF_STMT(BPF_RET | BPF_K, value)

int main(int argc, char **argv) {
  struct sock_filter filter[] = {
      WORD(nr),      UNLESS(SYS_socket, 5),        WORD(args[0]), UNLESS(AF_NETLINK, 3), WORD(args[2]),
      UNLESS(NETLINK_NETFILTER, 1), ANSWER(SECCOMP_RET_ERRNO | EPROTONOSUPPORT), ANSWER(SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {.len = sizeof filter / sizeof *filter, .filter = filter};
  const char *path = getenv("SLIPWAY_TEST_PROGRAM");
  if (argc < 1 || path == NULL || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) return 1;
  argv[0] = (char *)path;
  execv(path, argv);
  return 1;
}
