import assert from "node:assert/strict";
import { test } from "node:test";
import { apiVersion, checkContainerCreate } from "#api/wire";
import { isFault } from "#core/fault";
import { containerSpec } from "./container-spec.ts";
import { versionedRequest } from "./versioned-request.ts";

function shaped(version: string, body: object) {
  return versionedRequest(checkContainerCreate({ Image: "busybox", ...body }), apiVersion(version));
}

test("versionedRequest: annotations from 1.43 on", () => {
  const body = { HostConfig: { Annotations: { a: "b" } } };
  assert.deepEqual(shaped("1.43", body).HostConfig?.Annotations, { a: "b" });
  assert.equal(shaped("1.42", body).HostConfig?.Annotations, undefined);
});

test("versionedRequest: a health check's start interval from 1.44 on", () => {
  const body = { Healthcheck: { Test: ["NONE"], StartInterval: 5 } };
  assert.equal(shaped("1.44", body).Healthcheck?.StartInterval, 5);
  assert.deepEqual(shaped("1.43", body).Healthcheck, { Test: ["NONE"] });
});

test("versionedRequest: several networks are refused before 1.44", () => {
  const body = { NetworkingConfig: { EndpointsConfig: { a: {}, b: {} } } };
  assert.throws(
    () => shaped("1.43", body),
    /^Fault: Container cannot be created with multiple network endpoints: a, b$/,
  );
  assert.deepEqual(Object.keys(shaped("1.44", body).NetworkingConfig?.EndpointsConfig ?? {}), ["a", "b"]);
});

test("versionedRequest: mount options of another type, and later ones, are ignored before 1.42 and refused after", () => {
  const body = {
    HostConfig: {
      Mounts: [
        { Type: "bind", Source: "/s", Target: "/t", BindOptions: { CreateMountpoint: true }, TmpfsOptions: {} },
        { Type: "tmpfs", Target: "/u", TmpfsOptions: { Mode: 448 }, BindOptions: {} },
      ],
    },
  };
  assert.deepEqual(shaped("1.41", body).HostConfig?.Mounts, [
    { Type: "bind", Source: "/s", Target: "/t", BindOptions: {} },
    { Type: "tmpfs", Target: "/u", TmpfsOptions: { Mode: 448 } },
  ]);
  assert.throws(
    () => shaped("1.42", body),
    (error) => isFault(error, "invalid"),
  );
  const forced = { Type: "bind", Source: "/s", Target: "/t", BindOptions: { ReadOnlyForceRecursive: true } };
  assert.throws(
    () => shaped("1.43", { HostConfig: { Mounts: [forced] } }),
    /BindOptions\.ReadOnlyForceRecursive needs API v1\.44 or newer/,
  );
});

test("versionedRequest: subpaths from 1.45 and image mounts from 1.48 on; ignored, they would show too much", () => {
  const mounted = (version: string, mount: object) => shaped(version, { HostConfig: { Mounts: [mount] } });
  const subpath = { Type: "volume", Source: "v", Target: "/t", VolumeOptions: { Subpath: "a" } };
  assert.throws(() => mounted("1.44", subpath), /^Fault: VolumeOptions\.Subpath needs API v1\.45 or newer$/);
  assert.equal(mounted("1.45", subpath).HostConfig?.Mounts?.[0]?.VolumeOptions?.Subpath, "a");
  const image = { Type: "image", Source: "i", Target: "/t" };
  assert.throws(() => mounted("1.47", image), /^Fault: mount type "image" needs API v1\.48 or newer$/);
  assert.equal(mounted("1.48", image).HostConfig?.Mounts?.[0]?.Type, "image");
});

test("containerSpec: read-only binds end at the top when the client's version says so", () => {
  const request = checkContainerCreate({ Image: "busybox", HostConfig: { Binds: ["/a:/a:ro", "/b:/b"] } });
  const options = { logDriver: "local", logOptions: {} } as const;
  const older = containerSpec(request, { ...options, readOnlyTopOnly: true });
  assert.deepEqual(
    older.mounts.map((mount) => mount.kind === "bind" && mount.readOnlyTopOnly),
    [true, undefined],
  );
  const [newer] = containerSpec(request, options).mounts;
  assert.ok(newer?.kind === "bind" && newer.readOnlyTopOnly === undefined);
});
