import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { availableParallelism } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { mustRun } from "../../test/fixtures/program.ts";
import { type Figure, median } from "./figures.ts";
import type { Ground } from "./ground.ts";

const pairs = 11;
const seconds = 1;
const port = "5201";

/** Where a stream of bytes goes: from one network namespace (of a process) to a server in another. */
interface Path {
  readonly client: number;
  readonly address: string;
  readonly port: string;
}

/** A host with two containers and a neighbour outside: the ways between them. */
interface Machine {
  readonly between: Path;
  readonly published: Path;
}

/**
 * How fast bytes go from container to container, and from another machine to a published port, against the same made by hand:
 * veth pairs, a bridge, one dnat rule, in a network namespace of its own, where none of our rules are. What is made by hand is
 * compared with itself too: how far that is from 1 tells what this machine's other work does to the figures.
 */
export async function throughput(ground: Ground): Promise<Figure[]> {
  await using undo = new AsyncDisposableStack();
  const [ours, byHand, again] = [await madeByUs(ground, undo), await madeByHand(undo), await madeByHand(undo)];
  const between = await ratioOf(ours.between, byHand.between);
  const published = await ratioOf(ours.published, byHand.published);
  const noise = await ratioOf(again.between, byHand.between);
  const figure = (what: string, { ratio, measured }: Ratio): Figure => ({
    what: `throughput, ${what}, against the same made by hand`,
    measured,
    target: "≥ 0.95 ×",
    met: ratio >= 0.95,
  });
  return [
    figure("container to container", between),
    figure("another machine to a published port", published),
    { what: "throughput of what is made by hand, against the same made once more", measured: noise.measured },
  ];
}

interface Ratio {
  readonly ratio: number;
  readonly measured: string;
}

async function ratioOf(ours: Path, byHand: Path): Promise<Ratio> {
  const rates: [number, number][] = [];
  for (let pair = 0; pair < pairs; pair++) {
    const first = pair % 2 === 0 ? await rateOf(ours) : 0;
    const other = await rateOf(byHand);
    rates.push([first === 0 ? await rateOf(ours) : first, other]);
  }
  const [mine, theirs] = ([0, 1] as const).map((side) => median(rates.map((pair) => pair[side])) / 1e9);
  const ratio = (mine ?? 0) / (theirs ?? 1);
  return {
    ratio,
    measured: `${ratio.toFixed(2)} × (medians of ${pairs} pairs; ${mine?.toFixed(1)} against ${theirs?.toFixed(1)} Gbit/s on ${availableParallelism()} processors)`,
  };
}

/** Bits a second that arrive. */
async function rateOf({ client, address, port: to }: Path): Promise<number> {
  const words = ["iperf3", "-c", address, "-p", to, "-t", String(seconds), "-O", "0.2", "-J"];
  const answer = JSON.parse(await inside(client, ...words)) as {
    end: { sum_received: { bits_per_second: number } };
  };
  return answer.end.sum_received.bits_per_second;
}

async function madeByUs({ api }: Ground, undo: AsyncDisposableStack): Promise<Machine> {
  const start = async (bindings: object): Promise<{ pid: number; address: string; hostPort: string }> => {
    const HostConfig = { NetworkMode: "default", PortBindings: bindings };
    const request = { Image: "busybox:latest", Cmd: ["sleep", "100000"], HostConfig };
    const { Id: id } = await api.ask<{ Id: string }>("POST", "/containers/create", request);
    undo.defer(async () => void (await api.ask("DELETE", `/containers/${id}?force=1`)));
    await api.ask("POST", `/containers/${id}/start`);
    const { State, NetworkSettings } = await api.ask<Inspected>("GET", `/containers/${id}/json`);
    const hostPort = NetworkSettings.Ports[`${port}/tcp`]?.[0]?.HostPort ?? "";
    return { pid: State.Pid, address: NetworkSettings.Networks["bridge"]?.IPAddress ?? "", hostPort };
  };
  const server = await start({ [`${port}/tcp`]: [{ HostPort: "0" }] });
  const other = await start({});
  await serveIn(server.pid, undo);
  const outside = await newNamespace(undo);
  await mustRun("ip", ["link", "add", "bench-out", "type", "veth", "peer", "name", "out", "netns", `${outside}`]);
  undo.defer(async () => void (await mustRun("ip", ["link", "delete", "bench-out"])));
  await mustRun("sh", ["-c", "ip address add 198.51.100.1/24 dev bench-out && ip link set bench-out up"]);
  await inside(outside, "sh", "-c", "ip address add 198.51.100.2/24 dev out && ip link set out up");
  return {
    between: { client: other.pid, address: server.address, port },
    published: { client: outside, address: "198.51.100.1", port: server.hostPort },
  };
}

interface Inspected {
  readonly State: { readonly Pid: number };
  readonly NetworkSettings: {
    readonly Networks: Readonly<Record<string, { readonly IPAddress: string } | undefined>>;
    readonly Ports: Readonly<Record<string, readonly { readonly HostPort: string }[] | null | undefined>>;
  };
}

/** The same shape, as somebody would type it. */
async function madeByHand(undo: AsyncDisposableStack): Promise<Machine> {
  const [host, server, other, outside] = [
    await newNamespace(undo),
    await newNamespace(undo),
    await newNamespace(undo),
    await newNamespace(undo),
  ];
  await inside(
    host,
    "sh",
    "-ec",
    `ip link set lo up
    ip link add br0 type bridge
    ip address add 10.99.0.1/24 dev br0
    ip link set br0 up
    ip link add one master br0 type veth peer name eth0 netns ${server}
    ip link add two master br0 type veth peer name eth0 netns ${other}
    ip link add up0 type veth peer name out netns ${outside}
    ip address add 198.51.100.1/24 dev up0
    ip link set one up; ip link set two up; ip link set up0 up
    sysctl -q -w net.ipv4.ip_forward=1
    nft 'table ip hand { chain pre { type nat hook prerouting priority dstnat; tcp dport 8080 dnat to 10.99.0.2:${port}; }; }'`,
  );
  for (const [pid, name, address] of [
    [server, "eth0", "10.99.0.2/24"],
    [other, "eth0", "10.99.0.3/24"],
    [outside, "out", "198.51.100.2/24"],
  ] as const) {
    await inside(pid, "sh", "-ec", `ip address add ${address} dev ${name}; ip link set ${name} up`);
  }
  await inside(server, "ip", "route", "add", "default", "via", "10.99.0.1");
  await serveIn(server, undo);
  return {
    between: { client: other, address: "10.99.0.2", port },
    published: { client: outside, address: "198.51.100.1", port: "8080" },
  };
}

async function serveIn(pid: number, undo: AsyncDisposableStack): Promise<void> {
  const server = spawn("nsenter", [`--net=/proc/${pid}/ns/net`, "iperf3", "-s", "-p", port], { stdio: "ignore" });
  undo.defer(async () => await end(server));
  await sleep(500);
}

/** A network namespace, by a process that holds it. */
async function newNamespace(undo: AsyncDisposableStack): Promise<number> {
  const holder = spawn("unshare", ["--net", "sh", "-c", "ip link set lo up; echo; exec cat"], { stdio: "pipe" });
  undo.defer(async () => await end(holder));
  await once(holder.stdout, "data");
  if (holder.pid === undefined) throw new Error("unshare does not start");
  return holder.pid;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  child.kill();
  await once(child, "exit");
}

async function inside(pid: number, ...words: readonly string[]): Promise<string> {
  return await mustRun("nsenter", [`--net=/proc/${pid}/ns/net`, ...words]);
}
