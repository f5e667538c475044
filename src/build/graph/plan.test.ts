import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { parseDockerfile } from "#core/dockerfile/parse";
import { digestOf } from "#core/digest";
import { type ContainerDefaults, nativePlatform } from "#core/oci";
import { describeGraph, plainPlan } from "./plan.fixture.ts";
import type { Graph } from "./graph.ts";
import { plan, type PlanRequest } from "./plan.ts";

/** Images that the files below stand on. */
const images: Readonly<Record<string, ContainerDefaults>> = {
  busybox: { Env: ["PATH=/bin"], Cmd: ["sh"] },
  "golang:1.25": { Env: ["PATH=/go/bin:/bin", "GOPATH=/go"], WorkingDir: "/go", Entrypoint: ["/entry"] },
  hooked: { Env: ["PATH=/bin"], OnBuild: ["COPY . /src", "RUN make -C /src"], User: "app", WorkingDir: "/home" },
};

function graphOf(text: string, given: Partial<PlanRequest> = {}): Graph {
  const { dockerfile } = parseDockerfile(text);
  const known = new Set<string>();
  for (;;) {
    const planned = plan(dockerfile, { ...plainPlan, ...given }, ({ reference, platform }) => {
      const config = images[reference];
      if (!known.has(reference) || config === undefined) return undefined;
      return { id: digestOf(reference), config: { ...platform, config, rootfs: { type: "layers", diff_ids: [] } } };
    });
    if ("graph" in planned) return planned.graph;
    for (const { reference } of planned.wanted) {
      if (images[reference] === undefined) throw new Error(`no such image in this test: ${reference}`);
      known.add(reference);
    }
  }
}

const golden = join(import.meta.dirname, "golden");

for (const name of (await readdir(golden)).filter((each) => each.endsWith(".Dockerfile")).sort()) {
  test(`plan: ${name} makes its golden graph`, async () => {
    const text = await readFile(join(golden, name), "utf8");
    const described = `${JSON.stringify(describeGraph(graphOf(text)), undefined, 1)}\n`;
    assert.equal(described, await readFile(join(golden, name.replace(/Dockerfile$/, "json")), "utf8"));
  });
}

test("plan: only stages that the target needs are planned, and only their images are asked for", () => {
  const text = "FROM unknown AS other\nFROM busybox AS base\nRUN a\nFROM base AS wanted\nRUN b\nFROM unknown\nRUN c\n";
  const { steps } = graphOf(text, { target: "wanted" });
  assert.deepEqual(
    steps.map(({ instruction }) => instruction),
    ["FROM busybox AS base", "RUN a", "FROM base AS wanted", "RUN b"],
  );
  assert.throws(() => graphOf(text, { target: "lost" }), {
    kind: "invalid",
    message: 'target stage "lost" could not be found',
    remedy: "Stages of the file: other, base, wanted.",
  });
});

test("plan: stages that need each other are refused by name", () => {
  const text = "FROM busybox AS a\nCOPY --from=b / /\nFROM busybox AS b\nCOPY --from=a / /\n";
  assert.throws(() => graphOf(text), { kind: "invalid", message: "circular dependency detected on stage: b" });
});

test("plan: arguments come from the command line, the stage, the file's top, in this order", () => {
  const text = "ARG V=top\nARG TAG=box\nFROM busy$TAG\nARG V\nARG W=own-$V\nENV V2=$V\nRUN echo $W\n";
  const env = (args: PlanRequest["args"]): readonly string[] => {
    const { files } = graphOf(text, { args }).result;
    return files.kind === "run" ? files.env : [];
  };
  assert.deepEqual(env({}), ["PATH=/bin", "V2=top", "V=top", "W=own-top"]);
  assert.deepEqual(env({ V: "given" }), ["PATH=/bin", "V2=given", "V=given", "W=own-given"]);
  assert.deepEqual(env({ W: "given" }), ["PATH=/bin", "V2=top", "V=top", "W=given"]);
});

test("plan: ENV wins over ARG, and what RUN sees of ARG is in the history", () => {
  const { result } = graphOf("FROM busybox\nARG A=1\nARG B=2\nENV A=env\nRUN true\n");
  const { files, history } = result;
  assert.deepEqual(files.kind === "run" && files.env, ["PATH=/bin", "A=env", "B=2"]);
  assert.equal(history.at(-1)?.createdBy, "RUN |1 B=2 /bin/sh -c true # buildkit");
});

test("plan: arguments that nothing takes are told", () => {
  const args = { USED: "1", TOP: "2", LOST: "3", HTTP_PROXY: "http://proxy", TARGETARCH: "x" };
  assert.deepEqual(graphOf("ARG TOP\nFROM busybox\nARG USED\n", { args }).unusedArgs, ["LOST"]);
});

test("plan: proxies reach RUN, and neither image nor history", () => {
  const { result } = graphOf("FROM busybox\nRUN true\n", { args: { HTTP_PROXY: "http://user:secret@proxy" } });
  assert.deepEqual(result.files.kind === "run" && result.files.passingEnv, ["HTTP_PROXY"]);
  assert.doesNotMatch(JSON.stringify([result.history.map(({ createdBy }) => createdBy), result.config]), /secret/);
});

test("plan: a platform's arguments are there for who names them", () => {
  const { result } = graphOf("FROM busybox\nARG TARGETARCH\nARG BUILDPLATFORM\nRUN x\n", {
    platform: { os: "linux", architecture: "arm64" },
  });
  const { architecture } = nativePlatform();
  assert.deepEqual(result.files.kind === "run" && result.files.env, [
    "PATH=/bin",
    "TARGETARCH=arm64",
    `BUILDPLATFORM=linux/${architecture}`,
  ]);
});

test("plan: what needs trust is refused without it", () => {
  const insecure = "FROM busybox\nRUN --security=insecure mount\n";
  assert.throws(() => graphOf(insecure), { kind: "forbidden", message: /security\.insecure is not allowed/ });
  const { files } = graphOf(insecure, { entitlements: new Set(["security.insecure"]) }).result;
  assert.equal(files.kind === "run" && files.insecure, true);
  const host = "FROM busybox\nRUN --network=host ip a\n";
  assert.throws(() => graphOf(host), { kind: "forbidden", message: /network\.host is not allowed/ });
  assert.throws(() => graphOf("FROM busybox\nRUN --network=lan true\n"), { kind: "invalid" });
});

test("plan: several sources want a directory as their target", () => {
  assert.throws(() => graphOf("FROM busybox\nCOPY a b /c\n"), {
    kind: "invalid",
    message: "When using COPY with more than one source file, the destination must be a directory and end with a /",
  });
});

test("plan: a base without a name says which argument lacks its value", () => {
  assert.throws(() => graphOf("ARG BASE\nFROM $BASE\n"), {
    kind: "invalid",
    message: /base name \(\$BASE\) should not be blank/,
  });
});
