import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { Fault } from "./fault.ts";
import { canonical, familiar, familiarName, parseReference, withDefaultTag } from "./reference.ts";

const digest = `sha256:${"a".repeat(64)}`;

test("parseReference: normalises as Docker does", () => {
  const cases: [string, string, string][] = [
    ["nginx", "docker.io/library/nginx:latest", "nginx:latest"],
    ["docker.io/nginx", "docker.io/library/nginx:latest", "nginx:latest"],
    ["index.docker.io/library/nginx:1", "docker.io/library/nginx:1", "nginx:1"],
    ["team/app:v1.2", "docker.io/team/app:v1.2", "team/app:v1.2"],
    ["localhost/app", "localhost/app:latest", "localhost/app:latest"],
    ["localhost:5000/a/b", "localhost:5000/a/b:latest", "localhost:5000/a/b:latest"],
    ["ghcr.io/a/b__c.d-e:x", "ghcr.io/a/b__c.d-e:x", "ghcr.io/a/b__c.d-e:x"],
    ["[::1]:5000/app", "[::1]:5000/app:latest", "[::1]:5000/app:latest"],
    [`nginx@${digest}`, `docker.io/library/nginx@${digest}`, `nginx@${digest}`],
    [`nginx:1@${digest}`, `docker.io/library/nginx:1@${digest}`, `nginx:1@${digest}`],
  ];
  for (const [typed, full, short] of cases) {
    const reference = withDefaultTag(parseReference(typed));
    assert.equal(canonical(reference), full);
    assert.equal(familiar(reference), short);
  }
  assert.equal(familiarName(parseReference("docker.io/library/nginx:1")), "nginx");
});

test("parseReference: refuses what Docker refuses, in its words", () => {
  const malformed = [
    "",
    ":tag",
    "-a",
    "a..b",
    "a//b",
    "a/",
    "/a",
    "a:",
    "a:b:c",
    "a@sha256:12",
    "a b",
    "a/../b",
    "é",
    "a:-x",
  ];
  for (const text of malformed)
    assert.throws(() => parseReference(text), { kind: "invalid", message: "invalid reference format" }, text);
  assert.throws(() => parseReference("a/Nginx"), /repository name \(.*Nginx\) must be lowercase/);
  assert.throws(() => parseReference("f".repeat(64)), /cannot specify 64-byte hexadecimal strings/);
  assert.throws(() => parseReference(`${"a/".repeat(150)}a`), /must not be more than 255 characters/);
});

test("parseReference: any text is a reference that reads back as itself, or a Fault", () => {
  const part = fc.constantFrom(
    "a",
    "nginx",
    "localhost",
    "x.io",
    ":",
    "/",
    "@",
    digest,
    "5000",
    "-",
    "_",
    ".",
    "A",
    "é",
    "\0",
    "..",
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(part, { maxLength: 12 }).map((parts) => parts.join("")),
      ),
      (text) => {
        let reference;
        try {
          reference = parseReference(text);
        } catch (error) {
          assert.ok(error instanceof Fault && error.kind === "invalid");
          return;
        }
        assert.deepEqual(parseReference(canonical(reference)), reference);
        assert.deepEqual(parseReference(familiar(reference)), reference);
        assert.ok(!reference.path.split("/").includes(".."));
      },
    ),
    { numRuns: 3000 },
  );
});
