import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fluentdCollector, lineCollector, until } from "#fixtures/collectors";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { mustRun } from "#fixtures/program";

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon({ busybox: true });
});
after(async () => await daemon[Symbol.asyncDispose]());

/** Lines that a container writes: a number each. */
const counting = (first: number, last: number): string => `seq ${first} ${last}`;
const numbers = (first: number, last: number): string[] =>
  Array.from({ length: last - first + 1 }, (_item, index) => String(first + index));

const run = async (name: string, driver: string, options: readonly string[], script: string): Promise<string> =>
  await said(
    daemon,
    "run",
    "-d",
    "--name",
    name,
    "--log-driver",
    driver,
    ...options.flatMap((option) => ["--log-opt", option]),
    "busybox",
    "sh",
    "-c",
    script,
  );

test("json-file, asked for: Docker's lines at LogPath, with attributes and rotation; by default no file", async () => {
  const plain = await said(daemon, "run", "-d", "busybox", "echo", "hi");
  assert.equal(await said(daemon, "inspect", "-f", "{{.HostConfig.LogConfig.Type}}:{{.LogPath}}", plain), "json-file:");
  const id = await said(
    daemon,
    ...["run", "-d", "--name", "jf", "--label", "team=a b", "-e", "COLOR=red", "--log-driver", "json-file"],
    ...["--log-opt", "labels=team", "--log-opt", "env=COLOR", "--log-opt", "tag={{.Name}}/{{.ImageName}}"],
    ...["busybox", "sh", "-c", "echo out; echo err >&2"],
  );
  await said(daemon, "wait", "jf");
  const path = await said(daemon, "inspect", "-f", "{{.LogPath}}", "jf");
  assert.equal(path, join(daemon.roots.dataRoot, "containers", id, `${id}-json.log`));
  const text = async (): Promise<string> => await readFile(path, "utf8").catch(() => "");
  await until(async () => (await text()).split("\n").length === 3, text);
  const lines = (await text())
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const attrs = { COLOR: "red", tag: "jf/busybox", team: "a b" };
  assert.deepEqual(
    lines.map(({ time: _time, ...rest }) => rest).toSorted((a, b) => String(b["log"]).localeCompare(String(a["log"]))),
    [
      { log: "out\n", stream: "stdout", attrs },
      { log: "err\n", stream: "stderr", attrs },
    ],
  );
  const detailed = await said(daemon, "logs", "--details", "jf");
  assert.equal(detailed.split("\n")[0], "COLOR=red,tag=jf%2Fbusybox,team=a+b out");
});

test("json-file: each line exactly once, over rotations and a daemon that is killed", async () => {
  const script = "for i in 1 2 3 4 5 6 7 8; do sleep 0.2; seq $(((i-1)*500+1)) $((i*500)); done";
  await run("exact", "json-file", ["max-size=100k", "max-file=9"], script);
  const path = await said(daemon, "inspect", "-f", "{{.LogPath}}", "exact");
  const kept = async (): Promise<string[]> => {
    const texts: string[] = [];
    for (const end of [".8", ".7", ".6", ".5", ".4", ".3", ".2", ".1", ""]) {
      texts.push(await readFile(`${path}${end}`, "utf8").catch(() => ""));
    }
    return texts.join("").split("\n").slice(0, -1);
  };
  await until(async () => (await kept()).length > 1000, kept);
  await daemon.kill9();
  await daemon.start();
  assert.equal(await said(daemon, "wait", "exact"), "0");
  await until(async () => (await kept()).length >= 4000, kept);
  const lines = (await kept()).map((line) => (JSON.parse(line) as { log: string }).log.trimEnd());
  assert.deepEqual(lines, numbers(1, 4000));
  assert.notEqual(await readFile(`${path}.1`, "utf8"), "", "it was rotated");
});

test("syslog by udp and by a datagram socket: priorities, tags, formats; logs reads them too", async () => {
  const udp = createSocket("udp4");
  const messages: string[] = [];
  udp.on("message", (bytes) => messages.push(bytes.toString()));
  await new Promise<void>((resolve) => udp.bind(0, "127.0.0.1", resolve));
  const options = [
    `syslog-address=udp://127.0.0.1:${udp.address().port}`,
    "syslog-facility=local3",
    "syslog-format=rfc5424micro",
    "tag={{.Name}}",
  ];
  await run("udp", "syslog", options, "echo out; sleep 0.1; echo err >&2");
  await until(
    () => messages.length === 2,
    () => messages,
  );
  udp.close();
  assert.match(messages[0] ?? "", /^<158>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ udp \d+ udp - out\n$/);
  assert.match(messages[1] ?? "", /^<155>1 .* - err\n$/);
  assert.equal(await said(daemon, "logs", "udp"), "out");

  const folder = await mkdtemp(join(tmpdir(), "slipway-syslog-"));
  const path = join(folder, "log");
  const received = join(folder, "received");
  const listener =
    "import socket,sys\ns=socket.socket(socket.AF_UNIX,socket.SOCK_DGRAM)\ns.bind(sys.argv[1])\nprint('up',flush=True)\nopen(sys.argv[2],'wb').write(s.recv(9000)+s.recv(9000))\n";
  const listening = mustRun("python3", ["-c", listener, path, received]);
  await until(
    async () => (await mustRun("sh", ["-c", `test -S ${path} && echo yes || echo no`])).trim() === "yes",
    () => path,
  );
  await run("local", "syslog", [`syslog-address=unixgram://${path}`], "echo one; echo two");
  await listening;
  const id = await said(daemon, "inspect", "-f", "{{.Id}}", "local");
  const stamp = `<30>[A-Z][a-z]{2} [ \\d]\\d [\\d:]{8} ${id.slice(0, 12)}\\[\\d+\\]: `;
  assert.match(await readFile(received, "utf8"), new RegExp(`^${stamp}one\n${stamp}two\n$`));
  await rm(folder, { recursive: true });
});

test("syslog over tls, with length in front in RFC 5424; a wrong authority is not spoken to", async () => {
  const folder = await mkdtemp(join(tmpdir(), "slipway-tls-"));
  const [key, cert] = [join(folder, "key.pem"), join(folder, "cert.pem")];
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"];
  await mustRun("openssl", [
    "req",
    "-x509",
    "-newkey",
    "ec",
    "-pkeyopt",
    "ec_paramgen_curve:prime256v1",
    "-nodes",
    "-days",
    "2",
    "-keyout",
    key,
    "-out",
    cert,
    ...subject,
  ]);
  const { collector, lines } = lineCollector({ tls: { key: await readFile(key), cert: await readFile(cert) } });
  await using target = collector;
  await target.listen();
  const address = `syslog-address=tcp+tls://localhost:${target.port}`;
  await run("untrusting", "syslog", [address], "echo secret");
  await until(
    async () => /syslog at tcp\+tls:\S+ is away.*certificate/.test(await daemon.log()),
    async () => await daemon.log(),
  );
  await run("trusting", "syslog", [address, `syslog-tls-ca-cert=${cert}`, "syslog-format=rfc5424"], "echo hello");
  await until(
    () => lines.length === 1,
    () => lines,
  );
  const [, length, message = ""] = /^(\d+) (<30>1 .* - hello)$/.exec(lines[0] ?? "") ?? [];
  assert.equal(Number(length), message.length + 1);
  await rm(folder, { recursive: true });
});

test("fluentd: every line once and in order, though the collector goes away and the daemon is killed", async () => {
  const { collector, records } = fluentdCollector();
  await using target = collector;
  await target.listen();
  const options = [`fluentd-address=127.0.0.1:${target.port}`, "fluentd-request-ack=true", "fluentd-retry-wait=100ms"];
  const script = "for i in 1 2 3 4 5 6 7 8; do seq $(((i-1)*500+1)) $((i*500)); sleep 0.2; done; printf end; sleep 600";
  const id = await run("fl", "fluentd", [...options, "tag=docker.{{.Name}}", "labels=team"], script);
  await until(
    () => records.length > 500,
    () => records.length,
  );
  await target.goAway();
  await target.listen();
  await until(
    () => records.length > 1500,
    () => records.length,
  );
  await daemon.kill9();
  await daemon.start();
  await until(
    async () => (await said(daemon, "logs", "--tail", "1", "fl")) === "end",
    () => records.length,
  );
  await said(daemon, "rm", "-f", "fl");
  await until(
    () => records.at(-1)?.fields["log"] === "end",
    () => records.at(-1)?.fields,
  );
  const seen = records.map(({ fields }) => fields["log"] ?? "");
  assert.deepEqual([...new Set(seen)], [...numbers(1, 4000), "end"]);
  assert.ok(seen.length - 4001 <= 1000, "at most what was under way at the crash came twice");
  const [first] = records;
  assert.equal(first?.tag, "docker.fl");
  assert.deepEqual(first?.fields, { container_id: id, container_name: "/fl", source: "stdout", log: "1" });
});

test("a collector that is away stops no container, and gets the output of one with --rm when it is back in time", async () => {
  const { collector, lines } = lineCollector();
  await using target = collector;
  await target.listen();
  const address = `syslog-address=tcp://127.0.0.1:${target.port}`;
  await target.goAway();
  const flags = ["--rm", "--log-driver", "syslog", "--log-opt", address];
  assert.equal(await said(daemon, "run", ...flags, "busybox", "sh", "-c", counting(1, 50)), numbers(1, 50).join("\n"));
  await target.listen();
  await until(
    () => lines.length >= 50,
    () => lines.length,
  );
  assert.deepEqual([...new Set(lines.map((line) => line.replace(/^.*: /, "")))], numbers(1, 50));
  await target.goAway();
  await refused(
    daemon,
    /failed to initialize logging driver: dial .*ECONNREFUSED/,
    ...["run", "--rm", "--log-driver", "fluentd", "--log-opt", `fluentd-address=127.0.0.1:${target.port}`],
    ...["--log-opt", "fluentd-async=false", "busybox", "true"],
  );
});

test("none: attach works, logs is refused; so is a log without its cache", async () => {
  assert.equal(await said(daemon, "run", "--name", "nolog", "--log-driver", "none", "busybox", "echo", "seen"), "seen");
  await refused(daemon, "configured logging driver does not support reading", "logs", "nolog");
  await said(
    daemon,
    "create",
    "--name",
    "uncached",
    "--log-driver",
    "fluentd",
    "--log-opt",
    "cache-disabled=true",
    "busybox",
  );
  await refused(daemon, "configured logging driver does not support reading", "logs", "uncached");
});

test("log options: Docker's words for what is wrong", async () => {
  const cases: readonly (readonly [driver: string, option: string, words: string])[] = [
    ["json-file", "max-size=x", "invalid value for log opt 'max-size'"],
    ["json-file", "max-file=0", "invalid value for log opt 'max-file'"],
    ["json-file", "nope=1", "unknown log opt 'nope' for json-file log driver"],
    ["json-file", "mode=often", "logger: logging mode not supported: often"],
    ["json-file", "max-buffer-size=1m", "logger: max-buffer-size option is only supported with 'mode=non-blocking'"],
    ["json-file", "tag={{.Nope}}", 'cannot evaluate ".Nope"'],
    ["json-file", "labels-regex=(", "error parsing regexp"],
    ["local", "labels=x", "unknown log opt 'labels' for local log driver"],
    ["syslog", "syslog-address=nope", "syslog-address should be in form proto://address, got nope"],
    ["syslog", "syslog-address=unix:///no/such", "stat /no/such: no such file or directory"],
    ["syslog", "syslog-facility=nope", "invalid syslog facility"],
    ["syslog", "syslog-format=nope", "Invalid syslog format"],
    ["fluentd", "fluentd-address=udp://x", "invalid fluentd-address udp://x: unsupported scheme: 'udp'"],
    ["fluentd", "fluentd-retry-wait=soon", "invalid duration"],
    ["fluentd", "fluentd-max-retries=-1", "invalid syntax"],
    ["fluentd", "fluentd-request-ack=maybe", "invalid value for option fluentd-request-ack: maybe"],
    ["fluentd", "fluentd-async-reconnect-interval=1ms", "value must be between 100ms and 10s"],
  ];
  for (const [driver, option, words] of cases) {
    await refused(daemon, words, "create", "--log-driver", driver, "--log-opt", option, "busybox");
  }
  await refused(daemon, 'plugin "nope" not found', "create", "--log-driver", "nope", "busybox");
  await refused(daemon, 'invalid value for "since"', "logs", "--since", "yesterday", "jf");
  const { status, body } = await daemon.api("GET", "/containers/jf/logs?stdout=1&since=yesterday");
  assert.equal(status, 400);
  assert.match(body.message, /yesterday/);
});

test("the daemon's own log driver and options hold for containers that name none", async () => {
  const { collector, lines } = lineCollector();
  await using target = collector;
  await target.listen();
  const args = [
    "--log-driver",
    "syslog",
    "--log-opt",
    `syslog-address=tcp://127.0.0.1:${target.port}`,
    "--log-opt",
    "tag=all",
  ];
  await using other = await startDaemon({ busybox: true, args });
  assert.equal(await said(other, "info", "-f", "{{.LoggingDriver}}"), "syslog");
  await said(other, "run", "--rm", "busybox", "echo", "hello");
  await until(
    () => lines.some((line) => /all\[\d+\]: hello$/.test(line)),
    () => lines,
  );
  await said(other, "run", "--rm", "--log-driver", "syslog", "--log-opt", "tag=own", "busybox", "echo", "again");
  await until(
    () => lines.some((line) => /own\[\d+\]: again$/.test(line)),
    () => lines,
  );
  const wrong = await other.slipway(
    "daemon",
    "--data-root",
    "/nonexistent/x",
    "--exec-root",
    "/nonexistent/y",
    "--log-opt",
    "nope=1",
  );
  assert.match(wrong.stderr, /unknown log opt 'nope' for json-file log driver/);
});
