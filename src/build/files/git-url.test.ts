import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { type GitUrl, parseGitUrl, withoutCredentials } from "./git-url.ts";

const whole: Omit<GitUrl, "remote"> = { subdir: "", submodules: true };

test("parseGitUrl: the forms that Docker takes", () => {
  const cases: readonly (readonly [string, GitUrl])[] = [
    ["https://h/a/b.git", { ...whole, remote: "https://h/a/b.git" }],
    ["https://u:p@h/a/b.git#main", { ...whole, remote: "https://u:p@h/a/b.git", ref: "main" }],
    ["https://h/b.git#v1:sub/dir/", { ...whole, remote: "https://h/b.git", ref: "v1", subdir: "sub/dir" }],
    ["https://h/b.git#:sub", { ...whole, remote: "https://h/b.git", subdir: "sub" }],
    ["git://h/b", { ...whole, remote: "git://h/b" }],
    ["ssh://git@h:22/b", { ...whole, remote: "ssh://git@h:22/b" }],
    ["git@h:a/b.git#r", { ...whole, remote: "git@h:a/b.git", ref: "r" }],
    ["github.com/a/b", { ...whole, remote: "https://github.com/a/b" }],
    ["github.com/a/b#r:s", { ...whole, remote: "https://github.com/a/b", ref: "r", subdir: "s" }],
    [
      "https://h/b.git?branch=x&subdir=s&keep-git-dir=true&submodules=0&commit=abcdef0",
      {
        remote: "https://h/b.git",
        ref: "refs/heads/x",
        subdir: "s",
        keepGitDir: true,
        submodules: false,
        checksum: "abcdef0",
      },
    ],
    ["https://h/b.git?tag=v1", { ...whole, remote: "https://h/b.git", ref: "refs/tags/v1" }],
    [
      `https://h/b.git?commit=${"a".repeat(40)}`,
      { ...whole, remote: "https://h/b.git", ref: "a".repeat(40), checksum: "a".repeat(40) },
    ],
  ];
  for (const [text, url] of cases) assert.deepEqual(parseGitUrl(text, { short: true }), url, text);
});

test("parseGitUrl: what is no repository is none; what could be an option, a mapping or a way out is refused", () => {
  for (const text of [
    "https://h/a.tar.gz",
    "https://h/a",
    "file:///a.git",
    "/a.git",
    "./a.git",
    "ext::sh -c x",
    "http:a.git",
  ])
    assert.equal(parseGitUrl(text, { short: true }), undefined, text);
  assert.equal(parseGitUrl("github.com/a/b", { short: false }), undefined);
  for (const rest of [
    "#--upload-pack=x",
    "#a:../b",
    "#+a",
    "#a..b",
    "#a b",
    "?ref=a&tag=b",
    "?other=1",
    "?commit=zz",
    "?tag=a#b",
    "?submodules=x",
  ])
    assert.throws(() => parseGitUrl(`https://h/b.git${rest}`, { short: true }), { kind: "invalid" }, rest);
});

test("parseGitUrl: whatever the text, nothing that begins like an option comes out", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: fc.constantFrom("-", ":", "/", "@", "#", "?", ".", "=", "a", "&", "%", " ", "\n", "git") }),
      (text) => {
        try {
          const url = parseGitUrl(`https://h/b.git${text}`, { short: true }) ?? parseGitUrl(text, { short: true });
          assert.ok(!(url?.remote.startsWith("-") ?? false) && !(url?.ref?.startsWith("-") ?? false));
          assert.ok(!(url?.subdir.split("/").includes("..") ?? false));
        } catch (error) {
          assert.equal((error as { kind?: string }).kind, "invalid");
        }
      },
    ),
  );
});

test("withoutCredentials: neither names nor words of pass are shown", () => {
  assert.equal(withoutCredentials("https://u:p@h/b.git"), "https://h/b.git");
  assert.equal(withoutCredentials("git@h:b.git"), "git@h:b.git");
});
