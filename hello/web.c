#include "web.h"

#include "page.h"

#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* One thread, one poll loop, a fixed number of connections: what comes beyond waits in the listen queue. */
enum { CONNECTIONS_MAX = 64, REQUEST_MAX = 4096, ANSWER_MAX = 12288, IDLE_SECONDS = 10, LINGER_SECONDS = 2 };

enum phase {
	FREE,
	READING,   /* until the empty line that ends the request's head */
	WRITING,   /* the whole answer */
	LINGERING, /* answered; reads on until the other side closes, or a reset could cut the answer off */
};

struct connection {
	enum phase phase;
	int fd;
	time_t deadline;
	size_t request_length, answer_length, answer_sent;
	char request[REQUEST_MAX + 1];
	char answer[ANSWER_MAX];
};

static struct connection connections[CONNECTIONS_MAX];
static unsigned long visits;

static time_t now(void)
{
	struct timespec time;
	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec;
}

static int listen_on(unsigned short port)
{
	struct sockaddr_in6 any6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	struct sockaddr_in any4 = {.sin_family = AF_INET, .sin_port = htons(port)};
	const int yes = 1, no = 0, kind = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
	int fd = socket(AF_INET6, kind, 0);
	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &no, sizeof no);
		if (bind(fd, (struct sockaddr *)&any6, sizeof any6) == 0 && listen(fd, 128) == 0)
			return fd;
		close(fd);
	}
	fd = socket(AF_INET, kind, 0); /* a machine without IPv6 */
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
	if (bind(fd, (struct sockaddr *)&any4, sizeof any4) == 0 && listen(fd, 128) == 0)
		return fd;
	close(fd);
	return -1;
}

static void finish(struct connection *one)
{
	close(one->fd);
	one->phase = FREE;
}

static void answer(struct connection *one, const char *status, const char *more, const char *body, size_t length, bool head_only)
{
	int written = snprintf(one->answer, sizeof one->answer,
	                       "HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: %zu\r\n"
	                       "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n%sConnection: close\r\n\r\n",
	                       status, length, more);
	one->answer_length = (size_t)written;
	if (!head_only && one->answer_length + length <= sizeof one->answer) {
		memcpy(one->answer + one->answer_length, body, length);
		one->answer_length += length;
	}
	one->answer_sent = 0;
	one->phase = WRITING;
	one->deadline = now() + IDLE_SECONDS;
}

static void answer_short(struct connection *one, const char *status, const char *more, bool head_only)
{
	char body[128];
	int length = snprintf(body, sizeof body, "<!doctype html><title>%s</title><h1>%s</h1>\n", status, status);
	answer(one, status, more, body, (size_t)length, head_only);
}

static void answer_request(struct connection *one)
{
	static char page[ANSWER_MAX - 512];
	char *rest = NULL;
	one->request[strcspn(one->request, "\r\n")] = '\0';
	const char *method = strtok_r(one->request, " ", &rest);
	char *target = strtok_r(NULL, " ", &rest);
	const char *version = strtok_r(NULL, " ", &rest);
	if (method == NULL || target == NULL || version == NULL || strncmp(version, "HTTP/1.", 7) != 0) {
		answer_short(one, "400 Bad Request", "", false);
		return;
	}
	bool head_only = strcmp(method, "HEAD") == 0;
	if (!head_only && strcmp(method, "GET") != 0) {
		answer_short(one, "405 Method Not Allowed", "Allow: GET, HEAD\r\n", false);
		return;
	}
	target[strcspn(target, "?#")] = '\0';
	if (strcmp(target, "/") != 0) {
		answer_short(one, "404 Not Found", "", head_only);
		return;
	}
	visits += !head_only;
	size_t length = write_page(page, sizeof page, visits);
	answer(one, "200 OK", "", page, length, head_only);
}

static void read_request(struct connection *one)
{
	ssize_t got = read(one->fd, one->request + one->request_length, REQUEST_MAX - one->request_length);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0) {
		finish(one);
		return;
	}
	one->request_length += (size_t)got;
	one->request[one->request_length] = '\0';
	if (strstr(one->request, "\r\n\r\n") != NULL || strstr(one->request, "\n\n") != NULL)
		answer_request(one);
	else if (one->request_length == REQUEST_MAX)
		answer_short(one, "431 Request Header Fields Too Large", "", false);
}

static void write_answer(struct connection *one)
{
	ssize_t sent = send(one->fd, one->answer + one->answer_sent, one->answer_length - one->answer_sent, MSG_NOSIGNAL);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (sent < 0) {
		finish(one);
		return;
	}
	one->answer_sent += (size_t)sent;
	if (one->answer_sent < one->answer_length)
		return;
	shutdown(one->fd, SHUT_WR);
	one->phase = LINGERING;
	one->deadline = now() + LINGER_SECONDS;
}

static void linger(struct connection *one)
{
	char dropped[4096];
	ssize_t got = read(one->fd, dropped, sizeof dropped);
	if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
		finish(one);
}

static void accept_one(int listener)
{
	for (int i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *one = &connections[i];
		if (one->phase != FREE)
			continue;
		int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		*one = (struct connection){.phase = READING, .fd = fd, .deadline = now() + IDLE_SECONDS};
		return;
	}
}

/* Fills what to wait for: signals, then each connection in use, then (while there is room for one more) the listener. */
static nfds_t gather(struct pollfd waits[CONNECTIONS_MAX + 2], int signals, int listener)
{
	nfds_t count = 0;
	waits[count++] = (struct pollfd){.fd = signals, .events = POLLIN};
	bool room = false;
	for (int i = 0; i < CONNECTIONS_MAX; i++) {
		const struct connection *one = &connections[i];
		room = room || one->phase == FREE;
		if (one->phase != FREE)
			waits[count++] = (struct pollfd){.fd = one->fd, .events = one->phase == WRITING ? POLLOUT : POLLIN};
	}
	if (room)
		waits[count++] = (struct pollfd){.fd = listener, .events = POLLIN};
	return count;
}

static void advance(struct connection *one, short events)
{
	if (events != 0 && one->phase == READING)
		read_request(one);
	else if (events != 0 && one->phase == WRITING)
		write_answer(one);
	else if (events != 0 && one->phase == LINGERING)
		linger(one);
	if (one->phase != FREE && now() >= one->deadline)
		finish(one);
}

int serve(unsigned short port)
{
	sigset_t stop;
	sigemptyset(&stop);
	sigaddset(&stop, SIGTERM);
	sigaddset(&stop, SIGINT);
	sigprocmask(SIG_BLOCK, &stop, NULL); /* blocked and read from a descriptor: that works for process 1 too */
	int signals = signalfd(-1, &stop, SFD_CLOEXEC);
	int listener = listen_on(port);
	if (signals < 0 || listener < 0) {
		fprintf(stderr, "hello: port %u: %s\n", port, strerror(errno));
		return 1;
	}
	printf("hello: serving on port %u\n", port);
	fflush(stdout);
	for (;;) {
		struct pollfd waits[CONNECTIONS_MAX + 2];
		nfds_t count = gather(waits, signals, listener);
		if (poll(waits, count, count > 2 ? 1000 : -1) < 0 && errno != EINTR)
			return 1;
		if (waits[0].revents != 0)
			return 0;
		nfds_t at = 1;
		for (int i = 0; i < CONNECTIONS_MAX; i++)
			if (connections[i].phase != FREE)
				advance(&connections[i], waits[at++].revents);
		if (at < count && waits[at].revents != 0)
			accept_one(listener);
	}
}
