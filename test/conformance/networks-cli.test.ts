import assert from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { hostname, networkInterfaces, tmpdir } from "node:os";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { makeTestImage } from "#fixtures/images";
import { freePort } from "#fixtures/registry";

let daemon: TestDaemon;
let folder: string;

before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-net-"));
  const archive = join(folder, "exposed.tar");
  const config = { ExposedPorts: { "80/tcp": {}, "90/tcp": {}, "53/udp": {} }, Cmd: ["sleep", "60"] };
  await makeTestImage(archive, { config, names: ["docker.io/library/exposed:latest"] });
  await docker("load", "-q", "-i", archive);
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function docker(...args: readonly string[]): Promise<string> {
  return await said(daemon, ...args);
}

/** Starts a web server that answers every path with its name. */
async function serve(name: string, ...flags: readonly string[]): Promise<void> {
  const script = `mkdir /w; echo ${name} > /w/index.html; exec httpd -f -p 80 -h /w`;
  await docker("run", "-d", "--name", name, ...flags, "busybox", "sh", "-c", script);
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

/** The page as a container sees it. */
async function pageFrom(flags: readonly string[], host: string, port: number | string): Promise<string> {
  const script = `printf 'GET /index.html HTTP/1.0\\r\\n\\r\\n' | nc -w 3 ${host} ${port} | tail -n 1`;
  return await docker("run", "--rm", ...flags, "busybox", "sh", "-c", script);
}

async function portOf(name: string, port: string): Promise<number> {
  return Number((await docker("port", name, port)).split("\n")[0]?.split(":").at(-1));
}

function hostAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return all.find(({ family, internal }) => family === "IPv4" && !internal)?.address ?? "127.0.0.1";
}

test("docker run -p: by 127.0.0.1, the host's own address, the gateway, another container, host.docker.internal", async () => {
  const port = await freePort();
  await serve("web", "-p", `${port}:80`);
  assert.equal(await docker("port", "web"), `80/tcp -> 0.0.0.0:${port}\n80/tcp -> [::]:${port}`);
  assert.equal(await page(`127.0.0.1:${port}`), "web");
  assert.equal(await page(`${hostAddress()}:${port}`), "web");
  const gateway = await docker("network", "inspect", "bridge", "-f", "{{(index .IPAM.Config 0).Gateway}}");
  const address = await docker("inspect", "-f", "{{.NetworkSettings.IPAddress}}", "web");
  assert.equal(await pageFrom([], hostAddress(), port), "web");
  assert.equal(await pageFrom([], gateway, port), "web");
  assert.equal(await pageFrom([], address, 80), "web");
  const named = ["--add-host", "host.docker.internal:host-gateway"];
  assert.equal(await pageFrom(named, "host.docker.internal", port), "web");
  assert.equal(await pageFrom(["--network", "host"], "127.0.0.1", port), "web");
  assert.equal(await pageFrom(["--network", "container:web"], "127.0.0.1", 80), "web");
  await docker("rm", "-f", "web");
  await assert.rejects(fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2000) }));
});

test("docker run -p: one address alone, free ports, ranges", async () => {
  await serve("local", "-p", "127.0.0.1::80");
  const port = await portOf("local", "80");
  assert.ok(port > 1023);
  assert.equal(await page(`127.0.0.1:${port}`), "local");
  if (hostAddress() !== "127.0.0.1") {
    await assert.rejects(fetch(`http://${hostAddress()}:${port}/`, { signal: AbortSignal.timeout(2000) }));
  }
  const first = await freeRange(3);
  await serve("ranged", "-p", `127.0.0.1:${first}-${first + 2}:80`);
  await serve("ranged-too", "-p", `127.0.0.1:${first}-${first + 2}:80`);
  assert.equal(await portOf("ranged", "80"), first);
  assert.equal(await portOf("ranged-too", "80"), first + 1);
  assert.equal(await page(`127.0.0.1:${first + 1}`), "ranged-too");
  const spread = await freeRange(2);
  await docker(
    "run",
    "-d",
    "--name",
    "pairs",
    "-p",
    `127.0.0.1:${spread}-${spread + 1}:80-81`,
    "busybox",
    "sleep",
    "60",
  );
  assert.deepEqual((await docker("port", "pairs")).split("\n"), [
    `80/tcp -> 127.0.0.1:${spread}`,
    `81/tcp -> 127.0.0.1:${spread + 1}`,
  ]);
  await docker("rm", "-f", "local", "ranged", "ranged-too", "pairs");
});

/** The first of so many ports in a row that nobody uses now. */
async function freeRange(count: number): Promise<number> {
  for (;;) {
    const first = await freePort();
    const wanted = Array.from({ length: count }, (_unused, index) => first + index);
    const used = await readFile("/proc/net/tcp", "utf8");
    if (wanted.every((port) => !used.includes(`:${port.toString(16).toUpperCase().padStart(4, "0")} `))) return first;
  }
}

test("docker run -p: udp, and the answer comes back", async () => {
  // This busybox has nothing that listens for datagrams: the machine's perl answers them.
  const program = `use IO::Socket::INET; my $s = IO::Socket::INET->new(LocalPort => 53, Proto => "udp"); while ($s->recv(my $m, 99)) { $s->send($m) }`;
  const libraries = ["/usr", "/lib", "/lib64"].flatMap((path) => ["-v", `${path}:${path}:ro`]);
  const published = ["-p", "127.0.0.1::53/udp"];
  await docker(
    "run",
    "-d",
    "--name",
    "datagrams",
    ...published,
    ...libraries,
    "busybox",
    "/usr/bin/perl",
    "-e",
    program,
  );
  const port = await portOf("datagrams", "53/udp");
  const socket = createSocket("udp4");
  const asking = setInterval(() => socket.send("ping\n", port, "127.0.0.1"), 50);
  const [answer] = await once(socket, "message", { signal: AbortSignal.timeout(10_000) });
  clearInterval(asking);
  socket.close();
  assert.equal(String(answer), "ping\n");
  await docker("rm", "-f", "datagrams");
});

test("docker run -P: every exposed port gets one; --expose adds", async () => {
  await docker("run", "-d", "--name", "all", "-P", "--expose", "7000", "exposed");
  const ports = (await docker("port", "all")).split("\n").map((line) => line.split(" ")[0]);
  assert.equal(ports.length, 8, "each on both families");
  assert.deepEqual(
    [...new Set(ports)].toSorted((a = "", b = "") => a.localeCompare(b)),
    ["53/udp", "7000/tcp", "80/tcp", "90/tcp"],
  );
  assert.match(await docker("ps", "--format", "{{.Ports}}"), /0\.0\.0\.0:\d+->80\/tcp/);
  await docker("rm", "-f", "all");
  await docker("run", "-d", "--name", "none", "exposed");
  assert.equal(await docker("port", "none"), "", "exposed is not published");
  assert.equal(await docker("inspect", "-f", '{{json (index .NetworkSettings.Ports "80/tcp")}}', "none"), "null");
  await docker("rm", "-f", "none");
});

test("docker run --network none, host, container:NAME: what is seen inside", async () => {
  const links = ["busybox", "ls", "/sys/class/net"];
  assert.equal(await docker("run", "--rm", "--network", "none", ...links), "lo");
  assert.deepEqual((await docker("run", "--rm", ...links)).split("\n"), ["eth0", "lo"]);
  assert.equal(await docker("run", "--rm", "--network", "host", "busybox", "hostname"), hostname());
  const hostLinks = (await docker("run", "--rm", "--network", "host", ...links)).split("\n");
  for (const name of Object.keys(networkInterfaces())) assert.ok(hostLinks.includes(name), name);
  const id = await docker("run", "-d", "--name", "owner", "busybox", "sleep", "60");
  assert.equal(await docker("run", "--rm", "--network", "container:owner", "busybox", "hostname"), id.slice(0, 12));
  const address = ["busybox", "ip", "-o", "-4", "address", "show", "eth0"];
  assert.equal(
    await docker("run", "--rm", "--network", "container:owner", ...address),
    await docker("exec", "owner", ...address.slice(1)),
  );
  await refused(
    daemon,
    "conflicting options: port publishing and the container type network mode",
    "run",
    "--rm",
    "--network",
    "container:owner",
    "-p",
    "80:80",
    "busybox",
  );
  await docker("stop", "-t", "0", "owner");
  await refused(
    daemon,
    "cannot join network of a non running container",
    "run",
    "--rm",
    "--network",
    "container:owner",
    "busybox",
  );
  await docker("rm", "owner");
});

test("/etc/hosts, /etc/hostname, /etc/resolv.conf: what a container reads", async () => {
  const flags = ["--hostname", "box.example.test", "--add-host", "db:10.9.8.7", "--add-host", "db6:2001:db8::1"];
  const files = [
    "busybox",
    "sh",
    "-c",
    "cat /etc/hosts; echo --; cat /etc/hostname; echo --; cat /etc/resolv.conf; hostname -i",
  ];
  const [hosts = "", name = "", resolver = ""] = (await docker("run", "--rm", ...flags, ...files)).split("--\n");
  assert.match(hosts, /^127\.0\.0\.1\tlocalhost$/m);
  assert.match(hosts, /^::1\s+localhost ip6-localhost ip6-loopback$/m);
  assert.match(hosts, /^10\.9\.8\.7\tdb$/m);
  assert.match(hosts, /^2001:db8::1\tdb6$/m);
  assert.match(hosts, /^\d+\.\d+\.\d+\.\d+\tbox\.example\.test box$/m);
  assert.equal(name, "box.example.test\n");
  assert.match(resolver, /^nameserver 127\.0\.0\.11$/m);
  await docker("run", "-d", "--name", "edits", "busybox", "sh", "-c", "echo 10.1.1.1 added >> /etc/hosts; sleep 60");
  await sleep(200);
  assert.match(await docker("exec", "edits", "cat", "/etc/hosts"), /added/);
  assert.doesNotMatch(await readFile("/etc/hosts", "utf8"), /10\.1\.1\.1 added/);
  await docker("rm", "-f", "edits");
});
