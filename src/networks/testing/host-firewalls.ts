import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { run } from "./machines.ts";

/**
 * Gives the test's mount namespace folders of its own where firewalls keep their settings and sockets: the machine's stay as
 * they are. For files that run `insideOwnNetns`.
 */
export function hideHostSettings(...folders: readonly string[]): void {
  run("mount", "-t", "tmpfs", "none", "/mnt");
  for (const folder of folders) {
    const copy = `/mnt${folder}`;
    mkdirSync(copy, { recursive: true });
    run("cp", "-a", `${folder}/.`, copy);
    run("mount", "--bind", copy, folder);
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
  const bus = spawn("dbus-daemon", ["--system", "--nofork", "--nopidfile", "--print-address"], {
    stdio: ["ignore", "pipe", "inherit"],
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
