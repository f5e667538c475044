/** Makes the image of `hello` from the program that hello/build.sh built: build/hello/hello.tar, an OCI layout in a tar. */
import { chmod, copyFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { makeImage } from "./image/make-image.ts";

const root = join(import.meta.dirname, "..");
const built = join(root, "build/hello");
const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
const rootfs = await mkdtemp(join(tmpdir(), "slipway-hello-"));
try {
  await copyFile(join(built, "hello"), join(rootfs, "hello"));
  await chmod(join(rootfs, "hello"), 0o755);
  const id = await makeImage(
    {
      layers: [rootfs],
      config: {
        Entrypoint: ["/hello"],
        Env: ["PATH=/"],
        WorkingDir: "/",
        ExposedPorts: { "80/tcp": {} },
        Labels: {
          "org.opencontainers.image.title": "hello",
          "org.opencontainers.image.description": 'Greets, and shows what isolates it; "web" does so as a web page.',
          "org.opencontainers.image.version": version,
          "org.opencontainers.image.licenses": "Apache-2.0",
        },
      },
      names: ["docker.io/library/hello:latest"],
      epochS: Date.UTC(2026, 10, 21) / 1000, // fixed, so that the digest depends on the content alone
      form: "oci",
      gzip: true,
      comment: "slipway hello",
    },
    join(built, "hello.tar"),
  );
  console.log(`build/hello/hello.tar holds ${id}`);
} finally {
  await rm(rootfs, { recursive: true, force: true });
}
