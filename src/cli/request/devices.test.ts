import assert from "node:assert/strict";
import { test } from "node:test";
import { readDevices, readGpus } from "./devices.ts";

test("readDevices: paths with place and rights, and CDI's names", () => {
  const { devices, requests } = readDevices([
    "/dev/snd",
    "/dev/a:/dev/b:r",
    "/dev/a:rw",
    "vendor.com/gpu=0",
    "v/c=x:1",
  ]);
  assert.deepEqual(
    devices.map((device) => Object.values(device).join(" ")),
    ["/dev/snd /dev/snd rwm", "/dev/a /dev/b r", "/dev/a /dev/a rw"],
  );
  assert.deepEqual(
    requests.map(({ Driver, DeviceIDs }) => [Driver, DeviceIDs]),
    [["cdi", ["vendor.com/gpu=0", "v/c=x:1"]]],
  );
  assert.throws(() => readDevices(["/a:/b:x"]), /bad format for path: \/a:\/b:x/);
});

test("readGpus: all, a number, ids, and Docker's other fields", () => {
  const gpu = [["gpu"]];
  const blank = { Driver: "", Count: 0, DeviceIDs: null, Capabilities: gpu, Options: {} };
  assert.deepEqual(readGpus("all"), { ...blank, Count: -1 });
  assert.deepEqual(readGpus("count=2"), { ...blank, Count: 2 });
  assert.deepEqual(readGpus('"device=0,1",driver=nvidia,capabilities=utility'), {
    ...blank,
    Driver: "nvidia",
    DeviceIDs: ["0", "1"],
    Capabilities: [["utility", "gpu"]],
  });
  assert.throws(() => readGpus("some"), /invalid count \(some\): value must be either "all" or an integer/);
  assert.throws(() => readGpus("colour=red"), /unexpected key 'colour' in 'colour=red'/);
  assert.throws(() => readGpus("count=1,device=0"), /cannot set both Count and DeviceIDs/);
});
