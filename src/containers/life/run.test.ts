import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { isFault, type FaultKind } from "#core/fault";
import { type Bed, openBed } from "../testing/bed.ts";
import { noLimits } from "../config/blank-spec.ts";

let bed: Bed;
before(async () => {
  bed = await openBed();
});
after(async () => await bed[Symbol.asyncDispose]());

function fault(kind: FaultKind, message: string | RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isFault(error, kind), String(error));
    if (typeof message === "string") assert.equal(error.message, message);
    else assert.match(error.message, message);
    return true;
  };
}

test("containers: create, attach, start, wait, remove, with the events in Docker's order", async () => {
  bed.events.length = 0;
  const { id, exitCode, stdout, stderr } = await bed.run({
    command: ["sh", "-c", "echo out; echo err >&2; exit 7"],
    name: "whole",
    labels: { l: "1" },
  });
  assert.deepEqual([exitCode, stdout, stderr], [7, "out\n", "err\n"]);
  const { state } = bed.containers.find("/whole");
  assert.ok(state.status === "exited" && state.exitCode === 7 && state.finishedNs > state.startedNs);
  await bed.containers.remove("whole", { force: false, volumes: false });
  assert.throws(() => bed.containers.find(id), fault("notFound", `No such container: ${id}`));
  const own = bed.events.filter((event) => event.type === "container" && event.actorId === id);
  assert.deepEqual(
    own.map((event) => event.action),
    ["create", "attach", "start", "die", "destroy"],
  );
  assert.deepEqual(own.find((event) => event.action === "die")?.attributes, {
    l: "1",
    exitCode: "7",
    execDuration: "0",
    image: "busybox",
    name: "whole",
  });
});

test("containers: a finished container leaves no bundle, cgroup, runtime state or mount", async () => {
  const { id } = await bed.run({ command: ["true"] });
  await bed.containers.remove(id, { force: false, volumes: false });
  await bed.reopen(); // waits for the cleaning behind
  const { paths, cgroups } = bed.host;
  assert.deepEqual(await readdir(join(paths.execRoot, "containers")), []);
  assert.deepEqual(await readdir(join(paths.execRoot, "runtime")), []);
  assert.deepEqual(await readdir(join(paths.dataRoot, "containers")), []);
  assert.deepEqual(await cgroups.list(), []);
});

test("containers: names conflict in Docker's words", async () => {
  const id = await bed.create({ name: "taken", command: ["true"] });
  await assert.rejects(
    bed.create({ name: "taken", command: ["true"] }),
    fault(
      "conflict",
      `Conflict. The container name "/taken" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    ),
  );
  assert.equal((await readdir(join(bed.host.paths.dataRoot, "roots"))).filter((name) => name !== id).length, 0);
  await bed.containers.remove(id, { force: false, volumes: false });
});

test("containers: failed starts say why in words that the docker CLI maps to 126, 127 and 125", async () => {
  const prefix = "failed to create task for container: failed to create shim task: OCI runtime create failed: ";
  for (const runtime of ["crun", "runc"]) {
    const cases: [readonly string[], string, RegExp, number][] = [
      [["nope"], "/", /exec: "nope": executable file not found in \$PATH: unknown$/, 127],
      [["/bin/no/such"], "/", /exec: "\/bin\/no\/such": .*no such file or directory: unknown$/, 127],
      [["/etc/plain"], "/", /exec: "\/etc\/plain": permission denied: unknown$/, 126],
      [["/etc"], "/", /exec: "\/etc": (?:is a directory|permission denied): unknown$/, 126],
      [["true"], "/etc/plain", /Cannot mkdir: \/etc\/plain is not a directory/, 126],
    ];
    for (const [command, workingDir, message, exitCode] of cases) {
      const id = await bed.create({ command, workingDir, runtime });
      await assert.rejects(bed.containers.start(id), (error) => {
        assert.ok(isFault(error, "invalid"), String(error));
        assert.ok(error.message.startsWith(prefix), error.message);
        return fault("invalid", message)(error);
      });
      const { state } = bed.containers.find(id);
      assert.ok(state.status === "created" && state.exitCode === exitCode, `${runtime} ${command.join(" ")}`);
      await bed.containers.remove(id, { force: false, volumes: false });
    }
  }
  assert.deepEqual(await readdir(join(bed.host.paths.execRoot, "containers")), []);
  assert.deepEqual(await bed.host.cgroups.list(), []);
});

test("containers: wrong requests leave nothing and say what is wrong", async () => {
  await assert.rejects(bed.create({ image: "absent" }), fault("notFound", "No such image: absent"));
  await assert.rejects(bed.create({ entrypoint: [""] }), fault("invalid", "no command specified"));
  await assert.rejects(bed.create({ runtime: "kata" }), fault("invalid", "unknown or invalid runtime name: kata"));
  await assert.rejects(bed.create({ networkMode: "container:none" }), fault("invalid", /No such container: none/));
  const id = await bed.create({ user: "eve", command: ["true"] });
  await assert.rejects(
    bed.containers.start(id),
    fault("invalid", "unable to find user eve: no matching entries in passwd file"),
  );
  await bed.containers.remove(id, { force: false, volumes: false });
  assert.deepEqual(await readdir(join(bed.host.paths.dataRoot, "roots")), []);
});

test("containers: --rm removes after the end, and the waiter for the removal gets the exit code", async () => {
  const id = await bed.create({ autoRemove: true, command: ["sh", "-c", "exit 4"] });
  const { result } = await bed.containers.wait(id, "removed", AbortSignal.timeout(10_000));
  await bed.containers.start(id);
  assert.equal((await result).exitCode, 4);
  assert.deepEqual(bed.containers.list({ all: true, filters: {} }), []);
});

test("containers: --rm removes also after a start that failed", async () => {
  const id = await bed.create({ autoRemove: true, command: ["nope"] });
  const { result } = await bed.containers.wait(id, "removed", AbortSignal.timeout(10_000));
  await assert.rejects(bed.containers.start(id), fault("invalid", /executable file not found/));
  await result;
  assert.throws(() => bed.containers.find(id), fault("notFound", /No such container/));
});

test("containers: stop, kill, restart, pause as Docker does", async () => {
  const id = await bed.create({
    name: "life",
    command: ["sh", "-c", "trap 'exit 9' TERM; while :; do sleep 0.05; done"],
  });
  const { containers } = bed;
  await containers.start(id);
  await assert.rejects(containers.start("life"), fault("notModified", /already running/));
  await assert.rejects(
    containers.remove("life", { force: false, volumes: false }),
    fault(
      "conflict",
      'cannot remove container "/life": container is running: stop the container before removing or force remove',
    ),
  );
  await containers.pause("life");
  assert.equal(containers.find(id).state.status, "paused");
  await assert.rejects(containers.pause("life"), fault("conflict", `Container ${id} is already paused`));
  await containers.unpause("life");
  await containers.restart("life", { timeoutSeconds: 0 });
  assert.equal(containers.find(id).state.status, "running");
  await new Promise((resolve) => setTimeout(resolve, 100)); // until the trap is set
  await containers.stop("life", { timeoutSeconds: 10 });
  const { state } = containers.find(id);
  assert.ok(state.status === "exited" && state.exitCode === 9, JSON.stringify(state.status));
  await assert.rejects(containers.stop("life", {}), fault("notModified", /already stopped/));
  await assert.rejects(
    containers.kill("life"),
    fault("conflict", `cannot kill container: life: container ${id} is not running`),
  );
  await containers.start(id);
  await containers.kill(id);
  const killed = containers.find(id).state;
  assert.ok(killed.status === "exited" && killed.exitCode === 137);
  containers.rename("life", "after");
  assert.equal(containers.find("after").id, id);
  await containers.start(id);
  await containers.pause(id);
  await containers.remove("after", { force: true, volumes: false });
});

test("containers: a stop that is not obeyed becomes a kill after its time", async () => {
  const id = await bed.create({
    command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.1; done"],
    stopTimeoutSeconds: 1,
  });
  await bed.containers.start(id);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const begun = performance.now();
  await bed.containers.stop(id, {});
  assert.ok(performance.now() - begun >= 900);
  const { state } = bed.containers.find(id);
  assert.ok(state.status === "exited" && state.exitCode === 137);
  await bed.containers.remove(id, { force: false, volumes: false });
});

test("containers: wait knows its three conditions", async () => {
  const { containers } = bed;
  const id = await bed.create({ command: ["sleep", "0.2"] });
  const signal = AbortSignal.timeout(10_000);
  assert.equal((await (await containers.wait(id, "not-running", signal)).result).exitCode, 0);
  const next = await containers.wait(id, "next-exit", signal);
  const removed = await containers.wait(id, "removed", signal);
  await containers.start(id);
  assert.equal((await (await containers.wait(id, "not-running", signal)).result).exitCode, 0);
  assert.equal((await next.result).exitCode, 0);
  await containers.remove(id, { force: false, volumes: false });
  assert.equal((await removed.result).exitCode, 0);
  await assert.rejects(containers.wait(id, "removed", signal), fault("notFound", /No such container/));
});

test("containers: limits hold, and an OOM kill is told", async () => {
  bed.events.length = 0;
  const { id, exitCode } = await bed.run({
    command: ["tail", "/dev/zero"],
    limits: { ...noLimits, memoryBytes: 16 << 20, nanoCpus: 5e8, pids: 30 },
  });
  assert.equal(exitCode, 137);
  const { state } = bed.containers.find(id);
  assert.ok(state.status === "exited" && state.oomKilled);
  assert.ok(bed.events.some((event) => event.action === "oom" && event.actorId === id));
  await bed.containers.remove(id, { force: false, volumes: false });
});

test("containers: binds make their source, tmpfs and working folder are there, a read-only root is", async () => {
  const source = join(bed.dir, "made/by/bind");
  const { exitCode, stdout, id } = await bed.run({
    command: ["sh", "-c", "pwd; echo hi >/data/f; touch /t/x; touch /w || echo read-only; touch /ro/x || echo bound"],
    workingDir: "/not/there/yet",
    mounts: [
      { kind: "bind", source, target: "/data", readOnly: false, createSource: true, propagation: "rprivate" },
      { kind: "bind", source, target: "/ro", readOnly: true, createSource: true, propagation: "rprivate" },
    ],
    tmpfs: { "/t": "size=64k,mode=1777" },
  });
  assert.deepEqual([exitCode, stdout], [0, "/not/there/yet\nbound\n"]);
  assert.ok((await stat(join(source, "f"))).size === 3);
  await bed.containers.remove(id, { force: false, volumes: false });
  const second = await bed.run({ command: ["sh", "-c", "touch /w || echo read-only"], readOnlyRoot: true });
  assert.equal(second.stdout, "read-only\n");
  await bed.containers.remove(second.id, { force: false, volumes: false });
});

test("containers: container: mode shares the network, its files and host name", async () => {
  const first = await bed.create({ command: ["sleep", "60"], hostname: "first", networkMode: "bridge" });
  const joining = { networkMode: `container:${first.slice(0, 12)}`, command: ["sh", "-c", "hostname; cat /etc/hosts"] };
  const early = await bed.create(joining);
  await assert.rejects(
    bed.containers.start(early),
    fault("conflict", `cannot join network of a non running container: ${first}`),
  );
  await bed.containers.start(first);
  const { stdout, id } = await bed.run(joining);
  const address = bed.containers.find(first).attached?.endpoints[0]?.ipv4?.address;
  assert.match(stdout, /^first\n/);
  assert.ok(address !== undefined && stdout.includes(`${address}\tfirst\n`), stdout);
  for (const one of [first, early, id]) await bed.containers.remove(one, { force: true, volumes: false });
});

test("containers: prune removes what does not run", async () => {
  const ended = await bed.run({ command: ["true"], labels: { keep: "no" } });
  const created = await bed.create({ command: ["true"] });
  const { removed } = await bed.containers.prune({ label: ["keep=no"] });
  assert.deepEqual(removed, [ended.id]);
  assert.deepEqual((await bed.containers.prune({})).removed, [created]);
});

test("containers: many starts and removals at once", async () => {
  const ids = await Promise.all(Array.from({ length: 12 }, async () => (await bed.run({ command: ["true"] })).id));
  await Promise.all(ids.map(async (id) => await bed.containers.remove(id, { force: true, volumes: false })));
  assert.deepEqual(bed.containers.list({ all: true, filters: {} }), []);
});
