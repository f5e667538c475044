import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { freePort } from "#fixtures/registry";

let daemon: TestDaemon;

before(async () => {
  daemon = await startDaemon({ busybox: true });
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
});

async function docker(...args: readonly string[]): Promise<string> {
  return await said(daemon, ...args);
}

async function serve(name: string, port: number, ...flags: readonly string[]): Promise<void> {
  const script = `mkdir /w; echo ${name} > /w/index.html; exec httpd -f -p 80 -h /w`;
  await docker("run", "-d", "--name", name, "-p", `${port}:80`, ...flags, "busybox", "sh", "-c", script);
}

/** The page there; asks again for a moment, as the server may only just be starting. */
async function page(address: string): Promise<string> {
  for (let tries = 0; ; tries++) {
    try {
      const answer = await fetch(`http://${address}/index.html`, { signal: AbortSignal.timeout(3000) });
      return (await answer.text()).trim();
    } catch (error) {
      if (tries > 40) throw error;
      await sleep(50);
    }
  }
}

/** Whether another program gets the port. */
async function isFree(host: string, port: number): Promise<boolean> {
  const server = createServer();
  const { promise, resolve } = Promise.withResolvers<boolean>();
  server.once("error", () => resolve(false)).once("listening", () => resolve(true));
  server.listen({ host, port, ipv6Only: host.includes(":") });
  const free = await promise;
  if (!free) return false;
  server.close();
  await once(server, "close");
  return true;
}

async function assertFreeSoon(port: number): Promise<void> {
  for (let tries = 0; tries < 100; tries += 1) {
    if ((await isFree("0.0.0.0", port)) && (await isFree("::", port))) return;
    await sleep(20);
  }
  assert.fail(`${port} is still in use:\n${execFileSync("ss", ["-Hltnup"]).toString()}`);
}

async function pidOf(name: string): Promise<number> {
  return Number(await docker("inspect", "-f", "{{.State.Pid}}", name));
}

function parentOf(pid: number): number {
  return Number(readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ")[1]);
}

test("docker run -p: on both families with one number, and held by the container's monitor", async () => {
  const port = await freePort();
  await serve("both", port);
  assert.equal(await docker("port", "both"), `80/tcp -> 0.0.0.0:${port}\n80/tcp -> [::]:${port}`);
  const shown = await docker("ps", "--filter", "name=both", "--format", "{{.Ports}}");
  assert.equal(shown, `0.0.0.0:${port}->80/tcp, [::]:${port}->80/tcp`);
  const bindings = JSON.parse(await docker("inspect", "-f", "{{json .NetworkSettings.Ports}}", "both"));
  assert.deepEqual(bindings, {
    "80/tcp": [
      { HostIp: "0.0.0.0", HostPort: String(port) },
      { HostIp: "::", HostPort: String(port) },
    ],
  });
  for (const address of ["127.0.0.1", "[::1]"]) assert.equal(await page(`${address}:${port}`), "both");
  const monitor = parentOf(await pidOf("both"));
  const listeners = execFileSync("ss", ["-Hltnp", `sport = :${port}`])
    .toString()
    .trim()
    .split("\n");
  assert.equal(listeners.length, 2);
  for (const line of listeners) assert.match(line, new RegExp(`pid=${monitor},`));
  const sockets = execFileSync("ss", ["-Hltnp"]).toString();
  assert.doesNotMatch(sockets, new RegExp(`pid=${daemon.pid},`), "the daemon itself listens nowhere");
  await docker("rm", "-f", "both");
  assert.ok((await isFree("0.0.0.0", port)) && (await isFree("::", port)), "free when it is removed");
});

test("published ports: while the daemon is dead they are held and answer, and its next life knows them", async () => {
  const port = await freePort();
  await serve("lives", port);
  await page(`127.0.0.1:${port}`);
  await daemon.kill9();
  assert.deepEqual([await isFree("0.0.0.0", port), await isFree("::", port)], [false, false]);
  for (const address of ["127.0.0.1", "[::1]"]) assert.equal(await page(`${address}:${port}`), "lives");
  await daemon.start();
  const words = `Bind for 0.0.0.0:${port} failed: port is already allocated`;
  await refused(daemon, words, "run", "--rm", "-p", `${port}:80`, "busybox", "true");
  // Restarted, it gets the same again, whatever connections the kernel remembers.
  await docker("restart", "-t", "0", "lives");
  for (const address of ["127.0.0.1", "[::1]"]) assert.equal(await page(`${address}:${port}`), "lives");
  // In another network it is reached by the address that it has there.
  await docker("network", "create", "elsewhere");
  await docker("network", "connect", "elsewhere", "lives");
  await docker("network", "disconnect", "bridge", "lives");
  for (const address of ["127.0.0.1", "[::1]"]) assert.equal(await page(`${address}:${port}`), "lives");
  await docker("rm", "-f", "lives");
  await docker("network", "rm", "elsewhere");
  await assertFreeSoon(port);
});

test("published ports: after kill -9 of the container or of its monitor nobody holds them", async () => {
  const port = await freePort();
  await serve("killed", port);
  process.kill(await pidOf("killed"), "SIGKILL");
  await docker("wait", "killed");
  assert.ok((await isFree("0.0.0.0", port)) && (await isFree("::", port)), "free when its end is told");
  await docker("start", "killed");
  assert.equal(await page(`[::1]:${port}`), "killed");
  const monitor = parentOf(await pidOf("killed"));
  process.kill(monitor, "SIGKILL");
  await docker("wait", "killed");
  await assertFreeSoon(port);
  assert.equal(existsSync(`/proc/${monitor}`), false);
  await docker("rm", "killed");
  // And a start that fails keeps none.
  const failing = ["run", "--rm", "-p", `${port}:80`, "busybox", "not-there"];
  await refused(daemon, "not-there", ...failing);
  await refused(daemon, "not-there", ...failing);
  await assertFreeSoon(port);
});
