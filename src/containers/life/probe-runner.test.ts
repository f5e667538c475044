import assert from "node:assert/strict";
import { closeSync, constants, openSync, readlinkSync, writeSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Container, ContainerSpec } from "../containers.ts";
import { type Bed, openBed } from "../testing/bed.ts";
import { plainSpec } from "../testing/plain-spec.ts";

let bed: Bed;
before(async () => {
  bed = await openBed();
});
after(async () => {
  const { unexpected } = bed;
  await bed[Symbol.asyncDispose]();
  assert.deepEqual(unexpected, []);
});

const loop = ["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.05; done"];

async function started(name: string, check: readonly string[], more: Partial<ContainerSpec> = {}): Promise<string> {
  const healthcheck = { Test: ["CMD", ...check], Interval: 50e6, Timeout: 20_000e6, Retries: 1 };
  const id = await bed.create({ name, command: loop, healthcheck, ...more });
  await bed.containers.start(id);
  return id;
}

async function holds<Value>(look: () => Promise<Value | undefined> | Value | undefined): Promise<Value> {
  for (const end = Date.now() + 20_000; Date.now() < end; await sleep(10)) {
    const value = await look();
    if (value !== undefined) return value;
  }
  throw new Error("what was waited for did not come");
}

async function healthy(id: string): Promise<Container> {
  return await holds(() => {
    const container = bed.containers.find(id);
    return container.health?.status === "healthy" ? container : undefined;
  });
}

/** Probes that begin from now on. */
async function probed(id: string, times: number): Promise<readonly number[]> {
  const since = bed.host.clock.now();
  const codes = new Map<bigint, number>();
  return await holds(() => {
    for (const { startedNs, exitCode } of bed.containers.find(id).health?.log ?? []) {
      if (startedNs > since) codes.set(startedNs, exitCode);
    }
    return codes.size >= times ? [...codes.values()] : undefined;
  });
}

/** Pids on the machine. */
async function runners(id: string): Promise<number[]> {
  const { processes } = await bed.containers.top(id, "-eo pid,args");
  return processes.filter(([, args]) => args?.trim() === "slipway-probes").map(([pid]) => Number(pid));
}

async function oneRunner(id: string, butNot?: number): Promise<number> {
  const pid = await holds(async () => {
    const [first, ...more] = await runners(id);
    return first !== undefined && first !== butNot && more.length === 0 ? first : undefined;
  });
  return pid;
}

async function remove(id: string): Promise<void> {
  await bed.containers.remove(id, { force: true, volumes: false });
}

test("probe runner: one process for all probes of a run, named, small, and it hides the check's words", async () => {
  const id = await started("one", ["sh", "-c", "test -z \"$(pgrep -f 'slipway-probes .')\" && echo $PPID"]);
  await healthy(id);
  const pid = await oneRunner(id);
  const first = bed.containers.find(id).health?.log.at(-1)?.output;
  await probed(id, 4);
  assert.equal(bed.containers.find(id).health?.log.at(-1)?.output, first); // the same parent
  assert.deepEqual(await runners(id), [pid]);
  assert.equal((await readFile(`/proc/${pid}/cmdline`, "utf8")).replaceAll("\0", ""), "slipway-probes");
  assert.equal(await readFile(`/proc/${pid}/comm`, "utf8"), "slipway-probes\n");
  const own = /^RssAnon:\s+(\d+) kB$/m.exec(await readFile(`/proc/${pid}/status`, "utf8"))?.[1];
  assert.ok(Number(own) <= 100, `${own} KiB`);
  await remove(id);
});

test("probe runner: nobody can write to its program, also when it no longer runs", async () => {
  const id = await started("sealed", ["true"]);
  await healthy(id);
  const pid = await oneRunner(id);
  assert.match(readlinkSync(`/proc/${pid}/exe`), /^\/memfd:slipway-shim/);
  const kept = openSync(`/proc/${pid}/exe`, constants.O_RDONLY);
  await remove(id);
  try {
    assert.throws(
      () => {
        const again = openSync(`/proc/self/fd/${kept}`, constants.O_RDWR);
        try {
          writeSync(again, "x");
        } finally {
          closeSync(again);
        }
      },
      { code: /^(EPERM|ETXTBSY)$/ },
    );
  } finally {
    closeSync(kept);
  }
});

test("probe runner: a probe has the user, rights, filter, folder, variables, streams and limits of an exec", async () => {
  const facts =
    "id; pwd; umask; env | grep -v ^SHLVL | sort; ulimit -a; readlink /proc/self/fd/0 | sed s/[0-9].*//; ls /proc/self/fd | wc -l; " +
    "grep -E '^(Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp|Sig[BI])' /proc/self/status; cat /proc/self/cgroup; for n in /proc/self/ns/*; do readlink $n; done";
  const ways: readonly Partial<ContainerSpec>[] = [
    {},
    { user: "1000:1000", capAdd: ["CAP_NET_RAW"], securityOptions: ["no-new-privileges"], readOnlyRoot: true },
    { capDrop: ["ALL"], env: ["ONE=1"], workingDir: "/tmp", namespaces: { ...plainSpec.namespaces, pid: "host" } },
  ];
  for (const way of ways) {
    const id = await started("like", ["sh", "-c", facts], way);
    await healthy(id);
    await oneRunner(id);
    const output = bed.containers.find(id).health?.log.at(-1)?.output;
    assert.equal(output, (await bed.exec(id, ["sh", "-c", facts])).stdout);
    await remove(id);
  }
});

test("probe runner: killed from inside, while it waits or while a probe runs, the next one takes its place", async () => {
  const id = await started("killed", [
    "sh",
    "-c",
    "test ! -e /tmp/kill || { rm /tmp/kill; kill -9 $PPID; sleep 1000; }",
  ]);
  await healthy(id);
  const first = await oneRunner(id);
  process.kill(first, "SIGKILL");
  const second = await oneRunner(id, first);
  await bed.exec(id, ["touch", "/tmp/kill"]);
  const third = await oneRunner(id, second);
  assert.ok(third !== first);
  assert.deepEqual(new Set(await probed(id, 3)), new Set([0]));
  const { processes } = await bed.containers.top(id, "-eo pid,args");
  assert.deepEqual(
    processes.filter(([, args]) => args === "sleep 1000"),
    [],
  );
  await remove(id);
});

test("probe runner: one at most after a pause and with the next daemon; none when the container allows no process more", async () => {
  const id = await started("stays", ["true"]);
  await healthy(id);
  const first = await oneRunner(id);
  await bed.containers.pause(id);
  assert.deepEqual(await runners(id), []);
  await bed.containers.unpause(id);
  const second = await oneRunner(id, first);
  await bed.reopen();
  await oneRunner(id, second);
  await remove(id);
});

test("probe runner: where it may start nothing, or there is no /proc, the runtime starts each probe", async () => {
  const alone = await started("alone", ["true"], {
    command: ["sleep", "1000"],
    limits: { ...plainSpec.limits, pids: 1 },
  });
  await healthy(alone);
  await holds(async () => ((await runners(alone)).length === 0 ? true : undefined));
  assert.deepEqual(new Set(await probed(alone, 3)), new Set([0]));
  assert.deepEqual(await runners(alone), []);
  await remove(alone);
});
