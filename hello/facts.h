#ifndef HELLO_FACTS_H
#define HELLO_FACTS_H

/* What a process can see of its own isolation, as lines of text. */

enum { FACT_TEXT_MAX = 400, FACTS_MAX = 16 };

struct fact {
	const char *name;         /* a word or two */
	char text[FACT_TEXT_MAX]; /* what was read; never empty */
};

/* Reads all facts anew; answers how many there are. What the kernel does not show is said to be unknown. */
int read_facts(struct fact facts[FACTS_MAX]);

#endif
