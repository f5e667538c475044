import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isFault } from "#core/fault";
import type { ContainerMount, MountRequest } from "../containers.ts";
import { depthOf, type MountSources, planMounts } from "./plan-mounts.ts";

const nothing: MountSources = { mounts: [], tmpfs: [], from: [], volumes: [], volumeDriver: "" };

function bind(target: string, readOnly = false): MountRequest & ContainerMount {
  return { kind: "bind", source: "/s", target, readOnly, createSource: true, propagation: "rprivate" };
}

function volume(target: string, name = "v", readOnly = false): Extract<ContainerMount, { kind: "volume" }> {
  const plain = { driver: "", options: {}, labels: {}, noCopy: false };
  return { kind: "volume", name, target, readOnly, ...plain, named: name !== "", source: "/volumes" };
}

function tmpfs(target: string): MountRequest & ContainerMount {
  return { kind: "tmpfs", target, readOnly: false, sizeBytes: 0, mode: 0, options: [] };
}

test("planMounts: what is asked for comes before what others have, and that before what the image declares", () => {
  const plan = planMounts({
    ...nothing,
    mounts: [bind("/a")],
    from: [{ mounts: [volume("/a"), volume("/b")], readOnly: false }],
    volumes: ["/a", "/b", "/c"],
  });
  assert.deepEqual(
    plan.map(({ kind, mount }) => [mount.target, kind, mount.kind]),
    [
      ["/a", "asked", "bind"],
      ["/b", "inherited", "volume"],
      ["/c", "asked", "volume"],
    ],
  );
});

test("planMounts: of several other containers the last one counts; theirs are read-only when either side says so", () => {
  const plan = planMounts({
    ...nothing,
    from: [
      { mounts: [volume("/a", "first"), volume("/b", "kept", true), tmpfs("/t")], readOnly: false },
      { mounts: [volume("/a", "last")], readOnly: true },
    ],
  });
  assert.deepEqual(
    plan.map(({ mount }) => [mount.target, mount.kind === "volume" && mount.name, mount.readOnly]),
    [
      ["/a", "last", true],
      ["/b", "kept", true],
    ],
  );
});

test("planMounts: a tmpfs stands where the image declares a volume, and in place of another container's", () => {
  const from = [{ mounts: [volume("/b")], readOnly: false }];
  assert.deepEqual(planMounts({ ...nothing, tmpfs: ["/a", "/b"], volumes: ["/a"], from }), []);
});

test("planMounts: two at one target are refused", () => {
  for (const change of [{ mounts: [bind("/a"), volume("/a")] }, { mounts: [tmpfs("/a")], tmpfs: ["/a"] }]) {
    assert.throws(
      () => planMounts({ ...nothing, ...change }),
      (error) => isFault(error, "invalid") && error.message === "Duplicate mount point: /a",
    );
  }
});

test("planMounts: the container's driver is for volumes of -v and of the image, not for those of --mount", () => {
  const { named: _n, source: _s, ...asked } = volume("/a");
  const mounts = [
    { ...asked, text: "v:/a" },
    { ...asked, target: "/b" },
    { ...asked, target: "/c", driver: "own" },
  ];
  const plan = planMounts({ ...nothing, mounts, volumes: ["/d"], volumeDriver: "plug" });
  assert.deepEqual(
    plan.map(({ mount }) => mount.kind === "volume" && mount.driver),
    ["plug", "", "own", "plug"],
  );
});

const name = fc.constantFrom("a", "b", "c", "d");
const path = fc.array(name, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join("/")}`);
const someMount = fc.oneof(
  path.map((one) => bind(one)),
  path.map((one) => volume(one)),
  path.map(tmpfs),
);
const sources = fc.record({
  mounts: fc.array(someMount, { maxLength: 6 }),
  tmpfs: fc.uniqueArray(path, { maxLength: 3 }),
  from: fc.array(fc.record({ mounts: fc.array(someMount, { maxLength: 4 }), readOnly: fc.boolean() }), {
    maxLength: 3,
  }),
  volumes: fc.uniqueArray(path, { maxLength: 4 }),
  volumeDriver: fc.constantFrom("", "plug"),
});

test("planMounts: whatever is asked, each target has one mount, parents come first, and nothing that was asked for is lost", () => {
  fc.assert(
    fc.property(sources, (given) => {
      const askedTargets = [...given.mounts.map(({ target }) => target), ...given.tmpfs];
      const isDuplicate = new Set(askedTargets).size < askedTargets.length;
      let plan;
      try {
        plan = planMounts(given);
      } catch (error) {
        assert.ok(isDuplicate && isFault(error, "invalid"));
        return;
      }
      assert.ok(!isDuplicate);
      const targets = plan.map(({ mount }) => mount.target);
      assert.equal(new Set(targets).size, targets.length);
      for (const [index, target] of targets.entries()) {
        assert.ok(targets.slice(0, index).every((earlier) => depthOf(earlier) <= depthOf(target)));
        assert.ok(!given.tmpfs.includes(target));
      }
      for (const { target, kind } of given.mounts) {
        assert.equal(plan.find(({ mount }) => mount.target === target)?.mount.kind, kind);
      }
      for (const target of given.volumes) assert.ok(targets.includes(target) || given.tmpfs.includes(target));
      const inherited = given.from.flatMap(({ mounts }) => mounts).filter(({ kind }) => kind !== "tmpfs");
      for (const { target } of inherited) assert.ok(targets.includes(target) || given.tmpfs.includes(target));
      for (const { kind, mount } of plan) {
        if (kind === "inherited") assert.ok(!askedTargets.includes(mount.target));
      }
    }),
    { numRuns: 2000 },
  );
});
