/* hello: greets and shows what isolates it; `hello web [PORT]` does so as a web page. */
#include "facts.h"
#include "web.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { NAME_WIDTH = 17 };

/* Prints a text in lines of at most `width` columns, broken at spaces; all but the first start at the column of the text. */
static void print_wrapped(const char *text, int width)
{
	int column = 0;
	while (*text != '\0') {
		int length = (int)strcspn(text, " ");
		if (column > 0 && column + 1 + length > width) {
			printf("\n  %*s", NAME_WIDTH, "");
			column = 0;
		}
		column += printf("%s%.*s", column > 0 ? " " : "", length, text);
		text += length;
		text += strspn(text, " ");
	}
	putchar('\n');
}

static int terminal_width(void)
{
	struct winsize size;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 60)
		return size.ws_col < 110 ? size.ws_col : 110;
	return 96;
}

static int greet(void)
{
	static struct fact facts[FACTS_MAX];
	int bold = isatty(STDOUT_FILENO);
	printf("\n%sHello from Slipway!%s\n\n", bold ? "\033[1m" : "", bold ? "\033[0m" : "");
	puts("This is a container: an ordinary Linux process that the kernel keeps apart. It sees of itself:\n");
	int count = read_facts(facts);
	int width = terminal_width() - NAME_WIDTH - 2;
	for (int i = 0; i < count; i++) {
		printf("  %-*s", NAME_WIDTH, facts[i].name);
		print_wrapped(facts[i].text, width);
	}
	puts("\nNow try a web server, and open http://localhost:8080:\n\n  slipway run -d -p 8080:80 hello web\n");
	return fflush(stdout) == 0 ? 0 : 1;
}

int main(int count, char **arguments)
{
	if (count == 1)
		return greet();
	if (strcmp(arguments[1], "web") == 0 && count <= 3) {
		long port = count == 3 ? strtol(arguments[2], NULL, 10) : 80;
		if (port > 0 && port < 65536)
			return serve((unsigned short)port);
	}
	fputs("usage: hello            greets and shows what isolates it\n"
	      "       hello web [PORT] shows the same as a web page (port 80)\n",
	      stderr);
	return 2;
}
