import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import type { LogSubject } from "../attributes.ts";
import { checkTag, logAttributes, logTag } from "../attributes.ts";
import { logOptions } from "../log-options.ts";
import { message } from "./fluentd.ts";
import { jsonLine } from "./json-line.ts";
import type { TargetLine } from "./log-driver.ts";
import { EventTime, type Packable, pack } from "./msgpack.ts";
import { frameMessage, type SyslogSender, syslogMessage } from "./syslog-message.ts";

const line: TargetLine = { stream: "stdout", timeNs: 1_700_000_000_123_456_789n, bytes: Buffer.from("hi") };
const mib = 1024 * 1024;

test("pack: the bytes of MessagePack's specification", () => {
  const cases: readonly (readonly [Packable, string])[] = [
    [0, "00"],
    [127, "7f"],
    [128, "cc80"],
    [255, "ccff"],
    [256, "cd0100"],
    [65_536, "ce00010000"],
    [2 ** 32, "cf0000000100000000"],
    ["", "a0"],
    ["a", "a161"],
    ["x".repeat(31), `bf${"78".repeat(31)}`],
    ["x".repeat(32), `d920${"78".repeat(32)}`],
    ["x".repeat(256), `da0100${"78".repeat(256)}`],
    ["x".repeat(65_536), `db00010000${"78".repeat(65_536)}`],
    [Buffer.from([0xff, 0]), "a2ff00"],
    [[], "90"],
    [[1, [2]], "92019102"],
    [Array.from({ length: 16 }, () => 1), `dc0010${"01".repeat(16)}`],
    [Array.from({ length: 65_536 }, () => 1), `dd00010000${"01".repeat(65_536)}`],
    [new Map([["a", 1]]), "81a16101"],
    [
      new Map(Array.from({ length: 16 }, (_item, index) => [String.fromCodePoint(97 + index), index])),
      `de0010${Array.from({ length: 16 }, (_item, index) => `a1${(97 + index).toString(16)}${index.toString(16).padStart(2, "0")}`).join("")}`,
    ],
    [new EventTime(1_000_000_002n), "d7000000000100000002"],
  ];
  for (const [value, bytes] of cases) assert.equal(pack(value).toString("hex"), bytes);
});

test("message: fluentd's forward mode, in whole seconds unless asked for more", () => {
  const source = { tag: "t", containerId: "c", containerName: "/n", attributes: {} };
  const record = `84${["container_id", "c", "container_name", "/n", "source", "stdout", "log", "hi"].map((text) => pack(text).toString("hex")).join("")}`;
  assert.equal(
    message(source, { subSecondPrecision: false }, [line]).toString("hex"),
    `93a1749192ce6553f100${record}81a473697a6501`,
  );
  assert.equal(
    message(source, { subSecondPrecision: true }, [line], "id").toString("hex"),
    `93a1749192d7006553f100075bcd15${record}82a473697a6501a56368756e6ba26964`,
  );
});

test("jsonLine: whole, cut and unfinished lines", () => {
  const time = '"time":"2023-11-14T22:13:20.123456789Z"}\n';
  assert.equal(jsonLine(line, ""), `{"log":"hi\\n","stream":"stdout",${time}`);
  const cut = { ...line, part: { id: "1", ordinal: 1, last: false } };
  assert.equal(jsonLine(cut, ""), `{"log":"hi","stream":"stdout",${time}`);
  assert.equal(
    jsonLine({ ...cut, part: { id: "1", ordinal: 2, last: true } }, ""),
    `{"log":"hi\\n","stream":"stdout",${time}`,
  );
  const odd = { ...line, bytes: Buffer.from([0x22, 0x5c, 0x01, 0x0d, 0xff, 0x3c]) };
  assert.equal(jsonLine(odd, ""), `{"log":"\\"\\\\\\u0001\\r\ufffd\\u003c\\n","stream":"stdout",${time}`);
  assert.equal((JSON.parse(jsonLine(odd, "")) as { log: string }).log, '"\\\u0001\r\ufffd<\n');
});

test("syslogMessage: priorities, formats, framing", () => {
  const sender: SyslogSender = { facility: 16, format: "rfc5424", hostname: "h", tag: "t", pid: 9 };
  const text = (format: SyslogSender["format"], stream: "stdout" | "stderr" = "stdout"): string =>
    syslogMessage({ ...sender, format }, { ...line, stream }).toString();
  assert.equal(text("rfc5424"), "<134>1 2023-11-14T22:13:20Z h t 9 t - hi");
  assert.equal(text("rfc5424micro", "stderr"), "<131>1 2023-11-14T22:13:20.123456Z h t 9 t - hi");
  assert.match(text("rfc3164"), /^<134>Nov 1[45] \d\d:13:20 h t\[9\]: hi$/);
  assert.match(text("local"), /^<134>Nov 1[45] \d\d:13:20 t\[9\]: hi$/);
  const bytes = Buffer.from("x");
  const tls = { kind: "tls", host: "h", port: 1, verify: true } as const;
  assert.equal(frameMessage(bytes, { address: tls, format: "rfc5424" }).toString(), "2 x\n");
  assert.equal(frameMessage(bytes, { address: tls, format: "rfc3164" }).toString(), "x\n");
  assert.equal(
    frameMessage(bytes, { address: { kind: "udp", host: "h", port: 1 }, format: "rfc5424" }).toString(),
    "x\n",
  );
});

const subject = (options: Readonly<Record<string, string>>): LogSubject =>
  ({
    id: "0123456789abcdef".repeat(4),
    name: "web",
    imageId: `sha256:${"f".repeat(64)}`,
    spec: { image: "nginx:1", logging: { driver: "json-file", options } },
    process: {
      labels: { "com.x": "y", team: "a" },
      env: ["COLOR=red=dark", "HOME=/", "EMPTY"],
      args: ["sh", "-c", "x"],
    },
  }) as unknown as LogSubject;

test("logAttributes: by name and by pattern, of labels and variables", () => {
  assert.deepEqual(logAttributes(subject({})), {});
  assert.deepEqual(logAttributes(subject({ labels: "team,nope", env: "COLOR,EMPTY" })), {
    team: "a",
    COLOR: "red=dark",
  });
  assert.deepEqual(logAttributes(subject({ "labels-regex": "^com\\.", "env-regex": "^HO" })), {
    "com.x": "y",
    HOME: "/",
  });
  assert.deepEqual(logAttributes(subject({ tag: "{{.Name}}" })), { tag: "web" });
});

test("logTag: Docker's fields; others are refused", () => {
  const tag = (template: string): string => logTag(subject({}), template);
  assert.equal(tag("{{.ID}}|{{ .FullID }}|{{.Name}}"), `0123456789ab|${"0123456789abcdef".repeat(4)}|web`);
  assert.equal(tag("{{.ImageName}}/{{.ImageID}}/{{.DaemonName}}"), `nginx:1/${"f".repeat(12)}/docker`);
  assert.equal(tag('{{index .ContainerLabels "com.x"}}-{{upper .Name}}-{{.Command}}'), "y-WEB-sh -c x");
  for (const wrong of ["{{.Nope}}", "{{", "{{.Name", "{{range .}}", "{{.constructor}}"]) {
    assert.throws(
      () => checkTag(wrong),
      (error) => isFault(error, "invalid"),
      wrong,
    );
  }
});

test("logOptions: segments small enough to be searched, together as large as was asked for", () => {
  const options = (given: Readonly<Record<string, string>>, driver: "local" | "syslog" = "local") =>
    logOptions({ driver, options: given });
  assert.deepEqual(options({}), { maxSizeBytes: 10 * mib, maxFiles: 10, inMemory: false });
  assert.deepEqual(options({ "max-size": "1m", "max-file": "3" }), { maxSizeBytes: mib, maxFiles: 3, inMemory: false });
  assert.deepEqual(options({ "max-size": "1m", "max-file": "1" }), {
    maxSizeBytes: mib / 2,
    maxFiles: 2,
    inMemory: false,
  });
  assert.deepEqual(options({ "max-size": "1g", "max-file": "2" }), {
    maxSizeBytes: 16 * mib,
    maxFiles: 128,
    inMemory: false,
  });
  assert.deepEqual(options({ "max-size": "-1" }), { maxSizeBytes: 16 * mib, maxFiles: 8191, inMemory: false });
  assert.deepEqual(options({ "cache-max-size": "1m" }, "syslog"), { maxSizeBytes: mib, maxFiles: 5, inMemory: false });
});
