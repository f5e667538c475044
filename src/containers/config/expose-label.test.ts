import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import { readExposeLabel } from "./expose-label.ts";

const read = (value: string): ReturnType<typeof readExposeLabel> => readExposeLabel({ "io.slipway.expose": value });

test("readExposeLabel: without the label it says nothing; all and none say it of every port", () => {
  assert.equal(readExposeLabel({ expose: "all" }), undefined);
  assert.equal(read("all")?.(80, "udp"), true);
  assert.equal(read(" none ")?.(80, "tcp"), false);
});

test("readExposeLabel: ports, ranges and protocols", () => {
  const exposure = read("80, 53/udp,8000-8010/sctp");
  assert.deepEqual(
    [exposure?.(80, "tcp"), exposure?.(53, "udp"), exposure?.(8000, "sctp"), exposure?.(8010, "sctp")],
    [true, true, true, true],
  );
  assert.deepEqual(
    [exposure?.(80, "udp"), exposure?.(53, "tcp"), exposure?.(8011, "sctp"), exposure?.(443, "tcp")],
    [false, false, false, false],
  );
});

test("readExposeLabel: what it cannot read is refused, with the remedy", () => {
  for (const value of ["", "0", "80,", "http", "80/icmp", "90-80", "65536", "all,80"]) {
    assert.throws(
      () => read(value),
      (error) => isFault(error, "invalid") && error.remedy !== undefined,
      value,
    );
  }
});
