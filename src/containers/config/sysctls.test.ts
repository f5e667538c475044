import assert from "node:assert/strict";
import { test } from "node:test";
import { plainSpec } from "../testing/plain-spec.ts";
import { checkSysctls, splitSysctls } from "./sysctls.ts";

const host = { ...plainSpec, networkMode: "host", namespaces: { ...plainSpec.namespaces, ipc: "host", uts: "host" } };

test("checkSysctls: those of the container's own namespaces may be set", () => {
  for (const name of [
    "kernel.msgmax",
    "kernel.sem",
    "kernel.shm_rmid_forced",
    "fs.mqueue.msg_max",
    "net.core.somaxconn",
  ])
    checkSysctls({ ...plainSpec, sysctls: { [name]: "1" } });
  checkSysctls({ ...plainSpec, sysctls: { "net/ipv4/conf/eth0.1/forwarding": "1", "kernel.domainname": "x" } });
});

test("checkSysctls: all others are refused", () => {
  const cases: [string, RegExp][] = [
    ["kernel.panic", /^Fault: sysctl "kernel.panic" is not in a separate kernel namespace$/],
    ["vm.swappiness", /is not in a separate kernel namespace/],
    ["kernel/core_pattern", /is not in a separate kernel namespace/],
    ["kernel.hostname", /conflicts with the OCI "hostname" field/],
    ["net/../kernel/panic", /is not a kernel parameter's name/],
    ["net..x", /is not a kernel parameter's name/],
    ["net", /is not a kernel parameter's name/],
  ];
  for (const [name, message] of cases) {
    assert.throws(() => checkSysctls({ ...plainSpec, sysctls: { [name]: "1" } }), message, name);
  }
});

test("checkSysctls: in a namespace of the host's they are the host's", () => {
  assert.throws(
    () => checkSysctls({ ...host, sysctls: { "net.core.somaxconn": "1" } }),
    /not allowed in host network namespace/,
  );
  assert.throws(
    () => checkSysctls({ ...host, sysctls: { "kernel.shmmax": "1" } }),
    /not allowed in the hosts ipc namespace/,
  );
  assert.throws(
    () => checkSysctls({ ...host, sysctls: { "kernel.domainname": "x" } }),
    /not in a separate kernel namespace/,
  );
});

test("splitSysctls: a network's by the paths of their files, in both of sysctl's ways to write them", () => {
  const sysctls = { "net.core.somaxconn": "9", "net/ipv4/conf/eth0.1/forwarding": "1", "kernel.shmmax": "2" };
  assert.deepEqual(splitSysctls({ ...sysctls, "net.ipv4.conf.eth0/1.mtu": "3" }), {
    network: [
      { path: "net/core/somaxconn", value: "9" },
      { path: "net/ipv4/conf/eth0.1/forwarding", value: "1" },
      { path: "net/ipv4/conf/eth0.1/mtu", value: "3" },
    ],
    others: { "kernel.shmmax": "2" },
  });
});
