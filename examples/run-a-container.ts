// Runs a container with the SDK and shows its output: pulls the image if it is not here, attaches before the start so
// that no byte is missed, and removes the container in the end.
//
//   node examples/run-a-container.ts [IMAGE [COMMAND...]]
//
// SLIPWAY_HOST or DOCKER_HOST says where the engine is; any engine that speaks the Docker Engine API will do.
import { EngineFault, openClient } from "slipway";

const [image = "hello", ...command] = process.argv.slice(2);

using client = openClient();
const id = await createContainer();
try {
  await using connection = await client.containers.attach(id, { stdout: true, stderr: true });
  const { result } = await client.containers.wait(id, "next-exit");
  await client.containers.start(id);
  for await (const { bytes, stream } of connection.output) {
    (stream === "stdout" ? process.stdout : process.stderr).write(bytes);
  }
  process.exitCode = (await result).StatusCode;
} finally {
  await client.containers.remove(id, { force: true, volumes: true });
}

async function createContainer(): Promise<string> {
  const request = { Image: image, ...(command.length > 0 && { Cmd: command }) };
  try {
    return (await client.containers.create(request)).Id;
  } catch (error) {
    if (!(error instanceof EngineFault) || error.status !== 404) throw error;
  }
  const [name = image, tag = "latest"] = image.split(":");
  for await (const { id: layer, status } of await client.images.pull({ image: name, tag })) {
    console.error(layer === undefined ? status : `${layer}: ${status}`);
  }
  return (await client.containers.create(request)).Id;
}
