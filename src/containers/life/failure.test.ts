import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Fault } from "#core/fault";
import { StartFailure } from "#host";
import { blameUlimits, execFailure, readRuntimeWords, startFailure } from "./failure.ts";

const runtimeFailed = new StartFailure("runtime", 1, "what reached stderr");

const cases: [string, string[], number, string, RegExp][] = [
  [
    "executable file `nope` not found in $PATH: No such file or directory",
    ["nope"],
    127,
    "invalid",
    /exec: "nope": executable file not found in \$PATH: unknown$/,
  ],
  [
    'runc run failed: unable to start container process: exec: "nope": executable file not found in $PATH',
    ["nope"],
    127,
    "invalid",
    /create failed: unable to start container process: exec: "nope": executable file not found in \$PATH: unknown$/,
  ],
  ["open executable: Permission denied", ["/x"], 126, "invalid", /exec: "\/x": permission denied: unknown$/],
  ["open executable: Operation not permitted", ["/etc"], 126, "invalid", /exec: "\/etc": is a directory: unknown$/],
  ["chdir `/f`: Not a directory", ["x"], 126, "invalid", /Cannot mkdir: \/f is not a directory: unknown$/],
  [
    "mount `/a` to `f`: Not a directory",
    ["x"],
    126,
    "invalid",
    /mount `\/a` to `f`: not a directory: unknown: Are you trying to mount/,
  ],
  [
    "writing file `cpu.rt_runtime_us`: Invalid argument",
    ["x"],
    128,
    "invalid",
    /writing file `cpu\.rt_runtime_us`: invalid argument: unknown$/,
  ],
  [
    "write to /proc/sys/net/ipv4/ip_forward: Invalid argument",
    ["x"],
    128,
    "invalid",
    /write to \/proc\/sys\/net\/ipv4\/ip_forward: invalid argument: unknown$/,
  ],
  ["chdir `/long`: File name too long", ["x"], 126, "invalid", /file name too long: unknown$/],
  ["mount `tmpfs` to `t`: Invalid argument", ["x"], 128, "invalid", /mount `tmpfs` to `t`: invalid argument: unknown$/],
  ["mount `/a` to `b`: Invalid argument", ["x"], 128, "internal", /mount `\/a` to `b`: invalid argument: unknown$/],
];

for (const [words, args, exitCode, kind, message] of cases) {
  test(`startFailure: ${words}`, () => {
    const failure = startFailure(runtimeFailed, words, args);
    assert.deepEqual([failure.exitCode, failure.fault.kind], [exitCode, kind]);
    assert.match(failure.fault.message, message);
  });
}

test("startFailure: without words of the runtime, the shim's", () => {
  assert.match(startFailure(runtimeFailed, undefined, ["x"]).fault.message, /what reached stderr: unknown$/);
  const mount = startFailure(new StartFailure("mount", null, "op 3: /x: no such device"), undefined, ["x"]);
  assert.deepEqual(
    [mount.exitCode, mount.fault.message],
    [128, "failed to prepare the container: op 3: /x: no such device"],
  );
});

test("blameUlimits: names the limit that the runtime itself failed of", () => {
  const failure = startFailure(runtimeFailed, "open `x`: too many open files", ["x"]);
  const { fault } = blameUlimits(failure, [{ name: "nofile", soft: 5, hard: 5 }]);
  assert.equal(fault.kind, "invalid");
  assert.match(fault.remedy ?? "", /nofile=5: give at least 32/);
  assert.equal(blameUlimits(failure, [{ name: "nofile", soft: 1024, hard: 1024 }]), failure);
});

test("startFailure: a fault stays what it is", () => {
  const fault = new Fault("exhausted", "no addresses");
  assert.deepEqual(startFailure(fault, undefined, ["x"]), { fault, exitCode: 128 });
});

test("execFailure: Docker's words", () => {
  const words = "executable file `x` not found in $PATH: No such file or directory";
  const { fault, exitCode } = execFailure(new Fault("invalid", words), undefined, ["x"]);
  assert.equal(exitCode, 127);
  assert.equal(
    fault.message,
    'OCI runtime exec failed: exec failed: unable to start container process: exec: "x": executable file not found in $PATH: unknown',
  );
});

test("readRuntimeWords: the last error of the log, and nothing where there is none", async () => {
  const dir = await mkdtemp(join(tmpdir(), "slipway-words-"));
  const path = join(dir, "log");
  await writeFile(
    path,
    '{"level":"error","msg":"first"}\n{"level":"error","msg":"last"}\n{"level":"debug","msg":"x"}\nnoise\n',
  );
  assert.equal(await readRuntimeWords(path), "last");
  assert.equal(await readRuntimeWords(join(dir, "absent")), undefined);
  await rm(dir, { recursive: true });
});
