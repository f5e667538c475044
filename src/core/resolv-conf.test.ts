import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { parseResolvConf } from "./resolv-conf.ts";

test("parseResolvConf: comments by # and ; at a line's start and behind words, indented lines, CRLF, the last search", () => {
  const text = [
    "# nameserver 192.0.2.1",
    ";nameserver 192.0.2.2",
    "  nameserver\t192.0.2.3 ; ours",
    "nameserver 192.0.2.4 # theirs",
    "nameserver 192.0.2.5#5353 more",
    "nameserver",
    "nameservers 192.0.2.6",
    "domain example.org other",
    "search a.example b.example # c.example",
    "options ndots:2",
    "options timeout:1 ; attempts:9",
    "nameserver fe80::1%eth0\r",
  ].join("\n");
  assert.deepEqual(parseResolvConf(text), {
    servers: ["192.0.2.3", "192.0.2.4", "192.0.2.5#5353", "fe80::1%eth0"],
    search: ["a.example", "b.example"],
    options: ["ndots:2", "timeout:1"],
  });
  assert.deepEqual(parseResolvConf("search a.example\ndomain b.example other\n").search, ["b.example"]);
  assert.deepEqual(parseResolvConf(""), { servers: [], search: [], options: [] });
});

test("parseResolvConf: whatever the text, its words are words of the text and no comments", () => {
  const piece = fc.oneof(
    fc.string({ maxLength: 20 }),
    fc.constantFrom("nameserver ", "search ", "domain ", "options ", "#", ";", "\n", "\r\n", "\t", "192.0.2.1", "\0"),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
      const text = pieces.join("");
      const { servers, search, options } = parseResolvConf(text);
      for (const word of [...servers, ...search, ...options]) {
        assert.ok(text.includes(word));
        assert.match(word, /^[^\s#;]\S*$/);
      }
    }),
  );
});

test("parseResolvConf: reads what was written, however it is laid out and commented", () => {
  const word = fc.stringMatching(/^[a-z0-9:.%][a-z0-9:.%#;]{0,12}$/);
  const words = fc.array(word, { maxLength: 5 });
  const gap = fc.constantFrom(" ", "\t", "  \t");
  const tail = fc.constantFrom("", " ", "\r", " # nameserver 192.0.2.9", "\t;options x");
  const noise = fc.constantFrom("", "# search z", ";", "   ", "sortlist 192.0.2.0");
  fc.assert(
    fc.property(words, words, words, gap, tail, noise, (servers, search, options, between, end, filler) => {
      const lines = [
        ...servers.map((server) => ["nameserver", server]),
        ["search", ...search],
        ...options.map((option) => ["options", option]),
      ].map((parts) => `${parts.join(between)}${end}`);
      const text = lines.join(`\n${filler}\n`);
      assert.deepEqual(parseResolvConf(text), { servers, search, options });
    }),
  );
});
