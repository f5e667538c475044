import assert from "node:assert/strict";
import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { once } from "node:events";
import { after, before, test } from "node:test";
import { slipwayProgram, startDaemon, type TestDaemon } from "#fixtures/daemon";

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon({ busybox: true });
});
after(async () => await daemon[Symbol.asyncDispose]());

async function output(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.slipway(...args);
  assert.equal(code, 0, `slipway ${args.join(" ")}: ${stderr}`);
  return stdout;
}

function start(command: string, args: readonly string[]): ChildProcessWithoutNullStreams {
  return spawn(command, args, { env: { ...process.env, SLIPWAY_HOST: `unix://${daemon.socket}` }, stdio: "pipe" });
}

const [node = "", ...program] = slipwayProgram;

/** A watch that goes on; `until` waits for what its output shows from now on. */
function watching(command: string, args: readonly string[]) {
  const child = start(command, args);
  let shown = "";
  child.stdout.on("data", (bytes: Buffer) => (shown += bytes.toString()));
  return {
    child,
    until: async (text: RegExp): Promise<string> => {
      shown = "";
      const signal = AbortSignal.timeout(20_000);
      while (!text.test(shown)) await once(child.stdout, "data", { signal });
      return shown;
    },
  };
}

test("slipway stats --no-stream: Docker's table, json, templates, names, failures", async () => {
  const id = (await output("run", "-d", "--name", "one", "--memory", "32m", "busybox", "sleep", "1000")).trim();
  await output("create", "--name", "never-ran", "busybox", "true");
  const table = await output("stats", "--no-stream");
  const [header = "", ...rows] = table.trimEnd().split("\n");
  assert.equal(
    header.replaceAll(/ {3,}/g, "|").trim(),
    "CONTAINER ID|NAME|CPU %|MEM USAGE / LIMIT|MEM %|NET I/O|BLOCK I/O|PIDS",
  );
  assert.equal(rows.length, 1);
  assert.match(
    rows[0] ?? "",
    new RegExp(`^${id.slice(0, 12)} +one +\\d+\\.\\d\\d% +\\S+iB / 32MiB +\\d+\\.\\d\\d% .* 1 *$`),
  );
  const all = await output(
    "container",
    "stats",
    "-a",
    "--no-stream",
    "--no-trunc",
    "--format",
    "{{.ID}} {{.Name}} {{.PIDs}}",
  );
  assert.match(all, new RegExp(`^${id} one 1$`, "m"));
  assert.match(all, /^[0-9a-f]{64} never-ran 0$/m);
  const json = JSON.parse(await output("stats", "--no-stream", "--format", "json", "one")) as Record<string, string>;
  const dockers = await daemon.docker("stats", "--no-stream", "--format", "json", "one");
  assert.deepEqual(Object.keys(json), Object.keys(JSON.parse(dockers.stdout) as object));
  assert.equal(json["Container"], "one");
  const missing = await daemon.slipway("stats", "--no-stream", "one", "nobody");
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /No such container: nobody/);
  assert.equal((await daemon.slipway("stats", "nobody")).code, 1);
  await output("rm", "-f", "one", "never-ran");
});

test("slipway stats: containers come and go with their events; ctrl-c ends it", async () => {
  await output("run", "-d", "--name", "first", "busybox", "sleep", "1000");
  const { child, until } = watching(node, [...program, "stats", "--format", "{{.Name}} {{.PIDs}};"]);
  await until(/first 1;/);
  await output("run", "-d", "--name", "second", "busybox", "sleep", "1000");
  await until(/second 1;/);
  await output("kill", "first");
  await until(/\nsecond 1;\nsecond 1;\n/);
  const ended = once(child, "exit");
  child.kill("SIGINT");
  assert.deepEqual(await ended, [130, null]);
  await output("rm", "-f", "first", "second");
});

test("slipway stats NAME: shows nothing in use while it is stopped, ends when it is removed", async () => {
  await output("run", "-d", "--name", "named", "busybox", "sleep", "1000");
  const { child, until } = watching(node, [...program, "stats", "--format", "{{.Container}} {{.PIDs}};", "named"]);
  await until(/named 1;/);
  await output("kill", "named");
  await until(/named 0;/);
  const ended = once(child, "exit");
  await output("rm", "named");
  assert.deepEqual(await ended, [0, null]);
});

test("slipway stats on a terminal: each table takes the place of the one before", async () => {
  await output("run", "-d", "--name", "shown", "busybox", "sleep", "1000");
  const { child, until } = watching("script", [
    "-qec",
    `stty rows 24 cols 100; ${slipwayProgram.join(" ")} stats`,
    "/dev/null",
  ]);
  const text = await until(/shown[^]*\x1b\[H[^]*shown/);
  assert.equal(text.split("\x1b[2J").length, 2);
  assert.match(text, /\x1b\[HCONTAINER ID [^\n]*\x1b\[K\r\n[^\n]* shown [^\n]*\x1b\[K\r\n\x1b\[J/);
  const ended = once(child, "exit");
  child.stdin.write("\x03");
  await ended;
  await output("rm", "-f", "shown");
});

test("slipway diff, ps -s, top: as the docker CLI shows them", async () => {
  await output(
    "run",
    "-d",
    "--name",
    "writer",
    "busybox",
    "sh",
    "-c",
    "echo 12345 >/file; rm /bin/vi; exec sleep 1000",
  );
  const expected = "C /bin\nD /bin/vi\nA /file\n";
  for (let tries = 0; tries < 100 && (await output("diff", "writer")) !== expected; tries++);
  assert.equal(await output("container", "diff", "writer"), expected);
  assert.equal((await daemon.docker("diff", "writer")).stdout, expected);
  assert.match(await output("ps", "-s"), /SIZE\n.*6B \(virtual \S+\)\s*$/);
  assert.equal(
    (await daemon.docker("ps", "-s", "--format", "{{.Size}}")).stdout,
    await output("ps", "-s", "--format", "{{.Size}}"),
  );
  const columns = ["top", "writer", "-o", "pid,cmd"];
  assert.equal(
    (await daemon.docker(...columns)).stdout.replaceAll(/ +$/gm, ""),
    (await output(...columns)).replaceAll(/ +$/gm, ""),
  );
  const missing = await daemon.slipway("diff", "nobody");
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /No such container: nobody/);
  await output("rm", "-f", "writer");
});
