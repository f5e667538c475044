import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { daemonFlags, daemonOptions } from "./commands/daemon.ts";
import { mergeConfigFile } from "./daemon-config.ts";
import { parseFlags } from "./flags/parse.ts";

const folder = await mkdtemp(join(tmpdir(), "slipway-config-"));
after(() => rm(folder, { recursive: true, force: true }));
const path = join(folder, "daemon.json");

async function merged(config: unknown, ...argv: string[]) {
  await writeFile(path, typeof config === "string" ? config : JSON.stringify(config));
  const { changed, values } = parseFlags(daemonFlags, argv, true);
  return daemonOptions(mergeConfigFile(daemonFlags, values, changed, path, true));
}

test("daemonOptions: defaults are Slipway's own folders and socket", async () => {
  const options = await merged({});
  assert.deepEqual(
    [options.dataRoot, options.execRoot, options.hosts, options.logLevel, options.mtu, options.maxConcurrentDownloads],
    ["/var/lib/slipway", "/run/slipway", ["unix:///run/slipway/slipway.sock"], "info", 1500, 3],
  );
  assert.deepEqual((await merged({}, "--exec-root", "/run/x")).hosts, ["unix:///run/x/slipway.sock"]);
});

test("mergeConfigFile: dockerd's keys", async () => {
  const options = await merged(
    {
      "data-root": "/d",
      hosts: ["unix:///a.sock"],
      labels: ["a=b"],
      "log-opts": { "max-size": "1m" },
      runtimes: { other: { path: "/usr/bin/other" } },
      debug: true,
      mtu: 1400,
      "insecure-registries": ["10.0.0.0/8"],
      "stop-containers-on-exit": true,
    },
    "--insecure-registry",
    "reg:5000",
  );
  assert.deepEqual(
    [
      options.dataRoot,
      options.hosts,
      options.labels,
      options.logOptions,
      options.runtimes,
      options.logLevel,
      options.mtu,
    ],
    ["/d", ["unix:///a.sock"], ["a=b"], { "max-size": "1m" }, { other: "/usr/bin/other" }, "debug", 1400],
  );
  assert.deepEqual(options.insecureRegistries, ["reg:5000", "10.0.0.0/8"], "registries of both places count");
  assert.equal(options.stopContainersOnExit, true);
});

test("mergeConfigFile: refuses what is unknown, twice there, or of the wrong type", async () => {
  await assert.rejects(
    merged({ zork: 1, alpha: 2 }),
    /the following directives don't match any configuration option: alpha, zork/,
  );
  await assert.rejects(
    merged({ labels: ["c=d"], mtu: 9 }, "--label", "a=b"),
    /the following directives are specified both as a flag and in the configuration file: labels: \(from flag: \[a=b\], from file: \[c=d\]\)/,
  );
  await assert.rejects(merged({ mtu: "big" }), /mtu: a value of another type is needed: number/);
  await assert.rejects(merged({ "log-driver": "zork" }), /log-driver: must be one of "local"/);
  await assert.rejects(merged("{"), /unable to configure the daemon with file/);
  await assert.rejects(merged("[]"), /no JSON object/);
  await assert.rejects(merged({ mtu: 0 }), /invalid mtu: 0/);
  const { changed, values } = parseFlags(daemonFlags, [], true);
  assert.throws(
    () => mergeConfigFile(daemonFlags, values, changed, "/nowhere.json", true),
    /open \/nowhere\.json: no such file or directory/,
  );
  assert.equal(mergeConfigFile(daemonFlags, values, changed, "/nowhere.json", false), values);
});

test("daemonOptions: ulimits for all containers, from flag and file as dockerd has them", async () => {
  const expected = [{ name: "nofile", soft: 1024, hard: 4096 }];
  const file = { "default-ulimits": { nofile: { Name: "nofile", Soft: 1024, Hard: 4096 } }, "cdi-spec-dirs": ["/x"] };
  const options = await merged(file);
  assert.deepEqual([options.defaultUlimits, options.cdiFolders], [expected, ["/x"]]);
  assert.deepEqual((await merged({}, "--default-ulimit", "nofile=1024:4096")).defaultUlimits, expected);
  assert.deepEqual((await merged({})).cdiFolders, ["/etc/cdi", "/var/run/cdi"]);
  await assert.rejects(merged({ "default-ulimits": { nofile: 5 } }), /default-ulimits: invalid ulimit argument/);
});

test("daemonOptions: TLS needs its files", async () => {
  await assert.rejects(merged({}, "--tlsverify"), /--tlscacert is needed with TLS/);
  const { tls } = await merged({}, "--tls", "--tlscert", "/c", "--tlskey", "/k");
  assert.deepEqual(tls, { cert: "/c", key: "/k", verify: false });
});

test("daemonOptions: address pools, from flag and file as dockerd has them", async () => {
  const pools = [
    { base: "10.0.0.0/8", size: 24 },
    { base: "fd00::/48", size: 64 },
  ];
  assert.deepEqual((await merged({ "default-address-pools": pools })).addressPools, pools);
  const flags = pools.flatMap(({ base, size }) => ["--default-address-pool", `base=${base},size=${size}`]);
  assert.deepEqual((await merged({}, ...flags)).addressPools, pools);
  assert.deepEqual((await merged({})).addressPools, []);
  assert.deepEqual((await merged({}, "--default-address-pool", "base=10.0.0.0/30,size=30")).addressPools.length, 1);
  const wrong: [file: unknown, words: RegExp][] = [
    [[{ base: "10.0.0.0/8" }], /default-address-pools: invalid size value: "" \(must be integer\)/],
    [[{ base: "10.0.0.0/8", size: "x" }], /invalid size value: "x"/],
    [[{ base: "10.0.0.0/8", size: 7 }], /invalid size value: 7 \(must be between the base's 8 and 30\)/],
    [[{ base: "10.0.0.0/8", size: 31 }], /invalid size value: 31/],
    [[{ base: "fd00::/48", size: 127 }], /between the base's 48 and 126/],
    [[{ base: "10.0.0.0", size: 24 }], /invalid base pool "10\.0\.0\.0"/],
    [[{ size: 24 }], /invalid base pool ""/],
    [[{ base: "10.0.0.0/8", size: 24, colour: "red" }], /unexpected key 'colour' in 'colour=red'/],
    [["x"], /default-address-pools/],
    [[null], /default-address-pools/],
    [{}, /another type is needed: pools/],
  ];
  for (const [file, words] of wrong) await assert.rejects(merged({ "default-address-pools": file }), words);
});
