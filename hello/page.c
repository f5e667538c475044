#include "page.h"

#include "facts.h"

#include <stdarg.h>
#include <stdio.h>

struct writer {
	char *at;
	size_t left;
};

__attribute__((format(printf, 2, 3))) static void put(struct writer *page, const char *format, ...)
{
	va_list values;
	va_start(values, format);
	int length = vsnprintf(page->at, page->left, format, values);
	va_end(values);
	size_t step = length < 0 ? 0 : (size_t)length;
	if (step >= page->left)
		step = page->left > 0 ? page->left - 1 : 0;
	page->at += step;
	page->left -= step;
}

/* What a host name or the kernel says is text, not markup. */
static void put_text(struct writer *page, const char *text)
{
	for (; *text != '\0'; text++) {
		switch (*text) {
		case '<': put(page, "&lt;"); break;
		case '>': put(page, "&gt;"); break;
		case '&': put(page, "&amp;"); break;
		case '"': put(page, "&quot;"); break;
		default: put(page, "%c", *text);
		}
	}
}

static const char head[] =
	"<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>"
	"<title>Hello from Slipway</title><link rel=icon href='data:,'>"
	"<style>:root{color-scheme:light dark;--ink:#16242c;--soft:#5a6b75;--line:#d7e0e4;--paper:#fff;--sea:#0b6e8a}"
	"@media(prefers-color-scheme:dark){:root{--ink:#e4edf1;--soft:#93a6b0;--line:#2a3a43;--paper:#101a20;--sea:#56bcd8}}"
	"body{font:16px/1.55 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:44rem;margin:0 auto;"
	"padding:clamp(1.5rem,6vw,4rem) 1.25rem}"
	"h1{font-size:clamp(1.9rem,6vw,2.7rem);line-height:1.15;margin:0 0 .6rem;letter-spacing:-.02em}"
	"h1::after{content:'';display:block;width:4.5rem;height:.3rem;margin-top:.9rem;background:var(--sea);"
	"transform:skewX(-30deg)}p{color:var(--soft);margin:0 0 2rem;text-wrap:pretty}"
	"dl{margin:0;border-top:1px solid var(--line)}"
	"div{display:grid;grid-template-columns:9.5rem 1fr;gap:0 1rem;padding:.7rem 0;border-bottom:1px solid var(--line)}"
	"dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere;font-variant-numeric:tabular-nums}"
	"footer{margin-top:2rem;color:var(--soft);font-size:.9rem}code{font-size:.92em}"
	"@media(max-width:32rem){div{grid-template-columns:1fr}}</style>"
	"<h1>Hello from Slipway</h1><p>This page comes from a container: an ordinary Linux process that the kernel "
	"keeps apart from the rest of the machine. It sees of itself:</p><dl>";

size_t write_page(char *page, size_t size, unsigned long visits)
{
	static struct fact facts[FACTS_MAX];
	struct writer writer = {page, size};
	put(&writer, "%s", head);
	int count = read_facts(facts);
	for (int i = 0; i < count; i++) {
		put(&writer, "<div><dt>%s</dt><dd>", facts[i].name);
		put_text(&writer, facts[i].text);
		put(&writer, "</dd></div>");
	}
	put(&writer, "</dl><footer>Page view %lu since the container started. Stop it with <code>slipway stop</code>.</footer>\n",
	    visits);
	return size - writer.left;
}
