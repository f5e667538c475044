import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type TestDaemon, startDaemon } from "../fixtures/daemon.ts";
import { dockerProgram } from "../fixtures/docker.ts";
import { shows, startProgram } from "../fixtures/live-program.ts";

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon({ busybox: true });
});
after(async () => await daemon[Symbol.asyncDispose]());

async function docker(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await daemon.docker(...args);
  assert.equal(code, 0, `docker ${args.join(" ")}: ${stderr}`);
  return stdout.trimEnd();
}

async function until(name: string, format: string, wanted: RegExp): Promise<string> {
  const end = Date.now() + 20_000;
  for (;;) {
    const got = await docker("inspect", "-f", format, name);
    if (wanted.test(got)) return got;
    assert.ok(Date.now() < end, `${name}: ${got} is not ${wanted}`);
    await sleep(20);
  }
}

const status = "{{.State.Health.Status}}";
const loop = ["busybox", "sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"];

async function run(name: string, ...flags: readonly string[]): Promise<void> {
  await docker("run", "-d", "--name", name, "--health-interval", "200ms", ...flags, ...loop);
}

test("docker run --health-cmd: healthy, unhealthy, healthy; ps, inspect, filters and events say so", async () => {
  await run("web", "--health-cmd", "echo seen; test ! -e /sick", "--health-retries", "2", "--health-timeout", "5s");
  await until("web", status, /^healthy$/);
  assert.match(await docker("ps", "--format", "{{.Status}}"), /^Up .* \(healthy\)$/);
  const [first] = JSON.parse(await docker("inspect", "-f", "{{json .State.Health.Log}}", "web")) as Record<
    string,
    unknown
  >[];
  assert.deepEqual([first?.["ExitCode"], first?.["Output"]], [0, "seen\n"]);
  assert.match(String(first?.["Start"]), /^\d{4}-\d\d-\d\dT.*Z$/);
  assert.deepEqual(JSON.parse(await docker("inspect", "-f", "{{json .Config.Healthcheck}}", "web")), {
    Test: ["CMD-SHELL", "echo seen; test ! -e /sick"],
    Interval: 200_000_000,
    Timeout: 5_000_000_000,
    Retries: 2,
  });
  await docker("exec", "web", "touch", "/sick");
  await until("web", `${status} {{.State.Health.FailingStreak}}`, /^unhealthy [2-9]/);
  assert.match(
    await docker("ps", "--filter", "health=unhealthy", "--format", "{{.Names}} {{.Status}}"),
    /^web Up .* \(unhealthy\)$/,
  );
  assert.equal(await docker("ps", "-q", "--filter", "health=healthy"), "");
  await docker("exec", "web", "rm", "/sick");
  await until("web", status, /^healthy$/);
  const events = await docker(
    ...["events", "--since", "0", "--until", String(Date.now() / 1000)],
    ...["-f", "container=web", "-f", "event=health_status", "--format", "{{.Action}}"],
  );
  assert.deepEqual(
    events.split("\n").slice(0, 3),
    ["healthy", "unhealthy", "healthy"].map((word) => `health_status: ${word}`),
  );
  await docker("rm", "-f", "web");
});

test("docker run --health-start-period, --no-healthcheck; a container without a check has no Health", async () => {
  await run(
    "begins",
    "--health-cmd",
    "exit 1",
    "--health-retries",
    "1",
    "--health-start-period",
    "60s",
    "--health-start-interval",
    "200ms",
  );
  await until("begins", "{{len .State.Health.Log}}", /^[2-5]$/);
  assert.equal(await docker("inspect", "-f", `${status} {{.State.Health.FailingStreak}}`, "begins"), "starting 0");
  assert.match(await docker("ps", "--format", "{{.Status}}"), /\(health: starting\)$/);
  await docker("run", "-d", "--name", "without", "--no-healthcheck", ...loop);
  await docker("run", "-d", "--name", "plain", ...loop);
  for (const name of ["without", "plain"]) {
    assert.equal((await daemon.api("GET", `/containers/${name}/json`)).body.State.Health, undefined);
  }
  assert.equal(await docker("ps", "-q", "--filter", "health=none").then((ids) => ids.split("\n").length), 2);
  await docker("rm", "-f", "begins", "without", "plain");
});

test("probes are seen as exec events by those who listen, and leave no exec behind", async () => {
  const filters = ["container=watched", "event=exec_create", "event=exec_start", "event=exec_die"];
  const args = ["events", ...filters.flatMap((filter) => ["-f", filter]), "--format", "{{.Action}}"];
  const watching = startProgram(await dockerProgram(), args, { DOCKER_HOST: `unix://${daemon.socket}` });
  try {
    const seen = shows(watching, /exec_create: \/bin\/sh -c true\nexec_start: \/bin\/sh -c true\nexec_die\n/);
    await run("watched", "--health-cmd", "true");
    await seen;
  } finally {
    watching.kill();
  }
  const past = await docker(
    "events",
    "--since",
    "0",
    "--until",
    String(Date.now() / 1000),
    "-f",
    "event=exec_die",
    "-f",
    "container=watched",
    "--format",
    "{{.Action}}",
  );
  assert.equal(past, "");
  await docker("stop", "watched");
  assert.equal((await daemon.api("GET", "/containers/watched/json")).body.ExecIDs, null);
  assert.equal((await daemon.api("GET", "/containers/watched/json")).body.State.Health.Status, "unhealthy");
  await docker("rm", "watched");
});

test("kill -9 of the daemon: an unhealthy container is known as such, and its checks go on; a killed monitor ends them", async () => {
  await run("sick", "--health-cmd", "test -e /well", "--health-retries", "1");
  await until("sick", status, /^unhealthy$/);
  await daemon.kill9();
  await daemon.start();
  assert.equal(await docker("inspect", "-f", status, "sick"), "unhealthy");
  await docker("exec", "sick", "touch", "/well");
  await until("sick", status, /^healthy$/);
  const monitor = await docker("inspect", "-f", "{{.State.Pid}}", "sick").then(parentOf);
  process.kill(monitor, "SIGKILL");
  await until("sick", `{{.State.Status}} ${status}`, /^exited unhealthy$/);
  await docker("rm", "sick");
});

async function parentOf(pid: string): Promise<number> {
  return Number(/^PPid:\s*(\d+)$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1]);
}

test("docker create: impossible durations are refused in Docker's words", async () => {
  const answer = await daemon.api("POST", "/containers/create", {
    Image: "busybox",
    Healthcheck: { Test: ["CMD", "true"], Timeout: 5 },
  });
  assert.deepEqual([answer.status, answer.body.message], [400, "Timeout in Healthcheck cannot be less than 1ms"]);
});
