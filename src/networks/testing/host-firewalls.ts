import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "./machines.ts";

/**
 * Puts ufw, firewalld and netavark into the test's own mount namespace, with settings and sockets of their own: the machine's stay
 * as they are. For files that run `insideOwnNetns`.
 *
 * @param programs - the folder with `usr` and `etc` of their packages
 */
export function mountFirewalls(programs: string): void {
  run("mount", "-t", "tmpfs", "none", "/mnt");
  for (const folder of ["usr", "etc"]) {
    const [upper, work] = [`/mnt/${folder}-upper`, `/mnt/${folder}-work`];
    for (const each of [upper, work]) mkdirSync(each);
    const layers = `lowerdir=${programs}/${folder}:/${folder},upperdir=${upper},workdir=${work}`;
    run("mount", "-t", "overlay", "-o", layers, "none", `/${folder}`);
  }
  run("mount", "-t", "tmpfs", "none", "/run");
}

/** The real ufw, with its usual settings: what comes in and what is routed is denied. */
export function startUfw(): { ufw(...words: readonly string[]): void } & Disposable {
  const ufw = (...words: readonly string[]): void => {
    run("ufw", ...words);
  };
  ufw("logging", "off");
  ufw("--force", "enable");
  return {
    ufw,
    [Symbol.dispose]: () => {
      ufw("--force", "reset");
      flush();
    },
  };
}

/** The real firewalld on a bus of its own, with its usual zone. */
export async function startFirewalld(): Promise<{ cmd(...words: readonly string[]): void } & AsyncDisposable> {
  mkdirSync("/run/dbus", { recursive: true });
  // Without the system's services: nothing else is started.
  writeFileSync(
    "/run/dbus/own.conf",
    `<busconfig><listen>unix:path=/run/dbus/system_bus_socket</listen>
      <policy context="default"><allow user="*"/><allow own="*"/><allow send_type="*"/><allow receive_type="*"/></policy></busconfig>`,
  );
  const bus = spawn("dbus-daemon", ["--config-file=/run/dbus/own.conf", "--nofork", "--print-address"], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  await once(bus.stdout, "data");
  const daemon = spawn("firewalld", ["--nofork", "--nopid"], { stdio: "ignore" });
  for (let tries = 0; tries < 150 && spawnSync("firewall-cmd", ["--state"]).status !== 0; tries += 1) await sleep(100);
  return {
    cmd: (...words) => {
      run("firewall-cmd", "--quiet", ...words);
    },
    [Symbol.asyncDispose]: async () => {
      for (const child of [daemon, bus]) await end(child);
      flush();
    },
  };
}

/** What dockerd writes: the policy, its chains, and the isolation of its bridge. */
export function writeDockerRules(): Disposable {
  const rules = `*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.30.0.0/16 ! -o docker0 -j MASQUERADE
COMMIT
*filter
:FORWARD DROP [0:0]
:DOCKER - [0:0]
:DOCKER-BRIDGE - [0:0]
:DOCKER-CT - [0:0]
:DOCKER-FORWARD - [0:0]
:DOCKER-ISOLATION-STAGE-1 - [0:0]
:DOCKER-ISOLATION-STAGE-2 - [0:0]
:DOCKER-USER - [0:0]
-A FORWARD -j DOCKER-USER
-A FORWARD -j DOCKER-FORWARD
-A DOCKER ! -i docker0 -o docker0 -j DROP
-A DOCKER-BRIDGE -o docker0 -j DOCKER
-A DOCKER-CT -o docker0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A DOCKER-FORWARD -j DOCKER-CT
-A DOCKER-FORWARD -j DOCKER-ISOLATION-STAGE-1
-A DOCKER-FORWARD -j DOCKER-BRIDGE
-A DOCKER-FORWARD -i docker0 -j ACCEPT
-A DOCKER-ISOLATION-STAGE-1 -i docker0 ! -o docker0 -j DOCKER-ISOLATION-STAGE-2
-A DOCKER-ISOLATION-STAGE-2 -o docker0 -j DROP
COMMIT
`;
  for (const program of ["iptables-nft-restore", "ip6tables-nft-restore"]) {
    const text = program.startsWith("ip6")
      ? rules.replaceAll("127.0.0.0/8", "::1/128").replace("172.30.0.0/16", "fd30::/64")
      : rules;
    const end = spawnSync(program, { input: text, encoding: "utf8" });
    if (end.status !== 0) throw new Error(`${program}: ${end.stderr}`);
  }
  return { [Symbol.dispose]: flush };
}

/** Podman's netavark with its bridge and a container's namespace on it, whose port 80 it publishes as 7070. */
export async function startNetavark(): Promise<{ readonly pid: number } & AsyncDisposable> {
  const place = spawn("unshare", ["--net", "sh", "-c", "ip link set lo up; echo; exec cat"], { stdio: "pipe" });
  await once(place.stdout, "data");
  const pid = place.pid ?? 0;
  const netavark = (action: string): void => {
    const words = [action, `/proc/${pid}/ns/net`];
    const done = spawnSync("/usr/lib/podman/netavark", words, {
      input: JSON.stringify(podmanNetwork),
      encoding: "utf8",
    });
    if (done.status !== 0) throw new Error(`netavark ${action}: ${done.stdout}${done.stderr}`);
  };
  netavark("setup");
  return {
    pid,
    [Symbol.asyncDispose]: async () => {
      netavark("teardown");
      flush();
      await end(place);
    },
  };
}

const podmanNetwork = {
  container_id: "c1",
  container_name: "c1",
  networks: { podman: { interface_name: "eth0", static_ips: ["10.88.0.2"] } },
  network_info: {
    podman: {
      driver: "bridge",
      id: "1".padStart(64, "0"),
      name: "podman",
      network_interface: "podman0",
      internal: false,
      ipv6_enabled: false,
      dns_enabled: false,
      subnets: [{ subnet: "10.88.0.0/16", gateway: "10.88.0.1" }],
      ipam_options: { driver: "host-local" },
      options: {},
      created: "2024-01-01T00:00:00Z",
    },
  },
  port_mappings: [{ container_port: 80, host_ip: "", host_port: 7070, protocol: "tcp", range: 1 }],
};

/** Tables of others; ours are gone by then. */
function flush(): void {
  run("nft", "flush", "ruleset");
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, "exit");
  child.kill("SIGTERM");
  await exited;
}
