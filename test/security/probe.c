/* Tries system calls by name, each in a child of its own, and says how each ended: `name result`, where the result is `ok`, an
 * errno's name or a signal. The arguments are harmless and, where the kernel allows it, fail in a telling way when the call is
 * let through. Names with `i386:` go by int 0x80, those with `x32:` have the x32 bit. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BAD 1L /* an address where nothing is */
#define X32 0x40000000L

struct call {
  const char *name;
  long number;
  long arguments[6];
};

static const struct call calls[] = {
    {"mount", SYS_mount, {BAD, BAD, BAD, 0, 0}},
    {"umount2", SYS_umount2, {BAD, 0}},
    {"pivot_root", SYS_pivot_root, {BAD, BAD}},
    {"fsopen", 430, {BAD, 0}},
    {"fsconfig", 431, {-1, 0, 0, 0, 0}},
    {"fsmount", 432, {-1, 0, 0}},
    {"fspick", 433, {-1, BAD, 0}},
    {"move_mount", 429, {-1, BAD, -1, BAD, 0}},
    {"open_tree", 428, {-1, BAD, 0}},
    {"mount_setattr", 442, {-1, BAD, 0, 0, 0}},
    {"unshare-user", SYS_unshare, {CLONE_NEWUSER}},
    {"unshare-net", SYS_unshare, {CLONE_NEWNET}},
    {"unshare-files", SYS_unshare, {CLONE_FILES}},
    {"setns", SYS_setns, {-1, 0}},
    {"clone", SYS_clone, {17}},
    {"clone-user", SYS_clone, {CLONE_NEWUSER | 17}},
    {"clone-mount", SYS_clone, {CLONE_NEWNS | 17}},
    {"clone-net", SYS_clone, {CLONE_NEWNET | 17}},
    {"clone-pid", SYS_clone, {CLONE_NEWPID | 17}},
    {"clone-uts", SYS_clone, {CLONE_NEWUTS | 17}},
    {"clone-ipc", SYS_clone, {CLONE_NEWIPC | 17}},
    {"clone-cgroup", SYS_clone, {CLONE_NEWCGROUP | 17}},
    {"clone3", 435, {BAD, 0}},
    {"reboot", SYS_reboot, {0, 0, 0, 0}},
    {"kexec_load", SYS_kexec_load, {0, 17, BAD, 0}},
    {"kexec_file_load", 320, {-1, -1, 0, BAD, 0}},
    {"init_module", SYS_init_module, {BAD, 0, BAD}},
    {"finit_module", SYS_finit_module, {-1, BAD, 0}},
    {"delete_module", SYS_delete_module, {BAD, 0}},
    {"swapon", SYS_swapon, {BAD, 0}},
    {"swapoff", SYS_swapoff, {BAD}},
    {"acct", SYS_acct, {BAD}},
    {"settimeofday", SYS_settimeofday, {BAD, 0}},
    {"clock_settime", SYS_clock_settime, {0, BAD}},
    {"open_by_handle_at", SYS_open_by_handle_at, {-1, BAD, 0}},
    {"name_to_handle_at", SYS_name_to_handle_at, {-1, BAD, BAD, BAD, 0}},
    {"perf_event_open", SYS_perf_event_open, {BAD, 0, -1, -1, 0}},
    {"bpf", SYS_bpf, {0, BAD, 4}},
    {"quotactl", SYS_quotactl, {-1, BAD, 0, 0}},
    {"nfsservctl", SYS_nfsservctl, {0, 0, 0}},
    {"lookup_dcookie", SYS_lookup_dcookie, {0, BAD, 0}},
    {"keyctl", SYS_keyctl, {0, -3, 0}},
    {"add_key", SYS_add_key, {BAD, BAD, 0, 0, 0}},
    {"request_key", SYS_request_key, {BAD, BAD, 0, 0}},
    {"userfaultfd", SYS_userfaultfd, {0xff0000}},
    {"io_uring_setup", 425, {0, BAD}},
    {"io_uring_enter", 426, {-1, 0, 0, 0, 0, 0}},
    {"io_uring_register", 427, {-1, 0, 0, 0}},
    {"ptrace", SYS_ptrace, {0, 0, 0, 0}},
    {"process_vm_readv", SYS_process_vm_readv, {1, 0, 0, 0, 0, 0}},
    {"process_vm_writev", SYS_process_vm_writev, {1, 0, 0, 0, 0, 0}},
    {"kcmp", SYS_kcmp, {1, 1, 99, 0, 0}},
    {"pidfd_getfd", 438, {-1, 0, 0}},
    {"process_madvise", 440, {-1, 0, 0, 0, 0}},
    {"get_mempolicy", SYS_get_mempolicy, {0, 0, 0, 0, 0}},
    {"set_mempolicy", SYS_set_mempolicy, {99, 0, 0}},
    {"mbind", SYS_mbind, {0, 0, 99, 0, 0, 0}},
    {"move_pages", SYS_move_pages, {0, 0, 0, 0, 0, 0}},
    {"migrate_pages", SYS_migrate_pages, {0, 0, 0, 0}},
    {"iopl", SYS_iopl, {0}},
    {"ioperm", SYS_ioperm, {0, 1, 0}},
    {"syslog", SYS_syslog, {10, 0, 0}},
    {"vhangup", SYS_vhangup, {0}},
    {"sethostname", SYS_sethostname, {BAD, 1}},
    {"setdomainname", SYS_setdomainname, {BAD, 1}},
    {"fanotify_init", SYS_fanotify_init, {-1, 0}},
    {"chroot", SYS_chroot, {BAD}},
    {"sysfs", SYS_sysfs, {3, 0, 0}},
    {"ustat", SYS_ustat, {0, BAD}},
    {"uselib", SYS_uselib, {BAD}},
    {"_sysctl", SYS__sysctl, {BAD}},
    {"create_module", SYS_create_module, {BAD, 0}},
    {"query_module", SYS_query_module, {0, 0, 0, 0, 0}},
    {"personality-query", SYS_personality, {0xffffffff}},
    {"personality-linux32", SYS_personality, {8}},
    {"personality-no-randomize", SYS_personality, {0x40000}},
    {"personality-odd", SYS_personality, {0x400000}},
    {"socket-unix", SYS_socket, {AF_UNIX, SOCK_STREAM, 0}},
    {"socket-inet6", SYS_socket, {AF_INET6, SOCK_STREAM, 0}},
    {"socket-netlink", SYS_socket, {AF_NETLINK, SOCK_RAW, 0}},
    {"socket-packet", SYS_socket, {AF_PACKET, SOCK_RAW, 0}},
    {"socket-vsock", SYS_socket, {AF_VSOCK, SOCK_STREAM, 0}},
    {"socket-alg", SYS_socket, {AF_ALG, SOCK_SEQPACKET, 0}},
    {"socket-decnet", SYS_socket, {12, SOCK_STREAM, 0}},
    {"socket-unknown", SYS_socket, {200, SOCK_STREAM, 0}},
    {"openat2", 437, {-1, BAD, BAD, 0}},
    {"memfd_create", SYS_memfd_create, {BAD, 0}},
    {"landlock_create_ruleset", 444, {0, 0, 1}},
    {"fchmodat2", 452, {-1, BAD, 0, 0}},
    {"newer-than-all", 900, {0}},
    {"x32:mount", X32 + SYS_mount, {BAD, BAD, BAD, 0, 0}},
    {"x32:keyctl", X32 + SYS_keyctl, {0, -3, 0}},
    {"i386:mount", 21, {BAD, BAD, BAD, 0, 0}},
    {"i386:umount2", 52, {BAD, 0}},
    {"i386:unshare-user", 310, {CLONE_NEWUSER}},
    {"i386:clone-user", 120, {CLONE_NEWUSER | 17}},
    {"i386:clone3", 435, {BAD, 0}},
    {"i386:setns", 346, {-1, 0}},
    {"i386:reboot", 88, {0, 0, 0, 0}},
    {"i386:init_module", 128, {BAD, 0, BAD}},
    {"i386:keyctl", 288, {0, -3, 0}},
    {"i386:bpf", 357, {0, BAD, 4}},
    {"i386:stime", 25, {BAD}},
    {"i386:clock_settime64", 404, {0, BAD}},
    {"i386:vm86", 166, {0, BAD}},
    {"i386:vm86old", 113, {BAD}},
    {"i386:io_uring_setup", 425, {0, BAD}},
    {"i386:userfaultfd", 374, {0xff0000}},
    {"i386:socket-vsock", 359, {AF_VSOCK, SOCK_STREAM, 0}},
    {"i386:socket-alg", 359, {AF_ALG, SOCK_SEQPACKET, 0}},
    {"i386:getpid", 20, {0}},
};

static long call_i386(long number, const long *a) {
  long result;
  /* The sixth argument would need ebp; none of ours has one. */
  __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a[0]), "c"(a[1]), "d"(a[2]), "S"(a[3]), "D"(a[4]) : "memory", "r8", "r9", "r10", "r11");
  return (int)result;
}

static long call_native(long number, const long *a) {
  long result;
  register long r10 __asm__("r10") = a[3];
  register long r8 __asm__("r8") = a[4];
  register long r9 __asm__("r9") = a[5];
  __asm__ volatile("syscall" : "=a"(result) : "a"(number), "D"(a[0]), "S"(a[1]), "d"(a[2]), "r"(r10), "r"(r8), "r"(r9) : "memory", "rcx", "r11");
  return result;
}

static const char *word(int error) {
  static char text[16];
  switch (error) {
    case 0: return "ok";
    case EPERM: return "EPERM";
    case ENOSYS: return "ENOSYS";
    case EFAULT: return "EFAULT";
    case EINVAL: return "EINVAL";
    case EBADF: return "EBADF";
    default: snprintf(text, sizeof text, "errno%d", error); return text;
  }
}

static void try_call(const struct call *call) {
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    int is_i386 = strncmp(call->name, "i386:", 5) == 0;
    pid_t self = getpid();
    long result = is_i386 ? call_i386(call->number, call->arguments) : call_native(call->number, call->arguments);
    if (getpid() != self) _exit(0); /* what clone made */
    _exit(result < 0 && result > -4096 ? (int)-result : 0);
  }
  int status;
  while (waitpid(child, &status, __WALL) == child && !WIFEXITED(status) && !WIFSIGNALED(status)) continue;
  if (WIFSIGNALED(status)) printf("%s signal%d\n", call->name, WTERMSIG(status));
  else printf("%s %s\n", call->name, word(WEXITSTATUS(status)));
}

int main(int count, char **names) {
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    int wanted = count == 1;
    for (int n = 1; n < count; n++) wanted |= strcmp(names[n], calls[i].name) == 0;
    if (wanted) try_call(&calls[i]);
  }
  return 0;
}
