import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { startDaemon } from "#fixtures/daemon";
import { said } from "#fixtures/expect";
import { runProgram } from "#fixtures/program";

/** Docker Compose 1.29, the one that Debian 12 has. */
const file = `version: "3.7"
services:
  web:
    image: busybox:latest
    init: true
    command: sh -c 'mkdir /w; echo web > /w/index.html; exec httpd -f -p 80 -h /w'
    networks:
      front: {aliases: [www]}
      back: {ipv4_address: 10.233.7.9}
    ports: ["127.0.0.1:18280-18289:80"]
    extra_hosts: ["gw.example:host-gateway"]
    depends_on: [db]
  db:
    image: busybox:latest
    init: true
    command: sleep 600
    networks: [back]
  side:
    image: busybox:latest
    init: true
    command: sleep 600
    network_mode: service:web
    depends_on: [web]
  many:
    image: busybox:latest
    init: true
    command: sleep 600
    networks: [back, vault]
    ports: ["80"]
networks:
  front: {driver: bridge, attachable: true, labels: {tier: front}}
  back: {ipam: {driver: default, config: [{subnet: 10.233.7.0/24}]}}
  vault: {internal: true}
`;

test("docker-compose 1: up, ps, exec by service, replicas, recreate, run, stop and start, down", async () => {
  await using daemon = await startDaemon({ busybox: true });
  const folder = await mkdtemp(join(tmpdir(), "slipway-compose-"));
  const compose = async (...args: readonly string[]): Promise<string> => {
    const { code, stdout, stderr } = await runProgram("docker-compose", ["-p", "shop", ...args], {
      cwd: folder,
      env: { DOCKER_HOST: `unix://${daemon.socket}`, DOCKER_CONFIG: `${daemon.roots.dataRoot}.docker` },
      timeoutMs: 60_000,
    });
    assert.equal(code, 0, `docker-compose ${args.join(" ")}: ${stderr}`);
    return stdout;
  };
  try {
    await writeFile(join(folder, "docker-compose.yml"), file);
    await compose("up", "-d", "--scale", "many=3");
    assert.equal([...(await compose("ps")).matchAll(/^shop_\S+ .* Up /gm)].length, 6);
    assert.match(await compose("port", "web", "80"), /^127\.0\.0\.1:1828\d$/m);
    assert.equal(await compose("exec", "-T", "side", "wget", "-qO-", "http://www/"), "web\n");
    const found = await compose("exec", "-T", "web", "nslookup", "many", "127.0.0.11");
    assert.equal(new Set(found.match(/10\.233\.7\.\d+/g)).size, 3, found);
    await compose("up", "-d", "--scale", "many=1", "--force-recreate", "web", "many");
    assert.match(await compose("exec", "-T", "web", "ip", "address"), /10\.233\.7\.9\/24/);
    assert.equal(await compose("run", "--rm", "-T", "many", "wget", "-qO-", "http://web/"), "web\n");
    await compose("stop", "-t", "0", "web");
    await compose("start", "web");
    await compose("exec", "-T", "db", "ping", "-c", "1", "-W", "2", "web");
    assert.equal(
      await said(daemon, "network", "ls", "--filter", "label=tier=front", "--format", "{{.Name}}"),
      "shop_front",
    );
    await compose("down", "-t", "0");
    assert.equal(await said(daemon, "network", "ls", "-q", "--filter", "type=custom"), "");
    assert.equal(await said(daemon, "ps", "-aq"), "");
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
