import assert from "node:assert/strict";
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type HostResolvers, openHostResolvers } from "./host-resolvers.ts";
import { hostUpstreams, parseServer, upstreamsOf } from "./resolv-conf.ts";

test("hostUpstreams: servers, options within bounds, and the machine itself when it names none", () => {
  const text =
    "# a\nsearch x\nnameserver 192.0.2.1\nnameserver fe80::1%eth0\nnameserver bad\noptions ndots:2 timeout:3\noptions attempts:9\n";
  assert.deepEqual(hostUpstreams(text), {
    servers: [
      { address: "192.0.2.1", port: 53 },
      { address: "fe80::1%eth0", port: 53 },
    ],
    timeoutMs: 3000,
    attempts: 5,
  });
  const itself = { servers: [{ address: "127.0.0.1", port: 53 }], timeoutMs: 2000, attempts: 1 };
  assert.deepEqual(hostUpstreams(""), itself);
  assert.deepEqual(hostUpstreams("nameserver 127.0.0.11\noptions timeout:x"), itself);
});

test("parseServer: the forms with a port", () => {
  const forms = {
    "192.0.2.1:5353": ["192.0.2.1", 5353],
    "192.0.2.1#5353": ["192.0.2.1", 5353],
    "2001:db8::1": ["2001:db8::1", 53],
    "2001:db8::1#54": ["2001:db8::1", 54],
    "fe80::1%eth0#54": ["fe80::1%eth0", 54],
    "[2001:db8::1]:54": ["2001:db8::1", 54],
  };
  for (const [form, [address, port]] of Object.entries(forms)) assert.deepEqual(parseServer(form), { address, port });
  for (const bad of ["", "localhost", "192.0.2.1#0", "192.0.2.1#70000", "192.0.2.1#", "[192.0.2.1"]) {
    assert.equal(parseServer(bad), undefined, bad);
  }
  assert.deepEqual(upstreamsOf(["127.0.0.11", "x", "192.0.2.9"]).servers, [{ address: "192.0.2.9", port: 53 }]);
});

test("openHostResolvers: follows writing, renaming, a link's other end, and removal", async () => {
  const folder = mkdtempSync(join(tmpdir(), "resolv-"));
  try {
    const path = join(folder, "resolv.conf");
    writeFileSync(path, "nameserver 192.0.2.1\n");
    using resolvers = openHostResolvers(path);
    assert.equal(first(resolvers), "192.0.2.1");
    writeFileSync(path, "nameserver 192.0.2.2\n");
    await until(resolvers, "192.0.2.2");
    writeFileSync(join(folder, "new"), "nameserver 192.0.2.3\n");
    renameSync(join(folder, "new"), path);
    await until(resolvers, "192.0.2.3");
    const elsewhere = mkdtempSync(join(folder, "elsewhere-"));
    writeFileSync(join(elsewhere, "real"), "nameserver 192.0.2.4\n");
    symlinkSync(join(elsewhere, "real"), join(folder, "link"));
    renameSync(join(folder, "link"), path);
    await until(resolvers, "192.0.2.4");
    writeFileSync(join(elsewhere, "real"), "nameserver 192.0.2.5\n"); // no watch is on that folder
    await until(resolvers, "192.0.2.5");
    rmSync(path);
    await until(resolvers, "127.0.0.1");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

function first(resolvers: HostResolvers): string | undefined {
  return resolvers.now().servers[0]?.address;
}

async function until(resolvers: HostResolvers, address: string): Promise<void> {
  for (let tries = 0; first(resolvers) !== address; tries++) {
    assert.ok(tries < 500, `${first(resolvers)} is not ${address}`);
    await sleep(10);
  }
}
