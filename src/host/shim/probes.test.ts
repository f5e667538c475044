import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { join, resolve } from "node:path";
import { after, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";

const kind = process.env["SLIPWAY_SHIM_KIND"] ?? "musl";
const built = resolve(import.meta.dirname, "../../../build/shim");
const shimPath = join(built, kind === "musl" ? "slipway-shim" : `slipway-shim-${kind}`);

const nothing = openSync("/dev/null", "r");
const started = new Set<ChildProcess>();
after(() => started.forEach((one) => one.kill("SIGKILL")));

class Runner {
  readonly #process: ChildProcess;
  #bytes = Buffer.alloc(0);

  constructor(...command: readonly string[]) {
    const argv = ["probes", ...command];
    this.#process = spawn(shimPath, argv, { stdio: ["pipe", "pipe", "inherit", nothing, nothing] });
    started.add(this.#process);
    this.#process.stdout?.on("data", (bytes: Buffer) => (this.#bytes = Buffer.concat([this.#bytes, bytes])));
  }

  say(word: string): void {
    this.#process.stdin?.write(word);
  }

  async end(): Promise<number | null> {
    const exited = once(this.#process, "exit") as Promise<[number | null]>;
    this.#process.stdin?.end();
    return (await exited)[0];
  }

  async answer(): Promise<readonly [what: string, more: number, number: number, output: string]> {
    const bytes = await this.#take(8);
    const output = await this.#take(bytes.readUInt16BE(2));
    return [bytes.toString("latin1", 0, 1), bytes.readUInt8(1), bytes.readUInt32BE(4), output.toString()];
  }

  async #take(length: number): Promise<Buffer> {
    for (const end = Date.now() + 20_000; this.#bytes.length < length; await sleep(5)) assert.ok(Date.now() < end);
    const taken = this.#bytes.subarray(0, length);
    this.#bytes = this.#bytes.subarray(length);
    return taken;
  }
}

test("shim probes: codes, signals, both streams, an empty input, again and again", async () => {
  const runner = new Runner("sh", "-c", "cat; echo out; echo err >&2; exit 3");
  assert.deepEqual(await runner.answer(), ["R", 0, 0, ""]);
  for (let times = 0; times < 20; times++) {
    runner.say("r");
    assert.deepEqual(await runner.answer(), ["E", 0, 3, "out\nerr\n"]);
  }
  runner.say("k?k"); // nothing runs, and no word
  runner.say("r");
  assert.deepEqual(await runner.answer(), ["E", 0, 3, "out\nerr\n"]);
  assert.equal(await runner.end(), 0);
});

test("shim probes: the first 4,096 bytes, and whether there were more", async () => {
  for (const [bytes, more] of [
    [4096, 0],
    [4097, 1],
    [3_000_000, 1],
  ] as const) {
    const runner = new Runner("sh", "-c", `head -c ${bytes} /dev/zero | tr '\\0' x`);
    await runner.answer();
    runner.say("r");
    assert.deepEqual(await runner.answer(), ["E", more, 0, "x".repeat(4096)]);
    assert.equal(await runner.end(), 0);
  }
});

test("shim probes: what cannot be started is an error number", async () => {
  for (const [program, error] of [
    ["no-such-program", 2],
    ["/etc", 13],
  ] as const) {
    const runner = new Runner(program);
    await runner.answer();
    runner.say("r");
    assert.deepEqual(await runner.answer(), ["F", 0, error, ""]);
    assert.equal(await runner.end(), 0);
  }
});

test("shim probes: a kill, a second start and the end of input end what runs, with its group", async () => {
  const runner = new Runner("sh", "-c", "sleep 1000 & echo $!; wait");
  await runner.answer();
  runner.say("r");
  await sleep(300);
  runner.say("k");
  const [what, , number, output] = await runner.answer();
  assert.deepEqual([what, number], ["E", 137]);
  await isGone(Number(output));
  runner.say("rr"); // it breaks the rule of one at a time, and is gone
  assert.equal(await runner.end(), 0);
});

async function isGone(pid: number): Promise<void> {
  assert.ok(pid > 1);
  for (const end = Date.now() + 20_000; ; await sleep(5)) {
    try {
      process.kill(pid, 0);
    } catch {
      return;
    }
    assert.ok(Date.now() < end, `${pid} is still there`);
  }
}
