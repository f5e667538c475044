import assert from "node:assert/strict";
import { test } from "node:test";
import { checkContainerCreate } from "#api/wire";
import { isFault } from "#core/fault";
import type { EndpointRequest } from "#networks";
import { readNetworks } from "./endpoints.ts";

const id = "d".repeat(64);
const names = new Map([
  [id, "front"],
  [id.slice(0, 12), "front"],
]);

function read(body: object) {
  return readNetworks(checkContainerCreate(body), (typed) => names.get(typed) ?? typed);
}

function place(network: string, more: Partial<EndpointRequest> = {}): EndpointRequest {
  return { network, linkLocal: [], aliases: [], links: [], options: {}, gatewayPriority: 0, ...more };
}

const networking = (endpoints: object) => ({ NetworkingConfig: { EndpointsConfig: endpoints } });
const mode = (networkMode: string, more: object = {}) => ({ HostConfig: { NetworkMode: networkMode, ...more } });
const mac = "02:42:ac:11:00:02";

test("readNetworks: the mode and the endpoints of a request", () => {
  const rows: [what: string, body: object, networkMode: string, endpoints: EndpointRequest[]][] = [
    ["nothing", {}, "default", [place("bridge")]],
    ["the word default", mode("default"), "default", [place("bridge")]],
    [
      "its own entry",
      { ...mode("default"), ...networking({ default: { Aliases: null } }) },
      "default",
      [place("bridge")],
    ],
    ["a mode", mode("front"), "front", [place("front")]],
    ["only an endpoint", networking({ front: { Aliases: ["a"] } }), "front", [place("front", { aliases: ["a"] })]],
    ["an endpoint without settings", networking({ front: null }), "front", [place("front")]],
    [
      "the mode's network comes first",
      { ...mode("front"), ...networking({ back: { GwPriority: 4 }, front: { Aliases: ["a"] } }) },
      "front",
      [place("front", { aliases: ["a"] }), place("back", { gatewayPriority: 4 })],
    ],
    [
      "the mode's network is one even unsaid",
      { ...mode("front"), ...networking({ back: {} }) },
      "front",
      [place("front"), place("back")],
    ],
    [
      "settings by id, mode by name",
      { ...mode("front"), ...networking({ [id]: { Aliases: ["a"] } }) },
      "front",
      [place("front", { aliases: ["a"] })],
    ],
    [
      "mode by id, settings by name",
      { ...mode(id.slice(0, 12)), ...networking({ front: { Aliases: ["a"] } }) },
      id.slice(0, 12),
      [place(id.slice(0, 12), { aliases: ["a"] })],
    ],
    [
      "twice the same one",
      { ...mode("back"), ...networking({ front: {}, [id]: {} }) },
      "back",
      [place("back"), place("front")],
    ],
    [
      "bridge and a second one",
      { ...mode("default"), ...networking({ default: {}, front: {} }) },
      "default",
      [place("bridge"), place("front")],
    ],
    [
      "every setting",
      networking({
        front: {
          IPAMConfig: { IPv4Address: "10.1.0.9", IPv6Address: "fd00::9", LinkLocalIPs: ["169.254.1.1"] },
          Links: ["db:store"],
          Aliases: ["a", "b"],
          MacAddress: mac,
          DriverOpts: { "x.y": "z" },
          GwPriority: -7,
        },
      }),
      "front",
      [
        {
          network: "front",
          ipv4: "10.1.0.9",
          ipv6: "fd00::9",
          linkLocal: ["169.254.1.1"],
          macAddress: mac,
          aliases: ["a", "b"],
          links: ["db:store"],
          options: { "x.y": "z" },
          gatewayPriority: -7,
        },
      ],
    ],
    [
      "links of the container are the main network's",
      { ...mode("front", { Links: ["db:store", "x"] }), ...networking({ front: { Links: ["db:store"] }, back: {} }) },
      "front",
      [place("front", { links: ["db:store", "x"] }), place("back")],
    ],
    [
      "the container's MAC address too",
      { ...mode("front"), MacAddress: mac },
      "front",
      [place("front", { macAddress: mac })],
    ],
    [
      "the same MAC address twice",
      { ...mode("front"), MacAddress: mac, ...networking({ front: { MacAddress: mac } }) },
      "front",
      [place("front", { macAddress: mac })],
    ],
    ["no network", mode("none"), "none", []],
    ["host with its own entry", { ...mode("host"), ...networking({ host: {} }) }, "host", []],
    ["none with its own entry", { ...mode("none"), ...networking({ none: {} }) }, "none", []],
    ["another container's", mode("container:web"), "container:web", []],
    ["another program's", mode("ns:/run/netns/x"), "ns:/run/netns/x", []],
  ];
  for (const [what, body, networkMode, endpoints] of rows) {
    assert.deepEqual(read(body), { networkMode, endpoints }, what);
  }
  const off = read({ ...mode("front"), NetworkDisabled: true });
  assert.deepEqual(off, { networkMode: "front", endpoints: [], networkDisabled: true });
});

test("readNetworks: what cannot be is refused in Docker's words", () => {
  const shared = /^container sharing network namespace with another container or host cannot be connected/;
  const rows: [body: object, words: RegExp][] = [
    [{ ...mode("host"), ...networking({ front: {} }) }, shared],
    [{ ...mode("container:web"), ...networking({ front: {} }) }, shared],
    [{ ...mode("ns:/x"), ...networking({ front: {} }) }, shared],
    [{ ...mode("none"), ...networking({ none: {}, front: {} }) }, /networks in private \(none\) mode$/],
    [
      { ...mode("front"), MacAddress: mac, ...networking({ front: { MacAddress: "02:42:ac:11:00:03" } }) },
      /^the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty$/,
    ],
    [{ ...mode("container:web"), MacAddress: mac }, /^conflicting options: mac-address and the network mode$/],
    [mode("none", { Links: ["a"] }), /^conflicting options: none type networking can't be used with links\./],
    [
      { ...mode("front", { Links: ["a"] }), NetworkDisabled: true },
      /^conflicting options: none type networking can't be used with links\./,
    ],
    [mode("host", { Links: ["a"] }), /^conflicting options: host type networking can't be used with links\./],
    [
      mode("container:web", { Links: ["a"] }),
      /^conflicting options: container type network can't be used with links\./,
    ],
  ];
  for (const [body, words] of rows) {
    assert.throws(
      () => read(body),
      (error) => isFault(error, "invalid") && words.test(error.message),
      JSON.stringify(body),
    );
  }
});
