import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { dockerFlags } from "#fixtures/docker";
import { said } from "#fixtures/expect";
import { cgroupFile } from "#fixtures/run-flags";

/** What `update` with these arguments changes in a running container: seen from inside, or by inspect. */
interface Row {
  readonly args: readonly string[];
  /** The file's text inside. */
  readonly prints?: readonly [script: string, text: RegExp];
  readonly shows?: readonly [field: string, value: unknown];
  /** In these words a machine that cannot do it says so. */
  readonly orSays?: RegExp;
}

const cpuMax =
  "cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us 2>/dev/null || cat /sys/fs/cgroup/cpu.max";
const memory = (v1: string, v2: string): string => cgroupFile("memory", `memory.${v1}`, `memory.${v2}`);
const noRealtime = /kernel does not support CPU real-time|rt_runtime_us|group above has no real-time time/;

const rows: Readonly<Record<string, Row>> = {
  "blkio-weight": {
    args: ["--blkio-weight", "300"],
    shows: ["BlkioWeight", 300],
    orSays: /does not support Block I\/O weight/,
  },
  "cpu-period": { args: ["--cpu-period", "50000"], prints: [cpuMax, /\s50000$/] },
  "cpu-quota": { args: ["--cpu-quota", "20000"], prints: [cpuMax, /^20000\s/] },
  "cpu-rt-period": {
    args: ["--cpu-rt-period", "1000000"],
    shows: ["CpuRealtimePeriod", 1_000_000],
    orSays: noRealtime,
  },
  "cpu-rt-runtime": { args: ["--cpu-rt-runtime", "1000"], shows: ["CpuRealtimeRuntime", 1000], orSays: noRealtime },
  "cpu-shares": { args: ["-c", "512"], prints: [cgroupFile("cpu", "cpu.shares", "cpu.weight"), /^(?:512|20|59)$/] },
  cpus: { args: ["--cpus", "0.5"], prints: [cpuMax, /^50000\s100000$/] },
  "cpuset-cpus": { args: ["--cpuset-cpus", "0"], prints: ["grep Cpus_allowed_list /proc/1/status", /:\s+0$/] },
  "cpuset-mems": { args: ["--cpuset-mems", "0"], shows: ["CpusetMems", "0"] },
  memory: { args: ["-m", "96m", "--memory-swap", "-1"], prints: [memory("limit_in_bytes", "max"), /^100663296$/] },
  "memory-reservation": {
    args: ["--memory-reservation", "32m"],
    prints: [memory("soft_limit_in_bytes", "low"), /^33554432$/],
  },
  "memory-swap": {
    args: ["-m", "64m", "--memory-swap", "96m"],
    prints: [memory("memsw.limit_in_bytes", "swap.max"), /^(?:100663296|33554432)$/],
  },
  "pids-limit": { args: ["--pids-limit", "33"], prints: [cgroupFile("pids", "pids.max", "pids.max"), /^33$/] },
  restart: {
    args: ["--restart", "on-failure:2"],
    shows: ["RestartPolicy", { Name: "on-failure", MaximumRetryCount: 2 }],
  },
};

let daemon: TestDaemon;
before(async () => {
  daemon = await startDaemon({ busybox: true });
});
after(async () => await daemon[Symbol.asyncDispose]());

test("every flag of docker update has a row here", async () => {
  const flags = await dockerFlags("update");
  assert.equal(flags.length, 14, flags.join(" "));
  assert.deepEqual(
    flags.filter((flag) => rows[flag] === undefined),
    [],
  );
});

for (const client of ["docker", "slipway"] as const) {
  for (const [flag, row] of Object.entries(rows)) {
    test(`${client} update --${flag}: ${row.args.join(" ")}`, async () =>
      await checkRow(client, `${client}-${flag}`, row));
  }
}

async function checkRow(
  client: "docker" | "slipway",
  name: string,
  { args, prints, shows, orSays }: Row,
): Promise<void> {
  await said(daemon, "run", "-d", "--name", name, "busybox", "sleep", "600");
  try {
    const { code, stdout, stderr } = await daemon[client]("update", ...args, name);
    if (orSays?.test(stdout + stderr) === true) return;
    assert.equal(code, 0, stderr);
    assert.match(stdout, new RegExp(`^${name}$`, "m"));
    if (prints !== undefined) assert.match(await said(daemon, "exec", name, "sh", "-c", prints[0]), prints[1]);
    const { body } = await daemon.api("GET", `/containers/${name}/json`);
    if (shows !== undefined) assert.deepEqual(body.HostConfig[shows[0]], shows[1]);
  } finally {
    await daemon.api("DELETE", `/containers/${name}?force=1`);
  }
}
