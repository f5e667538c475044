import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import * as fc from "fast-check";
import { encodeRequest, frameType } from "./frame.ts";
import { connectShim, stopZygote } from "./shim.ts";
import type { MountOp } from "./shim-types.ts";
import { openTestBed, type TestBed } from "./test-bed.ts";

const kind = process.env["SLIPWAY_SHIM_KIND"] ?? "musl";
const shimPath = resolve(
  import.meta.dirname,
  "../../../build/shim",
  kind === "musl" ? "slipway-shim" : `slipway-shim-${kind}`,
);

let bed: TestBed;
before(async () => {
  bed = await openTestBed();
});
after(async () => bed[Symbol.asyncDispose]());

test("runToEnd: output, errors, input and exit code", async () => {
  const end = await bed.shim.runToEnd({ argv: ["sh", "-c", "cat; echo bad >&2; exit 9"], input: "in" });
  assert.deepEqual([end.code, end.signal, end.timedOut], [9, null, false]);
  assert.equal(Buffer.from(end.stdout).toString(), "in");
  assert.equal(end.stderr, "bad\n");
});

test("runToEnd: environment, folder, time limit, a missing program, too much output", async () => {
  const { stdout } = await bed.shim.runToEnd({ argv: ["env"], env: { A: "b" }, cwd: "/tmp" });
  assert.deepEqual(Buffer.from(stdout).toString().trim().split("\n").toSorted().slice(0, 2), ["A=b", "LC_ALL=C"]);
  const begun = performance.now();
  const late = await bed.shim.runToEnd({ argv: ["sh", "-c", "sleep 30 & sleep 30"], timeLimitMs: 100 });
  assert.deepEqual([late.timedOut, late.signal], [true, 9]);
  assert.ok(performance.now() - begun < 1_500);
  await assert.rejects(bed.shim.runToEnd({ argv: ["no-such-program"] }), { kind: "notFound" });
  await assert.rejects(bed.shim.runToEnd({ argv: ["ls"], cwd: "/no/such" }), {
    kind: "internal",
    message: /chdir \/no\/such/,
  });
  await assert.rejects(bed.shim.runToEnd({ argv: ["head", "-c", "20000000", "/dev/zero"] }), { kind: "tooLarge" });
  await assert.rejects(bed.shim.runToEnd({ argv: ["a\0b"] }), { kind: "invalid" });
});

test("run: input and output stream with back-pressure", async () => {
  await using program = await bed.shim.run({ argv: ["cat"] });
  const piece = Buffer.alloc(1 << 20, 7);
  const writing = (async () => {
    for (let i = 0; i < 16; i++) await program.write(piece);
    await program.end();
  })();
  let bytes = 0;
  for await (const chunk of program.stdout) {
    bytes += chunk.length;
    if (bytes % 5 === 0) await sleep(1);
  }
  await writing;
  assert.equal(bytes, 16 << 20);
  assert.equal((await program.ended).code, 0);
});

test("run: the client's going, by signal, dispose or kill -9, ends the program", async () => {
  const stop = new AbortController();
  const marks = ["31.5711", "31.5712", "31.5713"] as const;
  const aborted = await bed.shim.run({ argv: ["sleep", marks[0]] }, stop.signal);
  const disposed = await bed.shim.run({ argv: ["sleep", marks[1]] });
  const script = `const { connectShim } = await import(${JSON.stringify(join(import.meta.dirname, "shim.ts"))});
    const shim = await connectShim(${JSON.stringify({ socketPath: bed.socketPath, shimPath })});
    await shim.run({ argv: ["sleep", "${marks[2]}"] }); console.log("runs"); setInterval(() => {}, 1000);`;
  const client = spawn(process.execPath, ["--input-type=module", "-e", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await new Promise((done) => client.stdout.once("data", done));
  for (const mark of marks) assert.equal(await countOf(mark), 1, mark);
  stop.abort();
  await disposed[Symbol.asyncDispose]();
  client.kill("SIGKILL");
  await assert.rejects(aborted.ended, { kind: "cancelled" });
  for (const mark of marks) {
    for (let i = 0; i < 100 && (await countOf(mark)) > 0; i++) await sleep(10);
    assert.equal(await countOf(mark), 0, mark);
  }
});

test("run: files as standard input and output; an existing file is not overwritten", async () => {
  const [from, to] = [join(bed.dir, "from"), join(bed.dir, "to")];
  await writeFile(from, "content");
  assert.equal((await bed.shim.runToEnd({ argv: ["cat"], stdinPath: from, stdoutPath: to })).code, 0);
  assert.equal(await readFile(to, "utf8"), "content");
  assert.equal((await stat(to)).mode & 0o777, 0o600);
  await assert.rejects(bed.shim.runToEnd({ argv: ["cat"], stdinPath: from, stdoutPath: to }), {
    message: /File exists/,
  });
});

test("tree: only the tree can be written to, and no symlink leads out of it", async () => {
  const tree = join(bed.dir, "tree");
  await mkdir(join(tree, "real"), { recursive: true });
  await chmod(tree, 0o777);
  await symlink(bed.dir, join(tree, "out"));
  await symlink("/", join(tree, "root"));
  const script = `id -u; pwd; echo ok > new; mknod device c 0 0; ls out/ && echo escaped; ls root/etc/ && echo escaped
    for f in / /usr /bin /lib /dev /proc /tree/root; do touch $f/written 2>/dev/null && echo wrote $f; done; cat /proc/self/mountinfo`;
  const end = await bed.shim.runToEnd({ argv: ["sh", "-c", script], tree });
  assert.equal(Buffer.from(end.stdout).toString(), "0\n/tree\n");
  assert.equal(await readFile(join(tree, "new"), "utf8"), "ok\n");
  assert.ok((await stat(join(tree, "device"))).isCharacterDevice());
  assert.equal(existsSync("/written") || existsSync("/usr/written"), false);
  const inside = await bed.shim.runToEnd({ argv: ["pwd"], tree, treeFolder: "root/real" });
  assert.equal(Buffer.from(inside.stdout).toString(), "/tree/real\n");
  await assert.rejects(bed.shim.runToEnd({ argv: ["pwd"], tree, treeFolder: "out" }), { kind: "notFound" });
  assert.equal(readFileSync("/proc/self/mountinfo", "utf8").includes(tree), false);
});

test("tree: tar unpacks into an overlay that only it sees", async () => {
  const folder = (name: string): string => join(bed.dir, "unpack", name);
  for (const name of ["lower", "upper", "work", "merged"]) await mkdir(folder(name), { recursive: true });
  await writeFile(join(folder("lower"), "below"), "b");
  const archive = spawnSync("tar", ["-C", bed.rootfs, "-cf", "-", "bin"], { maxBuffer: 1 << 24 }).stdout;
  const mounts = [
    {
      op: "overlay",
      target: folder("merged"),
      lowers: [folder("lower")],
      upper: folder("upper"),
      work: folder("work"),
      options: [],
    },
  ] as const;
  const end = await bed.shim.runToEnd({ argv: ["tar", "-xf", "-"], mounts, tree: folder("merged"), input: archive });
  assert.deepEqual([end.code, end.stderr], [0, ""]);
  assert.ok(existsSync(join(folder("upper"), "bin/busybox")));
  assert.equal(existsSync(join(folder("upper"), "below")), false);
});

test("connectShim: two starters at once share one zygote; it is found again, and replaced when it was killed", async () => {
  const socketPath = join(bed.dir, "deep".repeat(40), "zygote.sock"); // longer than a unix address
  const [one, two] = await Promise.all([connectShim({ socketPath, shimPath }), connectShim({ socketPath, shimPath })]);
  assert.equal((await one.runToEnd({ argv: ["true"] })).code, 0);
  assert.equal((await two.runToEnd({ argv: ["true"] })).code, 0);
  assert.equal((await stat(socketPath)).mode & 0o777, 0o600);
  await stopZygote(socketPath);
  assert.equal(existsSync(socketPath), false);
  assert.equal((await one.runToEnd({ argv: ["true"] })).code, 0);
  await stopZygote(socketPath);
});

test("zygote and monitor: random bytes and half frames never bring them down", async () => {
  const { monitor, start } = await bed.start(["sleep", "100"]);
  const heads = fc.constantFrom(...Object.values(frameType));
  const framed = fc.tuple(heads, fc.uint8Array({ maxLength: 60 })).map(([type, bytes]) => {
    const frame = Buffer.concat([Buffer.alloc(5), bytes]);
    frame.writeUInt32BE(bytes.length + 1, 0);
    frame[4] = type;
    return frame;
  });
  // Not the frames that rightly end a zygote.
  const harmless = (bytes: Uint8Array): boolean => bytes[4] !== frameType.shutdown;
  const hostile = fc.oneof(fc.uint8Array({ maxLength: 100 }), framed).filter(harmless);
  await fc.assert(
    fc.asyncProperty(hostile, fc.constantFrom("zygote", "slot", "monitor", "attached"), async (bytes, target) => {
      const first = {
        zygote: [],
        slot: encodeRequest(frameType.monitor),
        monitor: [],
        attached: encodeRequest(frameType.attach),
      };
      const path = target === "zygote" || target === "slot" ? bed.socketPath : join(start.dir, "monitor.sock");
      await poke(path, Buffer.concat([Buffer.from(first[target]), bytes]));
    }),
    { numRuns: 300 },
  );
  assert.equal((await monitor.status()).state, "running");
  assert.equal((await bed.shim.runToEnd({ argv: ["true"] })).code, 0);
});

test("run: a thousand programs leave no process and no descriptor", async () => {
  const zygote = await zygotePid();
  const before = readFileSync(`/proc/${zygote}/smaps_rollup`, "utf8").match(/^Rss:\s+(\d+)/m)?.[1];
  for (let i = 0; i < 100; i++)
    await Promise.all(Array.from({ length: 10 }, () => bed.shim.runToEnd({ argv: ["true"] })));
  await sleep(50);
  const rss = readFileSync(`/proc/${zygote}/smaps_rollup`, "utf8").match(/^Rss:\s+(\d+)/m)?.[1];
  assert.ok(Number(rss) - Number(before) < 64, `${before} → ${rss} kB`);
  const { stdout } = await bed.shim.runToEnd({ argv: ["ls", `/proc/${zygote}/fd`] });
  assert.ok(Buffer.from(stdout).toString().trim().split("\n").length <= 8);
});

test("init: passes signals on, reaps orphans, gives the program's status", async () => {
  const status = (...args: string[]): number | null => spawnSync(shimPath, ["init", "--", ...args]).status;
  assert.equal(status("sh", "-c", "exit 6"), 6);
  assert.equal(status("sh", "-c", "kill -9 $$"), 137);
  assert.equal(status("/no/such"), 127);
  const child = spawn(shimPath, [
    "init",
    "--",
    "sh",
    "-c",
    "trap 'exit 12' TERM; echo ready; while :; do sleep 0.05; done",
  ]);
  await new Promise((done) => child.stdout.once("data", done));
  child.kill("SIGTERM");
  const [code] = await new Promise<[number | null]>((done) => child.once("exit", (value) => done([value])));
  assert.equal(code, 12);
});

test("init: as process 1 of a container", async () => {
  await writeFile(
    join(bed.rootfs, "init"),
    await readFile(resolve(import.meta.dirname, "../../../build/shim/slipway-shim")),
    { mode: 0o755 },
  );
  const { monitor } = await bed.start(["/init", "init", "--", "sh", "-c", "(sleep 0.1 &) ; sleep 0.2; exit 21"]);
  assert.equal((await monitor.exited).code, 21);
});

async function countOf(mark: string): Promise<number> {
  const { stdout } = await bed.shim.runToEnd({ argv: ["ps", "-eo", "stat=,args="] });
  const lines = Buffer.from(stdout).toString().split("\n");
  return lines.filter((line) => line.includes(`sleep ${mark}`) && !line.startsWith("Z")).length;
}

/** Its children for programs look like it until they are others, and may have lower numbers. */
async function zygotePid(): Promise<number> {
  const { stdout } = await bed.shim.runToEnd({ argv: ["ps", "-eo", "pid=,ppid=,args="] });
  const lines = Buffer.from(stdout).toString().split("\n");
  const own = lines.filter((text) => text.includes(`zygote --socket ${bed.socketPath}`));
  const processes = own.map((text) => text.trim().split(/\s+/, 2).map(Number));
  const pids = new Set(processes.map(([pid]) => pid));
  return processes.find(([, parent]) => !pids.has(parent))?.[0] ?? Number.NaN;
}

/** Sends the bytes and waits until the other side is done with them, at most a moment. */
async function poke(path: string, bytes: Uint8Array): Promise<void> {
  const socket = connect(path);
  socket.on("error", () => undefined);
  socket.resume();
  await new Promise((done) => socket.once("connect", done));
  socket.write(bytes);
  await Promise.race([new Promise((done) => socket.once("close", done)), sleep(5)]);
  socket.destroy();
}

test("builtins: look and read see the tree as their root, and nothing of the host", async () => {
  const tree = join(bed.dir, "looked-at");
  await mkdir(join(tree, "etc"), { recursive: true });
  await writeFile(join(tree, "etc/name"), "inside\n");
  await symlink("/etc/name", join(tree, "absolute"));
  await symlink("../../../../etc/name", join(tree, "climbing"));
  await symlink("loop", join(tree, "loop"));
  const look = async (path: string): Promise<string[]> => {
    const end = await bed.shim.runToEnd({ argv: [path], builtin: "look", tree });
    return Buffer.from(end.stdout).toString().split("\0").slice(0, -1);
  };
  const file = await look("/etc/name");
  assert.deepEqual([file[0], Number(file[1]) & 0o170000, file[2], file[8]], ["0", 0o100000, "7", ""]);
  for (const link of ["/absolute", "/climbing"]) assert.equal((await look(link))[8], "/etc/name");
  assert.deepEqual(await look("/nothing"), ["2"]);
  assert.deepEqual(await look("/etc/name/"), ["20"]);
  assert.deepEqual(await look("/loop/"), ["40"]);
  const read = async (path: string): Promise<string> => {
    const end = await bed.shim.runToEnd({ argv: [path, "3"], builtin: "read", tree });
    return `${end.code} ${Buffer.from(end.stdout).toString()}`;
  };
  assert.deepEqual([await read("/climbing"), await read("/etc"), await read("/loop")], ["0 ins", "1 ", "4 "]);
  await assert.rejects(bed.shim.runToEnd({ argv: ["x"], builtin: "look" }), { kind: "internal" });
});

test("live: a container's own mounts without the kernel's file systems; a process of the host is refused", async () => {
  const target = join(bed.dir, "live-target");
  await mkdir(target);
  const started = await bed.start(["sleep", "60"]);
  const script = "echo root >/root-file; mkdir -p /t; mount -t tmpfs t /t && echo tmpfs >/t/file";
  const argv = ["nsenter", "--mount", `--target=${started.pid}`, "sh", "-c", script];
  const prepared = await bed.shim.runToEnd({ argv });
  assert.equal(prepared.code, 0, prepared.stderr);
  const list = ["sh", "-c", "cat root-file t/file; ls proc"];
  const see = async (what: "all" | "root"): Promise<string> => {
    const mounts: MountOp[] = [{ op: "live", pid: started.pid, target, what }];
    const end = await bed.shim.runToEnd({ argv: list, mounts, tree: target });
    return Buffer.from(end.stdout).toString();
  };
  assert.equal(await see("all"), "root\ntmpfs\n");
  assert.equal(await see("root"), "root\n");
  assert.equal(readFileSync("/proc/self/mountinfo", "utf8").includes(target), false);
  const ofHost: MountOp[] = [{ op: "live", pid: process.pid, target, what: "all" }];
  await assert.rejects(bed.shim.runToEnd({ argv: ["true"], mounts: ofHost, tree: target }), /[Cc]ross-device link/);
  const gone: MountOp[] = [{ op: "live", pid: 2 ** 22 - 1, target, what: "all" }];
  await assert.rejects(bed.shim.runToEnd({ argv: ["true"], mounts: gone, tree: target }), { kind: "notFound" });
});

test("builtins: apply makes what its records say, and ends with a word for whatever else comes", async () => {
  const tree = join(bed.dir, "applied");
  await mkdir(join(tree, "in/full"), { recursive: true });
  await writeFile(join(tree, "in/full/file"), "x");
  await symlink("/in", join(tree, "link"));
  const record = (type: string, path: string, data = "", target = ""): Buffer => {
    const head = Buffer.alloc(53);
    head.write(type);
    head.writeUInt32BE(0o644, 1);
    head.writeUInt32BE(path.length, 25);
    head.writeUInt32BE(target.length, 29);
    head.writeBigUInt64BE(BigInt(data.length), 45);
    return Buffer.concat([head, Buffer.from(path + target + data)]);
  };
  const apply = async (keep: "0" | "1", ...records: readonly Uint8Array[]) =>
    await bed.shim.runToEnd({
      argv: [keep, "/in"],
      builtin: "apply",
      tree,
      treeFolder: "link",
      input: Buffer.concat(records),
    });
  const end = record("e", "");
  const made = await apply(
    "1",
    record("f", "a/b/c", "data"),
    record("l", "s", "", "/in/a"),
    record("f", "s/d", "e"),
    record("h", "h", "", "a/b/c"),
    end,
  );
  assert.deepEqual([made.code, made.stderr], [0, ""]);
  assert.equal(await readFile(join(tree, "in/a/b/c"), "utf8"), "data");
  assert.equal(await readFile(join(tree, "in/a/d"), "utf8"), "e");
  assert.equal((await stat(join(tree, "in/h"))).nlink, 2);
  const kept = await apply("1", record("f", "full", "y"), end);
  assert.deepEqual([kept.code, kept.stderr], [3, 'cannot overwrite directory "/in/full" with non-directory']);
  assert.equal((await apply("0", record("f", "full", "y"), end)).code, 0);
  assert.equal(await readFile(join(tree, "in/full"), "utf8"), "y");
  assert.equal((await apply("1", record("f", "cut", "data").subarray(0, -1))).code, 1);
  const anything = fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), async (bytes) => {
    const { code, signal } = await apply("0", record("d", "d"), bytes);
    assert.ok(signal === null && code !== null && code <= 5, `${code} ${signal}`);
  });
  await fc.assert(anything, { numRuns: 40 });
});
