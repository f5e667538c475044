#include "facts.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* Reads a small file whole, without its last newline; answers false when there is none. */
static bool read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size_t length = 0;
	while (length < size - 1) {
		ssize_t got = read(fd, text + length, size - 1 - length);
		if (got <= 0)
			break;
		length += (size_t)got;
	}
	close(fd);
	while (length > 0 && text[length - 1] == '\n')
		length--;
	text[length] = '\0';
	return true;
}

/* Appends to a fact; what does not fit is left out. */
__attribute__((format(printf, 2, 3))) static void say(struct fact *fact, const char *format, ...)
{
	size_t used = strlen(fact->text);
	va_list values;
	va_start(values, format);
	vsnprintf(fact->text + used, sizeof fact->text - used, format, values);
	va_end(values);
}

static void process(struct fact *fact)
{
	uid_t uid = getuid();
	say(fact, "pid %d, user %u%s, group %u", (int)getpid(), (unsigned)uid, uid == 0 ? " (root in here)" : "", (unsigned)getgid());
}

static void host(struct fact *fact)
{
	struct utsname names;
	if (uname(&names) == 0)
		say(fact, "%s, on Linux %s %s", names.nodename, names.release, names.machine);
}

/* The inode numbers of the namespaces: compare them with `ls -l /proc/self/ns` on the host. */
static void namespaces(struct fact *fact)
{
	static const char *const kinds[] = {"pid", "net", "mnt", "uts", "ipc", "cgroup", "user"};
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		char path[40], target[64];
		snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
		ssize_t length = readlink(path, target, sizeof target - 1);
		if (length < 0)
			continue;
		target[length] = '\0';
		const char *open_bracket = strchr(target, '[');
		if (open_bracket != NULL)
			say(fact, "%s%s %lu", fact->text[0] ? ", " : "", kinds[i], strtoul(open_bracket + 1, NULL, 10));
	}
}

/* The value of one line of /proc/self/status. */
static bool status_line(const char *name, char *value, size_t size)
{
	static char status[4096];
	if (!read_file("/proc/self/status", status, sizeof status))
		return false;
	size_t name_length = strlen(name);
	for (char *line = status; line != NULL; line = strchr(line, '\n')) {
		if (*line == '\n')
			line++;
		if (strncmp(line, name, name_length) != 0 || line[name_length] != ':')
			continue;
		line += name_length + 1;
		line += strspn(line, " \t");
		snprintf(value, size, "%.*s", (int)strcspn(line, "\n"), line);
		return true;
	}
	return false;
}

static const char *const capability_names[] = {
	"chown", "dac_override", "dac_read_search", "fowner", "fsetid", "kill", "setgid", "setuid", "setpcap",
	"linux_immutable", "net_bind_service", "net_broadcast", "net_admin", "net_raw", "ipc_lock", "ipc_owner",
	"sys_module", "sys_rawio", "sys_chroot", "sys_ptrace", "sys_pacct", "sys_admin", "sys_boot", "sys_nice",
	"sys_resource", "sys_time", "sys_tty_config", "mknod", "lease", "audit_write", "audit_control", "setfcap",
	"mac_override", "mac_admin", "syslog", "wake_alarm", "block_suspend", "audit_read", "perfmon", "bpf",
	"checkpoint_restore",
};

static void capabilities(struct fact *fact)
{
	enum { KNOWN = sizeof capability_names / sizeof *capability_names };
	char hex[32];
	if (!status_line("CapEff", hex, sizeof hex))
		return;
	unsigned long long mask = strtoull(hex, NULL, 16);
	int count = __builtin_popcountll(mask);
	if (count == KNOWN) {
		say(fact, "all %d: this process may do anything", KNOWN);
		return;
	}
	say(fact, "%d of %d%s", count, KNOWN, count > 0 ? ":" : "");
	for (int i = 0; i < KNOWN; i++)
		if (mask >> i & 1)
			say(fact, " %s", capability_names[i]);
}

static void system_calls(struct fact *fact)
{
	char value[16];
	if (!status_line("Seccomp", value, sizeof value))
		return;
	say(fact, "%s", value[0] == '2' ? "filtered (seccomp)" : value[0] == '1' ? "strict seccomp" : "not filtered");
	if (status_line("NoNewPrivs", value, sizeof value))
		say(fact, value[0] == '1' ? ", no new privileges" : ", set-user-id programs work");
}

/* A limit file of control groups v2, else v1; false when neither is there or it says "max". */
static bool limit(const char *v2, const char *v1, char *value, size_t size)
{
	char path[96];
	snprintf(path, sizeof path, "/sys/fs/cgroup/%s", v2);
	if (!read_file(path, value, size)) {
		snprintf(path, sizeof path, "/sys/fs/cgroup/%s", v1);
		if (!read_file(path, value, size))
			return false;
	}
	return strncmp(value, "max", 3) != 0 && strncmp(value, "-1", 2) != 0;
}

static void limits(struct fact *fact)
{
	char value[64], period[32];
	/* v1 says "no limit" by a number near 2^63. */
	if (limit("memory.max", "memory/memory.limit_in_bytes", value, sizeof value) && strtoull(value, NULL, 10) < 1ULL << 60)
		say(fact, "memory %llu MiB", strtoull(value, NULL, 10) >> 20);
	else
		say(fact, "memory unlimited");
	unsigned long hundredths = 0;
	if (limit("cpu.max", "cpu/cpu.cfs_quota_us", value, sizeof value)) {
		char *rest = value;
		unsigned long quota = strtoul(value, &rest, 10);
		unsigned long of = *rest == ' ' ? strtoul(rest, NULL, 10) : 0;
		if (of == 0 && read_file("/sys/fs/cgroup/cpu/cpu.cfs_period_us", period, sizeof period))
			of = strtoul(period, NULL, 10);
		hundredths = of > 0 ? quota * 100 / of : 0;
	}
	if (hundredths > 0)
		say(fact, ", %lu.%02lu CPUs", hundredths / 100, hundredths % 100);
	else
		say(fact, ", CPUs unlimited (%ld)", sysconf(_SC_NPROCESSORS_ONLN));
	if (limit("pids.max", "pids/pids.max", value, sizeof value))
		say(fact, ", %s processes", value);
	else
		say(fact, ", processes unlimited");
}

/* Type and access of what is mounted at /: `… / / rw,relatime - overlay …` in mountinfo. */
static void root_filesystem(struct fact *fact)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	if (file == NULL)
		return;
	char line[8192];
	while (fgets(line, sizeof line, file) != NULL) {
		char *dash = strstr(line, " - "), *rest = line, *words[6];
		if (dash == NULL)
			continue;
		char *type = dash + 3;
		type[strcspn(type, " ")] = '\0';
		*dash = '\0';
		for (int i = 0; i < 6; i++)
			words[i] = strtok_r(i == 0 ? line : NULL, " ", &rest);
		if (words[5] == NULL || strcmp(words[4], "/") != 0)
			continue;
		fact->text[0] = '\0'; /* the last one mounted there is the one in use */
		say(fact, "%s, %s", type, strncmp(words[5], "ro", 2) == 0 ? "read-only" : "writable");
	}
	fclose(file);
}

static void network(struct fact *fact)
{
	struct ifaddrs *all = NULL;
	if (getifaddrs(&all) != 0)
		return;
	for (struct ifaddrs *one = all; one != NULL; one = one->ifa_next) {
		char address[INET6_ADDRSTRLEN];
		if (one->ifa_addr == NULL || one->ifa_addr->sa_family != AF_INET)
			continue;
		inet_ntop(AF_INET, &((struct sockaddr_in *)one->ifa_addr)->sin_addr, address, sizeof address);
		say(fact, "%s%s %s", fact->text[0] ? ", " : "", one->ifa_name, address);
	}
	freeifaddrs(all);
	if (fact->text[0] == '\0')
		say(fact, "no address at all");
}

int read_facts(struct fact facts[FACTS_MAX])
{
	static const struct {
		const char *name;
		void (*read)(struct fact *);
	} readers[] = {
		{"process", process},           {"host", host},
		{"network", network},           {"root filesystem", root_filesystem},
		{"limits", limits},             {"capabilities", capabilities},
		{"system calls", system_calls}, {"namespaces", namespaces},
	};
	int count = sizeof readers / sizeof *readers;
	for (int i = 0; i < count; i++) {
		facts[i].name = readers[i].name;
		facts[i].text[0] = '\0';
		readers[i].read(&facts[i]);
		if (facts[i].text[0] == '\0')
			say(&facts[i], "not to be seen from here");
	}
	return count;
}
