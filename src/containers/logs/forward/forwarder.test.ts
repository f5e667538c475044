import assert from "node:assert/strict";
import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, unlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { gunzipSync } from "node:zlib";
import { fluentdCollector, lineCollector, until } from "#fixtures/collectors";
import { appendRecords, logRecord, segmentPath } from "#fixtures/log-segments";
import { fluentdDriver } from "../drivers/fluentd.ts";
import { readFluentdOptions } from "../drivers/fluentd-options.ts";
import { jsonFileDriver } from "../drivers/json-file.ts";
import type { LogDriver } from "../drivers/log-driver.ts";
import { syslogDriver } from "../drivers/syslog.ts";
import { readSyslogOptions } from "../drivers/syslog-options.ts";
import { Forwarder } from "./forwarder.ts";

const timeNs = 1_700_000_000_123_456_789n;
const segmentBytes = 1_000_000;

interface Place extends AsyncDisposable {
  readonly dir: string;
  readonly log: string;
  readonly notices: string[];
  /** A forwarder on this folder; stopped at the end. */
  forward(driver: LogDriver, goesOn?: boolean): Forwarder;
  write(...texts: string[]): void;
}

async function place(): Promise<Place> {
  const dir = await mkdtemp(join(tmpdir(), "slipway-forward-"));
  const log = join(dir, "log");
  await mkdir(log);
  const notices: string[] = [];
  const forwarders: Forwarder[] = [];
  return {
    dir,
    log,
    notices,
    forward: (driver, goesOn = true) => {
      const forwarder = new Forwarder({
        driver,
        folder: log,
        cursorPath: join(dir, "cursor"),
        segmentBytes,
        goesOn,
        onNotice: (text) => notices.push(text),
      });
      forwarders.push(forwarder);
      return forwarder;
    },
    write: (...texts) =>
      appendRecords(
        log,
        1,
        texts.map((text) => logRecord("stdout", text, timeNs)),
      ),
    [Symbol.asyncDispose]: async () => {
      for (const forwarder of forwarders) await forwarder.stop();
      await rm(dir, { recursive: true });
    },
  };
}

function fluentd(port: number, more: Readonly<Record<string, string>> = {}): LogDriver {
  const options = { "fluentd-address": `127.0.0.1:${port}`, "fluentd-retry-wait": "50ms", ...more };
  const source = { tag: "docker.x", containerId: "c0ffee", containerName: "/x", attributes: { team: "a" } };
  return fluentdDriver(readFluentdOptions(options), source);
}

function syslog(address: string): LogDriver {
  const sender = { facility: 3, format: "rfc3164" as const, hostname: "host", tag: "tag", pid: 7 };
  const shim = { run: async () => await Promise.reject(new Error("no shim here")) };
  return {
    ...syslogDriver(readSyslogOptions({ "syslog-address": address }), sender, { shim, shimPath: "" }),
    firstWaitMs: 50,
  };
}

const numbers = (from: number, to: number): string[] =>
  Array.from({ length: to - from + 1 }, (_item, index) => `${from + index}`);

test("Forwarder: fluentd with acknowledgements gets every line once and in order, also after it was away", async () => {
  await using here = await place();
  const { collector, records } = fluentdCollector();
  await using target = collector;
  await target.listen();
  const seen = (): (string | undefined)[] => records.map(({ fields }) => fields["log"]);
  const forwarder = here.forward(
    fluentd(target.port, { "fluentd-request-ack": "true", "fluentd-sub-second-precision": "true" }),
  );
  here.write("1\n", "2", "\n3\n");
  await until(() => records.length === 3, seen);
  assert.deepEqual(records[0], {
    tag: "docker.x",
    timeNs,
    fields: { container_id: "c0ffee", container_name: "/x", source: "stdout", log: "1", team: "a" },
  });
  await target.goAway();
  here.write(...numbers(4, 2000).map((number) => `${number}\n`));
  await until(
    () => here.notices.length > 0,
    () => here.notices,
  );
  assert.match(here.notices[0] ?? "", /^fluentd at tcp:\/\/127\.0\.0\.1:\d+ is away, its lines wait: /);
  await target.listen();
  here.write("the end");
  forwarder.goesOn = false;
  await forwarder.over;
  assert.deepEqual(seen(), [...numbers(1, 2000), "the end"]);
  assert.match(here.notices.at(-1) ?? "", /takes lines again$/);
});

test("Forwarder: what a target did not acknowledge comes again; another forwarder goes on at the cursor", async () => {
  await using here = await place();
  const { collector, records, state } = fluentdCollector();
  await using target = collector;
  await target.listen();
  const first = here.forward(fluentd(target.port, { "fluentd-request-ack": "true" }));
  here.write("1\n");
  await until(
    () => records.length === 1,
    () => records,
  );
  state.silent = true;
  here.write("2\n", "3\n");
  await until(
    () => target.connections === 1,
    () => target.connections,
  );
  await first.stop();
  state.silent = false;
  const second = here.forward(fluentd(target.port, { "fluentd-request-ack": "true" }), false);
  await second.over;
  assert.deepEqual(
    records.map(({ fields }) => fields["log"]),
    ["1", "2", "3"],
  );
});

test("Forwarder: syslog over tcp loses nothing when the connection breaks, and repeats a second at most", async () => {
  await using here = await place();
  const { collector, lines } = lineCollector();
  await using target = collector;
  await target.listen();
  const forwarder = here.forward(syslog(`tcp://127.0.0.1:${target.port}`));
  for (let round = 0; round < 3; round++) {
    here.write(...numbers(round * 100 + 1, round * 100 + 100).map((number) => `${number}\n`));
    await until(
      () => lines.at(-1)?.endsWith(`: ${round * 100 + 100}`) === true,
      () => lines.slice(-2),
    );
    await target.goAway();
    here.write(`away ${round}\n`);
    await target.listen();
  }
  forwarder.goesOn = false;
  await forwarder.over;
  assert.match(lines[0] ?? "", /^<30>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d host tag\[7\]: 1$/);
  const texts = lines.map((line) => line.replace(/^.*\[7\]: /, ""));
  const expected = [0, 1, 2].flatMap((round) => numbers(round * 100 + 1, round * 100 + 100).concat(`away ${round}`));
  assert.deepEqual([...new Set(texts)], expected, "all of them, in order but for repetitions");
});

test("Forwarder: what rotation took while the target was away is said, in the stream and to the daemon", async () => {
  await using here = await place();
  const { collector, records } = fluentdCollector();
  await using target = collector;
  await target.listen();
  const port = target.port;
  await target.goAway();
  const forwarder = here.forward(fluentd(port));
  here.write("early\n");
  await until(
    () => here.notices.length > 0,
    () => here.notices,
  );
  appendRecords(here.log, 4, [logRecord("stdout", "late\n", timeNs)]);
  await unlink(segmentPath(here.log, 1));
  await target.listen();
  forwarder.goesOn = false;
  await forwarder.over;
  assert.deepEqual(
    records.map(({ fields }) => fields["log"]),
    ["[slipway: about 3000000 bytes of output are lost here: the log was rotated before they could be sent]", "late"],
  );
  assert.ok(here.notices.some((notice) => notice.includes("3000000 bytes of output are lost here")));
});

test("Forwarder: what a full disk took is said in its place", async () => {
  await using here = await place();
  const { collector, records } = fluentdCollector();
  await using target = collector;
  await target.listen();
  appendRecords(here.log, 1, [logRecord("stdout", "before\n", timeNs)]);
  appendRecords(here.log, 5, [logRecord("stderr", "", timeNs, 4711), logRecord("stdout", "after\n", timeNs)]);
  await here.forward(fluentd(target.port), false).over;
  assert.deepEqual(
    records.map(({ fields }) => fields["log"]),
    ["before", "[slipway: 4711 bytes of output are lost here: the disk was full]", "after"],
  );
});

test("Forwarder: a bound on retries drops what waits, and says so", async () => {
  await using here = await place();
  const { collector, records } = fluentdCollector();
  await using target = collector;
  await target.listen();
  const port = target.port;
  await target.goAway();
  const forwarder = here.forward(fluentd(port, { "fluentd-max-retries": "2", "fluentd-retry-wait": "1ms" }));
  here.write("dropped\n");
  await until(
    () => here.notices.length > 0,
    () => here.notices,
  );
  await until(
    async () => (await forwarder.waitingBytes()) === 0,
    () => here.notices,
  );
  here.write("kept\n");
  await target.listen();
  forwarder.goesOn = false;
  await forwarder.over;
  const seen = records.map(({ fields }) => fields["log"] ?? "");
  assert.match(seen[0] ?? "", /bytes of output are lost here: the target was away for too long/);
  assert.deepEqual(seen.slice(1), ["kept"]);
});

test("Forwarder: json-file has Docker's lines, is rotated and packed, and repeats nothing after a crash", async () => {
  await using here = await place();
  const path = join(here.dir, "x-json.log");
  const driver = jsonFileDriver({
    path,
    budget: { sizeBytes: 2000, files: 3 },
    compress: true,
    attributes: { tag: "t&t" },
  });
  here.write('a "quoted" <line>\t\u2028\n', "unfinished");
  const first = here.forward(driver);
  await until(
    async () => (await readFile(path, "utf8").catch(() => "")) !== "",
    () => here.notices,
  );
  await first.stop();
  const one =
    '{"log":"a \\"quoted\\" \\u003cline\\u003e\\u0009\\u2028\\n","stream":"stdout","attrs":{"tag":"t\\u0026t"},"time":"2023-11-14T22:13:20.123456789Z"}\n';
  assert.equal(await readFile(path, "utf8"), one);
  // A crash between the write and the cursor: what stands behind the cursor is cut off and comes again.
  await appendFile(path, "half of a line that nobody remem");
  await here.forward(driver, false).over;
  const two =
    '{"log":"unfinished","stream":"stdout","attrs":{"tag":"t\\u0026t"},"time":"2023-11-14T22:13:20.123456789Z"}\n';
  assert.equal(await readFile(path, "utf8"), one + two);
  for (let round = 0; round < 8; round++) {
    here.write(`\n${"x".repeat(1200)} ${round}\n`);
    await here.forward(driver, false).over;
  }
  const names = (await readdir(here.dir)).filter((name) => name.startsWith("x-")).toSorted();
  assert.deepEqual(names, ["x-json.log", "x-json.log.1.gz", "x-json.log.2.gz"]);
  assert.match(gunzipSync(await readFile(`${path}.1.gz`)).toString(), /x 5\\n/);
});

test("Forwarder: long lines come in parts, streams are cut on their own, a stop in the middle of one loses nothing", async () => {
  await using here = await place();
  const { collector, records } = fluentdCollector();
  await using target = collector;
  await target.listen();
  const acked = { "fluentd-request-ack": "true" };
  const first = here.forward(fluentd(target.port, acked));
  here.write("begun ");
  appendRecords(here.log, 1, [logRecord("stderr", "other\n", timeNs)]);
  await until(
    () => records.length === 1,
    () => records,
  );
  await first.stop();
  here.write(`ended\n${"y".repeat(40_000)}\n`);
  await here.forward(fluentd(target.port, acked), false).over;
  const seen = records.map(({ fields }) => [fields["source"], fields["log"]?.slice(0, 11), fields["log"]?.length]);
  assert.deepEqual(seen, [
    ["stderr", "other", 5],
    ["stdout", "begun ended", 11],
    ["stdout", "yyyyyyyyyyy", 16_384],
    ["stdout", "yyyyyyyyyyy", 16_384],
    ["stdout", "yyyyyyyyyyy", 7232],
  ]);
  const parts = records.slice(2).map(({ fields }) => [fields["partial_ordinal"], fields["partial_last"]]);
  assert.deepEqual(parts, [
    ["1", "false"],
    ["2", "false"],
    ["3", "true"],
  ]);
});
