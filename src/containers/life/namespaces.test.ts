import assert from "node:assert/strict";
import { test } from "node:test";
import { mappedMounts } from "./namespaces.ts";

test("mappedMounts: one view for each folder that holds layers, and the overlay over the views", () => {
  const overlay = { op: "overlay", target: "/b/rootfs", options: [] } as const;
  const mounts = mappedMounts(
    [{ ...overlay, lowers: ["/d/layers/b", "/d/layers/a"], upper: "/d/roots/1/upper", work: "/d/roots/1/work" }],
    "/b/views",
    "/d/containers/1",
  );
  assert.deepEqual(mounts, [
    { op: "idmap", source: "/d/layers", target: "/b/views/0" },
    { op: "idmap", source: "/d/roots/1", target: "/b/views/1" },
    { op: "idmap", source: "/d/containers/1", target: "/b/views/etc" },
    { ...overlay, lowers: ["/b/views/0/b", "/b/views/0/a"], upper: "/b/views/1/upper", work: "/b/views/1/work" },
  ]);
});
