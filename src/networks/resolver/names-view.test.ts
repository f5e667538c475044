import assert from "node:assert/strict";
import { test } from "node:test";
import { NamesPicture } from "./names-view.ts";
import { addressOfReverseName } from "./reverse-names.ts";
import { containerOf } from "./testing/messages.ts";

const web = containerOf("web", { n1: { names: ["Web", "www"], ipv4: "10.0.1.2", ipv6: "fd00::2" } });
const database = containerOf("db", {
  n1: { names: ["db"], ipv4: "10.0.1.3" },
  n2: { names: ["db"], ipv4: "10.0.2.3" },
});
const stranger = containerOf("stranger", { n2: { names: ["stranger"], ipv4: "10.0.2.9" } });

test("NamesPicture: a container sees the names of its own networks, whatever their case, and no others", () => {
  const picture = pictureOf(web, database, stranger);
  assert.deepEqual(picture.addressesOf(database, "web"), { ipv4: ["10.0.1.2"], ipv6: ["fd00::2"] });
  assert.deepEqual(picture.addressesOf(database, "www.net-n1"), { ipv4: ["10.0.1.2"], ipv6: ["fd00::2"] });
  assert.deepEqual(picture.addressesOf(web, "db")?.ipv4, ["10.0.1.3"]);
  assert.equal(picture.addressesOf(web, "stranger"), undefined);
  assert.equal(picture.addressesOf(web, "db.net-n2"), undefined);
  assert.equal(picture.addressesOf(web, "net-n1"), undefined);
});

test("NamesPicture: of several networks the first one with addresses of the family answers", () => {
  const twin = containerOf("twin", { n2: { names: ["web"], ipv4: "10.0.2.5" } });
  const picture = pictureOf(web, database, twin);
  const reversed = { ...database, endpoints: database.endpoints.toReversed() };
  assert.deepEqual(picture.addressesOf(database, "web"), { ipv4: ["10.0.1.2"], ipv6: ["fd00::2"] });
  assert.deepEqual(picture.addressesOf(reversed, "web"), { ipv4: ["10.0.2.5"], ipv6: ["fd00::2"] });
});

test("NamesPicture: containers may share a name; one that goes takes its own address along", () => {
  const other = containerOf("other", { n1: { names: ["www"], ipv4: "10.0.1.7" } });
  const picture = pictureOf(web, other, database);
  assert.deepEqual(picture.addressesOf(database, "www")?.ipv4, ["10.0.1.2", "10.0.1.7"]);
  picture.forget("web");
  assert.deepEqual(picture.addressesOf(database, "www")?.ipv4, ["10.0.1.7"]);
  assert.equal(picture.addressesOf(database, "web"), undefined);
  picture.forget("web");
  assert.equal(picture.size, 2);
});

test("NamesPicture: what is stated again replaces what was known", () => {
  const picture = pictureOf(web, database);
  picture.state(containerOf("web", { n1: { names: ["front"], ipv4: "10.0.1.8" } }));
  assert.equal(picture.addressesOf(database, "www"), undefined);
  assert.deepEqual(picture.addressesOf(database, "front")?.ipv4, ["10.0.1.8"]);
  assert.equal(picture.nameOf(database, "10.0.1.2"), undefined);
});

test("NamesPicture: a link is seen by its container alone, before names, and leads only into shared networks", () => {
  const linking = containerOf(
    "app",
    { n1: { ipv4: "10.0.1.4" } },
    { links: { store: "db", www: "db", far: "stranger" } },
  );
  const picture = pictureOf(web, database, stranger, linking);
  assert.deepEqual(picture.addressesOf(linking, "store"), { ipv4: ["10.0.1.3"], ipv6: [] });
  assert.deepEqual(picture.addressesOf(linking, "www")?.ipv4, ["10.0.1.3"]);
  assert.deepEqual(picture.addressesOf(linking, "far"), { ipv4: [], ipv6: [] });
  assert.equal(picture.addressesOf(web, "store"), undefined);
  picture.forget("db");
  assert.equal(picture.addressesOf(linking, "store"), undefined);
  assert.deepEqual(picture.addressesOf(linking, "www")?.ipv4, ["10.0.1.2"]);
});

test("NamesPicture: an address leads back to its name, in the asker's networks alone", () => {
  const picture = pictureOf(web, database, stranger);
  assert.equal(picture.nameOf(database, "10.0.1.2"), "Web.net-n1");
  assert.equal(picture.nameOf(database, "fd00::2"), "Web.net-n1");
  assert.equal(picture.nameOf(web, "10.0.2.9"), undefined);
});

test("NamesPicture: an address that went to another container stays with it when the first one is forgotten", () => {
  const picture = pictureOf(web, database);
  picture.state(containerOf("next", { n1: { names: ["next"], ipv4: "10.0.1.2" } }));
  picture.forget("web");
  assert.equal(picture.nameOf(database, "10.0.1.2"), "next.net-n1");
});

test("addressOfReverseName: both families, canonical; nothing else", () => {
  assert.equal(addressOfReverseName("2.1.0.10.in-addr.arpa"), "10.0.1.2");
  const nibbles = "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f";
  assert.equal(addressOfReverseName(`${nibbles}.ip6.arpa`), "fd00::2");
  for (const name of ["1.0.10.in-addr.arpa", "x.ip6.arpa", "in-addr.arpa", "999.1.0.10.in-addr.arpa", "web"]) {
    assert.equal(addressOfReverseName(name), undefined, name);
  }
});

function pictureOf(...containers: Parameters<NamesPicture["state"]>[0][]): NamesPicture {
  const picture = new NamesPicture();
  for (const container of containers) picture.state(container);
  return picture;
}
