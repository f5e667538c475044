import assert from "node:assert/strict";
import { test } from "node:test";
import { parseSecurityOptions, type SecurityOptions } from "./security-options.ts";

const nothing: SecurityOptions = { noNewPrivileges: false, labels: [] };

const cases: [string[], Partial<SecurityOptions>][] = [
  [[], {}],
  [["no-new-privileges"], { noNewPrivileges: true }],
  [["no-new-privileges=1"], { noNewPrivileges: true }],
  [["no-new-privileges:true"], { noNewPrivileges: true }],
  [["no-new-privileges", "no-new-privileges=false"], { noNewPrivileges: false }],
  [["seccomp=unconfined"], { seccomp: { kind: "unconfined" } }],
  [["seccomp:unconfined"], { seccomp: { kind: "unconfined" } }],
  [["seccomp=builtin"], { seccomp: { kind: "builtin" } }],
  [
    ['seccomp={"defaultAction":"SCMP_ACT_ALLOW"}'],
    { seccomp: { kind: "custom", text: '{"defaultAction":"SCMP_ACT_ALLOW"}' } },
  ],
  [["apparmor=docker-default"], { apparmor: "docker-default" }],
  [["apparmor:unconfined"], { apparmor: "unconfined" }],
  [["label=disable"], { labels: ["disable"] }],
  [["label:user:u", "label=level:s0:c1,c2"], { labels: ["user:u", "level:s0:c1,c2"] }],
  [["writable-cgroups"], { writableCgroups: true }],
  [["writable-cgroups=false"], { writableCgroups: false }],
];

for (const [options, expected] of cases) {
  test(`parseSecurityOptions: ${options.join(" ") || "nothing"}`, () => {
    assert.deepEqual(parseSecurityOptions(options), { ...nothing, ...expected });
  });
}

const refusals: [string, string][] = [
  ["fly", 'invalid --security-opt 1: "fly"'],
  ["fly=high", 'invalid --security-opt 2: "fly=high"'],
  ["no-new-privileges=maybe", 'invalid --security-opt 2: "no-new-privileges=maybe"'],
  ["writable-cgroups=2", 'invalid --security-opt 2: "writable-cgroups=2"'],
  ["systempaths=unconfined", 'invalid --security-opt 2: "systempaths=unconfined"'],
];

for (const [option, message] of refusals) {
  test(`parseSecurityOptions: refuses ${option}`, () => {
    assert.throws(() => parseSecurityOptions([option]), { kind: "invalid", message });
  });
}
