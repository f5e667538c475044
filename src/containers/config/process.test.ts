import assert from "node:assert/strict";
import { test } from "node:test";
import { isFault } from "#core/fault";
import type { ContainerDefaults } from "#core/oci";
import { overrideEnv, processEnv, resolveProcess } from "./process.ts";
import { plainSpec } from "../testing/plain-spec.ts";

const image: ContainerDefaults = {
  Entrypoint: ["/entry"],
  Cmd: ["serve"],
  Env: ["A=1", "B=2"],
  WorkingDir: "/srv/app/../www/",
  User: "www",
  Labels: { kept: "image", both: "image" },
  ExposedPorts: { "80/tcp": {} },
  StopSignal: "SIGQUIT",
};

test("resolveProcess: takes all from the image when nothing was asked for", () => {
  const process = resolveProcess(plainSpec, image);
  assert.deepEqual(process.args, ["/entry", "serve"]);
  assert.deepEqual(process.env, ["A=1", "B=2"]);
  assert.equal(process.workingDir, "/srv/www");
  assert.equal(process.user, "www");
  assert.equal(process.stopSignal, "SIGQUIT");
  assert.deepEqual(process.exposedPorts, ["80/tcp"]);
});

test("resolveProcess: a command replaces the image's, an entrypoint both", () => {
  assert.deepEqual(resolveProcess({ ...plainSpec, command: ["x"] }, image).args, ["/entry", "x"]);
  assert.deepEqual(resolveProcess({ ...plainSpec, entrypoint: ["/e"] }, image).args, ["/e"]);
  assert.deepEqual(resolveProcess({ ...plainSpec, entrypoint: ["/e"], command: ["x"] }, image).args, ["/e", "x"]);
});

test("resolveProcess: an empty entrypoint takes the image's away and keeps its command; an empty word takes both", () => {
  assert.deepEqual(resolveProcess({ ...plainSpec, entrypoint: [] }, image).args, ["serve"]);
  assert.deepEqual(resolveProcess({ ...plainSpec, entrypoint: [""], command: ["x"] }, image).args, ["x"]);
  assert.throws(
    () => resolveProcess({ ...plainSpec, entrypoint: [""] }, image),
    (error) => isFault(error, "invalid") && error.message === "no command specified",
  );
});

test("resolveProcess: own environment and labels win over the image's", () => {
  const process = resolveProcess({ ...plainSpec, env: ["B=3", "C"], labels: { both: "own" } }, image);
  assert.deepEqual(process.env, ["B=3", "C", "A=1"]);
  assert.deepEqual(process.labels, { kept: "image", both: "own" });
});

test("resolveProcess: refuses a relative working folder and an unknown signal", () => {
  assert.throws(
    () => resolveProcess({ ...plainSpec, workingDir: "srv" }, image),
    /the working directory 'srv' is invalid, it needs to be an absolute path/,
  );
  assert.throws(() => resolveProcess({ ...plainSpec, stopSignal: "NOPE" }, image), /Invalid signal: NOPE/);
});

test("processEnv: Docker's own names first, overridden in place, TERM on terminals", () => {
  const env = processEnv({ env: ["PATH=/x", "TERM", "Q=1"], hostname: "h", tty: true, home: "/root" });
  assert.deepEqual(env, ["PATH=/x", "HOSTNAME=h", "Q=1", "HOME=/root"]);
  assert.ok(processEnv({ env: ["HOME=/own"], hostname: "h", tty: true, home: "/root" }).includes("HOME=/own"));
  assert.ok(processEnv({ env: [], hostname: "h", tty: true, home: "/" }).includes("TERM=xterm"));
});

test("overrideEnv: a name alone removes, an empty value stays", () => {
  assert.deepEqual(overrideEnv(["A=1", "B=2"], ["A", "B="]), ["B="]);
});
