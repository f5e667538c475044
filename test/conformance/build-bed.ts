import { startDaemon } from "../fixtures/daemon.ts";
import { dockerProgram } from "../fixtures/docker.ts";
import { runProgram } from "../fixtures/program.ts";

/** How a docker CLI ended. */
export type DockerOutcome = Awaited<ReturnType<typeof runProgram>>;

/** A daemon with busybox, and the docker CLI that builds with the Engine API's own route. */
export async function startBuildBed() {
  const daemon = await startDaemon({ busybox: true });
  const program = await dockerProgram();
  const env = { DOCKER_HOST: `unix://${daemon.socket}`, DOCKER_BUILDKIT: "0" };
  return {
    daemon,
    docker: async (args: readonly string[], input = ""): Promise<DockerOutcome> =>
      await runProgram(program, [...args], { env, input, timeoutMs: 120_000 }),
    [Symbol.asyncDispose]: async (): Promise<void> => await daemon[Symbol.asyncDispose](),
  };
}
