import assert from "node:assert/strict";
import { test } from "node:test";
import type { NamespaceModes } from "../containers.ts";
import { checkNamespaces, joinedContainer, runtimeNamespaces } from "./namespaces.ts";

const plain: NamespaceModes = { ipc: "", pid: "", uts: "", cgroup: "", user: "" };

test("checkNamespaces: takes Docker's modes and refuses others in its words", () => {
  for (const ipc of ["", "private", "shareable", "none", "host", "container:a"])
    checkNamespaces({ namespaces: { ...plain, ipc } });
  for (const pid of ["", "private", "host", "container:a"]) checkNamespaces({ namespaces: { ...plain, pid } });
  const refusals: [Partial<NamespaceModes>, string][] = [
    [{ ipc: "container:" }, "invalid IPC mode: container:"],
    [{ ipc: "x" }, "invalid IPC mode: x"],
    [{ pid: "container" }, "invalid PID mode: container"],
    [{ uts: "container:a" }, "invalid UTS mode: container:a"],
    [{ cgroup: "x" }, "invalid cgroup namespace mode: x"],
  ];
  for (const [modes, message] of refusals) {
    assert.throws(() => checkNamespaces({ namespaces: { ...plain, ...modes } }), { kind: "invalid", message });
  }
});

test("runtimeNamespaces: makes, enters or leaves out each one", () => {
  const types = (modes: Partial<NamespaceModes>): string =>
    runtimeNamespaces({ ...plain, ...modes }, {})
      .map(({ type }) => type)
      .join(" ");
  assert.equal(types({}), "pid ipc uts mount cgroup");
  assert.equal(types({ pid: "host", ipc: "host", uts: "host", cgroup: "host" }), "mount");
  assert.equal(types({ ipc: "none" }), "pid ipc uts mount cgroup");
  const entered = { user: "/u", ipc: "/proc/7/ns/ipc", pid: "/proc/7/ns/pid", network: "/proc/8/ns/net" };
  assert.deepEqual(runtimeNamespaces({ ...plain, ipc: "container:a", pid: "container:a" }, entered), [
    { type: "user", path: "/u" },
    { type: "pid", path: "/proc/7/ns/pid" },
    { type: "ipc", path: "/proc/7/ns/ipc" },
    { type: "uts" },
    { type: "mount" },
    { type: "cgroup" },
    { type: "network", path: "/proc/8/ns/net" },
  ]);
});

test("joinedContainer: the name behind container:", () => {
  assert.equal(joinedContainer("container:db"), "db");
  assert.equal(joinedContainer("host"), undefined);
});
