import assert from "node:assert/strict";
import { test } from "node:test";
import { linkEnvironment } from "./links.ts";

test("linkEnvironment: Docker's variables, the lowest port first, the other's own environment without its home", () => {
  const db = {
    alias: "my-db",
    address: "172.17.0.5",
    hostNames: [],
    exposedPorts: ["5433/udp", "5432/tcp"],
    env: ["HOME=/root", "PATH=/bin", "POSTGRES_DB=shop"],
  };
  assert.deepEqual(linkEnvironment("web", [db]), [
    "MY_DB_NAME=/web/my-db",
    "MY_DB_PORT=tcp://172.17.0.5:5432",
    "MY_DB_PORT_5432_TCP=tcp://172.17.0.5:5432",
    "MY_DB_PORT_5432_TCP_ADDR=172.17.0.5",
    "MY_DB_PORT_5432_TCP_PORT=5432",
    "MY_DB_PORT_5432_TCP_PROTO=tcp",
    "MY_DB_PORT_5433_UDP=udp://172.17.0.5:5433",
    "MY_DB_PORT_5433_UDP_ADDR=172.17.0.5",
    "MY_DB_PORT_5433_UDP_PORT=5433",
    "MY_DB_PORT_5433_UDP_PROTO=udp",
    "MY_DB_ENV_POSTGRES_DB=shop",
  ]);
});

test("linkEnvironment: a container that exposes nothing is named alone", () => {
  const link = { alias: "db", address: "172.17.0.5", hostNames: [], exposedPorts: [], env: [] };
  assert.deepEqual(linkEnvironment("web", [link]), ["DB_NAME=/web/db"]);
});
