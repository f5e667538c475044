import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { decodeOutput, encodeFrame, encodeRequest, Fields, fieldTag, frameType, protocolVersion } from "./frame.ts";
import { encodeMounts } from "./mount-plan.ts";

const shimFolder = resolve(import.meta.dirname, "../../../shim");
const goldenPath = join(shimFolder, "frames.golden");

/** One frame of each shape; SLIPWAY_GOLDEN=write renews the file after a change that was meant. */
const frames: Readonly<Record<string, Uint8Array>> = {
  ping: encodeRequest(frameType.ping),
  run: encodeRequest(frameType.run, {
    argv: ["ip", "-batch", "-"],
    env: ["PATH=/bin", "EMPTY="],
    cwd: "/",
    timeLimitMs: 5000,
  }),
  runTree: encodeRequest(frameType.run, { argv: ["tar", "-x"], tree: "/tree", treeFolder: "a/ü" }),
  runBuiltin: encodeRequest(frameType.run, { argv: ["/etc/passwd"], tree: "/tree", builtin: "look" }),
  mounts: encodeRequest(frameType.start, {
    mount: encodeMounts([
      { op: "mkdir", path: "/m", mode: 0o755 },
      { op: "bind", source: "/s", target: "/t", flags: ["rec", "ro"] },
      { op: "mount", type: "tmpfs", source: "tmpfs", target: "/t", flags: [], data: "size=1m" },
      { op: "overlay", target: "/m", lowers: ["/top", "/bottom"], upper: "/u", work: "/w", options: ["metacopy=on"] },
      { op: "overlay", target: "/m", lowers: ["/only"], options: [] },
      { op: "disk", image: "/d.img", target: "/m" },
      { op: "live", pid: 77, target: "/m", what: "all" },
      { op: "within", root: "/m", path: "/in/it", source: "/s", flags: ["rec", "ro"] },
    ]),
  }),
  names: encodeRequest(frameType.start, { names: "/run/slipway/names.sock" }),
  ports: encodeRequest(frameType.ports, { port: ["tcp 0.0.0.0 8080", "udp :: 53 172.17.0.2 5353"] }),
  monitor: encodeRequest(frameType.monitor, { newNetns: true }),
  links: encodeRequest(frameType.links, { line: ["link set dev a up", "netns /proc/7/ns/net"], each: true }),
  stdin: encodeFrame(frameType.stdin, Buffer.from("in\n")),
  stdinEof: encodeFrame(frameType.stdinEof, Uint8Array.of(1)),
  attach: encodeRequest(frameType.attach, {
    streams: 3,
    stdinOpen: false,
    throttle: true,
    segment: 7,
    offset: 123_456_789_012,
  }),
  oom: encodeRequest(frameType.oom, { oom: true, timeNs: 1_800_000_000_123_456_789n }),
  exit: encodeRequest(frameType.exit, { code: 3, signal: 0, oom: true, timeNs: 1_800_000_000_123_456_789n }),
  failed: encodeRequest(frameType.failed, { stage: "runtime", errno: 0, status: 1, text: "no such\nprogram" }),
  stdout: encodeFrame(frameType.stdout, Buffer.concat([Buffer.from("18fae27693b4d115", "hex"), Buffer.from("out")])),
  eof: encodeFrame(frameType.eof),
};

test("frames: the same bytes as in the golden file", () => {
  const text = Object.entries(frames)
    .map(([name, bytes]) => `${name} ${Buffer.from(bytes).toString("hex")}\n`)
    .join("");
  if (process.env["SLIPWAY_GOLDEN"] === "write") writeFileSync(goldenPath, text);
  assert.equal(text, readFileSync(goldenPath, "utf8"));
});

test("frames: the shim reads and writes every golden frame alike", () => {
  const dir = mkdtempSync(join(tmpdir(), "slipway-frames-"));
  const program = join(dir, "frames_check");
  const sources = ["test/frames_check.c", "frame.c", "fd.c", "fail.c"].map((name) => join(shimFolder, name));
  execFileSync("cc", ["-std=gnu17", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-o", program, ...sources]);
  const said = execFileSync(program, { input: readFileSync(goldenPath) }).toString();
  rmSync(dir, { recursive: true });
  assert.equal(said, `${Object.keys(frames).length} frames\n`);
});

test("frames: names and numbers are those of protocol.h", () => {
  const header = readFileSync(join(shimFolder, "protocol.h"), "utf8");
  const numbers = (prefix: string): Record<string, number> =>
    Object.fromEntries(
      [...header.matchAll(new RegExp(`^  ${prefix}_(\\w+) = (\\d+)`, "gm"))].map((match) => [
        camel(match[1] ?? ""),
        Number(match[2]),
      ]),
    );
  assert.deepEqual(numbers("FRAME"), { ...frameType });
  assert.deepEqual(numbers("FIELD"), { ...fieldTag });
  assert.match(header, new RegExp(`PROTOCOL_VERSION ${protocolVersion}\\n`));
});

test("Fields: what was encoded comes back; cut payloads are refused, never misread", () => {
  fc.assert(
    fc.property(
      fc.string({ unit: "binary" }),
      fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }),
      fc.nat(200),
      (text, number, cut) => {
        if (text.includes("\0")) return;
        const payload = encodeRequest(frameType.failed, { text, timeNs: number }).subarray(5);
        const fields = new Fields(payload);
        assert.equal(fields.text("text"), Buffer.from(text).toString());
        assert.equal(fields.bigint("timeNs"), number);
        if (cut > 0 && cut < payload.length && payload.length - cut !== 5 + Buffer.byteLength(text))
          assert.throws(() => new Fields(payload.subarray(0, payload.length - cut)), { kind: "internal" });
      },
    ),
  );
});

test("decodeOutput: time and bytes; too short a frame is refused", () => {
  assert.deepEqual(decodeOutput((frames["stdout"] ?? Buffer.alloc(0)).subarray(5)), {
    timeNs: 0x18fae27693b4d115n,
    bytes: Buffer.from("out"),
  });
  assert.throws(() => decodeOutput(Buffer.alloc(7)), { kind: "internal" });
});

function camel(name: string): string {
  return name.toLowerCase().replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
