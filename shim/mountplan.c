#include "mountplan.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "disk.h"
#include "fail.h"
#include "fd.h"
#include "frame.h"
#include "liveview.h"
#include "overlay.h"
#include "share.h"
#include "userns.h"
#include "within.h"

#define WORDS_MAX (LOWERS_MAX + 5)

int mounts_make_private(struct failure *failure) {
  if (unshare(CLONE_NEWNS) != 0) return fail(failure, "mount", errno, "cannot unshare the mount namespace");
  if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0) return fail(failure, "mount", errno, "cannot make / a slave");
  return 0;
}

/* ---- flags ---- */

static int parse_flags(const char *list, unsigned long *flags) {
  static const struct {
    const char *name;
    unsigned long bit;
  } known[] = {{"rec", MS_REC},         {"ro", MS_RDONLY},           {"nosuid", MS_NOSUID},     {"nodev", MS_NODEV},
               {"noexec", MS_NOEXEC},   {"sync", MS_SYNCHRONOUS},    {"dirsync", MS_DIRSYNC},   {"noatime", MS_NOATIME},
               {"nodiratime", MS_NODIRATIME}, {"relatime", MS_RELATIME}, {"strictatime", MS_STRICTATIME}};
  *flags = 0;
  while (*list != '\0') {
    size_t n = strcspn(list, ",");
    bool found = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
      if (strlen(known[i].name) != n || memcmp(list, known[i].name, n) != 0) continue;
      *flags |= known[i].bit;
      found = true;
    }
    if (!found) return -EINVAL;
    list += n;
    if (*list == ',') list++;
  }
  return 0;
}

/* The flags that the mount has already: a remount must repeat them. */
static unsigned long flags_of_mount(const char *path) {
  struct statvfs facts;
  unsigned long flags = 0;
  if (statvfs(path, &facts) != 0) return 0;
  if (facts.f_flag & ST_RDONLY) flags |= MS_RDONLY;
  if (facts.f_flag & ST_NOSUID) flags |= MS_NOSUID;
  if (facts.f_flag & ST_NODEV) flags |= MS_NODEV;
  if (facts.f_flag & ST_NOEXEC) flags |= MS_NOEXEC;
  if (facts.f_flag & ST_NOATIME) flags |= MS_NOATIME;
  if (facts.f_flag & ST_NODIRATIME) flags |= MS_NODIRATIME;
  return flags;
}

int mount_restrict(const char *target, const char *list) {
  unsigned long flags;
  int result = parse_flags(list, &flags);
  unsigned long wanted = flags & ~(unsigned long)MS_REC;
  if (result < 0 || wanted == 0) return result;
  if (flags & MS_REC) {
    result = overlay_set_attributes(target, wanted);
    if (result != -ENOSYS) return result;
  }
  if (mount(NULL, target, NULL, MS_REMOUNT | MS_BIND | wanted | flags_of_mount(target), NULL) != 0) return -errno;
  return 0;
}

int mount_bind(const char *source, const char *target, const char *list) {
  unsigned long flags;
  int result = parse_flags(list, &flags);
  if (result < 0) return result;
  if (mount(source, target, NULL, MS_BIND | (flags & MS_REC), NULL) != 0) return -errno;
  return mount_restrict(target, list);
}

/* ---- the operations ---- */

/* A symlink in its place is no folder, wherever it leads: it may be an image's, and lead to the host. */
static int make_folder(char *path, const char *mode_text) {
  char *end;
  unsigned long mode = strtoul(mode_text, &end, 8);
  if (*end != '\0' || mode > 07777 || *path != '/') return -EINVAL;
  for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
    *slash = '\0';
    int made = mkdir(path, 0755);
    int error = errno;
    *slash = '/';
    if (made != 0 && error != EEXIST) return -error;
  }
  if (mkdir(path, (mode_t)mode) == 0) return chmod(path, (mode_t)mode) == 0 ? 0 : -errno;
  if (errno != EEXIST) return -errno;
  struct stat facts;
  if (lstat(path, &facts) != 0) return -errno;
  return S_ISDIR(facts.st_mode) ? 0 : -ENOTDIR;
}

int mount_new(const char *type, const char *device, const char *target, const char *list, const char *data) {
  unsigned long flags;
  int result = parse_flags(list, &flags);
  if (result < 0) return result;
  return mount(device, target, type, flags & ~(unsigned long)MS_REC, data) == 0 ? 0 : -errno;
}

static int split_words(const struct field *field, char **words) {
  int count = 0;
  for (uint32_t at = 0; at <= field->length;) {
    if (count == WORDS_MAX) return -E2BIG;
    words[count++] = field->value + at;
    at += (uint32_t)strlen(field->value + at) + 1;
  }
  words[count] = NULL;
  return count;
}

/* Inside a tree that is shown under other ids only one of those can make a folder. */
static int make_folder_as(const struct userns *userns, char *path, const char *mode_text) {
  int result = make_folder(path, mode_text);
  if (result != -EOVERFLOW || userns == NULL) return result;
  result = userns_act_as_root(userns);
  if (result == 0) result = make_folder(path, mode_text);
  int back = userns_act_as_root(NULL);
  return result < 0 ? result : back;
}

/* What is made in the work folder while it is mounted is made by who mounts it: that must be one of the container's users. */
static int mount_overlay(const struct userns *userns, const struct overlay *what) {
  if (userns == NULL) return overlay_mount(what);
  int result = userns_act_as_root(userns);
  if (result == 0) result = overlay_mount(what);
  int back = userns_act_as_root(NULL);
  return result < 0 ? result : back;
}

int mount_make_target(char *target, mode_t type) {
  if (S_ISDIR(type)) return make_folder(target, "0755");
  char *name = strrchr(target, '/');
  if (name == NULL || name == target) return -EINVAL;
  *name = '\0';
  int made = make_folder(target, "0755");
  *name = '/';
  if (made < 0) return made;
  fd_scoped int file = open(target, O_CREAT | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0600);
  return file < 0 ? -errno : 0;
}

static int bind_mapped(int user_namespace, const char *source, char *target) {
  struct stat facts;
  if (user_namespace < 0) return -EINVAL;
  if (stat(source, &facts) != 0) return -errno;
  int result = mount_make_target(target, facts.st_mode);
  return result < 0 ? result : overlay_bind_mapped(source, target, user_namespace);
}

static int bind_mapped_as(const char *source, char *target, const char *uid_map, const char *gid_map) {
  fd_scoped int user = -1;
  int result = userns_make(&user, NULL, NULL);
  if (result >= 0) result = userns_map(user, uid_map, gid_map, NULL);
  return result < 0 ? result : bind_mapped(user, source, target);
}

static int graft(const char *pid, const char *source, char *target, bool deep) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%.20s/ns/mnt", pid);
  fd_scoped int other = open(path, O_RDONLY | O_CLOEXEC);
  fd_scoped int own = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
  fd_scoped int here = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (other < 0 || own < 0 || here < 0) return -errno;
  int result = make_folder(target, "0755");
  if (result == 0) result = overlay_graft(other, own, source, target, deep);
  /* Entering a mount namespace changes the working folder to its root. */
  if (fchdir(here) != 0) return -errno;
  return result;
}

static int apply(char **words, int count, const struct userns *userns, const char **path) {
  *path = count > 1 ? words[1] : "";
  if (strcmp(words[0], "mkdir") == 0 && count == 3) return make_folder_as(userns, words[1], words[2]);
  if (strcmp(words[0], "idmap") == 0 && count == 3) return bind_mapped(userns == NULL ? -1 : userns->fd, words[1], words[2]);
  if (strcmp(words[0], "idmap") == 0 && count == 5) return bind_mapped_as(words[1], words[2], words[3], words[4]);
  if (strcmp(words[0], "pick") == 0 && count == 6) {
    *path = words[3];
    return mount_picked(words[1], words[2], words[3], words[4], words[5]);
  }
  if (strcmp(words[0], "share") == 0 && count == 8) {
    *path = words[3];
    return mount_shared(words[1], words[2], words[3], (const char *const[]){words[4], words[5], words[6], words[7]});
  }
  if (strcmp(words[0], "graft") == 0 && count == 5) {
    *path = words[3];
    return graft(words[1], words[2], words[3], strcmp(words[4], "all") == 0);
  }
  if (strcmp(words[0], "bind") == 0 && count == 4) {
    *path = words[2];
    return mount_bind(words[1], words[2], words[3]);
  }
  if (strcmp(words[0], "disk") == 0 && count == 3) {
    *path = words[2];
    return disk_mount(words[1], words[2]);
  }
  if (strcmp(words[0], "mount") == 0 && count == 6) {
    *path = words[3];
    return mount_new(words[1], words[2], words[3], words[4], words[5]);
  }
  if (strcmp(words[0], "live") == 0 && count == 4) {
    *path = words[2];
    return live_view(words[1], words[2], strcmp(words[3], "all") == 0);
  }
  if (strcmp(words[0], "within") == 0 && count == 5) {
    *path = words[2];
    return mount_within(words[1], words[2], words[3], words[4]);
  }
  if (strcmp(words[0], "overlay") == 0 && count >= 6) {
    struct overlay what = {words[1], words[2], words[3], words[4], words + 5, (size_t)count - 5};
    return mount_overlay(userns, &what);
  }
  return -EINVAL;
}

/* Of an operation that mounts a file system which a person may have named. */
static const char *type_of(char **words) {
  if (strcmp(words[0], "mount") == 0) return words[1];
  return strcmp(words[0], "share") == 0 ? words[4] : NULL;
}

/* Puts a failed operation into words, and answers its error. */
static int explain(struct failure *failure, int error, int number, char **words, const char *path) {
  bool picks = strcmp(words[0], "pick") == 0;
  if (picks && error == -EXDEV)
    fail(failure, "folder", 0, "the path %.200s leads out of %.300s", path, words[2]);
  else if (picks)
    fail(failure, "folder", -error, "cannot follow the path %.200s inside %.300s", path, words[2]);
  else if (error == -EINVAL && strcmp(words[0], "idmap") == 0)
    fail(failure, "mount", 0, "the file system of %.400s cannot show files under other ids (idmapped mounts), which user namespaces need", path);
  else if (error == -ENODEV && type_of(words) != NULL)
    fail(failure, "mount", 0, "the kernel has no file system %.40s", type_of(words));
  else
    fail(failure, "mount", -error, "mount plan, operation %d (%.20s %.400s)", number, words[0], path);
  return error;
}

int mounts_apply(const struct request *request, const struct userns *userns, struct failure *failure) {
  char *words[WORDS_MAX + 1];
  int number = 0;
  for (size_t i = 0; i < request->count; i++) {
    const struct field *field = &request->fields[i];
    if (field->tag != FIELD_MOUNT) continue;
    number++;
    int count = split_words(field, words);
    const char *path = "";
    int result = count < 0 ? count : apply(words, count, userns, &path);
    if (result < 0) return explain(failure, result, number, words, path);
  }
  return 0;
}

void mounts_undo(const struct request *request) {
  char *words[WORDS_MAX + 1];
  for (size_t i = request->count; i-- > 0;) {
    const struct field *field = &request->fields[i];
    if (field->tag != FIELD_MOUNT) continue;
    int count = split_words(field, words);
    const char *target = NULL;
    if (count >= 6 && strcmp(words[0], "overlay") == 0) target = words[1];
    if (count == 4 && strcmp(words[0], "bind") == 0) target = words[2];
    if (count == 3 && strcmp(words[0], "disk") == 0) target = words[2];
    if ((count == 3 || count == 5) && strcmp(words[0], "idmap") == 0) target = words[2];
    if (count == 6 && strcmp(words[0], "pick") == 0) target = words[4];
    if (count == 8 && strcmp(words[0], "share") == 0) target = words[3];
    if (count == 5 && strcmp(words[0], "graft") == 0) target = words[3];
    if (count == 6 && strcmp(words[0], "mount") == 0) target = words[3];
    if (target == NULL) continue;
    /* What is shared with the host must not be unmounted there too. */
    if (mount(NULL, target, NULL, MS_REC | MS_PRIVATE, NULL) == 0) umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
  }
}
