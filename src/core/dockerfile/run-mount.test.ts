import assert from "node:assert/strict";
import { test } from "node:test";
import { parseRunMount, type RunMount } from "./run-mount.ts";
import { SyntaxFault } from "./syntax-fault.ts";

const span = { start: { line: 4, column: 13 }, end: { line: 4, column: 20 } };

function mount(text: string): RunMount {
  return parseRunMount({ text, span });
}

test("parseRunMount: each type with all of its options, and with none", () => {
  const cases: readonly (readonly [string, RunMount])[] = [
    ["target=/x", { type: "bind", target: "/x", readOnly: true }],
    [
      "type=bind,from=base,source=/a,target=/x,rw",
      { type: "bind", from: "base", source: "/a", target: "/x", readOnly: false },
    ],
    ["type=bind,src=a,dst=b,readonly=false", { type: "bind", source: "a", target: "b", readOnly: false }],
    ["type=bind", { type: "bind", target: ".", readOnly: true }],
    ["type=cache,target=/c", { type: "cache", target: "/c", readOnly: false, sharing: "shared" }],
    [
      "type=CACHE,id=npm,from=base,source=s,destination=/c,sharing=LOCKED,mode=0700,uid=1,gid=2,ro",
      {
        type: "cache",
        id: "npm",
        from: "base",
        source: "s",
        target: "/c",
        readOnly: true,
        sharing: "locked",
        mode: 0o700,
        uid: 1,
        gid: 2,
      },
    ],
    ["type=tmpfs,target=/t", { type: "tmpfs", target: "/t", readOnly: false }],
    ["type=tmpfs,target=/t,size=64m", { type: "tmpfs", target: "/t", readOnly: false, sizeBytes: 64 * 1024 ** 2 }],
    ["type=secret,id=key", { type: "secret", id: "key", required: false }],
    ["type=secret,target=/root/.npmrc", { type: "secret", id: ".npmrc", target: "/root/.npmrc", required: false }],
    [
      "type=secret,id=key,target=/k,env=KEY,required,mode=0400,uid=0,gid=0",
      { type: "secret", id: "key", target: "/k", env: "KEY", required: true, mode: 0o400, uid: 0, gid: 0 },
    ],
    ["type=secret,src=key,env=", { type: "secret", id: "key", env: "key", required: false }],
    ["type=ssh", { type: "ssh", id: "default", required: false }],
    [
      "type=ssh,id=git,target=/s,required=true,mode=600",
      { type: "ssh", id: "git", target: "/s", required: true, mode: 0o600 },
    ],
    [
      'type=bind,"target=/a,b","source=say ""hi"""',
      { type: "bind", source: 'say "hi"', target: "/a,b", readOnly: true },
    ],
  ];
  for (const [text, expected] of cases) assert.deepEqual(mount(text), expected, text);
});

test("parseRunMount: values are expanded one by one, so that none of them adds options", () => {
  const expand = ({ text }: { text: string }): string => text.replace("$X", "/x,from=evil");
  assert.deepEqual(parseRunMount({ text: "type=bind,target=$X", span }, expand), {
    type: "bind",
    target: "/x,from=evil",
    readOnly: true,
  });
});

test("parseRunMount: what is wrong is said in BuildKit's words, at its place", () => {
  const cases: readonly (readonly [string, string])[] = [
    ["type=cahce,target=/x", 'unsupported mount type "cahce" (did you mean cache?)'],
    ["type=volume", 'unsupported mount type "volume"'],
    ["type=cache,target=/x,sharing=lockd", 'unsupported sharing value "lockd" (did you mean locked?)'],
    ["targt=/x", "unexpected key 'targt' in 'targt=/x' (did you mean target?)"],
    ["target", "invalid field 'target' must be a key=value pair"],
    ["target=/x,ro=maybe", "invalid value for ro: maybe"],
    ["target=/x,required", "unexpected key 'required' for mount type 'bind'"],
    ["target=/x,size=1m", "unexpected key 'size' for mount type 'bind'"],
    ["type=tmpfs,size=big", "invalid value for size: big"],
    ["type=cache,target=/x,mode=999", "invalid value 999 for mode"],
    ["type=cache,target=/x,uid=-1", "invalid value -1 for uid"],
    ["type=cache,target=/x,gid=4294967296", "invalid value 4294967296 for gid"],
    ["target=/x,mode=0644", 'mode not allowed for "bind" type mounts'],
    ["type=tmpfs,target=/x,uid=1", 'uid not allowed for "tmpfs" type mounts'],
    ["type=ssh,sharing=shared", "invalid cache sharing set for ssh mount"],
    ["type=secret,id=a,from=b", "secret mount should not have a from"],
    ["type=secret,id=a,sharing=shared", "secret mount should not define sharing"],
    ["type=secret", "invalid secret mount. one of source, target required"],
    ["type=secret,id=a,source=b", "both source and id can't be set"],
    ['"type=ssh', "failed to parse csv mounts: missing closing quote"],
    ['"type=ssh"x', "failed to parse csv mounts: bare quote in field"],
  ];
  for (const [text, message] of cases) {
    assert.throws(
      () => mount(text),
      (error) => error instanceof SyntaxFault && error.message === message && error.span === span,
      text,
    );
  }
});
