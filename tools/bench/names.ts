import type { Figure } from "./figures.ts";
import type { Ground } from "./ground.ts";

const questions = 50_000;

/** Questions for a neighbour's name, asked in a container's own network as fast as they are answered, 64 under way. */
export async function names({ api, stopwatch }: Ground): Promise<Figure[]> {
  const { Id: network } = await api.ask<{ Id: string }>("POST", "/networks/create", { Name: "bench-names" });
  const ids: string[] = [];
  for (let index = 0; index < 2; index++) {
    const id = await api.create(["sleep", "100000"], "bench-names");
    await api.ask("POST", `/containers/${id}/start`);
    ids.push(id);
  }
  const [asker = "", neighbour = ""] = ids;
  const pid = await api.pidOf(asker);
  const client = `nsenter --net=/proc/${pid}/ns/net ${process.execPath} -e '${clientScript(neighbour.slice(0, 12))}'`;
  const took = await stopwatch.time(client);
  for (const id of ids) await api.ask("DELETE", `/containers/${id}?force=1`);
  await api.ask("DELETE", `/networks/${network}`);
  const rate = questions / (took / 1000);
  return [
    {
      what: "names asked in a container, through relay and resolver, none lost",
      measured: `${Math.round(rate)} a second (${questions} asked, start of the asking program included)`,
      target: "≥ 10000",
      met: rate >= 10_000,
    },
  ];
}

/** Ends with 1 when an answer is wrong or does not come within two seconds. */
function clientScript(name: string): string {
  return `
    const socket = require("dgram").createSocket("udp4");
    const question = Buffer.from("0000010000010000000000000c${Buffer.from(name).toString("hex")}0000010001", "hex");
    let asked = 0, answered = 0;
    const ask = () => { if (asked < ${questions}) { question.writeUInt16BE(asked++ & 0xffff, 0); socket.send(question, 53, "127.0.0.11"); } };
    let timer = setTimeout(() => process.exit(1), 2000);
    socket.on("message", (answer) => {
      if (answer.readUInt16BE(6) !== 1) process.exit(1);
      if (++answered === ${questions}) process.exit(0);
      if (answered % 1000 === 0) timer.refresh();
      ask();
    });
    for (let i = 0; i < 64; i++) ask();
  `.replaceAll("\n", " ");
}
